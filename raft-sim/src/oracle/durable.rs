//! What is committed is on the disks of a quorum, for ever.
//!
//! **Intuition.** A commit is a promise about disks. So disks are asked, those of crashed nodes
//! included, and memory is not: an entry that only lives in memory counts for nothing, and a
//! crashed node's copy counts in full.
//! **Source.** Thesis §3.5, §3.8; a checker that asks live processes instead errs both ways
//! (B-110 in docs/HAZARDS.md). The leader's own disk need not be among them.
//! **Upholds.** `inv:committed-durable`.
//! **Not here.** What a quorum is (`mirrors.rs`).

use raft_core::{LogIndex, NodeId};

use super::{Check, OracleId, broken, mirrors::Mirrors};

/// The oracle.
#[derive(Clone, Debug, Default)]
pub(super) struct Durable {
    pub(super) checks: u64,
}

impl Durable {
    /// The ghost grew, seen at `node`.
    pub(super) fn on_committed(&mut self, mirrors: &Mirrors, node: NodeId) -> Check {
        self.judge(mirrors, node, "was committed")
    }

    /// The disk of `node` changed from `from` on by more than growing.
    pub(super) fn on_disk_cut(&mut self, mirrors: &Mirrors, node: NodeId, from: LogIndex) -> Check {
        if from > mirrors.committed.last() {
            return Ok(());
        }
        self.judge(mirrors, node, "is committed")
    }

    fn judge(&mut self, mirrors: &Mirrors, node: NodeId, how: &str) -> Check {
        let upto = mirrors.committed.last();
        if upto == LogIndex::ZERO {
            return Ok(());
        }
        self.checks += 1;
        let chain = mirrors.committed.at(upto);
        // A prefix hash at `upto` vouches for everything below, so one index is enough.
        let holders = mirrors.which(|n| n.disk.at(upto) == chain);
        let quorum = mirrors.decided;
        if quorum.is_in(holders) {
            return Ok(());
        }
        broken(
            OracleId::CommittedDurable,
            node,
            format!(
                "index {upto} {how}, but of {} voters only the disks of {} would keep it through \
                 a crash",
                quorum.all().count_ones(),
                mirrors.names(quorum, holders)
            ),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::super::testkit::{Kit, hard};
    use crate::oracle::OracleId::CommittedDurable;

    fn led() -> Kit {
        let mut kit = Kit::new(3);
        kit.elect(1, 1, &[2, 3]).unwrap();
        kit.append(1, 1, 2).unwrap();
        kit
    }

    #[test]
    fn a_commit_on_memory_alone_is_seen() {
        let mut kit = led();
        kit.append(2, 1, 2).unwrap();
        kit.append(3, 1, 2).unwrap();
        kit.store(2).unwrap();
        let seen = kit.commit(1, 2);
        kit.broke(seen, CommittedDurable, 1, "of 3 voters only the disks of n2 would keep it");
    }

    #[test]
    fn a_quorum_without_the_leaders_own_disk_is_enough() {
        let mut kit = led();
        kit.replicate(2, 1, 2).unwrap();
        kit.replicate(3, 1, 2).unwrap();
        kit.commit(1, 2).unwrap();
        assert_eq!(kit.checks(CommittedDurable), 1);
    }

    #[test]
    fn the_disk_of_a_crashed_node_counts() {
        let mut kit = led();
        kit.store(1).unwrap();
        kit.replicate(2, 1, 2).unwrap();
        kit.crash(2).unwrap();
        kit.commit(1, 2).unwrap();
    }

    #[test]
    fn a_write_acknowledged_above_a_hole_does_not_count() {
        let mut kit = led();
        kit.store(1).unwrap();
        kit.append(2, 1, 2).unwrap();
        // Handed out, even acknowledged, but not yet part of the complete prefix.
        kit.hand(2, None, None, &[]).unwrap();
        let seen = kit.commit(1, 2);
        kit.broke(seen, CommittedDurable, 1, "only the disks of n1");
    }

    #[test]
    fn a_disk_that_drops_a_committed_entry_is_seen() {
        let mut kit = led();
        kit.store(1).unwrap();
        kit.replicate(2, 1, 2).unwrap();
        kit.commit(1, 2).unwrap();
        // n2 does not know of the commit yet and cuts its log.
        kit.log(2, 2, &[]).unwrap();
        let seen = kit.store(2);
        kit.broke(
            seen,
            CommittedDurable,
            2,
            "index 2 is committed, but of 3 voters only the disks of n1",
        );
    }

    #[test]
    fn a_disk_that_loses_a_committed_entry_in_a_crash_is_seen() {
        let mut kit = Kit::settled(2);
        kit.crash_leaving(3, hard(1, 1), 1).unwrap();
        let seen = kit.crash_leaving(2, hard(1, 1), 0);
        kit.broke(seen, CommittedDurable, 2, "only the disks of n1");
    }
}
