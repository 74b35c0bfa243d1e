//! Counting votes and pre-votes.
//!
//! **Intuition.** Each voter has one slot, so a doubled answer counts once. Our own vote counts
//! when it is durable and not before.
//! **Source.** Thesis §3.4; B-002 (answers of older terms), B-003 (votes as a counter).
//! **Upholds.** `inv:election-safety`, `inv:leader-holds-durable-quorum`.
//! **Not here.** Giving votes (`vote.rs`).

use crate::{
    Node,
    error::Rejected,
    message::{PreVoteReply, RoundId, VoteReply},
    role::RoleState,
    types::{NodeId, Role},
};

impl Node {
    /// Takes an answer to our request for a vote; its term is ours.
    pub(crate) fn on_vote_reply(&mut self, from: NodeId, reply: VoteReply) -> Result<(), Rejected> {
        if self.role() != Role::Candidate {
            return Err(Rejected::Stale);
        }
        if let Some(peer) = self.peer_mut(from) {
            // A vote once given is never taken back: a late refusal is an older answer.
            peer.granted = Some(reply.granted || peer.granted == Some(true));
        }
        self.tally_votes();
        Ok(())
    }

    /// Takes an answer to our pre-vote; older rounds and boots do not count.
    pub(crate) fn on_pre_vote_reply(
        &mut self,
        from: NodeId,
        reply: PreVoteReply,
    ) -> Result<(), Rejected> {
        let RoleState::PreCandidate { round, .. } = self.role else { return Err(Rejected::Stale) };
        if reply.round != (RoundId { boot: self.boot_id, number: round }) {
            return Err(Rejected::Stale);
        }
        if let Some(peer) = self.peer_mut(from) {
            peer.granted = Some(reply.granted || peer.granted == Some(true));
        }
        self.tally_pre_votes();
        Ok(())
    }

    pub(crate) fn tally_pre_votes(&mut self) {
        let RoleState::PreCandidate { min_term, .. } = self.role else { return };
        if self.is_quorum(true, |peer| peer.granted == Some(true)) {
            self.become_candidate(min_term);
            self.tally_votes();
        }
    }

    pub(crate) fn tally_votes(&mut self) {
        let own_counts = self.own_vote_durable();
        let won = self.is_quorum(own_counts, |peer| peer.granted == Some(true));
        // The rest of a quorum never elects without our own durable vote: what we would claim as
        // leader must survive our crash.
        if won && own_counts && self.role() == Role::Candidate {
            self.become_leader();
        }
    }

    pub(crate) fn own_vote_durable(&self) -> bool {
        let durable = self.lane.durable_hard();
        durable.term == self.hard.term && durable.vote == Some(self.hard.node)
    }
}
