//! Membership: who votes, who only listens, and who is on the way in or out.
//!
//! **Intuition.** Every count in Raft (votes, acknowledgements, read rounds) asks one question: is
//! this set a quorum of the configuration in force? All of them ask it here. A configuration is in
//! force from the moment its entry is in the log, and no longer when that entry is cut off. While
//! two majorities are needed (joint consensus), it has two halves.
//! **Source.** Thesis §3.4 (majority of all voters, not of the reachable ones), §4.1–§4.3.
//! **Upholds.** `inv:election-safety`, `inv:committed-durable`, `inv:configuration-safety`.
//! **Not here.** Legal next configurations (`change.rs`), bytes (`codec.rs`).

pub(crate) mod carry;
pub(crate) mod change;
pub(crate) mod codec;
pub(crate) mod guard;
pub(crate) mod history;
pub(crate) mod members;
pub(crate) mod plan;
pub(crate) mod quorum;
pub(crate) mod removed;
pub(crate) mod witness;

use alloc::{sync::Arc, vec::Vec};
use core::fmt;

use crate::{
    Node,
    settings::Settings,
    storage::HardState,
    types::{Incarnation, LogIndex, Membership, NodeId, RecoveryEpoch},
};

/// The members of a group and what each may do. Small; cloning shares.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(try_from = "ConfigurationParts", into = "ConfigurationParts"))]
pub struct Configuration {
    parts: Arc<ConfigurationParts>,
}

/// A configuration spelled out. Every list ascends and names a node once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct ConfigurationParts {
    /// The voters; while joint, those of the new half.
    pub voters: Vec<NodeId>,
    /// While joint, the voters of the old half; else empty.
    pub outgoing: Vec<NodeId>,
    /// Members that receive the log and do not count.
    pub learners: Vec<NodeId>,
    /// While joint, voters of the old half that will be learners.
    pub learners_next: Vec<NodeId>,
    /// Those among voters and learners that hold no data.
    pub witnesses: Vec<NodeId>,
    /// The life of a member's disk, where it was stated. A member without one is believed in the
    /// first life it shows.
    pub incarnations: Vec<(NodeId, Incarnation)>,
    /// While joint, leaving waits for an explicit request.
    pub explicit_leave: bool,
    /// The unsafe recoveries this group went through, oldest first, with the index of each.
    pub recoveries: Vec<(RecoveryEpoch, LogIndex)>,
}

/// Which configuration is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum ConfigLevel {
    /// The newest of the log: the one that counts here, committed or not.
    InForce,
    /// The newest that is known to be committed here: nothing undoes it.
    Committed,
}

impl Node {
    /// The configuration at `level`, the index of its entry, and whether it is committed. It is
    /// what this node knows; other nodes may be further.
    #[must_use]
    pub fn configuration(&self, level: ConfigLevel) -> (&Configuration, LogIndex, bool) {
        let history = &self.marks.history;
        let (index, configuration) = match level {
            ConfigLevel::InForce => history.newest(),
            ConfigLevel::Committed => history.at(self.commit),
        };
        (configuration, index, index <= self.commit)
    }

    /// The group's settings as committed here.
    #[must_use]
    pub const fn settings(&self) -> &Settings {
        &self.settings
    }
}

/// Why a set of members is no configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum ConfigurationError {
    /// Nobody could ever lead.
    NoVoters,
    /// More than [`Configuration::VOTERS_MAX`] in one half.
    TooManyVoters {
        /// How many were given.
        given: usize,
    },
    /// More than [`Configuration::LEARNERS_MAX`].
    TooManyLearners {
        /// How many were given.
        given: usize,
    },
    /// A node is named twice in one list, or a list does not ascend.
    Duplicate(NodeId),
    /// A node is voter and learner at once.
    VoterAndLearner(NodeId),
    /// A learner-to-be is not leaving the voters.
    NotLeaving(NodeId),
    /// A witness, or a stated incarnation, of a node that is no member.
    NotMember(NodeId),
    /// A half without a voter that holds data: nobody could lead.
    NoDataVoter,
    /// More than [`Configuration::RECOVERIES_MAX`] unsafe recoveries.
    TooManyRecoveries,
}

impl fmt::Display for ConfigurationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoVoters => f.write_str("a configuration needs at least one voter"),
            Self::TooManyVoters { given } => {
                write!(f, "{given} voters given, at most {} are allowed", Configuration::VOTERS_MAX)
            }
            Self::TooManyLearners { given } => {
                let max = Configuration::LEARNERS_MAX;
                write!(f, "{given} learners given, at most {max} are allowed")
            }
            Self::Duplicate(node) => write!(f, "{node} is named twice, or out of order"),
            Self::VoterAndLearner(node) => write!(f, "{node} is both voter and learner"),
            Self::NotLeaving(node) => {
                write!(f, "{node} is to become a learner but is not leaving the voters")
            }
            Self::NotMember(node) => write!(f, "{node} is no member"),
            Self::NoDataVoter => f.write_str("every voter is a witness, so nobody could lead"),
            Self::TooManyRecoveries => f.write_str("too many unsafe recoveries"),
        }
    }
}

impl core::error::Error for ConfigurationError {}

impl Configuration {
    /// Most voters of one half.
    pub const VOTERS_MAX: usize = 9;
    /// Most learners.
    pub const LEARNERS_MAX: usize = 32;
    /// Most unsafe recoveries remembered; one more is refused.
    pub const RECOVERIES_MAX: usize = 64;

    /// A configuration of these voters, in any order, and nobody else.
    ///
    /// # Errors
    /// [`ConfigurationError`] names what is wrong.
    pub fn new(voters: impl IntoIterator<Item = NodeId>) -> Result<Self, ConfigurationError> {
        let mut voters: Vec<NodeId> = voters.into_iter().collect();
        voters.sort_unstable();
        Self::from_parts(ConfigurationParts { voters, ..ConfigurationParts::default() })
    }

    /// A configuration with these parts; each list must ascend.
    ///
    /// # Errors
    /// [`ConfigurationError`] names what is wrong.
    pub fn from_parts(parts: ConfigurationParts) -> Result<Self, ConfigurationError> {
        judge_parts(&parts)?;
        Ok(Self { parts: Arc::new(parts) })
    }

    /// Spelled out.
    #[must_use]
    pub fn parts(&self) -> &ConfigurationParts {
        &self.parts
    }

    /// The voters, ascending; while joint, those of the new half.
    #[must_use]
    pub fn voters(&self) -> &[NodeId] {
        &self.parts.voters
    }

    /// While joint, the voters of the old half, ascending; else none.
    #[must_use]
    pub fn outgoing(&self) -> &[NodeId] {
        &self.parts.outgoing
    }

    /// The learners, ascending.
    #[must_use]
    pub fn learners(&self) -> &[NodeId] {
        &self.parts.learners
    }

    /// Whether decisions need a majority of both halves.
    #[must_use]
    pub fn is_joint(&self) -> bool {
        !self.parts.outgoing.is_empty()
    }

    /// Whether this is no configuration at all: what an empty disk knows.
    #[must_use]
    pub fn is_blank(&self) -> bool {
        self.parts.voters.is_empty()
    }

    /// Whether `node` is a voter in either half.
    #[must_use]
    pub fn is_voter(&self, node: NodeId) -> bool {
        has(&self.parts.voters, node) || has(&self.parts.outgoing, node)
    }

    /// Whether `node` is a voter or a learner.
    #[must_use]
    pub fn is_member(&self, node: NodeId) -> bool {
        self.is_voter(node) || has(&self.parts.learners, node)
    }

    /// Whether `node` is a member that holds no data.
    #[must_use]
    pub fn is_witness(&self, node: NodeId) -> bool {
        has(&self.parts.witnesses, node)
    }

    /// What `node` is; `Removed` if it is no member, `Blank` if nobody is.
    #[must_use]
    pub fn membership(&self, node: NodeId) -> Membership {
        if self.is_blank() {
            Membership::Blank
        } else if !self.is_member(node) {
            Membership::Removed
        } else if self.is_witness(node) {
            Membership::Witness
        } else if self.is_voter(node) {
            Membership::Voter
        } else {
            Membership::Learner
        }
    }

    /// The stated life of `node`'s disk; 0 if none was stated.
    #[must_use]
    pub fn incarnation(&self, node: NodeId) -> Incarnation {
        let stated = &self.parts.incarnations;
        let at = stated.binary_search_by_key(&node, |(id, _)| *id);
        at.ok().and_then(|at| stated.get(at)).map_or(Incarnation(0), |(_, life)| *life)
    }

    /// Whether a disk is not the one that votes as this member: the configuration states another
    /// life, or none although the disk may be the second ([`HardState::joined`]).
    pub(crate) fn disowns(&self, disk: &HardState) -> bool {
        match self.incarnation(disk.node) {
            Incarnation(0) => disk.joined && self.is_voter(disk.node),
            stated => stated != disk.incarnation,
        }
    }

    /// Every member once, ascending.
    #[must_use]
    pub fn members(&self) -> Vec<NodeId> {
        let parts = &*self.parts;
        let mut all: Vec<NodeId> = [&parts.voters, &parts.outgoing, &parts.learners]
            .into_iter()
            .flatten()
            .copied()
            .collect();
        all.sort_unstable();
        all.dedup();
        all
    }

    pub(crate) fn seat(&self, node: NodeId) -> quorum::Seat {
        let parts = &*self.parts;
        quorum::Seat::new(
            has(&parts.voters, node),
            has(&parts.outgoing, node),
            has(&parts.learners, node),
            has(&parts.witnesses, node),
        )
    }
}

fn has(list: &[NodeId], node: NodeId) -> bool {
    list.binary_search(&node).is_ok()
}

fn judge_parts(parts: &ConfigurationParts) -> Result<(), ConfigurationError> {
    if parts.voters.is_empty() {
        return Err(ConfigurationError::NoVoters);
    }
    for half in [&parts.voters, &parts.outgoing] {
        if half.len() > Configuration::VOTERS_MAX {
            return Err(ConfigurationError::TooManyVoters { given: half.len() });
        }
    }
    if parts.learners.len() > Configuration::LEARNERS_MAX {
        return Err(ConfigurationError::TooManyLearners { given: parts.learners.len() });
    }
    if parts.recoveries.len() > Configuration::RECOVERIES_MAX {
        return Err(ConfigurationError::TooManyRecoveries);
    }
    let lists =
        [&parts.voters, &parts.outgoing, &parts.learners, &parts.learners_next, &parts.witnesses];
    for list in lists {
        ascends(list.iter().copied())?;
    }
    ascends(parts.incarnations.iter().map(|(node, _)| *node))?;
    let votes = |node| has(&parts.voters, node) || has(&parts.outgoing, node);
    if let Some(both) = parts.learners.iter().find(|node| votes(**node)) {
        return Err(ConfigurationError::VoterAndLearner(*both));
    }
    let leaves = |node| has(&parts.outgoing, node) && !has(&parts.voters, node);
    if let Some(stays) = parts.learners_next.iter().find(|node| !leaves(**node)) {
        return Err(ConfigurationError::NotLeaving(*stays));
    }
    let member = |node| votes(node) || has(&parts.learners, node);
    let named = parts.witnesses.iter().copied().chain(parts.incarnations.iter().map(|(n, _)| *n));
    if let Some(stranger) = named.into_iter().find(|node| !member(*node)) {
        return Err(ConfigurationError::NotMember(stranger));
    }
    let all_witnesses =
        |half: &[NodeId]| !half.is_empty() && half.iter().all(|node| has(&parts.witnesses, *node));
    if all_witnesses(&parts.voters) || all_witnesses(&parts.outgoing) {
        return Err(ConfigurationError::NoDataVoter);
    }
    Ok(())
}

fn ascends(list: impl Iterator<Item = NodeId>) -> Result<(), ConfigurationError> {
    let mut before: Option<NodeId> = None;
    for node in list {
        if before.is_some_and(|before| before >= node) {
            return Err(ConfigurationError::Duplicate(node));
        }
        before = Some(node);
    }
    Ok(())
}

impl TryFrom<ConfigurationParts> for Configuration {
    type Error = ConfigurationError;

    fn try_from(parts: ConfigurationParts) -> Result<Self, Self::Error> {
        if parts == ConfigurationParts::default() {
            return Ok(Self::default());
        }
        Self::from_parts(parts)
    }
}

impl From<Configuration> for ConfigurationParts {
    fn from(configuration: Configuration) -> Self {
        (*configuration.parts).clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nodes(ids: &[u64]) -> Vec<NodeId> {
        ids.iter().copied().map(NodeId).collect()
    }

    #[test]
    fn refuses_what_is_no_configuration() {
        assert_eq!(Configuration::new([]), Err(ConfigurationError::NoVoters));
        assert_eq!(
            Configuration::new((1..=10).map(NodeId)),
            Err(ConfigurationError::TooManyVoters { given: 10 })
        );
        assert_eq!(
            Configuration::new([NodeId(3), NodeId(1), NodeId(3)]),
            Err(ConfigurationError::Duplicate(NodeId(3)))
        );
        let ok = Configuration::new([NodeId(3), NodeId(1)]).unwrap();
        assert_eq!(ok.voters(), [NodeId(1), NodeId(3)]);
        assert!(ok.is_voter(NodeId(3)) && !ok.is_voter(NodeId(2)));
    }

    #[test]
    fn each_relation_between_the_lists_is_checked() {
        let base = ConfigurationParts {
            voters: nodes(&[1, 2, 4]),
            outgoing: nodes(&[1, 2, 3]),
            learners: nodes(&[7]),
            learners_next: nodes(&[3]),
            witnesses: nodes(&[2]),
            ..ConfigurationParts::default()
        };
        let judge = |change: fn(&mut ConfigurationParts)| {
            let mut parts = base.clone();
            change(&mut parts);
            Configuration::from_parts(parts).map(|_| ())
        };
        assert_eq!(judge(|_| ()), Ok(()));
        let both = ConfigurationError::VoterAndLearner(NodeId(3));
        assert_eq!(judge(|p| p.learners = nodes(&[3])), Err(both));
        let stays = ConfigurationError::NotLeaving(NodeId(2));
        assert_eq!(judge(|p| p.learners_next = nodes(&[2])), Err(stays));
        let stranger = ConfigurationError::NotMember(NodeId(9));
        assert_eq!(judge(|p| p.witnesses = nodes(&[9])), Err(stranger));
        assert_eq!(
            judge(|p| p.incarnations = [(NodeId(9), Incarnation(1))].to_vec()),
            Err(stranger)
        );
        assert_eq!(
            judge(|p| p.witnesses = nodes(&[1, 2, 3])),
            Err(ConfigurationError::NoDataVoter)
        );
        assert_eq!(
            judge(|p| p.learners = (10..43).map(NodeId).collect()),
            Err(ConfigurationError::TooManyLearners { given: 33 })
        );
        assert_eq!(
            judge(|p| p.learners = nodes(&[8, 7])),
            Err(ConfigurationError::Duplicate(NodeId(7)))
        );
    }

    #[test]
    fn membership_names_what_a_node_is() {
        let joint = Configuration::from_parts(ConfigurationParts {
            voters: nodes(&[1, 2, 4]),
            outgoing: nodes(&[1, 2, 3]),
            learners: nodes(&[7]),
            witnesses: nodes(&[2]),
            ..ConfigurationParts::default()
        })
        .unwrap();
        let of = |id| joint.membership(NodeId(id));
        assert_eq!(of(1), Membership::Voter);
        assert_eq!(of(2), Membership::Witness);
        assert_eq!(of(3), Membership::Voter);
        assert_eq!(of(7), Membership::Learner);
        assert_eq!(of(9), Membership::Removed);
        assert_eq!(Configuration::default().membership(NodeId(1)), Membership::Blank);
        assert_eq!(joint.members(), nodes(&[1, 2, 3, 4, 7]));
    }
}
