//! One run in sentences: what was planned, what happened to roles and nodes, how it ended.
//!
//! **Intuition.** A trace has thousands of lines; a reader first wants the few that change who
//! leads, who is up and who hears whom, then the last ones before the failure.
//! **Source.** Ours.
//! **Upholds.** —
//! **Not here.** All lines (`trace/write.rs`), causes and effects between events.

use core::fmt::Write;
use std::collections::BTreeMap;

use serde_json::Value;

use crate::{
    fault::{plan::Plan, schedule::Schedule},
    outcome::{RunOutcome, Verdict},
    trace::record::Line,
};

/// Lines shown before the failure, whatever they are.
const LAST_LINES: usize = 25;
/// Turning points shown; the ones nearest to the end are kept.
const TURNS_MAX: usize = 60;
/// Kinds of events that always are turning points; all others are when a node's role changes.
const TURNS: &[&str] = &["boot", "fault", "kill-again", "heal", "phase"];

/// Tells `outcome`, the result of running `schedule` with a trace.
#[must_use]
pub fn tell(schedule: &Schedule, outcome: &RunOutcome) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail; the result has nothing to say.
    let written = write_story(&mut text, schedule, outcome);
    debug_assert!(written.is_ok(), "a string takes everything");
    text
}

fn write_story(text: &mut String, schedule: &Schedule, outcome: &RunOutcome) -> core::fmt::Result {
    let plan = &schedule.plan;
    let name = schedule.token.as_deref().unwrap_or("a schedule without a seed token");
    writeln!(text, "{} on {name}", schedule.system)?;
    writeln!(text, "{}", setting(plan))?;
    writeln!(
        text,
        "{} operations, {} timed faults, {} listed fates; healing of {:?} from t={}",
        schedule.ops.len(),
        schedule.faults.len(),
        schedule.exceptions.len(),
        schedule.core,
        ms(schedule.heal_at_ns)
    )?;
    let stats = &outcome.stats;
    writeln!(
        text,
        "{} events in {}: {} commits in {} terms, {} of {} operations of unknown outcome\n",
        stats.events,
        ms(stats.virtual_ns),
        stats.commits,
        stats.terms,
        stats.unknown_ops,
        stats.ops
    )?;
    let end = match &outcome.verdict {
        Verdict::Violation(violation) => {
            outcome.trace.partition_point(|line| line.i <= violation.event)
        }
        _ => outcome.trace.len(),
    };
    let lines = outcome.trace.get(..end).unwrap_or(&outcome.trace);
    write_turns(text, lines)?;
    if let Verdict::Violation(_) = outcome.verdict {
        writeln!(text, "\nThe last events:")?;
        for line in lines.iter().skip(lines.len().saturating_sub(LAST_LINES)) {
            writeln!(text, "{}", event(line))?;
        }
    }
    writeln!(text, "\n{}", verdict(&outcome.verdict))?;
    writeln!(text, "digest {:016x}", outcome.digest)
}

fn write_turns(text: &mut String, lines: &[Line]) -> core::fmt::Result {
    let mut roles: BTreeMap<u64, &str> = BTreeMap::new();
    let mut turns: Vec<String> = Vec::new();
    for line in lines {
        let before = roles.get(&line.n).copied();
        let now = role(line);
        if let Some(role) = now {
            roles.insert(line.n, role);
        }
        if TURNS.contains(&line.ev.as_str()) {
            turns.push(event(line));
        } else if let Some(now) = now
            && before != Some(now)
        {
            turns.push(role_change(line, before.unwrap_or("Follower"), now));
        }
    }
    if turns.is_empty() {
        return Ok(());
    }
    let hidden = turns.len().saturating_sub(TURNS_MAX);
    writeln!(text, "Turning points:")?;
    if hidden > 0 {
        writeln!(text, "  … {hidden} earlier ones")?;
    }
    turns.iter().skip(hidden).try_for_each(|turn| writeln!(text, "{turn}"))
}

/// `n2 Follower -> PreCandidate term=3 (timer)`.
fn role_change(line: &Line, before: &str, now: &str) -> String {
    let term = line.rest.get("view").and_then(|view| view.get("term")).unwrap_or(&Value::Null);
    let word = |field: &str| line.rest.get(field).map(plain).unwrap_or_default();
    let cause = match line.ev.as_str() {
        "deliver" => format!("{} from n{}", word("kind"), word("from")),
        other => other.to_owned(),
    };
    format!(
        "  {:>7}  {:>12}  n{} {before} -> {now} term={term} ({cause})",
        line.i,
        ms(line.t),
        line.n
    )
}

fn role(line: &Line) -> Option<&str> {
    line.rest.get("view").and_then(|view| view.get("role")).and_then(Value::as_str)
}

fn setting(plan: &Plan) -> String {
    let axes = if plan.axes.is_empty() { "none".to_owned() } else { plan.axes.join(", ") };
    format!(
        "{} voters, stratum {}, faults: {axes}; election timeout {} + {}, heartbeat {}",
        plan.voters,
        plan.stratum,
        ms(plan.knobs.election_ns),
        ms(plan.knobs.election_jitter_ns),
        ms(plan.knobs.heartbeat_ns)
    )
}

/// One line of a trace for people.
#[must_use]
pub fn event(line: &Line) -> String {
    let mut text = format!("  {:>7}  {:>12}  ", line.i, ms(line.t));
    if line.n > 0 {
        text.push_str(&format!("n{} ", line.n));
    }
    text.push_str(&line.ev);
    for (key, value) in &line.rest {
        text.push_str(&format!(" {key}={}", plain(value)));
    }
    text
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Object(fields) => {
            let fields: Vec<String> =
                fields.iter().map(|(key, value)| format!("{key}={}", plain(value))).collect();
            format!("({})", fields.join(" "))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) => value.to_string(),
    }
}

/// A verdict in a sentence.
#[must_use]
pub fn verdict(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Clean => "Every check passed.".to_owned(),
        Verdict::Excused(why) => format!("Excused: {why}"),
        Verdict::Violation(v) => {
            let node = v.node.map(|node| format!(" at {node}")).unwrap_or_default();
            format!(
                "VIOLATION of {} after event {}{node}, t={}: {}",
                v.oracle,
                v.event,
                ms(v.at),
                v.reason
            )
        }
        Verdict::Panic { message, node, event, at } => {
            format!(
                "VIOLATION: the system panicked at n{node} in event {event}, t={}: {message}",
                ms(*at)
            )
        }
        Verdict::Inconclusive(why) => format!("Inconclusive: {why}"),
        Verdict::Internal(why) => format!("The simulator failed: {why}"),
    }
}

/// Nanoseconds as milliseconds with three places.
#[must_use]
pub fn ms(ns: u64) -> String {
    format!("{}.{:03}ms", ns / 1_000_000, ns / 1_000 % 1_000)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{event, ms};
    use crate::trace::record::Line;

    #[test]
    fn events_are_one_line_each() {
        let rest = json!({"kind": "append", "view": {"role": "leader", "term": 3}});
        let rest = rest.as_object().unwrap().clone();
        let line = Line { i: 7, t: 1_234_567, n: 2, ev: "deliver".into(), d: String::new(), rest };
        assert_eq!(
            event(&line),
            "        7       1.234ms  n2 deliver kind=append view=(role=leader term=3)"
        );
        assert_eq!(ms(0), "0.000ms");
    }
}
