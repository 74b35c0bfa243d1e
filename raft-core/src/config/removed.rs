//! Removal: nodes that are no members any more learn it.
//!
//! **Intuition.** TODO-header
//! **Source.** SEEDS 2.9.9; B-021.
//! **Upholds.** `inv:only-voters-count`.
//! **Not here.** Changes (`change.rs`).

use crate::{Node, error::Rejected, message::NotMember, types::NodeId};

impl Node {
    pub(crate) fn on_not_member(
        &mut self,
        _from: NodeId,
        _told: NotMember,
    ) -> Result<(), Rejected> {
        Err(Rejected::Placeholder)
    }

    pub(crate) fn send_not_member(&mut self) {}
}
