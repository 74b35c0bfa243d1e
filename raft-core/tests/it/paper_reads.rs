//! The thesis's rules on stickiness, Pre-Vote, routing, check-quorum and reads (§4.2.3, §6.2,
//! §6.4, §9.6).
//!
//! **Intuition.** Set up, act, check. The defaults are on here: Pre-Vote and check-quorum.
//! **Source.** Ongaro, *Consensus: Bridging Theory and Practice* (2014).
//! **Upholds.** `inv:live`, `inv:read-freshness`.
//! **Not here.** Leases and follower reads, which are not in this version.

use raft_core::{
    BootError, EntryKind, Input, LogIndex, Message, NodeId, Options, Outcome, ProposeError,
    ReadError, ReadFailure, Rejected, Role, RoundId, Term, UnknownReason,
};

use crate::rig::*;

/// Default options, n1 leads.
fn led() -> Rig {
    let mut rig = Rig::with(3, Options::default());
    rig.elect(1);
    rig.run(20 * MS);
    rig
}

/// The round of the pre-vote under way.
fn asked_round(rig: &mut Rig) -> RoundId {
    let asked = rig.take(|e| matches!(e.message, Message::PreVote(_)));
    match asked[0].message {
        Message::PreVote(ask) => ask.round,
        _ => unreachable!("just filtered"),
    }
}

#[test]
fn t_4_2_3_01_a_voter_in_touch_ignores_requests() {
    let mut rig = Rig::with(3, Options::default());
    rig.tell(2, 1, 1, append((0, 0), &[], 0, 1)).unwrap();
    rig.lose_all();
    rig.pass(rig.options.election_min_ns - 1);
    assert_eq!(rig.tell(3, 1, 10, request_vote(0, 0)), Err(Rejected::LeaderAlive));
    assert_eq!((rig.office(1).1, rig.net.len()), (1, 0));
    rig.pass(1);
    rig.tell(3, 1, 10, request_vote(0, 0)).unwrap();
    assert_eq!((rig.office(1), rig.only_reply(1)), ((Role::Follower, 10, Some(3)), vote(true)));
}

#[test]
fn t_4_2_3_02_a_leader_in_touch_ignores_requests_too() {
    // B-018, B-020.
    let mut rig = led();
    assert_eq!(rig.tell(3, 1, 9, request_vote(1, 9)), Err(Rejected::LeaderAlive));
    rig.tell(3, 1, 1, pre_vote(1, 1, 1, (1, 9))).unwrap();
    assert!(matches!(rig.only_reply(1), Message::PreVoteReply(reply) if !reply.granted));
    for _ in 0..20 {
        rig.tick(1);
        rig.lose_all();
        if rig.office(1).0 != Role::Leader {
            break;
        }
    }
    assert_eq!(rig.office(1), (Role::Follower, 1, Some(1)), "silent quorum: same term, no lead");
}

#[test]
fn t_4_2_3_05_the_promise_holds_across_a_restart() {
    let mut rig = Rig::with(3, Options::default());
    rig.tell(2, 1, 1, append((0, 0), &[], 0, 1)).unwrap();
    assert_eq!(rig.net.len(), 1, "answered, so the promise is durable");
    let promise = rig.at(1).disk.hard.promise_ns;
    assert_eq!(promise, rig.options.election_min_ns);
    rig.lose_all();
    rig.crash(1, 0);
    rig.restart(1);
    rig.pass(promise - 1);
    // In a new term and in the present one, with check-quorum on or off.
    assert_eq!(rig.tell(3, 1, 2, request_vote(0, 0)), Err(Rejected::LeaderAlive));
    assert_eq!(rig.tell(3, 1, 1, request_vote(0, 0)), Err(Rejected::LeaderAlive));
    rig.pass(1);
    rig.tell(3, 1, 2, request_vote(0, 0)).unwrap();
    assert_eq!(rig.only_reply(1), vote(true));
    let mut rig = Rig::with(3, Options::default());
    rig.restart(1);
    rig.tell(3, 1, 2, request_vote(0, 0)).unwrap();
    assert_eq!(rig.only_reply(1), vote(true), "no promise stored: judged at once");
}

#[test]
fn t_4_2_3_05_shorter_timeouts_do_not_shorten_a_promise() {
    let mut rig = Rig::new(3);
    rig.at(1).disk.hard.promise_ns = 900 * MS;
    rig.restart(1);
    assert!(rig.node(1).deadline().unwrap().since(rig.now) >= 900 * MS, "its own campaign waits");
    assert_eq!(rig.tell(3, 1, 2, request_vote(0, 0)), Err(Rejected::LeaderAlive));
    rig.pass(900 * MS);
    rig.tell(3, 1, 2, request_vote(0, 0)).unwrap();
    rig.at(1).disk.hard.promise_ns = u64::MAX;
    assert_eq!(rig.try_restart(1), Err(BootError::NumberRange));
}

#[test]
fn t_4_2_3_06_a_node_stuck_in_a_higher_term_is_taken_back() {
    let mut rig = Rig::new(3);
    rig.elect(1);
    rig.begin(3, 6, None, &[1]);
    rig.run(2_000 * MS);
    let leaders: Vec<u64> =
        rig.ids().into_iter().filter(|id| rig.office(*id).0 == Role::Leader).collect();
    assert_eq!(leaders.len(), 1);
    assert!(rig.ids().iter().all(|id| rig.office(*id).1 >= 6));
}

#[test]
fn t_6_2_02_a_node_that_does_not_lead_names_who_does() {
    let mut rig = led();
    let now = rig.now;
    let hint = Some(NodeId(1));
    let node = &mut rig.at(2).node;
    assert_eq!(node.propose(now, "x".into()), Err(ProposeError::NotLeader { hint }));
    assert_eq!(node.read(now), Err(ReadError::NotLeader { hint }));
    rig.expire(2);
    let now = rig.now;
    let node = &mut rig.at(2).node;
    let term = Term(1);
    assert_eq!(node.propose(now, "x".into()), Err(ProposeError::ElectionInProgress { term }));
    assert_eq!(node.read(now), Err(ReadError::ElectionInProgress { term }));
}

#[test]
fn t_6_2_03_the_hint_goes_with_the_term_or_an_own_election() {
    let mut rig = led();
    assert_eq!(rig.node(2).leader_hint(), Some(NodeId(1)));
    rig.expire(2);
    assert_eq!((rig.node(2).leader_hint(), rig.office(2).0), (None, Role::PreCandidate));
    rig.tell(1, 3, 5, vote(false)).unwrap();
    assert_eq!(rig.node(3).leader_hint(), None);
}

#[test]
fn t_6_2_04_a_leader_without_a_quorum_steps_down() {
    let mut rig = led();
    let ticket = rig.propose(1, "x");
    rig.read(1);
    let start = rig.now;
    while rig.office(1).0 == Role::Leader {
        rig.lose_all();
        rig.tick(1);
    }
    assert!(rig.now.since(start) <= rig.options.check_quorum_ns);
    assert_eq!(rig.office(1), (Role::Follower, 1, Some(1)));
    assert_eq!(rig.at(1).failed_reads[0].1, ReadFailure::LeadershipLost);
    assert_eq!(rig.at(1).ends, [], "a proposal stays open for a while");
    rig.pass(rig.options.pending_after_loss_ns);
    rig.step(1, Input::Tick).unwrap();
    let unknown = Outcome::Unknown(UnknownReason::LeadershipLost);
    assert_eq!(rig.at(1).ends, [(ticket, 1, unknown)]);
    // One peer at a time in touch is a quorum of three.
    let mut rig = led();
    for turn in 0..40 {
        rig.tick(1);
        let peer = 2 + turn % 2;
        rig.deliver_among(&[1, peer]);
    }
    assert_eq!(rig.office(1), (Role::Leader, 1, Some(1)));
    let mut sole = Rig::with(1, Options::default());
    sole.run(5_000 * MS);
    assert_eq!(sole.office(1), (Role::Leader, 1, Some(1)));
}

#[test]
fn d_w6_a_late_answer_does_not_prolong_a_lead() {
    // It counts from when its round was sent. (Refusals count too, as they do for reads.)
    let mut rig = led();
    rig.tick(1);
    let start = rig.now;
    rig.deliver(|e| e.from.0 == 1);
    let late = rig.take(|e| e.to.0 == 1);
    rig.pass(280 * MS);
    for envelope in late {
        rig.receive(envelope).unwrap();
    }
    while rig.office(1).0 == Role::Leader {
        rig.lose_all();
        rig.tick(1);
    }
    assert!(rig.now.since(start) <= rig.options.check_quorum_ns + MS, "{}", rig.now.since(start));
}

#[test]
fn t_6_4_01_a_reign_opens_with_a_noop() {
    let mut rig = Rig::new(3);
    rig.begin(1, 3, None, &[1, 3]);
    rig.elect(1);
    rig.propose(1, "x");
    let kinds: Vec<_> = rig
        .node(1)
        .entries_from(LogIndex(3))
        .map(|(position, entry)| (position, entry.kind))
        .collect();
    assert_eq!(kinds, [(at(4, 3), EntryKind::NOOP), (at(4, 4), EntryKind::COMMAND)]);
}

#[test]
fn t_6_4_02_a_read_waits_for_the_own_term_to_commit() {
    // B-075, D-R5, D-Z5: the round alone is not enough.
    let mut rig = Rig::new(3);
    rig.begin(1, 3, None, &[1, 3]);
    rig.expire(1);
    rig.tell(2, 1, 4, vote(true)).unwrap();
    let read = rig.read(1);
    rig.lose_all();
    rig.tell(2, 1, 4, refused(2, (1, 1), 2)).unwrap();
    assert_eq!(rig.at(1).ready, [], "confirmed, but nothing of the own term is committed");
    rig.tell(2, 1, 4, matched(3, 2)).unwrap();
    assert_eq!(rig.at(1).ready, [(read, LogIndex(3), Term(4))]);
}

#[test]
fn t_6_4_03_the_index_is_that_of_the_arrival() {
    let mut rig = led();
    let at_arrival = rig.node(1).commit();
    let read = rig.read(1);
    let round = rig.take(is_append);
    rig.propose(1, "x");
    rig.deliver_all();
    assert!(rig.commit(1) > at_arrival.0);
    for envelope in round {
        rig.receive(envelope).unwrap();
    }
    rig.deliver_all();
    assert_eq!(rig.at(1).ready, [(read, at_arrival, Term(1))]);
}

#[test]
fn t_6_4_04_only_a_round_begun_after_the_read_confirms() {
    // D-T3: an answer to an older round proves nothing about now.
    let mut rig = led();
    rig.pass(50 * MS);
    rig.step(1, Input::Tick).unwrap();
    rig.deliver(|e| e.from.0 == 1);
    let old = rig.take(|e| e.to.0 == 1);
    assert_eq!(old.len(), 2);
    rig.read(1);
    let new = rig.take(|e| e.from.0 == 1);
    for envelope in old {
        rig.receive(envelope).unwrap();
    }
    assert_eq!(rig.at(1).ready, []);
    rig.receive(new[0].clone()).unwrap();
    rig.deliver(|e| e.to.0 == 1);
    assert_eq!(rig.at(1).ready.len(), 1, "one of two peers is a quorum of three");
    let mut sole = Rig::new(1);
    sole.expire(1);
    sole.read(1);
    assert_eq!(sole.at(1).ready.len(), 1);
}

#[test]
fn t_6_4_05_a_read_waits_for_apply() {
    // D-W7: its own round and its own index, both.
    let mut rig = led();
    rig.at(1).slow_apply = true;
    rig.propose(1, "x");
    rig.deliver_all();
    let read = rig.read(1);
    rig.deliver_all();
    assert_eq!(rig.at(1).ready, []);
    rig.step(1, Input::Applied(LogIndex(2))).unwrap();
    assert_eq!(rig.at(1).ready, [(read, LogIndex(2), Term(1))]);
}

#[test]
fn t_6_4_06_a_thousand_reads_share_a_round() {
    let mut rig = led();
    for _ in 0..1_000 {
        rig.step_only(1, Input::Read).unwrap();
    }
    rig.drain(1);
    assert_eq!(rig.net.len(), 2);
    rig.deliver_all();
    assert_eq!(rig.at(1).ready.len(), 1_000);
}

#[test]
fn t_6_4_07_a_deposed_leader_answers_no_read() {
    let mut rig = led();
    let reads = [rig.read(1), rig.read(1)];
    let answers = {
        rig.deliver(|e| e.from.0 == 1);
        rig.take(|e| e.to.0 == 1)
    };
    rig.tell(2, 1, 9, vote(false)).unwrap();
    for envelope in answers {
        let _stale = rig.receive(envelope);
    }
    assert_eq!(rig.at(1).ready, []);
    let lost = ReadFailure::LeadershipLost;
    assert_eq!(rig.at(1).failed_reads, reads.map(|read| (read, lost)));
}

#[test]
fn a_read_is_confirmed_after_a_hundred_lost_rounds() {
    // Found by reading: the number of open rounds was bounded by refusing to begin another, and
    // a follower does not answer the same round twice.
    for check_quorum in [false, true] {
        let mut rig = Rig::with(3, with(|o| o.check_quorum = check_quorum));
        rig.elect(1);
        for _ in 0..100 {
            rig.read(1);
            rig.deliver(|e| e.from.0 == 1);
            rig.lose_all();
        }
        assert_eq!(rig.at(1).ready, []);
        rig.run(60 * MS);
        assert_eq!(rig.at(1).ready.len(), 100);
    }
}

#[test]
fn t_9_6_01_a_node_cut_off_keeps_its_term() {
    let mut rig = led();
    for _ in 0..100 {
        rig.tick(3);
        rig.lose_all();
    }
    assert_eq!(rig.office(3), (Role::PreCandidate, 1, rig.office(3).2));
}

#[test]
fn t_9_6_02_asking_and_answering_change_nothing() {
    // B-017; both askers are told yes.
    let mut rig = Rig::with(5, Options::default());
    rig.begin(1, 5, None, &[1]);
    rig.pass(100 * MS);
    let before = (rig.office(1), rig.node(1).deadline(), rig.at(1).writes.len());
    for asker in [2, 3] {
        rig.tell(asker, 1, 5, pre_vote(1, 1, 5, (1, 1))).unwrap();
        let reply = rig.only_reply(1);
        assert!(matches!(reply, Message::PreVoteReply(reply) if reply.granted));
    }
    assert_eq!((rig.office(1), rig.node(1).deadline(), rig.at(1).writes.len()), before);
    rig.expire(1);
    assert_eq!((rig.office(1).1, rig.at(1).writes.len()), (5, 0), "nor for the asker");
}

#[test]
fn t_9_6_03_yes_needs_a_good_log_and_no_leader() {
    for (good_log, silent) in [(true, true), (true, false), (false, true), (false, false)] {
        let mut rig = Rig::with(3, Options::default());
        rig.begin(1, 5, None, &[1, 1]);
        rig.tell(3, 1, 5, append((1, 2), &[], 0, 1)).unwrap();
        rig.lose_all();
        rig.pass(if silent { 150 * MS } else { 149 * MS });
        let last = if good_log { (1, 2) } else { (1, 1) };
        rig.tell(2, 1, 5, pre_vote(1, 1, 5, last)).unwrap();
        let want = good_log && silent;
        assert!(matches!(rig.only_reply(1), Message::PreVoteReply(r) if r.granted == want));
    }
    // B-016: the one it believes to lead may ask at any time.
    let mut rig = Rig::with(3, Options::default());
    rig.tell(3, 1, 5, append((0, 0), &[], 0, 1)).unwrap();
    rig.lose_all();
    rig.tell(3, 1, 5, pre_vote(1, 1, 5, (0, 0))).unwrap();
    assert!(matches!(rig.only_reply(1), Message::PreVoteReply(r) if r.granted));
}

#[test]
fn t_9_6_04_pre_votes_are_not_votes() {
    let mut rig = Rig::with(5, Options::default());
    rig.expire(1);
    let round = asked_round(&mut rig);
    for voter in [2, 3] {
        rig.tell(voter, 1, 0, pre_vote_reply(round, true)).unwrap();
    }
    assert_eq!((rig.office(1), rig.take(is_request).len()), ((Role::Candidate, 1, Some(1)), 4));
    rig.tell(2, 1, 1, vote(true)).unwrap();
    assert_eq!(rig.office(1).0, Role::Candidate, "two of five");
    rig.tell(4, 1, 1, vote(true)).unwrap();
    assert_eq!(rig.office(1).0, Role::Leader);
}

#[test]
fn t_9_6_05_a_node_that_comes_back_follows_in_the_same_term() {
    let mut rig = led();
    rig.expire(3);
    rig.lose_all();
    assert_eq!(rig.office(3).0, Role::PreCandidate);
    rig.run(100 * MS);
    assert_eq!(
        (rig.office(3).0, rig.office(3).1, rig.office(1).0),
        (Role::Follower, 1, Role::Leader)
    );
}

#[test]
fn t_9_6_06_answers_of_an_earlier_round_are_ignored() {
    let mut rig = Rig::with(3, Options::default());
    rig.expire(1);
    let first = asked_round(&mut rig);
    while asked_again(&mut rig) == first {}
    assert_eq!(rig.tell(2, 1, 0, pre_vote_reply(first, true)), Err(Rejected::Stale));
    let foreign = RoundId { boot: raft_core::BootId(5), ..first };
    assert_eq!(rig.tell(2, 1, 0, pre_vote_reply(foreign, true)), Err(Rejected::Stale));
    assert_eq!(rig.office(1).0, Role::PreCandidate);
}

fn asked_again(rig: &mut Rig) -> RoundId {
    rig.lose_all();
    rig.tick(1);
    asked_round(rig)
}

#[test]
fn b_013_a_lagging_voter_helps_to_elect() {
    // B-013, B-014: a granted answer counts whatever its term; a refused one teaches a higher.
    let mut rig = Rig::with(3, Options::default());
    rig.begin(1, 9, None, &[1]);
    rig.expire(1);
    let round = asked_round(&mut rig);
    rig.tell(2, 1, 3, pre_vote_reply(round, true)).unwrap();
    assert_eq!(rig.office(1), (Role::Candidate, 10, Some(1)));
    let mut rig = Rig::with(3, Options::default());
    rig.begin(1, 3, None, &[1, 1]);
    rig.begin(2, 9, None, &[1]);
    rig.crash(3, 0);
    rig.run(3_000 * MS);
    assert_eq!(rig.office(1).0, Role::Leader, "{:?}", rig.office(2));
}

#[test]
fn b_015_a_node_that_lost_its_leader_helps_to_elect() {
    let mut rig = led();
    rig.crash(1, 0);
    rig.run(1_500 * MS);
    let leads = |id| rig.office(id).0 == Role::Leader;
    assert!(leads(2) || leads(3));
}

#[test]
fn t_9_6_07_every_mix_of_switches_elects_after_silence() {
    for (pre, check) in [(false, false), (false, true), (true, false), (true, true)] {
        let options = with(|o| {
            o.pre_vote = pre;
            o.check_quorum = check;
        });
        let mut rig = Rig::with(5, options);
        for turn in 0..30 {
            rig.pass(70 * MS);
            let cut = 1 + turn % 5;
            for id in rig.ids() {
                rig.step(id, Input::Tick).unwrap();
            }
            rig.deliver_among(&rig.ids().into_iter().filter(|id| *id != cut).collect::<Vec<_>>());
        }
        rig.run(3_000 * MS);
        let leaders = rig.ids().into_iter().filter(|id| rig.office(*id).0 == Role::Leader);
        assert_eq!(leaders.count(), 1, "pre-vote {pre}, check-quorum {check}");
    }
}
