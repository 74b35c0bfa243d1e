//! Progress for people: one line on stderr, and the only clock that is not virtual.
//!
//! **Intuition.** A person wants to see that something moves; a log file wants a line now and
//! then. Nothing that is decided or written into a trace may depend on this file.
//! **Source.** Ours.
//! **Upholds.** `inv:pure` by keeping the wall clock in one place.
//! **Not here.** What is counted (`report/summary.rs`).

use std::{
    io::{IsTerminal, stderr},
    time::Duration,
};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::cli::print;

#[expect(clippy::disallowed_types, reason = "the one clock for people; no run can reach it")]
type WallClock = std::time::Instant;

/// Real time since it was started; for progress, `--time` and rates, never for a run.
#[derive(Clone, Copy, Debug)]
pub struct Stopwatch {
    started: WallClock,
}

impl Stopwatch {
    /// Starts it.
    #[must_use]
    pub fn start() -> Self {
        #[expect(
            clippy::disallowed_methods,
            reason = "the one clock for people; no run can reach it"
        )]
        let started = WallClock::now();
        Self { started }
    }

    /// How long ago it was started.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    /// The same in whole milliseconds.
    #[must_use]
    pub fn millis(&self) -> u64 {
        u64::try_from(self.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

/// Seconds with three places, for people and reports.
#[must_use]
pub fn seconds(millis: u64) -> String {
    format!("{}.{:03}", millis / 1000, millis % 1000)
}

/// `count` per second over `millis`, 0 if no time has passed.
#[must_use]
pub fn per_second(count: u64, millis: u64) -> u64 {
    u64::try_from(u128::from(count) * 1000 / u128::from(millis.max(1))).unwrap_or(u64::MAX)
}

/// The line on stderr: every second on a terminal, every 30 seconds elsewhere, never if quiet.
#[derive(Debug)]
pub struct Progress {
    watch: Stopwatch,
    next_ms: u64,
    period_ms: u64,
    bar: Option<ProgressBar>,
    quiet: bool,
}

impl Progress {
    /// A line for `total` runs (0: unknown).
    #[must_use]
    pub fn new(quiet: bool, total: u64) -> Self {
        let terminal = stderr().is_terminal();
        let bar = (terminal && !quiet).then(|| {
            let bar = ProgressBar::with_draw_target(
                (total > 0).then_some(total),
                ProgressDrawTarget::stderr_with_hz(1),
            );
            let template =
                if total > 0 { "{wide_bar} {pos}/{len} {msg}" } else { "{spinner} {pos} {msg}" };
            if let Ok(style) = ProgressStyle::with_template(template) {
                bar.set_style(style);
            }
            bar
        });
        let period_ms = if terminal { 1_000 } else { 30_000 };
        Self { watch: Stopwatch::start(), next_ms: period_ms, period_ms, bar, quiet }
    }

    /// Shows `line` if its time has come.
    pub fn tick(&mut self, done: u64, line: impl FnOnce(u64) -> String) {
        if self.quiet {
            return;
        }
        let now = self.watch.millis();
        if now < self.next_ms {
            return;
        }
        self.next_ms = now + self.period_ms;
        match &self.bar {
            Some(bar) => {
                bar.set_position(done);
                bar.set_message(line(now));
            }
            None => print::note(&line(now)),
        }
    }

    /// Prints `text` on stderr without disturbing the line. Findings are told even if quiet.
    pub fn tell(&self, text: &str) {
        match &self.bar {
            Some(bar) => bar.suspend(|| print::note(text)),
            None => print::note(text),
        }
    }

    /// Removes the line.
    pub fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{per_second, seconds};

    #[test]
    fn rates_and_seconds_are_integers_all_the_way() {
        assert_eq!(seconds(61_007), "61.007");
        assert_eq!(per_second(3_000, 1_500), 2_000);
        assert_eq!(per_second(7, 0), 7_000);
    }
}
