//! Where two runs of one schedule parted: event, node and field.
//!
//! **Intuition.** Equal schedules must give equal runs. Digests taken every 256 events bound the
//! place; two traces then show the first line that differs and what in it differs.
//! **Source.** Ours.
//! **Upholds.** `inv:pure`.
//! **Not here.** Deciding that they differ (`trial.rs`), comparing traces (`trace/diff.rs`).

use core::fmt;

use crate::{
    fault::schedule::Schedule,
    fuzz::guard::{self, Crash},
    outcome::{RunOptions, RunOutcome},
    system::System,
    trace::diff,
};

/// Pairs of traced runs that are tried; a rare source may agree with itself by chance.
const TRIES: usize = 8;
/// Events between two checkpoints.
const STRIDE: u64 = 256;

/// The first difference between two runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Divergence {
    /// Events up to this one agreed in the first pair.
    pub agreed_until: u64,
    /// The first event that differed in a traced pair; none if no traced pair differed.
    pub at: Option<diff::Divergence>,
}

impl fmt::Display for Divergence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.at {
            Some(place) => place.fmt(f),
            None => write!(
                f,
                "after event {}, within {STRIDE} events; {TRIES} traced pairs agreed, so the \
                 source is rare",
                self.agreed_until
            ),
        }
    }
}

/// Finds where runs of `schedule` part, given two that did.
#[must_use]
pub fn locate(
    system: &System,
    schedule: &Schedule,
    options: &RunOptions,
    left: &Result<Box<RunOutcome>, Crash>,
    right: &Result<Box<RunOutcome>, Crash>,
) -> Divergence {
    let agreed_until = match (left, right) {
        (Ok(left), Ok(right)) => first_difference(&left.checkpoints, &right.checkpoints) * STRIDE,
        _ => 0,
    };
    let traced = RunOptions { trace: true, ..options.clone() };
    let mut base = None;
    for _ in 0..TRIES {
        let Ok(outcome) = guard::run(system, schedule, &traced) else { continue };
        match &base {
            None => base = Some(outcome.trace),
            Some(base) => {
                if let Some(place) = diff::lines_divergence(base, &outcome.trace) {
                    return Divergence { agreed_until, at: Some(place) };
                }
            }
        }
    }
    Divergence { agreed_until, at: None }
}

/// How many leading digests agree. They are rolling, so agreement is monotone and can be bisected.
fn first_difference(left: &[u64], right: &[u64]) -> u64 {
    let both: Vec<_> = left.iter().zip(right).collect();
    both.partition_point(|(l, r)| l == r) as u64
}

#[cfg(test)]
mod tests {
    use super::first_difference;

    #[test]
    fn checkpoints_bound_the_place() {
        assert_eq!(first_difference(&[1, 2, 3], &[1, 2, 4]), 2);
        assert_eq!(first_difference(&[1], &[1, 2]), 1);
        assert_eq!(first_difference(&[9], &[1]), 0);
    }
}
