//! One peer: what it owes us, what we owe it, and how far its log is.
//!
//! **Intuition.** What a slow disk or a full window holds back is one small slot per peer, filled
//! when it is released and never a queue of messages; a term change empties it.
//! **Source.** Ours.
//! **Upholds.** `inv:bounded`.
//! **Not here.** Filling and releasing (`election/`, `replication/`).

use crate::{
    config::{quorum::Seat, removed::Departing, witness::Diet},
    lazy::{Empty, Lazy},
    message::PreVoteReply,
    replication::{
        progress::{Progress, ProgressState},
        silence::Quiet,
    },
    types::{Incarnation, Instant, LogIndex, NodeId},
};

/// Answers owed to a peer in the current term.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Owed {
    /// The vote, granted or not.
    pub(crate) vote: Option<bool>,
    pub(crate) pre_vote: Option<PreVoteReply>,
    /// An append of an older term came from it.
    pub(crate) stale_append: bool,
    /// It asked for a vote and is no member of the committed configuration.
    pub(crate) not_member: bool,
    /// It sent an append of this round, and nothing but a snapshot helps here.
    pub(crate) need_snapshot: Option<u64>,
}

impl Empty for Owed {
    const EMPTY: &'static Self = &Self {
        vote: None,
        pre_vote: None,
        stale_append: false,
        not_member: false,
        need_snapshot: None,
    };
}

/// What a voter promised to this leader.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Promise {
    /// For how long.
    pub(crate) ns: u64,
    /// From when.
    pub(crate) at: Option<Instant>,
}

impl Lazy<Promise> {
    /// It is no longer known from when it counts.
    pub(crate) fn forget(&mut self) {
        if let Some(promise) = self.made() {
            promise.at = None;
        }
    }
}

impl Empty for Promise {
    const EMPTY: &'static Self = &Self { ns: 0, at: None };
}

/// Another server: a member, or a stranger that spoke to us.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Peer {
    pub(crate) id: NodeId,
    /// What it is in the configuration in force; nothing for a stranger that was heard.
    pub(crate) seat: Seat,
    /// The life of its disk, learnt from its first message.
    pub(crate) incarnation: Incarnation,
    pub(crate) owed: Lazy<Owed>,
    /// Our request for its vote or pre-vote is to be sent.
    pub(crate) request_due: bool,
    /// Its answer to that.
    pub(crate) granted: Option<bool>,
    /// While leading.
    pub(crate) progress: Progress,
    /// The promise it last stated, and when the newest round it answered began.
    pub(crate) promise: Lazy<Promise>,
    /// Highest index its machine has applied, as it last said.
    pub(crate) applied: LogIndex,
    /// When its last answer of this reign came.
    pub(crate) heard_at: Option<Instant>,
    /// What it is sent of an entry.
    pub(crate) diet: Diet,
    /// While leading: the configuration that made it a data member in this reign. Below that it may
    /// not know yet what its copies are to stand for, so they do not count.
    pub(crate) counts_from: LogIndex,
    /// It left in this reign and is still sent to.
    pub(crate) departing: Lazy<Option<Departing>>,
    /// While leading: whether it answers at all.
    pub(crate) quiet: Quiet,
}

impl Peer {
    /// Whether it is sent entries: it does not wait for a snapshot.
    pub(crate) fn is_kept_up(&self) -> bool {
        self.is_fed() && self.progress.state != ProgressState::Snapshot
    }

    pub(crate) fn new(id: NodeId, seat: Seat) -> Self {
        Self {
            id,
            seat,
            incarnation: Incarnation(0),
            owed: Lazy::default(),
            request_due: false,
            granted: None,
            progress: Progress::default(),
            promise: Lazy::default(),
            applied: LogIndex::ZERO,
            heard_at: None,
            diet: Diet::Full,
            counts_from: LogIndex::ZERO,
            departing: Lazy::default(),
            quiet: Quiet::default(),
        }
    }

    /// Whether a leader sends to it.
    pub(crate) fn is_fed(&self) -> bool {
        self.seat.is_member() || self.departing.is_some()
    }

    /// Its match, as far as it counts.
    pub(crate) fn counted_match(&self) -> LogIndex {
        let matched = self.progress.matched;
        if matched >= self.counts_from { matched } else { LogIndex::ZERO }
    }

    /// Another life, or another membership, under the same id: nothing learnt of the old one holds.
    pub(crate) fn begin_anew(&mut self, pinned: Incarnation, progress: Progress) {
        *self = Self { incarnation: pinned, progress, ..Self::new(self.id, self.seat) };
    }

    /// Where messages to it go.
    pub(crate) const fn address(&self) -> (NodeId, Incarnation) {
        (self.id, self.incarnation)
    }

    /// Whether a settle may have anything to send it that is neither entries nor a snapshot: a
    /// request for its vote, or what [`Owed`] holds.
    pub(crate) fn is_owed(&self) -> bool {
        // Field by field, so that one more cannot be forgotten here.
        let Owed { vote, pre_vote, stale_append, not_member, need_snapshot } = &*self.owed;
        self.request_due
            || vote.is_some()
            || pre_vote.is_some()
            || *stale_append
            || *not_member
            || need_snapshot.is_some()
    }
}
