//! The command line: parse, resolve, run, exit code.
//!
//! **Intuition.** A user's own binary is three lines: list the systems, call [`main`], and every
//! command is there. stdout carries results, stderr everything for people.
//! **Source.** docs/CLI.md.
//! **Upholds.** —
//! **Not here.** Campaigns (`fuzz/`), reports (`report/`).
//!
//! | file | job |
//! | --- | --- |
//! | `args` | as typed |
//! | `resolve` | to settings |
//! | `error`, `exit` | what can be wrong; which number the shell sees |
//! | `print`, `progress`, `interrupt` | stdout, stderr, signals |
//! | one file a command | `run`, `fuzz`, `replay`, `check`, `doctor`, `selftest`, `bench`, `zoo` |

pub mod args;
mod bench;
mod check;
mod doctor;
pub mod error;
pub mod exit;
mod fuzz;
pub mod interrupt;
pub mod print;
pub mod progress;
mod replay;
pub mod resolve;
mod run;
mod selftest;
mod zoo;

use std::process::ExitCode;

use args::{Arguments, Command};
use clap::Parser;
use error::CliError;
use exit::Exit;

use crate::system::System;

/// Runs the command in the process's arguments on `systems`, of which the first is the default.
#[must_use]
pub fn main(systems: &[System]) -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            // Help and version are no errors and go to stdout; clap knows.
            drop(error.print());
            return if error.use_stderr() { Exit::Usage.into() } else { Exit::Clean.into() };
        }
    };
    let ended = dispatch(systems, &arguments.command).unwrap_or_else(|error| {
        print::note(&format!("raft-sim: {error}"));
        error.exit()
    });
    ended.into()
}

fn dispatch(systems: &[System], command: &Command) -> Result<Exit, CliError> {
    match command {
        Command::Run(args) => run::run(systems, args),
        Command::Fuzz(args) => fuzz::run(systems, args),
        Command::Replay(args) => replay::run(systems, args),
        Command::Check(args) => check::run(args),
        Command::Doctor(args) => doctor::run(systems, args),
        Command::Selftest(args) => selftest::run(args),
        Command::Bench(args) => bench::run(systems, args),
        Command::Zoo(args) => zoo::run(args),
        Command::Digest(args) => doctor::digests(systems, args),
    }
}

/// How this program was called, for commands to paste.
fn program() -> String {
    std::env::args().next().unwrap_or_else(|| "raft-sim".to_owned())
}
