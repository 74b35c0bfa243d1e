//! The code map of docs/ARCHITECTURE.md is generated from the headers of the files.

use std::fs;

use super::{headers::header, tree};

const PAGE: &str = "docs/ARCHITECTURE.md";
/// Stands on the line before the block.
const MARK: &str = "<!-- code map: written by `cargo bless -p raft-sim --test it code_map` -->";

/// What a file is: the first sentence of its header.
fn job(text: &str) -> String {
    let header = header(text);
    let paragraph: Vec<&str> = header.into_iter().take_while(|line| !line.is_empty()).collect();
    let paragraph = paragraph.join(" ");
    match paragraph.split_once(". ") {
        Some((sentence, _)) => format!("{sentence}."),
        None => paragraph,
    }
}

/// The block as the tree has it: one path a line with its job, a blank line between folders.
fn block(tree: &tree::Tree) -> String {
    let mut files: Vec<(&str, &str, String)> = tree
        .with_extension("rs")
        .map(|(path, text)| {
            let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
            (folder, path, job(text))
        })
        .collect();
    files.sort();
    let mut out = String::new();
    let mut last = None;
    for (folder, path, job) in &files {
        if last.is_some_and(|last| last != *folder) {
            out.push('\n');
        }
        last = Some(*folder);
        let width = files.iter().filter(|f| f.0 == *folder).map(|f| f.1.len()).max().unwrap_or(0);
        out.push_str(format!("{path:width$}  {job}").trim_end());
        out.push('\n');
    }
    out
}

/// Start and end of the block in the page.
fn find(page: &str) -> Option<(usize, usize)> {
    let opening = format!("{MARK}\n```text\n");
    let start = page.find(&opening)? + opening.len();
    let end = start + page[start..].find("```\n")?;
    Some((start, end))
}

/// Every file is in the map with its job, and nothing else is.
pub(crate) fn check(tree: &tree::Tree) -> Vec<String> {
    let page = tree.text(PAGE);
    let Some((start, end)) = find(page) else {
        return vec![format!("{PAGE}: no code map behind {MARK:?}")];
    };
    let (have, want) = (&page[start..end], block(tree));
    let mut complaints: Vec<String> = Vec::new();
    for line in want.lines().filter(|line| !line.is_empty() && !have.lines().any(|l| l == *line)) {
        complaints.push(format!("{PAGE}: missing or outdated: {line}"));
    }
    for line in have.lines().filter(|line| !line.is_empty() && !want.lines().any(|l| l == *line)) {
        complaints.push(format!("{PAGE}: not so in the tree: {line}"));
    }
    if complaints.is_empty() && have != want {
        complaints.push(format!("{PAGE}: the code map's lines are in another order"));
    }
    complaints
}

/// Writes the block anew.
pub(crate) fn rewrite(tree: &tree::Tree) {
    let page = tree.text(PAGE);
    let (start, end) = find(page).unwrap_or_else(|| panic!("{PAGE} has no line {MARK:?}"));
    let page = format!("{}{}{}", &page[..start], block(tree), &page[end..]);
    fs::write(tree::root().join(PAGE), page).unwrap_or_else(|e| panic!("cannot write {PAGE}: {e}"));
}

#[cfg(test)]
mod tests {
    use super::{tree::Tree, *};

    const FILES: [(&str, &str); 3] = [
        ("c/src/b.rs", "//! Bees.\nfn b() {}"),
        ("c/src/a/mod.rs", "//! Ants: they walk. And more.\n//!\n//! Else."),
        ("c/src/lonely.rs", "//! One that\n//! wraps."),
    ];
    const MAP: &str = "c/src/b.rs       Bees.\nc/src/lonely.rs  One that wraps.\n\nc/src/a/mod.rs  Ants: they walk.\n";

    fn with_page(map: &str) -> Tree {
        let page = format!("# A\n{MARK}\n```text\n{map}```\nend\n");
        let mut files = FILES.to_vec();
        files.push((PAGE, &page));
        Tree::of(&files)
    }

    #[test]
    fn the_map_follows_the_headers() {
        assert_eq!(block(&Tree::of(&FILES)), MAP);
        assert!(check(&with_page(MAP)).is_empty());
    }

    #[test]
    fn a_map_that_lies_is_seen() {
        assert_eq!(check(&Tree::of(&FILES)).len(), 1);
        assert_eq!(check(&with_page("")).len(), 3);
        assert_eq!(check(&with_page(&MAP.replace("Bees", "Wasps"))).len(), 2);
        assert_eq!(check(&with_page(&format!("{MAP}c/src/gone.rs  Gone.\n"))).len(), 1);
        let swapped = MAP.split_once("\n\n").map(|(a, b)| format!("{b}\n{a}\n")).unwrap();
        assert_eq!(check(&with_page(&swapped)).len(), 1);
    }
}
