//! The statistics of elections: how long a group is without a leader, and how often votes split.
//!
//! **Intuition.** Randomised timeouts are the one place where Raft relies on chance, so chance is
//! what is measured: many groups, each with its own seeds, each losing its leader once. Messages
//! take a tenth of the shortest timeout, as §9.1 asks; writes take a little. All in whole
//! nanoseconds and from fixed seeds: the numbers are the same on every machine.
//! **Source.** Thesis §9.1 (figures 9.1 to 9.3), §3.4; B-011 (nodes that share their draws).
//! **Upholds.** `inv:live`.
//! **Not here.** Elections one by one (`paper_election.rs`), faults (the simulator).

use std::collections::BTreeMap;

use raft_core::{
    Boot, BootId, ClusterId, Configuration, GroupId, HardState, Incarnation, Input, Instant, Node,
    NodeId, Options, Output, Role, Term,
};

use crate::rig::*;

const NODES: u64 = 5;
/// One way; a tenth of the shortest timeout.
const DELAY: u64 = 15 * MS;
const WRITE: u64 = 2 * MS;

/// A number below `range` that depends on `seed` and `n` alone.
fn drawn(seed: u64, n: u64, range: u64) -> u64 {
    let mut z = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(n) ^ (seed >> 7);
    for _ in 0..3 {
        z = (z ^ (z >> 31)).wrapping_mul(0xbf58_476d_1ce4_e5b9).rotate_left(17);
    }
    z % range
}

fn fresh(options: &Options, seed: u64, id: u64) -> Node {
    let hard = HardState::new(ClusterId(1), GroupId(1), NodeId(id), Incarnation(1));
    let voters = Configuration::new((1..=NODES).map(NodeId)).unwrap();
    let boot = Boot::new(BootId(1), seed * 8 + id, hard, voters);
    Node::boot(options.clone(), boot, Instant(0)).unwrap()
}

/// Five nodes, a network of constant delay, disks that take their time.
struct Group {
    nodes: Vec<Node>,
    down: Option<usize>,
    now: Instant,
    /// By time and order: for whom, what.
    under_way: BTreeMap<(Instant, u64), (usize, Input)>,
    sent: u64,
}

impl Group {
    fn new(options: &Options, seed: u64) -> Self {
        let nodes = (1..=NODES).map(|id| fresh(options, seed, id)).collect();
        Self { nodes, down: None, now: Instant(0), under_way: BTreeMap::new(), sent: 0 }
    }

    fn later(&mut self, after: u64, to: usize, input: Input) {
        self.sent += 1;
        self.under_way.insert((self.now.plus(after), self.sent), (to, input));
    }

    fn step(&mut self, at: usize, input: Input) {
        let _refused = self.nodes[at].step(self.now, input);
        while let Some(output) = self.nodes[at].poll() {
            match output {
                Output::Persist(write) => self.later(WRITE, at, Input::Persisted(write.ack)),
                Output::Send(message) => {
                    let to = message.to.0 as usize - 1;
                    self.later(DELAY, to, Input::Receive(message));
                }
                Output::Apply(apply) => {
                    let upto = apply.entries.last().unwrap().index;
                    self.later(0, at, Input::Applied(upto));
                }
                _ => {}
            }
        }
    }

    fn due(&self) -> (Instant, usize) {
        let up = (0..self.nodes.len()).filter(|at| self.down != Some(*at));
        up.map(|at| (self.nodes[at].deadline().unwrap(), at)).min().unwrap()
    }

    /// What happens next happens, unless it is after `end`.
    fn turn(&mut self, end: Instant) -> bool {
        let (due, timer) = self.due();
        let first = self.under_way.first_key_value().map(|(key, _)| key.0);
        let at = first.map_or(due, |first| first.min(due));
        if at > end {
            self.now = end;
            return false;
        }
        self.now = self.now.max(at);
        if first.is_none_or(|first| first > due) {
            self.step(timer, Input::Tick);
        } else if let Some((_, (to, input))) = self.under_way.pop_first()
            && self.down != Some(to)
        {
            self.step(to, input);
        }
        true
    }

    fn leader(&self) -> Option<usize> {
        let up = (0..self.nodes.len()).filter(|at| self.down != Some(*at));
        up.into_iter().find(|at| self.nodes[*at].role() == Role::Leader)
    }

    fn term(&self) -> u64 {
        self.nodes.iter().map(|node| node.term().0).max().unwrap()
    }

    fn run_until_led(&mut self, patience: u64) -> Option<usize> {
        let end = self.now.plus(patience);
        while self.leader().is_none() {
            if !self.turn(end) {
                return None;
            }
        }
        self.leader()
    }
}

/// What many crashes of a leader came to.
#[derive(Debug, Default)]
struct Tally {
    /// How long each group was without a leader, ascending.
    down: Vec<u64>,
    /// Elections that nobody won.
    splits: u64,
    /// Groups without a leader after ten of the longest timeouts.
    never: u64,
}

impl Tally {
    fn mean(&self) -> u64 {
        self.down.iter().sum::<u64>() / self.down.len() as u64
    }
}

/// One crash in each of `groups` groups, at a moment of its own.
fn crash_leaders(options: &Options, groups: u64) -> Tally {
    let mut tally = Tally::default();
    for seed in 1..=groups {
        let mut group = Group::new(options, seed);
        // The first leader is chosen, so that only what follows is left to chance.
        group.step(0, Input::Campaign { min_term: Term::ZERO });
        let first = group.run_until_led(options.election_min_ns).expect("nobody is against it");
        let until = group.now.plus(400 * MS + drawn(seed, 0, options.heartbeat_ns));
        while group.turn(until) {}
        assert_eq!((group.leader(), group.term()), (Some(first), 1), "who leads goes on leading");
        group.down = Some(first);
        let (crash, term) = (group.now, group.term());
        match group.run_until_led(10 * options.election_max_ns) {
            Some(_) => {
                tally.down.push(group.now.since(crash));
                tally.splits += group.term() - term - 1;
            }
            None => tally.never += 1,
        }
    }
    tally.down.sort_unstable();
    tally
}

/// Timeouts between these, in milliseconds.
fn between(min: u64, max: u64) -> Options {
    with(|o| {
        o.election_min_ns = min * MS;
        o.election_max_ns = max * MS;
    })
}

#[test]
fn t_9_1_01_a_group_is_without_a_leader_for_as_long_as_the_thesis_predicts() {
    let options = between(150, 300);
    let tally = crash_leaders(&options, 1_000);
    assert_eq!((tally.down.len(), tally.never), (1_000, 0), "everybody finds a new leader");
    // From the last heartbeat's arrival on, the first of four timeouts: T + T / (s + 1). Then two
    // rounds (the first is Pre-Vote's) and a write. The crash came half a heartbeat after the last
    // one left, on average.
    let width = options.election_max_ns - options.election_min_ns;
    let first = options.election_min_ns + width / (NODES - 1 + 1);
    let wanted = DELAY + first + 4 * DELAY + WRITE - options.heartbeat_ns / 2;
    let mean = tally.mean();
    assert!(mean.abs_diff(wanted) <= wanted / 5, "{mean} ns on average, {wanted} predicted");
    // Nobody is elected before the promise to the dead leader is over, and the worst is rare.
    let soonest = DELAY + options.election_min_ns + 4 * DELAY - options.heartbeat_ns;
    assert!(tally.down[0] >= soonest, "{} ns", tally.down[0]);
    let median = tally.down[500];
    assert!(median.abs_diff(wanted) <= wanted / 5, "median {median} ns");
    assert!(tally.down[990] <= 3 * wanted, "99th percentile {} ns", tally.down[990]);
}

#[test]
fn t_9_1_01_the_wider_the_range_the_rarer_are_split_votes() {
    const GROUPS: u64 = 300;
    let splits = |min, max| {
        let tally = crash_leaders(&between(min, max), GROUPS);
        (tally.splits, tally.never)
    };
    let (usual, stuck) = splits(150, 300);
    assert_eq!(stuck, 0);
    assert!(usual * 3 <= GROUPS, "{usual} split votes in {GROUPS} elections");
    let (wide, stuck) = splits(150, 750);
    assert!(stuck == 0 && wide * 10 <= GROUPS, "{wide} split votes in {GROUPS} elections");
    let (narrow, _) = splits(150, 160);
    assert!(narrow >= GROUPS, "{narrow} split votes in {GROUPS} elections");
    // The sanity of the measurement: without chance nobody is ever elected.
    let (_, stuck) = splits(150, 150);
    assert_eq!(stuck, GROUPS, "equal timeouts must split for ever");
    assert!(wide < usual && usual < narrow, "{wide} {usual} {narrow}");
}

#[test]
fn t_9_1_01_timeouts_are_spread_evenly_over_their_range_and_over_nodes() {
    const PARTS: usize = 20;
    const DRAWS: u64 = 10_000;
    let options = between(150, 300);
    let width = options.election_max_ns - options.election_min_ns;
    let part = |wait: u64| {
        let above = wait.checked_sub(options.election_min_ns).expect("never below the shortest");
        assert!(above <= width, "never above the longest");
        ((above * PARTS as u64 / (width + 1)) as usize, above)
    };
    let first_wait = |seed, id| {
        let node = fresh(&options, seed, id);
        part(node.deadline().unwrap().since(Instant(0)))
    };
    let even = |counts: &[u64], draws: u64, what: &str| {
        let each = draws / counts.len() as u64;
        // Five standard deviations of a count of `each`; its root, rounded up.
        let root = (1..).find(|root| root * root >= each).unwrap();
        let off = counts.iter().find(|count| count.abs_diff(each) > 5 * root);
        assert_eq!(off, None, "{what}: {counts:?}, each about {each}");
    };
    // Over boots, and jointly over two nodes whose seeds are neighbours.
    let (mut alone, mut pairs, mut close) = ([0; PARTS], [0; 16], 0);
    for seed in 1..=DRAWS {
        let ((one, near_one), (two, near_two)) = (first_wait(seed, 1), first_wait(seed, 2));
        alone[one] += 1;
        pairs[one * 4 / PARTS * 4 + two * 4 / PARTS] += 1;
        close += u64::from(near_one.abs_diff(near_two) < DELAY);
    }
    even(&alone, DRAWS, "over boots");
    even(&pairs, DRAWS, "two nodes of a group");
    // Closer than a message's way: with a tenth of the range, 1 - (1 - 1/10)^2 of the pairs.
    let wanted = DRAWS * 19 / 100;
    assert!(close.abs_diff(wanted) <= DRAWS / 50, "{close} of {DRAWS}, {wanted} expected");
    // Over the life of one node, which draws anew with each heartbeat, and from each wait to the
    // next (B-011).
    let mut node = fresh(&options, 7, 1);
    let (mut alone, mut pairs, mut before) = ([0; PARTS], [0; 16], None);
    for round in 1..=DRAWS {
        let mut heartbeat = envelope(2, 1, 1, append((0, 0), &[], 0, round));
        (heartbeat.cluster, heartbeat.from_incarnation) = (ClusterId(1), Incarnation(1));
        let now = Instant(round * MS);
        node.step(now, Input::Receive(Box::new(heartbeat))).unwrap();
        while let Some(output) = node.poll() {
            if let Output::Persist(write) = output {
                node.step(now, Input::Persisted(write.ack)).unwrap();
            }
        }
        let (wait, _) = part(node.deadline().unwrap().since(now));
        alone[wait] += 1;
        if let Some(before) = before.replace(wait) {
            pairs[before * 4 / PARTS * 4 + wait * 4 / PARTS] += 1;
        }
    }
    even(&alone, DRAWS, "over one boot");
    even(&pairs, DRAWS, "one wait after another");
}
