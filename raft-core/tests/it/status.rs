//! What a node shows of itself: status, health, counters, single entries.
//!
//! **Intuition.** One value from one moment, in every role.
//! **Source.** SEMANTICS 2.8, 2.14, 2.15; S-05, S-103 to S-105.
//! **Upholds.** Nothing; a look changes nothing.
//! **Not here.** Notes (`contract.rs`).

use raft_core::{Input, Lifecycle, LogIndex, Look, Membership, Node, NodeId, Role};

use crate::{
    lifecycle::{blanks, found, founding},
    rig::*,
};

// ---- status --------------------------------------------------------------------------------

#[test]
fn one_look_shows_everything() {
    // 2.14, S-103, S-05.
    let mut rig = led();
    rig.propose(1, "x");
    rig.deliver_all();
    rig.pass(3 * MS);
    rig.step(1, Input::Tick).unwrap();
    let status = rig.node(1).status();
    assert_eq!((status.role, status.membership), (Role::Leader, Membership::Voter));
    assert_eq!((status.lifecycle, status.node), (Lifecycle::Running, NodeId(1)));
    assert_eq!((status.commit, status.last), (LogIndex(2), at(1, 2)));
    assert_eq!((status.configuration_index, status.configuration_committed), (LogIndex(0), true));
    assert_eq!(status.time_in_role_ns(), 3 * MS);
    assert_eq!(status.answer_age_ns(NodeId(2)), Some(3 * MS));
    assert_eq!(status.answer_age_ns(NodeId(9)), None);
    let peer = status.peers[0];
    assert_eq!((peer.peer, peer.matched, peer.applied), (NodeId(2), LogIndex(2), LogIndex(1)));
    let counters = status.counters;
    assert_eq!((counters.elections_started, counters.elections_won), (1, 1));
    assert_eq!((counters.entries_appended, counters.entries_committed), (2, 2));
    let kind = |name| raft_core::Message::NAMES.iter().position(|n| *n == name).unwrap();
    assert_eq!(counters.sent[kind("RequestVote")], 2);
    assert_eq!(counters.received[kind("VoteReply")], 1, "the other came too late");
    assert!(counters.received[kind("AppendReply")] >= 4);
    let told = status.to_string();
    assert!(told.contains("n1 Voter Leader term 1") && told.contains("n2"), "{told}");
    rig.crash(2, 0);
    rig.restart(2);
    rig.expire(2);
    let status = rig.node(2).status();
    assert_eq!(status.votes, [NodeId(2)]);
    assert_eq!(status.contact, None);
    // It answers after a halt too.
    rig.step(3, Input::Shutdown).unwrap();
    let told = rig.node(3).status().to_string();
    assert!(told.ends_with("halted: shut down"), "{told}");
}

#[test]
fn a_fresh_node_is_small() {
    assert!(size_of::<Node>() <= 2_048, "{}", size_of::<Node>());
}

#[test]
fn message_names_are_in_the_order_of_the_counters() {
    let mut rig = led();
    let before = *rig.node(2).counters();
    rig.tell(3, 2, 2, request_vote(1, 9)).unwrap();
    let after = rig.node(2).counters();
    let at = raft_core::Message::NAMES.iter().position(|n| *n == "RequestVote").unwrap();
    assert_eq!(after.received[at], before.received[at] + 1);
    rig.tell(3, 2, 1, request_vote(1, 9)).unwrap_err();
    assert_eq!(rig.node(2).counters().received[at], before.received[at] + 1, "not if refused");
}

#[test]
fn live_lagging_and_stale_are_told_apart() {
    // S-104.
    let mut options = plain();
    options.lagging_entries = 2;
    options.stale_ns = 500 * MS;
    let mut rig = Rig::with(3, options);
    assert!(rig.node(2).status().health().stale, "no leader was ever heard");
    rig.elect(1);
    let health = |rig: &Rig, id| rig.node(id).status().health();
    for id in 1..=3 {
        let all = health(&rig, id);
        assert!(all.live && !all.lagging && !all.stale, "n{id}: {all:?}");
    }
    rig.at(2).slow_apply = true;
    for _ in 0..3 {
        rig.propose(1, "x");
        rig.deliver_all();
    }
    let all = health(&rig, 2);
    assert!(all.live && all.lagging && !all.stale, "{all:?}");
    rig.crash(1, 0);
    rig.pass(499 * MS);
    rig.step(3, Input::Read).unwrap_err();
    assert!(health(&rig, 3).live);
    rig.pass(MS);
    rig.step(3, Input::Read).unwrap_err();
    let all = health(&rig, 3);
    assert!(!all.live && all.lagging && all.stale, "{all:?}");
    // A leader without its quorum, where nothing makes it step down.
    rig.restart(1);
    rig.elect(1);
    rig.lose_all();
    rig.pass(300 * MS);
    rig.step(1, Input::Tick).unwrap();
    assert!(!health(&rig, 1).live);
}

#[test]
fn an_entry_is_looked_at_without_waiting() {
    // 2.15, S-105.
    let mut rig = led();
    rig.propose(1, "x");
    let look = rig.node(1).get_entry(LogIndex(2));
    let Look::Entry { position, entry, committed } = look else { panic!("{look:?}") };
    assert_eq!((position, committed, entry.payload.as_ref()), (at(1, 2), false, &b"x"[..]));
    rig.deliver_all();
    let look = rig.node(1).get_entry(LogIndex(2));
    assert!(matches!(look, Look::Entry { committed: true, .. }));
    let first = LogIndex(1);
    assert_eq!(rig.node(1).get_entry(LogIndex(0)), Look::Compacted { first });
    assert_eq!(rig.node(1).get_entry(LogIndex(3)), Look::NotYet { last: LogIndex(2) });
    rig.crash(1, 0);
    rig.restart(1);
    let on_disk = Look::OnDisk { position: at(1, 2), committed: false };
    assert_eq!(rig.node(1).get_entry(LogIndex(2)), on_disk, "the driver's store has it");
    let mut founded = blanks(1);
    let mut bootstrap = founding(&[1]);
    bootstrap.position = at(4, 10);
    found(&mut founded, 1, bootstrap).unwrap();
    let first = LogIndex(11);
    assert_eq!(founded.node(1).get_entry(LogIndex(10)), Look::Compacted { first });
}

#[test]
fn a_hint_that_names_no_member_is_no_hint() {
    // 2.8.
    let mut rig = Rig::with(3, plain());
    rig.tell(9, 2, 4, append((0, 0), &[], 0, 1)).unwrap();
    assert_eq!(rig.node(2).leader_hint(), None);
    rig.tell(3, 2, 5, append((0, 0), &[], 0, 1)).unwrap();
    assert_eq!(rig.node(2).leader_hint(), Some(NodeId(3)));
}

#[test]
fn a_node_that_halted_is_not_shown_as_a_leader_or_candidate() {
    // Whoever routes by the role must not be sent to a node that answers nobody.
    let seen = |rig: &Rig| {
        let status = rig.node(1).status();
        let nothing = status.peers.is_empty()
            && status.votes.is_empty()
            && status.quorum_contact.is_none()
            && status.lease.is_err();
        assert!(nothing, "{status}");
        assert_eq!((status.role, status.leader), (Role::Follower, None), "{status}");
        assert_eq!((status.lifecycle, status.halted.is_some()), (Lifecycle::Halted, true));
        let told = status.to_string();
        assert!(told.starts_with("n1 Voter HALTED term "), "{told}");
        assert!(told.ends_with("; halted: shut down"), "{told}");
        for role in ["Leader", "Candidate", "Follower"] {
            assert!(!told.contains(role), "{told}");
        }
        assert_eq!(rig.node(1).leader_hint(), None);
    };
    for role in [Role::Leader, Role::Candidate, Role::PreCandidate] {
        let mut rig = Rig::with(3, with(|o| o.pre_vote = role == Role::PreCandidate));
        rig.expire(1);
        if role == Role::Leader {
            rig.deliver_all();
        }
        assert_eq!(rig.node(1).role(), role);
        // At once, and also once the halt was handed out.
        rig.step_only(1, Input::Shutdown).unwrap();
        seen(&rig);
        rig.drain(1);
        seen(&rig);
        assert_eq!(rig.node(1).role(), Role::Follower, "also for whoever asks the node itself");
    }
}
