//! The byte harnesses: short campaigns of each, which must reach something and break nothing.

use raft_proptest::bytes::{
    boot::fuzz_boot,
    campaign::{Figures, Mode, run},
    mutate::Dice,
    steps::fuzz_steps,
    wire::fuzz_wire,
};

fn campaign(mode: Mode, inputs: u64) -> Figures {
    let figures = run(mode, 7, 0, inputs, |work| {
        work();
        0
    });
    println!("{figures}");
    if let Some(broken) = &figures.broken {
        panic!(
            "input {}: {}\nrerun: cargo run --release -p raft-proptest --example bytefuzz -- \
             {mode:?} --seed 7 --only {}",
            broken.number, broken.what, broken.number
        );
    }
    assert!(!figures.is_vacuous(mode), "too little reached: {figures}");
    figures
}

#[test]
fn no_frame_is_read_otherwise_than_it_is_written() {
    let figures = campaign(Mode::Wire, 60_000);
    assert!(figures.percent(figures.meant) >= 10, "too few frames decode: {figures}");
    assert!(figures.errors.len() >= 30, "too few kinds of error: {figures}");
}

#[test]
fn every_disk_boots_or_is_refused_by_name() {
    let figures = campaign(Mode::Boot, 20_000);
    assert!(figures.errors.len() >= 8, "too few refusals: {figures}");
}

#[test]
fn no_program_breaks_a_node() {
    let figures = campaign(Mode::Steps, 1_500);
    let tally = figures.tally;
    assert!(tally.by_role.iter().all(|steps| *steps > 200), "a role is missing: {tally:?}");
    assert!(tally.applied > 500 && tally.restarts > 500, "too little done: {tally:?}");
}

#[test]
fn the_harnesses_take_any_bytes() {
    for number in 0..2_000 {
        let mut dice = Dice::new(3, number);
        let len = dice.below(300);
        let bytes = dice.bytes(len);
        fuzz_wire(&bytes);
        fuzz_boot(&bytes);
        if number < 200 {
            fuzz_steps(&bytes);
        }
    }
    fuzz_wire(&[]);
    fuzz_boot(&[]);
    fuzz_steps(&[]);
}

#[test]
fn an_input_is_the_same_every_time_and_a_broken_one_stops_the_campaign() {
    for mode in [Mode::Wire, Mode::Boot, Mode::Steps] {
        assert_eq!(mode.input(5, 77), mode.input(5, 77));
        assert_ne!(mode.input(5, 77), mode.input(6, 77));
    }
    let whole = run(Mode::Wire, 9, 0, 500, |work| {
        work();
        0
    });
    let mut parts = Figures::default();
    for from in [0, 100, 300] {
        let to = if from == 0 {
            100
        } else if from == 100 {
            300
        } else {
            500
        };
        parts.add(run(Mode::Wire, 9, from, to, |work| {
            work();
            0
        }));
    }
    assert_eq!(parts, whole, "figures do not depend on how the work is cut");
    let broken = run(Mode::Wire, 9, 0, 500, |_| panic!("planted"));
    assert_eq!(broken.inputs, 1);
    assert_eq!(broken.broken.map(|broken| broken.what), Some("planted".to_owned()));
}
