//! The world: one event queue, one turn at a time.
//!
//! **Intuition.** A turn pops the earliest event, gives it to the one node (or disk, or client) it
//! concerns, carries out what that node asks for, and tells the oracles. Nothing else moves, so a
//! run is a function of its schedule.
//! **Source.** Ours.
//! **Upholds.** `inv:pure`.
//! **Not here.** A node's work (`host.rs`), clients (`service.rs`), phases (`phases.rs`), fates
//! (`fault/fates.rs`), judging (`oracle/`).

mod clock;
mod event;
mod faults;
mod host;
pub(crate) mod identity;
mod lanes;
pub(crate) mod observe;
mod phases;
mod poison;
mod queue;
mod replace;
mod serve;
mod service;
mod snapshots;
mod versions;

use clock::Clock;
use event::{Event, Flight};
use host::Host;
use observe::Watch;
use phases::Stage;
use queue::{Class, Queue};
use raft_core::{LogIndex, NodeId, Options};
use serde_json::json;

use crate::{
    fault::{
        fates::Fates,
        plan::{Axis, VersionPlan},
        schedule::{MessageId, Schedule},
    },
    lin,
    net::{Net, link::Passage},
    oracle::{Observation, OracleId, OracleSetup, Oracles, Violation},
    outcome::{
        AxisCount, FatesMet, LinHow, OracleLevel, RunOptions, RunOutcome, RunStats, Verdict,
    },
    process::{Effect, EntryId, Input, Ns, Process},
    workload::{client::Client, history::History},
};

/// Domain of keyed choices: does a node have a shadow?
const CHOOSE_SHADOW: u64 = 0x10;

/// Runs `schedule` on processes of type `P`.
#[must_use]
pub fn run<P: Process>(schedule: &Schedule, options: &RunOptions, variant: u8) -> RunOutcome {
    if let Err(impossible) = schedule.check() {
        return refused(&impossible.to_string());
    }
    World::<P>::new(schedule, options, variant).run()
}

/// The outcome of a schedule that cannot be run.
fn refused(why: &str) -> RunOutcome {
    RunOutcome {
        verdict: Verdict::Internal(format!("the schedule cannot be run: {why}")),
        digest: 0,
        stats: RunStats::empty(),
        materialised: None,
        fates: FatesMet::default(),
        checkpoints: Vec::new(),
        trace: Vec::new(),
        history: Vec::new(),
    }
}

/// Everything there is in one run.
struct World<'s, P: Process> {
    schedule: &'s Schedule,
    options: &'s RunOptions,
    variant: u8,
    queue: Queue<Event<P>>,
    fates: Fates,
    net: Net,
    voters: Vec<NodeId>,
    hosts: Vec<Host<P>>,
    clients: Vec<Client>,
    /// Nodes that clients turn to, by position.
    targets: Vec<u8>,
    history: History,
    next_process: u64,
    unknown_ops: u64,
    /// Entries of kinds other than no-op and command that were applied anywhere, and the highest.
    snapshots_taken: u64,
    /// The last operator's request was accepted.
    operated: bool,
    operations_done: u64,
    versions: versions::Versions,
    poison: poison::Poison,
    replacing: replace::Replacing,
    /// The operator will look again.
    operator_called: bool,
    snapshots_installed: u64,
    config_changes: u64,
    config_changed_at: LogIndex,
    watch: Watch,
    stage: Stage,
    excused: Option<String>,
    /// Something happened that may have brought the goal of the phase nearer.
    progress: bool,
    axes: Vec<AxisCount>,
    reordered: u64,
    effects: Vec<Effect<P>>,
    scratch: Vec<EntryId>,
}

impl<'s, P: Process> World<'s, P> {
    fn new(schedule: &'s Schedule, options: &'s RunOptions, variant: u8) -> Self {
        let plan = &schedule.plan;
        let operable = P::promises().operable;
        let nodes = if operable { plan.nodes() } else { plan.voters } as usize;
        let mixed = operable && plan.versions != VersionPlan::default();
        let voters: Vec<NodeId> = (1..=u64::from(plan.voters)).map(NodeId).collect();
        let fates = Fates::new(schedule, options.materialise);
        let oracles = Oracles::new(OracleSetup {
            voters: &voters,
            promises: P::promises(),
            without: &options.without,
            level: options.oracles,
            clock_error_ppm: plan.knobs.clock_error(),
        });
        let shadow = |n: usize| {
            options.shadow_one_in > 0
                && oracles.is_on(OracleId::Pure)
                && fates.choose(CHOOSE_SHADOW, n as u64, options.shadow_one_in) == 0
        };
        let hosts = (0..nodes)
            .map(|n| {
                let ppb = schedule.drift_ppb.get(n).copied().unwrap_or(0);
                // Origins differ, so that comparing clocks of two nodes cannot go unnoticed.
                let clock = Clock::new(1_000_000_007 * (n as u64 + 1), ppb);
                let id = NodeId(n as u64 + 1);
                let level = Options::LEVEL_MAX - u8::from(plan.versions.old.contains(&id.0));
                Host::new(id, clock, shadow(n), level)
            })
            .collect();
        let clients = clients_of(schedule);
        let next_process = clients.len() as u64;
        Self {
            schedule,
            options,
            variant,
            queue: Queue::new(),
            fates,
            net: Net::new(nodes),
            hosts,
            voters,
            clients,
            targets: (0..nodes as u8).collect(),
            history: History::default(),
            next_process,
            unknown_ops: 0,
            snapshots_taken: 0,
            operated: false,
            operations_done: 0,
            versions: versions::Versions::new(mixed, nodes),
            poison: poison::Poison::default(),
            replacing: replace::Replacing::default(),
            operator_called: false,
            snapshots_installed: 0,
            config_changes: 0,
            config_changed_at: LogIndex::ZERO,
            watch: Watch::new(oracles, options.trace),
            stage: Stage::Chaos,
            excused: None,
            progress: false,
            axes: vec![AxisCount::default(); Axis::ALL.len()],
            reordered: 0,
            effects: Vec::with_capacity(64),
            scratch: Vec::with_capacity(64),
        }
    }

    fn push(&mut self, at: Ns, class: Class, a: u64, b: u64, event: Event<P>) {
        let tie = self.fates.tie(event.code(), a, b);
        self.queue.push(at, class, tie, event);
    }

    fn begin(&mut self, code: u64, name: &'static str, n: usize) {
        self.watch.begin(code, name, self.hosts.get(n).map_or(0, |host| host.id.0));
    }

    fn count_axes(&mut self, mut axes: u32) {
        while axes != 0 {
            let at = axes.trailing_zeros() as usize;
            axes &= axes - 1;
            if let Some(count) = self.axes.get_mut(at) {
                count.injected += 1;
            }
        }
    }

    fn run(mut self) -> RunOutcome {
        for n in 0..self.hosts.len() {
            let event = Event::Boot { node: n as u8, again_after: 0, down: 0 };
            self.queue.push(0, Class::World, n as u64, event);
        }
        for (at, fault) in self.schedule.faults.iter().enumerate() {
            let event = Event::Fault { at: at as u32 };
            self.push(fault.at_ns, Class::World, 1 << 32, fault.id, event);
        }
        for client in 0..self.clients.len() {
            self.clients[client].turn = self.fates.choose(0x13, client as u64, 1 << 16);
            self.think(client);
        }
        let heal_at = self.schedule.heal_at_ns.min(self.schedule.plan.chaos_ns.max(1));
        let limit = Event::PhaseLimit { phase: Stage::Chaos as u8 };
        self.push(heal_at, Class::World, u64::MAX, 0, limit);

        let mut out_of_events = false;
        while self.stage != Stage::Over && self.watch.violation.is_none() {
            let Some((now, event)) = self.queue.pop() else { break };
            self.watch.now = now;
            if self.turn(event) {
                self.watch.end();
                if self.watch.events >= self.schedule.plan.events_max.max(1) {
                    out_of_events = true;
                    break;
                }
                self.progress |= self.watch.events.is_multiple_of(1024);
            }
            if self.progress {
                self.progress = false;
                self.check_goal();
            }
        }
        self.finish(out_of_events)
    }

    /// Delivers one event. Whether it reached a process or a disk.
    fn turn(&mut self, event: Event<P>) -> bool {
        match event {
            Event::Deliver(flight) => self.on_deliver(flight),
            Event::Timer { node, generation } => {
                let n = usize::from(node);
                if self.hosts[n].paused_until > self.watch.now {
                    let at = self.hosts[n].paused_until;
                    self.push(at, Class::Timer, n as u64, 0, Event::Timer { node, generation });
                    return false;
                }
                self.on_timer(n, generation)
            }
            Event::WriteDone { node, boot, sequence } => {
                let n = usize::from(node);
                if !self.is_boot(n, boot) || !self.hosts[n].disk.is_open(sequence) {
                    return false;
                }
                self.begin(3, "write-done", n);
                self.on_write_done(n, sequence);
                true
            }
            Event::WriteTold { node, boot, ack } => {
                let n = usize::from(node);
                if !self.is_boot(n, boot) {
                    return false;
                }
                if let Some(at) = self.deferred(n) {
                    self.push(at, Class::Storage, 0, 0, Event::WriteTold { node, boot, ack });
                    return false;
                }
                self.begin(4, "write-told", n);
                self.step(n, Input::Persisted(ack), None);
                true
            }
            Event::ReadDone { node, boot, id, first, last, bytes_max } => {
                let n = usize::from(node);
                if !self.is_boot(n, boot) {
                    return false;
                }
                if let Some(at) = self.deferred(n) {
                    let event = Event::ReadDone { node, boot, id, first, last, bytes_max };
                    self.push(at, Class::Storage, u64::from(node), id, event);
                    return false;
                }
                self.begin(5, "read-done", n);
                self.watch.digest.word(id);
                let entries = self.hosts[n].disk.read(first, last, bytes_max);
                let input = if entries.is_empty() {
                    Input::EntriesReadBusy { id }
                } else {
                    Input::EntriesRead { id, entries }
                };
                self.step(n, input, None);
                true
            }
            Event::ApplyDone { node, boot, batch } => {
                let n = usize::from(node);
                if !self.is_boot(n, boot) || !self.hosts[n].is_applying(batch) {
                    return false;
                }
                if let Some(at) = self.deferred(n) {
                    let event = Event::ApplyDone { node, boot, batch };
                    self.push(at, Class::Storage, u64::from(node), 0, event);
                    return false;
                }
                self.begin(6, "apply-done", n);
                self.on_apply_done(n);
                true
            }
            Event::Boot { node, again_after, down } => self.on_boot(node, again_after, down),
            Event::KillAgain { node, boot, down } => self.on_kill_again(node, boot, down),
            Event::Fault { at } => self.on_fault(at),
            Event::CutEnds { number } => {
                if self.stage == Stage::Chaos {
                    self.net.cuts.end(&mut self.net.links, number);
                }
                false
            }
            Event::ClientWakes { client, attempt } => {
                self.on_client_wakes(client as usize, attempt);
                false
            }
            Event::ClientTimeout { client, attempt } => {
                self.on_client_timeout(client as usize, attempt);
                false
            }
            Event::Request(request) => {
                let n = usize::from(request.node);
                if let Some(at) = self.deferred(n) {
                    let (a, b) = (u64::from(request.client), request.attempt);
                    self.push(at, Class::Network, a, b, Event::Request(request));
                    return false;
                }
                self.on_request(request)
            }
            Event::Response(response) => {
                self.on_response(response);
                false
            }
            Event::SnapshotDone { node, boot, id, snapshot } => {
                let n = usize::from(node);
                if !self.is_boot(n, boot) {
                    return false;
                }
                if let Some(at) = self.deferred(n) {
                    let event = Event::SnapshotDone { node, boot, id, snapshot };
                    self.push(at, Class::Storage, u64::from(node), id, event);
                    return false;
                }
                self.begin(18, "snapshot-done", n);
                self.on_snapshot_done(n, id, *snapshot);
                true
            }
            Event::SnapshotArrives(shipment) => self.on_snapshot_arrives(shipment),
            Event::ShipFailed { node, boot, id } => {
                let n = usize::from(node);
                if !self.is_boot(n, boot) {
                    return false;
                }
                self.begin(17, "ship-failed", n);
                self.step(n, Input::SnapshotSendFailed { id, overloaded: false }, None);
                true
            }
            Event::PhaseLimit { phase } => {
                self.on_phase_limit(phase);
                false
            }
            Event::Operator => self.on_operator(),
        }
    }

    fn is_boot(&self, n: usize, boot: u64) -> bool {
        self.hosts[n].boot == boot && self.hosts[n].process.is_some()
    }

    /// When a process that stands still goes on.
    fn deferred(&self, n: usize) -> Option<Ns> {
        let until = self.hosts[n].paused_until;
        (until > self.watch.now).then_some(until)
    }

    /// Sends a message of node `n`.
    fn send(&mut self, n: usize, to: NodeId, message: P::Message) {
        let Some(t) = self.place(to) else { return };
        if let Some(wording) = P::wording(&message)
            && !self.is_said(n, usize::from(t), wording)
        {
            return;
        }
        let host = &self.hosts[n];
        let label = P::label(&message);
        let (from, boot) = (host.id, host.boot);
        self.watch.note(|| {
            let (kind, first, last) = (label.kind.name(), label.first, label.last);
            format!("send {kind} {first} to {last} to {to}")
        });
        self.watch.see(Observation::Sent { node: from, to, label: &label });
        let (kind, term) = (label.kind.0, label.term.0);
        let identity = [to.0 << 8 | u64::from(kind), term << 32 ^ label.first.0, label.last.0];
        let nth = self.net.nth[n].next(identity);
        let number = self.net.sent;
        self.net.sent += 1;
        if self.net.links.is_cut(n, usize::from(t)) {
            return;
        }
        let (first, last) = (label.first.0, label.last.0);
        let id = MessageId { from: from.0, to: to.0, kind, term, first, last, nth };
        let fate = self.fates.message(&id, self.watch.now);
        if fate.axes != 0 {
            self.count_axes(fate.axes);
        }
        if fate.lost {
            return;
        }
        let flight = Flight {
            from: n as u8,
            to: t,
            copy: false,
            kept: false,
            boot,
            term: label.term,
            number,
            message,
        };
        let link = (n as u64) << 8 | u64::from(t);
        for copy in fate.copies_ns.iter().take(usize::from(fate.copies)) {
            let at = self.watch.now.saturating_add(*copy);
            let event = Event::Deliver(Flight { copy: true, ..flight.clone() });
            self.push(at, Class::Network, link, number, event);
        }
        let at = self.watch.now.saturating_add(fate.delay_ns);
        self.push(at, Class::Network, link, number, Event::Deliver(flight));
    }

    fn on_deliver(&mut self, mut flight: Flight<P::Message>) -> bool {
        let (f, n) = (usize::from(flight.from), usize::from(flight.to));
        let link = (f as u64) << 8 | n as u64;
        let now = self.watch.now;
        match self.net.links.pass(f, n, flight.number, flight.kept, now) {
            Passage::Dropped => return false,
            Passage::Kept(until) => {
                flight.kept = true;
                let number = flight.number;
                self.push(until, Class::Network, link, number, Event::Deliver(flight));
                return false;
            }
            Passage::Open => flight.kept = false,
        }
        if let Some(at) = self.deferred(n) {
            let number = flight.number;
            self.push(at, Class::Network, link, number, Event::Deliver(flight));
            return false;
        }
        if self.hosts[n].process.is_none() {
            return false;
        }
        self.begin(1, "deliver", n);
        self.watch.digest.word(link << 8 | u64::from(flight.copy));
        P::digest_message(&flight.message, &mut self.watch.digest);
        let (from, term, copy) = (self.hosts[f].id, flight.term, flight.copy);
        let label = P::label(&flight.message);
        if self.watch.tracing() {
            self.watch.field("from", || json!(from.0));
            self.watch.field("kind", || json!(label.kind.name()));
            self.watch.field("term", || json!(term.0));
            self.watch.field("first", || json!(label.first.0));
            self.watch.field("last", || json!(label.last.0));
            self.watch.field("copy", || json!(copy));
        }
        let sender_gone = !self.is_boot(f, flight.boot);
        if copy || sender_gone {
            let node = self.hosts[n].id;
            self.watch.see(Observation::LateDelivery { node, from, term, copy, sender_gone });
        }
        let node = self.hosts[n].id;
        self.watch.see(Observation::Delivered { node, from, label: &label });
        self.step(n, Input::Receive { from, message: flight.message }, None);
        true
    }

    /// Judges what is left to judge and adds everything up.
    fn finish(mut self, out_of_events: bool) -> RunOutcome {
        for n in 0..self.hosts.len() {
            self.report_shadow(n);
        }
        self.count_static_axes();
        let materialised = self.options.materialise.then(|| {
            let mut schedule = self.schedule.clone();
            schedule.drawn = false;
            schedule.exceptions = self.fates.exceptions();
            schedule
        });
        self.watch.flush();
        let trace = self.watch.take_trace();
        let mut checks = self.watch.oracles.checks().to_vec();
        let ops = self.history.len();
        let history = core::mem::take(&mut self.history).into_operations();
        let mut verdict = match (self.watch.violation.take(), self.excused.take()) {
            (Some(violation), _) => Verdict::Violation(violation),
            (None, Some(why)) => Verdict::Excused(why),
            (None, None) if out_of_events => Verdict::Inconclusive(format!(
                "the run did not end within {} events",
                self.schedule.plan.events_max
            )),
            (None, None) => Verdict::Clean,
        };
        let mut how = LinHow::Skipped;
        let wanted = self.options.oracles == OracleLevel::All
            && P::promises().linearizable_reads
            && self.watch.oracles.is_on(OracleId::Linearizable);
        if wanted && !matches!(verdict, Verdict::Violation(_)) {
            checks[OracleId::Linearizable as usize] += 1;
            match lin::check(&history, &lin::Budget::default()) {
                Ok(report) => match report.verdict {
                    lin::Verdict::Ok { how: lin::How::Witness } => how = LinHow::Witness,
                    lin::Verdict::Ok { .. } => how = LinHow::Search,
                    lin::Verdict::Illegal(illegal) => {
                        how = LinHow::Search;
                        verdict = Verdict::Violation(Violation {
                            oracle: OracleId::Linearizable,
                            event: self.watch.events,
                            at: self.watch.now,
                            node: None,
                            reason: illegal.to_string(),
                        });
                    }
                    lin::Verdict::Unknown { key, exhausted } => {
                        how = LinHow::Unknown;
                        if verdict == Verdict::Clean {
                            verdict = Verdict::Inconclusive(format!(
                                "the search for an order on key {key} ran out of {exhausted}"
                            ));
                        }
                    }
                },
                Err(error) => verdict = Verdict::Internal(format!("history: {error}")),
            }
        }
        let (applied, listed) = self.fates.applied();
        let fates = FatesMet { applied, listed };
        let oracles = &self.watch.oracles;
        RunOutcome {
            verdict,
            digest: self.watch.digest.value(),
            stats: RunStats {
                events: self.watch.events,
                commits: oracles.commits(),
                terms: oracles.terms(),
                config_changes: self.config_changes,
                snapshots: self.snapshots_installed,
                ops,
                unknown_ops: self.unknown_ops,
                virtual_ns: self.watch.now,
                axes: self.axes,
                checks,
                marks: oracles.marks().to_vec(),
                lin: how,
            },
            materialised,
            fates,
            checkpoints: self.watch.checkpoints,
            trace,
            history,
        }
    }
}

/// Clients with their operations, and one more that the world itself uses.
fn clients_of(schedule: &Schedule) -> Vec<Client> {
    let count = schedule.ops.iter().map(|op| op.client as usize + 1).max().unwrap_or(0);
    let mut ops = vec![Vec::new(); count + 1];
    for (place, op) in schedule.ops.iter().enumerate() {
        ops[op.client as usize].push(place as u32);
    }
    for places in &mut ops {
        places.sort_by_key(|place| schedule.ops[*place as usize].number);
    }
    ops.into_iter().enumerate().map(|(at, ops)| Client::new(ops, at as u64)).collect()
}

#[cfg(test)]
mod tests;
