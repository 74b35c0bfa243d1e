//! A snapshot holds what the log up to it decided, at every node alike.
//!
//! **Intuition.** Whoever captures or installs a snapshot of an index must stand in the state that
//! the log leads to there, and say the same of it as everybody else: position, clock, membership,
//! settings. The first to speak of an index writes it down.
//! **Source.** Thesis §5.1 (what a snapshot must include); D-R4, D-Z9 in docs/HAZARDS.md.
//! **Upholds.** `inv:snapshot-agrees`.
//! **Not here.** Whether one is installed at the right time (`apply.rs`, `lane_order.rs`).

use raft_core::{LogIndex, NodeId, SnapshotMeta};

use super::{Check, OracleId, broken, mirrors::Mirrors};
use crate::collections::FixedMap;

/// The oracle.
#[derive(Clone, Debug, Default)]
pub(super) struct SnapshotAgrees {
    pub(super) checks: u64,
    /// What was first said of each index.
    said: FixedMap<LogIndex, SnapshotMeta>,
}

impl SnapshotAgrees {
    /// `node` captured its machine, which is in state `machine`, as `meta`; the log leads to
    /// `state` there.
    pub(super) fn on_captured(
        &mut self,
        mirrors: &Mirrors,
        node: NodeId,
        meta: &SnapshotMeta,
        machine: u64,
        state: Option<u64>,
    ) -> Check {
        self.checks += 1;
        let index = meta.index();
        let committed = mirrors.committed.link(index).map(|link| link.term);
        if committed != Some(meta.position.term) {
            return broken(
                OracleId::SnapshotAgrees,
                node,
                format!("{node} takes a snapshot of {}, which is not committed", meta.position),
            );
        }
        self.judge_state(node, index, machine, state)?;
        match self.said.get(&index) {
            Some(said) if said != meta => broken(
                OracleId::SnapshotAgrees,
                node,
                format!("{node} says {meta:?} of its snapshot, another node said {said:?}"),
            ),
            Some(_) => Ok(()),
            None => {
                self.said.insert(index, meta.clone());
                Ok(())
            }
        }
    }

    /// The machine of `node` became a snapshot of `index` in state `machine`.
    pub(super) fn on_installed(
        &mut self,
        node: NodeId,
        index: LogIndex,
        machine: u64,
        state: Option<u64>,
    ) -> Check {
        self.checks += 1;
        self.judge_state(node, index, machine, state)
    }

    fn judge_state(
        &self,
        node: NodeId,
        index: LogIndex,
        machine: u64,
        state: Option<u64>,
    ) -> Check {
        if state.is_none_or(|state| state == machine) {
            return Ok(());
        }
        broken(
            OracleId::SnapshotAgrees,
            node,
            format!("the snapshot of {index} at {node} is not the state that the log leads to"),
        )
    }
}
