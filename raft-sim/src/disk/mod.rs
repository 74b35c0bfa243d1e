//! A node's disk: writes handed out, their completion, and what is durable.
//!
//! **Intuition.** Writes take effect in the order they were handed out, but may complete in any
//! order. What survives is the longest prefix of complete writes: an acknowledged write above a
//! hole is not safe until the hole closes.
//! **Source.** The contract of the core (docs/SEMANTICS.md).
//! **Upholds.** `inv:committed-durable`, `inv:lane-order`.
//! **Not here.** When a write completes (`latency.rs`), what crashes keep (`crash.rs`).

pub(crate) mod crash;
pub(crate) mod latency;

use std::collections::VecDeque;

use raft_core::LogIndex;

use crate::{
    process::{DiskImage, Entry, EntryId, HardRecord, Snapshot},
    world::identity::Nth,
};

/// One write handed out and not yet part of the durable prefix.
#[derive(Debug)]
pub(crate) struct Write<A> {
    /// Number within the boot, from 1.
    pub(crate) sequence: u64,
    /// What the process calls it.
    pub(crate) ack: A,
    /// New hard state.
    pub(crate) hard: Option<HardRecord>,
    /// First index to remove.
    pub(crate) truncate_from: Option<LogIndex>,
    /// Entries to append, and their ids.
    pub(crate) entries: Vec<Entry>,
    pub(crate) ids: Vec<EntryId>,
    /// The snapshot it publishes, and whether the log above it stays.
    pub(crate) snapshot: Option<(Snapshot, bool)>,
    /// Complete, though perhaps above a hole.
    pub(crate) complete: bool,
}

/// The disk of one node.
#[derive(Debug)]
pub(crate) struct Disk<A> {
    /// What survives any crash.
    pub(crate) image: DiskImage,
    /// Ids of all entries, also of those that a snapshot stands for.
    pub(crate) ids: Vec<EntryId>,
    /// Snapshots received and not yet published or thrown away, by place.
    pub(crate) staged: Vec<(u64, Snapshot)>,
    pub(crate) stages: u64,
    /// Writes handed out, in order, from the first that is not durable.
    pub(crate) open: VecDeque<Write<A>>,
    /// Number of the last write handed out in this boot.
    pub(crate) sequence: u64,
    /// Last index once everything handed out is durable.
    handed_last: LogIndex,
    /// Completion time of the write handed out last, for disks that keep their order.
    pub(crate) last_completion: u64,
    /// Operations of this boot by identity.
    pub(crate) nth: Nth,
    spare: Vec<Vec<EntryId>>,
}

impl<A: Copy> Disk<A> {
    pub(crate) fn new() -> Self {
        Self {
            image: DiskImage::default(),
            ids: Vec::new(),
            staged: Vec::new(),
            stages: 0,
            open: VecDeque::new(),
            sequence: 0,
            handed_last: LogIndex::ZERO,
            last_completion: 0,
            nth: Nth::default(),
            spare: Vec::new(),
        }
    }

    /// A new boot begins: counts start anew.
    pub(crate) fn begin_boot(&mut self) {
        self.sequence = 0;
        self.last_completion = 0;
        self.nth.clear();
        self.handed_last = self.image.last();
        self.staged.clear();
    }

    /// Keeps a received snapshot; returns its place.
    pub(crate) fn stage(&mut self, snapshot: Snapshot) -> u64 {
        self.stages += 1;
        self.staged.push((self.stages, snapshot));
        // A process that never says what it wants does not fill the disk.
        if self.staged.len() > 4 {
            self.staged.remove(0);
        }
        self.stages
    }

    /// Takes a staged snapshot out.
    pub(crate) fn unstage(&mut self, stage: u64) -> Option<Snapshot> {
        let at = self.staged.iter().position(|(place, _)| *place == stage)?;
        Some(self.staged.remove(at).1)
    }

    /// Drops entries up to `index` that the snapshot stands for.
    pub(crate) fn compact_to(&mut self, index: LogIndex) -> Result<(), String> {
        let covered = self.image.snapshot.as_ref().map_or(LogIndex::ZERO, Snapshot::index);
        if index > covered {
            return Err(format!("it compacts to {index}, but its snapshot stands at {covered}"));
        }
        let gone = index.0.saturating_sub(self.image.gone).min(self.image.entries.len() as u64);
        self.image.entries.drain(..gone as usize);
        self.image.gone += gone;
        Ok(())
    }

    /// Takes a write. The error says how it breaks the order of the lane.
    pub(crate) fn hand_out(
        &mut self,
        ack: A,
        hard: Option<HardRecord>,
        truncate_from: Option<LogIndex>,
        entries: Vec<Entry>,
        snapshot: Option<(Snapshot, bool)>,
    ) -> Result<(), String> {
        let mut last = self.handed_last;
        if let Some((snapshot, keep_log)) = &snapshot {
            if *keep_log && snapshot.index() > last {
                let index = snapshot.index();
                return Err(format!("a write keeps a log above {index} that ends at {last}"));
            }
            if !keep_log {
                last = snapshot.index();
            }
        }
        if let Some(from) = truncate_from {
            if from == LogIndex::ZERO || from > last {
                return Err(format!("a write cuts at {from}, but the log ends at {last}"));
            }
            last = from.prev();
        }
        for entry in &entries {
            if entry.position.index != last.next() {
                let index = entry.position.index;
                return Err(format!("a write appends entry {index} to a log that ends at {last}"));
            }
            last = last.next();
        }
        self.handed_last = last;
        self.sequence += 1;
        let mut ids = self.spare.pop().unwrap_or_default();
        ids.extend(entries.iter().map(Entry::id));
        let sequence = self.sequence;
        let complete = false;
        self.open.push_back(Write {
            sequence,
            ack,
            hard,
            truncate_from,
            entries,
            ids,
            snapshot,
            complete,
        });
        Ok(())
    }

    /// Whether write `sequence` is handed out and not complete.
    pub(crate) fn is_open(&self, sequence: u64) -> bool {
        let first = self.open.front().map_or(u64::MAX, |write| write.sequence);
        let at = sequence.checked_sub(first).and_then(|at| usize::try_from(at).ok());
        at.and_then(|at| self.open.get(at)).is_some_and(|write| !write.complete)
    }

    /// Writes that are not complete, in order.
    pub(crate) fn incomplete(&self) -> impl Iterator<Item = u64> {
        self.open.iter().filter(|write| !write.complete).map(|write| write.sequence)
    }

    /// Marks write `sequence` complete. Whether it was open and incomplete, and whether an
    /// earlier one is still incomplete.
    pub(crate) fn complete(&mut self, sequence: u64) -> Option<(A, bool)> {
        let first = self.open.front()?.sequence;
        let at = usize::try_from(sequence.checked_sub(first)?).ok()?;
        let write = self.open.get_mut(at)?;
        write.complete = true;
        let ack = write.ack;
        Some((ack, self.open.iter().take(at).any(|earlier| !earlier.complete)))
    }

    /// The write at the head of the lane once it is complete; the caller reports it and gives it
    /// back with [`Disk::publish`].
    pub(crate) fn next_durable(&mut self) -> Option<Write<A>> {
        if self.open.front()?.complete { self.open.pop_front() } else { None }
    }

    /// Makes `write` part of the image.
    pub(crate) fn publish(&mut self, mut write: Write<A>) {
        if let Some(hard) = write.hard {
            self.image.hard = hard;
        }
        if let Some((snapshot, keep_log)) = write.snapshot.take() {
            if !keep_log {
                self.image.entries.clear();
                self.image.gone = snapshot.index().0;
                self.ids.clear();
                self.ids.extend_from_slice(&snapshot.ids);
            }
            // One of index 0 says what the first configuration was, and is the first there can be.
            let newest = self.image.snapshot.as_ref().map(Snapshot::index);
            if Some(snapshot.index()) > newest || !keep_log {
                self.image.snapshot = Some(snapshot);
            }
        }
        if let Some(from) = write.truncate_from {
            let keep = from.prev().0;
            self.image.entries.truncate(keep.saturating_sub(self.image.gone) as usize);
            self.ids.truncate(keep as usize);
        }
        self.image.entries.append(&mut write.entries);
        self.ids.extend_from_slice(&write.ids);
        write.ids.clear();
        if self.spare.len() < 8 {
            self.spare.push(write.ids);
        }
    }

    /// A copy of the durable entries from `first` to `last`, at least one if there is one, at most
    /// `bytes_max` payload bytes otherwise.
    pub(crate) fn read(&self, first: u64, last: u64, bytes_max: u64) -> Vec<Entry> {
        if first <= self.image.gone {
            return Vec::new();
        }
        let start = usize::try_from(first - 1 - self.image.gone).unwrap_or(usize::MAX);
        let count = usize::try_from((last + 1).saturating_sub(first)).unwrap_or(usize::MAX);
        let mut bytes = 0u64;
        let mut entries = Vec::new();
        for entry in self.image.entries.iter().skip(start).take(count) {
            bytes = bytes.saturating_add(entry.payload.len() as u64);
            if !entries.is_empty() && bytes > bytes_max {
                break;
            }
            entries.push(entry.clone());
        }
        entries
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use bytes::Bytes;
    use raft_core::{LogPosition, Term};

    use super::*;

    pub(crate) fn entry(term: u64, index: u64) -> Entry {
        let position = LogPosition::new(Term(term), LogIndex(index));
        Entry { position, kind: 1, stamp: 0, label: 0, payload: Bytes::from_static(b"abcd") }
    }

    pub(crate) fn settle(disk: &mut Disk<u64>) {
        while let Some(write) = disk.next_durable() {
            disk.publish(write);
        }
    }

    #[test]
    fn only_the_longest_complete_prefix_is_durable() {
        let mut disk = Disk::new();
        disk.begin_boot();
        disk.hand_out(1, None, None, vec![entry(1, 1)], None).unwrap();
        disk.hand_out(2, None, None, vec![entry(1, 2)], None).unwrap();
        assert_eq!(disk.complete(2), Some((2, true)));
        settle(&mut disk);
        assert_eq!(disk.image.entries.len(), 0, "a hole below");
        assert_eq!(disk.complete(1), Some((1, false)));
        settle(&mut disk);
        assert_eq!(disk.image.entries.len(), 2);
        assert_eq!(disk.complete(3), None);
    }

    #[test]
    fn a_write_that_leaves_a_hole_is_refused() {
        let mut disk = Disk::new();
        disk.begin_boot();
        assert!(disk.hand_out(1, None, None, vec![entry(1, 2)], None).is_err());
        assert!(disk.hand_out(2, None, Some(LogIndex(1)), Vec::new(), None).is_err());
        assert!(disk.hand_out(3, None, None, vec![entry(1, 1), entry(1, 2)], None).is_ok());
        assert!(disk.hand_out(4, None, Some(LogIndex(2)), vec![entry(2, 2)], None).is_ok());
    }

    #[test]
    fn reading_gives_at_least_one_entry_and_respects_the_limit() {
        let mut disk: Disk<u64> = Disk::new();
        disk.image.entries = (1..=5).map(|index| entry(1, index)).collect();
        assert_eq!(disk.read(2, 4, 0).len(), 1);
        assert_eq!(disk.read(2, 4, 8).len(), 2);
        assert_eq!(disk.read(2, 4, 100).len(), 3);
        assert_eq!(disk.read(6, 9, 100).len(), 0);
    }
}
