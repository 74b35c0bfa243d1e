//! The write lane: what was handed out, and how much of it is durable.
//!
//! **Intuition.** Each write remembers how far the log was when it was made: its mark. Writes may
//! be acknowledged in any order, but only the longest complete prefix counts, because after power
//! loss that is all a store must still have. A truncation lowers the marks of open writes: they
//! wrote entries that are gone.
//!
//! A snapshot from a leader is published by a write of its own kind. If the log does not hold the
//! snapshot's position it is emptied and goes on there, and then every open write carries entries
//! of a log that is about to go: of them only what was committed counts, because that is the same
//! in every log and the snapshot covers it. So until the publishing write is part of the complete
//! prefix, "durable" means: on disk, as entries or (after it) inside the snapshot, and never more
//! than was committed before. Whatever prefix a crash leaves, it is the old log or the new one.
//! **Source.** Ours; counting any acknowledged write loses a
//! granted vote; the publishing step as two writes is B-058.
//! **Upholds.** `inv:persist-before-send`, `inv:committed-durable`.
//! **Not here.** When a write is made (`settle.rs`).

use alloc::{boxed::Box, collections::VecDeque};

use crate::{
    lazy::Lazy,
    rng::mix,
    storage::{DisableReason, HardState},
    types::{BootId, ClusterId, LogIndex, NodeId, RecoveryEpoch, Term},
};

/// Names one `Persist`. Opaque: give it back in `Persisted`, unchanged, in any order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct PersistAck {
    tag: u64,
    sequence: u64,
}

impl PersistAck {
    /// Counts the writes of this boot from 1.
    #[must_use]
    pub const fn sequence(self) -> u64 {
        self.sequence
    }
}

/// The replaced-as-a-whole part of what is durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct HardMark {
    pub(crate) term: Term,
    pub(crate) vote: Option<NodeId>,
    pub(crate) promise_ns: u64,
    pub(crate) disabled: Option<DisableReason>,
    pub(crate) epoch: RecoveryEpoch,
    pub(crate) cluster: ClusterId,
    pub(crate) joined: bool,
}

impl HardMark {
    pub(crate) const fn of(hard: &HardState) -> Self {
        Self {
            term: hard.term,
            vote: hard.vote,
            promise_ns: hard.promise_ns,
            disabled: hard.disabled,
            epoch: hard.epoch,
            cluster: hard.cluster,
            joined: hard.joined,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
struct OpenPersist {
    mark: LogIndex,
    /// The hard state, if it is another than that of the write before.
    hard: Option<Box<HardMark>>,
    /// The snapshot it publishes.
    published: Option<LogIndex>,
    acknowledged: bool,
}

/// What an acknowledgement turned out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AckVerdict {
    /// Of another store, node or boot.
    Foreign,
    /// Acknowledged before.
    Duplicate,
    /// Never handed out: storage and core disagree about the lane.
    NeverIssued,
    /// Counted.
    Counted,
}

/// The lane.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct PersistLane {
    tag: u64,
    open: VecDeque<OpenPersist>,
    /// Sequence of the newest write handed out.
    issued: u64,
    /// The log as of the newest write handed out.
    handed: LogIndex,
    /// The log must be cut here before anything is appended.
    truncate_from: Lazy<Option<LogIndex>>,
    /// A snapshot at this index goes with the next write.
    publish: Lazy<Option<LogIndex>>,
    /// As of the longest complete prefix.
    durable: LogIndex,
    durable_hard: HardMark,
    /// The newest snapshot this boot published.
    published: Option<LogIndex>,
}

impl PersistLane {
    pub(crate) fn recovered(hard: &HardState, boot: BootId, last: LogIndex) -> Self {
        let tag = [hard.cluster.0, hard.group.0, hard.node.0, boot.0]
            .iter()
            .fold(0x7065_7273_6973_7400, |tag, part| mix(tag, *part));
        let mark = HardMark::of(hard);
        Self {
            tag,
            open: VecDeque::new(),
            issued: 0,
            handed: last,
            truncate_from: Lazy::default(),
            publish: Lazy::default(),
            durable: last,
            durable_hard: mark,
            published: None,
        }
    }

    /// Everything that decides what completions will do, numbers of writes aside.
    pub(crate) fn fold(&self, mut word: impl FnMut(u64)) {
        let mut newest = &self.durable_hard;
        let hards = self.open.iter().map(|open| {
            newest = open.hard.as_deref().unwrap_or(newest);
            (open.mark, newest, open.acknowledged)
        });
        let own =
            [(self.handed, self.handed_hard(), false), (self.durable, &self.durable_hard, true)];
        for (mark, hard, acknowledged) in hards.chain(own) {
            word(mark.0);
            word(hard.term.0);
            word(hard.vote.map_or(0, |_| 1));
            word(hard.vote.map_or(0, |vote| vote.0));
            word(hard.promise_ns);
            word(hard.disabled.map_or(0, DisableReason::word));
            for number in [hard.epoch.number, hard.epoch.plan_id, hard.cluster.0] {
                word(number);
            }
            word(u64::from(acknowledged));
        }
        word(self.open.len() as u64);
        word(self.truncate_from.map_or(0, |from| from.0));
        let published = self.open.iter().map(|open| open.published);
        for at in published.chain([*self.publish]) {
            word(at.map_or(0, |at| at.0.saturating_add(1)));
        }
    }

    pub(crate) const fn tag(&self) -> u64 {
        self.tag
    }

    pub(crate) const fn durable(&self) -> LogIndex {
        self.durable
    }

    pub(crate) const fn durable_hard(&self) -> &HardMark {
        &self.durable_hard
    }

    /// The newest snapshot whose publication is part of the complete prefix.
    pub(crate) const fn published(&self) -> Option<LogIndex> {
        self.published
    }

    /// How many writes were handed out in this boot.
    pub(crate) const fn issued(&self) -> u64 {
        self.issued
    }

    /// How many of them are part of the complete prefix.
    pub(crate) fn written(&self) -> u64 {
        self.issued.saturating_sub(self.open())
    }

    pub(crate) fn open(&self) -> u64 {
        self.open.len() as u64
    }

    /// Whether `ack` names a write that was handed out; `None` if it is not of this boot.
    pub(crate) fn knows(&self, ack: PersistAck) -> Option<bool> {
        (ack.tag == self.tag).then_some(ack.sequence > 0 && ack.sequence <= self.issued)
    }

    /// Whether anything is not yet handed out.
    pub(crate) fn dirty(&self, hard: &HardState, last: LogIndex) -> bool {
        self.handed < last
            || self.truncate_from.is_some()
            || self.publish.is_some()
            || *self.handed_hard() != HardMark::of(hard)
    }

    /// The hard state as of the newest write handed out.
    fn handed_hard(&self) -> &HardMark {
        let newest = self.open.iter().rev().find_map(|open| open.hard.as_deref());
        newest.unwrap_or(&self.durable_hard)
    }

    /// How far the log was handed out to be written.
    pub(crate) const fn handed(&self) -> LogIndex {
        self.handed
    }

    /// Whether `hard` is durable, no open write carries another, and nothing but entries is to be
    /// written.
    pub(crate) fn is_settled(&self, hard: &HardMark) -> bool {
        self.durable_hard == *hard
            && self.open.iter().all(|open| open.hard.is_none() && open.published.is_none())
            && self.truncate_from.is_none()
            && self.publish.is_none()
    }

    /// Marks everything up to `last` and `hard` as handed out in one write. Returns its
    /// acknowledgement, whether the hard state is part of it, where to cut, and the last index
    /// that earlier writes carry (or the snapshot it publishes covers).
    pub(crate) fn issue(
        &mut self,
        hard: &HardState,
        last: LogIndex,
    ) -> (PersistAck, bool, Option<LogIndex>, LogIndex) {
        self.issued = self.issued.saturating_add(1);
        let mark = HardMark::of(hard);
        let with_hard = mark != *self.handed_hard();
        let hard = with_hard.then(|| Box::new(mark));
        let from = core::mem::replace(&mut self.handed, last);
        let published = *self.publish;
        self.publish.clear();
        let cut = *self.truncate_from;
        self.truncate_from.clear();
        self.open.push_back(OpenPersist { mark: last, hard, published, acknowledged: false });
        let ack = PersistAck { tag: self.tag, sequence: self.issued };
        (ack, with_hard, cut, from)
    }

    /// [`PersistLane::issue`] where there is nothing but entries to write.
    pub(crate) fn issue_entries(&mut self, last: LogIndex) -> (PersistAck, LogIndex) {
        self.issued = self.issued.saturating_add(1);
        let from = core::mem::replace(&mut self.handed, last);
        let open = OpenPersist { mark: last, hard: None, published: None, acknowledged: false };
        self.open.push_back(open);
        (PersistAck { tag: self.tag, sequence: self.issued }, from)
    }

    /// The log was cut at `from`: nothing there or above counts as handed out or durable.
    pub(crate) fn on_truncate(&mut self, from: LogIndex) {
        let below = from.prev();
        if self.handed > below {
            self.handed = below;
            let cut = self.truncate_from.map_or(from, |old| old.min(from));
            *self.truncate_from = Some(cut);
        }
        self.durable = self.durable.min(below);
        for open in &mut self.open {
            open.mark = open.mark.min(below);
        }
    }

    /// A snapshot at `at` is published with the next write; the log stays.
    pub(crate) fn on_publish(&mut self, at: LogIndex) {
        assert!(self.publish.is_none(), "one write publishes one snapshot");
        *self.publish = Some(at);
    }

    /// The same, and the log is emptied and goes on at `at`. Of what was written so far only what
    /// was `committed` is content that the snapshot covers.
    pub(crate) fn on_reset(&mut self, committed: LogIndex, at: LogIndex) {
        assert!(committed < at, "what is committed is never reset (inv:committed-immutable)");
        self.on_publish(at);
        self.handed = at;
        self.truncate_from.clear();
        self.durable = self.durable.min(committed);
        for open in &mut self.open {
            open.mark = open.mark.min(committed);
        }
    }

    /// Takes one acknowledgement and raises what is durable to the longest complete prefix.
    pub(crate) fn on_persisted(&mut self, ack: PersistAck) -> AckVerdict {
        if ack.tag != self.tag {
            return AckVerdict::Foreign;
        }
        if ack.sequence == 0 || ack.sequence > self.issued {
            return AckVerdict::NeverIssued;
        }
        let back = self.issued.saturating_sub(ack.sequence);
        let slot = usize::try_from(back)
            .ok()
            .and_then(|back| self.open.len().checked_sub(back)?.checked_sub(1))
            .and_then(|at| self.open.get_mut(at));
        let Some(slot) = slot.filter(|open| !open.acknowledged) else {
            return AckVerdict::Duplicate;
        };
        slot.acknowledged = true;
        while let Some(done) = self.open.front().filter(|open| open.acknowledged) {
            self.durable = self.durable.max(done.mark);
            if let Some(hard) = &done.hard {
                self.durable_hard = **hard;
            }
            self.published = self.published.max(done.published);
            self.open.pop_front();
        }
        AckVerdict::Counted
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::{ClusterId, GroupId, Incarnation};

    fn lane() -> (PersistLane, HardState) {
        let hard = HardState::new(ClusterId(1), GroupId(1), NodeId(1), Incarnation(1));
        (PersistLane::recovered(&hard, BootId(1), LogIndex(0)), hard)
    }

    #[test]
    fn only_the_longest_complete_prefix_counts() {
        let (mut lane, mut hard) = lane();
        let (first, ..) = lane.issue(&hard, LogIndex(3));
        hard.term = Term(1);
        hard.vote = Some(NodeId(2));
        let (second, with_hard, ..) = lane.issue(&hard, LogIndex(5));
        assert!(with_hard);
        assert_eq!(lane.on_persisted(second), AckVerdict::Counted);
        assert_eq!((lane.durable(), lane.durable_hard().vote), (LogIndex(0), None));
        assert_eq!(lane.on_persisted(second), AckVerdict::Duplicate);
        assert_eq!(lane.on_persisted(first), AckVerdict::Counted);
        assert_eq!((lane.durable(), lane.durable_hard().vote), (LogIndex(5), Some(NodeId(2))));
        assert_eq!(lane.on_persisted(first), AckVerdict::Duplicate);
        assert_eq!(lane.open(), 0);
    }

    #[test]
    fn truncation_lowers_open_marks_and_what_is_durable() {
        let (mut lane, hard) = lane();
        let (first, ..) = lane.issue(&hard, LogIndex(5));
        lane.on_truncate(LogIndex(4));
        assert!(lane.dirty(&hard, LogIndex(3)));
        let (second, _, cut, from) = lane.issue(&hard, LogIndex(6));
        assert_eq!((cut, from), (Some(LogIndex(4)), LogIndex(3)));
        lane.on_persisted(first);
        assert_eq!(lane.durable(), LogIndex(3), "entries 4 and 5 of the first write are gone");
        lane.on_persisted(second);
        assert_eq!(lane.durable(), LogIndex(6));
        lane.on_truncate(LogIndex(2));
        assert_eq!(lane.durable(), LogIndex(1));
    }

    #[test]
    fn a_reset_counts_only_what_was_committed_until_its_write_is_done() {
        let (mut lane, hard) = lane();
        let (first, ..) = lane.issue(&hard, LogIndex(6));
        lane.on_reset(LogIndex(2), LogIndex(9));
        assert!(lane.dirty(&hard, LogIndex(9)));
        lane.on_persisted(first);
        assert_eq!((lane.durable(), lane.published()), (LogIndex(2), None));
        // More entries came before the write was made: they follow the snapshot in it.
        let (second, _, cut, from) = lane.issue(&hard, LogIndex(11));
        assert_eq!((cut, from), (None, LogIndex(9)));
        lane.on_truncate(LogIndex(11));
        lane.on_persisted(second);
        assert_eq!((lane.durable(), lane.published()), (LogIndex(10), Some(LogIndex(9))));
    }

    #[test]
    fn an_acknowledged_publication_above_a_hole_promises_nothing() {
        let (mut lane, hard) = lane();
        let (first, ..) = lane.issue(&hard, LogIndex(6));
        lane.on_truncate(LogIndex(4));
        lane.on_reset(LogIndex(3), LogIndex(9));
        let (second, _, cut, _) = lane.issue(&hard, LogIndex(9));
        assert_eq!(cut, None, "the reset makes the cut needless");
        lane.on_persisted(second);
        assert_eq!((lane.durable(), lane.published()), (LogIndex(0), None));
        lane.on_persisted(first);
        assert_eq!((lane.durable(), lane.published()), (LogIndex(9), Some(LogIndex(9))));
    }

    #[test]
    fn foreign_and_never_issued_acknowledgements_are_told_apart() {
        let (mut lane, hard) = lane();
        let (ack, ..) = lane.issue(&hard, LogIndex(1));
        let other = PersistLane::recovered(&hard, BootId(2), LogIndex(0));
        assert_eq!(
            lane.on_persisted(PersistAck { tag: other.tag, sequence: 1 }),
            AckVerdict::Foreign
        );
        assert_eq!(lane.on_persisted(PersistAck { sequence: 2, ..ack }), AckVerdict::NeverIssued);
        assert_eq!(lane.on_persisted(PersistAck { sequence: 0, ..ack }), AckVerdict::NeverIssued);
    }
}
