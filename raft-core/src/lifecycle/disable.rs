//! Out of service, durably.
//!
//! **Intuition.** TODO-header
//! **Source.** SEEDS S-17.
//! **Upholds.** `inv:one-vote-per-term`.
//! **Not here.** Halting (`node.rs`).

use crate::{Node, error::Rejected, storage::DisableReason};

impl Node {
    pub(crate) fn on_disable(&mut self, _reason: DisableReason) -> Result<(), Rejected> {
        Err(Rejected::Placeholder)
    }

    pub(crate) fn on_enable(&mut self) -> Result<(), Rejected> {
        Err(Rejected::Placeholder)
    }
}
