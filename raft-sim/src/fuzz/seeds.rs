//! Sets of seeds as intervals: what a campaign was asked for and what it has done.
//!
//! **Intuition.** A campaign is a range of seeds; reports say which ranges are done, so that
//! nights never repeat and shards can be united.
//! **Source.** Ours.
//! **Upholds.** —
//! **Not here.** Tokens (`random/token.rs`).

use core::{fmt, ops::Range};

/// Ascending, disjoint, non-adjacent half-open intervals.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SeedSet {
    intervals: Vec<Range<u64>>,
}

impl SeedSet {
    /// Adds one seed. Ascending order is the quick case.
    pub fn add(&mut self, seed: u64) {
        // The largest seed has no half-open interval; saturating leaves it out of the set's end.
        let after = seed.saturating_add(1);
        let at = self.intervals.partition_point(|interval| interval.end < seed);
        match self.intervals.get_mut(at) {
            Some(interval) if interval.contains(&seed) => {}
            Some(interval) if interval.end == seed => interval.end = after,
            Some(interval) if interval.start == after => interval.start = seed,
            _ => self.intervals.insert(at, seed..after),
        }
        let end = (at + 2).min(self.intervals.len());
        if let [.., left, right] = &mut self.intervals[..end]
            && left.end == right.start
        {
            left.end = right.end;
            self.intervals.remove(at + 1);
        }
    }

    /// The intervals, ascending.
    #[must_use]
    pub fn intervals(&self) -> &[Range<u64>] {
        &self.intervals
    }
}

impl fmt::Display for SeedSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text: Vec<String> =
            self.intervals.iter().map(|i| format!("{}..{}", i.start, i.end)).collect();
        f.write_str(&text.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::SeedSet;

    #[test]
    fn any_order_of_adding_gives_the_same_intervals() {
        let seeds = [5_u64, 3, 4, 9, 0, 1, 10, 5, 7, 8, 2, 20];
        let mut set = SeedSet::default();
        let mut twin = BTreeSet::new();
        for seed in seeds {
            set.add(seed);
            twin.insert(seed);
            let listed: Vec<u64> = set.intervals().iter().cloned().flatten().collect();
            assert_eq!(listed, twin.iter().copied().collect::<Vec<_>>());
            assert!(set.intervals().windows(2).all(|w| w[0].end < w[1].start), "{set}");
        }
        assert_eq!(set.to_string(), "0..6, 7..11, 20..21");
    }
}
