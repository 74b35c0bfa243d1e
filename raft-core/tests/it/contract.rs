//! The contract between node and driver: lanes, gates, acknowledgements, tickets, queues.
//!
//! **Intuition.** What a driver may do wrong or late, and what must not come of it.
//! **Source.** docs/CONTRACT.md.
//! **Upholds.** `inv:persist-before-send`, `inv:lane-order`, `inv:nothing-lost`, `inv:bounded`.
//! **Not here.** The thesis's rules (`paper_*.rs`), hostile peers (`hostile.rs`).

use raft_core::{
    BootError, HaltReason, Input, Instant, LogIndex, Node, NodeId, Note, Options, Outcome,
    ProposeError, ReadError, ReadFailure, Rejected, Role, Term, Ticket, UnknownReason,
};

use crate::rig::*;

fn leader() -> Rig {
    let mut rig = Rig::new(3);
    rig.elect(1);
    rig
}

/// n1 of three with a slow disk.
fn slow() -> Rig {
    let mut rig = Rig::new(3);
    rig.at(1).slow_disk = true;
    rig
}

#[test]
fn every_gate_is_shut_before_and_open_right_after() {
    // Each: what makes it owed; what then leaves once the disk has it.
    type Act = fn(&mut Rig);
    let gates: [(&str, Act, usize); 6] = [
        (
            "VoteReply",
            |rig| {
                let _any = rig.tell(2, 1, 3, request_vote(0, 0));
            },
            1,
        ),
        (
            "VoteReply",
            |rig| {
                let _any = rig.tell(2, 1, 3, request_vote(0, 0));
            },
            1,
        ),
        (
            "AppendReply",
            |rig| {
                let _any = rig.tell(2, 1, 3, append((0, 0), &[1], 0, 1));
            },
            1,
        ),
        (
            "AppendReply",
            |rig| {
                let _any = rig.tell(2, 1, 3, append((1, 7), &[], 0, 1));
            },
            1,
        ),
        (
            "PreVoteReply",
            |rig| {
                {
                    let _any = rig.tell(3, 1, 3, vote(false));
                };
                {
                    let _any = rig.tell(2, 1, 3, pre_vote(1, 1, 3, (0, 0)));
                };
            },
            1,
        ),
        ("RequestVote", |rig| rig.expire(1), 2),
    ];
    for (name, act, count) in gates {
        let mut rig = slow();
        act(&mut rig);
        assert_eq!(rig.net.len(), 0, "{name} left before its write");
        rig.ack(1);
        let left: Vec<_> = rig.net.iter().map(|e| e.message.name()).collect();
        assert_eq!(left, vec![name; count]);
    }
}

#[test]
fn an_append_reply_says_what_is_durable_and_again_when_that_rises() {
    // T-3.8-01.
    let mut rig = slow();
    rig.tell(2, 1, 1, append((0, 0), &[1], 0, 1)).unwrap();
    rig.ack(1);
    assert_eq!(rig.only_reply(1), matched(1, 1));
    rig.tell(2, 1, 1, append((1, 1), &[1, 1], 0, 2)).unwrap();
    assert_eq!(rig.only_reply(1), matched(1, 2), "the round at once");
    rig.tell(2, 1, 1, append((1, 1), &[1, 1], 0, 2)).unwrap();
    assert!(rig.net.is_empty(), "no news, no reply");
    rig.ack(1);
    assert_eq!(rig.only_reply(1), matched(3, 2));
}

#[test]
fn a_disk_slower_than_the_timeout_still_lets_its_node_be_elected() {
    // Found by reading: each timeout began another term, whose vote was again not durable in time.
    let mut rig = slow();
    rig.expire(1);
    for _ in 0..20 {
        rig.tick(1);
    }
    assert_eq!((rig.office(1), rig.at(1).writes.len()), ((Role::Candidate, 1, Some(1)), 1));
    rig.ack(1);
    rig.deliver_all();
    assert_eq!(rig.office(1), (Role::Leader, 1, Some(1)));
}

#[test]
fn a_parked_grant_is_dropped_with_its_term() {
    let mut rig = slow();
    rig.tell(2, 1, 3, request_vote(0, 0)).unwrap();
    rig.tell(3, 1, 4, vote(false)).unwrap();
    rig.ack(1);
    assert_eq!(rig.net.len(), 0, "the vote of term 3 is owed to nobody any more");
}

#[test]
fn an_acknowledgement_above_a_hole_promises_nothing() {
    // Acknowledgements out of order: only the complete prefix counts.
    let mut rig = slow();
    rig.tell(2, 1, 1, append((0, 0), &[1], 0, 1)).unwrap();
    rig.tell(2, 1, 1, append((1, 1), &[1], 0, 1)).unwrap();
    rig.tell(2, 1, 1, append((1, 2), &[1], 0, 1)).unwrap();
    rig.ack_nth(1, 2).unwrap();
    rig.ack_nth(1, 1).unwrap();
    assert_eq!((rig.node(1).durable().0, rig.net.len()), (0, 0));
    rig.ack_nth(1, 0).unwrap();
    assert_eq!((rig.node(1).durable().0, rig.only_reply(1)), (3, matched(3, 1)));
}

#[test]
fn acknowledgements_doubled_foreign_and_never_issued() {
    let mut rig = slow();
    rig.expire(1);
    let first = rig.last_ack(1);
    rig.ack(1);
    let before = rig.node(1).status();
    rig.step(1, Input::Persisted(first)).unwrap();
    assert_eq!(rig.node(1).status(), before, "a duplicate is ignored");
    // From before the restart.
    rig.crash(1, 0);
    rig.restart(1);
    assert_eq!(rig.step(1, Input::Persisted(first)), Err(Rejected::ForeignAck));
    assert_eq!(rig.step(1, Input::PersistFailed(first)), Err(Rejected::ForeignAck));
    // Never issued: the same boot run differently is the only way to make one.
    let twin = rig.node(1).clone();
    rig.expire(1);
    let future = rig.last_ack(1);
    for input in [Input::Persisted(future), Input::PersistFailed(future)] {
        rig.at(1).node = twin.clone();
        rig.at(1).halted = None;
        rig.step(1, input).unwrap();
        assert_eq!(rig.at(1).halted, Some(HaltReason::AckNeverIssued));
    }
}

#[test]
fn a_failed_write_halts_for_this_boot() {
    // D-W8: also right after a cut. Nothing is sent or persisted after it (the rig asserts).
    let mut rig = Rig::new(3);
    rig.begin(1, 2, None, &[1, 2, 2]);
    rig.at(1).slow_disk = true;
    rig.tell(2, 1, 3, append((1, 1), &[3], 0, 1)).unwrap();
    let ack = rig.last_ack(1);
    rig.step(1, Input::PersistFailed(ack)).unwrap();
    assert_eq!(rig.at(1).halted, Some(HaltReason::PersistFailed));
    assert_eq!(rig.node(1).deadline(), None);
    assert_eq!(rig.tell(2, 1, 3, append((1, 1), &[3], 0, 2)), Err(Rejected::Halted));
    assert_eq!(rig.step(1, Input::Tick), Err(Rejected::Halted));
    let now = rig.now;
    assert_eq!(rig.at(1).node.propose(now, "x".into()), Err(ProposeError::Halted));
    assert_eq!(rig.at(1).node.read(now), Err(ReadError::Halted));
    rig.crash(1, 0);
    rig.restart(1);
    assert_eq!(rig.log(1), [1, 2, 2], "the disk as it was");
}

#[test]
fn a_cut_clamps_what_open_writes_can_make_durable() {
    let mut rig = slow();
    rig.tell(2, 1, 1, append((0, 0), &[1, 1, 1, 1, 1], 0, 1)).unwrap();
    rig.tell(3, 1, 2, append((1, 2), &[2], 0, 1)).unwrap();
    assert_eq!(rig.log(1), [1, 1, 2]);
    rig.ack_nth(1, 0).unwrap();
    let status = rig.node(1).status();
    assert_eq!((status.durable.0, status.verified.0), (2, 3), "entries 3 to 5 are gone");
    rig.ack(1);
    assert_eq!(rig.node(1).durable().0, 3);
    assert_eq!(rig.at(1).disk.log.len(), 3);
}

#[test]
fn a_full_write_window_gathers_and_a_full_tail_refuses() {
    let options = with(|o| {
        o.pre_vote = false;
        o.persist_inflight_max = 2;
        o.tail_entries_max = 6;
        o.append_entries_max = 6;
    });
    let mut rig = Rig::with(3, options.clone());
    rig.elect(1);
    rig.at(1).slow_disk = true;
    let mut tickets = 0;
    let now = rig.now;
    loop {
        match rig.at(1).node.propose(now, "x".into()) {
            Ok(_) => tickets += 1,
            Err(error) => break assert_eq!(error, ProposeError::CommitStalled),
        }
        rig.drain(1);
    }
    assert_eq!((tickets, rig.at(1).open.len()), (6, 2));
    rig.ack(1);
    assert_eq!(rig.node(1).durable().0, 7);
    rig.propose(1, "room again");
    // A follower takes the prefix that fits, and the rest later.
    let mut rig = Rig::with(3, options);
    rig.at(1).slow_disk = true;
    rig.tell(2, 1, 1, append((0, 0), &[1; 4], 0, 1)).unwrap();
    rig.tell(2, 1, 1, append((1, 4), &[1; 4], 0, 1)).unwrap();
    assert_eq!(rig.log(1).len(), 6);
    rig.ack(1);
    let reply = as_reply(&rig.sent_by(1).last().unwrap().message);
    assert_eq!(reply.result, raft_core::AppendResult::Matched { matched: LogIndex(6) });
    rig.tell(2, 1, 1, append((1, 6), &[1; 4], 0, 2)).unwrap();
    assert_eq!(rig.log(1).len(), 10);
}

#[test]
fn every_queue_is_bounded_with_a_typed_refusal() {
    let options = with(|o| {
        o.proposals_max = 2;
        o.reads_max = 3;
        o.entry_bytes_max = 4;
    });
    let mut rig = Rig::with(3, options);
    rig.elect(1);
    let now = rig.now;
    let large = ProposeError::TooLarge { max: 4 };
    assert_eq!(rig.at(1).node.propose(now, "12345".into()), Err(large));
    rig.propose(1, "1234");
    rig.propose(1, "x");
    assert_eq!(
        rig.at(1).node.propose(now, "y".into()),
        Err(ProposeError::QueueFull { priority: raft_core::Priority::High })
    );
    for _ in 0..3 {
        rig.read(1);
    }
    assert_eq!(rig.at(1).node.read(now), Err(ReadError::QueueFull));
    rig.deliver_all();
    let queues = rig.node(1).queues();
    assert_eq!((queues.proposals, queues.reads, queues.applying), (0, 0, 0), "D-W9");
    rig.propose(1, "y");
    rig.read(1);
}

/// n1 led term 1 and proposed twice to nobody; then it was deposed.
fn deposed() -> (Rig, Ticket) {
    let mut rig = leader();
    let ticket = rig.propose(1, "a");
    rig.propose(1, "b");
    rig.lose_all();
    rig.tell(2, 1, 2, append((1, 1), &[], 1, 1)).unwrap();
    rig.lose_all();
    assert_eq!(rig.at(1).ends, []);
    (rig, ticket)
}

#[test]
fn a_ticket_ends_in_apply_even_after_the_lead_is_lost() {
    let (mut rig, ticket) = deposed();
    rig.tell(2, 1, 2, append((1, 3), &[2], 4, 2)).unwrap();
    assert_eq!(rig.applied(1)[1..], [(2, Some(ticket.0)), (3, Some(ticket.0 + 1)), (4, None)]);
    rig.pass(9_000 * MS);
    rig.step(1, Input::Tick).unwrap();
    assert_eq!(rig.at(1).ends, [], "once is enough");
}

#[test]
fn a_cut_ends_no_ticket_and_another_term_at_its_index_does() {
    // D-W3: another voter may still hold the entry; only commit decides.
    let (mut rig, ticket) = deposed();
    rig.tell(2, 1, 2, append((1, 1), &[2, 2], 1, 2)).unwrap();
    assert_eq!((rig.log(1), rig.at(1).ends.len()), (vec![1, 2, 2], 0));
    rig.tell(2, 1, 2, append((2, 3), &[], 2, 3)).unwrap();
    assert_eq!(rig.at(1).ends, [(ticket, 1, Outcome::Superseded)]);
    rig.tell(2, 1, 2, append((2, 3), &[], 3, 4)).unwrap();
    assert_eq!(rig.at(1).ends[1], (Ticket(ticket.0 + 1), 1, Outcome::Superseded));
}

#[test]
fn a_ticket_that_nothing_decides_ends_as_unknown_once() {
    let (mut rig, ticket) = deposed();
    rig.pass(rig.options.pending_after_loss_ns);
    rig.step(1, Input::Tick).unwrap();
    let unknown = Outcome::Unknown(UnknownReason::LeadershipLost);
    assert_eq!(rig.at(1).ends, [(ticket, 2, unknown)]);
    rig.tell(2, 1, 2, append((1, 3), &[2], 4, 2)).unwrap();
    assert!(rig.applied(1).iter().all(|(_, ticket)| ticket.is_none()));
    assert_eq!(rig.at(1).ends.len(), 1);
}

#[test]
fn halt_and_shutdown_end_everything_that_is_open() {
    for shutdown in [false, true] {
        let mut rig = leader();
        rig.at(1).slow_disk = true;
        let ticket = rig.propose(1, "a");
        rig.propose(1, "b");
        let read = rig.read(1);
        let ack = rig.last_ack(1);
        let (input, why, reason) = if shutdown {
            (Input::Shutdown, UnknownReason::Shutdown, HaltReason::Shutdown)
        } else {
            (Input::PersistFailed(ack), UnknownReason::Halted, HaltReason::PersistFailed)
        };
        rig.step(1, input).unwrap();
        assert_eq!(rig.at(1).ends, [(ticket, 2, Outcome::Unknown(why))]);
        assert_eq!(rig.at(1).failed_reads, [(read, ReadFailure::Halted)]);
        assert_eq!(rig.at(1).halted, Some(reason));
    }
}

#[test]
fn d_t4_a_new_reign_never_answers_for_an_old_one() {
    let (mut rig, old) = deposed();
    rig.tell(2, 1, 2, append((1, 1), &[2], 1, 2)).unwrap();
    rig.lose_all();
    while rig.office(1).0 != Role::Leader {
        rig.expire(1);
        let term = rig.office(1).1;
        rig.tell(2, 1, term, vote(true)).unwrap();
        rig.lose_all();
    }
    let new = rig.propose(1, "c");
    let (term, last) = (rig.office(1).1, rig.node(1).last().index.0);
    rig.tell(2, 1, term, matched(last, 1)).unwrap();
    let ends = &rig.at(1).ends;
    assert_eq!(ends.iter().map(|end| end.1).sum::<u64>(), 2, "{ends:?}");
    assert!(ends.iter().all(|end| end.2 == Outcome::Superseded && end.0 >= old));
    assert_eq!(rig.applied(1).last(), Some(&(last, Some(new.0))));
    assert_eq!(rig.applied(1).iter().filter(|(_, ticket)| ticket.is_some()).count(), 1);
}

#[test]
fn what_a_slow_machine_holds_is_bounded_in_bytes() {
    // Found by reading: the limit held for each output, not for all that were under way.
    let options = with(|o| {
        o.pre_vote = false;
        o.apply_inflight_bytes_max = 10;
    });
    let mut rig = Rig::with(1, options);
    rig.expire(1);
    rig.at(1).slow_apply = true;
    for _ in 0..9 {
        rig.propose(1, "four");
    }
    assert_eq!(rig.applied(1).last(), Some(&(4, Some(4))), "12 bytes: the third reached the limit");
    rig.step(1, Input::Applied(LogIndex(3))).unwrap();
    assert_eq!(rig.applied(1).last(), Some(&(6, Some(6))));
    rig.step(1, Input::Applied(LogIndex(6))).unwrap();
    assert_eq!(rig.applied(1).last(), Some(&(9, Some(9))));
}

#[test]
fn apply_is_cumulative_and_nothing_beyond_is_believed() {
    let mut rig = leader();
    rig.at(1).slow_apply = true;
    rig.propose(1, "x");
    rig.deliver_all();
    assert_eq!(rig.step(1, Input::Applied(LogIndex(3))), Err(Rejected::AppliedTooFar));
    for upto in [2, 1, 2] {
        rig.step(1, Input::Applied(LogIndex(upto))).unwrap();
        assert_eq!(rig.node(1).applied().0, 2);
    }
}

#[test]
fn a_clock_that_goes_back_is_counted_and_loses_no_input() {
    let mut rig = leader();
    let deadline = rig.node(1).deadline();
    rig.now = Instant(5);
    rig.propose(1, "x");
    rig.deliver_all();
    assert_eq!((rig.commit(1), rig.node(1).deadline()), (2, deadline));
    assert!(rig.node(1).status().clock_regressions > 0);
}

#[test]
fn a_leader_asked_to_step_down_waits_longer_than_the_others() {
    let mut rig = leader();
    rig.step(1, Input::StepDown).unwrap();
    assert_eq!(rig.office(1), (Role::Follower, 1, Some(1)));
    assert!(rig.node(1).deadline().unwrap().since(rig.now) >= rig.options.election_max_ns);
    assert_eq!(rig.step(1, Input::StepDown), Err(Rejected::NotLeader));
}

#[test]
fn notes_tell_why_and_change_nothing() {
    let mut pair: Vec<Node> = Vec::new();
    for notes in [false, true] {
        let mut rig = Rig::with(3, with(|o| o.notes = notes));
        rig.begin(1, 5, None, &[1, 1]);
        rig.tell(2, 1, 5, request_vote(1, 1)).unwrap();
        rig.tell(2, 1, 5, append((1, 1), &[2], 0, 1)).unwrap();
        rig.tell(2, 1, 5, append((4, 7), &[], 0, 1)).unwrap();
        let _refused = rig.tell(3, 1, 6, request_vote(4, 9));
        let told = &rig.at(1).notes;
        let want: &[Note] = &[
            Note::LogBehind { candidate: NodeId(2), ours: at(1, 2) },
            Note::Truncated { from: LogIndex(2) },
            Note::AppendRefused { previous: at(4, 7), hint: at(2, 2) },
            Note::LeaderAlive { candidate: NodeId(3) },
        ];
        assert_eq!(told, if notes { want } else { &[] });
        pair.push(rig.node(1).clone());
    }
    let now = Instant(1_000 * MS);
    assert_eq!(pair[0].semantic_digest(now), pair[1].semantic_digest(now));
}

#[test]
fn status_answers_in_every_role_and_after_a_halt() {
    let mut rig = leader();
    rig.propose(1, "x");
    let status = rig.node(1).status();
    assert_eq!(
        (status.role, status.leader, status.last),
        (Role::Leader, Some(NodeId(1)), at(1, 2))
    );
    assert_eq!((status.peers.len(), status.queues.proposals), (2, 1));
    assert!(status.quorum_contact.is_some() && status.to_string().contains("Leader"));
    assert!(rig.node(2).status().peers.is_empty());
    rig.step(1, Input::Shutdown).unwrap();
    assert!(rig.node(1).status().to_string().contains("halted"));
}

#[test]
fn impossible_disks_do_not_boot() {
    let mut rig = Rig::new(3);
    rig.begin(1, 5, Some(2), &[1, 5]);
    rig.at(1).disk.hard.term = Term(4);
    let error = BootError::TermRegression { hard_state: Term(4), log: Term(5) };
    assert_eq!(rig.try_restart(1), Err(error), "B-089");
    rig.at(1).disk.hard.term = Term(5);
    rig.options.heartbeat_ns = 0;
    assert!(matches!(rig.try_restart(1), Err(BootError::Options(_))), "S-07");
}

#[test]
fn equal_steps_give_equal_outputs() {
    // `2.0.1`: a run is its list of steps.
    let run = |options: Options| {
        let mut rig = Rig::with(3, options);
        rig.run(1_000 * MS);
        let leader = rig.ids().into_iter().find(|id| rig.office(*id).0 == Role::Leader).unwrap();
        rig.propose(leader, "x");
        rig.run(100 * MS);
        rig.servers.into_iter().map(|s| (s.node, s.writes, s.applies)).collect::<Vec<_>>()
    };
    assert!(run(Options::default()) == run(Options::default()));
}

#[test]
fn the_digest_tells_situations_apart_and_forgets_how_they_came() {
    let mut rig = Rig::new(3);
    rig.at(1).slow_disk = true;
    let digest = |rig: &Rig| rig.node(1).semantic_digest(rig.now);
    let fresh = digest(&rig);
    rig.step(1, Input::Applied(LogIndex(9))).unwrap_err();
    assert_eq!(digest(&rig), fresh, "a counter is no situation");
    rig.tell(2, 1, 1, vote(false)).unwrap();
    let owes_nothing = digest(&rig);
    rig.tell(3, 1, 1, pre_vote(1, 1, 1, (0, 0))).unwrap();
    assert_ne!(digest(&rig), owes_nothing, "an answer is owed");
}
