//! The register of client operations: what became of each.
//!
//! **Intuition.** An operation has one fate seen from two sides, by its client (returned, refused,
//! given up) and by the machines (applied at an index, or never). The register keeps both.
//! **Source.** Ours.
//! **Upholds.** Used by `inv:nothing-lost` and the marks.
//! **Not here.** Judgement (`nothing_lost.rs`), values (`lin/`).

use raft_core::LogIndex;

use crate::collections::FixedMap;

/// What is known of one operation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Fate {
    /// It is a read.
    pub(super) read: bool,
    /// A node accepted it.
    pub(super) accepted: bool,
    /// Index at which its command was applied.
    pub(super) applied: Option<LogIndex>,
    /// Its client knows that it has no effect.
    pub(super) refused: bool,
    /// Its client gave up.
    pub(super) unknown: bool,
    /// Index its client was told.
    pub(super) returned: Option<LogIndex>,
}

/// The register.
#[derive(Clone, Debug, Default)]
pub(super) struct Ops {
    fates: FixedMap<u64, Fate>,
    /// By log index: the operation first applied there.
    applied_at: Vec<Option<u64>>,
    /// Operations applied somewhere.
    pub(super) commits: u64,
    /// Writes given up on.
    pub(super) unknown: u64,
    /// Writes given up on that were applied.
    pub(super) unknown_applied: u64,
}

impl Ops {
    /// What is known of `op`.
    pub(super) fn fate(&mut self, op: u64) -> &mut Fate {
        self.fates.entry(op).or_default()
    }

    /// What is known of `op`, if anything.
    pub(super) fn get(&self, op: u64) -> Option<&Fate> {
        self.fates.get(&op)
    }

    /// The operation first applied at `index`.
    pub(super) fn at(&self, index: LogIndex) -> Option<u64> {
        let at = usize::try_from(index.0.checked_sub(1)?).ok()?;
        self.applied_at.get(at).copied().flatten()
    }

    /// Notes that `op` was applied at `index`; only the first index and operation are kept.
    pub(super) fn note_applied(&mut self, op: u64, index: LogIndex) {
        let fate = self.fates.entry(op).or_default();
        if fate.applied.is_none() {
            fate.applied = Some(index);
            self.commits += 1;
            self.unknown_applied += u64::from(fate.unknown);
        }
        let at = index.prev().0 as usize;
        if at >= self.applied_at.len() {
            self.applied_at.resize(at + 1, None);
        }
        let first = &mut self.applied_at[at];
        if first.is_none() {
            *first = Some(op);
        }
    }

    /// Notes that the client of `op` gave up. Reads do not count: they have no effect.
    pub(super) fn note_unknown(&mut self, op: u64) {
        let fate = self.fates.entry(op).or_default();
        if fate.read || fate.unknown {
            return;
        }
        fate.unknown = true;
        self.unknown += 1;
        self.unknown_applied += u64::from(fate.applied.is_some());
    }
}
