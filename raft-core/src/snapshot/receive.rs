//! Receiving a snapshot.
//!
//! **Intuition.** TODO-header
//! **Source.** Thesis §5.3; D-R2, D-Z13.
//! **Upholds.** `inv:snapshot-agrees`, `inv:monotone`.
//! **Not here.** Sending (`send.rs`).

use super::meta::SnapshotMeta;
use crate::{
    Node,
    error::Rejected,
    message::InstallMeta,
    types::{NodeId, StageId, Term},
};

/// A snapshot that is staged here: whole, checked against its digest, and durable.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct ReceivedSnapshot {
    /// Where the driver keeps it.
    pub stage: StageId,
    /// What it stands for.
    pub meta: SnapshotMeta,
    /// Who sent it.
    pub from: NodeId,
    /// The term it was sent in.
    pub term: Term,
}

impl Node {
    pub(crate) fn on_snapshot_received(
        &mut self,
        _received: ReceivedSnapshot,
    ) -> Result<(), Rejected> {
        Err(Rejected::Placeholder)
    }

    pub(crate) fn on_install_meta(
        &mut self,
        _from: NodeId,
        _install: InstallMeta,
    ) -> Result<(), Rejected> {
        Err(Rejected::Placeholder)
    }
}
