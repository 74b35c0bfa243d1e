//! Elections on request: campaign now, forget the leader.
//!
//! **Intuition.** TODO-header
//! **Source.** SEEDS S-26.
//! **Upholds.** `inv:election-safety`, `inv:lease-bound`.
//! **Not here.** Elections by timeout (`campaign.rs`).

use crate::{Node, error::Rejected, types::Term};

impl Node {
    pub(crate) fn on_campaign(&mut self, _min_term: Term) -> Result<(), Rejected> {
        Err(Rejected::Placeholder)
    }

    pub(crate) fn on_forget_leader(&mut self) -> Result<(), Rejected> {
        Err(Rejected::Placeholder)
    }
}
