//! Being stopped politely: the first signal ends a campaign after its report, the second at once.
//!
//! **Intuition.** A signal only sets a flag; whoever loops looks at it between two runs, so a
//! partial report is always whole.
//! **Source.** Shell convention: 128 + signal number.
//! **Upholds.** —
//! **Not here.** Writing the partial report (`cli/fuzz.rs`).

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

use signal_hook::{
    consts::{SIGINT, SIGTERM},
    flag,
};

use crate::cli::{exit::Exit, print};

/// A flag that SIGINT or SIGTERM raises. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Interrupt {
    signal: Arc<AtomicUsize>,
}

impl Interrupt {
    /// Listens from now on. Where signals cannot be caught, nothing ever raises the flag.
    #[must_use]
    pub fn listen() -> Self {
        let interrupt = Self::default();
        let armed = Arc::new(AtomicBool::new(false));
        for (signal, exit) in [(SIGINT, Exit::Interrupted), (SIGTERM, Exit::Terminated)] {
            // The order matters: a second signal finds the flag armed by the first and leaves.
            let registered =
                flag::register_conditional_shutdown(signal, i32::from(exit.code()), armed.clone())
                    .and_then(|_| flag::register(signal, armed.clone()))
                    .and_then(|_| {
                        let number = usize::try_from(signal).unwrap_or(1);
                        flag::register_usize(signal, interrupt.signal.clone(), number)
                    });
            if let Err(error) = registered {
                print::note(&format!("raft-sim: signal {signal} cannot be caught: {error}"));
            }
        }
        interrupt
    }

    /// Which exit code the signal asks for, if one came.
    #[must_use]
    pub fn exit(&self) -> Option<Exit> {
        match self.signal.load(Ordering::Relaxed) {
            0 => None,
            signal if i32::try_from(signal) == Ok(SIGTERM) => Some(Exit::Terminated),
            _ => Some(Exit::Interrupted),
        }
    }

    /// Whether a signal came.
    #[must_use]
    pub fn raised(&self) -> bool {
        self.exit().is_some()
    }
}
