//! Settings of the group: replicated, versioned, in force from commit.
//!
//! **Intuition.** Set up, act, check.
//! **Source.** SEEDS S-86, S-90, 2.2.3; D-R4, D-R7.
//! **Upholds.** `inv:lease-bound`, `inv:configuration-safety`.
//! **Not here.** Their bytes (`settings.rs` of the core).

use raft_core::{Change, ChangeError, ConfigAction, LogIndex, OptionsError, Role, Settings, Term};

use crate::rig::*;

fn changed(rig: &Rig, change: impl FnOnce(&mut Settings)) -> ConfigAction {
    let mut settings = *rig.node(1).settings();
    change(&mut settings);
    ConfigAction::SetSettings(settings)
}

#[test]
fn s_86_settings_take_effect_where_they_are_committed() {
    let mut rig = led();
    let action = changed(&rig, |s| s.heartbeat_ns = 20 * MS);
    let ticket = rig.begin_change(1, action.clone());
    assert_eq!(rig.node(1).options().heartbeat_ns, 50 * MS, "not from append");
    assert_eq!(
        rig.change(1, action.clone()),
        Err(ChangeError::ChangeInProgress { index: LogIndex(2) })
    );
    rig.deliver(|e| e.to.0 == 2);
    rig.deliver(|e| e.to.0 == 1);
    assert_eq!(rig.ended(1, ticket), Some(Ok(LogIndex(2))));
    let at_one = rig.node(1).settings();
    assert_eq!((at_one.version, rig.node(1).options().heartbeat_ns), (1, 20 * MS));
    let deadline = rig.node(1).deadline().unwrap();
    assert!(deadline.since(rig.now) <= 20 * MS, "the next heartbeat comes in the new time");
    assert_eq!(rig.node(3).settings().version, 0);
    rig.run(100 * MS);
    assert_eq!(rig.node(3).settings(), rig.node(1).settings());
    assert_eq!(rig.change(1, action), Ok(Change::Unchanged(LogIndex(0))), "a retry is harmless");
    let again = changed(&rig, |s| s.heartbeat_ns = 30 * MS);
    rig.carry(1, again);
    assert_eq!(rig.node(2).settings().version, 2);
}

#[test]
fn settings_cut_off_are_forgotten() {
    let mut rig = led();
    let action = changed(&rig, |s| s.heartbeat_ns = 20 * MS);
    let ticket = rig.begin_change(1, action);
    rig.lose_all();
    rig.at(1).up = false;
    rig.elect_among(2, &[2, 3]);
    rig.at(1).up = true;
    rig.run(500 * MS);
    let superseded = raft_core::OperationFailure::Superseded;
    assert_eq!(rig.ended(1, ticket), Some(Err(superseded)));
    for id in [1, 2, 3] {
        assert_eq!(rig.node(id).settings().version, 0, "n{id}");
    }
}

#[test]
fn contradictions_are_refused_before_anything_is_appended() {
    let mut rig = led();
    for (action, error) in [
        (changed(&rig, |s| s.heartbeat_ns = s.election_min_ns), OptionsError::Heartbeat),
        (changed(&rig, |s| s.election_max_ns = 1), OptionsError::ElectionTimeout),
        (changed(&rig, |s| s.lease = true), OptionsError::LeaseWithoutCheckQuorum),
    ] {
        assert_eq!(rig.change(1, action), Err(ChangeError::InvalidSettings(error)));
    }
    assert_eq!(rig.node(1).last().index.0, 1);
}

#[test]
fn s_90_a_restarted_node_has_the_groups_settings_whatever_its_options_say() {
    // D-R4; also of a snapshot: see the tests of snapshots.
    let mut rig = led();
    let action = changed(&rig, |s| s.heartbeat_ns = 20 * MS);
    rig.carry(1, action);
    rig.crash(3, 0);
    rig.restart(3);
    assert_eq!(rig.node(3).settings().version, 0, "what is not applied is not in force yet");
    rig.run(200 * MS);
    assert_eq!(rig.node(3).options().heartbeat_ns, 20 * MS);
    for id in [1, 2] {
        rig.at(id).up = false;
    }
    rig.crash(3, 0);
    rig.restart(3);
    rig.restart(2);
    rig.restart(1);
    rig.run(3_000 * MS);
    let leader = [1, 2, 3].into_iter().find(|id| rig.node(*id).role() == Role::Leader).unwrap();
    assert_eq!(rig.node(leader).settings().version, 1, "a new leader knows them once it commits");
}

#[test]
fn a_shorter_timeout_does_not_shorten_a_promise_already_given() {
    // SEEDS 2.2.3, T-4.2.3-05: the longest promise is on disk, and binds after it shrank.
    let mut rig = Rig::with(3, with(|o| o.lease = true));
    rig.elect(1);
    rig.run(100 * MS);
    let promise = rig.node(2).options().election_min_ns;
    assert_eq!(rig.at(2).disk.hard.promise_ns, promise);
    let action = changed(&rig, |s| (s.election_min_ns, s.heartbeat_ns) = (40 * MS, 10 * MS));
    rig.begin_change(1, action);
    rig.deliver_all();
    // The heartbeat that told n2 of the commit is the last thing it hears.
    rig.run(20 * MS);
    assert_eq!(rig.node(2).options().election_min_ns, 40 * MS);
    assert!(rig.at(2).disk.hard.promise_ns >= promise, "what is stored never falls in a boot");
    let last = rig.node(2).last();
    let term = rig.node(2).term().0;
    rig.crash(2, 0);
    rig.restart(2);
    rig.lose_all();
    rig.pass(promise - 1);
    let early = rig.tell(3, 2, term + 1, request_vote(last.term.0, last.index.0));
    assert_eq!((early.is_err(), rig.node(2).term()), (true, Term(term)));
    rig.pass(1);
    rig.tell(3, 2, term + 1, request_vote(last.term.0, last.index.0)).unwrap();
    assert_eq!(rig.node(2).vote(), Some(raft_core::NodeId(3)));
}
