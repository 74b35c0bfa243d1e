//! Read levels (semantics 2.2): at followers, through the log, local, with a least index.
//!
//! **Intuition.** Set up, act, check.
//! **Source.** Thesis §6.4; semantics 2.2; B-076 to B-078, D-T7.
//! **Upholds.** `inv:read-freshness`, `inv:linearizable`, `inv:bounded`.
//! **Not here.** Rounds (`paper_reads.rs`), leases (`leases.rs`).

use raft_core::{
    Configuration, ConfigurationParts, EntryKind, Envelope, Input, LogIndex, Message, NodeId,
    Options, ReadError, ReadFailure, ReadIndex, ReadIndexReply, ReadLevel, ReadRequest, ReadTicket,
    Rejected, Role, RoundId, Term, TransferRequest,
};

use crate::rig::*;

fn led() -> Rig {
    let mut rig = Rig::with(3, Options::default());
    rig.elect(1);
    rig.run(60 * MS);
    rig.lose_all();
    rig
}

fn level(level: ReadLevel) -> ReadRequest {
    ReadRequest { level, ..ReadRequest::default() }
}

fn not_before(level: ReadLevel, index: u64) -> ReadRequest {
    ReadRequest { level, min_index: LogIndex(index), deadline: None }
}

fn read(rig: &mut Rig, id: u64, request: ReadRequest) -> Result<ReadTicket, ReadError> {
    let now = rig.now;
    let result = rig.at(id).node.read_with(now, request);
    rig.drain(id);
    result
}

fn is_question(envelope: &Envelope) -> bool {
    matches!(envelope.message, Message::ReadIndex(_))
}

fn is_answer(envelope: &Envelope) -> bool {
    matches!(envelope.message, Message::ReadIndexReply(_))
}

fn question(envelope: &Envelope) -> RoundId {
    match envelope.message {
        Message::ReadIndex(ask) => ask.context,
        _ => panic!("no question: {envelope:?}"),
    }
}

const LINEAR: ReadLevel = ReadLevel::Linearizable;

#[test]
fn t_6_4_08_a_follower_reads_at_the_index_its_leader_names() {
    // B-077: and its commit index is its own business.
    let mut rig = led();
    rig.at(3).slow_apply = true;
    rig.propose(1, "x");
    rig.deliver(|e| e.to.0 == 2);
    rig.deliver(|e| e.to.0 == 1);
    rig.lose_all();
    assert_eq!((rig.commit(1), rig.commit(3)), (2, 1));
    let ticket = read(&mut rig, 3, level(LINEAR)).unwrap();
    rig.deliver(is_question);
    rig.deliver(|e| e.to.0 == 2);
    rig.deliver(|e| e.to.0 == 1);
    let answers = rig.take(is_answer);
    assert_eq!(answers.len(), 1);
    rig.lose_all();
    rig.receive(answers[0].clone()).unwrap();
    assert_eq!((rig.commit(3), rig.at(3).ready.len()), (1, 0), "told the index, has nothing yet");
    rig.run(60 * MS);
    assert_eq!((rig.commit(3), rig.at(3).ready.len()), (2, 0), "B-076: committed is not applied");
    rig.step(3, Input::Applied(LogIndex(2))).unwrap();
    assert_eq!(rig.at(3).ready, [(ticket, LogIndex(2), Term(1))]);
    assert_eq!(rig.at(3).freshness, [(LINEAR, Some(0))]);
}

#[test]
fn a_leader_answers_a_question_only_after_a_round_begun_since() {
    // B-075 to B-079 for reads of others: same rules, same rounds.
    let mut rig = led();
    rig.tick(1);
    rig.deliver(|e| e.from.0 == 1);
    let old = rig.take(|e| e.to.0 == 1);
    read(&mut rig, 3, level(LINEAR)).unwrap();
    rig.deliver(is_question);
    for envelope in old {
        rig.receive(envelope).unwrap();
    }
    assert_eq!(rig.take(is_answer).len(), 0, "D-T3: an older round proves nothing");
    rig.deliver_all();
    assert_eq!(rig.at(3).ready.len(), 1);
    // A deposed leader answers nothing.
    let mut rig = led();
    read(&mut rig, 3, level(LINEAR)).unwrap();
    rig.deliver(is_question);
    rig.deliver(|e| e.from.0 == 1);
    rig.tell(2, 1, 9, vote(false)).unwrap();
    rig.deliver_all();
    assert_eq!(rig.at(3).ready, []);
}

#[test]
fn one_question_stands_for_all_reads_that_came_before_it() {
    let mut rig = led();
    for _ in 0..1_000 {
        rig.step_only(3, Input::ReadWith(level(LINEAR))).unwrap();
    }
    rig.drain(3);
    assert_eq!(rig.net.len(), 1);
    // More reads while it is under way: they wait for the next one.
    for _ in 0..10 {
        read(&mut rig, 3, level(LINEAR)).unwrap();
    }
    assert_eq!(rig.net.len(), 1);
    rig.deliver(is_question);
    rig.deliver(is_append);
    rig.deliver(|e| e.to.0 == 1);
    rig.deliver(is_answer);
    assert_eq!(rig.at(3).ready.len(), 1_000);
    rig.deliver_all();
    assert_eq!(rig.at(3).ready.len(), 1_010);
    assert_eq!(rig.node(3).queues().reads, 0);
}

#[test]
fn a_lost_question_is_repeated_as_the_same_question() {
    // A new one each time would start the leader's round anew, and a round longer than the
    // patience would never end.
    let mut rig = led();
    let ticket = read(&mut rig, 3, level(LINEAR)).unwrap();
    let first = question(&rig.take(is_question)[0]);
    for _ in 0..3 {
        rig.tick(1);
        rig.deliver_among(&[1, 2, 3]);
        rig.tick(3);
        let again = rig.take(is_question);
        assert_eq!(again.len(), 1);
        assert_eq!(question(&again[0]), first);
    }
    // Three copies, one round, one answer.
    let ask = Message::ReadIndex(ReadIndex { context: first });
    rig.tell(3, 1, 1, ask.clone()).unwrap();
    let round = rig.take(is_append);
    for _ in 0..2 {
        rig.tell(3, 1, 1, ask.clone()).unwrap();
        assert_eq!(rig.take(is_append).len(), 0);
    }
    for envelope in round {
        rig.receive(envelope).unwrap();
    }
    rig.deliver(|e| e.to.0 == 1);
    let answers = rig.take(is_answer);
    assert_eq!(answers.len(), 1);
    rig.receive(answers[0].clone()).unwrap();
    assert_eq!(rig.at(3).ready, [(ticket, LogIndex(1), Term(1))]);
    assert_eq!(rig.receive(answers[0].clone()), Err(Rejected::Stale), "a copy of the answer");
}

#[test]
fn answers_that_were_not_asked_for_count_nothing() {
    let mut rig = led();
    read(&mut rig, 3, level(LINEAR)).unwrap();
    let context = question(&rig.take(is_question)[0]);
    let answer =
        |context| Message::ReadIndexReply(ReadIndexReply { context, index: Some(LogIndex(1)) });
    let other = RoundId { number: context.number + 1, ..context };
    let before_restart = RoundId { boot: raft_core::BootId(1), ..context };
    assert_eq!(rig.tell(1, 3, 1, answer(other)), Err(Rejected::Stale));
    assert_eq!(rig.tell(1, 3, 1, answer(before_restart)), Err(Rejected::Stale));
    assert_eq!(rig.tell(2, 3, 1, answer(context)), Err(Rejected::Stale), "n1 leads");
    assert_eq!(rig.tell(1, 3, 0, answer(context)), Err(Rejected::Malformed));
    assert_eq!(rig.at(3).ready, []);
    rig.tell(1, 3, 1, answer(context)).unwrap();
    assert_eq!(rig.at(3).ready.len(), 1);
    // Questions at the wrong place.
    let ask = |context| Message::ReadIndex(ReadIndex { context });
    assert_eq!(rig.tell(2, 3, 1, ask(context)), Err(Rejected::NotLeader));
    assert_eq!(rig.tell(9, 1, 1, ask(context)), Err(Rejected::UnknownSender));
}

#[test]
fn reads_at_a_follower_fail_when_its_leader_changes_and_none_hangs() {
    // 2.2.6, B-078.
    let lost = ReadFailure::LeadershipLost;
    let mut rig = led();
    let ticket = read(&mut rig, 3, level(LINEAR)).unwrap();
    rig.lose_all();
    rig.tell(2, 3, 2, append((1, 1), &[2], 1, 1)).unwrap();
    assert_eq!(rig.at(3).failed_reads, [(ticket, lost)]);
    let mut rig = led();
    let ticket = read(&mut rig, 3, level(LINEAR)).unwrap();
    rig.lose_all();
    rig.expire(3);
    assert_eq!(rig.at(3).failed_reads, [(ticket, lost)], "it gave its leader up");
    assert_eq!(
        read(&mut rig, 3, level(LINEAR)),
        Err(ReadError::ElectionInProgress { term: Term(1) })
    );
    // No leader known: nobody to ask.
    let mut rig = led();
    rig.step(3, Input::ForgetLeader).unwrap();
    let none = Err(ReadError::NotLeader { hint: None });
    assert_eq!(read(&mut rig, 3, level(LINEAR)), none);
    // Its questions get lost, its leader's heartbeats do not.
    let mut rig = led();
    let ticket = read(&mut rig, 3, level(LINEAR)).unwrap();
    let patience = rig.options.pending_after_loss_ns;
    let start = rig.now;
    while rig.at(3).failed_reads.is_empty() {
        assert!(rig.now.since(start) <= patience);
        rig.net.retain(|e| !is_question(e));
        rig.run(10 * MS);
        rig.tick(3);
        rig.net.retain(|e| !is_question(e));
    }
    assert_eq!(rig.at(3).failed_reads, [(ticket, ReadFailure::DeadlinePassed)]);
    assert_eq!(rig.node(3).queues().reads, 0);
}

#[test]
fn a_confirmed_read_at_a_follower_survives_its_leader() {
    let mut rig = led();
    rig.at(3).slow_apply = true;
    rig.propose(1, "x");
    rig.run(60 * MS);
    let ticket = read(&mut rig, 3, level(LINEAR)).unwrap();
    rig.run(20 * MS);
    assert_eq!(rig.at(3).ready, []);
    rig.tell(2, 3, 2, append((1, 2), &[2], 2, 1)).unwrap();
    rig.step(3, Input::Applied(LogIndex(2))).unwrap();
    assert_eq!(rig.at(3).ready, [(ticket, LogIndex(2), Term(2))]);
}

#[test]
fn a_leader_that_hands_over_confirms_nothing_for_others() {
    let mut rig = led();
    let open = read(&mut rig, 3, level(LINEAR)).unwrap();
    rig.deliver(is_question);
    let request = TransferRequest { to: Some(NodeId(2)), replace: false };
    rig.step(1, Input::TransferLeader(request)).unwrap();
    rig.deliver(is_answer);
    assert_eq!(rig.at(3).failed_reads, [(open, ReadFailure::NotConfirmed)]);
    let late = read(&mut rig, 3, level(LINEAR)).unwrap();
    rig.deliver(is_question);
    rig.deliver(is_answer);
    assert_eq!(rig.at(3).failed_reads.last(), Some(&(late, ReadFailure::NotConfirmed)));
    assert_eq!(rig.at(3).ready, []);
}

#[test]
fn a_read_through_the_log_waits_for_its_own_entry() {
    // 2.2.2, S-49: other replicas see an entry that does nothing.
    let mut rig = led();
    let before = rig.propose(1, "a");
    let ticket = read(&mut rig, 1, level(ReadLevel::ThroughLog)).unwrap();
    let after = rig.propose(1, "b");
    assert_eq!(rig.at(1).ready, []);
    rig.run(60 * MS);
    assert_eq!(rig.at(1).ready, [(ticket, LogIndex(3), Term(1))]);
    assert_eq!(rig.at(1).freshness, [(ReadLevel::ThroughLog, Some(0))]);
    let want = [(1, None), (2, Some(before.0)), (3, None), (4, Some(after.0))];
    assert_eq!(rig.applied(1), want, "the read's place is nobody's proposal");
    for id in [2, 3] {
        let kinds: Vec<_> = rig
            .at(id)
            .applies
            .iter()
            .flat_map(|a| a.entries.iter().map(|e| e.entry.kind))
            .collect();
        assert_eq!(kinds.iter().filter(|kind| **kind == EntryKind::QUERY).count(), 1);
        assert_eq!((rig.at(id).ready.len(), rig.at(id).failed_reads.len()), (0, 0));
    }
    let hint = Some(NodeId(1));
    assert_eq!(read(&mut rig, 2, level(ReadLevel::ThroughLog)), Err(ReadError::NotLeader { hint }));
}

#[test]
fn a_read_through_the_log_ends_with_the_lead() {
    let mut rig = led();
    let ticket = read(&mut rig, 1, level(ReadLevel::ThroughLog)).unwrap();
    rig.lose_all();
    rig.tell(2, 1, 2, append((1, 1), &[2], 2, 1)).unwrap();
    assert_eq!(rig.at(1).failed_reads, [(ticket, ReadFailure::LeadershipLost)]);
    assert_eq!((rig.at(1).ready.len(), rig.log(1)), (0, vec![1, 2]));
    // During a transfer it is on its way like any write.
    let mut rig = led();
    let ticket = read(&mut rig, 1, level(ReadLevel::ThroughLog)).unwrap();
    let request = TransferRequest { to: Some(NodeId(2)), replace: false };
    rig.step(1, Input::TransferLeader(request)).unwrap();
    assert_eq!(
        read(&mut rig, 1, level(ReadLevel::ThroughLog)),
        Err(ReadError::Transferring { to: Some(NodeId(2)) })
    );
    rig.deliver(is_append);
    rig.deliver(|e| e.to.0 == 1);
    assert_eq!(rig.at(1).ready, [(ticket, LogIndex(2), Term(1))]);
}

#[test]
fn a_local_read_says_how_old_it_may_be() {
    // 2.2.4, S-50.
    let mut rig = Rig::with(3, Options::default());
    let local = level(ReadLevel::Local);
    let never = read(&mut rig, 2, local).unwrap();
    assert_eq!(rig.at(2).ready, [(never, LogIndex(0), Term(0))]);
    assert_eq!(rig.at(2).freshness, [(ReadLevel::Local, None)], "never heard a leader");
    let mut rig = led();
    rig.propose(1, "x");
    rig.deliver_all();
    rig.run(60 * MS);
    rig.tick(1);
    rig.deliver_all();
    rig.pass(37 * MS);
    let ticket = read(&mut rig, 2, local).unwrap();
    assert_eq!(rig.at(2).ready, [(ticket, LogIndex(2), Term(1))]);
    assert_eq!(rig.at(2).freshness, [(ReadLevel::Local, Some(37 * MS))]);
    // A leader's own age is that of its quorum: it may be deposed without knowing.
    read(&mut rig, 1, local).unwrap();
    assert_eq!(rig.at(1).freshness, [(ReadLevel::Local, Some(37 * MS))]);
    // In an election too.
    rig.expire(3);
    assert_ne!(rig.office(3).0, Role::Follower);
    read(&mut rig, 3, local).unwrap();
    assert!(rig.at(3).freshness[0].1.unwrap() >= 150 * MS);
}

#[test]
fn who_holds_no_data_reads_nothing() {
    let mut rig = Rig::with(4, Options::default());
    rig.voters = Configuration::from_parts(ConfigurationParts {
        voters: [1, 2].map(NodeId).to_vec(),
        witnesses: vec![NodeId(2)],
        ..ConfigurationParts::default()
    })
    .unwrap();
    rig.restart(2);
    rig.restart(3);
    for wanted in [ReadLevel::Local, LINEAR, ReadLevel::Lease, ReadLevel::ThroughLog] {
        assert_eq!(read(&mut rig, 2, level(wanted)), Err(ReadError::NoData), "a witness");
        assert_eq!(read(&mut rig, 3, level(wanted)), Err(ReadError::NotInGroup), "removed");
    }
    rig.voters = Configuration::default();
    rig.restart(4);
    assert_eq!(read(&mut rig, 4, level(ReadLevel::Local)), Err(ReadError::NoData), "blank");
}

#[test]
fn a_read_waits_for_the_least_index_asked_for() {
    // 2.2.5, T-6.4.1-05: on top of every level.
    for wanted in [ReadLevel::Local, LINEAR, ReadLevel::ThroughLog, ReadLevel::Lease] {
        let mut rig = Rig::with(3, with(|o| o.lease = true));
        rig.elect(1);
        rig.run(60 * MS);
        let far = if wanted == ReadLevel::ThroughLog { 5 } else { 4 };
        let ticket = read(&mut rig, 1, not_before(wanted, far)).unwrap();
        let nearer = read(&mut rig, 1, not_before(ReadLevel::Local, far - 1)).unwrap();
        // It holds up nobody behind it.
        let other = rig.read(1);
        rig.deliver_all();
        assert_eq!(rig.at(1).ready.iter().map(|ready| ready.0).collect::<Vec<_>>(), [other]);
        while rig.commit(1) < far - 1 {
            rig.propose(1, "x");
            rig.deliver_all();
        }
        assert_eq!(rig.at(1).ready[1..], [(nearer, LogIndex(far - 1), Term(1))], "{wanted:?}");
        rig.propose(1, "x");
        rig.deliver_all();
        assert_eq!(rig.at(1).ready[2..], [(ticket, LogIndex(far), Term(1))], "{wanted:?}");
    }
    // At a follower that is behind.
    let mut rig = led();
    let ticket = read(&mut rig, 3, not_before(LINEAR, 2)).unwrap();
    let local = read(&mut rig, 3, not_before(ReadLevel::Local, 2)).unwrap();
    rig.deliver_all();
    assert_eq!(rig.at(3).ready, []);
    rig.propose(1, "x");
    rig.run(60 * MS);
    let ready: Vec<_> = rig.at(3).ready.iter().map(|ready| (ready.0, ready.1)).collect();
    assert_eq!(ready.len(), 2);
    assert!(ready.contains(&(ticket, LogIndex(2))) && ready.contains(&(local, LogIndex(2))));
}

#[test]
fn a_wait_for_an_index_is_bounded() {
    // S-47.
    let mut rig = led();
    let far = 1 + rig.options.ready_lag_max;
    for id in [1, 3] {
        for wanted in [ReadLevel::Local, LINEAR] {
            let last = LogIndex(1);
            let error = Err(ReadError::IndexTooFarAhead { last });
            assert_eq!(read(&mut rig, id, not_before(wanted, far + 1)), error);
            read(&mut rig, id, not_before(wanted, far)).unwrap();
        }
    }
    rig.run(rig.options.pending_after_loss_ns - 1);
    assert_eq!((rig.at(1).failed_reads.len(), rig.at(3).failed_reads.len()), (0, 0));
    rig.run(1);
    for id in [1, 3] {
        let failed: Vec<_> = rig.at(id).failed_reads.iter().map(|(_, why)| *why).collect();
        assert_eq!(failed, [ReadFailure::DeadlinePassed; 2]);
        assert_eq!(rig.node(id).queues().reads, 0);
    }
}

#[test]
fn a_read_fails_at_its_deadline() {
    let mut rig = led();
    rig.at(1).slow_apply = true;
    rig.propose(1, "x");
    rig.run(60 * MS);
    let (now, soon) = (rig.now, rig.now.plus(10 * MS));
    let by = |at| ReadRequest { deadline: Some(at), ..level(LINEAR) };
    assert_eq!(read(&mut rig, 1, by(now)), Err(ReadError::DeadlinePassed));
    let confirmed = read(&mut rig, 1, by(soon)).unwrap();
    rig.deliver_all();
    let unconfirmed = read(&mut rig, 1, by(soon)).unwrap();
    let patient = read(&mut rig, 1, by(soon.plus(1))).unwrap();
    rig.lose_all();
    assert_eq!(rig.node(1).deadline(), Some(soon));
    rig.now = soon;
    rig.step(1, Input::Tick).unwrap();
    let mut failed: Vec<_> = rig.at(1).failed_reads.iter().map(|(ticket, _)| *ticket).collect();
    failed.sort_unstable();
    assert_eq!(failed, [confirmed, unconfirmed]);
    rig.pass(1);
    rig.step(1, Input::Tick).unwrap();
    assert_eq!(rig.at(1).failed_reads.last(), Some(&(patient, ReadFailure::DeadlinePassed)));
    rig.step(1, Input::Applied(LogIndex(2))).unwrap();
    assert_eq!(rig.at(1).ready, [], "each ends once");
    // At a follower.
    let mut rig = led();
    let soon = rig.now.plus(10 * MS);
    let ticket = read(&mut rig, 3, by(soon)).unwrap();
    rig.now = soon;
    rig.step(3, Input::Tick).unwrap();
    assert_eq!(rig.at(3).failed_reads, [(ticket, ReadFailure::DeadlinePassed)]);
}

#[test]
fn reads_are_admitted_up_to_their_bound_at_every_level() {
    // 2.2.7(a).
    let mut rig = Rig::with(3, with(|o| (o.reads_max, o.lease) = (4, true)));
    rig.elect(1);
    rig.run(60 * MS);
    rig.at(1).slow_apply = true;
    rig.propose(1, "x");
    rig.deliver_all();
    for wanted in [LINEAR, ReadLevel::ThroughLog, ReadLevel::Lease] {
        read(&mut rig, 1, level(wanted)).unwrap();
    }
    read(&mut rig, 1, not_before(ReadLevel::Local, 2)).unwrap();
    for wanted in [LINEAR, ReadLevel::ThroughLog, ReadLevel::Lease, ReadLevel::Local] {
        assert_eq!(read(&mut rig, 1, level(wanted)), Err(ReadError::QueueFull), "{wanted:?}");
    }
    rig.run(60 * MS);
    rig.step(1, Input::Applied(LogIndex(2))).unwrap();
    rig.step(1, Input::Applied(LogIndex(3))).unwrap();
    assert_eq!((rig.at(1).ready.len(), rig.node(1).queues().reads), (4, 0));
    // A machine that is far behind.
    let mut rig = Rig::with(3, with(|o| o.apply_queue_entries_max = 2));
    rig.elect(1);
    rig.run(60 * MS);
    rig.at(1).slow_apply = true;
    for _ in 0..3 {
        rig.step(1, Input::Propose("x".into())).unwrap();
    }
    rig.run(60 * MS);
    assert_eq!(
        read(&mut rig, 1, level(LINEAR)),
        Err(ReadError::ApplyQueueFull { entries: 3, bytes: 3 })
    );
    read(&mut rig, 1, level(ReadLevel::Local)).unwrap();
}

#[test]
fn all_open_reads_end_when_the_node_halts() {
    let mut rig = led();
    rig.at(1).slow_apply = true;
    rig.propose(1, "x");
    rig.run(60 * MS);
    let mut tickets = vec![
        read(&mut rig, 1, level(LINEAR)).unwrap(),
        read(&mut rig, 1, level(ReadLevel::ThroughLog)).unwrap(),
        read(&mut rig, 1, not_before(ReadLevel::Local, 9)).unwrap(),
    ];
    rig.step(1, Input::Shutdown).unwrap();
    let mut failed: Vec<_> = rig.at(1).failed_reads.iter().map(|(ticket, _)| *ticket).collect();
    failed.sort_unstable();
    tickets.sort_unstable();
    assert_eq!(failed, tickets);
    assert!(rig.at(1).failed_reads.iter().all(|(_, why)| *why == ReadFailure::Halted));
    let mut rig = led();
    let ticket = read(&mut rig, 3, level(LINEAR)).unwrap();
    rig.step(3, Input::Shutdown).unwrap();
    assert_eq!(rig.at(3).failed_reads, [(ticket, ReadFailure::Halted)]);
}

#[test]
fn a_learner_reads_through_its_leader_too() {
    let mut rig = Rig::with(4, Options::default());
    rig.voters = Configuration::from_parts(ConfigurationParts {
        voters: [1, 2, 3].map(NodeId).to_vec(),
        learners: vec![NodeId(4)],
        ..ConfigurationParts::default()
    })
    .unwrap();
    for id in rig.ids() {
        rig.restart(id);
    }
    rig.elect(1);
    rig.run(60 * MS);
    let ticket = read(&mut rig, 4, level(LINEAR)).unwrap();
    rig.deliver_all();
    assert_eq!(rig.at(4).ready, [(ticket, LogIndex(1), Term(1))]);
}
