//! The process under test: one trait that any sans-IO Raft can stand behind.
//!
//! **Intuition.** The simulator owns clock, network, disk and clients. A process is a value that
//! takes one input at a time and hands out work; everything it can observe of the world comes in
//! through [`Process::step`], so a run is a function of what the simulator feeds it.
//! **Source.** Ours; the call shapes are those of `raft_core::Node`.
//! **Upholds.** `inv:pure` (a shadow clone fed the same inputs must hand out the same work).
//! **Not here.** The systems themselves (`core.rs`, `naive/`), what oracles see (`view.rs`),
//! execution of the work (`world/host.rs`).

pub mod core;
mod label;
pub mod letter;
pub mod naive;
mod operate;
pub mod options;
pub mod view;

use ::core::fmt;
use std::sync::Arc;

use bytes::Bytes;
use raft_core::{
    ClusterId, DisableReason, EntryKind, Incarnation, LogIndex, LogPosition, NodeId, RecoveryEpoch,
    Role, SnapshotMeta, Term, payload_digest,
};

use crate::{
    fault::schedule::Operation,
    trace::digest::Digest,
    workload::{kv::Machine, reads::Wanted},
};
pub use label::{Claim, MessageKind, MessageLabel};
pub use letter::Wording;
pub use view::{Changed, NodeView, PeerView};

/// Nanoseconds. World time counts from the start of the run; a node's local time is its own.
pub type Ns = u64;

/// What a system says of itself. Oracles and faults follow: nothing is demanded that was not
/// promised, and nothing promised goes unchecked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Promises {
    /// Votes, acknowledgements and requests leave only when what they state is durable.
    pub persist_before_send: bool,
    /// Reads handed out as ready are linearizable.
    pub linearizable_reads: bool,
    /// Pre-Vote and check-quorum: progress under partial partitions.
    pub partial_partition_progress: bool,
    /// Queues and windows stay within the limits the view states.
    pub bounded: bool,
    /// Same inputs, same outputs.
    pub pure: bool,
    /// Old entries leave memory and are read back from disk. Nothing is judged by it; campaigns
    /// demand that it was seen.
    pub reads_log_back: bool,
    /// Membership changes, snapshots, transfers: what operators ask for. Nothing is judged by it.
    pub operable: bool,
    /// A leader commits on its peers' disks while its own is still writing. Nothing is judged by
    /// it; campaigns demand that it was seen.
    pub commits_ahead_of_disk: bool,
}

impl Promises {
    /// Everything; what `raft-core` promises.
    pub const ALL: Self = Self {
        persist_before_send: true,
        linearizable_reads: true,
        partial_partition_progress: true,
        bounded: true,
        pure: true,
        reads_log_back: true,
        commits_ahead_of_disk: true,
        operable: true,
    };
}

/// One log entry as the simulator sees it. Clones share the payload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Term and index.
    pub position: LogPosition,
    /// The system's own kind number; [`Entry::COMMAND`] carries a client command.
    pub kind: u8,
    /// Replicated nanoseconds written by the leader, 0 where the system has none.
    pub stamp: u64,
    /// The leader's label, 0 where the system has none.
    pub label: u64,
    /// The command, opaque.
    pub payload: Bytes,
}

impl Entry {
    /// The kind of an entry written at the start of a term.
    pub const NOOP: u8 = 0;
    /// The kind of an entry that carries a client command.
    pub const COMMAND: u8 = 1;

    /// What oracles compare: a hash over everything but the index.
    #[must_use]
    pub fn id(&self) -> EntryId {
        let kind = EntryKind(self.kind);
        let mut d = Digest::new();
        d.word(self.position.term.0);
        d.word(u64::from(kind.base().0));
        d.word(self.stamp);
        d.word(self.label);
        // A stub is the same entry: its payload is the digest of what it stands for.
        match <[u8; 8]>::try_from(&*self.payload) {
            Ok(digest) if kind.is_stub() => d.word(u64::from_le_bytes(digest)),
            _ => d.word(payload_digest(&self.payload)),
        }
        EntryId { position: self.position, hash: d.value() }
    }
}

/// An entry reduced to its position and a hash of its content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EntryId {
    /// Term and index.
    pub position: LogPosition,
    /// Hash of term, kind, stamp, label and payload.
    pub hash: u64,
}

/// The part of the durable state that is replaced as a whole. What a system does not have stays
/// at its default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HardRecord {
    /// Current term.
    pub term: Term,
    /// Whom this node voted for in `term`.
    pub vote: Option<NodeId>,
    /// Longest promise to a leader, in local nanoseconds; 0 for none.
    pub promise: Ns,
    /// The cluster it belongs to; 0 where the system has none yet.
    pub cluster: ClusterId,
    /// The recovery epoch.
    pub epoch: RecoveryEpoch,
    /// Why the node is out of service, if it is.
    pub disabled: Option<DisableReason>,
    /// A position the log is known to hold.
    pub mark: LogPosition,
    /// A leader gave this disk its first configuration.
    pub joined: bool,
}

/// A snapshot as the simulator keeps it: the machine itself, and the identity of every entry it
/// stands for, so that oracles see a log without a hole.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// What the system says of it.
    pub meta: SnapshotMeta,
    /// The machine at that index.
    pub machine: Arc<Machine>,
    /// The entries it stands for, entry `i` at index `i + 1`.
    pub ids: Arc<Vec<EntryId>>,
}

impl Snapshot {
    /// Index of the last entry it stands for.
    #[must_use]
    pub const fn index(&self) -> LogIndex {
        self.meta.index()
    }
}

/// The part of a write that publishes a snapshot.
#[derive(Clone, Debug)]
pub struct Publish {
    /// Which staged snapshot; `None` if there is no data to it.
    pub stage: Option<u64>,
    /// What it stands for.
    pub meta: SnapshotMeta,
    /// Whether the log above it stays.
    pub keep_log: bool,
}

/// What a disk holds when a process starts from it.
#[derive(Clone, Debug, Default)]
pub struct DiskImage {
    /// Hard state; the default before the first write.
    pub hard: HardRecord,
    /// The newest snapshot.
    pub snapshot: Option<Snapshot>,
    /// How many entries at the start of the log are gone: entry `i` has index `gone + i + 1`.
    pub gone: u64,
    /// What is left of the log.
    pub entries: Vec<Entry>,
}

impl DiskImage {
    /// Index of the first entry left.
    #[must_use]
    pub const fn first(&self) -> LogIndex {
        LogIndex(self.gone + 1)
    }

    /// Index of the last entry.
    #[must_use]
    pub fn last(&self) -> LogIndex {
        LogIndex(self.gone + self.entries.len() as u64)
    }
}

/// Everything a process is given when it starts.
#[derive(Clone, Debug)]
pub struct Start<'a> {
    /// Its own id, from 1.
    pub node: NodeId,
    /// The first voters, ascending; a node that is not among them starts without a configuration.
    pub voters: &'a [NodeId],
    /// The disk's life.
    pub incarnation: Incarnation,
    /// Which start of this node in the run, from 1.
    pub boot: u64,
    /// Seed of its private randomness: a keyed draw of (node, boot).
    pub seed: u64,
    /// Local time.
    pub now: Ns,
    /// Tunables drawn by the plan.
    pub knobs: &'a crate::fault::plan::Knobs,
    /// How often it takes snapshots.
    pub snapshots: &'a crate::fault::plan::SnapshotPlan,
    /// Largest command that will be proposed, in bytes.
    pub command_bytes_max: u64,
    /// The protocol level it is of, in a cluster of mixed versions: what nodes say then travels
    /// as bytes. `None` where all are of the newest.
    pub level: Option<u8>,
    /// Which of a family of systems this is ([`crate::system::System::variant`]).
    pub variant: u8,
    /// What the disk holds.
    pub image: &'a DiskImage,
}

/// Why a process refused to start. From a disk the simulated store considers intact this is a bug.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BootRefused(pub String);

/// A fact told to a process.
#[derive(Clone, Debug)]
pub enum Input<P: Process> {
    /// Time has passed; sent at [`Process::deadline`] at the latest.
    Tick,
    /// A message arrived.
    Receive {
        /// Who sent it, as the network knows.
        from: NodeId,
        /// What it says.
        message: P::Message,
    },
    /// A client's command.
    Propose(Bytes),
    /// A client's linearizable read.
    Read,
    /// A client's read at a chosen level.
    ReadWith(Wanted),
    /// A write is durable.
    Persisted(P::Ack),
    /// A write failed for good.
    PersistFailed(P::Ack),
    /// The machine has applied everything up to and including this index.
    Applied(LogIndex),
    /// The machine failed at this entry; everything before it is applied.
    ApplyFailed(LogIndex),
    /// Entries asked for with [`Effect::ReadEntries`].
    EntriesRead {
        /// The request's id.
        id: u64,
        /// A non-empty prefix of what was asked for.
        entries: Vec<Entry>,
    },
    /// The read could not be done now; ask again later.
    EntriesReadBusy {
        /// The request's id.
        id: u64,
    },
    /// An operator asks a leader to step down.
    StepDown,
    /// An operator's request of another kind.
    Operate(Operation),
    /// The snapshot asked for with [`Effect::TakeSnapshot`] is durable.
    SnapshotTaken {
        /// The request's id.
        id: u64,
        /// Digest of the machine.
        digest: u64,
        /// Its size.
        size_bytes: u64,
    },
    /// It could not be taken.
    SnapshotFailed {
        /// The request's id.
        id: u64,
    },
    /// The snapshot asked for with [`Effect::SendSnapshot`] has arrived.
    SnapshotSent {
        /// The request's id.
        id: u64,
    },
    /// It has not.
    SnapshotSendFailed {
        /// The request's id.
        id: u64,
        /// Because the receiver has too much to do.
        overloaded: bool,
    },
    /// A snapshot is staged here, whole and durable.
    SnapshotReceived {
        /// Its place in the staging area.
        stage: u64,
        /// What it stands for.
        meta: Box<SnapshotMeta>,
        /// Who sent it.
        from: NodeId,
        /// In which term.
        term: Term,
    },
}

/// What one step did.
#[derive(Clone, Debug, Default)]
pub struct Stepped {
    /// Which parts of the view may have changed.
    pub changed: Changed,
    /// The lowest log index that was removed or written, if the log changed.
    pub log_from: Option<LogIndex>,
    /// Answer to `Propose` and `Read`.
    pub answer: Option<Answer>,
}

/// The immediate answer to a proposal or a read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Accepted; it will end exactly once under this ticket (proposals and reads count apart).
    Accepted(u64),
    /// Refused for certain: no effect now or later.
    Refused {
        /// Why, as a stable short name (`not-leader`, `queue-full`, …).
        why: &'static str,
        /// Who leads, as this node believes.
        hint: Option<NodeId>,
    },
}

/// How an accepted proposal ended other than by being applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// Another entry was committed at its index: it has no effect, ever.
    Superseded,
    /// It may have taken effect or may still.
    Unknown(&'static str),
    /// It was never appended and never will be.
    Refused,
}

/// Work a process asks for.
#[derive(Clone, Debug)]
pub enum Effect<P: Process> {
    /// Lane W: make durable, all or nothing, in the order handed out.
    Persist {
        /// Comes back in `Persisted`.
        ack: P::Ack,
        /// New hard state, if it changed.
        hard: Option<HardRecord>,
        /// Remove this index and everything after it first.
        truncate_from: Option<LogIndex>,
        /// Then append these.
        entries: Vec<Entry>,
        /// Publish this snapshot with it, before the log's part.
        snapshot: Option<Box<Publish>>,
    },
    /// Send to a peer; may be lost.
    Send {
        /// Destination.
        to: NodeId,
        /// What to say.
        message: P::Message,
    },
    /// Lane A: apply, in order, one at a time.
    Apply {
        /// Contiguous from the last handed out.
        entries: Vec<Entry>,
        /// Ticket of the first entry if these were proposed here; the rest count up from it.
        first_ticket: Option<u64>,
        /// The cluster has agreed that no machine sees this one entry.
        skipped: bool,
    },
    /// A read may be evaluated on any state at or above `index`.
    ReadReady {
        /// The read's ticket.
        ticket: u64,
        /// Lowest state that may answer it.
        index: LogIndex,
        /// How long ago, by the node's own clock, it surely was in touch with a working leader.
        staleness: Option<Ns>,
    },
    /// A read ended without an answer; reads have no effect.
    ReadFailed {
        /// The read's ticket.
        ticket: u64,
    },
    /// `count` proposals from `first_ticket` ended without being applied here.
    Ended {
        /// First ticket.
        first_ticket: u64,
        /// How many.
        count: u64,
        /// How.
        how: Ending,
    },
    /// Give back entries of the durable log.
    ReadEntries {
        /// Comes back in `EntriesRead`.
        id: u64,
        /// First index wanted.
        first: LogIndex,
        /// Last index wanted.
        last: LogIndex,
        /// Stop after this many payload bytes (at least one entry).
        bytes_max: u64,
    },
    /// Lane A: the role is now this one.
    RoleChanged {
        /// The new role.
        role: Role,
        /// Its term.
        term: Term,
    },
    /// Lane A: capture the machine, make it durable, then `SnapshotTaken`.
    TakeSnapshot {
        /// Comes back with the result.
        id: u64,
        /// What it stands for.
        meta: Box<SnapshotMeta>,
    },
    /// Bring the newest snapshot to a peer.
    SendSnapshot {
        /// Comes back with the result.
        id: u64,
        /// To whom.
        to: NodeId,
        /// The term it is sent in.
        term: Term,
        /// Which snapshot.
        meta: Box<SnapshotMeta>,
    },
    /// Lane A: the machine becomes the published snapshot; then `Applied`.
    InstallSnapshot {
        /// Which.
        meta: Box<SnapshotMeta>,
    },
    /// A staged snapshot is not wanted.
    DiscardSnapshot {
        /// Its place.
        stage: u64,
    },
    /// Nothing up to this index is needed any more.
    CompactTo(LogIndex),
    /// A deferred proposal has this ticket from now on.
    Admitted {
        /// What it was accepted under.
        deferred: u64,
        /// What it will end under.
        ticket: u64,
    },
    /// A change or transfer ended.
    OperationEnded {
        /// Its ticket.
        ticket: u64,
        /// Whether in success.
        done: bool,
    },
    /// Fail-stop for this boot; the host restarts it from disk later.
    Halted(String),
    /// The machine that failed is to be made anew, and the process started again.
    Rebuild,
}

/// A process under test, between one boot and the next crash.
pub trait Process: Clone + fmt::Debug + Sized + 'static {
    /// What travels.
    type Message: Clone + fmt::Debug;
    /// Names a write.
    type Ack: Copy + PartialEq + fmt::Debug;

    /// Name for `--system` and traces.
    const NAME: &'static str;
    /// Version for traces.
    const VERSION: &'static str;

    /// What it promises.
    fn promises() -> Promises;

    /// Starts from a disk.
    ///
    /// # Errors
    /// When the durable state is impossible.
    fn boot(start: &Start<'_>) -> Result<Self, BootRefused>;

    /// Takes one input at local time `now`.
    fn step(&mut self, now: Ns, input: Input<Self>) -> Stepped;

    /// Hands out one piece of work. On an empty outbox it first builds all work due.
    fn poll(&mut self) -> Option<Effect<Self>>;

    /// What building the work has changed since the last step; asked for when all work is handed
    /// out.
    fn settled(&mut self) -> Stepped {
        Stepped::default()
    }

    /// When `Tick` is due at the latest, in local time.
    fn deadline(&self) -> Option<Ns>;

    /// Writes the visible state into `view`, reusing its buffers.
    fn view(&self, view: &mut NodeView);

    /// Appends to `out` the ids of the entries held in memory from `from` on. Entries that are not
    /// yet durable must all be there; older ones may have left memory and are skipped.
    fn log_from(&self, from: LogIndex, out: &mut Vec<EntryId>);

    /// Describes a message.
    fn label(message: &Self::Message) -> MessageLabel;

    /// How a message is said; `None` where all nodes speak alike.
    fn wording(message: &Self::Message) -> Option<Wording> {
        let _ = message;
        None
    }

    /// Folds everything a message says into `digest`.
    fn digest_message(message: &Self::Message, digest: &mut Digest);
}
