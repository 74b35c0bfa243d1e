//! The digest of a snapshot's bytes, computed as they pass.
//!
//! **Intuition.** Eight bytes at a time are stirred into one word; what does not fill a word waits
//! for the next piece, so the result depends on the bytes and not on how they were cut. It finds
//! damage, not malice: who can forge a snapshot can forge its description too.
//! **Source.** Ours, on the mixer of `rng.rs`. Frozen: the vectors below are golden.
//! **Upholds.** `inv:snapshot-agrees`.
//! **Not here.** Digests of anything else.

use crate::rng::mix;

/// A running digest. Equal bytes in any pieces give equal digests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct SnapshotDigest {
    state: u64,
    /// Bytes that do not fill a word yet, from the low end.
    open: u64,
    len: u64,
}

impl SnapshotDigest {
    /// Of nothing yet.
    #[must_use]
    pub const fn new() -> Self {
        Self { state: 0, open: 0, len: 0 }
    }

    /// Of these bytes as a whole.
    #[must_use]
    pub fn of(bytes: &[u8]) -> u64 {
        let mut digest = Self::new();
        digest.update(bytes);
        digest.finish()
    }

    /// The checksum of one chunk: of its bytes and of where they belong.
    #[must_use]
    pub fn of_chunk(offset: u64, bytes: &[u8]) -> u64 {
        mix(offset, Self::of(bytes))
    }

    /// Bytes seen so far.
    #[must_use]
    pub const fn len_bytes(&self) -> u64 {
        self.len
    }

    /// Takes in more bytes.
    pub fn update(&mut self, mut bytes: &[u8]) {
        while self.len & 7 != 0 {
            let Some((first, rest)) = bytes.split_first() else { return };
            self.push(*first);
            bytes = rest;
        }
        while let Some((word, rest)) = bytes.split_first_chunk::<8>() {
            self.state = mix(self.state, u64::from_le_bytes(*word));
            self.len = self.len.saturating_add(8);
            bytes = rest;
        }
        for byte in bytes {
            self.push(*byte);
        }
    }

    fn push(&mut self, byte: u8) {
        let at = self.len & 7;
        self.open |= u64::from(byte) << (at << 3);
        self.len = self.len.saturating_add(1);
        if at == 7 {
            self.state = mix(self.state, core::mem::take(&mut self.open));
        }
    }

    /// The digest of what was taken in; never one of the two values that a description
    /// without data has.
    #[must_use]
    pub fn finish(&self) -> u64 {
        // The two ends mean "none" and "left out".
        mix(mix(self.state, self.open), self.len).clamp(1, u64::MAX - 1)
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;

    #[test]
    fn golden_vectors() {
        assert_eq!(SnapshotDigest::of(b""), 0xa706_dd2f_4d19_7e6f);
        assert_eq!(SnapshotDigest::of(b"a"), 0xe771_7b60_f037_c42a);
        assert_eq!(SnapshotDigest::of(b"sixteen bytes!!!"), 0xc5cd_229b_7619_6a4c);
    }

    #[test]
    fn the_cut_does_not_matter_and_every_bit_does() {
        let bytes: Vec<u8> = (0..41_u8).collect();
        let whole = SnapshotDigest::of(&bytes);
        for first in 0..=bytes.len() {
            for second in first..=bytes.len() {
                let mut digest = SnapshotDigest::new();
                digest.update(&bytes[..first]);
                digest.update(&bytes[first..second]);
                digest.update(&bytes[second..]);
                assert_eq!((digest.finish(), digest.len_bytes()), (whole, 41), "{first} {second}");
            }
        }
        for at in 0..bytes.len() * 8 {
            let mut damaged = bytes.clone();
            damaged[at / 8] ^= 1 << (at % 8);
            assert_ne!(SnapshotDigest::of(&damaged), whole, "bit {at}");
        }
        for cut in 0..bytes.len() {
            assert_ne!(SnapshotDigest::of(&bytes[..cut]), whole, "cut at {cut}");
        }
        assert_ne!(SnapshotDigest::of(&[0]), SnapshotDigest::of(&[0, 0]));
        assert_ne!(SnapshotDigest::of_chunk(0, b"x"), SnapshotDigest::of_chunk(1, b"x"));
    }
}
