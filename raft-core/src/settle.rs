//! Settling: from state to work, all of it, in one go.
//!
//! **Intuition.** Every output is a question to the present state: is something not on disk, is a
//! peer behind, is an answer owed whose gate is open, is something committed and not applied? So
//! a message never waits in a queue with yesterday's content.
//! **Source.** Ours, model-checked; the gates are listed in docs/INVARIANTS.md.
//! **Upholds.** `inv:persist-before-send` (nothing leaves before the term is durable),
//! `inv:lane-order`.
//! **Not here.** The gates of single messages (`election/`, `replication/`).

use alloc::boxed::Box;

use crate::{
    Node,
    error::HaltReason,
    error::{ReadFailure, UnknownReason},
    node::emit,
    output::{Outcome, Output, Persist, PersistExtra},
    peer::Peer,
    types::{Role, Term},
};

impl Node {
    // Apart from `poll`, most of whose calls only pop.
    #[inline(never)]
    pub(crate) fn settle(&mut self) {
        if let Some(reason) = self.halted {
            self.settle_halt(reason);
            return;
        }
        if self.log.tail().is_open() {
            self.log.seal();
        }
        self.announce_role();
        self.begin_read_round();
        if self.lane.dirty(&self.hard, self.log.last_index()) {
            self.make_persist();
        }
        if self.lane.durable_hard().term == self.hard.term {
            // Between elections nobody is owed anything.
            if self.peers.iter().any(Peer::is_owed) {
                self.send_owed();
            }
            self.send_appends();
            self.send_append_reply();
        }
        self.hand_out_apply();
        if !self.ended.is_empty() {
            self.report_ended();
        }
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
        let (ack, with_hard, truncate_from, from) = self.lane.issue(&self.hard, last);
        let entries =
            self.log.tail().slice(from.next(), last, u64::MAX, u64::MAX).unwrap_or_default();
        assert_eq!(entries.len(), last.since(from), "what is not durable is in the tail");
        let hard_state = with_hard.then(|| self.hard.clone());
        let extra = (with_hard || truncate_from.is_some())
            .then(|| Box::new(PersistExtra { hard_state, truncate_from }));
        emit(&mut self.outbox, || Output::Persist(Persist { ack, entries, extra }));
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
        self.report_ended();
        self.reads.fail_all(read);
        self.release_failed_reads();
        self.outbox.push_back(Output::Halted(reason));
    }
}
