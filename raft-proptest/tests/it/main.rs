//! Property tests in one binary: a file for each subject.
//!
//! Cases are drawn from a fixed seed, so a run is the same every time; set `PROPTEST_RNG_SEED` for
//! others and `PROPTEST_CASES` for more. A failure is kept in the folder of proptest regressions and runs
//! first from then on.

use proptest::test_runner::{Config, FileFailurePersistence, RngSeed};

mod bytes;
mod follower;
mod hostile;
mod leader;
mod recorder;
mod serde;
mod sim;
mod wire;

/// A bounded number of cases from a fixed seed.
fn config(cases: u32) -> Config {
    let asked = Config::default();
    let fixed = asked.rng_seed == RngSeed::Random;
    // The library's own default; anything else was asked for.
    let many = asked.cases != 256;
    Config {
        cases: if many { asked.cases } else { cases },
        rng_seed: if fixed { RngSeed::Fixed(SEED) } else { asked.rng_seed },
        failure_persistence: Some(Box::new(FileFailurePersistence::Direct(
            "proptest-regressions/it.txt",
        ))),
        max_shrink_iters: 4_096,
        ..asked
    }
}

/// Any number; what matters is that it stays.
const SEED: u64 = 20_140_801;

/// The line that ends every failure.
fn rerun(module: &str) -> String {
    format!("rerun: cargo test -p raft-proptest --test it {module}::")
}
