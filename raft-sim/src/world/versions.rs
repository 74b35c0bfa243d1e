//! Protocol levels of nodes: stopping one and starting it with another release.
//!
//! **Intuition.** To the world a release is a number that a process is started with. Going back is
//! only sensible while no log holds an entry of a kind that the older release does not know; who
//! goes back all the same must find the node out of service, for that reason, and not with the
//! entry passed over. Where the newer release is started again, an operator puts the node back.
//! **Source.** docs/WIRE.md, "Versions"; S-08.
//! **Upholds.** `inv:lane-order` (nothing that a level does not know is handed out at it).
//! **Not here.** The bytes (`process/letter.rs`), drawing (`fault/upgrade.rs`).

use raft_core::{DisableReason, EntryKind, NodeId, Options};

use super::{Event, World, phases::Stage, queue::Class};
use crate::{
    fault::schedule::Operation,
    oracle::{Observation, sometimes::Mark},
    process::{Entry, Input, Ns, Process, Wording},
};

/// What the world remembers about who speaks which version.
#[derive(Debug, Default)]
pub(super) struct Versions {
    /// Messages travel as bytes.
    pub(super) mixed: bool,
    /// The last version spoken, by sender and receiver.
    spoken: Vec<Option<u8>>,
}

impl Versions {
    pub(super) fn new(mixed: bool, nodes: usize) -> Self {
        Self { mixed, spoken: if mixed { vec![None; nodes * nodes] } else { Vec::new() } }
    }
}

impl<P: Process> World<'_, P> {
    /// The level that node `n` is started with; `None` where there is only one.
    pub(super) fn level(&self, n: usize) -> Option<u8> {
        self.versions.mixed.then(|| self.hosts[n].level)
    }

    /// All nodes that may still take part are of the newest level.
    pub(super) fn all_newest(&self) -> bool {
        let mut taking_part = self.hosts.iter().filter(|host| !host.outside);
        taking_part.all(|host| host.level == Options::LEVEL_MAX)
    }

    /// Some log holds an entry that `level` does not know.
    fn needs_more_than(&self, level: u8) -> bool {
        let unknown = |entry: &Entry| !EntryKind(entry.kind).is_known(level);
        self.hosts.iter().any(|host| {
            let open = host.disk.open.iter().flat_map(|write| &write.entries);
            host.disk.image.entries.iter().chain(open).any(unknown)
        })
    }

    /// Stops a node and starts it with another level. Whether it did.
    pub(super) fn relevel(&mut self, n: usize, level: u8, down_ns: Ns, hostile: bool) -> bool {
        let host = &self.hosts[n];
        let before = host.level;
        if !self.versions.mixed || before == level {
            return false;
        }
        if level < before && !hostile && self.needs_more_than(level) {
            // What the manual forbids.
            return false;
        }
        let node = host.id;
        self.hosts[n].level = level;
        self.watch.note(|| format!("{node} goes from level {before} to {level}"));
        let mark = if level > before { Mark::NodeUpgraded } else { Mark::NodeDowngraded };
        self.watch.see(Observation::Met { mark });
        if self.hosts[n].process.is_some() {
            self.crash(n, false);
            self.boot_later(n, down_ns, 0);
        }
        true
    }

    /// Healing: the last nodes are upgraded if the plan or a log asks for it.
    pub(super) fn finish_upgrades(&mut self) {
        let wanted = self.schedule.plan.versions.finish
            || self.poison.is_open()
            || self.needs_more_than(Options::LEVEL_MAX - 1);
        if !self.versions.mixed || !wanted {
            return;
        }
        for n in 0..self.hosts.len() {
            if !self.hosts[n].outside {
                self.relevel(n, Options::LEVEL_MAX, 0, false);
            }
        }
    }

    /// A node has started: if it had gone out of service for an entry that it knows by now, an
    /// operator puts it back.
    pub(super) fn put_back(&mut self, n: usize) {
        let host = &self.hosts[n];
        let Some(DisableReason::UnsupportedEntry { kind, .. }) = host.disk.image.hard.disabled
        else {
            return;
        };
        if EntryKind(kind).is_known(host.level) {
            self.step(n, Input::Operate(Operation::Disable { off: false }), None);
        }
    }

    /// A message of node `n` to node `t` has been put into words. Whether there were any.
    pub(super) fn is_said(&mut self, n: usize, t: usize, wording: Wording) -> bool {
        let Wording { version, sayable } = wording;
        if !sayable {
            self.watch.see(Observation::Met { mark: Mark::MessageNotInVersion });
            return false;
        }
        if version < self.hosts[n].level && self.hosts[t].level < self.hosts[n].level {
            self.watch.see(Observation::Met { mark: Mark::VersionsMixed });
        }
        let at = n * self.hosts.len() + t;
        let before = self.versions.spoken[at].replace(version);
        let risen = before.is_some_and(|before| before < version);
        if risen && version == Options::LEVEL_MAX && self.all_newest() {
            self.watch.see(Observation::Met { mark: Mark::LevelRaised });
        }
        true
    }

    /// An entry is handed out at node `n`, whose level must know it.
    pub(super) fn check_known(&mut self, n: usize, entry: &Entry) {
        let Some(level) = self.level(n) else { return };
        if !EntryKind(entry.kind).is_known(level) {
            let (node, index, kind) = (self.hosts[n].id, entry.position.index, entry.kind);
            let how = format!("entry {index} of kind {kind} is applied at level {level}");
            self.watch.see(Observation::ContractBroken { node, how: &how });
        }
    }

    /// Starts the process of node `n` a little later.
    pub(super) fn boot_soon(&mut self, n: usize) {
        let at = self.watch.now.saturating_add(self.schedule.plan.knobs.election_ns / 10);
        let event = Event::Boot { node: n as u8, again_after: 0, down: 0 };
        self.push(at, Class::World, n as u64, 0, event);
    }

    /// Who is asked when an operator wants something of the leader.
    pub(super) fn asked(&self, node: u64) -> Option<usize> {
        let n = match node {
            0 => self.watch.oracles.leader_now().and_then(|node: NodeId| self.place(node))?.into(),
            node => self.node_at(node)?,
        };
        self.hosts[n].process.is_some().then_some(n)
    }

    /// Whether faults are still made.
    pub(super) fn in_chaos(&self) -> bool {
        self.stage == Stage::Chaos
    }
}
