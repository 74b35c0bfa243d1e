//! Unsafe recovery and forks: going on with what is left, never mixed up with what was.
//!
//! **Intuition.** An operator's decision is a new epoch; of the old one nothing is heard any more.
//! **Source.** SEMANTICS 2.13.1 to 2.13.4; S-28, S-82, S-99, S-100; D-W4, D-R10.
//! **Upholds.** `inv:election-safety`, `inv:configuration-safety`.
//! **Not here.** Skipping entries (`skip.rs`).

use raft_core::{
    Boot, BootId, ClusterId, DisableReason, Fork, ForkError, GroupId, Incarnation, Input,
    Inspection, Lifecycle, LogIndex, Node, NodeId, OperationTicket, PlanError, RecoveryEpoch,
    RecoveryError, RecoveryPlan, Rejected, Role, Term, fork,
};

use crate::{lifecycle::disable, rig::*};

// ---- unsafe recovery -----------------------------------------------------------------------

/// Five nodes; n1 led and is gone with n2 and n5; n3 and n4 are left, n3 with the longer log.
fn bereft() -> Rig {
    let mut rig = Rig::new(5);
    rig.elect(1);
    rig.propose(1, "everywhere");
    rig.deliver_all();
    rig.propose(1, "at three");
    rig.deliver(|e| e.to.0 == 3);
    rig.lose_all();
    for id in [1, 2, 5] {
        rig.crash(id, 0);
    }
    assert_eq!((rig.log(3).len(), rig.log(4).len()), (3, 2));
    rig
}

/// What is found on a server's disk.
fn inspect(rig: &mut Rig, id: u64) -> Inspection {
    let voters = rig.voters.clone();
    raft_core::inspect(&rig.at(id).disk.boot(9, &voters)).unwrap()
}

fn plan(rig: &mut Rig, survivors: &[u64], id: u64) -> RecoveryPlan {
    let found: Vec<_> = survivors.iter().map(|node| inspect(rig, *node)).collect();
    let mut plan = RecoveryPlan::choose(&found, id).unwrap();
    plan.data_may_be_lost = true;
    plan
}

fn recover(rig: &mut Rig, id: u64, plan: &RecoveryPlan) -> Result<OperationTicket, RecoveryError> {
    let now = rig.now;
    let result = rig.at(id).node.unsafe_recover(now, plan.clone());
    rig.drain(id);
    result
}

fn accept(rig: &mut Rig, id: u64, plan: &RecoveryPlan) -> Result<OperationTicket, RecoveryError> {
    let now = rig.now;
    let result = rig.at(id).node.accept_recovery(now, plan.clone());
    rig.drain(id);
    result
}

#[test]
fn two_of_five_go_on_by_a_plan_and_the_dead_cannot_come_back() {
    // S-28, S-82, 2.13.1 to 2.13.3.
    let mut rig = bereft();
    rig.expire(3);
    rig.deliver_all();
    assert_ne!(rig.node(3).role(), Role::Leader, "no majority");
    rig.lose_all();
    let plan = plan(&mut rig, &[3, 4], 77);
    assert_eq!((plan.keep, plan.last, plan.epoch.number), (NodeId(3), at(1, 3), 1));
    let accepted = accept(&mut rig, 4, &plan).unwrap();
    assert_eq!(rig.at(4).operations, [(accepted, Ok(LogIndex(0)))]);
    let ticket = recover(&mut rig, 3, &plan).unwrap();
    assert!(rig.at(3).operations.is_empty(), "not before it is committed");
    rig.elect_among(3, &[3, 4]);
    assert_eq!(rig.at(3).operations, [(ticket, Ok(LogIndex(4)))]);
    let term = plan.term.0;
    assert_eq!(rig.log(3), [1, 1, 1, term + 1, term + 2]);
    assert_eq!(rig.log(4), rig.log(3), "the tail was kept and is everywhere");
    rig.propose(3, "y");
    rig.deliver_all();
    assert_eq!((rig.commit(3), rig.commit(4)), (6, 6));
    let status = rig.node(4).status();
    assert_eq!(status.configuration.voters(), [NodeId(3), NodeId(4)]);
    assert_eq!(status.configuration.parts().recoveries, [(plan.epoch, LogIndex(4))]);
    // The others come back as they were.
    for id in [1, 2, 5] {
        rig.restart(id);
    }
    let before = (rig.office(3), rig.log(3), rig.log(4));
    for id in [1, 2] {
        rig.expire(id);
        rig.deliver_all();
    }
    assert_eq!((rig.office(3), rig.log(3), rig.log(4)), before);
    let wrong = |id: u64, rig: &Rig| {
        rig.node(id).status().rejections.iter().any(|(why, _)| *why == Rejected::WrongEpoch)
    };
    assert!(wrong(3, &rig) && wrong(4, &rig));
    // And it all survives a restart.
    for id in [3, 4] {
        rig.crash(id, 0);
        rig.restart(id);
    }
    rig.lose_all();
    rig.elect_among(4, &[3, 4]);
    assert_eq!(rig.node(4).epoch(), plan.epoch);
    assert_eq!(rig.node(4).status().configuration.parts().recoveries.len(), 1, "for ever");
}

#[test]
fn nobody_without_the_decree_campaigns_in_its_epoch() {
    // Found by thinking: a survivor that accepted, and is a majority of the old configuration with
    // others that did, could have led the very term of the decree.
    let mut rig = Rig::new(3);
    rig.elect(1);
    let plan = plan(&mut rig, &[1, 2, 3], 1);
    assert_eq!(plan.keep, NodeId(1), "of equals the lowest");
    for id in [2, 3] {
        accept(&mut rig, id, &plan).unwrap();
        assert_eq!(rig.office(id), (Role::Follower, plan.term.0 + 1, Some(1)));
    }
    for _ in 0..20 {
        rig.tick(2);
        rig.tick(3);
    }
    assert_eq!((rig.net.len(), rig.node(2).role()), (0, Role::Follower));
    recover(&mut rig, 1, &plan).unwrap();
    rig.elect(1);
    rig.crash(1, 0);
    rig.elect_among(2, &[2, 3]);
}

#[test]
fn a_plan_that_does_not_fit_is_refused_and_nothing_happens() {
    let mut rig = bereft();
    let good = plan(&mut rig, &[3, 4], 7);
    let check = |rig: &mut Rig, id: u64, change: &dyn Fn(&mut RecoveryPlan), error| {
        let mut plan = good.clone();
        change(&mut plan);
        let before = rig.node(id).status();
        assert_eq!(recover(rig, id, &plan), Err(error), "{error}");
        let input = Input::UnsafeRecover(Box::new(plan));
        assert_eq!(rig.step(id, input), Err(Rejected::RecoveryRefused));
        let mut after = rig.node(id).status();
        after.rejections.clone_from(&before.rejections);
        assert_eq!(before, after);
    };
    check(&mut rig, 3, &|p| p.data_may_be_lost = false, RecoveryError::NotAcknowledged);
    check(&mut rig, 4, &|_| (), RecoveryError::NotKeeper { keep: NodeId(3) });
    check(&mut rig, 3, &|p| p.survivors = vec![NodeId(4)], RecoveryError::NotSurvivor(NodeId(3)));
    let stranger = |p: &mut RecoveryPlan| p.survivors = [3, 9].map(NodeId).to_vec();
    check(&mut rig, 3, &stranger, RecoveryError::NotMember(NodeId(9)));
    let moved = RecoveryError::LogMoved { last: at(1, 3) };
    check(&mut rig, 3, &|p| p.last = at(1, 2), moved);
    check(&mut rig, 3, &|p| p.last = at(1, 4), moved);
    let term = rig.node(3).term();
    check(&mut rig, 3, &|p| p.term = Term(0), RecoveryError::TermMoved { term });
    check(&mut rig, 3, &|p| p.term = Term(u64::MAX), RecoveryError::NumberRange);
    let have = RecoveryEpoch::default();
    check(&mut rig, 3, &|p| p.epoch.number = 0, RecoveryError::OldEpoch { have });
    let twice = |p: &mut RecoveryPlan| p.survivors = [3, 3].map(NodeId).to_vec();
    let error = raft_core::ConfigurationError::Duplicate(NodeId(3));
    check(&mut rig, 3, &twice, RecoveryError::Configuration(error));
    assert_eq!(accept(&mut rig, 3, &good), Err(RecoveryError::IsKeeper));
    let mut shorter = good.clone();
    (shorter.keep, shorter.last) = (NodeId(4), at(1, 2));
    assert_eq!(accept(&mut rig, 3, &shorter), Err(moved), "the keeper must hold most");
    let blank = rig.add_blank();
    let mut all = good.clone();
    all.survivors = [3, 4, 6].map(NodeId).to_vec();
    assert_eq!(accept(&mut rig, blank, &all), Err(RecoveryError::NotInGroup));
    disable(&mut rig, 4, 1).unwrap();
    let error = RecoveryError::WrongLifecycle(Lifecycle::Disabled);
    assert_eq!(accept(&mut rig, 4, &good), Err(error));
}

#[test]
fn two_operators_plans_cannot_mix_and_a_greater_number_replaces_one() {
    // 2.13.2.
    let mut rig = bereft();
    let mine = plan(&mut rig, &[3, 4], 1);
    let theirs = RecoveryPlan { keep: NodeId(4), last: at(1, 3), ..plan(&mut rig, &[3, 4], 2) };
    recover(&mut rig, 3, &mine).unwrap();
    accept(&mut rig, 3, &theirs).unwrap_err();
    accept(&mut rig, 4, &RecoveryPlan { keep: NodeId(3), ..theirs.clone() }).unwrap();
    let have = RecoveryEpoch { number: 1, plan_id: 2 };
    assert_eq!(accept(&mut rig, 4, &mine), Err(RecoveryError::OldEpoch { have }));
    rig.expire(3);
    rig.deliver_all();
    assert_ne!(rig.node(3).role(), Role::Leader, "the two do not hear each other");
    let found = [inspect(&mut rig, 3), inspect(&mut rig, 4)];
    assert_eq!(RecoveryPlan::choose(&found, 3), Err(PlanError::MixedIdentity(NodeId(4))));
    // By hand, above both.
    let term = rig.node(3).term().max(rig.node(4).term());
    let epoch = RecoveryEpoch { number: 2, plan_id: 3 };
    let last = rig.node(3).last();
    let third = RecoveryPlan { term, epoch, last, ..mine };
    recover(&mut rig, 3, &third).unwrap();
    accept(&mut rig, 4, &third).unwrap();
    rig.elect_among(3, &[3, 4]);
    assert_eq!(rig.node(4).epoch(), epoch);
    let recoveries = rig.node(4).status().configuration.parts().recoveries.clone();
    assert_eq!(recoveries.len(), 2, "{recoveries:?}");
}

#[test]
fn a_crash_in_the_middle_of_a_recovery_leaves_all_of_it_or_nothing() {
    for written in [0, 1] {
        let mut rig = bereft();
        let plan = plan(&mut rig, &[3, 4], 1);
        rig.at(3).slow_disk = true;
        recover(&mut rig, 3, &plan).unwrap();
        assert!(rig.net.is_empty(), "nothing leaves in an epoch that is not durable");
        for _ in 0..5 {
            rig.tick(3);
        }
        assert!(rig.net.is_empty());
        let after = if rig.at(3).open.is_empty() { 0 } else { written };
        rig.crash(3, after);
        rig.at(3).slow_disk = false;
        rig.restart(3);
        let recovered = rig.node(3).epoch() == plan.epoch;
        assert_eq!(recovered, written == 1);
        assert_eq!(rig.log(3).len(), if recovered { 4 } else { 3 }, "both or neither");
        if !recovered {
            recover(&mut rig, 3, &plan).unwrap();
        }
        accept(&mut rig, 4, &plan).unwrap();
        rig.elect_among(3, &[3, 4]);
    }
}

#[test]
fn a_sole_survivor_leads_at_once() {
    let mut rig = bereft();
    rig.crash(4, 0);
    let plan = plan(&mut rig, &[3], 1);
    let ticket = recover(&mut rig, 3, &plan).unwrap();
    rig.tick(3);
    assert_eq!(rig.office(3), (Role::Leader, plan.term.0 + 2, Some(3)));
    assert_eq!(rig.at(3).operations, [(ticket, Ok(LogIndex(4)))]);
    assert_eq!(rig.commit(3), 5);
}

#[test]
fn a_plan_is_chosen_by_the_last_position_and_only_of_one_group() {
    // S-100.
    let mut rig = bereft();
    let found = |rig: &mut Rig| [inspect(rig, 3), inspect(rig, 4)];
    let [three, four] = found(&mut rig);
    assert_eq!((three.last, three.first, three.snapshot), (at(1, 3), LogIndex(1), None));
    assert_eq!(RecoveryPlan::choose(&[], 1), Err(PlanError::NoSurvivors));
    let twice = [three.clone(), three.clone()];
    assert_eq!(RecoveryPlan::choose(&twice, 1), Err(PlanError::Twice(NodeId(3))));
    let chosen = RecoveryPlan::choose(&[four.clone(), three.clone()], 1).unwrap();
    assert_eq!((chosen.keep, chosen.data_may_be_lost), (NodeId(3), false));
    let mut foreign = four.clone();
    foreign.group = GroupId(9);
    let mixed = [three.clone(), foreign];
    assert_eq!(RecoveryPlan::choose(&mixed, 1), Err(PlanError::MixedIdentity(NodeId(4))));
    let mut out = four.clone();
    out.disabled = Some(DisableReason::MustRejoin);
    let lost = [three.clone(), out];
    assert_eq!(RecoveryPlan::choose(&lost, 1), Err(PlanError::NotInService(NodeId(4))));
    let mut newcomer = four;
    newcomer.node = NodeId(8);
    let with_stranger = [three, newcomer];
    assert_eq!(RecoveryPlan::choose(&with_stranger, 1), Err(PlanError::NotMember(NodeId(8))));
}

// ---- fork ----------------------------------------------------------------------------------

#[test]
fn a_copy_becomes_a_group_of_its_own_and_hears_nothing_of_the_old_one() {
    // S-99, D-R10.
    let mut rig = bereft();
    let (options, voters, now) = (rig.options.clone(), rig.voters.clone(), rig.now);
    let copy = rig.at(3).disk.boot(50, &voters);
    let to = Fork { group: GroupId(2), node: NodeId(3), incarnation: Incarnation(9), plan_id: 4 };
    let forked = fork(&options, copy.clone(), to).unwrap();
    assert_eq!(fork(&options, copy.clone(), to).unwrap(), forked, "pure");
    let (position, entry) = &forked.entry;
    assert_eq!(position.index, LogIndex(4), "right behind the tail, which is kept");
    assert_eq!(entry.kind, raft_core::EntryKind::CONFIGURATION);
    assert_eq!(forked.boot.hard_state.term, position.term);
    let mut node = Node::boot(options.clone(), forked.boot.clone(), now).unwrap();
    assert_eq!(node.commit(), LogIndex(0), "the tail is not committed by a restore");
    let mut old = envelope(1, 3, 9, append((1, 3), &[], 3, 1));
    old.to_incarnation = Incarnation(0);
    let refused = node.step(now, Input::Receive(Box::new(old)));
    assert_eq!(refused, Err(Rejected::WrongCluster));
    // In the rig: the decree is appended, and it leads alone.
    rig.at(3).disk.hard = forked.boot.hard_state.clone();
    rig.at(3).disk.log.push(forked.entry.clone());
    rig.restart(3);
    rig.expire(3);
    assert_eq!((rig.node(3).role(), rig.commit(3)), (Role::Leader, 5));
    let status = rig.node(3).status();
    assert_eq!(status.group, GroupId(2));
    assert_eq!(status.configuration.voters(), [NodeId(3)]);
    assert_eq!(status.configuration.parts().recoveries, [(status.epoch, LogIndex(4))]);
    assert!(status.cluster != ClusterId(7) && status.cluster != ClusterId(0));
    // Another plan is another cluster.
    let other = fork(&options, copy.clone(), Fork { plan_id: 5, ..to }).unwrap();
    assert_ne!(other.boot.hard_state.cluster, forked.boot.hard_state.cluster);
    let same = Fork { incarnation: copy.hard_state.incarnation, ..to };
    assert_eq!(fork(&options, copy.clone(), same), Err(ForkError::Incarnation));
    let none = Fork { incarnation: Incarnation(0), ..to };
    assert_eq!(fork(&options, copy.clone(), none), Err(ForkError::Incarnation));
    let blank = Boot::blank(BootId(1), 1, hard_state(3));
    assert_eq!(fork(&options, blank, to), Err(ForkError::Blank));
    let mut broken = copy;
    broken.terms.clear();
    assert!(matches!(fork(&options, broken, to), Err(ForkError::Boot(_))));
}
