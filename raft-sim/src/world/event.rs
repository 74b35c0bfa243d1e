//! Kinds of events: everything that can be popped from the queue.
//!
//! **Intuition.** An event names where it happens and what it belongs to (a boot, a write, an
//! attempt), so that one that comes too late is recognised and dropped.
//! **Source.** Ours.
//! **Upholds.** `inv:pure`.
//! **Not here.** What each does (`mod.rs`, `host.rs`, `phases.rs`).

use raft_core::Term;

use super::snapshots::Shipment;
use crate::{
    process::{Ns, Process, Snapshot},
    workload::{client::Request, history::Response},
};

/// A message under way.
#[derive(Clone, Debug)]
pub(crate) struct Flight<M> {
    /// Sender, by position.
    pub(crate) from: u8,
    /// Receiver, by position.
    pub(crate) to: u8,
    /// It is an extra copy.
    pub(crate) copy: bool,
    /// It has been kept by a clogged link and counts there.
    pub(crate) kept: bool,
    /// The boot that sent it.
    pub(crate) boot: u64,
    /// The sender's term.
    pub(crate) term: Term,
    /// Its place among all messages sent.
    pub(crate) number: u64,
    /// What it says.
    pub(crate) message: M,
}

/// One event.
#[derive(Debug)]
pub(crate) enum Event<P: Process> {
    /// A message arrives.
    Deliver(Flight<P::Message>),
    /// A timer may be due.
    Timer { node: u8, generation: u32 },
    /// A write is complete on disk.
    WriteDone { node: u8, boot: u64, sequence: u64 },
    /// A process that stood still learns of a completed write.
    WriteTold { node: u8, boot: u64, ack: P::Ack },
    /// Entries read from disk are there.
    ReadDone { node: u8, boot: u64, id: u64, first: u64, last: u64, bytes_max: u64 },
    /// The machine has finished the batch at the head of the apply lane.
    ApplyDone { node: u8, boot: u64, batch: u64 },
    /// A node starts from its disk.
    Boot { node: u8, again_after: Ns, down: Ns },
    /// A node dies again while recovering.
    KillAgain { node: u8, boot: u64, down: Ns },
    /// The fault at this place in the schedule begins.
    Fault { at: u32 },
    /// The cut with this number ends.
    CutEnds { number: u32 },
    /// A client goes on: its next operation, or its next attempt.
    ClientWakes { client: u32, attempt: u64 },
    /// A client's attempt takes too long.
    ClientTimeout { client: u32, attempt: u64 },
    /// A request arrives at a node.
    Request(Request),
    /// An answer arrives at a client.
    Response(Response),
    /// The time of a phase is up.
    PhaseLimit { phase: u8 },
    /// A snapshot that was written in the background is done.
    SnapshotDone { node: u8, boot: u64, id: u64, snapshot: Box<Snapshot> },
    /// A snapshot arrives at a peer.
    SnapshotArrives(Box<Shipment>),
    /// A snapshot did not reach its peer, and its sender learns it.
    ShipFailed { node: u8, boot: u64, id: u64 },
    /// The operator looks after machines that failed.
    Operator,
}

impl<P: Process> Event<P> {
    /// Number in digests. Frozen.
    pub(crate) const fn code(&self) -> u64 {
        match self {
            Self::Deliver(_) => 1,
            Self::Timer { .. } => 2,
            Self::WriteDone { .. } => 3,
            Self::WriteTold { .. } => 4,
            Self::ReadDone { .. } => 5,
            Self::ApplyDone { .. } => 6,
            Self::Boot { .. } => 7,
            Self::KillAgain { .. } => 8,
            Self::Fault { .. } => 9,
            Self::CutEnds { .. } => 10,
            Self::ClientWakes { .. } => 11,
            Self::ClientTimeout { .. } => 12,
            Self::Request(_) => 13,
            Self::Response(_) => 14,
            Self::PhaseLimit { .. } => 15,
            Self::SnapshotArrives(_) => 16,
            Self::ShipFailed { .. } => 17,
            Self::SnapshotDone { .. } => 18,
            Self::Operator => 19,
        }
    }
}
