//! Explaining a violation: a few operations that are enough, and why nothing works.
//!
//! **Intuition.** A history of a thousand operations convinces nobody. Take away operations for
//! as long as what is left is still impossible: a read may go at any time, a write only together
//! with everything that saw it. What remains is usually three to six operations, and for those
//! every way to continue the longest legal order can be spelled out.
//! **Source.** Zeller and Hildebrandt 2002 (delta debugging), with removals that are sound for
//! histories.
//! **Upholds.** `inv:linearizable`.
//! **Not here.** Deciding (`search.rs`), HTML (`html.rs`).

use core::fmt::Write;
use std::collections::BTreeSet;

use super::{
    Budget,
    history::Operation,
    model::Model,
    search::{Answer, Stuck, search, search_plainly},
};

/// A small part of an illegal history that is illegal by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// Ids of its operations, in order of invocation.
    pub core: Vec<u64>,
    /// Whether no single removal is possible any more; `false`: the budget was hit first.
    pub minimal: bool,
    /// The longest legal order of the core, as ids.
    pub prefix: Vec<u64>,
    /// What could come next behind the prefix, and why it cannot: one line each.
    pub candidates: Vec<(u64, String)>,
    /// The core as a drawing, one operation a line.
    pub timeline: String,
    /// The core among its neighbours on the same key, in order of invocation.
    pub drawn: Vec<Drawn>,
}

/// An operation as it is drawn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Drawn {
    /// Its id.
    pub op: u64,
    /// Who asked.
    pub client: u64,
    /// When it was invoked.
    pub invoked: u64,
    /// When it returned; `None`: never.
    pub returned: Option<u64>,
    /// Call and reply, in words.
    pub text: String,
    /// The log index it claims.
    pub index: Option<u64>,
    /// Whether it belongs to the core.
    pub core: bool,
    /// Its place in the longest legal order of the core, from 1.
    pub place: Option<usize>,
}

/// Neighbours drawn before and behind the core.
const NEIGHBOURS: usize = 50;
/// Operations drawn at most; of a core spread over a long time the gaps are left out.
const DRAWN_MAX: usize = 400;

/// The core among its neighbours in `part`, one key's operations in order of invocation.
pub(super) fn draw<C: core::fmt::Debug, R: core::fmt::Debug>(
    part: &[&Operation<C, R>],
    core: &[u64],
    prefix: &[u64],
) -> Vec<Drawn> {
    let of_core: BTreeSet<u64> = core.iter().copied().collect();
    let is_core = |at: usize| of_core.contains(&part[at].op);
    let mut chosen: BTreeSet<usize> = (0..part.len()).filter(|&at| is_core(at)).collect();
    let (Some(&first), Some(&last)) = (chosen.first(), chosen.last()) else { return Vec::new() };
    let from = first.saturating_sub(NEIGHBOURS);
    let to = last.saturating_add(NEIGHBOURS + 1).min(part.len());
    let room = DRAWN_MAX.saturating_sub(chosen.len());
    // Nearest to the end of the core first: that is where it broke.
    let mut near: Vec<usize> = (from..to).filter(|&at| !is_core(at)).collect();
    near.sort_by_key(|&at| at.abs_diff(last).min(at.abs_diff(first)));
    chosen.extend(near.into_iter().take(room));
    chosen
        .into_iter()
        .map(|at| {
            let operation = part[at];
            let place = prefix.iter().position(|&op| op == operation.op);
            Drawn {
                op: operation.op,
                client: operation.client,
                invoked: operation.invoked,
                returned: operation.returned,
                text: in_words(operation),
                index: operation.index,
                core: is_core(at),
                place: place.map(|place| place + 1),
            }
        })
        .collect()
}

fn in_words<C: core::fmt::Debug, R: core::fmt::Debug>(operation: &Operation<C, R>) -> String {
    match &operation.reply {
        Some(reply) => format!("{:?} -> {reply:?}", operation.call),
        None => format!("{:?} -> unknown", operation.call),
    }
}

/// Searches spent on shrinking.
const ATTEMPTS_MAX: usize = 2_000;
/// Situations one search of a shrunken history may take.
const CONFIGURATIONS_MAX: u64 = 200_000;

/// Explains why one key's `part` (in order of invocation, illegal) has no order. `None` if the
/// budget does not suffice to show that it has none.
pub fn explain<M: Model>(
    model: &M,
    part: &[&Operation<M::Call, M::Reply>],
    stop: &mut dyn FnMut() -> bool,
) -> Option<Explanation> {
    let budget = Budget { configurations: CONFIGURATIONS_MAX, ..Budget::default() };
    let mut attempts = 0;
    let mut impossible = |kept: &[&Operation<M::Call, M::Reply>]| {
        attempts += 1;
        if attempts > ATTEMPTS_MAX || stop() {
            return None;
        }
        let mut space = model.space(kept);
        match search(kept, &mut *space, &budget, &mut || false).0 {
            Answer::Impossible(_) => Some(true),
            Answer::Order(_) | Answer::OutOf(_) => Some(false),
        }
    };
    if impossible(part) != Some(true) {
        return None;
    }
    // What was invoked later than some moment, and reads that ended later, can go: an order of the
    // whole, cut off there, is an order of the rest. Find the earliest such moment by halving.
    let cut = |at: u64| -> Vec<_> {
        let read = |op: &Operation<M::Call, M::Reply>| model.is_read(&op.call, op.reply.as_ref());
        let ended = |op: &Operation<_, _>| op.returned.is_some_and(|returned| returned <= at);
        part.iter().copied().filter(|op| op.invoked <= at && (ended(op) || !read(op))).collect()
    };
    let mut moments: Vec<u64> = part.iter().filter_map(|operation| operation.returned).collect();
    moments.sort_unstable();
    let (mut low, mut high) = (0, moments.len().saturating_sub(1));
    while low < high {
        let middle = low + (high - low) / 2;
        match impossible(&cut(moments[middle])) {
            Some(true) => high = middle,
            Some(false) => low = middle + 1,
            None => return None,
        }
    }
    let mut kept = cut(moments[high]);
    let mut minimal = true;
    'shrink: {
        let mut chunk = kept.len().div_ceil(2);
        loop {
            let mut removed = false;
            let mut start = kept.len();
            while start > 0 {
                let end = start;
                start = start.saturating_sub(chunk);
                let Some(rest) = without(model, &kept, start..end) else { continue };
                match impossible(&rest) {
                    None => {
                        minimal = false;
                        break 'shrink;
                    }
                    Some(true) => {
                        kept = rest;
                        removed = true;
                        start = start.min(kept.len());
                    }
                    Some(false) => {}
                }
            }
            if chunk > 1 {
                chunk = chunk.div_ceil(2);
            } else if !removed {
                break;
            }
        }
    }
    let mut space = model.space(&kept);
    let (Answer::Impossible(Stuck { prefix, .. }), _) =
        search_plainly(&kept, &mut *space, &budget, &mut || false)
    else {
        return None;
    };
    Some(Explanation {
        core: kept.iter().map(|operation| operation.op).collect(),
        minimal,
        prefix: prefix.iter().map(|&position| kept[position as usize].op).collect(),
        candidates: candidates(model, &kept, &prefix),
        timeline: timeline(&kept),
        drawn: Vec::new(),
    })
}

/// `part` without the operations in `range`, or `None` if that removal is not sound. Removing
/// reads is: an order of the whole is, without them, an order of the rest. Writes take with them
/// every operation that could have seen them, which the model tells by `may_see`; if one of those
/// is itself a write, so on.
pub(super) fn without<'a, M: Model>(
    model: &M,
    part: &[&'a Operation<M::Call, M::Reply>],
    range: core::ops::Range<usize>,
) -> Option<Vec<&'a Operation<M::Call, M::Reply>>> {
    let mut gone: BTreeSet<usize> = range.collect();
    let mut fresh: Vec<usize> = gone.iter().copied().collect();
    while let Some(writer) = fresh.pop() {
        if model.is_read(&part[writer].call, part[writer].reply.as_ref()) {
            continue;
        }
        for (reader, operation) in part.iter().enumerate() {
            if !gone.contains(&reader) && model.may_see(operation, part[writer]) {
                gone.insert(reader);
                fresh.push(reader);
            }
        }
    }
    let rest: Vec<_> = (0..part.len()).filter(|at| !gone.contains(at)).map(|at| part[at]).collect();
    (!rest.is_empty()).then_some(rest)
}

/// Everything that could be placed behind `prefix`, with the reason why it leads nowhere.
fn candidates<M: Model>(
    model: &M,
    part: &[&Operation<M::Call, M::Reply>],
    prefix: &[u32],
) -> Vec<(u64, String)> {
    let mut state = model.initial();
    for &position in prefix {
        let operation = part[position as usize];
        model.apply(&mut state, &operation.call, operation.reply.as_ref());
    }
    let open: Vec<&Operation<_, _>> =
        (0..part.len()).filter(|&at| !prefix.contains(&(at as u32))).map(|at| part[at]).collect();
    let first_return = open.iter().filter_map(|operation| operation.returned).min();
    open.iter()
        .map(|operation| {
            let mut after = state.clone();
            let reason = if first_return.is_some_and(|at| at < operation.invoked) {
                "was invoked after another one that must come first had returned".to_owned()
            } else if !model.apply(&mut after, &operation.call, operation.reply.as_ref()) {
                match &operation.reply {
                    Some(reply) => format!("cannot answer {reply:?} in state {state:?}"),
                    None => format!("is impossible in state {state:?}"),
                }
            } else {
                format!("would leave state {after:?}, from which the rest cannot be placed")
            };
            (operation.op, reason)
        })
        .collect()
}

/// Columns of the drawing of time.
const COLUMNS: usize = 48;

/// One line an operation: client, interval, call and reply. Time is by order, not by length.
fn timeline<C: core::fmt::Debug, R: core::fmt::Debug>(part: &[&Operation<C, R>]) -> String {
    let mut ends: Vec<u64> = part
        .iter()
        .flat_map(|operation| [Some(operation.invoked), operation.returned])
        .flatten()
        .collect();
    ends.sort_unstable();
    let scale = ends.len().max(2) - 1;
    let column = |at: u64| ends.partition_point(|&end| end < at) * (COLUMNS - 1) / scale;
    let mut text = String::new();
    for operation in part {
        let start = column(operation.invoked);
        let (end, close) = match operation.returned {
            Some(at) => (column(at).max(start + 1), '|'),
            None => (COLUMNS, '>'),
        };
        let bar: String = (0..=COLUMNS)
            .map(|at| match at {
                _ if at == start => '|',
                _ if at == end => close,
                _ if start < at && at < end => '-',
                _ => ' ',
            })
            .collect();
        let Operation { op, client, .. } = operation;
        writeln!(text, "client {client:>4} {bar} op {op}: {}", in_words(operation))
            .expect("a string takes everything");
    }
    text
}
