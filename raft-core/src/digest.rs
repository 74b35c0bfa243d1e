//! The semantic digest: equal for two nodes in the same situation, whatever their history.
//!
//! **Intuition.** An explorer that walks all interleavings must recognise a state it has seen.
//! Counters and ids do not matter, and deadlines only by how far away they are.
//! **Source.** Ours.
//! **Upholds.** Nothing; used by explorers.
//! **Not here.** Digests of runs (the simulator's).

use crate::{
    Node,
    rng::mix,
    role::RoleState,
    storage::fetch::Fetch,
    types::{Instant, LogIndex, NodeId},
};

struct Fold(u64);

impl Fold {
    fn word(&mut self, word: u64) {
        self.0 = mix(self.0, word);
    }

    fn flag(&mut self, flag: bool) {
        self.word(u64::from(flag));
    }

    /// A moment, by how far it is away; the past is past.
    fn moment(&mut self, now: Instant, at: Option<Instant>) {
        self.word(at.map_or(u64::MAX, |at| at.since(now)));
    }

    /// A moment in the past, by how long ago.
    fn age(&mut self, now: Instant, at: Instant) {
        self.word(now.since(at));
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.word(bytes.len() as u64);
        for byte in bytes {
            self.word(u64::from(*byte));
        }
    }

    fn fetch(&mut self, now: Instant, fetch: &Fetch) {
        match fetch {
            Fetch::Idle => self.word(0),
            Fetch::Open { first, last, again_at, again, .. } => {
                self.word(1);
                self.word(first.0);
                self.word(last.0);
                self.moment(now, Some(*again_at));
                self.flag(*again);
            }
            Fetch::Later(at) => {
                self.word(2);
                self.moment(now, Some(*at));
            }
        }
    }

    fn node(&mut self, node: Option<NodeId>) {
        match node {
            Some(node) => {
                self.word(1);
                self.word(node.0);
            }
            None => self.word(0),
        }
    }
}

impl Node {
    /// A digest of everything that decides future behaviour, with deadlines and rounds relative to
    /// the present. Options, configuration and the jitter yet to be drawn are the explorer's to
    /// hold fixed; take it with nothing left to poll (whether a settle is due is left out: the
    /// reason of a refusal makes one due and changes nothing else).
    #[must_use]
    pub fn semantic_digest(&self, now: Instant) -> u64 {
        let mut d = Fold(0);
        d.word(self.role() as u64);
        d.word(self.hard.term.0);
        d.node(self.hard.vote);
        d.word(self.hard.promise_ns);
        d.node(self.leader);
        for index in [self.verified, self.commit, self.handed, self.applied] {
            d.word(index.0);
        }
        self.lane.fold(|word| d.word(word));
        self.snapshots.fold(now, |word| d.word(word));
        d.word(self.hard.mark.index.0);
        d.word(self.log.base().index.0);
        d.word(self.log.last_index().0);
        let mut index = self.log.base().index.max(LogIndex(1));
        while index <= self.log.last_index() {
            d.word(self.log.term_at(index).map_or(0, |term| term.0));
            index = index.next();
        }
        d.word(self.log.tail().first().0);
        for (_, entry) in self.log.tail().iter_from(self.log.tail().first()) {
            d.word(u64::from(entry.kind.0));
            d.bytes(&entry.payload);
        }
        self.answer.fold(|word| d.word(word));
        self.fold_times(now, &mut d);
        self.fold_peers(now, &mut d);
        let round = self.round();
        self.reads.fold(|index, waits| {
            d.word(index.0);
            d.word(match waits {
                0 => u64::MAX,
                u64::MAX => u64::MAX.saturating_sub(1),
                waits => round.saturating_sub(waits),
            });
        });
        self.tickets.fold(|term, opening, last, ended, expires| {
            d.word(term.0);
            for index in [opening, last, ended] {
                d.word(index.0);
            }
            d.moment(now, expires);
        });
        self.changes.fold(self.was_member, now, |word| d.word(word));
        d.fetch(now, &self.apply_fetch);
        d.flag(self.apply_fetched.is_some());
        d.word(self.applying_bytes);
        d.word(self.outbox.len() as u64);
        self.handover.fold(now, |word| d.word(word));
        self.deferred.fold(now, |word| d.word(word));
        self.operations.fold(now, self.lane.written(), |word| d.word(word));
        self.skips.fold(|word| d.word(word));
        if let Some(failure) = self.apply_failed {
            d.word(failure.index.0);
            d.word(failure.digest.map_or(0, |digest| digest | 1));
        }
        d.word(self.capacity as u64);
        d.word(self.apply_backlog().1);
        d.word(self.hard.disabled.map_or(0, crate::DisableReason::word));
        d.flag(self.hard.joined);
        d.flag(self.told_disabled == self.lane.durable_hard().disabled);
        d.flag(self.quarantined);
        for word in [self.hard.cluster.0, self.hard.epoch.number, self.hard.epoch.plan_id] {
            d.word(word);
        }
        d.word(self.last_label.map_or(u64::MAX, |label| label));
        d.flag(self.halted.is_some());
        d.flag(self.halt_told);
        d.0
    }

    const fn round(&self) -> u64 {
        match &self.role {
            RoleState::Leader(leader) => leader.round,
            _ => 0,
        }
    }

    fn fold_times(&self, now: Instant, d: &mut Fold) {
        match self.contact {
            Some((leader, at)) => {
                d.word(leader.0);
                d.age(now, at);
            }
            None => d.word(u64::MAX),
        }
        d.moment(now, Some(self.booted_at.plus(self.boot_promise_ns)));
        d.moment(now, Some(self.promised_until));
        d.moment(now, Some(self.stated_until));
        d.word(self.promised_ns);
        d.word(u64::from(self.options.priority));
        d.flag(self.options.can_lead);
        d.moment(now, self.deadline());
        match &self.role {
            RoleState::Leader(leader) => {
                d.word(leader.opening.0);
                d.word(leader.round.saturating_sub(leader.quorum_round));
                for (round, began) in &leader.open_rounds {
                    d.word(leader.round.saturating_sub(*round));
                    d.age(now, *began);
                }
                d.age(now, leader.contact);
                d.moment(now, Some(leader.heartbeat_at));
                d.moment(now, leader.notice_at);
                d.flag(leader.notice_due);
                d.word(leader.round.saturating_sub(leader.lease_from));
                leader.alive_transfers.fold(leader.round, |word| d.word(word));
                if let Some(transfer) = &leader.transfer {
                    d.word(transfer.to.0);
                    d.moment(now, Some(transfer.deadline));
                    d.word(transfer.told.map_or(0, |told| told.index.0));
                    d.flag(transfer.due);
                }
            }
            RoleState::Follower => d.moment(now, Some(self.election_at)),
            RoleState::PreCandidate { .. } | RoleState::Candidate => {
                d.moment(now, Some(self.election_at));
                d.moment(now, Some(self.retry_at));
            }
        }
    }

    fn fold_peers(&self, now: Instant, d: &mut Fold) {
        let (round, leads) = (self.round(), self.role() == crate::types::Role::Leader);
        for peer in &self.peers {
            d.word(peer.id.0);
            d.word(peer.incarnation.0);
            d.flag(peer.request_due);
            for slot in [peer.granted, peer.owed.vote, peer.owed.pre_vote.map(|r| r.granted)] {
                d.word(slot.map_or(2, u64::from));
            }
            if let Some(reply) = peer.owed.pre_vote {
                d.word(reply.round.boot.0);
                d.word(reply.round.number);
            }
            d.flag(peer.owed.stale_append);
            d.flag(peer.owed.not_member);
            d.word(u64::from(peer.seat.bits()));
            d.word(peer.diet as u64);
            d.word(peer.counts_from.0);
            if let Some(left) = *peer.departing {
                d.word(left.index.0);
                d.word(if left.decided_round == u64::MAX {
                    u64::MAX
                } else {
                    round.saturating_sub(left.decided_round)
                });
                d.moment(now, Some(left.until));
            }
            d.flag(peer.owed.need_snapshot.is_some());
            if !leads {
                continue;
            }
            let progress = &peer.progress;
            for word in [
                progress.matched.0,
                progress.next.0,
                progress.state as u64,
                progress.told_commit.0,
                round.saturating_sub(progress.acked_round),
                round.saturating_sub(progress.sent_round),
                progress.inflight().0,
                progress.inflight().1,
            ] {
                d.word(word);
            }
            d.word(peer.promise.ns);
            d.word(peer.promise.at.map_or(u64::MAX, |at| now.since(at)));
            d.word(peer.heard_at.map_or(u64::MAX, |at| now.since(at)));
            d.word(peer.applied.0);
            peer.quiet.fold(now, |word| d.word(word));
            d.flag(progress.probing);
            d.word(progress.window());
            d.flag(progress.fetched.is_some());
            d.fetch(now, &progress.fetch);
            d.word(progress.sending.as_ref().map_or(u64::MAX, |sending| sending.index().0));
            d.moment(now, Some(progress.supply.after));
            d.word(progress.supply.above.0);
        }
    }
}
