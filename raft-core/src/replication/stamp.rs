//! The replicated clock: nanoseconds led under quorum contact.
//!
//! **Intuition.** Layers above need a clock that all replicas agree on and that no outage can
//! rush. The leader stamps each entry with the stamp it took over plus the time it has led while a
//! quorum answered; time without an answering quorum does not count.
//! **Source.** Ours; D-Z4 and T-6.3-06 show what wall clocks do.
//! **Upholds.** `inv:monotone` (stamps never fall along a log).
//! **Not here.** Who uses it.

use crate::types::Instant;

/// The clock of one reign.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct LedClock {
    stamp: u64,
    counted_until: Instant,
}

impl LedClock {
    /// Takes over at `now` from a log whose last stamp is `stamp`.
    pub(crate) const fn start(stamp: u64, now: Instant) -> Self {
        Self { stamp, counted_until: now }
    }

    /// Counts up to `now`, of which only the time before `contact + period` was led.
    pub(crate) fn advance(&mut self, now: Instant, contact: Instant, period_ns: u64) -> u64 {
        let until = now.min(contact.plus(period_ns));
        self.stamp = self.stamp.saturating_add(until.since(self.counted_until));
        self.counted_until = self.counted_until.max(until);
        self.stamp
    }

    /// A newer contact: the gap before it, if any, was not led.
    pub(crate) fn on_contact(&mut self, contact: Instant) {
        self.counted_until = self.counted_until.max(contact);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outage_does_not_count() {
        let mut clock = LedClock::start(1_000, Instant(50));
        assert_eq!(clock.advance(Instant(60), Instant(50), 30), 1_010);
        assert_eq!(clock.advance(Instant(200), Instant(50), 30), 1_030, "led until 80 only");
        clock.on_contact(Instant(190));
        assert_eq!(clock.advance(Instant(200), Instant(190), 30), 1_040);
        assert_eq!(clock.advance(Instant(195), Instant(190), 30), 1_040, "never back");
    }
}
