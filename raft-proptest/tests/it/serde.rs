//! Serialised forms: every family of public values comes back from JSON as it was, and what could
//! not have been built is not read either.

use std::fmt::Debug;

use bytes::Bytes;
use raft_core::{
    Accepted, Apply, Boot, BootId, Bootstrap, Capacity, ConfigAction, ConfigChange, ConfigChanged,
    ConfigExpect, Configuration, DisableReason, Entries, Entry, EntryKind, HaltReason, HardState,
    Incarnation, Input, Instant, LogIndex, LogPosition, Node, NodeId, NotContiguous, Options,
    Outcome, Output, Priority, Proposal, ReadLevel, ReadRequest, ReceivedSnapshot, RecoveryEpoch,
    RecoveryPlan, Rejected, Role, Run, SendFailure, StageId, Term, TermRun, Ticket,
    TransferRequest, UnknownReason, types, wire,
};
use raft_proptest::bytes::{
    arbitrary::{Around, envelope, hard_state, meta, settings},
    mutate::choices,
    source::Source,
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};

#[track_caller]
fn comes_back<T: Serialize + DeserializeOwned + PartialEq + Debug>(value: &T) {
    let text = serde_json::to_string(value).unwrap();
    let back: T = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{text}: {error}"));
    assert_eq!(&back, value, "{text}");
}

fn run(term: u64, first: u64, count: u8) -> Run {
    let entry = |n| Entry {
        kind: EntryKind::COMMAND,
        payload: Bytes::copy_from_slice(&[n]),
        ..Entry::default()
    };
    Run::seal(Term(term), LogIndex(first), (0..count).map(entry).collect()).unwrap()
}

fn entries() -> Entries {
    let mut entries = Entries::from(run(2, 5, 3));
    entries.push(run(2, 8, 1)).unwrap();
    entries.push(run(4, 9, 2)).unwrap();
    entries
}

#[test]
fn ids_and_plain_values() {
    for number in [0, 1, u64::MAX] {
        comes_back(&NodeId(number));
        comes_back(&Term(number));
        comes_back(&LogIndex(number));
        comes_back(&types::ClusterId(number));
        comes_back(&types::GroupId(number));
        comes_back(&Incarnation(number));
        comes_back(&BootId(number));
        comes_back(&Ticket(number));
        comes_back(&types::ReadTicket(number));
        comes_back(&types::OperationTicket(number));
        comes_back(&StageId(number));
        comes_back(&Instant(number));
        comes_back(&LogPosition::new(Term(number), LogIndex(number)));
        comes_back(&RecoveryEpoch { number, plan_id: number });
    }
    assert_eq!(serde_json::to_value(NodeId(5)).unwrap(), json!(5), "an id is a bare number");
    for role in [Role::Follower, Role::PreCandidate, Role::Candidate, Role::Leader] {
        comes_back(&role);
    }
    comes_back(&types::Membership::Witness);
    comes_back(&types::Lifecycle::Quarantined);
}

#[test]
fn entries_and_logs() {
    comes_back(&run(3, 7, 2));
    comes_back(&run(3, 7, 5).as_slice().to_vec());
    comes_back(&entries());
    comes_back(&Entries::EMPTY);
    comes_back(&TermRun { first: LogIndex(3), term: Term(2) });
    let at = LogPosition::new(Term(1), LogIndex(2));
    comes_back(&NotContiguous { after: at, found: at });
    // Only the part that is meant is written, not the chunk it is shared from.
    let whole = entries();
    let middle = Entries::from(whole.runs()[0].clone());
    assert!(!serde_json::to_string(&middle).unwrap().contains("\"first\":9"));
}

#[test]
fn entries_that_could_not_be_built_are_not_read() {
    let good = serde_json::to_value(entries()).unwrap();
    assert!(serde_json::from_value::<Entries>(good.clone()).is_ok());
    let spoilt = |spoil: &dyn Fn(&mut Value)| {
        let mut value = good.clone();
        spoil(&mut value);
        serde_json::from_value::<Entries>(value).map_err(|error| error.to_string())
    };
    let refused = [
        spoilt(&|value| value[1]["first"] = json!(9)),
        spoilt(&|value| value[1]["term"] = json!(1)),
        spoilt(&|value| value[0]["first"] = json!(0)),
        spoilt(&|value| value[2]["first"] = json!(u64::MAX)),
        spoilt(&|value| value[0]["entries"] = json!([])),
        spoilt(&|value| drop(value.as_array_mut().unwrap().remove(1))),
    ];
    for (number, told) in refused.iter().enumerate() {
        assert!(told.is_err(), "case {number}: {told:?}");
    }
    let hole = refused[5].as_ref().unwrap_err();
    assert!(hole.contains("does not continue"), "{hole}");
    let run: Result<Run, _> = serde_json::from_value(json!({"term": 1, "first": 1, "entries": []}));
    assert!(run.is_err());
}

#[test]
fn membership_options_and_settings() {
    let options = Options::default();
    comes_back(&options);
    comes_back(&options.settings());
    comes_back(&Configuration::new([1, 2, 3].map(NodeId)).unwrap());
    comes_back(&Configuration::default());
    let refused: Result<Configuration, _> = serde_json::from_value(json!({
        "voters": [1, 2, 3], "outgoing": [], "learners": [2], "learners_next": [],
        "witnesses": [], "incarnations": [], "explicit_leave": false, "recoveries": []
    }));
    assert!(refused.is_err(), "a voter is no learner");
    for number in 0..200 {
        let bytes = choices(3, number, 60);
        comes_back(&settings(&mut Source::new(&bytes)));
    }
}

#[test]
fn messages_and_frames() {
    for number in 0..600 {
        let bytes = choices(4, number, 80);
        let envelope = envelope(&mut Source::new(&bytes), &Around::default());
        comes_back(&envelope);
        let mut frame = Vec::new();
        if wire::encode(&envelope, 1, &mut frame).is_ok() {
            comes_back(&wire::decode(frame.into()).unwrap());
        }
    }
    let mut peers = wire::Peers::new(1);
    peers.learn(NodeId(4), 1);
    assert!(peers.decode(Bytes::from_static(b"nothing")).is_err());
    comes_back(&peers);
    comes_back(&peers.versions(NodeId(4)));
    comes_back(&wire::Limits::default());
    comes_back(&wire::NotInVersion::Message { kind: 9, version: 0 });
    comes_back(&wire::Refusal::Checksum);
}

#[test]
fn disks_and_snapshots() {
    for number in 0..200 {
        let bytes = choices(5, number, 80);
        let mut source = Source::new(&bytes);
        let hard: HardState = hard_state(&mut source);
        let meta = meta(&mut source, LogPosition::new(Term(2), LogIndex(5)));
        comes_back(&hard);
        comes_back(&meta);
        let term = meta.position.term;
        comes_back(&Boot::blank(BootId(2), 3, hard).with_snapshot(meta.clone()));
        comes_back(&ReceivedSnapshot { stage: StageId(1), meta, from: NodeId(2), term });
    }
    for reason in [
        DisableReason::Operator(7),
        DisableReason::UnsupportedEntry { index: LogIndex(3), kind: 9 },
        DisableReason::SkipAfterApply { index: LogIndex(3) },
    ] {
        comes_back(&reason);
    }
}

#[test]
fn inputs_outputs_and_what_steps_answer() {
    let change = ConfigChange {
        expect: Some(ConfigExpect::Voters(vec![NodeId(1)])),
        action: ConfigAction::ReplaceVoters { voters: vec![NodeId(2)], explicit_leave: true },
        force: true,
    };
    let plan = RecoveryPlan {
        data_may_be_lost: true,
        survivors: vec![NodeId(1)],
        keep: NodeId(1),
        last: LogPosition::ZERO,
        term: Term(3),
        epoch: RecoveryEpoch { number: 1, plan_id: 2 },
    };
    let bootstrap = Bootstrap {
        configuration: Configuration::new([NodeId(1)]).unwrap(),
        position: LogPosition::new(Term(1), LogIndex(1)),
        settings: Some(Options::default().settings()),
        stage: Some(StageId(4)),
        digest: 5,
        size_bytes: 6,
    };
    let proposal = Proposal {
        payload: "x".into(),
        priority: Priority::Low,
        deadline: Some(Instant(4)),
        label: 9,
    };
    let read =
        ReadRequest { level: ReadLevel::Lease, min_index: LogIndex(4), deadline: Some(Instant(1)) };
    for input in [
        Input::Tick,
        Input::Propose("x".into()),
        Input::Read,
        Input::Applied(LogIndex(4)),
        Input::ProposeWith(Box::new(proposal)),
        Input::ReadWith(read),
        Input::ChangeConfig(Box::new(change)),
        Input::TransferLeader(TransferRequest { to: Some(NodeId(2)), replace: true }),
        Input::Campaign { min_term: Term(5) },
        Input::SetEligibility { priority: 3, can_lead: false },
        Input::Bootstrap(Box::new(bootstrap)),
        Input::Unreachable(NodeId(3)),
        Input::Capacity(Capacity::ConfigOnly),
        Input::Disable(DisableReason::Operator(1)),
        Input::UnsafeRecover(Box::new(plan.clone())),
        Input::AcceptRecovery(Box::new(plan)),
        Input::Shutdown,
    ] {
        comes_back(&input);
    }
    for output in [
        Output::Apply(Apply { entries: entries(), first_ticket: Some(Ticket(4)), skipped: false }),
        Output::RoleChanged { role: Role::Leader, term: Term(3) },
        Output::Outcome {
            first: Ticket(1),
            count: 2,
            outcome: Outcome::Unknown(UnknownReason::Shutdown),
        },
        Output::CompactTo(LogIndex(4)),
        Output::DiscardSnapshot(StageId(2)),
        Output::ConfigChanged(Box::new(ConfigChanged {
            configuration: Configuration::default(),
            index: LogIndex(3),
            committed: true,
        })),
        Output::Halted(HaltReason::ReadMismatch { index: LogIndex(2) }),
    ] {
        comes_back(&output);
    }
    comes_back(&Accepted::default());
    comes_back(&Rejected::WrongEpoch);
    comes_back(&SendFailure::Overloaded);
}

#[test]
fn a_whole_node_goes_on_from_where_it_was_written() {
    let hard = HardState::new(types::ClusterId(1), types::GroupId(1), NodeId(1), Incarnation(1));
    let voters = Configuration::new([NodeId(1)]).unwrap();
    let boot = Boot::new(BootId(1), 1, hard, voters);
    let mut node = Node::boot(Options::default(), boot, Instant(0)).unwrap();
    let mut now = Instant(0);
    for round in 0..40_u8 {
        now = node.deadline().unwrap_or(now).max(now);
        let _early = node.step(now, Input::Tick);
        let _not_yet = node.propose(now, Bytes::copy_from_slice(&[round]));
        comes_back(&node);
        while let Some(output) = node.poll() {
            comes_back(&output);
            match output {
                Output::Persist(write) => {
                    let _told = node.step(now, Input::Persisted(write.ack));
                }
                Output::Apply(apply) => {
                    let last = apply.entries.last().map(|at| at.index).unwrap_or_default();
                    let _told = node.step(now, Input::Applied(last));
                }
                _ => {}
            }
        }
    }
    assert!(node.applied() > LogIndex(20), "it led and applied: {}", node.status());
    comes_back(&node.status());
    comes_back(&node.queues());
}

/// What callers are told when they are refused: written into a journal or a reply, it comes back.
mod errors {
    use raft_core::{
        BootError, BootstrapError, CampaignError, CatalogueError, Change, ChangeError, ChooseError,
        ConfigLevel, ConfigurationError, DecodeConfigurationError, DecodeSettingsError, ForkError,
        Leftover, Lifecycle, LifecycleError, Look, NoLease, Note, OperationFailure, OptionsError,
        PlanError, ProposeError, ReadError, ReadFailure, Readiness, RecoveryError, SkipError,
        TakeSnapshotError, TransferError, TransferRefusal, Unfit,
        chunk::{ChunkOptions, ChunkOptionsError},
    };

    use super::*;

    const AT: LogPosition = LogPosition::new(Term(3), LogIndex(9));

    #[test]
    fn of_requests() {
        let (hint, reason) = (Some(NodeId(2)), Some(DisableReason::MustRejoin));
        for error in [
            ProposeError::NotLeader { hint },
            ProposeError::NotLeader { hint: None },
            ProposeError::ElectionInProgress { term: Term(4) },
            ProposeError::Disabled { reason },
            ProposeError::Transferring { to: hint },
            ProposeError::ApplyHalted { at: None },
            ProposeError::ApplyQueueFull { entries: 1, bytes: 2 },
            ProposeError::TooLarge { max: 7 },
            ProposeError::QueueFull { priority: Priority::Low },
            ProposeError::CommitStalled,
            ProposeError::Halted,
        ] {
            comes_back(&error);
        }
        for error in [
            ReadError::LeaseUnavailable(NoLease::Expired { at: Instant(5) }),
            ReadError::LeaseUnavailable(NoLease::TransferAlive { to: NodeId(3) }),
            ReadError::IndexTooFarAhead { last: LogIndex(4) },
            ReadError::NoData,
        ] {
            comes_back(&error);
        }
        comes_back(&ReadFailure::Transferring { to: NodeId(1) });
        comes_back(&OperationFailure::Refused(TransferRefusal::LogDiffers));
        let error: ProposeError =
            serde_json::from_value(json!("QuorumOfOne")).unwrap_or(ProposeError::Halted);
        assert_eq!(error, ProposeError::Halted, "an unknown reason is not taken for a known one");
    }

    #[test]
    fn of_operators() {
        let lagging =
            Readiness::Lagging { matched: LogIndex(1), applied: LogIndex(2), needed: LogIndex(3) };
        let configuration = Configuration::new([1, 2].map(NodeId)).unwrap();
        for error in [
            ChangeError::ConfigMismatch { index: LogIndex(2), configuration },
            ChangeError::NotReady(lagging),
            ChangeError::WouldBreakQuorum { responsive: 1, needed: 2 },
            ChangeError::InvalidSettings(OptionsError::Zero("reads_max")),
            ChangeError::InvalidSettings(OptionsError::Priority),
            ChangeError::CommitStalled,
        ] {
            comes_back(&error);
        }
        let empty = Configuration::new([]).unwrap_err();
        comes_back::<ConfigurationError>(&empty);
        comes_back(&ChangeError::InvalidConfiguration(empty));
        comes_back(&Change::Unchanged(LogIndex(4)));
        comes_back(&ConfigLevel::Committed);
        comes_back(&TransferError::TargetLagging { behind: 4 });
        comes_back(&CampaignError::WrongRole { role: Role::Leader });
        comes_back(&CampaignError::LeaseHeld { until: Instant(9) });
        comes_back(&LifecycleError::StillUnsupported { index: LogIndex(1), kind: 200 });
        comes_back(&SkipError::DigestMismatch { actual: u64::MAX });
        comes_back(&BootstrapError::NotEmpty(Leftover::Snapshot(AT)));
        comes_back(&BootstrapError::InvalidConfig(Unfit::Settings(OptionsError::Heartbeat)));
        comes_back(&BootstrapError::WrongRole(Lifecycle::Halted));
        comes_back(&RecoveryError::LogMoved { last: AT });
        comes_back(&PlanError::Twice(NodeId(1)));
        comes_back(&ForkError::Boot(BootError::Options(OptionsError::Level)));
        comes_back(&TakeSnapshotError::NothingNew { newest: LogIndex(3) });
    }

    #[test]
    fn of_disks() {
        for error in [
            BootError::Options(OptionsError::Zero("tail_bytes_max")),
            BootError::SnapshotMismatch { snapshot: AT },
            BootError::TermRegression { hard_state: Term(1), log: Term(2) },
            BootError::TermRuns { run: 4 },
        ] {
            comes_back(&error);
        }
        comes_back(&ChooseError::Gap { first: LogIndex(5), below: LogIndex(3) });
        comes_back(&CatalogueError::NameTaken { index: LogIndex(3) });
        comes_back::<DecodeConfigurationError>(&Configuration::decode(Bytes::new()).unwrap_err());
        comes_back::<DecodeSettingsError>(&raft_core::Settings::decode(Bytes::new()).unwrap_err());
        comes_back(&Look::OnDisk { position: AT, committed: true });
        comes_back(&Look::Entry { position: AT, entry: Entry::default(), committed: false });
        comes_back(&Note::LogBehind { candidate: NodeId(2), ours: AT });
        comes_back(&Note::TermsFull { runs: 3 });
    }

    #[test]
    fn the_name_of_a_limit_is_one_there_is() {
        let options = ChunkOptions { window: 0, ..ChunkOptions::default() };
        let error = options.validate().unwrap_err();
        assert_eq!(error, ChunkOptionsError::Zero("window"));
        comes_back(&error);
        for made_up in [json!({"Zero": "no_such_limit"}), json!({"Zero": 5})] {
            assert!(serde_json::from_value::<OptionsError>(made_up.clone()).is_err(), "{made_up}");
            assert!(serde_json::from_value::<ChunkOptionsError>(made_up).is_err());
        }
    }
}
