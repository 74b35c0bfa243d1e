//! Deciding without searching: what a model's own algorithm can say.
//!
//! **Intuition.** For some objects linearizability is a matter of sorting. Such an algorithm says
//! yes, or names a few operations that cannot all be explained, or admits that it does not apply;
//! then the search decides. A no is never taken on trust: the few operations are searched, and if
//! they have an order after all, so is everything.
//! **Source.** Ours in form; each algorithm names its own.
//! **Upholds.** `inv:linearizable`.
//! **Not here.** The algorithms (`register.rs`, `models/`).

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Quick {
    /// This cannot decide.
    NotApplicable,
    /// Linearizable.
    Ok,
    /// Not linearizable; these few operations (positions) are not, by themselves.
    Illegal(Vec<u32>),
}
