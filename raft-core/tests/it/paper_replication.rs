//! The thesis's rules on replication and commit (§3.5, §3.6).
//!
//! **Intuition.** Set up, act, check. Logs are written as the terms of their entries.
//! **Source.** Ongaro, *Consensus: Bridging Theory and Practice* (2014).
//! **Upholds.** `inv:log-matching`, `inv:committed-durable`, `inv:leader-completeness`.
//! **Not here.** Elections (`paper_election.rs`), disks and batches (`paper_durability.rs`).

use raft_core::{AppendResult, Input, LogIndex, Message, Rejected, Role};

use crate::rig::*;

#[test]
fn t_3_5_01_a_command_becomes_an_entry_sent_to_all() {
    let mut rig = led();
    rig.at(1).slow_disk = true;
    rig.propose(1, "x");
    let write = rig.at(1).writes.last().unwrap().entries.last();
    assert_eq!(write, Some(at(1, 2)));
    let sent = rig.take(is_append);
    assert_eq!(sent.iter().map(|e| e.to.0).collect::<Vec<_>>(), [2, 3]);
    assert!(sent.iter().all(|e| as_append(&e.message).entries.last() == Some(at(1, 2))));
}

#[test]
fn t_3_5_03_success_is_told_by_apply_alone() {
    let mut rig = led();
    let ticket = rig.propose(1, "x");
    assert!(rig.applied(1).iter().all(|(_, t)| t.is_none()), "not committed: not applied");
    rig.deliver_all();
    assert_eq!(rig.applied(1), [(1, None), (2, Some(ticket.0))]);
    assert_eq!(rig.at(1).ends, []);
    assert!(rig.applied(2).iter().all(|(_, t)| t.is_none()), "followers hold no tickets");
}

#[test]
fn t_3_5_04_a_peer_that_was_away_is_brought_up() {
    let mut rig = led();
    rig.propose(1, "x");
    rig.deliver_among(&[1, 2]);
    assert_eq!((rig.commit(1), rig.log(3).len()), (2, 1));
    rig.run(200 * MS);
    assert_eq!((rig.log(3), rig.commit(3)), (vec![1, 1], 2));
}

#[test]
fn t_3_5_05_an_append_says_what_it_follows() {
    let mut rig = Rig::new(3);
    rig.begin(1, 3, None, &[1, 1, 3, 3]);
    rig.elect(1);
    rig.lose_all();
    rig.propose(1, "x");
    let first = rig.take(is_append).remove(0);
    assert_eq!((first.from.0, first.term.0), (1, 4));
    let append = as_append(&first.message);
    assert_eq!((append.previous, append.commit), (at(4, 5), LogIndex(5)));
    let mut rig = Rig::new(3);
    rig.expire(1);
    rig.deliver(is_request);
    rig.deliver(|_| true);
    assert!(rig.take(is_append).iter().all(|e| as_append(&e.message).previous == at(0, 0)));
}

#[test]
fn t_3_5_06_an_append_after_nothing_known_is_refused() {
    for (log, previous) in [(&[1, 1][..], (2, 3)), (&[1, 1], (2, 2)), (&[], (1, 1)), (&[2], (1, 1))]
    {
        let mut rig = Rig::new(3);
        rig.begin(1, 3, None, log);
        rig.tell(2, 1, 3, append(previous, &[3], 9, 1)).unwrap();
        let reply = as_reply(&rig.only_reply(1));
        assert!(matches!(reply.result, AppendResult::Refused { previous: p, hint }
            if p.0 == previous.1 && hint.index.0 <= previous.1 && hint.term.0 <= previous.0));
        assert_eq!((rig.log(1), rig.commit(1)), (log.to_vec(), 0));
        rig.tell(2, 1, 3, append((0, 0), &[], 0, 2)).unwrap();
        assert_eq!(rig.only_reply(1), matched(0, 2), "position 0 always matches");
    }
}

#[test]
fn t_3_5_07_a_conflict_removes_itself_and_all_after_it() {
    let mut rig = Rig::new(3);
    rig.begin(1, 3, None, &[1, 1, 2, 2]);
    rig.tell(2, 1, 3, append((1, 2), &[3], 0, 1)).unwrap();
    assert_eq!(rig.log(1), [1, 1, 3]);
    assert_eq!(rig.at(1).disk.log.len(), 3);
    let cut = rig.at(1).writes.last().unwrap().truncate_from();
    assert_eq!(cut, Some(LogIndex(3)));
}

#[test]
fn t_3_5_08_an_old_append_never_cuts_a_matching_tail() {
    // B-022, D-T5.
    let mut rig = Rig::new(3);
    rig.tell(2, 1, 1, append((0, 0), &[1; 10], 0, 1)).unwrap();
    for old in [append((1, 2), &[1, 1, 1], 0, 1), append((1, 2), &[], 0, 1)] {
        rig.tell(2, 1, 1, old).unwrap();
        assert_eq!(rig.log(1), [1; 10]);
    }
    assert_eq!(rig.at(1).writes.len(), 1, "nothing was written for it");
}

#[test]
fn t_3_5_09_commit_stops_at_what_this_leader_verified() {
    // B-024, D-R1: an unverified tail stays uncommitted. B-025: commit never falls.
    let mut rig = Rig::new(3);
    rig.begin(1, 3, None, &[1, 1, 1, 1, 1, 2, 2, 2, 2]);
    rig.tell(2, 1, 3, append((1, 5), &[], 9, 1)).unwrap();
    assert_eq!(rig.commit(1), 5);
    rig.tell(2, 1, 3, append((1, 4), &[], 4, 2)).unwrap();
    assert_eq!(rig.commit(1), 5);
}

#[test]
fn t_3_5_10_success_names_what_was_verified() {
    // B-023: a longer tail than what was sent is not acknowledged.
    let mut rig = Rig::new(3);
    rig.begin(1, 3, None, &[1, 1, 1, 2, 2, 2]);
    rig.tell(2, 1, 3, append((1, 1), &[1], 0, 1)).unwrap();
    assert_eq!(rig.only_reply(1), matched(2, 1));
}

#[test]
fn t_3_5_11_a_reign_starts_with_next_after_the_log_and_no_match() {
    let mut rig = Rig::new(3);
    rig.begin(1, 2, None, &[1, 1, 1, 2, 2, 2, 2]);
    rig.expire(1);
    rig.tell(2, 1, 3, vote(true)).unwrap();
    assert_eq!([rig.progress(1, 2), rig.progress(1, 3)], [(0, 8), (0, 8)]);
}

#[test]
fn t_3_5_12_match_only_rises() {
    // B-026, B-027, D-W11.
    let mut rig = led();
    for _ in 0..5 {
        rig.propose(1, "x");
    }
    rig.lose_all();
    for (ack, want) in [(5, 5), (3, 5), (6, 6), (5, 6)] {
        rig.tell(2, 1, 1, matched(ack, 0)).unwrap();
        assert_eq!(rig.progress(1, 2).0, want);
        assert!(rig.progress(1, 2).1 > want);
    }
}

#[test]
fn t_3_5_13_a_late_refusal_is_ignored() {
    // B-028: also "a rejection below match is stale".
    let mut rig = led();
    rig.propose(1, "x");
    rig.deliver_all();
    let before = rig.progress(1, 2);
    rig.tell(2, 1, 1, refused(1, (0, 0), 1)).unwrap();
    rig.tell(2, 1, 1, refused(2, (1, 1), 1)).unwrap();
    assert_eq!(rig.progress(1, 2), before);
}

#[test]
fn t_3_5_14_every_log_of_figure_3_6_becomes_the_leaders() {
    // B-031, D-T9: at most one refusal for each conflicting term.
    let leader = [1, 1, 1, 4, 4, 5, 5, 6, 6, 6];
    let followers: [&[u64]; 6] = [
        &[1, 1, 1, 4, 4, 5, 5, 6, 6],
        &[1, 1, 1, 4],
        &[1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 6],
        &[1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 7, 7],
        &[1, 1, 1, 4, 4, 4, 4],
        &[1, 1, 1, 2, 2, 2, 3, 3, 3, 3, 3],
    ];
    for log in followers {
        let mut rig = Rig::new(3);
        rig.begin(1, 7, None, &leader);
        rig.begin(2, 7, None, log);
        rig.begin(3, 7, None, &leader);
        rig.expire(1);
        rig.deliver_among(&[1, 3]);
        rig.tick(1);
        let mut refusals = 0;
        while !rig.net.is_empty() {
            let no = |e: &&raft_core::Envelope| {
                matches!(&e.message, Message::AppendReply(r)
                if matches!(r.result, AppendResult::Refused { .. }))
            };
            refusals += rig.net.iter().filter(no).count();
            rig.deliver(|_| true);
        }
        let terms = log.iter().collect::<std::collections::BTreeSet<_>>().len();
        assert!(refusals <= terms, "{refusals} refusals for {log:?}");
        assert_eq!(rig.log(2), rig.log(1), "{log:?}");
        assert_eq!(rig.log(1), [&leader[..], &[8]].concat(), "the leader's own log only grew");
    }
}

#[test]
fn t_3_5_15_one_probe_until_the_match_is_known() {
    let mut rig = Rig::new(3);
    rig.expire(1);
    rig.tell(2, 1, 1, vote(true)).unwrap();
    for _ in 0..3 {
        rig.propose(1, "x");
    }
    let probes = rig.take(|e| is_append(e) && e.to.0 == 2);
    assert_eq!(probes.len(), 1);
    assert_eq!(as_append(&probes[0].message).entries.len(), 1);
    rig.tell(2, 1, 1, matched(1, 1)).unwrap();
    let flow = rig.take(|e| is_append(e) && e.to.0 == 2);
    assert_eq!(flow.iter().map(|e| as_append(&e.message).entries.len()).sum::<u64>(), 3);
}

#[test]
fn t_3_5_16_commit_is_what_a_majority_holds() {
    // B-039; n2 and n3 silent do not hinder five.
    for n in [1, 2, 3, 4, 5, 7] {
        for code in 0..3_u64.pow(n as u32 - 1).min(243) {
            let mut rig = Rig::new(n);
            rig.expire(1);
            for voter in 2..=n {
                let _late = rig.tell(voter, 1, 1, vote(true));
            }
            rig.propose(1, "x");
            let matches: Vec<u64> = (0..n as u32 - 1).map(|i| code / 3_u64.pow(i) % 3).collect();
            for (peer, ack) in (2..).zip(&matches) {
                rig.tell(peer, 1, 1, matched(*ack, 0)).unwrap();
            }
            let all: Vec<u64> = matches.iter().copied().chain([2]).collect();
            let half = n as usize / 2;
            let holds = |v: &u64| all.iter().filter(|m| *m >= v).count() > half;
            assert_eq!(rig.commit(1), (0..=2).rev().find(holds).unwrap(), "{all:?}");
        }
    }
}

#[test]
fn t_3_5_17_heartbeats_carry_the_commit_index() {
    let mut rig = Rig::with(3, with(|o| o.pre_vote = false));
    rig.elect(1);
    rig.propose(1, "x");
    rig.deliver_all();
    assert_eq!((rig.commit(1), rig.commit(2)), (2, 1), "the notice waits for something to ride on");
    rig.run(60 * MS);
    assert_eq!((rig.commit(2), rig.commit(3)), (2, 2));
}

#[test]
fn t_3_5_18_applies_are_contiguous_and_windowed() {
    let options = with(|o| {
        o.pre_vote = false;
        o.apply_inflight_entries_max = 3;
    });
    let mut rig = Rig::with(1, options);
    rig.expire(1);
    rig.at(1).slow_apply = true;
    for _ in 0..7 {
        rig.propose(1, "x");
    }
    for (done, handed) in [(2, 5), (2, 5), (3, 6), (6, 8)] {
        let _told = rig.step(1, Input::Applied(LogIndex(done)));
        let indexes: Vec<u64> = rig.applied(1).iter().map(|(index, _)| *index).collect();
        let want: Vec<u64> = (1..=handed).collect();
        assert_eq!(indexes, want, "applied {done}");
    }
    assert_eq!(rig.step(1, Input::Applied(LogIndex(9))), Err(Rejected::AppliedTooFar));
}

#[test]
fn t_3_5_19_one_entry_a_message_is_enough() {
    let options = with(|o| {
        o.append_entries_max = 1;
        o.inflight_messages_max = 1;
    });
    let mut rig = Rig::with(3, options);
    rig.begin(1, 3, None, &[1, 1, 2, 3, 3]);
    rig.elect(1);
    for _ in 0..5 {
        rig.propose(1, "x");
    }
    rig.run(100 * MS);
    assert_eq!((rig.log(2), rig.commit(3)), (rig.log(1), 11));
}

/// Fig. 3.7 at (c): S1 leads term 4, the entry of term 2 is on a majority.
fn figure_3_7_c() -> Rig {
    let mut rig = Rig::new(5);
    rig.begin(1, 3, None, &[1, 2]);
    rig.begin(2, 3, None, &[1, 2]);
    for id in [3, 4] {
        rig.begin(id, 3, None, &[1]);
    }
    rig.begin(5, 3, None, &[1, 3]);
    rig.expire(1);
    rig.deliver(is_request);
    rig.deliver(|e| e.to.0 == 1 && [2, 3, 4].contains(&e.from.0));
    assert_eq!(rig.office(1), (Role::Leader, 4, Some(1)));
    rig.lose_all();
    rig.tell(2, 1, 4, matched(2, 1)).unwrap();
    rig.tell(3, 1, 4, refused(2, (1, 1), 1)).unwrap();
    rig.lose_all();
    // S3 takes the entry of term 2, and no more.
    rig.tell(1, 3, 4, append((1, 1), &[2], 0, 1)).unwrap();
    rig.deliver(|e| e.from.0 == 3);
    rig.lose_all();
    assert_eq!((rig.log(1), rig.log(3), rig.progress(1, 3).0), (vec![1, 2, 4], vec![1, 2], 2));
    rig
}

#[test]
fn t_3_6_2_01_an_old_entry_on_a_majority_is_not_committed() {
    // B-037.
    let mut rig = figure_3_7_c();
    assert_eq!(rig.commit(1), 0);
    rig.tell(4, 1, 4, matched(2, 1)).unwrap();
    assert_eq!(rig.commit(1), 0, "four of five hold it, still not");
}

#[test]
fn t_3_6_2_02_an_own_entry_commits_all_before_it() {
    // B-038.
    let mut rig = figure_3_7_c();
    rig.tell(2, 1, 4, matched(3, 1)).unwrap();
    assert_eq!(rig.commit(1), 0);
    rig.tell(3, 1, 4, matched(3, 1)).unwrap();
    assert_eq!(rig.commit(1), 3);
}

#[test]
fn t_3_6_2_03_an_old_entry_on_a_majority_may_be_overwritten() {
    let mut rig = figure_3_7_c();
    rig.crash(1, 0);
    while rig.office(5).0 != Role::Leader {
        rig.expire(5);
        rig.deliver_among(&[2, 3, 4, 5]);
    }
    for id in [2, 3, 4] {
        assert_eq!(rig.log(id), rig.log(5));
    }
    assert_eq!(rig.log(5)[..2], [1, 3]);
    rig.restart(1);
    rig.run(200 * MS);
    assert_eq!((rig.log(1), rig.commit(1)), (rig.log(5), rig.commit(5)));
}

#[test]
fn t_3_6_2_04_entries_keep_their_term() {
    let mut rig = Rig::new(3);
    rig.begin(1, 4, None, &[1, 2]);
    rig.elect(1);
    assert_eq!(rig.log(2), [1, 2, 5]);
}

#[test]
fn t_3_6_3_01_a_log_with_falling_terms_is_refused() {
    let mut rig = Rig::new(3);
    rig.begin(1, 5, None, &[3]);
    assert_eq!(rig.tell(2, 1, 5, append((3, 1), &[2], 0, 1)), Err(Rejected::Malformed));
    assert_eq!(rig.tell(2, 1, 5, append((3, 1), &[6], 0, 1)), Err(Rejected::Malformed));
    rig.at(1).disk.hard.term.0 = 2;
    assert!(rig.try_restart(1).is_err(), "no entry is of a later term than the disk's");
}
