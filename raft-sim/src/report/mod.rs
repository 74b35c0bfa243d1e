//! Reports: what a campaign did, for people (`text`, `story`) and for tools (`json`).
//!
//! **Intuition.** Both are made from the same sums, so they cannot disagree.
//! **Source.** Ours.
//! **Upholds.** —
//! **Not here.** The sums' gates (`fuzz/gate.rs`), traces (`trace/`).
//!
//! | file | job |
//! | --- | --- |
//! | `summary` | sums over runs |
//! | `json` | `report.json` |
//! | `text` | the final block |
//! | `story` | one run in sentences |
//! | `files` | written whole or not at all |

pub mod files;
pub mod json;
pub mod story;
pub mod summary;
pub mod text;
