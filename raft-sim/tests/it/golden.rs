//! Stored runs of the core: the same digest in every build, and every schedule of the corpus clean.
//!
//! **Intuition.** A seed must mean the same run with one release on any machine, in debug and in
//! release. The stored traces are the witnesses: this test replays them in whatever build it is
//! part of, and the checks replay them in release as well.
//! **Source.** Ours.
//! **Upholds.** `inv:pure`.
//! **Not here.** Formats (`raft-sim/src/trace/tests.rs`).

use std::path::{Path, PathBuf};

use raft_sim::{
    fault::{schedule::Schedule, swarm},
    outcome::{RunOptions, RunOutcome, Verdict},
    process::core::Core,
    replay::replay_trace,
    system::System,
    trace::{document::read_schedule, read::read_trace, record::Trace, write::write_trace},
};

/// Profile and seed of each stored trace.
const STORED: &[(&str, u64)] = &[("smoke", 4), ("smoke", 6), ("smoke", 7)];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/traces/core")
}

fn file(profile: &str, seed: u64) -> PathBuf {
    root().join(format!("{profile}-{seed}.trace.jsonl"))
}

fn drawn(profile: &str, seed: u64) -> Schedule {
    let plan = swarm::plan(profile, seed).expect("a known profile");
    swarm::schedule(plan, seed, "core")
}

fn run(schedule: &Schedule, options: &RunOptions) -> RunOutcome {
    System::of::<Core>().run(schedule, options)
}

#[test]
fn stored_traces_of_the_core_replay_to_their_digest() {
    let options = RunOptions { trace: true, materialise: true, ..RunOptions::default() };
    for &(profile, seed) in STORED {
        let path = file(profile, seed);
        if std::env::var_os("UPDATE_EXPECT").is_some() {
            let outcome = run(&drawn(profile, seed), &options);
            let schedule = outcome.materialised.clone().expect("asked for");
            let trace = Trace::of_run(&System::of::<Core>(), &schedule, &options, &outcome);
            std::fs::create_dir_all(root()).expect("a folder for traces");
            std::fs::write(&path, write_trace(&trace)).expect("a trace is written");
        }
        let bytes = std::fs::read(&path).expect("the stored trace is there");
        let trace = read_trace(&bytes).expect("the stored trace is whole");
        let system = System::of::<Core>();
        let replayed = replay_trace(&system, &trace, &RunOptions::default()).expect("a schedule");
        let place = replayed.divergence.map(|at| at.to_string());
        assert!(
            replayed.exact,
            "{} is not met again: {}\nrerun:  cargo run -p raft-sim -- replay {}\naccept: cargo \
             bless -p raft-sim --test it golden (only with the reason under \"Traces and seeds\" \
             in CHANGELOG.md)",
            path.display(),
            place.as_deref().unwrap_or("only the digest differs"),
            path.display(),
        );
        assert_eq!(replayed.outcome.verdict, Verdict::Clean, "{}", path.display());
        assert_eq!(replayed.outcome.fates.applied, replayed.outcome.fates.listed);
        assert!(replayed.outcome.fates.listed > 0, "a run without trouble shows little");
        // The seed itself still means the same run.
        assert_eq!(
            run(&drawn(profile, seed), &RunOptions::default()).digest,
            replayed.outcome.digest
        );
    }
}

#[test]
fn the_corpus_is_clean() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus/regress");
    let mut seen = 0;
    for entry in std::fs::read_dir(&corpus).expect("the corpus is there") {
        let path = entry.expect("a readable folder").path().join("schedule.json");
        let bytes = std::fs::read(&path).expect("each finding has its schedule");
        let schedule = read_schedule(&bytes).expect("a schedule");
        let outcome = run(&schedule, &RunOptions::default());
        assert_eq!(
            outcome.verdict,
            Verdict::Clean,
            "rerun: cargo run --release -p raft-sim -- replay {}",
            path.display()
        );
        seen += 1;
    }
    assert!(seen > 0, "an empty corpus shows nothing");
}

#[test]
fn every_zoo_patch_still_applies() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let work = tempfile::tempdir().expect("a folder for the copy");
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_raft-sim"))
        .args(["zoo", "--dry-run", "--tree"])
        .arg(&root)
        .arg("--work")
        .arg(work.path())
        .output()
        .expect("the command starts");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success(),
        "{said}{}\nrerun: cargo run --release -p raft-sim -- zoo --dry-run",
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(said.contains("patches apply"), "{said}");
}
