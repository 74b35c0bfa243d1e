//! Messages as tests write them: positions as (term, index), entries as lists of terms.
//!
//! **Intuition.** A test reads like the protocol: `append((1, 2), &[3], 0, 1)` is an append after
//! term 1 index 2 of one entry of term 3, commit 0, round 1.
//! **Source.** Ours.
//! **Upholds.** Nothing.
//! **Not here.** Delivering them (`rig.rs`).

use bytes::Bytes;
use raft_core::{
    AppendEntries, AppendReply, AppendResult, BootId, Entries, Entry, EntryKind, Envelope,
    Incarnation, LogIndex, LogPosition, Message, NodeId, PreVote, PreVoteReply, RequestVote,
    RoundId, Term, VoteReply,
};

use crate::rig::hard_state;

pub(crate) fn at(term: u64, index: u64) -> LogPosition {
    LogPosition::new(Term(term), LogIndex(index))
}

/// Commands of these terms after index `before`.
pub(crate) fn entries(before: u64, terms: &[u64]) -> Entries {
    let command = |(offset, term): (usize, &u64)| {
        let payload = Bytes::from(format!("{term}:{}", before + offset as u64 + 1));
        let entry = Entry { kind: EntryKind::COMMAND, payload, ..Entry::default() };
        (at(*term, before + offset as u64 + 1), entry)
    };
    Entries::collect(terms.iter().enumerate().map(command)).unwrap()
}

pub(crate) fn envelope(from: u64, to: u64, term: u64, message: Message) -> Envelope {
    let hard = hard_state(from);
    Envelope {
        cluster: hard.cluster,
        group: hard.group,
        epoch: hard.epoch,
        from: NodeId(from),
        from_incarnation: hard.incarnation,
        to: NodeId(to),
        to_incarnation: Incarnation(0),
        term: Term(term),
        message,
    }
}

/// An append after (`term`, `index`) with commands of `terms`.
pub(crate) fn append((term, index): (u64, u64), terms: &[u64], commit: u64, round: u64) -> Message {
    Message::AppendEntries(AppendEntries {
        previous: at(term, index),
        entries: entries(index, terms),
        commit: LogIndex(commit),
        round,
        void_transfer: 0,
    })
}

pub(crate) fn matched(matched: u64, round: u64) -> Message {
    let result = AppendResult::Matched { matched: LogIndex(matched) };
    Message::AppendReply(AppendReply { round, result, ..Default::default() })
}

pub(crate) fn refused(previous: u64, hint: (u64, u64), round: u64) -> Message {
    let result = AppendResult::Refused { previous: LogIndex(previous), hint: at(hint.0, hint.1) };
    Message::AppendReply(AppendReply { round, result, ..Default::default() })
}

pub(crate) fn stale_term() -> Message {
    Message::AppendReply(AppendReply::default())
}

pub(crate) fn request_vote(term: u64, index: u64) -> Message {
    Message::RequestVote(RequestVote { last: at(term, index), ..Default::default() })
}

pub(crate) fn vote(granted: bool) -> Message {
    Message::VoteReply(VoteReply { granted })
}

/// A pre-vote asked in round `number` of boot `boot` by a node in `term`.
pub(crate) fn pre_vote(boot: u64, number: u64, term: u64, last: (u64, u64)) -> Message {
    let round = RoundId { boot: BootId(boot), number };
    let campaign_term = Term(term + 1);
    Message::PreVote(PreVote { round, campaign_term, last: at(last.0, last.1) })
}

pub(crate) fn pre_vote_reply(round: RoundId, granted: bool) -> Message {
    Message::PreVoteReply(PreVoteReply { round, granted })
}

/// The append inside, or a failure that shows what it is.
pub(crate) fn as_append(message: &Message) -> &AppendEntries {
    match message {
        Message::AppendEntries(append) => append,
        other => panic!("no append: {other:?}"),
    }
}

/// The answer to an append inside.
pub(crate) fn as_reply(message: &Message) -> AppendReply {
    match message {
        Message::AppendReply(reply) => *reply,
        other => panic!("no append reply: {other:?}"),
    }
}

pub(crate) fn is_append(envelope: &Envelope) -> bool {
    matches!(envelope.message, Message::AppendEntries(_))
}

pub(crate) fn is_request(envelope: &Envelope) -> bool {
    matches!(envelope.message, Message::RequestVote(_))
}
