//! Reading traces: strict about form, open about content.
//!
//! **Intuition.** A trace that was cut short, edited or belongs to another format must not be
//! replayed as if it were evidence, so everything that can be checked without running is: header,
//! version, checksums, numbering, digests' form, footer. What is merely unknown is kept.
//! **Source.** Ours; docs/TRACE.md is normative.
//! **Upholds.** No panic on outside input.
//! **Not here.** Whether the run does the same again (`replay.rs`).

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::trace::{
    document::{check_header, schedule_of_value, value_hash},
    error::{Problem, ReadError, beginning},
    record::{Footer, Header, Line, Scope, SystemName, TRACE_VERSION, Trace, unhex},
    write::checksum,
};

/// Where the reader is.
#[derive(Clone, Copy)]
struct Place {
    line: u64,
    byte: u64,
}

impl Place {
    fn refuse(self, problem: Problem) -> ReadError {
        ReadError { artefact: "trace", line: self.line, byte: self.byte, problem }
    }

    fn value(self, field: &str, message: impl Into<String>) -> ReadError {
        self.refuse(Problem::Value { field: field.to_owned(), message: message.into() })
    }
}

/// Reads a trace.
///
/// # Errors
/// Says what is wrong in which line and byte; nothing is repaired.
pub fn read_trace(bytes: &[u8]) -> Result<Trace, ReadError> {
    let start = Place { line: 1, byte: 0 };
    if bytes.is_empty() {
        return Err(start.refuse(Problem::Empty));
    }
    if bytes.first() != Some(&b'{') {
        return Err(start.refuse(Problem::Foreign { found: beginning(bytes) }));
    }
    let mut header = None;
    let mut lines: Vec<Line> = Vec::new();
    let mut footer: Option<Footer> = None;
    let mut all_summed = None;
    let mut place = start;
    for raw in bytes.split_inclusive(|b| *b == b'\n') {
        if footer.is_some() {
            return Err(place.value("end", "the footer is not the last line"));
        }
        let text = core::str::from_utf8(raw).map_err(|error| {
            let byte = place.byte + error.valid_up_to() as u64;
            Place { byte, ..place }.refuse(Problem::Syntax { message: "not UTF-8".to_owned() })
        })?;
        let Some(text) = text.strip_suffix('\n') else {
            // Unless the whole is foreign, a line without an end was cut.
            if header.is_none() {
                read_header(text, place, bytes)?;
            }
            let byte = place.byte + text.len() as u64;
            let missing = "the last line has no end".to_owned();
            return Err(Place { byte, ..place }.refuse(Problem::Truncated { missing }));
        };
        let read = if header.is_none() {
            header = Some(read_header(text, place, bytes)?);
            Ok(())
        } else if is_footer(text) {
            read_footer(text, place, &lines).map(|read| footer = Some(read))
        } else {
            let scope = header.as_ref().map_or(Scope::Cluster, |header| header.scope);
            read_line(text, place, scope, lines.last()).map(|line| lines.push(line))
        };
        read?;
        // All lines have checksums or none has: a damaged `c` must not switch its own check off.
        let summed = split_checksum(text).is_some();
        if *all_summed.get_or_insert(summed) != summed {
            let bare = if summed { start } else { place };
            return Err(bare.value("c", "this line has no checksum, others have"));
        }
        place = Place { line: place.line + 1, byte: place.byte + raw.len() as u64 };
    }
    match (header, footer) {
        (Some(header), Some(footer)) => Ok(Trace { header, lines, footer }),
        _ => {
            let missing = match lines.last() {
                Some(line) => format!("no footer after event {}", line.i),
                None => "no events and no footer".to_owned(),
            };
            Err(place.refuse(Problem::Truncated { missing }))
        }
    }
}

/// A footer begins with its mark; a line never does.
fn is_footer(text: &str) -> bool {
    text.starts_with("{\"end\":")
}

fn read_header(text: &str, place: Place, bytes: &[u8]) -> Result<Header, ReadError> {
    // Version and format come before the checksum: another version may have another checksum.
    let raw: Value = json(text, place)?;
    check_header(&raw, "trace", TRACE_VERSION, bytes).map_err(|problem| place.refuse(problem))?;
    verify(text, place)?;
    let Value::Object(mut fields) = raw else {
        return Err(place.refuse(Problem::Foreign { found: beginning(bytes) }));
    };
    for known in ["format", "version", "c"] {
        fields.shift_remove(known);
    }
    let scope: Scope = field(&mut fields, "scope", place)?;
    let system: SystemName = field(&mut fields, "system", place)?;
    let token = optional(&mut fields, "token", place)?;
    let flags = optional(&mut fields, "flags", place)?.unwrap_or_default();
    let start = fields.shift_remove("start");
    let stated: Option<String> = optional(&mut fields, "schedule_hash", place)?;
    let schedule = match fields.shift_remove("schedule") {
        None if scope == Scope::Cluster => {
            return Err(place.value("schedule", "a trace of a cluster has none"));
        }
        None => None,
        Some(raw) => {
            let computed = crate::trace::record::hex(value_hash(&raw));
            if stated.as_ref() != Some(&computed) {
                let message = format!("the schedule's hash is {computed}, not {stated:?}");
                return Err(place.value("schedule_hash", message));
            }
            Some(schedule_of_value(&raw).map_err(|message| place.value("schedule", message))?)
        }
    };
    if scope == Scope::Node && start.is_none() {
        return Err(place.value("start", "a trace of a node has none"));
    }
    Ok(Header { scope, system, token, flags, schedule, start, unknown: fields })
}

fn read_line(
    text: &str,
    place: Place,
    scope: Scope,
    before: Option<&Line>,
) -> Result<Line, ReadError> {
    verify(text, place)?;
    let mut line: Line = json(text, place)?;
    line.rest.shift_remove("c");
    if unhex(&line.d).is_none() {
        return Err(place.value("d", format!("{:?} is not 16 lower-case hex digits", line.d)));
    }
    if let Some(before) = before {
        if line.i <= before.i {
            return Err(place.value("i", format!("event {} follows event {}", line.i, before.i)));
        }
        if scope == Scope::Cluster && line.t < before.t {
            return Err(place.value("t", format!("time runs back from {} to {}", before.t, line.t)));
        }
    }
    Ok(line)
}

fn read_footer(text: &str, place: Place, lines: &[Line]) -> Result<Footer, ReadError> {
    verify(text, place)?;
    let mut footer: Footer = json(text, place)?;
    footer.unknown.shift_remove("c");
    if footer.end != "trace" {
        return Err(place.value("end", format!("{:?} instead of \"trace\"", footer.end)));
    }
    for digest in footer.checkpoints.iter().chain([&footer.digest]) {
        if unhex(digest).is_none() {
            return Err(
                place.value("digest", format!("{digest:?} is not 16 lower-case hex digits"))
            );
        }
    }
    if footer.lines != lines.len() as u64 {
        let message = format!("{} stated, {} found: lines are missing", footer.lines, lines.len());
        return Err(place.value("lines", message));
    }
    if let Some(last) = lines.last()
        && last.i >= footer.events
    {
        let message = format!("{} stated, but the last line is event {}", footer.events, last.i);
        return Err(place.value("events", message));
    }
    Ok(footer)
}

/// The text a line's checksum covers, up to the closing brace, and the checksum it states.
fn split_checksum(text: &str) -> Option<(&str, &str)> {
    text.strip_suffix("\"}")
        .and_then(|rest| rest.rsplit_once(",\"c\":\""))
        .filter(|(_, stated)| stated.len() == 8)
}

/// Compares a line with its checksum. A line without one, from another writer, passes.
fn verify(text: &str, place: Place) -> Result<(), ReadError> {
    let Some((body, stated)) = split_checksum(text) else { return Ok(()) };
    let computed = checksum(&format!("{body}}}"));
    if computed == stated {
        return Ok(());
    }
    // Broken JSON says more exactly where it broke.
    json::<Value>(text, place)?;
    Err(place.refuse(Problem::Checksum { stated: stated.to_owned(), computed }))
}

fn json<T: DeserializeOwned>(text: &str, place: Place) -> Result<T, ReadError> {
    serde_json::from_str(text).map_err(|error| {
        let byte = place.byte + error.column().saturating_sub(1) as u64;
        Place { byte, ..place }.refuse(Problem::Syntax { message: error.to_string() })
    })
}

fn field<T: DeserializeOwned>(
    fields: &mut Map<String, Value>,
    name: &str,
    place: Place,
) -> Result<T, ReadError> {
    optional(fields, name, place)?.ok_or_else(|| place.value(name, "the header has none"))
}

fn optional<T: DeserializeOwned>(
    fields: &mut Map<String, Value>,
    name: &str,
    place: Place,
) -> Result<Option<T>, ReadError> {
    fields
        .shift_remove(name)
        .map(|value| serde_json::from_value(value).map_err(|e| place.value(name, e.to_string())))
        .transpose()
}
