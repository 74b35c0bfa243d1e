//! Operations: changes and transfers in progress, each ending exactly once.
//!
//! **Intuition.** TODO-header
//! **Source.** Ours.
//! **Upholds.** `inv:nothing-lost`.
//! **Not here.** What each does (`config/change.rs`, `transfer.rs`).

use alloc::vec::Vec;

use crate::{
    Node,
    error::OperationFailure,
    input::Issued,
    output::Output,
    types::{LogIndex, OperationTicket},
};

/// Tickets minted and operations ended but not yet reported.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Operations {
    minted: u64,
    ended: Vec<(OperationTicket, Result<LogIndex, OperationFailure>)>,
}

impl Node {
    /// A new ticket, told with the step's answer.
    pub(crate) fn mint_operation(&mut self) -> OperationTicket {
        self.operations.minted = self.operations.minted.saturating_add(1);
        let ticket = OperationTicket(self.operations.minted);
        self.accepted.issued = Issued::Operation(ticket);
        ticket
    }

    /// The operation is over; reported at the next settle.
    pub(crate) fn end_operation(
        &mut self,
        ticket: OperationTicket,
        result: Result<LogIndex, OperationFailure>,
    ) {
        self.operations.ended.push((ticket, result));
    }

    pub(crate) fn report_operations(&mut self) {
        for (ticket, result) in self.operations.ended.drain(..) {
            self.outbox.push_back(Output::OperationEnded { ticket, result });
        }
    }
}
