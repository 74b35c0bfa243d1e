//! Clients and what they do: a small key-value store spoken to over an unreliable network.
//!
//! **Intuition.** Clients are closed loops: one operation at a time, retried while it is certain
//! that nothing happened, left open for ever once it is not. What they saw is the only evidence a
//! user would ever have, so it is what linearizability is judged by.
//! **Source.** Jepsen's rules for unknown outcomes.
//! **Upholds.** `inv:linearizable`, `inv:nothing-lost`.
//! **Not here.** Judging what they saw (`lin/`, `oracle/`).

pub(crate) mod client;
pub(crate) mod history;
pub mod kv;
pub mod reads;
