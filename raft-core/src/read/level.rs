//! Read levels: how fresh an answer must be.
//!
//! **Intuition.** TODO-header
//! **Source.** Thesis §6.4.
//! **Upholds.** `inv:read-freshness`.
//! **Not here.** Rounds (`replication/heartbeat.rs`).

use crate::{
    Node,
    error::Rejected,
    types::{Instant, LogIndex},
};

/// How fresh the answer must be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum ReadLevel {
    /// Confirmed by a round of heartbeats; at a follower, by asking its leader.
    #[default]
    Linearizable,
    /// By the leader's lease.
    Lease,
    /// By an entry of its own in the log.
    ThroughLog,
    /// Whatever is here, with its age.
    Local,
}

/// A read with more to say than that it is one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct ReadRequest {
    /// How fresh.
    pub level: ReadLevel,
    /// Not before this index is applied here.
    pub min_index: LogIndex,
    /// Fail it if it is not ready by then.
    pub deadline: Option<Instant>,
}

impl Node {
    pub(crate) fn on_read_with(&mut self, request: ReadRequest) -> Result<(), Rejected> {
        if request == ReadRequest::default() { self.on_read() } else { Err(Rejected::Placeholder) }
    }

    pub(crate) fn reads_deadline(&self) -> Option<Instant> {
        None
    }

    pub(crate) fn on_reads_tick(&mut self) {}
}
