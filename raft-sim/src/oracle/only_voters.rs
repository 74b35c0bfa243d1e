//! Only voters count: what a leader was told by the right voters is enough for what it did.
//!
//! **Intuition.** The oracle keeps a count of its own, from what reached each node: who granted it
//! its vote in this term, and how far each peer says its disk agrees. Learners, removed nodes,
//! answers of other terms and of earlier boots are in it as well; a quorum of the configuration in
//! force is asked for, in both halves while it is joint, and nobody else can fill a gap. So a
//! system that counts somebody who does not count has counted more than it was told. In force is
//! the newest configuration of the node's own log, read from the entries as they are written.
//! **Source.** Thesis §4.1, §4.2.1, §4.3; B-042 and B-071 (too few counted), B-062 (in force only
//! when applied), D-W10 (an answer of a disk that is gone).
//! **Upholds.** `inv:only-voters-count`.
//! **Not here.** Whether what was told is true on disks (`quorum_at_election.rs`, `durable.rs`),
//! which configuration may follow which (`configuration.rs`).

use raft_core::{LogIndex, Role, Term};

use super::{
    Check, OracleId, broken,
    mirrors::{Mirrors, NODES_MAX, Quorum},
};
use crate::process::{Claim, EntryId, MessageLabel, NodeView};

/// What one node was told in its present term and boot.
#[derive(Clone, Debug)]
struct Told {
    term: Term,
    /// Who granted its vote, bits by slot.
    granted: u64,
    /// By slot: up to where that peer's disk agrees, and in which of its lives.
    matched: Vec<(u64, LogIndex)>,
}

impl Default for Told {
    fn default() -> Self {
        Self { term: Term::ZERO, granted: 0, matched: vec![(0, LogIndex::ZERO); NODES_MAX] }
    }
}

impl Told {
    fn at(&mut self, term: Term) -> &mut Self {
        if self.term != term {
            self.term = term;
            self.granted = 0;
            self.matched.fill((0, LogIndex::ZERO));
        }
        self
    }
}

/// The oracle.
#[derive(Clone, Debug)]
pub(super) struct OnlyVoters {
    pub(super) checks: u64,
    /// By slot.
    told: Vec<Told>,
    /// The highest index a leader committed on what it was told.
    backed: LogIndex,
    /// Configurations of any log, ascending by index.
    configurations: Vec<(EntryId, Quorum)>,
}

impl Default for OnlyVoters {
    fn default() -> Self {
        Self {
            checks: 0,
            told: vec![Told::default(); NODES_MAX],
            backed: LogIndex::ZERO,
            configurations: Vec::new(),
        }
    }
}

impl OnlyVoters {
    /// A process started: what the one before was told is gone.
    pub(super) fn on_boot(&mut self, slot: usize) {
        self.told[slot] = Told::default();
    }

    /// A configuration was written as `entry` somewhere.
    pub(super) fn on_configuration(&mut self, entry: EntryId, quorum: Quorum) {
        let index = entry.position.index;
        let at = self.configurations.partition_point(|(known, _)| known.position.index < index);
        let mut same = self.configurations[at..].iter();
        if !same.any(|(known, _)| *known == entry) {
            self.configurations.insert(at, (entry, quorum));
        }
    }

    /// Whether the node at `slot` decides by the newest configuration of its own log, committed or
    /// not. One that is still to be handed out for writing is not known yet.
    fn judge_configuration(&self, mirrors: &Mirrors, slot: usize) -> Check {
        let node = &mirrors.nodes[slot];
        let in_log = |(entry, _): &&(EntryId, Quorum)| {
            let link = node.memory.link(entry.position.index);
            link.is_some_and(|link| link.hash == entry.hash && link.term == entry.position.term)
        };
        let Some((entry, quorum)) = self.configurations.iter().rev().find(in_log) else {
            return Ok(());
        };
        if *quorum == node.quorum || node.configuration > entry.position.index {
            return Ok(());
        }
        let names = |quorum: Quorum| mirrors.names(quorum, quorum.all());
        broken(
            OracleId::OnlyVotersCount,
            node.id,
            format!(
                "{} counts {}, and the newest configuration of its log, at {}, has {}",
                node.id,
                names(node.quorum),
                entry.position,
                names(*quorum)
            ),
        )
    }

    /// A message of the node at `from` reached the node at `slot`.
    pub(super) fn on_delivered(
        &mut self,
        mirrors: &Mirrors,
        slot: usize,
        from: usize,
        label: &MessageLabel,
    ) {
        let node = &mirrors.nodes[slot];
        // Of another term it is nothing to this one; what a later term means comes with it.
        if label.term < node.term {
            return;
        }
        match label.claim {
            Claim::Vote(to) if to == node.id => {
                self.told[slot].at(label.term).granted |= 1 << from;
            }
            Claim::Match(upto) => {
                let (life, matched) = &mut self.told[slot].at(label.term).matched[from];
                // What another life of the disk said is nothing to this one.
                let known = if *life == label.life { *matched } else { LogIndex::ZERO };
                (*life, *matched) = (label.life, upto.max(known));
            }
            _ => {}
        }
    }

    /// The node at `slot` became leader of `term`.
    pub(super) fn on_elected(&mut self, mirrors: &Mirrors, slot: usize, term: Term) -> Check {
        self.checks += 1;
        self.judge_configuration(mirrors, slot)?;
        let node = &mirrors.nodes[slot];
        let own = mirrors.durable_votes(term, node.id) & 1 << slot;
        let granted = self.told[slot].at(term).granted | own;
        if node.quorum.is_in(granted) {
            return Ok(());
        }
        broken(
            OracleId::OnlyVotersCount,
            node.id,
            format!(
                "{} leads term {term}, but of {} voters it only has the votes of {}{}",
                node.id,
                node.quorum.all().count_ones(),
                mirrors.names(node.quorum, granted),
                others(mirrors, node.quorum, granted)
            ),
        )
    }

    /// The commit index of the node at `slot` rose; `first` if nobody had committed that much.
    pub(super) fn on_committed(
        &mut self,
        mirrors: &Mirrors,
        slot: usize,
        before: Option<&NodeView>,
        after: &NodeView,
        first: bool,
    ) -> Check {
        let node = &mirrors.nodes[slot];
        let commit = after.commit;
        let led = before.filter(|view| view.role == Role::Leader && first).map(|view| view.term);
        let term = if after.role == Role::Leader { Some(after.term) } else { led };
        let Some(term) = term else {
            if !first {
                return Ok(());
            }
            return broken(
                OracleId::OnlyVotersCount,
                node.id,
                format!(
                    "{} commits up to {commit} as a {}, and no leader has committed beyond {}",
                    node.id, after.role, self.backed
                ),
            );
        };
        self.checks += 1;
        if after.role == Role::Leader {
            self.judge_configuration(mirrors, slot)?;
        }
        let told = &self.told[slot];
        let says = |at: usize| told.term == term && told.matched[at].1 >= commit;
        let own = mirrors.nodes[slot].disk.at(commit) == node.memory.at(commit);
        let holders = (0..mirrors.nodes.len())
            .fold(0, |set, at| set | u64::from(if at == slot { own } else { says(at) }) << at);
        self.backed = self.backed.max(commit);
        // A leader that decides and appends the next configuration in one step decided by the one
        // before.
        if node.quorum.is_in(holders) || node.quorum_before.is_in(holders) {
            return Ok(());
        }
        broken(
            OracleId::OnlyVotersCount,
            node.id,
            format!(
                "{} commits up to {commit}, but of {} voters only {} told it so{}",
                node.id,
                node.quorum.all().count_ones(),
                mirrors.names(node.quorum, holders),
                others(mirrors, node.quorum, holders)
            ),
        )
    }
}

/// Who spoke and does not count, for reasons.
fn others(mirrors: &Mirrors, quorum: Quorum, set: u64) -> String {
    let outside = set & !quorum.all();
    if outside == 0 {
        return String::new();
    }
    let everyone = Quorum { incoming: outside, outgoing: 0 };
    format!("; {} said it too and do not count", mirrors.names(everyone, outside))
}

#[cfg(test)]
mod tests;
