//! The vacuity gate: a campaign that reached too little has not passed.
//!
//! **Intuition.** Nothing is easier than a simulator that finds nothing because nothing happens in
//! it. A campaign must commit, must not excuse itself often, and must have met every mark that its
//! faults brought within reach.
//! **Source.** Ours; thresholds from the survey of simulators in docs/ARCHITECTURE.md.
//! **Upholds.** —
//! **Not here.** The marks (`oracle/sometimes.rs`).

use core::fmt;

use crate::{oracle::sometimes::Missing, report::summary::Summary};

/// Campaigns smaller than this are never called vacuous, unless nothing ran at all.
pub const RUNS_MIN: u64 = 200;
/// A mark is demanded once this many runs could have met it.
const ARMED_MIN: u64 = 200;
/// Runs of a hundred that may be excused.
const EXCUSED_PERCENT_MAX: u64 = 2;

/// Why a campaign shows too little.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Vacuous {
    /// Not a single run.
    NothingRan,
    /// No run committed anything.
    NothingCommitted,
    /// Too many runs were excused.
    Excused {
        /// How many.
        excused: u64,
        /// Of how many.
        runs: u64,
    },
    /// A mark was within reach and met too rarely.
    Missed(Missing),
}

impl fmt::Display for Vacuous {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NothingRan => f.write_str("nothing ran"),
            Self::NothingCommitted => f.write_str("no run committed a single command"),
            Self::Excused { excused, runs } => write!(
                f,
                "{excused} of {runs} runs were excused, more than {EXCUSED_PERCENT_MAX} in 100"
            ),
            Self::Missed(Missing { mark, armed, hit }) => write!(
                f,
                "mark `{}` was met in {hit} of {armed} runs that could have met it",
                mark.name()
            ),
        }
    }
}

/// What makes the campaign vacuous; empty if it is not.
#[must_use]
pub fn judge(summary: &Summary) -> Vec<Vacuous> {
    if summary.runs == 0 {
        return vec![Vacuous::NothingRan];
    }
    if summary.runs < RUNS_MIN {
        return Vec::new();
    }
    let mut found = Vec::new();
    if summary.commits == 0 {
        found.push(Vacuous::NothingCommitted);
    }
    if summary.excused * 100 > summary.runs * EXCUSED_PERCENT_MAX {
        found.push(Vacuous::Excused { excused: summary.excused, runs: summary.runs });
    }
    // The tally itself is silent below the number of runs at which one in a thousand can be told.
    let missed = summary.marks.gate().into_iter().filter(|missing| missing.armed >= ARMED_MIN);
    found.extend(missed.map(Vacuous::Missed));
    found
}

#[cfg(test)]
mod tests {
    use super::{Vacuous, judge};
    use crate::{
        oracle::sometimes::{MARKS, Tally},
        report::summary::Summary,
    };

    fn campaign(runs: u64) -> Summary {
        let marks = Tally { runs, armed: vec![runs; MARKS], hit: vec![runs; MARKS] };
        Summary { runs, commits: runs, marks, ..Summary::new() }
    }

    #[test]
    fn a_full_campaign_passes_and_an_empty_one_never() {
        assert_eq!(judge(&campaign(1_000)), []);
        assert_eq!(judge(&campaign(0)), [Vacuous::NothingRan]);
    }

    #[test]
    fn excuses_are_capped_at_two_in_a_hundred() {
        let excused = |excused| judge(&Summary { excused, ..campaign(1_000) });
        assert_eq!(excused(20), []);
        assert_eq!(excused(21), [Vacuous::Excused { excused: 21, runs: 1_000 }]);
        assert_eq!(judge(&Summary { excused: 199, ..campaign(199) }), [], "too small to judge");
    }

    #[test]
    fn a_mark_must_be_met_once_in_a_thousand_runs_that_could() {
        let mut low = campaign(2_000);
        low.marks.hit[0] = 1;
        assert!(matches!(judge(&low)[..], [Vacuous::Missed(_)]));
        low.marks.hit[0] = 2;
        assert_eq!(judge(&low), []);
        low.marks.hit[0] = 0;
        low.marks.armed[0] = 199;
        assert_eq!(judge(&low), [], "too few could have met it");
    }

    #[test]
    fn silence_is_vacuous() {
        assert_eq!(judge(&Summary { commits: 0, ..campaign(200) }), [Vacuous::NothingCommitted]);
    }
}
