//! Whole clusters under faults: every run of the smoke profile is clean, whatever axes are off.

use proptest::prelude::*;
use raft_proptest::strategy::schedule::run_choice;
use raft_sim::{
    outcome::{RunOptions, Verdict},
    process::core::Core,
    system::System,
};

use crate::config;

proptest! {
    #![proptest_config(config(48))]

    #[test]
    fn every_run_is_clean(choice in run_choice("smoke")) {
        let system = System::of::<Core>();
        let schedule = choice.schedule(system.name).expect("the profile exists");
        let outcome = system.run(&schedule, &RunOptions::default());
        prop_assert!(
            matches!(outcome.verdict, Verdict::Clean | Verdict::Excused(_)),
            "{:?}\nrerun: {}",
            outcome.verdict,
            choice.command(system.name)
        );
    }
}
