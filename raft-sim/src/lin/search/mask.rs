//! Sets in a search: which of the open operations are placed.
//!
//! **Intuition.** A situation is remembered by value, so its sets must be small and quick to
//! compare: one word for up to 64 slots.
//! **Source.** Bitset memos as in Lowe 2017.
//! **Upholds.** `inv:linearizable`.
//! **Not here.** Which operations of unknown outcome were used (`used.rs`).

use core::hash::Hash;

/// A set of slots.
pub(super) trait Mask: Clone + Eq + Hash {
    fn empty(slots: usize) -> Self;
    fn has(&self, slot: u32) -> bool;
    fn set(&mut self, slot: u32);
    fn clear(&mut self, slot: u32);
    fn heap_bytes(&self) -> usize;
}

impl Mask for u64 {
    fn empty(_slots: usize) -> Self {
        0
    }

    fn has(&self, slot: u32) -> bool {
        self >> slot & 1 == 1
    }

    fn set(&mut self, slot: u32) {
        *self |= 1 << slot;
    }

    fn clear(&mut self, slot: u32) {
        *self &= !(1 << slot);
    }

    fn heap_bytes(&self) -> usize {
        0
    }
}

/// More than 64 operations open at once.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Wide(Box<[u64]>);

impl Mask for Wide {
    fn empty(slots: usize) -> Self {
        Self(vec![0; slots.div_ceil(64)].into_boxed_slice())
    }

    fn has(&self, slot: u32) -> bool {
        self.0[slot as usize / 64] >> (slot % 64) & 1 == 1
    }

    fn set(&mut self, slot: u32) {
        self.0[slot as usize / 64] |= 1 << (slot % 64);
    }

    fn clear(&mut self, slot: u32) {
        self.0[slot as usize / 64] &= !(1 << (slot % 64));
    }

    fn heap_bytes(&self) -> usize {
        self.0.len() * 8 + 16
    }
}
