//! Carrying a transfer out at the old leader: telling the target, and learning what came of it.
//!
//! **Intuition.** The target is told once its log is level with ours, and told again with every
//! heartbeat, because messages get lost and a copy does no harm. What came of it shows in who
//! leads next: only an append of the target in a higher term is success.
//! **Source.** Thesis §3.10; B-085 (a transfer that outlives its reign), D-R8 (success told
//! early).
//! **Upholds.** `inv:nothing-lost`.
//! **Not here.** Beginning and giving up (`mod.rs`).

use alloc::boxed::Box;

use crate::{
    Node,
    error::{HaltReason, OperationFailure, Rejected, UnknownReason},
    lazy::Empty,
    message::{Message, TimeoutNow, TransferRefused},
    role::RoleState,
    types::{Instant, LogIndex, NodeId, OperationTicket, Term},
};

/// What a node knows of transfers that outlives its role.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Handover {
    /// This term is the one campaign that the leader of the term named here asked for.
    pub(crate) authorised: Option<Term>,
    /// Transfers to this node in the current term up to this number are void.
    pub(crate) void: u64,
    /// The newest refusal given in the current term.
    pub(crate) refused: Option<Box<Refusal>>,
    /// A transfer of a reign of ours that is over, until it shows what came of it.
    pub(crate) watched: Option<Box<Watched>>,
}

/// A refusal of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Refusal {
    pub(crate) answer: TransferRefused,
    /// To whom it is owed; `None` once it was sent.
    pub(crate) to: Option<NodeId>,
}

/// A transfer whose leader does not lead any more.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Watched {
    ticket: OperationTicket,
    to: NodeId,
    deadline: Instant,
}

impl Empty for Handover {
    const EMPTY: &'static Self = &Self { authorised: None, void: 0, refused: None, watched: None };
}

impl Handover {
    /// Whether no refusal is owed and no transfer is watched.
    pub(crate) fn is_idle(&self) -> bool {
        self.watched.is_none() && self.refused.as_ref().is_none_or(|refusal| refusal.to.is_none())
    }

    /// Another term began: nothing of the old one holds.
    pub(crate) fn enter_term(&mut self) {
        self.authorised = None;
        self.void = 0;
        self.refused = None;
    }
}

impl Handover {
    /// Everything that decides what transfers do next.
    pub(crate) fn fold(&self, now: Instant, mut word: impl FnMut(u64)) {
        word(self.authorised.map_or(0, |term| term.0));
        word(self.void);
        word(self.refused.as_ref().map_or(0, |refusal| refusal.answer.transfer));
        word(self.refused.as_ref().and_then(|refusal| refusal.to).map_or(0, |to| to.0));
        if let Some(watched) = &self.watched {
            word(watched.to.0);
            word(watched.deadline.since(now));
        }
    }
}

impl Node {
    /// Sends `TimeoutNow`, or the refusal of one, when due; the caller has checked that our term
    /// is durable.
    pub(crate) fn send_transfer(&mut self) {
        if let Some(refusal) = self.handover.made().and_then(|made| made.refused.as_mut())
            && let Some(to) = refusal.to.take()
        {
            let answer = refusal.answer;
            self.with_peers(|node, peer| {
                if peer.id == to {
                    node.send(peer, Message::TransferRefused(answer));
                }
            });
        }
        let RoleState::Leader(leader) = &self.role else { return };
        let Some(transfer) = leader.transfer.as_ref().filter(|transfer| transfer.due) else {
            return;
        };
        let (to, number, last) = (transfer.to, transfer.number, self.log.last());
        let level = |peer: &crate::peer::Peer| {
            peer.id == to && peer.seat.may_lead() && peer.progress.matched == last.index
        };
        if !self.peers.iter().any(level) {
            return;
        }
        if let RoleState::Leader(leader) = &mut self.role
            && let Some(transfer) = &mut leader.transfer
        {
            transfer.told = Some(last);
            transfer.due = false;
        }
        self.with_peers(|node, peer| {
            if peer.id == to {
                node.send(peer, Message::TimeoutNow(TimeoutNow { transfer: number, last }));
            }
        });
    }

    /// The target will not campaign.
    pub(crate) fn on_transfer_refused(
        &mut self,
        from: NodeId,
        answer: TransferRefused,
    ) -> Result<(), Rejected> {
        let RoleState::Leader(leader) = &self.role else { return Err(Rejected::Stale) };
        let open = leader.transfer.as_ref().is_some_and(|transfer| {
            transfer.to == from && transfer.number == answer.transfer && transfer.told.is_some()
        });
        if !open {
            return Err(Rejected::Stale);
        }
        self.close_transfer(OperationFailure::Refused(answer.reason));
        Ok(())
    }

    /// When a transfer is given up, or its outcome ends as unknown.
    pub(crate) fn transfer_deadline(&self) -> Option<Instant> {
        let watched = self.handover.watched.as_ref().map(|watched| watched.deadline);
        let RoleState::Leader(leader) = &self.role else { return watched };
        let open = leader.transfer.as_ref().map(|transfer| transfer.deadline);
        open.into_iter().chain(watched).min()
    }

    /// Called before the leader's own tick moves its heartbeat on.
    pub(crate) fn on_transfer_tick(&mut self) {
        let now = self.now;
        if self.handover.watched.as_ref().is_some_and(|watched| now >= watched.deadline) {
            self.end_watched(Err(OperationFailure::Unknown(UnknownReason::LeadershipLost)));
        }
        let RoleState::Leader(leader) = &mut self.role else { return };
        let heartbeat = now >= leader.heartbeat_at;
        let Some(transfer) = &mut leader.transfer else { return };
        transfer.due |= heartbeat;
        if now >= transfer.deadline {
            self.close_transfer(OperationFailure::TimedOut);
        }
    }

    /// Leadership of this reign is over, or the node halts.
    pub(crate) fn transfer_reign_ends(&mut self) {
        let open = match &mut self.role {
            RoleState::Leader(leader) => leader.transfer.take(),
            _ => None,
        };
        let open = open.and_then(|transfer| transfer.ticket.map(|ticket| (ticket, transfer.to)));
        let unknown = match self.halted {
            Some(HaltReason::Shutdown) => UnknownReason::Shutdown,
            Some(_) => UnknownReason::Halted,
            None => UnknownReason::LeadershipLost,
        };
        let unknown = Err(OperationFailure::Unknown(unknown));
        if self.halted.is_some() || open.is_some() {
            self.end_watched(unknown);
        }
        let Some((ticket, to)) = open else { return };
        if self.halted.is_some() {
            self.end_operation(ticket, unknown);
            return;
        }
        let deadline = self.now.plus(self.options.transfer_timeout_ns);
        self.handover.watched = Some(Box::new(Watched { ticket, to, deadline }));
    }

    /// An append of the current term's leader was taken. After a lost reign its term is higher.
    pub(crate) fn on_new_leader_seen(&mut self, leader: NodeId) {
        let Some(watched) = &self.handover.watched else { return };
        let result = if watched.to == leader {
            let (last, term) = (self.log.last(), self.hard.term);
            let before = self.log.last_at_or_below(last.index, Term(term.0.saturating_sub(1)));
            Ok(if last.term == term { before.index.next() } else { LogIndex::ZERO })
        } else {
            Err(OperationFailure::Unknown(UnknownReason::LeadershipLost))
        };
        self.end_watched(result);
    }

    fn end_watched(&mut self, result: Result<LogIndex, OperationFailure>) {
        if let Some(watched) = self.handover.made().and_then(|made| made.watched.take()) {
            self.end_operation(watched.ticket, result);
        }
    }
}
