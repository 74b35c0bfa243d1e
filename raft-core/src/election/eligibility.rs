//! Eligibility: who may campaign, and how eagerly.
//!
//! **Intuition.** TODO-header
//! **Source.** SEEDS S-24.
//! **Upholds.** `inv:live`.
//! **Not here.** Campaigning (`campaign.rs`).

use crate::{Node, error::Rejected, types::Lifecycle};

impl Node {
    /// Whether an election timeout leads to a campaign here.
    pub(crate) fn may_campaign(&self) -> bool {
        self.own_seat.may_lead()
            && self.options.can_lead
            && self.options.priority > 0
            && self.lifecycle() == Lifecycle::Running
            && self.has_room_for_a_term()
            && self.holds_decree()
    }

    pub(crate) fn on_set_eligibility(
        &mut self,
        _priority: u8,
        _can_lead: bool,
    ) -> Result<(), Rejected> {
        Err(Rejected::Placeholder)
    }
}
