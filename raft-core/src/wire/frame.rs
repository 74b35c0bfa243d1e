//! The frame: a header that is the same in every version, and the bytes it vouches for.
//!
//! **Intuition.** Before anything is believed, a frame is whole, within bounds and undamaged. The
//! header says how long it is, which version the rest is in and which the sender could read; its
//! layout never changes, so a frame of any future version can be measured, checked and refused by
//! name.
//! **Source.** Ours; B-036 (damage on the way is stored and served as good).
//! **Upholds.** `inv:bounded`.
//! **Not here.** What the body means (`decode.rs`).

use alloc::vec::Vec;
use core::fmt;

use super::checksum::checksum;

/// How every frame begins.
pub const MAGIC: [u8; 4] = *b"raft";
/// Bytes of the header.
pub const HEADER_BYTES: usize = 24;

/// Flags of the header. Every bit is reserved: 0 in all versions so far, and a frame with an
/// unknown bit is refused, because the bit may change what the rest means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Flags(pub u16);

impl Flags {
    /// Reserved: the sender's groups may fall silent together.
    pub const QUIESCENCE: Self = Self(1);
    /// Reserved: quorums for electing and committing differ in size.
    pub const FLEXIBLE_QUORUMS: Self = Self(1 << 1);
    /// Reserved: the commit index is told for several groups at once.
    pub const GROUP_COMMIT: Self = Self(1 << 2);
    /// What this release understands.
    pub const KNOWN: Self = Self(0);
}

/// A frame's header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Header {
    /// The version of the body.
    pub version: u8,
    /// The newest version the sender reads; at least `version`.
    pub speaks: u8,
    /// Flags.
    pub flags: Flags,
    /// Bytes behind the header.
    pub body_bytes: u32,
    /// Envelopes in the body; at least 1.
    pub envelopes: u32,
}

/// Why bytes are no frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum FrameError {
    /// They do not begin like one.
    Magic,
    /// They end before the header or the body does.
    Short {
        /// Bytes there must be.
        needed: usize,
        /// Bytes there are.
        found: usize,
    },
    /// Something stands behind the frame.
    Trailing {
        /// Bytes of the frame.
        frame: usize,
        /// Bytes there are.
        found: usize,
    },
    /// The body is longer than the receiver takes.
    TooLong {
        /// Bytes of the body.
        body: u32,
        /// The limit.
        max: u32,
    },
    /// The checksum does not fit: damaged on the way.
    Checksum,
    /// The sender writes a version that it says it cannot read.
    Versions {
        /// What it writes.
        version: u8,
        /// What it reads.
        speaks: u8,
    },
}

impl fmt::Display for FrameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Magic => f.write_str("the bytes do not begin like a frame"),
            Self::Short { needed, found } => write!(f, "frame needs {needed} bytes, {found} given"),
            Self::Trailing { frame, found } => {
                write!(f, "frame has {frame} bytes, {found} given")
            }
            Self::TooLong { body, max } => write!(f, "body of {body} bytes, the limit is {max}"),
            Self::Checksum => f.write_str("checksum does not fit: the frame was damaged"),
            Self::Versions { version, speaks } => {
                write!(f, "frame is in version {version} of a sender that reads only {speaks}")
            }
        }
    }
}

impl core::error::Error for FrameError {}

impl Header {
    /// Reads a header and believes nothing: the checksum is not looked at.
    fn parse(bytes: &[u8; HEADER_BYTES]) -> Result<(Self, u64), FrameError> {
        let [a, b, c, d, version, speaks, f0, f1, l0, l1, l2, l3, n0, n1, n2, n3, sum @ ..] =
            *bytes;
        if [a, b, c, d] != MAGIC {
            return Err(FrameError::Magic);
        }
        let header = Self {
            version,
            speaks,
            flags: Flags(u16::from_le_bytes([f0, f1])),
            body_bytes: u32::from_le_bytes([l0, l1, l2, l3]),
            envelopes: u32::from_le_bytes([n0, n1, n2, n3]),
        };
        Ok((header, u64::from_le_bytes(sum)))
    }

    /// The first sixteen bytes.
    fn head(&self) -> [u8; 16] {
        let [a, b, c, d] = MAGIC;
        let [f0, f1] = self.flags.0.to_le_bytes();
        let [l0, l1, l2, l3] = self.body_bytes.to_le_bytes();
        let [n0, n1, n2, n3] = self.envelopes.to_le_bytes();
        [a, b, c, d, self.version, self.speaks, f0, f1, l0, l1, l2, l3, n0, n1, n2, n3]
    }

    fn sum(&self, body: &[u8]) -> u64 {
        let head = self.head();
        let words = head.as_chunks::<8>().0;
        let mut both = [0; 2];
        for (to, from) in both.iter_mut().zip(words) {
            *to = u64::from_le_bytes(*from);
        }
        checksum(both, body)
    }

    /// Bytes of header and body.
    #[must_use]
    pub const fn frame_bytes(&self) -> usize {
        HEADER_BYTES.saturating_add(self.body_bytes as usize)
    }
}

/// How many bytes the frame at the start of `stream` has, for cutting a stream into frames;
/// `None` if more bytes must come before it can be said. Look before reading on: a body over
/// `body_bytes_max` is refused here, before anybody makes room for it.
///
/// # Errors
/// [`FrameError::Magic`] or [`FrameError::TooLong`]: the stream is lost, close the connection.
pub fn frame_bytes(stream: &[u8], body_bytes_max: u32) -> Result<Option<usize>, FrameError> {
    let Some(bytes) = stream.first_chunk() else {
        let seen = stream.iter().zip(MAGIC).all(|(found, wanted)| *found == wanted);
        return if seen { Ok(None) } else { Err(FrameError::Magic) };
    };
    let (header, _) = Header::parse(bytes)?;
    if header.body_bytes > body_bytes_max {
        return Err(FrameError::TooLong { body: header.body_bytes, max: body_bytes_max });
    }
    Ok(Some(header.frame_bytes()))
}

/// Judges one whole frame: its length, bounds and checksum.
pub(crate) fn judge_frame(frame: &[u8], body_bytes_max: u32) -> Result<Header, FrameError> {
    let found = frame.len();
    let Some((head, body)) = frame.split_first_chunk() else {
        frame_bytes(frame, body_bytes_max)?;
        return Err(FrameError::Short { needed: HEADER_BYTES, found });
    };
    let (header, sum) = Header::parse(head)?;
    if header.body_bytes > body_bytes_max {
        return Err(FrameError::TooLong { body: header.body_bytes, max: body_bytes_max });
    }
    let needed = header.frame_bytes();
    if found < needed {
        return Err(FrameError::Short { needed, found });
    }
    if found > needed {
        return Err(FrameError::Trailing { frame: needed, found });
    }
    if header.sum(body) != sum {
        return Err(FrameError::Checksum);
    }
    if header.speaks < header.version {
        return Err(FrameError::Versions { version: header.version, speaks: header.speaks });
    }
    Ok(header)
}

/// Writes the header of a frame that begins at `start` of `out`, where its room was left.
pub(crate) fn seal(header: &Header, start: usize, out: &mut [u8]) {
    let Some((room, body)) = out.get_mut(start..).and_then(<[u8]>::split_first_chunk_mut) else {
        return;
    };
    let room: &mut [u8; HEADER_BYTES] = room;
    let sum = header.sum(body).to_le_bytes();
    for (to, from) in room.iter_mut().zip(header.head().into_iter().chain(sum)) {
        *to = from;
    }
}

/// Puts the checksum of a frame right after a change to it, as somebody does who forges frames.
/// Only for tests of what stands behind the checksum; bytes too short for a frame stay as they are.
pub fn reseal(frame: &mut [u8]) {
    let header = frame.first_chunk().map(Header::parse);
    if let Some(Ok((header, _))) = header {
        seal(&header, 0, frame);
    }
}

/// Leaves room for a header.
pub(crate) fn leave_room(out: &mut Vec<u8>) {
    out.extend_from_slice(&[0; HEADER_BYTES]);
}
