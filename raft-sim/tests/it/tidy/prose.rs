//! Documents: links that resolve, none forgotten, nothing said that only one machine knows.

use super::tree::Tree;

/// Text that must not be in the repository, and why. Put together from halves, so that this list
/// is not caught by itself.
const FORBIDDEN: &[(&str, &str)] = &[
    (concat!("/wo", "rk/"), "a path of one machine"),
    (concat!("/ro", "ot/"), "a path of one machine"),
    (concat!("/ho", "me/"), "a path of one machine"),
    (concat!("/Us", "ers/"), "a path of one machine"),
    (concat!("index.cra", "tes.io"), "a registry's host"),
    (concat!("static.cra", "tes.io"), "a registry's host"),
    (concat!("SE", "EDS.md"), "a document that is not here"),
    (concat!("SE", "EDS §"), "a document that is not here"),
    (concat!("BU", "GS.md"), "a document that is not here"),
    (concat!("DESI", "GN.md"), "a document that is not here"),
    (concat!("DESI", "GN §"), "a document that is not here"),
    (concat!("SIMUL", "ATORS"), "a document that is not here"),
    (concat!("STY", "LE.md"), "a document that is not here"),
    (concat!("STY", "LE §"), "a document that is not here"),
    (concat!("PE", "RF.md"), "a document that is not here"),
    (concat!("PE", "RF §"), "a document that is not here"),
    (concat!("THE", "SIS.md"), "a document that is not here"),
];

/// Words that must not stand alone, and why.
const FORBIDDEN_WORDS: &[(&str, &str)] = &[
    (concat!("TO", "DO"), "unfinished work belongs in docs/FEATURES.md as planned"),
    (concat!("FIX", "ME"), "unfinished work belongs in docs/FEATURES.md as planned"),
    (concat!("X", "XX"), "unfinished work belongs in docs/FEATURES.md as planned"),
    (concat!("Clau", "de"), "speaks of tools"),
    (concat!("Anthro", "pic"), "speaks of tools"),
    (concat!("L", "LM"), "speaks of tools"),
    (concat!("sub", "agent"), "speaks of tools"),
];

/// Where the only foreign address in the lock file may point.
const REGISTRY: &str = "registry+https://github.com/rust-lang/crates.io-index";

/// Whether `word` stands in `line` with nothing alphanumeric on either side.
fn has_word(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = line[at + word.len()..].chars().next();
        ![before, after].into_iter().flatten().any(|c| c.is_alphanumeric() || c == '_')
    })
}

/// No machine's paths, no hosts, no documents that are not here, nothing left to do.
pub(crate) fn check_words(tree: &Tree) -> Vec<String> {
    let mut complaints = Vec::new();
    for (path, text) in tree.texts() {
        for (at, line) in text.lines().enumerate() {
            let found = FORBIDDEN.iter().filter(|(part, _)| line.contains(part));
            let words = FORBIDDEN_WORDS.iter().filter(|(word, _)| has_word(line, word));
            for (what, why) in found.chain(words) {
                complaints.push(format!("{path}:{}: {what:?}: {why}", at + 1));
            }
        }
    }
    for line in tree.text("Cargo.lock").lines() {
        if let Some(source) = line.strip_prefix("source = ")
            && source.trim_matches('"') != REGISTRY
        {
            complaints.push(format!("Cargo.lock: a dependency comes from {source}"));
        }
    }
    complaints
}

/// Lines of a page outside fenced blocks, with their 1-based numbers.
fn prose(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut fenced = false;
    text.lines().enumerate().filter_map(move |(at, line)| {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
            return None;
        }
        (!fenced).then_some((at + 1, line))
    })
}

/// The name a heading is linked by.
fn slug(heading: &str) -> String {
    let kept = heading.trim().chars().filter_map(|c| match c {
        ' ' => Some('-'),
        '-' | '_' => Some(c),
        _ if c.is_alphanumeric() => Some(c.to_ascii_lowercase()),
        _ => None,
    });
    kept.collect()
}

fn has_heading(text: &str, wanted: &str) -> bool {
    prose(text)
        .any(|(_, line)| line.starts_with('#') && slug(line.trim_start_matches('#')) == wanted)
}

/// Targets of links in one line, code spans left out.
fn targets(line: &str) -> Vec<&str> {
    let mut found = Vec::new();
    for (at, _) in line.match_indices("](") {
        if line[..at].matches('`').count() % 2 == 1 {
            continue;
        }
        if let Some((target, _)) = line[at + 2..].split_once(')') {
            found.push(target);
        }
    }
    found
}

/// `a/b.md` and `../c.md` → `c.md`. `None` if it leaves the repository.
fn resolve(page: &str, target: &str) -> Option<String> {
    let mut parts: Vec<&str> = page.split('/').collect();
    parts.pop();
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            name => parts.push(name),
        }
    }
    Some(parts.join("/"))
}

/// Every relative link of every page names a file, and its anchor a heading.
pub(crate) fn check_links(tree: &Tree) -> Vec<String> {
    let mut complaints = Vec::new();
    for (page, text) in tree.with_extension("md") {
        for (line, content) in prose(text) {
            for target in targets(content) {
                if target.contains("://") || target.starts_with("mailto:") {
                    continue;
                }
                let (file, anchor) = target.split_once('#').unwrap_or((target, ""));
                let path =
                    if file.is_empty() { Some(page.to_owned()) } else { resolve(page, file) };
                let Some(path) = path.filter(|path| tree.exists(path)) else {
                    complaints.push(format!("{page}:{line}: {target} leads nowhere"));
                    continue;
                };
                if !anchor.is_empty() && !has_heading(tree.text(&path), anchor) {
                    complaints.push(format!("{page}:{line}: {path} has no heading {anchor}"));
                }
            }
        }
    }
    complaints
}

/// Every document is reachable, and every document a source names exists.
pub(crate) fn check_orphans(tree: &Tree) -> Vec<String> {
    let mut complaints = Vec::new();
    let linked: Vec<String> = ["README.md", "docs/ARCHITECTURE.md"]
        .into_iter()
        .flat_map(|page| prose(tree.text(page)).map(move |(_, line)| (page, line)))
        .flat_map(|(page, line)| targets(line).into_iter().filter_map(move |t| resolve(page, t)))
        .collect();
    for (page, _) in tree.with_extension("md") {
        if page.starts_with("docs/")
            && page != "docs/ARCHITECTURE.md"
            && !linked.iter().any(|link| link.split('#').next() == Some(page))
        {
            complaints.push(format!("{page} is linked from nowhere"));
        }
    }
    for (path, text) in tree.with_extension("rs") {
        if path.starts_with("raft-sim/tests/it/tidy") {
            continue;
        }
        for (at, _) in text.match_indices("docs/") {
            let end = text[at..].find(|c: char| !c.is_ascii_alphanumeric() && !"/-_.".contains(c));
            let name = &text[at..at + end.unwrap_or(text.len() - at)];
            let Some((stem, _)) = name.split_once(".md") else { continue };
            let name = format!("{stem}.md");
            if !tree.exists(&name) {
                complaints.push(format!("{path}: names {name}, which is not there"));
            }
        }
    }
    complaints
}

/// The changelog opens with what is unreleased and has our two headings for every release.
pub(crate) fn check_changelog(tree: &Tree) -> Vec<String> {
    let text = tree.text("CHANGELOG.md");
    let mut complaints = Vec::new();
    let mut releases = text.split("\n## ").skip(1).peekable();
    if !releases.peek().is_some_and(|release| release.starts_with("[Unreleased]")) {
        complaints.push("CHANGELOG.md: [Unreleased] does not come first".to_owned());
    }
    for release in releases {
        let name = release.lines().next().unwrap_or("");
        for heading in ["### Traces and seeds", "### Safety"] {
            if !release.lines().any(|line| line == heading) {
                complaints.push(format!("CHANGELOG.md: {name} has no {heading:?}"));
            }
        }
    }
    complaints
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forbidden_text_is_seen() {
        for (part, _) in FORBIDDEN.iter().chain(FORBIDDEN_WORDS) {
            let tree = Tree::of(&[("a.txt", &format!("fine\nsee {part} there\n"))]);
            assert_eq!(check_words(&tree).len(), 1, "{part}");
        }
        let tree = Tree::of(&[("a.txt", "networks/ LLVM todo design styles Xxx\n")]);
        assert!(check_words(&tree).is_empty());
    }

    #[test]
    fn a_foreign_registry_is_seen() {
        let lock = |source: &str| check_words(&Tree::of(&[("Cargo.lock", source)])).len();
        assert_eq!(lock(&format!("source = \"{REGISTRY}\"\n")), 0);
        assert_eq!(lock("source = \"registry+https://mirror.example/index\"\n"), 1);
        assert_eq!(lock("source = \"git+https://example.org/x\"\n"), 1);
    }

    #[test]
    fn broken_links_are_seen() {
        let links = |text: &str| {
            let pages = [("docs/A.md", text), ("docs/B.md", "# Two words, `x`\n"), ("C.md", "c")];
            check_links(&Tree::of(&pages)).len()
        };
        let good = "[b](B.md) [c](../C.md) [w](https://x.org/a) [h](B.md#two-words-x) [d](../docs)\n\
                    `[x](gone.md)`\n```text\n[x](gone.md)\n```\n# Here\n[h](#here)\n";
        assert_eq!(links(good), 0);
        for bad in ["[x](gone.md)", "[x](../../C.md)", "[x](B.md#three)", "[x](#there)"] {
            assert_eq!(links(bad), 1, "{bad}");
        }
    }

    #[test]
    fn orphans_are_seen() {
        let orphans = |readme: &str, source: &str| {
            let files = [("README.md", readme), ("docs/A.md", "a"), ("x/src/a.rs", source)];
            check_orphans(&Tree::of(&files)).len()
        };
        assert_eq!(orphans("[a](docs/A.md)", "//! See docs/A.md."), 0);
        assert_eq!(orphans("[a](docs/A.md#part)", ""), 0);
        assert_eq!(orphans("docs/A.md", ""), 1);
        assert_eq!(orphans("[a](docs/A.md)", "//! See docs/B.md."), 1);
    }

    #[test]
    fn a_changelog_without_our_headings_is_seen() {
        let check = |text: &str| check_changelog(&Tree::of(&[("CHANGELOG.md", text)])).len();
        assert_eq!(check("# C\n\n## [Unreleased]\n\n### Traces and seeds\n\n### Safety\n"), 0);
        assert_eq!(check("# C\n\n## [Unreleased]\n\n### Safety\n"), 1);
        assert_eq!(check("# C\n\n## [0.1.0]\n\n### Traces and seeds\n\n### Safety\n"), 1);
        assert_eq!(check(""), 1);
    }
}
