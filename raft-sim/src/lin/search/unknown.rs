//! Which operations of unknown outcome are candidates.
//!
//! **Intuition.** There may be thousands of them and hardly any is of use here. Those that help
//! something open at once are candidates like others; the rest hides behind one candidate that
//! is looked at when everything else has failed.
//! **Source.** Ours; rules 2, 3 and 9 of the search.
//! **Upholds.** `inv:linearizable`.
//! **Not here.** What is of use in a state (`space.rs`, `models/helpers.rs`), completed operations
//! (`search.rs`).

use super::{Group, Mask, NONE, REST, Search, UNKNOWN};
use crate::lin::{
    planted::{Mistake, planted},
    space::ClassId,
};

impl<M: Mask> Search<'_, M> {
    /// Candidates of unknown outcome.
    pub(super) fn push_unknown(&mut self, awaited_class: ClassId) {
        if self.layout.groups.is_empty() {
            return;
        }
        if !self.push_helpers(false, awaited_class) && !self.few_unknown {
            if self.layout.groups.len() <= self.groups_at_once {
                self.push_rest(awaited_class);
            } else {
                self.scratch.push((u64::MAX, REST, self.state));
            }
        }
    }

    /// The unknown outcomes that are of use; `false`: there may be more.
    fn push_helpers(&mut self, deep: bool, awaited_class: ClassId) -> bool {
        self.helpers.clear();
        let all = self.space.helpers(self.state, &self.wanted, deep, &mut self.helpers);
        for at in 0..self.helpers.len() {
            let group = self.layout.group_of[self.helpers[at] as usize];
            if group != NONE {
                self.push_group(group as usize, awaited_class);
            }
        }
        all
    }

    fn push_rest(&mut self, awaited_class: ClassId) {
        if planted(Mistake::OnlyHelpAtOnce) {
            return;
        }
        if !self.push_helpers(true, awaited_class) {
            for group in 0..self.layout.groups.len() {
                self.push_group(group, awaited_class);
            }
        }
    }

    /// Replaces the candidate `REST` of the topmost frame, which is where we are.
    pub(super) fn expand_rest(&mut self) {
        let awaited = self.layout.returns[self.next_return as usize];
        self.scratch.clear();
        self.wanted.clear();
        self.buries = false;
        for (slot, &op) in self.open.iter().enumerate() {
            if op != NONE && !self.placed.has(slot as u32) {
                let class = self.layout.known[op as usize].class;
                self.wanted.push(class);
                self.buries |= self.layout.traits[class as usize].dead;
            }
        }
        self.push_rest(self.layout.known[awaited as usize].class);
        self.scratch.sort_unstable();
        self.scratch.dedup();
        self.candidates.extend(self.scratch.iter().map(|&(_, code, next)| (code, next)));
        if let Some(frame) = self.frames.last_mut() {
            frame.candidates_end = self.candidates.len() as u32;
        }
    }

    fn push_group(&mut self, group: usize, awaited_class: ClassId) {
        let Group { class, members } = &self.layout.groups[group];
        let Some(&(_, from)) = members.first() else { return };
        if from > self.next_return {
            return;
        }
        let count = self.sets.count(self.used, group);
        if members.get(count as usize).is_none_or(|&(_, from)| from > self.next_return) {
            return;
        }
        if let Some(next) = self.space.step(self.state, *class)
            && (next != self.state
                || (self.buries && self.layout.traits[*class as usize].overwrites))
        {
            let serves = self.space.step(next, awaited_class).is_some();
            let rank = u64::from(!serves) << 34 | 1 << 33 | group as u64;
            self.scratch.push((rank, UNKNOWN | group as u32, next));
        }
    }
}
