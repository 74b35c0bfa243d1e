//! From core to model: what of a node the model also has, and the words of its messages.
//!
//! **Intuition.** The only place that knows both languages. It reads what anybody can read of a
//! node and translates envelopes into the model's calls.
//! **Source.** Ours.
//! **Upholds.** Nothing; it is the yardstick's mark.
//! **Not here.** Rules (`rules.rs`), counting (`majority.rs`).

use raft_core::{AppendResult, Envelope, LogIndex, LogPosition, Message, Node, NodeId};

use super::rules::{FollowerModel, ModelEntry, Outcome, Reply};

/// What both sides can see.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Visible {
    /// Term.
    pub term: u64,
    /// Vote.
    pub vote: Option<u64>,
    /// Leader as believed.
    pub leader: Option<u64>,
    /// Every entry.
    pub log: Vec<ModelEntry>,
    /// Commit index.
    pub commit: u64,
    /// Verified index.
    pub verified: u64,
}

const fn pair(position: LogPosition) -> (u64, u64) {
    (position.term.0, position.index.0)
}

/// What can be seen of `node`, which must hold its whole log in memory.
#[must_use]
pub fn of_node(node: &Node) -> Visible {
    let entries = node.entries_from(LogIndex(1));
    Visible {
        term: node.term().0,
        vote: node.vote().map(|NodeId(id)| id),
        leader: node.leader_hint().map(|NodeId(id)| id),
        log: entries.map(|(at, entry)| (at.term.0, entry.payload.to_vec())).collect(),
        commit: node.commit().0,
        verified: node.status().verified.0,
    }
}

/// What can be seen of the model.
#[must_use]
pub fn of_model(model: &FollowerModel) -> Visible {
    Visible {
        term: model.term,
        vote: model.vote,
        leader: model.leader,
        log: model.log.clone(),
        commit: model.commit,
        verified: model.verified,
    }
}

/// Lets the model take `envelope` at time `now`; the envelope must be sound and for it.
pub fn take(model: &mut FollowerModel, now: u64, envelope: &Envelope) -> Outcome {
    let (from, term) = (envelope.from.0, envelope.term.0);
    match &envelope.message {
        Message::PreVote(ask) => model.pre_vote(now, from, ask.campaign_term.0, pair(ask.last)),
        // A yes may come from a voter that is already in the next term.
        Message::PreVoteReply(reply) if reply.granted => Outcome::Dropped,
        // A question for a leader, too, is none for a follower.
        Message::PreVoteReply(_)
        | Message::VoteReply(_)
        | Message::AppendReply(_)
        | Message::TransferRefused(_)
        | Message::ReadIndex(_)
        | Message::ReadIndexReply(_) => model.stray_answer(term),
        Message::RequestVote(ask) => {
            let by = ask.authorised_by.map(|by| by.0);
            model.request_vote(now, from, term, pair(ask.last), by)
        }
        Message::AppendEntries(append) => {
            let entries: Vec<ModelEntry> = append
                .entries
                .iter()
                .map(|e| (e.position.term.0, e.entry.payload.to_vec()))
                .collect();
            let previous = pair(append.previous);
            let (commit, round) = (append.commit.0, append.round);
            model.append_entries(now, from, term, previous, &entries, commit, round)
        }
        _ => Outcome::Dropped,
    }
}

/// A node's reply in the model's words; `None` for a request.
#[must_use]
pub fn reply(message: &Message) -> Option<Reply> {
    Some(match message {
        Message::VoteReply(reply) => Reply::Vote(reply.granted),
        Message::PreVoteReply(reply) => Reply::PreVote(reply.granted),
        Message::AppendReply(reply) => match reply.result {
            AppendResult::Matched { matched } => Reply::Matched(matched.0),
            AppendResult::Refused { previous, hint } => {
                Reply::Refused { previous: previous.0, hint: pair(hint) }
            }
            AppendResult::StaleTerm => Reply::StaleTerm,
            AppendResult::NeedSnapshot => return None,
        },
        _ => return None,
    })
}
