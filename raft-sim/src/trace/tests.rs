//! Round trips, damage and golden files of traces.
//!
//! **Intuition.** A trace is written, harmed in every way we can think of, and read again: it
//! either comes back whole or is refused with the place.
//! **Source.** docs/TRACE.md.
//! **Upholds.** No panic on outside input.
//! **Not here.** Traces of real runs (`tests/it/`).

use serde_json::{Map, Value, json};

use crate::{
    fault::{plan::Axis, swarm},
    outcome::{AxisCount, FatesMet, LinHow, RunOptions, RunOutcome, RunStats, Verdict},
    process::naive::Bug,
    system::System,
    trace::{
        diff::first_divergence,
        digest::Digest,
        document::{read_schedule, write_schedule},
        read::read_trace,
        record::{Footer, Header, Line, Scope, SystemName, Trace, hex},
        write::write_trace,
    },
};

fn lines(count: u64, step: u64) -> Vec<Line> {
    let mut digest = Digest::new();
    (0..count)
        .map(|i| {
            digest.word(i);
            let rest = match json!({"from": 1 + i % 3, "message": {"kind": "append", "term": i / 4}}) {
                Value::Object(fields) => fields,
                _ => Map::new(),
            };
            let ev = if i % 2 == 0 { "deliver" } else { "durable" }.to_owned();
            Line { i, t: i * step, n: 1 + i % 3, ev, rest, d: hex(digest.value()) }
        })
        .collect()
}

fn cluster(seed: u64) -> Trace {
    let plan = swarm::plan("smoke", seed).unwrap();
    let mut schedule = swarm::schedule(plan, seed, "raft-core");
    schedule.ops.truncate(4);
    schedule.faults.truncate(4);
    let lines = lines(12, 1000);
    let footer = Footer {
        end: "trace".to_owned(),
        verdict: "violation".to_owned(),
        why: Some(
            json!({"oracle": "log-matching", "event": 11, "at": 11000, "node": 2, "reason": "why"}),
        ),
        events: 12,
        lines: 12,
        counts: Map::from_iter([("commits".to_owned(), json!(3))]),
        checkpoints: Vec::new(),
        digest: lines.last().unwrap().d.clone(),
        unknown: Map::new(),
    };
    let system = SystemName { name: "raft-core".to_owned(), version: "0.1.0".to_owned() };
    let header = Header {
        scope: Scope::Cluster,
        system,
        token: schedule.token.clone(),
        flags: Map::from_iter([("level".to_owned(), json!("full"))]),
        schedule: Some(schedule),
        start: None,
        unknown: Map::new(),
    };
    Trace { header, lines, footer }
}

/// One node's record, as a driver would write it.
fn node() -> Trace {
    let mut trace = cluster(1);
    trace.header.scope = Scope::Node;
    trace.header.schedule = None;
    trace.header.token = None;
    trace.header.start =
        Some(json!({"node": 2, "voters": [1, 2, 3], "boot": 1, "seed": 99, "now": 0}));
    for (i, line) in trace.lines.iter_mut().enumerate() {
        line.n = 2;
        line.ev = if i % 2 == 0 { "step" } else { "settle" }.to_owned();
        // A node's own clock may have been set back between two boots.
        line.t = 1000 - i as u64;
        line.rest = Map::from_iter([("input".to_owned(), json!({"tick": i}))]);
    }
    trace
}

fn refused(text: &[u8]) -> String {
    read_trace(text).unwrap_err().to_string()
}

#[test]
fn both_scopes_survive_a_round_trip() {
    for trace in (0..20).map(cluster).chain([node()]) {
        let text = write_trace(&trace);
        let back = read_trace(text.as_bytes()).unwrap();
        assert_eq!(back, trace);
        assert_eq!(write_trace(&back), text);
        assert_eq!(first_divergence(&back, &trace), None);
    }
}

#[test]
fn unknown_kinds_and_fields_are_kept() {
    let mut trace = cluster(3);
    trace.header.unknown.insert("weather".to_owned(), json!("fine"));
    trace.footer.unknown.insert("moon".to_owned(), json!({"phase": 3}));
    let last = trace.lines.last().unwrap().clone();
    let rest = Map::from_iter([("beam".to_owned(), json!([1, {"x": null}]))]);
    trace.lines.push(Line { i: last.i + 1, ev: "teleport".to_owned(), rest, ..last });
    trace.footer.events += 1;
    trace.footer.lines += 1;
    let text = write_trace(&trace);
    let back = read_trace(text.as_bytes()).unwrap();
    assert_eq!(back, trace);
    assert_eq!(write_trace(&back), text);
}

#[test]
fn a_line_of_another_writer_needs_no_checksum() {
    let text = write_trace(&cluster(3));
    let plain: String = text
        .lines()
        .map(|line| line.rsplit_once(",\"c\":").unwrap().0.to_owned() + "}\n")
        .collect();
    assert_eq!(read_trace(plain.as_bytes()).unwrap(), cluster(3));
}

#[test]
fn every_change_of_a_byte_is_noticed() {
    let trace = cluster(5);
    let text = write_trace(&trace).into_bytes();
    let mut starts = vec![0];
    starts.extend(text.iter().enumerate().filter(|(_, b)| **b == b'\n').map(|(at, _)| at + 1));
    for at in 0..text.len() {
        let mut bad = text.clone();
        bad[at] ^= 1;
        let Err(error) = read_trace(&bad) else {
            panic!(
                "byte {at} was changed unnoticed: {:?}",
                String::from_utf8_lossy(&bad[at.saturating_sub(20)..at + 1])
            );
        };
        let line = starts.iter().filter(|start| **start <= at).count() as u64;
        // A lost line end joins a line with its successor.
        assert!(error.line == line || bad[at] == b'\n' || text[at] == b'\n', "byte {at}: {error}");
    }
}

#[test]
fn every_cut_is_noticed() {
    let text = write_trace(&cluster(5)).into_bytes();
    for end in 0..text.len() {
        let error = read_trace(&text[..end]).unwrap_err();
        assert!(error.byte <= end as u64, "{end}: {error}");
    }
    let text = String::from_utf8(text).unwrap();
    let (body, _) = text.trim_end().rsplit_once('\n').unwrap();
    let body = format!("{body}\n");
    assert_eq!(
        refused(body.as_bytes()),
        format!(
            "not a readable trace: line 14, byte {}: cut short: no footer after event 11",
            body.len()
        )
    );
    let without_one: String =
        text.lines().enumerate().filter(|(i, _)| *i != 5).map(|(_, l)| format!("{l}\n")).collect();
    assert!(
        refused(without_one.as_bytes()).contains("lines: 12 stated, 11 found: lines are missing")
    );
}

#[test]
fn foreign_and_newer_files_are_named() {
    assert_eq!(refused(b""), "not a readable trace: line 1, byte 0: the file is empty");
    assert!(refused(b"PK\x03\x04").contains("no raft-sim header; the file begins with \"PK"));
    assert!(refused(b"{\"hello\":1}\n").contains("no raft-sim header"));
    assert!(
        refused(b"{\"format\":\"raft-sim-schedule\",\"version\":1}\n")
            .contains("this is a \"raft-sim-schedule\", not a \"raft-sim-trace\"")
    );
    let text = write_trace(&cluster(2));
    let newer = text.replacen("\"version\":1", "\"version\":2", 1);
    assert!(
        refused(newer.as_bytes()).contains("format version 2, but this release reads version 1")
    );
    let twice = format!("{text}{}", text.lines().last().unwrap());
    assert!(refused(twice.as_bytes()).contains("the footer is not the last line"));
}

#[test]
fn a_schedule_that_was_swapped_is_noticed() {
    // Without checksums the schedule's own hash still speaks.
    let text: String = write_trace(&cluster(2))
        .lines()
        .map(|line| line.rsplit_once(",\"c\":").unwrap().0.to_owned() + "}\n")
        .collect();
    let swapped = text.replacen("\"heal_at_ns\":", "\"heal_at_ns\":1", 1);
    assert!(refused(swapped.as_bytes()).contains("schedule_hash: the schedule's hash is"));
}

#[test]
fn a_run_becomes_a_trace() {
    let schedule = swarm::schedule(swarm::plan("smoke", 2).unwrap(), 2, "x");
    let lines = lines(300, 10);
    let stats = RunStats {
        events: 300,
        commits: 1,
        terms: 1,
        config_changes: 0,
        snapshots: 0,
        ops: 2,
        unknown_ops: 0,
        virtual_ns: 3000,
        axes: vec![AxisCount { on: true, injected: 5, refused: 0 }; Axis::ALL.len()],
        checks: Vec::new(),
        marks: Vec::new(),
        lin: LinHow::Witness,
    };
    let digest = u64::from_str_radix(&lines[299].d, 16).unwrap();
    let outcome = RunOutcome {
        verdict: Verdict::Clean,
        digest,
        stats,
        materialised: None,
        fates: FatesMet::default(),
        checkpoints: vec![7],
        trace: lines,
        history: Vec::new(),
    };
    let trace = Trace::of_run(&naive(), &schedule, &RunOptions::default(), &outcome);
    let back = read_trace(write_trace(&trace).as_bytes()).unwrap();
    assert_eq!(back, trace);
    assert_eq!(back.footer.counts["axes"]["loss"]["injected"], 5);
    assert_eq!(back.footer.checkpoints, ["0000000000000007"]);
}

fn naive() -> System {
    Bug::None.as_system()
}

#[test]
fn a_materialised_schedule_replays_to_the_same_digest() {
    let mut listed = 0;
    for seed in 0..30 {
        let drawn = swarm::schedule(swarm::plan("smoke", seed).unwrap(), seed, "naive");
        let options = RunOptions { materialise: true, ..RunOptions::default() };
        let first = naive().run(&drawn, &options);
        let schedule = first.materialised.unwrap();
        assert!(!schedule.drawn);
        listed += schedule.exceptions.len();
        // Through a file, as a person would get it.
        let schedule = read_schedule(write_schedule(&schedule).as_bytes()).unwrap();
        let again = naive().run(&schedule, &options);
        assert_eq!(
            (again.digest, again.checkpoints),
            (first.digest, first.checkpoints),
            "seed {seed}"
        );
        assert_eq!(again.materialised.unwrap().exceptions, schedule.exceptions, "seed {seed}");
    }
    assert!(listed > 1000, "{listed} exceptions in all");
}

#[test]
fn a_recorded_run_is_read_back_and_replays() {
    for seed in 0..4 {
        let drawn = swarm::schedule(swarm::plan("smoke", seed).unwrap(), seed, "naive");
        let options = RunOptions { trace: true, ..RunOptions::default() };
        let outcome = naive().run(&drawn, &options);
        let trace = Trace::of_run(&naive(), &drawn, &options, &outcome);
        let back = read_trace(write_trace(&trace).as_bytes()).unwrap();
        assert_eq!(back, trace);
        let again = naive().run(back.header.schedule.as_ref().unwrap(), &options);
        assert_eq!(hex(again.digest), back.footer.digest);
        assert_eq!(again.trace, back.lines);
    }
}

#[test]
fn golden_files() {
    // Fixed schedules, so that tuning a profile leaves these files alone.
    let example = include_bytes!("../../testdata/schedules/example.json");
    let mut trace = cluster(1);
    trace.header.token = None;
    trace.header.schedule = Some(read_schedule(example).unwrap());
    expect_test::expect_file!["../../testdata/traces/cluster.jsonl"]
        .assert_eq(&write_trace(&trace));
    expect_test::expect_file!["../../testdata/traces/node.jsonl"].assert_eq(&write_trace(&node()));
}
