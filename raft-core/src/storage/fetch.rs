//! Reading entries back from disk: at most one open request per peer and one for apply.
//!
//! **Intuition.** The tail in memory is short on purpose. Who needs an older entry asks the
//! driver, under an id that dies with any truncation that touches the range; an answer is believed
//! only under an open id and only if every entry has the term the index knows.
//! **Source.** Ours; B-033 is what a sloppy read path does.
//! **Upholds.** `inv:log-matching`, `inv:lane-order`.
//! **Not here.** Who asks (`replication/leader.rs`, `apply.rs`).

use crate::types::{Instant, LogIndex, NodeId};

/// Names one `ReadEntries`. Opaque: give it back unchanged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct FetchId {
    pub(crate) tag: u64,
    pub(crate) number: u64,
}

impl FetchId {
    /// Counts the requests of this boot from 1.
    #[must_use]
    pub const fn number(self) -> u64 {
        self.number
    }
}

/// Whom the entries are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum FetchPurpose {
    /// To be sent to this peer.
    Replicate(NodeId),
    /// To be applied here.
    Apply,
}

/// Why entries could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum FetchFailure {
    /// Not now; the core asks again a heartbeat period later.
    Busy,
    /// Not at all: the store lost or damaged what it acknowledged. The node halts.
    Broken,
}

/// The state of one asker's reads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) enum Fetch {
    /// Nothing asked.
    #[default]
    Idle,
    /// Asked under this number.
    Open {
        /// Number of the request.
        number: u64,
        /// First index asked for.
        first: LogIndex,
        /// Last index asked for.
        last: LogIndex,
    },
    /// Refused as busy; ask again then.
    Later(Instant),
}

impl Fetch {
    /// Forgets an open request that touches `from` or anything above it.
    pub(crate) fn on_truncate(&mut self, from: LogIndex) {
        if matches!(self, Self::Open { last, .. } if *last >= from) {
            *self = Self::Idle;
        }
    }

    /// Whether a new request may be made at `now`.
    pub(crate) fn may_ask(&self, now: Instant) -> bool {
        match self {
            Self::Idle => true,
            Self::Open { .. } => false,
            Self::Later(at) => now >= *at,
        }
    }

    pub(crate) const fn deadline(&self) -> Option<Instant> {
        match self {
            Self::Later(at) => Some(*at),
            Self::Idle | Self::Open { .. } => None,
        }
    }
}
