//! What a file is, from what is in it.
//!
//! **Intuition.** The first line that says something tells the format, the names of the operations
//! tell the model. Where that leaves a choice, nothing is guessed: the error names what there is.
//! **Source.** Ours.
//! **Upholds.** `inv:linearizable`.
//! **Not here.** Reading (`jsonl.rs`, `edn.rs`, `jepsen_log.rs`, `elle_json.rs`).

use super::{
    Format, ModelName,
    datum::Datum,
    events::{Event, Kind},
    jepsen_log,
};
use crate::lin::history::HistoryError;

/// The format of `text`, by its first line that says something.
pub(super) fn format(text: &str) -> Result<Format, HistoryError> {
    let first = text.lines().map(str::trim).find(|line| !line.is_empty() && !line.starts_with(';'));
    let first = first.unwrap_or_default();
    let inside = first.strip_prefix('[').unwrap_or(first).trim_start();
    let inside = inside.strip_prefix('{').map(str::trim_start);
    if inside.is_some_and(|rest| rest.starts_with('"')) {
        // Jepsen's operations have a process, ours have a client.
        let jepsen = first.starts_with('[') || first.contains("\"process\"");
        return Ok(if jepsen { Format::ElleJson } else { Format::Jsonl });
    }
    if first == "[" && text.lines().any(|line| line.trim_start().starts_with("{\"")) {
        return Ok(Format::ElleJson);
    }
    if inside.is_some_and(|rest| rest.starts_with(':')) || first.starts_with('#') || first == "[" {
        return Ok(Format::Edn);
    }
    if text.lines().any(|line| line.contains(jepsen_log::MARKER)) {
        return Ok(Format::JepsenLog);
    }
    Err(HistoryError::Format {
        reason: format!(
            "the format is not recognised from {:?}; name one of {} with --format",
            first.chars().take(40).collect::<String>(),
            list(Format::ALL.iter().map(|format| format.name()))
        ),
    })
}

/// The model that knows all names used, if exactly one is meant.
pub(super) fn model(
    format: Format,
    events: &[Result<Event, HistoryError>],
) -> Result<ModelName, HistoryError> {
    let mut names: Vec<&str> = Vec::new();
    for event in events {
        // A bad line is told as such, not as an unknown model.
        let event = event.as_ref().map_err(Clone::clone)?;
        if !names.contains(&event.f.as_str()) {
            names.push(&event.f);
        }
    }
    let only = |known: &[&str]| names.iter().all(|name| known.contains(name));
    if names.is_empty() {
        Err(HistoryError::Empty)
    } else if format == Format::Jsonl && only(&["get", "put", "delete", "cas", "append"]) {
        Ok(ModelName::Kv)
    } else if only(&["read", "write", "cas"]) {
        Ok(ModelName::CasRegister)
    } else if only(&["get", "put", "append"]) {
        Ok(ModelName::KvString)
    } else if only(&["enqueue", "dequeue"]) {
        Ok(ModelName::Queue)
    } else if only(&["acquire", "release"]) {
        Ok(ModelName::Lock)
    } else if only(&["txn"]) {
        Ok(ModelName::ListAppend)
    } else if only(&["add", "remove", "contains", "read"])
        && (names.contains(&"remove") || names.contains(&"contains") || reads_lists(events))
    {
        Ok(ModelName::Set)
    } else if only(&["add", "read"]) && reads_numbers(events) {
        Ok(ModelName::Counter)
    } else {
        Err(HistoryError::Format {
            reason: format!(
                "no model knows all of the operations {}; name one of {} with --model",
                list(names.iter().copied()),
                list(ModelName::ALL.iter().map(|model| model.name()))
            ),
        })
    }
}

/// What reads saw tells a set from a counter.
fn answers(events: &[Result<Event, HistoryError>]) -> impl Iterator<Item = &Datum> {
    let reads = events.iter().flatten().filter(|event| event.kind == Kind::Ok && event.f == "read");
    reads.map(|event| &event.ret)
}

fn reads_lists(events: &[Result<Event, HistoryError>]) -> bool {
    answers(events).next().is_some_and(|first| matches!(first, Datum::List(_)))
}

fn reads_numbers(events: &[Result<Event, HistoryError>]) -> bool {
    answers(events).next().is_some_and(|first| matches!(first, Datum::Int(_)))
}

/// EDN maps of a special kind have a name of their own.
pub(super) fn kind_of_edn(events: &[Result<Event, HistoryError>]) -> Format {
    let all = |is: &dyn Fn(&Event) -> bool| events.iter().flatten().all(is);
    if events.iter().flatten().next().is_none() {
        Format::Edn
    } else if all(&|event| event.f == "txn") {
        Format::Elle
    } else if all(&|event| matches!(event.key, Datum::Text(_))) {
        Format::Porcupine
    } else {
        Format::Edn
    }
}

fn list<'a>(names: impl Iterator<Item = &'a str>) -> String {
    names.collect::<Vec<_>>().join(", ")
}
