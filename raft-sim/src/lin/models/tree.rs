//! The tree of everything that answers name: sequences, as prefixes of one another.
//!
//! **Intuition.** A value built by appending matters only as far as some answer can tell. The
//! values that answers name, and what they grew from, form a tree; a value outside can never grow
//! back into it, so all values outside are one state, "elsewhere".
//! **Source.** Ours.
//! **Upholds.** `inv:linearizable`.
//! **Not here.** What appends (`kv.rs`: tokens; `strings.rs`: bytes).

use crate::{
    collections::{FixedMap, FixedSet},
    lin::space::StateId,
};

/// The empty sequence: the root.
pub(super) const EMPTY: StateId = 0;
/// Every sequence that no answer of the history names or extends.
pub(super) const ELSEWHERE: StateId = 1;

#[derive(Debug)]
pub(super) struct Tree {
    children: FixedMap<(StateId, u64), StateId>,
    parents: Vec<StateId>,
    /// For each node the range of places its descendants have in a walk of the tree.
    spans: Vec<(u32, u32)>,
    /// For each node the first node on the way to it from the root.
    tops: Vec<StateId>,
    tokens: FixedSet<u64>,
    /// For each node behind the first two its last token.
    last: Vec<u64>,
}

impl Tree {
    pub(super) fn new() -> Self {
        Self {
            children: FixedMap::default(),
            parents: vec![EMPTY, EMPTY],
            spans: Vec::new(),
            tops: Vec::new(),
            tokens: FixedSet::default(),
            last: Vec::new(),
        }
    }

    /// The node behind `node`, made if it is not there.
    pub(super) fn grow(&mut self, node: StateId, token: u64) -> StateId {
        *self.children.entry((node, token)).or_insert_with(|| {
            self.tokens.insert(token);
            self.last.push(token);
            self.parents.push(node);
            self.parents.len() as StateId - 1
        })
    }

    /// Ends growing: numbers the nodes so that [`Tree::holds`] costs nothing.
    pub(super) fn seal(&mut self) {
        // Children are younger than their parents: sizes add up backwards, places forwards.
        let mut sizes = vec![1; self.parents.len()];
        for (node, &parent) in self.parents.iter().enumerate().skip(2).rev() {
            sizes[parent as usize] += sizes[node];
        }
        let mut free = vec![1; self.parents.len()];
        self.spans = vec![(0, 0); self.parents.len()];
        self.tops = vec![EMPTY, ELSEWHERE];
        self.spans[EMPTY as usize] = (0, sizes[EMPTY as usize]);
        for (node, &parent) in self.parents.iter().enumerate().skip(2) {
            let parent = parent as usize;
            let start = self.spans[parent].0 + free[parent];
            free[parent] += sizes[node];
            self.spans[node] = (start, start + sizes[node]);
            self.tops.push(if parent == EMPTY as usize {
                node as StateId
            } else {
                self.tops[parent]
            });
        }
    }

    /// The node behind `node`, or elsewhere.
    pub(super) fn walk(&self, node: StateId, token: u64) -> StateId {
        self.children.get(&(node, token)).copied().unwrap_or(ELSEWHERE)
    }

    /// Whether `node` is `ancestor` or an extension of it.
    pub(super) fn holds(&self, ancestor: StateId, node: StateId) -> bool {
        if ancestor == ELSEWHERE || node == ELSEWHERE {
            return ancestor == node;
        }
        let (start, end) = self.spans[ancestor as usize];
        (start..end).contains(&self.spans[node as usize].0)
    }

    /// The branch of `node`: what it began with.
    pub(super) fn branch(&self, node: StateId) -> StateId {
        self.tops[node as usize]
    }

    /// Whether `token` stands nowhere in the tree.
    pub(super) fn lacks(&self, token: u64) -> bool {
        !self.tokens.contains(&token)
    }

    /// All nodes but the empty sequence and elsewhere.
    pub(super) fn named(&self) -> impl Iterator<Item = StateId> {
        2..self.parents.len() as StateId
    }

    /// The last token of a named node.
    pub(super) fn token(&self, node: StateId) -> u64 {
        self.last[node as usize - 2]
    }

    /// What a named node grew from.
    pub(super) fn parent(&self, node: StateId) -> StateId {
        self.parents[node as usize]
    }

    /// What `node` grew from, if it is a named one.
    pub(super) fn parent_of(&self, node: StateId) -> Option<StateId> {
        (node > ELSEWHERE).then(|| self.parent(node))
    }

    /// How many nodes there are, elsewhere included.
    pub(super) fn nodes(&self) -> usize {
        self.parents.len()
    }

    pub(super) fn bytes(&self) -> u64 {
        (self.children.len() * 48 + self.tokens.len() * 16 + self.parents.len() * 24) as u64
    }
}

#[test]
fn ancestors_hold_their_extensions_and_nothing_else() {
    let mut tree = Tree::new();
    let a = tree.grow(EMPTY, 1);
    let b = tree.grow(EMPTY, 2);
    let ab = tree.grow(a, 2);
    let aba = tree.grow(ab, 1);
    let ac = tree.grow(a, 3);
    tree.seal();
    for (ancestor, inside) in [
        (EMPTY, vec![EMPTY, a, b, ab, aba, ac]),
        (a, vec![a, ab, aba, ac]),
        (b, vec![b]),
        (ab, vec![ab, aba]),
        (ac, vec![ac]),
        (ELSEWHERE, vec![ELSEWHERE]),
    ] {
        for node in [EMPTY, ELSEWHERE, a, b, ab, aba, ac] {
            assert_eq!(tree.holds(ancestor, node), inside.contains(&node), "{ancestor} {node}");
        }
    }
    assert_eq!(
        [EMPTY, ELSEWHERE, a, b, ab, aba, ac].map(|n| tree.branch(n)),
        [0, 1, a, b, a, a, a]
    );
    assert_eq!((tree.walk(a, 2), tree.walk(b, 2)), (ab, ELSEWHERE));
}
