//! Which operations of unknown outcome could be of use in a state of lists.
//!
//! **Intuition.** An operation of unknown outcome matters only through what follows it. Going back
//! from the states that open operations ask for, through what could lead there, names the few
//! that matter, however many there are.
//! **Source.** Ours; rule 9 of the search.
//! **Upholds.** `inv:linearizable`.
//! **Not here.** What each operation does (`kv.rs`), the search (`search.rs`).

use super::{
    kv::Step,
    tree::{ELSEWHERE, Tree},
};
use crate::{
    collections::FixedMap,
    lin::space::{ClassId, StateId},
};

/// A token that stands in more places than this is not followed.
const PLACES_MAX: usize = 32;

/// The operations of unknown outcome of one key, by where they lead.
#[derive(Debug, Default)]
pub(super) struct Helpers {
    sets: FixedMap<StateId, ClassId>,
    /// By the state they lead to: the state they start from.
    tries: FixedMap<StateId, Vec<(StateId, ClassId)>>,
    appends: FixedMap<u64, ClassId>,
    /// For each token the states behind which it stands in the tree.
    before: FixedMap<u64, Vec<StateId>>,
    any: bool,
    targets: Vec<StateId>,
}

impl Helpers {
    pub(super) fn add(&mut self, class: ClassId, step: Step) {
        self.any = true;
        match step {
            Step::Set(to) => drop(self.sets.insert(to, class)),
            Step::Try { old, new } => {
                let from = self.tries.entry(new).or_default();
                if !from.contains(&(old, class)) {
                    from.push((old, class));
                }
            }
            Step::Append(token) => drop(self.appends.insert(token, class)),
            _ => {}
        }
    }

    /// Once all are added.
    pub(super) fn seal(&mut self, tree: &Tree) {
        if self.any {
            for node in tree.named() {
                self.before.entry(tree.token(node)).or_default().push(tree.parent(node));
            }
        }
    }

    /// See [`Space::helpers`](crate::lin::space::Space::helpers). `blind`: no refusals.
    pub(super) fn find(
        &mut self,
        tree: &Tree,
        blind: bool,
        state: StateId,
        open: impl Iterator<Item = Step>,
        helpers: &mut Vec<ClassId>,
    ) -> bool {
        let Self { sets, tries, appends, before, targets, .. } = self;
        targets.clear();
        let want = |targets: &mut Vec<StateId>, target| {
            if target != state && !targets.contains(&target) {
                targets.push(target);
            }
        };
        for step in open {
            match step {
                Step::Get(target) | Step::Swap { old: target, .. } => want(targets, target),
                // Any change makes it right.
                Step::Refused { old } if old == state => return false,
                // Any change takes the grown list where a refusal is right.
                Step::Append(token) if !blind && tree.walk(state, token) != ELSEWHERE => {
                    return false;
                }
                Step::Append(token) => {
                    let targets_of = before.get(&token).map_or(&[][..], Vec::as_slice);
                    if targets_of.len() > PLACES_MAX {
                        return false;
                    }
                    for &target in targets_of {
                        want(targets, target);
                    }
                }
                _ => {}
            }
        }
        let mut at = 0;
        while let Some(&target) = targets.get(at) {
            at += 1;
            helpers.extend(sets.get(&target));
            for &(old, class) in tries.get(&target).into_iter().flatten() {
                if old == state { helpers.push(class) } else { want(targets, old) }
            }
            if let Some(parent) = tree.parent_of(target)
                && let Some(&class) = appends.get(&tree.token(target))
            {
                if parent == state { helpers.push(class) } else { want(targets, parent) }
            }
        }
        true
    }
}
