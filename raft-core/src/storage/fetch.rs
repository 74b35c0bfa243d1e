//! Reading entries back from disk: at most one open request per peer and one for apply.
//!
//! **Intuition.** The tail in memory is short on purpose. Who needs an older entry asks the
//! driver, under an id that dies with any truncation that touches the range; an answer is believed
//! only under an open id and only if every entry has the term the index knows. A request that
//! stays without an answer is repeated under its id, so a slow answer still counts.
//! **Source.** Ours; B-033 is what a sloppy read path does.
//! **Upholds.** `inv:log-matching`, `inv:lane-order`.
//! **Not here.** Who asks (`replication/leader.rs`, `apply.rs`).

use crate::{
    lazy::Empty,
    types::{Instant, LogIndex, NodeId},
};

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
    /// They were dropped. Under a request that is still open they were never allowed to be, so the
    /// node halts; one that `CompactTo` or a snapshot overtook is refused as stale.
    Compacted,
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
        /// When to ask again, under the same number: outputs may be lost.
        again_at: Instant,
        /// That time has come.
        again: bool,
    },
    /// Refused as busy; ask again then.
    Later(Instant),
}

impl Empty for Fetch {
    const EMPTY: &'static Self = &Self::Idle;
}

impl Fetch {
    /// Forgets an open request that touches `from` or anything above it.
    pub(crate) fn on_truncate(&mut self, from: LogIndex) {
        if matches!(self, Self::Open { last, .. } if *last >= from) {
            *self = Self::Idle;
        }
    }

    /// What to ask for now, if anything: the open request again if its answer is overdue, else
    /// `wanted` under a new number.
    pub(crate) fn ask(
        &mut self,
        number: u64,
        wanted: (LogIndex, LogIndex),
        again_at: Instant,
    ) -> Option<(u64, LogIndex, LogIndex)> {
        match self {
            Self::Idle => {
                let (first, last) = wanted;
                *self = Self::Open { number, first, last, again_at, again: false };
                Some((number, first, last))
            }
            Self::Open { number, first, last, again, .. } => {
                core::mem::take(again).then_some((*number, *first, *last))
            }
            Self::Later(_) => None,
        }
    }

    /// Time has passed: a refusal as busy is over, an answer overdue. Leaves no deadline at or
    /// before `now` behind, wanted or not.
    pub(crate) fn on_time(&mut self, now: Instant, patience_ns: u64) {
        match self {
            Self::Later(at) if now >= *at => *self = Self::Idle,
            Self::Open { again_at, again, .. } if now >= *again_at => {
                *again_at = now.plus(patience_ns);
                *again = true;
            }
            Self::Idle | Self::Open { .. } | Self::Later(_) => {}
        }
    }

    pub(crate) const fn deadline(&self) -> Option<Instant> {
        match self {
            Self::Later(at) => Some(*at),
            Self::Open { again_at, .. } => Some(*again_at),
            Self::Idle => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: LogIndex = LogIndex(3);
    const LAST: LogIndex = LogIndex(5);

    fn asked() -> Fetch {
        let mut sut = Fetch::Idle;
        assert_eq!(sut.ask(7, (FIRST, LAST), Instant(100)), Some((7, FIRST, LAST)));
        sut
    }

    #[test]
    fn a_cut_that_touches_the_range_ends_the_request() {
        for from in 1..=8 {
            let mut sut = asked();
            sut.on_truncate(LogIndex(from));
            assert_eq!(sut == Fetch::Idle, from <= 5, "{from}");
        }
    }

    #[test]
    fn what_is_not_answered_is_asked_again_under_its_number_once_each_time() {
        let mut sut = asked();
        let again = |sut: &mut Fetch| sut.ask(8, (LogIndex(4), LAST), Instant(500));
        sut.on_time(Instant(99), 50);
        assert_eq!(again(&mut sut), None);
        sut.on_time(Instant(100), 50);
        assert_eq!(sut.deadline(), Some(Instant(150)));
        assert_eq!(again(&mut sut), Some((7, FIRST, LAST)));
        assert_eq!(again(&mut sut), None);
    }

    #[test]
    fn a_busy_store_is_left_alone_for_a_while() {
        let mut sut = Fetch::Later(Instant(100));
        sut.on_time(Instant(99), 50);
        assert_eq!(sut.ask(8, (FIRST, LAST), Instant(500)), None);
        sut.on_time(Instant(100), 50);
        assert_eq!(sut.ask(8, (FIRST, LAST), Instant(500)), Some((8, FIRST, LAST)));
    }
}
