//! Unsafe recovery.
//!
//! **Intuition.** TODO-header
//! **Source.** SEEDS 2.13.
//! **Upholds.** `inv:configuration-safety`.
//! **Not here.** Ordinary changes (`config/change.rs`).

use alloc::vec::Vec;

use crate::{
    Node,
    error::Rejected,
    types::{LogPosition, NodeId, RecoveryEpoch, Term},
};

/// An operator's plan to go on without a majority.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct RecoveryPlan {
    /// The operator accepts that committed data may be lost.
    pub data_may_be_lost: bool,
    /// Who is left, ascending.
    pub survivors: Vec<NodeId>,
    /// Who carries it out: the survivor with the highest last position.
    pub keep: NodeId,
    /// Its last position as inspected.
    pub last: LogPosition,
    /// The highest term of any survivor.
    pub term: Term,
    /// The epoch it founds.
    pub epoch: RecoveryEpoch,
}

/// Why a recovery was refused. Definite: nothing changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RecoveryError {
    /// The plan does not say that data may be lost.
    NotAcknowledged,
}

impl Node {
    pub(crate) fn on_unsafe_recover(&mut self, _plan: RecoveryPlan) -> Result<(), Rejected> {
        Err(Rejected::Placeholder)
    }

    pub(crate) fn on_accept_recovery(&mut self, _epoch: RecoveryEpoch) -> Result<(), Rejected> {
        Err(Rejected::Placeholder)
    }
}
