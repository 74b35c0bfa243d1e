//! A pure, deterministic, sans-IO Raft state machine.
//!
//! [`Node`] takes facts ([`Input`]) one at a time and hands out work ([`Output`]). It has no clock,
//! no IO, no threads and no randomness of its own: a run is the list of its steps, and replaying
//! the list replays the node. What makes it different: **outputs are safe by construction**.
//! Persist in the order handed out, apply in the order handed out, and do everything else whenever
//! you like, in parallel, late or never; whatever must come first was acknowledged before the
//! output appeared.
//!
//! # The driving loop
//!
//! ```
//! use raft_core::{Boot, Configuration, HardState, Input, Node, Options, Output};
//! use raft_core::{BootId, ClusterId, GroupId, Incarnation, Instant, NodeId};
//!
//! let me = HardState::new(ClusterId(7), GroupId(1), NodeId(1), Incarnation(1));
//! let voters = Configuration::new([NodeId(1)])?;
//! let boot = Boot::new(BootId(1), 42, me, voters);
//! let mut node = Node::boot(Options::default(), boot, Instant(0))?;
//!
//! let mut machine: Vec<Vec<u8>> = Vec::new(); // the replicated state
//! let mut disk = Vec::new(); // whatever you make durable
//! let mut ticket = None;
//! while machine.is_empty() {
//!     // 1. Tell it what happened; here only time passes until it leads, then we propose.
//!     let now = node.deadline().unwrap_or(Instant(0));
//!     node.step(now, Input::Tick)?;
//!     if ticket.is_none() {
//!         ticket = node.propose(now, "hello".into()).ok();
//!     }
//!     // 2. Do what it asks for, and report back.
//!     while let Some(output) = node.poll() {
//!         match output {
//!             Output::Persist(write) => {
//!                 disk.push((write.hard_state().cloned(), write.truncate_from(), write.entries));
//!                 node.step(now, Input::Persisted(write.ack))?;
//!             }
//!             Output::Apply(apply) => {
//!                 let last = apply.entries.last().map(|position| position.index);
//!                 let commands = apply.entries.iter().filter(|e| !e.entry.payload.is_empty());
//!                 machine.extend(commands.map(|e| e.entry.payload.to_vec()));
//!                 node.step(now, Input::Applied(last.unwrap_or_default()))?;
//!             }
//!             Output::Send(envelope) => drop(envelope), // to the network; losing it is safe
//!             _ => {}
//!         }
//!     }
//! }
//! assert_eq!(machine, [b"hello".to_vec()]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # The contract in four lines
//!
//! - `Persist` takes effect in the order handed out, each all or nothing, then `Persisted(ack)`.
//! - `Apply` and `RoleChanged` are executed in the order handed out, one at a time.
//! - All other outputs have no order and may be lost. Between the lanes there is no order either.
//! - A crash between any two calls is safe if recovery yields a prefix of the writes that includes
//!   the longest complete prefix of acknowledged ones.
//!
//! # Who should not use this
//!
//! Whoever wants a server to run rather than a state machine to drive: this crate brings no
//! network, no storage and no threads. Nor does it bring client sessions, exactly-once writes or a
//! key-value store yet; they belong to the layer above. It is young: nobody runs it in production
//! that we know of, and its interface may still change.
//!
//! # Where to read on
//!
//! The driver's guide is `docs/DRIVING.md`: every output and input, what each failure does, what
//! each mistake does. The promises are in `docs/CONTRACT.md`, the rules for clients in
//! `docs/SEMANTICS.md`.

#![no_std]
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic,
        clippy::unreachable,
        clippy::arithmetic_side_effects,
        clippy::cast_possible_truncation,
        clippy::print_stdout,
        clippy::std_instead_of_core,
        clippy::alloc_instead_of_core
    )
)]

extern crate alloc;

/// The README's examples are tests too.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;

/// So are those of the driver's guide.
#[cfg(doctest)]
#[doc = include_str!("../../docs/DRIVING.md")]
struct Driving;

mod admission;
mod calm;
mod config;
mod digest;
mod election;
mod error;
mod input;
mod invariant;
mod lazy;
mod lifecycle;
mod log;
mod message;
mod node;
mod note;
mod operations;
mod options;
mod output;
mod peer;
mod read;
mod receive;
mod replication;
mod rng;
mod role;
mod settings;
mod settle;
mod snapshot;
mod status;
mod storage;
mod ticket;
mod timer;
mod transfer;
pub mod types;
pub mod wire;

pub use admission::{Capacity, DeferredRefusal, Priority, Proposal};
pub use config::{
    ConfigLevel, Configuration, ConfigurationError, ConfigurationParts,
    change::{Change, ChangeError, ConfigAction, ConfigChange, ConfigExpect},
    codec::DecodeConfigurationError,
    guard::Readiness,
    witness::payload_digest,
};
pub use election::request::CampaignError;
pub use error::{
    HaltReason, OperationFailure, ProposeError, ReadError, ReadFailure, Rejected, UnknownReason,
};
pub use input::{Accepted, Changed, Input, Issued};
pub use lifecycle::{
    bootstrap::{Bootstrap, BootstrapError, Leftover, Unfit},
    disable::LifecycleError,
    fork::{Fork, ForkError, Forked, fork},
    plan::PlanError,
    recovery::{RecoveryError, RecoveryPlan},
    skip::{ApplyFailure, SkipError},
};
pub use log::{Entries, Entry, EntryKind, EntryRef, NotContiguous, Run, TermRun};
pub use message::{
    AppendEntries, AppendReply, AppendResult, Envelope, InstallMeta, Message, NotMember, PreVote,
    PreVoteReply, ReadIndex, ReadIndexReply, RequestVote, RoundId, TimeoutNow, TransferRefusal,
    TransferRefused, VoteReply,
};
pub use node::Node;
pub use note::Note;
pub use options::{Options, OptionsError};
pub use output::{
    Apply, ConfigChanged, Outcome, Output, Persist, PublishSnapshot, ReadEntries, SendSnapshot,
};
pub use read::{ReadLevel, ReadRequest, lease::NoLease};
pub use replication::progress::ProgressState;
pub use settings::{DecodeSettingsError, Settings};
pub use snapshot::{
    SnapshotId,
    catalogue::{Archive, Catalogue, CatalogueError, Kept},
    choose::{ChooseError, ChosenSnapshot, FoundSnapshot, Inspection, choose_snapshot, inspect},
    chunk,
    meta::SnapshotMeta,
    receive::ReceivedSnapshot,
    send::SendFailure,
    take::{SnapshotTaken, TakeSnapshotError},
};
pub use status::{Counters, Health, Look, PeerStatus, Queues, Status};
pub use storage::{
    Boot, DisableReason, HardState,
    fetch::{FetchFailure, FetchId, FetchPurpose},
    persist::PersistAck,
    recover::BootError,
};
pub use transfer::{TransferError, TransferRequest, TransferStatus};
pub use types::{
    BootId, ClusterId, GroupId, Incarnation, Instant, Lifecycle, LogIndex, LogPosition, Membership,
    NodeId, OperationTicket, ReadTicket, RecoveryEpoch, Role, StageId, Term, Ticket,
};
