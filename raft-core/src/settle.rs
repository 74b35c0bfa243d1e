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
    peer::{Owed, Peer},
    storage::persist::PersistAck,
    types::{LogIndex, LogPosition, Role},
};

/// After so many more durable entries the mark is written anew: rarely enough to cost nothing,
/// often enough to notice a store that lost more than this many entries.
const MARK_STRIDE: u64 = 1_024;

impl Node {
    #[inline]
    pub(crate) fn settle(&mut self) {
        if let Some(reason) = self.halted {
            self.settle_halt(reason);
            return;
        }
        // Only work that is not plain replication asks to be looked for, see `calm.rs`.
        debug_assert!(!self.calm || self.is_calm(), "nothing rare is overlooked");
        let calm = self.calm;
        if !calm {
            self.prepare();
        }
        if self.log.tail().is_open() {
            self.log.seal();
        }
        if !calm {
            self.announce();
        }
        if self.is_dirty() {
            self.make_persist();
        }
        if self.lane.durable_hard().term == self.hard.term && (calm || self.speaks()) {
            // Between elections nobody is owed anything.
            let owed = !calm && self.peers.iter().any(Peer::is_owed);
            if owed {
                self.send_owed();
            }
            if self.role() == Role::Leader {
                self.send_appends();
            }
            // A peer may have been found just now that needs a snapshot.
            if !self.calm {
                self.send_snapshots();
            }
            if self.role() == Role::Follower {
                self.send_append_reply();
            }
            if !calm {
                self.send_rest(owed);
            }
        }
        if !calm {
            self.settle_snapshots();
        }
        let handed = self.handed;
        self.hand_out_apply();
        // A policy that asked for no snapshot asks for none until more is handed out.
        if !calm || self.handed != handed {
            self.take_if_due();
        }
        self.compact_if_due();
        self.count_backlog();
        if !calm {
            self.announce_lifecycle();
        }
        if !self.ended.is_empty() {
            self.report_ended();
        }
        if !calm {
            self.report_operations();
            self.release_reads();
        }
        let (entries_max, bytes_max) = (self.options.tail_entries_max, self.options.tail_bytes_max);
        if !self.log.tail().is_within(entries_max, bytes_max) {
            self.log.evict(self.lane.durable(), entries_max, bytes_max);
        }
        if !self.calm {
            self.hand_out_notes();
            self.calm = self.is_calm();
        }
    }

    /// Whether anything is not yet in a write.
    fn is_dirty(&self) -> bool {
        let last = self.log.last_index();
        if self.calm { self.lane.handed() < last } else { self.lane.dirty(&self.hard, last) }
    }

    #[cold]
    fn prepare(&mut self) {
        self.settle_changes();
        self.settle_deferred();
    }

    #[cold]
    fn announce(&mut self) {
        self.announce_role();
        self.announce_configuration();
        self.begin_read_round();
    }

    #[cold]
    fn send_rest(&mut self, owed: bool) {
        self.send_transfer();
        self.send_read_index();
        if owed {
            self.send_not_member();
            for peer in self.peers.iter_mut().filter(|peer| *peer.owed == Owed::default()) {
                peer.owed.clear();
            }
        }
        self.settle_removal();
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
        let Some(notes) = self.notes.made() else { return };
        for note in notes.drain(..) {
            self.outbox.push_back(Output::Note(Box::new(note)));
        }
    }

    fn announce_role(&mut self) {
        let now = (self.role(), self.hard.term);
        if now == self.announced {
            return;
        }
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
        let (ack, extra, from) = if self.calm && !self.mark_is_due() {
            let (ack, from) = self.lane.issue_entries(last);
            (ack, None, from)
        } else {
            self.issue_all(last)
        };
        let entries =
            self.log.tail().slice(from.next(), last, u64::MAX, u64::MAX).unwrap_or_default();
        assert_eq!(entries.len(), last.since(from), "what is not durable is in the tail");
        emit(&mut self.outbox, || Output::Persist(Persist { ack, entries, extra }));
    }

    /// Issues a write of more than entries: what it carries beside them, and after which index.
    #[inline(never)]
    fn issue_all(&mut self, last: LogIndex) -> (PersistAck, Option<Box<PersistExtra>>, LogIndex) {
        let mark = self.durable_mark();
        let (ack, changed, truncate_from, from) = self.lane.issue(&self.hard, last);
        let with_hard = changed || self.mark_is_due();
        if with_hard && !self.quarantined {
            self.hard.mark = mark;
        }
        let snapshot = self.take_pending_publication();
        let hard_state = with_hard.then(|| self.hard.clone());
        let extra = (with_hard || truncate_from.is_some() || snapshot.is_some())
            .then(|| Box::new(PersistExtra { hard_state, truncate_from, snapshot }));
        (ack, extra, from)
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
    fn mark_is_due(&self) -> bool {
        let (durable, old) = (self.lane.durable(), self.hard.mark.index);
        if durable >= old && durable.since(old) < MARK_STRIDE {
            return false;
        }
        let fresh = self.durable_mark().index;
        fresh < old || fresh.since(old) >= MARK_STRIDE
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
        if let Some(reads) = self.reads.made() {
            reads.fail_all(read);
        }
        self.release_failed_reads();
        self.role_ends();
        self.outbox.push_back(Output::Halted(reason));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        config::Configuration,
        error::Rejected,
        input::Input,
        message::{Envelope, Message, RequestVote},
        options::Options,
        storage::{Boot, HardState},
        types::{BootId, ClusterId, GroupId, Incarnation, Instant, NodeId, RecoveryEpoch, Term},
    };

    #[test]
    fn a_halt_is_told_once_whatever_is_asked_afterwards() {
        let hard = HardState::new(ClusterId(1), GroupId(1), NodeId(1), Incarnation(1));
        let voters = Configuration::new((1..=3).map(NodeId)).unwrap();
        let options = Options { notes: true, ..Options::default() };
        let boot = Boot::new(BootId(1), 1, hard, voters);
        let mut sut = Node::boot(options, boot, Instant(0)).unwrap();
        let ask = Envelope {
            cluster: ClusterId(1),
            group: GroupId(1),
            epoch: RecoveryEpoch::default(),
            from: NodeId(2),
            from_incarnation: Incarnation(1),
            to: NodeId(1),
            to_incarnation: Incarnation(1),
            term: Term(1),
            message: Message::RequestVote(RequestVote {
                last: LogPosition::ZERO,
                authorised_by: None,
            }),
        };
        // It has something to note, and halts before anybody asked for that.
        sut.step(Instant(1), Input::Receive(Box::new(ask))).unwrap();
        sut.step(Instant(1), Input::Shutdown).unwrap();
        let halts = |sut: &mut Node| {
            core::iter::from_fn(|| sut.poll()).filter(|o| matches!(o, Output::Halted(_))).count()
        };
        assert_eq!(halts(&mut sut), 1);
        assert_eq!(sut.step(Instant(2), Input::Tick), Err(Rejected::Halted));
        assert_eq!(halts(&mut sut), 0);
    }
}
