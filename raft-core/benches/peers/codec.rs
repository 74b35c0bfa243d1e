//! Messages as bytes: what a row costs once nothing is shared in memory.
//!
//! Every message becomes a frame of its own, in a buffer of its own as one read off a socket would
//! be, and is read back from it. For us that is the wire format of docs/WIRE.md, checksum included;
//! for `raft` it is its protobuf, which has none.

use bytes::Bytes;
use protobuf::Message as _;
use raft::prelude::Message;
use raft_core::{Envelope, wire};

use super::ours::Link;

/// Our messages, each as one frame.
pub(crate) struct Frames;

impl Link for Frames {
    fn carry(&mut self, envelope: Box<Envelope>) -> Box<Envelope> {
        let mut frame = Vec::new();
        wire::encode(&envelope, wire::VERSION_MAX, &mut frame).expect("every version says it");
        drop(envelope);
        let decoded = wire::decode(frame.into()).expect("what was encoded is read");
        assert!(decoded.rest.is_empty(), "one message a frame");
        Box::new(decoded.envelope)
    }
}

/// A message of `raft` through its protobuf. Payloads are slices of the frame.
pub(crate) fn protobuf(message: Message) -> Message {
    let frame = Bytes::from(message.write_to_bytes().expect("it is complete"));
    drop(message);
    Message::parse_from_carllerche_bytes(&frame).expect("what was encoded is read")
}
