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
    targets: Targets,
}

/// Where the search is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place<'a> {
    pub(super) tree: &'a Tree,
    /// No refusals in this history.
    pub(super) blind: bool,
    pub(super) state: StateId,
}

/// States asked for, each once.
#[derive(Debug, Default)]
struct Targets {
    list: Vec<StateId>,
    /// Per state the last search that asked for it.
    stamps: Vec<u32>,
    stamp: u32,
}

impl Targets {
    fn begin(&mut self, nodes: usize) {
        self.list.clear();
        self.stamps.resize(nodes, 0);
        self.stamp += 1;
    }

    fn want(&mut self, target: StateId, state: StateId) {
        if target != state && self.stamps[target as usize] != self.stamp {
            self.stamps[target as usize] = self.stamp;
            self.list.push(target);
        }
    }
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

    /// See [`Space::helpers`](crate::lin::space::Space::helpers).
    pub(super) fn find(
        &mut self,
        Place { tree, blind, state }: Place<'_>,
        open: impl Iterator<Item = Step>,
        deep: bool,
        helpers: &mut Vec<ClassId>,
    ) -> bool {
        let Self { sets, tries, appends, before, targets, .. } = self;
        targets.begin(tree.nodes());
        let (mut all, mut buries) = (true, false);
        for step in open {
            match step {
                // Dead writes can ride along with an overwrite that leads back here.
                Step::Set(ELSEWHERE) if blind => buries = true,
                Step::Append(token) if blind && tree.lacks(token) => buries = true,
                Step::Get(target) | Step::Swap { old: target, .. } => targets.want(target, state),
                // Any change makes it right.
                Step::Refused { old } if old == state => all = false,
                // Any change takes the grown list where a refusal is right.
                Step::Append(token) if !blind && tree.walk(state, token) != ELSEWHERE => {
                    all = false;
                }
                Step::Append(token) => {
                    let places = before.get(&token).map_or(&[][..], Vec::as_slice);
                    if places.len() > PLACES_MAX {
                        all = false;
                    } else {
                        places.iter().for_each(|&target| targets.want(target, state));
                    }
                }
                _ => {}
            }
        }
        if deep && !all {
            return false;
        }
        if buries {
            helpers.extend(sets.get(&state));
        }
        let asked = targets.list.len();
        let mut at = 0;
        while let Some(&target) = targets.list.get(at) {
            at += 1;
            if at > asked && !deep {
                return false;
            }
            helpers.extend(sets.get(&target));
            for &(old, class) in tries.get(&target).into_iter().flatten() {
                if old == state { helpers.push(class) } else { targets.want(old, state) }
            }
            if let Some(parent) = tree.parent_of(target)
                && let Some(&class) = appends.get(&tree.token(target))
            {
                if parent == state { helpers.push(class) } else { targets.want(parent, state) }
            }
        }
        all
    }
}
