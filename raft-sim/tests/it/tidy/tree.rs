//! The files of the repository as text, read once, or made up by a test.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

/// Paths relative to the repository, with `/`, and their text; `None` where it is not UTF-8.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tree {
    files: BTreeMap<String, Option<String>>,
}

/// Hidden folders that belong to the repository; others (version control, editors) do not.
const HIDDEN_KEPT: [&str; 3] = [".ci", ".cargo", ".github"];

/// The folder that holds all crates.
pub(crate) fn root() -> PathBuf {
    let crate_dir = Path::new(env!("CARGO_MANIFEST_DIR"));
    crate_dir.parent().expect("raft-sim lies in the workspace's folder").to_path_buf()
}

impl Tree {
    /// The repository this test was compiled in, without what `.gitignore` names.
    pub(crate) fn read() -> Self {
        let root = root();
        let ignored: Vec<String> = fs::read_to_string(root.join(".gitignore"))
            .unwrap_or_default()
            .lines()
            .map(|line| line.trim().trim_matches('/').to_owned())
            .filter(|line| !line.is_empty() && !line.starts_with('#'))
            .collect();
        let mut tree = Self::default();
        let mut folders = vec![(root, String::new())];
        while let Some((folder, prefix)) = folders.pop() {
            let entries = fs::read_dir(&folder)
                .unwrap_or_else(|e| panic!("cannot list {}: {e}", folder.display()));
            for entry in entries {
                let entry = entry.expect("a folder's entry is readable");
                let name = entry.file_name().into_string().expect("file names are UTF-8");
                let path = format!("{prefix}{name}");
                if ignored.contains(&path) || name == "target" {
                    continue;
                }
                let kind = entry.file_type().expect("a file's type is known");
                if kind.is_dir() {
                    if !name.starts_with('.') || HIDDEN_KEPT.contains(&name.as_str()) {
                        folders.push((entry.path(), format!("{path}/")));
                    }
                } else if kind.is_file() {
                    let bytes = fs::read(entry.path())
                        .unwrap_or_else(|e| panic!("cannot read {path}: {e}"));
                    tree.files.insert(path, String::from_utf8(bytes).ok());
                }
            }
        }
        assert!(tree.exists("Cargo.toml"), "the repository's root was not found");
        tree
    }

    /// A made-up tree.
    pub(crate) fn of(files: &[(&str, &str)]) -> Self {
        let files = files.iter().map(|(path, text)| ((*path).to_owned(), Some((*text).to_owned())));
        Self { files: files.collect() }
    }

    /// Whether there is such a file, or a folder with a file in it.
    pub(crate) fn exists(&self, path: &str) -> bool {
        let folder = format!("{}/", path.trim_end_matches('/'));
        self.files.contains_key(path) || self.files.keys().any(|p| p.starts_with(&folder))
    }

    /// Whether a file under `top` (which ends in `/`) has a path, or a folder in it, that ends in
    /// `part`; whole names only.
    pub(crate) fn has_inside(&self, top: &str, part: &str) -> bool {
        let (file, folder) = (format!("/{part}"), format!("/{}/", part.trim_end_matches('/')));
        let inside = self.files.keys().filter_map(|path| path.strip_prefix(top));
        inside.map(|path| format!("/{path}")).any(|path| {
            if part.ends_with('/') { path.contains(&folder) } else { path.ends_with(&file) }
        })
    }

    /// The text of `path`; empty if it is not there, so that checks report what they miss in it.
    pub(crate) fn text(&self, path: &str) -> &str {
        self.files.get(path).and_then(|text| text.as_deref()).unwrap_or("")
    }

    /// Path and text of every text file, in the order of paths.
    pub(crate) fn texts(&self) -> impl Iterator<Item = (&str, &str)> {
        self.files.iter().filter_map(|(path, text)| Some((path.as_str(), text.as_deref()?)))
    }

    /// Path and text of every file whose name ends in `.extension`.
    pub(crate) fn with_extension(&self, extension: &str) -> impl Iterator<Item = (&str, &str)> {
        let end = format!(".{extension}");
        self.texts().filter(move |(path, _)| path.ends_with(&end))
    }
}

#[test]
fn a_tree_knows_files_and_folders() {
    let tree = Tree::of(&[("a/b.rs", "x"), ("c.md", "y")]);
    assert!(tree.exists("a/b.rs") && tree.exists("a") && tree.exists("a/"));
    assert!(!tree.exists("a/b") && !tree.exists("d"));
    assert_eq!(tree.text("c.md"), "y");
    assert_eq!(tree.text("gone"), "");
    assert_eq!(tree.with_extension("rs").count(), 1);
}
