//! Fates keep what they promise: keyed, materialisable, at the planned rates.
//!
//! **Intuition.** A crowd of messages and disk operations meets its fates twice, under two
//! circumstances that must not matter.
//! **Source.** docs/TRACE.md, "Identities and fates".
//! **Upholds.** `inv:pure`.
//! **Not here.** Whole runs (`trace/tests.rs`).

use super::*;
use crate::fault::swarm;

fn drawn(seed: u64) -> Schedule {
    let choice = crate::fault::axes::AxisChoice { only: Axis::ALL.to_vec(), without: vec![] };
    swarm::schedule(swarm::plan_with("default", seed, &choice).unwrap(), seed, "x")
}

fn messages() -> Vec<MessageId> {
    let mut ids = Vec::new();
    for (from, to) in [(1, 2), (2, 1), (1, 3), (3, 1)] {
        for last in 0..500 {
            for nth in 0..2 {
                let kind = 5 + (last % 3) as u8;
                ids.push(MessageId { from, to, kind, term: 2, first: last, last, nth });
            }
        }
    }
    ids
}

fn disks() -> Vec<DiskOpId> {
    (0..3000)
        .map(|i| DiskOpId {
            node: 1 + i % 3,
            boot: 1 + i / 1000,
            kind: 1 + (i % 3) as u8,
            first: i,
            last: i + i % 4,
            nth: 0,
        })
        .collect()
}

/// What happened, without the reasons.
type Happened = (Vec<(bool, Ns, Vec<Ns>)>, Vec<Ns>, Vec<u64>);

fn happen(fates: &mut Fates) -> Happened {
    let flat = |fate: MessageFate| {
        let delay = if fate.lost { 0 } else { fate.delay_ns };
        (fate.lost, delay, fate.copies_ns[..usize::from(fate.copies)].to_vec())
    };
    (
        messages().iter().map(|id| flat(fates.message(id, 0))).collect(),
        disks().iter().map(|id| fates.disk(id)).collect(),
        (1..50).map(|boot| fates.power_loss(1, boot, boot % 7)).collect(),
    )
}

#[test]
fn a_materialised_schedule_replays_the_same_fates() {
    let mut kinds = 0_u32;
    for seed in 0..30 {
        let schedule = drawn(seed);
        let mut fresh = Fates::new(&schedule, true);
        let first = happen(&mut fresh);
        for id in messages() {
            kinds |= fresh.message(&id, 7).axes;
        }
        let listed = schedule.materialised(fresh.exceptions());
        assert!(!listed.drawn && !listed.exceptions.is_empty());
        let mut again = Fates::new(&listed, true);
        assert_eq!(happen(&mut again), first, "seed {seed}");
        let count = listed.exceptions.len() as u64;
        assert_eq!(again.applied(), (count, count));
        // And materialising that once more changes nothing.
        assert_eq!(again.exceptions(), listed.exceptions);
    }
    for axis in [Axis::Loss, Axis::Duplicate, Axis::Hold, Axis::Delay] {
        assert!(kinds & bit(axis) != 0, "{} never happened", axis.name());
    }
}

#[test]
fn removing_one_exception_changes_that_message_alone() {
    let schedule = drawn(3);
    let mut fresh = Fates::new(&schedule, true);
    let first = happen(&mut fresh);
    let mut listed = schedule.materialised(fresh.exceptions());
    listed.exceptions.remove(5);
    let second = happen(&mut Fates::new(&listed, false));
    let differing = first.0.iter().zip(&second.0).filter(|(a, b)| a != b).count();
    assert_eq!((differing, &first.1, &first.2), (1, &second.1, &second.2));
}

#[test]
fn fates_do_not_depend_on_order_or_time() {
    let schedule = drawn(4);
    let mut forwards = Fates::new(&schedule, false);
    let mut backwards = Fates::new(&schedule, false);
    let ids = messages();
    let a: Vec<_> = ids.iter().map(|id| forwards.message(id, id.last)).collect();
    let mut b: Vec<_> = ids.iter().rev().map(|id| backwards.message(id, 1)).collect();
    b.reverse();
    assert_eq!(a, b);
}

#[test]
fn losses_come_in_bursts_and_at_the_planned_rate() {
    let mut schedule = drawn(5);
    schedule.plan.net.loss = Chance(1 << 30);
    let mut rates = Vec::new();
    for burst in [0, 10] {
        schedule.plan.net.loss_burst = burst;
        let mut fates = Fates::new(&schedule, false);
        let lost: Vec<bool> = (0..20_000)
            .map(|last| {
                let id = MessageId { from: 1, to: 2, kind: 5, term: 1, first: last, last, nth: 0 };
                fates.message(&id, 0).lost
            })
            .collect();
        let count = lost.iter().filter(|lost| **lost).count();
        let pairs = lost.windows(2).filter(|pair| pair[0] && pair[1]).count();
        rates.push((count, pairs));
    }
    let [(plain, plain_pairs), (bursts, burst_pairs)] = rates[..] else { panic!() };
    assert!(plain.abs_diff(5000) < 250 && bursts.abs_diff(5000) < 600, "{plain} {bursts}");
    assert!(burst_pairs > 2 * plain_pairs, "{burst_pairs} against {plain_pairs}");
}

#[test]
fn half_of_the_copies_are_late() {
    let mut schedule = drawn(6);
    schedule.plan.net.duplicate = Chance(u32::MAX);
    schedule.plan.net.loss = Chance(0);
    schedule.plan.net.duplicate_late_ns = 1 << 40;
    let mut fates = Fates::new(&schedule, false);
    let copies: Vec<Ns> = messages()
        .iter()
        .flat_map(|id| {
            let fate = fates.message(id, 0);
            fate.copies_ns.into_iter().take(usize::from(fate.copies))
        })
        .collect();
    let late = copies.iter().filter(|copy| **copy > 1 << 34).count();
    assert!((late * 2).abs_diff(copies.len()) < copies.len() / 10);
}

#[test]
fn healing_makes_everything_ordinary() {
    let mut schedule = drawn(7);
    schedule.plan.disk.slow_node = 2;
    schedule.plan.disk.slow_factor = 9;
    let mut fates = Fates::new(&schedule, true);
    fates.heal(5, 7);
    for id in messages() {
        assert_eq!(fates.message(&id, 0), MessageFate { delay_ns: 5, ..MessageFate::default() });
    }
    for id in disks().into_iter().filter(|id| id.kind == DiskOpId::WRITE) {
        assert_eq!(fates.disk(&id), if id.node == 2 { 63 } else { 7 });
    }
    assert_eq!(fates.exceptions(), []);
}

#[test]
fn listed_exceptions_hold_and_unmet_ones_are_counted() {
    let mut schedule = drawn(8);
    schedule.drawn = false;
    let id = messages()[0];
    let elsewhere = MessageId { term: 99, ..id };
    let exception =
        |id| Exception::Message { id, lost: false, delay_ns: Some(77), copies_ns: vec![1, 2] };
    schedule.exceptions = vec![
        exception(id),
        exception(elsewhere),
        Exception::Unknown(serde_json::json!({"kind": "gamma-ray"})),
    ];
    let mut fates = Fates::new(&schedule, false);
    let fate = fates.message(&id, 0);
    assert_eq!((fate.delay_ns, fate.copies, fate.copies_ns), (77, 2, [1, 2, 0]));
    assert_eq!(fates.applied(), (1, 3));
}

#[test]
fn golden_vectors() {
    // Fixed laws, so that the vectors stay when profiles are tuned.
    let mut schedule = drawn(0);
    schedule.key = "000102030405060708090a0b0c0d0e0f".parse().unwrap();
    schedule.plan.net = NetPlan {
        delay_min_ns: 1_000,
        delay_mean_ns: 1_000_000,
        tail: Chance(1 << 29),
        tail_min_ns: 10_000_000,
        tail_max_ns: 900_000_000,
        loss: Chance(1 << 30),
        loss_burst: 0,
        duplicate: Chance(1 << 30),
        duplicate_max: 3,
        duplicate_late_ns: 500_000_000,
        hold: Chance(1 << 29),
        hold_max_ns: 4_000_000_000,
    };
    schedule.plan.disk = DiskPlan {
        latency_min_ns: 20_000,
        latency_mean_ns: 2_000_000,
        stall: Chance(1 << 30),
        stall_min_ns: 100_000_000,
        stall_max_ns: 500_000_000,
        reorder: true,
        apply_mean_ns: 30_000,
        slow_node: 2,
        slow_factor: 10,
    };
    let mut fates = Fates::new(&schedule, false);
    schedule.plan.net.loss_burst = 4;
    let mut bursts = Fates::new(&schedule, false);
    let mut text = format!("key {}\n", schedule.key);
    use core::fmt::Write as _;
    for id in messages().iter().step_by(150) {
        let fate = fates.message(id, 0);
        let copies = &fate.copies_ns[..usize::from(fate.copies)];
        writeln!(text, "{id:?} lost {} delay {} copies {copies:?}", fate.lost, fate.delay_ns)
            .unwrap();
    }
    let weather: String = messages()[..64]
        .iter()
        .map(|id| if bursts.message(id, 0).lost { 'x' } else { '.' })
        .collect();
    writeln!(text, "losses in bursts {weather}").unwrap();
    for id in disks().iter().step_by(299) {
        writeln!(text, "{id:?} takes {}", fates.disk(id)).unwrap();
    }
    let keeps: Vec<u64> = (1..12).map(|boot| fates.power_loss(2, boot, 9)).collect();
    writeln!(text, "power loss of 9 keeps {keeps:?}").unwrap();
    writeln!(
        text,
        "tie {:x} boot seed {:x} choose {}",
        fates.tie(1, 2, 3),
        fates.boot_seed(1, 1),
        fates.choose(1, 2, 100)
    )
    .unwrap();
    expect_test::expect_file!["../../../testdata/schedules/fates.txt"].assert_eq(&text);
}
