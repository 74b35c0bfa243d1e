//! `plan.json` and `schedule.json`: strict JSON that people may edit.
//!
//! **Intuition.** Reading keeps what it does not know and refuses what cannot be; writing puts
//! fields in their documented order, one operation, fault or exception a line, so that a diff of
//! two schedules shows what changed.
//! **Source.** Ours; docs/TRACE.md is normative.
//! **Upholds.** `inv:pure` (the text is a function of the value).
//! **Not here.** Traces (`read.rs`, `write.rs`), ranges (`fault/check.rs`).

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::{
    fault::{check::Impossible, plan::Plan, schedule::Schedule},
    trace::{
        digest::Digest,
        error::{Problem, ReadError, beginning, format_name, offset},
        keep::Kept,
    },
};

/// A plan as read from a file: with what the file said beyond it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlanFile {
    /// The plan.
    pub plan: Plan,
    /// Unknown fields and notes.
    pub kept: Kept,
}

/// The version of `plan.json`.
pub const PLAN_VERSION: u32 = 1;

/// Reads `plan.json`.
///
/// # Errors
/// Says what is wrong and where; nothing is repaired.
pub fn read_plan(text: &[u8]) -> Result<PlanFile, ReadError> {
    let (plan, raw): (Plan, Value) = parse("plan", text, PLAN_VERSION)?;
    plan.check().map_err(|error| impossible("plan", text, error))?;
    let typed = plan_value(&plan);
    Ok(PlanFile { kept: Kept::between(&raw, &typed), plan })
}

/// Writes `plan.json`.
#[must_use]
pub fn write_plan(file: &PlanFile) -> String {
    let mut value = plan_value(&file.plan);
    file.kept.restore(&mut value);
    layout(&value)
}

/// Reads `schedule.json`.
///
/// # Errors
/// Says what is wrong and where; nothing is repaired.
pub fn read_schedule(text: &[u8]) -> Result<Schedule, ReadError> {
    let (mut schedule, raw): (Schedule, Value) = parse("schedule", text, Schedule::VERSION)?;
    schedule.unknown.shift_remove("format");
    schedule.check().map_err(|error| impossible("schedule", text, error))?;
    schedule.kept = Kept::between(&raw, &bare_schedule_value(&schedule));
    Ok(schedule)
}

/// Writes `schedule.json`.
#[must_use]
pub fn write_schedule(schedule: &Schedule) -> String {
    layout(&schedule_value(schedule))
}

/// The digest of a schedule: of its JSON text without any white space, as bytes.
#[must_use]
pub fn schedule_hash(schedule: &Schedule) -> u64 {
    value_hash(&schedule_value(schedule))
}

/// The digest of a JSON value's text without any white space.
pub(crate) fn value_hash(value: &Value) -> u64 {
    let mut digest = Digest::new();
    digest.bytes(value.to_string().as_bytes());
    digest.value()
}

/// A schedule as JSON, unknown fields included.
#[must_use]
pub fn schedule_value(schedule: &Schedule) -> Value {
    let mut value = bare_schedule_value(schedule);
    schedule.kept.restore(&mut value);
    value
}

/// A schedule out of JSON that stands inside another file.
pub(crate) fn schedule_of_value(raw: &Value) -> Result<Schedule, String> {
    let mut schedule: Schedule =
        serde_json::from_value(raw.clone()).map_err(|error| error.to_string())?;
    if schedule.version != Schedule::VERSION {
        return Err(format!("schedule version {}", schedule.version));
    }
    schedule.unknown.shift_remove("format");
    schedule.check().map_err(|error| error.to_string())?;
    schedule.kept = Kept::between(raw, &bare_schedule_value(&schedule));
    Ok(schedule)
}

fn bare_schedule_value(schedule: &Schedule) -> Value {
    headed("schedule", None, serde_json::to_value(schedule).unwrap_or_default())
}

fn plan_value(plan: &Plan) -> Value {
    headed("plan", Some(PLAN_VERSION), serde_json::to_value(plan).unwrap_or_default())
}

/// Puts the header fields first.
fn headed(artefact: &str, version: Option<u32>, body: Value) -> Value {
    let mut fields = Map::new();
    fields.insert("format".to_owned(), format_name(artefact).into());
    if let Some(version) = version {
        fields.insert("version".to_owned(), version.into());
    }
    if let Value::Object(body) = body {
        fields.extend(body);
    }
    Value::Object(fields)
}

fn parse<T: DeserializeOwned>(
    artefact: &'static str,
    text: &[u8],
    known: u32,
) -> Result<(T, Value), ReadError> {
    let refuse = |line: usize, byte: u64, problem| ReadError {
        artefact,
        line: line.max(1) as u64,
        byte,
        problem,
    };
    if text.trim_ascii().is_empty() {
        return Err(refuse(1, 0, Problem::Empty));
    }
    let raw: Value = serde_json::from_slice(text).map_err(|error| {
        let byte = offset(text, error.line(), error.column());
        let problem = if text.trim_ascii_start().first() != Some(&b'{') {
            Problem::Foreign { found: beginning(text) }
        } else if error.is_eof() {
            Problem::Truncated { missing: error.to_string() }
        } else {
            Problem::Syntax { message: error.to_string() }
        };
        refuse(error.line(), byte, problem)
    })?;
    check_header(&raw, artefact, known, text).map_err(|problem| refuse(1, 0, problem))?;
    let typed = serde_json::from_slice(text).map_err(|error| {
        let byte = offset(text, error.line(), error.column());
        refuse(error.line(), byte, Problem::Syntax { message: error.to_string() })
    })?;
    Ok((typed, raw))
}

/// Format and major version.
pub(crate) fn check_header(
    raw: &Value,
    artefact: &'static str,
    known: u32,
    text: &[u8],
) -> Result<(), Problem> {
    match raw.get("format").map(Value::as_str) {
        Some(Some(format)) if format == format_name(artefact) => {}
        Some(Some(format)) if format.starts_with("raft-sim-") => {
            return Err(Problem::OtherArtefact { format: format.to_owned() });
        }
        _ => return Err(Problem::Foreign { found: beginning(text) }),
    }
    match raw.get("version") {
        Some(version) if version.as_u64() == Some(u64::from(known)) => Ok(()),
        Some(version) => Err(Problem::Version { found: version.to_string(), known }),
        None => Err(Problem::Version { found: "missing".to_owned(), known }),
    }
}

/// Where a field stands: its line is found by the last name of its path, best effort.
fn impossible(artefact: &'static str, text: &[u8], error: Impossible) -> ReadError {
    let name = error.field.rsplit('.').next().unwrap_or_default();
    let name = name.split('[').next().unwrap_or_default();
    let quoted = format!("\"{name}\"");
    let index = error
        .field
        .split_once('[')
        .and_then(|(_, rest)| rest.split_once(']'))
        .and_then(|(index, _)| index.parse::<usize>().ok())
        .unwrap_or(0);
    // The list's name first, then the n-th item's field behind it.
    let list = error.field.split_once('[').map(|(list, _)| format!("\"{list}\""));
    let text_str = String::from_utf8_lossy(text);
    let from = list.and_then(|list| text_str.find(&list)).unwrap_or(0);
    let byte = text_str
        .get(from..)
        .and_then(|rest| rest.match_indices(&quoted).nth(index))
        .map_or(from, |(at, _)| from + at);
    let line = 1 + text_str.as_bytes()[..byte].iter().filter(|b| **b == b'\n').count();
    ReadError {
        artefact,
        line: line as u64,
        byte: byte as u64,
        problem: Problem::Value { field: error.field, message: error.message },
    }
}

/// JSON text with one field a line down to two levels, and one list item a line.
fn layout(value: &Value) -> String {
    let mut text = String::new();
    lay(&mut text, value, 0);
    text.push('\n');
    text
}

fn lay(text: &mut String, value: &Value, depth: usize) {
    let indent = |text: &mut String, depth: usize| {
        text.push('\n');
        text.extend(core::iter::repeat_n("  ", depth));
    };
    match value {
        Value::Object(fields) if depth < 2 && !fields.is_empty() => {
            text.push('{');
            for (i, (name, value)) in fields.iter().enumerate() {
                if i > 0 {
                    text.push(',');
                }
                indent(text, depth + 1);
                text.push_str(&Value::from(name.as_str()).to_string());
                text.push_str(": ");
                lay(text, value, depth + 1);
            }
            indent(text, depth);
            text.push('}');
        }
        Value::Array(items) if depth < 2 && items.iter().any(Value::is_object) => {
            text.push('[');
            for (i, item) in items.iter().enumerate() {
                if i > 0 {
                    text.push(',');
                }
                indent(text, depth + 1);
                text.push_str(&item.to_string());
            }
            indent(text, depth);
            text.push(']');
        }
        flat => text.push_str(&flat.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fault::{
        schedule::{Exception, Fault},
        swarm,
    };

    /// A schedule by hand with one of everything, and notes in all places.
    const EXAMPLE: &str = include_str!("../../testdata/schedules/example.json");

    fn drawn() -> Schedule {
        swarm::schedule(swarm::plan("smoke", 9).unwrap(), 9, "raft-core")
    }

    #[test]
    fn schedules_survive_a_round_trip() {
        for seed in 0..40 {
            let schedule = swarm::schedule(swarm::plan("smoke", seed).unwrap(), seed, "raft-core");
            let text = write_schedule(&schedule);
            let back = read_schedule(text.as_bytes()).unwrap();
            assert_eq!(back, schedule);
            assert_eq!(write_schedule(&back), text);
            assert_eq!(schedule_hash(&back), schedule_hash(&schedule));
        }
    }

    #[test]
    fn the_example_is_read_and_rewritten_with_all_its_notes() {
        let schedule = read_schedule(EXAMPLE.as_bytes()).unwrap();
        assert_eq!(write_schedule(&schedule), EXAMPLE, "kept byte for byte");
        assert!(schedule.faults.iter().any(|f| matches!(f.fault, Fault::Unknown(_))));
        assert!(schedule.exceptions.iter().any(|e| matches!(e, Exception::Unknown(_))));
        let notes = EXAMPLE.matches("\"note\"").count();
        assert!(notes >= 4, "the example shows notes in all places");

        // Removing one fault leaves the notes of the others.
        let mut edited = schedule.clone();
        edited.faults.remove(0);
        let text = write_schedule(&edited);
        assert_eq!(text.matches("\"note\"").count(), notes - 1);
        assert_eq!(read_schedule(text.as_bytes()).unwrap().faults, edited.faults);
    }

    #[test]
    fn unknown_kinds_appended_by_a_newer_writer_come_back() {
        let mut schedule = drawn();
        let fault = serde_json::json!({"kind": "solar-flare", "strength": 7});
        schedule.faults.push(crate::fault::schedule::TimedFault {
            id: 4242,
            at_ns: 5,
            fault: Fault::Unknown(fault.clone()),
        });
        let exception = serde_json::json!({"kind": "bit-rot", "block": 3});
        schedule.exceptions.push(Exception::Unknown(exception));
        schedule.unknown.insert("seasons".to_owned(), serde_json::json!([1, 2]));
        let back = read_schedule(write_schedule(&schedule).as_bytes()).unwrap();
        assert_eq!(back, schedule);
        assert_eq!(back.faults.last().unwrap().fault, Fault::Unknown(fault));
    }

    #[test]
    fn plans_keep_unknown_fields() {
        let plan = swarm::plan("default", 3).unwrap();
        let file = PlanFile { plan, kept: Kept::default() };
        let text = write_plan(&file);
        assert_eq!(read_plan(text.as_bytes()).unwrap(), file);
        let text = text.replacen("\"net\": {", "\"net\": {\n    \"gravity\": 3,", 1);
        let noted = text.replacen("\"voters\"", "\"note\": \"mine\",\n  \"voters\"", 1);
        let mut read = read_plan(noted.as_bytes()).unwrap();
        read.plan.voters = 7;
        let again = read_plan(write_plan(&read).as_bytes()).unwrap();
        assert_eq!(again, read);
        assert!(write_plan(&again).contains("\"gravity\": 3"));
        assert!(write_plan(&again).contains("\"note\": \"mine\""));
    }

    #[test]
    fn what_is_wrong_is_said_with_its_place() {
        let good = write_schedule(&drawn());
        let say = |text: &str| read_schedule(text.as_bytes()).unwrap_err().to_string();
        assert_eq!(say(""), "not a readable schedule: line 1, byte 0: the file is empty");
        assert!(
            say("hello")
                .contains("line 1, byte 0: no raft-sim header; the file begins with \"hello\"")
        );
        assert!(say("{}").contains("no raft-sim header"));
        let plan =
            write_plan(&PlanFile { plan: swarm::plan("smoke", 1).unwrap(), kept: Kept::default() });
        assert!(say(&plan).contains("this is a \"raft-sim-plan\", not a \"raft-sim-schedule\""));
        let newer = good.replacen("\"version\": 1", "\"version\": 2", 1);
        assert!(
            say(&newer).contains("format version 2, but this release reads version 1"),
            "{}",
            say(&newer)
        );
        let cut = &good[..good.len() / 2];
        let lines = cut.lines().count();
        assert!(say(cut).contains(&format!("line {lines}, byte")), "{}", say(cut));
        assert!(say(cut).contains("cut short"), "{}", say(cut));
        let comment = good.replacen("\"system\"", "// no comments\n  \"system\"", 1);
        assert!(say(&comment).contains("line 4, byte"), "{}", say(&comment));
        let twice = good.replacen("\"system\"", "\"heal_at_ns\": 5,\n  \"system\"", 1);
        assert!(say(&twice).contains("duplicate field `heal_at_ns`"), "{}", say(&twice));
        let typed = good.replacen("\"voters\": ", "\"voters\": -", 1);
        assert!(say(&typed).contains("invalid value"), "{}", say(&typed));
        let float = good.replacen("\"heal_at_ns\": ", "\"heal_at_ns\": 0.5", 1);
        assert!(say(&float).contains("floating point"), "{}", say(&float));
        let key = good.replacen("\"key\": \"", "\"key\": \"x", 1);
        assert!(say(&key).contains("is not 32 lower-case hex digits"), "{}", say(&key));
        let client = good.replacen("{\"client\":0,", "{\"client\":99,", 1);
        let line = 1 + good.lines().position(|line| line.contains("{\"client\":0,")).unwrap();
        assert!(say(&client).contains(&format!("line {line}, byte")), "{}", say(&client));
        assert!(say(&client).contains("ops[0].client: client 99"), "{}", say(&client));
    }

    #[test]
    fn known_kinds_with_wrong_fields_are_mistakes() {
        let bad = EXAMPLE.replacen(
            "\"kind\":\"pause\",\"node\":2",
            "\"kind\":\"pause\",\"node\":\"two\"",
            1,
        );
        assert_ne!(bad, EXAMPLE);
        let error = read_schedule(bad.as_bytes()).unwrap_err().to_string();
        assert!(error.contains("pause: invalid type: string \"two\""), "{error}");
        let bad = EXAMPLE.replacen("\"kind\":\"pause\",", "", 1);
        let error = read_schedule(bad.as_bytes()).unwrap_err().to_string();
        assert!(error.contains("a fault without a `kind`"), "{error}");
    }

    #[test]
    fn no_damaged_file_makes_the_reader_panic() {
        let good = EXAMPLE.as_bytes();
        for at in (0..good.len()).step_by(7) {
            for byte in [0, b'"', b'}', b'9', 0xff] {
                let mut bad = good.to_vec();
                bad[at] = byte;
                let _ = read_schedule(&bad);
            }
            let _ = read_schedule(&good[..at]);
        }
    }
}
