//! Every invariant named anywhere has a row in docs/INVARIANTS.md.

use std::collections::BTreeMap;

use raft_sim::oracle::OracleId;

use super::{tables, tree::Tree};

const PAGE: &str = "docs/INVARIANTS.md";
/// How headers, comments and assertions name an invariant; put together so that this file does
/// not name one.
const PREFIX: &str = concat!("inv", ":");

/// The oracles there are.
pub(crate) fn oracle_names() -> Vec<String> {
    OracleId::ALL.iter().map(|id| id.name().to_owned()).collect()
}

/// What follows `PREFIX` in `text`.
fn cited(text: &str) -> impl Iterator<Item = &str> {
    text.match_indices(PREFIX).filter_map(|(at, _)| {
        let rest = &text[at + PREFIX.len()..];
        let end = rest.find(|c: char| !c.is_ascii_lowercase() && !c.is_ascii_digit() && c != '-');
        let name = rest[..end.unwrap_or(rest.len())].trim_end_matches('-');
        (!name.is_empty()).then_some(name)
    })
}

/// A row for each oracle, exactly one, and for each id named in sources and documents.
pub(crate) fn check(tree: &Tree, oracles: &[String]) -> Vec<String> {
    if !tree.exists(PAGE) {
        return vec![format!("{PAGE} is missing")];
    }
    let mut rows: BTreeMap<&str, u32> = BTreeMap::new();
    for row in tables::rows(tree.text(PAGE)) {
        *rows.entry(row.id.trim_start_matches(PREFIX)).or_default() += 1;
    }
    let mut complaints = Vec::new();
    for name in oracles {
        match rows.get(name.as_str()) {
            Some(1) => {}
            Some(n) => complaints.push(format!("{PAGE}: {name} has {n} rows")),
            None => complaints.push(format!("{PAGE}: oracle {name} has no row")),
        }
    }
    for (path, text) in tree.texts() {
        let mut names: Vec<&str> = cited(text).filter(|name| !rows.contains_key(name)).collect();
        names.sort_unstable();
        names.dedup();
        complaints.extend(names.iter().map(|name| format!("{path}: {name} has no row in {PAGE}")));
    }
    complaints
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_without_a_row_are_seen() {
        let page = format!("| id | statement |\n|---|---|\n| `a-b` | x |\n| `{PREFIX}c` | x |\n");
        let check = |page: &str, source: &str| {
            let source = source.replace('%', PREFIX);
            let oracles = ["a-b".to_owned(), "c".to_owned()];
            check(&Tree::of(&[(PAGE, page), ("x.rs", &source)]), &oracles)
        };
        assert!(check(&page, "// %a-b, `%c`. % ").is_empty());
        assert_eq!(check(&page, "// %a-b-d. %a-b-d").len(), 1);
        assert_eq!(check(&page.replace("a-b", "z"), "").len(), 1);
        assert_eq!(check(&page.replace("a-b", "c"), "").len(), 2);
        assert_eq!(check("", "").len(), 2);
        assert_eq!(super::check(&Tree::default(), &[]), ["docs/INVARIANTS.md is missing"]);
    }
}
