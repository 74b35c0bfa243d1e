//! What naive nodes say to each other.
//!
//! **Intuition.** Three questions (would you vote for me, vote for me, take these entries) and
//! their answers. A heartbeat is an append without entries.
//! **Source.** Thesis Fig. 3.1 (RequestVote, AppendEntries), §9.6 (Pre-Vote), §6.4 (rounds).
//! **Upholds.** `inv:persist-before-send`: [`label`] states what each message promises.
//! **Not here.** When they are sent (`election.rs`, `replication.rs`) and held (`store.rs`).

use raft_core::{LogIndex, LogPosition, NodeId, Term};

use crate::{
    process::{Claim, Entry, MessageKind, MessageLabel, Ns},
    trace::digest::Digest,
};

/// One message. `term` is always the sender's.
#[derive(Clone, Debug)]
pub struct Message {
    /// Sender's term.
    pub term: Term,
    /// What it says.
    pub body: Body,
}

/// What a message says.
#[derive(Clone, Debug)]
pub enum Body {
    /// Would you vote for me in the next term?
    PreVote {
        /// Which attempt, so that a late answer is not counted for another.
        round: u64,
        /// The asker's last entry.
        last: LogPosition,
    },
    /// Answer to [`Body::PreVote`].
    PreVoteReply {
        /// Which attempt.
        round: u64,
        /// Yes or no.
        granted: bool,
    },
    /// Vote for me in this term.
    RequestVote {
        /// The candidate's last entry.
        last: LogPosition,
    },
    /// Answer to [`Body::RequestVote`].
    VoteReply {
        /// The vote's owner if granted.
        granted: Option<NodeId>,
    },
    /// Entries after `prev`.
    Append {
        /// The entry before them.
        prev: LogPosition,
        /// The entries; none in a heartbeat.
        entries: Vec<Entry>,
        /// The leader's commit index.
        commit: LogIndex,
        /// The latest round of heartbeats begun for reads.
        round: u64,
        /// The leader's clock when it made this.
        sent_at: Ns,
    },
    /// Answer to [`Body::Append`].
    AppendReply {
        /// Whether `prev` matched.
        accepted: bool,
        /// Accepted: everything up to here equals the leader's log and is durable. Refused: the
        /// leader may try from here.
        upto: LogIndex,
        /// The round of the append answered.
        round: u64,
        /// The leader's clock as the append answered said.
        heard: Ns,
        /// For how long from hearing it the sender elects nobody else; 0 for no promise.
        promise: Ns,
    },
}

impl Body {
    const fn kind(&self) -> MessageKind {
        match self {
            Self::PreVote { .. } => MessageKind::PRE_VOTE,
            Self::PreVoteReply { .. } => MessageKind::PRE_VOTE_REPLY,
            Self::RequestVote { .. } => MessageKind::REQUEST_VOTE,
            Self::VoteReply { .. } => MessageKind::VOTE_REPLY,
            Self::Append { entries, .. } if entries.is_empty() => MessageKind::HEARTBEAT,
            Self::Append { .. } => MessageKind::APPEND,
            Self::AppendReply { .. } => MessageKind::APPEND_REPLY,
        }
    }
}

/// What the simulator may know about `message`.
pub(super) fn label(message: &Message) -> MessageLabel {
    let zero = LogIndex::ZERO;
    let (first, last, claim) = match &message.body {
        Body::PreVote { last, .. } => (zero, last.index, Claim::Term),
        Body::RequestVote { last } => (zero, last.index, Claim::Candidacy(*last)),
        Body::VoteReply { granted: Some(to) } => (zero, zero, Claim::Vote(*to)),
        Body::PreVoteReply { .. } | Body::VoteReply { granted: None } => (zero, zero, Claim::Term),
        Body::Append { entries, .. } => match (entries.first(), entries.last()) {
            (Some(a), Some(z)) => (a.position.index, z.position.index, Claim::Term),
            _ => (zero, zero, Claim::Term),
        },
        Body::AppendReply { accepted: true, upto, .. } => (zero, *upto, Claim::Match(*upto)),
        Body::AppendReply { accepted: false, upto, .. } => (zero, *upto, Claim::Term),
    };
    let mut label = MessageLabel::plain(message.body.kind(), message.term);
    (label.first, label.last, label.claim) = (first, last, claim);
    match message.body {
        Body::Append { sent_at, .. } => label.round = sent_at,
        Body::AppendReply { heard, promise, .. } => (label.round, label.promise) = (heard, promise),
        _ => {}
    }
    label
}

/// Folds everything `message` says into `digest`.
pub(super) fn digest(message: &Message, digest: &mut Digest) {
    digest.word(message.term.0);
    digest.word(u64::from(message.body.kind().0));
    match &message.body {
        Body::PreVote { round, last } => {
            digest.word(*round);
            digest.word(last.term.0);
            digest.word(last.index.0);
        }
        Body::PreVoteReply { round, granted } => {
            digest.word(*round);
            digest.word(u64::from(*granted));
        }
        Body::RequestVote { last } => {
            digest.word(last.term.0);
            digest.word(last.index.0);
        }
        Body::VoteReply { granted } => digest.word(granted.map_or(0, |node| node.0)),
        Body::Append { prev, entries, commit, round, sent_at } => {
            digest.word(prev.term.0);
            digest.word(prev.index.0);
            digest.word(commit.0);
            digest.word(*round);
            digest.word(*sent_at);
            for entry in entries {
                digest.word(entry.id().hash);
            }
        }
        Body::AppendReply { accepted, upto, round, heard, promise } => {
            digest.word(u64::from(*accepted));
            digest.word(upto.0);
            digest.word(*round);
            digest.word(*heard);
            digest.word(*promise);
        }
    }
}
