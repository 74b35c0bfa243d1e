//! Who was in touch with whom, and when, by true time.
//!
//! **Intuition.** A promise to a leader and the age of a local answer both begin with a message
//! that was heard, and nobody in the cluster knows when it was sent but its sender, by a clock that
//! may be wrong. The simulator knows both ends: for each round of a leader the moment its first
//! message to a peer left, and for each node the moment a leader last reached it.
//! **Source.** Thesis §6.4.1: promises are counted from when the leader spoke.
//! **Upholds.** `inv:lease-bound` and `inv:read-freshness` read it.
//! **Not here.** Judgement: nothing here reports anything.

use std::collections::VecDeque;

use raft_core::{Role, Term};

use super::mirrors::{Mirrors, NODES_MAX};
use crate::{
    collections::FixedMap,
    process::{MessageKind, MessageLabel, Ns},
};

/// Arithmetic of clocks is in whole nanoseconds: comparisons give way by so many.
pub(super) const ROUNDING_NS: Ns = 8;
/// A promise cannot matter this many times its length after it was given.
const MEMORY: u64 = 16;
/// Rounds remembered of a leader that nobody promises anything.
const ROUNDS_MAX: usize = 256;
const MILLION: u128 = 1_000_000;

/// When the messages of one round to one peer began to leave.
#[derive(Clone, Copy, Debug)]
struct Spoken {
    term: Term,
    round: u64,
    at: Ns,
}

/// The newest thing a peer has answered of what this leader said.
#[derive(Clone, Copy, Debug)]
struct Heard {
    term: Term,
    at: Ns,
}

/// What is remembered.
#[derive(Clone, Debug)]
pub(super) struct Contacts {
    /// How far each clock may be off, in millionths.
    error_ppm: u32,
    /// (leader, peer), by slot.
    spoken: FixedMap<(usize, usize), VecDeque<Spoken>>,
    answered: FixedMap<(usize, usize), Heard>,
    /// By slot: when a leader last reached it in this boot.
    reached: Vec<Option<Ns>>,
    /// By slot: when it last began to lead, or was in touch with a quorum of its configuration of
    /// that moment since.
    touched: Vec<Ns>,
    /// The longest promise stated so far.
    longest: Ns,
}

impl Contacts {
    pub(super) fn new(error_ppm: u32) -> Self {
        Self {
            error_ppm,
            spoken: FixedMap::default(),
            answered: FixedMap::default(),
            reached: vec![None; NODES_MAX],
            touched: vec![0; NODES_MAX],
            longest: 0,
        }
    }

    /// The shortest true time in which a clock may show `local`.
    pub(super) fn at_least(&self, local: Ns) -> Ns {
        let true_ns = u128::from(local) * MILLION / (MILLION + u128::from(self.error_ppm));
        Ns::try_from(true_ns).unwrap_or(Ns::MAX)
    }

    /// The longest true time in which a clock may show `local`.
    pub(super) fn at_most(&self, local: Ns) -> Ns {
        let slow = MILLION.saturating_sub(u128::from(self.error_ppm)).max(1);
        Ns::try_from(u128::from(local) * MILLION / slow).unwrap_or(Ns::MAX)
    }

    /// A message left the node at `slot`.
    pub(super) fn on_sent(&mut self, slot: usize, to: usize, label: &MessageLabel, at: Ns) {
        self.longest = self.longest.max(label.promise);
        if !is_append(label) || label.round == 0 {
            return;
        }
        let Spoken { term, round, .. } = Spoken { term: label.term, round: label.round, at };
        let spoken = self.spoken.entry((slot, to)).or_default();
        if spoken.iter().rev().any(|said| said.term == term && said.round == round) {
            return;
        }
        spoken.push_back(Spoken { term, round, at });
        let oldest = at.saturating_sub(self.longest.saturating_mul(MEMORY));
        while spoken.len() > ROUNDS_MAX
            && spoken.front().is_some_and(|said| self.longest == 0 || said.at < oldest)
        {
            spoken.pop_front();
        }
    }

    /// When the messages of `round` began to leave for `peer`.
    pub(super) fn spoken(&self, leader: usize, peer: usize, term: Term, round: u64) -> Option<Ns> {
        let said = self.spoken.get(&(leader, peer))?.iter().rev();
        said.into_iter().find(|said| said.term == term && said.round == round).map(|said| said.at)
    }

    /// A message reached the node at `slot`.
    pub(super) fn on_delivered(
        &mut self,
        mirrors: &Mirrors,
        slot: usize,
        from: usize,
        label: &MessageLabel,
        at: Ns,
    ) {
        let leads = [MessageKind::SNAPSHOT, MessageKind::INSTALL_META, MessageKind::TIMEOUT_NOW];
        if is_append(label) || leads.contains(&label.kind) {
            if label.term >= mirrors.nodes[slot].term {
                self.reached[slot] = Some(at);
            }
        } else if label.kind == MessageKind::APPEND_REPLY
            && let Some(said) = self.spoken(slot, from, label.term, label.round)
        {
            let heard = Heard { term: label.term, at: said };
            let newest = self.answered.entry((slot, from)).or_insert(heard);
            if newest.term < heard.term || newest.at < heard.at {
                *newest = heard;
            }
            let touch = Touch::of(mirrors, slot);
            self.touched[slot] = self.touched[slot].max(self.quorum_at(mirrors, slot, touch, at));
        }
    }

    /// A process started: what the one before heard is forgotten.
    pub(super) fn on_boot(&mut self, slot: usize) {
        self.reached[slot] = None;
    }

    /// The node at `slot` leads from now on.
    pub(super) fn on_elected(&mut self, slot: usize, at: Ns) {
        self.touched[slot] = at;
    }

    /// For how long at most the node at `slot` was out of touch, if it never understates that: a
    /// follower with a leader, a leader with a quorum; `None` if it never was in touch.
    pub(super) fn age(&self, mirrors: &Mirrors, slot: usize, view: Touch, at: Ns) -> Option<Ns> {
        if view.role != Role::Leader {
            return self.reached[slot].map(|reached| at.saturating_sub(reached));
        }
        let newest = self.touched[slot].max(self.quorum_at(mirrors, slot, view, at));
        Some(at.saturating_sub(newest))
    }

    /// The newest moment of which a quorum of the leader at `slot` has answered what it said then.
    fn quorum_at(&self, mirrors: &Mirrors, slot: usize, view: Touch, at: Ns) -> Ns {
        let quorum = mirrors.nodes[slot].quorum;
        let mut moments: Vec<(Ns, u64)> = (0..mirrors.nodes.len())
            .map(|peer| match self.answered.get(&(slot, peer)) {
                _ if peer == slot => (at, 1 << peer),
                Some(heard) if heard.term == view.term => (heard.at, 1 << peer),
                _ => (0, 1 << peer),
            })
            .collect();
        moments.sort_unstable_by(|a, b| b.cmp(a));
        let mut set = 0;
        for (moment, bit) in moments {
            set |= bit;
            if quorum.is_in(set) {
                return moment;
            }
        }
        0
    }
}

/// As what a node speaks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Touch {
    pub(super) role: Role,
    pub(super) term: Term,
}

impl Touch {
    pub(super) fn of(mirrors: &Mirrors, slot: usize) -> Self {
        let node = &mirrors.nodes[slot];
        Self { role: node.role, term: node.term }
    }
}

fn is_append(label: &MessageLabel) -> bool {
    matches!(label.kind, MessageKind::APPEND | MessageKind::HEARTBEAT)
}
