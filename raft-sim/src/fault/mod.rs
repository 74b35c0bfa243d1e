//! Trouble: what kinds a run has (plan), when exactly (schedule), and each fate (fates).
//!
//! **Intuition.** A seed is turned into a plan by a swarm draw, the plan into a schedule: plain
//! data that says everything exceptional that will happen. Removing one line of a schedule leaves
//! all other decisions as they were, because every fate is keyed by what it is about.
//! **Source.** Swarm testing (Groce et al., ISSTA 2012); keyed fates are ours.
//! **Upholds.** `inv:pure`.
//! **Not here.** Carrying faults out (`world/`, `net/`, `disk/`).

pub mod axes;
pub mod check;
pub mod fates;
mod operate;
mod ops;
mod partition;
pub mod plan;
pub mod schedule;
pub mod swarm;
mod timed;
mod upgrade;
