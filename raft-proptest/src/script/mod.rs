//! Scenario scripts: a small cluster of real nodes driven by a readable text file.
//!
//! A script tells one story. Blocks of commands are followed by what the cluster must say to them:
//!
//! ```text
//! # A sole voter needs nobody, but it needs its disk (inv:persist-before-send, thesis §3.4).
//! cluster nodes=(1); expire n1 election
//! ----
//! n1 Follower -> Candidate term=1
//! n1 persist term=1 vote=n1
//!
//! sync n1
//! ----
//! n1 Candidate -> Leader term=1
//! n1 persist entries=1/1:noop
//! ```
//!
//! docs/SCRIPTS.md is the reference of the language. Where things are:
//!
//! - `parse.rs` cuts a file into blocks and a command line into words;
//! - `verb/` holds the commands, each one row of a table with its usage and its function;
//! - `forge.rs` is the table of messages a script can make up;
//! - `world.rs` holds the servers, `disk.rs` what survives power loss, `net.rs` what is under way;
//! - `turn.rs` gives a node one input, takes its outputs and holds them to the contract;
//! - `print.rs` says every output, message, note and reason in words: an output without words fails
//!   the script; `words.rs` writes and reads values;
//! - `watch.rs` checks the cluster's invariants after every command;
//! - `expect.rs` compares, rewrites, and says what to do.
//!
//! [`run`] is all that a test binary needs.
//!
//! **Intuition.** Whoever changes the protocol should see in a diff of plain sentences what a
//! cluster now does differently. So the expected text is the whole visible behaviour, one line per
//! fact, and nothing happens that no command asked for.
//! **Source.** Ours; the file format is Go's datadriven, the idea of scripts etcd's.
//! **Upholds.** Checks `inv:election-safety`, `inv:one-vote-per-term`, `inv:log-matching`,
//! `inv:leader-completeness`, `inv:committed-immutable`, `inv:committed-durable`, `inv:monotone`,
//! `inv:persist-before-send`, `inv:apply-once-in-order`, `inv:nothing-lost`, `inv:read-freshness`,
//! `inv:snapshot-agrees`.
//! **Not here.** Random runs (the simulator), one node alone (`rig/`).

mod disk;
mod expect;
mod forge;
mod net;
mod parse;
mod print;
mod run;
mod turn;
mod verb;
mod watch;
mod words;
mod world;

pub use expect::Verdict;
pub use run::run;
pub use verb::{commands, reference};
