//! Known mistakes of checkers, planted from outside: each must be noticed.
//!
//! **Intuition.** The comparison with brute force is what the tests rely on. So mistakes that
//! checkers have made, or could make here, are put around the unbroken search one by one, and the
//! comparison must see each.
//! **Source.** B-108 and B-109 in docs/HAZARDS.md; the others are ours.
//! **Upholds.** `inv:linearizable` (its checker's tests).
//! **Not here.** Mistakes inside the algorithms (`planted.rs`), laws of the unbroken (`laws.rs`).

use super::{
    Budget, Witness,
    generate::Dice,
    history::Operation,
    model::Model,
    models::kv::Kv,
    search::{Answer, search},
    space::{ClassId, Space, StateId, Traits},
    split::by_key,
    twin,
};
use crate::workload::kv::{Call, Reply};

/// Mistakes that checkers have made, or could make here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flaw {
    None,
    /// B-108: an operation of unknown outcome is forgotten.
    DropsUnknown,
    /// B-108: an operation of unknown outcome is taken as done when the client gave up.
    ClosesUnknownAtTimeout,
    /// B-109: running out of budget is read as a pass.
    UnknownVerdictIsOk,
    /// An operation may be placed before one that returned before it began.
    ForgetsRealTime,
    /// The witness is replayed but its agreement with real time is not verified.
    TrustsWitnessOrder,
    /// Dead writes ride along although a refused compare-and-set may see them.
    DeadThoughRefused,
    /// A compare-and-set that took effect is treated like a read.
    SwapIsRead,
    /// An append is taken to overwrite.
    AppendOverwrites,
    /// A read is taken to be out of reach of the state it grew from.
    NothingGrows,
}

const FLAWS: [Flaw; 9] = [
    Flaw::DropsUnknown,
    Flaw::ClosesUnknownAtTimeout,
    Flaw::UnknownVerdictIsOk,
    Flaw::ForgetsRealTime,
    Flaw::TrustsWitnessOrder,
    Flaw::DeadThoughRefused,
    Flaw::SwapIsRead,
    Flaw::AppendOverwrites,
    Flaw::NothingGrows,
];

/// A space that says something false about its classes.
struct Flawed<'a> {
    inner: Box<dyn Space + 'a>,
    flaw: Flaw,
    part: &'a [&'a Operation],
}

impl Flawed<'_> {
    fn sample(&self, class: ClassId) -> &Operation {
        let position = (0..self.part.len()).find(|&at| self.inner.class(at) == class);
        self.part[position.expect("every class has an operation")]
    }
}

impl Space for Flawed<'_> {
    fn initial(&self) -> StateId {
        self.inner.initial()
    }

    fn class(&self, position: usize) -> ClassId {
        self.inner.class(position)
    }

    fn classes(&self) -> usize {
        self.inner.classes()
    }

    fn traits(&self, class: ClassId) -> Traits {
        let mut traits = self.inner.traits(class);
        let operation = self.sample(class);
        match self.flaw {
            Flaw::DeadThoughRefused => {
                traits.dead |= matches!(operation.call, Call::Put { value, .. }
                if self.part.iter().all(|other| {
                    !matches!(&other.reply, Some(Reply::Value { value: Some(list) })
                        if list.contains(&value))
                }));
            }
            Flaw::SwapIsRead => {
                traits.read |= operation.reply == Some(Reply::Swapped { ok: true });
            }
            Flaw::AppendOverwrites => {
                let append = matches!(operation.call, Call::Append { .. });
                traits.overwrites |= append;
                traits.dead |= append;
            }
            _ => {}
        }
        traits
    }

    fn step(&mut self, state: StateId, class: ClassId) -> Option<StateId> {
        self.inner.step(state, class)
    }

    fn grows_into(&self, state: StateId, class: ClassId) -> bool {
        self.flaw != Flaw::NothingGrows && self.inner.grows_into(state, class)
    }

    fn bytes(&self) -> u64 {
        0
    }
}

/// The checker with one flaw planted in it.
fn flawed_check(history: &[Operation], flaw: Flaw) -> bool {
    let mut history = history.to_vec();
    match flaw {
        Flaw::DropsUnknown => history.retain(|op| op.returned.is_some()),
        Flaw::ClosesUnknownAtTimeout => {
            for operation in &mut history {
                // Twice the time, so that the timeout ties with nothing.
                operation.invoked *= 2;
                operation.returned = operation.returned.map(|at| at * 2);
                let plain = matches!(operation.call, Call::Put { .. } | Call::Append { .. });
                if operation.returned.is_none() && plain {
                    operation.returned = Some(operation.invoked + 5);
                    operation.reply = Some(Reply::Done);
                }
            }
        }
        Flaw::ForgetsRealTime => {
            let end = 1_000_000;
            for (position, operation) in history.iter_mut().enumerate() {
                operation.invoked = position as u64;
                operation.returned = operation.returned.map(|_| end + position as u64);
            }
        }
        Flaw::TrustsWitnessOrder => {
            let mut blind = history.clone();
            for (position, operation) in blind.iter_mut().enumerate() {
                operation.returned = operation.returned.map(|_| 1_000_000 + position as u64);
            }
            if super::witness::verify(&Kv, &blind) == Witness::Verified {
                return true;
            }
        }
        _ => {}
    }
    let tight = Budget { configurations: 2, ..Budget::default() };
    let budget = if flaw == Flaw::UnknownVerdictIsOk { tight } else { Budget::default() };
    by_key(&Kv, &history).values().all(|part| {
        let mut space = Flawed { inner: Kv.space(part), flaw, part };
        match search(part, &mut space, &budget, &mut || false).0 {
            Answer::Order(_) => true,
            Answer::Impossible(_) => false,
            Answer::OutOf(_) => flaw == Flaw::UnknownVerdictIsOk,
        }
    })
}

/// How many of `runs` random histories show that the checker with `flaw` is wrong.
fn noticed(flaw: Flaw, runs: u64) -> u64 {
    let mut dice = Dice::new(17);
    let mut noticed = 0;
    for run in 0..runs {
        let mut history = twin::random_kv(&mut dice, 7, run % 4);
        for operation in &mut history {
            operation.index = Some(dice.below(20));
        }
        noticed += u64::from(flawed_check(&history, flaw) != twin::linearizable(&Kv, &history));
    }
    noticed
}

#[test]
fn planted_mistakes_are_noticed_by_the_comparison() {
    assert_eq!(noticed(Flaw::None, 20_000), 0);
    for flaw in FLAWS {
        let count = noticed(flaw, 20_000);
        assert!(count > 0, "{flaw:?} is not noticed");
    }
}
