//! Planted bugs of the naive system, as data.
//!
//! **Intuition.** A checker that never fired has shown nothing. Each variant breaks exactly one
//! rule of the protocol or of the contract with the host; the test of each oracle runs the system
//! with its bug and must see that oracle speak, and runs it without and must see silence.
//! **Source.** Mutants and defects listed in docs/HAZARDS.md.
//! **Upholds.** Nothing, on purpose: each names the invariant it breaks first.
//! **Not here.** The rules themselves (the other files of this folder).

use crate::oracle::OracleId;

macro_rules! bugs {
    ($($(#[$doc:meta])* $variant:ident => $name:literal, $breaks:expr;)+) => {
        /// One planted bug.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum Bug { $($(#[$doc])* $variant),+ }

        impl Bug {
            /// Every bug, `None` first.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// Name of the system that has this bug.
            #[must_use]
            pub const fn system(self) -> &'static str {
                match self { $(Self::$variant => $name),+ }
            }

            /// The naive system with this bug.
            #[must_use]
            pub fn as_system(self) -> crate::system::System {
                crate::system::System::variant::<super::Naive>(self.system(), self as u8)
            }

            /// The invariant that this bug breaks first; `None` for the bug-free system.
            #[must_use]
            pub const fn breaks(self) -> Option<OracleId> {
                match self { $(Self::$variant => $breaks),+ }
            }

        }

        /// Every naive system: the bug-free one first, then one for each bug.
        #[must_use]
        pub fn systems() -> Vec<crate::system::System> {
            Bug::ALL.iter().map(|bug| bug.as_system()).collect()
        }
    };
}

bugs! {
    /// No bug.
    None => "naive", None;
    /// After a restart a node that had led its term leads on without asking anyone.
    ReignResumed => "naive+reign-resumed", Some(OracleId::ElectionSafety);
    /// A candidate that hears of the winner forgets whom it voted for.
    VoteCleared => "naive+vote-cleared", Some(OracleId::OneVotePerTerm);
    /// Half of the voters count as a majority.
    HalfIsMajority => "naive+half-is-majority", Some(OracleId::LeaderHoldsDurableQuorum);
    /// A candidate counts its own vote before it is durable.
    SelfVoteEarly => "naive+self-vote-early", Some(OracleId::LeaderHoldsDurableQuorum);
    /// A follower takes over the leader's commit index even when it is lower than its own.
    CommitRegress => "naive+commit-regress", Some(OracleId::Monotone);
    /// A leader takes over a follower's match even when it is older.
    MatchAssigned => "naive+match-assigned", Some(OracleId::Monotone);
    /// A leader cuts its own log back to a follower that refused an append.
    LeaderTruncates => "naive+leader-truncates", Some(OracleId::LeaderAppendOnly);
    /// A follower does not compare the term of the entry before the new ones.
    PrevCheckSkipped => "naive+prev-check-skipped", Some(OracleId::LogMatching);
    /// A voter does not compare logs.
    VoteWithoutLog => "naive+vote-without-log", Some(OracleId::LeaderCompleteness);
    /// A leader writes no entry of its own at first, and commits older ones by counting copies.
    OldTermCommit => "naive+old-term-commit", Some(OracleId::LeaderCompleteness);
    /// A follower's commit is bounded by its last entry, verified or not.
    CommitByLast => "naive+commit-by-last", Some(OracleId::CommittedImmutable);
    /// A stale append cuts off what came after it.
    TruncateOnStale => "naive+truncate-on-stale", Some(OracleId::CommittedImmutable);
    /// A leader counts its own entries before they are durable.
    OwnMatchEarly => "naive+own-match-early", Some(OracleId::CommittedDurable);
    /// A granted vote leaves before it is durable.
    VoteBeforeFsync => "naive+vote-before-fsync", Some(OracleId::PersistBeforeSend);
    /// RequestVote leaves before the candidate's own vote is durable.
    RequestBeforeFsync => "naive+request-before-fsync", Some(OracleId::PersistBeforeSend);
    /// An append is acknowledged before it is durable.
    AckBeforeFsync => "naive+ack-before-fsync", Some(OracleId::PersistBeforeSend);
    /// The vote is not written to disk at all.
    VoteNotWritten => "naive+vote-not-written", Some(OracleId::PersistBeforeSend);
    /// A leader hands out what is durable at home, committed or not.
    ApplyEarly => "naive+apply-early", Some(OracleId::ApplyOnceInOrder);
    /// A deposed leader hands out its last applied entry once more.
    ApplyAgain => "naive+apply-again", Some(OracleId::ApplyOnceInOrder);
    /// A follower skips an entry when it has many to apply.
    ApplySkips => "naive+apply-skips", Some(OracleId::ApplyOnceInOrder);
    /// Reads are served by whoever believes to lead, without asking.
    ReadWithoutRound => "naive+read-without-round", Some(OracleId::ReadFreshness);
    /// Reads are served before the leader committed anything in its own term.
    ReadBeforeOwnTerm => "naive+read-before-own-term", Some(OracleId::ReadFreshness);
    /// The window of appends in flight is not looked at.
    WindowIgnored => "naive+window-ignored", Some(OracleId::Bounded);
    /// A proposal that was cut off and applied later is ended twice.
    TicketTwice => "naive+ticket-twice", Some(OracleId::LaneOrder);
    /// The entry at the end of a large write is handed out in a write of its own, before the rest.
    WritesSwapped => "naive+writes-swapped", Some(OracleId::LaneOrder);
    /// Election timeouts depend on a counter shared by the whole process.
    HiddenCounter => "naive+hidden-counter", Some(OracleId::Pure);
    /// The last follower, once it has refused an append, is never sent another.
    ProbeStuck => "naive+probe-stuck", Some(OracleId::Converges);
    /// A follower that has ever heard a leader refuses all candidates for ever.
    StickyForEver => "naive+sticky-for-ever", Some(OracleId::Live);
    /// A candidate that lost keeps waiting and never tries again.
    CandidateGivesUp => "naive+candidate-gives-up", Some(OracleId::Live);
    /// A leader that steps down tells clients their open proposals had no effect.
    RefusedThoughOpen => "naive+refused-though-open", Some(OracleId::NothingLost);
    /// The node panics when it takes its twentieth entry of its own.
    Panics => "naive+panics", None;
    /// One command in sixteen is garbled by the leader before it is replicated.
    CommandGarbled => "naive+command-garbled", Some(OracleId::Linearizable);
    /// A leader that is asked for any change goes on with itself as the only voter.
    VotersDropped => "naive+voters-dropped", Some(OracleId::ConfigurationSafety);
    /// A leader that is asked for any change removes another voter and counts it all the same.
    RemovedVoterCounts => "naive+removed-voter-counts", Some(OracleId::OnlyVotersCount);
    /// A lease is counted from the arrival of the answers instead of from what they answer.
    LeaseFromArrival => "naive+lease-from-arrival", Some(OracleId::LeaseBound);
    /// A voter listens to candidates whatever it promised to a leader.
    PromiseBroken => "naive+promise-broken", Some(OracleId::LeaseBound);
    /// A snapshot states a later term than that of the entry it ends with.
    SnapshotMisdated => "naive+snapshot-misdated", Some(OracleId::SnapshotAgrees);
}
