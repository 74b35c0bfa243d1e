//! What is known of each mutant, a line of JSON for each.
//!
//! **Intuition.** A record counts while the source file and the mutant are what they were. What
//! survived counts only while the tests are the same too: another script may notice it.
//! **Source.** Ours.
//! **Upholds.** None in the protocol.
//! **Not here.** Totals (`report.rs`).

use std::{
    fmt,
    fs::{self, OpenOptions},
    io::Write,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use crate::list::{self, Mutant};

/// What became of a mutant.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, PartialEq, Eq)]
pub(crate) enum Fate {
    /// Scripts fail.
    KilledByScripts,
    /// No script fails, a unit test does.
    KilledByUnitTests,
    /// A test does not end, or brings the process down.
    Hangs,
    /// Nothing notices.
    Survived,
    /// It is no program: it shows nothing.
    DoesNotCompile,
}

impl Fate {
    pub(crate) fn is_killed(self) -> bool {
        matches!(self, Self::KilledByScripts | Self::KilledByUnitTests | Self::Hangs)
    }
}

impl fmt::Display for Fate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::KilledByScripts => "killed by scripts",
            Self::KilledByUnitTests => "killed by unit tests",
            Self::Hangs => "killed by a test that did not end",
            Self::Survived => "SURVIVED",
            Self::DoesNotCompile => "DOES NOT COMPILE",
        })
    }
}

/// One line.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) id: String,
    pub(crate) area: String,
    /// Of the source file.
    source: u64,
    /// Of anchor and replacement.
    change: u64,
    pub(crate) fate: Fate,
    /// The tests that fail.
    pub(crate) by: Vec<String>,
}

/// FNV-1a: the same on every machine.
fn hash(parts: &[&str]) -> u64 {
    let bytes = parts.iter().flat_map(|part| part.bytes().chain([0xff]));
    bytes.fold(0xcbf2_9ce4_8422_2325, |sum, byte| {
        (sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

impl Record {
    /// `text` is the source file without the mutant.
    pub(crate) fn new(mutant: &Mutant, text: &str, fate: Fate, by: Vec<String>) -> Self {
        Self {
            id: mutant.id.clone(),
            area: mutant.area.clone(),
            source: hash(&[text]),
            change: hash(&[&mutant.anchor, &mutant.replacement]),
            fate,
            by,
        }
    }
}

/// The records, newest last.
pub(crate) struct State {
    path: PathBuf,
    records: Vec<Record>,
}

impl State {
    pub(crate) fn read(path: &Path) -> Result<Self, String> {
        let text = if path.exists() { list::read(path)? } else { String::new() };
        let mut records = Vec::new();
        for (at, line) in text.lines().enumerate() {
            match serde_json::from_str(line) {
                Ok(record) => records.push(record),
                // An interrupted write leaves half a line at the end.
                Err(_) if at + 1 == text.lines().count() && !text.ends_with('\n') => {}
                Err(error) => return Err(format!("{}:{}: {error}", path.display(), at + 1)),
            }
        }
        if !text.is_empty() && !text.ends_with('\n') {
            let whole = text.rfind('\n').map_or(0, |end| end + 1);
            fs::write(path, &text[..whole])
                .map_err(|error| format!("{}: {error}", path.display()))?;
        }
        Ok(Self { path: path.to_owned(), records })
    }

    /// What is known of `mutant` in the sources below `root`.
    pub(crate) fn of(&self, mutant: &Mutant, root: &Path) -> Option<&Record> {
        let text = list::read(&root.join(&mutant.file)).ok()?;
        let now = Record::new(mutant, &text, Fate::Survived, Vec::new());
        let same = |r: &&Record| r.id == now.id && r.source == now.source && r.change == now.change;
        self.records.iter().rev().find(same)
    }

    pub(crate) fn add(&mut self, record: Record) -> Result<(), String> {
        let wrong = |error: &dyn fmt::Display| format!("{}: {error}", self.path.display());
        let mut line = serde_json::to_string(&record).map_err(|error| wrong(&error))?;
        line.push('\n');
        if let Some(folder) = self.path.parent() {
            fs::create_dir_all(folder).map_err(|error| wrong(&error))?;
        }
        let file = OpenOptions::new().create(true).append(true).open(&self.path);
        let written = file.and_then(|mut file| file.write_all(line.as_bytes()));
        written.map_err(|error| wrong(&error))?;
        self.records.push(record);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_counts_for_the_same_source_only_and_half_a_line_is_forgotten() {
        let top = std::env::temp_dir().join(format!("raft-mutants-state-{}", std::process::id()));
        fs::create_dir_all(&top).expect("made");
        fs::write(top.join("a.rs"), "a < b").expect("written");
        let mutant = Mutant {
            id: "m".into(),
            area: "election".into(),
            file: "a.rs".into(),
            anchor: "<".into(),
            replacement: "<=".into(),
            breaks: "A rule.".into(),
            survives: None,
        };
        let path = top.join("state/known.jsonl");
        let mut sut = State::read(&path).expect("nothing yet");
        assert!(sut.of(&mutant, &top).is_none());
        let by = vec!["election/x".to_owned()];
        sut.add(Record::new(&mutant, "a < b", Fate::KilledByScripts, by)).expect("added");
        let text = list::read(&path).expect("there");
        fs::write(&path, format!("{text}{{\"id\":\"half")).expect("written");

        let sut = State::read(&path).expect("read");
        assert_eq!(sut.of(&mutant, &top).map(|r| r.fate), Some(Fate::KilledByScripts));
        assert_eq!(list::read(&path).expect("there"), text, "the half line is gone");
        let other = Mutant { replacement: "==".into(), ..mutant.clone() };
        assert!(sut.of(&other, &top).is_none(), "another change");
        fs::write(top.join("a.rs"), "a < b ").expect("written");
        assert!(sut.of(&mutant, &top).is_none(), "another source");
        fs::remove_dir_all(top).expect("removed");
    }
}
