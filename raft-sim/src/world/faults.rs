//! Timed faults: carrying out what the schedule says, and undoing it.
//!
//! **Intuition.** Faults name nodes and durations, never moments in the protocol; the one target
//! that is left to the world (whoever leads) is looked up when the fault begins. A fault that
//! cannot be applied is counted as refused, never dropped in silence.
//! **Source.** Ours.
//! **Upholds.** `inv:pure`.
//! **Not here.** Drawing them (`fault/swarm.rs`), what a crash keeps (`disk/crash.rs`).

use serde_json::json;

use super::{Event, World, phases::Stage, queue::Class};
use crate::{
    fault::{
        plan::Axis,
        schedule::{Fault, Operation},
    },
    net::partition::all_links_of,
    oracle::Observation,
    process::{Input, Ns, Process},
};

impl<P: Process> World<'_, P> {
    fn made(&mut self, axis: Axis, applied: bool) {
        let count = &mut self.axes[axis as usize];
        if applied {
            count.injected += 1;
        } else {
            count.refused += 1;
        }
    }

    pub(super) fn node_at(&self, id: u64) -> Option<usize> {
        let at = usize::try_from(id.checked_sub(1)?).ok()?;
        (at < self.hosts.len()).then_some(at)
    }

    /// The fault at place `at` of the schedule begins. Whether it reached anything.
    pub(crate) fn on_fault(&mut self, at: u32) -> bool {
        if self.stage != Stage::Chaos {
            return false;
        }
        let schedule = self.schedule;
        let timed = &schedule.faults[at as usize];
        self.watch.begin(9, "fault", 0);
        self.watch.digest.word(timed.id);
        self.watch.field("fault", || {
            serde_json::to_value(&timed.fault).unwrap_or_else(|error| json!(error.to_string()))
        });
        let now = self.watch.now;
        match &timed.fault {
            Fault::Cut { shape, links, for_ns, drop_inflight } => {
                let pairs = self.pairs(shape, links);
                self.made(Axis::Partition, !pairs.is_empty());
                let drop_below = if *drop_inflight { self.net.sent } else { 0 };
                let number = self.net.cuts.begin(&mut self.net.links, pairs, drop_below);
                let event = Event::CutEnds { number };
                self.push(now.saturating_add(*for_ns), Class::World, 2 << 32, timed.id, event);
            }
            Fault::Clog { from, to, for_ns, capacity } => {
                let pair = (self.node_at(*from), self.node_at(*to));
                if let (Some(from), Some(to)) = pair {
                    self.net.links.clog(from, to, now.saturating_add(*for_ns), *capacity);
                }
                self.made(Axis::Clog, matches!(pair, (Some(_), Some(_))));
            }
            Fault::Kill { node, down_ns, again_after_ns } => {
                let applied = match self.node_at(*node) {
                    Some(n) if self.hosts[n].process.is_some() => {
                        self.crash(n, false);
                        self.boot_later(n, *down_ns, *again_after_ns);
                        true
                    }
                    _ => false,
                };
                self.made(Axis::Crash, applied);
            }
            Fault::PowerLoss { nodes, down_ns } => {
                let mut applied = 0;
                for (place, node) in nodes.iter().enumerate() {
                    let down = down_ns.get(place).copied().unwrap_or(0);
                    if let Some(n) = self.node_at(*node)
                        && self.hosts[n].process.is_some()
                    {
                        self.crash(n, true);
                        self.boot_later(n, down, 0);
                        applied += 1;
                    }
                }
                let whole = nodes.len() == self.hosts.len() && nodes.len() > 1;
                let axis = if whole { Axis::ClusterPowerLoss } else { Axis::PowerLoss };
                self.made(axis, applied > 0);
            }
            Fault::Pause { node, for_ns } => {
                let applied = match self.node_at(*node) {
                    Some(n) if self.hosts[n].process.is_some() => {
                        let host = &mut self.hosts[n];
                        host.paused_until = host.paused_until.max(now.saturating_add(*for_ns));
                        true
                    }
                    _ => false,
                };
                self.made(Axis::Pause, applied);
            }
            Fault::Operate { node, what } => {
                let applied = self.operate(*node, what);
                self.made(what.axis(), applied);
            }
            Fault::Relevel { node, level, down_ns, hostile } => {
                let n = self.node_at(*node);
                let applied = n.is_some_and(|n| self.relevel(n, *level, *down_ns, *hostile));
                self.made(Axis::MixedVersions, applied);
            }
            Fault::Poison {} => {
                let applied = self.arm_poison();
                self.made(Axis::Poison, applied);
            }
            Fault::LoseDisk { node } => {
                let applied = self.node_at(*node).is_some_and(|n| self.lose_disk(n));
                self.made(Axis::Replace, applied);
            }
            // Kept in the file, applied as nothing.
            Fault::Unknown(_) => {}
        }
        true
    }

    /// Asks a node, or whoever leads, for what an operator wants. Whether it said yes.
    pub(super) fn operate(&mut self, node: u64, what: &Operation) -> bool {
        let Some(n) = self.asked(node) else { return false };
        if self.hosts[n].paused_until > self.watch.now {
            return false;
        }
        self.operated = false;
        let transfer = self.hosts[n].transfer.take();
        self.step(n, Input::Operate(what.clone()), None);
        let accepted = self.operated;
        let open = |host: &super::host::Host<P>| transfer.filter(|t| host.operations.contains(t));
        let host = &mut self.hosts[n];
        let displaced = transfer.is_some() && open(host).is_none();
        host.transfer = match what {
            Operation::Transfer { .. } if accepted => host.operations.last().copied(),
            _ => open(host),
        };
        self.watch.see(Observation::Operated { what, accepted, displaced });
        accepted
    }

    /// A change or transfer at node `n` ended.
    pub(crate) fn operation_ended(&mut self, n: usize, ticket: u64, done: bool) {
        let host = &mut self.hosts[n];
        let node = host.id;
        self.watch.note(|| format!("operation {ticket} ended, done: {done}"));
        let open = host.operations.iter().position(|open| *open == ticket);
        if let Some(at) = open {
            host.operations.remove(at);
        } else {
            let how = format!("operation {ticket} ended although it is not open");
            self.watch.see(Observation::ContractBroken { node, how: &how });
        }
        self.operations_done += u64::from(done);
    }

    /// The directed pairs a cut concerns, by position.
    fn pairs(&self, shape: &str, links: &[(u64, u64)]) -> Vec<(u8, u8)> {
        if links.is_empty() && shape == "isolate-leader" {
            let leader = self.watch.oracles.leader_now().and_then(|node| self.place(node));
            return leader
                .map(|leader| all_links_of(usize::from(leader), self.hosts.len()))
                .unwrap_or_default();
        }
        let place = |id: u64| self.node_at(id).map(|at| at as u8);
        links.iter().filter_map(|(from, to)| Some((place(*from)?, place(*to)?))).collect()
    }

    pub(super) fn boot_later(&mut self, n: usize, down: Ns, again_after: Ns) {
        let at = self.watch.now.saturating_add(down);
        let event = Event::Boot { node: n as u8, again_after, down };
        self.push(at, Class::World, n as u64, 0, event);
    }

    /// A node starts, unless it is up, gone for good, or outside the healed core.
    pub(crate) fn on_boot(&mut self, node: u8, again_after: Ns, down: Ns) -> bool {
        let n = usize::from(node);
        let host = &self.hosts[n];
        if host.process.is_some() || host.refused || host.outside || host.gone {
            return false;
        }
        self.begin(7, "boot", n);
        self.boot(n);
        self.progress = true;
        if again_after > 0 && self.stage == Stage::Chaos {
            let boot = self.hosts[n].boot;
            let at = self.watch.now.saturating_add(again_after);
            let event = Event::KillAgain { node, boot, down };
            self.push(at, Class::World, u64::from(node), 2, event);
        }
        true
    }

    /// A node dies again while recovering.
    pub(crate) fn on_kill_again(&mut self, node: u8, boot: u64, down: Ns) -> bool {
        let n = usize::from(node);
        if self.stage != Stage::Chaos || !self.is_boot(n, boot) {
            return false;
        }
        self.begin(8, "kill-again", n);
        self.crash(n, false);
        self.boot_later(n, down, 0);
        self.made(Axis::Crash, true);
        true
    }

    /// A process that stands still goes on now.
    pub(crate) fn resume_now(&mut self, n: usize) {
        // What was put off is in the queue at the end of the pause; everything new comes before.
        self.hosts[n].paused_until = 0;
        self.hosts[n].timer_forgotten();
        self.arm_timer(n);
    }

    /// Tells how many comparisons the shadow of node `n` has passed.
    pub(crate) fn report_shadow(&mut self, n: usize) {
        let host = &mut self.hosts[n];
        let steps = host.take_shadow_steps();
        if steps > 0 {
            let node = host.id;
            self.watch.see(Observation::ShadowAgreed { node, steps });
        }
    }

    /// Fills in the counts of axes that are no single events.
    pub(crate) fn count_static_axes(&mut self) {
        for (at, axis) in Axis::ALL.iter().enumerate() {
            self.axes[at].on = self.schedule.plan.has(*axis);
        }
        self.axes[Axis::DiskReorder as usize].injected += self.reordered;
        let drifting = self.schedule.drift_ppb.iter().filter(|ppb| **ppb != 0).count() as u64;
        self.axes[Axis::Drift as usize].injected += drifting;
    }
}
