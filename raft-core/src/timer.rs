//! Deadlines: when the next tick matters, and what is due then.
//!
//! **Intuition.** The node has no clock; it names the earliest moment at which time alone would
//! change something. Comparing with that moment is all a host with ten thousand groups does.
//! **Source.** Thesis §3.4 (election timeout), §6.2 (check-quorum).
//! **Upholds.** `inv:live`.
//! **Not here.** What each deadline triggers beyond one call (`election/`, `replication/`).

use crate::{
    Node,
    error::UnknownReason,
    lazy::Lazy,
    output::Outcome,
    role::RoleState,
    types::{Instant, Role},
};

/// The deadline, if it was worked out since anything changed. Two nodes that differ in this alone
/// are equal.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Remembered(pub(crate) Option<Option<Instant>>);

impl PartialEq for Remembered {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Remembered {}

fn earlier(at: &mut Instant, other: Option<Instant>) {
    if let Some(other) = other {
        *at = (*at).min(other);
    }
}

/// The wait of a node whose priority is `priority` of ten.
fn stretch(wait_ns: u64, priority: u8) -> u64 {
    let tenth = wait_ns.checked_div(u64::from(priority)).unwrap_or(wait_ns);
    if priority >= 10 || priority == 0 { wait_ns } else { tenth.saturating_mul(10) }
}

impl Node {
    /// When [`crate::Input::Tick`] is due at the latest; `None` once halted.
    #[must_use]
    #[inline]
    pub fn deadline(&self) -> Option<Instant> {
        match self.due.0 {
            Some(due) => {
                debug_assert_eq!(due, self.next_deadline(), "what is remembered is still true");
                due
            }
            None => self.next_deadline(),
        }
    }

    /// [`Node::deadline`], worked out anew.
    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        if self.halted.is_some() {
            return None;
        }
        let mut at = match &self.role {
            RoleState::Leader(leader) => {
                let mut at = leader.heartbeat_at;
                earlier(&mut at, leader.notice_at);
                if self.options.check_quorum {
                    at = at.min(leader.contact.plus(self.options.check_quorum_ns));
                }
                for peer in &self.peers {
                    earlier(&mut at, peer.progress.fetch.deadline());
                }
                at
            }
            RoleState::Follower => self.election_at,
            RoleState::PreCandidate { .. } | RoleState::Candidate => {
                self.election_at.min(self.retry_at)
            }
        };
        earlier(&mut at, self.apply_fetch.deadline());
        earlier(&mut at, self.tickets.deadline());
        earlier(&mut at, self.snapshot_deadline());
        if self.calm {
            return Some(at);
        }
        earlier(&mut at, self.transfer_deadline());
        earlier(&mut at, self.change_deadline());
        earlier(&mut at, self.deferred_deadline());
        earlier(&mut at, self.reads_deadline());
        earlier(&mut at, self.operations_deadline());
        Some(at)
    }

    /// A new randomised wait, drawn afresh each time (B-011) and stretched by a low priority.
    pub(crate) fn restart_election_timer(&mut self) {
        let wait = self.jitter.between(self.options.election_min_ns, self.options.election_max_ns);
        self.election_at = self.now.plus(stretch(wait, self.options.priority));
    }

    pub(crate) fn on_tick(&mut self) {
        let (now, ended) = (self.now, &mut self.ended);
        self.tickets.expire(now, |range| {
            ended.push((range, Outcome::Unknown(UnknownReason::LeadershipLost)));
        });
        let patience = self.options.election_max_ns;
        let fetches = self.peers.iter_mut().map(|peer| &mut peer.progress.fetch);
        for fetch in fetches.chain([&mut self.apply_fetch]).filter_map(Lazy::made) {
            fetch.on_time(now, patience);
        }
        self.on_snapshot_tick();
        if !self.calm {
            self.on_transfer_tick();
            self.on_change_tick();
            self.on_deferred_tick();
            self.on_reads_tick();
            self.on_operations_tick();
        }
        match self.role() {
            Role::Leader => self.on_leader_tick(),
            Role::Follower => {
                if now >= self.election_at {
                    self.on_election_timeout();
                }
            }
            Role::Candidate if now >= self.election_at && !self.own_vote_durable() => {
                // Nobody has been asked yet. Another term would need another write, and a disk
                // slower than the timeout would never let anybody be elected.
                self.restart_election_timer();
            }
            Role::PreCandidate | Role::Candidate => {
                if now >= self.election_at {
                    self.on_election_timeout();
                } else if now >= self.retry_at {
                    self.ask_again();
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;

    #[test]
    fn a_low_priority_stretches_the_wait() {
        let waits = [10, 5, 4, 2, 1].map(|priority| stretch(1_000, priority));
        assert_eq!(waits, [1_000, 2_000, 2_500, 5_000, 10_000]);
        assert_eq!(stretch(1_000, 0), 1_000, "who never campaigns need not wait longer for it");
        assert_eq!(stretch(u64::MAX, 1), u64::MAX);
    }
}
