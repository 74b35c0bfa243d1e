//! A schedule: everything exceptional that will happen in a run, as data.
//!
//! **Intuition.** The schedule alone reproduces a run: client operations, timed faults with ids,
//! and those fates that differ from the ordinary. What it does not list happens the ordinary way,
//! drawn by key from `key`. It can be edited by hand: no line depends on another's position.
//! **Source.** Ours; docs/TRACE.md is normative.
//! **Upholds.** `inv:pure`.
//! **Not here.** Files (`trace/`), drawing (`swarm.rs`), carrying out (`world/`).

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use crate::{
    fault::plan::{Axis, Plan},
    process::Ns,
    random::prf::RunKey,
    trace::keep::Kept,
    workload::{kv::Call, reads::ReadHow},
};

/// One client operation: what client `client` does as its `number`-th, `think_ns` after the
/// previous one ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClientOp {
    /// Client, from 0.
    pub client: u32,
    /// Number within the client, from 0.
    pub number: u32,
    /// Pause before it.
    pub think_ns: Ns,
    /// What it does.
    pub call: Call,
    /// A read: how it is asked for.
    #[serde(default, skip_serializing_if = "ReadHow::is_ordinary")]
    pub how: ReadHow,
}

/// A fault that begins at a time. Kinds are an open enumeration: unknown ones are kept and
/// reported as not applied.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TimedFault {
    /// Id within the schedule; stable under edits.
    pub id: u64,
    /// World time it begins.
    pub at_ns: Ns,
    /// What happens.
    pub fault: Fault,
}

/// Kinds of timed faults.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(remote = "Self", tag = "kind", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Fault {
    /// One-way links `from → to` stop delivering until `for_ns` has passed.
    Cut {
        /// Shape it came from, for people (`isolate-one`, `bridge`, …).
        shape: String,
        /// Directed pairs that are cut. Empty with shape `isolate-leader`: all links of whoever
        /// leads at that moment.
        links: Vec<(u64, u64)>,
        /// How long.
        for_ns: Ns,
        /// Whether messages already under way on these links are dropped.
        drop_inflight: bool,
    },
    /// A link keeps its messages and delivers them at the end; above `capacity` they are dropped.
    Clog {
        /// Sender.
        from: u64,
        /// Receiver.
        to: u64,
        /// How long.
        for_ns: Ns,
        /// Messages kept.
        capacity: u32,
    },
    /// The process is killed; writes already handed to the disk complete.
    Kill {
        /// Node.
        node: u64,
        /// Time down.
        down_ns: Ns,
        /// Dies again while recovering, this long after its restart; 0 for no.
        again_after_ns: Ns,
    },
    /// Power loss: writes not yet complete are subject to the power-loss fate.
    PowerLoss {
        /// Nodes, all at the same instant.
        nodes: Vec<u64>,
        /// Time down of each, in the order of `nodes`.
        down_ns: Vec<Ns>,
    },
    /// The process stands still; inputs and timers wait.
    Pause {
        /// Node.
        node: u64,
        /// How long.
        for_ns: Ns,
    },
    /// An operator's request.
    Operate {
        /// Which node is asked; 0 for whoever leads at that moment.
        node: u64,
        /// What for.
        what: Operation,
    },
    /// The node is stopped, and started with the release of another protocol level.
    Relevel {
        /// Node.
        node: u64,
        /// Its level from now on.
        level: u8,
        /// Time down.
        down_ns: Ns,
        /// Even below the level of entries that are in some log already.
        #[serde(default, skip_serializing_if = "is_false")]
        hostile: bool,
    },
    /// The node stops and its disk is gone for good; an operator replaces it.
    LoseDisk {
        /// Node.
        node: u64,
    },
    /// The next command that any machine comes to makes every machine fail.
    Poison {},
    /// Anything this version does not know: kept as it is, applied as nothing, counted as refused.
    #[serde(skip)]
    Unknown(serde_json::Value),
}

/// What operators ask for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Operation {
    /// Add a member that does not vote.
    AddLearner {
        /// Who.
        member: u64,
        /// Without data.
        witness: bool,
    },
    /// Add a member that votes as soon as it has caught up.
    AddVoter {
        /// Who.
        member: u64,
        /// Without data.
        witness: bool,
        /// Which life of its disk; 0 for whichever is heard first.
        #[serde(default, skip_serializing_if = "is_zero")]
        life: u64,
    },
    /// Let a learner vote.
    Promote {
        /// Who.
        member: u64,
    },
    /// A voter stays as a learner.
    Demote {
        /// Who.
        member: u64,
    },
    /// A member leaves.
    Remove {
        /// Who.
        member: u64,
    },
    /// A voter drops its data.
    ToWitness {
        /// Who.
        member: u64,
    },
    /// All voters at once.
    ReplaceVoters {
        /// The new ones, ascending.
        voters: Vec<u64>,
        /// Leaving the joint configuration is a request of its own.
        explicit_leave: bool,
    },
    /// Leave a joint configuration.
    LeaveJoint,
    /// Append the configuration once more.
    Refresh,
    /// Other settings: election timeouts in percent of the plan's, leases on or off.
    Settings {
        /// Percent.
        election_percent: u32,
        /// Leases.
        lease: bool,
    },
    /// Hand leadership over; 0 for the best target.
    Transfer {
        /// To whom.
        to: u64,
        /// Instead of a transfer under way.
        replace: bool,
    },
    /// No transfer after all.
    CancelTransfer,
    /// Campaign now.
    Campaign {
        /// In a term at least so far above the node's own; 0 for the next.
        #[serde(default)]
        ahead: u64,
    },
    /// Step down.
    StepDown,
    /// Follow nobody.
    ForgetLeader,
    /// Election priority and whether the node may lead.
    Eligibility {
        /// 0 to 10.
        priority: u8,
        /// May it?
        can_lead: bool,
    },
    /// Leases on or off, and nothing else.
    Lease {
        /// On.
        on: bool,
    },
    /// Take a snapshot now.
    TakeSnapshot,
    /// Pass over the entry at which the machine failed.
    SkipEntry,
    /// What the store can take: 2 everything, 1 configurations only, 0 nothing.
    Capacity {
        /// Which.
        level: u8,
    },
    /// The transport cannot reach this peer.
    Unreachable {
        /// Which.
        peer: u64,
    },
    /// Out of service, or back.
    Disable {
        /// Out of service.
        off: bool,
    },
}

impl Operation {
    /// The axis it belongs to.
    #[must_use]
    pub const fn axis(&self) -> Axis {
        match self {
            Self::Transfer { .. }
            | Self::CancelTransfer
            | Self::Campaign { .. }
            | Self::Lease { .. }
            | Self::StepDown
            | Self::ForgetLeader
            | Self::Eligibility { .. } => Axis::Leadership,
            Self::TakeSnapshot => Axis::Snapshots,
            Self::SkipEntry => Axis::Poison,
            _ => Axis::Membership,
        }
    }
}

/// One exceptional fate, keyed by what it is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(remote = "Self", tag = "kind", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Exception {
    /// A message that is lost, copied, or takes another time than the ordinary.
    Message {
        /// Which message.
        id: MessageId,
        /// Lost altogether.
        #[serde(default, skip_serializing_if = "is_false")]
        lost: bool,
        /// Delay instead of the ordinary one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        delay_ns: Option<Ns>,
        /// Extra copies, each with its delay.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        copies_ns: Vec<Ns>,
    },
    /// A disk operation that takes another time than the ordinary.
    Disk {
        /// Which operation.
        id: DiskOpId,
        /// Latency instead.
        latency_ns: Ns,
    },
    /// What power loss leaves of a node's unfinished writes.
    PowerLoss {
        /// Node.
        node: u64,
        /// Which start of the node it ended.
        boot: u64,
        /// How many of the unfinished writes survive, as a prefix.
        keep: u64,
    },
    /// Anything this version does not know: kept, counted as not applied.
    #[serde(skip)]
    Unknown(serde_json::Value),
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for this shape")]
fn is_zero(n: &u64) -> bool {
    *n == 0
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for this shape")]
fn is_false(b: &bool) -> bool {
    !*b
}

/// Identity of a message: `nth` counts earlier messages with the same other fields since the
/// sender last changed role or booted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct MessageId {
    /// Sender.
    pub from: u64,
    /// Receiver.
    pub to: u64,
    /// Kind number.
    pub kind: u8,
    /// Sender's term.
    pub term: u64,
    /// First log index it is about.
    pub first: u64,
    /// Last log index it is about.
    pub last: u64,
    /// Which one of its like.
    pub nth: u64,
}

/// Identity of a disk operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct DiskOpId {
    /// Node.
    pub node: u64,
    /// Which start of the node.
    pub boot: u64,
    /// 1 write, 2 read, 3 apply.
    pub kind: u8,
    /// First index touched.
    pub first: u64,
    /// Last index touched.
    pub last: u64,
    /// Which one of its like in this boot.
    pub nth: u64,
}

/// Serialises the known kinds as derived and everything else as it came. A known kind with a
/// field that is missing or of a wrong type is an error, not an unknown kind.
macro_rules! open_kinds {
    ($name:ident, $what:literal) => {
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                match self {
                    Self::Unknown(value) => value.serialize(serializer),
                    known => Self::serialize(known, serializer),
                }
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let value = serde_json::Value::deserialize(deserializer)?;
                match value.get("kind").and_then(serde_json::Value::as_str) {
                    None => Err(D::Error::custom(concat!($what, " without a `kind`"))),
                    Some(kind) if Self::KINDS.contains(&kind) => {
                        let name = kind.to_owned();
                        Self::deserialize(value)
                            .map_err(|error| D::Error::custom(format!("{name}: {error}")))
                    }
                    Some(_) => Ok(Self::Unknown(value)),
                }
            }
        }
    };
}

open_kinds!(Fault, "a fault");
open_kinds!(Exception, "an exception");

impl Fault {
    /// Kinds this version knows.
    pub const KINDS: &'static [&'static str] = &[
        "cut",
        "clog",
        "kill",
        "power-loss",
        "pause",
        "operate",
        "relevel",
        "poison",
        "lose-disk",
    ];
}

impl Exception {
    /// Kinds this version knows.
    pub const KINDS: &'static [&'static str] = &["message", "disk", "power-loss"];
}

impl DiskOpId {
    /// A write of hard state, truncation and entries.
    pub const WRITE: u8 = 1;
    /// Reading entries back.
    pub const READ: u8 = 2;
    /// Applying entries to the machine.
    pub const APPLY: u8 = 3;
}

impl Schedule {
    /// The version this code writes and reads.
    pub const VERSION: u32 = 1;

    /// This schedule with every exceptional fate listed, so that it replays without the plan's
    /// laws. Exceptions of unknown kind stay.
    #[must_use]
    pub fn materialised(&self, exceptions: Vec<Exception>) -> Self {
        let unknown = self.exceptions.iter().filter(|e| matches!(e, Exception::Unknown(_)));
        let exceptions = exceptions.into_iter().chain(unknown.cloned()).collect();
        Self { drawn: false, exceptions, ..self.clone() }
    }
}

/// One schedule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Schedule {
    /// Format version; readers refuse another major version.
    pub version: u32,
    /// System it was made for.
    pub system: String,
    /// Seed token it came from, if any; information only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    /// Key of ordinary draws; as text 32 hex digits.
    pub key: RunKey,
    /// Sizes, tunables and laws of ordinary fates.
    pub plan: Plan,
    /// Whether exceptional fates are drawn by the plan's laws (a fresh seed) or only those listed
    /// below happen (a materialised schedule).
    pub drawn: bool,
    /// World time at which healing begins.
    pub heal_at_ns: Ns,
    /// Nodes of the core that is healed; all others stay down or cut off.
    pub core: Vec<u64>,
    /// Clock rate error of each node, parts per billion, node 1 first.
    pub drift_ppb: Vec<i64>,
    /// Client operations.
    pub ops: Vec<ClientOp>,
    /// Timed faults.
    pub faults: Vec<TimedFault>,
    /// Exceptional fates; only with `drawn: false`.
    #[serde(default)]
    pub exceptions: Vec<Exception>,
    /// Fields this version does not know, kept on rewrite.
    #[serde(flatten)]
    pub unknown: serde_json::Map<String, serde_json::Value>,
    /// Fields deeper inside that this version does not know, kept on rewrite by `trace/files.rs`.
    #[serde(skip)]
    pub kept: Kept,
}
