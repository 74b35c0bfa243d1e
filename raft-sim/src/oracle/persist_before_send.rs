//! A message leaves only when what it promises is durable.
//!
//! **Intuition.** Whatever a message says about its sender's disk is compared with the disk as it
//! would survive a crash at this moment: the longest complete prefix of the writes handed out. A
//! write acknowledged above a hole promises nothing yet.
//! **Source.** Thesis §3.8; the gates of docs/ARCHITECTURE.md, one for each kind of promise.
//! **Upholds.** `inv:persist-before-send`.
//! **Not here.** Whether two promises contradict each other (`vote.rs`).

use raft_core::{LogIndex, LogPosition, NodeId};

use super::{Check, OracleId, broken, mirrors::Mirrors};
use crate::process::{Claim, MessageLabel};

/// The oracle.
#[derive(Clone, Debug, Default)]
pub(super) struct PersistBeforeSend {
    pub(super) checks: u64,
}

impl PersistBeforeSend {
    /// The node at `slot` handed a message to the network.
    pub(super) fn on_sent(
        &mut self,
        mirrors: &Mirrors,
        slot: usize,
        label: &MessageLabel,
    ) -> Check {
        self.checks += 1;
        let node = &mirrors.nodes[slot];
        if node.hard.term < label.term {
            return self.early(
                node.id,
                label,
                &format!("its term {} (durable: {})", label.term, node.hard.term),
            );
        }
        match label.claim {
            Claim::Term => Ok(()),
            Claim::Candidacy(last) => self.on_candidacy(mirrors, slot, label, last),
            Claim::Vote(to) => {
                // With a later term durable the node can never vote in this one again.
                if node.hard.term > label.term
                    || mirrors.durable_votes(label.term, to) >> slot & 1 == 1
                {
                    return Ok(());
                }
                self.early(node.id, label, &format!("its vote for {to} in term {}", label.term))
            }
            Claim::Match(upto) => self.on_match(mirrors, slot, label, upto),
        }
    }

    fn on_candidacy(
        &self,
        mirrors: &Mirrors,
        slot: usize,
        label: &MessageLabel,
        last: LogPosition,
    ) -> Check {
        let node = &mirrors.nodes[slot];
        if mirrors.durable_votes(label.term, node.id) >> slot & 1 == 0 {
            return self.early(node.id, label, &format!("its own vote in term {}", label.term));
        }
        if !node.disk.has(last) {
            return self.early(
                node.id,
                label,
                &format!("the log up to {last} (durable: {})", node.disk.last()),
            );
        }
        Ok(())
    }

    fn on_match(
        &self,
        mirrors: &Mirrors,
        slot: usize,
        label: &MessageLabel,
        upto: LogIndex,
    ) -> Check {
        let node = &mirrors.nodes[slot];
        let Some(chain) = node.disk.at(upto) else {
            return self.early(
                node.id,
                label,
                &format!("the log up to {upto} (durable: {})", node.disk.last()),
            );
        };
        // Only a leader that still leads can be deceived; its log only grows while it does.
        match mirrors.leading(label.term) {
            Some(leader) if leader.memory.at(upto) != Some(chain) => broken(
                OracleId::PersistBeforeSend,
                node.id,
                format!(
                    "{} acknowledges up to {upto} to {}, leader of term {}, but its disk differs \
                     from the leader's log there",
                    node.id, leader.id, label.term
                ),
            ),
            _ => Ok(()),
        }
    }

    #[cold]
    fn early(&self, node: NodeId, label: &MessageLabel, what: &str) -> Check {
        broken(
            OracleId::PersistBeforeSend,
            node,
            format!("{} of {node} left before {what} was durable", label.kind.name()),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::super::testkit::{ALL, Kit, entry, hard};
    use super::*;
    use crate::{oracle::OracleId::PersistBeforeSend as ID, process::Promises};
    use raft_core::{Role, Term};

    #[test]
    fn any_message_waits_for_its_term() {
        let mut kit = Kit::new(3);
        kit.view(1, |v| v.term = Term(2)).unwrap();
        let seen = kit.send(1, 2, Claim::Term);
        kit.broke(seen, ID, 1, "append of n1 left before its term 2 (durable: 0) was durable");
        let mut kit = Kit::new(3);
        kit.vote(1, 2, 0).unwrap();
        kit.send(1, 2, Claim::Term).unwrap();
    }

    #[test]
    fn a_vote_request_waits_for_the_own_vote() {
        let mut kit = Kit::new(3);
        kit.vote(1, 2, 0).unwrap();
        kit.view(1, |v| (v.vote, v.role) = (Some(NodeId(1)), Role::Candidate)).unwrap();
        let seen = kit.send(1, 2, Claim::Candidacy(LogPosition::ZERO));
        kit.broke(seen, ID, 1, "request-vote of n1 left before its own vote in term 2");
    }

    #[test]
    fn a_vote_request_waits_for_the_log_it_states() {
        let last = LogPosition::new(Term(1), LogIndex(2));
        let mut kit = Kit::new(3);
        kit.append(1, 1, 2).unwrap();
        kit.vote(1, 2, 1).unwrap();
        let seen = kit.send(1, 2, Claim::Candidacy(last));
        kit.broke(seen, ID, 1, "the log up to 1/2 (durable: 0)");
        let mut kit = Kit::new(3);
        kit.replicate(1, 1, 2).unwrap();
        kit.vote(1, 2, 1).unwrap();
        kit.send(1, 2, Claim::Candidacy(last)).unwrap();
    }

    #[test]
    fn a_granted_vote_waits_for_the_disk() {
        let mut kit = Kit::new(3);
        kit.vote(1, 2, 0).unwrap();
        kit.view(1, |v| v.vote = Some(NodeId(2))).unwrap();
        kit.hand(1, Some(hard(2, 2)), None, &[]).unwrap();
        let seen = kit.send(1, 2, Claim::Vote(NodeId(2)));
        kit.broke(seen, ID, 1, "vote-reply of n1 left before its vote for n2 in term 2");
        let mut kit = Kit::new(3);
        kit.vote(1, 2, 2).unwrap();
        kit.send(1, 2, Claim::Vote(NodeId(2))).unwrap();
    }

    #[test]
    fn a_vote_of_a_term_that_is_over_on_disk_is_harmless() {
        let mut kit = Kit::new(3);
        kit.view(1, |v| (v.term, v.vote) = (Term(2), Some(NodeId(2)))).unwrap();
        kit.write(1, Some(hard(3, 0)), None, &[]).unwrap();
        kit.send(1, 2, Claim::Vote(NodeId(2))).unwrap();
    }

    #[test]
    fn an_acknowledgement_waits_for_the_entries() {
        let mut kit = Kit::new(3);
        kit.elect(1, 1, &[2, 3]).unwrap();
        kit.append(1, 1, 2).unwrap();
        kit.append(2, 1, 2).unwrap();
        let seen = kit.send(2, 1, Claim::Match(LogIndex(2)));
        kit.broke(seen, ID, 2, "append-reply of n2 left before the log up to 2 (durable: 0)");
        let mut kit = Kit::new(3);
        kit.elect(1, 1, &[2, 3]).unwrap();
        kit.append(1, 1, 2).unwrap();
        kit.replicate(2, 1, 2).unwrap();
        kit.send(2, 1, Claim::Match(LogIndex(2))).unwrap();
        kit.send(2, 1, Claim::Match(LogIndex(0))).unwrap();
    }

    #[test]
    fn an_acknowledgement_of_a_tail_the_leader_does_not_have_is_seen() {
        let mut kit = Kit::new(3);
        kit.replicate(2, 1, 3).unwrap();
        kit.replicate(1, 1, 2).unwrap();
        kit.elect(1, 2, &[2, 3]).unwrap();
        kit.append(1, 2, 1).unwrap();
        let seen = kit.send(2, 1, Claim::Match(LogIndex(3)));
        kit.broke(
            seen,
            ID,
            2,
            "acknowledges up to 3 to n1, leader of term 2, but its disk differs",
        );
        // Below the difference it may.
        kit.send(2, 1, Claim::Match(LogIndex(2))).unwrap();
    }

    #[test]
    fn a_disk_that_still_holds_the_old_tail_does_not_match() {
        let mut kit = Kit::new(3);
        kit.replicate(2, 1, 1).unwrap();
        kit.elect(1, 2, &[3]).unwrap();
        kit.append(1, 2, 1).unwrap();
        kit.vote(2, 2, 0).unwrap();
        kit.log(2, 1, &[entry(2, 1)]).unwrap();
        let seen = kit.send(2, 1, Claim::Match(LogIndex(1)));
        kit.broke(seen, ID, 2, "its disk differs from the leader's log");
    }

    #[test]
    fn nothing_is_demanded_that_was_not_promised() {
        let mut kit = Kit::with(3, Promises { persist_before_send: false, ..ALL }, &[]);
        kit.view(1, |v| v.term = Term(2)).unwrap();
        kit.send(1, 2, Claim::Term).unwrap();
        assert_eq!(kit.checks(ID), 0);
    }
}
