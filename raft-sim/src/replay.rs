//! Replaying: run a schedule again and compare with what a trace says happened.
//!
//! **Intuition.** With the same release a trace replays bit for bit: every line and every digest
//! is met again. Later releases replay the schedule as well as they can, and the score says how
//! far that was: how much of the run was met again, and how many of its exceptional fates still
//! found the thing they are about.
//! **Source.** Ours.
//! **Upholds.** `inv:pure`.
//! **Not here.** Files (`trace/`), words for people (`cli/replay.rs`).

use crate::{
    fault::schedule::Schedule,
    outcome::{RunOptions, RunOutcome},
    system::System,
    trace::{
        diff::{Divergence, lines_divergence},
        record::{Trace, unhex},
    },
    world::observe::CHECKPOINT_EVERY,
};

/// How well a replay met its trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Score {
    /// Events met again before the first difference, as far as is known.
    pub events_met: u64,
    /// Events of the trace.
    pub events: u64,
}

/// The result of a replay.
#[derive(Clone, Debug)]
pub struct Replayed {
    /// The new run.
    pub outcome: RunOutcome,
    /// The digest after the last event is the trace's.
    pub exact: bool,
    /// The first difference, if there is one and the trace has the lines to find it.
    pub divergence: Option<Divergence>,
    /// How much was met again.
    pub score: Score,
}

/// Why a trace cannot be replayed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReplayError {
    /// The trace is of one node and has no schedule: only a whole run can be replayed here.
    NoSchedule,
    /// The footer's digest is no digest.
    Digest {
        /// What stands there.
        found: String,
    },
}

impl core::fmt::Display for ReplayError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::NoSchedule => f.write_str(
                "the trace has no schedule in its header: replay a trace of scope `cluster`",
            ),
            Self::Digest { found } => {
                write!(f, "the trace's last digest is {found:?}, not 16 hex digits")
            }
        }
    }
}

impl std::error::Error for ReplayError {}

/// Runs `schedule` on `system`.
#[must_use]
pub fn replay_schedule(system: &System, schedule: &Schedule, options: &RunOptions) -> RunOutcome {
    system.run(schedule, options)
}

/// Runs the schedule in the header of `trace` on `system` and compares event by event.
///
/// # Errors
/// When the trace has nothing to replay or to compare with.
pub fn replay_trace(
    system: &System,
    trace: &Trace,
    options: &RunOptions,
) -> Result<Replayed, ReplayError> {
    let schedule = trace.header.schedule.as_ref().ok_or(ReplayError::NoSchedule)?;
    let found = &trace.footer.digest;
    let digest = unhex(found).ok_or_else(|| ReplayError::Digest { found: found.clone() })?;
    let options = RunOptions { trace: true, ..options.clone() };
    let outcome = system.run(schedule, &options);
    let exact = outcome.digest == digest;
    let divergence = lines_divergence(&trace.lines, &outcome.trace);
    let events = trace.footer.events;
    let events_met = match &divergence {
        Some(divergence) => divergence.event,
        None if exact => events,
        None => checkpoints_met(&trace.footer.checkpoints, &outcome.checkpoints),
    };
    Ok(Replayed { outcome, exact, divergence, score: Score { events_met, events } })
}

/// Events up to the last checkpoint before the first that differs.
fn checkpoints_met(expected: &[String], met: &[u64]) -> u64 {
    let equal = expected.iter().zip(met).take_while(|(a, b)| unhex(a) == Some(**b)).count();
    equal as u64 * CHECKPOINT_EVERY
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        fault::swarm,
        process::naive::Bug,
        trace::{read::read_trace, write::write_trace},
    };

    fn traced(seed: u64) -> (System, Trace) {
        let system = Bug::None.as_system();
        let schedule = swarm::schedule(swarm::plan("smoke", seed).unwrap(), seed, system.name);
        let options = RunOptions { trace: true, ..RunOptions::default() };
        let outcome = system.run(&schedule, &options);
        (system, Trace::of_run(&system, &schedule, &options, &outcome))
    }

    #[test]
    fn a_trace_is_met_again_exactly_also_through_its_text() {
        for seed in 0..5 {
            let (system, trace) = traced(seed);
            let trace = read_trace(write_trace(&trace).as_bytes()).unwrap();
            let replayed = replay_trace(&system, &trace, &RunOptions::default()).unwrap();
            assert!(replayed.exact, "seed {seed}: {:?}", replayed.divergence);
            assert_eq!(replayed.divergence, None, "seed {seed}");
            assert_eq!(replayed.score.events_met, replayed.score.events);
        }
    }

    #[test]
    fn another_system_diverges_at_a_named_event() {
        let (_, trace) = traced(1);
        let other = Bug::AckBeforeFsync.as_system();
        let replayed = replay_trace(&other, &trace, &RunOptions::default()).unwrap();
        assert!(!replayed.exact);
        let divergence = replayed.divergence.unwrap();
        assert!(divergence.event > 0 && divergence.event < replayed.score.events);
    }

    #[test]
    fn a_trace_without_a_schedule_is_refused() {
        let (system, mut trace) = traced(2);
        trace.header.schedule = None;
        let error = replay_trace(&system, &trace, &RunOptions::default()).unwrap_err();
        assert_eq!(error, ReplayError::NoSchedule);
    }
}
