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
