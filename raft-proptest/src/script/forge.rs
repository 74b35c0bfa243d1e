//! Messages made up by a script: one row per kind.
//!
//! **Intuition.** Whatever can arrive from a network can be written down here, also what no honest
//! peer would send. Everything has a plain default, so a script names only what its story is about.
//! **Source.** Ours.
//! **Upholds.** Nothing.
//! **Not here.** How messages print (`print.rs`).

use raft_core::{
    AppendEntries, AppendReply, AppendResult, BootId, ClusterId, Entries, Envelope, GroupId,
    Incarnation, InstallMeta, LogIndex, LogPosition, Message, NodeId, NotMember, Options, PreVote,
    PreVoteReply, ReadIndex, ReadIndexReply, RequestVote, RoundId, SnapshotMeta, Term, TimeoutNow,
    TransferRefusal, TransferRefused, VoteReply,
};

use super::{
    disk::fresh_hard_state,
    parse::{Args, duration, node, number, option, position},
    words::{entries_after, read_configuration},
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
    Kind { name: "RequestVote", usage: "[last=0/0] [authorised-by=TERM]", read: request_vote },
    Kind { name: "VoteReply", usage: "granted|refused", read: vote_reply },
    Kind {
        name: "AppendEntries",
        usage: "[prev=0/0] [entries=TERM[:CONTENT],…] [commit=0] [round=1] [void=0]",
        read: append,
    },
    Kind {
        name: "AppendReply",
        usage: "[match=0|refused=INDEX hint=T/I|need-snapshot|stale-term] [round=1] \
                [promise=0ns] [applied=0]",
        read: append_reply,
    },
    Kind { name: "TimeoutNow", usage: "[transfer=1] [last=0/0]", read: timeout_now },
    Kind {
        name: "TransferRefused",
        usage: "log-differs|ineligible [transfer=1]",
        read: transfer_refused,
    },
    Kind { name: "ReadIndex", usage: "[context=1] [boot=B]", read: read_index },
    Kind {
        name: "ReadIndexReply",
        usage: "[context=1] [boot=B] [index=none|I]",
        read: read_index_reply,
    },
    Kind {
        name: "InstallMeta",
        usage: "at=T/I config=(1,2,3) [config-index=I] [machine=0] [size=0] [round=1]",
        read: install_meta,
    },
    Kind { name: "NotMember", usage: "[commit=0] [configuration=0]", read: not_member },
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
    let authorised_by = args.get("authorised-by", None, |t| number(t).map(Term).map(Some))?;
    Ok(Message::RequestVote(RequestVote { last, authorised_by }))
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
    let void_transfer = args.get("void", 0, number)?;
    Ok(Message::AppendEntries(AppendEntries { previous, entries, commit, round, void_transfer }))
}

fn append_reply(_: Term, args: &mut Args<'_>) -> Result<Message, String> {
    let result = match (args.next(), args.value("refused")) {
        (Some("stale-term"), None) => AppendResult::StaleTerm,
        (Some("need-snapshot"), None) => AppendResult::NeedSnapshot,
        (None, Some(index)) => AppendResult::Refused {
            previous: LogIndex(number(index)?),
            hint: args.get("hint", LogPosition::ZERO, position)?,
        },
        (None, None) => AppendResult::Matched { matched: LogIndex(args.get("match", 0, number)?) },
        _ => return Err("an answer is match=, refused=, need-snapshot or stale-term".to_owned()),
    };
    let round = args.get("round", 1, number)?;
    let promise_ns = args.get("promise", 0, duration)?;
    let applied = LogIndex(args.get("applied", 0, number)?);
    Ok(Message::AppendReply(AppendReply { round, result, promise_ns, applied }))
}

fn timeout_now(_: Term, args: &mut Args<'_>) -> Result<Message, String> {
    let transfer = args.get("transfer", 1, number)?;
    let last = args.get("last", LogPosition::ZERO, position)?;
    Ok(Message::TimeoutNow(TimeoutNow { transfer, last }))
}

fn transfer_refused(_: Term, args: &mut Args<'_>) -> Result<Message, String> {
    let reason = match args.word("log-differs or ineligible")? {
        "log-differs" => TransferRefusal::LogDiffers,
        "ineligible" => TransferRefusal::Ineligible,
        other => return Err(format!("{other:?} is neither log-differs nor ineligible")),
    };
    let transfer = args.get("transfer", 1, number)?;
    Ok(Message::TransferRefused(TransferRefused { transfer, reason }))
}

fn context(args: &mut Args<'_>) -> Result<RoundId, String> {
    let number = args.get("context", 1, number)?;
    Ok(RoundId { boot: BootId(args.get("boot", 0, self::number)?), number })
}

fn read_index(_: Term, args: &mut Args<'_>) -> Result<Message, String> {
    Ok(Message::ReadIndex(ReadIndex { context: context(args)? }))
}

fn read_index_reply(_: Term, args: &mut Args<'_>) -> Result<Message, String> {
    let index = args.get("index", None, option(number))?.map(LogIndex);
    Ok(Message::ReadIndexReply(ReadIndexReply { context: context(args)?, index }))
}

/// The description of a snapshot, from `at=`, `config=`, `config-index=`, `machine=` and `size=`.
pub(super) fn snapshot_meta(args: &mut Args<'_>) -> Result<SnapshotMeta, String> {
    let position = position(args.value("at").ok_or("at= is missing")?)?;
    let members = read_configuration(args.value("config").ok_or("config= is missing")?)?;
    let machine = args.get("machine", 0, number)?;
    let mut meta = SnapshotMeta::empty(position, members, Options::default().settings(), machine);
    meta.configuration_index =
        args.get("config-index", position.index, |text| number(text).map(LogIndex))?;
    meta.size_bytes = args.get("size", 0, number)?;
    Ok(meta)
}

fn install_meta(_: Term, args: &mut Args<'_>) -> Result<Message, String> {
    let meta = Box::new(snapshot_meta(args)?);
    Ok(Message::InstallMeta(InstallMeta { meta, round: args.get("round", 1, number)? }))
}

fn not_member(_: Term, args: &mut Args<'_>) -> Result<Message, String> {
    let commit = LogIndex(args.get("commit", 0, number)?);
    let configuration_index = LogIndex(args.get("configuration", 0, number)?);
    Ok(Message::NotMember(NotMember { commit, configuration_index }))
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
