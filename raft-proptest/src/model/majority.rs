//! Majorities by counting: who leads, and what is committed.
//!
//! **Intuition.** The definition itself: for every index from the top, count the voters that hold
//! it. Slow and obviously right.
//! **Source.** Thesis §3.4, §3.6.2.
//! **Upholds.** Checks `inv:election-safety`, `inv:committed-durable`.
//! **Not here.** The core's arithmetic.

use std::collections::{BTreeMap, BTreeSet};

/// Whether `yes` holds more than half of `voters`.
#[must_use]
pub fn is_majority(voters: &BTreeSet<u64>, yes: &BTreeSet<u64>) -> bool {
    voters.intersection(yes).count() > voters.len() / 2
}

/// One leader's view: the terms of its log, who holds how much, and what is committed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeaderModel {
    /// Its term.
    pub term: u64,
    /// Terms of its entries, from index 1 on.
    pub log: Vec<u64>,
    /// How far each voter's disk is known to hold this log, the leader's own included.
    pub holds: BTreeMap<u64, u64>,
    /// Commit index.
    pub commit: u64,
}

impl LeaderModel {
    /// A leader among `voters` with this log, of which nobody is known to hold anything.
    #[must_use]
    pub fn new(term: u64, log: Vec<u64>, voters: impl IntoIterator<Item = u64>) -> Self {
        Self { term, log, holds: voters.into_iter().map(|voter| (voter, 0)).collect(), commit: 0 }
    }

    /// `voter` holds everything up to `index`.
    pub fn acknowledged(&mut self, voter: u64, index: u64) {
        if let Some(held) = self.holds.get_mut(&voter) {
            *held = (*held).max(index);
        }
        let voters: BTreeSet<u64> = self.holds.keys().copied().collect();
        for candidate in (self.commit + 1..=self.log.len() as u64).rev() {
            let holders = self.holds.iter().filter(|(_, held)| **held >= candidate);
            let holders: BTreeSet<u64> = holders.map(|(voter, _)| *voter).collect();
            if is_majority(&voters, &holders) && self.log[candidate as usize - 1] == self.term {
                self.commit = candidate;
                return;
            }
        }
    }
}
