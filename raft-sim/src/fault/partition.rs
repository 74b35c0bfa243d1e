//! Shapes of partitions, each reduced to the directed links it cuts.
//!
//! **Intuition.** Splits that any two nodes agree on are the easy ones. Raft's hard cases are
//! one-way and partial: a leader that is heard but does not hear, a bridge between two halves, a
//! ring in which every node sees another majority.
//! **Source.** Alquraan et al., OSDI 2018 (partial partitions); weights: docs/TRACE.md.
//! **Upholds.** Nothing by itself; feeds `inv:election-safety` and `inv:live`.
//! **Not here.** When they begin and end (`timed.rs`), cutting links (`net/`).

use crate::random::stream::Stream;

/// Directed links, ascending.
pub(crate) type Links = Vec<(u64, u64)>;

/// A shape and its links. `Swizzle` is a sequence of cuts made of its nodes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// One cut.
    Cut(&'static str, Links),
    /// Nodes that are cut off one after the other and come back in another order.
    Swizzle(Vec<u64>),
}

/// Draws a shape for nodes 1 to `n`; `None` for a single node.
pub(crate) fn draw_shape(n: u64, s: &mut Stream) -> Option<Shape> {
    let which = s.weighted(&[22, 20, 18, 12, 8, 7, 6, 4, 3]);
    if n < 2 {
        return None;
    }
    let mut nodes: Vec<u64> = (1..=n).collect();
    s.shuffle(&mut nodes);
    // A proper, non-empty part of the nodes.
    let part = 1 + s.below(n - 1) as usize;
    let (left, right) = nodes.split_at(part);
    Some(match which {
        0 => Shape::Cut("isolate-one", both_ways(&nodes[..1], &nodes[1..])),
        1 => Shape::Cut("isolate-leader", Vec::new()),
        2 => Shape::Cut("random-split", both_ways(left, right)),
        3 => Shape::Cut("one-way-side", one_way(left, right)),
        4 => Shape::Cut("one-way-pair", one_way(&nodes[..1], &nodes[1..2])),
        5 => bridge(&nodes),
        6 => ring(&nodes),
        7 => Shape::Cut("shatter", shatter(&nodes)),
        _ => Shape::Swizzle(nodes[..part].to_vec()),
    })
}

/// All links from and to `node`.
pub(crate) fn isolate(node: u64, n: u64) -> Links {
    let others: Vec<u64> = (1..=n).filter(|other| *other != node).collect();
    both_ways(&[node], &others)
}

/// Two halves that meet in one node only.
fn bridge(nodes: &[u64]) -> Shape {
    let (_, rest) = nodes.split_at(1);
    let (left, right) = rest.split_at(rest.len() / 2);
    if left.is_empty() {
        return Shape::Cut("isolate-one", both_ways(&nodes[..1], rest));
    }
    Shape::Cut("bridge", both_ways(left, right))
}

/// Every node reaches a majority, each another one: only neighbours in a ring are linked.
fn ring(nodes: &[u64]) -> Shape {
    let n = nodes.len();
    let majority = n / 2 + 1;
    // Neighbours on each side, so that 2 * reach + 1 nodes are a majority.
    let reach = majority / 2;
    let mut links = Links::new();
    for a in 0..n {
        for b in 0..n {
            let apart = (a + n - b) % n;
            if apart.min(n - apart) > reach {
                links.push((nodes[a], nodes[b]));
            }
        }
    }
    if links.is_empty() {
        return bridge(nodes);
    }
    links.sort_unstable();
    Shape::Cut("majorities-ring", links)
}

fn shatter(nodes: &[u64]) -> Links {
    let mut links: Links = nodes
        .iter()
        .flat_map(|a| nodes.iter().filter(move |b| a != *b).map(move |b| (*a, *b)))
        .collect();
    links.sort_unstable();
    links
}

fn one_way(from: &[u64], to: &[u64]) -> Links {
    let mut links: Links = from.iter().flat_map(|a| to.iter().map(move |b| (*a, *b))).collect();
    links.sort_unstable();
    links
}

fn both_ways(left: &[u64], right: &[u64]) -> Links {
    let mut links = one_way(left, right);
    links.extend(one_way(right, left));
    links.sort_unstable();
    links
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::random::stream::Purpose;

    fn reaches(links: &Links, n: u64, node: u64) -> usize {
        (1..=n)
            .filter(|other| !links.contains(&(node, *other)) && !links.contains(&(*other, node)))
            .count()
    }

    #[test]
    fn all_shapes_come_and_cut_real_links() {
        let mut seen: BTreeMap<&str, u32> = BTreeMap::new();
        let mut s = Stream::new(11, Purpose::PARTITION);
        for n in 1..=7 {
            for _ in 0..600 {
                let Some(shape) = draw_shape(n, &mut s) else {
                    assert_eq!(n, 1);
                    continue;
                };
                match shape {
                    Shape::Swizzle(nodes) => {
                        assert!(!nodes.is_empty() && nodes.len() < n as usize);
                        *seen.entry("swizzle").or_default() += 1;
                    }
                    Shape::Cut(name, links) => {
                        *seen.entry(name).or_default() += 1;
                        assert_eq!(links.is_empty(), name == "isolate-leader", "{name}");
                        assert!(
                            links.is_sorted()
                                && links
                                    .iter()
                                    .all(|(a, b)| a != b && *a <= n && *b <= n && *a > 0)
                        );
                        if name == "majorities-ring" {
                            assert!(
                                (1..=n).all(|node| reaches(&links, n, node) > n as usize / 2),
                                "{links:?}"
                            );
                        }
                        if name == "shatter" {
                            assert!((1..=n).all(|node| reaches(&links, n, node) == 1));
                        }
                    }
                }
            }
        }
        assert_eq!(seen.len(), 9, "{seen:?}");
        assert!(seen.values().all(|count| *count > 30), "{seen:?}");
    }

    #[test]
    fn a_bridge_leaves_one_node_that_sees_all() {
        let Shape::Cut("bridge", links) = bridge(&[3, 1, 2, 5, 4]) else { panic!("no bridge") };
        assert_eq!(reaches(&links, 5, 3), 5);
        assert!([1, 2, 4, 5].iter().all(|node| reaches(&links, 5, *node) == 3));
    }
}
