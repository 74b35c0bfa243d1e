//! Replication: what a leader sends, what a follower takes, what is committed.
//!
//! **Intuition.** An append names the entry before its first one; a follower that holds that very
//! entry holds everything before it too. A leader probes with one message at a time until it
//! knows where the logs agree, then keeps a window of appends in flight.
//! **Source.** Thesis §3.5, §3.6.2 (only entries of the own term are committed by counting).
//! **Upholds.** `inv:log-matching`, `inv:leader-append-only`, `inv:committed-immutable`.
//! **Not here.** Durability (`store.rs`), elections (`election.rs`).

use bytes::Bytes;
use raft_core::{LogIndex, LogPosition, NodeId, Role};

use super::{Body, Bug, Message, Naive, Waiting};
use crate::process::{Answer, Effect, Ending, Entry, Ns, view::Changed};

/// Uncommitted entries a leader keeps before it refuses proposals.
pub(super) const UNCOMMITTED_MAX: u64 = 1024;

impl Naive {
    pub(super) fn append_own(&mut self, kind: u8, payload: Bytes) -> LogIndex {
        let index = self.last().index.next();
        assert!(!self.has(Bug::Panics) || index.0 < 20, "planted panic");
        self.touched(index);
        let position = LogPosition::new(self.term, index);
        self.log.push(Entry { position, kind, stamp: 0, label: 0, payload });
        index
    }

    pub(super) fn on_propose(&mut self, mut payload: Bytes) -> Answer {
        if self.role != Role::Leader {
            return Answer::Refused { why: "not-leader", hint: self.leader };
        }
        if self.last().index.since(self.commit) >= UNCOMMITTED_MAX {
            return Answer::Refused { why: "queue-full", hint: Some(self.id) };
        }
        if self.has(Bug::CommandGarbled) && self.next_ticket % 16 == 15 {
            let mut bytes = payload.to_vec();
            if let Some(byte) = bytes.last_mut() {
                *byte ^= 1;
            }
            payload = Bytes::from(bytes);
        }
        let index = self.append_own(Entry::COMMAND, payload);
        self.next_ticket += 1;
        self.tickets.push(Waiting { ticket: self.next_ticket, index, term: self.term });
        Answer::Accepted(self.next_ticket)
    }

    pub(super) fn on_heartbeat_timeout(&mut self) {
        self.check_quorum();
        if self.role != Role::Leader {
            return;
        }
        for at in 0..self.peers.len() {
            self.peers[at].probe_sent = false;
            self.send_append(at, 0);
        }
        self.round_due = false;
        self.heartbeat_at = self.now.saturating_add(self.knobs.heartbeat_ns.max(1));
    }

    /// Sends what each peer lacks, as far as its window goes.
    pub(super) fn replicate(&mut self) {
        let last = self.last().index;
        for at in 0..self.peers.len() {
            if self.round_due {
                self.send_append(at, 0);
            }
            let stuck = self.peers[at].refused && at + 1 == self.peers.len();
            if self.has(Bug::ProbeStuck) && stuck {
                continue;
            }
            while self.peers[at].next <= last {
                let peer = &self.peers[at];
                if peer.probing && peer.probe_sent {
                    break;
                }
                let window = self.knobs.inflight_messages.max(1) as usize;
                if !peer.probing && peer.inflight.len() >= window && !self.has(Bug::WindowIgnored) {
                    break;
                }
                self.send_append(at, self.knobs.append_entries.max(1) as usize);
            }
        }
        self.round_due = false;
    }

    fn send_append(&mut self, at: usize, entries_max: usize) {
        let peer = &self.peers[at];
        let to = peer.peer;
        let prev = self.position(peer.next.prev());
        let start = peer.next.0.saturating_sub(1) as usize;
        let mut entries = Vec::new();
        let mut bytes = 0u64;
        for entry in self.log[start..].iter().take(entries_max) {
            bytes = bytes.saturating_add(entry.payload.len() as u64);
            if !entries.is_empty() && bytes > self.knobs.append_bytes {
                break;
            }
            entries.push(entry.clone());
        }
        if let Some(end) = entries.last().map(|entry| entry.position.index) {
            let peer = &mut self.peers[at];
            if peer.probing {
                peer.probe_sent = true;
            } else {
                peer.inflight.push_back(end);
                peer.next = end.next();
            }
            self.mark(Changed::PEERS);
        }
        let body = Body::Append {
            prev,
            entries,
            commit: self.commit,
            round: self.read_round,
            sent_at: self.now,
        };
        let message = Message { term: self.term, body };
        if self.has(Bug::OwnMatchEarly) {
            self.say_at_once(to, message);
        } else {
            self.say(to, message);
        }
    }

    pub(super) fn on_append(
        &mut self,
        from: NodeId,
        prev: LogPosition,
        entries: Vec<Entry>,
        commit: LogIndex,
        (round, heard): (u64, Ns),
    ) {
        if self.role == Role::Leader {
            return;
        }
        if self.role != Role::Follower {
            self.become_follower(self.term, Some(from));
        }
        self.set_leader(Some(from));
        self.heard_leader_at = Some(self.now);
        self.arm_election();
        if let Some(hint) = self.refusal_hint(prev) {
            let promise = self.promise();
            let body = Body::AppendReply { accepted: false, upto: hint, round, heard, promise };
            self.say(from, self.message(body));
            return;
        }
        let verified = prev.index.plus(entries.len() as u64);
        if !self.take(prev, entries) {
            return;
        }
        self.follow_commit(commit, verified);
        let (upto, promise) = (verified, self.promise());
        let body = Body::AppendReply { accepted: true, upto, round, heard, promise };
        let message = self.message(body);
        if self.has(Bug::AckBeforeFsync) {
            self.say_at_once(from, message);
        } else {
            self.say(from, message);
        }
    }

    /// `None` if `prev` matches our log; else where the leader may try next.
    fn refusal_hint(&self, prev: LogPosition) -> Option<LogIndex> {
        let last = self.last().index;
        if prev.index > last {
            return Some(last);
        }
        let ours = self.position(prev.index);
        if ours.term == prev.term || self.has(Bug::PrevCheckSkipped) {
            return None;
        }
        // Skip the whole conflicting term at once, but never below what is committed.
        let mut hint = prev.index.prev();
        while hint > self.commit && self.position(hint).term == ours.term {
            hint = hint.prev();
        }
        Some(hint)
    }

    fn take(&mut self, prev: LogPosition, entries: Vec<Entry>) -> bool {
        if self.has(Bug::TruncateOnStale)
            && !entries.is_empty()
            && prev.index.plus(entries.len() as u64) < self.last().index
        {
            self.cut(prev.index.plus(entries.len() as u64).next());
        }
        for entry in entries {
            let index = entry.position.index;
            if index <= self.last().index {
                if self.position(index).term == entry.position.term {
                    continue;
                }
                if index <= self.commit {
                    self.halt(format!("the leader contradicts committed index {index}"));
                    return false;
                }
                self.cut(index);
            }
            self.touched(index);
            self.log.push(entry);
        }
        true
    }

    fn cut(&mut self, from: LogIndex) {
        self.log.truncate(from.prev().0 as usize);
        self.store.log_cut(from);
        self.touched(from);
        self.mark(Changed::DURABLE);
    }

    fn follow_commit(&mut self, leader: LogIndex, verified: LogIndex) {
        let bound = if self.has(Bug::CommitByLast) { self.last().index } else { verified };
        let commit = leader.min(bound);
        if commit > self.commit || (self.has(Bug::CommitRegress) && commit < self.commit) {
            self.commit = commit;
            self.mark(Changed::COMMIT);
        }
    }

    pub(super) fn on_append_reply(
        &mut self,
        from: NodeId,
        accepted: bool,
        upto: LogIndex,
        round: u64,
    ) {
        if self.role != Role::Leader {
            return;
        }
        let last = self.last().index;
        let Some(at) = self.peers.iter().position(|peer| peer.peer == from) else { return };
        let assigned = self.has(Bug::MatchAssigned);
        let peer = &mut self.peers[at];
        peer.heard_at = self.now;
        peer.round = peer.round.max(round);
        if accepted {
            let upto = upto.min(last);
            peer.matched = if assigned { upto } else { peer.matched.max(upto) };
            peer.next = peer.next.max(peer.matched.next());
            while peer.inflight.front().is_some_and(|end| *end <= peer.matched) {
                peer.inflight.pop_front();
            }
            peer.probing = false;
            peer.probe_sent = false;
        } else {
            let hint = upto.min(peer.next.prev().prev());
            peer.next = hint.max(peer.matched).next();
            peer.inflight.clear();
            peer.probing = true;
            peer.probe_sent = false;
            peer.refused = true;
            if self.has(Bug::LeaderTruncates) && upto >= self.commit && upto < last {
                self.cut(upto.next());
                for peer in &mut self.peers {
                    peer.next = peer.next.min(upto.next());
                    peer.matched = peer.matched.min(upto);
                    peer.inflight.clear();
                }
            }
        }
        self.mark(Changed::PEERS);
    }

    /// Raises the commit index to what a majority holds durably.
    pub(super) fn advance_commit(&mut self) {
        if self.role != Role::Leader {
            return;
        }
        let own = if self.has(Bug::OwnMatchEarly) { self.last().index } else { self.store.durable };
        let mut matched = [LogIndex::ZERO; 16];
        let mut count = 1;
        matched[0] = own;
        for peer in self.peers.iter().take(15) {
            matched[count] = peer.matched;
            count += 1;
        }
        let matched = &mut matched[..count];
        matched.sort_unstable_by(|a, b| b.cmp(a));
        let Some(&held) = matched.get(self.quorum() - 1) else { return };
        let own_term = self.position(held).term == self.term || self.has(Bug::OldTermCommit);
        if held > self.commit && own_term {
            self.commit = held;
            self.mark(Changed::COMMIT);
        }
    }

    /// Hands committed and durable entries to the machine, as far as the window goes.
    pub(super) fn apply(&mut self) {
        let mut ready = self.commit.min(self.store.durable);
        if self.has(Bug::ApplyEarly) && self.role == Role::Leader {
            ready = self.store.durable;
        }
        while self.handed < ready {
            let mut room = u64::from(self.knobs.apply_inflight.max(1))
                .saturating_sub(self.handed.since(self.applied));
            if room == 0 {
                return;
            }
            let mut first = self.handed.next();
            if self.has(Bug::ApplySkips) && ready.since(self.handed) >= 3 && room > 1 {
                first = first.next();
                room -= 1;
            }
            let first_ticket = self.ticket_of(first);
            let mut last = first;
            while last < ready && last.since(first) + 1 < room {
                let next = last.next();
                let expected = first_ticket.map(|ticket| ticket + next.since(first));
                if self.ticket_of(next) != expected {
                    break;
                }
                last = next;
            }
            if let Some(ticket) = first_ticket {
                self.close_tickets(ticket, last.since(first) + 1);
            }
            let entries = self.log[first.0 as usize - 1..last.0 as usize].to_vec();
            self.handed = last;
            self.outbox.push_back(Effect::Apply { entries, first_ticket, skipped: false });
        }
    }

    /// The open ticket of the entry at `index`; ends those that lost this place to another entry.
    fn ticket_of(&mut self, index: LogIndex) -> Option<u64> {
        if self.tickets.is_empty() {
            return None;
        }
        let term = self.position(index).term;
        let mut found = None;
        let outbox = &mut self.outbox;
        self.tickets.retain(|open| {
            if open.index != index {
                return true;
            }
            if open.term == term {
                found = Some(open.ticket);
                return true;
            }
            let how = Ending::Superseded;
            outbox.push_back(Effect::Ended { first_ticket: open.ticket, count: 1, how });
            false
        });
        found
    }

    /// Closes the tickets of the entries just handed out.
    fn close_tickets(&mut self, first_ticket: u64, count: u64) {
        self.tickets.retain(|open| open.ticket.wrapping_sub(first_ticket) >= count);
        if self.has(Bug::TicketTwice) && self.role != Role::Leader {
            let how = Ending::Unknown("not-leading");
            self.outbox.push_back(Effect::Ended { first_ticket, count, how });
        }
    }
}
