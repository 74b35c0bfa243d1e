//! Partitions: sets of directed links that are cut together and joined together.
//!
//! **Intuition.** A shape is resolved to pairs when it begins and the pairs are remembered, so
//! that its end undoes exactly what it did, whoever leads by then.
//! **Source.** Ours.
//! **Upholds.** `inv:pure`.
//! **Not here.** Drawing shapes (`fault/swarm.rs`).

use super::link::Links;

/// Cuts in force, by number.
#[derive(Debug, Default)]
pub(crate) struct Cuts {
    begun: Vec<Vec<(u8, u8)>>,
}

impl Cuts {
    /// Cuts `pairs` and returns the number by which [`Cuts::end`] joins them again.
    pub(crate) fn begin(
        &mut self,
        links: &mut Links,
        pairs: Vec<(u8, u8)>,
        drop_below: u64,
    ) -> u32 {
        for &(from, to) in &pairs {
            links.cut(usize::from(from), usize::from(to), drop_below);
        }
        self.begun.push(pairs);
        (self.begun.len() - 1) as u32
    }

    /// Joins what the cut `number` separated; nothing if it is over already.
    pub(crate) fn end(&mut self, links: &mut Links, number: u32) {
        if let Some(pairs) = self.begun.get_mut(number as usize) {
            for (from, to) in core::mem::take(pairs) {
                links.join(usize::from(from), usize::from(to));
            }
        }
    }
}

/// All links of `node` in both directions, among `nodes`.
pub(crate) fn all_links_of(node: usize, nodes: usize) -> Vec<(u8, u8)> {
    (0..nodes)
        .filter(|other| *other != node)
        .flat_map(|other| [(node as u8, other as u8), (other as u8, node as u8)])
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_cut_undoes_it_once() {
        let mut links = Links::new(3);
        let mut cuts = Cuts::default();
        let number = cuts.begin(&mut links, all_links_of(1, 3), 0);
        assert!(links.is_cut(0, 1) && links.is_cut(1, 2) && !links.is_cut(0, 2));
        cuts.end(&mut links, number);
        cuts.end(&mut links, number);
        assert!(!links.is_cut(0, 1));
        cuts.end(&mut links, 99);
    }
}
