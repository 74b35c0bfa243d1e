//! The models that come with the checker.
//!
//! | file | model |
//! | --- | --- |
//! | `kv.rs` | put, get, delete, compare-and-set, append on numbered keys: the simulator's clients |
//! | `strings.rs` | string values: get, put, append |
//! | `counter.rs` | add, read |
//! | `lock.rs` | acquire, release, with or without owners |
//! | `queue.rs` | enqueue, dequeue, first in first out |
//! | `set.rs` | add, remove, contains, read |
//! | `txn.rs` | transactions of list appends and reads |
//! | `tree.rs`, `helpers.rs` | the states of the first two, and what leads to them |

pub mod counter;
mod helpers;
pub mod kv;
pub mod lock;
pub mod queue;
pub mod set;
pub mod strings;
mod tree;
pub mod txn;
