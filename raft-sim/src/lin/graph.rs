//! What must come before what, as a graph: an order, or a circle that shows there is none.
//!
//! **Intuition.** Answers and real time force some operations before others. If no circle of such
//! demands exists, any order that respects them all is a candidate to replay; a circle is a proof
//! that nothing works. Real time alone would be a quadratic number of demands; passing them through
//! a chain of moments makes it linear.
//! **Source.** Kahn 1962 (topological order); the use for histories is Adya's, as in Elle (Alvaro
//! and Kingsbury 2020).
//! **Upholds.** `inv:linearizable`.
//! **Not here.** Which demands there are (`models/`, `weak/`).

use super::history::Operation;

/// A graph that is only added to.
#[derive(Clone, Debug, Default)]
pub struct Graph {
    nodes: u32,
    edges: Vec<(u32, u32)>,
}

impl Graph {
    /// A graph of `nodes` nodes, numbered from 0, without edges.
    #[must_use]
    pub const fn new(nodes: u32) -> Self {
        Self { nodes, edges: Vec::new() }
    }

    /// A further node.
    pub const fn node(&mut self) -> u32 {
        self.nodes += 1;
        self.nodes - 1
    }

    /// `before` comes before `after`. An edge from a node to itself is a circle of one.
    pub fn edge(&mut self, before: u32, after: u32) {
        self.edges.push((before, after));
    }

    /// Memory held.
    #[must_use]
    pub const fn bytes(&self) -> u64 {
        self.edges.len() as u64 * 16 + self.nodes as u64 * 16
    }

    /// Edges for real time among the operations of `part` whose nodes `node` tells: each that
    /// returned comes before each that was invoked later.
    pub fn real_time<C, R>(
        &mut self,
        part: &[&Operation<C, R>],
        node: impl Fn(usize) -> Option<u32>,
    ) {
        let mut ends: Vec<(u64, bool, u32)> = Vec::with_capacity(part.len() * 2);
        for (position, operation) in part.iter().enumerate() {
            if let Some(node) = node(position) {
                ends.push((operation.invoked, false, node));
                ends.extend(operation.returned.map(|at| (at, true, node)));
            }
        }
        ends.sort_unstable();
        // A moment stands for everything that returned before it.
        let (mut moment, mut fresh) = (None, Vec::new());
        for (_, returns, node) in ends {
            if returns {
                fresh.push(node);
                continue;
            }
            if !fresh.is_empty() {
                let next = self.node();
                for before in fresh.drain(..).chain(moment) {
                    self.edge(before, next);
                }
                moment = Some(next);
            }
            if let Some(moment) = moment {
                self.edge(moment, node);
            }
        }
    }

    /// All nodes in an order that respects every edge.
    ///
    /// # Errors
    /// The nodes of a circle, each before the next.
    pub fn order(&self) -> Result<Vec<u32>, Vec<u32>> {
        let count = self.nodes as usize;
        let (mut starts, mut waits) = (vec![0_u32; count + 1], vec![0_u32; count]);
        for &(before, after) in &self.edges {
            starts[before as usize + 1] += 1;
            waits[after as usize] += 1;
        }
        for node in 0..count {
            starts[node + 1] += starts[node];
        }
        let mut targets = vec![0_u32; self.edges.len()];
        let mut free = starts.clone();
        for &(before, after) in &self.edges {
            targets[free[before as usize] as usize] = after;
            free[before as usize] += 1;
        }
        let behind = |node: u32| {
            &targets[starts[node as usize] as usize..starts[node as usize + 1] as usize]
        };
        let mut order: Vec<u32> = (0..self.nodes).filter(|&at| waits[at as usize] == 0).collect();
        let mut next = 0;
        while let Some(&node) = order.get(next) {
            next += 1;
            for &after in behind(node) {
                waits[after as usize] -= 1;
                if waits[after as usize] == 0 {
                    order.push(after);
                }
            }
        }
        if order.len() == count {
            return Ok(order);
        }
        Err(circle(count, &waits, &behind))
    }
}

/// A short circle among the nodes that still wait.
fn circle<'a>(count: usize, waits: &[u32], behind: &impl Fn(u32) -> &'a [u32]) -> Vec<u32> {
    const STARTS_MAX: usize = 32;
    let mut before = vec![u32::MAX; count];
    for node in (0..count as u32).filter(|&node| waits[node as usize] > 0) {
        for &after in behind(node) {
            before[after as usize] = node;
        }
    }
    // Every waiting node has a waiting one before it: going backwards ends in a circle.
    let mut seen = vec![false; count];
    let mut node = (0..count as u32).find(|&node| waits[node as usize] > 0).unwrap_or_default();
    while !seen[node as usize] {
        seen[node as usize] = true;
        node = before[node as usize];
    }
    let mut best = vec![node];
    let mut at = before[node as usize];
    while at != node {
        best.push(at);
        at = before[at as usize];
    }
    best.reverse();
    // The shortest way from some of its nodes back to themselves is often much shorter.
    for start in best.clone().into_iter().take(STARTS_MAX) {
        let mut came = vec![u32::MAX; count];
        let mut reached = vec![start];
        let mut next = 0;
        'search: while let Some(&node) = reached.get(next) {
            next += 1;
            for &after in behind(node) {
                if after == start {
                    let mut way = vec![node];
                    while way[way.len() - 1] != start {
                        way.push(came[way[way.len() - 1] as usize]);
                    }
                    way.reverse();
                    if way.len() < best.len() {
                        best = way;
                    }
                    break 'search;
                }
                if waits[after as usize] > 0 && came[after as usize] == u32::MAX {
                    came[after as usize] = node;
                    reached.push(after);
                }
            }
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_respects_every_edge_and_a_circle_is_one() {
        let mut dice = crate::lin::generate::Dice::new(3);
        let (mut ordered, mut circles) = (0, 0);
        for _ in 0..2_000 {
            let nodes = 2 + dice.below(9) as u32;
            let mut graph = Graph::new(nodes);
            for _ in 0..dice.below(14) {
                let mut node = || dice.below(u64::from(nodes)) as u32;
                graph.edge(node(), node());
            }
            match graph.order() {
                Ok(order) => {
                    let place = |node| order.iter().position(|&at| at == node).unwrap();
                    assert!(graph.edges.iter().all(|&(a, b)| place(a) < place(b)));
                    ordered += 1;
                }
                Err(circle) => {
                    let next = circle.iter().cycle().skip(1);
                    for (&before, &after) in circle.iter().zip(next) {
                        assert!(graph.edges.contains(&(before, after)), "{graph:?} {circle:?}");
                    }
                    circles += 1;
                }
            }
        }
        assert!(ordered > 400 && circles > 400, "{ordered} {circles}");
    }
}
