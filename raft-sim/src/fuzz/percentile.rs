//! Exact percentiles of whole numbers, in space that does not grow with the number of runs.
//!
//! **Intuition.** Counting how often each value occurred keeps everything a percentile needs, and
//! two counts add up to the count of both, so shards merge exactly.
//! **Source.** Nearest-rank percentiles.
//! **Upholds.** `inv:pure`: no floats.
//! **Not here.** Which values (`report/summary.rs`).

use std::collections::BTreeMap;

/// How often each value occurred.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Histogram {
    counts: BTreeMap<u64, u64>,
    total: u64,
}

impl Histogram {
    /// Counts `value` once.
    pub fn add(&mut self, value: u64) {
        *self.counts.entry(value).or_default() += 1;
        self.total += 1;
    }

    /// The smallest value such that at least `percent` of 100 values are no larger; 0 if empty.
    #[must_use]
    pub fn percentile(&self, percent: u64) -> u64 {
        let rank = (self.total * percent).div_ceil(100).max(1);
        let mut seen = 0;
        for (&value, &count) in &self.counts {
            seen += count;
            if seen >= rank {
                return value;
            }
        }
        self.max()
    }

    /// The largest value; 0 if empty.
    #[must_use]
    pub fn max(&self) -> u64 {
        self.counts.last_key_value().map_or(0, |(&value, _)| value)
    }

    /// How many values were counted.
    #[must_use]
    pub const fn total(&self) -> u64 {
        self.total
    }
}

#[cfg(test)]
mod tests {
    use super::Histogram;

    #[test]
    fn percentiles_are_nearest_rank() {
        let mut h = Histogram::default();
        assert_eq!(h.percentile(50), 0);
        for value in [15, 20, 35, 40, 50] {
            h.add(value);
        }
        let got = [5, 30, 40, 50, 100].map(|p| h.percentile(p));
        assert_eq!(got, [15, 20, 20, 35, 50]);
        assert_eq!(h.max(), 50);
    }

    #[test]
    fn agrees_with_a_sorted_list() {
        let mut h = Histogram::default();
        let mut list: Vec<u64> = (0..997_u64).map(|i| (i * 7919) % 131).collect();
        for &value in &list {
            h.add(value);
        }
        list.sort_unstable();
        for p in 1..=100 {
            let rank = (list.len() * p).div_ceil(100);
            assert_eq!(h.percentile(p as u64), list[rank - 1], "p{p}");
        }
    }
}
