//! Legal next configurations.
//!
//! **Intuition.** TODO-header
//! **Source.** Thesis §4.1–§4.3.
//! **Upholds.** `inv:configuration-safety`.
//! **Not here.** Effect on peers (`members.rs`).

use alloc::{boxed::Box, vec::Vec};

use crate::{
    Node,
    config::Configuration,
    error::Rejected,
    settings::Settings,
    types::{Incarnation, Instant, LogIndex, NodeId},
};

/// A wanted change.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct ConfigChange {
    /// Only if this still holds.
    pub expect: Option<ConfigExpect>,
    /// What to do.
    pub action: ConfigAction,
    /// Skip the check that the remaining voters answer; nothing else.
    pub force: bool,
}

/// What must still hold for a change to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum ConfigExpect {
    /// The configuration's entry has this index.
    Index(LogIndex),
    /// The voters are exactly these, ascending.
    Voters(Vec<NodeId>),
}

/// A change of membership or settings.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum ConfigAction {
    /// Add a member that only listens.
    AddLearner {
        /// Who.
        node: NodeId,
        /// The life of its disk; 0 believes the first it shows.
        incarnation: Incarnation,
        /// Without data.
        witness: bool,
    },
    /// Let a learner vote.
    Promote {
        /// Who.
        node: NodeId,
        /// Refuse unless it is caught up.
        if_ready: bool,
    },
    /// Add a learner and promote it as soon as it is caught up.
    AddVoter {
        /// Who.
        node: NodeId,
        /// The life of its disk; 0 believes the first it shows.
        incarnation: Incarnation,
        /// Without data.
        witness: bool,
    },
    /// A voter stays as a learner.
    Demote {
        /// Who.
        node: NodeId,
    },
    /// A member leaves.
    Remove {
        /// Who.
        node: NodeId,
    },
    /// A voter drops its data and goes on voting.
    ToWitness {
        /// Who.
        node: NodeId,
    },
    /// All voters at once, through joint consensus.
    ReplaceVoters {
        /// The new ones, ascending.
        voters: Vec<NodeId>,
        /// Stay joint until `LeaveJoint`.
        explicit_leave: bool,
    },
    /// Leave a joint configuration that waits for it.
    LeaveJoint,
    /// Append the present configuration once more.
    Refresh,
    /// Replace the group's settings; the version is counted up by the core.
    SetSettings(Settings),
}

/// Why a change was refused. Definite: nothing was appended.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ChangeError {
    /// Ask the node hinted at.
    NotLeader {
        /// Who leads, as this node believes.
        hint: Option<NodeId>,
    },
    /// Restart the node from disk.
    Halted,
}

/// The change this leader is carrying out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Changes {}

impl Node {
    pub(crate) fn on_change_config(&mut self, _change: Box<ConfigChange>) -> Result<(), Rejected> {
        Err(Rejected::Placeholder)
    }

    /// Goes on with what is due: leaving a joint configuration, promoting who is caught up.
    pub(crate) fn settle_changes(&mut self) {}

    pub(crate) fn change_deadline(&self) -> Option<Instant> {
        None
    }

    pub(crate) fn on_change_tick(&mut self) {}

    /// A configuration or settings entry at `index` became committed.
    pub(crate) fn on_mark_committed(&mut self, _index: LogIndex) {}

    /// Leadership of this reign is over.
    pub(crate) fn change_reign_ends(&mut self) {}

    /// Another configuration is in force; the peers follow already.
    pub(crate) fn on_configuration_in_force(&mut self, _before: &Configuration) {}
}
