//! What can be wrong before or around a command, and what to do about it.
//!
//! **Intuition.** Every message names the thing that was wrong, why, and the next step. Bad
//! arguments and unreadable input are the caller's (2); a full disk or a forbidden folder is the
//! machine's (6).
//! **Source.** Ours.
//! **Upholds.** —
//! **Not here.** Violations found by a run: those are results, not errors (`fuzz/finding.rs`).

use core::fmt;
use std::path::PathBuf;

use crate::cli::exit::Exit;

/// Why a command could not do its work.
#[derive(Debug)]
#[non_exhaustive]
pub enum CliError {
    /// A name that is none of the known ones.
    UnknownName {
        /// What kind of name (`system`, `axis`, …).
        what: &'static str,
        /// What was given.
        given: String,
        /// What exists.
        known: Vec<String>,
    },
    /// A value that cannot be understood.
    BadValue {
        /// The flag or field.
        what: String,
        /// What was given.
        given: String,
        /// What would be right.
        expected: String,
    },
    /// A file or folder that cannot be read.
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why, in the system's words.
        why: String,
    },
    /// A file that was read and makes no sense.
    Malformed {
        /// Which.
        path: PathBuf,
        /// What is wrong and where.
        why: String,
    },
    /// A path for output that can never work, whatever the permissions.
    BadOutput {
        /// Which.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// Output that the operating system refused.
    Unwritable {
        /// Which.
        path: PathBuf,
        /// Why, in the system's words.
        why: String,
    },
    /// Results that stdout did not take.
    Unprintable {
        /// Why, in the system's words.
        why: String,
    },
    /// The simulator itself failed.
    Internal(String),
}

impl CliError {
    /// The exit code it leads to.
    #[must_use]
    pub const fn exit(&self) -> Exit {
        match self {
            Self::UnknownName { .. }
            | Self::BadValue { .. }
            | Self::Unreadable { .. }
            | Self::Malformed { .. }
            | Self::BadOutput { .. } => Exit::Usage,
            Self::Unwritable { .. } | Self::Unprintable { .. } | Self::Internal(_) => {
                Exit::Internal
            }
        }
    }
}

impl fmt::Display for CliError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownName { what, given, known } => {
                write!(f, "no {what} is named `{given}`; there is: {}", known.join(", "))
            }
            Self::BadValue { what, given, expected } => {
                write!(f, "{what} cannot be `{given}`: give {expected}")
            }
            Self::Unreadable { path, why } => write!(
                f,
                "cannot read `{}`: {why}; check the path and its permissions",
                path.display()
            ),
            Self::Malformed { path, why } => write!(f, "`{}`: {why}", path.display()),
            Self::BadOutput { path, why } => write!(
                f,
                "cannot write into `{}`: {why}; name another folder with --out",
                path.display()
            ),
            Self::Unwritable { path, why } => write!(
                f,
                "cannot write `{}`: {why}; make the folder writable or name another with --out",
                path.display()
            ),
            Self::Unprintable { why } => {
                write!(f, "cannot print results: {why}; send stdout somewhere with room")
            }
            Self::Internal(why) => write!(f, "the simulator itself failed: {why}"),
        }
    }
}

impl core::error::Error for CliError {}
