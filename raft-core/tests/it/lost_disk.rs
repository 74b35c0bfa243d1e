//! Disks that lost what they had acknowledged, and disks that only look like it.
//!
//! **Intuition.** The hard state names a position that was durable when it was written. A log that
//! ends below it cannot come from a crash; one that was cut or replaced since says so itself.
//! **Source.** SEEDS 2.12.6; D-W10, D-W12.
//! **Upholds.** `inv:one-vote-per-term`, `inv:committed-durable`.
//! **Not here.** Other impossible disks (`contract.rs`, `storage/recover.rs`).

use raft_core::{Input, Rejected, Role, Term};

use crate::{
    rig::*,
    snapshots_in::{follower, image},
};

#[test]
fn d_w12_a_disk_that_lost_what_it_acknowledged_is_quarantined_for_ever() {
    // 2.12.6, D-W10, S-16: no votes, no acknowledgements, no campaign, whatever a leader sends.
    let mut rig = Rig::new(3);
    rig.tell(1, 3, 5, append((0, 0), &[1, 1, 2, 5], 0, 1)).unwrap();
    rig.tell(1, 3, 6, append((2, 3), &[], 0, 1)).unwrap();
    assert_eq!(rig.at(3).disk.hard.mark, at(5, 4));
    rig.lose_all();
    let whole = rig.at(3).disk.clone();
    for lose in 0..2 {
        rig.at(3).disk = whole.clone();
        rig.crash(3, 0);
        match lose {
            0 => drop(rig.at(3).disk.log.pop()),
            _ => rig.at(3).disk.log[3].0.term = Term(4),
        }
        for _boot in 0..2 {
            rig.restart(3);
            assert_eq!(rig.node(3).lifecycle(), raft_core::Lifecycle::Quarantined);
            rig.pass(10_000 * MS);
            rig.step(3, Input::Tick).unwrap();
            for message in
                [request_vote(6, 9), append((2, 3), &[], 0, 1), pre_vote(1, 1, 7, (6, 9))]
            {
                assert_eq!(rig.tell(1, 3, 7, message), Err(Rejected::Quarantined));
            }
            assert_eq!(rig.stage(3, image(5, 9), 1, 7), Err(Rejected::Quarantined));
            assert_eq!((rig.net.len(), rig.office(3)), (0, (Role::Follower, 6, None)));
            rig.crash(3, 0);
        }
    }
    // A disk that only was cut, or is covered by a snapshot, lost nothing.
    rig.at(3).disk = whole;
    rig.restart(3);
    rig.tell(2, 3, 7, append((1, 2), &[7], 0, 1)).unwrap();
    assert!(rig.at(3).disk.hard.mark.index.0 < 3, "lowered with the cut");
    rig.crash(3, 0);
    rig.restart(3);
    assert_eq!(rig.node(3).lifecycle(), raft_core::Lifecycle::Running);
}

#[test]
fn a_reset_lowers_the_mark_so_that_nobody_is_quarantined_for_it() {
    let mut rig = follower(&[1; 20], 2);
    rig.tell(1, 3, 6, append((1, 2), &[], 2, 1)).unwrap();
    assert_eq!(rig.at(3).disk.hard.mark, at(1, 20));
    rig.stage(3, image(3, 10), 2, 7).unwrap();
    rig.crash(3, 0);
    rig.restart(3);
    assert_eq!((rig.node(3).lifecycle(), rig.log(3)), (raft_core::Lifecycle::Running, vec![3]));
}

#[test]
fn the_mark_follows_the_log_without_any_election() {
    let options = with(|o| {
        *o = plain();
        o.append_entries_max = 600;
    });
    let mut rig = Rig::with(3, options);
    rig.elect(1);
    for _ in 0..6 {
        let now = rig.now;
        for _ in 0..400 {
            rig.at(1).node.propose(now, "x".into()).unwrap();
        }
        rig.drain(1);
        rig.deliver_all();
    }
    let mark = rig.at(2).disk.hard.mark.index.0;
    assert!((1_024..=2_401).contains(&mark), "{mark}");
}
