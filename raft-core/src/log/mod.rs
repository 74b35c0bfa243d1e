//! The log: what is known of every index, and the entries still held in memory.
//!
//! **Intuition.** A log is two things here. The *term index* knows the term of every entry ever
//! appended and costs a few words a term. The *tail* holds the newest entries themselves: all that
//! are not yet durable, and as many durable ones as the limits allow. Older entries are asked for
//! with `ReadEntries`. Below the base, which a snapshot covers, nothing is known at all.
//! **Source.** Thesis §3.5, §5; the bounded tail is ours.
//! **Upholds.** `inv:log-matching`, `inv:bounded`.
//! **Not here.** What is durable (`storage/`), who may append (`replication/`, `propose.rs`).

pub(crate) mod entries;
pub(crate) mod entry;
pub(crate) mod tail;
pub(crate) mod terms;

use crate::types::{LogIndex, LogPosition, Term};
pub use entries::{Entries, NotContiguous};
pub use entry::{Entry, EntryKind, EntryRef, Run};
pub use terms::TermRun;

use tail::Tail;
use terms::TermIndex;

/// The log of one node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Log {
    terms: TermIndex,
    tail: Tail,
}

impl Log {
    /// A log whose entries are all durable and all on disk: `terms` from `first` to `last`, on a
    /// snapshot at `snapshot` (0/0 without one).
    pub(crate) fn recovered(
        snapshot: LogPosition,
        first: LogIndex,
        mut terms: alloc::vec::Vec<TermRun>,
        last: LogIndex,
    ) -> Self {
        let base = if first == LogIndex(1) {
            LogPosition::ZERO
        } else if first == snapshot.index.next() {
            snapshot
        } else {
            // Entries were kept below the snapshot. The term before the first of them is not
            // known, so that one only serves as the base.
            let base = LogPosition::new(terms.first().map_or(Term::ZERO, |run| run.term), first);
            let more = terms.get(1).map_or(last, |run| run.first.prev()) > first;
            match terms.first_mut() {
                Some(run) if more => run.first = first.next(),
                _ => drop(terms.drain(..terms.len().min(1))),
            }
            base
        };
        Self { terms: TermIndex::new(base, terms, last), tail: Tail::starting_after(last) }
    }

    /// The position before the first known entry: 0/0, or where the log was compacted.
    pub(crate) const fn base(&self) -> LogPosition {
        self.terms.base()
    }

    pub(crate) fn last(&self) -> LogPosition {
        self.terms.last()
    }

    pub(crate) const fn last_index(&self) -> LogIndex {
        self.terms.last_index()
    }

    pub(crate) fn term_at(&self, index: LogIndex) -> Option<Term> {
        self.terms.term_at(index)
    }

    /// Whether this log holds an entry at that position; position 0/0 always matches.
    pub(crate) fn matches(&self, position: LogPosition) -> bool {
        self.term_at(position.index) == Some(position.term)
    }

    pub(crate) const fn term_runs(&self) -> usize {
        self.terms.run_count()
    }

    pub(crate) fn last_at_or_below(&self, index: LogIndex, term: Term) -> LogPosition {
        self.terms.last_at_or_below(index, term)
    }

    pub(crate) const fn tail(&self) -> &Tail {
        &self.tail
    }

    /// Appends one entry of `term` at the end; sealed with its neighbours by [`Log::seal`].
    #[inline(always)]
    pub(crate) fn append(&mut self, term: Term, entry: Entry) -> LogIndex {
        let last = self.last();
        let index = last.index.next();
        assert!(term >= last.term, "terms along a log never decrease (inv:log-matching)");
        self.terms.extend(term, index);
        self.tail.push_open(term, index, entry);
        index
    }

    /// Appends a sealed run that begins right after the end.
    pub(crate) fn append_run(&mut self, run: Run) {
        let last = self.last();
        assert_eq!(run.first(), last.index.next(), "a log has no holes (inv:log-matching)");
        assert!(run.term() >= last.term, "terms never decrease (inv:log-matching)");
        self.terms.extend(run.term(), run.last());
        self.tail.push_run(run);
    }

    /// Seals what was appended one by one since the last time.
    pub(crate) fn seal(&mut self) {
        self.tail.seal();
    }

    /// Removes `from` and everything after it.
    pub(crate) fn truncate_from(&mut self, from: LogIndex) {
        self.terms.truncate_from(from);
        self.tail.truncate_from(from);
    }

    /// Forgets everything below `index`, whose own term stays known.
    pub(crate) fn compact_to(&mut self, index: LogIndex) {
        assert!(index <= self.last_index(), "only what exists is compacted");
        self.terms.compact_to(index);
        self.tail.compact_to(index);
    }

    /// Forgets everything: the log is empty and goes on at `base`.
    pub(crate) fn reset_to(&mut self, base: LogPosition) {
        self.terms.reset_to(base);
        self.tail = Tail::starting_after(base.index);
    }

    /// [`Log::evict`], but only if that brings the tail within the limits. Returns whether it did.
    pub(crate) fn evict_if_enough(
        &mut self,
        durable: LogIndex,
        entries_max: u64,
        bytes_max: u64,
    ) -> bool {
        self.tail.evict_if_enough(durable, entries_max, bytes_max)
    }

    /// Drops the oldest entries from memory while the tail is over a limit and they are durable.
    pub(crate) fn evict(&mut self, durable: LogIndex, entries_max: u64, bytes_max: u64) {
        self.tail.evict(durable, entries_max, bytes_max);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A log of 1/1, 1/2, 4/3, 4/4 from `first` on, with a snapshot at `snapshot`.
    fn recovered(snapshot: (u64, u64), first: u64) -> Log {
        let run = |first, term| TermRun { first: LogIndex(first), term: Term(term) };
        let terms = match first {
            1 => alloc::vec![run(1, 1), run(3, 4)],
            2 => alloc::vec![run(2, 1), run(3, 4)],
            _ => alloc::vec![run(first, 4)],
        };
        let snapshot = LogPosition::new(Term(snapshot.0), LogIndex(snapshot.1));
        Log::recovered(snapshot, LogIndex(first), terms, LogIndex(4))
    }

    #[test]
    fn a_log_stands_on_what_it_knows_of_its_beginning() {
        let at = |term, index| LogPosition::new(Term(term), LogIndex(index));
        for (snapshot, first, base) in [
            ((0, 0), 1, at(0, 0)),
            ((1, 2), 3, at(1, 2)),
            // Kept below the snapshot: the first entry serves as the base.
            ((4, 3), 2, at(1, 2)),
            ((4, 3), 3, at(4, 3)),
            ((4, 3), 1, at(0, 0)),
        ] {
            let sut = recovered(snapshot, first);
            assert_eq!((sut.base(), sut.last()), (base, at(4, 4)), "{snapshot:?} {first}");
            for (index, term) in (1..).zip([1, 1, 4, 4]) {
                let known = (index >= base.index.0).then_some(Term(term));
                assert_eq!(sut.term_at(LogIndex(index)), known, "{snapshot:?} {first}: {index}");
            }
        }
    }
}
