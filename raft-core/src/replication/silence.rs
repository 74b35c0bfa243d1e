//! Silence: peers that do not answer.
//!
//! **Intuition.** A dead peer must cost next to nothing: no window of entries repeated into the
//! void, no memory for what it was sent. After some time without an answer it is sent one empty
//! append at a time, at growing distances, but never so rarely that a peer which hears and cannot
//! be heard would miss its leader. Its first word, whatever it is, ends the wait.
//! **Source.** S-35, S-40 (zraft falls back to probing after two election timeouts).
//! **Upholds.** `inv:bounded`, `inv:live`.
//! **Not here.** Progress (`progress.rs`), leaving leadership without a quorum
//! (`election/check_quorum.rs`).

use super::progress::ProgressState;
use crate::{
    Node,
    error::Rejected,
    input::Changed,
    peer::Peer,
    types::{Instant, NodeId, Role},
};

/// How long a peer has been silent, and how often it is still tried.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Quiet {
    /// Its last answer, or the start of the reign.
    since: Instant,
    /// Heartbeats between two probes; 0 for a peer that answers.
    distance: u32,
    /// Heartbeats until the next probe.
    left: u32,
    /// A probe may leave now.
    due: bool,
}

impl Quiet {
    pub(crate) const fn start(now: Instant) -> Self {
        Self { since: now, distance: 0, left: 0, due: false }
    }

    /// It answered.
    pub(crate) const fn answered(&mut self, now: Instant) {
        *self = Self::start(now);
    }

    /// Whether it has been silent for so long that it is only probed.
    pub(crate) const fn is_silent(&self) -> bool {
        self.distance > 0
    }

    /// Whether a probe may leave now; at most one until the next is due.
    pub(crate) const fn take_due(&mut self) -> bool {
        core::mem::replace(&mut self.due, false)
    }

    const fn fall_silent(&mut self) {
        if self.distance == 0 {
            *self = Self { since: self.since, distance: 1, left: 0, due: false };
        }
    }

    /// A heartbeat has come; probes are at most `furthest` of them apart.
    fn on_heartbeat(&mut self, furthest: u32) {
        self.left = self.left.saturating_sub(1);
        if self.left == 0 {
            self.left = self.distance;
            self.distance = self.distance.saturating_mul(2).clamp(1, furthest);
            self.due = true;
        }
    }

    pub(crate) fn fold(&self, now: Instant, mut word: impl FnMut(u64)) {
        for number in [self.distance, self.left, u32::from(self.due)] {
            word(u64::from(number));
        }
        word(now.since(self.since));
    }
}

impl Node {
    /// The transport knows that a peer cannot be reached.
    pub(crate) fn on_unreachable(&mut self, peer: NodeId) -> Result<(), Rejected> {
        let leads = self.role() == Role::Leader;
        let Some(peer) = self.peer_mut(peer) else { return Err(Rejected::UnknownSender) };
        if leads {
            give_up(peer);
            self.changed(Changed::PROGRESS);
        }
        Ok(())
    }

    /// A heartbeat is due: who has not answered for too long is only probed from now on.
    pub(crate) fn judge_silence(&mut self) {
        let (now, patience) = (self.now, self.options.request_timeout_ns);
        // Who hears us and cannot be heard must not time out: one heartbeat less than the shortest
        // election timeout is the longest distance.
        let beats = self.options.election_min_ns.checked_div(self.options.heartbeat_ns);
        let furthest = beats.unwrap_or(1).saturating_sub(1).max(1);
        let furthest = u32::try_from(furthest).unwrap_or(u32::MAX);
        for peer in self.peers.iter_mut().filter(|peer| peer.seat.is_member()) {
            if !peer.quiet.is_silent() && now.since(peer.quiet.since) >= patience {
                give_up(peer);
            }
            if peer.quiet.is_silent() {
                peer.quiet.on_heartbeat(furthest);
            }
        }
    }

    /// A peer has said something: if it was silent it is probed at once.
    pub(crate) fn on_sign_of_life(&mut self, from: NodeId) {
        if self.role() == Role::Leader
            && let Some(peer) = self.peer_mut(from)
            && peer.quiet.is_silent()
        {
            peer.quiet.due = true;
            peer.progress.probing = false;
        }
    }
}

/// Nothing is on its way to the peer any more, as far as we are concerned.
fn give_up(peer: &mut Peer) {
    peer.quiet.fall_silent();
    if peer.progress.state == ProgressState::Replicate {
        let next = peer.progress.matched.next();
        peer.progress.become_probe(next);
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;

    #[test]
    fn distances_double_up_to_the_furthest() {
        let mut quiet = Quiet::start(Instant(5));
        quiet.fall_silent();
        let probes: Vec<usize> = (0..30)
            .filter(|_| {
                quiet.on_heartbeat(4);
                quiet.take_due()
            })
            .collect();
        assert_eq!(probes, [0, 1, 3, 7, 11, 15, 19, 23, 27]);
        quiet.answered(Instant(9));
        assert!(!quiet.is_silent());
    }
}
