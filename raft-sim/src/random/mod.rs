//! Chance: every random decision of the simulator, keyed or streamed, always in integers.
//!
//! **Intuition.** What happens *during* a run is keyed: a fate is a function of the run key and of
//! the thing's identity, so removing one thing moves nothing else. What is decided *before* a run
//! (plan, faults, clients) comes from streams, one per purpose, so that one purpose drawing more
//! or less never moves another.
//! **Source.** SipHash (Aumasson, Bernstein 2012) and ChaCha (Bernstein 2008); the split is ours.
//! **Upholds.** `inv:pure`.
//! **Not here.** What is decided with it (`fault/`).

pub mod prf;
pub mod sample;
pub mod stream;
mod tables;
pub mod token;
