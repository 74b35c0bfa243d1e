//! `check`: a campaign in one line, for tests.
//!
//! **Intuition.** A test that runs seeds should say, when it fails, what happened and how to see
//! it again. The failing schedule is written beside the test's other temporary files, complete
//! with every exceptional fate, so the command works on any machine that has the file.
//! **Source.** Ours.
//! **Upholds.** Whatever the oracles uphold.
//! **Not here.** Campaigns with reports (`fuzz/`).

use core::ops::Range;
use std::fmt::Write as _;

use crate::{
    fault::{plan::Plan, schedule::Schedule, swarm},
    outcome::{RunOptions, RunOutcome, Verdict},
    system::System,
    trace::document::write_schedule,
};

/// Lines of the trace that the story ends with.
const STORY_LINES: usize = 16;

/// Runs `plan` on `system` once for each of `seeds`.
///
/// # Panics
/// On the first run that is not clean (or excused by its own plan), with the story and the one
/// command that reproduces it.
pub fn check(system: &System, plan: &Plan, seeds: Range<u64>) {
    for seed in seeds {
        let schedule = swarm::schedule(plan.clone(), seed, system.name);
        let outcome = system.run(&schedule, &RunOptions::default());
        if matches!(outcome.verdict, Verdict::Clean | Verdict::Excused(_)) {
            continue;
        }
        panic!("{}", story(system, &schedule, seed, &outcome));
    }
}

fn story(system: &System, schedule: &Schedule, seed: u64, outcome: &RunOutcome) -> String {
    let options = RunOptions { trace: true, materialise: true, ..RunOptions::default() };
    let again = system.run(schedule, &options);
    let mut text = String::new();
    let _ = writeln!(text, "{} failed with seed {seed}: {}", system.name, sentence(outcome));
    if again.digest != outcome.digest {
        let _ = writeln!(
            text,
            "a second run of the same schedule was different: the system is not deterministic"
        );
    }
    let from = again.trace.len().saturating_sub(STORY_LINES);
    for line in &again.trace[from..] {
        let _ = write!(text, "  #{} {} ns", line.i, line.t);
        if line.n != 0 {
            let _ = write!(text, " n{}", line.n);
        }
        let _ = write!(text, " {}", line.ev);
        for (name, value) in line.rest.iter().filter(|(name, _)| *name != "view") {
            let _ = write!(text, " {name}={value}");
        }
        let _ = writeln!(text);
    }
    let complete = again.materialised.as_ref().unwrap_or(schedule);
    let path = std::env::temp_dir().join(format!("raft-sim-{}-{seed}.schedule.json", system.name));
    match std::fs::write(&path, write_schedule(complete)) {
        Ok(()) => {
            let _ = write!(
                text,
                "reproduce: raft-sim replay --system {} {}",
                system.name,
                path.display()
            );
        }
        Err(error) => {
            let path = path.display();
            let _ = write!(text, "the schedule could not be written to {path}: {error}");
        }
    }
    text
}

fn sentence(outcome: &RunOutcome) -> String {
    match &outcome.verdict {
        Verdict::Clean => "clean".to_owned(),
        Verdict::Excused(why) => format!("excused: {why}"),
        Verdict::Violation(broken) => {
            let (oracle, event, at) = (broken.oracle, broken.event, broken.at);
            format!("{oracle} broken at event {event} ({at} ns): {}", broken.reason)
        }
        Verdict::Panic { message, node, event, at } => {
            format!("node {node} panicked at event {event} ({at} ns): {message}")
        }
        Verdict::Inconclusive(why) => format!("inconclusive: {why}"),
        Verdict::Internal(why) => format!("the simulator failed: {why}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::naive::Bug;

    #[test]
    fn a_clean_system_passes() {
        let plan = swarm::plan("smoke", 3).unwrap();
        check(&Bug::None.as_system(), &plan, 0..3);
    }

    #[test]
    fn a_failure_tells_the_story_and_the_command() {
        let plan = swarm::plan("default", 0).unwrap();
        let system = Bug::CommitRegress.as_system();
        let caught = std::panic::catch_unwind(|| check(&system, &plan, 0..20)).unwrap_err();
        let text = caught.downcast_ref::<String>().unwrap();
        assert!(text.contains("monotone broken at event"), "{text}");
        let command = text.lines().last().unwrap();
        let path =
            command.strip_prefix("reproduce: raft-sim replay --system naive+commit-regress ");
        let bytes = std::fs::read(path.unwrap()).unwrap();
        let schedule = crate::trace::document::read_schedule(&bytes).unwrap();
        let outcome = system.run(&schedule, &RunOptions::default());
        assert!(matches!(outcome.verdict, Verdict::Violation(_)), "{:?}", outcome.verdict);
    }
}
