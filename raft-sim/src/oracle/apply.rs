//! Entries are applied in order, each once in a boot, and with the same result everywhere.
//!
//! **Intuition.** The first node to apply an index writes down the state it reached. Every other
//! application of that index, on any node in any boot, must reach the same state.
//! **Source.** Thesis Fig. 3.2 (state machine safety), §3.5, §3.8 (a volatile machine is replayed
//! from its start).
//! **Upholds.** `inv:apply-once-in-order`.
//! **Not here.** Client operations (`nothing_lost.rs`).

use raft_core::{LogIndex, NodeId};

use super::{
    Check, OracleId, broken,
    mirrors::{Mirrors, NODES_MAX},
};
use crate::process::EntryId;

/// The oracle.
#[derive(Clone, Debug)]
pub(super) struct Apply {
    pub(super) checks: u64,
    /// By slot: last index applied in this boot.
    upto: Vec<LogIndex>,
    /// By slot: last index handed out in this boot.
    handed: Vec<LogIndex>,
    /// By index: entry hash and machine digest after it, as first seen.
    seen: Vec<(u64, u64)>,
    /// Whether applying what is not durable at the node is a breach.
    durable_first: bool,
}

impl Apply {
    /// `durable_first`: the system promises to apply only what is durable at the node itself.
    pub(super) fn new(durable_first: bool) -> Self {
        Self {
            checks: 0,
            upto: vec![LogIndex::ZERO; NODES_MAX],
            handed: vec![LogIndex::ZERO; NODES_MAX],
            seen: Vec::with_capacity(1024),
            durable_first,
        }
    }

    /// Digest of the machine after `index`, as first seen.
    pub(super) fn state_at(&self, index: LogIndex) -> Option<u64> {
        let at = usize::try_from(index.0.checked_sub(1)?).ok()?;
        self.seen.get(at).map(|(_, machine)| *machine)
    }

    /// A process started with `applied` done already.
    pub(super) fn on_boot(&mut self, slot: usize, applied: LogIndex) {
        self.upto[slot] = applied;
        self.handed[slot] = applied;
    }

    /// A snapshot of `index` was handed out for the machine.
    pub(super) fn on_install_handed(&mut self, slot: usize, index: LogIndex) {
        self.handed[slot] = index;
    }

    /// The machine became a snapshot of `index`.
    pub(super) fn on_installed(&mut self, slot: usize, index: LogIndex) {
        self.upto[slot] = index;
    }

    /// Entries `first` to `last` were handed out for apply.
    pub(super) fn on_handed(
        &mut self,
        mirrors: &Mirrors,
        slot: usize,
        first: LogIndex,
        last: LogIndex,
    ) -> Check {
        self.checks += 1;
        let node = &mirrors.nodes[slot];
        let before = self.handed[slot];
        if first != before.next() {
            return broken(
                OracleId::ApplyOnceInOrder,
                node.id,
                format!("{} hands out {first} for apply after {before}", node.id),
            );
        }
        self.handed[slot] = last;
        if last > node.commit {
            return broken(
                OracleId::ApplyOnceInOrder,
                node.id,
                format!(
                    "{} hands out entry {last} for apply above its commit index {}",
                    node.id, node.commit
                ),
            );
        }
        if self.durable_first && last > node.disk.last() {
            return broken(
                OracleId::ApplyOnceInOrder,
                node.id,
                format!(
                    "{} hands out entry {last} for apply, but its disk is durable up to {} only",
                    node.id,
                    node.disk.last()
                ),
            );
        }
        Ok(())
    }

    /// `entry` was applied and the machine's state is now `machine`.
    pub(super) fn on_applied(
        &mut self,
        mirrors: &Mirrors,
        slot: usize,
        entry: EntryId,
        machine: u64,
    ) -> Check {
        self.checks += 1;
        let node = mirrors.nodes[slot].id;
        let index = entry.position.index;
        if index != self.upto[slot].next() {
            return broken(
                OracleId::ApplyOnceInOrder,
                node,
                format!("{node} applied {index} after {}", self.upto[slot]),
            );
        }
        self.upto[slot] = index;
        let Some(link) = mirrors.committed.link(index) else {
            return broken(
                OracleId::ApplyOnceInOrder,
                node,
                format!(
                    "{node} applied {index}, which nobody committed (committed up to {})",
                    mirrors.committed.last()
                ),
            );
        };
        if link.hash != entry.hash || link.term != entry.position.term {
            return broken(
                OracleId::ApplyOnceInOrder,
                node,
                format!(
                    "{node} applied an entry of term {} at {index} that is not the committed one \
                     (term {})",
                    entry.position.term, link.term
                ),
            );
        }
        self.same_state(node, index, entry.hash, machine)
    }

    fn same_state(&mut self, node: NodeId, index: LogIndex, hash: u64, machine: u64) -> Check {
        let at = (index.0 - 1) as usize;
        match self.seen.get(at) {
            Some(&(seen_hash, seen_machine)) => {
                if (seen_hash, seen_machine) == (hash, machine) {
                    return Ok(());
                }
                let what = if seen_hash == hash { "reached another state" } else { "differs" };
                broken(
                    OracleId::ApplyOnceInOrder,
                    node,
                    format!("what {node} applied at {index} {what} than elsewhere or before"),
                )
            }
            // Applying is contiguous in each boot and machines start empty, so the first node to
            // come here is one past the end.
            None if at == self.seen.len() => {
                self.seen.push((hash, machine));
                Ok(())
            }
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testkit::{ALL, Kit, entry, other_entry};
    use super::*;
    use crate::{
        oracle::{Observation, OracleId::ApplyOnceInOrder},
        process::Promises,
    };

    fn hand(kit: &mut Kit, node: u64, first: u64, last: u64) -> super::super::testkit::Seen {
        kit.see(Observation::ApplyHanded {
            node: NodeId(node),
            first: LogIndex(first),
            last: LogIndex(last),
        })
    }

    #[test]
    fn a_skipped_entry_is_seen() {
        let mut kit = Kit::settled(3);
        let seen = hand(&mut kit, 2, 2, 3);
        kit.broke(seen, ApplyOnceInOrder, 2, "hands out 2 for apply after 0");
        let mut kit = Kit::settled(3);
        let seen = kit.applied(2, entry(1, 2), 0);
        kit.broke(seen, ApplyOnceInOrder, 2, "n2 applied 2 after 0");
    }

    #[test]
    fn an_entry_applied_twice_is_seen() {
        let mut kit = Kit::settled(3);
        kit.apply(2, 3).unwrap();
        let seen = kit.applied(2, entry(1, 3), 21);
        kit.broke(seen, ApplyOnceInOrder, 2, "n2 applied 3 after 3");
    }

    #[test]
    fn a_replay_after_a_restart_is_fine_and_must_give_the_same() {
        let mut kit = Kit::settled(3);
        kit.apply(2, 3).unwrap();
        kit.crash(2).unwrap();
        kit.boot(2).unwrap();
        kit.commit(2, 3).unwrap();
        kit.apply(2, 2).unwrap();
        let seen = kit.applied(2, entry(1, 3), 22);
        kit.broke(seen, ApplyOnceInOrder, 2, "what n2 applied at 3 reached another state");
    }

    #[test]
    fn another_entry_than_the_committed_one_is_seen() {
        let mut kit = Kit::settled(3);
        let seen = kit.applied(3, other_entry(1, 1, 9), 7);
        kit.broke(seen, ApplyOnceInOrder, 3, "that is not the committed one");
    }

    #[test]
    fn an_uncommitted_entry_is_seen() {
        let mut kit = Kit::settled(2);
        kit.apply(1, 2).unwrap();
        kit.replicate(1, 1, 1).unwrap();
        let seen = hand(&mut kit, 1, 3, 3);
        kit.broke(
            seen,
            ApplyOnceInOrder,
            1,
            "hands out entry 3 for apply above its commit index 2",
        );
        let seen = kit.applied(1, entry(1, 3), 21);
        kit.broke(seen, ApplyOnceInOrder, 1, "applied 3, which nobody committed");
    }

    #[test]
    fn an_entry_not_yet_durable_at_the_node_waits() {
        let go = |promises| {
            let mut kit = Kit::with(3, promises, &[]);
            kit.elect(1, 1, &[2, 3]).unwrap();
            kit.append(1, 1, 1).unwrap();
            for node in [2, 3] {
                kit.replicate(node, 1, 1).unwrap();
            }
            kit.commit(1, 1).unwrap();
            let seen = hand(&mut kit, 1, 1, 1);
            (kit, seen)
        };
        let (kit, seen) = go(ALL);
        kit.broke(seen, ApplyOnceInOrder, 1, "its disk is durable up to 0 only");
        go(Promises { persist_before_send: false, ..ALL }).1.unwrap();
    }

    #[test]
    fn nodes_that_agree_are_fine() {
        let mut kit = Kit::settled(3);
        for node in 1..=3 {
            kit.apply(node, 2).unwrap();
            kit.apply(node, 3).unwrap();
        }
        assert_eq!(kit.checks(ApplyOnceInOrder), 3 * (2 + 3));
    }
}
