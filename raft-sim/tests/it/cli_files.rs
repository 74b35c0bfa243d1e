//! Commands on files and the smaller commands: run, replay, check, doctor, bench, selftest, zoo.

use std::fs;

use crate::cli_run::{at, run};

#[test]
fn a_run_tells_a_story_and_its_trace_replays_exactly() {
    let folder = tempfile::tempdir().unwrap();
    let ran = run(folder.path(), "run --system naive --seed 0x7 --out kept");
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(ran.out.contains("rs1:default:00000007"), "{}", ran.out);
    assert!(ran.out.contains("Every check passed."), "{}", ran.out);
    assert_eq!(
        fs::read_to_string(folder.path().join("kept/story.txt")).unwrap().trim(),
        ran.out.trim()
    );

    let again = run(folder.path(), "replay kept --strict --json");
    assert_eq!(again.code, Some(0), "{again:?}");
    let again = again.json();
    assert_eq!(at(&again, "/files").as_array().unwrap().len(), 2);
    assert_eq!(at(&again, "/files/1/exact"), true);
    assert_eq!(at(&again, "/files/0/digest"), at(&again, "/files/1/digest"));

    let token = run(folder.path(), "run --system naive --seed rs1:default:00000007 --json --quiet");
    assert_eq!(at(&token.json(), "/digest"), at(&again, "/files/0/digest"));
}

#[test]
fn a_trace_of_another_run_is_told_apart_and_strict_fails() {
    let folder = tempfile::tempdir().unwrap();
    run(folder.path(), "run --system naive --seed 7 --out kept");
    // The same schedule on a system with a bug that shows at once.
    let words = "replay kept/trace.jsonl --system naive+commit-regress";
    let strict = run(folder.path(), &format!("{words} --strict"));
    assert_eq!(strict.code, Some(1), "{strict:?}");
    assert!(strict.out.contains("NOT the run of the trace"), "{strict:?}");
    assert!(strict.out.contains("event"), "{strict:?}");
}

#[test]
fn damaged_traces_are_refused_with_the_place() {
    let folder = tempfile::tempdir().unwrap();
    run(folder.path(), "run --system naive --seed 1 --profile smoke --out kept");
    let trace = fs::read_to_string(folder.path().join("kept/trace.jsonl")).unwrap();
    let lines: Vec<&str> = trace.lines().collect();
    let damaged = [
        ("cut.jsonl", lines[..lines.len() - 1].join("\n"), "cut short"),
        ("bits.jsonl", trace.replacen("\"n\":1", "\"n\":2", 1), "line"),
        ("version.jsonl", trace.replacen("\"version\":1", "\"version\":99", 1), "99"),
    ];
    for (name, text, said) in damaged {
        fs::write(folder.path().join(name), text).unwrap();
        let ran = run(folder.path(), &format!("replay {name}"));
        assert_eq!(ran.code, Some(2), "{name}: {ran:?}");
        assert!(ran.err.contains(name) && ran.err.contains(said), "{name}: {ran:?}");
    }
}

#[test]
fn an_empty_folder_replays_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let ran = run(folder.path(), "replay .");
    assert_eq!(ran.code, Some(4), "{ran:?}");
}

#[test]
fn the_worst_of_several_histories_decides() {
    let folder = tempfile::tempdir().unwrap();
    let good = concat!(
        r#"{"i":0,"t":0,"client":0,"op":0,"type":"invoke","f":"put","key":0,"arg":1}"#,
        "\n",
        r#"{"i":1,"t":1,"client":0,"op":0,"type":"ok","f":"put","key":0,"ret":null}"#,
        "\n",
        r#"{"i":2,"t":2,"client":0,"op":1,"type":"invoke","f":"get","key":0}"#,
        "\n",
        r#"{"i":3,"t":3,"client":0,"op":1,"type":"ok","f":"get","key":0,"ret":[1]}"#,
        "\n",
    );
    fs::write(folder.path().join("good.jsonl"), good).unwrap();
    // The read no longer sees the write that ended before it began.
    fs::write(folder.path().join("bad.jsonl"), good.replace("[1]", "null")).unwrap();
    fs::write(folder.path().join("broken.jsonl"), good.replace("invoke", "invoked")).unwrap();

    let ran = run(folder.path(), "check good.jsonl");
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let ran = run(folder.path(), "check good.jsonl bad.jsonl --json");
    assert_eq!(ran.code, Some(1), "{ran:?}");
    let value = ran.json();
    assert_eq!(at(&value, "/files/0/verdict"), "linearizable");
    assert_eq!(at(&value, "/files/1/verdict"), "illegal");
    assert_eq!(at(&value, "/exit/code"), 1);
    let ran = run(folder.path(), "check bad.jsonl broken.jsonl good.jsonl");
    assert_eq!(ran.code, Some(2), "{ran:?}");
    assert!(ran.out.contains("NOT LINEARIZABLE") && ran.err.contains("broken.jsonl"), "{ran:?}");
    let ran = run(folder.path(), "check good.jsonl --model nope");
    assert_eq!(ran.code, Some(2), "{ran:?}");
    assert!(ran.err.contains("kv"), "{ran:?}");
}

#[test]
fn the_doctor_compares_processes() {
    let folder = tempfile::tempdir().unwrap();
    let ran = run(folder.path(), "doctor --system naive --runs 3 --fresh --json --quiet");
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let value = ran.json();
    assert_eq!(at(&value, "/golden_vectors"), true);
    assert_eq!(at(&value, "/differing"), &serde_json::json!([]));
    let words = "doctor --system naive+hidden-counter --without-oracle pure --runs 3";
    let ran = run(folder.path(), words);
    assert_eq!(ran.code, Some(5), "{ran:?}");
}

#[test]
fn bench_measures_three_levels() {
    let folder = tempfile::tempdir().unwrap();
    let ran = run(folder.path(), "bench --system naive --runs 3 --json --quiet");
    assert_eq!(ran.code, Some(0), "{ran:?}");
    for level in ["none", "safety", "all"] {
        let value = ran.json();
        assert!(at(&value, &format!("/oracles/{level}/events_per_s")).as_u64() > Some(0));
        assert!(at(&value, &format!("/oracles/{level}/runs_per_s")).is_u64());
    }
}

#[test]
fn selftest_shows_who_caught_what() {
    let folder = tempfile::tempdir().unwrap();
    let ran = run(folder.path(), "selftest half-is-majority commit-regress --json");
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let value = ran.json();
    assert_eq!(at(&value, "/bugs").as_array().unwrap().len(), 2);
    assert_eq!(at(&value, "/bugs/0/oracle"), "leader-holds-durable-quorum");
    assert_eq!(at(&value, "/bugs/0/passed"), true);
    let ran = run(folder.path(), "selftest no-such-bug");
    assert_eq!(ran.code, Some(4), "{ran:?}");
}

#[test]
fn a_zoo_patch_that_no_longer_fits_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    for (path, text) in [
        ("tree/Cargo.toml", "[workspace]\nmembers = [\"raft-sim\"]\n"),
        ("tree/raft-sim/Cargo.toml", ""),
        ("tree/raft-sim/src/a.rs", "fn a() {}\n"),
        (
            "tree/raft-sim/zoo/lost.patch.toml",
            "id = \"lost\"\nbug = \"B-000\"\nabout = \"-\"\noracle = \"live\"\nseeds_max = 1\n\
             [[hunk]]\nfile = \"raft-sim/src/a.rs\"\nanchor = \"fn b\"\nreplacement = \"fn c\"\n",
        ),
    ] {
        fs::create_dir_all(root.join(path).parent().unwrap()).unwrap();
        fs::write(root.join(path), text).unwrap();
    }
    let ran = run(root, "zoo --tree tree --work work --dry-run");
    assert_eq!(ran.code, Some(2), "{ran:?}");
    assert!(
        ran.err.contains("lost.patch.toml") && ran.err.contains("raft-sim/src/a.rs"),
        "{ran:?}"
    );
    assert!(ran.err.contains("0 times"), "{ran:?}");

    let patch = root.join("tree/raft-sim/zoo/lost.patch.toml");
    let text = fs::read_to_string(&patch).unwrap().replace("fn b", "fn a");
    fs::write(&patch, text).unwrap();
    let ran = run(root, "zoo --tree tree --work work --dry-run");
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert_eq!(fs::read_to_string(root.join("tree/raft-sim/src/a.rs")).unwrap(), "fn a() {}\n");
}
