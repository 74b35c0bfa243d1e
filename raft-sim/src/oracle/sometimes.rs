//! Marks: hard states a campaign must reach, or it has shown nothing.
//!
//! **Intuition.** A simulator that never splits a vote has not tested split votes, however many
//! runs were clean. Each mark is a state that some bug needs; a campaign counts in how many of its
//! runs each was reached, and is vacuous where one was within reach and never met.
//! **Source.** "Sometimes" assertions as in property-directed simulators; the catalogue follows
//! the situations in which thesis ch. 3, 6 and 9 argue.
//! **Upholds.** None: marks speak of the campaign, not of the system.
//! **Not here.** Noticing them (`watch.rs`), the gate (`tally.rs`), counting faults made
//! (`fault/`).

mod requests;
mod tally;
mod watch;

pub use tally::{GATE_RUNS, Missing, Tally};
pub(super) use watch::Sometimes;

use crate::fault::plan::Axis;

macro_rules! marks {
    ($($(#[$doc:meta])* $variant:ident => $name:literal),+ $(,)?) => {
        /// States worth reaching.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Mark { $($(#[$doc])* $variant),+ }
        impl Mark {
            /// All marks.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];
            /// Name in reports.
            #[must_use]
            pub const fn name(self) -> &'static str { match self { $(Self::$variant => $name),+ } }
        }
    };
}

marks! {
    /// Two candidates shared the votes of a term and nobody won it before the next one began.
    VoteSplit => "vote-split",
    /// Three nodes or more were candidates at the same time.
    ThreeCandidates => "three-candidates-at-once",
    /// A pre-candidate went back to following: its round was refused, or a leader was heard.
    PreVoteRefused => "pre-vote-refused",
    /// A leader gave up its role within its term, since it heard no quorum.
    CheckQuorumStepdown => "check-quorum-stepdown",
    /// Two nodes led at the same time, in different terms.
    TwoLeaders => "two-leaders-in-different-terms",
    /// A leader stepped down after a later term already had a leader.
    MinorityLeaderFenced => "minority-leader-fenced",
    /// A leader stepped down before an entry of its own term was committed.
    LeaderWithoutCommit => "leader-without-commit",
    /// A leader stepped down with entries that were not committed.
    LeaderDeposedWithTail => "leader-deposed-with-uncommitted-tail",
    /// A leader crashed.
    LeaderCrashed => "leader-crashed",
    /// A node removed entries from its log.
    FollowerTruncated => "follower-truncated",
    /// Among the removed entries some had become durable.
    DurableTailTruncated => "durable-tail-truncated",
    /// A leader moved a peer's next index back.
    AppendRefused => "append-refused",
    /// A majority held an entry of an earlier term, and the leader had to wait for its own.
    CommitBlockedByPriorTerm => "commit-blocked-by-prior-term",
    /// A leader committed what its own disk did not hold yet.
    CommitAheadOfDisk => "commit-ahead-of-leaders-disk",
    /// Writes completed out of order.
    AcksOutOfOrder => "acks-out-of-order",
    /// As many writes were open as a node allows.
    PersistWindowFull => "persist-window-full",
    /// A crash came after a write reached the disk and before anything could be sent on it.
    CrashBetweenPersistAndSend => "crash-between-persist-and-send",
    /// Power loss took writes.
    PowerLossLostWrites => "power-loss-lost-writes",
    /// Power loss took writes that had been acknowledged above a hole.
    AckAboveHoleLost => "acknowledged-write-above-hole-lost",
    /// A node started with entries that were not committed.
    RestartWithTail => "restart-with-uncommitted-tail",
    /// All voters were down at the same time.
    AllNodesDown => "all-nodes-down",
    /// Too few voters were up for a quorum, and later enough.
    QuorumLostAndRegained => "quorum-lost-and-regained",
    /// A node applied an entry again after a restart.
    ApplyReplayed => "apply-replayed-after-restart",
    /// A node read entries back from its disk.
    EntriesRead => "entries-read-for-catch-up",
    /// A copy of a message arrived when its receiver was in a later term.
    DuplicateCrossedTerms => "duplicate-crossed-terms",
    /// A message arrived after the boot that sent it was over.
    MessageOutlivedSender => "message-outlived-its-sender",
    /// A client gave up on a write that took effect.
    UnknownYetApplied => "op-unknown-yet-applied",
    /// A client gave up on a write that never took effect.
    UnknownNeverApplied => "op-unknown-never-applied",
    /// A proposal was accepted and then displaced for certain.
    ProposalSuperseded => "proposal-superseded",
    /// A read was accepted while commands below its index were not applied yet.
    ReadWaitedForApply => "read-waited-for-apply",
    /// A node gave up on a read it had accepted.
    ReadFailed => "read-failed-on-stepdown",
    /// A compare-and-set met another value.
    CasFailed => "cas-failed",
    /// A machine became a snapshot that came from another node.
    SnapshotInstalled => "snapshot-installed",
    /// A leader put other voters in force.
    VotersChanged => "voters-changed",
    /// A leader put a joint configuration in force.
    JointEntered => "joint-entered",
    /// A node was stopped and started with a newer protocol level.
    NodeUpgraded => "node-upgraded",
    /// A node was stopped and started with an older protocol level.
    NodeDowngraded => "node-downgraded",
    /// A node spoke an older version than its own to a peer that knows no newer one.
    VersionsMixed => "versions-mixed",
    /// A message was left unsent because its version has no words for it.
    MessageNotInVersion => "message-not-in-version",
    /// Two nodes took up the newest version with each other once all were upgraded.
    LevelRaised => "level-raised",
    /// A node went out of service at an entry that its level does not know.
    UnknownEntryStopped => "unknown-entry-stopped-a-node",
    /// A machine failed at a command.
    MachineFailed => "machine-failed",
    /// A node passed over an entry that the cluster agreed to skip.
    EntrySkipped => "entry-skipped",
    /// A node that had lost its disk votes again, as a new life.
    DiskReplaced => "lost-disk-replaced",
    /// A leader read by its lease while some voter was not bound to it.
    LeaseReadWithoutAll => "lease-read-without-all-voters",
    /// A leader read by its lease while a voter that is not bound to it was down.
    LeaseReadAfterCrash => "lease-read-with-a-voter-down",
    /// A follower answered a read that its leader had confirmed.
    FollowerRead => "follower-read-confirmed",
    /// A read went through the log.
    ReadThroughLog => "read-through-the-log",
    /// A local read was answered.
    LocalRead => "local-read-answered",
    /// A local read was refused: what was there was too old for its asker.
    StaleReadRefused => "stale-local-read-refused",
    /// A local read named the least index it may see.
    LocalReadNamedIndex => "local-read-named-an-index",
    /// A leader asked a peer to campaign at once.
    TransferAsked => "transfer-asked",
    /// A node came to lead because the leader before asked it to.
    LeadershipHandedOver => "leadership-handed-over",
    /// A transfer took the place of another.
    TransferReplaced => "transfer-replaced",
    /// A transfer was called off.
    TransferCancelled => "transfer-cancelled",
    /// A node campaigned in a term that an operator named.
    CampaignNamedTerm => "campaign-in-a-named-term",
    /// A leader stepped down on request.
    SteppedDown => "stepped-down-on-request",
    /// A node was told to follow nobody, and did.
    LeaderForgotten => "leader-forgotten",
    /// A node was told not to campaign.
    MayNotCampaign => "told-not-to-campaign",
    /// Leases were switched while the group was at work.
    LeaseSwitched => "leases-switched",
}

/// How many marks there are.
pub const MARKS: usize = Mark::ALL.len();

use Axis::{
    Clog, ClusterPowerLoss, Crash, Delay, DiskLatency, DiskReorder, Duplicate, Hold, Leadership,
    Loss, Membership, MixedVersions, Partition, Pause, Poison, PowerLoss, Replace, SlowNode,
    Snapshots,
};

/// Trouble that keeps nodes from hearing each other.
const APART: &[Axis] = &[Partition, Loss, Delay, Clog, Pause];
/// Trouble that deposes leaders.
const DEPOSES: &[Axis] = &[Partition, Loss, Delay, Clog, Pause, Crash, PowerLoss, ClusterPowerLoss];
/// Trouble that restarts nodes.
const RESTARTS: &[Axis] = &[Crash, PowerLoss, ClusterPowerLoss];
/// Trouble that loses power.
const POWER: &[Axis] = &[PowerLoss, ClusterPowerLoss];
/// Slow disks.
const SLOW: &[Axis] = &[DiskLatency, SlowNode];

/// A promise without which a mark is out of reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asks {
    /// Any system can reach it.
    Nothing,
    /// Pre-Vote and check-quorum.
    PartialPartitionProgress,
    /// Limits, stated and kept.
    Bounded,
    /// Old entries that leave memory.
    ReadsLogBack,
    /// Leaders that do not wait for their own disk.
    CommitsAheadOfDisk,
    /// What operators ask for.
    Operable,
}

impl Mark {
    /// The axes that bring it within reach: it is demanded of runs in which *any* of them is on,
    /// and of every run if there is none.
    #[must_use]
    pub const fn needs(self) -> &'static [Axis] {
        match self {
            Self::CasFailed
            | Self::FollowerRead
            | Self::ReadThroughLog
            | Self::LocalRead
            | Self::LocalReadNamedIndex => &[],
            Self::StaleReadRefused => APART,
            Self::LeaseReadAfterCrash => RESTARTS,
            Self::LeaseReadWithoutAll => DEPOSES,
            Self::TransferAsked
            | Self::LeadershipHandedOver
            | Self::TransferReplaced
            | Self::TransferCancelled
            | Self::CampaignNamedTerm
            | Self::SteppedDown
            | Self::LeaderForgotten
            | Self::MayNotCampaign
            | Self::LeaseSwitched => &[Leadership],
            Self::SnapshotInstalled => &[Snapshots],
            Self::VotersChanged | Self::JointEntered => &[Membership],
            Self::NodeUpgraded
            | Self::NodeDowngraded
            | Self::VersionsMixed
            | Self::MessageNotInVersion
            | Self::LevelRaised
            | Self::UnknownEntryStopped => &[MixedVersions],
            Self::MachineFailed | Self::EntrySkipped => &[Poison],
            Self::DiskReplaced => &[Replace],
            Self::VoteSplit
            | Self::ThreeCandidates
            | Self::LeaderWithoutCommit
            | Self::LeaderDeposedWithTail
            | Self::FollowerTruncated
            | Self::DurableTailTruncated
            | Self::AppendRefused
            | Self::CommitBlockedByPriorTerm
            | Self::UnknownYetApplied
            | Self::UnknownNeverApplied
            | Self::ProposalSuperseded
            | Self::ReadFailed => DEPOSES,
            Self::PreVoteRefused
            | Self::CheckQuorumStepdown
            | Self::TwoLeaders
            | Self::MinorityLeaderFenced => APART,
            Self::LeaderCrashed
            | Self::CrashBetweenPersistAndSend
            | Self::RestartWithTail
            | Self::QuorumLostAndRegained
            | Self::ApplyReplayed
            | Self::EntriesRead => RESTARTS,
            Self::CommitAheadOfDisk | Self::PersistWindowFull => SLOW,
            Self::ReadWaitedForApply => &[SlowNode, Partition, Crash, PowerLoss],
            Self::AcksOutOfOrder => &[DiskReorder],
            Self::PowerLossLostWrites => POWER,
            Self::AckAboveHoleLost => &[PowerLoss],
            Self::AllNodesDown => &[ClusterPowerLoss],
            Self::DuplicateCrossedTerms => &[Duplicate],
            Self::MessageOutlivedSender => &[Hold, Crash, PowerLoss, ClusterPowerLoss],
        }
    }

    /// Axes that must be on *besides* one of [`Mark::needs`]: all of them.
    #[must_use]
    pub const fn needs_all(self) -> &'static [Axis] {
        match self {
            Self::AckAboveHoleLost => &[DiskReorder],
            Self::UnknownEntryStopped => &[Poison],
            Self::LeaseReadAfterCrash | Self::LeaseReadWithoutAll => &[Leadership],
            _ => &[],
        }
    }

    /// Fewest voters with which it can be reached.
    #[must_use]
    pub const fn voters_min(self) -> u32 {
        match self {
            Self::CasFailed
            | Self::LeaderCrashed
            | Self::PowerLossLostWrites
            | Self::AllNodesDown
            | Self::ApplyReplayed
            | Self::AcksOutOfOrder
            | Self::PersistWindowFull
            | Self::NodeUpgraded
            | Self::NodeDowngraded
            | Self::MachineFailed
            | Self::EntrySkipped => 1,
            _ => 3,
        }
    }

    /// What the system must have promised.
    #[must_use]
    pub const fn asks(self) -> Asks {
        match self {
            Self::PreVoteRefused | Self::CheckQuorumStepdown => Asks::PartialPartitionProgress,
            Self::PersistWindowFull => Asks::Bounded,
            Self::EntriesRead => Asks::ReadsLogBack,
            Self::CommitAheadOfDisk => Asks::CommitsAheadOfDisk,
            Self::SnapshotInstalled
            | Self::VotersChanged
            | Self::JointEntered
            | Self::NodeUpgraded
            | Self::NodeDowngraded
            | Self::VersionsMixed
            | Self::MessageNotInVersion
            | Self::LevelRaised
            | Self::UnknownEntryStopped
            | Self::MachineFailed
            | Self::EntrySkipped
            | Self::DiskReplaced
            | Self::LeaseReadWithoutAll
            | Self::LeaseReadAfterCrash
            | Self::FollowerRead
            | Self::ReadThroughLog
            | Self::StaleReadRefused
            | Self::LocalRead
            | Self::LocalReadNamedIndex
            | Self::TransferAsked
            | Self::LeadershipHandedOver
            | Self::TransferReplaced
            | Self::TransferCancelled
            | Self::CampaignNamedTerm
            | Self::SteppedDown
            | Self::LeaderForgotten
            | Self::MayNotCampaign
            | Self::LeaseSwitched => Asks::Operable,
            _ => Asks::Nothing,
        }
    }

    /// Of a thousand runs that could reach it, how many must.
    #[must_use]
    pub const fn per_thousand(self) -> u64 {
        1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_catalogue_is_large_and_its_names_differ() {
        const { assert!(MARKS >= 24) };
        let mut names: Vec<_> = Mark::ALL.iter().map(|m| m.name()).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), MARKS);
    }
}
