//! The key-value model: each key is absent or holds a list of tokens.
//!
//! **Intuition.** What matters about a list is only what later answers can tell of it (`tree.rs`).
//! That keeps the space as small as the answers and makes writes that nobody read
//! interchangeable.
//! **Source.** Ours. Put makes the list one token, append adds one, compare-and-set compares with
//! "exactly this one token" or "absent".
//! **Upholds.** `inv:linearizable`.
//! **Not here.** The replicated machine (`workload/kv.rs`), string values (`models/strings.rs`).

use super::{
    helpers::{Helpers, Place},
    tree::{ELSEWHERE, EMPTY, Tree},
};
use crate::{
    collections::FixedMap,
    lin::{
        history::Operation,
        model::Model,
        register::Access,
        space::{ClassId, Space, StateId, Traits},
    },
    workload::kv::{Call, Reply},
};

/// The key-value model of the simulator's clients.
#[derive(Clone, Copy, Debug, Default)]
pub struct Kv;

impl Model for Kv {
    type Call = Call;
    type Reply = Reply;
    type State = Option<Vec<u64>>;
    type Key = u32;

    fn key(&self, call: &Call) -> u32 {
        match *call {
            Call::Get { key }
            | Call::Put { key, .. }
            | Call::Delete { key }
            | Call::Cas { key, .. }
            | Call::Append { key, .. } => key,
        }
    }

    fn initial(&self) -> Self::State {
        None
    }

    fn apply(&self, state: &mut Self::State, call: &Call, reply: Option<&Reply>) -> bool {
        let right = match *call {
            Call::Get { .. } => {
                return match reply {
                    None => true,
                    Some(Reply::Value { value }) => value == state,
                    Some(Reply::Done | Reply::Swapped { .. }) => false,
                };
            }
            Call::Put { value, .. } => {
                *state = Some(vec![value]);
                Reply::Done
            }
            Call::Delete { .. } => {
                *state = None;
                Reply::Done
            }
            Call::Append { value, .. } => {
                state.get_or_insert_default().push(value);
                Reply::Done
            }
            Call::Cas { old, new, .. } => {
                let holds = match (&*state, old) {
                    (None, None) => true,
                    (Some(list), Some(token)) => list[..] == [token],
                    (None, Some(_)) | (Some(_), None) => false,
                };
                if holds {
                    *state = Some(vec![new]);
                }
                Reply::Swapped { ok: holds }
            }
        };
        reply.is_none_or(|reply| *reply == right)
    }

    fn is_read(&self, call: &Call, reply: Option<&Reply>) -> bool {
        match call {
            Call::Get { .. } => true,
            Call::Cas { .. } => reply == Some(&Reply::Swapped { ok: false }),
            Call::Put { .. } | Call::Delete { .. } | Call::Append { .. } => false,
        }
    }

    fn access(&self, call: &Call, reply: Option<&Reply>) -> Option<Access> {
        match (call, reply) {
            (&Call::Put { value, .. }, None | Some(Reply::Done)) => Some(Access::Write(value)),
            (Call::Get { .. }, None) => Some(Access::ReadUnseen),
            (Call::Get { .. }, Some(Reply::Value { value: None })) => Some(Access::Read(None)),
            (Call::Get { .. }, Some(Reply::Value { value: Some(list) })) if list.len() == 1 => {
                Some(Access::Read(Some(list[0])))
            }
            _ => None,
        }
    }

    fn may_see(&self, other: &Operation, write: &Operation) -> bool {
        // Behind a put or an append of a token every list holds that token until the next
        // overwrite, so only what shows the token depends on it. A delete leaves no trace.
        let (Call::Put { value: token, .. }
        | Call::Append { value: token, .. }
        | Call::Cas { new: token, .. }) = write.call
        else {
            return true;
        };
        match (&other.call, &other.reply) {
            (Call::Cas { .. }, Some(Reply::Swapped { ok: false })) => true,
            (Call::Cas { old, .. }, _) => *old == Some(token),
            (_, Some(Reply::Value { value: Some(list) })) => list.contains(&token),
            _ => false,
        }
    }

    fn fits(&self, call: &Call, reply: &Reply) -> bool {
        matches!(
            (call, reply),
            (Call::Get { .. }, Reply::Value { .. })
                | (Call::Put { .. } | Call::Delete { .. } | Call::Append { .. }, Reply::Done)
                | (Call::Cas { .. }, Reply::Swapped { .. })
        )
    }

    fn space<'a>(&'a self, history: &[&'a Operation]) -> Box<dyn Space + 'a> {
        Box::new(Lists::new(history))
    }
}

/// Absent: the list without tokens.
const ABSENT: StateId = EMPTY;

/// What a class does, in numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Step {
    /// Legal in one state.
    Get(StateId),
    /// A read whose answer nobody saw, or one that no state can give.
    GetAny,
    Never,
    Set(StateId),
    Append(u64),
    Swap {
        old: StateId,
        new: StateId,
    },
    Refused {
        old: StateId,
    },
    /// A compare-and-set of unknown outcome.
    Try {
        old: StateId,
        new: StateId,
    },
}

/// The states one key's answers can tell apart.
#[derive(Debug)]
pub struct Lists {
    class_of: Vec<ClassId>,
    steps: Vec<Step>,
    tree: Tree,
    /// No refused compare-and-set: then nothing at all is legal in `ELSEWHERE` except writes.
    blind: bool,
    helpers: Helpers,
}

impl Lists {
    /// Makes the space of one key's `history`.
    #[must_use]
    pub fn new(history: &[&Operation]) -> Self {
        let mut lists = Self {
            class_of: Vec::with_capacity(history.len()),
            steps: Vec::new(),
            tree: Tree::new(),
            blind: true,
            helpers: Helpers::default(),
        };
        // First everything that answers can tell apart, then what each operation does there.
        for operation in history {
            match (&operation.call, &operation.reply) {
                (Call::Get { .. }, Some(Reply::Value { value: Some(list) })) => {
                    list.iter().fold(ABSENT, |node, &token| lists.tree.grow(node, token));
                }
                (&Call::Cas { old, .. }, reply) => {
                    if let Some(token) = old {
                        lists.tree.grow(ABSENT, token);
                    }
                    lists.blind &= *reply != Some(Reply::Swapped { ok: false });
                }
                _ => {}
            }
        }
        lists.tree.seal();
        let mut classes: FixedMap<Step, ClassId> = FixedMap::default();
        for operation in history {
            let step = lists.meaning(operation);
            let fresh = lists.steps.len() as ClassId;
            let class = *classes.entry(step).or_insert(fresh);
            if class == fresh {
                lists.steps.push(step);
            }
            lists.class_of.push(class);
            if operation.returned.is_none() {
                lists.helpers.add(class, step);
            }
        }
        lists.helpers.seal(&lists.tree);
        lists
    }

    fn single(&self, token: u64) -> StateId {
        self.tree.walk(ABSENT, token)
    }

    fn meaning(&self, operation: &Operation) -> Step {
        match (&operation.call, &operation.reply) {
            (Call::Get { .. }, None) => Step::GetAny,
            (Call::Get { .. }, Some(Reply::Value { value: None })) => Step::Get(ABSENT),
            (Call::Get { .. }, Some(Reply::Value { value: Some(list) })) => {
                // An empty list is no state: a key without tokens is absent.
                if list.is_empty() {
                    return Step::Never;
                }
                Step::Get(list.iter().fold(ABSENT, |node, &token| self.tree.walk(node, token)))
            }
            (&Call::Put { value, .. }, None | Some(Reply::Done)) => Step::Set(self.single(value)),
            (Call::Delete { .. }, None | Some(Reply::Done)) => Step::Set(ABSENT),
            (&Call::Append { value, .. }, None | Some(Reply::Done)) => Step::Append(value),
            (&Call::Cas { old, new, .. }, reply) => {
                let old = old.map_or(ABSENT, |token| self.single(token));
                let new = self.single(new);
                match reply {
                    None => Step::Try { old, new },
                    Some(Reply::Swapped { ok: true }) => Step::Swap { old, new },
                    Some(Reply::Swapped { ok: false }) => Step::Refused { old },
                    Some(Reply::Done | Reply::Value { .. }) => Step::Never,
                }
            }
            (
                Call::Get { .. } | Call::Put { .. } | Call::Delete { .. } | Call::Append { .. },
                _,
            ) => Step::Never,
        }
    }
}

impl Space for Lists {
    fn initial(&self) -> StateId {
        ABSENT
    }

    fn class(&self, position: usize) -> ClassId {
        self.class_of[position]
    }

    fn classes(&self) -> usize {
        self.steps.len()
    }

    fn traits(&self, class: ClassId) -> Traits {
        let step = self.steps[class as usize];
        Traits {
            read: matches!(step, Step::Get(_) | Step::GetAny | Step::Refused { .. }),
            overwrites: matches!(step, Step::Set(_)),
            jumps: matches!(step, Step::Set(_) | Step::Swap { .. } | Step::Try { .. }),
            dead: self.blind
                && match step {
                    Step::Set(next) => next == ELSEWHERE,
                    Step::Append(token) => self.tree.lacks(token),
                    _ => false,
                },
        }
    }

    fn step(&mut self, state: StateId, class: ClassId) -> Option<StateId> {
        match self.steps[class as usize] {
            Step::Get(wanted) => (state == wanted).then_some(state),
            Step::GetAny => Some(state),
            Step::Never => None,
            Step::Set(next) => Some(next),
            Step::Append(token) => Some(self.tree.walk(state, token)),
            Step::Swap { old, new } => (state == old).then_some(new),
            Step::Refused { old } => (state != old).then_some(state),
            Step::Try { old, new } => Some(if state == old { new } else { state }),
        }
    }

    fn grows_into(&self, state: StateId, class: ClassId) -> bool {
        match self.steps[class as usize] {
            Step::Get(wanted) => self.tree.holds(state, wanted),
            _ => true,
        }
    }

    fn branch(&self, state: StateId) -> u32 {
        self.tree.branch(state)
    }

    fn branches(&self) -> usize {
        self.tree.nodes()
    }

    fn needs(&self, class: ClassId) -> Option<u32> {
        match self.steps[class as usize] {
            Step::Get(wanted) => Some(self.tree.branch(wanted)),
            _ => None,
        }
    }

    fn supplies(&self, class: ClassId) -> Option<u32> {
        match self.steps[class as usize] {
            Step::Set(next) | Step::Swap { new: next, .. } | Step::Try { new: next, .. } => {
                Some(self.tree.branch(next))
            }
            Step::Append(token) => Some(self.tree.walk(ABSENT, token)),
            _ => None,
        }
    }

    fn helpers(
        &mut self,
        state: StateId,
        open: &[ClassId],
        deep: bool,
        helpers: &mut Vec<ClassId>,
    ) -> bool {
        let Self { steps, tree, blind, helpers: index, .. } = self;
        let open = open.iter().map(|&class| steps[class as usize]);
        index.find(Place { tree, blind: *blind, state }, open, deep, helpers)
    }

    fn bytes(&self) -> u64 {
        self.tree.bytes() + (self.class_of.len() * 4 + self.steps.len() * 24) as u64
    }
}
