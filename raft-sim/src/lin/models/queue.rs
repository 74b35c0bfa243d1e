//! A first-in first-out queue: enqueue, dequeue.
//!
//! **Intuition.** With values of their own, only four things can be wrong: something is taken that
//! was not put in before, or taken twice; of two values put in one after the other the second is
//! taken before the first; or a dequeue finds nothing although at every moment of it some value
//! was surely inside. Each is found by sorting.
//! **Source.** Henzinger, Sezgin and Vafeiadis 2013 (the four violations are all there are).
//! Published monitors of this kind have been wrong, so this one is compared with brute force.
//! **Upholds.** `inv:linearizable`.
//! **Not here.** Repeated values, dequeues of unknown outcome: the search (`search.rs`).

use crate::{
    collections::FixedMap,
    lin::{
        history::Operation,
        model::Model,
        planted::{Mistake, planted},
        quick::Quick,
    },
};

/// What clients ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Call {
    /// Put in at the end.
    Enqueue {
        /// Which queue.
        key: u64,
        /// What.
        value: u64,
    },
    /// Take out the first.
    Dequeue {
        /// Which queue.
        key: u64,
    },
}

/// What clients are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reply {
    /// It is in.
    Done,
    /// What was taken out; `None`: the queue was empty.
    Taken(Option<u64>),
}

/// The model; queues start empty.
#[derive(Clone, Copy, Debug, Default)]
pub struct Queue;

impl Model for Queue {
    type Call = Call;
    type Reply = Reply;
    type State = Vec<u64>;
    type Key = u64;

    fn key(&self, call: &Call) -> u64 {
        match *call {
            Call::Enqueue { key, .. } | Call::Dequeue { key } => key,
        }
    }

    fn initial(&self) -> Vec<u64> {
        Vec::new()
    }

    fn apply(&self, state: &mut Vec<u64>, call: &Call, reply: Option<&Reply>) -> bool {
        match *call {
            Call::Enqueue { value, .. } => {
                state.push(value);
                reply.is_none_or(|reply| *reply == Reply::Done)
            }
            Call::Dequeue { .. } => {
                let first = (!state.is_empty()).then(|| state.remove(0));
                reply.is_none_or(|reply| *reply == Reply::Taken(first))
            }
        }
    }

    fn is_read(&self, _call: &Call, reply: Option<&Reply>) -> bool {
        reply == Some(&Reply::Taken(None))
    }

    fn decide(&self, history: &[&Operation<Call, Reply>]) -> Quick {
        decide(history)
    }

    fn may_see(&self, other: &Operation<Call, Reply>, write: &Operation<Call, Reply>) -> bool {
        // A value can be forgotten as a whole: what is left keeps its order. A dequeue that found
        // nothing, or of which nobody knows what it found, may depend on anything.
        match (write.call, write.reply) {
            (Call::Enqueue { value, .. }, _) => match other.call {
                Call::Enqueue { .. } => false,
                Call::Dequeue { .. } => match other.reply {
                    Some(Reply::Taken(Some(taken))) => taken == value,
                    // Found nothing: without the value, still nothing.
                    Some(_) => false,
                    None => true,
                },
            },
            // Without its dequeue a value stays in: the enqueue must go with it.
            (Call::Dequeue { .. }, Some(Reply::Taken(Some(taken)))) => {
                matches!(other.call, Call::Enqueue { value, .. } if value == taken)
            }
            (Call::Dequeue { .. }, _) => true,
        }
    }

    fn fits(&self, call: &Call, reply: &Reply) -> bool {
        matches!(call, Call::Enqueue { .. }) == (*reply == Reply::Done)
    }

    fn heap_bytes(&self, state: &Vec<u64>) -> usize {
        state.len() * 8
    }
}

/// A value: who put it in and who took it out.
#[derive(Clone, Copy, Debug)]
struct Stay {
    put: u32,
    taken: Option<u32>,
}

fn decide(history: &[&Operation<Call, Reply>]) -> Quick {
    let mut stays: Vec<Stay> = Vec::new();
    let mut of_value: FixedMap<u64, usize> = FixedMap::default();
    for (position, operation) in history.iter().enumerate() {
        match (operation.call, operation.reply) {
            (Call::Enqueue { value, .. }, _) => {
                if of_value.insert(value, stays.len()).is_some() {
                    return Quick::NotApplicable;
                }
                stays.push(Stay { put: position as u32, taken: None });
            }
            (Call::Dequeue { .. }, None) => return Quick::NotApplicable,
            (Call::Dequeue { .. }, Some(_)) => {}
        }
    }
    let mut empty = Vec::new();
    for (position, operation) in history.iter().enumerate() {
        let position = position as u32;
        match operation.reply {
            Some(Reply::Taken(Some(value))) => {
                let Some(stay) = of_value.get(&value).map(|&stay| &mut stays[stay]) else {
                    return Quick::Illegal(vec![position]);
                };
                if let Some(taken) = stay.taken {
                    return illegal([taken, position, stay.put]);
                }
                stay.taken = Some(position);
                let returned = operation.returned.unwrap_or(u64::MAX);
                if returned < history[stay.put as usize].invoked {
                    return illegal([stay.put, position]);
                }
            }
            Some(Reply::Taken(None)) => empty.push(position),
            _ => {}
        }
    }
    // A value of unknown outcome that nobody took may never have been there.
    stays.retain(|stay| stay.taken.is_some() || history[stay.put as usize].returned.is_some());
    let in_order = check_order(history, &mut stays).filter(|_| !planted(Mistake::QueueOrderFree));
    let found_nothing =
        check_empty(history, &stays, &empty).filter(|_| !planted(Mistake::QueueAlwaysMaybeEmpty));
    in_order.or(found_nothing).map_or(Quick::Ok, illegal)
}

fn illegal(core: impl IntoIterator<Item = u32>) -> Quick {
    let mut core: Vec<u32> = core.into_iter().collect();
    core.sort_unstable();
    core.dedup();
    Quick::Illegal(core)
}

/// When a value was surely put in; `None`: never surely.
fn put_by(history: &[&Operation<Call, Reply>], stay: &Stay) -> Option<u64> {
    history[stay.put as usize].returned
}

/// Until when a value surely was not taken out.
fn taken_from(history: &[&Operation<Call, Reply>], stay: &Stay) -> u64 {
    stay.taken.map_or(u64::MAX, |taken| history[taken as usize].invoked)
}

/// Two values, the first surely put in before the second and surely taken after it.
fn check_order(history: &[&Operation<Call, Reply>], stays: &mut [Stay]) -> Option<Vec<u32>> {
    let mut by_put: Vec<(u64, Stay)> =
        stays.iter().filter_map(|stay| Some((put_by(history, stay)?, *stay))).collect();
    by_put.sort_unstable_by_key(|&(at, _)| at);
    stays.sort_unstable_by_key(|stay| history[stay.put as usize].invoked);
    // Of all values put in before this one: the one that stayed longest.
    let (mut next, mut longest): (usize, Option<Stay>) = (0, None);
    for stay in stays.iter() {
        let begins = history[stay.put as usize].invoked;
        while let Some(&(_, earlier)) = by_put.get(next).filter(|&&(at, _)| at < begins) {
            next += 1;
            let from = taken_from(history, &earlier);
            if longest.is_none_or(|longest| taken_from(history, &longest) < from) {
                longest = Some(earlier);
            }
        }
        if let (Some(taken), Some(first)) = (stay.taken, longest)
            && history[taken as usize].returned.is_some_and(|at| at < taken_from(history, &first))
        {
            return Some([first.put, stay.put, taken].into_iter().chain(first.taken).collect());
        }
    }
    None
}

/// A dequeue that found nothing although some value was inside at every moment of it.
fn check_empty(
    history: &[&Operation<Call, Reply>],
    stays: &[Stay],
    empty: &[u32],
) -> Option<Vec<u32>> {
    // From when to when each value surely was inside.
    let mut inside: Vec<(u64, u64, Stay)> = stays
        .iter()
        .filter_map(|stay| Some((put_by(history, stay)?, taken_from(history, stay), *stay)))
        .filter(|&(from, to, _)| from < to)
        .collect();
    inside.sort_unstable_by_key(|&(from, to, _)| (from, to));
    // Stretches without a gap, as ranges of `inside`.
    let mut stretches: Vec<(u64, u64, usize, usize)> = Vec::new();
    for (at, &(from, to, _)) in inside.iter().enumerate() {
        match stretches.last_mut() {
            Some((_, end, _, last)) if from < *end => (*end, *last) = (to.max(*end), at + 1),
            _ => stretches.push((from, to, at, at + 1)),
        }
    }
    for &position in empty {
        let operation = history[position as usize];
        let returned = operation.returned.unwrap_or(u64::MAX);
        let stretch = stretches.partition_point(|&(from, ..)| from < operation.invoked);
        let Some(&(_, end, first, last)) = stretch.checked_sub(1).map(|at| &stretches[at]) else {
            continue;
        };
        if returned < end {
            // As few values as cover it.
            let mut core = vec![position];
            let mut reached = operation.invoked;
            while reached <= returned {
                let best = inside[first..last].iter().filter(|&&(from, ..)| from <= reached);
                let Some(&(_, to, stay)) = best.max_by_key(|&&(_, to, _)| to) else { break };
                core.push(stay.put);
                core.extend(stay.taken);
                if to <= reached {
                    break;
                }
                reached = to;
            }
            return Some(core);
        }
    }
    None
}
