//! Guard and readiness: who answers, who is caught up, and whether enough would be left.
//!
//! **Intuition.** A group that votes a living member out, or a dead one in, may find itself without
//! a majority and unable even to undo it. So before a configuration is appended, the voters that
//! answered lately are counted against it. Promotion and transfer ask another question of one peer:
//! is it close enough behind not to hold anybody up?
//! **Source.** D-W15 (no such check), D-R9 (a joiner counted at once), thesis §4.2.1.
//! **Upholds.** `inv:live`, `inv:committed-durable` (data copies when a voter drops its own).
//! **Not here.** The rest of a change's judgement (`change.rs`).

use core::fmt;

use super::{Configuration, change::ChangeError, has};
use crate::{
    Node,
    peer::Peer,
    types::{LogIndex, NodeId, Role},
};

/// Whether a peer can be promoted, or leadership handed to it: its log and its machine are at most
/// `Options::ready_lag_max` entries behind the leader's last, and it has answered within
/// `check_quorum_ns`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum Readiness {
    /// It can.
    Ready,
    /// It has not answered lately.
    Unheard,
    /// Its log or its machine is too far behind.
    Lagging {
        /// Highest index durable there and equal to ours.
        matched: LogIndex,
        /// Highest index its machine has applied, as it last said.
        applied: LogIndex,
        /// What both must reach.
        needed: LogIndex,
    },
}

impl fmt::Display for Readiness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ready => f.write_str("ready"),
            Self::Unheard => f.write_str("no answer lately"),
            Self::Lagging { matched, applied, needed } => {
                write!(f, "matched {matched} and applied {applied}, needs {needed}")
            }
        }
    }
}

/// How many of `data` data voters must hold an entry so that each quorum of `voters`, of which the
/// other `voters - data` are witnesses, has one among its data voters. A quorum of witnesses alone
/// elects nobody, so at least one data voter is in each that matters.
fn data_copies_needed(voters: usize, data: usize) -> usize {
    let quorum = (voters / 2).saturating_add(1);
    let witnesses = voters.saturating_sub(data);
    let fewest = quorum.saturating_sub(witnesses).max(1);
    data.saturating_sub(fewest).saturating_add(1)
}

/// Whether `after` lets go of data: a voter that holds it leaves or drops it, and witnesses are
/// among the voters that stay, so that an acknowledged entry need not be on any data disk left.
pub(crate) fn lets_go_of_data(before: &Configuration, after: &Configuration) -> bool {
    let holds = |of: &Configuration, node| of.is_voter(node) && !of.is_witness(node);
    let halves = [before.voters(), before.outgoing()];
    after.parts().witnesses.iter().any(|node| after.is_voter(*node))
        && halves.into_iter().flatten().any(|n| holds(before, *n) && !holds(after, *n))
}

impl Node {
    /// Whether the peer answered this leader within `check_quorum_ns`.
    pub(crate) fn heard_lately(&self, peer: &Peer) -> bool {
        peer.heard_at.is_some_and(|at| self.now.since(at) < self.options.check_quorum_ns)
    }

    /// How close to this leader a peer is.
    pub(crate) fn readiness(&self, peer: &Peer) -> Readiness {
        if !self.heard_lately(peer) {
            return Readiness::Unheard;
        }
        let needed = LogIndex(self.log.last_index().0.saturating_sub(self.options.ready_lag_max));
        let (matched, applied) = (peer.progress.matched, peer.applied);
        // Only by the configuration that made it a member does it know whether what it holds is
        // data, or stubs of a time as a witness.
        let (seated, _) = self.marks.history.newest();
        if matched >= needed.max(seated) && applied >= needed {
            Readiness::Ready
        } else {
            Readiness::Lagging { matched, applied, needed: needed.max(seated) }
        }
    }

    /// How close to this leader the member `peer` is; `None` if this node does not lead or knows no
    /// such member.
    #[must_use]
    pub fn peer_readiness(&self, peer: NodeId) -> Option<Readiness> {
        let peer = self.peer(peer).filter(|peer| peer.seat.is_member())?;
        (self.role() == Role::Leader).then(|| self.readiness(peer))
    }

    /// Whether enough voters of `after` answer. Taking away the vote of one that does not is always
    /// right: it makes a quorum easier to find.
    pub(crate) fn judge_quorum_after(
        &self,
        before: &Configuration,
        after: &Configuration,
    ) -> Result<(), ChangeError> {
        // Who is to vote with data, and did not, counts as answering only if it is a member that
        // has acknowledged its seat. A disk with stubs never does: it needs a snapshot first,
        // perhaps of what could not be committed without it.
        let holds = |of: &Configuration, node| of.is_voter(node) && !of.is_witness(node);
        let (seated, _) = self.marks.history.newest();
        let answers = |node: &NodeId| {
            let gains = holds(after, *node) && !holds(before, *node);
            let fit = |peer: &Peer| {
                let knows = before.is_member(*node) && !before.is_witness(*node);
                !gains || knows && peer.progress.matched >= seated
            };
            let heard = |peer: &Peer| self.heard_lately(peer) && fit(peer);
            *node == self.hard.node || self.peer(*node).is_some_and(heard)
        };
        let drops = lets_go_of_data(before, after);
        if !after.is_joint() && !drops {
            let mut gone = before.voters().iter().filter(|node| !has(after.voters(), **node));
            let come = after.voters().iter().any(|node| !has(before.voters(), *node));
            match gone.next() {
                None if !come => return Ok(()),
                Some(node) if !come && !answers(node) => return Ok(()),
                _ => {}
            }
        }
        for half in [after.voters(), after.outgoing()] {
            let responsive = half.iter().filter(|node| answers(node)).count();
            let needed = (half.len() / 2).saturating_add(1);
            if !half.is_empty() && responsive < needed {
                return Err(ChangeError::WouldBreakQuorum { responsive, needed });
            }
        }
        if drops {
            // Who is to drop its data does so when enough of the others hold it.
            let holds = |node: &&NodeId| !after.is_witness(**node);
            let data = after.voters().iter().filter(holds).count();
            let responsive = after.voters().iter().filter(holds).filter(|n| answers(n)).count();
            let needed = data_copies_needed(after.voters().len(), data);
            if responsive < needed {
                return Err(ChangeError::WouldBreakQuorum { responsive, needed });
            }
        }
        Ok(())
    }

    /// Whether each quorum of the configuration in force has a data voter that holds `index`
    /// durably. Leaders only.
    pub(crate) fn data_quorums_hold(&self, index: LogIndex) -> bool {
        let configuration = &self.configuration;
        let holds = |node: &NodeId| {
            if *node == self.hard.node {
                return self.lane.durable() >= index;
            }
            self.peer(*node).is_some_and(|peer| peer.counted_match() >= index)
        };
        [configuration.voters(), configuration.outgoing()].into_iter().all(|half| {
            let data = half.iter().filter(|node| !configuration.is_witness(**node));
            let needed = data_copies_needed(half.len(), data.clone().count());
            half.is_empty() || data.filter(|node| holds(node)).count() >= needed
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The slow twin: place the copies as badly as possible and look at every quorum.
    #[test]
    fn copies_needed_equal_trying_every_quorum() {
        for voters in 1..=7_u32 {
            for data in 1..=voters {
                // Data voters are the low bits; the worst place for `copies` is any of them.
                let enough = |copies: u32| {
                    let holders = (1_u32 << copies) - 1;
                    (0..1_u32 << voters)
                        .filter(|set| set.count_ones() > voters / 2)
                        .filter(|set| set & ((1 << data) - 1) != 0)
                        .all(|set| set & holders != 0)
                };
                let slow = (0..=data).find(|copies| enough(*copies)).unwrap();
                assert_eq!(
                    data_copies_needed(voters as usize, data as usize),
                    slow as usize,
                    "{voters} voters, {data} with data"
                );
            }
        }
    }
}
