//! A counter: add, read.
//!
//! **Intuition.** Additions commute, so only how much has been added matters. Equal additions are
//! of one class, of which the search takes the first to return: with additions of 1 nothing is
//! left to guess and a check is a walk over the history.
//! **Source.** Ours.
//! **Upholds.** `inv:linearizable`.
//! **Not here.** The search (`search.rs`).

use crate::lin::{history::Operation, model::Model};

/// What clients ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Call {
    /// Add.
    Add {
        /// Which counter.
        key: u64,
        /// How much; may be negative.
        by: i64,
    },
    /// Read.
    Read {
        /// Which counter.
        key: u64,
    },
}

/// What clients are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reply {
    /// Added.
    Done,
    /// What a read saw, or the sum after an addition.
    Sum(i128),
}

/// The model; counters start at 0.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counter;

impl Model for Counter {
    type Call = Call;
    type Reply = Reply;
    type State = i128;
    type Key = u64;

    fn key(&self, call: &Call) -> u64 {
        match *call {
            Call::Add { key, .. } | Call::Read { key } => key,
        }
    }

    fn initial(&self) -> i128 {
        0
    }

    fn apply(&self, state: &mut i128, call: &Call, reply: Option<&Reply>) -> bool {
        if let Call::Add { by, .. } = *call {
            // At most 2^30 operations of 64 bits each: no overflow.
            *state += i128::from(by);
        }
        match reply {
            None => true,
            Some(Reply::Done) => matches!(call, Call::Add { .. }),
            Some(Reply::Sum(sum)) => sum == state,
        }
    }

    fn is_read(&self, call: &Call, _reply: Option<&Reply>) -> bool {
        matches!(call, Call::Read { .. } | Call::Add { by: 0, .. })
    }

    fn may_see(&self, other: &Operation<Call, Reply>, write: &Operation<Call, Reply>) -> bool {
        // Every sum depends on every addition that is not nothing.
        matches!(other.reply, Some(Reply::Sum(_)))
            && matches!(write.call, Call::Add { by, .. } if by != 0)
    }

    fn fits(&self, call: &Call, reply: &Reply) -> bool {
        matches!(call, Call::Add { .. }) || matches!(reply, Reply::Sum(_))
    }

    fn heap_bytes(&self, _state: &i128) -> usize {
        0
    }
}
