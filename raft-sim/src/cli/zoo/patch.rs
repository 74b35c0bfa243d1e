//! A zoo patch: a known bug as anchored replacements of our own source.
//!
//! **Intuition.** A diff rots with every line that moves. An anchor is a piece of text that must
//! occur exactly once in its file: it survives what does not concern it, and when it no longer
//! matches, that is an error with a name instead of a mutant that quietly is none.
//! **Source.** Mutation testing.
//! **Upholds.** —
//! **Not here.** Copy and build (`tree.rs`).

use std::path::{Component, Path, PathBuf};

use serde::Deserialize;

use crate::{cli::error::CliError, oracle::OracleId, report::files};

/// File name ending of patches.
const ENDING: &str = ".patch.toml";

/// One patch.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Patch {
    /// Name, the file's name without its ending.
    pub(super) id: String,
    /// Row of docs/HAZARDS.md, or of docs/FEATURES.md where nobody's bug is known.
    pub(super) bug: String,
    /// One sentence.
    pub(super) about: String,
    /// The oracle that should speak first.
    pub(super) oracle: String,
    /// It must be found within this many seeds.
    pub(super) seeds_max: u64,
    /// What changes.
    #[serde(rename = "hunk")]
    pub(super) hunks: Vec<Hunk>,
}

/// One replacement.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Hunk {
    /// File, from the workspace's root.
    pub(super) file: String,
    /// Text that occurs exactly once in it.
    pub(super) anchor: String,
    /// What stands there instead.
    pub(super) replacement: String,
}

/// All patches of a folder whose id contains one of `wanted` (all if there is none), by id.
///
/// # Errors
/// A folder or file that cannot be read, a patch that is not well formed.
pub(super) fn load(folder: &Path, wanted: &[String]) -> Result<Vec<Patch>, CliError> {
    let entries = std::fs::read_dir(folder).map_err(|error| CliError::Unreadable {
        path: folder.to_path_buf(),
        why: error.to_string(),
    })?;
    let mut paths: Vec<PathBuf> = entries
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .filter(|path| path.to_string_lossy().ends_with(ENDING))
        .collect();
    paths.sort();
    let mut patches = Vec::new();
    for path in paths {
        let patch = parse(&path, &files::read(&path)?)?;
        if wanted.is_empty() || wanted.iter().any(|part| patch.id.contains(part.as_str())) {
            patches.push(patch);
        }
    }
    Ok(patches)
}

fn parse(path: &Path, text: &str) -> Result<Patch, CliError> {
    let malformed = |why: String| CliError::Malformed { path: path.to_path_buf(), why };
    let patch: Patch = toml::from_str(text).map_err(|error| malformed(error.to_string()))?;
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
    if name != Some(format!("{}{ENDING}", patch.id)) {
        return Err(malformed(format!("id `{}` is not the file's name", patch.id)));
    }
    if !OracleId::ALL.iter().any(|id| id.name() == patch.oracle) {
        return Err(malformed(format!("no oracle is named `{}`", patch.oracle)));
    }
    if patch.hunks.is_empty() || patch.seeds_max == 0 {
        return Err(malformed("needs at least one hunk and one seed".to_owned()));
    }
    for hunk in &patch.hunks {
        let inside = Path::new(&hunk.file).components().all(|c| matches!(c, Component::Normal(_)));
        if !inside || hunk.anchor.trim().is_empty() || hunk.anchor == hunk.replacement {
            return Err(malformed(format!(
                "hunk on `{}`: needs a path inside the workspace, an anchor that is not blank, \
                 and a replacement that differs from it",
                hunk.file
            )));
        }
    }
    Ok(patch)
}

impl Patch {
    /// Applies all hunks to the tree at `root`, or none.
    ///
    /// # Errors
    /// Names patch, file and how often the anchor occurred.
    pub(super) fn apply(&self, root: &Path) -> Result<(), CliError> {
        let mut changed: Vec<(PathBuf, String)> = Vec::new();
        for hunk in &self.hunks {
            let path = root.join(&hunk.file);
            let known = changed.iter().position(|(other, _)| *other == path);
            let before = match known {
                Some(at) => changed.swap_remove(at).1,
                None => files::read(&path)?,
            };
            let after = hunk.replace(&before).map_err(|count| CliError::Malformed {
                path: PathBuf::from(format!("{}{ENDING}", self.id)),
                why: format!(
                    "its anchor occurs {count} times in `{}`, and must occur exactly once; the \
                     source has moved on: choose an anchor that fits it. The anchor is:\n{}",
                    hunk.file, hunk.anchor
                ),
            })?;
            changed.push((path, after));
        }
        changed.iter().try_for_each(|(path, text)| files::write(path, text.as_bytes()))
    }
}

impl Hunk {
    fn replace(&self, text: &str) -> Result<String, usize> {
        match text.matches(self.anchor.as_str()).count() {
            1 => Ok(text.replacen(self.anchor.as_str(), &self.replacement, 1)),
            count => Err(count),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{Patch, parse};

    const GOOD: &str = r#"
id = "two-hunks"
bug = "B-000"
about = "nothing real"
oracle = "log-matching"
seeds_max = 10

[[hunk]]
file = "a.rs"
anchor = '''
    one();
'''
replacement = '''
    two();
'''

[[hunk]]
file = "a.rs"
anchor = "two();\n    three"
replacement = "four"
"#;

    fn good() -> Patch {
        parse(Path::new("two-hunks.patch.toml"), GOOD).unwrap()
    }

    #[test]
    fn hunks_apply_one_after_the_other() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.rs");
        std::fs::write(&file, "{\n    one();\n    three();\n}\n").unwrap();
        good().apply(folder.path()).unwrap();
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "{\n    four();\n}\n");
    }

    #[test]
    fn an_anchor_that_does_not_match_once_changes_nothing_and_says_so() {
        for (text, count) in [("", 0), ("    one();\n    one();\n", 2)] {
            let folder = tempfile::tempdir().unwrap();
            let file = folder.path().join("a.rs");
            std::fs::write(&file, text).unwrap();
            let error = good().apply(folder.path()).unwrap_err().to_string();
            assert!(error.contains("two-hunks.patch.toml"), "{error}");
            assert!(error.contains(&format!("{count} times in `a.rs`")), "{error}");
            assert_eq!(std::fs::read_to_string(&file).unwrap(), text);
        }
    }

    #[test]
    fn malformed_patches_are_refused_with_the_reason() {
        let cases = [
            ("oracle = \"log-matching\"", "oracle = \"nobody\"", "no oracle is named `nobody`"),
            ("seeds_max = 10", "seeds_max = 0", "at least one"),
            ("file = \"a.rs\"", "file = \"../a.rs\"", "inside the workspace"),
            ("bug = \"B-000\"", "bugs = \"B-000\"", "bugs"),
        ];
        for (from, to, expected) in cases {
            let text = GOOD.replacen(from, to, 1);
            let error = parse(Path::new("two-hunks.patch.toml"), &text).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
        let error = parse(Path::new("other.patch.toml"), GOOD).unwrap_err().to_string();
        assert!(error.contains("not the file's name"), "{error}");
    }
}
