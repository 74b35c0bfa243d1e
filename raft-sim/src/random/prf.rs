//! The keyed hash behind every fate: SipHash-1-3 over whole 64-bit words.
//!
//! **Intuition.** `hash(key, identity)` is as good as a fresh random number for each identity, and
//! the same number whenever the same identity is asked for. A long identity is hashed once; its
//! several draws are then hashes of (that hash, which draw), two words each.
//! **Source.** SipHash (Aumasson, Bernstein 2012) with 1 compression and 3 finalisation rounds;
//! a message of `n` words is the byte string of their little-endian bytes. Frozen, with vectors.
//! **Upholds.** `inv:pure`.
//! **Not here.** Distributions (`sample.rs`), identities (`fault/schedule.rs`).

use core::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// What a hash is about: part of its first word, so that equal numbers of different meaning never
/// meet. Frozen numbers; new ones are added at the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Domain(pub u64);

impl Domain {
    /// Identity of a message.
    pub const MESSAGE: Self = Self(1);
    /// Bursts of loss on a link.
    pub const LOSS_BURST: Self = Self(2);
    /// Identity of a disk operation.
    pub const DISK: Self = Self(3);
    /// What power loss leaves.
    pub const POWER_LOSS: Self = Self(4);
    /// Order among simultaneous events.
    pub const TIE: Self = Self(5);
    /// Targets the world must choose.
    pub const TARGET: Self = Self(6);
    /// Private randomness of a process.
    pub const BOOT: Self = Self(7);
    /// Which instances are shadowed and other self-checks.
    pub const CHECK: Self = Self(8);
}

/// The 128-bit key of a run. As text: 32 hex digits, `k0` then `k1`, most significant digit first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct RunKey {
    /// First half: the little-endian first eight bytes in the SipHash paper's terms.
    pub k0: u64,
    /// Second half.
    pub k1: u64,
}

impl fmt::Display for RunKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}{:016x}", self.k0, self.k1)
    }
}

/// A run key's text was not 32 hex digits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadRunKey(pub String);

impl fmt::Display for BadRunKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "run key {:?} is not 32 lower-case hex digits", self.0)
    }
}

impl core::error::Error for BadRunKey {}

impl core::str::FromStr for RunKey {
    type Err = BadRunKey;

    fn from_str(text: &str) -> Result<Self, BadRunKey> {
        let half = |range| {
            text.get(range)
                .filter(|digits: &&str| {
                    digits.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
                })
                .and_then(|digits| u64::from_str_radix(digits, 16).ok())
        };
        match (text.len(), half(0..16), half(16..32)) {
            (32, Some(k0), Some(k1)) => Ok(Self { k0, k1 }),
            _ => Err(BadRunKey(text.to_owned())),
        }
    }
}

impl Serialize for RunKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for RunKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// The keyed hash of one run, ready to use.
#[derive(Clone, Copy, Debug)]
pub struct Prf {
    start: [u64; 4],
}

impl Prf {
    /// The hash under `key`.
    #[must_use]
    pub const fn new(key: RunKey) -> Self {
        Self {
            start: [
                key.k0 ^ 0x736f_6d65_7073_6575,
                key.k1 ^ 0x646f_7261_6e64_6f6d,
                key.k0 ^ 0x6c79_6765_6e65_7261,
                key.k1 ^ 0x7465_6462_7974_6573,
            ],
        }
    }

    /// The hash of `words`.
    #[must_use]
    #[inline]
    pub const fn hash<const N: usize>(&self, words: [u64; N]) -> u64 {
        let mut v = self.start;
        let mut at = 0;
        while at < N {
            v[3] ^= words[at];
            v = round(v);
            v[0] ^= words[at];
            at += 1;
        }
        // SipHash's last block: the length in bytes, modulo 256, in the top byte.
        let last = (8 * N as u64) << 56;
        v[3] ^= last;
        v = round(v);
        v[0] ^= last;
        v[2] ^= 0xff;
        v = round(round(round(v)));
        v[0] ^ v[1] ^ v[2] ^ v[3]
    }

    /// Draw number `which` of the thing whose identity hashed to `identity`.
    #[must_use]
    #[inline]
    pub const fn draw(&self, identity: u64, which: u64) -> u64 {
        self.hash([identity, which])
    }
}

#[inline]
const fn round([v0, v1, v2, v3]: [u64; 4]) -> [u64; 4] {
    let v0 = v0.wrapping_add(v1);
    let v1 = v1.rotate_left(13) ^ v0;
    let v0 = v0.rotate_left(32);
    let v2 = v2.wrapping_add(v3);
    let v3 = v3.rotate_left(16) ^ v2;
    let v0 = v0.wrapping_add(v3);
    let v3 = v3.rotate_left(21) ^ v0;
    let v2 = v2.wrapping_add(v1);
    let v1 = v1.rotate_left(17) ^ v2;
    let v2 = v2.rotate_left(32);
    [v0, v1, v2, v3]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// SipHash-c-d byte by byte, as the paper tells it: a slow twin that shares no code.
    fn sip_slow(compressions: u32, finals: u32, key: [u8; 16], message: &[u8]) -> u64 {
        fn sip_round(v: &mut [u64; 4]) {
            v[0] = v[0].wrapping_add(v[1]);
            v[2] = v[2].wrapping_add(v[3]);
            v[1] = v[1].rotate_left(13);
            v[3] = v[3].rotate_left(16);
            v[1] ^= v[0];
            v[3] ^= v[2];
            v[0] = v[0].rotate_left(32);
            v[2] = v[2].wrapping_add(v[1]);
            v[0] = v[0].wrapping_add(v[3]);
            v[1] = v[1].rotate_left(17);
            v[3] = v[3].rotate_left(21);
            v[1] ^= v[2];
            v[3] ^= v[0];
            v[2] = v[2].rotate_left(32);
        }
        fn little(bytes: &[u8]) -> u64 {
            bytes.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte))
        }
        let (k0, k1) = (little(&key[..8]), little(&key[8..]));
        let text = *b"somepseudorandomlygeneratedbytes";
        let mut v = [k0, k1, k0, k1];
        for (i, word) in v.iter_mut().enumerate() {
            // The paper writes its constants as big-endian text.
            *word ^= text[8 * i..8 * i + 8].iter().fold(0, |w, byte| w << 8 | u64::from(*byte));
        }
        let mut padded = message.to_vec();
        while padded.len() % 8 != 7 {
            padded.push(0);
        }
        padded.push(message.len() as u8);
        for block in padded.chunks(8) {
            let word = little(block);
            v[3] ^= word;
            for _ in 0..compressions {
                sip_round(&mut v);
            }
            v[0] ^= word;
        }
        v[2] ^= 0xff;
        for _ in 0..finals {
            sip_round(&mut v);
        }
        v.iter().fold(0, |all, word| all ^ word)
    }

    #[test]
    fn slow_twin_is_siphash() {
        // The vector printed in the paper's appendix is for SipHash-2-4.
        let key = core::array::from_fn(|i| i as u8);
        let message: Vec<u8> = (0..15).collect();
        assert_eq!(sip_slow(2, 4, key, &message), 0xa129_ca61_49be_45e5);
    }

    #[test]
    fn twin_agrees_with_the_standard_library() {
        // `SipHasher13` is what std's default hasher is made of today; only this test leans on it.
        #[expect(deprecated, reason = "the only keyed SipHash std offers is 2-4")]
        let mut std_hash = std::hash::SipHasher::new_with_keys(1, 2);
        std::hash::Hasher::write(&mut std_hash, b"raft");
        let mut key = [0; 16];
        key[0] = 1;
        key[8] = 2;
        assert_eq!(sip_slow(2, 4, key, b"raft"), std::hash::Hasher::finish(&std_hash));
    }

    fn both<const N: usize>(key: RunKey, words: [u64; N]) -> u64 {
        let fast = Prf::new(key).hash(words);
        let mut key_bytes = [0; 16];
        key_bytes[..8].copy_from_slice(&key.k0.to_le_bytes());
        key_bytes[8..].copy_from_slice(&key.k1.to_le_bytes());
        let message: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        assert_eq!(fast, sip_slow(1, 3, key_bytes, &message), "{N} words");
        fast
    }

    #[test]
    fn agrees_with_the_slow_twin() {
        let mut x = 1_u64;
        let mut next = || {
            x = x.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            x ^ (x >> 29)
        };
        for _ in 0..200 {
            let key = RunKey { k0: next(), k1: next() };
            both(key, []);
            both(key, [next()]);
            both(key, [next(), next()]);
            both(key, [next(), next(), next(), next()]);
            both(key, core::array::from_fn::<u64, 8, _>(|_| next()));
            both(key, core::array::from_fn::<u64, 33, _>(|_| next()));
        }
    }

    #[test]
    fn golden_vectors() {
        let key = RunKey { k0: 0x0706_0504_0302_0100, k1: 0x0f0e_0d0c_0b0a_0908 };
        let prf = Prf::new(key);
        let seen = [
            prf.hash([]),
            prf.hash([0]),
            prf.hash([1, 2]),
            prf.hash([1, 2, 3, 4, 5, 6, 7, 8]),
            prf.draw(0xdead_beef, 3),
            Prf::new(RunKey::default()).hash([0, 0]),
        ];
        expect_test::expect![[r#"
            abac0158050fc4dc
            5cb96f6ba2a4fcfc
            6c630018434bd4cc
            c9e6513281904c11
            0e7ee7d961b07453
            76be999e3e25b2a0"#]]
        .assert_eq(&seen.map(|word| format!("{word:016x}")).join("\n"));
    }

    #[test]
    fn keys_as_text() {
        let key = RunKey { k0: 0x0123_4567_89ab_cdef, k1: 1 };
        let text = key.to_string();
        assert_eq!(text, "0123456789abcdef0000000000000001");
        assert_eq!(text.parse(), Ok(key));
        for bad in
            ["", "0123", &format!("{text}0"), &text.replace('a', "A"), &text.replace('a', "+")]
        {
            assert_eq!(bad.parse::<RunKey>(), Err(BadRunKey(bad.to_owned())), "{bad}");
        }
    }
}
