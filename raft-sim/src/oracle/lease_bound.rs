//! No lease outlives the promises it stands on, and nobody breaks a promise.
//!
//! **Intuition.** A voter that states a promise in answer to a round elects nobody else for that
//! long, counted from hearing; nobody heard before the round was spoken, and no clock is faster
//! than allowed. So from the speaking on, by true time, it is bound at least for its promise as the
//! fastest clock shows it. A leader may read by lease while a quorum is surely bound in this sense,
//! and not a moment longer; a voter that votes for another before that breaks its word, whether or
//! not anybody reads.
//! **Source.** Thesis §6.4.1 with departures D9 and D10 of our list; D-W5 (a promise forgotten in a
//! restart), D-W6 (counted from arrival), D-W17 (a transfer that may come back to life).
//! **Upholds.** `inv:lease-bound`.
//! **Not here.** True time of what was said and heard (`contacts.rs`), what a read sees
//! (`read_freshness.rs`).

use raft_core::{LogIndex, NodeId, Role, Term};

use super::{
    Check, OracleId, broken,
    contacts::{Contacts, ROUNDING_NS},
    mirrors::{Mirrors, NODES_MAX},
};
use crate::process::{HardRecord, MessageKind, MessageLabel, NodeView, Ns};

/// What a voter has promised.
#[derive(Clone, Copy, Debug)]
struct Bound {
    /// To whom, by slot, and in which term.
    leader: usize,
    term: Term,
    /// Until when it is surely kept, by true time.
    until: Ns,
}

/// A leader's word that a peer may campaign at once.
#[derive(Clone, Copy, Debug)]
struct Handed {
    term: Term,
    to: usize,
    /// The peer takes it only while its log ends here.
    told: LogIndex,
    /// The peer has asked for votes with it.
    used: bool,
}

/// The oracle.
#[derive(Clone, Debug)]
pub(super) struct LeaseBound {
    pub(super) checks: u64,
    /// By slot.
    bound: Vec<Option<Bound>>,
    handed: Vec<Handed>,
}

impl Default for LeaseBound {
    fn default() -> Self {
        Self { checks: 0, bound: vec![None; NODES_MAX], handed: Vec::new() }
    }
}

impl LeaseBound {
    /// The node at `slot` handed a message for `to` to the network.
    pub(super) fn on_sent(
        &mut self,
        mirrors: &Mirrors,
        contacts: &Contacts,
        slot: usize,
        to: usize,
        label: &MessageLabel,
    ) -> Check {
        let term = label.term;
        match label.kind {
            MessageKind::TIMEOUT_NOW => {
                let known = self.handed.iter_mut().find(|h| h.term == term && h.to == to);
                match known {
                    // Asked again, or for another transfer: the last word is what may come true.
                    Some(handed) => handed.told = handed.told.max(label.last),
                    None => self.handed.push(Handed { term, to, told: label.last, used: false }),
                }
            }
            MessageKind::REQUEST_VOTE => {
                if let Some(by) = label.authority {
                    return self.on_authority(mirrors, slot, label, by);
                }
            }
            MessageKind::APPEND_REPLY if label.promise > 0 => {
                return self.on_promise(mirrors, contacts, slot, to, label);
            }
            _ => {}
        }
        Ok(())
    }

    fn on_authority(
        &mut self,
        mirrors: &Mirrors,
        slot: usize,
        label: &MessageLabel,
        by: Term,
    ) -> Check {
        self.checks += 1;
        let known = self.handed.iter_mut().find(|handed| handed.term == by && handed.to == slot);
        match known {
            Some(handed) if by.next() == Some(label.term) => {
                handed.used = true;
                Ok(())
            }
            _ => {
                let node = mirrors.nodes[slot].id;
                broken(
                    OracleId::LeaseBound,
                    node,
                    format!(
                        "{node} asks for votes in term {} in the name of a leader of term {by} \
                         that never asked it to",
                        label.term
                    ),
                )
            }
        }
    }

    fn on_promise(
        &mut self,
        mirrors: &Mirrors,
        contacts: &Contacts,
        slot: usize,
        to: usize,
        label: &MessageLabel,
    ) -> Check {
        self.checks += 1;
        let node = &mirrors.nodes[slot];
        if node.hard.promise < label.promise {
            return broken(
                OracleId::LeaseBound,
                node.id,
                format!(
                    "{} states a promise of {} ns to {}, and its disk says {} ns",
                    node.id, label.promise, mirrors.nodes[to].id, node.hard.promise
                ),
            );
        }
        let Some(at) = contacts.spoken(to, slot, label.term, label.round) else { return Ok(()) };
        let until = at.saturating_add(contacts.at_least(label.promise));
        let new = Bound { leader: to, term: label.term, until };
        match &mut self.bound[slot] {
            Some(held) if held.term > new.term => {}
            Some(held) if held.term == new.term && held.leader == new.leader => {
                held.until = held.until.max(until);
            }
            held => *held = Some(new),
        }
        Ok(())
    }

    /// A view changed, or was taken at boot.
    pub(super) fn on_view(
        &mut self,
        mirrors: &Mirrors,
        slot: usize,
        before: Option<&NodeView>,
        after: &NodeView,
        at: Ns,
    ) -> Check {
        let same = before.is_some_and(|v| (v.term, v.vote) == (after.term, after.vote));
        let Some(held) = self.bound[slot] else { return Ok(()) };
        if after.term > held.term {
            let other = after.leader.is_some_and(|leader| leader != mirrors.nodes[held.leader].id);
            if other {
                // Somebody leads a later term: what was promised to the one before is moot.
                self.bound[slot] = None;
                return Ok(());
            }
        }
        let Some(vote) = after.vote.filter(|_| !same && after.term > held.term) else {
            return Ok(());
        };
        let leader = mirrors.nodes[held.leader].id;
        if vote == leader {
            return Ok(());
        }
        self.checks += 1;
        let in_its_name = held.term.next() == Some(after.term)
            && self.handed.iter().any(|handed| {
                let to = mirrors.nodes[handed.to].id;
                handed.term == held.term && to == vote && (handed.used || handed.to == slot)
            });
        self.bound[slot] = None;
        if in_its_name || at.saturating_add(ROUNDING_NS) >= held.until {
            return Ok(());
        }
        let node = mirrors.nodes[slot].id;
        broken(
            OracleId::LeaseBound,
            node,
            format!(
                "{node} votes for {vote} in term {}, {} ns before its promise to {leader}, leader \
                 of term {}, is over",
                after.term,
                held.until - at,
                held.term
            ),
        )
    }

    /// The durable hard state of the node went from `before` to `hard`.
    pub(super) fn on_durable(
        &mut self,
        node: NodeId,
        before: HardRecord,
        hard: HardRecord,
    ) -> Check {
        if before.promise == 0 {
            return Ok(());
        }
        self.checks += 1;
        if hard.promise >= before.promise {
            return Ok(());
        }
        broken(
            OracleId::LeaseBound,
            node,
            format!(
                "{node} shortens the promise on its disk from {} to {} ns",
                before.promise, hard.promise
            ),
        )
    }

    /// Whether the node at `slot` came to `term` in the name of the leader before.
    pub(super) fn was_asked(&self, slot: usize, term: Term) -> bool {
        self.handed.iter().any(|h| h.used && h.to == slot && h.term.next() == Some(term))
    }

    /// Those who surely elect nobody but the leader at `slot` at this moment, bits by slot.
    pub(super) fn bound_to(&self, slot: usize, term: Term, at: Ns) -> u64 {
        let holds = |bound: &Bound| {
            (bound.leader, bound.term) == (slot, term) && bound.until + ROUNDING_NS > at
        };
        let held = self.bound.iter().enumerate();
        held.fold(1 << slot, |set, (voter, bound)| {
            set | u64::from(bound.as_ref().is_some_and(holds)) << voter
        })
    }

    /// The node at `slot` reads by lease.
    pub(super) fn on_lease_read(&mut self, mirrors: &Mirrors, slot: usize, at: Ns) -> Check {
        self.checks += 1;
        let node = &mirrors.nodes[slot];
        let (id, term) = (node.id, node.term);
        if node.role != Role::Leader {
            return broken(
                OracleId::LeaseBound,
                id,
                format!("{id} reads by lease and is a {}", node.role),
            );
        }
        if mirrors.newest_reign > term {
            return broken(
                OracleId::LeaseBound,
                id,
                format!(
                    "{id} reads by its lease of term {term}, and term {} has a leader",
                    mirrors.newest_reign
                ),
            );
        }
        let holders = self.bound_to(slot, term, at);
        if !node.quorum.is_in(holders) {
            return broken(
                OracleId::LeaseBound,
                id,
                format!(
                    "{id} reads by its lease of term {term}, but of {} voters only {} are surely \
                     bound",
                    node.quorum.all().count_ones(),
                    mirrors.names(node.quorum, holders)
                ),
            );
        }
        let alive = |handed: &&Handed| {
            let target = &mirrors.nodes[handed.to];
            handed.term == term && target.term <= term && target.disk.last() <= handed.told
        };
        match self.handed.iter().find(alive) {
            None => Ok(()),
            Some(handed) => broken(
                OracleId::LeaseBound,
                id,
                format!(
                    "{id} reads by its lease of term {term}, and {} may still campaign in its \
                     name: its log ends at or below {}",
                    mirrors.nodes[handed.to].id, handed.told
                ),
            ),
        }
    }
}

#[cfg(test)]
mod tests;
