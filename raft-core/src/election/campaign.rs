//! Campaigning: what happens when the election timer runs out, and who is asked.
//!
//! **Intuition.** A request for votes says two things about this node's disk: the vote for itself
//! is there, and so is the log it boasts of. It leaves only when both are true; sent earlier, a
//! crash could let the node win the same term twice.
//! **Source.** Thesis §3.4, §9.6; B-001 and the model's second finding (the stated log position).
//! **Upholds.** `inv:persist-before-send`, `inv:election-safety`.
//! **Not here.** Counting answers (`tally.rs`).

use crate::{
    Node,
    message::{Message, PreVote, RequestVote, RoundId},
    role::RoleState,
    storage::recover::NUMBER_MAX,
    types::{Role, Term},
};

impl Node {
    /// The election timer ran out.
    pub(crate) fn on_election_timeout(&mut self) {
        if !self.may_campaign() {
            self.restart_election_timer();
            return;
        }
        if let Some(until) = self.bound_until() {
            // A campaign is a vote for oneself, and this node has promised not to give one.
            self.election_at = until;
            return;
        }
        self.begin_election(Term::ZERO);
    }

    /// Starts an ordinary election, in a term of at least `min_term`.
    pub(crate) fn begin_election(&mut self, min_term: Term) {
        if self.options.pre_vote {
            self.become_pre_candidate(min_term);
        } else {
            self.become_candidate(min_term);
        }
        self.settle_candidacy();
    }

    /// The next term, unless numbers end there.
    pub(crate) fn campaign_term(&self) -> Option<Term> {
        self.hard.term.next().filter(|term| term.0 <= NUMBER_MAX)
    }

    /// Repeats the request to everybody who has not answered (thesis §3.3).
    pub(crate) fn ask_again(&mut self) {
        for peer in &mut self.peers {
            peer.request_due |= peer.granted.is_none() && peer.seat.is_voter();
        }
        self.retry_at = self.now.plus(self.options.heartbeat_ns);
    }

    /// Sends requests whose gate is open.
    pub(crate) fn send_requests(&mut self) {
        let last = self.log.last();
        let durable = self.lane.durable_hard();
        let message = match self.role {
            RoleState::PreCandidate { round, .. } => {
                let Some(campaign_term) = self.campaign_term() else { return };
                let round = RoundId { boot: self.boot_id, number: round };
                Message::PreVote(PreVote { round, campaign_term, last })
            }
            RoleState::Candidate => {
                let backed = durable.term == self.hard.term
                    && durable.vote == Some(self.hard.node)
                    && self.lane.durable() >= last.index;
                if !backed {
                    return;
                }
                Message::RequestVote(RequestVote { last, authorised_by: self.handover.authorised })
            }
            RoleState::Follower | RoleState::Leader(_) => return,
        };
        self.with_peers(|node, peer| {
            if core::mem::take(&mut peer.request_due) {
                node.send(peer, message.clone());
            }
        });
    }

    /// A pre-candidate may already have its quorum (a sole voter), a candidate its durable vote.
    pub(crate) fn settle_candidacy(&mut self) {
        if self.role() == Role::PreCandidate {
            self.tally_pre_votes();
        }
        if self.role() == Role::Candidate {
            self.tally_votes();
        }
    }
}
