//! The first place where two traces differ: event, node and field.
//!
//! **Intuition.** After the first difference everything differs; only the first one tells. If a
//! line's words are equal and its digest is not, what differs is visible state that the line does
//! not spell out.
//! **Source.** Ours.
//! **Upholds.** `inv:pure` (names what broke it).
//! **Not here.** Running anything (`replay.rs`).

use core::fmt;

use serde_json::Value;

use crate::trace::record::{Line, Trace};

/// Where two runs part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Divergence {
    /// Event number, from 0.
    pub event: u64,
    /// World time of the left line, or of the right one if the left run has ended.
    pub t: u64,
    /// Node, 0 for none.
    pub node: u64,
    /// Kind of event.
    pub ev: String,
    /// Path of the first field that differs: `t`, `n`, `ev`, a field of the event, or `d` if only
    /// the digest does. `end` if one run stops here, `verdict` if only the footers differ.
    pub field: String,
    /// What the left says; empty if nothing.
    pub left: String,
    /// What the right says; empty if nothing.
    pub right: String,
}

impl fmt::Display for Divergence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { event, t, node, ev, field, left, right } = self;
        let or_nothing = |text: &str| if text.is_empty() { "nothing" } else { text }.to_owned();
        write!(f, "event {event} ({ev} at node {node}, {t} ns): ")?;
        if field == "d" {
            write!(f, "visible state differs (digest {left} against {right})")
        } else {
            write!(f, "field {field} is {} against {}", or_nothing(left), or_nothing(right))
        }
    }
}

/// The first difference, or `None` if both tell the same run.
#[must_use]
pub fn first_divergence(left: &Trace, right: &Trace) -> Option<Divergence> {
    lines_divergence(&left.lines, &right.lines).or_else(|| {
        let same = (&left.footer.verdict, &left.footer.digest)
            == (&right.footer.verdict, &right.footer.digest);
        (!same).then(|| Divergence {
            event: left.footer.events.min(right.footer.events),
            t: left.lines.last().map_or(0, |line| line.t),
            node: 0,
            ev: "end".to_owned(),
            field: "verdict".to_owned(),
            left: format!("{} {}", left.footer.verdict, left.footer.digest),
            right: format!("{} {}", right.footer.verdict, right.footer.digest),
        })
    })
}

/// As [`first_divergence`], for bare lines.
#[must_use]
pub fn lines_divergence(left: &[Line], right: &[Line]) -> Option<Divergence> {
    let at = left.iter().zip(right).take_while(|(a, b)| a == b).count();
    let (place, field, a, b) = match (left.get(at), right.get(at)) {
        (None, None) => return None,
        (Some(only), None) => (only, "end".to_owned(), "more events".to_owned(), String::new()),
        (None, Some(only)) => (only, "end".to_owned(), String::new(), "more events".to_owned()),
        (Some(a), Some(b)) => {
            let (field, left, right) = field_divergence(a, b);
            (a, field, left, right)
        }
    };
    Some(Divergence {
        event: place.i,
        t: place.t,
        node: place.n,
        ev: place.ev.clone(),
        field,
        left: a,
        right: b,
    })
}

fn field_divergence(a: &Line, b: &Line) -> (String, String, String) {
    let plain = [
        ("i", a.i.to_string(), b.i.to_string()),
        ("t", a.t.to_string(), b.t.to_string()),
        ("n", a.n.to_string(), b.n.to_string()),
        ("ev", a.ev.clone(), b.ev.clone()),
    ];
    for (name, left, right) in plain {
        if left != right {
            return (name.to_owned(), left, right);
        }
    }
    let (a_rest, b_rest) = (Value::Object(a.rest.clone()), Value::Object(b.rest.clone()));
    value_divergence("", &a_rest, &b_rest)
        .unwrap_or_else(|| ("d".to_owned(), a.d.clone(), b.d.clone()))
}

/// The first differing leaf, in the order of the left value.
fn value_divergence(path: &str, a: &Value, b: &Value) -> Option<(String, String, String)> {
    if a == b {
        return None;
    }
    let under =
        |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
    let missing = |value: Option<&Value>| value.map_or_else(String::new, Value::to_string);
    match (a, b) {
        (Value::Object(left), Value::Object(right)) => {
            let names = left.keys().chain(right.keys().filter(|name| !left.contains_key(*name)));
            names.into_iter().find_map(|name| match (left.get(name), right.get(name)) {
                (Some(a), Some(b)) => value_divergence(&under(name), a, b),
                (a, b) => Some((under(name), missing(a), missing(b))),
            })
        }
        (Value::Array(left), Value::Array(right)) => {
            (0..left.len().max(right.len())).find_map(|i| match (left.get(i), right.get(i)) {
                (Some(a), Some(b)) => value_divergence(&format!("{path}[{i}]"), a, b),
                (a, b) => Some((format!("{path}[{i}]"), missing(a), missing(b))),
            })
        }
        _ => Some((path.to_owned(), a.to_string(), b.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn line(i: u64, rest: &Value, d: u64) -> Line {
        let mut rest = rest.as_object().unwrap().clone();
        rest.shift_remove("d");
        Line { i, t: 10 * i, n: 1, ev: "deliver".to_owned(), rest, d: format!("{d:016x}") }
    }

    #[test]
    fn the_first_differing_field_is_named() {
        let base =
            vec![line(0, &json!({"term": 1}), 1), line(1, &json!({"view": {"log": [1, 2]}}), 2)];
        assert_eq!(lines_divergence(&base, &base), None);
        let told = |change: &dyn Fn(&mut Vec<Line>)| {
            let mut other = base.clone();
            change(&mut other);
            lines_divergence(&base, &other).unwrap().to_string()
        };
        assert_eq!(
            told(&|l| l[0].t = 1),
            "event 0 (deliver at node 1, 0 ns): field t is 0 against 1"
        );
        assert_eq!(
            told(&|l| {
                l[1].rest.insert("view".to_owned(), json!({"log": [1, 3]}));
            }),
            "event 1 (deliver at node 1, 10 ns): field view.log[1] is 2 against 3"
        );
        assert_eq!(
            told(&|l| {
                l[1].rest.insert("x".to_owned(), json!(5));
            }),
            "event 1 (deliver at node 1, 10 ns): field x is nothing against 5"
        );
        assert_eq!(
            told(&|l| l[1].d = "00".to_owned()),
            "event 1 (deliver at node 1, 10 ns): visible state differs (digest 0000000000000002 against 00)"
        );
        assert_eq!(
            told(&|l| drop(l.pop())),
            "event 1 (deliver at node 1, 10 ns): field end is more events against nothing"
        );
    }
}
