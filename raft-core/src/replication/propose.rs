//! Proposing: a command becomes an entry of the leader's log.
//!
//! **Intuition.** Admission is decided before anything is appended, so a refusal is definite.
//! After that the proposal is an entry like any other and ends through its ticket.
//! **Source.** Thesis §3.5; admission limits are ours (every queue bounded).
//! **Upholds.** `inv:leader-append-only`, `inv:nothing-lost`, `inv:bounded`.
//! **Not here.** How it ends (`ticket.rs`).

use bytes::Bytes;

use crate::{
    Node,
    error::Rejected,
    input::{Changed, Issued},
    log::{Entry, EntryKind},
    role::RoleState,
    storage::recover::NUMBER_MAX,
    types::{LogIndex, Role},
};

impl Node {
    /// Takes a command at a leader.
    pub(crate) fn on_propose(&mut self, payload: Bytes) -> Result<(), Rejected> {
        if self.role() != Role::Leader {
            return Err(self.not_leader());
        }
        let size = payload.len() as u64;
        if size > self.options.entry_bytes_max {
            return Err(Rejected::TooLarge);
        }
        if self.tickets.open_count() >= self.options.proposals_max {
            return Err(Rejected::QueueFull);
        }
        if !self.tail_has_room(1, size) || self.log.last_index().0 >= NUMBER_MAX {
            return Err(Rejected::CommitStalled);
        }
        let index =
            self.append_own(Entry { kind: EntryKind::COMMAND, payload, ..Entry::default() });
        self.accepted.issued = Issued::Proposal(self.tickets.mint(index));
        Ok(())
    }

    /// Whether the tail can hold this much more once what is durable has left it.
    #[inline]
    pub(crate) fn tail_has_room(&mut self, entries: u64, bytes: u64) -> bool {
        let (Some(entries_max), Some(bytes_max)) = (
            self.options.tail_entries_max.checked_sub(entries),
            self.options.tail_bytes_max.checked_sub(bytes),
        ) else {
            return false;
        };
        // A refusal changes nothing, so nothing leaves unless that makes the room.
        self.log.tail().is_within(entries_max, bytes_max)
            || self.log.evict_if_enough(self.lane.durable(), entries_max, bytes_max)
    }

    /// Appends one entry as leader, stamped.
    // One copy of the entry on its way into the log, not three.
    #[inline(always)]
    pub(crate) fn append_own(&mut self, mut entry: Entry) -> LogIndex {
        if let RoleState::Leader(leader) = &mut self.role {
            let period = self.options.check_quorum_ns;
            entry.stamp = leader.clock.advance(self.now, leader.contact, period);
        }
        self.last_stamp = self.last_stamp.max(entry.stamp);
        let index = self.log.append(self.hard.term, entry);
        self.log_changed(index);
        index
    }

    /// The refusal of a node that does not lead.
    pub(crate) fn not_leader(&self) -> Rejected {
        match self.role() {
            Role::Candidate | Role::PreCandidate => Rejected::ElectionInProgress,
            Role::Follower | Role::Leader => Rejected::NotLeader,
        }
    }

    /// The log was written or cut from `from` on.
    pub(crate) fn log_changed(&mut self, from: LogIndex) {
        let old = self.accepted.log_from;
        self.accepted.log_from = if old == LogIndex::ZERO { from } else { old.min(from) };
        self.changed(Changed::LOG);
    }
}
