//! Why bytes are no message.
//!
//! **Intuition.** Whoever reads the error should know which bytes to look at and whose mistake it
//! was, so it names the layer, the field and the offset.
//! **Source.** Ours.
//! **Upholds.** `inv:bounded`.
//! **Not here.** Frames (`frame.rs`), records (`record.rs`).

use core::fmt;

use super::{cursor::CursorError, frame::FrameError, part::PartError, version::NotInVersion};

/// Why bytes are no message. Nothing of them was believed; the sender sends again whatever still
/// matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum DecodeError {
    /// They are no frame.
    Frame(FrameError),
    /// The frame is whole and in a version that this node does not read. The sender's next frame
    /// will not be, once it has heard from this node.
    Version {
        /// The version.
        found: u8,
        /// The newest its sender reads.
        speaks: u8,
    },
    /// The frame carries flags that this release does not understand.
    Flags {
        /// Those.
        unknown: u16,
    },
    /// A message of a kind that no version known here has.
    UnknownMessage {
        /// Its number.
        kind: u8,
        /// Offset in the frame.
        at: usize,
    },
    /// The frame holds what its own version does not have.
    NotInVersion(NotInVersion),
    /// A field has no meaning.
    Field {
        /// The message and its field.
        part: &'static str,
        /// Offset in the frame.
        at: usize,
        /// What is wrong with it.
        fault: CursorError,
    },
}

impl DecodeError {
    /// What a counter of refusals tells apart.
    #[must_use]
    pub const fn refusal(&self) -> Refusal {
        match self {
            Self::Frame(FrameError::Checksum) => Refusal::Checksum,
            Self::Frame(_) => Refusal::Frame,
            Self::Version { .. } => Refusal::Version,
            Self::Flags { .. } => Refusal::Flags,
            Self::UnknownMessage { .. } => Refusal::UnknownMessage,
            Self::NotInVersion(_) => Refusal::NotInVersion,
            Self::Field { .. } => Refusal::Field,
        }
    }

    /// Whether the length in the header cannot be trusted either, so that whoever reads frames
    /// from a stream no longer knows where the next one begins.
    #[must_use]
    pub const fn loses_the_stream(&self) -> bool {
        matches!(self, Self::Frame(_))
    }
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Frame(error) => write!(f, "frame: {error}"),
            Self::Version { found, speaks } => {
                write!(
                    f,
                    "frame is in version {found} of a sender that reads {speaks}; send an older one"
                )
            }
            Self::Flags { unknown } => write!(f, "frame has unknown flags {unknown:#06x}"),
            Self::UnknownMessage { kind, at } => {
                write!(f, "message kind {kind} at byte {at} is not known")
            }
            Self::NotInVersion(what) => write!(f, "frame contradicts its version: {what}"),
            Self::Field { part, at, fault } => write!(f, "{part} at byte {at}: {fault}"),
        }
    }
}

impl core::error::Error for DecodeError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Frame(error) => Some(error),
            Self::NotInVersion(what) => Some(what),
            Self::Field { fault, .. } => Some(fault),
            Self::Version { .. } | Self::Flags { .. } | Self::UnknownMessage { .. } => None,
        }
    }
}

impl From<FrameError> for DecodeError {
    fn from(error: FrameError) -> Self {
        Self::Frame(error)
    }
}

impl From<PartError> for DecodeError {
    fn from(PartError { part, at, fault }: PartError) -> Self {
        Self::Field { part, at, fault }
    }
}

impl From<NotInVersion> for DecodeError {
    fn from(what: NotInVersion) -> Self {
        Self::NotInVersion(what)
    }
}

/// The reasons a frame is refused for, as counters tell them apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum Refusal {
    /// No frame, not a whole one, or too long.
    Frame,
    /// Damaged on the way.
    Checksum,
    /// A version not spoken here.
    Version,
    /// Flags not understood here.
    Flags,
    /// A message kind not known here.
    UnknownMessage,
    /// Something the frame's version does not have.
    NotInVersion,
    /// A field without meaning.
    Field,
}

impl Refusal {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Frame,
        Self::Checksum,
        Self::Version,
        Self::Flags,
        Self::UnknownMessage,
        Self::NotInVersion,
        Self::Field,
    ];
}
