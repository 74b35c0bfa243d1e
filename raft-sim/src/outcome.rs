//! What a run leaves behind: verdict, digest and counts.
//!
//! **Intuition.** A run is judged once and then only added up: everything a campaign, a report or
//! a test wants to know of it is a plain value here, so nobody keeps a finished world alive.
//! **Source.** Ours; units in docs/TRACE.md.
//! **Upholds.** `inv:pure`: equal runs leave equal values.
//! **Not here.** Files (`trace/`), campaigns (`fuzz/`), words for people (`report/`).

use crate::{
    fault::{plan::Axis, schedule::Schedule},
    oracle::{OracleId, Violation, sometimes::Mark},
    process::Ns,
};

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Every check passed.
    Clean,
    /// The goal of a late phase was out of reach by the plan's own doing; safety held.
    Excused(String),
    /// A property was broken.
    Violation(Violation),
    /// The system under test panicked.
    Panic {
        /// What it said, with the place in its source.
        message: String,
        /// The node whose turn it was; 0 for none.
        node: u64,
        /// Number of the event.
        event: u64,
        /// World time.
        at: Ns,
    },
    /// The linearizability search ran out of budget.
    Inconclusive(String),
    /// The simulator itself failed.
    Internal(String),
}

/// Counts of one axis in one run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AxisCount {
    /// The plan had it on.
    pub on: bool,
    /// Faults made.
    pub injected: u64,
    /// Faults that could not be applied.
    pub refused: u64,
}

/// How linearizability was decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinHow {
    /// Not reached (the run failed earlier or the oracle was off).
    Skipped,
    /// The log order was a witness.
    Witness,
    /// A search found an order, or none.
    Search,
    /// Out of budget.
    Unknown,
}

/// Counts of one run. Units: docs/TRACE.md.
#[derive(Clone, Debug)]
pub struct RunStats {
    /// Things popped that reached a process or a disk.
    pub events: u64,
    /// Client commands committed (applied somewhere, once each).
    pub commits: u64,
    /// Terms that had an elected leader.
    pub terms: u64,
    /// Membership changes committed: entries of any other kind than no-op and command.
    pub config_changes: u64,
    /// Snapshots installed.
    pub snapshots: u64,
    /// Operations invoked.
    pub ops: u64,
    /// Operations whose client never learnt the outcome.
    pub unknown_ops: u64,
    /// World time at the end.
    pub virtual_ns: Ns,
    /// By [`crate::fault::plan::Axis::ALL`].
    pub axes: Vec<AxisCount>,
    /// Checks made, by [`OracleId::ALL`].
    pub checks: Vec<u64>,
    /// Times each mark was hit, by [`crate::oracle::sometimes::Mark::ALL`].
    pub marks: Vec<u64>,
    /// How linearizability was decided.
    pub lin: LinHow,
}

impl RunStats {
    /// No counts yet.
    #[must_use]
    pub fn empty() -> Self {
        Self {
            events: 0,
            commits: 0,
            terms: 0,
            config_changes: 0,
            snapshots: 0,
            ops: 0,
            unknown_ops: 0,
            virtual_ns: 0,
            axes: vec![AxisCount::default(); Axis::ALL.len()],
            checks: vec![0; OracleId::ALL.len()],
            marks: vec![0; Mark::ALL.len()],
            lin: LinHow::Skipped,
        }
    }
}

/// How many of a schedule's listed fates still found the thing they are about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FatesMet {
    /// Listed fates that were applied.
    pub applied: u64,
    /// Fates listed in the schedule.
    pub listed: u64,
}

/// What a run leaves behind.
#[derive(Clone, Debug)]
pub struct RunOutcome {
    /// How it ended.
    pub verdict: Verdict,
    /// Rolling digest after the last event.
    pub digest: u64,
    /// Counts.
    pub stats: RunStats,
    /// The schedule with all exceptional fates listed, if recording was asked for.
    pub materialised: Option<Schedule>,
    /// How many listed fates were applied.
    pub fates: FatesMet,
    /// Digest after every 256th event, for localising a divergence.
    pub checkpoints: Vec<u64>,
    /// Lines of the trace, if asked for.
    pub trace: Vec<crate::trace::record::Line>,
    /// What clients saw, if asked for (always when a trace is).
    pub history: Vec<crate::lin::history::Operation>,
}

/// What to do besides running.
#[derive(Clone, Debug)]
pub struct RunOptions {
    /// Oracles that are off.
    pub without: Vec<OracleId>,
    /// Record exceptional fates.
    pub materialise: bool,
    /// Record the trace.
    pub trace: bool,
    /// Run shadow instances of 1 node in `shadow_one_in` (0: never).
    pub shadow_one_in: u64,
    /// Oracles: none, safety, all.
    pub oracles: OracleLevel,
}

/// How much is checked; `bench` compares them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OracleLevel {
    /// Nothing.
    None,
    /// Per-event safety oracles.
    Safety,
    /// Everything, linearizability included.
    All,
}

impl Default for RunOptions {
    fn default() -> Self {
        Self {
            without: Vec::new(),
            materialise: false,
            trace: false,
            shadow_one_in: 50,
            oracles: OracleLevel::All,
        }
    }
}
