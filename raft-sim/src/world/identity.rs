//! Counting things of the same kind, so that each has an identity of its own.
//!
//! **Intuition.** Fates are keyed by what a thing is about, not by how many draws came before. Two
//! things about the same are told apart by a count that starts anew with each boot or role.
//! **Source.** Ours.
//! **Upholds.** `inv:pure`.
//! **Not here.** Fates (`fault/fates.rs`).

use crate::collections::FixedMap;

/// Counts occurrences of each identity.
#[derive(Clone, Debug, Default)]
pub(crate) struct Nth {
    seen: FixedMap<[u64; 3], u64>,
}

impl Nth {
    /// How often `identity` was seen before; counts this one.
    pub(crate) fn next(&mut self, identity: [u64; 3]) -> u64 {
        let count = self.seen.entry(identity).or_insert(0);
        let nth = *count;
        *count += 1;
        nth
    }

    /// Starts anew.
    pub(crate) fn clear(&mut self) {
        self.seen.clear();
    }
}
