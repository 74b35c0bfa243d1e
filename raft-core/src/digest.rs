//! The semantic digest: equal for two nodes in the same situation, whatever their history.
//!
//! **Intuition.** An explorer that walks all interleavings must recognise a state it has seen.
//! Counters and ids do not matter, and deadlines only by how far away they are.
//! **Source.** Ours.
//! **Upholds.** Nothing; used by explorers.
//! **Not here.** Digests of runs (the simulator's).

use crate::{
    Node,
    rng::mix,
    role::RoleState,
    types::{Instant, LogIndex, NodeId},
};

struct Fold(u64);

impl Fold {
    fn word(&mut self, word: u64) {
        self.0 = mix(self.0, word);
    }

    fn node(&mut self, node: Option<NodeId>) {
        match node {
            Some(node) => {
                self.word(1);
                self.word(node.0);
            }
            None => self.word(0),
        }
    }
}

impl Node {
    /// A digest of everything that decides future behaviour, with deadlines relative to `now`.
    #[must_use]
    pub fn semantic_digest(&self, now: Instant) -> u64 {
        let mut d = Fold(0);
        d.word(self.role() as u64);
        d.word(self.hard.term.0);
        d.node(self.hard.vote);
        d.word(self.hard.promise_ns);
        d.node(self.leader);
        for index in [self.verified, self.commit, self.handed, self.applied, self.lane.durable()] {
            d.word(index.0);
        }
        d.word(self.lane.open());
        d.word(self.lane.durable_hard().term.0);
        d.node(self.lane.durable_hard().vote);
        d.word(self.log.last_index().0);
        let mut index = LogIndex(1);
        while index <= self.log.last_index() {
            d.word(self.log.term_at(index).map_or(0, |term| term.0));
            index = index.next();
        }
        match self.contact {
            Some((leader, at)) => {
                d.word(leader.0);
                d.word(now.since(at));
            }
            None => d.word(u64::MAX),
        }
        d.word(self.deadline().map_or(u64::MAX, |at| at.since(now)));
        d.word(self.election_at.since(now));
        if let RoleState::Leader(leader) = &self.role {
            d.word(leader.open_rounds.len() as u64);
            d.word(now.since(leader.contact));
        }
        for peer in &self.peers {
            d.word(peer.id.0);
            d.word(match peer.granted {
                None => 0,
                Some(false) => 1,
                Some(true) => 2,
            });
            d.word(peer.progress.matched.0);
            d.word(peer.progress.next.0);
            d.word(peer.progress.state as u64);
            d.word(u64::from(peer.progress.probing));
            d.word(peer.progress.inflight().0);
        }
        d.word(self.reads.len());
        d.word(u64::from(self.halted.is_some()));
        d.0
    }
}
