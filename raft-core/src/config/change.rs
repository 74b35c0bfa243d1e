//! Changes of membership and settings: what can be wanted, and whether it can be had now.
//!
//! **Intuition.** A change is judged as a whole before anything is appended, so a refusal is
//! definite and says what stood in the way. What is wanted and already so is no refusal: a retry
//! whose first answer was lost is told that nothing had to change.
//! **Source.** Thesis §4.1 (one at a time, after an entry of the own term), §4.3; B-060, B-061,
//! D-R8, D-Z14.
//! **Upholds.** `inv:configuration-safety`, `inv:nothing-lost`.
//! **Not here.** The next configuration (`plan.rs`), its way to the end (`carry.rs`), which
//! voters answer (`guard.rs`).

use alloc::{boxed::Box, vec::Vec};
use core::fmt;

use super::{
    Configuration, ConfigurationError,
    carry::Stage,
    guard::Readiness,
    plan::{Next, plan},
};
use crate::{
    Node,
    admission::Capacity,
    error::{Rejected, STORE_STALLED},
    input::{Accepted, Input, Issued},
    log::{Entry, EntryKind},
    options::OptionsError,
    role::RoleState,
    settings::Settings,
    storage::recover::NUMBER_MAX,
    types::{
        Incarnation, Instant, Lifecycle, LogIndex, LogPosition, NodeId, OperationTicket, Role, Term,
    },
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
        /// The life of its disk; 0 believes the first it shows, and states that when it is
        /// promoted.
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
        /// The life of its disk; 0 believes the first it shows, and states that when it is
        /// promoted.
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
    /// All voters at once, through joint consensus if more than one vote changes. Voters that are
    /// not named leave.
    ReplaceVoters {
        /// The new ones, ascending.
        voters: Vec<NodeId>,
        /// Go through a joint configuration in any case, and stay there until `LeaveJoint`.
        explicit_leave: bool,
    },
    /// Leave a joint configuration that waits for it.
    LeaveJoint,
    /// Append the present configuration once more.
    Refresh,
    /// Replace the group's settings; the version is counted up by the core.
    SetSettings(Settings),
}

/// Why a change was refused. Definite: nothing was appended, now or later.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum ChangeError {
    /// Ask the node hinted at.
    NotLeader {
        /// Who leads, as this node believes.
        hint: Option<NodeId>,
    },
    /// Try again after an election timeout.
    ElectionInProgress {
        /// The term of the election.
        term: Term,
    },
    /// The node belongs to no group: it is blank, or was removed. Ask a member.
    NotInGroup,
    /// The node is disabled or quarantined. Ask another.
    OutOfService,
    /// Leadership is being handed over; ask the target.
    Transferring {
        /// To whom.
        to: NodeId,
    },
    /// No entry of this leader's term is committed yet; try again when one is.
    NoQuorumInTerm,
    /// An earlier change is not yet committed, or the configuration is joint; wait for it.
    ChangeInProgress {
        /// The index of its newest entry.
        index: LogIndex,
    },
    /// What was expected does not hold; look at what does, and decide again.
    ConfigMismatch {
        /// The index of the present configuration's entry.
        index: LogIndex,
        /// The present configuration.
        configuration: Configuration,
    },
    /// The node is a voter already, in another way than asked for.
    AlreadyVoter,
    /// The node is a learner already, with another life of its disk. Remove it first.
    AlreadyLearner,
    /// The node is a witness: it must be removed, wiped and added again to hold data.
    AlreadyWitness,
    /// The node holds data; ask a voter to become a witness with `ToWitness`.
    NotWitness,
    /// The node is no member.
    NotMember,
    /// The node is a learner; promote it first.
    NotVoter,
    /// Nothing was heard of this node, and the configuration does not state the life of its disk:
    /// add it as a learner first, stating the life or waiting until it answers. Without that a
    /// wiped disk could vote in its place.
    LifeUnknown(NodeId),
    /// The node is not caught up; wait, or add it with `AddVoter`.
    NotReady(Readiness),
    /// The leader cannot take away its own vote or data in one step; hand leadership over first.
    CannotRemoveLeader,
    /// Too few of the voters that would be left answer; `force` goes on all the same.
    WouldBreakQuorum {
        /// How many answered lately, this node included.
        responsive: usize,
        /// How many are needed.
        needed: usize,
    },
    /// What is wanted is no configuration.
    InvalidConfiguration(ConfigurationError),
    /// The settings contradict each other or this node's options.
    InvalidSettings(OptionsError),
    /// Wait for the store: too much is not yet durable, or its driver said that it takes nothing at
    /// all (`Capacity::None`).
    CommitStalled,
    /// Restart the node from disk.
    Halted,
}

impl fmt::Display for ChangeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotLeader { hint: Some(node) } => write!(f, "not the leader, try {node}"),
            Self::NotLeader { hint: None } => f.write_str("not the leader, and none is known"),
            Self::ElectionInProgress { term } => {
                write!(f, "an election is under way in term {term}")
            }
            Self::NotInGroup => f.write_str("this node belongs to no group"),
            Self::OutOfService => f.write_str("this node is disabled or quarantined"),
            Self::Transferring { to } => write!(f, "leadership is on its way to {to}"),
            Self::NoQuorumInTerm => f.write_str("nothing of this term is committed yet"),
            Self::ChangeInProgress { index } => {
                write!(f, "the change at index {index} is not finished")
            }
            Self::ConfigMismatch { index, .. } => {
                write!(f, "the configuration is another one, of index {index}")
            }
            Self::AlreadyVoter => f.write_str("already a voter"),
            Self::AlreadyLearner => f.write_str("already a learner; remove it first"),
            Self::AlreadyWitness => {
                f.write_str("a witness holds no data; remove, wipe and add it again")
            }
            Self::NotWitness => f.write_str("the node holds data and is no witness"),
            Self::NotMember => f.write_str("no member"),
            Self::NotVoter => f.write_str("a learner, no voter"),
            Self::LifeUnknown(node) => {
                write!(f, "the life of {node}'s disk is not known; add it as a learner first")
            }
            Self::NotReady(readiness) => write!(f, "not ready: {readiness}"),
            Self::CannotRemoveLeader => {
                f.write_str("the leader must hand its leadership over first")
            }
            Self::WouldBreakQuorum { responsive, needed } => {
                write!(f, "only {responsive} of the {needed} voters needed afterwards answer")
            }
            Self::InvalidConfiguration(error) => write!(f, "no configuration: {error}"),
            Self::InvalidSettings(error) => write!(f, "settings: {error}"),
            Self::CommitStalled => f.write_str(STORE_STALLED),
            Self::Halted => f.write_str("the node has halted; restart it from disk"),
        }
    }
}

impl core::error::Error for ChangeError {}

/// An accepted change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Change {
    /// The group is as wanted already; this is the index of its configuration. Nothing was
    /// appended.
    Unchanged(LogIndex),
    /// Begun; `OperationEnded` tells how it ends.
    Begun(OperationTicket),
}

impl Node {
    /// Changes the configuration or the settings.
    ///
    /// # Errors
    /// [`ChangeError`]: definite, nothing was appended.
    pub fn change(&mut self, now: Instant, change: ConfigChange) -> Result<Change, ChangeError> {
        let asked = Box::new(change);
        let refused = match self.step(now, Input::ChangeConfig(asked.clone())) {
            Ok(Accepted { issued: Issued::Operation(ticket), .. }) => {
                return Ok(Change::Begun(ticket));
            }
            Ok(Accepted { issued: Issued::Unchanged(index), .. }) => {
                return Ok(Change::Unchanged(index));
            }
            Ok(_) => return Err(ChangeError::Halted),
            Err(refused) => refused,
        };
        // A refused step changed nothing: the same judgement says why.
        match (refused, self.judge_change(&asked)) {
            (Rejected::Halted, _) => Err(ChangeError::Halted),
            (_, Err(error)) => Err(error),
            (_, Ok(_)) => Err(ChangeError::CommitStalled),
        }
    }

    /// Takes a wanted change at a leader.
    pub(crate) fn on_change_config(&mut self, change: Box<ConfigChange>) -> Result<(), Rejected> {
        let next = self.judge_change(&change).map_err(|error| match error {
            ChangeError::NotLeader { .. } => Rejected::NotLeader,
            ChangeError::ElectionInProgress { .. } => Rejected::ElectionInProgress,
            ChangeError::Transferring { .. } => Rejected::Transferring,
            ChangeError::NotInGroup => Rejected::NotInGroup,
            ChangeError::CommitStalled => Rejected::CommitStalled,
            ChangeError::OutOfService if self.hard.disabled.is_some() => Rejected::Disabled,
            ChangeError::OutOfService => Rejected::Quarantined,
            _ => Rejected::ChangeRefused,
        })?;
        let stage = match next {
            Next::Unchanged => {
                self.accepted.issued = Issued::Unchanged(self.marks.history.newest().0);
                return Ok(());
            }
            Next::Once(configuration) => Stage::Last(self.append_configuration(&configuration)?),
            Next::Joint(configuration) => Stage::Joint(self.append_configuration(&configuration)?),
            Next::Learner(node, configuration) => {
                Stage::Learner(node, self.append_configuration(&configuration)?)
            }
            Next::Waiting(node) => {
                let index = self.marks.history.newest().0;
                let term = self.log.term_at(index).unwrap_or(Term::ZERO);
                Stage::Learner(node, LogPosition::new(term, index))
            }
            Next::Settings(settings) => {
                let entry = Entry {
                    kind: EntryKind::SETTINGS,
                    payload: settings.encode(),
                    ..Entry::default()
                };
                Stage::Last(self.append_mark(entry)?)
            }
        };
        let ticket = self.mint_operation();
        self.changes.begin(ticket, stage);
        Ok(())
    }

    /// Judges a change and changes nothing: what is to be appended next.
    pub(crate) fn judge_change(&self, change: &ConfigChange) -> Result<Next, ChangeError> {
        self.judge_role()?;
        let (index, current) = self.marks.history.newest();
        let leaves = change.action == ConfigAction::LeaveJoint;
        if index > self.commit || current.is_joint() && !leaves {
            return Err(ChangeError::ChangeInProgress { index });
        }
        if let Some((index, _)) = self.marks.settings.first() {
            return Err(ChangeError::ChangeInProgress { index: *index });
        }
        let next = self.judge_action(current, &change.action);
        if matches!(next, Ok(Next::Unchanged)) {
            return next;
        }
        let holds = match &change.expect {
            None => true,
            Some(ConfigExpect::Index(expected)) => *expected == index,
            Some(ConfigExpect::Voters(expected)) => expected == current.voters(),
        };
        if !holds {
            let configuration = current.clone();
            return Err(ChangeError::ConfigMismatch { index, configuration });
        }
        let waits = matches!(next, Ok(_) | Err(ChangeError::LifeUnknown(_)));
        if let ConfigAction::Promote { node, if_ready: true } = change.action
            && let Some(peer) = self.peer(node)
            && let readiness = self.readiness(peer)
            && readiness != Readiness::Ready
            && waits
        {
            return Err(ChangeError::NotReady(readiness));
        }
        let next = next?;
        if !change.force
            && !leaves
            && let Next::Once(after) | Next::Joint(after) = &next
        {
            self.judge_quorum_after(current, after)?;
        }
        if self.capacity == Capacity::None
            || self.log.last_index().0 >= NUMBER_MAX
            || self.changes.is_full()
        {
            return Err(ChangeError::CommitStalled);
        }
        Ok(next)
    }

    /// Whether this node may begin a change at all.
    fn judge_role(&self) -> Result<(), ChangeError> {
        match self.lifecycle() {
            Lifecycle::Halted => return Err(ChangeError::Halted),
            Lifecycle::Disabled | Lifecycle::Quarantined => return Err(ChangeError::OutOfService),
            Lifecycle::Running => {}
        }
        if !self.belongs() && self.role() != Role::Leader {
            return Err(ChangeError::NotInGroup);
        }
        let RoleState::Leader(leader) = &self.role else {
            return Err(match self.not_leader() {
                Rejected::ElectionInProgress => {
                    ChangeError::ElectionInProgress { term: self.hard.term }
                }
                _ => ChangeError::NotLeader { hint: self.leader },
            });
        };
        if let Some(transfer) = &leader.transfer {
            return Err(ChangeError::Transferring { to: transfer.to });
        }
        if self.commit < leader.opening {
            return Err(ChangeError::NoQuorumInTerm);
        }
        Ok(())
    }

    /// What `action` makes of `current`.
    fn judge_action(
        &self,
        current: &Configuration,
        action: &ConfigAction,
    ) -> Result<Next, ChangeError> {
        let ConfigAction::SetSettings(wanted) = action else {
            return plan(current, action, self.hard.node, &|node| self.heard_life(node));
        };
        let version = self.settings.version;
        let settings = Settings { version, ..*wanted };
        if settings == self.settings {
            return Ok(Next::Unchanged);
        }
        settings.validate(&self.options).map_err(ChangeError::InvalidSettings)?;
        Ok(Next::Settings(Settings { version: version.saturating_add(1), ..settings }))
    }

    /// Appends a configuration as leader; in force at once.
    pub(crate) fn append_configuration(
        &mut self,
        configuration: &Configuration,
    ) -> Result<LogPosition, Rejected> {
        let payload = configuration.encode();
        self.append_mark(Entry { kind: EntryKind::CONFIGURATION, payload, ..Entry::default() })
    }

    fn append_mark(&mut self, entry: Entry) -> Result<LogPosition, Rejected> {
        assert!(self.role() == Role::Leader, "only a leader changes the group");
        if !self.tail_has_room(1, entry.len_bytes()) {
            return Err(Rejected::CommitStalled);
        }
        let index = self.append_for_core(entry);
        Ok(LogPosition::new(self.hard.term, index))
    }
}
