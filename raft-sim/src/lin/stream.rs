//! Checking while the history is still being made.
//!
//! **Intuition.** Linearizability of a prefix can only be lost, never regained, so a run can be
//! watched: after each return the set of all situations that could explain everything so far is
//! carried on, and when it is empty no future helps. An answer is taken up once every operation
//! invoked before it has an answer too or was given up; what was answered later prunes earlier
//! guesses, and nothing has to be guessed twice.
//! **Source.** Just-in-time linearization (Lowe 2017), breadth first. It shares no code with the
//! search, which is compared with it.
//! **Upholds.** `inv:linearizable`.
//! **Not here.** Whole histories (`search.rs`), explanations (`explain.rs`): run those on what was
//! recorded once a stream says illegal.

use core::fmt;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::{
    Budget, Exhausted,
    model::Model,
    planted::{Mistake, planted},
};
use crate::collections::FixedMap;

/// What is known so far. `Illegal` and `Unknown` are final; `Illegal` on any key wins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Every answer taken up so far can be explained.
    Ok {
        /// How many answers were taken up.
        taken_up: u64,
    },
    /// No future makes this history linearizable.
    Illegal {
        /// The key, as the model prints it.
        key: String,
        /// The operation whose answer cannot be explained.
        op: u64,
    },
    /// The budget of a key is spent; nothing is known from here on.
    Unknown {
        /// The key, as the model prints it.
        key: String,
        /// What ran out.
        exhausted: Exhausted,
    },
}

/// What a stream refuses. Nothing is changed by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StreamError {
    /// The client has an operation open, or gave one up and must go on under a new number.
    StillOpen {
        /// The client.
        client: u64,
        /// Its operation.
        op: u64,
    },
    /// The client has nothing open.
    NothingOpen {
        /// The client.
        client: u64,
    },
    /// The reply is of a kind its call never gets.
    ForeignReply {
        /// The operation.
        op: u64,
    },
    /// The operation was invoked before.
    DuplicateOperation {
        /// Its id.
        op: u64,
    },
}

impl fmt::Display for StreamError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::StillOpen { client, op } => write!(
                f,
                "client {client} still has operation {op} open: \
                 after an unknown outcome it must go on under a new number"
            ),
            Self::NothingOpen { client } => {
                write!(f, "client {client} is answered but has nothing open")
            }
            Self::ForeignReply { op } => {
                write!(f, "operation {op} has a reply of a kind its call never gets")
            }
            Self::DuplicateOperation { op } => {
                write!(f, "operation {op} appears twice: give each operation its own id")
            }
        }
    }
}

impl std::error::Error for StreamError {}

/// How an operation ended, as far as is known.
#[derive(Clone, Debug)]
enum Fate<R> {
    Open,
    Answered(R),
    /// Unknown outcome: open for ever.
    GivenUp,
    /// Definitely without effect.
    Failed,
}

#[derive(Clone, Debug)]
struct Entry<M: Model> {
    op: u64,
    call: M::Call,
    fate: Fate<M::Reply>,
}

#[derive(Clone, Copy, Debug)]
enum Event {
    Invoked(u64),
    Returned(u64),
}

/// A check that goes on while the history grows.
#[derive(Debug)]
pub struct Stream<M: Model> {
    model: M,
    budget: Budget,
    entries: BTreeMap<u64, Entry<M>>,
    ids: BTreeSet<u64>,
    next: u64,
    /// Per client: its entry, the operation's id, and whether it gave up on it.
    clients: BTreeMap<u64, (u64, u64, bool)>,
    events: VecDeque<Event>,
    keys: BTreeMap<M::Key, Frontier<M>>,
    taken_up: u64,
    spent: Option<(String, Exhausted)>,
    illegal: Option<(String, u64)>,
}

impl<M: Model> Stream<M> {
    /// A stream that has seen nothing. `budget` is for each key: situations visited, and memory
    /// for those carried on.
    #[must_use]
    pub const fn new(model: M, budget: Budget) -> Self {
        Self {
            model,
            budget,
            entries: BTreeMap::new(),
            ids: BTreeSet::new(),
            next: 0,
            clients: BTreeMap::new(),
            events: VecDeque::new(),
            keys: BTreeMap::new(),
            taken_up: 0,
            spent: None,
            illegal: None,
        }
    }

    /// `client` asks `call`, as operation `op`.
    ///
    /// # Errors
    /// When the client has something open, or `op` was used before.
    pub fn invoked(&mut self, client: u64, op: u64, call: M::Call) -> Result<(), StreamError> {
        if let Some(&(_, op, _)) = self.clients.get(&client) {
            return Err(StreamError::StillOpen { client, op });
        }
        if !self.ids.insert(op) {
            return Err(StreamError::DuplicateOperation { op });
        }
        let number = self.next;
        self.next += 1;
        self.clients.insert(client, (number, op, false));
        self.entries.insert(number, Entry { op, call, fate: Fate::Open });
        self.events.push_back(Event::Invoked(number));
        Ok(())
    }

    /// `client` is told `reply`.
    ///
    /// # Errors
    /// When it has nothing open, or the reply is of a kind its call never gets.
    pub fn returned(&mut self, client: u64, reply: M::Reply) -> Result<Progress, StreamError> {
        let number = self.open(client)?;
        if let Some(entry) = self.entries.get_mut(&number) {
            if !self.model.fits(&entry.call, &reply) {
                return Err(StreamError::ForeignReply { op: entry.op });
            }
            entry.fate = Fate::Answered(reply);
        }
        self.clients.remove(&client);
        self.events.push_back(Event::Returned(number));
        Ok(self.take_up())
    }

    /// `client` gives up: its operation may take effect at any later time, or never. It must go on
    /// under a new number.
    ///
    /// # Errors
    /// When it has nothing open.
    pub fn gave_up(&mut self, client: u64) -> Result<Progress, StreamError> {
        let number = self.open(client)?;
        self.end(number, Fate::GivenUp);
        if let Some((_, _, gave_up)) = self.clients.get_mut(&client) {
            *gave_up = true;
        }
        Ok(self.take_up())
    }

    /// `client` learns that its operation definitely had no effect and never will.
    ///
    /// # Errors
    /// When it has nothing open.
    pub fn failed(&mut self, client: u64) -> Result<Progress, StreamError> {
        let number = self.open(client)?;
        self.end(number, Fate::Failed);
        self.clients.remove(&client);
        Ok(self.take_up())
    }

    /// The history ends here: what is open has an unknown outcome.
    pub fn finish(mut self) -> Progress {
        for entry in self.entries.values_mut().filter(|entry| matches!(entry.fate, Fate::Open)) {
            entry.fate = Fate::GivenUp;
        }
        self.take_up()
    }

    /// What is known so far.
    #[must_use]
    pub fn progress(&self) -> Progress {
        match (&self.illegal, &self.spent) {
            (Some((key, op)), _) => Progress::Illegal { key: key.clone(), op: *op },
            (None, Some((key, exhausted))) => {
                Progress::Unknown { key: key.clone(), exhausted: *exhausted }
            }
            (None, None) => Progress::Ok { taken_up: self.taken_up },
        }
    }

    fn open(&self, client: u64) -> Result<u64, StreamError> {
        match self.clients.get(&client) {
            Some(&(number, _, false)) => Ok(number),
            _ => Err(StreamError::NothingOpen { client }),
        }
    }

    fn end(&mut self, number: u64, fate: Fate<M::Reply>) {
        if let Some(entry) = self.entries.get_mut(&number) {
            entry.fate = fate;
        }
    }

    /// Takes up events until one needs an answer that is not there yet.
    fn take_up(&mut self) -> Progress {
        while self.illegal.is_none() {
            let Some(&event) = self.events.front() else { break };
            let (Event::Invoked(number) | Event::Returned(number)) = event;
            let Some(entry) = self.entries.get(&number) else { break };
            let key = self.model.key(&entry.call);
            let frontier =
                self.keys.entry(key.clone()).or_insert_with(|| Frontier::new(self.model.initial()));
            match (event, &entry.fate) {
                // Everything behind it waits for its answer.
                (_, Fate::Open) => break,
                (Event::Invoked(_), fate) => {
                    let reply = match fate {
                        Fate::Answered(reply) => Some(reply.clone()),
                        _ => None,
                    };
                    if !matches!(fate, Fate::Failed) {
                        frontier.invoke(&self.model, number, entry.call.clone(), reply);
                    }
                    if !matches!(fate, Fate::Answered(_)) {
                        self.entries.remove(&number);
                    }
                }
                (Event::Returned(_), _) => {
                    let op = entry.op;
                    match frontier.take_return(&self.model, number, &self.budget) {
                        Ok(true) => self.taken_up += 1,
                        Ok(false) => self.illegal = Some((format!("{key:?}"), op)),
                        Err(exhausted) => {
                            self.spent.get_or_insert_with(|| (format!("{key:?}"), exhausted));
                        }
                    }
                    self.entries.remove(&number);
                }
            }
            self.events.pop_front();
        }
        self.progress()
    }
}

/// One way in which everything so far could have happened.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Situation {
    state: u32,
    /// Operations that took effect and have not returned yet, in order of number.
    placed: Vec<u64>,
    /// Operations of unknown outcome that took effect, likewise.
    used: Vec<u64>,
}

#[derive(Debug)]
struct Pending<M: Model> {
    call: M::Call,
    /// `None`: an unknown outcome.
    reply: Option<M::Reply>,
    read: bool,
}

/// Every situation one key can be in.
#[derive(Debug)]
struct Frontier<M: Model> {
    states: Vec<M::State>,
    ids: FixedMap<M::State, u32>,
    heap_bytes: usize,
    pending: BTreeMap<u64, Pending<M>>,
    situations: BTreeSet<Situation>,
    visited: u64,
    spent: Option<Exhausted>,
}

impl<M: Model> Frontier<M> {
    fn new(initial: M::State) -> Self {
        let first = Situation { state: 0, placed: Vec::new(), used: Vec::new() };
        let mut ids = FixedMap::default();
        ids.insert(initial.clone(), 0);
        Self {
            states: vec![initial],
            ids,
            heap_bytes: 0,
            pending: BTreeMap::new(),
            situations: BTreeSet::from([first]),
            visited: 0,
            spent: None,
        }
    }

    fn invoke(&mut self, model: &M, number: u64, call: M::Call, reply: Option<M::Reply>) {
        let read = model.is_read(&call, reply.as_ref());
        // A read nobody saw the answer of does nothing.
        if !(read && reply.is_none()) {
            self.pending.insert(number, Pending { call, reply, read });
        }
    }

    /// The operation returns: every situation must have it placed. `false`: none can.
    fn take_return(&mut self, model: &M, number: u64, budget: &Budget) -> Result<bool, Exhausted> {
        if let Some(exhausted) = self.spent {
            return Err(exhausted);
        }
        let mut seen = BTreeSet::new();
        let mut next = BTreeSet::new();
        let mut work: Vec<Situation> = core::mem::take(&mut self.situations).into_iter().collect();
        while let Some(mut situation) = work.pop() {
            self.visited += 1;
            let held = seen.len() + next.len() + work.len();
            if let Some(exhausted) = self.over_budget(held, budget) {
                self.spent = Some(exhausted);
                return Err(exhausted);
            }
            self.place_reads(model, &mut situation);
            if let Ok(at) = situation.placed.binary_search(&number) {
                situation.placed.remove(at);
                next.insert(situation);
                continue;
            }
            if !seen.insert(situation.clone()) {
                continue;
            }
            let open: Vec<u64> = self.pending.keys().copied().collect();
            for other in open {
                if let Some(after) = self.place(model, &situation, other) {
                    work.push(after);
                }
            }
        }
        self.pending.remove(&number);
        self.situations = without_the_covered(next);
        Ok(!self.situations.is_empty())
    }

    fn over_budget(&self, held: usize, budget: &Budget) -> Option<Exhausted> {
        let open = self.pending.len() * 16;
        let bytes = held * (size_of::<Situation>() + open)
            + self.states.len() * 2 * size_of::<M::State>()
            + 2 * self.heap_bytes;
        if self.visited > budget.configurations {
            Some(Exhausted::Configurations)
        } else if bytes as u64 > budget.memory_bytes {
            Some(Exhausted::Memory)
        } else {
            None
        }
    }

    /// Reads that are right now are placed now: that takes nothing from any future.
    fn place_reads(&self, model: &M, situation: &mut Situation) {
        for (number, pending) in self.pending.iter().filter(|(_, pending)| pending.read) {
            if let Err(at) = situation.placed.binary_search(number) {
                let mut state = self.states[situation.state as usize].clone();
                if model.apply(&mut state, &pending.call, pending.reply.as_ref()) {
                    situation.placed.insert(at, *number);
                }
            }
        }
    }

    fn place(&mut self, model: &M, situation: &Situation, number: u64) -> Option<Situation> {
        let pending = self.pending.get(&number)?;
        let unknown = pending.reply.is_none();
        let list = if unknown { &situation.used } else { &situation.placed };
        let at = list.binary_search(&number).err()?;
        let mut state = self.states[situation.state as usize].clone();
        if pending.read || !model.apply(&mut state, &pending.call, pending.reply.as_ref()) {
            return None;
        }
        let fresh = self.states.len() as u32;
        let id = *self.ids.entry(state.clone()).or_insert(fresh);
        if id == fresh {
            self.heap_bytes += model.heap_bytes(&state);
            self.states.push(state);
        }
        if unknown && id == situation.state {
            return None; // Left out instead.
        }
        let mut after = Situation { state: id, ..situation.clone() };
        let list = if unknown { &mut after.used } else { &mut after.placed };
        list.insert(at, number);
        Some(after)
    }
}

/// A situation in which fewer unknown outcomes were used covers one that is equal otherwise.
fn without_the_covered(all: BTreeSet<Situation>) -> BTreeSet<Situation> {
    /// Compared with at most so many.
    const COMPARED_MAX: usize = 64;
    let mut kept: BTreeMap<(u32, Vec<u64>), Vec<Vec<u64>>> = BTreeMap::new();
    let mut sorted: Vec<Situation> = all.into_iter().collect();
    sorted.sort_by_key(|situation| situation.used.len());
    for Situation { state, placed, used } in sorted {
        let list = kept.entry((state, placed)).or_default();
        let covers = |few: &Vec<u64>| {
            planted(Mistake::StreamCoversTooMuch)
                || few.iter().all(|number| used.binary_search(number).is_ok())
        };
        if !list.iter().take(COMPARED_MAX).any(covers) {
            list.push(used);
        }
    }
    kept.into_iter()
        .flat_map(|((state, placed), list)| {
            list.into_iter().map(move |used| Situation { state, placed: placed.clone(), used })
        })
        .collect()
}

/// Feeds a whole history to a stream, event by event.
///
/// # Errors
/// When the operations are no history.
pub fn replay<M: Model>(
    model: M,
    history: &[super::history::Operation<M::Call, M::Reply>],
    budget: &Budget,
) -> Result<Progress, StreamError> {
    let mut ends: Vec<(u64, bool, usize)> = Vec::with_capacity(history.len() * 2);
    for (position, operation) in history.iter().enumerate() {
        ends.push((operation.invoked, false, position));
        ends.extend(operation.returned.map(|at| (at, true, position)));
    }
    ends.sort_unstable();
    let mut stream = Stream::new(model, *budget);
    // Every operation under a number of its own: then it does not matter how clients were named.
    for (_, returns, position) in ends {
        let operation = &history[position];
        let client = position as u64;
        match (&operation.reply, returns) {
            (Some(reply), true) => drop(stream.returned(client, reply.clone())?),
            (reply, _) => {
                stream.invoked(client, operation.op, operation.call.clone())?;
                if reply.is_none() {
                    stream.gave_up(client)?;
                }
            }
        }
    }
    Ok(stream.finish())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        lin::models::kv::Kv,
        workload::kv::{Call, Reply},
    };

    #[test]
    fn a_stale_read_is_told_while_the_run_goes_on() {
        let mut stream = Stream::new(Kv, Budget::default());
        let put = |value| Call::Put { key: 0, value };
        let seen = |value| Reply::Value { value: Some(vec![value]) };
        stream.invoked(1, 0, put(1)).unwrap();
        assert_eq!(stream.returned(1, Reply::Done), Ok(Progress::Ok { taken_up: 1 }));
        stream.invoked(1, 1, put(2)).unwrap();
        stream.invoked(2, 2, Call::Get { key: 0 }).unwrap();
        assert_eq!(stream.returned(1, Reply::Done), Ok(Progress::Ok { taken_up: 1 }), "waits");
        assert_eq!(stream.returned(2, seen(1)), Ok(Progress::Ok { taken_up: 3 }));
        stream.invoked(2, 3, Call::Get { key: 0 }).unwrap();
        let illegal = Progress::Illegal { key: "0".into(), op: 3 };
        assert_eq!(stream.returned(2, seen(1)), Ok(illegal.clone()));
        // It stays so, whatever comes.
        stream.invoked(2, 4, put(1)).unwrap();
        assert_eq!(stream.returned(2, Reply::Done), Ok(illegal.clone()));
        assert_eq!(stream.finish(), illegal);
    }

    #[test]
    fn what_is_given_up_may_be_seen_much_later_and_what_failed_never() {
        for failed in [false, true] {
            let mut stream = Stream::new(Kv, Budget::default());
            stream.invoked(1, 0, Call::Put { key: 0, value: 7 }).unwrap();
            if failed { stream.failed(1) } else { stream.gave_up(1) }.unwrap();
            stream.invoked(2, 1, Call::Get { key: 0 }).unwrap();
            let value = Some(vec![7]);
            let told = stream.returned(2, Reply::Value { value }).unwrap();
            assert_eq!(matches!(told, Progress::Illegal { .. }), failed, "{told:?}");
        }
    }

    #[test]
    fn mistakes_are_refused_and_change_nothing() {
        let mut stream = Stream::new(Kv, Budget::default());
        let get = Call::Get { key: 0 };
        assert_eq!(stream.returned(1, Reply::Done), Err(StreamError::NothingOpen { client: 1 }));
        stream.invoked(1, 0, get.clone()).unwrap();
        let open = Err(StreamError::StillOpen { client: 1, op: 0 });
        assert_eq!(stream.invoked(1, 1, get.clone()), open);
        let twice = Err(StreamError::DuplicateOperation { op: 0 });
        assert_eq!(stream.invoked(2, 0, get.clone()), twice);
        let foreign = Err(StreamError::ForeignReply { op: 0 });
        assert_eq!(stream.returned(1, Reply::Done), foreign);
        stream.gave_up(1).unwrap();
        assert_eq!(stream.invoked(1, 1, get), Err(StreamError::StillOpen { client: 1, op: 0 }));
    }

    #[test]
    fn a_spent_budget_is_told_and_stays() {
        let tiny = Budget { configurations: 3, memory_bytes: 1 << 20 };
        let mut stream = Stream::new(Kv, tiny);
        for client in 0..6 {
            stream.invoked(client, client, Call::Append { key: 0, value: client }).unwrap();
        }
        for client in 0..6 {
            stream.returned(client, Reply::Done).unwrap();
        }
        let exhausted = Exhausted::Configurations;
        assert_eq!(stream.finish(), Progress::Unknown { key: "0".into(), exhausted });
    }
}
