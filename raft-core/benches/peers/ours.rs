//! This core, driven in memory: the one place of the benches that calls its interface.
//!
//! Every write is acknowledged at once, every message is carried by a [`Link`], every committed
//! entry is applied by a checksum. Tests that count what a cluster does use it too.

use std::{collections::VecDeque, sync::Arc};

use bytes::Bytes;
use raft_core::{
    Boot, BootId, ClusterId, Configuration, Entries, Envelope, GroupId, HardState, Incarnation,
    Input, Instant, LogIndex, Node, NodeId, Options, Output, Persist, ReadEntries, Role,
};

use super::cell::Machine;

/// What lies between two nodes.
pub(crate) trait Link {
    /// Takes one message to its receiver.
    fn carry(&mut self, envelope: Box<Envelope>) -> Box<Envelope>;

    /// A node asked for this write.
    fn on_persist(&mut self, _write: &Persist) {}
}

/// Entries are shared in memory: the cost of the protocol alone.
pub(crate) struct Shared;

impl Link for Shared {
    fn carry(&mut self, envelope: Box<Envelope>) -> Box<Envelope> {
        envelope
    }
}

/// Entries that log and disk keep when they are bounded.
pub(crate) const LOG_BOUND: u64 = 8_192;

/// Options of every node; `bound` limits the entries held in memory.
pub(crate) fn options(bound: u64) -> Options {
    let mut options = Options::default();
    options.tail_entries_max = bound;
    options.tail_bytes_max = u64::MAX;
    // The peers take none either, and none is due within the log that is kept.
    options.snapshot_entries = 0;
    options
}

/// A node that has never written anything, of a cluster with `voters` servers.
pub(crate) fn fresh(options: impl Into<Arc<Options>>, group: u64, id: u64, voters: usize) -> Node {
    let hard = HardState::new(ClusterId(1), GroupId(group), NodeId(id), Incarnation(1));
    let voters = Configuration::new((1..=voters as u64).map(NodeId)).expect("one to nine");
    Node::boot(options, Boot::new(BootId(1), id, hard, voters), Instant(0)).expect("a fresh disk")
}

struct Server {
    node: Node,
    /// The newest writes, whole, up to the bound.
    disk: VecDeque<Entries>,
    on_disk: u64,
    hard: Option<HardState>,
    machine: Machine,
}

/// A cluster in one thread.
pub(crate) struct Cluster<L> {
    servers: Vec<Server>,
    link: L,
    /// Cut off: nothing reaches it.
    away: Option<usize>,
    refused: u64,
    disk_bound: u64,
    now: Instant,
    /// What is on its way to each server.
    inboxes: Vec<VecDeque<Box<Envelope>>>,
}

impl<L: Link> Cluster<L> {
    /// Boots `nodes` servers and has the first elected. `bound` limits log and disk, in entries.
    pub(crate) fn elected(nodes: usize, bound: u64, link: L) -> Self {
        let server = |id| Server {
            node: fresh(options(bound), 1, id, nodes),
            disk: VecDeque::new(),
            on_disk: 0,
            hard: None,
            machine: Machine::default(),
        };
        let mut cluster = Self {
            servers: (1..=nodes as u64).map(server).collect(),
            link,
            away: None,
            refused: 0,
            disk_bound: bound,
            now: Instant(0),
            inboxes: (0..nodes).map(|_| VecDeque::new()).collect(),
        };
        while cluster.leader().role() != Role::Leader {
            cluster.tick();
        }
        cluster.finish(0);
        cluster
    }

    pub(crate) fn leader(&self) -> &Node {
        &self.servers[0].node
    }

    pub(crate) fn node(&self, at: usize) -> &Node {
        &self.servers[at].node
    }

    #[allow(dead_code, reason = "tests ask it what passed")]
    pub(crate) fn link(&mut self) -> &mut L {
        &mut self.link
    }

    pub(crate) fn machines(&self) -> Vec<Machine> {
        self.servers.iter().map(|server| server.machine).collect()
    }

    /// Whether every disk holds a hard state of the leader's term.
    pub(crate) fn terms_are_on_disk(&self) -> bool {
        let term = self.leader().term();
        self.servers.iter().all(|s| s.hard.as_ref().is_some_and(|hard| hard.term == term))
    }

    /// Commits and applies all of `payloads`, `per_round` of them between two settles. Answers
    /// reach the leader when `window` rounds are under way.
    pub(crate) fn run(&mut self, payloads: Vec<Bytes>, per_round: usize, window: usize) {
        let target = self.servers[0].machine.applied + payloads.len() as u64;
        let refused = self.refused;
        let mut under_way: VecDeque<usize> = VecDeque::new();
        let mut payloads = payloads.into_iter();
        while payloads.len() > 0 {
            for payload in payloads.by_ref().take(per_round) {
                self.servers[0].node.propose(self.now, payload).expect("it leads and has room");
            }
            self.drain(0);
            if window <= 1 {
                self.deliver_all();
                continue;
            }
            let before = self.inboxes[0].len();
            self.deliver_to_followers();
            under_way.push_back(self.inboxes[0].len() - before);
            if under_way.len() == window {
                let oldest = under_way.pop_front().unwrap_or(0);
                self.deliver(0, oldest);
            }
        }
        self.finish(target);
        assert_eq!(self.refused, refused, "nothing is refused under a leader");
    }

    /// Lets time pass until every machine that is not away has applied `target` commands.
    pub(crate) fn finish(&mut self, target: u64) {
        self.deliver_all();
        for _ in 0..64 {
            let commit = self.leader().commit();
            let told = |(at, server): (usize, &Server)| {
                let done = server.machine.applied >= target && server.node.commit() == commit;
                done || self.away == Some(at)
            };
            if self.servers.iter().enumerate().all(told) {
                return;
            }
            self.tick();
        }
        panic!("{} of {target} applied", self.servers[0].machine.applied);
    }

    /// From now on disks keep every write.
    pub(crate) fn keep_disk(&mut self) {
        self.disk_bound = u64::MAX;
    }

    /// Cuts the last server off, or lets it hear again.
    pub(crate) fn cut_last(&mut self, away: bool) {
        self.away = away.then(|| self.servers.len() - 1);
    }

    /// The leader, or who shall become it, takes its next deadline.
    fn tick(&mut self) {
        self.now = self.leader().deadline().unwrap_or(self.now).max(self.now);
        self.step(0, Input::Tick);
        self.drain(0);
        self.deliver_all();
    }

    fn deliver_all(&mut self) {
        while self.inboxes.iter().any(|inbox| !inbox.is_empty()) {
            self.deliver_to_followers();
            self.deliver(0, usize::MAX);
        }
    }

    fn deliver_to_followers(&mut self) {
        (1..self.servers.len()).for_each(|at| self.deliver(at, usize::MAX));
    }

    /// Node `at` takes at most `most` messages and then does what follows from them.
    fn deliver(&mut self, at: usize, most: usize) {
        for _ in 0..most {
            let Some(envelope) = self.inboxes[at].pop_front() else { break };
            if self.away == Some(at) {
                continue;
            }
            let envelope = self.link.carry(envelope);
            self.step(at, Input::Receive(envelope));
        }
        self.drain(at);
    }

    fn step(&mut self, at: usize, input: Input) {
        // An election leaves answers behind that came too late to count.
        let refused = self.servers[at].node.step(self.now, input).is_err();
        self.refused += u64::from(refused);
    }

    /// Does all that node `at` asks for.
    fn drain(&mut self, at: usize) {
        let Some(server) = self.servers.get_mut(at) else { return };
        while let Some(output) = server.node.poll() {
            let fact = match output {
                Output::Persist(write) => {
                    self.link.on_persist(&write);
                    if let Some(hard) = write.hard_state() {
                        server.hard = Some(hard.clone());
                    }
                    server.on_disk += write.entries.len();
                    server.disk.push_back(write.entries);
                    while server.on_disk > self.disk_bound {
                        let oldest = server.disk.pop_front().unwrap_or_default();
                        server.on_disk -= oldest.len();
                    }
                    Input::Persisted(write.ack)
                }
                Output::Apply(apply) => {
                    let mut last = LogIndex::ZERO;
                    for run in apply.entries.runs() {
                        let commands = run.as_slice().iter().filter(|e| !e.payload.is_empty());
                        commands.for_each(|entry| server.machine.apply(&entry.payload));
                        last = run.last();
                    }
                    Input::Applied(last)
                }
                Output::Send(envelope) => {
                    let to = usize::try_from(envelope.to.0).unwrap_or(0) - 1;
                    self.inboxes[to].push_back(envelope);
                    continue;
                }
                Output::ReadEntries(ask) => {
                    Input::EntriesRead { id: ask.id, entries: read(&server.disk, &ask) }
                }
                Output::RoleChanged { .. } | Output::ConfigChanged(_) => continue,
                other => panic!("nothing else happens here: {other:?}"),
            };
            server.node.step(self.now, fact).expect("what it asked for was done");
        }
    }
}

/// The first part of what `ask` asks for; a part of a write is enough.
fn read(disk: &VecDeque<Entries>, ask: &ReadEntries) -> Entries {
    let holds = |write: &Entries| write.last().is_some_and(|last| last.index < ask.first);
    let mut out = Entries::EMPTY;
    let mut bytes = 0;
    for write in disk.range(disk.partition_point(holds)..) {
        for run in write.runs() {
            let part = run.suffix(ask.first).and_then(|run| run.prefix(ask.last));
            let Some(part) = part else { continue };
            bytes += part.len_bytes();
            out.push(part).expect("a disk has no holes");
        }
        if bytes >= ask.bytes_max || out.last().is_some_and(|last| last.index >= ask.last) {
            break;
        }
    }
    out
}
