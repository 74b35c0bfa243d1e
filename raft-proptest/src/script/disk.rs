//! The disk of one server: what is surely there, and the writes that may or may not be.
//!
//! **Intuition.** Writes take effect in the order handed out. What is acknowledged without a hole
//! survives any crash; of the rest power loss keeps some prefix, chosen by the script.
//! **Source.** docs/CONTRACT.md, lane W.
//! **Upholds.** Checks `inv:lane-order` and `inv:one-vote-per-term`: no write leaves a hole or
//! takes a term or a vote back.
//! **Not here.** Damage inside one write (the simulator's disk).

use std::collections::VecDeque;

use bytes::Bytes;
use raft_core::{
    Boot, BootId, ClusterId, Configuration, Entries, Entry, EntryKind, GroupId, HardState,
    Incarnation, LogIndex, LogPosition, NodeId, Persist, PersistAck, SnapshotMeta, TermRun,
};

/// One disk.
#[derive(Clone, Debug)]
pub(super) struct Disk {
    pub(super) hard: HardState,
    pub(super) log: Vec<(LogPosition, Entry)>,
    /// Handed out and above the acknowledged prefix, with whether each is acknowledged.
    open: VecDeque<(Persist, bool)>,
    /// The newest acknowledgement ever given, for drivers that say things twice.
    pub(super) newest_ack: Option<PersistAck>,
    /// The configuration it was born with; blank for a disk that knows no group.
    pub(super) born: Configuration,
    /// The newest snapshot that is surely there.
    pub(super) snapshot: Option<SnapshotMeta>,
}

/// The entry that a script means by a term alone: its content says where it stands, so that two
/// logs that agree in positions agree in content.
pub(super) fn entry_at(position: LogPosition) -> Entry {
    let payload = Bytes::from(position.to_string());
    Entry { kind: EntryKind::COMMAND, payload, ..Entry::default() }
}

/// The record of a disk on which nothing has happened.
pub(super) fn fresh_hard_state(node: u64) -> HardState {
    HardState::new(ClusterId(7), GroupId(1), NodeId(node), Incarnation(node.saturating_add(100)))
}

impl Disk {
    /// The disk of a member that was there from the start, or of nobody yet.
    pub(super) fn fresh(node: u64, born: Configuration) -> Self {
        let mut hard = fresh_hard_state(node);
        if born.is_blank() {
            // It takes over the identity of the first leader it hears, or mints one.
            hard.cluster = ClusterId(0);
        }
        let (log, open) = (Vec::new(), VecDeque::new());
        Self { hard, log, open, newest_ack: None, born, snapshot: None }
    }

    /// Where the snapshot stands.
    pub(super) fn base(&self) -> LogPosition {
        self.snapshot.as_ref().map_or(LogPosition::ZERO, |meta| meta.position)
    }

    /// A snapshot of the own machine became durable.
    pub(super) fn keep_snapshot(&mut self, meta: SnapshotMeta) {
        if self.base() < meta.position {
            self.snapshot = Some(meta);
        }
    }

    /// Drops the log up to `index`.
    pub(super) fn compact(&mut self, index: LogIndex) {
        self.log.retain(|(position, _)| position.index > index);
    }

    /// Last position that is surely there.
    pub(super) fn last(&self) -> LogPosition {
        self.log.last().map_or(self.base(), |(position, _)| *position)
    }

    /// The entry at `index`, if it is surely there.
    pub(super) fn entry(&self, index: LogIndex) -> Option<&(LogPosition, Entry)> {
        self.log.iter().find(|(position, _)| position.index == index)
    }

    /// What is surely there of a range, at most `bytes_max` bytes of it but one entry always.
    pub(super) fn read(&self, first: LogIndex, last: LogIndex, bytes_max: u64) -> Entries {
        let mut bytes = 0_u64;
        let wanted = self.log.iter().filter(|(at, _)| at.index >= first && at.index <= last);
        let taken = wanted.take_while(|(_, entry)| {
            let before = bytes;
            bytes = bytes.saturating_add(entry.len_bytes());
            before == 0 || bytes <= bytes_max
        });
        Entries::collect(taken.cloned()).unwrap_or_default()
    }

    /// Takes a write. Fails if it does not fit what the ones before it leave.
    pub(super) fn take(&mut self, write: Persist) -> Result<(), String> {
        self.open.push_back((write, false));
        self.clone().lose_power(usize::MAX).map(drop)
    }

    /// Writes that are not acknowledged.
    pub(super) fn waiting(&self) -> usize {
        self.open.iter().filter(|(_, done)| !done).count()
    }

    /// Completes the `nth` waiting write, from 0, and names its acknowledgement.
    pub(super) fn complete(&mut self, nth: usize) -> Result<PersistAck, String> {
        let slot = self.open.iter_mut().filter(|(_, done)| !done).nth(nth);
        let slot = slot.ok_or_else(|| format!("there is no open write number {}", nth + 1))?;
        slot.1 = true;
        let ack = slot.0.ack;
        while self.open.front().is_some_and(|(_, done)| *done) {
            if let Some((write, _)) = self.open.pop_front() {
                self.publish(&write)?;
            }
        }
        self.newest_ack = Some(ack);
        Ok(ack)
    }

    /// The acknowledgement of the `nth` waiting write, from 0; nothing becomes durable.
    pub(super) fn ack_of(&self, nth: usize) -> Result<PersistAck, String> {
        let slot = self.open.iter().filter(|(_, done)| !done).nth(nth);
        slot.map(|(write, _)| write.ack).ok_or(format!("there is no open write number {}", nth + 1))
    }

    /// Power loss: beyond the acknowledged prefix `kept` more writes happen to be there. Returns
    /// how many are lost.
    pub(super) fn lose_power(&mut self, kept: usize) -> Result<usize, String> {
        let open = std::mem::take(&mut self.open);
        let lost = open.len().saturating_sub(kept);
        for (write, _) in open.into_iter().take(kept) {
            self.publish(&write)?;
        }
        Ok(lost)
    }

    fn publish(&mut self, write: &Persist) -> Result<(), String> {
        if let Some(publish) = write.snapshot() {
            // A log that is kept stays whole: what is below goes when `CompactTo` says so.
            if !publish.keep_log {
                self.log.clear();
            }
            self.snapshot = Some(publish.meta.clone());
        }
        if let Some(from) = write.truncate_from() {
            self.log.retain(|(position, _)| position.index < from);
        }
        for entry in write.entries.iter() {
            let (last, next) = (self.last(), entry.position);
            if next.index != last.index.next() || next.term < last.term {
                return Err(format!("inv:lane-order: a write puts {next} after {last}"));
            }
            self.log.push((next, entry.entry.clone()));
        }
        let Some(hard) = write.hard_state() else { return Ok(()) };
        let own = &self.hard;
        let other_vote = hard.term == own.term && own.vote.is_some() && hard.vote != own.vote;
        if hard.term < own.term || other_vote {
            return Err(format!(
                "inv:one-vote-per-term: a write puts term {} vote {:?} over term {} vote {:?}",
                hard.term, hard.vote, own.term, own.vote
            ));
        }
        self.hard = hard.clone();
        Ok(())
    }

    /// Where each term of the log begins.
    fn term_runs(&self) -> Vec<TermRun> {
        let mut runs: Vec<TermRun> = Vec::new();
        for (position, _) in &self.log {
            if runs.last().is_none_or(|run| run.term != position.term) {
                runs.push(TermRun { first: position.index, term: position.term });
            }
        }
        runs
    }

    /// What a driver hands to boot; a machine in memory starts from the snapshot.
    pub(super) fn boot(&self, id: BootId) -> Boot {
        let mut boot = Boot::new(id, id.0, self.hard.clone(), self.born.clone());
        let mut stamp = 0;
        if let Some(meta) = &self.snapshot {
            stamp = meta.stamp;
            boot = boot.with_snapshot(meta.clone());
        }
        let marks = self
            .log
            .iter()
            .filter(|(position, entry)| entry.kind.is_mark() && position.index > self.base().index);
        let stamp = self.log.last().map_or(stamp, |(_, entry)| entry.stamp);
        let first = self.log.first().map(|(position, _)| position.index);
        boot = boot.with_log(self.term_runs(), self.last().index, stamp);
        boot.first = first.unwrap_or(boot.first);
        let stubs = self.log.iter().rfind(|(_, entry)| entry.kind.is_stub());
        let stubs = stubs.map_or(LogIndex::ZERO, |(position, _)| position.index);
        boot.with_stubs(stubs).with_marks(marks.cloned().collect())
    }

    /// Puts these entries on the disk in place of its log.
    pub(super) fn write_log(&mut self, entries: &Entries) {
        self.log = entries.iter().map(|at| (at.position, at.entry.clone())).collect();
    }
}
