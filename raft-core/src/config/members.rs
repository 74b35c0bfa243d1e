//! Members: what follows from the configuration in force, and from the log's other marks.
//!
//! **Intuition.** Entries the core itself acts on are noticed where they are appended, forgotten where they are cut off, and settled where they are committed. The peers this node speaks to are always those of the configuration in force, plus a few strangers that spoke first.
//! **Source.** Thesis §4.1.
//! **Upholds.** `inv:configuration-safety`, `inv:bounded`.
//! **Not here.** Legal changes (`change.rs`).

use alloc::vec::Vec;

use super::{Configuration, history::History, quorum::Seat};
use crate::{
    Node,
    error::HaltReason,
    input::Changed,
    log::{Entry, EntryKind, Run},
    output::{ConfigChanged, Output},
    peer::Peer,
    replication::progress::Progress,
    settings::Settings,
    types::{LogIndex, LogPosition, NodeId, Role},
};

/// Senders that are no members and are remembered nevertheless.
const STRANGERS_MAX: usize = 8;

/// The log's marks above what is settled.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Marks {
    pub(crate) history: History,
    /// Settings entries not yet committed.
    pub(crate) settings: Vec<(LogIndex, Settings)>,
    /// Which configuration was last announced, and whether as committed.
    announced: (LogIndex, bool),
}

impl Marks {
    pub(crate) fn new(index: LogIndex, configuration: Configuration) -> Self {
        Self {
            history: History::new(index, configuration),
            settings: Vec::new(),
            announced: (index, true),
        }
    }

    /// Whatever was announced, the driver hears which configuration is in force.
    pub(crate) const fn announce_again(&mut self) {
        self.announced = (LogIndex(u64::MAX), false);
    }

    /// What boot found needs no telling.
    pub(crate) fn announced_as_recovered(&mut self) {
        self.announced = (self.history.newest().0, self.announced.1 && self.history.len() == 0);
    }
}

impl Node {
    /// Takes note of what the core itself acts on among entries just appended.
    pub(crate) fn marks_appended(&mut self, run: &Run) {
        for entry in run.iter().filter(|e| e.entry.kind.base() != EntryKind::COMMAND) {
            self.mark_appended(entry.position, entry.entry);
        }
    }

    /// Takes note of one entry just appended.
    pub(crate) fn mark_appended(&mut self, position: LogPosition, entry: &Entry) {
        let index = position.index;
        match entry.kind {
            EntryKind::CONFIGURATION => match Configuration::decode(entry.payload.clone()) {
                Ok(configuration) => {
                    self.marks.history.push(index, configuration);
                    self.configuration_in_force();
                }
                Err(_) => self.halt(HaltReason::UnreadableEntry { index }),
            },
            EntryKind::SETTINGS => match Settings::decode(entry.payload.clone()) {
                Ok(settings) => self.marks.settings.push((index, settings)),
                Err(_) => self.halt(HaltReason::UnreadableEntry { index }),
            },
            EntryKind::SKIP => self.skip_appended(index, &entry.payload),
            _ => {}
        }
    }

    /// The log was cut at `from`.
    pub(crate) fn marks_truncated(&mut self, from: LogIndex) {
        self.marks.settings.retain(|(index, _)| *index < from);
        self.skips_truncated(from);
        if self.marks.history.truncate_from(from) {
            self.configuration_in_force();
        }
    }

    /// Commit rose from `before`.
    pub(crate) fn marks_committed(&mut self, before: LogIndex) {
        let commit = self.commit;
        while let Some((index, settings)) = self.marks.settings.first().copied() {
            if index > commit {
                break;
            }
            self.marks.settings.remove(0);
            self.settings = settings;
            self.options.adopt(&settings);
            self.snapshots.settings_committed(index, settings);
            self.on_mark_committed(index);
        }
        let (index, _) = self.marks.history.at(commit);
        if index > before {
            self.changed(Changed::CONFIGURATION);
            self.on_mark_committed(index);
        }
    }

    /// Settings whose effects the machine held at boot are in force from the start.
    pub(crate) fn settings_recovered(&mut self) {
        let known = self.marks.settings.iter().take_while(|(at, _)| *at <= self.commit).count();
        if let Some((_, settings)) = self.marks.settings.drain(..known).next_back() {
            self.settings = settings;
            self.options.adopt(&settings);
            self.snapshots.handed_out.settings = settings;
        }
    }

    /// The newest configuration of the log is another one: seats and peers follow it.
    pub(crate) fn configuration_in_force(&mut self) {
        let newest = self.marks.history.newest().1.clone();
        let before = core::mem::replace(&mut self.configuration, newest);
        self.sync_peers();
        self.changed(Changed::CONFIGURATION);
        self.on_configuration_in_force(&before);
    }

    /// Brings seats and peers in line with the configuration in force.
    pub(crate) fn sync_peers(&mut self) {
        let own = self.hard.node;
        self.own_seat = self.configuration.seat(own);
        let configuration = self.configuration.clone();
        for peer in &mut self.peers {
            peer.seat = configuration.seat(peer.id);
        }
        let leads = self.role() == Role::Leader;
        let last = self.log.last_index();
        for node in configuration.members() {
            if node == own || self.peer(node).is_some() {
                continue;
            }
            let mut peer = Peer::new(node, configuration.seat(node));
            peer.incarnation = configuration.incarnation(node);
            if leads {
                peer.progress = Progress::start(last);
            }
            let at = self.peers.partition_point(|other| other.id < node);
            self.peers.insert(at, peer);
        }
    }

    /// Makes room for a sender that is no member here, so that it can be answered. Of more
    /// strangers than there is room for, the lowest goes.
    pub(crate) fn admit_stranger(&mut self, from: NodeId) {
        if self.peer(from).is_some() {
            return;
        }
        let strangers = self.peers.iter().filter(|peer| !peer.seat.is_member()).count();
        if strangers >= STRANGERS_MAX
            && let Some(at) = self.peers.iter().position(|peer| !peer.seat.is_member())
        {
            self.peers.remove(at);
        }
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
