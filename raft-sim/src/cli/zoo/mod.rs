//! `zoo`: known bugs put into a copy of our own source, and hunted until found.
//!
//! **Intuition.** The naive system shows that oracles can speak; the zoo shows that the bugs other
//! people shipped would not have survived here, in the code that we ship.
//! **Source.** docs/HAZARDS.md names each bug's origin.
//! **Upholds.** —
//! **Not here.** Patches' form (`patch.rs`), copy and build (`tree.rs`).

mod patch;
mod tree;

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use patch::Patch;
use serde_json::{Value, json};
use tree::Tree;

use crate::{
    cli::{
        args::ZooArgs,
        error::CliError,
        exit::Exit,
        interrupt::Interrupt,
        print,
        progress::{Stopwatch, seconds},
        resolve,
    },
    report::{files, json::decimal},
};

/// Seeds of the first attempt; each further one doubles what has been run.
const FIRST_SEEDS: u64 = 64;

/// What became of one patch.
struct Hunted {
    patch: Patch,
    killed: Option<Killed>,
    seeds: u64,
    wall_ms: u64,
}

/// Who killed it.
struct Killed {
    oracle: String,
    seed: u64,
    reason: String,
    command: String,
}

/// Runs the command.
///
/// # Errors
/// Bad arguments, patches that do not apply or build, files that cannot be written.
pub(super) fn run(args: &ZooArgs) -> Result<Exit, CliError> {
    let jobs = resolve::jobs(args.jobs)?;
    let zoo = args.zoo.clone().unwrap_or_else(|| args.tree.join("raft-sim/zoo"));
    let work = args.work.clone().unwrap_or_else(|| args.tree.join("target/zoo"));
    let patches = patch::load(&zoo, &args.patches)?;
    let interrupt = Interrupt::listen();
    files::prepare(&work)?;
    let tree = Tree::new(&args.tree, &absolute(&work)?);

    // All anchors first: a patch that has rotted should not cost an hour to notice.
    for patch in &patches {
        tree.refresh()?;
        patch.apply(tree.root())?;
    }
    let quiet = args.output.quiet;
    if args.dry_run {
        tree.refresh()?;
        if !quiet {
            print::result(&format!("{} patches apply", patches.len()))?;
        }
        return Ok(if patches.is_empty() { Exit::Vacuous } else { Exit::Clean });
    }
    let mut all = Vec::new();
    for patch in patches {
        if let Some(exit) = interrupt.exit() {
            return Ok(exit);
        }
        if !quiet {
            print::note(&format!("{}: {}", patch.id, patch.about));
        }
        let out = absolute(&work)?.join("out").join(&patch.id);
        let hunted = hunt(&tree, patch, &out, jobs, &interrupt)?;
        if !quiet && !args.output.json {
            print::result(&told(&hunted))?;
        }
        all.push(hunted);
    }
    // The copy is left as the source is, so nobody builds a bug by accident.
    tree.refresh()?;
    if let Some(exit) = interrupt.exit() {
        return Ok(exit);
    }
    let survived = all.iter().filter(|hunted| hunted.killed.is_none()).count();
    let exit = if all.is_empty() {
        Exit::Vacuous
    } else if survived > 0 {
        Exit::Violation
    } else {
        Exit::Clean
    };
    if args.output.json {
        let value = json!({
            "patches": all.iter().map(to_json).collect::<Vec<_>>(),
            "survived": survived,
            "exit": { "code": exit.code(), "name": exit.name() },
        });
        print::result(&format!("{value:#}"))?;
    } else if !quiet {
        print::result(&format!("{} patches, {survived} survived", all.len()))?;
    }
    Ok(exit)
}

fn absolute(path: &Path) -> Result<PathBuf, CliError> {
    std::path::absolute(path)
        .map_err(|error| CliError::Unreadable { path: path.to_path_buf(), why: error.to_string() })
}

fn hunt(
    tree: &Tree,
    patch: Patch,
    out: &Path,
    jobs: usize,
    interrupt: &Interrupt,
) -> Result<Hunted, CliError> {
    tree.refresh()?;
    patch.apply(tree.root())?;
    tree.build()?;
    let watch = Stopwatch::start();
    let mut seeds = 0;
    let mut killed = None;
    while killed.is_none() && seeds < patch.seeds_max && !interrupt.raised() {
        let end = (seeds * 2).max(FIRST_SEEDS).min(patch.seeds_max);
        killed = fuzz(tree, out, seeds, end, jobs)?;
        seeds = end;
    }
    Ok(Hunted { patch, killed, seeds, wall_ms: watch.millis() })
}

/// One campaign of the patched program on seeds `first` to `end`.
fn fuzz(
    tree: &Tree,
    out: &Path,
    first: u64,
    end: u64,
    jobs: usize,
) -> Result<Option<Killed>, CliError> {
    let failed = |why: String| CliError::Internal(format!("the patched program: {why}"));
    let output = Command::new(tree.program())
        .arg("fuzz")
        .args(["--seeds", &format!("{first}..{end}"), "--jobs", &jobs.to_string()])
        .args(["--fail-fast", "--json", "--quiet", "--no-vacuity-gate"])
        .arg("--out")
        .arg(out)
        .stdin(Stdio::null())
        .output()
        .map_err(|error| failed(error.to_string()))?;
    match output.status.code() {
        Some(0 | 3) => return Ok(None),
        // Broken code may also be undeterministic, or break its own replay: it is found all the same.
        Some(1 | 5 | 6) => {}
        code => {
            let said = String::from_utf8_lossy(&output.stderr);
            return Err(failed(format!("ended with {code:?}: {said}")));
        }
    }
    let report: Value = serde_json::from_slice(&output.stdout)
        .map_err(|error| failed(format!("its report cannot be read: {error}")))?;
    let finding = report.pointer("/findings/0");
    let text = |field: &str| {
        let value = finding.and_then(|finding| finding.get(field)).and_then(Value::as_str);
        value.unwrap_or_default().to_owned()
    };
    if finding.is_none() {
        let why = report.get("first_internal").and_then(Value::as_str).unwrap_or("no finding");
        return Err(failed(format!("ended with {:?}: {why}", output.status.code())));
    }
    Ok(Some(Killed {
        oracle: text("oracle"),
        seed: finding.and_then(|f| f.pointer("/seeds/0")).and_then(Value::as_u64).unwrap_or(first),
        reason: text("reason"),
        command: text("command"),
    }))
}

fn told(hunted: &Hunted) -> String {
    let Hunted { patch, killed, seeds, wall_ms } = hunted;
    match killed {
        None => format!(
            "SURVIVED {} ({}): not found in {seeds} seeds, {} s",
            patch.id,
            patch.bug,
            seconds(*wall_ms)
        ),
        Some(killed) => {
            let note = if killed.oracle == patch.oracle {
                String::new()
            } else {
                format!(" (expected {})", patch.oracle)
            };
            format!(
                "killed {} ({}) by {}{note} in seed {}, {} s\n  {}\n  {}",
                patch.id,
                patch.bug,
                killed.oracle,
                killed.seed,
                seconds(*wall_ms),
                killed.reason,
                killed.command
            )
        }
    }
}

fn to_json(hunted: &Hunted) -> Value {
    let killed = hunted.killed.as_ref().map(|killed| {
        json!({
            "oracle": killed.oracle,
            "seed": killed.seed,
            "reason": killed.reason,
            "command": killed.command,
        })
    });
    json!({
        "id": hunted.patch.id,
        "bug": hunted.patch.bug,
        "about": hunted.patch.about,
        "expected": hunted.patch.oracle,
        "seeds": hunted.seeds,
        "seeds_max": hunted.patch.seeds_max,
        "wall_s": decimal(&seconds(hunted.wall_ms)),
        "killed": killed,
    })
}
