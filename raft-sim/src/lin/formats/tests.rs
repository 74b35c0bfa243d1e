//! Files: what is read, what is refused and with which words, and the recorded histories.
//!
//! **Intuition.** A reader is judged by what it refuses.
//! **Source.** Recorded histories and verdicts: `testdata/lin/recorded/README.md`.
//! **Upholds.** `inv:linearizable`.
//! **Not here.** Verdicts on generated histories (`brute.rs`, `laws.rs`).

use std::{fs, path::Path};

use super::*;
use crate::lin::{Witness, twin};

fn check_text(text: &str) -> Result<FileReport, HistoryError> {
    check_file(text.as_bytes(), &FileOptions::default(), &mut || false)
}

#[test]
fn recorded_histories_get_their_known_verdicts() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/lin/recorded");
    let expected = fs::read_to_string(folder.join("expected.tsv")).unwrap();
    let mut judged = 0;
    for line in expected.lines().skip(1) {
        let fields: Vec<&str> = line.split('\t').collect();
        let content = fs::read(folder.join(fields[0])).unwrap();
        let options = FileOptions { explain: true, ..FileOptions::default() };
        let report = check_file(&content, &options, &mut || false).unwrap();
        let illegal = fields[2] == "not-linearizable";
        assert_eq!(report.explanation.is_some(), illegal, "{}", fields[0]);
        let (format, model) = if fields[1] == "cas-register" {
            (Format::JepsenLog, ModelName::CasRegister)
        } else {
            (Format::Porcupine, ModelName::KvString)
        };
        assert_eq!((report.format, report.model), (format, model), "{}", fields[0]);
        let verdict = match report.report.verdict {
            Verdict::Ok { .. } => "linearizable",
            Verdict::Illegal(_) => "not-linearizable",
            Verdict::Unknown { .. } => "unknown",
        };
        assert_eq!(verdict, fields[2], "{}", fields[0]);
        judged += 1;
    }
    assert_eq!(judged, 84);
    let empty = fs::read(folder.join("jepsen-etcd/etcd_095.log")).unwrap();
    let options = FileOptions { format: Some(Format::JepsenLog), ..FileOptions::default() };
    assert_eq!(check_file(&empty, &options, &mut || false), Err(HistoryError::Empty));
}

#[test]
fn what_is_written_is_read_back() {
    let mut dice = crate::lin::generate::Dice::new(7);
    for run in 0..500 {
        let mut history = twin::random_kv(&mut dice, 12, run % 4);
        for operation in &mut history {
            operation.index = (!dice.one_in(3)).then(|| dice.below(100));
        }
        let text = jsonl::write(&history).unwrap();
        let back = read_jsonl(&text).unwrap();
        // Endpoints are renumbered; a second round changes nothing.
        assert_eq!(back.len(), history.len());
        for (was, is) in history.iter().zip(&back) {
            assert_eq!((was.op, was.client, &was.call), (is.op, is.client, &is.call));
            assert_eq!((&was.reply, was.index), (&is.reply, is.index));
        }
        assert_eq!(read_jsonl(&jsonl::write(&back).unwrap()).unwrap(), back);
        assert_eq!(
            check_text(&text).unwrap().report.verdict,
            crate::lin::check(&back, &Budget::default()).unwrap().verdict
        );
    }
}

const INVOKE: &str = r#"{"i":0,"t":5,"client":1,"op":1,"type":"invoke","f":"put","key":0,"arg":3}"#;

fn refused(lines: &[&str]) -> String {
    check_text(&lines.join("\n")).unwrap_err().to_string()
}

#[test]
fn bad_jsonl_lines_are_named_with_line_and_reason() {
    let second = |line: &str| refused(&[INVOKE, line]);
    let cases = [
        (
            second(r#"{"i":1,"t":6,"client":1,"op":2,"type":"invoke","f":"get","key":0}"#),
            "line 2: client 1 already has the operation of line 1 open: it has no answer yet",
        ),
        (
            second(r#"{"i":1,"t":6,"client":2,"op":2,"type":"ok","f":"get","key":0}"#),
            "line 2: client 2 is answered but has nothing open",
        ),
        (
            second(r#"{"i":1,"t":4,"client":1,"op":1,"type":"ok","f":"put"}"#),
            "line 2: time goes backwards, from 5 to 4",
        ),
        (
            second(r#"{"i":1,"t":6,"client":2,"op":2,"type":"invoke","f":"putt","key":0}"#),
            "no model knows all of the operations put, putt; name one of kv, register, \
             cas-register, kv-string, \
             counter, set, queue, lock, list-append with --model",
        ),
        (
            second(r#"{"i":1,"t":6,"client":1,"op":1,"type":"ok","f":"put"} x"#),
            "line 2: trailing characters (column 55)",
        ),
        (second(r#"{"i":1,"t":6,"client":1"#), "line 2: EOF while parsing an object (column 23)"),
        (
            second(r#"{"i":2,"t":6,"client":1,"op":1,"type":"ok","f":"put"}"#),
            "line 2: i is 2, expected 1",
        ),
        (
            second(r#"{"i":1,"t":6,"client":1,"op":9,"type":"ok","f":"put"}"#),
            "line 2: answer to operation 9, but client 1 has operation 1 open",
        ),
        (
            second(r#"{"i":1,"t":6,"client":1,"op":1,"type":"ok","f":"get","ret":[3]}"#),
            "line 2: answer to \"get\", but client 1 asked \"put\" on line 1",
        ),
        (
            second(r#"{"i":1,"t":6,"client":1,"op":1,"type":"ok","f":"put","key":4}"#),
            "line 2: the key is 4, but line 1 asked with 0",
        ),
        (
            second(r#"{"i":1,"t":6,"client":1,"op":1,"type":"ok","f":"put","ret":true}"#),
            "line 2: the result must be null, found true",
        ),
        (
            second(r#"{"i":1,"t":6,"client":2,"op":1,"type":"invoke","f":"get","key":0}"#),
            "line 2: operation 1 is invoked twice",
        ),
        (
            second(
                r#"{"i":1,"t":6,"client":2,"op":2,"type":"invoke","f":"put","key":0,"arg":1.5}"#,
            ),
            "line 2: 1.5 is no 64-bit integer",
        ),
    ];
    for (found, expected) in cases {
        assert_eq!(found, expected);
    }
    // The unknown name with the model given, unknown fields, a client that goes on under the
    // number of an unknown outcome, and nothing at all.
    let unknown = r#"{"i":0,"t":5,"client":1,"op":1,"type":"invoke","f":"putt","key":0,"arg":3}"#;
    assert_eq!(
        read_jsonl(unknown).unwrap_err().to_string(),
        "line 1: unknown operation \"putt\"; this model knows get, put, delete, cas, append"
    );
    let field = second(r#"{"i":1,"t":6,"client":1,"op":1,"type":"ok","f":"put","rett":1}"#);
    assert!(field.starts_with("line 2: unknown field `rett`"), "{field}");
    let unknown = r#"{"i":1,"t":6,"client":1,"op":1,"type":"info","f":"put"}"#;
    let again = r#"{"i":2,"t":7,"client":1,"op":2,"type":"invoke","f":"get","key":0}"#;
    assert!(refused(&[INVOKE, unknown, again]).contains("must go on under a new number"));
    assert!(refused(&[INVOKE, "", unknown]).starts_with("line 2: empty line"));
    assert_eq!(check_text(" \n\n"), Err(HistoryError::Empty));
    assert!(refused(&["hello"]).starts_with("the format is not recognised from \"hello\""));
    let binary = check_file(&[b'{', b'\n', 0xff], &FileOptions::default(), &mut || false);
    assert_eq!(binary, Err(HistoryError::Line { line: 2, reason: "not UTF-8".into() }));
}

#[test]
fn a_definite_failure_is_dropped_and_an_unknown_outcome_stays_open() {
    let get = r#"{"i":2,"t":7,"client":2,"op":2,"type":"invoke","f":"get","key":0}"#;
    let saw = r#"{"i":3,"t":8,"client":2,"op":2,"type":"ok","f":"get","ret":[3]}"#;
    let end = |kind: &str| {
        let end = format!(r#"{{"i":1,"t":6,"client":1,"op":1,"type":"{kind}","f":"put"}}"#);
        check_text(&[INVOKE, &end, get, saw].join("\n")).unwrap().report
    };
    assert!(matches!(end("fail").verdict, Verdict::Illegal(_)));
    assert!(matches!(end("info").verdict, Verdict::Ok { .. }));
    assert!(matches!(end("ok").verdict, Verdict::Ok { .. }));
    assert!(matches!(end("ok").witness, Witness::Unavailable { .. }));
}

#[test]
fn edn_is_read_in_its_common_shapes_and_refused_otherwise() {
    let register = "{:process 0, :type :invoke, :f :write, :value 3, :time 5, :index 0}\n\
                    {:process 0, :type :info, :f :write, :value 3, :error :timeout, :time 6}\n\
                    {:process :nemesis, :type :info, :f :start, :value nil}\n\
                    {:process 1, :type :invoke, :f :read, :value nil}\n\
                    {:process 1, :type :ok, :f :read, :value 3}\n";
    let report = check_text(register).unwrap();
    assert_eq!((report.format, report.model), (Format::Edn, ModelName::CasRegister));
    assert!(matches!(report.report.verdict, Verdict::Ok { .. }));
    let vector = format!("; a comment\n[{register}]");
    assert_eq!(check_text(&vector).unwrap().report, report.report);
    let records = register.replace("{:process", "#jepsen.history.Op{:process");
    assert_eq!(check_text(&records).unwrap().report, report.report);
    let stale = register.replace(":ok, :f :read, :value 3", ":ok, :f :read, :value 4");
    assert!(matches!(check_text(&stale).unwrap().report.verdict, Verdict::Illegal(_)));

    for (change, expected) in [
        ((":value 3, :time", ":value 3.5, :time"), "line 1: \"3.5\" is no 64-bit integer"),
        ((":time 6", ":time 4"), "line 2: time goes backwards, from 5 to 4"),
        ((":info, :f :write", ":gone, :f :write"), "line 2: unknown type \"gone\""),
        ((":process 0, :type :invoke", ":type :invoke"), "line 1: the map has no :process"),
        ((":ok, :f :read", ":ok, :f :write"), "line 5: answer to \"write\""),
        ((":index 0}", ":index 0, :index 1}"), "line 1: a map with :index twice"),
    ] {
        let broken = register.replacen(change.0, change.1, 1);
        assert_ne!(broken, register, "the pattern is in the text");
        let error = check_text(&broken).unwrap_err().to_string();
        assert!(error.starts_with(expected), "{error}");
    }
    let open = check_text(&format!("[{register}")).unwrap_err().to_string();
    assert_eq!(open, "line 6: the vector of events has no end");
    let deep = format!("{{:process 0 :type :invoke :f :write :value {}", "[".repeat(100_000));
    assert_eq!(check_text(&deep).unwrap_err().to_string(), "line 1: nested deeper than 64");
}

#[test]
fn a_jepsen_log_line_of_a_process_must_be_complete() {
    let good = "INFO  jepsen.util - 0\t:invoke\t:write\t3\nINFO  jepsen.util - 0\t:ok\t:write\t3\n";
    assert!(matches!(check_text(good).unwrap().report.verdict, Verdict::Ok { .. }));
    let with_noise = format!("2015 starting\nINFO  jepsen.util - :nemesis :info :start\n{good}");
    assert_eq!(check_text(&with_noise).unwrap().report, check_text(good).unwrap().report);
    for (broken, expected) in [
        (good.replace(":ok\t", ""), "line 2: unknown type \":write\""),
        (good.replace("\t:write\t3\nINFO", "\nINFO"), "line 1: the operation is missing"),
        (good.replacen("\t3\n", "\n", 1), "line 1: the value is missing"),
        (good.replacen("\t3\n", "\t3 4\n", 1), "line 1: unexpected \"4\" behind the value"),
    ] {
        let error = check_text(&broken).unwrap_err().to_string();
        assert!(error.starts_with(expected), "{error}");
    }
}

#[test]
fn an_explanation_is_small_and_says_why() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/lin/recorded");
    let content = fs::read(folder.join("jepsen-etcd/etcd_000.log")).unwrap();
    let options = FileOptions { explain: true, ..FileOptions::default() };
    let report = check_file(&content, &options, &mut || false).unwrap();
    let explanation = report.explanation.unwrap();
    assert!(explanation.minimal && explanation.core.len() <= 8, "{explanation:#?}");
    let mut told = String::new();
    for (op, reason) in &explanation.candidates {
        told += &format!("op {op} {reason}\n");
    }
    told += &explanation.timeline;
    expect_test::expect![[r#"
        op 43 cannot answer Value { value: Some([2]) } in state Some([1])
        client    1 |--|                                              op 3: Put { key: 0, value: 2 } -> Done
        client    0        |--|                                       op 10: Put { key: 0, value: 2 } -> Done
        client    4               |---|                               op 22: Put { key: 0, value: 2 } -> Done
        client    2                      |---|                        op 29: Put { key: 0, value: 2 } -> Done
        client    2                             |---|                 op 32: Put { key: 0, value: 2 } -> Done
        client    0                                     |--|          op 37: Put { key: 0, value: 1 } -> Done
        client   11                                            |---|  op 43: Get { key: 0 } -> Value { value: Some([2]) }
    "#]].assert_eq(&told);
}
