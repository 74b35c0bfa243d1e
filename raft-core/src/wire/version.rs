//! Versions: which of them two nodes speak to each other.
//!
//! **Intuition.** Every frame says the newest version its sender could read. A node speaks to each
//! peer the newest version that both can read, and the oldest of all until it has heard anything.
//! Whatever goes wrong (a frame from before an upgrade arrives late, a peer went back to an older
//! release) costs frames that are refused and counted, as if the network had lost them, until the
//! peer's next frame puts it right. A peer that has gone back may be one that never speaks unasked,
//! a learner say; so every third frame to a silent peer is in the oldest version.
//! **Source.** S-08; upgrades one node at a time, ours.
//! **Upholds.** `inv:bounded`.
//! **Not here.** What a version has (`message.rs`), levels of entry kinds (`log/entry.rs`).

use alloc::vec::Vec;
use core::fmt;

use bytes::Bytes;

use super::{
    decode::{self, Decoded, Limits},
    encode::{Batch, EncodeError},
    error::{DecodeError, Refusal},
};
use crate::{message::Envelope, types::NodeId};

/// The oldest version there is; every node reads it.
pub const VERSION_MIN: u8 = 0;
/// The newest version this release reads and writes. Equal to [`crate::Options::LEVEL_MAX`].
pub const VERSION_MAX: u8 = 1;

/// A message cannot be said in a version. Nothing was written; leaving it unsent is the same as
/// losing it, which every message survives. The peer gets it once it is upgraded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum NotInVersion {
    /// The version has no such message.
    Message {
        /// Its number.
        kind: u8,
        /// The version.
        version: u8,
    },
    /// An entry is of a kind that the version does not have; leaving it out would fork the log.
    Entry {
        /// The entry.
        index: crate::types::LogIndex,
        /// Its kind.
        kind: u8,
        /// The version.
        version: u8,
    },
}

impl fmt::Display for NotInVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Message { kind, version } => {
                write!(f, "version {version} has no message of kind {kind}; upgrade the peer")
            }
            Self::Entry { index, kind, version } => {
                write!(
                    f,
                    "version {version} has no entry kind {kind} (entry {index}); upgrade the peer"
                )
            }
        }
    }
}

impl core::error::Error for NotInVersion {}

/// The versions two nodes share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Versions {
    own_max: u8,
    theirs: Option<u8>,
}

impl Versions {
    /// A peer that was never heard, seen by a node that reads up to `own_max` (at most
    /// [`VERSION_MAX`]; more is taken as that).
    #[must_use]
    pub const fn new(own_max: u8) -> Self {
        let own_max = if own_max > VERSION_MAX { VERSION_MAX } else { own_max };
        Self { own_max, theirs: None }
    }

    /// The version to speak to the peer.
    #[must_use]
    pub const fn speak(self) -> u8 {
        match self.theirs {
            None => VERSION_MIN,
            Some(theirs) if theirs < self.own_max => theirs,
            Some(_) => self.own_max,
        }
    }

    /// Takes note of the newest version a frame of the peer says it reads. The last word counts,
    /// downwards too.
    pub const fn learn(&mut self, speaks: u8) {
        self.theirs = Some(speaks);
    }
}

/// What is known about one peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
struct Known {
    peer: NodeId,
    /// The newest version it said it reads.
    speaks: u8,
    /// Frames begun for it since it was heard.
    unanswered: u32,
}

/// What each peer speaks, as a plain value; with it a driver encodes and decodes.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Peers {
    own_max: u8,
    limits: Limits,
    /// Ascending.
    known: Vec<Known>,
    refused: Vec<u64>,
}

impl Peers {
    /// Most peers remembered. To any further one the oldest version is spoken.
    pub const MAX: usize = 4_096;
    /// After this many frames to a peer without one from it, every third is in [`VERSION_MIN`].
    pub const PATIENCE: u32 = 8;

    /// Nobody was heard yet; this node reads and writes up to `own_max`, which is
    /// [`crate::Options::level`] (at most [`VERSION_MAX`]; more is taken as that).
    #[must_use]
    pub fn new(own_max: u8) -> Self {
        let own_max = own_max.min(VERSION_MAX);
        Self { own_max, limits: Limits::default(), known: Vec::new(), refused: Vec::new() }
    }

    /// The same with other limits on what is decoded.
    #[must_use]
    pub const fn with_limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// What is shared with `peer`.
    #[must_use]
    pub fn versions(&self, peer: NodeId) -> Versions {
        let mut versions = Versions::new(self.own_max);
        if let Ok(at) = self.known.binary_search_by_key(&peer, |known| known.peer)
            && let Some(known) = self.known.get(at)
        {
            versions.learn(known.speaks);
        }
        versions
    }

    /// The version of the next frame to `peer`, which is counted.
    fn next_version(&mut self, peer: NodeId) -> u8 {
        let shared = self.versions(peer).speak();
        let found = self.known.binary_search_by_key(&peer, |known| known.peer);
        let Some(known) = found.ok().and_then(|at| self.known.get_mut(at)) else { return shared };
        known.unanswered = known.unanswered.saturating_add(1);
        // Not all of them: an entry that the oldest version lacks must get through as well.
        if known.unanswered > Self::PATIENCE && known.unanswered.is_multiple_of(3) {
            VERSION_MIN
        } else {
            shared
        }
    }

    /// Takes note of what a frame of `peer` says it reads. [`Peers::decode`] does it by itself;
    /// this is for a frame that was refused and whose sender is known from the connection.
    pub fn learn(&mut self, peer: NodeId, speaks: u8) {
        let heard = Known { peer, speaks, unanswered: 0 };
        match self.known.binary_search_by_key(&peer, |known| known.peer) {
            Ok(at) => {
                if let Some(known) = self.known.get_mut(at) {
                    *known = heard;
                }
            }
            Err(at) if self.known.len() < Self::MAX => self.known.insert(at, heard),
            Err(_) => {}
        }
    }

    /// Forgets `peer`, which left or whose connection ended.
    pub fn forget(&mut self, peer: NodeId) {
        self.known.retain(|known| known.peer != peer);
    }

    /// Appends a frame with `envelope` in the version shared with its receiver.
    ///
    /// # Errors
    /// [`EncodeError`]: nothing was appended; the message counts as lost.
    pub fn encode(&mut self, envelope: &Envelope, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        let mut batch = self.batch(envelope.to, out)?;
        batch.push(envelope)?;
        batch.finish()
    }

    /// Begins a frame for `peer` that may hold several envelopes, of several groups too.
    ///
    /// # Errors
    /// None today; the version is always one this node speaks.
    pub fn batch<'a>(
        &mut self,
        peer: NodeId,
        out: &'a mut Vec<u8>,
    ) -> Result<Batch<'a>, EncodeError> {
        Batch::begin(self.next_version(peer), self.own_max, out)
    }

    /// Reads a frame, learns from it and counts a refusal.
    ///
    /// # Errors
    /// [`DecodeError`] names what is wrong and where. Drop the frame; after an error of the stream
    /// ([`DecodeError::loses_the_stream`]) close the connection.
    pub fn decode(&mut self, frame: Bytes) -> Result<Decoded, DecodeError> {
        match decode::decode_as(frame, self.own_max, &self.limits) {
            Ok(decoded) => {
                self.learn(decoded.envelope.from, decoded.speaks);
                Ok(decoded)
            }
            Err(error) => {
                self.refused.resize(Refusal::ALL.len(), 0);
                if let Some(count) = self.refused.get_mut(error.refusal() as usize) {
                    *count = count.saturating_add(1);
                }
                Err(error)
            }
        }
    }

    /// How many frames were refused, by reason; reasons that never came up are left out.
    pub fn refused(&self) -> impl Iterator<Item = (Refusal, u64)> + '_ {
        let counts = Refusal::ALL.into_iter().zip(self.refused.iter().copied());
        counts.filter(|(_, count)| *count > 0)
    }
}
