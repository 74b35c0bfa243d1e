//! EDN: the part of it that histories use, and histories as EDN maps.
//!
//! **Intuition.** Jepsen writes one map an event: `{:process 0, :type :invoke, :f :write, :value
//! 3}`, with further entries (`:time`, `:index`, `:error`) that may be there. A file is such maps
//! one after another, or all in one vector.
//! **Source.** The EDN notation; Jepsen's and Porcupine's histories. Floats, characters, symbols
//! and tagged values other than records' maps mean nothing here and are refused.
//! **Upholds.** `inv:linearizable`.
//! **Not here.** What the values mean (`codec.rs`).

use super::{
    datum::Datum,
    events::{Event, Kind},
};
use crate::lin::history::HistoryError;

/// Nesting allowed; more is refused rather than followed.
const DEPTH_MAX: usize = 64;

/// Reads exactly one value.
///
/// # Errors
/// What was found instead, in words.
pub fn read_one(text: &str) -> Result<Datum, String> {
    let mut reader = Reader { text, at: 0 };
    let value = reader.value(0)?;
    match reader.peek() {
        None => Ok(value),
        Some(_) => Err(format!("unexpected {:?} behind the value", reader.rest_start())),
    }
}

/// The events of `text`: maps, one after another or in one vector.
pub fn events(text: &str) -> Vec<Result<Event, HistoryError>> {
    let mut reader = Reader { text, at: 0 };
    let mut events = Vec::new();
    let vector = reader.peek() == Some('[');
    if vector {
        reader.at += 1;
    }
    let (mut counted_to, mut line) = (0, 1);
    let mut seen_index = None;
    loop {
        let next = reader.peek();
        line += text[counted_to..reader.at].matches('\n').count();
        counted_to = reader.at;
        let wrong = |reason: String| Err(HistoryError::Line { line, reason });
        match next {
            None if vector => {
                events.push(wrong("the vector of events has no end".into()));
                return events;
            }
            None => return events,
            Some(']') if vector => {
                reader.at += 1;
                if reader.peek().is_some() {
                    events.push(wrong(format!(
                        "unexpected {:?} behind the vector of events",
                        reader.rest_start()
                    )));
                }
                return events;
            }
            Some(_) => {}
        }
        let parsed = reader.value(0).and_then(|value| event(line, &value, &mut seen_index));
        match parsed {
            Ok(Some(event)) => events.push(Ok(event)),
            Ok(None) => {}
            Err(reason) => {
                events.push(wrong(reason));
                return events;
            }
        }
    }
}

/// The event of one map; `None` for the nemesis.
pub(super) fn event(
    line: usize,
    map: &Datum,
    seen_index: &mut Option<u64>,
) -> Result<Option<Event>, String> {
    if !matches!(map, Datum::Map(_)) {
        return Err(format!("expected a map, found {map}"));
    }
    let need = |name: &str| map.get(name).ok_or_else(|| format!("the map has no :{name}"));
    let client = match need("process")? {
        Datum::Keyword(word) | Datum::Text(word) if word == "nemesis" => return Ok(None),
        process => process.unsigned().ok_or_else(|| format!("{process} is no process number"))?,
    };
    let kind = match need("type")? {
        Datum::Keyword(word) | Datum::Text(word) => match word.as_str() {
            "invoke" => Kind::Invoke,
            "ok" => Kind::Ok,
            "fail" => Kind::Fail,
            "info" => Kind::Info,
            other => return Err(format!("unknown type {other:?}; known: invoke, ok, fail, info")),
        },
        other => return Err(format!("{other} is no type")),
    };
    let f = match need("f")? {
        Datum::Keyword(word) | Datum::Text(word) => word.clone(),
        other => return Err(format!("{other} is no operation name")),
    };
    let time = match map.get("time") {
        None | Some(Datum::Nil) => None,
        Some(time) => Some(time.unsigned().ok_or_else(|| format!("the time {time} is no number"))?),
    };
    if let Some(index) = map.get("index") {
        let index = index.unsigned().ok_or_else(|| format!("the index {index} is no number"))?;
        if seen_index.is_some_and(|seen| index <= seen) {
            return Err(format!("the index {index} does not rise"));
        }
        *seen_index = Some(index);
    }
    let key = map.get("key").cloned().unwrap_or(Datum::Nil);
    let value = need("value")?.clone();
    // In these formats one entry holds the argument and later the result.
    let (arg, ret) = match kind {
        Kind::Invoke => (value, Datum::Nil),
        Kind::Ok => (Datum::Nil, value),
        Kind::Fail | Kind::Info => (Datum::Nil, Datum::Nil),
    };
    Ok(Some(Event { line, time, client, kind, f, key, arg, ret, op: None, index: None }))
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl Reader<'_> {
    /// The next character that means something: not white space, comma or comment.
    fn peek(&mut self) -> Option<char> {
        loop {
            let next = self.text[self.at..].chars().next()?;
            if next.is_whitespace() || next == ',' {
                self.at += next.len_utf8();
            } else if next == ';' {
                let rest = &self.text[self.at..];
                self.at += rest.find('\n').unwrap_or(rest.len());
            } else {
                return Some(next);
            }
        }
    }

    fn rest_start(&self) -> String {
        self.text[self.at..].chars().take(20).collect()
    }

    fn value(&mut self, depth: usize) -> Result<Datum, String> {
        if depth > DEPTH_MAX {
            return Err(format!("nested deeper than {DEPTH_MAX}"));
        }
        match self.peek().ok_or("the value is missing")? {
            '[' => Ok(Datum::List(self.items(']', depth)?)),
            '(' => Ok(Datum::List(self.items(')', depth)?)),
            '{' => {
                let items = self.items('}', depth)?;
                if items.len() % 2 == 1 {
                    return Err("a map with a key but no value".into());
                }
                let mut entries: Vec<(Datum, Datum)> = Vec::with_capacity(items.len() / 2);
                let mut items = items.into_iter();
                while let (Some(key), Some(value)) = (items.next(), items.next()) {
                    if entries.iter().any(|(other, _)| *other == key) {
                        return Err(format!("a map with {key} twice"));
                    }
                    entries.push((key, value));
                }
                Ok(Datum::Map(entries))
            }
            '"' => self.string(),
            '#' => {
                // `#{…}` is a set; `#jepsen.history.Op{…}` is a map under a name.
                self.at += 1;
                if self.peek() == Some('{') {
                    let mut items = self.items('}', depth)?;
                    items.sort();
                    return Ok(Datum::List(items));
                }
                self.word();
                if self.peek() == Some('{') {
                    return self.value(depth + 1);
                }
                Err("a tagged value that is no map".into())
            }
            _ => {
                let start = self.rest_start();
                let word = self.word();
                match word {
                    "" => Err(format!("unexpected {start:?}")),
                    "nil" => Ok(Datum::Nil),
                    "true" => Ok(Datum::Bool(true)),
                    "false" => Ok(Datum::Bool(false)),
                    _ => match word.strip_prefix(':') {
                        Some("") => Err("a keyword without a name".into()),
                        Some(name) => Ok(Datum::Keyword(name.to_owned())),
                        None => word
                            .parse::<i64>()
                            .map(|number| Datum::Int(i128::from(number)))
                            .map_err(|_| format!("{word:?} is no 64-bit integer")),
                    },
                }
            }
        }
    }

    fn items(&mut self, end: char, depth: usize) -> Result<Vec<Datum>, String> {
        self.at += 1;
        let mut items = Vec::new();
        loop {
            match self.peek() {
                None => return Err(format!("{end:?} is missing at the end")),
                Some(next) if next == end => {
                    self.at += 1;
                    return Ok(items);
                }
                Some(_) => items.push(self.value(depth + 1)?),
            }
        }
    }

    fn string(&mut self) -> Result<Datum, String> {
        self.at += 1;
        let mut string = String::new();
        let mut characters = self.text[self.at..].char_indices();
        while let Some((offset, next)) = characters.next() {
            match next {
                '"' => {
                    self.at += offset + 1;
                    return Ok(Datum::Text(string));
                }
                '\\' => match characters.next().map(|(_, escaped)| escaped) {
                    Some('n') => string.push('\n'),
                    Some('t') => string.push('\t'),
                    Some('r') => string.push('\r'),
                    Some(escaped @ ('"' | '\\')) => string.push(escaped),
                    other => return Err(format!("unknown escape {other:?} in a string")),
                },
                _ => string.push(next),
            }
        }
        Err("a string without an end".into())
    }

    fn word(&mut self) -> &str {
        let rest = &self.text[self.at..];
        let end = rest
            .find(|c: char| c.is_whitespace() || "()[]{}\",;#".contains(c))
            .unwrap_or(rest.len());
        self.at += end;
        &rest[..end]
    }
}
