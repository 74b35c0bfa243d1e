//! Sets of operations of unknown outcome that were used on the way to a situation.
//!
//! **Intuition.** A history can have thousands of groups of unknown outcomes while two situations
//! differ in one or two. So a set is a tree of small nodes, each kept once: adding one operation
//! makes a handful of new nodes, equal sets have equal numbers, and comparing two sets skips
//! everything they share.
//! **Source.** Hash-consing (Ershov 1958) of a radix tree.
//! **Upholds.** `inv:linearizable`.
//! **Not here.** Which operations form a group (`layout.rs`).

use crate::{
    collections::FixedMap,
    lin::planted::{Mistake, planted},
};

const FANOUT: usize = 8;

/// Counts on the lowest level, numbers of nodes above. The node of zeros is number 0 on every
/// level.
type Node = [u32; FANOUT];

/// Counts per group, each combination numbered once; 0 is "none used".
#[derive(Debug)]
pub(super) struct Used {
    nodes: Vec<Node>,
    ids: FixedMap<Node, u32>,
    levels: u32,
}

impl Used {
    pub(super) fn new(groups: usize) -> Self {
        let mut levels = 1;
        while FANOUT.pow(levels) < groups {
            levels += 1;
        }
        let mut ids = FixedMap::default();
        ids.insert([0; FANOUT], 0);
        Self { nodes: vec![[0; FANOUT]], ids, levels }
    }

    pub(super) fn count(&self, set: u32, group: usize) -> u32 {
        let mut at = set;
        for level in (0..self.levels).rev() {
            at = self.nodes[at as usize][digit(group, level)];
        }
        at
    }

    /// The set with one more of `group`.
    pub(super) fn add(&mut self, set: u32, group: usize) -> u32 {
        self.add_below(set, group, self.levels - 1)
    }

    fn add_below(&mut self, at: u32, group: usize, level: u32) -> u32 {
        let mut node = self.nodes[at as usize];
        let place = digit(group, level);
        node[place] = match level {
            0 => node[place] + 1,
            _ => self.add_below(node[place], group, level - 1),
        };
        let fresh = self.nodes.len() as u32;
        let id = *self.ids.entry(node).or_insert(fresh);
        if id == fresh {
            self.nodes.push(node);
        }
        id
    }

    /// Whether `few` is contained in `many`. Groups are used first invoked first, so counts are
    /// enough.
    pub(super) fn within(&self, few: u32, many: u32) -> bool {
        planted(Mistake::SearchCoversTooMuch) || self.within_below(few, many, self.levels - 1)
    }

    fn within_below(&self, few: u32, many: u32, level: u32) -> bool {
        if few == many || few == 0 {
            return true;
        }
        let pairs = self.nodes[few as usize].iter().zip(&self.nodes[many as usize]);
        match level {
            0 => pairs.into_iter().all(|(few, many)| few <= many),
            _ => pairs.into_iter().all(|(&few, &many)| self.within_below(few, many, level - 1)),
        }
    }

    pub(super) fn bytes(&self) -> u64 {
        (self.nodes.len() * size_of::<Node>() * 3) as u64
    }
}

const fn digit(group: usize, level: u32) -> usize {
    group / FANOUT.pow(level) % FANOUT
}

#[test]
fn sets_count_and_compare_like_plain_ones() {
    for groups in [1, 8, 9, 70, 600] {
        let mut used = Used::new(groups);
        let mut dice = crate::lin::generate::Dice::new(groups as u64);
        let mut sets = vec![(0, vec![0; groups])];
        for _ in 0..200 {
            let (id, mut counts) = sets[dice.below(sets.len() as u64) as usize].clone();
            let group = dice.below(groups as u64) as usize;
            counts[group] += 1;
            let id = used.add(id, group);
            for (group, count) in counts.iter().enumerate() {
                assert_eq!(used.count(id, group), *count);
            }
            for (other, plain) in &sets {
                let within = plain.iter().zip(&counts).all(|(few, many)| few <= many);
                assert_eq!(used.within(*other, id), within);
                assert_eq!(*other == id, *plain == counts);
            }
            sets.push((id, counts));
        }
    }
}
