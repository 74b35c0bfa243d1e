//! Valid bytes, changed: the inputs of a campaign.
//!
//! **Intuition.** Random bytes fail at the first check. A campaign starts from valid frames and
//! records, changes a little of each, and mostly puts length and checksum right again, so that what
//! is tested is the reading behind them. Input `n` of a seed is always the same bytes.
//! **Source.** Ours.
//! **Upholds.** Nothing.
//! **Not here.** What the bytes are held against (`wire.rs`, `boot.rs`, `steps.rs`).

use raft_core::{Entry, LogIndex, LogPosition, Term, wire};

use super::{
    arbitrary::{self, hard_state},
    source::Source,
};

/// A small generator with one stream for each input (SplitMix64).
#[derive(Clone, Debug)]
pub struct Dice(u64);

impl Dice {
    /// The stream of input `number` of `seed`.
    #[must_use]
    pub const fn new(seed: u64, number: u64) -> Self {
        let mut dice = Self(seed ^ number.wrapping_mul(0xd134_2543_de82_ef95));
        dice.0 = dice.roll();
        dice
    }

    /// Any number.
    pub const fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Below `count`; 0 if that is 0.
    pub fn below(&mut self, count: usize) -> usize {
        usize::try_from(self.roll() % (count as u64).max(1)).unwrap_or(0)
    }

    /// `len` bytes.
    pub fn bytes(&mut self, len: usize) -> Vec<u8> {
        let mut out = Vec::with_capacity(len + 8);
        while out.len() < len {
            out.extend_from_slice(&self.roll().to_le_bytes());
        }
        out.truncate(len);
        out
    }
}

/// A valid frame, or now and then a valid record.
fn valid(dice: &mut Dice) -> Vec<u8> {
    let len = 40 + dice.below(160);
    let choices = dice.bytes(len);
    let mut source = Source::new(&choices);
    let base = LogPosition::new(Term(3), LogIndex(9));
    match dice.below(16) {
        0 => hard_state(&mut source).encode().to_vec(),
        1 => arbitrary::meta(&mut source, base).encode().to_vec(),
        2 => {
            let mut out = Vec::new();
            for at in arbitrary::entries(&mut source, base, 4).iter() {
                let entry: &Entry = at.entry;
                wire::encode_entry(at.position, entry, &mut out);
            }
            out
        }
        3 => arbitrary::configuration(&mut source).encode().to_vec(),
        _ => arbitrary::frame(&mut source),
    }
}

/// Changes `bytes` once, somewhere from `from` on.
fn change(dice: &mut Dice, bytes: &mut Vec<u8>, from: usize) {
    let len = bytes.len();
    let span = len.saturating_sub(from);
    let at = from.min(len) + dice.below(span);
    match dice.below(10) {
        0..=2 => {
            if let Some(byte) = bytes.get_mut(at) {
                *byte ^= 1 << dice.below(8);
            }
        }
        3..=4 => {
            if let Some(byte) = bytes.get_mut(at) {
                *byte = [0, 1, 2, 0x7f, 0x80, 0xff][dice.below(6)];
            }
        }
        5 => bytes.truncate(at),
        6 => {
            let len = dice.below(9);
            let more = dice.bytes(len);
            bytes.splice(at..at, more);
        }
        7 => drop(bytes.drain(at..(at + dice.below(9)).min(len))),
        8 => {
            let end = (at + dice.below(17)).min(len);
            bytes.extend_from_within(at..end);
        }
        _ => {
            let word = [u64::MAX, 1 << 32, 1 << 63, 0xffff][dice.below(4)].to_le_bytes();
            for (to, from) in bytes.iter_mut().skip(at).zip(word) {
                *to = from;
            }
        }
    }
}

/// Puts the length of a frame right, and its checksum, as a forger would.
fn seal(dice: &mut Dice, bytes: &mut [u8]) {
    if bytes.len() < wire::HEADER_BYTES || bytes.get(..4) != Some(&wire::MAGIC[..]) {
        return;
    }
    let body = u32::try_from(bytes.len() - wire::HEADER_BYTES).unwrap_or(u32::MAX);
    bytes[8..12].copy_from_slice(&body.to_le_bytes());
    let single = bytes[12..16] == [1, 0, 0, 0] && body >= 4;
    if single && dice.below(8) != 0 {
        bytes[24..28].copy_from_slice(&(body - 4).to_le_bytes());
    }
    wire::reseal(bytes);
}

/// Input `number` of `seed`, for the reader of frames and records.
#[must_use]
pub fn wire_input(seed: u64, number: u64) -> Vec<u8> {
    let mut dice = Dice::new(seed, number);
    let mut bytes = valid(&mut dice);
    // Most changes are to the body, whose header is put right again.
    let from = if dice.below(8) == 0 { 0 } else { 24 };
    for _ in 0..dice.below(5) {
        change(&mut dice, &mut bytes, from);
    }
    if dice.below(10) != 0 {
        seal(&mut dice, &mut bytes);
    }
    bytes
}

/// Input `number` of `seed`, for readers of choices: boots and programs.
#[must_use]
pub fn choices(seed: u64, number: u64, longest: usize) -> Vec<u8> {
    let mut dice = Dice::new(seed, number);
    let len = 1 + dice.below(longest);
    dice.bytes(len)
}
