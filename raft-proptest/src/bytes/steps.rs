//! Bytes as a program: inputs for a small cluster, most of them hostile.
//!
//! **Intuition.** Three voters and a blank fourth node exchange real messages, which may be lost,
//! doubled, changed on the way or made up; disks answer in any order or lie; operators ask for
//! anything at any time. Single nodes must keep their own invariants through all of it: what
//! nobody may do to a node is make it break its word, panic or grow without bound.
//! **Source.** Ours; DESIGN of raft-core: hostile input.
//! **Upholds.** Checks `Node::check` after every step and output, `inv:lane-order`,
//! `inv:one-vote-per-term`, `inv:bounded`; that every disk it leaves can be booted from.
//! **Not here.** What drivers and operators ask for (`steps/demand.rs`); what honest clusters owe each other (the simulator's oracles).

mod demand;

use std::collections::VecDeque;

use raft_core::{
    Configuration, Envelope, HardState, Incarnation, Input, Instant, LogIndex, LogPosition,
    Message, Node, NodeId, Options, Output, Persist, PersistAck, ReadEntries, SendSnapshot,
    SnapshotId, SnapshotMeta, wire,
};

use super::{
    arbitrary::{self, Around, CLUSTER, GROUP},
    boot::{check, options},
    source::Source,
    store::Store,
};

/// Messages on their way; the oldest is lost if there are more.
const NET_MAX: usize = 48;
/// Outputs of one settle are fewer than this, or there is no end to them.
const OUTPUTS_MAX: usize = 20_000;
/// Longest program, so that the length of the input does not decide how deep it goes.
const STEPS_MAX: u64 = 4_000;

/// What a program went through.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Inputs given.
    pub steps: u64,
    /// Inputs refused.
    pub refused: u64,
    /// Inputs given to a follower, pre-candidate, candidate and leader.
    pub by_role: [u64; 4],
    /// Boots after the first.
    pub restarts: u64,
    /// Halts.
    pub halts: u64,
    /// Entries handed out for apply.
    pub applied: u64,
}

impl Tally {
    /// Both together.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        let mut by_role = self.by_role;
        for (sum, more) in by_role.iter_mut().zip(other.by_role) {
            *sum += more;
        }
        Self {
            steps: self.steps + other.steps,
            refused: self.refused + other.refused,
            by_role,
            restarts: self.restarts + other.restarts,
            halts: self.halts + other.halts,
            applied: self.applied + other.applied,
        }
    }
}

struct Server {
    node: Node,
    options: Options,
    store: Store,
    now: Instant,
    boots: u64,
    /// Writes handed out above the durable prefix, and whether each was acknowledged.
    open: VecDeque<(Persist, bool)>,
    acks: Vec<PersistAck>,
    applies: VecDeque<LogIndex>,
    fetches: Vec<ReadEntries>,
    takes: Vec<(SnapshotId, SnapshotMeta)>,
    sends: Vec<SendSnapshot>,
    halted: bool,
}

/// The cluster of one program.
struct World {
    servers: Vec<Server>,
    net: VecDeque<Envelope>,
    /// Snapshots that were sent, for `SnapshotReceived`.
    staged: Vec<SendSnapshot>,
    tally: Tally,
    tell: Option<fn(&str)>,
}

/// Runs the program that `bytes` spell.
///
/// # Panics
/// If a node breaks one of its own invariants, or leaves a disk it cannot boot from.
pub fn fuzz_steps(bytes: &[u8]) -> Tally {
    play_steps(bytes, None)
}

/// The same; every input is told before it is given.
///
/// # Panics
/// As [`fuzz_steps`].
pub fn tell_steps(bytes: &[u8], tell: fn(&str)) -> Tally {
    play_steps(bytes, Some(tell))
}

fn play_steps(bytes: &[u8], tell: Option<fn(&str)>) -> Tally {
    let mut source = Source::new(bytes);
    let mut world = World::new(&mut source);
    world.tell = tell;
    while !source.is_empty() && world.tally.steps < STEPS_MAX {
        world.play(&mut source);
    }
    world.tally
}

impl World {
    fn new(source: &mut Source<'_>) -> Self {
        let mut options = options(source);
        if options.validate().is_err() {
            options = Options::default();
        }
        let voters = Configuration::new([1, 2, 3].map(NodeId)).unwrap_or_default();
        let servers = (1..=4).map(|id| {
            let hard = HardState::new(CLUSTER, GROUP, NodeId(id), Incarnation(1));
            let founding = if id < 4 { voters.clone() } else { Configuration::default() };
            Server::new(&options, Store::new(hard, founding), id)
        });
        let servers = servers.collect();
        Self {
            servers,
            net: VecDeque::new(),
            staged: Vec::new(),
            tally: Tally::default(),
            tell: None,
        }
    }

    /// One choice of what happens next, to one node.
    fn play(&mut self, source: &mut Source<'_>) {
        let at = source.below(self.servers.len());
        let what = source.byte();
        if what < 96 {
            return self.peaceful(source, at, what);
        }
        match what {
            96..=127 => self.deliver(source),
            128..=159 => self.deliver_changed(source),
            160..=199 => self.deliver_forged(source, at),
            200..=207 => self.restart(source, at),
            _ => {
                if let Some(input) = self.demand(source, at) {
                    self.give(at, input);
                }
            }
        }
        if source.flag() {
            self.settle(at);
        }
    }

    /// What brings an honest cluster forward: time, messages, disks and machines that answer.
    fn peaceful(&mut self, source: &mut Source<'_>, at: usize, what: u8) {
        match what {
            0..=15 => self.pass(source, at),
            16..=55 => {
                for _ in 0..=what % 8 {
                    self.deliver(source);
                }
            }
            _ => {
                for at in 0..self.servers.len() {
                    self.settle(at);
                    while self.acknowledge(at, 0) {}
                    self.settle(at);
                    let applied = self.servers[at].applies.drain(..).next_back();
                    if let Some(upto) = applied {
                        self.give(at, Input::Applied(upto));
                    }
                    self.settle(at);
                }
            }
        }
    }

    fn pass(&mut self, source: &mut Source<'_>, at: usize) {
        let server = &mut self.servers[at];
        server.now = match source.byte() % 8 {
            0..=4 => server.node.deadline().unwrap_or(server.now).max(server.now),
            5 => server.now.plus(u64::from(source.byte()) * 1_000_000),
            6 => Instant(server.now.0.saturating_sub(u64::from(source.byte()) * 1_000_000)),
            _ => server.now.plus(source.number() >> 8),
        };
        self.give(at, Input::Tick);
        self.settle(at);
    }

    fn server_of(&self, envelope: &Envelope) -> Option<usize> {
        let at = usize::try_from(envelope.to.0).ok()?.checked_sub(1)?;
        (at < self.servers.len()).then_some(at)
    }

    /// The next message arrives, or a later one, or it stays to arrive again.
    fn deliver(&mut self, source: &mut Source<'_>) {
        let which = if source.rarely(4) { source.below(self.net.len()) } else { 0 };
        let taken =
            if source.rarely(16) { self.net.get(which).cloned() } else { self.net.remove(which) };
        let Some(envelope) = taken else { return };
        if let Some(at) = self.server_of(&envelope) {
            self.give(at, Input::Receive(Box::new(envelope)));
            self.settle(at);
        }
    }

    /// A message arrives with some of its bytes changed by somebody who knows the checksum.
    fn deliver_changed(&mut self, source: &mut Source<'_>) {
        let which = source.below(self.net.len());
        let Some(envelope) = self.net.get(which) else { return };
        let mut frame = Vec::new();
        if wire::encode(envelope, wire::VERSION_MAX, &mut frame).is_err() {
            return;
        }
        for _ in 0..=source.byte() % 3 {
            let span = frame.len().saturating_sub(wire::HEADER_BYTES + 4);
            let place = wire::HEADER_BYTES + 4 + source.below(span);
            if let Some(byte) = frame.get_mut(place) {
                *byte = source.byte();
            }
        }
        wire::reseal(&mut frame);
        let Ok(decoded) = wire::decode(frame.into()) else { return };
        for envelope in decoded {
            if let Some(at) = self.server_of(&envelope) {
                self.give(at, Input::Receive(Box::new(envelope)));
            }
        }
    }

    /// A message arrives that nobody sent.
    fn deliver_forged(&mut self, source: &mut Source<'_>, at: usize) {
        let node = &self.servers[at].node;
        let round = self.net.iter().rev().find_map(|envelope| match &envelope.message {
            Message::AppendEntries(append) => Some(append.round),
            _ => None,
        });
        let around = Around {
            term: node.term().0,
            last: if source.flag() {
                node.last()
            } else {
                LogPosition::new(node.term_at(node.commit()).unwrap_or_default(), node.commit())
            },
            round: round.unwrap_or_default(),
            boot: self.servers[at].boots,
        };
        let mut envelope = arbitrary::envelope(source, &around);
        if !source.rarely(16) {
            envelope.to = node.id();
        }
        self.give(at, Input::Receive(Box::new(envelope)));
    }

    /// Gives one input to one node, and looks at it afterwards.
    fn give(&mut self, at: usize, input: Input) {
        let Some(server) = self.servers.get_mut(at) else { return };
        self.tally.steps += 1;
        self.tally.by_role[server.node.role() as usize] += 1;
        let (now, commit) = (server.now, server.node.commit());
        if let Some(tell) = self.tell {
            tell(&format!("{}\n  {input:?}", server.node.status()));
        }
        match server.node.step(now, input) {
            Ok(_) => {}
            Err(_) => self.tally.refused += 1,
        }
        check(&server.node);
        assert!(server.node.commit() >= commit, "commit falls (inv:monotone)");
        if server.node.halted().is_some() && !server.halted {
            server.halted = true;
            self.tally.halts += 1;
        }
    }

    /// Does all the work a node asks for, short of answering.
    fn settle(&mut self, at: usize) {
        let Some(server) = self.servers.get_mut(at) else { return };
        let mut left = OUTPUTS_MAX;
        while let Some(output) = server.node.poll() {
            left -= 1;
            assert!(left > 0, "a settle without an end (inv:bounded)");
            check(&server.node);
            match output {
                Output::Persist(write) => server.open.push_back((write, false)),
                Output::Send(envelope) => {
                    assert!(
                        server.store.hard().term >= envelope.term,
                        "a message of a term that is not durable (inv:persist-before-send)"
                    );
                    if self.net.len() >= NET_MAX {
                        self.net.pop_front();
                    }
                    self.net.push_back(*envelope);
                }
                Output::Apply(apply) => {
                    self.tally.applied += apply.entries.len();
                    server.applies.extend(apply.entries.last().map(|position| position.index));
                }
                Output::InstallSnapshot(meta) => server.applies.push_back(meta.index()),
                Output::ReadEntries(read) => server.fetches.push(read),
                Output::TakeSnapshot { id, meta } => server.takes.push((id, *meta)),
                Output::SendSnapshot(send) => server.sends.push(*send),
                Output::CompactTo(index) => server.store.compact(index),
                _ => {}
            }
            assert!(server.open.len() <= 64, "too many open writes (inv:bounded)");
        }
    }

    /// Completes the `nth` open write; whether there was one.
    fn acknowledge(&mut self, at: usize, nth: usize) -> bool {
        let server = &mut self.servers[at];
        let Some(open) = server.open.iter_mut().filter(|(_, done)| !done).nth(nth) else {
            return false;
        };
        open.1 = true;
        let ack = open.0.ack;
        while server.open.front().is_some_and(|(_, done)| *done) {
            if let Some((write, _)) = server.open.pop_front() {
                server.store.publish(&write);
            }
        }
        server.acks.push(ack);
        self.give(at, Input::Persisted(ack));
        true
    }

    /// The process ends with some of the open writes on disk, and starts again.
    fn restart(&mut self, source: &mut Source<'_>, at: usize) {
        let server = &mut self.servers[at];
        let kept = source.below(server.open.len() + 1);
        for (write, _) in server.open.drain(..).take(kept) {
            server.store.publish(&write);
        }
        server.boots += 1;
        self.tally.restarts += 1;
        if let Some(tell) = self.tell {
            tell(&format!("restart of {} from {:?}", server.node.id(), server.store));
        }
        let boot = server.store.boot(server.boots, server.boots);
        match Node::boot(server.options.clone(), boot, server.now) {
            Ok(node) => server.node = node,
            Err(error) => panic!("a crash left what boot refuses: {error}"),
        }
        check(&server.node);
        server.applies.clear();
        server.fetches.clear();
        server.takes.clear();
        server.sends.clear();
        server.halted = false;
    }
}

impl Server {
    fn new(options: &Options, store: Store, id: u64) -> Self {
        let now = Instant(1_000_000_000 * id);
        let node = Node::boot(options.clone(), store.boot(1, id), now);
        Self {
            node: node.unwrap_or_else(|error| panic!("a fresh disk does not boot: {error}")),
            options: options.clone(),
            store,
            now,
            boots: 1,
            open: VecDeque::new(),
            acks: Vec::new(),
            applies: VecDeque::new(),
            fetches: Vec::new(),
            takes: Vec::new(),
            sends: Vec::new(),
            halted: false,
        }
    }
}
