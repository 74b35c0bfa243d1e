//! Refusals, one enum an operation, and the reasons to stop for good.
//!
//! **Intuition.** Three families, never mixed. *Refused*: nothing changed, the caller learns why
//! and what to do. *Halted*: a promise the core depends on was broken, and going on could lose
//! data, so the node stops for this boot. *Bug*: an assertion about our own state.
//! **Source.** Ours; definite refusals must never reach the log (D-W3, B-103).
//! **Upholds.** `inv:nothing-lost`.
//! **Not here.** Boot refusals (`storage/recover.rs`), options (`options.rs`).

use core::fmt;

use crate::{
    admission::Priority,
    lifecycle::skip::ApplyFailure,
    message::TransferRefusal,
    read::lease::NoLease,
    storage::DisableReason,
    types::{LogIndex, NodeId, Term},
};

/// Why `step` refused an input. Nothing changed but a counter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum Rejected {
    /// This boot is over; only a restart from disk helps.
    Halted,
    /// Not the leader; ask [`crate::Node::leader_hint`].
    NotLeader,
    /// An election is under way; no leader to name.
    ElectionInProgress,
    /// The payload is larger than `Options::entry_bytes_max`.
    TooLarge,
    /// `Options::proposals_max` accepted proposals are not yet applied, or `Options::deferred_max`
    /// of low priority.
    QueueFull,
    /// The tail is full of entries that are not yet durable, or the driver said that its store
    /// takes no more (`Capacity`).
    CommitStalled,
    /// `Options::reads_max` reads are open.
    ReadQueueFull,
    /// The envelope is of another cluster.
    WrongCluster,
    /// The envelope is of another group.
    WrongGroup,
    /// The envelope is of another recovery epoch.
    WrongEpoch,
    /// The envelope is for, or from, another life of a disk.
    WrongIncarnation,
    /// The envelope is for another node.
    NotForUs,
    /// The sender is not in the configuration, or claims to be this node.
    UnknownSender,
    /// A reply from an older term, or an answer to something no longer asked.
    Stale,
    /// A vote request while a leader is alive (thesis §4.2.3).
    LeaderAlive,
    /// The message contradicts itself, the protocol, or the number range.
    Malformed,
    /// The acknowledgement is of another store, node or boot.
    ForeignAck,
    /// `Applied` or `ApplyFailed` names an index that was never handed out, or at which the machine
    /// stands still.
    AppliedTooFar,
    /// The disk is empty and belongs to no group, or this node was removed from it.
    NotInGroup,
    /// The node is disabled; see `Status::disabled`.
    Disabled,
    /// The node's disk lost acknowledged data; it must be added again as a new incarnation.
    Quarantined,
    /// Leadership is being handed over; ask the target.
    Transferring,
    /// Too much is committed and not applied: the machine is behind.
    ApplyQueueFull,
    /// The machine failed at an entry; only a skip of it helps.
    ApplyHalted,
    /// The request's deadline is not in the future.
    DeadlinePassed,
    /// This node holds no data to read.
    NoData,
    /// The index asked for is far above everything known here.
    IndexTooFarAhead,
    /// No lease: not enabled, not yet earned, or a transfer may still be under way.
    LeaseUnavailable,
    /// The change of configuration is not legal now; `Node::change` says why.
    ChangeRefused,
    /// The transfer is not possible now; `Node::transfer` says why.
    TransferRefused,
    /// This node may not campaign, or forget its leader, now; `Node::campaign` and
    /// `Node::forget_leader` say why.
    CampaignRefused,
    /// A promise given to the leader still holds.
    LeaseHeld,
    /// The disk is not empty, or the configuration is not one; `Node::bootstrap` says why.
    BootstrapRefused,
    /// The recovery plan does not fit this node; `Node::unsafe_recover` says why.
    RecoveryRefused,
    /// Already disabled, or already enabled.
    LifecycleRefused,
    /// The entry cannot be skipped now; `Node::skip_entry` says why.
    SkipRefused,
    /// The snapshot report names nothing that is open.
    StaleSnapshot,
    /// The snapshot is of another machine than `Options::machine_id`.
    WrongMachine,
    /// No snapshot can be taken now; `Node::take_snapshot` says why.
    SnapshotRefused,
}

impl Rejected {
    /// All reasons, in the order of the status counters.
    pub const ALL: &'static [Self] = &[
        Self::Halted,
        Self::NotLeader,
        Self::ElectionInProgress,
        Self::TooLarge,
        Self::QueueFull,
        Self::CommitStalled,
        Self::ReadQueueFull,
        Self::WrongCluster,
        Self::WrongGroup,
        Self::WrongEpoch,
        Self::WrongIncarnation,
        Self::NotForUs,
        Self::UnknownSender,
        Self::Stale,
        Self::LeaderAlive,
        Self::Malformed,
        Self::ForeignAck,
        Self::AppliedTooFar,
        Self::NotInGroup,
        Self::Disabled,
        Self::Quarantined,
        Self::Transferring,
        Self::ApplyQueueFull,
        Self::ApplyHalted,
        Self::DeadlinePassed,
        Self::NoData,
        Self::IndexTooFarAhead,
        Self::LeaseUnavailable,
        Self::ChangeRefused,
        Self::TransferRefused,
        Self::CampaignRefused,
        Self::LeaseHeld,
        Self::BootstrapRefused,
        Self::RecoveryRefused,
        Self::LifecycleRefused,
        Self::SkipRefused,
        Self::StaleSnapshot,
        Self::WrongMachine,
        Self::SnapshotRefused,
    ];
    /// How many reasons there are.
    pub const COUNT: usize = Self::ALL.len();

    /// A short stable name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Halted => "halted",
            Self::NotLeader => "not-leader",
            Self::ElectionInProgress => "election-in-progress",
            Self::TooLarge => "too-large",
            Self::QueueFull => "queue-full",
            Self::CommitStalled => "commit-stalled",
            Self::ReadQueueFull => "read-queue-full",
            Self::WrongCluster => "wrong-cluster",
            Self::WrongGroup => "wrong-group",
            Self::WrongEpoch => "wrong-epoch",
            Self::WrongIncarnation => "wrong-incarnation",
            Self::NotForUs => "not-for-us",
            Self::UnknownSender => "unknown-sender",
            Self::Stale => "stale",
            Self::LeaderAlive => "leader-alive",
            Self::Malformed => "malformed",
            Self::ForeignAck => "foreign-ack",
            Self::AppliedTooFar => "applied-too-far",
            Self::NotInGroup => "not-in-group",
            Self::Disabled => "disabled",
            Self::Quarantined => "quarantined",
            Self::Transferring => "transferring",
            Self::ApplyQueueFull => "apply-queue-full",
            Self::ApplyHalted => "apply-halted",
            Self::DeadlinePassed => "deadline-passed",
            Self::NoData => "no-data",
            Self::IndexTooFarAhead => "index-too-far-ahead",
            Self::LeaseUnavailable => "lease-unavailable",
            Self::ChangeRefused => "change-refused",
            Self::TransferRefused => "transfer-refused",
            Self::CampaignRefused => "campaign-refused",
            Self::LeaseHeld => "lease-held",
            Self::BootstrapRefused => "bootstrap-refused",
            Self::RecoveryRefused => "recovery-refused",
            Self::LifecycleRefused => "lifecycle-refused",
            Self::SkipRefused => "skip-refused",
            Self::StaleSnapshot => "stale-snapshot",
            Self::WrongMachine => "wrong-machine",
            Self::SnapshotRefused => "snapshot-refused",
        }
    }
}

impl fmt::Display for Rejected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl core::error::Error for Rejected {}

/// One reason with two causes, and the caller cannot tell them apart: so the text names both.
pub(crate) const STORE_STALLED: &str =
    "the store takes no more now: too much is not yet durable, or its driver called it full";

/// Why a proposal was refused. Definite: nothing was appended, now or later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum ProposeError {
    /// Ask the node hinted at, or any other.
    NotLeader {
        /// Who leads, as this node believes.
        hint: Option<NodeId>,
    },
    /// Try again after an election timeout.
    ElectionInProgress {
        /// The term of the election.
        term: Term,
    },
    /// Ask another node: this one belongs to no group, or does not any more.
    NotInGroup,
    /// Ask another node: this one is out of service.
    Disabled {
        /// Why, if it is not on its way back already.
        reason: Option<DisableReason>,
    },
    /// Ask another node: this one's disk lost data.
    Quarantined,
    /// Ask the target, or try again here after an election timeout.
    Transferring {
        /// To whom leadership is being handed over.
        to: Option<NodeId>,
    },
    /// Wait until an operator has skipped the entry.
    ApplyHalted {
        /// Where this node's machine failed.
        at: Option<ApplyFailure>,
    },
    /// Wait for the machine: too much is committed and not applied.
    ApplyQueueFull {
        /// How many entries.
        entries: u64,
        /// How many payload bytes.
        bytes: u64,
    },
    /// Split the command.
    TooLarge {
        /// `Options::entry_bytes_max`.
        max: u64,
    },
    /// Wait for earlier proposals of this priority to be applied.
    QueueFull {
        /// Which queue.
        priority: Priority,
    },
    /// Wait for the store: too much is not yet durable, or its driver said that it takes no more
    /// (`Input::Capacity`).
    CommitStalled,
    /// The deadline given is not in the future.
    DeadlinePassed,
    /// Restart the node from disk.
    Halted,
}

impl fmt::Display for ProposeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotLeader { hint: Some(node) } => write!(f, "not the leader, try {node}"),
            Self::NotLeader { hint: None } => f.write_str("not the leader, and none is known"),
            Self::ElectionInProgress { term } => {
                write!(f, "an election is under way in term {term}")
            }
            Self::NotInGroup => f.write_str("this node belongs to no group; ask another"),
            Self::Disabled { reason: Some(reason) } => write!(f, "disabled: {reason}"),
            Self::Disabled { reason: None } => f.write_str("disabled; ask another node"),
            Self::Quarantined => f.write_str("this node's disk lost data; ask another"),
            Self::Transferring { to: Some(to) } => write!(f, "leadership goes to {to}"),
            Self::Transferring { to: None } => f.write_str("leadership is being handed over"),
            Self::ApplyHalted { at: Some(at) } => {
                write!(f, "the machine failed at entry {}; an operator must skip it", at.index)
            }
            Self::ApplyHalted { at: None } => f.write_str("the machine failed at an entry"),
            Self::ApplyQueueFull { entries, bytes } => {
                write!(f, "the machine is behind by {entries} entries, {bytes} bytes")
            }
            Self::TooLarge { max } => write!(f, "payload over the limit of {max} bytes"),
            Self::QueueFull { priority: Priority::High } => {
                f.write_str("too many proposals wait to be applied")
            }
            Self::QueueFull { priority: Priority::Low } => {
                f.write_str("too many proposals of low priority wait")
            }
            Self::CommitStalled => f.write_str(STORE_STALLED),
            Self::DeadlinePassed => f.write_str("the deadline is not in the future"),
            Self::Halted => f.write_str("the node has halted; restart it from disk"),
        }
    }
}

impl core::error::Error for ProposeError {}

/// Why a read was refused. Reads have no effect, so this is always definite.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum ReadError {
    /// Ask the node hinted at, or any other.
    NotLeader {
        /// Who leads, as this node believes.
        hint: Option<NodeId>,
    },
    /// Try again after an election timeout.
    ElectionInProgress {
        /// The term of the election.
        term: Term,
    },
    /// Leadership is being handed over; ask the target, or try again here.
    Transferring {
        /// To whom.
        to: Option<NodeId>,
    },
    /// Wait for earlier reads.
    QueueFull,
    /// Wait for the machine: too much is committed and not applied.
    ApplyQueueFull {
        /// How many entries.
        entries: u64,
        /// How many payload bytes.
        bytes: u64,
    },
    /// A read through the log needs a place in it, and the store takes no more: too much is not yet
    /// durable, or its driver said so (`Input::Capacity`).
    CommitStalled,
    /// No lease now; choose another level.
    LeaseUnavailable(NoLease),
    /// The least index asked for is far above everything known here; ask a node that is less
    /// behind.
    IndexTooFarAhead {
        /// The last index of the log here.
        last: LogIndex,
    },
    /// The deadline is not in the future.
    DeadlinePassed,
    /// This node holds no data; ask another.
    NoData,
    /// This node was removed from its group; ask another.
    NotInGroup,
    /// Ask another node: this one is out of service.
    Disabled {
        /// Why, if it is not on its way back already.
        reason: Option<DisableReason>,
    },
    /// The node's disk lost data; ask another.
    Quarantined,
    /// Ask another node, or wait until an operator has skipped the entry.
    ApplyHalted {
        /// Where this node's machine failed.
        at: Option<ApplyFailure>,
    },
    /// Restart the node from disk.
    Halted,
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotLeader { hint: Some(node) } => write!(f, "not the leader, try {node}"),
            Self::NotLeader { hint: None } => f.write_str("not the leader, and none is known"),
            Self::ElectionInProgress { term } => {
                write!(f, "an election is under way in term {term}")
            }
            Self::Transferring { to: Some(to) } => write!(f, "leadership goes to {to}"),
            Self::Transferring { to: None } => f.write_str("leadership is being handed over"),
            Self::QueueFull => f.write_str("too many reads are open"),
            Self::ApplyQueueFull { entries, bytes } => {
                write!(f, "the machine is behind by {entries} entries, {bytes} bytes")
            }
            Self::CommitStalled => f.write_str(STORE_STALLED),
            Self::LeaseUnavailable(why) => write!(f, "no lease: {why}"),
            Self::IndexTooFarAhead { last } => {
                write!(f, "the index is too far above {last}, the last one here")
            }
            Self::DeadlinePassed => f.write_str("the deadline is not in the future"),
            Self::NoData => f.write_str("this node holds no data"),
            Self::NotInGroup => f.write_str("this node belongs to no group"),
            Self::Disabled { reason: Some(reason) } => write!(f, "disabled: {reason}"),
            Self::Disabled { reason: None } => f.write_str("disabled; ask another node"),
            Self::Quarantined => f.write_str("this node's disk lost data"),
            Self::ApplyHalted { at: Some(at) } => {
                write!(f, "the machine failed at entry {}; an operator must skip it", at.index)
            }
            Self::ApplyHalted { at: None } => f.write_str("the machine failed at an entry"),
            Self::Halted => f.write_str("the node has halted; restart it from disk"),
        }
    }
}

impl core::error::Error for ReadError {}

/// Why a node stopped for this boot. Restart it from disk; if it halts again, its storage is not
/// what it promised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum HaltReason {
    /// A write failed after it was handed out.
    PersistFailed,
    /// An acknowledgement for a write that was never handed out.
    AckNeverIssued,
    /// The store could not give back what it acknowledged.
    ReadBroken,
    /// The store gave back entries that differ from what was written.
    ReadMismatch {
        /// Where they differ.
        index: LogIndex,
    },
    /// The current leader's log conflicts with a committed entry here.
    CommittedConflict {
        /// Where.
        index: LogIndex,
    },
    /// A configuration, settings or skip entry cannot be read; going on without it would fork the
    /// group.
    UnreadableEntry {
        /// Where.
        index: LogIndex,
    },
    /// A member that is to hold data found a witness's stub in its log that boot was not told of.
    StubWithoutData {
        /// Where.
        index: LogIndex,
    },
    /// The group has agreed to skip the entry at which this node's machine failed. Not a fault of
    /// the disk: throw the machine's state away, make it anew from the newest snapshot, and boot
    /// with `Boot::applied` at that snapshot.
    SkipDecided {
        /// The entry.
        index: LogIndex,
    },
    /// The log holds more terms than `Options::term_runs_max` allows.
    TooManyTerms,
    /// Term or index reached the end of the number range.
    NumberRange,
    /// The driver asked for it.
    Shutdown,
}

impl fmt::Display for HaltReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PersistFailed => f.write_str("a write failed after it was handed out"),
            Self::AckNeverIssued => {
                f.write_str("a write was acknowledged that was never handed out")
            }
            Self::ReadBroken => f.write_str("the store cannot give back what it acknowledged"),
            Self::ReadMismatch { index } => {
                write!(f, "the store gave back another entry at {index} than was written")
            }
            Self::CommittedConflict { index } => {
                write!(f, "the leader's log conflicts with the committed entry at {index}")
            }
            Self::SkipDecided { index } => {
                write!(f, "entry {index} is skipped: make the machine anew from its snapshot")
            }
            Self::UnreadableEntry { index } => {
                write!(f, "entry {index} is a mark of the core's that cannot be read")
            }
            Self::StubWithoutData { index } => {
                write!(f, "entry {index} is a stub without data, and `Boot::stubs` is below it")
            }
            Self::TooManyTerms => f.write_str("the log holds too many terms"),
            Self::NumberRange => f.write_str("term or index reached the end of its range"),
            Self::Shutdown => f.write_str("shut down"),
        }
    }
}

/// Why a proposal that was accepted ended without being applied here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum UnknownReason {
    /// Leadership was lost and nothing decided the entry in time.
    LeadershipLost,
    /// A snapshot from a leader covers its index.
    CoveredBySnapshot,
    /// The node halted.
    Halted,
    /// The node was shut down.
    Shutdown,
}

/// Why an accepted read ended without an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum ReadFailure {
    /// Leadership was lost, or at a follower its leader; ask the new one.
    LeadershipLost,
    /// Leadership is being handed over; ask the target, or try again here.
    Transferring {
        /// To whom.
        to: NodeId,
    },
    /// The leader could not confirm it now (it hands its leadership over); try again.
    NotConfirmed,
    /// It was not ready by its deadline.
    DeadlinePassed,
    /// The node halted or was shut down.
    Halted,
}

/// Why an accepted change or transfer did not end in success.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum OperationFailure {
    /// Another entry was committed at its index: it has no effect, ever.
    Superseded,
    /// It may have taken effect or may still.
    Unknown(UnknownReason),
    /// The target of the transfer refused. This node still leads.
    Refused(TransferRefusal),
    /// The transfer took too long. This node still leads.
    TimedOut,
    /// The transfer was cancelled, or replaced by another. This node still leads.
    Cancelled,
    /// A later change took back what this one had begun: the learner that was to be promoted is no
    /// member any more, or there is no room for its vote.
    Overruled,
}
