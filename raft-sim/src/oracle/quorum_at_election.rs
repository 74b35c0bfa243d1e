//! At the moment of its election a quorum holds the leader's vote durably.
//!
//! **Intuition.** A leader may be elected by any quorum, but each of its votes must be one that no
//! crash can take back, or the same voters can elect somebody else in the same term.
//! **Source.** Thesis §3.4, §3.8; asked at the election itself because later the voters move on.
//! **Upholds.** `inv:leader-holds-durable-quorum`.
//! **Not here.** What a quorum is (`mirrors.rs`).

use raft_core::Term;

use super::{Check, OracleId, broken, mirrors::Mirrors};

/// The oracle.
#[derive(Clone, Debug, Default)]
pub(super) struct QuorumAtElection {
    pub(super) checks: u64,
}

impl QuorumAtElection {
    /// `node` became leader of `term`.
    pub(super) fn judge(&mut self, mirrors: &Mirrors, slot: usize, term: Term) -> Check {
        self.checks += 1;
        let (node, quorum) = (mirrors.nodes[slot].id, mirrors.nodes[slot].quorum);
        let holders = mirrors.durable_votes(term, node);
        if quorum.is_in(holders) {
            return Ok(());
        }
        broken(
            OracleId::LeaderHoldsDurableQuorum,
            node,
            format!(
                "{node} leads term {term}, but of {} voters only {} ever held that vote durably",
                quorum.all().count_ones(),
                mirrors.names(quorum, holders)
            ),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::super::testkit::Kit;
    use super::*;
    use crate::oracle::OracleId::LeaderHoldsDurableQuorum;
    use raft_core::NodeId;

    #[test]
    fn too_few_votes_are_seen() {
        let mut kit = Kit::new(3);
        let seen = kit.elect(1, 2, &[]);
        kit.broke(seen, LeaderHoldsDurableQuorum, 1, "of 3 voters only n1 ever held that vote");
    }

    #[test]
    fn four_voters_need_three() {
        let mut kit = Kit::new(4);
        let seen = kit.elect(1, 2, &[2]);
        kit.broke(seen, LeaderHoldsDurableQuorum, 1, "only n1, n2");
        Kit::new(4).elect(1, 2, &[2, 3]).unwrap();
    }

    #[test]
    fn a_vote_only_in_memory_does_not_count() {
        let mut kit = Kit::new(3);
        kit.vote(1, 2, 1).unwrap();
        kit.view(2, |v| (v.term, v.vote) = (Term(2), Some(NodeId(1)))).unwrap();
        let seen = kit.lead(1);
        kit.broke(seen, LeaderHoldsDurableQuorum, 1, "only n1");
    }

    #[test]
    fn voters_that_moved_on_or_crashed_still_count() {
        let mut kit = Kit::new(5);
        for voter in [1, 2, 3] {
            kit.vote(voter, 2, 1).unwrap();
        }
        kit.vote(2, 3, 0).unwrap();
        kit.crash(3).unwrap();
        kit.lead(1).unwrap();
        assert_eq!(kit.checks(LeaderHoldsDurableQuorum), 1);
    }
}
