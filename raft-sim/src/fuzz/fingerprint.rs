//! Fingerprints: which failures count as the same.
//!
//! **Intuition.** A thousand seeds may fail for one reason. What names the reason is the broken
//! property and the situation it broke in (what was being handled, by a node in which role), never
//! ids, terms, times or line numbers, which differ from seed to seed.
//! **Source.** Stack-hash deduplication of fuzzers, with protocol situations instead of stacks.
//! **Upholds.** —
//! **Not here.** What is kept of each (`finding.rs`).

use core::fmt;

use serde_json::Value;

use crate::{
    fuzz::guard::Crash,
    oracle::Violation,
    trace::{digest::Digest, record::Line},
};

/// Fields of a trace line that tell the situation, if they hold words. Numbers never count.
const SITUATION: &[&str] = &["kind", "role", "entry", "phase", "shape"];

/// Eight hex digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint(u32);

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}", self.0)
    }
}

/// The fingerprint of a broken property; `trace` may be empty or end early.
#[must_use]
pub fn of_violation(violation: &Violation, trace: &[Line]) -> Fingerprint {
    let mut words = vec![violation.oracle.name()];
    let at = trace.partition_point(|line| line.i < violation.event);
    if let Some(line) = trace.get(at).filter(|line| line.i == violation.event) {
        words.push(&line.ev);
        for &field in SITUATION {
            words.push(word(line, field));
        }
        // The node's role is told when it changes: the last time is the one that holds.
        if word(line, "role").is_empty() {
            let told = trace[..at].iter().rev().filter(|earlier| earlier.n == line.n);
            words.push(told.map(|l| word(l, "role")).find(|role| !role.is_empty()).unwrap_or(""));
        }
    }
    of_words(&words)
}

/// The fingerprint of a panic: where, and in which words, digits aside.
#[must_use]
pub fn of_panic(crash: &Crash) -> Fingerprint {
    let message: String = crash.message.chars().filter(|c| !c.is_ascii_digit()).collect();
    of_words(&["panic", &crash.file.to_string_lossy(), &message])
}

fn word<'a>(line: &'a Line, field: &str) -> &'a str {
    let direct = line.rest.get(field);
    let nested = || line.rest.get("view").and_then(|view| view.get(field));
    direct.or_else(nested).and_then(Value::as_str).unwrap_or("")
}

fn of_words(words: &[&str]) -> Fingerprint {
    let mut digest = Digest::new();
    for word in words {
        digest.bytes(word.as_bytes());
    }
    Fingerprint((digest.value() >> 32) as u32)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Crash, of_panic, of_violation};
    use crate::{
        oracle::{OracleId, Violation},
        trace::record::Line,
    };

    fn violation(event: u64) -> Violation {
        Violation {
            oracle: OracleId::LogMatching,
            event,
            at: event * 10,
            node: None,
            reason: format!("at {event}"),
        }
    }

    fn line(i: u64, n: u64, rest: &serde_json::Value) -> Line {
        let rest = rest.as_object().unwrap().clone();
        Line { i, t: i * 7, n, ev: "deliver".into(), d: String::new(), rest }
    }

    #[test]
    fn ids_terms_and_times_do_not_count() {
        let one = [
            line(0, 1, &json!({"role": "leader"})),
            line(1, 1, &json!({"kind": "append", "term": 3})),
        ];
        let two = [
            line(4, 2, &json!({"role": "leader"})),
            line(9, 2, &json!({"kind": "append", "term": 8})),
        ];
        let print = of_violation(&violation(1), &one);
        assert_eq!(print, of_violation(&violation(9), &two));
        assert_eq!(print.to_string().len(), 8);
    }

    #[test]
    fn property_message_and_role_count() {
        let base = [line(0, 1, &json!({"kind": "append", "role": "leader"}))];
        let print = of_violation(&violation(0), &base);
        let other_kind = [line(0, 1, &json!({"kind": "heartbeat", "role": "leader"}))];
        let other_role = [line(0, 1, &json!({"kind": "append", "role": "follower"}))];
        assert_ne!(print, of_violation(&violation(0), &other_kind));
        assert_ne!(print, of_violation(&violation(0), &other_role));
        let other = Violation { oracle: OracleId::Monotone, ..violation(0) };
        assert_ne!(print, of_violation(&other, &base));
    }

    #[test]
    fn panics_differ_by_place_and_words_only() {
        let crash = |file: &str, message: &str| Crash {
            file: file.into(),
            line: message.len() as u32,
            message: message.into(),
            ..Crash::default()
        };
        let print = of_panic(&crash("a.rs", "index 7 of 3"));
        assert_eq!(print, of_panic(&crash("a.rs", "index 12 of 11")));
        assert_ne!(print, of_panic(&crash("b.rs", "index 7 of 3")));
    }
}
