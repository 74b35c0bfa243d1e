//! Printing that survives a closed pipe and notices a full disk.
//!
//! **Intuition.** `raft-sim … | head` closes our stdout half-way; that is the reader's wish, not an
//! error. Anything else that goes wrong with stdout loses results and is told.
//! **Source.** Ours.
//! **Upholds.** —
//! **Not here.** Progress (`progress.rs`).

use std::io::{ErrorKind, Write, stderr, stdout};

use crate::cli::error::CliError;

/// Prints results.
///
/// # Errors
/// When stdout cannot take them, other than for being closed.
pub fn result(text: &str) -> Result<(), CliError> {
    let mut out = stdout().lock();
    let written = writeln!(out, "{text}").and_then(|()| out.flush());
    match written {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(CliError::Unprintable { why: error.to_string() })
        }
        _ => Ok(()),
    }
}

/// Prints something for people beside the results.
pub fn note(text: &str) {
    // Without a stderr nobody is there to be told.
    drop(writeln!(stderr().lock(), "{text}"));
}
