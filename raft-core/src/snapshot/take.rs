//! Taking a snapshot.
//!
//! **Intuition.** TODO-header
//! **Source.** Thesis §5.1.
//! **Upholds.** `inv:snapshot-agrees`.
//! **Not here.** Sending (`send.rs`).

use super::SnapshotId;
use crate::{Node, error::Rejected};

/// A snapshot that was asked for is durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct SnapshotTaken {
    /// The request.
    pub id: SnapshotId,
    /// Digest of its data, as the driver computes it.
    pub digest: u64,
    /// Bytes of its data.
    pub size_bytes: u64,
}

impl Node {
    pub(crate) fn on_snapshot_taken(&mut self, _taken: SnapshotTaken) -> Result<(), Rejected> {
        Err(Rejected::Placeholder)
    }

    pub(crate) fn on_snapshot_failed(&mut self, _id: SnapshotId) -> Result<(), Rejected> {
        Err(Rejected::Placeholder)
    }
}
