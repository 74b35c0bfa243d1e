//! Leases: reading without asking, for as long as a majority surely elects nobody else.
//!
//! **Intuition.** Whoever answers a leader promises to wait; the answer repeats the leader's own
//! clock of when it spoke, which is before anybody heard. From there the promise is counted, made
//! shorter by what two clocks may differ.
//! **Source.** Thesis §6.4.1.
//! **Upholds.** `inv:lease-bound`.
//! **Not here.** Keeping the promise (`election.rs`), writing it down (`store.rs`).

use raft_core::{NodeId, Role};

use super::{Bug, Naive};
use crate::process::Ns;

impl Naive {
    /// For how long from hearing a leader this node elects nobody else; 0 without leases.
    pub(super) fn promise(&self) -> Ns {
        if self.knobs.lease && self.knobs.check_quorum { self.knobs.election_ns } else { 0 }
    }

    /// `from` answered what was sent when our clock said `heard`.
    pub(super) fn on_promise(&mut self, from: NodeId, heard: Ns, promise: Ns) {
        if self.role != Role::Leader {
            return;
        }
        let (million, error) = (1_000_000, u128::from(self.knobs.clock_error()));
        let lease = u128::from(promise) * (million - error) / (million + error);
        let lease = Ns::try_from(lease).unwrap_or(0);
        let from_when = if self.has(Bug::LeaseFromArrival) { self.now } else { heard };
        let Some(peer) = self.peers.iter_mut().find(|peer| peer.peer == from) else { return };
        peer.answered = peer.answered.max(heard);
        if lease > 0 {
            peer.promised_until = peer.promised_until.max(from_when.saturating_add(lease));
        }
    }

    /// Whether reads may be served without asking anybody.
    pub(super) fn has_lease(&self) -> bool {
        let bound = self.peers.iter().filter(|peer| peer.promised_until > self.now).count();
        let opened = self.commit >= self.term_start;
        self.role == Role::Leader && opened && self.promise() > 0 && bound + 1 >= self.quorum()
    }

    /// How long ago this node surely was in touch with a working leader.
    pub(super) fn staleness(&self) -> Option<Ns> {
        if self.role != Role::Leader {
            return self.heard_leader_at.map(|at| self.now.saturating_sub(at));
        }
        let mut answered: Vec<Ns> = self.peers.iter().map(|peer| peer.answered).collect();
        answered.push(self.now);
        answered.sort_unstable_by(|a, b| b.cmp(a));
        let at = *answered.get(self.quorum() - 1)?;
        (at > 0).then(|| self.now.saturating_sub(at))
    }
}
