//! The wire format from outside: frames, versions, records, and every way to damage them.

use bytes::Bytes;
use raft_core::{
    AppendEntries, Configuration, Entries, Entry, EntryKind, Envelope, HardState, Incarnation,
    LogIndex, LogPosition, Message, NodeId, Run, SnapshotMeta, Term,
    chunk::{ChunkMessage, ChunkRefusal, StreamId},
    wire::{
        self, CursorError, DecodeError, EncodeError, FrameError, Limits, NotInVersion, Peers,
        RecordError, Refusal, Versions,
    },
};

use crate::wire_golden::{entries, every_kind, further_shapes, hard_state, meta, said};

fn samples() -> Vec<Message> {
    every_kind().into_iter().chain(further_shapes().into_iter().map(|(_, said)| said)).collect()
}

fn frame(envelope: &Envelope, version: u8) -> Vec<u8> {
    let mut out = Vec::new();
    wire::encode(envelope, version, &mut out).unwrap();
    out
}

/// Puts right what the checksum says after a change elsewhere, by asking the encoder of another
/// frame nothing: the sum is computed from docs/WIRE.md.
fn seal(frame: &mut [u8]) {
    const FIRST: u64 = 0x9e37_79b9_7f4a_7c15;
    const SECOND: u64 = 0xd1b5_4a32_d192_ed03;
    let step = |state: u64, word: u64| {
        let mixed = (state ^ word).wrapping_mul(FIRST);
        (mixed ^ (mixed >> 32)).wrapping_mul(SECOND)
    };
    let word = |bytes: &[u8]| {
        let mut word = [0; 8];
        word[..bytes.len()].copy_from_slice(bytes);
        u64::from_le_bytes(word)
    };
    let body = frame[24..].to_vec();
    let seed =
        [word(&frame[..8]), word(&frame[8..16]), body.len() as u64].into_iter().fold(0, step);
    let mut lanes = [seed, step(seed, 1), step(seed, 2), step(seed, 3)];
    let padded = body.len().next_multiple_of(32);
    let words = body.chunks(8).map(word).chain(core::iter::repeat(0)).take(padded / 8);
    for (at, word) in words.enumerate() {
        lanes[at % 4] = step(lanes[at % 4], word);
    }
    let sum = step(step(step(lanes[0], lanes[1]), lanes[2]), lanes[3]);
    frame[16..24].copy_from_slice(&(sum ^ (sum >> 32)).to_le_bytes());
}

/// Changes a good frame, puts length and checksum right, and reads it.
fn spoilt(envelope: &Envelope, spoil: impl FnOnce(&mut Vec<u8>)) -> Result<(), DecodeError> {
    let mut bytes = frame(envelope, 1);
    spoil(&mut bytes);
    let body = u32::try_from(bytes.len() - 24).unwrap();
    bytes[8..12].copy_from_slice(&body.to_le_bytes());
    seal(&mut bytes);
    wire::decode(bytes.into()).map(drop)
}

#[test]
fn every_message_comes_back_as_it_was_in_every_version_that_can_say_it() {
    for message in samples() {
        let envelope = said(message);
        let decoded = wire::decode(frame(&envelope, 1).into()).unwrap();
        assert_eq!((decoded.version, decoded.speaks), (1, 1));
        assert_eq!(decoded.envelope, envelope);
        assert!(decoded.rest.is_empty());
    }
}

#[test]
fn version_0_leaves_out_what_promises_something_and_nothing_else() {
    // S-08: what is left out reads as the answer that promises least.
    for message in samples() {
        let envelope = said(message);
        let mut out = vec![7];
        let Ok(()) = wire::encode(&envelope, 0, &mut out) else {
            assert_eq!(out, [7], "the buffer is as it was");
            continue;
        };
        let mut least = envelope.clone();
        match &mut least.message {
            Message::RequestVote(request) => request.authorised_by = None,
            Message::AppendReply(reply) => {
                reply.promise_ns = 0;
                reply.applied = LogIndex(0);
            }
            _ => {}
        }
        let decoded = wire::decode(Bytes::from(out).slice(1..)).unwrap();
        assert_eq!((decoded.version, decoded.speaks), (0, 1));
        assert_eq!(decoded.envelope, least);
    }
}

#[test]
fn what_version_0_cannot_say_is_refused_by_name() {
    for (kind, name, since) in wire::MESSAGE_KINDS {
        let message = every_kind().into_iter().find(|said| said.name() == *name).unwrap();
        let told = wire::encode(&said(message), 0, &mut Vec::new());
        let unsaid = NotInVersion::Message { kind: *kind, version: 0 };
        assert_eq!(told.err(), (*since > 0).then_some(EncodeError::NotInVersion(unsaid)));
    }
    let skip = |kind| {
        said(Message::AppendEntries(AppendEntries {
            entries: entries(&[EntryKind::COMMAND, kind]),
            ..AppendEntries::default()
        }))
    };
    let unsaid = NotInVersion::Entry { index: LogIndex(42), kind: 5, version: 0 };
    let told = wire::encode(&skip(EntryKind::SKIP), 0, &mut Vec::new());
    assert_eq!(told, Err(EncodeError::NotInVersion(unsaid)));
    // A frame that says it all the same contradicts itself.
    let mut bytes = frame(&skip(EntryKind::SKIP), 1);
    bytes[4] = 0;
    seal(&mut bytes);
    assert_eq!(wire::decode(bytes.into()), Err(DecodeError::NotInVersion(unsaid)));
}

#[test]
fn an_entry_kind_that_nobody_knows_reaches_the_log_and_is_never_dropped() {
    // S-08: the log stops at it; a codec that skipped it would fork the machine.
    for version in [0, 1] {
        let message = AppendEntries {
            entries: entries(&[EntryKind::COMMAND, EntryKind(77), EntryKind::NOOP]),
            ..AppendEntries::default()
        };
        let envelope = said(Message::AppendEntries(message));
        let decoded = wire::decode(frame(&envelope, version).into()).unwrap();
        assert_eq!(decoded.envelope, envelope);
    }
}

#[test]
fn a_damaged_byte_anywhere_is_seen() {
    // B-036.
    for message in samples() {
        let good = frame(&said(message), 1);
        for at in 0..good.len() {
            for bit in 0..8 {
                let mut bytes = good.clone();
                bytes[at] ^= 1 << bit;
                let told = wire::decode(bytes.into());
                assert!(
                    matches!(told, Err(DecodeError::Frame(_))),
                    "byte {at} bit {bit}: {told:?}"
                );
            }
            let cut = wire::decode(Bytes::copy_from_slice(&good[..at]));
            assert!(
                matches!(cut, Err(DecodeError::Frame(FrameError::Short { .. }))),
                "cut at {at}"
            );
        }
    }
}

#[test]
fn nothing_shorter_or_longer_is_accepted_under_a_good_checksum() {
    for message in samples() {
        let envelope = said(message);
        let good = frame(&envelope, 1);
        for cut in 24..good.len() {
            assert!(spoilt(&envelope, |bytes| bytes.truncate(cut)).is_err(), "cut at {cut}");
            // The envelope's length put right as well: now a field is missing.
            let shorter = |bytes: &mut Vec<u8>| {
                bytes.truncate(cut.max(28));
                let len = u32::try_from(bytes.len() - 28).unwrap();
                bytes[24..28].copy_from_slice(&len.to_le_bytes());
            };
            assert!(spoilt(&envelope, shorter).is_err(), "envelope cut at {cut}");
        }
        assert!(spoilt(&envelope, |bytes| bytes.push(0)).is_err());
        let longer = |bytes: &mut Vec<u8>| {
            bytes.push(0);
            let len = u32::try_from(bytes.len() - 28).unwrap();
            bytes[24..28].copy_from_slice(&len.to_le_bytes());
        };
        assert!(matches!(
            spoilt(&envelope, longer),
            Err(DecodeError::Field { part: "Envelope.length", fault: CursorError::Trailing, .. })
        ));
        // The same from a sender of a newer release: what it adds is passed over (S-08).
        let newer = |bytes: &mut Vec<u8>| {
            longer(bytes);
            bytes[5] = 2;
        };
        assert_eq!(spoilt(&envelope, newer), Ok(()));
    }
}

#[test]
fn refusals_name_what_is_wrong_and_where() {
    let vote = said(every_kind().swap_remove(3));
    let field = |part, at, fault| Err(DecodeError::Field { part, at, fault });
    assert_eq!(
        spoilt(&vote, |bytes| bytes[28] = 99),
        Err(DecodeError::UnknownMessage { kind: 99, at: 28 })
    );
    assert_eq!(spoilt(&vote, |bytes| bytes[6] = 4), Err(DecodeError::Flags { unknown: 4 }));
    assert_eq!(spoilt(&vote, |bytes| bytes[7] = 0x80), Err(DecodeError::Flags { unknown: 0x8000 }));
    let last = frame(&vote, 1).len() - 1;
    assert_eq!(
        spoilt(&vote, |bytes| bytes[last] = 2),
        field("VoteReply.granted", last, CursorError::Tag(2))
    );
    assert_eq!(
        spoilt(&vote, |bytes| bytes[last - 1] |= 0x80),
        field("VoteReply.granted", last + 1, CursorError::Short),
        "the term takes the last byte with it"
    );
    assert_eq!(
        spoilt(&vote, |bytes| bytes[12] = 0),
        field("Header.envelopes", 12, CursorError::Count)
    );
    assert_eq!(
        spoilt(&vote, |bytes| bytes[15] = 9),
        field("Header.envelopes", 12, CursorError::Count)
    );
    let versions = |version: u8, speaks: u8| {
        spoilt(&vote, |bytes| {
            bytes[4] = version;
            bytes[5] = speaks;
        })
    };
    assert_eq!(versions(2, 3), Err(DecodeError::Version { found: 2, speaks: 3 }));
    let liar = FrameError::Versions { version: 1, speaks: 0 };
    assert_eq!(versions(1, 0), Err(DecodeError::Frame(liar)));
    assert_eq!(versions(1, 200), Ok(()));
}

#[test]
fn a_length_is_judged_before_anybody_makes_room_for_it() {
    let good = frame(&said(every_kind().swap_remove(4)), 1);
    let body = u32::try_from(good.len() - 24).unwrap();
    let tight = Limits { body_bytes_max: body - 1, ..Limits::default() };
    let refused = FrameError::TooLong { body, max: body - 1 };
    let told = wire::decode_within(good.clone().into(), &tight);
    assert_eq!(told, Err(DecodeError::Frame(refused)));
    assert_eq!(wire::frame_bytes(&good, body - 1), Err(refused));
    assert_eq!(wire::frame_bytes(&good, body), Ok(Some(good.len())));
    for seen in 0..24 {
        assert_eq!(wire::frame_bytes(&good[..seen], body), Ok(None), "{seen} bytes");
    }
    assert_eq!(wire::frame_bytes(b"rafts", 9), Ok(None));
    assert_eq!(wire::frame_bytes(b"rat", 9), Err(FrameError::Magic));
    let two = [good.clone(), good.clone()].concat();
    assert_eq!(wire::frame_bytes(&two, body), Ok(Some(good.len())));
    let trailing = FrameError::Trailing { frame: good.len(), found: two.len() };
    assert_eq!(wire::decode(two.into()), Err(DecodeError::Frame(trailing)));
    let few = Limits { envelopes_max: 0, ..Limits::default() };
    assert!(wire::decode_within(good.into(), &few).is_err());
}

#[test]
fn several_envelopes_share_a_frame_and_one_unsayable_does_not_spoil_it() {
    let mut peers = Peers::new(1);
    let mut out = Vec::new();
    let mut batch = peers.batch(NodeId(3), &mut out).unwrap();
    let mut pushed = Vec::new();
    for message in samples() {
        let envelope = said(message);
        if batch.push(&envelope).is_ok() {
            pushed.push(envelope.message.name());
        }
    }
    batch.finish().unwrap();
    let decoded = wire::decode(out.into()).unwrap();
    let names: Vec<&str> = decoded.into_iter().map(|envelope| envelope.message.name()).collect();
    assert_eq!(names, pushed);
    assert!(names.len() > 10);
    let mut out = vec![1];
    assert_eq!(peers.batch(NodeId(3), &mut out).unwrap().finish(), Err(EncodeError::Empty));
    drop(peers.batch(NodeId(3), &mut out).unwrap());
    assert_eq!(out, [1], "a frame that was not finished leaves nothing");
}

#[test]
fn two_nodes_speak_the_newest_version_both_read() {
    for own in 0..=3 {
        for theirs in [None, Some(0), Some(1), Some(2), Some(255)] {
            let mut versions = Versions::new(own);
            if let Some(speaks) = theirs {
                versions.learn(speaks);
            }
            assert_eq!(versions.speak(), theirs.map_or(0, |speaks| speaks.min(own).min(1)));
        }
    }
}

/// A cluster of two that talks: who reads what after each frame.
fn say(from: &mut Peers, to: &mut Peers, message: usize) -> Result<u8, DecodeError> {
    let mut out = Vec::new();
    from.encode(&said(every_kind().swap_remove(message)), &mut out).unwrap();
    to.decode(out.into()).map(|decoded| decoded.version)
}

#[test]
fn an_upgrade_and_a_way_back_cost_frames_and_nothing_else() {
    let (mut ours, mut theirs) = (Peers::new(1), Peers::new(0));
    // `said` is from 2 to 3: both directions are spoken by it, as far as versions go.
    assert_eq!(say(&mut ours, &mut theirs, 3), Ok(0), "nobody was heard: the oldest");
    assert_eq!(say(&mut theirs, &mut ours, 3), Ok(0));
    ours.learn(NodeId(3), 0);
    assert_eq!(say(&mut ours, &mut theirs, 3), Ok(0));
    // The peer is upgraded; its next frame says so.
    let mut theirs = Peers::new(1);
    ours.learn(NodeId(3), 1);
    assert_eq!(say(&mut ours, &mut theirs, 3), Ok(1));
    // It goes back. What is still said in version 1 is refused and counted, until it speaks.
    let mut theirs = Peers::new(0);
    let refused = Err(DecodeError::Version { found: 1, speaks: 1 });
    assert_eq!(say(&mut ours, &mut theirs, 3), refused);
    assert_eq!(say(&mut ours, &mut theirs, 3), refused);
    assert_eq!(theirs.refused().collect::<Vec<_>>(), [(Refusal::Version, 2)]);
    ours.learn(NodeId(3), 0);
    assert_eq!(say(&mut ours, &mut theirs, 3), Ok(0));
    ours.forget(NodeId(3));
    assert_eq!(ours.versions(NodeId(3)).speak(), 0);
}

#[test]
fn a_peer_that_went_back_and_never_speaks_unasked_is_found() {
    let (mut ours, mut theirs) = (Peers::new(1), Peers::new(0));
    ours.learn(NodeId(3), 1);
    let read: Vec<bool> = (0..15).map(|_| say(&mut ours, &mut theirs, 3).is_ok()).collect();
    let first = Peers::PATIENCE as usize;
    assert!(!read[..first].contains(&true), "it may be away for a moment");
    let found = read[first..].iter().filter(|read| **read).count();
    assert_eq!(found, 3, "every third: {read:?}");
    // One that was only away reads all of it, and is spoken to as before once it answers.
    let mut theirs = Peers::new(1);
    let versions: Vec<u8> =
        (0..3).map(|_| say(&mut ours, &mut theirs, 3).expect("it reads both")).collect();
    assert!(versions.contains(&0) && versions.contains(&1), "{versions:?}");
    ours.learn(NodeId(3), 1);
    assert_eq!(say(&mut ours, &mut theirs, 3), Ok(1));
}

#[test]
fn peers_learn_from_every_frame_count_refusals_and_stay_bounded() {
    let mut peers = Peers::new(1);
    let vote = said(every_kind().swap_remove(3));
    for speaks in [1, 0] {
        let mut out = Vec::new();
        let mut batch = wire::Batch::begin(0, speaks, &mut out).unwrap();
        batch.push(&vote).unwrap();
        batch.finish().unwrap();
        peers.decode(out.into()).unwrap();
        assert_eq!(peers.versions(NodeId(2)).speak(), speaks);
    }
    let mut damaged = frame(&vote, 1);
    damaged[30] ^= 1;
    let told = peers.decode(damaged.into()).unwrap_err();
    assert!(told.loses_the_stream());
    assert!(peers.decode(Bytes::from_static(b"GET / HTTP/1.1")).is_err());
    let counts: Vec<_> = peers.refused().collect();
    assert_eq!(counts, [(Refusal::Frame, 1), (Refusal::Checksum, 1)]);
    for node in 0..2 * Peers::MAX as u64 {
        peers.learn(NodeId(node), 1);
    }
    assert_eq!(peers.versions(NodeId(Peers::MAX as u64 - 1)).speak(), 1);
    assert_eq!(peers.versions(NodeId(2 * Peers::MAX as u64 - 1)).speak(), 0);
}

#[test]
fn a_damaged_hard_state_is_never_an_older_one() {
    // D-W2: flipped or cut anywhere, it is refused by name.
    let mut fresh =
        HardState::new(hard_state().cluster, hard_state().group, NodeId(1), Incarnation(1));
    for hard in [hard_state(), fresh.clone(), {
        fresh.term = Term(u64::MAX);
        fresh
    }] {
        let good = hard.encode();
        assert_eq!(HardState::decode(good.clone()), Ok(hard));
        for at in 0..good.len() {
            for xor in 1..=255 {
                let mut bytes = good.to_vec();
                bytes[at] ^= xor;
                assert!(HardState::decode(bytes.into()).is_err(), "byte {at} xor {xor}");
            }
            let told = HardState::decode(good.slice(..at));
            assert!(matches!(told, Err(RecordError::Short { .. })), "cut at {at}");
        }
        let mut longer = good.to_vec();
        longer.push(0);
        let trailing = RecordError::Trailing { record: good.len(), found: longer.len() };
        assert_eq!(HardState::decode(longer.into()), Err(trailing));
    }
}

#[test]
fn a_damaged_description_of_a_snapshot_is_refused() {
    // D-Z9.
    let mut blank = meta();
    blank.configuration = Configuration::default();
    for meta in [meta(), blank] {
        let good = meta.encode();
        assert_eq!(SnapshotMeta::decode(good.clone()), Ok(meta));
        for at in 0..good.len() {
            let mut bytes = good.to_vec();
            bytes[at] ^= 1;
            assert!(SnapshotMeta::decode(bytes.into()).is_err(), "byte {at}");
            assert!(SnapshotMeta::decode(good.slice(..at)).is_err(), "cut at {at}");
        }
        assert_eq!(HardState::decode(good), Err(RecordError::Tag { found: b's' }));
    }
}

#[test]
fn a_log_of_records_ends_where_a_write_was_cut_and_is_damaged_anywhere_else() {
    // B-092: only an end that was never written may be cut.
    let all = entries(&[EntryKind::NOOP, EntryKind::COMMAND, EntryKind(200)]);
    let mut file = Vec::new();
    let mut ends = Vec::new();
    for at in all.iter() {
        wire::encode_entry(at.position, at.entry, &mut file);
        ends.push(file.len());
    }
    let read = |bytes: &[u8]| {
        let mut log = Bytes::copy_from_slice(bytes);
        let mut found: Vec<(LogPosition, Entry)> = Vec::new();
        while !log.is_empty() {
            match wire::decode_entry(&mut log) {
                Ok(entry) => found.push(entry),
                Err(error) => return (found, Some(error)),
            }
        }
        (found, None)
    };
    let (found, end) = read(&file);
    assert_eq!((Entries::collect(found).unwrap(), end), (all, None));
    for cut in 0..file.len() {
        let (found, end) = read(&file[..cut]);
        let whole = ends.iter().filter(|end| **end <= cut).count();
        assert_eq!(found.len(), whole, "cut at {cut}");
        match end {
            None => assert!(cut == 0 || ends.contains(&cut)),
            Some(error) => assert!(matches!(error, RecordError::Short { .. })),
        }
    }
    for at in 0..file.len() {
        let mut bytes = file.clone();
        bytes[at] ^= 0x10;
        let (found, end) = read(&bytes);
        assert!(end.is_some(), "byte {at}");
        assert_eq!(found.len(), ends.iter().filter(|end| **end <= at).count());
    }
}

#[test]
fn entries_are_equal_by_what_they_are() {
    let entry = |n: u8| Entry { payload: Bytes::copy_from_slice(&[n]), ..Entry::default() };
    let run = |first, of: &[u8]| {
        Run::seal(Term(2), LogIndex(first), of.iter().map(|n| entry(*n)).collect()).unwrap()
    };
    let whole = Entries::from(run(5, &[1, 2, 3]));
    let mut parts = Entries::from(run(5, &[1]));
    assert_ne!(whole, parts);
    parts.push(run(6, &[2, 3])).unwrap();
    assert_eq!(whole, parts);
    assert_ne!(Entries::from(run(6, &[1, 2, 3])), whole);
    assert_ne!(Entries::from(run(5, &[1, 2, 4])), whole);
}

/// One of each kind of message of a snapshot transfer.
fn every_chunk_message() -> Vec<ChunkMessage> {
    let stream = StreamId {
        leader: NodeId(2),
        term: Term(9),
        position: LogPosition::new(Term(7), LogIndex(40)),
    };
    let why = [
        ChunkRefusal::Overloaded,
        ChunkRefusal::StaleTerm,
        ChunkRefusal::TooLarge,
        ChunkRefusal::Broken,
        ChunkRefusal::Unknown,
    ];
    let bytes = Bytes::from_static(b"a piece");
    let mut all = vec![
        ChunkMessage::Offer { stream, meta: Box::new(meta()) },
        ChunkMessage::Data { stream, offset: 300, checksum: u64::MAX, bytes },
        ChunkMessage::Cancel { stream },
        ChunkMessage::Want { stream, session: 5, offset: 300 },
        ChunkMessage::Done { stream },
    ];
    all.extend(why.map(|why| ChunkMessage::Refuse { stream, why }));
    all
}

#[test]
fn every_message_of_a_transfer_comes_back_and_a_damaged_one_is_refused() {
    for message in every_chunk_message() {
        let good = message.encode();
        assert_eq!(ChunkMessage::decode(good.clone()), Ok(message));
        for at in 0..good.len() {
            let mut bytes = good.to_vec();
            bytes[at] ^= 0x11;
            assert!(ChunkMessage::decode(bytes.into()).is_err(), "byte {at}");
            assert!(ChunkMessage::decode(good.slice(..at)).is_err(), "cut at {at}");
        }
        assert!(SnapshotMeta::decode(good).is_err());
    }
}
