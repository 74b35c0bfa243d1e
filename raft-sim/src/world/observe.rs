//! Turns what happens into facts for oracles, the digest and the trace.
//!
//! **Intuition.** Each fact is told once. The digest takes in every event and every field of a
//! view that changed; the trace is written only on request and costs nothing otherwise.
//! **Source.** Ours.
//! **Upholds.** `inv:pure`.
//! **Not here.** Judging (`oracle/`).

use core::cell::Cell;

use raft_core::{NodeId, Role};
use serde_json::{Map, Value, json};

use crate::{
    oracle::{Observation, Oracles, Violation},
    process::{Changed, NodeView, Ns},
    trace::{
        digest::Digest,
        record::{Line, hex},
    },
};

/// Events between two checkpoints of the digest.
pub(crate) const CHECKPOINT_EVERY: u64 = 256;

thread_local! {
    /// Event, world time and node of this thread's run, for blaming a panic.
    static PROGRESS: Cell<(u64, Ns, u64)> = const { Cell::new((0, 0, 0)) };
}

/// Event, world time and node (0: none) that this thread's run has come to.
pub(crate) fn progress() -> (u64, Ns, u64) {
    PROGRESS.get()
}

/// Watches one run.
#[derive(Debug)]
pub(crate) struct Watch {
    /// World time.
    pub(crate) now: Ns,
    /// Events so far.
    pub(crate) events: u64,
    /// Running digest.
    pub(crate) digest: Digest,
    /// Digest after every 256th event.
    pub(crate) checkpoints: Vec<u64>,
    /// Who judges.
    pub(crate) oracles: Oracles,
    /// The first broken invariant.
    pub(crate) violation: Option<Violation>,
    trace: Option<Vec<Line>>,
    notes: Vec<Value>,
    line: Option<Line>,
    /// The last event's account is still open.
    pending: bool,
}

impl Watch {
    pub(crate) fn new(oracles: Oracles, trace: bool) -> Self {
        Self {
            now: 0,
            events: 0,
            digest: Digest::new(),
            checkpoints: Vec::new(),
            oracles,
            violation: None,
            trace: trace.then(Vec::new),
            notes: Vec::new(),
            line: None,
            pending: false,
        }
    }

    /// Whether a trace is wanted.
    pub(crate) const fn tracing(&self) -> bool {
        self.trace.is_some()
    }

    /// An event begins: the next number, its kind and its node (0: none).
    pub(crate) fn begin(&mut self, code: u64, name: &'static str, node: u64) {
        self.flush();
        PROGRESS.set((self.events, self.now, node));
        self.digest.word(code | node << 8);
        self.digest.word(self.now);
        if self.trace.is_some() {
            self.line = Some(Line {
                i: self.events,
                t: self.now,
                n: node,
                ev: name.to_owned(),
                d: String::new(),
                rest: Map::new(),
            });
        }
    }

    /// The event is over. What clients do until the next one still belongs to it.
    pub(crate) fn end(&mut self) {
        self.events += 1;
        self.pending = true;
    }

    /// Closes the account of the last event: its checkpoint and its line.
    pub(crate) fn flush(&mut self) {
        if !core::mem::take(&mut self.pending) {
            return;
        }
        if self.events.is_multiple_of(CHECKPOINT_EVERY) {
            self.checkpoints.push(self.digest.value());
        }
        if let (Some(mut line), Some(trace)) = (self.line.take(), &mut self.trace) {
            line.d = hex(self.digest.value());
            if !self.notes.is_empty() {
                line.rest.insert("out".to_owned(), Value::Array(core::mem::take(&mut self.notes)));
            }
            trace.push(line);
        }
    }

    /// Adds a field to the trace line of this event; `value` is made only when tracing.
    pub(crate) fn field(&mut self, name: &str, value: impl FnOnce() -> Value) {
        if let Some(line) = &mut self.line {
            line.rest.insert(name.to_owned(), value());
        }
    }

    /// Adds to what this event led to; `text` is made only when tracing.
    pub(crate) fn note(&mut self, text: impl FnOnce() -> String) {
        if self.trace.is_some() {
            self.notes.push(Value::String(text()));
        }
    }

    /// Tells the oracles.
    pub(crate) fn see(&mut self, observation: Observation<'_>) {
        if self.violation.is_none()
            && let Err(violation) = self.oracles.observe(self.events, self.now, observation)
        {
            self.violation = Some(violation);
        }
    }

    /// Folds in what changed in a view.
    pub(crate) fn digest_view(&mut self, changed: Changed, view: &NodeView) {
        let digest = &mut self.digest;
        digest.word(u64::from(changed.0));
        if changed.any(Changed::TERM.and(Changed::VOTE)) {
            digest.word(view.term.0);
            digest.word(view.vote.map_or(0, |node| node.0));
        }
        if changed.any(Changed::ROLE) {
            digest.word(role_number(view.role) | view.leader.map_or(0, |node| node.0) << 8);
        }
        if changed.any(Changed::LOG) {
            digest.word(view.last.term.0);
            digest.word(view.last.index.0);
        }
        if changed.any(Changed::DURABLE) {
            digest.word(view.durable.0);
        }
        if changed.any(Changed::COMMIT) {
            digest.word(view.commit.0);
        }
        if changed.any(Changed::APPLIED) {
            digest.word(view.applied.0);
        }
        if changed.any(Changed::PEERS) {
            for peer in &view.peers {
                digest.word(peer.peer.0 << 48 ^ peer.matched.0);
                digest.word(peer.inflight << 48 ^ peer.next.0);
                digest.word(peer.inflight_bytes);
            }
        }
        if changed.any(Changed::LIFECYCLE) {
            digest.word(u64::from(view.halted));
        }
        if changed.any(Changed::LOADS) {
            let loads = &view.loads;
            for (load, _) in [
                loads.tail_entries,
                loads.tail_bytes,
                loads.persists,
                loads.reads,
                loads.applying,
                loads.inflight,
                loads.outbox,
            ] {
                digest.word(load);
            }
        }
        if changed.any(Changed::BASE) && view.base.index.0 > 0 {
            digest.word(view.base.term.0 << 48 ^ view.base.index.0);
        }
        if changed.any(Changed::CONFIGURATION) {
            digest.word(view.configuration.0);
            for (half, nodes) in (1_u64..).zip([&view.voters, &view.outgoing, &view.members]) {
                for node in nodes {
                    digest.word(half << 56 ^ node.0);
                }
            }
        }
        self.field("view", || view_value(view));
    }

    /// The trace, if one was wanted.
    pub(crate) fn take_trace(&mut self) -> Vec<Line> {
        self.trace.take().unwrap_or_default()
    }
}

const fn role_number(role: Role) -> u64 {
    match role {
        Role::Follower => 0,
        Role::PreCandidate => 1,
        Role::Candidate => 2,
        Role::Leader => 3,
    }
}

fn view_value(view: &NodeView) -> Value {
    let id = |node: Option<NodeId>| node.map(|node| node.0);
    json!({
        "role": view.role.to_string(),
        "term": view.term.0,
        "vote": id(view.vote),
        "leader": id(view.leader),
        "last": view.last.to_string(),
        "durable": view.durable.0,
        "commit": view.commit.0,
        "applied": view.applied.0,
    })
}

/// Which fields differ between two views.
pub(crate) fn differ(before: &NodeView, after: &NodeView) -> Changed {
    let mut bits = 0;
    let mut bit = |differs: bool, changed: Changed| {
        if differs {
            bits |= changed.0;
        }
    };
    bit(before.term != after.term, Changed::TERM);
    bit(before.vote != after.vote, Changed::VOTE);
    bit(before.role != after.role || before.leader != after.leader, Changed::ROLE);
    bit(before.last != after.last, Changed::LOG);
    bit(before.durable != after.durable, Changed::DURABLE);
    bit(before.commit != after.commit, Changed::COMMIT);
    bit(before.applied != after.applied, Changed::APPLIED);
    bit(before.peers != after.peers, Changed::PEERS);
    bit(before.halted != after.halted, Changed::LIFECYCLE);
    bit(before.loads != after.loads, Changed::LOADS);
    bit(before.base != after.base, Changed::BASE);
    bit(
        before.configuration != after.configuration
            || before.voters != after.voters
            || before.outgoing != after.outgoing
            || before.members != after.members,
        Changed::CONFIGURATION,
    );
    Changed(bits)
}

/// The first field by which two views differ, for people.
pub(crate) fn first_difference(a: &NodeView, b: &NodeView) -> Option<&'static str> {
    let changed = differ(a, b);
    [
        (Changed::TERM, "term"),
        (Changed::VOTE, "vote"),
        (Changed::ROLE, "role or leader"),
        (Changed::LOG, "last log position"),
        (Changed::DURABLE, "durable index"),
        (Changed::COMMIT, "commit index"),
        (Changed::APPLIED, "applied index"),
        (Changed::PEERS, "progress of peers"),
        (Changed::LIFECYCLE, "halted"),
        (Changed::LOADS, "queue sizes"),
        (Changed::BASE, "base of the log"),
        (Changed::CONFIGURATION, "configuration"),
    ]
    .into_iter()
    .find_map(|(bits, name)| changed.any(bits).then_some(name))
}
