//! The cluster of a script: nodes with disks and machines, a network, a clock, and what they say.
//!
//! **Intuition.** A command gives one node one input; then the node is asked for work until it has
//! none, and every piece of work becomes a line. What a driver would do by itself is done by
//! itself only where the script said so: disks wait for `sync`, machines apply at once.
//! **Source.** docs/CONTRACT.md.
//! **Upholds.** Checks `inv:nothing-lost`: each ticket and read ends once, nothing follows a halt,
//! a refusal changes nothing.
//! **Not here.** Commands (`verb/`), words (`print.rs`), what must hold between nodes (`watch.rs`).

use std::collections::{BTreeMap, BTreeSet};

use raft_core::{
    Accepted, BootId, Configuration, Envelope, Input, Instant, Issued, LogIndex, Message, Node,
    OperationTicket, Options, Output, ReadEntries, ReadTicket, Rejected, Role, SendSnapshot,
    SnapshotId, SnapshotMeta, StageId, Ticket,
};

use super::{disk::Disk, net::Net, print, watch::Watch};

/// What a driver does by itself, or only when told.
#[derive(Clone, Copy, Debug)]
pub(super) struct Drive {
    /// Every write is acknowledged at once.
    pub(super) disk: bool,
    /// Entries are applied at once.
    pub(super) apply: bool,
    /// Entries asked for are read back at once.
    pub(super) fetch: bool,
    /// Snapshots asked for are taken at once.
    pub(super) snapshot: bool,
}

/// One server.
#[derive(Clone, Debug)]
pub(super) struct Server {
    /// `None` while it is down.
    pub(super) node: Option<Node>,
    pub(super) disk: Disk,
    pub(super) drive: Drive,
    pub(super) options: Options,
    /// How far this server's clock is ahead of the script's, in nanoseconds.
    pub(super) clock_ahead_ns: i64,
    /// Requests for entries of this boot, the newest last.
    pub(super) fetches: Vec<ReadEntries>,
    /// Snapshots to be taken, the newest last.
    pub(super) takes: Vec<(SnapshotId, SnapshotMeta)>,
    /// Snapshots to be shipped to peers, the newest last.
    pub(super) ships: Vec<SendSnapshot>,
    /// The newest of each that was ever asked for, for drivers that say things twice.
    pub(super) last_take: Option<SnapshotId>,
    pub(super) last_ship: Option<SnapshotId>,
    /// Newest round of pre-votes and of appends sent.
    pub(super) rounds: (u64, u64),
    boots: u64,
    told_role: Role,
    told_commit: LogIndex,
    handed: LogIndex,
    proposals: BTreeSet<Ticket>,
    reads: BTreeSet<ReadTicket>,
    operations: BTreeSet<OperationTicket>,
    halted: bool,
}

/// A line and what kind of fact it tells.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) kind: &'static str,
    pub(super) text: String,
}

/// Everything a script acts on.
#[derive(Debug)]
pub(super) struct World {
    pub(super) servers: BTreeMap<u64, Server>,
    pub(super) net: Net,
    pub(super) now_ns: u64,
    /// Snapshots staged so far, anywhere.
    stages: u64,
    /// Kinds of lines the script left out.
    pub(super) muted: BTreeSet<String>,
    /// Invariants the script breaks on purpose.
    pub(super) ignored: BTreeSet<String>,
    pub(super) watch: Watch,
    lines: Vec<String>,
}

/// More work than this from one input is a node that talks to itself for ever.
const WORK_MAX: usize = 10_000;

impl World {
    pub(super) fn new() -> Self {
        Self {
            servers: BTreeMap::new(),
            net: Net::default(),
            now_ns: 1_000_000_000,
            stages: 0,
            muted: BTreeSet::new(),
            ignored: BTreeSet::new(),
            watch: Watch::default(),
            lines: Vec::new(),
        }
    }

    /// Takes the lines said since the last call.
    pub(super) fn take_lines(&mut self) -> Vec<String> {
        std::mem::take(&mut self.lines)
    }

    /// Says one line of a kind that can be muted.
    pub(super) fn say(&mut self, line: Line) {
        if !self.muted.contains(line.kind) {
            self.lines.push(line.text);
        }
    }

    /// Says a line that was asked for.
    pub(super) fn answer(&mut self, text: String) {
        self.lines.push(text);
    }

    pub(super) fn server(&self, id: u64) -> Result<&Server, String> {
        self.servers.get(&id).ok_or(format!("there is no n{id}"))
    }

    pub(super) fn server_mut(&mut self, id: u64) -> Result<&mut Server, String> {
        self.servers.get_mut(&id).ok_or(format!("there is no n{id}"))
    }

    /// The node of a server that is up.
    pub(super) fn node(&self, id: u64) -> Result<&Node, String> {
        self.server(id)?.node.as_ref().ok_or(format!("n{id} is down"))
    }

    pub(super) fn ids(&self) -> Vec<u64> {
        self.servers.keys().copied().collect()
    }

    /// All servers that are up.
    pub(super) fn up(&self) -> Vec<u64> {
        let up = self.servers.iter().filter(|(_, server)| server.node.is_some());
        up.map(|(id, _)| *id).collect()
    }

    /// The time on the clock of `id`.
    pub(super) fn clock(&self, id: u64) -> Result<Instant, String> {
        let ahead = self.server(id)?.clock_ahead_ns;
        Ok(Instant(self.now_ns.saturating_add_signed(ahead)))
    }

    /// When `id` wants to be ticked, on the script's clock.
    pub(super) fn due(&self, id: u64) -> Option<u64> {
        let server = self.servers.get(&id)?;
        let deadline = server.node.as_ref()?.deadline()?;
        Some(deadline.0.saturating_add_signed(server.clock_ahead_ns.saturating_neg()))
    }

    // ---- servers come and go ---------------------------------------------------------------

    /// Adds a server with a fresh disk of this configuration; it is down.
    pub(super) fn add(&mut self, id: u64, born: Configuration, options: Options, drive: Drive) {
        let server = Server {
            node: None,
            disk: Disk::fresh(id, born),
            drive,
            options,
            clock_ahead_ns: 0,
            fetches: Vec::new(),
            takes: Vec::new(),
            ships: Vec::new(),
            last_take: None,
            last_ship: None,
            rounds: (0, 0),
            boots: 0,
            told_role: Role::Follower,
            told_commit: LogIndex::ZERO,
            handed: LogIndex::ZERO,
            proposals: BTreeSet::new(),
            reads: BTreeSet::new(),
            operations: BTreeSet::new(),
            halted: false,
        };
        self.servers.insert(id, server);
    }

    /// Boots `id` from its disk; `change` may spoil what the driver hands over. A refusal to boot
    /// is a line.
    pub(super) fn boot(
        &mut self,
        id: u64,
        change: impl FnOnce(&mut raft_core::Boot) -> Result<(), String>,
    ) -> Result<bool, String> {
        let now = self.clock(id)?;
        let server = self.server_mut(id)?;
        server.boots += 1;
        let boot_id = BootId(id.saturating_mul(1_000).saturating_add(server.boots));
        let mut boot = server.disk.boot(boot_id);
        change(&mut boot)?;
        server.fetches.clear();
        server.takes.clear();
        server.ships.clear();
        server.rounds = (0, 0);
        server.proposals.clear();
        server.reads.clear();
        server.operations.clear();
        server.halted = false;
        match Node::boot(server.options.clone(), boot, now) {
            Ok(node) => {
                server.told_role = node.role();
                server.told_commit = node.commit();
                server.handed = node.applied();
                server.node = Some(node);
                Ok(true)
            }
            Err(refused) => {
                self.say(Line { kind: "recover", text: format!("n{id} does not boot: {refused}") });
                Ok(false)
            }
        }
    }

    // ---- one input -------------------------------------------------------------------------

    /// Gives `id` one input and lets it say and do all that follows.
    pub(super) fn step(&mut self, id: u64, input: Input) -> Result<(), String> {
        self.step_only(id, input)?;
        self.drain(id)
    }

    /// Gives `id` one input and asks for nothing yet.
    pub(super) fn step_only(&mut self, id: u64, input: Input) -> Result<(), String> {
        let what = print::input(&input)?;
        match self.take(id, |node, now| node.step(now, input))? {
            Ok(Accepted { issued, .. }) => self.issue(id, issued),
            Err(rejected) => {
                self.say(Line {
                    kind: "rejected",
                    text: format!("n{id} rejected {what}: {rejected}"),
                });
                Ok(())
            }
        }
    }

    /// Runs one call on a node: invariants hold after it, and a refusal changes nothing.
    pub(super) fn take<T, E>(
        &mut self,
        id: u64,
        call: impl FnOnce(&mut Node, Instant) -> Result<T, E>,
    ) -> Result<Result<T, E>, String> {
        let now = self.clock(id)?;
        let server = self.servers.get_mut(&id).ok_or(format!("there is no n{id}"))?;
        let node = server.node.as_mut().ok_or(format!("n{id} is down"))?;
        let before = node.clone();
        let result = call(node, now);
        let kept = before.semantic_digest(now) == node.semantic_digest(now);
        if result.is_err() && !kept {
            return Err(format!("inv:nothing-lost: n{id} refused a step, yet changed by it"));
        }
        let boots = server.boots;
        let seen = self.watch.step(id, boots, node);
        self.judge(seen)?;
        Ok(result)
    }

    /// Counts a ticket that was minted.
    pub(super) fn issue(&mut self, id: u64, issued: Issued) -> Result<(), String> {
        let server = self.server_mut(id)?;
        let fresh = match issued {
            Issued::Nothing => true,
            Issued::Proposal(ticket) | Issued::Deferred(ticket) => server.proposals.insert(ticket),
            Issued::Read(ticket) => server.reads.insert(ticket),
            Issued::Operation(ticket) => server.operations.insert(ticket),
        };
        if !fresh {
            return Err(format!("inv:nothing-lost: n{id} mints {issued:?} twice"));
        }
        if let Some(text) = print::issued(issued) {
            self.say(Line { kind: "accepted", text: format!("n{id} {text}") });
        }
        Ok(())
    }

    /// Drops a broken invariant that the script declared to be broken on purpose.
    pub(super) fn judge(&self, verdict: Result<(), String>) -> Result<(), String> {
        match verdict {
            Err(what) if self.ignored.iter().any(|id| what.starts_with(id.as_str())) => Ok(()),
            other => other,
        }
    }

    // ---- all that follows ------------------------------------------------------------------

    /// Takes work from `id` until it has none, says it, and does what the driver does by itself.
    pub(super) fn drain(&mut self, id: u64) -> Result<(), String> {
        for _ in 0..WORK_MAX {
            let server = self.server_mut(id)?;
            let Some(node) = server.node.as_mut() else { return Ok(()) };
            let batch: Vec<Output> = std::iter::from_fn(|| node.poll()).collect();
            if batch.is_empty() {
                return Ok(());
            }
            self.tell(id, &batch)?;
            for output in batch {
                self.check(id, &output)?;
                self.carry_out(id, output)?;
            }
        }
        Err(format!("n{id} never runs out of work"))
    }

    /// Says a batch: reasons, role, commit, then work in order with equal messages together.
    fn tell(&mut self, id: u64, batch: &[Output]) -> Result<(), String> {
        for output in batch.iter().filter(|output| matches!(output, Output::Note(_))) {
            if let Some((kind, text)) = print::output(output)? {
                self.say(Line { kind, text: format!("n{id} {text}") });
            }
        }
        for output in batch {
            if let Output::RoleChanged { role, term } = output {
                let was = std::mem::replace(&mut self.server_mut(id)?.told_role, *role);
                let text = format!("n{id} {was} -> {role} term={term}");
                self.say(Line { kind: "role", text });
            }
        }
        self.tell_commit(id)?;
        let mut told: BTreeSet<usize> = BTreeSet::new();
        for (at, output) in batch.iter().enumerate() {
            let Output::Send(envelope) = output else {
                if let Some((kind, text)) =
                    print::output(output)?.filter(|_| !matches!(output, Output::Note(_)))
                {
                    self.say(Line { kind, text: format!("n{id} {text}") });
                }
                continue;
            };
            if told.contains(&at) {
                continue;
            }
            let text = print::envelope(envelope, false)?;
            let mut receivers = Vec::new();
            for (other, later) in batch.iter().enumerate().skip(at) {
                if let Output::Send(same) = later
                    && print::envelope(same, false)? == text
                {
                    told.insert(other);
                    receivers.push(same.to.to_string());
                }
            }
            let text = format!("n{id} send {} {text}", receivers.join(","));
            self.say(Line { kind: "send", text });
        }
        Ok(())
    }

    fn tell_commit(&mut self, id: u64) -> Result<(), String> {
        let server = self.server_mut(id)?;
        let Some(node) = &server.node else { return Ok(()) };
        let commit = node.commit();
        if commit == server.told_commit {
            return Ok(());
        }
        server.told_commit = commit;
        let leads = node.role() == Role::Leader;
        if leads {
            let disks = self.servers.iter().map(|(id, server)| (*id, &server.disk)).collect();
            let durable = self.watch.durable(self.node(id)?, &disks);
            self.judge(durable)?;
        }
        self.say(Line { kind: "commit", text: format!("n{id} commit={commit}") });
        Ok(())
    }

    /// Holds one output to the contract.
    fn check(&mut self, id: u64, output: &Output) -> Result<(), String> {
        let server = self.servers.get_mut(&id).ok_or(format!("there is no n{id}"))?;
        let lost = |what: String| Err(format!("inv:nothing-lost: n{id}: {what}"));
        let verdict = match output {
            Output::Persist(_) | Output::Send(_) if server.halted => {
                lost(format!("after it halted it wants {output:?}"))
            }
            Output::Send(envelope) => self.watch.send(envelope, &server.disk),
            Output::Apply(apply) => {
                let first = apply.first_ticket.map_or(0, |ticket| ticket.0);
                let count = if first == 0 { 0 } else { apply.entries.len() };
                let mut tickets = (first..first.saturating_add(count)).map(Ticket);
                if let Some(unknown) = tickets.find(|ticket| !server.proposals.remove(ticket)) {
                    lost(format!("an apply ends {unknown}, which is not open"))
                } else {
                    let applied = self.watch.apply(id, server.handed, apply, &server.disk);
                    applied.map(|last| server.handed = last)
                }
            }
            Output::Outcome { first, count, .. } => {
                let mut tickets = (first.0..first.0.saturating_add(*count)).map(Ticket);
                match tickets.find(|ticket| !server.proposals.remove(ticket)) {
                    Some(unknown) => lost(format!("an outcome ends {unknown}, which is not open")),
                    None => Ok(()),
                }
            }
            Output::ReadReady { ticket, .. } | Output::ReadFailed { ticket, .. } => {
                match server.reads.remove(ticket) {
                    true => Ok(()),
                    false => lost(format!("{ticket} ends, which is not open")),
                }
            }
            Output::Admitted { deferred, ticket, .. } => {
                match server.proposals.remove(deferred) && server.proposals.insert(*ticket) {
                    true => Ok(()),
                    false => lost(format!("{deferred} is admitted as {ticket}, one is not so")),
                }
            }
            Output::OperationEnded { ticket, .. } => match server.operations.remove(ticket) {
                true => Ok(()),
                false => lost(format!("{ticket} ends, which is not open")),
            },
            Output::TakeSnapshot { meta, .. } => {
                self.watch.snapshot(id, server.handed, meta, false)
            }
            Output::InstallSnapshot(meta) => {
                let handed = std::mem::replace(&mut server.handed, meta.index());
                self.watch.snapshot(id, handed, meta, true)
            }
            Output::Halted(_) => {
                server.halted = true;
                let operation = server.operations.first();
                match (server.proposals.first(), server.reads.first(), operation) {
                    (None, None, None) => Ok(()),
                    open => lost(format!("it halts with {open:?} still open")),
                }
            }
            _ => Ok(()),
        };
        self.judge(verdict)
    }

    /// What the driver does with an output.
    fn carry_out(&mut self, id: u64, output: Output) -> Result<(), String> {
        let server = self.server_mut(id)?;
        match output {
            Output::Persist(write) => {
                server.disk.take(write)?;
                if server.drive.disk {
                    let ack = server.disk.complete(0)?;
                    return self.step_only(id, Input::Persisted(ack));
                }
            }
            Output::Send(envelope) => {
                match &envelope.message {
                    Message::PreVote(ask) => server.rounds.0 = ask.round.number,
                    Message::AppendEntries(append) => server.rounds.1 = append.round,
                    _ => {}
                }
                self.net.send(*envelope);
            }
            Output::Apply(apply) => {
                if let Some(last) = apply.entries.last().filter(|_| server.drive.apply) {
                    return self.step_only(id, Input::Applied(last.index));
                }
            }
            Output::ReadEntries(ask) => {
                server.fetches.push(ask);
                if server.drive.fetch {
                    let entries = server.disk.read(ask.first, ask.last, ask.bytes_max);
                    return self.step_only(id, Input::EntriesRead { id: ask.id, entries });
                }
            }
            Output::TakeSnapshot { id: ask, meta } => {
                server.takes.push((ask, *meta));
                server.last_take = Some(ask);
                if server.drive.snapshot {
                    return self.take_snapshot(id);
                }
            }
            Output::SendSnapshot(ask) => {
                server.last_ship = Some(ask.id);
                server.ships.push(*ask);
            }
            Output::InstallSnapshot(meta) if server.drive.apply => {
                return self.step_only(id, Input::Applied(meta.index()));
            }
            Output::CompactTo(index) => server.disk.compact(index),
            // Told, and nothing to do; `print::output` refuses what it does not know.
            _ => {}
        }
        Ok(())
    }

    /// Makes the newest snapshot asked for durable and reports it.
    pub(super) fn take_snapshot(&mut self, id: u64) -> Result<(), String> {
        let server = self.server_mut(id)?;
        let (ask, mut meta) = server.takes.pop().ok_or(format!("n{id} wants no snapshot"))?;
        // Any function of the machine will do; here it is where it stands.
        (meta.digest, meta.size_bytes) = (meta.index().0, 64);
        let taken =
            raft_core::SnapshotTaken { id: ask, digest: meta.digest, size_bytes: meta.size_bytes };
        server.disk.keep_snapshot(meta);
        self.step_only(id, Input::SnapshotTaken(taken))
    }

    /// The name of the next staged snapshot.
    pub(super) fn next_stage(&mut self) -> StageId {
        self.stages += 1;
        StageId(self.stages)
    }

    /// Hands a message to its receiver, or loses it if that is down.
    pub(super) fn receive(&mut self, to: u64, envelope: Envelope) -> Result<(), String> {
        if self.server(to)?.node.is_none() {
            let text = format!("n{to} is down: {} lost", envelope.message.name());
            self.say(Line { kind: "send", text });
            return Ok(());
        }
        self.step(to, Input::Receive(Box::new(envelope)))
    }

    /// Checks what needs the whole cluster.
    pub(super) fn check_cluster(&mut self) -> Result<(), String> {
        let nodes: Vec<(u64, Option<&Node>, &Disk)> = self
            .servers
            .iter()
            .map(|(id, server)| (*id, server.node.as_ref(), &server.disk))
            .collect();
        let verdict = self.watch.cluster(&nodes);
        self.judge(verdict)
    }

    /// Whether `id` refused `input` as [`Rejected`], told in words.
    pub(super) fn reject(&mut self, id: u64, what: &str, why: &dyn std::fmt::Display) {
        self.say(Line { kind: "rejected", text: format!("n{id} rejected {what}: {why}") });
    }
}

/// All refusals by name, so that a new one is known as soon as the core names it.
pub(super) fn rejections() -> impl Iterator<Item = &'static str> {
    Rejected::ALL.iter().map(|rejected| rejected.name())
}
