//! The rig: nodes with a fake disk and a network held in a list.
//!
//! **Intuition.** A test decides everything: which message arrives, which write becomes durable,
//! how far the clock moves. What it does not care about runs by itself: a disk acknowledges at
//! once unless it is slow, and so does the machine. After every step the node's own invariants are
//! checked.
//! **Source.** Ours.
//! **Upholds.** Nothing; it is what the tests stand on.
//! **Not here.** Random runs (the simulator).

use bytes::Bytes;
use raft_core::{
    Accepted, Boot, BootError, BootId, Change, ChangeError, ClusterId, ConfigAction, ConfigChange,
    ConfigLevel, Configuration, Entries, Envelope, FetchFailure, GroupId, HardState, Incarnation,
    Input, Instant, LogIndex, Membership, Message, Node, NodeId, OperationFailure, OperationTicket,
    Options, Output, PersistAck, ReadEntries, ReadTicket, ReceivedSnapshot, Rejected, Role,
    SendFailure, SendSnapshot, SnapshotTaken, StageId, Term, Ticket,
};

pub(crate) use crate::{disk::*, say::*, server::*};

/// One millisecond.
pub(crate) const MS: u64 = 1_000_000;

/// A snapshot on its way from one server to another.
#[derive(Clone, Debug)]
pub(crate) struct Parcel {
    pub(crate) from: u64,
    pub(crate) send: SendSnapshot,
    pub(crate) image: Image,
}

/// Servers 1 to n, a clock they share, and the messages under way.
pub(crate) struct Rig {
    pub(crate) servers: Vec<Server>,
    pub(crate) net: Vec<Envelope>,
    pub(crate) now: Instant,
    pub(crate) options: Options,
    pub(crate) voters: Configuration,
    /// Snapshots on their way; they travel with `deliver_all` unless `slow_parcels`.
    pub(crate) parcels: Vec<Parcel>,
    pub(crate) slow_parcels: bool,
    stages: u64,
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
        Self::joined_by(n, 0, options)
    }

    /// `n` fresh servers that found a group, and `more` that know of it and are not in it.
    pub(crate) fn joined_by(n: u64, more: u64, options: Options) -> Self {
        // Of none: all disks are to be added blank.
        let voters = Configuration::new((1..=n).map(NodeId)).unwrap_or_default();
        let now = Instant(1_000 * MS);
        let server = |id| {
            let disk = Disk::empty(hard_state(id));
            let boot = disk.boot(id * 1_000, &voters);
            let node = Node::boot(options.clone(), boot, now).unwrap();
            Server::new(node, disk, id * 1_000)
        };
        let servers = (1..=n + more).map(server).collect();
        let net = Vec::new();
        let (parcels, slow_parcels, stages) = (Vec::new(), false, 0);
        Self { servers, net, now, options, voters, parcels, slow_parcels, stages }
    }

    /// Adds a server with an empty disk that knows no group. Returns its number.
    pub(crate) fn add_blank(&mut self) -> u64 {
        let id = self.servers.len() as u64 + 1;
        let disk = Disk::empty(hard_state(id));
        let boot = Boot::blank(BootId(id * 1_000), id * 1_000, disk.hard.clone());
        let node = Node::boot(self.options.clone(), boot, self.now).unwrap();
        let mut server = Server::new(node, disk, id * 1_000);
        server.blank = true;
        self.servers.push(server);
        id
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
        if let Input::Applied(upto) = &input {
            self.catch_up(id, *upto);
        }
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
                server.applies.push(apply.clone());
                self.lane_a(id, Output::Apply(apply));
            }
            Output::TakeSnapshot { id: take, meta } => {
                server.asked_takes.push((take, (*meta).clone()));
                self.lane_a(id, Output::TakeSnapshot { id: take, meta });
                if !self.at(id).slow_takes {
                    self.finish_takes(id);
                }
            }
            Output::InstallSnapshot(meta) => {
                server.installs.push((*meta).clone());
                self.lane_a(id, Output::InstallSnapshot(meta));
            }
            Output::SendSnapshot(send) => {
                server.sends.push((*send).clone());
                let known = server.disk.image(&send.meta).expect("what is sent is on disk");
                self.parcels.push(Parcel { from: id, send: *send, image: known });
            }
            Output::DiscardSnapshot(stage) => {
                assert!(server.disk.stages.remove(&stage.0).is_some(), "discarded once: {stage}");
                server.discards.push(stage);
            }
            Output::CompactTo(upto) => {
                // One that was a witness until it was voted out still has no machine to speak of.
                let bare = server.disk.snapshot.as_ref().is_some_and(|i| i.meta.lacks_data());
                let witness = server.node.membership() == Membership::Witness;
                let applied =
                    if witness || bare { server.node.applied().0 } else { server.machine.applied };
                assert!(upto.0 <= applied, "T-5-01: only what was applied goes");
                server.disk.compact_to(upto);
                server.compactions.push(upto.0);
            }
            Output::LifecycleChanged { lifecycle, reason } => {
                server.lifecycles.push((lifecycle, reason));
            }
            Output::ConfigChanged(changed) => server.configs.push(*changed),
            Output::OperationEnded { ticket, result } => server.operations.push((ticket, result)),
            Output::Admitted { deferred, ticket, index } => {
                server.admitted.push((deferred, ticket, index));
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
        // What was read may be of no use any more: a cut, or a change of what this node is.
        let may_be_late = matches!(input, Input::EntriesRead { .. });
        let known = node.step(now, input);
        let late = may_be_late && known == Err(Rejected::Stale);
        assert!(known.is_ok() || node.halted().is_some() || late, "{known:?}");
    }

    // ---- machine and snapshots -------------------------------------------------------------

    /// One more piece of lane A; done at once unless the machine is slow.
    fn lane_a(&mut self, id: u64, output: Output) {
        self.at(id).lane.push_back(output);
        while !self.at(id).slow_apply && !self.at(id).lane.is_empty() {
            if let Some(input) = self.execute_next(id) {
                self.inform(id, input);
            }
        }
    }

    /// The slow machine carries out the next piece of its lane; the node is not told. Returns what
    /// it is to be told.
    pub(crate) fn execute_next(&mut self, id: u64) -> Option<Input> {
        let output = self.at(id).lane.pop_front().expect("the lane holds something");
        self.at(id).execute(output)
    }

    /// The slow machine does everything that must be done before `upto` is told as applied.
    fn catch_up(&mut self, id: u64, upto: LogIndex) {
        while self.at(id).machine.applied < upto.0 && !self.at(id).lane.is_empty() {
            self.execute_next(id);
        }
    }

    /// Captured snapshots become durable and are told.
    pub(crate) fn finish_takes(&mut self, id: u64) {
        while let Some((take, image)) = self.at(id).takes.pop_front() {
            let taken = SnapshotTaken {
                id: take,
                digest: image.meta.digest,
                size_bytes: image.meta.size_bytes,
            };
            self.at(id).disk.keep(image);
            self.inform(id, Input::SnapshotTaken(taken));
        }
    }

    /// Stages `image` at `to` and tells the node that it came from `from` in `term`.
    pub(crate) fn stage(
        &mut self,
        to: u64,
        image: Image,
        from: u64,
        term: u64,
    ) -> Result<Accepted, Rejected> {
        self.stages += 1;
        let stage = StageId(self.stages);
        let meta = image.meta.clone();
        self.at(to).disk.stages.insert(stage.0, image);
        let received = ReceivedSnapshot { stage, meta, from: NodeId(from), term: Term(term) };
        let result = self.step(to, Input::SnapshotReceived(Box::new(received)));
        if result.is_err() {
            self.at(to).disk.stages.remove(&stage.0);
        }
        result
    }

    /// Delivers what is under way as snapshots, and tells the senders.
    pub(crate) fn deliver_parcels(&mut self) {
        for parcel in std::mem::take(&mut self.parcels) {
            let (to, id, from) = (parcel.send.to.0, parcel.send.id, parcel.from);
            if self.at(to).up {
                let _refused = self.stage(to, parcel.image, from, parcel.send.term.0);
                if self.at(from).up {
                    let _stale = self.step(from, Input::SnapshotSent(id));
                }
            } else if self.at(from).up {
                let failure = SendFailure::Failed;
                let _stale = self.step(from, Input::SnapshotSendFailed { id, failure });
            }
        }
    }

    /// Answers a request for entries from the disk.
    pub(crate) fn answer_read(&mut self, id: u64, ask: ReadEntries) {
        let entries = self.entries_on_disk(id, ask);
        self.inform(id, Input::EntriesRead { id: ask.id, entries });
    }

    /// What the disk holds of what is asked for.
    pub(crate) fn entries_on_disk(&mut self, id: u64, ask: ReadEntries) -> Entries {
        let log = &self.at(id).disk.log;
        let wanted = log.iter().filter(|(p, _)| p.index >= ask.first && p.index <= ask.last);
        let mut bytes = 0;
        let taken = wanted.take_while(|(_, entry)| {
            bytes += entry.len_bytes();
            bytes == entry.len_bytes() || bytes <= ask.bytes_max
        });
        Entries::collect(taken.cloned()).unwrap()
    }

    /// Entries `first` to `last` of the disk of `id`.
    pub(crate) fn entries_of(&mut self, id: u64, first: usize, last: usize) -> Entries {
        Entries::collect(self.at(id).disk.log[first - 1..last].iter().cloned()).unwrap()
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
        server.lane.clear();
        server.takes.clear();
        server.disk.stages.clear();
    }

    /// Boots from disk with a new boot id.
    pub(crate) fn restart(&mut self, id: u64) {
        self.try_restart(id).unwrap();
    }

    /// The same, if the disk allows.
    pub(crate) fn try_restart(&mut self, id: u64) -> Result<(), BootError> {
        self.restart_with(id, |_| ())
    }

    /// The same by a driver that hands over something else than it should.
    pub(crate) fn restart_with(
        &mut self,
        id: u64,
        change: impl FnOnce(&mut Boot),
    ) -> Result<(), BootError> {
        let (options, voters, now) = (self.options.clone(), self.voters.clone(), self.now);
        let server = self.at(id);
        server.boots += 1;
        server.open.clear();
        server.lane.clear();
        server.takes.clear();
        server.disk.stages.clear();
        let voters = if server.blank { Configuration::default() } else { voters };
        let mut boot = server.disk.boot(server.boots, &voters);
        change(&mut boot);
        server.node = Node::boot(options, boot, now)?;
        server.machine = server.disk.snapshot.as_ref().map_or_else(Machine::default, |i| i.machine);
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
                if self.at(id).up && self.node(id).halted().is_none() {
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
            if self.net.is_empty() && (self.parcels.is_empty() || self.slow_parcels) {
                return;
            }
            self.deliver(|_| true);
            if !self.slow_parcels {
                self.deliver_parcels();
            }
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

    /// Asks `id` for a change.
    pub(crate) fn change(&mut self, id: u64, action: ConfigAction) -> Result<Change, ChangeError> {
        self.change_with(id, ConfigChange { expect: None, action, force: false })
    }

    /// Asks `id` for a change, with everything it may say.
    pub(crate) fn change_with(
        &mut self,
        id: u64,
        change: ConfigChange,
    ) -> Result<Change, ChangeError> {
        let now = self.now;
        let node = &mut self.at(id).node;
        let before = node.clone();
        let result = node.change(now, change);
        monotone(&before, node);
        if result.is_err() {
            unchanged(&before, node);
        }
        self.drain(id);
        result
    }

    /// The ticket of a change that must be accepted.
    pub(crate) fn begin_change(&mut self, id: u64, action: ConfigAction) -> OperationTicket {
        match self.change(id, action.clone()) {
            Ok(Change::Begun(ticket)) => ticket,
            other => panic!("{action:?}: {other:?}"),
        }
    }

    /// A change that must be accepted and end well once everything arrives.
    pub(crate) fn carry(&mut self, id: u64, action: ConfigAction) -> u64 {
        let ticket = self.begin_change(id, action);
        self.run(200 * MS);
        match self.ended(id, ticket) {
            Some(Ok(index)) => index.0,
            other => panic!("{other:?}"),
        }
    }

    /// How the change ended at `id`, at most once.
    pub(crate) fn ended(
        &mut self,
        id: u64,
        ticket: OperationTicket,
    ) -> Option<Result<LogIndex, OperationFailure>> {
        let mut ends = self.at(id).operations.iter().filter(|(of, _)| *of == ticket);
        let end = ends.next().map(|(_, result)| *result);
        assert_eq!(ends.next(), None, "an operation ends once");
        end
    }

    /// (index, committed) of each configuration told at `id`.
    pub(crate) fn told(&self, id: u64) -> Vec<(u64, bool)> {
        let told = &self.servers[id as usize - 1].configs;
        told.iter().map(|told| (told.index.0, told.committed)).collect()
    }

    /// The voters in force at `id`, and the old half while joint.
    pub(crate) fn voters_at(&self, id: u64) -> (Vec<u64>, Vec<u64>) {
        let (configuration, _, _) = self.node(id).configuration(ConfigLevel::InForce);
        let ids = |list: &[NodeId]| list.iter().map(|node| node.0).collect();
        (ids(configuration.voters()), ids(configuration.outgoing()))
    }

    /// Reads at `id`.
    pub(crate) fn read(&mut self, id: u64) -> ReadTicket {
        let now = self.now;
        let ticket = self.at(id).node.read(now).unwrap();
        self.drain(id);
        ticket
    }

    // ---- looks -----------------------------------------------------------------------------

    /// The terms of a node's log, from index 1 or from where it was compacted.
    pub(crate) fn log(&self, id: u64) -> Vec<u64> {
        let node = self.node(id);
        let known = |i| node.term_at(LogIndex(i)).map(|term| term.0);
        let terms: Vec<u64> = (1..=node.last().index.0).filter_map(known).collect();
        let holes = (1..=node.last().index.0).skip_while(|i| known(*i).is_none());
        assert_eq!(holes.count(), terms.len(), "a log has no holes");
        terms
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
