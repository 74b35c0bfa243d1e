//! Lifecycle: whether a node takes part at all.
//!
//! **Intuition.** Three axes are easily mixed up: what a node does in elections (role), what it is
//! to its group (membership), and whether it takes part. A node that must not speak says nothing
//! at all: it drops what it hears before believing any of it, its term included, so no promise can
//! come from it.
//! **Source.** S-12, S-16, S-17 (WARaft's stalled and disabled); thesis §3.8 (what was promised
//! must be kept).
//! **Upholds.** `inv:one-vote-per-term`, `inv:committed-durable`.
//! **Not here.** Roles (`role.rs`), fail-stop (`node.rs`).

pub(crate) mod bootstrap;
pub(crate) mod disable;
pub(crate) mod fork;
pub(crate) mod plan;
pub(crate) mod recovery;
pub(crate) mod skip;

use crate::{
    Node,
    error::Rejected,
    message::{Envelope, Message},
    peer::Owed,
    rng::mix,
    storage::DisableReason,
    types::{ClusterId, Lifecycle, RecoveryEpoch, Role},
};

impl Node {
    /// Whether this node takes part. Taken out of service it is at once, put back once that is
    /// durable.
    #[must_use]
    pub fn lifecycle(&self) -> Lifecycle {
        if self.halted.is_some() {
            return Lifecycle::Halted;
        }
        match self.disabled() {
            Some(DisableReason::MustRejoin) => Lifecycle::Quarantined,
            Some(_) => Lifecycle::Disabled,
            None if self.quarantined || self.changes.other_life || self.wants_data() => {
                Lifecycle::Quarantined
            }
            None => Lifecycle::Running,
        }
    }

    /// Why this node is out of service, durably or about to be.
    #[must_use]
    pub const fn disabled(&self) -> Option<DisableReason> {
        match self.hard.disabled {
            Some(reason) => Some(reason),
            None => self.lane.durable_hard().disabled,
        }
    }

    /// The refusal of a node that is out of service.
    pub(crate) const fn judge_in_service(&self) -> Result<(), Rejected> {
        match self.disabled() {
            Some(DisableReason::MustRejoin) => Err(Rejected::Quarantined),
            Some(_) => Err(Rejected::Disabled),
            None if self.quarantined => Err(Rejected::Quarantined),
            None => Ok(()),
        }
    }

    /// Whether this node may say anything, or act on what is committed.
    pub(crate) const fn speaks(&self) -> bool {
        self.disabled().is_none() && !self.quarantined
    }

    /// What is always true of nodes that take part in less than everything.
    pub(crate) fn check_lifecycle(&self) -> Result<(), &'static str> {
        self.deferred.check(u64::from(self.options.deferred_max))?;
        let (silent, follows) = (!self.speaks(), self.role() == Role::Follower);
        let waits = self.deferred.waiting() != (0, 0);
        let holds = [
            (!silent || follows, "who is out of service follows"),
            (!silent || self.peers.iter().all(|p| *p.owed == Owed::default()), "and owes nothing"),
            (!self.configuration.is_blank() || follows, "who knows no configuration follows"),
            (!follows || !waits, "a follower keeps no proposals"),
            (
                self.apply_failed.is_none_or(|f| f.index > self.applied && f.index <= self.handed),
                "the machine failed at what was handed out and is not applied",
            ),
            (self.operations.open_count() <= 16, "open operations are bounded"),
        ];
        holds.iter().find(|(held, _)| !held).map_or(Ok(()), |(_, what)| Err(what))
    }

    /// Whether this node listens to such a message at all. A disk that knows no configuration
    /// listens to leaders only: it has neither a vote nor anything to answer with.
    pub(crate) fn judge_listening(&self, message: &Message) -> Result<(), Rejected> {
        self.judge_in_service()?;
        if self.configuration.is_blank() && !is_from_leader(message) {
            return Err(Rejected::NotInGroup);
        }
        Ok(())
    }

    /// Whether this disk is so empty that it takes over the identity of the first leader it hears:
    /// it knows no configuration, and neither cluster nor recovery were stated to it.
    pub(crate) fn may_adopt(&self, envelope: &Envelope) -> (bool, bool) {
        let open = self.configuration.is_blank() && is_from_leader(&envelope.message);
        (
            open && self.hard.cluster == ClusterId(0),
            open && self.hard.epoch == RecoveryEpoch::default(),
        )
    }

    /// Takes over cluster and epoch of a leader's message that was accepted. The answer waits for
    /// its term to be durable, and is written together with this.
    pub(crate) fn adopt_identity(&mut self, cluster: ClusterId, epoch: RecoveryEpoch) {
        if self.hard.cluster == ClusterId(0) {
            self.hard.cluster = cluster;
        }
        if self.hard.epoch == RecoveryEpoch::default() {
            self.hard.epoch = epoch;
        }
    }
}

impl Node {
    /// The label of the last entry, from which a proposer computes the next one. `None` if that
    /// entry left memory and the driver did not tell it at boot: then read it from the store.
    #[must_use]
    pub const fn last_label(&self) -> Option<u64> {
        self.last_label
    }

    /// The label a log has that was cut down to what is not in memory.
    pub(crate) fn label_below(&self) -> Option<u64> {
        let last = self.log.last_index();
        match &self.snapshots.newest {
            Some(meta) if meta.index() == last => Some(meta.label),
            _ => (last.0 == 0).then_some(0),
        }
    }
}

const fn is_from_leader(message: &Message) -> bool {
    matches!(message, Message::AppendEntries(_) | Message::InstallMeta(_))
}

/// Folds numbers into an id that is never 0, which means "not known".
fn mint(salt: u64, words: impl IntoIterator<Item = u64>) -> u64 {
    words.into_iter().fold(salt, mix).max(1)
}

/// The words of `bytes` for [`mint`], their number first.
fn words_of(bytes: &[u8]) -> impl Iterator<Item = u64> + '_ {
    let words = bytes.chunks(8).map(|chunk| {
        chunk.iter().fold(0_u64, |word, byte| word.wrapping_shl(8) | u64::from(*byte))
    });
    core::iter::once(bytes.len() as u64).chain(words)
}
