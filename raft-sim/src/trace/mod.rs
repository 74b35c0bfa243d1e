//! What is written down: plans, schedules, and traces with a rolling digest.
//!
//! **Intuition.** A plan says what kinds of trouble a run has, a schedule says everything that
//! makes the run, a trace says what happened. All three are text that survives editors, newer
//! versions and older readers.
//! **Source.** Ours; docs/TRACE.md is normative.
//! **Upholds.** `inv:pure`.
//! **Not here.** Histories (`lin/`), reports (`report/`), running (`world/`, `replay.rs`).

pub mod diff;
pub mod digest;
pub mod document;
pub mod error;
pub mod keep;
pub mod read;
pub mod record;
pub mod write;

#[cfg(test)]
mod tests;
