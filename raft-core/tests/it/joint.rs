//! Joint configurations: two majorities at once, left when committed (thesis §4.3).
//!
//! **Intuition.** Set up, act, check: the old half is n1 to n3, the new one n4 to n6 unless said
//! otherwise.
//! **Source.** Thesis §4.3; BUGS B-042, B-043, B-068 to B-071.
//! **Upholds.** `inv:configuration-safety`, `inv:election-safety`, `inv:committed-durable`.
//! **Not here.** Changes of one vote (`membership.rs`).

use raft_core::{
    Change, ChangeError, ConfigAction, ConfigChange, ConfigLevel, Input, LogIndex, Membership,
    Message, NodeId, Role,
};

use crate::{
    membership::{add_learner, forced, promote},
    rig::*,
};

fn replace(voters: &[u64], explicit_leave: bool) -> ConfigAction {
    let voters = voters.iter().copied().map(NodeId).collect();
    ConfigAction::ReplaceVoters { voters, explicit_leave }
}

/// n1 leads {1,2,3}; n4 to n6 are learners and caught up.
fn halves() -> Rig {
    let mut rig = Rig::joined_by(3, 3, plain());
    rig.elect_among(1, &[1, 2, 3]);
    for id in [4, 5, 6] {
        rig.carry(1, add_learner(id));
    }
    rig.run(100 * MS);
    rig
}

/// The same with the joint entry appended at n1 and nothing delivered.
fn joint(explicit: bool) -> Rig {
    let mut rig = halves();
    rig.begin_change(1, replace(&[4, 5, 6], explicit));
    assert_eq!(rig.voters_at(1), (vec![4, 5, 6], vec![1, 2, 3]));
    rig
}

#[test]
fn t_4_3_01_both_majorities_commit_the_joint_entry_then_the_new_one_alone() {
    // T-4.3-04: the new-only entry is appended when the joint one is committed, and no earlier.
    let mut rig = joint(false);
    let index = rig.node(1).last().index;
    rig.deliver(|e| [2, 3].contains(&e.to.0));
    rig.deliver(|e| e.to.0 == 1);
    assert_eq!((rig.commit(1), rig.node(1).last().index), (index.0 - 1, index), "old half only");
    rig.deliver(|e| e.to.0 == 4);
    rig.deliver(|e| e.to.0 == 1);
    assert_eq!(rig.commit(1), index.0 - 1, "one of three of the new half");
    rig.deliver(|e| e.to.0 == 5);
    rig.deliver(|e| e.from.0 == 5);
    assert_eq!((rig.commit(1), rig.node(1).last().index), (index.0, index.next()));
    assert_eq!(rig.voters_at(1), (vec![4, 5, 6], vec![]));
    // The new-only entry commits by n4 to n6 alone.
    rig.lose_all();
    rig.at(2).up = false;
    rig.at(3).up = false;
    rig.run(400 * MS);
    let led = [4, 5, 6].into_iter().find(|id| rig.node(*id).role() == Role::Leader);
    rig.run(2_000 * MS);
    assert!(led.is_some() || [4, 5, 6].iter().any(|id| rig.node(*id).role() == Role::Leader));
    for id in [4, 5, 6] {
        assert!(rig.commit(id) > index.0, "n{id}");
    }
    assert_eq!(rig.node(1).membership(), Membership::Removed);
}

#[test]
fn t_4_2_2_01_a_leader_outside_leads_until_it_is_decided_and_counts_for_nothing() {
    // SEEDS 2.9.9, B-065, B-066: its term does not change, and what it decided it still says.
    let mut rig = joint(false);
    let mut ticket = None;
    for (of, _) in &rig.at(1).operations {
        ticket = Some(*of);
    }
    assert_eq!(ticket, Some(raft_core::OperationTicket(3)), "the joint change is the fourth");
    let ticket = raft_core::OperationTicket(4);
    rig.deliver(|e| e.to.0 != 1);
    rig.deliver(|e| e.to.0 == 1);
    assert_eq!(rig.voters_at(1), (vec![4, 5, 6], vec![]));
    let index = rig.node(1).last().index;
    rig.deliver(|e| e.to.0 == 4);
    rig.deliver(|e| e.to.0 == 1);
    assert_eq!(rig.commit(1), index.0 - 1, "n1 and n4 are one of three");
    assert_eq!((rig.node(1).role(), rig.ended(1, ticket)), (Role::Leader, None));
    rig.deliver(|e| e.to.0 == 5);
    rig.lose_all();
    rig.tell(5, 1, 1, matched(index.0, 1)).unwrap();
    assert_eq!(rig.ended(1, ticket), Some(Ok(index)));
    assert_eq!(rig.office(1), (Role::Follower, 1, Some(1)), "in the same term");
    assert_eq!(rig.node(1).membership(), Membership::Removed);
    let said = rig.sent_by(1);
    let told = said.iter().filter(|e| is_append(e) && as_append(&e.message).commit == index);
    assert!(told.count() >= 3, "{said:?}");
    assert_eq!(rig.change(1, add_learner(2)), Err(ChangeError::NotInGroup));
    rig.pass(5_000 * MS);
    rig.step(1, Input::Tick).unwrap();
    assert_eq!(rig.office(1), (Role::Follower, 1, Some(1)), "it never campaigns");
}

#[test]
fn t_4_3_02_joint_counting_equals_two_slow_counts() {
    // B-069: a majority of the union is none. Three old voters, nine new ones, three shared.
    let mut rig = Rig::joined_by(3, 6, plain());
    rig.elect_among(1, &[1, 2, 3]);
    for id in 4..=9 {
        rig.carry(1, add_learner(id));
    }
    let change = forced(replace(&[1, 2, 3, 4, 5, 6, 7, 8, 9], true));
    assert!(rig.change_with(1, change).is_ok());
    rig.lose_all();
    let index = rig.node(1).last().index.0;
    let base = (rig.node(1).clone(), rig.at(1).machine);
    for set in 0..256_u64 {
        // n1 holds it itself; bit i is n(i+2).
        (rig.at(1).node, rig.at(1).machine) = base.clone();
        let acks: Vec<u64> = (2..=9).filter(|id| set >> (id - 2) & 1 == 1).collect();
        for id in &acks {
            rig.tell(*id, 1, 1, matched(index, 1)).unwrap();
        }
        rig.lose_all();
        let old = 1 + acks.iter().filter(|id| **id <= 3).count();
        let new = 1 + acks.len();
        let want = old >= 2 && new >= 5;
        assert_eq!(rig.commit(1) >= index, want, "{acks:?}");
    }
}

#[test]
fn b_069_votes_in_a_joint_configuration_need_both_halves() {
    let mut rig = joint(true);
    rig.deliver_all();
    rig.crash(1, 0);
    rig.expire(2);
    rig.deliver_among(&[2, 3]);
    assert_eq!(rig.node(2).role(), Role::Candidate, "two of three of the old half only");
    rig.lose_all();
    rig.expire(4);
    rig.deliver_among(&[2, 4, 5]);
    assert_eq!(rig.node(4).role(), Role::Candidate, "one of three of the old half");
    rig.lose_all();
    rig.expire(4);
    rig.deliver_among(&[2, 3, 4, 5]);
    assert_eq!(rig.node(4).role(), Role::Leader, "T-4.3-03: a voter of the new half may lead");
    assert_eq!(rig.voters_at(4).1, [1, 2, 3], "it waits to be asked");
    rig.restart(1);
    rig.carry(4, ConfigAction::LeaveJoint);
    assert_eq!(rig.voters_at(4), (vec![4, 5, 6], vec![]));
}

#[test]
fn b_070_a_new_leader_leaves_the_joint_configuration_it_finds() {
    // The leader crashes after the joint entry is committed, and before it leaves.
    for told in [false, true] {
        let mut rig = joint(false);
        rig.deliver(|e| e.to.0 != 1);
        if told {
            rig.deliver(|e| e.to.0 == 1);
        }
        rig.lose_all();
        rig.crash(1, 0);
        rig.run(3_000 * MS);
        for id in [4, 5, 6] {
            assert_eq!(rig.voters_at(id), (vec![4, 5, 6], vec![]), "n{id}, {told}");
        }
        rig.restart(1);
        rig.run(3_000 * MS);
        assert_eq!(rig.node(1).membership(), Membership::Removed);
    }
}

#[test]
fn b_068_a_joint_configuration_is_left_once() {
    let mut rig = joint(false);
    for _ in 0..4 {
        rig.propose(1, "x");
    }
    rig.run(500 * MS);
    let configurations = |rig: &mut Rig, id| {
        let log = &rig.at(id).disk.log;
        let kind = raft_core::EntryKind::CONFIGURATION;
        log.iter().filter(|(_, entry)| entry.kind == kind).count()
    };
    assert_eq!(configurations(&mut rig, 4), 5, "three learners, joint, new");
}

#[test]
fn t_4_3_05_no_change_while_joint() {
    let mut rig = joint(true);
    let index = rig.node(1).last().index;
    let busy = Err(ChangeError::ChangeInProgress { index });
    assert_eq!(rig.change(1, add_learner(7)), busy);
    assert_eq!(rig.change(1, ConfigAction::LeaveJoint), busy, "not before it is committed");
    rig.deliver_all();
    assert_eq!(rig.change(1, add_learner(7)), busy, "committed, and joint");
    assert_eq!(rig.change(1, ConfigAction::Refresh), busy);
    rig.run(1_000 * MS);
    assert_eq!(rig.voters_at(1).1, [1, 2, 3], "an explicit one waits");
    let left = rig.begin_change(1, ConfigAction::LeaveJoint);
    assert!(matches!(
        rig.change(1, ConfigAction::LeaveJoint),
        Err(ChangeError::ChangeInProgress { .. })
    ));
    rig.run(100 * MS);
    assert_eq!(rig.ended(1, left), Some(Ok(index.next())));
    assert_eq!(rig.ended(1, raft_core::OperationTicket(4)), Some(Ok(index.next())));
}

#[test]
fn b_071_a_group_of_one_does_not_commit_a_joint_entry_alone() {
    // B-042 too: only learners attached.
    let mut rig = Rig::joined_by(1, 2, plain());
    rig.elect(1);
    rig.begin_change(1, add_learner(2));
    rig.begin_change(1, add_learner(3));
    rig.run(100 * MS);
    rig.begin_change(1, replace(&[1, 2, 3], false));
    let index = rig.node(1).last().index;
    assert_eq!((rig.commit(1), rig.voters_at(1).1), (index.0 - 1, vec![1]));
    rig.run(100 * MS);
    assert_eq!(rig.voters_at(1), (vec![1, 2, 3], vec![]));
}

#[test]
fn b_043_commit_never_jumps_over_an_entry_that_its_own_half_lacks() {
    let mut rig = joint(true);
    let index = rig.node(1).last().index.0;
    rig.propose(1, "x");
    rig.lose_all();
    for id in [2, 3] {
        rig.tell(id, 1, 1, matched(index + 1, 1)).unwrap();
    }
    for id in [4, 5, 6] {
        rig.tell(id, 1, 1, matched(index - 1, 1)).unwrap();
    }
    assert_eq!(rig.commit(1), index - 1);
    rig.tell(4, 1, 1, matched(index + 1, 1)).unwrap();
    rig.tell(5, 1, 1, matched(index, 1)).unwrap();
    assert_eq!(rig.commit(1), index);
}

#[test]
fn a_joint_change_is_guarded_in_both_halves() {
    let mut rig = halves();
    rig.at(5).up = false;
    rig.at(6).up = false;
    rig.run(1_000 * MS);
    let broken = ChangeError::WouldBreakQuorum { responsive: 1, needed: 2 };
    assert_eq!(rig.change(1, replace(&[4, 5, 6], false)), Err(broken));
    let same = ConfigChange { expect: None, action: replace(&[1, 2, 3], false), force: false };
    assert_eq!(rig.change_with(1, same), Ok(Change::Unchanged(LogIndex(4))));
    rig.at(5).up = true;
    rig.run(400 * MS);
    rig.begin_change(1, replace(&[4, 5, 6], false));
    rig.run(2_000 * MS);
    assert_eq!(rig.voters_at(4), (vec![4, 5, 6], vec![]));
}

#[test]
fn t_4_3_06_the_halves_never_decide_alone() {
    // Crash the leader after each delivery of a change; afterwards each half tries by itself.
    for steps in 0..30 {
        let mut rig = joint(false);
        for _ in 0..steps {
            if rig.net.is_empty() {
                break;
            }
            let envelope = rig.net.remove(0);
            let _refused = rig.receive(envelope);
        }
        rig.crash(1, 0);
        rig.lose_all();
        let mut leaders = Vec::new();
        for side in [[2, 3].as_slice(), &[4, 5, 6]] {
            for round in 0..3 {
                let id = side[round % side.len()];
                rig.pass(400 * MS);
                rig.step(id, Input::Tick).unwrap();
                rig.deliver_among(side);
            }
            for id in side {
                if rig.node(*id).role() == Role::Leader {
                    leaders.push((*id, rig.node(*id).term()));
                }
            }
        }
        let terms: std::collections::BTreeSet<_> = leaders.iter().map(|(_, term)| term).collect();
        assert_eq!(terms.len(), leaders.len(), "{steps}: {leaders:?}");
        let old = leaders.iter().any(|(id, _)| *id <= 3);
        let new = leaders.iter().any(|(id, _)| *id > 3);
        assert!(!(old && new), "{steps}: both halves decide alone: {leaders:?}");
    }
}

#[test]
fn t_4_2_4_01_a_change_survives_its_leader_at_every_step() {
    // Afterwards all see the change completed or undone, and writes go on.
    for steps in 0..40 {
        let mut rig = joint(false);
        for _ in 0..steps {
            if rig.net.is_empty() {
                break;
            }
            let envelope = rig.net.remove(0);
            let _refused = rig.receive(envelope);
        }
        rig.crash(1, 0);
        rig.lose_all();
        rig.restart(1);
        rig.run(4_000 * MS);
        let leaders: Vec<u64> =
            rig.ids().into_iter().filter(|id| rig.node(*id).role() == Role::Leader).collect();
        assert_eq!(leaders.len(), 1, "{steps}");
        let leader = leaders[0];
        let (configuration, _, committed) = rig.node(leader).configuration(ConfigLevel::InForce);
        assert!(committed && !configuration.is_joint(), "{steps}");
        let members = configuration.members();
        let write = rig.propose(leader, "z");
        rig.run(300 * MS);
        assert!(rig.applied(leader).iter().any(|(_, t)| *t == Some(write.0)), "{steps}");
        for member in members {
            assert_eq!(rig.voters_at(member.0), rig.voters_at(leader), "{steps} {member}");
            assert_eq!(rig.commit(member.0), rig.commit(leader), "{steps} {member}");
        }
    }
}

#[test]
fn a_candidate_that_is_told_of_a_change_counts_anew() {
    // A truncation or an append makes it a follower first; the tally itself is by the present seat.
    let mut rig = halves();
    rig.begin_change(1, promote(4));
    rig.deliver_all();
    rig.crash(1, 0);
    rig.expire(2);
    let asked: Vec<u64> = rig.take(is_request).iter().map(|e| e.to.0).collect();
    assert_eq!(asked, [1, 3, 4], "the promoted one is asked, learners are not");
    let term = rig.node(2).term().0;
    rig.tell(5, 2, term, vote(true)).unwrap();
    rig.tell(3, 2, term, vote(true)).unwrap();
    assert_eq!(rig.node(2).role(), Role::Candidate, "two of four");
    rig.tell(4, 2, term, vote(true)).unwrap();
    assert_eq!(rig.node(2).role(), Role::Leader);
    assert!(rig.net.iter().all(|e| !matches!(e.message, Message::VoteReply(_))));
}
