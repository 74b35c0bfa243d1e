//! Outputs: work the node asks for.
//!
//! **Intuition.** Three kinds of work. *Lane W* (`Persist`) takes effect in the order handed out,
//! each all or nothing. *Lane A* (`Apply`, `RoleChanged`) is executed in order, one at a time.
//! Everything else has no order, may run in parallel, late, or never. Between lanes there is no
//! order either: whatever must come first was acknowledged before the output appeared.
//! **Source.** Ours, judged by the simulator; compare etcd/raft, whose driver must know the order.
//! **Upholds.** `inv:persist-before-send`, `inv:lane-order`.
//! **Not here.** When each is made (`settle.rs`).

use alloc::boxed::Box;

use crate::{
    admission::DeferredRefusal,
    config::Configuration,
    error::{HaltReason, OperationFailure, ReadFailure, UnknownReason},
    log::Entries,
    message::Envelope,
    note::Note,
    read::ReadLevel,
    snapshot::{SnapshotId, meta::SnapshotMeta},
    storage::{
        DisableReason, HardState,
        fetch::{FetchId, FetchPurpose},
        persist::PersistAck,
    },
    types::{
        Incarnation, Lifecycle, LogIndex, NodeId, OperationTicket, ReadTicket, Role, StageId, Term,
        Ticket,
    },
};

/// One piece of work.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum Output {
    /// Lane W. Make durable as one: cut the log, append, replace the hard state; then
    /// `Persisted(ack)`.
    Persist(Persist),
    /// Hand to the network. May be lost.
    Send(Box<Envelope>),
    /// Lane A. Apply to the machine in order; then `Applied(last index)`.
    Apply(Apply),
    /// Lane A. The node now has this role in this term.
    RoleChanged {
        /// Role.
        role: Role,
        /// Term.
        term: Term,
    },
    /// The read may be evaluated on any state at or above `index`.
    ReadReady {
        /// The read.
        ticket: ReadTicket,
        /// Lowest index that may answer it; of a local read, what is applied here now.
        index: LogIndex,
        /// This node's term now.
        term: Term,
        /// How it was confirmed.
        level: ReadLevel,
        /// Of a local read: nanoseconds since this node was last in touch with a working leader,
        /// `None` if it never was in this boot. 0 of all others.
        staleness_ns: Option<u64>,
    },
    /// The read ends without an answer.
    ReadFailed {
        /// The read.
        ticket: ReadTicket,
        /// Why.
        reason: ReadFailure,
    },
    /// `count` proposals from `first` on end without being applied here.
    Outcome {
        /// First ticket.
        first: Ticket,
        /// How many, at least 1.
        count: u64,
        /// How they end.
        outcome: Outcome,
    },
    /// A deferred proposal was appended: from now on it has this ticket. Comes before any end of
    /// it.
    Admitted {
        /// What `propose` gave.
        deferred: Ticket,
        /// What `Apply` or `Outcome` will name.
        ticket: Ticket,
        /// Where it stands in the log.
        index: LogIndex,
    },
    /// A change or transfer has ended.
    OperationEnded {
        /// Which.
        ticket: OperationTicket,
        /// Its index (of the final configuration, the settings, the skip; for a transfer the
        /// new leader's opening entry, or 0), or why not.
        result: Result<LogIndex, OperationFailure>,
    },
    /// Lane A. Capture the machine as it stands, which is exactly at `meta.index()`; write it in
    /// the background, make it durable, then `SnapshotTaken`.
    TakeSnapshot {
        /// Comes back with the result.
        id: SnapshotId,
        /// What it stands for; digest and size are the driver's to fill in.
        meta: Box<SnapshotMeta>,
    },
    /// Send the snapshot `meta` to a peer, by whatever transport; then `SnapshotSent` or
    /// `SnapshotSendFailed`.
    SendSnapshot(Box<SendSnapshot>),
    /// Lane A. Replace the machine by the snapshot that was published; then `Applied` of its
    /// index.
    InstallSnapshot(Box<SnapshotMeta>),
    /// The staged snapshot is not wanted; throw it away.
    DiscardSnapshot(StageId),
    /// Nothing at or below this index is needed any more; drop it from the log when convenient.
    CompactTo(LogIndex),
    /// Another configuration is in force, or the one in force became committed.
    ConfigChanged(Box<ConfigChanged>),
    /// Read entries of the durable log; then `EntriesRead` or `EntriesReadFailed`.
    ReadEntries(ReadEntries),
    /// This node is out of service, or back in it, and that is durable. Told once a change.
    LifecycleChanged {
        /// Whether it takes part.
        lifecycle: Lifecycle,
        /// Why not.
        reason: Option<DisableReason>,
    },
    /// Fail-stop: this boot is over. Nothing is sent or persisted after it.
    Halted(HaltReason),
    /// A reason, for traces; only with `Options::notes`.
    Note(Box<Note>),
}

/// A write of lane W.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Persist {
    /// Comes back in `Persisted`.
    pub ack: PersistAck,
    /// Entries to append after the cut.
    pub entries: Entries,
    pub(crate) extra: Option<Box<PersistExtra>>,
}

/// The rarer parts of a write; boxed so that the common output stays small.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct PersistExtra {
    pub(crate) hard_state: Option<HardState>,
    pub(crate) truncate_from: Option<LogIndex>,
    pub(crate) snapshot: Option<PublishSnapshot>,
}

/// The part of a write that publishes a snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct PublishSnapshot {
    /// Which staged snapshot; `None` if there is no data to it.
    pub stage: Option<StageId>,
    /// What it stands for.
    pub meta: SnapshotMeta,
    /// Whether the log above `meta.index()` stays; else the log is emptied and goes on there.
    pub keep_log: bool,
}

/// A snapshot to be sent to a peer.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct SendSnapshot {
    /// Comes back with the result.
    pub id: SnapshotId,
    /// To whom.
    pub to: NodeId,
    /// The life of its disk, as far as known.
    pub to_incarnation: Incarnation,
    /// The term it is sent in; the receiver reports it with `SnapshotReceived`.
    pub term: Term,
    /// Which snapshot: the newest this node has.
    pub meta: SnapshotMeta,
}

/// What is in force now.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct ConfigChanged {
    /// The configuration.
    pub configuration: Configuration,
    /// The index of its entry.
    pub index: LogIndex,
    /// Whether it is committed.
    pub committed: bool,
}

impl Persist {
    /// The snapshot to publish with this write: before the log's part of it.
    #[must_use]
    pub fn snapshot(&self) -> Option<&PublishSnapshot> {
        self.extra.as_ref()?.snapshot.as_ref()
    }

    /// The new hard state, if it changed.
    #[must_use]
    pub fn hard_state(&self) -> Option<&HardState> {
        self.extra.as_ref()?.hard_state.as_ref()
    }

    /// Remove this index and everything after it before appending.
    #[must_use]
    pub fn truncate_from(&self) -> Option<LogIndex> {
        self.extra.as_ref()?.truncate_from
    }
}

/// Committed and durable entries, contiguous from the last handed out.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Apply {
    /// The entries.
    pub entries: Entries,
    /// Ticket of the first entry if these were proposed here; the others count up from it. Their
    /// proposals end here, as successes. A term's opening no-op comes alone and without a ticket.
    pub first_ticket: Option<Ticket>,
    /// The group has agreed to pass over this one entry: the machine does not see it, and a
    /// proposal that ends here ends as skipped. `Applied` is reported as ever; a machine that keeps
    /// its own `applied` on disk must also keep which of the newest indexes it skipped, for
    /// [`crate::Boot::skipped`].
    pub skipped: bool,
}

/// A request for entries of the durable log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct ReadEntries {
    /// Comes back with the entries.
    pub id: FetchId,
    /// First index.
    pub first: LogIndex,
    /// Last index; a shorter non-empty prefix is enough.
    pub last: LogIndex,
    /// Stop after this many payload bytes; one entry always.
    pub bytes_max: u64,
    /// What for.
    pub purpose: FetchPurpose,
}

/// How a proposal ends that was not applied here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum Outcome {
    /// Another entry was committed at its index: it has no effect, ever.
    Superseded,
    /// It may have taken effect or may still.
    Unknown(UnknownReason),
    /// It was never appended and never will be.
    Refused(DeferredRefusal),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outputs_stay_small() {
        assert!(size_of::<Output>() <= 64, "{}", size_of::<Output>());
    }
}
