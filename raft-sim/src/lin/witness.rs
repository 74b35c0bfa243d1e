//! The witness: try the order the system itself says it used.
//!
//! **Intuition.** A replicated log is an order of all writes, and a read names the state it saw.
//! If that order agrees with real time and replaying it gives every answer, it *is* a
//! linearization, whoever proposed it: the hints need no trust, they only save the search. If it
//! fails nothing follows from that, and the search decides without hints.
//! **Source.** Ours; verifying a given order is the easy half of the problem.
//! **Upholds.** `inv:linearizable`.
//! **Not here.** Deciding without hints (`search.rs`).

use std::collections::BTreeMap;

use super::{history::Operation, model::Model};

/// What became of the witness.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Witness {
    /// Not looked at: the level asked for needs none.
    Untried,
    /// The order was verified: the history is linearizable.
    Verified,
    /// A completed operation carries no index, so there is no order to verify.
    Unavailable {
        /// That operation.
        op: u64,
    },
    /// Two writes claim one index.
    IndexShared {
        /// One.
        op: u64,
        /// The other.
        other: u64,
    },
    /// The order puts an operation after one that was invoked only after it had returned.
    AgainstRealTime {
        /// Placed before.
        before: u64,
        /// Placed after it, though it returned first.
        after: u64,
    },
    /// Replaying the order gives another answer than the client saw.
    WrongReply {
        /// The operation with the wrong answer.
        op: u64,
    },
}

/// Verifies the order given by the hints: writes by index, reads behind the write of their index
/// in order of invocation. Operations of unknown outcome take part where they carry an index and
/// are left out otherwise. Costs a sort, one scan and one replay.
pub fn verify<M: Model>(model: &M, history: &[Operation<M::Call, M::Reply>]) -> Witness {
    let mut order = Vec::with_capacity(history.len());
    for operation in history {
        let read = model.is_read(&operation.call, operation.reply.as_ref());
        match operation.index {
            // A read nobody saw the answer of has no effect.
            _ if read && operation.returned.is_none() => {}
            Some(index) => order.push((index, read, operation.invoked, operation)),
            None if operation.returned.is_none() => {}
            None => return Witness::Unavailable { op: operation.op },
        }
    }
    order.sort_unstable_by_key(|&(index, read, invoked, _)| (index, read, invoked));
    for pair in order.windows(2) {
        let ((index, read, _, first), (next, next_read, _, second)) = (pair[0], pair[1]);
        if index == next && !read && !next_read {
            return Witness::IndexShared { op: first.op, other: second.op };
        }
    }

    // Going backwards, everything seen so far is placed later; the one that returned first is
    // the only one that can contradict real time.
    let mut earliest: Option<(u64, u64)> = None;
    for (_, _, _, operation) in order.iter().rev() {
        if let Some((returned, after)) = earliest
            && returned < operation.invoked
        {
            return Witness::AgainstRealTime { before: operation.op, after };
        }
        if let Some(returned) = operation.returned
            && earliest.is_none_or(|(least, _)| returned < least)
        {
            earliest = Some((returned, operation.op));
        }
    }

    let mut states: BTreeMap<M::Key, M::State> = BTreeMap::new();
    for (_, _, _, operation) in &order {
        let state = states.entry(model.key(&operation.call)).or_insert_with(|| model.initial());
        if !model.apply(state, &operation.call, operation.reply.as_ref()) {
            return Witness::WrongReply { op: operation.op };
        }
    }
    Witness::Verified
}
