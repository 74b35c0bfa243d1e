//! Leaving: what a node that is voted out learns, and what it may still do (thesis §4.2.2, §4.2.3).
//!
//! **Intuition.** Set up, act, check.
//! **Source.** Thesis §4.2; SEEDS 2.9.9; BUGS B-021, B-065, B-066.
//! **Upholds.** `inv:only-voters-count`, `inv:live`, `inv:bounded`.
//! **Not here.** A leader that leaves through a joint configuration (`joint.rs`).

use raft_core::{
    ChangeError, ConfigAction, Configuration, Input, LogIndex, Membership, Message, NodeId,
    NotMember, Rejected, Role,
};

use crate::{membership::*, rig::*};

fn not_member(commit: u64, configuration_index: u64) -> Message {
    Message::NotMember(NotMember {
        commit: LogIndex(commit),
        configuration_index: LogIndex(configuration_index),
    })
}

fn is_not_member(envelope: &raft_core::Envelope) -> bool {
    matches!(envelope.message, Message::NotMember(_))
}

#[test]
fn s_33_a_removed_node_learns_it_from_its_own_log() {
    // S-34, B-066: the leader goes on until the removal is known to be decided, then stops.
    let mut rig = led();
    let write = rig.carry(1, remove(3));
    assert_eq!(rig.node(3).membership(), Membership::Removed);
    assert_eq!((rig.commit(3), rig.told(3).last()), (write, Some(&(write, true))));
    rig.run(200 * MS);
    rig.propose(1, "x");
    rig.run(100 * MS);
    assert_eq!(rig.node(3).last().index.0, write, "nothing is sent to it any more");
    rig.pass(5_000 * MS);
    rig.step(3, Input::Tick).unwrap();
    assert_eq!(rig.office(3), (Role::Follower, 1, Some(1)), "it never campaigns");
    assert_eq!(rig.change(3, add_learner(3)), Err(ChangeError::NotInGroup));
}

#[test]
fn a_departing_peer_is_sent_to_until_it_answers_or_for_a_bounded_time() {
    for comes_back in [true, false] {
        let mut rig = led();
        rig.at(3).up = false;
        rig.carry(1, remove(3));
        rig.run(1_000 * MS);
        let sent = |rig: &mut Rig| {
            rig.tick(1);
            rig.take(|e| e.from.0 == 1 && e.to.0 == 3).len()
        };
        assert!(sent(&mut rig) > 0, "it may not know yet");
        if comes_back {
            rig.at(3).up = true;
            rig.run(300 * MS);
            assert_eq!(rig.node(3).membership(), Membership::Removed);
        } else {
            rig.run(3_000 * MS);
            assert_eq!(rig.node(3).membership(), Membership::Voter);
        }
        rig.deliver_all();
        assert_eq!(sent(&mut rig), 0, "{comes_back}");
    }
}

#[test]
fn s_33_a_removed_node_that_missed_it_is_told_when_it_asks_for_votes() {
    // B-021, T-4.2.3-04: with and without Pre-Vote, however high its term, the leader stays.
    for pre_vote in [true, false] {
        let mut rig = Rig::with(4, with(|o| o.pre_vote = pre_vote));
        rig.elect(1);
        rig.at(4).up = false;
        rig.carry(1, remove(4));
        rig.run(5_000 * MS);
        assert_eq!(rig.node(4).membership(), Membership::Voter, "nobody could tell it");
        let before = rig.office(1);
        rig.at(4).disk.hard.term = raft_core::Term(40);
        rig.at(4).disk.hard.vote = None;
        rig.restart(4);
        rig.run(3_000 * MS);
        assert_eq!(rig.node(4).membership(), Membership::Removed, "pre-vote {pre_vote}");
        let term = rig.node(4).term().0;
        rig.run(30_000 * MS);
        assert_eq!(rig.node(4).term().0, term, "it is quiet from then on");
        assert_eq!(rig.office(1), before, "the leader was not disturbed");
    }
}

#[test]
fn a_node_believes_its_removal_only_on_evidence_newer_than_its_log() {
    // SEEDS 2.9.9: `NotMember` with a commit index at or above its configuration's.
    let mut rig = with_two_outside();
    rig.carry(1, add_voter(4));
    let newest = 3;
    let stale = rig.tell(2, 4, 1, not_member(newest - 1, 0));
    assert_eq!((stale, rig.node(4).membership()), (Err(Rejected::Stale), Membership::Voter));
    let nonsense = rig.tell(2, 4, 1, not_member(4, 5));
    assert_eq!(nonsense, Err(Rejected::Malformed));
    let leader = rig.tell(2, 1, 1, not_member(99, 99));
    assert_eq!((leader, rig.node(1).role()), (Err(Rejected::Stale), Role::Leader));
    rig.tell(2, 4, 1, not_member(newest + 1, newest + 1)).unwrap();
    assert_eq!(rig.node(4).membership(), Membership::Removed);
    rig.pass(5_000 * MS);
    rig.step(4, Input::Tick).unwrap();
    assert_eq!(rig.node(4).role(), Role::Follower);
    // Added again, it is a member again.
    rig.lose_all();
    rig.carry(1, remove(4));
    rig.carry(1, add_voter(4));
    assert_eq!(rig.node(4).membership(), Membership::Voter);
}

#[test]
fn a_candidate_that_hears_of_its_removal_steps_back_also_from_an_older_term() {
    let mut rig = Rig::new(3);
    rig.expire(3);
    rig.expire(3);
    assert_eq!(rig.office(3), (Role::Candidate, 2, Some(3)));
    rig.lose_all();
    rig.tell(1, 3, 1, not_member(5, 5)).unwrap();
    assert_eq!(rig.office(3), (Role::Follower, 2, Some(3)), "what is committed does not age");
    let blank = rig.add_blank();
    let told = rig.tell(1, blank, 1, not_member(5, 5));
    assert_eq!(told, Err(Rejected::NotInGroup), "an empty disk listens to leaders only");
    assert_eq!(rig.node(blank).membership(), Membership::Blank);
}

#[test]
fn a_member_tells_only_those_that_its_committed_configuration_leaves_out() {
    let mut rig = with_two_outside();
    rig.begin_change(1, add_learner(4));
    rig.deliver(|e| e.to.0 == 2);
    rig.lose_all();
    // n4 is in n2's log, and not committed there; n5 is nowhere.
    for from in [3, 4, 5] {
        rig.tell(from, 2, 1, pre_vote(9, 1, 1, (1, 9))).unwrap();
        let told = rig.take(is_not_member).len();
        assert_eq!(told, usize::from(from != 3), "n{from}");
        rig.lose_all();
    }
    // Who is no member itself tells nobody.
    rig.tell(5, 4, 1, pre_vote(9, 1, 1, (1, 9))).unwrap();
    assert!(rig.take(is_not_member).is_empty());
}

#[test]
fn t_4_2_2_02_a_leader_on_its_way_out_may_be_elected_to_finish_it() {
    // Fig. 4.6: n2, n1 leaves, only n1 has the configuration without it.
    let mut rig = Rig::new(2);
    rig.elect(1);
    let only_two = ConfigAction::ReplaceVoters { voters: vec![NodeId(2)], explicit_leave: false };
    rig.begin_change(1, only_two);
    assert_eq!(rig.voters_at(1), (vec![2], vec![]));
    rig.lose_all();
    rig.crash(1, 0);
    rig.restart(1);
    assert_eq!(rig.node(1).membership(), Membership::Voter, "not decided");
    rig.expire(2);
    rig.deliver_all();
    assert_eq!(rig.node(2).role(), Role::Candidate, "n1's log is longer");
    rig.run(5_000 * MS);
    assert_eq!(rig.node(2).role(), Role::Leader);
    assert_eq!((rig.voters_at(2).0, rig.voters_at(1).0), (vec![2], vec![2]));
    assert_eq!(rig.node(1).membership(), Membership::Removed);
    let write = rig.propose(2, "x");
    assert!(rig.applied(2).iter().any(|(_, ticket)| *ticket == Some(write.0)));
}

#[test]
fn t_4_2_2_03_a_leader_asked_to_go_hands_over_first() {
    let mut rig = led();
    assert_eq!(rig.change(1, remove(1)), Err(ChangeError::CannotRemoveLeader));
    rig.run(100 * MS);
    let now = rig.now;
    rig.at(1).node.transfer(now, raft_core::TransferRequest::default()).unwrap();
    rig.drain(1);
    let refused = rig.change(1, remove(3));
    assert!(matches!(refused, Err(ChangeError::Transferring { .. })), "{refused:?}");
    rig.run(200 * MS);
    let leader = [2, 3].into_iter().find(|id| rig.node(*id).role() == Role::Leader).unwrap();
    rig.carry(leader, remove(1));
    assert_eq!(rig.node(1).membership(), Membership::Removed);
}

#[test]
fn b_065_a_leader_voted_out_stops_leading_and_a_write_goes_on_elsewhere() {
    let mut rig = led();
    let voters = vec![NodeId(2), NodeId(3)];
    let ticket = rig.begin_change(1, ConfigAction::ReplaceVoters { voters, explicit_leave: false });
    let lost = rig.propose(1, "x");
    rig.run(3_000 * MS);
    assert!(matches!(rig.ended(1, ticket), Some(Ok(_))));
    assert_eq!(
        (rig.node(1).role(), rig.node(1).membership()),
        (Role::Follower, Membership::Removed)
    );
    let leader = [2, 3].into_iter().find(|id| rig.node(*id).role() == Role::Leader).unwrap();
    let write = rig.propose(leader, "y");
    rig.run(100 * MS);
    assert!(rig.applied(leader).iter().any(|(_, ticket)| *ticket == Some(write.0)));
    let ends: Vec<_> = rig.at(1).ends.iter().map(|(first, ..)| *first).collect();
    let applied = rig.applied(1).iter().any(|(_, ticket)| *ticket == Some(lost.0));
    assert!(applied || ends.contains(&lost), "no ticket is left open");
}

#[test]
fn the_last_voter_but_one_leaves_and_a_group_of_one_goes_on() {
    let mut rig = Rig::new(2);
    rig.elect(1);
    rig.at(2).up = false;
    let ticket = rig.begin_change(1, remove(2));
    assert!(matches!(rig.ended(1, ticket), Some(Ok(_))), "it needs nobody else");
    let write = rig.propose(1, "x");
    assert!(rig.applied(1).iter().any(|(_, ticket)| *ticket == Some(write.0)));
}

#[test]
fn strangers_and_the_departed_are_forgotten() {
    // Bounded: a group whose members come and go for ever remembers a few of them.
    let mut rig = Rig::new(3);
    rig.elect(1);
    for round in 0..40 {
        let node = 100 + round;
        let mut copy = rig.node(2).clone();
        let kind = raft_core::EntryKind::CONFIGURATION;
        let with = Configuration::new([1, 2, 3, node].map(NodeId)).unwrap();
        let without = Configuration::new([1, 2, 3].map(NodeId)).unwrap();
        let base = copy.last().index.0;
        let entry = |index, configuration: &Configuration| {
            let payload = configuration.encode();
            (at(1, index), raft_core::Entry { kind, payload, ..Default::default() })
        };
        let entries =
            raft_core::Entries::collect([entry(base + 1, &with), entry(base + 2, &without)]);
        let append = Message::AppendEntries(raft_core::AppendEntries {
            previous: at(1, base),
            entries: entries.unwrap(),
            commit: LogIndex(base),
            round: 1_000 + round,
            void_transfer: 0,
        });
        let envelope = Box::new(envelope(1, 2, 1, append));
        copy.step(rig.now, Input::Receive(envelope.clone())).unwrap();
        rig.step(2, Input::Receive(envelope)).unwrap();
        rig.lose_all();
    }
    let remembered = format!("{:?}", rig.node(2)).matches("Peer {").count();
    assert!(remembered <= 2 + 8 + 1, "{remembered}");
}
