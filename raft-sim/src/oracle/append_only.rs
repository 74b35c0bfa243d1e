//! A leader only appends to its own log.
//!
//! **Intuition.** A leader counts copies of its entries. If it could change one afterwards, the
//! copies would be of something else.
//! **Source.** Thesis Fig. 3.2, §3.5.
//! **Upholds.** `inv:leader-append-only`.
//! **Not here.** Truncation on followers, which is legal above the commit index (`committed.rs`).

use raft_core::{LogIndex, NodeId};

use super::{Check, OracleId, broken};

/// The oracle.
#[derive(Clone, Debug, Default)]
pub(super) struct AppendOnly {
    pub(super) checks: u64,
}

impl AppendOnly {
    /// A node that leads touched its log from `from` on; it ended at `last` before.
    pub(super) fn on_log(&mut self, node: NodeId, from: LogIndex, last: LogIndex) -> Check {
        self.checks += 1;
        if from > last {
            return Ok(());
        }
        broken(
            OracleId::LeaderAppendOnly,
            node,
            format!("leader {node} removed or rewrote its entries from {from} on (it had {last})"),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::super::testkit::{Kit, entry};
    use crate::oracle::OracleId::LeaderAppendOnly;

    #[test]
    fn a_leader_that_cuts_its_log_is_seen() {
        let mut kit = Kit::new(3);
        kit.elect(1, 1, &[2]).unwrap();
        kit.append(1, 1, 3).unwrap();
        let seen = kit.log(1, 3, &[]);
        kit.broke(seen, LeaderAppendOnly, 1, "removed or rewrote its entries from 3 on (it had 3)");
    }

    #[test]
    fn a_leader_that_rewrites_even_the_same_entry_is_seen() {
        let mut kit = Kit::new(3);
        kit.elect(1, 1, &[2]).unwrap();
        kit.append(1, 1, 3).unwrap();
        let seen = kit.log(1, 3, &[entry(1, 3), entry(1, 4)]);
        kit.broke(seen, LeaderAppendOnly, 1, "from 3 on");
    }

    #[test]
    fn appending_is_fine_and_so_is_a_follower_that_cuts() {
        let mut kit = Kit::new(3);
        kit.elect(1, 1, &[2]).unwrap();
        kit.append(1, 1, 3).unwrap();
        kit.append(1, 1, 1).unwrap();
        assert_eq!(kit.checks(LeaderAppendOnly), 2);
        kit.elect(2, 2, &[3]).unwrap();
        kit.vote(1, 2, 0).unwrap();
        kit.log(1, 2, &[entry(2, 2)]).unwrap();
        assert_eq!(kit.checks(LeaderAppendOnly), 2);
    }
}
