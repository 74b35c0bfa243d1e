//! The history in the shape the search walks.
//!
//! **Intuition.** Everything the search asks again and again is worked out once: the order of the
//! returns, the slot each operation has while it is open, and which operations of unknown outcome
//! do the same as which others.
//! **Source.** Just-in-time linearization (Lowe 2017) for the slots; the groups are ours.
//! **Upholds.** `inv:linearizable`.
//! **Not here.** The search itself (`search.rs`).

use crate::lin::{
    history::Operation,
    space::{ClassId, Space, Traits},
};

pub(super) const NONE: u32 = u32::MAX;
/// Marks a candidate as an unknown outcome; the rest of the number is its group.
pub(super) const UNKNOWN: u32 = 1 << 31;

/// A completed operation.
#[derive(Clone, Copy, Debug)]
pub(super) struct Known {
    pub(super) position: u32,
    pub(super) class: ClassId,
    pub(super) slot: u32,
    /// Place among all returns.
    pub(super) rank: u32,
}

/// Operations of unknown outcome that do the same.
#[derive(Clone, Debug)]
pub(super) struct Group {
    pub(super) class: ClassId,
    /// Position, and the first return it was invoked before; in order of invocation.
    pub(super) members: Vec<(u32, u32)>,
}

/// The history in the shape the search walks.
#[derive(Clone, Debug)]
pub(super) struct Layout {
    pub(super) known: Vec<Known>,
    /// Completed operations in order of return.
    pub(super) returns: Vec<u32>,
    /// How many completed operations were invoked before each return.
    pub(super) entered: Vec<u32>,
    pub(super) groups: Vec<Group>,
    /// The most operations open at once.
    pub(super) slots: usize,
    pub(super) traits: Vec<Traits>,
    /// Per class, for rule 7: the branch a read needs and the branch an operation supplies.
    pub(super) needs: Vec<Option<u32>>,
    pub(super) supplies: Vec<Option<u32>>,
    /// Class by position.
    pub(super) class_of: Vec<ClassId>,
    /// Group by class.
    pub(super) group_of: Vec<u32>,
    /// Per branch the first return before which an unknown outcome that leads into it is invoked,
    /// and the same for all branches together.
    jump_from: Vec<u32>,
    jump_from_any: u32,
    bytes: u64,
}

impl Layout {
    pub(super) fn new<C, R>(history: &[&Operation<C, R>], space: &dyn Space) -> Self {
        let traits: Vec<Traits> =
            (0..space.classes()).map(|class| space.traits(class as ClassId)).collect();
        let mut known = Vec::with_capacity(history.len());
        let mut times = Vec::with_capacity(history.len());
        let mut open = Vec::new();
        for (position, operation) in history.iter().enumerate() {
            let class = space.class(position);
            if let Some(returned) = operation.returned {
                times.push((returned, known.len() as u32));
                known.push(Known { position: position as u32, class, slot: NONE, rank: NONE });
            } else if !traits[class as usize].read && !traits[class as usize].dead {
                open.push((position as u32, class, operation.invoked));
            }
        }
        times.sort_unstable();
        let invoked = |op: &Known| history[op.position as usize].invoked;

        // One sweep over the returns gives every operation its slot for as long as it is open.
        let (mut free, mut slots, mut next) = (Vec::new(), 0, 0);
        let mut entered = Vec::with_capacity(times.len() + 1);
        for (rank, &(returned, op)) in times.iter().enumerate() {
            while next < known.len() && invoked(&known[next]) < returned {
                known[next].slot = free.pop().unwrap_or_else(|| {
                    slots += 1;
                    slots - 1
                });
                next += 1;
            }
            entered.push(next as u32);
            known[op as usize].rank = rank as u32;
            free.push(known[op as usize].slot);
        }
        entered.push(next as u32);

        let mut groups: Vec<Group> = Vec::new();
        let mut group_of = vec![NONE; traits.len()];
        for (position, class, invoked) in open {
            let from = times.partition_point(|&(returned, _)| returned < invoked);
            if from == times.len() {
                continue; // Nothing returns after it, so nothing can depend on it.
            }
            let group = &mut group_of[class as usize];
            if *group == NONE {
                *group = groups.len() as u32;
                groups.push(Group { class, members: Vec::new() });
            }
            groups[*group as usize].members.push((position, from as u32));
        }
        let returns = times.into_iter().map(|(_, op)| op).collect();
        let all = 0..space.classes() as ClassId;
        let needs = all.clone().map(|class| space.needs(class)).collect();
        let supplies: Vec<Option<u32>> = all.map(|class| space.supplies(class)).collect();
        let mut jump_from = vec![NONE; space.branches()];
        let mut jump_from_any = NONE;
        for Group { class, members } in &groups {
            if traits[*class as usize].jumps {
                let from = members[0].1;
                jump_from_any = jump_from_any.min(from);
                if let Some(branch) = supplies[*class as usize] {
                    let least = &mut jump_from[branch as usize];
                    *least = from.min(*least);
                }
            }
        }
        let class_of = (0..history.len()).map(|position| space.class(position)).collect();
        let slots = slots as usize;
        let members: usize = groups.iter().map(|group| group.members.len() + 4).sum();
        let classes = traits.len() * (size_of::<Traits>() + 24) + history.len() * 4;
        let bytes = known.len() * (size_of::<Known>() + 8) + members * 8 + classes;
        Self {
            known,
            returns,
            entered,
            groups,
            slots,
            traits,
            needs,
            supplies,
            class_of,
            group_of,
            jump_from,
            jump_from_any,
            bytes: bytes as u64,
        }
    }

    /// The first return before which an unknown outcome is invoked that could lead to where a
    /// read of `class` is legal, without the growing in between; `NONE` if there is none.
    pub(super) fn unknown_jump(&self, class: ClassId) -> u32 {
        match self.needs[class as usize] {
            Some(branch) => self.jump_from[branch as usize],
            None => self.jump_from_any,
        }
    }

    /// The class of a candidate.
    pub(super) fn class(&self, code: u32) -> ClassId {
        if code & UNKNOWN == 0 {
            self.known[code as usize].class
        } else {
            self.groups[(code & !UNKNOWN) as usize].class
        }
    }

    pub(super) const fn bytes(&self) -> u64 {
        self.bytes
    }
}
