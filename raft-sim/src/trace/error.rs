//! What was wrong with a file, and where.
//!
//! **Intuition.** A person with a refused file wants three things: which file kind was expected,
//! the place, and what to do. Lines and bytes count from 1 and 0, as editors and `dd` do.
//! **Source.** Ours.
//! **Upholds.** Nothing about Raft.
//! **Not here.** File names: the caller knows them.

use core::fmt;

/// Why a file was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadError {
    /// What it was read as: `plan`, `schedule`, `trace`.
    pub artefact: &'static str,
    /// Line, from 1.
    pub line: u64,
    /// Offset of the byte in the file, from 0.
    pub byte: u64,
    /// What is wrong there.
    pub problem: Problem,
}

/// Kinds of refusals.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Problem {
    /// Nothing in it.
    Empty,
    /// Not one of our files.
    Foreign {
        /// What its start looks like.
        found: String,
    },
    /// Another of our files.
    OtherArtefact {
        /// What its header says.
        format: String,
    },
    /// A major version this code does not read.
    Version {
        /// What the file says.
        found: String,
        /// What this code reads.
        known: u32,
    },
    /// Not UTF-8, not JSON, or a field of a wrong type.
    Syntax {
        /// The parser's words.
        message: String,
    },
    /// The file ends before it is complete.
    Truncated {
        /// What is missing.
        missing: String,
    },
    /// A line does not match its own checksum.
    Checksum {
        /// As the line says.
        stated: String,
        /// As computed.
        computed: String,
    },
    /// Well-formed, but it cannot be.
    Value {
        /// The path of the field.
        field: String,
        /// Why not.
        message: String,
    },
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "not a readable {}: line {}, byte {}: ", self.artefact, self.line, self.byte)?;
        match &self.problem {
            Problem::Empty => write!(f, "the file is empty"),
            Problem::Foreign { found } => {
                write!(f, "no raft-sim header; the file begins with {found:?}")
            }
            Problem::OtherArtefact { format } => {
                write!(f, "this is a {format:?}, not a {:?}", format_name(self.artefact))
            }
            Problem::Version { found, known } => write!(
                f,
                "format version {found}, but this release reads version {known}; use the release \
                 that wrote it, or make it again from its seed or schedule"
            ),
            Problem::Syntax { message } => f.write_str(message),
            Problem::Truncated { missing } => write!(f, "cut short: {missing}"),
            Problem::Checksum { stated, computed } => {
                write!(f, "corrupted: the line states checksum {stated} but has {computed}")
            }
            Problem::Value { field, message } => write!(f, "{field}: {message}"),
        }
    }
}

impl core::error::Error for ReadError {}

/// The `format` field of an artefact.
pub(crate) fn format_name(artefact: &str) -> String {
    format!("raft-sim-{artefact}")
}

/// Byte offset of a JSON error inside `text`; serde counts lines from 1 and columns from 1.
pub(crate) fn offset(text: &[u8], line: usize, column: usize) -> u64 {
    let before: usize =
        text.split_inclusive(|b| *b == b'\n').take(line.saturating_sub(1)).map(<[u8]>::len).sum();
    (before + column.saturating_sub(1)).min(text.len()) as u64
}

/// The first few characters of a file, for people.
pub(crate) fn beginning(text: &[u8]) -> String {
    String::from_utf8_lossy(&text[..text.len().min(24)]).into_owned()
}
