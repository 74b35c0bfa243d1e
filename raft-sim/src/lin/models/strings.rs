//! Keys that hold strings, empty at first: get, put, append.
//!
//! **Intuition.** Append concatenates, so an answer tells the order of all appends before it.
//! **Source.** The key-value model of the Porcupine checker's published histories.
//! **Upholds.** `inv:linearizable`.
//! **Not here.** Lists of tokens (`kv.rs`).

use super::tree::{ELSEWHERE, EMPTY, Tree};
use crate::{
    collections::FixedMap,
    lin::{
        history::Operation,
        model::Model,
        space::{ClassId, Space, StateId, Traits},
    },
};

/// What clients ask.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Call {
    /// Read.
    Get {
        /// Key.
        key: String,
    },
    /// Write.
    Put {
        /// Key.
        key: String,
        /// New value.
        value: String,
    },
    /// Add at the end.
    Append {
        /// Key.
        key: String,
        /// What is added.
        value: String,
    },
}

/// What clients are told.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Reply {
    /// What a read saw.
    Value(String),
    /// Done.
    Done,
}

/// The model.
#[derive(Clone, Copy, Debug, Default)]
pub struct Strings;

impl Model for Strings {
    type Call = Call;
    type Reply = Reply;
    type State = String;
    type Key = String;

    fn key(&self, call: &Call) -> String {
        match call {
            Call::Get { key } | Call::Put { key, .. } | Call::Append { key, .. } => key.clone(),
        }
    }

    fn initial(&self) -> String {
        String::new()
    }

    fn apply(&self, state: &mut String, call: &Call, reply: Option<&Reply>) -> bool {
        match call {
            Call::Get { .. } => match reply {
                None => true,
                Some(Reply::Value(value)) => value == state,
                Some(Reply::Done) => false,
            },
            Call::Put { value, .. } => {
                state.clone_from(value);
                reply.is_none_or(|reply| *reply == Reply::Done)
            }
            Call::Append { value, .. } => {
                state.push_str(value);
                reply.is_none_or(|reply| *reply == Reply::Done)
            }
        }
    }

    fn is_read(&self, call: &Call, _reply: Option<&Reply>) -> bool {
        matches!(call, Call::Get { .. })
    }

    fn may_see(&self, other: &Operation<Call, Reply>, write: &Operation<Call, Reply>) -> bool {
        // Behind a put or an append of a string every value contains it until the next put.
        match (&write.call, &other.reply) {
            (Call::Put { value, .. }, _) if value.is_empty() => true,
            (Call::Put { value, .. } | Call::Append { value, .. }, Some(Reply::Value(seen))) => {
                seen.contains(value.as_str())
            }
            _ => false,
        }
    }

    fn fits(&self, call: &Call, reply: &Reply) -> bool {
        matches!(call, Call::Get { .. }) == matches!(reply, Reply::Value(_))
    }

    fn space<'a>(&'a self, history: &[&'a Operation<Call, Reply>]) -> Box<dyn Space + 'a> {
        Box::new(Texts::new(history))
    }
}

/// What a class does, in the tree of prefixes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Step<'a> {
    Get(StateId),
    /// A read whose answer nobody saw.
    GetAny,
    Never,
    Set(StateId),
    Append(&'a [u8]),
}

/// The strings one key's answers can tell apart, byte by byte.
#[derive(Debug)]
struct Texts<'a> {
    class_of: Vec<ClassId>,
    steps: Vec<Step<'a>>,
    tree: Tree,
}

impl<'a> Texts<'a> {
    fn new(history: &[&'a Operation<Call, Reply>]) -> Self {
        let mut tree = Tree::new();
        for operation in history {
            if let (Call::Get { .. }, Some(Reply::Value(value))) =
                (&operation.call, &operation.reply)
            {
                value.bytes().fold(EMPTY, |node, byte| tree.grow(node, byte.into()));
            }
        }
        tree.seal();
        let path =
            |bytes: &str| bytes.bytes().fold(EMPTY, |node, byte| tree.walk(node, byte.into()));
        let (mut steps, mut classes) = (Vec::new(), FixedMap::default());
        let class_of = history
            .iter()
            .map(|operation| {
                let step = match (&operation.call, &operation.reply) {
                    (Call::Get { .. }, None) => Step::GetAny,
                    (Call::Get { .. }, Some(Reply::Value(value))) => Step::Get(path(value)),
                    (Call::Put { value, .. }, None | Some(Reply::Done)) => Step::Set(path(value)),
                    (Call::Append { value, .. }, None | Some(Reply::Done)) => {
                        Step::Append(value.as_bytes())
                    }
                    _ => Step::Never,
                };
                *classes.entry(step).or_insert_with(|| {
                    steps.push(step);
                    steps.len() as ClassId - 1
                })
            })
            .collect();
        Self { class_of, steps, tree }
    }
}

impl Space for Texts<'_> {
    fn initial(&self) -> StateId {
        EMPTY
    }

    fn class(&self, position: usize) -> ClassId {
        self.class_of[position]
    }

    fn classes(&self) -> usize {
        self.steps.len()
    }

    fn traits(&self, class: ClassId) -> Traits {
        let step = self.steps[class as usize];
        let set = matches!(step, Step::Set(_));
        Traits {
            read: matches!(step, Step::Get(_) | Step::GetAny),
            overwrites: set,
            jumps: set,
            dead: step == Step::Set(ELSEWHERE),
        }
    }

    fn step(&mut self, state: StateId, class: ClassId) -> Option<StateId> {
        match self.steps[class as usize] {
            Step::Get(wanted) => (state == wanted).then_some(state),
            Step::GetAny => Some(state),
            Step::Never => None,
            Step::Set(next) => Some(next),
            Step::Append(bytes) => {
                Some(bytes.iter().fold(state, |node, &byte| self.tree.walk(node, byte.into())))
            }
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
            Step::Set(next) => Some(self.tree.branch(next)),
            Step::Append(&[first, ..]) => Some(self.tree.walk(EMPTY, first.into())),
            _ => None,
        }
    }

    fn bytes(&self) -> u64 {
        self.tree.bytes() + (self.class_of.len() * 4 + self.steps.len() * 32) as u64
    }
}
