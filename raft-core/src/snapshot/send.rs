//! Sending a snapshot to a peer that needs what the log no longer holds.
//!
//! **Intuition.** TODO-header
//! **Source.** Thesis §5.3.
//! **Upholds.** `inv:bounded`.
//! **Not here.** Receiving (`receive.rs`).

use super::SnapshotId;
use crate::{Node, error::Rejected, types::NodeId};

/// Why a snapshot did not reach a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum SendFailure {
    /// The receiver has too much to do; try again later.
    Overloaded,
    /// The transport failed.
    Failed,
}

impl Node {
    /// A peer's disk is empty: only a snapshot helps it.
    pub(crate) fn on_need_snapshot(&mut self, _peer: NodeId) {}

    pub(crate) fn on_snapshot_sent(&mut self, _id: SnapshotId) -> Result<(), Rejected> {
        Err(Rejected::Placeholder)
    }

    pub(crate) fn on_snapshot_send_failed(
        &mut self,
        _id: SnapshotId,
        _failure: SendFailure,
    ) -> Result<(), Rejected> {
        Err(Rejected::Placeholder)
    }
}
