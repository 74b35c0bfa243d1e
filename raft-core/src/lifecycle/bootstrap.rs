//! Bootstrap: founding a group on an empty disk.
//!
//! **Intuition.** A group begins as a snapshot that nobody took: a position, the members, the
//! settings and perhaps first data, published by one write like any other snapshot. Who does it on
//! several disks with the same arguments founds the same group, because the cluster's identity is
//! a digest of them; with others, the two refuse each other by that identity. No vote is claimed
//! for anybody: a sole member elects itself like everybody else.
//! **Source.** S-13, thesis §4.4; D-T9 (errors that could not be reached).
//! **Upholds.** `inv:election-safety`.
//! **Not here.** Publishing (`snapshot/publish.rs`), boot (`storage/recover.rs`).

use core::fmt;

use super::{disable::operation, mint, words_of};
use crate::{
    Node,
    config::Configuration,
    error::Rejected,
    input::{Changed, Input},
    options::OptionsError,
    settings::Settings,
    snapshot::meta::SnapshotMeta,
    storage::recover::NUMBER_MAX,
    types::{
        ClusterId, Incarnation, Instant, Lifecycle, LogIndex, LogPosition, OperationTicket,
        RecoveryEpoch, StageId, Term,
    },
};

/// What a group is born with.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Bootstrap {
    /// The members.
    pub configuration: Configuration,
    /// Where its log begins: after a synthetic snapshot here. Usually 1/1.
    pub position: LogPosition,
    /// The group's settings; `None` takes them from the options.
    pub settings: Option<Settings>,
    /// The machine's first data, staged by the driver; `None` for an empty machine.
    pub stage: Option<StageId>,
    /// Digest of that data; part of the cluster's identity.
    pub digest: u64,
    /// Bytes of that data.
    pub size_bytes: u64,
}

/// Why a configuration, or what comes with it, cannot found a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum Unfit {
    /// It is blank.
    Blank,
    /// It is joint: a group is not born in the middle of a change.
    Joint,
    /// It lists recoveries that a new group cannot have been through.
    Recoveries,
    /// It states another life of this disk.
    Incarnation(Incarnation),
    /// The position needs a term and an index above 0, below a quarter of the number range.
    Position(LogPosition),
    /// The settings contradict each other or this node's options.
    Settings(OptionsError),
}

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Blank => f.write_str("it names nobody"),
            Self::Joint => f.write_str("it is joint"),
            Self::Recoveries => f.write_str("it lists unsafe recoveries"),
            Self::Incarnation(other) => write!(f, "it states life {other} of this disk"),
            Self::Position(at) => write!(f, "a group cannot begin at {at}"),
            Self::Settings(error) => write!(f, "{error}"),
        }
    }
}

/// What stands in the way of a bootstrap on a disk that should be empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum Leftover {
    /// A term: a leader of some group was heard here.
    Term(Term),
    /// Entries up to here.
    Log(LogIndex),
    /// A snapshot.
    Snapshot(LogPosition),
    /// A recovery epoch.
    Epoch(RecoveryEpoch),
}

impl fmt::Display for Leftover {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Term(term) => write!(f, "term {term}"),
            Self::Log(last) => write!(f, "entries up to {last}"),
            Self::Snapshot(at) => write!(f, "a snapshot at {at}"),
            Self::Epoch(epoch) => write!(f, "recovery epoch {}", epoch.number),
        }
    }
}

/// Why a bootstrap was refused. Definite: nothing changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum BootstrapError {
    /// The node already belongs to a group.
    AlreadyBootstrapped,
    /// The disk is not empty: wipe it, or let its group take the node in.
    NotEmpty(Leftover),
    /// This node is not among the voters that hold data; bootstrap one that is.
    SelfNotVoter,
    /// Correct the arguments.
    InvalidConfig(Unfit),
    /// The node is out of service or halted.
    WrongRole(Lifecycle),
    /// Too many operations are open; wait for one to end.
    Busy,
}

impl fmt::Display for BootstrapError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AlreadyBootstrapped => f.write_str("the node already belongs to a group"),
            Self::NotEmpty(what) => write!(f, "the disk is not empty, it holds {what}"),
            Self::SelfNotVoter => f.write_str("this node is not among the voters that hold data"),
            Self::InvalidConfig(why) => write!(f, "this cannot found a group: {why}"),
            Self::WrongRole(lifecycle) => write!(f, "the node is {lifecycle}"),
            Self::Busy => f.write_str("too many operations are open; wait for one to end"),
        }
    }
}

impl core::error::Error for BootstrapError {}

impl Node {
    /// Founds a group on this empty disk. The ticket ends, naming the index at which the log
    /// begins, when that is durable; the node is a member from now on.
    ///
    /// # Errors
    /// [`BootstrapError`]: definite, nothing changed.
    pub fn bootstrap(
        &mut self,
        now: Instant,
        bootstrap: Bootstrap,
    ) -> Result<OperationTicket, BootstrapError> {
        self.judge_bootstrap(&bootstrap)?;
        let result = self.step(now, Input::Bootstrap(alloc::boxed::Box::new(bootstrap)));
        operation(result).ok_or(BootstrapError::Busy)
    }

    fn judge_bootstrap(&self, bootstrap: &Bootstrap) -> Result<(), BootstrapError> {
        let lifecycle = self.lifecycle();
        if lifecycle != Lifecycle::Running {
            return Err(BootstrapError::WrongRole(lifecycle));
        }
        if !self.configuration.is_blank() {
            return Err(BootstrapError::AlreadyBootstrapped);
        }
        if let Some(leftover) = self.leftover() {
            return Err(BootstrapError::NotEmpty(leftover));
        }
        self.judge_founding(bootstrap).map_err(BootstrapError::InvalidConfig)?;
        if !bootstrap.configuration.seat(self.hard.node).may_lead() {
            return Err(BootstrapError::SelfNotVoter);
        }
        if self.operations.is_full() { Err(BootstrapError::Busy) } else { Ok(()) }
    }

    fn leftover(&self) -> Option<Leftover> {
        let hard = &self.hard;
        if let Some(meta) = &self.snapshots.newest {
            return Some(Leftover::Snapshot(meta.position));
        }
        if self.log.last_index() > LogIndex::ZERO {
            return Some(Leftover::Log(self.log.last_index()));
        }
        if hard.term > Term::ZERO {
            return Some(Leftover::Term(hard.term));
        }
        (hard.epoch != RecoveryEpoch::default()).then_some(Leftover::Epoch(hard.epoch))
    }

    fn judge_founding(&self, bootstrap: &Bootstrap) -> Result<(), Unfit> {
        let configuration = &bootstrap.configuration;
        if configuration.is_blank() {
            return Err(Unfit::Blank);
        }
        if configuration.is_joint() {
            return Err(Unfit::Joint);
        }
        if !configuration.parts().recoveries.is_empty() {
            return Err(Unfit::Recoveries);
        }
        let stated = configuration.incarnation(self.hard.node);
        if stated != Incarnation(0) && stated != self.hard.incarnation {
            return Err(Unfit::Incarnation(stated));
        }
        let at = bootstrap.position;
        if at.term == Term::ZERO
            || at.index == LogIndex::ZERO
            || at.term.0 >= NUMBER_MAX
            || at.index.0 >= NUMBER_MAX
        {
            return Err(Unfit::Position(at));
        }
        let settings = bootstrap.settings.unwrap_or_else(|| self.options.settings());
        settings.validate(&self.options).map_err(Unfit::Settings)
    }

    pub(crate) fn on_bootstrap(&mut self, bootstrap: Bootstrap) -> Result<(), Rejected> {
        self.judge_bootstrap(&bootstrap).map_err(|_| Rejected::BootstrapRefused)?;
        let Bootstrap { configuration, position, settings, stage, digest, size_bytes } = bootstrap;
        let settings = settings.unwrap_or_else(|| self.options.settings());
        let configuration_bytes = configuration.encode();
        let settings_bytes = settings.encode();
        let numbers = [self.hard.group.0, position.term.0, position.index.0, digest, size_bytes];
        let words = numbers.into_iter();
        let words = words.chain(words_of(&configuration_bytes)).chain(words_of(&settings_bytes));
        self.hard.cluster = ClusterId(mint(0x636c_7573_7465_7200, words));
        assert!(self.hard.vote.is_none(), "no vote is claimed for anybody");
        self.hard.term = position.term;
        self.changed(Changed::TERM);
        let machine_id = self.options.machine_id;
        let mut meta = SnapshotMeta::empty(position, configuration, settings, machine_id);
        meta.digest = digest;
        meta.size_bytes = size_bytes;
        self.begin_until_durable(position.index);
        self.publish_snapshot(stage, meta);
        self.last_label = Some(0);
        if self.peers.iter().all(|peer| !peer.seat.is_voter()) {
            // Nobody else to wait for.
            self.election_at = self.now;
        }
        Ok(())
    }
}
