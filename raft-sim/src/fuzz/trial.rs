//! One seed: run, run again where it matters, compare, describe what went wrong.
//!
//! **Intuition.** A failure is worth nothing if it does not come again, so every failure is run
//! twice, and so is every fiftieth seed to notice a hidden clock before it hides a bug.
//! **Source.** Self-check rates as in docs/TRACE.md.
//! **Upholds.** `inv:pure`.
//! **Not here.** Where two runs parted (`divergence.rs`), files (`finding.rs`).

use crate::{
    fault::schedule::Schedule,
    fuzz::{
        divergence::{self, Divergence},
        fingerprint::{self, Fingerprint},
        guard::{self, Crash},
        recipe::Recipe,
    },
    oracle::{OracleId, Violation},
    outcome::{RunOptions, RunOutcome, RunStats, Verdict},
};

/// One seed in this many is run twice.
const RECHECK_ONE_IN: u64 = 50;

/// What was broken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cause {
    /// A property.
    Oracle(OracleId),
    /// The system panicked here.
    Panic(Crash),
}

impl Cause {
    /// Name in reports.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Oracle(id) => id.name(),
            Self::Panic(_) => "panic",
        }
    }
}

/// A failed run.
#[derive(Clone, Debug)]
pub struct Failure {
    /// What was broken.
    pub cause: Cause,
    /// One sentence.
    pub reason: String,
    /// Event after which it was seen.
    pub event: u64,
    /// World time of that event.
    pub at_ns: u64,
    /// Node it was seen at.
    pub node: Option<u64>,
    /// Which failures count as the same.
    pub fingerprint: Fingerprint,
    /// What reproduces it: materialised, or as drawn where that is impossible.
    pub schedule: Schedule,
}

/// How a trial ended.
#[derive(Clone, Debug)]
pub enum Ended {
    /// Every check passed.
    Clean,
    /// The plan had put a late goal out of reach.
    Excused(String),
    /// A checker ran out of budget.
    Inconclusive(String),
    /// A property was broken, or the system panicked.
    Failed(Box<Failure>),
    /// The simulator failed.
    Internal(String),
}

/// One seed's result.
#[derive(Clone, Debug)]
pub struct Trial {
    /// The seed.
    pub seed: u64,
    /// How it ended.
    pub ended: Ended,
    /// Counts; none if the run ended in a panic.
    pub stats: Option<RunStats>,
    /// Stratum of its plan.
    pub stratum: String,
    /// Voters of its plan.
    pub voters: u32,
    /// Run twice.
    pub rechecked: bool,
    /// The two runs differed.
    pub divergence: Option<Box<Divergence>>,
}

/// Whether `seed`, the `number`-th of its campaign, is run twice in any case. The choice depends
/// on the seed and not on the campaign, except that the first always is.
#[must_use]
pub const fn is_rechecked(number: u64, seed: u64) -> bool {
    number == 0 || (seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32).is_multiple_of(RECHECK_ONE_IN)
}

/// Runs `seed`; twice if `recheck` or if it fails and `recheck_failures`.
#[must_use]
pub fn run(
    recipe: &Recipe,
    options: &RunOptions,
    seed: u64,
    recheck: bool,
    recheck_failures: bool,
) -> Trial {
    let schedule = match recipe.schedule(seed) {
        Ok(schedule) => schedule,
        Err(error) => return broken(seed, format!("seed {seed} has no schedule: {error}")),
    };
    let system = &recipe.system;
    let mut trial = Trial {
        seed,
        ended: Ended::Clean,
        stats: None,
        stratum: schedule.plan.stratum.clone(),
        voters: schedule.plan.voters,
        rechecked: false,
        divergence: None,
    };
    let first = guard::run(system, &schedule, options);
    let failed = match &first {
        Ok(outcome) => matches!(outcome.verdict, Verdict::Violation(_)),
        Err(crash) => !crash.is_ours(),
    };
    // A failure's second run also records what its fingerprint and files are made of.
    let second = (failed || recheck).then(|| {
        let options = RunOptions {
            trace: failed || options.trace,
            materialise: failed || options.materialise,
            ..options.clone()
        };
        guard::run(system, &schedule, &options)
    });
    if let Some(second) = &second
        && (recheck || recheck_failures)
    {
        trial.rechecked = true;
        if !same(&first, second) {
            let found = divergence::locate(system, &schedule, options, &first, second);
            trial.divergence = Some(Box::new(found));
        }
    }
    trial.ended = match &first {
        Ok(outcome) => end(outcome, second, schedule),
        Err(crash) if crash.is_ours() => Ended::Internal(format!(
            "seed {seed}: {} ({}:{})",
            crash.message,
            crash.file.display(),
            crash.line
        )),
        Err(crash) => Ended::Failed(Box::new(Failure {
            reason: crash.message.clone(),
            event: crash.event,
            at_ns: crash.at_ns,
            node: (crash.node > 0).then_some(crash.node),
            fingerprint: fingerprint::of_panic(crash),
            cause: Cause::Panic(crash.clone()),
            schedule,
        })),
    };
    trial.stats = first.ok().map(|outcome| outcome.stats);
    trial
}

fn broken(seed: u64, why: String) -> Trial {
    Trial {
        seed,
        ended: Ended::Internal(why),
        stats: None,
        stratum: String::new(),
        voters: 0,
        rechecked: false,
        divergence: None,
    }
}

/// Whether two runs of one schedule were the same run.
#[must_use]
pub fn same(left: &Result<Box<RunOutcome>, Crash>, right: &Result<Box<RunOutcome>, Crash>) -> bool {
    match (left, right) {
        (Ok(left), Ok(right)) => {
            left.digest == right.digest
                && left.stats.events == right.stats.events
                && left.verdict == right.verdict
        }
        (Err(left), Err(right)) => left == right,
        (Ok(_), Err(_)) | (Err(_), Ok(_)) => false,
    }
}

fn end(
    first: &RunOutcome,
    second: Option<Result<Box<RunOutcome>, Crash>>,
    drawn: Schedule,
) -> Ended {
    match &first.verdict {
        Verdict::Clean => Ended::Clean,
        Verdict::Excused(why) => Ended::Excused(why.clone()),
        Verdict::Inconclusive(why) => Ended::Inconclusive(why.clone()),
        Verdict::Internal(why) => Ended::Internal(why.clone()),
        // The guard has turned it into an error.
        Verdict::Panic { message, .. } => Ended::Internal(message.clone()),
        Verdict::Violation(violation) => {
            let mut schedule = drawn;
            let mut print = fingerprint::of_violation(violation, &[]);
            if let Some(Ok(second)) = second {
                print = fingerprint::of_violation(violation, &second.trace);
                if let Some(materialised) = second.materialised {
                    schedule = materialised;
                }
            }
            Ended::Failed(Box::new(failure(violation, print, schedule)))
        }
    }
}

fn failure(violation: &Violation, fingerprint: Fingerprint, schedule: Schedule) -> Failure {
    Failure {
        cause: Cause::Oracle(violation.oracle),
        reason: violation.reason.clone(),
        event: violation.event,
        at_ns: violation.at,
        node: violation.node.map(|node| node.0),
        fingerprint,
        schedule,
    }
}

#[cfg(test)]
mod tests {
    use super::is_rechecked;

    #[test]
    fn about_two_seeds_in_a_hundred_are_run_twice_whatever_the_range() {
        let count = (0..100_000).filter(|&seed| is_rechecked(1, seed)).count();
        assert!((1_800..2_200).contains(&count), "{count}");
        assert!(is_rechecked(0, 1));
        assert!(!is_rechecked(1, 1));
    }
}
