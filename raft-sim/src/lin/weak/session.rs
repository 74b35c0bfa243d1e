//! Session guarantees: what one client may count on from one operation to its next.
//!
//! **Intuition.** With values of their own, a read names the write it saw. A guarantee says which
//! writes are visible to a read besides that one; all of those on its key must come before it in
//! the one order of writes. The fewest visible writes demand the least, so they are worked out
//! exactly, and what they demand is a graph: a circle in it breaks the guarantee.
//! **Source.** Terry and others 1994 (the four guarantees); Viotti and Vukolic 2016 (as demands on
//! one order). At every level nobody reads what depends on their own later writes.
//! **Upholds.** `inv:linearizable` (levels below it).
//! **Not here.** Graphs (`graph.rs`).

use std::collections::BTreeMap;

use crate::{
    collections::FixedMap,
    lin::{
        Budget, Exhausted, How, Illegal, Verdict,
        graph::Graph,
        history::{HistoryError, Operation},
        model::Model,
        register::Access,
    },
};

/// Which guarantees are asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Promises {
    /// Monotonic reads.
    pub(super) reads: bool,
    /// Monotonic writes.
    pub(super) writes: bool,
    /// Read your writes.
    pub(super) own: bool,
    /// Writes follow reads.
    pub(super) follow: bool,
}

/// A set of writes.
#[derive(Clone, Debug)]
struct Bits(Vec<u64>);

impl Bits {
    fn new(count: usize) -> Self {
        Self(vec![0; count.div_ceil(64)])
    }

    fn insert(&mut self, bit: u32) {
        self.0[bit as usize / 64] |= 1 << (bit % 64);
    }

    fn join(&mut self, other: &Self) {
        for (word, other) in self.0.iter_mut().zip(&other.0) {
            *word |= other;
        }
    }

    /// The members from `start` up to `end` that are not in `without`.
    fn between(&self, start: u32, end: u32, without: &Self) -> Vec<u32> {
        let mut found = Vec::new();
        for at in start / 64..end.div_ceil(64) {
            let mut word = self.0[at as usize] & !without.0[at as usize];
            while word != 0 {
                let bit = at * 64 + word.trailing_zeros();
                word &= word - 1;
                if (start..end).contains(&bit) {
                    found.push(bit);
                }
            }
        }
        found
    }
}

/// What an operation is here.
#[derive(Clone, Copy, Debug)]
enum Kind {
    /// Number of the write.
    Write(u32),
    /// What it saw, and the range of the writes of its key.
    Read {
        saw: Option<u32>,
        key: (u32, u32),
    },
    Ignored,
}

pub(super) fn check<M: Model>(
    model: &M,
    history: &[Operation<M::Call, M::Reply>],
    clients: &[Vec<u32>],
    promises: Promises,
    budget: &Budget,
    stop: &mut dyn FnMut() -> bool,
) -> Result<Verdict, HistoryError> {
    let (kinds, positions) = match classify(model, history)? {
        Ok(found) => found,
        Err(read) => return Ok(broken(history, vec![read])),
    };
    // Nobody reads what comes from their own future; the order found is one to work in.
    let mut causes = Graph::new(history.len() as u32);
    for own in clients {
        for pair in own.windows(2) {
            causes.edge(pair[0], pair[1]);
        }
    }
    for (position, kind) in kinds.iter().enumerate() {
        if let Kind::Read { saw: Some(write), .. } = kind {
            causes.edge(positions[*write as usize], position as u32);
        }
    }
    let order = match causes.order() {
        Ok(order) => order,
        Err(circle) => return Ok(broken(history, circle)),
    };
    let mut client_of = vec![0; history.len()];
    for (client, own) in clients.iter().enumerate() {
        own.iter().for_each(|&position| client_of[position as usize] = client);
    }
    let count = positions.len();
    let deep = promises.writes || promises.follow;
    let words = count.div_ceil(64) as u64 * 8;
    let sets = clients.len() as u64 * 3 + if deep { count as u64 } else { 0 };
    let unknown = |exhausted| Ok(Verdict::Unknown { key: "(all)".to_owned(), exhausted });
    if words * sets > budget.memory_bytes {
        return unknown(Exhausted::Memory);
    }
    let mut demands = Demands { graph: Graph::new(count as u32), by: FixedMap::default() };
    let empty = Bits::new(count);
    // What each write brings with it, where that is more than itself.
    let mut brings: Vec<Bits> = vec![empty.clone(); if deep { count } else { 0 }];
    let mut sessions: Vec<Session> = clients.iter().map(|_| Session::new(count)).collect();
    for (step, position) in order.into_iter().enumerate() {
        if step.is_multiple_of(4096) && stop() {
            return unknown(Exhausted::Stopped);
        }
        if demands.graph.bytes() * 3 > budget.memory_bytes {
            return unknown(Exhausted::Memory);
        }
        let session = &mut sessions[client_of[position as usize]];
        match kinds[position as usize] {
            Kind::Ignored => {}
            Kind::Write(write) => {
                if deep {
                    let mut all = empty.clone();
                    all.insert(write);
                    if promises.writes {
                        all.join(&session.own);
                    }
                    if promises.follow {
                        all.join(&session.read);
                    }
                    session.own.join(&all);
                    brings[write as usize] = all;
                } else {
                    session.own.insert(write);
                }
                if promises.writes
                    && let Some(last) = session.last_write
                {
                    demands.add(last, write, position);
                }
                if promises.follow {
                    for &saw in &session.saw_since_write {
                        demands.add(saw, write, position);
                    }
                    // Through this write, if the client's writes are ordered; else again.
                    if promises.writes {
                        session.saw_since_write.clear();
                    }
                }
                session.last_write = Some(write);
            }
            Kind::Read { saw, key: (start, end) } => {
                let mut visible = empty.clone();
                if promises.reads {
                    visible.join(&session.read);
                }
                if promises.own {
                    visible.join(&session.own);
                }
                if let Some(saw) = saw {
                    if deep { visible.join(&brings[saw as usize]) } else { visible.insert(saw) }
                }
                // What an earlier read of the key settled is settled through what that one saw.
                let settled = if promises.reads { &session.settled } else { &empty };
                let mut before = visible.between(start, end, settled);
                before.extend(session.saw.get(&(start, end)).filter(|_| promises.reads));
                let Some(saw) = saw else {
                    if let Some(&write) = before.first() {
                        return Ok(broken(history, vec![positions[write as usize], position]));
                    }
                    continue;
                };
                for write in before {
                    if write != saw {
                        demands.add(write, saw, position);
                    }
                    session.settled.insert(write);
                }
                session.saw.insert((start, end), saw);
                if deep {
                    session.read.join(&brings[saw as usize]);
                } else {
                    session.read.insert(saw);
                }
                if promises.follow && !session.saw_since_write.contains(&saw) {
                    session.saw_since_write.push(saw);
                }
            }
        }
    }
    Ok(match demands.graph.order() {
        Ok(_) => Verdict::Ok { how: How::Sorting },
        Err(circle) => {
            let mut core: Vec<u32> =
                circle.iter().map(|&write| positions[write as usize]).collect();
            for (at, &before) in circle.iter().enumerate() {
                let after = circle[(at + 1) % circle.len()];
                core.extend(demands.by.get(&(before, after)));
            }
            broken(history, core)
        }
    })
}

/// What one client has done so far.
#[derive(Debug)]
struct Session {
    /// What its writes bring, and what its reads saw brings.
    own: Bits,
    read: Bits,
    /// Writes that come before what it last saw of their key.
    settled: Bits,
    /// What it last saw of each key, by the key's range.
    saw: BTreeMap<(u32, u32), u32>,
    last_write: Option<u32>,
    saw_since_write: Vec<u32>,
}

impl Session {
    fn new(count: usize) -> Self {
        Self {
            own: Bits::new(count),
            read: Bits::new(count),
            settled: Bits::new(count),
            saw: BTreeMap::new(),
            last_write: None,
            saw_since_write: Vec::new(),
        }
    }
}

/// Which write must come before which, and the operation because of which.
#[derive(Debug)]
struct Demands {
    graph: Graph,
    by: FixedMap<(u32, u32), u32>,
}

impl Demands {
    fn add(&mut self, before: u32, after: u32, because: u32) {
        if let hashbrown::hash_map::Entry::Vacant(free) = self.by.entry((before, after)) {
            free.insert(because);
            self.graph.edge(before, after);
        }
    }
}

fn broken<C, R>(history: &[Operation<C, R>], mut core: Vec<u32>) -> Verdict {
    core.sort_unstable_by_key(|&position| history[position as usize].invoked);
    core.dedup();
    let ops: Vec<u64> = core.iter().map(|&position| history[position as usize].op).collect();
    let stuck = ops.last().copied().unwrap_or_default();
    Verdict::Illegal(Illegal { key: "(all)".to_owned(), ops, prefix: Vec::new(), stuck })
}

type Classified = (Vec<Kind>, Vec<u32>);

/// Numbers the writes, those of one key together. The inner error: a read of something nobody
/// wrote.
fn classify<M: Model>(
    model: &M,
    history: &[Operation<M::Call, M::Reply>],
) -> Result<Result<Classified, u32>, HistoryError> {
    let mut writes: Vec<(M::Key, u64, u32)> = Vec::new();
    let mut reads: Vec<(M::Key, Option<u64>, u32)> = Vec::new();
    for (position, operation) in history.iter().enumerate() {
        let key = model.key(&operation.call);
        let position = position as u32;
        match model.access(&operation.call, operation.reply.as_ref()) {
            Some(Access::Write(value)) => writes.push((key, value, position)),
            Some(Access::Read(value)) => reads.push((key, value, position)),
            Some(Access::ReadUnseen) => {}
            None => return Err(HistoryError::NotARegister { op: operation.op }),
        }
    }
    writes.sort();
    if let Some(pair) =
        writes.windows(2).find(|pair| pair[0].0 == pair[1].0 && pair[0].1 == pair[1].1)
    {
        return Err(HistoryError::NotARegister { op: history[pair[1].2 as usize].op });
    }
    let mut kinds = vec![Kind::Ignored; history.len()];
    for (number, (_, _, position)) in writes.iter().enumerate() {
        kinds[*position as usize] = Kind::Write(number as u32);
    }
    for (key, value, position) in reads {
        let start = writes.partition_point(|(other, ..)| *other < key);
        let end = writes.partition_point(|(other, ..)| *other <= key);
        let saw = match value {
            None => None,
            Some(value) => {
                match writes[start..end].binary_search_by_key(&value, |&(_, value, _)| value) {
                    Ok(found) => Some((start + found) as u32),
                    Err(_) => return Ok(Err(position)),
                }
            }
        };
        kinds[position as usize] = Kind::Read { saw, key: (start as u32, end as u32) };
    }
    Ok(Ok((kinds, writes.into_iter().map(|(_, _, position)| position).collect())))
}
