//! Unsafe recovery: going on without a majority, because an operator says so.
//!
//! **Intuition.** When a majority is gone for good, no rule of Raft helps; somebody must decide
//! that what the survivors hold is all there is. The decision is a new epoch. At the survivor with
//! the greatest last position it becomes a *decree*: a configuration of the survivors, written in
//! a term above all of theirs, in which every other survivor gives its vote to that node by
//! accepting the plan. So nobody else can lead that term, and nobody without the decree in its log
//! campaigns in that epoch. Messages of other epochs are refused for ever, so an old majority that
//! comes back cannot mix with the new group.
//! **Source.** S-28, S-82; D-W4 (leading without votes, in the old identity) is how not to.
//! **Upholds.** `inv:election-safety` and `inv:log-matching` within an epoch;
//! `inv:configuration-safety`.
//! **Not here.** Choosing the survivor (`plan.rs`), a new group from one copy (`fork.rs`),
//! ordinary changes (`config/change.rs`).

use alloc::vec::Vec;
use core::fmt;

use super::disable::operation;
use crate::{
    Node,
    config::{Configuration, ConfigurationError, ConfigurationParts},
    error::Rejected,
    input::{Changed, Input},
    log::{Entry, EntryKind},
    storage::recover::NUMBER_MAX,
    types::{
        Instant, Lifecycle, LogIndex, LogPosition, Membership, NodeId, OperationTicket,
        RecoveryEpoch, Term,
    },
};

/// An operator's plan to go on without a majority; the same for every survivor.
/// [`RecoveryPlan::choose`] makes one from what was found on the survivors' disks.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct RecoveryPlan {
    /// The operator accepts that committed data may be lost.
    pub data_may_be_lost: bool,
    /// Who is left, ascending.
    pub survivors: Vec<NodeId>,
    /// Who carries it out: the survivor with the highest last position.
    pub keep: NodeId,
    /// Its last position as inspected.
    pub last: LogPosition,
    /// The highest term of any survivor.
    pub term: Term,
    /// The epoch it founds.
    pub epoch: RecoveryEpoch,
}

/// Why a recovery was refused. Definite: nothing changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum RecoveryError {
    /// The plan does not say that data may be lost.
    NotAcknowledged,
    /// The plan is carried out at another node, and accepted here.
    NotKeeper {
        /// Where.
        keep: NodeId,
    },
    /// This node carries the plan out; it does not accept it.
    IsKeeper,
    /// This node, or the one that carries the plan out, is not among the survivors.
    NotSurvivor(NodeId),
    /// A survivor is no member of the configuration in force here.
    NotMember(NodeId),
    /// The node to carry it out holds no data.
    KeeperIsWitness,
    /// The log ends elsewhere than the plan says: inspect again.
    LogMoved {
        /// Where it ends.
        last: LogPosition,
    },
    /// The end of the log is not durable yet; try again.
    NotDurable,
    /// The term is above the plan's: inspect again.
    TermMoved {
        /// The term.
        term: Term,
    },
    /// The plan's epoch is not above the one in force here. Of two plans with one number the first
    /// holds; a plan with a greater number replaces it.
    OldEpoch {
        /// The epoch in force.
        have: RecoveryEpoch,
    },
    /// The survivors are no configuration.
    Configuration(ConfigurationError),
    /// This node does not take part, or belongs to no group.
    WrongLifecycle(Lifecycle),
    /// This disk belongs to no group.
    NotInGroup,
    /// Term or index are at the end of their range, or the log holds too many terms.
    NumberRange,
    /// Too many operations are open; wait for one to end.
    Busy,
}

impl fmt::Display for RecoveryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAcknowledged => f.write_str("the plan does not accept that data may be lost"),
            Self::NotKeeper { keep } => {
                write!(f, "the plan is carried out at {keep}; accept it here")
            }
            Self::IsKeeper => f.write_str("this node carries the plan out and does not accept it"),
            Self::NotSurvivor(node) => write!(f, "{node} is not among the survivors"),
            Self::NotMember(node) => write!(f, "{node} is no member here"),
            Self::KeeperIsWitness => f.write_str("a witness holds no data to go on with"),
            Self::LogMoved { last } => write!(f, "the log ends at {last}; inspect again"),
            Self::NotDurable => f.write_str("the end of the log is not durable yet; try again"),
            Self::TermMoved { term } => write!(f, "the term is {term} by now; inspect again"),
            Self::OldEpoch { have } => {
                write!(f, "epoch {} of plan {} is in force", have.number, have.plan_id)
            }
            Self::Configuration(error) => write!(f, "survivors: {error}"),
            Self::WrongLifecycle(lifecycle) => write!(f, "the node is {lifecycle}"),
            Self::NotInGroup => f.write_str("this disk belongs to no group"),
            Self::NumberRange => f.write_str("term or index are at the end of their range"),
            Self::Busy => f.write_str("too many operations are open; wait for one to end"),
        }
    }
}

impl core::error::Error for RecoveryError {}

impl Node {
    /// Carries a plan out at the survivor it names. **Loses what only the others held.** The
    /// ticket ends when the configuration of the survivors is committed.
    ///
    /// # Errors
    /// [`RecoveryError`]: definite, nothing changed.
    pub fn unsafe_recover(
        &mut self,
        now: Instant,
        plan: RecoveryPlan,
    ) -> Result<OperationTicket, RecoveryError> {
        self.judge_recover(&plan)?;
        let result = self.step(now, Input::UnsafeRecover(alloc::boxed::Box::new(plan)));
        operation(result).ok_or(RecoveryError::Busy)
    }

    /// Accepts, at another survivor, the plan that is carried out at its keeper: from then on only
    /// messages of the plan's epoch are heard. The ticket ends when that is durable.
    ///
    /// # Errors
    /// [`RecoveryError`]: definite, nothing changed.
    pub fn accept_recovery(
        &mut self,
        now: Instant,
        plan: RecoveryPlan,
    ) -> Result<OperationTicket, RecoveryError> {
        self.judge_accept(&plan)?;
        let result = self.step(now, Input::AcceptRecovery(alloc::boxed::Box::new(plan)));
        operation(result).ok_or(RecoveryError::Busy)
    }

    /// The epoch in force here.
    #[must_use]
    pub const fn epoch(&self) -> RecoveryEpoch {
        self.hard.epoch
    }

    /// Whether the log here holds the decree of the epoch in force, if there is one: without it
    /// nobody campaigns.
    pub(crate) fn holds_decree(&self) -> bool {
        let decreed = self.configuration.parts().recoveries.last().map(|(epoch, _)| *epoch);
        self.hard.epoch == decreed.unwrap_or_default()
    }

    /// What keeper and other survivors look at alike.
    fn judge_plan(&self, plan: &RecoveryPlan) -> Result<(), RecoveryError> {
        if self.halted.is_some() {
            return Err(RecoveryError::WrongLifecycle(Lifecycle::Halted));
        }
        if !plan.data_may_be_lost {
            return Err(RecoveryError::NotAcknowledged);
        }
        if self.membership() == Membership::Blank {
            return Err(RecoveryError::NotInGroup);
        }
        for node in [plan.keep, self.hard.node] {
            if !plan.survivors.contains(&node) {
                return Err(RecoveryError::NotSurvivor(node));
            }
        }
        if plan.epoch.number <= self.hard.epoch.number {
            return Err(RecoveryError::OldEpoch { have: self.hard.epoch });
        }
        if self.hard.term > plan.term {
            return Err(RecoveryError::TermMoved { term: self.hard.term });
        }
        if plan.term.0 >= NUMBER_MAX || plan.last.index.0 >= NUMBER_MAX {
            return Err(RecoveryError::NumberRange);
        }
        if self.operations.is_full() { Err(RecoveryError::Busy) } else { Ok(()) }
    }

    /// The configuration of the decree.
    fn judge_recover(&self, plan: &RecoveryPlan) -> Result<Configuration, RecoveryError> {
        self.judge_plan(plan)?;
        let lifecycle = self.lifecycle();
        if lifecycle == Lifecycle::Disabled {
            return Err(RecoveryError::WrongLifecycle(lifecycle));
        }
        if plan.keep != self.hard.node {
            return Err(RecoveryError::NotKeeper { keep: plan.keep });
        }
        if self.configuration.is_witness(plan.keep) {
            return Err(RecoveryError::KeeperIsWitness);
        }
        if plan.last != self.log.last() {
            return Err(RecoveryError::LogMoved { last: self.log.last() });
        }
        if self.lane.durable() < plan.last.index {
            return Err(RecoveryError::NotDurable);
        }
        // The decree's term and that of the reign which follows it.
        if self.log.term_runs().saturating_add(2) > self.options.term_runs_max as usize {
            return Err(RecoveryError::NumberRange);
        }
        survivors(&self.configuration, plan)
    }

    fn judge_accept(&self, plan: &RecoveryPlan) -> Result<(), RecoveryError> {
        self.judge_plan(plan)?;
        let lifecycle = self.lifecycle();
        if lifecycle != Lifecycle::Running {
            return Err(RecoveryError::WrongLifecycle(lifecycle));
        }
        if plan.keep == self.hard.node {
            return Err(RecoveryError::IsKeeper);
        }
        if self.log.last() > plan.last {
            // The keeper is not the one that holds most.
            return Err(RecoveryError::LogMoved { last: self.log.last() });
        }
        Ok(())
    }

    pub(crate) fn on_unsafe_recover(&mut self, plan: &RecoveryPlan) -> Result<(), Rejected> {
        let configuration = self.judge_recover(plan).map_err(|_| Rejected::RecoveryRefused)?;
        let me = self.hard.node;
        let Some(term) = self.enter_epoch(plan, me) else { return Err(Rejected::RecoveryRefused) };
        self.hard.disabled = None;
        self.quarantined = false;
        let entry = Entry {
            kind: EntryKind::CONFIGURATION,
            stamp: self.last_stamp,
            label: self.last_label.unwrap_or(0),
            payload: configuration.encode(),
        };
        assert_eq!(self.log.last(), plan.last, "a decree stands right behind what is kept");
        let index = self.log.append(term, entry.clone());
        self.log_changed(index);
        let position = LogPosition::new(term, index);
        self.mark_appended(position, &entry);
        // Nobody else can lead this term, so there is nobody to wait for.
        self.election_at = self.now;
        self.begin_until_committed(position);
        Ok(())
    }

    pub(crate) fn on_accept_recovery(&mut self, plan: &RecoveryPlan) -> Result<(), Rejected> {
        self.judge_accept(plan).map_err(|_| Rejected::RecoveryRefused)?;
        if self.enter_epoch(plan, plan.keep).is_none() {
            return Err(Rejected::RecoveryRefused);
        }
        self.restart_election_timer();
        self.begin_until_durable(LogIndex::ZERO);
        Ok(())
    }

    /// Enters the plan's epoch and, with a vote for its keeper, the term of its decree.
    fn enter_epoch(&mut self, plan: &RecoveryPlan, keep: NodeId) -> Option<Term> {
        let term = plan.term.next()?;
        self.become_follower(self.hard.term, None);
        self.hard.epoch = plan.epoch;
        self.enter_term(term);
        self.hard.vote = Some(keep);
        // The leader of the old epoch is owed nothing.
        self.leader = None;
        self.contact = None;
        self.changed(Changed::LIFECYCLE);
        Some(term)
    }
}

/// The survivors as voters, each as it was.
fn survivors(before: &Configuration, plan: &RecoveryPlan) -> Result<Configuration, RecoveryError> {
    if let Some(stranger) = plan.survivors.iter().find(|node| !before.is_member(**node)) {
        return Err(RecoveryError::NotMember(*stranger));
    }
    let old = before.parts();
    let stays = |node: &NodeId| plan.survivors.binary_search(node).is_ok();
    let mut recoveries = old.recoveries.clone();
    recoveries.push((plan.epoch, plan.last.index.next()));
    Configuration::from_parts(ConfigurationParts {
        voters: plan.survivors.clone(),
        witnesses: old.witnesses.iter().copied().filter(stays).collect(),
        incarnations: old.incarnations.iter().copied().filter(|(node, _)| stays(node)).collect(),
        recoveries,
        ..ConfigurationParts::default()
    })
    .map_err(RecoveryError::Configuration)
}
