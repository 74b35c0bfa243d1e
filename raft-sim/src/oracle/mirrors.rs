//! Mirrors: what every oracle may know about each node, kept once for all of them.
//!
//! **Intuition.** Each node has three faces: the log in its memory, what its disk would give back
//! after any crash from now on, and what its last view said. Beside them stands one ghost that no
//! node has: everything ever committed. Oracles compare faces; the ghost never forgets.
//! **Source.** Ghost (history) variables as in the thesis's specification, ch. 8; disks include
//! those of crashed nodes, since a commit promises durability and not presence.
//! **Upholds.** All safety invariants read it.
//! **Not here.** Judgement: nothing here reports anything.

use raft_core::{LogIndex, NodeId, Role, Term};

use super::chain::Chain;
use crate::{
    collections::FixedMap,
    process::{EntryId, HardRecord, NodeView},
};

/// Most nodes a cluster may have: node sets are bits of one word.
pub(super) const NODES_MAX: usize = 64;

/// What is known about one node.
#[derive(Clone, Debug)]
pub(super) struct NodeMirror {
    /// Whose.
    pub(super) id: NodeId,
    /// Its disk is lost: it is dead for ever, and its id may be another node's by now. What its
    /// disk held still counts as held, as for any node that is down: who decided relied on it.
    pub(super) retired: bool,
    /// Running.
    pub(super) up: bool,
    /// Which start.
    pub(super) boot: u64,
    /// Role in the last view; `Follower` while down.
    pub(super) role: Role,
    /// Term in the last view.
    pub(super) term: Term,
    /// Commit index in the last view.
    pub(super) commit: LogIndex,
    /// Applied index in the last view.
    pub(super) applied: LogIndex,
    /// Index of the entry whose configuration its last view has in force.
    pub(super) configuration: LogIndex,
    /// Reigns begun in this boot.
    pub(super) reigns: u64,
    /// The log in memory.
    pub(super) memory: Chain,
    /// The log that survives any crash from now on.
    pub(super) disk: Chain,
    /// The hard state that survives any crash from now on.
    pub(super) hard: HardRecord,
    /// Term of the last hard state handed out in this boot.
    pub(super) handed_term: Term,
    /// Who decides, by the configuration in force there.
    pub(super) quorum: Quorum,
    /// The same before the step that is judged; another one only if that step changed it.
    pub(super) quorum_before: Quorum,
}

/// Whose agreement decides: a majority of `incoming` and, while joint, of `outgoing` too. Bits by
/// slot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Quorum {
    pub(super) incoming: u64,
    pub(super) outgoing: u64,
}

impl Quorum {
    /// Whether `holders` contains a quorum. The only place that knows what one is.
    pub(super) fn is_in(self, holders: u64) -> bool {
        let majority = |half: u64| (holders & half).count_ones() * 2 > half.count_ones();
        majority(self.incoming) && (self.outgoing == 0 || majority(self.outgoing))
    }

    /// Everybody who counts.
    pub(super) const fn all(self) -> u64 {
        self.incoming | self.outgoing
    }
}

/// One node's time as the leader of one term.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Reign {
    /// Who.
    pub(super) node: NodeId,
    /// Slot of `node`.
    pub(super) slot: usize,
    /// In which start.
    pub(super) boot: u64,
    /// Which of its reigns in that start, from 1.
    pub(super) number: u64,
}

/// What a rise of a node's commit index meant for the ghost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CommitStep {
    /// The node holds what was committed before, up to its commit index.
    Agrees,
    /// The ghost grew; it ended at `before`.
    Advanced {
        /// Committed length until now.
        before: LogIndex,
    },
    /// The node's log differs from the ghost at or below `index`.
    Conflict {
        /// Where it was seen.
        index: LogIndex,
    },
    /// The commit index lies beyond the node's log.
    BeyondLog,
}

/// Everything oracles share.
#[derive(Clone, Debug)]
pub(super) struct Mirrors {
    /// By slot; voters first, in ascending order.
    pub(super) nodes: Vec<NodeMirror>,
    /// The first voters.
    first: Quorum,
    /// Who decided the newest commit.
    pub(super) decided: Quorum,
    /// Everything ever committed.
    pub(super) committed: Chain,
    /// In which terms the ghost grew, and up to where: ascending index.
    commit_terms: Vec<(Term, LogIndex)>,
    /// (term, candidate) → nodes that ever held that vote durably.
    votes: FixedMap<(Term, NodeId), u64>,
    reigns: FixedMap<Term, Reign>,
    /// Terms that had a leader.
    pub(super) terms: u64,
    /// Highest term that had a leader.
    pub(super) newest_reign: Term,
}

impl Mirrors {
    /// Mirrors of `voters`, all down with empty disks.
    ///
    /// # Panics
    /// With more than [`NODES_MAX`] voters.
    pub(super) fn new(voters: &[NodeId]) -> Self {
        assert!(voters.len() <= NODES_MAX, "at most {NODES_MAX} voters");
        let mut ids = voters.to_vec();
        ids.sort_unstable();
        ids.dedup();
        let count = ids.len();
        let incoming = if count == NODES_MAX { u64::MAX } else { (1 << count) - 1 };
        let first = Quorum { incoming, outgoing: 0 };
        Self {
            first,
            decided: first,
            nodes: ids.into_iter().map(|id| NodeMirror::new(id, first)).collect(),
            committed: Chain::with_capacity(1024),
            commit_terms: Vec::with_capacity(64),
            votes: FixedMap::default(),
            reigns: FixedMap::default(),
            terms: 0,
            newest_reign: Term::ZERO,
        }
    }

    /// The slot of `node`. A node that is not a voter gets one at its first fact.
    ///
    /// # Panics
    /// With more than [`NODES_MAX`] nodes.
    pub(super) fn slot(&mut self, node: NodeId) -> usize {
        // Voters of a plan are numbered from 1: the first guess is nearly always right.
        let guess = node.0.wrapping_sub(1) as usize;
        if self.nodes.get(guess).is_some_and(|n| n.id == node && !n.retired) {
            return guess;
        }
        self.slot_slow(node)
    }

    #[cold]
    fn slot_slow(&mut self, node: NodeId) -> usize {
        if let Some(slot) = self.nodes.iter().position(|n| n.id == node && !n.retired) {
            return slot;
        }
        assert!(self.nodes.len() < NODES_MAX, "at most {NODES_MAX} nodes");
        self.nodes.push(NodeMirror::new(node, self.first));
        self.nodes.len() - 1
    }

    /// The disk of `node`, which is down, is gone for good.
    pub(super) fn retire(&mut self, node: NodeId) {
        let slot = self.slot(node);
        self.nodes[slot].retired = true;
    }

    /// Who decides in a configuration of these voters.
    pub(super) fn quorum_of(&mut self, voters: &[NodeId], outgoing: &[NodeId]) -> Quorum {
        let mut bits =
            |nodes: &[NodeId]| nodes.iter().fold(0, |set, node| set | 1_u64 << self.slot(*node));
        Quorum { incoming: bits(voters), outgoing: bits(outgoing) }
    }

    /// Takes over who decides at `slot`, if its view names voters.
    pub(super) fn take_quorum(&mut self, slot: usize, view: &NodeView) {
        if view.voters.is_empty() {
            return;
        }
        let quorum = self.quorum_of(&view.voters, &view.outgoing);
        self.nodes[slot].quorum_before = self.nodes[slot].quorum;
        self.nodes[slot].quorum = quorum;
    }

    /// A step begins that leaves the configuration at `slot` as it is.
    pub(super) fn keep_quorum(&mut self, slot: usize) {
        self.nodes[slot].quorum_before = self.nodes[slot].quorum;
    }

    /// The id of every committed entry up to `index`.
    pub(super) fn committed_ids(&self, index: LogIndex) -> Vec<EntryId> {
        (1..=index.0)
            .map_while(|at| {
                let link = self.committed.link(LogIndex(at))?;
                let position = raft_core::LogPosition::new(link.term, LogIndex(at));
                Some(EntryId { position, hash: link.hash })
            })
            .collect()
    }

    /// The nodes for which `test` holds, as bits by slot.
    pub(super) fn which(&self, test: impl Fn(&NodeMirror) -> bool) -> u64 {
        self.nodes.iter().enumerate().fold(0, |set, (slot, n)| set | u64::from(test(n)) << slot)
    }

    /// All of the first voters, as bits by slot.
    pub(super) fn voters(&self) -> u64 {
        self.first.incoming
    }

    /// Those of `quorum` that are in `set`, for reasons.
    pub(super) fn names(&self, quorum: Quorum, set: u64) -> String {
        let names: Vec<String> = self
            .nodes
            .iter()
            .enumerate()
            .filter(|(slot, _)| (set & quorum.all()) >> slot & 1 == 1)
            .map(|(_, n)| n.id.to_string())
            .collect();
        if names.is_empty() { "nobody".to_owned() } else { names.join(", ") }
    }

    /// A process started from this disk. Returns the first disk index that was not as mirrored.
    pub(super) fn boot(
        &mut self,
        slot: usize,
        boot: u64,
        hard: HardRecord,
        log: &[EntryId],
        view: &NodeView,
    ) -> Option<LogIndex> {
        self.note_hard(slot, hard);
        let node = &mut self.nodes[slot];
        let changed = node.disk.become_log(log);
        node.memory.become_log(log);
        node.up = true;
        node.boot = boot;
        node.reigns = 0;
        node.handed_term = hard.term;
        node.take(view);
        changed
    }

    /// A process is gone. Returns the first disk index that was not as mirrored.
    pub(super) fn crash(
        &mut self,
        slot: usize,
        hard: HardRecord,
        log: &[EntryId],
    ) -> Option<LogIndex> {
        self.note_hard(slot, hard);
        let node = &mut self.nodes[slot];
        node.up = false;
        node.role = Role::Follower;
        node.disk.become_log(log)
    }

    /// This hard state is durable at `slot` now.
    pub(super) fn note_hard(&mut self, slot: usize, hard: HardRecord) {
        self.nodes[slot].hard = hard;
        if let Some(vote) = hard.vote {
            *self.votes.entry((hard.term, vote)).or_insert(0) |= 1 << slot;
        }
    }

    /// The nodes that ever held a vote for `candidate` in `term` durably, as bits by slot. A voter
    /// may have moved on to a later term since: its vote still counted.
    pub(super) fn durable_votes(&self, term: Term, candidate: NodeId) -> u64 {
        self.votes.get(&(term, candidate)).copied().unwrap_or(0)
    }

    /// The node leads from now on; returns the reign that held the term before, if one did.
    pub(super) fn begin_reign(&mut self, slot: usize, term: Term) -> (Reign, Option<Reign>) {
        let node = &mut self.nodes[slot];
        node.reigns += 1;
        let reign = Reign { node: node.id, slot, boot: node.boot, number: node.reigns };
        let held = self.reigns.get(&term).copied();
        if held.is_none() {
            self.reigns.insert(term, reign);
            self.terms += 1;
            self.newest_reign = self.newest_reign.max(term);
        }
        (reign, held)
    }

    /// Whether `term` ever had a leader.
    pub(super) fn had_leader(&self, term: Term) -> bool {
        self.reigns.contains_key(&term)
    }

    /// The node that leads `term` right now.
    pub(super) fn leading(&self, term: Term) -> Option<&NodeMirror> {
        let node = &self.nodes[self.reigns.get(&term)?.slot];
        (node.up && node.role == Role::Leader && node.term == term).then_some(node)
    }

    /// The leader of the highest term that has one right now.
    pub(super) fn leader_now(&self) -> Option<NodeId> {
        self.nodes
            .iter()
            .filter(|n| n.up && n.role == Role::Leader)
            .max_by_key(|n| n.term)
            .map(|n| n.id)
    }

    /// Compares the node's log in memory with the ghost up to `commit` and lets the ghost grow.
    pub(super) fn raise_commit(&mut self, slot: usize, term: Term, commit: LogIndex) -> CommitStep {
        let memory = &self.nodes[slot].memory;
        let before = self.committed.last();
        let common = before.min(commit);
        match memory.at(common) {
            None => return CommitStep::BeyondLog,
            chain if chain != self.committed.at(common) => {
                return CommitStep::Conflict { index: common };
            }
            Some(_) => {}
        }
        if commit <= before {
            return CommitStep::Agrees;
        }
        if memory.last() < commit {
            return CommitStep::BeyondLog;
        }
        while self.committed.last() < commit && self.committed.push_from(memory) {}
        // A leader that commits and appends the next configuration in one step decided by the one
        // before: the change had to wait for this commit.
        let (before_change, now) = (self.nodes[slot].quorum_before, self.nodes[slot].quorum);
        self.decided = now;
        if before_change != now {
            let chain = self.committed.at(commit);
            let holders = self.which(|node| node.disk.at(commit) == chain);
            if before_change.is_in(holders) {
                self.decided = before_change;
            }
        }
        match self.commit_terms.last_mut() {
            Some((newest, upto)) if *newest == term => *upto = commit,
            _ => self.commit_terms.push((term, commit)),
        }
        CommitStep::Advanced { before }
    }

    /// The highest index that was committed by a leader of a term before `term`.
    pub(super) fn committed_before(&self, term: Term) -> LogIndex {
        self.commit_terms
            .iter()
            .rev()
            .find(|(committed_in, _)| *committed_in < term)
            .map_or(LogIndex::ZERO, |(_, upto)| *upto)
    }
}

impl NodeMirror {
    fn new(id: NodeId, quorum: Quorum) -> Self {
        Self {
            id,
            retired: false,
            up: false,
            boot: 0,
            role: Role::Follower,
            term: Term::ZERO,
            commit: LogIndex::ZERO,
            applied: LogIndex::ZERO,
            configuration: LogIndex::ZERO,
            reigns: 0,
            memory: Chain::with_capacity(1024),
            disk: Chain::with_capacity(1024),
            hard: HardRecord::default(),
            handed_term: Term::ZERO,
            quorum,
            quorum_before: quorum,
        }
    }

    /// Takes over the scalars of a view.
    pub(super) fn take(&mut self, view: &NodeView) {
        self.role = view.role;
        self.term = view.term;
        self.commit = view.commit;
        self.applied = view.applied;
        self.configuration = view.configuration;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oracle::testkit::{entry, hard, other_entry};

    fn five() -> Mirrors {
        Mirrors::new(&[5, 3, 1, 2, 4].map(NodeId))
    }

    #[test]
    fn a_quorum_is_a_majority_of_voters_whatever_else_there_is() {
        for voters in 1..=9u64 {
            let ids: Vec<_> = (1..=voters).map(NodeId).collect();
            let mut mirrors = Mirrors::new(&ids);
            mirrors.slot(NodeId(77));
            for set in 0..1u64 << (voters + 1) {
                let among = (0..voters).filter(|slot| set >> slot & 1 == 1).count() as u64;
                let quorum = mirrors.nodes[0].quorum;
                assert_eq!(quorum.is_in(set), 2 * among > voters, "{set:b} of {voters}");
            }
        }
    }

    #[test]
    fn slots_follow_ids_and_are_stable() {
        let mut mirrors = five();
        for id in 1..=5 {
            assert_eq!(mirrors.slot(NodeId(id)), id as usize - 1);
        }
        assert_eq!(mirrors.slot(NodeId(0)), 5);
        assert_eq!(mirrors.slot(NodeId(u64::MAX)), 6);
        assert_eq!(mirrors.slot(NodeId(0)), 5);
        let quorum = mirrors.nodes[0].quorum;
        assert_eq!(quorum.all().count_ones(), 5);
        assert_eq!(mirrors.names(quorum, 0b10_0001), "n1");
        assert_eq!(mirrors.names(quorum, 0), "nobody");
    }

    #[test]
    fn durable_votes_are_remembered_after_the_voter_moved_on() {
        let mut mirrors = five();
        mirrors.note_hard(2, hard(3, 1));
        mirrors.note_hard(2, hard(4, 2));
        assert_eq!(mirrors.durable_votes(Term(3), NodeId(1)), 0b100);
        assert_eq!(mirrors.durable_votes(Term(4), NodeId(2)), 0b100);
        assert_eq!(mirrors.durable_votes(Term(4), NodeId(1)), 0);
    }

    #[test]
    fn the_ghost_knows_in_which_term_each_index_was_committed() {
        let mut mirrors = five();
        for index in 1..=6 {
            mirrors.nodes[0].memory.push(entry(1, index));
        }
        let mut raise = |term, to| mirrors.raise_commit(0, Term(term), LogIndex(to));
        assert_eq!(raise(1, 2), CommitStep::Advanced { before: LogIndex(0) });
        assert_eq!(raise(1, 3), CommitStep::Advanced { before: LogIndex(2) });
        assert_eq!(raise(4, 5), CommitStep::Advanced { before: LogIndex(3) });
        assert_eq!(raise(4, 4), CommitStep::Agrees);
        assert_eq!(raise(4, 7), CommitStep::BeyondLog);
        for (term, upto) in [(1, 0), (2, 3), (4, 3), (5, 5)] {
            assert_eq!(mirrors.committed_before(Term(term)), LogIndex(upto));
        }
        mirrors.nodes[1].memory.push(other_entry(1, 1, 9));
        let conflict = mirrors.raise_commit(1, Term(4), LogIndex(1));
        assert_eq!(conflict, CommitStep::Conflict { index: LogIndex(1) });
    }

    /// Chains against plain vectors compared entry by entry.
    #[test]
    fn holders_are_those_whose_whole_prefix_is_equal() {
        let mut state = 11u64;
        let mut draw = move |below: u64| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 33) % below
        };
        let mut held = [0u64; 6];
        for _ in 0..200 {
            let mut mirrors = five();
            let mut plain: Vec<Vec<EntryId>> = vec![Vec::new(); 5];
            for _ in 0..60 {
                let slot = draw(5) as usize;
                match draw(4) {
                    0 => {
                        let from = draw(plain[slot].len() as u64 + 1) + 1;
                        plain[slot].truncate(from as usize - 1);
                        mirrors.nodes[slot].disk.truncate_from(LogIndex(from));
                    }
                    1 => {
                        let log = plain[draw(5) as usize].clone();
                        mirrors.crash(slot, hard(1, 0), &log);
                        plain[slot] = log;
                    }
                    _ => {
                        let index = plain[slot].len() as u64 + 1;
                        let new = other_entry(1, index, draw(2));
                        plain[slot].push(new);
                        mirrors.nodes[slot].disk.push(new);
                    }
                }
                let of = draw(5) as usize;
                let upto = draw(plain[of].len() as u64 + 1);
                let chain = mirrors.nodes[of].disk.at(LogIndex(upto));
                let set = mirrors.which(|n| n.disk.at(LogIndex(upto)) == chain);
                let upto = upto as usize;
                for (slot, log) in plain.iter().enumerate() {
                    let same = log.get(..upto) == Some(&plain[of][..upto]);
                    assert_eq!(set >> slot & 1 == 1, same, "{slot} against {of} up to {upto}");
                }
                held[set.count_ones() as usize] += 1;
            }
        }
        assert!(held[1..].iter().all(|n| *n > 100), "all sizes were seen: {held:?}");
    }
}
