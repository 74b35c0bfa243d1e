//! Leases: reading without asking, for as long as the voters' promises surely last.
//!
//! **Intuition.** Whoever answers a leader promises to elect nobody else for a while, counted from
//! *hearing* it. The leader knows when it *spoke*, which is earlier, so the promise lasts at least
//! that long after, shortened by what two clocks can differ. While a quorum is bound nobody else
//! can lead, so nobody else has written.
//! **Source.** Thesis §6.4.1 with departures D9 and D10 of our list; D-W6 (arrival instead of send
//! time), D-R7 (a margin taken off both sides), B-079 to B-083.
//! **Upholds.** `inv:lease-bound`, `inv:read-freshness`.
//! **Not here.** What binds a voter (`election/vote.rs`), rounds (`replication/heartbeat.rs`).

use core::fmt;

use crate::{
    Node,
    message::AppendReply,
    role::{Leader, RoleState},
    types::{Instant, NodeId},
};

/// Why there is no lease now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum NoLease {
    /// Only leaders have one.
    NotLeader,
    /// Leases are not enabled in the group's settings.
    SwitchedOff,
    /// No entry of the leader's own term is committed yet.
    NothingCommitted,
    /// Leadership is being handed over.
    Transferring {
        /// To whom.
        to: NodeId,
    },
    /// The target of a transfer that is over may still campaign for it.
    TransferAlive {
        /// Who.
        to: NodeId,
    },
    /// The newest step came with a time before an earlier one: this clock measures nothing.
    ClockWentBack,
    /// No quorum has promised anything yet.
    NotEarned,
    /// The promises of a quorum may be over.
    Expired {
        /// Since when.
        at: Instant,
    },
}

impl fmt::Display for NoLease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotLeader => f.write_str("not the leader"),
            Self::SwitchedOff => f.write_str("leases are not enabled"),
            Self::NothingCommitted => f.write_str("nothing of this term is committed yet"),
            Self::Transferring { to } => write!(f, "leadership goes to {to}"),
            Self::TransferAlive { to } => {
                write!(f, "{to} may still campaign for a transfer that is over")
            }
            Self::ClockWentBack => f.write_str("the clock went back"),
            Self::NotEarned => f.write_str("no quorum has promised anything yet"),
            Self::Expired { at } => write!(f, "expired at {} ns", at.0),
        }
    }
}

impl core::error::Error for NoLease {}

/// What is left of a promise for the leader: the voter's clock may run fast and the leader's slow,
/// each by at most `error_ppm` millionths.
pub(crate) fn lease_ns(promise_ns: u64, error_ppm: u32) -> u64 {
    const MILLION: u128 = 1_000_000;
    let error = u128::from(error_ppm);
    let kept = u128::from(promise_ns).saturating_mul(MILLION.saturating_sub(error));
    let lease = kept.checked_div(MILLION.saturating_add(error)).unwrap_or(0);
    u64::try_from(lease).unwrap_or(0)
}

impl Leader {
    /// A moment not after `round` began and as late as is remembered; `None` for rounds that a
    /// quorum overtook.
    fn began(&self, round: u64) -> Option<Instant> {
        if round < self.quorum_round {
            return None;
        }
        let known = self.open_rounds.iter().rev().find(|(number, _)| *number <= round);
        Some(known.map_or(self.contact, |(_, began)| *began))
    }
}

impl Node {
    /// Until when this leader may answer reads without asking anybody, by its own clock; judged
    /// for the time of the newest step, under the configuration in force.
    ///
    /// # Errors
    /// [`NoLease`] says why it may not.
    pub fn lease(&self) -> Result<Instant, NoLease> {
        let RoleState::Leader(leader) = &self.role else { return Err(NoLease::NotLeader) };
        if self.halted.is_some() {
            return Err(NoLease::NotLeader);
        }
        if !self.options.lease || !self.options.check_quorum {
            return Err(NoLease::SwitchedOff);
        }
        if self.commit < leader.opening {
            return Err(NoLease::NothingCommitted);
        }
        if let Some(transfer) = &leader.transfer {
            return Err(NoLease::Transferring { to: transfer.to });
        }
        if let Some(to) = leader.alive_transfers.first_target() {
            return Err(NoLease::TransferAlive { to });
        }
        if self.clock_back {
            return Err(NoLease::ClockWentBack);
        }
        // This node elects nobody else for as long as it leads.
        let until = Instant(self.reached(u64::MAX, |peer| {
            let lease = lease_ns(peer.promise.ns, self.options.clock_error_ppm);
            peer.promise.at.map_or(0, |at| at.plus(lease).0)
        }));
        match until {
            Instant(0) => Err(NoLease::NotEarned),
            until if self.now >= until => Err(NoLease::Expired { at: until }),
            until => Ok(until),
        }
    }

    /// A voter answered a round and stated its promise.
    pub(crate) fn on_promise(&mut self, from: NodeId, reply: &AppendReply) {
        if !self.options.lease || reply.promise_ns == 0 {
            return;
        }
        let RoleState::Leader(leader) = &self.role else { return };
        if reply.round <= leader.lease_from {
            return;
        }
        let Some(began) = leader.began(reply.round) else { return };
        let Some(peer) = self.peer_mut(from) else { return };
        let known = peer.promise.at.map(|at| at.plus(peer.promise.ns));
        // Both promises were given; the one that lasts longer says more.
        if known.is_none_or(|known| began.plus(reply.promise_ns) >= known) {
            peer.promise.at = Some(began);
            peer.promise.ns = reply.promise_ns;
        }
    }

    /// The clock went back: what was measured with it says nothing about what comes.
    pub(crate) fn void_lease(&mut self) {
        let RoleState::Leader(leader) = &mut self.role else { return };
        leader.lease_from = leader.round;
        for peer in &mut self.peers {
            peer.promise.forget();
        }
    }

    /// Hearing from a leader is a promise to elect nobody else for a while, also after a restart.
    /// With leases on it is stated in the answer, and nothing shortens it.
    pub(crate) fn give_promise(&mut self) {
        if !self.options.check_quorum {
            return;
        }
        let promise = self.options.election_min_ns;
        self.promised_until = self.promised_until.max(self.now.plus(promise));
        if self.hard.promise_ns < promise {
            self.hard.promise_ns = promise;
            self.stir();
        }
        // While leases are off an operator may break it (`ForgetLeader`), so nobody may build on
        // it; the leader may know of newer settings than we do.
        self.promised_ns = if self.options.lease { promise } else { 0 };
        if self.options.lease {
            self.stated_until = self.promised_until;
        }
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;

    #[test]
    fn a_lease_is_the_promise_as_a_slow_leader_sees_a_fast_voter_keep_it() {
        assert_eq!(lease_ns(150_000_000, 0), 150_000_000);
        for promise in [0, 1, 2, 999, 150_000_000, 1 << 62] {
            for ppm in [0, 1, 1_000, 50_000, 499_999] {
                let lease = lease_ns(promise, ppm);
                // The voter's clock shows the promise after at least promise / (1 + ρ) of true
                // time; the leader's shows at least (1 - ρ) of that. In whole numbers:
                let (million, error) = (1_000_000_u128, u128::from(ppm));
                let bound = |ns: u64| {
                    u128::from(ns) * (million + error) <= u128::from(promise) * (million - error)
                };
                assert!(bound(lease), "{promise} {ppm}: too long");
                assert!(!bound(lease + 1), "{promise} {ppm}: shorter than need be");
            }
        }
    }
}
