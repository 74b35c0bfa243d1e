//! A finding: one reason why runs fail, kept once, confirmed, and written so that it comes again.
//!
//! **Intuition.** A person wants the reason in a sentence and one command that shows it. So each
//! fingerprint is kept once, for its lowest seed, as a schedule that needs no seed; and it is
//! believed only after that schedule alone, in a run of its own, failed in the same way.
//! **Source.** Ours.
//! **Upholds.** —
//! **Not here.** What counts as the same (`fingerprint.rs`), the formats (`trace/`).

use std::path::{Path, PathBuf};

use crate::{
    cli::error::CliError,
    fault::schedule::Schedule,
    fuzz::{
        fingerprint::Fingerprint,
        guard,
        trial::{Cause, Failure},
    },
    lin::formats::jsonl,
    oracle::OracleId,
    outcome::{RunOptions, RunOutcome, Verdict},
    random::token::SeedToken,
    report::{files, story},
    system::System,
    trace::{document, record::Trace, write},
};

/// Seeds listed of one finding.
const SEEDS_LISTED: usize = 10;

/// One reason why runs fail.
#[derive(Clone, Debug)]
pub struct Finding {
    /// Which failures it stands for.
    pub fingerprint: Fingerprint,
    /// What was broken.
    pub cause: Cause,
    /// One sentence, of the lowest seed.
    pub reason: String,
    /// Event, world time and node of the lowest seed's failure.
    pub event: u64,
    /// See `event`.
    pub at_ns: u64,
    /// See `event`.
    pub node: Option<u64>,
    /// The lowest seeds that fail so, ascending.
    pub seeds: Vec<u64>,
    /// How many seeds fail so.
    pub count: u64,
    /// Token of the lowest seed, if the plan is exactly as drawn.
    pub token: Option<SeedToken>,
    /// Its schedule alone failed in the same way in a run of its own.
    pub confirmed: bool,
    /// The file that reproduces it.
    pub schedule_file: PathBuf,
    /// Oracles that were off: they might speak first.
    pub without: Vec<OracleId>,
}

impl Finding {
    /// The one command that shows it again; `program` is how this program was called.
    #[must_use]
    pub fn command(&self, program: &str) -> String {
        let mut text =
            format!("{} replay {}", quoted(program), quoted(&self.schedule_file.to_string_lossy()));
        for oracle in &self.without {
            text.push_str(" --without-oracle ");
            text.push_str(oracle.name());
        }
        text
    }

    /// What a person is told at once.
    #[must_use]
    pub fn told(&self, program: &str) -> String {
        let name = self.token.as_ref().map_or_else(
            || format!("seed {} with the given flags", self.seeds.first().unwrap_or(&0)),
            ToString::to_string,
        );
        let place = match self.node {
            Some(node) => format!("event {}, node {node}, t={} ns", self.event, self.at_ns),
            None => format!("event {}, t={} ns", self.event, self.at_ns),
        };
        let doubt = if self.confirmed {
            ""
        } else {
            "\n  not confirmed: its schedule alone did not fail in the same way"
        };
        format!(
            "FOUND {} [{}] in {name} ({place})\n  {}{doubt}\n  file:  {}\n  rerun: {}",
            self.cause.name(),
            self.fingerprint,
            self.reason,
            self.schedule_file.display(),
            self.command(program),
        )
    }
}

/// The findings of a campaign, in the order in which their lowest seeds come.
#[derive(Clone, Debug, Default)]
pub struct Findings {
    list: Vec<Finding>,
}

impl Findings {
    /// Counts a failure of a known reason.
    ///
    /// Returns whether it was known.
    pub fn count(&mut self, fingerprint: Fingerprint, seed: u64) -> bool {
        let Some(known) = self.list.iter_mut().find(|f| f.fingerprint == fingerprint) else {
            return false;
        };
        known.count += 1;
        if known.seeds.len() < SEEDS_LISTED {
            known.seeds.push(seed);
        }
        true
    }

    /// Adds a new one.
    pub fn add(&mut self, finding: Finding) {
        self.list.push(finding);
    }

    /// All of them.
    #[must_use]
    pub fn list(&self) -> &[Finding] {
        &self.list
    }
}

/// Confirms `failure` of `seed` and writes `schedule.json`, `trace.jsonl`, `history.jsonl` and
/// `story.txt` into the folder of its fingerprint in `folder`.
///
/// # Errors
/// When a file cannot be written.
pub fn keep(
    system: &System,
    options: &RunOptions,
    failure: &Failure,
    seed: u64,
    token: Option<SeedToken>,
    folder: &Path,
) -> Result<Finding, CliError> {
    let folder = folder.join(failure.fingerprint.to_string());
    let outcome = replay_alone(system, options, &failure.schedule);
    let confirmed = match (&failure.cause, &outcome) {
        (Cause::Oracle(oracle), Ok(outcome)) => {
            matches!(&outcome.verdict, Verdict::Violation(v)
                if v.oracle == *oracle && v.event == failure.event)
        }
        (Cause::Panic(before), Err(crash)) => before == crash,
        _ => false,
    };
    let finding = Finding {
        fingerprint: failure.fingerprint,
        cause: failure.cause.clone(),
        reason: failure.reason.clone(),
        event: failure.event,
        at_ns: failure.at_ns,
        node: failure.node,
        seeds: vec![seed],
        count: 1,
        token,
        confirmed,
        schedule_file: folder.join("schedule.json"),
        without: options.without.clone(),
    };
    write_run(&folder, system, options, &failure.schedule, outcome.ok().as_deref())?;
    Ok(finding)
}

fn replay_alone(
    system: &System,
    options: &RunOptions,
    schedule: &Schedule,
) -> Result<Box<RunOutcome>, guard::Crash> {
    guard::run(system, schedule, &RunOptions { trace: true, ..options.clone() })
}

/// Writes the files of one run; without an outcome (a panic) only the schedule.
///
/// # Errors
/// When a file cannot be written.
pub fn write_run(
    folder: &Path,
    system: &System,
    options: &RunOptions,
    schedule: &Schedule,
    outcome: Option<&RunOutcome>,
) -> Result<(), CliError> {
    files::write(&folder.join("schedule.json"), document::write_schedule(schedule).as_bytes())?;
    let Some(outcome) = outcome else { return Ok(()) };
    let trace = write::write_trace(&Trace::of_run(system, schedule, options, outcome));
    files::write(&folder.join("trace.jsonl"), trace.as_bytes())?;
    // A history that is none would have been the simulator's failure already.
    if let Ok(history) = jsonl::write(&outcome.history) {
        files::write(&folder.join("history.jsonl"), history.as_bytes())?;
    }
    files::write(&folder.join("story.txt"), story::tell(schedule, outcome).as_bytes())
}

/// `text` as one word of a shell command.
fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+:=@%".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn commands_can_be_pasted() {
        assert_eq!(quoted("target/release/raft-sim"), "target/release/raft-sim");
        assert_eq!(quoted("my folder/x"), "'my folder/x'");
        assert_eq!(quoted("it's"), r"'it'\''s'");
    }
}
