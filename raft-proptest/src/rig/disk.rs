//! The rig's disk: a prefix of the writes handed out.
//!
//! **Intuition.** Writes take effect in order. What is acknowledged without a hole is there after
//! any crash; of the rest a crash keeps some prefix.
//! **Source.** raft-core's contract of the write lane.
//! **Upholds.** Checks `inv:lane-order`: no write leaves a hole or takes a term back.
//! **Not here.** Latency and block damage (the simulator's disk).

use std::collections::VecDeque;

use raft_core::{
    Boot, BootId, Configuration, Entries, Entry, HardState, LogIndex, LogPosition, Persist,
    PersistAck, SnapshotMeta, TermRun,
};

use crate::strategy::log::entry_at;

/// One disk.
#[derive(Clone, Debug)]
pub(super) struct Disk {
    hard: HardState,
    /// Without what was compacted.
    log: Vec<(LogPosition, Entry)>,
    /// The newest snapshot published; there is no data to it.
    snapshot: Option<SnapshotMeta>,
    /// Handed out and above the acknowledged prefix; whether each is acknowledged.
    open: VecDeque<(Persist, bool)>,
}

impl Disk {
    /// What `boot` describes, with the entries that strategies put there.
    pub(super) fn holding(boot: &Boot) -> Self {
        let mut log = Vec::new();
        for (at, run) in boot.terms.iter().enumerate() {
            let end = boot.terms.get(at + 1).map_or(boot.last, |next| next.first.prev());
            for index in run.first.0..=end.0 {
                let position = LogPosition::new(run.term, LogIndex(index));
                log.push((position, entry_at(position)));
            }
        }
        let snapshot = boot.snapshot.as_deref().cloned();
        Self { hard: boot.hard_state.clone(), log, snapshot, open: VecDeque::new() }
    }

    pub(super) const fn hard(&self) -> &HardState {
        &self.hard
    }

    pub(super) fn last(&self) -> LogIndex {
        self.end().index
    }

    fn end(&self) -> LogPosition {
        let base = self.snapshot.as_ref().map_or(LogPosition::ZERO, |meta| meta.position);
        self.log.last().map_or(base, |(position, _)| *position)
    }

    /// Drops the log up to there.
    pub(super) fn compact(&mut self, upto: LogIndex) -> Result<(), String> {
        if self.snapshot.as_ref().is_none_or(|meta| meta.index() < upto) {
            return Err(format!("the log is to go up to {upto}, and no snapshot covers it"));
        }
        self.log.retain(|(position, _)| position.index > upto);
        Ok(())
    }

    pub(super) fn take(&mut self, write: Persist) -> Result<(), String> {
        self.open.push_back((write, false));
        // The write must fit what the ones before it leave.
        let mut ahead = self.clone();
        ahead.crash(usize::MAX)
    }

    /// Writes that are not acknowledged.
    pub(super) fn open(&self) -> usize {
        self.open.iter().filter(|(_, done)| !done).count()
    }

    /// The oldest write that is not acknowledged.
    pub(super) fn oldest(&self) -> Option<PersistAck> {
        self.open.iter().find(|(_, done)| !done).map(|(write, _)| write.ack)
    }

    /// Completes the `at`-th unacknowledged write.
    pub(super) fn complete(&mut self, at: usize) -> Option<PersistAck> {
        let slot = self.open.iter_mut().filter(|(_, done)| !done).nth(at)?;
        slot.1 = true;
        let ack = slot.0.ack;
        while self.open.front().is_some_and(|(_, done)| *done) {
            if let Some((write, _)) = self.open.pop_front() {
                // Judged when it was taken.
                self.publish(&write).ok()?;
            }
        }
        Some(ack)
    }

    /// A crash that keeps the acknowledged prefix and `kept` writes more.
    pub(super) fn crash(&mut self, kept: usize) -> Result<(), String> {
        for (write, _) in std::mem::take(&mut self.open).into_iter().take(kept) {
            self.publish(&write)?;
        }
        Ok(())
    }

    fn publish(&mut self, write: &Persist) -> Result<(), String> {
        if let Some(publish) = write.snapshot() {
            let older =
                self.snapshot.as_ref().is_some_and(|old| old.index() > publish.meta.index());
            if publish.stage.is_some() || older {
                return Err(format!("a write publishes {publish:?}, which nobody gave it"));
            }
            if !publish.keep_log {
                self.log.clear();
            }
            self.snapshot = Some(publish.meta.clone());
        }
        if let Some(from) = write.truncate_from() {
            self.log.retain(|(position, _)| position.index < from);
        }
        for entry in write.entries.iter() {
            let last = self.end();
            let next = entry.position;
            if next.index != last.index.next() || next.term < last.term {
                return Err(format!("a write puts {next} after {last} (inv:lane-order)"));
            }
            self.log.push((next, entry.entry.clone()));
        }
        if let Some(hard) = write.hard_state() {
            let took_back = hard.term == self.hard.term
                && self.hard.vote.is_some()
                && hard.vote != self.hard.vote;
            if hard.term < self.hard.term || took_back {
                return Err(format!(
                    "a write takes back a term or vote: {hard:?} over {:?} (inv:one-vote-per-term)",
                    self.hard
                ));
            }
            self.hard = hard.clone();
        }
        Ok(())
    }

    pub(super) fn read(&self, first: LogIndex, last: LogIndex) -> Entries {
        let wanted = self.log.iter().filter(|(at, _)| at.index >= first && at.index <= last);
        Entries::collect(wanted.cloned()).unwrap_or_default()
    }

    pub(super) fn boot(&self, id: BootId, voters: &Configuration) -> Boot {
        let mut terms: Vec<TermRun> = Vec::new();
        for (position, _) in &self.log {
            if terms.last().is_none_or(|run| run.term != position.term) {
                terms.push(TermRun { first: position.index, term: position.term });
            }
        }
        let stamp = self.log.last().map_or(0, |(_, entry)| entry.stamp);
        let mut boot = Boot::new(id, id.0, self.hard.clone(), voters.clone());
        if let Some(meta) = &self.snapshot {
            boot = boot.with_snapshot(meta.clone());
        }
        if let Some((first, _)) = self.log.first() {
            boot.first = first.index;
            boot = boot.with_log(terms, self.last(), stamp);
        }
        boot
    }
}
