//! Leadership transfer.
//!
//! **Intuition.** TODO-header
//! **Source.** Thesis §3.10.
//! **Upholds.** `inv:election-safety`, `inv:lease-bound`.
//! **Not here.** Campaigning (`election/`).

use crate::{
    Node,
    error::Rejected,
    message::{TimeoutNow, TransferRefused},
    types::{Instant, NodeId, OperationTicket},
};

/// To whom leadership is to go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct TransferRequest {
    /// Named, or the most caught-up ready data voter.
    pub to: Option<NodeId>,
    /// Replace a transfer under way to somebody else.
    pub replace: bool,
}

/// Why a transfer is not possible. Definite: nothing changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
    /// Learners do not lead.
    TargetIsLearner,
    /// It has not answered lately.
    TargetUnresponsive,
    /// Its log or its machine is too far behind.
    TargetLagging {
        /// By how many entries.
        behind: u64,
    },
    /// Another transfer is under way.
    TransferInProgress {
        /// To whom.
        to: NodeId,
    },
    /// A change of configuration is under way.
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

/// A transfer under way.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Transfer {
    pub(crate) ticket: OperationTicket,
    pub(crate) to: NodeId,
}

impl Node {
    pub(crate) fn on_transfer(&mut self, _request: TransferRequest) -> Result<(), Rejected> {
        Err(Rejected::Placeholder)
    }

    pub(crate) fn on_cancel_transfer(&mut self) -> Result<(), Rejected> {
        Err(Rejected::Placeholder)
    }

    pub(crate) fn on_timeout_now(
        &mut self,
        _from: NodeId,
        _ask: TimeoutNow,
    ) -> Result<(), Rejected> {
        Err(Rejected::Placeholder)
    }

    pub(crate) fn on_transfer_refused(
        &mut self,
        _from: NodeId,
        _answer: TransferRefused,
    ) -> Result<(), Rejected> {
        Err(Rejected::Placeholder)
    }

    /// Sends `TimeoutNow` or a refusal when due; the caller has checked that our term is durable.
    pub(crate) fn send_transfer(&mut self) {}

    pub(crate) fn transfer_deadline(&self) -> Option<Instant> {
        None
    }

    pub(crate) fn on_transfer_tick(&mut self) {}

    /// Leadership of this reign is over.
    pub(crate) fn transfer_reign_ends(&mut self) {}
}
