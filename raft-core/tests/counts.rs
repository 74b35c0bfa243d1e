//! What a committed entry costs, counted: messages, bytes, writes, allocations, memory.
//!
//! Times depend on the machine; these do not, so they are pinned exactly. An integration test of
//! its own because its allocator counts.

#[path = "../benches/peers/cell.rs"]
#[expect(dead_code, reason = "the bench uses more of it")]
mod cell;
#[path = "../benches/peers/ours.rs"]
#[expect(dead_code, reason = "the bench uses more of it")]
mod ours;

use std::{collections::BTreeMap, sync::Arc};

use allocation_counter::measure;
use bytes::Bytes;
use cell::payloads;
use ours::{Cluster, LOG_BOUND, Link};
use raft_core::{Envelope, Message, Node, Options, Persist};

/// Counts what passes.
#[derive(Default)]
struct Counting {
    messages: BTreeMap<&'static str, u64>,
    entries: u64,
    payload_bytes: u64,
    persists: u64,
}

impl Link for Counting {
    fn carry(&mut self, envelope: Box<Envelope>) -> Box<Envelope> {
        *self.messages.entry(envelope.message.name()).or_default() += 1;
        if let Message::AppendEntries(append) = &envelope.message {
            self.entries += append.entries.len();
            self.payload_bytes += append.entries.len_bytes();
        }
        envelope
    }

    fn on_persist(&mut self, _: &Persist) {
        self.persists += 1;
    }
}

const ENTRIES: u64 = 8 * LOG_BOUND;
const BYTES: usize = 16;

/// Entries after which a node writes anew how far its disk is known to reach. That makes the hard
/// state part of a write, and the box it goes in one allocation.
const MARK_STRIDE: u64 = 1_024;

/// Allocations of `nodes` nodes for that.
const fn marks(nodes: u64) -> u64 {
    nodes * (ENTRIES / MARK_STRIDE)
}

/// What one run of [`ENTRIES`] entries counted.
struct Counts {
    link: Counting,
    /// Allocations that are not message boxes.
    allocations: u64,
}

/// A cluster that has run long enough for every queue to have its size.
fn warm(nodes: usize, bound: u64, per_round: usize, window: usize) -> Cluster<Counting> {
    let mut cluster = Cluster::elected(nodes, bound, Counting::default());
    cluster.run(payloads(2 * LOG_BOUND as usize, BYTES), per_round, window);
    cluster
}

fn count(nodes: usize, per_round: usize, window: usize) -> Counts {
    let mut cluster = warm(nodes, LOG_BOUND, per_round, window);
    // The keys stay, so that counting allocates nothing.
    let link = cluster.link();
    link.messages.values_mut().for_each(|count| *count = 0);
    (link.entries, link.payload_bytes, link.persists) = (0, 0, 0);
    let payloads = payloads(ENTRIES as usize, BYTES);
    let heap = measure(|| cluster.run(payloads, per_round, window));
    let link = core::mem::take(cluster.link());
    let boxes: u64 = link.messages.values().sum();
    Counts { link, allocations: heap.count_total - boxes }
}

impl Counts {
    fn messages(&self, name: &str) -> u64 {
        self.link.messages.get(name).copied().unwrap_or(0)
    }
}

/// Per round: one append to each follower and one answer of each, one write on each node. After
/// the last round one notice of the commit index to each follower.
#[track_caller]
fn check(counts: &Counts, nodes: u64, rounds: u64) {
    let peers = nodes - 1;
    assert_eq!(counts.messages("AppendEntries"), peers * (rounds + 1), "appends");
    assert_eq!(counts.messages("AppendReply"), peers * rounds, "answers");
    assert_eq!(counts.link.messages.values().sum::<u64>(), peers * (2 * rounds + 1), "messages");
    assert_eq!(counts.link.entries, peers * ENTRIES, "each entry is sent to each peer once");
    assert_eq!(counts.link.payload_bytes, peers * ENTRIES * BYTES as u64);
    assert_eq!(counts.link.persists, nodes * rounds, "writes");
}

#[test]
fn one_proposal_a_round_costs_one_allocation_beside_its_messages() {
    let counts = count(3, 1, 1);
    check(&counts, 3, ENTRIES);
    // The chunk; 4 message boxes an entry and the 2 last notices.
    assert_eq!(counts.allocations, ENTRIES + marks(3));
}

#[test]
fn sixty_four_proposals_a_round_share_messages_writes_and_allocations() {
    let counts = count(3, 64, 1);
    check(&counts, 3, ENTRIES / 64);
    assert_eq!(counts.allocations, 2 * (ENTRIES / 64) + marks(3));
}

#[test]
fn a_thousand_proposals_a_round_share_messages_writes_and_allocations() {
    let counts = count(3, 1_024, 1);
    check(&counts, 3, ENTRIES / 1_024);
    assert_eq!(counts.allocations, 2 * (ENTRIES / 1_024) + marks(3));
}

#[test]
fn pipelining_costs_nothing_more() {
    let counts = count(3, 1_024, cell::PIPELINE);
    check(&counts, 3, ENTRIES / 1_024);
    // At the end the last rounds are answered together: each node then applies several runs at
    // once, which takes three allocations. One more is the list of rounds of whoever drives.
    assert_eq!(counts.allocations, 2 * (ENTRIES / 1_024) + 3 * 3 + 1 + marks(3));
}

#[test]
fn five_nodes_cost_four_appends_a_round() {
    let counts = count(5, 64, 1);
    check(&counts, 5, ENTRIES / 64);
    assert_eq!(counts.allocations, 2 * (ENTRIES / 64) + marks(5));
}

#[test]
fn a_fresh_node_of_three_takes_at_most_two_kibibytes() {
    // The groups of one host share their options.
    let options = Arc::new(Options::default());
    let mut node = None;
    let heap = measure(|| node = Some(ours::fresh(Arc::clone(&options), 1, 1, 3)));
    assert_eq!(
        Arc::strong_count(&options),
        2,
        "a node whose settings are the options' shares them"
    );
    let held = size_of::<Node>() as u64 + heap.bytes_current.unsigned_abs();
    assert!(held <= 2_048, "{held} bytes, {} of them in the node itself", size_of::<Node>());
}

/// What the payloads of a run occupy before it, and no longer after it: the list of them.
const LIST_BYTES: i64 = (ENTRIES as usize * size_of::<Bytes>()) as i64;
const PAYLOAD_BYTES: i64 = ENTRIES as i64 * BYTES as i64;

#[test]
fn an_entry_of_sixteen_bytes_is_held_in_eighty() {
    // Also where the number of proposals is no power of two.
    for per_round in [64, 100, 600, 1_024] {
        let mut cluster = warm(3, u64::MAX, per_round, 1);
        let more = payloads(ENTRIES as usize, BYTES);
        // All three nodes share the entries; each has its own lists of runs, on its disk too.
        let heap = measure(|| cluster.run(more, per_round, 1));
        let held = heap.bytes_current + LIST_BYTES + PAYLOAD_BYTES;
        let each = held / i64::try_from(ENTRIES).unwrap();
        assert!(each <= 80, "{per_round} a round: {each} bytes an entry");
    }
}

#[test]
fn a_bounded_log_holds_as_much_however_long_it_has_become() {
    let mut cluster = warm(3, LOG_BOUND, 64, 1);
    for lap in 1..=4 {
        let more = payloads(ENTRIES as usize, BYTES);
        // As many payloads are freed as arrive.
        let heap = measure(|| cluster.run(more, 64, 1));
        assert_eq!(heap.bytes_current, -LIST_BYTES - PAYLOAD_BYTES);
        let applied = cluster.machines()[0].applied;
        assert_eq!(applied, 2 * LOG_BOUND + lap * ENTRIES);
    }
}
