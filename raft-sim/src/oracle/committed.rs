//! What is committed never changes.
//!
//! **Intuition.** The first node to commit an index fixes its content in the ghost. Every later
//! commit anywhere must find the same prefix, and no log loses it again.
//! **Source.** Thesis Fig. 3.2 (state machine safety), §3.6.2.
//! **Upholds.** `inv:committed-immutable`.
//! **Not here.** On how many disks it is (`durable.rs`).

use raft_core::{LogIndex, NodeId};

use super::{
    Check, OracleId, broken,
    mirrors::{CommitStep, Mirrors},
};

/// The oracle.
#[derive(Clone, Debug, Default)]
pub(super) struct Committed {
    pub(super) checks: u64,
}

impl Committed {
    /// The commit index of `node` rose to `commit`, with this meaning for the ghost.
    pub(super) fn on_commit(
        &mut self,
        mirrors: &Mirrors,
        node: NodeId,
        commit: LogIndex,
        step: CommitStep,
    ) -> Check {
        match step {
            CommitStep::Agrees => {
                self.checks += 1;
                Ok(())
            }
            CommitStep::Advanced { before } => {
                self.checks += u64::from(before > LogIndex::ZERO);
                Ok(())
            }
            CommitStep::Conflict { index } => broken(
                OracleId::CommittedImmutable,
                node,
                format!(
                    "{node} committed up to {commit}, but at or below {index} its log differs \
                     from what was committed before (up to {})",
                    mirrors.committed.last()
                ),
            ),
            CommitStep::BeyondLog => broken(
                OracleId::CommittedImmutable,
                node,
                format!("{node} committed up to {commit}, beyond the end of its own log"),
            ),
        }
    }

    /// The log of the node at `slot` changed from `from` on, and it had committed up to `commit`.
    pub(super) fn on_log(
        &mut self,
        mirrors: &Mirrors,
        slot: usize,
        from: LogIndex,
        commit: LogIndex,
    ) -> Check {
        if from > commit {
            return Ok(());
        }
        self.checks += 1;
        let node = &mirrors.nodes[slot];
        if node.memory.at(commit) == mirrors.committed.at(commit) {
            return Ok(());
        }
        broken(
            OracleId::CommittedImmutable,
            node.id,
            format!(
                "{} changed its log from {from} on, though it had committed up to {commit}",
                node.id
            ),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::super::testkit::{Kit, entry};
    use crate::oracle::OracleId::CommittedImmutable;

    #[test]
    fn committing_something_else_at_an_index_is_seen() {
        let mut kit = Kit::settled(2);
        kit.crash(3).unwrap();
        kit.boot(3).unwrap();
        kit.log(3, 2, &[entry(2, 2)]).unwrap();
        let seen = kit.commit(3, 2);
        kit.broke(
            seen,
            CommittedImmutable,
            3,
            "n3 committed up to 2, but at or below 2 its log differs",
        );
    }

    #[test]
    fn committing_beyond_the_log_is_seen() {
        let mut kit = Kit::settled(2);
        kit.replicate(1, 1, 1).unwrap();
        kit.replicate(2, 1, 1).unwrap();
        kit.commit(1, 3).unwrap();
        let seen = kit.commit(3, 3);
        kit.broke(seen, CommittedImmutable, 3, "beyond the end of its own log");
    }

    #[test]
    fn cutting_below_the_own_commit_is_seen() {
        let mut kit = Kit::settled(3);
        let seen = kit.log(2, 3, &[]);
        kit.broke(
            seen,
            CommittedImmutable,
            2,
            "changed its log from 3 on, though it had committed up to 3",
        );
    }

    #[test]
    fn following_the_ghost_is_fine_and_counted() {
        let mut kit = Kit::settled(3);
        let before = kit.checks(CommittedImmutable);
        assert_eq!(before, 2, "the first commit had nothing to compare with");
        kit.replicate(1, 1, 1).unwrap();
        kit.replicate(2, 1, 1).unwrap();
        kit.commit(1, 4).unwrap();
        kit.commit(2, 4).unwrap();
        // n3 may change what it has not committed.
        kit.log(3, 4, &[entry(1, 4)]).unwrap();
        kit.commit(3, 4).unwrap();
        assert_eq!(kit.oracles.committed().0, 4);
    }
}
