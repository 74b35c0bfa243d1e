//! Progress: what a leader believes about one peer's log.
//!
//! **Intuition.** *Probe*: the match is unknown, so at most one small message is under way until
//! the peer answers. *Replicate*: the match is known, so entries stream ahead of the answers, up
//! to a window in messages and bytes. A refusal falls back to probing. *Snapshot*: what it needs
//! has left the log; until it holds a snapshot it is only kept company.
//! **Source.** Thesis §3.5 (nextIndex, matchIndex), §10.2.2 (pipelining); the states are etcd's
//! idea.
//! **Upholds.** `inv:monotone` (match only rises in a reign, next stays above it), `inv:bounded`.
//! **Not here.** Sending (`leader.rs`), answers (`reply.rs`).

use alloc::collections::VecDeque;

use alloc::boxed::Box;

use crate::{
    log::Entries,
    options::Options,
    snapshot::send::{Sending, pause_ns},
    storage::fetch::Fetch,
    types::{Instant, LogIndex},
};

/// Whether the match point is known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum ProgressState {
    /// Looking for it, one message at a time.
    #[default]
    Probe,
    /// Streaming.
    Replicate,
    /// It needs a snapshot; no entries go until it holds one.
    Snapshot,
}

/// Progress of one peer in the current reign.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Progress {
    pub(crate) state: ProgressState,
    /// Next index to send.
    pub(crate) next: LogIndex,
    /// Highest index known to be durable at the peer and equal to ours.
    pub(crate) matched: LogIndex,
    /// Newest round the peer answered.
    pub(crate) acked_round: u64,
    /// Newest round sent to it.
    pub(crate) sent_round: u64,
    /// Highest commit index told to it.
    pub(crate) told_commit: LogIndex,
    /// While probing: a probe is under way.
    pub(crate) probing: bool,
    /// Appends that may be under way at once; the options' limit bounds it too. A refusal brings
    /// it down to one and each news of a match doubles it: a peer that drops what does not fit, or
    /// a network that reorders, is not sent a whole window anew for each message it refused.
    window: u64,
    /// Reads of older entries for this peer.
    pub(crate) fetch: Fetch,
    /// Entries read back for this peer, sent at the next settle.
    pub(crate) fetched: Option<Entries>,
    /// The snapshot on its way to this peer.
    pub(crate) sending: Option<Box<Sending>>,
    /// No other is sent before then.
    pub(crate) snapshot_after: Instant,
    /// Snapshots in a row that did not help.
    failures: u32,
    inflight: VecDeque<(LogIndex, u64)>,
    inflight_bytes: u64,
}

impl Progress {
    /// The peer at the start of a reign: everything unknown, next right after our log.
    pub(crate) fn start(last: LogIndex) -> Self {
        Self { next: last.next(), window: u64::MAX, ..Self::default() }
    }

    pub(crate) const fn window(&self) -> u64 {
        self.window
    }

    pub(crate) fn inflight(&self) -> (u64, u64) {
        (self.inflight.len() as u64, self.inflight_bytes)
    }

    /// Whether another append with entries may leave.
    pub(crate) fn may_send(&self, options: &Options) -> bool {
        match self.state {
            ProgressState::Probe => !self.probing,
            ProgressState::Snapshot => false,
            ProgressState::Replicate => {
                let window = self.window.min(u64::from(options.inflight_messages_max));
                (self.inflight.len() as u64) < window
                    && self.inflight_bytes < options.inflight_bytes_max
            }
        }
    }

    /// An append up to `last` left.
    pub(crate) fn on_sent(&mut self, last: LogIndex, bytes: u64) {
        match self.state {
            ProgressState::Probe | ProgressState::Snapshot => {
                // It takes the place of one that got lost.
                self.probing = true;
                self.inflight.clear();
                self.inflight_bytes = 0;
            }
            ProgressState::Replicate => self.next = last.next(),
        }
        self.inflight.push_back((last, bytes));
        self.inflight_bytes = self.inflight_bytes.saturating_add(bytes);
    }

    /// The peer holds everything up to `matched`. Returns whether that is news.
    pub(crate) fn on_matched(&mut self, matched: LogIndex) -> bool {
        while let Some((last, bytes)) = self.inflight.front().copied() {
            if last > matched {
                break;
            }
            self.inflight_bytes = self.inflight_bytes.saturating_sub(bytes);
            self.inflight.pop_front();
        }
        let news = matched > self.matched;
        if news {
            self.window = self.window.saturating_mul(2);
            self.failures = 0;
        }
        self.matched = self.matched.max(matched);
        self.next = self.next.max(self.matched.next());
        news
    }

    /// The peer accepted what was sent: its match point is known. A probe that is still under way,
    /// because something else told the match (a snapshot that was taken), is not sent once more; if
    /// it got lost, the refusal of what follows says so.
    pub(crate) fn become_replicate(&mut self) {
        match self.inflight.back() {
            Some((last, _)) if self.probing => self.next = self.next.max(last.next()),
            _ => {
                self.inflight.clear();
                self.inflight_bytes = 0;
            }
        }
        self.state = ProgressState::Replicate;
        self.probing = false;
        self.sending = None;
    }

    /// The peer needs what is no longer in the log.
    pub(crate) fn become_snapshot(&mut self) {
        self.become_probe(LogIndex::ZERO);
        self.state = ProgressState::Snapshot;
    }

    /// The log was compacted: what was asked for below is not there any more.
    pub(crate) fn on_compacted(&mut self, upto: LogIndex) {
        if self.next <= upto {
            self.fetch = Fetch::Idle;
            self.fetched = None;
        }
    }

    /// A snapshot did not help, or not yet: the next one waits.
    pub(crate) fn back_off(&mut self, now: Instant, retry_ns: u64) {
        self.snapshot_after = now.plus(pause_ns(retry_ns, self.failures));
        self.failures = self.failures.saturating_add(1);
    }

    /// The peer refused: look for the match from `next` down, never at or below the known match.
    pub(crate) fn become_probe(&mut self, next: LogIndex) {
        if self.state == ProgressState::Replicate {
            self.window = 1;
        }
        self.state = ProgressState::Probe;
        self.probing = false;
        self.sending = None;
        self.next = next.max(self.matched.next());
        self.inflight.clear();
        self.inflight_bytes = 0;
        self.fetch = Fetch::Idle;
        self.fetched = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn probing_allows_one_message_and_streaming_a_window() {
        let options =
            Options { inflight_messages_max: 2, inflight_bytes_max: 100, ..Options::default() };
        let mut sut = Progress::start(LogIndex(4));
        assert_eq!(sut.next, LogIndex(5));
        assert!(sut.may_send(&options));
        sut.on_sent(LogIndex(5), 10);
        assert!(!sut.may_send(&options));
        assert_eq!(sut.next, LogIndex(5), "a probe may have to be sent again");
        assert!(sut.on_matched(LogIndex(5)));
        sut.become_replicate();
        assert_eq!(sut.next, LogIndex(6));
        sut.on_sent(LogIndex(6), 10);
        sut.on_sent(LogIndex(8), 10);
        assert!(!sut.may_send(&options), "two messages under way");
        assert!(sut.on_matched(LogIndex(7)));
        assert_eq!(sut.inflight(), (1, 10));
        sut.on_sent(LogIndex(9), 90);
        assert!(!sut.may_send(&options), "bytes under way");
    }

    #[test]
    fn a_probe_under_way_is_not_sent_again_when_something_else_tells_the_match() {
        let options = Options { inflight_messages_max: 1, ..Options::default() };
        let mut sut = Progress::start(LogIndex(9));
        sut.on_sent(LogIndex(10), 7);
        sut.on_sent(LogIndex(10), 7);
        assert_eq!(sut.inflight(), (1, 7), "the one probe there is");
        assert!(sut.on_matched(LogIndex(9)));
        sut.become_replicate();
        assert_eq!((sut.next, sut.inflight()), (LogIndex(11), (1, 7)));
        assert!(!sut.may_send(&options), "it fills the window as any other");
        sut.on_matched(LogIndex(10));
        assert_eq!(sut.inflight(), (0, 0));
        // One whose time is up, as far as is known here, is no longer under way.
        let mut sut = Progress::start(LogIndex(9));
        sut.on_sent(LogIndex(10), 7);
        sut.probing = false;
        sut.on_matched(LogIndex(9));
        sut.become_replicate();
        assert_eq!((sut.next, sut.inflight()), (LogIndex(10), (0, 0)));
    }

    #[test]
    fn match_never_falls_and_next_stays_above_it() {
        let mut sut = Progress::start(LogIndex(9));
        sut.on_matched(LogIndex(7));
        assert!(!sut.on_matched(LogIndex(3)));
        assert_eq!((sut.matched, sut.next), (LogIndex(7), LogIndex(10)));
        sut.become_probe(LogIndex(2));
        assert_eq!(sut.next, LogIndex(8));
    }
}
