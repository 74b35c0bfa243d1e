//! The wire format: bytes for envelopes, entries and snapshots.
//!
//! **Intuition.** Bytes from outside are judged twice: first as a frame (is it whole, bounded, of
//! a version we speak), then as meaning (do the parts make a legal message).
//! **Source.** Ours.
//! **Upholds.** `inv:bounded`.
//! **Not here.** Whether a legal message is believed (`node.rs`).

pub(crate) mod cursor;
