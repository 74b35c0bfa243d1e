//! The rolling digest: one 64-bit number that depends on everything that happened.
//!
//! **Intuition.** Each event folds its content and the visible state it changed into the digest;
//! two runs with equal digests were the same run. Frozen: a change of this function changes every
//! stored digest.
//! **Source.** Multiply-fold hashing with 128-bit products (the wyhash family), own constants,
//! golden vectors below.
//! **Upholds.** `inv:pure`.
//! **Not here.** Keyed randomness (`random/prf.rs`): this is no PRF and needs none.

/// A running digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Digest(u64);

const START: u64 = 0x243f_6a88_85a3_08d3;
const K1: u64 = 0x9e37_79b9_7f4a_7c15;
const K2: u64 = 0xd1b5_4a32_d192_ed03;

impl Default for Digest {
    fn default() -> Self {
        Self::new()
    }
}

impl Digest {
    /// The digest of nothing.
    #[must_use]
    pub const fn new() -> Self {
        Self(START)
    }

    /// Folds in one word.
    pub const fn word(&mut self, word: u64) {
        let product = ((self.0 ^ K1) as u128).wrapping_mul((word ^ K2) as u128 | 1 << 64);
        self.0 = (product as u64) ^ ((product >> 64) as u64) ^ word;
    }

    /// Folds in bytes, with their length.
    pub fn bytes(&mut self, bytes: &[u8]) {
        self.word(bytes.len() as u64);
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.word(u64::from_le_bytes(word));
        }
    }

    /// The digest so far.
    #[must_use]
    pub const fn value(&self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(words: &[u64]) -> u64 {
        let mut digest = Digest::new();
        words.iter().for_each(|word| digest.word(*word));
        digest.value()
    }

    /// Words that real events are made of, small ones above all.
    fn samples() -> Vec<u64> {
        let mut x = 1_u64;
        let random = core::iter::repeat_with(|| {
            x = x.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            x ^ (x >> 31)
        });
        (0..200).chain(random.take(200)).chain([K1, K2, START, u64::MAX]).collect()
    }

    #[test]
    fn golden_vectors() {
        let mut bytes = Digest::new();
        bytes.bytes(b"");
        bytes.bytes(b"raft");
        bytes.bytes(b"committed");
        let seen = [
            of(&[]),
            of(&[0]),
            of(&[1]),
            of(&[0, 0]),
            of(&[1, 2, 3]),
            of(&[u64::MAX, K1, K2]),
            bytes.value(),
        ];
        expect_test::expect![[r#"
            243f6a8885a308d3
            49e35378ce47aeaa
            33eb4faacb5e357a
            721f4a56c53afc72
            358c3a1db0dc35ab
            ed7867e151d8c8f3
            96da702c3947ee77"#]]
        .assert_eq(&seen.map(|word| format!("{word:016x}")).join("\n"));
    }

    #[test]
    fn one_flipped_bit_changes_about_half() {
        // Flips of one bit of an early word, seen right after it and one word later.
        for later in [&[][..], &[7][..]] {
            let mut flips = [0_u32; 64];
            let mut cases = 0_u32;
            let mut total = 0_u32;
            for word in samples() {
                let follow = |word| {
                    let mut words = vec![3, word];
                    words.extend(later);
                    of(&words)
                };
                for bit in 0..64 {
                    let difference = follow(word) ^ follow(word ^ (1 << bit));
                    assert_ne!(difference, 0);
                    total += difference.count_ones();
                    cases += 1;
                    for (out, count) in flips.iter_mut().enumerate() {
                        *count += (difference >> out) as u32 & 1;
                    }
                }
            }
            let mean = total * 100 / cases;
            assert!((3_000..3_400).contains(&mean), "{mean} hundredths of a bit");
            for (out, count) in flips.iter().enumerate() {
                let percent = count * 100 / cases;
                assert!((40..=60).contains(&percent), "bit {out} flips in {percent} of 100");
            }
        }
    }

    #[test]
    fn no_word_and_no_state_swallows_the_past() {
        // A product with a zero factor must not make all histories equal.
        for word in [0, K1, K2, u64::MAX, 1] {
            let ends: std::collections::BTreeSet<u64> =
                samples().iter().map(|first| of(&[*first, word, word])).collect();
            let starts: std::collections::BTreeSet<u64> = samples().into_iter().collect();
            assert_eq!(ends.len(), starts.len(), "{word:x}");
        }
        // Nor may the state that meets the first factor forget what comes.
        let mut zero = Digest(K1);
        zero.word(5);
        let mut other = Digest(K1);
        other.word(6);
        assert_ne!(zero, other);
        assert_ne!(zero.value(), 0);
    }

    #[test]
    fn order_length_and_grouping_matter() {
        assert_ne!(of(&[1, 2]), of(&[2, 1]));
        assert_ne!(of(&[0]), of(&[0, 0]));
        let group = |parts: &[&[u8]]| {
            let mut digest = Digest::new();
            parts.iter().for_each(|part| digest.bytes(part));
            digest.value()
        };
        let all = [
            group(&[b"ab", b"c"]),
            group(&[b"a", b"bc"]),
            group(&[b"abc"]),
            group(&[b"abc", b""]),
            group(&[b"abc\0"]),
        ];
        let distinct: std::collections::BTreeSet<u64> = all.into_iter().collect();
        assert_eq!(distinct.len(), all.len());
    }

    #[test]
    fn a_million_small_histories_do_not_collide() {
        let mut seen: Vec<u64> = Vec::with_capacity(1 << 20);
        for a in 0..1024 {
            for b in 0..1024 {
                seen.push(of(&[a, b]));
            }
        }
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen.len(), 1 << 20);
    }
}
