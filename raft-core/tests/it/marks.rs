//! Entries the core itself acts on, from a leader that is mistaken or means harm.
//!
//! **Intuition.** Set up, act, check.
//! **Source.** Ours; S-08 (refuse what cannot be read).
//! **Upholds.** `inv:bounded`, `inv:configuration-safety`.
//! **Not here.** Changes asked for in earnest (`membership.rs`).

use raft_core::{LogIndex, Message, NodeId};

use crate::rig::*;

#[test]
fn what_a_leader_may_leave_open_is_bounded() {
    // A hostile leader's configurations are taken up to a bound, and go on when they commit.
    let mut rig = Rig::new(3);
    let entry = |index: u64| {
        let kind = raft_core::EntryKind::CONFIGURATION;
        let payload = raft_core::Configuration::new((1..=3).map(NodeId)).unwrap().encode();
        (at(1, index), raft_core::Entry { kind, payload, ..Default::default() })
    };
    let entries = raft_core::Entries::collect((1..=1_500).map(entry)).unwrap();
    let message = |commit, round| {
        Message::AppendEntries(raft_core::AppendEntries {
            previous: at(0, 0),
            entries: entries.clone(),
            commit: LogIndex(commit),
            round,
            void_transfer: 0,
        })
    };
    rig.tell(2, 1, 1, message(0, 1)).unwrap();
    assert_eq!(rig.only_reply(1), matched(1_024, 1));
    rig.tell(2, 1, 1, message(1_000, 2)).unwrap();
    rig.tell(2, 1, 1, message(1_000, 3)).unwrap();
    assert_eq!((rig.node(1).last().index.0, rig.node(1).halted()), (1_500, None));
}

#[test]
fn a_blank_configuration_halts_and_one_of_a_newer_format_disables() {
    let blank = raft_core::Configuration::default().encode();
    for (payload, readable) in [(blank, true), (bytes::Bytes::from_static(b"\x09"), false)] {
        let mut rig = Rig::new(3);
        let kind = raft_core::EntryKind::CONFIGURATION;
        let entry = raft_core::Entry { kind, payload, ..Default::default() };
        let message = Message::AppendEntries(raft_core::AppendEntries {
            previous: at(0, 0),
            entries: raft_core::Entries::collect([(at(1, 1), entry)]).unwrap(),
            commit: LogIndex(0),
            round: 1,
            void_transfer: 0,
        });
        rig.tell(2, 1, 1, message).unwrap();
        let index = LogIndex(1);
        let halted = readable.then_some(raft_core::HaltReason::UnreadableEntry { index });
        assert_eq!(rig.node(1).halted(), halted);
        let kind = kind.0;
        let disabled = raft_core::DisableReason::UnsupportedEntry { index, kind };
        assert_eq!(rig.node(1).disabled(), (!readable).then_some(disabled));
    }
}
