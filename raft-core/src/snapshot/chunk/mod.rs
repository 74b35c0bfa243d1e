//! Snapshots in chunks: a transfer that survives loss, disorder, corruption and restarts.
//!
//! **Intuition.** One side offers a snapshot by its description, the other says from which byte on
//! it wants it; then chunks flow, a few ahead of what is confirmed. Everything is confirmed as
//! "I hold all below this byte", so a lost or doubled message costs at most a repetition. Both
//! sides are plain values with their own `step`, `poll` and `deadline`, and know neither files nor
//! sockets. Whoever has a better transport does not need them.
//! **Source.** Thesis §5.1 with departure D7 of our list (a stream has an identity, replies carry
//! the next offset); B-054 (a late chunk opens a new transfer), B-097 (a part taken for the whole).
//! **Upholds.** `inv:bounded`, `inv:snapshot-agrees`.
//! **Not here.** When a snapshot is sent and whether it is wanted (the node).

pub(crate) mod digest;
pub(crate) mod receiver;
pub(crate) mod sender;

use alloc::boxed::Box;
use core::fmt;

use bytes::Bytes;

pub use digest::SnapshotDigest;
pub use receiver::{ChunkReceiver, Partial, ReceiverInput, ReceiverOutput};
pub use sender::{ChunkSender, SenderInput, SenderOutput};

use crate::{
    snapshot::meta::SnapshotMeta,
    types::{LogPosition, NodeId, Term},
};

/// Which transfer a message belongs to. A leader sends one snapshot at a position in a term.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct StreamId {
    /// The sender.
    pub leader: NodeId,
    /// The term it leads.
    pub term: Term,
    /// The snapshot's last entry.
    pub position: LogPosition,
}

/// What the two sides say to each other. Any of it may be lost, doubled, delayed or reordered.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum ChunkMessage {
    /// Sender: here is a snapshot. Answered by `Want`, `Done` or `Refuse`.
    Offer {
        /// Of which transfer.
        stream: StreamId,
        /// What it is.
        meta: Box<SnapshotMeta>,
    },
    /// Sender: a piece of it.
    Data {
        /// Of which transfer.
        stream: StreamId,
        /// Where it belongs.
        offset: u64,
        /// [`SnapshotDigest::of_chunk`] of the two.
        checksum: u64,
        /// The piece; never empty.
        bytes: Bytes,
    },
    /// Sender: no more will come.
    Cancel {
        /// Of which transfer.
        stream: StreamId,
    },
    /// Receiver: all below `offset` is here; go on from there.
    Want {
        /// Of which transfer.
        stream: StreamId,
        /// The receiver's start: within one, offsets only rise; in another all may be different.
        session: u64,
        /// The first byte that is missing.
        offset: u64,
    },
    /// Receiver: it is here as a whole, checked and durable, or no longer needed.
    Done {
        /// Of which transfer.
        stream: StreamId,
    },
    /// Receiver: not now, or never.
    Refuse {
        /// Of which transfer.
        stream: StreamId,
        /// Why.
        why: ChunkRefusal,
    },
}

/// Why a receiver does not take a transfer, or goes on with it no longer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum ChunkRefusal {
    /// Too much to do, or another snapshot is coming in; try again later.
    Overloaded,
    /// A newer term is known here.
    StaleTerm,
    /// Larger than the receiver takes.
    TooLarge,
    /// What arrived is not what was described, or could not be stored. It was thrown away.
    Broken,
    /// No such transfer is open here: offer it again.
    Unknown,
}

impl ChunkMessage {
    /// Which transfer it belongs to.
    #[must_use]
    pub const fn stream(&self) -> StreamId {
        match self {
            Self::Offer { stream, .. }
            | Self::Data { stream, .. }
            | Self::Cancel { stream }
            | Self::Want { stream, .. }
            | Self::Done { stream }
            | Self::Refuse { stream, .. } => *stream,
        }
    }
}

/// Limits of a transfer; both sides should have the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct ChunkOptions {
    /// Bytes of one chunk; the last may be shorter. Default 1 MiB.
    pub chunk_bytes: u32,
    /// Chunks on their way at once, read and not confirmed. Default 4.
    pub window: u32,
    /// Without news for this long the sender repeats what is not confirmed. Default 1 s.
    pub resend_ns: u64,
    /// Repetitions without news before the sender gives up. Default 10.
    pub resends_max: u32,
    /// Without a chunk for this long the receiver takes an offer of anybody else. Default 30 s.
    pub idle_ns: u64,
    /// Largest snapshot taken. Default 1 TiB.
    pub size_bytes_max: u64,
}

impl Default for ChunkOptions {
    fn default() -> Self {
        Self {
            chunk_bytes: 1 << 20,
            window: 4,
            resend_ns: 1_000_000_000,
            resends_max: 10,
            idle_ns: 30_000_000_000,
            size_bytes_max: 1 << 40,
        }
    }
}

/// Under a name of its own, or what is read would be borrowed for ever.
type LimitName = &'static str;

/// Reads the name of a limit back: one of those there are.
#[cfg(feature = "serde")]
fn limit_name<'de, D: serde::Deserializer<'de>>(from: D) -> Result<LimitName, D::Error> {
    crate::options::one_of(ChunkOptions::default().limits().map(|(name, _)| name), from)
}

/// A limit that makes no sense.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum ChunkOptionsError {
    /// The named limit must be above 0.
    Zero(#[cfg_attr(feature = "serde", serde(deserialize_with = "limit_name"))] LimitName),
}

impl fmt::Display for ChunkOptionsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Zero(name) => write!(f, "{name} must be above 0"),
        }
    }
}

impl core::error::Error for ChunkOptionsError {}

impl ChunkOptions {
    /// Every limit, by name.
    fn limits(&self) -> [(&'static str, u64); 6] {
        [
            ("chunk_bytes", u64::from(self.chunk_bytes)),
            ("window", u64::from(self.window)),
            ("resend_ns", self.resend_ns),
            ("resends_max", u64::from(self.resends_max)),
            ("idle_ns", self.idle_ns),
            ("size_bytes_max", self.size_bytes_max),
        ]
    }

    /// Checks the limits.
    ///
    /// # Errors
    /// The first that makes no sense.
    pub fn validate(&self) -> Result<(), ChunkOptionsError> {
        match self.limits().iter().find(|(_, value)| *value == 0) {
            Some((name, _)) => Err(ChunkOptionsError::Zero(name)),
            None => Ok(()),
        }
    }

    /// Bytes that may be under way.
    pub(crate) const fn window_bytes(&self) -> u64 {
        (self.chunk_bytes as u64).saturating_mul(self.window as u64)
    }
}
