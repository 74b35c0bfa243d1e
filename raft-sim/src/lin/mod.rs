//! Linearizability: is there one order of all operations that explains what every client saw?
//!
//! **Intuition.** First try the order the system itself claims (`witness`): verifying an order is
//! cheap, and a verified order is a proof whoever proposed it. If that fails, split the history
//! by key (`split`) and search each part without hints (`search`) within a budget. There are
//! three verdicts and none stands for another: `Ok` has an order behind it, `Illegal` an
//! exhausted search, `Unknown` a spent budget.
//! **Source.** Herlihy and Wing 1990; Wing and Gong 1993; Lowe 2017; Horn and Kroening 2015.
//! **Upholds.** `inv:linearizable`.
//! **Not here.** Who records histories (`world/`, `workload/`).
//!
//! | file | job |
//! | --- | --- |
//! | `history` | operations; what is refused as no history |
//! | `model`, `models/` | sequential specifications |
//! | `space` | numbered states for the search |
//! | `witness` | verify a claimed order |
//! | `split` | by key |
//! | `quick`, `register`, `graph` | decide by sorting where that is possible |
//! | `search` | decide without hints |
//! | `stream` | decide while the history grows |
//! | `weak` | weaker levels |
//! | `twin` | brute force, to compare with |
//! | `explain` | a few operations that are enough, and why nothing works |
//! | `generate` | histories that are linearizable by construction |
//! | `formats/` | histories in files |

pub mod explain;
pub mod formats;
pub mod generate;
pub mod graph;
pub mod history;
pub mod html;
pub mod model;
pub mod models;
mod planted;
pub mod quick;
pub mod register;
pub mod search;
pub mod space;
pub mod split;
pub mod stream;
pub mod twin;
pub mod weak;
pub mod witness;

#[cfg(test)]
mod brute;
#[cfg(test)]
mod flaws;
#[cfg(test)]
mod laws;

use core::fmt;
use std::collections::BTreeSet;

pub use explain::Explanation;
pub use formats::{FileOptions, FileReport, Format, ModelName, check_file};
use history::{HistoryError, Operation, validate};
use model::Model;
use models::kv::Kv;
use quick::Quick;
use search::{Answer, Cost, Stuck};
pub use weak::{Level, check_level};
pub use witness::Witness;

/// What a check may spend on one key. No time: inside a simulated run a verdict must not depend on
/// the machine; the command line adds time through [`check_model`]'s `stop`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// Situations visited.
    pub configurations: u64,
    /// Bytes as counted by the search.
    pub memory_bytes: u64,
}

impl Default for Budget {
    fn default() -> Self {
        Self { configurations: 5_000_000, memory_bytes: 512 << 20 }
    }
}

/// What ran out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Exhausted {
    /// [`Budget::configurations`].
    Configurations,
    /// [`Budget::memory_bytes`].
    Memory,
    /// The caller's `stop` said so.
    Stopped,
}

impl fmt::Display for Exhausted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Configurations => "configurations",
            Self::Memory => "memory",
            Self::Stopped => "time",
        })
    }
}

/// How a history was shown to be linearizable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum How {
    /// The claimed order was verified.
    Witness,
    /// By the model's own algorithm for every key (`quick.rs`).
    Sorting,
    /// For some key by finding an order; for the others like that or by `Sorting`.
    Search,
}

/// The verdict. `Illegal` on any key wins over `Unknown` on another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Linearizable.
    Ok {
        /// How that was shown.
        how: How,
    },
    /// Not linearizable: for one key there is no order at all.
    Illegal(Illegal),
    /// Not decided.
    Unknown {
        /// The key, as the model prints it.
        key: String,
        /// What ran out.
        exhausted: Exhausted,
    },
}

/// A key without an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Illegal {
    /// The key, as the model prints it.
    pub key: String,
    /// Ids of operations on that key that have no order, in order of invocation: all of them, or
    /// the few in conflict where that is known.
    pub ops: Vec<u64>,
    /// The longest legal order of `ops` found, as operation ids.
    pub prefix: Vec<u64>,
    /// The operation that had to come next and could not.
    pub stuck: u64,
}

impl fmt::Display for Illegal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "key {}: no order explains its {} operations; the longest legal order places {} \
             and cannot place operation {}",
            self.key,
            self.ops.len(),
            self.prefix.len(),
            self.stuck
        )
    }
}

/// The outcome of a check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The verdict.
    pub verdict: Verdict,
    /// What became of the claimed order. `AgainstRealTime` or `WrongReply` beside an `Ok` verdict
    /// is a finding of its own: the log contradicts what clients could have seen.
    pub witness: Witness,
    /// Operations checked.
    pub operations: usize,
    /// Operations of unknown outcome among them.
    pub unknown_operations: usize,
    /// Keys decided by sorting (`register.rs`).
    pub keys_sorted: usize,
    /// Keys searched; 0 when the witness was verified.
    pub keys_searched: usize,
    /// Situations visited, over all keys.
    pub configurations: u64,
    /// Most memory counted for one key.
    pub bytes: u64,
}

impl Report {
    /// Before anything was checked, but that it is a history.
    fn of<M: Model>(
        model: &M,
        history: &[Operation<M::Call, M::Reply>],
    ) -> Result<Self, HistoryError> {
        validate(history)?;
        for operation in history {
            if operation.reply.as_ref().is_some_and(|reply| !model.fits(&operation.call, reply)) {
                return Err(HistoryError::ForeignReply { op: operation.op });
            }
        }
        Ok(Self {
            verdict: Verdict::Ok { how: How::Witness },
            witness: Witness::Untried,
            operations: history.len(),
            unknown_operations: history.iter().filter(|op| op.returned.is_none()).count(),
            keys_sorted: 0,
            keys_searched: 0,
            configurations: 0,
            bytes: 0,
        })
    }

    fn add(&mut self, cost: Cost) {
        self.configurations += cost.configurations;
        self.bytes = self.bytes.max(cost.bytes);
    }
}

/// Checks a history of the simulator's key-value machine: the witness, then the search.
///
/// # Errors
/// When the operations are no history; see [`HistoryError`].
pub fn check(history: &[Operation], budget: &Budget) -> Result<Report, HistoryError> {
    check_model(&Kv, history, budget, &mut || false)
}

/// Checks a history of any model. `stop` is polled during a search and ends it with `Unknown`.
///
/// # Errors
/// When the operations are no history; see [`HistoryError`].
pub fn check_model<M: Model>(
    model: &M,
    history: &[Operation<M::Call, M::Reply>],
    budget: &Budget,
    stop: &mut dyn FnMut() -> bool,
) -> Result<Report, HistoryError> {
    let mut report = Report::of(model, history)?;
    report.witness = witness::verify(model, history);
    if report.witness != Witness::Verified {
        report.verdict = search_keys(model, history, budget, stop, &mut report);
    }
    Ok(report)
}

fn search_keys<M: Model>(
    model: &M,
    history: &[Operation<M::Call, M::Reply>],
    budget: &Budget,
    stop: &mut dyn FnMut() -> bool,
    report: &mut Report,
) -> Verdict {
    let mut unknown = None;
    for (key, part) in split::by_key(model, history) {
        match model.decide(&part) {
            Quick::Ok => {
                report.keys_sorted += 1;
                continue;
            }
            Quick::Illegal(core) => {
                let few: split::Part<'_, M> =
                    core.iter().map(|&position| part[position as usize]).collect();
                let (answer, cost) = search::search(&few, &mut *model.space(&few), budget, stop);
                report.add(cost);
                match answer {
                    // The search says of these few which one has no place.
                    Answer::Impossible(stuck) => {
                        report.keys_sorted += 1;
                        let stuck = longest(model, &few, stuck, stop);
                        return illegal::<M>(&key, &few, &stuck);
                    }
                    Answer::OutOf(_) => {
                        report.keys_sorted += 1;
                        let last = few.len().saturating_sub(1) as u32;
                        let stuck = Stuck { prefix: Vec::new(), stuck: last };
                        return illegal::<M>(&key, &few, &stuck);
                    }
                    // Never seen; then what was decided is worth nothing.
                    Answer::Order(_) => debug_assert!(false, "{key:?}: {core:?} has an order"),
                }
            }
            Quick::NotApplicable => {}
        }
        report.keys_searched += 1;
        let (answer, cost) = search::search(&part, &mut *model.space(&part), budget, stop);
        report.add(cost);
        match answer {
            Answer::Order(_) => {}
            Answer::Impossible(stuck) => {
                let stuck = longest(model, &part, stuck, stop);
                return illegal::<M>(&key, &part, &stuck);
            }
            // Another key may still be illegal, which is worth more.
            Answer::OutOf(exhausted) => {
                unknown
                    .get_or_insert_with(|| Verdict::Unknown { key: format!("{key:?}"), exhausted });
            }
        }
    }
    let how = if report.keys_searched == 0 { How::Sorting } else { How::Search };
    unknown.unwrap_or(Verdict::Ok { how })
}

fn illegal<M: Model>(key: &M::Key, part: &split::Part<'_, M>, stuck: &Stuck) -> Verdict {
    let id = |position: &u32| part[*position as usize].op;
    Verdict::Illegal(Illegal {
        key: format!("{key:?}"),
        ops: part.iter().map(|operation| operation.op).collect(),
        prefix: stuck.prefix.iter().map(id).collect(),
        stuck: id(&stuck.stuck),
    })
}

/// The search looks ahead and gives up early; people expect the longest order, where it is cheap.
fn longest<M: Model>(
    model: &M,
    part: &split::Part<'_, M>,
    stuck: Stuck,
    stop: &mut dyn FnMut() -> bool,
) -> Stuck {
    let little = Budget { configurations: 5_000, ..Budget::default() };
    match search::search_plainly(part, &mut *model.space(part), &little, stop).0 {
        Answer::Impossible(plain) => plain,
        Answer::Order(_) | Answer::OutOf(_) => stuck,
    }
}

/// Explains an illegal verdict on `history`. `None` if that takes too long to shrink at all.
pub fn explain<M: Model>(
    model: &M,
    history: &[Operation<M::Call, M::Reply>],
    illegal: &Illegal,
    stop: &mut dyn FnMut() -> bool,
) -> Option<Explanation> {
    let ids: BTreeSet<u64> = illegal.ops.iter().copied().collect();
    let mut part: Vec<_> = history.iter().filter(|op| ids.contains(&op.op)).collect();
    part.sort_unstable_by_key(|operation| operation.invoked);
    let mut explanation = explain::explain(model, &part, stop)?;
    if let Some(first) = part.first() {
        let key = model.key(&first.call);
        let same = |op: &&Operation<_, _>| model.key(&op.call).cmp(&key).is_eq();
        let mut all: Vec<_> = history.iter().filter(same).collect();
        all.sort_unstable_by_key(|operation| operation.invoked);
        explanation.drawn = explain::draw(&all, &explanation.core, &explanation.prefix);
    }
    Some(explanation)
}
