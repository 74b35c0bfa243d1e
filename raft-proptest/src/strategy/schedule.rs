//! Whole runs of the simulator: profile, seed and the choice of fault axes.
//!
//! **Intuition.** The simulator already turns a seed into a plan and a plan into a schedule. What
//! is drawn here is only the seed and which axes are switched off, so shrinking removes one kind of
//! trouble after another and leaves the rest of the run as it was.
//! **Source.** Ours; keyed fates make the removal of one fault leave the others alone.
//! **Upholds.** Nothing; inputs for tests of all invariants.
//! **Not here.** The draws of a seed (`raft_sim::fault`).

use proptest::prelude::*;
use raft_sim::{
    fault::{
        axes::AxisChoice,
        plan::{Axis, Plan},
        schedule::Schedule,
        swarm,
    },
    random::token::SeedToken,
};

/// One run: which seed of which profile, under which axes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunChoice {
    /// Name of the profile.
    pub profile: &'static str,
    /// The seed.
    pub seed: u64,
    /// Axes that are off whatever the seed drew.
    pub without: Vec<Axis>,
}

impl RunChoice {
    /// The plan.
    ///
    /// # Errors
    /// There is no profile of that name.
    pub fn plan(&self) -> Result<Plan, swarm::UnknownProfile> {
        let axes = AxisChoice { only: Vec::new(), without: self.without.clone() };
        swarm::plan_with(self.profile, self.seed, &axes)
    }

    /// The schedule for `system`.
    ///
    /// # Errors
    /// There is no profile of that name.
    pub fn schedule(&self, system: &str) -> Result<Schedule, swarm::UnknownProfile> {
        Ok(swarm::schedule(self.plan()?, self.seed, system))
    }

    /// The command that repeats this run.
    #[must_use]
    pub fn command(&self, system: &str) -> String {
        let token = SeedToken { profile: self.profile.to_owned(), seed: self.seed };
        let mut line =
            format!("cargo run --release -p raft-sim -- run --seed {token} --system {system}");
        if !self.without.is_empty() {
            let names: Vec<&str> = self.without.iter().map(|axis| axis.name()).collect();
            line.push_str(" --without ");
            line.push_str(&names.join(","));
        }
        line
    }
}

/// Any run of `profile`; shrinks towards fewer kinds of trouble.
pub fn run_choice(profile: &'static str) -> impl Strategy<Value = RunChoice> {
    let on = proptest::collection::vec(any::<bool>(), Axis::ALL.len());
    (any::<u64>().no_shrink(), on).prop_map(move |(seed, on)| {
        let off = Axis::ALL.iter().zip(on).filter(|(_, on)| !on);
        RunChoice { profile, seed, without: off.map(|(axis, _)| *axis).collect() }
    })
}
