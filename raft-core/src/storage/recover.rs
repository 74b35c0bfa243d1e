//! Boot: from a disk to a node, or a typed refusal.
//!
//! **Intuition.** A crash leaves a prefix of what was written. Whatever no prefix can look like
//! means that storage broke its promise; starting from it could forget a vote or an
//! acknowledgement, so the node refuses and says what is impossible.
//! **Source.** Thesis §3.8, §3.6.3; restarting with a lower term than the log's is B-089.
//! **Upholds.** `inv:one-vote-per-term`, `inv:log-matching`, `inv:monotone`.
//! **Not here.** The node itself (`node.rs`).

use core::fmt;

use super::Boot;
use crate::{
    config::Configuration,
    lifecycle::skip,
    log::EntryKind,
    options::{Options, OptionsError},
    settings::Settings,
    types::{Incarnation, LogIndex, LogPosition, Term},
};

/// Why a node does not start. Nothing was changed; none of these can come from a crash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum BootError {
    /// The tunables contradict each other.
    Options(OptionsError),
    /// Incarnation 0 means "unknown" on the wire; a disk's life starts at 1.
    NoIncarnation,
    /// A vote in term 0, in which nobody campaigns.
    VoteWithoutTerm,
    /// The log begins behind a gap: not at index 1, nor at or right above the snapshot.
    MissingPrefix {
        /// Where it begins.
        first: LogIndex,
    },
    /// The log ends below the snapshot, or holds another entry at its position.
    SnapshotMismatch {
        /// The snapshot's position.
        snapshot: LogPosition,
    },
    /// The snapshot is of another machine than `Options::machine_id`.
    WrongMachine {
        /// Which.
        found: u64,
    },
    /// The snapshot's description contradicts itself: no configuration, one from above its own
    /// position, or settings that cannot hold.
    SnapshotMeta {
        /// The snapshot's position.
        snapshot: LogPosition,
    },
    /// A mark is outside the log above the snapshot, out of order, of a kind that is no mark, or
    /// cannot be read.
    Mark {
        /// Where it claims to be.
        index: LogIndex,
    },
    /// The machine does not hold the snapshot's effects.
    AppliedBelowSnapshot {
        /// What the machine holds.
        applied: LogIndex,
    },
    /// `terms` does not describe the log from `first` to `last`: it must begin at `first`, ascend
    /// strictly in index and term, hold no term 0 and stay within the log.
    TermRuns {
        /// Which run is wrong, from 0; the number of runs if one is missing or too many.
        run: usize,
    },
    /// The log holds more distinct terms than `Options::term_runs_max`.
    TooManyTerms {
        /// How many.
        runs: usize,
    },
    /// The hard state's term is below the log's: the hard state was lost or is older than the log.
    TermRegression {
        /// Term of the hard state.
        hard_state: Term,
        /// Highest term in the log.
        log: Term,
    },
    /// The machine holds effects of entries that the log does not hold.
    AppliedBeyondLog {
        /// What the machine holds.
        applied: LogIndex,
        /// Where the log ends.
        last: LogIndex,
    },
    /// Term or index too close to the end of the number range to go on, or a promise longer than
    /// any timeout can be.
    NumberRange,
}

impl fmt::Display for BootError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Options(error) => write!(f, "options: {error}"),
            Self::NoIncarnation => f.write_str("hard state has incarnation 0; the first life is 1"),
            Self::VoteWithoutTerm => f.write_str("hard state holds a vote in term 0"),
            Self::MissingPrefix { first } => {
                write!(f, "log begins at index {first} and no snapshot covers what is before")
            }
            Self::SnapshotMismatch { snapshot } => {
                write!(f, "log does not connect with the snapshot at {snapshot}")
            }
            Self::WrongMachine { found } => {
                write!(f, "snapshot is of machine {found}, not of this one")
            }
            Self::SnapshotMeta { snapshot } => {
                write!(f, "description of the snapshot at {snapshot} contradicts itself")
            }
            Self::Mark { index } => write!(f, "mark at {index} does not fit the log"),
            Self::AppliedBelowSnapshot { applied } => {
                write!(f, "machine has applied {applied}, less than the snapshot holds")
            }
            Self::TermRuns { run } => write!(f, "term run {run} does not fit the log"),
            Self::TooManyTerms { runs } => write!(f, "log holds {runs} terms, over the limit"),
            Self::TermRegression { hard_state, log } => {
                write!(f, "hard state is at term {hard_state} but the log at term {log}")
            }
            Self::AppliedBeyondLog { applied, last } => {
                write!(f, "machine has applied {applied} but the log ends at {last}")
            }
            Self::NumberRange => f.write_str("term, index or promise is at the end of its range"),
        }
    }
}

impl core::error::Error for BootError {}

/// Highest term and index that leave room to go on.
pub(crate) const NUMBER_MAX: u64 = u64::MAX >> 2;

/// Whether the disk lost what it had acknowledged: the log ends below a position it was once known
/// to hold durably, or holds another entry there. What a snapshot covers is not lost.
pub(crate) fn has_lost(boot: &Boot) -> bool {
    let mark = boot.hard_state.mark;
    let snapshot = boot.snapshot.as_ref().map_or(LogPosition::ZERO, |meta| meta.position);
    let held = boot.terms.iter().rev().find(|run| run.first <= mark.index).map(|run| run.term);
    let known = match held {
        _ if mark.index == snapshot.index => Some(snapshot.term),
        None => None,
        term => term,
    };
    mark.index > boot.last || known.is_some_and(|term| term != mark.term)
}

/// Judges a boot and changes nothing.
pub(crate) fn judge_boot(options: &Options, boot: &Boot) -> Result<(), BootError> {
    options.validate().map_err(BootError::Options)?;
    let hard = &boot.hard_state;
    if hard.incarnation == Incarnation(0) {
        return Err(BootError::NoIncarnation);
    }
    let numbers = [hard.term.0, boot.last.0, hard.promise_ns, hard.mark.index.0];
    if numbers.iter().any(|number| *number > NUMBER_MAX) {
        return Err(BootError::NumberRange);
    }
    if hard.vote.is_some() && hard.term == Term::ZERO {
        return Err(BootError::VoteWithoutTerm);
    }
    let snapshot = boot.snapshot.as_ref().map_or(LogPosition::ZERO, |meta| meta.position);
    if boot.first == LogIndex::ZERO || boot.first > snapshot.index.next() {
        return Err(BootError::MissingPrefix { first: boot.first });
    }
    judge_terms(boot)?;
    judge_snapshot(options, boot)?;
    judge_marks(boot)?;
    if boot.terms.len() > options.term_runs_max as usize {
        return Err(BootError::TooManyTerms { runs: boot.terms.len() });
    }
    let log = boot.terms.last().map_or(snapshot.term, |run| run.term.max(snapshot.term));
    if hard.term < log {
        return Err(BootError::TermRegression { hard_state: hard.term, log });
    }
    if boot.applied > boot.last {
        return Err(BootError::AppliedBeyondLog { applied: boot.applied, last: boot.last });
    }
    Ok(())
}

/// Whether the log and the machine connect with the snapshot.
fn judge_snapshot(options: &Options, boot: &Boot) -> Result<(), BootError> {
    let Some(meta) = &boot.snapshot else { return Ok(()) };
    if meta.machine_id != options.machine_id {
        return Err(BootError::WrongMachine { found: meta.machine_id });
    }
    let snapshot = meta.position;
    if meta.configuration.is_blank()
        || meta.configuration_index > snapshot.index
        || meta.settings.validate(options).is_err()
    {
        return Err(BootError::SnapshotMeta { snapshot });
    }
    let held = boot.terms.iter().rev().find(|run| run.first <= snapshot.index);
    let differs = held.is_some_and(|run| run.term != snapshot.term);
    if boot.last < snapshot.index || differs || (snapshot.index.0 == 0) != (snapshot.term.0 == 0) {
        return Err(BootError::SnapshotMismatch { snapshot });
    }
    if boot.applied < snapshot.index {
        return Err(BootError::AppliedBelowSnapshot { applied: boot.applied });
    }
    Ok(())
}

/// Whether every mark is where a log above the snapshot can have one.
fn judge_marks(boot: &Boot) -> Result<(), BootError> {
    let mut before = boot.snapshot.as_ref().map_or(LogIndex::ZERO, |meta| meta.index());
    for (position, entry) in &boot.marks {
        let index = position.index;
        let run = boot.terms.iter().rev().find(|run| run.first <= index);
        let placed = index > before
            && index <= boot.last
            && run.is_some_and(|run| run.term == position.term)
            && entry.kind.is_mark();
        let readable = match entry.kind {
            EntryKind::CONFIGURATION => Configuration::decode(entry.payload.clone())
                .is_ok_and(|configuration| !configuration.is_blank()),
            EntryKind::SETTINGS => Settings::decode(entry.payload.clone()).is_ok(),
            EntryKind::SKIP => skip::decode(entry.payload.clone()).is_some(),
            _ => true,
        };
        if !placed || !readable {
            return Err(BootError::Mark { index });
        }
        before = index;
    }
    Ok(())
}

fn judge_terms(boot: &Boot) -> Result<(), BootError> {
    let mut before: Option<(LogIndex, Term)> = None;
    for (at, run) in boot.terms.iter().enumerate() {
        let fits = match before {
            None => run.first == boot.first && run.term > Term::ZERO,
            Some((first, term)) => run.first > first && run.term > term,
        };
        if !fits || run.first > boot.last {
            return Err(BootError::TermRuns { run: at });
        }
        before = Some((run.first, run.term));
    }
    let empty = boot.last < boot.first;
    if empty != boot.terms.is_empty() {
        return Err(BootError::TermRuns { run: boot.terms.len() });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        config::Configuration,
        log::{Entry, TermRun},
        snapshot::meta::SnapshotMeta,
        storage::HardState,
        types::{BootId, ClusterId, GroupId, NodeId},
    };

    fn boot() -> Boot {
        let mut hard = HardState::new(ClusterId(1), GroupId(1), NodeId(1), Incarnation(1));
        hard.term = Term(4);
        hard.vote = Some(NodeId(2));
        let voters = Configuration::new((1..=3).map(NodeId)).unwrap();
        let run = |first, term| TermRun { first: LogIndex(first), term: Term(term) };
        Boot::new(BootId(1), 7, hard, voters).with_log(
            alloc::vec![run(1, 1), run(3, 4)],
            LogIndex(5),
            0,
        )
    }

    #[test]
    fn every_impossible_state_has_its_own_refusal() {
        let judge = |change: fn(&mut Boot)| {
            let mut boot = boot();
            change(&mut boot);
            judge_boot(&Options::default(), &boot)
        };
        assert_eq!(judge(|_| ()), Ok(()));
        assert_eq!(judge(|b| b.hard_state.incarnation.0 = 0), Err(BootError::NoIncarnation));
        assert_eq!(
            judge(|b| {
                b.hard_state.term.0 = 0;
                b.terms.clear();
                b.last.0 = 0;
            }),
            Err(BootError::VoteWithoutTerm)
        );
        assert_eq!(judge(|b| b.first.0 = 2), Err(BootError::MissingPrefix { first: LogIndex(2) }));
        assert_eq!(judge(|b| b.terms.clear()), Err(BootError::TermRuns { run: 0 }));
        assert_eq!(judge(|b| b.last.0 = 0), Err(BootError::TermRuns { run: 0 }));
        assert_eq!(judge(|b| b.last.0 = 2), Err(BootError::TermRuns { run: 1 }));
        assert_eq!(judge(|b| b.terms[1].term.0 = 1), Err(BootError::TermRuns { run: 1 }));
        assert_eq!(judge(|b| b.terms[0].first.0 = 2), Err(BootError::TermRuns { run: 0 }));
        assert_eq!(
            judge(|b| b.hard_state.term.0 = 3),
            Err(BootError::TermRegression { hard_state: Term(3), log: Term(4) })
        );
        assert_eq!(
            judge(|b| b.applied.0 = 6),
            Err(BootError::AppliedBeyondLog { applied: LogIndex(6), last: LogIndex(5) })
        );
        assert_eq!(judge(|b| b.hard_state.term.0 = u64::MAX), Err(BootError::NumberRange));
        assert_eq!(judge(|b| b.hard_state.promise_ns = u64::MAX), Err(BootError::NumberRange));
        let options = Options { term_runs_max: 1, ..Options::default() };
        assert_eq!(judge_boot(&options, &boot()), Err(BootError::TooManyTerms { runs: 2 }));
        let options = Options { reads_max: 0, ..Options::default() };
        assert!(matches!(judge_boot(&options, &boot()), Err(BootError::Options(_))));
    }

    /// The log of [`boot`] with a snapshot of 3/4 under it and entries kept below.
    fn with_snapshot() -> Boot {
        let before = boot();
        let mut meta = SnapshotMeta::empty(
            LogPosition::new(Term(4), LogIndex(3)),
            before.configuration.clone(),
            Options::default().settings(),
            0,
        );
        meta.configuration_index = LogIndex(2);
        let mut out = before.clone().with_snapshot(meta);
        (out.first, out.last, out.terms) = (before.first, before.last, before.terms);
        out
    }

    /// 2.12.1, S-09, B-095, B-058: every way a snapshot and a log can fail to fit.
    #[test]
    fn a_snapshot_and_a_log_that_do_not_connect_are_refused() {
        let judge = |change: fn(&mut Boot)| {
            let mut boot = with_snapshot();
            change(&mut boot);
            judge_boot(&Options::default(), &boot)
        };
        fn meta(boot: &mut Boot) -> &mut SnapshotMeta {
            boot.snapshot.as_mut().unwrap()
        }
        let snapshot = LogPosition::new(Term(4), LogIndex(3));
        let mismatch = Err(BootError::SnapshotMismatch { snapshot });
        let bad = Err(BootError::SnapshotMeta { snapshot });
        assert_eq!(judge(|_| ()), Ok(()));
        // The log may begin at most right above it.
        let from = |first: u64| {
            let mut boot = with_snapshot();
            boot.first = LogIndex(first);
            boot.terms = alloc::vec![TermRun { first: LogIndex(first), term: Term(4) }];
            judge_boot(&Options::default(), &boot)
        };
        assert_eq!((from(3), from(4)), (Ok(()), Ok(())));
        assert_eq!(from(5), Err(BootError::MissingPrefix { first: LogIndex(5) }));
        assert_eq!(judge(|b| b.last.0 = 2), Err(BootError::TermRuns { run: 1 }));
        let behind = |b: &mut Boot| {
            b.last.0 = 2;
            b.terms.truncate(1);
        };
        assert_eq!(judge(behind), mismatch, "the log ends below it");
        assert_eq!(judge(|b| b.terms[1].term.0 = 3), mismatch, "another entry is there");
        assert_eq!(
            judge(|b| meta(b).position.index.0 = 0),
            Err(BootError::SnapshotMeta { snapshot: LogPosition::new(Term(4), LogIndex(0)) })
        );
        let applied = LogIndex(2);
        let below = Err(BootError::AppliedBelowSnapshot { applied });
        assert_eq!(judge(|b| b.applied.0 = 2), below);
        assert_eq!(judge(|b| meta(b).machine_id = 6), Err(BootError::WrongMachine { found: 6 }));
        assert_eq!(judge(|b| meta(b).configuration = Configuration::default()), bad);
        assert_eq!(judge(|b| meta(b).configuration_index.0 = 4), bad);
        assert_eq!(judge(|b| meta(b).settings.heartbeat_ns = 0), bad);
        assert_eq!(
            judge(|b| b.hard_state.term.0 = 3),
            Err(BootError::TermRegression { hard_state: Term(3), log: Term(4) })
        );
    }

    #[test]
    fn a_disk_that_ends_below_its_mark_lost_something_and_a_covered_one_did_not() {
        let lost = |mark: (u64, u64), change: fn(&mut Boot)| {
            let mut boot = with_snapshot();
            boot.hard_state.mark = LogPosition::new(Term(mark.0), LogIndex(mark.1));
            change(&mut boot);
            has_lost(&boot)
        };
        for (mark, want) in [
            ((0, 0), false),
            ((1, 2), false),
            ((4, 3), false),
            ((4, 5), false),
            ((4, 6), true),
            ((3, 5), true),
            ((2, 3), true),
            ((2, 2), true),
        ] {
            assert_eq!(lost(mark, |_| ()), want, "{mark:?}");
        }
        // Without the entries below the snapshot nothing contradicts an old mark.
        let compacted = |b: &mut Boot| {
            b.first.0 = 4;
            b.terms = alloc::vec![TermRun { first: LogIndex(4), term: Term(4) }];
        };
        assert!(!lost((2, 2), compacted));
        assert!(lost((2, 3), compacted), "the snapshot itself does");
    }

    #[test]
    fn marks_stand_in_order_above_the_snapshot_and_in_their_terms() {
        let mark = |term, index| {
            let payload = boot().configuration.encode();
            let entry = Entry { kind: EntryKind::CONFIGURATION, payload, ..Entry::default() };
            (LogPosition::new(Term(term), LogIndex(index)), entry)
        };
        let judge = |marks: &[(u64, u64)]| {
            let marks = marks.iter().map(|(term, index)| mark(*term, *index)).collect();
            judge_boot(&Options::default(), &with_snapshot().with_marks(marks))
        };
        assert_eq!(judge(&[(4, 4), (4, 5)]), Ok(()));
        for (marks, index) in [
            (&[(4, 3)][..], 3),
            (&[(4, 5), (4, 4)], 4),
            (&[(4, 4), (4, 4)], 4),
            (&[(4, 6)], 6),
            (&[(3, 4)], 4),
        ] {
            assert_eq!(judge(marks), Err(BootError::Mark { index: LogIndex(index) }), "{marks:?}");
        }
    }
}
