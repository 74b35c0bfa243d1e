//! `noraft` 0.7, driven in memory; it knows positions only, so the caller keeps the payloads.
//!
//! A leader answers every acknowledgement that is behind its log with all entries after it, under
//! way or not. So one round at a time is under way here, pipelined cells included: the window at
//! which nothing is sent twice. A run asserts that nothing was.

use std::collections::VecDeque;

use bytes::Bytes;
use noraft::{Action, LogEntries, LogEntry, LogIndex, Message, Node, NodeId};

use super::{
    cell::{Cell, Machine, Outcome},
    clock,
};

/// A message with the payloads of the entries it names.
struct Parcel {
    message: Message,
    payloads: Vec<Bytes>,
}

struct Server {
    node: Node,
    /// The payload of each index from 1; empty for what is no command.
    payloads: Vec<Bytes>,
    /// What the next write appends.
    incoming: Vec<Bytes>,
    applied: u64,
    machine: Machine,
    term_on_disk: u64,
    vote_on_disk: Option<NodeId>,
}

struct Cluster {
    servers: Vec<Server>,
    /// What is on its way to each server.
    inboxes: Vec<VecDeque<Parcel>>,
    resent: u64,
}

fn range(entries: &LogEntries) -> std::ops::Range<usize> {
    let place = |index: LogIndex| usize::try_from(index.get()).expect("it is in memory");
    place(entries.prev_position().index)..place(entries.last_position().index)
}

impl Cluster {
    fn elected(nodes: usize) -> Self {
        let ids: Vec<NodeId> = (0..nodes as u64).map(NodeId::new).collect();
        let server = |id: &NodeId| Server {
            node: Node::start(*id),
            payloads: Vec::new(),
            incoming: Vec::new(),
            applied: 0,
            machine: Machine::default(),
            term_on_disk: 0,
            vote_on_disk: None,
        };
        let mut cluster = Self {
            servers: ids.iter().map(server).collect(),
            inboxes: ids.iter().map(|_| VecDeque::new()).collect(),
            resent: 0,
        };
        let position = cluster.servers[0].node.create_cluster(&ids);
        assert!(!position.is_invalid(), "a cluster of fresh nodes");
        cluster.drain(0);
        cluster.deliver_all();
        assert!(cluster.servers[0].node.role().is_leader());
        cluster.resent = 0;
        cluster
    }

    /// Does all that node `at` asks for, then applies what is committed.
    fn drain(&mut self, at: usize) {
        let nodes = self.servers.len();
        let server = &mut self.servers[at];
        while let Some(action) = server.node.actions_mut().next() {
            match action {
                Action::SetElectionTimeout => {}
                Action::SaveCurrentTerm => server.term_on_disk = server.node.current_term().get(),
                Action::SaveVotedFor => server.vote_on_disk = server.node.voted_for(),
                Action::AppendLogEntries(entries) => {
                    server.payloads.truncate(range(&entries).start);
                    server.payloads.append(&mut server.incoming);
                    // Entries of its own making, such as a new term's first, carry nothing.
                    server.payloads.resize(range(&entries).end, Bytes::new());
                }
                Action::BroadcastMessage(message) => {
                    for to in (0..nodes).filter(|to| *to != at) {
                        let payloads = carried(&message, &server.payloads);
                        let parcel = Parcel { message: message.clone(), payloads };
                        self.inboxes[to].push_back(parcel);
                    }
                }
                Action::SendMessage(to, message) => {
                    let payloads = carried(&message, &server.payloads);
                    self.resent += payloads.len() as u64;
                    let to = usize::try_from(to.get()).expect("a server");
                    self.inboxes[to].push_back(Parcel { message, payloads });
                }
                Action::InstallSnapshot(_) => panic!("no log is cut here"),
            }
        }
        let commit = server.node.commit_index().get();
        while server.applied < commit {
            let place = usize::try_from(server.applied).expect("it is in memory");
            server.applied += 1;
            let index = LogIndex::new(server.applied);
            if server.node.log().entries().get_entry(index) == Some(LogEntry::Command) {
                server.machine.apply(&server.payloads[place]);
            }
        }
    }

    fn deliver_all(&mut self) {
        while self.inboxes.iter().any(|inbox| !inbox.is_empty()) {
            (1..self.servers.len()).for_each(|at| self.deliver(at));
            self.deliver(0);
        }
    }

    /// Node `at` takes what has arrived and then does what follows from it.
    fn deliver(&mut self, at: usize) {
        while let Some(Parcel { message, mut payloads }) = self.inboxes[at].pop_front() {
            let server = &mut self.servers[at];
            server.incoming.append(&mut payloads);
            server.node.handle_message(&message).expect("nothing is refused");
        }
        self.drain(at);
    }

    fn run(&mut self, payloads: Vec<Bytes>, cell: Cell) {
        let target = payloads.len() as u64;
        let mut payloads = payloads.into_iter();
        while payloads.len() > 0 {
            let leader = &mut self.servers[0];
            leader.incoming.reserve(cell.per_round.min(payloads.len()));
            for payload in payloads.by_ref().take(cell.per_round) {
                leader.incoming.push(payload);
                assert!(!leader.node.propose_command().is_invalid(), "it leads");
            }
            self.drain(0);
            self.deliver_all();
        }
        for _ in 0..64 {
            if self.servers.iter().all(|server| server.machine.applied >= target) {
                return;
            }
            self.servers[0].node.heartbeat();
            self.drain(0);
            self.deliver_all();
        }
        panic!("{} of {target} applied", self.servers[0].machine.applied);
    }
}

/// The payloads of the entries that `message` carries.
fn carried(message: &Message, payloads: &[Bytes]) -> Vec<Bytes> {
    match message {
        Message::AppendEntriesCall { entries, .. } => payloads[range(entries)].to_vec(),
        _ => Vec::new(),
    }
}

/// One measured run.
pub(crate) fn measure(cell: Cell, payloads: Vec<Bytes>) -> Outcome {
    let mut cluster = Cluster::elected(cell.nodes);
    let nanos = clock::nanos(|| cluster.run(payloads, cell));
    assert_eq!(cluster.resent, 0, "nothing is sent twice");
    Outcome { nanos, machines: cluster.servers.iter().map(|server| server.machine).collect() }
}
