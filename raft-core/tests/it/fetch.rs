//! Entries read back from disk: asked for once, believed only if they fit, asked again if lost.
//!
//! **Intuition.** The store may be busy, broken, slow, wrong, or never have heard the question.
//! **Source.** docs/CONTRACT.md, entries on demand; B-033.
//! **Upholds.** `inv:log-matching`, `inv:lane-order`.
//! **Not here.** The rest of the contract (`contract.rs`).

use raft_core::{FetchFailure, HaltReason, Input, LogIndex, Rejected};

use crate::rig::*;

/// n1 leads with a long log on disk that n2 lacks, and reads it back by hand.
fn fetching() -> Rig {
    let mut rig = Rig::new(3);
    rig.begin(1, 2, None, &[1, 1, 1, 2, 2]);
    rig.at(1).slow_reads = true;
    rig.expire(1);
    rig.tell(3, 1, 3, vote(true)).unwrap();
    rig.lose_all();
    rig.tell(2, 1, 3, refused(5, (0, 0), 1)).unwrap();
    rig.tell(2, 1, 3, matched(0, 1)).unwrap();
    rig.lose_all();
    let ask = rig.at(1).fetches[0];
    assert_eq!((ask.first.0, ask.last.0, rig.at(1).fetches.len()), (1, 5, 1));
    rig
}

#[test]
fn a_read_entry_travels_on_and_a_busy_store_is_asked_later() {
    let mut rig = fetching();
    let ask = rig.at(1).fetches[0];
    rig.fail_read(1, ask, FetchFailure::Busy);
    assert_eq!(rig.at(1).fetches.len(), 1);
    rig.tick(1);
    assert_eq!(rig.at(1).fetches.len(), 2);
    let again = rig.at(1).fetches[1];
    rig.lose_all();
    let entries = rig.entries_on_disk(1, again);
    rig.step(1, Input::EntriesRead { id: again.id, entries }).unwrap();
    let sent = rig.take(|e| is_append(e) && e.to.0 == 2);
    assert_eq!(as_append(&sent[0].message).entries.first(), Some(LogIndex(1)));
    assert_eq!(rig.progress(1, 2).1, 7, "what was read and what is in memory");
    // An answer to a closed request is stale.
    let late = Input::EntriesReadFailed { id: ask.id, failure: FetchFailure::Broken };
    assert_eq!(rig.step(1, late), Err(Rejected::Stale));
}

#[test]
fn a_lost_request_for_entries_is_asked_again_under_its_id() {
    // Found by reading: outputs may be lost, and this one was waited for without end.
    let mut rig = fetching();
    let ask = rig.at(1).fetches[0];
    rig.pass(rig.options.election_max_ns);
    rig.tell(2, 1, 3, matched(0, 1)).unwrap(); // else it counts as silent, and nothing is read
    rig.step(1, Input::Tick).unwrap();
    assert_eq!(rig.at(1).fetches[1], ask);
    let entries = rig.entries_on_disk(1, ask);
    rig.step(1, Input::EntriesRead { id: ask.id, entries: entries.clone() }).unwrap();
    let twice = Input::EntriesRead { id: ask.id, entries };
    assert_eq!(rig.step(1, twice), Err(Rejected::Stale), "both answers came");
}

#[test]
fn a_busy_store_that_is_no_longer_needed_leaves_no_deadline_behind() {
    // Found by reading: the deadline stayed in the past and a driver span on it.
    let mut rig = fetching();
    let ask = rig.at(1).fetches[0];
    rig.fail_read(1, ask, FetchFailure::Busy);
    rig.tell(2, 1, 3, matched(6, 1)).unwrap();
    for _ in 0..5 {
        rig.tick(1);
        assert!(rig.node(1).deadline().unwrap() > rig.now);
    }
}

#[test]
fn entries_overtaken_by_an_acknowledgement_are_not_sent() {
    // Found by reading: they went out after the wrong position and pulled next below match.
    let mut rig = fetching();
    let ask = rig.at(1).fetches[0];
    let entries = rig.entries_on_disk(1, ask);
    rig.step_only(1, Input::EntriesRead { id: ask.id, entries }).unwrap();
    let ack = envelope(2, 1, 3, matched(3, 1));
    rig.step_only(1, Input::Receive(Box::new(ack))).unwrap();
    rig.drain(1);
    for sent in rig.take(is_append) {
        let append = as_append(&sent.message);
        let follows = append.entries.first().is_none_or(|i| i == append.previous.index.next());
        assert!(follows, "{append:?}");
    }
    assert!(rig.progress(1, 2).1 > 3);
}

#[test]
fn a_store_that_gives_back_something_else_halts_the_node() {
    let mut rig = fetching();
    let ask = rig.at(1).fetches[0];
    let input = Input::EntriesRead { id: ask.id, entries: entries(0, &[1, 1, 2, 2, 2]) };
    rig.step(1, input).unwrap();
    assert!(matches!(rig.at(1).halted, Some(HaltReason::ReadMismatch { .. })));
    let mut rig = fetching();
    let ask = rig.at(1).fetches[0];
    rig.fail_read(1, ask, FetchFailure::Broken);
    assert_eq!(rig.at(1).halted, Some(HaltReason::ReadBroken));
}

#[test]
fn a_cut_closes_the_requests_it_touches() {
    let mut rig = fetching();
    let ask = rig.at(1).fetches[0];
    let entries = rig.entries_on_disk(1, ask);
    rig.tell(3, 1, 9, append((1, 3), &[9], 0, 1)).unwrap();
    assert_eq!(rig.log(1), [1, 1, 1, 9]);
    let late = Input::EntriesRead { id: ask.id, entries };
    assert_eq!(rig.step(1, late), Err(Rejected::Stale));
    assert_eq!(rig.node(1).halted(), None);
}

#[test]
fn t_3_8_05_a_restarted_machine_gets_every_entry_again_in_order() {
    // The entries come back from disk, in any portions.
    let options = with(|o| {
        o.pre_vote = false;
        o.apply_inflight_bytes_max = 7;
    });
    let mut rig = Rig::with(3, options);
    rig.begin(1, 2, None, &[1, 1, 1, 2, 2]);
    rig.tell(2, 1, 2, append((2, 5), &[2], 6, 1)).unwrap();
    let indexes: Vec<u64> = rig.applied(1).iter().map(|(index, _)| *index).collect();
    assert_eq!(indexes, [1, 2, 3, 4, 5, 6]);
    assert!(rig.at(1).fetches.len() > 1);
    assert_eq!(rig.node(1).applied().0, 6);
}
