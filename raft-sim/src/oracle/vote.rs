//! One vote per term: a node supports at most one candidate in a term, also across restarts.
//!
//! **Intuition.** Three places can tell whom a node voted for: its view, its messages and its
//! disk. What only ever was in memory dies with the boot; what was shown or stored binds the node
//! for ever.
//! **Source.** Thesis §3.4, §3.8.
//! **Upholds.** `inv:one-vote-per-term`.
//! **Not here.** Whether a shown vote was durable (`persist_before_send.rs`).

use raft_core::{NodeId, Term};

use super::{Check, OracleId, broken, mirrors::NODES_MAX};
use crate::{
    collections::FixedMap,
    process::{Claim, HardRecord, MessageLabel, NodeView},
};

/// A vote that binds: it was shown or stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Bound {
    term: Term,
    vote: Option<NodeId>,
}

/// The oracle.
#[derive(Clone, Debug)]
pub(super) struct Vote {
    pub(super) checks: u64,
    /// By slot, the newest binding vote.
    newest: Vec<Bound>,
    /// Binding votes of earlier terms.
    older: FixedMap<(usize, Term), NodeId>,
}

impl Default for Vote {
    fn default() -> Self {
        Self { checks: 0, newest: vec![Bound::default(); NODES_MAX], older: FixedMap::default() }
    }
}

impl Vote {
    fn bound(&self, slot: usize, term: Term) -> Option<NodeId> {
        let newest = self.newest[slot];
        if newest.term == term {
            newest.vote
        } else if newest.term < term {
            None
        } else {
            self.older.get(&(slot, term)).copied()
        }
    }

    fn bind(&mut self, slot: usize, term: Term, vote: NodeId) {
        let newest = &mut self.newest[slot];
        if newest.term < term {
            if let Some(older) = newest.vote {
                self.older.insert((slot, newest.term), older);
            }
            *newest = Bound { term, vote: Some(vote) };
        } else if newest.term > term {
            self.older.insert((slot, term), vote);
        }
    }

    /// `node` supports `vote` in `term`, seen in `place`; `binds` when it cannot be taken back.
    fn support(
        &mut self,
        slot: usize,
        node: NodeId,
        term: Term,
        vote: NodeId,
        place: &str,
        binds: bool,
    ) -> Check {
        match self.bound(slot, term) {
            Some(held) => {
                self.checks += 1;
                if held != vote {
                    return second(node, term, held, vote, place);
                }
            }
            None if binds => self.bind(slot, term, vote),
            None => {}
        }
        Ok(())
    }

    /// A view changed within a boot (`before` given) or was taken at boot.
    pub(super) fn on_view(
        &mut self,
        slot: usize,
        node: NodeId,
        before: Option<&NodeView>,
        after: &NodeView,
    ) -> Check {
        if let Some(before) = before
            && before.term == after.term
        {
            if before.vote == after.vote {
                return Ok(());
            }
            if let Some(held) = before.vote {
                self.checks += 1;
                return match after.vote {
                    Some(vote) => second(node, after.term, held, vote, "its view"),
                    None => broken(
                        OracleId::OneVotePerTerm,
                        node,
                        format!("{node} forgot its vote for {held} within term {}", after.term),
                    ),
                };
            }
        }
        match after.vote {
            Some(vote) => self.support(slot, node, after.term, vote, "its view", false),
            None => Ok(()),
        }
    }

    /// A message was shown to others.
    pub(super) fn on_sent(&mut self, slot: usize, node: NodeId, label: &MessageLabel) -> Check {
        let vote = match label.claim {
            Claim::Vote(vote) => vote,
            Claim::Candidacy(_) => node,
            Claim::Term | Claim::Match(_) => return Ok(()),
        };
        self.support(slot, node, label.term, vote, label.kind.name(), true)
    }

    /// The durable hard state of the node went from `before` to `hard`.
    pub(super) fn on_durable(
        &mut self,
        slot: usize,
        node: NodeId,
        before: HardRecord,
        hard: HardRecord,
    ) -> Check {
        match (hard.vote, before.vote) {
            (Some(vote), _) => self.support(slot, node, hard.term, vote, "its disk", true),
            (None, Some(held)) if before.term == hard.term => {
                self.checks += 1;
                broken(
                    OracleId::OneVotePerTerm,
                    node,
                    format!(
                        "{node} erased its vote for {held} in term {} from its disk",
                        hard.term
                    ),
                )
            }
            (None, _) => Ok(()),
        }
    }
}

#[cold]
fn second(node: NodeId, term: Term, held: NodeId, vote: NodeId, place: &str) -> Check {
    broken(
        OracleId::OneVotePerTerm,
        node,
        format!("{node} voted for {held} in term {term} and now for {vote}, seen in {place}"),
    )
}

#[cfg(test)]
mod tests {
    use raft_core::LogPosition;

    use super::super::testkit::{ALL, Kit, hard};
    use super::*;
    use crate::{oracle::OracleId::OneVotePerTerm, process::Promises};

    /// Nothing but votes is judged where a test shows votes that never were durable.
    fn careless() -> Kit {
        Kit::with(3, Promises { persist_before_send: false, ..ALL }, &[])
    }

    #[test]
    fn a_vote_moved_to_another_candidate_is_seen() {
        let mut kit = Kit::new(3);
        kit.vote(1, 4, 2).unwrap();
        let seen = kit.view(1, |v| v.vote = Some(NodeId(3)));
        kit.broke(seen, OneVotePerTerm, 1, "n1 voted for n2 in term 4 and now for n3");
    }

    #[test]
    fn a_vote_forgotten_within_its_term_is_seen() {
        let mut kit = Kit::new(3);
        kit.vote(1, 4, 2).unwrap();
        let seen = kit.view(1, |v| v.vote = None);
        kit.broke(seen, OneVotePerTerm, 1, "forgot its vote for n2 within term 4");
    }

    #[test]
    fn a_shown_vote_binds_across_a_restart() {
        let mut kit = careless();
        kit.view(1, |v| (v.term, v.vote) = (Term(4), Some(NodeId(2)))).unwrap();
        kit.send(1, 2, Claim::Vote(NodeId(2))).unwrap();
        kit.crash(1).unwrap();
        kit.boot(1).unwrap();
        let seen = kit.view(1, |v| (v.term, v.vote) = (Term(4), Some(NodeId(3))));
        kit.broke(seen, OneVotePerTerm, 1, "voted for n2 in term 4 and now for n3");
    }

    #[test]
    fn a_request_for_votes_is_a_vote_for_oneself() {
        let mut kit = careless();
        kit.view(1, |v| (v.term, v.vote) = (Term(4), Some(NodeId(1)))).unwrap();
        kit.send(1, 2, Claim::Candidacy(LogPosition::ZERO)).unwrap();
        kit.crash(1).unwrap();
        kit.boot(1).unwrap();
        kit.view(1, |v| v.term = Term(4)).unwrap();
        let seen = kit.send(1, 3, Claim::Vote(NodeId(3)));
        kit.broke(
            seen,
            OneVotePerTerm,
            1,
            "voted for n1 in term 4 and now for n3, seen in vote-reply",
        );
    }

    #[test]
    fn a_vote_erased_or_changed_on_disk_is_seen() {
        let mut kit = Kit::new(3);
        kit.vote(1, 4, 2).unwrap();
        let seen = kit.write(1, Some(hard(4, 0)), None, &[]);
        kit.broke(seen, OneVotePerTerm, 1, "erased its vote for n2 in term 4");
        let mut kit = Kit::new(3);
        kit.vote(1, 4, 2).unwrap();
        let seen = kit.write(1, Some(hard(4, 3)), None, &[]);
        kit.broke(seen, OneVotePerTerm, 1, "seen in its disk");
    }

    #[test]
    fn an_old_promise_still_binds_after_newer_ones() {
        let mut vote = Vote::default();
        vote.bind(0, Term(4), NodeId(2));
        vote.bind(0, Term(6), NodeId(3));
        vote.bind(0, Term(5), NodeId(1));
        assert_eq!(vote.bound(0, Term(4)), Some(NodeId(2)));
        assert_eq!(vote.bound(0, Term(5)), Some(NodeId(1)));
        assert_eq!(vote.bound(0, Term(6)), Some(NodeId(3)));
        assert_eq!(vote.bound(0, Term(7)), None);
    }

    #[test]
    fn a_vote_that_only_was_in_memory_dies_with_its_boot() {
        let mut kit = Kit::new(3);
        kit.view(1, |v| (v.term, v.vote) = (Term(4), Some(NodeId(2)))).unwrap();
        kit.crash(1).unwrap();
        kit.boot(1).unwrap();
        kit.vote(1, 4, 3).unwrap();
        // Showing the same vote again and again is fine.
        kit.send(1, 3, Claim::Vote(NodeId(3))).unwrap();
        kit.send(1, 3, Claim::Vote(NodeId(3))).unwrap();
        assert!(kit.checks(OneVotePerTerm) >= 2);
    }
}
