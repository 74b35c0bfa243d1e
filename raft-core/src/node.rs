//! The node: one input at a time, settled into outputs.
//!
//! **Intuition.** `step` takes one fact and changes state; `poll` on an empty outbox *settles*,
//! that is, derives all work due now from the state. Nothing is emitted in between, so a thousand
//! proposals before one settle make one write and one append per peer, and whatever a slow disk
//! holds back is recomputed, not queued.
//! **Source.** Thesis Fig. 3.1; the contract of outputs is ours.
//! **Upholds.** `inv:monotone`, `inv:one-vote-per-term`, `inv:bounded` (the outbox holds one
//! settle's work and is only refilled when empty).
//! **Not here.** Who may speak to it (`receive.rs`), each input's handling (`election/`,
//! `replication/`, `read/`, `storage/`).

use alloc::{boxed::Box, collections::VecDeque, sync::Arc, vec::Vec};

use bytes::Bytes;

use crate::{
    admission::{Capacity, Priority, capacity::Backlog, deferred::Deferred},
    config::{Configuration, carry::Changes, members::Marks, quorum::Seat},
    error::{HaltReason, ProposeError, Rejected},
    input::{Accepted, Changed, Input, Issued},
    lazy::Lazy,
    lifecycle::skip::{ApplyFailure, Skips},
    log::{Entries, Log},
    message::{Envelope, Message},
    note::Note,
    operations::Operations,
    options::Options,
    output::{Outcome, Output},
    peer::Peer,
    read::ReadQueue,
    replication::follower::Answer,
    rng::Jitter,
    role::RoleState,
    settings::Settings,
    snapshot::Snapshots,
    status::Counters,
    storage::{
        Boot, DisableReason, HardState,
        fetch::Fetch,
        persist::{AckVerdict, PersistAck, PersistLane},
        recover::{BootError, has_lost, judge_boot},
    },
    ticket::{EndedRange, Tickets},
    timer::Remembered,
    transfer::send::Handover,
    types::{BootId, Incarnation, Instant, LogIndex, LogPosition, NodeId, Term, Ticket},
};

/// One server of one Raft group: a value, fed by [`Node::step`] and drained by [`Node::poll`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Node {
    /// Shared between the groups of a host until one of them differs.
    pub(crate) options: Arc<Options>,
    /// The configuration in force: the newest of the log.
    pub(crate) configuration: Configuration,
    /// What this node is in it.
    pub(crate) own_seat: Seat,
    pub(crate) marks: Marks,
    /// The group's settings, as committed here.
    pub(crate) settings: Settings,
    pub(crate) hard: HardState,
    pub(crate) boot_id: BootId,
    pub(crate) booted_at: Instant,
    /// The promise found on disk: no ordinary vote for this long after boot.
    pub(crate) boot_promise_ns: u64,
    pub(crate) now: Instant,
    pub(crate) role: RoleState,
    pub(crate) leader: Option<NodeId>,
    /// The last valid message from a leader: from whom, when.
    pub(crate) contact: Option<(NodeId, Instant)>,
    pub(crate) election_at: Instant,
    /// While asking for votes: when to ask again.
    pub(crate) retry_at: Instant,
    pub(crate) pre_vote_rounds: u64,
    pub(crate) jitter: Jitter,
    pub(crate) log: Log,
    pub(crate) lane: PersistLane,
    /// Highest index known to equal this term's leader's log.
    pub(crate) verified: LogIndex,
    pub(crate) answer: Answer,
    pub(crate) commit: LogIndex,
    /// Highest index handed out for apply.
    pub(crate) handed: LogIndex,
    pub(crate) applied: LogIndex,
    /// What was handed out for apply and is not yet applied: last index and bytes of each output.
    pub(crate) applying: VecDeque<(LogIndex, u64)>,
    pub(crate) applying_bytes: u64,
    pub(crate) apply_fetch: Lazy<Fetch>,
    pub(crate) apply_fetched: Option<Box<Entries>>,
    pub(crate) fetches: u64,
    /// Stamp of the last entry, or the highest ever seen if that entry left memory.
    pub(crate) last_stamp: u64,
    /// Label of the last entry; `None` if that entry left memory and nothing followed it.
    pub(crate) last_label: Option<u64>,
    /// All other members and a few strangers, ascending.
    pub(crate) peers: Vec<Peer>,
    pub(crate) snapshots: Box<Snapshots>,
    pub(crate) deferred: Lazy<Deferred>,
    pub(crate) operations: Lazy<Operations>,
    pub(crate) changes: Lazy<Changes>,
    /// Some configuration in force during this boot had this node in it.
    pub(crate) was_member: bool,
    pub(crate) capacity: Capacity,
    pub(crate) backlog: Lazy<Backlog>,
    /// Where the machine failed.
    pub(crate) apply_failed: Option<ApplyFailure>,
    pub(crate) skips: Skips,
    /// Why this node is out of service, as last told to the driver.
    pub(crate) told_disabled: Option<DisableReason>,
    pub(crate) role_since: Instant,
    pub(crate) counters: Lazy<Counters>,
    /// The disk lost what it had acknowledged.
    pub(crate) quarantined: bool,
    pub(crate) reads: Lazy<ReadQueue>,
    pub(crate) tickets: Tickets,
    /// Ranges of proposals that ended and are not yet reported.
    pub(crate) ended: Lazy<Vec<(EndedRange, Outcome)>>,
    pub(crate) notes: Lazy<Vec<Note>>,
    pub(crate) outbox: VecDeque<Output>,
    pub(crate) announced: (crate::types::Role, Term),
    pub(crate) unsettled: bool,
    /// Nothing but replication is under way, see `calm.rs`.
    pub(crate) calm: bool,
    /// When the next tick is due, if that was worked out since anything changed.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub(crate) due: Remembered,
    pub(crate) halted: Option<HaltReason>,
    pub(crate) halt_told: bool,
    /// What changed since the last step that was accepted, told with the next.
    pub(crate) accepted: Accepted,
    /// Counts by reason; empty until the first refusal.
    pub(crate) rejections: Lazy<Vec<u64>>,
    pub(crate) clock_regressions: u64,
    /// The newest step came with a time before an earlier one.
    pub(crate) clock_back: bool,
    /// Until when what this node promised to a leader of this boot binds it.
    pub(crate) promised_until: Instant,
    /// Until when a promise of those binds it that a leader may have built a lease on.
    pub(crate) stated_until: Instant,
    /// What it says in its answers of the newest such promise.
    pub(crate) promised_ns: u64,
    pub(crate) handover: Lazy<Handover>,
}

/// Notes kept between two settles; more are dropped.
const NOTES_MAX: usize = 64;

impl Node {
    /// Starts a node from its disk at local time `now`, as a follower.
    ///
    /// # Errors
    /// [`BootError`] names the first thing that no crash can have left behind.
    pub fn boot(
        options: impl Into<Arc<Options>>,
        boot: Boot,
        now: Instant,
    ) -> Result<Self, BootError> {
        let options = options.into();
        judge_boot(&options, &boot)?;
        let quarantined = has_lost(&boot);
        let Boot {
            boot_id,
            seed,
            hard_state: hard,
            configuration,
            snapshot,
            marks,
            first,
            last,
            terms,
            applied,
            last_stamp,
            stubs,
            last_label,
            skipped,
        } = boot;
        let settings = snapshot.as_ref().map_or_else(|| options.settings(), |meta| meta.settings);
        let (base, base_index) = match &snapshot {
            Some(meta) => (meta.configuration.clone(), meta.configuration_index),
            None => (configuration, LogIndex::ZERO),
        };
        let bare = snapshot.as_ref().filter(|meta| meta.lacks_data());
        let lacking = stubs.max(bare.map_or(LogIndex::ZERO, |meta| meta.index()));
        let start = snapshot.as_ref().map_or(LogPosition::ZERO, |meta| meta.position);
        let mut node = Self {
            peers: Vec::new(),
            own_seat: Seat::default(),
            marks: Marks::new(base_index, base.clone()),
            settings,
            snapshots: Box::new(Snapshots::recovered(snapshot)),
            deferred: Lazy::default(),
            operations: Lazy::default(),
            changes: Changes::recovered(lacking),
            was_member: false,
            capacity: Capacity::All,
            quarantined,
            backlog: Lazy::default(),
            apply_failed: None,
            skips: Skips::default(),
            told_disabled: hard.disabled,
            role_since: now,
            counters: Lazy::default(),
            lane: PersistLane::recovered(&hard, boot_id, last),
            log: Log::recovered(start, first, terms, last),
            boot_promise_ns: hard.promise_ns,
            announced: (crate::types::Role::Follower, hard.term),
            options,
            configuration: base,
            hard,
            boot_id,
            booted_at: now,
            now,
            role: RoleState::Follower,
            leader: None,
            contact: None,
            election_at: now,
            retry_at: now,
            pre_vote_rounds: 0,
            jitter: Jitter::new(seed),
            verified: LogIndex::ZERO,
            answer: Answer::default(),
            commit: applied.max(start.index),
            handed: applied,
            applied,
            applying: VecDeque::new(),
            applying_bytes: 0,
            apply_fetch: Lazy::default(),
            apply_fetched: None,
            fetches: 0,
            last_stamp,
            last_label,
            reads: Lazy::default(),
            tickets: Tickets::default(),
            ended: Lazy::default(),
            notes: Lazy::default(),
            outbox: VecDeque::new(),
            unsettled: false,
            calm: false,
            due: Remembered::default(),
            halted: None,
            halt_told: false,
            accepted: Accepted::default(),
            rejections: Lazy::default(),
            clock_regressions: 0,
            clock_back: false,
            promised_until: Instant(0),
            stated_until: Instant(0),
            promised_ns: 0,
            handover: Lazy::default(),
        };
        Options::adopt_in(&mut node.options, &settings);
        node.sync_peers();
        for (position, mark) in &marks {
            node.mark_appended(*position, mark);
        }
        node.skips_recovered(&skipped);
        node.marks_recovered();
        node.restart_election_timer();
        // Campaigning is a vote for oneself: the promise binds that one too.
        node.election_at = node.election_at.max(node.bound_until().unwrap_or(now));
        Ok(node)
    }

    /// Takes one fact at local time `now`, read after the fact existed. A `now` below an earlier
    /// one is raised to it and counted; no input is lost for it.
    ///
    /// # Errors
    /// [`Rejected`]: nothing changed but a counter.
    pub fn step(&mut self, now: Instant, input: Input) -> Result<Accepted, Rejected> {
        self.clock_back = now < self.now;
        if self.clock_back {
            self.clock_regressions = self.clock_regressions.saturating_add(1);
        } else {
            self.now = now;
        }
        let Accepted { changed, log_from, .. } = self.accepted;
        let result = if self.halted.is_some() { Err(Rejected::Halted) } else { self.route(input) };
        match result {
            Ok(()) => {
                if self.clock_back {
                    self.void_lease();
                }
                // Field by field: a copy as a whole would wait for the stores to each of them.
                let Accepted { changed, log_from, issued } = self.accepted;
                self.accepted = Accepted::default();
                Ok(Accepted { changed, log_from, issued })
            }
            Err(rejected) => {
                self.accepted = Accepted { changed, log_from, issued: Issued::Nothing };
                self.count_refusal(rejected);
                // A refusal leaves nothing behind, but for the one that is about the clock itself:
                // who was told that there is no lease must not get one by asking again.
                if self.clock_back && rejected == Rejected::LeaseUnavailable {
                    self.void_lease();
                }
                Err(rejected)
            }
        }
    }

    #[cold]
    fn count_refusal(&mut self, rejected: Rejected) {
        self.rejections.resize(Rejected::COUNT, 0);
        if let Some(count) = self.rejections.get_mut(rejected as usize) {
            *count = count.saturating_add(1);
        }
        // The reason of a refusal is worth a look too.
        self.unsettled |= !self.notes.is_empty();
    }

    /// The few inputs that replication consists of; whatever else happens goes by
    /// [`Node::route_rare`] and stirs.
    #[inline(always)]
    fn route(&mut self, input: Input) -> Result<(), Rejected> {
        match input {
            Input::Receive(envelope) => self.on_receive(envelope)?,
            Input::Persisted(ack) => {
                // Nothing in it is to be dropped, so nobody need look for it.
                core::mem::forget(input);
                let commit = self.commit;
                self.on_persisted(ack)?;
                if self.commit == commit && self.needs_no_settle_after_write() {
                    return Ok(());
                }
            }
            Input::Applied(upto) => {
                core::mem::forget(input);
                self.on_applied(upto)?;
                if self.needs_no_settle_after_apply() {
                    return Ok(());
                }
            }
            Input::Propose(payload) => self.on_propose(payload)?,
            Input::Tick => {
                if self.deadline().is_none_or(|at| self.now < at) {
                    return Ok(());
                }
                self.on_tick();
            }
            rare => {
                self.route_rare(rare)?;
                self.stir();
            }
        }
        self.unsettled = true;
        self.due = Remembered::default();
        Ok(())
    }

    #[inline(never)]
    fn route_rare(&mut self, input: Input) -> Result<(), Rejected> {
        match input {
            Input::Tick
            | Input::Receive(_)
            | Input::Propose(_)
            | Input::Persisted(_)
            | Input::Applied(_) => {}
            Input::Read => self.on_read()?,
            Input::PersistFailed(ack) => self.on_persist_failed(ack)?,
            Input::EntriesRead { id, entries } => self.on_entries_read(id, entries)?,
            Input::EntriesReadFailed { id, failure } => self.on_entries_failed(id, failure)?,
            Input::StepDown => self.on_step_down()?,
            Input::ProposeWith(proposal) => self.on_propose_with(*proposal)?,
            Input::ReadWith(request) => self.on_read_with(request)?,
            Input::ChangeConfig(change) => self.on_change_config(change)?,
            Input::TransferLeader(request) => self.on_transfer(request)?,
            Input::CancelTransfer => self.on_cancel_transfer()?,
            Input::Campaign { min_term } => self.on_campaign(min_term)?,
            Input::ForgetLeader => self.on_forget_leader()?,
            Input::SetEligibility { priority, can_lead } => {
                self.on_set_eligibility(priority, can_lead)?;
            }
            Input::Bootstrap(bootstrap) => self.on_bootstrap(*bootstrap)?,
            Input::TakeSnapshot => self.on_take_snapshot()?,
            Input::SnapshotTaken(taken) => self.on_snapshot_taken(taken)?,
            Input::SnapshotFailed(id) => self.on_snapshot_failed(id)?,
            Input::SnapshotSent(id) => self.on_snapshot_sent(id)?,
            Input::SnapshotSendFailed { id, failure } => {
                self.on_snapshot_send_failed(id, failure)?;
            }
            Input::SnapshotReceived(received) => self.on_snapshot_received(*received)?,
            Input::Unreachable(peer) => self.on_unreachable(peer)?,
            Input::Capacity(capacity) => self.on_capacity(capacity),
            Input::ApplyFailed(index) => self.on_apply_failed(index)?,
            Input::Disable(reason) => self.on_disable(reason)?,
            Input::Enable => self.on_enable()?,
            Input::SkipEntry { index, digest } => self.on_skip_entry(index, digest)?,
            Input::UnsafeRecover(plan) => self.on_unsafe_recover(&plan)?,
            Input::AcceptRecovery(plan) => self.on_accept_recovery(&plan)?,
            Input::Shutdown => self.halt(HaltReason::Shutdown),
        }
        Ok(())
    }

    /// Hands out one piece of work. On an empty outbox it first derives all work due now; `None`
    /// means there is none until the next step.
    #[inline]
    pub fn poll(&mut self) -> Option<Output> {
        if self.outbox.is_empty() && (self.unsettled || self.due.0.is_none()) {
            self.refill();
        }
        self.outbox.pop_front()
    }

    /// Derives all work due now. If there is none, the next tick's time stands until something
    /// changes.
    // Apart from `poll`, most of whose calls only pop.
    #[inline(never)]
    fn refill(&mut self) {
        if core::mem::take(&mut self.unsettled) {
            self.due = Remembered::default();
            self.settle();
        }
        if self.outbox.is_empty() {
            self.due = Remembered(Some(self.next_deadline()));
        }
    }

    /// Proposes a command of high priority. With `Options::buffer_while_candidate` the ticket may
    /// be a deferred one, see [`Node::propose_with`].
    ///
    /// # Errors
    /// [`ProposeError`]: definite, nothing was appended.
    pub fn propose(&mut self, now: Instant, payload: Bytes) -> Result<Ticket, ProposeError> {
        let result = self.step(now, Input::Propose(payload));
        self.proposed(result, Priority::High)
    }

    fn on_persisted(&mut self, ack: PersistAck) -> Result<(), Rejected> {
        match self.lane.on_persisted(ack) {
            AckVerdict::Foreign => return Err(Rejected::ForeignAck),
            AckVerdict::Duplicate => {}
            AckVerdict::NeverIssued => self.halt(HaltReason::AckNeverIssued),
            AckVerdict::Counted => {
                self.changed(Changed::DURABLE);
                if self.calm {
                    self.advance_commit();
                    return Ok(());
                }
                if self.snapshots.incoming().is_some() {
                    self.changed(Changed::SNAPSHOT);
                }
                self.settle_candidacy();
                self.advance_commit();
                self.witness_follows();
                self.decide_skips();
            }
        }
        Ok(())
    }

    fn on_persist_failed(&mut self, ack: PersistAck) -> Result<(), Rejected> {
        match self.lane.knows(ack) {
            None => return Err(Rejected::ForeignAck),
            Some(true) => self.halt(HaltReason::PersistFailed),
            Some(false) => self.halt(HaltReason::AckNeverIssued),
        }
        Ok(())
    }

    fn on_step_down(&mut self) -> Result<(), Rejected> {
        if !matches!(self.role, RoleState::Leader(_)) {
            return Err(self.not_leader());
        }
        self.step_down();
        Ok(())
    }

    /// Gives leadership up, and lets others try first.
    pub(crate) fn step_down(&mut self) {
        self.become_follower(self.hard.term, None);
        self.election_at = self.election_at.max(self.now.plus(self.options.election_max_ns));
    }

    /// Stops for this boot. What was not yet handed out never will be.
    pub(crate) fn halt(&mut self, reason: HaltReason) {
        if self.halted.is_none() {
            self.stir();
            self.halted = Some(reason);
            self.unsettled = true;
            self.changed(Changed::LIFECYCLE);
        }
    }

    pub(crate) fn changed(&mut self, what: Changed) {
        self.accepted.changed.set(what);
    }

    pub(crate) fn note(&mut self, note: Note) {
        if self.options.notes && self.notes.len() < NOTES_MAX {
            self.notes.push(note);
            self.stir();
        }
    }

    pub(crate) fn peer(&self, id: NodeId) -> Option<&Peer> {
        self.peers.iter().find(|peer| peer.id == id)
    }

    pub(crate) fn peer_mut(&mut self, id: NodeId) -> Option<&mut Peer> {
        self.peers.iter_mut().find(|peer| peer.id == id)
    }

    /// Runs `visit` for each peer with the rest of the node at hand.
    pub(crate) fn with_peers(&mut self, mut visit: impl FnMut(&mut Self, &mut Peer)) {
        let mut peers = core::mem::take(&mut self.peers);
        for peer in &mut peers {
            visit(self, peer);
        }
        self.peers = peers;
    }

    /// Puts a message into the outbox. Its gate is open, and our term is durable.
    pub(crate) fn send(&mut self, peer: &Peer, message: Message) {
        self.send_to(peer.address(), message);
    }

    /// The same, to a peer and the life of its disk.
    pub(crate) fn send_to(
        &mut self,
        (to, to_incarnation): (NodeId, Incarnation),
        message: Message,
    ) {
        debug_assert_eq!(self.lane.durable_hard().term, self.hard.term, "inv:persist-before-send");
        let hard = &self.hard;
        self.counters.sent(message.kind());
        let envelope = Box::new(Envelope {
            cluster: hard.cluster,
            group: hard.group,
            epoch: hard.epoch,
            from: hard.node,
            from_incarnation: hard.incarnation,
            to,
            to_incarnation,
            term: hard.term,
            message,
        });
        emit(&mut self.outbox, || Output::Send(envelope));
    }
}

/// Adds an output to the outbox, made in its place: a copy of a whole output would wait for the
/// stores to each of its fields.
#[inline(always)]
pub(crate) fn emit(outbox: &mut VecDeque<Output>, make: impl FnOnce() -> Output) {
    outbox.extend(core::iter::once_with(make));
}
