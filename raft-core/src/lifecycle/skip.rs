//! Skipping an entry that no machine can apply.
//!
//! **Intuition.** TODO-header
//! **Source.** SEEDS 2.13.5.
//! **Upholds.** `inv:apply-once-in-order`.
//! **Not here.** The machine (the driver).

use bytes::Bytes;

use crate::{Node, error::Rejected, types::LogIndex};

impl Node {
    pub(crate) fn on_apply_failed(&mut self, _index: LogIndex) -> Result<(), Rejected> {
        Err(Rejected::Placeholder)
    }

    pub(crate) fn skip_appended(&mut self, _index: LogIndex, _payload: &Bytes) {}

    pub(crate) fn skips_truncated(&mut self, _from: LogIndex) {}
}
