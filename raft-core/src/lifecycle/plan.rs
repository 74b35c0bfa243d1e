//! Planning a recovery: which survivor goes on.
//!
//! **Intuition.** Whoever decides must compare disks, not nodes: a running one may change while it
//! is asked. Of the logs that are left the most up-to-date holds all that the others could know to
//! be committed, for the same reason that lets it win elections.
//! **Source.** S-100; thesis §3.6.1 (which log is more up-to-date).
//! **Upholds.** `inv:leader-completeness`, as far as the survivors can.
//! **Not here.** Looking at a disk (`snapshot/choose.rs`), carrying the plan out (`recovery.rs`).

use alloc::vec::Vec;
use core::fmt;

use super::recovery::RecoveryPlan;
use crate::{
    snapshot::choose::Inspection,
    types::{NodeId, RecoveryEpoch},
};

/// Why no plan could be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum PlanError {
    /// Nobody was inspected.
    NoSurvivors,
    /// Two inspections are of one node.
    Twice(NodeId),
    /// Two disks are of different clusters, groups or epochs and must not be mixed.
    MixedIdentity(NodeId),
    /// No survivor holds data and takes part.
    NoKeeper,
    /// The survivor is no member by the keeper's configuration.
    NotMember(NodeId),
    /// Disk of a node that lost data or is disabled; leave it out, and add it anew afterwards.
    NotInService(NodeId),
}

impl fmt::Display for PlanError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSurvivors => f.write_str("no survivor was inspected"),
            Self::Twice(node) => write!(f, "{node} was inspected twice"),
            Self::MixedIdentity(node) => {
                write!(f, "{node} is of another cluster, group or epoch than the others")
            }
            Self::NoKeeper => f.write_str("no survivor holds data"),
            Self::NotMember(node) => write!(f, "{node} is no member by the chosen survivor's log"),
            Self::NotInService(node) => {
                write!(f, "{node} is out of service; leave it out and add it anew afterwards")
            }
        }
    }
}

impl core::error::Error for PlanError {}

impl RecoveryPlan {
    /// Chooses the survivor with the greatest last position to go on with. The plan still says
    /// that no data may be lost: set `data_may_be_lost` to accept it.
    ///
    /// # Errors
    /// [`PlanError`] names what is in the way.
    pub fn choose(survivors: &[Inspection], plan_id: u64) -> Result<Self, PlanError> {
        let first = survivors.first().ok_or(PlanError::NoSurvivors)?;
        let identity = |of: &Inspection| (of.cluster, of.group, of.epoch);
        if let Some(other) = survivors.iter().find(|other| identity(other) != identity(first)) {
            return Err(PlanError::MixedIdentity(other.node));
        }
        if let Some(out) =
            survivors.iter().find(|survivor| survivor.disabled.is_some() || survivor.lost_data)
        {
            return Err(PlanError::NotInService(out.node));
        }
        let holds_data = |of: &&Inspection| !of.configuration.is_witness(of.node);
        // Of equals the lowest id, so that two operators choose alike.
        let best = survivors
            .iter()
            .filter(holds_data)
            .max_by_key(|of| (of.last, core::cmp::Reverse(of.node)))
            .ok_or(PlanError::NoKeeper)?;
        let mut nodes: Vec<NodeId> = survivors.iter().map(|survivor| survivor.node).collect();
        nodes.sort_unstable();
        let twice = nodes.iter().zip(nodes.iter().skip(1)).find(|(a, b)| a == b);
        if let Some((twice, _)) = twice {
            return Err(PlanError::Twice(*twice));
        }
        if let Some(stranger) = nodes.iter().find(|node| !best.configuration.is_member(**node)) {
            return Err(PlanError::NotMember(*stranger));
        }
        Ok(Self {
            data_may_be_lost: false,
            survivors: nodes,
            keep: best.node,
            last: best.last,
            term: survivors.iter().map(|survivor| survivor.term).max().unwrap_or_default(),
            epoch: RecoveryEpoch { number: first.epoch.number.saturating_add(1), plan_id },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        config::Configuration,
        log::TermRun,
        snapshot::choose::inspect,
        storage::{Boot, HardState},
        types::{BootId, ClusterId, GroupId, Incarnation, LogIndex, LogPosition, Term},
    };

    /// The disk of a member of three, in `term`, with a log of `entries` of term 1.
    fn disk(node: u64, term: u64, entries: u64) -> Inspection {
        let mut hard = HardState::new(ClusterId(7), GroupId(1), NodeId(node), Incarnation(1));
        hard.term = Term(term);
        let voters = Configuration::new((1..=3).map(NodeId)).expect("three");
        let runs = alloc::vec![TermRun { first: LogIndex(1), term: Term(1) }];
        let boot = Boot::new(BootId(1), 1, hard, voters);
        inspect(&boot.with_log(runs, LogIndex(entries), 0)).expect("a disk")
    }

    #[test]
    fn the_longest_log_goes_on_above_every_term_that_was_voted_in() {
        let found = [disk(1, 6, 2), disk(3, 4, 5), disk(2, 5, 5)];
        let plan = RecoveryPlan::choose(&found, 9).expect("a plan");
        let longest = LogPosition::new(Term(1), LogIndex(5));
        assert_eq!((plan.keep, plan.last), (NodeId(2), longest), "of equals the lowest id");
        assert_eq!(plan.term, Term(6), "n1 may have voted in it");
        assert_eq!(plan.survivors, [1, 2, 3].map(NodeId));
        assert_eq!(plan.epoch, RecoveryEpoch { number: 1, plan_id: 9 });
        assert!(!plan.data_may_be_lost, "that is for an operator to say");
    }

    #[test]
    fn disks_that_do_not_belong_together_make_no_plan() {
        let with = |change: fn(&mut Inspection)| {
            let mut other = disk(2, 1, 3);
            change(&mut other);
            RecoveryPlan::choose(&[disk(1, 1, 3), other], 9).map(|plan| plan.keep)
        };
        let mixed = Err(PlanError::MixedIdentity(NodeId(2)));
        assert_eq!(with(|_| ()), Ok(NodeId(1)));
        assert_eq!(with(|disk| disk.cluster.0 = 8), mixed);
        assert_eq!(with(|disk| disk.group.0 = 2), mixed);
        assert_eq!(with(|disk| disk.epoch.number = 1), mixed);
        assert_eq!(with(|disk| disk.node.0 = 1), Err(PlanError::Twice(NodeId(1))));
        assert_eq!(with(|disk| disk.node.0 = 9), Err(PlanError::NotMember(NodeId(9))));
        assert_eq!(with(|disk| disk.lost_data = true), Err(PlanError::NotInService(NodeId(2))));
        assert_eq!(RecoveryPlan::choose(&[], 9), Err(PlanError::NoSurvivors));
    }
}
