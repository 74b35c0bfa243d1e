//! A small, deliberately plain Raft with its bugs as data.
//!
//! **Intuition.** The shortest Raft that keeps every promise: one gate for all messages, the whole
//! log in memory, no cleverness in replication. It is the second system behind [`Process`], so
//! nothing in the simulator can quietly depend on our own core; and with a [`Bug`] it is what
//! shows that each oracle can speak.
//! **Source.** Thesis chapter 3, §6.2, §6.4, §9.6.
//! **Upholds.** Every invariant of docs/INVARIANTS.md when `BUG` is [`Bug::None`].
//! **Not here.** Snapshots, membership changes, transfers.

mod bug;
mod election;
mod lease;
mod message;
mod read;
mod replication;
mod store;

use std::collections::VecDeque;

pub use bug::{Bug, systems};
pub use message::{Body, Message};
use raft_core::{Configuration, LogIndex, LogPosition, NodeId, Role, SnapshotMeta, Term};
use read::OpenRead;
use store::Store;

use super::{
    BootRefused, Changed, Effect, Entry, EntryId, Input, MessageLabel, NodeView, Ns, PeerView,
    Process, Promises, Start, Stepped,
};
use crate::{fault::plan::Knobs, trace::digest::Digest};

/// What a leader knows of one follower.
#[derive(Clone, Debug)]
struct Peer {
    peer: NodeId,
    matched: LogIndex,
    next: LogIndex,
    /// Last index of each append on its way.
    inflight: VecDeque<LogIndex>,
    /// Where the logs agree is not known yet: one append at a time.
    probing: bool,
    probe_sent: bool,
    refused: bool,
    heard_at: Ns,
    /// Latest round it has acknowledged.
    round: u64,
    /// The newest of our sendings it has answered, by our clock, and until when it surely elects
    /// nobody else.
    answered: Ns,
    promised_until: Ns,
}

impl Peer {
    fn probing(peer: NodeId, next: LogIndex, now: Ns) -> Self {
        Self {
            peer,
            matched: LogIndex::ZERO,
            next,
            inflight: VecDeque::new(),
            probing: true,
            probe_sent: false,
            refused: false,
            heard_at: now,
            round: 0,
            answered: 0,
            promised_until: 0,
        }
    }
}

/// A proposal whose end is not known yet.
#[derive(Clone, Copy, Debug)]
struct Waiting {
    ticket: u64,
    index: LogIndex,
    term: Term,
}

/// One naive node; the system's variant is the number of its [`Bug`].
#[derive(Clone, Debug)]
pub struct Naive {
    bug: Bug,
    id: NodeId,
    voters: Vec<NodeId>,
    /// [`Bug::VotersDropped`] has struck.
    alone: bool,
    /// Whom [`Bug::RemovedVoterCounts`] removed.
    removed: Option<NodeId>,
    knobs: Knobs,
    random: u64,
    now: Ns,
    role: Role,
    term: Term,
    vote: Option<NodeId>,
    leader: Option<NodeId>,
    /// Entry `i` has index `i + 1`.
    log: Vec<Entry>,
    commit: LogIndex,
    /// Last index handed out for apply.
    handed: LogIndex,
    applied: LogIndex,
    store: Store,
    election_at: Ns,
    heartbeat_at: Ns,
    heard_leader_at: Option<Ns>,
    /// What was promised before the restart may bind until then.
    bound_until: Ns,
    /// Votes or pre-votes, one bit a voter.
    granted: u32,
    /// Pre-vote attempts so far.
    round: u64,
    own_vote_gate: u64,
    /// First index of this leader's term.
    term_start: LogIndex,
    peers: Vec<Peer>,
    tickets: Vec<Waiting>,
    next_ticket: u64,
    reads: Vec<OpenRead>,
    next_read: u64,
    read_round: u64,
    round_due: bool,
    outbox: VecDeque<Effect<Self>>,
    halted: bool,
    changed: Changed,
    log_from: Option<LogIndex>,
}

impl Naive {
    /// Whether this node has `bug`.
    fn has(&self, bug: Bug) -> bool {
        self.bug == bug
    }

    fn last(&self) -> LogPosition {
        self.log.last().map_or(LogPosition::ZERO, |entry| entry.position)
    }

    fn position(&self, index: LogIndex) -> LogPosition {
        match index.0.checked_sub(1) {
            Some(at) => self.log.get(at as usize).map_or(LogPosition::ZERO, |e| e.position),
            None => LogPosition::ZERO,
        }
    }

    fn bit(&self, node: NodeId) -> u32 {
        self.voters.iter().position(|voter| *voter == node).map_or(0, |at| 1 << at)
    }

    /// The next draw of this node's own generator (a Weyl sequence, mixed).
    fn draw(&mut self) -> u64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut d = Digest::new();
        d.word(self.random);
        d.value()
    }

    fn mark(&mut self, changed: Changed) {
        self.changed = self.changed.and(changed);
    }

    fn touched(&mut self, index: LogIndex) {
        self.mark(Changed::LOG);
        self.log_from = Some(self.log_from.map_or(index, |old| old.min(index)));
    }

    fn set_role(&mut self, role: Role) {
        self.role = role;
        self.mark(Changed::ROLE);
    }

    fn set_leader(&mut self, leader: Option<NodeId>) {
        if self.leader != leader {
            self.leader = leader;
            self.mark(Changed::ROLE);
        }
    }

    fn set_term(&mut self, term: Term) {
        self.term = term;
        self.store.hard_changed();
        self.store.forget_held();
        self.mark(Changed::TERM);
    }

    fn set_vote(&mut self, vote: Option<NodeId>) {
        if self.vote != vote {
            self.vote = vote;
            self.store.hard_changed();
            self.mark(Changed::VOTE);
        }
    }

    fn message(&self, body: Body) -> Message {
        Message { term: self.term, body }
    }

    fn say_to_all(&mut self, body: &Body) {
        for at in 0..self.voters.len() {
            let to = self.voters[at];
            if to != self.id {
                self.say(to, self.message(body.clone()));
            }
        }
    }

    fn halt(&mut self, why: String) {
        if !self.halted {
            self.halted = true;
            self.mark(Changed::LIFECYCLE);
            self.outbox.clear();
            self.outbox.push_back(Effect::Halted(why));
        }
    }

    fn on_receive(&mut self, from: NodeId, message: Message) {
        if self.bit(from) == 0 || from == self.id {
            return;
        }
        let Message { term, body } = message;
        if let Body::PreVote { round, last } = body {
            // Asking commits nobody to anything: terms stay as they are.
            self.on_pre_vote(from, term, round, last);
            return;
        }
        if term > self.term {
            if matches!(body, Body::RequestVote { .. }) && self.ignores_candidates() {
                return;
            }
            self.become_follower(term, None);
        }
        if term < self.term {
            let refusal = match body {
                Body::RequestVote { .. } => Body::VoteReply { granted: None },
                Body::Append { round: _, .. } => {
                    let upto = LogIndex::ZERO;
                    Body::AppendReply { accepted: false, upto, round: 0, heard: 0, promise: 0 }
                }
                _ => return,
            };
            self.say(from, self.message(refusal));
            return;
        }
        match body {
            Body::PreVote { .. } => {}
            Body::PreVoteReply { round, granted } => self.on_pre_vote_reply(from, round, granted),
            Body::RequestVote { last } => self.on_request_vote(from, last),
            Body::VoteReply { granted } => self.on_vote_reply(from, granted),
            Body::Append { prev, entries, commit, round, sent_at } => {
                self.on_append(from, prev, entries, commit, (round, sent_at));
            }
            Body::AppendReply { accepted, upto, round, heard, promise } => {
                self.on_promise(from, heard, promise);
                self.on_append_reply(from, accepted, upto, round);
            }
        }
    }

    fn on_tick(&mut self) {
        if self.role == Role::Leader {
            if self.now >= self.heartbeat_at {
                self.on_heartbeat_timeout();
            }
        } else if self.now >= self.election_at {
            self.on_election_timeout();
        }
    }

    fn on_applied(&mut self, upto: LogIndex) {
        if upto > self.applied {
            self.applied = upto;
            self.mark(Changed::APPLIED);
            if self.has(Bug::SnapshotMisdated) && upto.0.is_multiple_of(16) {
                self.take_misdated_snapshot(upto);
            }
        }
    }

    /// What [`Bug::VotersDropped`] and [`Bug::RemovedVoterCounts`] do with an operator's request;
    /// nothing without them.
    fn on_operate(&mut self) {
        if self.has(Bug::VotersDropped) && self.role == Role::Leader {
            self.alone = true;
            self.mark(Changed::CONFIGURATION);
        }
        // Of three or five voters one goes, so a majority is as large as before.
        let odd = self.voters.len() >= 3 && self.voters.len() % 2 == 1;
        if self.has(Bug::RemovedVoterCounts) && self.role == Role::Leader && odd {
            self.removed = self.voters.iter().copied().rfind(|voter| *voter != self.id);
            self.mark(Changed::CONFIGURATION);
        }
    }

    fn take_misdated_snapshot(&mut self, upto: LogIndex) {
        let Ok(voters) = Configuration::new(self.voters.iter().copied()) else { return };
        let term = Term(self.term.0 + 1);
        let position = LogPosition::new(term, upto);
        let settings = raft_core::Options::default().settings();
        let meta = Box::new(SnapshotMeta::empty(position, voters, settings, 0));
        self.outbox.push_back(Effect::TakeSnapshot { id: upto.0, meta });
    }

    /// Builds all work that is due.
    fn settle(&mut self) {
        self.count_votes();
        // A lone pre-candidate that just became a candidate may already have its majority.
        self.count_votes();
        self.advance_commit();
        if self.role == Role::Leader {
            self.replicate();
        }
        self.persist();
        self.release();
        self.apply();
        self.serve_reads();
    }
}

impl Process for Naive {
    type Message = Message;
    type Ack = u64;

    const NAME: &'static str = Bug::None.system();
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");

    fn promises() -> Promises {
        // The whole log stays in memory, and commit waits for the leader's own disk.
        Promises {
            reads_log_back: false,
            commits_ahead_of_disk: false,
            operable: false,
            ..Promises::ALL
        }
    }

    fn boot(start: &Start<'_>) -> Result<Self, BootRefused> {
        let entries = &start.image.entries;
        for (at, entry) in entries.iter().enumerate() {
            if entry.position.index.0 != at as u64 + 1 {
                return Err(BootRefused(format!("the log has a hole at {}", at + 1)));
            }
            if entry.position.term > start.image.hard.term {
                return Err(BootRefused(format!("entry {} is of a later term", at + 1)));
            }
        }
        let last = entries.last().map_or(LogIndex::ZERO, |entry| entry.position.index);
        let mut node = Self {
            bug: Bug::ALL.get(usize::from(start.variant)).copied().unwrap_or(Bug::None),
            id: start.node,
            voters: start.voters.to_vec(),
            alone: false,
            removed: None,
            knobs: start.knobs.clone(),
            random: start.seed,
            now: start.now,
            role: Role::Follower,
            term: start.image.hard.term,
            vote: start.image.hard.vote,
            leader: None,
            log: entries.clone(),
            commit: LogIndex::ZERO,
            handed: LogIndex::ZERO,
            applied: LogIndex::ZERO,
            store: Store::at_boot(last),
            election_at: 0,
            heartbeat_at: 0,
            heard_leader_at: None,
            bound_until: 0,
            granted: 0,
            round: 0,
            own_vote_gate: 0,
            term_start: LogIndex::ZERO,
            peers: Vec::new(),
            tickets: Vec::new(),
            next_ticket: 0,
            reads: Vec::new(),
            next_read: 0,
            read_round: 0,
            round_due: false,
            outbox: VecDeque::new(),
            halted: false,
            changed: Changed::default(),
            log_from: None,
        };
        if start.image.hard.promise > 0 {
            node.bound_until = start.now.saturating_add(start.image.hard.promise);
        }
        node.arm_election();
        let led = node.last().term == node.term && node.vote == Some(node.id);
        if node.has(Bug::ReignResumed) && led {
            node.become_leader();
        }
        Ok(node)
    }

    fn step(&mut self, now: Ns, input: Input<Self>) -> Stepped {
        self.now = self.now.max(now);
        let mut answer = None;
        if !self.halted {
            match input {
                Input::Tick => self.on_tick(),
                Input::Receive { from, message } => self.on_receive(from, message),
                Input::Propose(payload) => answer = Some(self.on_propose(payload)),
                Input::Read => answer = Some(self.on_read()),
                Input::ReadWith(wanted) => answer = Some(self.on_read_with(wanted)),
                Input::Persisted(sequence) => self.on_persisted(sequence),
                Input::PersistFailed(sequence) => self.halt(format!("write {sequence} failed")),
                Input::Applied(upto) => self.on_applied(upto),
                Input::Operate(_) => self.on_operate(),
                Input::StepDown if self.role == Role::Leader => {
                    self.become_follower(self.term, None);
                }
                Input::EntriesRead { .. }
                | Input::EntriesReadBusy { .. }
                | Input::StepDown
                | Input::SnapshotTaken { .. }
                | Input::SnapshotFailed { .. }
                | Input::ApplyFailed(_)
                | Input::SnapshotSent { .. }
                | Input::SnapshotSendFailed { .. }
                | Input::SnapshotReceived { .. } => {}
            }
            self.settle();
        }
        let changed = core::mem::take(&mut self.changed);
        Stepped { changed, log_from: self.log_from.take(), answer }
    }

    fn poll(&mut self) -> Option<Effect<Self>> {
        self.outbox.pop_front()
    }

    fn deadline(&self) -> Option<Ns> {
        if self.halted {
            return None;
        }
        let at = if self.role == Role::Leader { self.heartbeat_at } else { self.election_at };
        (at != Ns::MAX).then_some(at)
    }

    fn view(&self, view: &mut NodeView) {
        view.role = self.role;
        view.term = self.term;
        view.vote = self.vote;
        view.leader = self.leader;
        view.last = self.last();
        view.durable = self.store.durable;
        view.commit = self.commit;
        view.applied = self.applied;
        view.halted = self.halted;
        if self.has(Bug::VotersDropped) {
            view.voters.clear();
            match self.alone {
                true => view.voters.push(self.id),
                false => view.voters.extend_from_slice(&self.voters),
            }
        }
        if self.has(Bug::RemovedVoterCounts) {
            view.voters.clear();
            let stays = |voter: &&NodeId| self.removed != Some(**voter);
            view.voters.extend(self.voters.iter().filter(stays));
        }
        view.peers.clear();
        let mut inflight = 0;
        for peer in &self.peers {
            inflight = inflight.max(peer.inflight.len() as u64);
            view.peers.push(PeerView {
                peer: peer.peer,
                matched: peer.matched,
                next: peer.next,
                inflight: peer.inflight.len() as u64,
                inflight_bytes: 0,
            });
        }
        let loads = &mut view.loads;
        loads.persists = (self.store.open_writes(), u64::from(self.knobs.persist_inflight.max(1)));
        loads.reads = (self.reads.len() as u64, read::READS_MAX as u64);
        loads.applying =
            (self.handed.since(self.applied), u64::from(self.knobs.apply_inflight.max(1)));
        loads.inflight = (inflight, u64::from(self.knobs.inflight_messages.max(1)));
        // The whole log stays in memory and is not counted as a tail; both are without limit.
        loads.tail_entries = (0, u64::MAX);
        loads.tail_bytes = (0, u64::MAX);
        loads.outbox = (self.outbox.len() as u64 + self.store.held(), 4096);
    }

    fn log_from(&self, from: LogIndex, out: &mut Vec<EntryId>) {
        let at = (from.0.max(1) - 1) as usize;
        out.extend(self.log.iter().skip(at).map(Entry::id));
    }

    fn label(message: &Message) -> MessageLabel {
        message::label(message)
    }

    fn digest_message(message: &Message, digest: &mut Digest) {
        message::digest(message, digest);
    }
}

#[cfg(test)]
mod tests;
