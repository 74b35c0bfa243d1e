//! One node's host: starts the process, carries out its work, keeps its disk and machine.
//!
//! **Intuition.** The host is what a user's driver would be, done right: writes in order on one
//! lane, applying in order on the other, everything else at once. It also keeps the accounts that
//! a contract can be held against: which tickets are open, which reads, which writes.
//! **Source.** The contract of the core (docs/SEMANTICS.md).
//! **Upholds.** `inv:lane-order`, `inv:pure` (the shadow).
//! **Not here.** Faults and messages (`mod.rs`), clients (`service.rs`).

use std::collections::VecDeque;

use raft_core::{Incarnation, LogIndex, NodeId, Role, SnapshotMeta, Term};

use super::{
    Event, World,
    clock::Clock,
    observe::{Watch, differ, first_difference},
    queue::Class,
};
use crate::{
    collections::FixedMap,
    disk::{Disk, Write, latency},
    oracle::{Observation, Published},
    process::{
        Answer, Changed, Effect, Ending, Entry, Input, NodeView, Ns, Process, Start, Stepped,
    },
    workload::{
        history::Told,
        kv::{Command, Machine},
        reads::{Level, ReadHow},
    },
};

/// Whom a ticket belongs to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked {
    pub(crate) client: u32,
    pub(crate) attempt: u64,
    pub(crate) op: u64,
    /// The key of a read.
    pub(crate) key: u32,
    /// How a read was asked for.
    pub(crate) how: ReadHow,
    /// A read: the least index that may answer it.
    pub(crate) least: LogIndex,
}

/// Work on the apply lane.
#[derive(Debug)]
pub(super) enum Lane {
    Apply { entries: Vec<Entry>, first_ticket: Option<u64>, skipped: bool },
    Role(Role, Term),
    Take { id: u64, meta: Box<SnapshotMeta> },
    Install(Box<SnapshotMeta>),
}

/// One node.
#[derive(Debug)]
pub(crate) struct Host<P: Process> {
    pub(crate) id: NodeId,
    pub(crate) process: Option<P>,
    pub(super) shadow: Option<P>,
    pub(super) shadowed: bool,
    pub(super) shadow_view: NodeView,
    pub(super) shadow_steps: u64,
    /// Starts so far.
    pub(crate) boot: u64,
    /// It refused to start from its disk.
    pub(crate) refused: bool,
    /// It is not part of the healed core and starts no more.
    pub(crate) outside: bool,
    pub(crate) paused_until: Ns,
    pub(crate) clock: Clock,
    pub(crate) disk: Disk<P::Ack>,
    pub(crate) machine: Machine,
    /// The machine stands still at an entry it cannot apply.
    pub(super) machine_failed: bool,
    /// Which life of its disk this is, from 1.
    pub(super) life: u64,
    /// Its disk was lost, and its old life is still a member: it stays down.
    pub(super) gone: bool,
    /// The protocol level it is started with.
    pub(crate) level: u8,
    pub(super) lane: VecDeque<Lane>,
    pub(super) applying: bool,
    /// Batches begun in this boot.
    pub(super) batch: u64,
    pub(crate) view: NodeView,
    pub(super) before: NodeView,
    /// World time of the timer event that counts, and the local deadline it was made for.
    pub(super) timer_at: Ns,
    pub(super) timer_local: Ns,
    pub(super) timer_generation: u32,
    pub(super) tickets: FixedMap<u64, Asked>,
    pub(super) reads: FixedMap<u64, Asked>,
    /// Operators' requests accepted and not ended.
    pub(super) operations: Vec<u64>,
    /// The last of them that was a transfer.
    pub(super) transfer: Option<u64>,
    /// Confirmed reads that wait for the machine.
    pub(super) ready: Vec<(LogIndex, Asked)>,
}

impl<P: Process> Host<P> {
    pub(crate) fn new(id: NodeId, clock: Clock, shadowed: bool, level: u8) -> Self {
        Self {
            id,
            process: None,
            shadow: None,
            shadowed,
            shadow_view: NodeView::default(),
            shadow_steps: 0,
            boot: 0,
            refused: false,
            outside: false,
            paused_until: 0,
            clock,
            disk: Disk::new(),
            machine: Machine::new(),
            machine_failed: false,
            life: 1,
            gone: false,
            level,
            lane: VecDeque::new(),
            applying: false,
            batch: 0,
            view: NodeView::default(),
            before: NodeView::default(),
            timer_at: Ns::MAX,
            timer_local: Ns::MAX,
            timer_generation: 0,
            tickets: FixedMap::default(),
            reads: FixedMap::default(),
            operations: Vec::new(),
            transfer: None,
            ready: Vec::new(),
        }
    }

    /// A write joined what every crash leaves: tell it and make it part of the disk.
    pub(super) fn publish(&mut self, watch: &mut Watch, write: Write<P::Ack>) {
        watch.see(Observation::PersistDurable {
            node: self.id,
            sequence: write.sequence,
            hard: write.hard,
            truncate_from: write.truncate_from,
            entries: &write.ids,
            snapshot: write.snapshot.as_ref().map(|(snapshot, keep_log)| Published {
                index: snapshot.index(),
                ids: &snapshot.ids,
                keep_log: *keep_log,
            }),
        });
        self.disk.publish(write);
    }

    /// Timer events in the queue no longer count.
    pub(crate) fn timer_forgotten(&mut self) {
        self.timer_at = Ns::MAX;
        self.timer_local = Ns::MAX;
        self.timer_generation = self.timer_generation.wrapping_add(1);
    }

    /// Comparisons with the shadow since last asked.
    pub(crate) fn take_shadow_steps(&mut self) -> u64 {
        core::mem::take(&mut self.shadow_steps)
    }

    /// Whether `batch` is the one being applied.
    pub(crate) fn is_applying(&self, batch: u64) -> bool {
        self.applying && self.batch == batch
    }

    /// Nothing waits to be applied.
    pub(crate) fn lane_empty(&self) -> bool {
        self.lane.is_empty()
    }
}

impl<P: Process> World<'_, P> {
    /// Starts the process of node `n` from its disk.
    pub(crate) fn boot(&mut self, n: usize) {
        let level = self.level(n);
        let host = &mut self.hosts[n];
        host.boot += 1;
        host.machine_failed = false;
        host.disk.begin_boot();
        host.machine = match &host.disk.image.snapshot {
            Some(snapshot) => (*snapshot.machine).clone(),
            None => Machine::new(),
        };
        self.net.nth[n].clear();
        let start = Start {
            node: host.id,
            voters: &self.voters,
            incarnation: Incarnation(host.life),
            boot: host.boot,
            seed: self.fates.boot_seed(host.id.0, host.boot),
            now: host.clock.local(self.watch.now),
            knobs: &self.schedule.plan.knobs,
            snapshots: &self.schedule.plan.snapshots,
            command_bytes_max: u64::from(self.schedule.plan.work.padding) + Command::HEAD_BYTES_MAX,
            level,
            variant: self.variant,
            image: &host.disk.image,
        };
        let process = match P::boot(&start) {
            Ok(process) => process,
            Err(refused) => {
                host.refused = true;
                let node = host.id;
                self.watch.see(Observation::Stopped { node, why: &refused.0 });
                return;
            }
        };
        if host.shadowed {
            host.shadow = P::boot(&start).ok();
        }
        process.view(&mut host.view);
        host.process = Some(process);
        host.timer_forgotten();
        let (id, boot, hard) = (host.id, host.boot, host.disk.image.hard);
        let (log, view) = (host.disk.ids.as_slice(), &host.view);
        self.watch.digest_view(Changed::ALL, view);
        self.watch.see(Observation::Booted { node: id, boot, hard, log, view });
        self.drain(n, Stepped::default(), None);
        self.put_back(n);
    }

    /// Ends the process of node `n`; power loss may take writes along.
    pub(crate) fn crash(&mut self, n: usize, power_loss: bool) {
        let host = &mut self.hosts[n];
        if host.process.is_none() {
            return;
        }
        let unfinished = host.disk.open.len() as u64;
        let mut keep = if power_loss {
            self.fates.power_loss(host.id.0, host.boot, unfinished).min(unfinished)
        } else {
            unfinished
        };
        while let Some(write) = host.disk.next_survivor(&mut keep) {
            host.publish(&mut self.watch, write);
        }
        let lost = host.disk.lose_rest();
        let node = host.id;
        self.watch.digest.word(lost.writes);
        self.watch.see(Observation::Crashed {
            node,
            hard: host.disk.image.hard,
            log: &host.disk.ids,
            writes_lost: lost.writes,
            power_loss,
        });
        if lost.acknowledged > 0 {
            self.watch.see(Observation::AckedWritesLost { node, count: lost.acknowledged });
        }
        if host.shadow_steps > 0 {
            let steps = core::mem::take(&mut host.shadow_steps);
            self.watch.see(Observation::ShadowAgreed { node, steps });
        }
        self.watch.note(|| format!("{node} is down; {} writes lost", lost.writes));
        host.process = None;
        host.shadow = None;
        host.lane.clear();
        host.applying = false;
        host.tickets.clear();
        host.reads.clear();
        host.operations.clear();
        host.transfer = None;
        host.ready.clear();
        host.paused_until = 0;
        host.timer_forgotten();
    }

    /// Gives `input` to node `n` and carries out what follows.
    pub(crate) fn step(&mut self, n: usize, input: Input<P>, asked: Option<Asked>) {
        let host = &mut self.hosts[n];
        let Some(process) = &mut host.process else { return };
        let now = host.clock.local(self.watch.now);
        let stepped = if let Some(shadow) = &mut host.shadow {
            let twin = shadow.step(now, input.clone());
            let stepped = process.step(now, input);
            if twin.answer != stepped.answer || twin.log_from != stepped.log_from {
                let node = host.id;
                self.watch.see(Observation::ShadowDiffered { node, what: "answer to the input" });
            }
            stepped
        } else {
            process.step(now, input)
        };
        self.drain(n, stepped, asked);
    }

    /// Collects what node `n` asks for, reports what changed, then carries the work out.
    fn drain(&mut self, n: usize, mut stepped: Stepped, asked: Option<Asked>) {
        let host = &mut self.hosts[n];
        let Some(process) = &mut host.process else { return };
        let mut effects = core::mem::take(&mut self.effects);
        while let Some(effect) = process.poll() {
            effects.push(effect);
        }
        let settled = process.settled();
        stepped.changed = stepped.changed.and(settled.changed);
        stepped.log_from = match (stepped.log_from, settled.log_from) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
        if host.shadow.is_some() {
            self.compare_shadow(n, &effects);
        }
        if let Some(shadow) = &mut self.hosts[n].shadow {
            shadow.settled();
        }
        self.tell_configurations(&effects);
        let unchanged = stepped.changed == Changed::default() && effects.is_empty();
        if !unchanged || stepped.log_from.is_some() {
            self.report_view(n, &stepped);
        }
        match (asked, stepped.answer) {
            (Some(asked), Some(answer)) => self.take_answer(n, asked, answer),
            (None, Some(Answer::Accepted(ticket))) => {
                self.operated = true;
                if ticket != 0 {
                    self.hosts[n].operations.push(ticket);
                }
            }
            _ => {}
        }
        for effect in effects.drain(..) {
            self.execute(n, effect);
        }
        self.effects = effects;
        self.arm_timer(n);
    }

    fn report_view(&mut self, n: usize, stepped: &Stepped) {
        let host = &mut self.hosts[n];
        let Some(process) = &host.process else { return };
        core::mem::swap(&mut host.view, &mut host.before);
        process.view(&mut host.view);
        let (before, after) = (&host.before, &host.view);
        let mut changed = differ(before, after);
        let node = host.id;
        if before.base != after.base {
            let base = after.base;
            // What a snapshot without data stands for is what is committed there.
            let ids = self
                .ids_below(n, base.index)
                .unwrap_or_else(|| self.watch.oracles.committed_ids(base.index).into());
            self.watch.see(Observation::Based { node, base, ids: &ids });
        }
        let host = &mut self.hosts[n];
        let Some(process) = &host.process else { return };
        let (before, after) = (&host.before, &host.view);
        if let Some(from) = stepped.log_from {
            // What lies below the base is a snapshot's, and was told with it.
            let from = from.max(after.base.index.next());
            changed = changed.and(Changed::LOG);
            self.scratch.clear();
            process.log_from(from, &mut self.scratch);
            for entry in &self.scratch {
                self.watch.digest.word(entry.hash);
            }
            let leading = before.role == Role::Leader
                && after.role == Role::Leader
                && before.term == after.term;
            let entries = self.scratch.as_slice();
            self.watch.see(Observation::Log { node, from, entries, leading });
        }
        if changed == Changed::default() {
            return;
        }
        if before.role != after.role {
            self.net.nth[n].clear();
        }
        self.progress |= changed.any(Changed::COMMIT.and(Changed::APPLIED).and(Changed::LOG));
        self.watch.digest_view(changed, after);
        self.watch.see(Observation::View { node, boot: host.boot, changed, before, after });
    }

    fn compare_shadow(&mut self, n: usize, effects: &[Effect<P>]) {
        let host = &mut self.hosts[n];
        let (Some(process), Some(shadow)) = (&host.process, &mut host.shadow) else { return };
        let mut what = None;
        for effect in effects {
            let twin = shadow.poll();
            // Debug text covers every field of every output, whatever the system.
            if what.is_none() && format!("{:?}", Some(effect)) != format!("{twin:?}") {
                what = Some(format!("output {effect:?} against {twin:?}"));
            }
        }
        if let Some(extra) = shadow.poll() {
            what.get_or_insert(format!("one output more: {extra:?}"));
        }
        let mut view = core::mem::take(&mut host.shadow_view);
        let mut own = NodeView::default();
        process.view(&mut own);
        shadow.view(&mut view);
        if let Some(field) = first_difference(&own, &view) {
            what.get_or_insert(format!("view: {field}"));
        }
        if process.deadline() != shadow.deadline() {
            what.get_or_insert("deadline".to_owned());
        }
        host.shadow_view = view;
        host.shadow_steps += 1;
        if let Some(what) = what {
            let node = host.id;
            self.watch.see(Observation::ShadowDiffered { node, what: &what });
        }
    }

    /// Remembers or passes on the immediate answer to a request.
    fn take_answer(&mut self, n: usize, asked: Asked, answer: Answer) {
        let host = &mut self.hosts[n];
        match answer {
            Answer::Accepted(ticket) => {
                let read = self.history.is_read(asked.op);
                let open = if read { &mut host.reads } else { &mut host.tickets };
                let taken = open.insert(ticket, asked).is_some();
                let node = host.id;
                if taken {
                    let how = format!("ticket {ticket} was given out twice");
                    self.watch.see(Observation::ContractBroken { node, how: &how });
                }
                self.watch.note(|| format!("operation {} accepted", asked.op));
                if read && asked.how.level == Level::Lease {
                    self.watch.see(Observation::LeaseRead { op: asked.op, node });
                }
                self.watch.see(Observation::OpAccepted { op: asked.op, node });
            }
            Answer::Refused { why, hint } => {
                self.watch.note(|| format!("operation {} refused: {why}", asked.op));
                let hint = hint.and_then(|node| self.place(node));
                self.respond(n, asked, Told::Refused(hint));
            }
        }
    }

    fn execute(&mut self, n: usize, effect: Effect<P>) {
        match effect {
            Effect::Persist { ack, hard, truncate_from, entries, snapshot } => {
                let snapshot = snapshot.and_then(|publish| self.published(n, *publish));
                self.hand_to_disk(n, ack, hard, truncate_from, entries, snapshot);
            }
            Effect::TakeSnapshot { id, meta } => {
                self.hosts[n].lane.push_back(Lane::Take { id, meta });
                self.run_lane(n);
            }
            Effect::InstallSnapshot { meta } => {
                let (node, index) = (self.hosts[n].id, meta.index());
                self.watch.see(Observation::InstallHanded { node, index });
                self.hosts[n].lane.push_back(Lane::Install(meta));
                self.run_lane(n);
            }
            Effect::SendSnapshot { id, to, term, meta } => self.ship(n, id, to, term, &meta),
            Effect::DiscardSnapshot { stage } => drop(self.hosts[n].disk.unstage(stage)),
            Effect::CompactTo(index) => {
                let host = &mut self.hosts[n];
                let node = host.id;
                self.watch.note(|| format!("compact to {index}"));
                if let Err(how) = host.disk.compact_to(index) {
                    self.watch.see(Observation::ContractBroken { node, how: &how });
                }
            }
            Effect::Admitted { deferred, ticket } => {
                let Some(asked) = self.end_ticket(n, deferred, false) else { return };
                self.hosts[n].tickets.insert(ticket, asked);
            }
            Effect::OperationEnded { ticket, done } => self.operation_ended(n, ticket, done),
            Effect::Send { to, message } => self.send(n, to, message),
            Effect::Apply { entries, first_ticket, skipped } => {
                let (Some(first), Some(last)) = (entries.first(), entries.last()) else { return };
                let (first, last) = (first.position.index, last.position.index);
                let host = &mut self.hosts[n];
                self.watch.note(|| format!("apply {first} to {last}"));
                self.watch.see(Observation::ApplyHanded { node: host.id, first, last });
                host.lane.push_back(Lane::Apply { entries, first_ticket, skipped });
                self.run_lane(n);
            }
            Effect::RoleChanged { role, term } => {
                self.hosts[n].lane.push_back(Lane::Role(role, term));
                self.run_lane(n);
            }
            Effect::ReadReady { ticket, index, staleness } => {
                self.on_read_ready(n, ticket, index, staleness);
            }
            Effect::ReadFailed { ticket } => {
                let Some(asked) = self.end_ticket(n, ticket, true) else { return };
                let node = self.hosts[n].id;
                self.watch.see(Observation::ReadFailed { op: asked.op, node });
                self.respond(n, asked, Told::Refused(None));
            }
            Effect::Ended { first_ticket, count, how } => {
                for ticket in first_ticket..first_ticket.saturating_add(count) {
                    let Some(asked) = self.end_ticket(n, ticket, false) else { return };
                    let told = match how {
                        Ending::Superseded => Told::Superseded,
                        Ending::Unknown(_) => Told::Unknown,
                        Ending::Refused => Told::Refused(None),
                    };
                    self.respond(n, asked, told);
                }
            }
            Effect::ReadEntries { id, first, last, bytes_max } => {
                let host = &mut self.hosts[n];
                self.watch.see(Observation::ReadEntries { node: host.id, first, last });
                let op = host.disk.identify(host.id.0, host.boot, latency::READ, first.0, last.0);
                let boot = host.boot;
                let at = self.watch.now.saturating_add(self.disk_time(&op));
                let (node, first, last) = (n as u8, first.0, last.0);
                let event = Event::ReadDone { node, boot, id, first, last, bytes_max };
                self.push(at, Class::Storage, u64::from(node), id, event);
            }
            Effect::Rebuild => {
                self.crash(n, false);
                self.boot_soon(n);
            }
            Effect::Halted(why) => {
                let node = self.hosts[n].id;
                self.watch.see(Observation::Stopped { node, why: &why });
                self.crash(n, false);
                let down = self.schedule.plan.knobs.election_ns;
                let at = self.watch.now.saturating_add(down);
                let event = Event::Boot { node: n as u8, again_after: 0, down: 0 };
                self.push(at, Class::World, n as u64, 0, event);
            }
        }
    }

    /// Takes the ticket out of the open ones; reports one that is not open.
    pub(super) fn end_ticket(&mut self, n: usize, ticket: u64, read: bool) -> Option<Asked> {
        let host = &mut self.hosts[n];
        let open = if read { &mut host.reads } else { &mut host.tickets };
        let asked = open.remove(&ticket);
        if asked.is_none() {
            let what = if read { "read" } else { "proposal" };
            let how = format!("{what} ticket {ticket} ended although it is not open");
            let node = host.id;
            self.watch.see(Observation::ContractBroken { node, how: &how });
        }
        asked
    }

    /// Sees to it that a timer event comes no later than the process's deadline.
    pub(crate) fn arm_timer(&mut self, n: usize) {
        let host = &mut self.hosts[n];
        let Some(deadline) = host.process.as_ref().and_then(Process::deadline) else { return };
        // A later deadline leaves the earlier event in place; it re-arms when it comes.
        if deadline < host.timer_local {
            let at = host.clock.world(deadline).max(self.watch.now);
            host.timer_at = at;
            host.timer_local = deadline;
            host.timer_generation = host.timer_generation.wrapping_add(1);
            let generation = host.timer_generation;
            let event = Event::Timer { node: n as u8, generation };
            self.push(at, Class::Timer, n as u64, 0, event);
        }
    }

    /// A timer event came. Whether the process was due.
    pub(crate) fn on_timer(&mut self, n: usize, generation: u32) -> bool {
        let host = &mut self.hosts[n];
        if host.timer_generation != generation {
            return false;
        }
        host.timer_forgotten();
        let local = host.clock.local(self.watch.now);
        let Some(deadline) = host.process.as_ref().and_then(Process::deadline) else {
            return false;
        };
        if deadline > local {
            self.arm_timer(n);
            return false;
        }
        self.begin(2, "timer", n);
        self.step(n, Input::Tick, None);
        // A process that does not move its deadline is asked again a little later, not for ever
        // at the same instant.
        let host = &mut self.hosts[n];
        if host.timer_at == self.watch.now {
            host.timer_generation = host.timer_generation.wrapping_add(1);
            let generation = host.timer_generation;
            let at = self.watch.now.saturating_add(1000);
            host.timer_at = at;
            self.push(at, Class::Timer, n as u64, 0, Event::Timer { node: n as u8, generation });
        }
        true
    }
}
