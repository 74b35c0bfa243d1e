//! Whole runs of the naive system.

use raft_core::{LogIndex, NodeId, Role, Term};

use super::observe::{Watch, differ};
use crate::{
    fault::{
        axes::AxisChoice,
        fates::Fates,
        plan::Axis,
        schedule::{Exception, MessageId, Schedule},
        swarm,
    },
    oracle::{OracleSetup, Oracles, sometimes::Mark},
    outcome::{OracleLevel, RunOptions, RunOutcome, Verdict},
    process::{Changed, NodeView, PeerView, Promises, naive::Bug},
    system::System,
    workload::kv::Call,
};

fn naive() -> System {
    Bug::None.as_system()
}

fn drawn(profile: &str, seed: u64) -> Schedule {
    let plan = swarm::plan(profile, seed).unwrap();
    swarm::schedule(plan, seed, "naive")
}

/// A schedule without any fault.
fn calm(seed: u64) -> Schedule {
    let mut schedule = drawn("smoke", seed);
    schedule.faults.clear();
    schedule.drawn = false;
    schedule.plan.axes.clear();
    schedule.plan.knobs.election_jitter_ns = schedule.plan.knobs.election_ns;
    schedule.core = (1..=u64::from(schedule.plan.voters)).collect();
    schedule
}

#[test]
fn a_schedule_that_cannot_be_run_is_refused() {
    let mut schedule = calm(1);
    schedule.plan.voters = 0;
    let outcome = naive().run(&schedule, &RunOptions::default());
    let Verdict::Internal(why) = outcome.verdict else { panic!("{:?}", outcome.verdict) };
    assert!(why.contains("plan.voters"), "{why}");
}

#[track_caller]
fn assert_clean(seed: u64, outcome: &RunOutcome) {
    assert_eq!(outcome.verdict, Verdict::Clean, "seed {seed} {:?}", outcome.stats);
}

#[test]
fn calm_runs_are_clean() {
    for seed in 0..20 {
        let schedule = calm(seed);
        let outcome = naive().run(&schedule, &RunOptions::default());
        assert_clean(seed, &outcome);
        assert_eq!(outcome.stats.unknown_ops, 0, "seed {seed}");
        assert!(outcome.stats.commits > 0, "seed {seed}");
    }
}

#[test]
fn faulty_runs_are_clean() {
    for seed in 0..200 {
        let schedule = drawn("default", seed);
        let outcome = naive().run(&schedule, &RunOptions::default());
        assert_clean(seed, &outcome);
    }
}

/// The digests of two runs of schedules that differ in one thing.
fn digests(one: &Schedule, other: &Schedule) -> (RunOutcome, RunOutcome) {
    let options = RunOptions { trace: true, ..RunOptions::default() };
    (naive().run(one, &options), naive().run(other, &options))
}

/// Lines that both traces share at their beginning, digests included.
fn shared(one: &RunOutcome, other: &RunOutcome) -> usize {
    one.trace.iter().zip(&other.trace).take_while(|(a, b)| a == b).count()
}

#[test]
fn one_payload_byte_changes_the_digest_from_there_on() {
    let schedule = calm(4);
    let mut edited = schedule.clone();
    let place = edited.ops.iter().position(|op| matches!(op.call, Call::Put { .. })).unwrap();
    if let Call::Put { value, .. } = &mut edited.ops[place].call {
        *value ^= 1;
    }
    let (one, other) = digests(&schedule, &edited);
    assert_ne!(one.digest, other.digest);
    let at = shared(&one, &other);
    assert_eq!(one.trace[at].ev, "request", "the request with the payload is the first to differ");
    for (a, b) in one.trace.iter().zip(&other.trace).skip(at) {
        assert_ne!(a.d, b.d, "event {}", a.i);
    }
}

#[test]
fn one_nanosecond_of_delay_changes_the_digest_from_there_on() {
    let schedule = calm(5);
    let options = RunOptions { trace: true, ..RunOptions::default() };
    let one = naive().run(&schedule, &options);
    // The first heartbeat of the first leader, found by what its line says.
    let line = one.trace.iter().find(|line| line.ev == "deliver").unwrap();
    let number = |name: &str| line.rest[name].as_u64().unwrap();
    let kind = match line.rest["kind"].as_str().unwrap() {
        "pre-vote" => 1,
        "request-vote" => 3,
        other => panic!("the first message is a {other}"),
    };
    let id = MessageId {
        from: number("from"),
        to: line.n,
        kind,
        term: number("term"),
        first: number("first"),
        last: number("last"),
        nth: 0,
    };
    let mut fates = Fates::new(&schedule, false);
    let delay = fates.message(&id, 0).delay_ns;
    let mut edited = schedule.clone();
    edited.exceptions.push(Exception::Message {
        id,
        lost: false,
        delay_ns: Some(delay + 1),
        copies_ns: Vec::new(),
    });
    let other = naive().run(&edited, &options);
    let at = shared(&one, &other);
    assert_eq!(other.trace[at].ev, "deliver");
    assert_eq!(other.trace[at].t, one.trace[at].t + 1);
    assert_ne!(one.digest, other.digest);
}

#[test]
fn the_order_of_two_completions_changes_the_digest() {
    // Two writes of one node completing in the other order is another run from the first on.
    let mut schedule = calm(6);
    schedule.plan.disk.reorder = true;
    schedule.plan.disk.latency_mean_ns = schedule.plan.knobs.election_ns / 50;
    let options = RunOptions { trace: true, materialise: true, ..RunOptions::default() };
    let one = naive().run(&schedule, &options);
    schedule.plan.disk.reorder = false;
    let other = naive().run(&schedule, &options);
    assert!(one.stats.axes[Axis::DiskReorder as usize].injected > 0);
    assert_eq!(other.stats.axes[Axis::DiskReorder as usize].injected, 0);
    assert_ne!(one.digest, other.digest);
}

#[test]
fn every_field_of_a_view_counts() {
    let base = NodeView { peers: vec![peer()], ..NodeView::default() };
    let edits: [fn(&mut NodeView); 16] = [
        |view| view.role = Role::Candidate,
        |view| view.term = Term(9),
        |view| view.vote = Some(NodeId(2)),
        |view| view.leader = Some(NodeId(2)),
        |view| view.last.term = Term(1),
        |view| view.last.index = LogIndex(1),
        |view| view.durable = LogIndex(1),
        |view| view.commit = LogIndex(1),
        |view| view.applied = LogIndex(1),
        |view| view.halted = true,
        |view| view.peers[0].matched = LogIndex(7),
        |view| view.peers[0].next = LogIndex(7),
        |view| view.peers[0].inflight = 7,
        |view| view.peers[0].inflight_bytes = 7,
        |view| view.peers.clear(),
        |view| view.loads.reads.0 = 7,
    ];
    let digest = |view: &NodeView, changed: Changed| {
        let mut watch = watch();
        watch.digest_view(changed, view);
        watch.digest.value()
    };
    for (at, edit) in edits.iter().enumerate() {
        let mut edited = base.clone();
        edit(&mut edited);
        let changed = differ(&base, &edited);
        assert_ne!(changed, Changed::default(), "edit {at} is seen");
        assert_ne!(digest(&edited, changed), digest(&base, changed), "edit {at} counts");
    }
}

fn peer() -> PeerView {
    let (matched, next) = (LogIndex(1), LogIndex(2));
    PeerView { peer: NodeId(1), matched, next, inflight: 0, inflight_bytes: 0 }
}

fn watch() -> Watch {
    let voters = [NodeId(1)];
    let setup = OracleSetup {
        voters: &voters,
        promises: Promises::ALL,
        without: &[],
        level: OracleLevel::None,
        clock_error_ppm: 1_000,
    };
    Watch::new(Oracles::new(setup), false)
}

#[test]
fn a_panic_of_the_system_is_a_verdict() {
    let schedule = calm(1);
    let outcome = Bug::Panics.as_system().run(&schedule, &RunOptions::default());
    let Verdict::Panic { message, node, event, .. } = outcome.verdict else {
        panic!("{:?}", outcome.verdict)
    };
    assert!(message.contains("planted"), "{message}");
    assert!(node > 0 && event > 0);
}

#[test]
fn a_run_is_a_function_of_its_schedule() {
    for seed in 0..10 {
        let schedule = drawn("default", seed);
        let options = RunOptions { materialise: true, ..RunOptions::default() };
        let first = naive().run(&schedule, &options);
        let second = naive().run(&schedule, &RunOptions::default());
        assert_eq!(first.digest, second.digest, "seed {seed}");
        assert_eq!(first.checkpoints, second.checkpoints, "seed {seed}");
        let third = naive().run(&first.materialised.unwrap(), &RunOptions::default());
        assert_eq!(first.digest, third.digest, "seed {seed}, materialised");
    }
}

/// Our own node through the same faults.
#[test]
fn faulty_runs_of_the_core_are_clean() {
    for seed in 0..300 {
        let plan = swarm::plan("default", seed).unwrap();
        let schedule = swarm::schedule(plan, seed, "core");
        let outcome =
            System::of::<crate::process::core::Core>().run(&schedule, &RunOptions::default());
        assert_clean(seed, &outcome);
    }
}

/// Runs of the core with exactly these axes; how often each mark was met.
fn met(axes: &[Axis], seeds: core::ops::Range<u64>) -> Vec<u64> {
    let choice = AxisChoice { only: axes.to_vec(), without: Vec::new() };
    let mut met = vec![0; Mark::ALL.len()];
    for seed in seeds {
        let plan = swarm::plan_with("smoke", seed, &choice).unwrap();
        let schedule = swarm::schedule(plan, seed, "core");
        let outcome =
            System::of::<crate::process::core::Core>().run(&schedule, &RunOptions::default());
        assert_clean(seed, &outcome);
        for (sum, hits) in met.iter_mut().zip(&outcome.stats.marks) {
            *sum += hits;
        }
    }
    met
}

#[track_caller]
fn assert_met(met: &[u64], marks: &[Mark]) {
    for mark in marks {
        assert!(met[*mark as usize] > 0, "{} was never met", mark.name());
    }
}

#[test]
fn nodes_of_mixed_versions_go_up_and_down_and_an_unknown_entry_stops_them() {
    let met = met(&[Axis::MixedVersions, Axis::Poison, Axis::Crash], 0..120);
    assert_met(
        &met,
        &[
            Mark::NodeUpgraded,
            Mark::NodeDowngraded,
            Mark::VersionsMixed,
            Mark::MessageNotInVersion,
            Mark::LevelRaised,
            Mark::MachineFailed,
            Mark::EntrySkipped,
            Mark::UnknownEntryStopped,
        ],
    );
}

#[test]
fn a_node_that_lost_its_disk_votes_again_as_a_new_life() {
    let choice = AxisChoice { only: vec![Axis::Replace, Axis::Hold], without: Vec::new() };
    let mut replaced = 0;
    for seed in 0..60 {
        let plan = swarm::plan_with("smoke", seed, &choice).unwrap();
        let mut schedule = swarm::schedule(plan, seed, "core");
        schedule.faults.truncate(1);
        let outcome =
            System::of::<crate::process::core::Core>().run(&schedule, &RunOptions::default());
        assert_clean(seed, &outcome);
        replaced += outcome.stats.marks[Mark::DiskReplaced as usize];
    }
    assert!(replaced > 10, "{replaced}");
}

#[test]
fn a_naive_system_has_no_levels_no_poison_and_no_lives() {
    let axes = [Axis::MixedVersions, Axis::Poison, Axis::Replace];
    let choice = AxisChoice { only: axes.to_vec(), without: Vec::new() };
    let plan = swarm::plan_with("smoke", 3, &choice).unwrap();
    let outcome = naive().run(&swarm::schedule(plan, 3, "naive"), &RunOptions::default());
    assert_clean(3, &outcome);
    let counts = axes.map(|axis| outcome.stats.axes[axis as usize]);
    assert!(counts.iter().all(|count| count.injected == 0), "{counts:?}");
    assert!(counts.iter().any(|count| count.refused > 0), "{counts:?}");
}

/// A calm run has no excuse: every operation ends with an answer.
#[test]
fn drawn_calm_runs_leave_nothing_unknown() {
    let mut calm = 0;
    for seed in 0..400 {
        let plan = swarm::plan("default", seed).unwrap();
        if plan.stratum != "calm" {
            continue;
        }
        calm += 1;
        let schedule = swarm::schedule(plan, seed, "core");
        let outcome =
            System::of::<crate::process::core::Core>().run(&schedule, &RunOptions::default());
        assert_clean(seed, &outcome);
        assert_eq!(outcome.stats.unknown_ops, 0, "seed {seed}");
        assert_eq!(outcome.stats.terms, 1, "seed {seed}: nothing unseats a leader");
    }
    assert!(calm >= 10, "{calm} calm runs of 400");
}
