//! Silence: peers that do not answer.
//!
//! **Intuition.** TODO-header
//! **Source.** SEEDS S-40.
//! **Upholds.** `inv:bounded`.
//! **Not here.** Progress (`progress.rs`).

use crate::{
    Node,
    error::Rejected,
    types::{Instant, NodeId},
};

impl Node {
    pub(crate) fn on_unreachable(&mut self, _peer: NodeId) -> Result<(), Rejected> {
        Err(Rejected::Placeholder)
    }

    pub(crate) fn progress_deadline(&self) -> Option<Instant> {
        None
    }

    pub(crate) fn on_progress_tick(&mut self) {}
}
