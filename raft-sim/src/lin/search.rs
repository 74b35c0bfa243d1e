//! The search: is there an order of one key's operations that explains every answer?
//!
//! **Intuition.** Walk the returns in order of time. Before the first operation not yet placed
//! returns, it must be placed, and so must everything that has to come before it; everything
//! invoked by then is a candidate. Depth first, undoing wrong guesses, remembering every
//! situation that led nowhere. A situation is: which return comes next, which open operations are
//! already placed, the state, and which operations of unknown outcome were used.
//!
//! Nine rules keep it small. Each is sound by the exchange argument given with it; `brute.rs`
//! compares all of them with plain enumeration.
//! 1. *Reads at once.* A candidate that is legal now and changes nothing is placed now, without
//!    another branch: take any completion and move it to the front; no state changes, and nothing
//!    unplaced had returned before it was invoked.
//! 2. *Unknown outcomes are optional*, so a situation in which a subset of them was used covers
//!    one in which more were used for the same state: whatever completes the second completes the
//!    first, where more are left. And of several that do the same, the first invoked is used
//!    first: swapping two of them changes nothing else.
//! 3. *An unknown outcome that changes nothing* is left out, by rule 2; not so an overwrite while dead
//!    writes are open, which ride along with it (rule 4).
//! 4. *Dead writes ride along.* A dead write (see [`Traits`](super::space::Traits)) is placed just before the next
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
//! 8. *The first to return goes first* among open operations that do the same, and one of unknown
//!    outcome goes after those: take a completion that has two of them the other way round and
//!    swap them. The one now later was open until later; the one now earlier is already open.
//! 9. *An unknown outcome is used for something.* Take a completion with as few of them as
//!    possible. Whatever follows one of them does something else there than it would without it,
//!    or that one could be left out. So it is a candidate only if some open operation, or another
//!    unknown outcome that is itself of use, does something else behind it (`Space::helpers`);
//!    where dead writes are open, than behind those.
//!
//! **Source.** Wing and Gong 1993 (the search), Lowe 2017 (remembering situations), with the
//! open operations kept in slots as in just-in-time linearization; the rules are ours.
//! **Upholds.** `inv:linearizable`.
//! **Not here.** States (`space.rs`), splitting (`split.rs`), budgets for whole histories
//! (`mod.rs`).

mod branches;
mod layout;
mod mask;
mod unknown;
mod used;

use branches::Branches;
use layout::{Group, Layout, NONE, UNKNOWN};
use mask::{Mask, Wide};
use used::Used;

use super::{
    Budget, Exhausted,
    history::Operation,
    space::{ClassId, Space, StateId},
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
        search_in::<u64>(layout, space, budget, GROUPS_AT_ONCE, stop)
    } else {
        search_in::<Wide>(layout, space, budget, GROUPS_AT_ONCE, stop)
    }
}

/// With many unknown outcomes, first with only those that help at once: most histories need no
/// others, and a search that tries all of them can lose itself among their subsets. An order found
/// that way is an order; finding none says nothing.
fn search_in<M: Mask>(
    layout: Layout,
    space: &mut dyn Space,
    budget: &Budget,
    groups_at_once: usize,
    stop: &mut dyn FnMut() -> bool,
) -> (Answer, Cost) {
    if layout.groups.len() <= groups_at_once {
        return Search::<M>::new(layout, space, budget).run(stop);
    }
    let easy = 4 * layout.returns.len() as u64 + 100_000;
    let few = Budget { configurations: easy.min(budget.configurations / 4), ..*budget };
    let mut search = Search::<M>::new(layout.clone(), space, &few);
    search.few_unknown = true;
    let (answer, first) = search.run(stop);
    if matches!(answer, Answer::Order(_) | Answer::OutOf(Exhausted::Stopped)) {
        return (answer, first);
    }
    let rest = Budget { configurations: budget.configurations - first.configurations, ..*budget };
    let mut search = Search::<M>::new(layout, space, &rest);
    search.groups_at_once = groups_at_once;
    let (answer, second) = search.run(stop);
    let configurations = first.configurations + second.configurations;
    (answer, Cost { configurations, bytes: first.bytes.max(second.bytes) })
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

/// Searches as if there were many open operations and many unknown outcomes; for comparing.
pub(super) fn search_wide<C, R>(
    history: &[&Operation<C, R>],
    space: &mut dyn Space,
    budget: &Budget,
) -> Answer {
    search_in::<Wide>(Layout::new(history, space), space, budget, 0, &mut || false).0
}

/// Stands for the unknown outcomes that are not candidates yet, to be looked at when everything else
/// has failed: there may be thousands.
const REST: u32 = u32::MAX - 1;
/// Up to this many groups are candidates one by one.
const GROUPS_AT_ONCE: usize = 64;

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
    /// Classes of what is open and not placed, and of what could help them (rule 9).
    wanted: Vec<ClassId>,
    /// Whether dead writes are open, which an overwrite would bury.
    buries: bool,
    helpers: Vec<ClassId>,
    /// Per class the last frame that has a candidate of it (rule 8).
    stamps: Vec<u32>,
    stamp: u32,
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
    groups_at_once: usize,
    /// Only the unknown outcomes that help at once: then an order is an order, and nothing else
    /// follows.
    few_unknown: bool,
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
            wanted: Vec::new(),
            buries: false,
            helpers: Vec::new(),
            stamps: vec![0; layout.traits.len()],
            stamp: 0,
            seen: FixedMap::default(),
            chains: Vec::new(),
            sets: Used::new(layout.groups.len()),
            best: Vec::new(),
            best_shared: 0,
            best_stuck: NONE,
            look_ahead: true,
            groups_at_once: GROUPS_AT_ONCE,
            few_unknown: false,
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
        self.wanted.clear();
        self.buries = false;
        let mut jumps = 0;
        for slot in 0..self.open.len() {
            let op = self.open[slot];
            if op == NONE || self.placed.has(slot as u32) {
                continue;
            }
            let known = self.layout.known[op as usize];
            let traits = self.layout.traits[known.class as usize];
            self.wanted.push(known.class);
            self.buries |= traits.dead;
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
        self.push_unknown(awaited_class);
        if self.look_ahead && self.layout.traits[awaited_class as usize].read {
            // Rule 6. A completed operation does not jump again behind itself.
            let Self { scratch, space, layout, .. } = self;
            let unknown = layout.unknown_jump(awaited_class) <= self.next_return;
            scratch.retain(|&(_, code, next)| {
                if code == REST {
                    return true;
                }
                let jumps_itself =
                    code & UNKNOWN == 0 && layout.traits[layout.class(code) as usize].jumps;
                unknown || jumps > u32::from(jumps_itself) || space.grows_into(next, awaited_class)
            });
        }
        let branch = self.space.branch(self.state);
        if self.look_ahead && self.branches.holds(branch) {
            // Rule 7.
            let Self { scratch, space, .. } = self;
            scratch.retain(|&(_, code, next)| code == REST || space.branch(next) == branch);
        }
        self.scratch.sort_unstable();
        {
            // Rule 8: the first of each class has the least rank.
            self.stamp += 1;
            let Self { scratch, layout, stamps, stamp, .. } = self;
            scratch.retain(|&(_, code, _)| {
                if code == REST {
                    return true;
                }
                core::mem::replace(&mut stamps[layout.class(code) as usize], *stamp) != *stamp
            });
        }
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
            if code == REST {
                self.state = next;
                self.expand_rest();
                continue;
            }
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
