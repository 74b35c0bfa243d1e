//! Read levels: how fresh an answer must be, and who is admitted.
//!
//! **Intuition.** Every level answers "is this state fresh enough?" in its own way: by a round, by
//! the leader's lease, by a place in the log, or not at all. What they share is the wait for an
//! index, which is bounded: an index far above everything known here, or a deadline, ends it with
//! a definite error.
//! **Source.** Thesis §6.4; S-46 to S-50 (WARaft, RaftedValue); T-6.4.1-05 (the least index).
//! **Upholds.** `inv:read-freshness`, `inv:bounded`.
//! **Not here.** Waiting (`mod.rs`), asking the leader (`follower.rs`), leases (`lease.rs`).

use crate::{
    Node,
    admission::Capacity,
    error::{ReadError, Rejected},
    input::{Accepted, Input, Issued},
    log::{Entry, EntryKind},
    read::{PendingRead, Waiting, lease::NoLease},
    role::RoleState,
    storage::recover::NUMBER_MAX,
    types::{Instant, Lifecycle, LogIndex, Membership, ReadTicket, Role},
};

/// How fresh the answer must be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum ReadLevel {
    /// Confirmed by a round of heartbeats; at a follower, by asking its leader.
    #[default]
    Linearizable,
    /// By the leader's lease; refused if there is none (choose another level then).
    Lease,
    /// By an entry of its own in the log; at the leader.
    ThroughLog,
    /// Whatever is here, with its age; at any node that holds data.
    Local,
}

/// A read with more to say than that it is one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct ReadRequest {
    /// How fresh.
    pub level: ReadLevel,
    /// Not before this index is applied here. Refused if it is more than
    /// [`crate::Options::ready_lag_max`] above everything in the log here.
    pub min_index: LogIndex,
    /// Fail it if it is not ready by then. Without one, a read that nothing else bounds (it waits
    /// for an index that does not exist yet, or for the leader's word) fails after
    /// [`crate::Options::pending_after_loss_ns`].
    pub deadline: Option<Instant>,
}

impl Node {
    /// Asks for a linearizable read at the leader.
    ///
    /// # Errors
    /// [`ReadError`]: definite, as all errors of reads are.
    pub fn read(&mut self, now: Instant) -> Result<ReadTicket, ReadError> {
        self.ask_to_read(now, Input::Read)
    }

    /// Asks for a read at a chosen level.
    ///
    /// # Errors
    /// [`ReadError`]: definite.
    pub fn read_with(
        &mut self,
        now: Instant,
        request: ReadRequest,
    ) -> Result<ReadTicket, ReadError> {
        self.ask_to_read(now, Input::ReadWith(request))
    }

    fn ask_to_read(&mut self, now: Instant, input: Input) -> Result<ReadTicket, ReadError> {
        let refused = match self.step(now, input) {
            Ok(Accepted { issued: Issued::Read(ticket), .. }) => return Ok(ticket),
            Ok(_) => Rejected::Halted,
            Err(rejected) => rejected,
        };
        let not_leader = ReadError::NotLeader { hint: self.leader_hint() };
        Err(match refused {
            Rejected::NotLeader => not_leader,
            Rejected::ElectionInProgress => ReadError::ElectionInProgress { term: self.hard.term },
            Rejected::Transferring => self
                .transferring()
                .map_or(not_leader, |to| ReadError::Transferring { to: Some(to) }),
            Rejected::ReadQueueFull | Rejected::QueueFull => ReadError::QueueFull,
            Rejected::ApplyQueueFull => {
                let (entries, bytes) = self.apply_backlog();
                ReadError::ApplyQueueFull { entries, bytes }
            }
            Rejected::CommitStalled => ReadError::CommitStalled,
            Rejected::LeaseUnavailable => {
                ReadError::LeaseUnavailable(self.lease().err().unwrap_or(NoLease::NotEarned))
            }
            Rejected::IndexTooFarAhead => {
                ReadError::IndexTooFarAhead { last: self.log.last_index() }
            }
            Rejected::DeadlinePassed => ReadError::DeadlinePassed,
            Rejected::NoData => ReadError::NoData,
            Rejected::NotInGroup => ReadError::NotInGroup,
            Rejected::Disabled => ReadError::Disabled { reason: self.disabled() },
            Rejected::Quarantined => ReadError::Quarantined,
            Rejected::ApplyHalted => ReadError::ApplyHalted { at: self.apply_failed },
            _ => ReadError::Halted,
        })
    }

    /// Takes a linearizable read at a leader; nobody else takes this one.
    pub(crate) fn on_read(&mut self) -> Result<(), Rejected> {
        if self.role() != Role::Leader {
            return Err(self.not_leader());
        }
        self.on_read_with(ReadRequest::default())
    }

    pub(crate) fn on_read_with(&mut self, request: ReadRequest) -> Result<(), Rejected> {
        self.judge_reader()?;
        let ReadRequest { level, min_index, deadline } = request;
        match level {
            ReadLevel::Local => {}
            _ if self.transferring().is_some() => return Err(Rejected::Transferring),
            ReadLevel::Linearizable => self.judge_asker()?,
            ReadLevel::Lease | ReadLevel::ThroughLog if self.role() != Role::Leader => {
                return Err(self.not_leader());
            }
            ReadLevel::Lease if self.lease().is_err() => return Err(Rejected::LeaseUnavailable),
            ReadLevel::Lease | ReadLevel::ThroughLog => {}
        }
        if deadline.is_some_and(|at| self.now >= at) {
            return Err(Rejected::DeadlinePassed);
        }
        if min_index > self.log.last_index().plus(self.options.ready_lag_max) {
            return Err(Rejected::IndexTooFarAhead);
        }
        if self.reads.len() >= u64::from(self.options.reads_max) {
            return Err(Rejected::ReadQueueFull);
        }
        // A machine that is far behind would only gather reads.
        if level != ReadLevel::Local || min_index > self.applied {
            self.judge_machine()?;
        }
        if level == ReadLevel::ThroughLog {
            self.judge_query_entry()?;
        }
        let ticket = self.take_read(level, min_index, deadline);
        self.accepted.issued = Issued::Read(ticket);
        Ok(())
    }

    /// Takes a read that was judged.
    fn take_read(
        &mut self,
        level: ReadLevel,
        min_index: LogIndex,
        deadline: Option<Instant>,
    ) -> ReadTicket {
        let ticket = self.reads.mint();
        let patience = self.now.plus(self.options.pending_after_loss_ns);
        let unbounded = min_index > self.log.last_index();
        let deadline = deadline.or(unbounded.then_some(patience));
        let RoleState::Leader(leader) = &self.role else {
            if level == ReadLevel::Local {
                self.take_confirmed(ticket, min_index, level, deadline, false);
            } else {
                self.reads.ask(ticket, min_index, deadline.unwrap_or(patience));
            }
            return ticket;
        };
        // Before the own-term no-op is committed, commit may lag behind what earlier leaders
        // acknowledged; the no-op's index covers all of that.
        let index = self.commit.max(leader.opening).max(min_index);
        match level {
            ReadLevel::Linearizable => {
                self.reads.open.push_back(PendingRead { ticket, index, round: 0, deadline });
                self.reads.watch(deadline);
            }
            ReadLevel::Lease => self.take_confirmed(ticket, index, level, deadline, true),
            ReadLevel::ThroughLog => {
                let query = Entry { kind: EntryKind::QUERY, ..Entry::default() };
                let index = self.append_for_core(query).max(min_index);
                self.take_confirmed(ticket, index, level, deadline, true);
            }
            ReadLevel::Local => self.take_confirmed(ticket, min_index, level, deadline, false),
        }
        ticket
    }

    /// A read that only the machine can keep waiting.
    fn take_confirmed(
        &mut self,
        ticket: ReadTicket,
        index: LogIndex,
        level: ReadLevel,
        deadline: Option<Instant>,
        led: bool,
    ) {
        if index <= self.applied {
            self.reads.ready.push((ticket, index, level));
        } else {
            self.reads.confirmed(Waiting { index, ticket, level, deadline, led });
        }
    }

    /// Whether this node has anything to read.
    fn judge_reader(&self) -> Result<(), Rejected> {
        match self.lifecycle() {
            Lifecycle::Disabled => return Err(Rejected::Disabled),
            Lifecycle::Quarantined => return Err(Rejected::Quarantined),
            Lifecycle::Halted => return Err(Rejected::Halted),
            Lifecycle::Running => {}
        }
        match self.membership() {
            Membership::Blank | Membership::Witness => Err(Rejected::NoData),
            // A leader outside its own configuration leads until that is committed.
            _ if !self.belongs() && self.role() != Role::Leader => Err(Rejected::NotInGroup),
            Membership::Removed | Membership::Learner | Membership::Voter => Ok(()),
        }
    }

    /// Whether an entry that stands for a read may be appended.
    fn judge_query_entry(&mut self) -> Result<(), Rejected> {
        if self.tickets.open_count() >= self.options.proposals_max {
            return Err(Rejected::QueueFull);
        }
        let full = self.capacity != Capacity::All
            || self.log.last_index().0 >= NUMBER_MAX
            || !self.tail_has_room(1, 0);
        if full { Err(Rejected::CommitStalled) } else { Ok(()) }
    }
}
