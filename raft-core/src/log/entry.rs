//! Entries, and the shared runs they travel in.
//!
//! **Intuition.** Entries are written once and read many times: by the log, the disk, every peer
//! and the machine. So a batch is sealed into one reference-counted chunk and everybody holds a
//! [`Run`], a chunk and a range. All entries of a chunk have one term and consecutive indexes,
//! which therefore stand in its head and not in each entry.
//! **Source.** Thesis §3.5 (entries); the shape is ours, measured against copying entries.
//! **Upholds.** `inv:log-matching` (term and index cannot drift apart inside a run).
//! **Not here.** Which entries exist (`log/mod.rs`), bytes on the wire.

use alloc::{boxed::Box, sync::Arc, vec::Vec};
use core::fmt;

use bytes::Bytes;

use crate::{
    rng::mix,
    types::{LogIndex, LogPosition, Term},
};

/// What an entry is for. An open enumeration: numbers are frozen, a replica that meets a kind it
/// does not know is disabled rather than skip it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(transparent))]
pub struct EntryKind(pub u8);

impl EntryKind {
    /// Written by every leader at the start of its term (thesis §6.4); carries nothing.
    pub const NOOP: Self = Self(0);
    /// A command for the state machine; the payload is the caller's.
    pub const COMMAND: Self = Self(1);
    /// A configuration ([`crate::Configuration::encode`]); in force from append.
    pub const CONFIGURATION: Self = Self(2);
    /// Settings ([`crate::Settings::encode`]); in force from commit.
    pub const SETTINGS: Self = Self(3);
    /// A read through the log: evaluated where it was asked, nothing anywhere else.
    pub const QUERY: Self = Self(4);
    /// A decision to skip the effect of one earlier entry that no machine can apply. Since level 1.
    pub const SKIP: Self = Self(5);
    /// This bit on a kind says that the payload is left out and its digest stands in its place:
    /// what a witness keeps of an entry.
    pub const STUB: u8 = 0x80;

    /// Whether a node of protocol level `level` knows what to do with the kind.
    #[must_use]
    pub const fn is_known(self, level: u8) -> bool {
        let newest = if level == 0 { Self::QUERY.0 } else { Self::SKIP.0 };
        self.base().0 <= newest
    }

    /// The kind without the mark of a stub.
    #[must_use]
    pub const fn base(self) -> Self {
        Self(self.0 & !Self::STUB)
    }

    /// Whether the payload is left out.
    #[must_use]
    pub const fn is_stub(self) -> bool {
        self.0 & Self::STUB != 0
    }

    /// Whether the core itself acts on the entry: the driver must hand these back at boot.
    #[must_use]
    pub const fn is_mark(self) -> bool {
        matches!(self, Self::CONFIGURATION | Self::SETTINGS | Self::SKIP)
    }
}

impl fmt::Display for EntryKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::NOOP => f.write_str("noop"),
            Self::COMMAND => f.write_str("command"),
            Self::CONFIGURATION => f.write_str("configuration"),
            Self::SETTINGS => f.write_str("settings"),
            Self::QUERY => f.write_str("query"),
            Self::SKIP => f.write_str("skip"),
            stub if stub.is_stub() => write!(f, "stub-{}", stub.base()),
            Self(other) => write!(f, "kind-{other}"),
        }
    }
}

/// The content of one entry; its term and index are the run's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Entry {
    /// What it is for.
    pub kind: EntryKind,
    /// Replicated time in nanoseconds, written by the leader at append. Never decreases along a
    /// log, and counts only time led under quorum contact.
    pub stamp: u64,
    /// The proposer's label, carried on by entries without one of their own; 0 before the first.
    pub label: u64,
    /// The command; opaque to the core.
    pub payload: Bytes,
}

impl Entry {
    /// Payload bytes.
    #[must_use]
    pub const fn len_bytes(&self) -> u64 {
        self.payload.len() as u64
    }

    /// A digest of what the entry says: its kind and payload, wherever it stands.
    #[must_use]
    pub fn digest(&self) -> u64 {
        let word = |chunk: &[u8]| {
            chunk.iter().fold(0_u64, |word, byte| word.wrapping_shl(8) | u64::from(*byte))
        };
        let start = mix(u64::from(self.kind.0), self.len_bytes());
        self.payload.chunks(8).fold(start, |digest, chunk| mix(digest, word(chunk)))
    }
}

/// One entry of a run, with its position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EntryRef<'a> {
    /// Term and index.
    pub position: LogPosition,
    /// Content.
    pub entry: &'a Entry,
}

#[derive(Clone, Debug)]
enum Body {
    // One proposal a round is common: it costs one allocation instead of two.
    One(Entry),
    Many(Vec<Entry>),
}

#[derive(Clone, Debug)]
struct Chunk {
    term: Term,
    first: LogIndex,
    bytes: u64,
    body: Body,
}

impl Chunk {
    fn entries(&self) -> &[Entry] {
        match &self.body {
            Body::One(entry) => core::slice::from_ref(entry),
            Body::Many(entries) => entries,
        }
    }
}

/// A non-empty range of a sealed chunk: consecutive entries of one term. Cloning shares.
///
/// Equal if it holds equal entries at equal positions, whatever chunk they are in.
#[derive(Clone)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(try_from = "RunParts", into = "RunParts"))]
pub struct Run {
    chunk: Arc<Chunk>,
    start: u32,
    len: u32,
}

impl PartialEq for Run {
    fn eq(&self, other: &Self) -> bool {
        self.first_position() == other.first_position() && self.as_slice() == other.as_slice()
    }
}

impl Eq for Run {}

/// A run as it is written by serde; reading goes through [`Run::seal`].
#[cfg(feature = "serde")]
#[derive(serde::Serialize, serde::Deserialize)]
#[serde(rename = "Run")]
struct RunParts {
    term: Term,
    first: LogIndex,
    entries: Vec<Entry>,
}

#[cfg(feature = "serde")]
impl From<Run> for RunParts {
    fn from(run: Run) -> Self {
        Self { term: run.term(), first: run.first(), entries: run.as_slice().to_vec() }
    }
}

#[cfg(feature = "serde")]
impl TryFrom<RunParts> for Run {
    type Error = &'static str;

    fn try_from(parts: RunParts) -> Result<Self, Self::Error> {
        Self::seal(parts.term, parts.first, parts.entries)
            .ok_or("a run has at least one entry, from index 1 and below the last index")
    }
}

impl fmt::Debug for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Run({} x{})", self.first_position(), self.len)
    }
}

impl Run {
    /// Most entries one run can hold.
    pub const ENTRIES_MAX: usize = u32::MAX as usize;

    /// Seals `entries`, the first of them at index `first` (from 1), all of term `term`.
    ///
    /// Returns `None` if there are none, too many, or the last index would not exist.
    #[must_use]
    pub fn seal(term: Term, first: LogIndex, mut entries: Vec<Entry>) -> Option<Self> {
        let len = u32::try_from(entries.len()).ok()?;
        if len == 0 || first == LogIndex::ZERO || first.0.checked_add(u64::from(len)).is_none() {
            return None;
        }
        let bytes = entries.iter().fold(0_u64, |sum, e| sum.saturating_add(e.len_bytes()));
        let body = match (len, entries.pop()) {
            (1, Some(entry)) => Body::One(entry),
            (_, Some(entry)) => {
                entries.push(entry);
                Body::Many(entries)
            }
            (_, None) => return None,
        };
        Some(Self { chunk: Arc::new(Chunk { term, first, bytes, body }), start: 0, len })
    }

    /// Seals one entry.
    pub(crate) fn one(position: LogPosition, entry: Entry) -> Self {
        let bytes = entry.len_bytes();
        let chunk =
            Chunk { term: position.term, first: position.index, bytes, body: Body::One(entry) };
        Self { chunk: Arc::new(chunk), start: 0, len: 1 }
    }

    /// The term of every entry.
    #[must_use]
    pub fn term(&self) -> Term {
        self.chunk.term
    }

    /// Index of the first entry.
    #[must_use]
    pub fn first(&self) -> LogIndex {
        self.chunk.first.plus(u64::from(self.start))
    }

    /// Index of the last entry.
    #[must_use]
    pub fn last(&self) -> LogIndex {
        self.first().plus(u64::from(self.len).saturating_sub(1))
    }

    /// Position of the first entry.
    #[must_use]
    pub fn first_position(&self) -> LogPosition {
        LogPosition::new(self.term(), self.first())
    }

    /// How many entries; never 0.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "a run is never empty")]
    pub const fn len(&self) -> u64 {
        self.len as u64
    }

    /// Payload bytes of all entries. Constant time for a whole chunk.
    #[must_use]
    pub fn len_bytes(&self) -> u64 {
        if self.len as usize == self.chunk.entries().len() {
            return self.chunk.bytes;
        }
        self.as_slice().iter().fold(0, |sum, e| sum.saturating_add(e.len_bytes()))
    }

    /// The entries.
    #[must_use]
    pub fn as_slice(&self) -> &[Entry] {
        let start = self.start as usize;
        let end = start.saturating_add(self.len as usize);
        self.chunk.entries().get(start..end).unwrap_or_default()
    }

    /// The entry at `index`, if it is in this run.
    #[must_use]
    pub fn get(&self, index: LogIndex) -> Option<&Entry> {
        let offset = index.0.checked_sub(self.first().0)?;
        self.as_slice().get(usize::try_from(offset).ok()?)
    }

    /// The entries with their positions, ascending.
    pub fn iter(&self) -> impl Iterator<Item = EntryRef<'_>> + '_ {
        let (term, first) = (self.term(), self.first());
        self.as_slice().iter().zip(0_u64..).map(move |(entry, offset)| EntryRef {
            position: LogPosition::new(term, first.plus(offset)),
            entry,
        })
    }

    /// The part of this run from `from` on, or `None` if nothing is left.
    #[must_use]
    pub fn suffix(&self, from: LogIndex) -> Option<Self> {
        let skip = u32::try_from(from.since(self.first())).ok()?;
        let len = self.len.checked_sub(skip).filter(|len| *len > 0)?;
        Some(Self { chunk: Arc::clone(&self.chunk), start: self.start.saturating_add(skip), len })
    }

    /// The part of this run up to and including `upto`, or `None` if nothing is left.
    #[must_use]
    pub fn prefix(&self, upto: LogIndex) -> Option<Self> {
        if upto < self.first() {
            return None;
        }
        let want = upto.since(self.first()).saturating_add(1);
        let len = u32::try_from(want).unwrap_or(u32::MAX).min(self.len);
        Some(Self { chunk: Arc::clone(&self.chunk), start: self.start, len })
    }

    /// The longest prefix of at most `entries` entries and `bytes` payload bytes; always at least
    /// one entry, so that an entry over the limit still travels.
    #[must_use]
    pub(crate) fn limited(&self, entries: u64, bytes: u64) -> Self {
        if self.len() <= entries && self.len_bytes() <= bytes {
            return self.clone();
        }
        let mut sum = 0_u64;
        let mut take = 0_u32;
        for entry in self.as_slice() {
            sum = sum.saturating_add(entry.len_bytes());
            if take > 0 && (u64::from(take) >= entries || sum > bytes) {
                break;
            }
            take = take.saturating_add(1);
        }
        Self { chunk: Arc::clone(&self.chunk), start: self.start, len: take.max(1) }
    }
}

/// Entries in order without a hole: no run, one run, or several. Small; cloning shares.
///
/// Equal if they are the same entries at the same positions, whatever runs they come in.
#[derive(Clone, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(try_from = "Vec<Run>", into = "Vec<Run>"))]
pub struct Entries(Runs);

impl PartialEq for Entries {
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len() && self.iter().eq(other.iter())
    }
}

impl Eq for Entries {}

#[cfg(feature = "serde")]
impl From<Entries> for Vec<Run> {
    fn from(entries: Entries) -> Self {
        entries.runs().to_vec()
    }
}

#[cfg(feature = "serde")]
impl TryFrom<Vec<Run>> for Entries {
    type Error = NotContiguous;

    fn try_from(runs: Vec<Run>) -> Result<Self, NotContiguous> {
        let mut out = Self::EMPTY;
        runs.into_iter().try_for_each(|run| out.push(run))?;
        Ok(out)
    }
}

#[derive(Clone, Default)]
enum Runs {
    #[default]
    None,
    One(Run),
    // Boxed so that the usual single run keeps every output small.
    #[expect(clippy::box_collection, reason = "a bare vector would widen every output by a word")]
    Many(Box<Vec<Run>>),
}

/// A run does not continue the entries before it: its first index is not the next one, or its
/// term is lower.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct NotContiguous {
    /// The last position before it.
    pub after: LogPosition,
    /// Where it begins.
    pub found: LogPosition,
}

impl fmt::Display for NotContiguous {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "entry {} does not continue a log that ends at {}", self.found, self.after)
    }
}

impl core::error::Error for NotContiguous {}

impl Entries {
    /// No entries.
    pub const EMPTY: Self = Self(Runs::None);

    /// Builds entries from a store: positions must be consecutive and terms must not fall.
    ///
    /// # Errors
    /// [`NotContiguous`] names the first entry out of place; nothing is returned.
    pub fn collect(
        entries: impl IntoIterator<Item = (LogPosition, Entry)>,
    ) -> Result<Self, NotContiguous> {
        let mut out = Self::EMPTY;
        let mut open: Vec<Entry> = Vec::new();
        let mut first = LogPosition::ZERO;
        let mut last = LogPosition::ZERO;
        for (position, entry) in entries {
            let starts = last == LogPosition::ZERO;
            let follows = position.index == last.index.next() && position.term >= last.term;
            if position.index == LogIndex::ZERO || !(starts || follows) {
                return Err(NotContiguous { after: last, found: position });
            }
            if position.index.0 == u64::MAX {
                // No index would follow it, and a run never ends there.
                return Err(NotContiguous { after: last, found: position });
            }
            if starts || position.term != last.term {
                if let Some(run) = Run::seal(first.term, first.index, core::mem::take(&mut open)) {
                    out.push(run)?;
                }
                first = position;
            }
            open.push(entry);
            last = position;
        }
        if let Some(run) = Run::seal(first.term, first.index, open) {
            out.push(run)?;
        }
        Ok(out)
    }

    /// Adds `run` at the end.
    ///
    /// # Errors
    /// [`NotContiguous`] if it does not follow; `self` is unchanged.
    pub fn push(&mut self, run: Run) -> Result<(), NotContiguous> {
        if let Some(tip) = self.runs().last() {
            let after = LogPosition::new(tip.term(), tip.last());
            let found = run.first_position();
            if found.index != after.index.next() || found.term < after.term {
                return Err(NotContiguous { after, found });
            }
        }
        self.0 = match core::mem::take(&mut self.0) {
            Runs::None => Runs::One(run),
            Runs::One(head) => Runs::Many(Box::new(alloc::vec![head, run])),
            Runs::Many(mut runs) => {
                runs.push(run);
                Runs::Many(runs)
            }
        };
        Ok(())
    }

    /// The runs, in order.
    #[must_use]
    pub fn runs(&self) -> &[Run] {
        match &self.0 {
            Runs::None => &[],
            Runs::One(run) => core::slice::from_ref(run),
            Runs::Many(runs) => runs,
        }
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        matches!(self.0, Runs::None)
    }

    /// How many entries.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.runs().iter().fold(0, |sum, run| sum.saturating_add(run.len()))
    }

    /// Payload bytes.
    #[must_use]
    pub fn len_bytes(&self) -> u64 {
        self.runs().iter().fold(0, |sum, run| sum.saturating_add(run.len_bytes()))
    }

    /// Index of the first entry.
    #[must_use]
    pub fn first(&self) -> Option<LogIndex> {
        self.runs().first().map(Run::first)
    }

    /// Position of the last entry.
    #[must_use]
    pub fn last(&self) -> Option<LogPosition> {
        self.runs().last().map(|run| LogPosition::new(run.term(), run.last()))
    }

    /// All entries with their positions, ascending.
    pub fn iter(&self) -> impl Iterator<Item = EntryRef<'_>> + '_ {
        self.runs().iter().flat_map(Run::iter)
    }
}

impl From<Run> for Entries {
    fn from(run: Run) -> Self {
        Self(Runs::One(run))
    }
}

impl fmt::Debug for Entries {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.runs()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(byte: u8) -> Entry {
        Entry {
            kind: EntryKind::COMMAND,
            payload: Bytes::copy_from_slice(&[byte]),
            ..Entry::default()
        }
    }

    fn run(term: u64, first: u64, count: u8) -> Run {
        Run::seal(Term(term), LogIndex(first), (0..count).map(entry).collect()).unwrap()
    }

    #[test]
    fn run_is_sixteen_bytes_and_entries_stay_small() {
        assert_eq!(size_of::<Run>(), 16);
        assert!(size_of::<Entries>() <= 24);
        assert!(size_of::<Entry>() <= 56);
    }

    #[test]
    fn sealing_nothing_or_beyond_the_last_index_is_refused() {
        assert!(Run::seal(Term(1), LogIndex(1), Vec::new()).is_none());
        assert!(Run::seal(Term(1), LogIndex(0), alloc::vec![entry(1)]).is_none());
        assert!(Run::seal(Term(1), LogIndex(u64::MAX), alloc::vec![entry(1)]).is_none());
    }

    #[test]
    fn prefix_and_suffix_cut_where_asked() {
        let whole = run(2, 5, 4);
        assert_eq!((whole.first(), whole.last()), (LogIndex(5), LogIndex(8)));
        assert_eq!(whole.suffix(LogIndex(7)).unwrap().as_slice(), &[entry(2), entry(3)]);
        assert_eq!(whole.prefix(LogIndex(6)).unwrap().as_slice(), &[entry(0), entry(1)]);
        assert_eq!(whole.suffix(LogIndex(3)).unwrap(), whole);
        assert!(whole.suffix(LogIndex(9)).is_none());
        assert!(whole.prefix(LogIndex(4)).is_none());
        let middle = whole.suffix(LogIndex(6)).unwrap().prefix(LogIndex(7)).unwrap();
        assert_eq!(middle.get(LogIndex(7)), Some(&entry(2)));
        assert_eq!(middle.get(LogIndex(8)), None);
        assert_eq!(middle.len_bytes(), 2);
    }

    #[test]
    fn collecting_never_drops_an_entry_in_silence() {
        let at = |index| (LogPosition::new(Term(1), LogIndex(index)), entry(1));
        assert!(Entries::collect([at(u64::MAX)]).is_err());
        assert!(Entries::collect([at(u64::MAX - 1), at(u64::MAX)]).is_err());
        assert_eq!(Entries::collect([at(u64::MAX - 1)]).unwrap().len(), 1);
    }

    #[test]
    fn a_limit_never_leaves_nothing() {
        let whole = run(2, 5, 4);
        assert_eq!(whole.limited(2, 100).len(), 2);
        assert_eq!(whole.limited(100, 3).len(), 3);
        assert_eq!(whole.limited(100, 0).len(), 1);
        assert_eq!(whole.limited(4, 4).len(), 4);
    }

    #[test]
    fn collect_groups_by_term_and_refuses_holes() {
        let at = |term, index| LogPosition::new(Term(term), LogIndex(index));
        let ok =
            Entries::collect([(at(1, 3), entry(0)), (at(1, 4), entry(1)), (at(4, 5), entry(2))])
                .unwrap();
        assert_eq!(ok.runs().len(), 2);
        assert_eq!((ok.len(), ok.first(), ok.last()), (3, Some(LogIndex(3)), Some(at(4, 5))));
        let hole = Entries::collect([(at(1, 3), entry(0)), (at(1, 5), entry(1))]).unwrap_err();
        assert_eq!(hole, NotContiguous { after: at(1, 3), found: at(1, 5) });
        assert!(Entries::collect([(at(2, 3), entry(0)), (at(1, 4), entry(1))]).is_err());
        assert!(Entries::collect([(at(1, 0), entry(0))]).is_err());
    }
}
