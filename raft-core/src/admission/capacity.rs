//! Capacity: what the store and the machine behind this node can still take.
//!
//! **Intuition.** Once an entry is appended its write must succeed, so a store that is nearly full
//! says so beforehand and requests are refused at the door; what leaders send is taken all the
//! same, and a truncation is never half carried out. A machine that falls behind is seen here: too
//! much committed and not applied closes the door too.
//! **Source.** Ours; D-W8 (a refusal after a truncation lost the truncation), B-098 (what is
//! charged and what is given back must come from one record).
//! **Upholds.** `inv:bounded`.
//! **Not here.** The window of open writes (`storage/persist.rs`).

use alloc::collections::VecDeque;

use super::deferred::Outstanding;
use crate::{Node, lazy::Empty, types::LogIndex};

/// What the store can take. Speaks about new requests at a leader only: a follower goes on taking
/// what its leader sends, and the core's own entries are always appended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Capacity {
    /// Everything.
    #[default]
    All,
    /// Changes of configuration, but no proposals.
    ConfigOnly,
    /// Nothing new.
    None,
}

/// Payload bytes committed and not yet handed out for apply, counted while they are in memory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Backlog {
    /// What was charged: up to which index, how much. Given back as charged.
    counted: VecDeque<(LogIndex, u64)>,
    bytes: u64,
}

/// Charges kept apart; more are added to the newest.
const CHARGES_MAX: usize = 64;

impl Empty for Backlog {
    const EMPTY: &'static Self = &Self { counted: VecDeque::new(), bytes: 0 };
}

impl Backlog {
    /// Everything up to `handed` is no longer waiting.
    fn give_back(&mut self, handed: LogIndex) {
        while let Some((upto, bytes)) = self.counted.front().copied() {
            if upto > handed {
                break;
            }
            self.bytes = self.bytes.saturating_sub(bytes);
            self.counted.pop_front();
        }
    }

    /// Where counting goes on.
    fn upto(&self, handed: LogIndex) -> LogIndex {
        self.counted.back().map_or(handed, |(upto, _)| *upto)
    }

    fn charge(&mut self, upto: LogIndex, bytes: u64) {
        self.bytes = self.bytes.saturating_add(bytes);
        let many = self.counted.len() >= CHARGES_MAX;
        match self.counted.back_mut().filter(|_| many) {
            Some(last) => {
                *last = (upto, last.1.saturating_add(bytes));
            }
            None => self.counted.push_back((upto, bytes)),
        }
    }
}

impl Node {
    pub(crate) fn on_capacity(&mut self, capacity: Capacity) {
        self.capacity = capacity;
    }

    /// Whether a leader may append a change of configuration or settings now.
    #[must_use]
    pub const fn admits_changes(&self) -> bool {
        !matches!(self.capacity, Capacity::None)
    }

    /// Whether too much is committed and not applied, beyond what `spared` holds of it.
    pub(crate) fn apply_queue_full(&self, spared: &Outstanding) -> bool {
        let (entries, bytes) = self.apply_backlog();
        entries.saturating_sub(spared.entries) >= self.options.apply_queue_entries_max
            || bytes.saturating_sub(spared.bytes) >= self.options.apply_queue_bytes_max
    }

    /// Entries and payload bytes committed and not applied. Bytes that left memory before they
    /// were handed out count once they are read back.
    pub(crate) fn apply_backlog(&self) -> (u64, u64) {
        let bytes = self.applying_bytes.saturating_add(self.backlog.bytes);
        (self.commit.since(self.applied), bytes)
    }

    /// Counts what is committed and cannot be handed out yet; nothing to do while the machine
    /// keeps up.
    #[inline]
    pub(crate) fn count_backlog(&mut self) {
        if self.handed < self.commit || !self.backlog.counted.is_empty() {
            self.count_backlog_anew();
        }
    }

    #[inline(never)]
    fn count_backlog_anew(&mut self) {
        self.backlog.give_back(self.handed);
        let from = self.backlog.upto(self.handed);
        if from < self.commit {
            let bytes = self.log.tail().bytes_between(from, self.commit);
            self.backlog.charge(self.commit, bytes);
        }
        assert!(self.handed < self.commit || self.backlog.bytes == 0, "an empty backlog is empty");
    }
}
