//! Durable state: what a driver keeps, and what it hands back at boot.
//!
//! **Intuition.** A node is what its disk says. The hard state is one small record replaced as a
//! whole, the log is entries; boot gets the record and a summary of the log and refuses whatever
//! no run could have left behind.
//! **Source.** Thesis §3.8; the crash rule (a prefix of the writes) is ours.
//! **Upholds.** `inv:one-vote-per-term`, `inv:committed-durable`.
//! **Not here.** Writing (`persist.rs`), checking at boot (`recover.rs`), reading back
//! (`fetch.rs`).

pub(crate) mod fetch;
pub(crate) mod persist;
pub(crate) mod recover;

use alloc::vec::Vec;

use crate::{
    config::Configuration,
    log::TermRun,
    types::{BootId, ClusterId, GroupId, Incarnation, LogIndex, NodeId, RecoveryEpoch, Term},
};

/// The record that is always written as a whole.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct HardState {
    /// The cluster.
    pub cluster: ClusterId,
    /// The group.
    pub group: GroupId,
    /// This node.
    pub node: NodeId,
    /// This disk's life; above 0.
    pub incarnation: Incarnation,
    /// The recovery epoch.
    pub epoch: RecoveryEpoch,
    /// Current term; never falls.
    pub term: Term,
    /// Whom this node voted for in `term`. Written together with it, never cleared within it.
    pub vote: Option<NodeId>,
    /// The longest promise ever given to a leader, in nanoseconds of the local clock: for this
    /// long after a restart no ordinary vote is given. 0 for none.
    pub promise_ns: u64,
}

impl HardState {
    /// The record of a disk on which nothing has happened yet.
    #[must_use]
    pub const fn new(
        cluster: ClusterId,
        group: GroupId,
        node: NodeId,
        incarnation: Incarnation,
    ) -> Self {
        Self {
            cluster,
            group,
            node,
            incarnation,
            epoch: RecoveryEpoch { number: 0, plan_id: 0 },
            term: Term::ZERO,
            vote: None,
            promise_ns: 0,
        }
    }
}

/// Everything a node starts from. Entries are not among it: the core asks for those it needs.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Boot {
    /// Never used before for this store.
    pub boot_id: BootId,
    /// Seed of the node's jitter; different on every node.
    pub seed: u64,
    /// The newest hard state on disk.
    pub hard_state: HardState,
    /// The voters.
    pub configuration: Configuration,
    /// First index of the log on disk; 1 until there are snapshots.
    pub first: LogIndex,
    /// Last index of the log on disk; `first - 1` for an empty log.
    pub last: LogIndex,
    /// Where each term of the log begins, ascending.
    pub terms: Vec<TermRun>,
    /// Highest index whose effects the machine holds durably; 0 for a machine in memory.
    pub applied: LogIndex,
    /// Stamp of the last entry of the log; 0 for an empty log.
    pub last_stamp: u64,
}

impl Boot {
    /// A start from an empty log.
    #[must_use]
    pub const fn new(
        boot_id: BootId,
        seed: u64,
        hard_state: HardState,
        configuration: Configuration,
    ) -> Self {
        Self {
            boot_id,
            seed,
            hard_state,
            configuration,
            first: LogIndex(1),
            last: LogIndex::ZERO,
            terms: Vec::new(),
            applied: LogIndex::ZERO,
            last_stamp: 0,
        }
    }

    /// The same with a log on disk: `terms` says where each term begins, `last` where it ends,
    /// `last_stamp` is the stamp of its last entry.
    #[must_use]
    pub fn with_log(mut self, terms: Vec<TermRun>, last: LogIndex, last_stamp: u64) -> Self {
        self.terms = terms;
        self.last = last;
        self.last_stamp = last_stamp;
        self
    }

    /// The same with a machine that durably holds the effects up to `applied`.
    #[must_use]
    pub const fn with_applied(mut self, applied: LogIndex) -> Self {
        self.applied = applied;
        self
    }
}
