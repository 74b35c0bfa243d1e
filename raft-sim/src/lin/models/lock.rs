//! A lock: acquire, release.
//!
//! **Intuition.** Free or held by one. With owners, only the owner releases; without, anybody does.
//! An attempt that was refused saw that the lock was held.
//! **Source.** Ours; the mutex of Knossos is the form without owners.
//! **Upholds.** `inv:linearizable`.
//! **Not here.** Leases, fencing.

use crate::lin::{history::Operation, model::Model};

/// What clients ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Call {
    /// Take it, if it is free.
    Acquire {
        /// Which lock.
        key: u64,
        /// For whom.
        owner: Option<u64>,
    },
    /// Give it back.
    Release {
        /// Which lock.
        key: u64,
        /// Whose it is.
        owner: Option<u64>,
    },
}

/// What clients are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reply {
    /// It was done.
    Done,
    /// It was not: held by somebody at an acquire, not held by this owner at a release.
    Refused,
}

/// The model; locks start free. The state is the holder.
#[derive(Clone, Copy, Debug, Default)]
pub struct Lock;

impl Model for Lock {
    type Call = Call;
    type Reply = Reply;
    type State = Option<Option<u64>>;
    type Key = u64;

    fn key(&self, call: &Call) -> u64 {
        match *call {
            Call::Acquire { key, .. } | Call::Release { key, .. } => key,
        }
    }

    fn initial(&self) -> Self::State {
        None
    }

    fn apply(&self, state: &mut Self::State, call: &Call, reply: Option<&Reply>) -> bool {
        let (works, next) = match *call {
            Call::Acquire { owner, .. } => (state.is_none(), Some(owner)),
            Call::Release { owner, .. } => (*state == Some(owner), None),
        };
        if works {
            *state = next;
        }
        reply.is_none_or(|reply| works == (*reply == Reply::Done))
    }

    fn is_read(&self, _call: &Call, reply: Option<&Reply>) -> bool {
        reply == Some(&Reply::Refused)
    }

    fn may_see(&self, _other: &Operation<Call, Reply>, _write: &Operation<Call, Reply>) -> bool {
        true
    }

    fn heap_bytes(&self, _state: &Self::State) -> usize {
        0
    }
}
