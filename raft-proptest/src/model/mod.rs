//! The reference model: Raft in plain values, sharing no code with the core.
//!
//! **Intuition.** Two programs written apart, one for speed and one for reading, rarely share a
//! mistake. The model has a vector for the log and a map for the voters, loops where the core has
//! indexes, and a disk that is never behind; where the disk keeps up, the core must agree with it
//! in everything that can be seen.
//! **Source.** Thesis Fig. 3.1, and the departures that `rules.rs` lists.
//! **Upholds.** Checks `inv:log-matching`, `inv:one-vote-per-term`, `inv:committed-durable`,
//! `inv:committed-immutable`.
//! **Not here.** Time (the model never campaigns by itself), slow disks (`rig/` has those).

pub mod majority;
pub mod refine;
pub mod rules;
