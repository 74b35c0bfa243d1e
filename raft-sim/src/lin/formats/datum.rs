//! Values as files write them, before a model gives them meaning.
//!
//! **Intuition.** JSON and EDN say the same few things in two spellings. One plain type in
//! between means each format is read once and each model understood once.
//! **Source.** Ours. Numbers are integers; a float has no exact equality and is refused.
//! **Upholds.** `inv:linearizable` (its input is read strictly).
//! **Not here.** Spellings (`jsonl.rs`, `edn.rs`, `jepsen_log.rs`), meaning (`codec.rs`).

use core::fmt;

/// A value.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Datum {
    /// `null`, `nil`, or nothing.
    Nil,
    /// A truth value.
    Bool(bool),
    /// An integer.
    Int(i128),
    /// A string.
    Text(String),
    /// An EDN keyword, without its colon.
    Keyword(String),
    /// A list or vector.
    List(Vec<Self>),
    /// A map in the order written.
    Map(Vec<(Self, Self)>),
}

impl Datum {
    /// The entry of a map under a keyword or string.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Self> {
        let Self::Map(entries) = self else { return None };
        entries.iter().find_map(|(key, value)| match key {
            Self::Keyword(word) | Self::Text(word) if word == name => Some(value),
            _ => None,
        })
    }

    /// As an unsigned number.
    #[must_use]
    pub fn unsigned(&self) -> Option<u64> {
        match self {
            Self::Int(number) => u64::try_from(*number).ok(),
            _ => None,
        }
    }

    /// From JSON.
    ///
    /// # Errors
    /// A number that is no integer.
    pub fn from_json(value: serde_json::Value) -> Result<Self, String> {
        use serde_json::Value;
        Ok(match value {
            Value::Null => Self::Nil,
            Value::Bool(truth) => Self::Bool(truth),
            Value::Number(number) => {
                let integer = (number.as_u64().map(i128::from))
                    .or_else(|| number.as_i64().map(i128::from))
                    .ok_or_else(|| format!("{number} is no 64-bit integer"))?;
                Self::Int(integer)
            }
            Value::String(text) => Self::Text(text),
            Value::Array(items) => {
                Self::List(items.into_iter().map(Self::from_json).collect::<Result<_, _>>()?)
            }
            Value::Object(entries) => Self::Map(
                entries
                    .into_iter()
                    .map(|(key, value)| Ok((Self::Text(key), Self::from_json(value)?)))
                    .collect::<Result<_, String>>()?,
            ),
        })
    }
}

impl fmt::Display for Datum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nil => f.write_str("nil"),
            Self::Bool(truth) => write!(f, "{truth}"),
            Self::Int(number) => write!(f, "{number}"),
            Self::Text(text) => write!(f, "{text:?}"),
            Self::Keyword(word) => write!(f, ":{word}"),
            Self::List(items) => {
                f.write_str("[")?;
                for (position, item) in items.iter().enumerate() {
                    let space = if position == 0 { "" } else { " " };
                    write!(f, "{space}{item}")?;
                }
                f.write_str("]")
            }
            Self::Map(entries) => {
                f.write_str("{")?;
                for (position, (key, value)) in entries.iter().enumerate() {
                    let space = if position == 0 { "" } else { ", " };
                    write!(f, "{space}{key} {value}")?;
                }
                f.write_str("}")
            }
        }
    }
}
