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
use crate::oracle::{Observation, OracleId};

impl Oracles {
    pub(super) fn on_op(&mut self, observation: Observation<'_>) -> Check {
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
