//! The receiving side of chunked transfers into one group.
//!
//! **Intuition.** One transfer at a time. Chunks that come early wait in a small buffer, those that
//! come in turn are stirred into the digest and written; what is confirmed is what was written. At
//! the end the digest decides. What was written survives a transfer that ends early: the next offer
//! of the very same bytes, from whoever leads then, goes on there.
//! **Source.** Thesis §5.1 with departure D7 of our list; B-054, B-055, B-097.
//! **Upholds.** `inv:bounded` (one buffer, one window of writes), `inv:snapshot-agrees`.
//! **Not here.** Writing the bytes (the driver), whether the snapshot is wanted (the node).

use alloc::{
    boxed::Box,
    collections::{BTreeMap, VecDeque},
};

use bytes::Bytes;

use super::{ChunkMessage, ChunkOptions, ChunkRefusal, SnapshotDigest, StreamId};
use crate::{
    rng::mix,
    snapshot::{meta::SnapshotMeta, receive::ReceivedSnapshot},
    types::{BootId, Instant, LogIndex, NodeId, StageId, Term},
};

/// What a receiver is told.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum ReceiverInput {
    /// Time has passed.
    Tick,
    /// Somebody said something.
    Message {
        /// Who.
        from: NodeId,
        /// What.
        message: ChunkMessage,
    },
    /// All of the stage below `upto` is written.
    Written {
        /// Where.
        stage: StageId,
        /// Bytes from the start.
        upto: u64,
    },
    /// The stage is durable as a whole.
    Finished {
        /// Which.
        stage: StageId,
    },
    /// It could not be written.
    WriteFailed {
        /// Which.
        stage: StageId,
    },
    /// The node's term and commit index: senders of older terms are refused, snapshots of what is
    /// committed here are not needed.
    Known {
        /// Term.
        term: Term,
        /// Commit index.
        commit: LogIndex,
    },
    /// Whether there is too much to do for another transfer. One that is open goes on.
    Busy(bool),
}

/// What a receiver asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum ReceiverOutput {
    /// Send.
    Send {
        /// To whom.
        to: NodeId,
        /// What.
        message: ChunkMessage,
    },
    /// Make room for a snapshot and remember its description, to go on after a restart.
    Open {
        /// Under this number.
        stage: StageId,
        /// What it will be.
        meta: Box<SnapshotMeta>,
    },
    /// Write a piece, after those before it; then `Written`.
    Write {
        /// Where.
        stage: StageId,
        /// Offset in it.
        offset: u64,
        /// What.
        bytes: Bytes,
    },
    /// Everything was written: make it durable; then `Finished`.
    Finish {
        /// Which.
        stage: StageId,
    },
    /// Throw it away.
    Discard(StageId),
    /// Whole, checked and durable: tell the node `SnapshotReceived`.
    Received(Box<ReceivedSnapshot>),
}

/// A snapshot of which a beginning is here.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Partial {
    /// Where.
    pub stage: StageId,
    /// What it will be.
    pub meta: SnapshotMeta,
    /// Of all bytes that are here; after a restart the driver reads them again.
    pub digest: SnapshotDigest,
}

impl Partial {
    /// Whether it is a beginning of exactly those bytes.
    fn begins(&self, meta: &SnapshotMeta) -> bool {
        self.meta.position == meta.position
            && self.meta.digest == meta.digest
            && self.meta.size_bytes == meta.size_bytes
            && self.digest.len_bytes() <= meta.size_bytes
    }
}

/// The open transfer.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
struct Session {
    stream: StreamId,
    part: Partial,
    /// All below is written.
    written: u64,
    /// Came early, by offset.
    early: BTreeMap<u64, Bytes>,
    /// `Finish` was asked for.
    finishing: bool,
    heard_at: Instant,
}

impl Session {
    /// First byte that has not come in turn.
    const fn next(&self) -> u64 {
        self.part.digest.len_bytes()
    }
}

/// Takes transfers for one group, one at a time.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct ChunkReceiver {
    options: ChunkOptions,
    boot: BootId,
    /// Transfers begun in this boot.
    begun: u64,
    stages: u64,
    term: Term,
    commit: LogIndex,
    busy: bool,
    open: Option<Box<Session>>,
    part: Option<Box<Partial>>,
    done: Option<StreamId>,
    outbox: VecDeque<ReceiverOutput>,
}

impl ChunkReceiver {
    /// A receiver of this boot. `stages` is a number above every stage ever used on this disk;
    /// `part` is what an earlier boot left behind, its digest of the bytes that are there now.
    #[must_use]
    pub fn new(options: ChunkOptions, boot: BootId, stages: u64, part: Option<Partial>) -> Self {
        Self {
            options,
            boot,
            begun: 0,
            stages,
            term: Term::ZERO,
            commit: LogIndex::ZERO,
            busy: false,
            open: None,
            part: part.map(Box::new),
            done: None,
            outbox: VecDeque::new(),
        }
    }

    /// The transfer under way, and how much of it is written.
    #[must_use]
    pub fn progress(&self) -> Option<(StreamId, u64)> {
        self.open.as_ref().map(|open| (open.stream, open.written))
    }

    /// When `Tick` is due at the latest.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        let open = self.open.as_ref().filter(|open| !open.finishing)?;
        Some(open.heard_at.plus(self.options.idle_ns))
    }

    /// Takes one fact at local time `now`. What does not fit is ignored or answered.
    pub fn step(&mut self, now: Instant, input: ReceiverInput) {
        match input {
            ReceiverInput::Tick => {
                if self.deadline().is_some_and(|at| now >= at) {
                    self.set_aside();
                }
            }
            ReceiverInput::Message { from, message } => self.on_message(now, from, message),
            ReceiverInput::Written { stage, upto } => self.on_written(stage, upto),
            ReceiverInput::Finished { stage } => self.on_finished(stage),
            ReceiverInput::WriteFailed { stage } => {
                if self.open.as_ref().is_some_and(|open| open.part.stage == stage) {
                    self.throw_away();
                }
            }
            ReceiverInput::Known { term, commit } => self.on_known(term, commit),
            ReceiverInput::Busy(busy) => self.busy = busy,
        }
    }

    /// The next piece of work.
    pub fn poll(&mut self) -> Option<ReceiverOutput> {
        self.outbox.pop_front()
    }

    fn on_known(&mut self, term: Term, commit: LogIndex) {
        self.term = self.term.max(term);
        self.commit = self.commit.max(commit);
        if self.part.as_ref().is_some_and(|part| part.meta.index() <= self.commit) {
            self.drop_part();
        }
        let Some(open) = &self.open else { return };
        if open.stream.position.index <= self.commit && !open.finishing {
            let stream = open.stream;
            self.say(stream, ChunkMessage::Done { stream });
            self.set_aside();
            self.drop_part();
        } else if open.stream.term < self.term && !open.finishing {
            // Whoever leads now may offer the same bytes.
            self.set_aside();
        }
    }

    fn on_message(&mut self, now: Instant, from: NodeId, message: ChunkMessage) {
        let stream = message.stream();
        if stream.leader != from {
            return;
        }
        match message {
            ChunkMessage::Offer { meta, .. } => self.on_offer(now, stream, *meta),
            ChunkMessage::Data { offset, checksum, bytes, .. } => {
                self.on_data(now, stream, offset, checksum, bytes);
            }
            ChunkMessage::Cancel { .. } => self.on_cancel(stream),
            _ => {}
        }
    }

    fn on_cancel(&mut self, stream: StreamId) {
        if self.open.as_ref().is_some_and(|open| open.stream == stream && !open.finishing) {
            self.set_aside();
        }
    }

    fn on_offer(&mut self, now: Instant, stream: StreamId, meta: SnapshotMeta) {
        if stream.position != meta.position {
            return;
        }
        if self.done == Some(stream) || stream.position.index <= self.commit {
            self.say(stream, ChunkMessage::Done { stream });
            return;
        }
        if let Some(open) = &mut self.open {
            if open.stream == stream {
                if !open.finishing {
                    open.heard_at = now;
                }
                self.confirm();
                return;
            }
            // A newer term, or a newer snapshot of the same leader, is worth more than what is
            // under way; anything else waits. What is about to be durable is never dropped.
            let newer = (stream.term, stream.position) > (open.stream.term, open.stream.position);
            if open.finishing || !newer {
                self.refuse(stream, ChunkRefusal::Overloaded);
                return;
            }
        }
        let why = if stream.term < self.term {
            Some(ChunkRefusal::StaleTerm)
        } else if meta.size_bytes > self.options.size_bytes_max {
            Some(ChunkRefusal::TooLarge)
        } else {
            (self.busy && self.open.is_none()).then_some(ChunkRefusal::Overloaded)
        };
        if let Some(why) = why {
            self.refuse(stream, why);
            return;
        }
        self.set_aside();
        self.begin(now, stream, meta);
    }

    fn begin(&mut self, now: Instant, stream: StreamId, meta: SnapshotMeta) {
        if self.part.as_ref().is_some_and(|part| !part.begins(&meta)) {
            self.drop_part();
        }
        let part = match self.part.take() {
            Some(part) => Partial { meta, ..*part },
            None => {
                let stage = StageId(self.stages);
                self.stages = self.stages.saturating_add(1);
                let open = ReceiverOutput::Open { stage, meta: Box::new(meta.clone()) };
                self.outbox.push_back(open);
                Partial { stage, meta, digest: SnapshotDigest::new() }
            }
        };
        self.begun = self.begun.saturating_add(1);
        let written = part.digest.len_bytes();
        let early = BTreeMap::new();
        let session = Session { stream, part, written, early, finishing: false, heard_at: now };
        self.open = Some(Box::new(session));
        self.confirm();
        self.finish_if_whole();
    }

    fn on_data(
        &mut self,
        now: Instant,
        stream: StreamId,
        offset: u64,
        checksum: u64,
        bytes: Bytes,
    ) {
        let window = self.options.window_bytes();
        let Some(open) = self.open.as_mut().filter(|open| open.stream == stream) else {
            // A late chunk never opens a transfer.
            if self.done == Some(stream) {
                self.say(stream, ChunkMessage::Done { stream });
            } else {
                self.refuse(stream, ChunkRefusal::Unknown);
            }
            return;
        };
        let len = bytes.len() as u64;
        let end = offset.saturating_add(len);
        let fits = len > 0
            && len <= u64::from(self.options.chunk_bytes)
            && end <= open.part.meta.size_bytes
            && end <= open.written.saturating_add(window.saturating_mul(2))
            && SnapshotDigest::of_chunk(offset, &bytes) == checksum;
        if !fits || open.finishing {
            return;
        }
        open.heard_at = now;
        if end <= open.next() {
            // A repetition: our answer to it was lost, or is on its way.
            self.confirm();
            return;
        }
        if offset > open.next() && open.early.len() as u64 >= u64::from(self.options.window) {
            return;
        }
        open.early.insert(offset, bytes);
        let stage = open.part.stage;
        while let Some((offset, bytes)) = open.early.pop_first() {
            let next = open.next();
            if offset > next {
                open.early.insert(offset, bytes);
                break;
            }
            let Ok(skip) = usize::try_from(next.saturating_sub(offset)) else { continue };
            if skip >= bytes.len() {
                continue;
            }
            let bytes = bytes.slice(skip..);
            open.part.digest.update(&bytes);
            self.outbox.push_back(ReceiverOutput::Write { stage, offset: next, bytes });
        }
    }

    fn on_written(&mut self, stage: StageId, upto: u64) {
        let Some(open) = self.open.as_mut().filter(|open| open.part.stage == stage) else { return };
        if upto > open.next() || upto <= open.written {
            return;
        }
        open.written = upto;
        self.confirm();
        self.finish_if_whole();
    }

    fn finish_if_whole(&mut self) {
        let Some(open) = &mut self.open else { return };
        if open.finishing || open.written < open.part.meta.size_bytes {
            return;
        }
        if open.part.digest.finish() != open.part.meta.digest && open.part.meta.size_bytes > 0 {
            self.throw_away();
            return;
        }
        open.finishing = true;
        self.outbox.push_back(ReceiverOutput::Finish { stage: open.part.stage });
    }

    fn on_finished(&mut self, stage: StageId) {
        let whole = |open: &mut Box<Session>| open.part.stage == stage && open.finishing;
        let Some(open) = self.open.take_if(whole) else { return };
        let stream = open.stream;
        self.done = Some(stream);
        let (from, term, meta) = (stream.leader, stream.term, open.part.meta);
        let received = ReceivedSnapshot { stage, meta, from, term };
        self.outbox.push_back(ReceiverOutput::Received(Box::new(received)));
        self.say(stream, ChunkMessage::Done { stream });
    }

    /// The transfer ends here for now; what is written may be gone on with.
    fn set_aside(&mut self) {
        let Some(open) = self.open.take() else { return };
        if open.written == open.next() {
            self.part = Some(Box::new(open.part));
        } else {
            // The digest is ahead of what is written.
            self.outbox.push_back(ReceiverOutput::Discard(open.part.stage));
        }
    }

    fn drop_part(&mut self) {
        if let Some(part) = self.part.take() {
            self.outbox.push_back(ReceiverOutput::Discard(part.stage));
        }
    }

    fn throw_away(&mut self) {
        if let Some(open) = self.open.take() {
            self.outbox.push_back(ReceiverOutput::Discard(open.part.stage));
            self.refuse(open.stream, ChunkRefusal::Broken);
        }
    }

    fn confirm(&mut self) {
        let Some(open) = &self.open else { return };
        let session = mix(self.boot.0, self.begun);
        let (stream, offset) = (open.stream, open.written);
        self.say(stream, ChunkMessage::Want { stream, session, offset });
    }

    fn refuse(&mut self, stream: StreamId, why: ChunkRefusal) {
        self.say(stream, ChunkMessage::Refuse { stream, why });
    }

    fn say(&mut self, stream: StreamId, message: ChunkMessage) {
        self.outbox.push_back(ReceiverOutput::Send { to: stream.leader, message });
    }
}
