//! A plan: which kinds of trouble a run has and how much of each.
//!
//! **Intuition.** A plan is what the seed decides before anything happens: sizes, tunables, and
//! one intensity for each fault axis. All numbers are integers; durations are nanoseconds of world
//! time, probabilities are parts per 2^32, clock rates parts per billion.
//! **Source.** Ranges from the simulators' survey in docs/ARCHITECTURE.md; swarm testing.
//! **Upholds.** `inv:pure` (no floats).
//! **Not here.** Drawing one (`swarm.rs`), times of single faults (`schedule.rs`).

use serde::{Deserialize, Serialize};

use crate::process::Ns;

/// A probability in units of 2^-32. `Chance(0)` never, `Chance(u32::MAX)` all but always.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Chance(pub u32);

macro_rules! axes {
    ($($(#[$doc:meta])* $variant:ident => $name:literal),+ $(,)?) => {
        /// The axes of trouble a plan can switch on.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Axis { $($(#[$doc])* $variant),+ }
        impl Axis {
            /// All axes, in the order of reports.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];
            /// Name in flags and reports.
            #[must_use]
            pub const fn name(self) -> &'static str { match self { $(Self::$variant => $name),+ } }
        }
    };
}

axes! {
    /// Messages are lost.
    Loss => "loss",
    /// Messages are delivered more than once, some copies late.
    Duplicate => "duplicate",
    /// One-way delays beyond the base.
    Delay => "delay",
    /// Single messages are held for a long time.
    Hold => "hold",
    /// A link stops and later delivers what it kept.
    Clog => "clog",
    /// The network splits.
    Partition => "partition",
    /// A process is killed; its disk keeps all that was written.
    Crash => "crash",
    /// Power loss: what was not synced may be gone.
    PowerLoss => "power-loss",
    /// All nodes lose power at once.
    ClusterPowerLoss => "cluster-power-loss",
    /// A process stands still and then catches up.
    Pause => "pause",
    /// Clocks run fast or slow.
    Drift => "drift",
    /// Disks take time, and stall.
    DiskLatency => "disk-latency",
    /// Writes complete out of order.
    DiskReorder => "disk-reorder",
    /// One node's disk and apply are slow throughout.
    SlowNode => "slow-node",
    /// Snapshots are taken often; taking and sending one may fail.
    Snapshots => "snapshots",
    /// Members are added, removed, promoted and demoted; settings change.
    Membership => "membership",
    /// Leadership is handed over, given up, and asked for.
    Leadership => "leadership",
    /// Nodes are of different protocol levels, and change them one by one.
    MixedVersions => "mixed-versions",
    /// A command makes every machine fail, and the cluster must agree to pass over it.
    Poison => "poison",
    /// A disk is lost for good, and its node replaced by a new life.
    Replace => "replace",
}

impl Axis {
    /// Whether it is drawn by itself, once in so many plans (0 for never: only where it is asked
    /// for), rather than by every second one: it changes what a run is about.
    #[must_use]
    pub const fn rare(self) -> Option<u64> {
        match self {
            Self::MixedVersions | Self::Poison => Some(16),
            // Not drawn yet: a member that missed the new life's addition refuses it as a leader
            // and as a candidate (docs/STATUS.md).
            Self::Replace => Some(0),
            _ => None,
        }
    }

    /// The axes of [`Axis::ALL`] that are not rare; they come first.
    #[must_use]
    pub fn common() -> &'static [Self] {
        let count = Self::ALL.iter().take_while(|axis| axis.rare().is_none()).count();
        &Self::ALL[..count]
    }
}

/// Tunables given to the processes; the system maps them to its own options.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Knobs {
    /// `E`: the base (minimum) election timeout.
    pub election_ns: Ns,
    /// Timeouts are drawn from `[election_ns, election_ns + election_jitter_ns]`.
    pub election_jitter_ns: Ns,
    /// Heartbeat period.
    pub heartbeat_ns: Ns,
    /// Pre-Vote.
    pub pre_vote: bool,
    /// Check-quorum and leader stickiness.
    pub check_quorum: bool,
    /// Appends in flight to one peer.
    pub inflight_messages: u32,
    /// Payload bytes in flight to one peer.
    pub inflight_bytes: u64,
    /// Entries in one append.
    pub append_entries: u32,
    /// Payload bytes in one append.
    pub append_bytes: u64,
    /// Writes open at once.
    pub persist_inflight: u32,
    /// Entries handed to apply at once.
    pub apply_inflight: u32,
    /// Payload bytes of log held in memory beyond what must be.
    pub tail_bytes: u64,
    /// Leases, from the founding on.
    #[serde(default, skip_serializing_if = "is_default")]
    pub lease: bool,
    /// Bound on each clock's rate error that leases count with, in millionths; 0 for 1,000.
    #[serde(default, skip_serializing_if = "is_default")]
    pub clock_error_ppm: u32,
}

impl Knobs {
    /// The bound on clocks in force.
    #[must_use]
    pub const fn clock_error(&self) -> u32 {
        if self.clock_error_ppm == 0 { 1_000 } else { self.clock_error_ppm }
    }
}

/// Trouble in the network.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NetPlan {
    /// Every message takes at least this long.
    pub delay_min_ns: Ns,
    /// Mean of the exponential part of the delay.
    pub delay_mean_ns: Ns,
    /// Chance of a tail delay, and its range.
    pub tail: Chance,
    /// Shortest tail delay.
    pub tail_min_ns: Ns,
    /// Longest tail delay.
    pub tail_max_ns: Ns,
    /// Chance of loss for one message.
    pub loss: Chance,
    /// Mean length of a burst of losses in messages; 0 or 1 for independent losses.
    pub loss_burst: u32,
    /// Chance of extra copies.
    pub duplicate: Chance,
    /// Most extra copies, 1 to 3.
    pub duplicate_max: u32,
    /// Half of the copies come this late at most.
    pub duplicate_late_ns: Ns,
    /// Chance of being held.
    pub hold: Chance,
    /// Longest hold.
    pub hold_max_ns: Ns,
}

/// Trouble on disks.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiskPlan {
    /// Every write takes at least this long.
    pub latency_min_ns: Ns,
    /// Mean of the exponential part.
    pub latency_mean_ns: Ns,
    /// Chance of a stall.
    pub stall: Chance,
    /// Shortest stall.
    pub stall_min_ns: Ns,
    /// Longest stall.
    pub stall_max_ns: Ns,
    /// Whether writes may complete out of order (else completions keep their order).
    pub reorder: bool,
    /// Mean time one entry takes to apply.
    pub apply_mean_ns: Ns,
    /// The slow node, 1-based; 0 for none.
    pub slow_node: u64,
    /// How many times slower it is.
    pub slow_factor: u32,
}

/// Timed trouble: mean gaps and durations; 0 switches an axis off.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TimedPlan {
    /// Mean gap between clogs of one link.
    pub clog_gap_ns: Ns,
    /// Mean length of a clog.
    pub clog_mean_ns: Ns,
    /// Messages a clogged link keeps; the rest is dropped.
    pub clog_capacity: u32,
    /// Mean gap between partitions.
    pub partition_gap_ns: Ns,
    /// Shortest partition.
    pub partition_min_ns: Ns,
    /// Mean of the exponential part on top.
    pub partition_mean_ns: Ns,
    /// Whether a partition drops what is under way.
    pub partition_drops: bool,
    /// Mean gap between crashes.
    pub crash_gap_ns: Ns,
    /// Longest time down (0 in 30 of 100).
    pub down_max_ns: Ns,
    /// Whether crashes may be process kills.
    pub kill: bool,
    /// Whether crashes may be power losses.
    pub power_loss: bool,
    /// Mean gap between power losses of the whole cluster.
    pub cluster_power_gap_ns: Ns,
    /// Whether a majority may be down at once.
    pub quorum_loss: bool,
    /// Mean gap between pauses.
    pub pause_gap_ns: Ns,
    /// Longest pause.
    pub pause_max_ns: Ns,
    /// Largest clock rate error in parts per billion.
    pub drift_ppb: u32,
}

/// Snapshots; all 0 takes none.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SnapshotPlan {
    /// One is taken after this many applied entries.
    pub every_entries: u32,
    /// Entries kept below it.
    pub keep_entries: u32,
    /// Taking one fails once in this many times; 0 for never.
    pub fail_one_in: u32,
    /// A receiver has too much to do once in this many times; 0 for never.
    pub refuse_one_in: u32,
}

/// What operators do; a gap of 0 for nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OperatePlan {
    /// Mean gap between changes of membership or settings.
    pub change_gap_ns: Ns,
    /// Nodes beyond the first voters that may be added; ids follow theirs.
    pub spares: u32,
    /// Whether members without data may be added.
    pub witnesses: bool,
    /// Mean gap between requests about leadership.
    pub lead_gap_ns: Ns,
}

/// Protocol levels; with everything at its default all nodes are of the newest, and messages do
/// not travel as bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct VersionPlan {
    /// Nodes that start with the level before the newest, ascending.
    pub old: Vec<u64>,
    /// Mean gap between changes of level.
    pub gap_ns: Ns,
    /// Whether operators do what they were told not to: go back to a level that does not know
    /// what is in the log, and skip an entry while some node does not know what a skip is.
    pub hostile: bool,
    /// Whether healing ends with all nodes of the newest level. If not, that is so only where some
    /// log needs it.
    pub finish: bool,
}

/// Commands that no machine can apply; a gap of 0 for none.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PoisonPlan {
    /// Mean gap between them.
    pub gap_ns: Ns,
}

/// Disks that are lost for good; a gap of 0 for none.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplacePlan {
    /// Mean gap between them. Only one node at a time is replaced.
    pub gap_ns: Ns,
}

/// What clients do.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkPlan {
    /// Clients.
    pub clients: u32,
    /// Keys.
    pub keys: u32,
    /// Operations in all.
    pub ops: u32,
    /// Mean think time.
    pub think_mean_ns: Ns,
    /// Size of a burst, 0 for none.
    pub burst: u32,
    /// A client gives up on an attempt after this long.
    pub timeout_ns: Ns,
    /// Longest payload padding in bytes.
    pub padding: u32,
}

/// One plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// Profile it was drawn from.
    pub profile: String,
    /// Voters, ids 1 to this.
    pub voters: u32,
    /// Which stratum: `calm`, `single-axis`, `everything` or `swarm`.
    pub stratum: String,
    /// Axes that are on, by name, in the order of [`Axis::ALL`].
    pub axes: Vec<String>,
    /// Chaos ends after this much world time at the latest.
    pub chaos_ns: Ns,
    /// The run ends as inconclusive after this many events.
    pub events_max: u64,
    /// Whether only a random quorum is healed.
    pub heal_quorum_only: bool,
    /// Whether faults begin at once rather than after the first leader.
    pub chaos_from_start: bool,
    /// Tunables.
    pub knobs: Knobs,
    /// Network.
    pub net: NetPlan,
    /// Disks.
    pub disk: DiskPlan,
    /// Timed faults.
    pub timed: TimedPlan,
    /// Clients.
    pub work: WorkPlan,
    /// Snapshots.
    #[serde(default, skip_serializing_if = "is_default")]
    pub snapshots: SnapshotPlan,
    /// Operators.
    #[serde(default, skip_serializing_if = "is_default")]
    pub operate: OperatePlan,
    /// Protocol levels.
    #[serde(default, skip_serializing_if = "is_default")]
    pub versions: VersionPlan,
    /// Commands that no machine can apply.
    #[serde(default, skip_serializing_if = "is_default")]
    pub poison: PoisonPlan,
    /// Lost disks.
    #[serde(default, skip_serializing_if = "is_default")]
    pub replace: ReplacePlan,
}

/// What a plan does not say stays unsaid when it is written again.
fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

impl Plan {
    /// All nodes: the first voters, then the spares.
    #[must_use]
    pub const fn nodes(&self) -> u32 {
        self.voters + self.operate.spares
    }

    /// Whether `axis` is on.
    #[must_use]
    pub fn has(&self, axis: Axis) -> bool {
        self.axes.iter().any(|name| name == axis.name())
    }
}
