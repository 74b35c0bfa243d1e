//! What the two sides of a snapshot transfer say, as records.
//!
//! **Intuition.** A transfer has a channel of its own, so its messages are no envelopes: each is a
//! record like those of a store, with its length and checksum in front.
//! **Source.** Ours.
//! **Upholds.** `inv:bounded`.
//! **Not here.** The transfer (`snapshot/chunk/`), records as such (`record.rs`).

use alloc::vec::Vec;

use bytes::Bytes;

use super::{
    cursor::{Cursor, CursorError, put_bytes},
    part::{Part, choice, fields, parts},
    record::{RecordError, get_record, put_record},
};
use crate::snapshot::chunk::{ChunkMessage, ChunkRefusal, StreamId};

const CHUNK: u8 = b'c';

parts!(StreamId {
    leader;
    term;
    position;
});
choice!(ChunkRefusal {
    0 => Overloaded {},
    1 => StaleTerm {},
    2 => TooLarge {},
    3 => Broken {},
    4 => Unknown {},
});
choice!(ChunkMessage {
    0 => Offer { stream, meta },
    1 => Data { stream, offset, checksum, bytes },
    2 => Cancel { stream },
    3 => Want { stream, session, offset },
    4 => Done { stream },
    5 => Refuse { stream, why },
});

/// A piece of a snapshot; it fills nearly all of its record and stays a part of it.
impl Part for Bytes {
    fn put(&self, out: &mut Vec<u8>) {
        put_bytes(out, self);
    }
    fn get(cursor: &mut Cursor) -> Result<Self, CursorError> {
        cursor.bytes(usize::MAX)
    }
}

struct Chunk {
    message: ChunkMessage,
}

fields!(Chunk {
    message;
});

impl ChunkMessage {
    /// The bytes for the channel of the transfer.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        let mut out = Vec::new();
        put_record(CHUNK, &mut out, |out| self.put(out));
        out.into()
    }

    /// Reads what [`ChunkMessage::encode`] wrote. The data of a chunk shares `bytes`.
    ///
    /// # Errors
    /// [`RecordError`] names what is wrong and where; what was said is as good as lost.
    pub fn decode(bytes: Bytes) -> Result<Self, RecordError> {
        get_record::<Chunk>(CHUNK, "ChunkMessage", bytes).map(|chunk| chunk.message)
    }
}
