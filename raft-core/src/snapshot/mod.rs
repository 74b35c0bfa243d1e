//! Snapshots: standing in for a prefix of the log.
//!
//! **Intuition.** What was applied can be kept as the machine's state instead of as entries. Each
//! node takes its own snapshots, of what it has applied, when its log has grown enough, and drops
//! the log behind them once they are durable. A peer that needs what was dropped is sent the newest
//! one; there it is published by one write and then given to the machine.
//! **Source.** Thesis §5; the published-then-installed order is ours (B-055, B-058).
//! **Upholds.** `inv:snapshot-agrees`, `inv:bounded`, `inv:lane-order`.
//! **Not here.** The machine's bytes and their transport (the driver; `chunk/` helps it), when the
//! log is cut (`compact.rs`).

pub(crate) mod catalogue;
pub(crate) mod choose;
pub mod chunk;
pub(crate) mod compact;
pub(crate) mod meta;
pub(crate) mod publish;
pub(crate) mod receive;
pub(crate) mod send;
pub(crate) mod take;

use alloc::{boxed::Box, collections::VecDeque, vec::Vec};

use crate::{
    Node,
    lazy::Lazy,
    log::Run,
    output::{Output, PublishSnapshot},
    settings::Settings,
    types::{Instant, LogIndex, StageId},
};
use meta::SnapshotMeta;
use take::Taking;

/// Names one `TakeSnapshot` or `SendSnapshot`. Opaque: give it back unchanged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct SnapshotId {
    pub(crate) tag: u64,
    pub(crate) number: u64,
}

impl SnapshotId {
    /// Counts the requests of this boot from 1.
    #[must_use]
    pub const fn number(self) -> u64 {
        self.number
    }
}

/// What is true of the machine once it has applied all that was handed out: the part of a
/// snapshot's description that only an applied entry can tell.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct HandedOut {
    /// The index the rest is true of; behind the node's own after a boot with a durable machine,
    /// until the next entry is handed out.
    pub(crate) known_at: LogIndex,
    pub(crate) stamp: u64,
    pub(crate) label: u64,
    /// Payload bytes handed out in this boot.
    pub(crate) bytes: u64,
    /// The group's settings there, if they may be others than those in force.
    behind: Option<Box<Behind>>,
}

/// Settings are in force from commit, and part of the machine's state once handed out.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
struct Behind {
    /// As of what was handed out.
    settings: Settings,
    /// Committed and not yet handed out: the node runs by them already, the machine's state does
    /// not include them.
    later: Vec<(LogIndex, Settings)>,
}

impl HandedOut {
    /// From now on the settings in force may be others than `settings`, those of what was handed
    /// out.
    fn fall_behind(&mut self, settings: Settings) -> &mut Behind {
        self.behind.get_or_insert_with(|| Box::new(Behind { settings, later: Vec::new() }))
    }

    /// Everything up to `upto` was handed out.
    fn catch_up(&mut self, upto: LogIndex) {
        let Some(behind) = &mut self.behind else { return };
        let reached = behind.later.iter().take_while(|(at, _)| *at <= upto).count();
        let Some((_, settings)) = behind.later.drain(..reached).next_back() else { return };
        behind.settings = settings;
        if behind.later.is_empty() {
            self.behind = None;
        }
    }

    /// The machine is brought to a snapshot at `index` with these settings.
    fn jump(&mut self, index: LogIndex, settings: Settings) {
        if let Some(behind) = &mut self.behind {
            behind.later.retain(|(at, _)| *at > index);
            behind.settings = settings;
            if behind.later.is_empty() {
                self.behind = None;
            }
        }
    }
}

/// Everything about snapshots at this node.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Snapshots {
    /// The newest durable one; `None` for a log that stands on nothing.
    pub(crate) newest: Option<Box<SnapshotMeta>>,
    minted: u64,
    pub(crate) handed_out: HandedOut,
    /// `handed_out.bytes` when the newest was taken.
    bytes_at_newest: u64,
    /// The one being written.
    taking: Option<Box<Taking>>,
    /// One is wanted whatever the policy says.
    wanted: bool,
    /// After a failure, none is taken before then.
    retry_at: Option<Instant>,
    /// To be published with the next write.
    pending: Option<Box<PublishSnapshot>>,
    /// Published by open writes, oldest first.
    publishing: Lazy<VecDeque<Box<SnapshotMeta>>>,
    /// The machine is being replaced by the snapshot at this index.
    installing: Option<LogIndex>,
    /// This node knew no configuration before the one being published: nothing is answered until
    /// it is durable.
    founding: bool,
    /// Staged snapshots that are not wanted and not yet told so.
    unwanted: Lazy<Vec<StageId>>,
}

impl Snapshots {
    /// A node that boots from `newest`.
    pub(crate) fn recovered(newest: Option<Box<SnapshotMeta>>) -> Self {
        let mut handed_out =
            HandedOut { known_at: LogIndex::ZERO, stamp: 0, label: 0, bytes: 0, behind: None };
        if let Some(meta) = &newest {
            handed_out.known_at = meta.index();
            handed_out.stamp = meta.stamp;
            handed_out.label = meta.label;
        }
        Self {
            newest,
            minted: 0,
            handed_out,
            bytes_at_newest: 0,
            taking: None,
            wanted: false,
            retry_at: None,
            pending: None,
            publishing: Lazy::default(),
            installing: None,
            founding: false,
            unwanted: Lazy::default(),
        }
    }

    pub(crate) fn newest_index(&self) -> LogIndex {
        self.newest.as_ref().map_or(LogIndex::ZERO, |meta| meta.index())
    }

    const fn mint(&mut self) -> u64 {
        self.minted = self.minted.saturating_add(1);
        self.minted
    }

    /// Index of the newest snapshot that was accepted and is not yet durable.
    pub(crate) fn incoming(&self) -> Option<LogIndex> {
        let pending = self.pending.as_ref().map(|publish| publish.meta.index());
        pending.or_else(|| self.publishing.back().map(|meta| meta.index()))
    }

    /// Nothing may be answered yet: what made this node a member is not durable.
    pub(crate) const fn is_founding(&self) -> bool {
        self.founding
    }

    /// Whether none is on its way into the disk or the machine, and no stage waits to be dropped.
    pub(crate) fn is_idle(&self) -> bool {
        self.pending.is_none()
            && self.publishing.is_empty()
            && self.installing.is_none()
            && self.unwanted.is_empty()
            && !self.founding
    }

    /// Settings were committed at `index`, after `before`.
    pub(crate) fn settings_committed(
        &mut self,
        before: Settings,
        index: LogIndex,
        settings: Settings,
    ) {
        self.handed_out.fall_behind(before).later.push((index, settings));
    }

    /// Those of a snapshot are in force before the machine is brought to it; `before` were until
    /// now.
    pub(crate) fn settings_adopted(&mut self, before: Settings) {
        self.handed_out.fall_behind(before);
    }

    /// What decides future behaviour, numbers of requests aside.
    pub(crate) fn fold(&self, now: Instant, mut word: impl FnMut(u64)) {
        word(self.newest_index().0);
        word(self.handed_out.known_at.0);
        word(self.handed_out.bytes.saturating_sub(self.bytes_at_newest));
        word(self.handed_out.behind.as_ref().map_or(0, |behind| behind.later.len() as u64));
        word(self.taking.as_ref().map_or(u64::MAX, |taking| taking.index().0));
        word(u64::from(self.wanted) | u64::from(self.founding) << 1);
        word(self.retry_at.map_or(u64::MAX, |at| at.since(now)));
        word(self.incoming().map_or(u64::MAX, |at| at.0));
        word(self.publishing.len() as u64);
        word(self.installing.map_or(u64::MAX, |at| at.0));
        word(self.unwanted.len() as u64);
    }
}

impl Snapshots {
    /// What is applied without the machine is at `applied`: an install up to there is over.
    pub(crate) fn install_overtaken(&mut self, applied: LogIndex) {
        if self.installing.is_some_and(|at| at <= applied) {
            self.installing = None;
        }
    }

    /// The index the machine is being brought to by a snapshot; 0 if it is not.
    pub(crate) fn installing_index(&self) -> LogIndex {
        self.installing.unwrap_or_default()
    }
}

impl Node {
    /// The newest durable snapshot, if there is one.
    #[must_use]
    pub fn snapshot(&self) -> Option<&SnapshotMeta> {
        self.snapshots.newest.as_deref()
    }

    /// Installs what was published and lets go of what is not wanted: before anything more is
    /// handed out for apply.
    pub(crate) fn settle_snapshots(&mut self) {
        if !self.snapshots.publishing.is_empty() {
            self.install_published();
        }
        for stage in self.snapshots.unwanted.made().into_iter().flat_map(|made| made.drain(..)) {
            self.outbox.push_back(Output::DiscardSnapshot(stage));
        }
    }

    /// The group's settings as of what was handed out for apply.
    pub(crate) fn settings_handed_out(&self) -> Settings {
        self.snapshots.handed_out.behind.as_ref().map_or(self.settings, |behind| behind.settings)
    }

    /// `run` was handed out for apply.
    pub(crate) fn note_handed_out(&mut self, run: &Run) {
        let out = &mut self.snapshots.handed_out;
        out.known_at = run.last();
        out.bytes = out.bytes.saturating_add(run.len_bytes());
        if let Some(entry) = run.as_slice().last() {
            out.stamp = entry.stamp;
            out.label = entry.label;
        }
        if out.behind.is_some() {
            out.catch_up(run.last());
        }
        if self.marks.history.len() > 0 {
            self.marks.history.settle_upto(run.last());
        }
    }

    pub(crate) const fn snapshot_deadline(&self) -> Option<Instant> {
        self.snapshots.retry_at
    }

    pub(crate) fn on_snapshot_tick(&mut self) {
        if self.snapshots.retry_at.is_some_and(|at| self.now >= at) {
            self.stir();
            self.snapshots.retry_at = None;
        }
    }

    /// Leadership of this reign is over: what is under way to peers counts no longer.
    pub(crate) fn snapshot_reign_ends(&mut self) {
        for peer in &mut self.peers {
            peer.progress.sending = None;
        }
    }

    /// What is always true of snapshots inside one node.
    pub(crate) fn check_snapshots(&self) -> Result<(), &'static str> {
        let (sut, base) = (&self.snapshots, self.log.base().index);
        let newest = sut.newest_index();
        let covered = newest.max(sut.incoming().unwrap_or_default());
        let holds = [
            (base <= covered, "what was dropped is covered by a snapshot"),
            (newest <= self.commit, "a snapshot holds only what is committed"),
            (newest <= self.lane.durable(), "a durable snapshot counts as durable"),
            (base <= self.applied.max(covered), "what was dropped was applied or is covered"),
            (
                sut.publishing.len() as u64 <= u64::from(self.options.persist_inflight_max),
                "a published snapshot waits for an open write",
            ),
            (
                sut.installing.is_none_or(|at| at <= self.handed && at > self.applied),
                "an install that is over is forgotten",
            ),
            (
                sut.taking.as_ref().is_none_or(|taking| taking.index() <= self.handed),
                "a snapshot is taken of what was handed out",
            ),
        ];
        holds.iter().find(|(held, _)| !held).map_or(Ok(()), |(_, what)| Err(what))
    }
}
