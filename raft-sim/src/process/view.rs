//! What a process shows of itself: the only state oracles may look at.
//!
//! **Intuition.** Oracles compare facts that every Raft has. A system fills one flat value; the
//! changed bits say which parts are worth comparing again.
//! **Source.** Ours; SEEDS' status in the small.
//! **Upholds.** Every per-event invariant reads it.
//! **Not here.** Log contents (`Process::log_from`), disks (`disk/`).

use raft_core::{LogIndex, LogPosition, NodeId, Role, Term};

/// Which parts of a [`NodeView`] may have changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Changed(pub u16);

impl Changed {
    /// Term.
    pub const TERM: Self = Self(1);
    /// Vote.
    pub const VOTE: Self = Self(1 << 1);
    /// Role or leader.
    pub const ROLE: Self = Self(1 << 2);
    /// Log content.
    pub const LOG: Self = Self(1 << 3);
    /// Durable index.
    pub const DURABLE: Self = Self(1 << 4);
    /// Commit index.
    pub const COMMIT: Self = Self(1 << 5);
    /// Applied index.
    pub const APPLIED: Self = Self(1 << 6);
    /// Progress of peers.
    pub const PEERS: Self = Self(1 << 7);
    /// Lifecycle.
    pub const LIFECYCLE: Self = Self(1 << 8);
    /// Queue sizes.
    pub const LOADS: Self = Self(1 << 9);
    /// The configuration in force.
    pub const CONFIGURATION: Self = Self(1 << 10);
    /// Where the log in memory begins.
    pub const BASE: Self = Self(1 << 11);
    /// Everything.
    pub const ALL: Self = Self(u16::MAX);

    /// Whether any of `other`'s bits are set.
    #[must_use]
    pub const fn any(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// Both.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// Progress of one peer as a leader sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PeerView {
    /// Whose.
    pub peer: NodeId,
    /// Highest index known to be durable there.
    pub matched: LogIndex,
    /// Next index to send.
    pub next: LogIndex,
    /// Appends on their way.
    pub inflight: u64,
    /// Payload bytes on their way.
    pub inflight_bytes: u64,
}

/// The sizes a process promises to bound, each with its limit; checked by `bounded`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Loads {
    /// Entries held in memory, and the most allowed.
    pub tail_entries: (u64, u64),
    /// Payload bytes held in memory, and the most allowed.
    pub tail_bytes: (u64, u64),
    /// Writes handed out and not yet acknowledged, and the most allowed.
    pub persists: (u64, u64),
    /// Open reads, and the most allowed.
    pub reads: (u64, u64),
    /// Entries handed to apply and not yet applied, and the most allowed.
    pub applying: (u64, u64),
    /// Appends on their way to any one peer (the largest), and the most allowed.
    pub inflight: (u64, u64),
    /// Outputs waiting to be polled, and the most allowed.
    pub outbox: (u64, u64),
    /// Proposals accepted and not ended, and the most allowed.
    pub proposals: (u64, u64),
    /// Proposals that wait to be appended (the longer of two queues), and the most allowed.
    pub deferred: (u64, u64),
    /// Payload bytes of those in both queues, and the most allowed.
    pub deferred_bytes: (u64, u64),
    /// Operations begun and not ended, and the most allowed.
    pub operations: (u64, u64),
}

/// The visible state of one process.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NodeView {
    /// Role.
    pub role: Role,
    /// Current term.
    pub term: Term,
    /// Vote in `term`.
    pub vote: Option<NodeId>,
    /// Who leads, as this node believes.
    pub leader: Option<NodeId>,
    /// Last log position, durable or not.
    pub last: LogPosition,
    /// Highest index durable here as the process knows.
    pub durable: LogIndex,
    /// Commit index.
    pub commit: LogIndex,
    /// Highest index the host reported as applied.
    pub applied: LogIndex,
    /// Halted for this boot.
    pub halted: bool,
    /// The position before the first entry the process knows: 0/0, or where a snapshot stands.
    pub base: LogPosition,
    /// Index of the entry that put the configuration in force; 0 where it came with the disk.
    pub configuration: LogIndex,
    /// The voters of the configuration in force (while joint, of the new half), ascending; none
    /// where the first voters never change, or none is known yet.
    pub voters: Vec<NodeId>,
    /// While joint, the voters of the old half.
    pub outgoing: Vec<NodeId>,
    /// All members that hold data, ascending.
    pub members: Vec<NodeId>,
    /// Progress, while leading; else empty. Ascending by peer.
    pub peers: Vec<PeerView>,
    /// Sizes and limits.
    pub loads: Loads,
}
