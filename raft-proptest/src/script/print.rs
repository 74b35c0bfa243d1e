//! Printing: every output, message, note, reason and refused input as one line of words.
//!
//! **Intuition.** One place per printed thing. The core's enumerations are open, so each match here
//! ends in an arm that fails the script and names this file: something new never compiles silently
//! into nothing.
//! **Source.** Ours.
//! **Upholds.** Nothing.
//! **Not here.** Which lines a script asked to leave out (`world.rs`), values (`words.rs`).

use raft_core::{
    AppendResult, DeferredRefusal, Envelope, FetchPurpose, Input, Issued, Message, Note,
    OperationFailure, Outcome, Output, PeerStatus, Persist, ProgressState, ReadFailure, ReadLevel,
    TransferRefusal, UnknownReason,
};

use super::words::{configuration, duration, entries, hard_state, snapshot, span};

/// What kind of fact a line tells; `mute` leaves out by kind.
pub(super) const KINDS: &[&str] = &[
    "accepted",
    "apply",
    "commit",
    "config",
    "fetch",
    "halted",
    "note",
    "operation",
    "outcome",
    "persist",
    "read",
    "recover",
    "rejected",
    "role",
    "send",
    "snapshot",
];

fn unknown(what: &impl std::fmt::Debug) -> String {
    format!("nobody knows how to say {what:?}: give it words in raft-proptest/src/script/print.rs")
}

/// The kind of an output and its words, without the node; `None` for those told elsewhere.
pub(super) fn output(output: &Output) -> Result<Option<(&'static str, String)>, String> {
    Ok(Some(match output {
        // Roles are told with the role before, sends together for all receivers (`world.rs`).
        Output::RoleChanged { .. } | Output::Send(_) => return Ok(None),
        Output::Persist(write) => ("persist", format!("persist{}", persist(write))),
        Output::Apply(apply) => {
            let list = entries(&apply.entries);
            let first = apply.first_ticket.map(|ticket| ticket.0);
            let range = first.map(|first| (first, first + apply.entries.len().max(1) - 1));
            let tickets = range.map_or(String::new(), |(a, b)| format!(" {}", span("t", a, b)));
            let skipped = if apply.skipped { " skipped" } else { "" };
            ("apply", format!("apply {list}{tickets}{skipped}"))
        }
        Output::ReadReady { ticket, index, term, level, staleness_ns } => {
            let how = match level {
                ReadLevel::Linearizable => String::new(),
                ReadLevel::Lease => " by lease".to_owned(),
                ReadLevel::ThroughLog => " through the log".to_owned(),
                ReadLevel::Local => {
                    format!(" local age={}", staleness_ns.map_or("unknown".to_owned(), duration))
                }
            };
            ("read", format!("read {ticket} ready index={index} term={term}{how}"))
        }
        Output::ReadFailed { ticket, reason } => {
            ("read", format!("read {ticket} failed: {}", read_failure(*reason)?))
        }
        Output::Outcome { first, count, outcome } => {
            let tickets = span("t", first.0, first.0 + count.max(&1) - 1);
            ("outcome", format!("outcome {tickets} {}", self::outcome(*outcome)?))
        }
        Output::Admitted { deferred, ticket, index } => {
            ("accepted", format!("admitted {deferred} as {ticket} at {index}"))
        }
        Output::OperationEnded { ticket, result } => {
            let how = match result {
                Ok(index) => format!("done index={index}"),
                Err(why) => format!("failed: {}", operation_failure(*why)?),
            };
            ("operation", format!("operation {ticket} {how}"))
        }
        Output::TakeSnapshot { meta, .. } => ("snapshot", format!("take {}", snapshot(meta))),
        Output::SendSnapshot(ask) => {
            let (to, term) = (ask.to, ask.term);
            ("snapshot", format!("ship to {to} term={term} {}", snapshot(&ask.meta)))
        }
        Output::InstallSnapshot(meta) => ("snapshot", format!("install {}", snapshot(meta))),
        Output::DiscardSnapshot(stage) => ("snapshot", format!("discard {stage}")),
        Output::CompactTo(index) => ("snapshot", format!("compact to {index}")),
        Output::ConfigChanged(changed) => {
            let state = if changed.committed { "committed" } else { "pending" };
            let (members, index) = (configuration(&changed.configuration), changed.index);
            ("config", format!("config {members} index={index} {state}"))
        }
        Output::ReadEntries(ask) => {
            let whom = match ask.purpose {
                FetchPurpose::Replicate(peer) => peer.to_string(),
                FetchPurpose::Apply => "apply".to_owned(),
            };
            ("fetch", format!("fetch {} for {whom}", span("", ask.first.0, ask.last.0)))
        }
        Output::LifecycleChanged { lifecycle, reason } => {
            let why = reason.map_or(String::new(), |reason| format!(": {reason}"));
            ("role", format!("{lifecycle}{why}"))
        }
        Output::Halted(reason) => ("halted", format!("halted: {reason}")),
        Output::Note(reason) => ("note", note(reason)?),
        other => return Err(unknown(other)),
    }))
}

fn persist(write: &Persist) -> String {
    let mut text = String::new();
    if let Some(publish) = write.snapshot() {
        let log = if publish.keep_log { "keep-log" } else { "new-log" };
        text += &format!(" snapshot={} {log}", publish.meta.position);
    }
    text += &write.hard_state().map_or(String::new(), hard_state);
    if let Some(from) = write.truncate_from() {
        text += &format!(" cut={from}");
    }
    if !write.entries.is_empty() {
        text += &format!(" entries={}", entries(&write.entries));
    }
    text
}

/// The message's name and content, with the term of its envelope. How far the sender's machine has
/// applied, which nearly every answer says, is told only in detail.
pub(super) fn envelope(envelope: &Envelope, detail: bool) -> Result<String, String> {
    let said = match &envelope.message {
        Message::PreVote(ask) => {
            let number = ask.round.number;
            format!("campaign={} last={} round={number}", ask.campaign_term, ask.last)
        }
        Message::PreVoteReply(reply) => {
            format!("{} round={}", granted(reply.granted), reply.round.number)
        }
        Message::RequestVote(request) => {
            let by = request.authorised_by.map(|term| format!(" authorised-by={term}"));
            format!("last={}{}", request.last, by.unwrap_or_default())
        }
        Message::VoteReply(reply) => granted(reply.granted).to_owned(),
        Message::AppendEntries(append) => {
            let mut text = format!("prev={}", append.previous);
            if !append.entries.is_empty() {
                text += &format!(" entries={}", entries(&append.entries));
            }
            text += &format!(" commit={} round={}", append.commit, append.round);
            if append.void_transfer > 0 {
                text += &format!(" void={}", append.void_transfer);
            }
            text
        }
        Message::AppendReply(reply) => {
            let mut text = match reply.result {
                AppendResult::Matched { matched } => format!("match={matched}"),
                AppendResult::Refused { previous, hint } => {
                    format!("refused={previous} hint={hint}")
                }
                AppendResult::NeedSnapshot => "need-snapshot".to_owned(),
                AppendResult::StaleTerm => "stale-term".to_owned(),
            };
            text += &format!(" round={}", reply.round);
            if reply.promise_ns > 0 {
                text += &format!(" promise={}", duration(reply.promise_ns));
            }
            if detail && reply.applied.0 > 0 {
                text += &format!(" applied={}", reply.applied);
            }
            text
        }
        Message::TimeoutNow(ask) => format!("transfer={} last={}", ask.transfer, ask.last),
        Message::TransferRefused(answer) => {
            format!("transfer={} {}", answer.transfer, transfer_refusal(answer.reason)?)
        }
        Message::ReadIndex(ask) => format!("context={}", ask.context.number),
        Message::ReadIndexReply(reply) => {
            let index = reply.index.map_or("none".to_owned(), |index| index.to_string());
            format!("context={} index={index}", reply.context.number)
        }
        Message::InstallMeta(install) => {
            format!("snapshot={} round={}", snapshot(&install.meta), install.round)
        }
        Message::NotMember(told) => {
            format!("commit={} configuration={}", told.commit, told.configuration_index)
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
        Note::SnapshotJudged { index, taken: true } => format!("takes snapshot {index}"),
        Note::SnapshotJudged { index, taken: false } => format!("does not want snapshot {index}"),
        Note::TermsFull { runs } => format!("has no room for another term after {runs}"),
        Note::QuorumLost { term } => format!("lost its quorum in term {term}"),
        other => return Err(unknown(other)),
    })
}

fn read_failure(reason: ReadFailure) -> Result<String, String> {
    let plain = match reason {
        ReadFailure::Transferring { to } => return Ok(format!("leadership goes to {to}")),
        ReadFailure::LeadershipLost => "leadership lost",
        ReadFailure::NotConfirmed => "not confirmed",
        ReadFailure::DeadlinePassed => "deadline passed",
        ReadFailure::Halted => "halted",
        other => return Err(unknown(&other)),
    };
    Ok(plain.to_owned())
}

fn unknown_reason(reason: UnknownReason) -> Result<&'static str, String> {
    Ok(match reason {
        UnknownReason::LeadershipLost => "unknown: leadership lost",
        UnknownReason::Halted => "unknown: halted",
        UnknownReason::Shutdown => "unknown: shut down",
        UnknownReason::CoveredBySnapshot => "unknown: covered by a snapshot",
        other => return Err(unknown(&other)),
    })
}

fn outcome(outcome: Outcome) -> Result<&'static str, String> {
    Ok(match outcome {
        Outcome::Superseded => "superseded",
        Outcome::Unknown(reason) => unknown_reason(reason)?,
        Outcome::Refused(DeferredRefusal::ElectionLost) => "refused: election lost",
        Outcome::Refused(DeferredRefusal::NotLeader) => "refused: not the leader any more",
        Outcome::Refused(DeferredRefusal::DeadlinePassed) => "refused: deadline passed",
        Outcome::Refused(DeferredRefusal::Halted) => "refused: halted",
        other => return Err(unknown(&other)),
    })
}

fn transfer_refusal(reason: TransferRefusal) -> Result<&'static str, String> {
    Ok(match reason {
        TransferRefusal::LogDiffers => "log-differs",
        TransferRefusal::Ineligible => "ineligible",
        other => return Err(unknown(&other)),
    })
}

fn operation_failure(why: OperationFailure) -> Result<&'static str, String> {
    Ok(match why {
        OperationFailure::Superseded => "superseded",
        OperationFailure::Unknown(reason) => unknown_reason(reason)?,
        OperationFailure::Refused(reason) => transfer_refusal(reason)?,
        OperationFailure::Overruled => "overruled",
        OperationFailure::TimedOut => "timed out",
        OperationFailure::Cancelled => "cancelled",
        other => return Err(unknown(&other)),
    })
}

/// What a step minted; nothing is no line.
pub(super) fn issued(issued: Issued) -> Option<String> {
    match issued {
        Issued::Nothing => None,
        Issued::Unchanged(index) => Some(format!("unchanged, as of {index}")),
        Issued::Proposal(ticket) => Some(format!("accepted {ticket}")),
        Issued::Read(ticket) => Some(format!("accepted {ticket}")),
        Issued::Deferred(ticket) => Some(format!("deferred {ticket}")),
        Issued::Operation(ticket) => Some(format!("accepted {ticket}")),
    }
}

/// What was refused.
pub(super) fn input(input: &Input) -> Result<String, String> {
    let plain = match input {
        Input::Receive(envelope) => {
            return Ok(format!("{} from {}", envelope.message.name(), envelope.from));
        }
        Input::Applied(index) => return Ok(format!("applied {index}")),
        Input::Tick => "tick",
        Input::Propose(_) | Input::ProposeWith(_) => "proposal",
        Input::Read | Input::ReadWith(_) => "read",
        Input::Persisted(_) => "acknowledgement",
        Input::PersistFailed(_) => "failed write",
        Input::EntriesRead { .. } | Input::EntriesReadFailed { .. } => "fetched entries",
        Input::StepDown => "step-down",
        Input::ChangeConfig(_) => "change",
        Input::TransferLeader(_) => "transfer",
        Input::CancelTransfer => "cancel-transfer",
        Input::Campaign { .. } => "campaign",
        Input::ForgetLeader => "forget-leader",
        Input::SetEligibility { .. } => "eligibility",
        Input::Bootstrap(_) => "bootstrap",
        Input::TakeSnapshot => "snapshot",
        Input::SnapshotTaken(_) => "taken snapshot",
        Input::SnapshotFailed(_) => "failed snapshot",
        Input::SnapshotSent(_) => "shipped snapshot",
        Input::SnapshotSendFailed { .. } => "failed shipment",
        Input::SnapshotReceived(_) => "received snapshot",
        Input::SkipEntry { .. } => "skip",
        Input::Unreachable(_) => "unreachable",
        Input::Capacity(_) => "capacity",
        Input::ApplyFailed(_) => "failed apply",
        Input::Disable(_) => "disable",
        Input::Enable => "enable",
        Input::UnsafeRecover(_) => "unsafe recovery",
        Input::AcceptRecovery(_) => "accepted recovery",
        Input::Shutdown => "shutdown",
        other => return Err(unknown(other)),
    };
    Ok(plain.to_owned())
}

/// One peer as a leader sees it.
pub(super) fn peer(peer: &PeerStatus) -> String {
    let state = match peer.state {
        ProgressState::Probe => "probe",
        ProgressState::Replicate => "replicate",
        ProgressState::Snapshot => "snapshot",
    };
    let PeerStatus { peer, matched, next, inflight, .. } = peer;
    format!("{peer} {state} match={matched} next={next} inflight={inflight}")
}
