//! Strategies: random but sensible values of the real types.
//!
//! **Intuition.** What a node makes of an input depends on its state, so messages and inputs are
//! drawn as sketches (a matching position, one round too old, an acknowledgement given twice) and
//! made concrete against the state that was actually reached. A sketch shrinks by itself and stays
//! meaningful while others are dropped before it.
//! **Source.** Ours; preconditions judged at run time as in proptest's own state-machine tests.
//! **Upholds.** Nothing; inputs for tests of all invariants.
//! **Not here.** Who plays them against a node (`rig/`), what is right (`model/`).

pub mod ids;
pub mod input;
pub mod log;
pub mod message;
pub mod schedule;
