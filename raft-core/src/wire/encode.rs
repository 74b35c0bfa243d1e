//! From envelopes to a frame.
//!
//! **Intuition.** The frame is written in place behind whatever the buffer holds: room for the
//! header, then each envelope with its length in front, then the header is filled in. If anything
//! cannot be said, the buffer is as it was.
//! **Source.** Ours.
//! **Upholds.** `inv:bounded`.
//! **Not here.** Which version to speak (`version.rs`), the way back (`decode.rs`).

use alloc::vec::Vec;
use core::fmt;

use super::{
    entries::ENTRIES_MAX,
    frame::{Flags, HEADER_BYTES, Header, leave_room, seal},
    message,
    part::{Fields, fields},
    version::{NotInVersion, VERSION_MAX},
};
use crate::{
    message::{Envelope, Message},
    types::{ClusterId, GroupId, Incarnation, NodeId, RecoveryEpoch, Term},
};

/// What stands in front of every message.
pub(crate) struct Head {
    pub(crate) kind: u8,
    pub(crate) cluster: ClusterId,
    pub(crate) group: GroupId,
    pub(crate) epoch: RecoveryEpoch,
    pub(crate) from: NodeId,
    pub(crate) from_incarnation: Incarnation,
    pub(crate) to: NodeId,
    pub(crate) to_incarnation: Incarnation,
    pub(crate) term: Term,
}

fields!(Head {
    kind;
    cluster;
    group;
    epoch;
    from;
    from_incarnation;
    to;
    to_incarnation;
    term;
});

/// Why an envelope has no bytes. The buffer is as it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum EncodeError {
    /// The version cannot say it; see [`NotInVersion`] for why leaving it unsent is safe.
    NotInVersion(NotInVersion),
    /// This release does not write the version, or the sender claims to read less than it writes.
    Version {
        /// The version.
        version: u8,
        /// What the sender is to claim to read.
        speaks: u8,
    },
    /// A frame holds less than 4 GiB and a message at most [`ENTRIES_MAX`] entries. Lower
    /// `Options::append_bytes_max`, `append_entries_max` or `entry_bytes_max`.
    TooLarge,
    /// A batch ends without an envelope.
    Empty,
}

impl fmt::Display for EncodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotInVersion(what) => what.fmt(f),
            Self::Version { version, speaks } => {
                write!(f, "cannot write version {version} and claim to read {speaks}")
            }
            Self::TooLarge => f.write_str("message does not fit a frame; lower the append limits"),
            Self::Empty => f.write_str("batch holds no envelope"),
        }
    }
}

impl core::error::Error for EncodeError {}

impl From<NotInVersion> for EncodeError {
    fn from(what: NotInVersion) -> Self {
        Self::NotInVersion(what)
    }
}

/// Appends to `out` one frame with one envelope, in `version`, from a sender that reads up to
/// [`VERSION_MAX`]. [`super::Peers::encode`] also knows which version to speak.
///
/// # Errors
/// [`EncodeError`]; `out` is as it was.
pub fn encode(envelope: &Envelope, version: u8, out: &mut Vec<u8>) -> Result<(), EncodeError> {
    let mut batch = Batch::begin(version, VERSION_MAX, out)?;
    batch.push(envelope)?;
    batch.finish()
}

/// A frame in the making, for several envelopes between two nodes. Without
/// [`Batch::finish`] the buffer is as it was.
#[derive(Debug)]
pub struct Batch<'a> {
    out: &'a mut Vec<u8>,
    start: usize,
    version: u8,
    speaks: u8,
    envelopes: u32,
    finished: bool,
}

impl<'a> Batch<'a> {
    /// Begins behind what `out` holds, in `version`, from a sender that reads up to `speaks`.
    ///
    /// # Errors
    /// [`EncodeError::Version`] if this release cannot write that.
    pub fn begin(version: u8, speaks: u8, out: &'a mut Vec<u8>) -> Result<Self, EncodeError> {
        if version > VERSION_MAX || version > speaks {
            return Err(EncodeError::Version { version, speaks });
        }
        let start = out.len();
        leave_room(out);
        Ok(Self { out, start, version, speaks, envelopes: 0, finished: false })
    }

    /// Adds one envelope.
    ///
    /// # Errors
    /// [`EncodeError`]; the batch is as it was and may go on.
    pub fn push(&mut self, envelope: &Envelope) -> Result<(), EncodeError> {
        message::expressible(&envelope.message, self.version)?;
        let entries = match &envelope.message {
            Message::AppendEntries(append) => append.entries.len(),
            _ => 0,
        };
        let before = self.out.len();
        let fits = entries <= ENTRIES_MAX as u64 && {
            self.out.extend_from_slice(&[0; 4]);
            head(envelope).put(self.version, self.out);
            message::put(&envelope.message, self.version, self.out);
            u32::try_from(self.body_bytes()).is_ok()
        };
        if !fits {
            self.out.truncate(before);
            return Err(EncodeError::TooLarge);
        }
        let length = self.out.len().saturating_sub(before).saturating_sub(4);
        let length = u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes();
        for (to, from) in self.out.get_mut(before..).unwrap_or(&mut []).iter_mut().zip(length) {
            *to = from;
        }
        self.envelopes = self.envelopes.saturating_add(1);
        Ok(())
    }

    /// Bytes behind the header so far.
    #[must_use]
    pub fn body_bytes(&self) -> usize {
        self.out.len().saturating_sub(self.start).saturating_sub(HEADER_BYTES)
    }

    /// Fills in the header: the frame is complete.
    ///
    /// # Errors
    /// [`EncodeError::Empty`] if there is nothing in it; the buffer is as it was.
    pub fn finish(mut self) -> Result<(), EncodeError> {
        if self.envelopes == 0 {
            return Err(EncodeError::Empty);
        }
        self.finished = true;
        let header = self.header();
        seal(&header, self.start, self.out);
        Ok(())
    }

    fn header(&self) -> Header {
        Header {
            version: self.version,
            speaks: self.speaks,
            flags: Flags::default(),
            // `push` lets no body outgrow it.
            body_bytes: u32::try_from(self.body_bytes()).unwrap_or(u32::MAX),
            envelopes: self.envelopes,
        }
    }
}

impl Drop for Batch<'_> {
    fn drop(&mut self) {
        if !self.finished {
            self.out.truncate(self.start);
        }
    }
}

const fn head(envelope: &Envelope) -> Head {
    Head {
        kind: message::kind(&envelope.message),
        cluster: envelope.cluster,
        group: envelope.group,
        epoch: envelope.epoch,
        from: envelope.from,
        from_incarnation: envelope.from_incarnation,
        to: envelope.to,
        to_incarnation: envelope.to_incarnation,
        term: envelope.term,
    }
}

/// Names of fields, each with its bytes, in the order of the wire.
pub type Explained = Vec<(&'static str, Vec<u8>)>;

/// The fields of `envelope` in `version`: what stands behind the header and the envelope's length.
/// For documents and debugging.
///
/// # Errors
/// [`EncodeError`] as [`encode`].
pub fn explain(envelope: &Envelope, version: u8) -> Result<Explained, EncodeError> {
    message::expressible(&envelope.message, version)?;
    let mut out = Vec::new();
    let mut visit = |name: &'static str, bytes: &[u8]| out.push((name, bytes.to_vec()));
    head(envelope).each(version, &mut visit);
    message::each(&envelope.message, version, &mut visit);
    Ok(out)
}
