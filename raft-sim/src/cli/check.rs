//! `check`: histories from files, judged for linearizability.
//!
//! **Intuition.** A checker on its own, for anybody's histories: three verdicts, none of which
//! stands for another, and the worst of several files decides the exit code.
//! **Source.** Ours.
//! **Upholds.** `inv:linearizable`.
//! **Not here.** Formats and models (`lin/formats/`), the verdicts (`lin/`).

use std::{fs, path::Path};

use serde_json::{Value, json};

use crate::{
    cli::{
        args::CheckArgs,
        error::CliError,
        exit::Exit,
        interrupt::Interrupt,
        print,
        progress::{Stopwatch, seconds},
        resolve,
    },
    lin::{
        How, Verdict, Witness,
        formats::{FileOptions, FileReport, Format, ModelName, check_file},
    },
    report::json::decimal,
};

/// Runs the command.
///
/// # Errors
/// Bad arguments; stdout that cannot be written.
pub(super) fn run(args: &CheckArgs) -> Result<Exit, CliError> {
    let options = FileOptions {
        format: named("format", args.format.as_deref(), Format::ALL, Format::name)?,
        model: named("model", args.model.as_deref(), ModelName::ALL, ModelName::name)?,
        ..FileOptions::default()
    };
    let time_ms = args.time.as_deref().map(resolve::duration_ms).transpose()?;
    let interrupt = Interrupt::listen();
    let mut exit = Exit::Clean;
    let mut all = Vec::new();
    for path in &args.files {
        if let Some(signal) = interrupt.exit() {
            exit = exit.worse(signal);
            break;
        }
        let watch = Stopwatch::start();
        let mut stop =
            || interrupt.raised() || time_ms.is_some_and(|limit| watch.millis() >= limit);
        let checked = check(path, &options, &mut stop);
        let wall_ms = watch.millis();
        let ended = match &checked {
            Ok(report) => exit_of(&report.report.verdict),
            Err(error) => error.exit(),
        };
        exit = exit.worse(ended);
        match &checked {
            // One unreadable file among many does not hide what the others say.
            Err(error) => print::note(&format!("raft-sim: {error}")),
            Ok(report) if !args.output.json && (!args.output.quiet || ended != Exit::Clean) => {
                print::result(&format!("{}: {}", path.display(), told(report, wall_ms)))?;
            }
            Ok(_) => {}
        }
        all.push(to_json(path, &checked, ended, wall_ms));
    }
    if let Some(signal) = interrupt.exit() {
        exit = exit.worse(signal);
    }
    if args.output.json {
        let value = json!({
            "files": all,
            "exit": { "code": exit.code(), "name": exit.name() },
        });
        print::result(&format!("{value:#}"))?;
    }
    Ok(exit)
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
    let content = fs::read(path).map_err(|error| CliError::Unreadable {
        path: path.to_path_buf(),
        why: error.to_string(),
    })?;
    check_file(&content, options, stop)
        .map_err(|error| CliError::Malformed { path: path.to_path_buf(), why: error.to_string() })
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

fn told(checked: &FileReport, wall_ms: u64) -> String {
    let report = &checked.report;
    let verdict = match &report.verdict {
        Verdict::Ok { how } => format!("linearizable, by {}", how_name(*how)),
        Verdict::Illegal(illegal) => format!("NOT LINEARIZABLE: {illegal}"),
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
        "{verdict}{doubt} ({} operations, {} unknown, model {}, {} s)",
        report.operations,
        report.unknown_operations,
        checked.model,
        seconds(wall_ms)
    )
}

fn to_json(
    path: &Path,
    checked: &Result<FileReport, CliError>,
    ended: Exit,
    wall_ms: u64,
) -> Value {
    let exit = json!({ "code": ended.code(), "name": ended.name() });
    let checked = match checked {
        Ok(checked) => checked,
        Err(error) => return json!({ "file": path, "exit": exit, "error": error.to_string() }),
    };
    let report = &checked.report;
    let (verdict, detail) = match &report.verdict {
        Verdict::Ok { how } => ("linearizable", json!({ "how": how_name(*how) })),
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
        "verdict": verdict,
        "detail": detail,
        "operations": report.operations,
        "unknown_operations": report.unknown_operations,
        "keys_searched": report.keys_searched,
        "configurations": report.configurations,
        "bytes": report.bytes,
        "wall_s": decimal(&seconds(wall_ms)),
    })
}
