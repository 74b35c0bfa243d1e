//! Reads: what is open, what it waits for, and how it ends.
//!
//! **Intuition.** A leader may have been deposed without knowing. So a read notes the commit index
//! when it arrives, then waits until a round of heartbeats *begun after it* is answered by a
//! quorum in this term, and until the machine has applied that index. Any number of reads share a
//! round. Other levels replace the round by something else; the wait for the machine stays.
//! **Source.** Thesis §6.4; D-W7, D-T3, D-R5 and B-075 to B-078 are the ways to get it wrong.
//! **Upholds.** `inv:read-freshness`, `inv:linearizable`, `inv:bounded`.
//! **Not here.** Levels and admission (`level.rs`), reads at a follower (`follower.rs`), leases
//! (`lease.rs`), rounds themselves (`replication/heartbeat.rs`).

pub(crate) mod follower;
pub(crate) mod lease;
pub(crate) mod level;

pub use level::{ReadLevel, ReadRequest};

use alloc::{boxed::Box, collections::VecDeque, vec::Vec};

use crate::{
    Node,
    error::ReadFailure,
    lazy::Empty,
    output::Output,
    role::RoleState,
    types::{Instant, LogIndex, ReadTicket, Role},
};

use follower::FollowerReads;

/// A read at a leader that waits for its round.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
struct PendingRead {
    ticket: ReadTicket,
    index: LogIndex,
    /// The round that must be answered; 0 while none was begun after the read.
    round: u64,
    deadline: Option<Instant>,
}

/// A read that only waits for the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
struct Waiting {
    index: LogIndex,
    ticket: ReadTicket,
    level: ReadLevel,
    deadline: Option<Instant>,
    /// Its freshness was judged by this node as leader, and ends with the lead.
    led: bool,
}

/// Open reads.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct ReadQueue {
    /// In order of arrival: rounds rise along it.
    open: VecDeque<PendingRead>,
    /// By the index they wait for, ascending.
    waiting: VecDeque<Waiting>,
    /// To be handed out at the next settle.
    ready: Vec<(ReadTicket, LogIndex, ReadLevel)>,
    failed: Vec<(ReadTicket, ReadFailure)>,
    /// Once a follower here or a follower of ours has asked; rare, so it costs a word until then.
    follower: Option<Box<FollowerReads>>,
    /// No open read's deadline is before this.
    deadline: Option<Instant>,
    minted: u64,
}

impl Empty for ReadQueue {
    const EMPTY: &'static Self = &Self {
        open: VecDeque::new(),
        waiting: VecDeque::new(),
        ready: Vec::new(),
        failed: Vec::new(),
        follower: None,
        deadline: None,
        minted: 0,
    };
}

impl ReadQueue {
    pub(crate) fn len(&self) -> u64 {
        let parts = [
            self.open.len(),
            self.waiting.len(),
            self.ready.len(),
            self.failed.len(),
            self.follower.as_ref().map_or(0, |follower| follower.len()),
        ];
        parts.iter().fold(0, |sum, part| sum.saturating_add(*part as u64))
    }

    /// Whether no read is open, no follower ever asked, and no time is awaited.
    pub(crate) fn is_idle(&self) -> bool {
        self.follower.is_none() && self.len() == 0 && self.deadline.is_none()
    }

    fn mint(&mut self) -> ReadTicket {
        self.minted = self.minted.saturating_add(1);
        ReadTicket(self.minted)
    }

    /// Remembers that somebody wants to hear by `deadline`.
    fn watch(&mut self, deadline: Option<Instant>) {
        self.deadline = self.deadline.into_iter().chain(deadline).min();
    }

    /// Ends every read.
    pub(crate) fn fail_all(&mut self, reason: ReadFailure) {
        self.fail_led(reason, |_| true);
        self.failed.extend(self.waiting.drain(..).map(|read| (read.ticket, reason)));
        self.failed.extend(self.ready.drain(..).map(|(ticket, ..)| (ticket, reason)));
        if let Some(follower) = &mut self.follower {
            follower.fail(reason, &mut self.failed);
        }
    }

    /// Ends the reads that a leader was to confirm, and of those that it has confirmed and that
    /// wait for the machine the ones for which `also` holds.
    fn fail_led(&mut self, reason: ReadFailure, also: impl Fn(ReadLevel) -> bool) {
        self.failed.extend(self.open.drain(..).map(|read| (read.ticket, reason)));
        let failed = &mut self.failed;
        self.waiting.retain(|read| {
            let fails = read.led && also(read.level);
            if fails {
                failed.push((read.ticket, reason));
            }
            !fails
        });
    }

    /// Whether some read waits for a round to begin.
    pub(crate) fn wants_round(&self) -> bool {
        self.open.back().is_some_and(|read| read.round == 0)
            || self.follower.as_ref().is_some_and(|follower| follower.wants_round())
    }

    /// What each open read waits for: an index and, if it is not confirmed, a round.
    pub(crate) fn fold(&self, mut read: impl FnMut(LogIndex, u64)) {
        for open in &self.open {
            read(open.index, open.round);
        }
        for waiting in &self.waiting {
            read(waiting.index, u64::MAX);
        }
        if let Some(follower) = &self.follower {
            follower.fold(read);
        }
    }

    fn assign(&mut self, round: u64) {
        for read in self.open.iter_mut().rev().take_while(|read| read.round == 0) {
            read.round = round;
        }
        if let Some(follower) = &mut self.follower {
            follower.assign(round);
        }
    }

    /// The read is as fresh as its level asks; it waits for the machine to reach its index.
    fn confirmed(&mut self, read: Waiting) {
        let at = self.waiting.partition_point(|other| other.index <= read.index);
        self.waiting.insert(at, read);
        self.watch(read.deadline);
    }

    /// Fails what is too late at `now`, and finds the next deadline.
    fn expire(&mut self, now: Instant) {
        if self.deadline.is_none_or(|at| now < at) {
            return;
        }
        let late = |deadline: Option<Instant>| deadline.is_some_and(|at| now >= at);
        let reason = ReadFailure::DeadlinePassed;
        let (failed, mut next) = (&mut self.failed, None::<Instant>);
        let mut keep = |ticket, deadline: Option<Instant>| {
            if late(deadline) {
                failed.push((ticket, reason));
            } else {
                next = next.into_iter().chain(deadline).min();
            }
            !late(deadline)
        };
        self.open.retain(|read| keep(read.ticket, read.deadline));
        self.waiting.retain(|read| keep(read.ticket, read.deadline));
        if let Some(follower) = &mut self.follower {
            follower.retain(keep);
        }
        self.deadline = next;
    }
}

impl Node {
    /// Begins the round that confirms all reads which arrived since the last one.
    pub(crate) fn begin_read_round(&mut self) {
        if self.role() == Role::Leader
            && self.reads.wants_round()
            && let Some(round) = self.begin_round()
        {
            self.reads.assign(round);
        }
    }

    /// Leadership is over: what this node was to confirm, or has confirmed and not released, fails.
    pub(crate) fn fail_led_reads(&mut self, reason: ReadFailure) {
        let Some(reads) = self.reads.made() else { return };
        reads.fail_led(reason, |_| true);
        if let Some(follower) = &mut reads.follower {
            follower.forget_asked();
        }
    }

    /// Leadership is being handed over. Reads through the log are on their way like writes.
    pub(crate) fn fail_confirmed_reads(&mut self, reason: ReadFailure) {
        let Some(reads) = self.reads.made() else { return };
        reads.fail_led(reason, |level| level != ReadLevel::ThroughLog);
        if let Some(follower) = &mut reads.follower {
            follower.refuse_asked();
        }
    }

    /// Reports reads that ended without an answer.
    pub(crate) fn release_failed_reads(&mut self) {
        let Some(reads) = self.reads.made() else { return };
        for (ticket, reason) in reads.failed.drain(..) {
            self.outbox.push_back(Output::ReadFailed { ticket, reason });
        }
    }

    /// Hands out the reads that are confirmed and applied, and reports the failed ones.
    pub(crate) fn release_reads(&mut self) {
        if self.reads.len() == 0 {
            return;
        }
        self.release_failed_reads();
        let applied = self.applied;
        if let RoleState::Leader(leader) = &self.role {
            let answered = leader.quorum_round;
            while let Some(read) = self.reads.open.front() {
                if read.round == 0 || read.round > answered {
                    break;
                }
                let Some(PendingRead { ticket, index, deadline, .. }) = self.reads.open.pop_front()
                else {
                    break;
                };
                if index <= applied {
                    self.release(ticket, index, ReadLevel::Linearizable);
                } else {
                    let level = ReadLevel::Linearizable;
                    self.reads.confirmed(Waiting { index, ticket, level, deadline, led: true });
                }
            }
        }
        for (ticket, index, level) in core::mem::take(&mut self.reads.ready) {
            self.release(ticket, index, level);
        }
        while self.reads.waiting.front().is_some_and(|read| read.index <= applied) {
            let Some(read) = self.reads.waiting.pop_front() else { break };
            self.release(read.ticket, read.index, read.level);
        }
    }

    fn release(&mut self, ticket: ReadTicket, index: LogIndex, level: ReadLevel) {
        assert!(index <= self.applied, "a read is released on an applied state (B-076)");
        let (index, staleness_ns) = match level {
            ReadLevel::Local => (self.applied, self.staleness_ns()),
            _ => (index, Some(0)),
        };
        let term = self.hard.term;
        self.outbox.push_back(Output::ReadReady { ticket, index, term, level, staleness_ns });
    }

    /// How long ago this node surely was in touch with a working leader.
    fn staleness_ns(&self) -> Option<u64> {
        match &self.role {
            RoleState::Leader(leader) => Some(self.now.since(leader.contact)),
            _ => self.contact.map(|(_, at)| self.now.since(at)),
        }
    }

    pub(crate) fn reads_deadline(&self) -> Option<Instant> {
        let again_at = self.reads.follower.as_ref().and_then(|follower| follower.again_at());
        self.reads.deadline.into_iter().chain(again_at).min()
    }

    pub(crate) fn on_reads_tick(&mut self) {
        let Some(reads) = self.reads.made() else { return };
        reads.expire(self.now);
        if let Some(follower) = &mut reads.follower {
            follower.on_tick(self.now, self.options.heartbeat_ns);
        }
    }
}
