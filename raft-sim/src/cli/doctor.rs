//! `doctor`: is this machine and build fit to trust a seed?
//!
//! **Intuition.** The same seeds must give the same digests twice in one process and, with
//! `--fresh`, in a process of its own, where addresses and hash seeds are different.
//! **Source.** Ours.
//! **Upholds.** `inv:pure`.
//! **Not here.** The same check inside campaigns (`fuzz/trial.rs`).

use std::{process::Command, thread};

use serde_json::json;

use crate::{
    cli::{
        args::{DigestArgs, DoctorArgs, PlanArgs},
        error::CliError,
        exit::Exit,
        print, resolve,
    },
    fuzz::{divergence, guard, recipe::Recipe},
    outcome::RunOptions,
    random::{
        prf::{Prf, RunKey},
        token::GENERATOR,
    },
    system::System,
};

/// Inputs and outputs of the keyed hash that no release may change.
const VECTORS: &[(&[u64], u64)] = &[
    (&[], 0xabac_0158_050f_c4dc),
    (&[0], 0x5cb9_6f6b_a2a4_fcfc),
    (&[1, 2], 0x6c63_0018_434b_d4cc),
];

/// Runs the command.
///
/// # Errors
/// Bad arguments; a process that cannot be started; stdout that cannot be written.
pub(super) fn run(systems: &[System], args: &DoctorArgs) -> Result<Exit, CliError> {
    let recipe = resolve::recipe(systems, &args.plan, None, 0)?;
    let options = options(&args.plan)?;
    let vectors_ok = VECTORS.iter().all(|&(words, expected)| hash(words) == Some(expected));

    let mut first = Vec::new();
    let mut differing = Vec::new();
    for seed in 0..args.runs {
        let (line, differs) = twice(&recipe, &options, seed)?;
        first.push(line);
        differing.extend(differs.map(|place| format!("seed {seed}, same process: {place}")));
    }
    if args.fresh {
        let other = fresh(&recipe, args)?;
        let pairs =
            first.iter().zip(other.iter().map(String::as_str).chain(core::iter::repeat("nothing")));
        for (ours, theirs) in pairs.filter(|(ours, theirs)| ours.as_str() != *theirs) {
            differing.push(format!("fresh process: `{theirs}` there, `{ours}` here"));
        }
    }

    let exit = if !vectors_ok {
        Exit::Internal
    } else if !differing.is_empty() {
        Exit::Nondeterminism
    } else if args.runs == 0 {
        Exit::Vacuous
    } else {
        Exit::Clean
    };
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let build = if cfg!(debug_assertions) { "debug" } else { "release" };
    if !args.output.quiet {
        let mut told = format!(
            "raft-sim {} (generator rs{GENERATOR}), {} {}\n\
             {}-{}, {build} build, {cores} cores\n\
             keyed hash: {}\n\
             determinism: {} seeds twice in one process{}: {}",
            env!("CARGO_PKG_VERSION"),
            recipe.system.name,
            recipe.system.version,
            std::env::consts::ARCH,
            std::env::consts::OS,
            if vectors_ok { "golden vectors agree" } else { "GOLDEN VECTORS DIFFER" },
            args.runs,
            if args.fresh { " and in a fresh one" } else { "" },
            if differing.is_empty() { "all digests agree" } else { "DIGESTS DIFFER" },
        );
        for line in &differing {
            told.push_str(&format!("\n  {line}"));
        }
        if args.output.json { print::note(&told) } else { print::result(&told)? }
    }
    if args.output.json {
        let value = json!({
            "simulator": env!("CARGO_PKG_VERSION"),
            "generator": GENERATOR,
            "system": recipe.system.name,
            "system_version": recipe.system.version,
            "arch": std::env::consts::ARCH,
            "os": std::env::consts::OS,
            "build": build,
            "cores": cores,
            "golden_vectors": vectors_ok,
            "seeds": args.runs,
            "fresh": args.fresh,
            "differing": differing,
            "exit": { "code": exit.code(), "name": exit.name() },
        });
        print::result(&format!("{value:#}"))?;
    }
    Ok(exit)
}

/// Prints one line a seed for [`run`] in another process.
///
/// # Errors
/// As [`run`].
pub(super) fn digests(systems: &[System], args: &DigestArgs) -> Result<Exit, CliError> {
    let recipe = resolve::recipe(systems, &args.plan, None, 0)?;
    let options = options(&args.plan)?;
    for seed in 0..args.runs {
        print::result(&line(&recipe, &options, seed)?)?;
    }
    Ok(Exit::Clean)
}

fn options(args: &PlanArgs) -> Result<RunOptions, CliError> {
    Ok(RunOptions { without: resolve::oracles(&args.without_oracle)?, ..RunOptions::default() })
}

fn hash(words: &[u64]) -> Option<u64> {
    let prf = Prf::new(RunKey { k0: 0x0706_0504_0302_0100, k1: 0x0f0e_0d0c_0b0a_0908 });
    match *words {
        [] => Some(prf.hash([])),
        [a] => Some(prf.hash([a])),
        [a, b] => Some(prf.hash([a, b])),
        _ => None,
    }
}

fn line(recipe: &Recipe, options: &RunOptions, seed: u64) -> Result<String, CliError> {
    let schedule = recipe.schedule(seed).map_err(|error| resolve::refused(&error))?;
    Ok(match guard::run(&recipe.system, &schedule, options) {
        Ok(outcome) => format!("{seed} {:016x} {}", outcome.digest, outcome.stats.events),
        Err(crash) => format!("{seed} panic {}:{}", crash.file.display(), crash.line),
    })
}

/// Runs `seed` twice. Also says where the runs parted, if they did.
fn twice(
    recipe: &Recipe,
    options: &RunOptions,
    seed: u64,
) -> Result<(String, Option<String>), CliError> {
    let (ours, theirs) = (line(recipe, options, seed)?, line(recipe, options, seed)?);
    if ours == theirs {
        return Ok((ours, None));
    }
    let schedule = recipe.schedule(seed).map_err(|error| resolve::refused(&error))?;
    let left = guard::run(&recipe.system, &schedule, options);
    let right = guard::run(&recipe.system, &schedule, options);
    let place = divergence::locate(&recipe.system, &schedule, options, &left, &right);
    Ok((ours, Some(place.to_string())))
}

fn fresh(recipe: &Recipe, args: &DoctorArgs) -> Result<Vec<String>, CliError> {
    let failed = |why: String| CliError::Internal(format!("a fresh process could not run: {why}"));
    let program = std::env::current_exe().map_err(|error| failed(error.to_string()))?;
    let mut command = Command::new(program);
    command.args(["digest", "--runs", &args.runs.to_string()]);
    command.args(["--system", recipe.system.name, "--profile", &recipe.profile]);
    let repeated = [
        ("--set", &args.plan.settings),
        ("--only", &args.plan.only),
        ("--without", &args.plan.without),
        ("--without-oracle", &args.plan.without_oracle),
    ];
    for (flag, values) in repeated {
        for value in values {
            command.args([flag, value]);
        }
    }
    let output = command.output().map_err(|error| failed(error.to_string()))?;
    if !output.status.success() {
        return Err(failed(String::from_utf8_lossy(&output.stderr).into_owned()));
    }
    Ok(String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect())
}

#[cfg(test)]
mod tests {
    use super::{VECTORS, hash};

    #[test]
    fn the_vectors_are_the_generators_own() {
        for &(words, expected) in VECTORS {
            assert_eq!(hash(words), Some(expected));
        }
    }
}
