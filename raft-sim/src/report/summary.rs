//! What many runs come to: sums and distributions, the same in whatever order they are added.
//!
//! **Intuition.** A campaign is believed for what it did, not for being quiet: what was injected,
//! committed, reached and checked is counted run by run and shown with the verdict.
//! **Source.** Field names as in docs/TRACE.md.
//! **Upholds.** `inv:pure`: nothing here depends on the order of runs.
//! **Not here.** Judging the sums (`fuzz/gate.rs`), printing (`text.rs`, `json.rs`).

use std::collections::BTreeMap;

use crate::{
    fault::plan::Axis,
    fuzz::{
        percentile::Histogram,
        seeds::SeedSet,
        trial::{Ended, Trial},
    },
    oracle::{
        OracleId,
        sometimes::{Mark, Tally},
    },
    outcome::{LinHow, RunStats},
    process::Promises,
};

/// Different excuses that are listed; the rest is only counted.
const EXCUSES_MAX: usize = 20;

/// Sums of one axis over runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AxisSum {
    /// Runs that had it on.
    pub on: u64,
    /// Faults made.
    pub injected: u64,
    /// Faults that could not be applied.
    pub refused: u64,
}

/// How linearizability was decided, in runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LinSum {
    /// By the verified log order.
    pub witness: u64,
    /// By search.
    pub search: u64,
    /// Not, for want of budget.
    pub unknown: u64,
    /// Not reached.
    pub skipped: u64,
}

/// Distributions over runs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PerRun {
    /// Committed client commands.
    pub commits: Histogram,
    /// Terms that had an elected leader.
    pub terms: Histogram,
    /// Committed membership changes.
    pub config_changes: Histogram,
    /// Installed snapshots.
    pub snapshots: Histogram,
    /// Events.
    pub events: Histogram,
    /// Operations invoked.
    pub ops: Histogram,
    /// Operations of unknown outcome.
    pub unknown_ops: Histogram,
    /// The same, of 100 invoked, rounded up.
    pub unknown_percent: Histogram,
    /// World time in milliseconds.
    pub virtual_ms: Histogram,
}

/// The sums of a campaign.
#[derive(Clone, Debug, Default)]
pub struct Summary {
    /// Runs, whatever their end.
    pub runs: u64,
    /// Runs that failed.
    pub failed: u64,
    /// Runs that were excused.
    pub excused: u64,
    /// Why, with counts.
    pub excuses: BTreeMap<String, u64>,
    /// Runs whose check ran out of budget.
    pub inconclusive: u64,
    /// Failures of the simulator.
    pub internal: u64,
    /// The first of them, in seed order.
    pub first_internal: Option<String>,
    /// Seeds done.
    pub seeds: SeedSet,
    /// Runs by stratum.
    pub strata: BTreeMap<String, u64>,
    /// Distributions.
    pub per_run: PerRun,
    /// Events in all runs.
    pub events: u64,
    /// Commits in all runs.
    pub commits: u64,
    /// World time of all runs in nanoseconds.
    pub virtual_ns: u128,
    /// By [`Axis::ALL`].
    pub axes: Vec<AxisSum>,
    /// Checks by [`OracleId::ALL`].
    pub checks: Vec<u64>,
    /// Marks by run.
    pub marks: Tally,
    /// Times each mark was met, by [`Mark::ALL`].
    pub mark_hits: Vec<u64>,
    /// Linearizability.
    pub lin: LinSum,
    /// Runs that were run twice.
    pub rechecked: u64,
    /// Of those, the ones whose two runs differed.
    pub diverged: u64,
}

impl Summary {
    /// No runs yet.
    #[must_use]
    pub fn new() -> Self {
        Self {
            axes: vec![AxisSum::default(); Axis::ALL.len()],
            checks: vec![0; OracleId::ALL.len()],
            mark_hits: vec![0; Mark::ALL.len()],
            ..Self::default()
        }
    }

    /// Adds one run of a system that makes `promises`.
    pub fn add(&mut self, trial: &Trial, promises: Promises) {
        self.runs += 1;
        self.seeds.add(trial.seed);
        *self.strata.entry(trial.stratum.clone()).or_default() += 1;
        self.rechecked += u64::from(trial.rechecked);
        self.diverged += u64::from(trial.divergence.is_some());
        match &trial.ended {
            Ended::Clean => {}
            Ended::Excused(why) => {
                self.excused += 1;
                if self.excuses.len() < EXCUSES_MAX || self.excuses.contains_key(why) {
                    *self.excuses.entry(why.clone()).or_default() += 1;
                }
            }
            Ended::Inconclusive(_) => self.inconclusive += 1,
            Ended::Failed(_) => self.failed += 1,
            Ended::Internal(why) => {
                self.internal += 1;
                self.first_internal.get_or_insert_with(|| why.clone());
            }
        }
        if let Some(stats) = &trial.stats {
            self.add_stats(stats, trial.voters, promises);
        }
    }

    fn add_stats(&mut self, stats: &RunStats, voters: u32, promises: Promises) {
        self.events += stats.events;
        self.commits += stats.commits;
        self.virtual_ns += u128::from(stats.virtual_ns);
        let runs = &mut self.per_run;
        runs.commits.add(stats.commits);
        runs.terms.add(stats.terms);
        runs.config_changes.add(stats.config_changes);
        runs.snapshots.add(stats.snapshots);
        runs.events.add(stats.events);
        runs.ops.add(stats.ops);
        runs.unknown_ops.add(stats.unknown_ops);
        runs.unknown_percent.add((stats.unknown_ops * 100).div_ceil(stats.ops.max(1)));
        runs.virtual_ms.add(stats.virtual_ns / 1_000_000);
        for (sum, count) in self.axes.iter_mut().zip(&stats.axes) {
            sum.on += u64::from(count.on);
            sum.injected += count.injected;
            sum.refused += count.refused;
        }
        for (sum, count) in self.checks.iter_mut().zip(&stats.checks) {
            *sum += count;
        }
        for (sum, count) in self.mark_hits.iter_mut().zip(&stats.marks) {
            *sum += count;
        }
        let on = |axis| {
            let at = Axis::ALL.iter().position(|&other| other == axis);
            at.and_then(|at| stats.axes.get(at)).is_some_and(|count| count.on)
        };
        self.marks.add(on, voters, promises, &stats.marks);
        match stats.lin {
            LinHow::Skipped => self.lin.skipped += 1,
            LinHow::Witness => self.lin.witness += 1,
            LinHow::Search => self.lin.search += 1,
            LinHow::Unknown => self.lin.unknown += 1,
        }
    }
}
