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
    log::Entries,
    message::Envelope,
    storage::{
        fetch::{FetchFailure, FetchId},
        persist::PersistAck,
    },
    types::{LogIndex, ReadTicket, Ticket},
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
    /// The node halted.
    pub const LIFECYCLE: Self = Self(1 << 8);

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
}

/// What an accepted step did.
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
