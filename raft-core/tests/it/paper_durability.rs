//! The thesis's rules on crashes, persistence, time, batching and pipelining (§3.7 to §3.9, §8.1,
//! §10.2).
//!
//! **Intuition.** Set up, act, check; the disk acknowledges when the test says so.
//! **Source.** Ongaro, *Consensus: Bridging Theory and Practice* (2014).
//! **Upholds.** `inv:committed-durable`, `inv:persist-before-send`.
//! **Not here.** The rest of the contract with the driver (`contract.rs`).

use raft_core::{Input, ProgressState, Role, Ticket};

use crate::rig::*;

#[test]
fn t_3_7_01_a_dead_peer_gets_a_bounded_number_of_messages() {
    let mut rig = led();
    rig.crash(3, 0);
    let mut sent = 0;
    for _ in 0..200 {
        rig.propose(1, "x");
        sent += rig.take(|e| e.to.0 == 3).len();
        rig.deliver_among(&[1, 2]);
    }
    assert!(sent <= rig.options.inflight_messages_max as usize + 200, "{sent}");
    assert!(rig.node(1).peers().all(|p| p.inflight <= 64));
    rig.restart(3);
    rig.run(300 * MS);
    assert_eq!(rig.log(3), rig.log(1));
}

#[test]
fn t_3_7_02_a_crash_between_write_and_answer_is_harmless() {
    let mut rig = Rig::new(3);
    rig.at(1).slow_disk = true;
    rig.tell(2, 1, 1, request_vote(0, 0)).unwrap();
    rig.crash(1, 1);
    rig.restart(1);
    rig.tell(3, 1, 1, request_vote(0, 0)).unwrap();
    assert_eq!(rig.only_reply(1), vote(false));
    rig.tell(2, 1, 1, request_vote(0, 0)).unwrap();
    assert_eq!(rig.only_reply(1), vote(true));
    rig.tell(2, 1, 1, append((0, 0), &[1], 0, 1)).unwrap();
    rig.crash(1, 9);
    rig.lose_all();
    rig.restart(1);
    rig.tell(2, 1, 1, append((0, 0), &[1], 0, 1)).unwrap();
    assert_eq!((rig.only_reply(1), rig.log(1)), (matched(1, 1), vec![1]));
}

#[test]
fn t_3_8_02_term_and_vote_are_one_write() {
    for survives in [0, 1] {
        let mut rig = Rig::new(3);
        rig.begin(1, 4, Some(3), &[]);
        rig.at(1).slow_disk = true;
        rig.tell(2, 1, 5, request_vote(0, 0)).unwrap();
        rig.crash(1, survives);
        rig.restart(1);
        let want = if survives == 1 { (5, Some(2)) } else { (4, Some(3)) };
        assert_eq!((rig.office(1).1, rig.office(1).2), want);
    }
}

#[test]
fn t_3_8_03_an_entry_counts_where_it_is_durable() {
    // B-045 and T-10.2.1-01: the leader counts itself no earlier than its disk.
    let mut rig = led();
    for id in [1, 3] {
        rig.at(id).slow_disk = true;
    }
    rig.crash(2, 0);
    rig.propose(1, "x");
    rig.deliver_all();
    rig.ack(3);
    rig.deliver_all();
    assert_eq!(rig.commit(1), 1, "one durable copy of three");
    rig.ack(1);
    assert_eq!(rig.commit(1), 2);
}

#[test]
fn t_3_8_04_commit_recovers_after_everybody_restarts() {
    let mut rig = led();
    for _ in 0..3 {
        rig.propose(1, "x");
    }
    rig.deliver_all();
    for id in [1, 2, 3] {
        rig.crash(id, 0);
        rig.restart(id);
        assert_eq!(rig.commit(id), 0);
    }
    rig.elect(2);
    assert_eq!((rig.commit(2), rig.log(2)), (5, vec![1, 1, 1, 1, 2]));
}

#[test]
fn t_3_8_07_b_001_no_request_before_the_vote_is_durable() {
    // The headline trace: A campaigns, crashes before its write, and comes back in the old term.
    // Here nobody has heard of the first campaign, so term 5 still has one candidacy of A's.
    let mut rig = Rig::new(3);
    for id in [1, 2, 3] {
        rig.begin(id, 4, None, &[1; 10]);
    }
    rig.at(1).slow_disk = true;
    rig.expire(1);
    assert_eq!((rig.office(1).1, rig.net.len()), (5, 0));
    for _ in 0..3 {
        rig.tick(1);
    }
    assert!(rig.net.iter().all(|e| e.term.0 == 4) && rig.net.is_empty());
    // A grant that cannot be: even a quorum of peers does not elect without the own vote.
    let term = rig.office(1).1;
    rig.tell(2, 1, term, vote(true)).unwrap();
    rig.tell(3, 1, term, vote(true)).unwrap();
    assert_eq!(rig.office(1).0, Role::Candidate);
    rig.crash(1, 0);
    rig.restart(1);
    assert_eq!((rig.office(1), rig.node(2).term().0), ((Role::Follower, 4, None), 4));
}

#[test]
fn a_request_waits_for_the_position_it_states() {
    let mut rig = Rig::new(3);
    rig.at(1).slow_disk = true;
    rig.tell(2, 1, 1, append((0, 0), &[1, 1], 0, 1)).unwrap();
    rig.expire(1);
    assert_eq!(rig.at(1).open.len(), 2);
    rig.ack_nth(1, 1).unwrap();
    assert_eq!(rig.take(is_request).len(), 0, "the vote is acknowledged above a hole");
    rig.ack_nth(1, 0).unwrap();
    assert_eq!(rig.take(is_request).len(), 2);
}

#[test]
fn t_3_9_03_a_majority_goes_on_and_a_minority_does_not() {
    let mut rig = Rig::new(5);
    rig.elect(1);
    rig.propose(1, "minority");
    rig.deliver_among(&[1, 2]);
    assert_eq!(rig.commit(1), 1);
    rig.elect_among(3, &[3, 4, 5]);
    rig.propose(3, "majority");
    rig.deliver_among(&[3, 4, 5]);
    assert_eq!((rig.commit(3), rig.commit(1)), (3, 1));
}

#[test]
fn t_8_1_02_a_sole_voter_commits_when_durable() {
    let mut rig = Rig::new(1);
    rig.expire(1);
    rig.at(1).slow_disk = true;
    let ticket = rig.propose(1, "x");
    assert_eq!(rig.commit(1), 1);
    rig.ack(1);
    assert_eq!((rig.commit(1), rig.net.len()), (2, 0));
    assert_eq!(rig.applied(1).last(), Some(&(2, Some(ticket.0))));
}

#[test]
fn t_8_1_03_a_crash_around_a_cut_leaves_a_legal_log() {
    for survive in 0..=2 {
        let mut rig = Rig::new(3);
        rig.begin(1, 2, None, &[1, 2, 2]);
        rig.at(1).slow_disk = true;
        rig.tell(2, 1, 3, append((1, 1), &[3], 0, 1)).unwrap();
        rig.tell(2, 1, 3, append((3, 2), &[3, 3], 0, 1)).unwrap();
        rig.crash(1, survive);
        rig.restart(1);
        let want = [&[1, 2, 2][..], &[1, 3], &[1, 3, 3, 3]][survive];
        assert_eq!(rig.log(1), want);
    }
}

#[test]
fn t_10_2_1_02_followers_may_commit_what_the_leader_has_not_on_disk() {
    let mut rig = led();
    rig.at(1).slow_disk = true;
    rig.propose(1, "x");
    assert_eq!(rig.net.len(), 2, "T-10.2.1-01: sent before it is durable here");
    rig.deliver_all();
    assert_eq!((rig.commit(1), rig.node(1).durable().0, rig.node(1).applied().0), (2, 1, 1));
    rig.crash(1, 0);
    rig.elect_among(2, &[2, 3]);
    rig.at(1).slow_disk = false;
    rig.restart(1);
    rig.run(200 * MS);
    assert_eq!((rig.log(1), rig.node(1).applied().0), (vec![1, 1, 2], 3));
}

#[test]
fn t_10_2_2_01_a_batch_is_one_write_and_one_message() {
    let mut rig = led();
    let writes = rig.at(1).writes.len();
    for n in 0..1_000 {
        let accepted = rig.step_only(1, Input::Propose("x".into())).unwrap();
        assert_eq!(accepted.issued, raft_core::Issued::Proposal(Ticket(2 + n)));
    }
    rig.drain(1);
    assert_eq!((rig.at(1).writes.len() - writes, rig.net.len()), (1, 2));
    rig.deliver_all();
    assert_eq!((rig.commit(1), rig.at(2).writes.last().unwrap().entries.len()), (1_001, 1_000));
    let mut rig = Rig::with(3, with(|o| o.append_bytes_max = 10));
    rig.elect(1);
    for payload in ["aaaa", "bbbb", "cccc", "a payload of more than the limit"] {
        rig.step_only(1, Input::Propose(payload.into())).unwrap();
    }
    rig.drain(1);
    let to_2 = rig.take(|e| e.to.0 == 2 && is_append(e));
    let sizes: Vec<u64> = to_2.iter().map(|e| as_append(&e.message).entries.len()).collect();
    assert_eq!(sizes, [2, 1, 1]);
}

#[test]
fn t_10_2_2_02_next_moves_on_with_sending_up_to_the_window() {
    let options = with(|o| {
        o.append_entries_max = 2;
        o.inflight_messages_max = 3;
    });
    let mut rig = Rig::with(3, options);
    rig.elect(1);
    for _ in 0..10 {
        rig.step_only(1, Input::Propose("x".into())).unwrap();
    }
    rig.drain(1);
    let firsts = |rig: &mut Rig| -> Vec<u64> {
        let sent = rig.take(|e| e.to.0 == 2 && is_append(e));
        sent.iter().map(|e| as_append(&e.message).entries.first().unwrap().0).collect()
    };
    assert_eq!(firsts(&mut rig), [2, 4, 6]);
    assert_eq!(rig.node(1).peers().next().unwrap().inflight, 3);
    rig.tell(2, 1, 1, matched(5, 0)).unwrap();
    assert_eq!(firsts(&mut rig), [8, 10], "two answered, two more");
}

#[test]
fn t_10_2_2_03_what_was_lost_is_sent_again() {
    let mut rig = led();
    for _ in 0..3 {
        rig.propose(1, "x");
    }
    let mut third = rig.take(|e| e.to.0 == 2);
    third.remove(1);
    for envelope in third {
        rig.receive(envelope).unwrap();
    }
    assert_eq!(rig.log(2).len(), 2);
    rig.deliver_all();
    assert_eq!(rig.log(2), [1, 1, 1, 1], "the refusal of the third brings the second");
    // All lost, answers too: the heartbeat finds out.
    rig.propose(1, "x");
    rig.lose_all();
    rig.run(120 * MS);
    assert_eq!(rig.log(3).len(), 5);
    assert_eq!(rig.node(1).peers().next().unwrap().state, ProgressState::Replicate);
}

#[test]
fn t_10_2_2_04_any_order_of_arrival_is_safe() {
    for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
        let mut rig = led();
        for _ in 0..3 {
            rig.propose(1, "x");
        }
        let window = rig.take(|e| e.to.0 == 2);
        for at in order {
            rig.receive(window[at].clone()).unwrap();
        }
        rig.deliver_all();
        assert_eq!((rig.log(2), rig.commit(1)), (rig.log(1), 4), "{order:?}");
    }
}

/// A network that reorders a whole window makes the follower refuse nearly each message of it. The
/// leader fell back once for each refusal and sent the window anew each time: with a backlog of a
/// hundred entries the simulator saw a hundred thousand appends for them.
#[test]
fn a_reordered_window_is_sent_again_once_not_once_for_each_refusal() {
    const WINDOW: usize = 40;
    let mut rig = Rig::with(3, with(|o| o.append_entries_max = 1));
    rig.elect(1);
    rig.deliver_all();
    for _ in 0..WINDOW {
        rig.propose(1, "x");
    }
    let mut appends = 0;
    loop {
        let mut window = rig.take(|e| e.to.0 == 2);
        appends += window.len();
        window.reverse();
        for envelope in window {
            rig.receive(envelope).unwrap();
        }
        let answers = rig.take(|e| e.from.0 == 2);
        if answers.is_empty() {
            break;
        }
        for envelope in answers {
            rig.receive(envelope).unwrap();
        }
    }
    assert!((WINDOW..=5 * WINDOW).contains(&appends), "{appends} appends for {WINDOW} entries");
    rig.run(120 * MS);
    assert_eq!(rig.log(2), rig.log(1), "the heartbeats find what is still missing");
}

#[test]
fn t_10_2_2_05_a_full_window_does_not_hold_up_heartbeats() {
    let mut rig = Rig::with(3, with(|o| o.inflight_messages_max = 1));
    rig.elect(1);
    rig.propose(1, "x");
    rig.propose(1, "y");
    rig.lose_all();
    rig.pass(60 * MS);
    rig.step(1, Input::Tick).unwrap();
    let beats = rig.take(is_append);
    assert_eq!(beats.len(), 2);
    assert!(beats.iter().all(|e| as_append(&e.message).entries.is_empty()));
}
