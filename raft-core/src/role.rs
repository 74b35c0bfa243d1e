//! Roles as data, and the only functions that change them.
//!
//! **Intuition.** What a leader needs exists only while it leads: it lives inside the role. The
//! four `become_*` functions are the arrows of the thesis's role diagram; nothing else assigns
//! the role.
//! **Source.** Thesis Fig. 3.3, §9.6 (pre-candidate).
//! **Upholds.** `inv:election-safety`, `inv:one-vote-per-term` (a vote is never cleared within a
//! term, B-005).
//! **Not here.** When to change role (`election/`, `node.rs`).

use alloc::{boxed::Box, collections::VecDeque};

use crate::{
    Node,
    admission::DeferredRefusal,
    error::{HaltReason, ReadFailure, UnknownReason},
    input::Changed,
    log::{Entry, EntryKind},
    output::Outcome,
    replication::{progress::Progress, silence::Quiet, stamp::LedClock},
    transfer::{Transfer, void::AliveTransfers},
    types::{Instant, LogIndex, NodeId, Role, Term},
};

/// The role with its data.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) enum RoleState {
    Follower,
    /// Asking in this round whether an election is worth it.
    PreCandidate {
        round: u64,
        /// The campaign that follows is held in a term of at least this.
        min_term: Term,
    },
    Candidate,
    Leader(Box<Leader>),
}

/// What a leader knows beyond its peers' progress.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Leader {
    /// Index of the no-op that opened the reign.
    pub(crate) opening: LogIndex,
    /// Newest round begun.
    pub(crate) round: u64,
    /// Rounds not yet answered by a quorum, with the time each began.
    pub(crate) open_rounds: VecDeque<(u64, Instant)>,
    /// Newest round answered by a quorum.
    pub(crate) quorum_round: u64,
    /// When that round began: the newest time a quorum was surely with us.
    pub(crate) contact: Instant,
    pub(crate) heartbeat_at: Instant,
    /// When a commit index that nothing carried is told by itself.
    pub(crate) notice_at: Option<Instant>,
    /// The notice is due at the next settle.
    pub(crate) notice_due: bool,
    pub(crate) transfer: Option<Box<Transfer>>,
    /// Transfers begun in this reign.
    pub(crate) transfers: u64,
    /// Transfers that are over and whose `TimeoutNow` may still be under way.
    pub(crate) alive_transfers: AliveTransfers,
    /// Rounds up to this one earn no lease: the clock went back after they began.
    pub(crate) lease_from: u64,
    pub(crate) clock: LedClock,
}

impl Node {
    /// The role without its data. A halted node has none any more: it is a follower from the settle
    /// that hands out [`crate::Output::Halted`] on.
    #[must_use]
    pub const fn role(&self) -> Role {
        match self.role {
            RoleState::Follower => Role::Follower,
            RoleState::PreCandidate { .. } => Role::PreCandidate,
            RoleState::Candidate => Role::Candidate,
            RoleState::Leader(_) => Role::Leader,
        }
    }

    /// Takes over a higher term, with no vote in it yet. Everything owed in the old term is void.
    pub(crate) fn enter_term(&mut self, term: Term) {
        self.stir();
        assert!(term > self.hard.term, "a term never falls (inv:monotone)");
        self.hard.term = term;
        self.hard.vote = None;
        // Whatever the old term's leader verified says nothing about the new leader's log.
        self.verified = LogIndex::ZERO;
        self.answer.reset();
        if let Some(handover) = self.handover.made() {
            handover.enter_term();
        }
        for peer in &mut self.peers {
            peer.owed = Default::default();
            peer.request_due = false;
            peer.granted = None;
        }
        self.changed(Changed::TERM);
        self.changed(Changed::VOTE);
    }

    /// Follower of `leader`, or of nobody yet, in `term` (its own or a higher one).
    pub(crate) fn become_follower(&mut self, term: Term, leader: Option<NodeId>) {
        self.stir();
        if term > self.hard.term {
            self.enter_term(term);
        }
        let was = self.role();
        if was == Role::Leader {
            self.operations_reign_ends();
            self.fail_led_reads(ReadFailure::LeadershipLost);
            self.tickets.close(self.now.plus(self.options.pending_after_loss_ns));
            self.transfer_reign_ends();
            self.change_reign_ends();
            self.snapshot_reign_ends();
        }
        if was != Role::Follower {
            self.role = RoleState::Follower;
            self.role_since = self.now;
            self.refuse_deferred(if was == Role::Leader {
                DeferredRefusal::NotLeader
            } else {
                DeferredRefusal::ElectionLost
            });
            for peer in &mut self.peers {
                peer.request_due = false;
                peer.granted = None;
            }
            self.changed(Changed::ROLE);
        }
        if was == Role::Leader {
            // Only a deposed leader has no timer running; others keep theirs (§3.4).
            self.restart_election_timer();
        }
        if self.leader != leader {
            self.leave_leader();
            self.leader = leader;
            self.answer.reset();
            self.changed(Changed::ROLE);
        }
    }

    /// Asks whether an election in a term of at least `min_term` would succeed; nothing durable
    /// changes.
    pub(crate) fn become_pre_candidate(&mut self, min_term: Term) {
        self.pre_vote_rounds = self.pre_vote_rounds.saturating_add(1);
        self.enter_role(RoleState::PreCandidate { round: self.pre_vote_rounds, min_term });
        self.leave_leader();
        self.leader = None;
        self.ask_everybody();
        self.restart_election_timer();
        self.changed(Changed::ROLE);
        self.tally_pre_votes();
    }

    /// Campaigns in the next term, or in `min_term` if that is higher.
    pub(crate) fn become_candidate(&mut self, min_term: Term) {
        let Some(term) = self.campaign_term() else {
            self.halt(HaltReason::NumberRange);
            return;
        };
        self.leave_leader();
        self.enter_term(term.max(min_term));
        self.hard.vote = Some(self.hard.node);
        self.enter_role(RoleState::Candidate);
        self.counters.elections_started = self.counters.elections_started.saturating_add(1);
        self.leader = None;
        self.ask_everybody();
        self.restart_election_timer();
        self.changed(Changed::ROLE);
    }

    /// This boot is over. Nobody is told by `RoleChanged`: nothing follows a halt.
    pub(crate) fn role_ends(&mut self) {
        if self.role() != Role::Follower {
            self.enter_role(RoleState::Follower);
            self.changed(Changed::ROLE);
        }
        if self.leader == Some(self.hard.node) {
            self.leader = None;
        }
    }

    fn enter_role(&mut self, role: RoleState) {
        self.stir();
        self.role = role;
        self.role_since = self.now;
    }

    fn ask_everybody(&mut self) {
        for peer in &mut self.peers {
            peer.granted = None;
            peer.request_due = peer.seat.is_voter();
        }
        self.retry_at = self.now.plus(self.options.heartbeat_ns);
    }

    /// Leads its term. Called only with a quorum of durable grants, its own included.
    pub(crate) fn become_leader(&mut self) {
        assert_eq!(self.role(), Role::Candidate, "only a candidate wins (thesis Fig. 3.3)");
        assert_eq!(self.hard.vote, Some(self.hard.node), "a leader voted for itself");
        if self.log.term_runs() >= self.options.term_runs_max as usize {
            self.halt(HaltReason::TooManyTerms);
            return;
        }
        let last = self.log.last_index();
        for peer in &mut self.peers {
            peer.progress = Progress::start(last);
            peer.request_due = false;
            peer.promise.forget();
            peer.heard_at = None;
            peer.quiet = Quiet::start(self.now);
        }
        let opening = last.next();
        self.counters.elections_won = self.counters.elections_won.saturating_add(1);
        self.enter_role(RoleState::Leader(Box::new(Leader {
            opening,
            round: 0,
            open_rounds: VecDeque::new(),
            quorum_round: 0,
            contact: self.now,
            heartbeat_at: self.now.plus(self.options.heartbeat_ns),
            notice_at: None,
            notice_due: false,
            transfer: None,
            transfers: 0,
            alive_transfers: AliveTransfers::default(),
            lease_from: 0,
            clock: LedClock::start(self.last_stamp, self.now),
        })));
        self.leader = Some(self.hard.node);
        self.verified = LogIndex::ZERO;
        self.answer.reset();
        self.changed(Changed::ROLE);
        let (term, ended) = (self.hard.term, &mut self.ended);
        self.tickets.open(term, opening, |range| {
            ended.push((range, Outcome::Unknown(UnknownReason::LeadershipLost)));
        });
        self.append_own(Entry { kind: EntryKind::NOOP, ..Entry::default() });
        self.begin_round();
        self.advance_commit();
    }
}
