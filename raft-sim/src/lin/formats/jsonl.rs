//! Our own history format: one JSON object a line.
//!
//! **Intuition.** `{"i":0,"t":12,"client":1,"op":7,"type":"invoke","f":"put","key":3,"arg":9}` and
//! later `{"i":4,"t":30,"client":1,"op":7,"type":"ok","f":"put","key":3,"ret":null,"idx":2}`. The
//! order of the lines is the order of events; `t` is the recorder's clock and only has to agree.
//! **Source.** Ours (docs/TRACE.md). Fields: `i` number of the line's event, from 0 without gaps;
//! `t` time, never decreasing; `client`; `op` unique; `type` invoke, ok, fail (definitely without
//! effect: dropped) or info (unknown); `f`, `key`, `arg`; `ret` on ok; `idx` hint.
//! **Upholds.** `inv:linearizable`.
//! **Not here.** What `f`, `arg` and `ret` mean (`codec.rs`).

use core::fmt::Write;

use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    datum::Datum,
    events::{Event, Kind},
};
use crate::{
    lin::history::{HistoryError, Operation, validate},
    workload::kv::{Call, Reply},
};

/// Anything else in a line is an error: a misspelt field must not be silently without effect.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    i: u64,
    t: u64,
    client: u64,
    op: u64,
    #[serde(rename = "type")]
    kind: Kind,
    f: String,
    #[serde(default)]
    key: Value,
    #[serde(default)]
    arg: Value,
    #[serde(default)]
    ret: Value,
    idx: Option<u64>,
}

/// The events of `text`, line by line.
pub fn events(text: &str) -> impl Iterator<Item = Result<Event, HistoryError>> {
    let mut next = 0;
    text.lines().enumerate().map(move |(line, content)| {
        let line = line + 1;
        let wrong = |reason: String| HistoryError::Line { line, reason };
        if content.trim().is_empty() {
            return Err(wrong("empty line".into()));
        }
        let parsed: Line = serde_json::from_str(content).map_err(|error| wrong(why(&error)))?;
        if parsed.i != next {
            return Err(wrong(format!("i is {}, expected {next}", parsed.i)));
        }
        next += 1;
        let event = Event {
            line,
            time: Some(parsed.t),
            client: parsed.client,
            kind: parsed.kind,
            f: parsed.f,
            key: Datum::from_json(parsed.key).map_err(wrong)?,
            arg: Datum::from_json(parsed.arg).map_err(wrong)?,
            ret: Datum::from_json(parsed.ret).map_err(wrong)?,
            op: Some(parsed.op),
            index: parsed.idx,
        };
        if event.kind != Kind::Ok && event.ret != Datum::Nil {
            return Err(wrong("only an event of type ok has a ret".into()));
        }
        Ok(event)
    })
}

/// The parser's words, with the column but without its line, which is always 1.
fn why(error: &serde_json::Error) -> String {
    let words = error.to_string();
    let words = words.split(" at line ").next().unwrap_or_default();
    format!("{words} (column {})", error.column())
}

/// Writes a history of the simulator's key-value machine. Reading it back gives the same
/// operations with endpoints numbered from 0; `t` is the endpoint as it was.
///
/// # Errors
/// When the operations are no history.
pub fn write(history: &[Operation]) -> Result<String, HistoryError> {
    validate(history)?;
    let mut ends: Vec<(u64, usize, bool)> = Vec::with_capacity(history.len() * 2);
    for (position, operation) in history.iter().enumerate() {
        ends.push((operation.invoked, position, true));
        if let Some(returned) = operation.returned {
            ends.push((returned, position, false));
        }
    }
    ends.sort_unstable();
    let mut text = String::new();
    for (i, (t, position, invoke)) in ends.into_iter().enumerate() {
        let Operation { op, client, call, reply, index, .. } = &history[position];
        let (f, key, arg) = match *call {
            Call::Get { key } => ("get", key, Value::Null),
            Call::Put { key, value } => ("put", key, json!(value)),
            Call::Delete { key } => ("delete", key, Value::Null),
            Call::Cas { key, old, new } => ("cas", key, json!({"old": old, "new": new})),
            Call::Append { key, value } => ("append", key, json!(value)),
        };
        let kind = if invoke { "invoke" } else { "ok" };
        let start = format!(
            r#"{{"i":{i},"t":{t},"client":{client},"op":{op},"type":"{kind}","f":"{f}","key":{key}"#
        );
        text.push_str(&start);
        if invoke {
            if !arg.is_null() {
                write!(text, r#","arg":{arg}"#).expect("a string takes everything");
            }
        } else {
            let ret = match reply {
                Some(Reply::Value { value }) => json!(value),
                Some(Reply::Swapped { ok }) => json!(ok),
                Some(Reply::Done) | None => Value::Null,
            };
            write!(text, r#","ret":{ret}"#).expect("a string takes everything");
        }
        // A hint is known when the operation returns; for one that never does, it goes with the
        // invocation.
        if let Some(index) = index
            && (!invoke || reply.is_none())
        {
            write!(text, r#","idx":{index}"#).expect("a string takes everything");
        }
        text.push_str("}\n");
    }
    Ok(text)
}
