//! Letters: envelopes of the core, and in clusters of mixed versions their bytes.
//!
//! **Intuition.** Where all nodes are of one version an envelope travels as it is. Where they are
//! not, what travels is the frame that a driver would have written for that peer: what an older
//! version lacks is really gone, and what it cannot say is not said.
//! **Source.** docs/WIRE.md, "Versions".
//! **Upholds.** `inv:pure` (bytes are a function of the envelope and of what was heard).
//! **Not here.** The format (`raft_core::wire`), who has which version (`world/versions.rs`).

use bytes::Bytes;
use raft_core::{Entry, Envelope, HardState, LogPosition, SnapshotMeta, wire};

use crate::trace::digest::Digest;

/// How a message is said in a cluster of mixed versions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wording {
    /// The version that sender and receiver share, as the sender knows.
    pub version: u8,
    /// Whether the version has words for it; if not, it is not sent.
    pub sayable: bool,
}

/// An envelope, and how it is said.
#[derive(Clone, Debug)]
pub struct Letter {
    /// What the sender means.
    pub envelope: Envelope,
    /// What it says; `None` where all speak alike.
    pub said: Option<Box<Said>>,
}

/// What travels.
#[derive(Clone, Debug)]
pub struct Said {
    /// The version it is said in.
    version: u8,
    /// The frame; `None` if the version has no words for it.
    frame: Option<Bytes>,
}

impl Letter {
    /// A letter said by a node that speaks to its peers as `peers` knows them.
    pub(super) fn new(envelope: Envelope, peers: Option<&mut wire::Peers>) -> Self {
        let said = peers.map(|peers| {
            let mut version = peers.versions(envelope.to).speak();
            let mut bytes = Vec::new();
            let frame = match peers.encode(&envelope, &mut bytes) {
                Ok(()) => {
                    // The fifth byte of a frame: an older one if the peer has long been silent.
                    version = bytes.get(4).copied().unwrap_or(version);
                    Some(Bytes::from(bytes))
                }
                Err(wire::EncodeError::NotInVersion(_)) => None,
                // Sizes are the simulator's own: nothing it sends comes near a frame's limit.
                Err(error) => panic!("the core's message has no bytes: {error}"),
            };
            Box::new(Said { version, frame })
        });
        Self { envelope, said }
    }

    /// What arrives: the envelope, or what the receiver reads in the frame; `None` if it refuses
    /// the frame.
    pub(super) fn read(self, peers: Option<&mut wire::Peers>) -> Option<Envelope> {
        match (self.said, peers) {
            (Some(said), Some(peers)) => Some(peers.decode(said.frame?).ok()?.envelope),
            _ => Some(self.envelope),
        }
    }

    /// How it is said.
    pub(super) fn wording(&self) -> Option<Wording> {
        let said = self.said.as_ref()?;
        Some(Wording { version: said.version, sayable: said.frame.is_some() })
    }

    /// Folds the bytes that travel.
    pub(super) fn digest(&self, digest: &mut Digest) {
        if let Some(said) = &self.said {
            digest.word(u64::from(said.version));
            digest.bytes(said.frame.as_deref().unwrap_or_default());
        }
    }
}

/// A hard state as a store gives it back.
///
/// # Errors
/// In words, when the record cannot be read.
pub(super) fn stored_hard(hard: &HardState) -> Result<HardState, String> {
    HardState::decode(hard.encode()).map_err(|error| format!("hard state: {error}"))
}

/// A snapshot's description as a store gives it back.
///
/// # Errors
/// In words, when the record cannot be read.
pub(super) fn stored_meta(meta: &SnapshotMeta) -> Result<SnapshotMeta, String> {
    SnapshotMeta::decode(meta.encode()).map_err(|error| format!("snapshot: {error}"))
}

/// An entry as a store gives it back.
///
/// # Errors
/// In words, when the record cannot be read.
pub(super) fn stored_entry(
    position: LogPosition,
    entry: &Entry,
) -> Result<(LogPosition, Entry), String> {
    let mut out = Vec::new();
    wire::encode_entry(position, entry, &mut out);
    wire::decode_entry(&mut Bytes::from(out)).map_err(|error| format!("entry: {error}"))
}

#[cfg(test)]
mod tests {
    use raft_core::{
        AppendReply, AppendResult, BootId, ClusterId, GroupId, Incarnation, LogIndex, Message,
        NodeId, ReadIndex, RecoveryEpoch, RoundId, Term,
    };

    use super::*;

    fn envelope(message: Message) -> Envelope {
        Envelope {
            cluster: ClusterId(1),
            group: GroupId(1),
            epoch: RecoveryEpoch::default(),
            from: NodeId(1),
            from_incarnation: Incarnation(1),
            to: NodeId(2),
            to_incarnation: Incarnation(1),
            term: Term(3),
            message,
        }
    }

    fn promise() -> Message {
        let result = AppendResult::Matched { matched: LogIndex(4) };
        Message::AppendReply(AppendReply { round: 7, result, promise_ns: 99, applied: LogIndex(3) })
    }

    fn promised(envelope: &Envelope) -> u64 {
        match &envelope.message {
            Message::AppendReply(reply) => reply.promise_ns,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_an_older_version_lacks_is_lost_on_the_way() {
        let (mut new, mut old) = (wire::Peers::new(1), wire::Peers::new(0));
        let letter = Letter::new(envelope(promise()), Some(&mut new));
        assert_eq!(letter.wording(), Some(Wording { version: 0, sayable: true }));
        assert_eq!(promised(&letter.clone().read(Some(&mut old)).unwrap()), 0);
        assert_eq!(promised(&letter.envelope), 99, "the sender meant it");
        // Among equals of the newest version nothing is lost.
        let mut peer = wire::Peers::new(1);
        new.learn(NodeId(2), 1);
        let letter = Letter::new(envelope(promise()), Some(&mut new));
        assert_eq!(promised(&letter.clone().read(Some(&mut peer)).unwrap()), 99);
        assert!(letter.read(Some(&mut old)).is_none(), "an older node refuses the frame");
        assert_eq!(promised(&Letter::new(envelope(promise()), None).envelope), 99);
    }

    #[test]
    fn what_a_version_cannot_say_is_not_sent() {
        let ask = ReadIndex { context: RoundId { boot: BootId(1), number: 1 } };
        let mut peers = wire::Peers::new(1);
        let letter = Letter::new(envelope(Message::ReadIndex(ask)), Some(&mut peers));
        assert_eq!(letter.wording(), Some(Wording { version: 0, sayable: false }));
    }
}
