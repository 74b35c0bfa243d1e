//! The configurations of the log, by index.
//!
//! **Intuition.** The newest configuration entry in the log is in force, committed or not; when
//! its entry is cut off, the one before it is in force again. So the log's configurations are a
//! stack above the one that is known to be committed.
//! **Source.** Thesis §4.1 (in force from append); B-044 and D-R12 are the ways to get it wrong.
//! **Upholds.** `inv:configuration-safety`, `inv:bounded`.
//! **Not here.** Which change is legal (`change.rs`), the peers that follow from it (`members.rs`).

use alloc::vec::Vec;

use super::Configuration;
use crate::{lazy::Lazy, types::LogIndex};

/// A base, and the configuration entries above it, ascending.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct History {
    base: (LogIndex, Configuration),
    above: Lazy<Vec<(LogIndex, Configuration)>>,
}

impl History {
    pub(crate) fn new(index: LogIndex, configuration: Configuration) -> Self {
        Self { base: (index, configuration), above: Lazy::default() }
    }

    /// The newest, which is in force, and the index of its entry (0 if it came with the disk).
    pub(crate) fn newest(&self) -> (LogIndex, &Configuration) {
        let (index, configuration) = self.above.last().unwrap_or(&self.base);
        (*index, configuration)
    }

    /// The newest at or below `index`.
    pub(crate) fn at(&self, index: LogIndex) -> (LogIndex, &Configuration) {
        let found = self.above.iter().rev().find(|(at, _)| *at <= index).unwrap_or(&self.base);
        (found.0, &found.1)
    }

    /// The first entry above `index`, if there is one.
    pub(crate) fn first_above(&self, index: LogIndex) -> Option<LogIndex> {
        let entries = core::iter::once(&self.base).chain(&*self.above);
        entries.map(|(at, _)| *at).find(|at| *at > index)
    }

    /// How many entries stand above the base.
    pub(crate) fn len(&self) -> usize {
        self.above.len()
    }

    /// An entry at `index` was appended.
    pub(crate) fn push(&mut self, index: LogIndex, configuration: Configuration) {
        assert!(index > self.newest().0, "configurations ascend (inv:configuration-safety)");
        self.above.push((index, configuration));
    }

    /// The log was cut at `from`. Returns whether another configuration is in force now.
    pub(crate) fn truncate_from(&mut self, from: LogIndex) -> bool {
        let before = self.above.len();
        if let Some(above) = self.above.made() {
            above.retain(|(index, _)| *index < from);
        }
        self.above.len() != before
    }

    /// A snapshot took the place of the log up to `upto`: its configuration is the base, and only
    /// entries above stay. Where the log did not hold the snapshot's position nothing stays.
    pub(crate) fn rebase(&mut self, index: LogIndex, configuration: Configuration, upto: LogIndex) {
        self.base = (index, configuration);
        if let Some(above) = self.above.made() {
            above.retain(|(at, _)| *at > upto);
        }
    }

    /// Everything up to `index` is settled for good: only the newest of it is kept.
    pub(crate) fn settle_upto(&mut self, index: LogIndex) {
        let settled = self.above.iter().take_while(|(at, _)| *at <= index).count();
        if settled == 0 {
            return;
        }
        if let Some(newest) = self.above.drain(..settled).next_back() {
            self.base = newest;
        }
        self.above.tidy();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::NodeId;

    fn of(voters: u64) -> Configuration {
        Configuration::new((1..=voters).map(NodeId)).unwrap()
    }

    #[test]
    fn the_newest_entry_is_in_force_until_it_is_cut_off() {
        let mut history = History::new(LogIndex(0), of(1));
        history.push(LogIndex(4), of(2));
        history.push(LogIndex(7), of(3));
        assert_eq!(history.newest(), (LogIndex(7), &of(3)));
        assert_eq!(history.at(LogIndex(6)), (LogIndex(4), &of(2)));
        assert_eq!(history.at(LogIndex(3)), (LogIndex(0), &of(1)));
        assert!(!history.truncate_from(LogIndex(8)));
        assert!(history.truncate_from(LogIndex(5)));
        assert_eq!(history.newest(), (LogIndex(4), &of(2)));
        assert!(history.truncate_from(LogIndex(1)));
        assert_eq!(history.newest(), (LogIndex(0), &of(1)));
    }

    #[test]
    fn a_snapshot_replaces_what_it_covers_and_nothing_above() {
        let mut history = History::new(LogIndex(0), of(1));
        history.push(LogIndex(4), of(2));
        history.push(LogIndex(7), of(3));
        let mut kept = history.clone();
        kept.rebase(LogIndex(4), of(5), LogIndex(6));
        assert_eq!(kept.newest(), (LogIndex(7), &of(3)));
        kept.truncate_from(LogIndex(7));
        assert_eq!(kept.newest(), (LogIndex(4), &of(5)));
        history.rebase(LogIndex(2), of(5), LogIndex(u64::MAX));
        assert_eq!(history.newest(), (LogIndex(2), &of(5)), "a purged entry is not in force");
    }

    #[test]
    fn what_is_settled_becomes_the_base() {
        let mut history = History::new(LogIndex(0), of(1));
        history.push(LogIndex(4), of(2));
        history.push(LogIndex(7), of(3));
        history.settle_upto(LogIndex(6));
        assert_eq!((history.len(), history.at(LogIndex(0))), (1, (LogIndex(4), &of(2))));
        assert_eq!(history.first_above(LogIndex(3)), Some(LogIndex(4)));
        assert_eq!(history.first_above(LogIndex(4)), Some(LogIndex(7)));
        assert_eq!(history.first_above(LogIndex(7)), None);
        history.truncate_from(LogIndex(1));
        assert_eq!(history.newest(), (LogIndex(4), &of(2)), "the base is never undone");
    }
}
