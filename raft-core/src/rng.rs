//! The node's own jitter: draw `n` is a function of the boot seed and `n`.
//!
//! **Intuition.** Randomised timeouts need numbers that differ between nodes and repeat for a
//! replay. A counter pushed through a strong mixer gives both, and the draw does not depend on
//! who else drew.
//! **Source.** SplitMix64's finalizer (Steele, Lea, Flood 2014); B-011 is what happens when nodes
//! share their draws. Frozen: the vectors below are golden.
//! **Upholds.** `inv:pure`, `inv:live`.
//! **Not here.** What is drawn (`timer.rs`).

/// Draw counter of one boot.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Jitter {
    seed: u64,
    drawn: u64,
}

/// Mixes a seed and a number into 64 well-spread bits.
pub(crate) const fn mix(seed: u64, n: u64) -> u64 {
    let mut z = seed.wrapping_add(n.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

impl Jitter {
    pub(crate) const fn new(seed: u64) -> Self {
        Self { seed, drawn: 0 }
    }

    /// A number in `[low, high]`, `low` if the range is empty.
    pub(crate) fn between(&mut self, low: u64, high: u64) -> u64 {
        let draw = mix(self.seed, self.drawn);
        self.drawn = self.drawn.wrapping_add(1);
        let width = u128::from(high.saturating_sub(low)).saturating_add(1);
        // The high half of a 64 x 64-bit product is uniform enough below 2^62 and needs no loop.
        // It never wraps: the draw is below 2^64 and the width at most that.
        let offset = u128::from(draw).wrapping_mul(width) >> 64;
        low.saturating_add(u64::try_from(offset).unwrap_or(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn golden_vectors() {
        assert_eq!(mix(0, 0), 0xe220_a839_7b1d_cdaf);
        assert_eq!(mix(0, 1), 0x6e78_9e6a_a1b9_65f4);
        assert_eq!(mix(1_234_567, 0), 0x599e_d017_fb08_fc85);
    }

    #[test]
    fn draws_cover_the_range_and_differ_between_seeds() {
        let mut a = Jitter::new(1);
        let mut b = Jitter::new(2);
        let mut tenths = [0_u32; 10];
        let mut equal = 0;
        for _ in 0..1_000 {
            let (x, y) = (a.between(150, 299), b.between(150, 299));
            assert!((150..=299).contains(&x));
            tenths[(x as usize - 150) / 15] += 1;
            equal += u32::from(x == y);
        }
        assert!(tenths.iter().all(|n| (60..140).contains(n)), "{tenths:?}");
        assert!(equal < 30, "two nodes drew the same {equal} times of 1000");
        assert_eq!(Jitter::new(9).between(7, 7), 7);
    }
}
