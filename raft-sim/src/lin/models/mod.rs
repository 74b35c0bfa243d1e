//! The models that come with the checker.
//!
//! | file | model |
//! | --- | --- |
//! | `kv.rs` | put, get, delete, compare-and-set, append on numbered keys: the simulator's clients |
//! | `strings.rs` | string values: get, put, append |
//! | `tree.rs` | the states both of them need |

mod helpers;
pub mod kv;
pub mod strings;
mod tree;
