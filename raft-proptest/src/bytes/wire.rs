//! Bytes as the network or a store gives them.
//!
//! **Intuition.** Whatever decodes must encode to the very bytes it came from: then nothing has two
//! spellings and nothing was misread. Whatever does not must be refused with a reason.
//! **Source.** Ours; docs/WIRE.md.
//! **Upholds.** Checks `inv:bounded` as far as a decoder can see it.
//! **Not here.** Memory (the campaign's example and a test of raft-core measure it).

use bytes::Bytes;
use raft_core::{
    Configuration, HardState, Settings, SnapshotMeta,
    wire::{self, DecodeError, Decoded, Peers},
};

/// How far the bytes came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reached {
    /// They are a legal frame.
    Decoded {
        /// How many envelopes were in it.
        envelopes: usize,
    },
    /// They are none.
    Refused(DecodeError),
}

impl Reached {
    /// Whether they are a whole, undamaged frame, whatever it means.
    #[must_use]
    pub const fn past_frame(&self) -> bool {
        !matches!(self, Self::Refused(DecodeError::Frame(_)))
    }
}

/// Reads `bytes` as a frame and as every record.
///
/// # Panics
/// If anything that was read is written otherwise, or two readers disagree.
pub fn fuzz_wire(bytes: &[u8]) -> Reached {
    let frame = Bytes::copy_from_slice(bytes);
    fuzz_records(&frame);
    match wire::decode(frame.clone()) {
        Ok(decoded) => {
            let envelopes = 1 + decoded.rest.len();
            judge_frame(&frame, decoded);
            Reached::Decoded { envelopes }
        }
        Err(error) => {
            assert!(
                Peers::new(0).decode(frame).is_err(),
                "an older node reads what a newer does not"
            );
            Reached::Refused(error)
        }
    }
}

fn judge_frame(frame: &Bytes, decoded: Decoded) {
    assert_eq!(
        wire::frame_bytes(frame, u32::MAX),
        Ok(Some(frame.len())),
        "a legal frame can be cut from a stream"
    );
    // Of two nodes that read it, the older one reads version 0 alone.
    let older = Peers::new(0).decode(frame.clone());
    assert_eq!(older.is_ok(), decoded.version == 0, "an older node reads version 0 alone");
    let Decoded { version, speaks, envelope, rest } = decoded;
    if speaks > wire::VERSION_MAX {
        // A newer sender may have said more than we know.
        return;
    }
    let mut again = Vec::new();
    let mut batch = wire::Batch::begin(version, speaks, &mut again).expect("a version we read");
    for envelope in core::iter::once(&envelope).chain(&rest) {
        batch.push(envelope).expect("what was read can be written");
    }
    batch.finish().expect("a frame is not empty");
    assert_eq!(again, *frame, "written otherwise than read");
}

/// The formats of stores and of entries' payloads.
fn fuzz_records(bytes: &Bytes) {
    if let Ok(hard) = HardState::decode(bytes.clone()) {
        assert_eq!(hard.encode(), *bytes);
    }
    if let Ok(meta) = SnapshotMeta::decode(bytes.clone()) {
        assert_eq!(meta.encode(), *bytes);
    }
    if let Ok(configuration) = Configuration::decode(bytes.clone()) {
        assert_eq!(configuration.encode(), *bytes);
    }
    if let Ok(settings) = Settings::decode(bytes.clone()) {
        assert_eq!(settings.encode(), *bytes);
    }
    let mut log = bytes.clone();
    let mut at = 0;
    while let Ok((position, entry)) = wire::decode_entry(&mut log) {
        let mut again = Vec::new();
        wire::encode_entry(position, &entry, &mut again);
        assert_eq!(bytes.get(at..at + again.len()), Some(again.as_slice()));
        at += again.len();
        assert_eq!(log.len(), bytes.len() - at, "taken is what was read");
    }
}
