//! Streams: the randomness of everything decided before a run, one stream per purpose.
//!
//! **Intuition.** A stream is drawn from in order, so it must not be shared: if two purposes drew
//! from one stream, a longer client script would move every partition. Each purpose has its own.
//! **Source.** ChaCha with 12 rounds (Bernstein 2008) through `rand_chacha`, which promises equal
//! values on every release and machine; vectors below hold it to that.
//! **Upholds.** `inv:pure`.
//! **Not here.** Anything drawn during a run (`prf.rs`).

use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha12Rng;

use crate::{
    fault::plan::Chance,
    random::{prf::RunKey, sample},
};

/// What a stream is for. Frozen numbers; new ones are added at the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Purpose(pub u64);

impl Purpose {
    /// The key of keyed draws.
    pub const KEY: Self = Self(1);
    /// Stratum, axes, sizes, intensities, tunables.
    pub const PLAN: Self = Self(2);
    /// Client operations.
    pub const WORKLOAD: Self = Self(3);
    /// Partitions.
    pub const PARTITION: Self = Self(4);
    /// Crashes.
    pub const CRASH: Self = Self(5);
    /// Power losses of the whole cluster.
    pub const CLUSTER_POWER: Self = Self(6);
    /// Clogs.
    pub const CLOG: Self = Self(7);
    /// Pauses.
    pub const PAUSE: Self = Self(8);
    /// Clock rates.
    pub const DRIFT: Self = Self(9);
    /// The healed core.
    pub const HEAL: Self = Self(10);
    /// Changes of membership and settings.
    pub const CHANGE: Self = Self(11);
    /// Requests about leadership.
    pub const LEADERSHIP: Self = Self(12);
    /// Which rare axes are on, and how much of each.
    pub const RARE: Self = Self(13);
    /// Changes of protocol level.
    pub const VERSIONS: Self = Self(14);
    /// Commands that no machine can apply.
    pub const POISON: Self = Self(15);
    /// How clients read, and leases.
    pub const READS: Self = Self(16);
    /// Lost disks.
    pub const REPLACE: Self = Self(17);
}

/// One stream.
#[derive(Clone, Debug)]
pub struct Stream(ChaCha12Rng);

impl Stream {
    /// The stream of `purpose` under `seed`.
    ///
    /// Its ChaCha key is the seed and the purpose, little-endian, then the 16 bytes
    /// `raft-sim rs1 key`.
    #[must_use]
    pub fn new(seed: u64, purpose: Purpose) -> Self {
        let mut key = *b"................raft-sim rs1 key";
        key[..8].copy_from_slice(&seed.to_le_bytes());
        key[8..16].copy_from_slice(&purpose.0.to_le_bytes());
        Self(ChaCha12Rng::from_seed(key))
    }

    /// The next word.
    pub fn word(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// A run key: the next two words.
    pub fn run_key(&mut self) -> RunKey {
        let k0 = self.word();
        RunKey { k0, k1: self.word() }
    }

    /// Uniform below `n`; 0 for 0.
    pub fn below(&mut self, n: u64) -> u64 {
        sample::below(self.word(), n)
    }

    /// Uniform in `[low, high]`.
    pub fn between(&mut self, low: u64, high: u64) -> u64 {
        sample::between(self.word(), low, high)
    }

    /// True `times` in `of`.
    pub fn one_in(&mut self, times: u64, of: u64) -> bool {
        self.below(of) < times
    }

    /// Exponential with this mean.
    pub fn exponential(&mut self, mean: u64) -> u64 {
        sample::exponential(self.word(), mean)
    }

    /// Log-uniform in `[low, high]`.
    pub fn log_uniform(&mut self, low: u64, high: u64) -> u64 {
        sample::log_uniform(self.word(), low, high)
    }

    /// A log-uniform chance between `low` and `high` parts per million.
    pub fn chance_ppm(&mut self, low: u64, high: u64) -> Chance {
        let parts = self.log_uniform(low << 12, high << 12);
        // Parts per (2^12 million), scaled to parts per 2^32.
        let scaled = (u128::from(parts) << 20) / 1_000_000;
        Chance(u32::try_from(scaled).unwrap_or(u32::MAX))
    }

    /// Index into `weights`.
    pub fn weighted(&mut self, weights: &[u32]) -> usize {
        sample::weighted(self.word(), weights)
    }

    /// Puts `items` into a random order.
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last as u64 + 1) as usize);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn golden_vectors() {
        let mut text = String::new();
        for (seed, purpose) in [
            (0, Purpose::KEY),
            (0, Purpose::PLAN),
            (0x00c0_ffee, Purpose::PLAN),
            (u64::MAX, Purpose::HEAL),
        ] {
            use core::fmt::Write as _;
            let mut stream = Stream::new(seed, purpose);
            writeln!(text, "{seed:x} {} {:016x} {:016x}", purpose.0, stream.word(), stream.word())
                .unwrap();
        }
        expect_test::expect![[r#"
            0 1 992ab4bc326e25f4 44265c05fe9f577f
            0 2 24dd23d2578f2dba c7c2f2abb21567c1
            c0ffee 2 373a842f11821d4b 55143d20e03901ca
            ffffffffffffffff 10 f0320074d8272ac1 06d46b85f396c371
        "#]]
        .assert_eq(&text);
    }

    #[test]
    fn purposes_and_seeds_are_apart() {
        let firsts: std::collections::BTreeSet<u64> = (0..50)
            .flat_map(|seed| (1..11).map(move |p| Stream::new(seed, Purpose(p)).word()))
            .collect();
        assert_eq!(firsts.len(), 500);
    }

    #[test]
    fn chances_lie_in_their_range() {
        let mut stream = Stream::new(1, Purpose::PLAN);
        for _ in 0..10_000 {
            // 0.1 % to 30 % of 2^32, give or take rounding.
            assert!((4_294_900..=1_288_490_300).contains(&stream.chance_ppm(1_000, 300_000).0));
        }
    }

    #[test]
    fn shuffle_keeps_all_and_moves_some() {
        let mut items: Vec<u32> = (0..20).collect();
        Stream::new(3, Purpose::CRASH).shuffle(&mut items);
        assert_ne!(items, (0..20).collect::<Vec<_>>());
        items.sort_unstable();
        assert_eq!(items, (0..20).collect::<Vec<_>>());
    }
}
