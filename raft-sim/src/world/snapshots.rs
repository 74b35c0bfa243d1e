//! Snapshots on their way: from the machine to disk, from a disk to a peer, into a machine.
//!
//! **Intuition.** A snapshot is captured in one moment of the apply lane and takes its time to
//! become durable; it travels like a large message, which may be lost, late or doubled; the
//! receiver stages it before its process hears of it. The bytes are the machine itself, so what
//! oracles compare is the real state.
//! **Source.** Thesis §5; docs/CONTRACT.md, "Snapshot out" and "Snapshot in".
//! **Upholds.** `inv:snapshot-agrees`, `inv:lane-order`.
//! **Not here.** When a process asks for one (the process), publishing (`disk/`).

use std::sync::Arc;

use raft_core::{LogIndex, NodeId, SnapshotMeta, Term};

use super::{Event, World, queue::Class};
use crate::{
    disk::latency,
    fault::{plan::Axis, schedule::MessageId},
    oracle::Observation,
    process::{EntryId, Input, MessageKind, MessageLabel, Ns, Process, Publish, Snapshot},
    workload::kv::Machine,
};

/// Domain of keyed choices: does taking a snapshot fail?
const CHOOSE_TAKE: u64 = 0x21;
/// Domain of keyed choices: is a receiver overloaded?
const CHOOSE_REFUSE: u64 = 0x22;

/// A snapshot under way to a peer.
#[derive(Clone, Debug)]
pub(crate) struct Shipment {
    /// Sender, by position, and its boot.
    pub(crate) from: u8,
    pub(crate) boot: u64,
    /// Receiver, by position.
    pub(crate) to: u8,
    /// The request.
    pub(crate) id: u64,
    /// The sender's term.
    pub(crate) term: Term,
    /// It is an extra copy.
    pub(crate) copy: bool,
    pub(crate) snapshot: Snapshot,
}

impl<P: Process> World<'_, P> {
    /// The machine of node `n` stands where a snapshot is wanted: capture it and write it in the
    /// background.
    pub(super) fn capture(&mut self, n: usize, id: u64, meta: &SnapshotMeta) {
        let host = &mut self.hosts[n];
        let (node, index) = (host.id, meta.index());
        if host.machine.applied() != index {
            let at = host.machine.applied();
            let how = format!("it wants a snapshot of {index} while its machine stands at {at}");
            self.watch.see(Observation::ContractBroken { node, how: &how });
            return;
        }
        let ids: Vec<EntryId> = host.disk.ids.iter().take(index.0 as usize).copied().collect();
        let machine = Arc::new(host.machine.clone());
        let digest = machine.digest();
        self.watch.see(Observation::SnapshotCaptured { node, meta, machine: digest });
        let mut meta = meta.clone();
        meta.digest = digest;
        meta.size_bytes = machine.size_bytes();
        let snapshot = Snapshot { meta, machine, ids: Arc::new(ids) };
        let host = &mut self.hosts[n];
        let op = host.disk.identify(node.0, host.boot, latency::SNAPSHOT, index.0, index.0);
        let boot = host.boot;
        let at = self.watch.now.saturating_add(self.disk_time(&op).saturating_mul(4));
        let event = Event::SnapshotDone { node: n as u8, boot, id, snapshot: Box::new(snapshot) };
        self.push(at, Class::Storage, n as u64, id, event);
    }

    /// The snapshot that node `n` wrote in the background is durable, or failed.
    pub(crate) fn on_snapshot_done(&mut self, n: usize, id: u64, snapshot: Snapshot) {
        let chance = self.schedule.plan.snapshots.fail_one_in;
        let host = &mut self.hosts[n];
        let key = host.id.0 << 32 ^ host.boot << 16 ^ id;
        if chance > 0 && self.fates.choose(CHOOSE_TAKE, key, u64::from(chance)) == 0 {
            self.axes[Axis::Snapshots as usize].injected += 1;
            self.step(n, Input::SnapshotFailed { id }, None);
            return;
        }
        let newest = host.disk.image.snapshot.as_ref().map_or(LogIndex::ZERO, Snapshot::index);
        let (digest, size_bytes) = (snapshot.meta.digest, snapshot.meta.size_bytes);
        if snapshot.index() > newest {
            host.disk.image.snapshot = Some(snapshot);
        }
        self.snapshots_taken += 1;
        self.step(n, Input::SnapshotTaken { id, digest, size_bytes }, None);
    }

    /// Node `n` wants its newest snapshot brought to `to`.
    pub(super) fn ship(&mut self, n: usize, id: u64, to: NodeId, term: Term, meta: &SnapshotMeta) {
        let host = &self.hosts[n];
        let (from, boot) = (host.id, host.boot);
        let Some(t) = self.place(to) else { return };
        let held = host.disk.image.snapshot.clone();
        let Some(snapshot) = held.filter(|held| held.meta.position == meta.position) else {
            // Another one was published since: that is a failure like any other.
            let at = self.watch.now.saturating_add(1);
            self.push(
                at,
                Class::Storage,
                n as u64,
                id,
                Event::ShipFailed { node: n as u8, boot, id },
            );
            return;
        };
        let kind = MessageKind::SNAPSHOT.0;
        let nth = self.net.nth[n].next([to.0 << 8 | u64::from(kind), term.0, meta.index().0]);
        let name = MessageId {
            from: from.0,
            to: to.0,
            kind,
            term: term.0,
            first: 0,
            last: meta.index().0,
            nth,
        };
        let fate = self.fates.message(&name, self.watch.now);
        self.count_axes(fate.axes);
        // A transfer is many messages long.
        let long = |delay: Ns| delay.saturating_mul(4).saturating_add(1);
        if fate.lost || self.net.links.is_cut(n, usize::from(t)) {
            let at = self.watch.now.saturating_add(self.schedule.plan.knobs.election_ns);
            self.push(
                at,
                Class::Storage,
                n as u64,
                id,
                Event::ShipFailed { node: n as u8, boot, id },
            );
            return;
        }
        let shipment = Shipment { from: n as u8, boot, to: t, id, term, copy: false, snapshot };
        let link = (n as u64) << 8 | u64::from(t);
        for copy in fate.copies_ns.iter().take(usize::from(fate.copies)) {
            let at = self.watch.now.saturating_add(long(*copy));
            let copy = Box::new(Shipment { copy: true, ..shipment.clone() });
            self.push(at, Class::Network, link, id, Event::SnapshotArrives(copy));
        }
        let at = self.watch.now.saturating_add(long(fate.delay_ns));
        self.push(at, Class::Network, link, id, Event::SnapshotArrives(Box::new(shipment)));
    }

    /// A snapshot arrives at a peer, which stages it.
    pub(crate) fn on_snapshot_arrives(&mut self, shipment: Box<Shipment>) -> bool {
        let n = usize::from(shipment.to);
        if let Some(at) = self.deferred(n) {
            let link = u64::from(shipment.from) << 8 | u64::from(shipment.to);
            let id = shipment.id;
            self.push(at, Class::Network, link, id, Event::SnapshotArrives(shipment));
            return false;
        }
        let Shipment { from, boot, id, term, copy, snapshot, .. } = *shipment;
        let (f, sender) = (usize::from(from), self.hosts[usize::from(from)].id);
        if self.hosts[n].process.is_none() || self.net.links.is_cut(f, n) {
            if !copy && self.is_boot(f, boot) {
                self.begin(17, "ship-failed", f);
                self.step(f, Input::SnapshotSendFailed { id, overloaded: false }, None);
                return true;
            }
            return false;
        }
        let refuse = self.schedule.plan.snapshots.refuse_one_in;
        let key = self.hosts[n].id.0 << 32 ^ snapshot.index().0 << 8 ^ id;
        if !copy && refuse > 0 && self.fates.choose(CHOOSE_REFUSE, key, u64::from(refuse)) == 0 {
            self.axes[Axis::Snapshots as usize].injected += 1;
            if self.is_boot(f, boot) {
                self.begin(17, "ship-failed", f);
                self.step(f, Input::SnapshotSendFailed { id, overloaded: true }, None);
                return true;
            }
            return false;
        }
        self.begin(16, "snapshot-arrives", n);
        self.watch.digest.word(snapshot.index().0);
        let label = MessageLabel::plain(MessageKind::SNAPSHOT, term);
        let node = self.hosts[n].id;
        self.watch.see(Observation::Delivered { node, from: sender, label: &label });
        let meta = Box::new(snapshot.meta.clone());
        let stage = self.hosts[n].disk.stage(snapshot);
        self.step(n, Input::SnapshotReceived { stage, meta, from: sender, term }, None);
        if !copy && self.is_boot(f, boot) {
            self.step(f, Input::SnapshotSent { id }, None);
        }
        true
    }

    /// The snapshot that a write publishes, with its data; without any, one that stands for what
    /// is committed at its index and holds an empty machine.
    pub(super) fn published(&mut self, n: usize, publish: Publish) -> Option<(Snapshot, bool)> {
        let Publish { stage, meta, keep_log } = publish;
        let snapshot = match stage {
            Some(stage) => {
                let host = &mut self.hosts[n];
                let node = host.id;
                let Some(staged) = host.disk.unstage(stage) else {
                    let how = format!("it publishes stage {stage}, which is not there");
                    self.watch.see(Observation::ContractBroken { node, how: &how });
                    return None;
                };
                staged
            }
            None => {
                let ids = self.watch.oracles.committed_ids(meta.index());
                let mut machine = Machine::new();
                machine.skip_to(meta.index());
                Snapshot { meta, machine: Arc::new(machine), ids: Arc::new(ids) }
            }
        };
        Some((snapshot, keep_log))
    }

    /// The machine of node `n` becomes the snapshot on its disk.
    pub(super) fn install(&mut self, n: usize, meta: &SnapshotMeta) {
        let host = &mut self.hosts[n];
        let (node, index) = (host.id, meta.index());
        let held = host.disk.image.snapshot.clone();
        let Some(snapshot) = held.filter(|held| held.index() == index) else {
            let how = format!("it installs a snapshot of {index} that its disk does not hold");
            self.watch.see(Observation::ContractBroken { node, how: &how });
            return;
        };
        host.machine = (*snapshot.machine).clone();
        host.machine_failed = false;
        // Without data there is no state to compare.
        let machine = (!meta.lacks_data()).then(|| host.machine.digest());
        self.snapshots_installed += 1;
        self.watch.see(Observation::Installed { node, index, machine });
    }

    /// The ids of what stands below the base of node `n`'s log in memory, when a snapshot under
    /// way or on disk has that position.
    pub(super) fn ids_below(&self, n: usize, index: LogIndex) -> Option<Arc<Vec<EntryId>>> {
        let disk = &self.hosts[n].disk;
        let staged = disk.staged.iter().map(|(_, snapshot)| snapshot);
        let open = disk.open.iter().filter_map(|write| write.snapshot.as_ref().map(|(s, _)| s));
        let held = disk.image.snapshot.iter();
        staged.chain(open).chain(held).find(|s| s.index() == index).map(|s| Arc::clone(&s.ids))
    }
}
