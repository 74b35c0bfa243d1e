//! Phases of a run: chaos, then healing, then proof that the cluster recovered.
//!
//! **Intuition.** Safety is judged throughout; liveness only once faults have stopped, and only
//! after asking whether the plan itself left the cluster a way to recover.
//! **Source.** Ours; the bounds are multiples of the election timeout `E`.
//! **Upholds.** `inv:live`, `inv:converges`.
//! **Not here.** Judging (`oracle/`).

use super::{Event, World, queue::Class, service::owes};
use raft_core::NodeId;

use crate::{
    fault::{plan::Axis, schedule::Operation},
    oracle::{Observation, Phase},
    process::{Input, Ns, Process},
    workload::kv::Call,
};

/// Where a run stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Stage {
    /// Faults and clients.
    Chaos,
    /// Healed; a probe write must commit.
    Settle,
    /// Open operations end.
    Drain,
    /// All members of the core apply the same.
    Quiesce,
    /// Every key is read.
    FinalReads,
    /// Over.
    Over,
}

impl Stage {
    const fn phase(self) -> Phase {
        match self {
            Self::Chaos => Phase::Chaos,
            Self::Settle => Phase::Settle,
            Self::Drain => Phase::Drain,
            Self::Quiesce => Phase::Quiesce,
            Self::FinalReads | Self::Over => Phase::FinalReads,
        }
    }
}

impl<P: Process> World<'_, P> {
    fn election(&self) -> Ns {
        self.schedule.plan.knobs.election_ns.max(1)
    }

    fn core(&self) -> impl Iterator<Item = &super::host::Host<P>> {
        self.hosts.iter().filter(|host| !host.outside)
    }

    /// Whether the core can recover: a quorum of processes that started from intact disks, by the
    /// configuration of any of them.
    fn recoverable(&self) -> bool {
        let alive = |node: &NodeId| self.core().any(|host| !host.refused && host.id == *node);
        let majority =
            |half: &[NodeId]| half.iter().filter(|node| alive(node)).count() * 2 > half.len();
        self.core().filter(|host| !host.refused).any(|host| {
            let view = &host.view;
            let voters = if view.voters.is_empty() { &self.voters } else { &view.voters };
            majority(voters) && (view.outgoing.is_empty() || majority(&view.outgoing))
        })
    }

    /// Those of the core that hold data by the configuration of whoever leads; all of it where
    /// membership never changes.
    fn members(&self) -> impl Iterator<Item = &super::host::Host<P>> {
        let leader = self.watch.oracles.leader_now().and_then(|node| self.place(node));
        let leader = leader.map(|at| &self.hosts[usize::from(at)].view.members);
        self.core().filter(move |host| {
            leader.is_none_or(|members| members.is_empty() || members.contains(&host.id))
        })
    }

    /// Sets the limit of the present phase, `after` from now.
    fn limit(&mut self, after: Ns) {
        let at = self.watch.now.saturating_add(after);
        let phase = self.stage as u8;
        self.push(at, Class::World, u64::MAX, u64::from(phase), Event::PhaseLimit { phase });
    }

    /// Looks whether the goal of the present phase is reached; called after every event that may
    /// have brought it nearer.
    pub(crate) fn check_goal(&mut self) {
        let reached = match self.stage {
            Stage::Chaos => {
                self.clients.iter().all(|client| client.finished())
                    || self.watch.events >= self.schedule.plan.events_max / 4 * 3
            }
            Stage::Settle => self.clients[self.keeper()].finished(),
            Stage::Drain => {
                self.clients.iter().all(|client| client.open.is_none())
                    && (!owes(self.unknown_ops, &self.history)
                        || self.clients.iter().all(|client| client.begun >= client.ops.len()))
            }
            Stage::Quiesce => self.quiet(),
            // A learner may have been promoted since all was quiet, which is one entry more.
            Stage::FinalReads => self.clients[self.keeper()].finished() && self.quiet(),
            Stage::Over => return,
        };
        if reached {
            self.end_phase(true);
        }
    }

    /// Whether all members of the core have applied the same and everything committed.
    fn quiet(&self) -> bool {
        let Some(commit) = self.core().map(|host| host.view.commit).max() else { return true };
        if self.replacing.is_open() {
            return false;
        }
        self.members().all(|host| {
            host.process.is_some()
                && host.machine.applied() == commit
                && host.view.applied == commit
                && host.view.last.index == commit
                && host.lane_empty()
        })
    }

    /// What the present phase waits for, for people.
    fn missing(&self) -> String {
        let mut text = String::new();
        for host in self.core() {
            let view = &host.view;
            let life = if host.process.is_some() { "" } else { " (down)" };
            text.push_str(&format!(
                "{}{life}: {} in term {}, log to {}, commit {}, applied {}, data members {:?}; ",
                host.id,
                view.role,
                view.term,
                view.last,
                view.commit,
                host.machine.applied(),
                view.members.iter().map(|node| node.0).collect::<Vec<_>>()
            ));
        }
        let open = self.clients.iter().filter(|client| client.open.is_some()).count();
        text.push_str(&format!("{open} operations open"));
        text
    }

    /// The time of a phase is up.
    pub(crate) fn on_phase_limit(&mut self, phase: u8) {
        if phase == self.stage as u8 {
            self.end_phase(self.stage == Stage::Chaos);
        }
    }

    fn end_phase(&mut self, reached: bool) {
        let recoverable = self.recoverable();
        let missing = if reached { String::new() } else { self.missing() };
        let phase = self.stage.phase();
        self.watch.digest.word(self.stage as u64 | 16 << 8);
        self.watch.note(|| format!("{phase:?} ends; goal reached: {reached}"));
        self.watch.see(Observation::PhaseEnded { phase, reached, recoverable, missing: &missing });
        if !reached {
            if !recoverable {
                self.excused.get_or_insert(format!("{phase:?}: {missing}"));
            }
            // Nobody can be held to a final state that was not waited for.
            self.stage = Stage::Over;
            return;
        }
        let election = self.election();
        match self.stage {
            Stage::Chaos => self.heal(),
            Stage::Settle => {
                self.stage = Stage::Drain;
                let timeout = self.schedule.plan.work.timeout_ns;
                self.limit(election.saturating_mul(30).saturating_add(timeout.saturating_mul(4)));
                if owes(self.unknown_ops, &self.history) {
                    for client in 0..self.keeper() {
                        if self.clients[client].open.is_none() {
                            self.think(client);
                        }
                    }
                }
                self.check_goal();
            }
            Stage::Drain => {
                self.stage = Stage::Quiesce;
                self.limit(election.saturating_mul(60));
                self.check_goal();
            }
            Stage::Quiesce => {
                self.stage = Stage::FinalReads;
                let keeper = self.keeper();
                // The key above the plan's is the one that probes write.
                for key in 0..=self.schedule.plan.work.keys {
                    self.clients[keeper].extra.push_back(Call::Get { key });
                }
                self.wake_after(keeper, 0);
                self.limit(election.saturating_mul(30));
            }
            Stage::FinalReads | Stage::Over => self.finals(),
        }
    }

    /// Ends all faults: links and disks are quick and faithful, the core is up.
    fn heal(&mut self) {
        self.stage = Stage::Settle;
        let election = self.election();
        self.fates.heal((election / 100).max(1), (election / 1000).max(1));
        let core = &self.schedule.core;
        let mut cut_off = Vec::new();
        for (n, host) in self.hosts.iter_mut().enumerate() {
            // An empty list names everyone.
            host.outside = !core.is_empty() && !core.contains(&host.id.0);
            if host.outside {
                cut_off.push(n);
            }
        }
        self.net.heal(&cut_off);
        self.targets =
            (0..self.hosts.len()).filter(|n| !cut_off.contains(n)).map(|n| n as u8).collect();
        for n in 0..self.hosts.len() {
            if self.hosts[n].outside {
                continue;
            }
            if self.hosts[n].paused_until > self.watch.now {
                self.resume_now(n);
            }
            self.hurry(n);
            if self.schedule.plan.has(Axis::Leadership) && self.hosts[n].process.is_some() {
                // What operators forbade they allow again, or nobody could be held to lead.
                let back = Operation::Eligibility { priority: 10, can_lead: true };
                self.step(n, Input::Operate(back), None);
            }
            if self.hosts[n].process.is_none() && !self.hosts[n].refused {
                let event = Event::Boot { node: n as u8, again_after: 0, down: 0 };
                self.push(self.watch.now, Class::World, n as u64, 1, event);
            }
        }
        self.poison.disarm();
        self.finish_upgrades();
        let lengths = || self.core().map(|host| host.disk.image.last().0);
        let lag = lengths().max().unwrap_or(0) - lengths().min().unwrap_or(0);
        let batch = u64::from(self.schedule.plan.knobs.append_entries.max(1));
        let round_trip = election / 50 + 1;
        let catch_up = round_trip.saturating_mul(3).saturating_mul(lag / batch + 1);
        self.limit(election.saturating_mul(30).saturating_add(catch_up));
        let keeper = self.keeper();
        let probe = Call::Put { key: self.schedule.plan.work.keys, value: 1 << 62 };
        self.clients[keeper].extra.push_back(probe);
        self.wake_after(keeper, 0);
    }

    /// Reports where every member of the core ended.
    fn finals(&mut self) {
        self.stage = Stage::Over;
        let members: Vec<usize> = self
            .members()
            .filter(|host| host.process.is_some())
            .filter_map(|host| self.place(host.id))
            .map(usize::from)
            .collect();
        for n in members {
            let host = &self.hosts[n];
            self.watch.see(Observation::Final {
                node: host.id,
                applied: host.machine.applied(),
                machine: host.machine.digest(),
                view: &host.view,
            });
        }
    }
}
