//! How the other CLI tests call the program.

use std::{
    path::Path,
    process::{Command, Output},
};

use serde_json::Value;

/// The program under test with nothing of our own environment's `RAFT_SIM_` flags.
pub(crate) fn program(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_raft-sim"));
    command.current_dir(folder);
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("RAFT_SIM_") {
            command.env_remove(name);
        }
    }
    command
}

/// What a call left behind.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Ran {
    pub(crate) fn of(output: &Output) -> Self {
        Self {
            code: output.status.code(),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|e| panic!("{e} in {self:?}"))
    }
}

/// Runs the program in `folder`; `words` are separated by blanks.
pub(crate) fn run(folder: &Path, words: &str) -> Ran {
    Ran::of(&program(folder).args(words.split_whitespace()).output().unwrap())
}

/// A field by its path; panics with the path if it is missing.
pub(crate) fn at<'a>(value: &'a Value, path: &str) -> &'a Value {
    value.pointer(path).unwrap_or_else(|| panic!("no {path} in {value:#}"))
}
