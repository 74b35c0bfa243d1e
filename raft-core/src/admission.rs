//! Admission: which requests a leader takes, and in what order they reach the log.
//!
//! **Intuition.** TODO-header
//! **Source.** Ours.
//! **Upholds.** `inv:bounded`.
//! **Not here.** Appending (`replication/propose.rs`).

use bytes::Bytes;

use crate::{Node, error::Rejected, types::Instant};

/// What the store can take.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Capacity {
    /// Everything.
    #[default]
    All,
    /// Changes of configuration, but no proposals.
    ConfigOnly,
    /// Nothing new.
    None,
}

/// Which of two queues a proposal waits in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Priority {
    /// Appended at once; never refused because of low ones.
    #[default]
    High,
    /// Appended after the high ones of the same batch.
    Low,
}

/// A command with more to say than its bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Proposal {
    /// The command.
    pub payload: Bytes,
    /// Which queue.
    pub priority: Priority,
    /// Drop it if it is not appended by then.
    pub deadline: Option<Instant>,
    /// The entry's label.
    pub label: u64,
}

/// Why a deferred proposal was never appended. Definite.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum DeferredRefusal {
    /// The election it waited for was not won.
    ElectionLost,
    /// Leadership was lost before it was appended.
    NotLeader,
    /// Its deadline passed.
    DeadlinePassed,
    /// The node halted or was shut down.
    Halted,
}

/// Proposals accepted and not yet appended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Deferred {}

impl Node {
    pub(crate) fn on_propose_with(&mut self, _proposal: Proposal) -> Result<(), Rejected> {
        Err(Rejected::Placeholder)
    }

    pub(crate) fn on_capacity(&mut self, capacity: Capacity) {
        self.capacity = capacity;
    }

    /// Appends what has waited long enough.
    pub(crate) fn settle_deferred(&mut self) {}

    /// When a deferred proposal is due or too late.
    pub(crate) fn deferred_deadline(&self) -> Option<Instant> {
        None
    }

    pub(crate) fn on_deferred_tick(&mut self) {}

    /// The reign or candidacy is over: what was not appended never will be.
    pub(crate) fn refuse_deferred(&mut self, _why: DeferredRefusal) {}
}
