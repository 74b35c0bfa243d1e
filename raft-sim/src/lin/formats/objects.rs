//! Codecs of counter, set, queue, lock and transactions of lists.
//!
//! **Intuition.** The names are Jepsen's where it has some. Keys and elements may be anything; they
//! become numbers as they appear.
//! **Source.** Jepsen's workloads; Elle's list-append transactions.
//! **Upholds.** `inv:linearizable`.
//! **Not here.** Key-value stores and registers (`codec.rs`).

use super::{
    codec::{Codec, Tokens, unknown_name, wrong_kind},
    datum::Datum,
};
use crate::lin::models::{
    counter::{self, Counter},
    lock::{self, Lock},
    queue::{self, Queue},
    set::{self, Set},
    txn::{ListAppend, Step},
};

fn nothing(what: &str, value: &Datum) -> Result<(), String> {
    if *value == Datum::Nil { Ok(()) } else { Err(wrong_kind(what, "nil", value)) }
}

/// An answer that is nothing, or the argument again.
fn repeated(arg_again: bool, ret: &Datum) -> Result<(), String> {
    if *ret == Datum::Nil || arg_again {
        Ok(())
    } else {
        Err(format!("the answer says {ret}, which is not what was asked"))
    }
}

/// `add` with a number, `read`. An `add` may answer the sum behind it, if that differs from its
/// argument it is taken as such only in our own format, where answers never repeat arguments.
#[derive(Debug, Default)]
pub struct CounterCodec {
    keys: Tokens,
    adds_answer: bool,
}

impl CounterCodec {
    /// `adds_answer`: whether what an `add` answers is the sum, rather than its argument again.
    #[must_use]
    pub fn new(adds_answer: bool) -> Self {
        Self { keys: Tokens::default(), adds_answer }
    }
}

impl Codec for CounterCodec {
    type Model = Counter;

    fn call(&mut self, f: &str, key: &Datum, arg: &Datum) -> Result<counter::Call, String> {
        let key = self.keys.number(key);
        match (f, arg) {
            ("add", Datum::Int(by)) => {
                let by = i64::try_from(*by)
                    .map_err(|_| wrong_kind("the argument", "a 64-bit number", arg))?;
                Ok(counter::Call::Add { key, by })
            }
            ("add", other) => Err(wrong_kind("the argument", "a number", other)),
            ("read", other) => {
                nothing("the argument of a read", other).map(|()| counter::Call::Read { key })
            }
            _ => Err(unknown_name(f, "add, read")),
        }
    }

    fn reply(&mut self, call: &counter::Call, ret: &Datum) -> Result<counter::Reply, String> {
        match (call, ret) {
            (counter::Call::Read { .. }, Datum::Int(sum)) => Ok(counter::Reply::Sum(*sum)),
            (counter::Call::Read { .. }, other) => Err(wrong_kind("the result", "a number", other)),
            (counter::Call::Add { .. }, Datum::Int(sum)) if self.adds_answer => {
                Ok(counter::Reply::Sum(*sum))
            }
            (counter::Call::Add { by, .. }, _) => {
                repeated(*ret == Datum::Int(i128::from(*by)), ret).map(|()| counter::Reply::Done)
            }
        }
    }
}

/// `add`, `remove`, `contains` with an element, `read`.
#[derive(Debug, Default)]
pub struct SetCodec {
    keys: Tokens,
    elements: Tokens,
}

impl Codec for SetCodec {
    type Model = Set;

    fn call(&mut self, f: &str, key: &Datum, arg: &Datum) -> Result<set::Call, String> {
        let key = self.keys.number(key);
        if f == "read" {
            return nothing("the argument of a read", arg).map(|()| set::Call::Read { key });
        }
        if !matches!(f, "add" | "remove" | "contains") {
            return Err(unknown_name(f, "add, remove, contains, read"));
        }
        if *arg == Datum::Nil {
            return Err(wrong_kind("the argument", "an element", arg));
        }
        let value = self.elements.number(arg);
        Ok(match f {
            "add" => set::Call::Add { key, value },
            "remove" => set::Call::Remove { key, value },
            _ => set::Call::Contains { key, value },
        })
    }

    fn reply(&mut self, call: &set::Call, ret: &Datum) -> Result<set::Reply, String> {
        match (call, ret) {
            (set::Call::Read { .. }, Datum::List(items)) => {
                let all = items.iter().map(|item| self.elements.number(item));
                let all: std::collections::BTreeSet<u64> = all.collect();
                if all.len() != items.len() {
                    return Err(format!("the result {ret} has an element twice"));
                }
                Ok(set::Reply::All(all))
            }
            (set::Call::Read { .. }, other) => Err(wrong_kind("the result", "a list", other)),
            (_, &Datum::Bool(is)) => Ok(set::Reply::Is(is)),
            (set::Call::Contains { .. }, other) => {
                Err(wrong_kind("the result", "true or false", other))
            }
            (set::Call::Add { value, .. } | set::Call::Remove { value, .. }, _) => {
                let again = self.elements.number(ret) == *value;
                repeated(again, ret).map(|()| set::Reply::Done)
            }
        }
    }
}

/// `enqueue` with a value, `dequeue`, which answers a value, or nil if it found none.
#[derive(Debug, Default)]
pub struct QueueCodec {
    keys: Tokens,
    values: Tokens,
}

impl Codec for QueueCodec {
    type Model = Queue;

    fn call(&mut self, f: &str, key: &Datum, arg: &Datum) -> Result<queue::Call, String> {
        let key = self.keys.number(key);
        match (f, arg) {
            ("enqueue", Datum::Nil) => Err(wrong_kind("the argument", "a value", arg)),
            ("enqueue", value) => {
                Ok(queue::Call::Enqueue { key, value: self.values.number(value) })
            }
            ("dequeue", other) => {
                nothing("the argument of a dequeue", other).map(|()| queue::Call::Dequeue { key })
            }
            _ => Err(unknown_name(f, "enqueue, dequeue")),
        }
    }

    fn reply(&mut self, call: &queue::Call, ret: &Datum) -> Result<queue::Reply, String> {
        match (call, ret) {
            (queue::Call::Dequeue { .. }, Datum::Nil) => Ok(queue::Reply::Taken(None)),
            (queue::Call::Dequeue { .. }, value) => {
                Ok(queue::Reply::Taken(Some(self.values.number(value))))
            }
            (queue::Call::Enqueue { value, .. }, _) => {
                let again = self.values.number(ret) == *value;
                repeated(again, ret).map(|()| queue::Reply::Done)
            }
        }
    }
}

/// `acquire` and `release`, with an owner or nil; they answer nil or true, or false if refused.
#[derive(Debug, Default)]
pub struct LockCodec {
    keys: Tokens,
    owners: Tokens,
}

impl Codec for LockCodec {
    type Model = Lock;

    fn call(&mut self, f: &str, key: &Datum, arg: &Datum) -> Result<lock::Call, String> {
        let key = self.keys.number(key);
        let owner = (*arg != Datum::Nil).then(|| self.owners.number(arg));
        match f {
            "acquire" => Ok(lock::Call::Acquire { key, owner }),
            "release" => Ok(lock::Call::Release { key, owner }),
            _ => Err(unknown_name(f, "acquire, release")),
        }
    }

    fn reply(&mut self, call: &lock::Call, ret: &Datum) -> Result<lock::Reply, String> {
        let (lock::Call::Acquire { owner, .. } | lock::Call::Release { owner, .. }) = *call;
        match ret {
            Datum::Bool(false) => Ok(lock::Reply::Refused),
            Datum::Bool(true) => Ok(lock::Reply::Done),
            _ => {
                let again = owner.is_some_and(|owner| self.owners.number(ret) == owner);
                repeated(again, ret).map(|()| lock::Reply::Done)
            }
        }
    }
}

/// `txn` with a list of `[:append key value]` and `[:r key nil]`; it answers the same list with
/// what the reads saw.
#[derive(Debug, Default)]
pub struct ListAppendCodec {
    keys: Tokens,
    values: Tokens,
}

const TXN: &str = "a list of [append key value] and [r key nil]";

impl ListAppendCodec {
    /// The steps, and what stands in the third place of each read.
    fn steps<'a>(&mut self, txn: &'a Datum) -> Result<(Vec<Step>, Vec<&'a Datum>), String> {
        let Datum::List(items) = txn else { return Err(wrong_kind("the transaction", TXN, txn)) };
        let (mut steps, mut seen) = (Vec::new(), Vec::new());
        for item in items {
            let Datum::List(parts) = item else { return Err(wrong_kind("a step", TXN, item)) };
            let [Datum::Keyword(name) | Datum::Text(name), key, value] = &parts[..] else {
                return Err(wrong_kind("a step", TXN, item));
            };
            let key = self.keys.number(key);
            match name.as_str() {
                "append" if *value != Datum::Nil => {
                    steps.push(Step::Append { key, value: self.values.number(value) });
                }
                "r" => {
                    steps.push(Step::Read { key });
                    seen.push(value);
                }
                _ => return Err(wrong_kind("a step", TXN, item)),
            }
        }
        Ok((steps, seen))
    }
}

impl Codec for ListAppendCodec {
    type Model = ListAppend;

    fn call(&mut self, f: &str, key: &Datum, arg: &Datum) -> Result<Vec<Step>, String> {
        if f != "txn" {
            return Err(unknown_name(f, "txn"));
        }
        nothing("the key of a transaction", key)?;
        let (steps, seen) = self.steps(arg)?;
        match seen.into_iter().find(|value| **value != Datum::Nil) {
            None => Ok(steps),
            Some(value) => Err(wrong_kind("what an invoked read saw", "nil", value)),
        }
    }

    fn reply(&mut self, call: &Vec<Step>, ret: &Datum) -> Result<Vec<Vec<u64>>, String> {
        let (steps, seen) = self.steps(ret)?;
        if steps != *call {
            return Err(format!("the answer says {ret}, which is not what was asked"));
        }
        seen.into_iter()
            .map(|value| match value {
                // An empty list is often written as nil.
                Datum::Nil => Ok(Vec::new()),
                Datum::List(items) => {
                    Ok(items.iter().map(|item| self.values.number(item)).collect())
                }
                other => Err(wrong_kind("what a read saw", "a list or nil", other)),
            })
            .collect()
    }
}
