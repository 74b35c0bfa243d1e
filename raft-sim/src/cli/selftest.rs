//! `selftest`: each planted bug of the naive system is found, and by the oracle made for it.
//!
//! **Intuition.** An oracle that never spoke has shown nothing. The default generator must bring
//! every bug to light, the same seeds without the bug must be clean, and it is worth knowing who
//! else would have noticed.
//! **Source.** Mutation testing.
//! **Upholds.** Every oracle's claim to work.
//! **Not here.** The bugs (`process/naive/bug.rs`), bugs of the real core (`cli/zoo/`).

use core::ops::ControlFlow;
use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::{
    cli::{
        args::SelftestArgs,
        error::CliError,
        exit::Exit,
        interrupt::Interrupt,
        print,
        progress::{Progress, Stopwatch, seconds},
        resolve,
    },
    fault::axes::AxisChoice,
    fuzz::{guard, pool, recipe::Recipe},
    oracle::OracleId,
    outcome::{RunOptions, Verdict},
    process::naive::{Bug, systems},
    system::System,
};

/// With its oracle off, a bug is looked for in this many seeds more.
const OTHERS_SEEDS: u64 = 64;

/// What became of one bug.
struct Caught {
    bug: Bug,
    oracle: OracleId,
    /// The first seed in which the oracle fired first.
    seed: Option<u64>,
    /// Oracles that fired first in earlier seeds, with counts.
    before: BTreeMap<&'static str, u64>,
    /// Who catches it with the oracle off, and in which seed.
    other: Option<(&'static str, u64)>,
    /// What the same seeds show without the bug; nothing is right.
    unclean: Option<String>,
}

impl Caught {
    fn passed(&self) -> bool {
        self.seed.is_some() && self.unclean.is_none()
    }
}

/// Runs the command.
///
/// # Errors
/// Bad arguments; stdout that cannot be written.
pub(super) fn run(args: &SelftestArgs) -> Result<Exit, CliError> {
    let jobs = resolve::jobs(args.jobs)?;
    let interrupt = Interrupt::listen();
    let mut progress = Progress::new(args.output.quiet, 0);
    let watch = Stopwatch::start();
    let wanted = |bug: &Bug| {
        args.bugs.is_empty() || args.bugs.iter().any(|part| bug.system().contains(part.as_str()))
    };
    let systems = systems();
    let mut bench = Bench { recipe: recipe(&systems, &args.profile)?, jobs, clean_below: 0 };
    let mut all = Vec::new();
    for (&bug, system) in Bug::ALL.iter().zip(&systems).filter(|(bug, _)| wanted(bug)) {
        let Some(oracle) = bug.breaks() else { continue };
        if let Some(exit) = interrupt.exit() {
            return Ok(exit);
        }
        progress.tick(all.len() as u64, |_| format!("{}: looking for {oracle}", bug.system()));
        let caught = bench.catch(bug, system, oracle, args.runs);
        if !args.output.quiet && !args.output.json {
            print::result(&told(&caught))?;
        }
        all.push(caught);
    }
    progress.finish();
    let failed = all.iter().filter(|caught| !caught.passed()).count();
    let unheard: Vec<&str> = OracleId::ALL
        .iter()
        .filter(|id| args.bugs.is_empty() && !all.iter().any(|c| c.oracle == **id && c.passed()))
        .map(|id| id.name())
        .collect();
    let exit = if all.is_empty() {
        Exit::Vacuous
    } else if failed > 0 || !unheard.is_empty() {
        Exit::Violation
    } else {
        Exit::Clean
    };
    let wall = seconds(watch.millis());
    let summary = format!(
        "{} bugs, {} caught by their oracle, {failed} not, in {wall} s{}",
        all.len(),
        all.len() - failed,
        if unheard.is_empty() {
            String::new()
        } else {
            format!("; oracles never heard: {}", unheard.join(", "))
        }
    );
    if args.output.json {
        let value = json!({
            "bugs": all.iter().map(to_json).collect::<Vec<_>>(),
            "unheard": unheard,
            "failed": failed,
            "wall_s": crate::report::json::decimal(&wall),
            "exit": { "code": exit.code(), "name": exit.name() },
        });
        print::result(&format!("{value:#}"))?;
    } else if !args.output.quiet {
        print::result(&summary)?;
    }
    Ok(exit)
}

fn recipe(systems: &[System], profile: &str) -> Result<Recipe, CliError> {
    let recipe = Recipe {
        system: resolve::system(systems, None)?,
        profile: profile.to_owned(),
        axes: AxisChoice::default(),
        settings: Vec::new(),
    };
    recipe.plan(0).map_err(|error| resolve::refused(&error))?;
    Ok(recipe)
}

struct Bench {
    /// Of the bug-free system.
    recipe: Recipe,
    jobs: usize,
    /// The bug-free system is known to be clean in seeds below this.
    clean_below: u64,
}

impl Bench {
    fn catch(&mut self, bug: Bug, system: &System, oracle: OracleId, seeds: u64) -> Caught {
        let mut caught =
            Caught { bug, oracle, seed: None, before: BTreeMap::new(), other: None, unclean: None };
        self.each(system, &[], 0..seeds, |seed, fired| match fired {
            Some(name) if name == oracle.name() => {
                caught.seed = Some(seed);
                ControlFlow::Break(())
            }
            Some(name) => {
                *caught.before.entry(name).or_default() += 1;
                ControlFlow::Continue(())
            }
            None => ControlFlow::Continue(()),
        });
        if let Some(seed) = caught.seed {
            // The seed that showed it first, then others.
            let range = seed..seeds.min(seed + OTHERS_SEEDS);
            self.each(system, &[oracle], range, |seed, fired| match fired {
                Some(name) => {
                    caught.other = Some((name, seed));
                    ControlFlow::Break(())
                }
                None => ControlFlow::Continue(()),
            });
            caught.unclean = self.unclean_without(seed + 1);
        }
        caught
    }

    /// Runs the bug-free system on all seeds below `end` that were not run yet.
    fn unclean_without(&mut self, end: u64) -> Option<String> {
        let mut unclean = None;
        let system = self.recipe.system;
        self.each(&system, &[], self.clean_below..end, |seed, fired| match fired {
            Some(name) => {
                unclean = Some(format!("{name} in seed {seed}"));
                ControlFlow::Break(())
            }
            None => ControlFlow::Continue(()),
        });
        if unclean.is_none() {
            self.clean_below = self.clean_below.max(end);
        }
        unclean
    }

    fn each(
        &self,
        system: &System,
        without: &[OracleId],
        seeds: core::ops::Range<u64>,
        mut take: impl FnMut(u64, Option<&'static str>) -> ControlFlow<()>,
    ) {
        let recipe = Recipe { system: *system, ..self.recipe.clone() };
        let options = RunOptions { without: without.to_vec(), ..RunOptions::default() };
        let count = seeds.end.saturating_sub(seeds.start);
        pool::in_order(
            self.jobs,
            Some(count),
            |number| fired(&recipe, &options, seeds.start + number),
            |number, fired| take(seeds.start + number, fired),
        );
    }
}

/// Name of what went wrong in `seed`.
fn fired(recipe: &Recipe, options: &RunOptions, seed: u64) -> Option<&'static str> {
    let Ok(schedule) = recipe.schedule(seed) else { return Some("no schedule") };
    match guard::run(&recipe.system, &schedule, options) {
        Ok(outcome) => match outcome.verdict {
            Verdict::Clean | Verdict::Excused(_) | Verdict::Inconclusive(_) => None,
            Verdict::Violation(violation) => Some(violation.oracle.name()),
            Verdict::Internal(_) => Some("internal"),
            Verdict::Panic { .. } => Some("panic"),
        },
        Err(_) => Some("panic"),
    }
}

fn told(caught: &Caught) -> String {
    let name = caught.bug.system();
    let found = match caught.seed {
        Some(seed) => format!("seed {seed}"),
        None => "NOT FOUND".to_owned(),
    };
    let before: Vec<String> =
        caught.before.iter().map(|(name, count)| format!("{name} ×{count}")).collect();
    let earlier = if before.is_empty() {
        String::new()
    } else {
        format!("; other seeds: {}", before.join(", "))
    };
    let other = match (caught.seed, caught.other) {
        (None, _) => String::new(),
        (_, Some((name, seed))) => format!("; with it off: {name} (seed {seed})"),
        (_, None) => format!("; with it off: nobody in {OTHERS_SEEDS} seeds"),
    };
    let unclean = match &caught.unclean {
        Some(what) => format!("; WITHOUT THE BUG NOT CLEAN: {what}"),
        None => String::new(),
    };
    format!("{name:<32} {:<28} {found}{earlier}{other}{unclean}", caught.oracle.name())
}

fn to_json(caught: &Caught) -> Value {
    json!({
        "bug": caught.bug.system(),
        "oracle": caught.oracle.name(),
        "seed": caught.seed,
        "seeds_needed": caught.seed.map(|seed| seed + 1),
        "before": caught.before,
        "other": caught.other.map(|(name, seed)| json!({ "oracle": name, "seed": seed })),
        "unclean_without_bug": caught.unclean,
        "passed": caught.passed(),
    })
}
