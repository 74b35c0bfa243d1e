//! Lifecycle: blank, founded, disabled, quarantined, recovered, forked; and what a status shows.
//!
//! **Intuition.** Who may not speak says nothing; what an operator decides is durable before it is
//! told; a recovered group cannot be mixed up with the one it came from.
//! **Source.** SEMANTICS 2.11.1, 2.12.6, 2.13, 2.14, 2.15; S-12, S-13, S-16, S-17, S-82, S-99,
//! S-100, S-103 to S-105; D-W2, D-W16, D-R10.
//! **Upholds.** `inv:one-vote-per-term`, `inv:election-safety`, `inv:configuration-safety`.
//! **Not here.** Skipping entries (`skip.rs`), who may propose (`admission.rs`).

use raft_core::{
    Boot, BootId, Bootstrap, BootstrapError, ClusterId, Configuration, ConfigurationParts,
    DisableReason, Fork, ForkError, GroupId, Incarnation, Input, Inspection, Leftover, Lifecycle,
    LifecycleError, LogIndex, Look, Membership, Node, NodeId, OperationTicket, Options,
    OptionsError, PlanError, RecoveryEpoch, RecoveryError, RecoveryPlan, Rejected, Role, StageId,
    Term, Unfit, fork,
};

use crate::rig::*;

// ---- blank and founded ---------------------------------------------------------------------

/// Nodes on empty disks that know no cluster.
fn blanks(n: u64) -> Rig {
    let mut rig = Rig::with(0, plain());
    for _ in 0..n {
        let id = rig.add_blank();
        rig.at(id).disk.hard.cluster = ClusterId(0);
        rig.restart(id);
    }
    rig
}

fn founding(voters: &[u64]) -> Bootstrap {
    Bootstrap {
        configuration: Configuration::new(voters.iter().map(|id| NodeId(*id))).unwrap(),
        position: at(1, 1),
        settings: None,
        stage: None,
        digest: 0,
        size_bytes: 0,
    }
}

fn found(rig: &mut Rig, id: u64, bootstrap: Bootstrap) -> Result<OperationTicket, BootstrapError> {
    let now = rig.now;
    let result = rig.at(id).node.bootstrap(now, bootstrap);
    rig.drain(id);
    result
}

#[test]
fn a_disk_without_a_group_is_quiet() {
    // S-12.
    let mut rig = blanks(2);
    assert_eq!(rig.node(1).membership(), Membership::Blank);
    for _ in 0..20 {
        rig.tick(1);
    }
    assert_eq!((rig.office(1), rig.net.len()), ((Role::Follower, 0, None), 0));
    for message in [request_vote(1, 1), pre_vote(1, 1, 4, (1, 1)), vote(true)] {
        let mut asked = envelope(2, 1, 5, message);
        asked.cluster = ClusterId(0);
        assert_eq!(rig.receive(asked), Err(Rejected::NotInGroup));
    }
    assert_eq!((rig.office(1), rig.net.len()), ((Role::Follower, 0, None), 0));
    assert!(!rig.node(1).status().health().live);
}

#[test]
fn each_error_of_a_bootstrap_can_be_reached() {
    // D-T9, 2.11.1(a).
    let mut rig = blanks(3);
    let refused = |rig: &mut Rig, change: &dyn Fn(&mut Bootstrap)| {
        let mut bootstrap = founding(&[1, 2, 3]);
        change(&mut bootstrap);
        let before = rig.node(1).clone();
        let error = found(rig, 1, bootstrap.clone()).unwrap_err();
        let coarse = rig.step(1, Input::Bootstrap(Box::new(bootstrap)));
        assert_eq!(coarse, Err(Rejected::BootstrapRefused));
        assert_eq!(before.status().term, rig.node(1).status().term);
        error
    };
    let unfit = BootstrapError::InvalidConfig;
    assert_eq!(
        refused(&mut rig, &|b| b.configuration = Configuration::default()),
        unfit(Unfit::Blank)
    );
    let parts = |change: fn(&mut ConfigurationParts)| {
        let mut parts = founding(&[1, 2, 3]).configuration.parts().clone();
        change(&mut parts);
        Configuration::from_parts(parts).unwrap()
    };
    let joint = parts(|p| p.outgoing = vec![NodeId(1)]);
    assert_eq!(refused(&mut rig, &|b| b.configuration = joint.clone()), unfit(Unfit::Joint));
    let reborn = parts(|p| p.incarnations = vec![(NodeId(1), Incarnation(5))]);
    let error = unfit(Unfit::Incarnation(Incarnation(5)));
    assert_eq!(refused(&mut rig, &|b| b.configuration = reborn.clone()), error);
    let old = parts(|p| p.recoveries = vec![(RecoveryEpoch::default(), LogIndex(1))]);
    assert_eq!(refused(&mut rig, &|b| b.configuration = old.clone()), unfit(Unfit::Recoveries));
    for position in [at(0, 0), at(0, 1), at(1, 0), at(u64::MAX, 1)] {
        let error = unfit(Unfit::Position(position));
        assert_eq!(refused(&mut rig, &|b| b.position = position), error);
    }
    let mut bad = Options::default().settings();
    bad.heartbeat_ns = bad.election_min_ns;
    let error = unfit(Unfit::Settings(OptionsError::Heartbeat));
    assert_eq!(refused(&mut rig, &|b| b.settings = Some(bad)), error);
    assert_eq!(
        refused(&mut rig, &|b| b.configuration = founding(&[2, 3]).configuration),
        BootstrapError::SelfNotVoter
    );
    let witness = parts(|p| p.witnesses = vec![NodeId(1)]);
    assert_eq!(
        refused(&mut rig, &|b| b.configuration = witness.clone()),
        BootstrapError::SelfNotVoter
    );
    // What is on the disk.
    let mut heard = envelope(2, 3, 4, append((0, 0), &[], 0, 1));
    heard.cluster = ClusterId(0);
    rig.receive(heard).unwrap();
    let error = BootstrapError::NotEmpty(Leftover::Term(Term(4)));
    assert_eq!(found(&mut rig, 3, founding(&[3])), Err(error));
    let mut used = Rig::with(0, plain());
    used.add_blank();
    used.begin(1, 2, None, &[1, 2]);
    let error = BootstrapError::NotEmpty(Leftover::Log(LogIndex(2)));
    assert_eq!(found(&mut used, 1, founding(&[1])), Err(error));
    found(&mut rig, 1, founding(&[1])).unwrap();
    assert_eq!(found(&mut rig, 1, founding(&[1])), Err(BootstrapError::AlreadyBootstrapped));
    let now = rig.now;
    rig.at(2).node.disable(now, 1).unwrap();
    rig.drain(2);
    let error = BootstrapError::WrongRole(Lifecycle::Disabled);
    assert_eq!(found(&mut rig, 2, founding(&[2])), Err(error));
}

#[test]
fn a_sole_member_founds_leads_and_commits() {
    // S-13, S-45.
    let mut rig = blanks(1);
    let ticket = found(&mut rig, 1, founding(&[1])).unwrap();
    assert_eq!(rig.at(1).operations, [(ticket, Ok(LogIndex(1)))]);
    assert_eq!(rig.office(1), (Role::Follower, 1, None), "no vote is claimed");
    assert_eq!(rig.at(1).machine.applied, 1, "the machine stands at the position");
    assert_eq!(rig.node(1).deadline(), Some(rig.now), "nobody else to wait for");
    rig.tick(1);
    assert_eq!(rig.office(1), (Role::Leader, 2, Some(1)));
    rig.propose(1, "x");
    assert_eq!((rig.commit(1), rig.at(1).machine.applied), (3, 3));
    rig.crash(1, 0);
    rig.restart(1);
    rig.expire(1);
    assert_eq!((rig.office(1).0, rig.commit(1)), (Role::Leader, 4));
}

#[test]
fn a_bootstrap_is_told_when_it_is_durable_and_a_crash_before_leaves_the_disk_empty() {
    let mut rig = blanks(1);
    rig.at(1).slow_disk = true;
    let ticket = found(&mut rig, 1, founding(&[1])).unwrap();
    assert!(rig.at(1).operations.is_empty() && rig.at(1).installs.is_empty());
    for _ in 0..3 {
        rig.tick(1);
    }
    assert_ne!(rig.node(1).role(), Role::Leader);
    rig.crash(1, 0);
    rig.restart(1);
    assert_eq!(rig.node(1).membership(), Membership::Blank);
    assert!(rig.at(1).operations.is_empty(), "{ticket} died with its boot");
    found(&mut rig, 1, founding(&[1])).unwrap();
    rig.crash(1, 1);
    rig.restart(1);
    assert_eq!(rig.node(1).membership(), Membership::Voter, "the write happened to be on disk");
}

#[test]
fn equal_arguments_found_one_group_and_different_ones_two() {
    // 2.11.1(b).
    let mut rig = blanks(4);
    for id in 1..=3 {
        found(&mut rig, id, founding(&[1, 2, 3])).unwrap();
    }
    let cluster = rig.node(1).status().cluster;
    assert!(cluster != ClusterId(0) && (2..=3).all(|id| rig.node(id).status().cluster == cluster));
    rig.elect(1);
    rig.propose(1, "x");
    rig.deliver_all();
    assert_eq!((1..=3).map(|id| rig.commit(id)).collect::<Vec<_>>(), [3, 3, 3]);
    // Each argument is part of the identity.
    let others: [fn(&mut Bootstrap); 6] = [
        |b| b.configuration = founding(&[1, 2]).configuration,
        |b| b.position = at(2, 1),
        |b| b.position = at(1, 2),
        |b| b.digest = 1,
        |b| b.size_bytes = 1,
        |b| {
            b.settings = Some({
                let mut settings = plain().settings();
                settings.election_max_ns += 1;
                settings
            })
        },
    ];
    let mut seen = vec![cluster];
    for change in others {
        let mut rig = blanks(1);
        let mut bootstrap = founding(&[1, 2, 3]);
        change(&mut bootstrap);
        found(&mut rig, 1, bootstrap).unwrap();
        assert!(!seen.contains(&rig.node(1).status().cluster));
        seen.push(rig.node(1).status().cluster);
    }
    // And the two do not hear each other.
    let mut other = founding(&[1, 2, 3, 4]);
    other.digest = 9;
    found(&mut rig, 4, other).unwrap();
    let mut foreign = envelope(1, 4, 9, append((0, 0), &[], 0, 1));
    foreign.cluster = cluster;
    assert_eq!(rig.receive(foreign), Err(Rejected::WrongCluster));
    assert_eq!(rig.node(4).status().rejections, [(Rejected::WrongCluster, 1)]);
}

#[test]
fn an_empty_disk_takes_over_the_cluster_and_epoch_of_the_leader_it_hears() {
    let mut rig = blanks(1);
    let mut heard = envelope(2, 1, 4, append((3, 9), &[], 9, 1));
    heard.cluster = ClusterId(77);
    heard.epoch = RecoveryEpoch { number: 2, plan_id: 5 };
    rig.at(1).slow_disk = true;
    rig.receive(heard.clone()).unwrap();
    assert!(rig.net.is_empty(), "not before that is durable");
    rig.ack(1);
    let answer = &rig.sent_by(1)[0];
    assert_eq!((answer.cluster, answer.epoch), (heard.cluster, heard.epoch));
    assert_eq!(as_reply(&answer.message).result, raft_core::AppendResult::NeedSnapshot);
    assert_eq!(rig.at(1).disk.hard.cluster, ClusterId(77));
    heard.cluster = ClusterId(78);
    assert_eq!(rig.receive(heard), Err(Rejected::WrongCluster), "once");
    // A disk that was told its cluster believes no other.
    let mut rig = Rig::with(0, plain());
    rig.add_blank();
    let mut foreign = envelope(2, 1, 4, append((3, 9), &[], 9, 1));
    foreign.cluster = ClusterId(77);
    assert_eq!(rig.receive(foreign), Err(Rejected::WrongCluster));
}

#[test]
fn first_data_is_published_and_installed_with_the_group() {
    let mut rig = blanks(1);
    let mut bootstrap = founding(&[1]);
    (bootstrap.stage, bootstrap.digest, bootstrap.size_bytes) = (Some(StageId(900)), 5, 16);
    let settings = rig.options.settings();
    let mut meta =
        raft_core::SnapshotMeta::empty(at(1, 1), bootstrap.configuration.clone(), settings, 0);
    (meta.digest, meta.size_bytes) = (5, 16);
    let image = Image { meta, machine: Machine { applied: 1, hash: 5 } };
    rig.at(1).disk.stages.insert(900, image);
    found(&mut rig, 1, bootstrap).unwrap();
    assert_eq!(rig.at(1).machine, Machine { applied: 1, hash: 5 });
    assert_eq!(rig.node(1).status().snapshot, Some(at(1, 1)));
}

// ---- out of service ------------------------------------------------------------------------

fn disable(rig: &mut Rig, id: u64, number: u64) -> Result<OperationTicket, LifecycleError> {
    let now = rig.now;
    let result = rig.at(id).node.disable(now, number);
    rig.drain(id);
    result
}

fn enable(rig: &mut Rig, id: u64) -> Result<OperationTicket, LifecycleError> {
    let now = rig.now;
    let result = rig.at(id).node.enable(now);
    rig.drain(id);
    result
}

/// Votes, appends and timeouts lead to nothing at n2.
fn is_dead(rig: &mut Rig, id: u64, refusal: Rejected) {
    let (office, log) = (rig.office(id), rig.log(id));
    rig.lose_all();
    let term = office.1 + 5;
    for message in [
        request_vote(term - 1, 99),
        pre_vote(1, 1, term, (term, 99)),
        append((0, 0), &[term], 1, 1),
        matched(1, 1),
    ] {
        assert_eq!(rig.tell(1, id, term, message), Err(refusal));
    }
    for _ in 0..10 {
        rig.tick(id);
    }
    assert_eq!((rig.office(id), rig.log(id), rig.net.len()), (office, log, 0));
    assert_eq!(rig.step(id, Input::Propose("x".into())), Err(refusal));
    assert_eq!(rig.step(id, Input::Read), Err(refusal));
    assert!(!rig.node(id).status().health().live);
}

#[test]
fn a_disabled_node_is_as_good_as_dead_until_it_is_enabled() {
    // S-17.
    let mut rig = led();
    let ticket = disable(&mut rig, 2, 7).unwrap();
    let reason = DisableReason::Operator(7);
    assert_eq!(rig.at(2).operations, [(ticket, Ok(LogIndex(0)))]);
    assert_eq!(rig.at(2).lifecycles, [(Lifecycle::Disabled, Some(reason))]);
    is_dead(&mut rig, 2, Rejected::Disabled);
    let error = LifecycleError::AlreadyDisabled { reason };
    assert_eq!(disable(&mut rig, 2, 8), Err(error));
    // The reason survives a restart.
    rig.crash(2, 0);
    rig.restart(2);
    assert_eq!(rig.node(2).status().disabled, Some(reason));
    is_dead(&mut rig, 2, Rejected::Disabled);
    rig.at(2).slow_disk = true;
    enable(&mut rig, 2).unwrap();
    assert_eq!(rig.node(2).lifecycle(), Lifecycle::Disabled, "durable before it takes effect");
    assert_eq!(rig.tell(1, 2, 9, request_vote(8, 99)), Err(Rejected::Disabled));
    rig.ack(2);
    rig.at(2).slow_disk = false;
    assert_eq!(rig.at(2).lifecycles.last(), Some(&(Lifecycle::Running, None)));
    assert_eq!(enable(&mut rig, 2), Err(LifecycleError::AlreadyEnabled));
    rig.tell(1, 2, 9, request_vote(8, 99)).unwrap();
    assert_eq!(rig.only_reply(2), vote(true));
}

#[test]
fn a_leader_that_is_disabled_leaves_and_sends_nothing_more() {
    // D-W16 (1d0ebd5: leftovers after resigning).
    let mut rig = led();
    rig.at(1).slow_disk = true;
    rig.propose(1, "x");
    let read = rig.read(1);
    rig.lose_all();
    disable(&mut rig, 1, 1).unwrap();
    assert_eq!(rig.node(1).role(), Role::Follower);
    assert_eq!(rig.at(1).failed_reads.len(), 1, "{read}");
    assert!(rig.at(1).lifecycles.is_empty(), "told once durable");
    rig.ack(1);
    assert_eq!((rig.net.len(), rig.at(1).lifecycles.len()), (0, 1));
    rig.elect_among(2, &[2, 3]);
}

#[test]
fn a_crash_before_the_reason_is_durable_forgets_it_and_after_it_does_not() {
    // D-W16 (fb4f876), D-W1.
    for written in [0, 1] {
        let mut rig = led();
        rig.at(2).slow_disk = true;
        disable(&mut rig, 2, 7).unwrap();
        assert!(rig.at(2).operations.is_empty());
        assert_eq!(rig.tell(1, 2, 9, request_vote(8, 99)), Err(Rejected::Disabled), "at once");
        rig.crash(2, written);
        rig.restart(2);
        let lifecycle = [Lifecycle::Running, Lifecycle::Disabled][written];
        assert_eq!(rig.node(2).lifecycle(), lifecycle);
    }
}

#[test]
fn only_an_operator_can_be_the_reason_given() {
    let mut rig = led();
    for reason in [DisableReason::MustRejoin, DisableReason::SkipAfterApply { index: LogIndex(1) }]
    {
        assert_eq!(rig.step(2, Input::Disable(reason)), Err(Rejected::LifecycleRefused));
    }
    assert_eq!(rig.step(2, Input::Enable), Err(Rejected::LifecycleRefused));
}

#[test]
fn operations_that_wait_for_the_disk_are_bounded() {
    let mut rig = led();
    rig.at(2).slow_disk = true;
    let mut accepted = 0;
    for round in 0..40 {
        let result = if round % 2 == 0 { disable(&mut rig, 2, round) } else { enable(&mut rig, 2) };
        match result {
            Ok(_) => accepted += 1,
            // The first to be refused leaves the node in service, and then there is nothing to do.
            Err(LifecycleError::Busy) => assert_eq!(accepted, 16),
            Err(error) => assert_eq!((error, accepted), (LifecycleError::AlreadyEnabled, 16)),
        }
    }
    assert_eq!(accepted, 16);
    rig.ack(2);
    assert_eq!(rig.at(2).operations.len(), accepted);
}

/// An entry of a kind that only a node of level 1 knows, and what it says.
fn skip_entry_of(target: u64) -> raft_core::Entry {
    let payload = vec![target as u8, 0].into();
    raft_core::Entry { kind: raft_core::EntryKind::SKIP, payload, ..Default::default() }
}

#[test]
fn an_entry_that_is_not_understood_disables_durably_until_a_newer_version_runs() {
    // S-08, D-W16: nothing of the append is believed, not even where it would cut.
    let mut options = plain();
    options.level = 0;
    let mut rig = Rig::with(3, options);
    rig.begin(2, 2, None, &[1, 1, 2]);
    let strange = [(at(1, 2), entry_at(1, 2)), (at(3, 3), skip_entry_of(1))];
    let message = raft_core::Message::AppendEntries(raft_core::AppendEntries {
        previous: at(1, 1),
        entries: raft_core::Entries::collect(strange).unwrap(),
        commit: LogIndex(3),
        round: 1,
        void_transfer: 0,
    });
    rig.tell(1, 2, 3, message.clone()).unwrap();
    let reason = DisableReason::UnsupportedEntry { index: LogIndex(3), kind: 5 };
    assert_eq!(rig.node(2).disabled(), Some(reason));
    assert_eq!((rig.log(2), rig.net.len()), (vec![1, 1, 2], 0), "no acknowledgement either");
    rig.crash(2, 0);
    rig.restart(2);
    is_dead(&mut rig, 2, Rejected::Disabled);
    let error = LifecycleError::StillUnsupported { index: LogIndex(3), kind: 5 };
    assert_eq!(enable(&mut rig, 2), Err(error));
    rig.options.level = 1;
    rig.restart(2);
    assert_eq!(rig.node(2).lifecycle(), Lifecycle::Disabled, "not by itself");
    enable(&mut rig, 2).unwrap();
    rig.tell(1, 2, 3, message).unwrap();
    assert_eq!((rig.log(2), rig.node(2).lifecycle()), (vec![1, 1, 3], Lifecycle::Running));
}

fn entry_at(term: u64, index: u64) -> raft_core::Entry {
    entries(index - 1, &[term]).iter().next().unwrap().entry.clone()
}

#[test]
fn a_configuration_of_a_newer_format_disables_too() {
    // S-08.
    let mut rig = led();
    let entry = raft_core::Entry {
        kind: raft_core::EntryKind::CONFIGURATION,
        payload: vec![200].into(),
        ..Default::default()
    };
    let message = raft_core::Message::AppendEntries(raft_core::AppendEntries {
        previous: at(1, 1),
        entries: raft_core::Entries::collect([(at(1, 2), entry)]).unwrap(),
        commit: LogIndex(2),
        round: 9,
        void_transfer: 0,
    });
    rig.tell(1, 2, 1, message).unwrap();
    let reason = DisableReason::UnsupportedEntry { index: LogIndex(2), kind: 2 };
    assert_eq!((rig.node(2).disabled(), rig.log(2)), (Some(reason), vec![1]));
}

#[test]
fn a_quarantined_node_gives_nothing_for_ever() {
    // S-16, 2.12.6.
    let mut rig = led();
    rig.run(100 * MS);
    rig.at(2).disk.hard.disabled = Some(DisableReason::MustRejoin);
    rig.restart(2);
    assert_eq!(rig.node(2).lifecycle(), Lifecycle::Quarantined);
    is_dead(&mut rig, 2, Rejected::Quarantined);
    assert_eq!(enable(&mut rig, 2), Err(LifecycleError::MustRejoin));
    let now = rig.now;
    let refused = rig.at(2).node.propose(now, "x".into());
    assert_eq!(refused, Err(raft_core::ProposeError::Quarantined));
}

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
    let (options, voters) = (rig.options.clone(), rig.voters.clone());
    Inspection::of(&options, &rig.at(id).disk.boot(9, &voters)).unwrap()
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
        let after = (rig.at(3).writes.len() > 0).then_some(written).unwrap_or(0);
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
    assert_eq!((three.last, three.first, three.snapshot), (at(1, 3), LogIndex(1), at(0, 0)));
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
