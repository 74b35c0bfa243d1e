//! Histories that are linearizable by construction: for tests and for measuring.
//!
//! **Intuition.** Clients take turns at random; each operation is invoked, takes effect on one
//! machine at one moment in between, and returns what it got there. The moments are an order that
//! explains everything, and their numbers are honest hints.
//! **Source.** Ours.
//! **Upholds.** `inv:linearizable` (its checker is tested with this).
//! **Not here.** Random histories that are mostly wrong (`brute.rs`), breaking good ones
//! (`laws.rs`).

use super::{history::Operation, model::Model, models::kv::Kv};
use crate::workload::kv::{Call, Reply};

/// A small generator of its own, so that the same seed gives the same history for ever.
#[derive(Clone, Debug)]
pub struct Dice(u64);

impl Dice {
    /// Starts at `seed`.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next 64 bits (splitmix64).
    pub const fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `bound`, which must not be 0.
    pub const fn below(&mut self, bound: u64) -> u64 {
        self.roll() % bound
    }

    /// True once in `n` times.
    pub const fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }
}

/// Which calls are made besides reads, which are half of all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Calls {
    /// Put.
    Register,
    /// Put and compare-and-set.
    CasRegister,
    /// Put and append.
    Append,
    /// All.
    All,
}

/// What to generate.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// Operations.
    pub operations: usize,
    /// Clients, each with at most one operation open.
    pub clients: u64,
    /// Keys.
    pub keys: u32,
    /// Which calls.
    pub calls: Calls,
    /// Values are drawn from this many; `None`: every write has its own.
    pub values: Option<u64>,
    /// One in how many outcomes is unknown; `None`: none.
    pub unknown_one_in: Option<u64>,
}

/// A history of `shape`, with honest hints.
#[must_use]
pub fn linearizable(seed: u64, shape: &Shape) -> Vec<Operation> {
    let mut dice = Dice::new(seed);
    let mut history: Vec<Operation> = Vec::with_capacity(shape.operations);
    let mut states = vec![None; shape.keys as usize];
    // Per client: its number, and its operation with whether it has taken effect.
    let mut clients: Vec<(u64, Option<(usize, bool)>)> =
        (0..shape.clients).map(|client| (client, None)).collect();
    let (mut clock, mut index, mut fresh, mut numbers) = (0, 0, 0, shape.clients);
    while history.len() < shape.operations
        || clients.iter().any(|(_, operation)| operation.is_some())
    {
        let turn = dice.below(shape.clients) as usize;
        let (client, open) = &mut clients[turn];
        match open.take() {
            None if history.len() < shape.operations => {
                *open = Some((history.len(), false));
                fresh += 1;
                let value = shape.values.map_or(fresh, |values| dice.below(values));
                let expected = shape.values.map(|values| dice.below(values));
                let key = dice.below(u64::from(shape.keys)) as u32;
                history.push(Operation {
                    op: history.len() as u64,
                    client: *client,
                    invoked: clock,
                    returned: None,
                    call: call(&mut dice, shape.calls, key, value, expected, &states),
                    reply: None,
                    index: None,
                });
                clock += 1;
            }
            None => {}
            Some(_) if shape.unknown_one_in.is_some_and(|n| dice.one_in(2 * n)) => {
                *client = numbers;
                numbers += 1;
            }
            Some((position, false)) => {
                let operation = &mut history[position];
                let read = matches!(operation.call, Call::Get { .. });
                index += u64::from(!read);
                operation.index = Some(index);
                let state = &mut states[Kv.key(&operation.call) as usize];
                operation.reply = Some(answer(state, &operation.call));
                *open = Some((position, true));
            }
            Some((position, true)) => {
                history[position].returned = Some(clock);
                clock += 1;
            }
        }
    }
    for operation in &mut history {
        if operation.returned.is_none() {
            operation.reply = None; // It took effect, but nobody was told.
        }
    }
    history
}

fn call(
    dice: &mut Dice,
    calls: Calls,
    key: u32,
    value: u64,
    expected: Option<u64>,
    states: &[Option<Vec<u64>>],
) -> Call {
    if dice.one_in(2) {
        return Call::Get { key };
    }
    // With values of their own, a blind guess would never match: expect what is there now.
    let old = match &states[key as usize] {
        Some(list) => expected.or(list.first().copied()),
        None => None,
    };
    match (calls, dice.below(8)) {
        (Calls::Register, _) | (_, 0..=1) => Call::Put { key, value },
        (Calls::CasRegister, _) | (Calls::All, 2..=3) => Call::Cas { key, old, new: value },
        (Calls::Append, _) | (Calls::All, 4..=6) => Call::Append { key, value },
        (Calls::All, _) => Call::Delete { key },
    }
}

/// The right reply to `call` in `state`, which it changes.
pub(super) fn answer(state: &mut Option<Vec<u64>>, call: &Call) -> Reply {
    let reply = match call {
        Call::Get { .. } => Reply::Value { value: state.clone() },
        Call::Put { .. } | Call::Delete { .. } | Call::Append { .. } => Reply::Done,
        Call::Cas { .. } => {
            let ok = Kv.apply(&mut state.clone(), call, Some(&Reply::Swapped { ok: true }));
            Reply::Swapped { ok }
        }
    };
    assert!(Kv.apply(state, call, Some(&reply)), "one reply is right in every state");
    reply
}
