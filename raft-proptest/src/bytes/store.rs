//! The disk of one node in a program of steps: what each durable write leaves.
//!
//! **Intuition.** A write publishes a snapshot, cuts, appends and replaces the hard state, as one.
//! After a crash a prefix of the writes is there, and from that prefix the node must boot.
//! **Source.** raft-core's contract of the write lane.
//! **Upholds.** Checks `inv:lane-order`, `inv:one-vote-per-term`: no write leaves a hole or takes a
//! term or vote back.
//! **Not here.** Which write completes when (`steps.rs`).

use raft_core::{
    Boot, BootId, Configuration, Entries, Entry, HardState, LogIndex, LogPosition, Persist,
    SnapshotMeta, TermRun,
};

/// One disk.
#[derive(Clone, Debug)]
pub(super) struct Store {
    hard: HardState,
    /// What the disk was born with.
    founding: Configuration,
    snapshot: Option<Box<SnapshotMeta>>,
    log: Vec<(LogPosition, Entry)>,
}

impl Store {
    pub(super) const fn new(hard: HardState, founding: Configuration) -> Self {
        Self { hard, founding, snapshot: None, log: Vec::new() }
    }

    pub(super) const fn hard(&self) -> &HardState {
        &self.hard
    }

    pub(super) fn snapshot_index(&self) -> LogIndex {
        self.snapshot.as_ref().map_or(LogIndex::ZERO, |meta| meta.index())
    }

    fn last(&self) -> LogPosition {
        let below = self.snapshot.as_ref().map_or(LogPosition::ZERO, |meta| meta.position);
        self.log.last().map_or(below, |(position, _)| *position)
    }

    /// Makes one write durable.
    ///
    /// # Panics
    /// If it does not fit what is there.
    pub(super) fn publish(&mut self, write: &Persist) {
        if let Some(publish) = write.snapshot() {
            assert!(publish.meta.index() >= self.snapshot_index(), "a snapshot goes back");
            let held = self.log.iter().find(|(at, _)| at.index == publish.meta.index());
            if publish.keep_log {
                // What is kept may follow in this very write; what is there must not differ.
                let differs = held.is_some_and(|(at, _)| *at != publish.meta.position);
                assert!(!differs, "a log is kept that differs at the snapshot's position");
            }
            if !publish.keep_log || held.is_none() {
                self.log.clear();
            }
            self.snapshot = Some(Box::new(publish.meta.clone()));
        }
        if let Some(from) = write.truncate_from() {
            assert!(from > self.snapshot_index(), "a cut below the snapshot");
            self.log.retain(|(at, _)| at.index < from);
        }
        for entry in write.entries.iter() {
            let next = entry.position;
            let follows = match self.log.last() {
                Some((last, _)) => next.index == last.index.next() && next.term >= last.term,
                // A log on top of a snapshot may begin below its end, never behind a gap.
                None => next.index > LogIndex::ZERO && next.index <= self.snapshot_index().next(),
            };
            assert!(follows, "a write puts {next} after {} (inv:lane-order)", self.last());
            self.log.push((next, entry.entry.clone()));
        }
        if let Some(hard) = write.hard_state() {
            let old = &self.hard;
            let took_back = hard.term == old.term && old.vote.is_some() && hard.vote != old.vote;
            assert!(
                hard.term >= old.term && !took_back,
                "a write takes back a term or vote: {hard:?} over {old:?} (inv:one-vote-per-term)"
            );
            self.hard = hard.clone();
        }
    }

    /// Drops what a durable snapshot stands for.
    pub(super) fn compact(&mut self, upto: LogIndex) {
        assert!(upto <= self.snapshot_index(), "compaction beyond the durable snapshot");
        self.log.retain(|(at, _)| at.index > upto);
    }

    /// A snapshot the driver took is durable; the log above it stays.
    pub(super) fn took(&mut self, meta: SnapshotMeta) {
        if meta.index() > self.snapshot_index() {
            self.snapshot = Some(Box::new(meta));
        }
    }

    pub(super) fn read(&self, first: LogIndex, last: LogIndex) -> Entries {
        let wanted = self.log.iter().filter(|(at, _)| at.index >= first && at.index <= last);
        Entries::collect(wanted.cloned()).unwrap_or_default()
    }

    /// What the node boots from. The machine is in memory: it holds what the snapshot holds.
    pub(super) fn boot(&self, id: u64, seed: u64) -> Boot {
        let hard = self.hard.clone();
        let mut boot = match &self.snapshot {
            Some(meta) => Boot::blank(BootId(id), seed, hard).with_snapshot(meta.as_ref().clone()),
            None => Boot::new(BootId(id), seed, hard, self.founding.clone()),
        };
        let mut terms: Vec<TermRun> = Vec::new();
        for (at, _) in &self.log {
            if terms.last().is_none_or(|run| run.term != at.term) {
                terms.push(TermRun { first: at.index, term: at.term });
            }
        }
        if let Some((first, _)) = self.log.first() {
            boot.first = first.index;
        }
        let stamp = self.log.last().map_or(boot.last_stamp, |(_, entry)| entry.stamp);
        let above = self.snapshot_index();
        let marks = self.log.iter().filter(|(at, entry)| at.index > above && entry.kind.is_mark());
        boot.with_log(terms, self.last().index, stamp).with_marks(marks.cloned().collect())
    }
}
