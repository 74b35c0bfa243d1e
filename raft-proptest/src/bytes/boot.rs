//! Bytes as a disk to start from.
//!
//! **Intuition.** Any combination of hard state, snapshot, log summary and marks is either refused
//! by name or a node that keeps its own invariants while it is asked for its first work.
//! **Source.** Ours; B-089, D-Z9.
//! **Upholds.** Checks `inv:bounded` and `Node::check`.
//! **Not here.** What follows the start (`steps.rs`).

use raft_core::{
    Boot, BootError, BootId, Configuration, Incarnation, Input, Instant, LogIndex, LogPosition,
    Node, NodeId, Options, Output, Term, TermRun,
};

use super::{
    arbitrary::{self, hard_state},
    source::Source,
};

/// Outputs of one settle are fewer than this, or there is no end to them.
const OUTPUTS_MAX: usize = 10_000;

/// Options from choices: limits within reach, some of them contradictory.
pub(super) fn options(source: &mut Source<'_>) -> Options {
    let mut options = Options::default();
    options.pre_vote = !source.rarely(3);
    options.check_quorum = !source.rarely(4);
    options.lease = source.rarely(4);
    options.notes = source.rarely(4);
    options.level = u8::from(!source.rarely(4));
    if source.flag() {
        options.append_entries_max = 1 + source.below(4) as u64;
        options.append_bytes_max = 1 + source.below(64) as u64;
        options.inflight_messages_max = 1 + u32::from(source.byte() % 4);
        options.persist_inflight_max = 1 + u32::from(source.byte() % 3);
        options.tail_entries_max = 4 + source.below(24) as u64;
        options.proposals_max = 1 + source.below(8) as u64;
        options.reads_max = 1 + u32::from(source.byte() % 4);
        options.term_runs_max = 2 + u32::from(source.byte() % 16);
    }
    options
}

fn boot(source: &mut Source<'_>) -> Boot {
    let hard = hard_state(source);
    let founding = match source.byte() % 4 {
        0 => Configuration::default(),
        1 => arbitrary::configuration(source),
        _ => Configuration::new([1, 2, 3].map(NodeId)).unwrap_or_default(),
    };
    let mut boot = Boot::new(BootId(source.near(1)), source.word(), hard, founding);
    if source.rarely(2) {
        let base = LogPosition::new(Term(source.near(2)), LogIndex(source.near(5)));
        boot = boot.with_snapshot(arbitrary::meta(source, base));
    }
    // Mostly a log that could be: terms and indexes rise from where the snapshot ends.
    let mut at = LogPosition::new(Term(source.near(1)), LogIndex(source.near(boot.first.0)));
    let mut terms = Vec::new();
    for _ in 0..source.below(6) {
        terms.push(TermRun { first: at.index, term: at.term });
        at = LogPosition::new(
            Term(source.near(at.term.0.saturating_add(1))),
            LogIndex(source.near(at.index.0.saturating_add(2))),
        );
    }
    let stamp = source.number();
    let last = if terms.is_empty() { boot.last } else { at.index };
    boot = boot.with_log(terms, LogIndex(source.near(last.0)), stamp);
    boot.first = LogIndex(source.near(boot.first.0));
    boot.applied = LogIndex(source.near(boot.applied.0));
    if !source.rarely(3) {
        boot.hard_state.term = boot.hard_state.term.max(at.term);
        boot.hard_state.incarnation = boot.hard_state.incarnation.max(Incarnation(1));
    }
    let mut marks = Vec::new();
    for _ in 0..source.below(3) {
        let at = arbitrary::position(source, at);
        marks.push((at, arbitrary::entry(source, at.index.0)));
    }
    boot.with_marks(marks)
}

/// Starts a node from `bytes`. Returns what refused it, if something did.
///
/// # Panics
/// If a node that started breaks one of its own invariants.
pub fn fuzz_boot(bytes: &[u8]) -> Option<BootError> {
    let mut source = Source::new(bytes);
    let options = options(&mut source);
    let boot = boot(&mut source);
    let now = Instant(source.near(1_000_000_000));
    let mut node = match Node::boot(options, boot, now) {
        Ok(node) => node,
        Err(error) => return Some(error),
    };
    check(&node);
    let mut time = now;
    for _ in 0..4 {
        let mut left = OUTPUTS_MAX;
        while let Some(output) = node.poll() {
            if let Output::Persist(write) = output {
                let _told = node.step(time, Input::Persisted(write.ack));
            }
            check(&node);
            left -= 1;
            assert!(left > 0, "a settle without an end (inv:bounded)");
        }
        time = node.deadline().unwrap_or(time).max(time);
        let _told = node.step(time, Input::Tick);
        check(&node);
    }
    let _shown = node.status().to_string();
    None
}

#[track_caller]
pub(super) fn check(node: &Node) {
    if let Err(what) = node.check() {
        panic!("{what}: {}", node.status());
    }
}
