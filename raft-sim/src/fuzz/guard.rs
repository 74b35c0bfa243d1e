//! A run behind a guard: a panic is silent, and known with its place in the source.
//!
//! **Intuition.** A system that panics on an input has failed like one that breaks an invariant,
//! and is found, told and deduplicated the same way. A panic of the simulator's own code is a
//! broken harness and must never look like a bug of the system.
//! **Source.** Ours.
//! **Upholds.** —
//! **Not here.** Catching it (`system.rs`), what becomes of the failure (`trial.rs`).

use std::{
    cell::{Cell, RefCell},
    panic::{self, PanicHookInfo},
    path::{Path, PathBuf},
    sync::Once,
};

use crate::{
    fault::schedule::Schedule,
    outcome::{RunOptions, RunOutcome, Verdict},
    system::System,
};

/// A panic during a run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Crash {
    /// Source file, as the compiler named it.
    pub file: PathBuf,
    /// Line in it.
    pub line: u32,
    /// What was said.
    pub message: String,
    /// Node whose turn it was; 0 for none.
    pub node: u64,
    /// Number of the event.
    pub event: u64,
    /// World time.
    pub at_ns: u64,
}

impl Crash {
    /// Whether it came from the simulator rather than from a process it ran.
    #[must_use]
    pub fn is_ours(&self) -> bool {
        let ours = Path::new("raft-sim/src");
        let process = ours.join("process");
        // The compiler's path is relative to the workspace or absolute: look for the part.
        let within = |part: &Path| self.file.to_string_lossy().contains(&*part.to_string_lossy());
        within(ours) && !within(&process)
    }
}

thread_local! {
    static GUARDED: Cell<bool> = const { Cell::new(false) };
    static PLACE: RefCell<(PathBuf, u32)> = RefCell::default();
}

static HOOK: Once = Once::new();

/// Runs `schedule` on `system`.
///
/// # Errors
/// The panic, if there was one.
pub fn run(
    system: &System,
    schedule: &Schedule,
    options: &RunOptions,
) -> Result<Box<RunOutcome>, Crash> {
    judge(Box::new(guarded(|| system.run(schedule, options))))
}

/// Does `work`, which runs systems, without a word of their panics.
pub fn guarded<T>(work: impl FnOnce() -> T) -> T {
    HOOK.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if GUARDED.get() {
                PLACE.with_borrow_mut(|place| *place = place_of(info));
            } else {
                before(info);
            }
        }));
    });
    GUARDED.set(true);
    let done = work();
    GUARDED.set(false);
    done
}

/// Tells a panic from other outcomes, right after it was [`guarded`] on this thread.
///
/// # Errors
/// The panic, if there was one.
pub fn judge(outcome: Box<RunOutcome>) -> Result<Box<RunOutcome>, Crash> {
    match &outcome.verdict {
        Verdict::Panic { message, node, event, at } => {
            let (file, line) = PLACE.take();
            let message = message.clone();
            Err(Crash { file, line, message, node: *node, event: *event, at_ns: *at })
        }
        _ => Ok(outcome),
    }
}

fn place_of(info: &PanicHookInfo<'_>) -> (PathBuf, u32) {
    info.location().map_or_else(Default::default, |l| (PathBuf::from(l.file()), l.line()))
}

#[cfg(test)]
mod tests {
    use super::Crash;

    #[test]
    fn the_simulators_own_panics_are_told_apart() {
        let at = |file: &str| Crash { file: file.into(), ..Crash::default() }.is_ours();
        assert!(at("raft-sim/src/world/mod.rs"));
        assert!(at("/somewhere/raft-sim/src/net/link.rs"));
        assert!(!at("raft-sim/src/process/core.rs"));
        assert!(!at("raft-core/src/node.rs"));
        assert!(!at("/users/own/raft.rs"));
    }
}
