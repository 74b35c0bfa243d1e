//! From a frame to envelopes.
//!
//! **Intuition.** First the frame is judged, then its parts. Every count is held against the bytes
//! that are left before anything is allocated for it, so the worst frame costs a small multiple of
//! its own length. What is accepted has exactly one spelling in its version; only a sender of a
//! newer release may have said more than we understand, at the end of a message.
//! **Source.** S-08; two layers after smoltcp, ours.
//! **Upholds.** `inv:bounded`.
//! **Not here.** Whether a message is believed (`node.rs`).

use alloc::vec::Vec;

use bytes::Bytes;

use super::{
    cursor::{Cursor, CursorError},
    encode::Head,
    error::DecodeError,
    frame::{Flags, HEADER_BYTES, Header, judge_frame},
    message,
    part::Fields,
    version::{NotInVersion, VERSION_MAX},
};
use crate::message::Envelope;

/// What is taken from a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Limits {
    /// Most bytes of a frame behind its header. Must hold the largest legal append: the longer of
    /// `Options::append_bytes_max` and `entry_bytes_max`, and some bytes for each entry.
    pub body_bytes_max: u32,
    /// Most envelopes of one frame.
    pub envelopes_max: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self { body_bytes_max: 64 << 20, envelopes_max: 4_096 }
    }
}

/// What a frame means.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Decoded {
    /// The version it was in.
    pub version: u8,
    /// The newest version its sender reads.
    pub speaks: u8,
    /// Its envelope; the first, if it held several.
    pub envelope: Envelope,
    /// The others.
    pub rest: Vec<Envelope>,
}

impl IntoIterator for Decoded {
    type Item = Envelope;
    type IntoIter = core::iter::Chain<core::iter::Once<Envelope>, alloc::vec::IntoIter<Envelope>>;

    fn into_iter(self) -> Self::IntoIter {
        core::iter::once(self.envelope).chain(self.rest)
    }
}

/// Length, kind and the nine numbers of an envelope take at least this much.
const ENVELOPE_BYTES_MIN: u64 = 14;

/// Reads one whole frame, in any version up to [`VERSION_MAX`] and within [`Limits::default`].
///
/// # Errors
/// [`DecodeError`] names what is wrong and where.
pub fn decode(frame: Bytes) -> Result<Decoded, DecodeError> {
    decode_as(frame, VERSION_MAX, &Limits::default())
}

/// Reads one whole frame within `limits`.
///
/// # Errors
/// [`DecodeError`] names what is wrong and where.
pub fn decode_within(frame: Bytes, limits: &Limits) -> Result<Decoded, DecodeError> {
    decode_as(frame, VERSION_MAX, limits)
}

/// Reads one whole frame as a node that reads up to `own_max`.
pub(crate) fn decode_as(
    frame: Bytes,
    own_max: u8,
    limits: &Limits,
) -> Result<Decoded, DecodeError> {
    let header = judge_frame(&frame, limits.body_bytes_max)?;
    let Header { version, speaks, .. } = header;
    if version > own_max {
        return Err(DecodeError::Version { found: version, speaks });
    }
    let unknown = header.flags.0 & !Flags::KNOWN.0;
    if unknown != 0 {
        return Err(DecodeError::Flags { unknown });
    }
    let needed = u64::from(header.envelopes).saturating_mul(ENVELOPE_BYTES_MIN);
    if header.envelopes == 0
        || header.envelopes > limits.envelopes_max
        || needed > u64::from(header.body_bytes)
    {
        let fault = CursorError::Count;
        return Err(DecodeError::Field { part: "Header.envelopes", at: 12, fault });
    }
    let mut cursor = Cursor::starting_at(frame, HEADER_BYTES);
    let envelope = envelope(&mut cursor, version, speaks)?;
    let mut rest = Vec::new();
    if header.envelopes > 1 {
        rest.reserve_exact(header.envelopes.saturating_sub(1) as usize);
        for _ in 1..header.envelopes {
            rest.push(self::envelope(&mut cursor, version, speaks)?);
        }
    }
    if !cursor.is_empty() {
        let (at, fault) = (cursor.at(), CursorError::Trailing);
        return Err(DecodeError::Field { part: "Header.envelopes", at, fault });
    }
    Ok(Decoded { version, speaks, envelope, rest })
}

fn envelope(cursor: &mut Cursor, version: u8, speaks: u8) -> Result<Envelope, DecodeError> {
    let start = cursor.at();
    let length = |fault| DecodeError::Field { part: "Envelope.length", at: start, fault };
    let len = cursor.u32_fixed().map_err(length)?;
    let outer = cursor.narrow(len as usize).map_err(length)?;
    let at = cursor.at();
    let head = Head::get(version, cursor)?;
    let kind = head.kind;
    let since = message::since(kind).ok_or(DecodeError::UnknownMessage { kind, at })?;
    if version < since {
        return Err(NotInVersion::Message { kind, version }.into());
    }
    let Some(message) = message::get(kind, version, cursor) else {
        return Err(DecodeError::UnknownMessage { kind, at });
    };
    let message = message?;
    message::expressible(&message, version)?;
    // Later versions add at the end; whoever speaks none of them has nothing to add.
    if !cursor.is_empty() && speaks <= VERSION_MAX {
        let (at, fault) = (cursor.at(), CursorError::Trailing);
        return Err(DecodeError::Field { part: "Envelope.length", at, fault });
    }
    cursor.widen(outer);
    Ok(Envelope {
        cluster: head.cluster,
        group: head.group,
        epoch: head.epoch,
        from: head.from,
        from_incarnation: head.from_incarnation,
        to: head.to,
        to_incarnation: head.to_incarnation,
        term: head.term,
        message,
    })
}
