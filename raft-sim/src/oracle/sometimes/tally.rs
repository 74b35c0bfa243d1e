//! The gate of a campaign: which marks were within reach and never met.
//!
//! **Intuition.** Each run says which trouble it had and which marks it met. A mark is *armed* in
//! a run whose axes, size and system could bring it about; a campaign in which too few of the
//! armed runs met it has not tested what it claims to.
//! **Source.** One run in a thousand, over a thousand runs or more; ours.
//! **Upholds.** None: it speaks of the campaign.
//! **Not here.** The catalogue (`sometimes.rs`), exit codes (`cli/`).

use super::{Asks, MARKS, Mark};
use crate::{fault::plan::Axis, process::Promises};

/// Over a whole campaign: in how many runs each mark was within reach, and met.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tally {
    /// Runs counted.
    pub runs: u64,
    /// By [`Mark::ALL`]: runs in which it was within reach.
    pub armed: Vec<u64>,
    /// By [`Mark::ALL`]: runs of those in which it was met.
    pub hit: Vec<u64>,
}

/// A mark that a campaign should have met and did not, or too rarely.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Missing {
    /// Which.
    pub mark: Mark,
    /// Runs in which it was within reach.
    pub armed: u64,
    /// Runs in which it was met.
    pub hit: u64,
}

/// Below this many runs [`Tally::gate`] is silent.
pub const GATE_RUNS: u64 = 1_000;

impl Default for Tally {
    fn default() -> Self {
        Self { runs: 0, armed: vec![0; MARKS], hit: vec![0; MARKS] }
    }
}

impl Tally {
    /// Counts one run: its axes, voters, the system's promises, and its [`crate::oracle::Oracles::marks`].
    pub fn add(
        &mut self,
        has: impl Fn(Axis) -> bool,
        voters: u32,
        promises: Promises,
        marks: &[u64],
    ) {
        self.runs += 1;
        for (at, mark) in Mark::ALL.iter().enumerate() {
            let needs = mark.needs();
            let able = match mark.asks() {
                Asks::Nothing => true,
                Asks::PartialPartitionProgress => promises.partial_partition_progress,
                Asks::Bounded => promises.bounded,
                Asks::ReadsLogBack => promises.reads_log_back,
                Asks::CommitsAheadOfDisk => promises.commits_ahead_of_disk,
                Asks::Operable => promises.operable,
            };
            if able
                && voters >= mark.voters_min()
                && (needs.is_empty() || needs.iter().any(|a| has(*a)))
                && mark.needs_all().iter().all(|a| has(*a))
            {
                self.armed[at] += 1;
                self.hit[at] += u64::from(marks.get(at).is_some_and(|n| *n > 0));
            }
        }
    }

    /// Adds another part of the same campaign.
    pub fn merge(&mut self, other: &Self) {
        self.runs += other.runs;
        for (a, b) in self.armed.iter_mut().zip(&other.armed) {
            *a += b;
        }
        for (a, b) in self.hit.iter_mut().zip(&other.hit) {
            *a += b;
        }
    }

    /// The marks that were within reach and met too rarely, whatever the number of runs.
    #[must_use]
    pub fn missing(&self) -> Vec<Missing> {
        Mark::ALL
            .iter()
            .zip(self.armed.iter().zip(&self.hit))
            .filter(|(mark, (armed, hit))| {
                **armed > 0 && hit.saturating_mul(1_000) < armed.saturating_mul(mark.per_thousand())
            })
            .map(|(mark, (armed, hit))| Missing { mark: *mark, armed: *armed, hit: *hit })
            .collect()
    }

    /// What makes the campaign vacuous: [`Tally::missing`] once it has [`GATE_RUNS`] runs, and
    /// nothing before.
    #[must_use]
    pub fn gate(&self) -> Vec<Missing> {
        if self.runs < GATE_RUNS { Vec::new() } else { self.missing() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oracle::testkit::ALL;
    use Axis::{Crash, DiskReorder, Duplicate, Loss, Partition, PowerLoss};

    #[test]
    fn the_gate_names_what_was_within_reach_and_never_met() {
        let only = |on: Axis| move |axis: Axis| axis == on;
        let mut tally = Tally::default();
        let mut marks = [1; MARKS];
        marks[Mark::DuplicateCrossedTerms as usize] = 0;
        for _ in 0..999 {
            tally.add(only(Duplicate), 3, ALL, &marks);
        }
        assert_eq!(tally.gate(), [], "too few runs to speak");
        assert_eq!(tally.missing().len(), 1);
        let mut other = Tally::default();
        other.add(only(Loss), 3, ALL, &[0; MARKS]);
        tally.merge(&other);
        assert_eq!(tally.runs, 1_000);
        let missing: Vec<_> = tally.gate().iter().map(|m| (m.mark, m.armed, m.hit)).collect();
        let lost_once = |mark: &Mark| mark.needs().contains(&Loss) && mark.needs_all().is_empty();
        assert!(missing.contains(&(Mark::DuplicateCrossedTerms, 999, 0)));
        assert!(missing.contains(&(Mark::TwoLeaders, 1, 0)));
        assert!(!missing.iter().any(|(m, ..)| *m == Mark::CasFailed), "999 of 1,000");
        assert_eq!(missing.len(), 1 + Mark::ALL.iter().filter(|m| lost_once(m)).count());
    }

    #[test]
    fn the_gate_asks_for_one_run_in_a_thousand() {
        let mut tally = Tally::default();
        let mut marks = [1; MARKS];
        tally.add(|_| true, 3, ALL, &marks);
        marks[Mark::VoteSplit as usize] = 0;
        for _ in 0..999 {
            tally.add(|_| true, 3, ALL, &marks);
        }
        assert_eq!(tally.gate(), []);
        tally.add(|_| true, 3, ALL, &marks);
        assert_eq!(tally.gate(), [Missing { mark: Mark::VoteSplit, armed: 1_001, hit: 1 }]);
    }

    #[test]
    fn marks_out_of_a_systems_or_clusters_reach_are_not_demanded() {
        let armed = |voters, promises, axes: &[Axis], mark: Mark| {
            let mut tally = Tally::default();
            tally.add(|a| axes.contains(&a), voters, promises, &[0; MARKS]);
            tally.armed[mark as usize] == 1
        };
        let plain = Promises {
            partial_partition_progress: false,
            reads_log_back: false,
            commits_ahead_of_disk: false,
            ..ALL
        };
        assert!(armed(3, ALL, &[Partition], Mark::PreVoteRefused));
        assert!(!armed(3, plain, &[Partition], Mark::PreVoteRefused));
        assert!(!armed(1, ALL, &[Partition], Mark::TwoLeaders));
        assert!(armed(1, ALL, &[Crash], Mark::LeaderCrashed));
        assert!(!armed(3, plain, &[Crash], Mark::EntriesRead));
        assert!(!armed(3, plain, &[Axis::SlowNode], Mark::CommitAheadOfDisk));
        assert!(armed(3, ALL, &[Axis::SlowNode], Mark::CommitAheadOfDisk));
        assert!(!armed(3, ALL, &[PowerLoss], Mark::AckAboveHoleLost));
        assert!(armed(3, ALL, &[PowerLoss, DiskReorder], Mark::AckAboveHoleLost));
    }
}
