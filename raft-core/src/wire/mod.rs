//! The wire format: bytes for envelopes, and for what a store keeps.
//!
//! **Intuition.** Bytes from outside are judged twice: first as a frame (is it whole, bounded,
//! undamaged, of a version we read), then as meaning (do the parts make a legal message). Nodes of
//! different releases speak the newest version both read; every frame says what its sender reads.
//! docs/WIRE.md draws every byte.
//! **Source.** Ours.
//! **Upholds.** `inv:bounded`.
//! **Not here.** Whether a legal message is believed (`node.rs`).
//!
//! # A driver's two calls
//!
//! ```
//! use raft_core::{Envelope, Message, VoteReply, Options, types::*, wire::Peers};
//!
//! # let envelope = Envelope {
//! #     cluster: ClusterId(1), group: GroupId(1), epoch: RecoveryEpoch::default(),
//! #     from: NodeId(1), from_incarnation: Incarnation(1),
//! #     to: NodeId(2), to_incarnation: Incarnation(1),
//! #     term: Term(5), message: Message::VoteReply(VoteReply { granted: true }),
//! # };
//! // At node 1, for `Output::Send(envelope)`:
//! let mut peers = Peers::new(Options::default().level);
//! let mut bytes = Vec::new();
//! if let Err(unsaid) = peers.encode(&envelope, &mut bytes) {
//!     eprintln!("not sent: {unsaid}"); // as good as lost, which is safe
//! }
//!
//! // At node 2, for every frame cut from the stream:
//! let mut peers = Peers::new(Options::default().level);
//! match peers.decode(bytes.into()) {
//!     Ok(decoded) => for envelope in decoded { /* Input::Receive(Box::new(envelope)) */ },
//!     Err(refused) => eprintln!("dropped: {refused}"), // counted in `peers.refused()`
//! }
//! # assert_eq!(peers.versions(NodeId(1)).speak(), 1);
//! ```

mod checksum;
mod chunk;
pub(crate) mod cursor;
mod decode;
mod encode;
mod entries;
mod error;
mod frame;
mod message;
mod part;
mod record;
mod version;

pub use cursor::CursorError;
pub use decode::{Decoded, Limits, decode, decode_within};
pub use encode::{Batch, EncodeError, Explained, encode, explain};
pub use entries::ENTRIES_MAX;
pub use error::{DecodeError, Refusal};
pub use frame::{Flags, FrameError, HEADER_BYTES, Header, MAGIC, frame_bytes, reseal};
pub use message::MESSAGE_KINDS;
pub use record::{RECORD_HEADER_BYTES, RecordError, decode_entry, encode_entry};
pub use version::{NotInVersion, Peers, VERSION_MAX, VERSION_MIN, Versions};
