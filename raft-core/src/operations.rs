//! Operations: what an operator asked for, each ending exactly once.
//!
//! **Intuition.** An operation ends when what it did can no longer be undone: when its entry is
//! committed, or, for what concerns this node alone, when the write that carries it is durable.
//! One list answers that for all of them, so no path out of a reign, a boot or a life forgets one.
//! **Source.** Ours; D-R8 and D-Z14 answer too early, or never.
//! **Upholds.** `inv:nothing-lost`, `inv:bounded`.
//! **Not here.** What each does (`lifecycle/`); changes (`config/change.rs`) and transfers
//! (`transfer.rs`) follow rules of their own and only report here.

use alloc::vec::Vec;

use crate::{
    Node,
    error::{OperationFailure, UnknownReason},
    input::Issued,
    lazy::Empty,
    output::Output,
    types::{Instant, LogIndex, LogPosition, OperationTicket},
};

/// Operations open at once; one more is refused as busy.
const OPEN_MAX: usize = 16;

/// What an open operation waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
enum Until {
    /// Commit passes this entry.
    Committed(LogPosition),
    /// So many writes of this boot are durable, in order.
    Written(u64),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
struct Open {
    ticket: OperationTicket,
    until: Until,
    /// What success names.
    index: LogIndex,
    /// When it ends as unknown: the patience after a lost reign.
    expires: Option<Instant>,
}

/// Tickets minted, operations open, and those ended but not yet reported.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Operations {
    minted: u64,
    open: Vec<Open>,
    ended: Vec<(OperationTicket, Result<LogIndex, OperationFailure>)>,
}

impl Empty for Operations {
    const EMPTY: &'static Self = &Self { minted: 0, open: Vec::new(), ended: Vec::new() };
}

impl Operations {
    /// Whether no more can be begun.
    pub(crate) const fn is_full(&self) -> bool {
        self.open.len() >= OPEN_MAX
    }

    /// Whether nothing is open and nothing to be told.
    pub(crate) const fn is_idle(&self) -> bool {
        self.open.is_empty() && self.ended.is_empty()
    }

    pub(crate) const fn open_count(&self) -> u64 {
        self.open.len() as u64
    }

    /// Everything that decides what is told next.
    pub(crate) fn fold(&self, now: Instant, written: u64, mut word: impl FnMut(u64)) {
        for open in &self.open {
            let numbers = match open.until {
                Until::Committed(at) => [1, at.term.0, at.index.0],
                Until::Written(upto) => [2, upto.saturating_sub(written), 0],
            };
            numbers.into_iter().for_each(&mut word);
            word(open.index.0);
            word(open.expires.map_or(u64::MAX, |at| at.since(now)));
        }
    }
}

impl Node {
    /// A new ticket, told with the step's answer.
    pub(crate) fn mint_operation(&mut self) -> OperationTicket {
        self.operations.minted = self.operations.minted.saturating_add(1);
        let ticket = OperationTicket(self.operations.minted);
        self.accepted.issued = Issued::Operation(ticket);
        ticket
    }

    /// Begins an operation that ends when the entry at `position` is decided.
    pub(crate) fn begin_until_committed(&mut self, position: LogPosition) -> OperationTicket {
        self.begin(Until::Committed(position), position.index)
    }

    /// Begins an operation that ends, naming `index`, when all that is dirty now is durable.
    pub(crate) fn begin_until_durable(&mut self, index: LogIndex) -> OperationTicket {
        // The next write carries everything that no earlier one did.
        self.begin(Until::Written(self.lane.issued().saturating_add(1)), index)
    }

    fn begin(&mut self, until: Until, index: LogIndex) -> OperationTicket {
        assert!(!self.operations.is_full(), "judged before it is begun (inv:bounded)");
        let ticket = self.mint_operation();
        self.operations.open.push(Open { ticket, until, index, expires: None });
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

    /// Ends what is decided by now.
    fn decide_operations(&mut self) {
        if self.operations.open.is_empty() {
            return;
        }
        // What was taken back before any write carried it leaves nothing to wait for.
        let all_written =
            self.lane.open() == 0 && !self.lane.dirty(&self.hard, self.log.last_index());
        let mut open = core::mem::take(&mut self.operations.open);
        open.retain(|operation| {
            let result = match operation.until {
                Until::Committed(at) if at.index <= self.commit => {
                    match self.log.term_at(at.index) {
                        Some(term) if term == at.term => Ok(operation.index),
                        Some(_) => Err(OperationFailure::Superseded),
                        // A snapshot covers it.
                        None => Err(OperationFailure::Unknown(UnknownReason::LeadershipLost)),
                    }
                }
                Until::Written(upto) if all_written || self.lane.written() >= upto => {
                    Ok(operation.index)
                }
                _ => return true,
            };
            self.operations.ended.push((operation.ticket, result));
            false
        });
        self.operations.open = open;
    }

    /// Leadership of this reign is over: what waits for commit waits only so long.
    pub(crate) fn operations_reign_ends(&mut self) {
        let expires = self.now.plus(self.options.pending_after_loss_ns);
        for open in self.operations.made().into_iter().flat_map(|made| &mut made.open) {
            if matches!(open.until, Until::Committed(_)) {
                open.expires = open.expires.or(Some(expires));
            }
        }
    }

    pub(crate) fn operations_deadline(&self) -> Option<Instant> {
        self.operations.open.iter().filter_map(|open| open.expires).min()
    }

    pub(crate) fn on_operations_tick(&mut self) {
        let now = self.now;
        let Some(Operations { open, ended, .. }) = self.operations.made() else { return };
        open.retain(|open| {
            let over = open.expires.is_some_and(|at| now >= at);
            if over {
                let why = OperationFailure::Unknown(UnknownReason::LeadershipLost);
                ended.push((open.ticket, Err(why)));
            }
            !over
        });
    }

    /// The boot is over: whatever is open ends now.
    pub(crate) fn end_operations(&mut self, why: UnknownReason) {
        self.decide_operations();
        let Some(Operations { open, ended, .. }) = self.operations.made() else { return };
        for open in open.drain(..) {
            ended.push((open.ticket, Err(OperationFailure::Unknown(why))));
        }
    }

    pub(crate) fn report_operations(&mut self) {
        if !self.operations.open.is_empty() {
            self.decide_operations();
        }
        let Some(operations) = self.operations.made() else { return };
        for (ticket, result) in operations.ended.drain(..) {
            self.outbox.push_back(Output::OperationEnded { ticket, result });
        }
    }
}
