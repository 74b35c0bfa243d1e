//! Quorum arithmetic: is this a majority, and what has a majority reached?
//!
//! **Intuition.** Sort what every voter has reached, highest first; the value in the middle is the
//! highest that a majority holds. Nine values at most, so a sort on the stack is all it takes.
//! While joint, both halves must agree, so the lower of the two counts.
//! **Source.** Thesis §3.4, §3.5, §4.3; B-039 to B-041 are the ways to get it wrong.
//! **Upholds.** `inv:election-safety`, `inv:committed-durable`, `inv:only-voters-count`.
//! **Not here.** What is counted and when (`election/tally.rs`, `replication/commit.rs`).

use super::Configuration;
use crate::{Node, peer::Peer};

/// What one member is in each half, as bits: counting must not search lists.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Seat(u8);

impl Seat {
    const INCOMING: u8 = 1;
    const OUTGOING: u8 = 2;
    const LEARNER: u8 = 4;
    const WITNESS: u8 = 8;

    pub(crate) fn new(incoming: bool, outgoing: bool, learner: bool, witness: bool) -> Self {
        let bit = |set: bool, bit: u8| if set { bit } else { 0 };
        Self(
            bit(incoming, Self::INCOMING)
                | bit(outgoing, Self::OUTGOING)
                | bit(learner, Self::LEARNER)
                | bit(witness, Self::WITNESS),
        )
    }

    /// Votes in the only, or while joint the new, half.
    pub(crate) const fn is_incoming(self) -> bool {
        self.0 & Self::INCOMING != 0
    }

    /// Votes in the old half while joint.
    pub(crate) const fn is_outgoing(self) -> bool {
        self.0 & Self::OUTGOING != 0
    }

    /// Votes in either half.
    pub(crate) const fn is_voter(self) -> bool {
        self.0 & (Self::INCOMING | Self::OUTGOING) != 0
    }

    pub(crate) const fn is_witness(self) -> bool {
        self.0 & Self::WITNESS != 0
    }

    /// A voter that holds data, and so may lead.
    pub(crate) const fn may_lead(self) -> bool {
        self.is_voter() && !self.is_witness()
    }

    pub(crate) const fn is_member(self) -> bool {
        self.0 & (Self::INCOMING | Self::OUTGOING | Self::LEARNER) != 0
    }

    pub(crate) const fn bits(self) -> u8 {
        self.0
    }
}

/// Up to nine values of one half, of which the one that a majority reached is wanted.
struct Half {
    values: [u64; Configuration::VOTERS_MAX],
    count: usize,
}

impl Half {
    const fn new() -> Self {
        Self { values: [0; Configuration::VOTERS_MAX], count: 0 }
    }

    fn push(&mut self, value: u64) {
        if let Some(slot) = self.values.get_mut(self.count) {
            *slot = value;
            self.count = self.count.saturating_add(1);
        }
    }

    /// The highest value that a majority reached; 0 of nobody.
    fn reached(&mut self) -> u64 {
        let count = self.count;
        let Some(values) = self.values.get_mut(..count) else { return 0 };
        values.sort_unstable_by(|a, b| b.cmp(a));
        // Highest first: the entry at n/2 has n/2 others at or above it, a majority with itself.
        values.get(count / 2).copied().unwrap_or(0)
    }
}

impl Node {
    /// The highest value that a quorum of the configuration in force has reached, where this node
    /// reached `own` and its peers `value`. 0 without voters.
    pub(crate) fn reached(&self, own: u64, value: impl Fn(&Peer) -> u64) -> u64 {
        let mut incoming = Half::new();
        let mut outgoing = Half::new();
        let mut put = |seat: Seat, value: u64| {
            if seat.is_incoming() {
                incoming.push(value);
            }
            if seat.is_outgoing() {
                outgoing.push(value);
            }
        };
        put(self.own_seat, own);
        for peer in &self.peers {
            if peer.seat.is_voter() {
                put(peer.seat, value(peer));
            }
        }
        let new = incoming.reached();
        if outgoing.count == 0 { new } else { new.min(outgoing.reached()) }
    }

    /// Whether those for which `holds` is true, and this node if `own`, are a quorum of the
    /// configuration in force.
    pub(crate) fn is_quorum(&self, own: bool, holds: impl Fn(&Peer) -> bool) -> bool {
        self.reached(u64::from(own), |peer| u64::from(holds(peer))) > 0
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
            for code in 0..4_usize.pow(n as u32) {
                let values: Vec<u64> =
                    (0..n).map(|i| (code / 4_usize.pow(i as u32) % 4) as u64).collect();
                let mut half = Half::new();
                for value in &values {
                    half.push(*value);
                }
                assert_eq!(half.reached(), slow(&values), "{values:?}");
            }
        }
        assert_eq!(Half::new().reached(), 0);
    }

    extern crate std;
    use std::vec::Vec;
}
