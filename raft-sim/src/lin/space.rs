//! Numbered states and transitions: what a search works on instead of a model.
//!
//! **Intuition.** Searching means asking "what if this came next" millions of times. Comparing
//! and hashing whole states each time is what makes checkers slow, so states become small
//! numbers, operations with the same call and reply become one class, and a transition is looked
//! up rather than computed twice.
//! **Source.** Ours; the cost of deep state comparison is a known trap of older checkers.
//! **Upholds.** `inv:linearizable`.
//! **Not here.** The search (`search.rs`), the key-value space (`models/kv.rs`).

use super::{history::Operation, model::Model};
use crate::collections::FixedMap;

/// A number standing for a state.
pub type StateId = u32;
/// A number standing for a call with its reply.
pub type ClassId = u32;

/// What the search may take for granted about a class.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traits {
    /// Leaves every state in which it is legal unchanged.
    pub read: bool,
    /// Legal in every state, and the next state does not depend on the one before.
    pub overwrites: bool,
    /// May lead to states that `Space::grows_into` does not foresee. Only asked of spaces that
    /// answer `grows_into`; everything that overwrites jumps.
    pub jumps: bool,
    /// Legal in every state, and no reply in the history can tell what it wrote: in the state it
    /// leaves no read and no refusal of this history is legal, so only operations that see
    /// nothing follow until the next overwrite.
    pub dead: bool,
}

/// Numbered states and transitions of one key's history.
pub trait Space {
    /// The first state.
    fn initial(&self) -> StateId;
    /// The class of the operation at `position` of the history the space was made from.
    fn class(&self, position: usize) -> ClassId;
    /// How many classes there are.
    fn classes(&self) -> usize;
    /// What is known about a class.
    fn traits(&self, class: ClassId) -> Traits;
    /// The state after `class` in `state`, or `None` where its reply would be wrong.
    fn step(&mut self, state: StateId, class: ClassId) -> Option<StateId>;
    /// Memory held, as counted against the budget.
    fn bytes(&self) -> u64;
    /// Whether a read of `class` can become legal after `state` without a class that `jumps`.
    /// `true` is always safe and only slower.
    fn grows_into(&self, _state: StateId, _class: ClassId) -> bool {
        true
    }
    /// States fall into branches: the branch of `state`.
    fn branch(&self, _state: StateId) -> u32 {
        0
    }
    /// Branches are numbered below this; 0 turns the look-ahead by branches off.
    fn branches(&self) -> usize {
        0
    }
    /// The branch in which alone a read of `class` is legal, if there is only one.
    fn needs(&self, _class: ClassId) -> Option<u32> {
        None
    }
    /// The one branch into which `class` can lead from another branch, if it can at all.
    fn supplies(&self, _class: ClassId) -> Option<u32> {
        None
    }
    /// Pushes every class whose operations of unknown outcome could, in `state`, make an operation
    /// of a class in `open` do something else, directly or through further ones of unknown
    /// outcome. `false`: cannot tell, all of them must be tried.
    fn helpers(
        &mut self,
        _state: StateId,
        _open: &[ClassId],
        _deep: bool,
        _helpers: &mut Vec<ClassId>,
    ) -> bool {
        false
    }
}

/// The space of any model: states are interned as they appear.
#[derive(Debug)]
pub struct Interned<'a, M: Model + ?Sized> {
    model: &'a M,
    class_of: Vec<ClassId>,
    representative: Vec<(&'a M::Call, Option<&'a M::Reply>)>,
    traits: Vec<Traits>,
    states: Vec<M::State>,
    ids: FixedMap<M::State, StateId>,
    /// Transitions already computed, by state and class.
    steps: FixedMap<u64, Option<StateId>>,
    heap_bytes: usize,
}

impl<'a, M: Model + ?Sized> Interned<'a, M> {
    /// Makes the space of `history`.
    #[must_use]
    pub fn new(model: &'a M, history: &[&'a Operation<M::Call, M::Reply>]) -> Self {
        let mut classes: FixedMap<(&M::Call, Option<&M::Reply>), ClassId> = FixedMap::default();
        let mut representative = Vec::new();
        let mut traits = Vec::new();
        let class_of = history
            .iter()
            .map(|operation| {
                let pair = (&operation.call, operation.reply.as_ref());
                *classes.entry(pair).or_insert_with(|| {
                    representative.push(pair);
                    let read = model.is_read(pair.0, pair.1);
                    traits.push(Traits { read, ..Traits::default() });
                    representative.len() as ClassId - 1
                })
            })
            .collect();
        let first = model.initial();
        let heap_bytes = model.heap_bytes(&first);
        let mut ids = FixedMap::default();
        ids.insert(first.clone(), 0);
        Self {
            model,
            class_of,
            representative,
            traits,
            states: vec![first],
            ids,
            steps: FixedMap::default(),
            heap_bytes,
        }
    }
}

impl<M: Model + ?Sized> Space for Interned<'_, M> {
    fn initial(&self) -> StateId {
        0
    }

    fn class(&self, position: usize) -> ClassId {
        self.class_of[position]
    }

    fn classes(&self) -> usize {
        self.representative.len()
    }

    fn traits(&self, class: ClassId) -> Traits {
        self.traits[class as usize]
    }

    fn step(&mut self, state: StateId, class: ClassId) -> Option<StateId> {
        let key = u64::from(state) << 32 | u64::from(class);
        if let Some(known) = self.steps.get(&key) {
            return *known;
        }
        let (call, reply) = self.representative[class as usize];
        let mut next = self.states[state as usize].clone();
        let result = self.model.apply(&mut next, call, reply).then(|| {
            if let Some(&id) = self.ids.get(&next) {
                return id;
            }
            let id = self.states.len() as StateId;
            self.heap_bytes += self.model.heap_bytes(&next);
            self.states.push(next.clone());
            self.ids.insert(next, id);
            id
        });
        self.steps.insert(key, result);
        result
    }

    fn bytes(&self) -> u64 {
        // States are kept twice.
        let states = self.states.len() * (2 * size_of::<M::State>() + 8) + 2 * self.heap_bytes;
        (states + self.steps.len() * 24 + self.class_of.len() * 4) as u64
    }
}
