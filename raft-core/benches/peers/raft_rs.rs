//! `raft` 0.7, driven in memory as its own examples drive it.

use std::collections::VecDeque;

use bytes::Bytes;
use raft::{
    Config, RawNode, StateRole,
    prelude::{Entry, Message, MessageType},
    storage::MemStorage,
};

use super::{
    cell::{Cell, Machine, Outcome},
    clock,
};

/// How proposals reach it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Batching {
    /// One `MsgPropose` each.
    Single,
    /// One `MsgPropose` with all proposals of a round.
    PerRound,
}

pub(crate) struct Server {
    pub(crate) node: RawNode<MemStorage>,
    pub(crate) machine: Machine,
}

/// A server of a cluster with `voters` servers. Limits are those of our own row: a megabyte a
/// message; 256 messages under way are its default.
pub(crate) fn fresh(id: u64, voters: usize) -> Server {
    let config = Config {
        id,
        max_size_per_msg: 1 << 20,
        check_quorum: true,
        pre_vote: true,
        ..Config::default()
    };
    let storage =
        MemStorage::new_with_conf_state(((1..=voters as u64).collect::<Vec<_>>(), vec![]));
    let logger = slog::Logger::root(slog::Discard, slog::o!());
    let node = RawNode::new(&config, storage, &logger).expect("a sound configuration");
    Server { node, machine: Machine::default() }
}

impl Server {
    fn apply(&mut self, entries: Vec<Entry>) {
        for entry in entries.iter().filter(|entry| !entry.data.is_empty()) {
            self.machine.apply(&entry.data);
        }
    }

    /// Does all that the node asks for; messages go to `send`.
    pub(crate) fn drain(&mut self, mut send: impl FnMut(Message)) {
        while self.node.has_ready() {
            let mut ready = self.node.ready();
            ready.take_messages().into_iter().for_each(&mut send);
            self.apply(ready.take_committed_entries());
            self.node.store().wl().append(ready.entries()).expect("memory holds");
            if let Some(hard) = ready.hs() {
                self.node.store().wl().set_hardstate(hard.clone());
            }
            ready.take_persisted_messages().into_iter().for_each(&mut send);
            let mut light = self.node.advance(ready);
            if let Some(commit) = light.commit_index() {
                self.node.store().wl().mut_hard_state().set_commit(commit);
            }
            light.take_messages().into_iter().for_each(&mut send);
            self.apply(light.take_committed_entries());
            self.node.advance_apply();
        }
    }
}

struct Cluster<C> {
    /// What a message goes through on its way.
    carry: C,
    servers: Vec<Server>,
    /// What is on its way to each server.
    inboxes: Vec<VecDeque<Message>>,
}

impl<C: Fn(Message) -> Message> Cluster<C> {
    fn elected(nodes: usize, carry: C) -> Self {
        let mut cluster = Self {
            carry,
            servers: (1..=nodes as u64).map(|id| fresh(id, nodes)).collect(),
            inboxes: (0..nodes).map(|_| VecDeque::new()).collect(),
        };
        cluster.servers[0].node.campaign().expect("it may campaign");
        cluster.drain(0);
        cluster.deliver_all();
        assert_eq!(cluster.servers[0].node.raft.state, StateRole::Leader);
        cluster
    }

    fn drain(&mut self, at: usize) {
        let inboxes = &mut self.inboxes;
        self.servers[at].drain(|message| {
            let to = usize::try_from(message.to).unwrap_or(0) - 1;
            inboxes[to].push_back(message);
        });
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
            let Some(message) = self.inboxes[at].pop_front() else { break };
            let message = (self.carry)(message);
            self.servers[at].node.step(message).expect("nothing is refused");
        }
        self.drain(at);
    }

    fn propose(&mut self, payloads: impl Iterator<Item = Bytes>) {
        let entries: Vec<Entry> = payloads.map(|data| Entry { data, ..Entry::default() }).collect();
        let mut message = Message { from: 1, to: 1, ..Message::default() };
        message.set_msg_type(MessageType::MsgPropose);
        message.entries = entries.into();
        self.servers[0].node.step(message).expect("it leads");
    }

    fn run(&mut self, payloads: Vec<Bytes>, cell: Cell, batching: Batching) {
        let target = payloads.len() as u64;
        let mut under_way: VecDeque<usize> = VecDeque::new();
        let mut payloads = payloads.into_iter();
        while payloads.len() > 0 {
            let mut round = payloads.by_ref().take(cell.per_round);
            match batching {
                Batching::PerRound => self.propose(round),
                Batching::Single => round.by_ref().for_each(|one| self.propose([one].into_iter())),
            }
            self.drain(0);
            if !cell.pipelined() {
                self.deliver_all();
                continue;
            }
            let before = self.inboxes[0].len();
            self.deliver_to_followers();
            under_way.push_back(self.inboxes[0].len() - before);
            if under_way.len() == cell.window {
                let oldest = under_way.pop_front().unwrap_or(0);
                self.deliver(0, oldest);
            }
        }
        self.deliver_all();
        for _ in 0..64 {
            if self.servers.iter().all(|server| server.machine.applied >= target) {
                return;
            }
            self.servers[0].node.tick();
            self.drain(0);
            self.deliver_all();
        }
        panic!("{} of {target} applied", self.servers[0].machine.applied);
    }
}

/// One measured run.
pub(crate) fn measure(
    cell: Cell,
    payloads: Vec<Bytes>,
    batching: Batching,
    carry: impl Fn(Message) -> Message,
) -> Outcome {
    let mut cluster = Cluster::elected(cell.nodes, carry);
    let nanos = clock::nanos(|| cluster.run(payloads, cell, batching));
    Outcome { nanos, machines: cluster.servers.iter().map(|server| server.machine).collect() }
}
