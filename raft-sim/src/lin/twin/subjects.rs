//! What is drawn for each model: calls, right answers, wrong answers.
//!
//! **Intuition.** A random interval shape; half of the histories are answered as one machine would
//! answer, mostly, and half at random. Few values and few clients make conflicts likely, and both
//! verdicts common.
//! **Source.** Ours.
//! **Upholds.** `inv:linearizable` (its checker is compared on these).
//! **Not here.** Judging (`twin.rs`); long histories that are right (`generate.rs`).

use std::collections::{BTreeMap, BTreeSet};

use super::{Disagreement, compare};
use crate::{
    lin::{
        generate::{Dice, answer},
        history::Operation,
        model::Model,
        models::{
            counter::{self, Counter},
            kv::Kv,
            lock::{self, Lock},
            queue::{self, Queue},
            set::{self, Set},
            strings::{self, Strings},
            txn::{ListAppend, Step},
        },
    },
    workload::kv::{Call, Reply},
};

/// A model with the way its histories are drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Subject {
    /// Get and put.
    Register,
    /// Get, put, compare-and-set.
    CasRegister,
    /// Get, put, append.
    Append,
    /// Everything the key-value machine can do.
    Kv,
    /// Strings: get, put, append.
    Strings,
    /// Add and read.
    Counter,
    /// Add, remove, contains.
    SetByElement,
    /// Add and read the whole set; sometimes remove.
    SetWhole,
    /// Enqueue and dequeue.
    Queue,
    /// Acquire and release.
    Lock,
    /// Transactions on lists.
    ListAppend,
}

impl Subject {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::Register,
        Self::CasRegister,
        Self::Append,
        Self::Kv,
        Self::Strings,
        Self::Counter,
        Self::SetByElement,
        Self::SetWhole,
        Self::Queue,
        Self::Lock,
        Self::ListAppend,
    ];

    /// For people.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Register => "register",
            Self::CasRegister => "cas-register",
            Self::Append => "append",
            Self::Kv => "kv",
            Self::Strings => "kv-string",
            Self::Counter => "counter",
            Self::SetByElement => "set by element",
            Self::SetWhole => "set",
            Self::Queue => "queue",
            Self::Lock => "lock",
            Self::ListAppend => "list-append",
        }
    }

    /// Draws one history, compares, and tells whether it is linearizable and whether it has an
    /// operation of unknown outcome.
    pub(super) fn run(self, dice: &mut Dice, run: u64) -> Result<(bool, bool), Disagreement> {
        match self {
            Self::Register => judge(&Kv, &random_kv(dice, 7, 0)),
            Self::CasRegister => judge(&Kv, &random_kv(dice, 7, 1)),
            Self::Append => judge(&Kv, &random_kv(dice, 7, 2)),
            Self::Kv => judge(&Kv, &random_kv(dice, 7, 3)),
            Self::Strings => {
                let texts = ["", "a", "b", "ab", "c"];
                let values = 2 + dice.below(4);
                let text = |dice: &mut Dice| texts[dice.below(values) as usize].to_owned();
                let key = String::new();
                let ask = |dice: &mut Dice, _| match dice.below(8) {
                    0..=3 => strings::Call::Get { key: key.clone() },
                    4..=5 => strings::Call::Put { key: key.clone(), value: text(dice) },
                    _ => strings::Call::Append { key: key.clone(), value: text(dice) },
                };
                let lie = |dice: &mut Dice, call: &strings::Call| match call {
                    strings::Call::Get { .. } => strings::Reply::Value(text(dice) + &text(dice)),
                    _ => strings::Reply::Done,
                };
                let truth = |state: &mut String, call: &strings::Call| {
                    let reply = match call {
                        strings::Call::Get { .. } => strings::Reply::Value(state.clone()),
                        _ => strings::Reply::Done,
                    };
                    Strings.apply(state, call, None);
                    reply
                };
                judge(&Strings, &draw(&Strings, dice, 7, ask, truth, lie))
            }
            Self::Counter => run_counter(dice, run),
            Self::SetByElement => run_set(dice, run, false),
            Self::SetWhole => run_set(dice, run, true),
            Self::Queue => run_queue(dice, run),
            Self::Lock => run_lock(dice),
            Self::ListAppend => run_lists(dice, run),
        }
    }
}

fn judge<M: Model + Clone>(
    model: &M,
    history: &[Operation<M::Call, M::Reply>],
) -> Result<(bool, bool), Disagreement> {
    let legal = compare(model, history)?;
    Ok((legal, history.iter().any(|op| op.returned.is_none())))
}

/// A random history of up to `ops_max` operations by up to four clients.
fn draw<M: Model>(
    model: &M,
    dice: &mut Dice,
    ops_max: u64,
    mut ask: impl FnMut(&mut Dice, u64) -> M::Call,
    mut truth: impl FnMut(&mut M::State, &M::Call) -> M::Reply,
    mut lie: impl FnMut(&mut Dice, &M::Call) -> M::Reply,
) -> Vec<Operation<M::Call, M::Reply>> {
    let ops = 1 + dice.below(ops_max);
    let clients = 1 + dice.below(4);
    let honest = dice.one_in(2);
    let mut history: Vec<Operation<_, _>> = Vec::new();
    let mut open: Vec<Option<usize>> = vec![None; clients as usize];
    let mut ids: Vec<u64> = (0..clients).collect();
    let mut states: BTreeMap<M::Key, M::State> = BTreeMap::new();
    let (mut clock, mut client_ids) = (0, clients);
    while (history.len() as u64) < ops || open.iter().any(Option::is_some) {
        let client = dice.below(clients) as usize;
        clock += 1;
        if let Some(position) = open[client].take() {
            let operation = &mut history[position];
            let state = states.entry(model.key(&operation.call)).or_insert_with(|| model.initial());
            if dice.one_in(6) {
                // Unknown: sometimes it took effect, and the client goes on under a new id.
                if dice.one_in(2) {
                    model.apply(state, &operation.call, None);
                }
                ids[client] = client_ids;
                client_ids += 1;
                continue;
            }
            operation.returned = Some(clock);
            let right = truth(state, &operation.call);
            let told = if honest && !dice.one_in(12) { right } else { lie(dice, &operation.call) };
            operation.reply = Some(told);
        } else if (history.len() as u64) < ops {
            open[client] = Some(history.len());
            let op = history.len() as u64;
            let call = ask(dice, op);
            history.push(Operation {
                op,
                client: ids[client],
                invoked: clock,
                returned: None,
                call,
                reply: None,
                index: None,
            });
        }
    }
    history
}

/// A history of one key of the key-value machine. `mix` chooses the kinds of calls: 0 register,
/// 1 with compare-and-set, 2 with append, else all.
pub fn random_kv(dice: &mut Dice, ops_max: u64, mix: u64) -> Vec<Operation> {
    // Values of their own, or few.
    let distinct = dice.one_in(2);
    let values = if distinct { ops_max } else { 1 + dice.below(3) };
    let ask = |dice: &mut Dice, number| {
        let mut call = kv_call(dice, values, mix);
        if let Call::Put { value, .. } = &mut call
            && distinct
        {
            *value = number;
        }
        call
    };
    draw(&Kv, dice, ops_max, ask, answer, |dice, call| kv_lie(dice, call, values))
}

fn kv_call(dice: &mut Dice, values: u64, mix: u64) -> Call {
    let value = dice.below(values);
    match (mix, dice.below(10)) {
        (_, 0..=3) => Call::Get { key: 0 },
        (0, _) | (1 | 2, 4..=6) | (3.., 4..=5) => Call::Put { key: 0, value },
        (1, _) => {
            let old = Some(dice.below(values)).filter(|_| !dice.one_in(4));
            Call::Cas { key: 0, old, new: value }
        }
        (2, _) | (3.., 6..=7) => Call::Append { key: 0, value },
        (_, 8) => Call::Delete { key: 0 },
        _ => {
            let old = Some(dice.below(values)).filter(|_| !dice.one_in(3));
            Call::Cas { key: 0, old, new: value }
        }
    }
}

fn kv_lie(dice: &mut Dice, call: &Call, values: u64) -> Reply {
    match call {
        Call::Get { .. } => {
            let length = if dice.one_in(4) { dice.below(3) } else { 1 };
            let list: Vec<u64> = (0..length).map(|_| dice.below(values)).collect();
            Reply::Value { value: Some(list).filter(|list| !list.is_empty()) }
        }
        Call::Put { .. } | Call::Delete { .. } | Call::Append { .. } => Reply::Done,
        Call::Cas { .. } => Reply::Swapped { ok: dice.one_in(2) },
    }
}

fn run_counter(dice: &mut Dice, run: u64) -> Result<(bool, bool), Disagreement> {
    use counter::{Call, Reply};
    let ask = |dice: &mut Dice, _| match dice.below(5) {
        0..=2 => Call::Read { key: 0 },
        _ if run.is_multiple_of(2) => Call::Add { key: 0, by: 1 },
        _ => Call::Add { key: 0, by: dice.below(5) as i64 - 2 },
    };
    let tells_sum = dice.one_in(3);
    let truth = |state: &mut i128, call: &Call| {
        Counter.apply(state, call, None);
        match call {
            Call::Add { .. } if !tells_sum => Reply::Done,
            _ => Reply::Sum(*state),
        }
    };
    let lie = |dice: &mut Dice, call: &Call| match call {
        Call::Add { .. } if !tells_sum => Reply::Done,
        _ => Reply::Sum(i128::from(dice.below(5)) - 1),
    };
    judge(&Counter, &draw(&Counter, dice, 7, ask, truth, lie))
}

fn run_set(dice: &mut Dice, run: u64, whole: bool) -> Result<(bool, bool), Disagreement> {
    use set::{Call, Reply};
    let grows_only = whole && !run.is_multiple_of(4);
    let distinct = grows_only && !dice.one_in(4);
    let model = if whole { Set::WHOLE } else { Set::BY_ELEMENT };
    let ask = |dice: &mut Dice, number| {
        let value = if distinct { number } else { dice.below(2) };
        match dice.below(6) {
            0..=2 if whole => Call::Read { key: 0 },
            0..=2 => Call::Contains { key: 0, value },
            3 if !grows_only => Call::Remove { key: 0, value },
            _ => Call::Add { key: 0, value },
        }
    };
    let tells = !grows_only && dice.one_in(3);
    let truth = |state: &mut BTreeSet<u64>, call: &Call| {
        let is = match call {
            Call::Add { value, .. } => state.insert(*value),
            Call::Remove { value, .. } => state.remove(value),
            Call::Contains { value, .. } => return Reply::Is(state.contains(value)),
            Call::Read { .. } => return Reply::All(state.clone()),
        };
        if tells { Reply::Is(is) } else { Reply::Done }
    };
    let lie = |dice: &mut Dice, call: &Call| match call {
        Call::Read { .. } => Reply::All((0..dice.below(4)).map(|_| dice.below(5)).collect()),
        Call::Contains { .. } => Reply::Is(dice.one_in(2)),
        _ if tells => Reply::Is(dice.one_in(2)),
        _ => Reply::Done,
    };
    judge(&model, &draw(&model, dice, 7, ask, truth, lie))
}

fn run_queue(dice: &mut Dice, run: u64) -> Result<(bool, bool), Disagreement> {
    use queue::{Call, Reply};
    let distinct = !run.is_multiple_of(4);
    let ask = |dice: &mut Dice, number| {
        if dice.one_in(2) {
            let value = if distinct { number } else { dice.below(2) };
            Call::Enqueue { key: 0, value }
        } else {
            Call::Dequeue { key: 0 }
        }
    };
    let truth = |state: &mut Vec<u64>, call: &Call| match *call {
        Call::Enqueue { value, .. } => {
            state.push(value);
            Reply::Done
        }
        Call::Dequeue { .. } => Reply::Taken((!state.is_empty()).then(|| state.remove(0))),
    };
    let lie = |dice: &mut Dice, call: &Call| match call {
        Call::Enqueue { .. } => Reply::Done,
        Call::Dequeue { .. } if dice.one_in(3) => Reply::Taken(None),
        Call::Dequeue { .. } => Reply::Taken(Some(dice.below(6))),
    };
    let mut history = draw(&Queue, dice, 8, ask, truth, lie);
    if dice.one_in(2) {
        // Without dequeues of unknown outcome the quick decision applies.
        history.retain(|op| op.returned.is_some() || matches!(op.call, Call::Enqueue { .. }));
    }
    judge(&Queue, &history)
}

fn run_lock(dice: &mut Dice) -> Result<(bool, bool), Disagreement> {
    use lock::{Call, Reply};
    let owners = dice.below(3);
    let ask = |dice: &mut Dice, _| {
        let owner = (owners > 0).then(|| dice.below(owners));
        if dice.one_in(2) {
            Call::Acquire { key: 0, owner }
        } else {
            Call::Release { key: 0, owner }
        }
    };
    let tells = dice.one_in(2);
    let truth = |state: &mut Option<Option<u64>>, call: &Call| {
        let before = *state;
        let right = Lock.apply(state, call, Some(&Reply::Done));
        if !right {
            *state = before;
        }
        if right { Reply::Done } else { Reply::Refused }
    };
    let lie = |dice: &mut Dice, _: &Call| {
        if tells && dice.one_in(3) { Reply::Refused } else { Reply::Done }
    };
    judge(&Lock, &draw(&Lock, dice, 7, ask, truth, lie))
}

fn run_lists(dice: &mut Dice, run: u64) -> Result<(bool, bool), Disagreement> {
    let keys = 1 + dice.below(2);
    let distinct = !run.is_multiple_of(8);
    let mut fresh = 0;
    let ask = |dice: &mut Dice, _| {
        (0..1 + dice.below(3))
            .map(|_| {
                let key = dice.below(keys);
                if dice.one_in(2) {
                    return Step::Read { key };
                }
                fresh += 1;
                Step::Append { key, value: if distinct { fresh } else { dice.below(2) } }
            })
            .collect::<Vec<Step>>()
    };
    let truth = |state: &mut BTreeMap<u64, Vec<u64>>, call: &Vec<Step>| {
        let mut seen = Vec::new();
        for step in call {
            match *step {
                Step::Append { key, value } => state.entry(key).or_default().push(value),
                Step::Read { key } => seen.push(state.get(&key).cloned().unwrap_or_default()),
            }
        }
        seen
    };
    let lie = |dice: &mut Dice, call: &Vec<Step>| {
        call.iter()
            .filter(|step| matches!(step, Step::Read { .. }))
            .map(|_| (1..=dice.below(3)).map(|value| value + dice.below(2)).collect())
            .collect::<Vec<Vec<u64>>>()
    };
    judge(&ListAppend, &draw(&ListAppend, dice, 6, ask, truth, lie))
}
