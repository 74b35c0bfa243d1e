//! Which oracles a fact concerns, and in which order they are asked.
//!
//! **Intuition.** The mirrors move first, then those oracles compare that this fact can have
//! broken. When one fact breaks several invariants the most telling speaks first: what a node did
//! to its own log before what it means for the cluster.
//! **Source.** Ours.
//! **Upholds.** Nothing by itself.
//! **Not here.** Client operations (`clients.rs`), the comparisons (one file an oracle).

use raft_core::{DisableReason, LogIndex, LogPosition, NodeId, Role, Term};

use super::{
    super::{Check, mirrors::CommitStep, sometimes::Mark},
    Oracles, elected,
};
use crate::{
    oracle::{Observation, OracleId, Phase, Published, broken},
    outcome::OracleLevel,
    process::{Changed, EntryId, HardRecord, MessageKind, MessageLabel, NodeView, Ns},
};

impl Oracles {
    pub(super) fn judge(&mut self, event: u64, at: Ns, observation: Observation<'_>) -> Check {
        match observation {
            Observation::View { node, changed, before, after, .. } => {
                self.on_view(at, node, changed, before, after)
            }
            Observation::Sent { node, to, label } => self.on_sent(at, node, to, label),
            Observation::Delivered { node, from, label } => {
                self.on_delivered(at, node, from, label);
                Ok(())
            }
            Observation::Log { node, from, entries, leading } => {
                self.on_log(node, from, entries, leading)
            }
            Observation::PersistHanded {
                node,
                sequence,
                hard,
                truncate_from,
                entries,
                snapshot,
            } => self.on_handed(node, sequence, hard, truncate_from, entries, snapshot),
            Observation::PersistDurable {
                node, hard, truncate_from, entries, snapshot, ..
            } => self.on_durable(event, node, hard, truncate_from, entries, snapshot),
            Observation::Based { node, base, ids } => self.on_based(node, base, ids),
            Observation::SnapshotCaptured { node, meta, machine } => {
                if self.is_on(OracleId::SnapshotAgrees) {
                    let state = self.apply.state_at(meta.index());
                    self.snapshot.on_captured(&self.mirrors, node, meta, machine, state)?;
                }
                Ok(())
            }
            Observation::InstallHanded { node, index } => {
                let slot = self.mirrors.slot(node);
                self.apply.on_install_handed(slot, index);
                self.lane_order.on_install_handed(slot, index);
                Ok(())
            }
            Observation::Installed { node, index, machine } => {
                let slot = self.mirrors.slot(node);
                self.apply.on_installed(slot, index);
                self.sometimes.hit(Mark::SnapshotInstalled);
                if let Some(machine) = machine.filter(|_| self.is_on(OracleId::SnapshotAgrees)) {
                    let state = self.apply.state_at(index);
                    self.snapshot.on_installed(node, index, machine, state)?;
                }
                Ok(())
            }
            Observation::ApplyHanded { node, first, last } => {
                let slot = self.mirrors.slot(node);
                if self.is_on(OracleId::ApplyOnceInOrder) {
                    self.apply.on_handed(&self.mirrors, slot, first, last)?;
                }
                if self.is_on(OracleId::LaneOrder) {
                    self.lane_order.on_apply(slot, node, first, last)?;
                }
                Ok(())
            }
            Observation::Applied { node, entry, machine } => {
                let slot = self.mirrors.slot(node);
                self.sometimes.on_applied(slot, entry.position.index);
                if self.is_on(OracleId::ApplyOnceInOrder) {
                    self.apply.on_applied(&self.mirrors, slot, entry, machine)?;
                }
                Ok(())
            }
            Observation::Booted { node, boot, hard, log, view } => {
                self.on_boot(at, node, boot, hard, log, view)
            }
            Observation::Crashed { node, hard, log, writes_lost, .. } => {
                self.on_crash(event, node, hard, log, writes_lost)
            }
            Observation::ReadEntries { node, first, last } => {
                let slot = self.mirrors.slot(node);
                self.sometimes.hit(Mark::EntriesRead);
                if self.is_on(OracleId::LaneOrder) {
                    let durable = self.mirrors.nodes[slot].disk.last();
                    self.lane_order.on_read_entries(node, first, last, durable)?;
                }
                Ok(())
            }
            Observation::RoleChanged { node, role, term } => {
                let slot = self.mirrors.slot(node);
                if self.is_on(OracleId::LaneOrder) {
                    self.lane_order.on_role(slot, node, role, term)?;
                }
                Ok(())
            }
            Observation::LateDelivery { node, term, copy, sender_gone, .. } => {
                let slot = self.mirrors.slot(node);
                let receiver = self.mirrors.nodes[slot].term;
                self.sometimes.on_late(receiver, term, copy, sender_gone);
                Ok(())
            }
            Observation::AckedWritesLost { count, .. } => {
                if count > 0 {
                    self.sometimes.hit(Mark::AckAboveHoleLost);
                }
                Ok(())
            }
            Observation::OpInvoked { .. }
            | Observation::OpAccepted { .. }
            | Observation::OpApplied { .. }
            | Observation::OpReturned { .. }
            | Observation::OpRefused { .. }
            | Observation::OpUnknown { .. }
            | Observation::ReadFailed { .. }
            | Observation::LeaseRead { .. }
            | Observation::ReadReady { .. }
            | Observation::CasFailed { .. } => self.on_op(at, observation),
            Observation::ConfigurationWritten { entry, voters, outgoing } => {
                let quorum = self.mirrors.quorum_of(voters, outgoing);
                self.only_voters.on_configuration(entry, quorum);
                Ok(())
            }
            Observation::Operated { what, accepted, displaced } => {
                self.sometimes.on_operated(what, accepted, displaced);
                Ok(())
            }
            Observation::ContractBroken { node, how } => {
                if self.is_on(OracleId::LaneOrder) {
                    self.lane_order.on_contract(node, how)?;
                }
                Ok(())
            }
            Observation::ShadowAgreed { steps, .. } => {
                if self.is_on(OracleId::Pure) {
                    self.pure.on_agreed(steps);
                }
                Ok(())
            }
            Observation::ShadowDiffered { node, what } => {
                if self.is_on(OracleId::Pure) {
                    self.pure.on_differed(node, what)?;
                }
                Ok(())
            }
            Observation::DiskLost { node } => {
                self.mirrors.retire(node);
                Ok(())
            }
            Observation::Met { mark } => {
                self.sometimes.hit(mark);
                Ok(())
            }
            Observation::Stopped { node, why } => {
                if self.is_on(OracleId::Live) {
                    self.liveness.on_stopped(node, why)?;
                }
                Ok(())
            }
            Observation::PhaseEnded { phase, reached, recoverable, missing } => {
                self.on_phase(phase, reached, recoverable, missing)
            }
            Observation::Final { node, applied, machine, .. } => {
                self.sometimes.on_final(self.ops.unknown, self.ops.unknown_applied);
                if self.is_on(OracleId::NothingLost) {
                    let committed = self.mirrors.committed.last();
                    self.nothing_lost.on_final(node, applied, committed)?;
                }
                if self.is_on(OracleId::Converges) {
                    self.convergence.on_final(node, applied, machine)?;
                }
                Ok(())
            }
        }
    }

    fn on_boot(
        &mut self,
        at: Ns,
        node: NodeId,
        boot: u64,
        hard: HardRecord,
        log: &[EntryId],
        view: &NodeView,
    ) -> Check {
        let slot = self.mirrors.slot(node);
        let before = self.mirrors.nodes[slot].hard;
        let cut = self.mirrors.boot(slot, boot, hard, log, view);
        let last = self.mirrors.nodes[slot].disk.last();
        self.mirrors.take_quorum(slot, view);
        self.apply.on_boot(slot, view.applied);
        self.lane_order.on_boot(slot, view.term, last, view.applied);
        self.sometimes.on_boot(&self.mirrors, slot);
        self.contacts.on_boot(slot);
        self.only_voters.on_boot(slot);
        if self.is_on(OracleId::Monotone) {
            let durable = before.term.max(hard.term);
            self.monotone.on_boot(node, durable, self.mirrors.committed.last(), view)?;
        }
        if self.is_on(OracleId::OneVotePerTerm) {
            self.vote.on_durable(slot, node, before, hard)?;
            self.vote.on_view(slot, node, None, view)?;
        }
        if self.is_on(OracleId::LeaseBound) {
            self.lease_bound.on_view(&self.mirrors, slot, None, view, at)?;
        }
        self.on_disk_changed(slot, node, cut)?;
        if view.commit > LogIndex::ZERO {
            self.on_commit(slot, node, None, view)?;
        }
        if view.role == Role::Leader {
            self.on_elected(at, slot, view.term)?;
        }
        Ok(())
    }

    fn on_crash(
        &mut self,
        event: u64,
        node: NodeId,
        hard: HardRecord,
        log: &[EntryId],
        lost: u64,
    ) -> Check {
        let slot = self.mirrors.slot(node);
        let mirror = &self.mirrors.nodes[slot];
        let (before, role) = (mirror.hard, mirror.role);
        let cut = self.mirrors.crash(slot, hard, log);
        let grew = hard != before || cut.is_some_and(|from| from <= LogIndex(log.len() as u64));
        self.sometimes.on_crash(event, &self.mirrors, slot, grew);
        self.sometimes.hit_if(role == Role::Leader, Mark::LeaderCrashed);
        self.sometimes.hit_if(lost > 0, Mark::PowerLossLostWrites);
        if self.is_on(OracleId::OneVotePerTerm) {
            self.vote.on_durable(slot, node, before, hard)?;
        }
        self.on_disk_changed(slot, node, cut)
    }

    /// The disk of `node` is not as mirrored from `from` on.
    fn on_disk_changed(&mut self, slot: usize, node: NodeId, from: Option<LogIndex>) -> Check {
        let Some(from) = from else { return Ok(()) };
        if self.is_on(OracleId::LogMatching) {
            self.log_matching.on_log(node, &self.mirrors.nodes[slot].disk, from, "on disk")?;
        }
        if self.is_on(OracleId::CommittedDurable) {
            self.durable.on_disk_cut(&self.mirrors, node, from)?;
        }
        Ok(())
    }

    fn on_view(
        &mut self,
        at: Ns,
        node: NodeId,
        changed: Changed,
        before: &NodeView,
        after: &NodeView,
    ) -> Check {
        let slot = self.mirrors.slot(node);
        self.mirrors.nodes[slot].take(after);
        if changed.any(Changed::CONFIGURATION) {
            self.mirrors.take_quorum(slot, after);
            if after.role == Role::Leader && before.role == Role::Leader {
                self.sometimes.hit_if(before.voters != after.voters, Mark::VotersChanged);
                self.sometimes.hit_if(!after.outgoing.is_empty(), Mark::JointEntered);
            }
            if self.is_on(OracleId::ConfigurationSafety) {
                self.configuration.on_view(&self.mirrors, slot, before, after)?;
            }
        } else {
            self.mirrors.keep_quorum(slot);
        }
        if self.is_on(OracleId::Monotone) {
            self.monotone.on_view(node, changed, before, after)?;
        }
        if self.is_on(OracleId::OneVotePerTerm)
            && (before.vote != after.vote || before.term != after.term)
        {
            self.vote.on_view(slot, node, Some(before), after)?;
        }
        if self.is_on(OracleId::LeaseBound) {
            self.lease_bound.on_view(&self.mirrors, slot, Some(before), after, at)?;
        }
        if after.commit > before.commit {
            self.on_commit(slot, node, Some(before), after)?;
        }
        if elected(before, after) {
            self.on_elected(at, slot, after.term)?;
        }
        if self.level == OracleLevel::All {
            self.sometimes.on_view(&self.mirrors, slot, changed, before, after);
        }
        if self.is_on(OracleId::Bounded) {
            self.bounded.judge(node, &after.loads)?;
        }
        Ok(())
    }

    fn on_elected(&mut self, at: Ns, slot: usize, term: Term) -> Check {
        let (reign, held) = self.mirrors.begin_reign(slot, term);
        self.sometimes.hit_if(self.lease_bound.was_asked(slot, term), Mark::LeadershipHandedOver);
        self.contacts.on_elected(slot, at);
        if self.is_on(OracleId::ElectionSafety) {
            self.election.judge(term, reign, held)?;
        }
        if self.is_on(OracleId::LeaderHoldsDurableQuorum) {
            self.quorum_at_election.judge(&self.mirrors, slot, term)?;
        }
        if self.is_on(OracleId::OnlyVotersCount) {
            self.only_voters.on_elected(&self.mirrors, slot, term)?;
        }
        if self.is_on(OracleId::LeaderCompleteness) {
            self.completeness.on_elected(&self.mirrors, slot, term)?;
        }
        Ok(())
    }

    fn on_commit(
        &mut self,
        slot: usize,
        node: NodeId,
        before: Option<&NodeView>,
        view: &NodeView,
    ) -> Check {
        self.commit_max = self.commit_max.max(view.commit);
        let step = self.mirrors.raise_commit(slot, view.term, view.commit);
        if self.is_on(OracleId::CommittedImmutable) {
            self.committed.on_commit(&self.mirrors, node, view.commit, step)?;
        }
        let first = matches!(step, CommitStep::Advanced { .. });
        if first && self.is_on(OracleId::CommittedDurable) {
            self.durable.on_committed(&self.mirrors, node)?;
        }
        if self.is_on(OracleId::OnlyVotersCount) {
            self.only_voters.on_committed(&self.mirrors, slot, before, view, first)?;
        }
        if first && self.is_on(OracleId::LeaderCompleteness) {
            self.completeness.on_committed(&self.mirrors, view.commit, view.term)?;
        }
        Ok(())
    }

    fn on_log(
        &mut self,
        node: NodeId,
        from: LogIndex,
        entries: &[EntryId],
        leading: bool,
    ) -> Check {
        let slot = self.mirrors.slot(node);
        let mirror = &mut self.mirrors.nodes[slot];
        let last = mirror.memory.last();
        // Entries that left memory are durable and unchanged: the mirror keeps its own copy.
        let from = entries.first().map_or(from, |e| from.max(e.position.index));
        if leading && self.on >> OracleId::LeaderAppendOnly as u32 & 1 == 1 {
            self.append_only.on_log(node, from, last)?;
        }
        let mut truncated = false;
        if from <= last {
            truncated = mirror.memory.differs(from, entries);
            mirror.memory.truncate_from(from);
        }
        for entry in entries {
            mirror.memory.push(*entry);
        }
        let commit = mirror.commit;
        if truncated {
            self.sometimes.on_truncated(from, self.mirrors.nodes[slot].disk.last());
        }
        if self.is_on(OracleId::LogMatching) {
            self.log_matching.on_indexes(node, from, last, entries)?;
            self.log_matching.on_log(node, &self.mirrors.nodes[slot].memory, from, "in memory")?;
        }
        if self.is_on(OracleId::CommittedImmutable) {
            self.committed.on_log(&self.mirrors, slot, from, commit)?;
        }
        Ok(())
    }

    fn on_handed(
        &mut self,
        node: NodeId,
        sequence: u64,
        hard: Option<HardRecord>,
        truncate_from: Option<LogIndex>,
        entries: &[EntryId],
        snapshot: Option<Published<'_>>,
    ) -> Check {
        let slot = self.mirrors.slot(node);
        if let Some(published) = snapshot {
            self.lane_order.on_publish(slot, published.index, published.keep_log);
        }
        if self.is_on(OracleId::LaneOrder) {
            let commit = self.mirrors.nodes[slot].commit;
            self.lane_order.on_persist(slot, node, commit, sequence, truncate_from, entries)?;
        }
        if let Some(hard) = hard {
            let before = self.mirrors.nodes[slot].handed_term;
            self.mirrors.nodes[slot].handed_term = hard.term;
            if self.is_on(OracleId::Monotone) {
                self.monotone.on_hard(node, before, hard)?;
            }
        }
        Ok(())
    }

    fn on_durable(
        &mut self,
        event: u64,
        node: NodeId,
        hard: Option<HardRecord>,
        truncate_from: Option<LogIndex>,
        entries: &[EntryId],
        snapshot: Option<Published<'_>>,
    ) -> Check {
        let slot = self.mirrors.slot(node);
        self.sometimes.on_durable(event, slot);
        if let Some(hard) = hard {
            let before = self.mirrors.nodes[slot].hard;
            let stopped = matches!(hard.disabled, Some(DisableReason::UnsupportedEntry { .. }));
            self.sometimes
                .hit_if(stopped && hard.disabled != before.disabled, Mark::UnknownEntryStopped);
            self.mirrors.note_hard(slot, hard);
            if self.is_on(OracleId::OneVotePerTerm) {
                self.vote.on_durable(slot, node, before, hard)?;
            }
            if self.is_on(OracleId::LeaseBound) {
                self.lease_bound.on_durable(node, before, hard)?;
            }
        }
        let mirror = &mut self.mirrors.nodes[slot];
        let mut replaced = None;
        if let Some(published) = snapshot.filter(|published| !published.keep_log) {
            replaced = mirror.disk.become_log(published.ids);
        }
        if let Some(from) = truncate_from {
            mirror.disk.truncate_from(from);
        }
        let from = mirror.disk.last().next();
        for entry in entries {
            mirror.disk.push(*entry);
        }
        if self.is_on(OracleId::LogMatching) && !entries.is_empty() {
            self.log_matching.on_log(node, &self.mirrors.nodes[slot].disk, from, "on disk")?;
        }
        if let Some(from) = truncate_from.or(replaced)
            && self.is_on(OracleId::CommittedDurable)
        {
            self.durable.on_disk_cut(&self.mirrors, node, from)?;
        }
        Ok(())
    }

    /// The log in memory of `node` begins after `base` now. Where its mirror has no such entry, a
    /// snapshot has put it there.
    fn on_based(&mut self, node: NodeId, base: LogPosition, ids: &[EntryId]) -> Check {
        let slot = self.mirrors.slot(node);
        let mirror = &mut self.mirrors.nodes[slot];
        if mirror.memory.has(base) {
            return Ok(());
        }
        let changed = mirror.memory.become_log(ids);
        if !mirror.memory.has(base) {
            return broken(
                OracleId::SnapshotAgrees,
                node,
                format!("{node} stands on {base}, which no snapshot it was given stands for"),
            );
        }
        if self.is_on(OracleId::LogMatching)
            && let Some(from) = changed
        {
            self.log_matching.on_log(node, &self.mirrors.nodes[slot].memory, from, "in memory")?;
        }
        Ok(())
    }

    fn on_sent(&mut self, at: Ns, node: NodeId, to: NodeId, label: &MessageLabel) -> Check {
        let (slot, to) = (self.mirrors.slot(node), self.mirrors.slot(to));
        self.contacts.on_sent(slot, to, label, at);
        self.sometimes.hit_if(label.kind == MessageKind::TIMEOUT_NOW, Mark::TransferAsked);
        if self.is_on(OracleId::PersistBeforeSend) {
            self.persist_before_send.on_sent(&self.mirrors, slot, label)?;
        }
        if self.is_on(OracleId::OneVotePerTerm) {
            self.vote.on_sent(slot, node, label)?;
        }
        if self.is_on(OracleId::LeaseBound) {
            self.lease_bound.on_sent(&self.mirrors, &self.contacts, slot, to, label)?;
        }
        Ok(())
    }

    fn on_delivered(&mut self, at: Ns, node: NodeId, from: NodeId, label: &MessageLabel) {
        let (slot, from) = (self.mirrors.slot(node), self.mirrors.slot(from));
        self.contacts.on_delivered(&self.mirrors, slot, from, label, at);
        self.only_voters.on_delivered(&self.mirrors, slot, from, label);
    }

    fn on_phase(&mut self, phase: Phase, reached: bool, recoverable: bool, missing: &str) -> Check {
        if self.is_on(OracleId::Live) {
            self.liveness.on_phase(phase, reached, recoverable, missing)?;
        }
        if self.is_on(OracleId::Converges) {
            self.convergence.on_phase(phase, reached, recoverable, missing)?;
        }
        Ok(())
    }
}
