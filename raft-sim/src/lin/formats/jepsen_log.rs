//! Lines of a `jepsen.log`: `INFO  jepsen.util - 3 :invoke :cas [1 2]`.
//!
//! **Intuition.** A log has other lines too (the nemesis, set-up); only lines of a numbered
//! process are events, and those must be complete.
//! **Source.** The layout of the published etcd histories: fields separated by a tab or by runs
//! of spaces, after the marker `jepsen.util - `. A failed compare-and-set is an answer there (the
//! value differed); a failed read or write did not happen; `:timed-out` is unknown.
//! **Upholds.** `inv:linearizable`.
//! **Not here.** EDN maps (`edn.rs`).

use super::{
    datum::Datum,
    edn,
    events::{Event, Kind},
};
use crate::lin::history::HistoryError;

/// What introduces an event.
pub const MARKER: &str = "jepsen.util - ";

/// The events of `text`, line by line.
pub fn events(text: &str) -> impl Iterator<Item = Result<Event, HistoryError>> {
    text.lines().enumerate().filter_map(|(line, content)| {
        let rest = content.split_once(MARKER)?.1.trim_start();
        // A process is a number; anything else (":nemesis", words) is no client.
        if !rest.starts_with(|c: char| c.is_ascii_digit()) {
            return None;
        }
        let line = line + 1;
        Some(event(line, rest).map_err(|reason| HistoryError::Line { line, reason }))
    })
}

fn event(line: usize, rest: &str) -> Result<Event, String> {
    let mut rest = rest;
    let mut word = |what: &str| {
        let (word, tail) = rest.split_once([' ', '\t']).unwrap_or((rest, ""));
        rest = tail.trim_start();
        if word.is_empty() { Err(format!("the {what} is missing")) } else { Ok(word) }
    };
    let process = word("process")?;
    let client = process.parse().map_err(|_| format!("{process:?} is no process number"))?;
    let kind = match word("type")? {
        ":invoke" => Kind::Invoke,
        ":ok" => Kind::Ok,
        ":fail" => Kind::Fail,
        ":info" => Kind::Info,
        other => return Err(format!("unknown type {other:?}; known: invoke, ok, fail, info")),
    };
    let f = word("operation")?;
    let f = f.strip_prefix(':').ok_or_else(|| format!("{f:?} is no operation name"))?.to_owned();
    let value = edn::read_one(rest.trim_end())?;
    let (arg, ret) = match (kind, f.as_str()) {
        (Kind::Invoke, _) => (value, Datum::Nil),
        (Kind::Ok, "read") => (Datum::Nil, value),
        (Kind::Ok, _) => (value, Datum::Nil),
        // `:timed-out`, or the argument again.
        (Kind::Fail | Kind::Info, _) => (Datum::Nil, Datum::Nil),
    };
    let (key, op, index, time) = (Datum::Nil, None, None, None);
    Ok(Event { line, time, client, kind, f, key, arg, ret, op, index })
}
