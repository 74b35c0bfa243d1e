//! Skipping an entry that no machine can apply.
//!
//! **Intuition.** A command that makes the machine fail fails everywhere, so the group must agree
//! to pass over it: a skip is an entry like any other. A replica that stands before the entry
//! looks ahead: a committed skip of it, with its digest, and the entry is handed out marked; one
//! that is not decided yet, and it waits. A replica whose machine failed in the middle throws that
//! machine away. One that applied the entry after all has diverged and takes itself out.
//!
//! While its machine stands still a node goes on voting, leading and replicating, and refuses
//! reads and proposals. When the skip is committed it halts with
//! [`HaltReason::SkipDecided`]: the driver makes the machine anew from the newest snapshot
//! and boots again with `Boot::applied` at that snapshot.
//! **Source.** D-T10 (a poisonous command takes down every replica, for ever); S-54.
//! **Upholds.** `inv:apply-once-in-order`.
//! **Not here.** The machine (the driver), handing out (`replication/apply.rs`).

use alloc::vec::Vec;
use core::fmt;

use bytes::Bytes;

use super::disable::operation;
use crate::{
    Node,
    error::{HaltReason, Rejected},
    input::{Changed, Input},
    lazy::Lazy,
    log::{Entries, Entry, EntryKind},
    role::RoleState,
    storage::{DisableReason, fetch::FetchPurpose},
    types::{Instant, LogIndex, LogPosition, NodeId, OperationTicket},
    wire::cursor::{Cursor, put_u64},
};

/// Why a skip was refused. Definite: nothing was appended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum SkipError {
    /// Ask the node hinted at.
    NotLeader {
        /// Who leads, as this node believes.
        hint: Option<NodeId>,
    },
    /// No machine stands still here, or it does at another entry.
    NotHaltedThere {
        /// Where it does.
        at: Option<LogIndex>,
    },
    /// The entry is another one than the operator looked at.
    DigestMismatch {
        /// Its digest.
        actual: u64,
    },
    /// A skip of it is in the log already; wait for it to be committed.
    AlreadyAppended {
        /// Where.
        at: LogIndex,
    },
    /// `Options::level` is below 1: an older member would not know a skip.
    Level,
    /// The store or the list of operations is full, or the entry is still read back; try again
    /// later.
    Busy,
    /// Restart the node from disk.
    Halted,
}

impl fmt::Display for SkipError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotLeader { hint: Some(node) } => write!(f, "not the leader, try {node}"),
            Self::NotLeader { hint: None } => f.write_str("not the leader, and none is known"),
            Self::NotHaltedThere { at: Some(at) } => write!(f, "the machine stands before {at}"),
            Self::NotHaltedThere { at: None } => f.write_str("the machine has not failed"),
            Self::DigestMismatch { actual } => write!(f, "the entry's digest is {actual:#x}"),
            Self::AlreadyAppended { at } => write!(f, "entry {at} skips it already"),
            Self::Level => f.write_str("the protocol level is below that of skips"),
            Self::Busy => f.write_str("store or operations are full; try again later"),
            Self::Halted => f.write_str("the node has halted; restart it from disk"),
        }
    }
}

impl core::error::Error for SkipError {}

/// Where a machine stands still.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct ApplyFailure {
    /// The entry it failed at.
    pub index: LogIndex,
    /// Its [`Entry::digest`]; `None` while it is read back from disk.
    pub digest: Option<u64>,
}

/// A skip of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
struct Skip {
    /// Where the skip stands.
    at: LogIndex,
    /// What it skips.
    target: LogIndex,
    digest: u64,
    /// The entry was handed out as skipped, or so the driver said at boot.
    honoured: bool,
}

/// What to do with the entry that is to be applied next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lookahead {
    /// No skip concerns anything up to this index.
    ClearUpto(LogIndex),
    /// A skip of it is in the log and not committed yet.
    Wait,
    /// A committed skip names it by this digest.
    Skip(u64),
}

/// The log's skips that may still matter, ascending.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Skips {
    known: Lazy<Vec<Skip>>,
}

impl Skips {
    /// What the log's skips say about `next` and what follows it.
    pub(crate) fn lookahead(&self, next: LogIndex, commit: LogIndex) -> Lookahead {
        // The machine may be at work on an entry that is skipped: what becomes of it decides
        // whether this replica goes on at all.
        let behind = |s: &Skip| s.at <= commit && !s.honoured && s.target < next;
        if self.known.iter().any(behind) {
            return Lookahead::Wait;
        }
        let Some(target) = self.known.iter().map(|s| s.target).filter(|at| *at >= next).min()
        else {
            return Lookahead::ClearUpto(LogIndex(u64::MAX));
        };
        if target > next {
            return Lookahead::ClearUpto(target.prev());
        }
        let mut of_next = self.known.iter().filter(|skip| skip.target == next);
        match of_next.clone().find(|skip| skip.at <= commit) {
            Some(skip) => Lookahead::Skip(skip.digest),
            None if of_next.next().is_some() => Lookahead::Wait,
            None => Lookahead::ClearUpto(next),
        }
    }

    /// The entry was handed out as skipped.
    pub(crate) fn honour(&mut self, target: LogIndex) {
        for skip in self.known.iter_mut().filter(|skip| skip.target == target) {
            skip.honoured = true;
        }
    }

    /// The skips of `target` say nothing: they name another entry by digest.
    pub(crate) fn void(&mut self, target: LogIndex, actual: u64) {
        self.known.retain(|skip| skip.target != target || skip.digest == actual);
    }

    /// Whether `index` lies between an entry and a skip of it: at the entry or above, below the
    /// skip.
    pub(crate) fn straddle(&self, index: LogIndex) -> bool {
        self.known.iter().any(|skip| skip.target <= index && index < skip.at)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.known.is_empty()
    }

    pub(crate) fn fold(&self, mut word: impl FnMut(u64)) {
        for skip in self.known.iter() {
            for number in [skip.at.0, skip.target.0, skip.digest, u64::from(skip.honoured)] {
                word(number);
            }
        }
    }
}

/// The payload of a skip: which entry, and its digest.
fn encode(target: LogIndex, digest: u64) -> Bytes {
    let mut out = Vec::new();
    put_u64(&mut out, target.0);
    put_u64(&mut out, digest);
    Bytes::from(out)
}

/// Reads a skip's payload.
pub(crate) fn decode(payload: Bytes) -> Option<(LogIndex, u64)> {
    let mut cursor = Cursor::new(payload);
    let target = LogIndex(cursor.u64().ok()?);
    let digest = cursor.u64().ok()?;
    cursor.is_empty().then_some((target, digest))
}

impl Node {
    /// Asks the group to pass over the entry at which this leader's machine failed. `digest` is
    /// [`Entry::digest`] of the entry the operator looked at.
    ///
    /// # Errors
    /// [`SkipError`]: definite, nothing was appended.
    pub fn skip_entry(
        &mut self,
        now: Instant,
        index: LogIndex,
        digest: u64,
    ) -> Result<OperationTicket, SkipError> {
        self.judge_skip(index, digest)?;
        let result = self.step(now, Input::SkipEntry { index, digest });
        operation(result).ok_or(SkipError::Busy)
    }

    /// The entry at which the machine failed, if it did.
    #[must_use]
    pub const fn apply_halted(&self) -> Option<ApplyFailure> {
        self.apply_failed
    }

    fn judge_skip(&self, index: LogIndex, digest: u64) -> Result<(), SkipError> {
        if self.halted.is_some() {
            return Err(SkipError::Halted);
        }
        let RoleState::Leader(_) = &self.role else {
            return Err(SkipError::NotLeader { hint: self.leader_hint() });
        };
        let Some(failure) = self.apply_failed.filter(|failure| failure.index == index) else {
            return Err(SkipError::NotHaltedThere { at: self.apply_failed.map(|f| f.index) });
        };
        if !EntryKind::SKIP.is_known(self.options.level) {
            return Err(SkipError::Level);
        }
        match failure.digest {
            Some(actual) if actual != digest => return Err(SkipError::DigestMismatch { actual }),
            Some(_) => {}
            // It is being read back.
            None => return Err(SkipError::Busy),
        }
        let same = |skip: &&Skip| skip.target == index && skip.digest == digest;
        if let Some(skip) = self.skips.known.iter().find(same) {
            return Err(SkipError::AlreadyAppended { at: skip.at });
        }
        if self.operations.is_full() || !self.admits_changes() {
            return Err(SkipError::Busy);
        }
        Ok(())
    }

    pub(crate) fn on_skip_entry(&mut self, index: LogIndex, digest: u64) -> Result<(), Rejected> {
        self.judge_skip(index, digest).map_err(|error| match error {
            SkipError::NotLeader { .. } => self.not_leader(),
            _ => Rejected::SkipRefused,
        })?;
        let payload = encode(index, digest);
        let at = self.append_for_core(Entry { kind: EntryKind::SKIP, payload, ..Entry::default() });
        self.begin_until_committed(LogPosition::new(self.hard.term, at));
        Ok(())
    }

    /// The machine failed while applying `index`; everything before it was applied.
    pub(crate) fn on_apply_failed(&mut self, index: LogIndex) -> Result<(), Rejected> {
        if index <= self.applied || index > self.handed {
            return Err(Rejected::AppliedTooFar);
        }
        if self.apply_failed.is_some() {
            return Err(Rejected::ApplyHalted);
        }
        self.on_applied(index.prev())?;
        let digest = self.log.tail().get(index).map(Entry::digest);
        self.apply_failed = Some(ApplyFailure { index, digest });
        self.apply_fetched = None;
        self.changed(Changed::LIFECYCLE);
        self.decide_skips();
        Ok(())
    }

    /// Reads back the entry at which the machine failed, if it left memory: a skip must name it by
    /// its digest.
    pub(crate) fn fetch_failed(&mut self) {
        let Some(ApplyFailure { index, digest: None }) = self.apply_failed else { return };
        let mut fetch = core::mem::take(&mut self.apply_fetch);
        self.ask(&mut fetch, (index, index), u64::MAX, FetchPurpose::Apply);
        self.apply_fetch = fetch;
    }

    /// The entry at which the machine failed was read back.
    pub(crate) fn on_failed_read(&mut self, entries: &Entries) {
        if let Some(failure) = &mut self.apply_failed
            && let Some(found) = entries.iter().find(|e| e.position.index == failure.index)
        {
            failure.digest = Some(found.entry.digest());
        }
    }

    /// What boot found: skips that are decided and were obeyed, or that the driver says were.
    pub(crate) fn skips_recovered(&mut self, skipped: &[LogIndex]) {
        let applied = self.applied;
        for skip in self.skips.known.made().into_iter().flatten() {
            // Past the skip itself nothing is applied by a machine that did not obey it.
            skip.honoured = skip.at <= applied || skipped.contains(&skip.target);
        }
    }

    /// A skip was appended at `index`.
    pub(crate) fn skip_appended(&mut self, index: LogIndex, payload: &Bytes) {
        let Some((target, digest)) = decode(payload.clone()) else {
            self.halt(HaltReason::UnreadableEntry { index });
            return;
        };
        if target >= index {
            // It skips nothing that came before it: void everywhere.
            return;
        }
        self.skips.known.push(Skip { at: index, target, digest, honoured: false });
    }

    /// The machine is replaced by the snapshot at `index`: whatever it stood before is behind it.
    pub(crate) fn skips_covered(&mut self, index: LogIndex) {
        if let Some(known) = self.skips.known.made() {
            known.retain(|skip| skip.target > index);
        }
        self.apply_failed = self.apply_failed.filter(|failure| failure.index > index);
    }

    /// The log was cut at `from`.
    pub(crate) fn skips_truncated(&mut self, from: LogIndex) {
        if let Some(known) = self.skips.known.made() {
            known.retain(|skip| skip.at < from);
        }
    }

    /// Acts on committed skips whose entry the machine has reached. Called when commit or applied
    /// rose.
    pub(crate) fn decide_skips(&mut self) {
        if self.skips.is_empty() || self.halted.is_some() || self.disabled().is_some() {
            return;
        }
        let (commit, applied, failed) = (self.commit, self.applied, self.apply_failed);
        let durable = self.lane.durable();
        for skip in self.skips.known.iter().filter(|skip| skip.at <= commit && !skip.honoured) {
            let same = |f: ApplyFailure| {
                f.index == skip.target && f.digest.is_none_or(|digest| digest == skip.digest)
            };
            if failed.is_some_and(same) && skip.at <= durable {
                let index = skip.target;
                self.halt(HaltReason::SkipDecided { index });
                return;
            }
            if skip.target <= applied {
                let index = skip.target;
                self.disable_for(DisableReason::SkipAfterApply { index });
                return;
            }
        }
        // What is decided and behind us matters no more, once the next snapshot has it behind it.
        let handed = self.handed;
        let ahead = |s: &Skip| s.at > commit || s.target > applied || s.at > handed;
        self.skips.known.retain(ahead);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        config::Configuration,
        options::Options,
        storage::{Boot, HardState},
        types::{BootId, ClusterId, GroupId, Incarnation},
    };

    fn skips(list: &[(u64, u64)]) -> Skips {
        let skip = |(at, target): &(u64, u64)| Skip {
            at: LogIndex(*at),
            target: LogIndex(*target),
            digest: 7,
            honoured: false,
        };
        let mut known: Lazy<Vec<Skip>> = Lazy::default();
        known.set(list.iter().map(skip).collect());
        Skips { known }
    }

    #[test]
    fn a_payload_is_read_as_written_and_in_no_other_spelling() {
        let bytes = encode(LogIndex(300), u64::MAX);
        assert_eq!(decode(bytes.clone()), Some((LogIndex(300), u64::MAX)));
        for cut in 0..bytes.len() {
            assert_eq!(decode(bytes.slice(..cut)), None, "cut at {cut}");
        }
        let mut longer = bytes.to_vec();
        longer.push(0);
        assert_eq!(decode(longer.into()), None);
    }

    #[test]
    fn what_is_next_is_clear_waits_or_is_skipped() {
        let mut sut = skips(&[(9, 4), (12, 6)]);
        let look = |sut: &Skips, next, commit| sut.lookahead(LogIndex(next), LogIndex(commit));
        assert_eq!(look(&sut, 1, 3), Lookahead::ClearUpto(LogIndex(3)));
        assert_eq!(look(&sut, 4, 8), Lookahead::Wait, "not decided yet");
        assert_eq!(look(&sut, 4, 9), Lookahead::Skip(7));
        assert_eq!(look(&sut, 5, 9), Lookahead::Wait, "handed out before the skip was known");
        sut.honour(LogIndex(4));
        assert_eq!(look(&sut, 5, 9), Lookahead::ClearUpto(LogIndex(5)));
        assert_eq!(look(&sut, 6, 11), Lookahead::Wait);
        sut.honour(LogIndex(6));
        assert_eq!(look(&sut, 7, 20), Lookahead::ClearUpto(LogIndex(u64::MAX)));
        assert_eq!(look(&skips(&[]), 1, 0), Lookahead::ClearUpto(LogIndex(u64::MAX)));
    }

    #[test]
    fn only_what_came_before_it_can_be_skipped() {
        let hard = HardState::new(ClusterId(1), GroupId(1), NodeId(1), Incarnation(1));
        let voters = Configuration::new((1..=3).map(NodeId)).unwrap();
        let boot = Boot::new(BootId(1), 1, hard, voters);
        let mut sut = Node::boot(Options::default(), boot, Instant(0)).unwrap();
        for (target, held) in [(9, 0), (5, 0), (4, 0), (3, 1)] {
            sut.skip_appended(LogIndex(4), &encode(LogIndex(target), 7));
            assert_eq!((sut.skips.known.len(), sut.halted), (held, None), "{target}");
        }
    }
}
