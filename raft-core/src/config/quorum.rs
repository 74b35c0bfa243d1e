//! Quorum arithmetic: is this a majority, and what has a majority reached?
//!
//! **Intuition.** Sort what every voter has reached, highest first; the value in the middle is the
//! highest that a majority holds. Nine values at most, so a sort on the stack is all it takes.
//! **Source.** Thesis §3.4, §3.5; B-039 to B-041 are the ways to get it wrong.
//! **Upholds.** `inv:election-safety`, `inv:committed-durable`.
//! **Not here.** What is counted and when (`election/tally.rs`, `replication/commit.rs`).

use super::Configuration;
use crate::types::NodeId;

impl Configuration {
    /// Whether the voters for which `holds` is true are a majority of all voters.
    pub(crate) fn is_quorum(&self, mut holds: impl FnMut(NodeId) -> bool) -> bool {
        let yes = self.voters().iter().filter(|node| holds(**node)).count();
        yes.saturating_mul(2) > self.voters().len()
    }

    /// The highest value that a majority of all voters has reached.
    pub(crate) fn reached(&self, mut value: impl FnMut(NodeId) -> u64) -> u64 {
        let mut values = [0_u64; Self::VOTERS_MAX];
        let count = self.voters().len().min(Self::VOTERS_MAX);
        for (slot, node) in values.iter_mut().zip(self.voters()) {
            *slot = value(*node);
        }
        let Some(values) = values.get_mut(..count) else { return 0 };
        values.sort_unstable_by(|a, b| b.cmp(a));
        // Highest first: the entry at n/2 has n/2 others at or above it, a majority with itself.
        values.get(count / 2).copied().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The slow twin: try every value, count who has it.
    fn slow(values: &[u64]) -> u64 {
        (0..=10)
            .rev()
            .find(|v| values.iter().filter(|have| *have >= v).count() > values.len() / 2)
            .unwrap_or(0)
    }

    #[test]
    fn equals_counting_for_every_vector_of_up_to_five_voters() {
        for n in 1..=5_usize {
            let config = Configuration::new((1..=n as u64).map(NodeId)).unwrap();
            for code in 0..4_usize.pow(n as u32) {
                let values: Vec<u64> =
                    (0..n).map(|i| (code / 4_usize.pow(i as u32) % 4) as u64).collect();
                let got = config.reached(|node| values[node.0 as usize - 1]);
                assert_eq!(got, slow(&values), "{values:?}");
                let holds = config.is_quorum(|node| values[node.0 as usize - 1] > 0);
                assert_eq!(holds, slow(&values) > 0, "{values:?}");
            }
        }
    }

    extern crate std;
    use std::vec::Vec;
}
