//! The node: one input at a time, settled into outputs.
//!
//! **Intuition.** `step` takes one fact and changes state; `poll` on an empty outbox *settles*,
//! that is, derives all work due now from the state. Nothing is emitted in between, so a thousand
//! proposals before one settle make one write and one append per peer, and whatever a slow disk
//! holds back is recomputed, not queued.
//! **Source.** Thesis Fig. 3.1; the contract of outputs is ours, model-checked.
//! **Upholds.** `inv:monotone`, `inv:one-vote-per-term`, `inv:bounded` (the outbox holds one
//! settle's work and is only refilled when empty).
//! **Not here.** Each input's handling (`election/`, `replication/`, `read/`, `storage/`).

use alloc::{boxed::Box, collections::VecDeque, vec::Vec};

use bytes::Bytes;

use crate::{
    config::Configuration,
    error::{HaltReason, ProposeError, ReadError, Rejected},
    input::{Accepted, Changed, Input, Issued},
    log::{Entries, Log},
    message::{AppendResult, Envelope, Message},
    note::Note,
    options::Options,
    output::{Outcome, Output},
    peer::Peer,
    read::ReadQueue,
    replication::follower::{Answer, is_position, judge_append},
    rng::Jitter,
    role::RoleState,
    storage::{
        Boot, HardState,
        fetch::Fetch,
        persist::{AckVerdict, PersistAck, PersistLane},
        recover::{BootError, NUMBER_MAX, judge_boot},
    },
    ticket::{EndedRange, Tickets},
    types::{BootId, Incarnation, Instant, LogIndex, NodeId, ReadTicket, Term, Ticket},
};

/// One server of one Raft group: a value, fed by [`Node::step`] and drained by [`Node::poll`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Node {
    pub(crate) options: Options,
    pub(crate) configuration: Configuration,
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
    pub(crate) apply_fetch: Fetch,
    pub(crate) apply_fetched: Option<Entries>,
    pub(crate) fetches: u64,
    /// Stamp of the last entry, or the highest ever seen if that entry left memory.
    pub(crate) last_stamp: u64,
    /// All other voters, ascending.
    pub(crate) peers: Vec<Peer>,
    pub(crate) reads: ReadQueue,
    pub(crate) tickets: Tickets,
    /// Ranges of proposals that ended and are not yet reported.
    pub(crate) ended: Vec<(EndedRange, Outcome)>,
    pub(crate) notes: Vec<Note>,
    pub(crate) outbox: VecDeque<Output>,
    pub(crate) announced: (crate::types::Role, Term),
    pub(crate) unsettled: bool,
    pub(crate) halted: Option<HaltReason>,
    pub(crate) halt_told: bool,
    pub(crate) accepted: Accepted,
    pub(crate) rejections: [u64; Rejected::COUNT],
    pub(crate) clock_regressions: u64,
}

/// Notes kept between two settles; more are dropped.
const NOTES_MAX: usize = 64;

impl Node {
    /// Starts a node from its disk at local time `now`, as a follower.
    ///
    /// # Errors
    /// [`BootError`] names the first thing that no crash can have left behind.
    pub fn boot(options: Options, boot: Boot, now: Instant) -> Result<Self, BootError> {
        judge_boot(&options, &boot)?;
        let Boot {
            boot_id,
            seed,
            hard_state: hard,
            configuration,
            last,
            terms,
            applied,
            last_stamp,
            ..
        } = boot;
        let mut peers = Vec::with_capacity(configuration.voters().len().saturating_sub(1));
        let others = configuration.voters().iter().filter(|id| **id != hard.node);
        peers.extend(others.map(|id| Peer::new(*id)));
        let mut node = Self {
            peers,
            lane: PersistLane::recovered(&hard, boot_id, last),
            log: Log::recovered(terms, last),
            boot_promise_ns: hard.promise_ns,
            announced: (crate::types::Role::Follower, hard.term),
            options,
            configuration,
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
            commit: applied,
            handed: applied,
            applied,
            applying: VecDeque::new(),
            applying_bytes: 0,
            apply_fetch: Fetch::Idle,
            apply_fetched: None,
            fetches: 0,
            last_stamp,
            reads: ReadQueue::default(),
            tickets: Tickets::default(),
            ended: Vec::new(),
            notes: Vec::new(),
            outbox: VecDeque::new(),
            unsettled: false,
            halted: None,
            halt_told: false,
            accepted: Accepted::default(),
            rejections: [0; Rejected::COUNT],
            clock_regressions: 0,
        };
        node.restart_election_timer();
        if !node.peers.is_empty() {
            // Campaigning is a vote for oneself: the promise binds that one too.
            node.election_at = node.election_at.max(now.plus(node.boot_promise_ns));
        }
        Ok(node)
    }

    /// Takes one fact at local time `now`, read after the fact existed. A `now` below an earlier
    /// one is raised to it and counted; no input is lost for it.
    ///
    /// # Errors
    /// [`Rejected`]: nothing changed but a counter.
    pub fn step(&mut self, now: Instant, input: Input) -> Result<Accepted, Rejected> {
        if now < self.now {
            self.clock_regressions = self.clock_regressions.saturating_add(1);
        } else {
            self.now = now;
        }
        self.accepted = Accepted::default();
        let result = if self.halted.is_some() { Err(Rejected::Halted) } else { self.route(input) };
        match result {
            // Field by field: a copy as a whole would wait for the stores to each of them.
            Ok(()) => {
                let Accepted { changed, log_from, issued } = self.accepted;
                Ok(Accepted { changed, log_from, issued })
            }
            Err(rejected) => {
                if let Some(count) = self.rejections.get_mut(rejected as usize) {
                    *count = count.saturating_add(1);
                }
                // The reason of a refusal is worth a look too.
                self.unsettled |= !self.notes.is_empty();
                Err(rejected)
            }
        }
    }

    #[inline]
    fn route(&mut self, input: Input) -> Result<(), Rejected> {
        match input {
            Input::Tick => {
                if self.deadline().is_none_or(|at| self.now < at) {
                    return Ok(());
                }
                self.on_tick();
            }
            Input::Receive(envelope) => self.on_receive(envelope)?,
            Input::Propose(payload) => self.on_propose(payload)?,
            Input::Read => self.on_read()?,
            Input::Persisted(ack) => self.on_persisted(ack)?,
            Input::PersistFailed(ack) => self.on_persist_failed(ack)?,
            Input::Applied(upto) => self.on_applied(upto)?,
            Input::EntriesRead { id, entries } => self.on_entries_read(id, entries)?,
            Input::EntriesReadFailed { id, failure } => self.on_entries_failed(id, failure)?,
            Input::StepDown => self.on_step_down()?,
            Input::Shutdown => self.halt(HaltReason::Shutdown),
        }
        self.unsettled = true;
        Ok(())
    }

    /// Hands out one piece of work. On an empty outbox it first derives all work due now; `None`
    /// means there is none until the next step.
    pub fn poll(&mut self) -> Option<Output> {
        if self.outbox.is_empty() && self.unsettled {
            self.unsettled = false;
            self.settle();
        }
        self.outbox.pop_front()
    }

    /// Proposes a command.
    ///
    /// # Errors
    /// [`ProposeError`]: definite, nothing was appended.
    pub fn propose(&mut self, now: Instant, payload: Bytes) -> Result<Ticket, ProposeError> {
        let refused = match self.step(now, Input::Propose(payload)) {
            Ok(Accepted { issued: Issued::Proposal(ticket), .. }) => return Ok(ticket),
            Ok(_) => Rejected::Halted,
            Err(rejected) => rejected,
        };
        Err(match refused {
            Rejected::NotLeader => ProposeError::NotLeader { hint: self.leader },
            Rejected::ElectionInProgress => {
                ProposeError::ElectionInProgress { term: self.hard.term }
            }
            Rejected::TooLarge => ProposeError::TooLarge { max: self.options.entry_bytes_max },
            Rejected::QueueFull => ProposeError::QueueFull,
            Rejected::CommitStalled => ProposeError::CommitStalled,
            _ => ProposeError::Halted,
        })
    }

    /// Asks for a linearizable read.
    ///
    /// # Errors
    /// [`ReadError`]: definite.
    pub fn read(&mut self, now: Instant) -> Result<ReadTicket, ReadError> {
        let refused = match self.step(now, Input::Read) {
            Ok(Accepted { issued: Issued::Read(ticket), .. }) => return Ok(ticket),
            Ok(_) => Rejected::Halted,
            Err(rejected) => rejected,
        };
        Err(match refused {
            Rejected::NotLeader => ReadError::NotLeader { hint: self.leader },
            Rejected::ElectionInProgress => ReadError::ElectionInProgress { term: self.hard.term },
            Rejected::ReadQueueFull => ReadError::QueueFull,
            _ => ReadError::Halted,
        })
    }

    // Apart from `step`, so that acknowledgements do not pay for what only messages need.
    #[inline(never)]
    fn on_receive(&mut self, envelope: Box<Envelope>) -> Result<(), Rejected> {
        self.judge_envelope(&envelope)?;
        let Envelope { from, from_incarnation, term, message, .. } = *envelope;
        self.on_message(from, term, message)?;
        if let Some(peer) = self.peer_mut(from) {
            peer.incarnation = from_incarnation;
        }
        Ok(())
    }

    fn on_message(&mut self, from: NodeId, term: Term, message: Message) -> Result<(), Rejected> {
        // Under a leader nearly every message is one of these.
        let message = match message {
            Message::AppendEntries(append) if term == self.hard.term => {
                return self.on_append_entries(from, append);
            }
            Message::AppendReply(reply) if term == self.hard.term => {
                return self.on_append_reply(from, reply);
            }
            Message::PreVote(ask) => {
                self.on_pre_vote(from, ask);
                return Ok(());
            }
            other => other,
        };
        self.on_rare_message(from, term, message)
    }

    #[inline(never)]
    fn on_rare_message(
        &mut self,
        from: NodeId,
        term: Term,
        message: Message,
    ) -> Result<(), Rejected> {
        let adopted = term > self.hard.term;
        if adopted {
            match message {
                Message::RequestVote(_)
                    if self.promise_holds()
                        || self.options.check_quorum && self.leader_alive(from) =>
                {
                    self.note(Note::LeaderAlive { candidate: from });
                    return Err(Rejected::LeaderAlive);
                }
                // A voter that would follow us into the next term may already be in it.
                Message::PreVoteReply(reply) if reply.granted => {
                    return self.on_pre_vote_reply(from, reply);
                }
                _ => self.become_follower(term, None),
            }
        }
        let stale = term < self.hard.term;
        let result = match message {
            Message::RequestVote(_) if stale => {
                if let Some(peer) = self.peer_mut(from) {
                    peer.owed.vote = Some(peer.owed.vote == Some(true));
                }
                Ok(())
            }
            Message::AppendEntries(_) if stale => {
                if let Some(peer) = self.peer_mut(from) {
                    peer.owed.stale_append = true;
                }
                Ok(())
            }
            Message::VoteReply(_) | Message::AppendReply(_) if stale => Err(Rejected::Stale),
            Message::RequestVote(request) => self.on_request_vote(from, request),
            Message::PreVoteReply(reply) => self.on_pre_vote_reply(from, reply),
            Message::VoteReply(reply) => self.on_vote_reply(from, reply),
            Message::AppendEntries(append) => self.on_append_entries(from, append),
            Message::AppendReply(reply) => self.on_append_reply(from, reply),
            Message::PreVote(_) => Ok(()),
        };
        // Taking over the term was a change, whatever became of the rest.
        if adopted { Ok(()) } else { result }
    }

    /// Who may speak to us at all.
    fn judge_envelope(&self, envelope: &Envelope) -> Result<(), Rejected> {
        let hard = &self.hard;
        if envelope.cluster != hard.cluster {
            return Err(Rejected::WrongCluster);
        }
        if envelope.group != hard.group {
            return Err(Rejected::WrongGroup);
        }
        if envelope.epoch != hard.epoch {
            return Err(Rejected::WrongEpoch);
        }
        if envelope.to != hard.node {
            return Err(Rejected::NotForUs);
        }
        let Some(peer) = self.peer(envelope.from) else { return Err(Rejected::UnknownSender) };
        let known = peer.incarnation;
        let unknown = Incarnation(0);
        if envelope.from_incarnation == unknown
            || known != unknown && known != envelope.from_incarnation
            || envelope.to_incarnation != unknown && envelope.to_incarnation != hard.incarnation
        {
            return Err(Rejected::WrongIncarnation);
        }
        if envelope.term.0 > NUMBER_MAX
            || envelope.term.0 == 0
                && !matches!(envelope.message, Message::PreVote(_) | Message::PreVoteReply(_))
        {
            return Err(Rejected::Malformed);
        }
        // Before anything of it is believed, its term included.
        judge_message(&envelope.message, envelope.term)
    }

    fn on_persisted(&mut self, ack: PersistAck) -> Result<(), Rejected> {
        match self.lane.on_persisted(ack) {
            AckVerdict::Foreign => return Err(Rejected::ForeignAck),
            AckVerdict::Duplicate => {}
            AckVerdict::NeverIssued => self.halt(HaltReason::AckNeverIssued),
            AckVerdict::Counted => {
                self.changed(Changed::DURABLE);
                self.settle_candidacy();
                self.advance_commit();
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
        self.become_follower(self.hard.term, None);
        self.election_at = self.election_at.max(self.now.plus(self.options.election_max_ns));
        Ok(())
    }

    /// Stops for this boot. What was not yet handed out never will be.
    pub(crate) fn halt(&mut self, reason: HaltReason) {
        if self.halted.is_none() {
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

/// Refuses what contradicts itself, whoever receives it.
fn judge_message(message: &Message, term: Term) -> Result<(), Rejected> {
    let sound = match message {
        Message::PreVote(ask) => {
            Some(ask.campaign_term) == term.next() && is_position(ask.last) && ask.last.term <= term
        }
        // A candidate's log is older than its campaign.
        Message::RequestVote(request) => is_position(request.last) && request.last.term < term,
        Message::AppendEntries(append) => return judge_append(append, term),
        Message::AppendReply(reply) => match reply.result {
            AppendResult::Refused { previous, hint } => {
                is_position(hint) && hint.index <= previous && hint.term <= term
            }
            AppendResult::Matched { .. } | AppendResult::StaleTerm => true,
        },
        Message::PreVoteReply(_) | Message::VoteReply(_) => true,
    };
    if sound { Ok(()) } else { Err(Rejected::Malformed) }
}
