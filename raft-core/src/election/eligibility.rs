//! Eligibility: who may campaign, and how eagerly.
//!
//! **Intuition.** Some servers are better leaders than others. A low priority stretches the wait
//! before a campaign, priority 0 never campaigns, and a node may be told not to lead at all; none
//! of it changes how votes are judged, so the group stays live without its favourites. A leader
//! that may no longer lead hands over, and steps down if nobody takes it.
//! **Source.** S-24 (WARaft's election weight); T-ext-04.
//! **Upholds.** `inv:live`.
//! **Not here.** Campaigning (`campaign.rs`), the stretched wait (`timer.rs`).

use crate::{
    Node,
    error::Rejected,
    input::Changed,
    storage::recover::NUMBER_MAX,
    transfer::TransferRequest,
    types::{Lifecycle, Role},
};

/// The highest priority.
const PRIORITY_MAX: u8 = 10;

impl Node {
    /// Whether an election timeout leads to a campaign here.
    pub(crate) fn may_campaign(&self) -> bool {
        self.may_stand()
            && self.options.can_lead
            && self.options.priority > 0
            && self.lifecycle() == Lifecycle::Running
            && self.has_room_for_a_term()
            // A leader begins with an entry of its own.
            && self.log.last_index().0 < NUMBER_MAX
            && self.holds_decree()
    }

    /// From now on this node campaigns with `priority`, if it `can_lead` at all.
    pub(crate) fn on_set_eligibility(
        &mut self,
        priority: u8,
        can_lead: bool,
    ) -> Result<(), Rejected> {
        if priority > PRIORITY_MAX {
            return Err(Rejected::Malformed);
        }
        let own = alloc::sync::Arc::make_mut(&mut self.options);
        own.priority = priority;
        own.can_lead = can_lead;
        match self.role() {
            Role::Leader if !can_lead && self.transferring().is_none() => self.leave_office(),
            Role::PreCandidate | Role::Candidate if !self.may_campaign() => {
                self.become_follower(self.hard.term, None);
            }
            _ => {}
        }
        self.changed(Changed::ROLE);
        Ok(())
    }

    /// Hands leadership over to the best candidate, or just gives it up.
    fn leave_office(&mut self) {
        match self.judge_transfer(TransferRequest::default()) {
            Ok(to) => self.begin_transfer(to, None),
            Err(_) => self.step_down(),
        }
    }
}
