//! Calm: nothing but replication is under way.
//!
//! **Intuition.** Between elections, changes, reads, snapshots and transfers a settle would ask
//! two dozen questions and hear "nothing" from each. Whether all of them would is worked out once,
//! after a settle that asked them, and remembered as one bit. Whatever could change one of the
//! answers clears the bit; entries, their answers, finished writes and applied indexes cannot.
//! **Source.** Ours, from counting what a committed entry costs.
//! **Upholds.** `inv:live` (a cleared bit costs time alone; one that stayed set would let work
//! wait, so debug builds ask again at every calm settle).
//! **Not here.** What is asked (`settle.rs`), what is done about it.

use crate::{
    Node, peer::Peer, replication::progress::ProgressState, role::RoleState,
    storage::persist::HardMark, types::Role,
};

impl Node {
    /// Something other than plain replication happened: the next settle looks at everything.
    pub(crate) const fn stir(&mut self) {
        self.calm = false;
    }

    /// Whether all that [`Node::calm`] stands for holds.
    // Cold: asked after elections and the like, and by debug builds.
    #[cold]
    #[inline(never)]
    pub(crate) fn is_calm(&self) -> bool {
        self.is_role_calm()
            && self.is_membership_calm()
            && self.is_disk_calm()
            && self.notes.is_empty()
            && self.apply_failed.is_none()
            && self.skips.is_empty()
            && self.reads.is_idle()
            && self.operations.is_idle()
            && self.deferred.is_idle()
            && self.handover.is_idle()
    }

    /// Whether nothing follows from a finished write that raised no commit index: at a leader with
    /// nothing more to write, to apply, to send to witnesses or to let go of.
    pub(crate) fn needs_no_settle_after_write(&self) -> bool {
        let tail = self.log.tail();
        self.calm
            && self.role() == Role::Leader
            && self.lane.handed() == self.log.last_index()
            && self.handed >= self.commit.min(self.lane.durable())
            && tail.is_within(self.options.tail_entries_max, self.options.tail_bytes_max)
            && self.configuration.parts().witnesses.is_empty()
    }

    /// Whether nothing follows from an applied index: there is nothing more to apply, and no
    /// snapshot behind which the log could be cut.
    pub(crate) fn needs_no_settle_after_apply(&self) -> bool {
        self.calm
            && self.handed >= self.commit.min(self.lane.durable())
            && self.snapshots.newest.is_none()
    }

    /// Nobody is elected, nobody hands over, nobody is owed an answer of an election.
    fn is_role_calm(&self) -> bool {
        let role = match &self.role {
            RoleState::Leader(leader) => leader.transfer.is_none() && !self.must_leave(),
            RoleState::Follower => true,
            RoleState::PreCandidate { .. } | RoleState::Candidate => false,
        };
        role && self.announced == (self.role(), self.hard.term)
    }

    /// One configuration counts, it is committed and told, and every peer is sent the log.
    fn is_membership_calm(&self) -> bool {
        let quiet = |peer: &Peer| {
            !peer.is_owed()
                && peer.departing.is_none()
                && peer.progress.state != ProgressState::Snapshot
        };
        self.marks.is_settled(self.commit)
            && !self.configuration.is_joint()
            && !self.configuration.is_blank()
            && self.changes.is_idle()
            && self.peers.iter().all(quiet)
    }

    /// This node is in service, all of its hard state is durable, and no snapshot is on its way
    /// into the disk or the machine.
    fn is_disk_calm(&self) -> bool {
        self.halted.is_none()
            && self.speaks()
            && self.hard.disabled == self.told_disabled
            && self.lane.is_settled(&HardMark::of(&self.hard))
            && self.snapshots.is_idle()
    }
}
