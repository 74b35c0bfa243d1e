//! `run`: one seed, told as a story.
//!
//! **Intuition.** The quickest way to see what the simulator does to a cluster, and to look at one
//! seed of a campaign.
//! **Source.** Ours.
//! **Upholds.** —
//! **Not here.** Telling it (`report/story.rs`).

use serde_json::json;

use crate::{
    cli::{args::RunArgs, error::CliError, exit::Exit, print, resolve},
    fuzz::{finding, guard},
    outcome::{RunOptions, RunOutcome, Verdict},
    random::token::SeedToken,
    report::{files, story},
    system::System,
};

/// Runs the command.
///
/// # Errors
/// Bad arguments; output that cannot be written.
pub(super) fn run(systems: &[System], args: &RunArgs) -> Result<Exit, CliError> {
    let seed = resolve::seed(args.seed.as_deref())?;
    let recipe = resolve::recipe(systems, &args.plan, seed.profile.as_deref(), seed.number)?;
    if let Some(out) = &args.out {
        files::prepare(out)?;
    }
    if seed.random {
        print::note(&format!("seed: {}", seed.number));
    }
    let options = RunOptions {
        without: resolve::oracles(&args.plan.without_oracle)?,
        trace: true,
        materialise: true,
        ..RunOptions::default()
    };
    let schedule = recipe.schedule(seed.number).map_err(|error| resolve::refused(&error))?;
    let ran = guard::run(&recipe.system, &schedule, &options);
    let (exit, outcome) = match &ran {
        Ok(outcome) => (exit_of(&outcome.verdict), Some(&**outcome)),
        Err(crash) if crash.is_ours() => {
            return Err(CliError::Internal(format!(
                "{} ({}:{})",
                crash.message,
                crash.file.display(),
                crash.line
            )));
        }
        Err(crash) => {
            print::note(&format!(
                "VIOLATION: the system panicked at {}:{}: {}",
                crash.file.display(),
                crash.line,
                crash.message
            ));
            (Exit::Violation, None)
        }
    };
    let kept = outcome.and_then(|outcome| outcome.materialised.as_ref()).unwrap_or(&schedule);
    if let Some(out) = &args.out {
        finding::write_run(out, &recipe.system, &options, kept, outcome)?;
    }
    let Some(outcome) = outcome else { return Ok(exit) };
    if !args.output.quiet {
        let mut told = String::new();
        if args.verbose {
            for line in &outcome.trace {
                told.push_str(&story::event(line));
                told.push('\n');
            }
        }
        told.push_str(&story::tell(kept, outcome));
        if args.output.json { print::note(&told) } else { print::result(told.trim_end())? }
    }
    if args.output.json {
        let token = recipe
            .is_plain()
            .then(|| SeedToken { profile: recipe.profile.clone(), seed: seed.number }.to_string());
        let value = json!({
            "seed": seed.number,
            "token": token,
            "system": recipe.system.name,
            "exit": { "code": exit.code(), "name": exit.name() },
            "verdict": story::verdict(&outcome.verdict),
            "digest": format!("{:016x}", outcome.digest),
            "stats": stats(outcome),
        });
        print::result(&format!("{value:#}"))?;
    }
    Ok(exit)
}

/// The exit code of a single verdict.
pub(super) const fn exit_of(verdict: &Verdict) -> Exit {
    match verdict {
        Verdict::Clean | Verdict::Excused(_) => Exit::Clean,
        Verdict::Violation(_) | Verdict::Panic { .. } => Exit::Violation,
        Verdict::Inconclusive(_) => Exit::Inconclusive,
        Verdict::Internal(_) => Exit::Internal,
    }
}

fn stats(outcome: &RunOutcome) -> serde_json::Value {
    let stats = &outcome.stats;
    json!({
        "events": stats.events,
        "commits": stats.commits,
        "terms": stats.terms,
        "config_changes": stats.config_changes,
        "snapshots": stats.snapshots,
        "ops": stats.ops,
        "unknown_ops": stats.unknown_ops,
        "virtual_ns": stats.virtual_ns,
    })
}
