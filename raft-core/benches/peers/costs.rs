//! What a core costs beside replication: time passing, many groups, a follower far behind, a long
//! log.

use std::{collections::VecDeque, hint::black_box, sync::Arc};

use raft_core::{Input, Instant, Node, Options, Output, Rejected, Role};

use super::{cell::payloads, clock, ours, raft_rs};

/// One line of the second table, in picoseconds.
pub(crate) struct Cost {
    pub(crate) name: String,
    /// One value a round.
    pub(crate) picos: Vec<u64>,
    /// At most this much, where there is a goal.
    pub(crate) goal: Option<u64>,
}

const NANO: u64 = 1_000;
const MILLI: u64 = 1_000_000_000;

/// Measures all of them.
pub(crate) fn all(rounds: usize) -> Vec<Cost> {
    let mut costs: Vec<Cost> = ticks(rounds).into();
    costs.extend(groups(rounds));
    costs.extend(behind(rounds));
    costs.extend(long_log(rounds));
    costs
}

fn cost(name: &str, goal: Option<u64>, rounds: usize, mut round: impl FnMut() -> u64) -> Cost {
    let name = String::from(name);
    Cost { name, picos: (0..=rounds).map(|_| round()).skip(1).collect(), goal }
}

/// A follower that has a leader and nothing to do.
fn ticks(rounds: usize) -> [Cost; 2] {
    const TICKS: u64 = 2_000_000;
    let cluster = ours::Cluster::elected(3, ours::LOG_BOUND, ours::Shared);
    let mut node: Node = cluster.node(1).clone();
    let now = Instant(1);
    let stepped = cost("a tick with nothing due, stepped", Some(10 * NANO), rounds, || {
        let nanos = clock::nanos(|| {
            for _ in 0..TICKS {
                let node = black_box(&mut node);
                node.step(now, Input::Tick).expect("time passes");
                assert!(node.poll().is_none(), "nothing was due");
            }
        });
        nanos * NANO / TICKS
    });
    let compared = cost("the same, the caller compares `deadline()`", Some(NANO), rounds, || {
        let nanos = clock::nanos(|| {
            for _ in 0..TICKS {
                let due = black_box(&node).deadline().is_some_and(|at| at <= now);
                assert!(!black_box(due), "nothing was due");
            }
        });
        nanos * NANO / TICKS
    });
    [stepped, compared]
}

const GROUPS: usize = 10_000;
const NODES: usize = 3;
/// A heartbeat goes with every second tick.
const TICKS: u64 = 20;

/// Every node of every group is ticked; leaders send heartbeats, followers answer.
fn groups(rounds: usize) -> [Cost; 2] {
    let mut ours = OurGroups::elected();
    let name = "a full tick of 10,000 groups of 3";
    let mine = cost(name, Some(6 * MILLI), rounds, || {
        clock::nanos(|| (0..TICKS).for_each(|_| ours.tick())) * NANO / TICKS
    });
    drop(ours);
    let mut theirs = TheirGroups::elected();
    let peer = cost("the same with raft 0.7", None, rounds, || {
        clock::nanos(|| (0..TICKS).for_each(|_| theirs.tick())) * NANO / TICKS
    });
    [mine, peer]
}

struct OurGroups {
    nodes: Vec<Node>,
    now: Instant,
    queue: VecDeque<Input>,
}

impl OurGroups {
    fn elected() -> Self {
        let group = |number| (1..=NODES as u64).map(move |id| (number, id));
        let options = Arc::new(Options::default());
        let node = |(number, id)| ours::fresh(Arc::clone(&options), number, id, NODES);
        let nodes = (0..GROUPS as u64).flat_map(group).map(node).collect();
        let mut groups = Self { nodes, now: Instant(0), queue: VecDeque::new() };
        for at in (0..groups.nodes.len()).step_by(NODES) {
            while groups.nodes[at].role() != Role::Leader {
                groups.now = groups.nodes[at].deadline().unwrap_or_default().max(groups.now);
                groups.step(at, Input::Tick);
            }
        }
        // Every reign's first entry is committed and told, so that what follows is idle.
        (0..20).for_each(|_| groups.tick());
        groups
    }

    fn tick(&mut self) {
        self.now = self.now.plus(Options::default().heartbeat_ns / 2);
        for at in 0..self.nodes.len() {
            self.step(at, Input::Tick);
        }
    }

    /// Steps one node and delivers whatever follows from it within its group.
    fn step(&mut self, at: usize, input: Input) {
        let group = at / NODES * NODES;
        self.settle(at, input);
        while let Some(input) = self.queue.pop_front() {
            let Input::Receive(envelope) = &input else { continue };
            let to = group + usize::try_from(envelope.to.0).unwrap_or(0) - 1;
            self.settle(to, input);
        }
    }

    fn settle(&mut self, at: usize, input: Input) {
        let node = &mut self.nodes[at];
        // An election leaves answers behind that came too late to count.
        if let Err(refused) = node.step(self.now, input) {
            assert_eq!(refused, Rejected::Stale, "nothing else is refused");
        }
        while let Some(output) = node.poll() {
            let fact = match output {
                Output::Send(envelope) => {
                    self.queue.push_back(Input::Receive(envelope));
                    continue;
                }
                Output::Persist(write) => Input::Persisted(write.ack),
                Output::Apply(apply) => {
                    Input::Applied(apply.entries.last().unwrap_or_default().index)
                }
                _ => continue,
            };
            node.step(self.now, fact).expect("what it asked for was done");
        }
    }
}

struct TheirGroups {
    nodes: Vec<raft_rs::Server>,
    queue: VecDeque<raft::prelude::Message>,
}

impl TheirGroups {
    fn elected() -> Self {
        let nodes = (0..GROUPS)
            .flat_map(|_| (1..=NODES as u64).map(|id| raft_rs::fresh(id, NODES)))
            .collect();
        let mut groups = Self { nodes, queue: VecDeque::new() };
        for at in (0..groups.nodes.len()).step_by(NODES) {
            groups.nodes[at].node.campaign().expect("it may campaign");
            groups.settle(at);
        }
        (0..20).for_each(|_| groups.tick());
        groups
    }

    fn tick(&mut self) {
        for at in 0..self.nodes.len() {
            self.nodes[at].node.tick();
            self.settle(at);
        }
    }

    fn settle(&mut self, at: usize) {
        let group = at / NODES * NODES;
        let queue = &mut self.queue;
        self.nodes[at].drain(|message| queue.push_back(message));
        while let Some(message) = self.queue.pop_front() {
            let to = group + usize::try_from(message.to).unwrap_or(0) - 1;
            self.nodes[to].node.step(message).expect("nothing is refused");
            let queue = &mut self.queue;
            self.nodes[to].drain(|message| queue.push_back(message));
        }
    }
}

/// A follower misses a million entries, comes back and is brought up to date.
fn behind(rounds: usize) -> Vec<Cost> {
    const MISSED: usize = 1_000_000;
    // The tail in memory, or the disk's answers to `ReadEntries`, feed it.
    let feeds = [("from memory", u64::MAX), ("from disk", ours::LOG_BOUND)];
    let mut costs = Vec::new();
    for (feed, tail) in feeds {
        for per_round in [1, 64] {
            let name = format!(
                "catching up 1,000,000 entries {feed}, written {per_round} at a time, an entry"
            );
            costs.push(cost(&name, None, rounds.min(5), || {
                let mut cluster = ours::Cluster::elected(3, tail, ours::Shared);
                cluster.keep_disk();
                cluster.cut_last(true);
                cluster.run(payloads(MISSED, 16), per_round, 1);
                cluster.cut_last(false);
                clock::nanos(|| cluster.finish(MISSED as u64)) * NANO / MISSED as u64
            }));
        }
    }
    costs
}

/// The same work on a log that is short and on one that is long.
fn long_log(rounds: usize) -> [Cost; 2] {
    const STEP: usize = 200_000;
    let mut cluster = ours::Cluster::elected(3, ours::LOG_BOUND, ours::Shared);
    let mut step = |rounds: usize, name: &str| {
        cost(name, None, rounds, || {
            let payloads = payloads(STEP, 16);
            clock::nanos(|| cluster.run(payloads, 64, 1)) * NANO / STEP as u64
        })
    };
    let short = step(rounds, "64 at a time on a young log, an entry");
    step(40, "");
    [short, step(rounds, "64 at a time after 8 million entries, an entry")]
}
