//! One peer: what it owes us, what we owe it, and how far its log is.
//!
//! **Intuition.** What a slow disk or a full window holds back is one small slot per peer, filled
//! when it is released and never a queue of messages; a term change empties it.
//! **Source.** Ours.
//! **Upholds.** `inv:bounded`.
//! **Not here.** Filling and releasing (`election/`, `replication/`).

use crate::{
    message::PreVoteReply,
    replication::progress::Progress,
    types::{Incarnation, NodeId},
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
}

/// Another voter.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Peer {
    pub(crate) id: NodeId,
    /// The life of its disk, learnt from its first message.
    pub(crate) incarnation: Incarnation,
    pub(crate) owed: Owed,
    /// Our request for its vote or pre-vote is to be sent.
    pub(crate) request_due: bool,
    /// Its answer to that.
    pub(crate) granted: Option<bool>,
    /// While leading.
    pub(crate) progress: Progress,
}

impl Peer {
    pub(crate) fn new(id: NodeId) -> Self {
        Self {
            id,
            incarnation: Incarnation(0),
            owed: Owed::default(),
            request_due: false,
            granted: None,
            progress: Progress::default(),
        }
    }

    /// Where messages to it go.
    pub(crate) const fn address(&self) -> (NodeId, Incarnation) {
        (self.id, self.incarnation)
    }

    /// Whether a settle may have anything of an election, or a word about the term, to send it.
    pub(crate) const fn is_owed(&self) -> bool {
        self.request_due
            || self.owed.vote.is_some()
            || self.owed.pre_vote.is_some()
            || self.owed.stale_append
    }
}
