//! The whole matrix: every state a server can be in, every kind of message, every relation of terms.
//!
//! **Intuition.** The thesis says what a follower does with a vote request and what a leader does
//! with an append; what a disabled learner does with a late answer it leaves to the reader. Here
//! each of those cells is carried out and written down in a table that people read. Nothing in it
//! is chosen by hand: a state is reached by inputs, a cell is what the server then did.
//! **Source.** Thesis Fig. 3.1 and Fig. 3.3, §3.10, §4.1, §4.2.3, §6.4, §9.6; D-T8, D-Z14.
//! **Upholds.** `inv:monotone`, `inv:one-vote-per-term`, `inv:election-safety`.
//! **Not here.** Numbers no honest server sends (`hostile.rs`), the states themselves
//! (`matrix_states.rs`).
//!
//! `UPDATE_EXPECT=1` rewrites `testdata/matrix/messages.table`; each changed line is to be read.

use std::{collections::BTreeSet, fmt::Write as _, fs, path::PathBuf};

use raft_core::{
    AppendReply, AppendResult, Envelope, InstallMeta, LogIndex, Membership, Message, Node, NodeId,
    NotMember, PreVote, ReadIndex, ReadIndexReply, RequestVote, Role, SnapshotMeta, Term,
    TimeoutNow, TransferRefusal, TransferRefused, VoteReply,
};

use crate::{
    matrix_states::{SENDER, Scene, State, noops},
    rig::*,
};

/// How the term of a message relates to the receiver's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Relation {
    Lower,
    Equal,
    Higher,
}

impl Relation {
    const ALL: [Self; 3] = [Self::Lower, Self::Equal, Self::Higher];

    const fn to(self, term: Term) -> Term {
        match self {
            Self::Lower => Term(term.0 - 1),
            Self::Equal => term,
            Self::Higher => Term(term.0 + 1),
        }
    }
}

/// What may be said to a server in `scene` by a message of `term`, with a name for each. A kind has
/// as many rows as it has meanings.
fn sayings(scene: &Scene, term: Term) -> Vec<(&'static str, Message)> {
    let node = scene.rig.node(1);
    let last = node.last();
    let behind = at(1, 1);
    let pre_vote = |last| {
        let campaign_term = Term(term.0 + 1);
        Message::PreVote(PreVote { round: scene.context, campaign_term, last })
    };
    let request = |last, authorised_by| Message::RequestVote(RequestVote { last, authorised_by });
    let vote = |granted| Message::VoteReply(VoteReply { granted });
    // A candidate's log ends below its campaign's term.
    let as_long = if last.term < term { last } else { at(3, last.index.0) };
    let follows = |(of, index): (u64, u64), terms: &[u64]| {
        let Message::AppendEntries(mut append) = append((of, index), &[], 3, 1) else { panic!() };
        append.entries = noops(index, terms);
        Message::AppendEntries(append)
    };
    let reply = |result| {
        Message::AppendReply(AppendReply { round: scene.round, result, ..Default::default() })
    };
    let refused = AppendResult::Refused { previous: LogIndex(3), hint: at(1, 2) };
    let configuration = scene.rig.voters.clone();
    let settings = scene.rig.options.settings();
    let meta = Box::new(SnapshotMeta::empty(at(3, 3), configuration, settings, 0));
    let answer = ReadIndexReply { context: scene.context, index: Some(LogIndex(4)) };
    let reason = TransferRefusal::LogDiffers;
    let told = NotMember { commit: LogIndex(9), configuration_index: LogIndex(9) };
    vec![
        ("log as long", pre_vote(as_long)),
        ("log behind", pre_vote(behind)),
        ("yes", pre_vote_reply(scene.context, true)),
        ("no", pre_vote_reply(scene.context, false)),
        ("log as long", request(as_long, None)),
        ("log behind", request(behind, None)),
        ("by transfer", request(as_long, Some(Term(term.0 - 1)))),
        ("yes", vote(true)),
        ("no", vote(false)),
        ("heartbeat", follows((3, 3), &[])),
        ("one entry", follows((3, 3), &[4])),
        ("after a gap", follows((4, 9), &[])),
        ("matched", reply(AppendResult::Matched { matched: last.index })),
        ("refused", reply(refused)),
        ("empty disk", reply(AppendResult::NeedSnapshot)),
        ("older term", reply(AppendResult::StaleTerm)),
        ("", Message::TimeoutNow(TimeoutNow { transfer: 1, last })),
        ("", Message::TransferRefused(TransferRefused { transfer: 1, reason })),
        ("", Message::ReadIndex(ReadIndex { context: scene.context })),
        ("", Message::ReadIndexReply(answer)),
        ("", Message::InstallMeta(InstallMeta { meta, round: 1 })),
        ("", Message::NotMember(told)),
    ]
}

// ---- one cell ------------------------------------------------------------------------------

/// What a message says, short.
fn in_short(message: &Message) -> String {
    let name = message.name();
    let yes = |granted| if granted { "yes" } else { "no" };
    match message {
        Message::PreVoteReply(reply) => format!("{name} {}", yes(reply.granted)),
        Message::VoteReply(reply) => format!("{name} {}", yes(reply.granted)),
        Message::AppendReply(reply) => match reply.result {
            AppendResult::Matched { matched } => format!("{name} matched {matched}"),
            AppendResult::Refused { previous, hint } => {
                format!("{name} refused {previous}, hint {hint}")
            }
            AppendResult::NeedSnapshot => format!("{name} empty disk"),
            AppendResult::StaleTerm => format!("{name} older term"),
        },
        Message::AppendEntries(append) => {
            format!("{name} {}+{} commit {}", append.previous, append.entries.len(), append.commit)
        }
        Message::TransferRefused(answer) => format!("{name} {:?}", answer.reason),
        Message::ReadIndexReply(reply) => match reply.index {
            Some(index) => format!("{name} {index}"),
            None => format!("{name} none"),
        },
        _ => name.to_owned(),
    }
}

/// Messages of the receiver: what, and to whom.
fn in_short_sent(sent: &[Envelope]) -> Option<String> {
    let mut words: Vec<(String, Vec<String>)> = Vec::new();
    for envelope in sent {
        let (said, to) = (in_short(&envelope.message), envelope.to.to_string());
        match words.iter_mut().find(|(known, _)| *known == said) {
            Some((_, whom)) => whom.push(to),
            None => words.push((said, vec![to])),
        }
    }
    let told = words.iter().map(|(said, whom)| format!("{said} to {}", whom.join(" ")));
    let told: Vec<String> = told.collect();
    (!told.is_empty()).then(|| format!("sends {}", told.join(" and ")))
}

/// What is different now.
fn changes(before: &Node, after: &Node) -> Vec<String> {
    let mut all = Vec::new();
    if after.role() != before.role() {
        all.push(format!("becomes {}", after.role()));
    }
    if after.term() != before.term() {
        all.push(format!("term {}", after.term()));
    }
    if after.vote() != before.vote()
        && let Some(vote) = after.vote()
    {
        all.push(format!("votes {vote}"));
    }
    if after.leader_hint() != before.leader_hint() {
        all.push(
            after.leader_hint().map_or("no leader".into(), |leader| format!("leader {leader}")),
        );
    }
    if after.last() != before.last() {
        all.push(format!("log to {}", after.last()));
    }
    if after.log_base() != before.log_base() {
        all.push(format!("snapshot {}", after.log_base()));
    }
    if after.commit() != before.commit() {
        all.push(format!("commit {}", after.commit()));
    }
    if after.membership() != before.membership() {
        all.push(format!("is {}", after.membership()));
    }
    if after.lifecycle() != before.lifecycle() {
        all.push(format!("is {}", after.lifecycle()));
    }
    if after.transfer_status().is_some() != before.transfer_status().is_some() {
        all.push("transfer over".into());
    }
    let state = |node: &Node| node.peers().find(|peer| peer.peer == NodeId(SENDER));
    if let (Some(old), Some(new)) = (state(before), state(after)) {
        if old.matched != new.matched {
            all.push(format!("match {}", new.matched));
        }
        if old.state != new.state {
            all.push(format!("{:?}", new.state));
        }
    }
    all
}

/// Carries one cell out and says what happened.
fn cell(state: State, row: usize, relation: Relation) -> (&'static str, &'static str, String) {
    let mut scene = state.scene();
    let term = relation.to(scene.rig.node(1).term());
    let (label, message) = sayings(&scene, term).swap_remove(row);
    let kind = message.name();
    let before = scene.rig.node(1).clone();
    let (ready, failed) = (scene.rig.at(1).ready.len(), scene.rig.at(1).failed_reads.len());
    let result = scene.rig.tell(SENDER, 1, term.0, message);
    let sent = scene.rig.sent_by(1);
    let server = scene.rig.at(1);
    let (ready, failed) = (server.ready.len() - ready, server.failed_reads.len() - failed);
    let mut all = changes(&before, &server.node);
    if ready > 0 {
        all.push("answers its read".into());
    }
    if failed > 0 {
        all.push("fails its read".into());
    }
    all.extend(in_short_sent(&sent));
    let text = match result {
        Ok(_) if all.is_empty() => "taken".into(),
        Ok(_) => all.join(", "),
        Err(reason) => {
            assert!(all.is_empty(), "{state:?} {kind} {relation:?}: refused, and {all:?}");
            format!("refused: {reason}")
        }
    };
    check_cell(state, (kind, relation, &text), &before, scene.rig.node(1), &sent);
    (kind, label, text)
}

/// What the thesis asks of every cell alike, whatever the table says.
fn check_cell(
    state: State,
    (kind, relation, text): (&str, Relation, &str),
    before: &Node,
    after: &Node,
    sent: &[Envelope],
) {
    let what = format!("{state:?} {kind} {relation:?}: {text}");
    let silent = before.lifecycle() != raft_core::Lifecycle::Running;
    if silent {
        assert!(text.starts_with("refused: "), "{what}: who is out of service hears nothing");
    }
    if relation == Relation::Lower {
        // T-3.3-04: a message of an older term changes nothing here.
        let news = kind == "NotMember" || kind == "PreVote" || kind == "PreVoteReply";
        let same = changes(before, after).is_empty();
        assert!(same || news, "{what}: changed by an older term");
    }
    if relation != Relation::Higher {
        assert!(after.role() != Role::Leader || before.role() != Role::Follower, "{what}");
    }
    for envelope in sent {
        let gave = matches!(envelope.message, Message::VoteReply(VoteReply { granted: true }));
        assert!(!gave || after.vote() == Some(envelope.to), "{what}: a vote not given");
        let leads = matches!(envelope.message, Message::AppendEntries(_));
        assert!(!leads || after.role() == Role::Leader, "{what}: speaks as a leader");
    }
    if after.role() == Role::Leader && before.role() != Role::Leader {
        assert_eq!((kind, before.role()), ("VoteReply", Role::Candidate), "{what}: Fig. 3.3");
    }
    if after.membership() != Membership::Voter {
        assert_eq!(after.role(), Role::Follower, "{what}: only voters campaign");
    }
}

// ---- the table -----------------------------------------------------------------------------

fn table(state: State) -> String {
    let rows = sayings(&state.scene(), Term(5)).len();
    let mut lines = vec![["message", "lower term", "equal term", "higher term"].map(String::from)];
    for row in 0..rows {
        let mut line = <[String; 4]>::default();
        for (at, relation) in Relation::ALL.into_iter().enumerate() {
            let (kind, label, text) = cell(state, row, relation);
            line[0] = format!("{kind} {label}").trim_end().to_owned();
            line[at + 1] = text;
        }
        lines.push(line);
    }
    let width = |column: usize| lines.iter().map(|line| line[column].len()).max().unwrap();
    let widths: [usize; 3] = std::array::from_fn(width);
    let mut out = format!("== {}\n", state.describe());
    for line in &lines {
        let mut text = String::new();
        for (column, width) in widths.iter().enumerate() {
            write!(text, "{:width$} | ", line[column]).unwrap();
        }
        writeln!(out, "{text}{}", line[3]).unwrap();
    }
    out
}

const PREFACE: &str = "\
What a server n1 in each state does with each kind of message from n2, by term. Written by
raft-core/tests/it/matrix.rs; accept a change: cargo bless -p raft-core --test it matrix
Its term is 5, its log has terms 1 1 3 (and 5 where a leader's entry follows), written term/index.

";

#[test]
fn every_state_hears_every_message_in_every_term_as_the_table_says() {
    let tables: Vec<String> = State::ALL.into_iter().map(table).collect();
    let text = format!("{PREFACE}{}", tables.join("\n"));
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("testdata/matrix/messages.table");
    if std::env::var_os("UPDATE_EXPECT").is_some_and(|value| value == "1") {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, &text).unwrap();
    }
    let known = fs::read_to_string(&path).unwrap_or_default();
    let differs = known.lines().zip(text.lines()).find(|(old, new)| old != new);
    assert!(
        known == text,
        "the table is out of date, first here: {differs:?}\naccept: cargo bless -p raft-core \
         --test it matrix"
    );
}

#[test]
fn the_matrix_forgets_no_kind_of_message_and_no_state() {
    let scene = State::FollowerFree.scene();
    let said: BTreeSet<&str> = sayings(&scene, Term(5)).iter().map(|(_, m)| m.name()).collect();
    assert_eq!(said, Message::NAMES.into_iter().collect(), "a kind without a row");
    for state in State::ALL {
        let scene = state.scene();
        let node = scene.rig.node(1);
        assert_eq!(node.term(), Term(5), "{state:?}");
        assert_eq!(
            (node.role(), node.membership(), node.lifecycle()),
            state.offices(),
            "{state:?} is what it is called"
        );
    }
    State::check_complete();
}
