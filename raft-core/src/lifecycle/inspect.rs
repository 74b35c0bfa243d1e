//! Inspection: what a disk holds, looked at without starting it.
//!
//! **Intuition.** Whoever decides which survivor goes on must compare disks, not nodes: a running
//! one may change while it is asked. A boot is such a look; this is its short form, and the choice
//! made from several.
//! **Source.** S-100; thesis §3.6.1 (which log is more up-to-date).
//! **Upholds.** `inv:leader-completeness`, as far as the survivors can.
//! **Not here.** Carrying the plan out (`recovery.rs`).

use alloc::vec::Vec;
use core::fmt;

use super::recovery::RecoveryPlan;
use crate::{
    config::Configuration,
    log::EntryKind,
    options::Options,
    storage::{
        Boot, DisableReason,
        recover::{BootError, has_lost, judge_boot},
    },
    types::{
        ClusterId, GroupId, Incarnation, LogIndex, LogPosition, Membership, NodeId, RecoveryEpoch,
        Term,
    },
};

/// What a disk holds.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Inspection {
    /// The cluster.
    pub cluster: ClusterId,
    /// The group.
    pub group: GroupId,
    /// Whose disk it is.
    pub node: NodeId,
    /// Its life.
    pub incarnation: Incarnation,
    /// The recovery epoch.
    pub epoch: RecoveryEpoch,
    /// The term.
    pub term: Term,
    /// The vote in it.
    pub vote: Option<NodeId>,
    /// First index of the log; above `last` if it is empty.
    pub first: LogIndex,
    /// Last position, the snapshot's if the log is empty.
    pub last: LogPosition,
    /// The snapshot's position; 0/0 without one.
    pub snapshot: LogPosition,
    /// The newest configuration of log and snapshot, and the index of its entry.
    pub configuration: (LogIndex, Configuration),
    /// What the node is in it.
    pub membership: Membership,
    /// What its machine holds durably.
    pub applied: LogIndex,
    /// Why it is out of service, if it is.
    pub disabled: Option<DisableReason>,
    /// It would be quarantined: it lost what it had acknowledged.
    pub lost_data: bool,
}

impl Inspection {
    /// Looks at a disk as it would be booted.
    ///
    /// # Errors
    /// [`BootError`] if it could not be.
    pub fn of(options: &Options, boot: &Boot) -> Result<Self, BootError> {
        judge_boot(options, boot)?;
        let hard = &boot.hard_state;
        let snapshot = boot.snapshot.as_ref().map_or(LogPosition::ZERO, |meta| meta.position);
        let last = boot.terms.last().map_or(snapshot, |run| LogPosition::new(run.term, boot.last));
        let configuration = newest_configuration(boot);
        Ok(Self {
            membership: configuration.1.membership(hard.node),
            applied: boot.applied,
            lost_data: has_lost(boot),
            cluster: hard.cluster,
            group: hard.group,
            node: hard.node,
            incarnation: hard.incarnation,
            epoch: hard.epoch,
            term: hard.term,
            vote: hard.vote,
            first: boot.first,
            last,
            snapshot,
            configuration,
            disabled: hard.disabled,
        })
    }
}

/// The configuration a boot would be in, and the index of its entry.
pub(super) fn newest_configuration(boot: &Boot) -> (LogIndex, Configuration) {
    let of_log = boot.marks.iter().rev().find_map(|(position, entry)| {
        (entry.kind == EntryKind::CONFIGURATION)
            .then(|| Configuration::decode(entry.payload.clone()).ok())
            .flatten()
            .map(|configuration| (position.index, configuration))
    });
    of_log.unwrap_or_else(|| match &boot.snapshot {
        Some(meta) => (meta.configuration_index, meta.configuration.clone()),
        None => (LogIndex::ZERO, boot.configuration.clone()),
    })
}

/// Why no plan could be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
        if let Some(out) = survivors.iter().find(|survivor| survivor.disabled.is_some()) {
            return Err(PlanError::NotInService(out.node));
        }
        let holds_data = |of: &&Inspection| !of.configuration.1.is_witness(of.node);
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
        if let Some(stranger) = nodes.iter().find(|node| !best.configuration.1.is_member(**node)) {
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
