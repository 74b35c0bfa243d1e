//! Compaction: how much of the log is still needed by anybody.
//!
//! **Intuition.** Everything a durable snapshot covers and the machine has applied could go at
//! once. Some of it stays on purpose: a window below the snapshot, so that a peer slightly behind
//! is caught up by entries, and at a leader what the slowest member still lacks, up to a bound, so
//! that nobody's absence lets the log grow for ever.
//! **Source.** Thesis §5.1 (only what a durable snapshot holds), §5 (slow followers do not hold it
//! up); SEEDS S-98; D-R12 (cut before the snapshot was durable).
//! **Upholds.** `inv:bounded`, `inv:committed-durable`.
//! **Not here.** Dropping it from disk (the driver), what a peer gets that needs it (`send.rs`).

use crate::{
    Node,
    options::Options,
    output::Output,
    types::{LogIndex, Role},
};

/// What bounds compaction at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Needs {
    /// The newest durable snapshot.
    snapshot: LogIndex,
    /// What the machine has applied.
    applied: LogIndex,
    /// End of the log.
    last: LogIndex,
    /// The lowest match over all members, where it is known: at a leader.
    trim: Option<LogIndex>,
    /// The index of terms is nearly full: nothing is kept for convenience.
    press: bool,
}

/// The highest index that nobody needs, and the highest that could go if no peer were slow.
fn judge_compaction(options: &Options, needs: Needs) -> (LogIndex, LogIndex) {
    let covered = needs.snapshot.min(needs.applied);
    if needs.press {
        return (covered, covered);
    }
    let window = LogIndex(needs.snapshot.0.saturating_sub(options.snapshot_keep_entries));
    let most = covered.min(window);
    let Some(trim) = needs.trim else { return (most, most) };
    let bound = LogIndex(needs.last.0.saturating_sub(options.retained_entries_max));
    (most.min(trim.max(bound)), most)
}

impl Node {
    /// Whether the index of terms can take one more. A snapshot is asked for long before it is
    /// full; where that does not help, nothing of another term is appended.
    pub(crate) fn has_room_for_a_term(&self) -> bool {
        self.log.term_runs() < self.options.term_runs_max as usize
    }

    /// Lets go of what nobody needs. Small gains wait: while a slow peer is all that holds the
    /// rest, each step drops at least an eighth of what could go, so that not every entry the peer
    /// takes is a step of its own, and what is kept for it is over the bound by a seventh at most.
    #[inline]
    pub(crate) fn compact_if_due(&mut self) {
        if self.snapshots.newest.is_some() {
            self.compact_behind_newest();
        }
    }

    #[inline(never)]
    fn compact_behind_newest(&mut self) {
        let base = self.log.base().index;
        if self.snapshots.newest_index().min(self.applied) <= base {
            return;
        }
        let matched = |node: &Self| {
            let members = node.peers.iter().filter(|peer| peer.seat.is_member());
            members.map(|peer| peer.progress.matched).min().unwrap_or(LogIndex(u64::MAX))
        };
        let needs = Needs {
            snapshot: self.snapshots.newest_index(),
            applied: self.applied,
            last: self.log.last_index(),
            trim: (self.role() == Role::Leader).then(|| matched(self)),
            press: self.terms_press(),
        };
        let (target, most) = judge_compaction(&self.options, needs);
        let gain = target.since(base);
        if gain == 0 || target != most && gain.saturating_mul(8) < most.since(base) {
            return;
        }
        self.log.compact_to(target);
        assert_eq!(self.log.base().index, target, "the log stands where it was cut");
        for peer in &mut self.peers {
            peer.progress.on_compacted(target);
        }
        self.outbox.push_back(Output::CompactTo(target));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The slow twin: try every index from the top, and ask everybody in turn.
    fn slow(options: &Options, needs: Needs) -> LogIndex {
        let fits = |at: u64| {
            let covered = at <= needs.snapshot.0 && at <= needs.applied.0;
            let in_window = at + options.snapshot_keep_entries > needs.snapshot.0 && at > 0;
            let peers = needs.trim.is_none_or(|trim| {
                at <= trim.0 || at + options.retained_entries_max <= needs.last.0
            });
            covered && (needs.press || (!in_window || options.snapshot_keep_entries == 0) && peers)
        };
        LogIndex((0..=20).rev().find(|at| fits(*at)).unwrap_or(0))
    }

    /// S-98 for every small case.
    #[test]
    fn only_what_nobody_needs_goes() {
        for (keep, retained) in [(0, 0), (0, 5), (2, 5), (9, 3), (1, 100)] {
            let options = Options {
                snapshot_keep_entries: keep,
                retained_entries_max: retained,
                ..Options::default()
            };
            for snapshot in 0..8 {
                for applied in 0..10 {
                    for last in [9, 12] {
                        for trim in [None, Some(0), Some(3), Some(7), Some(20)] {
                            for press in [false, true] {
                                let needs = Needs {
                                    snapshot: LogIndex(snapshot),
                                    applied: LogIndex(applied),
                                    last: LogIndex(last),
                                    trim: trim.map(LogIndex),
                                    press,
                                };
                                let (target, most) = judge_compaction(&options, needs);
                                let want = slow(&options, needs);
                                assert_eq!(target, want, "{keep} {retained} {needs:?}");
                                assert!(target <= most && most.0 <= snapshot.min(applied));
                            }
                        }
                    }
                }
            }
        }
    }
}
