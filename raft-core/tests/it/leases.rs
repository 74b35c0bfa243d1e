//! Leases (thesis §6.4.1, semantics 2.2.3) and the promises they stand on.
//!
//! **Intuition.** Set up, act, check.
//! **Source.** Thesis §6.4.1; D-W5, D-W6, D-W17, D-R5, D-R7; B-079 to B-083.
//! **Upholds.** `inv:lease-bound`, `inv:read-freshness`.
//! **Not here.** The other read levels (`read_levels.rs`), clocks that drift (`lease_storm.rs`).

use raft_core::{
    AppendReply, AppendResult, CampaignError, Configuration, ConfigurationParts, Entry, EntryKind,
    Envelope, Input, Instant, LogIndex, Message, NoLease, NodeId, Options, ReadError, ReadLevel,
    ReadRequest, Rejected, Role, Term, TransferRequest,
};

use crate::rig::*;

const LEASE: ReadRequest =
    ReadRequest { level: ReadLevel::Lease, min_index: LogIndex::ZERO, deadline: None };

/// Leases on, clocks taken as perfect: then a lease is as long as the promise.
fn leased() -> Options {
    with(|o| {
        o.lease = true;
        o.clock_error_ppm = 0;
    })
}

/// Three nodes with leases, n1 leads; everything that was under way is lost.
fn led() -> Rig {
    let mut rig = Rig::with(3, leased());
    rig.elect(1);
    rig.run(60 * MS);
    rig.lose_all();
    rig
}

fn lease(rig: &Rig, id: u64) -> Result<Instant, NoLease> {
    rig.node(id).lease()
}

/// An answer to `round` that states `promise_ns`.
fn promised(matched: u64, round: u64, promise_ns: u64) -> Message {
    let result = AppendResult::Matched { matched: LogIndex(matched) };
    Message::AppendReply(AppendReply { round, result, promise_ns, ..AppendReply::default() })
}

/// Begins a heartbeat round at n1 and returns its number and when it began; nothing arrives.
fn begin_round(rig: &mut Rig) -> (u64, Instant) {
    rig.tick(1);
    let sent = rig.sent_by(1);
    let append = sent.iter().find(|e| is_append(e)).expect("a heartbeat");
    (as_append(&append.message).round, rig.now)
}

#[test]
fn t_6_4_1_01_a_lease_ends_exactly_at_its_bound() {
    // B-080: judged at the read, not at the next tick.
    let mut rig = led();
    let (round, began) = begin_round(&mut rig);
    rig.pass(30 * MS);
    rig.tell(2, 1, 1, promised(1, round, 150 * MS)).unwrap();
    let until = began.plus(150 * MS);
    assert_eq!(lease(&rig, 1), Ok(until));
    rig.now = Instant(until.0 - 1);
    rig.step(1, Input::ReadWith(LEASE)).unwrap();
    assert_eq!(rig.at(1).ready.len(), 1);
    assert_eq!(rig.at(1).freshness, [(ReadLevel::Lease, Some(0))]);
    assert!(rig.take(is_append).iter().all(|e| as_append(&e.message).round <= round + 4));
    rig.now = until;
    assert_eq!(rig.step(1, Input::ReadWith(LEASE)), Err(Rejected::LeaseUnavailable));
    let now = rig.now;
    let expired = ReadError::LeaseUnavailable(NoLease::Expired { at: until });
    assert_eq!(rig.at(1).node.read_with(now, LEASE), Err(expired));
    assert_eq!(rig.node(1).status().lease, Err(NoLease::Expired { at: until }));
}

#[test]
fn t_6_4_1_02_a_late_answer_does_not_prolong_a_lease() {
    // D-W6: from sending, not from arriving.
    let mut rig = led();
    let (round, began) = begin_round(&mut rig);
    rig.pass(151 * MS);
    rig.tell(2, 1, 1, promised(1, round, 150 * MS)).unwrap();
    assert_eq!(lease(&rig, 1), Err(NoLease::Expired { at: began.plus(150 * MS) }));
    // An answer of another term is none.
    let mut rig = led();
    let (round, _) = begin_round(&mut rig);
    let before = lease(&rig, 1);
    assert_eq!(rig.tell(2, 1, 0, promised(1, round, 150 * MS)), Err(Rejected::Malformed));
    assert_eq!(lease(&rig, 1), before);
}

#[test]
fn leases_are_off_by_default() {
    let mut rig = Rig::with(3, Options::default());
    rig.elect(1);
    rig.run(60 * MS);
    assert_eq!(lease(&rig, 1), Err(NoLease::SwitchedOff));
    assert_eq!(rig.step(1, Input::ReadWith(LEASE)), Err(Rejected::LeaseUnavailable));
    assert_eq!(lease(&rig, 2), Err(NoLease::NotLeader));
    assert_eq!(rig.step(2, Input::ReadWith(LEASE)), Err(Rejected::NotLeader));
    // And nobody states a promise that an operator may break.
    rig.tick(1);
    rig.deliver(|e| e.from.0 == 1);
    for envelope in rig.take(|e| e.to.0 == 1) {
        assert_eq!(as_reply(&envelope.message).promise_ns, 0);
    }
}

#[test]
fn a_lease_needs_an_entry_of_the_own_term() {
    // D-R5, D-Z5: answers that refuse feed it and are not enough.
    let mut rig = Rig::with(3, leased());
    rig.begin(1, 3, None, &[1, 3]);
    rig.expire(1);
    let asked = rig.take(|e| matches!(e.message, Message::PreVote(_)));
    let Message::PreVote(ask) = asked[0].message else { unreachable!("just filtered") };
    rig.tell(2, 1, 3, pre_vote_reply(ask.round, true)).unwrap();
    rig.tell(2, 1, 4, vote(true)).unwrap();
    rig.lose_all();
    let result = AppendResult::Refused { previous: LogIndex(2), hint: at(1, 1) };
    let answer = AppendReply { round: 1, result, promise_ns: 150 * MS, ..AppendReply::default() };
    rig.tell(2, 1, 4, Message::AppendReply(answer)).unwrap();
    assert_eq!(lease(&rig, 1), Err(NoLease::NothingCommitted));
    rig.tell(2, 1, 4, promised(3, 1, 150 * MS)).unwrap();
    assert!(lease(&rig, 1).is_ok());
}

#[test]
fn the_quorums_shortest_promise_counts_and_clock_errors_shorten_it() {
    // D-R7: the margin is the leader's alone.
    let mut rig = Rig::with(5, with(|o| (o.lease, o.clock_error_ppm) = (true, 100_000)));
    rig.elect(1);
    rig.run(400 * MS);
    rig.lose_all();
    rig.pass(140 * MS);
    rig.step(1, Input::Tick).unwrap();
    let round = as_append(&rig.take(is_append)[0].message).round;
    let began = rig.now;
    rig.tell(2, 1, 1, promised(1, round, 220 * MS)).unwrap();
    assert!(lease(&rig, 1).is_err(), "two of five");
    rig.tell(3, 1, 1, promised(1, round, 110 * MS)).unwrap();
    assert_eq!(lease(&rig, 1), Ok(began.plus(90 * MS)), "110 * 0.9 / 1.1");
    rig.tell(4, 1, 1, promised(1, round, 165 * MS)).unwrap();
    assert_eq!(lease(&rig, 1), Ok(began.plus(135 * MS)), "the shorter one is not needed now");
    rig.tell(5, 1, 1, promised(1, round, 0)).unwrap();
    assert_eq!(lease(&rig, 1), Ok(began.plus(135 * MS)), "who promises nothing adds nothing");
}

#[test]
fn while_joint_both_halves_must_have_promised() {
    // 2.2.3(e), and learners never count.
    let mut rig = Rig::with(6, leased());
    let nodes = |ids: &[u64]| ids.iter().copied().map(NodeId).collect::<Vec<_>>();
    rig.voters = Configuration::from_parts(ConfigurationParts {
        voters: nodes(&[1, 2, 3]),
        outgoing: nodes(&[1, 4, 5]),
        learners: nodes(&[6]),
        explicit_leave: true,
        ..ConfigurationParts::default()
    })
    .unwrap();
    for id in rig.ids() {
        rig.restart(id);
    }
    rig.elect(1);
    rig.lose_all();
    rig.pass(150 * MS);
    rig.step(1, Input::Tick).unwrap();
    let (round, began) = (as_append(&rig.take(is_append)[0].message).round, rig.now);
    for peer in [2, 3, 6] {
        rig.tell(peer, 1, 1, promised(1, round, 150 * MS)).unwrap();
        assert!(lease(&rig, 1).is_err(), "nobody of the old half");
    }
    rig.tell(4, 1, 1, promised(1, round, 120 * MS)).unwrap();
    assert_eq!(lease(&rig, 1), Ok(began.plus(120 * MS)));
}

#[test]
fn a_sole_voter_always_has_its_lease() {
    let mut rig = Rig::with(1, leased());
    rig.expire(1);
    assert_eq!(lease(&rig, 1), Ok(Instant(u64::MAX)));
    rig.step(1, Input::ReadWith(LEASE)).unwrap();
    assert_eq!(rig.at(1).ready.len(), 1);
}

#[test]
fn nodes_that_hold_nothing_are_no_evidence() {
    // D-W6, 2.2.3(e): neither for a lease nor for check-quorum.
    let mut rig = led();
    let start = rig.now;
    while rig.office(1).0 == Role::Leader {
        assert!(rig.now.since(start) <= 400 * MS, "it steps down");
        rig.tick(1);
        let sent = rig.sent_by(1);
        let round = sent.iter().filter(|e| is_append(e)).map(|e| as_append(&e.message).round).max();
        for peer in [2, 3] {
            let round = round.unwrap_or_default();
            let result = AppendResult::NeedSnapshot;
            let promise_ns = 150 * MS;
            let answer = AppendReply { round, result, promise_ns, ..AppendReply::default() };
            let _gone = rig.tell(peer, 1, 1, Message::AppendReply(answer));
        }
        if rig.now.since(start) >= 150 * MS {
            assert!(lease(&rig, 1).is_err());
        }
    }
}

#[test]
fn b_083_a_clock_that_goes_back_voids_the_lease() {
    let mut rig = led();
    rig.tick(1);
    rig.deliver_all();
    assert!(lease(&rig, 1).is_ok());
    let high = rig.now;
    rig.now = Instant(high.0 - 20 * MS);
    rig.step(1, Input::Tick).unwrap();
    assert_eq!(lease(&rig, 1), Err(NoLease::ClockWentBack));
    assert_eq!(rig.step(1, Input::ReadWith(LEASE)), Err(Rejected::LeaseUnavailable));
    // A round begun meanwhile began at nobody knows what time.
    rig.step(1, Input::Read).unwrap();
    rig.now = high;
    rig.deliver_all();
    assert_eq!(lease(&rig, 1), Err(NoLease::NotEarned));
    assert_eq!(rig.at(1).ready.len(), 1, "an ordinary read does not mind");
    rig.tick(1);
    rig.deliver_all();
    assert!(lease(&rig, 1).is_ok(), "and it is earned anew");
    assert!(rig.node(1).status().clock_regressions > 0);
}

#[test]
fn a_refused_input_of_an_older_time_leaves_the_lease_as_it_is() {
    // Two threads of a driver read the clock and step in the other order; one brings garbage.
    let mut rig = led();
    rig.tick(1);
    rig.deliver_all();
    let until = lease(&rig, 1).unwrap();
    let high = rig.now;
    let garbage = [
        Input::Receive(Box::new(envelope(9, 1, 1, vote(true)))),
        Input::Receive(Box::new(envelope(2, 1, 1, matched(99, 1)))),
        Input::Applied(LogIndex(99)),
        Input::Enable,
    ];
    for input in garbage {
        rig.now = Instant(high.0 - MS);
        rig.step(1, input).unwrap_err();
        rig.now = high;
        rig.step(1, Input::Tick).unwrap();
        assert_eq!(lease(&rig, 1), Ok(until));
        rig.step(1, Input::ReadWith(LEASE)).unwrap();
    }
    assert_eq!(rig.node(1).status().clock_regressions, 4, "it is counted all the same");
    // Whoever asked for the lease by that clock was told no, and is not told yes for asking again.
    rig.now = Instant(high.0 - MS);
    assert_eq!(rig.step(1, Input::ReadWith(LEASE)), Err(Rejected::LeaseUnavailable));
    rig.now = high;
    rig.step(1, Input::Tick).unwrap();
    assert_eq!(lease(&rig, 1), Err(NoLease::NotEarned));
}

#[test]
fn b_082_there_is_no_lease_while_leadership_is_handed_over() {
    let mut rig = led();
    rig.tick(1);
    rig.deliver_all();
    assert!(lease(&rig, 1).is_ok());
    let request = TransferRequest { to: Some(NodeId(2)), replace: false };
    rig.step(1, Input::TransferLeader(request)).unwrap();
    assert_eq!(lease(&rig, 1), Err(NoLease::Transferring { to: NodeId(2) }));
    assert_eq!(rig.step(1, Input::ReadWith(LEASE)), Err(Rejected::Transferring));
}

/// A transfer to n2 that was given up: its `TimeoutNow` is in our hands, n2 has heard nothing.
fn given_up() -> (Rig, Envelope) {
    let mut rig = led();
    let request = TransferRequest { to: Some(NodeId(2)), replace: false };
    rig.step(1, Input::TransferLeader(request)).unwrap();
    let late = rig.take(|e| matches!(e.message, Message::TimeoutNow(_))).remove(0);
    while rig.node(1).transfer_status().is_some() {
        rig.tick(1);
        if rig.node(1).transfer_status().is_some() {
            rig.deliver_among(&[1, 3]);
        }
    }
    (rig, late)
}

#[test]
fn d_w17_a_transfer_given_up_keeps_the_lease_away_until_its_target_says_so() {
    let (mut rig, late) = given_up();
    for _ in 0..20 {
        rig.tick(1);
        rig.deliver_among(&[1, 3]);
    }
    let alive = Err(NoLease::TransferAlive { to: NodeId(2) });
    assert_eq!(lease(&rig, 1), alive, "a fresh quorum is not enough");
    // It arrives: the target wins past the promises of n3, and n1 has served nothing by lease.
    let mut other = given_up().0;
    other.lose_all();
    other.receive(late.clone()).unwrap();
    other.deliver_among(&[2, 3]);
    assert_eq!((other.office(2).0, other.office(1).0), (Role::Leader, Role::Leader));
    assert!(lease(&other, 1).is_err());
    // The target hears of it, with the next probe of a peer that was silent: the lease is back, and
    // the message does nothing.
    for _ in 0..40 {
        rig.tick(1);
        rig.deliver_all();
    }
    assert!(lease(&rig, 1).is_ok(), "{:?}", lease(&rig, 1));
    assert_eq!(rig.receive(late), Err(Rejected::Stale));
    assert_eq!(rig.office(2), (Role::Follower, 1, Some(1)));
}

#[test]
fn a_restart_of_the_target_does_not_revive_a_void_transfer() {
    // Ours: what it was told is gone from its memory, and an old heartbeat may come first.
    let (mut rig, late) = given_up();
    let old_heartbeat = envelope(1, 2, 1, append((1, 1), &[], 1, 1));
    rig.tick(1);
    rig.deliver_all();
    assert!(lease(&rig, 1).is_ok());
    rig.crash(2, 0);
    rig.restart(2);
    rig.receive(old_heartbeat).unwrap();
    rig.receive(late).unwrap();
    assert_eq!(rig.office(2).0, Role::Follower, "its log goes on past where the message says");
    // A refusal is memory too: the lease waits for the longer log.
    let mut rig = led();
    rig.step(2, Input::SetEligibility { priority: 10, can_lead: false }).unwrap();
    let request = TransferRequest { to: Some(NodeId(2)), replace: false };
    rig.step(1, Input::TransferLeader(request)).unwrap();
    let doubled = rig.take(|e| matches!(e.message, Message::TimeoutNow(_))).remove(0);
    rig.receive(doubled.clone()).unwrap();
    rig.deliver(|e| matches!(e.message, Message::TransferRefused(_)));
    assert_eq!(rig.node(1).transfer_status(), None);
    assert_eq!(lease(&rig, 1), Err(NoLease::TransferAlive { to: NodeId(2) }));
    rig.deliver_all();
    rig.tick(1);
    rig.deliver_all();
    assert!(lease(&rig, 1).is_ok());
    rig.crash(2, 0);
    rig.restart(2);
    rig.receive(envelope(1, 2, 1, append((1, 1), &[], 1, 1))).unwrap();
    rig.receive(doubled).unwrap();
    assert_eq!(rig.office(2).0, Role::Follower);
}

#[test]
fn the_entry_that_ends_a_transfer_is_nobodys_proposal() {
    let (mut rig, _) = given_up();
    let first = rig.propose(1, "x");
    rig.run(60 * MS);
    let kinds: Vec<_> =
        rig.node(1).entries_from(LogIndex(1)).map(|(_, entry)| entry.kind).collect();
    assert_eq!(kinds, [EntryKind::NOOP, EntryKind::NOOP, EntryKind::COMMAND]);
    assert_eq!(rig.applied(1), [(1, None), (2, None), (3, Some(first.0))]);
    assert_eq!(rig.at(1).ends, []);
}

#[test]
fn a_promise_outlives_shorter_settings() {
    // 2.2.3(c): the promise given is the promise kept.
    let mut rig = Rig::with(3, leased());
    let mut shorter = Options::default();
    (shorter.lease, shorter.election_min_ns, shorter.heartbeat_ns) = (true, 20 * MS, 5 * MS);
    let payload = shorter.settings().encode();
    let settings = Entry { kind: EntryKind::SETTINGS, payload, ..Entry::default() };
    let entries = raft_core::Entries::collect([(at(1, 1), settings)]).unwrap();
    let mut message = append((0, 0), &[], 1, 1);
    if let Message::AppendEntries(append) = &mut message {
        append.entries = entries;
    }
    rig.tell(2, 1, 1, message).unwrap();
    assert_eq!(as_reply(&rig.only_reply(1)).promise_ns, 150 * MS);
    assert_eq!(rig.node(1).options().election_min_ns, 20 * MS, "in force by commit");
    rig.pass(149 * MS);
    assert_eq!(rig.tell(3, 1, 2, request_vote(1, 9)), Err(Rejected::LeaderAlive));
    rig.pass(MS);
    rig.tell(3, 1, 2, request_vote(1, 9)).unwrap();
    // From the next heartbeat on the shorter one is given and stated.
    let mut rig = Rig::with(3, leased());
    rig.tell(2, 1, 1, append((0, 0), &[], 0, 1)).unwrap();
    rig.lose_all();
    assert_eq!(rig.at(1).disk.hard.promise_ns, 150 * MS);
}

#[test]
fn switching_leases_off_frees_nobody_from_what_was_stated() {
    // 2.2.3(d): they may be on again before the promise is over, and the leader remembers it.
    let mut rig = Rig::with(3, leased());
    rig.tell(2, 1, 1, append((0, 0), &[], 0, 1)).unwrap();
    rig.lose_all();
    rig.pass(20 * MS);
    let payload = Options::default().settings().encode();
    let settings = Entry { kind: EntryKind::SETTINGS, payload, ..Entry::default() };
    let mut message = append((0, 0), &[], 1, 2);
    if let Message::AppendEntries(append) = &mut message {
        append.entries = raft_core::Entries::collect([(at(1, 1), settings)]).unwrap();
    }
    // This answer still states a promise: it was heard before the entry in it was committed.
    let until = rig.now.plus(150 * MS);
    rig.tell(2, 1, 1, message).unwrap();
    assert!(!rig.node(1).options().lease, "in force by commit");
    // Heard since: as quiet as before, but nobody builds on it.
    rig.pass(140 * MS);
    rig.tell(2, 1, 1, append((1, 1), &[], 1, 3)).unwrap();
    assert_eq!(as_reply(&rig.sent_by(1).last().unwrap().message).promise_ns, 0);
    let now = rig.now;
    let node = &mut rig.at(1).node;
    assert_eq!(node.forget_leader(now), Err(CampaignError::LeaseHeld { until }));
    assert_eq!(node.campaign(now, Term(0)), Err(CampaignError::LeaseHeld { until }));
    rig.now = until;
    rig.step(1, Input::ForgetLeader).unwrap();
    rig.step(1, Input::Campaign { min_term: Term(0) }).unwrap();
}

#[test]
fn a_promise_is_stated_only_when_it_is_on_disk() {
    let mut rig = Rig::with(3, leased());
    rig.at(1).slow_disk = true;
    rig.tell(2, 1, 1, append((0, 0), &[], 0, 1)).unwrap();
    assert_eq!(rig.net.len(), 0);
    rig.ack(1);
    assert_eq!(as_reply(&rig.only_reply(1)).promise_ns, 150 * MS);
    assert_eq!(rig.at(1).disk.hard.promise_ns, 150 * MS);
}

#[test]
fn d_w5_a_restarted_voter_keeps_the_promise_it_may_have_given() {
    // B-081, as a story: the lease holder is cut off from n2, n3 restarts, n2 campaigns.
    let mut rig = led();
    rig.tick(1);
    rig.deliver_all();
    let until = lease(&rig, 1).unwrap();
    rig.crash(3, 0);
    rig.restart(3);
    while rig.now < until {
        rig.pass(MS);
        for id in [2, 3] {
            rig.step(id, Input::Tick).unwrap();
        }
        rig.deliver_among(&[2, 3]);
        if rig.now < until {
            assert!(rig.office(2).0 != Role::Leader && rig.office(3).0 != Role::Leader);
        }
    }
    rig.run(1_000 * MS);
    assert!(rig.ids().iter().any(|id| rig.office(*id).0 == Role::Leader));
}

#[test]
fn a_voter_taken_into_another_term_keeps_its_promise() {
    // Ours: any message of a higher term is believed, and in the new term the vote is still free.
    let mut rig = led();
    rig.tick(1);
    rig.deliver_all();
    assert!(lease(&rig, 1).is_ok());
    rig.tell(2, 3, 5, vote(false)).unwrap();
    assert_eq!(rig.office(3), (Role::Follower, 5, None));
    assert_eq!(rig.tell(2, 3, 5, request_vote(1, 9)), Err(Rejected::LeaderAlive));
    rig.pass(150 * MS);
    rig.tell(2, 3, 5, request_vote(1, 9)).unwrap();
    assert_eq!(rig.office(3), (Role::Follower, 5, Some(2)));
}

#[test]
fn no_request_shortens_a_promise() {
    // 2.2.3(d).
    let mut rig = led();
    rig.tick(1);
    rig.deliver_all();
    let until = rig.now.plus(150 * MS);
    let now = rig.now;
    let node = &mut rig.at(3).node;
    assert_eq!(node.campaign(now, Term(0)), Err(CampaignError::LeaseHeld { until }));
    assert_eq!(node.forget_leader(now), Err(CampaignError::LeaseHeld { until }));
    let ask = Input::Campaign { min_term: Term(0) };
    assert_eq!(rig.step(3, ask.clone()), Err(Rejected::LeaseHeld));
    assert_eq!(rig.step(3, Input::ForgetLeader), Err(Rejected::LeaseHeld));
    assert_eq!(rig.node(3).leader_hint(), Some(NodeId(1)));
    rig.now = until;
    rig.step(3, Input::ForgetLeader).unwrap();
    rig.step(3, ask.clone()).unwrap();
    // After a restart nobody knows whether leases were on.
    let mut rig = Rig::with(3, Options::default());
    rig.at(3).disk.hard.promise_ns = 90 * MS;
    rig.restart(3);
    assert_eq!(rig.step(3, ask.clone()), Err(Rejected::LeaseHeld));
    rig.pass(90 * MS);
    rig.step(3, ask.clone()).unwrap();
    // A sole voter promised nobody.
    let mut rig = Rig::with(1, leased());
    rig.at(1).disk.hard.promise_ns = 90 * MS;
    rig.restart(1);
    rig.step(1, ask).unwrap();
    assert_eq!(rig.office(1).0, Role::Leader);
}
