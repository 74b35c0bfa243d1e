//! The command `check`: formats, levels, explanations, conversion, refusals.

use std::{fs, path::Path};

use crate::cli_run::{at, run};

const STALE: &str = "{:process 0, :type :invoke, :f :write, :value 1}\n\
                     {:process 0, :type :ok, :f :write, :value 1}\n\
                     {:process 1, :type :invoke, :f :read, :value nil}\n\
                     {:process 1, :type :ok, :f :read, :value nil}\n";

/// A history of every format, with the model and the format it is recognised as.
const FILES: [(&str, &str, &str, &str); 8] = [
    (
        "counter.edn",
        "counter",
        "edn",
        "{:process 0 :type :invoke :f :add :value 2}\n{:process 0 :type :ok :f :add :value 2}\n\
         {:process 0 :type :invoke :f :read :value nil}\n{:process 0 :type :ok :f :read :value 2}\n",
    ),
    (
        "set.edn",
        "set",
        "edn",
        "[{:process 0 :type :invoke :f :add :value :a}\n{:process 0 :type :ok :f :add :value :a}\n\
         {:process 0 :type :invoke :f :read :value nil}\n\
         {:process 0 :type :ok :f :read :value #{:a}}]\n",
    ),
    (
        "queue.jsonl",
        "queue",
        "jsonl",
        concat!(
            r#"{"i":0,"t":0,"client":0,"op":0,"type":"invoke","f":"enqueue","arg":"x"}"#,
            "\n",
            r#"{"i":1,"t":1,"client":0,"op":0,"type":"ok","f":"enqueue"}"#,
            "\n",
            r#"{"i":2,"t":2,"client":0,"op":1,"type":"invoke","f":"dequeue"}"#,
            "\n",
            r#"{"i":3,"t":3,"client":0,"op":1,"type":"ok","f":"dequeue","ret":"x"}"#,
            "\n",
        ),
    ),
    (
        "lock.edn",
        "lock",
        "edn",
        "{:process 0 :type :invoke :f :acquire :value nil}\n\
         {:process 0 :type :ok :f :acquire :value nil}\n\
         {:process 1 :type :invoke :f :acquire :value nil}\n\
         {:process 0 :type :invoke :f :release :value nil}\n\
         {:process 0 :type :ok :f :release :value nil}\n\
         {:process 1 :type :ok :f :acquire :value nil}\n",
    ),
    (
        "txn.edn",
        "list-append",
        "elle",
        "{:process 0 :type :invoke :f :txn :value [[:append :x 1] [:r :y nil]]}\n\
         {:process 0 :type :ok :f :txn :value [[:append :x 1] [:r :y []]]}\n\
         {:process 1 :type :invoke :f :txn :value [[:r :x nil]]}\n\
         {:process 1 :type :ok :f :txn :value [[:r :x [1]]]}\n",
    ),
    (
        "txn.json",
        "list-append",
        "elle-json",
        concat!(
            r#"[{"process":0,"type":"invoke","f":"txn","value":[["append",5,1]]},"#,
            "\n",
            r#"{"process":0,"type":"ok","f":"txn","value":[["append",5,1]]},"#,
            "\n",
            r#"{"process":1,"type":"invoke","f":"txn","value":[["r",5,null]]},"#,
            "\n",
            r#"{"process":1,"type":"ok","f":"txn","value":[["r",5,[1]]]}]"#,
            "\n",
        ),
    ),
    (
        "kv.edn",
        "kv-string",
        "porcupine",
        "{:process 0, :type :invoke, :f :put, :key \"a\", :value \"x\"}\n\
         {:process 0, :type :ok, :f :put, :key \"a\", :value \"x\"}\n\
         {:process 1, :type :invoke, :f :append, :key \"a\", :value \"y\"}\n\
         {:process 0, :type :invoke, :f :get, :key \"a\", :value nil}\n\
         {:process 0, :type :ok, :f :get, :key \"a\", :value \"xy\"}\n",
    ),
    (
        "jepsen.log",
        "cas-register",
        "jepsen-log",
        "INFO  jepsen.util - 0\t:invoke\t:write\t3\nINFO  jepsen.util - 0\t:ok\t:write\t3\n\
         INFO  jepsen.util - 1\t:invoke\t:cas\t[1 2]\nINFO  jepsen.util - 1\t:fail\t:cas\t[1 2]\n\
         INFO  jepsen.util - 0\t:invoke\t:read\tnil\nINFO  jepsen.util - 0\t:ok\t:read\t3\n",
    ),
];

fn write(folder: &Path, name: &str, text: &str) {
    fs::write(folder.join(name), text).unwrap();
}

#[test]
fn every_format_and_model_is_recognised_from_its_content() {
    let folder = tempfile::tempdir().unwrap();
    for (name, model, format, text) in FILES {
        write(folder.path(), name, text);
        let ran = run(folder.path(), &format!("check {name} --json"));
        assert_eq!(ran.code, Some(0), "{name}: {ran:?}");
        let value = ran.json();
        assert_eq!(at(&value, "/files/0/model"), model, "{name}");
        assert_eq!(at(&value, "/files/0/format"), format, "{name}");
        assert_eq!(at(&value, "/files/0/verdict"), "linearizable", "{name}");
        let forced = run(folder.path(), &format!("check {name} --model {model} --format {format}"));
        assert_eq!(forced.code, Some(0), "{name}: {forced:?}");
    }
}

#[test]
fn what_is_converted_is_the_same_history_or_refused() {
    let folder = tempfile::tempdir().unwrap();
    let formats = ["jsonl", "jepsen-log", "edn", "porcupine", "elle", "elle-json"];
    let mut said = Vec::new();
    for (name, model, own, text) in FILES {
        write(folder.path(), name, text);
        for to in formats {
            let ran = run(folder.path(), &format!("check {name} --convert {to}"));
            if ran.code == Some(2) {
                assert!(ran.err.contains(&format!("this cannot be said in {to}")), "{ran:?}");
                continue;
            }
            assert_eq!(ran.code, Some(0), "{name} as {to}: {ran:?}");
            said.push((name, to));
            write(folder.path(), "converted", &ran.out);
            let words = format!("check converted --format {to} --model {model}");
            assert_eq!(run(folder.path(), &words).code, Some(0), "{name} as {to}: {}", ran.out);
            // And back.
            let words = format!("check converted --format {to} --model {model} --convert {own}");
            let back = run(folder.path(), &words);
            assert_eq!(back.code, Some(0), "{name} from {to}: {back:?}");
        }
        assert!(said.contains(&(name, own)), "{name} in its own format: {said:?}");
    }
    for pair in [
        ("txn.edn", "elle-json"),
        ("txn.json", "jsonl"),
        ("kv.edn", "jsonl"),
        ("jepsen.log", "jsonl"),
        ("jepsen.log", "edn"),
        ("queue.jsonl", "edn"),
        ("counter.edn", "jsonl"),
    ] {
        assert!(said.contains(&pair), "{pair:?} in {said:?}");
    }
    for pair in [("txn.edn", "porcupine"), ("queue.jsonl", "elle"), ("kv.edn", "jepsen-log")] {
        assert!(!said.contains(&pair), "{pair:?} in {said:?}");
    }
}

#[test]
fn a_violation_is_explained_on_the_terminal_and_as_a_page() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "stale.edn", STALE);
    let ran = run(folder.path(), "check stale.edn --explain --html why.html");
    assert_eq!(ran.code, Some(1), "{ran:?}");
    for said in [
        "NOT LINEARIZABLE",
        "2 operations are enough (none can be left out)",
        "longest legal order: 0",
        "then op 1 cannot answer",
    ] {
        assert!(ran.out.contains(said), "{said}: {}", ran.out);
    }
    let page = fs::read_to_string(folder.path().join("why.html")).unwrap();
    assert!(page.starts_with("<!doctype html>") && page.len() < 2 << 20, "{page}");
    let ran = run(folder.path(), "check stale.edn --html .");
    assert_eq!(ran.code, Some(2), "{ran:?}");
}

#[test]
fn a_weaker_level_can_be_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "stale.edn", STALE);
    for (level, code) in [
        ("linearizable", 1),
        ("sequential", 0),
        ("session", 0),
        ("monotonic-reads", 0),
        ("monotonic-writes", 0),
        ("read-your-writes", 0),
        ("writes-follow-reads", 0),
    ] {
        let ran = run(folder.path(), &format!("check stale.edn --level {level}"));
        assert_eq!(ran.code, Some(code), "{level}: {ran:?}");
    }
    write(folder.path(), "own.edn", &STALE.replace(":process 1", ":process 0"));
    let ran = run(folder.path(), "check own.edn --level read-your-writes");
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(ran.out.contains("NOT READ-YOUR-WRITES: operations 0, 1"), "{ran:?}");
    let ran = run(folder.path(), "check own.edn --level perfect");
    assert!(ran.code == Some(2) && ran.err.contains("monotonic-reads"), "{ran:?}");
    write(folder.path(), "queue.jsonl", FILES[2].3);
    let ran = run(folder.path(), "check queue.jsonl --level session");
    assert!(ran.code == Some(2) && ran.err.contains("neither a read nor a write"), "{ran:?}");
}

#[test]
fn bad_files_of_all_kinds_are_refused_with_clear_words() {
    let folder = tempfile::tempdir().unwrap();
    let line = STALE.lines().next().unwrap();
    let cases: [(&str, Vec<u8>, &str); 14] = [
        ("empty", b" \n".to_vec(), "the history is empty"),
        ("binary", vec![b'{', b'\n', 0xff], "line 2: not UTF-8"),
        ("poem", b"roses are red\n".to_vec(), "the format is not recognised"),
        ("cut", STALE.as_bytes()[..60].to_vec(), "line 2: "),
        ("twice", format!("{line}\n{line}\n").into(), "line 2: client 0 already has"),
        ("orphan", STALE.lines().nth(1).unwrap().into(), "line 1: client 0 is answered"),
        ("type", STALE.replacen(":ok", ":okay", 1).into(), "line 2: unknown type"),
        ("float", STALE.replacen("1}", "1.5}", 1).into(), "line 1: \"1.5\" is no"),
        ("f", STALE.replacen(":f :read", ":f :peek", 2).into(), "no model knows all"),
        (
            "answer",
            STALE.replacen(":ok, :f :write", ":ok, :f :read", 1).into(),
            "line 2: answer to",
        ),
        ("key", "{:process 0 :type :invoke :f :txn :value [[:append 1]]}".into(), "line 1: a step"),
        ("json", "{\"process\":0,\n\"type\":\"ok\"}".into(), "line 1: no JSON map on a line"),
        ("set", FILES[1].3.replace("#{:a}", "[:a :a]").into(), "line 4: the result"),
        ("txn", FILES[4].3.replacen("[:append :x 1]", "[:append :x 2]", 1).into(), "line 2: the"),
    ];
    for (name, text, said) in &cases {
        fs::write(folder.path().join(name), text).unwrap();
        let ran = run(folder.path(), &format!("check {name}"));
        assert_eq!(ran.code, Some(2), "{name}: {ran:?}");
        assert!(ran.err.contains(said) && ran.err.contains(name), "{name}: {}", ran.err);
        assert!(!ran.out.contains("inearizable"), "{name}: {ran:?}");
    }
    let names: Vec<&str> = cases.iter().map(|(name, ..)| *name).collect();
    let ran = run(folder.path(), &format!("check {} --json", names.join(" ")));
    assert_eq!(ran.code, Some(2), "{ran:?}");
    assert_eq!(at(&ran.json(), "/files").as_array().unwrap().len(), cases.len());
}

#[test]
fn a_budget_that_is_too_small_ends_in_unknown_and_code_3() {
    let folder = tempfile::tempdir().unwrap();
    let mut text = String::new();
    for client in 0..12 {
        text += &format!("{{:process {client} :type :invoke :f :enqueue :value {}}}\n", client % 3);
    }
    for client in 0..12 {
        text += &format!("{{:process {client} :type :ok :f :enqueue :value {}}}\n", client % 3);
    }
    for value in [2, 2, 1, 0, 0, 0, 1, 2, 1, 2, 0, 0] {
        text += "{:process 50 :type :invoke :f :dequeue :value nil}\n";
        text += &format!("{{:process 50 :type :ok :f :dequeue :value {value}}}\n");
    }
    write(folder.path(), "hard.edn", &text);
    let ran = run(folder.path(), "check hard.edn --configurations 20");
    assert_eq!(ran.code, Some(3), "{ran:?}");
    assert!(ran.out.contains("ran out of configurations"), "{ran:?}");
    let ran = run(folder.path(), "check hard.edn --memory 0");
    assert_eq!(ran.code, Some(3), "{ran:?}");
    assert_eq!(run(folder.path(), "check hard.edn").code, Some(1));
}

#[test]
fn the_twin_compares_every_subject_and_says_how_many() {
    let folder = tempfile::tempdir().unwrap();
    let ran = run(folder.path(), "check --twin 110000 --json --quiet");
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let value = ran.json();
    assert_eq!(at(&value, "/all/histories"), 110_000);
    assert_eq!(at(&value, "/subjects/queue/histories"), 10_000);
    assert!(at(&value, "/all/illegal").as_u64() > Some(33_000), "{value}");
    assert!(at(&value, "/all/unknown").as_u64() > Some(22_000), "{value}");
    assert_eq!(run(folder.path(), "check --twin 0 --quiet").code, Some(4));
    assert_eq!(run(folder.path(), "check --twin 5 file").code, Some(2));
}

#[test]
fn the_measured_table_goes_between_its_markers() {
    let folder = tempfile::tempdir().unwrap();
    let begin = "<!-- measured: written by `raft-sim check --measure 1000000 --write \
                 docs/CHECKER.md` -->\n";
    let page = format!("before\n{begin}old\n<!-- end of measured -->\nafter\n");
    write(folder.path(), "page.md", &page);
    let ran = run(folder.path(), "check --measure 1000 --write page.md --quiet");
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let text = fs::read_to_string(folder.path().join("page.md")).unwrap();
    assert!(text.starts_with("before\n") && text.ends_with("after\n"), "{text}");
    assert_eq!(text.matches("\n| 1000 | ").count(), 36, "{text}");
    assert!(!text.contains("old"), "{text}");
    write(folder.path(), "plain.md", "nothing here\n");
    let ran = run(folder.path(), "check --measure 1000 --write plain.md --quiet");
    assert_eq!(ran.code, Some(2), "{ran:?}");
}
