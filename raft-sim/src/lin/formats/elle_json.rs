//! Jepsen's operations as JSON: one map a line, alone or as the items of one array.
//!
//! **Intuition.** What Elle's command line takes: `{"process":0,"type":"ok","f":"txn",
//! "value":[["append",1,2],["r",1,[2]]]}`. The maps say what EDN maps say.
//! **Source.** elle-cli's JSON histories.
//! **Upholds.** `inv:linearizable`.
//! **Not here.** Our own lines (`jsonl.rs`), the meaning of the maps (`edn.rs`).

use super::{datum::Datum, edn, events::Event};
use crate::lin::history::HistoryError;

/// The events of `text`, line by line.
pub fn events(text: &str) -> Vec<Result<Event, HistoryError>> {
    let mut events = Vec::new();
    let mut seen_index = None;
    let last = text.lines().count();
    for (line, content) in text.lines().enumerate() {
        let line = line + 1;
        let wrong = |reason: String| Err(HistoryError::Line { line, reason });
        let mut content = content.trim();
        if line == 1 {
            content = content.strip_prefix('[').unwrap_or(content).trim_start();
        }
        if line == last {
            content = content.strip_suffix(']').unwrap_or(content).trim_end();
        }
        content = content.strip_suffix(',').unwrap_or(content);
        if content.is_empty() && (line == 1 || line == last) {
            continue;
        }
        let event = serde_json::from_str::<serde_json::Value>(content)
            .map_err(|error| format!("no JSON map on a line of its own: {error}"))
            .and_then(Datum::from_json)
            .and_then(|map| edn::event(line, &map, &mut seen_index));
        match event {
            Ok(event) => events.extend(event.map(Ok)),
            Err(reason) => {
                events.push(wrong(reason));
                return events;
            }
        }
    }
    events
}
