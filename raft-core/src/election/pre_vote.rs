//! Pre-Vote: would you vote for me, if I asked?
//!
//! **Intuition.** A node that was cut off would come back with a high term and unseat a healthy
//! leader for nothing. So it asks first, and asking changes nothing anywhere: no term, no vote, no
//! timer. Only a majority of yeses makes it campaign.
//! **Source.** Thesis §9.6; round ids, and teaching a higher term by refusal only, are ours
//! (B-013, B-014); the exception for the asker itself is B-016.
//! **Upholds.** `inv:live`.
//! **Not here.** Counting (`tally.rs`).

use crate::{
    Node,
    message::{Message, PreVote, PreVoteReply},
    note::Note,
    types::{NodeId, Role},
};

impl Node {
    /// Answers an asker; its own term may be anything.
    pub(crate) fn on_pre_vote(&mut self, from: NodeId, ask: PreVote) {
        let alive = self.leader_alive(from);
        let term_open = ask.campaign_term > self.hard.term
            || ask.campaign_term == self.hard.term
                && self.hard.vote.is_none_or(|vote| vote == from);
        let granted = term_open && ask.last >= self.log.last() && !alive;
        if alive {
            self.note(Note::LeaderAlive { candidate: from });
        }
        if let Some(peer) = self.peer_mut(from) {
            // Only the newest question is answered; an older round's answer would be ignored.
            if peer.owed.pre_vote.is_none_or(|owed| owed.round <= ask.round) {
                peer.owed.pre_vote = Some(PreVoteReply { round: ask.round, granted });
            }
        }
    }

    /// Sends the answers; the caller has checked that our term is durable.
    pub(crate) fn send_pre_vote_replies(&mut self) {
        let leading = self.role() == Role::Leader;
        self.with_peers(|node, peer| {
            if let Some(mut reply) = peer.owed.made().and_then(|owed| owed.pre_vote.take()) {
                reply.granted &= !leading;
                node.send(peer, Message::PreVoteReply(reply));
            }
        });
    }
}
