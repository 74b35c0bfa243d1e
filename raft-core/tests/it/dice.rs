//! Numbers for random runs: the same seed is the same run for ever.
//!
//! **Intuition.** A soak must repeat exactly from its seed, whatever else changes.
//! **Source.** Marsaglia's xorshift (2003).
//! **Upholds.** Nothing; what the soaks draw from.
//! **Not here.** What is drawn (`membership_soak.rs`, `snapshot_soak.rs`).

/// Numbers that repeat.
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }

    pub(crate) fn flip(&mut self) -> bool {
        self.below(2) == 0
    }
}
