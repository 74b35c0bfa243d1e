//! The rig's disk: a prefix of the writes, snapshots taken, published and staged.
//!
//! **Intuition.** A write takes effect as one, in its order; what else is on disk is what the driver
//! put there itself. Boot is handed a summary of it, as a real driver would make one.
//! **Source.** Ours.
//! **Upholds.** Nothing; it is what the tests stand on.
//! **Not here.** Which writes are on disk after a crash (`rig.rs`).

use std::collections::BTreeMap;

use raft_core::{
    Boot, BootId, Configuration, Entry, HardState, LogIndex, LogPosition, Persist, SnapshotMeta,
    TermRun,
};

/// A machine that remembers all it was given, in order, as one number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Machine {
    pub(crate) applied: u64,
    pub(crate) hash: u64,
}

impl Machine {
    /// Passes over an entry that the group has agreed to skip.
    pub(crate) fn skip(&mut self, position: LogPosition) {
        assert_eq!(position.index.0, self.applied + 1, "a skipped entry has its turn too");
        self.applied = position.index.0;
    }

    pub(crate) fn apply(&mut self, position: LogPosition, entry: &Entry) {
        assert_eq!(
            position.index.0,
            self.applied + 1,
            "the machine gets every entry once, in order"
        );
        self.applied = position.index.0;
        for byte in position.term.0.to_le_bytes().iter().chain(&entry.payload) {
            self.hash = (self.hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
}

/// A snapshot: its description and the machine's state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Image {
    pub(crate) meta: SnapshotMeta,
    pub(crate) machine: Machine,
}

/// What is on disk: a prefix of the writes handed out, and what was staged or taken.
#[derive(Clone, Debug)]
pub(crate) struct Disk {
    pub(crate) hard: HardState,
    /// The log without what was compacted.
    pub(crate) log: Vec<(LogPosition, Entry)>,
    /// The newest snapshot published or taken here.
    pub(crate) snapshot: Option<Image>,
    /// Those it replaced.
    pub(crate) older: Vec<Image>,
    /// Snapshots received and not published.
    pub(crate) stages: BTreeMap<u64, Image>,
}

impl Disk {
    pub(crate) fn empty(hard: HardState) -> Self {
        Self { hard, log: Vec::new(), snapshot: None, older: Vec::new(), stages: BTreeMap::new() }
    }

    /// Index of the last entry on disk, or of the snapshot if there is none above it.
    pub(crate) fn last(&self) -> u64 {
        let snapshot = self.snapshot.as_ref().map_or(0, |image| image.meta.index().0);
        self.log.last().map_or(snapshot, |(position, _)| position.index.0)
    }

    pub(crate) fn publish(&mut self, write: &Persist) {
        if let Some(publish) = write.snapshot() {
            let machine = match publish.stage {
                Some(stage) => {
                    let image = self.stages.remove(&stage.0).expect("what is published is staged");
                    assert_eq!(image.meta, publish.meta, "the stage holds what is published");
                    image.machine
                }
                None => Machine { applied: publish.meta.index().0, hash: 0 },
            };
            let above =
                self.snapshot.as_ref().is_none_or(|old| old.meta.index() <= publish.meta.index());
            assert!(above, "a published snapshot is never older");
            let image = Image { meta: publish.meta.clone(), machine };
            self.older.extend(self.snapshot.replace(image));
            if !publish.keep_log {
                self.log.clear();
            }
        }
        if let Some(from) = write.truncate_from() {
            let base = self.snapshot.as_ref().map_or(0, |image| image.meta.index().0);
            assert!(from.0 > base, "nothing a snapshot covers is cut");
            self.log.retain(|(position, _)| position.index < from);
        }
        for entry in write.entries.iter() {
            assert_eq!(entry.position.index.0, self.last() + 1, "a write has no hole");
            self.log.push((entry.position, entry.entry.clone()));
        }
        if let Some(hard) = write.hard_state() {
            assert!(hard.term >= self.hard.term, "a written term never falls");
            self.hard = hard.clone();
        }
    }

    /// Takes over a snapshot of the own machine.
    pub(crate) fn keep(&mut self, image: Image) {
        if self.snapshot.as_ref().is_none_or(|old| old.meta.index() < image.meta.index()) {
            self.older.extend(self.snapshot.replace(image));
        }
    }

    /// The image with this description, however old.
    pub(crate) fn image(&self, meta: &SnapshotMeta) -> Option<Image> {
        self.snapshot.iter().chain(&self.older).find(|image| image.meta == *meta).cloned()
    }

    pub(crate) fn compact_to(&mut self, upto: LogIndex) {
        let covered = self.snapshot.as_ref().map_or(0, |image| image.meta.index().0);
        assert!(upto.0 <= covered, "T-5-01: only what a durable snapshot covers is dropped");
        self.log.retain(|(position, _)| position.index > upto);
    }

    /// What a driver hands to boot: the disk's summary, a machine in memory at its snapshot.
    pub(crate) fn boot(&self, boot: u64, voters: &Configuration) -> Boot {
        let mut terms: Vec<TermRun> = Vec::new();
        for (position, _) in &self.log {
            if terms.last().is_none_or(|run| run.term != position.term) {
                terms.push(TermRun { first: position.index, term: position.term });
            }
        }
        let mut out = Boot::new(BootId(boot), boot, self.hard.clone(), voters.clone());
        let mut covered = LogIndex(0);
        if let Some(image) = &self.snapshot {
            covered = image.meta.index();
            out = out.with_snapshot(image.meta.clone());
        }
        if let Some((position, _)) = self.log.first() {
            out.first = position.index;
            let (last, entry) = self.log.last().unwrap();
            out = out.with_log(terms, last.index, entry.stamp).with_label(entry.label);
        }
        let marks = self.log.iter().filter(|(p, e)| p.index > covered && e.kind.is_mark());
        let stubs = self.log.iter().rev().find(|(_, e)| e.kind.is_stub() && e.kind.is_known(1));
        let stubs = stubs.map_or(LogIndex(0), |(at, _)| at.index);
        out.with_marks(marks.cloned().collect()).with_stubs(stubs)
    }
}
