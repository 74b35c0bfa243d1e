//! Printing: every output, message, note and reason as one line of words.
//!
//! **Intuition.** One place per printed thing. The core's enumerations are open, so each match here
//! ends in an arm that fails the script and names this file: something new never compiles silently
//! into nothing.
//! **Source.** Ours.
//! **Upholds.** Nothing.
//! **Not here.** Which lines a script asked to leave out (`world.rs`).

use raft_core::{
    AppendResult, Entries, Entry, EntryKind, Envelope, FetchPurpose, HardState, Input, Issued,
    LogPosition, Message, NodeId, Note, Outcome, Output, PeerStatus, Persist, ProgressState,
    ReadFailure, Status, UnknownReason,
};

use super::disk::entry_at;

/// What kind of fact a line tells; `mute` leaves out by kind.
pub(super) const KINDS: &[&str] = &[
    "accepted", "apply", "commit", "fetch", "halted", "note", "outcome", "persist", "read",
    "recover", "rejected", "role", "send",
];

fn unknown(what: &impl std::fmt::Debug) -> String {
    format!("nobody knows how to say {what:?}: give it words in raft-proptest/src/script/print.rs")
}

/// The kind of an output and its words, without the node; `None` for those told elsewhere.
pub(super) fn output(output: &Output) -> Result<Option<(&'static str, String)>, String> {
    Ok(Some(match output {
        // Roles are told with the role before, sends together for all receivers (`world.rs`).
        Output::RoleChanged { .. } | Output::Send(_) => return Ok(None),
        Output::Persist(write) => ("persist", format!("persist{}", persist(write)?)),
        Output::Apply(apply) => {
            let list = entries(&apply.entries)?;
            let first = apply.first_ticket.map(|ticket| ticket.0);
            let range = first.map(|first| (first, first + apply.entries.len().max(1) - 1));
            let tickets = range.map_or(String::new(), |(a, b)| format!(" {}", span("t", a, b)));
            ("apply", format!("apply {list}{tickets}"))
        }
        Output::ReadReady { ticket, index, term } => {
            ("read", format!("read {ticket} ready index={index} term={term}"))
        }
        Output::ReadFailed { ticket, reason } => {
            ("read", format!("read {ticket} failed: {}", read_failure(*reason)?))
        }
        Output::Outcome { first, count, outcome } => {
            let tickets = span("t", first.0, first.0 + count.max(&1) - 1);
            ("outcome", format!("outcome {tickets} {}", self::outcome(*outcome)?))
        }
        Output::ReadEntries(ask) => {
            let whom = match ask.purpose {
                FetchPurpose::Replicate(peer) => peer.to_string(),
                FetchPurpose::Apply => "apply".to_owned(),
            };
            ("fetch", format!("fetch {} for {whom}", span("", ask.first.0, ask.last.0)))
        }
        Output::Halted(reason) => ("halted", format!("halted: {reason}")),
        Output::Note(reason) => ("note", note(reason)?),
        other => return Err(unknown(other)),
    }))
}

/// `t1` or `t1..t3`.
fn span(prefix: &str, first: u64, last: u64) -> String {
    if first == last {
        format!("{prefix}{first}")
    } else {
        format!("{prefix}{first}..{prefix}{last}")
    }
}

fn vote(vote: Option<NodeId>) -> String {
    vote.map_or("none".to_owned(), |node| node.to_string())
}

/// `150ms`, in the largest unit that leaves no rest.
pub(super) fn duration(nanos: u64) -> String {
    for (unit, size) in [("s", 1_000_000_000), ("ms", 1_000_000), ("us", 1_000)] {
        if nanos > 0 && nanos.is_multiple_of(size) {
            return format!("{}{unit}", nanos / size);
        }
    }
    format!("{nanos}ns")
}

/// ` term=1 vote=n1`, and what else is not as on a fresh disk.
pub(super) fn hard_state(hard: &HardState) -> String {
    let mut text = format!(" term={} vote={}", hard.term, vote(hard.vote));
    if hard.promise_ns > 0 {
        text += &format!(" promise={}", duration(hard.promise_ns));
    }
    if hard.epoch.number > 0 {
        text += &format!(" epoch={}", hard.epoch.number);
    }
    text
}

fn persist(write: &Persist) -> Result<String, String> {
    let mut text = write.hard_state().map_or(String::new(), hard_state);
    if let Some(from) = write.truncate_from() {
        text += &format!(" cut={from}");
    }
    if !write.entries.is_empty() {
        text += &format!(" entries={}", entries(&write.entries)?);
    }
    Ok(text)
}

/// `2/3`, with what it carries unless that is what its position says.
pub(super) fn entry(position: LogPosition, entry: &Entry) -> String {
    if *entry == (Entry { stamp: entry.stamp, ..entry_at(position) }) {
        return position.to_string();
    }
    let payload = std::str::from_utf8(&entry.payload).ok().filter(|text| text.len() <= 16);
    let content = match (entry.kind, payload) {
        (EntryKind::COMMAND, Some(text)) => text.to_owned(),
        (EntryKind::COMMAND, None) => format!("{}B", entry.payload.len()),
        (kind, _) => kind.to_string(),
    };
    format!("{position}:{content}")
}

/// Entries with commas between them, or the first and last of many.
pub(super) fn entries(entries: &Entries) -> Result<String, String> {
    const SHOWN_MAX: u64 = 6;
    if let (Some(first), Some(last)) = (entries.iter().next(), entries.last())
        && entries.len() > SHOWN_MAX
    {
        return Ok(format!("{}..{last}", first.position));
    }
    let each = entries.iter().map(|at| entry(at.position, at.entry));
    Ok(each.collect::<Vec<_>>().join(","))
}

/// The message's name and content, with the term of its envelope.
pub(super) fn envelope(envelope: &Envelope) -> Result<String, String> {
    let said = match &envelope.message {
        Message::PreVote(ask) => {
            let number = ask.round.number;
            format!("campaign={} last={} round={number}", ask.campaign_term, ask.last)
        }
        Message::PreVoteReply(reply) => {
            format!("{} round={}", granted(reply.granted), reply.round.number)
        }
        Message::RequestVote(request) => format!("last={}", request.last),
        Message::VoteReply(reply) => granted(reply.granted).to_owned(),
        Message::AppendEntries(append) => {
            let mut text = format!("prev={}", append.previous);
            if !append.entries.is_empty() {
                text += &format!(" entries={}", entries(&append.entries)?);
            }
            text + &format!(" commit={} round={}", append.commit, append.round)
        }
        Message::AppendReply(reply) => {
            let result = match reply.result {
                AppendResult::Matched { matched } => format!("match={matched}"),
                AppendResult::Refused { previous, hint } => {
                    format!("refused={previous} hint={hint}")
                }
                AppendResult::StaleTerm => "stale-term".to_owned(),
            };
            format!("{result} round={}", reply.round)
        }
        other => return Err(unknown(other)),
    };
    Ok(format!("{} term={} {said}", envelope.message.name(), envelope.term))
}

const fn granted(granted: bool) -> &'static str {
    if granted { "granted" } else { "refused" }
}

/// A reason in words.
pub(super) fn note(note: &Note) -> Result<String, String> {
    Ok(match note {
        Note::VoteGranted { candidate } => format!("granted {candidate}"),
        Note::AlreadyVoted { candidate, holder } => {
            format!("refused {candidate}: already voted for {holder}")
        }
        Note::LogBehind { candidate, ours } => {
            format!("refused {candidate}: its log is behind {ours}")
        }
        Note::LeaderAlive { candidate } => format!("ignored {candidate}: a leader is alive"),
        Note::AppendRefused { previous, hint } => {
            format!("refused append after {previous}, hint {hint}")
        }
        Note::Truncated { from } => format!("cut from {from}"),
        Note::QuorumLost { term } => format!("lost its quorum in term {term}"),
        other => return Err(unknown(other)),
    })
}

fn read_failure(reason: ReadFailure) -> Result<&'static str, String> {
    Ok(match reason {
        ReadFailure::LeadershipLost => "leadership lost",
        ReadFailure::Halted => "halted",
        other => return Err(unknown(&other)),
    })
}

fn outcome(outcome: Outcome) -> Result<&'static str, String> {
    Ok(match outcome {
        Outcome::Superseded => "superseded",
        Outcome::Unknown(UnknownReason::LeadershipLost) => "unknown: leadership lost",
        Outcome::Unknown(UnknownReason::Halted) => "unknown: halted",
        Outcome::Unknown(UnknownReason::Shutdown) => "unknown: shut down",
        other => return Err(unknown(&other)),
    })
}

/// What a step minted; nothing is no line.
pub(super) fn issued(issued: Issued) -> Option<String> {
    match issued {
        Issued::Nothing => None,
        Issued::Proposal(ticket) => Some(format!("accepted {ticket}")),
        Issued::Read(ticket) => Some(format!("accepted {ticket}")),
    }
}

/// What was refused.
pub(super) fn input(input: &Input) -> Result<String, String> {
    Ok(match input {
        Input::Tick => "tick".to_owned(),
        Input::Receive(envelope) => {
            format!("{} from {}", envelope.message.name(), envelope.from)
        }
        Input::Propose(_) => "proposal".to_owned(),
        Input::Read => "read".to_owned(),
        Input::Persisted(_) => "acknowledgement".to_owned(),
        Input::PersistFailed(_) => "failed write".to_owned(),
        Input::Applied(index) => format!("applied {index}"),
        Input::EntriesRead { .. } | Input::EntriesReadFailed { .. } => "fetched entries".to_owned(),
        Input::StepDown => "step-down".to_owned(),
        Input::Shutdown => "shutdown".to_owned(),
        other => return Err(unknown(other)),
    })
}

/// One peer as a leader sees it.
pub(super) fn peer(peer: &PeerStatus) -> String {
    let state = match peer.state {
        ProgressState::Probe => "probe",
        ProgressState::Replicate => "replicate",
    };
    let PeerStatus { peer, matched, next, inflight, .. } = peer;
    format!("{peer} {state} match={matched} next={next} inflight={inflight}")
}

/// A field of a status by its name, whatever fields there are; `queues.reads` is one inside.
pub(super) fn field(status: &Status, name: &str) -> Result<String, String> {
    let json = serde_json::to_value(status).map_err(|error| error.to_string())?;
    let mut value = &json;
    let mut key = String::new();
    for part in name.split('.') {
        key = part.replace('-', "_");
        value = value.get(&key).ok_or_else(|| {
            let known = value.as_object().into_iter().flatten();
            let known = known.map(|(key, _)| key.replace('_', "-")).collect::<Vec<_>>();
            format!("status has no {name}; there are {}", known.join(", "))
        })?;
    }
    let node = NODE_FIELDS.contains(&key.as_str()) && value.is_u64();
    Ok(format!("{name}={}{}", if node { "n" } else { "" }, flat(value)))
}

/// Fields of a status that hold a node.
const NODE_FIELDS: &[&str] = &["node", "vote", "leader"];

/// A JSON value in one word where that is possible.
fn flat(value: &serde_json::Value) -> String {
    use serde_json::Value;
    match value {
        Value::Null => "none".to_owned(),
        Value::String(text) => text.clone(),
        Value::Array(parts) => {
            format!("({})", parts.iter().map(flat).collect::<Vec<_>>().join(","))
        }
        Value::Object(fields) => {
            if let (2, Some(term), Some(index)) =
                (fields.len(), fields.get("term"), fields.get("index"))
            {
                return format!("{}/{}", flat(term), flat(index));
            }
            let each = fields.iter().map(|(key, value)| format!("{key}={}", flat(value)));
            format!("{{{}}}", each.collect::<Vec<_>>().join(","))
        }
        other => other.to_string(),
    }
}
