//! The messages of the protocol and the envelope they travel in.
//!
//! **Intuition.** An envelope says who speaks to whom in which cluster, group, disk life and
//! epoch, and the sender's durable term; the message says the rest. Every message may be lost,
//! doubled, delayed without bound and reordered.
//! **Source.** Thesis Fig. 3.1 and §9.6; round ids and cumulative acknowledgements are ours
//! (a reply must name what it answers).
//! **Upholds.** `inv:persist-before-send` (what each claims is listed in docs/INVARIANTS.md).
//! **Not here.** Bytes on the wire; who handles what (`node.rs`).

use alloc::boxed::Box;

use crate::{
    log::Entries,
    snapshot::meta::SnapshotMeta,
    types::{
        BootId, ClusterId, GroupId, Incarnation, LogIndex, LogPosition, NodeId, RecoveryEpoch, Term,
    },
};

/// One message on its way.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Envelope {
    /// The cluster both belong to.
    pub cluster: ClusterId,
    /// The group on that cluster.
    pub group: GroupId,
    /// The recovery epoch the sender lives in.
    pub epoch: RecoveryEpoch,
    /// Sender.
    pub from: NodeId,
    /// The life of the sender's disk.
    pub from_incarnation: Incarnation,
    /// Receiver.
    pub to: NodeId,
    /// The life of the receiver's disk as the sender knows it; 0 if it does not.
    pub to_incarnation: Incarnation,
    /// The sender's current term, durable at the sender.
    pub term: Term,
    /// What is said.
    pub message: Message,
}

/// What is said.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum Message {
    /// Would you vote for me? Changes nothing at the receiver (§9.6).
    PreVote(PreVote),
    /// The answer to a [`PreVote`].
    PreVoteReply(PreVoteReply),
    /// Vote for me (§3.4).
    RequestVote(RequestVote),
    /// The answer to a [`RequestVote`].
    VoteReply(VoteReply),
    /// Entries, or none: then a heartbeat, a probe or a commit notice (§3.5).
    AppendEntries(AppendEntries),
    /// The answer to an [`AppendEntries`].
    AppendReply(AppendReply),
    /// Campaign at once (§3.10): the sender hands its leadership over.
    TimeoutNow(TimeoutNow),
    /// The target of a transfer will not campaign for it.
    TransferRefused(TransferRefused),
    /// A follower asks its leader which index a read must wait for (§6.4).
    ReadIndex(ReadIndex),
    /// The answer to a [`ReadIndex`].
    ReadIndexReply(ReadIndexReply),
    /// A snapshot without data, for members that keep none, or before the first entry.
    InstallMeta(InstallMeta),
    /// The receiver is not a member of the sender's committed configuration.
    NotMember(NotMember),
}

/// One round of asking for pre-votes; unique over restarts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct RoundId {
    /// The asker's boot.
    pub boot: BootId,
    /// Counts up within the boot.
    pub number: u64,
}

/// Would you vote for me?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct PreVote {
    /// Which round of asking.
    pub round: RoundId,
    /// The term an election would be held in: the sender's plus one.
    pub campaign_term: Term,
    /// The sender's last log position.
    pub last: LogPosition,
}

/// Whether the sender would vote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct PreVoteReply {
    /// The round answered.
    pub round: RoundId,
    /// Yes or no.
    pub granted: bool,
}

/// Vote for me in the envelope's term. Leaves when (term, vote for self) and the log position
/// stated are durable (B-001).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct RequestVote {
    /// The candidate's last log position.
    pub last: LogPosition,
    /// The leader's term that authorised this one campaign by a transfer: voters of exactly that
    /// term, one below the campaign's, skip the rule of the living leader.
    pub authorised_by: Option<Term>,
}

/// The vote in the envelope's term. A grant leaves when it is durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct VoteReply {
    /// Yes or no.
    pub granted: bool,
}

/// The log after `previous` continues with `entries`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct AppendEntries {
    /// The position right before the entries.
    pub previous: LogPosition,
    /// The entries; may be empty.
    pub entries: Entries,
    /// The leader's commit index.
    pub commit: LogIndex,
    /// The newest round of this reign; answered at once the first time it is seen.
    pub round: u64,
    /// Transfers of this reign up to this number are void: their `TimeoutNow` is to be ignored.
    pub void_transfer: u64,
}

/// What the sender now holds. Cumulative.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct AppendReply {
    /// The newest round of this term's leader seen.
    pub round: u64,
    /// Accepted, refused, or from an older term.
    pub result: AppendResult,
    /// For how long from receiving this round the sender will elect nobody else, in nanoseconds of
    /// its own clock; durable at the sender. 0 for no promise.
    pub promise_ns: u64,
    /// Highest index the sender's machine has applied; with [`AppendResult::NeedSnapshot`], what a
    /// snapshot must be above, 0 for any.
    pub applied: LogIndex,
}

/// Whether the log matched.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum AppendResult {
    /// The sender's log equals the leader's up to `matched`, durably there.
    Matched {
        /// Highest index verified by this term's leader and durable.
        matched: LogIndex,
    },
    /// There is no entry `previous` at the sender.
    Refused {
        /// Index of the position that was refused.
        previous: LogIndex,
        /// The highest position at the sender that may still match: index and term at most those
        /// refused.
        hint: LogPosition,
    },
    /// The sender's disk is empty and knows no configuration: only a snapshot helps.
    NeedSnapshot,
    /// The request was from an older term than the envelope's.
    #[default]
    StaleTerm,
}

/// Campaign at once, if your log ends exactly at `last` and you may lead.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct TimeoutNow {
    /// Which transfer of this reign, from 1.
    pub transfer: u64,
    /// Where the leader's log ends.
    pub last: LogPosition,
}

/// The transfer will not happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct TransferRefused {
    /// Which transfer.
    pub transfer: u64,
    /// Why.
    pub reason: TransferRefusal,
}

/// Why the target of a transfer does not campaign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum TransferRefusal {
    /// Its log does not end where the leader's does.
    LogDiffers,
    /// It is no data voter, or was told not to lead.
    Ineligible,
}

/// Which index must a read wait for?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct ReadIndex {
    /// The asker's boot and its count of such questions; all reads that arrived since share one.
    pub context: RoundId,
}

/// A read that waits for `index` is linearizable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct ReadIndexReply {
    /// The question answered.
    pub context: RoundId,
    /// The index; `None` if the leader cannot confirm (queue full, transfer).
    pub index: Option<LogIndex>,
}

/// Take this position, configuration and clock; there is no data to it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct InstallMeta {
    /// The snapshot's description.
    pub meta: Box<SnapshotMeta>,
    /// The newest round of this reign.
    pub round: u64,
}

/// You are not a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct NotMember {
    /// The sender's commit index.
    pub commit: LogIndex,
    /// The index of its committed configuration, in which the receiver is not.
    pub configuration_index: LogIndex,
}

impl Message {
    /// Whether it counts from a node that is no member here: its sender's configuration may be
    /// newer than ours (thesis §4.1).
    pub(crate) const fn may_come_from_strangers(&self) -> bool {
        match self {
            Self::PreVote(_)
            | Self::RequestVote(_)
            | Self::AppendEntries(_)
            | Self::InstallMeta(_)
            | Self::TimeoutNow(_)
            | Self::NotMember(_) => true,
            Self::PreVoteReply(_)
            | Self::VoteReply(_)
            | Self::AppendReply(_)
            | Self::TransferRefused(_)
            | Self::ReadIndex(_)
            | Self::ReadIndexReply(_) => false,
        }
    }

    /// How many kinds there are.
    pub const KINDS: usize = 12;

    /// Counts the kinds from 0, for counters.
    pub(crate) const fn kind(&self) -> usize {
        match self {
            Self::PreVote(_) => 0,
            Self::PreVoteReply(_) => 1,
            Self::RequestVote(_) => 2,
            Self::VoteReply(_) => 3,
            Self::AppendEntries(_) => 4,
            Self::AppendReply(_) => 5,
            Self::TimeoutNow(_) => 6,
            Self::TransferRefused(_) => 7,
            Self::ReadIndex(_) => 8,
            Self::ReadIndexReply(_) => 9,
            Self::InstallMeta(_) => 10,
            Self::NotMember(_) => 11,
        }
    }

    /// The names of all kinds, in the order of the counters.
    pub const NAMES: [&'static str; Self::KINDS] = [
        "PreVote",
        "PreVoteReply",
        "RequestVote",
        "VoteReply",
        "AppendEntries",
        "AppendReply",
        "TimeoutNow",
        "TransferRefused",
        "ReadIndex",
        "ReadIndexReply",
        "InstallMeta",
        "NotMember",
    ];

    /// Name for people and counters.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::PreVote(_) => "PreVote",
            Self::PreVoteReply(_) => "PreVoteReply",
            Self::RequestVote(_) => "RequestVote",
            Self::VoteReply(_) => "VoteReply",
            Self::AppendEntries(_) => "AppendEntries",
            Self::AppendReply(_) => "AppendReply",
            Self::TimeoutNow(_) => "TimeoutNow",
            Self::TransferRefused(_) => "TransferRefused",
            Self::ReadIndex(_) => "ReadIndex",
            Self::ReadIndexReply(_) => "ReadIndexReply",
            Self::InstallMeta(_) => "InstallMeta",
            Self::NotMember(_) => "NotMember",
        }
    }
}
