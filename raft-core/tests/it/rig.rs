//! The rig: nodes with a fake disk and a network held in a list.
//!
//! **Intuition.** A test decides everything: which message arrives, which write becomes durable,
//! how far the clock moves. What it does not care about runs by itself: a disk acknowledges at
//! once unless it is slow, and so does the machine. After every step the node's own invariants are
//! checked.
//! **Source.** Ours.
//! **Upholds.** Nothing; it is what the tests stand on.
//! **Not here.** Random runs (the simulator).

use std::collections::VecDeque;

use bytes::Bytes;
use raft_core::{
    Accepted, Apply, Boot, BootError, BootId, ClusterId, Configuration, Entries, Entry, Envelope,
    FetchFailure, GroupId, HaltReason, HardState, Incarnation, Input, Instant, LogIndex,
    LogPosition, Message, Node, NodeId, Note, OperationFailure, OperationTicket, Options, Outcome,
    Output, Persist, PersistAck, ReadEntries, ReadFailure, ReadLevel, ReadTicket, Rejected, Role,
    Term, TermRun, Ticket,
};

pub(crate) use crate::say::*;

/// One millisecond.
pub(crate) const MS: u64 = 1_000_000;

/// What is on disk: a prefix of the writes handed out.
#[derive(Clone, Debug)]
pub(crate) struct Disk {
    pub(crate) hard: HardState,
    pub(crate) log: Vec<(LogPosition, Entry)>,
}

impl Disk {
    fn publish(&mut self, write: &Persist) {
        if let Some(from) = write.truncate_from() {
            self.log.retain(|(position, _)| position.index < from);
        }
        for entry in write.entries.iter() {
            assert_eq!(entry.position.index.0, self.log.len() as u64 + 1, "a write has no hole");
            self.log.push((entry.position, entry.entry.clone()));
        }
        if let Some(hard) = write.hard_state() {
            assert!(hard.term >= self.hard.term, "a written term never falls");
            self.hard = hard.clone();
        }
    }

    fn boot(&self, boot: u64, voters: &Configuration) -> Boot {
        let mut terms: Vec<TermRun> = Vec::new();
        for (position, _) in &self.log {
            if terms.last().is_none_or(|run| run.term != position.term) {
                terms.push(TermRun { first: position.index, term: position.term });
            }
        }
        let stamp = self.log.last().map_or(0, |(_, entry)| entry.stamp);
        Boot::new(BootId(boot), boot, self.hard.clone(), voters.clone()).with_log(
            terms,
            LogIndex(self.log.len() as u64),
            stamp,
        )
    }
}

/// One server: node, disk, and everything it handed out.
pub(crate) struct Server {
    pub(crate) node: Node,
    pub(crate) disk: Disk,
    /// Writes handed out and not yet part of the acknowledged prefix.
    pub(crate) open: VecDeque<(Persist, bool)>,
    /// Writes wait for `ack`.
    pub(crate) slow_disk: bool,
    /// `Applied` waits for `applied`.
    pub(crate) slow_apply: bool,
    /// `ReadEntries` waits for `answer_read`.
    pub(crate) slow_reads: bool,
    pub(crate) up: bool,
    boots: u64,
    pub(crate) writes: Vec<Persist>,
    pub(crate) applies: Vec<Apply>,
    pub(crate) ready: Vec<(ReadTicket, LogIndex, Term)>,
    pub(crate) failed_reads: Vec<(ReadTicket, ReadFailure)>,
    pub(crate) ends: Vec<(Ticket, u64, Outcome)>,
    pub(crate) operations: Vec<(OperationTicket, Result<LogIndex, OperationFailure>)>,
    /// Level and staleness of each ready read.
    pub(crate) freshness: Vec<(ReadLevel, Option<u64>)>,
    pub(crate) fetches: Vec<ReadEntries>,
    pub(crate) roles: Vec<(Role, u64)>,
    pub(crate) notes: Vec<Note>,
    pub(crate) halted: Option<HaltReason>,
}

/// Servers 1 to n, a clock they share, and the messages under way.
pub(crate) struct Rig {
    pub(crate) servers: Vec<Server>,
    pub(crate) net: Vec<Envelope>,
    pub(crate) now: Instant,
    pub(crate) options: Options,
    pub(crate) voters: Configuration,
}

/// The thesis's plain Raft: no Pre-Vote, no check-quorum, commit told at once.
pub(crate) fn plain() -> Options {
    with(|o| {
        o.pre_vote = false;
        o.check_quorum = false;
        o.commit_notice_ns = 0;
    })
}

/// The defaults with changes.
pub(crate) fn with(change: impl FnOnce(&mut Options)) -> Options {
    let mut options = Options::default();
    change(&mut options);
    options
}

/// Three nodes, n1 leads term 1 with its no-op everywhere.
pub(crate) fn led() -> Rig {
    let mut rig = Rig::new(3);
    rig.elect(1);
    assert_eq!((rig.log(1), rig.commit(3)), (vec![1], 1));
    rig
}

/// The record of a fresh disk.
pub(crate) fn hard_state(node: u64) -> HardState {
    HardState::new(ClusterId(7), GroupId(1), NodeId(node), Incarnation(node + 100))
}

impl Rig {
    /// `n` fresh servers in plain Raft.
    pub(crate) fn new(n: u64) -> Self {
        Self::with(n, plain())
    }

    /// `n` fresh servers.
    pub(crate) fn with(n: u64, options: Options) -> Self {
        let voters = Configuration::new((1..=n).map(NodeId)).unwrap();
        let now = Instant(1_000 * MS);
        let server = |id| {
            let disk = Disk { hard: hard_state(id), log: Vec::new() };
            let boot = disk.boot(id * 1_000, &voters);
            let node = Node::boot(options.clone(), boot, now).unwrap();
            Server {
                node,
                disk,
                open: VecDeque::new(),
                slow_disk: false,
                slow_apply: false,
                slow_reads: false,
                up: true,
                boots: id * 1_000,
                writes: Vec::new(),
                applies: Vec::new(),
                ready: Vec::new(),
                failed_reads: Vec::new(),
                ends: Vec::new(),
                operations: Vec::new(),
                freshness: Vec::new(),
                fetches: Vec::new(),
                roles: Vec::new(),
                notes: Vec::new(),
                halted: None,
            }
        };
        let servers = (1..=n).map(server).collect();
        Self { servers, net: Vec::new(), now, options, voters }
    }

    /// Server `id`.
    pub(crate) fn at(&mut self, id: u64) -> &mut Server {
        &mut self.servers[id as usize - 1]
    }

    /// Node `id`.
    pub(crate) fn node(&self, id: u64) -> &Node {
        &self.servers[id as usize - 1].node
    }

    // ---- what happens to a node ------------------------------------------------------------

    /// One input at the present time, then everything it leads to at this node.
    pub(crate) fn step(&mut self, id: u64, input: Input) -> Result<Accepted, Rejected> {
        let result = self.step_only(id, input);
        self.drain(id);
        result
    }

    /// One input without polling.
    pub(crate) fn step_only(&mut self, id: u64, input: Input) -> Result<Accepted, Rejected> {
        let now = self.now;
        let node = &mut self.at(id).node;
        let before = node.clone();
        let result = node.step(now, input);
        node.check().unwrap();
        monotone(&before, node);
        if result.is_err() {
            unchanged(&before, node);
        }
        result
    }

    /// Polls until nothing is left, doing what is not slow.
    pub(crate) fn drain(&mut self, id: u64) {
        while let Some(output) = self.servers[id as usize - 1].node.poll() {
            self.carry_out(id, output);
        }
        self.node(id).check().unwrap();
    }

    fn carry_out(&mut self, id: u64, output: Output) {
        let over = self.node(id).halted().is_some() && self.at(id).halted.is_some();
        assert!(!over, "n{id} hands out {output:?} after it halted");
        let server = self.at(id);
        match output {
            Output::Persist(write) => {
                server.writes.push(write.clone());
                server.open.push_back((write, false));
                if !server.slow_disk {
                    self.ack(id);
                }
            }
            Output::Send(envelope) => {
                assert_eq!(envelope.term, server.node.term(), "T-3.3-06: the sender's own term");
                assert!(server.disk.hard.term >= envelope.term, "T-3.3-06: a durable term");
                self.net.push(*envelope);
            }
            Output::Apply(apply) => {
                let last = apply.entries.last().unwrap().index;
                server.applies.push(apply);
                if !server.slow_apply {
                    self.inform(id, Input::Applied(last));
                }
            }
            Output::ReadEntries(ask) => {
                server.fetches.push(ask);
                if !server.slow_reads {
                    self.answer_read(id, ask);
                }
            }
            Output::ReadReady { ticket, index, term, level, staleness_ns } => {
                server.ready.push((ticket, index, term));
                server.freshness.push((level, staleness_ns));
            }
            Output::OperationEnded { ticket, result } => server.operations.push((ticket, result)),
            Output::ReadFailed { ticket, reason } => server.failed_reads.push((ticket, reason)),
            Output::Outcome { first, count, outcome } => server.ends.push((first, count, outcome)),
            Output::RoleChanged { role, term } => server.roles.push((role, term.0)),
            Output::Note(note) => server.notes.push(*note),
            Output::Halted(reason) => server.halted = Some(reason),
            other => panic!("the rig does not know {other:?}"),
        }
    }

    /// An input that belongs to an output being carried out.
    fn inform(&mut self, id: u64, input: Input) {
        let now = self.now;
        let node = &mut self.at(id).node;
        let known = node.step(now, input);
        assert!(known.is_ok() || node.halted().is_some(), "{known:?}");
    }

    /// Answers a request for entries from the disk.
    pub(crate) fn answer_read(&mut self, id: u64, ask: ReadEntries) {
        let entries = self.entries_on_disk(id, ask);
        self.inform(id, Input::EntriesRead { id: ask.id, entries });
    }

    /// What the disk holds of what is asked for.
    pub(crate) fn entries_on_disk(&mut self, id: u64, ask: ReadEntries) -> Entries {
        let log = &self.at(id).disk.log;
        let range = ask.first.0 as usize - 1..ask.last.0 as usize;
        let mut bytes = 0;
        let taken = log[range].iter().take_while(|(_, entry)| {
            bytes += entry.len_bytes();
            bytes == entry.len_bytes() || bytes <= ask.bytes_max
        });
        Entries::collect(taken.cloned()).unwrap()
    }

    /// Says that a read of the disk failed.
    pub(crate) fn fail_read(&mut self, id: u64, ask: ReadEntries, failure: FetchFailure) {
        self.step(id, Input::EntriesReadFailed { id: ask.id, failure }).unwrap();
    }

    // ---- disk ------------------------------------------------------------------------------

    /// Acknowledges every open write, in order.
    pub(crate) fn ack(&mut self, id: u64) {
        while !self.at(id).open.is_empty() {
            self.ack_nth(id, 0).unwrap();
        }
    }

    /// Acknowledges the `nth` open write. Only a complete prefix is sure to be on disk.
    pub(crate) fn ack_nth(&mut self, id: u64, nth: usize) -> Result<Accepted, Rejected> {
        let server = self.at(id);
        let ack = server.open[nth].0.ack;
        server.open[nth].1 = true;
        while server.open.front().is_some_and(|(_, done)| *done) {
            let (write, _) = server.open.pop_front().unwrap();
            server.disk.publish(&write);
        }
        let result = self.step_only(id, Input::Persisted(ack));
        self.drain(id);
        result
    }

    /// The acknowledgement of the newest write.
    pub(crate) fn last_ack(&mut self, id: u64) -> PersistAck {
        self.at(id).writes.last().unwrap().ack
    }

    /// Power loss: beyond the acknowledged prefix, `more` open writes happen to be on disk.
    pub(crate) fn crash(&mut self, id: u64, more: usize) {
        let server = self.at(id);
        for (write, _) in server.open.drain(..).take(more) {
            server.disk.publish(&write);
        }
        server.up = false;
        server.open.clear();
    }

    /// Boots from disk with a new boot id.
    pub(crate) fn restart(&mut self, id: u64) {
        self.try_restart(id).unwrap();
    }

    /// The same, if the disk allows.
    pub(crate) fn try_restart(&mut self, id: u64) -> Result<(), BootError> {
        let (options, voters, now) = (self.options.clone(), self.voters.clone(), self.now);
        let server = self.at(id);
        server.boots += 1;
        server.open.clear();
        server.node = Node::boot(options, server.disk.boot(server.boots, &voters), now)?;
        server.up = true;
        server.halted = None;
        Ok(())
    }

    /// Puts a hard state and a log of these terms on disk and boots from it.
    pub(crate) fn begin(&mut self, id: u64, term: u64, vote: Option<u64>, log: &[u64]) {
        let disk = &mut self.at(id).disk;
        disk.hard.term = Term(term);
        disk.hard.vote = vote.map(NodeId);
        disk.log = entries(0, log).iter().map(|e| (e.position, e.entry.clone())).collect();
        self.restart(id);
    }

    // ---- time ------------------------------------------------------------------------------

    /// Moves the clock; nobody is told.
    pub(crate) fn pass(&mut self, nanos: u64) {
        self.now = self.now.plus(nanos);
    }

    /// Moves the clock to the node's deadline, if that is later, and ticks it.
    pub(crate) fn tick(&mut self, id: u64) {
        self.now = self.now.max(self.node(id).deadline().unwrap());
        self.step(id, Input::Tick).unwrap();
    }

    /// Ticks one node until its role or term changes.
    pub(crate) fn expire(&mut self, id: u64) {
        let before = (self.node(id).role(), self.node(id).term());
        for _ in 0..100 {
            self.tick(id);
            if before != (self.node(id).role(), self.node(id).term()) {
                return;
            }
        }
        panic!("n{id}: nothing happens");
    }

    /// Lets time pass for everybody who is up, delivering everything, for `nanos`.
    pub(crate) fn run(&mut self, nanos: u64) {
        let end = self.now.plus(nanos);
        loop {
            self.deliver_all();
            let due = self.servers.iter().filter(|s| s.up).filter_map(|s| s.node.deadline()).min();
            let Some(due) = due.filter(|due| *due <= end) else { break };
            self.now = self.now.max(due);
            for id in self.ids() {
                if self.at(id).up {
                    self.step(id, Input::Tick).unwrap();
                }
            }
        }
        self.now = end;
    }

    pub(crate) fn ids(&self) -> Vec<u64> {
        (1..=self.servers.len() as u64).collect()
    }

    // ---- network ---------------------------------------------------------------------------

    /// Hands over one message.
    pub(crate) fn receive(&mut self, envelope: Envelope) -> Result<Accepted, Rejected> {
        let id = envelope.to.0;
        self.step(id, Input::Receive(Box::new(envelope)))
    }

    /// Takes the matching messages off the net.
    pub(crate) fn take(&mut self, matches: impl Fn(&Envelope) -> bool) -> Vec<Envelope> {
        let all = std::mem::take(&mut self.net);
        let (taken, kept) = all.into_iter().partition(|envelope| matches(envelope));
        self.net = kept;
        taken
    }

    /// Delivers the matching messages that are under way now, in order.
    pub(crate) fn deliver(&mut self, matches: impl Fn(&Envelope) -> bool) {
        for envelope in self.take(matches) {
            if self.at(envelope.to.0).up {
                let _refused = self.receive(envelope);
            }
        }
    }

    /// Delivers until nothing is under way.
    pub(crate) fn deliver_all(&mut self) {
        for _ in 0..10_000 {
            if self.net.is_empty() {
                return;
            }
            self.deliver(|_| true);
        }
        panic!("the network never falls silent");
    }

    /// Delivers until nothing is under way, among these servers only; the rest is lost.
    pub(crate) fn deliver_among(&mut self, side: &[u64]) {
        while !self.net.is_empty() {
            self.deliver(|e| side.contains(&e.from.0) && side.contains(&e.to.0));
            self.net.retain(|e| side.contains(&e.from.0) && side.contains(&e.to.0));
        }
    }

    /// Loses everything under way.
    pub(crate) fn lose_all(&mut self) {
        self.net.clear();
    }

    /// Makes up a message from `from` to `to` and hands it over.
    pub(crate) fn tell(
        &mut self,
        from: u64,
        to: u64,
        term: u64,
        message: Message,
    ) -> Result<Accepted, Rejected> {
        self.receive(envelope(from, to, term, message))
    }

    /// Messages under way from `from`, taken off the net.
    pub(crate) fn sent_by(&mut self, from: u64) -> Vec<Envelope> {
        self.take(|e| e.from.0 == from)
    }

    /// The only message under way from `from`, taken off the net.
    pub(crate) fn only_reply(&mut self, from: u64) -> Message {
        let mut sent = self.sent_by(from);
        assert_eq!(sent.len(), 1, "{sent:?}");
        sent.remove(0).message
    }

    // ---- stories ---------------------------------------------------------------------------

    /// Makes `id` leader with everybody's help and lets all messages arrive.
    pub(crate) fn elect(&mut self, id: u64) {
        let side: Vec<u64> = self.ids().into_iter().filter(|id| self.at(*id).up).collect();
        self.elect_among(id, &side);
    }

    /// Makes `id` leader with the help of these only.
    pub(crate) fn elect_among(&mut self, id: u64, side: &[u64]) {
        for _ in 0..3 {
            self.expire(id);
            self.deliver_among(side);
            if self.node(id).role() == Role::Leader {
                return;
            }
        }
        panic!("n{id} is not elected");
    }

    /// Proposes at `id`.
    pub(crate) fn propose(&mut self, id: u64, payload: &'static str) -> Ticket {
        let now = self.now;
        let ticket = self.at(id).node.propose(now, Bytes::from_static(payload.as_bytes())).unwrap();
        self.drain(id);
        ticket
    }

    /// Reads at `id`.
    pub(crate) fn read(&mut self, id: u64) -> ReadTicket {
        let now = self.now;
        let ticket = self.at(id).node.read(now).unwrap();
        self.drain(id);
        ticket
    }

    // ---- looks -----------------------------------------------------------------------------

    /// The terms of a node's log, from index 1.
    pub(crate) fn log(&self, id: u64) -> Vec<u64> {
        let node = self.node(id);
        (1..=node.last().index.0).map(|i| node.term_at(LogIndex(i)).unwrap().0).collect()
    }

    /// (role, term, vote).
    pub(crate) fn office(&self, id: u64) -> (Role, u64, Option<u64>) {
        let node = self.node(id);
        (node.role(), node.term().0, node.vote().map(|vote| vote.0))
    }

    pub(crate) fn commit(&self, id: u64) -> u64 {
        self.node(id).commit().0
    }

    /// Payloads applied at `id` with the tickets they ended.
    pub(crate) fn applied(&mut self, id: u64) -> Vec<(u64, Option<u64>)> {
        let mut all = Vec::new();
        for apply in &self.at(id).applies {
            for (at, entry) in apply.entries.iter().enumerate() {
                let ticket = apply.first_ticket.map(|first| first.0 + at as u64);
                all.push((entry.position.index.0, ticket));
            }
        }
        all
    }

    /// What a leader believes of a peer: (matched, next).
    pub(crate) fn progress(&self, id: u64, peer: u64) -> (u64, u64) {
        let peer = self.node(id).peers().find(|p| p.peer.0 == peer).unwrap();
        (peer.matched.0, peer.next.0)
    }
}

/// What never falls at one boot.
fn monotone(before: &Node, after: &Node) {
    assert!(after.term() >= before.term(), "T-3.3-02: the term fell");
    assert!(after.commit() >= before.commit(), "T-3.5-18: the commit index fell");
    assert!(after.applied() >= before.applied(), "applied fell");
    if after.term() == before.term() && before.vote().is_some() {
        assert_eq!(after.vote(), before.vote(), "T-3.3-03: a vote changed within its term");
    }
}

/// A refused step changed nothing but a counter.
fn unchanged(before: &Node, after: &Node) {
    let (mut old, mut new) = (before.status(), after.status());
    old.rejections.clear();
    new.rejections.clear();
    old.clock_regressions = new.clock_regressions;
    // Time alone ends a lease.
    old.lease = new.lease;
    assert_eq!(old, new, "a refused step changed something");
    assert_eq!(before.deadline(), after.deadline(), "a refused step moved a deadline");
}
