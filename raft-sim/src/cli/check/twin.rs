//! `check --twin`: the checker against brute force, on as many histories as asked for.
//!
//! **Intuition.** Every kind of history in turn, each batch from a seed of its own, so the result
//! does not depend on how many threads worked. The tests compare fewer of the same.
//! **Source.** Ours.
//! **Upholds.** `inv:linearizable` (its checker).
//! **Not here.** The comparison (`lin/twin.rs`).

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    thread,
};

use serde_json::json;

use crate::{
    cli::{
        args::CheckArgs,
        error::CliError,
        exit::Exit,
        interrupt::Interrupt,
        print,
        progress::{Progress, Stopwatch, seconds},
        resolve,
    },
    lin::twin::{Disagreement, Subject, Tally, campaign, every_register_history},
    report::json::decimal,
};

/// Histories of one seed.
const BATCH: u64 = 10_000;
/// From this many histories on, all those of five operations are compared as well.
const MANY: u64 = 1_000_000;

/// Tallies by subject, and the first difference.
type Found = ([Tally; Subject::ALL.len()], Option<(Subject, Box<Disagreement>)>);

/// Runs the comparison.
///
/// # Errors
/// Bad arguments; stdout that cannot be written.
pub(super) fn run(args: &CheckArgs, runs: u64) -> Result<Exit, CliError> {
    let jobs = resolve::jobs(args.jobs)?;
    let interrupt = Interrupt::listen();
    let watch = Stopwatch::start();
    // With a campaign worth the name, all small histories first.
    let ops_max = if runs >= MANY { 5 } else { 4 };
    let every = every_register_history(ops_max);
    if !args.output.json
        && let Ok(tally) = &every
    {
        let small = format!("every register history of up to {ops_max} operations");
        print::result(&format!("{small}: {}", in_words(tally)))?;
    }
    let next = AtomicU64::new(0);
    let batches = runs.div_ceil(BATCH);
    let found: Mutex<Found> = Mutex::default();
    let mut progress = Progress::new(args.output.quiet, batches);
    thread::scope(|scope| {
        let work = || {
            loop {
                let batch = next.fetch_add(1, Ordering::Relaxed);
                if batch >= batches || interrupt.raised() {
                    return;
                }
                let kind = (batch % Subject::ALL.len() as u64) as usize;
                let size = BATCH.min(runs - batch * BATCH);
                let result = campaign(Subject::ALL[kind], batch, size);
                let mut found = found.lock().unwrap_or_else(PoisonError::into_inner);
                match result {
                    Ok(tally) => found.0[kind].add(tally),
                    Err(differs) => {
                        found.1.get_or_insert((Subject::ALL[kind], differs));
                        next.store(batches, Ordering::Relaxed);
                    }
                }
            }
        };
        let workers: Vec<_> = (0..jobs).map(|_| scope.spawn(work)).collect();
        while workers.iter().any(|worker| !worker.is_finished()) {
            thread::park_timeout(core::time::Duration::from_millis(100));
            progress.tick(next.load(Ordering::Relaxed).min(batches), |done| {
                format!("{} histories compared", done * BATCH)
            });
        }
    });
    progress.finish();
    let (tallies, differs) = found.into_inner().unwrap_or_else(PoisonError::into_inner);
    let differs = differs.or(every.err().map(|differs| (Subject::Register, differs)));
    let mut sum = Tally::default();
    tallies.iter().for_each(|tally| sum.add(*tally));
    if !args.output.json {
        for (subject, tally) in Subject::ALL.iter().zip(&tallies) {
            print::result(&format!("{:<15} {}", subject.name(), in_words(tally)))?;
        }
        let wall = seconds(watch.millis());
        let end = if differs.is_none() { "all agree" } else { "STOPPED at a difference" };
        print::result(&format!("{:<15} {}: {end}, in {wall} s", "all", in_words(&sum)))?;
    }
    if let Some((subject, differs)) = &differs {
        print::note(&format!("raft-sim: {}: {differs}", subject.name()));
    }
    let enough = sum.illegal * 100 >= sum.histories * 30 && sum.unknown * 100 >= sum.histories * 20;
    let exit = match (&differs, interrupt.exit()) {
        (Some(_), _) => Exit::Violation,
        (None, Some(signal)) => signal,
        (None, None) if sum.histories == 0 || !enough => Exit::Vacuous,
        (None, None) => Exit::Clean,
    };
    if args.output.json {
        let each: serde_json::Map<_, _> = Subject::ALL
            .iter()
            .zip(&tallies)
            .map(|(subject, tally)| (subject.name().to_owned(), to_json(tally)))
            .collect();
        let value = json!({
            "all": to_json(&sum),
            "subjects": each,
            "difference": differs.map(|(_, differs)| differs.to_string()),
            "wall_s": decimal(&seconds(watch.millis())),
            "exit": { "code": exit.code(), "name": exit.name() },
        });
        print::result(&format!("{value:#}"))?;
    }
    Ok(exit)
}

fn in_words(tally: &Tally) -> String {
    let Tally { histories, illegal, unknown } = *tally;
    let percent = |part: u64| part * 100 / histories.max(1);
    format!(
        "{histories} histories, {illegal} illegal ({} %), {unknown} with an unknown outcome ({} %)",
        percent(illegal),
        percent(unknown)
    )
}

fn to_json(tally: &Tally) -> serde_json::Value {
    json!({
        "histories": tally.histories,
        "illegal": tally.illegal,
        "unknown": tally.unknown,
    })
}
