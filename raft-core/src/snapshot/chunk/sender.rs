//! The sending side of a chunked transfer.
//!
//! **Intuition.** It offers until it hears where to begin, then keeps a window of chunks ahead of
//! what is confirmed. Without news it goes back to what is confirmed and says it again; without
//! any answer for too long it gives up and says so. A receiver that started anew names its own place,
//! and that is believed.
//! **Source.** Ours (go-back-N); thesis §5.1, SEEDS S-93.
//! **Upholds.** `inv:bounded` (one window of reads and chunks).
//! **Not here.** Reading the bytes (the driver), taking them (`receiver.rs`).

use alloc::{boxed::Box, collections::VecDeque};

use bytes::Bytes;

use super::{ChunkMessage, ChunkOptions, ChunkRefusal, SnapshotDigest, StreamId};
use crate::{
    output::SendSnapshot,
    snapshot::{SnapshotId, meta::SnapshotMeta, send::SendFailure},
    types::{Instant, NodeId, Term},
};

/// What a sender is told.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum SenderInput {
    /// Time has passed.
    Tick,
    /// The receiver said something.
    Message(ChunkMessage),
    /// Bytes that were asked for with `Read`.
    Read {
        /// Where they begin.
        offset: u64,
        /// All of them.
        bytes: Bytes,
    },
    /// They cannot be read.
    ReadFailed,
    /// The node's term. Another than the snapshot's ends the transfer.
    Term(Term),
    /// It is not wanted any more.
    Cancel,
}

/// What a sender asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum SenderOutput {
    /// Read this part of the snapshot's data.
    Read {
        /// Where it begins.
        offset: u64,
        /// How many bytes.
        len: u32,
    },
    /// Send to the receiver.
    Send(ChunkMessage),
    /// The transfer is over: tell the node `SnapshotSent`.
    Sent(SnapshotId),
    /// The transfer is over: tell the node `SnapshotSendFailed`.
    Failed(SnapshotId, SendFailure),
}

/// How a transfer ended.
type End = Result<(), SendFailure>;

/// One snapshot on its way to one peer. Drop it once it has ended and nothing is left to poll.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct ChunkSender {
    options: ChunkOptions,
    id: SnapshotId,
    to: NodeId,
    stream: StreamId,
    meta: Box<SnapshotMeta>,
    /// The receiver's start, once it has answered.
    session: Option<u64>,
    /// All below is confirmed.
    confirmed: u64,
    /// All below was asked to be read.
    asked: u64,
    /// What was asked to be read and has not come.
    reading: VecDeque<(u64, u32)>,
    resend_at: Instant,
    resends: u32,
    ended: Option<End>,
    outbox: VecDeque<SenderOutput>,
}

impl ChunkSender {
    /// Begins to send what the node asked for; `leader` is the node itself.
    #[must_use]
    pub fn new(options: ChunkOptions, leader: NodeId, send: SendSnapshot, now: Instant) -> Self {
        let stream = StreamId { leader, term: send.term, position: send.meta.position };
        let mut sender = Self {
            options,
            id: send.id,
            to: send.to,
            stream,
            meta: Box::new(send.meta),
            session: None,
            confirmed: 0,
            asked: 0,
            reading: VecDeque::new(),
            resend_at: now.plus(options.resend_ns),
            resends: 0,
            ended: None,
            outbox: VecDeque::new(),
        };
        sender.offer();
        sender
    }

    /// To whom its messages go.
    #[must_use]
    pub const fn to(&self) -> NodeId {
        self.to
    }

    /// The transfer.
    #[must_use]
    pub const fn stream(&self) -> StreamId {
        self.stream
    }

    /// Bytes that the receiver confirmed.
    #[must_use]
    pub const fn confirmed(&self) -> u64 {
        self.confirmed
    }

    /// Whether it is over; its last outputs may still have to be polled.
    #[must_use]
    pub const fn has_ended(&self) -> bool {
        self.ended.is_some()
    }

    /// When `Tick` is due at the latest; `None` once it has ended.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        self.ended.is_none().then_some(self.resend_at)
    }

    /// Takes one fact at local time `now`. What does not fit is ignored: any message may be late.
    pub fn step(&mut self, now: Instant, input: SenderInput) {
        if self.ended.is_some() {
            return;
        }
        match input {
            SenderInput::Tick => self.on_tick(now),
            SenderInput::Message(message) if message.stream() == self.stream => {
                self.on_message(now, message);
            }
            SenderInput::Message(_) => {}
            SenderInput::Read { offset, bytes } => self.on_read(offset, bytes),
            SenderInput::ReadFailed => self.cancel(SendFailure::Failed),
            SenderInput::Term(term) if term != self.stream.term => self.cancel(SendFailure::Failed),
            SenderInput::Term(_) => {}
            SenderInput::Cancel => self.cancel(SendFailure::Failed),
        }
    }

    /// The next piece of work.
    pub fn poll(&mut self) -> Option<SenderOutput> {
        self.outbox.pop_front()
    }

    fn offer(&mut self) {
        let message = ChunkMessage::Offer { stream: self.stream, meta: self.meta.clone() };
        self.outbox.push_back(SenderOutput::Send(message));
    }

    fn on_tick(&mut self, now: Instant) {
        if now < self.resend_at {
            return;
        }
        self.resend_at = now.plus(self.options.resend_ns);
        if !self.reading.is_empty() {
            // The own disk is slow; that is nobody's silence.
            return;
        }
        self.resends = self.resends.saturating_add(1);
        if self.resends > self.options.resends_max {
            self.cancel(SendFailure::Failed);
            return;
        }
        // The offer finds out where the receiver is, also if it started anew.
        self.offer();
        self.asked = self.confirmed;
        self.fill_window();
    }

    fn on_message(&mut self, now: Instant, message: ChunkMessage) {
        match message {
            ChunkMessage::Want { session, offset, .. } if offset <= self.meta.size_bytes => {
                self.on_want(now, session, offset);
            }
            ChunkMessage::Done { .. } => {
                self.ended = Some(Ok(()));
                self.outbox.push_back(SenderOutput::Sent(self.id));
            }
            ChunkMessage::Refuse { why, .. } => self.on_refusal(why),
            _ => {}
        }
    }

    fn on_refusal(&mut self, why: ChunkRefusal) {
        match why {
            ChunkRefusal::Unknown if self.session.take().is_some() => self.offer(),
            // The offer that answers it is under way.
            ChunkRefusal::Unknown => {}
            ChunkRefusal::Overloaded => self.end(SendFailure::Overloaded),
            _ => self.end(SendFailure::Failed),
        }
    }

    fn on_want(&mut self, now: Instant, session: u64, offset: u64) {
        if self.session != Some(session) {
            // It started, or started anew: what it says is where it is.
            self.session = Some(session);
            self.confirmed = offset;
            self.asked = offset;
        } else if offset > self.confirmed {
            self.confirmed = offset;
            self.asked = self.asked.max(offset);
        } else {
            // No news, but a sign of life: it may be slow to write.
            self.resends = 0;
            return;
        }
        self.resends = 0;
        self.resend_at = now.plus(self.options.resend_ns);
        self.fill_window();
    }

    /// Asks for what the window allows.
    fn fill_window(&mut self) {
        if self.session.is_none() {
            return;
        }
        let size = self.meta.size_bytes;
        let end = size.min(self.confirmed.saturating_add(self.options.window_bytes()));
        let window = u64::from(self.options.window);
        while self.asked < end && (self.reading.len() as u64) < window {
            let left = size.saturating_sub(self.asked);
            let len = u32::try_from(left).unwrap_or(u32::MAX).min(self.options.chunk_bytes);
            self.reading.push_back((self.asked, len));
            self.outbox.push_back(SenderOutput::Read { offset: self.asked, len });
            self.asked = self.asked.saturating_add(u64::from(len));
        }
        assert!(self.reading.len() as u64 <= window, "one window of reads (inv:bounded)");
    }

    fn on_read(&mut self, offset: u64, bytes: Bytes) {
        let Some(at) = self.reading.iter().position(|(at, _)| *at == offset) else { return };
        let Some((_, len)) = self.reading.remove(at) else { return };
        if bytes.len() as u64 != u64::from(len) {
            // The snapshot is not what its description says.
            self.cancel(SendFailure::Failed);
            return;
        }
        let checksum = SnapshotDigest::of_chunk(offset, &bytes);
        let message = ChunkMessage::Data { stream: self.stream, offset, checksum, bytes };
        self.outbox.push_back(SenderOutput::Send(message));
        self.fill_window();
    }

    fn cancel(&mut self, failure: SendFailure) {
        let message = ChunkMessage::Cancel { stream: self.stream };
        self.outbox.push_back(SenderOutput::Send(message));
        self.end(failure);
    }

    fn end(&mut self, failure: SendFailure) {
        self.ended = Some(Err(failure));
        self.reading.clear();
        self.outbox.push_back(SenderOutput::Failed(self.id, failure));
    }
}
