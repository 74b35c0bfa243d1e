//! Commands that no machine can apply, and the operator who has the cluster pass over them.
//!
//! **Intuition.** Which command is a poisonous one is decided when the first machine comes to it:
//! from then on every machine fails there, at every attempt, until its process says that the entry
//! is skipped. The operator asks whoever leads, again and again, until no machine stands still.
//! **Source.** D-T10 (a command that takes down every replica, for ever); docs/DRIVING.md,
//! "the machine fails at a command".
//! **Upholds.** `inv:apply-once-in-order`, `inv:nothing-lost` (what was skipped stays without
//! effect).
//! **Not here.** The decision to skip (`raft_core`), other work of the lane (`lanes.rs`), when the
//! operator looks (`replace.rs`).

use raft_core::LogIndex;

use super::{World, host::Lane};
use crate::{
    fault::schedule::Operation,
    oracle::{Observation, sometimes::Mark},
    process::{Entry, Input, Process},
    workload::history::Told,
};

/// Which entries are poisonous.
#[derive(Debug, Default)]
pub(super) struct Poison {
    /// The next command that a machine comes to first of all is.
    armed: bool,
    /// Highest index any machine has come to.
    top: LogIndex,
    /// Those that are, ascending.
    at: Vec<LogIndex>,
    /// The highest that the cluster agreed to skip.
    skipped: LogIndex,
}

impl Poison {
    /// Whether a machine that comes to `entry` fails.
    fn strikes(&mut self, entry: &Entry) -> bool {
        let index = entry.position.index;
        if self.armed && index > self.top && entry.kind == Entry::COMMAND {
            self.armed = false;
            self.at.push(index);
        }
        self.top = self.top.max(index);
        self.at.binary_search(&index).is_ok()
    }

    /// There will be no further one.
    pub(super) const fn disarm(&mut self) {
        self.armed = false;
    }

    /// The last one is not known to be skipped.
    pub(super) fn is_open(&self) -> bool {
        self.at.last().is_some_and(|last| *last > self.skipped)
    }
}

impl<P: Process> World<'_, P> {
    /// The next command is a poisonous one. Not while there is another.
    pub(super) fn arm_poison(&mut self) -> bool {
        let free = P::promises().operable && !self.poison.armed && !self.poison.is_open();
        self.poison.armed |= free;
        free
    }

    /// Whether the machine of node `n` fails at `entry`.
    pub(super) fn is_poisoned(&mut self, entry: &Entry) -> bool {
        let first = self.poison.at.len();
        let strikes = self.poison.strikes(entry);
        if self.poison.at.len() > first {
            self.call_operator();
        }
        strikes
    }

    /// The cluster passes over `index`.
    pub(super) fn note_skipped(&mut self, index: LogIndex) {
        self.poison.skipped = self.poison.skipped.max(index);
        self.watch.see(Observation::Met { mark: Mark::EntrySkipped });
    }

    /// The machine of node `n` failed at the first of `entries`, and is thrown away with all work
    /// that waits for it.
    pub(super) fn fail_machine(&mut self, n: usize, entries: &[Entry], first_ticket: Option<u64>) {
        let Some(index) = entries.first().map(|entry| entry.position.index) else { return };
        self.watch.note(|| format!("the machine fails at {index}"));
        self.watch.see(Observation::Met { mark: Mark::MachineFailed });
        self.hosts[n].machine_failed = true;
        let mut unknown = Vec::new();
        let mut tickets = |first: Option<u64>, count: usize| {
            unknown.extend(first.into_iter().flat_map(|first| first..first + count as u64));
        };
        tickets(first_ticket, entries.len());
        let mut failed = Vec::new();
        self.hosts[n].lane.retain(|work| match work {
            Lane::Apply { entries, first_ticket, .. } => {
                tickets(*first_ticket, entries.len());
                false
            }
            Lane::Take { id, .. } => {
                failed.push(*id);
                false
            }
            Lane::Role(..) | Lane::Install(_) => true,
        });
        for ticket in unknown {
            // Committed, and with an effect or without: nobody here can say.
            if let Some(asked) = self.end_ticket(n, ticket, false) {
                self.respond(n, asked, Told::Unknown);
            }
        }
        self.run_lane(n);
        self.step(n, Input::ApplyFailed(index), None);
        for id in failed {
            self.step(n, Input::SnapshotFailed { id }, None);
        }
    }

    /// Whether some machine stands still, or will.
    pub(super) fn poison_is_open(&self) -> bool {
        self.poison.is_open() || self.hosts.iter().any(|host| host.machine_failed && !host.outside)
    }

    /// Has the leader's machine passed over the entry at which it stands still.
    pub(super) fn skip_poison(&mut self, leader: usize) {
        // Whoever does not know what a skip is would stand still at it.
        let careful = !self.schedule.plan.versions.hostile || !self.in_chaos();
        if self.hosts[leader].machine_failed && (self.all_newest() || !careful) {
            self.operate(0, &Operation::SkipEntry);
        }
    }
}
