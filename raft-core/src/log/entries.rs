//! Entries in order: what is written, sent and applied, as runs that follow each other.
//!
//! **Intuition.** Nearly always they are one run, so one run needs no list and every output stays
//! small. What does not follow is refused here, so nobody behind has to look for holes.
//! **Source.** Thesis §3.5 (entries); the shape is ours, measured against copying entries.
//! **Upholds.** `inv:log-matching` (indexes have no hole, terms never fall).
//! **Not here.** What a run is (`log/entry.rs`).

use alloc::{boxed::Box, vec::Vec};
use core::fmt;

use super::entry::{Entry, EntryRef, Run};
use crate::types::{LogIndex, LogPosition};

/// Entries in order without a hole: no run, one run, or several. Small; cloning shares.
///
/// Equal if they are the same entries at the same positions, whatever runs they come in.
#[derive(Clone, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(try_from = "Vec<Run>", into = "Vec<Run>"))]
pub struct Entries(Runs);

impl PartialEq for Entries {
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len() && self.iter().eq(other.iter())
    }
}

impl Eq for Entries {}

#[cfg(feature = "serde")]
impl From<Entries> for Vec<Run> {
    fn from(entries: Entries) -> Self {
        entries.runs().to_vec()
    }
}

#[cfg(feature = "serde")]
impl TryFrom<Vec<Run>> for Entries {
    type Error = NotContiguous;

    fn try_from(runs: Vec<Run>) -> Result<Self, NotContiguous> {
        let mut out = Self::EMPTY;
        runs.into_iter().try_for_each(|run| out.push(run))?;
        Ok(out)
    }
}

#[derive(Clone, Default)]
enum Runs {
    #[default]
    None,
    One(Run),
    // Boxed so that the usual single run keeps every output small.
    #[expect(clippy::box_collection, reason = "a bare vector would widen every output by a word")]
    Many(Box<Vec<Run>>),
}

/// A run does not continue the entries before it: its first index is not the next one, or its
/// term is lower.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct NotContiguous {
    /// The last position before it.
    pub after: LogPosition,
    /// Where it begins.
    pub found: LogPosition,
}

impl fmt::Display for NotContiguous {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "entry {} does not continue a log that ends at {}", self.found, self.after)
    }
}

impl core::error::Error for NotContiguous {}

impl Entries {
    /// No entries.
    pub const EMPTY: Self = Self(Runs::None);

    /// Builds entries from a store: positions must be consecutive and terms must not fall.
    ///
    /// # Errors
    /// [`NotContiguous`] names the first entry out of place; nothing is returned.
    pub fn collect(
        entries: impl IntoIterator<Item = (LogPosition, Entry)>,
    ) -> Result<Self, NotContiguous> {
        let mut out = Self::EMPTY;
        let mut open: Vec<Entry> = Vec::new();
        let mut first = LogPosition::ZERO;
        let mut last = LogPosition::ZERO;
        for (position, entry) in entries {
            let starts = last == LogPosition::ZERO;
            let follows = position.index == last.index.next() && position.term >= last.term;
            if position.index == LogIndex::ZERO || !(starts || follows) {
                return Err(NotContiguous { after: last, found: position });
            }
            if position.index.0 == u64::MAX {
                // No index would follow it, and a run never ends there.
                return Err(NotContiguous { after: last, found: position });
            }
            if starts || position.term != last.term {
                if let Some(run) = Run::seal(first.term, first.index, core::mem::take(&mut open)) {
                    out.push(run)?;
                }
                first = position;
            }
            open.push(entry);
            last = position;
        }
        if let Some(run) = Run::seal(first.term, first.index, open) {
            out.push(run)?;
        }
        Ok(out)
    }

    /// Adds `run` at the end.
    ///
    /// # Errors
    /// [`NotContiguous`] if it does not follow; `self` is unchanged.
    pub fn push(&mut self, run: Run) -> Result<(), NotContiguous> {
        if let Some(tip) = self.runs().last() {
            let after = LogPosition::new(tip.term(), tip.last());
            let found = run.first_position();
            if found.index != after.index.next() || found.term < after.term {
                return Err(NotContiguous { after, found });
            }
        }
        self.0 = match core::mem::take(&mut self.0) {
            Runs::None => Runs::One(run),
            Runs::One(head) => Runs::Many(Box::new(alloc::vec![head, run])),
            Runs::Many(mut runs) => {
                runs.push(run);
                Runs::Many(runs)
            }
        };
        Ok(())
    }

    /// The runs, in order.
    #[must_use]
    pub fn runs(&self) -> &[Run] {
        match &self.0 {
            Runs::None => &[],
            Runs::One(run) => core::slice::from_ref(run),
            Runs::Many(runs) => runs,
        }
    }

    /// The only run, as nearly always; else all of them, in order.
    pub(crate) fn into_only(self) -> Result<Run, Vec<Run>> {
        match self.0 {
            Runs::None => Err(Vec::new()),
            Runs::One(run) => Ok(run),
            Runs::Many(runs) => Err(*runs),
        }
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        matches!(self.0, Runs::None)
    }

    /// How many entries.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.runs().iter().fold(0, |sum, run| sum.saturating_add(run.len()))
    }

    /// Payload bytes.
    #[must_use]
    pub fn len_bytes(&self) -> u64 {
        self.runs().iter().fold(0, |sum, run| sum.saturating_add(run.len_bytes()))
    }

    /// Index of the first entry.
    #[must_use]
    pub fn first(&self) -> Option<LogIndex> {
        self.runs().first().map(Run::first)
    }

    /// Position of the last entry.
    #[must_use]
    pub fn last(&self) -> Option<LogPosition> {
        self.runs().last().map(|run| LogPosition::new(run.term(), run.last()))
    }

    /// All entries with their positions, ascending.
    pub fn iter(&self) -> impl Iterator<Item = EntryRef<'_>> + '_ {
        self.runs().iter().flat_map(Run::iter)
    }
}

impl From<Run> for Entries {
    fn from(run: Run) -> Self {
        Self(Runs::One(run))
    }
}

impl fmt::Debug for Entries {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.runs()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{log::EntryKind, types::Term};
    use bytes::Bytes;

    fn entry(byte: u8) -> Entry {
        Entry {
            kind: EntryKind::COMMAND,
            payload: Bytes::copy_from_slice(&[byte]),
            ..Entry::default()
        }
    }

    #[test]
    fn entries_of_one_run_need_no_list() {
        assert!(size_of::<Entries>() <= 24);
    }

    #[test]
    fn collecting_never_drops_an_entry_in_silence() {
        let at = |index| (LogPosition::new(Term(1), LogIndex(index)), entry(1));
        assert!(Entries::collect([at(u64::MAX)]).is_err());
        assert!(Entries::collect([at(u64::MAX - 1), at(u64::MAX)]).is_err());
        assert_eq!(Entries::collect([at(u64::MAX - 1)]).unwrap().len(), 1);
    }

    #[test]
    fn collect_groups_by_term_and_refuses_holes() {
        let at = |term, index| LogPosition::new(Term(term), LogIndex(index));
        let ok =
            Entries::collect([(at(1, 3), entry(0)), (at(1, 4), entry(1)), (at(4, 5), entry(2))])
                .unwrap();
        assert_eq!(ok.runs().len(), 2);
        assert_eq!((ok.len(), ok.first(), ok.last()), (3, Some(LogIndex(3)), Some(at(4, 5))));
        let hole = Entries::collect([(at(1, 3), entry(0)), (at(1, 5), entry(1))]).unwrap_err();
        assert_eq!(hole, NotContiguous { after: at(1, 3), found: at(1, 5) });
        assert!(Entries::collect([(at(2, 3), entry(0)), (at(1, 4), entry(1))]).is_err());
        assert!(Entries::collect([(at(1, 0), entry(0))]).is_err());
    }

    #[test]
    fn a_run_that_does_not_follow_is_not_pushed() {
        let run =
            |term, first| Run::seal(Term(term), LogIndex(first), alloc::vec![entry(0)]).unwrap();
        let mut sut = Entries::from(run(3, 5));
        for (term, first) in [(2, 6), (3, 5), (3, 7), (4, 5), (4, 7)] {
            let found = LogPosition::new(Term(term), LogIndex(first));
            let after = LogPosition::new(Term(3), LogIndex(5));
            assert_eq!(sut.push(run(term, first)), Err(NotContiguous { after, found }));
        }
        assert_eq!((sut.push(run(3, 6)), sut.push(run(4, 7)), sut.len()), (Ok(()), Ok(()), 3));
    }
}
