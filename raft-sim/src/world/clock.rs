//! Local clocks: each runs at its own rate from its own origin.
//!
//! **Intuition.** A node's clock is a straight line over world time. Rates are in parts per
//! billion and all arithmetic is on integers, so that the same instant is the same number on every
//! machine.
//! **Source.** Ours.
//! **Upholds.** `inv:pure`.
//! **Not here.** Timers (`host.rs`).

use crate::process::Ns;

const BILLION: u64 = 1_000_000_000;

/// One node's clock.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    origin: Ns,
    /// Magnitude of the rate error, and whether the clock runs slow.
    ppb: u64,
    slow: bool,
}

impl Clock {
    /// A clock that shows `origin` at world time 0 and is `ppb` parts per billion fast. Errors of
    /// half the rate and more are cut to that.
    pub(crate) fn new(origin: Ns, ppb: i64) -> Self {
        Self { origin, ppb: ppb.unsigned_abs().min(BILLION / 2), slow: ppb < 0 }
    }

    fn error(&self, time: Ns) -> u64 {
        let (seconds, rest) = (time / BILLION, time % BILLION);
        seconds.saturating_mul(self.ppb).saturating_add(rest * self.ppb / BILLION)
    }

    /// What the clock shows at world time `time`.
    pub(crate) fn local(&self, time: Ns) -> Ns {
        let drifted = match (self.ppb, self.slow) {
            (0, _) => time,
            (_, false) => time.saturating_add(self.error(time)),
            (_, true) => time.saturating_sub(self.error(time)),
        };
        self.origin.saturating_add(drifted)
    }

    /// The first world time at which the clock shows `local` or more.
    pub(crate) fn world(&self, local: Ns) -> Ns {
        let target = local.saturating_sub(self.origin);
        if self.ppb == 0 {
            return target;
        }
        let target = self.origin.saturating_add(target);
        let elapsed = target - self.origin;
        // Each step goes as far as is certainly not too far, and closes all but the square of the
        // rate error of the gap; two or three steps suffice.
        let mut time = 0u64;
        let mut gap = elapsed;
        while gap > 0 {
            let error = self.error(gap);
            let stride = if self.slow { gap.saturating_add(error) } else { gap - error };
            time = time.saturating_add(stride.max(1));
            gap = target.saturating_sub(self.local(time));
        }
        while time > 0 && self.local(time - 1) >= target {
            time -= 1;
        }
        time
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn world_is_the_first_moment_that_shows_the_time() {
        for ppb in [0, 1, -1, 1_000_000, -1_000_000, 50_000_000, -50_000_000, 499_999_999] {
            let clock = Clock::new(77, ppb);
            for local in [77, 78, 1000, 123_456_789, 9_876_543_210, 250_000_000_000] {
                let time = clock.world(local);
                assert!(clock.local(time) >= local, "{ppb} {local}");
                assert!(time == 0 || clock.local(time - 1) < local, "{ppb} {local}");
            }
        }
    }

    #[test]
    fn a_time_before_the_origin_is_reached_at_once() {
        assert_eq!(Clock::new(100, 5).world(3), 0);
    }

    #[test]
    fn rates_are_exact() {
        let clock = Clock::new(0, 1_000_000);
        assert_eq!(clock.local(1_000_000_000), 1_001_000_000);
        assert_eq!(Clock::new(0, -1_000_000).local(1_000_000_000), 999_000_000);
    }
}
