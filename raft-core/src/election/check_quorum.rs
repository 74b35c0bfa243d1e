//! Check-quorum: a leader that a majority no longer answers steps down.
//!
//! **Intuition.** A leader cut off from its followers serves nobody and keeps clients waiting. It
//! counts from when the newest answered round was *sent*: an answer that comes late says only that
//! somebody was there long ago.
//! **Source.** Thesis §6.2; D-W6 and B-020.
//! **Upholds.** `inv:live`.
//! **Not here.** Rounds (`replication/heartbeat.rs`).

use crate::{Node, note::Note, role::RoleState};

impl Node {
    /// Steps down if no quorum answered for too long. Returns whether it did.
    pub(crate) fn check_quorum(&mut self) -> bool {
        let RoleState::Leader(leader) = &self.role else { return false };
        let silent = self.now.since(leader.contact);
        if !self.options.check_quorum || silent < self.options.check_quorum_ns {
            return false;
        }
        self.note(Note::QuorumLost { term: self.hard.term });
        self.become_follower(self.hard.term, None);
        true
    }
}
