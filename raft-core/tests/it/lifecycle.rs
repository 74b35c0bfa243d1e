//! Lifecycle: blank, founded, disabled, quarantined.
//!
//! **Intuition.** Who may not speak says nothing; what an operator decides is durable before it is
//! told.
//! **Source.** SEMANTICS 2.11.1, 2.12.6; S-08, S-12, S-13, S-16, S-17; D-T9, D-W1, D-W16.
//! **Upholds.** `inv:one-vote-per-term`, `inv:election-safety`.
//! **Not here.** Recovery (`recovery.rs`), skipping entries (`skip.rs`), who may propose
//! (`admission.rs`).

use raft_core::{
    Bootstrap, BootstrapError, ClusterId, Configuration, ConfigurationParts, DisableReason,
    Incarnation, Input, Leftover, Lifecycle, LifecycleError, LogIndex, Membership, NodeId,
    OperationTicket, Options, OptionsError, RecoveryEpoch, Rejected, Role, StageId, Term, Unfit,
};

use crate::rig::*;

// ---- blank and founded ---------------------------------------------------------------------

/// Nodes on empty disks that know no cluster.
pub(crate) fn blanks(n: u64) -> Rig {
    let mut rig = Rig::with(0, plain());
    for _ in 0..n {
        let id = rig.add_blank();
        rig.at(id).disk.hard.cluster = ClusterId(0);
        rig.restart(id);
    }
    rig
}

pub(crate) fn founding(voters: &[u64]) -> Bootstrap {
    Bootstrap {
        configuration: Configuration::new(voters.iter().map(|id| NodeId(*id))).unwrap(),
        position: at(1, 1),
        settings: None,
        stage: None,
        digest: 0,
        size_bytes: 0,
    }
}

pub(crate) fn found(
    rig: &mut Rig,
    id: u64,
    bootstrap: Bootstrap,
) -> Result<OperationTicket, BootstrapError> {
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

pub(crate) fn disable(
    rig: &mut Rig,
    id: u64,
    number: u64,
) -> Result<OperationTicket, LifecycleError> {
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
