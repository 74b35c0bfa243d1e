//! Paths that documents and headers name exist, and what is absent on purpose is absent.
//!
//! **Intuition.** A header says what is elsewhere, by file. Once a file moves, nothing but a check
//! notices the signposts that still point at its old place.
//! **Source.** Ours.
//! **Upholds.** "Absent on purpose" of docs/ARCHITECTURE.md.
//! **Not here.** Links (`prose.rs`), the code map (`code_map.rs`).

use super::{headers::header, tree::Tree};

/// Where a path in a document may start.
const TOPS: [&str; 6] = ["raft-core/", "raft-sim/", "raft-proptest/", "docs/", ".ci/", ".github/"];

/// Code spans of one line.
fn spans(line: &str) -> impl Iterator<Item = &str> {
    line.split('`').skip(1).step_by(2)
}

/// A name with a capital (`NAME`), a star or a brace stands for many; nothing to look up.
fn is_plain(path: &str) -> bool {
    let stem = path.split('/').map(|part| part.split('.').next().unwrap_or(part));
    let placeholder = |s: &str| s.len() > 1 && s.bytes().all(|b| b.is_ascii_uppercase());
    !path.contains(['*', '{', '<', ' ', '…']) && !stem.into_iter().any(placeholder)
}

/// Paths from the top of the repository in documents.
pub(crate) fn check_documents(tree: &Tree) -> Vec<String> {
    let mut complaints = Vec::new();
    for (page, text) in tree.with_extension("md") {
        // What was there once may be told there.
        if page == "CHANGELOG.md" {
            continue;
        }
        for (at, line) in text.lines().enumerate() {
            for span in spans(line).filter(|span| TOPS.iter().any(|top| span.starts_with(top))) {
                let path = span.split("::").next().unwrap_or(span);
                let document = path.starts_with("docs/");
                if (document || is_plain(path)) && !path.contains(' ') && !tree.exists(path) {
                    complaints.push(format!("{page}:{}: {path} does not exist", at + 1));
                }
            }
        }
    }
    complaints
}

/// Files and folders in the headers of sources: somewhere in the crate, or from the top.
pub(crate) fn check_headers(tree: &Tree) -> Vec<String> {
    let mut complaints = Vec::new();
    for (path, text) in tree.with_extension("rs") {
        let krate = format!("{}/", path.split('/').next().unwrap_or(""));
        for line in header(text) {
            for span in spans(line) {
                if !(span.ends_with(".rs") || span.ends_with('/')) || !is_plain(span) {
                    continue;
                }
                if !tree.exists(span) && !tree.has_inside(&krate, span) {
                    complaints.push(format!("{path}: its header names {span}, which is nowhere"));
                }
            }
        }
    }
    complaints
}

/// The only crates the core may use.
const CORE_DEPENDENCIES: [&str; 2] = ["bytes", "serde"];

/// What has no place in the core's own code, and the reason.
const ABSENT_IN_CORE: &[(&str, &str)] = &[
    ("std::", "no std"),
    ("f32", "no floats"),
    ("f64", "no floats"),
    ("HashMap", "no hash maps"),
    ("HashSet", "no hash maps"),
    ("async", "no async"),
    ("unsafe {", "no unsafe"),
    ("unsafe fn", "no unsafe"),
    ("unsafe impl", "no unsafe"),
    ("static", "no globals"),
    ("thread_local", "no globals"),
    ("Mutex", "no threads"),
    ("Atomic", "no threads"),
    ("println", "no output"),
];

/// Code without comments, up to the tests at the end of the file.
fn code(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines()
        .take_while(|line| line.trim() != "#[cfg(test)]")
        .enumerate()
        .map(|(at, line)| (at + 1, line.split("//").next().unwrap_or(line)))
}

/// `word` in `line`, not as the end of a longer name; `'static` is a lifetime, not a global.
fn stands(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        !before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == '\'' || c == '"')
    })
}

/// The core is what the documents say it is not.
pub(crate) fn check_absent(tree: &Tree) -> Vec<String> {
    let mut complaints = Vec::new();
    for (path, text) in tree.with_extension("rs").filter(|(p, _)| p.starts_with("raft-core/src/")) {
        for (at, line) in code(text) {
            for (word, why) in ABSENT_IN_CORE.iter().filter(|(word, _)| stands(line, word)) {
                complaints.push(format!("{path}:{at}: {word}: {why} in the core"));
            }
        }
    }
    let mut section = "";
    for line in tree.text("raft-core/Cargo.toml").lines().map(str::trim) {
        if line.starts_with('[') {
            section = line;
        } else if section == "[dependencies]" && !line.is_empty() && !line.starts_with('#') {
            let name = line.split(['.', ' ', '=']).next().unwrap_or(line);
            if !CORE_DEPENDENCIES.contains(&name) {
                complaints.push(format!("raft-core/Cargo.toml: {name}: not a core dependency"));
            }
        }
    }
    if !tree.text("raft-core/src/lib.rs").lines().any(|line| line == "#![no_std]") {
        complaints.push("raft-core/src/lib.rs: no #![no_std]".to_owned());
    }
    complaints
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_that_lead_nowhere_are_seen() {
        let documents = |text: &str| {
            let files = [("README.md", text), ("docs/A.md", ""), ("raft-sim/src/a/b.rs", "")];
            check_documents(&Tree::of(&files)).len()
        };
        let good = "`raft-sim/src/a/` `raft-sim/src/a/b.rs::c` `raft-sim/src/*/b.rs` `docs/A.md` \
                    `.ci/extra/NAME` `a/gone.rs`";
        assert_eq!(documents(good), 0);
        for bad in ["`raft-sim/src/c/`", "`raft-sim/src/a/c.rs`", "`docs/B.md`", "`.ci/gone`"] {
            assert_eq!(documents(bad), 1, "{bad}");
        }
    }

    #[test]
    fn signposts_that_point_nowhere_are_seen() {
        let headers = |text: &str| {
            let files = [("c/src/a/b.rs", text), ("c/src/a/d.rs", ""), ("c/src/e/f.rs", "")];
            check_headers(&Tree::of(&files)).len()
        };
        assert_eq!(headers("//! A (`d.rs`, `a/d.rs`, `e/`, `src/e/f.rs`, `c/src/`, `*.rs`)."), 0);
        assert_eq!(headers("//! A (`f.rs`, `src/`, `c/src/e/`)."), 0);
        assert_eq!(headers("//! A (`r.rs`, `ad/d.rs`, `rc/`)."), 3);
        assert_eq!(headers("//! A (`g/`, `g.rs`)."), 2);
        assert_eq!(headers("//! A.\nfn f() {} // `g.rs`"), 0);
    }

    #[test]
    fn what_must_be_absent_is_seen() {
        let core = |source: &str, manifest: &str| {
            let files = [
                ("raft-core/src/lib.rs", "#![no_std]"),
                ("raft-core/src/a.rs", source),
                ("raft-core/Cargo.toml", manifest),
            ];
            check_absent(&Tree::of(&files)).len()
        };
        let fine = "// std::time\nfn a(_: &'static str) {}\nlet is_static = 1;\n#[cfg(test)]\nf64";
        assert_eq!(core(fine, "[dependencies]\nbytes.workspace = true\n\n[lints]\nx = true"), 0);
        for bad in ["use std::time;", "let x: f64;", "unsafe {}", "static X: u8 = 1;"] {
            assert_eq!(core(bad, ""), 1, "{bad}");
        }
        assert_eq!(core("", "[dependencies]\nrand = \"1\""), 1);
        assert_eq!(check_absent(&Tree::default()).len(), 1);
    }
}
