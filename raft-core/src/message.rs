//! The messages of the protocol and the envelope they travel in.
//!
//! **Intuition.** An envelope says who speaks to whom in which cluster, group, disk life and
//! epoch, and the sender's durable term; the message says the rest. Every message may be lost,
//! doubled, delayed without bound and reordered.
//! **Source.** Thesis Fig. 3.1 and §9.6; round ids and cumulative acknowledgements are ours
//! (a reply must name what it answers).
//! **Upholds.** `inv:persist-before-send` (what each claims is listed in docs/INVARIANTS.md).
//! **Not here.** Bytes on the wire; who handles what (`node.rs`).

use crate::{
    log::Entries,
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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct RequestVote {
    /// The candidate's last log position.
    pub last: LogPosition,
}

/// The vote in the envelope's term. A grant leaves when it is durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct VoteReply {
    /// Yes or no.
    pub granted: bool,
}

/// The log after `previous` continues with `entries`.
#[derive(Clone, Debug, PartialEq, Eq)]
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
}

/// What the sender now holds. Cumulative.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct AppendReply {
    /// The newest round of this term's leader seen.
    pub round: u64,
    /// Accepted, refused, or from an older term.
    pub result: AppendResult,
}

/// Whether the log matched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
    /// The request was from an older term than the envelope's.
    StaleTerm,
}

impl Message {
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
        }
    }
}
