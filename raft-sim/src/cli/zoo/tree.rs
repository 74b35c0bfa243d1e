//! A copy of the workspace to patch and build, apart from the one that is worked on.
//!
//! **Intuition.** Only what a build reads is copied, and only files that differ are written, so
//! the second patch rebuilds what the patches touch and nothing else.
//! **Source.** Ours.
//! **Upholds.** —
//! **Not here.** What is changed in the copy (`patch.rs`).

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use crate::{cli::error::CliError, report::files};

/// Files of the workspace's root that a build may read, if they are there.
const ROOT_FILES: &[&str] =
    &["Cargo.toml", "Cargo.lock", "README.md", "rust-toolchain.toml", ".cargo/config.toml"];

/// The copy.
#[derive(Clone, Debug)]
pub(super) struct Tree {
    source: PathBuf,
    copy: PathBuf,
    target: PathBuf,
}

impl Tree {
    /// A copy of the workspace at `source` within the folder `work`.
    pub(super) fn new(source: &Path, work: &Path) -> Self {
        Self { source: source.to_path_buf(), copy: work.join("tree"), target: work.join("target") }
    }

    /// Root of the copy.
    pub(super) fn root(&self) -> &Path {
        &self.copy
    }

    /// The program that [`Tree::build`] makes.
    pub(super) fn program(&self) -> PathBuf {
        self.target.join("release").join(format!("raft-sim{}", std::env::consts::EXE_SUFFIX))
    }

    /// Makes the copy equal to the source again.
    ///
    /// # Errors
    /// When the source is no workspace, or something cannot be read or written.
    pub(super) fn refresh(&self) -> Result<(), CliError> {
        let mut wanted = BTreeSet::new();
        for file in ROOT_FILES {
            if self.source.join(file).is_file() {
                wanted.insert(PathBuf::from(file));
            }
        }
        for member in members(&self.source)? {
            walk(&self.source, Path::new(&member), &mut wanted)?;
        }
        let mut present = BTreeSet::new();
        if self.copy.is_dir() {
            walk(&self.copy, Path::new(""), &mut present)?;
        }
        for path in present.difference(&wanted) {
            let path = self.copy.join(path);
            fs::remove_file(&path).map_err(|error| CliError::Unwritable {
                path: path.clone(),
                why: error.to_string(),
            })?;
        }
        for path in &wanted {
            let content = read(&self.source.join(path))?;
            let to = self.copy.join(path);
            // Untouched files keep their time, which is what the build looks at.
            if !present.contains(path) || read(&to)? != content {
                files::write(&to, &content)?;
            }
        }
        Ok(())
    }

    /// Builds the copy's `raft-sim`.
    ///
    /// # Errors
    /// The last lines the compiler said.
    pub(super) fn build(&self) -> Result<(), CliError> {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let output = Command::new(cargo)
            .args(["build", "--release", "--locked", "-p", "raft-sim", "--bin", "raft-sim"])
            .current_dir(&self.copy)
            .env("CARGO_TARGET_DIR", &self.target)
            // Whole-program optimisation would cost more than the campaign it speeds up.
            .env("CARGO_PROFILE_RELEASE_LTO", "off")
            .env("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16")
            .env("CARGO_PROFILE_RELEASE_DEBUG", "false")
            .output()
            .map_err(|error| CliError::Internal(format!("cargo cannot be started: {error}")))?;
        if output.status.success() {
            return Ok(());
        }
        let said = String::from_utf8_lossy(&output.stderr);
        let lines: Vec<&str> = said.lines().collect();
        let tail = lines.get(lines.len().saturating_sub(40)..).unwrap_or(&lines);
        Err(CliError::Malformed {
            path: self.copy.clone(),
            why: format!("the patched copy does not build:\n{}", tail.join("\n")),
        })
    }
}

fn members(source: &Path) -> Result<Vec<String>, CliError> {
    let path = source.join("Cargo.toml");
    let text = files::read(&path)?;
    let not_ours = |why: &str| CliError::Malformed {
        path: path.clone(),
        why: format!("{why}; name the workspace that contains raft-sim with --tree"),
    };
    let manifest: toml::Table =
        toml::from_str(&text).map_err(|error| not_ours(&error.to_string()))?;
    let members = manifest
        .get("workspace")
        .and_then(|workspace| workspace.get("members"))
        .and_then(toml::Value::as_array)
        .ok_or_else(|| not_ours("this is no workspace"))?;
    let members: Vec<String> =
        members.iter().filter_map(|member| member.as_str().map(str::to_owned)).collect();
    if members.iter().any(|member| member == "raft-sim") {
        Ok(members)
    } else {
        Err(not_ours("raft-sim is not a member of this workspace"))
    }
}

/// Adds the files below `base/part` to `found`, as paths from `base`. Build output, version control
/// and findings are no sources.
fn walk(base: &Path, part: &Path, found: &mut BTreeSet<PathBuf>) -> Result<(), CliError> {
    let folder = base.join(part);
    let unreadable = |error: std::io::Error| CliError::Unreadable {
        path: folder.clone(),
        why: error.to_string(),
    };
    for entry in fs::read_dir(&folder).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        let name = entry.file_name();
        let path = part.join(&name);
        if entry.file_type().map_err(unreadable)?.is_dir() {
            if !["target", ".git", "findings"].iter().any(|skip| name == *skip) {
                walk(base, &path, found)?;
            }
        } else {
            found.insert(path);
        }
    }
    Ok(())
}

fn read(path: &Path) -> Result<Vec<u8>, CliError> {
    fs::read(path)
        .map_err(|error| CliError::Unreadable { path: path.to_path_buf(), why: error.to_string() })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::Tree;

    #[test]
    fn the_copy_follows_the_source_and_untouched_files_stay() {
        let folder = tempfile::tempdir().unwrap();
        let source = folder.path().join("source");
        for (path, text) in [
            ("Cargo.toml", "[workspace]\nmembers = [\"raft-sim\"]\n"),
            ("raft-sim/Cargo.toml", "x"),
            ("raft-sim/src/a.rs", "a"),
            ("raft-sim/src/b.rs", "b"),
            ("raft-sim/target/huge", "no"),
            ("elsewhere/c.rs", "no"),
        ] {
            crate::report::files::write(&source.join(path), text.as_bytes()).unwrap();
        }
        let tree = Tree::new(&source, &folder.path().join("work"));
        tree.refresh().unwrap();
        let copy = tree.root().to_path_buf();
        assert!(!copy.join("raft-sim/target").exists() && !copy.join("elsewhere").exists());

        let untouched = fs::metadata(copy.join("raft-sim/src/a.rs")).unwrap().modified().unwrap();
        fs::write(copy.join("raft-sim/src/b.rs"), "patched").unwrap();
        fs::write(copy.join("raft-sim/src/new.rs"), "patched").unwrap();
        tree.refresh().unwrap();
        assert_eq!(fs::read_to_string(copy.join("raft-sim/src/b.rs")).unwrap(), "b");
        assert!(!copy.join("raft-sim/src/new.rs").exists());
        let after = fs::metadata(copy.join("raft-sim/src/a.rs")).unwrap().modified().unwrap();
        assert_eq!(untouched, after);
    }

    #[test]
    fn a_folder_that_is_no_workspace_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("Cargo.toml"), "[package]\nname = \"x\"\n").unwrap();
        let error = Tree::new(folder.path(), folder.path()).refresh().unwrap_err().to_string();
        assert!(error.contains("no workspace") && error.contains("--tree"), "{error}");
    }
}
