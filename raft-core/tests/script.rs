//! Scenario scripts: every text file under `testdata/` is its own named test.
//!
//! `cargo test -p raft-core --test script election/` runs those whose name contains that, and
//! `cargo bless -p raft-core --test script NAME` accepts what they say now. docs/SCRIPTS.md is the
//! reference of the language; the tests named `language` hold it, the scripts and the core
//! together.

use std::{
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
};

use libtest_mimic::{Arguments, Failed, Trial};
use raft_proptest::script::{self, Verdict};

/// A script's name, which is its path without the extension, and where it is.
type Script = (String, PathBuf);

/// The folder that holds all crates.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn accepting() -> bool {
    std::env::var_os("UPDATE_EXPECT").is_some_and(|value| value == "1")
}

/// Every file below `folder` whose name ends in `end`, with its name.
fn collect(folder: &Path, prefix: &str, end: &str, found: &mut Vec<Script>) -> std::io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if entry.file_type()?.is_dir() {
            collect(&entry.path(), &format!("{prefix}{name}/"), end, found)?;
        } else if let Some(stem) = name.strip_suffix(end) {
            found.push((format!("{prefix}{stem}"), entry.path()));
        }
    }
    Ok(())
}

fn run(name: &str, path: &Path) -> Result<(), Failed> {
    let text = fs::read_to_string(path)?;
    match script::run(name, &text, accepting()) {
        Verdict::Passed => Ok(()),
        Verdict::Rewrite(text) => Ok(fs::write(path, text)?),
        Verdict::Failed(why) => Err(why.into()),
    }
}

/// The tables of docs/SCRIPTS.md are those of the language.
fn the_reference_is_complete() -> Result<(), Failed> {
    const BEGIN: &str = "language/` -->\n";
    const END: &str = "<!-- end of commands -->";
    let path = root().join("docs/SCRIPTS.md");
    let page = fs::read_to_string(&path)?;
    let (before, rest) = page.split_once(BEGIN).ok_or("docs/SCRIPTS.md has no table mark")?;
    let (tables, after) = rest.split_once(END).ok_or("docs/SCRIPTS.md has no end mark")?;
    let want = format!("\n{}\n", script::reference());
    if tables == want {
        return Ok(());
    }
    if accepting() {
        return Ok(fs::write(&path, format!("{before}{BEGIN}{want}{END}{after}"))?);
    }
    Err("docs/SCRIPTS.md is behind: cargo bless -p raft-core --test script language/".into())
}

/// Commands whose stories come with the features they belong to.
const WAITING: &[&str] = &[];

/// No command is there for nothing.
fn every_command_is_used(scripts: &[Script]) -> Result<(), Failed> {
    let mut texts = String::new();
    for (_, path) in scripts {
        for line in fs::read_to_string(path)?.lines().filter(|line| !line.starts_with('#')) {
            texts += &line.replace(';', "\n");
            texts.push('\n');
        }
    }
    let used = |name: &&str| texts.lines().any(|line| line.split_whitespace().next() == Some(name));
    let commands = script::commands().into_iter().filter(|name| !WAITING.contains(name));
    let unused: Vec<&str> = commands.filter(|name| !used(name)).collect();
    if unused.is_empty() {
        return Ok(());
    }
    Err(format!("no script uses {}: write one", unused.join(", ")).into())
}

/// Open enumerations of the core whose every variant the language must know.
const OPEN: [(&str, &str); 13] = [
    ("output.rs", "Output"),
    ("output.rs", "Outcome"),
    ("message.rs", "Message"),
    ("note.rs", "Note"),
    ("input.rs", "Input"),
    ("error.rs", "ReadFailure"),
    ("error.rs", "UnknownReason"),
    ("error.rs", "OperationFailure"),
    ("admission/deferred.rs", "DeferredRefusal"),
    ("message.rs", "TransferRefusal"),
    ("config/change.rs", "ConfigAction"),
    ("snapshot/send.rs", "SendFailure"),
    ("storage/fetch.rs", "FetchFailure"),
];

/// The variants of `pub enum NAME` in `source`.
fn variants<'a>(source: &'a str, name: &str) -> Vec<&'a str> {
    let Some((_, body)) = source.split_once(&format!("pub enum {name} {{\n")) else {
        return Vec::new();
    };
    let lines = body.lines().take_while(|line| *line != "}");
    let tops = lines.filter_map(|line| line.strip_prefix("    "));
    tops.filter(|line| line.starts_with(|c: char| c.is_ascii_uppercase()))
        .map(|line| line.split(|c: char| !c.is_ascii_alphanumeric()).next().unwrap_or(line))
        .collect()
}

/// The language has words for all that the core can say and take.
fn every_variant_has_words() -> Result<(), Failed> {
    let mut sources = Vec::new();
    collect(&root().join("raft-proptest/src/script"), "", ".rs", &mut sources)?;
    let mut words = String::new();
    for (_, path) in sources {
        words += &fs::read_to_string(path)?;
    }
    let mut missing = Vec::new();
    for (file, name) in OPEN {
        let source = fs::read_to_string(root().join("raft-core/src").join(file))?;
        let found = variants(&source, name);
        if found.len() < 2 {
            return Err(format!("raft-core/src/{file} has no enumeration {name}").into());
        }
        let named = found.iter().map(|variant| format!("{name}::{variant}"));
        missing.extend(named.filter(|named| !words.contains(named.as_str())));
    }
    if missing.is_empty() {
        return Ok(());
    }
    let what = missing.join(", ");
    Err(format!("scripts have no words for {what}: see \"Adding\" in docs/SCRIPTS.md").into())
}

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let testdata = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata");
    let mut scripts = Vec::new();
    if let Err(error) = collect(&testdata, "", ".txt", &mut scripts) {
        eprintln!("cannot list {}: {error}", testdata.display());
        return ExitCode::FAILURE;
    }
    scripts.sort();
    let all = scripts.clone();
    let mut trials = vec![
        Trial::test("language/the_reference_is_complete", the_reference_is_complete),
        Trial::test("language/every_command_is_used", move || every_command_is_used(&all)),
        Trial::test("language/every_variant_has_words", every_variant_has_words),
    ];
    let trial = |(name, path): Script| {
        let title = name.clone();
        Trial::test(title, move || run(&name, &path))
    };
    trials.extend(scripts.into_iter().map(trial));
    libtest_mimic::run(&arguments, trials).exit_code()
}
