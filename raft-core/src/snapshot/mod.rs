//! Snapshots: standing in for a prefix of the log.
//!
//! **Intuition.** TODO-header
//! **Source.** Thesis §5.
//! **Upholds.** `inv:snapshot-agrees`.
//! **Not here.** Machine bytes (the driver).

pub(crate) mod meta;
pub(crate) mod receive;
pub(crate) mod send;
pub(crate) mod take;

use alloc::boxed::Box;

use crate::{Node, types::Instant};
use meta::SnapshotMeta;

/// Names one `TakeSnapshot` or `SendSnapshot`. Opaque: give it back unchanged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct SnapshotId {
    pub(crate) tag: u64,
    pub(crate) number: u64,
}

impl SnapshotId {
    /// Counts the requests of this boot from 1.
    #[must_use]
    pub const fn number(self) -> u64 {
        self.number
    }
}

/// Everything about snapshots at this node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Snapshots {
    /// The newest durable one; `None` for a log that stands on nothing.
    pub(crate) newest: Option<Box<SnapshotMeta>>,
    pub(crate) minted: u64,
}

impl Node {
    /// Takes, sends, installs and compacts what is due.
    pub(crate) fn settle_snapshots(&mut self) {}

    pub(crate) fn snapshot_deadline(&self) -> Option<Instant> {
        None
    }

    pub(crate) fn on_snapshot_tick(&mut self) {}

    /// Leadership of this reign is over.
    pub(crate) fn snapshot_reign_ends(&mut self) {}
}
