//! Lifecycle: whether a node takes part at all.
//!
//! **Intuition.** TODO-header
//! **Source.** Ours.
//! **Upholds.** `inv:one-vote-per-term`.
//! **Not here.** Roles (`role.rs`).

pub(crate) mod bootstrap;
pub(crate) mod disable;
pub(crate) mod recovery;
pub(crate) mod skip;

use crate::{Node, types::Lifecycle};

impl Node {
    /// Whether this node takes part.
    #[must_use]
    pub fn lifecycle(&self) -> Lifecycle {
        if self.halted.is_some() {
            Lifecycle::Halted
        } else if self.hard.disabled.is_some() {
            Lifecycle::Disabled
        } else if self.quarantined || self.changes.other_life || self.wants_data() {
            Lifecycle::Quarantined
        } else {
            Lifecycle::Running
        }
    }
}
