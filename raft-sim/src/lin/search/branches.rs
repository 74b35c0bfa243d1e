//! For the seventh rule of the search: which branches of the state are still needed, and from when
//! they can be supplied.
//!
//! **Intuition.** A read needs the branch of states that holds what it saw. While such a read must
//! be placed before anything that leads back into that branch is even invoked, leaving the branch
//! leads nowhere.
//! **Source.** Ours.
//! **Upholds.** `inv:linearizable`.
//! **Not here.** The search itself (`search.rs`).

use super::{Layout, NONE};

/// For rule 7, per branch: the reads that need it by return, and what supplies it by invocation.
/// Both are kept as ranks of returns: a read ends at its rank, a supply is there from its rank.
#[derive(Debug)]
pub(super) struct Branches {
    pub(super) needs: Ranked,
    pub(super) supplies: Ranked,
}

impl Branches {
    pub(super) fn new(layout: &Layout, branches: usize) -> Self {
        let (mut needs, mut supplies) = (Vec::new(), Vec::new());
        if branches > 0 {
            let mut note = |position: u32, from: u32, rank: Option<u32>| {
                let class = layout.class_of[position as usize] as usize;
                if let (Some(branch), Some(rank)) = (layout.needs[class], rank) {
                    needs.push((branch, rank, position));
                }
                if let Some(branch) = layout.supplies[class] {
                    supplies.push((branch, from, position));
                }
            };
            // Completed operations are in order of invocation, so one sweep tells from when.
            let mut from = 0;
            for (number, known) in layout.known.iter().enumerate() {
                while layout.entered[from as usize] as usize <= number {
                    from += 1;
                }
                note(known.position, from, Some(known.rank));
            }
            for &(position, from) in layout.groups.iter().flat_map(|group| &group.members) {
                note(position, from, None);
            }
        }
        let positions = layout.class_of.len();
        Self {
            needs: Ranked::new(needs, branches, positions),
            supplies: Ranked::new(supplies, branches, positions),
        }
    }

    pub(super) fn place(&mut self, position: u32) {
        self.needs.place(position);
        self.supplies.place(position);
    }

    pub(super) fn take_back(&mut self, position: u32) {
        self.needs.take_back(position);
        self.supplies.take_back(position);
    }

    /// Whether `branch` must not be left.
    pub(super) fn holds(&mut self, branch: u32) -> bool {
        let Some(needed) = self.needs.first(branch) else { return false };
        self.supplies.first(branch).is_none_or(|from| from > needed)
    }

    pub(super) fn bytes(&self) -> u64 {
        self.needs.bytes() + self.supplies.bytes()
    }
}

/// Operations by branch and rank, of which the first unplaced one is asked for.
#[derive(Debug)]
pub(super) struct Ranked {
    /// Rank and whether placed, sorted by branch and rank.
    pub(super) items: Vec<(u32, bool)>,
    /// Per branch: where its items end, and up to where they are known to be placed.
    pub(super) branches: Vec<(u32, u32)>,
    /// By position: item and branch.
    pub(super) item_of: Vec<(u32, u32)>,
}

impl Ranked {
    pub(super) fn new(mut sorted: Vec<(u32, u32, u32)>, branches: usize, positions: usize) -> Self {
        sorted.sort_unstable();
        let mut item_of = vec![(NONE, 0); if sorted.is_empty() { 0 } else { positions }];
        let mut ranges = vec![(0, 0); branches];
        for (item, &(branch, _, position)) in sorted.iter().enumerate() {
            let item = item as u32;
            item_of[position as usize] = (item, branch);
            let (end, placed) = &mut ranges[branch as usize];
            if *end == 0 {
                *placed = item;
            }
            *end = item + 1;
        }
        let items = sorted.into_iter().map(|(_, rank, _)| (rank, false)).collect();
        Self { items, branches: ranges, item_of }
    }

    pub(super) fn place(&mut self, position: u32) {
        if let Some(&(item, _)) = self.item_of.get(position as usize)
            && item != NONE
        {
            self.items[item as usize].1 = true;
        }
    }

    pub(super) fn take_back(&mut self, position: u32) {
        if let Some(&(item, branch)) = self.item_of.get(position as usize)
            && item != NONE
        {
            self.items[item as usize].1 = false;
            let (_, placed) = &mut self.branches[branch as usize];
            *placed = (*placed).min(item);
        }
    }

    /// The least rank among the unplaced items of `branch`.
    pub(super) fn first(&mut self, branch: u32) -> Option<u32> {
        let (end, placed) = self.branches.get_mut(branch as usize)?;
        while *placed < *end && self.items[*placed as usize].1 {
            *placed += 1;
        }
        (*placed < *end).then(|| self.items[*placed as usize].0)
    }

    pub(super) fn bytes(&self) -> u64 {
        ((self.items.len() + self.branches.len() + self.item_of.len()) * 8) as u64
    }
}
