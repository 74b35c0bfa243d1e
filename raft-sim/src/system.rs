//! A system under test by name: what the command line and campaigns hold.
//!
//! **Intuition.** The world is compiled once per process type; this value hides the type behind
//! function pointers, so a user's binary lists its systems and gets every command.
//! **Source.** Ours.
//! **Upholds.** Nothing of its own; every system is held to the same invariants.
//! **Not here.** The trait itself (`process/mod.rs`).

use core::panic::AssertUnwindSafe;
use std::panic::catch_unwind;

use crate::{
    fault::schedule::Schedule,
    outcome::{FatesMet, RunOptions, RunOutcome, RunStats, Verdict},
    process::{Process, Promises},
    world::observe::progress,
};

/// One system. Copy it freely.
#[derive(Clone, Copy, Debug)]
pub struct System {
    /// Name for `--system` and traces.
    pub name: &'static str,
    /// Version for traces.
    pub version: &'static str,
    /// What it promises.
    pub promises: Promises,
    variant: u8,
    run: fn(&Schedule, &RunOptions, u8) -> RunOutcome,
}

impl System {
    /// The system of process type `P`.
    #[must_use]
    pub fn of<P: Process>() -> Self {
        Self::variant::<P>(P::NAME, 0)
    }

    /// The system `name`: process type `P`, whose processes are told `variant` when they start. A
    /// family of systems that differ in one number is compiled once.
    #[must_use]
    pub fn variant<P: Process>(name: &'static str, variant: u8) -> Self {
        Self {
            name,
            variant,
            version: P::VERSION,
            promises: P::promises(),
            run: crate::world::run::<P>,
        }
    }

    /// Runs `schedule`. A panic of the system ends the run with [`Verdict::Panic`]; whoever calls
    /// decides what the panic hook prints meanwhile.
    #[must_use]
    pub fn run(&self, schedule: &Schedule, options: &RunOptions) -> RunOutcome {
        // Nothing of a run survives it but the outcome, so a broken value cannot be seen later.
        let caught = catch_unwind(AssertUnwindSafe(|| (self.run)(schedule, options, self.variant)));
        caught.unwrap_or_else(|payload| {
            let (event, at, node) = progress();
            let message = panic_text(payload.as_ref());
            RunOutcome {
                verdict: Verdict::Panic { message, node, event, at },
                digest: 0,
                stats: RunStats { events: event, virtual_ns: at, ..RunStats::empty() },
                materialised: None,
                fates: FatesMet::default(),
                checkpoints: Vec::new(),
                trace: Vec::new(),
                history: Vec::new(),
            }
        })
    }
}

fn panic_text(payload: &(dyn core::any::Any + Send)) -> String {
    if let Some(text) = payload.downcast_ref::<&str>() {
        (*text).to_owned()
    } else if let Some(text) = payload.downcast_ref::<String>() {
        text.clone()
    } else {
        "a panic without words".to_owned()
    }
}
