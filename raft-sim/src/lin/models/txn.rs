//! Transactions that append to lists and read them.
//!
//! **Intuition.** A read of a list tells the order of everything appended to it, so what each
//! transaction saw says which others it must follow and which it must precede. Together with real
//! time that is a graph; if it has no circle, any order along it explains every read.
//! **Source.** Adya 1999 (dependencies); list-append as in Elle (Alvaro and Kingsbury 2020). The
//! treatment of appends nobody read is ours, and makes the answer exact.
//! **Upholds.** `inv:linearizable` (of transactions: strict serializability).
//! **Not here.** Graphs (`graph.rs`), values appended twice: the search (`search.rs`).

use std::collections::BTreeMap;

use crate::{
    collections::{FixedMap, FixedSet},
    lin::{
        graph::Graph,
        history::Operation,
        model::Model,
        planted::{Mistake, planted},
        quick::Quick,
    },
};

/// One step of a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Step {
    /// Append to a list.
    Append {
        /// Which list.
        key: u64,
        /// What.
        value: u64,
    },
    /// Read a list.
    Read {
        /// Which list.
        key: u64,
    },
}

/// A transaction.
pub type Call = Vec<Step>;
/// What its reads saw, in their order.
pub type Reply = Vec<Vec<u64>>;

/// The model; lists start empty. All lists together are one state.
#[derive(Clone, Copy, Debug, Default)]
pub struct ListAppend;

impl Model for ListAppend {
    type Call = Call;
    type Reply = Reply;
    type State = BTreeMap<u64, Vec<u64>>;
    type Key = ();

    fn key(&self, _call: &Call) {}

    fn initial(&self) -> Self::State {
        BTreeMap::new()
    }

    fn apply(&self, state: &mut Self::State, call: &Call, reply: Option<&Reply>) -> bool {
        let mut seen = reply.map(|reply| reply.iter());
        for step in call {
            match step {
                Step::Append { key, value } => state.entry(*key).or_default().push(*value),
                Step::Read { key } => {
                    let Some(seen) = &mut seen else { continue };
                    let list = state.get(key).map_or(&[][..], Vec::as_slice);
                    if seen.next().is_none_or(|seen| seen != list) {
                        return false;
                    }
                }
            }
        }
        true
    }

    fn is_read(&self, call: &Call, _reply: Option<&Reply>) -> bool {
        call.iter().all(|step| matches!(step, Step::Read { .. }))
    }

    fn decide(&self, history: &[&Operation<Call, Reply>]) -> Quick {
        decide(history)
    }

    fn may_see(&self, other: &Operation<Call, Reply>, write: &Operation<Call, Reply>) -> bool {
        let Some(reply) = &other.reply else { return false };
        write.call.iter().any(|step| match step {
            Step::Append { value, .. } => reply.iter().any(|list| list.contains(value)),
            Step::Read { .. } => false,
        })
    }

    fn fits(&self, call: &Call, reply: &Reply) -> bool {
        call.iter().filter(|step| matches!(step, Step::Read { .. })).count() == reply.len()
    }

    fn heap_bytes(&self, state: &Self::State) -> usize {
        state.values().map(|list| list.len() * 8 + 64).sum()
    }
}

/// What a transaction saw of a list before its own appends.
#[derive(Clone, Copy, Debug)]
struct View<'a> {
    reader: u32,
    before: &'a [u64],
}

/// What is known of one list.
#[derive(Debug, Default)]
struct List<'a> {
    /// The longest that was read, and by whom.
    longest: &'a [u64],
    by: u32,
    views: Vec<View<'a>>,
    /// Everything read, own appends included.
    seen: Vec<(u32, &'a [u64])>,
    appends: Vec<(u64, u32)>,
}

fn decide(history: &[&Operation<Call, Reply>]) -> Quick {
    let mut lists: BTreeMap<u64, List<'_>> = BTreeMap::new();
    let mut writers: FixedMap<(u64, u64), u32> = FixedMap::default();
    for (position, operation) in history.iter().enumerate() {
        for step in &operation.call {
            if let Step::Append { key, value } = *step {
                if writers.insert((key, value), position as u32).is_some() {
                    return Quick::NotApplicable;
                }
                lists.entry(key).or_default().appends.push((value, position as u32));
            }
        }
    }
    for (position, operation) in history.iter().enumerate() {
        if let Some(reply) = &operation.reply
            && !note_reads(&mut lists, position as u32, &operation.call, reply)
        {
            return Quick::Illegal(vec![position as u32]);
        }
    }
    let mut takes_part: Vec<bool> = history.iter().map(|op| op.returned.is_some()).collect();
    let with_writers = |core: &[u32]| with_writers(history, &writers, core);
    for (&key, list) in &lists {
        for &(reader, seen) in &list.seen {
            if !list.longest.starts_with(seen) {
                return with_writers(&[list.by, reader]);
            }
        }
        for &value in list.longest {
            match writers.get(&(key, value)) {
                Some(&writer) => takes_part[writer as usize] = true,
                None => return Quick::Illegal(vec![list.by]),
            }
        }
    }
    let mut graph = Graph::new(history.len() as u32);
    for (&key, list) in &lists {
        if let Err(core) = connect(&mut graph, key, list, &writers, &takes_part) {
            return with_writers(&with_longest(history, &lists, core));
        }
    }
    if !planted(Mistake::TransactionsOutOfTime) {
        graph.real_time(history, |at| takes_part[at].then_some(at as u32));
    }
    let order = match graph.order() {
        Ok(order) => order,
        Err(circle) => {
            let core: Vec<u32> =
                circle.into_iter().filter(|&node| (node as usize) < history.len()).collect();
            return with_writers(&with_longest(history, &lists, core));
        }
    };
    let mut state = BTreeMap::new();
    let replays = order
        .into_iter()
        .filter(|&node| takes_part.get(node as usize).is_some_and(|takes_part| *takes_part))
        .all(|node| {
            let operation = history[node as usize];
            ListAppend.apply(&mut state, &operation.call, operation.reply.as_ref())
        });
    if replays { Quick::Ok } else { Quick::NotApplicable }
}

/// Notes what a transaction saw; `false` if that contradicts itself.
fn note_reads<'a>(
    lists: &mut BTreeMap<u64, List<'a>>,
    reader: u32,
    call: &[Step],
    reply: &'a [Vec<u64>],
) -> bool {
    let mut own: Vec<(u64, u64)> = Vec::new();
    let mut first: Vec<(u64, &[u64])> = Vec::new();
    let mut replies = reply.iter();
    for step in call {
        let key = match *step {
            Step::Append { key, value } => {
                own.push((key, value));
                continue;
            }
            Step::Read { key } => key,
        };
        let Some(seen) = replies.next() else { return false };
        let mine: Vec<u64> =
            own.iter().filter(|(list, _)| *list == key).map(|&(_, value)| value).collect();
        if !seen.ends_with(&mine) {
            return false;
        }
        let before = &seen[..seen.len() - mine.len()];
        let list = lists.entry(key).or_default();
        match first.iter().find(|(list, _)| *list == key) {
            Some((_, earlier)) if *earlier != before => return false,
            Some(_) => {}
            None => {
                first.push((key, before));
                list.views.push(View { reader, before });
            }
        }
        list.seen.push((reader, seen));
        if seen.len() > list.longest.len() {
            (list.longest, list.by) = (seen, reader);
        }
    }
    true
}

/// The demands of one list.
fn connect(
    graph: &mut Graph,
    key: u64,
    list: &List<'_>,
    writers: &FixedMap<(u64, u64), u32>,
    takes_part: &[bool],
) -> Result<(), Vec<u32>> {
    let writer = |value: u64| writers.get(&(key, value)).copied();
    for pair in list.longest.windows(2) {
        if let (Some(before), Some(after)) = (writer(pair[0]), writer(pair[1]))
            && before != after
        {
            graph.edge(before, after);
        }
    }
    let last = list.longest.last().copied().and_then(writer);
    let mut full = Vec::new();
    for &View { reader, before } in &list.views {
        if let Some(source) = before.last().copied().and_then(writer) {
            graph.edge(source, reader);
        }
        match list.longest.get(before.len()) {
            Some(&next) => {
                if let Some(next) = writer(next).filter(|&next| next != reader) {
                    graph.edge(reader, next);
                }
            }
            None => full.push(reader),
        }
    }
    // Appends that no read shows come behind everything that was read.
    let shown: FixedSet<u64> = list.longest.iter().copied().collect();
    let mut hidden: Vec<u32> = list
        .appends
        .iter()
        .filter(|(value, writer)| takes_part[*writer as usize] && !shown.contains(value))
        .map(|&(_, writer)| writer)
        .collect();
    hidden.sort_unstable();
    hidden.dedup();
    if hidden.is_empty() {
        return Ok(());
    }
    // Half of its appends shown and half not: whoever saw the first half came too early and too late.
    if let Some(split) = last.filter(|last| hidden.binary_search(last).is_ok()) {
        for reader in full.into_iter().filter(|&reader| reader != split) {
            graph.edge(reader, split);
        }
        for after in hidden.into_iter().filter(|&writer| writer != split) {
            graph.edge(split, after);
        }
        return Ok(());
    }
    let (both, only): (Vec<u32>, Vec<u32>) =
        full.iter().partition(|reader| hidden.binary_search(reader).is_ok());
    // Of two that read everything and then appended, the second should have seen the first.
    if let [one, other, ..] = both[..] {
        return Err(vec![one, other]);
    }
    let (first, second) = (graph.node(), graph.node());
    graph.edge(first, second);
    for before in only.into_iter().chain(last) {
        graph.edge(before, first);
    }
    for &reader in &both {
        graph.edge(first, reader);
        graph.edge(reader, second);
    }
    for after in hidden.into_iter().filter(|writer| !both.contains(writer)) {
        graph.edge(second, after);
    }
    Ok(())
}

/// With whoever read most of each list in question: that shows the order of the appends.
fn with_longest(
    history: &[&Operation<Call, Reply>],
    lists: &BTreeMap<u64, List<'_>>,
    mut core: Vec<u32>,
) -> Vec<u32> {
    for at in 0..core.len() {
        for Step::Append { key, .. } | Step::Read { key } in &history[core[at] as usize].call {
            if let Some(list) = lists.get(key).filter(|list| !list.longest.is_empty()) {
                core.push(list.by);
            }
        }
    }
    core
}

/// Illegal because of the transactions in `core`, together with whatever wrote what they saw.
fn with_writers(
    history: &[&Operation<Call, Reply>],
    writers: &FixedMap<(u64, u64), u32>,
    core: &[u32],
) -> Quick {
    let mut all = core.to_vec();
    for &position in core {
        let operation = history[position as usize];
        let reads = operation.call.iter().filter_map(|step| match step {
            Step::Read { key } => Some(*key),
            Step::Append { .. } => None,
        });
        for (key, seen) in reads.zip(operation.reply.iter().flatten()) {
            all.extend(seen.iter().filter_map(|&value| writers.get(&(key, value))));
        }
    }
    all.sort_unstable();
    all.dedup();
    Quick::Illegal(all)
}
