//! Leadership transfer (thesis §3.10, semantics 2.10).
//!
//! **Intuition.** Set up, act, check. The defaults are on: Pre-Vote and check-quorum, so that a
//! transfer has to get past both.
//! **Source.** Thesis §3.10; semantics 2.10; S-30, S-31.
//! **Upholds.** `inv:election-safety`, `inv:nothing-lost`, `inv:live`.
//! **Not here.** What a transfer does to leases (`leases.rs`), eligibility (`requests.rs`).

use raft_core::{
    Configuration, ConfigurationParts, Input, LogIndex, Message, NodeId, OperationFailure,
    OperationTicket, Options, ProposeError, ReadError, ReadFailure, Rejected, RequestVote, Role,
    Term, TimeoutNow, TransferError, TransferRefusal, TransferRefused, TransferRequest,
    UnknownReason,
};

use crate::rig::*;

/// Default options, n1 leads term 1 and everybody has answered.
fn led() -> Rig {
    led_of(3)
}

fn led_of(n: u64) -> Rig {
    let mut rig = Rig::with(n, Options::default());
    rig.elect(1);
    rig.run(60 * MS);
    rig.lose_all();
    rig
}

fn to(node: u64) -> TransferRequest {
    TransferRequest { to: Some(NodeId(node)), replace: false }
}

/// Asks `id` for a transfer and carries out what follows at once.
fn hand_over(
    rig: &mut Rig,
    id: u64,
    request: TransferRequest,
) -> Result<OperationTicket, TransferError> {
    let now = rig.now;
    let result = rig.at(id).node.transfer(now, request);
    rig.drain(id);
    result
}

fn cancel(rig: &mut Rig, id: u64) -> Result<(), TransferError> {
    let now = rig.now;
    let result = rig.at(id).node.cancel_transfer(now);
    rig.drain(id);
    result
}

fn set_eligibility(rig: &mut Rig, id: u64, priority: u8, can_lead: bool) {
    rig.step(id, Input::SetEligibility { priority, can_lead }).unwrap();
}

fn is_timeout_now(envelope: &raft_core::Envelope) -> bool {
    matches!(envelope.message, Message::TimeoutNow(_))
}

/// The `TimeoutNow` messages under way, taken off the net.
fn told(rig: &mut Rig) -> Vec<raft_core::Envelope> {
    rig.take(is_timeout_now)
}

fn unknown() -> Result<LogIndex, OperationFailure> {
    Err(OperationFailure::Unknown(UnknownReason::LeadershipLost))
}

#[test]
fn t_3_10_01_a_leader_that_hands_over_takes_no_requests() {
    // B-084, 2.10.2, 2.1.2(b): from the choice of the target on, not from TimeoutNow on.
    let mut rig = led();
    rig.crash(2, 0);
    rig.propose(1, "before");
    hand_over(&mut rig, 1, to(2)).unwrap();
    assert_eq!(told(&mut rig).len(), 0, "the target is behind");
    let now = rig.now;
    let node = &mut rig.at(1).node;
    let to = NodeId(2);
    assert_eq!(node.propose(now, "x".into()), Err(ProposeError::Transferring { to: Some(to) }));
    assert_eq!(node.read(now), Err(ReadError::Transferring { to: Some(to) }));
    rig.deliver_all();
    assert_eq!(rig.commit(1), 2, "replication goes on");
    rig.tick(1);
    assert!(rig.sent_by(1).iter().any(is_append), "and so do heartbeats");
}

#[test]
fn t_3_10_02_the_target_is_brought_level_and_then_told() {
    let mut rig = led();
    rig.propose(1, "x");
    rig.deliver(|e| e.to.0 != 2 && e.from.0 != 2);
    hand_over(&mut rig, 1, to(2)).unwrap();
    assert_eq!(told(&mut rig).len(), 0);
    rig.deliver(|e| e.to.0 == 2);
    rig.deliver(|e| e.to.0 == 1);
    let sent = told(&mut rig);
    assert_eq!(sent.len(), 1, "as soon as the match is told");
    let ask = TimeoutNow { transfer: 1, last: at(1, 2) };
    assert_eq!((sent[0].to, &sent[0].message), (NodeId(2), &Message::TimeoutNow(ask)));
    let mut rig = led();
    hand_over(&mut rig, 1, to(3)).unwrap();
    assert_eq!(told(&mut rig).len(), 1, "level already: at once");
}

#[test]
fn t_3_10_03_the_target_campaigns_at_once_and_without_pre_vote() {
    // B-019, T-4.2.3-03: voters that hear the old leader elect the target all the same.
    let mut rig = led();
    rig.tick(1);
    rig.deliver_all();
    hand_over(&mut rig, 1, to(2)).unwrap();
    rig.deliver(is_timeout_now);
    assert_eq!(rig.office(2), (Role::Candidate, 2, Some(2)));
    let asked = rig.take(|e| e.from.0 == 2);
    assert_eq!(asked.len(), 2);
    let vote = RequestVote { last: at(1, 1), authorised_by: Some(Term(1)) };
    assert!(asked.iter().all(|e| e.message == Message::RequestVote(vote)));
    rig.receive(asked.iter().find(|e| e.to.0 == 3).unwrap().clone()).unwrap();
    rig.deliver(|e| e.from.0 == 3);
    assert_eq!(rig.office(2).0, Role::Leader, "n3 heard n1 a moment ago and votes for n2");
}

#[test]
fn t_3_10_04_success_is_told_when_the_target_is_seen_leading() {
    let mut rig = led();
    let ticket = hand_over(&mut rig, 1, to(2)).unwrap();
    rig.deliver(is_timeout_now);
    rig.deliver(is_request);
    assert_eq!(rig.office(1), (Role::Follower, 2, Some(2)));
    assert_eq!(rig.at(1).operations, [], "D-R8: a higher term is not success yet");
    rig.deliver_all();
    assert_eq!(rig.office(2).0, Role::Leader);
    assert_eq!(rig.at(1).operations, [(ticket, Ok(LogIndex(2)))], "the target's opening entry");
    rig.run(500 * MS);
    assert_eq!(rig.at(1).operations.len(), 1, "once");
}

#[test]
fn t_3_10_05_a_transfer_that_takes_too_long_is_given_up() {
    let mut rig = led();
    rig.crash(2, 0);
    let start = rig.now;
    let ticket = hand_over(&mut rig, 1, to(2)).unwrap();
    rig.run(rig.options.transfer_timeout_ns - 1);
    assert_eq!(rig.at(1).operations, []);
    rig.run(1);
    assert_eq!(rig.at(1).operations, [(ticket, Err(OperationFailure::TimedOut))]);
    assert_eq!(rig.now.since(start), rig.options.transfer_timeout_ns);
    assert_eq!(rig.office(1), (Role::Leader, 1, Some(1)));
    rig.propose(1, "served again");
    rig.read(1);
    rig.deliver_all();
    assert_eq!((rig.commit(1), rig.at(1).ready.len()), (2, 1));
}

#[test]
fn t_3_10_06_a_late_timeout_now_does_no_harm() {
    // Declared void: no election at all. Not heard of it: at most one.
    for heard in [true, false] {
        let mut rig = led();
        hand_over(&mut rig, 1, to(2)).unwrap();
        let late = told(&mut rig);
        while rig.at(1).operations.is_empty() {
            rig.tick(1);
            told(&mut rig);
            if heard {
                rig.deliver_all();
            } else {
                rig.deliver_among(&[1, 3]);
            }
        }
        if heard {
            rig.deliver_all();
        }
        let result = rig.receive(late[0].clone());
        rig.run(1_000 * MS);
        let term = rig.office(1).1;
        if heard {
            assert_eq!(result, Err(Rejected::Stale));
            assert_eq!(term, 1);
        } else {
            assert!(term <= 2, "one election at most: {term}");
        }
        let leaders = rig.ids().into_iter().filter(|id| rig.office(*id).0 == Role::Leader);
        assert_eq!(leaders.count(), 1);
    }
}

#[test]
fn t_3_10_07_who_may_not_lead_is_not_chosen() {
    // 2.10.1, B-073: each reason its own error, and nothing changes.
    let mut rig = Rig::with(5, Options::default());
    let nodes = |ids: &[u64]| ids.iter().copied().map(NodeId).collect::<Vec<_>>();
    rig.voters = Configuration::from_parts(ConfigurationParts {
        voters: nodes(&[1, 2, 3]),
        learners: nodes(&[4]),
        witnesses: nodes(&[3]),
        ..ConfigurationParts::default()
    })
    .unwrap();
    for id in rig.ids() {
        rig.restart(id);
    }
    assert_eq!(hand_over(&mut rig, 1, to(2)), Err(TransferError::NotLeader { hint: None }));
    assert_eq!(rig.step(1, Input::CancelTransfer), Err(Rejected::NotLeader));
    rig.expire(1);
    rig.deliver_all();
    assert_eq!(rig.office(1).0, Role::Leader);
    rig.run(60 * MS);
    let mut before = rig.node(1).status();
    assert_eq!(hand_over(&mut rig, 1, to(5)), Err(TransferError::NotMember));
    assert_eq!(hand_over(&mut rig, 1, to(9)), Err(TransferError::NotMember));
    assert_eq!(hand_over(&mut rig, 1, to(4)), Err(TransferError::TargetIsLearner));
    assert_eq!(hand_over(&mut rig, 1, to(3)), Err(TransferError::TargetIsWitness));
    assert_eq!(cancel(&mut rig, 1), Err(TransferError::NoTransfer));
    assert_eq!(rig.step(1, Input::TransferLeader(to(4))), Err(Rejected::TransferRefused));
    let mut after = rig.node(1).status();
    before.rejections.clear();
    after.rejections.clear();
    before.now = after.now;
    before.lease = after.lease;
    assert_eq!(before, after);
    let hint = Some(NodeId(1));
    assert_eq!(hand_over(&mut rig, 2, to(2)), Err(TransferError::NotLeader { hint }));
    rig.crash(2, 0);
    for _ in 0..12 {
        rig.tick(1);
        rig.deliver_all();
    }
    assert_eq!(hand_over(&mut rig, 1, to(2)), Err(TransferError::TargetUnresponsive));
    assert_eq!(
        hand_over(&mut rig, 1, TransferRequest::default()),
        Err(TransferError::NoCandidate),
        "a witness and a learner are left"
    );
    rig.step(1, Input::Shutdown).unwrap();
    assert_eq!(hand_over(&mut rig, 1, to(2)), Err(TransferError::Halted));
    assert_eq!(cancel(&mut rig, 1), Err(TransferError::Halted));
}

#[test]
fn t_3_10_07_a_target_that_is_far_behind_is_not_chosen() {
    // In its log, or in its machine (WARaft 997740f).
    let mut rig = Rig::with(3, with(|o| o.ready_lag_max = 2));
    rig.elect(1);
    rig.run(60 * MS);
    rig.at(2).slow_apply = true;
    for payload in ["a", "b", "c"] {
        rig.propose(1, payload);
    }
    rig.run(60 * MS);
    assert_eq!(rig.progress(1, 2).0, 4);
    assert_eq!(hand_over(&mut rig, 1, to(2)), Err(TransferError::TargetLagging { behind: 3 }));
    hand_over(&mut rig, 1, TransferRequest::default()).unwrap();
    assert_eq!(rig.node(1).transfer_status().unwrap().to, NodeId(3), "the one that is ready");
}

#[test]
fn t_3_10_07_a_target_that_may_not_campaign_says_so() {
    // 2.10.2, 2.10.3(a): the old leader serves again at once.
    for (priority, can_lead) in [(10, false), (0, true)] {
        let mut rig = led();
        set_eligibility(&mut rig, 2, priority, can_lead);
        let ticket = hand_over(&mut rig, 1, to(2)).unwrap();
        rig.deliver_all();
        let refused = OperationFailure::Refused(TransferRefusal::Ineligible);
        assert_eq!(rig.at(1).operations, [(ticket, Err(refused))]);
        rig.propose(1, "served again");
        rig.deliver_all();
        assert_eq!((rig.office(2).0, rig.office(1).1, rig.commit(1)), (Role::Follower, 1, 2));
    }
    // A log that ends elsewhere: the message is old. The refusal is repeated if it got lost.
    let mut rig = led();
    let ask = TimeoutNow { transfer: 3, last: at(1, 7) };
    let refusal = TransferRefused { transfer: 3, reason: TransferRefusal::LogDiffers };
    for _ in 0..2 {
        rig.tell(1, 2, 1, Message::TimeoutNow(ask)).unwrap();
        assert_eq!(rig.only_reply(2), Message::TransferRefused(refusal));
    }
    let older = TimeoutNow { transfer: 2, last: at(1, 1) };
    assert_eq!(rig.tell(1, 2, 1, Message::TimeoutNow(older)), Err(Rejected::Stale));
    assert_eq!((rig.office(2), rig.net.len()), ((Role::Follower, 1, Some(1)), 0));
}

#[test]
fn only_the_leader_of_the_present_term_can_make_a_follower_campaign() {
    let mut rig = led();
    let ask = Message::TimeoutNow(TimeoutNow { transfer: 1, last: at(1, 1) });
    assert_eq!(rig.tell(3, 2, 1, ask.clone()), Err(Rejected::Malformed), "n1 leads term 1");
    assert_eq!(rig.tell(3, 2, 0, ask.clone()), Err(Rejected::Malformed));
    rig.tell(2, 3, 2, append((1, 1), &[2], 1, 1)).unwrap();
    rig.lose_all();
    assert_eq!(rig.tell(1, 3, 1, ask.clone()), Err(Rejected::Stale), "n3 is in term 2");
    assert_eq!(rig.tell(2, 1, 1, ask), Err(Rejected::Malformed), "n1 leads itself");
    let none = Message::TimeoutNow(TimeoutNow { transfer: 0, last: at(1, 1) });
    assert_eq!(rig.tell(1, 2, 1, none), Err(Rejected::Malformed));
}

#[test]
fn a_lost_timeout_now_is_sent_again() {
    let mut rig = led();
    let ticket = hand_over(&mut rig, 1, to(2)).unwrap();
    assert_eq!(told(&mut rig).len(), 1);
    rig.tick(1);
    assert_eq!(told(&mut rig).len(), 1, "with the next heartbeat");
    rig.step(1, Input::Tick).unwrap();
    assert_eq!(told(&mut rig).len(), 0, "and not with every step");
    rig.tick(1);
    rig.deliver_all();
    assert_eq!(rig.office(2), (Role::Leader, 2, Some(2)));
    assert_eq!(rig.at(1).operations, [(ticket, Ok(LogIndex(2)))]);
}

#[test]
fn a_transfer_can_be_cancelled_until_its_target_was_told() {
    // 2.10.4, S-31.
    let mut rig = led();
    rig.crash(2, 0);
    rig.propose(1, "x");
    let ticket = hand_over(&mut rig, 1, to(2)).unwrap();
    cancel(&mut rig, 1).unwrap();
    assert_eq!(rig.at(1).operations, [(ticket, Err(OperationFailure::Cancelled))]);
    assert_eq!(cancel(&mut rig, 1), Err(TransferError::NoTransfer));
    rig.propose(1, "served again");
    let mut rig = led();
    hand_over(&mut rig, 1, to(2)).unwrap();
    assert_eq!(told(&mut rig).len(), 1);
    assert_eq!(cancel(&mut rig, 1), Err(TransferError::TooLate));
    assert_eq!(rig.step(1, Input::CancelTransfer), Err(Rejected::TransferRefused));
    assert_eq!(rig.at(1).operations, []);
}

#[test]
fn a_second_transfer_replaces_the_first_only_if_asked_to() {
    // S-31: RaftedValue replaces, WARaft refuses; here the caller says which.
    let mut rig = led();
    rig.crash(2, 0);
    rig.propose(1, "x");
    rig.deliver_all();
    let first = hand_over(&mut rig, 1, to(2)).unwrap();
    let busy = Err(TransferError::TransferInProgress { to: NodeId(2) });
    assert_eq!(hand_over(&mut rig, 1, to(3)), busy);
    assert_eq!(hand_over(&mut rig, 1, TransferRequest::default()), busy);
    let second = hand_over(&mut rig, 1, TransferRequest { replace: true, ..to(3) }).unwrap();
    rig.deliver_all();
    assert_eq!(rig.office(3).0, Role::Leader);
    let cancelled = Err(OperationFailure::Cancelled);
    assert_eq!(rig.at(1).operations, [(first, cancelled), (second, Ok(LogIndex(3)))]);
}

#[test]
fn a_transfer_to_oneself_is_done_already() {
    let mut rig = led();
    let ticket = hand_over(&mut rig, 1, to(1)).unwrap();
    assert_eq!(rig.at(1).operations, [(ticket, Ok(LogIndex(1)))]);
    rig.propose(1, "goes on");
    assert_eq!(rig.node(1).transfer_status(), None);
}

#[test]
fn the_best_target_is_the_most_caught_up_one() {
    let mut rig = led_of(5);
    for payload in ["a", "b"] {
        rig.propose(1, payload);
        rig.deliver(|e| e.to.0 == 4);
        rig.deliver(|e| e.to.0 == 1);
        rig.lose_all();
    }
    hand_over(&mut rig, 1, TransferRequest::default()).unwrap();
    let status = rig.node(1).transfer_status().unwrap();
    assert_eq!((status.to, status.told), (NodeId(4), true));
    assert_eq!(rig.node(1).status().transfer, Some(status));
    let mut rig = led_of(5);
    hand_over(&mut rig, 1, TransferRequest::default()).unwrap();
    assert_eq!(rig.node(1).transfer_status().unwrap().to, NodeId(2), "of equals the lowest");
}

#[test]
fn a_transfer_ends_as_unknown_when_somebody_else_leads_or_nothing_is_seen() {
    // 2.10.3(a), B-085: and it does not outlive its reign.
    let mut rig = led();
    let ticket = hand_over(&mut rig, 1, to(2)).unwrap();
    rig.lose_all();
    rig.tell(3, 1, 2, append((1, 1), &[2], 1, 1)).unwrap();
    assert_eq!(rig.at(1).operations, [(ticket, unknown())]);
    rig.lose_all();
    rig.tell(2, 1, 1, matched(1, 1)).unwrap_err();
    assert_eq!(told(&mut rig).len(), 0);
    let mut rig = led();
    let ticket = hand_over(&mut rig, 1, to(2)).unwrap();
    rig.tell(3, 1, 5, vote(false)).unwrap();
    rig.lose_all();
    assert_eq!(rig.at(1).operations, []);
    rig.pass(rig.options.transfer_timeout_ns);
    rig.step(1, Input::Tick).unwrap();
    assert_eq!(rig.at(1).operations, [(ticket, unknown())]);
    let mut rig = led();
    let ticket = hand_over(&mut rig, 1, to(2)).unwrap();
    rig.step(1, Input::Shutdown).unwrap();
    let shutdown = Err(OperationFailure::Unknown(UnknownReason::Shutdown));
    assert_eq!(rig.at(1).operations, [(ticket, shutdown)]);
}

#[test]
fn a_transfer_is_refused_while_a_configuration_is_not_committed() {
    let mut rig = Rig::with(3, Options::default());
    rig.voters = Configuration::from_parts(ConfigurationParts {
        voters: vec![NodeId(1), NodeId(2), NodeId(3)],
        outgoing: vec![NodeId(1), NodeId(2)],
        explicit_leave: true,
        ..ConfigurationParts::default()
    })
    .unwrap();
    for id in rig.ids() {
        rig.restart(id);
    }
    rig.elect(1);
    rig.run(60 * MS);
    for request in [to(2), TransferRequest::default(), TransferRequest { replace: true, ..to(3) }] {
        assert_eq!(hand_over(&mut rig, 1, request), Err(TransferError::ChangeInProgress));
    }
}

#[test]
fn reads_that_wait_fail_when_a_transfer_begins() {
    // 2.2.6, openraft #1749: no round is begun for them either.
    let mut rig = led();
    let read = rig.read(1);
    rig.lose_all();
    let rounds_before = as_append(&{
        rig.tick(1);
        rig.sent_by(1).remove(0).message
    })
    .round;
    hand_over(&mut rig, 1, to(2)).unwrap();
    let transferring = ReadFailure::Transferring { to: NodeId(2) };
    assert_eq!(rig.at(1).failed_reads, [(read, transferring)]);
    for _ in 0..10 {
        assert_eq!(rig.step(1, Input::Read), Err(Rejected::Transferring));
    }
    rig.tick(1);
    let sent = rig.sent_by(1);
    let round = as_append(&sent.iter().find(|e| is_append(e)).unwrap().message).round;
    assert_eq!(round, rounds_before + 1, "the heartbeat's and no other");
}

#[test]
fn voters_pass_over_a_living_leader_only_for_the_campaign_it_asked_for() {
    // 2.2.3(d): authorised by exactly their term, campaigning in exactly the next.
    let request = |by| Message::RequestVote(RequestVote { last: at(1, 1), authorised_by: by });
    let judge = |term: u64, by: Option<u64>| {
        let mut rig = led();
        rig.tick(1);
        rig.deliver_all();
        rig.tell(2, 3, term, request(by.map(Term)))
    };
    assert!(judge(2, Some(1)).is_ok());
    assert_eq!(judge(2, None), Err(Rejected::LeaderAlive));
    assert_eq!(judge(3, Some(2)), Err(Rejected::LeaderAlive), "its term is 1");
    assert_eq!(judge(3, Some(1)), Err(Rejected::Malformed), "for one campaign only");
    assert_eq!(judge(2, Some(2)), Err(Rejected::Malformed));
    // Also the leader itself, and a voter that was restarted and remembers a promise.
    let mut rig = led();
    rig.tell(2, 1, 2, request(Some(Term(1)))).unwrap();
    assert_eq!(rig.office(1), (Role::Follower, 2, Some(2)));
    let mut rig = led();
    rig.crash(3, 0);
    rig.restart(3);
    assert_eq!(rig.tell(2, 3, 2, request(None)), Err(Rejected::LeaderAlive));
    rig.tell(2, 3, 2, request(Some(Term(1)))).unwrap();
    assert_eq!(rig.office(3), (Role::Follower, 2, Some(2)));
}

#[test]
fn an_authorised_campaign_is_repeated_to_the_voters_and_never_held_again() {
    let mut rig = led_of(5);
    hand_over(&mut rig, 1, to(2)).unwrap();
    rig.deliver(is_timeout_now);
    let mut seen = Vec::new();
    let mut by_term = |rig: &mut Rig| {
        for envelope in rig.sent_by(2) {
            if let Message::RequestVote(request) = envelope.message {
                seen.push((envelope.term.0, request.authorised_by));
            }
        }
        rig.lose_all();
    };
    for _ in 0..8 {
        by_term(&mut rig);
        rig.tick(2);
    }
    // Its next election asks for pre-votes first; let it have them.
    for _ in 0..20 {
        let asked = rig.take(|e| e.from.0 == 2);
        for envelope in asked {
            match envelope.message {
                Message::PreVote(ask) => {
                    let _late = rig.tell(envelope.to.0, 2, 0, pre_vote_reply(ask.round, true));
                }
                _ => rig.net.push(envelope),
            }
        }
        by_term(&mut rig);
        rig.tick(2);
    }
    assert!(seen.iter().filter(|(term, _)| *term == 2).count() > 4, "asked again: {seen:?}");
    assert!(seen.iter().all(|(term, by)| (*term == 2) == (*by == Some(Term(1)))), "{seen:?}");
    assert!(seen.iter().any(|(term, _)| *term > 2));
}

#[test]
fn a_target_that_was_restarted_still_campaigns_past_its_promise() {
    // Rolling restarts: followers first, then a transfer to one of them.
    let mut rig = led();
    rig.crash(2, 0);
    rig.restart(2);
    rig.tick(1);
    rig.deliver_all();
    hand_over(&mut rig, 1, to(2)).unwrap();
    rig.deliver_all();
    assert_eq!(rig.office(2), (Role::Leader, 2, Some(2)));
}

#[test]
fn transfers_in_every_order_of_loss_and_delay_leave_one_leader() {
    // Every message is lost, delivered late or doubled by a small generator; each transfer ends
    // exactly once and the group goes on.
    for seed in 1..=60_u64 {
        let mut rig = led();
        let mut state = seed;
        let mut draw = |below: u64| {
            state =
                state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963);
            (state >> 33) % below
        };
        let mut minted = [0_u64; 4];
        let mut held = Vec::new();
        for _ in 0..120 {
            rig.pass(draw(12) * MS);
            for id in rig.ids() {
                rig.step(id, Input::Tick).unwrap();
            }
            if draw(6) == 0 {
                let target = to(1 + draw(3));
                for id in rig.ids() {
                    let replace = draw(2) == 0;
                    let request = TransferRequest { replace, ..target };
                    minted[id as usize] += u64::from(hand_over(&mut rig, id, request).is_ok());
                }
            }
            for envelope in rig.take(|_| true) {
                match draw(8) {
                    0 => {}
                    1 => held.push(envelope),
                    2 => {
                        let _refused = rig.receive(envelope.clone());
                        held.push(envelope);
                    }
                    _ => {
                        let _refused = rig.receive(envelope);
                    }
                }
            }
            if draw(3) == 0 && !held.is_empty() {
                let envelope = held.remove(draw(held.len() as u64) as usize);
                let _refused = rig.receive(envelope);
            }
        }
        rig.run(3_000 * MS);
        let leaders: Vec<u64> =
            rig.ids().into_iter().filter(|id| rig.office(*id).0 == Role::Leader).collect();
        assert_eq!(leaders.len(), 1, "seed {seed}");
        rig.propose(leaders[0], "x");
        rig.run(100 * MS);
        assert!(rig.ids().iter().all(|id| rig.commit(*id) == rig.commit(leaders[0])));
        for id in rig.ids() {
            let ended: Vec<_> = rig.at(id).operations.iter().map(|(ticket, _)| ticket.0).collect();
            let mut once = ended.clone();
            once.sort_unstable();
            once.dedup();
            assert_eq!((once.len(), ended.len() as u64), (ended.len(), minted[id as usize]));
        }
    }
}
