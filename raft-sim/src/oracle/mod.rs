//! Oracles: what must always be true, judged after every event from what anyone can see.
//!
//! **Intuition.** The world tells each fact once, as an [`Observation`]. Oracles keep their own
//! mirrors (logs in memory, logs on disk, everything ever committed) and compare only what the
//! fact touched, so a check costs what changed, not what exists.
//! **Source.** Thesis Fig. 3.2 for the safety properties; the rest as listed in
//! docs/INVARIANTS.md.
//! **Upholds.** One [`OracleId`] an invariant.
//! **Not here.** Who reports (`world/`), linearizability (`lin/`).

mod append_only;
mod apply;
mod bounded;
mod chain;
mod committed;
mod completeness;
mod configuration;
mod contacts;
mod convergence;
mod durable;
mod election;
mod lane_order;
mod lease_bound;
mod liveness;
mod log_matching;
mod mirrors;
mod monotone;
mod nothing_lost;
mod only_voters;
mod ops;
mod panel;
mod persist_before_send;
mod pure;
mod quorum_at_election;
mod read_freshness;
mod snapshot;
pub mod sometimes;
#[cfg(test)]
mod testkit;
mod vote;

pub use panel::{OracleSetup, Oracles};

use core::fmt;

use raft_core::{LogIndex, LogPosition, NodeId, Role, SnapshotMeta, Term};

use crate::{
    fault::schedule::Operation,
    process::{EntryId, HardRecord, MessageLabel, NodeView, Ns, view::Changed},
    workload::reads::Level,
};

macro_rules! oracle_ids {
    ($($(#[$doc:meta])* $variant:ident => $name:literal),+ $(,)?) => {
        /// Names of the invariants, stable for ever.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum OracleId { $($(#[$doc])* $variant),+ }

        impl OracleId {
            /// Every oracle, in the order of docs/INVARIANTS.md.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The id as written in docs, traces and reports.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name),+ }
            }
        }
    };
}

oracle_ids! {
    /// At most one reign per term.
    ElectionSafety => "election-safety",
    /// At most one vote per node and term, across restarts.
    OneVotePerTerm => "one-vote-per-term",
    /// At election a quorum holds (term, vote = leader) durably.
    LeaderHoldsDurableQuorum => "leader-holds-durable-quorum",
    /// Term always, commit and applied within a boot, match within a reign only rise.
    Monotone => "monotone",
    /// A leader never removes or rewrites its own entries.
    LeaderAppendOnly => "leader-append-only",
    /// Same index and term, same entry and same prefix.
    LogMatching => "log-matching",
    /// A leader holds everything committed in earlier terms.
    LeaderCompleteness => "leader-completeness",
    /// What is committed at an index never changes.
    CommittedImmutable => "committed-immutable",
    /// What is committed is on the disks of a quorum.
    CommittedDurable => "committed-durable",
    /// A message leaves only when what it promises is durable.
    PersistBeforeSend => "persist-before-send",
    /// Apply is contiguous, once, and equal everywhere.
    ApplyOnceInOrder => "apply-once-in-order",
    /// A snapshot holds what the log up to it decided: position, machine, configuration.
    SnapshotAgrees => "snapshot-agrees",
    /// Neighbouring configurations share a quorum, and one is committed before the next begins.
    ConfigurationSafety => "configuration-safety",
    /// Elections and commits are backed by what the right voters told the leader.
    OnlyVotersCount => "only-voters-count",
    /// No lease outlives the promises it stands on, and no promise is broken or shortened.
    LeaseBound => "lease-bound",
    /// A read sees everything acknowledged before it began.
    ReadFreshness => "read-freshness",
    /// Queues and windows stay within their limits.
    Bounded => "bounded",
    /// Lanes keep their order; nothing is asked for that is not there.
    LaneOrder => "lane-order",
    /// Same inputs, same outputs.
    Pure => "pure",
    /// After healing all members of the core agree.
    Converges => "converges",
    /// After healing the cluster makes progress in bounded time.
    Live => "live",
    /// No acknowledged write is lost, none half applied, none applied after a definite refusal.
    NothingLost => "nothing-lost",
    /// What clients saw is linearizable.
    Linearizable => "linearizable",
}

impl fmt::Display for OracleId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A broken invariant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Which.
    pub oracle: OracleId,
    /// Number of the event after which it was seen.
    pub event: u64,
    /// World time of that event.
    pub at: Ns,
    /// The node it was seen at, if one.
    pub node: Option<NodeId>,
    /// One sentence with the evidence.
    pub reason: String,
}

/// What an oracle found, before the panel adds when.
#[derive(Debug)]
struct Broken {
    oracle: OracleId,
    node: Option<NodeId>,
    reason: String,
}

/// The result of one check. The error is boxed so that the good case costs one word.
type Check = Result<(), Box<Broken>>;

/// Reports `oracle` as broken at `node`.
#[cold]
fn broken(oracle: OracleId, node: impl Into<Option<NodeId>>, reason: String) -> Check {
    Err(Box::new(Broken { oracle, node: node.into(), reason }))
}

/// Phases of a run, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Phase {
    /// Faults and clients.
    Chaos,
    /// Healed; waiting for a leader and a committed probe.
    Settle,
    /// Clients finish.
    Drain,
    /// Everyone catches up.
    Quiesce,
    /// Every key is read once.
    FinalReads,
}

/// A snapshot as part of a write.
#[derive(Clone, Copy, Debug)]
pub struct Published<'a> {
    /// Index of the last entry it stands for.
    pub index: LogIndex,
    /// The entries it stands for.
    pub ids: &'a [EntryId],
    /// Whether the log above it stays.
    pub keep_log: bool,
}

/// One fact about the run. Nodes are named by [`NodeId`]; `boot` counts starts of that node.
///
/// Facts of one turn of a node come in this order: its log, its view, then its outputs as polled.
/// Writes that a crash lets survive become durable in the event of the crash, before it.
#[derive(Clone, Copy, Debug)]
pub enum Observation<'a> {
    /// A process started from its disk.
    Booted {
        /// Which node.
        node: NodeId,
        /// Which start.
        boot: u64,
        /// Hard state on the disk.
        hard: HardRecord,
        /// The log on the disk.
        log: &'a [EntryId],
        /// Its view right after boot.
        view: &'a NodeView,
    },
    /// A process is gone; its disk keeps `hard` and `log`.
    Crashed {
        /// Which node.
        node: NodeId,
        /// Hard state left on the disk.
        hard: HardRecord,
        /// The log left on the disk.
        log: &'a [EntryId],
        /// How many handed-out writes did not survive.
        writes_lost: u64,
        /// Power was lost (writes may be gone), rather than the process killed.
        power_loss: bool,
    },
    /// Of the writes a power loss took, this many had been acknowledged above a hole: the
    /// contract allows it, recovery must bear it. Follows `Crashed` when `count` is not 0.
    AckedWritesLost {
        /// Which node.
        node: NodeId,
        /// How many.
        count: u64,
    },
    /// A view changed.
    View {
        /// Which node.
        node: NodeId,
        /// Which start.
        boot: u64,
        /// What may differ.
        changed: Changed,
        /// Before.
        before: &'a NodeView,
        /// After.
        after: &'a NodeView,
    },
    /// The in-memory log from `from` on is now `entries` (comes before the `View` of the step).
    Log {
        /// Which node.
        node: NodeId,
        /// Lowest index touched.
        from: LogIndex,
        /// Everything from there to the end.
        entries: &'a [EntryId],
        /// Whether the node led before and after the step, in the same term.
        leading: bool,
    },
    /// A write was handed out. `sequence` counts writes of this boot from 1.
    PersistHanded {
        /// Which node.
        node: NodeId,
        /// Number within the boot.
        sequence: u64,
        /// New hard state.
        hard: Option<HardRecord>,
        /// Truncation.
        truncate_from: Option<LogIndex>,
        /// Appended entries.
        entries: &'a [EntryId],
        /// The snapshot it publishes, before the log's part.
        snapshot: Option<Published<'a>>,
    },
    /// A write joined the longest complete prefix on disk: it survives any crash from here on.
    PersistDurable {
        /// Which node.
        node: NodeId,
        /// Number within the boot.
        sequence: u64,
        /// New hard state.
        hard: Option<HardRecord>,
        /// Truncation.
        truncate_from: Option<LogIndex>,
        /// Appended entries.
        entries: &'a [EntryId],
        /// The snapshot it publishes, before the log's part.
        snapshot: Option<Published<'a>>,
    },
    /// A message was handed to the network.
    Sent {
        /// Sender.
        node: NodeId,
        /// Destination.
        to: NodeId,
        /// What it says.
        label: &'a MessageLabel,
    },
    /// A message was delivered that is an extra copy, or whose sender has crashed since it was
    /// sent. Ordinary deliveries are not reported.
    LateDelivery {
        /// Receiver.
        node: NodeId,
        /// Sender.
        from: NodeId,
        /// The sender's term when it was sent.
        term: Term,
        /// It is an extra copy.
        copy: bool,
        /// The boot that sent it is over.
        sender_gone: bool,
    },
    /// A message reached a process, which takes it in next.
    Delivered {
        /// Receiver.
        node: NodeId,
        /// Sender.
        from: NodeId,
        /// What it says.
        label: &'a MessageLabel,
    },
    /// Entries were handed out for apply (lane A).
    ApplyHanded {
        /// Which node.
        node: NodeId,
        /// First and last index.
        first: LogIndex,
        /// Last index.
        last: LogIndex,
    },
    /// An entry was applied; `machine` is the digest of the machine's state after it.
    Applied {
        /// Which node.
        node: NodeId,
        /// Which entry.
        entry: EntryId,
        /// Digest of the machine's state after it.
        machine: u64,
    },
    /// The log in memory begins after this position now; the entries before it are `ids` where a
    /// snapshot put them there.
    Based {
        /// Which node.
        node: NodeId,
        /// After which position.
        base: LogPosition,
        /// What the snapshot stands for, as far as the host knows one of that position.
        ids: &'a [EntryId],
    },
    /// The machine was captured for a snapshot.
    SnapshotCaptured {
        /// Which node.
        node: NodeId,
        /// What the process says it stands for.
        meta: &'a SnapshotMeta,
        /// Digest of the machine.
        machine: u64,
    },
    /// A snapshot was handed out for the machine to become (lane A).
    InstallHanded {
        /// Which node.
        node: NodeId,
        /// Its index.
        index: LogIndex,
    },
    /// The machine became a snapshot.
    Installed {
        /// Which node.
        node: NodeId,
        /// Its index.
        index: LogIndex,
        /// Digest of the machine, if the snapshot has data.
        machine: Option<u64>,
    },
    /// A configuration is about to be written as this entry. Comes before the view of the step in
    /// which the node handed it out.
    ConfigurationWritten {
        /// Which entry.
        entry: EntryId,
        /// Its voters; while joint, of the new half.
        voters: &'a [NodeId],
        /// While joint, the voters of the old half.
        outgoing: &'a [NodeId],
    },
    /// Entries of the durable log were asked for.
    ReadEntries {
        /// Which node.
        node: NodeId,
        /// First index.
        first: LogIndex,
        /// Last index.
        last: LogIndex,
    },
    /// A process announced a role (lane A).
    RoleChanged {
        /// Which node.
        node: NodeId,
        /// Role.
        role: Role,
        /// Term.
        term: Term,
    },
    /// A client's operation began. `op` is unique in the run.
    OpInvoked {
        /// Operation.
        op: u64,
        /// A read?
        read: bool,
    },
    /// A node accepted the proposal or the read of `op`.
    OpAccepted {
        /// Operation.
        op: u64,
        /// Where.
        node: NodeId,
    },
    /// A node accepted the read of `op` because of its lease.
    LeaseRead {
        /// Operation.
        op: u64,
        /// Where.
        node: NodeId,
    },
    /// A node says that the read of `op` may be answered.
    ReadReady {
        /// Operation.
        op: u64,
        /// Where.
        node: NodeId,
        /// At which level it was asked for.
        level: Level,
        /// From which state on.
        index: LogIndex,
        /// The least index its asker named.
        least: LogIndex,
        /// How old, by its own clock, the node says that what it has may be.
        staleness: Option<Ns>,
        /// That is more than its asker bears.
        refused: bool,
    },
    /// The command of `op` was applied at a node as the entry at `index`.
    OpApplied {
        /// Operation.
        op: u64,
        /// Index of its entry.
        index: LogIndex,
    },
    /// The client learnt the result of `op`; `index` is the entry's, or the state a read saw.
    OpReturned {
        /// Operation.
        op: u64,
        /// A read?
        read: bool,
        /// Index of the entry or of the state read.
        index: LogIndex,
    },
    /// The client learnt for certain that `op` has no effect.
    OpRefused {
        /// Operation.
        op: u64,
    },
    /// The client gave up on `op` without knowing.
    OpUnknown {
        /// Operation.
        op: u64,
    },
    /// A node gave up on the accepted read of `op`: nothing was read.
    ReadFailed {
        /// Operation.
        op: u64,
        /// Where.
        node: NodeId,
    },
    /// The compare-and-set of `op` was answered: the key did not hold the expected value.
    CasFailed {
        /// Operation.
        op: u64,
    },
    /// An operator's request was made.
    Operated {
        /// What for.
        what: &'a Operation,
        /// Whether the node asked took it.
        accepted: bool,
        /// Whether a transfer that was under way there ended by it.
        displaced: bool,
    },
    /// A ticket ended twice, or never-issued ids came back, or a lane was broken: the host saw
    /// the contract broken and says how.
    ContractBroken {
        /// Which node.
        node: NodeId,
        /// How.
        how: &'a str,
    },
    /// A shadow instance agreed with the original `steps` times since the last such report.
    ShadowAgreed {
        /// Which node.
        node: NodeId,
        /// How many comparisons were equal.
        steps: u64,
    },
    /// A shadow instance differed from the original.
    ShadowDiffered {
        /// Which node.
        node: NodeId,
        /// Field or output that differed.
        what: &'a str,
    },
    /// A process halted itself or refused to boot although its disk is intact.
    Stopped {
        /// Which node.
        node: NodeId,
        /// Why, in its words.
        why: &'a str,
    },
    /// The disk of a node that is down is gone for good. What comes back under its id is the
    /// next life, to be taken for another node.
    DiskLost {
        /// Which node.
        node: NodeId,
    },
    /// A state worth reaching was reached that only the world can tell.
    Met {
        /// Which.
        mark: sometimes::Mark,
    },
    /// A phase ended: its goal was reached, or its time ran out.
    PhaseEnded {
        /// Which.
        phase: Phase,
        /// Whether its goal was reached.
        reached: bool,
        /// Whether the core could have reached it: a quorum of intact logs.
        recoverable: bool,
        /// What is missing, for people.
        missing: &'a str,
    },
    /// At the end: a member of the healed core with its digest of applied state.
    Final {
        /// Which node.
        node: NodeId,
        /// Applied index.
        applied: LogIndex,
        /// Digest of the machine's state.
        machine: u64,
        /// Its view.
        view: &'a NodeView,
    },
}
