//! A set: add, remove, contains, read.
//!
//! **Intuition.** Elements do not affect each other, so without reads of the whole set each
//! element is a key of its own. If the set only grows, each element is added once and reads see
//! all of it, the reads are a ladder: each element belongs to the first read that has it and to no
//! earlier one, and what must come before what is a graph of linear size.
//! **Source.** Locality (Herlihy and Wing 1990) for the elements; the ladder is ours.
//! **Upholds.** `inv:linearizable`.
//! **Not here.** Graphs (`graph.rs`), other mixtures: the search (`search.rs`).

use std::collections::BTreeSet;

use crate::{
    collections::FixedMap,
    lin::{
        graph::Graph,
        history::Operation,
        model::Model,
        planted::{Mistake, planted},
        quick::Quick,
    },
};

/// What clients ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Call {
    /// Put an element in.
    Add {
        /// Which set.
        key: u64,
        /// Which element.
        value: u64,
    },
    /// Take an element out.
    Remove {
        /// Which set.
        key: u64,
        /// Which element.
        value: u64,
    },
    /// Ask for one element.
    Contains {
        /// Which set.
        key: u64,
        /// Which element.
        value: u64,
    },
    /// Read all elements.
    Read {
        /// Which set.
        key: u64,
    },
}

/// What clients are told.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Reply {
    /// Done.
    Done,
    /// Whether the element was there; for add and remove, whether something changed.
    Is(bool),
    /// All elements.
    All(BTreeSet<u64>),
}

/// The model; sets start empty.
#[derive(Clone, Copy, Debug, Default)]
pub struct Set {
    whole: bool,
}

impl Set {
    /// For histories without reads of the whole set; such reads do not fit it.
    pub const BY_ELEMENT: Self = Self { whole: false };
    /// For all histories.
    pub const WHOLE: Self = Self { whole: true };

    /// The one that fits `history` and splits it best.
    #[must_use]
    pub fn of(history: &[Operation<Call, Reply>]) -> Self {
        Self { whole: history.iter().any(|op| matches!(op.call, Call::Read { .. })) }
    }
}

impl Model for Set {
    type Call = Call;
    type Reply = Reply;
    type State = BTreeSet<u64>;
    type Key = (u64, Option<u64>);

    fn key(&self, call: &Call) -> Self::Key {
        match *call {
            Call::Add { key, value }
            | Call::Remove { key, value }
            | Call::Contains { key, value } => (key, (!self.whole).then_some(value)),
            Call::Read { key } => (key, None),
        }
    }

    fn initial(&self) -> BTreeSet<u64> {
        BTreeSet::new()
    }

    fn apply(&self, state: &mut BTreeSet<u64>, call: &Call, reply: Option<&Reply>) -> bool {
        let is = match call {
            Call::Add { value, .. } => state.insert(*value),
            Call::Remove { value, .. } => state.remove(value),
            Call::Contains { value, .. } => state.contains(value),
            Call::Read { .. } => {
                return match reply {
                    None => true,
                    Some(Reply::All(all)) => all == state,
                    Some(_) => false,
                };
            }
        };
        match reply {
            None => true,
            Some(Reply::Done) => !matches!(call, Call::Contains { .. }),
            Some(Reply::Is(said)) => *said == is,
            Some(Reply::All(_)) => false,
        }
    }

    fn is_read(&self, call: &Call, reply: Option<&Reply>) -> bool {
        matches!(call, Call::Contains { .. } | Call::Read { .. })
            || reply == Some(&Reply::Is(false))
    }

    fn decide(&self, history: &[&Operation<Call, Reply>]) -> Quick {
        decide(history)
    }

    fn may_see(&self, other: &Operation<Call, Reply>, write: &Operation<Call, Reply>) -> bool {
        let (Call::Add { value, .. } | Call::Remove { value, .. }) = write.call else {
            return true;
        };
        let adds = matches!(write.call, Call::Add { .. });
        match (&other.call, &other.reply) {
            (_, None | Some(Reply::Done)) => false,
            // An element that no read has may go unless something could have removed it again.
            (_, Some(Reply::All(all))) => !adds || all.contains(&value),
            (
                Call::Add { value: own, .. }
                | Call::Remove { value: own, .. }
                | Call::Contains { value: own, .. },
                _,
            ) => *own == value,
            (Call::Read { .. }, Some(Reply::Is(_))) => true,
        }
    }

    fn fits(&self, call: &Call, reply: &Reply) -> bool {
        match call {
            Call::Add { .. } | Call::Remove { .. } => !matches!(reply, Reply::All(_)),
            Call::Contains { .. } => matches!(reply, Reply::Is(_)),
            Call::Read { .. } => self.whole && matches!(reply, Reply::All(_)),
        }
    }

    fn heap_bytes(&self, state: &BTreeSet<u64>) -> usize {
        state.len() * 16
    }
}

fn decide(history: &[&Operation<Call, Reply>]) -> Quick {
    let mut adds: FixedMap<u64, u32> = FixedMap::default();
    let mut reads: Vec<(u32, &BTreeSet<u64>)> = Vec::new();
    for (position, operation) in history.iter().enumerate() {
        match (&operation.call, &operation.reply) {
            (Call::Add { value, .. }, None | Some(Reply::Done)) => {
                if adds.insert(*value, position as u32).is_some() {
                    return Quick::NotApplicable;
                }
            }
            (Call::Read { .. }, Some(Reply::All(all))) => reads.push((position as u32, all)),
            (Call::Read { .. }, None) => {}
            _ => return Quick::NotApplicable,
        }
    }
    reads.sort_by_key(|(_, all)| all.len());
    let mut graph = Graph::new(history.len() as u32);
    let mut takes_part: Vec<bool> = history.iter().map(|op| op.returned.is_some()).collect();
    let mut seen: BTreeSet<u64> = BTreeSet::new();
    // The ladder: between `from` and `to` a read sees what the last one saw; behind `to` the next
    // elements come in.
    let (mut from, mut to) = (graph.node(), graph.node());
    graph.edge(from, to);
    let mut last: Option<u32> = None;
    // A read on each rung, to show for it.
    let mut shown: FixedMap<u32, u32> = FixedMap::default();
    for &(read, all) in &reads {
        if *all != seen {
            if !seen.is_subset(all) {
                let core: Vec<u32> = last.into_iter().chain([read]).collect();
                return with_adds(history, &adds, &core);
            }
            let (next_from, next_to) = (graph.node(), graph.node());
            graph.edge(to, next_from);
            graph.edge(next_from, next_to);
            for element in all.difference(&seen) {
                let Some(&add) = adds.get(element) else { return Quick::Illegal(vec![read]) };
                takes_part[add as usize] = true;
                graph.edge(to, add);
                graph.edge(add, next_from);
            }
            seen.clone_from(all);
            (from, to) = (next_from, next_to);
        }
        shown.entry(from).or_insert(read);
        shown.entry(to).or_insert(read);
        graph.edge(from, read);
        graph.edge(read, to);
        last = Some(read);
    }
    for (position, operation) in history.iter().enumerate() {
        if let Call::Add { value, .. } = operation.call
            && takes_part[position]
            && !planted(Mistake::HiddenAddsFree)
            && !seen.contains(&value)
        {
            graph.edge(to, position as u32);
        }
    }
    graph.real_time(history, |at| takes_part[at].then_some(at as u32));
    match graph.order() {
        Ok(_) => Quick::Ok,
        Err(circle) => {
            let core: Vec<u32> = circle
                .into_iter()
                .filter_map(|node| {
                    if (node as usize) < history.len() {
                        Some(node)
                    } else {
                        shown.get(&node).copied()
                    }
                })
                .collect();
            with_adds(history, &adds, &core)
        }
    }
}

/// Illegal because of the operations in `core`, together with whatever added what they saw.
fn with_adds(
    history: &[&Operation<Call, Reply>],
    adds: &FixedMap<u64, u32>,
    core: &[u32],
) -> Quick {
    let mut all = core.to_vec();
    for &position in core {
        if let Some(Reply::All(elements)) = &history[position as usize].reply {
            all.extend(elements.iter().filter_map(|element| adds.get(element)));
        }
    }
    all.sort_unstable();
    all.dedup();
    Quick::Illegal(all)
}
