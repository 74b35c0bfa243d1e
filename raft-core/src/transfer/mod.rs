//! Leadership transfer: what may be asked for, and how it begins and ends at the leader.
//!
//! **Intuition.** The leader stops taking requests, brings one follower level with itself and tells
//! it to campaign at once. Nothing about elections changes: the target needs the votes and the log
//! like anybody else, and the old leader leads until it sees the higher term. If nothing comes of
//! it, the old leader takes requests again.
//! **Source.** Thesis §3.10; errors, replacing and cancelling after WARaft and RaftedValue (S-30,
//! S-31); B-084 (requests taken meanwhile), openraft #1749 (reads served meanwhile).
//! **Upholds.** `inv:election-safety`, `inv:nothing-lost`.
//! **Not here.** Sending and time-outs (`send.rs`), the target (`target.rs`), what keeps leases off
//! afterwards (`void.rs`).

pub(crate) mod send;
pub(crate) mod target;
pub(crate) mod void;

use core::fmt;

use crate::{
    Node,
    config::guard::Readiness,
    error::{OperationFailure, ReadFailure, Rejected},
    input::{Accepted, Input, Issued},
    log::{Entry, EntryKind},
    peer::Peer,
    role::RoleState,
    storage::recover::NUMBER_MAX,
    types::{Instant, LogPosition, NodeId, OperationTicket},
};

/// To whom leadership is to go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct TransferRequest {
    /// Named, or the most caught-up ready data voter.
    pub to: Option<NodeId>,
    /// Replace a transfer under way, which then ends as cancelled.
    pub replace: bool,
}

/// Why a transfer is not possible. Definite: nothing changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum TransferError {
    /// Ask the node hinted at.
    NotLeader {
        /// Who leads, as this node believes.
        hint: Option<NodeId>,
    },
    /// No such member.
    NotMember,
    /// A witness holds no data.
    TargetIsWitness,
    /// Learners do not lead; promote it first.
    TargetIsLearner,
    /// It has not answered lately; wait, or name another.
    TargetUnresponsive,
    /// Its log or its machine is too far behind; wait, or name another.
    TargetLagging {
        /// By how many entries.
        behind: u64,
    },
    /// Another transfer is under way; cancel it, or ask to replace it.
    TransferInProgress {
        /// To whom.
        to: NodeId,
    },
    /// A change of configuration is under way; wait for it.
    ChangeInProgress,
    /// Nobody is ready.
    NoCandidate,
    /// The transfer to be cancelled has already been told to its target.
    TooLate,
    /// There is no transfer to cancel.
    NoTransfer,
    /// Restart the node from disk.
    Halted,
}

impl fmt::Display for TransferError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotLeader { hint: Some(node) } => write!(f, "not the leader, try {node}"),
            Self::NotLeader { hint: None } => f.write_str("not the leader, and none is known"),
            Self::NotMember => f.write_str("the target is no member"),
            Self::TargetIsWitness => f.write_str("the target is a witness and cannot lead"),
            Self::TargetIsLearner => f.write_str("the target is a learner; promote it first"),
            Self::TargetUnresponsive => f.write_str("the target has not answered lately"),
            Self::TargetLagging { behind } => {
                write!(f, "the target is {behind} entries behind")
            }
            Self::TransferInProgress { to } => write!(f, "a transfer to {to} is under way"),
            Self::ChangeInProgress => f.write_str("a change of configuration is under way"),
            Self::NoCandidate => f.write_str("no other data voter is ready to lead"),
            Self::TooLate => f.write_str("the target has already been told to campaign"),
            Self::NoTransfer => f.write_str("no transfer is under way"),
            Self::Halted => f.write_str("the node has halted; restart it from disk"),
        }
    }
}

impl core::error::Error for TransferError {}

/// A transfer under way, as status shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct TransferStatus {
    /// To whom.
    pub to: NodeId,
    /// Whether the target was told to campaign; then it cannot be cancelled any more.
    pub told: bool,
    /// When this leader gives up and takes requests again.
    pub deadline: Instant,
}

/// A transfer under way.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Transfer {
    /// Of the caller; none if this node hands over because it may no longer lead.
    pub(crate) ticket: Option<OperationTicket>,
    pub(crate) to: NodeId,
    /// Counts the transfers of the reign from 1.
    pub(crate) number: u64,
    pub(crate) deadline: Instant,
    /// The end of our log as the newest `TimeoutNow` names it; `None` while none was sent.
    pub(crate) told: Option<LogPosition>,
    /// A `TimeoutNow` is to be sent as soon as the target is level: the first, or one more because
    /// a heartbeat period has passed.
    pub(crate) due: bool,
}

impl Node {
    /// Hands leadership over. The ticket ends in `Output::OperationEnded`: with success when the
    /// target is seen leading a higher term.
    ///
    /// # Errors
    /// [`TransferError`]: definite, nothing changed.
    pub fn transfer(
        &mut self,
        now: Instant,
        request: TransferRequest,
    ) -> Result<OperationTicket, TransferError> {
        match self.step(now, Input::TransferLeader(request)) {
            Ok(Accepted { issued: Issued::Operation(ticket), .. }) => Ok(ticket),
            // A refused step changed nothing, so the judgement still stands.
            _ => Err(self.judge_transfer(request).err().unwrap_or(TransferError::Halted)),
        }
    }

    /// Gives up the transfer under way, as long as its target was not told.
    ///
    /// # Errors
    /// [`TransferError::NotLeader`], [`TransferError::NoTransfer`], [`TransferError::TooLate`] or
    /// [`TransferError::Halted`]: nothing changed.
    pub fn cancel_transfer(&mut self, now: Instant) -> Result<(), TransferError> {
        match self.step(now, Input::CancelTransfer) {
            Ok(_) => Ok(()),
            Err(_) => Err(self.judge_cancel().err().unwrap_or(TransferError::Halted)),
        }
    }

    /// To whom leadership is being handed over.
    pub(crate) fn transferring(&self) -> Option<NodeId> {
        match &self.role {
            RoleState::Leader(leader) => leader.transfer.as_ref().map(|transfer| transfer.to),
            _ => None,
        }
    }

    /// The transfer under way.
    #[must_use]
    pub fn transfer_status(&self) -> Option<TransferStatus> {
        let RoleState::Leader(leader) = &self.role else { return None };
        let Transfer { to, told, deadline, .. } = &**leader.transfer.as_ref()?;
        Some(TransferStatus { to: *to, told: told.is_some(), deadline: *deadline })
    }

    /// Who would get leadership.
    pub(crate) fn judge_transfer(&self, request: TransferRequest) -> Result<NodeId, TransferError> {
        if self.halted.is_some() {
            return Err(TransferError::Halted);
        }
        let RoleState::Leader(leader) = &self.role else {
            return Err(TransferError::NotLeader { hint: self.leader_hint() });
        };
        if request.to == Some(self.hard.node) {
            return Ok(self.hard.node);
        }
        let (index, configuration) = self.marks.history.newest();
        if index > self.commit || configuration.is_joint() {
            return Err(TransferError::ChangeInProgress);
        }
        if let Some(to) = request.to {
            let peer = self.peer(to).filter(|peer| peer.seat.is_member());
            self.judge_target(peer.ok_or(TransferError::NotMember)?)?;
        }
        if let Some(open) = leader.transfer.as_ref().filter(|_| !request.replace) {
            return Err(TransferError::TransferInProgress { to: open.to });
        }
        request.to.or_else(|| self.best_target()).ok_or(TransferError::NoCandidate)
    }

    /// Whether `peer` could take over soon.
    fn judge_target(&self, peer: &Peer) -> Result<(), TransferError> {
        if peer.seat.is_witness() {
            return Err(TransferError::TargetIsWitness);
        }
        if !peer.seat.is_voter() {
            return Err(TransferError::TargetIsLearner);
        }
        match self.readiness(peer) {
            Readiness::Ready => Ok(()),
            Readiness::Unheard => Err(TransferError::TargetUnresponsive),
            Readiness::Lagging { matched, applied, .. } => {
                let behind = self.log.last_index().since(matched.min(applied));
                Err(TransferError::TargetLagging { behind })
            }
        }
    }

    /// The most caught-up of those that are ready; of equals the lowest.
    fn best_target(&self) -> Option<NodeId> {
        let ready = self.peers.iter().rev().filter(|peer| self.judge_target(peer).is_ok());
        ready.max_by_key(|peer| (peer.progress.matched, peer.applied)).map(|peer| peer.id)
    }

    fn judge_cancel(&self) -> Result<(), TransferError> {
        if self.halted.is_some() {
            return Err(TransferError::Halted);
        }
        let RoleState::Leader(leader) = &self.role else {
            return Err(TransferError::NotLeader { hint: self.leader_hint() });
        };
        match &leader.transfer {
            None => Err(TransferError::NoTransfer),
            Some(transfer) if transfer.told.is_some() => Err(TransferError::TooLate),
            Some(_) => Ok(()),
        }
    }

    pub(crate) fn on_transfer(&mut self, request: TransferRequest) -> Result<(), Rejected> {
        let to = match self.judge_transfer(request) {
            Ok(to) => to,
            Err(TransferError::NotLeader { .. }) => return Err(self.not_leader()),
            Err(_) => return Err(Rejected::TransferRefused),
        };
        let ticket = self.mint_operation();
        if to != self.hard.node {
            self.begin_transfer(to, Some(ticket));
        } else if let RoleState::Leader(leader) = &self.role {
            let opening = leader.opening;
            self.end_operation(ticket, Ok(opening));
        }
        Ok(())
    }

    pub(crate) fn on_cancel_transfer(&mut self) -> Result<(), Rejected> {
        match self.judge_cancel() {
            Ok(()) => self.close_transfer(OperationFailure::Cancelled),
            Err(TransferError::NotLeader { .. }) => return Err(self.not_leader()),
            Err(_) => return Err(Rejected::TransferRefused),
        }
        Ok(())
    }

    /// Stops taking requests and heads for `to`; a transfer under way ends as cancelled.
    pub(crate) fn begin_transfer(&mut self, to: NodeId, ticket: Option<OperationTicket>) {
        assert_ne!(to, self.hard.node, "nobody hands over to itself");
        self.end_transfer(OperationFailure::Cancelled);
        let deadline = self.now.plus(self.options.transfer_timeout_ns);
        let RoleState::Leader(leader) = &mut self.role else { return };
        leader.transfers = leader.transfers.saturating_add(1);
        let number = leader.transfers;
        let transfer = Transfer { ticket, to, number, deadline, told: None, due: true };
        leader.transfer = Some(alloc::boxed::Box::new(transfer));
        // What was asked for and is not confirmed and applied would have to be confirmed by a
        // round, and rounds begun for reads keep followers from electing the target.
        self.fail_confirmed_reads(ReadFailure::Transferring { to });
    }

    /// The transfer under way failed: this node takes requests again, unless it may not lead.
    pub(crate) fn close_transfer(&mut self, failure: OperationFailure) {
        self.end_transfer(failure);
        if !self.options.can_lead {
            self.step_down();
        }
    }

    /// Ends the transfer under way, if any. If its target was told, a `TimeoutNow` may arrive at
    /// any time from now on.
    fn end_transfer(&mut self, failure: OperationFailure) {
        let RoleState::Leader(leader) = &mut self.role else { return };
        let Some(transfer) = leader.transfer.take() else { return };
        if let Some(ticket) = transfer.ticket {
            self.end_operation(ticket, Err(failure));
        }
        let Some(told) = transfer.told else { return };
        if let RoleState::Leader(leader) = &mut self.role {
            let from_round = leader.round.saturating_add(1);
            leader.alive_transfers.add(transfer.to, told.index, from_round);
        }
        // A log that goes on past what the target was told keeps it from campaigning for this
        // transfer even after a restart, in which it forgets that it was declared void.
        let grown = self.log.last_index() > told.index;
        if self.options.lease && !grown && told.index.0 < NUMBER_MAX {
            self.append_for_core(Entry { kind: EntryKind::NOOP, ..Entry::default() });
        }
        self.begin_round();
    }
}
