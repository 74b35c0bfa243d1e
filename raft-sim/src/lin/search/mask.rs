//! Sets in a search: which slots are placed, and which operations of unknown outcome were used.
//!
//! **Intuition.** A situation is remembered by value, so its sets must be small and quick to
//! compare: one word for up to 64 slots, and a number for each distinct multiset of used unknowns.
//! **Source.** Bitset memos as in Lowe 2017; numbering sets is ours.
//! **Upholds.** `inv:linearizable`.
//! **Not here.** The search itself (`search.rs`).

use core::hash::Hash;

use crate::collections::FixedMap;

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

/// Sets of used unknown outcomes, as counts per group, each numbered once.
#[derive(Debug)]
pub(super) struct Used {
    pub(super) sets: Vec<Box<[u32]>>,
    pub(super) ids: FixedMap<Box<[u32]>, u32>,
}

impl Used {
    pub(super) fn new(groups: usize) -> Self {
        let none: Box<[u32]> = vec![0; groups].into_boxed_slice();
        let mut ids = FixedMap::default();
        ids.insert(none.clone(), 0);
        Self { sets: vec![none], ids }
    }

    pub(super) fn count(&self, set: u32, group: usize) -> u32 {
        self.sets[set as usize][group]
    }

    pub(super) fn add(&mut self, set: u32, group: usize) -> u32 {
        let mut counts = self.sets[set as usize].clone();
        counts[group] += 1;
        if let Some(&id) = self.ids.get(&counts) {
            return id;
        }
        let id = self.sets.len() as u32;
        self.sets.push(counts.clone());
        self.ids.insert(counts, id);
        id
    }

    /// Whether `few` is contained in `many`. Groups are used first invoked first, so counts are
    /// enough.
    pub(super) fn within(&self, few: u32, many: u32) -> bool {
        few == many
            || self.sets[few as usize]
                .iter()
                .zip(&*self.sets[many as usize])
                .all(|(few, many)| few <= many)
    }

    pub(super) fn bytes(&self) -> u64 {
        let each = self.sets[0].len() * 4 + 24;
        (self.sets.len() * each * 2) as u64
    }
}
