//! Admission: who is refused and why, what waits, in what order it is appended, how it ends.
//!
//! **Intuition.** A refusal is definite, low never costs high its place, and whatever is counted up
//! is counted down once.
//! **Source.** SEMANTICS 2.1; S-04, S-19, S-35, S-37, S-39, S-40, S-42, S-53; D-W8, D-W9.
//! **Upholds.** `inv:bounded`, `inv:nothing-lost`.
//! **Not here.** The lifecycle (`lifecycle.rs`), tickets (`contract.rs`).

use std::collections::BTreeSet;

use raft_core::{
    Capacity, DeferredRefusal, DisableReason, HaltReason, Input, Issued, LogIndex, NodeId, Options,
    Outcome, Priority, Proposal, ProposeError, ReadError, Rejected, Role, Ticket, UnknownReason,
};

use crate::rig::*;

fn low(payload: &'static str) -> Proposal {
    Proposal { payload: payload.into(), priority: Priority::Low, ..Proposal::default() }
}

fn high(payload: &'static str) -> Proposal {
    Proposal { priority: Priority::High, ..low(payload) }
}

/// Proposes without settling.
fn offer(rig: &mut Rig, id: u64, proposal: Proposal) -> Result<Ticket, ProposeError> {
    let now = rig.now;
    rig.at(id).node.propose_with(now, proposal)
}

/// n1 leads three under `change`d plain options.
fn leading(change: impl FnOnce(&mut Options)) -> Rig {
    let mut options = plain();
    change(&mut options);
    let mut rig = Rig::with(3, options);
    rig.elect(1);
    rig
}

/// The payloads of the log above the opening no-op.
fn payloads(rig: &Rig, id: u64) -> Vec<String> {
    let entries = rig.node(id).entries_from(LogIndex(2));
    entries.map(|(_, e)| String::from_utf8(e.payload.to_vec()).unwrap()).collect()
}

#[test]
fn a_node_that_does_not_lead_says_why() {
    // 2.1.2(a).
    let mut rig = led();
    let hint = Some(NodeId(1));
    assert_eq!(offer(&mut rig, 2, high("x")), Err(ProposeError::NotLeader { hint }));
    assert_eq!(offer(&mut rig, 2, low("x")), Err(ProposeError::NotLeader { hint }));
    rig.expire(3);
    let term = rig.node(3).term();
    assert_eq!(offer(&mut rig, 3, high("x")), Err(ProposeError::ElectionInProgress { term }));
    let blank = rig.add_blank();
    assert_eq!(offer(&mut rig, blank, high("x")), Err(ProposeError::NotInGroup));
    let now = rig.now;
    assert_eq!(rig.at(blank).node.read(now), Err(ReadError::NotInGroup));
    rig.at(2).node.disable(now, 9).unwrap();
    rig.drain(2);
    let reason = Some(DisableReason::Operator(9));
    assert_eq!(offer(&mut rig, 2, high("x")), Err(ProposeError::Disabled { reason }));
    assert_eq!(rig.at(2).node.read(now), Err(ReadError::Disabled { reason }));
    rig.step(3, Input::Shutdown).unwrap();
    assert_eq!(offer(&mut rig, 3, high("x")), Err(ProposeError::Halted));
    for error in [ProposeError::NotInGroup, ProposeError::Disabled { reason }] {
        assert!(error.to_string().chars().next().unwrap().is_lowercase());
    }
}

#[test]
fn a_leader_says_which_bound_was_met() {
    // 2.1.3(a), S-37, 2.2.7(a).
    let mut rig = leading(|o| {
        o.entry_bytes_max = 4;
        o.proposals_max = 3;
        o.deferred_max = 2;
        o.apply_queue_entries_max = 5;
    });
    assert_eq!(offer(&mut rig, 1, high("12345")), Err(ProposeError::TooLarge { max: 4 }));
    assert_eq!(offer(&mut rig, 1, low("12345")), Err(ProposeError::TooLarge { max: 4 }));
    let past = Proposal { deadline: Some(rig.now), ..high("x") };
    assert_eq!(offer(&mut rig, 1, past), Err(ProposeError::DeadlinePassed));
    for priority in [Priority::High, Priority::Low] {
        let room = if priority == Priority::High { 3 } else { 2 };
        for _ in 0..room {
            offer(&mut rig, 1, Proposal { priority, ..high("x") }).unwrap();
        }
        let full = Err(ProposeError::QueueFull { priority });
        assert_eq!(offer(&mut rig, 1, Proposal { priority, ..high("x") }), full);
    }
    rig.drain(1);
    rig.deliver_all();
    // The store.
    for capacity in [Capacity::ConfigOnly, Capacity::None] {
        rig.step(1, Input::Capacity(capacity)).unwrap();
        assert_eq!(offer(&mut rig, 1, high("x")), Err(ProposeError::CommitStalled));
        assert_eq!(offer(&mut rig, 1, low("x")), Err(ProposeError::CommitStalled));
        assert_eq!(rig.node(1).admits_changes(), capacity == Capacity::ConfigOnly);
    }
    rig.step(1, Input::Capacity(Capacity::All)).unwrap();
    // The machine, by entries.
    rig.at(1).slow_apply = true;
    for _ in 0..5 {
        offer(&mut rig, 1, high("x")).unwrap();
        rig.drain(1);
        rig.deliver_all();
    }
    let behind = Err(ProposeError::ApplyQueueFull { entries: 5, bytes: 5 });
    assert_eq!(offer(&mut rig, 1, high("x")), behind);
    assert_eq!(offer(&mut rig, 1, low("x")), behind);
    let now = rig.now;
    let behind = Err(ReadError::ApplyQueueFull { entries: 5, bytes: 5 });
    assert_eq!(rig.at(1).node.read(now), behind);
    let commit = rig.node(1).commit();
    rig.step(1, Input::Applied(commit)).unwrap();
    offer(&mut rig, 1, high("x")).unwrap();
}

#[test]
fn a_machine_behind_by_bytes_closes_the_door_even_while_its_window_is_full() {
    let mut rig = leading(|o| {
        o.apply_queue_bytes_max = 10;
        o.apply_inflight_entries_max = 2;
    });
    rig.at(1).slow_apply = true;
    for _ in 0..3 {
        offer(&mut rig, 1, high("1234")).unwrap();
        rig.drain(1);
        rig.deliver_all();
    }
    let queues = rig.node(1).queues();
    assert_eq!((queues.applying, queues.unapplied, queues.unapplied_bytes), (2, 3, 12));
    let behind = ProposeError::ApplyQueueFull { entries: 3, bytes: 12 };
    assert_eq!(offer(&mut rig, 1, high("x")), Err(behind));
    // B-098: what was charged is given back.
    while rig.node(1).applied() < rig.node(1).commit() {
        let next = LogIndex(rig.node(1).applied().0 + 1);
        rig.step(1, Input::Applied(next)).unwrap();
    }
    assert_eq!(rig.node(1).queues().unapplied_bytes, 0);
    offer(&mut rig, 1, high("x")).unwrap();
}

#[test]
fn high_stands_before_low_and_each_in_its_order() {
    // 2.1.4.
    let mut rig = leading(|_| ());
    let first = offer(&mut rig, 1, low("l1")).unwrap();
    let direct = offer(&mut rig, 1, high("h1")).unwrap();
    offer(&mut rig, 1, low("l2")).unwrap();
    offer(&mut rig, 1, high("h2")).unwrap();
    assert!(first.is_deferred() && !direct.is_deferred());
    rig.drain(1);
    assert_eq!(payloads(&rig, 1), ["h1", "h2", "l1", "l2"]);
    // Admitted names the log's ticket before it ends, and the end names that.
    let (deferred, ticket, index) = rig.at(1).admitted[0];
    assert_eq!((deferred, index), (first, LogIndex(4)));
    assert!(!ticket.is_deferred());
    rig.deliver_all();
    let named = rig.applied(1).into_iter().find(|(at, _)| *at == 4).unwrap();
    assert_eq!(named, (4, Some(ticket.0)));
}

#[test]
fn what_a_settle_appends_is_told_with_the_next_step() {
    let mut rig = leading(|_| ());
    offer(&mut rig, 1, low("l")).unwrap();
    rig.at(1).slow_disk = true;
    rig.drain(1);
    let accepted = rig.step_only(1, Input::Tick).unwrap();
    assert!(accepted.changed.any(raft_core::Changed::LOG));
    assert_eq!(accepted.log_from, LogIndex(2));
    let accepted = rig.step_only(1, Input::Tick).unwrap();
    assert!(!accepted.changed.any(raft_core::Changed::LOG), "once");
}

#[test]
fn low_waits_for_company_by_time_and_by_count() {
    // S-39.
    let mut rig = leading(|o| {
        o.batch_delay_ns = 7 * MS;
        o.batch_max = 3;
    });
    offer(&mut rig, 1, low("a")).unwrap();
    rig.drain(1);
    assert_eq!(payloads(&rig, 1).len(), 0);
    assert_eq!(rig.node(1).deadline(), Some(rig.now.plus(7 * MS)));
    rig.tick(1);
    assert_eq!(payloads(&rig, 1), ["a"]);
    for payload in ["b", "c", "d"] {
        assert_eq!(payloads(&rig, 1).len(), 1);
        offer(&mut rig, 1, low(payload)).unwrap();
        rig.drain(1);
    }
    assert_eq!(payloads(&rig, 1), ["a", "b", "c", "d"], "three do not wait");
    assert!(rig.node(1).deadline().unwrap() > rig.now, "no deadline stays behind");
}

/// What a high proposal is told at each of many moments, with and without low ones before it.
fn highs(with_low: bool, change: fn(&mut Options)) -> Vec<Option<Rejected>> {
    let mut rig = leading(|o| {
        o.deferred_max = 3;
        change(o);
    });
    rig.at(1).slow_disk = true;
    rig.at(1).slow_apply = true;
    let mut told = Vec::new();
    for round in 0..12 {
        if with_low {
            while offer(&mut rig, 1, low("low")).is_ok() {}
            rig.drain(1);
        }
        told.push(rig.step(1, Input::Propose("high".into())).err());
        rig.deliver_all();
        if round == 6 {
            // Disk and machine catch up with all there is.
            rig.ack(1);
            rig.deliver_all();
            let commit = rig.node(1).commit();
            rig.step(1, Input::Applied(commit)).unwrap();
        }
    }
    told
}

#[test]
fn low_never_costs_high_its_place() {
    // 2.1.3(b): the same answers, whatever low ones there are.
    type Change = fn(&mut Options);
    let cases: [(Change, Rejected); 4] = [
        (|o| o.proposals_max = 4, Rejected::QueueFull),
        (|o| (o.tail_entries_max, o.append_entries_max) = (5, 5), Rejected::CommitStalled),
        (|o| (o.tail_bytes_max, o.entry_bytes_max) = (16, 8), Rejected::CommitStalled),
        (|o| o.apply_queue_entries_max = 4, Rejected::ApplyQueueFull),
    ];
    for (change, expected) in cases {
        let alone = highs(false, change);
        assert!(alone.contains(&Some(expected)), "{alone:?}: the bound is met");
        assert!(alone.contains(&None));
        assert_eq!(highs(true, change), alone, "{expected}");
    }
}

#[test]
fn counters_are_what_is_pending_after_every_step() {
    // D-W9, 2.1.3(c): a random walk over every way in and out.
    let mut rig = leading(|o| {
        o.deferred_max = 4;
        o.proposals_max = 6;
        o.batch_delay_ns = 3 * MS;
        o.buffer_while_candidate = true;
    });
    let mut seed = 7_u64;
    let mut draw = |n: u64| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) % n
    };
    let (mut waiting, mut open, mut reigns) = (BTreeSet::new(), BTreeSet::new(), 0);
    for _ in 0..2_000 {
        let mut taken = |ticket: Result<Ticket, ProposeError>| match ticket {
            Ok(ticket) if ticket.is_deferred() => assert!(waiting.insert(ticket.0)),
            Ok(ticket) => assert!(open.insert(ticket.0)),
            Err(_) => {}
        };
        let deadline = (draw(3) == 0).then(|| rig.now.plus(draw(5) * MS));
        match draw(9) {
            0..=2 => taken(offer(&mut rig, 1, Proposal { deadline, ..low("l") })),
            3..=4 => taken(offer(&mut rig, 1, Proposal { deadline, ..high("h") })),
            5 => rig.pass(draw(4) * MS),
            6 => rig.drain(1),
            7 if draw(9) == 0 => {
                let _not_leading = rig.step(1, Input::StepDown);
                rig.lose_all();
            }
            7 => {
                rig.step(1, Input::Tick).unwrap();
            }
            _ if rig.node(1).role() != Role::Leader => {
                rig.expire(1);
                if draw(2) == 0 {
                    rig.deliver_all();
                    reigns += u64::from(rig.node(1).role() == Role::Leader);
                }
            }
            _ => rig.deliver_all(),
        }
        rig.drain(1);
        let server = rig.at(1);
        for (deferred, ticket, _) in server.admitted.drain(..) {
            assert!(waiting.remove(&deferred.0), "{deferred} is admitted once");
            assert!(open.insert(ticket.0));
        }
        let mut ended: Vec<u64> = Vec::new();
        for (first, count, _) in server.ends.drain(..) {
            ended.extend(first.0..first.0 + count);
        }
        for apply in server.applies.drain(..) {
            let first = apply.first_ticket.map(|ticket| ticket.0);
            ended.extend(first.into_iter().flat_map(|at| at..at + apply.entries.len()));
        }
        for ticket in ended {
            assert!(open.remove(&ticket) || waiting.remove(&ticket), "{ticket} ends once");
        }
        let queues = rig.node(1).queues();
        let counted = (queues.buffered + queues.deferred, queues.proposals);
        assert_eq!(counted, (waiting.len() as u64, open.len() as u64));
    }
    assert!(reigns > 5, "{reigns} reigns");
    if rig.node(1).role() != Role::Leader {
        rig.elect(1);
    }
    rig.run(2_000 * MS);
    let queues = rig.node(1).queues();
    assert_eq!((queues.buffered, queues.deferred, queues.proposals), (0, 0, 0));
    assert_eq!((queues.deferred_bytes, queues.unapplied_bytes), (0, 0));
}

#[test]
fn a_candidate_may_keep_proposals_and_appends_them_when_it_wins() {
    // S-42, 2.1.2(c).
    let mut options = plain();
    options.buffer_while_candidate = true;
    let mut rig = Rig::with(3, options);
    rig.expire(1);
    let kept = [
        offer(&mut rig, 1, low("l1")).unwrap(),
        offer(&mut rig, 1, high("h1")).unwrap(),
        rig.propose(1, "h2"),
    ];
    assert!(kept.iter().all(|ticket| ticket.is_deferred()));
    assert_eq!(rig.node(1).queues().buffered, 2);
    rig.deliver_all();
    assert_eq!(payloads(&rig, 1), ["h1", "h2", "l1"]);
    assert_eq!((rig.commit(1), rig.at(1).admitted.len()), (4, 3));
}

#[test]
fn a_lost_election_refuses_what_was_kept() {
    // 2.1.2(c): definite, and never in a log.
    let mut options = plain();
    options.buffer_while_candidate = true;
    let mut rig = Rig::with(3, options);
    rig.expire(1);
    let ticket = offer(&mut rig, 1, high("h")).unwrap();
    let second = offer(&mut rig, 1, low("l")).unwrap();
    rig.tell(2, 1, 1, append((0, 0), &[1], 1, 1)).unwrap();
    let lost = Outcome::Refused(DeferredRefusal::ElectionLost);
    assert_eq!(rig.at(1).ends, [(ticket, 2, lost)]);
    assert_eq!(second.0, ticket.0 + 1);
    assert_eq!(rig.log(1), [1]);
}

#[test]
fn a_lost_reign_refuses_what_was_not_appended() {
    // 2.1.6(a).
    let mut rig = leading(|o| o.batch_delay_ns = 7 * MS);
    let waits = offer(&mut rig, 1, low("l")).unwrap();
    let appended = rig.propose(1, "h");
    rig.tell(2, 1, 9, append((0, 0), &[], 0, 1)).unwrap();
    let lost = Outcome::Refused(DeferredRefusal::NotLeader);
    assert_eq!(rig.at(1).ends, [(waits, 1, lost)], "the appended {appended} stays open");
    assert_eq!(rig.node(1).queues().proposals, 1);
}

#[test]
fn a_deadline_drops_what_is_not_appended_and_nothing_else() {
    // S-53.
    let mut rig = leading(|o| o.batch_delay_ns = 20 * MS);
    let at = rig.now.plus(5 * MS);
    let dropped = offer(&mut rig, 1, Proposal { deadline: Some(at), ..low("l") }).unwrap();
    let appended = offer(&mut rig, 1, Proposal { deadline: Some(at), ..high("h") }).unwrap();
    offer(&mut rig, 1, low("stays")).unwrap();
    rig.drain(1);
    assert_eq!(rig.node(1).deadline(), Some(at));
    rig.tick(1);
    let late = Outcome::Refused(DeferredRefusal::DeadlinePassed);
    assert_eq!(rig.at(1).ends, [(dropped, 1, late)]);
    rig.run(30 * MS);
    assert_eq!(payloads(&rig, 1), ["h", "stays"]);
    assert_eq!(rig.at(1).ends.len(), 1, "{appended} was applied");
    // One that is due is dropped even if the tick comes late.
    rig.step(1, Input::Capacity(Capacity::All)).unwrap();
    let at = rig.now.plus(5 * MS);
    let dropped = offer(&mut rig, 1, Proposal { deadline: Some(at), ..low("x") }).unwrap();
    rig.pass(50 * MS);
    rig.step(1, Input::Read).unwrap();
    assert_eq!(rig.at(1).ends.last(), Some(&(dropped, 1, late)));
}

#[test]
fn shutdown_ends_everything_once_with_the_right_kind() {
    // S-19.
    let mut rig = leading(|o| o.batch_delay_ns = 7 * MS);
    rig.at(1).slow_disk = true;
    let waits = offer(&mut rig, 1, low("l")).unwrap();
    let open = rig.propose(1, "h");
    let read = rig.read(1);
    let now = rig.now;
    let operation = rig.at(1).node.disable(now, 1).unwrap();
    rig.step(1, Input::Shutdown).unwrap();
    rig.step(1, Input::Shutdown).unwrap_err();
    let server = rig.at(1);
    let unknown = Outcome::Unknown(UnknownReason::Shutdown);
    let lost = Outcome::Refused(DeferredRefusal::NotLeader);
    assert_eq!(server.ends, [(waits, 1, lost), (open, 1, unknown)]);
    assert_eq!(server.failed_reads.iter().map(|(r, _)| *r).collect::<Vec<_>>(), [read]);
    let failure = raft_core::OperationFailure::Unknown(UnknownReason::Shutdown);
    assert_eq!(server.operations, [(operation, Err(failure))]);
    assert_eq!(server.halted, Some(HaltReason::Shutdown));
    // And without a change of role before.
    let mut rig = leading(|o| o.batch_delay_ns = 7 * MS);
    let waits = offer(&mut rig, 1, low("l")).unwrap();
    rig.step(1, Input::Shutdown).unwrap();
    assert_eq!(rig.at(1).ends, [(waits, 1, Outcome::Refused(DeferredRefusal::Halted))]);
}

#[test]
fn a_full_store_never_halves_what_a_leader_sends() {
    // D-W8: after every step the log is what is on disk and what open writes will put there.
    for slow in [false, true] {
        let mut rig = Rig::new(3);
        rig.begin(1, 2, None, &[1, 1, 2, 2]);
        rig.at(1).slow_disk = slow;
        rig.step(1, Input::Capacity(Capacity::None)).unwrap();
        rig.tell(2, 1, 3, append((1, 2), &[3, 3], 0, 1)).unwrap();
        assert_eq!(rig.log(1), [1, 1, 3, 3]);
        rig.tell(2, 1, 3, append((3, 4), &[3], 5, 2)).unwrap();
        let mut disk = rig.at(1).disk.clone();
        for (write, _) in rig.at(1).open.clone() {
            disk.publish(&write);
        }
        let terms: Vec<u64> = disk.log.iter().map(|(p, _)| p.term.0).collect();
        assert_eq!(terms, rig.log(1));
    }
}

#[test]
fn a_label_goes_on_through_entries_without_one_and_over_changes_of_leader() {
    // S-04.
    let mut rig = leading(|_| ());
    assert_eq!(rig.node(1).last_label(), Some(0));
    offer(&mut rig, 1, Proposal { label: 41, ..high("a") }).unwrap();
    offer(&mut rig, 1, high("b")).unwrap();
    offer(&mut rig, 1, Proposal { label: 42, ..low("c") }).unwrap();
    rig.drain(1);
    rig.deliver_all();
    let labels =
        |rig: &Rig, id| rig.node(id).entries_from(LogIndex(1)).map(|(_, e)| e.label).collect();
    let all: Vec<u64> = labels(&rig, 2);
    assert_eq!(all, [0, 41, 41, 42]);
    rig.run(100 * MS);
    rig.crash(1, 0);
    rig.elect_among(2, &[2, 3]);
    assert_eq!(rig.node(2).last_label(), Some(42), "its no-op carries the label on");
    // And over a restart, and a cut.
    rig.restart(1);
    assert_eq!(rig.node(1).last_label(), Some(42));
    let mut rig = Rig::new(3);
    rig.begin(1, 1, None, &[1, 1]);
    rig.at(1).disk.log[0].1.label = 5;
    rig.restart(1);
    assert_eq!(rig.node(1).last_label(), Some(0));
    rig.tell(2, 1, 3, append((0, 0), &[2], 0, 1)).unwrap();
    assert_eq!(rig.node(1).last_label(), Some(0), "the leader's, not the one cut off");
}

#[test]
fn plain_proposals_wait_too_where_a_candidate_keeps_them() {
    let mut options = plain();
    options.buffer_while_candidate = true;
    options.deferred_max = 1;
    let mut rig = Rig::with(3, options);
    rig.expire(1);
    let accepted = rig.step(1, Input::Propose("x".into())).unwrap();
    assert!(matches!(accepted.issued, Issued::Deferred(ticket) if ticket.is_deferred()));
    assert_eq!(rig.step(1, Input::Propose("y".into())), Err(Rejected::QueueFull));
    let full = ProposeError::QueueFull { priority: Priority::High };
    assert_eq!(offer(&mut rig, 1, high("y")), Err(full));
    offer(&mut rig, 1, low("z")).expect("the other queue is not full");
}

// ---- silence -------------------------------------------------------------------------------

/// n1 leads; n3 is cut off.
fn with_a_dead_peer() -> Rig {
    let mut rig = leading(|o| {
        o.heartbeat_ns = 10 * MS;
        o.election_min_ns = 100 * MS;
        o.request_timeout_ns = 50 * MS;
    });
    rig.crash(3, 0);
    rig
}

/// What is sent to n3 at each of `beats` heartbeats, while n2 answers everything.
fn sent_to_the_dead(rig: &mut Rig, beats: u64) -> Vec<usize> {
    let mut sent = Vec::new();
    for _ in 0..beats {
        rig.pass(10 * MS);
        rig.step(1, Input::Tick).unwrap();
        let to_three = rig.take(|e| e.to.0 == 3);
        let entries = |e: &raft_core::Envelope| as_append(&e.message).entries.len();
        assert!(to_three.iter().all(|e| entries(e) <= 1));
        sent.push(to_three.len());
        rig.deliver_among(&[1, 2]);
    }
    sent
}

#[test]
fn a_peer_that_does_not_answer_is_sent_one_small_probe_at_growing_distances() {
    // S-40.
    let mut rig = with_a_dead_peer();
    rig.propose(1, "x");
    rig.deliver_among(&[1, 2]);
    let early = sent_to_the_dead(&mut rig, 4);
    assert_eq!(early, [1, 1, 1, 1], "heartbeats, and nothing is repeated");
    let late = sent_to_the_dead(&mut rig, 40);
    assert!(late.iter().all(|n| *n <= 1));
    let gaps: Vec<usize> = late.split(|n| *n == 1).map(<[usize]>::len).collect();
    assert_eq!(gaps[..6], [0, 0, 1, 3, 7, 8], "{late:?}: up to one short of an election timeout");
    let peer = rig.node(1).peers().find(|p| p.peer.0 == 3).unwrap();
    assert!(peer.silent);
    assert_eq!((peer.inflight, peer.inflight_bytes), (0, 0));
}

#[test]
fn a_dead_peer_costs_no_memory() {
    let mut rig = with_a_dead_peer();
    sent_to_the_dead(&mut rig, 10);
    for _ in 0..500 {
        rig.propose(1, "xxxxxxxxxxxxxxxx");
        assert_eq!(rig.take(|e| e.to.0 == 3).len(), 0, "nothing is streamed into the void");
        rig.deliver_among(&[1, 2]);
    }
    let peer = rig.node(1).peers().find(|p| p.peer.0 == 3).unwrap();
    assert_eq!((peer.inflight, peer.inflight_bytes), (0, 0));
    assert_eq!(rig.commit(1), 501);
}

#[test]
fn the_first_word_of_a_silent_peer_is_answered_at_once() {
    // S-35, and back to streaming.
    let mut rig = with_a_dead_peer();
    sent_to_the_dead(&mut rig, 30);
    rig.propose(1, "x");
    rig.lose_all();
    rig.restart(3);
    let term = rig.node(1).term().0;
    rig.tell(3, 1, term, stale_term()).unwrap_err();
    assert_eq!(rig.take(|e| e.to.0 == 3).len(), 0, "a refused word says nothing");
    rig.tell(3, 1, term, pre_vote(3, 1, term, (0, 0))).unwrap();
    let probe: Vec<_> = rig.take(|e| e.to.0 == 3 && is_append(e));
    assert_eq!(probe.len(), 1);
    for envelope in probe {
        rig.receive(envelope).unwrap();
    }
    rig.deliver_all();
    assert_eq!(rig.log(3), rig.log(1));
    assert!(!rig.node(1).peers().any(|peer| peer.silent));
}

#[test]
fn a_transport_that_knows_better_stops_the_stream() {
    let mut rig = led();
    rig.lose_all();
    rig.step(1, Input::Unreachable(NodeId(3))).unwrap();
    rig.propose(1, "x");
    assert_eq!(rig.take(|e| e.to.0 == 3).len(), 0);
    assert_eq!(rig.step(1, Input::Unreachable(NodeId(9))), Err(Rejected::UnknownSender));
    rig.step(2, Input::Unreachable(NodeId(3))).unwrap();
    rig.run(200 * MS);
    assert_eq!(rig.commit(3), 2, "it was reachable after all");
}
