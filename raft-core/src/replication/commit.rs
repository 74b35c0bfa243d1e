//! The commit rule: what a majority holds durably, in the leader's own term.
//!
//! **Intuition.** An entry of an earlier term on a majority may still be overwritten (thesis
//! Fig. 3.7), so only an entry of the own term is committed by counting; everything before it is
//! committed with it. The leader counts itself only as far as its own disk is.
//! **Source.** Thesis §3.5, §3.6.2, §10.2.1; B-037, B-045.
//! **Upholds.** `inv:committed-durable`, `inv:leader-completeness`, `inv:monotone`.
//! **Not here.** How followers learn it (`follower.rs`).

use crate::{
    Node,
    input::Changed,
    role::RoleState,
    types::{LogIndex, Role},
};

impl Node {
    /// Commits what can be committed by counting. Leaders only; followers learn it.
    pub(crate) fn advance_commit(&mut self) {
        if self.role() != Role::Leader {
            return;
        }
        let durable = self.lane.durable();
        let mut reached = LogIndex(self.reached(durable.0, |peer| peer.counted_match().0));
        if let Some(gate) = self.changes.data_gate
            && reached >= gate
            && !self.data_quorums_hold(gate)
        {
            reached = gate.prev();
        }
        if reached > self.commit && self.log.term_at(reached) == Some(self.hard.term) {
            self.set_commit(reached);
        }
    }

    /// Raises the commit index.
    pub(crate) fn set_commit(&mut self, commit: LogIndex) {
        assert!(commit > self.commit, "commit only rises (inv:monotone)");
        assert!(commit <= self.log.last_index(), "only what exists is committed");
        let before = core::mem::replace(&mut self.commit, commit);
        if let RoleState::Leader(leader) = &self.role {
            debug_assert!(commit >= leader.opening, "own-term commit rule");
        }
        self.changed(Changed::COMMIT);
        self.counters.entries_committed =
            self.counters.entries_committed.saturating_add(commit.since(before));
        if !self.calm {
            self.marks_committed(before);
            self.decide_skips();
        }
    }
}
