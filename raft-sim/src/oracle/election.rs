//! Election safety: a term has at most one reign.
//!
//! **Intuition.** The key is not the node but its reign: (node, boot, number). A leader that loses
//! its memory and leads the same term again can put a second entry at the same place, just as a
//! second node could.
//! **Source.** Thesis Fig. 3.2; keyed by reign because a node that reigns twice in a term escapes
//! an oracle keyed by node (B-001 in docs/HAZARDS.md).
//! **Upholds.** `inv:election-safety`.
//! **Not here.** Votes (`vote.rs`, `quorum_at_election.rs`).

use raft_core::Term;

use super::{Check, OracleId, broken, mirrors::Reign};

/// The oracle; the register of reigns is shared and lives in the mirrors.
#[derive(Clone, Debug, Default)]
pub(super) struct Election {
    pub(super) checks: u64,
}

impl Election {
    /// `reign` has begun in `term`, which `held` had before.
    pub(super) fn judge(&mut self, term: Term, reign: Reign, held: Option<Reign>) -> Check {
        self.checks += 1;
        match held {
            None => Ok(()),
            Some(held) => broken(
                OracleId::ElectionSafety,
                reign.node,
                format!(
                    "{} leads term {term} (boot {}, reign {}), which {} already led (boot {}, \
                     reign {})",
                    reign.node, reign.boot, reign.number, held.node, held.boot, held.number
                ),
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use raft_core::{NodeId, Role};

    use super::super::testkit::Kit;
    use super::*;
    use crate::oracle::OracleId::ElectionSafety;

    #[test]
    fn a_second_node_leading_the_term_is_seen() {
        let mut kit =
            Kit::with(3, super::super::testkit::ALL, &[OracleId::LeaderHoldsDurableQuorum]);
        kit.elect(1, 5, &[2]).unwrap();
        kit.vote(3, 5, 3).unwrap();
        let seen = kit.lead(3);
        kit.broke(seen, ElectionSafety, 3, "n3 leads term 5 (boot 1, reign 1), which n1 already");
    }

    #[test]
    fn the_same_node_reigning_twice_in_a_term_is_seen() {
        let mut kit = Kit::new(3);
        kit.elect(1, 5, &[2]).unwrap();
        kit.view(1, |v| v.role = Role::Follower).unwrap();
        let seen = kit.lead(1);
        kit.broke(seen, ElectionSafety, 1, "n1 leads term 5 (boot 1, reign 2)");
    }

    #[test]
    fn leading_on_after_a_restart_is_seen() {
        let mut kit = Kit::new(3);
        kit.elect(1, 5, &[2]).unwrap();
        kit.crash(1).unwrap();
        kit.boot(1).unwrap();
        let seen = kit.lead(1);
        kit.broke(seen, ElectionSafety, 1, "(boot 2, reign 1), which n1 already led (boot 1");
    }

    #[test]
    fn a_leader_already_at_boot_counts_as_a_reign() {
        let mut kit = Kit::new(3);
        kit.elect(1, 5, &[2]).unwrap();
        kit.crash(1).unwrap();
        let mut view = kit.node(1).view.clone();
        view.role = Role::Leader;
        let seen = kit.boot_as(1, &view);
        kit.broke(seen, ElectionSafety, 1, "which n1 already led");
    }

    #[test]
    fn new_reigns_in_new_terms_are_fine() {
        let mut kit = Kit::new(3);
        kit.elect(1, 5, &[2]).unwrap();
        kit.elect(1, 6, &[2]).unwrap();
        kit.elect(2, 7, &[3]).unwrap();
        assert_eq!(kit.oracles.terms(), 3);
        assert_eq!(kit.checks(ElectionSafety), 3);
        assert_eq!(kit.oracles.leader_now(), Some(NodeId(2)));
    }
}
