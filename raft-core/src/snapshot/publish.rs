//! Publishing a snapshot: one write makes it, and the log that goes with it, the truth on disk.
//!
//! **Intuition.** In memory the change is made at once, like that of an append: the log stands on
//! the snapshot, the commit index, configuration, settings and clock are its. On disk one write
//! does the same. Until that write is part of the complete prefix nothing new is acknowledged or
//! applied; then the machine is replaced, in its own lane. Entries after the snapshot stay exactly
//! if the log holds the snapshot's last position: then the logs are equal up to it.
//! **Source.** Thesis §5.1 step 6–8 of InstallSnapshot; one write instead of several: B-048 to
//! B-050, B-055, B-058; D-R2, D-R4.
//! **Upholds.** `inv:snapshot-agrees`, `inv:monotone`, `inv:configuration-safety`,
//! `inv:persist-before-send`.
//! **Not here.** Whether a received snapshot is wanted (`receive.rs`).

use alloc::boxed::Box;

use super::meta::SnapshotMeta;
use crate::{
    Node,
    error::UnknownReason,
    input::Changed,
    options::Options,
    output::{Outcome, Output, PublishSnapshot},
    types::{LogIndex, LogPosition, StageId},
};

impl Node {
    /// Stands on the snapshot `meta` from now on, and publishes it with the next write. The caller
    /// has judged it: it is above the commit index, or this node knows no configuration yet.
    pub(crate) fn publish_snapshot(&mut self, stage: Option<StageId>, meta: SnapshotMeta) {
        let position = meta.position;
        let blank = self.configuration.is_blank();
        assert!(
            position.index > self.commit || blank,
            "a snapshot never takes back (inv:monotone)"
        );
        assert!(self.snapshots.pending.is_none(), "one write publishes one snapshot");
        let keep_log = self.log.matches(position);
        if keep_log {
            self.lane.on_publish(position.index);
        } else {
            self.reset_log(position, meta.stamp);
            self.last_label = Some(meta.label);
        }
        // What was asked for is covered by the snapshot, or will be asked for again.
        self.apply_fetch.clear();
        self.apply_fetched = None;
        if meta.lacks_data() {
            self.stub_appended(position.index);
        }
        self.snapshots.founding |= blank;
        self.adopt_meta(&meta, keep_log);
        let ended = &mut self.ended;
        self.tickets.covered(position.index, |range| {
            ended.push((range, Outcome::Unknown(UnknownReason::CoveredBySnapshot)));
        });
        if position.index > self.commit {
            self.set_commit(position.index);
        }
        let publish = PublishSnapshot { stage, meta, keep_log };
        self.snapshots.pending = Some(Box::new(publish));
    }

    fn reset_log(&mut self, position: LogPosition, stamp: u64) {
        let first_gone = self.commit.next();
        // Whatever lacked its data is gone with it.
        self.changes.stubs = LogIndex::ZERO;
        self.lane.on_reset(self.commit, position.index);
        self.log.reset_to(position);
        self.last_stamp = stamp;
        for peer in &mut self.peers {
            peer.progress.fetch.clear();
            peer.progress.fetched = None;
        }
        self.log_changed(first_gone);
        self.changed(Changed::DURABLE);
    }

    /// Configuration and settings are the snapshot's, and those of entries that stay above it.
    fn adopt_meta(&mut self, meta: &SnapshotMeta, keep_log: bool) {
        let upto = if keep_log { meta.index() } else { LogIndex(u64::MAX) };
        if let Some(settings) = self.marks.settings.made() {
            settings.retain(|(index, _)| *index > upto);
        }
        if !keep_log {
            self.skips_truncated(LogIndex::ZERO);
        }
        self.marks.history.rebase(meta.configuration_index, meta.configuration.clone(), upto);
        self.marks.announce_again();
        let before = core::mem::replace(&mut self.settings, meta.settings);
        self.snapshots.settings_adopted(before);
        Options::adopt_in(&mut self.options, &meta.settings);
        self.configuration_in_force(None);
    }

    /// The part of the next write that publishes, if there is one.
    pub(crate) fn take_pending_publication(&mut self) -> Option<PublishSnapshot> {
        let publish = self.snapshots.pending.take()?;
        self.snapshots.publishing.push_back(Box::new(publish.meta.clone()));
        Some(*publish)
    }

    /// Gives to the machine what is durable now. Of several only the newest.
    pub(super) fn install_published(&mut self) {
        let Some(durable) = self.lane.published() else { return };
        let mut newest = None;
        while self.snapshots.publishing.front().is_some_and(|meta| meta.index() <= durable) {
            newest = self.snapshots.publishing.pop_front();
        }
        let Some(meta) = newest else { return };
        self.snapshots.founding = false;
        let index = meta.index();
        if index > self.handed {
            let out = &mut self.snapshots.handed_out;
            out.known_at = index;
            out.stamp = meta.stamp;
            out.label = meta.label;
            out.jump(index, meta.settings);
            self.handed = index;
            self.skips_covered(index);
            self.applying.push_back((index, 0));
            self.snapshots.installing = Some(index);
            self.outbox.push_back(Output::InstallSnapshot(meta.clone()));
        }
        self.snapshots.bytes_at_newest = self.snapshots.handed_out.bytes;
        assert!(index >= self.snapshots.newest_index(), "a published snapshot is never older");
        self.snapshots.newest = Some(meta);
    }

    /// Whether nothing may be handed out for apply: a snapshot is on its way that covers it.
    pub(crate) fn apply_is_held(&self) -> bool {
        self.snapshots.incoming().is_some_and(|at| at > self.handed)
    }

    /// Whether `Applied(upto)` tells of something older than the install under way.
    pub(crate) fn is_before_install(&mut self, upto: LogIndex) -> bool {
        match self.snapshots.installing {
            Some(at) if upto < at => true,
            Some(_) => {
                self.snapshots.installing = None;
                false
            }
            None => false,
        }
    }
}
