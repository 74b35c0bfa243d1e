//! Reads at a follower.
//!
//! **Intuition.** TODO-header
//! **Source.** Thesis §6.4.
//! **Upholds.** `inv:read-freshness`.
//! **Not here.** Reads at the leader (`mod.rs`).

use crate::{
    Node,
    error::Rejected,
    message::{ReadIndex, ReadIndexReply},
    types::NodeId,
};

impl Node {
    pub(crate) fn on_read_index(&mut self, _from: NodeId, _ask: ReadIndex) -> Result<(), Rejected> {
        Err(Rejected::Placeholder)
    }

    pub(crate) fn on_read_index_reply(
        &mut self,
        _from: NodeId,
        _reply: ReadIndexReply,
    ) -> Result<(), Rejected> {
        Err(Rejected::Placeholder)
    }

    pub(crate) fn send_read_index(&mut self) {}
}
