//! Choosing what to boot from, and looking at a disk without starting anything.
//!
//! **Intuition.** A disk may hold several snapshots and some of them may be damaged. The newest
//! sound one is right if the log goes on from it; an older one only if the log still holds all that
//! the newer ones stood for. Anything else would leave a gap, and a gap is not repaired by hoping.
//! **Source.** SEEDS 2.12.1, S-100; D-R12 (a wrong "newest"), B-058 (published, log not yet reset),
//! B-095.
//! **Upholds.** `inv:snapshot-agrees`, `inv:committed-durable`.
//! **Not here.** Reading the disk (the driver), judging the whole of it (`storage/recover.rs`).

use core::fmt;

use super::meta::SnapshotMeta;
use crate::{
    config::Configuration,
    log::EntryKind,
    storage::{
        Boot, DisableReason,
        recover::{BootError, has_lost},
    },
    types::{
        ClusterId, GroupId, Incarnation, LogIndex, LogPosition, Membership, NodeId, RecoveryEpoch,
        Term,
    },
};

/// One snapshot as found on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FoundSnapshot<'a> {
    /// Its description.
    pub meta: &'a SnapshotMeta,
    /// Whether description and data passed their checks.
    pub sound: bool,
}

/// Which snapshot to boot from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChosenSnapshot {
    /// Which of those found; `None` if the log needs none.
    pub at: Option<usize>,
    /// The log ends below it: publishing was interrupted, by a store that does it in two steps,
    /// before the log was emptied. Empty it and let it go on right above the snapshot.
    pub empty_log: bool,
}

/// Why a disk cannot be booted from. Nothing was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum ChooseError {
    /// No sound snapshot reaches up to the log.
    Gap {
        /// Where the log begins.
        first: LogIndex,
        /// The newest sound snapshot below; 0 if there is none.
        below: LogIndex,
    },
    /// The log holds another entry at the snapshot's position: one of the two is of another life.
    Conflict {
        /// The snapshot's position.
        snapshot: LogPosition,
    },
    /// Everything that the log could go on from is damaged, and the log is empty.
    Damaged {
        /// The newest, damaged.
        newest: LogIndex,
    },
}

impl fmt::Display for ChooseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Gap { first, below } => write!(
                f,
                "log begins at {first}, the newest sound snapshot ends at {below}; add the node \
                 again as a new incarnation"
            ),
            Self::Conflict { snapshot } => {
                write!(f, "log holds another entry at the snapshot's position {snapshot}")
            }
            Self::Damaged { newest } => {
                write!(f, "snapshot at {newest} is damaged and no log covers what it held")
            }
        }
    }
}

impl core::error::Error for ChooseError {}

/// Chooses the snapshot to boot from, given where the log on disk begins and ends (`last` is
/// `first - 1` for an empty one) and the term of each entry it holds.
///
/// # Errors
/// [`ChooseError`]: this disk lost something, whichever snapshot is taken.
pub fn choose_snapshot(
    found: &[FoundSnapshot<'_>],
    first: LogIndex,
    last: LogIndex,
    term_at: impl Fn(LogIndex) -> Option<Term>,
) -> Result<ChosenSnapshot, ChooseError> {
    let newest_of = |sound_only: bool| {
        let fits = found.iter().enumerate().filter(move |(_, f)| f.sound || !sound_only);
        fits.max_by_key(|(_, f)| f.meta.index())
    };
    let damaged = newest_of(false).filter(|(_, f)| !f.sound).map(|(_, f)| f.meta.index());
    let Some((at, newest)) = newest_of(true) else {
        return match damaged {
            _ if first > LogIndex(1) => Err(ChooseError::Gap { first, below: LogIndex::ZERO }),
            // A log from 1 on needs no snapshot, but must still hold what the damaged one stood for.
            Some(newest) if newest > last => Err(ChooseError::Damaged { newest }),
            _ => Ok(ChosenSnapshot { at: None, empty_log: false }),
        };
    };
    let position = newest.meta.position;
    if first > position.index.next() {
        return Err(ChooseError::Gap { first, below: position.index });
    }
    if let Some(newest) = damaged.filter(|newest| *newest > last) {
        return Err(ChooseError::Damaged { newest });
    }
    let held = position.index >= first && position.index <= last;
    if held && term_at(position.index).is_some_and(|term| term != position.term) {
        return Err(ChooseError::Conflict { snapshot: position });
    }
    Ok(ChosenSnapshot { at: Some(at), empty_log: last < position.index })
}

/// What an operator wants to know of a disk, for example to choose the survivor with the longest
/// log. Positions compare as elections do.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Inspection {
    /// Whose disk it is.
    pub node: NodeId,
    /// Of which cluster.
    pub cluster: ClusterId,
    /// Of which group.
    pub group: GroupId,
    /// Which life of it.
    pub incarnation: Incarnation,
    /// The recovery epoch it lives in.
    pub epoch: RecoveryEpoch,
    /// Its term.
    pub term: Term,
    /// Its vote in that.
    pub vote: Option<NodeId>,
    /// First index of its log.
    pub first: LogIndex,
    /// Last position of its log, or of its snapshot.
    pub last: LogPosition,
    /// What its machine holds durably.
    pub applied: LogIndex,
    /// The snapshot it would boot from.
    pub snapshot: Option<LogPosition>,
    /// The newest configuration, committed or not.
    pub configuration: Configuration,
    /// The index of its entry.
    pub configuration_index: LogIndex,
    /// What the node is in it.
    pub membership: Membership,
    /// Why it is disabled, if it is.
    pub disabled: Option<DisableReason>,
    /// It would be quarantined: it lost what it had acknowledged.
    pub lost_data: bool,
}

/// Looks at a disk without starting a node.
///
/// # Errors
/// [`BootError::Mark`] if a configuration entry cannot be read. Whatever else is wrong with the
/// disk is for [`crate::Node::boot`] to say.
pub fn inspect(boot: &Boot) -> Result<Inspection, BootError> {
    let hard = &boot.hard_state;
    let snapshot = boot.snapshot.as_ref().map(|meta| meta.position);
    let below = snapshot.unwrap_or_default();
    let last = match boot.terms.last() {
        Some(run) if boot.last > below.index => LogPosition::new(run.term, boot.last),
        _ => below,
    };
    let (mut configuration_index, mut configuration) = match &boot.snapshot {
        Some(meta) => (meta.configuration_index, meta.configuration.clone()),
        None => (LogIndex::ZERO, boot.configuration.clone()),
    };
    for (position, entry) in &boot.marks {
        if entry.kind == EntryKind::CONFIGURATION {
            configuration = Configuration::decode(entry.payload.clone())
                .map_err(|_| BootError::Mark { index: position.index })?;
            configuration_index = position.index;
        }
    }
    Ok(Inspection {
        node: hard.node,
        cluster: hard.cluster,
        group: hard.group,
        incarnation: hard.incarnation,
        epoch: hard.epoch,
        term: hard.term,
        vote: hard.vote,
        first: boot.first,
        last,
        applied: boot.applied,
        snapshot,
        membership: configuration.membership(hard.node),
        lost_data: has_lost(boot) || configuration.disowns(hard),
        configuration,
        configuration_index,
        disabled: hard.disabled,
    })
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;
    use crate::options::Options;

    fn meta(term: u64, index: u64) -> SnapshotMeta {
        let voters = Configuration::new([NodeId(1)]).unwrap();
        let position = LogPosition::new(Term(term), LogIndex(index));
        SnapshotMeta::empty(position, voters, Options::default().settings(), 0)
    }

    /// Every disk of up to three snapshots, judged by hand: booting is right exactly if a sound
    /// snapshot (or the start) and the log together hold everything up to the newest index that any
    /// part of the disk ever held.
    #[test]
    fn what_is_chosen_loses_nothing_that_the_disk_holds() {
        let metas: Vec<_> = [3, 5, 8].iter().map(|index| meta(1, *index)).collect();
        for code in 0..27_u32 {
            let states = [code % 3, code / 3 % 3, code / 9];
            let found: Vec<_> = states
                .iter()
                .zip(&metas)
                .filter(|(state, _)| **state > 0)
                .map(|(state, meta)| FoundSnapshot { meta, sound: *state == 2 })
                .collect();
            for first in 1..=10_u64 {
                for last in first - 1..=10 {
                    let (log_first, log_last) = (LogIndex(first), LogIndex(last));
                    let got = choose_snapshot(&found, log_first, log_last, |_| Some(Term(1)));
                    let sound = found.iter().filter(|f| f.sound).map(|f| f.meta.index().0).max();
                    let ever = found.iter().map(|f| f.meta.index().0).chain([last]).max().unwrap();
                    // All that can be had with the newest sound one and the log.
                    let start = sound.unwrap_or(0);
                    let reach = if first > start + 1 { None } else { Some(last.max(start)) };
                    let what = alloc::format!("{states:?} {first}..={last}: {got:?}");
                    match got {
                        Ok(chosen) => {
                            assert_eq!(reach, Some(ever), "{what}");
                            let index = chosen.at.map(|at| found[at].meta.index().0);
                            assert_eq!(index, sound, "{what}");
                            assert_eq!(chosen.empty_log, last < start, "{what}");
                        }
                        Err(ChooseError::Gap { .. }) => assert_eq!(reach, None, "{what}"),
                        Err(ChooseError::Damaged { newest }) => {
                            assert!(reach.is_some_and(|reach| reach < ever), "{what}");
                            assert_eq!(newest.0, ever, "{what}");
                        }
                        Err(ChooseError::Conflict { .. }) => panic!("{what}"),
                    }
                }
            }
        }
    }

    #[test]
    fn a_log_of_another_life_is_refused() {
        let meta = meta(2, 5);
        let found = [FoundSnapshot { meta: &meta, sound: true }];
        let choose = |term| choose_snapshot(&found, LogIndex(4), LogIndex(7), |_| Some(Term(term)));
        assert_eq!(choose(2), Ok(ChosenSnapshot { at: Some(0), empty_log: false }));
        assert_eq!(choose(1), Err(ChooseError::Conflict { snapshot: meta.position }));
    }
}
