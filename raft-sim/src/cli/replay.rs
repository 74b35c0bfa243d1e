//! `replay`: run schedules and traces again, and compare.
//!
//! **Intuition.** A schedule says what to do: what matters is how it ends. A trace also says what
//! happened: every line is compared, and the first one that differs is named. Two runs that differ
//! from each other are the system's own doing; two equal ones that differ from the trace mean that
//! the program is no longer the one that wrote it.
//! **Source.** Ours.
//! **Upholds.** `inv:pure`.
//! **Not here.** Reading (`trace/`), comparing (`replay.rs`).

use std::{
    fs,
    path::{Path, PathBuf},
};

use serde_json::{Value, json};

use crate::{
    cli::{args::ReplayArgs, error::CliError, exit::Exit, interrupt::Interrupt, print, resolve},
    fault::schedule::{Exception, Fault, Schedule},
    fuzz::{divergence, fingerprint, guard, trial},
    oracle::OracleId,
    outcome::{RunOptions, RunOutcome, Verdict},
    replay::{ReplayError, replay_trace},
    report::story,
    system::System,
    trace::{document::read_schedule, read::read_trace, record::Trace},
};

/// How a replay went.
struct Replayed {
    path: PathBuf,
    exit: Exit,
    /// One sentence.
    told: String,
    digest: Option<u64>,
    /// A trace's digest was met again; none for a schedule.
    exact: Option<bool>,
    fingerprint: Option<String>,
}

/// Runs the command.
///
/// # Errors
/// Bad arguments, files that cannot be read or understood.
pub(super) fn run(systems: &[System], args: &ReplayArgs) -> Result<Exit, CliError> {
    let without = resolve::oracles(&args.without_oracle)?;
    let interrupt = Interrupt::listen();
    let mut files = Vec::new();
    for path in &args.files {
        collect(path, true, &mut files)?;
    }
    let mut all = Vec::new();
    let mut exit = if files.is_empty() { Exit::Vacuous } else { Exit::Clean };
    for path in files {
        if let Some(signal) = interrupt.exit() {
            exit = exit.worse(signal);
            break;
        }
        let replayed = match replay(systems, args, &without, &path) {
            Ok(replayed) => replayed,
            // One bad file among many does not hide what the others say.
            Err(error) => Replayed {
                exit: error.exit(),
                told: error.to_string(),
                digest: None,
                exact: None,
                fingerprint: None,
                path,
            },
        };
        exit = exit.worse(replayed.exit);
        if replayed.exit == Exit::Usage {
            print::note(&format!("raft-sim: {}", replayed.told));
        } else if !args.output.json && (!args.output.quiet || replayed.exit != Exit::Clean) {
            print::result(&format!("{}: {}", replayed.path.display(), replayed.told))?;
        }
        all.push(replayed);
    }
    if all.is_empty() && !args.output.quiet {
        print::note("nothing to replay: no schedule or trace was found");
    }
    if args.output.json {
        let value = json!({
            "files": all.iter().map(to_json).collect::<Vec<_>>(),
            "exit": { "code": exit.code(), "name": exit.name() },
        });
        print::result(&format!("{value:#}"))?;
    }
    Ok(exit)
}

fn to_json(replayed: &Replayed) -> Value {
    json!({
        "file": replayed.path,
        "exit": { "code": replayed.exit.code(), "name": replayed.exit.name() },
        "told": replayed.told,
        "digest": replayed.digest.map(|digest| format!("{digest:016x}")),
        "exact": replayed.exact,
        "fingerprint": replayed.fingerprint,
    })
}

/// Adds the file, or the schedules and traces below the folder, by name.
fn collect(path: &Path, named: bool, files: &mut Vec<PathBuf>) -> Result<(), CliError> {
    let unreadable = |error: std::io::Error| CliError::Unreadable {
        path: path.to_path_buf(),
        why: error.to_string(),
    };
    if !fs::metadata(path).map_err(unreadable)?.is_dir() {
        if named || is_ours(path) {
            files.push(path.to_path_buf());
        }
        return Ok(());
    }
    let mut entries = Vec::new();
    for entry in fs::read_dir(path).map_err(unreadable)? {
        entries.push(entry.map_err(unreadable)?.path());
    }
    entries.sort();
    entries.iter().try_for_each(|entry| collect(entry, false, files))
}

/// Whether a file in a folder is meant: reports, histories and stories lie beside them.
fn is_ours(path: &Path) -> bool {
    let name = path.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
    name.ends_with("schedule.json") || name.ends_with("trace.jsonl")
}

fn replay(
    systems: &[System],
    args: &ReplayArgs,
    without: &[OracleId],
    path: &Path,
) -> Result<Replayed, CliError> {
    let bytes = fs::read(path).map_err(|error| CliError::Unreadable {
        path: path.to_path_buf(),
        why: error.to_string(),
    })?;
    let malformed = |why: String| CliError::Malformed { path: path.to_path_buf(), why };
    // A trace's first line is its header; a schedule is one value over many lines.
    let first = bytes.split(|&byte| byte == b'\n').next().unwrap_or_default();
    let is_trace = String::from_utf8_lossy(first).contains("raft-sim-trace")
        || path.extension().is_some_and(|ending| ending == "jsonl");
    if !is_trace {
        let schedule = read_schedule(&bytes).map_err(|error| malformed(error.to_string()))?;
        let options = RunOptions { without: without.to_vec(), ..RunOptions::default() };
        let replay = Replay::new(systems, args, schedule, options)?;
        return Ok(replay.schedule(path));
    }
    let trace = read_trace(&bytes).map_err(|error| malformed(error.to_string()))?;
    let schedule = trace
        .header
        .schedule
        .clone()
        .ok_or_else(|| malformed(ReplayError::NoSchedule.to_string()))?;
    let mut options = flags(&trace);
    options.without.extend(without);
    let replay = Replay::new(systems, args, schedule, options)?;
    replay.trace(path, &trace)
}

/// The options a trace was recorded with.
fn flags(trace: &Trace) -> RunOptions {
    let flags = &trace.header.flags;
    let names: Vec<&str> = flags
        .get("without")
        .and_then(Value::as_array)
        .map(|names| names.iter().filter_map(Value::as_str).collect())
        .unwrap_or_default();
    let default = RunOptions::default();
    RunOptions {
        without: OracleId::ALL.iter().copied().filter(|id| names.contains(&id.name())).collect(),
        shadow_one_in: flags
            .get("shadow_one_in")
            .and_then(Value::as_u64)
            .unwrap_or(default.shadow_one_in),
        ..default
    }
}

struct Replay<'a> {
    system: System,
    schedule: Schedule,
    options: RunOptions,
    args: &'a ReplayArgs,
}

impl<'a> Replay<'a> {
    fn new(
        systems: &[System],
        args: &'a ReplayArgs,
        schedule: Schedule,
        options: RunOptions,
    ) -> Result<Self, CliError> {
        let name = args.system.as_deref().unwrap_or(&schedule.system);
        let system = resolve::system(systems, Some(name))?;
        Ok(Self { system, schedule, options: RunOptions { trace: true, ..options }, args })
    }

    fn schedule(&self, path: &Path) -> Replayed {
        let left = guard::run(&self.system, &self.schedule, &self.options);
        let mut replayed = self.ended(path, &left);
        let unknown = unknown_kinds(&self.schedule);
        if unknown > 0 {
            replayed
                .told
                .push_str(&format!("; {unknown} faults or fates of unknown kind were not applied"));
            if self.args.strict {
                replayed.exit = replayed.exit.worse(Exit::Usage);
            }
        }
        if let Ok(outcome) = &left {
            let met = outcome.fates;
            if met.listed > 0 {
                let (applied, listed) = (met.applied, met.listed);
                replayed.told.push_str(&format!("; {applied} of {listed} listed fates applied"));
            }
            if self.args.strict && met.applied < met.listed {
                replayed.exit = replayed.exit.worse(Exit::Violation);
            }
        }
        if replayed.exit != Exit::Clean {
            self.twice(&left, &mut replayed);
        }
        replayed
    }

    fn trace(&self, path: &Path, trace: &Trace) -> Result<Replayed, CliError> {
        let again = guard::guarded(|| replay_trace(&self.system, trace, &self.options));
        let again = again.map_err(|error| CliError::Malformed {
            path: path.to_path_buf(),
            why: error.to_string(),
        })?;
        let left = guard::judge(Box::new(again.outcome));
        let mut replayed = self.ended(path, &left);
        replayed.exact = Some(again.exact);
        if again.exact {
            replayed.told = format!("exact, digest {}; {}", trace.footer.digest, replayed.told);
            return Ok(replayed);
        }
        let place = again
            .divergence
            .map_or_else(|| "only the digest differs".to_owned(), |place| place.to_string());
        let header = &trace.header.system;
        let other = if header.name != self.system.name || header.version != self.system.version {
            format!(" (recorded with {} {})", header.name, header.version)
        } else {
            String::new()
        };
        replayed.told = format!(
            "NOT the run of the trace{other}, {} of {} events met again: {place}; {}",
            again.score.events_met, again.score.events, replayed.told
        );
        if self.args.strict {
            replayed.exit = replayed.exit.worse(Exit::Violation);
        }
        self.twice(&left, &mut replayed);
        Ok(replayed)
    }

    /// Runs once more: if this differs, nothing else is to be believed.
    fn twice(&self, left: &Result<Box<RunOutcome>, guard::Crash>, replayed: &mut Replayed) {
        let right = guard::run(&self.system, &self.schedule, &self.options);
        if !trial::same(left, &right) {
            let place =
                divergence::locate(&self.system, &self.schedule, &self.options, left, &right);
            replayed.exit = replayed.exit.worse(Exit::Nondeterminism);
            replayed.told = format!("NOT DETERMINISTIC: {place}; {}", replayed.told);
        }
    }

    fn ended(&self, path: &Path, ran: &Result<Box<RunOutcome>, guard::Crash>) -> Replayed {
        let mut replayed = Replayed {
            path: path.to_path_buf(),
            exit: Exit::Clean,
            told: String::new(),
            digest: None,
            exact: None,
            fingerprint: None,
        };
        match ran {
            Ok(outcome) => {
                replayed.exit = super::run::exit_of(&outcome.verdict);
                replayed.told = story::verdict(&outcome.verdict);
                replayed.digest = Some(outcome.digest);
                if let Verdict::Violation(violation) = &outcome.verdict {
                    let print = fingerprint::of_violation(violation, &outcome.trace);
                    replayed.fingerprint = Some(print.to_string());
                }
            }
            Err(crash) => {
                replayed.exit = if crash.is_ours() { Exit::Internal } else { Exit::Violation };
                replayed.told = format!(
                    "VIOLATION: panic at {}:{}: {}",
                    crash.file.display(),
                    crash.line,
                    crash.message
                );
                replayed.fingerprint = Some(fingerprint::of_panic(crash).to_string());
            }
        }
        if let Some(print) = &replayed.fingerprint {
            replayed.told.push_str(&format!(" [{print}]"));
        }
        replayed
    }
}

fn unknown_kinds(schedule: &Schedule) -> usize {
    let faults = schedule.faults.iter().filter(|timed| matches!(timed.fault, Fault::Unknown(_)));
    let fates = schedule.exceptions.iter().filter(|fate| matches!(fate, Exception::Unknown(_)));
    faults.count() + fates.count()
}
