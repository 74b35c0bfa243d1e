//! Rounds: proof of leadership by answers to something sent after a moment.
//!
//! **Intuition.** Every append carries the newest round number. A quorum of answers to round r
//! proves that this node still led when round r began, which confirms reads and feeds
//! check-quorum. Idle leaders begin a round each heartbeat period.
//! **Source.** Thesis §3.4 (heartbeats), §6.4 (read rounds); send time, not arrival: D-W6.
//! **Upholds.** `inv:read-freshness`, `inv:bounded` (open rounds are limited).
//! **Not here.** Sending them (`leader.rs`), reads (`read/`).

use crate::{Node, role::RoleState, types::NodeId};

/// Rounds begun and not yet answered by a quorum whose time is remembered. Of more, the newest
/// takes the place of the one before it: an answer to that one counts from an older time, which is
/// safe. Every round has its own number, so a read is never kept waiting for room.
const OPEN_ROUNDS_MAX: usize = 64;

impl Node {
    /// What time alone makes a leader do.
    pub(crate) fn on_leader_tick(&mut self) {
        if self.check_quorum() {
            return;
        }
        let RoleState::Leader(leader) = &mut self.role else { return };
        if leader.notice_at.is_some_and(|at| self.now >= at) {
            leader.notice_at = None;
            leader.notice_due = true;
        }
        if self.now >= leader.heartbeat_at {
            leader.heartbeat_at = self.now.plus(self.options.heartbeat_ns);
            self.judge_silence();
            // What was lost is sent again with the heartbeat: a probe may repeat.
            for peer in &mut self.peers {
                peer.progress.probing = false;
            }
            self.begin_round();
        }
    }

    /// Begins a round. `None` if this node does not lead.
    pub(crate) fn begin_round(&mut self) -> Option<u64> {
        let RoleState::Leader(leader) = &mut self.role else { return None };
        if leader.open_rounds.len() >= OPEN_ROUNDS_MAX {
            leader.open_rounds.pop_back();
        }
        leader.round = leader.round.saturating_add(1);
        if self.clock_back {
            leader.lease_from = leader.round;
        }
        leader.open_rounds.push_back((leader.round, self.now));
        let round = leader.round;
        self.on_round_answered();
        Some(round)
    }

    /// A peer answered `round`; the caller has checked that it was begun.
    pub(crate) fn on_round_ack(&mut self, from: NodeId, round: u64) {
        let Some(peer) = self.peer_mut(from) else { return };
        if round > peer.progress.acked_round {
            peer.progress.acked_round = round;
            let left = *peer.departing;
            if left.is_some_and(|l| round > l.decided_round && peer.progress.matched >= l.index) {
                // It holds the removal and knows that it is decided.
                peer.departing.clear();
            }
            self.on_round_answered();
        }
    }

    /// Takes over what a quorum of the configuration in force has answered by now.
    pub(crate) fn on_round_answered(&mut self) {
        let RoleState::Leader(leader) = &self.role else { return };
        let newest = leader.round;
        let reached = self.reached(newest, |peer| peer.progress.acked_round);
        let period = self.options.check_quorum_ns;
        let now = self.now;
        let RoleState::Leader(leader) = &mut self.role else { return };
        if reached <= leader.quorum_round {
            return;
        }
        leader.quorum_round = reached;
        while let Some((round, began)) = leader.open_rounds.front().copied() {
            if round > reached {
                break;
            }
            leader.clock.advance(now, leader.contact, period);
            leader.contact = leader.contact.max(began);
            leader.clock.on_contact(leader.contact);
            leader.open_rounds.pop_front();
        }
    }
}
