//! Chunked transfer: over a network that does everything, between sides that crash.
//!
//! **Intuition.** Whatever is lost, doubled, damaged or reordered, the receiver reports a snapshot
//! once and only if every byte is right; and without such trouble the transfer ends.
//! **Source.** Thesis §5.1 with departure D7, SEEDS S-93; B-054, B-055, B-097.
//! **Upholds.** `inv:snapshot-agrees`, `inv:bounded`.
//! **Not here.** When a snapshot is sent (`snapshots.rs`).

use bytes::Bytes;
use raft_core::{
    BootId, Instant, LogIndex, NodeId, ReceivedSnapshot, SendFailure, SendSnapshot, StageId, Term,
    chunk::{
        ChunkMessage, ChunkOptions, ChunkOptionsError, ChunkReceiver, ChunkRefusal, ChunkSender,
        Partial, ReceiverInput, ReceiverOutput, SenderInput, SenderOutput, SnapshotDigest,
        StreamId,
    },
};

use crate::rig::*;

const DATA: usize = 1_000;

fn data() -> Vec<u8> {
    (0..DATA as u64).map(|at| (at.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8).collect()
}

fn options() -> ChunkOptions {
    ChunkOptions { chunk_bytes: 64, window: 4, resend_ns: 10 * MS, ..ChunkOptions::default() }
}

/// A request as a leader makes it, for the bytes of [`data`].
fn request(term: u64) -> SendSnapshot {
    let mut rig = Rig::with(3, crate::snapshots::eager());
    rig.elect(1);
    rig.slow_parcels = true;
    for _ in 0..8 {
        rig.propose(1, "x");
        rig.deliver_among(&[1, 2]);
    }
    rig.run(100 * MS);
    let mut send = rig.at(1).sends.remove(0);
    send.term = Term(term);
    send.meta.digest = SnapshotDigest::of(&data());
    send.meta.size_bytes = DATA as u64;
    send
}

/// Two sides, what is between them, and the receiver's disk.
struct Pair {
    sender: ChunkSender,
    receiver: ChunkReceiver,
    send: SendSnapshot,
    now: Instant,
    to_receiver: Vec<ChunkMessage>,
    to_sender: Vec<ChunkMessage>,
    /// Reads not yet answered.
    reads: Vec<(u64, u32)>,
    /// Writes not yet done: stage, offset, bytes.
    writes: Vec<(StageId, u64, Bytes)>,
    finishes: Vec<StageId>,
    stage: Option<(StageId, Vec<u8>)>,
    description: Option<raft_core::SnapshotMeta>,
    received: Vec<ReceivedSnapshot>,
    discarded: usize,
    ended: Vec<Result<(), SendFailure>>,
    boots: u64,
}

impl Pair {
    fn new() -> Self {
        let now = Instant(1_000 * MS);
        let send = request(1);
        Self {
            sender: ChunkSender::new(options(), NodeId(1), send.clone(), now),
            receiver: ChunkReceiver::new(options(), BootId(1), 0, None),
            send,
            now,
            to_receiver: Vec::new(),
            to_sender: Vec::new(),
            reads: Vec::new(),
            writes: Vec::new(),
            finishes: Vec::new(),
            stage: None,
            description: None,
            received: Vec::new(),
            discarded: 0,
            ended: Vec::new(),
            boots: 1,
        }
    }

    fn drain(&mut self) {
        while let Some(output) = self.sender.poll() {
            match output {
                SenderOutput::Read { offset, len } => self.reads.push((offset, len)),
                SenderOutput::Send(message) => self.to_receiver.push(message),
                SenderOutput::Sent(id) => {
                    assert_eq!(id, self.send.id);
                    self.ended.push(Ok(()));
                }
                SenderOutput::Failed(_, failure) => self.ended.push(Err(failure)),
                other => panic!("{other:?}"),
            }
        }
        assert!(self.reads.len() <= 4, "one window of reads");
        while let Some(output) = self.receiver.poll() {
            match output {
                ReceiverOutput::Send { to, message } => {
                    assert_eq!(to, NodeId(1));
                    self.to_sender.push(message);
                }
                ReceiverOutput::Open { stage, meta } => {
                    self.stage = Some((stage, Vec::new()));
                    self.description = Some(*meta);
                }
                ReceiverOutput::Write { stage, offset, bytes } => {
                    self.writes.push((stage, offset, bytes));
                }
                ReceiverOutput::Finish { stage } => self.finishes.push(stage),
                ReceiverOutput::Discard(stage) => {
                    let held = self.stage.take().map(|(held, _)| held);
                    assert_eq!(held, Some(stage));
                    self.writes.retain(|(of, ..)| *of != stage);
                    self.discarded += 1;
                }
                ReceiverOutput::Received(received) => {
                    let (stage, bytes) = self.stage.clone().unwrap();
                    assert_eq!((received.stage, bytes), (stage, data()), "whole and right");
                    self.received.push(*received);
                }
                other => panic!("{other:?}"),
            }
        }
        assert!(self.writes.len() <= 16, "two windows of writes");
    }

    fn tell_sender(&mut self, input: SenderInput) {
        self.sender.step(self.now, input);
        self.drain();
    }

    fn tell_receiver(&mut self, input: ReceiverInput) {
        self.receiver.step(self.now, input);
        self.drain();
    }

    fn read_one(&mut self) {
        let (offset, len) = self.reads.remove(0);
        let bytes = Bytes::copy_from_slice(&data()[offset as usize..][..len as usize]);
        self.tell_sender(SenderInput::Read { offset, bytes });
    }

    fn write_one(&mut self) {
        let (stage, offset, bytes) = self.writes.remove(0);
        let Some((held, file)) = self.stage.as_mut().filter(|(held, _)| *held == stage) else {
            return;
        };
        assert_eq!(file.len() as u64, offset, "pieces come in turn");
        file.extend_from_slice(&bytes);
        let input = ReceiverInput::Written { stage: *held, upto: file.len() as u64 };
        self.tell_receiver(input);
    }

    fn hear(&mut self, message: ChunkMessage) {
        self.tell_receiver(ReceiverInput::Message { from: NodeId(1), message });
    }

    /// Everything that waits, until nothing does; time passes only if nothing else happens.
    fn run(&mut self) {
        self.drain();
        for _ in 0..10_000 {
            if !self.reads.is_empty() {
                self.read_one();
            } else if !self.writes.is_empty() {
                self.write_one();
            } else if let Some(stage) = self.finishes.pop() {
                self.tell_receiver(ReceiverInput::Finished { stage });
            } else if !self.to_receiver.is_empty() {
                let message = self.to_receiver.remove(0);
                self.hear(message);
            } else if !self.to_sender.is_empty() {
                let message = self.to_sender.remove(0);
                self.tell_sender(SenderInput::Message(message));
            } else if let Some(at) = self.sender.deadline() {
                self.now = self.now.max(at);
                self.tell_sender(SenderInput::Tick);
            } else {
                return;
            }
        }
        panic!("the transfer never ends");
    }

    /// The receiver's process dies; of what was written, `lost` bytes are gone.
    fn restart_receiver(&mut self, lost: usize) {
        self.boots += 1;
        self.writes.clear();
        self.finishes.clear();
        let part = self.stage.as_mut().map(|(stage, file)| {
            file.truncate(file.len().saturating_sub(lost));
            let mut digest = SnapshotDigest::new();
            digest.update(file);
            Partial { stage: *stage, meta: self.description.clone().unwrap(), digest }
        });
        let (boot, stages) = (BootId(self.boots), self.boots * 100);
        self.receiver = ChunkReceiver::new(options(), boot, stages, part);
    }
}

#[test]
fn a_snapshot_arrives_whole_and_is_told_once() {
    let mut pair = Pair::new();
    pair.run();
    assert_eq!((pair.received.len(), pair.ended.clone()), (1, vec![Ok(())]));
    let received = &pair.received[0];
    assert_eq!((received.from, received.term), (NodeId(1), Term(1)));
    assert_eq!(received.meta, pair.send.meta);
    assert_eq!(pair.sender.confirmed(), 1_000);
    assert!(pair.sender.has_ended());
}

#[test]
fn a_hostile_network_delays_a_transfer_and_never_spoils_it() {
    let (mut whole, mut damaged, mut crashed, mut resumed) = (0, 0, 0, 0);
    for seed in 1..=300_u64 {
        let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        let mut dice = |bound: u64| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state % bound
        };
        let mut pair = Pair::new();
        pair.drain();
        for _ in 0..1_500 {
            match dice(12) {
                0..4 if !pair.to_receiver.is_empty() => {
                    let at = dice(pair.to_receiver.len() as u64) as usize;
                    let mut message = pair.to_receiver.swap_remove(at);
                    match dice(8) {
                        0 => continue,
                        1 => pair.to_receiver.push(message.clone()),
                        2 => {
                            if let ChunkMessage::Data { bytes, .. } = &mut message {
                                let mut bad = bytes.to_vec();
                                let at = dice(bad.len() as u64) as usize;
                                bad[at] ^= 1 << dice(8);
                                *bytes = bad.into();
                                damaged += 1;
                            }
                        }
                        _ => {}
                    }
                    pair.hear(message);
                }
                4..6 if !pair.to_sender.is_empty() => {
                    let at = dice(pair.to_sender.len() as u64) as usize;
                    let message = pair.to_sender.swap_remove(at);
                    if dice(4) > 0 {
                        pair.tell_sender(SenderInput::Message(message));
                    }
                }
                6..8 if !pair.reads.is_empty() => pair.read_one(),
                8..10 if !pair.writes.is_empty() => pair.write_one(),
                10 => {
                    pair.now = pair.now.plus(dice(6 * MS));
                    pair.tell_sender(SenderInput::Tick);
                }
                11 if dice(40) == 0 && pair.received.is_empty() => {
                    let held = pair.stage.as_ref().map_or(0, |(_, file)| file.len());
                    pair.restart_receiver(dice(100) as usize);
                    crashed += 1;
                    resumed += usize::from(held > 100);
                }
                _ => {}
            }
        }
        pair.run();
        assert!(pair.received.len() <= 1, "seed {seed}: told twice");
        if pair.ended == [Ok(())] {
            assert_eq!(pair.received.len(), 1, "seed {seed}");
            whole += 1;
        }
    }
    assert!(
        whole > 200 && damaged > 300 && crashed > 50 && resumed > 10,
        "{whole} {damaged} {crashed} {resumed}"
    );
}

#[test]
fn a_restarted_receiver_goes_on_where_its_disk_ends() {
    let mut pair = Pair::new();
    pair.drain();
    while pair.stage.as_ref().is_none_or(|(_, file)| file.len() < 500) {
        for message in std::mem::take(&mut pair.to_receiver) {
            pair.hear(message);
        }
        for message in std::mem::take(&mut pair.to_sender) {
            pair.tell_sender(SenderInput::Message(message));
        }
        while !pair.reads.is_empty() {
            pair.read_one();
        }
        while !pair.writes.is_empty() {
            pair.write_one();
        }
    }
    let before = pair.stage.clone().unwrap();
    pair.restart_receiver(30);
    let read_again: u64 = {
        let from = before.1.len() as u64 - 30;
        pair.to_sender.clear();
        pair.run();
        DATA as u64 - from
    };
    assert_eq!((pair.received.len(), pair.received[0].stage), (1, before.0), "the same stage");
    assert!(read_again < DATA as u64);
    assert_eq!(pair.discarded, 0);
}

#[test]
fn bytes_of_another_snapshot_are_never_mixed_in() {
    // D7: another leader's snapshot of the same position, with other bytes; then the same bytes.
    let mut pair = Pair::new();
    pair.drain();
    let stream = pair.sender.stream();
    let offer = pair.to_receiver.remove(0);
    pair.hear(offer);
    let chunk = |stream, offset: usize| {
        let bytes = Bytes::copy_from_slice(&data()[offset..offset + 64]);
        let checksum = SnapshotDigest::of_chunk(offset as u64, &bytes);
        ChunkMessage::Data { stream, offset: offset as u64, checksum, bytes }
    };
    pair.hear(chunk(stream, 0));
    pair.write_one();
    let newer = StreamId { leader: NodeId(1), term: Term(2), position: stream.position };
    let mut meta = pair.send.meta.clone();
    pair.hear(ChunkMessage::Offer { stream: newer, meta: Box::new(meta.clone()) });
    assert_eq!(pair.receiver.progress(), Some((newer, 64)), "the same bytes go on");
    pair.hear(chunk(stream, 64));
    assert_eq!(pair.writes.len(), 0, "a chunk of the old stream is not one of the new");
    meta.digest ^= 1;
    let newest = StreamId { term: Term(3), ..newer };
    pair.hear(ChunkMessage::Offer { stream: newest, meta: Box::new(meta) });
    assert_eq!((pair.receiver.progress(), pair.discarded), (Some((newest, 0)), 1));
}

#[test]
fn b_054_a_late_chunk_opens_nothing() {
    let mut pair = Pair::new();
    pair.run();
    let stream = pair.sender.stream();
    let bytes = Bytes::copy_from_slice(&data()[960..]);
    let checksum = SnapshotDigest::of_chunk(960, &bytes);
    let late = ChunkMessage::Data { stream, offset: 960, checksum, bytes };
    pair.hear(late.clone());
    assert_eq!(pair.to_sender.pop(), Some(ChunkMessage::Done { stream }));
    pair.restart_receiver(0);
    pair.hear(late);
    let why = ChunkRefusal::Unknown;
    assert_eq!(pair.to_sender.pop(), Some(ChunkMessage::Refuse { stream, why }));
    assert_eq!((pair.receiver.progress(), pair.writes.len(), pair.received.len()), (None, 0, 1));
}

#[test]
fn a_whole_that_is_not_what_was_described_is_thrown_away() {
    // Every chunk passes its own check, the whole does not.
    let mut pair = Pair::new();
    pair.send.meta.digest ^= 1;
    pair.sender = ChunkSender::new(options(), NodeId(1), pair.send.clone(), pair.now);
    pair.run();
    assert_eq!((pair.received.len(), pair.discarded), (0, 1));
    assert_eq!(pair.ended, [Err(SendFailure::Failed)]);
}

#[test]
fn a_receiver_refuses_what_it_cannot_take_now_or_ever() {
    let refusal = |pair: &mut Pair| {
        pair.drain();
        let offer = pair.to_receiver.remove(0);
        pair.hear(offer);
        match pair.to_sender.pop() {
            Some(ChunkMessage::Refuse { why, .. }) => why,
            other => panic!("{other:?}"),
        }
    };
    let mut pair = Pair::new();
    pair.tell_receiver(ReceiverInput::Busy(true));
    assert_eq!(refusal(&mut pair), ChunkRefusal::Overloaded);
    let stream = pair.sender.stream();
    let why = ChunkRefusal::Overloaded;
    pair.tell_sender(SenderInput::Message(ChunkMessage::Refuse { stream, why }));
    assert_eq!(pair.ended, [Err(SendFailure::Overloaded)]);

    let mut pair = Pair::new();
    pair.tell_receiver(ReceiverInput::Known { term: Term(2), commit: LogIndex(0) });
    assert_eq!(refusal(&mut pair), ChunkRefusal::StaleTerm);

    let mut pair = Pair::new();
    let small = ChunkOptions { size_bytes_max: 999, ..options() };
    pair.receiver = ChunkReceiver::new(small, BootId(1), 0, None);
    assert_eq!(refusal(&mut pair), ChunkRefusal::TooLarge);

    // What is committed already needs no bytes at all.
    let mut pair = Pair::new();
    pair.tell_receiver(ReceiverInput::Known { term: Term(1), commit: LogIndex(9) });
    pair.run();
    assert_eq!((pair.ended.clone(), pair.received.len()), (vec![Ok(())], 0));

    // A second leader waits until the first one has been silent for long.
    let mut pair = Pair::new();
    pair.drain();
    let offer = pair.to_receiver.remove(0);
    pair.hear(offer);
    let stream = StreamId { leader: NodeId(2), ..pair.sender.stream() };
    let meta = Box::new(pair.send.meta.clone());
    let offer = || ReceiverInput::Message {
        from: NodeId(2),
        message: ChunkMessage::Offer { stream, meta: meta.clone() },
    };
    pair.receiver.step(pair.now, offer());
    let mut last = None;
    while let Some(output) = pair.receiver.poll() {
        last = Some(output);
    }
    let message = ChunkMessage::Refuse { stream, why };
    assert_eq!(last, Some(ReceiverOutput::Send { to: NodeId(2), message }));
    pair.now = pair.receiver.deadline().unwrap();
    pair.receiver.step(pair.now, ReceiverInput::Tick);
    pair.receiver.step(pair.now, offer());
    assert_eq!(pair.receiver.progress(), Some((stream, 0)));
}

#[test]
fn a_sender_gives_up_in_silence_and_at_the_end_of_its_term() {
    let mut pair = Pair::new();
    for _ in 0..11 {
        pair.now = pair.sender.deadline().unwrap();
        pair.sender.step(pair.now, SenderInput::Tick);
        pair.drain();
        pair.to_receiver.clear();
    }
    assert_eq!(pair.ended, [Err(SendFailure::Failed)]);
    assert_eq!(pair.sender.deadline(), None);

    for input in [SenderInput::Term(Term(2)), SenderInput::Cancel, SenderInput::ReadFailed] {
        let mut pair = Pair::new();
        pair.drain();
        pair.tell_sender(SenderInput::Term(Term(1)));
        assert!(!pair.sender.has_ended());
        pair.tell_sender(input);
        assert_eq!(pair.ended, [Err(SendFailure::Failed)]);
        let stream = pair.sender.stream();
        assert_eq!(pair.to_receiver.pop(), Some(ChunkMessage::Cancel { stream }));
    }
    // A disk that gives fewer bytes than described is not believed.
    let mut pair = Pair::new();
    pair.drain();
    let (stream, session) = (pair.sender.stream(), 1);
    pair.tell_sender(SenderInput::Message(ChunkMessage::Want { stream, session, offset: 0 }));
    pair.tell_sender(SenderInput::Read { offset: 0, bytes: Bytes::from_static(b"short") });
    assert_eq!(pair.ended, [Err(SendFailure::Failed)]);
}

#[test]
fn forged_chunks_are_bounded_and_change_nothing() {
    let mut pair = Pair::new();
    pair.drain();
    let stream = pair.sender.stream();
    let offer = pair.to_receiver.remove(0);
    pair.hear(offer);
    let before = pair.receiver.clone();
    for (offset, len) in [(0, 0), (0, 65), (990, 20), (u64::MAX, 10), (640, 64), (u64::MAX - 3, 3)]
    {
        let bytes = Bytes::from(vec![7; len]);
        let checksum = SnapshotDigest::of_chunk(offset, &bytes);
        pair.hear(ChunkMessage::Data { stream, offset, checksum, bytes });
        assert_eq!(pair.receiver, before, "offset {offset} len {len}");
    }
    let other = StreamId { leader: NodeId(3), ..stream };
    pair.hear(ChunkMessage::Cancel { stream: other });
    assert_eq!(pair.receiver, before, "a leader speaks for itself alone");
    // Chunks far ahead fill no memory.
    for offset in 1..200 {
        let bytes = Bytes::from(vec![7; 1]);
        let checksum = SnapshotDigest::of_chunk(offset, &bytes);
        pair.hear(ChunkMessage::Data { stream, offset, checksum, bytes });
    }
    assert_eq!(pair.writes.len(), 0);
}

#[test]
fn limits_are_checked() {
    assert_eq!(ChunkOptions::default().validate(), Ok(()));
    let none = ChunkOptions { window: 0, ..ChunkOptions::default() };
    assert_eq!(none.validate(), Err(ChunkOptionsError::Zero("window")));
}
