//! The next configuration, as a pure function of the present one and what is wanted.
//!
//! **Intuition.** One vote more or one less keeps any old and any new majority meeting in some
//! node, so it takes one entry. Anything wider goes through a joint configuration, in which both
//! halves must agree, and is left by a second entry.
//! **Source.** Thesis §4.1 (Fig. 4.3), §4.3.
//! **Upholds.** `inv:configuration-safety`.
//! **Not here.** Whether now is the time (`change.rs`), whether enough voters answer (`guard.rs`).

use alloc::vec::Vec;

use super::{Configuration, ConfigurationParts, change::ChangeError, change::ConfigAction, has};
use crate::{
    settings::Settings,
    types::{Incarnation, NodeId},
};

/// What is to be appended for a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// Nothing: it is so already.
    Unchanged,
    /// One configuration, the last of the change.
    Once(Configuration),
    /// A joint configuration; leaving it ends the change.
    Joint(Configuration),
    /// A configuration with this learner, to be promoted later.
    Learner(NodeId, Configuration),
    /// Nothing now: this learner is a member already and is to be promoted when it is ready.
    Waiting(NodeId),
    /// Settings.
    Settings(Settings),
}

/// What `action` makes of `current`, at a leader that is `leader` and heard the others' disks as
/// `life` says, 0 for not at all. `SetSettings` is none of this
/// function's business and changes nothing.
pub(crate) fn plan(
    current: &Configuration,
    action: &ConfigAction,
    leader: NodeId,
    life: &dyn Fn(NodeId) -> Incarnation,
) -> Result<Next, ChangeError> {
    match action {
        ConfigAction::AddLearner { node, incarnation, witness } => {
            if current.is_voter(*node) {
                return Err(ChangeError::AlreadyVoter);
            }
            match learner(current, *node, *incarnation, *witness)? {
                Some(parts) => Ok(Next::Once(build(parts)?)),
                None => Ok(Next::Unchanged),
            }
        }
        ConfigAction::AddVoter { node, incarnation, witness } => {
            let added = learner(current, *node, *incarnation, *witness)?;
            if added.is_none() && current.is_voter(*node) {
                return Ok(Next::Unchanged);
            }
            // Whether it can ever be promoted is known now.
            let added = added.map(build).transpose()?;
            let mut voter = added.as_ref().unwrap_or(current).parts().clone();
            move_to_voters(&mut voter, *node);
            build(voter)?;
            Ok(match added {
                Some(configuration) => Next::Learner(*node, configuration),
                None => Next::Waiting(*node),
            })
        }
        ConfigAction::Promote { node, .. } => {
            member(current, *node)?;
            if current.is_voter(*node) {
                return Ok(Next::Unchanged);
            }
            let mut parts = current.parts().clone();
            move_to_voters(&mut parts, *node);
            towards(current, parts, false, life)
        }
        ConfigAction::Demote { node } => {
            member(current, *node)?;
            if !current.is_voter(*node) {
                return Ok(Next::Unchanged);
            }
            not_leader(*node, leader)?;
            let mut parts = current.parts().clone();
            parts.voters.retain(|other| other != node);
            put(&mut parts.learners, *node);
            towards(current, parts, false, life)
        }
        ConfigAction::Remove { node } => {
            if !current.is_member(*node) {
                return Ok(Next::Unchanged);
            }
            not_leader(*node, leader)?;
            let mut parts = current.parts().clone();
            parts.voters.retain(|other| other != node);
            parts.learners.retain(|other| other != node);
            towards(current, parts, false, life)
        }
        ConfigAction::ToWitness { node } => {
            member(current, *node)?;
            if current.is_witness(*node) {
                return Ok(Next::Unchanged);
            }
            if !current.is_voter(*node) {
                return Err(ChangeError::NotVoter);
            }
            not_leader(*node, leader)?;
            let mut parts = current.parts().clone();
            put(&mut parts.witnesses, *node);
            towards(current, parts, false, life)
        }
        ConfigAction::ReplaceVoters { voters, explicit_leave } => {
            if current.voters() == &voters[..] {
                return Ok(Next::Unchanged);
            }
            let mut parts = current.parts().clone();
            parts.learners.retain(|node| !has(voters, *node));
            parts.voters.clone_from(voters);
            towards(current, parts, *explicit_leave, life)
        }
        ConfigAction::LeaveJoint => Ok(match leave(current) {
            Some(configuration) => Next::Once(configuration),
            None => Next::Unchanged,
        }),
        ConfigAction::Refresh => Ok(Next::Once(current.clone())),
        ConfigAction::SetSettings(_) => Ok(Next::Unchanged),
    }
}

/// The configuration that leaves a joint one; `None` if `joint` is none.
pub(crate) fn leave(joint: &Configuration) -> Option<Configuration> {
    if !joint.is_joint() {
        return None;
    }
    let mut parts = joint.parts().clone();
    parts.outgoing.clear();
    for node in core::mem::take(&mut parts.learners_next) {
        put(&mut parts.learners, node);
    }
    parts.explicit_leave = false;
    forget_strangers(&mut parts);
    Configuration::from_parts(parts).ok()
}

/// `current` with `node` as a learner; `None` if it is a member already, as asked for.
fn learner(
    current: &Configuration,
    node: NodeId,
    incarnation: Incarnation,
    witness: bool,
) -> Result<Option<ConfigurationParts>, ChangeError> {
    if !current.is_member(node) {
        let mut parts = current.parts().clone();
        put(&mut parts.learners, node);
        if witness {
            put(&mut parts.witnesses, node);
        }
        if incarnation != Incarnation(0) {
            let at = parts.incarnations.partition_point(|(other, _)| *other < node);
            parts.incarnations.insert(at, (node, incarnation));
        }
        return Ok(Some(parts));
    }
    match (current.is_witness(node), witness) {
        (true, false) => return Err(ChangeError::AlreadyWitness),
        (false, true) => return Err(ChangeError::NotWitness),
        (true, true) | (false, false) => {}
    }
    // Another life of the disk is another member: the old one must leave first.
    let other_life = incarnation != Incarnation(0) && incarnation != current.incarnation(node);
    match (other_life, current.is_voter(node)) {
        (true, true) => Err(ChangeError::AlreadyVoter),
        (true, false) => Err(ChangeError::AlreadyLearner),
        (false, _) => Ok(None),
    }
}

/// The first step from `current` to `target`, which is not joint.
fn towards(
    current: &Configuration,
    mut target: ConfigurationParts,
    explicit_leave: bool,
    life: &dyn Fn(NodeId) -> Incarnation,
) -> Result<Next, ChangeError> {
    state_lives(current, &mut target, life)?;
    let (old, new) = (current.voters(), &target.voters);
    let gone = old.iter().filter(|node| !has(new, **node)).count();
    let come = new.iter().filter(|node| !has(old, **node)).count();
    if gone.saturating_add(come) <= 1 && !explicit_leave {
        forget_strangers(&mut target);
        return Ok(Next::Once(build(target)?));
    }
    target.outgoing = old.to_vec();
    target.explicit_leave = explicit_leave;
    let stays: Vec<NodeId> = core::mem::take(&mut target.learners);
    let leaving = |node: &NodeId| has(&target.outgoing, *node) && !has(&target.voters, *node);
    (target.learners_next, target.learners) = stays.into_iter().partition(leaving);
    forget_strangers(&mut target);
    Ok(Next::Joint(build(target)?))
}

/// Who gains a vote has its disk's life stated: what this leader heard is forgotten with it, and
/// the next one must not take a wiped disk for the one that promised and acknowledged (D-W10).
fn state_lives(
    current: &Configuration,
    target: &mut ConfigurationParts,
    life: &dyn Fn(NodeId) -> Incarnation,
) -> Result<(), ChangeError> {
    let ConfigurationParts { voters, incarnations, .. } = target;
    for node in voters.iter().filter(|node| !has(current.voters(), **node)) {
        if let Err(at) = incarnations.binary_search_by_key(node, |(stated, _)| *stated) {
            match life(*node) {
                Incarnation(0) => return Err(ChangeError::LifeUnknown(*node)),
                heard => incarnations.insert(at, (*node, heard)),
            }
        }
    }
    Ok(())
}

/// Drops what is said about nodes that are no members any more.
fn forget_strangers(parts: &mut ConfigurationParts) {
    let ConfigurationParts { voters, outgoing, learners, witnesses, incarnations, .. } = parts;
    let stays = |node: NodeId| has(voters, node) || has(outgoing, node) || has(learners, node);
    witnesses.retain(|node| stays(*node));
    incarnations.retain(|(node, _)| stays(*node));
}

fn move_to_voters(parts: &mut ConfigurationParts, node: NodeId) {
    parts.learners.retain(|other| *other != node);
    put(&mut parts.voters, node);
}

fn put(list: &mut Vec<NodeId>, node: NodeId) {
    if let Err(at) = list.binary_search(&node) {
        list.insert(at, node);
    }
}

fn build(parts: ConfigurationParts) -> Result<Configuration, ChangeError> {
    Configuration::from_parts(parts).map_err(ChangeError::InvalidConfiguration)
}

fn member(current: &Configuration, node: NodeId) -> Result<(), ChangeError> {
    if current.is_member(node) { Ok(()) } else { Err(ChangeError::NotMember) }
}

fn not_leader(node: NodeId, leader: NodeId) -> Result<(), ChangeError> {
    if node == leader { Err(ChangeError::CannotRemoveLeader) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::ConfigurationError;

    fn nodes(ids: &[u64]) -> Vec<NodeId> {
        ids.iter().copied().map(NodeId).collect()
    }

    /// Nothing was heard of 66; of the others lives that tell whose they are.
    fn heard(node: NodeId) -> Incarnation {
        Incarnation(if node.0 == 66 { 0 } else { 100 + node.0 })
    }

    /// Voters 1 to 4 (4 a witness), learner 7, witness learner 8; 1 pinned to life 5.
    fn base() -> Configuration {
        Configuration::from_parts(ConfigurationParts {
            voters: nodes(&[1, 2, 3, 4]),
            learners: nodes(&[7, 8]),
            witnesses: nodes(&[4, 8]),
            incarnations: [(NodeId(1), Incarnation(5)), (NodeId(7), Incarnation(6))].to_vec(),
            ..ConfigurationParts::default()
        })
        .unwrap()
    }

    fn at(action: ConfigAction) -> Result<Next, ChangeError> {
        plan(&base(), &action, NodeId(1), &heard)
    }

    fn once(action: ConfigAction) -> ConfigurationParts {
        match at(action) {
            Ok(Next::Once(configuration)) => configuration.parts().clone(),
            other => panic!("{other:?}"),
        }
    }

    fn add(node: u64, life: u64, witness: bool) -> ConfigAction {
        ConfigAction::AddLearner { node: NodeId(node), incarnation: Incarnation(life), witness }
    }

    fn add_voter(node: u64, life: u64, witness: bool) -> ConfigAction {
        ConfigAction::AddVoter { node: NodeId(node), incarnation: Incarnation(life), witness }
    }

    #[test]
    fn each_action_makes_its_configuration() {
        let parts = once(add(9, 3, true));
        assert_eq!(parts.learners, nodes(&[7, 8, 9]));
        assert_eq!(parts.witnesses, nodes(&[4, 8, 9]));
        assert_eq!(parts.incarnations.last(), Some(&(NodeId(9), Incarnation(3))));
        let parts = once(ConfigAction::Promote { node: NodeId(7), if_ready: false });
        assert_eq!((parts.voters, parts.learners), (nodes(&[1, 2, 3, 4, 7]), nodes(&[8])));
        let parts = once(ConfigAction::Demote { node: NodeId(4) });
        assert_eq!((parts.voters, parts.learners), (nodes(&[1, 2, 3]), nodes(&[4, 7, 8])));
        assert_eq!(parts.witnesses, nodes(&[4, 8]), "it stays without data");
        let parts = once(ConfigAction::Remove { node: NodeId(7) });
        assert_eq!((parts.learners, parts.incarnations.len()), (nodes(&[8]), 1));
        let parts = once(ConfigAction::Remove { node: NodeId(4) });
        assert_eq!((parts.voters, parts.witnesses), (nodes(&[1, 2, 3]), nodes(&[8])));
        let parts = once(ConfigAction::ToWitness { node: NodeId(3) });
        assert_eq!(parts.witnesses, nodes(&[3, 4, 8]));
        assert_eq!(once(ConfigAction::Refresh), *base().parts());
    }

    /// D-W10: what a leader heard in passing is written down before it decides votes.
    #[test]
    fn who_gains_a_vote_has_the_life_of_its_disk_stated() {
        let promote = |node| ConfigAction::Promote { node: NodeId(node), if_ready: false };
        let stated = |node| (NodeId(node), Incarnation(100 + node));
        assert_eq!(once(promote(8)).incarnations.last(), Some(&stated(8)), "as it was heard");
        let parts = once(promote(7));
        assert_eq!(parts.incarnations.last(), Some(&(NodeId(7), Incarnation(6))), "as stated");
        assert_eq!(once(add(9, 0, false)).incarnations.len(), 2, "a learner decides nothing");
        for explicit_leave in [false, true] {
            let voters = nodes(&[1, 2, 3, 4, 66]);
            let unheard = at(ConfigAction::ReplaceVoters { voters, explicit_leave });
            assert_eq!(unheard, Err(ChangeError::LifeUnknown(NodeId(66))));
        }
    }

    #[test]
    fn what_is_so_already_is_no_change() {
        for action in [
            add(7, 0, false),
            add(7, 6, false),
            add(8, 0, true),
            add_voter(2, 0, false),
            add_voter(1, 5, false),
            add_voter(4, 0, true),
            ConfigAction::Promote { node: NodeId(2), if_ready: true },
            ConfigAction::Demote { node: NodeId(7) },
            ConfigAction::Remove { node: NodeId(9) },
            ConfigAction::ToWitness { node: NodeId(4) },
            ConfigAction::LeaveJoint,
            ConfigAction::ReplaceVoters { voters: nodes(&[1, 2, 3, 4]), explicit_leave: true },
        ] {
            assert_eq!(at(action.clone()), Ok(Next::Unchanged), "{action:?}");
        }
    }

    #[test]
    fn each_impossible_action_has_its_refusal() {
        for (action, error) in [
            (add(2, 0, false), ChangeError::AlreadyVoter),
            (add(7, 9, false), ChangeError::AlreadyLearner),
            (add(8, 0, false), ChangeError::AlreadyWitness),
            (add(7, 0, true), ChangeError::NotWitness),
            (add_voter(1, 6, false), ChangeError::AlreadyVoter),
            (add_voter(7, 9, false), ChangeError::AlreadyLearner),
            (ConfigAction::Promote { node: NodeId(9), if_ready: false }, ChangeError::NotMember),
            (ConfigAction::Demote { node: NodeId(9) }, ChangeError::NotMember),
            (ConfigAction::ToWitness { node: NodeId(9) }, ChangeError::NotMember),
            (ConfigAction::ToWitness { node: NodeId(7) }, ChangeError::NotVoter),
            (ConfigAction::Remove { node: NodeId(1) }, ChangeError::CannotRemoveLeader),
            (ConfigAction::Demote { node: NodeId(1) }, ChangeError::CannotRemoveLeader),
            (ConfigAction::ToWitness { node: NodeId(1) }, ChangeError::CannotRemoveLeader),
        ] {
            assert_eq!(at(action.clone()), Err(error), "{action:?}");
        }
        let replace = |voters: &[u64]| {
            at(ConfigAction::ReplaceVoters { voters: nodes(voters), explicit_leave: false })
        };
        for (voters, error) in [
            (&[][..], ConfigurationError::NoVoters),
            (&[4], ConfigurationError::NoDataVoter),
            (&[3, 2], ConfigurationError::Duplicate(NodeId(2))),
            (&[1, 2, 3, 4, 5, 6, 7, 8, 9, 10], ConfigurationError::TooManyVoters { given: 10 }),
        ] {
            assert_eq!(replace(voters), Err(ChangeError::InvalidConfiguration(error)));
        }
    }

    #[test]
    fn a_voter_is_added_by_way_of_a_learner() {
        let Ok(Next::Learner(NodeId(9), with)) = at(add_voter(9, 4, false)) else { panic!() };
        assert!(with.learners().contains(&NodeId(9)) && with.incarnation(NodeId(9)).0 == 4);
        assert_eq!(at(add_voter(7, 6, false)), Ok(Next::Waiting(NodeId(7))));
        let full = Configuration::new((1..=9).map(NodeId)).unwrap();
        assert_eq!(
            plan(&full, &add_voter(10, 0, false), NodeId(1), &heard),
            Err(ChangeError::InvalidConfiguration(ConfigurationError::TooManyVoters { given: 10 })),
            "a learner that could never be promoted is not added"
        );
    }

    #[test]
    fn more_than_one_vote_goes_through_a_joint_configuration() {
        // T-4.1-01, T-4.3-01.
        let replace = |voters: &[u64], explicit_leave| {
            at(ConfigAction::ReplaceVoters { voters: nodes(voters), explicit_leave }).unwrap()
        };
        let Next::Once(one) = replace(&[1, 2, 3], false) else { panic!() };
        assert_eq!((one.voters(), one.is_joint()), (&nodes(&[1, 2, 3])[..], false));
        let Next::Joint(asked) = replace(&[1, 2, 3], true) else { panic!() };
        assert!(asked.parts().explicit_leave);
        let Next::Joint(joint) = replace(&[2, 3, 7, 9], false) else { panic!() };
        assert_eq!(joint.outgoing(), nodes(&[1, 2, 3, 4]));
        assert_eq!(
            (joint.voters(), joint.learners()),
            (&nodes(&[2, 3, 7, 9])[..], &nodes(&[8])[..])
        );
        assert_eq!(joint.parts().witnesses, nodes(&[4, 8]), "4 still votes in the old half");
        let left = leave(&joint).unwrap();
        assert_eq!((left.voters(), left.is_joint()), (&nodes(&[2, 3, 7, 9])[..], false));
        assert_eq!(left.parts().witnesses, nodes(&[8]));
        let lives = [(NodeId(7), Incarnation(6)), (NodeId(9), Incarnation(109))];
        assert_eq!(left.parts().incarnations, lives.to_vec(), "who came has its life stated");
        assert_eq!(leave(&left), None);
    }

    #[test]
    fn who_is_to_be_a_learner_is_one_when_the_joint_configuration_is_left() {
        let joint = Configuration::from_parts(ConfigurationParts {
            voters: nodes(&[2, 3]),
            outgoing: nodes(&[1, 2, 3]),
            learners_next: nodes(&[1]),
            explicit_leave: true,
            ..ConfigurationParts::default()
        })
        .unwrap();
        let left = leave(&joint).unwrap();
        assert_eq!((left.voters(), left.learners()), (&nodes(&[2, 3])[..], &nodes(&[1])[..]));
        assert!(!left.parts().explicit_leave);
    }

    /// T-4.1-01 and T-4.3-06 as one property: whatever single entry a plan yields, any majority
    /// before and any majority after share a node.
    #[test]
    fn majorities_of_neighbouring_configurations_meet() {
        let majority = |voters: &[NodeId], set: u32| {
            let votes = voters.iter().filter(|node| set >> node.0 & 1 == 1).count();
            votes > voters.len() / 2
        };
        let quorum = |c: &Configuration, set: u32| {
            majority(c.voters(), set) && (!c.is_joint() || majority(c.outgoing(), set))
        };
        let subsets = |bits: u32| (0..5).filter(move |i| bits >> i & 1 == 1).map(NodeId);
        for old in 1..32_u32 {
            let current = Configuration::new(subsets(old)).unwrap();
            for new in 1..32_u32 {
                let voters: Vec<NodeId> = subsets(new).collect();
                let action = ConfigAction::ReplaceVoters { voters, explicit_leave: false };
                let mut steps = [current.clone()].to_vec();
                match plan(&current, &action, NodeId(99), &heard).unwrap() {
                    Next::Once(next) => steps.push(next),
                    Next::Joint(joint) => steps.extend([joint.clone(), leave(&joint).unwrap()]),
                    Next::Unchanged => continue,
                    other => panic!("{other:?}"),
                }
                for pair in steps.windows(2) {
                    for a in (0..32).filter(|set| quorum(&pair[0], *set)) {
                        for b in (0..32).filter(|set| quorum(&pair[1], *set)) {
                            assert_ne!(a & b, 0, "{:?} {:?}", pair[0], pair[1]);
                        }
                    }
                }
            }
        }
    }
}
