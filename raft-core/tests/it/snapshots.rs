//! Snapshots out: taken by policy or on request, compacted behind, sent to those who need them.
//!
//! **Intuition.** The machine of the rig remembers all it was given, and refuses to be captured
//! anywhere but where it stands.
//! **Source.** Thesis §5, SEEDS S-91 to S-98; hazards named in each test.
//! **Upholds.** `inv:snapshot-agrees`, `inv:bounded`, `inv:lane-order`.
//! **Not here.** Receiving (`snapshots_in.rs`), random runs (`snapshot_soak.rs`).

use raft_core::{
    AppendResult, Entry, EntryKind, HaltReason, Input, LogIndex, Message, NodeId, ProgressState,
    Rejected, Role, SendFailure, Settings, TakeSnapshotError,
};

use crate::rig::*;

/// A snapshot every three entries; nothing is kept behind it.
pub(crate) fn eager() -> raft_core::Options {
    let mut options = plain();
    options.snapshot_entries = 3;
    options.snapshot_keep_entries = 0;
    options.retained_entries_max = 0;
    options
}

/// n1 leads three with these options, its no-op everywhere.
fn led_with(options: raft_core::Options) -> Rig {
    let mut rig = Rig::with(3, options);
    rig.elect(1);
    rig
}

/// n1 and n2 went on to index 9 and compacted; n3 was away since index 1.
fn one_behind() -> Rig {
    let mut rig = led_with(eager());
    rig.slow_parcels = true;
    for _ in 0..8 {
        rig.propose(1, "x");
        rig.deliver_among(&[1, 2]);
    }
    assert_eq!((rig.node(1).last().index.0, rig.commit(1), rig.commit(3)), (9, 9, 1));
    assert_eq!(rig.node(1).log_base().index.0, 9);
    rig
}

#[test]
fn s_91_a_snapshot_is_taken_every_n_entries_and_the_log_goes_behind_it() {
    // S-91, T-5-01; the rig's machine checks the place.
    let mut rig = led_with(eager());
    for _ in 0..5 {
        rig.propose(1, "x");
        rig.deliver_all();
    }
    let at = |rig: &mut Rig, id| -> Vec<u64> {
        rig.at(id).asked_takes.iter().map(|(_, meta)| meta.index().0).collect()
    };
    assert_eq!(at(&mut rig, 1), [3, 6]);
    assert_eq!(at(&mut rig, 2), [3, 6], "each server takes its own");
    assert_eq!(rig.at(1).compactions, [3, 6]);
    assert_eq!(rig.log(1), [1], "the term of the base is known, nothing below");
    assert_eq!(rig.node(1).term_at(LogIndex(5)), None);
}

#[test]
fn s_91_a_snapshot_is_taken_when_the_log_outgrows_the_last_one() {
    // T-5.1.2-01: a small snapshot counts as 64 KiB.
    let mut options = plain();
    options.snapshot_entries = 0;
    options.snapshot_growth = 2;
    let mut rig = led_with(options);
    let big: &'static str = Box::leak("y".repeat(50_000).into_boxed_str());
    for _ in 0..2 {
        rig.propose(1, big);
        rig.deliver_all();
    }
    assert_eq!(rig.at(1).asked_takes.len(), 0, "100,000 bytes are not over 131,072");
    rig.propose(1, big);
    rig.deliver_all();
    assert_eq!(rig.at(1).asked_takes.len(), 1);
    rig.propose(1, big);
    rig.deliver_all();
    assert_eq!(rig.at(1).asked_takes.len(), 1, "counted anew from the last one");
}

#[test]
fn s_92_one_snapshot_at_a_time_in_the_background() {
    // T-5.1.1-01: applies go on meanwhile, and the image is of its own index.
    let mut rig = led_with(eager());
    rig.at(1).slow_takes = true;
    for _ in 0..9 {
        rig.propose(1, "x");
        rig.deliver_all();
    }
    assert_eq!((rig.at(1).asked_takes.len(), rig.node(1).applied().0), (1, 10));
    assert_eq!(rig.at(1).takes[0].1.machine.applied, 3);
    assert_eq!((rig.at(1).compactions.len(), rig.node(1).snapshot()), (0, None));
    rig.finish_takes(1);
    rig.drain(1);
    assert_eq!(rig.at(1).compactions, [3], "only what a durable snapshot covers");
    assert_eq!(rig.at(1).asked_takes[1].1.index().0, 10, "the next one follows at once");
}

#[test]
fn s_92_a_snapshot_that_failed_is_taken_again_later_and_the_log_stays() {
    let mut rig = led_with(eager());
    rig.at(1).slow_takes = true;
    rig.propose(1, "x");
    rig.propose(1, "x");
    rig.deliver_all();
    let (id, _) = rig.at(1).takes.pop_front().unwrap();
    rig.step(1, Input::SnapshotFailed(id)).unwrap();
    rig.propose(1, "x");
    rig.deliver_all();
    assert_eq!((rig.at(1).asked_takes.len(), rig.log(1)), (1, vec![1; 4]));
    assert_eq!(rig.step(1, Input::SnapshotFailed(id)), Err(Rejected::StaleSnapshot));
    rig.run(rig.options.snapshot_retry_ns + MS);
    assert_eq!(rig.at(1).asked_takes.len(), 2);
    assert_eq!(rig.at(1).asked_takes[1].1.index().0, 4);
    rig.finish_takes(1);
    rig.drain(1);
    assert_eq!(rig.node(1).snapshot().unwrap().index().0, 4);
}

#[test]
fn a_report_under_a_foreign_or_closed_id_is_refused() {
    let mut rig = led_with(eager());
    rig.at(1).slow_takes = true;
    rig.at(2).slow_takes = true;
    for _ in 0..2 {
        rig.propose(1, "x");
        rig.deliver_all();
    }
    // The first request of another node, and of an earlier boot of this one.
    let (foreign, _) = rig.at(2).takes.pop_front().unwrap();
    let (own, _) = rig.at(1).takes[0];
    assert_eq!(rig.step(1, Input::SnapshotFailed(foreign)), Err(Rejected::StaleSnapshot));
    rig.crash(1, 0);
    rig.restart(1);
    rig.elect(2);
    assert_eq!(rig.step(1, Input::SnapshotFailed(own)), Err(Rejected::StaleSnapshot));
}

#[test]
fn a_snapshot_is_taken_on_request_and_refused_with_a_reason() {
    let mut rig = led();
    rig.at(1).slow_takes = true;
    let now = rig.now;
    assert_eq!(rig.at(1).node.take_snapshot(now), Ok(()));
    rig.drain(1);
    assert_eq!(rig.at(1).asked_takes[0].1.position, at(1, 1));
    let error = rig.at(1).node.take_snapshot(now).unwrap_err();
    assert_eq!(error, TakeSnapshotError::InProgress);
    rig.finish_takes(1);
    rig.drain(1);
    let error = rig.at(1).node.take_snapshot(now).unwrap_err();
    assert_eq!(error, TakeSnapshotError::NothingNew { newest: LogIndex(1) });
    assert_eq!(error.to_string(), "nothing was applied since the snapshot at 1");
    rig.step(1, Input::Shutdown).unwrap();
    assert_eq!(rig.at(1).node.take_snapshot(now), Err(TakeSnapshotError::Halted));
}

/// An append of one entry of `kind` after (1, `before`).
fn append_mark(before: u64, kind: EntryKind, payload: bytes::Bytes, commit: u64) -> Message {
    let mut message = append((before.min(1), before), &[1], commit, before);
    let entry = Entry { kind, payload, stamp: before * 10, label: before * 100 };
    if let Message::AppendEntries(append) = &mut message {
        append.entries = raft_core::Entries::collect([(at(1, before + 1), entry)]).unwrap();
    }
    message
}

#[test]
fn a_snapshot_describes_its_own_index_and_not_a_later_one() {
    // B-051, B-052, D-R4, T-5-03: configuration and settings of entries that are committed and
    // not yet applied, or not committed at all, are not in it.
    let mut options = plain();
    options.snapshot_entries = 4;
    options.machine_id = 5;
    let mut rig = Rig::with(3, options);
    rig.at(3).slow_apply = true;
    let voters = |n| raft_core::Configuration::new((1..=n).map(NodeId)).unwrap();
    let base = rig.options.settings();
    let later = |version| {
        let mut settings: Settings = base;
        settings.version = version;
        settings
    };
    let payloads = [
        (EntryKind::COMMAND, "a".into()),
        (EntryKind::CONFIGURATION, voters(4).encode()),
        (EntryKind::SETTINGS, later(1).encode()),
        (EntryKind::COMMAND, "b".into()),
        (EntryKind::SETTINGS, later(2).encode()),
        (EntryKind::CONFIGURATION, voters(5).encode()),
    ];
    for (before, (kind, payload)) in payloads.into_iter().enumerate() {
        // The last two are committed, yet their turn at the machine comes later.
        let message = append_mark(before as u64, kind, payload, 4);
        rig.tell(1, 3, 1, message).unwrap();
    }
    rig.tell(1, 3, 1, append((1, 6), &[], 6, 9)).unwrap();
    let taken = rig.at(3).asked_takes[0].1.clone();
    assert_eq!(taken.position, at(1, 4));
    assert_eq!((taken.configuration, taken.configuration_index.0), (voters(4), 2));
    assert_eq!(taken.settings.version, 1);
    assert_eq!((taken.stamp, taken.label, taken.machine_id), (30, 300, 5));
    let status = rig.node(3).status();
    assert_eq!((status.commit.0, status.configuration), (6, voters(5)));
    // From disk alone the node is the same again.
    while let Some(input) = (!rig.at(3).lane.is_empty()).then(|| rig.execute_next(3)).flatten() {
        rig.step(3, input).unwrap();
    }
    rig.finish_takes(3);
    rig.crash(3, 9);
    rig.restart(3);
    assert_eq!(rig.node(3).status().configuration, voters(5), "of an entry above the snapshot");
    assert_eq!((rig.commit(3), rig.node(3).applied().0), (4, 4), "2.12.2");
}

#[test]
fn s_98_a_slow_peer_holds_the_log_back_up_to_a_bound() {
    let mut options = eager();
    options.retained_entries_max = 20;
    let mut rig = led_with(options);
    for _ in 0..9 {
        rig.propose(1, "x");
        rig.deliver_among(&[1, 2]);
    }
    assert_eq!(rig.node(1).snapshot().unwrap().index().0, 9);
    assert!(rig.node(1).log_base().index.0 <= 1, "n3 lacks the rest");
    assert_eq!(rig.node(2).log_base().index.0, 9, "a follower waits for nobody");
    for _ in 0..14 {
        rig.propose(1, "x");
        rig.deliver_among(&[1, 2]);
    }
    let held = rig.node(1).last().index.since(rig.node(1).log_base().index);
    assert!((20..=23).contains(&held), "the bound and at most an eighth: {held}");
    // Many small gains are one step.
    assert!(rig.at(1).compactions.len() < 5, "{:?}", rig.at(1).compactions);
    assert_eq!(rig.at(1).sends.len(), 0);
}

#[test]
fn s_96_a_window_below_the_snapshot_is_kept() {
    let mut options = eager();
    options.snapshot_keep_entries = 2;
    let mut rig = led_with(options);
    for _ in 0..5 {
        rig.propose(1, "x");
        rig.deliver_all();
    }
    assert_eq!(
        (rig.node(1).snapshot().unwrap().index().0, rig.at(1).compactions.clone()),
        (6, vec![1, 4])
    );
    // Boot from a snapshot with entries kept below it (2.12.1).
    rig.crash(1, 0);
    rig.restart(1);
    assert_eq!(rig.node(1).log_base(), at(1, 5), "whose own term is all that is known of it");
    assert_eq!((rig.node(1).last(), rig.commit(1)), (at(1, 6), 6));
}

#[test]
fn t_5_06_a_peer_gets_entries_down_to_the_base_and_a_snapshot_below() {
    // B-030: the border is the position before the next entry.
    for (matched_at, state) in
        [(9, ProgressState::Replicate), (8, ProgressState::Snapshot), (1, ProgressState::Snapshot)]
    {
        let mut rig = one_behind();
        rig.lose_all();
        rig.propose(1, "x");
        rig.lose_all();
        rig.tell(3, 1, 1, refused(10, (1, matched_at), 1)).unwrap();
        rig.tell(3, 1, 1, matched(matched_at, 1)).unwrap();
        let peer = rig.node(1).peers().find(|peer| peer.peer == NodeId(3)).unwrap();
        assert_eq!(peer.state, state, "match {matched_at}");
        assert_eq!(rig.at(1).sends.len(), usize::from(state == ProgressState::Snapshot));
        let sent = rig.take(|e| e.to.0 == 3);
        let mut first: Vec<_> =
            sent.iter().filter_map(|e| as_append(&e.message).entries.first()).collect();
        first.dedup();
        assert_eq!(first, if matched_at == 9 { vec![LogIndex(10)] } else { vec![] });
    }
}

#[test]
fn b_057_a_leader_with_a_log_compacted_to_its_end_finds_a_stranger_out() {
    // No traffic: a probe at the base itself is enough.
    let mut rig = one_behind();
    rig.lose_all();
    rig.elect_among(2, &[1, 2]);
    rig.slow_parcels = false;
    rig.run(200 * MS);
    assert_eq!(rig.commit(3), rig.commit(2));
    assert_eq!(rig.servers[2].machine, rig.servers[1].machine);
}

#[test]
fn t_5_1_09_after_the_snapshot_the_peer_goes_on_with_entries() {
    // T-5-05, T-5.1-08, D-R4.
    let mut rig = one_behind();
    rig.run(100 * MS);
    assert_eq!((rig.parcels.len(), rig.commit(3)), (1, 1));
    let send = rig.at(1).sends[0].clone();
    assert_eq!((send.to, send.term.0, send.to_incarnation.0), (NodeId(3), 1, 103));
    rig.propose(1, "later");
    rig.slow_parcels = false;
    rig.deliver_all();
    assert_eq!(rig.at(3).installs[0], send.meta);
    assert_eq!((rig.commit(3), rig.servers[2].machine), (10, rig.servers[0].machine));
    let peer = rig.node(1).peers().find(|peer| peer.peer == NodeId(3)).unwrap();
    assert_eq!((peer.state, peer.matched.0), (ProgressState::Replicate, 10));
    assert_eq!(rig.at(1).sends.len(), 1);
}

#[test]
fn t_5_1_04_heartbeats_go_on_while_a_snapshot_travels() {
    // Ten timeouts long: nobody campaigns, and the send is asked for again in case it was lost.
    let mut options = eager();
    options.check_quorum = true;
    let mut rig = Rig::with(3, options);
    rig.elect(1);
    rig.slow_parcels = true;
    for _ in 0..8 {
        rig.propose(1, "x");
        rig.deliver_among(&[1, 2]);
    }
    rig.crash(2, 0);
    rig.run(10 * rig.options.election_max_ns);
    assert_eq!((rig.office(1).0, rig.node(3).term().0), (Role::Leader, 1), "n3's answers count");
    let ids: Vec<_> = rig.at(1).sends.iter().map(|send| send.id).collect();
    assert!(ids.len() >= 2 && ids.iter().all(|id| *id == ids[0]), "{ids:?}");
}

#[test]
fn s_94_sends_are_limited_and_a_peer_that_failed_is_left_alone_for_longer_each_time() {
    let mut options = eager();
    options.snapshot_sends_max = 1;
    let mut rig = Rig::with(5, options);
    rig.elect(1);
    rig.slow_parcels = true;
    for _ in 0..8 {
        rig.propose(1, "x");
        rig.deliver_among(&[1, 2, 3]);
    }
    rig.run(100 * MS);
    let to = |rig: &mut Rig| rig.at(1).sends.iter().map(|s| s.to.0).collect::<Vec<_>>();
    assert_eq!(to(&mut rig), [4], "one at a time");
    let first = rig.at(1).sends[0].id;
    let failure = SendFailure::Overloaded;
    rig.step(1, Input::SnapshotSendFailed { id: first, failure }).unwrap();
    rig.run(100 * MS);
    assert_eq!(to(&mut rig), [4, 5], "the other one's turn");
    let stale = rig.step(1, Input::SnapshotSendFailed { id: first, failure });
    assert_eq!(stale, Err(Rejected::StaleSnapshot));
    // Delivered, and of no use: n5 lost it. The next one waits too.
    let second = rig.at(1).sends[1].id;
    rig.step(1, Input::SnapshotSent(second)).unwrap();
    rig.run(500 * MS);
    assert_eq!(to(&mut rig), [4, 5]);
    rig.run(600 * MS);
    assert_eq!(to(&mut rig)[2], 4, "a second later");
    let third = rig.at(1).sends[2].id;
    rig.step(1, Input::SnapshotSendFailed { id: third, failure: SendFailure::Failed }).unwrap();
    rig.run(1_500 * MS);
    let to_4 = rig.at(1).sends.iter().filter(|send| send.to.0 == 4).count();
    assert_eq!(to_4, 2, "two seconds now");
}

#[test]
fn a_send_ends_with_its_reign_and_its_id_with_it() {
    let mut rig = one_behind();
    rig.run(100 * MS);
    let id = rig.at(1).sends[0].id;
    rig.tell(2, 1, 7, vote(false)).unwrap();
    assert_eq!(rig.step(1, Input::SnapshotSent(id)), Err(Rejected::StaleSnapshot));
}

#[test]
fn an_acknowledgement_ends_the_state_before_the_report_does() {
    let mut rig = one_behind();
    rig.run(100 * MS);
    let parcel = rig.parcels.remove(0);
    rig.stage(3, parcel.image, 1, 1).unwrap();
    rig.run(100 * MS);
    let peer = rig.node(1).peers().find(|peer| peer.peer == NodeId(3)).unwrap();
    assert_eq!((peer.state, peer.matched.0), (ProgressState::Replicate, 9));
    assert_eq!(rig.step(1, Input::SnapshotSent(parcel.send.id)), Err(Rejected::StaleSnapshot));
}

#[test]
fn after_a_shipment_no_entry_is_sent_twice() {
    // Whichever comes first: the transport's report, which has the peer probed, or the peer's own
    // word, or the word in the middle of a heartbeat.
    for report_first in [true, false] {
        let mut rig = one_behind();
        rig.run(100 * MS);
        for _ in 0..2 {
            rig.propose(1, "later");
            rig.deliver_among(&[1, 2]);
        }
        let parcel = rig.parcels.remove(0);
        let mut sent = Vec::new();
        let report = |rig: &mut Rig| {
            let _late = rig.step(1, Input::SnapshotSent(parcel.send.id));
        };
        if report_first {
            report(&mut rig);
        }
        rig.stage(3, parcel.image.clone(), 1, 1).unwrap();
        if !report_first {
            report(&mut rig);
        }
        let is_its_own = |e: &raft_core::Envelope| [e.from.0, e.to.0].contains(&3);
        while !rig.net.is_empty() {
            rig.net.retain(is_its_own);
            let to_it = rig.net.iter().filter(|e| e.to.0 == 3 && is_append(e));
            sent.extend(to_it.flat_map(|e| {
                as_append(&e.message).entries.iter().map(|e| e.position.index.0).collect::<Vec<_>>()
            }));
            rig.deliver(|_| true);
        }
        assert_eq!(sent, [10, 11], "the report first: {report_first}");
        assert_eq!((rig.node(3).last().index.0, rig.progress(1, 3)), (11, (11, 12)));
    }
}

#[test]
fn terms_near_their_bound_ask_for_a_snapshot_and_a_full_index_takes_no_more() {
    let mut options = plain();
    options.term_runs_max = 4;
    let mut rig = Rig::with(3, options);
    // Nothing of it is committed: no snapshot can help, and the leader has to wait.
    rig.tell(1, 3, 6, append((0, 0), &[1, 2, 3, 4, 5, 6], 0, 1)).unwrap();
    assert_eq!((rig.log(3), rig.at(3).halted), (vec![1, 2, 3, 4], None));
    assert_eq!(rig.only_reply(3), matched(4, 1));
    rig.tick(3);
    assert_eq!(rig.office(3).0, Role::Follower, "it could not write the first entry of a term");
    // Once some of it is, one is taken by itself, and there is room.
    rig.tell(1, 3, 6, append((4, 4), &[5, 6], 3, 2)).unwrap();
    assert_eq!(rig.at(3).asked_takes[0].1.position, at(3, 3));
    assert_eq!(rig.node(3).log_base(), at(3, 3));
    rig.tell(1, 3, 6, append((4, 4), &[5, 6], 3, 3)).unwrap();
    assert_eq!(rig.log(3), [3, 4, 5, 6]);
}

#[test]
fn compaction_closes_the_reads_it_overtakes() {
    // A peer's entries were asked for from disk, and the log went on without them.
    let mut rig = led_with(with(|o| {
        *o = eager();
        o.tail_entries_max = 2;
        o.append_entries_max = 2;
        o.retained_entries_max = 6;
        o.inflight_messages_max = 1;
    }));
    rig.at(1).slow_reads = true;
    for _ in 0..5 {
        rig.propose(1, "x");
        rig.deliver_among(&[1, 2]);
    }
    rig.run(60 * MS);
    let ask = rig.at(1).fetches.iter().find(|ask| ask.first.0 == 2).copied().expect("n3 needs 2");
    let entries = rig.entries_on_disk(1, ask);
    for _ in 0..9 {
        rig.propose(1, "x");
        rig.deliver_among(&[1, 2]);
    }
    assert!(rig.node(1).log_base().index.0 > 2);
    let late = rig.step(1, Input::EntriesRead { id: ask.id, entries });
    assert_eq!(late, Err(Rejected::Stale));
    assert_eq!(rig.node(1).halted(), None);
}

#[test]
fn t_5_02_an_append_from_below_the_base_counts_from_the_base_on() {
    // B-029, B-059: nothing is appended twice, nothing committed is cut.
    let mut rig = one_behind();
    rig.lose_all();
    assert_eq!(rig.node(2).log_base().index.0, 9);
    // A doubled first append, an append that straddles the base, and one that ends below it.
    let cases = [
        ((0, 0), vec![1; 9], 9),
        ((1, 1), vec![1; 4], 9),
        ((1, 3), vec![], 9),
        ((1, 6), vec![1; 5], 11),
    ];
    for (round, (previous, terms, last)) in (50..).zip(cases) {
        rig.tell(1, 2, 1, append(previous, &terms, 0, round)).unwrap();
        assert_eq!(rig.node(2).last(), at(1, last), "after {previous:?}");
        let told = as_reply(&rig.sent_by(2).pop().unwrap().message).result;
        assert_eq!(told, AppendResult::Matched { matched: LogIndex(last) });
    }
    // At the base the consistency check works as ever.
    rig.tell(1, 2, 1, append((1, 9), &[1, 1, 1], 0, 70)).unwrap();
    assert_eq!(rig.node(2).last(), at(1, 12));
}

#[test]
fn an_append_that_contradicts_what_is_compacted_halts() {
    for (previous, terms) in [((1, 6), vec![1, 1, 2]), ((2, 6), vec![])] {
        let mut rig = one_behind();
        rig.tell(3, 2, 2, append(previous, &terms, 0, 1)).unwrap();
        let reason = HaltReason::CommittedConflict { index: LogIndex(9) };
        assert_eq!(rig.at(2).halted, Some(reason), "{previous:?}");
    }
}

#[test]
fn a_blank_disk_asks_for_a_snapshot_and_confirms_nothing() {
    // S-12, D-W6: its answers feed neither quorum nor lease.
    let mut rig = led();
    let four = rig.add_blank();
    rig.tell(1, four, 1, append((0, 0), &[1], 1, 5)).unwrap();
    let reply = as_reply(&rig.only_reply(four));
    assert_eq!((reply.result, reply.promise_ns), (AppendResult::NeedSnapshot, 0));
    assert_eq!((rig.log(four).len(), rig.commit(four)), (0, 0));
    // At the leader such an answer from a voter counts for no round.
    rig.at(2).up = false;
    rig.at(3).up = false;
    let read = rig.read(1);
    rig.lose_all();
    let need = Message::AppendReply(raft_core::AppendReply {
        round: 2,
        result: AppendResult::NeedSnapshot,
        ..Default::default()
    });
    rig.tell(2, 1, 1, need.clone()).unwrap();
    rig.tell(3, 1, 1, need).unwrap();
    assert!(rig.at(1).ready.iter().all(|(ticket, ..)| *ticket != read));
}

#[test]
fn s_100_a_disk_is_looked_at_without_starting_anything() {
    let mut options = eager();
    options.snapshot_keep_entries = 1;
    let mut rig = led_with(options);
    for _ in 0..6 {
        rig.propose(1, "x");
        rig.deliver_all();
    }
    let boot = rig.at(2).disk.clone().boot(9, &rig.voters);
    let seen = raft_core::inspect(&boot).unwrap();
    assert_eq!((seen.node, seen.term.0, seen.vote), (NodeId(2), 1, Some(NodeId(1))));
    assert_eq!((seen.first.0, seen.last, seen.snapshot), (6, at(1, 7), Some(at(1, 6))));
    assert_eq!((seen.configuration.clone(), seen.configuration_index.0), (rig.voters.clone(), 0));
    assert_eq!((seen.membership, seen.lost_data), (raft_core::Membership::Voter, false));
    // It says beforehand what a boot would find.
    let mut lost = boot;
    lost.hard_state.mark = at(1, 8);
    assert!(raft_core::inspect(&lost).unwrap().lost_data);
    let node = raft_core::Node::boot(rig.options.clone(), lost, rig.now).unwrap();
    assert_eq!(node.lifecycle(), raft_core::Lifecycle::Quarantined);
}

#[test]
fn a_machine_that_kept_its_state_goes_on_where_it_stands() {
    // T-5.1-08, 2.12.3: `applied` above the snapshot; what lies between is not applied again, and
    // the next snapshot describes what was committed before the boot too.
    let mut options = plain();
    options.snapshot_entries = 4;
    let mut rig = Rig::with(3, options);
    let mut settings = rig.options.settings();
    settings.version = 3;
    settings.heartbeat_ns = 40 * MS;
    rig.tell(1, 3, 1, append((0, 0), &[1], 1, 1)).unwrap();
    rig.tell(1, 3, 1, append_mark(1, EntryKind::SETTINGS, settings.encode(), 2)).unwrap();
    let machine = rig.at(3).machine;
    let mut boot = rig.at(3).disk.clone().boot(77, &rig.voters);
    boot = boot.with_applied(LogIndex(2));
    let (options, now) = (rig.options.clone(), rig.now);
    rig.at(3).node = raft_core::Node::boot(options, boot, now).unwrap();
    rig.at(3).machine = machine;
    assert_eq!(rig.node(3).options().heartbeat_ns, 40 * MS);
    rig.tell(1, 3, 1, append((1, 2), &[1, 1], 4, 9)).unwrap();
    assert_eq!(rig.at(3).asked_takes[0].1.position, at(1, 4));
    assert_eq!(rig.at(3).asked_takes[0].1.settings, settings);
}
