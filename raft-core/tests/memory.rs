//! What a node holds in the worst of worlds, counted in bytes: never more than its options say.
//!
//! Queue lengths can be looked up in the status; this looks at the allocator instead, so a list
//! that nobody thought of counts too. Each situation lasts for thousands of rounds, then for four
//! times as many, and the peak of the longer run must be that of the shorter. An integration test
//! of its own because its allocator counts.

use allocation_counter::measure;
use bytes::Bytes;
use raft_core::{
    AppendEntries, AppendReply, AppendResult, Boot, BootId, ClusterId, ConfigAction, ConfigChange,
    Configuration, Entries, Entry, EntryKind, Envelope, GroupId, HardState, Incarnation, Input,
    InstallMeta, Instant, LogIndex, LogPosition, Message, Node, NodeId, Options, Output, Persist,
    Priority, Proposal, ReadLevel, ReadRequest, ReceivedSnapshot, RecoveryEpoch, Role,
    SnapshotMeta, StageId, Term, TransferRequest, VoteReply,
    chunk::{ChunkMessage, ChunkOptions, ChunkReceiver, ReceiverInput, SnapshotDigest, StreamId},
};
use raft_proptest::bytes::{
    arbitrary::{self, Around},
    mutate::choices,
    source::Source,
};

const MS: u64 = 1_000_000;
const MEMBERS: u64 = 5;
const ROUNDS: u64 = 2_000;
const PAYLOAD: u64 = 200;

/// Small enough that every bound is met within a few hundred rounds.
fn options() -> Options {
    let mut o = Options::default();
    (o.pre_vote, o.check_quorum) = (false, false);
    (o.tail_entries_max, o.tail_bytes_max) = (512, 64 << 10);
    (o.entry_bytes_max, o.append_entries_max, o.append_bytes_max) = (4 << 10, 64, 16 << 10);
    (o.inflight_messages_max, o.inflight_bytes_max) = (8, 32 << 10);
    (o.apply_inflight_entries_max, o.apply_inflight_bytes_max) = (128, 16 << 10);
    (o.apply_queue_entries_max, o.apply_queue_bytes_max) = (256, 32 << 10);
    (o.proposals_max, o.reads_max, o.term_runs_max) = (256, 128, 256);
    (o.deferred_max, o.deferred_bytes_max) = (64, 16 << 10);
    (o.snapshot_entries, o.retained_entries_max) = (64, 256);
    (o.buffer_while_candidate, o.notes) = (true, true);
    o
}

/// What a node with these options may hold: lists at most double when they grow.
fn bound(o: &Options) -> u64 {
    let list = |count: u64, each: u64| 2 * count * each;
    // One entry always fits an empty tail, and one append is handed over while it is taken.
    let log = o.tail_bytes_max + o.entry_bytes_max + o.append_bytes_max;
    let entries = list(o.tail_entries_max, size_of::<Entry>() as u64 + 16);
    let terms = list(u64::from(o.term_runs_max), 16);
    let peers = (MEMBERS + 8) * (1_024 + list(u64::from(o.inflight_messages_max), 16));
    let reads = list(u64::from(o.reads_max), 128);
    let tickets = list(o.proposals_max, 64);
    let deferred = o.deferred_bytes_max + o.entry_bytes_max + list(u64::from(o.deferred_max), 96);
    let applying = list(o.apply_inflight_entries_max, 16);
    // The node itself, its open writes, one settle's outputs, descriptions of snapshots,
    // configurations, counters, notes.
    log + entries + terms + peers + reads + tickets + deferred + applying + (64 << 10)
}

/// A node, and what the world around it does.
struct World {
    node: Node,
    now: Instant,
    disk: bool,
    machine: bool,
    peers: bool,
    /// The disk's memory is not the node's; what was handed out is forgotten at once.
    round: u64,
    accepted: u64,
}

impl World {
    fn new(options: &Options) -> Self {
        let hard = HardState::new(ClusterId(7), GroupId(3), NodeId(1), Incarnation(1));
        let voters = Configuration::new((1..=MEMBERS).map(NodeId)).unwrap();
        let boot = Boot::new(BootId(1), 1, hard, voters);
        let node = Node::boot(options.clone(), boot, Instant(0)).unwrap();
        let now = Instant(0);
        Self { node, now, disk: true, machine: true, peers: true, round: 0, accepted: 0 }
    }

    /// n1 leads, everybody having voted for it.
    fn led(options: &Options) -> Self {
        let mut world = Self::new(options);
        world.now = world.node.deadline().unwrap();
        world.give(Input::Tick);
        for peer in 2..=MEMBERS {
            world.hear(peer, world.node.term().0, Message::VoteReply(VoteReply { granted: true }));
        }
        assert_eq!(world.node.role(), Role::Leader);
        world
    }

    fn give(&mut self, input: Input) -> bool {
        let taken = self.node.step(self.now, input).is_ok();
        self.accepted += u64::from(taken);
        self.drain();
        taken
    }

    fn drain(&mut self) {
        while let Some(output) = self.node.poll() {
            match output {
                Output::Persist(Persist { ack, .. }) if self.disk => {
                    let _known = self.node.step(self.now, Input::Persisted(ack));
                }
                Output::Apply(apply) if self.machine => {
                    let upto = apply.entries.last().unwrap().index;
                    let _known = self.node.step(self.now, Input::Applied(upto));
                }
                Output::InstallSnapshot(meta) if self.machine => {
                    let _known = self.node.step(self.now, Input::Applied(meta.index()));
                }
                Output::Send(envelope) if self.peers => {
                    if let Message::AppendEntries(append) = &envelope.message {
                        let upto = append.entries.last().unwrap_or(append.previous).index;
                        let reply = AppendReply {
                            round: append.round,
                            result: AppendResult::Matched { matched: upto },
                            ..AppendReply::default()
                        };
                        let answer =
                            said(envelope.to.0, envelope.term.0, Message::AppendReply(reply));
                        let _known = self.node.step(self.now, Input::Receive(Box::new(answer)));
                    }
                }
                _ => {}
            }
        }
        self.node.check().unwrap();
    }

    fn hear(&mut self, from: u64, term: u64, message: Message) -> bool {
        self.give(Input::Receive(Box::new(said(from, term, message))))
    }

    fn tick(&mut self) {
        self.now = self.now.max(self.node.deadline().unwrap_or(self.now));
        self.give(Input::Tick);
    }

    fn propose(&mut self, priority: Priority) {
        let payload = Bytes::from(vec![7; PAYLOAD as usize]);
        let proposal = Proposal { payload, priority, deadline: None, label: 0 };
        self.give(Input::ProposeWith(Box::new(proposal)));
    }

    fn read(&mut self) {
        let levels = [ReadLevel::Linearizable, ReadLevel::ThroughLog, ReadLevel::Local];
        let level = levels[self.round as usize % 3];
        self.give(Input::ReadWith(ReadRequest { level, ..ReadRequest::default() }));
    }

    /// An append of the leader n2 that the follower can take, if it has room.
    fn append(&mut self, term: u64) {
        let previous = self.node.last();
        let entry = || Entry {
            kind: EntryKind::COMMAND,
            payload: Bytes::from(vec![7; PAYLOAD as usize]),
            ..Entry::default()
        };
        let at = |n| LogPosition::new(Term(term), LogIndex(previous.index.0 + n));
        let append = AppendEntries {
            previous,
            entries: Entries::collect((1..=8).map(|n| (at(n), entry()))).unwrap(),
            commit: previous.index,
            round: self.round,
            void_transfer: 0,
        };
        self.hear(2, term, Message::AppendEntries(append));
    }
}

fn said(from: u64, term: u64, message: Message) -> Envelope {
    Envelope {
        cluster: ClusterId(7),
        group: GroupId(3),
        epoch: RecoveryEpoch::default(),
        from: NodeId(from),
        from_incarnation: Incarnation(1),
        to: NodeId(1),
        to_incarnation: Incarnation(0),
        term: Term(term),
        message,
    }
}

/// Peak of bytes held over `rounds` rounds, everything the node was built of included.
fn peak(options: &Options, rounds: u64, start: fn(&Options) -> World, one: fn(&mut World)) -> u64 {
    let mut accepted = 0;
    let info = measure(|| {
        let mut world = start(options);
        let before = world.accepted;
        for round in 1..=rounds {
            world.round = round;
            one(&mut world);
        }
        accepted = world.accepted - before;
    });
    assert!(accepted > 0, "nothing was taken, so nothing was shown");
    assert_eq!(info.bytes_current, 0, "all of it is given back");
    info.bytes_max
}

#[track_caller]
fn stays_bounded(start: fn(&Options) -> World, one: fn(&mut World)) {
    let options = options();
    let short = peak(&options, ROUNDS, start, one);
    let long = peak(&options, 4 * ROUNDS, start, one);
    let bound = bound(&options);
    assert!(long <= bound, "{long} bytes held, {bound} stated");
    // What is left to grow is the last doubling of some list.
    assert!(long <= short + short / 8 + 4_096, "{short} bytes at first, {long} in the long run");
}

// ---- peers ---------------------------------------------------------------------------------

/// Any message of any kind, from members and strangers, around the receiver's own numbers.
fn flood(world: &mut World) {
    let bytes = choices(11, world.round, 160);
    let last = world.node.last();
    let around = Around { term: world.node.term().0, last, round: world.round, boot: 1 };
    let mut source = Source::new(&bytes);
    let message = arbitrary::message(&mut source, &around);
    let from =
        if world.round.is_multiple_of(3) { 1_000 + world.round } else { 2 + world.round % 4 };
    // Terms that rise without end are a situation of their own.
    let term = world.node.term().0.max(1);
    world.hear(from, term, message);
    if world.round.is_multiple_of(16) {
        world.tick();
    }
    if world.node.halted().is_some() {
        // A committed entry was contradicted; the flood goes on against the next boot.
        *world = World { round: world.round, accepted: world.accepted, ..World::new(&options()) };
    }
}

#[test]
fn a_follower_flooded_with_every_kind_of_message() {
    stays_bounded(World::new, flood);
}

#[test]
fn a_leader_flooded_with_every_kind_of_message() {
    stays_bounded(World::led, |world| {
        flood(world);
        if world.node.role() == Role::Leader {
            world.propose(Priority::High);
        }
    });
}

#[test]
fn strangers_without_end_that_ask_boast_and_teach_new_terms() {
    stays_bounded(World::led, |world| {
        let (term, from) = (world.node.term().0 + 1, 1_000 + world.round);
        let bytes = choices(12, world.round, 160);
        let last = LogPosition::ZERO;
        let around = Around { term, last, round: 1, boot: world.round };
        let message = arbitrary::message(&mut Source::new(&bytes), &around);
        world.hear(from, term, message);
        world.tick();
    });
}

#[test]
fn peers_that_are_dead_while_proposals_and_reads_come_for_ever() {
    stays_bounded(World::led, |world| {
        world.peers = false;
        world.propose(Priority::High);
        world.propose(Priority::Low);
        world.read();
        if world.round.is_multiple_of(8) {
            world.tick();
        }
    });
}

#[test]
fn followers_that_hear_all_and_refuse_all() {
    stays_bounded(World::led, |world| {
        world.peers = false;
        world.propose(Priority::High);
        let result = match world.round % 3 {
            0 => AppendResult::NeedSnapshot,
            1 => AppendResult::Matched { matched: LogIndex::ZERO },
            _ => AppendResult::Refused {
                previous: LogIndex(world.node.last().index.0 % 7),
                hint: LogPosition::ZERO,
            },
        };
        let reply = AppendReply { round: 1, result, ..AppendReply::default() };
        let term = world.node.term().0;
        world.hear(2 + world.round % 4, term, Message::AppendReply(reply));
        if world.round.is_multiple_of(8) {
            world.tick();
        }
    });
}

#[test]
fn elections_that_nobody_ever_answers() {
    stays_bounded(World::new, |world| {
        world.peers = false;
        world.propose(Priority::High);
        world.read();
        world.tick();
    });
}

// ---- disk and machine ----------------------------------------------------------------------

#[test]
fn a_leader_whose_disk_never_acknowledges() {
    stays_bounded(World::led, |world| {
        world.disk = false;
        world.propose(Priority::High);
        world.propose(Priority::Low);
        world.read();
        if world.round.is_multiple_of(8) {
            world.tick();
        }
    });
}

#[test]
fn a_follower_whose_disk_never_acknowledges() {
    stays_bounded(World::new, |world| {
        world.disk = world.round < 3;
        world.append(1);
        world.read();
        if world.round.is_multiple_of(50) {
            // A new leader: the log is cut and written anew, in a new term.
            world.append(1 + world.round / 50);
        }
    });
}

#[test]
fn a_machine_that_never_applies() {
    stays_bounded(World::led, |world| {
        world.machine = false;
        world.propose(Priority::High);
        world.propose(Priority::Low);
        world.read();
        if world.round.is_multiple_of(8) {
            world.tick();
        }
    });
}

#[test]
fn a_driver_that_never_polls() {
    stays_bounded(World::led, |world| {
        let payload = Bytes::from(vec![7; PAYLOAD as usize]);
        world.accepted += u64::from(world.node.propose(world.now, payload).is_ok());
        let _full = world.node.read(world.now);
        world.now = world.now.plus(MS);
        let _due = world.node.step(world.now, Input::Tick);
        let ask = Message::PreVote(raft_core::PreVote {
            round: raft_core::RoundId { boot: BootId(1), number: world.round },
            campaign_term: Term(2),
            last: LogPosition::ZERO,
        });
        let from = 2 + world.round % 40;
        let _any = world.node.step(world.now, Input::Receive(Box::new(said(from, 1, ask))));
    });
}

// ---- snapshots, operations -----------------------------------------------------------------

fn meta(index: u64, size_bytes: u64) -> SnapshotMeta {
    let voters = Configuration::new((1..=MEMBERS).map(NodeId)).unwrap();
    let position = LogPosition::new(Term(1), LogIndex(index));
    let mut meta = SnapshotMeta::empty(position, voters, Options::default().settings(), 0);
    (meta.configuration_index, meta.size_bytes) = (LogIndex::ZERO, size_bytes);
    meta
}

#[test]
fn snapshots_reported_and_sent_for_ever_and_never_durable() {
    stays_bounded(World::new, |world| {
        world.disk = false;
        let term = Term(1);
        let received = ReceivedSnapshot {
            stage: StageId(world.round),
            meta: meta(10 * world.round, 9),
            from: NodeId(2),
            term,
        };
        world.give(Input::SnapshotReceived(Box::new(received)));
        let install =
            InstallMeta { meta: Box::new(meta(10 * world.round + 5, 0)), round: world.round };
        world.hear(2, 1, Message::InstallMeta(install));
        world.append(1);
    });
}

#[test]
fn operations_asked_for_without_end() {
    stays_bounded(World::led, |world| {
        world.peers = world.round.is_multiple_of(7);
        let node = NodeId(2 + world.round % 40);
        let incarnation = Incarnation(1);
        let action = match world.round % 4 {
            0 => ConfigAction::AddLearner { node, incarnation, witness: false },
            1 => ConfigAction::Remove { node },
            2 => ConfigAction::ReplaceVoters {
                voters: (1..=4).map(NodeId).collect(),
                explicit_leave: world.round.is_multiple_of(8),
            },
            _ => ConfigAction::LeaveJoint,
        };
        let change = ConfigChange { expect: None, action, force: true };
        world.give(Input::ChangeConfig(Box::new(change)));
        world.give(Input::TransferLeader(TransferRequest { to: None, replace: true }));
        world.give(Input::TakeSnapshot);
        world.give(Input::SkipEntry { index: LogIndex(world.round), digest: 1 });
        world.tick();
    });
}

// ---- snapshots in chunks -------------------------------------------------------------------

#[test]
fn a_receiver_of_chunks_holds_a_window_and_no_more() {
    let options = ChunkOptions { chunk_bytes: 1 << 10, window: 4, ..ChunkOptions::default() };
    let bound = 4 * 1_024 * 2 + (8 << 10);
    let run = |rounds: u64| {
        let info = measure(|| {
            let mut receiver = ChunkReceiver::new(options, BootId(1), 0, None);
            let stream = |n: u64| {
                let position = LogPosition::new(Term(1), LogIndex(10 + n));
                StreamId { leader: NodeId(2 + n % 3), term: Term(1), position }
            };
            for round in 0..rounds {
                let (now, stream) = (Instant(round * MS), stream(round / 500));
                let meta = meta(stream.position.index.0, 1 << 30);
                let offer = ChunkMessage::Offer { stream, meta: Box::new(meta) };
                // Chunks with holes between them, which wait for what never comes; nothing that is
                // to be written is ever reported as written.
                let offset = 1_024 * (1 + round % 64);
                let bytes = Bytes::from(vec![7; 1_024]);
                let checksum = SnapshotDigest::of_chunk(offset, &bytes);
                let data = ChunkMessage::Data { stream, offset, checksum, bytes };
                for message in [offer, data] {
                    let from = stream.leader;
                    receiver.step(now, ReceiverInput::Message { from, message });
                    while receiver.poll().is_some() {}
                }
            }
        });
        info.bytes_max
    };
    let (short, long) = (run(2_000), run(20_000));
    assert!(long <= bound && long <= short + 1_024, "{short} then {long} bytes, {bound} stated");
    assert!(long > 4 * 1_024, "{long}: the window was never full");
}
