//! Property tests: strategies, a reference model and a one-node rig for `raft-core` and `raft-sim`.
//!
//! For whoever wants to hold a Raft node, or code that drives one, to its promises with inputs
//! that nobody thought of, or with the one story that matters. Five things exist:
//!
//! - [`strategy`] draws values of the real types: options with limits within reach, logs and
//!   families of logs, messages that are right in all but one respect, next moves for one node,
//!   whole runs of the simulator.
//! - [`rig`] plays moves against one node with its disk, machine and peers, and audits every
//!   output: nothing leaves before it is durable, applies come once and in order, every ticket ends
//!   once, queues stay within their limits, a refusal changes nothing. It keeps a tape that repeats
//!   the node.
//! - [`bytes`] turns any bytes into a check of decoding, of booting or of a small hostile cluster,
//!   for fuzzers.
//! - [`model`] is Raft in plain values, sharing no code with the core, to compare with.
//! - [`script`] runs scenario scripts: text files that drive a small cluster of real nodes and say
//!   what it must answer. It builds alone with `default-features = false`.
//!
//! # Test your own driver's input order
//!
//! Any list of moves is playable; what fits nothing does nothing.
//!
//! ```
//! use proptest::{prelude::*, test_runner::TestRunner};
//! use raft_proptest::{rig::Rig, strategy::{ids, input}};
//!
//! let inputs = (ids::options(), ids::boot(), input::orderly_moves(60));
//! TestRunner::deterministic().run(&inputs, |(options, boot, moves)| {
//!     let mut rig = Rig::boot(options, boot).map_err(TestCaseError::fail)?;
//!     for next in &moves {
//!         rig.play(next).map_err(TestCaseError::fail)?;
//!     }
//!     Ok(())
//! })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Test your own follower against the model
//!
//! ```
//! use raft_proptest::model::rules::{FollowerModel, Outcome, Reply};
//!
//! let mut model = FollowerModel::new(150_000_000, false);
//! let entries = [(1, b"x".to_vec())];
//! let said = model.append_entries(0, 2, 1, (0, 0), &entries, 1, 1);
//! assert_eq!(said, Outcome::Taken(Some(Reply::Matched(1))));
//! assert_eq!(model.request_vote(0, 3, 1, (0, 0), None), Outcome::Taken(Some(Reply::Vote(false))));
//! assert_eq!((model.commit, model.vote), (1, None));
//! ```
//!
//! # Write down a scenario
//!
//! Expected lines can be left out and accepted once they are right; docs/SCRIPTS.md is the
//! reference of the language.
//!
//! ```
//! use raft_proptest::script::{Verdict, run};
//!
//! let text = "# A sole voter needs its disk (inv:persist-before-send, thesis §3.4).
//! cluster nodes=(1); expire n1 election
//! ----
//! n1 Follower -> Candidate term=1
//! n1 persist term=1 vote=n1
//!
//! sync n1
//! ----
//! n1 Candidate -> Leader term=1
//! n1 persist entries=1/1:noop
//! ";
//! assert_eq!(run("election/sole_voter", text, false), Verdict::Passed);
//! ```
//!
//! # Test your own process in the simulator
//!
//! [`strategy::schedule::run_choice`] draws a seed and the fault axes; shrinking switches one kind
//! of trouble off after another and leaves the rest of the run as it was. The command that repeats
//! a run is part of it:
//!
//! ```
//! use raft_proptest::strategy::schedule::RunChoice;
//! use raft_sim::{outcome::{RunOptions, Verdict}, process::core::Core, system::System};
//!
//! let choice = RunChoice { profile: "smoke", seed: 7, without: Vec::new() };
//! let system = System::of::<Core>(); // or of your own `Process`
//! let outcome = system.run(&choice.schedule(system.name)?, &RunOptions::default());
//! assert_eq!(outcome.verdict, Verdict::Clean, "rerun: {}", choice.command(system.name));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # How many cases, and which
//!
//! The crate's own tests draw from a fixed seed, so every run is the same.
//! `PROPTEST_RNG_SEED=5 cargo test -p raft-proptest` draws others, `PROPTEST_CASES=5000` more. A
//! failure is kept in the folder of proptest regressions and runs first from then on.

pub mod bytes;
pub mod model;
#[cfg(feature = "properties")]
pub mod rig;
pub mod script;
#[cfg(feature = "properties")]
pub mod strategy;
