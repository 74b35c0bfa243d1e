//! The parts of a trace: header, one line an event, footer.
//!
//! **Intuition.** The header holds the whole schedule, so a trace alone reproduces its run. Each
//! line says what happened in words that people and tools read, and ends with the digest of
//! everything up to there. Kinds of events are an open enumeration: a reader keeps what it does
//! not know.
//! **Source.** Ours; docs/TRACE.md is normative.
//! **Upholds.** `inv:pure`.
//! **Not here.** Text (`write.rs`, `read.rs`), comparison (`diff.rs`).

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::fault::schedule::Schedule;

/// The version of traces this code writes and reads.
pub const TRACE_VERSION: u32 = 1;

/// What a trace is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scope {
    /// A whole run.
    Cluster,
    /// One node's recorded steps and settles.
    Node,
}

/// A system under test by name and version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SystemName {
    /// Name as in `--system`.
    pub name: String,
    /// Its version.
    pub version: String,
}

/// The first line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// What the trace is about.
    pub scope: Scope,
    /// What ran.
    pub system: SystemName,
    /// Seed token, if the schedule came from one; information only.
    pub token: Option<String>,
    /// How it was recorded: level, oracles, shadows; by name.
    pub flags: Map<String, Value>,
    /// Scope `cluster`: the schedule that ran.
    pub schedule: Option<Schedule>,
    /// Scope `node`: what the node was started with (`node`, `boot`, `seed`, `now`, `voters`, …).
    pub start: Option<Value>,
    /// Fields this version does not know, kept on rewrite.
    pub unknown: Map<String, Value>,
}

/// One line: one event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// Number of the event, from 0.
    pub i: u64,
    /// World time in nanoseconds (scope `node`: local time).
    pub t: u64,
    /// Node it happened to, 0 for none.
    pub n: u64,
    /// Kind of event.
    pub ev: String,
    /// Everything else about the event; unknown fields are kept.
    #[serde(flatten)]
    pub rest: Map<String, Value>,
    /// Rolling digest after it, 16 hex digits.
    pub d: String,
}

/// The last line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Footer {
    /// Always `trace`: marks the line as the footer.
    pub end: String,
    /// How the run ended: `clean`, `excused`, `violation`, `panic`, `inconclusive`, `internal`.
    pub verdict: String,
    /// Why, for every verdict but `clean`: for a violation an object with `oracle`, `event`, `at`,
    /// `node` and `reason`; for a panic with `message`, `event`, `at` and `node`; else one sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<Value>,
    /// Events of the run. Lines may be fewer, where the level leaves some out.
    pub events: u64,
    /// Lines between header and footer.
    pub lines: u64,
    /// Counts of the run by name.
    pub counts: Map<String, Value>,
    /// Digest after every 256th event, 16 hex digits each.
    #[serde(default)]
    pub checkpoints: Vec<String>,
    /// Digest at the end of the run, 16 hex digits: of the last event and what followed it.
    pub digest: String,
    /// Fields this version does not know, kept on rewrite.
    #[serde(flatten)]
    pub unknown: Map<String, Value>,
}

/// A whole trace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trace {
    /// The first line.
    pub header: Header,
    /// The events.
    pub lines: Vec<Line>,
    /// The last line.
    pub footer: Footer,
}

/// A digest as it stands in files.
#[must_use]
pub fn hex(digest: u64) -> String {
    format!("{digest:016x}")
}

/// A digest out of a file; `None` unless it is 16 lower-case hex digits.
#[must_use]
pub fn unhex(text: &str) -> Option<u64> {
    let plain = text.len() == 16 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    plain.then(|| u64::from_str_radix(text, 16).ok()).flatten()
}
