//! Transfers that are over and may still come to life.
//!
//! **Intuition.** A `TimeoutNow` under way cannot be called back. When it arrives, voters that
//! promised this leader not to elect anybody else will elect its target all the same. So there is
//! no lease until the target itself has shown that it never will campaign for it: it answered a
//! round that names the transfer void, *and* its log, on disk, goes on past where the `TimeoutNow`
//! says it must end. The first alone is memory, and a restart forgets it; a copy of the message
//! could still be under way.
//! **Source.** Thesis §6.4.1 with departure D10; D-W17 (a fresh quorum re-arms the lease), B-082.
//! That a restart must not revive the transfer, and that therefore not even a refusal is enough by
//! itself, is ours.
//! **Upholds.** `inv:lease-bound`.
//! **Not here.** The lease (`read/lease.rs`), what the target does (`target.rs`).

use alloc::vec::Vec;

use crate::{
    Node,
    message::AppendReply,
    role::RoleState,
    types::{LogIndex, NodeId},
};

/// Targets remembered one by one. A reign that left more of them in doubt gets no lease any more.
const TARGETS_MAX: usize = 16;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
struct Alive {
    to: NodeId,
    /// Where the target's log would have to end.
    told: LogIndex,
    /// The first round that names the transfer void.
    from_round: u64,
}

/// The transfers of this reign that may still come to life, one for each target: the newest.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct AliveTransfers {
    open: Vec<Alive>,
    beyond: Option<NodeId>,
}

impl AliveTransfers {
    /// A transfer to `to` is over whose target was told that the log ends at `told`.
    pub(crate) fn add(&mut self, to: NodeId, told: LogIndex, from_round: u64) {
        let alive = Alive { to, told, from_round };
        if let Some(known) = self.open.iter_mut().find(|known| known.to == to) {
            *known = alive;
        } else if self.open.len() < TARGETS_MAX {
            self.open.push(alive);
        } else {
            self.beyond = Some(to);
        }
    }

    /// Somebody who may still campaign.
    pub(crate) fn first_target(&self) -> Option<NodeId> {
        self.open.first().map(|alive| alive.to).or(self.beyond)
    }

    /// `from` holds our log up to `matched`, durably, and has seen `round`.
    fn settle(&mut self, from: NodeId, matched: LogIndex, round: u64) {
        self.open.retain(|alive| {
            let over = matched > alive.told && round >= alive.from_round;
            alive.to != from || !over
        });
    }

    /// Everything that decides when a lease may come back.
    pub(crate) fn fold(&self, round: u64, mut word: impl FnMut(u64)) {
        for alive in &self.open {
            word(alive.to.0);
            word(alive.told.0);
            word(alive.from_round.saturating_sub(round));
        }
        word(u64::from(self.beyond.is_some()));
    }
}

impl Node {
    /// A peer answered; perhaps it is the target of a transfer that is over.
    pub(crate) fn settle_alive_transfers(&mut self, from: NodeId, reply: &AppendReply) {
        let RoleState::Leader(leader) = &mut self.role else { return };
        if leader.alive_transfers.open.is_empty() {
            return;
        }
        let peer = self.peers.iter().find(|peer| peer.id == from);
        let matched = peer.map_or(LogIndex::ZERO, |peer| peer.progress.matched);
        leader.alive_transfers.settle(from, matched, reply.round);
    }

    /// Transfers of this reign up to this number are void; said in every append.
    pub(crate) fn void_transfers(&self) -> u64 {
        match &self.role {
            RoleState::Leader(leader) => match &leader.transfer {
                Some(open) => open.number.saturating_sub(1),
                None => leader.transfers,
            },
            _ => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_target_itself_with_a_longer_log_settles_its_transfer() {
        let mut sut = AliveTransfers::default();
        sut.add(NodeId(2), LogIndex(7), 30);
        sut.add(NodeId(3), LogIndex(7), 31);
        sut.settle(NodeId(2), LogIndex(7), 30);
        assert_eq!(sut.first_target(), Some(NodeId(2)), "a restart would bring it back");
        sut.settle(NodeId(2), LogIndex(8), 29);
        assert_eq!(sut.first_target(), Some(NodeId(2)), "not told that it is void");
        sut.settle(NodeId(2), LogIndex(8), 30);
        assert_eq!(sut.first_target(), Some(NodeId(3)));
        sut.add(NodeId(3), LogIndex(9), 40);
        sut.settle(NodeId(3), LogIndex(9), 40);
        assert_eq!(sut.first_target(), Some(NodeId(3)), "the newest of a target counts");
        sut.settle(NodeId(3), LogIndex(10), 40);
        assert_eq!(sut.first_target(), None);
    }

    #[test]
    fn more_targets_than_are_remembered_leave_no_lease() {
        let mut sut = AliveTransfers::default();
        for node in 1..=17 {
            sut.add(NodeId(node), LogIndex(1), 1);
        }
        for node in 1..=17 {
            sut.settle(NodeId(node), LogIndex(2), 1);
        }
        assert_eq!(sut.first_target(), Some(NodeId(17)));
    }
}
