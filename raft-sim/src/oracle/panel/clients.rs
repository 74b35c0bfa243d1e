//! What clients and machines say of operations.
//!
//! **Intuition.** Every fact about an operation goes into the register; freshness and nothing-lost
//! compare it with what the register held before.
//! **Source.** Ours.
//! **Upholds.** Nothing by itself.
//! **Not here.** The register (`ops.rs`), the comparisons (`read_freshness.rs`,
//! `nothing_lost.rs`).

use super::{
    super::{Check, sometimes::Mark},
    Oracles,
};
use crate::{
    oracle::{Observation, OracleId, contacts::Touch, read_freshness::Ready},
    process::Ns,
};

impl Oracles {
    pub(super) fn on_op(&mut self, at: Ns, observation: Observation<'_>) -> Check {
        match observation {
            Observation::OpInvoked { op, read } => {
                self.ops.fate(op).read = read;
                if read && self.is_on(OracleId::ReadFreshness) {
                    self.read_freshness.on_read(op);
                }
                Ok(())
            }
            Observation::OpAccepted { op, node } => {
                let fate = self.ops.fate(op);
                fate.accepted = true;
                if fate.read {
                    let slot = self.mirrors.slot(node);
                    let mirror = &self.mirrors.nodes[slot];
                    if mirror.commit > mirror.applied {
                        self.sometimes.hit(Mark::ReadWaitedForApply);
                    }
                }
                Ok(())
            }
            Observation::LeaseRead { node, .. } => {
                let slot = self.mirrors.slot(node);
                let mirror = &self.mirrors.nodes[slot];
                let bound = self.lease_bound.bound_to(slot, mirror.term, at);
                let away = mirror.quorum.all() & !bound;
                self.sometimes.hit_if(away != 0, Mark::LeaseReadWithoutAll);
                let down = self.mirrors.which(|voter| !voter.up);
                self.sometimes.hit_if(away & down != 0, Mark::LeaseReadAfterCrash);
                if self.is_on(OracleId::LeaseBound) {
                    self.lease_bound.on_lease_read(&self.mirrors, slot, at)?;
                }
                Ok(())
            }
            Observation::ReadReady { op, node, level, index, least, staleness, refused } => {
                let slot = self.mirrors.slot(node);
                let touch = Touch::of(&self.mirrors, slot);
                self.sometimes.on_ready(touch.role, level, least, refused);
                if self.is_on(OracleId::ReadFreshness) {
                    let age = self.contacts.age(&self.mirrors, slot, touch, at);
                    let said = Ready { op, level, index, least, staleness, refused };
                    self.read_freshness.on_ready(&self.contacts, node, said, age)?;
                }
                Ok(())
            }
            Observation::OpApplied { op, index } => {
                if self.is_on(OracleId::NothingLost) {
                    self.nothing_lost.on_applied(&mut self.ops, op, index)?;
                }
                if self.ops.at(index) != Some(op) {
                    self.ops.note_applied(op, index);
                }
                Ok(())
            }
            Observation::OpReturned { op, read, index } => {
                if self.is_on(OracleId::ReadFreshness) {
                    self.read_freshness.on_returned(op, read, index)?;
                }
                if !read {
                    if self.is_on(OracleId::NothingLost) {
                        self.nothing_lost.on_returned(&mut self.ops, op, index)?;
                    }
                    self.ops.fate(op).returned = Some(index);
                }
                Ok(())
            }
            Observation::OpRefused { op } => {
                self.read_freshness.on_dropped(op);
                let fate = self.ops.fate(op);
                let (accepted, read) = (fate.accepted, fate.read);
                fate.refused = true;
                if accepted && !read {
                    self.sometimes.hit(Mark::ProposalSuperseded);
                }
                if self.is_on(OracleId::NothingLost) && !read {
                    self.nothing_lost.on_refused(&mut self.ops, op)?;
                }
                Ok(())
            }
            Observation::OpUnknown { op } => {
                self.read_freshness.on_dropped(op);
                self.ops.note_unknown(op);
                Ok(())
            }
            Observation::ReadFailed { .. } => {
                self.sometimes.hit(Mark::ReadFailed);
                Ok(())
            }
            Observation::CasFailed { .. } => {
                self.sometimes.hit(Mark::CasFailed);
                Ok(())
            }
            _ => Ok(()),
        }
    }
}
