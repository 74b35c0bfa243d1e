//! The newest entries, held in memory as shared runs.
//!
//! **Intuition.** Proposals gather in one open vector; settling seals it into a run that disk,
//! peers and machine then share. Whole runs leave at the front once they are durable and the tail
//! is over its limits; nothing is ever copied or trimmed entry by entry.
//! **Source.** Ours, from measurements of the alternatives.
//! **Upholds.** `inv:bounded` (limits are the caller's, eviction is here).
//! **Not here.** Terms of indexes (`terms.rs`).

use alloc::{collections::VecDeque, vec::Vec};

use super::{
    entries::Entries,
    entry::{Entry, Run},
};
use crate::types::{LogIndex, LogPosition, Term};

/// Runs that follow each other without a hole, then the open entries.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Tail {
    runs: VecDeque<Run>,
    open: Vec<Entry>,
    open_first: LogPosition,
    open_bytes: u64,
    /// Index before the first held entry.
    before: LogIndex,
    last: LogIndex,
    run_bytes: u64,
}

/// Most entries for which room is made before they arrive.
const OPEN_GUESS_MAX: usize = 1_024;
/// Most entries whose room an idle node keeps.
const OPEN_SPARE_MAX: usize = 4;

/// The oldest runs that have to leave.
struct Excess {
    runs: usize,
    bytes: u64,
    /// Index of their last entry.
    before: LogIndex,
    /// Without them the limits are kept.
    enough: bool,
}

impl Tail {
    pub(crate) fn starting_after(last: LogIndex) -> Self {
        Self { before: last, last, ..Self::default() }
    }

    /// Index of the oldest entry held; one past the end if none is.
    pub(crate) const fn first(&self) -> LogIndex {
        self.before.next()
    }

    /// Whether entries are gathering that no run holds yet.
    pub(crate) const fn is_open(&self) -> bool {
        !self.open.is_empty()
    }

    pub(crate) const fn entries(&self) -> u64 {
        self.last.since(self.before)
    }

    pub(crate) const fn bytes(&self) -> u64 {
        self.run_bytes.saturating_add(self.open_bytes)
    }

    #[inline(always)]
    pub(crate) fn push_open(&mut self, term: Term, index: LogIndex, entry: Entry) {
        if self.open.is_empty() || self.open_first.term != term {
            self.begin_open(LogPosition::new(term, index));
        }
        self.open_bytes = self.open_bytes.saturating_add(entry.len_bytes());
        // Made in its place, like an output.
        self.open.extend(core::iter::once_with(|| entry));
        self.last = index;
    }

    #[inline(never)]
    fn begin_open(&mut self, first: LogPosition) {
        self.seal();
        self.open_first = first;
        if self.open.capacity() == 0 {
            // A batch is usually as large as the one before it.
            let before = self.runs.back().map_or(0, Run::len);
            self.open.reserve_exact(usize::try_from(before).unwrap_or(0).min(OPEN_GUESS_MAX));
        }
    }

    pub(crate) fn push_run(&mut self, run: Run) {
        self.seal();
        self.run_bytes = self.run_bytes.saturating_add(run.len_bytes());
        self.last = run.last();
        self.runs.push_back(run);
    }

    pub(crate) fn seal(&mut self) {
        if self.open.is_empty() {
            return;
        }
        let run = if self.open.len() == 1 {
            let entry = self.open.pop();
            // Keeps a small buffer for the next round: one allocation a proposal, not two.
            if self.open.capacity() > OPEN_SPARE_MAX {
                self.open = Vec::new();
            }
            entry.map(|entry| Run::one(self.open_first, entry))
        } else {
            let mut entries = core::mem::take(&mut self.open);
            if entries.capacity().saturating_sub(entries.len()) > entries.len() / 16 {
                // What is sealed stays for long.
                entries.shrink_to_fit();
            }
            Run::seal(self.open_first.term, self.open_first.index, entries)
        };
        self.open_bytes = 0;
        if let Some(run) = run {
            self.run_bytes = self.run_bytes.saturating_add(run.len_bytes());
            self.runs.push_back(run);
        }
    }

    pub(crate) fn truncate_from(&mut self, from: LogIndex) {
        self.seal();
        while let Some(run) = self.runs.pop_back() {
            if run.last() < from {
                self.runs.push_back(run);
                break;
            }
            self.run_bytes = self.run_bytes.saturating_sub(run.len_bytes());
            if let Some(kept) = run.prefix(from.prev()) {
                self.run_bytes = self.run_bytes.saturating_add(kept.len_bytes());
                self.runs.push_back(kept);
                break;
            }
        }
        self.last = self.last.min(from.prev());
        self.before = self.before.min(self.last);
    }

    /// Whether it is within these limits as it is.
    pub(crate) const fn is_within(&self, entries_max: u64, bytes_max: u64) -> bool {
        self.entries() <= entries_max && self.bytes() <= bytes_max
    }

    /// Drops the runs that lie wholly at or below `index`: nobody will ask for them.
    pub(crate) fn compact_to(&mut self, index: LogIndex) {
        while let Some(run) = self.runs.front().filter(|run| run.last() <= index) {
            self.run_bytes = self.run_bytes.saturating_sub(run.len_bytes());
            self.before = run.last();
            self.runs.pop_front();
        }
    }

    pub(crate) fn evict(&mut self, durable: LogIndex, entries_max: u64, bytes_max: u64) {
        let excess = self.excess(durable, entries_max, bytes_max);
        self.drop_oldest(&excess);
    }

    /// [`Tail::evict`], but only if that reaches the limits. Returns whether it did.
    pub(crate) fn evict_if_enough(
        &mut self,
        durable: LogIndex,
        entries_max: u64,
        bytes_max: u64,
    ) -> bool {
        // A full tail that takes one run as it comes gives one as it goes.
        if let Some((last, bytes)) = self.runs.front().map(|run| (run.last(), run.len_bytes()))
            && last <= durable
            && self.last.since(last) <= entries_max
            && self.bytes().saturating_sub(bytes) <= bytes_max
            && !self.is_within(entries_max, bytes_max)
        {
            self.runs.pop_front();
            self.run_bytes = self.run_bytes.saturating_sub(bytes);
            self.before = last;
            return true;
        }
        let excess = self.excess(durable, entries_max, bytes_max);
        if excess.enough {
            self.drop_oldest(&excess);
        }
        excess.enough
    }

    /// What must leave until the limits are reached; only what is durable may.
    #[inline(never)]
    fn excess(&self, durable: LogIndex, entries_max: u64, bytes_max: u64) -> Excess {
        let mut excess = Excess { runs: 0, bytes: 0, before: self.before, enough: true };
        for run in &self.runs {
            let entries = self.last.since(excess.before);
            let bytes = self.bytes().saturating_sub(excess.bytes);
            if entries <= entries_max && bytes <= bytes_max {
                return excess;
            }
            let last = run.last();
            if last > durable {
                break;
            }
            excess.runs = excess.runs.saturating_add(1);
            excess.bytes = excess.bytes.saturating_add(run.len_bytes());
            excess.before = last;
        }
        excess.enough = self.last.since(excess.before) <= entries_max
            && self.bytes().saturating_sub(excess.bytes) <= bytes_max;
        excess
    }

    fn drop_oldest(&mut self, excess: &Excess) {
        for _ in 0..excess.runs {
            self.runs.pop_front();
        }
        self.run_bytes = self.run_bytes.saturating_sub(excess.bytes);
        self.before = excess.before;
    }

    /// Where the run that holds `index` stands. Looks at the newest few first: nearly every
    /// question is about them.
    fn position(&self, index: LogIndex) -> usize {
        for (steps, run) in self.runs.iter().rev().take(4).enumerate() {
            if run.first() <= index {
                return self.runs.len().saturating_sub(steps).saturating_sub(1);
            }
        }
        self.runs.partition_point(|run| run.last() < index)
    }

    /// The run from `first` to `last`, if one of the two newest is.
    #[inline(always)]
    pub(crate) fn exactly(&self, first: LogIndex, last: LogIndex) -> Option<&Run> {
        let newest = self.runs.back()?;
        let run = if newest.first() <= first {
            newest
        } else {
            self.runs.get(self.runs.len().checked_sub(2)?)?
        };
        (run.first() == first && run.len() == last.since(first.prev())).then_some(run)
    }

    /// The sealed entries from `first` to `last`, at most `entries` and `bytes` of them but at
    /// least one. `None` if `first` is not held.
    // Inlined, so that the one run stays in registers on its way into an output.
    #[inline(always)]
    pub(crate) fn slice(
        &self,
        first: LogIndex,
        last: LogIndex,
        entries: u64,
        bytes: u64,
    ) -> Option<Entries> {
        // Nearly every question is about exactly one of the newest runs.
        match self.exactly(first, last) {
            Some(run) if run.len() <= entries && run.len_bytes() <= bytes => {
                Some(Entries::from(run.clone()))
            }
            _ => self.gather(first, last, entries, bytes),
        }
    }

    #[inline(never)]
    fn gather(
        &self,
        first: LogIndex,
        last: LogIndex,
        mut entries: u64,
        mut bytes: u64,
    ) -> Option<Entries> {
        if first < self.first() || first > last {
            return None;
        }
        let mut out = Entries::EMPTY;
        for run in self.runs.iter().skip(self.position(first)) {
            if run.first() > last {
                break;
            }
            let part = if run.first() < first { run.suffix(first)? } else { run.clone() };
            let part = if part.last() > last { part.prefix(last)? } else { part };
            let take =
                if out.is_empty() || bytes > 0 { part.limited(entries, bytes) } else { break };
            let size = take.len_bytes();
            if !out.is_empty() && size > bytes {
                break;
            }
            let whole = take.len() == part.len();
            entries = entries.saturating_sub(take.len());
            bytes = bytes.saturating_sub(size);
            if out.push(take).is_err() || !whole || entries == 0 {
                break;
            }
        }
        (!out.is_empty()).then_some(out)
    }

    /// Payload bytes of the sealed entries above `below` up to `upto`, as far as they are held.
    pub(crate) fn bytes_between(&self, below: LogIndex, upto: LogIndex) -> u64 {
        let first = below.next().max(self.first());
        let runs = self.runs.iter().skip(self.position(first));
        runs.take_while(|run| run.first() <= upto).fold(0, |sum, run| {
            let part = run.suffix(first).and_then(|part| part.prefix(upto));
            sum.saturating_add(part.map_or(0, |part| part.len_bytes()))
        })
    }

    /// Every held entry from `from` on, sealed or not, with its position.
    pub(crate) fn iter_from(
        &self,
        from: LogIndex,
    ) -> impl Iterator<Item = (LogPosition, &Entry)> + '_ {
        let sealed = self.runs.iter().skip(self.position(from)).flat_map(Run::iter);
        let open = self.open.iter().zip(0_u64..).map(|(entry, offset)| {
            let index = self.open_first.index.plus(offset);
            (LogPosition::new(self.open_first.term, index), entry)
        });
        sealed
            .map(|e| (e.position, e.entry))
            .chain(open)
            .filter(move |(position, _)| position.index >= from)
    }

    /// The last entry, if it is held.
    pub(crate) fn last_entry(&self) -> Option<&Entry> {
        self.open.last().or_else(|| self.runs.back()?.as_slice().last())
    }

    /// The entry at `index`, if it is held.
    pub(crate) fn get(&self, index: LogIndex) -> Option<&Entry> {
        self.iter_from(index).next().filter(|(at, _)| at.index == index).map(|(_, entry)| entry)
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use bytes::Bytes;

    use super::*;

    fn entry(size: usize) -> Entry {
        Entry { payload: Bytes::from(alloc::vec![0; size]), ..Entry::default() }
    }

    /// Runs 1–3 (term 1), 4 (term 1), 5–7 (term 2); every payload 10 bytes.
    fn tail() -> Tail {
        let mut tail = Tail::starting_after(LogIndex(0));
        for index in 1..=3 {
            tail.push_open(Term(1), LogIndex(index), entry(10));
        }
        tail.seal();
        tail.push_open(Term(1), LogIndex(4), entry(10));
        for index in 5..=7 {
            tail.push_open(Term(2), LogIndex(index), entry(10));
        }
        tail.seal();
        tail
    }

    fn indexes(entries: &Entries) -> Vec<u64> {
        entries.iter().map(|e| e.position.index.0).collect()
    }

    #[test]
    fn counts_what_it_holds() {
        let tail = tail();
        assert_eq!((tail.first(), tail.entries(), tail.bytes()), (LogIndex(1), 7, 70));
        let all: Vec<_> = tail.iter_from(LogIndex(3)).map(|(p, _)| (p.term.0, p.index.0)).collect();
        assert_eq!(all, [(1, 3), (1, 4), (2, 5), (2, 6), (2, 7)]);
    }

    #[test]
    fn a_slice_respects_range_and_limits_but_gives_at_least_one() {
        let tail = tail();
        let get = |first, last, entries, bytes| {
            tail.slice(LogIndex(first), LogIndex(last), entries, bytes).map(|e| indexes(&e))
        };
        assert_eq!(get(2, 6, 100, 1000).unwrap(), [2, 3, 4, 5, 6]);
        assert_eq!(get(1, 7, 4, 1000).unwrap(), [1, 2, 3, 4]);
        assert_eq!(get(1, 7, 100, 35).unwrap(), [1, 2, 3]);
        assert_eq!(get(1, 7, 100, 40).unwrap(), [1, 2, 3, 4]);
        assert_eq!(get(4, 7, 100, 15).unwrap(), [4]);
        assert_eq!(get(5, 7, 100, 0).unwrap(), [5]);
        assert_eq!(get(8, 9, 100, 100), None);
    }

    #[test]
    fn eviction_drops_durable_runs_only() {
        let mut tail = tail();
        tail.evict(LogIndex(3), 2, 1000);
        assert_eq!(tail.first(), LogIndex(4));
        tail.evict(LogIndex(6), 2, 1000);
        assert_eq!(tail.first(), LogIndex(5), "the newest run is not wholly durable");
        assert_eq!((tail.entries(), tail.bytes()), (3, 30));
        assert!(tail.slice(LogIndex(4), LogIndex(7), 9, 99).is_none());
    }

    /// A refused proposal used to evict entries although it changed nothing else: whether there
    /// would be room must be known before anything leaves.
    #[test]
    fn nothing_leaves_unless_that_makes_the_room() {
        for durable in 0..=7 {
            for (entries_max, bytes_max) in (0..=8).flat_map(|e| [0, 25, 40, 90].map(|b| (e, b))) {
                let mut tail = tail();
                let before = tail.clone();
                let told = tail.evict_if_enough(LogIndex(durable), entries_max, bytes_max);
                let mut evicted = before.clone();
                evicted.evict(LogIndex(durable), entries_max, bytes_max);
                let fits = evicted.is_within(entries_max, bytes_max);
                assert_eq!(told, fits, "durable {durable}, limits {entries_max} {bytes_max}");
                assert_eq!(tail, if fits { evicted } else { before });
            }
        }
    }

    #[test]
    fn compaction_drops_whole_runs_and_nothing_above() {
        for (index, first, bytes) in [(0, 1, 70), (2, 1, 70), (3, 4, 40), (4, 5, 30), (7, 8, 0)] {
            let mut tail = tail();
            tail.compact_to(LogIndex(index));
            assert_eq!((tail.first(), tail.bytes()), (LogIndex(first), bytes), "to {index}");
        }
    }

    #[test]
    fn truncation_cuts_inside_a_run_and_below_the_tail() {
        let mut tail = tail();
        tail.truncate_from(LogIndex(6));
        assert_eq!((tail.entries(), tail.bytes()), (5, 50));
        tail.truncate_from(LogIndex(3));
        assert_eq!((tail.entries(), tail.bytes()), (2, 20));
        tail.evict(LogIndex(2), 0, 0);
        assert_eq!((tail.first(), tail.bytes()), (LogIndex(3), 0));
    }

    #[test]
    fn truncating_below_the_held_part_moves_the_start() {
        let mut tail = Tail::starting_after(LogIndex(10));
        tail.push_open(Term(3), LogIndex(11), entry(1));
        tail.truncate_from(LogIndex(5));
        assert_eq!((tail.first(), tail.entries()), (LogIndex(5), 0));
        tail.push_open(Term(4), LogIndex(5), entry(1));
        assert_eq!(tail.entries(), 1);
    }
}
