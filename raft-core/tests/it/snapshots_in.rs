//! Snapshots in: judged, published by one write, installed; crashes at every boundary.
//!
//! **Intuition.** n3 follows n1 and has a short log of its own. A snapshot arrives in every state
//! that matters, in and out of date, and power fails between any two writes.
//! **Source.** Thesis §5.1 (InstallSnapshot), SEEDS 2.12; hazards named in each test.
//! **Upholds.** `inv:snapshot-agrees`, `inv:monotone`, `inv:configuration-safety`,
//! `inv:persist-before-send`.
//! **Not here.** Sending (`snapshots.rs`), random runs (`snapshot_soak.rs`).

use raft_core::{
    AppendResult, Configuration, ConfigurationParts, Envelope, Input, InstallMeta, LogIndex,
    Message, NodeId, Options, Outcome, ProgressState, ReceivedSnapshot, Rejected, Role,
    SnapshotMeta, StageId, Term, UnknownReason,
};

use crate::rig::*;

fn voters(n: u64) -> Configuration {
    Configuration::new((1..=n).map(NodeId)).unwrap()
}

/// A snapshot at (term, index) with some data.
pub(crate) fn image(term: u64, index: u64) -> Image {
    let settings = plain().settings();
    let mut meta = SnapshotMeta::empty(at(term, index), voters(3), settings, 0);
    meta.configuration_index = LogIndex(0);
    meta.stamp = index * 10;
    meta.digest = 77;
    meta.size_bytes = 16;
    Image { meta, machine: Machine { applied: index, hash: 1_000 + index } }
}

/// n3 in term 5, follower of n1, with entries of `log` verified, the first `commit` committed.
pub(crate) fn follower(log: &[u64], commit: u64) -> Rig {
    let mut rig = Rig::new(3);
    rig.tell(1, 3, 5, append((0, 0), log, commit, 1)).unwrap();
    rig.lose_all();
    assert_eq!((rig.log(3), rig.commit(3)), (log.to_vec(), commit));
    rig
}

fn matches_told(sent: &[Envelope]) -> Vec<u64> {
    let told = sent.iter().filter_map(|e| match &e.message {
        Message::AppendReply(reply) => Some(reply.result),
        _ => None,
    });
    told.filter_map(|result| match result {
        AppendResult::Matched { matched } => Some(matched.0),
        _ => None,
    })
    .collect()
}

#[test]
fn t_5_1_06_a_snapshot_of_what_is_committed_is_thrown_away_and_the_match_told_again() {
    // B-047, D-R2, D-Z13, 2.12.5: late, doubled, older than the commit index.
    for index in [1, 3, 4] {
        let mut rig = follower(&[1, 1, 2, 2, 5, 5], 4);
        let before = rig.node(3).status();
        rig.stage(3, image(if index < 3 { 1 } else { 2 }, index), 1, 5).unwrap();
        assert_eq!(rig.at(3).discards.len(), 1);
        assert_eq!(matches_told(&rig.sent_by(3)), [6]);
        let after = rig.node(3).status();
        assert_eq!(
            (after.last, after.commit, after.applied),
            (before.last, before.commit, before.applied)
        );
        assert_eq!(after.configuration, before.configuration);
    }
}

#[test]
fn t_5_1_07_the_suffix_stays_exactly_if_the_log_holds_the_position() {
    // B-048; the thesis's own example: log 1..10, commit 4, snapshot at 6.
    let log = [1, 1, 2, 2, 2, 2, 2, 2, 2, 2];
    for (term, kept) in [(2, true), (3, false)] {
        let mut rig = Rig::new(3);
        rig.begin(3, 5, None, &log);
        rig.tell(1, 3, 5, append((2, 4), &[], 4, 1)).unwrap();
        rig.lose_all();
        rig.stage(3, image(term, 6), 1, 5).unwrap();
        let write = rig.at(3).writes.last().unwrap().snapshot().cloned().unwrap();
        assert_eq!((write.keep_log, write.meta.position), (kept, at(term, 6)));
        let last = if kept { at(2, 10) } else { at(3, 6) };
        assert_eq!((rig.node(3).last(), rig.commit(3), rig.node(3).applied().0), (last, 6, 6));
        assert_eq!((rig.at(3).machine.hash, rig.at(3).installs.len()), (1_006, 1));
        assert_eq!(matches_told(&rig.sent_by(3)), [6], "what lies above is not verified");
        // From disk it is the same.
        rig.crash(3, 0);
        rig.restart(3);
        assert_eq!((rig.node(3).last(), rig.commit(3)), (last, 6));
    }
}

#[test]
fn what_an_install_covers_is_not_applied_and_what_follows_is() {
    let mut rig = follower(&[1, 1, 2], 2);
    rig.stage(3, image(4, 6), 1, 5).unwrap();
    rig.tell(1, 3, 5, append((4, 6), &[5, 5], 8, 2)).unwrap();
    let indexes: Vec<u64> = rig.applied(3).iter().map(|(index, _)| *index).collect();
    assert_eq!(indexes, [1, 2, 7, 8]);
    assert_eq!((rig.log(3), rig.node(3).applied().0), (vec![4, 5, 5], 8));
}

#[test]
fn t_5_1_03_every_term_against_every_role() {
    // D-R3, D-W16: refused with the own term, adopted, or taken; and afterwards all goes on.
    for role in [Role::Follower, Role::PreCandidate, Role::Candidate, Role::Leader] {
        for term in [3, 4, 5, 9] {
            let mut rig = Rig::with(
                3,
                with(|o| {
                    *o = plain();
                    o.pre_vote = role == Role::PreCandidate;
                }),
            );
            rig.begin(
                3,
                if role == Role::PreCandidate || role == Role::Follower { 5 } else { 4 },
                None,
                &[1],
            );
            if role != Role::Follower {
                rig.expire(3);
            }
            if role == Role::Leader {
                rig.tell(2, 3, 5, vote(true)).unwrap();
            }
            rig.lose_all();
            assert_eq!((rig.office(3).0, rig.node(3).term().0), (role, 5));
            let result = rig.stage(3, image(2, 6), 1, term);
            let told = rig.sent_by(3);
            let installed = rig.at(3).installs.len();
            let what = format!("{role} term {term}: {result:?}");
            if term < 5 {
                assert_eq!((installed, rig.at(3).discards.len()), (0, 1), "{what}");
                assert!(told.iter().any(|e| e.message == stale_term() && e.term.0 == 5), "{what}");
                assert_eq!(rig.office(3).0, role, "{what}");
            } else if term == 5 && role == Role::Leader {
                assert_eq!(result, Err(Rejected::Malformed), "two leaders in one term");
            } else {
                assert_eq!((installed, rig.commit(3)), (1, 6), "{what}");
                assert_eq!(
                    (rig.office(3).0, rig.node(3).term().0),
                    (Role::Follower, term),
                    "{what}"
                );
                assert_eq!(rig.node(3).leader_hint(), Some(NodeId(1)), "{what}");
                assert_eq!(rig.node(3).vote().is_some(), term == 5 && role == Role::Candidate);
            }
            rig.tell(1, 3, 10, append((1, 1), &[2], 2, 1)).unwrap();
            assert_eq!(rig.node(3).halted(), None);
        }
    }
}

#[test]
fn t_5_1_10_what_no_leader_can_have_sent_is_refused_and_changes_nothing() {
    let mut rig = follower(&[1, 1, 2], 2);
    type Change = fn(&mut ReceivedSnapshot);
    let cases: [(Change, Rejected); 9] = [
        (|r| r.meta.position.term = Term(6), Rejected::Malformed),
        (|r| r.meta.position.index = LogIndex(0), Rejected::Malformed),
        (|r| r.meta.position = at(0, 0), Rejected::Malformed),
        (|r| r.meta.configuration_index = LogIndex(7), Rejected::Malformed),
        (|r| r.meta.configuration = Configuration::default(), Rejected::Malformed),
        (|r| r.meta.settings.heartbeat_ns = 0, Rejected::Malformed),
        (|r| r.meta.machine_id = 9, Rejected::WrongMachine),
        (|r| r.from = NodeId(3), Rejected::Malformed),
        (|r| r.from = NodeId(2), Rejected::Malformed),
    ];
    for (at, (change, why)) in cases.into_iter().enumerate() {
        let meta = image(4, 6).meta;
        let mut received =
            ReceivedSnapshot { stage: StageId(1), meta, from: NodeId(1), term: Term(5) };
        change(&mut received);
        assert_eq!(rig.step(3, Input::SnapshotReceived(Box::new(received))), Err(why), "case {at}");
    }
    for term in [0, u64::MAX] {
        let (meta, term) = (image(4, 6).meta, Term(term));
        let received = ReceivedSnapshot { stage: StageId(1), meta, from: NodeId(1), term };
        let refused = rig.step(3, Input::SnapshotReceived(Box::new(received)));
        assert_eq!(refused, Err(Rejected::Malformed));
    }
    assert_eq!((rig.at(3).writes.len(), rig.node(3).term().0), (1, 5));
}

#[test]
fn nothing_is_told_installed_or_compacted_before_the_write_that_publishes() {
    // B-055, T-5.1-02: one write holds snapshot, log and hard state.
    let mut rig = follower(&[1, 1, 2], 2);
    rig.at(3).slow_disk = true;
    rig.stage(3, image(4, 6), 1, 6).unwrap();
    rig.tell(1, 3, 6, append((4, 6), &[6], 6, 1)).unwrap();
    let write = rig.at(3).writes[1].clone();
    assert_eq!(write.hard_state().unwrap().term, Term(6));
    assert!(write.snapshot().is_some() && write.truncate_from().is_none());
    assert_eq!((rig.at(3).installs.len(), rig.sent_by(3).len()), (0, 0));
    rig.ack_nth(3, 0).unwrap();
    assert_eq!(rig.at(3).installs.len(), 1);
    assert_eq!(matches_told(&rig.sent_by(3)), [6]);
    rig.ack(3);
    assert_eq!(matches_told(&rig.sent_by(3)), [7]);
}

/// n3 with a slow disk and three open writes: entries 4 to 6 of a leader that is gone, a snapshot
/// of the next one that replaces them, and entries after it.
fn three_writes() -> Rig {
    let mut rig = follower(&[1, 1, 2], 2);
    rig.at(3).slow_disk = true;
    rig.tell(1, 3, 5, append((2, 3), &[5, 5, 5], 3, 2)).unwrap();
    rig.stage(3, image(4, 8), 2, 6).unwrap();
    rig.tell(2, 3, 6, append((4, 8), &[6, 6], 8, 1)).unwrap();
    assert_eq!(rig.at(3).open.len(), 3);
    rig
}

#[test]
fn every_order_of_acknowledgements_and_every_crash_keeps_what_was_told() {
    // T-5.1-02, B-058: what was told is on disk, in every prefix that a crash may leave.
    let orders = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]];
    let mut ends = std::collections::BTreeSet::new();
    for order in orders {
        for done in 0..=3 {
            for more in 0..=3 {
                let mut rig = three_writes();
                let acks: Vec<_> = rig.at(3).open.iter().map(|(write, _)| write.ack).collect();
                for which in &order[..done] {
                    let open = &rig.at(3).open;
                    let nth = open.iter().position(|(write, _)| write.ack == acks[*which]).unwrap();
                    rig.ack_nth(3, nth).unwrap();
                }
                let sent = rig.sent_by(3);
                let told = matches_told(&sent).into_iter().max().unwrap_or(0);
                let durable = rig.node(3).durable().0;
                rig.crash(3, more);
                rig.restart(3);
                let disk = &rig.at(3).disk;
                assert!(disk.last() >= told, "{order:?} {done} {more}: told {told}");
                assert!(disk.last() >= durable, "{order:?} {done} {more}: durable {durable}");
                assert!(rig.node(3).commit().0 >= if told >= 8 { 8 } else { 0 });
                let hard = rig.node(3).term().0;
                ends.insert((rig.log(3), rig.commit(3), hard));
                assert_eq!(rig.node(3).lifecycle(), raft_core::Lifecycle::Running);
            }
        }
    }
    // Exactly the four prefixes, and nothing between.
    let want = [
        (vec![1, 1, 2], 0, 5),
        (vec![1, 1, 2, 5, 5, 5], 0, 5),
        (vec![4], 8, 6),
        (vec![4, 6, 6], 8, 6),
    ];
    assert_eq!(ends.into_iter().collect::<Vec<_>>(), want);
}

#[test]
fn a_cut_after_a_publication_lowers_its_mark_and_never_below_it() {
    let mut rig = three_writes();
    // n1 is back with another entry 10, before any of it is durable.
    rig.tell(1, 3, 7, append((6, 9), &[7], 8, 1)).unwrap();
    assert_eq!(rig.log(3), [4, 6, 7]);
    rig.ack_nth(3, 0).unwrap();
    rig.ack_nth(3, 0).unwrap();
    assert_eq!(rig.node(3).durable().0, 8);
    rig.ack_nth(3, 0).unwrap();
    assert_eq!(rig.node(3).durable().0, 9, "the old entry 10 counts for nothing");
    rig.ack(3);
    assert_eq!((rig.node(3).durable().0, rig.at(3).disk.last()), (10, 10));
}

#[test]
fn a_second_snapshot_may_come_at_every_stage_of_the_first() {
    // While it waits for its write it is not replaced; later the newer one follows it.
    for acked in [false, true] {
        for executed in [false, true] {
            let mut rig = follower(&[1, 1, 2], 2);
            rig.at(3).slow_disk = true;
            rig.at(3).slow_apply = true;
            rig.stage(3, image(4, 8), 1, 5).unwrap();
            if acked {
                rig.ack(3);
                if executed {
                    let input = rig.execute_next(3).unwrap();
                    rig.step(3, input).unwrap();
                }
            }
            rig.stage(3, image(5, 12), 1, 5).unwrap();
            assert_eq!(rig.at(3).discards.len(), 0);
            rig.ack(3);
            let installs: Vec<u64> = rig.at(3).installs.iter().map(|m| m.index().0).collect();
            assert_eq!(installs.last(), Some(&12));
            while !rig.at(3).lane.is_empty() {
                if let Some(input) = rig.execute_next(3) {
                    rig.step(3, input).unwrap();
                }
            }
            assert_eq!((rig.node(3).applied().0, rig.at(3).machine.hash), (12, 1_012));
            assert_eq!(rig.node(3).snapshot().unwrap().index().0, 12);
        }
    }
    // Two before any settle: the second is thrown away, and the leader hears how far we are.
    let mut rig = follower(&[1, 1, 2], 2);
    for (stage, image) in [(91, image(4, 8)), (92, image(5, 12))] {
        rig.at(3).disk.stages.insert(stage, image.clone());
        let received = ReceivedSnapshot {
            stage: StageId(stage),
            meta: image.meta,
            from: NodeId(1),
            term: Term(5),
        };
        rig.step_only(3, Input::SnapshotReceived(Box::new(received))).unwrap();
    }
    rig.drain(3);
    assert_eq!((rig.at(3).discards.clone(), rig.commit(3)), (vec![StageId(92)], 8));
}

#[test]
fn b_053_an_older_apply_that_ends_after_an_install_moves_nothing_back() {
    let mut rig = follower(&[1, 1, 2], 0);
    rig.at(3).slow_apply = true;
    rig.tell(1, 3, 5, append((2, 3), &[], 3, 2)).unwrap();
    rig.stage(3, image(4, 8), 1, 5).unwrap();
    assert_eq!(rig.at(3).lane.len(), 2 + 1, "two applies (one a term), then the install");
    rig.step(3, Input::Applied(LogIndex(2))).unwrap();
    assert_eq!(rig.node(3).applied().0, 0, "ignored: an install is under way");
    rig.step(3, Input::Applied(LogIndex(8))).unwrap();
    rig.step(3, Input::Applied(LogIndex(3))).unwrap();
    assert_eq!((rig.node(3).applied().0, rig.at(3).machine.hash), (8, 1_008));
    assert_eq!(rig.step(3, Input::Applied(LogIndex(9))), Err(Rejected::AppliedTooFar));
}

#[test]
fn an_open_read_for_apply_is_overtaken_by_a_snapshot() {
    let mut rig = Rig::new(3);
    rig.begin(3, 5, None, &[1, 1, 2, 2]);
    rig.at(3).slow_reads = true;
    rig.tell(1, 3, 5, append((2, 4), &[], 4, 1)).unwrap();
    let ask = rig.at(3).fetches[0];
    let entries = rig.entries_on_disk(3, ask);
    rig.stage(3, image(4, 8), 1, 5).unwrap();
    let late = rig.step(3, Input::EntriesRead { id: ask.id, entries });
    assert_eq!((late, rig.node(3).applied().0), (Err(Rejected::Stale), 8));
}

#[test]
fn proposals_that_a_snapshot_covers_end_as_unknown() {
    // 2.1.6: nobody here can say any more how they ended.
    let mut rig = led();
    let first = rig.propose(1, "a");
    let _second = rig.propose(1, "b");
    let third = rig.propose(1, "c");
    rig.lose_all();
    rig.stage(1, image(1, 3), 2, 4).unwrap();
    let unknown = Outcome::Unknown(UnknownReason::CoveredBySnapshot);
    assert_eq!(rig.at(1).ends, [(first, 2, unknown)]);
    // The third is above it and stays in the log: it may still be committed.
    rig.tell(2, 1, 4, append((1, 4), &[4], 5, 1)).unwrap();
    assert_eq!(rig.applied(1).last(), Some(&(5, None)));
    assert!(rig.applied(1).contains(&(4, Some(third.0))));
    assert_eq!(rig.at(1).ends.len(), 1);
}

#[test]
fn d_r4_configuration_settings_and_clock_are_the_snapshots() {
    // D-R4, B-049: an uncommitted configuration that the snapshot purged is in force no more.
    let mut rig = follower(&[1, 1, 2], 2);
    let mut lost = append((2, 3), &[5], 2, 2);
    if let Message::AppendEntries(append) = &mut lost {
        let kind = raft_core::EntryKind::CONFIGURATION;
        let entry = raft_core::Entry { kind, payload: voters(5).encode(), ..Default::default() };
        append.entries = raft_core::Entries::collect([(at(5, 4), entry)]).unwrap();
    }
    rig.tell(1, 3, 5, lost).unwrap();
    assert_eq!(rig.node(3).status().configuration, voters(5));
    let mut image = image(6, 8);
    image.meta.configuration = voters(4);
    image.meta.configuration_index = LogIndex(3);
    image.meta.settings.version = 2;
    image.meta.settings.heartbeat_ns = 33 * MS;
    rig.stage(3, image, 2, 6).unwrap();
    assert_eq!(rig.node(3).status().configuration, voters(4));
    let told = rig.at(3).configs.last().unwrap().clone();
    assert_eq!((told.configuration, told.index.0, told.committed), (voters(4), 3, true));
    assert_eq!(rig.node(3).options().heartbeat_ns, 33 * MS);
    // It leads, and still runs by them; a restart changes nothing.
    rig.crash(3, 9);
    rig.restart(3);
    assert_eq!(rig.node(3).options().heartbeat_ns, 33 * MS);
    rig.expire(3);
    for from in [1, 2] {
        rig.tell(from, 3, 7, vote(true)).unwrap();
    }
    assert_eq!((rig.office(3).0, rig.node(3).options().heartbeat_ns), (Role::Leader, 33 * MS));
    let stamp = rig.node(3).entries_from(LogIndex(9)).next().unwrap().1.stamp;
    assert!(stamp >= 80, "the replicated clock never goes back: {stamp}");
}

#[test]
fn b_050_a_configuration_above_the_snapshot_stays_in_force() {
    let mut rig = follower(&[1, 1, 2], 1);
    let mut newer = append((2, 3), &[5], 1, 2);
    if let Message::AppendEntries(append) = &mut newer {
        let kind = raft_core::EntryKind::CONFIGURATION;
        let entry = raft_core::Entry { kind, payload: voters(5).encode(), ..Default::default() };
        append.entries = raft_core::Entries::collect([(at(5, 4), entry)]).unwrap();
    }
    rig.tell(1, 3, 5, newer).unwrap();
    rig.stage(3, image(2, 3), 1, 5).unwrap();
    assert_eq!((rig.log(3), rig.commit(3)), (vec![1, 1, 2, 5], 3));
    assert_eq!(rig.node(3).status().configuration, voters(5));
    // Cut off, the snapshot's is in force again.
    rig.tell(2, 3, 6, append((2, 3), &[6], 3, 1)).unwrap();
    assert_eq!(rig.node(3).status().configuration, voters(3));
}

#[test]
fn a_group_without_snapshot_takes_a_blank_learner_in() {
    // Its log begins with the configuration the disks were born with: only that is sent ahead.
    let mut rig = Rig::new(3);
    let four = rig.add_blank();
    let with_learner = Configuration::from_parts(ConfigurationParts {
        voters: (1..=3).map(NodeId).collect(),
        learners: vec![NodeId(four)],
        ..Default::default()
    })
    .unwrap();
    rig.voters = with_learner.clone();
    for id in 1..=3 {
        rig.restart(id);
    }
    rig.at(four).slow_disk = true;
    rig.elect_among(1, &[1, 2, 3]);
    rig.propose(1, "x");
    rig.run(60 * MS);
    rig.ack(four);
    rig.run(60 * MS);
    let meta = rig.at(four).writes.iter().find_map(|w| w.snapshot().cloned()).unwrap();
    assert_eq!(
        (meta.stage, meta.meta.position, meta.meta.configuration),
        (None, at(0, 0), with_learner.clone())
    );
    let peer = |rig: &Rig| rig.node(1).peers().find(|p| p.peer.0 == four).unwrap();
    assert_eq!(peer(&rig).state, ProgressState::Snapshot, "durable before it is told");
    rig.crash(four, 0);
    rig.restart(four);
    rig.run(60 * MS);
    assert!(rig.node(four).status().configuration.is_blank() || !rig.at(four).open.is_empty());
    rig.ack(four);
    rig.at(four).slow_disk = false;
    rig.run(200 * MS);
    assert_eq!((peer(&rig).state, rig.commit(four)), (ProgressState::Replicate, rig.commit(1)));
    assert_eq!(rig.servers[3].machine, rig.servers[0].machine);
    assert_eq!(rig.at(four).installs.len(), 0, "there is nothing to install");
    assert_eq!(rig.at(four).configs.last().unwrap().configuration, with_learner);
    rig.crash(four, 0);
    rig.restart(four);
    assert_eq!(rig.node(four).status().configuration, with_learner);
}

#[test]
fn a_blank_learner_of_a_compacted_group_gets_its_snapshot() {
    let mut options = plain();
    options.snapshot_entries = 3;
    options.snapshot_keep_entries = 0;
    options.retained_entries_max = 0;
    let mut rig = Rig::with(3, options);
    let four = rig.add_blank();
    rig.voters = Configuration::from_parts(ConfigurationParts {
        voters: (1..=3).map(NodeId).collect(),
        learners: vec![NodeId(four)],
        ..Default::default()
    })
    .unwrap();
    for id in 1..=3 {
        rig.restart(id);
    }
    rig.at(four).up = false;
    rig.elect_among(1, &[1, 2, 3]);
    for _ in 0..7 {
        rig.propose(1, "x");
        rig.run(10 * MS);
    }
    rig.at(four).up = true;
    rig.run(2_000 * MS);
    assert_eq!(rig.at(four).installs.len(), 1);
    assert_eq!(rig.servers[3].machine, rig.servers[0].machine);
}

#[test]
fn a_witness_keeps_descriptions_only() {
    // S-84: its own snapshots have no data, and it is sent none.
    let mut rig = Rig::with(
        3,
        with(|o| {
            *o = plain();
            o.snapshot_entries = 3;
            o.snapshot_keep_entries = 0;
            o.retained_entries_max = 0;
        }),
    );
    rig.voters = Configuration::from_parts(ConfigurationParts {
        voters: (1..=3).map(NodeId).collect(),
        witnesses: vec![NodeId(3)],
        ..Default::default()
    })
    .unwrap();
    for id in 1..=3 {
        rig.restart(id);
    }
    rig.elect_among(1, &[1, 2]);
    for _ in 0..7 {
        rig.propose(1, "x");
        rig.deliver_among(&[1, 2]);
    }
    assert_eq!(rig.node(1).log_base().index.0, 6);
    rig.run(200 * MS);
    assert_eq!((rig.at(1).sends.len(), rig.commit(3)), (0, 8));
    let published = rig.at(3).writes.iter().filter_map(|w| w.snapshot().cloned()).next().unwrap();
    assert_eq!(
        (published.stage, published.meta.size_bytes, published.meta.index().0),
        (None, 0, 6)
    );
    for _ in 0..4 {
        rig.propose(1, "x");
        rig.run(10 * MS);
    }
    assert_eq!(rig.at(3).asked_takes.len(), 0);
    assert!(rig.node(3).snapshot().unwrap().index().0 >= 9);
    assert_eq!(rig.node(3).log_base(), rig.node(3).snapshot().unwrap().position);
}

#[test]
fn a_description_that_claims_data_is_refused() {
    let mut rig = follower(&[1, 1, 2], 2);
    let install = InstallMeta { meta: Box::new(image(4, 6).meta), round: 2 };
    let refused = rig.tell(1, 3, 5, Message::InstallMeta(install));
    assert_eq!(refused, Err(Rejected::Malformed));
    let mut meta = image(4, 6).meta;
    meta.size_bytes = 0;
    let install = |meta| Message::InstallMeta(InstallMeta { meta: Box::new(meta), round: 2 });
    // Of an older term it is answered with ours.
    rig.tell(1, 3, 4, install(image(4, 6).meta)).unwrap();
    assert_eq!(rig.only_reply(3), stale_term());
    rig.tell(1, 3, 5, install(meta)).unwrap();
    assert_eq!((matches_told(&rig.sent_by(3)), rig.commit(3)), (vec![2, 6], 6));
}

#[test]
fn a_young_group_takes_no_snapshot() {
    // With the default policy.
    let mut rig = Rig::with(3, Options::default());
    rig.elect(1);
    for _ in 0..50 {
        rig.propose(1, "x");
        rig.deliver_all();
    }
    assert!(rig.servers.iter().all(|s| s.asked_takes.is_empty() && s.compactions.is_empty()));
}
