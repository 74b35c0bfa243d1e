//! The brute-force twin, and small random histories to compare the checker with it.
//!
//! **Intuition.** Place any operation that no unplaced completed operation precedes, until every
//! completed one is placed: every order of every subset, in the plainest possible code. No memory,
//! no states numbered, no rule of the real search. Whatever else decides must agree with it.
//! **Source.** The definition (Herlihy and Wing 1990), read literally.
//! **Upholds.** `inv:linearizable` (its checker is compared with this).
//! **Not here.** Anything clever. What is drawn for each model (`subjects.rs`).

mod every;
mod subjects;

use core::fmt;

pub use every::every_register_history;
pub use subjects::{Subject, random_kv};

use super::{
    Budget, Verdict, check_model,
    explain::without,
    generate::Dice,
    history::Operation,
    model::Model,
    search::{Answer, search, search_plainly, search_wide},
    space::Interned,
    split::by_key,
    stream::{self, Progress},
};

/// Whether `history` (any keys) is linearizable. Exponential: for a handful of operations a key.
pub fn linearizable<M: Model>(model: &M, history: &[Operation<M::Call, M::Reply>]) -> bool {
    by_key(model, history).values().all(|part| {
        let mut placed = vec![false; part.len()];
        place_rest(model, part, &mut placed, &model.initial())
    })
}

fn place_rest<M: Model>(
    model: &M,
    part: &[&Operation<M::Call, M::Reply>],
    placed: &mut [bool],
    state: &M::State,
) -> bool {
    if part.iter().zip(&*placed).all(|(op, placed)| *placed || op.returned.is_none()) {
        return true;
    }
    for next in 0..part.len() {
        let precedes =
            |other: usize| part[other].returned.is_some_and(|at| at < part[next].invoked);
        if placed[next] || (0..part.len()).any(|other| !placed[other] && precedes(other)) {
            continue;
        }
        let mut after = state.clone();
        if model.apply(&mut after, &part[next].call, part[next].reply.as_ref()) {
            placed[next] = true;
            if place_rest(model, part, placed, &after) {
                return true;
            }
            placed[next] = false;
        }
    }
    false
}

/// Two deciders that differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Disagreement {
    /// Who differs from the twin.
    pub decider: &'static str,
    /// What the twin says.
    pub linearizable: bool,
    /// The history, printed.
    pub history: String,
}

impl fmt::Display for Disagreement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { decider, linearizable, history } = self;
        write!(f, "{decider} differs from brute force, which says {linearizable}, on {history}")
    }
}

/// Lets everything that decides judge `history` and compares it with the twin, whose answer is
/// returned: the whole pipeline, the search over plain states, over the model's own space, as if
/// there were many clients and unknown outcomes, without looking ahead, and the stream. An order
/// that is handed back must itself be one, and what explanations take away must be sound.
///
/// # Errors
/// The first that differs; an unknown verdict differs.
pub fn compare<M: Model + Clone>(
    model: &M,
    history: &[Operation<M::Call, M::Reply>],
) -> Result<bool, Disagreement> {
    let expected = linearizable(model, history);
    let budget = Budget::default();
    let differs = |decider| Disagreement {
        decider,
        linearizable: expected,
        history: format!("{history:#?}"),
    };
    let agree = |decider, said: Option<bool>| {
        if said == Some(expected) { Ok(()) } else { Err(differs(decider)) }
    };
    let report = check_model(model, history, &budget, &mut || false)
        .map_err(|_| differs("the well-formedness check"))?;
    agree(
        "the pipeline",
        match report.verdict {
            Verdict::Ok { .. } => Some(true),
            Verdict::Illegal(_) => Some(false),
            Verdict::Unknown { .. } => None,
        },
    )?;
    let parts = by_key(model, history);
    let each = |search: &dyn Fn(&Part<'_, M>) -> Answer| {
        let mut all = Some(true);
        for part in parts.values() {
            match search(part) {
                Answer::Order(order) if is_order(model, part, &order) => {}
                Answer::Order(_) | Answer::OutOf(_) => return None,
                Answer::Impossible(_) => all = Some(false),
            }
        }
        all
    };
    agree(
        "the search over plain states",
        each(&|part| search(part, &mut Interned::new(model, part), &budget, &mut || false).0),
    )?;
    agree(
        "the search over the model's space",
        each(&|part| search(part, &mut *model.space(part), &budget, &mut || false).0),
    )?;
    agree(
        "the search for many clients",
        each(&|part| search_wide(part, &mut *model.space(part), &budget)),
    )?;
    agree(
        "the search without looking ahead",
        each(&|part| search_plainly(part, &mut *model.space(part), &budget, &mut || false).0),
    )?;
    agree(
        "the stream",
        match stream::replay(model.clone(), history, &budget) {
            Ok(Progress::Ok { .. }) => Some(true),
            Ok(Progress::Illegal { .. }) => Some(false),
            Ok(Progress::Unknown { .. }) | Err(_) => None,
        },
    )?;
    // What explanations take away must never turn right into wrong.
    if expected && !removals_are_sound(model, history) {
        return Err(differs("what explanations take away"));
    }
    Ok(expected)
}

/// Whether a linearizable history stays so whatever single operation an explanation removes,
/// together with what it says must go with it.
fn removals_are_sound<M: Model>(model: &M, history: &[Operation<M::Call, M::Reply>]) -> bool {
    by_key(model, history).values().all(|part| {
        (0..part.len()).all(|at| {
            without(model, part, at..at + 1).is_none_or(|rest| {
                let mut placed = vec![false; rest.len()];
                place_rest(model, &rest, &mut placed, &model.initial())
            })
        })
    })
}

type Part<'a, M> = super::split::Part<'a, M>;

/// Whether `order` is a linearization: it respects real time, replays, and holds every completed
/// operation once.
fn is_order<M: Model>(model: &M, part: &Part<'_, M>, order: &[u32]) -> bool {
    let mut state = model.initial();
    let mut placed = vec![false; part.len()];
    for (at, &position) in order.iter().enumerate() {
        let operation = part[position as usize];
        let against = |earlier: &u32| {
            operation.returned.is_some_and(|returned| returned < part[*earlier as usize].invoked)
        };
        if placed[position as usize]
            || order[..at].iter().any(against)
            || !model.apply(&mut state, &operation.call, operation.reply.as_ref())
        {
            return false;
        }
        placed[position as usize] = true;
    }
    part.iter().zip(placed).all(|(operation, placed)| placed || operation.returned.is_none())
}

/// How many histories were compared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// All.
    pub histories: u64,
    /// Those that are not linearizable.
    pub illegal: u64,
    /// Those with an operation of unknown outcome.
    pub unknown: u64,
}

impl Tally {
    /// Adds up.
    pub const fn add(&mut self, other: Self) {
        self.histories += other.histories;
        self.illegal += other.illegal;
        self.unknown += other.unknown;
    }
}

/// Compares `runs` random histories of `subject`, drawn from `seed`.
///
/// # Errors
/// The first disagreement.
pub fn campaign(subject: Subject, seed: u64, runs: u64) -> Result<Tally, Box<Disagreement>> {
    let mut tally = Tally::default();
    let mut dice = Dice::new(seed);
    for run in 0..runs {
        let (legal, unknown) = subject.run(&mut dice, run)?;
        tally.add(Tally { histories: 1, illegal: u64::from(!legal), unknown: u64::from(unknown) });
    }
    Ok(tally)
}
