//! The copy of the workspace that mutants are put into.
//!
//! **Intuition.** The real tree is never touched, so an interrupted run leaves no mutant behind.
//! Only what differs is written: an unchanged file keeps its time, and its build.
//! **Source.** Ours.
//! **Upholds.** None in the protocol.
//! **Not here.** What is woven into it (`schema.rs`), what is built there (`bench.rs`).

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
};

pub(crate) struct Scratch {
    path: PathBuf,
}

impl Scratch {
    /// Makes `to` a copy of the sources at `from`, whatever was there, but for the files of
    /// `changed`, which are named from that folder on.
    pub(crate) fn mirror(
        from: &Path,
        to: &Path,
        changed: &BTreeMap<String, String>,
    ) -> Result<Self, String> {
        mirror(from, to, "", changed)
            .map_err(|error| format!("cannot copy to {}: {error}", to.display()))?;
        Ok(Self { path: to.to_owned() })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

/// Builds and hidden folders are left out, but for cargo's own.
fn is_source(name: &str) -> bool {
    name != "target" && (!name.starts_with('.') || name == ".cargo")
}

fn mirror(
    from: &Path,
    to: &Path,
    prefix: &str,
    changed: &BTreeMap<String, String>,
) -> io::Result<()> {
    fs::create_dir_all(to)?;
    let mut kept = Vec::new();
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let name = entry.file_name();
        if !is_source(&name.to_string_lossy()) {
            continue;
        }
        let (target, path) = (to.join(&name), format!("{prefix}{}", name.to_string_lossy()));
        if entry.file_type()?.is_dir() {
            mirror(&entry.path(), &target, &format!("{path}/"), changed)?;
        } else {
            let content = match changed.get(&path) {
                Some(text) => text.clone().into_bytes(),
                None => fs::read(entry.path())?,
            };
            if fs::read(&target).ok().as_ref() != Some(&content) {
                fs::write(&target, content)?;
            }
        }
        kept.push(name);
    }
    for entry in fs::read_dir(to)? {
        let entry = entry?;
        if kept.contains(&entry.file_name()) {
            continue;
        }
        if entry.file_type()?.is_dir() {
            fs::remove_dir_all(entry.path())?;
        } else {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_follows_its_source_and_leaves_builds_out() {
        let top = std::env::temp_dir().join(format!("raft-mutants-{}", std::process::id()));
        let (from, to) = (top.join("from"), top.join("to"));
        let put = |path: &str, text: &str| {
            let path = from.join(path);
            fs::create_dir_all(path.parent().expect("a folder")).expect("made");
            fs::write(path, text).expect("written");
        };
        put("a/b.rs", "one");
        put("target/x", "build");
        put(".git/x", "history");
        let mutant = BTreeMap::from([("a/b.rs".to_owned(), "a mutant".to_owned())]);
        let sut = Scratch::mirror(&from, &to, &mutant).expect("copied");
        let copy = || fs::read_to_string(sut.path().join("a/b.rs")).expect("there");
        assert_eq!(copy(), "a mutant");
        assert!(!to.join("target").exists() && !to.join(".git").exists());

        fs::write(to.join("a/left.rs"), "").expect("written");
        Scratch::mirror(&from, &to, &BTreeMap::new()).expect("copied");
        assert_eq!(copy(), "one");
        assert!(!to.join("a/left.rs").exists(), "what the source lacks goes");
        fs::remove_dir_all(top).expect("removed");
    }
}
