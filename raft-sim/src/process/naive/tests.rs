//! Each planted bug is found by the default generator, and by the oracle made for it.

use super::{Bug, systems};
use crate::{
    fault::{schedule::Schedule, swarm},
    oracle::OracleId,
    outcome::{RunOptions, RunOutcome, Verdict},
    system::System,
};

/// Seeds tried at most for one bug.
const SEEDS: u64 = 2500;
/// With its oracle off, a bug is looked for in this many seeds.
const OTHER_SEEDS: u64 = 40;

fn drawn(system: &System, seed: u64) -> Schedule {
    swarm::schedule(swarm::plan("default", seed).unwrap(), seed, system.name)
}

fn speaker(outcome: &RunOutcome) -> Option<OracleId> {
    match &outcome.verdict {
        Verdict::Violation(violation) => Some(violation.oracle),
        _ => None,
    }
}

fn system_of(bug: Bug) -> System {
    systems()[bug as usize]
}

/// The first seed in which `bug` is seen by its own oracle.
fn found(bug: Bug) -> u64 {
    let (system, oracle) = (system_of(bug), bug.breaks().unwrap());
    (0..SEEDS)
        .find(|seed| {
            let outcome = system.run(&drawn(&system, *seed), &RunOptions::default());
            speaker(&outcome) == Some(oracle)
        })
        .unwrap_or_else(|| panic!("{} is not found by {oracle} in {SEEDS} seeds", system.name))
}

#[test]
fn every_bug_is_found_by_its_oracle_and_its_absence_is_clean() {
    let naive = system_of(Bug::None);
    for &bug in Bug::ALL {
        let Some(oracle) = bug.breaks() else { continue };
        let seed = found(bug);
        let outcome = naive.run(&drawn(&naive, seed), &RunOptions::default());
        assert_eq!(
            outcome.verdict,
            Verdict::Clean,
            "{} without the bug, seed {seed}",
            bug.system()
        );

        let system = system_of(bug);
        let without = RunOptions { without: vec![oracle], ..RunOptions::default() };
        let other = (seed..seed + OTHER_SEEDS).find_map(|seed| {
            speaker(&system.run(&drawn(&system, seed), &without)).map(|other| (other, seed))
        });
        match other {
            Some((other, at)) => println!(
                "{}: {oracle} in seed {seed}; without it {other} in seed {at}",
                bug.system()
            ),
            None => println!("{}: {oracle} in seed {seed}; without it nobody", bug.system()),
        }
    }
}

#[test]
fn every_oracle_has_a_bug() {
    for oracle in OracleId::ALL {
        assert!(
            Bug::ALL.iter().any(|bug| bug.breaks() == Some(*oracle)),
            "no planted bug breaks {oracle} first"
        );
    }
}

#[test]
fn systems_stand_in_the_order_of_bugs() {
    for (bug, system) in Bug::ALL.iter().zip(systems()) {
        assert_eq!(bug.system(), system.name);
    }
}
