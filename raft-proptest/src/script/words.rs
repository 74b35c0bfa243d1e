//! Words of values: positions, entries, configurations, settings, snapshots, durations; both ways.
//!
//! **Intuition.** What a script reads and what it writes have the same form, so a line of output
//! can be copied into a command.
//! **Source.** Ours.
//! **Upholds.** Nothing.
//! **Not here.** Outputs and messages (`print.rs`), commands (`verb/`).

use bytes::Bytes;
use raft_core::{
    Configuration, ConfigurationParts, DisableReason, Entries, Entry, EntryKind, HardState,
    LogIndex, LogPosition, NodeId, Settings, SnapshotMeta, Status, Term, Ticket,
};

use super::{
    disk::entry_at,
    parse::{list, node_id, number},
};

/// `t1` or `t1..t3`.
pub(super) fn span(prefix: &str, first: u64, last: u64) -> String {
    if first == last {
        format!("{prefix}{first}")
    } else {
        format!("{prefix}{first}..{prefix}{last}")
    }
}

/// Tickets of proposals: `t1..t3`, and `d1` of those that are not appended yet.
pub(super) fn tickets(first: Ticket, count: u64) -> String {
    let last = first.0.saturating_add(count.max(1) - 1);
    if !first.is_deferred() {
        return span("t", first.0, last);
    }
    let plain = |number: u64| number & (u64::MAX >> 1);
    span("d", plain(first.0), plain(last))
}

/// `150ms`, in the largest unit that leaves no rest.
pub(super) fn duration(nanos: u64) -> String {
    for (unit, size) in [("s", 1_000_000_000), ("ms", 1_000_000), ("us", 1_000)] {
        if nanos > 0 && nanos.is_multiple_of(size) {
            return format!("{}{unit}", nanos / size);
        }
    }
    format!("{nanos}ns")
}

fn nodes(ids: &[NodeId]) -> String {
    ids.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
}

/// ` term=1 vote=n1`, and what else is not as on a fresh disk.
pub(super) fn hard_state(hard: &HardState) -> String {
    let vote = hard.vote.map_or("none".to_owned(), |node| node.to_string());
    let mut text = format!(" term={} vote={vote}", hard.term);
    if hard.promise_ns > 0 {
        text += &format!(" promise={}", duration(hard.promise_ns));
    }
    if hard.epoch.number > 0 {
        text += &format!(" epoch={}/{}", hard.epoch.number, hard.epoch.plan_id);
    }
    if let Some(reason) = hard.disabled {
        text += &format!(" disabled={}", disabled(reason));
    }
    text
}

fn disabled(reason: DisableReason) -> String {
    match reason {
        DisableReason::Operator(number) => format!("operator-{number}"),
        DisableReason::UnsupportedEntry { index, kind } => format!("kind-{kind}-at-{index}"),
        DisableReason::SkipAfterApply { index } => format!("skip-after-apply-of-{index}"),
        other => format!("{other:?}").replace(' ', ""),
    }
}

/// `(1,2,3)`; joint `(1,2,4)&(1,2,3)`; learners `+(5)`, learners to be `~(3)`, witnesses `w(2)`,
/// explicit leave `!`.
pub(super) fn configuration(configuration: &Configuration) -> String {
    let parts = configuration.parts();
    let plain = |ids: &[NodeId]| nodes(ids).replace('n', "");
    let mut text = format!("({})", plain(&parts.voters));
    let lists = [
        ("&", &parts.outgoing),
        ("+", &parts.learners),
        ("~", &parts.learners_next),
        ("w", &parts.witnesses),
    ];
    for (sign, ids) in lists {
        if !ids.is_empty() {
            text += &format!("{sign}({})", plain(ids));
        }
    }
    if parts.explicit_leave {
        text.push('!');
    }
    text
}

/// Reads what [`configuration`] writes; order and spelling of lists are the script's concern.
pub(super) fn read_configuration(text: &str) -> Result<Configuration, String> {
    let wrong = || format!("{text:?} is no configuration such as (1,2,3)&(1,2)+(4)~(3)w(2)!");
    let mut parts = ConfigurationParts::default();
    let mut rest = text;
    let mut sign = "";
    while !rest.is_empty() {
        if rest == "!" {
            parts.explicit_leave = true;
            break;
        }
        let (before, after) = rest.split_once('(').ok_or_else(wrong)?;
        let (inside, behind) = after.split_once(')').ok_or_else(wrong)?;
        let mut ids = list(node_id)(inside)?;
        ids.sort_unstable();
        match before {
            "" if sign.is_empty() => parts.voters = ids,
            "&" => parts.outgoing = ids,
            "+" => parts.learners = ids,
            "~" => parts.learners_next = ids,
            "w" => parts.witnesses = ids,
            _ => return Err(wrong()),
        }
        sign = "later";
        rest = behind;
    }
    if parts == ConfigurationParts::default() {
        return Ok(Configuration::default());
    }
    Configuration::from_parts(parts).map_err(|error| error.to_string())
}

/// `2/5 (1,2,3)`, the position and what was in force there.
pub(super) fn snapshot(meta: &SnapshotMeta) -> String {
    format!("{} {}", meta.position, configuration(&meta.configuration))
}

/// `2/3`, with what it carries unless that is what its position says.
pub(super) fn entry(position: LogPosition, entry: &Entry) -> String {
    if *entry == (Entry { stamp: entry.stamp, ..entry_at(position) }) {
        return position.to_string();
    }
    let payload = std::str::from_utf8(&entry.payload).ok().filter(|text| text.len() <= 16);
    let payload_bytes = || entry.payload.clone();
    let mut content = match (entry.kind, payload) {
        (EntryKind::COMMAND, Some(text)) => text.to_owned(),
        (EntryKind::COMMAND, None) => format!("{}B", entry.payload.len()),
        (EntryKind::CONFIGURATION, _) => Configuration::decode(payload_bytes())
            .map_or("configuration?".to_owned(), |c| format!("config{}", configuration(&c))),
        (EntryKind::SETTINGS, _) => Settings::decode(payload_bytes())
            .map_or("settings?".to_owned(), |s| format!("settings-v{}", s.version)),
        (kind, _) => kind.to_string(),
    };
    if entry.label != 0 {
        content += &format!("#{}", entry.label);
    }
    format!("{position}:{content}")
}

/// Entries with commas between them, or the first and last of many.
pub(super) fn entries(entries: &Entries) -> String {
    const SHOWN_MAX: u64 = 6;
    if let (Some(first), Some(last)) = (entries.iter().next(), entries.last())
        && entries.len() > SHOWN_MAX
    {
        return format!("{}..{last}", first.position);
    }
    let each = entries.iter().map(|at| entry(at.position, at.entry));
    each.collect::<Vec<_>>().join(",")
}

/// Parts between commas that stand outside parentheses.
fn split(text: &str) -> Vec<&str> {
    let (mut parts, mut start, mut depth) = (Vec::new(), 0, 0_u32);
    for (at, letter) in text.char_indices() {
        match letter {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            ',' if depth == 0 => {
                parts.push(&text[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&text[start..]);
    parts.retain(|part| !part.is_empty());
    parts
}

/// `1,2:x,3:noop,3:config(1,2)` as entries after index `before`.
pub(super) fn entries_after(before: LogIndex, text: &str) -> Result<Entries, String> {
    let mut out = Vec::new();
    for (part, offset) in split(text).into_iter().zip(1_u64..) {
        let (term, content) = part.split_once(':').unwrap_or((part, ""));
        let at = LogPosition::new(Term(number(term)?), before.plus(offset));
        out.push((at, read_content(at, content)?));
    }
    Entries::collect(out).map_err(|error| error.to_string())
}

fn read_content(at: LogPosition, content: &str) -> Result<Entry, String> {
    let mark = |kind, payload| Entry { kind, payload, ..Entry::default() };
    if let Some(members) = content.strip_prefix("config").filter(|rest| rest.starts_with('(')) {
        return Ok(mark(EntryKind::CONFIGURATION, read_configuration(members)?.encode()));
    }
    if let Some(kind) = content.strip_prefix("kind-") {
        let kind = kind.parse().map_err(|_| format!("{content:?} is no kind of entry"))?;
        return Ok(mark(EntryKind(kind), Bytes::new()));
    }
    Ok(match content {
        "" => entry_at(at),
        "noop" => mark(EntryKind::NOOP, Bytes::new()),
        "query" => mark(EntryKind::QUERY, Bytes::new()),
        // What no version can read.
        "config?" => mark(EntryKind::CONFIGURATION, Bytes::from_static(b"?")),
        "settings?" => mark(EntryKind::SETTINGS, Bytes::from_static(b"?")),
        text => mark(EntryKind::COMMAND, Bytes::copy_from_slice(text.as_bytes())),
    })
}

/// A field of a status by its name, whatever fields there are; `queues.reads` is one inside.
pub(super) fn field(status: &Status, name: &str) -> Result<String, String> {
    let json = serde_json::to_value(status).map_err(|error| error.to_string())?;
    let mut value = &json;
    let mut key = String::new();
    for part in name.split('.') {
        key = part.replace('-', "_");
        value = value.get(&key).ok_or_else(|| {
            let known = value.as_object().into_iter().flatten();
            let known = known.map(|(key, _)| key.replace('_', "-")).collect::<Vec<_>>();
            format!("status has no {name}; there are {}", known.join(", "))
        })?;
    }
    if key == "configuration" {
        return Ok(format!("{name}={}", configuration(&status.configuration)));
    }
    let node = NODE_FIELDS.contains(&key.as_str()) && value.is_u64();
    Ok(format!("{name}={}{}", if node { "n" } else { "" }, flat(value)))
}

/// Fields of a status that hold a node.
const NODE_FIELDS: &[&str] = &["node", "vote", "leader"];

/// A JSON value in one word where that is possible.
fn flat(value: &serde_json::Value) -> String {
    use serde_json::Value;
    match value {
        Value::Null => "none".to_owned(),
        Value::String(text) => text.clone(),
        Value::Array(parts) => {
            format!("({})", parts.iter().map(flat).collect::<Vec<_>>().join(","))
        }
        Value::Object(fields) => {
            if let (2, Some(term), Some(index)) =
                (fields.len(), fields.get("term"), fields.get("index"))
            {
                return format!("{}/{}", flat(term), flat(index));
            }
            let each = fields.iter().map(|(key, value)| format!("{key}={}", flat(value)));
            format!("{{{}}}", each.collect::<Vec<_>>().join(","))
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_can_be_read() {
        for text in ["(1,2,3)", "(1,2,4)&(1,2,3)+(7)~(3)w(2)!", "(1)+(2)"] {
            assert_eq!(configuration(&read_configuration(text).unwrap()), text);
        }
        assert!(read_configuration("1,2").is_err());
        assert!(read_configuration("(1)x(2)").is_err());
        assert!(read_configuration("(1)+(1)").is_err(), "voter and learner");
        let text = "1,2:x,2:noop,3:config(1,2)+(3),3:kind-77,4:query";
        let read = entries_after(LogIndex(4), text).unwrap();
        assert_eq!(entries(&read), "1/5,2/6:x,2/7:noop,3/8:config(1,2)+(3),3/9:kind-77,4/10:query");
        assert!(entries_after(LogIndex(0), "2,1").is_err(), "terms fall");
        let many = entries_after(LogIndex(0), "1,1,1,1,1,1,1").unwrap();
        assert_eq!(entries(&many), "1/1..1/7");
        assert_eq!((duration(1_500), duration(3_000_000_000)), ("1500ns".into(), "3s".into()));
    }
}
