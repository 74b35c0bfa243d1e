//! Scenario scripts: every text file under `testdata/` is its own named test.
//!
//! `cargo test -p raft-core --test script election/` runs those whose name contains that, and
//! `cargo bless -p raft-core --test script NAME` accepts what they say now. docs/SCRIPTS.md is the
//! reference of the language.

use std::{
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
};

use libtest_mimic::{Arguments, Failed, Trial};
use raft_proptest::script::{self, Verdict};

fn testdata() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata")
}

/// Every script below `folder` with its name: the path without the extension.
fn collect(folder: &Path, prefix: &str, found: &mut Vec<(String, PathBuf)>) -> std::io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if entry.file_type()?.is_dir() {
            collect(&entry.path(), &format!("{prefix}{name}/"), found)?;
        } else if let Some(stem) = name.strip_suffix(".txt") {
            found.push((format!("{prefix}{stem}"), entry.path()));
        }
    }
    Ok(())
}

fn run(name: &str, path: &Path) -> Result<(), Failed> {
    let accept = std::env::var_os("UPDATE_EXPECT").is_some_and(|value| value == "1");
    let text = fs::read_to_string(path)?;
    match script::run(name, &text, accept) {
        Verdict::Passed => Ok(()),
        Verdict::Rewrite(text) => Ok(fs::write(path, text)?),
        Verdict::Failed(why) => Err(why.into()),
    }
}

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let mut scripts = Vec::new();
    if let Err(error) = collect(&testdata(), "", &mut scripts) {
        eprintln!("cannot list {}: {error}", testdata().display());
        return ExitCode::FAILURE;
    }
    scripts.sort();
    let trial = |(name, path): (String, PathBuf)| {
        let title = name.clone();
        Trial::test(title, move || run(&name, &path))
    };
    libtest_mimic::run(&arguments, scripts.into_iter().map(trial).collect()).exit_code()
}
