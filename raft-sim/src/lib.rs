//! A discrete-event fault simulator for Raft, and a linearizability checker.

pub mod check;
pub mod cli;
pub mod collections;
mod disk;
pub mod fault;
pub mod fuzz;
pub mod lin;
mod net;
pub mod oracle;
pub mod outcome;
pub mod process;
pub mod random;
pub mod replay;
pub mod report;
pub mod system;
pub mod trace;
pub mod workload;
pub mod world;

pub use check::check;
