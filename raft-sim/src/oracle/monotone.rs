//! Things that only rise: the term for ever, commit and applied within a boot, match in a reign.
//!
//! **Intuition.** Every argument of Raft takes an old statement and says that it still holds. That
//! is only true of numbers that never go back.
//! **Source.** Thesis §3.3 (terms), §3.5 (indexes), §3.8 (a restart may forget commit and applied,
//! never a term).
//! **Upholds.** `inv:monotone`.
//! **Not here.** The content at those indexes (`committed.rs`, `apply.rs`).

use raft_core::{LogIndex, NodeId, Role, Term};

use super::{Check, OracleId, broken};
use crate::process::{Changed, HardRecord, NodeView};

/// The oracle.
#[derive(Clone, Debug, Default)]
pub(super) struct Monotone {
    pub(super) checks: u64,
}

fn fell(node: NodeId, what: &str, before: u64, after: u64) -> Check {
    broken(OracleId::Monotone, node, format!("{what} of {node} fell from {before} to {after}"))
}

impl Monotone {
    /// A process started: `durable` is the highest term its disk ever held, `committed` what the
    /// whole cluster ever committed.
    pub(super) fn on_boot(
        &mut self,
        node: NodeId,
        durable: Term,
        committed: LogIndex,
        view: &NodeView,
    ) -> Check {
        self.checks += 1;
        if view.term < durable {
            return fell(node, "the term", durable.0, view.term.0);
        }
        if view.commit > committed {
            return broken(
                OracleId::Monotone,
                node,
                format!(
                    "{node} starts with commit index {}, but nothing above {committed} was ever \
                     committed",
                    view.commit
                ),
            );
        }
        ordered(node, view)
    }

    /// A view changed within a boot.
    pub(super) fn on_view(
        &mut self,
        node: NodeId,
        changed: Changed,
        before: &NodeView,
        after: &NodeView,
    ) -> Check {
        self.checks += 1;
        if after.term < before.term {
            return fell(node, "the term", before.term.0, after.term.0);
        }
        if after.commit < before.commit {
            return fell(node, "the commit index", before.commit.0, after.commit.0);
        }
        if after.applied < before.applied {
            return fell(node, "the applied index", before.applied.0, after.applied.0);
        }
        if changed.any(Changed::PEERS) && after.role == Role::Leader {
            self.on_peers(node, before, after)?;
        }
        ordered(node, after)
    }

    fn on_peers(&mut self, node: NodeId, before: &NodeView, after: &NodeView) -> Check {
        // A member that left and came back under the same id begins anew.
        let same_reign = before.role == Role::Leader
            && before.term == after.term
            && before.configuration == after.configuration;
        let mut old = before.peers.iter().peekable();
        for peer in &after.peers {
            if peer.next <= peer.matched {
                return broken(
                    OracleId::Monotone,
                    node,
                    format!(
                        "{node} would send {} entry {} next, which matched up to {} already",
                        peer.peer, peer.next, peer.matched
                    ),
                );
            }
            if !same_reign {
                continue;
            }
            // Both lists ascend by peer; a peer may be missing from either.
            while old.next_if(|o| o.peer < peer.peer).is_some() {}
            if let Some(old) = old.next_if(|o| o.peer == peer.peer)
                && peer.matched < old.matched
            {
                return broken(
                    OracleId::Monotone,
                    node,
                    format!(
                        "the match of {} at leader {node} fell from {} to {} within term {}",
                        peer.peer, old.matched, peer.matched, after.term
                    ),
                );
            }
        }
        Ok(())
    }

    /// A hard state was handed out after one with term `before` in the same boot.
    pub(super) fn on_hard(&mut self, node: NodeId, before: Term, hard: HardRecord) -> Check {
        self.checks += 1;
        if hard.term < before {
            return fell(node, "the term written", before.0, hard.term.0);
        }
        Ok(())
    }
}

/// applied <= commit <= last.
fn ordered(node: NodeId, view: &NodeView) -> Check {
    if view.applied > view.commit {
        return broken(
            OracleId::Monotone,
            node,
            format!("{node} applied {} above its commit index {}", view.applied, view.commit),
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::testkit::{Kit, hard};
    use super::*;
    use crate::oracle::OracleId::Monotone as ID;

    #[test]
    fn a_falling_term_is_seen() {
        let mut kit = Kit::new(3);
        kit.vote(1, 4, 0).unwrap();
        let seen = kit.view(1, |v| v.term = Term(3));
        kit.broke(seen, ID, 1, "the term of n1 fell from 4 to 3");
    }

    #[test]
    fn a_term_lost_over_a_restart_is_seen() {
        let mut kit = Kit::new(3);
        kit.vote(1, 4, 0).unwrap();
        kit.crash(1).unwrap();
        let mut view = kit.node(1).view.clone();
        view.term = Term(3);
        let seen = kit.boot_as(1, &view);
        kit.broke(seen, ID, 1, "the term of n1 fell from 4 to 3");
    }

    #[test]
    fn a_term_that_never_was_durable_may_be_forgotten() {
        let mut kit = Kit::new(3);
        kit.vote(1, 4, 0).unwrap();
        kit.view(1, |v| v.term = Term(5)).unwrap();
        kit.crash(1).unwrap();
        kit.boot(1).unwrap();
    }

    #[test]
    fn a_lower_term_written_is_seen() {
        let mut kit = Kit::new(3);
        kit.vote(1, 4, 0).unwrap();
        let seen = kit.hand(1, Some(hard(3, 0)), None, &[]);
        kit.broke(seen, ID, 1, "the term written of n1 fell from 4 to 3");
    }

    #[test]
    fn commit_and_applied_rise_within_a_boot_and_restart_with_the_next() {
        let mut kit = Kit::settled(3);
        kit.apply(2, 3).unwrap();
        kit.crash(2).unwrap();
        kit.boot(2).unwrap();
        assert_eq!(kit.node(2).view.commit, LogIndex(0));
        kit.commit(2, 2).unwrap();
        let seen = kit.commit(2, 1);
        kit.broke(seen, ID, 2, "the commit index of n2 fell from 2 to 1");

        let mut kit = Kit::settled(3);
        kit.apply(2, 3).unwrap();
        let seen = kit.view(2, |v| v.applied = LogIndex(2));
        kit.broke(seen, ID, 2, "the applied index of n2 fell from 3 to 2");
    }

    #[test]
    fn applied_stays_below_commit() {
        let mut kit = Kit::settled(3);
        let seen = kit.view(2, |v| v.applied = LogIndex(4));
        kit.broke(seen, ID, 2, "applied 4 above its commit index 3");
    }

    #[test]
    fn a_commit_index_reloaded_too_high_is_seen() {
        let mut kit = Kit::settled(3);
        kit.replicate(2, 1, 1).unwrap();
        kit.crash(2).unwrap();
        let mut view = kit.node(2).view.clone();
        view.commit = LogIndex(4);
        let seen = kit.boot_as(2, &view);
        kit.broke(seen, ID, 2, "starts with commit index 4, but nothing above 3");
    }

    #[test]
    fn a_match_that_falls_within_a_reign_is_seen() {
        let mut kit = Kit::settled(3);
        kit.view(1, |v| (v.peers[0].matched, v.peers[0].next) = (LogIndex(3), LogIndex(4)))
            .unwrap();
        let seen = kit.view(1, |v| v.peers[0].matched = LogIndex(2));
        kit.broke(seen, ID, 1, "the match of n2 at leader n1 fell from 3 to 2 within term 1");
    }

    #[test]
    fn next_stays_above_match() {
        let mut kit = Kit::settled(3);
        let seen =
            kit.view(1, |v| (v.peers[1].matched, v.peers[1].next) = (LogIndex(3), LogIndex(3)));
        kit.broke(seen, ID, 1, "would send n3 entry 3 next, which matched up to 3 already");
    }

    #[test]
    fn a_match_starts_anew_with_a_new_reign() {
        let mut kit = Kit::settled(3);
        kit.view(1, |v| (v.peers[0].matched, v.peers[0].next) = (LogIndex(3), LogIndex(4)))
            .unwrap();
        kit.elect(1, 2, &[3]).unwrap();
        kit.view(1, |v| (v.peers[0].matched, v.peers[0].next) = (LogIndex(1), LogIndex(2)))
            .unwrap();
    }
}
