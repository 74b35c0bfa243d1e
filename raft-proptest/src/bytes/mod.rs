//! Byte harnesses: total functions from any bytes to a check of the core.
//!
//! **Intuition.** A fuzzer knows nothing but bytes. Each function here takes any of them and either
//! returns or panics with the broken promise: [`wire::fuzz_wire`] reads them as what the network or
//! a store gives, [`boot::fuzz_boot`] as a disk to start from, [`steps::fuzz_steps`] as a program of
//! inputs, most of them hostile, for a small cluster. What they return is only for counting, so
//! that a campaign can show it got past the first check.
//! **Source.** Ours; the functions have the shape every fuzzing engine asks for.
//! **Upholds.** Checks `inv:bounded`, `inv:pure` and what one node can see of the others.
//! **Not here.** Engines: docs/TESTING.md says how to hang these under one.

pub mod arbitrary;
pub mod boot;
pub mod campaign;
pub mod mutate;
pub mod source;
pub mod steps;
mod store;
pub mod wire;
