//! Taking a snapshot of the own machine.
//!
//! **Intuition.** `TakeSnapshot` travels in the machine's own lane, so when its turn comes the
//! machine stands exactly at the index it names; the capture is made there and written in the
//! background. Its description is complete when it is asked for: everything replicated that is not
//! the machine's own is read off at that very index, not off the newest state.
//! **Source.** Thesis §5.1.1–§5.1.2; B-051 and B-052 (a configuration that is not the one in force
//! there), D-R12 (taken before applying).
//! **Upholds.** `inv:snapshot-agrees`, `inv:lane-order`.
//! **Not here.** What is dropped behind it (`compact.rs`), sending it (`send.rs`).

use alloc::boxed::Box;
use core::fmt;

use super::{SnapshotId, meta::SnapshotMeta};
use crate::{
    Node,
    error::Rejected,
    input::{Changed, Input},
    options::Options,
    output::{Output, PublishSnapshot},
    types::{Instant, LogIndex, LogPosition},
};

/// A snapshot smaller than this counts as this large when the log is measured against it: a group
/// that holds next to nothing need not take one for each entry.
const GROWTH_FLOOR_BYTES: u64 = 64 << 10;

/// A snapshot that was asked for is durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct SnapshotTaken {
    /// The request.
    pub id: SnapshotId,
    /// Digest of its data, as the driver computes it.
    pub digest: u64,
    /// Bytes of its data.
    pub size_bytes: u64,
}

/// Why no snapshot is taken on request. Definite: nothing changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum TakeSnapshotError {
    /// One is being taken; wait for it.
    InProgress,
    /// Nothing was applied since the newest one: use that.
    NothingNew {
        /// Its index; 0 if nothing was ever applied.
        newest: LogIndex,
    },
    /// Restart the node from disk.
    Halted,
}

impl fmt::Display for TakeSnapshotError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InProgress => f.write_str("a snapshot is being taken; wait for it"),
            Self::NothingNew { newest } => {
                write!(f, "nothing was applied since the snapshot at {newest}")
            }
            Self::Halted => f.write_str("the node has halted; restart it from disk"),
        }
    }
}

impl core::error::Error for TakeSnapshotError {}

/// The snapshot being written.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Taking {
    number: u64,
    meta: SnapshotMeta,
    /// Payload bytes handed out up to it.
    bytes: u64,
}

impl Taking {
    pub(crate) const fn index(&self) -> LogIndex {
        self.meta.index()
    }
}

/// Whether the policy asks for a snapshot when `entries` with `bytes` of payload were applied
/// since one of `size` bytes.
fn judge_policy(options: &Options, entries: u64, bytes: u64, size: u64) -> bool {
    let growth = u64::from(options.snapshot_growth);
    let by_count = options.snapshot_entries > 0 && entries >= options.snapshot_entries;
    let by_growth = growth > 0 && bytes > size.max(GROWTH_FLOOR_BYTES).saturating_mul(growth);
    entries > 0 && (by_count || by_growth)
}

impl Node {
    /// Asks for a snapshot now, whatever the policy says. It is taken at what has been handed out
    /// for apply by the next settle, and told by [`Node::snapshot`] once it is durable.
    ///
    /// # Errors
    /// [`TakeSnapshotError`]: definite, nothing changed.
    pub fn take_snapshot(&mut self, now: Instant) -> Result<(), TakeSnapshotError> {
        let judged = self.judge_take();
        match self.step(now, Input::TakeSnapshot) {
            Ok(_) => Ok(()),
            Err(_) => Err(judged.err().unwrap_or(TakeSnapshotError::Halted)),
        }
    }

    fn judge_take(&self) -> Result<(), TakeSnapshotError> {
        if self.halted.is_some() {
            return Err(TakeSnapshotError::Halted);
        }
        if self.snapshots.taking.is_some() || self.snapshots.incoming().is_some() {
            return Err(TakeSnapshotError::InProgress);
        }
        let newest = self.snapshots.newest_index();
        // What is committed will be handed out; what is not may never be.
        if self.commit <= newest {
            return Err(TakeSnapshotError::NothingNew { newest });
        }
        Ok(())
    }

    pub(crate) fn on_take_snapshot(&mut self) -> Result<(), Rejected> {
        self.judge_take().map_err(|_| Rejected::SnapshotRefused)?;
        self.snapshots.wanted = true;
        self.snapshots.retry_at = None;
        Ok(())
    }

    /// The index of terms is close to its bound, and a snapshot here would free some of it.
    pub(super) fn terms_press(&self) -> bool {
        let (runs, max) = (self.log.term_runs() as u64, u64::from(self.options.term_runs_max));
        runs.saturating_mul(4) >= max.saturating_mul(3)
            && self.log.term_at(self.handed).is_some_and(|term| term != self.log.base().term)
    }

    /// Asks for a snapshot of the machine as it will stand after all that was handed out so far.
    pub(crate) fn take_if_due(&mut self) {
        let sut = &self.snapshots;
        let entries = self.handed.since(sut.newest_index());
        if entries == 0 || sut.taking.is_some() || sut.retry_at.is_some() {
            return;
        }
        let bytes = sut.handed_out.bytes.saturating_sub(sut.bytes_at_newest);
        let size = sut.newest.as_ref().map_or(0, |meta| meta.size_bytes);
        let due =
            sut.wanted || judge_policy(&self.options, entries, bytes, size) || self.terms_press();
        if !due || sut.incoming().is_some() || sut.handed_out.known_at != self.handed {
            return;
        }
        if self.apply_failed.is_some() || self.skips.straddle(self.handed) {
            // The machine will not stand there, or whoever starts from it could not tell whether
            // it passed over the entry or applied it.
            return;
        }
        let Some(meta) = self.describe_handed_out() else { return };
        self.snapshots.wanted = false;
        if self.changes.witness_from.is_some() {
            // It holds no data: the description is the whole snapshot.
            let digest = SnapshotMeta::WITHOUT_DATA;
            self.publish_own(SnapshotMeta { digest, ..meta });
            return;
        }
        let number = self.snapshots.mint();
        let id = SnapshotId { tag: self.lane.tag(), number };
        let bytes = self.snapshots.handed_out.bytes;
        self.snapshots.taking = Some(Box::new(Taking { number, meta: meta.clone(), bytes }));
        self.outbox.push_back(Output::TakeSnapshot { id, meta: Box::new(meta) });
    }

    /// All that is replicated as of the last entry handed out, the machine aside.
    pub(super) fn describe_handed_out(&self) -> Option<SnapshotMeta> {
        let term = self.log.term_at(self.handed)?;
        let (configuration_index, configuration) = self.marks.history.at(self.handed);
        assert!(configuration_index <= self.handed, "inv:configuration-safety");
        let out = &self.snapshots.handed_out;
        Some(SnapshotMeta {
            position: LogPosition::new(term, self.handed),
            configuration: configuration.clone(),
            configuration_index,
            settings: self.settings_handed_out(),
            stamp: out.stamp,
            label: out.label,
            machine_id: self.options.machine_id,
            digest: 0,
            size_bytes: 0,
        })
    }

    fn publish_own(&mut self, meta: SnapshotMeta) {
        self.lane.on_publish(meta.index());
        let publish = PublishSnapshot { stage: None, meta, keep_log: true };
        self.snapshots.pending = Some(Box::new(publish));
        // It is part of the next write, which only a settle makes.
        self.unsettled = true;
    }

    pub(crate) fn on_snapshot_taken(&mut self, taken: SnapshotTaken) -> Result<(), Rejected> {
        let taking = self.close_taking(taken.id)?;
        if taking.index() > self.snapshots.newest_index() {
            self.snapshots.bytes_at_newest = taking.bytes;
            let (digest, size_bytes) = (taken.digest, taken.size_bytes);
            let meta = SnapshotMeta { digest, size_bytes, ..taking.meta };
            self.snapshots.newest = Some(Box::new(meta));
            self.changed(Changed::SNAPSHOT);
        }
        Ok(())
    }

    /// The log stays as it is, and the snapshot is asked for again later.
    pub(crate) fn on_snapshot_failed(&mut self, id: SnapshotId) -> Result<(), Rejected> {
        self.close_taking(id)?;
        self.snapshots.wanted = true;
        self.snapshots.retry_at = Some(self.now.plus(self.options.snapshot_retry_ns));
        Ok(())
    }

    fn close_taking(&mut self, id: SnapshotId) -> Result<Box<Taking>, Rejected> {
        let open = self.snapshots.taking.as_ref().is_some_and(|taking| taking.number == id.number);
        if !open || id.tag != self.lane.tag() {
            return Err(Rejected::StaleSnapshot);
        }
        self.snapshots.taking.take().ok_or(Rejected::StaleSnapshot)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// S-91 in its own words, each limit on its own.
    #[test]
    fn the_policy_counts_entries_and_bytes_and_never_asks_for_nothing() {
        for (every, factor) in [(0, 0), (3, 0), (0, 2), (3, 2)] {
            let options =
                Options { snapshot_entries: every, snapshot_growth: factor, ..Options::default() };
            for entries in 0..6 {
                for bytes in [0, 100_000, 131_072, 131_073, 200_000, 200_001] {
                    for size in [0_u64, 65_536, 100_000] {
                        let counted = every != 0 && entries >= every;
                        let measured = if size < 65_536 { 65_536 } else { size };
                        let grown = factor != 0 && bytes > measured * u64::from(factor);
                        let want = entries != 0 && (counted || grown);
                        let got = judge_policy(&options, entries, bytes, size);
                        assert_eq!(got, want, "{every} {factor}: {entries} {bytes} {size}");
                    }
                }
            }
        }
    }
}
