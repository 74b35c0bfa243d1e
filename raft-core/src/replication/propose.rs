//! Proposing: a command becomes an entry of the leader's log.
//!
//! **Intuition.** Admission is decided before anything is appended, so a refusal is definite.
//! After that the proposal is an entry like any other and ends through its ticket.
//! **Source.** Thesis §3.5; admission limits are ours (every queue bounded).
//! **Upholds.** `inv:leader-append-only`, `inv:nothing-lost`, `inv:bounded`.
//! **Not here.** Who may propose (`admission/`), how it ends (`ticket.rs`).

use bytes::Bytes;

use crate::{
    Node,
    admission::deferred::Outstanding,
    error::Rejected,
    input::{Changed, Issued},
    log::{Entry, EntryKind},
    role::RoleState,
    types::{LogIndex, LogPosition, Ticket},
};

impl Node {
    /// Appends a command of high priority, or says which limit it meets.
    pub(crate) fn append_command(&mut self, payload: Bytes, label: u64) -> Result<(), Rejected> {
        self.judge_append(payload.len() as u64)?;
        let (_, ticket) = self.append_proposal(payload, label);
        self.accepted.issued = Issued::Proposal(ticket);
        Ok(())
    }

    /// Whether a command of high priority and `size` bytes may be appended now. What low ones hold
    /// of the limits does not count against it.
    pub(crate) fn judge_append(&mut self, size: u64) -> Result<(), Rejected> {
        let spared = self.deferred.outstanding(self.handed, self.applied);
        let open = self.tickets.open_count().saturating_sub(spared.open);
        if open >= self.options.proposals_max {
            return Err(Rejected::QueueFull);
        }
        if self.apply_queue_full(&spared) {
            return Err(Rejected::ApplyQueueFull);
        }
        self.judge_store(1, size, &spared)
    }

    /// Appends a command that was admitted.
    pub(crate) fn append_proposal(&mut self, payload: Bytes, label: u64) -> (LogIndex, Ticket) {
        let kind = EntryKind::COMMAND;
        let index = self.append_own(Entry { kind, label, payload, ..Entry::default() });
        (index, self.tickets.mint(index))
    }

    /// Whether the tail can hold this much more once what is durable has left it.
    pub(crate) fn tail_has_room(&mut self, entries: u64, bytes: u64) -> bool {
        self.tail_has_room_beyond(entries, bytes, &Outstanding::default())
    }

    /// The same, where what `spared` holds is not counted.
    pub(crate) fn tail_has_room_beyond(
        &mut self,
        entries: u64,
        bytes: u64,
        spared: &Outstanding,
    ) -> bool {
        let entries_max = self.options.tail_entries_max.saturating_add(spared.entries);
        let bytes_max = self.options.tail_bytes_max.saturating_add(spared.bytes);
        let room = |node: &Self| {
            let tail = node.log.tail();
            tail.entries().saturating_add(entries) <= entries_max
                && tail.bytes().saturating_add(bytes) <= bytes_max
        };
        if room(self) {
            return true;
        }
        let entries_max = entries_max.saturating_sub(entries);
        let bytes_max = bytes_max.saturating_sub(bytes);
        let durable = self.lane.durable();
        // A refusal changes nothing, so nothing leaves unless that makes the room.
        let helps = self.log.tail().could_shrink_to(durable, entries_max, bytes_max);
        if helps {
            self.log.evict(durable, entries_max, bytes_max);
        }
        helps && room(self)
    }

    /// Appends an entry of the core's own in the middle of a reign.
    pub(crate) fn append_for_core(&mut self, entry: Entry) -> LogIndex {
        let index = self.append_own(entry);
        self.tickets.mint_for_core(index);
        index
    }

    /// Appends one entry as leader, stamped.
    pub(crate) fn append_own(&mut self, mut entry: Entry) -> LogIndex {
        if let RoleState::Leader(leader) = &mut self.role {
            let period = self.options.check_quorum_ns;
            entry.stamp = leader.clock.advance(self.now, leader.contact, period);
        }
        self.last_stamp = self.last_stamp.max(entry.stamp);
        if entry.label == 0 {
            entry.label = self.last_label.unwrap_or(0);
        }
        self.last_label = Some(entry.label);
        self.counters.entries_appended = self.counters.entries_appended.saturating_add(1);
        let mark = entry.kind.is_mark().then(|| entry.clone());
        let index = self.log.append(self.hard.term, entry);
        self.log_changed(index);
        if let Some(mark) = mark {
            self.mark_appended(LogPosition::new(self.hard.term, index), &mark);
        }
        index
    }

    /// The log was written or cut from `from` on.
    pub(crate) fn log_changed(&mut self, from: LogIndex) {
        let old = self.accepted.log_from;
        self.accepted.log_from = if old == LogIndex::ZERO { from } else { old.min(from) };
        self.changed(Changed::LOG);
    }
}
