//! The thesis's rules on terms and elections (§3.3, §3.4, §3.6.1), one test each.
//!
//! **Intuition.** Set up, act, check, in the order of the thesis. Ids are those of
//! docs/THESIS-MAP.md.
//! **Source.** Ongaro, *Consensus: Bridging Theory and Practice* (2014).
//! **Upholds.** `inv:election-safety`, `inv:one-vote-per-term`, `inv:persist-before-send`.
//! **Not here.** Pre-Vote and stickiness (`paper_reads.rs`), replication.

use std::collections::BTreeSet;

use raft_core::{Message, NodeId, Options, Rejected, Role, RoundId};

use crate::rig::*;

/// One message of each kind, as a peer in `term` whose log is `last` might send it.
fn one_of_each(term: u64, last: (u64, u64)) -> Vec<Message> {
    let round = RoundId { number: 1, ..RoundId::default() };
    vec![
        request_vote(last.0, last.1),
        vote(true),
        vote(false),
        append(last, &[], 0, 1),
        matched(0, 0),
        refused(1, (0, 0), 0),
        stale_term(),
        pre_vote_reply(round, false),
        pre_vote_reply(round, true),
        pre_vote(1, 1, term, last),
    ]
}

/// Node 1 of three as each role in term 5 with log 1, 1 (a leader has its no-op too).
fn in_each_role() -> Vec<Rig> {
    let begin = |term| {
        let mut rig = Rig::new(3);
        rig.begin(1, term, None, &[1, 1]);
        rig
    };
    let follower = begin(5);
    let mut candidate = begin(4);
    candidate.expire(1);
    let mut leader = begin(4);
    leader.expire(1);
    leader.tell(2, 1, 5, vote(true)).unwrap();
    let mut pre = Rig::with(3, with(|o| o.check_quorum = false));
    pre.begin(1, 5, None, &[1, 1]);
    pre.expire(1);
    let rigs = vec![follower, candidate, leader, pre];
    let roles: Vec<_> = rigs.iter().map(|rig| rig.office(1).0).collect();
    assert_eq!(roles, [Role::Follower, Role::Candidate, Role::Leader, Role::PreCandidate]);
    assert!(rigs.iter().all(|rig| rig.node(1).term().0 == 5));
    rigs
}

#[test]
fn t_3_2_01_a_term_has_one_leader() {
    // Votes split, a second try elects one.
    let mut rig = Rig::new(3);
    rig.expire(1);
    rig.expire(2);
    rig.deliver_all();
    assert!(rig.ids().iter().all(|id| rig.node(*id).role() != Role::Leader) || rig.commit(1) > 0);
    rig.elect(3);
    let leaders: Vec<_> =
        rig.servers.iter().flat_map(|s| s.roles.iter()).filter(|r| r.0 == Role::Leader).collect();
    let terms: BTreeSet<_> = leaders.iter().map(|(_, term)| *term).collect();
    assert_eq!(terms.len(), leaders.len(), "two leaders in a term: {leaders:?}");
}

#[test]
fn t_3_3_01_role_changes_follow_the_diagram() {
    let mut rig = Rig::with(3, Options::default());
    rig.elect(1);
    rig.crash(1, 0);
    rig.run(2_000 * MS);
    rig.restart(1);
    rig.run(2_000 * MS);
    for server in &rig.servers {
        let mut was = Role::Follower;
        for (role, _) in &server.roles {
            let legal = match (was, role) {
                (Role::Leader, to) => *to == Role::Follower,
                (Role::Follower, to) => *to != Role::Leader,
                (Role::PreCandidate | Role::Candidate, _) => true,
            };
            assert!(legal, "{was} to {role}");
            was = *role;
        }
    }
}

#[test]
fn t_3_3_02_the_term_starts_at_zero_and_survives_restarts() {
    let mut rig = Rig::new(3);
    assert_eq!(rig.node(1).term().0, 0);
    for want in 1..=3 {
        rig.expire(1);
        assert_eq!(rig.node(1).term().0, want);
        rig.crash(1, 0);
        rig.restart(1);
        assert_eq!(rig.node(1).term().0, want, "the rig checks that it never falls in between");
    }
}

#[test]
fn t_3_3_03_a_higher_term_makes_a_follower_without_a_vote() {
    for kind in 0..8 {
        for mut rig in in_each_role() {
            let message = one_of_each(6, (1, 2)).remove(kind);
            let name = message.name();
            let granted = matches!(message, Message::RequestVote(_)).then_some(2);
            let was = rig.office(1).0;
            rig.tell(2, 1, 6, message).unwrap();
            // The leader's log is one entry longer, so it refuses its vote.
            let vote = granted.filter(|_| was != Role::Leader);
            assert_eq!(rig.office(1), (Role::Follower, 6, vote), "{name} at a {was}");
        }
    }
}

#[test]
fn t_3_3_03_a_vote_is_never_cleared_within_its_term() {
    // B-005, D-R11: stepping down inside a term keeps the vote.
    let mut rig = in_each_role().remove(1);
    rig.tell(3, 1, 5, append((1, 2), &[], 0, 1)).unwrap();
    assert_eq!(rig.office(1), (Role::Follower, 5, Some(1)));
    rig.lose_all();
    rig.tell(2, 1, 5, request_vote(1, 9)).unwrap();
    assert!(matches!(rig.only_reply(1), Message::VoteReply(reply) if !reply.granted));
}

#[test]
fn t_3_3_04_a_request_of_an_older_term_is_refused_with_ours() {
    for mut rig in in_each_role() {
        rig.lose_all();
        let (office, log) = (rig.office(1), rig.log(1));
        for message in [request_vote(3, 9), append((1, 2), &[4], 9, 1)] {
            rig.tell(2, 1, 4, message).unwrap();
            let reply = rig.sent_by(1).remove(0);
            assert_eq!(reply.term.0, 5);
            let refused = match reply.message {
                Message::VoteReply(vote) => !vote.granted,
                other => other == stale_term(),
            };
            assert!(refused);
            assert_eq!((rig.office(1), rig.log(1)), (office, log.clone()));
        }
    }
}

#[test]
fn t_3_3_05_a_reply_of_an_older_term_is_ignored() {
    // B-002, D-T2.
    let mut rig = in_each_role().remove(1);
    assert_eq!(rig.tell(2, 1, 4, vote(true)), Err(Rejected::Stale));
    assert_eq!(rig.office(1).0, Role::Candidate);
    let mut rig = in_each_role().remove(2);
    assert_eq!(rig.tell(2, 1, 4, matched(3, 1)), Err(Rejected::Stale));
    assert_eq!((rig.progress(1, 2).0, rig.commit(1)), (0, 0));
}

#[test]
fn t_3_3_06_messages_carry_a_durable_term() {
    // The rig asserts it of every message; here the term is held back by the disk.
    let mut rig = Rig::new(3);
    rig.at(1).slow_disk = true;
    rig.tell(2, 1, 3, append((0, 0), &[], 0, 1)).unwrap();
    rig.tell(3, 1, 2, append((0, 0), &[], 0, 1)).unwrap();
    assert!(rig.net.is_empty(), "term 3 is not durable: not even a refusal leaves");
    rig.ack(1);
    assert_eq!(rig.net.len(), 2);
}

#[test]
fn t_3_3_07_handling_a_message_twice_changes_nothing_more() {
    let mut rig = Rig::new(3);
    rig.expire(1);
    let mut seen = Vec::new();
    while !rig.net.is_empty() {
        let envelope = rig.net.remove(0);
        let to = envelope.to.0;
        let _first = rig.receive(envelope.clone());
        let before = (rig.office(to), rig.log(to), rig.commit(to));
        let _second = rig.receive(envelope.clone());
        assert_eq!((rig.office(to), rig.log(to), rig.commit(to)), before, "{envelope:?}");
        seen.push(envelope);
    }
    let all: Vec<_> = rig.ids().iter().map(|id| (rig.office(*id), rig.log(*id))).collect();
    for envelope in seen {
        let _late = rig.receive(envelope);
    }
    rig.deliver_all();
    let after: Vec<_> = rig.ids().iter().map(|id| (rig.office(*id), rig.log(*id))).collect();
    assert_eq!(all, after);
}

#[test]
fn t_3_3_08_a_request_without_answer_is_repeated() {
    let mut rig = Rig::new(3);
    rig.expire(1);
    rig.lose_all();
    rig.pass(rig.options.heartbeat_ns);
    rig.tick(1);
    assert_eq!(rig.take(is_request).len(), 2, "requests for votes");
    rig.tell(2, 1, 1, vote(true)).unwrap();
    rig.lose_all();
    rig.tick(1);
    let appends = rig.take(is_append);
    assert_eq!(appends.len(), 2);
    assert!(appends.iter().all(|e| as_append(&e.message).entries.len() == 1), "the no-op again");
}

#[test]
fn t_3_4_01_servers_start_and_restart_as_followers() {
    for (term, vote, log) in [(0, None, &[][..]), (3, Some(1), &[1, 3]), (9, None, &[2])] {
        for n in [1, 3] {
            let mut rig = Rig::new(n);
            rig.begin(1, term, vote, log);
            assert_eq!(rig.office(1), (Role::Follower, term, vote));
        }
    }
}

#[test]
fn t_3_4_02_a_leader_announces_itself_and_then_beats() {
    let mut rig = Rig::new(5);
    rig.expire(1);
    rig.lose_all();
    rig.tell(2, 1, 1, vote(true)).unwrap();
    rig.tell(3, 1, 1, vote(true)).unwrap();
    assert_eq!(rig.take(is_append).len(), 4, "the deciding vote sends to all");
    rig.pass(rig.options.heartbeat_ns - 1);
    rig.step(1, raft_core::Input::Tick).unwrap();
    assert_eq!(rig.take(is_append).len(), 0);
    rig.pass(1);
    rig.step(1, raft_core::Input::Tick).unwrap();
    assert_eq!(rig.take(is_append).len(), 4, "one heartbeat a peer");
}

#[test]
fn t_3_4_03_a_follower_waits_for_its_timeout() {
    let mut rig = Rig::new(3);
    let due = rig.node(1).deadline().unwrap();
    rig.pass(due.since(rig.now) - 1);
    rig.step(1, raft_core::Input::Tick).unwrap();
    assert_eq!(rig.office(1).0, Role::Follower);
    rig.pass(1);
    rig.step(1, raft_core::Input::Tick).unwrap();
    assert_eq!(rig.office(1).0, Role::Candidate);
}

#[test]
fn t_3_4_04_what_restarts_the_election_timer() {
    let moved = |message: Message, term: u64| {
        let mut rig = Rig::new(3);
        rig.begin(1, 5, None, &[1, 1]);
        let before = rig.node(1).deadline();
        rig.pass(100 * MS);
        let _any = rig.tell(2, 1, term, message);
        rig.node(1).deadline() != before
    };
    assert!(moved(append((1, 2), &[5], 0, 1), 5));
    assert!(moved(append((4, 7), &[5], 0, 1), 5), "a mismatch is contact with a leader too");
    assert!(moved(request_vote(1, 2), 5), "a granted vote");
    assert!(!moved(request_vote(1, 1), 5), "a refused vote");
    assert!(!moved(request_vote(1, 1), 6), "a refused vote of a new term");
    assert!(!moved(append((1, 2), &[], 0, 1), 4), "a stale append");
    assert!(!moved(request_vote(9, 9), 4), "a stale request");
    assert!(!moved(pre_vote(1, 1, 5, (1, 2)), 5), "a pre-vote, granted or not (B-017)");
    for reply in [vote(true), vote(false), matched(0, 0), stale_term()] {
        assert!(!moved(reply, 5), "a reply");
    }
}

#[test]
fn t_3_4_04_a_grant_counts_for_the_timer_when_it_is_durable() {
    // B-012: the timer restarts when the grant leaves, not when it is given in memory.
    let mut rig = Rig::new(3);
    rig.at(1).slow_disk = true;
    rig.tell(2, 1, 1, request_vote(0, 0)).unwrap();
    let before = rig.node(1).deadline().unwrap();
    rig.pass(100 * MS);
    assert_eq!(rig.node(1).deadline(), Some(before));
    rig.ack(1);
    assert!(rig.node(1).deadline().unwrap().since(rig.now) >= rig.options.election_min_ns);
    let mut deposed = in_each_role().remove(2);
    deposed.tell(2, 1, 6, vote(false)).unwrap();
    let wait = deposed.node(1).deadline().unwrap().since(deposed.now);
    assert!(wait >= deposed.options.election_min_ns, "a deposed leader starts one");
}

#[test]
fn t_3_4_05_a_campaign_is_a_term_a_vote_and_requests() {
    let mut rig = Rig::new(3);
    rig.begin(1, 4, None, &[1]);
    rig.at(1).slow_disk = true;
    rig.expire(1);
    assert_eq!(rig.office(1), (Role::Candidate, 5, Some(1)));
    let write = rig.at(1).writes.last().unwrap().hard_state().unwrap().clone();
    assert_eq!((write.term.0, write.vote), (5, Some(NodeId(1))));
    assert!(rig.node(1).deadline().unwrap() > rig.now, "the timer restarted");
    assert!(rig.net.is_empty(), "B-001: nothing leaves before the vote is durable");
    rig.ack(1);
    let to: Vec<_> = rig.take(is_request).iter().map(|e| (e.to.0, e.term.0)).collect();
    assert_eq!(to, [(2, 5), (3, 5)]);
}

#[test]
fn t_3_4_06_a_request_states_the_last_position() {
    for (log, want) in [(&[][..], at(0, 0)), (&[1, 1, 2, 2, 3, 3, 3], at(3, 7))] {
        let mut rig = Rig::new(3);
        rig.begin(1, 3, None, log);
        rig.expire(1);
        for envelope in rig.take(is_request) {
            assert_eq!((envelope.from.0, envelope.term.0), (1, 4));
            assert!(matches!(envelope.message, Message::RequestVote(r) if r.last == want));
        }
    }
}

#[test]
fn t_3_4_07_one_vote_a_term_first_come_first_served() {
    // B-010: asking again is granted again. Leaders and candidates have voted for themselves.
    let mut rig = Rig::new(3);
    rig.tell(2, 1, 5, request_vote(0, 0)).unwrap();
    rig.tell(3, 1, 5, request_vote(0, 0)).unwrap();
    rig.tell(2, 1, 5, request_vote(0, 0)).unwrap();
    let answers: Vec<_> = rig.sent_by(1).into_iter().map(|e| (e.to.0, e.message)).collect();
    assert_eq!(answers, [(2, vote(true)), (3, vote(false)), (2, vote(true))]);
    assert_eq!(rig.at(1).writes.len(), 1, "one write for one vote");
    for mut rig in in_each_role().drain(1..3) {
        rig.lose_all();
        rig.tell(2, 1, 5, request_vote(4, 9)).unwrap();
        assert_eq!(rig.only_reply(1), vote(false));
    }
}

#[test]
fn t_3_4_08_a_majority_of_all_voters_elects() {
    for (n, needed) in [(1, 0), (2, 1), (3, 1), (4, 2), (5, 2), (6, 3), (7, 3), (9, 4)] {
        let mut rig = Rig::new(n);
        rig.expire(1);
        for voter in 2..2 + needed {
            assert_eq!(rig.office(1).0, Role::Candidate, "{n} voters, {voter}");
            rig.tell(voter, 1, 1, vote(true)).unwrap();
        }
        assert_eq!(rig.office(1).0, Role::Leader, "{n} voters");
    }
}

#[test]
fn t_3_4_09_a_voter_counts_once() {
    // B-003, D-T2: doubles, refusals, old terms and strangers do not count.
    let mut rig = Rig::new(5);
    rig.begin(1, 4, None, &[]);
    rig.expire(1);
    for _ in 0..3 {
        rig.tell(2, 1, 5, vote(true)).unwrap();
    }
    rig.tell(3, 1, 5, vote(false)).unwrap();
    assert_eq!(rig.tell(4, 1, 4, vote(true)), Err(Rejected::Stale));
    assert_eq!(rig.tell(9, 1, 5, vote(true)), Err(Rejected::UnknownSender));
    assert_eq!(rig.tell(1, 1, 5, vote(true)), Err(Rejected::UnknownSender));
    assert_eq!(rig.office(1).0, Role::Candidate);
    rig.tell(4, 1, 5, vote(true)).unwrap();
    assert_eq!(rig.office(1).0, Role::Leader);
}

#[test]
fn t_3_4_10_a_candidate_follows_the_leader_of_its_term() {
    let mut rig = in_each_role().remove(1);
    rig.lose_all();
    rig.tell(2, 1, 4, append((1, 2), &[], 0, 1)).unwrap();
    assert_eq!(rig.office(1), (Role::Candidate, 5, Some(1)));
    assert_eq!(rig.only_reply(1), stale_term());
    // B-032: also when the log does not match.
    rig.tell(2, 1, 5, append((4, 9), &[], 0, 1)).unwrap();
    assert_eq!(rig.office(1), (Role::Follower, 5, Some(1)));
    assert_eq!(rig.node(1).leader_hint(), Some(NodeId(2)));
}

#[test]
fn t_3_4_11_no_outcome_means_another_election() {
    let mut rig = Rig::new(3);
    for term in 1..=4 {
        rig.expire(1);
        assert_eq!(rig.office(1), (Role::Candidate, term, Some(1)));
        assert_eq!(rig.take(is_request).iter().filter(|e| e.term.0 == term).count(), 2);
        rig.lose_all();
    }
}

#[test]
fn t_3_4_12_timeouts_are_drawn_anew_for_each_wait() {
    // B-011. Two nodes, 1,000 waits each.
    let mut rig = Rig::new(3);
    let (min, max) = (rig.options.election_min_ns, rig.options.election_max_ns);
    let mut waits = [Vec::new(), Vec::new()];
    for round in 0..1_000 {
        for id in [1, 2] {
            rig.tell(3, id, 1, append((0, 0), &[], 0, round)).unwrap();
            waits[id as usize - 1].push(rig.node(id).deadline().unwrap().since(rig.now));
        }
        rig.lose_all();
    }
    let mut tenths = [0; 10];
    for wait in &waits[0] {
        assert!((min..=max).contains(wait));
        tenths[(((wait - min) * 10) / (max - min + 1)) as usize] += 1;
    }
    assert!(tenths.iter().all(|n| *n > 50), "{tenths:?}");
    assert!(waits[0].iter().zip(&waits[1]).filter(|(a, b)| a == b).count() < 10);
}

#[test]
fn t_3_4_13_a_sole_voter_elects_itself() {
    // D-T6. With and without Pre-Vote; its own vote must be durable.
    for options in [plain(), Options::default()] {
        let mut rig = Rig::with(1, options);
        rig.at(1).slow_disk = true;
        rig.expire(1);
        assert_eq!(rig.office(1).0, Role::Candidate);
        rig.ack(1);
        assert_eq!(rig.office(1), (Role::Leader, 1, Some(1)));
        assert!(rig.net.is_empty());
    }
}

#[test]
fn t_9_5_01_a_refused_candidate_does_not_delay_a_better_one() {
    let mut rig = Rig::new(3);
    rig.begin(1, 3, None, &[1, 3]);
    rig.begin(2, 3, None, &[1]);
    rig.crash(3, 0);
    let before = rig.node(1).deadline();
    rig.expire(2);
    rig.deliver_all();
    assert_eq!((rig.office(1), rig.node(1).deadline()), ((Role::Follower, 4, None), before));
    rig.crash(2, 0);
    rig.restart(3);
    rig.elect(1);
    assert_eq!(rig.office(1).0, Role::Leader);
}

#[test]
fn t_3_6_1_01_a_better_log_denies_the_vote() {
    // B-006, B-007, D-T1: exhaustive over small logs, against tuple order. T-3.6.1-02: the last
    // entry counts, committed or not.
    for ours in [&[][..], &[1], &[1, 1], &[2], &[1, 2], &[2, 2, 2], &[3]] {
        for term in 0..=3 {
            for index in 0..=4 {
                if (term == 0) != (index == 0) {
                    continue;
                }
                let mut rig = Rig::new(3);
                rig.begin(1, 4, None, ours);
                rig.tell(2, 1, 5, request_vote(term, index)).unwrap();
                let last = (ours.last().copied().unwrap_or(0), ours.len() as u64);
                assert_eq!(
                    rig.only_reply(1),
                    vote((term, index) >= last),
                    "{last:?} {term}/{index}"
                );
            }
        }
    }
}

#[test]
fn t_3_6_1_02_an_undurable_entry_counts_in_the_comparison() {
    let mut rig = Rig::new(3);
    rig.at(1).slow_disk = true;
    rig.tell(2, 1, 1, append((0, 0), &[1, 1], 0, 1)).unwrap();
    rig.tell(3, 1, 2, request_vote(1, 1)).unwrap();
    rig.ack(1);
    let answers = rig.take(|e| e.to.0 == 3);
    assert_eq!(answers[0].message, vote(false));
}

#[test]
fn t_3_6_1_03_no_message_carries_entries_towards_a_leader() {
    let mut rig = Rig::new(3);
    rig.begin(2, 2, None, &[1, 2, 2]);
    rig.begin(3, 2, None, &[1, 2]);
    rig.elect(2);
    rig.propose(2, "x");
    while !rig.net.is_empty() {
        let toward = rig.net.iter().any(|e| e.to.0 == 2 && is_append(e));
        assert!(!toward, "{:?}", rig.net);
        rig.deliver(|_| true);
    }
    assert_eq!(rig.log(1), [1, 2, 2, 3, 3]);
    assert_eq!(rig.log(3), rig.log(1));
}
