//! Admission: which proposals a node takes, and in what order they reach the log.
//!
//! **Intuition.** A refusal must be definite, so everything is judged before anything is appended.
//! High priority is appended at once; low priority, and what a candidate is allowed to keep, waits
//! in a bounded queue for the next settle. Low ones never cost a high one its place: what they
//! hold is added to the high ones' limits.
//! **Source.** Ours; S-37, S-42, S-53 are WARaft's queues, D-W8 and D-W9 its mistakes with them.
//! **Upholds.** `inv:bounded`, `inv:nothing-lost`.
//! **Not here.** The waiting queue (`deferred.rs`), what store and machine can take
//! (`capacity.rs`), appending (`replication/propose.rs`).

pub(crate) mod capacity;
pub(crate) mod deferred;

pub use capacity::Capacity;
pub use deferred::DeferredRefusal;

use bytes::Bytes;

use crate::{
    Node,
    admission::deferred::Outstanding,
    error::{ProposeError, Rejected},
    input::{Accepted, Input, Issued},
    role::RoleState,
    types::{Instant, Lifecycle, Membership, Role, Ticket},
};

/// Which of two queues a proposal waits in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Priority {
    /// Appended at once; never refused because of low ones.
    #[default]
    High,
    /// Appended after the high ones of the same batch.
    Low,
}

/// A command with more to say than its bytes.
///
/// # Labels
///
/// The core holds no closures, so a label is not computed by it: the proposer computes the next
/// one from [`Node::last_label`] and the command, and gives it here. Entries without a label of
/// their own (0) carry the last one on, so the last entry of any log, or the snapshot it stands
/// on, has it, and a new leader resumes from there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Proposal {
    /// The command.
    pub payload: Bytes,
    /// Which queue.
    pub priority: Priority,
    /// Refused from then on; dropped if it still waits to be appended then.
    pub deadline: Option<Instant>,
    /// The entry's label; 0 carries the last one on.
    pub label: u64,
}

/// What becomes of a proposal at a node that does not refuse it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Door {
    /// Appended.
    Log,
    /// Kept until the election is decided.
    Wait,
}

impl Node {
    /// Takes a command of high priority.
    pub(crate) fn on_propose(&mut self, payload: Bytes) -> Result<(), Rejected> {
        let door = self.door()?;
        if payload.len() as u64 > self.options.entry_bytes_max {
            return Err(Rejected::TooLarge);
        }
        match door {
            Door::Log => self.append_command(payload, 0),
            Door::Wait => self.defer(Proposal { payload, ..Proposal::default() }),
        }
    }

    pub(crate) fn on_propose_with(&mut self, proposal: Proposal) -> Result<(), Rejected> {
        let door = self.door()?;
        if proposal.deadline.is_some_and(|at| at <= self.now) {
            return Err(Rejected::DeadlinePassed);
        }
        if proposal.payload.len() as u64 > self.options.entry_bytes_max {
            return Err(Rejected::TooLarge);
        }
        if door == Door::Log && proposal.priority == Priority::High {
            self.append_command(proposal.payload, proposal.label)
        } else {
            self.defer(proposal)
        }
    }

    /// Proposes a command with a priority, a deadline, a label.
    ///
    /// The ticket is that of the log if the proposal was appended, else one for which
    /// [`Ticket::is_deferred`] holds: then `Output::Admitted` names the log's ticket once it is
    /// appended, or `Outcome::Refused` says that it never will be.
    ///
    /// # Errors
    /// [`ProposeError`]: definite, nothing was appended or kept.
    pub fn propose_with(
        &mut self,
        now: Instant,
        proposal: Proposal,
    ) -> Result<Ticket, ProposeError> {
        let priority = proposal.priority;
        let result = self.step(now, Input::ProposeWith(alloc::boxed::Box::new(proposal)));
        self.proposed(result, priority)
    }

    /// The answer to a proposal, spelled out.
    pub(crate) fn proposed(
        &self,
        result: Result<Accepted, Rejected>,
        priority: Priority,
    ) -> Result<Ticket, ProposeError> {
        let refused = match result {
            Ok(Accepted {
                issued: Issued::Proposal(ticket) | Issued::Deferred(ticket), ..
            }) => {
                return Ok(ticket);
            }
            Ok(_) => Rejected::Halted,
            Err(rejected) => rejected,
        };
        Err(match refused {
            Rejected::NotLeader => ProposeError::NotLeader { hint: self.leader_hint() },
            Rejected::ElectionInProgress => {
                ProposeError::ElectionInProgress { term: self.hard.term }
            }
            Rejected::NotInGroup => ProposeError::NotInGroup,
            Rejected::Disabled => ProposeError::Disabled { reason: self.disabled() },
            Rejected::Quarantined => ProposeError::Quarantined,
            Rejected::Transferring => ProposeError::Transferring { to: self.transfer_target() },
            Rejected::ApplyHalted => ProposeError::ApplyHalted { at: self.apply_failed },
            Rejected::DeadlinePassed => ProposeError::DeadlinePassed,
            Rejected::TooLarge => ProposeError::TooLarge { max: self.options.entry_bytes_max },
            Rejected::QueueFull => ProposeError::QueueFull { priority },
            Rejected::ApplyQueueFull => {
                let (entries, bytes) = self.apply_backlog();
                ProposeError::ApplyQueueFull { entries, bytes }
            }
            Rejected::CommitStalled => ProposeError::CommitStalled,
            _ => ProposeError::Halted,
        })
    }

    /// Whom leadership is being handed over to.
    pub(crate) fn transfer_target(&self) -> Option<crate::types::NodeId> {
        match &self.role {
            RoleState::Leader(leader) => leader.transfer.as_ref().map(|transfer| transfer.to),
            _ => None,
        }
    }

    /// Whether the machine is fit to answer reads that this leader takes.
    pub(crate) fn judge_machine(&self) -> Result<(), Rejected> {
        if self.apply_failed.is_some() {
            return Err(Rejected::ApplyHalted);
        }
        let full = self.apply_queue_full(&Outstanding::default());
        if full { Err(Rejected::ApplyQueueFull) } else { Ok(()) }
    }

    /// Whether this node takes proposals at all (SEMANTICS 2.1.2).
    fn door(&self) -> Result<Door, Rejected> {
        let door = match &self.role {
            RoleState::Leader(leader) if leader.transfer.is_some() => {
                return Err(Rejected::Transferring);
            }
            RoleState::Leader(_) => Door::Log,
            RoleState::PreCandidate { .. } | RoleState::Candidate
                if self.options.buffer_while_candidate =>
            {
                Door::Wait
            }
            _ => return Err(self.not_leader()),
        };
        if self.apply_failed.is_some() { Err(Rejected::ApplyHalted) } else { Ok(door) }
    }

    /// The refusal of a node that does not lead.
    pub(crate) fn not_leader(&self) -> Rejected {
        match self.lifecycle() {
            Lifecycle::Disabled => return Rejected::Disabled,
            Lifecycle::Quarantined => return Rejected::Quarantined,
            Lifecycle::Halted => return Rejected::Halted,
            Lifecycle::Running => {}
        }
        match (self.role(), self.membership()) {
            (Role::Candidate | Role::PreCandidate, _) => Rejected::ElectionInProgress,
            (_, Membership::Blank | Membership::Removed) => Rejected::NotInGroup,
            (Role::Follower | Role::Leader, _) => Rejected::NotLeader,
        }
    }
}
