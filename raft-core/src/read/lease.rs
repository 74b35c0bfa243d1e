//! Leases.
//!
//! **Intuition.** TODO-header
//! **Source.** Thesis §6.4.1.
//! **Upholds.** `inv:lease-bound`.
//! **Not here.** Rounds (`replication/heartbeat.rs`).

use crate::{Node, message::AppendReply, types::NodeId};

impl Node {
    /// A voter answered a round and stated its promise.
    pub(crate) fn on_promise(&mut self, _from: NodeId, _reply: &AppendReply) {}

    /// Which transfers are void for `peer`, to be said in an append of `round`.
    pub(crate) fn void_transfer_for(&mut self, _peer: NodeId, _round: u64) -> u64 {
        0
    }
}
