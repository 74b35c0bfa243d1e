//! Codecs: what the names and values of a file mean to a model.
//!
//! **Intuition.** A file says "write 3"; a model wants a call. The mapping is total and strict:
//! an unknown name or a value of the wrong kind is an error with a reason, never a guess.
//! **Source.** Ours.
//! **Upholds.** `inv:linearizable`.
//! **Not here.** Spellings of formats (`jsonl.rs`, `edn.rs`, `jepsen_log.rs`).

use super::datum::Datum;
use crate::{
    collections::FixedMap,
    lin::{
        model::Model,
        models::{kv::Kv, strings},
    },
    workload::kv::{Call, Reply},
};

/// Gives meaning to the values of a file.
pub trait Codec {
    /// The model whose calls come out.
    type Model: Model;

    /// The call named `f`.
    ///
    /// # Errors
    /// An unknown name, or a key or argument of the wrong kind; the reason in words.
    fn call(
        &mut self,
        f: &str,
        key: &Datum,
        arg: &Datum,
    ) -> Result<<Self::Model as Model>::Call, String>;

    /// The answer to `call`.
    ///
    /// # Errors
    /// A value of the wrong kind; the reason in words.
    fn reply(
        &mut self,
        call: &<Self::Model as Model>::Call,
        ret: &Datum,
    ) -> Result<<Self::Model as Model>::Reply, String>;

    /// What a definite failure of `call` says about the state; `None`: nothing, the operation did
    /// not happen and is dropped.
    fn refusal(
        &self,
        _call: &<Self::Model as Model>::Call,
    ) -> Option<<Self::Model as Model>::Reply> {
        None
    }
}

/// An error for an unknown name.
pub fn unknown_name(f: &str, known: &str) -> String {
    format!("unknown operation {f:?}; this model knows {known}")
}

/// An error for a value of the wrong kind.
pub fn wrong_kind(what: &str, wanted: &str, found: &Datum) -> String {
    format!("{what} must be {wanted}, found {found}")
}

/// The simulator's own key-value operations (docs/TRACE.md, history).
#[derive(Clone, Copy, Debug, Default)]
pub struct KvCodec;

impl Codec for KvCodec {
    type Model = Kv;

    fn call(&mut self, f: &str, key: &Datum, arg: &Datum) -> Result<Call, String> {
        if !matches!(f, "get" | "put" | "delete" | "cas" | "append") {
            return Err(unknown_name(f, "get, put, delete, cas, append"));
        }
        let key = (key.unsigned())
            .and_then(|key| u32::try_from(key).ok())
            .ok_or_else(|| wrong_kind("the key", "a number below 2^32", key))?;
        let token = |value: &Datum| {
            value.unsigned().ok_or_else(|| wrong_kind("the argument", "a number", value))
        };
        match f {
            "get" | "delete" => match arg {
                Datum::Nil if f == "get" => Ok(Call::Get { key }),
                Datum::Nil => Ok(Call::Delete { key }),
                other => Err(wrong_kind("the argument", "null", other)),
            },
            "put" => Ok(Call::Put { key, value: token(arg)? }),
            "append" => Ok(Call::Append { key, value: token(arg)? }),
            _ => match (arg.get("old"), arg.get("new"), arg) {
                (Some(old), Some(new), Datum::Map(entries)) if entries.len() == 2 => {
                    let old = if *old == Datum::Nil { None } else { Some(token(old)?) };
                    Ok(Call::Cas { key, old, new: token(new)? })
                }
                _ => Err(wrong_kind("the argument", "{\"old\":…,\"new\":…}", arg)),
            },
        }
    }

    fn reply(&mut self, call: &Call, ret: &Datum) -> Result<Reply, String> {
        match (call, ret) {
            (Call::Get { .. }, Datum::Nil) => Ok(Reply::Value { value: None }),
            (Call::Get { .. }, Datum::List(items)) if !items.is_empty() => {
                let list: Option<Vec<u64>> = items.iter().map(Datum::unsigned).collect();
                let value =
                    Some(list.ok_or_else(|| wrong_kind("the result", "a list of numbers", ret))?);
                Ok(Reply::Value { value })
            }
            (Call::Get { .. }, _) => {
                Err(wrong_kind("the result", "null or a list of numbers that is not empty", ret))
            }
            (Call::Cas { .. }, &Datum::Bool(ok)) => Ok(Reply::Swapped { ok }),
            (Call::Cas { .. }, _) => Err(wrong_kind("the result", "true or false", ret)),
            (_, Datum::Nil) => Ok(Reply::Done),
            (_, _) => Err(wrong_kind("the result", "null", ret)),
        }
    }
}

/// Numbers for values: small numbers keep their own, everything else gets one as it appears; nil
/// is 0 unless the number 0 came first.
#[derive(Debug, Default)]
pub struct Tokens {
    others: FixedMap<Datum, u64>,
    zero: Option<Datum>,
}

impl Tokens {
    /// From here on for values that are no small numbers.
    const OTHERS: u64 = 1 << 62;

    /// The number of `value`, the same whenever it is asked for.
    pub fn number(&mut self, value: &Datum) -> u64 {
        match value.unsigned() {
            Some(small @ 1..Self::OTHERS) => return small,
            None if *value != Datum::Nil => {}
            _ if self.zero.get_or_insert_with(|| value.clone()) == value => return 0,
            _ => {}
        }
        if let Some(&number) = self.others.get(value) {
            return number;
        }
        let number = Self::OTHERS + self.others.len() as u64;
        self.others.insert(value.clone(), number);
        number
    }
}

/// Registers of any values: `read`, `write`, and `cas` with `[from to]`. Values and keys become
/// numbers and are checked by the key-value model, where a register is a key that holds one token.
#[derive(Debug)]
pub struct RegisterCodec {
    cas: bool,
    cas_failure_is_answer: bool,
    tokens: Tokens,
    keys: FixedMap<Datum, u32>,
}

impl RegisterCodec {
    /// `cas`: whether that operation is known. `cas_failure_is_answer`: whether its failure says
    /// that the value differed (`jepsen.log`), or only that nothing happened.
    #[must_use]
    pub fn new(cas: bool, cas_failure_is_answer: bool) -> Self {
        let (tokens, keys) = (Tokens::default(), FixedMap::default());
        Self { cas, cas_failure_is_answer, tokens, keys }
    }

    fn token(&mut self, value: &Datum) -> u64 {
        self.tokens.number(value)
    }

    /// `nil` is "no value".
    fn held(&mut self, value: &Datum) -> Option<u64> {
        (*value != Datum::Nil).then(|| self.token(value))
    }
}

impl Codec for RegisterCodec {
    type Model = Kv;

    fn call(&mut self, f: &str, key: &Datum, arg: &Datum) -> Result<Call, String> {
        let fresh = self.keys.len() as u32;
        let number = match self.keys.get(key) {
            Some(&number) => number,
            None => {
                self.keys.insert(key.clone(), fresh);
                fresh
            }
        };
        match (f, arg) {
            ("read", Datum::Nil) => Ok(Call::Get { key: number }),
            ("read", other) => Err(wrong_kind("the argument of a read", "nil", other)),
            ("write", Datum::Nil) => Ok(Call::Delete { key: number }),
            ("write", value) => Ok(Call::Put { key: number, value: self.token(value) }),
            ("cas", Datum::List(pair)) if self.cas && pair.len() == 2 => {
                let old = self.held(&pair[0]);
                let new = self.held(&pair[1]).ok_or("a cas to nil is not known")?;
                Ok(Call::Cas { key: number, old, new })
            }
            ("cas", other) if self.cas => Err(wrong_kind("the argument", "[from to]", other)),
            _ if self.cas => Err(unknown_name(f, "read, write, cas")),
            _ => Err(unknown_name(f, "read, write")),
        }
    }

    fn reply(&mut self, call: &Call, ret: &Datum) -> Result<Reply, String> {
        // Formats with one entry for argument and result repeat the argument here.
        let repeated = match (call, ret) {
            (Call::Get { .. }, _) => {
                return Ok(Reply::Value { value: self.held(ret).map(|token| vec![token]) });
            }
            // Ours: whether it took effect.
            (Call::Cas { .. }, &Datum::Bool(ok)) => return Ok(Reply::Swapped { ok }),
            (_, Datum::Nil) => true,
            (&Call::Put { value, .. }, ret) => self.token(ret) == value,
            (&Call::Cas { old, new, .. }, Datum::List(pair)) if pair.len() == 2 => {
                self.held(&pair[0]) == old && self.held(&pair[1]) == Some(new)
            }
            (Call::Cas { .. } | Call::Delete { .. } | Call::Append { .. }, _) => false,
        };
        if !repeated {
            return Err(format!("the answer says {ret}, which is not what was asked"));
        }
        Ok(match call {
            Call::Cas { .. } => Reply::Swapped { ok: true },
            _ => Reply::Done,
        })
    }

    fn refusal(&self, call: &Call) -> Option<Reply> {
        (self.cas_failure_is_answer && matches!(call, Call::Cas { .. }))
            .then_some(Reply::Swapped { ok: false })
    }
}

/// String values that start empty: `get`, `put`, `append`.
#[derive(Clone, Copy, Debug, Default)]
pub struct StringsCodec;

impl Codec for StringsCodec {
    type Model = strings::Strings;

    fn call(&mut self, f: &str, key: &Datum, arg: &Datum) -> Result<strings::Call, String> {
        let Datum::Text(key) = key else { return Err(wrong_kind("the key", "a string", key)) };
        let key = key.clone();
        match (f, arg) {
            ("get", Datum::Nil) => Ok(strings::Call::Get { key }),
            ("put", Datum::Text(value)) => Ok(strings::Call::Put { key, value: value.clone() }),
            ("append", Datum::Text(value)) => {
                Ok(strings::Call::Append { key, value: value.clone() })
            }
            ("get", other) => Err(wrong_kind("the argument of a get", "nil", other)),
            ("put" | "append", other) => Err(wrong_kind("the argument", "a string", other)),
            _ => Err(unknown_name(f, "get, put, append")),
        }
    }

    fn reply(&mut self, call: &strings::Call, ret: &Datum) -> Result<strings::Reply, String> {
        match (call, ret) {
            (strings::Call::Get { .. }, Datum::Text(value)) => {
                Ok(strings::Reply::Value(value.clone()))
            }
            (strings::Call::Get { .. }, other) => Err(wrong_kind("the result", "a string", other)),
            (_, Datum::Nil) => Ok(strings::Reply::Done),
            (
                strings::Call::Put { value, .. } | strings::Call::Append { value, .. },
                Datum::Text(repeated),
            ) if value == repeated => Ok(strings::Reply::Done),
            (_, other) => Err(format!("the answer says {other}, which is not what was asked")),
        }
    }
}
