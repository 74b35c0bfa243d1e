//! The two lanes of a node: writes on their way to disk, entries on their way to the machine.
//!
//! **Intuition.** Writes run side by side and become durable as a prefix; the machine takes one
//! batch after another. Both take time by fate, and both end in an input to the process.
//! **Source.** The contract of outputs, docs/CONTRACT.md.
//! **Upholds.** `inv:lane-order`.
//! **Not here.** Who hands work out (`host.rs`), what a disk keeps (`disk/`).

use raft_core::{Configuration, EntryKind, LogIndex};

use super::{Event, World, host::Lane, queue::Class};
use crate::{
    disk::latency,
    fault::schedule::DiskOpId,
    oracle::{Observation, Published},
    process::{Effect, Entry, EntryId, Input, Ns, Process, Snapshot},
    workload::{history::Told, kv::Reply},
};

impl<P: Process> World<'_, P> {
    pub(super) fn hand_to_disk(
        &mut self,
        n: usize,
        ack: P::Ack,
        hard: Option<crate::process::HardRecord>,
        truncate_from: Option<LogIndex>,
        entries: Vec<Entry>,
        snapshot: Option<(Snapshot, bool)>,
    ) {
        let host = &mut self.hosts[n];
        let node = host.id;
        let ends = |entry: Option<&Entry>| entry.map_or(0, |entry| entry.position.index.0);
        let (first, last) = (ends(entries.first()), ends(entries.last()));
        if let Err(how) = host.disk.hand_out(ack, hard, truncate_from, entries, snapshot) {
            self.watch.see(Observation::ContractBroken { node, how: &how });
            return;
        }
        let sequence = host.disk.sequence;
        let written = host.disk.open.back();
        let ids: &[EntryId] = written.map_or(&[], |write| &write.ids);
        let snapshot = written.and_then(|write| write.snapshot.as_ref());
        self.watch.note(|| format!("persist #{sequence} {first} to {last} {hard:?}"));
        self.watch.see(Observation::PersistHanded {
            node,
            sequence,
            hard,
            truncate_from,
            entries: ids,
            snapshot: snapshot.map(|(snapshot, keep_log)| Published {
                index: snapshot.index(),
                ids: &snapshot.ids,
                keep_log: *keep_log,
            }),
        });
        let op = host.disk.identify(node.0, host.boot, latency::WRITE, first, last);
        let boot = host.boot;
        let latency = self.disk_time(&op);
        let reorder = self.schedule.plan.disk.reorder;
        let at = self.hosts[n].disk.completion(self.watch.now, latency, reorder);
        let event = Event::WriteDone { node: n as u8, boot, sequence };
        self.push(at, Class::Storage, n as u64, sequence, event);
    }

    /// Tells which configurations are about to be written.
    pub(super) fn tell_configurations(&mut self, effects: &[Effect<P>]) {
        for effect in effects {
            let Effect::Persist { entries, .. } = effect else { continue };
            for entry in entries {
                if EntryKind(entry.kind) != EntryKind::CONFIGURATION {
                    continue;
                }
                let Ok(told) = Configuration::decode(entry.payload.clone()) else { continue };
                let (voters, outgoing) = (told.voters(), told.outgoing());
                let entry = entry.id();
                self.watch.see(Observation::ConfigurationWritten { entry, voters, outgoing });
            }
        }
    }

    pub(super) fn disk_time(&mut self, op: &DiskOpId) -> Ns {
        let (latency, axes) = self.fates.disk_with_axes(op);
        self.count_axes(axes);
        latency
    }

    /// A write is complete on the disk of node `n`.
    pub(crate) fn on_write_done(&mut self, n: usize, sequence: u64) {
        let host = &mut self.hosts[n];
        let Some((ack, out_of_order)) = host.disk.complete(sequence) else { return };
        if out_of_order {
            self.reordered += 1;
        }
        self.watch.digest.word(sequence);
        while let Some(write) = host.disk.next_durable() {
            host.publish(&mut self.watch, write);
        }
        if host.paused_until > self.watch.now {
            let (at, boot) = (host.paused_until, host.boot);
            let event = Event::WriteTold { node: n as u8, boot, ack };
            self.push(at, Class::Storage, n as u64, sequence, event);
        } else {
            self.step(n, Input::Persisted(ack), None);
        }
    }

    /// Disks are quick from here on: what is under way on node `n` completes soon as well.
    pub(crate) fn hurry(&mut self, n: usize) {
        let host = &mut self.hosts[n];
        let boot = host.boot;
        let (batch, applying) = (host.batch, host.applying);
        let open: Vec<u64> = host.disk.incomplete().collect();
        let pause = (self.schedule.plan.knobs.election_ns / 100).max(1);
        let mut at = self.watch.now.saturating_add(pause);
        for sequence in open {
            let event = Event::WriteDone { node: n as u8, boot, sequence };
            self.push(at, Class::Storage, n as u64, sequence, event);
            at = at.saturating_add(1);
        }
        self.hosts[n].disk.last_completion = at;
        if applying {
            let event = Event::ApplyDone { node: n as u8, boot, batch };
            self.push(at, Class::Storage, n as u64, 0, event);
        }
    }

    /// Starts the next work of the apply lane.
    pub(super) fn run_lane(&mut self, n: usize) {
        let host = &mut self.hosts[n];
        while !host.applying {
            match host.lane.front() {
                None => return,
                Some(Lane::Role(role, term)) => {
                    let (node, role, term) = (host.id, *role, *term);
                    host.lane.pop_front();
                    self.watch.see(Observation::RoleChanged { node, role, term });
                }
                Some(Lane::Take { .. }) => {
                    let Some(Lane::Take { id, meta }) = host.lane.pop_front() else { return };
                    self.capture(n, id, &meta);
                    return self.run_lane(n);
                }
                Some(Lane::Install(meta)) => {
                    host.applying = true;
                    host.batch += 1;
                    let (batch, index) = (host.batch, meta.index().0);
                    let op = host.disk.identify(host.id.0, host.boot, latency::APPLY, index, index);
                    let boot = host.boot;
                    let at = self.watch.now.saturating_add(self.disk_time(&op));
                    let event = Event::ApplyDone { node: n as u8, boot, batch };
                    self.push(at, Class::Storage, n as u64, index, event);
                    return;
                }
                Some(Lane::Apply { entries, .. }) => {
                    host.applying = true;
                    host.batch += 1;
                    let batch = host.batch;
                    let ends = |entry: Option<&Entry>| entry.map_or(0, |e| e.position.index.0);
                    let (first, last) = (ends(entries.first()), ends(entries.last()));
                    let op = host.disk.identify(host.id.0, host.boot, latency::APPLY, first, last);
                    let boot = host.boot;
                    let at = self.watch.now.saturating_add(self.disk_time(&op));
                    let event = Event::ApplyDone { node: n as u8, boot, batch };
                    self.push(at, Class::Storage, n as u64, first, event);
                    return;
                }
            }
        }
    }

    /// The machine of node `n` has finished the batch at the head of its lane.
    pub(crate) fn on_apply_done(&mut self, n: usize) {
        let host = &mut self.hosts[n];
        host.applying = false;
        let (entries, first_ticket, skipped) = match host.lane.pop_front() {
            Some(Lane::Apply { entries, first_ticket, skipped }) => {
                (entries, first_ticket, skipped)
            }
            Some(Lane::Install(meta)) => {
                let index = meta.index();
                self.install(n, &meta);
                self.answer_ready(n);
                self.run_lane(n);
                self.step(n, Input::Applied(index), None);
                return;
            }
            Some(Lane::Role(..) | Lane::Take { .. }) | None => return,
        };
        let mut upto = LogIndex::ZERO;
        for (at, entry) in entries.iter().enumerate() {
            let ticket = first_ticket.map(|first| first.saturating_add(at as u64));
            if !skipped && self.is_poisoned(entry) {
                self.answer_ready(n);
                self.fail_machine(n, &entries[at..], ticket);
                return;
            }
            self.apply_entry(n, entry, ticket, skipped);
            upto = entry.position.index;
        }
        self.answer_ready(n);
        self.run_lane(n);
        self.step(n, Input::Applied(upto), None);
    }

    /// Answers confirmed reads that waited for the machine.
    fn answer_ready(&mut self, n: usize) {
        if self.hosts[n].ready.is_empty() {
            return;
        }
        let applied = self.hosts[n].machine.applied();
        let mut ready = core::mem::take(&mut self.hosts[n].ready);
        ready.retain(|(index, asked)| {
            let answered = *index <= applied;
            if answered {
                self.answer_read(n, *asked);
            }
            !answered
        });
        self.hosts[n].ready = ready;
    }

    fn apply_entry(&mut self, n: usize, entry: &Entry, ticket: Option<u64>, skipped: bool) {
        self.check_known(n, entry);
        if skipped {
            self.note_skipped(entry.position.index);
        }
        let host = &mut self.hosts[n];
        let index = entry.position.index;
        let result = if entry.kind == Entry::COMMAND && !skipped {
            host.machine.apply(index, &entry.payload)
        } else {
            if entry.kind > Entry::COMMAND && index > self.config_changed_at {
                self.config_changed_at = index;
                self.config_changes += 1;
            }
            host.machine.skip(index);
            None
        };
        let machine = host.machine.digest();
        self.watch.see(Observation::Applied { node: host.id, entry: entry.id(), machine });
        if let Some((op, _)) = &result {
            self.history.hint(*op, index);
            self.watch.see(Observation::OpApplied { op: *op, index });
        }
        if let Some(ticket) = ticket
            && let Some(asked) = self.end_ticket(n, ticket, false)
        {
            let reply = result.map_or(Reply::Done, |(_, reply)| reply);
            let told = if skipped { Told::Superseded } else { Told::Done(reply, index) };
            self.respond(n, asked, told);
        }
    }
}
