//! The network: which messages are under way, and what the links do to them.
//!
//! **Intuition.** A message is sent once, gets its fate from its identity, and is one or more
//! entries of the event queue until it arrives. Cuts and clogs are states of directed links that
//! are looked at when it leaves and when it arrives.
//! **Source.** Ours.
//! **Upholds.** `inv:pure`.
//! **Not here.** Fates (`fault/fates.rs`), delivering (`world/mod.rs`).

pub(crate) mod link;
pub(crate) mod partition;

use link::Links;
use partition::Cuts;

use crate::world::identity::Nth;

/// The network between `n` nodes.
#[derive(Debug)]
pub(crate) struct Net {
    /// States of links.
    pub(crate) links: Links,
    /// Cuts in force.
    pub(crate) cuts: Cuts,
    /// Counts of each sender's messages since it changed role or booted.
    pub(crate) nth: Vec<Nth>,
    /// Messages sent so far.
    pub(crate) sent: u64,
}

impl Net {
    pub(crate) fn new(nodes: usize) -> Self {
        Self {
            links: Links::new(nodes),
            cuts: Cuts::default(),
            nth: vec![Nth::default(); nodes],
            sent: 0,
        }
    }

    /// Puts every link in order, except that `cut_off` nodes reach nobody.
    pub(crate) fn heal(&mut self, cut_off: &[usize]) {
        self.cuts = Cuts::default();
        self.links.clear();
        for &node in cut_off {
            self.links.isolate(node);
        }
    }
}
