//! Witnesses: members that vote and acknowledge, and keep no data.
//!
//! **Intuition.** A witness needs to know *where* the log is, not what is in it: it keeps term,
//! index, kind and a digest of each entry, and in full only what the core itself acts on. It makes
//! a third vote cheap. It never leads and applies nothing. Since its copy cannot bring data back,
//! a data voter becomes one, or leaves beside one, only once every quorum that would be left has a
//! data voter that holds the log up to that change; and a disk with such stubs never counts as data again.
//! **Source.** SEEDS S-84; B-074, D-W14.
//! **Upholds.** `inv:committed-durable`, `inv:log-matching` (a stub has its entry's position).
//! **Not here.** Snapshots without data (`snapshot/`), seats (`quorum.rs`).

use alloc::vec::Vec;

use bytes::Bytes;

use super::guard::lets_go_of_data;
use crate::{
    Node,
    error::HaltReason,
    input::Changed,
    log::{Entries, Entry, EntryKind, Run},
    peer::Peer,
    rng::mix,
    types::LogIndex,
};

/// What a peer is sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) enum Diet {
    /// Entries as they are.
    #[default]
    Full,
    /// Stubs.
    Stubs,
    /// No entries yet: whether it is to be a witness is not decided.
    Nothing,
}

/// The digest that stands for a payload in a stub. Frozen.
#[must_use]
pub fn payload_digest(payload: &[u8]) -> u64 {
    let start = mix(0x7769_746e_6573_7300, payload.len() as u64);
    payload.chunks(8).fold(start, |digest, chunk| {
        let word = chunk.iter().rev().fold(0_u64, |word, byte| word << 8 | u64::from(*byte));
        mix(digest, word)
    })
}

/// What a witness keeps of an entry.
fn stub(entry: &Entry) -> Entry {
    let carries = matches!(entry.kind, EntryKind::COMMAND | EntryKind::QUERY);
    if !carries {
        return entry.clone();
    }
    let digest = payload_digest(&entry.payload).to_le_bytes();
    let kind = EntryKind(entry.kind.0 | EntryKind::STUB);
    Entry { kind, payload: Bytes::copy_from_slice(&digest), ..*entry }
}

/// What a witness is sent of `entries`.
pub(crate) fn stubs(entries: &Entries) -> Entries {
    let mut out = Entries::EMPTY;
    for run in entries.runs() {
        let kept: Vec<Entry> = run.as_slice().iter().map(stub).collect();
        let sealed = Run::seal(run.term(), run.first(), kept);
        if sealed.is_none_or(|run| out.push(run).is_err()) {
            break;
        }
    }
    out
}

impl Node {
    /// Whether data of some index may be missing on this disk.
    pub(crate) fn lacks_data(&self) -> bool {
        if self.changes.stubs == LogIndex::ZERO {
            return false;
        }
        let newest = self.snapshots.newest.as_ref().filter(|meta| !meta.lacks_data());
        self.changes.stubs > newest.map_or(LogIndex::ZERO, |meta| meta.index())
    }

    /// Whether this node is to hold data and stands on stubs: it asks for a full snapshot, and
    /// neither votes nor acknowledges before it has one.
    pub(crate) fn wants_data(&self) -> bool {
        self.changes.tainted && self.lacks_data()
    }

    /// A stub stands at `index` of the log.
    pub(crate) fn stub_appended(&mut self, index: LogIndex) {
        self.changes.stubs = self.changes.stubs.max(index);
    }

    /// A stub was read back where data is wanted: the driver did not say at boot that there are any.
    pub(crate) fn judge_fetched(&mut self, entries: &Entries) {
        if self.own_seat.is_witness() || self.lacks_data() {
            return;
        }
        if let Some(found) = entries.iter().find(|entry| entry.entry.kind.is_stub()) {
            self.halt(HaltReason::StubWithoutData { index: found.position.index });
        }
    }

    /// What each witness among the peers is to be sent, and whether this node is one for good.
    pub(crate) fn update_diets(&mut self) {
        let (index, _) = self.marks.history.newest();
        let decided = index <= self.commit;
        // Only the newest configuration of a log can be undecided: no leader appends one before
        // that. So the one before it is committed, known here or not.
        let sure = self.marks.history.at(index.prev()).1.clone();
        for peer in self.peers.iter_mut().filter(|peer| peer.seat.is_member()) {
            peer.diet = if !peer.seat.is_witness() {
                Diet::Full
            } else if decided || sure.is_witness(peer.id) {
                Diet::Stubs
            } else if sure.is_member(peer.id) {
                // It may have to stay what it is.
                Diet::Full
            } else {
                Diet::Nothing
            };
        }
        let (since, committed) = self.marks.history.at(self.commit);
        let is_one = self.own_seat.is_witness() && committed.is_witness(self.hard.node);
        self.changes.witness_from =
            is_one.then(|| self.changes.witness_from.map_or(since, |from| from.min(since)));
        self.changes.tidy();
        self.witness_follows();
    }

    /// A witness has nothing to apply: what is committed and durable is done.
    pub(crate) fn witness_follows(&mut self) {
        let Some(from) = self.changes.witness_from else { return };
        let ready = self.commit.min(self.lane.durable());
        if ready <= self.applied || ready < from || self.apply_is_held() {
            return;
        }
        let first = self.handed.next().max(self.log.tail().first());
        let seen = self.log.tail().slice(first, ready, u64::MAX, u64::MAX).unwrap_or_default();
        for run in seen.runs() {
            self.note_handed_out(run);
        }
        self.applying.clear();
        self.applying_bytes = 0;
        self.apply_fetch.clear();
        self.apply_fetched = None;
        self.handed = self.handed.max(ready);
        self.applied = ready;
        self.snapshots.install_overtaken(ready);
        // The machine has not seen it: from here on this disk stands for no data.
        self.changes.stubs = self.changes.stubs.max(ready);
        self.changed(Changed::APPLIED);
    }

    /// Highest index that may be sent to witnesses now: what some data voter holds durably, this
    /// leader included unless the settings want another. A witness further than every data disk
    /// would refuse its vote to all who can lead, for ever, once this leader's memory is gone. So a
    /// leader that is voted out does not count: its disk goes with it.
    pub(crate) fn witness_limit(&self) -> LogIndex {
        let data = |peer: &&Peer| peer.seat.may_lead();
        let copied = self.peers.iter().filter(data).map(Peer::counted_match).max();
        let stays = self.own_seat.may_lead();
        match copied {
            Some(copied) if self.options.witness_after_data_copy || !stays => copied,
            // With no other data voter there is nothing else to wait for.
            copied => copied.unwrap_or_default().max(self.lane.durable()),
        }
    }

    /// The newest configuration, if it is uncommitted and lets go of data.
    pub(crate) fn data_gate(&self) -> Option<LogIndex> {
        let (index, newest) = self.marks.history.newest();
        if index <= self.commit || newest.parts().witnesses.is_empty() {
            return None;
        }
        let (_, before) = self.marks.history.at(index.prev());
        lets_go_of_data(before, newest).then_some(index)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        config::Configuration,
        options::Options,
        snapshot::meta::SnapshotMeta,
        storage::{Boot, HardState},
        types::{BootId, ClusterId, GroupId, Incarnation, Instant, LogPosition, NodeId, Term},
    };

    #[test]
    fn a_stub_keeps_place_kind_and_digest_and_marks_stay_whole() {
        let entry = |kind, text: &'static str| Entry {
            kind,
            stamp: 7,
            label: 9,
            payload: Bytes::from_static(text.as_bytes()),
        };
        let kinds = [
            EntryKind::NOOP,
            EntryKind::COMMAND,
            EntryKind::CONFIGURATION,
            EntryKind::SETTINGS,
            EntryKind::QUERY,
            EntryKind::SKIP,
        ];
        let at = |index| LogPosition::new(Term(2 + index / 4), LogIndex(index));
        let whole = kinds.iter().zip(1..).map(|(kind, i)| (at(i), entry(*kind, "data")));
        let whole = Entries::collect(whole).unwrap();
        let out = stubs(&whole);
        assert_eq!((out.first(), out.last()), (whole.first(), whole.last()));
        for (before, after) in whole.iter().zip(out.iter()) {
            assert_eq!(before.position, after.position);
            assert_eq!((after.entry.stamp, after.entry.label), (7, 9));
            assert_eq!(after.entry.kind.base(), before.entry.kind);
            let dropped = matches!(before.entry.kind, EntryKind::COMMAND | EntryKind::QUERY);
            assert_eq!(after.entry.kind.is_stub(), dropped, "{}", before.entry.kind);
            let kept = &after.entry.payload[..];
            let want = if dropped { &payload_digest(b"data").to_le_bytes()[..] } else { b"data" };
            assert_eq!(kept, want);
        }
        assert_eq!(stubs(&out), out, "a stub of a stub is itself");
        assert!(stubs(&Entries::EMPTY).is_empty());
    }

    #[test]
    fn golden_digests() {
        let all: [&[u8]; 5] = [b"", b"\0", b"a", b"12345678", b"123456789"];
        let want = [
            0x0393_b918_3d20_a30a,
            0x564b_7b7c_e434_b33f,
            0xa2a4_4901_f0b8_300b,
            0xd24b_434a_6159_8d57,
            0x10c4_95e0_0b51_0b9a,
        ];
        assert_eq!(all.map(payload_digest), want);
    }

    #[test]
    fn data_is_lacking_from_the_newest_stub_down_to_a_snapshot_that_has_it() {
        let mut hard = HardState::new(ClusterId(1), GroupId(1), NodeId(1), Incarnation(1));
        hard.term = Term(2);
        let voters = Configuration::new((1..=3).map(NodeId)).unwrap();
        let options = Options::default();
        let at = LogPosition::new(Term(2), LogIndex(4));
        let meta = SnapshotMeta::empty(at, voters.clone(), options.settings(), 0);
        let boot = Boot::new(BootId(1), 1, hard, voters).with_snapshot(meta);
        let mut sut = Node::boot(options, boot, Instant(0)).unwrap();
        sut.stub_appended(LogIndex(4));
        assert!(!sut.lacks_data(), "the snapshot has it");
        sut.stub_appended(LogIndex(5));
        assert!(sut.lacks_data());
        sut.stub_appended(LogIndex(3));
        assert!(sut.lacks_data(), "the newest counts");
    }
}
