//! The panel: all oracles of one run behind one call.
//!
//! **Intuition.** The world tells a fact; the panel answers "fine" or names the first invariant it
//! breaks. What is not promised, not wanted or switched off is not asked.
//! **Source.** Ours.
//! **Upholds.** Nothing by itself.
//! **Not here.** Who is asked about what (`panel/judge.rs`), the oracles (one file each),
//! reporting facts (`world/`).

mod clients;
mod judge;

use raft_core::{LogIndex, NodeId, Role};

use super::{
    Observation, OracleId, Violation,
    append_only::AppendOnly,
    apply::Apply,
    bounded::Bounded,
    committed::Committed,
    completeness::Completeness,
    contacts::Contacts,
    convergence::Convergence,
    durable::Durable,
    election::Election,
    lane_order::LaneOrder,
    lease_bound::LeaseBound,
    liveness::Liveness,
    log_matching::LogMatching,
    mirrors::Mirrors,
    monotone::Monotone,
    nothing_lost::NothingLost,
    only_voters::OnlyVoters,
    ops::Ops,
    persist_before_send::PersistBeforeSend,
    pure::Pure,
    quorum_at_election::QuorumAtElection,
    read_freshness::ReadFreshness,
    sometimes::{MARKS, Sometimes},
    vote::Vote,
};
use super::{configuration::ConfigurationSafety, snapshot::SnapshotAgrees};
use crate::{
    outcome::OracleLevel,
    process::{NodeView, Ns, Promises},
};

/// Number of oracles.
const ORACLES: usize = OracleId::ALL.len();

/// What the panel must know of a run.
#[derive(Clone, Copy, Debug)]
pub struct OracleSetup<'a> {
    /// All voters, at most 64.
    pub voters: &'a [NodeId],
    /// What the system promises; nothing else is demanded of it.
    pub promises: Promises,
    /// Oracles that are off.
    pub without: &'a [OracleId],
    /// How much is checked.
    pub level: OracleLevel,
    /// How far clocks may be off, in millionths.
    pub clock_error_ppm: u32,
}

/// All oracles of one run, with what they remember.
#[derive(Clone, Debug)]
pub struct Oracles {
    /// Bit `id as u32`: the oracle is on.
    on: u32,
    level: OracleLevel,
    mirrors: Mirrors,
    ops: Ops,
    commit_max: LogIndex,
    sometimes: Sometimes,
    election: Election,
    vote: Vote,
    quorum_at_election: QuorumAtElection,
    monotone: Monotone,
    append_only: AppendOnly,
    log_matching: LogMatching,
    completeness: Completeness,
    committed: Committed,
    durable: Durable,
    persist_before_send: PersistBeforeSend,
    apply: Apply,
    read_freshness: ReadFreshness,
    bounded: Bounded,
    lane_order: LaneOrder,
    pure: Pure,
    convergence: Convergence,
    liveness: Liveness,
    nothing_lost: NothingLost,
    snapshot: SnapshotAgrees,
    configuration: ConfigurationSafety,
    only_voters: OnlyVoters,
    lease_bound: LeaseBound,
    contacts: Contacts,
}

impl Oracles {
    /// A panel for one run.
    ///
    /// # Panics
    /// With more than 64 voters.
    #[must_use]
    pub fn new(setup: OracleSetup<'_>) -> Self {
        let mut on = 0;
        for id in OracleId::ALL {
            let wanted = match setup.level {
                OracleLevel::None => false,
                OracleLevel::Safety => *id < OracleId::Converges,
                OracleLevel::All => true,
            };
            let promised = match id {
                OracleId::PersistBeforeSend => setup.promises.persist_before_send,
                OracleId::ReadFreshness => setup.promises.linearizable_reads,
                OracleId::Bounded => setup.promises.bounded,
                OracleId::Pure => setup.promises.pure,
                _ => true,
            };
            if wanted && promised && !setup.without.contains(id) {
                on |= 1 << *id as u32;
            }
        }
        Self {
            on,
            level: setup.level,
            mirrors: Mirrors::new(setup.voters),
            ops: Ops::default(),
            commit_max: LogIndex::ZERO,
            sometimes: Sometimes::default(),
            election: Election::default(),
            vote: Vote::default(),
            quorum_at_election: QuorumAtElection::default(),
            monotone: Monotone::default(),
            append_only: AppendOnly::default(),
            log_matching: LogMatching::default(),
            completeness: Completeness::default(),
            committed: Committed::default(),
            durable: Durable::default(),
            persist_before_send: PersistBeforeSend::default(),
            apply: Apply::new(setup.promises.persist_before_send),
            read_freshness: ReadFreshness::default(),
            bounded: Bounded::default(),
            lane_order: LaneOrder::default(),
            pure: Pure::default(),
            convergence: Convergence::default(),
            liveness: Liveness::default(),
            nothing_lost: NothingLost::default(),
            snapshot: SnapshotAgrees::default(),
            configuration: ConfigurationSafety::default(),
            only_voters: OnlyVoters::default(),
            lease_bound: LeaseBound::default(),
            contacts: Contacts::new(setup.clock_error_ppm),
        }
    }

    /// Takes in one fact seen in `event` at world time `at`.
    ///
    /// # Errors
    /// The first invariant it breaks. The panel's memory is then no longer reliable: end the run.
    #[inline]
    pub fn observe(
        &mut self,
        event: u64,
        at: Ns,
        observation: Observation<'_>,
    ) -> Result<(), Violation> {
        if self.level == OracleLevel::None {
            self.count(observation);
            return Ok(());
        }
        match self.judge(event, at, observation) {
            Ok(()) => Ok(()),
            Err(b) => {
                Err(Violation { oracle: b.oracle, event, at, node: b.node, reason: b.reason })
            }
        }
    }

    /// Comparisons each oracle made, by [`OracleId::ALL`]. A fact with nothing to compare it to
    /// does not count. `linearizable` is counted elsewhere and 0 here.
    #[must_use]
    pub fn checks(&self) -> [u64; ORACLES] {
        let mut checks = [0; ORACLES];
        for (id, made) in [
            (OracleId::ElectionSafety, self.election.checks),
            (OracleId::OneVotePerTerm, self.vote.checks),
            (OracleId::LeaderHoldsDurableQuorum, self.quorum_at_election.checks),
            (OracleId::Monotone, self.monotone.checks),
            (OracleId::LeaderAppendOnly, self.append_only.checks),
            (OracleId::LogMatching, self.log_matching.checks),
            (OracleId::LeaderCompleteness, self.completeness.checks),
            (OracleId::CommittedImmutable, self.committed.checks),
            (OracleId::CommittedDurable, self.durable.checks),
            (OracleId::PersistBeforeSend, self.persist_before_send.checks),
            (OracleId::ApplyOnceInOrder, self.apply.checks),
            (OracleId::ReadFreshness, self.read_freshness.checks),
            (OracleId::Bounded, self.bounded.checks),
            (OracleId::LaneOrder, self.lane_order.checks),
            (OracleId::Pure, self.pure.checks),
            (OracleId::Converges, self.convergence.checks),
            (OracleId::Live, self.liveness.checks),
            (OracleId::NothingLost, self.nothing_lost.checks),
            (OracleId::SnapshotAgrees, self.snapshot.checks),
            (OracleId::ConfigurationSafety, self.configuration.checks),
            (OracleId::OnlyVotersCount, self.only_voters.checks),
            (OracleId::LeaseBound, self.lease_bound.checks),
        ] {
            checks[id as usize] = made;
        }
        checks
    }

    /// Times each mark was hit, by [`super::sometimes::Mark::ALL`]. Complete only when everything is checked.
    #[must_use]
    pub fn marks(&self) -> &[u64; MARKS] {
        &self.sometimes.counts
    }

    /// Whether `id` is wanted, promised and not switched off.
    #[must_use]
    pub const fn is_on(&self, id: OracleId) -> bool {
        self.on >> id as u32 & 1 == 1
    }

    /// Client commands committed: operations applied somewhere, once each.
    #[must_use]
    pub const fn commits(&self) -> u64 {
        self.ops.commits
    }

    /// Terms that had a leader.
    #[must_use]
    pub const fn terms(&self) -> u64 {
        self.mirrors.terms
    }

    /// Length of the committed log.
    #[must_use]
    pub const fn committed(&self) -> LogIndex {
        self.commit_max
    }

    /// The id of every committed entry up to `index`.
    #[must_use]
    pub fn committed_ids(&self, index: LogIndex) -> Vec<crate::process::EntryId> {
        self.mirrors.committed_ids(index)
    }

    /// The leader of the highest term that has one right now, as its view says.
    #[must_use]
    pub fn leader_now(&self) -> Option<NodeId> {
        self.mirrors.leader_now()
    }

    /// Index at which the command of `op` was applied, if it was.
    #[must_use]
    pub fn applied_index(&self, op: u64) -> Option<LogIndex> {
        self.ops.get(op).and_then(|fate| fate.applied)
    }

    /// Only what reports need, when nothing is checked.
    fn count(&mut self, observation: Observation<'_>) {
        match observation {
            Observation::Booted { node, boot, view, .. } => {
                let slot = self.mirrors.slot(node);
                let mirror = &mut self.mirrors.nodes[slot];
                (mirror.up, mirror.boot, mirror.reigns) = (true, boot, 0);
                mirror.take(view);
            }
            Observation::Crashed { node, .. } => {
                let slot = self.mirrors.slot(node);
                let mirror = &mut self.mirrors.nodes[slot];
                (mirror.up, mirror.role) = (false, Role::Follower);
            }
            Observation::View { node, before, after, .. } => {
                let slot = self.mirrors.slot(node);
                self.mirrors.nodes[slot].take(after);
                if elected(before, after) {
                    self.mirrors.begin_reign(slot, after.term);
                }
                self.commit_max = self.commit_max.max(after.commit);
            }
            Observation::OpApplied { op, index } if self.ops.at(index) != Some(op) => {
                self.ops.note_applied(op, index);
            }
            _ => {}
        }
    }
}

/// Whether a reign began between the two views.
fn elected(before: &NodeView, after: &NodeView) -> bool {
    after.role == Role::Leader && (before.role != Role::Leader || before.term != after.term)
}

#[cfg(test)]
mod tests {
    use super::super::testkit::{ALL, Kit, entry};
    use super::*;
    use crate::process::{Changed, HardRecord};
    use raft_core::Term;

    fn panel(level: OracleLevel, without: &[OracleId]) -> Oracles {
        let voters = &[NodeId(1), NodeId(2), NodeId(3)];
        let clock_error_ppm = 1_000;
        Oracles::new(OracleSetup { voters, promises: ALL, without, level, clock_error_ppm })
    }

    #[test]
    fn levels_switch_oracles_off() {
        for (level, safe, late) in [
            (OracleLevel::None, false, false),
            (OracleLevel::Safety, true, false),
            (OracleLevel::All, true, true),
        ] {
            let panel = panel(level, &[]);
            assert_eq!(panel.is_on(OracleId::ElectionSafety), safe);
            assert_eq!(panel.is_on(OracleId::Pure), safe);
            assert_eq!(panel.is_on(OracleId::Live), late);
            assert_eq!(panel.is_on(OracleId::Linearizable), late);
        }
    }

    #[test]
    fn every_oracle_can_be_switched_off_alone() {
        for id in OracleId::ALL {
            let panel = panel(OracleLevel::All, &[*id]);
            let off = OracleId::ALL.iter().filter(|other| !panel.is_on(**other));
            assert_eq!(off.collect::<Vec<_>>(), [id]);
        }
    }

    #[test]
    fn with_its_oracle_off_another_sees_the_breach_or_nobody() {
        // The commit of what is not durable: caught first by committed-durable, then by the count
        // of what was told, and without both by nobody until something is lost.
        let unsafe_commit = |without: &[OracleId]| {
            let mut kit = Kit::with(3, ALL, without);
            kit.elect(1, 1, &[2, 3]).unwrap();
            kit.append(1, 1, 1).unwrap();
            kit.commit(1, 1).and_then(|()| kit.elect(3, 2, &[2]))
        };
        let first = unsafe_commit(&[]).unwrap_err();
        assert_eq!(first.oracle, OracleId::CommittedDurable);
        let next = unsafe_commit(&[OracleId::CommittedDurable]).unwrap_err();
        assert_eq!(next.oracle, OracleId::OnlyVotersCount);
        let two = [OracleId::CommittedDurable, OracleId::OnlyVotersCount];
        assert_eq!(unsafe_commit(&two).unwrap_err().oracle, OracleId::LeaderCompleteness);
        unsafe_commit(&[two[0], two[1], OracleId::LeaderCompleteness]).unwrap();
    }

    #[test]
    fn counts_are_the_same_whatever_is_checked() {
        let mut counts = Vec::new();
        for level in [OracleLevel::None, OracleLevel::Safety, OracleLevel::All] {
            let mut kit = Kit::new(3);
            kit.oracles = panel(level, &[]);
            for node in 1..=3 {
                kit.boot(node).unwrap();
            }
            kit.elect(1, 1, &[2, 3]).unwrap();
            for node in [1, 2] {
                kit.replicate(node, 1, 3).unwrap();
            }
            kit.commit(1, 3).unwrap();
            kit.apply(1, 3).unwrap();
            for op in [1, 1, 2] {
                kit.see(Observation::OpApplied { op, index: LogIndex(op) }).unwrap();
            }
            let o = &kit.oracles;
            counts.push((o.commits(), o.terms(), o.committed(), o.leader_now()));
            assert_eq!(o.checks().iter().any(|n| *n > 0), level != OracleLevel::None);
            kit.crash(1).unwrap();
            assert_eq!(kit.oracles.leader_now(), None);
        }
        assert_eq!(counts, [(2, 1, LogIndex(3), Some(NodeId(1))); 3]);
    }

    #[test]
    fn a_node_that_is_no_voter_is_judged_but_never_counted() {
        let voters = &[NodeId(10), NodeId(20), NodeId(30)];
        let setup = OracleSetup {
            voters,
            promises: ALL,
            without: &[],
            level: OracleLevel::All,
            clock_error_ppm: 1_000,
        };
        let mut oracles = Oracles::new(setup);
        let vote = HardRecord { term: Term(1), vote: Some(NodeId(10)), ..HardRecord::default() };
        let view = NodeView::default();
        for (node, log) in [(10, &[][..]), (20, &[]), (77, &[entry(1, 1)])] {
            let booted = Observation::Booted {
                node: NodeId(node),
                boot: 1,
                hard: HardRecord::default(),
                log,
                view: &view,
            };
            oracles.observe(0, 0, booted).unwrap();
        }
        for node in [10, 77] {
            let durable = Observation::PersistDurable {
                node: NodeId(node),
                sequence: 1,
                hard: Some(vote),
                truncate_from: None,
                entries: &[],
                snapshot: None,
            };
            oracles.observe(1, 0, durable).unwrap();
        }
        let after = NodeView { role: Role::Leader, term: Term(1), ..NodeView::default() };
        let led = Observation::View {
            node: NodeId(10),
            boot: 1,
            changed: Changed::ALL,
            before: &view,
            after: &after,
        };
        let violation = oracles.observe(2, 0, led).unwrap_err();
        assert_eq!(violation.oracle, OracleId::LeaderHoldsDurableQuorum);
        assert!(violation.reason.contains("of 3 voters only n10 ever"), "{}", violation.reason);
    }
}
