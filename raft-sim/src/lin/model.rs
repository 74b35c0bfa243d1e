//! Models: what each call does to the state, and what it must answer.
//!
//! **Intuition.** A history is linearizable when some sequential run of the model gives exactly
//! the answers the clients saw. So a model is one function, `apply`, plus two hints that make
//! checking fast: which part of the state a call touches, and which calls change nothing.
//! **Source.** Herlihy and Wing 1990 (sequential specifications); ours in form.
//! **Upholds.** `inv:linearizable` (the specification side of it).
//! **Not here.** The machine the clusters replicate (`workload/kv.rs`): written apart from the
//! models on purpose, so that one mistake cannot hide in both.

use core::{fmt::Debug, hash::Hash};

use super::{
    history::Operation,
    quick::Quick,
    register::{self, Access},
    space::{Interned, Space},
};

/// A deterministic sequential specification.
pub trait Model {
    /// What clients ask.
    type Call: Clone + Debug + Eq + Hash;
    /// What clients are told.
    type Reply: Clone + Debug + Eq + Hash;
    /// The part of the state that one key's calls share.
    type State: Clone + Debug + Eq + Hash;
    /// Names independent parts of the state: calls with different keys never affect each other.
    type Key: Clone + Debug + Ord;

    /// The key `call` touches.
    fn key(&self, call: &Self::Call) -> Self::Key;

    /// The state of a key before anything happened to it.
    fn initial(&self) -> Self::State;

    /// Applies `call` to `state` and tells whether `reply` is the answer it gives there.
    /// `None` stands for an outcome nobody saw: any answer is right. When the result is `false`,
    /// `state` may hold anything.
    ///
    /// It must be a function of its arguments; the effect must not depend on `reply`.
    fn apply(
        &self,
        state: &mut Self::State,
        call: &Self::Call,
        reply: Option<&Self::Reply>,
    ) -> bool;

    /// Whether `call`, answered with `reply`, leaves every state in which that answer is right
    /// unchanged (a read; a refused compare-and-set). `false` is always safe and only slower.
    fn is_read(&self, _call: &Self::Call, _reply: Option<&Self::Reply>) -> bool {
        false
    }

    /// Whether `reply` is of a kind that `call` can get in some state.
    fn fits(&self, _call: &Self::Call, _reply: &Self::Reply) -> bool {
        true
    }

    /// What `call` with `reply` is to a register, for the fast decision of `register.rs`; `None`
    /// (always safe) if it is neither a read nor a write of one. A write of the same value as
    /// another must be reported as such; the initial state is "read as `None`".
    fn access(&self, _call: &Self::Call, _reply: Option<&Self::Reply>) -> Option<Access> {
        None
    }

    /// Decides one key's `history`, in order of invocation, without searching, if the model knows
    /// how. By default registers are decided from [`Model::access`].
    fn decide(&self, history: &[&Operation<Self::Call, Self::Reply>]) -> Quick {
        register::decide(self, history)
    }

    /// About how many bytes `state` holds outside itself; counted against the budget.
    fn heap_bytes(&self, _state: &Self::State) -> usize {
        64
    }

    /// Whether removing `write` from a history could make `other` impossible. For explanations;
    /// `true` is always safe and keeps more.
    fn may_see(
        &self,
        _other: &Operation<Self::Call, Self::Reply>,
        _write: &Operation<Self::Call, Self::Reply>,
    ) -> bool {
        true
    }

    /// The numbered states and transitions of one key's `history`. The default interns whatever
    /// `apply` produces; a model may know a smaller space with the same answers.
    fn space<'a>(
        &'a self,
        history: &[&'a Operation<Self::Call, Self::Reply>],
    ) -> Box<dyn Space + 'a> {
        Box::new(Interned::new(self, history))
    }
}
