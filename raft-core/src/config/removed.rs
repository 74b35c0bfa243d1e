//! Removal: how a node that is no member any more learns it, and what it still does.
//!
//! **Intuition.** A removed node does no harm by guessing right, and much by guessing wrong, so it
//! never guesses. It knows from its own log, where the leader goes on sending until the removal is
//! committed and told; or from a member that answers its request for votes with the index of a
//! committed configuration it is not in. It never campaigns again, yet it still answers requests
//! for votes: the configuration that counts is the candidate's.
//! **Source.** Thesis §4.2.2, §4.2.3; B-021, B-065, B-066.
//! **Upholds.** `inv:only-voters-count`, `inv:live`.
//! **Not here.** Changes (`change.rs`), which envelopes are believed (`node.rs`).

use crate::{
    Node,
    error::Rejected,
    message::{Message, NotMember},
    types::{Incarnation, Instant, LogIndex, Membership, NodeId, Role},
};

/// Longest election timeouts for which a leader goes on sending to a peer that left and does not
/// answer. What it has not learnt by then a member tells it when it campaigns.
const DEPARTURE_TIMEOUTS: u64 = 10;

/// A peer that left and is still sent to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Departing {
    /// The configuration without it.
    pub(crate) index: LogIndex,
    /// The round that was newest when that became committed: an answer to any later one answers a
    /// message that said so.
    pub(crate) decided_round: u64,
    /// When to give up.
    pub(crate) until: Instant,
}

impl Node {
    /// A peer leaves by the configuration at `index`.
    pub(crate) fn departure(&self, index: LogIndex) -> Departing {
        let patience = self.options.election_max_ns.saturating_mul(DEPARTURE_TIMEOUTS);
        Departing { index, decided_round: u64::MAX, until: self.now.plus(patience) }
    }

    /// What this node is to its group, by the configuration in force here. While one that leaves it
    /// out is not committed it is still what it was.
    #[must_use]
    pub fn membership(&self) -> Membership {
        let own = self.hard.node;
        let now = self.configuration.membership(own);
        if now == Membership::Blank {
            return now;
        }
        if self.changes.told_removed {
            return Membership::Removed;
        }
        if now != Membership::Removed {
            return now;
        }
        let (index, _) = self.marks.history.newest();
        match self.marks.history.at(self.commit).1.membership(own) {
            Membership::Removed if self.was_member && index <= self.commit => now,
            // It was never in, as far as is known here: it is being brought up.
            Membership::Removed | Membership::Blank => Membership::Learner,
            was => was,
        }
    }

    /// Whether this node is a member as far as it knows: by the configuration in force, or by the
    /// committed one while the newer is not.
    pub(crate) fn belongs(&self) -> bool {
        let committed = self.marks.history.at(self.commit).1;
        !self.changes.told_removed
            && (self.own_seat.is_member() || committed.is_member(self.hard.node))
    }

    /// Whether this node may stand for election as far as membership goes: a data voter of the
    /// configuration in force, or of the committed one while the newer is not (thesis §4.2.2), that
    /// holds all its data.
    pub(crate) fn may_stand(&self) -> bool {
        let in_force = self.own_seat.may_lead();
        let standing = in_force || {
            let (index, _) = self.marks.history.newest();
            let committed = self.marks.history.at(self.commit).1;
            index > self.commit && committed.seat(self.hard.node).may_lead()
        };
        standing && !self.changes.told_removed && !self.lacks_data()
    }

    /// A leader that is no data voter of the committed configuration.
    pub(crate) fn must_leave(&self) -> bool {
        self.role() == Role::Leader
            && !self.own_seat.may_lead()
            && self.marks.history.newest().0 <= self.commit
    }

    /// Steps down, in the same term, once the configuration without this leader is committed and
    /// its commit was sent.
    pub(crate) fn settle_removal(&mut self) {
        if self.must_leave() {
            self.become_follower(self.hard.term, None);
        }
    }

    /// Derives anew what this node may do from the configuration in force.
    pub(crate) fn judge_standing(
        &mut self,
        before: &super::Configuration,
        appended: Option<LogIndex>,
    ) {
        let own = self.hard.node;
        self.was_member |= before.is_member(own) || self.own_seat.is_member();
        self.changes.told_removed &= !self.own_seat.is_member();
        let data = |seat: super::quorum::Seat| seat.is_member() && !seat.is_witness();
        let is_data = data(self.own_seat);
        // Stubs that were there before this node was to hold data can stand for no data.
        let became = is_data
            && !data(before.seat(own))
            && appended.is_some_and(|index| self.changes.stubs < index)
            && self.lacks_data();
        let was = self.lifecycle();
        self.changes.other_life = self.configuration.disowns(&self.hard);
        self.changes.tainted = is_data && (self.changes.tainted || became);
        if self.lifecycle() != was {
            self.changed(crate::input::Changed::LIFECYCLE);
        }
        self.changes.data_gate = self.data_gate();
        self.changes.tidy();
    }

    /// Whether the configuration states another life than this disk's: the leader speaks to that.
    pub(crate) fn is_another(&self) -> bool {
        self.changes.other_life && self.configuration.incarnation(self.hard.node) != Incarnation(0)
    }

    /// A member says that this node is none.
    pub(crate) fn on_not_member(&mut self, _from: NodeId, told: NotMember) -> Result<(), Rejected> {
        let (index, _) = self.marks.history.newest();
        // Evidence below our newest configuration is older than what we know.
        if self.configuration.is_blank()
            || self.role() == Role::Leader
            || told.commit < index
            || told.commit < self.commit
        {
            return Err(Rejected::Stale);
        }
        if !self.changes.told_removed {
            self.changes.told_removed = true;
            self.changed(crate::input::Changed::CONFIGURATION);
        }
        if matches!(self.role(), Role::Candidate | Role::PreCandidate) {
            self.become_follower(self.hard.term, None);
        }
        Ok(())
    }

    /// Whether `node` is no member of the committed configuration of this member.
    pub(crate) fn is_outsider(&self, node: NodeId) -> bool {
        let (_, committed) = self.marks.history.at(self.commit);
        committed.is_member(self.hard.node) && !committed.is_member(node)
    }

    /// `from` asked for a vote: one that is no member is told so, whatever else it is answered.
    pub(crate) fn owe_not_member(&mut self, from: NodeId) {
        if self.is_outsider(from)
            && let Some(peer) = self.peer_mut(from)
        {
            peer.owed.not_member = true;
        }
    }

    pub(crate) fn send_not_member(&mut self) {
        if self.peers.iter().all(|peer| !peer.owed.not_member) {
            return;
        }
        let (configuration_index, _) = self.marks.history.at(self.commit);
        let told = NotMember { commit: self.commit, configuration_index };
        self.with_peers(|node, peer| {
            let owed = peer.owed.made();
            if owed.is_some_and(|owed| core::mem::take(&mut owed.not_member)) {
                node.send(peer, Message::NotMember(told));
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        config::{Configuration, ConfigurationParts},
        options::Options,
        storage::{Boot, HardState},
        types::{BootId, ClusterId, GroupId, Lifecycle},
    };

    /// A disk in its second life, in a group that states the life `pinned` of it.
    fn stated(pinned: u64) -> Node {
        let configuration = Configuration::from_parts(ConfigurationParts {
            voters: [1, 2, 3].map(NodeId).to_vec(),
            incarnations: alloc::vec![(NodeId(1), Incarnation(pinned))],
            ..ConfigurationParts::default()
        });
        let hard = HardState::new(ClusterId(1), GroupId(1), NodeId(1), Incarnation(2));
        let boot = Boot::new(BootId(1), 1, hard, configuration.unwrap());
        Node::boot(Options::default(), boot, Instant(0)).unwrap()
    }

    #[test]
    fn a_disk_of_another_life_than_the_stated_one_takes_no_part() {
        for pinned in 1..=3 {
            let is_it = pinned == 2;
            let sut = stated(pinned);
            let want = if is_it { Lifecycle::Running } else { Lifecycle::Quarantined };
            assert_eq!(sut.lifecycle(), want, "{pinned}");
        }
    }
}
