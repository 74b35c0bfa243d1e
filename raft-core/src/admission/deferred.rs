//! Deferred proposals: accepted, not yet appended.
//!
//! **Intuition.** A low-priority proposal waits for the next settle, so that every high one of the
//! batch stands before it, and may wait a little longer so that many share one write. A candidate
//! may keep what arrives until its election is decided. Both end definitely while they wait, and
//! get the log's ticket when they are appended.
//! **Source.** S-37, S-39, S-42, S-53; D-W9 (counters that drift).
//! **Upholds.** `inv:bounded`, `inv:nothing-lost`.
//! **Not here.** Whether a proposal is taken (`mod.rs`).

use alloc::{collections::VecDeque, vec::Vec};
use core::fmt;

use bytes::Bytes;

use super::{Capacity, Priority, Proposal};
use crate::{
    Node,
    error::Rejected,
    input::Issued,
    lazy::Empty,
    output::{Outcome, Output},
    storage::recover::NUMBER_MAX,
    ticket::EndedRange,
    types::{Instant, LogIndex, Role, Term, Ticket},
};

/// Why a deferred proposal was never appended. Definite: it has no effect, now or later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum DeferredRefusal {
    /// The election it waited for was not won.
    ElectionLost,
    /// Leadership was lost before it was appended.
    NotLeader,
    /// Its deadline passed.
    DeadlinePassed,
    /// The node halted or was shut down.
    Halted,
}

impl fmt::Display for DeferredRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ElectionLost => "the election it waited for was not won",
            Self::NotLeader => "leadership was lost before it was appended",
            Self::DeadlinePassed => "its deadline passed before it was appended",
            Self::Halted => "the node stopped before it was appended",
        })
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
struct Waiting {
    ticket: Ticket,
    payload: Bytes,
    label: u64,
    deadline: Option<Instant>,
}

/// Proposals of one priority in order of arrival.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
struct Queue {
    waiting: VecDeque<Waiting>,
    bytes: u64,
}

impl Queue {
    fn push(&mut self, waiting: Waiting) {
        self.bytes = self.bytes.saturating_add(waiting.payload.len() as u64);
        self.waiting.push_back(waiting);
    }

    fn pop(&mut self) -> Option<Waiting> {
        let waiting = self.waiting.pop_front()?;
        self.bytes = self.bytes.saturating_sub(waiting.payload.len() as u64);
        Some(waiting)
    }

    fn front_bytes(&self) -> Option<u64> {
        self.waiting.front().map(|waiting| waiting.payload.len() as u64)
    }

    fn len(&self) -> u64 {
        self.waiting.len() as u64
    }
}

/// Low-priority entries of the log that still count: consecutive, of one term.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
struct Appended {
    term: Term,
    first: LogIndex,
    last: LogIndex,
    bytes: u64,
}

/// What low-priority entries hold of the limits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Outstanding {
    /// Of the open proposals.
    pub(crate) open: u64,
    /// Of what is not applied, in entries and payload bytes.
    pub(crate) entries: u64,
    pub(crate) bytes: u64,
}

/// Proposals accepted and not yet appended, and the low ones that were.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Deferred {
    high: Queue,
    low: Queue,
    minted: u64,
    /// When the low ones have waited long enough.
    ripe_at: Option<Instant>,
    ripe: bool,
    /// The earliest deadline of those that wait, or one that has left.
    deadline: Option<Instant>,
    appended: VecDeque<Appended>,
}

impl Empty for Deferred {
    const EMPTY: &'static Self = &Self {
        high: Queue { waiting: VecDeque::new(), bytes: 0 },
        low: Queue { waiting: VecDeque::new(), bytes: 0 },
        minted: 0,
        ripe_at: None,
        ripe: false,
        deadline: None,
        appended: VecDeque::new(),
    };
}

impl Deferred {
    /// How many wait: high ones of a candidate, low ones.
    pub(crate) fn waiting(&self) -> (u64, u64) {
        (self.high.len(), self.low.len())
    }

    /// Payload bytes that wait.
    pub(crate) const fn waiting_bytes(&self) -> u64 {
        self.high.bytes.saturating_add(self.low.bytes)
    }

    /// Whether nothing waits, nothing that waited still counts, and no time is awaited.
    pub(crate) fn is_idle(&self) -> bool {
        self.is_empty()
            && self.appended.is_empty()
            && self.deadline.is_none()
            && self.ripe_at.is_none()
    }

    fn is_empty(&self) -> bool {
        self.high.waiting.is_empty() && self.low.waiting.is_empty()
    }

    /// What the low-priority entries of the log hold of the limits of high ones.
    pub(crate) fn outstanding(&self, handed: LogIndex, applied: LogIndex) -> Outstanding {
        let mut sum = Outstanding::default();
        for range in self.appended.iter().filter(|range| range.last > applied) {
            let before = range.first.prev();
            sum.open = sum.open.saturating_add(range.last.since(before.max(handed)));
            sum.entries = sum.entries.saturating_add(range.last.since(before.max(applied)));
            sum.bytes = sum.bytes.saturating_add(range.bytes);
        }
        sum
    }

    fn note_appended(&mut self, term: Term, index: LogIndex, bytes: u64) {
        match self.appended.back_mut() {
            Some(last) if last.term == term && last.last.next() == index => {
                last.last = index;
                last.bytes = last.bytes.saturating_add(bytes);
            }
            _ => self.appended.push_back(Appended { term, first: index, last: index, bytes }),
        }
    }

    /// Everything that decides what happens next.
    pub(crate) fn fold(&self, now: Instant, mut word: impl FnMut(u64)) {
        for queue in [&self.high, &self.low] {
            word(queue.len());
            for waiting in &queue.waiting {
                word(waiting.label);
                word(waiting.deadline.map_or(u64::MAX, |at| at.since(now)));
                word(waiting.payload.len() as u64);
                waiting.payload.iter().for_each(|byte| word(u64::from(*byte)));
            }
        }
        word(self.ripe_at.map_or(u64::MAX, |at| at.since(now)));
        word(u64::from(self.ripe));
        word(self.deadline.map_or(u64::MAX, |at| at.since(now)));
        for range in &self.appended {
            for number in [range.term.0, range.first.0, range.last.0, range.bytes] {
                word(number);
            }
        }
    }

    /// Names what does not hold.
    pub(crate) fn check(&self, deferred_max: u64) -> Result<(), &'static str> {
        for queue in [&self.high, &self.low] {
            if queue.len() > deferred_max {
                return Err("the deferred queue is bounded");
            }
            let bytes: u64 = queue.waiting.iter().map(|w| w.payload.len() as u64).sum();
            if bytes != queue.bytes {
                return Err("deferred bytes are what waits (D-W9)");
            }
        }
        Ok(())
    }
}

impl Node {
    /// Keeps a proposal for later.
    pub(super) fn defer(&mut self, proposal: Proposal) -> Result<(), Rejected> {
        let size = proposal.payload.len() as u64;
        let held = self.deferred.outstanding(self.handed, self.applied);
        let (count, bytes) = match proposal.priority {
            Priority::High => (self.deferred.high.len(), self.deferred.high.bytes),
            Priority::Low => (
                self.deferred.low.len().saturating_add(held.entries),
                self.deferred.low.bytes.saturating_add(held.bytes),
            ),
        };
        if count >= u64::from(self.options.deferred_max)
            || count > 0 && bytes.saturating_add(size) > self.options.deferred_bytes_max
        {
            return Err(Rejected::QueueFull);
        }
        let spared =
            if proposal.priority == Priority::High { held } else { Outstanding::default() };
        if self.apply_queue_full(&spared) {
            return Err(Rejected::ApplyQueueFull);
        }
        if self.capacity != Capacity::All {
            return Err(Rejected::CommitStalled);
        }
        self.stir();
        let deferred = &mut self.deferred;
        deferred.minted = deferred.minted.saturating_add(1);
        let ticket = Ticket::deferred(deferred.minted);
        let Proposal { payload, priority, deadline, label } = proposal;
        let waiting = Waiting { ticket, payload, label, deadline };
        deferred.deadline = [deferred.deadline, deadline].into_iter().flatten().min();
        match priority {
            Priority::High => deferred.high.push(waiting),
            Priority::Low => {
                if deferred.low.waiting.is_empty() && self.options.batch_delay_ns > 0 {
                    deferred.ripe_at = Some(self.now.plus(self.options.batch_delay_ns));
                }
                deferred.low.push(waiting);
            }
        }
        self.accepted.issued = Issued::Deferred(ticket);
        Ok(())
    }

    /// Appends what has waited long enough.
    pub(crate) fn settle_deferred(&mut self) {
        if !self.deferred.appended.is_empty() {
            self.forget_applied_low();
        }
        if self.deferred.is_empty() || self.apply_failed.is_some() {
            return;
        }
        if self.role() != Role::Leader || self.transferring().is_some() {
            return;
        }
        self.drop_overdue();
        while let Some(size) = self.deferred.high.front_bytes() {
            if self.judge_append(size).is_err() {
                break;
            }
            let Some(waiting) = self.deferred.high.pop() else { break };
            self.admit(waiting);
        }
        let batch = u64::from(self.options.batch_max);
        self.deferred.ripe |= self.options.batch_delay_ns == 0 || self.deferred.low.len() >= batch;
        while let Some(size) = self.deferred.low.front_bytes().filter(|_| self.deferred.ripe) {
            let full = self.apply_queue_full(&Outstanding::default());
            if full || self.judge_store(1, size, &Outstanding::default()).is_err() {
                break;
            }
            let Some(waiting) = self.deferred.low.pop() else { break };
            let index = self.admit(waiting);
            self.deferred.note_appended(self.hard.term, index, size);
        }
        if self.deferred.low.waiting.is_empty() {
            self.deferred.ripe = false;
            self.deferred.ripe_at = None;
        }
    }

    fn admit(&mut self, waiting: Waiting) -> LogIndex {
        let (index, ticket) = self.append_proposal(waiting.payload, waiting.label);
        self.outbox.push_back(Output::Admitted { deferred: waiting.ticket, ticket, index });
        index
    }

    /// Whether the store takes another entry of `bytes`, beyond what `spared` holds.
    pub(crate) fn judge_store(
        &mut self,
        entries: u64,
        bytes: u64,
        spared: &Outstanding,
    ) -> Result<(), Rejected> {
        let stalled = self.capacity != Capacity::All
            || self.log.last_index().0 >= NUMBER_MAX
            || !self.tail_has_room_beyond(entries, bytes, spared);
        if stalled { Err(Rejected::CommitStalled) } else { Ok(()) }
    }

    /// Low entries that were applied, or whose reign nobody waits for any more, hold nothing.
    fn forget_applied_low(&mut self) {
        let (handed, applied, tickets) = (self.handed, self.applied, &self.tickets);
        self.deferred.appended.retain(|range| {
            range.last > applied && (range.last <= handed || tickets.knows(range.term))
        });
    }

    /// When a deferred proposal is due or too late.
    pub(crate) fn deferred_deadline(&self) -> Option<Instant> {
        let ripe_at = self.deferred.ripe_at.filter(|_| !self.deferred.ripe);
        [ripe_at, self.deferred.deadline].into_iter().flatten().min()
    }

    pub(crate) fn on_deferred_tick(&mut self) {
        if self.deferred.ripe_at.is_some_and(|at| self.now >= at) {
            self.deferred.ripe_at = None;
            self.deferred.ripe = true;
        }
        self.drop_overdue();
    }

    /// Ends what waited past its deadline.
    fn drop_overdue(&mut self) {
        let now = self.now;
        if self.deferred.deadline.is_none_or(|at| now < at) {
            return;
        }
        let mut overdue = Vec::new();
        let mut next = None;
        let deferred = &mut *self.deferred;
        for queue in [&mut deferred.high, &mut deferred.low] {
            let bytes = &mut queue.bytes;
            queue.waiting.retain(|waiting| match waiting.deadline {
                Some(at) if now >= at => {
                    *bytes = bytes.saturating_sub(waiting.payload.len() as u64);
                    overdue.push(waiting.ticket);
                    false
                }
                at => {
                    next = [next, at].into_iter().flatten().min();
                    true
                }
            });
        }
        deferred.deadline = next;
        self.end_deferred(&overdue, DeferredRefusal::DeadlinePassed);
    }

    /// The reign or candidacy is over: what was not appended never will be.
    pub(crate) fn refuse_deferred(&mut self, why: DeferredRefusal) {
        if self.deferred.is_empty() {
            return;
        }
        let deferred = &mut *self.deferred;
        let queues = [&mut deferred.high, &mut deferred.low];
        let all = queues.into_iter().flat_map(|q| core::mem::take(q).waiting);
        let tickets: Vec<Ticket> = all.map(|waiting| waiting.ticket).collect();
        self.deferred.ripe = false;
        self.deferred.ripe_at = None;
        self.deferred.deadline = None;
        self.end_deferred(&tickets, why);
    }

    fn end_deferred(&mut self, tickets: &[Ticket], why: DeferredRefusal) {
        for ticket in tickets {
            let outcome = Outcome::Refused(why);
            match self.ended.last_mut() {
                Some((range, of))
                    if *of == outcome && range.first.0.saturating_add(range.count) == ticket.0 =>
                {
                    range.count = range.count.saturating_add(1);
                }
                _ => self.ended.push((EndedRange { first: *ticket, count: 1 }, outcome)),
            }
        }
    }
}
