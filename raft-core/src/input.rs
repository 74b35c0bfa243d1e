//! Inputs: facts that happened, told to the node one at a time.
//!
//! **Intuition.** A run is the list of `step(now, input)` and settles; replaying the list replays
//! the node. Nothing else reaches it.
//! **Source.** Ours.
//! **Upholds.** `inv:pure`.
//! **Not here.** What the node does with them (`node.rs`).

use alloc::boxed::Box;

use bytes::Bytes;

use crate::{
    admission::{Capacity, Proposal},
    config::change::ConfigChange,
    lifecycle::{bootstrap::Bootstrap, recovery::RecoveryPlan},
    log::Entries,
    message::Envelope,
    read::ReadRequest,
    snapshot::{SnapshotId, receive::ReceivedSnapshot, send::SendFailure, take::SnapshotTaken},
    storage::{
        DisableReason,
        fetch::{FetchFailure, FetchId},
        persist::PersistAck,
    },
    transfer::TransferRequest,
    types::{LogIndex, NodeId, OperationTicket, ReadTicket, Term, Ticket},
};

/// A fact.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum Input {
    /// Time has passed. Due at [`crate::Node::deadline`] at the latest; early ticks are harmless.
    Tick,
    /// A message arrived.
    Receive(Box<Envelope>),
    /// A client wants this command in the log.
    Propose(Bytes),
    /// A client wants to read the machine, linearizably (thesis §6.4).
    Read,
    /// This write is durable. Any order; once is enough.
    Persisted(PersistAck),
    /// This write failed. The node halts: what is on disk is no longer known.
    PersistFailed(PersistAck),
    /// The machine has applied everything up to and including this index. Cumulative.
    Applied(LogIndex),
    /// Entries asked for with `ReadEntries`: a non-empty prefix of the range.
    EntriesRead {
        /// The request.
        id: FetchId,
        /// What was read.
        entries: Entries,
    },
    /// The entries could not be read.
    EntriesReadFailed {
        /// The request.
        id: FetchId,
        /// Why.
        failure: FetchFailure,
    },
    /// An operator asks the leader to step down. It campaigns again after the longest timeout.
    StepDown,
    /// A client wants this command in the log, and says more about it than its bytes.
    ProposeWith(Box<Proposal>),
    /// A client wants to read at a chosen level.
    ReadWith(ReadRequest),
    /// An operator asks for another configuration or other settings.
    ChangeConfig(Box<ConfigChange>),
    /// An operator asks the leader to hand its leadership over.
    TransferLeader(TransferRequest),
    /// The transfer under way is no longer wanted.
    CancelTransfer,
    /// Campaign now, in a term of at least this.
    Campaign {
        /// 0 for the next one.
        min_term: Term,
    },
    /// Follow nobody until a leader is heard again.
    ForgetLeader,
    /// Election priority (0 to 10) and whether this node may lead, from now on.
    SetEligibility {
        /// 0 never campaigns.
        priority: u8,
        /// A leader that may no longer lead hands over, then steps down.
        can_lead: bool,
    },
    /// Found a group on this empty disk.
    Bootstrap(Box<Bootstrap>),
    /// Somebody wants a snapshot of this node's machine now, whatever the policy says.
    TakeSnapshot,
    /// The snapshot asked for with `TakeSnapshot` is durable.
    SnapshotTaken(SnapshotTaken),
    /// It could not be taken; the core asks again later.
    SnapshotFailed(SnapshotId),
    /// The transport has delivered the snapshot asked for with `SendSnapshot`.
    SnapshotSent(SnapshotId),
    /// It could not.
    SnapshotSendFailed {
        /// The request.
        id: SnapshotId,
        /// Why.
        failure: SendFailure,
    },
    /// A snapshot from a leader is staged here: whole, checked and durable.
    SnapshotReceived(Box<ReceivedSnapshot>),
    /// The transport knows that this peer cannot be reached.
    Unreachable(NodeId),
    /// What the store can take from now on.
    Capacity(Capacity),
    /// The machine failed while applying this index: everything before it was applied, nothing
    /// after it. The node goes on voting and replicating, and refuses reads and proposals.
    ApplyFailed(LogIndex),
    /// Pass over the entry at which this leader's machine failed, everywhere.
    SkipEntry {
        /// Where the machine stands still.
        index: LogIndex,
        /// [`crate::Entry::digest`] of the entry that was looked at.
        digest: u64,
    },
    /// Take this node out of service, durably. Only an operator's reason is taken.
    Disable(DisableReason),
    /// Put it back.
    Enable,
    /// An operator accepts to lose data: this node goes on with the survivors of the plan.
    UnsafeRecover(Box<RecoveryPlan>),
    /// A survivor joins a recovery that was carried out at another node.
    AcceptRecovery(Box<RecoveryPlan>),
    /// The process is about to end: every open ticket and read ends now, nothing follows.
    Shutdown,
}

/// Which parts of a node's visible state a step changed; observers stay incremental.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Changed(pub u16);

impl Changed {
    /// Term.
    pub const TERM: Self = Self(1);
    /// Vote.
    pub const VOTE: Self = Self(1 << 1);
    /// Role or known leader.
    pub const ROLE: Self = Self(1 << 2);
    /// Entries were appended or removed.
    pub const LOG: Self = Self(1 << 3);
    /// What is durable.
    pub const DURABLE: Self = Self(1 << 4);
    /// Commit index.
    pub const COMMIT: Self = Self(1 << 5);
    /// Applied index.
    pub const APPLIED: Self = Self(1 << 6);
    /// Progress of a peer.
    pub const PROGRESS: Self = Self(1 << 7);
    /// The node halted, or is disabled, enabled or quarantined.
    pub const LIFECYCLE: Self = Self(1 << 8);
    /// The configuration in force, or which one is committed.
    pub const CONFIGURATION: Self = Self(1 << 9);
    /// The snapshot the log stands on.
    pub const SNAPSHOT: Self = Self(1 << 10);

    /// Whether any bit of `other` is set.
    #[must_use]
    pub const fn any(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    pub(crate) const fn set(&mut self, other: Self) {
        self.0 |= other.0;
    }
}

/// What a step minted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Issued {
    /// Nothing.
    #[default]
    Nothing,
    /// The ticket of a proposal.
    Proposal(Ticket),
    /// The ticket of a read.
    Read(ReadTicket),
    /// A proposal that is not appended yet ([`Ticket::is_deferred`]): `Output::Admitted` names its ticket when it is,
    /// `Outcome` ends it if it never will be.
    Deferred(Ticket),
    /// The ticket of a change or transfer.
    Operation(OperationTicket),
    /// The group is as the change wants it already; the index of its configuration.
    Unchanged(LogIndex),
}

/// What an accepted step did, and the settle before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Accepted {
    /// What may have changed.
    pub changed: Changed,
    /// The lowest index written or removed, if the log changed; else 0.
    pub log_from: LogIndex,
    /// The ticket, for `Propose` and `Read`.
    pub issued: Issued,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inputs_stay_small() {
        assert!(size_of::<Input>() <= 64, "{}", size_of::<Input>());
        assert!(size_of::<Accepted>() <= 32);
        assert!(size_of::<crate::Rejected>() <= 16);
    }
}
