//! Writing histories in every format that is read.
//!
//! **Intuition.** Events are written as they were read, in another spelling. Formats differ in what
//! they can say, so what was written is read back and compared; a history that would mean
//! something else is refused rather than written.
//! **Source.** Ours.
//! **Upholds.** `inv:linearizable` (a converted history is the same history).
//! **Not here.** Reading (`jsonl.rs`, `edn.rs`, `jepsen_log.rs`, `elle_json.rs`).

use core::fmt::Write;
use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{
    Format,
    datum::Datum,
    events::{Event, Kind},
    jepsen_log::MARKER,
};
use crate::lin::history::Operation;

/// What became of each call, which some formats write differently.
#[derive(Debug)]
struct Asked<'a> {
    op: u64,
    arg: &'a Datum,
    /// It failed, and that says something (`Codec::refusal`).
    refused: bool,
    /// It failed, and that says that nothing happened.
    dropped: bool,
}

/// Writes `events`, which were read without error, in `format`. `refusal`: whether a failure of
/// this operation is an answer where the events come from. `repeats`: whether answers there may
/// be the argument again, which our own format has no use for.
pub(super) fn write(
    format: Format,
    events: &[Event],
    repeats: bool,
    refusal: &dyn Fn(&str) -> bool,
) -> String {
    let asked = pair_up(events, refusal);
    let mut text = String::new();
    let mut i = 0;
    for (event, asked) in events.iter().zip(&asked) {
        let line = match format {
            Format::Jsonl => Some(jsonl(i, event, asked, repeats)),
            Format::JepsenLog => Some(jepsen_log(event, asked)),
            Format::Edn => Some(edn(event, asked, i, true)),
            Format::Porcupine if asked.dropped || event.kind == Kind::Info => None,
            Format::Porcupine | Format::Elle => Some(edn(event, asked, i, false)),
            Format::ElleJson => Some(elle_json(event, asked, i)),
        };
        if let Some(line) = line {
            text.push_str(&line);
            text.push('\n');
            i += 1;
        }
    }
    text
}

/// For each event the question it belongs to.
fn pair_up<'a>(events: &'a [Event], refusal: &dyn Fn(&str) -> bool) -> Vec<Asked<'a>> {
    let mut open: BTreeMap<u64, usize> = BTreeMap::new();
    let mut invoked: Vec<usize> = Vec::with_capacity(events.len());
    for (at, event) in events.iter().enumerate() {
        if event.kind == Kind::Invoke {
            open.insert(event.client, at);
        }
        invoked.push(open.get(&event.client).copied().unwrap_or(at));
    }
    let mut ends: BTreeMap<usize, Kind> = BTreeMap::new();
    for (at, event) in events.iter().enumerate().filter(|(_, e)| e.kind != Kind::Invoke) {
        ends.insert(invoked[at], event.kind);
    }
    let mut numbers: BTreeMap<usize, u64> = BTreeMap::new();
    for &at in &invoked {
        let fresh = numbers.len() as u64;
        numbers.entry(at).or_insert(fresh);
    }
    let has_ids = events.iter().all(|event| event.op.is_some());
    invoked
        .iter()
        .map(|&at| {
            let failed = ends.get(&at) == Some(&Kind::Fail);
            let refused = failed && refusal(&events[at].f);
            Asked {
                op: events[at].op.filter(|_| has_ids).unwrap_or(numbers[&at]),
                arg: &events[at].arg,
                refused,
                dropped: failed && !refused,
            }
        })
        .collect()
}

fn kind_name(event: &Event, asked: &Asked<'_>) -> &'static str {
    match event.kind {
        Kind::Invoke => "invoke",
        Kind::Fail if asked.refused => "ok",
        Kind::Ok => "ok",
        Kind::Fail => "fail",
        Kind::Info => "info",
    }
}

/// What is answered: a refusal is `false`.
fn answer(event: &Event, asked: &Asked<'_>) -> Datum {
    match event.kind {
        Kind::Fail if asked.refused => Datum::Bool(false),
        Kind::Ok => event.ret.clone(),
        _ => Datum::Nil,
    }
}

fn jsonl(i: u64, event: &Event, asked: &Asked<'_>, repeats: bool) -> String {
    let mut line = json!({
        "i": i,
        "t": event.time.unwrap_or(i),
        "client": event.client,
        "op": asked.op,
        "type": kind_name(event, asked),
        "f": event.f,
    });
    if event.key != Datum::Nil {
        line["key"] = to_json(&event.key);
    }
    if event.kind == Kind::Invoke {
        if event.arg != Datum::Nil {
            line["arg"] = to_json(&event.arg);
        }
    } else if kind_name(event, asked) == "ok" {
        let again = repeats && event.f != "txn" && event.ret == *asked.arg;
        line["ret"] = if again { Value::Null } else { to_json(&answer(event, asked)) };
    }
    if let Some(index) = event.index {
        line["idx"] = json!(index);
    }
    line.to_string()
}

/// The one entry for argument and result.
fn value(event: &Event, asked: &Asked<'_>) -> Datum {
    match (event.kind, answer(event, asked)) {
        (Kind::Invoke, _) => event.arg.clone(),
        // Argument repeated, as it was read.
        (_, Datum::Nil) if kind_name(event, asked) == "ok" => event.arg.clone(),
        (_, answer) => answer,
    }
}

fn edn(event: &Event, asked: &Asked<'_>, i: u64, numbered: bool) -> String {
    let mut line =
        format!("{{:process {}, :type :{}, :f :{}", event.client, kind_name(event, asked), event.f);
    if event.key != Datum::Nil {
        let _ = write!(line, ", :key {}", Edn(&event.key));
    }
    let _ = write!(line, ", :value {}", Edn(&value(event, asked)));
    if numbered {
        if let Some(time) = event.time {
            let _ = write!(line, ", :time {time}");
        }
        let _ = write!(line, ", :index {i}");
    }
    line.push('}');
    line
}

fn elle_json(event: &Event, asked: &Asked<'_>, i: u64) -> String {
    let mut line = json!({
        "process": event.client,
        "type": kind_name(event, asked),
        "f": event.f,
        "value": to_json(&value(event, asked)),
        "index": i,
    });
    if let Some(time) = event.time {
        line["time"] = json!(time);
    }
    line.to_string()
}

fn jepsen_log(event: &Event, asked: &Asked<'_>) -> String {
    let refused = answer(event, asked) == Datum::Bool(false);
    let (kind, value) = match event.kind {
        Kind::Invoke => ("invoke", event.arg.clone()),
        Kind::Ok if refused => ("fail", asked.arg.clone()),
        Kind::Ok if event.f == "read" => ("ok", event.ret.clone()),
        Kind::Ok => ("ok", asked.arg.clone()),
        Kind::Fail if asked.refused => ("fail", asked.arg.clone()),
        Kind::Fail => ("fail", Datum::Keyword("failed".into())),
        Kind::Info => ("info", Datum::Keyword("timed-out".into())),
    };
    format!("INFO  {MARKER}{}\t:{kind}\t:{}\t{}", event.client, event.f, Edn(&value))
}

/// A value as EDN.
struct Edn<'a>(&'a Datum);

impl core::fmt::Display for Edn<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self.0 {
            Datum::Text(text) => {
                f.write_str("\"")?;
                for c in text.chars() {
                    match c {
                        '"' => f.write_str("\\\"")?,
                        '\\' => f.write_str("\\\\")?,
                        '\n' => f.write_str("\\n")?,
                        '\t' => f.write_str("\\t")?,
                        '\r' => f.write_str("\\r")?,
                        _ => f.write_char(c)?,
                    }
                }
                f.write_str("\"")
            }
            Datum::List(items) => {
                f.write_str("[")?;
                for (at, item) in items.iter().enumerate() {
                    write!(f, "{}{}", if at == 0 { "" } else { " " }, Edn(item))?;
                }
                f.write_str("]")
            }
            Datum::Map(entries) => {
                f.write_str("{")?;
                for (at, (key, value)) in entries.iter().enumerate() {
                    write!(f, "{}{} {}", if at == 0 { "" } else { ", " }, Edn(key), Edn(value))?;
                }
                f.write_str("}")
            }
            plain => write!(f, "{plain}"),
        }
    }
}

fn to_json(value: &Datum) -> Value {
    match value {
        Datum::Nil => Value::Null,
        Datum::Bool(truth) => json!(truth),
        Datum::Int(number) => match (u64::try_from(*number), i64::try_from(*number)) {
            (Ok(number), _) => json!(number),
            (_, Ok(number)) => json!(number),
            _ => json!(number.to_string()),
        },
        Datum::Text(text) | Datum::Keyword(text) => json!(text),
        Datum::List(items) => Value::Array(items.iter().map(to_json).collect()),
        Datum::Map(entries) => Value::Object(
            entries
                .iter()
                .map(|(key, value)| {
                    let key = match key {
                        Datum::Text(text) | Datum::Keyword(text) => text.clone(),
                        other => other.to_string(),
                    };
                    (key, to_json(value))
                })
                .collect(),
        ),
    }
}

/// What an operation says, whatever the format it was read from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Said {
    client: u64,
    text: String,
    ranks: (usize, Option<usize>),
}

/// Every operation of `history`.
pub(super) fn plain<C: core::fmt::Debug, R: core::fmt::Debug>(
    history: &[Operation<C, R>],
) -> Vec<Said> {
    let said = |(operation, ranks): (&Operation<C, R>, _)| Said {
        client: operation.client,
        text: format!("{:?} -> {:?}", operation.call, operation.reply),
        ranks,
    };
    history.iter().zip(ranks(history)).map(said).collect()
}

/// The first difference between what was read and what would be read back, in words.
pub(super) fn difference(was: &[Said], is: &[Said]) -> Option<String> {
    for (at, said) in was.iter().enumerate() {
        let Said { client, text, .. } = said;
        match is.get(at) {
            Some(other) if other == said => {}
            Some(other) => {
                return Some(format!(
                    "{text} of client {client} would be read back as {} of client {}",
                    other.text, other.client
                ));
            }
            None => return Some(format!("{text} of client {client} would be lost")),
        }
    }
    (is.len() > was.len()).then(|| "operations without effect would come back".to_owned())
}

/// Per operation the places of its endpoints among all.
fn ranks<C, R>(history: &[Operation<C, R>]) -> Vec<(usize, Option<usize>)> {
    let ends = history.iter().flat_map(|op| [Some(op.invoked), op.returned]);
    let mut sorted: Vec<u64> = ends.flatten().collect();
    sorted.sort_unstable();
    let rank = |at: u64| sorted.partition_point(|&other| other < at);
    history.iter().map(|op| (rank(op.invoked), op.returned.map(rank))).collect()
}
