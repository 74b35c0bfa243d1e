//! Logs: legal term runs, entries, and families of logs as one history of leaders leaves them.
//!
//! **Intuition.** The log of a term's leader is a prefix of an earlier leader's log and then
//! entries of its own term. A family drawn that way obeys log matching by construction, while its
//! members conflict in every way that crashes can produce.
//! **Source.** Thesis §3.5, Fig. 3.6 and 3.7.
//! **Upholds.** `inv:log-matching` holds for every family drawn.
//! **Not here.** What is sent of them (`message.rs`).

use bytes::Bytes;
use proptest::prelude::*;
use raft_core::{Entries, Entry, EntryKind, LogIndex, LogPosition, Term, TermRun};

/// Where each term of a log begins, and where the log ends.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TermRuns {
    runs: Vec<TermRun>,
    last: LogIndex,
}

impl TermRuns {
    /// The runs, ascending.
    #[must_use]
    pub fn runs(&self) -> &[TermRun] {
        &self.runs
    }

    /// Position of the last entry.
    #[must_use]
    pub fn last(&self) -> LogPosition {
        self.runs.last().map_or(LogPosition::ZERO, |run| LogPosition::new(run.term, self.last))
    }

    /// The log whose entries have these terms, from index 1 on; terms must not fall.
    #[must_use]
    pub fn of(terms: &[u64]) -> Self {
        let mut out = Self::default();
        for (term, index) in terms.iter().zip(1..) {
            if out.runs.last().is_none_or(|run| run.term.0 != *term) {
                out.runs.push(TermRun { first: LogIndex(index), term: Term(*term) });
            }
            out.last = LogIndex(index);
        }
        out
    }
}

/// The terms of a legal log of at most `longest` entries.
pub fn terms(longest: usize) -> impl Strategy<Value = Vec<u64>> {
    proptest::collection::vec(prop_oneof![3 => Just(0_u64), 1 => 1..3_u64], 0..=longest).prop_map(
        |steps| {
            let mut term = 1;
            let mut out = Vec::with_capacity(steps.len());
            for step in steps {
                term += step;
                out.push(term);
            }
            out
        },
    )
}

/// The term runs of a legal log of at most `longest` entries.
pub fn term_runs(longest: usize) -> impl Strategy<Value = TermRuns> {
    terms(longest).prop_map(|terms| TermRuns::of(&terms))
}

/// The entry that every strategy puts at a position: its content follows from where it stands, so
/// two logs that agree in positions agree in content.
#[must_use]
pub fn entry_at(position: LogPosition) -> Entry {
    let LogPosition { term, index } = position;
    Entry {
        kind: EntryKind::COMMAND,
        stamp: index.0,
        label: 0,
        payload: Bytes::from(format!("{term}.{index}")),
    }
}

/// Entries that follow `previous`, with these terms; a legal run if terms do not fall.
///
/// Terms that fall, or indexes at the end of their range, are left out from there on.
#[must_use]
pub fn entries_after(previous: LogPosition, terms: &[u64]) -> Entries {
    let mut out = Vec::new();
    let mut before = previous;
    for term in terms {
        let position = LogPosition::new(Term(*term), before.index.next());
        if position.index == before.index || (!out.is_empty() && position.term < before.term) {
            break;
        }
        out.push((position, entry_at(position)));
        before = position;
    }
    Entries::collect(out).unwrap_or_default()
}

/// The logs of successive leaders: `logs[k]` is the log of the leader of term `k + 1`, as terms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Family {
    /// Terms of the entries of each leader's log at the end of its reign.
    pub logs: Vec<Vec<u64>>,
}

/// A family of `reigns` leaders.
pub fn family(reigns: usize) -> impl Strategy<Value = Family> {
    let reign = (any::<prop::sample::Index>(), any::<prop::sample::Index>(), 1..5_usize);
    proptest::collection::vec(reign, 1..=reigns).prop_map(|reigns| {
        let mut logs: Vec<Vec<u64>> = Vec::new();
        for (term, (parent, cut, own)) in (1_u64..).zip(reigns) {
            let mut log = match logs.is_empty() {
                true => Vec::new(),
                false => parent.get(&logs).clone(),
            };
            log.truncate(cut.index(log.len() + 1));
            log.extend(std::iter::repeat_n(term, own));
            logs.push(log);
        }
        Family { logs }
    })
}
