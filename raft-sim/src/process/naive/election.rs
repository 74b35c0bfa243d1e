//! Elections: ask, vote, count, step down.
//!
//! **Intuition.** A vote is a promise kept on disk; two majorities share a node, and that node
//! promises once per term. Pre-Vote asks first, so a node that cannot win disturbs nobody.
//! **Source.** Thesis §3.4, §3.6.1, §6.2 (check-quorum), §9.6 (Pre-Vote), §4.2.3 (stickiness).
//! **Upholds.** `inv:election-safety`, `inv:one-vote-per-term`, `inv:leader-completeness`.
//! **Not here.** Holding messages until durable (`store.rs`).

use core::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use raft_core::{LogPosition, NodeId, Role, Term};

use super::{Body, Bug, Message, Naive, Peer};
use crate::process::{Effect, Ending, Entry, Ns, view::Changed};

/// The hidden counter of [`Bug::HiddenCounter`].
static HIDDEN: AtomicU64 = AtomicU64::new(0);

impl Naive {
    pub(super) fn quorum(&self) -> usize {
        self.voters.len() / 2 + 1
    }

    fn votes_needed(&self) -> usize {
        if self.has(Bug::HalfIsMajority) { (self.voters.len() / 2).max(1) } else { self.quorum() }
    }

    pub(super) fn arm_election(&mut self) {
        let mut jitter = self.draw();
        if self.has(Bug::HiddenCounter) {
            jitter = jitter.wrapping_add(HIDDEN.fetch_add(1, Ordering::Relaxed));
        }
        let width = self.knobs.election_jitter_ns.saturating_add(1);
        let timeout = self.knobs.election_ns.saturating_add(jitter % width);
        self.election_at = self.now.saturating_add(timeout);
    }

    /// Whether this node still has reason to believe in a living leader.
    fn sticky(&self) -> bool {
        if self.now < self.bound_until {
            return true;
        }
        let Some(heard) = self.heard_leader_at else { return self.role == Role::Leader };
        if self.has(Bug::StickyForEver) {
            return true;
        }
        self.role == Role::Leader || self.now.saturating_sub(heard) < self.knobs.election_ns
    }

    pub(super) fn on_election_timeout(&mut self) {
        if self.has(Bug::CandidateGivesUp) && self.role != Role::Follower {
            self.election_at = Ns::MAX;
            return;
        }
        self.set_leader(None);
        if self.knobs.pre_vote {
            self.become_pre_candidate();
        } else {
            self.become_candidate();
        }
    }

    fn become_pre_candidate(&mut self) {
        self.set_role(Role::PreCandidate);
        self.round += 1;
        self.granted = self.bit(self.id);
        self.arm_election();
        let last = self.last();
        self.say_to_all(&Body::PreVote { round: self.round, last });
    }

    fn become_candidate(&mut self) {
        let Some(next) = self.term.next() else {
            self.halt("terms are used up".to_owned());
            return;
        };
        self.set_role(Role::Candidate);
        self.set_term(next);
        self.set_vote(Some(self.id));
        self.granted = 0;
        self.own_vote_gate = self.store.gate(self.last().index);
        self.arm_election();
        let message = Message { term: self.term, body: Body::RequestVote { last: self.last() } };
        for at in 0..self.voters.len() {
            let to = self.voters[at];
            if to == self.id {
                continue;
            }
            if self.has(Bug::RequestBeforeFsync) {
                self.say_at_once(to, message.clone());
            } else {
                self.say(to, message.clone());
            }
        }
    }

    pub(super) fn become_follower(&mut self, term: Term, leader: Option<NodeId>) {
        let deposed = self.role == Role::Leader;
        if term > self.term {
            self.set_term(term);
            self.set_vote(None);
        } else if self.has(Bug::VoteCleared) && self.role == Role::Candidate && self.vote.is_some()
        {
            self.set_vote(None);
        }
        if matches!(self.role, Role::Candidate | Role::PreCandidate) {
            self.store.forget_requests();
        }
        self.set_role(Role::Follower);
        self.set_leader(leader);
        self.granted = 0;
        if deposed {
            self.peers.clear();
            self.mark(Changed::PEERS);
            for read in core::mem::take(&mut self.reads) {
                self.outbox.push_back(Effect::ReadFailed { ticket: read.ticket });
            }
            self.outbox.push_back(Effect::RoleChanged { role: Role::Follower, term: self.term });
            if self.has(Bug::RefusedThoughOpen) {
                for open in core::mem::take(&mut self.tickets) {
                    self.outbox.push_back(Effect::Ended {
                        first_ticket: open.ticket,
                        count: 1,
                        how: Ending::Superseded,
                    });
                }
            }
            if self.has(Bug::ApplyAgain) && self.handed.0 > 0 && self.handed == self.applied {
                self.handed = self.handed.prev();
            }
            self.arm_election();
        }
    }

    /// Becomes leader once a majority of votes, the own durable one among them, is there.
    pub(super) fn count_votes(&mut self) {
        match self.role {
            Role::PreCandidate if self.granted.count_ones() as usize >= self.votes_needed() => {
                self.become_candidate();
            }
            Role::Candidate => {
                if self.has(Bug::SelfVoteEarly) || self.store.passed(self.own_vote_gate) {
                    self.granted |= self.bit(self.id);
                }
                if self.granted.count_ones() as usize >= self.votes_needed() {
                    self.become_leader();
                }
            }
            _ => {}
        }
    }

    pub(super) fn become_leader(&mut self) {
        self.set_role(Role::Leader);
        self.set_leader(Some(self.id));
        let next = self.last().index.next();
        self.peers.clear();
        for &peer in &self.voters {
            if peer != self.id {
                self.peers.push(Peer::probing(peer, next, self.now));
            }
        }
        self.mark(Changed::PEERS);
        self.term_start = next;
        // Without its own first entry a leader is soon tempted to count copies of older ones.
        if !self.has(Bug::OldTermCommit) {
            self.append_own(Entry::NOOP, Bytes::new());
        }
        self.heartbeat_at = self.now;
        self.outbox.push_back(Effect::RoleChanged { role: Role::Leader, term: self.term });
    }

    pub(super) fn on_pre_vote(&mut self, from: NodeId, term: Term, round: u64, last: LogPosition) {
        let granted = term >= self.term && last >= self.last() && !self.sticky();
        self.say(from, self.message(Body::PreVoteReply { round, granted }));
    }

    pub(super) fn on_pre_vote_reply(&mut self, from: NodeId, round: u64, granted: bool) {
        if self.role == Role::PreCandidate && round == self.round && granted {
            self.granted |= self.bit(from);
        }
    }

    /// Whether a request of a higher term is not even looked at.
    pub(super) fn ignores_candidates(&self) -> bool {
        self.knobs.check_quorum && self.sticky() && !self.has(Bug::PromiseBroken)
    }

    pub(super) fn on_request_vote(&mut self, from: NodeId, last: LogPosition) {
        let free = self.vote.is_none_or(|holder| holder == from);
        let log_ok = last >= self.last() || self.has(Bug::VoteWithoutLog);
        // With leases a promise binds within the term as well: others may have moved it.
        let bound = self.promise() > 0 && self.vote.is_none() && self.sticky();
        let bound = bound && !self.has(Bug::PromiseBroken);
        let granted = free && log_ok && !bound && self.role != Role::Leader;
        if granted && self.vote.is_none() {
            self.set_vote(Some(from));
        }
        if granted {
            self.arm_election();
        }
        let message = self.message(Body::VoteReply { granted: granted.then_some(from) });
        if self.has(Bug::VoteBeforeFsync) {
            self.say_at_once(from, message);
        } else {
            self.say(from, message);
        }
    }

    pub(super) fn on_vote_reply(&mut self, from: NodeId, granted: Option<NodeId>) {
        if self.role == Role::Candidate && granted == Some(self.id) {
            self.granted |= self.bit(from);
        }
    }

    /// A leader that no majority has answered for one election timeout steps down.
    pub(super) fn check_quorum(&mut self) {
        let alive = self
            .peers
            .iter()
            .filter(|peer| self.now.saturating_sub(peer.heard_at) < self.knobs.election_ns)
            .count();
        if self.knobs.check_quorum && alive + 1 < self.quorum() {
            self.become_follower(self.term, None);
        }
    }
}
