//! What clients saw: operations with an invocation, and a return if there was one.
//!
//! **Intuition.** A history is a set of intervals on one time line. An operation without a return
//! is open for ever: it may have taken effect at any time after its invocation, or never. It is
//! never closed at a timeout and never forgotten (B-108): both would be lies.
//! **Source.** Herlihy and Wing 1990; the rules for unknown outcomes are ours.
//! **Upholds.** `inv:linearizable` (its input is well formed or refused).
//! **Not here.** Files (`jsonl.rs`, `formats/`), what the calls mean (`model.rs`).

use core::fmt;

use crate::workload::kv::{Call, Reply};

/// One operation of one client. Times are positions in the run's total order of invocations and
/// returns: unique, so no two endpoints tie.
///
/// The type parameters are the calls and replies of the [`Model`](super::model::Model) it belongs
/// to; without them it is an operation of the simulator's key-value machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operation<C = Call, R = Reply> {
    /// Unique in the history.
    pub op: u64,
    /// The client (process) that asked.
    pub client: u64,
    /// When it was invoked.
    pub invoked: u64,
    /// When the client learnt the result; `None`: never (unknown outcome, open for ever).
    pub returned: Option<u64>,
    /// What was asked.
    pub call: C,
    /// What was answered; `None` with `returned: None`.
    pub reply: Option<R>,
    /// A hint, never trusted: index of the log entry (writes) or of the state (reads).
    pub index: Option<u64>,
}

/// Why a set of operations is no history. Nothing is repaired: a checker that guesses what was
/// meant can turn a violation into a pass.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum HistoryError {
    /// Two operations have the same id.
    DuplicateOperation {
        /// The id.
        op: u64,
    },
    /// Two endpoints have the same time, so their order is not known.
    EndpointsTie {
        /// The time.
        at: u64,
        /// One operation.
        op: u64,
        /// The other (or the same, if it returns when it is invoked).
        other: u64,
    },
    /// An operation returned before it was invoked.
    ReturnsBeforeInvoked {
        /// Which.
        op: u64,
    },
    /// A return without a reply.
    ReturnWithoutReply {
        /// Which.
        op: u64,
    },
    /// A reply without a return.
    ReplyWithoutReturn {
        /// Which.
        op: u64,
    },
    /// A reply of a kind this call never gets.
    ForeignReply {
        /// Which.
        op: u64,
    },
    /// More operations than the checker can number.
    TooManyOperations {
        /// The most that fit.
        max: usize,
    },
    /// A line of a file is wrong.
    Line {
        /// Line number, from 1.
        line: usize,
        /// What is wrong with it.
        reason: String,
    },
    /// A client has two operations open at once; levels that follow clients need their order.
    ClientOverlaps {
        /// The client.
        client: u64,
        /// One operation.
        op: u64,
        /// The other.
        other: u64,
    },
    /// An operation that is neither a read nor a write of a value of its own, at a level that is
    /// defined for those only.
    NotARegister {
        /// Which.
        op: u64,
    },
    /// There is nothing to check.
    Empty,
    /// The format could not be recognised, or does not fit the model asked for.
    Format {
        /// What was seen and what to do.
        reason: String,
    },
}

impl fmt::Display for HistoryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::DuplicateOperation { op } => {
                write!(f, "operation {op} appears twice: give each operation its own id")
            }
            Self::EndpointsTie { at, op, other } => write!(
                f,
                "operations {op} and {other} both have an endpoint at time {at}: \
                 number invocations and returns so that no two are equal"
            ),
            Self::ReturnsBeforeInvoked { op } => {
                write!(f, "operation {op} returns before it is invoked")
            }
            Self::ReturnWithoutReply { op } => write!(f, "operation {op} returns without a reply"),
            Self::ReplyWithoutReturn { op } => {
                write!(f, "operation {op} has a reply but no return")
            }
            Self::ForeignReply { op } => {
                write!(f, "operation {op} has a reply of a kind its call never gets")
            }
            Self::TooManyOperations { max } => {
                write!(f, "more than {max} operations: split the history")
            }
            Self::ClientOverlaps { client, op, other } => write!(
                f,
                "client {client} has operations {op} and {other} open at once: \
                 give each thread of asking its own number"
            ),
            Self::NotARegister { op } => write!(
                f,
                "operation {op} is neither a read nor a write with a value of its own: \
                 ask for linearizable or sequential instead"
            ),
            Self::Line { line, reason } => write!(f, "line {line}: {reason}"),
            Self::Empty => f.write_str("the history is empty: there is nothing to check"),
            Self::Format { reason } => f.write_str(reason),
        }
    }
}

impl std::error::Error for HistoryError {}

/// The most operations one check takes; positions are 32-bit inside.
pub const OPERATIONS_MAX: usize = 1 << 30;

/// Checks what every algorithm relies on: ids and endpoints unique, returns after invocations,
/// replies exactly where there are returns.
///
/// # Errors
/// The first defect found, in the order of the variants.
pub fn validate<C, R>(history: &[Operation<C, R>]) -> Result<(), HistoryError> {
    if history.len() > OPERATIONS_MAX {
        return Err(HistoryError::TooManyOperations { max: OPERATIONS_MAX });
    }
    // A history in invocation order with ascending ids is the common case and needs no sorting.
    if history.windows(2).any(|pair| pair[0].op >= pair[1].op) {
        let mut ids: Vec<u64> = history.iter().map(|operation| operation.op).collect();
        ids.sort_unstable();
        if let Some(pair) = ids.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(HistoryError::DuplicateOperation { op: pair[0] });
        }
    }
    let mut endpoints = Vec::with_capacity(history.len() * 2);
    for operation in history {
        let op = operation.op;
        endpoints.push((operation.invoked, op));
        match (operation.returned, &operation.reply) {
            (Some(returned), Some(_)) => {
                if returned < operation.invoked {
                    return Err(HistoryError::ReturnsBeforeInvoked { op });
                }
                endpoints.push((returned, op));
            }
            (Some(_), None) => return Err(HistoryError::ReturnWithoutReply { op }),
            (None, Some(_)) => return Err(HistoryError::ReplyWithoutReturn { op }),
            (None, None) => {}
        }
    }
    // Endpoints are usually numbered without gaps: then one bit each tells whether any tie.
    let bound = endpoints.len() * 8;
    if endpoints.iter().all(|&(at, _)| at < bound as u64) {
        let mut taken = vec![0_u64; bound / 64 + 1];
        let tie = endpoints.iter().any(|&(at, _)| {
            let (word, bit) = (&mut taken[at as usize / 64], 1 << (at % 64));
            let before = *word;
            *word |= bit;
            before & bit != 0
        });
        if !tie {
            return Ok(());
        }
    }
    endpoints.sort_unstable();
    if let Some(pair) = endpoints.windows(2).find(|pair| pair[0].0 == pair[1].0) {
        return Err(HistoryError::EndpointsTie { at: pair[0].0, op: pair[0].1, other: pair[1].1 });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_history_is_refused() {
        let op = |op, invoked, returned| Operation {
            op,
            client: 1,
            invoked,
            returned,
            call: Call::Put { key: 0, value: 1 },
            reply: returned.map(|_| Reply::Done),
            index: None,
        };
        assert_eq!(validate(&[op(1, 0, Some(2)), op(0, 1, None)]), Ok(()));
        let twice = HistoryError::DuplicateOperation { op: 1 };
        assert_eq!(validate(&[op(1, 0, None), op(1, 1, None)]), Err(twice));
        for far in [0, 1 << 40] {
            let tie = HistoryError::EndpointsTie { at: far + 2, op: 0, other: 1 };
            let history = [op(0, far, Some(far + 2)), op(1, far + 2, None)];
            assert_eq!(validate(&history), Err(tie));
        }
        let at_once = HistoryError::EndpointsTie { at: 3, op: 0, other: 0 };
        assert_eq!(validate(&[op(0, 3, Some(3))]), Err(at_once));
        let back = HistoryError::ReturnsBeforeInvoked { op: 0 };
        assert_eq!(validate(&[op(0, 3, Some(2))]), Err(back));
        let mut silent = op(0, 0, Some(1));
        silent.reply = None;
        assert_eq!(validate(&[silent]), Err(HistoryError::ReturnWithoutReply { op: 0 }));
        let mut early = op(0, 0, None);
        early.reply = Some(Reply::Done);
        assert_eq!(validate(&[early]), Err(HistoryError::ReplyWithoutReturn { op: 0 }));
        let mut foreign = op(0, 0, Some(1));
        foreign.reply = Some(Reply::Swapped { ok: true });
        let report = crate::lin::check(&[foreign], &crate::lin::Budget::default());
        assert_eq!(report, Err(HistoryError::ForeignReply { op: 0 }));
    }
}
