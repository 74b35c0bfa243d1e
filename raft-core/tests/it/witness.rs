//! Witnesses: votes without data.
//!
//! **Intuition.** Set up, act, check: n1 and n2 hold data, n3 does not, unless said otherwise.
//! **Source.** SEEDS 2.9.8, S-84; B-074, D-W14.
//! **Upholds.** `inv:committed-durable`, `inv:log-matching`, `inv:leader-completeness`.
//! **Not here.** Digests and what a stub keeps (`config/witness.rs`).

use raft_core::{
    AppendReply, AppendResult, ChangeError, ConfigAction, EntryKind, Incarnation, Input, Lifecycle,
    Membership, Message, NodeId, Options, ProgressState, Rejected, Role,
};

use crate::{membership::*, rig::*};

fn to_witness(node: u64) -> ConfigAction {
    ConfigAction::ToWitness { node: NodeId(node) }
}

fn add_witness(node: u64) -> ConfigAction {
    ConfigAction::AddVoter { node: NodeId(node), incarnation: Incarnation(0), witness: true }
}

/// n1 and n2 found the group; n3 joins as a witness and votes.
fn with_witness(options: Options) -> Rig {
    let mut rig = Rig::joined_by(2, 2, options);
    rig.elect_among(1, &[1, 2]);
    rig.propose(1, "before");
    rig.run(60 * MS);
    rig.carry(1, add_witness(3));
    assert_eq!(rig.voters_at(3).0, [1, 2, 3]);
    rig
}

/// The kinds in a node's log on disk.
fn kinds(rig: &mut Rig, id: u64) -> Vec<EntryKind> {
    rig.at(id).disk.log.iter().map(|(_, entry)| entry.kind).collect()
}

#[test]
fn s_84_a_witness_holds_places_and_digests_and_marks_in_full() {
    let mut rig = with_witness(plain());
    rig.propose(1, "x");
    rig.run(100 * MS);
    let stub = EntryKind(EntryKind::COMMAND.0 | EntryKind::STUB);
    let (noop, configuration) = (EntryKind::NOOP, EntryKind::CONFIGURATION);
    assert_eq!(kinds(&mut rig, 3), [noop, stub, configuration, configuration, stub]);
    assert_eq!(kinds(&mut rig, 2)[1], EntryKind::COMMAND, "data voters share the leader's runs");
    let payloads: Vec<usize> = rig
        .at(3)
        .disk
        .log
        .iter()
        .filter(|(_, e)| e.kind == stub)
        .map(|(_, e)| e.payload.len())
        .collect();
    assert_eq!(payloads, [8, 8]);
    assert_eq!(rig.log(3), rig.log(1));
    assert_eq!(rig.node(3).membership(), Membership::Witness);
    assert_eq!(rig.node(3).applied(), rig.node(3).commit(), "it has nothing to apply");
    assert!(rig.applied(3).iter().all(|(index, _)| *index == 1), "{:?}", rig.applied(3));
}

#[test]
fn a_witness_votes_and_acknowledges_and_never_leads() {
    let mut rig = with_witness(plain());
    rig.at(2).up = false;
    let write = rig.propose(1, "x");
    rig.run(100 * MS);
    assert!(rig.applied(1).iter().any(|(_, t)| *t == Some(write.0)), "with its copy alone");
    rig.lose_all();
    rig.at(1).up = false;
    rig.pass(5_000 * MS);
    rig.step(3, Input::Tick).unwrap();
    assert_eq!((rig.node(3).role(), rig.net.len()), (Role::Follower, 0));
    // Its log is longer than n2's: without n1 nobody can lead and lose the write (B-074).
    rig.at(2).up = true;
    rig.expire(2);
    rig.deliver_among(&[2, 3]);
    assert_eq!(rig.node(2).role(), Role::Candidate);
    rig.at(1).up = true;
    rig.run(3_000 * MS);
    assert_eq!(rig.commit(2), rig.commit(1));
    assert!(rig.node(1).role() == Role::Leader || rig.node(2).role() == Role::Leader);
    // And it elects whoever holds the log.
    let leader = if rig.node(1).role() == Role::Leader { 1 } else { 2 };
    let other = 3 - leader;
    rig.crash(leader, 0);
    rig.lose_all();
    rig.elect_among(other, &[other, 3]);
}

#[test]
fn d_w14_with_the_option_a_witness_gets_only_what_another_data_voter_has() {
    let mut rig = with_witness(with(|o| {
        o.witness_after_data_copy = true;
        o.commit_notice_ns = 0;
    }));
    rig.at(2).up = false;
    let before = rig.node(3).last().index;
    rig.propose(1, "x");
    rig.run(300 * MS);
    assert_eq!((rig.node(3).last().index, rig.commit(1)), (before, before.0), "its trade");
    rig.at(2).up = true;
    rig.run(200 * MS);
    assert_eq!(rig.node(3).last().index, before.next());
    // Whatever was acknowledged is on the surviving data voter, at every crash of the leader.
    for round in 0..5 {
        let write = rig.propose(1, "y");
        for _ in 0..round {
            rig.deliver(|_| true);
        }
        let committed = rig.applied(1).iter().any(|(_, t)| *t == Some(write.0));
        let index = rig.node(1).last().index;
        if committed {
            assert!(rig.node(2).durable() >= index, "round {round}");
        }
        rig.run(100 * MS);
    }
    // A lone data voter does not wait for another.
    let mut rig = Rig::joined_by(1, 2, with(|o| o.witness_after_data_copy = true));
    rig.elect(1);
    rig.carry(1, add_witness(2));
    rig.carry(1, add_witness(3));
    rig.propose(1, "x");
    rig.run(100 * MS);
    assert_eq!(rig.commit(1), rig.node(1).last().index.0);
}

#[test]
fn to_witness_is_decided_only_when_every_data_quorum_left_holds_it() {
    // SEEDS 2.9.8: with two data voters left of three, both must have it.
    let mut rig = led();
    rig.propose(1, "x");
    rig.run(100 * MS);
    let ticket = rig.begin_change(1, to_witness(3));
    let index = rig.node(1).last().index;
    rig.deliver(|e| e.to.0 == 3);
    rig.deliver(|e| e.to.0 == 1);
    assert_eq!((rig.ended(1, ticket), rig.commit(1)), (None, index.0 - 1), "n1 and n3 hold it");
    assert_eq!(rig.node(3).membership(), Membership::Witness, "in force");
    rig.deliver(|e| e.to.0 == 2);
    rig.deliver(|e| e.to.0 == 1);
    assert_eq!(rig.ended(1, ticket), Some(Ok(index)));
    rig.propose(1, "y");
    rig.run(100 * MS);
    assert!(kinds(&mut rig, 3)[3].is_stub() && !kinds(&mut rig, 3)[1].is_stub());
    assert!(rig.applied(3).iter().all(|(at, _)| *at <= index.0));
    assert_eq!(rig.node(3).applied().0, rig.commit(3));
    // The last data voter but the leader may go too: then nothing is left to wait for.
    let last = rig.carry(1, to_witness(2));
    assert_eq!(rig.commit(1), last);
}

#[test]
fn to_witness_is_refused_if_the_data_voters_left_do_not_answer() {
    let mut rig = led();
    rig.at(2).up = false;
    rig.run(1_000 * MS);
    let broken = ChangeError::WouldBreakQuorum { responsive: 1, needed: 2 };
    assert_eq!(rig.change(1, to_witness(3)), Err(broken));
    assert_eq!(rig.change(1, to_witness(1)), Err(ChangeError::CannotRemoveLeader));
}

#[test]
fn a_witness_to_be_keeps_its_data_until_that_is_decided() {
    // The change is cut off: n3 has applied everything and may lead.
    let mut rig = led();
    rig.propose(1, "x");
    rig.run(100 * MS);
    rig.begin_change(1, to_witness(3));
    rig.deliver(|e| e.to.0 == 3);
    rig.lose_all();
    rig.at(1).up = false;
    assert_eq!(rig.node(3).membership(), Membership::Witness);
    assert_eq!(rig.applied(3).last(), Some(&(2, None)));
    // T-4.2.2-02 for data: it alone has the longer log, so it leads to finish it; which must wait
    // until both data voters that would be left hold it.
    rig.run(5_000 * MS);
    assert_eq!((rig.node(3).role(), rig.commit(3)), (Role::Leader, 2));
    rig.at(1).up = true;
    rig.run(3_000 * MS);
    assert_eq!(rig.node(3).role(), Role::Follower, "decided: it stepped down");
    assert_eq!(rig.node(3).membership(), Membership::Witness);
    let leader = [1, 2].into_iter().find(|id| rig.node(*id).role() == Role::Leader).unwrap();
    assert_eq!(rig.commit(3), rig.commit(leader));
}

#[test]
fn a_witness_restarts_as_one() {
    let mut rig = with_witness(plain());
    for _ in 0..3 {
        rig.propose(1, "x");
    }
    rig.run(100 * MS);
    rig.crash(3, 0);
    rig.restart(3);
    assert_eq!(rig.node(3).membership(), Membership::Witness);
    rig.at(2).up = false;
    let write = rig.propose(1, "y");
    rig.run(200 * MS);
    assert!(rig.applied(1).iter().any(|(_, t)| *t == Some(write.0)));
    assert_eq!(rig.node(3).applied(), rig.node(3).commit());
    rig.pass(5_000 * MS);
    rig.step(3, Input::Tick).unwrap();
    assert_eq!(rig.node(3).role(), Role::Follower);
}

#[test]
fn a_disk_with_stubs_is_never_data_until_it_has_a_full_snapshot() {
    // SEEDS 2.9.8: it neither votes nor acknowledges, and asks for a snapshot.
    for reboots in [false, true] {
        let mut rig = with_witness(plain());
        rig.propose(1, "x");
        rig.run(100 * MS);
        rig.carry(1, remove(3));
        rig.run(300 * MS);
        assert!(rig.change(1, add_learner(3)).is_ok());
        rig.run(200 * MS);
        assert_eq!(rig.node(3).lifecycle(), Lifecycle::Quarantined);
        if reboots {
            rig.crash(3, 0);
            rig.restart(3);
            assert_eq!(rig.node(3).lifecycle(), Lifecycle::Quarantined);
        }
        let at_leader = rig.node(1).peers().find(|p| p.peer.0 == 3).unwrap();
        assert_eq!(at_leader.state, ProgressState::Snapshot, "it asked");
        let asked = rig.tell(2, 3, 9, request_vote(1, 99));
        assert_eq!(asked, Err(Rejected::Quarantined));
        // Its stubs are below what a snapshot of now covers, so that one makes it whole.
        for _ in 0..3 {
            rig.propose(1, "y");
        }
        rig.run(100 * MS);
        let now = rig.now;
        rig.at(1).node.take_snapshot(now).unwrap();
        rig.drain(1);
        rig.run(10_000 * MS);
        assert_eq!(rig.node(3).lifecycle(), Lifecycle::Running, "reboots: {reboots}");
        assert_eq!(rig.node(3).applied(), rig.node(1).applied());
        assert_eq!(rig.servers[2].machine, rig.servers[0].machine, "the same data");
        rig.carry(1, promote(3));
    }
}

#[test]
fn a_witness_behind_the_leaders_log_gets_a_snapshot_without_data() {
    let mut rig = Rig::joined_by(
        2,
        1,
        with(|o| {
            (o.snapshot_entries, o.snapshot_keep_entries, o.retained_entries_max) = (10, 0, 0);
            o.commit_notice_ns = 0;
        }),
    );
    rig.elect_among(1, &[1, 2]);
    for _ in 0..40 {
        rig.propose(1, "x");
        rig.deliver_all();
    }
    assert!(rig.node(1).log_base().index.0 > 0);
    let ticket = rig.begin_change(1, add_witness(3));
    rig.run(5_000 * MS);
    assert!(matches!(rig.ended(1, ticket), Some(Ok(_))), "{:?}", rig.ended(1, ticket));
    assert!(rig.at(3).sends.is_empty() && rig.at(1).sends.is_empty(), "no data was sent");
    let meta = rig.node(3).snapshot().unwrap().clone();
    assert!(meta.lacks_data() && meta.size_bytes == 0);
    assert_eq!(rig.node(3).membership(), Membership::Witness);
    // The same disk as a data member wants data, also after a restart.
    rig.carry(1, remove(3));
    rig.crash(3, 0);
    rig.restart(3);
    rig.begin_change(1, add_learner(3));
    let mut asked = false;
    for _ in 0..100 {
        rig.deliver(|_| true);
        rig.pass(10 * MS);
        asked |= rig.node(3).lifecycle() == Lifecycle::Quarantined;
    }
    assert!(asked, "stubs are no data");
    rig.run(5_000 * MS);
    assert_eq!(rig.servers[2].machine, rig.servers[0].machine, "by way of a full snapshot");
    assert_eq!(rig.node(3).lifecycle(), Lifecycle::Running);
}

#[test]
fn a_leader_with_nothing_newer_to_send_makes_something_newer() {
    // Who stands on stubs up to the commit index of an idle group would wait for ever.
    let mut rig = with_witness(plain());
    rig.propose(1, "x");
    rig.run(100 * MS);
    rig.carry(1, remove(3));
    rig.begin_change(1, add_learner(3));
    rig.deliver(|e| e.to.0 == 2);
    rig.deliver(|e| e.from.0 == 2);
    rig.lose_all();
    let last = rig.node(1).last().index;
    assert_eq!(rig.commit(1), last.0);
    let need = |applied| {
        let result = AppendResult::NeedSnapshot;
        Message::AppendReply(AppendReply { result, applied, ..AppendReply::default() })
    };
    let term = rig.node(1).term().0;
    assert_eq!(rig.tell(3, 1, term, need(last.next())), Err(Rejected::Malformed), "not its log");
    rig.pass(10 * MS);
    for _ in 0..3 {
        rig.tell(3, 1, term, need(last)).unwrap();
        assert_eq!(rig.node(1).last().index, last.next(), "one entry, however often it asks");
    }
    rig.run(5_000 * MS);
    assert!(rig.node(1).snapshot().is_some_and(|meta| meta.index() > last));
    assert_eq!(rig.servers[2].machine, rig.servers[0].machine);
}

#[test]
fn who_acknowledged_and_then_asks_for_a_snapshot_gets_one() {
    // A later leader does not know from when the acknowledgements of a former witness count.
    let mut rig = with_witness(plain());
    rig.propose(1, "x");
    rig.run(100 * MS);
    let last = rig.node(1).last().index;
    let term = rig.node(1).term().0;
    rig.lose_all();
    rig.tell(2, 1, term, matched(last.0, 1)).unwrap();
    let ask = |applied| {
        let result = AppendResult::NeedSnapshot;
        Message::AppendReply(AppendReply { result, applied, ..AppendReply::default() })
    };
    let state = |rig: &mut Rig| {
        rig.node(1).peers().find(|peer| peer.peer == NodeId(2)).map(|peer| peer.state)
    };
    rig.tell(2, 1, term, ask(last.prev())).unwrap();
    assert_eq!(state(&mut rig), Some(ProgressState::Replicate), "asked before it acknowledged");
    rig.tell(2, 1, term, ask(last)).unwrap();
    assert_eq!(state(&mut rig), Some(ProgressState::Snapshot));
}

#[test]
fn a_member_that_was_not_told_of_its_stubs_halts_instead_of_applying_them() {
    let mut rig = with_witness(plain());
    rig.propose(1, "x");
    rig.run(100 * MS);
    let log = rig.at(3).disk.log.clone();
    let disk = &mut rig.at(4).disk;
    disk.log = log.into_iter().take(2).collect();
    disk.hard.term = raft_core::Term(1);
    // A driver that does not look at kinds.
    rig.restart_with(4, |boot| boot.stubs = raft_core::LogIndex(0)).unwrap();
    rig.tell(1, 4, 1, append((1, 2), &[], 2, 1)).unwrap();
    let halted = rig.node(4).halted();
    let reason = raft_core::HaltReason::StubWithoutData { index: raft_core::LogIndex(2) };
    assert_eq!(halted, Some(reason));
}

#[test]
fn a_leader_that_is_voted_out_leaves_its_data_with_somebody_who_stays() {
    // Two witnesses alone would commit its removal, and nobody who stays could lead any more.
    let mut rig = Rig::joined_by(1, 3, with(|o| o.request_timeout_ns = 60 * MS));
    rig.elect_among(1, &[1]);
    rig.carry(1, add_learner(4));
    rig.carry(1, add_witness(2));
    rig.carry(1, add_witness(3));
    rig.at(4).up = false;
    for _ in 0..5 {
        rig.propose(1, "while it is away");
        rig.run(60 * MS);
    }
    assert_eq!(rig.commit(1), rig.node(1).last().index.0, "the witnesses are enough to write");
    let voters = [2, 3, 4].map(NodeId).to_vec();
    let replace = ConfigAction::ReplaceVoters { voters, explicit_leave: false };
    let ticket = rig.begin_change(1, replace);
    rig.run(2_000 * MS);
    assert_eq!(rig.voters_at(1).0, [2, 3, 4], "{}", rig.node(1).status());
    assert_eq!((rig.node(1).role(), rig.ended(1, ticket)), (Role::Leader, None), "it goes on");
    rig.at(4).up = true;
    rig.run(5_000 * MS);
    assert!(matches!(rig.ended(1, ticket), Some(Ok(_))), "{}", rig.node(1).status());
    assert_eq!((rig.node(1).membership(), rig.node(4).role()), (Membership::Removed, Role::Leader));
    rig.propose(4, "after");
    rig.run(100 * MS);
    assert_eq!(rig.commit(4), rig.node(4).last().index.0);
}

#[test]
fn a_witness_on_its_way_out_is_never_ahead_of_every_data_disk() {
    // If its removal is undone its vote is needed, and it would refuse it to all who can lead.
    let mut rig = with_witness(plain());
    rig.at(2).up = false;
    rig.carry(1, remove(2));
    rig.at(1).slow_disk = true;
    let _ticket = rig.begin_change(1, remove(3));
    let durable = rig.node(1).durable().0;
    for _ in 0..5 {
        rig.propose(1, "not on the leader's disk");
        rig.deliver_among(&[1, 3]);
    }
    assert!(rig.node(1).last().index.0 > durable + 5);
    assert!(rig.node(3).last().index.0 <= durable, "n3 has {}", rig.node(3).last());
    rig.crash(1, 0);
    rig.restart(1);
    rig.at(1).slow_disk = false;
    rig.run(5_000 * MS);
    assert_eq!(rig.node(1).role(), Role::Leader, "{}", rig.node(1).status());
}

#[test]
fn one_that_is_to_become_a_data_member_is_not_counted_before_it_holds_data() {
    // D-R9: it neither votes nor acknowledges before, so a majority with it may be none.
    let mut rig = with_witness(plain());
    rig.at(2).up = false;
    rig.carry(1, remove(2));
    rig.carry(1, remove(3));
    // Under the same disk, which holds stubs. Nothing is left to vote with but n1 and this one.
    rig.carry(1, add_learner(3));
    rig.run(100 * MS);
    assert_eq!(rig.node(3).lifecycle(), Lifecycle::Quarantined, "it waits for a snapshot");
    let refused = rig.change(1, promote(3));
    assert_eq!(refused, Err(ChangeError::WouldBreakQuorum { responsive: 1, needed: 2 }));
}
