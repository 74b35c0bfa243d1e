//! `check`: histories from files, judged for linearizability.
//!
//! **Intuition.** A checker on its own, for anybody's histories: three verdicts, none of which
//! stands for another, and the worst of several files decides the exit code.
//! **Source.** Ours.
//! **Upholds.** `inv:linearizable`.
//! **Not here.** Formats and models (`lin/formats/`), the verdicts (`lin/`).

mod measure;
mod twin;

use std::{fs, path::Path, time::Duration};

use serde_json::{Value, json};

use crate::{
    cli::{
        args::CheckArgs, error::CliError, exit::Exit, interrupt::Interrupt, print,
        progress::Stopwatch, resolve,
    },
    lin::{
        Budget, Explanation, How, Level, Verdict, Witness,
        formats::{FileOptions, FileReport, Format, ModelName, check_file, convert},
        html,
    },
    report::json::decimal,
};

/// Runs the command.
///
/// # Errors
/// Bad arguments; output that cannot be written.
pub(super) fn run(args: &CheckArgs) -> Result<Exit, CliError> {
    let options = FileOptions {
        format: named("format", args.format.as_deref(), Format::ALL, Format::name)?,
        model: named("model", args.model.as_deref(), ModelName::ALL, ModelName::name)?,
        level: named("level", Some(&args.level), Level::ALL, Level::name)?.unwrap_or_default(),
        budget: Budget {
            configurations: args.configurations,
            memory_bytes: args.memory.saturating_mul(1 << 20),
        },
        explain: args.explain || args.html.is_some(),
    };
    let time_ms = resolve::duration_ms(&args.time)?;
    if let Some(runs) = args.twin {
        return twin::run(args, runs);
    }
    if let Some(most) = args.measure {
        return measure::run(args, most, &options.budget, time_ms);
    }
    if let Some(to) = named("format", args.convert.as_deref(), Format::ALL, Format::name)? {
        return converted(args, &options, to);
    }
    let interrupt = Interrupt::listen();
    let mut exit = Exit::Clean;
    let (mut all, mut counts, mut sum) = (Vec::new(), [0_u64; 4], Duration::ZERO);
    let mut page = args.html.as_deref();
    for path in &args.files {
        if let Some(signal) = interrupt.exit() {
            exit = exit.worse(signal);
            break;
        }
        let watch = Stopwatch::start();
        let mut stop = || interrupt.raised() || watch.millis() >= time_ms;
        let checked = check(path, &options, &mut stop);
        let took = watch.elapsed();
        sum += took;
        let ended = match &checked {
            Ok(report) => exit_of(&report.report.verdict),
            Err(error) => error.exit(),
        };
        exit = exit.worse(ended);
        counts[match ended {
            Exit::Clean => 0,
            Exit::Violation => 1,
            Exit::Inconclusive => 2,
            _ => 3,
        }] += 1;
        match &checked {
            // One unreadable file among many does not hide what the others say.
            Err(error) => print::note(&format!("raft-sim: {error}")),
            Ok(report) if !args.output.json && (!args.output.quiet || ended != Exit::Clean) => {
                let told = told(report, options.level, took);
                print::result(&format!("{}: {told}", path.display()))?;
                if args.explain
                    && let Some(explanation) = &report.explanation
                {
                    print::result(&explained(explanation))?;
                }
            }
            Ok(_) => {}
        }
        if let (Some(file), Ok(report)) = (page, &checked)
            && let (Verdict::Illegal(illegal), Some(explanation)) =
                (&report.report.verdict, &report.explanation)
        {
            let name = path.display().to_string();
            let text = html::page(&name, &illegal.key, illegal.stuck, explanation);
            write_file(file, &text)?;
            page = None;
        }
        all.push(to_json(path, &checked, options.level, ended, took));
    }
    if let Some(signal) = interrupt.exit() {
        exit = exit.worse(signal);
    }
    if args.output.json {
        let value = json!({
            "files": all,
            "wall_s": decimal(&seconds_us(sum)),
            "exit": { "code": exit.code(), "name": exit.name() },
        });
        print::result(&format!("{value:#}"))?;
    } else if args.files.len() > 1 && !args.output.quiet {
        let [good, bad, unknown, unread] = counts;
        print::result(&format!(
            "{} files: {good} {}, {bad} not, {unknown} unknown, {unread} not read; {} ms in all",
            args.files.len(),
            options.level.name(),
            millis_us(sum)
        ))?;
    }
    if let Some(file) = page
        && !args.output.quiet
    {
        let file = file.display();
        print::note(&format!("raft-sim: no explained violation, so {file} was not written"));
    }
    Ok(exit)
}

fn converted(args: &CheckArgs, options: &FileOptions, to: Format) -> Result<Exit, CliError> {
    let [path] = &args.files[..] else {
        return Err(CliError::BadValue {
            what: "--convert".into(),
            given: format!("{} files", args.files.len()),
            expected: "exactly one file".into(),
        });
    };
    let content = read(path)?;
    let text = convert(&content, options, to)
        .map_err(|error| CliError::Malformed { path: path.clone(), why: error.to_string() })?;
    print::result(text.trim_end())?;
    Ok(Exit::Clean)
}

/// Writes beside the place and renames into it.
fn write_file(path: &Path, text: &str) -> Result<(), CliError> {
    let unwritable = |error: std::io::Error| CliError::Unwritable {
        path: path.to_path_buf(),
        why: error.to_string(),
    };
    if path.is_dir() || path.file_name().is_none() {
        return Err(CliError::BadOutput { path: path.to_path_buf(), why: "it is no file".into() });
    }
    let mut beside = path.as_os_str().to_owned();
    beside.push(".new");
    fs::write(&beside, text).map_err(unwritable)?;
    fs::rename(&beside, path).map_err(unwritable)
}

/// Milliseconds with three places.
fn millis_us(took: Duration) -> String {
    format!("{}.{:03}", took.as_millis(), took.subsec_micros() % 1000)
}

/// Seconds with six places.
fn seconds_us(took: Duration) -> String {
    format!("{}.{:06}", took.as_secs(), took.subsec_micros())
}

fn explained(explanation: &Explanation) -> String {
    let many = explanation.core.len();
    let minimal =
        if explanation.minimal { "none can be left out" } else { "budget hit: fewer may do" };
    let mut text = format!("  {many} operations are enough ({minimal}):\n");
    for line in explanation.timeline.lines() {
        text += &format!("    {line}\n");
    }
    let order: Vec<String> = explanation.prefix.iter().map(u64::to_string).collect();
    text += &format!("  longest legal order: {}\n", order.join(" "));
    for (op, reason) in &explanation.candidates {
        text += &format!("  then op {op} {reason}\n");
    }
    text.trim_end().to_owned()
}

fn named<T: Copy>(
    what: &'static str,
    given: Option<&str>,
    all: &[T],
    name: impl Fn(T) -> &'static str,
) -> Result<Option<T>, CliError> {
    let Some(given) = given else { return Ok(None) };
    let found = all.iter().copied().find(|&item| name(item) == given);
    found.map(Some).ok_or_else(|| CliError::UnknownName {
        what,
        given: given.to_owned(),
        known: all.iter().map(|&item| name(item).to_owned()).collect(),
    })
}

fn check(
    path: &Path,
    options: &FileOptions,
    stop: &mut dyn FnMut() -> bool,
) -> Result<FileReport, CliError> {
    let content = read(path)?;
    check_file(&content, options, stop)
        .map_err(|error| CliError::Malformed { path: path.to_path_buf(), why: error.to_string() })
}

fn read(path: &Path) -> Result<Vec<u8>, CliError> {
    fs::read(path)
        .map_err(|error| CliError::Unreadable { path: path.to_path_buf(), why: error.to_string() })
}

const fn exit_of(verdict: &Verdict) -> Exit {
    match verdict {
        Verdict::Ok { .. } => Exit::Clean,
        Verdict::Illegal(_) => Exit::Violation,
        Verdict::Unknown { .. } => Exit::Inconclusive,
    }
}

const fn how_name(how: How) -> &'static str {
    match how {
        How::Witness => "witness",
        How::Search => "search",
        How::Sorting => "sorting",
    }
}

fn told(checked: &FileReport, level: Level, took: Duration) -> String {
    let report = &checked.report;
    let verdict = match &report.verdict {
        Verdict::Ok { how } => format!("{}, by {}", level.name(), how_name(*how)),
        Verdict::Illegal(illegal) if matches!(level, Level::Linearizable | Level::Sequential) => {
            format!("NOT {}: {illegal}", level.name().to_uppercase())
        }
        Verdict::Illegal(illegal) => {
            let ops: Vec<String> = illegal.ops.iter().map(u64::to_string).collect();
            let level = level.name().to_uppercase();
            format!("NOT {level}: operations {} contradict each other", ops.join(", "))
        }
        Verdict::Unknown { key, exhausted } => {
            format!("unknown: the search on key {key} ran out of {exhausted}")
        }
    };
    let doubt = match report.witness {
        Witness::AgainstRealTime { .. } | Witness::WrongReply { .. } => {
            "; the claimed order contradicts the history"
        }
        _ => "",
    };
    format!(
        "{verdict}{doubt} ({} operations, {} unknown, model {}, {} ms)",
        report.operations,
        report.unknown_operations,
        checked.model,
        millis_us(took)
    )
}

fn to_json(
    path: &Path,
    checked: &Result<FileReport, CliError>,
    level: Level,
    ended: Exit,
    took: Duration,
) -> Value {
    let exit = json!({ "code": ended.code(), "name": ended.name() });
    let checked = match checked {
        Ok(checked) => checked,
        Err(error) => return json!({ "file": path, "exit": exit, "error": error.to_string() }),
    };
    let report = &checked.report;
    let (verdict, detail) = match &report.verdict {
        Verdict::Ok { how } => (level.name(), json!({ "how": how_name(*how) })),
        Verdict::Illegal(illegal) => (
            "illegal",
            json!({
                "key": illegal.key,
                "ops": illegal.ops,
                "prefix": illegal.prefix,
                "stuck": illegal.stuck,
            }),
        ),
        Verdict::Unknown { key, exhausted } => {
            ("unknown", json!({ "key": key, "exhausted": exhausted.to_string() }))
        }
    };
    json!({
        "file": path,
        "exit": exit,
        "format": checked.format.name(),
        "model": checked.model.name(),
        "level": level.name(),
        "verdict": verdict,
        "detail": detail,
        "operations": report.operations,
        "unknown_operations": report.unknown_operations,
        "keys_searched": report.keys_searched,
        "configurations": report.configurations,
        "bytes": report.bytes,
        "wall_s": decimal(&seconds_us(took)),
        "explanation": checked.explanation.as_ref().map(|explanation| json!({
            "core": explanation.core,
            "minimal": explanation.minimal,
            "prefix": explanation.prefix,
            "candidates": explanation.candidates,
        })),
    })
}
