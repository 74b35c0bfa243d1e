//! Sequential consistency: one order that respects each client.
//!
//! **Intuition.** Walk through the clients' programs in step: which operation of which client comes
//! next? A situation is how far each client is and what the keys hold. Unlike linearizability this
//! is not a matter of each key alone, but a key that has no order by itself settles it.
//! **Source.** Lamport 1979; deciding it is NP-complete (Gibbons and Korach 1997), so there is a
//! budget. Reads at once: a read that is next and right changes nothing and hinders nobody.
//! **Upholds.** `inv:linearizable` (a level below it).
//! **Not here.** Real time (`search.rs`).

use std::collections::BTreeMap;

use crate::{
    collections::FixedSet,
    lin::{
        Budget, Exhausted, How, Illegal, Verdict,
        history::Operation,
        model::Model,
        search::Cost,
        space::{Space, StateId},
    },
};

/// Decides the whole `history`, key by key first.
pub(super) fn check<M: Model>(
    model: &M,
    history: &[Operation<M::Call, M::Reply>],
    clients: &[Vec<u32>],
    budget: &Budget,
    stop: &mut dyn FnMut() -> bool,
) -> (Verdict, Cost) {
    let mut keys: BTreeMap<M::Key, Vec<u32>> = BTreeMap::new();
    for position in 0..history.len() as u32 {
        keys.entry(model.key(&history[position as usize].call)).or_default().push(position);
    }
    let mut sum = Cost::default();
    let mut run = |wanted: Option<&M::Key>, stop: &mut dyn FnMut() -> bool| {
        let of_key =
            |&at: &u32| wanted.is_none_or(|key| model.key(&history[at as usize].call) == *key);
        let programs: Vec<Vec<u32>> = clients
            .iter()
            .map(|own| own.iter().copied().filter(|at| of_key(at)).collect::<Vec<u32>>())
            .filter(|own| !own.is_empty())
            .collect();
        let parts = keys.iter().filter(|(key, _)| wanted.is_none_or(|wanted| wanted == *key));
        let name = wanted.map_or_else(|| "(all)".to_owned(), |key| format!("{key:?}"));
        let mut walk = Walk::new(model, history, programs, parts.map(|(_, part)| part));
        let verdict = walk.run(&name, budget, stop);
        sum.configurations += walk.cost.configurations;
        sum.bytes = sum.bytes.max(walk.cost.bytes);
        verdict
    };
    let mut unknown = None;
    if keys.len() > 1 {
        for key in keys.keys() {
            match run(Some(key), stop) {
                Verdict::Ok { .. } => {}
                illegal @ Verdict::Illegal(_) => return (illegal, sum),
                spent @ Verdict::Unknown { .. } => {
                    unknown.get_or_insert(spent);
                }
            }
        }
    }
    let verdict = match unknown {
        Some(unknown) => unknown,
        None => run(None, stop),
    };
    (verdict, sum)
}

/// How far each client is, and the state of each key.
type Situation = (Box<[u32]>, Box<[StateId]>);

struct Walk<'a, C, R> {
    history: &'a [Operation<C, R>],
    programs: Vec<Vec<u32>>,
    spaces: Vec<Box<dyn Space + 'a>>,
    /// By position: which space, and which class there.
    of: Vec<(u32, u32)>,
    seen: FixedSet<Situation>,
    cost: Cost,
}

impl<'a, C, R> Walk<'a, C, R> {
    fn new<M: Model<Call = C, Reply = R>>(
        model: &'a M,
        history: &'a [Operation<C, R>],
        programs: Vec<Vec<u32>>,
        parts: impl Iterator<Item = &'a Vec<u32>>,
    ) -> Self {
        let mut spaces = Vec::new();
        let mut of = vec![(0, 0); history.len()];
        for part in parts {
            let operations: Vec<&Operation<C, R>> =
                part.iter().map(|&at| &history[at as usize]).collect();
            let space = model.space(&operations);
            for (local, &at) in part.iter().enumerate() {
                of[at as usize] = (spaces.len() as u32, space.class(local));
            }
            spaces.push(space);
        }
        Self { history, programs, spaces, of, seen: FixedSet::default(), cost: Cost::default() }
    }

    fn run(&mut self, key: &str, budget: &Budget, stop: &mut dyn FnMut() -> bool) -> Verdict {
        let at: Box<[u32]> = vec![0; self.programs.len()].into();
        let states: Box<[StateId]> = self.spaces.iter().map(|space| space.initial()).collect();
        // Depth first; how each situation was reached, to tell the longest order.
        let mut stack: Vec<(Situation, usize, u32)> = vec![((at, states), usize::MAX, u32::MAX)];
        let mut came: Vec<(usize, u32)> = Vec::new();
        let mut best = (0, usize::MAX, u32::MAX);
        while let Some((mut situation, parent, op)) = stack.pop() {
            self.cost.configurations += 1;
            let each = self.programs.len() * 4 + self.spaces.len() * 4 + 64;
            let bytes = ((self.seen.len() * 2 + stack.len() + came.len()) * each) as u64
                + self.spaces.iter().map(|space| space.bytes()).sum::<u64>();
            self.cost.bytes = self.cost.bytes.max(bytes);
            let exhausted = if self.cost.configurations > budget.configurations {
                Some(Exhausted::Configurations)
            } else if bytes > budget.memory_bytes {
                Some(Exhausted::Memory)
            } else if self.cost.configurations.is_multiple_of(4096) && stop() {
                Some(Exhausted::Stopped)
            } else {
                None
            };
            if let Some(exhausted) = exhausted {
                return Verdict::Unknown { key: key.to_owned(), exhausted };
            }
            let mut here = parent;
            if op != u32::MAX {
                came.push((parent, op));
                here = came.len() - 1;
            }
            self.place_reads(&mut situation, &mut came, &mut here);
            let Some(waiting) = self.waiting(&situation) else {
                return Verdict::Ok { how: How::Search };
            };
            let placed: u32 = situation.0.iter().sum();
            if placed > best.0 || best.2 == u32::MAX {
                best = (placed, here, waiting);
            }
            if !self.seen.insert(situation.clone()) {
                continue;
            }
            for client in (0..self.programs.len()).rev() {
                if let Some((next, op)) = self.step(&situation, client) {
                    stack.push((next, here, op));
                }
            }
        }
        let mut prefix = Vec::new();
        let mut at = best.1;
        while let Some(&(parent, op)) = came.get(at) {
            prefix.push(self.history[op as usize].op);
            at = parent;
        }
        prefix.reverse();
        let ops = self.programs.iter().flatten().map(|&at| self.history[at as usize].op).collect();
        let stuck = self.history[best.2 as usize].op;
        Verdict::Illegal(Illegal { key: key.to_owned(), ops, prefix, stuck })
    }

    /// A completed operation that is not placed yet.
    fn waiting(&self, (at, _): &Situation) -> Option<u32> {
        self.programs.iter().zip(at).find_map(|(own, &at)| {
            let next = *own.get(at as usize)?;
            self.history[next as usize].returned.map(|_| next)
        })
    }

    fn step(&mut self, situation: &Situation, client: usize) -> Option<(Situation, u32)> {
        let op = *self.programs[client].get(situation.0[client] as usize)?;
        let (space, class) = self.of[op as usize];
        let state = situation.1[space as usize];
        let next = self.spaces[space as usize].step(state, class)?;
        if self.history[op as usize].returned.is_none() && next == state {
            return None; // Left out instead.
        }
        let mut after = situation.clone();
        after.0[client] += 1;
        after.1[space as usize] = next;
        Some((after, op))
    }

    fn place_reads(
        &mut self,
        situation: &mut Situation,
        came: &mut Vec<(usize, u32)>,
        here: &mut usize,
    ) {
        let mut moved = true;
        while moved {
            moved = false;
            for client in 0..self.programs.len() {
                while let Some(&op) = self.programs[client].get(situation.0[client] as usize) {
                    let (space, class) = self.of[op as usize];
                    let space_of = &mut self.spaces[space as usize];
                    if !space_of.traits(class).read
                        || space_of.step(situation.1[space as usize], class).is_none()
                    {
                        break;
                    }
                    situation.0[client] += 1;
                    came.push((*here, op));
                    *here = came.len() - 1;
                    moved = true;
                }
            }
        }
    }
}
