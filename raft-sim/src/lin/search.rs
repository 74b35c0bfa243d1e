//! The search: is there an order of one key's operations that explains every answer?
//!
//! **Intuition.** Walk the returns in order of time. Before the first operation not yet placed
//! returns, it must be placed, and so must everything that has to come before it; everything
//! invoked by then is a candidate. Depth first, undoing wrong guesses, remembering every
//! situation that led nowhere. A situation is: which return comes next, which open operations are
//! already placed, the state, and which operations of unknown outcome were used.
//!
//! Seven rules keep it small. Each is sound by the exchange argument given with it; `brute.rs`
//! compares all of them with plain enumeration.
//! 1. *Reads at once.* A candidate that is legal now and changes nothing is placed now, without
//!    another branch: take any completion and move it to the front; no state changes, and nothing
//!    unplaced had returned before it was invoked.
//! 2. *Unknown outcomes are optional*, so a situation in which a subset of them was used covers
//!    one in which more were used for the same state: whatever completes the second completes the
//!    first, where more are left. And of several that do the same, the first invoked is used
//!    first: swapping two of them changes nothing else.
//! 3. *An unknown outcome that changes nothing* is left out, by rule 2.
//! 4. *Dead writes ride along.* A dead write (see [`Traits`]) is placed just before the next
//!    overwriting one, or when its own return is next. Take a completion that places it elsewhere:
//!    between it and the next overwrite only operations that see nothing are placed, so without
//!    it they are legal too; and just before an overwrite it is seen by nobody.
//! 5. *Dead unknown writes are dropped.* The same argument with "elsewhere" being "nowhere".
//! 6. *No way back.* Until the awaited operation is placed no new one is invoked. If it is a read
//!    that the next state cannot grow into, and nothing that could jump is left to place before
//!    it, that candidate leads nowhere.
//! 7. *No way back in time.* If the first unplaced read that needs the branch the state is in
//!    returns before anything unplaced that could lead into that branch is invoked, the branch
//!    must not be left yet: by then that read would have to be placed.
//!
//! **Source.** Wing and Gong 1993 (the search), Lowe 2017 (remembering situations), with the
//! open operations kept in slots as in just-in-time linearization; the rules are ours.
//! **Upholds.** `inv:linearizable`.
//! **Not here.** States (`space.rs`), splitting (`split.rs`), budgets for whole histories
//! (`mod.rs`).

mod branches;
mod mask;

use branches::Branches;
use mask::{Mask, Used, Wide};

use super::{
    Budget, Exhausted,
    history::Operation,
    space::{ClassId, Space, StateId, Traits},
};
use crate::collections::FixedMap;

/// What a search found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// An order that explains everything, as positions in the history; unknown outcomes that are
    /// not in it are left out.
    Order(Vec<u32>),
    /// There is none.
    Impossible(Stuck),
    /// The budget ran out first.
    OutOf(Exhausted),
}

/// Where the search got furthest when there is no order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stuck {
    /// The longest legal order found: positions in the history.
    pub prefix: Vec<u32>,
    /// The operation that had to be placed next and could not.
    pub stuck: u32,
}

/// What a search cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cost {
    /// Situations visited.
    pub configurations: u64,
    /// Most memory counted.
    pub bytes: u64,
}

/// Searches one key's `history`, given in order of invocation, in `space`.
/// `stop` is polled every 4,096 situations; inside a simulated run it must never say yes.
pub fn search<C, R>(
    history: &[&Operation<C, R>],
    space: &mut dyn Space,
    budget: &Budget,
    stop: &mut dyn FnMut() -> bool,
) -> (Answer, Cost) {
    let layout = Layout::new(history, space);
    if layout.slots <= 64 {
        Search::<u64>::new(layout, space, budget).run(stop)
    } else {
        Search::<Wide>::new(layout, space, budget).run(stop)
    }
}

/// Searches without looking ahead: slower, but the longest legal order of an illegal history is
/// what people expect.
pub fn search_plainly<C, R>(
    history: &[&Operation<C, R>],
    space: &mut dyn Space,
    budget: &Budget,
    stop: &mut dyn FnMut() -> bool,
) -> (Answer, Cost) {
    let layout = Layout::new(history, space);
    let mut search = Search::<Wide>::new(layout, space, budget);
    search.look_ahead = false;
    search.run(stop)
}

/// Searches with the representation for many open operations, however few there are.
#[cfg(test)]
pub(super) fn search_wide<C, R>(
    history: &[&Operation<C, R>],
    space: &mut dyn Space,
    budget: &Budget,
) -> Answer {
    Search::<Wide>::new(Layout::new(history, space), space, budget).run(&mut || false).0
}

const NONE: u32 = u32::MAX;
/// Marks a candidate as an unknown outcome; the rest of the number is its group.
const UNKNOWN: u32 = 1 << 31;

/// A completed operation.
#[derive(Clone, Copy, Debug)]
struct Known {
    position: u32,
    class: ClassId,
    slot: u32,
    /// Place among all returns.
    rank: u32,
}

/// Operations of unknown outcome that do the same.
#[derive(Clone, Debug)]
struct Group {
    class: ClassId,
    /// Position, and the first return it was invoked before; in order of invocation.
    members: Vec<(u32, u32)>,
}

/// The history in the shape the search walks.
#[derive(Debug)]
struct Layout {
    known: Vec<Known>,
    /// Completed operations in order of return.
    returns: Vec<u32>,
    /// How many completed operations were invoked before each return.
    entered: Vec<u32>,
    groups: Vec<Group>,
    /// The most operations open at once.
    slots: usize,
    traits: Vec<Traits>,
    /// Per class, for rule 7: the branch a read needs and the branch an operation supplies.
    needs: Vec<Option<u32>>,
    supplies: Vec<Option<u32>>,
    /// Class by position.
    class_of: Vec<ClassId>,
}

impl Layout {
    fn new<C, R>(history: &[&Operation<C, R>], space: &dyn Space) -> Self {
        let traits: Vec<Traits> =
            (0..space.classes()).map(|class| space.traits(class as ClassId)).collect();
        let mut known = Vec::with_capacity(history.len());
        let mut times = Vec::with_capacity(history.len());
        let mut open = Vec::new();
        for (position, operation) in history.iter().enumerate() {
            let class = space.class(position);
            if let Some(returned) = operation.returned {
                times.push((returned, known.len() as u32));
                known.push(Known { position: position as u32, class, slot: NONE, rank: NONE });
            } else if !traits[class as usize].read && !traits[class as usize].dead {
                open.push((position as u32, class, operation.invoked));
            }
        }
        times.sort_unstable();
        let invoked = |op: &Known| history[op.position as usize].invoked;

        // One sweep over the returns gives every operation its slot for as long as it is open.
        let (mut free, mut slots, mut next) = (Vec::new(), 0, 0);
        let mut entered = Vec::with_capacity(times.len() + 1);
        for (rank, &(returned, op)) in times.iter().enumerate() {
            while next < known.len() && invoked(&known[next]) < returned {
                known[next].slot = free.pop().unwrap_or_else(|| {
                    slots += 1;
                    slots - 1
                });
                next += 1;
            }
            entered.push(next as u32);
            known[op as usize].rank = rank as u32;
            free.push(known[op as usize].slot);
        }
        entered.push(next as u32);

        let mut groups: Vec<Group> = Vec::new();
        let mut group_of: FixedMap<ClassId, usize> = FixedMap::default();
        for (position, class, invoked) in open {
            let from = times.partition_point(|&(returned, _)| returned < invoked);
            if from == times.len() {
                continue; // Nothing returns after it, so nothing can depend on it.
            }
            let group = *group_of.entry(class).or_insert_with(|| {
                groups.push(Group { class, members: Vec::new() });
                groups.len() - 1
            });
            groups[group].members.push((position, from as u32));
        }
        let returns = times.into_iter().map(|(_, op)| op).collect();
        let all = 0..space.classes() as ClassId;
        let needs = all.clone().map(|class| space.needs(class)).collect();
        let supplies = all.map(|class| space.supplies(class)).collect();
        let class_of = (0..history.len()).map(|position| space.class(position)).collect();
        let slots = slots as usize;
        Self { known, returns, entered, groups, slots, traits, needs, supplies, class_of }
    }

    /// The class of a candidate.
    fn class(&self, code: u32) -> ClassId {
        if code & UNKNOWN == 0 {
            self.known[code as usize].class
        } else {
            self.groups[(code & !UNKNOWN) as usize].class
        }
    }

    fn bytes(&self) -> u64 {
        let members: usize = self.groups.iter().map(|group| group.members.len() + 4).sum();
        let classes = self.traits.len() * (size_of::<Traits>() + 16) + self.class_of.len() * 4;
        (self.known.len() * (size_of::<Known>() + 8) + members * 8 + classes) as u64
    }
}

/// A situation without the unknown outcomes used in it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Situation<M> {
    next_return: u32,
    state: StateId,
    placed: M,
}

/// A situation on the path, and which candidates are still to be tried there.
#[derive(Debug)]
struct Frame<M> {
    situation: Situation<M>,
    used: u32,
    order: u32,
    /// Range of the candidate stack still to be tried.
    candidate: u32,
    candidates_end: u32,
}

struct Search<'a, M> {
    layout: Layout,
    space: &'a mut dyn Space,
    budget: &'a Budget,
    // Where we are.
    next_return: u32,
    state: StateId,
    placed: M,
    used: u32,
    order: Vec<u32>,
    /// Which operation is open in each slot, placed or not.
    open: Vec<u32>,
    branches: Branches,
    // How we got here.
    frames: Vec<Frame<M>>,
    candidates: Vec<(u32, StateId)>,
    scratch: Vec<(u64, u32, StateId)>,
    // What led nowhere: the situation, and a chain of sets of unknown outcomes used.
    seen: FixedMap<Situation<M>, u32>,
    chains: Vec<(u32, u32)>,
    sets: Used,
    // The longest order so far, and how much of `order` it shares.
    best: Vec<u32>,
    best_shared: usize,
    best_stuck: u32,
    /// Rules 6 and 7: off when the longest order of an illegal history is wanted, which they cut
    /// short.
    look_ahead: bool,
    cost: Cost,
}

impl<'a, M: Mask> Search<'a, M> {
    fn new(layout: Layout, space: &'a mut dyn Space, budget: &'a Budget) -> Self {
        let state = space.initial();
        let branches = Branches::new(&layout, space.branches());
        let mut search = Self {
            branches,
            space,
            budget,
            next_return: 0,
            state,
            placed: M::empty(layout.slots),
            used: 0,
            order: Vec::with_capacity(layout.known.len()),
            open: vec![NONE; layout.slots],
            frames: Vec::new(),
            candidates: Vec::new(),
            scratch: Vec::new(),
            seen: FixedMap::default(),
            chains: Vec::new(),
            sets: Used::new(layout.groups.len()),
            best: Vec::new(),
            best_shared: 0,
            best_stuck: NONE,
            look_ahead: true,
            cost: Cost::default(),
            layout,
        };
        search.enter(0, search.layout.entered[0]);
        search
    }

    fn run(mut self, stop: &mut dyn FnMut() -> bool) -> (Answer, Cost) {
        self.settle();
        loop {
            if self.next_return as usize == self.layout.returns.len() {
                return (Answer::Order(self.order), self.cost);
            }
            self.cost.configurations += 1;
            if let Some(exhausted) = self.over_budget(stop) {
                return (Answer::OutOf(exhausted), self.cost);
            }
            if self.is_new() {
                self.push_frame();
            } else {
                self.note_dead_end();
            }
            if !self.take_next() {
                let stuck = Stuck { prefix: self.best, stuck: self.best_stuck };
                return (Answer::Impossible(stuck), self.cost);
            }
            self.settle();
        }
    }

    fn over_budget(&mut self, stop: &mut dyn FnMut() -> bool) -> Option<Exhausted> {
        if self.cost.configurations > self.budget.configurations {
            return Some(Exhausted::Configurations);
        }
        let situation = size_of::<(Situation<M>, u32)>() + self.placed.heap_bytes();
        let frame = size_of::<Frame<M>>() + self.placed.heap_bytes();
        let bytes = self.layout.bytes()
            + self.space.bytes()
            + self.sets.bytes()
            + self.branches.bytes()
            + (self.seen.len() * (situation + 1) * 2) as u64
            + (self.chains.len() * 8) as u64
            + (self.frames.len() * frame) as u64
            + (self.candidates.len() * 8 + (self.order.len() + self.best.len()) * 4) as u64;
        self.cost.bytes = self.cost.bytes.max(bytes);
        if bytes > self.budget.memory_bytes {
            return Some(Exhausted::Memory);
        }
        if self.cost.configurations.is_multiple_of(4096) && stop() {
            return Some(Exhausted::Stopped);
        }
        None
    }

    /// Opens completed operations `from..to`.
    fn enter(&mut self, from: u32, to: u32) {
        for op in from..to {
            self.open[self.layout.known[op as usize].slot as usize] = op;
        }
    }

    fn place(&mut self, op: u32) {
        let known = self.layout.known[op as usize];
        self.placed.set(known.slot);
        self.append(known.position);
    }

    /// Puts the operation at `position` behind the order.
    fn append(&mut self, position: u32) {
        self.order.push(position);
        self.branches.place(position);
    }

    /// Places `op` if it is a read that is legal now (rule 1).
    fn place_read(&mut self, op: u32) {
        let known = self.layout.known[op as usize];
        if self.layout.traits[known.class as usize].read
            && !self.placed.has(known.slot)
            && self.space.step(self.state, known.class).is_some()
        {
            self.place(op);
        }
    }

    /// Places every read that is legal now and passes every return that is satisfied.
    fn settle(&mut self) {
        for slot in 0..self.open.len() {
            if self.open[slot] != NONE {
                self.place_read(self.open[slot]);
            }
        }
        while let Some(&op) = self.layout.returns.get(self.next_return as usize) {
            let slot = self.layout.known[op as usize].slot;
            if !self.placed.has(slot) {
                break;
            }
            self.placed.clear(slot);
            self.open[slot as usize] = NONE;
            let from = self.layout.entered[self.next_return as usize];
            self.next_return += 1;
            let to = self.layout.entered[self.next_return as usize];
            self.enter(from, to);
            for op in from..to {
                self.place_read(op);
            }
        }
    }

    /// Takes back every return from `next_return` on.
    fn retreat(&mut self, next_return: u32) {
        while self.next_return > next_return {
            let to = self.layout.entered[self.next_return as usize];
            self.next_return -= 1;
            let from = self.layout.entered[self.next_return as usize];
            for op in from..to {
                self.open[self.layout.known[op as usize].slot as usize] = NONE;
            }
            let op = self.layout.returns[self.next_return as usize];
            self.open[self.layout.known[op as usize].slot as usize] = op;
        }
    }

    /// Whether this situation has not been visited with the same unknown outcomes or fewer.
    fn is_new(&mut self) -> bool {
        let situation = Situation {
            next_return: self.next_return,
            state: self.state,
            placed: self.placed.clone(),
        };
        let head = self.seen.entry(situation).or_insert(NONE);
        let mut link = *head;
        while link != NONE {
            let (set, next) = self.chains[link as usize];
            if self.sets.within(set, self.used) {
                return false;
            }
            link = next;
        }
        self.chains.push((self.used, *head));
        *head = self.chains.len() as u32 - 1;
        true
    }

    fn push_frame(&mut self) {
        let awaited = self.layout.returns[self.next_return as usize];
        let awaited_class = self.layout.known[awaited as usize].class;
        self.scratch.clear();
        let mut jumps = 0;
        for slot in 0..self.open.len() {
            let op = self.open[slot];
            if op == NONE || self.placed.has(slot as u32) {
                continue;
            }
            let known = self.layout.known[op as usize];
            let traits = self.layout.traits[known.class as usize];
            jumps += u32::from(traits.jumps);
            if traits.read || (traits.dead && op != awaited) {
                continue;
            }
            if let Some(next) = self.space.step(self.state, known.class) {
                let serves = op == awaited || self.space.step(next, awaited_class).is_some();
                let rank = u64::from(!serves) << 34 | u64::from(known.rank);
                self.scratch.push((rank, op, next));
            }
        }
        for group in 0..self.layout.groups.len() {
            let Group { class, members } = &self.layout.groups[group];
            let count = self.sets.count(self.used, group);
            let Some(&(_, from)) = members.get(count as usize) else { continue };
            if from > self.next_return {
                continue;
            }
            // Counted twice: taking one may leave another.
            jumps += 2 * u32::from(self.layout.traits[*class as usize].jumps);
            if let Some(next) = self.space.step(self.state, *class)
                && next != self.state
            {
                let serves = self.space.step(next, awaited_class).is_some();
                let rank = u64::from(!serves) << 34 | 1 << 33 | group as u64;
                self.scratch.push((rank, UNKNOWN | group as u32, next));
            }
        }
        if self.look_ahead && self.layout.traits[awaited_class as usize].read {
            // Rule 6.
            let Self { scratch, space, layout, .. } = self;
            scratch.retain(|&(_, code, next)| {
                let own = u32::from(layout.traits[layout.class(code) as usize].jumps);
                jumps > own || space.grows_into(next, awaited_class)
            });
        }
        let branch = self.space.branch(self.state);
        if self.look_ahead && self.branches.holds(branch) {
            // Rule 7.
            let Self { scratch, space, .. } = self;
            scratch.retain(|&(_, _, next)| space.branch(next) == branch);
        }
        self.scratch.sort_unstable();
        let start = self.candidates.len() as u32;
        self.candidates.extend(self.scratch.iter().map(|&(_, code, next)| (code, next)));
        self.frames.push(Frame {
            situation: Situation {
                next_return: self.next_return,
                state: self.state,
                placed: self.placed.clone(),
            },
            used: self.used,
            order: self.order.len() as u32,
            candidate: start,
            candidates_end: self.candidates.len() as u32,
        });
    }

    /// Takes the next untried candidate on the path, undoing as far as needed. `false` when none
    /// is left.
    fn take_next(&mut self) -> bool {
        loop {
            let Some(frame) = self.frames.last_mut() else { return false };
            if frame.candidate == frame.candidates_end {
                self.note_dead_end();
                let frame = self.frames.pop().expect("just seen");
                let earlier = self.frames.last().map_or(0, |below| below.candidates_end);
                debug_assert!(earlier <= frame.candidate);
                self.candidates.truncate(earlier as usize);
                if let Some(below) = self.frames.last() {
                    let (next_return, order) = (below.situation.next_return, below.order);
                    self.undo_to(next_return, order);
                }
                continue;
            }
            let (code, next) = self.candidates[frame.candidate as usize];
            frame.candidate += 1;
            let (next_return, order) = (frame.situation.next_return, frame.order);
            self.placed = frame.situation.placed.clone();
            self.used = frame.used;
            self.undo_to(next_return, order);
            self.take(code);
            self.state = next;
            return true;
        }
    }

    fn undo_to(&mut self, next_return: u32, order: u32) {
        self.retreat(next_return);
        for position in self.order.drain(order as usize..) {
            self.branches.take_back(position);
        }
        self.best_shared = self.best_shared.min(order as usize);
    }

    fn take(&mut self, code: u32) {
        let class = self.layout.class(code);
        if self.layout.traits[class as usize].overwrites {
            // Rule 4.
            for slot in 0..self.open.len() {
                let op = self.open[slot];
                if op != NONE && op != code && !self.placed.has(slot as u32) {
                    let class = self.layout.known[op as usize].class;
                    if self.layout.traits[class as usize].dead {
                        self.place(op);
                    }
                }
            }
        }
        if code & UNKNOWN == 0 {
            self.place(code);
        } else {
            let group = (code & !UNKNOWN) as usize;
            let count = self.sets.count(self.used, group);
            self.append(self.layout.groups[group].members[count as usize].0);
            self.used = self.sets.add(self.used, group);
        }
    }

    /// Keeps the order if it is the longest so far. Only what changed since the last time is
    /// copied.
    fn note_dead_end(&mut self) {
        if self.order.len() > self.best.len() || self.best_stuck == NONE {
            self.best.truncate(self.best_shared);
            self.best.extend_from_slice(&self.order[self.best_shared..]);
            self.best_shared = self.order.len();
            let awaited = self.layout.returns[self.next_return as usize];
            self.best_stuck = self.layout.known[awaited as usize].position;
        }
    }
}
