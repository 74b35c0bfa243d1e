//! Directed links: cut, clogged, or open.
//!
//! **Intuition.** A dense table of one small record for each ordered pair of nodes.
//! **Source.** Ours.
//! **Upholds.** `inv:pure`.
//! **Not here.** Which links a partition cuts (`partition.rs`).

use crate::process::Ns;

#[derive(Clone, Copy, Debug, Default)]
struct Link {
    /// Cuts in force; they may overlap.
    cut: u16,
    /// Messages numbered below this were dropped under way.
    drop_below: u64,
    clogged_until: Ns,
    capacity: u32,
    kept: u32,
}

/// What a link does with a message that arrives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Passage {
    /// Goes through.
    Open,
    /// Is kept until then.
    Kept(Ns),
    /// Is gone.
    Dropped,
}

/// All links.
#[derive(Debug)]
pub(crate) struct Links {
    nodes: usize,
    table: Vec<Link>,
}

impl Links {
    pub(crate) fn new(nodes: usize) -> Self {
        Self { nodes, table: vec![Link::default(); nodes * nodes] }
    }

    fn link(&mut self, from: usize, to: usize) -> &mut Link {
        &mut self.table[from * self.nodes + to]
    }

    /// Whether a message may leave from `from` to `to`.
    pub(crate) fn is_cut(&self, from: usize, to: usize) -> bool {
        self.table[from * self.nodes + to].cut > 0
    }

    /// Cuts the link; messages numbered below `drop_below` do not arrive any more.
    pub(crate) fn cut(&mut self, from: usize, to: usize, drop_below: u64) {
        let link = self.link(from, to);
        link.cut = link.cut.saturating_add(1);
        link.drop_below = link.drop_below.max(drop_below);
    }

    /// Ends one cut of the link.
    pub(crate) fn join(&mut self, from: usize, to: usize) {
        let link = self.link(from, to);
        link.cut = link.cut.saturating_sub(1);
    }

    /// Clogs the link.
    pub(crate) fn clog(&mut self, from: usize, to: usize, until: Ns, capacity: u32) {
        let link = self.link(from, to);
        link.clogged_until = link.clogged_until.max(until);
        link.capacity = capacity;
    }

    /// What becomes of message `number` arriving at `now`; `kept` if the link kept it before.
    pub(crate) fn pass(
        &mut self,
        from: usize,
        to: usize,
        number: u64,
        kept: bool,
        now: Ns,
    ) -> Passage {
        let link = self.link(from, to);
        let dropped = number < link.drop_below;
        if link.clogged_until > now {
            if dropped || (!kept && link.kept >= link.capacity) {
                link.kept = link.kept.saturating_sub(u32::from(kept && dropped));
                return Passage::Dropped;
            }
            link.kept += u32::from(!kept);
            return Passage::Kept(link.clogged_until);
        }
        link.kept = link.kept.saturating_sub(u32::from(kept));
        if dropped { Passage::Dropped } else { Passage::Open }
    }

    pub(crate) fn clear(&mut self) {
        for link in &mut self.table {
            link.cut = 0;
            link.clogged_until = 0;
        }
    }

    /// Cuts `node` off for good, messages under way included.
    pub(crate) fn isolate(&mut self, node: usize) {
        for other in 0..self.nodes {
            self.cut(node, other, u64::MAX);
            self.cut(other, node, u64::MAX);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clog_keeps_up_to_its_capacity_and_then_lets_go() {
        let mut links = Links::new(2);
        links.clog(0, 1, 100, 2);
        assert_eq!(links.pass(0, 1, 0, false, 10), Passage::Kept(100));
        assert_eq!(links.pass(0, 1, 1, false, 11), Passage::Kept(100));
        assert_eq!(links.pass(0, 1, 2, false, 12), Passage::Dropped);
        assert_eq!(links.pass(1, 0, 3, false, 12), Passage::Open);
        assert_eq!(links.pass(0, 1, 0, true, 100), Passage::Open);
        assert_eq!(links.pass(0, 1, 1, true, 100), Passage::Open);
        links.clog(0, 1, 200, 1);
        assert_eq!(links.pass(0, 1, 4, false, 150), Passage::Kept(200));
    }

    #[test]
    fn a_cut_drops_what_was_under_way_only_if_asked() {
        let mut links = Links::new(2);
        links.cut(0, 1, 0);
        assert!(links.is_cut(0, 1) && !links.is_cut(1, 0));
        assert_eq!(links.pass(0, 1, 7, false, 1), Passage::Open);
        links.cut(0, 1, 8);
        assert_eq!(links.pass(0, 1, 7, false, 1), Passage::Dropped);
        assert_eq!(links.pass(0, 1, 8, false, 1), Passage::Open);
        links.join(0, 1);
        assert!(links.is_cut(0, 1), "two cuts overlap");
        links.join(0, 1);
        assert!(!links.is_cut(0, 1));
    }
}
