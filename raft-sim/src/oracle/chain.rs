//! A log reduced to hashes: for each index its term, its entry's hash, and the hash of the whole
//! prefix up to it.
//!
//! **Intuition.** If two logs have the same prefix hash at an index they are equal up to it, so
//! "holds everything up to `i`" and "the same as the leader's up to `i`" are one comparison.
//! **Source.** Ours: a chain of hashes as in any append-only ledger.
//! **Upholds.** `inv:log-matching`, `inv:leader-completeness`, `inv:committed-immutable`,
//! `inv:committed-durable` all compare chains.
//! **Not here.** Whose log it is (`mirrors.rs`).

use raft_core::{LogIndex, LogPosition, Term};

use crate::process::EntryId;

/// The chain hash of the empty log.
const START: u64 = 0x1319_8a2e_0370_7344;
const K1: u64 = 0xa076_1d64_78bd_642f;
const K2: u64 = 0xe703_7ed1_a0b4_28db;

/// One entry of a mirrored log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Link {
    /// Term of the entry.
    pub(super) term: Term,
    /// Hash of the entry.
    pub(super) hash: u64,
    /// Hash of the log up to and including the entry.
    pub(super) chain: u64,
}

/// A mirrored log from index 1 on.
#[derive(Clone, Debug, Default)]
pub(super) struct Chain {
    links: Vec<Link>,
}

fn fold(chain: u64, hash: u64) -> u64 {
    let product = u128::from(chain ^ K1).wrapping_mul(u128::from(hash ^ K2) | 1 << 64);
    (product as u64) ^ ((product >> 64) as u64).rotate_left(29) ^ chain.rotate_left(11)
}

impl Chain {
    /// An empty log with room for `capacity` entries.
    pub(super) fn with_capacity(capacity: usize) -> Self {
        Self { links: Vec::with_capacity(capacity) }
    }

    /// Last index, 0 when empty.
    pub(super) fn last(&self) -> LogIndex {
        LogIndex(self.links.len() as u64)
    }

    /// The entry at `index`.
    pub(super) fn link(&self, index: LogIndex) -> Option<Link> {
        let at = index.0.checked_sub(1)?;
        self.links.get(usize::try_from(at).ok()?).copied()
    }

    /// The prefix hash at `index`; index 0 always has one, indexes beyond the end have none.
    pub(super) fn at(&self, index: LogIndex) -> Option<u64> {
        if index == LogIndex::ZERO { Some(START) } else { self.link(index).map(|l| l.chain) }
    }

    /// Whether the log has an entry at `position`, or `position` is before the first.
    pub(super) fn has(&self, position: LogPosition) -> bool {
        position == LogPosition::ZERO
            || self.link(position.index).is_some_and(|l| l.term == position.term)
    }

    /// Removes `from` and everything after it.
    pub(super) fn truncate_from(&mut self, from: LogIndex) {
        self.links.truncate(usize::try_from(from.prev().0).unwrap_or(usize::MAX));
    }

    /// Appends an entry after the last one and returns its link. The entry's own index is not
    /// looked at: callers have judged it.
    pub(super) fn push(&mut self, entry: EntryId) -> Link {
        let before = self.links.last().map_or(START, |l| l.chain);
        let link =
            Link { term: entry.position.term, hash: entry.hash, chain: fold(before, entry.hash) };
        self.links.push(link);
        link
    }

    /// Copies the entry at the next index from `other`, if it has one.
    pub(super) fn push_from(&mut self, other: &Self) -> bool {
        match other.links.get(self.links.len()) {
            Some(link) => {
                self.links.push(*link);
                true
            }
            None => false,
        }
    }

    /// Whether replacing `from` and everything after it by `entries` changes or removes an entry.
    pub(super) fn differs(&self, from: LogIndex, entries: &[EntryId]) -> bool {
        let old = self.links.get(from.prev().0 as usize..).unwrap_or_default();
        old.len() > entries.len()
            || old.iter().zip(entries).any(|(l, e)| l.hash != e.hash || l.term != e.position.term)
    }

    /// Makes the log equal to `log` and returns the first index that changed, if one did.
    pub(super) fn become_log(&mut self, log: &[EntryId]) -> Option<LogIndex> {
        let same = self
            .links
            .iter()
            .zip(log)
            .take_while(|(l, e)| l.hash == e.hash && l.term == e.position.term)
            .count();
        if same == self.links.len() && same == log.len() {
            return None;
        }
        self.links.truncate(same);
        for entry in &log[same..] {
            self.push(*entry);
        }
        Some(LogIndex(same as u64 + 1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(term: u64, index: u64, hash: u64) -> EntryId {
        EntryId { position: LogPosition::new(Term(term), LogIndex(index)), hash }
    }

    #[test]
    fn equal_prefixes_have_equal_chains_and_different_ones_do_not() {
        let (mut a, mut b) = (Chain::default(), Chain::default());
        for i in 1..=5 {
            a.push(entry(1, i, 100 + i));
            b.push(entry(1, i, if i == 3 { 7 } else { 100 + i }));
        }
        assert_eq!(a.at(LogIndex(2)), b.at(LogIndex(2)));
        for i in 3..=5 {
            assert_ne!(a.at(LogIndex(i)), b.at(LogIndex(i)), "one difference shows for ever");
        }
        assert_eq!(a.at(LogIndex(0)), b.at(LogIndex(0)));
        assert_eq!(a.at(LogIndex(6)), None);
    }

    #[test]
    fn becoming_a_log_names_the_first_change() {
        let log: Vec<_> = (1..=4).map(|i| entry(1, i, i)).collect();
        let mut chain = Chain::default();
        assert_eq!(chain.become_log(&log), Some(LogIndex(1)));
        assert_eq!(chain.become_log(&log), None);
        assert_eq!(chain.become_log(&log[..2]), Some(LogIndex(3)));
        assert_eq!(chain.last(), LogIndex(2));
        chain.truncate_from(LogIndex(1));
        assert_eq!(chain.last(), LogIndex(0));
    }
}
