//! Out of service, durably, and back.
//!
//! **Intuition.** A disabled node behaves as if it were dead, which is always safe, and keeps what
//! it promised for the day it is put back. Taking it out works at once; only putting it back waits
//! for the disk, or a crash could let it speak and then forget that it may. Whether it may come
//! back depends on why it went: an operator's word is enough for an operator's word; an entry that
//! was not understood needs a version that does; a machine that went astray needs a new one, and a
//! disk that lost something never comes back under the same name.
//! **Source.** S-17; D-W16 (a disable reason that was not stored), S-08 (never skip what is not
//! understood).
//! **Upholds.** `inv:one-vote-per-term`, `inv:apply-once-in-order`.
//! **Not here.** Halting, which lasts for one boot (`node.rs`).

use core::fmt;

use super::skip;
use crate::{
    Node,
    config::Configuration,
    error::{ReadFailure, Rejected},
    input::{Accepted, Changed, Input, Issued},
    log::{EntryKind, EntryRef},
    output::Output,
    settings::Settings,
    storage::DisableReason,
    types::{Instant, LogIndex, OperationTicket},
};

/// Why a node was not taken out of service, or not put back. Definite: nothing changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum LifecycleError {
    /// It is out of service already; enable it first to state another reason.
    AlreadyDisabled {
        /// Why.
        reason: DisableReason,
    },
    /// It is in service.
    AlreadyEnabled,
    /// Only [`DisableReason::Operator`] can be asked for; the other reasons are the core's.
    NotAnOperator,
    /// This version does not understand the entry either; start a newer one.
    StillUnsupported {
        /// Where.
        index: LogIndex,
        /// Which kind.
        kind: u8,
    },
    /// The disk lost what it had acknowledged. Remove the node, wipe it, and add it again as a new
    /// incarnation.
    MustRejoin,
    /// Too many operations are open; wait for one to end.
    Busy,
    /// Restart the node from disk.
    Halted,
}

impl fmt::Display for LifecycleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AlreadyDisabled { reason } => write!(f, "already disabled: {reason}"),
            Self::AlreadyEnabled => f.write_str("already in service"),
            Self::NotAnOperator => f.write_str("only an operator's reason can be given"),
            Self::StillUnsupported { index, kind } => {
                write!(f, "entry {index} of kind {kind} needs a newer version")
            }
            Self::MustRejoin => f.write_str("the disk lost data; wipe it and add the node anew"),
            Self::Busy => f.write_str("too many operations are open; wait for one to end"),
            Self::Halted => f.write_str("the node has halted; restart it from disk"),
        }
    }
}

impl core::error::Error for LifecycleError {}

impl Node {
    /// Takes this node out of service. It stops speaking at once; the ticket ends when the reason
    /// is durable, and survives restarts from then on.
    ///
    /// # Errors
    /// [`LifecycleError`]: definite, nothing changed.
    pub fn disable(
        &mut self,
        now: Instant,
        operator: u64,
    ) -> Result<OperationTicket, LifecycleError> {
        let reason = DisableReason::Operator(operator);
        self.judge_disable(reason)?;
        let result = self.step(now, Input::Disable(reason));
        operation(result).ok_or(LifecycleError::Halted)
    }

    /// Puts this node back into service once that is durable, which is when the ticket ends.
    ///
    /// - Disabled by an operator: it follows again.
    /// - By an entry it did not understand: it follows again if this version understands it.
    /// - By a skip after the entry was applied: it follows again if its machine was made anew from
    ///   a snapshot below the entry; otherwise it is quarantined for good.
    ///
    /// # Errors
    /// [`LifecycleError`]: definite, nothing changed.
    pub fn enable(&mut self, now: Instant) -> Result<OperationTicket, LifecycleError> {
        self.judge_enable()?;
        let result = self.step(now, Input::Enable);
        operation(result).ok_or(LifecycleError::Halted)
    }

    fn judge_disable(&self, reason: DisableReason) -> Result<(), LifecycleError> {
        if self.halted.is_some() {
            return Err(LifecycleError::Halted);
        }
        if let Some(reason) = self.disabled() {
            return Err(LifecycleError::AlreadyDisabled { reason });
        }
        if !matches!(reason, DisableReason::Operator(_)) {
            return Err(LifecycleError::NotAnOperator);
        }
        if self.operations.is_full() { Err(LifecycleError::Busy) } else { Ok(()) }
    }

    /// What the record is to say after it is enabled.
    fn judge_enable(&self) -> Result<Option<DisableReason>, LifecycleError> {
        if self.halted.is_some() {
            return Err(LifecycleError::Halted);
        }
        let after = match self.hard.disabled {
            None if self.quarantined => return Err(LifecycleError::MustRejoin),
            None => return Err(LifecycleError::AlreadyEnabled),
            Some(DisableReason::Operator(_)) => None,
            Some(DisableReason::UnsupportedEntry { index, kind }) => {
                if !EntryKind(kind).is_known(self.options.level) {
                    return Err(LifecycleError::StillUnsupported { index, kind });
                }
                None
            }
            Some(DisableReason::SkipAfterApply { index }) => {
                (self.applied >= index).then_some(DisableReason::MustRejoin)
            }
            Some(DisableReason::MustRejoin) => return Err(LifecycleError::MustRejoin),
        };
        if self.operations.is_full() { Err(LifecycleError::Busy) } else { Ok(after) }
    }

    pub(crate) fn on_disable(&mut self, reason: DisableReason) -> Result<(), Rejected> {
        self.judge_disable(reason).map_err(|_| Rejected::LifecycleRefused)?;
        self.disable_for(reason);
        self.begin_until_durable(LogIndex::ZERO);
        Ok(())
    }

    pub(crate) fn on_enable(&mut self) -> Result<(), Rejected> {
        let after = self.judge_enable().map_err(|_| Rejected::LifecycleRefused)?;
        self.hard.disabled = after;
        self.restart_election_timer();
        self.changed(Changed::LIFECYCLE);
        self.begin_until_durable(LogIndex::ZERO);
        Ok(())
    }

    /// Falls silent at once, and for good until enabled.
    pub(crate) fn disable_for(&mut self, reason: DisableReason) {
        self.become_follower(self.hard.term, None);
        if let Some(reads) = self.reads.made() {
            reads.fail_all(ReadFailure::LeadershipLost);
        }
        for peer in &mut self.peers {
            peer.owed = Default::default();
            peer.request_due = false;
        }
        self.hard.disabled = Some(reason);
        self.changed(Changed::LIFECYCLE);
    }

    /// Tells the driver once it is durable that this node is in or out of service.
    pub(crate) fn announce_lifecycle(&mut self) {
        let durable = self.lane.durable_hard().disabled;
        if durable != self.told_disabled {
            self.told_disabled = durable;
            let lifecycle = self.lifecycle();
            self.outbox.push_back(Output::LifecycleChanged { lifecycle, reason: durable });
        }
    }
}

/// Whether this version can act on the entry.
pub(crate) fn is_supported(entry: &EntryRef<'_>, level: u8) -> bool {
    let payload = || entry.entry.payload.clone();
    match entry.entry.kind {
        EntryKind::COMMAND => true,
        EntryKind::CONFIGURATION => Configuration::decode(payload()).is_ok(),
        EntryKind::SETTINGS => Settings::decode(payload()).is_ok(),
        EntryKind::SKIP => EntryKind::SKIP.is_known(level) && skip::decode(payload()).is_some(),
        kind => kind.is_known(level),
    }
}

/// The ticket of an operation that was accepted.
pub(super) fn operation(result: Result<Accepted, Rejected>) -> Option<OperationTicket> {
    match result.ok()?.issued {
        Issued::Operation(ticket) => Some(ticket),
        _ => None,
    }
}
