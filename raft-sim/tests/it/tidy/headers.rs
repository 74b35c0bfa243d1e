//! Every source file says what it is, and stays small enough to be one thing.

use super::tree::Tree;

/// Above this a file in `src` has the header in all five parts; below, one sentence may do.
const FIVE_PARTS_ABOVE_LINES: usize = 60;
/// Above this a file usually holds two ideas.
const LINES_MAX: usize = 600;

/// Longer files, each with the reason why splitting it would make it worse.
const LONG: &[(&str, &str)] = &[];

/// Files without all parts of a header, each with the reason.
const PLAIN: &[(&str, &str)] = &[];

/// What follows the first sentence of a header, each as `**Part.**` at the start of a line.
const PARTS: [&str; 4] = ["Intuition", "Source", "Upholds", "Not here"];

/// The header of a file: its leading `//!` lines, without the marker.
pub(crate) fn header(text: &str) -> Vec<&str> {
    text.lines()
        .map_while(|line| line.strip_prefix("//!"))
        .map(|line| line.strip_prefix(' ').unwrap_or(line))
        .collect()
}

fn in_src(path: &str) -> bool {
    path.contains("/src/")
}

/// Crate roots are a tour of their own shape, and modules of tests are named for what they test.
fn needs_one_sentence_only(path: &str) -> bool {
    ["/src/lib.rs", "/src/main.rs", "/tests.rs"].iter().any(|end| path.ends_with(end))
}

/// A header on every file, with the parts its length asks for.
pub(crate) fn check_headers(tree: &Tree) -> Vec<String> {
    let mut complaints = Vec::new();
    for (path, text) in tree.with_extension("rs") {
        let header = header(text);
        if header.first().is_none_or(|line| line.trim().is_empty()) {
            complaints.push(format!("{path}: its first line is not `//! what it is`"));
            continue;
        }
        if !in_src(path)
            || needs_one_sentence_only(path)
            || PLAIN.iter().any(|(plain, _)| *plain == path)
        {
            continue;
        }
        let lines = text.lines().count();
        if lines <= FIVE_PARTS_ABOVE_LINES {
            continue;
        }
        for part in PARTS {
            if !header.iter().any(|line| line.starts_with(&format!("**{part}.**"))) {
                complaints.push(format!("{path}: {lines} lines and no **{part}.** in its header"));
            }
        }
    }
    stale(tree, "PLAIN", PLAIN, |_| true, &mut complaints);
    complaints
}

/// No file in `src` above the limit, but for those listed.
pub(crate) fn check_lengths(tree: &Tree) -> Vec<String> {
    let mut complaints = Vec::new();
    for (path, text) in tree.with_extension("rs").filter(|(path, _)| in_src(path)) {
        let lines = text.lines().count();
        if lines > LINES_MAX && !LONG.iter().any(|(long, _)| *long == path) {
            complaints.push(format!("{path}: {lines} lines, limit {LINES_MAX}"));
        }
    }
    stale(tree, "LONG", LONG, |text| text.lines().count() > LINES_MAX, &mut complaints);
    complaints
}

/// Exceptions that no longer are any.
fn stale(
    tree: &Tree,
    list: &str,
    exceptions: &[(&str, &str)],
    still: impl Fn(&str) -> bool,
    complaints: &mut Vec<String>,
) {
    for (path, reason) in exceptions {
        if !tree.exists(path) || !still(tree.text(path)) {
            complaints.push(format!("{list} excuses {path} ({reason}) without need"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(header: &str, lines: usize) -> String {
        format!("{header}\n{}", "// x\n".repeat(lines))
    }

    #[test]
    fn a_header_ends_where_the_code_begins() {
        assert_eq!(header("//! A.\n//!\n//! B.\n\n//! C."), ["A.", "", "B."]);
        assert!(header("// A\n//! B").is_empty());
    }

    #[test]
    fn missing_headers_and_parts_are_seen() {
        let check = |path: &str, text: &str| check_headers(&Tree::of(&[(path, text)])).len();
        assert_eq!(check("c/src/a.rs", "fn a() {}"), 1);
        assert_eq!(check("c/tests/it/a.rs", "\n//! A."), 1);
        assert_eq!(check("c/src/a.rs", &file("//!", 1)), 1);
        assert_eq!(check("c/src/a.rs", &file("//! A.", 10)), 0);
        assert_eq!(check("c/src/a.rs", &file("//! A.", 100)), 4);
        assert_eq!(check("c/src/a.rs", &file("//! A.\n//! **Not here.** B.", 100)), 3);
        assert_eq!(check("c/tests/it/a.rs", &file("//! A.", 200)), 0);
        assert_eq!(check("c/src/lib.rs", &file("//! A.", 200)), 0);
        assert_eq!(check("c/src/a/tests.rs", &file("//! A.", 200)), 0);
        assert_eq!(check("c/src/a/tests.rs", &file("// A.", 200)), 1);
        let five = "//! A.\n//! **Intuition.** B\n//! **Source.** C\n//! **Upholds.** D\n//! **Not here.** E";
        assert_eq!(check("c/src/a.rs", &file(five, 200)), 0);
    }

    #[test]
    fn long_files_are_seen() {
        let check =
            |path: &str, lines| check_lengths(&Tree::of(&[(path, &file("//! A.", lines))])).len();
        let excused = check_lengths(&Tree::default()).len();
        assert_eq!(check("c/src/a.rs", LINES_MAX - 1) - excused, 0);
        assert_eq!(check("c/src/a.rs", LINES_MAX) - excused, 1);
        assert_eq!(check("c/tests/a.rs", LINES_MAX) - excused, 0);
    }

    #[test]
    fn a_stale_exception_is_seen() {
        let tree = Tree::of(&[("c/src/a.rs", "short")]);
        let mut complaints = Vec::new();
        stale(&tree, "L", &[("c/src/a.rs", "r"), ("gone", "r")], |t| t == "long", &mut complaints);
        assert_eq!(complaints.len(), 2);
    }
}
