//! Hash maps with one fixed hasher, for look-ups that are never iterated.
//!
//! **Intuition.** A map with a per-process hash seed makes a run depend on the process. These
//! aliases always hash the same way, and the lint `iter_over_hash_type` keeps anyone from
//! depending on their order.
//! **Source.** Ours; DESIGN of determinism (docs/ARCHITECTURE.md).
//! **Upholds.** `inv:pure`.
//! **Not here.** Ordered collections: use `BTreeMap` or a sorted `Vec` wherever order is seen.

use core::hash::{BuildHasherDefault, Hasher};

/// A fixed multiply-and-rotate hasher. Not resistant to chosen keys; nothing here is hostile.
#[derive(Clone, Copy, Debug, Default)]
pub struct FixedHash(u64);

impl FixedHash {
    const MULTIPLIER: u64 = 0x9e37_79b9_7f4a_7c15;

    fn mix(&mut self, word: u64) {
        self.0 = (self.0.rotate_left(5) ^ word).wrapping_mul(Self::MULTIPLIER);
    }
}

impl Hasher for FixedHash {
    fn finish(&self) -> u64 {
        // hashbrown takes its control byte from the top bits: spread the low ones upwards.
        self.0 ^ (self.0 >> 32)
    }

    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.mix(u64::from_le_bytes(word) ^ ((chunk.len() as u64) << 56));
        }
    }

    fn write_u8(&mut self, n: u8) {
        self.mix(u64::from(n));
    }

    fn write_u32(&mut self, n: u32) {
        self.mix(u64::from(n));
    }

    fn write_u64(&mut self, n: u64) {
        self.mix(n);
    }

    fn write_usize(&mut self, n: usize) {
        self.mix(n as u64);
    }
}

/// The one hasher.
pub type FixedHasher = BuildHasherDefault<FixedHash>;
/// A map for look-ups only; never iterate it.
pub type FixedMap<K, V> = hashbrown::HashMap<K, V, FixedHasher>;
/// A set for look-ups only; never iterate it.
pub type FixedSet<K> = hashbrown::HashSet<K, FixedHasher>;
