//! Messages made up by a script: one row per kind.
//!
//! **Intuition.** Whatever can arrive from a network can be written down here, also what no honest
//! peer would send. Everything has a plain default, so a script names only what its story is about.
//! **Source.** Ours.
//! **Upholds.** Nothing.
//! **Not here.** How messages print (`print.rs`).

use bytes::Bytes;
use raft_core::{
    AppendEntries, AppendReply, AppendResult, BootId, ClusterId, Entries, Entry, EntryKind,
    Envelope, GroupId, Incarnation, LogIndex, LogPosition, Message, NodeId, PreVote, PreVoteReply,
    RequestVote, RoundId, Term, VoteReply,
};

use super::{
    disk::{entry_at, fresh_hard_state},
    parse::{Args, list, node, number, position},
};

/// A kind of message: its name, its words, and how to read them; the term is the envelope's.
pub(super) struct Kind {
    pub(super) name: &'static str,
    pub(super) usage: &'static str,
    read: fn(Term, &mut Args<'_>) -> Result<Message, String>,
}

/// Every kind of message.
pub(super) const KINDS: &[Kind] = &[
    Kind {
        name: "PreVote",
        usage: "[campaign=TERM] [last=0/0] [round=1] [boot=B]",
        read: pre_vote,
    },
    Kind {
        name: "PreVoteReply",
        usage: "granted|refused [round=1] [boot=B]",
        read: pre_vote_reply,
    },
    Kind { name: "RequestVote", usage: "[last=0/0]", read: request_vote },
    Kind { name: "VoteReply", usage: "granted|refused", read: vote_reply },
    Kind {
        name: "AppendEntries",
        usage: "[prev=0/0] [entries=TERM[:CONTENT],…] [commit=0] [round=1]",
        read: append,
    },
    Kind {
        name: "AppendReply",
        usage: "[match=0|refused=INDEX hint=T/I|stale-term] [round=1]",
        read: append_reply,
    },
];

fn round(args: &mut Args<'_>) -> Result<RoundId, String> {
    let number = args.get("round", 1, number)?;
    Ok(RoundId { boot: BootId(args.get("boot", 0, self::number)?), number })
}

fn granted(args: &mut Args<'_>) -> Result<bool, String> {
    match args.word("granted or refused")? {
        "granted" => Ok(true),
        "refused" => Ok(false),
        other => Err(format!("{other:?} is neither granted nor refused")),
    }
}

fn pre_vote(term: Term, args: &mut Args<'_>) -> Result<Message, String> {
    let campaign_term = Term(args.get("campaign", term.0.saturating_add(1), number)?);
    let last = args.get("last", LogPosition::ZERO, position)?;
    Ok(Message::PreVote(PreVote { round: round(args)?, campaign_term, last }))
}

fn pre_vote_reply(_: Term, args: &mut Args<'_>) -> Result<Message, String> {
    let granted = granted(args)?;
    Ok(Message::PreVoteReply(PreVoteReply { round: round(args)?, granted }))
}

fn request_vote(_: Term, args: &mut Args<'_>) -> Result<Message, String> {
    let last = args.get("last", LogPosition::ZERO, position)?;
    Ok(Message::RequestVote(RequestVote { last }))
}

fn vote_reply(_: Term, args: &mut Args<'_>) -> Result<Message, String> {
    Ok(Message::VoteReply(VoteReply { granted: granted(args)? }))
}

fn append(_: Term, args: &mut Args<'_>) -> Result<Message, String> {
    let previous = args.get("prev", LogPosition::ZERO, position)?;
    let entries =
        args.get("entries", Entries::EMPTY, |text| entries_after(previous.index, text))?;
    let commit = LogIndex(args.get("commit", 0, number)?);
    let round = args.get("round", 1, number)?;
    Ok(Message::AppendEntries(AppendEntries { previous, entries, commit, round }))
}

fn append_reply(_: Term, args: &mut Args<'_>) -> Result<Message, String> {
    let round = args.get("round", 1, number)?;
    let result = match (args.next(), args.value("refused")) {
        (Some("stale-term"), None) => AppendResult::StaleTerm,
        (None, Some(index)) => AppendResult::Refused {
            previous: LogIndex(number(index)?),
            hint: args.get("hint", LogPosition::ZERO, position)?,
        },
        (None, None) => AppendResult::Matched { matched: LogIndex(args.get("match", 0, number)?) },
        _ => return Err("an answer is match=, refused= or stale-term".to_owned()),
    };
    Ok(Message::AppendReply(AppendReply { round, result }))
}

/// `1,2:x,3:noop` as entries after index `before`.
pub(super) fn entries_after(before: LogIndex, text: &str) -> Result<Entries, String> {
    let parts: Vec<String> = list(|part| Ok(part.to_owned()))(text)?;
    let mut out = Vec::new();
    for (part, offset) in parts.iter().zip(1_u64..) {
        let (term, content) = part.split_once(':').unwrap_or((part, ""));
        let at = LogPosition::new(Term(number(term)?), before.plus(offset));
        let kind = content.strip_prefix("kind-").map(|kind| kind.parse::<u8>());
        let entry = match (content, kind) {
            ("", _) => entry_at(at),
            ("noop", _) => Entry { kind: EntryKind::NOOP, ..Entry::default() },
            (_, Some(Ok(kind))) => Entry { kind: EntryKind(kind), ..Entry::default() },
            (_, Some(Err(_))) => return Err(format!("{content:?} is no kind of entry")),
            (text, None) => {
                let payload = Bytes::copy_from_slice(text.as_bytes());
                Entry { kind: EntryKind::COMMAND, payload, ..Entry::default() }
            }
        };
        out.push((at, entry));
    }
    Entries::collect(out).map_err(|error| error.to_string())
}

/// A whole envelope: `n3->n2 RequestVote term=9 last=0/0`, with any part of its address changed.
pub(super) fn envelope(from: u64, to: u64, args: &mut Args<'_>) -> Result<Envelope, String> {
    let name = args.word("the kind of message")?;
    let kind = KINDS.iter().find(|kind| kind.name == name).ok_or_else(|| {
        let known = KINDS.iter().map(|kind| kind.name).collect::<Vec<_>>().join(", ");
        format!("there is no message {name:?}; known are {known}")
    })?;
    let term = Term(args.get("term", 1, number)?);
    let message = (kind.read)(term, args).map_err(|e| format!("{name} {}: {e}", kind.usage))?;
    let hard = fresh_hard_state(from);
    let mut epoch = hard.epoch;
    epoch.number = args.get("epoch", epoch.number, number)?;
    Ok(Envelope {
        cluster: ClusterId(args.get("cluster", hard.cluster.0, number)?),
        group: GroupId(args.get("group", hard.group.0, number)?),
        epoch,
        from: NodeId(from),
        from_incarnation: Incarnation(args.get("from-life", hard.incarnation.0, number)?),
        to: NodeId(args.get("claims-to", to, node)?),
        to_incarnation: Incarnation(args.get("to-life", 0, number)?),
        term,
        message,
    })
}
