//! The command `raft-sim` on the systems of this package.

use std::process::ExitCode;

use raft_sim::{
    process::{core::Core, naive},
    system::System,
};

fn main() -> ExitCode {
    let mut systems = vec![System::of::<Core>()];
    systems.extend(naive::systems());
    raft_sim::cli::main(&systems)
}
