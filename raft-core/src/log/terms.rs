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
    runs: Vec<TermRun>,
    last: LogIndex,
}

impl TermIndex {
    /// The index of a log that holds `runs` up to `last`; the caller has checked their order.
    pub(crate) const fn new(runs: Vec<TermRun>, last: LogIndex) -> Self {
        Self { runs, last }
    }

    pub(crate) const fn run_count(&self) -> usize {
        self.runs.len()
    }

    pub(crate) const fn last_index(&self) -> LogIndex {
        self.last
    }

    pub(crate) fn last(&self) -> LogPosition {
        self.runs.last().map_or(LogPosition::ZERO, |run| LogPosition::new(run.term, self.last))
    }

    /// The term of `index`; 0 for index 0, `None` above the end.
    pub(crate) fn term_at(&self, index: LogIndex) -> Option<Term> {
        if index > self.last {
            return None;
        }
        match self.runs.last() {
            // Nearly every question is about the newest term.
            Some(run) if index >= run.first => Some(run.term),
            _ => Some(self.position_of(index).map_or(Term::ZERO, |run| run.term)),
        }
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
    }

    /// The highest position whose index is at most `index` and whose term is at most `term`.
    ///
    /// Above it nothing of another log whose entry at `index` has term `term` can match, so each
    /// refusal skips at least one whole term.
    pub(crate) fn last_at_or_below(&self, index: LogIndex, term: Term) -> LogPosition {
        let index = index.min(self.last);
        let after = self.runs.partition_point(|run| run.first <= index && run.term <= term);
        let Some(run) = after.checked_sub(1).and_then(|at| self.runs.get(at)) else {
            return LogPosition::ZERO;
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
}
