//! Our node behind the process trait.
//!
//! **Intuition.** A thin translation: the node's inputs and outputs are the simulator's, with
//! names changed. Nothing of the protocol happens here, and the simulator sees only what any
//! driver sees.
//! **Source.** Ours.
//! **Upholds.** `inv:pure` (no state of its own beyond the last seen queue sizes).
//! **Not here.** The node (`raft_core`), executing outputs (`world/host.rs`).

use raft_core::{
    Accepted, AppendResult, Boot, BootId, ClusterId, Configuration, Entries, EntryKind,
    FetchFailure, FetchId, GroupId, HaltReason, HardState, Incarnation, Input as CoreInput,
    Instant, Issued, LogIndex, LogPosition, Message, Node, Options, Outcome, Output, PersistAck,
    ReadLevel, ReadRequest, ReceivedSnapshot, Rejected, SendFailure, SnapshotId, SnapshotTaken,
    StageId, TermRun, wire,
};

use super::{
    Answer, BootRefused, Changed, Claim, Effect, Ending, Entry, EntryId, HardRecord, Input,
    MessageKind, MessageLabel, NodeView, Ns, PeerView, Process, Promises, Publish, Start, Stepped,
    Wording,
    letter::{Letter, stored_entry, stored_hard, stored_meta},
    operate::operation_of,
    options::options,
    view::Loads,
};
use crate::{
    trace::digest::Digest,
    workload::reads::{Level, Wanted},
};

/// Our node.
#[derive(Clone, Debug)]
pub struct Core {
    node: Node,
    /// Open reads of entries, by number: the simulator's ids are plain numbers.
    fetches: Vec<FetchId>,
    /// Open requests about snapshots, likewise.
    snapshots: Vec<SnapshotId>,
    /// In a cluster of mixed versions: what each peer speaks.
    peers: Option<wire::Peers>,
}

fn entry_of(position: LogPosition, entry: &raft_core::Entry) -> Entry {
    Entry {
        position,
        kind: entry.kind.0,
        stamp: entry.stamp,
        label: entry.label,
        payload: entry.payload.clone(),
    }
}

fn entries_of(entries: &Entries) -> Vec<Entry> {
    let mut out = Vec::with_capacity(usize::try_from(entries.len()).unwrap_or(0));
    out.extend(entries.iter().map(|e| entry_of(e.position, e.entry)));
    out
}

fn content_of(entry: Entry) -> raft_core::Entry {
    raft_core::Entry {
        kind: EntryKind(entry.kind),
        stamp: entry.stamp,
        label: entry.label,
        payload: entry.payload,
    }
}

fn entries_back(entries: Vec<Entry>) -> Entries {
    let core = entries.into_iter().map(|entry| (entry.position, content_of(entry)));
    // A store that gives back a log with a hole gives back nothing: the node halts on it.
    Entries::collect(core).unwrap_or_default()
}

fn request_of(wanted: Wanted) -> ReadRequest {
    let level = match wanted.level {
        Level::Linearizable => ReadLevel::Linearizable,
        Level::Lease => ReadLevel::Lease,
        Level::ThroughLog => ReadLevel::ThroughLog,
        Level::Local => ReadLevel::Local,
    };
    ReadRequest { level, min_index: wanted.least, deadline: None }
}

fn changed_of(changed: raft_core::Changed) -> Changed {
    use raft_core::Changed as Core;
    let pairs = [
        (Core::TERM, Changed::TERM),
        (Core::VOTE, Changed::VOTE),
        (Core::ROLE, Changed::ROLE.and(Changed::PEERS)),
        (Core::LOG, Changed::LOG),
        (Core::DURABLE, Changed::DURABLE),
        (Core::COMMIT, Changed::COMMIT),
        (Core::APPLIED, Changed::APPLIED),
        (Core::PROGRESS, Changed::PEERS),
        (Core::LIFECYCLE, Changed::LIFECYCLE),
    ];
    pairs
        .iter()
        .filter(|(core, _)| changed.any(*core))
        .fold(Changed::default(), |sum, (_, ours)| sum.and(*ours))
}

impl Core {
    fn stepped(&self, accepted: &Accepted) -> Stepped {
        Stepped {
            changed: changed_of(accepted.changed),
            log_from: (accepted.log_from > LogIndex::ZERO).then_some(accepted.log_from),
            answer: match accepted.issued {
                Issued::Nothing | Issued::Unchanged(_) => None,
                Issued::Proposal(ticket) | Issued::Deferred(ticket) => {
                    Some(Answer::Accepted(ticket.0))
                }
                Issued::Operation(ticket) => Some(Answer::Accepted(ticket.0)),
                Issued::Read(ticket) => Some(Answer::Accepted(ticket.0)),
            },
        }
    }

    fn effect_of(&mut self, output: Output) -> Option<Effect<Self>> {
        Some(match output {
            Output::Persist(write) => Effect::Persist {
                ack: write.ack,
                hard: write.hard_state().map(|hard| HardRecord {
                    term: hard.term,
                    vote: hard.vote,
                    promise: hard.promise_ns,
                    cluster: hard.cluster,
                    epoch: hard.epoch,
                    disabled: hard.disabled,
                    mark: hard.mark,
                    joined: hard.joined,
                }),
                truncate_from: write.truncate_from(),
                entries: entries_of(&write.entries),
                snapshot: write.snapshot().map(|publish| {
                    Box::new(Publish {
                        stage: publish.stage.map(|stage| stage.0),
                        meta: publish.meta.clone(),
                        keep_log: publish.keep_log,
                    })
                }),
            },
            Output::Send(envelope) => Effect::Send {
                to: envelope.to,
                message: Letter::new(*envelope, self.peers.as_mut()),
            },
            Output::Apply(apply) => Effect::Apply {
                entries: entries_of(&apply.entries),
                first_ticket: apply.first_ticket.map(|ticket| ticket.0),
                skipped: apply.skipped,
            },
            Output::RoleChanged { role, term } => Effect::RoleChanged { role, term },
            Output::ReadReady { ticket, index, staleness_ns, .. } => {
                Effect::ReadReady { ticket: ticket.0, index, staleness: staleness_ns }
            }
            Output::ReadFailed { ticket, .. } => Effect::ReadFailed { ticket: ticket.0 },
            Output::Outcome { first, count, outcome } => Effect::Ended {
                first_ticket: first.0,
                count,
                how: match outcome {
                    Outcome::Superseded => Ending::Superseded,
                    Outcome::Unknown(_) => Ending::Unknown("leadership-lost"),
                    Outcome::Refused(_) => Ending::Refused,
                    _ => Ending::Unknown("other"),
                },
            },
            Output::ReadEntries(read) => {
                self.fetches.push(read.id);
                Effect::ReadEntries {
                    id: read.id.number(),
                    first: read.first,
                    last: read.last,
                    bytes_max: read.bytes_max,
                }
            }
            Output::TakeSnapshot { id, meta } => {
                self.snapshots.push(id);
                Effect::TakeSnapshot { id: id.number(), meta }
            }
            Output::SendSnapshot(send) => {
                self.snapshots.push(send.id);
                Effect::SendSnapshot {
                    id: send.id.number(),
                    to: send.to,
                    term: send.term,
                    meta: Box::new(send.meta),
                }
            }
            Output::InstallSnapshot(meta) => Effect::InstallSnapshot { meta },
            Output::DiscardSnapshot(stage) => Effect::DiscardSnapshot { stage: stage.0 },
            Output::CompactTo(index) => Effect::CompactTo(index),
            Output::Admitted { deferred, ticket, .. } => {
                Effect::Admitted { deferred: deferred.0, ticket: ticket.0 }
            }
            Output::OperationEnded { ticket, result } => {
                Effect::OperationEnded { ticket: ticket.0, done: result.is_ok() }
            }
            Output::Halted(HaltReason::SkipDecided { .. }) => Effect::Rebuild,
            Output::Halted(reason) => Effect::Halted(reason.to_string()),
            _ => return None,
        })
    }

    fn take_fetch(&mut self, id: u64) -> Option<FetchId> {
        let at = self.fetches.iter().position(|fetch| fetch.number() == id)?;
        Some(self.fetches.swap_remove(at))
    }

    fn take_snapshot_id(&mut self, id: u64) -> Option<SnapshotId> {
        let at = self.snapshots.iter().position(|open| open.number() == id)?;
        Some(self.snapshots.swap_remove(at))
    }

    fn input_of(&mut self, input: Input<Self>) -> Option<CoreInput> {
        Some(match input {
            Input::Tick => CoreInput::Tick,
            Input::Receive { message, .. } => {
                CoreInput::Receive(Box::new(message.read(self.peers.as_mut())?))
            }
            Input::Propose(payload) => CoreInput::Propose(payload),
            Input::Read => CoreInput::Read,
            Input::ReadWith(wanted) => CoreInput::ReadWith(request_of(wanted)),
            Input::Persisted(ack) => CoreInput::Persisted(ack),
            Input::PersistFailed(ack) => CoreInput::PersistFailed(ack),
            Input::Applied(upto) => CoreInput::Applied(upto),
            Input::ApplyFailed(index) => CoreInput::ApplyFailed(index),
            Input::EntriesRead { id, entries } => {
                CoreInput::EntriesRead { id: self.take_fetch(id)?, entries: entries_back(entries) }
            }
            Input::EntriesReadBusy { id } => CoreInput::EntriesReadFailed {
                id: self.take_fetch(id)?,
                failure: FetchFailure::Busy,
            },
            Input::StepDown => CoreInput::StepDown,
            Input::SnapshotTaken { id, digest, size_bytes } => {
                let id = self.take_snapshot_id(id)?;
                CoreInput::SnapshotTaken(SnapshotTaken { id, digest, size_bytes })
            }
            Input::SnapshotFailed { id } => CoreInput::SnapshotFailed(self.take_snapshot_id(id)?),
            Input::SnapshotSent { id } => CoreInput::SnapshotSent(self.take_snapshot_id(id)?),
            Input::SnapshotSendFailed { id, overloaded } => CoreInput::SnapshotSendFailed {
                id: self.take_snapshot_id(id)?,
                failure: if overloaded { SendFailure::Overloaded } else { SendFailure::Failed },
            },
            Input::SnapshotReceived { stage, meta, from, term } => {
                let received = ReceivedSnapshot { stage: StageId(stage), meta: *meta, from, term };
                CoreInput::SnapshotReceived(Box::new(received))
            }
            Input::Operate(operation) => operation_of(&operation, &self.node)?,
        })
    }
}

impl Process for Core {
    type Message = Letter;
    type Ack = PersistAck;

    const NAME: &'static str = "core";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");

    fn promises() -> Promises {
        Promises::ALL
    }

    fn boot(start: &Start<'_>) -> Result<Self, BootRefused> {
        let refused = |why: &dyn std::fmt::Display| BootRefused(why.to_string());
        let voters =
            Configuration::new(start.voters.iter().copied()).map_err(|error| refused(&error))?;
        // Only the first life of a first voter begins with a configuration.
        let born = start.voters.contains(&start.node) && start.incarnation == Incarnation(1);
        let mut hard = HardState::new(ClusterId(1), GroupId(1), start.node, start.incarnation);
        let kept = &start.image.hard;
        hard.term = kept.term;
        hard.vote = kept.vote;
        hard.promise_ns = kept.promise;
        hard.epoch = kept.epoch;
        hard.disabled = kept.disabled;
        hard.joined = kept.joined;
        hard.mark = kept.mark;
        let bytes = start.level.is_some();
        if bytes {
            hard = stored_hard(&hard).map_err(BootRefused)?;
        }
        let mut terms: Vec<TermRun> = Vec::new();
        for entry in &start.image.entries {
            let LogPosition { term, index } = entry.position;
            if terms.last().is_none_or(|run| run.term != term) {
                terms.push(TermRun { first: index, term });
            }
        }
        let tip = start.image.entries.last();
        let last = start.image.last();
        let base = if born { voters } else { Configuration::default() };
        let mut boot = Boot::new(BootId(start.boot), start.seed, hard, base);
        let mut stamp = 0;
        let mut above = LogIndex::ZERO;
        if let Some(snapshot) = &start.image.snapshot {
            stamp = snapshot.meta.stamp;
            above = snapshot.index();
            let meta = &snapshot.meta;
            let meta = if bytes { stored_meta(meta).map_err(BootRefused)? } else { meta.clone() };
            boot = boot.with_snapshot(meta);
        }
        boot.first = start.image.first();
        let marks = start
            .image
            .entries
            .iter()
            .filter(|entry| entry.position.index > above && EntryKind(entry.kind).is_mark());
        let mut marks: Vec<_> =
            marks.map(|entry| (entry.position, content_of(entry.clone()))).collect();
        if bytes {
            let stored = marks.iter().map(|(position, entry)| stored_entry(*position, entry));
            marks = stored.collect::<Result<_, _>>().map_err(BootRefused)?;
        }
        let stubs = start.image.entries.iter().rev().find(|e| EntryKind(e.kind).is_stub());
        let stubs = stubs.map_or(LogIndex::ZERO, |entry| entry.position.index);
        let mut boot = boot
            .with_log(terms, last, tip.map_or(stamp, |entry| entry.stamp))
            .with_marks(marks)
            .with_stubs(stubs);
        boot.last_label = tip.map(|entry| entry.label);
        let mut options = options(start.knobs, start.snapshots, start.command_bytes_max);
        options.level = start.level.unwrap_or(Options::LEVEL_MAX);
        let node =
            Node::boot(options, boot, Instant(start.now)).map_err(|error| refused(&error))?;
        let peers = start.level.map(wire::Peers::new);
        Ok(Self { node, fetches: Vec::new(), snapshots: Vec::new(), peers })
    }

    fn step(&mut self, now: Ns, input: Input<Self>) -> Stepped {
        let operated = matches!(input, Input::Operate(_));
        let Some(input) = self.input_of(input) else { return Stepped::default() };
        match self.node.step(Instant(now), input) {
            Ok(accepted) => {
                debug_assert_eq!(self.node.check(), Ok(()), "the node's own invariants");
                let mut stepped = self.stepped(&accepted);
                if operated {
                    // Accepted even where nothing is left to end.
                    stepped.answer = stepped.answer.or(Some(Answer::Accepted(0)));
                }
                stepped
            }
            Err(rejected) => Stepped {
                answer: Some(Answer::Refused {
                    why: rejected.name(),
                    hint: (rejected == Rejected::NotLeader)
                        .then(|| self.node.leader_hint())
                        .flatten(),
                }),
                ..Stepped::default()
            },
        }
    }

    fn poll(&mut self) -> Option<Effect<Self>> {
        loop {
            let output = self.node.poll()?;
            if let Some(effect) = self.effect_of(output) {
                return Some(effect);
            }
        }
    }

    fn settled(&mut self) -> Stepped {
        let settled = self.node.take_settled();
        Stepped { answer: None, ..self.stepped(&settled) }
    }

    fn deadline(&self) -> Option<Ns> {
        self.node.deadline().map(|at| at.0)
    }

    fn view(&self, view: &mut NodeView) {
        let node = &self.node;
        let options = node.options();
        view.role = node.role();
        view.term = node.term();
        view.vote = node.vote();
        view.leader = node.leader_hint();
        view.last = node.last();
        view.durable = node.durable();
        view.commit = node.commit();
        view.applied = node.applied();
        view.halted = node.halted().is_some();
        view.base = node.log_base();
        let configuration = node.configuration_in_force_ref();
        view.configuration = node.configuration_index();
        view.voters.clear();
        view.voters.extend_from_slice(configuration.voters());
        view.outgoing.clear();
        view.outgoing.extend_from_slice(configuration.outgoing());
        view.members.clear();
        for list in [configuration.voters(), configuration.outgoing(), configuration.learners()] {
            view.members.extend(list.iter().filter(|node| !configuration.is_witness(**node)));
        }
        view.members.sort_unstable();
        view.members.dedup();
        view.peers.clear();
        view.peers.extend(node.peers().map(|peer| PeerView {
            peer: peer.peer,
            matched: peer.matched,
            next: peer.next,
            inflight: peer.inflight,
            inflight_bytes: peer.inflight_bytes,
        }));
        let queues = node.queues();
        let inflight = view.peers.iter().map(|peer| peer.inflight).max().unwrap_or(0);
        view.loads = Loads {
            // An opening no-op is always taken in, so the log may exceed its limit by that one.
            tail_entries: (queues.tail_entries, options.tail_entries_max.saturating_add(1)),
            tail_bytes: (queues.tail_bytes, options.tail_bytes_max),
            persists: (queues.persists, u64::from(options.persist_inflight_max)),
            reads: (queues.reads, u64::from(options.reads_max)),
            applying: (queues.applying, options.apply_inflight_entries_max),
            inflight: (inflight, u64::from(options.inflight_messages_max)),
            outbox: (queues.outbox, OUTBOX_MAX),
            proposals: (queues.proposals, options.proposals_max),
            deferred: (queues.buffered.max(queues.deferred), u64::from(options.deferred_max)),
            // One of any size is taken into each empty queue.
            deferred_bytes: (
                queues.deferred_bytes,
                options.deferred_bytes_max.max(options.entry_bytes_max).saturating_mul(2),
            ),
            operations: (queues.operations, OPERATIONS_MAX),
        };
    }

    fn log_from(&self, from: LogIndex, out: &mut Vec<EntryId>) {
        out.extend(self.node.entries_from(from).map(|(at, entry)| entry_of(at, entry).id()));
    }

    fn wording(letter: &Letter) -> Option<Wording> {
        letter.wording()
    }

    fn label(letter: &Letter) -> MessageLabel {
        let message = &letter.envelope;
        let mut label = MessageLabel::plain(MessageKind::PRE_VOTE, message.term);
        label.life = message.from_incarnation.0;
        match &message.message {
            Message::PreVote(ask) => label.last = ask.last.index,
            Message::PreVoteReply(_) => label.kind = MessageKind::PRE_VOTE_REPLY,
            Message::RequestVote(ask) => {
                label.kind = MessageKind::REQUEST_VOTE;
                label.last = ask.last.index;
                label.claim = Claim::Candidacy(ask.last);
                label.authority = ask.authorised_by;
            }
            Message::VoteReply(reply) => {
                label.kind = MessageKind::VOTE_REPLY;
                if reply.granted {
                    label.claim = Claim::Vote(message.to);
                }
            }
            Message::AppendEntries(append) => {
                label.round = append.round;
                label.first = append.previous.index.next();
                label.last = append.entries.last().map_or(append.previous.index, |p| p.index);
                label.kind = if append.entries.is_empty() {
                    MessageKind::HEARTBEAT
                } else {
                    MessageKind::APPEND
                };
            }
            Message::AppendReply(reply) => {
                label.kind = MessageKind::APPEND_REPLY;
                (label.round, label.promise) = (reply.round, reply.promise_ns);
                match reply.result {
                    AppendResult::Matched { matched } => {
                        label.last = matched;
                        label.claim = Claim::Match(matched);
                    }
                    AppendResult::Refused { previous, .. } => label.first = previous,
                    AppendResult::NeedSnapshot | AppendResult::StaleTerm => {}
                }
            }
            Message::TimeoutNow(ask) => {
                label.kind = MessageKind::TIMEOUT_NOW;
                label.last = ask.last.index;
            }
            Message::TransferRefused(_) => label.kind = MessageKind::TRANSFER_REFUSED,
            Message::InstallMeta(install) => {
                label.kind = MessageKind::INSTALL_META;
                label.last = install.meta.index();
            }
            Message::ReadIndex(_) => label.kind = MessageKind::READ_INDEX,
            Message::ReadIndexReply(reply) => {
                label.kind = MessageKind::READ_INDEX_REPLY;
                label.last = reply.index.unwrap_or_default();
            }
            Message::NotMember(told) => {
                label.kind = MessageKind::NOT_MEMBER;
                label.last = told.commit;
            }
            _ => {}
        }
        label
    }

    fn digest_message(letter: &Letter, d: &mut Digest) {
        letter.digest(d);
        let message = &letter.envelope;
        d.word(message.from.0 << 32 ^ message.to.0);
        d.word(message.term.0);
        let position = |d: &mut Digest, at: LogPosition| {
            d.word(at.term.0);
            d.word(at.index.0);
        };
        match &message.message {
            Message::PreVote(ask) => {
                d.word(1);
                d.word(ask.round.boot.0);
                d.word(ask.round.number);
                d.word(ask.campaign_term.0);
                position(d, ask.last);
            }
            Message::PreVoteReply(reply) => {
                d.word(2);
                d.word(reply.round.boot.0);
                d.word(reply.round.number);
                d.word(u64::from(reply.granted));
            }
            Message::RequestVote(ask) => {
                d.word(3);
                position(d, ask.last);
            }
            Message::VoteReply(reply) => {
                d.word(4);
                d.word(u64::from(reply.granted));
            }
            Message::AppendEntries(append) => {
                d.word(5);
                position(d, append.previous);
                d.word(append.commit.0);
                d.word(append.round);
                for entry in append.entries.iter() {
                    position(d, entry.position);
                    d.word(u64::from(entry.entry.kind.0));
                    d.word(entry.entry.stamp);
                    d.word(entry.entry.label);
                    d.bytes(&entry.entry.payload);
                }
            }
            Message::AppendReply(reply) => {
                d.word(6);
                d.word(reply.round);
                match reply.result {
                    AppendResult::Matched { matched } => {
                        d.word(1);
                        d.word(matched.0);
                    }
                    AppendResult::Refused { previous, hint } => {
                        d.word(2);
                        d.word(previous.0);
                        position(d, hint);
                    }
                    AppendResult::StaleTerm => d.word(3),
                    AppendResult::NeedSnapshot => d.word(4),
                }
            }
            // An open enumeration: every field of the rarer kinds reaches the digest as text.
            other => d.bytes(format!("{other:?}").as_bytes()),
        }
    }
}

/// Operations that a node keeps open at once.
const OPERATIONS_MAX: u64 = 16;

/// The most one settle can leave in the outbox: a window of appends to each of eight peers, every
/// open read, and a handful of single outputs.
const OUTBOX_MAX: u64 = 8 * 1_024 + 5_000 + 64;
