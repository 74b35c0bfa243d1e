//! Keeping what this version does not know: fields of newer writers, and people's notes.
//!
//! **Intuition.** A file is read into typed values and written from them again. Whatever the typed
//! values did not take is remembered by its place and put back at writing, so that an older tool
//! may edit a newer file without spoiling it. A place inside a list is named by the item's own
//! identity, not its position: removing another item moves nothing.
//! **Source.** Ours; docs/TRACE.md, "Unknown fields".
//! **Upholds.** Nothing about Raft.
//! **Not here.** Unknown kinds of faults and events: those are whole values (`fault/schedule.rs`).

use std::collections::BTreeMap;

use serde_json::{Map, Value};

/// Fields that were read and not understood, each under the path of names that leads to it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Kept(BTreeMap<Vec<String>, Map<String, Value>>);

impl Kept {
    /// What `raw` says and `typed`, the same value after it went through our types, does not.
    #[must_use]
    pub fn between(raw: &Value, typed: &Value) -> Self {
        let mut kept = Self::default();
        kept.collect(&mut Vec::new(), raw, typed);
        kept
    }

    /// Whether nothing was unknown.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Puts everything back into `typed` whose place still exists there and is free.
    pub fn restore(&self, typed: &mut Value) {
        if !self.is_empty() {
            self.restore_at(&mut Vec::new(), typed);
        }
    }

    fn collect(&mut self, path: &mut Vec<String>, raw: &Value, typed: &Value) {
        match (raw, typed) {
            (Value::Object(raw), Value::Object(typed)) => {
                for (name, value) in raw {
                    match typed.get(name) {
                        None => {
                            let here = self.0.entry(path.clone()).or_default();
                            here.insert(name.clone(), value.clone());
                        }
                        Some(known) => {
                            path.push(name.clone());
                            self.collect(path, value, known);
                            path.pop();
                        }
                    }
                }
            }
            // Both lists have the same items in the same order: one was made from the other.
            (Value::Array(raw), Value::Array(typed)) => {
                for (index, (raw, typed)) in raw.iter().zip(typed).enumerate() {
                    path.push(identity(index, typed));
                    self.collect(path, raw, typed);
                    path.pop();
                }
            }
            _ => {}
        }
    }

    fn restore_at(&self, path: &mut Vec<String>, typed: &mut Value) {
        match typed {
            Value::Object(fields) => {
                for (name, value) in fields.iter_mut() {
                    path.push(name.clone());
                    self.restore_at(path, value);
                    path.pop();
                }
                for (name, value) in self.0.get(path).into_iter().flatten() {
                    fields.entry(name.clone()).or_insert_with(|| value.clone());
                }
            }
            Value::Array(items) => {
                for (index, item) in items.iter_mut().enumerate() {
                    path.push(identity(index, item));
                    self.restore_at(path, item);
                    path.pop();
                }
            }
            _ => {}
        }
    }
}

/// What names an item of a list: its own identifying fields if it has any, else its position.
fn identity(index: usize, item: &Value) -> String {
    const NAMES: [&str; 6] = ["kind", "id", "client", "number", "node", "boot"];
    // A kind alone identifies nothing.
    let own = NAMES.iter().skip(1).any(|name| item.get(name).is_some());
    if !own {
        return format!("#{index}");
    }
    let mut identity = String::new();
    for name in NAMES {
        if let Some(value) = item.get(name) {
            identity.push_str(&format!("{name}={value} "));
        }
    }
    identity
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn unknown_fields_survive_edits_beside_them() {
        let raw = json!({
            "note": "mine",
            "faults": [
                {"id": 1, "at": 5, "why": "first"},
                {"id": 2, "at": 6, "fault": {"kind": "kill", "note": "second"}},
            ],
            "list": [{"x": 1}, {"x": 2, "y": 3}],
        });
        let typed = json!({
            "faults": [{"id": 1, "at": 5}, {"id": 2, "at": 6, "fault": {"kind": "kill"}}],
            "list": [{"x": 1}, {"x": 2}],
        });
        let kept = Kept::between(&raw, &typed);
        let mut back = typed.clone();
        kept.restore(&mut back);
        assert_eq!(back, raw);

        // Without the first fault, with a changed second one, and a field that has become known.
        let mut edited =
            json!({"note": "new", "faults": [{"id": 2, "at": 9, "fault": {"kind": "kill"}}]});
        kept.restore(&mut edited);
        assert_eq!(
            edited,
            json!({"note": "new", "faults": [{"id": 2, "at": 9, "fault": {"kind": "kill", "note": "second"}}]})
        );
    }
}
