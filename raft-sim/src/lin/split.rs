//! Splitting a history by key.
//!
//! **Intuition.** Keys do not affect each other, and linearizability is local: a history is
//! linearizable exactly when each key's part is. Concurrency is divided by the number of keys,
//! and the cost of a search is exponential in concurrency.
//! **Source.** Herlihy and Wing 1990, theorem 1 (locality); Horn and Kroening 2015 (splitting).
//! **Upholds.** `inv:linearizable`.
//! **Not here.** What the key of a call is (`model.rs`).

use std::collections::BTreeMap;

use super::{history::Operation, model::Model};

/// The operations of one key in order of invocation.
pub type Part<'a, M> = Vec<&'a Operation<<M as Model>::Call, <M as Model>::Reply>>;

/// The parts of `history`, by key.
pub fn by_key<'a, M: Model>(
    model: &M,
    history: &'a [Operation<M::Call, M::Reply>],
) -> BTreeMap<M::Key, Part<'a, M>> {
    let mut parts: BTreeMap<M::Key, Part<'a, M>> = BTreeMap::new();
    for operation in history {
        parts.entry(model.key(&operation.call)).or_default().push(operation);
    }
    for part in parts.values_mut() {
        // Most histories come sorted; a check is cheaper than a sort.
        if !part.is_sorted_by_key(|operation| operation.invoked) {
            part.sort_unstable_by_key(|operation| operation.invoked);
        }
    }
    parts
}
