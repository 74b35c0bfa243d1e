//! Events of a file, and pairing them into operations.
//!
//! **Intuition.** A file is a list of "client asked" and "client was told". Pairing is strict: a
//! client has one question open at a time, every answer belongs to the question that is open, and
//! time never runs backwards. Whatever breaks that is named by its line, never repaired.
//! **Source.** Ours; the four kinds of events are Jepsen's.
//! **Upholds.** `inv:linearizable`.
//! **Not here.** Reading lines (`jsonl.rs`, `edn.rs`, `jepsen_log.rs`), meaning (`codec.rs`).

use std::collections::{BTreeMap, BTreeSet};

use super::{codec::Codec, datum::Datum};
use crate::lin::{
    history::{HistoryError, Operation},
    model::Model,
};

/// What an event tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// The client asks.
    Invoke,
    /// It is told the result.
    Ok,
    /// It is told that nothing happened, for certain.
    Fail,
    /// It gives up: the outcome is unknown.
    Info,
}

/// One event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Line it is on, from 1.
    pub line: usize,
    /// When, on the recorder's clock.
    pub time: Option<u64>,
    /// Which client.
    pub client: u64,
    /// What it tells.
    pub kind: Kind,
    /// Name of the operation.
    pub f: String,
    /// Key, where the model has keys.
    pub key: Datum,
    /// What is asked.
    pub arg: Datum,
    /// What is answered.
    pub ret: Datum,
    /// Id of the operation, where the format has one.
    pub op: Option<u64>,
    /// Hint: log index.
    pub index: Option<u64>,
}

type History<M> = Vec<Operation<<M as Model>::Call, <M as Model>::Reply>>;

/// Pairs `events` into operations, in order of invocation. An operation without an answer, or
/// with an unknown outcome, stays open.
///
/// # Errors
/// The first line that does not fit, or [`HistoryError::Empty`].
pub fn pair<C: Codec>(
    codec: &mut C,
    events: impl IntoIterator<Item = Result<Event, HistoryError>>,
) -> Result<History<C::Model>, HistoryError> {
    /// An open question: where its operation is, and the line that asked.
    struct Open {
        position: usize,
        line: usize,
        f: String,
        key: Datum,
        arg: Datum,
        gave_up: bool,
    }
    let mut open: BTreeMap<u64, Open> = BTreeMap::new();
    let mut operations: Vec<Option<Operation<_, _>>> = Vec::new();
    let mut ids = BTreeSet::new();
    let mut now = 0;
    for (endpoint, event) in events.into_iter().enumerate() {
        let event = event?;
        let Event { line, client, .. } = event;
        let wrong = |reason: String| HistoryError::Line { line, reason };
        if let Some(time) = event.time {
            if time < now {
                return Err(wrong(format!("time goes backwards, from {now} to {time}")));
            }
            now = time;
        }
        if event.kind == Kind::Invoke {
            if let Some(pending) = open.get(&client) {
                let advice = if pending.gave_up {
                    "its outcome is unknown, so the client must go on under a new number"
                } else {
                    "it has no answer yet"
                };
                return Err(wrong(format!(
                    "client {client} already has the operation of line {} open: {advice}",
                    pending.line
                )));
            }
            let call = codec.call(&event.f, &event.key, &event.arg).map_err(wrong)?;
            let op = event.op.unwrap_or(operations.len() as u64);
            if !ids.insert(op) {
                return Err(wrong(format!("operation {op} is invoked twice")));
            }
            let position = operations.len();
            operations.push(Some(Operation {
                op,
                client,
                invoked: endpoint as u64,
                returned: None,
                call,
                reply: None,
                index: event.index,
            }));
            let Event { f, key, arg, .. } = event;
            open.insert(client, Open { position, line, f, key, arg, gave_up: false });
            continue;
        }

        let Some(pending) = open.get_mut(&client).filter(|pending| !pending.gave_up) else {
            return Err(wrong(format!("client {client} is answered but has nothing open")));
        };
        let slot = &mut operations[pending.position];
        let operation = slot.as_mut().expect("dropped only together with its open question");
        if pending.f != event.f {
            return Err(wrong(format!(
                "answer to {:?}, but client {client} asked {:?} on line {}",
                event.f, pending.f, pending.line
            )));
        }
        if event.op.is_some_and(|op| op != operation.op) {
            return Err(wrong(format!(
                "answer to operation {}, but client {client} has operation {} open",
                event.op.unwrap_or_default(),
                operation.op
            )));
        }
        for (name, said, asked) in
            [("key", &event.key, &pending.key), ("argument", &event.arg, &pending.arg)]
        {
            if *said != Datum::Nil && said != asked {
                return Err(wrong(format!(
                    "the {name} is {said}, but line {} asked with {asked}",
                    pending.line
                )));
            }
        }
        operation.index = event.index.or(operation.index);
        let reply = match event.kind {
            Kind::Ok => Some(codec.reply(&operation.call, &event.ret).map_err(wrong)?),
            Kind::Fail => codec.refusal(&operation.call),
            Kind::Info => {
                pending.gave_up = true;
                continue;
            }
            Kind::Invoke => unreachable!("handled above"),
        };
        if reply.is_some() {
            operation.returned = Some(endpoint as u64);
            operation.reply = reply;
        } else {
            *slot = None; // Definitely without effect.
        }
        open.remove(&client);
    }
    let history: Vec<_> = operations.into_iter().flatten().collect();
    if history.is_empty() { Err(HistoryError::Empty) } else { Ok(history) }
}
