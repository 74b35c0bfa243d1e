//! A campaign of byte inputs against the core, without any fuzzing engine.
//!
//! `cargo run --release -p raft-proptest --example bytefuzz -- wire --inputs 100000000`
//!
//! Modes: `wire` (frames and records), `boot` (disks), `steps` (programs of hostile inputs). Input
//! n of a seed is always the same. Progress goes to stderr, figures to stdout. Exit codes:
//! 0 nothing broke, 1 something did, 2 usage, 4 vacuous: too few inputs came past the first check.

use std::{ops::ControlFlow, process::ExitCode};

use raft_proptest::bytes::{
    campaign::{Figures, Mode, run},
    steps::tell_steps,
};
use raft_sim::{
    cli::progress::{Progress, Stopwatch, per_second, seconds},
    fuzz::pool,
};

const USAGE: &str = "usage: bytefuzz wire|boot|steps [--inputs N] [--steps N] [--seed N] [--jobs N] \
                     [--only NUMBER] [--quiet]";
/// Inputs of one piece of work.
const PIECE: u64 = 10_000;

#[derive(Clone, Copy, Debug)]
struct Wanted {
    mode: Mode,
    inputs: u64,
    /// Stop as soon as that many steps were made.
    steps: Option<u64>,
    seed: u64,
    jobs: usize,
    only: Option<u64>,
    quiet: bool,
}

fn parse(mut words: impl Iterator<Item = String>) -> Option<Wanted> {
    let mode = Mode::named(&words.next()?)?;
    let mut wanted =
        Wanted { mode, inputs: 1_000_000, steps: None, seed: 1, jobs: 1, only: None, quiet: false };
    while let Some(word) = words.next() {
        if word == "--quiet" {
            wanted.quiet = true;
            continue;
        }
        let value: u64 = words.next()?.replace('_', "").parse().ok()?;
        match word.as_str() {
            "--inputs" => wanted.inputs = value,
            "--steps" => (wanted.steps, wanted.inputs) = (Some(value), u64::MAX),
            "--seed" => wanted.seed = value,
            "--jobs" => wanted.jobs = usize::try_from(value).ok()?.max(1),
            "--only" => wanted.only = Some(value),
            _ => return None,
        }
    }
    Some(wanted)
}

/// The most bytes that `work` held at once.
fn measure(work: &mut dyn FnMut()) -> u64 {
    allocation_counter::measure(work).bytes_max
}

fn campaign(wanted: &Wanted) -> Figures {
    let Wanted { mode, inputs, seed, .. } = *wanted;
    if let Some(number) = wanted.only {
        if mode == Mode::Steps {
            // The whole story first; what breaks breaks here, and once more below to be counted.
            let input = mode.input(seed, number);
            let _broken =
                std::panic::catch_unwind(|| tell_steps(&input, |line| eprintln!("{line}")));
        }
        return run(mode, seed, number, number.saturating_add(1), measure);
    }
    // Programs differ in length by far more than their number says.
    let piece = if mode == Mode::Steps { PIECE / 100 } else { PIECE };
    let mut total = Figures::default();
    let mut progress = Progress::new(wanted.quiet, inputs);
    pool::in_order(
        wanted.jobs,
        Some(inputs.div_ceil(piece)),
        |part| {
            let from = part * piece;
            run(mode, seed, from, from.saturating_add(piece).min(inputs), measure)
        },
        |_, figures| {
            total.add(figures);
            progress.tick(total.inputs, |_| {
                let past = total.percent(total.past);
                format!("{} inputs, {past}% past the first check", total.inputs)
            });
            let enough = wanted.steps.is_some_and(|steps| total.tally.steps >= steps);
            if enough || total.broken.is_some() {
                return ControlFlow::Break(());
            }
            ControlFlow::Continue(())
        },
    );
    progress.finish();
    total
}

fn main() -> ExitCode {
    let Some(wanted) = parse(std::env::args().skip(1)) else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    let watch = Stopwatch::start();
    let figures = campaign(&wanted);
    let millis = watch.millis();
    print!("{figures}");
    println!("{} s, {} inputs a second", seconds(millis), per_second(figures.inputs, millis));
    if let Some(broken) = &figures.broken {
        let hex: String = broken.input.iter().map(|byte| format!("{byte:02x}")).collect();
        println!("BROKEN at input {} of seed {}: {}", broken.number, wanted.seed, broken.what);
        println!("bytes: {hex}");
        println!("rerun: the same command with --only {}", broken.number);
        return ExitCode::FAILURE;
    }
    if wanted.only.is_none() && figures.is_vacuous(wanted.mode) {
        println!("VACUOUS: too few inputs came past the first check");
        return ExitCode::from(4);
    }
    ExitCode::SUCCESS
}
