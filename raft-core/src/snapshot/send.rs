//! Sending a snapshot to a peer that needs what the log no longer holds.
//!
//! **Intuition.** When even the position before a peer's next entry is gone, entries cannot help.
//! The driver is asked to carry the newest snapshot over, for as long as it takes; heartbeats at
//! the snapshot's own position go on meanwhile, and the first one that matches ends the state,
//! whatever became of the report. Who cannot take one now is left alone for a while.
//! **Source.** Thesis §5.1 (when), SEEDS S-94 (limits and back-off); B-030 (the border), B-057 (a
//! log that is compacted to its end).
//! **Upholds.** `inv:bounded`, `inv:monotone`.
//! **Not here.** Receiving (`receive.rs`), chunks (`chunk/`).

use alloc::boxed::Box;

use super::{SnapshotId, meta::SnapshotMeta};
use crate::{
    Node,
    error::Rejected,
    input::Changed,
    log::{Entry, EntryKind},
    message::{AppendEntries, InstallMeta, Message},
    output::{Output, SendSnapshot},
    peer::Peer,
    replication::progress::ProgressState,
    role::RoleState,
    storage::recover::NUMBER_MAX,
    types::{Incarnation, Instant, LogIndex, LogPosition, NodeId},
};

/// Why a snapshot did not reach a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum SendFailure {
    /// The receiver has too much to do; try again later.
    Overloaded,
    /// The transport failed.
    Failed,
}

/// The snapshot on its way to a peer.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Sending {
    pub(crate) number: u64,
    meta: SnapshotMeta,
    /// When the driver is asked once more, under the same number: outputs may be lost.
    again_at: Instant,
}

impl Sending {
    pub(crate) const fn index(&self) -> LogIndex {
        self.meta.index()
    }
}

/// How a peer can be given the newest snapshot.
enum Means {
    /// As a message: there is no data to it, or none for this peer.
    Message(Box<SnapshotMeta>),
    /// Through the driver.
    Driver(Box<SnapshotMeta>),
    /// Not yet: one is to be taken.
    None,
    /// Not yet: one taken now would not help it either.
    Wait,
}

/// Most doublings of the pause between two tries.
const BACK_OFF_MAX: u32 = 5;

impl Node {
    /// A peer's disk is empty, or is not to be believed as it stands: only a snapshot helps it, one
    /// above `above`.
    pub(crate) fn on_need_snapshot(&mut self, peer: NodeId, above: LogIndex) {
        let (now, retry_ns) = (self.now, self.options.snapshot_retry_ns);
        let (last, commit) = (self.log.last_index(), self.commit);
        let transfers =
            matches!(&self.role, RoleState::Leader(leader) if leader.transfer.is_some());
        let Some(peer) = self.peer_mut(peer) else { return };
        // A disk that acknowledged something in this life is not empty: the answer is an old one.
        // One that was made a data member since may stand on stubs, whatever it acknowledged then.
        if peer.counted_match() > LogIndex::ZERO && above < peer.progress.matched {
            return;
        }
        if above > LogIndex::ZERO {
            // What it acknowledged so far stands on stubs, whoever led when it was seated.
            peer.counts_from = peer.counts_from.max(above.next());
        }
        if peer.progress.supply.above != above {
            peer.progress.supply.above = above;
        }
        let began = peer.progress.state != ProgressState::Snapshot;
        if began {
            peer.progress.become_snapshot();
        }
        // An idle group has nothing newer to take a snapshot of. No more of it than of snapshots.
        let idle = last <= above && commit == last && now >= peer.progress.supply.after;
        let grows = idle && !transfers && last.0 < NUMBER_MAX;
        if grows {
            peer.progress.back_off(now, retry_ns);
        }
        self.stir();
        if began {
            self.changed(Changed::PROGRESS);
        }
        if grows {
            self.append_for_core(Entry { kind: EntryKind::NOOP, ..Entry::default() });
        }
    }

    /// Moves peers that need what is compacted into the snapshot state, and keeps those that are
    /// in it supplied. Called with the term durable.
    pub(crate) fn send_snapshots(&mut self) {
        let RoleState::Leader(leader) = &self.role else { return };
        let waits = |peer: &Peer| peer.progress.state == ProgressState::Snapshot;
        if !self.peers.iter().any(waits) {
            return;
        }
        let round = leader.round;
        let under_way = |peer: &&Peer| peer.seat.is_member() && peer.progress.sending.is_some();
        let mut room = u64::from(self.options.snapshot_sends_max)
            .saturating_sub(self.peers.iter().filter(under_way).count() as u64);
        self.with_peers(|node, peer| {
            if waits(peer) && peer.seat.is_member() {
                node.send_snapshot_to(peer, round, &mut room);
            }
        });
    }

    fn send_snapshot_to(&mut self, peer: &mut Peer, round: u64, room: &mut u64) {
        let again_at = self.now.plus(self.options.snapshot_retry_ns);
        if let Some(sending) = &mut peer.progress.sending {
            if self.now >= sending.again_at {
                sending.again_at = again_at;
                let (number, meta) = (sending.number, sending.meta.clone());
                self.ask_to_send(peer, number, meta);
            }
        } else if self.now >= peer.progress.supply.after {
            match self.means_for(peer) {
                Means::Message(meta) => self.send_meta(peer, meta, round),
                Means::Driver(meta) if *room > 0 => {
                    *room = room.saturating_sub(1);
                    let number = self.snapshots.mint();
                    peer.progress.sending =
                        Some(Box::new(Sending { number, meta: (*meta).clone(), again_at }));
                    self.ask_to_send(peer, number, *meta);
                }
                Means::Driver(_) | Means::Wait => {}
                // Taken later in this settle, or as soon as anything was applied.
                Means::None => self.snapshots.wanted |= self.snapshots.taking.is_none(),
            }
        }
        if peer.progress.sent_round < round {
            self.send_snapshot_heartbeat(peer, round);
        }
    }

    fn ask_to_send(&mut self, peer: &Peer, number: u64, meta: SnapshotMeta) {
        self.outbox.push_back(Output::SendSnapshot(Box::new(SendSnapshot {
            id: SnapshotId { tag: self.lane.tag(), number },
            to: peer.id,
            to_incarnation: peer.incarnation,
            term: self.hard.term,
            meta,
        })));
    }

    /// Repeated with each heartbeat, like a probe.
    fn send_meta(&mut self, peer: &mut Peer, meta: Box<SnapshotMeta>, round: u64) {
        if core::mem::replace(&mut peer.progress.probing, true) {
            return;
        }
        peer.progress.sent_round = round;
        self.send(peer, Message::InstallMeta(InstallMeta { meta, round }));
    }

    /// An empty append at the newest position that the peer may have got to.
    fn send_snapshot_heartbeat(&mut self, peer: &mut Peer, round: u64) {
        let base = self.log.base();
        let sending = peer.progress.sending.as_ref().map(|sending| sending.meta.position);
        let newest = self.snapshots.newest.as_ref().map(|meta| meta.position);
        let known = |position: &LogPosition| self.log.matches(*position);
        let previous = sending.or(newest).filter(known).unwrap_or(base);
        peer.progress.sent_round = round;
        peer.progress.told_commit = self.commit;
        let void_transfer = self.void_transfers();
        let append = AppendEntries {
            previous,
            commit: self.commit,
            round,
            void_transfer,
            ..AppendEntries::default()
        };
        self.send(peer, Message::AppendEntries(append));
    }

    fn means_for(&self, peer: &Peer) -> Means {
        let Some(newest) = &self.snapshots.newest else {
            let genesis = self.genesis().filter(|meta| self.serves(peer, meta));
            return genesis
                .map_or_else(|| self.means_to_come(peer), |meta| Means::Message(Box::new(meta)));
        };
        if !self.serves(peer, newest) {
            return self.means_to_come(peer);
        }
        if peer.seat.is_witness() || newest.size_bytes == 0 {
            return Means::Message(Box::new((**newest).clone().without_data()));
        }
        Means::Driver(newest.clone())
    }

    /// Whether a snapshot taken now would help.
    fn means_to_come(&self, peer: &Peer) -> Means {
        let helps = self.describe_handed_out().is_some_and(|meta| self.serves(peer, &meta));
        if helps { Means::None } else { Means::Wait }
    }

    /// Whether a snapshot is of use to a peer: it is above what the peer stands on, and does not
    /// take from it the vote that a later configuration gives to this life of its disk.
    fn serves(&self, peer: &Peer, meta: &SnapshotMeta) -> bool {
        let above = peer.progress.supply.above;
        let stated = self.configuration.incarnation(peer.id);
        let disowned = stated != Incarnation(0)
            && meta.configuration.is_voter(peer.id)
            && meta.configuration.incarnation(peer.id) != stated;
        (meta.index() > above || above == LogIndex::ZERO) && !disowned
    }

    /// What the whole log stands on, if that is only the configuration its disk was born with.
    fn genesis(&self) -> Option<SnapshotMeta> {
        let (index, configuration) = self.marks.history.at(LogIndex::ZERO);
        let born = self.log.base() == LogPosition::ZERO
            && index == LogIndex::ZERO
            && self.settings.version == 0
            && !configuration.is_blank();
        let machine_id = self.options.machine_id;
        born.then(|| {
            SnapshotMeta::empty(
                LogPosition::ZERO,
                configuration.clone(),
                self.settings_handed_out(),
                machine_id,
            )
        })
    }

    /// The transport has delivered it. Whether it was of use a probe finds out; if it was not, the
    /// next one waits.
    pub(crate) fn on_snapshot_sent(&mut self, id: SnapshotId) -> Result<(), Rejected> {
        let (retry_ns, now) = (self.options.snapshot_retry_ns, self.now);
        let peer = self.peer_being_sent(id)?;
        let progress = &mut peer.progress;
        let index = progress.sending.take().map_or(LogIndex::ZERO, |sending| sending.index());
        progress.back_off(now, retry_ns);
        if progress.state == ProgressState::Snapshot {
            progress.become_probe(index.next());
        }
        self.changed(Changed::PROGRESS);
        Ok(())
    }

    /// It could not. The peer is left alone for a while, longer each time.
    pub(crate) fn on_snapshot_send_failed(
        &mut self,
        id: SnapshotId,
        _failure: SendFailure,
    ) -> Result<(), Rejected> {
        let (retry_ns, now) = (self.options.snapshot_retry_ns, self.now);
        let peer = self.peer_being_sent(id)?;
        peer.progress.sending = None;
        peer.progress.back_off(now, retry_ns);
        Ok(())
    }

    fn peer_being_sent(&mut self, id: SnapshotId) -> Result<&mut Peer, Rejected> {
        if id.tag != self.lane.tag() || !matches!(self.role, RoleState::Leader(_)) {
            return Err(Rejected::StaleSnapshot);
        }
        let sent = |peer: &Peer| {
            peer.progress.sending.as_ref().is_some_and(|sending| sending.number == id.number)
        };
        self.peers.iter_mut().find(|peer| sent(peer)).ok_or(Rejected::StaleSnapshot)
    }
}

/// The pause after the `failures`-th try in a row that did not help.
pub(crate) fn pause_ns(retry_ns: u64, failures: u32) -> u64 {
    retry_ns.saturating_mul(1 << failures.min(BACK_OFF_MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_failure_doubles_the_pause_up_to_a_bound() {
        let pauses: [u64; 8] = core::array::from_fn(|n| pause_ns(3, n as u32));
        assert_eq!(pauses, [3, 6, 12, 24, 48, 96, 96, 96]);
        assert_eq!(pause_ns(u64::MAX, 4), u64::MAX);
    }
}
