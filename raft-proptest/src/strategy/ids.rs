//! Identities: clusters of one to nine voters, and options small enough to reach every limit.
//!
//! **Intuition.** A limit that is never reached is never tested, so windows and queues here hold a
//! handful of things. Every set of options drawn is valid.
//! **Source.** Ours.
//! **Upholds.** Nothing; inputs for tests of `inv:bounded`.
//! **Not here.** Logs (`log.rs`), messages (`message.rs`).

use proptest::prelude::*;
use raft_core::{
    Boot, BootId, ClusterId, Configuration, GroupId, HardState, Incarnation, LogIndex, NodeId,
    Options, Term,
};

use super::log::{TermRuns, term_runs};

/// The cluster all strategies speak of.
pub const CLUSTER: ClusterId = ClusterId(7);
/// Its group.
pub const GROUP: GroupId = GroupId(3);

/// Voters `n1` to `n(count)`.
///
/// # Panics
/// If `count` is 0 or above [`Configuration::VOTERS_MAX`].
#[must_use]
#[expect(clippy::expect_used, reason = "a caller's mistake in a test")]
pub fn voters(count: u64) -> Configuration {
    Configuration::new((1..=count).map(NodeId)).expect("1 to 9 voters")
}

/// An empty disk of node `n1`.
#[must_use]
pub const fn blank() -> HardState {
    HardState::new(CLUSTER, GROUP, NodeId(1), Incarnation(1))
}

/// Valid options with every limit within reach of a short test.
pub fn options() -> impl Strategy<Value = Options> {
    let windows = (1..4_u32, 16..200_u64, 1..5_u64, 8..100_u64, 1..4_u32);
    let queues = (1..5_u64, 8..64_u64, 5..24_u64, 64..400_u64, 1..12_u64, 1..6_u32);
    (windows, queues, any::<(bool, bool, bool)>()).prop_map(|(windows, queues, flags)| {
        let mut options = Options::default();
        (
            options.inflight_messages_max,
            options.inflight_bytes_max,
            options.append_entries_max,
            options.append_bytes_max,
            options.persist_inflight_max,
        ) = windows;
        (
            options.apply_inflight_entries_max,
            options.apply_inflight_bytes_max,
            options.tail_entries_max,
            options.tail_bytes_max,
            options.proposals_max,
            options.reads_max,
        ) = queues;
        options.entry_bytes_max = 48;
        (options.pre_vote, options.check_quorum, options.notes) = flags;
        options
    })
}

/// The start of `n1` among one to five voters, with a log of up to twelve entries.
pub fn boot() -> impl Strategy<Value = Boot> {
    (1..=5_u64, term_runs(12), 0..3_u64, any::<u64>(), 0..4_u64)
        .prop_map(|(count, log, later, seed, vote)| start(count, &log, later, seed, vote))
}

fn start(count: u64, log: &TermRuns, later: u64, seed: u64, vote: u64) -> Boot {
    let mut hard = blank();
    hard.term = Term(log.last().term.0.saturating_add(later));
    hard.vote = (hard.term > Term::ZERO && vote > 0 && vote <= count).then_some(NodeId(vote));
    let LogIndex(last) = log.last().index;
    Boot::new(BootId(1), seed, hard, voters(count)).with_log(
        log.runs().to_vec(),
        log.last().index,
        last,
    )
}
