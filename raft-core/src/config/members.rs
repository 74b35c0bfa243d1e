//! Members: what follows from the configuration in force, and from the log's other marks.
//!
//! **Intuition.** Entries the core itself acts on are noticed where they are appended, forgotten
//! where they are cut off, and settled where they are committed. The peers this node speaks to are
//! always those of the configuration in force, plus a few strangers that spoke first and, at a
//! leader, those that are on their way out.
//! **Source.** Thesis §4.1; B-061 to B-063, B-067 (a match forgotten), D-R12, D-W11.
//! **Upholds.** `inv:configuration-safety`, `inv:bounded`.
//! **Not here.** Legal changes (`change.rs`).

use alloc::vec::Vec;

use super::{Configuration, history::History, quorum::Seat};
use crate::{
    Node,
    error::HaltReason,
    input::Changed,
    lazy::Lazy,
    log::{Entry, EntryKind, Run},
    options::Options,
    output::{ConfigChanged, Output},
    peer::Peer,
    replication::{progress::Progress, silence::Quiet},
    role::RoleState,
    settings::Settings,
    types::{Incarnation, LogIndex, LogPosition, NodeId, Role},
};

/// Senders that are no members and are remembered nevertheless.
const STRANGERS_MAX: usize = 8;

/// Configurations and settings held above what is settled. A leader has one change open at a time,
/// so a log that is up to date holds hardly any; a follower that is brought up accepts no more than
/// this and goes on when the commit index has followed.
const MARKS_MAX: usize = 1_024;

/// The log's marks above what is settled.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Marks {
    pub(crate) history: History,
    /// Settings entries not yet committed.
    pub(crate) settings: Lazy<Vec<(LogIndex, Settings)>>,
    /// Which configuration was last announced, and whether as committed.
    announced: (LogIndex, bool),
}

impl Marks {
    pub(crate) fn new(index: LogIndex, configuration: Configuration) -> Self {
        Self {
            history: History::new(index, configuration),
            settings: Lazy::default(),
            announced: (index, true),
        }
    }

    /// How many more entries the core itself acts on may be appended before some are settled.
    pub(crate) fn room(&self) -> usize {
        let held = self.history.len().saturating_add(self.settings.len());
        MARKS_MAX.saturating_sub(held)
    }

    /// Whether all of them are settled by `commit`, and the driver was told so.
    pub(crate) fn is_settled(&self, commit: LogIndex) -> bool {
        let (index, _) = self.history.newest();
        let settled = self.history.len() == 0 && self.settings.is_empty();
        settled && index <= commit && self.announced == (index, true)
    }

    /// Whatever was announced, the driver hears which configuration is in force.
    pub(crate) const fn announce_again(&mut self) {
        self.announced = (LogIndex(u64::MAX), false);
    }
}

impl Node {
    /// What boot found: settles what the machine already holds. It needs no telling.
    pub(crate) fn marks_recovered(&mut self) {
        let base = self.configuration.clone();
        self.judge_standing(&base, None);
        self.settings_recovered();
        self.marks.history.settle_upto(self.applied);
        self.update_diets();
        let (index, _) = self.marks.history.newest();
        self.marks.announced = (index, index <= self.commit);
    }

    /// How many entries of `run` may be appended without holding too many marks.
    pub(crate) fn marks_fit(&self, run: &Run) -> u64 {
        let mut room = self.marks.room();
        if run.len() <= room as u64 {
            return run.len();
        }
        let fits = run.as_slice().iter().take_while(|entry| {
            let mark = entry.kind.is_mark();
            let fits = !mark || room > 0;
            room = room.saturating_sub(usize::from(mark));
            fits
        });
        fits.count() as u64
    }

    /// Takes note of what the core itself acts on among entries just appended.
    pub(crate) fn marks_appended(&mut self, run: &Run) {
        for entry in run.iter().filter(|e| e.entry.kind != EntryKind::COMMAND) {
            self.mark_appended(entry.position, entry.entry);
        }
    }

    /// Takes note of one entry just appended.
    pub(crate) fn mark_appended(&mut self, position: LogPosition, entry: &Entry) {
        self.stir();
        let index = position.index;
        match entry.kind {
            EntryKind::CONFIGURATION => match Configuration::decode(entry.payload.clone()) {
                Ok(configuration) if !configuration.is_blank() => {
                    self.marks.history.push(index, configuration);
                    self.configuration_in_force(Some(index));
                }
                Ok(_) | Err(_) => self.halt(HaltReason::UnreadableEntry { index }),
            },
            EntryKind::SETTINGS => match Settings::decode(entry.payload.clone()) {
                Ok(settings) => self.marks.settings.push((index, settings)),
                Err(_) => self.halt(HaltReason::UnreadableEntry { index }),
            },
            EntryKind::SKIP => self.skip_appended(index, &entry.payload),
            stub if stub.is_stub() => self.stub_appended(index),
            _ => {}
        }
    }

    /// The log was cut at `from`.
    pub(crate) fn marks_truncated(&mut self, from: LogIndex) {
        if let Some(settings) = self.marks.settings.made() {
            settings.retain(|(index, _)| *index < from);
        }
        self.skips_truncated(from);
        self.changes.stubs = self.changes.stubs.min(from.prev());
        if self.marks.history.truncate_from(from) {
            self.configuration_in_force(None);
        }
    }

    /// Commit rose from `before`.
    pub(crate) fn marks_committed(&mut self, before: LogIndex) {
        self.settle_settings();
        let (index, _) = self.marks.history.at(self.commit);
        if index > before {
            self.changed(Changed::CONFIGURATION);
            self.on_configuration_committed(index);
        }
        self.changes_committed();
        self.witness_follows();
        self.marks_applied();
    }

    /// The machine got further: a snapshot will never be asked for below it.
    pub(crate) fn marks_applied(&mut self) {
        if self.marks.history.len() > 0 {
            self.marks.history.settle_upto(self.applied.min(self.commit));
        }
    }

    /// Settings take effect where they are committed.
    fn settle_settings(&mut self) {
        while let Some((index, settings)) = self.marks.settings.first().copied() {
            if index > self.commit {
                break;
            }
            self.marks.settings.remove(0);
            let before = core::mem::replace(&mut self.settings, settings);
            Options::adopt_in(&mut self.options, &settings);
            self.snapshots.settings_committed(before, index, settings);
            if let RoleState::Leader(leader) = &mut self.role {
                // Those who wait for shorter timeouts from now on need to hear from us in time.
                leader.heartbeat_at = leader.heartbeat_at.min(self.now.plus(settings.heartbeat_ns));
            }
        }
    }

    /// Settings whose effects the machine held at boot are in force from the start.
    fn settings_recovered(&mut self) {
        let known = self.marks.settings.iter().take_while(|(at, _)| *at <= self.commit).count();
        let Some(held) = self.marks.settings.made() else { return };
        if let Some((_, settings)) = held.drain(..known).next_back() {
            self.settings = settings;
            Options::adopt_in(&mut self.options, &settings);
        }
    }

    /// The newest configuration of the log is another one, because an entry was appended or because
    /// newer ones were cut off or replaced by a snapshot's: seats and peers follow it, and what
    /// counts them counts anew.
    pub(crate) fn configuration_in_force(&mut self, appended: Option<LogIndex>) {
        let newest = self.marks.history.newest().1.clone();
        let before = core::mem::replace(&mut self.configuration, newest);
        self.sync_peers();
        self.changed(Changed::CONFIGURATION);
        self.on_configuration_in_force(&before, appended);
    }

    /// Brings seats and peers in line with the configuration in force.
    pub(crate) fn sync_peers(&mut self) {
        let own = self.hard.node;
        self.own_seat = self.configuration.seat(own);
        let configuration = self.configuration.clone();
        let (index, _) = self.marks.history.newest();
        let leads = self.role() == Role::Leader;
        let departure = leads.then(|| self.departure(index));
        let start = || {
            let last = self.log.last_index();
            if leads { Progress::start(last) } else { Progress::default() }
        };
        let data = |seat: Seat| seat.is_member() && !seat.is_witness();
        for peer in &mut self.peers {
            let was = core::mem::replace(&mut peer.seat, configuration.seat(peer.id));
            let now = peer.seat;
            let pinned = configuration.incarnation(peer.id);
            let other_life = pinned != Incarnation(0)
                && peer.incarnation != Incarnation(0)
                && pinned != peer.incarnation;
            if now.is_member() && (!was.is_member() || other_life) {
                peer.begin_anew(pinned, start());
            } else if now.is_member() && pinned != Incarnation(0) {
                peer.incarnation = pinned;
            }
            if was.is_member() && !now.is_member() {
                peer.departing.set(departure);
            }
            if leads && data(now) && (other_life || !data(was)) {
                peer.counts_from = index;
            }
        }
        let unmet = |node: &NodeId| *node != own && self.peer(*node).is_none();
        let unmet: Vec<NodeId> = configuration.members().into_iter().filter(unmet).collect();
        // A host has many groups and each few peers: no room for more of them than there are.
        self.peers.reserve_exact(unmet.len());
        for node in unmet {
            let mut peer = Peer::new(node, configuration.seat(node));
            peer.incarnation = configuration.incarnation(node);
            if leads {
                peer.progress = Progress::start(self.log.last_index());
                peer.counts_from = if data(peer.seat) { index } else { LogIndex::ZERO };
                peer.quiet = Quiet::start(self.now);
            }
            let at = self.peers.partition_point(|other| other.id < node);
            self.peers.insert(at, peer);
        }
        while self.forget_stranger(STRANGERS_MAX) {}
    }

    /// The life of a peer's disk, as it shows it or the configuration states it; 0 if neither.
    pub(crate) fn heard_life(&self, node: NodeId) -> Incarnation {
        self.peer(node).map_or(Incarnation(0), |peer| peer.incarnation)
    }

    /// Forgets the lowest stranger if there are more than `max`; never the leader, who may be
    /// leading while it leaves. Returns whether one was forgotten.
    fn forget_stranger(&mut self, max: usize) -> bool {
        let leader = self.leader;
        let stranger = |peer: &&Peer| !peer.is_fed() && Some(peer.id) != leader;
        if self.peers.iter().filter(stranger).count() <= max {
            return false;
        }
        let lowest = self.peers.iter().position(|peer| stranger(&peer));
        lowest.map(|at| self.peers.remove(at)).is_some()
    }

    /// Makes room for a sender that is no member here, so that it can be answered. Of more
    /// strangers than there is room for, the lowest goes.
    pub(crate) fn admit_stranger(&mut self, from: NodeId) {
        if self.peer(from).is_some() {
            return;
        }
        self.forget_stranger(STRANGERS_MAX.saturating_sub(1));
        let at = self.peers.partition_point(|other| other.id < from);
        self.peers.insert(at, Peer::new(from, Seat::default()));
    }

    /// Tells the driver which configuration is in force.
    pub(crate) fn announce_configuration(&mut self) {
        let (index, configuration) = self.marks.history.newest();
        let now = (index, index <= self.commit);
        if now == self.marks.announced {
            return;
        }
        let changed =
            ConfigChanged { configuration: configuration.clone(), index, committed: now.1 };
        self.marks.announced = now;
        self.outbox.push_back(Output::ConfigChanged(alloc::boxed::Box::new(changed)));
    }
}
