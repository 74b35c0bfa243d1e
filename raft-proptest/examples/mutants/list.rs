//! The list of mutants: what is replaced where, and which rule that breaks.
//!
//! **Intuition.** A mutant is found by its exact text, like a hunk of the zoo. A text that occurs
//! not at all or twice is an error that names the mutant, so the list cannot rot in silence.
//! **Source.** Ours.
//! **Upholds.** None in the protocol.
//! **Not here.** Running them (`bench.rs`).

use std::{fs, path::Path};

use serde::Deserialize;

/// One wrong line.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub(crate) struct Mutant {
    /// Unique in the list.
    pub(crate) id: String,
    /// Part of the protocol.
    pub(crate) area: String,
    /// From the workspace's folder.
    pub(crate) file: String,
    /// Occurs once there.
    pub(crate) anchor: String,
    pub(crate) replacement: String,
    /// What goes wrong, as a sentence.
    pub(crate) breaks: String,
    /// Why no test of the core can notice it, if none can.
    pub(crate) survives: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Page {
    mutant: Vec<Mutant>,
}

/// All mutants, by area as the files come, in the files' order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct List {
    pub(crate) mutants: Vec<Mutant>,
}

pub(crate) fn read(path: &Path) -> Result<String, String> {
    fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))
}

impl Mutant {
    /// `text` with this mutant in it.
    pub(crate) fn apply(&self, text: &str) -> Result<String, String> {
        let found = text.matches(&self.anchor).count();
        if found != 1 {
            let (id, file) = (&self.id, &self.file);
            return Err(format!(
                "mutant {id}: its anchor occurs {found} times in {file}, not once"
            ));
        }
        Ok(text.replace(&self.anchor, &self.replacement))
    }
}

impl List {
    /// Reads one file, or every `.toml` of a folder.
    pub(crate) fn read(path: &Path) -> Result<Self, String> {
        let mut files = vec![path.to_owned()];
        if path.is_dir() {
            let entries = fs::read_dir(path).map_err(|e| format!("{}: {e}", path.display()))?;
            files = entries.filter_map(Result::ok).map(|entry| entry.path()).collect();
            files.retain(|file| file.extension().is_some_and(|end| end == "toml"));
            files.sort();
        }
        let mut mutants = Vec::new();
        for file in files {
            let page: Page = toml::from_str(&read(&file)?)
                .map_err(|error| format!("{}: {error}", file.display()))?;
            mutants.extend(page.mutant);
        }
        Ok(Self { mutants })
    }

    /// Whether every mutant can be put into the sources below `root`, and says what it must.
    pub(crate) fn check(&self, root: &Path) -> Result<(), String> {
        let mut wrong = Vec::new();
        for (at, mutant) in self.mutants.iter().enumerate() {
            let id = &mutant.id;
            if self.mutants.iter().take(at).any(|other| other.id == *id) {
                wrong.push(format!("mutant {id}: two have this id"));
            }
            if mutant.anchor == mutant.replacement || mutant.anchor.is_empty() {
                wrong.push(format!("mutant {id}: it changes nothing"));
            }
            if !mutant.breaks.ends_with('.') || mutant.area.is_empty() {
                wrong.push(format!("mutant {id}: it needs an area, and a sentence on what breaks"));
            }
            match read(&root.join(&mutant.file)).and_then(|text| mutant.apply(&text)) {
                Ok(_) => {}
                Err(error) => wrong.push(error),
            }
        }
        if self.mutants.is_empty() {
            wrong.push("the list is empty".to_owned());
        }
        if wrong.is_empty() { Ok(()) } else { Err(wrong.join("\n")) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn root() -> std::path::PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
    }

    fn sut(anchor: &str) -> Mutant {
        Mutant {
            id: "m".into(),
            area: "election".into(),
            file: "Cargo.toml".into(),
            anchor: anchor.into(),
            replacement: "x".into(),
            breaks: "A rule.".into(),
            survives: None,
        }
    }

    #[test]
    fn every_anchor_of_the_list_occurs_once_inside_one_function() {
        let list = List::read(&root().join("raft-core/testdata/mutants")).expect("a list");
        list.check(&root()).unwrap_or_else(|error| panic!("{error}"));
        crate::weaver::check(&root(), &list.mutants).unwrap_or_else(|error| panic!("{error}"));
    }

    #[test]
    fn an_anchor_that_is_lost_or_doubled_is_named() {
        assert_eq!(sut("a < b").apply("if a < b {").as_deref(), Ok("if x {"));
        let lost = sut("a < b").apply("if b > a {").expect_err("lost");
        assert!(lost.contains("mutant m: its anchor occurs 0 times"), "{lost}");
        let twice = sut("a").apply("a + a").expect_err("twice");
        assert!(twice.contains("occurs 2 times"), "{twice}");
    }

    #[test]
    fn a_list_that_contradicts_itself_is_refused() {
        let check = |mutants| List { mutants }.check(&root());
        assert_eq!(check(vec![sut("resolver = \"3\"")]), Ok(()));
        assert!(check(vec![sut("no such text anywhere")]).is_err());
        assert!(check(Vec::new()).is_err());
        let twice = check(vec![sut("resolver = \"3\""), sut("resolver = \"3\"")]);
        assert!(twice.is_err_and(|error| error.contains("two have this id")));
        let silent = Mutant { breaks: String::new(), ..sut("resolver = \"3\"") };
        assert!(check(vec![silent]).is_err());
        assert!(check(vec![sut("x")]).is_err_and(|error| error.contains("changes nothing")));
    }
}
