//! A leader changes membership only in steps that cannot make two majorities at once.
//!
//! **Intuition.** If any majority of the configuration before and any majority of the one after
//! share a server, no moment of the change lets two leaders or two commits pass each other. That
//! holds for one voter more or less, and for entering and leaving a joint configuration. And it
//! holds only pair by pair: the next step must wait until the last one is committed.
//! **Source.** Thesis §4.1–§4.3; the bug of the single-server change is the thesis author's note
//! of 2015 (B-060 in docs/HAZARDS.md).
//! **Upholds.** `inv:configuration-safety`.
//! **Not here.** Who counts (`mirrors.rs`).

use raft_core::{NodeId, Role};

use super::{Check, OracleId, broken, mirrors::Mirrors};
use crate::process::NodeView;

/// The oracle.
#[derive(Clone, Debug, Default)]
pub(super) struct ConfigurationSafety {
    pub(super) checks: u64,
}

/// How many voters two halves do not share.
fn apart(a: &[NodeId], b: &[NodeId]) -> usize {
    let missing = |from: &[NodeId], of: &[NodeId]| from.iter().filter(|n| !of.contains(n)).count();
    missing(a, b) + missing(b, a)
}

impl ConfigurationSafety {
    /// Another configuration is in force at the node of `slot`.
    pub(super) fn on_view(
        &mut self,
        mirrors: &Mirrors,
        slot: usize,
        before: &NodeView,
        after: &NodeView,
    ) -> Check {
        let leads = before.role == Role::Leader
            && after.role == Role::Leader
            && before.term == after.term
            && !before.voters.is_empty();
        if !leads || (before.voters == after.voters && before.outgoing == after.outgoing) {
            return Ok(());
        }
        self.checks += 1;
        let node = mirrors.nodes[slot].id;
        let step = if before.outgoing.is_empty() && after.outgoing.is_empty() {
            apart(&before.voters, &after.voters) <= 1
        } else if before.outgoing.is_empty() {
            after.outgoing == before.voters
        } else {
            after.outgoing.is_empty() && after.voters == before.voters
        };
        if !step {
            return broken(
                OracleId::ConfigurationSafety,
                node,
                format!(
                    "{node} goes from voters {:?} + {:?} to {:?} + {:?} in one step",
                    before.voters, before.outgoing, after.voters, after.outgoing
                ),
            );
        }
        let index = before.configuration;
        if index > after.commit && after.configuration > index {
            return broken(
                OracleId::ConfigurationSafety,
                node,
                format!(
                    "{node} changes the configuration again while the one at {index} is not \
                     committed (commit is {})",
                    after.commit
                ),
            );
        }
        Ok(())
    }
}
