//! The checksum of frames and records.
//!
//! **Intuition.** Eight bytes at a time go through a step that can be undone, in four lanes that
//! do not wait for each other. Because every step can be undone, damage inside one aligned group
//! of eight bytes always changes the sum; any other damage does but for one case in 2^64.
//! **Source.** Ours: as fast as memory in safe code without tables. It finds accidents (B-036,
//! D-W2); it is no defence against somebody who computes it anew.
//! **Upholds.** Nothing by itself; frames and records lean on it.
//! **Not here.** Which bytes are summed (`frame.rs`, `record.rs`).

const FIRST: u64 = 0x9e37_79b9_7f4a_7c15;
const SECOND: u64 = 0xd1b5_4a32_d192_ed03;

/// One step. For a fixed `state` another `word` gives another result, and the other way round.
#[inline]
const fn step(state: u64, word: u64) -> u64 {
    let mixed = (state ^ word).wrapping_mul(FIRST);
    (mixed ^ (mixed >> 32)).wrapping_mul(SECOND)
}

/// The sum of two words (of a header) and of `bytes`, whose length counts too.
pub(crate) fn checksum(head: [u64; 2], bytes: &[u8]) -> u64 {
    let [first, second] = head;
    let seed = step(step(step(0, first), second), bytes.len() as u64);
    let mut lanes = [seed, step(seed, 1), step(seed, 2), step(seed, 3)];
    let (blocks, rest) = bytes.as_chunks::<32>();
    for block in blocks {
        take(&mut lanes, block);
    }
    if !rest.is_empty() {
        let mut last = [0_u8; 32];
        for (to, from) in last.iter_mut().zip(rest) {
            *to = *from;
        }
        take(&mut lanes, &last);
    }
    let [a, b, c, d] = lanes;
    let sum = step(step(step(a, b), c), d);
    sum ^ (sum >> 32)
}

#[inline]
fn take(lanes: &mut [u64; 4], block: &[u8; 32]) {
    let (words, _) = block.as_chunks::<8>();
    for (lane, word) in lanes.iter_mut().zip(words) {
        *lane = step(*lane, u64::from_le_bytes(*word));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    #[test]
    fn vectors() {
        let bytes: Vec<u8> = (0..70).collect();
        let sums = [
            checksum([0, 0], &[]),
            checksum([1, 2], &[]),
            checksum([1, 2], &[3]),
            checksum([1, 2], &bytes),
        ];
        assert_eq!(sums, VECTORS, "{sums:016x?}");
    }

    /// Computed by a second program from docs/WIRE.md.
    const VECTORS: [u64; 4] = [
        0x723a_0e39_8df7_9d0e,
        0xe61f_f060_0623_1760,
        0xca1a_57b0_0f74_ab4e,
        0xa903_6487_1ba4_bdbe,
    ];

    #[test]
    fn every_damaged_byte_bit_pair_length_and_swap_is_seen() {
        let bytes: Vec<u8> = (0..100_u8).map(|n| n.wrapping_mul(37)).collect();
        let sound = checksum([5, 6], &bytes);
        let mut damaged = bytes.clone();
        for at in 0..bytes.len() {
            for xor in 1..=255 {
                damaged[at] ^= xor;
                assert_ne!(checksum([5, 6], &damaged), sound, "byte {at} xor {xor}");
                damaged[at] ^= xor;
            }
            assert_ne!(checksum([5, 6], &bytes[..at]), sound, "cut at {at}");
        }
        for first in 0..bytes.len() * 8 {
            for second in 0..first {
                for bit in [first, second] {
                    damaged[bit / 8] ^= 1 << (bit % 8);
                }
                assert_ne!(checksum([5, 6], &damaged), sound, "bits {first} and {second}");
                for bit in [first, second] {
                    damaged[bit / 8] ^= 1 << (bit % 8);
                }
            }
        }
        for first in 0..12 {
            for second in 0..first {
                for at in 0..8 {
                    damaged.swap(first * 8 + at, second * 8 + at);
                }
                assert_ne!(checksum([5, 6], &damaged), sound, "words {first} and {second}");
                damaged.clone_from(&bytes);
            }
        }
        assert_ne!(checksum([6, 5], &bytes), sound);
        let mut longer = bytes.clone();
        longer.push(0);
        assert_ne!(checksum([5, 6], &longer), sound, "padding is not content");
    }
}
