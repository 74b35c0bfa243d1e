//! What the simulator may know about a message: its kind and what it promises.
//!
//! **Intuition.** Oracles judge promises, not formats. Each system says of its own messages which
//! promise they carry, in words that every Raft shares; what travels stays its own business.
//! **Source.** Thesis Fig. 3.1 for the kinds, §3.8 and §6.4.1 for what they promise.
//! **Upholds.** `inv:persist-before-send` and `inv:lease-bound` are judged by it.
//! **Not here.** The messages themselves (`core.rs`, `naive/message.rs`).

use raft_core::{LogIndex, LogPosition, NodeId, Term};

use super::Ns;

/// Kinds of messages, an open enumeration: numbers are frozen, unknown ones are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageKind(pub u8);

impl MessageKind {
    /// Would you vote for me? (thesis §9.6)
    pub const PRE_VOTE: Self = Self(1);
    /// The answer.
    pub const PRE_VOTE_REPLY: Self = Self(2);
    /// Vote for me (§3.4).
    pub const REQUEST_VOTE: Self = Self(3);
    /// The answer.
    pub const VOTE_REPLY: Self = Self(4);
    /// Entries (§3.5).
    pub const APPEND: Self = Self(5);
    /// An append without entries.
    pub const HEARTBEAT: Self = Self(6);
    /// The answer to both.
    pub const APPEND_REPLY: Self = Self(7);
    /// Campaign now (§3.10).
    pub const TIMEOUT_NOW: Self = Self(8);
    /// The target of a transfer will not.
    pub const TRANSFER_REFUSED: Self = Self(9);
    /// A snapshot on its way, whole (§5.3).
    pub const SNAPSHOT: Self = Self(10);
    /// A snapshot without data.
    pub const INSTALL_META: Self = Self(11);
    /// Which index must a read wait for?
    pub const READ_INDEX: Self = Self(12);
    /// The answer.
    pub const READ_INDEX_REPLY: Self = Self(13);
    /// The receiver is no member.
    pub const NOT_MEMBER: Self = Self(14);

    /// Name for people.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self.0 {
            1 => "pre-vote",
            2 => "pre-vote-reply",
            3 => "request-vote",
            4 => "vote-reply",
            5 => "append",
            6 => "heartbeat",
            7 => "append-reply",
            8 => "timeout-now",
            9 => "transfer-refused",
            10 => "snapshot",
            11 => "install-meta",
            12 => "read-index",
            13 => "read-index-reply",
            14 => "not-member",
            _ => "other",
        }
    }
}

/// What a message promises about its sender's disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claim {
    /// Only that the term is durable.
    Term,
    /// (term, vote = sender) and the log up to this position are durable.
    Candidacy(LogPosition),
    /// (term, vote = this node) is durable.
    Vote(NodeId),
    /// The log is durable up to this index and equals the leader's.
    Match(LogIndex),
}

/// What the simulator may know about a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MessageLabel {
    /// Kind.
    pub kind: MessageKind,
    /// Sender's term.
    pub term: Term,
    /// First log index it is about, 0 for none.
    pub first: LogIndex,
    /// Last log index it is about, 0 for none.
    pub last: LogIndex,
    /// What it promises.
    pub claim: Claim,
    /// An append: the round it belongs to; an answer: the newest round heard. 0 for none.
    pub round: u64,
    /// An answer: for how long, by its sender's clock, from hearing that round the sender elects
    /// nobody else; 0 for no promise.
    pub promise: Ns,
    /// The life of its sender's disk; 0 where the system has none.
    pub life: u64,
    /// A request for votes: the leader of this term asked for it.
    pub authority: Option<Term>,
}

impl MessageLabel {
    /// A message of this kind and term that says no more than that.
    #[must_use]
    pub const fn plain(kind: MessageKind, term: Term) -> Self {
        Self {
            kind,
            term,
            first: LogIndex::ZERO,
            last: LogIndex::ZERO,
            claim: Claim::Term,
            round: 0,
            promise: 0,
            life: 0,
            authority: None,
        }
    }
}
