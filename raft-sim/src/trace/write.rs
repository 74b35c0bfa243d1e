//! Writing traces: JSON lines, each with its own checksum.
//!
//! **Intuition.** A trace is evidence. The digest ties the lines to the run that made them; the
//! checksum `c` at the end of each line tells a reader that the text is as it was written, and
//! which line is not.
//! **Source.** Ours; docs/TRACE.md is normative.
//! **Upholds.** `inv:pure` (the text is a function of the trace).
//! **Not here.** Files and folders (`cli/`), what lines say (`world/`).

use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::{
    fault::plan::Axis,
    fault::schedule::Schedule,
    oracle::{OracleId, sometimes::Mark},
    outcome::{LinHow, OracleLevel, RunOptions, RunOutcome, RunStats, Verdict},
    system::System,
    trace::{
        digest::Digest,
        document::{schedule_value, value_hash},
        error::format_name,
        record::{Footer, Header, Line, Scope, SystemName, TRACE_VERSION, Trace, hex},
    },
};

impl From<&System> for SystemName {
    fn from(system: &System) -> Self {
        Self { name: system.name.to_owned(), version: system.version.to_owned() }
    }
}

impl Trace {
    /// The trace of a finished run.
    #[must_use]
    pub fn of_run(
        system: &System,
        schedule: &Schedule,
        options: &RunOptions,
        outcome: &RunOutcome,
    ) -> Self {
        let without: Vec<&str> = options.without.iter().map(|oracle| oracle.name()).collect();
        let oracles = match options.oracles {
            OracleLevel::None => "none",
            OracleLevel::Safety => "safety",
            OracleLevel::All => "all",
        };
        let flags = object(json!({
            "level": "full",
            "oracles": oracles,
            "without": without,
            "shadow_one_in": options.shadow_one_in,
        }));
        let (verdict, why) = verdict(&outcome.verdict);
        Self {
            header: Header {
                scope: Scope::Cluster,
                system: SystemName::from(system),
                token: schedule.token.clone(),
                flags,
                schedule: Some(schedule.clone()),
                start: None,
                unknown: Map::new(),
            },
            lines: outcome.trace.clone(),
            footer: Footer {
                end: "trace".to_owned(),
                verdict: verdict.to_owned(),
                why,
                events: outcome.stats.events,
                lines: outcome.trace.len() as u64,
                counts: counts(&outcome.stats),
                checkpoints: outcome.checkpoints.iter().copied().map(hex).collect(),
                digest: hex(outcome.digest),
                unknown: Map::new(),
            },
        }
    }
}

/// The whole text of a trace.
#[must_use]
pub fn write_trace(trace: &Trace) -> String {
    let mut text = String::new();
    push(&mut text, &header_value(&trace.header));
    for line in &trace.lines {
        push_line(&mut text, line);
    }
    push(&mut text, &serde_json::to_value(&trace.footer).unwrap_or_default());
    text
}

/// Appends one event's line to a trace's text.
pub fn push_line(text: &mut String, line: &Line) {
    push(text, line);
}

/// The checksum of a line: the low half of the digest of its text without `c`.
pub(crate) fn checksum(line: &str) -> String {
    let mut digest = Digest::new();
    digest.bytes(line.as_bytes());
    format!("{:08x}", digest.value() as u32)
}

fn push(text: &mut String, value: &impl Serialize) {
    // Serialising plain data into memory cannot fail.
    let line = serde_json::to_string(value).unwrap_or_default();
    let sum = checksum(&line);
    text.push_str(line.strip_suffix('}').unwrap_or(&line));
    text.push_str(",\"c\":\"");
    text.push_str(&sum);
    text.push_str("\"}\n");
}

fn header_value(header: &Header) -> Value {
    let mut fields = Map::new();
    fields.insert("format".to_owned(), format_name("trace").into());
    fields.insert("version".to_owned(), TRACE_VERSION.into());
    fields.insert("scope".to_owned(), serde_json::to_value(header.scope).unwrap_or_default());
    fields.insert("system".to_owned(), serde_json::to_value(&header.system).unwrap_or_default());
    if let Some(token) = &header.token {
        fields.insert("token".to_owned(), token.as_str().into());
    }
    fields.insert("flags".to_owned(), Value::Object(header.flags.clone()));
    if let Some(start) = &header.start {
        fields.insert("start".to_owned(), start.clone());
    }
    if let Some(schedule) = &header.schedule {
        let value = schedule_value(schedule);
        fields.insert("schedule_hash".to_owned(), hex(value_hash(&value)).into());
        fields.insert("schedule".to_owned(), value);
    }
    fields.extend(header.unknown.clone());
    Value::Object(fields)
}

fn verdict(verdict: &Verdict) -> (&'static str, Option<Value>) {
    match verdict {
        Verdict::Clean => ("clean", None),
        Verdict::Excused(why) => ("excused", Some(why.as_str().into())),
        Verdict::Violation(broken) => (
            "violation",
            Some(json!({
                "oracle": broken.oracle.name(),
                "event": broken.event,
                "at": broken.at,
                "node": broken.node.map(|node| node.0),
                "reason": broken.reason,
            })),
        ),
        Verdict::Panic { message, node, event, at } => {
            ("panic", Some(json!({ "message": message, "node": node, "event": event, "at": at })))
        }
        Verdict::Inconclusive(why) => ("inconclusive", Some(why.as_str().into())),
        Verdict::Internal(why) => ("internal", Some(why.as_str().into())),
    }
}

fn counts(stats: &RunStats) -> Map<String, Value> {
    let lin = match stats.lin {
        LinHow::Skipped => "skipped",
        LinHow::Witness => "witness",
        LinHow::Search => "search",
        LinHow::Unknown => "unknown",
    };
    let axes: Map<String, Value> = Axis::ALL
        .iter()
        .zip(&stats.axes)
        .map(|(axis, count)| {
            let value =
                json!({"on": count.on, "injected": count.injected, "refused": count.refused});
            (axis.name().to_owned(), value)
        })
        .collect();
    let numbers = |names: &mut dyn Iterator<Item = &'static str>, counts: &[u64]| {
        names
            .zip(counts)
            .map(|(name, count)| (name.to_owned(), Value::from(*count)))
            .collect::<Map<String, Value>>()
    };
    object(json!({
        "events": stats.events,
        "commits": stats.commits,
        "terms": stats.terms,
        "config_changes": stats.config_changes,
        "snapshots": stats.snapshots,
        "ops": stats.ops,
        "unknown_ops": stats.unknown_ops,
        "virtual_ns": stats.virtual_ns,
        "axes": axes,
        "checks": numbers(&mut OracleId::ALL.iter().map(|oracle| oracle.name()), &stats.checks),
        "marks": numbers(&mut Mark::ALL.iter().map(|mark| mark.name()), &stats.marks),
        "lin": lin,
    }))
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(fields) => fields,
        _ => Map::new(),
    }
}
