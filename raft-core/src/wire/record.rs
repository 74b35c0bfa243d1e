//! Records: hard states, descriptions of snapshots and entries, as a store keeps them.
//!
//! **Intuition.** A record says what it is, how long it is and whether it is whole. Damage is told
//! apart from an end that was never written, and a newer format from both, because each asks for
//! something else: a damaged hard state must never be read as an older one or as none.
//! **Source.** Ours; D-W2 (a damaged vote file read as "no vote"), B-092 (damage in the middle of a
//! log taken for its end), S-102.
//! **Upholds.** `inv:one-vote-per-term`, `inv:committed-durable`, `inv:bounded`.
//! **Not here.** When they are written (`storage/persist.rs`), bytes between nodes (`frame.rs`).

use alloc::vec::Vec;
use core::fmt;

use bytes::{Buf, Bytes};

use super::{
    checksum::checksum,
    cursor::{Cursor, CursorError, put_bytes},
    encode::Explained,
    entries::KEEPS_ALIVE,
    part::{Fields, Part, PartError, choice, fields},
};
use crate::{
    config::Configuration,
    log::{Entry, EntryKind},
    settings::Settings,
    snapshot::meta::SnapshotMeta,
    storage::{DisableReason, HardState},
    types::LogPosition,
};

/// Tag, format, two bytes of 0, length of the body, checksum.
pub const RECORD_HEADER_BYTES: usize = 16;
/// Longest description of a snapshot inside a message.
pub(crate) const RECORD_BYTES_MAX: usize = 1 << 20;
/// The format written by this release.
const FORMAT: u8 = 1;

const HARD_STATE: u8 = b'h';
const SNAPSHOT_META: u8 = b's';
const ENTRY: u8 = b'e';

/// Why bytes are no record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum RecordError {
    /// They end early. At the end of a log this is a write that power loss cut short; anywhere else
    /// it is damage.
    Short {
        /// Bytes there must be.
        needed: usize,
        /// Bytes there are.
        found: usize,
    },
    /// Something stands behind the record.
    Trailing {
        /// Bytes of the record.
        record: usize,
        /// Bytes there are.
        found: usize,
    },
    /// They begin like another record, or like none.
    Tag {
        /// How.
        found: u8,
    },
    /// The checksum does not fit. The record was damaged after it was written: treat the disk as
    /// having lost what it acknowledged.
    Checksum,
    /// A newer release wrote it: start that one.
    Format {
        /// The format.
        found: u8,
    },
    /// A field has no meaning, though the checksum fits.
    Field {
        /// The record and its field.
        part: &'static str,
        /// Offset in the record.
        at: usize,
        /// What is wrong with it.
        fault: CursorError,
    },
}

impl fmt::Display for RecordError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Short { needed, found } => {
                write!(f, "record needs {needed} bytes, {found} given")
            }
            Self::Trailing { record, found } => {
                write!(f, "record has {record} bytes, {found} given")
            }
            Self::Tag { found } => {
                write!(f, "record begins with {found:#04x}, which is not expected")
            }
            Self::Checksum => f.write_str("checksum does not fit: the record was damaged"),
            Self::Format { found } => {
                write!(f, "record is in format {found}; start the release that wrote it")
            }
            Self::Field { part, at, fault } => write!(f, "{part} at byte {at}: {fault}"),
        }
    }
}

impl core::error::Error for RecordError {}

impl From<PartError> for RecordError {
    fn from(PartError { part, at, fault }: PartError) -> Self {
        Self::Field { part, at, fault }
    }
}

choice!(DisableReason {
    0 => Operator { .0 },
    1 => UnsupportedEntry { index, kind },
    2 => SkipAfterApply { index },
    3 => MustRejoin {},
});
fields!(HardState {
    cluster;
    group;
    node;
    incarnation;
    epoch;
    term;
    vote;
    promise_ns;
    disabled;
    mark;
    joined;
});
fields!(SnapshotMeta {
    position;
    configuration;
    configuration_index;
    settings;
    stamp;
    label;
    machine_id;
    digest;
    size_bytes;
});

impl Part for Configuration {
    fn put(&self, out: &mut Vec<u8>) {
        put_bytes(out, &self.encode());
    }
    fn get(cursor: &mut Cursor) -> Result<Self, CursorError> {
        Self::decode(cursor.bytes(RECORD_BYTES_MAX)?).map_err(|_| CursorError::Value)
    }
}

impl Part for Settings {
    fn put(&self, out: &mut Vec<u8>) {
        put_bytes(out, &self.encode());
    }
    fn get(cursor: &mut Cursor) -> Result<Self, CursorError> {
        Self::decode(cursor.bytes(RECORD_BYTES_MAX)?).map_err(|_| CursorError::Value)
    }
}

/// Appends a record whose body `body` writes.
pub(crate) fn put_record(tag: u8, out: &mut Vec<u8>, body: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    out.extend_from_slice(&[0; RECORD_HEADER_BYTES]);
    body(out);
    let Some((room, body)) = out.get_mut(start..).and_then(<[u8]>::split_first_chunk_mut) else {
        return;
    };
    let room: &mut [u8; RECORD_HEADER_BYTES] = room;
    // No value of ours comes near 4 GiB: a longer body could not be read back and is refused there.
    let [l0, l1, l2, l3] = u32::try_from(body.len()).unwrap_or(u32::MAX).to_le_bytes();
    let head = [tag, FORMAT, 0, 0, l0, l1, l2, l3];
    let sum = checksum([u64::from_le_bytes(head), 0], body).to_le_bytes();
    for (to, from) in room.iter_mut().zip(head.into_iter().chain(sum)) {
        *to = from;
    }
}

/// Judges the record at the start of `bytes`: its format, and where it ends.
fn judge_record(tag: u8, bytes: &[u8]) -> Result<(u8, usize), RecordError> {
    let found = bytes.len();
    if let Some(first) = bytes.first()
        && *first != tag
    {
        return Err(RecordError::Tag { found: *first });
    }
    let short = RecordError::Short { needed: RECORD_HEADER_BYTES, found };
    let (head, rest) = bytes.split_first_chunk::<8>().ok_or(short)?;
    let (sum, rest) = rest.split_first_chunk::<8>().ok_or(short)?;
    let [_, format, _, _, l0, l1, l2, l3] = *head;
    let len = u32::from_le_bytes([l0, l1, l2, l3]) as usize;
    let needed = RECORD_HEADER_BYTES.saturating_add(len);
    let body = rest.get(..len).ok_or(RecordError::Short { needed, found })?;
    if checksum([u64::from_le_bytes(*head), 0], body) != u64::from_le_bytes(*sum) {
        return Err(RecordError::Checksum);
    }
    match *head {
        [_, FORMAT, 0, 0, ..] => Ok((format, needed)),
        [_, FORMAT, ..] => {
            let fault = CursorError::Value;
            Err(RecordError::Field { part: "Record.reserved", at: 2, fault })
        }
        _ => Err(RecordError::Format { found: format }),
    }
}

/// Reads a record that fills `bytes`.
pub(crate) fn get_record<T: Fields>(
    tag: u8,
    name: &'static str,
    bytes: Bytes,
) -> Result<T, RecordError> {
    let (format, end) = judge_record(tag, &bytes)?;
    if end != bytes.len() {
        return Err(RecordError::Trailing { record: end, found: bytes.len() });
    }
    let mut cursor = Cursor::starting_at(bytes, RECORD_HEADER_BYTES);
    let value = T::get(format, &mut cursor)?;
    if cursor.is_empty() {
        Ok(value)
    } else {
        Err(RecordError::Field { part: name, at: cursor.at(), fault: CursorError::Trailing })
    }
}

fn explain<T: Fields>(value: &T) -> Explained {
    let mut out = Vec::new();
    value.each(FORMAT, &mut |name, bytes| out.push((name, bytes.to_vec())));
    out
}

impl HardState {
    /// The bytes a store keeps.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        let mut out = Vec::new();
        put_record(HARD_STATE, &mut out, |out| Fields::put(self, FORMAT, out));
        out.into()
    }

    /// Reads what [`HardState::encode`] wrote. On an error do not boot: an older or an empty hard
    /// state in its place could vote twice. The node comes back as a new incarnation.
    ///
    /// # Errors
    /// [`RecordError`] names what is wrong and where.
    pub fn decode(bytes: Bytes) -> Result<Self, RecordError> {
        get_record(HARD_STATE, "HardState", bytes)
    }

    /// The fields with their bytes: what stands behind the record's header. For documents and
    /// debugging.
    #[must_use]
    pub fn explain(&self) -> Explained {
        explain(self)
    }
}

impl SnapshotMeta {
    /// The bytes a store keeps beside the data, and a message carries.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        let mut out = Vec::new();
        put_record(SNAPSHOT_META, &mut out, |out| Fields::put(self, FORMAT, out));
        out.into()
    }

    /// Reads what [`SnapshotMeta::encode`] wrote.
    ///
    /// # Errors
    /// [`RecordError`] names what is wrong and where.
    pub fn decode(bytes: Bytes) -> Result<Self, RecordError> {
        get_record(SNAPSHOT_META, "SnapshotMeta", bytes)
    }

    /// The fields with their bytes: what stands behind the record's header. For documents and
    /// debugging.
    #[must_use]
    pub fn explain(&self) -> Explained {
        explain(self)
    }
}

struct EntryHead {
    position: LogPosition,
    kind: u8,
    stamp: u64,
    label: u64,
}

fields!(EntryHead {
    position;
    kind;
    stamp;
    label;
});

/// Appends the record of one log entry: for a log that is a file of records.
pub fn encode_entry(position: LogPosition, entry: &Entry, out: &mut Vec<u8>) {
    let head = EntryHead { position, kind: entry.kind.0, stamp: entry.stamp, label: entry.label };
    put_record(ENTRY, out, |out| {
        head.put(FORMAT, out);
        out.extend_from_slice(&entry.payload);
    });
}

/// Takes the record of one log entry from the front of `log`, which is left behind it. On an error
/// nothing is taken.
///
/// # Errors
/// [`RecordError`] names what is wrong and where. Only [`RecordError::Short`] can be the end of an
/// interrupted write; whatever else stands in the middle of a log is damage, and cutting the log
/// there would drop acknowledged entries.
pub fn decode_entry(log: &mut Bytes) -> Result<(LogPosition, Entry), RecordError> {
    let (format, end) = judge_record(ENTRY, log)?;
    let mut cursor = Cursor::starting_at(log.slice(..end), RECORD_HEADER_BYTES);
    let EntryHead { position, kind, stamp, label } = EntryHead::get(format, &mut cursor)?;
    let rest = cursor.left();
    let payload = cursor.take(rest).unwrap_or_default();
    // A small payload must not keep a large buffer alive.
    let payload = if payload.len().saturating_mul(KEEPS_ALIVE) < log.len() {
        Bytes::copy_from_slice(&payload)
    } else {
        payload
    };
    log.advance(end);
    Ok((position, Entry { kind: EntryKind(kind), stamp, label, payload }))
}
