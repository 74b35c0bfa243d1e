//! The codec: everything that can be said is read as it was said, and nothing else is read.

use bytes::Bytes;
use proptest::{collection::vec, prelude::*, test_runner::TestRunner};
use raft_core::{Envelope, LogIndex, Message, wire};
use raft_proptest::{
    bytes::{
        arbitrary::{Around, entry, envelope, hard_state, meta, position},
        source::Source,
        wire::fuzz_wire,
    },
    strategy::message::any_envelope,
};

use crate::{config, rerun};

#[track_caller]
fn hold<T: std::fmt::Debug>(
    cases: u32,
    inputs: impl Strategy<Value = T>,
    test: impl Fn(T) -> Result<(), TestCaseError>,
) {
    if let Err(failure) = TestRunner::new(config(cases)).run(&inputs, test) {
        panic!("{failure}\n{}", rerun("wire"));
    }
}

/// What version 0 leaves of `envelope`.
fn least(mut envelope: Envelope) -> Envelope {
    match &mut envelope.message {
        Message::RequestVote(request) => request.authorised_by = None,
        Message::AppendReply(reply) => {
            reply.promise_ns = 0;
            reply.applied = LogIndex(0);
        }
        _ => {}
    }
    envelope
}

#[test]
fn every_envelope_comes_back_as_it_was() {
    hold(4_000, any_envelope(), |envelope| {
        for version in [0, 1] {
            let mut frame = Vec::new();
            if wire::encode(&envelope, version, &mut frame).is_err() {
                prop_assert!(version == 0 && frame.is_empty());
                continue;
            }
            let decoded = wire::decode(frame.clone().into())
                .map_err(|error| TestCaseError::fail(format!("version {version}: {error}")))?;
            let wanted = if version == 0 { least(envelope.clone()) } else { envelope.clone() };
            prop_assert_eq!(&decoded.envelope, &wanted);
            let mut again = Vec::new();
            wire::encode(&decoded.envelope, version, &mut again).expect("it was said before");
            prop_assert_eq!(again, frame);
        }
        Ok(())
    });
}

#[test]
fn every_kind_is_drawn() {
    let mut seen = std::collections::BTreeSet::new();
    let mut runner = TestRunner::new(config(400));
    let strategy = any_envelope();
    for _ in 0..400 {
        let drawn = strategy.new_tree(&mut runner).expect("always drawn");
        seen.insert(proptest::strategy::ValueTree::current(&drawn).message.name());
    }
    let all: std::collections::BTreeSet<_> =
        wire::MESSAGE_KINDS.iter().map(|(_, name, _)| *name).collect();
    assert_eq!(seen, all);
}

#[test]
fn a_changed_frame_is_refused_and_under_a_new_checksum_it_has_one_spelling() {
    let change = (any::<prop::sample::Index>(), any::<u8>());
    hold(4_000, (any_envelope(), vec(change, 1..4), any::<bool>()), |(envelope, changes, seal)| {
        let mut frame = Vec::new();
        wire::encode(&envelope, 1, &mut frame).expect("version 1 says everything");
        let good = frame.clone();
        for (at, byte) in changes {
            let at = at.index(frame.len());
            frame[at] = byte;
        }
        if seal {
            wire::reseal(&mut frame);
            fuzz_wire(&frame); // panics if it is read otherwise than written
        } else if frame != good {
            prop_assert!(wire::decode(frame.into()).is_err());
        }
        Ok(())
    });
}

#[test]
fn records_come_back_as_they_were() {
    hold(2_000, vec(any::<u8>(), 0..120), |choices| {
        let mut source = Source::new(&choices);
        let base = Around::default().last;
        let hard = hard_state(&mut source);
        prop_assert_eq!(raft_core::HardState::decode(hard.encode()), Ok(hard));
        let meta = meta(&mut source, base);
        prop_assert_eq!(raft_core::SnapshotMeta::decode(meta.encode()), Ok(meta));
        let (at, entry) = (position(&mut source, base), entry(&mut source, 5));
        let mut log = Vec::new();
        wire::encode_entry(at, &entry, &mut log);
        let mut log = Bytes::from(log);
        prop_assert_eq!(wire::decode_entry(&mut log), Ok((at, entry)));
        prop_assert!(log.is_empty());
        Ok(())
    });
}

#[test]
fn a_stream_is_cut_where_its_frames_end() {
    hold(500, vec(any_envelope(), 1..6), |envelopes| {
        let mut stream = Vec::new();
        for envelope in &envelopes {
            wire::encode(envelope, 1, &mut stream).expect("version 1 says everything");
        }
        let mut stream = Bytes::from(stream);
        let mut read = Vec::new();
        while let Ok(Some(len)) = wire::frame_bytes(&stream, 1 << 20) {
            read.push(wire::decode(stream.split_to(len)).expect("as written").envelope);
        }
        prop_assert!(stream.is_empty());
        prop_assert_eq!(read, envelopes);
        Ok(())
    });
}

#[test]
fn any_choices_are_an_envelope() {
    hold(500, vec(any::<u8>(), 0..64), |choices| {
        let said = envelope(&mut Source::new(&choices), &Around::default());
        prop_assert_eq!(&said, &envelope(&mut Source::new(&choices), &Around::default()));
        Ok(())
    });
}
