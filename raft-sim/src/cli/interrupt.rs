//! Being stopped politely: the first signal ends a campaign after its report, a later one at once.
//!
//! **Intuition.** A signal only sets a flag; whoever loops looks at it between two runs, so a
//! partial report is always whole. `timeout` and process managers send one stop twice, to the
//! process and to its group, so only a signal well after the first ends the process at once.
//! **Source.** Shell convention: 128 + signal number.
//! **Upholds.** —
//! **Not here.** Writing the partial report (`cli/fuzz.rs`).

use std::{
    sync::{
        Arc,
        atomic::{AtomicI32, Ordering},
    },
    time::Duration,
};

use signal_hook::{
    consts::{SIGINT, SIGTERM},
    iterator::Signals,
};

use crate::cli::{exit::Exit, print, progress::Stopwatch};

/// A signal this soon after the first is the same stop, told twice.
const ONE_STOP: Duration = Duration::from_millis(300);

/// A flag that SIGINT or SIGTERM raises. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Interrupt {
    signal: Arc<AtomicI32>,
}

impl Interrupt {
    /// Listens from now on. Where signals cannot be caught, nothing ever raises the flag.
    #[must_use]
    pub fn listen() -> Self {
        let interrupt = Self::default();
        match Signals::new([SIGINT, SIGTERM]) {
            Ok(signals) => {
                let flag = interrupt.signal.clone();
                #[expect(clippy::disallowed_methods, reason = "waits for signals, outside any run")]
                let _listener = std::thread::spawn(move || wait(signals, &flag));
            }
            Err(error) => print::note(&format!("raft-sim: signals cannot be caught: {error}")),
        }
        interrupt
    }

    /// Which exit code the signal asks for, if one came.
    #[must_use]
    pub fn exit(&self) -> Option<Exit> {
        exit_of(self.signal.load(Ordering::Relaxed))
    }

    /// Whether a signal came.
    #[must_use]
    pub fn raised(&self) -> bool {
        self.exit().is_some()
    }
}

const fn exit_of(signal: i32) -> Option<Exit> {
    match signal {
        SIGINT => Some(Exit::Interrupted),
        SIGTERM => Some(Exit::Terminated),
        _ => None,
    }
}

/// Raises the flag at the first signal and ends the process at a later one: whoever asks again
/// does not want to wait for a run that does not end.
fn wait(mut signals: Signals, flag: &AtomicI32) {
    let mut first: Option<Stopwatch> = None;
    for signal in signals.forever() {
        match &first {
            None => {
                flag.store(signal, Ordering::Relaxed);
                first = Some(Stopwatch::start());
            }
            Some(watch) if watch.elapsed() < ONE_STOP => {}
            Some(_) => {
                std::process::exit(exit_of(signal).map_or(130, |exit| i32::from(exit.code())))
            }
        }
    }
}
