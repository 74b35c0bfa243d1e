//! The repository keeps its own promises: documents, ids, headers and tree agree.
//!
//! **Intuition.** Each check is a pure function from a [`tree::Tree`] to complaints, so it is
//! shown to fail on a small bad tree before it is trusted with the real one.
//! **Source.** Ours; checks as plain tests, after TigerBeetle and rust-analyzer.
//! **Upholds.** None in the protocol: what the documents say of the code.
//! **Not here.** Formatting (rustfmt), code (clippy), licences (`deny.toml`).

mod code_map;
mod headers;
mod invariants;
mod places;
mod prose;
mod tables;
mod tree;

use tree::Tree;

/// Fails with all complaints and one line on what to do.
#[track_caller]
fn assert_none(complaints: &[String], advice: &str) {
    assert!(
        complaints.is_empty(),
        "{} complaints:\n  {}\nto do: {advice}",
        complaints.len(),
        complaints.join("\n  ")
    );
}

#[test]
fn semantics_has_every_clause_once() {
    assert_none(
        &tables::check_semantics(&Tree::read()),
        "clause ids of docs/SEMANTICS.md are stable for ever: restore the line",
    );
}

#[test]
fn features_has_every_capability_and_clause_once() {
    assert_none(
        &tables::check_features(&Tree::read()),
        "one row for each S- id and each clause of docs/SEMANTICS.md; a `done` names a real test",
    );
}

#[test]
fn hazards_has_every_bug_and_defect_once() {
    assert_none(
        &tables::check_hazards(&Tree::read()),
        "one row for each B- and D- id; a `done` names a real test",
    );
}

#[test]
fn ids_cited_anywhere_exist() {
    assert_none(
        &tables::check_citations(&Tree::read()),
        "cite an id that docs/SEMANTICS.md, FEATURES.md or HAZARDS.md has",
    );
}

#[test]
fn invariants_have_a_row() {
    assert_none(
        &invariants::check(&Tree::read(), &invariants::oracle_names()),
        "add the id to a table of docs/INVARIANTS.md, first column, in backticks",
    );
}

#[test]
fn every_file_has_a_header() {
    assert_none(
        &headers::check_headers(&Tree::read()),
        "open the file with `//!`: what it is, Intuition, Source, Upholds, Not here",
    );
}

#[test]
fn no_source_file_outgrows_its_idea() {
    assert_none(
        &headers::check_lengths(&Tree::read()),
        "split it by concept, or list it in tests/it/tidy/headers.rs with the reason",
    );
}

#[test]
fn code_map_is_the_tree() {
    let tree = Tree::read();
    if std::env::var_os("UPDATE_EXPECT").is_some_and(|v| v == "1") {
        code_map::rewrite(&tree);
        return;
    }
    assert_none(
        &code_map::check(&tree),
        "run `cargo bless -p raft-sim --test it code_map` and read the diff",
    );
}

#[test]
fn links_lead_somewhere() {
    assert_none(&prose::check_links(&Tree::read()), "correct the link");
}

#[test]
fn no_document_is_an_orphan() {
    assert_none(
        &prose::check_orphans(&Tree::read()),
        "link it from README.md or docs/ARCHITECTURE.md, or correct the name in the source",
    );
}

#[test]
fn paths_named_in_documents_exist() {
    assert_none(&places::check_documents(&Tree::read()), "correct the path");
}

#[test]
fn signposts_in_headers_point_somewhere() {
    assert_none(
        &places::check_headers(&Tree::read()),
        "name a file or folder of the crate, or from the top of the repository",
    );
}

#[test]
fn the_core_lacks_what_it_must() {
    assert_none(
        &places::check_absent(&Tree::read()),
        "see \"Absent on purpose\" in docs/ARCHITECTURE.md",
    );
}

#[test]
fn the_repository_speaks_of_itself_alone() {
    assert_none(
        &prose::check_words(&Tree::read()),
        "say it without the machine, the place or the document that is not in this tree",
    );
}

#[test]
fn changelog_has_our_two_headings() {
    assert_none(&prose::check_changelog(&Tree::read()), "every release states both, even if empty");
}
