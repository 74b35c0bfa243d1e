//! The term of every index, run by run.
//!
//! **Intuition.** Terms never fall along a log, so "which term has index i" is a short sorted list
//! of where each term begins. The log-matching test and the back-off of a leader that found a
//! conflict need nothing else, however long the log is.
//! **Source.** Thesis §3.5 (consistency check), §3.6.3 (terms along a log never decrease).
//! **Upholds.** `inv:log-matching`.
//! **Not here.** Entries (`tail.rs`).

use alloc::vec::Vec;

use crate::types::{LogIndex, LogPosition, Term};

/// From `first` on, entries have this term, up to where the next run begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct TermRun {
    /// First index of the term.
    pub first: LogIndex,
    /// The term.
    pub term: Term,
}

/// Where each term begins, ascending in both.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct TermIndex {
    /// The position before the first known entry: 0/0, or where the log was compacted. Its own
    /// term is known, that of everything below is not.
    base: LogPosition,
    runs: Vec<TermRun>,
    last: LogIndex,
}

impl TermIndex {
    /// The index of a log that stands on `base` and holds `runs` up to `last`; the caller has
    /// checked their order.
    pub(crate) const fn new(base: LogPosition, runs: Vec<TermRun>, last: LogIndex) -> Self {
        Self { base, runs, last }
    }

    /// The position before the first known entry.
    pub(crate) const fn base(&self) -> LogPosition {
        self.base
    }

    pub(crate) const fn run_count(&self) -> usize {
        self.runs.len()
    }

    pub(crate) const fn last_index(&self) -> LogIndex {
        self.last
    }

    pub(crate) fn last(&self) -> LogPosition {
        self.runs.last().map_or(self.base, |run| LogPosition::new(run.term, self.last))
    }

    /// The term of `index`; 0 for index 0 of a log that was never compacted, `None` above the end
    /// and below the base (B-029, B-030: what is compacted matches nothing).
    pub(crate) fn term_at(&self, index: LogIndex) -> Option<Term> {
        if index > self.last || index < self.base.index {
            return None;
        }
        match self.runs.last() {
            // Nearly every question is about the newest term.
            Some(run) if index >= run.first => Some(run.term),
            _ => Some(self.position_of(index).map_or(self.base.term, |run| run.term)),
        }
    }

    /// Forgets everything below `index`, which must be known; its own term stays known.
    pub(crate) fn compact_to(&mut self, index: LogIndex) {
        let Some(term) = self.term_at(index).filter(|_| index > self.base.index) else { return };
        self.base = LogPosition::new(term, index);
        let gone = self.runs.partition_point(|run| run.first <= index);
        // The run that holds `index` goes on behind it, unless the next one begins there.
        let next = index.next();
        let ends = self.runs.get(gone).map_or(self.last, |run| run.first.prev());
        self.runs.drain(..gone);
        if ends >= next {
            self.runs.insert(0, TermRun { first: next, term });
        }
    }

    /// Forgets everything: the log is empty and stands on `base`.
    pub(crate) fn reset_to(&mut self, base: LogPosition) {
        self.runs.clear();
        self.base = base;
        self.last = base.index;
    }

    fn position_of(&self, index: LogIndex) -> Option<&TermRun> {
        let after = self.runs.partition_point(|run| run.first <= index);
        self.runs.get(after.checked_sub(1)?)
    }

    /// Adds entries of `term` up to `last`. The caller keeps terms and indexes ascending.
    pub(crate) fn extend(&mut self, term: Term, last: LogIndex) {
        debug_assert!(last > self.last, "only grows");
        if self.runs.last().is_none_or(|run| run.term != term) {
            self.runs.push(TermRun { first: self.last.next(), term });
        }
        self.last = last;
    }

    /// Removes `from` and everything after it.
    pub(crate) fn truncate_from(&mut self, from: LogIndex) {
        let keep = self.runs.partition_point(|run| run.first < from);
        self.runs.truncate(keep);
        self.last = self.last.min(from.prev());
        assert!(self.last >= self.base.index, "nothing compacted is cut off");
    }

    /// The highest position whose index is at most `index` and whose term is at most `term`.
    ///
    /// Above it nothing of another log whose entry at `index` has term `term` can match, so each
    /// refusal skips at least one whole term.
    pub(crate) fn last_at_or_below(&self, index: LogIndex, term: Term) -> LogPosition {
        let index = index.min(self.last);
        let after = self.runs.partition_point(|run| run.first <= index && run.term <= term);
        let Some(run) = after.checked_sub(1).and_then(|at| self.runs.get(at)) else {
            let base = self.base;
            let fits = base.index <= index && base.term <= term;
            return if fits { base } else { LogPosition::ZERO };
        };
        let end = self.runs.get(after).map_or(self.last, |next| next.first.prev());
        LogPosition::new(run.term, index.min(end))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn index(terms: &[u64]) -> TermIndex {
        let mut out = TermIndex::default();
        for (term, at) in terms.iter().zip(1..) {
            out.extend(Term(*term), LogIndex(at));
        }
        out
    }

    #[test]
    fn agrees_with_a_plain_list() {
        let terms = [1, 1, 1, 2, 2, 5, 5, 5, 9];
        let sut = index(&terms);
        assert_eq!(sut.run_count(), 4);
        for i in 0..=terms.len() {
            let want = i.checked_sub(1).map_or(0, |at| terms[at]);
            assert_eq!(sut.term_at(LogIndex(i as u64)), Some(Term(want)), "index {i}");
        }
        assert_eq!(sut.term_at(LogIndex(10)), None);
        for i in 0..12_u64 {
            for t in 0..11_u64 {
                let want = (1..=i.min(9))
                    .rev()
                    .find(|at| terms[*at as usize - 1] <= t)
                    .map_or(LogPosition::ZERO, |at| {
                        LogPosition::new(Term(terms[at as usize - 1]), LogIndex(at))
                    });
                assert_eq!(sut.last_at_or_below(LogIndex(i), Term(t)), want, "index {i} term {t}");
            }
        }
    }

    #[test]
    fn truncation_forgets_whole_runs() {
        for cut in 1..=10_u64 {
            let mut sut = index(&[1, 1, 1, 2, 2, 5, 5, 5, 9]);
            sut.truncate_from(LogIndex(cut));
            let kept = &[1, 1, 1, 2, 2, 5, 5, 5, 9][..(cut as usize - 1).min(9)];
            assert_eq!(sut, index(kept), "cut at {cut}");
        }
    }

    #[test]
    fn a_compacted_index_knows_its_base_and_nothing_below() {
        let terms = [1, 1, 1, 2, 2, 5, 5, 5, 9];
        for cut in 1..=9_u64 {
            let mut sut = index(&terms);
            sut.compact_to(LogIndex(cut));
            for at in 0..=10_u64 {
                let want = (at >= cut && at <= 9).then(|| Term(terms[at as usize - 1]));
                assert_eq!(sut.term_at(LogIndex(at)), want, "cut {cut} at {at}");
            }
            assert_eq!(sut.last(), LogPosition::new(Term(9), LogIndex(9)));
            sut.compact_to(LogIndex(cut));
            sut.extend(Term(9), LogIndex(10));
            assert_eq!(sut.term_at(LogIndex(10)), Some(Term(9)));
            assert_eq!(sut.last_at_or_below(LogIndex(cut), Term(0)), LogPosition::ZERO);
            let base = LogPosition::new(Term(terms[cut as usize - 1]), LogIndex(cut));
            assert_eq!(sut.last_at_or_below(LogIndex(cut), Term(9)), base);
        }
        let mut sut = index(&terms);
        sut.reset_to(LogPosition::new(Term(7), LogIndex(20)));
        assert_eq!(sut.last(), LogPosition::new(Term(7), LogIndex(20)));
        assert_eq!(sut.term_at(LogIndex(20)), Some(Term(7)));
        assert_eq!(sut.term_at(LogIndex(9)), None);
        assert_eq!(sut.run_count(), 0);
    }
}
