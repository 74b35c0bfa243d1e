//! Leader completeness: a leader holds everything committed in earlier terms.
//!
//! **Intuition.** Nothing flows towards a leader, so what it lacks at its election is lost when it
//! makes the others equal to itself. A leader elected late, for an old term, owes nothing of later
//! terms: the ghost knows in which term each index was committed.
//! **Source.** Thesis Fig. 3.2, §3.6.
//! **Upholds.** `inv:leader-completeness`.
//! **Not here.** The ghost (`mirrors.rs`).

use raft_core::{LogIndex, Role, Term};

use super::{
    Check, OracleId, broken,
    mirrors::{Mirrors, NodeMirror},
};

/// The oracle.
#[derive(Clone, Debug, Default)]
pub(super) struct Completeness {
    pub(super) checks: u64,
}

impl Completeness {
    /// The node at `slot` became leader of `term`; its log in memory is mirrored.
    pub(super) fn on_elected(&mut self, mirrors: &Mirrors, slot: usize, term: Term) -> Check {
        let owed = mirrors.committed_before(term);
        if owed == LogIndex::ZERO {
            return Ok(());
        }
        self.judge(mirrors, &mirrors.nodes[slot], owed, term)
    }

    /// The ghost grew to `upto` by a commit in `term`: leaders of later terms, elected while the
    /// acknowledgements were under way, must hold it too.
    pub(super) fn on_committed(&mut self, mirrors: &Mirrors, upto: LogIndex, term: Term) -> Check {
        if mirrors.newest_reign <= term {
            return Ok(());
        }
        for node in &mirrors.nodes {
            if node.up && node.role == Role::Leader && node.term > term {
                self.judge(mirrors, node, upto, node.term)?;
            }
        }
        Ok(())
    }

    fn judge(&mut self, mirrors: &Mirrors, node: &NodeMirror, owed: LogIndex, term: Term) -> Check {
        self.checks += 1;
        if node.memory.at(owed) == mirrors.committed.at(owed) {
            return Ok(());
        }
        broken(
            OracleId::LeaderCompleteness,
            node.id,
            format!(
                "{} leads term {term} without what was committed before it up to index {owed} \
                 (its log ends at {})",
                node.id,
                node.memory.last()
            ),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::super::testkit::{Kit, entry};
    use crate::oracle::OracleId::LeaderCompleteness;

    /// n1 leads term 1; entries 1 and 2 are committed on n1 and n2; n3 holds entry 1 only.
    fn two_of_three() -> Kit {
        let mut kit = Kit::new(3);
        kit.elect(1, 1, &[2, 3]).unwrap();
        kit.replicate(1, 1, 2).unwrap();
        kit.replicate(2, 1, 2).unwrap();
        kit.replicate(3, 1, 1).unwrap();
        kit.commit(1, 2).unwrap();
        kit
    }

    #[test]
    fn a_leader_without_a_committed_entry_is_seen() {
        let mut kit = two_of_three();
        let seen = kit.elect(3, 2, &[2]);
        kit.broke(
            seen,
            LeaderCompleteness,
            3,
            "without what was committed before it up to index 2",
        );
    }

    #[test]
    fn a_leader_with_another_entry_there_is_seen() {
        let mut kit = two_of_three();
        kit.log(3, 1, &[entry(1, 1), entry(2, 2), entry(2, 3)]).unwrap();
        let seen = kit.elect(3, 3, &[2]);
        kit.broke(seen, LeaderCompleteness, 3, "(its log ends at 3)");
    }

    #[test]
    fn a_leader_that_holds_it_is_fine() {
        let mut kit = two_of_three();
        kit.elect(2, 2, &[3]).unwrap();
        assert_eq!(kit.checks(LeaderCompleteness), 1, "the first election had nothing to hold");
    }

    #[test]
    fn a_late_leader_of_an_old_term_owes_nothing_of_later_ones() {
        let mut kit = Kit::new(5);
        for voter in [5, 4, 3] {
            kit.vote(voter, 2, 5).unwrap();
        }
        kit.elect(1, 3, &[2, 3]).unwrap();
        for node in [1, 2, 3] {
            kit.replicate(node, 3, 1).unwrap();
        }
        kit.commit(1, 1).unwrap();
        // Its votes of term 2 were under way all the time.
        kit.lead(5).unwrap();
    }

    #[test]
    fn a_commit_that_a_newer_leader_lacks_is_seen() {
        let mut kit = Kit::new(3);
        kit.elect(1, 1, &[2, 3]).unwrap();
        kit.replicate(1, 1, 1).unwrap();
        kit.elect(3, 2, &[2]).unwrap();
        // n2 should have refused this entry of term 1 after its vote in term 2.
        kit.replicate(2, 1, 1).unwrap();
        let seen = kit.commit(1, 1);
        kit.broke(seen, LeaderCompleteness, 3, "n3 leads term 2 without");
    }
}
