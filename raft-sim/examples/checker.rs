//! Measures the linearizability checker and prints the table of docs/CHECKER.md.
//!
//! `cargo run --release -p raft-sim --example checker [OPERATIONS_MAX]`
#![allow(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "it measures wall time; nothing here takes part in a verdict"
)]

use std::time::Instant;

use raft_sim::lin::{
    Budget, Verdict, check, check_model,
    generate::{Calls, Shape, linearizable},
    models::kv::Kv,
};

const LIMIT_S: u64 = 10;

fn main() {
    let most = std::env::args().nth(1).and_then(|number| number.parse().ok());
    let most = most.unwrap_or(1_000_000);
    println!(
        "| operations | clients | calls | values | unknown | witness | without | by | counted |"
    );
    println!("| ---: | ---: | --- | --- | --- | ---: | ---: | --- | ---: |");
    for operations in [1_000, 10_000, 100_000, 1_000_000].into_iter().filter(|&n| n <= most) {
        for clients in [5, 10, 20] {
            for (calls, name) in [(Calls::Register, "put"), (Calls::CasRegister, "put, cas")] {
                for (values, drawn) in [(None, "unique"), (Some(5), "of 5"), (Some(100), "of 100")]
                {
                    for (unknown_one_in, unknown) in [(None, "none"), (Some(100), "1 in 100")] {
                        let shape =
                            Shape { operations, clients, keys: 1, calls, values, unknown_one_in };
                        let (witness, without, by, counted) = measure(&shape);
                        println!(
                            "| {operations} | {clients} | {name} | {drawn} | {unknown} \
                             | {witness} ms | {without} ms | {by} | {counted} MiB |"
                        );
                    }
                }
            }
        }
    }
}

fn measure(shape: &Shape) -> (u128, u128, String, u64) {
    let mut history = linearizable(1, shape);
    let start = Instant::now();
    let report = check(&history, &Budget::default()).expect("well formed");
    let witness = start.elapsed().as_millis();
    assert!(matches!(report.verdict, Verdict::Ok { .. }));
    for operation in &mut history {
        operation.index = None;
    }
    let start = Instant::now();
    let mut stop = || start.elapsed().as_secs() >= LIMIT_S;
    let report = check_model(&Kv, &history, &Budget::default(), &mut stop).expect("well formed");
    let without = start.elapsed().as_millis();
    let by = match report.verdict {
        Verdict::Ok { how } => format!("{how:?}").to_lowercase(),
        Verdict::Illegal(_) => unreachable!("linearizable by construction"),
        Verdict::Unknown { exhausted, .. } => format!("**unknown**: {exhausted}"),
    };
    (witness, without, by, report.bytes >> 20)
}
