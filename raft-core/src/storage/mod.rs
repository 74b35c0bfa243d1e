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

use alloc::{boxed::Box, vec::Vec};
use core::fmt;

use crate::{
    config::Configuration,
    log::{Entry, TermRun},
    rng::mix,
    snapshot::meta::SnapshotMeta,
    types::{
        BootId, ClusterId, GroupId, Incarnation, LogIndex, LogPosition, NodeId, RecoveryEpoch, Term,
    },
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
    /// Why the node is disabled, if it is.
    pub disabled: Option<DisableReason>,
    /// A position the log was known to hold durably when this record was written, lowered with
    /// every cut: a log that ends below it lost acknowledged entries.
    pub mark: LogPosition,
    /// A leader gave this disk its first configuration. Unlike a founder's, such a disk may be the
    /// second life of a member whose votes and acknowledgements are forgotten: it has a vote only
    /// where the configuration states its life.
    pub joined: bool,
}

/// Why a node was durably disabled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum DisableReason {
    /// An operator asked for it; the number is the operator's.
    Operator(u64),
    /// The log holds an entry of a kind this version does not know.
    UnsupportedEntry {
        /// Where.
        index: LogIndex,
        /// Which kind.
        kind: u8,
    },
    /// A committed skip came after this machine had applied the entry.
    SkipAfterApply {
        /// The entry.
        index: LogIndex,
    },
    /// What this node promised or applied cannot be trusted any more: it must be added again as a
    /// new incarnation. A node disabled for this is quarantined.
    MustRejoin,
}

impl DisableReason {
    /// One number for a digest.
    pub(crate) fn word(self) -> u64 {
        match self {
            Self::Operator(number) => mix(1, number),
            Self::UnsupportedEntry { index, kind } => mix(mix(2, index.0), u64::from(kind)),
            Self::SkipAfterApply { index } => mix(3, index.0),
            Self::MustRejoin => 4,
        }
    }
}

impl fmt::Display for DisableReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Operator(number) => write!(f, "by an operator ({number})"),
            Self::UnsupportedEntry { index, kind } => {
                write!(f, "entry {index} of kind {kind} is not supported by this version")
            }
            Self::SkipAfterApply { index } => {
                write!(f, "the group skips entry {index}, which this machine had applied")
            }
            Self::MustRejoin => f.write_str("it must be added again as a new incarnation"),
        }
    }
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
            disabled: None,
            mark: LogPosition::ZERO,
            joined: false,
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
    /// The configuration the disk was born with; blank for an empty disk, and where there is a
    /// snapshot, whose configuration counts.
    pub configuration: Configuration,
    /// The newest valid snapshot, if there is one.
    pub snapshot: Option<Box<SnapshotMeta>>,
    /// Every entry above the snapshot whose kind [`EntryKind::is_mark`], ascending.
    ///
    /// [`EntryKind::is_mark`]: crate::EntryKind::is_mark
    pub marks: Vec<(LogPosition, Entry)>,
    /// First index of the log on disk: 1, or at most one above the snapshot.
    pub first: LogIndex,
    /// Last index of the log on disk; `first - 1` for an empty log.
    pub last: LogIndex,
    /// Where each term of the log begins, ascending.
    pub terms: Vec<TermRun>,
    /// Highest index whose effects the machine holds durably; 0 for a machine in memory.
    pub applied: LogIndex,
    /// Stamp of the last entry of the log; 0 for an empty log.
    pub last_stamp: u64,
    /// The highest index of the log whose kind [`EntryKind::is_stub`]; 0 if there is none.
    ///
    /// [`EntryKind::is_stub`]: crate::EntryKind::is_stub
    pub stubs: LogIndex,
    /// Label of the last entry of the log; `None` if it was not looked up, and then
    /// [`crate::Node::last_label`] does not know it either until an entry follows.
    pub last_label: Option<u64>,
    /// The indexes at or below `applied` that the machine was told to skip
    /// ([`crate::Apply::skipped`]); only those above the snapshot matter. Empty for a machine in
    /// memory.
    pub skipped: Vec<LogIndex>,
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
            snapshot: None,
            marks: Vec::new(),
            first: LogIndex(1),
            last: LogIndex::ZERO,
            terms: Vec::new(),
            applied: LogIndex::ZERO,
            last_stamp: 0,
            stubs: LogIndex::ZERO,
            last_label: Some(0),
            skipped: Vec::new(),
        }
    }

    /// The same with a log on disk: `terms` says where each term begins, `last` where it ends,
    /// `last_stamp` is the stamp of its last entry.
    #[must_use]
    pub fn with_log(mut self, terms: Vec<TermRun>, last: LogIndex, last_stamp: u64) -> Self {
        self.last_label = self.last_label.filter(|_| terms.is_empty());
        self.terms = terms;
        self.last = last;
        self.last_stamp = last_stamp;
        self
    }

    /// The same with the label of the log's last entry; give it after the log.
    #[must_use]
    pub const fn with_label(mut self, label: u64) -> Self {
        self.last_label = Some(label);
        self
    }

    /// The same with a machine on disk that skipped these indexes.
    #[must_use]
    pub fn with_skipped(mut self, skipped: Vec<LogIndex>) -> Self {
        self.skipped = skipped;
        self
    }

    /// A start from an empty disk that knows no group yet: quiet until it is bootstrapped or a
    /// leader sends it a snapshot.
    #[must_use]
    pub fn blank(boot_id: BootId, seed: u64, hard_state: HardState) -> Self {
        Self::new(boot_id, seed, hard_state, Configuration::default())
    }

    /// The same from a snapshot; the machine holds at least its effects. Give the log afterwards.
    #[must_use]
    pub fn with_snapshot(mut self, meta: SnapshotMeta) -> Self {
        self.first = meta.index().next();
        self.last = meta.index();
        self.last_stamp = meta.stamp;
        self.last_label = Some(meta.label);
        self.applied = meta.index();
        self.snapshot = Some(Box::new(meta));
        self
    }

    /// The same with the entries the core itself acts on.
    #[must_use]
    pub fn with_marks(mut self, marks: Vec<(LogPosition, Entry)>) -> Self {
        self.marks = marks;
        self
    }

    /// The same with stubs of a witness in the log, the last of them at `stubs`.
    #[must_use]
    pub const fn with_stubs(mut self, stubs: LogIndex) -> Self {
        self.stubs = stubs;
        self
    }

    /// The same with a machine that durably holds the effects up to `applied`.
    #[must_use]
    pub const fn with_applied(mut self, applied: LogIndex) -> Self {
        self.applied = applied;
        self
    }
}
