//! Voting: who gets this node's single vote in a term.
//!
//! **Intuition.** A vote is a promise kept on disk. Any two majorities share a node, and that node
//! promises once per term, so at most one candidate can collect a majority of promises.
//! **Source.** Thesis §3.4, §3.6.1 (election restriction), §3.8, §4.2.3 (a living leader).
//! **Upholds.** `inv:one-vote-per-term`, `inv:persist-before-send`, `inv:leader-completeness`.
//! **Not here.** Newer terms (`node.rs`), counting votes (`tally.rs`), Pre-Vote (`pre_vote.rs`).

use crate::{
    Node,
    error::Rejected,
    message::{Message, RequestVote, VoteReply},
    note::Note,
    role::RoleState,
    storage::HardState,
    types::{Instant, LogPosition, NodeId, Role},
};

/// The answer to a candidate together with its reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Granted,
    AlreadyVoted { holder: NodeId },
    LogBehind { ours: LogPosition },
}

/// Judges one request of our own term and changes nothing.
fn judge_vote(own: &HardState, ours: LogPosition, from: NodeId, last: LogPosition) -> Verdict {
    match own.vote {
        Some(holder) if holder != from => Verdict::AlreadyVoted { holder },
        // Positions compare by term, then by index: the thesis's "at least as up-to-date".
        _ if last < ours => Verdict::LogBehind { ours },
        _ => Verdict::Granted,
    }
}

impl Node {
    /// Whether a leader other than `asker` was heard from within the shortest election timeout, or
    /// may have been before a restart (thesis §4.2.3). The leader itself counts as having heard
    /// when a quorum answered it lately. A promise given lasts, also if the timeout was shortened
    /// since.
    pub(crate) fn leader_alive(&self, asker: NodeId) -> bool {
        let patience = self.options.election_min_ns;
        let heard = match &self.role {
            RoleState::Leader(leader) => self.now.since(leader.contact) < patience,
            _ => self.contact.is_some_and(|(leader, at)| {
                let lately = self.now.since(at) < patience || self.now < self.promised_until;
                leader != asker && lately
            }),
        };
        heard || self.promise_holds()
    }

    /// Whether a promise given before the restart may still bind. Nothing shortens it.
    pub(crate) fn promise_holds(&self) -> bool {
        self.now.since(self.booted_at) < self.boot_promise_ns
    }

    /// Whether this node may not help to elect `asker` now.
    pub(crate) fn is_bound_against(&self, asker: NodeId) -> bool {
        self.promise_holds() || self.options.check_quorum && self.leader_alive(asker)
    }

    /// Until when this node is bound to a leader of before the restart, or to one it heard since;
    /// `None` if it is not, or if nobody else votes.
    pub(crate) fn bound_until(&self) -> Option<Instant> {
        let boot = self.booted_at.plus(self.boot_promise_ns);
        let until = boot.max(self.promised_until);
        let others = self.peers.iter().any(|peer| peer.seat.is_voter());
        (self.now < until && others).then_some(until)
    }

    /// Answers a request whose term is already our own. `authorised`: the leader of the term we
    /// were in hands over to this candidate, so what we promised that leader does not bind. The
    /// reply waits behind the write of the hard state: a promise is given after it is durable.
    pub(crate) fn on_request_vote(
        &mut self,
        from: NodeId,
        request: RequestVote,
        authorised: bool,
    ) -> Result<(), Rejected> {
        let verdict = judge_vote(&self.hard, self.log.last(), from, request.last);
        let granted = verdict == Verdict::Granted;
        if granted && self.hard.vote.is_none() && !authorised && self.is_bound_against(from) {
            return self.refuse_bound(from);
        }
        match verdict {
            Verdict::Granted => {
                if self.hard.vote.is_none() {
                    self.hard.vote = Some(from);
                    self.changed(crate::input::Changed::VOTE);
                }
                if self.role() == Role::PreCandidate {
                    // Its own plans are moot: it has just given its vote of this term away.
                    self.become_follower(self.hard.term, None);
                }
                self.note(Note::VoteGranted { candidate: from });
            }
            Verdict::AlreadyVoted { holder } => {
                self.note(Note::AlreadyVoted { candidate: from, holder });
            }
            Verdict::LogBehind { ours } => self.note(Note::LogBehind { candidate: from, ours }),
        }
        if let Some(peer) = self.peer_mut(from) {
            peer.owed.vote = Some(granted || peer.owed.vote == Some(true));
        }
        assert!(!granted || self.hard.vote == Some(from), "inv:one-vote-per-term");
        Ok(())
    }

    /// A candidate asks while we are bound to a leader. No answer: it asks again, and by then the
    /// promise is over. Who is no member learns that instead (B-021), so its message was taken.
    pub(crate) fn refuse_bound(&mut self, from: NodeId) -> Result<(), Rejected> {
        self.note(Note::LeaderAlive { candidate: from });
        self.owe_not_member(from);
        if self.is_outsider(from) { Ok(()) } else { Err(Rejected::LeaderAlive) }
    }

    /// Sends the votes and refusals whose gate is open. The election timer restarts with a grant
    /// that leaves, not with one that waits for the disk (B-012).
    pub(crate) fn send_vote_replies(&mut self) {
        let durable = *self.lane.durable_hard();
        let mut gave = false;
        let term = self.hard.term;
        self.with_peers(|node, peer| {
            let Some(granted) = peer.owed.vote else { return };
            if granted && !(durable.term == term && durable.vote == Some(peer.id)) {
                return;
            }
            peer.owed.vote = None;
            gave |= granted;
            node.send(peer, Message::VoteReply(VoteReply { granted }));
        });
        if gave && self.role() == Role::Follower {
            self.restart_election_timer();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::{ClusterId, GroupId, Incarnation, LogIndex, Term};

    #[test]
    fn every_combination_of_vote_and_log() {
        let at = |term, index| LogPosition::new(Term(term), LogIndex(index));
        let mut own = HardState::new(ClusterId(1), GroupId(1), NodeId(1), Incarnation(1));
        own.term = Term(5);
        for vote in [None, Some(NodeId(2)), Some(NodeId(3))] {
            own.vote = vote;
            for ours in [at(0, 0), at(2, 4), at(3, 1)] {
                for theirs in [at(0, 0), at(2, 3), at(2, 4), at(2, 9), at(3, 1), at(4, 1)] {
                    let got = judge_vote(&own, ours, NodeId(2), theirs);
                    // The slow twin, spelled out as in §3.6.1.
                    let up_to_date = theirs.term > ours.term
                        || theirs.term == ours.term && theirs.index >= ours.index;
                    let want = match vote {
                        Some(NodeId(3)) => Verdict::AlreadyVoted { holder: NodeId(3) },
                        _ if up_to_date => Verdict::Granted,
                        _ => Verdict::LogBehind { ours },
                    };
                    assert_eq!(got, want, "{vote:?} {ours} {theirs}");
                }
            }
        }
    }
}
