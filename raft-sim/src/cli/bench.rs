//! `bench`: events per second with oracles none, safety and all.
//!
//! **Intuition.** The same seeds three times on one thread: the differences are what the oracles
//! cost. A run here is a whole run, from drawing the plan to the last check.
//! **Source.** Units as in docs/ARCHITECTURE.md.
//! **Upholds.** —
//! **Not here.** Where the time goes: use a profiler on this command.

use serde_json::json;

use crate::{
    cli::{
        args::BenchArgs,
        error::CliError,
        exit::Exit,
        print,
        progress::{Stopwatch, per_second, seconds},
        resolve,
    },
    fuzz::{percentile::Histogram, recipe::Recipe},
    outcome::{OracleLevel, RunOptions, Verdict},
    report::json::decimal,
    system::System,
};

/// Runs before the clock starts, to warm caches and the allocator.
const WARM_UP: u64 = 5;

struct Measured {
    level: &'static str,
    runs: u64,
    events: u64,
    commits: u64,
    wall_ms: u64,
    per_run_us: Histogram,
    unclean: u64,
}

/// Runs the command.
///
/// # Errors
/// Bad arguments; stdout that cannot be written.
pub(super) fn run(systems: &[System], args: &BenchArgs) -> Result<Exit, CliError> {
    let recipe = resolve::recipe(systems, &args.plan, None, 0)?;
    let without = resolve::oracles(&args.plan.without_oracle)?;
    let levels =
        [("none", OracleLevel::None), ("safety", OracleLevel::Safety), ("all", OracleLevel::All)];
    let mut measured = Vec::new();
    for (level, oracles) in levels {
        let options = RunOptions { without: without.clone(), oracles, ..RunOptions::default() };
        measure(&recipe, &options, level, args.runs.min(WARM_UP))?;
        measured.push(measure(&recipe, &options, level, args.runs)?);
    }
    let name = recipe.system.name;
    if !args.output.quiet {
        let mut told = format!(
            "{name}, profile {}, seeds 0..{}, one thread\n{:<8} {:>12} {:>9} {:>9} {:>10} {:>10} {:>8}\n",
            recipe.profile,
            args.runs,
            "oracles",
            "events/s",
            "runs/s",
            "wall s",
            "p50 ms",
            "p90 ms",
            "unclean"
        );
        for m in &measured {
            told.push_str(&format!(
                "{:<8} {:>12} {:>9} {:>9} {:>10} {:>10} {:>8}\n",
                m.level,
                per_second(m.events, m.wall_ms),
                per_second(m.runs, m.wall_ms),
                seconds(m.wall_ms),
                seconds(m.per_run_us.percentile(50)),
                seconds(m.per_run_us.percentile(90)),
                m.unclean,
            ));
        }
        if args.output.json { print::note(&told) } else { print::result(told.trim_end())? }
    }
    if args.output.json {
        let levels: serde_json::Map<_, _> =
            measured.iter().map(|m| (m.level.to_owned(), to_json(m))).collect();
        let value = json!({
            "system": name,
            "profile": recipe.profile,
            "runs": args.runs,
            "oracles": levels,
        });
        print::result(&format!("{value:#}"))?;
    }
    Ok(if args.runs == 0 { Exit::Vacuous } else { Exit::Clean })
}

fn measure(
    recipe: &Recipe,
    options: &RunOptions,
    level: &'static str,
    runs: u64,
) -> Result<Measured, CliError> {
    let mut sum = Measured {
        level,
        runs,
        events: 0,
        commits: 0,
        wall_ms: 0,
        per_run_us: Histogram::default(),
        unclean: 0,
    };
    let watch = Stopwatch::start();
    for seed in 0..runs {
        let own = Stopwatch::start();
        let schedule = recipe.schedule(seed).map_err(|error| resolve::refused(&error))?;
        let outcome = recipe.system.run(&schedule, options);
        sum.events += outcome.stats.events;
        sum.commits += outcome.stats.commits;
        sum.unclean += u64::from(!matches!(outcome.verdict, Verdict::Clean | Verdict::Excused(_)));
        sum.per_run_us.add(u64::try_from(own.elapsed().as_micros()).unwrap_or(u64::MAX));
    }
    sum.wall_ms = watch.millis();
    Ok(sum)
}

fn to_json(m: &Measured) -> serde_json::Value {
    json!({
        "events": m.events,
        "commits": m.commits,
        "wall_s": decimal(&seconds(m.wall_ms)),
        "events_per_s": per_second(m.events, m.wall_ms),
        "runs_per_s": per_second(m.runs, m.wall_ms),
        "run_us": {
            "p10": m.per_run_us.percentile(10),
            "p50": m.per_run_us.percentile(50),
            "p90": m.per_run_us.percentile(90),
            "max": m.per_run_us.max(),
        },
        "unclean": m.unclean,
    })
}
