//! Fork: a new group of one from a copy of a member's disk.
//!
//! **Intuition.** Restoring a backup is not restarting a member: the copy must never again speak
//! as the node it was taken from. So it gets a new identity (cluster, group, node, disk life), in
//! which no old message means anything, and a decree as in an unsafe recovery that makes it the
//! only voter. Its uncommitted tail is kept, and committed when the new group elects its one
//! member.
//! **Source.** S-99; D-R10 (a restore that treated the tail as committed, in the old identity).
//! **Upholds.** `inv:election-safety` (the old group's messages are refused by identity).
//! **Not here.** Copying files, and writing what is returned (the driver).

use core::fmt;

use super::mint;
use crate::{
    config::{Configuration, ConfigurationError, ConfigurationParts},
    log::{Entry, EntryKind, TermRun},
    options::Options,
    snapshot::choose::inspect,
    storage::{
        Boot, HardState,
        recover::{BootError, NUMBER_MAX, judge_boot},
    },
    types::{ClusterId, GroupId, Incarnation, LogPosition, NodeId, RecoveryEpoch},
};

/// Who the copy is to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Fork {
    /// The new group's number on its host.
    pub group: GroupId,
    /// The only member.
    pub node: NodeId,
    /// The life of the new disk.
    pub incarnation: Incarnation,
    /// Makes the new cluster's identity unique: never use one twice.
    pub plan_id: u64,
}

/// A forked disk, before it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Forked {
    /// To boot from, once `boot.hard_state` replaced the copy's and `entry` was appended to its
    /// log, both durably.
    pub boot: Boot,
    /// The decree.
    pub entry: (LogPosition, Entry),
}

/// Why a disk cannot be forked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum ForkError {
    /// It could not be booted either.
    Boot(BootError),
    /// It knows no configuration: there is nothing to fork. Bootstrap instead.
    Blank,
    /// It holds no data.
    Witness,
    /// The new disk needs a life above 0, and one of its own if the node keeps its id.
    Incarnation,
    /// The forks and recoveries of the past fill the list.
    Configuration(ConfigurationError),
    /// Term or index are at the end of their range, or the log holds too many terms.
    NumberRange,
}

impl fmt::Display for ForkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Boot(error) => write!(f, "the copy does not boot: {error}"),
            Self::Blank => f.write_str("the copy belongs to no group; bootstrap instead"),
            Self::Witness => f.write_str("the copy is a witness's and holds no data"),
            Self::Incarnation => f.write_str("give the new disk a life of its own, above 0"),
            Self::Configuration(error) => write!(f, "no configuration of one: {error}"),
            Self::NumberRange => f.write_str("term or index are at the end of their range"),
        }
    }
}

impl core::error::Error for ForkError {}

/// Turns a copy of a member's disk into the disk of a new group of one. Pure: nothing is written.
///
/// # Errors
/// [`ForkError`] names what is in the way.
pub fn fork(options: &Options, mut boot: Boot, to: Fork) -> Result<Forked, ForkError> {
    judge_boot(options, &boot).map_err(ForkError::Boot)?;
    let old = boot.hard_state.clone();
    let before = inspect(&boot).map_err(ForkError::Boot)?.configuration;
    if before.is_blank() {
        return Err(ForkError::Blank);
    }
    if before.is_witness(old.node) {
        return Err(ForkError::Witness);
    }
    let reborn = to.node != old.node || to.incarnation != old.incarnation;
    if to.incarnation == Incarnation(0) || !reborn {
        return Err(ForkError::Incarnation);
    }
    let term = old.term.next().filter(|term| term.0 < NUMBER_MAX).ok_or(ForkError::NumberRange)?;
    // The decree's term and that of the reign which follows it.
    let runs = boot.terms.len().saturating_add(2);
    if boot.last.0 >= NUMBER_MAX || runs > options.term_runs_max as usize {
        return Err(ForkError::NumberRange);
    }
    let at = LogPosition::new(term, boot.last.next());
    let number = old.epoch.number.saturating_add(1);
    let epoch = RecoveryEpoch { number, plan_id: to.plan_id };
    let mut recoveries = before.parts().recoveries.clone();
    recoveries.push((epoch, at.index));
    let configuration = Configuration::from_parts(ConfigurationParts {
        voters: alloc::vec![to.node],
        incarnations: alloc::vec![(to.node, to.incarnation)],
        recoveries,
        ..ConfigurationParts::default()
    })
    .map_err(ForkError::Configuration)?;
    let identity = [old.cluster.0, old.group.0, to.group.0, to.node.0, to.plan_id, number];
    let cluster = ClusterId(mint(0x666f_726b_0000_0001, identity));
    let entry = Entry {
        kind: EntryKind::CONFIGURATION,
        stamp: boot.last_stamp,
        label: boot.last_label.unwrap_or(0),
        payload: configuration.encode(),
    };
    let mut hard = HardState::new(cluster, to.group, to.node, to.incarnation);
    hard.epoch = epoch;
    hard.term = term;
    hard.vote = Some(to.node);
    boot.hard_state = hard;
    boot.terms.push(TermRun { first: at.index, term });
    boot.marks.push((at, entry.clone()));
    boot.last = at.index;
    Ok(Forked { boot, entry: (at, entry) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::{BootId, Instant, LogIndex, Term};

    /// A copy of the disk of n2, in its second life, which voted in term 5.
    fn copy() -> Boot {
        let mut hard = HardState::new(ClusterId(7), GroupId(1), NodeId(2), Incarnation(2));
        hard.term = Term(5);
        let voters = Configuration::new((1..=3).map(NodeId)).expect("three");
        let runs = alloc::vec![TermRun { first: LogIndex(1), term: Term(4) }];
        Boot::new(BootId(1), 1, hard, voters).with_log(runs, LogIndex(3), 0)
    }

    fn forked(node: u64, life: u64) -> Result<Forked, ForkError> {
        let (node, incarnation) = (NodeId(node), Incarnation(life));
        fork(&Options::default(), copy(), Fork { group: GroupId(1), node, incarnation, plan_id: 3 })
    }

    #[test]
    fn a_copy_never_runs_as_the_life_it_was_taken_from() {
        for (node, life, fine) in [(2, 2, false), (2, 0, false), (2, 3, true), (9, 2, true)] {
            let forked = forked(node, life).map(drop);
            assert_eq!(forked, if fine { Ok(()) } else { Err(ForkError::Incarnation) }, "{node}");
        }
    }

    #[test]
    fn the_decree_is_of_the_new_disks_own_term_and_voted_for() {
        let Forked { boot, entry: (at, _) } = forked(9, 1).expect("a fork");
        let hard = &boot.hard_state;
        assert_eq!(at, LogPosition::new(Term(6), LogIndex(4)));
        assert_eq!((hard.term, hard.vote), (Term(6), Some(NodeId(9))));
        assert_ne!(hard.cluster, ClusterId(7), "messages of the old cluster mean nothing here");
        assert_eq!((boot.last, inspect(&boot).map(|disk| disk.last)), (at.index, Ok(at)));
        crate::Node::boot(Options::default(), boot, Instant(0)).expect("it boots");
    }
}
