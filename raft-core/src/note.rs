//! Notes: the reasons of decisions, for traces and scenario tests.
//!
//! **Intuition.** A protocol is debugged by asking "why did it refuse?". Each judgement can leave
//! its reason; nothing reads them back, so switching them on changes nothing else.
//! **Source.** Ours.
//! **Upholds.** Nothing; diagnostics only.
//! **Not here.** Counters (`status.rs`).

use crate::types::{LogIndex, LogPosition, NodeId, Term};

/// One reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum Note {
    /// A vote was granted.
    VoteGranted {
        /// To whom.
        candidate: NodeId,
    },
    /// A vote was refused: this term's vote is another's.
    AlreadyVoted {
        /// Who asked.
        candidate: NodeId,
        /// Who has it.
        holder: NodeId,
    },
    /// A vote was refused: the candidate's log is behind.
    LogBehind {
        /// Who asked.
        candidate: NodeId,
        /// The last position here.
        ours: LogPosition,
    },
    /// A request was ignored: a leader was heard from lately.
    LeaderAlive {
        /// Who asked.
        candidate: NodeId,
    },
    /// An append was refused: there is no such entry here.
    AppendRefused {
        /// The position asked for.
        previous: LogPosition,
        /// Where a match may still be.
        hint: LogPosition,
    },
    /// A conflicting suffix was removed.
    Truncated {
        /// First index removed.
        from: LogIndex,
    },
    /// A snapshot from a leader was judged.
    SnapshotJudged {
        /// Its index.
        index: LogIndex,
        /// Whether it is published; else it is not wanted.
        taken: bool,
    },
    /// Entries of another term were not taken: the index of terms is full until a snapshot makes
    /// room.
    TermsFull {
        /// Terms in the log.
        runs: u64,
    },
    /// A leader heard from no quorum for too long and stepped down.
    QuorumLost {
        /// Its term.
        term: Term,
    },
}
