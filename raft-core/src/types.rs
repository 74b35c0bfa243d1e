//! The plain values every other file speaks in: ids, terms, indexes, positions, instants.
//!
//! **Intuition.** Most consensus bugs begin as one bare integer used for another. Each quantity is
//! its own type here, so a term cannot be compared with an index and no signature holds a bare
//! `u64`.
//! **Source.** Thesis §3.3 (terms), §3.5 (indexes), §3.6.1 (positions compare by term, then
//! index); identities are ours (a wiped disk is a new life, a recovered group a new epoch).
//! **Upholds.** `inv:log-matching` leans on [`LogPosition`]'s order.
//! **Not here.** Entries (`log/entry.rs`), membership (`config/`), durable state (`storage/`).

use core::fmt;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
        #[cfg_attr(feature = "serde", serde(transparent))]
        pub struct $name(pub u64);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($prefix, "{}"), self.0)
            }
        }
    };
}

id! {
    /// A server, unique in its cluster for ever. Any value is legal.
    NodeId, "n"
}
id! {
    /// An election term (thesis §3.3). Starts at 0, where nobody has ever campaigned.
    Term, ""
}
id! {
    /// A position in the log, counted from 1. 0 means "before the first entry".
    LogIndex, ""
}
id! {
    /// Which cluster an envelope belongs to. Messages of another cluster are refused and counted.
    ClusterId, "c"
}
id! {
    /// The caller's number of one Raft group on its host.
    GroupId, "g"
}
id! {
    /// One life of one disk. Durable; changes only when the disk was wiped. 0 in an envelope's
    /// destination means "not known yet".
    Incarnation, "i"
}
id! {
    /// One start of one store, chosen by the driver and never used before for that store.
    /// Whatever carries another boot id is from before a restart and is not believed.
    BootId, "b"
}
id! {
    /// Names one accepted proposal; ends exactly once (`Apply`, or `Outcome`).
    ///
    /// Tickets are minted in order of append, so a batch is a range. A proposal that waits to be
    /// appended has a ticket of a space of its own ([`Ticket::is_deferred`]).
    Ticket, "t"
}
id! {
    /// Names one accepted read; ends exactly once (`ReadReady` or `ReadFailed`).
    ReadTicket, "r"
}

id! {
    /// Names one accepted configuration change, transfer, settings change or skip; ends exactly
    /// once, with `OperationEnded`.
    OperationTicket, "o"
}
id! {
    /// A received snapshot that the driver keeps in its staging area; the driver's own number.
    StageId, "s"
}

impl Ticket {
    const DEFERRED: u64 = 1 << 63;

    pub(crate) const fn deferred(number: u64) -> Self {
        Self(number | Self::DEFERRED)
    }

    /// Whether the proposal waits to be appended: it ends with `Outcome::Refused`, or
    /// `Output::Admitted` gives it the log's ticket, which no deferred one ever equals.
    #[must_use]
    pub const fn is_deferred(self) -> bool {
        self.0 & Self::DEFERRED != 0
    }
}

impl Term {
    /// The term in which nobody has campaigned yet.
    pub const ZERO: Self = Self(0);

    /// The next term, or `None` at the end of the number range.
    #[must_use]
    pub const fn next(self) -> Option<Self> {
        match self.0.checked_add(1) {
            Some(term) => Some(Self(term)),
            None => None,
        }
    }
}

impl LogIndex {
    /// "Before the first entry".
    pub const ZERO: Self = Self(0);

    /// The following index. Saturates: no log reaches `u64::MAX` entries (`boot` and every append
    /// refuse indexes near it).
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }

    /// The preceding index, 0 for 0.
    #[must_use]
    pub const fn prev(self) -> Self {
        Self(self.0.saturating_sub(1))
    }

    /// This index moved up by `count` entries, saturating.
    #[must_use]
    pub const fn plus(self, count: u64) -> Self {
        Self(self.0.saturating_add(count))
    }

    /// How many entries lie above `below` up to and including this one; 0 if none.
    #[must_use]
    pub const fn since(self, below: Self) -> u64 {
        self.0.saturating_sub(below.0)
    }
}

/// The place of an entry: its term and its index.
///
/// The order is the thesis's "at least as up-to-date" (§3.6.1): by term, then by index.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct LogPosition {
    /// Term of the entry; 0 only together with index 0.
    pub term: Term,
    /// Index of the entry.
    pub index: LogIndex,
}

impl LogPosition {
    /// Before the first entry of an empty log.
    pub const ZERO: Self = Self { term: Term::ZERO, index: LogIndex::ZERO };

    /// The position of index `index` with term `term`.
    #[must_use]
    pub const fn new(term: Term, index: LogIndex) -> Self {
        Self { term, index }
    }
}

impl fmt::Display for LogPosition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.term, self.index)
    }
}

/// A moment on *this node's own* clock, in nanoseconds from an arbitrary origin.
///
/// Never compared between nodes. The clock must run during suspend.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(transparent))]
pub struct Instant(pub u64);

impl Instant {
    /// The moment `nanos` nanoseconds later, saturating at the end of time.
    #[must_use]
    pub const fn plus(self, nanos: u64) -> Self {
        Self(self.0.saturating_add(nanos))
    }

    /// Nanoseconds from `earlier` to here, 0 if `earlier` is later.
    #[must_use]
    pub const fn since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

/// Which unsafe recovery, if any, this group has been through. Messages of another epoch are
/// refused, so an old majority coming back cannot mix with the recovered group.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct RecoveryEpoch {
    /// How many recoveries came before.
    pub number: u64,
    /// Which operator's plan the last one was.
    pub plan_id: u64,
}

/// What a server is doing in its group's elections (thesis Fig. 3.3, with Pre-Vote of §9.6).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Role {
    /// Follows a leader, or waits for one.
    #[default]
    Follower,
    /// Asks whether an election would be worth it; its term has not moved.
    PreCandidate,
    /// Asks for votes in its own new term.
    Candidate,
    /// Leads its term.
    Leader,
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Follower => "Follower",
            Self::PreCandidate => "PreCandidate",
            Self::Candidate => "Candidate",
            Self::Leader => "Leader",
        })
    }
}

/// What a server is to its group.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Membership {
    /// No configuration is known here: an empty disk that waits for a bootstrap or a leader.
    #[default]
    Blank,
    /// Receives the log and does not count.
    Learner,
    /// Counts in elections and commits.
    Voter,
    /// Votes and acknowledges, holds no data, never leads.
    Witness,
    /// Knows that it was a member and is none any more.
    Removed,
}

impl fmt::Display for Membership {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Blank => "Blank",
            Self::Learner => "Learner",
            Self::Voter => "Voter",
            Self::Witness => "Witness",
            Self::Removed => "Removed",
        })
    }
}

/// Whether a server takes part at all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Lifecycle {
    /// It does.
    #[default]
    Running,
    /// Its disk lost what it had acknowledged: no votes, no acknowledgements, no campaign, until it
    /// is added again as a new incarnation.
    Quarantined,
    /// By an operator or unsupported data; durable.
    Disabled,
    /// Fail-stop, this boot only.
    Halted,
}

impl fmt::Display for Lifecycle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Running => "Running",
            Self::Quarantined => "Quarantined",
            Self::Disabled => "Disabled",
            Self::Halted => "Halted",
        })
    }
}
