//! Settling: from state to work, all of it, in one go.
//!
//! **Intuition.** Every output is a question to the present state: is something not on disk, is a
//! peer behind, is an answer owed whose gate is open, is something committed and not applied? So
//! a message never waits in a queue with yesterday's content.
//! **Source.** Ours; the gates are listed in docs/INVARIANTS.md.
//! **Upholds.** `inv:persist-before-send` (nothing leaves before the term is durable),
//! `inv:lane-order`.
//! **Not here.** The gates of single messages (`election/`, `replication/`).

use alloc::boxed::Box;

use crate::{
    Node,
    admission::DeferredRefusal,
    error::HaltReason,
    error::{ReadFailure, UnknownReason},
    node::emit,
    output::{Outcome, Output, Persist, PersistExtra},
    peer::Peer,
    types::{LogPosition, Role, Term},
};

/// After so many more durable entries the mark is written anew: rarely enough to cost nothing,
/// often enough to notice a store that lost more than this many entries.
const MARK_STRIDE: u64 = 1_024;

impl Node {
    // Apart from `poll`, most of whose calls only pop.
    #[inline(never)]
    pub(crate) fn settle(&mut self) {
        if let Some(reason) = self.halted {
            self.settle_halt(reason);
            return;
        }
        self.settle_changes();
        self.settle_deferred();
        if self.log.tail().is_open() {
            self.log.seal();
        }
        self.announce_role();
        self.announce_configuration();
        self.begin_read_round();
        if self.lane.dirty(&self.hard, self.log.last_index()) {
            self.make_persist();
        }
        if self.lane.durable_hard().term == self.hard.term && self.speaks() {
            // Between elections nobody is owed anything.
            let owed = self.peers.iter().any(Peer::is_owed);
            if owed {
                self.send_owed();
            }
            self.send_appends();
            self.send_snapshots();
            self.send_append_reply();
            self.send_transfer();
            self.send_read_index();
            if owed {
                self.send_not_member();
            }
            self.settle_removal();
        }
        self.settle_snapshots();
        self.hand_out_apply();
        self.settle_compaction();
        self.count_backlog();
        self.announce_lifecycle();
        if !self.ended.is_empty() {
            self.report_ended();
        }
        self.report_operations();
        if self.reads.len() > 0 {
            self.release_reads();
        }
        let (entries_max, bytes_max) = (self.options.tail_entries_max, self.options.tail_bytes_max);
        if !self.log.tail().is_within(entries_max, bytes_max) {
            self.log.evict(self.lane.durable(), entries_max, bytes_max);
        }
        if !self.notes.is_empty() {
            self.hand_out_notes();
        }
    }

    #[cold]
    fn send_owed(&mut self) {
        self.send_requests();
        self.send_vote_replies();
        self.send_pre_vote_replies();
        self.send_stale_replies();
    }

    #[cold]
    fn hand_out_notes(&mut self) {
        for note in self.notes.drain(..) {
            self.outbox.push_back(Output::Note(Box::new(note)));
        }
    }

    fn announce_role(&mut self) {
        let now = (self.role(), self.hard.term);
        if now != self.announced {
            self.announce(now);
        }
    }

    #[cold]
    fn announce(&mut self, now: (Role, Term)) {
        // A term without a change of role is no news to a machine that serves or does not.
        if now.0 != self.announced.0 || now.0 == Role::Leader {
            self.outbox.push_back(Output::RoleChanged { role: now.0, term: now.1 });
        }
        self.announced = now;
    }

    /// One write with all that is not yet handed out, if the window has room.
    fn make_persist(&mut self) {
        let last = self.log.last_index();
        if self.lane.open() >= u64::from(self.options.persist_inflight_max) {
            return;
        }
        let mark = self.durable_mark();
        let (ack, changed, truncate_from, from) = self.lane.issue(&self.hard, last);
        let with_hard = changed || self.mark_is_due(mark);
        if with_hard && !self.quarantined {
            self.hard.mark = mark;
        }
        let snapshot = self.take_pending_publication();
        let entries =
            self.log.tail().slice(from.next(), last, u64::MAX, u64::MAX).unwrap_or_default();
        assert_eq!(entries.len(), last.since(from), "what is not durable is in the tail");
        let hard_state = with_hard.then(|| self.hard.clone());
        let extra = (with_hard || truncate_from.is_some() || snapshot.is_some())
            .then(|| Box::new(PersistExtra { hard_state, truncate_from, snapshot }));
        emit(&mut self.outbox, || Output::Persist(Persist { ack, entries, extra }));
    }

    /// A position that is known to be on disk, for the hard state.
    fn durable_mark(&self) -> LogPosition {
        let (durable, old) = (self.lane.durable(), self.hard.mark);
        match self.log.term_at(durable) {
            Some(term) => LogPosition::new(term, durable),
            // A snapshot is on its way to take the place of all that is durable.
            None if old.index > durable => LogPosition::ZERO,
            None => old,
        }
    }

    /// Whether the mark on disk must be lowered with a cut, or is worth raising.
    const fn mark_is_due(&self, fresh: LogPosition) -> bool {
        let old = self.hard.mark.index;
        fresh.index.0 < old.0 || fresh.index.since(old) >= MARK_STRIDE
    }

    fn report_ended(&mut self) {
        for (range, outcome) in self.ended.drain(..) {
            let (first, count) = (range.first, range.count);
            self.outbox.push_back(Output::Outcome { first, count, outcome });
        }
    }

    #[cold]
    fn settle_halt(&mut self, reason: HaltReason) {
        if core::mem::replace(&mut self.halt_told, true) {
            return;
        }
        let (why, read) = match reason {
            HaltReason::Shutdown => (UnknownReason::Shutdown, ReadFailure::Halted),
            _ => (UnknownReason::Halted, ReadFailure::Halted),
        };
        let ended = &mut self.ended;
        self.tickets.end_all(|range| ended.push((range, Outcome::Unknown(why))));
        self.refuse_deferred(DeferredRefusal::Halted);
        self.transfer_reign_ends();
        self.change_reign_ends();
        self.end_operations(why);
        self.report_ended();
        self.report_operations();
        self.reads.fail_all(read);
        self.release_failed_reads();
        self.outbox.push_back(Output::Halted(reason));
    }
}
