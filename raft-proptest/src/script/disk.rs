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
    Incarnation, LogIndex, LogPosition, NodeId, Persist, PersistAck, Term, TermRun,
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
    pub(super) fn fresh(node: u64) -> Self {
        let hard = fresh_hard_state(node);
        Self { hard, log: Vec::new(), open: VecDeque::new(), newest_ack: None }
    }

    /// Last position that is surely there.
    pub(super) fn last(&self) -> LogPosition {
        self.log.last().map_or(LogPosition::ZERO, |(position, _)| *position)
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

    /// What a driver hands to boot.
    pub(super) fn boot(&self, id: BootId, voters: &Configuration) -> Boot {
        let stamp = self.log.last().map_or(0, |(_, entry)| entry.stamp);
        let boot = Boot::new(id, id.0, self.hard.clone(), voters.clone());
        boot.with_log(self.term_runs(), self.last().index, stamp)
    }

    /// Puts a log of these terms on the disk.
    pub(super) fn write_log(&mut self, terms: &[u64]) {
        let at = |(term, index): (&u64, u64)| LogPosition::new(Term(*term), LogIndex(index));
        let positions = terms.iter().zip(1_u64..).map(at);
        self.log = positions.map(|position| (position, entry_at(position))).collect();
    }
}
