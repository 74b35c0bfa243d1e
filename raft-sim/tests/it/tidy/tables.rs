//! Tables of ids: complete, without doubles, and every `done` names a test that exists.
//!
//! **Intuition.** The ids are generated here from ranges, so a lost row cannot lose its own
//! check. A row's first cell is the id in backticks, its last cell the status.
//! **Source.** Ours.
//! **Upholds.** docs/SEMANTICS.md, docs/FEATURES.md, docs/HAZARDS.md.
//! **Not here.** Ids of invariants (`invariants.rs`).

use std::collections::{BTreeMap, BTreeSet};

use super::tree::Tree;

const SEMANTICS: &str = "docs/SEMANTICS.md";
const FEATURES: &str = "docs/FEATURES.md";
const HAZARDS: &str = "docs/HAZARDS.md";

/// Sections of the semantics and how many numbered clauses each has; 0: the section is the clause.
const SECTIONS: [(&str, u32); 16] = [
    ("2.0", 9),
    ("2.1", 7),
    ("2.2", 7),
    ("2.3", 11),
    ("2.4", 3),
    ("2.5", 7),
    ("2.6", 3),
    ("2.7", 5),
    ("2.8", 0),
    ("2.9", 9),
    ("2.10", 4),
    ("2.11", 2),
    ("2.12", 6),
    ("2.13", 5),
    ("2.14", 0),
    ("2.15", 0),
];

/// Clause numbers, without the letters that part a clause into rules.
fn clause_numbers() -> Vec<String> {
    let mut all = Vec::new();
    for (section, clauses) in SECTIONS {
        if clauses == 0 {
            all.push(section.to_owned());
        }
        all.extend((1..=clauses).map(|n| format!("{section}.{n}")));
    }
    all
}

fn capability_ids() -> Vec<String> {
    (1..=108).map(|n| format!("S-{n:02}")).collect()
}

fn hazard_ids() -> Vec<String> {
    let mut all: Vec<String> = (1..=110).map(|n| format!("B-{n:03}")).collect();
    for (system, defects) in [('W', 17), ('T', 11), ('R', 12), ('Z', 15), ('X', 1)] {
        all.extend((1..=defects).map(|n| format!("D-{system}{n}")));
    }
    all
}

/// One row of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Row<'a> {
    /// 1-based line.
    pub(crate) line: usize,
    /// First cell, without backticks.
    pub(crate) id: &'a str,
    /// Last cell.
    pub(crate) status: &'a str,
    /// How many cells.
    pub(crate) cells: usize,
}

/// Rows whose first cell is one id in backticks.
pub(crate) fn rows(text: &str) -> Vec<Row<'_>> {
    let mut rows = Vec::new();
    for (at, line) in text.lines().enumerate() {
        let Some(cells) = line.strip_prefix("| `") else { continue };
        let Some((id, rest)) = cells.split_once('`') else { continue };
        let rest = rest.trim_end().trim_end_matches('|');
        let status = rest.rsplit('|').next().unwrap_or("").trim();
        rows.push(Row { line: at + 1, id, status, cells: rest.matches('|').count() + 1 });
    }
    rows
}

/// Compares ids found with ids wanted: missing, unknown, twice.
pub(crate) fn compare(file: &str, found: &[&str], wanted: &[String]) -> Vec<String> {
    let mut complaints = Vec::new();
    let mut counts: BTreeMap<&str, u32> = BTreeMap::new();
    for id in found {
        *counts.entry(id).or_default() += 1;
    }
    for id in wanted {
        match counts.remove(id.as_str()) {
            Some(1) => {}
            Some(n) => complaints.push(format!("{file}: {id} stands {n} times")),
            None => complaints.push(format!("{file}: {id} is missing")),
        }
    }
    complaints.extend(counts.keys().map(|id| format!("{file}: {id} is not an id we know")));
    complaints
}

/// Why a status is wrong, if it is. `done`, `planned` or `excluded: reason`.
fn judge_status(tree: &Tree, status: &str) -> Option<String> {
    if status == "planned" {
        return None;
    }
    if let Some(reason) = status.strip_prefix("excluded: ") {
        return (reason.trim().len() < 10).then(|| "excluded without a reason".to_owned());
    }
    let Some(tests) = status.strip_prefix("done ") else {
        return Some(format!("{status:?} is none of done, planned, excluded"));
    };
    tests.split(", ").find_map(|test| judge_test(tree, test.trim().trim_matches('`')))
}

/// Why `path::test` or a script's path names nothing, if so.
fn judge_test(tree: &Tree, test: &str) -> Option<String> {
    let (path, name) = match test.split_once("::") {
        Some((path, name)) => (path, Some(name)),
        None => (test, None),
    };
    if path.is_empty() || !tree.exists(path) {
        return Some(format!("{path:?} does not exist"));
    }
    let Some(name) = name else {
        let source = path.ends_with(".rs") || path.ends_with(".md");
        return source.then(|| format!("{path} holds many things: name one with ::"));
    };
    // `tests::name` and `name` are the same test.
    let name = name.rsplit("::").next().unwrap_or(name);
    let text = tree.text(path);
    let found = if path.ends_with(".rs") { has_test(text, name) } else { text.contains(name) };
    (!found).then(|| format!("{path} has no test {name}"))
}

/// Whether `text` has `fn name` right under a `#[test]`.
fn has_test(text: &str, name: &str) -> bool {
    let function = format!("fn {name}(");
    text.match_indices(&function).any(|(at, _)| {
        let before = &text[..at];
        before.rfind("#[test]").is_some_and(|mark| !before[mark..].contains("fn "))
    })
}

fn check_table(tree: &Tree, file: &str, wanted: &[String], cells: usize) -> Vec<String> {
    let rows = rows(tree.text(file));
    let ids: Vec<&str> = rows.iter().map(|row| row.id).collect();
    let mut complaints = compare(file, &ids, wanted);
    for row in &rows {
        if row.cells != cells {
            let Row { line, id, cells: found, .. } = row;
            complaints.push(format!("{file}:{line}: {id}: {found} cells, not {cells}"));
        }
        if let Some(why) = judge_status(tree, row.status) {
            complaints.push(format!("{file}:{}: {}: {why}", row.line, row.id));
        }
    }
    complaints
}

/// Ids of rules: lines that open with "- `id` ".
fn rule_ids(text: &str) -> Vec<&str> {
    let ids = text.lines().filter_map(|line| line.strip_prefix("- `")?.split_once("` "));
    ids.map(|(id, _)| id).filter(|id| id.starts_with("2.")).collect()
}

/// `2.1.6(b)` → (`2.1.6`, Some('b')).
fn split_letter(id: &str) -> (&str, Option<char>) {
    match id.strip_suffix(')').and_then(|rest| rest.split_once('(')) {
        Some((number, letter)) if letter.chars().count() == 1 => (number, letter.chars().next()),
        _ => (id, None),
    }
}

/// Every numbered clause is there, whole or in parts lettered from (a) without a gap.
pub(crate) fn check_semantics(tree: &Tree) -> Vec<String> {
    let mut complaints = Vec::new();
    let mut parts: BTreeMap<&str, Vec<Option<char>>> = BTreeMap::new();
    for id in rule_ids(tree.text(SEMANTICS)) {
        let (number, letter) = split_letter(id);
        parts.entry(number).or_default().push(letter);
    }
    for number in clause_numbers() {
        let Some(letters) = parts.remove(number.as_str()) else {
            complaints.push(format!("{SEMANTICS}: {number} is missing"));
            continue;
        };
        let lettered = letters.iter().copied().eq(('a'..='z').take(letters.len()).map(Some));
        if letters != [None] && !lettered {
            complaints.push(format!("{SEMANTICS}: {number} has the parts {letters:?}"));
        }
    }
    complaints.extend(parts.keys().map(|n| format!("{SEMANTICS}: {n} is not a clause we know")));
    complaints
}

/// One row for each capability and each rule of the semantics.
pub(crate) fn check_features(tree: &Tree) -> Vec<String> {
    let mut wanted = capability_ids();
    wanted.extend(rule_ids(tree.text(SEMANTICS)).into_iter().map(str::to_owned));
    check_table(tree, FEATURES, &wanted, 3)
}

/// One row for each bug and defect.
pub(crate) fn check_hazards(tree: &Tree) -> Vec<String> {
    check_table(tree, HAZARDS, &hazard_ids(), 4)
}

/// Ids in prose and comments are ids that exist.
pub(crate) fn check_citations(tree: &Tree) -> Vec<String> {
    let mut known: BTreeSet<String> = capability_ids().into_iter().chain(hazard_ids()).collect();
    for id in rule_ids(tree.text(SEMANTICS)) {
        known.insert(id.to_owned());
        known.insert(split_letter(id).0.to_owned());
    }
    known.extend(SECTIONS.iter().map(|(section, _)| (*section).to_owned()));
    // The number of no bug, for examples and tests of what reads such ids.
    known.insert("B-000".to_owned());
    let mut complaints = Vec::new();
    for (path, text) in tree.with_extension("rs").chain(tree.with_extension("md")) {
        // The checks themselves speak of ids that do not exist.
        if path.starts_with("raft-sim/tests/it/tidy") {
            continue;
        }
        for (at, line) in text.lines().enumerate() {
            for id in cited(line).into_iter().filter(|id| !known.contains(*id)) {
                complaints.push(format!("{path}:{}: {id} does not exist", at + 1));
            }
        }
    }
    complaints
}

/// What looks like one of our ids: `S-07`, `B-001`, `D-W3`, and a clause if alone in backticks.
fn cited(line: &str) -> Vec<&str> {
    let mut ids: Vec<&str> = line
        .split(|c: char| !c.is_ascii_alphanumeric() && c != '-')
        .filter(|word| looks_like_id(word))
        .collect();
    ids.extend(line.split('`').skip(1).step_by(2).filter(|code| looks_like_clause(code)));
    ids
}

fn looks_like_id(word: &str) -> bool {
    let digits = |s: &str, least: usize| s.len() >= least && s.bytes().all(|b| b.is_ascii_digit());
    match word.split_once('-') {
        Some(("S", number)) => digits(number, 2),
        Some(("B", number)) => digits(number, 3),
        Some(("D", rest)) => {
            rest.strip_prefix(['W', 'T', 'R', 'Z', 'X']).is_some_and(|number| digits(number, 1))
        }
        _ => false,
    }
}

/// Two parts for a section and three for a clause, each of digits; the first is 2.
fn looks_like_clause(code: &str) -> bool {
    let (number, letter) = split_letter(code);
    let parts: Vec<&str> = number.split('.').collect();
    let numeric = parts.iter().all(|p| !p.is_empty() && p.bytes().all(|b| b.is_ascii_digit()));
    numeric && parts[0] == "2" && (parts.len() == 3 || (parts.len() == 2 && letter.is_none()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEST_FILE: (&str, &str) = ("a/t.rs", "#[test]\nfn real() {}\nfn fake() {}\n");

    fn complete() -> Vec<(&'static str, String)> {
        let rules: Vec<String> =
            clause_numbers().iter().map(|n| format!("- `{n}` **X.** x\n")).collect();
        let rows = |ids: Vec<String>, middle: &str| -> String {
            ids.iter().map(|id| format!("| `{id}` | {middle} | planned |\n")).collect()
        };
        let mut features = capability_ids();
        features.extend(clause_numbers());
        vec![
            (SEMANTICS, rules.concat()),
            (FEATURES, rows(features, "x")),
            (HAZARDS, rows(hazard_ids(), "x | y")),
        ]
    }

    /// The complete tree with one replacement in one file.
    fn edited(file: &str, from: &str, to: &str) -> Tree {
        let mut files = complete();
        let text = &mut files.iter_mut().find(|(path, _)| *path == file).unwrap().1;
        assert!(text.contains(from), "{from:?} is not in {file}");
        *text = text.replacen(from, to, 1);
        let mut files: Vec<(&str, &str)> = files.iter().map(|(p, t)| (*p, t.as_str())).collect();
        files.push(TEST_FILE);
        Tree::of(&files)
    }

    #[test]
    fn ranges_are_those_of_the_documents() {
        assert_eq!(clause_numbers().len(), 81);
        assert_eq!(capability_ids().len(), 108);
        assert_eq!(hazard_ids().len(), 166);
    }

    #[test]
    fn a_complete_tree_passes() {
        let tree = edited(FEATURES, "planned", "planned");
        assert!(check_semantics(&tree).is_empty());
        assert!(check_features(&tree).is_empty());
        assert!(check_hazards(&tree).is_empty());
        assert!(check_citations(&tree).is_empty());
    }

    #[test]
    fn a_lost_row_is_missed() {
        let tree = edited(FEATURES, "| `S-33` | x | planned |\n", "");
        assert_eq!(check_features(&tree), ["docs/FEATURES.md: S-33 is missing"]);
        let tree = edited(HAZARDS, "| `D-Z15` | x | y | planned |\n", "");
        assert_eq!(check_hazards(&tree), ["docs/HAZARDS.md: D-Z15 is missing"]);
        let tree = edited(SEMANTICS, "- `2.4.3` ", "- ");
        assert_eq!(check_semantics(&tree), ["docs/SEMANTICS.md: 2.4.3 is missing"]);
        assert_eq!(check_features(&tree), ["docs/FEATURES.md: 2.4.3 is not an id we know"]);
    }

    #[test]
    fn a_double_and_an_unknown_row_are_seen() {
        let tree = edited(HAZARDS, "`B-002`", "`B-001`");
        assert_eq!(
            check_hazards(&tree),
            ["docs/HAZARDS.md: B-001 stands 2 times", "docs/HAZARDS.md: B-002 is missing"]
        );
        let tree = edited(HAZARDS, "`B-110`", "`B-111`");
        assert_eq!(check_hazards(&tree).len(), 2);
        let tree = edited(HAZARDS, "`B-110` | x", "`B-110`");
        assert_eq!(check_hazards(&tree), ["docs/HAZARDS.md:110: B-110: 3 cells, not 4"]);
    }

    #[test]
    fn letters_start_at_a_and_have_no_gap() {
        let parts = |to: &str| check_semantics(&edited(SEMANTICS, "- `2.1.6` **X.** x\n", to));
        assert!(parts("- `2.1.6(a)` x\n- `2.1.6(b)` x\n").is_empty());
        assert_eq!(parts("- `2.1.6(a)` x\n- `2.1.6(c)` x\n").len(), 1);
        assert_eq!(parts("- `2.1.6(b)` x\n").len(), 1);
        assert_eq!(parts("- `2.1.6` x\n- `2.1.6(a)` x\n").len(), 1);
    }

    #[test]
    fn a_status_says_what_is_true() {
        let status = |to: &str| check_features(&edited(FEATURES, "x | planned |", to));
        assert!(status("x | done a/t.rs::real |").is_empty());
        assert!(status("x | done `a/t.rs::tests::real`, a/t.rs::real |").is_empty());
        assert!(status("x | excluded: it cannot be made safe |").is_empty());
        for bad in [
            "x | done |",
            "x | done a/t.rs |",
            "x | done a/t.rs::fake |",
            "x | done a/t.rs::rea |",
            "x | done a/t.rs::real, a/u.rs::real |",
            "x | done gone.sh |",
            "x | excluded: |",
            "x | excluded: no |",
            "x | yes |",
            "x | a pipe | planned |",
        ] {
            assert_eq!(status(bad).len(), 1, "{bad}");
        }
    }

    #[test]
    fn a_script_may_be_named_without_a_test() {
        let tree = Tree::of(&[(".ci/no_std", "#!"), ("d/a.txt", "one\n")]);
        assert_eq!(judge_test(&tree, ".ci/no_std"), None);
        assert_eq!(judge_test(&tree, "d/a.txt::one"), None);
        assert!(judge_test(&tree, "d/a.txt::two").is_some());
    }

    #[test]
    fn citations_of_nothing_are_seen() {
        let cite = |text: &str| {
            let mut files = complete();
            files.push(("src/x.rs", text.to_owned()));
            let files: Vec<(&str, &str)> = files.iter().map(|(p, t)| (*p, t.as_str())).collect();
            check_citations(&Tree::of(&files))
        };
        assert!(cite("// B-001, D-W3, S-07, `2.1.6`, UTF-8, 2.5.1, `2.x`").is_empty());
        for bad in ["B-111", "D-W18", "S-109", "`2.1.8`", "`2.1.6(z)`", "`2.16`"] {
            assert_eq!(cite(bad).len(), 1, "{bad}");
        }
    }
}
