//! Elections: who may lead the next term.
//!
//! **Intuition.** A node that misses its leader first asks whether anybody would vote for it, then
//! campaigns in a new term; each voter gives its one vote of the term to the first candidate whose
//! log is as good as its own, on disk before it says so.
//! **Source.** Thesis §3.4, §3.6.1, §4.2.3, §6.2, §9.6.
//! **Upholds.** `inv:election-safety`, `inv:one-vote-per-term`, `inv:leader-completeness`.
//! **Not here.** Role changes (`role.rs`), timers (`timer.rs`).

pub(crate) mod campaign;
pub(crate) mod check_quorum;
pub(crate) mod eligibility;
pub(crate) mod pre_vote;
pub(crate) mod request;
pub(crate) mod tally;
pub(crate) mod vote;
