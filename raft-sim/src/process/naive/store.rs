//! What a naive node has asked its disk to keep, and what waits for it.
//!
//! **Intuition.** One plain rule instead of a gate per message kind: whatever a step wants to say
//! waits until everything that was dirty at that moment is durable. Slow and safe.
//! **Source.** Thesis §3.8 (persisted state before answering), Fig. 3.1.
//! **Upholds.** `inv:persist-before-send`, `inv:lane-order`.
//! **Not here.** Executing the writes (`disk/`).

use std::collections::VecDeque;

use raft_core::{LogIndex, NodeId};

use super::{Body, Bug, Message, Naive};
use crate::process::{Effect, HardRecord, view::Changed};

/// One write handed out.
#[derive(Clone, Debug)]
struct Open {
    sequence: u64,
    /// Last index on disk once this write and all before it are durable, unless cut since.
    mark: LogIndex,
    done: bool,
}

/// Messages held at most; beyond that the oldest is lost, as the network may lose it.
const HELD_MAX: usize = 1024;

/// The disk as the node knows it.
#[derive(Clone, Debug, Default)]
pub(super) struct Store {
    /// Highest index durable here.
    pub(super) durable: LogIndex,
    open: VecDeque<Open>,
    /// Writes handed out so far.
    handed: u64,
    /// Longest complete prefix of them.
    complete: u64,
    /// Last index in any write handed out.
    handed_last: LogIndex,
    truncate_from: Option<LogIndex>,
    hard_dirty: bool,
    held: VecDeque<(u64, NodeId, Message)>,
}

impl Store {
    pub(super) fn at_boot(last: LogIndex) -> Self {
        Self { durable: last, handed_last: last, ..Self::default() }
    }

    /// Writes handed out and not yet known to be complete.
    pub(super) fn open_writes(&self) -> u64 {
        self.open.len() as u64
    }

    pub(super) fn held(&self) -> u64 {
        self.held.len() as u64
    }

    pub(super) fn hard_changed(&mut self) {
        self.hard_dirty = true;
    }

    /// The log was cut so that `from` is the first index gone.
    pub(super) fn log_cut(&mut self, from: LogIndex) {
        let keep = from.prev();
        self.durable = self.durable.min(keep);
        for write in &mut self.open {
            write.mark = write.mark.min(keep);
        }
        if self.handed_last > keep {
            self.handed_last = keep;
            self.truncate_from = Some(self.truncate_from.map_or(from, |old| old.min(from)));
        }
    }

    fn dirty(&self, last: LogIndex) -> bool {
        self.hard_dirty || self.truncate_from.is_some() || last > self.handed_last
    }

    /// The write after which everything dirty now is durable.
    pub(super) fn gate(&self, last: LogIndex) -> u64 {
        self.handed + u64::from(self.dirty(last))
    }

    /// Whether write number `gate` and all before it are durable.
    pub(super) fn passed(&self, gate: u64) -> bool {
        self.complete >= gate
    }

    /// What was held speaks of an earlier term: forget it.
    pub(super) fn forget_held(&mut self) {
        self.held.clear();
    }

    /// The candidacy is over: what was held of it speaks of a log that may change now.
    pub(super) fn forget_requests(&mut self) {
        self.held.retain(|(_, _, message)| {
            !matches!(message.body, Body::RequestVote { .. } | Body::PreVote { .. })
        });
    }

    fn on_complete(&mut self, sequence: u64) -> Result<(), String> {
        if sequence == 0 || sequence > self.handed {
            return Err(format!("write {sequence} was never handed out"));
        }
        if let Some(write) = self.open.iter_mut().find(|write| write.sequence == sequence) {
            write.done = true;
        }
        while self.open.front().is_some_and(|write| write.done) {
            if let Some(write) = self.open.pop_front() {
                self.complete = write.sequence;
                self.durable = write.mark;
            }
        }
        Ok(())
    }
}

impl Naive {
    pub(super) fn on_persisted(&mut self, sequence: u64) {
        let before = self.store.durable;
        if let Err(why) = self.store.on_complete(sequence) {
            self.halt(why);
            return;
        }
        if self.store.durable != before {
            self.mark(Changed::DURABLE);
        }
    }

    /// Says `message` to `to` once everything dirty now is durable.
    pub(super) fn say(&mut self, to: NodeId, message: Message) {
        let gate = self.store.gate(self.last().index);
        self.hold(gate, to, message);
    }

    /// Says `message` to `to` without waiting for the disk: only the planted bugs do.
    pub(super) fn say_at_once(&mut self, to: NodeId, message: Message) {
        self.hold(0, to, message);
    }

    fn hold(&mut self, gate: u64, to: NodeId, message: Message) {
        if self.store.held.len() >= HELD_MAX {
            self.store.held.pop_front();
        }
        self.store.held.push_back((gate, to, message));
    }

    /// Hands out everything dirty as one write, if the window has room.
    pub(super) fn persist(&mut self) {
        let last = self.last().index;
        let window = self.knobs.persist_inflight.max(1) as usize;
        let room = window.saturating_sub(self.store.open.len());
        if !self.store.dirty(last) || room == 0 {
            return;
        }
        let vote = if self.has(Bug::VoteNotWritten) { None } else { self.vote };
        let hard = self.store.hard_dirty.then_some(HardRecord {
            term: self.term,
            vote,
            promise: self.promise(),
            ..HardRecord::default()
        });
        let from = self.store.handed_last.0 as usize;
        let mut entries = self.log[from..].to_vec();
        let truncate_from = self.store.truncate_from.take();
        self.store.hard_dirty = false;
        self.store.handed_last = last;
        if self.has(Bug::WritesSwapped) && entries.len() >= 2 && room >= 2 {
            let tail = entries.split_off(entries.len() - 1);
            self.hand_out(last, None, None, tail);
        }
        self.hand_out(last, hard, truncate_from, entries);
    }

    fn hand_out(
        &mut self,
        mark: LogIndex,
        hard: Option<HardRecord>,
        truncate_from: Option<LogIndex>,
        entries: Vec<crate::process::Entry>,
    ) {
        self.store.handed += 1;
        let sequence = self.store.handed;
        self.store.open.push_back(Open { sequence, mark, done: false });
        self.outbox.push_back(Effect::Persist {
            ack: sequence,
            hard,
            truncate_from,
            entries,
            snapshot: None,
        });
    }

    /// Lets go every held message whose gate has passed, in order.
    pub(super) fn release(&mut self) {
        let mut held = core::mem::take(&mut self.store.held);
        held.retain(|(gate, to, message)| {
            let free = *gate <= self.store.complete;
            if free {
                self.outbox.push_back(Effect::Send { to: *to, message: message.clone() });
            }
            !free
        });
        self.store.held = held;
    }
}
