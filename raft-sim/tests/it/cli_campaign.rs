//! Campaigns through the program: report, exit codes, interrupts, independence of jobs.

use std::{
    fs,
    io::{BufRead, BufReader},
    process::{Command, Stdio},
};

use serde_json::Value;

use crate::cli_run::{Ran, at, program, run};

/// A bug that is found within a few events of most seeds.
const BUGGY: &str = "naive+half-is-majority";

#[test]
fn the_report_has_every_field_that_figures_are_taken_from() {
    let folder = tempfile::tempdir().unwrap();
    let ran = run(folder.path(), "fuzz --system naive --runs 8 --out out --json --quiet");
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let report = ran.json();
    let stored = fs::read_to_string(folder.path().join("out/report.json")).unwrap();
    assert_eq!(serde_json::from_str::<Value>(&stored).unwrap(), report);
    for figure in ["commits", "terms", "config_changes", "snapshots", "events", "unknown_ops"] {
        for p in ["p10", "p50", "p90"] {
            assert!(at(&report, &format!("/per_run/{figure}/{p}")).is_u64());
        }
    }
    for path in
        ["/runs", "/excused", "/events_per_s", "/lin/witness", "/lin/search", "/lin/unknown"]
    {
        assert!(at(&report, path).is_u64(), "{path}");
    }
    assert!(at(&report, "/wall_s").is_number());
    for axis in at(&report, "/axes").as_object().unwrap().values() {
        for field in ["/on", "/injected", "/refused"] {
            assert!(at(axis, field).is_u64());
        }
    }
    for oracle in at(&report, "/oracles").as_object().unwrap().values() {
        assert!(at(oracle, "/checks").is_u64());
    }
    assert_eq!(at(&report, "/seeds"), &serde_json::json!([[0, 8]]));
    assert_eq!(at(&report, "/exit/code"), 0);
    assert_eq!(at(&report, "/complete"), true);
    assert!(at(&report, "/per_run/commits/p50").as_u64() > Some(0));
    assert_eq!(at(&report, "/findings"), &serde_json::json!([]));
}

#[test]
fn the_number_of_jobs_changes_nothing_but_the_time() {
    for system in ["naive", BUGGY] {
        let reports = [1, 2].map(|jobs| {
            let folder = tempfile::tempdir().unwrap();
            let words =
                format!("fuzz --system {system} --runs 30 --out out --json --quiet -j {jobs}");
            let mut report = run(folder.path(), &words).json();
            let fields = report.as_object_mut().unwrap();
            for clock in ["wall_s", "events_per_s", "runs_per_s"] {
                fields.remove(clock).unwrap();
            }
            report
        });
        assert_eq!(reports[0], reports[1], "{system}");
    }
}

#[test]
fn a_finding_is_told_kept_and_comes_again_from_its_files_alone() {
    let folder = tempfile::tempdir().unwrap();
    let words = format!(
        "fuzz --system {BUGGY} --runs 40 --fail-fast --without-oracle leader-holds-durable-quorum \
         --json --quiet"
    );
    let ran = run(folder.path(), &words);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    let report = ran.json();
    let finding = at(&report, "/findings/0");
    let print = at(finding, "/fingerprint").as_str().unwrap();
    assert_eq!(print.len(), 8);
    assert_eq!(at(finding, "/confirmed"), true);
    assert_eq!(at(&report, "/stopped"), "findings");
    assert!(ran.err.contains("FOUND") && ran.err.contains("rerun:"), "{}", ran.err);
    assert!(ran.err.contains(at(finding, "/token").as_str().unwrap()), "{}", ran.err);

    let kept = folder.path().join("findings").join(print);
    for name in ["schedule.json", "trace.jsonl", "history.jsonl", "story.txt"] {
        assert!(kept.join(name).is_file(), "{name}");
    }
    let words = "--without-oracle leader-holds-durable-quorum --json";
    let again = run(folder.path(), &format!("replay findings/{print} {words}"));
    assert_eq!(again.code, Some(1), "{again:?}");
    let again = again.json();
    assert_eq!(at(&again, "/files/0/fingerprint"), print);
    assert_eq!(at(&again, "/files/1/exact"), true);

    // The command that was printed, word by word, in a shell.
    if cfg!(unix) {
        let command = at(finding, "/command").as_str().unwrap();
        let shell =
            Command::new("sh").arg("-c").arg(command).current_dir(folder.path()).output().unwrap();
        assert_eq!(shell.status.code(), Some(1), "{command}: {:?}", Ran::of(&shell));
    }
}

#[test]
fn a_source_of_chance_is_exit_5_and_named() {
    let folder = tempfile::tempdir().unwrap();
    let words = "fuzz --system naive+hidden-counter --without-oracle pure --runs 2 --json --quiet";
    let ran = run(folder.path(), words);
    assert_eq!(ran.code, Some(5), "{ran:?}");
    let report = ran.json();
    let place = at(&report, "/determinism/divergences/0/place");
    assert!(at(place, "/event").is_u64() && at(place, "/node").as_u64() > Some(0), "{place}");
    assert!(!at(place, "/field").as_str().unwrap().is_empty());
    assert!(ran.err.contains("NOT DETERMINISTIC"), "{}", ran.err);

    let unchecked = run(folder.path(), &format!("{words} --no-determinism-check"));
    assert_eq!(unchecked.code, Some(0), "{unchecked:?}");
}

#[test]
fn an_empty_range_is_vacuous() {
    let folder = tempfile::tempdir().unwrap();
    let ran = run(folder.path(), "fuzz --seeds 5..5 --json --quiet");
    assert_eq!(ran.code, Some(4), "{ran:?}");
    assert_eq!(at(&ran.json(), "/vacuous/0"), "nothing ran");
}

#[test]
fn a_campaign_without_faults_cannot_reach_the_marks_but_is_not_blamed() {
    let folder = tempfile::tempdir().unwrap();
    let words = "fuzz --system naive --profile calm --runs 20 --json --quiet";
    let ran = run(folder.path(), words);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let report = ran.json();
    assert_eq!(at(&report, "/axes/loss/injected"), 0);
    assert_eq!(at(&report, "/per_run/unknown_ops/max"), 0);
}

#[test]
fn axes_can_be_chosen() {
    let folder = tempfile::tempdir().unwrap();
    let only = run(folder.path(), "fuzz --runs 10 --only loss,crash --json --quiet").json();
    for (axis, counts) in at(&only, "/axes").as_object().unwrap() {
        let expected = if ["loss", "crash"].contains(&axis.as_str()) { 10 } else { 0 };
        assert_eq!(at(counts, "/on"), expected, "{axis}");
    }
    let set = run(folder.path(), "fuzz --runs 10 --set axis.loss=0.2 --json --quiet").json();
    assert_eq!(at(&set, "/axes/loss/on"), 10);
    let without = run(folder.path(), "fuzz --runs 10 --without loss --json --quiet").json();
    assert_eq!(at(&without, "/axes/loss/on"), 0);
}

#[test]
fn time_ends_a_campaign() {
    let folder = tempfile::tempdir().unwrap();
    let ran = run(folder.path(), "fuzz --system naive --time 300ms --json --quiet");
    let report = ran.json();
    assert_eq!(at(&report, "/stopped"), "time");
    assert_eq!(at(&report, "/complete"), true);
    let runs = at(&report, "/runs").as_u64().unwrap();
    assert_eq!(at(&report, "/seeds"), &serde_json::json!([[0, runs]]));
}

#[cfg(unix)]
#[test]
fn an_interrupt_leaves_a_whole_report_of_what_was_done() {
    for (signal, code, stopped) in [("INT", 130, "sigint"), ("TERM", 143, "sigterm")] {
        let folder = tempfile::tempdir().unwrap();
        let mut child = program(folder.path())
            .args(["fuzz", "--system", BUGGY, "--time", "10m", "--max-findings", "100000"])
            .args(["--out", "out", "--quiet", "--json"])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // The first finding shows that it is in the middle of its work.
        let mut line = String::new();
        BufReader::new(child.stderr.take().unwrap()).read_line(&mut line).unwrap();
        assert!(line.starts_with("FOUND"), "{line}");
        let killed = Command::new("sh")
            .arg("-c")
            // Twice: `timeout` signals the process and then its group.
            .arg(format!("kill -{signal} {0}; kill -{signal} {0} || true", child.id()))
            .status()
            .unwrap();
        assert!(killed.success());
        let ran = Ran::of(&child.wait_with_output().unwrap());
        assert_eq!(ran.code, Some(code), "{ran:?}");
        let stored = fs::read_to_string(folder.path().join("out/report.json")).unwrap();
        let report: Value = serde_json::from_str(&stored).unwrap();
        assert_eq!(report, ran.json());
        assert_eq!(at(&report, "/complete"), false);
        assert_eq!(at(&report, "/stopped"), stopped);
        assert_eq!(at(&report, "/exit/code"), code);
        let runs = at(&report, "/runs").as_u64().unwrap();
        assert!(runs > 0);
        assert_eq!(at(&report, "/seeds"), &serde_json::json!([[0, runs]]));
    }
}
