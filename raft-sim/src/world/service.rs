//! Traffic between clients and nodes.
//!
//! **Intuition.** Requests and answers are messages with fates of their own, but on connections:
//! what the network would lose is mostly sent again and only late, so that an unknown outcome is
//! an event and not the rule.
//! **Source.** Jepsen's process model; the share of unknown outcomes a run may have is ours.
//! **Upholds.** `inv:linearizable`.
//! **Not here.** A client's own decisions (`workload/client.rs`).

use raft_core::NodeId;
use serde_json::json;

use super::{Event, World, host::Asked, phases::Stage, queue::Class};
use crate::{
    fault::schedule::MessageId,
    oracle::Observation,
    process::{Input, MessageKind, Ns, Process},
    workload::{
        client::Open,
        history::{Ask, History, Request, Response, Told},
        kv::{Call, Command, Reply},
        reads::{ReadHow, Wanted},
    },
};

/// Ids of clients in message identities begin here, far above any node's.
pub(crate) const CLIENT_IDS: u64 = 1 << 32;
/// Kind number of requests in message identities.
const REQUEST: MessageKind = MessageKind(200);
/// Kind number of answers in message identities.
const RESPONSE: MessageKind = MessageKind(201);
/// One in this many lost client messages is lost for good; the others are sent again.
const LOST_FOR_GOOD: u64 = 8;
/// Domain of keyed choices: is a client message lost for good?
const CHOOSE_LOST: u64 = 0x11;
/// Domain of keyed choices: does a client repeat a write of unknown outcome?
const CHOOSE_REPEAT: u64 = 0x12;
/// At most one operation in this many should stay unknown.
const UNKNOWN_SHARE: u64 = 5;
/// One read in this many goes to any node.
const ASTRAY: u64 = 4;
/// Domain of keyed choices: does a read go to any node?
const CHOOSE_ASTRAY: u64 = 0x14;
/// Domain of keyed choices: to which node?
const CHOOSE_TARGET: u64 = 0x15;
/// Timeouts a client waits at most before it gives up in any case.
const PATIENCE_MAX: u32 = 16;

impl<P: Process> World<'_, P> {
    /// The client that the world itself uses: probes and final reads.
    pub(crate) fn keeper(&self) -> usize {
        self.clients.len() - 1
    }

    fn timeout_of(&self, client: usize) -> Ns {
        let election = self.schedule.plan.knobs.election_ns;
        let timeout = match self.schedule.plan.work.timeout_ns {
            0 => election.saturating_mul(4),
            timeout => timeout,
        };
        if self.stage > Stage::Chaos && client == self.keeper() {
            return timeout.min(election.saturating_mul(2)).max(1);
        }
        timeout.max(1)
    }

    /// Sets a client going after `pause`.
    pub(crate) fn wake_after(&mut self, client: usize, pause: Ns) {
        let at = self.watch.now.saturating_add(pause);
        let attempt = self.clients[client].attempt;
        let event = Event::ClientWakes { client: client as u32, attempt };
        self.push(at, Class::Client, client as u64, attempt, event);
    }

    /// A client goes on: with the next attempt of its operation, or with its next operation.
    pub(crate) fn on_client_wakes(&mut self, client: usize, attempt: u64) {
        let state = &mut self.clients[client];
        if state.attempt != attempt || state.open.as_ref().is_some_and(|open| open.waiting) {
            return;
        }
        state.thinking = false;
        if state.open.is_none() && !self.begin_operation(client) {
            return;
        }
        self.send_attempt(client);
    }

    fn begin_operation(&mut self, client: usize) -> bool {
        let state = &mut self.clients[client];
        let (call, how) = if let Some(call) = state.extra.pop_front() {
            (call, ReadHow::default())
        } else {
            let Some(&place) = state.ops.get(state.begun) else { return false };
            let late = self.stage > Stage::Chaos;
            if late && !(self.stage == Stage::Drain && owes(self.unknown_ops, &self.history)) {
                return false;
            }
            state.begun += 1;
            let op = &self.schedule.ops[place as usize];
            (op.call.clone(), op.how)
        };
        self.invoke(client, call, how);
        true
    }

    fn invoke(&mut self, client: usize, call: Call, how: ReadHow) {
        let state = &mut self.clients[client];
        let read = call.is_read();
        let op = self.history.invoke(state.process, call.clone());
        state.open = Some(Open { op, call, waiting: false, patience: 0, how, tries: 0 });
        self.watch.note(|| format!("client {client} begins operation {op}"));
        self.watch.see(Observation::OpInvoked { op, read });
    }

    fn send_attempt(&mut self, client: usize) {
        let timeout = self.timeout_of(client);
        let padding = self.schedule.plan.work.padding;
        let targets = core::mem::take(&mut self.targets);
        let state = &mut self.clients[client];
        state.attempt += 1;
        let (attempt, mut node) = (state.attempt, state.choose(&targets));
        let seen = state.seen;
        let Some(open) = &mut state.open else { return };
        let how = open.how.after(open.tries);
        if open.call.is_read() {
            // Some reads go anywhere: a leader that does not know it was deposed is found by those
            // who did not follow its successor.
            let id = (client as u64) << 32 | attempt;
            if how.anywhere || self.fates.choose(CHOOSE_ASTRAY, id, ASTRAY) == 0 {
                node = targets[self.fates.choose(CHOOSE_TARGET, id, targets.len() as u64) as usize];
            }
        }
        self.targets = targets;
        open.waiting = true;
        open.patience = 0;
        let op = open.op;
        let ask = if open.call.is_read() {
            Ask::Read(open.call.key(), how, how.wanted(seen))
        } else {
            // Spread sizes over operations without a draw of their own.
            let size = if padding == 0 { 0 } else { op * 2_654_435_761 % u64::from(padding) };
            let command = Command { op, call: open.call.clone() };
            Ask::Write(command.encode(u16::try_from(size).unwrap_or(u16::MAX)))
        };
        let to = self.hosts[usize::from(node)].id.0;
        let id = client_message(CLIENT_IDS + client as u64, to, REQUEST, attempt);
        if let Some(delay) = self.client_delay(&id, timeout) {
            let at = self.watch.now.saturating_add(delay);
            let request = Request { client: client as u32, attempt, op, node, ask };
            self.push(at, Class::Network, id.from, attempt, Event::Request(request));
        }
        let at = self.watch.now.saturating_add(timeout);
        let event = Event::ClientTimeout { client: client as u32, attempt };
        self.push(at, Class::Client, client as u64, attempt, event);
    }

    /// How long a client message takes; `None` if it is lost for good.
    fn client_delay(&mut self, id: &MessageId, timeout: Ns) -> Option<Ns> {
        let fate = self.fates.message(id, self.watch.now);
        if !fate.lost {
            return Some(fate.delay_ns);
        }
        self.count_axes(fate.axes);
        if self.fates.choose(CHOOSE_LOST, id.from << 32 ^ id.to << 20 ^ id.nth, LOST_FOR_GOOD) == 0
        {
            return None;
        }
        Some(fate.delay_ns.saturating_add(timeout / 8))
    }

    /// A request arrives at a node. Whether it reached a process.
    pub(crate) fn on_request(&mut self, request: Request) -> bool {
        let n = usize::from(request.node);
        let (key, how, wanted) = match &request.ask {
            Ask::Read(key, how, wanted) => (*key, *how, *wanted),
            Ask::Write(_) => (0, ReadHow::default(), Wanted::default()),
        };
        let Request { client, attempt, op, .. } = request;
        let asked = Asked { client, attempt, op, key, how, least: wanted.least };
        let host = &self.hosts[n];
        if host.process.is_none() {
            // Nobody listens: the connection is refused, nothing can have happened.
            self.respond(n, asked, Told::Refused(None));
            return false;
        }
        self.begin(13, "request", n);
        self.watch.digest.word(request.op);
        self.watch.field("op", || json!(request.op));
        match request.ask {
            Ask::Read(..) if how.is_ordinary() => self.step(n, Input::Read, Some(asked)),
            Ask::Read(..) => self.step(n, Input::ReadWith(wanted), Some(asked)),
            Ask::Write(payload) => {
                self.watch.digest.bytes(&payload);
                self.step(n, Input::Propose(payload), Some(asked));
            }
        }
        true
    }

    /// Node `n` answers a client.
    pub(crate) fn respond(&mut self, n: usize, asked: Asked, told: Told) {
        let client = asked.client as usize;
        let timeout = self.timeout_of(client);
        let from = self.hosts[n].id.0;
        let id = client_message(from, CLIENT_IDS + client as u64, RESPONSE, asked.attempt);
        let Some(delay) = self.client_delay(&id, timeout) else { return };
        let at = self.watch.now.saturating_add(delay);
        let Asked { client, attempt, op, .. } = asked;
        let response = Response { client, attempt, op, node: n as u8, told };
        self.push(at, Class::Network, id.to, attempt, Event::Response(response));
    }

    /// An answer arrives at a client.
    pub(crate) fn on_response(&mut self, response: Response) {
        let client = response.client as usize;
        let state = &mut self.clients[client];
        let Some(open) = &mut state.open else { return };
        if open.op != response.op || state.attempt != response.attempt || !open.waiting {
            return;
        }
        self.watch.digest.word(response.op << 8 | 14);
        let op = open.op;
        let local = matches!(response.told, Told::Local(..));
        match response.told {
            Told::Done(reply, index) | Told::Local(reply, index) => {
                let read = open.call.is_read();
                state.seen = state.seen.max(index);
                let failed = matches!(reply, Reply::Swapped { ok: false });
                digest_reply(&mut self.watch.digest, &reply, index.0);
                self.watch.note(|| format!("operation {op} returns at {index}: {reply:?}"));
                self.history.complete(op, reply, index);
                if local {
                    self.history.refuse(op);
                }
                self.watch.see(Observation::OpReturned { op, read, index });
                if failed {
                    self.watch.see(Observation::CasFailed { op });
                }
                let state = &mut self.clients[client];
                state.hint = Some(response.node);
                state.backoff_ns = 0;
                self.finish_operation(client);
            }
            Told::Refused(hint) => {
                open.waiting = false;
                open.tries = open.tries.saturating_add(1);
                state.hint = hint.filter(|hint| *hint != response.node);
                self.retry(client);
            }
            Told::Superseded => {
                // It is certain that nothing happened: the operation never was, and what the
                // client wanted is asked for anew.
                let call = open.call.clone();
                state.open = None;
                self.watch.note(|| format!("operation {op} refused for certain"));
                self.history.refuse(op);
                self.watch.see(Observation::OpRefused { op });
                self.invoke(client, call, ReadHow::default());
                self.retry(client);
            }
            Told::Unknown => self.give_up(client),
        }
    }

    fn retry(&mut self, client: usize) {
        let mut timeout = self.timeout_of(client);
        if self.stage > Stage::Chaos {
            timeout = timeout.min(self.schedule.plan.knobs.election_ns);
        }
        let pause = self.clients[client].back_off(timeout);
        self.wake_after(client, pause);
    }

    /// An attempt takes too long.
    pub(crate) fn on_client_timeout(&mut self, client: usize, attempt: u64) {
        let state = &mut self.clients[client];
        let Some(open) = &mut state.open else { return };
        if state.attempt != attempt || !open.waiting {
            return;
        }
        if open.call.is_read() {
            // Asking again is harmless: a read changes nothing, and its interval only grows.
            open.waiting = false;
            open.tries = open.tries.saturating_add(1);
            state.hint = None;
            self.retry(client);
            return;
        }
        open.patience += 1;
        let may = (self.unknown_ops + 1) * UNKNOWN_SHARE <= self.history.len();
        if may || self.stage > Stage::Chaos || open.patience >= PATIENCE_MAX {
            self.give_up(client);
            return;
        }
        let at = self.watch.now.saturating_add(self.timeout_of(client));
        let event = Event::ClientTimeout { client: client as u32, attempt };
        self.push(at, Class::Client, client as u64, attempt, event);
    }

    /// The client's write may or may not have happened; it stays open for ever.
    fn give_up(&mut self, client: usize) {
        let state = &mut self.clients[client];
        let Some(open) = state.open.take() else { return };
        let op = open.op;
        self.unknown_ops += 1;
        state.process = self.next_process;
        self.next_process += 1;
        state.hint = None;
        self.watch.note(|| format!("operation {op} stays unknown"));
        self.watch.see(Observation::OpUnknown { op });
        let keeper = client == self.keeper();
        let id = (client as u64) << 32 | self.clients[client].attempt;
        if keeper || (self.stage == Stage::Chaos && self.fates.choose(CHOOSE_REPEAT, id, 10) < 3) {
            let call = self.repeated(open.call);
            self.clients[client].extra.push_front(call);
        }
        self.finish_operation(client);
    }

    /// The same request again, as a new one: its token must be unique.
    fn repeated(&self, call: Call) -> Call {
        let token = 1 << 63 | self.history.len();
        match call {
            Call::Put { key, .. } => Call::Put { key, value: token },
            Call::Append { key, .. } => Call::Append { key, value: token },
            Call::Cas { key, old, .. } => Call::Cas { key, old, new: token },
            Call::Get { .. } | Call::Delete { .. } => call,
        }
    }

    /// The client's operation is over: think, then the next.
    fn finish_operation(&mut self, client: usize) {
        let keeper = client == self.keeper();
        let state = &mut self.clients[client];
        state.open = None;
        self.progress = true;
        if !state.extra.is_empty() {
            let pause = if keeper { 0 } else { state.backoff_ns };
            self.wake_after(client, pause);
            return;
        }
        self.think(client);
    }

    /// Sets a client going on its next operation of the schedule, if there is one.
    pub(crate) fn think(&mut self, client: usize) {
        let state = &mut self.clients[client];
        let Some(&place) = state.ops.get(state.begun) else { return };
        state.thinking = true;
        let pause = self.schedule.ops[place as usize].think_ns;
        self.wake_after(client, pause);
    }

    /// The place of `node` in the tables, if there is one of that id.
    pub(crate) fn place(&self, node: NodeId) -> Option<u8> {
        let at = usize::try_from(node.0.checked_sub(1)?).ok()?;
        (at < self.hosts.len()).then_some(at as u8)
    }
}

/// Whether too large a share of all operations is unknown, so that clients go on after healing.
pub(crate) fn owes(unknown_ops: u64, history: &History) -> bool {
    unknown_ops * UNKNOWN_SHARE > history.len()
}

fn client_message(from: u64, to: u64, kind: MessageKind, attempt: u64) -> MessageId {
    MessageId { from, to, kind: kind.0, term: 0, first: 0, last: 0, nth: attempt }
}

fn digest_reply(digest: &mut crate::trace::digest::Digest, reply: &Reply, index: u64) {
    digest.word(index);
    match reply {
        Reply::Value { value } => {
            for token in value.iter().flatten() {
                digest.word(*token);
            }
        }
        Reply::Done => {}
        Reply::Swapped { ok } => digest.word(u64::from(*ok)),
    }
}
