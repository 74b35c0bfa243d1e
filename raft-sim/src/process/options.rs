//! The tunables of a plan as our node's options.
//!
//! **Intuition.** A plan speaks of every Raft; what our node calls each of its knobs is said here
//! and nowhere else.
//! **Source.** Ours.
//! **Upholds.** None: whatever a plan draws must be valid options, or the run would not begin.
//! **Not here.** What is drawn (`fault/swarm.rs`), the node (`core.rs`).

use raft_core::Options;

use crate::fault::plan::{Knobs, SnapshotPlan};

/// The tunables of a plan as the node's options.
#[must_use]
pub fn options(knobs: &Knobs, snapshots: &SnapshotPlan, command_bytes_max: u64) -> Options {
    let mut options = Options::default();
    options.election_min_ns = knobs.election_ns;
    options.election_max_ns = knobs.election_ns.saturating_add(knobs.election_jitter_ns);
    options.heartbeat_ns = knobs.heartbeat_ns;
    options.pre_vote = knobs.pre_vote;
    options.check_quorum = knobs.check_quorum;
    options.check_quorum_ns = options.election_max_ns;
    options.inflight_messages_max = knobs.inflight_messages;
    options.inflight_bytes_max = knobs.inflight_bytes;
    options.append_entries_max = u64::from(knobs.append_entries);
    options.append_bytes_max = knobs.append_bytes;
    options.persist_inflight_max = knobs.persist_inflight;
    options.apply_inflight_entries_max = u64::from(knobs.apply_inflight);
    // The largest command of any plan must fit, or its client would try for ever.
    options.entry_bytes_max = command_bytes_max;
    options.tail_bytes_max = knobs.tail_bytes.max(command_bytes_max);
    options.tail_entries_max = options.tail_entries_max.max(options.append_entries_max);
    options.commit_notice_ns = knobs.heartbeat_ns / 8;
    options.pending_after_loss_ns = knobs.election_ns.saturating_mul(8);
    options.transfer_timeout_ns = options.election_max_ns;
    options.request_timeout_ns = options.election_max_ns;
    options.snapshot_retry_ns = options.election_max_ns;
    options.lease = knobs.lease && knobs.check_quorum;
    options.clock_error_ppm = knobs.clock_error();
    options.snapshot_entries = u64::from(snapshots.every_entries);
    options.snapshot_keep_entries = u64::from(snapshots.keep_entries);
    options.retained_entries_max = u64::from(snapshots.keep_entries).saturating_mul(4).max(64);
    options
}
