//! Changes of one vote: adding, promoting, demoting, comparing, refusing (thesis §4.1, §4.2.1).
//!
//! **Intuition.** Set up, act, check. Servers beyond the founders know the group and are not in it.
//! **Source.** Thesis chapter 4; SEEDS 2.9; BUGS B-060 to B-067.
//! **Upholds.** `inv:configuration-safety`, `inv:only-voters-count`, `inv:nothing-lost`.
//! **Not here.** Joint configurations (`joint.rs`), leaving (`removal.rs`), witnesses
//! (`witness.rs`), settings (`settings.rs`).

use raft_core::{
    Change, ChangeError, ConfigAction, ConfigChange, ConfigExpect, ConfigLevel, Incarnation, Input,
    LogIndex, Membership, Message, NodeId, OperationFailure, Readiness, Rejected, Role,
    UnknownReason,
};

use crate::rig::*;

pub(crate) fn add_learner(node: u64) -> ConfigAction {
    ConfigAction::AddLearner { node: NodeId(node), incarnation: Incarnation(0), witness: false }
}

pub(crate) fn add_voter(node: u64) -> ConfigAction {
    ConfigAction::AddVoter { node: NodeId(node), incarnation: Incarnation(0), witness: false }
}

pub(crate) fn promote(node: u64) -> ConfigAction {
    ConfigAction::Promote { node: NodeId(node), if_ready: false }
}

pub(crate) fn remove(node: u64) -> ConfigAction {
    ConfigAction::Remove { node: NodeId(node) }
}

pub(crate) fn forced(action: ConfigAction) -> ConfigChange {
    ConfigChange { expect: None, action, force: true }
}

/// Three voters led by n1, and n4 and n5 outside.
pub(crate) fn with_two_outside() -> Rig {
    let mut rig = Rig::joined_by(3, 2, plain());
    rig.elect_among(1, &[1, 2, 3]);
    rig
}

#[test]
fn t_4_1_03_a_configuration_is_in_force_from_append_and_undone_by_a_cut() {
    // S-88, T-4.1-07, B-063, B-062: append, not commit or apply, decides.
    let mut rig = with_two_outside();
    rig.at(2).slow_apply = true;
    rig.carry(1, add_learner(4));
    let change = forced(promote(4));
    let Ok(Change::Begun(ticket)) = rig.change_with(1, change) else { panic!() };
    assert_eq!(rig.voters_at(1).0, [1, 2, 3, 4]);
    rig.deliver(|e| e.to.0 == 2);
    assert_eq!(rig.voters_at(2).0, [1, 2, 3, 4], "in force at a follower before commit");
    let (committed, index, _) = rig.node(2).configuration(ConfigLevel::Committed);
    assert_eq!((committed.voters().len(), index.0), (3, 2));
    assert_eq!(rig.voters_at(3).0, [1, 2, 3]);
    rig.lose_all();
    // n3 wins without it and cuts it off at n2 and at n1.
    rig.at(2).disk.log.pop();
    rig.crash(2, 0);
    rig.restart(2);
    rig.elect_among(3, &[2, 3]);
    rig.run(300 * MS);
    assert_eq!(rig.node(3).role(), Role::Leader);
    for id in [1, 2, 3] {
        assert_eq!(rig.voters_at(id).0, [1, 2, 3], "n{id}");
    }
    assert_eq!(rig.ended(1, ticket), Some(Err(OperationFailure::Superseded)));
    let told = &rig.told(1);
    assert_eq!(told[told.len() - 2..], [(3, false), (2, true)], "the cut was told");
}

#[test]
fn t_4_1_04_a_change_ends_when_a_majority_of_the_new_configuration_holds_it() {
    // D-R8: nothing is told before that. SEEDS 2.9.4.
    let mut rig = with_two_outside();
    rig.carry(1, add_learner(4));
    rig.run(100 * MS);
    let ticket = rig.begin_change(1, promote(4));
    let index = rig.node(1).last().index;
    rig.deliver(|e| e.to.0 == 4);
    rig.deliver(|e| e.to.0 == 1);
    assert_eq!((rig.ended(1, ticket), rig.commit(1)), (None, index.0 - 1), "two of four");
    rig.deliver(|e| e.to.0 == 2);
    rig.deliver(|e| e.to.0 == 1);
    assert_eq!(rig.ended(1, ticket), Some(Ok(index)), "three of four");
    // 4 → 3: the one that leaves does not count.
    let ticket = rig.begin_change(1, remove(4));
    rig.deliver(|e| e.to.0 == 4);
    rig.deliver(|e| e.from.0 == 4);
    assert_eq!(rig.ended(1, ticket), None);
    rig.run(100 * MS);
    assert_eq!(rig.ended(1, ticket), Some(Ok(index.next())));
    rig.crash(4, 0);
    let write = rig.propose(1, "x");
    rig.run(100 * MS);
    assert!(rig.applied(1).iter().any(|(_, ticket)| *ticket == Some(write.0)));
}

#[test]
fn t_4_1_05_one_change_at_a_time() {
    // B-061, S-78.
    let mut rig = with_two_outside();
    rig.begin_change(1, add_learner(4));
    let refused = rig.change(1, add_learner(5));
    assert_eq!(refused, Err(ChangeError::ChangeInProgress { index: LogIndex(2) }));
    rig.deliver_all();
    // Two joiners that are not heard yet: one is promoted after the other.
    rig.at(4).up = false;
    rig.at(5).up = false;
    rig.run(1_000 * MS);
    for id in [4, 5] {
        rig.begin_change(1, add_voter(id));
        rig.deliver_among(&[1, 2, 3]);
    }
    assert_eq!(rig.voters_at(1).0, [1, 2, 3]);
    rig.at(4).up = true;
    rig.at(5).up = true;
    rig.run(300 * MS);
    assert_eq!(rig.voters_at(1).0, [1, 2, 3, 4, 5]);
}

#[test]
fn b_061_a_second_promotion_waits_for_the_first_to_be_committed() {
    let mut rig = with_two_outside();
    rig.carry(1, add_learner(4));
    rig.carry(1, add_learner(5));
    rig.run(100 * MS);
    rig.begin_change(1, add_voter(4));
    assert_eq!(rig.voters_at(1).0, [1, 2, 3, 4], "ready at once");
    assert!(matches!(rig.change(1, add_voter(5)), Err(ChangeError::ChangeInProgress { .. })));
    rig.deliver_among(&[1, 4]);
    assert_eq!(rig.voters_at(1).0, [1, 2, 3, 4], "two of four are no majority");
}

#[test]
fn t_4_1_06_no_change_before_an_entry_of_the_own_term_is_committed() {
    // B-060, the schedule of 2015: two leaders of four, each changing one server.
    let mut rig = Rig::joined_by(4, 1, plain());
    rig.expire(1);
    rig.deliver(is_request);
    rig.deliver(|e| matches!(e.message, Message::VoteReply(_)));
    assert_eq!((rig.node(1).role(), rig.commit(1)), (Role::Leader, 0));
    rig.lose_all();
    assert_eq!(rig.change(1, add_learner(5)), Err(ChangeError::NoQuorumInTerm));
    assert_eq!(rig.change_with(1, forced(remove(4))), Err(ChangeError::NoQuorumInTerm));
    rig.run(200 * MS);
    assert!(rig.change(1, add_learner(5)).is_ok());
}

#[test]
fn t_4_1_02_commands_go_on_beside_a_change() {
    let mut rig = with_two_outside();
    let first = rig.propose(1, "a");
    rig.begin_change(1, add_voter(4));
    let second = rig.propose(1, "b");
    rig.run(300 * MS);
    let ends: Vec<_> = rig.applied(1).into_iter().filter_map(|(i, t)| Some((i, t?))).collect();
    assert_eq!(ends[..2], [(2, first.0), (4, second.0)], "{ends:?}");
    assert_eq!(rig.voters_at(4).0, [1, 2, 3, 4]);
}

#[test]
fn t_4_1_09_votes_are_judged_without_the_own_configuration() {
    // T-ext-01, B-072: three voters and a fourth; one is dead, and n4 does not know that it votes.
    let mut rig = with_two_outside();
    rig.carry(1, add_learner(4));
    rig.run(100 * MS);
    rig.begin_change(1, promote(4));
    rig.deliver(|e| [2, 3].contains(&e.to.0));
    rig.deliver(|e| e.to.0 == 1);
    assert_eq!(rig.commit(1), 3);
    assert_eq!(rig.node(4).membership(), Membership::Learner, "it has not heard of it");
    rig.crash(1, 0);
    rig.lose_all();
    rig.elect_among(2, &[2, 3, 4]);
    assert_eq!(rig.node(2).role(), Role::Leader);
    // And a candidate from outside the voter's own configuration.
    let mut rig = Rig::joined_by(3, 1, plain());
    rig.tell(4, 2, 1, request_vote(0, 0)).unwrap();
    let sent: Vec<_> = rig.sent_by(2).into_iter().map(|e| e.message).collect();
    assert!(sent.contains(&vote(true)), "{sent:?}");
}

#[test]
fn t_4_1_10_only_voters_of_the_counters_configuration_count() {
    // T-4.2.1-01: acknowledgements and votes of learners and strangers count nowhere.
    let mut rig = with_two_outside();
    rig.carry(1, add_learner(4));
    rig.run(60 * MS);
    let before = rig.commit(1);
    rig.propose(1, "x");
    rig.deliver(|e| e.to.0 == 4);
    rig.deliver(|e| e.from.0 == 4);
    assert_eq!((rig.commit(1), rig.progress(1, 4).0), (before, before + 1));
    let read = rig.read(1);
    rig.deliver(|e| e.to.0 == 4);
    rig.deliver(|e| e.from.0 == 4);
    assert!(rig.at(1).ready.iter().all(|(ticket, ..)| *ticket != read));
    rig.lose_all();
    rig.expire(2);
    rig.tell(4, 2, 2, vote(true)).unwrap();
    let stranger = rig.tell(5, 2, 2, vote(true));
    assert_eq!((stranger, rig.node(2).role()), (Err(Rejected::UnknownSender), Role::Candidate));
    rig.tell(3, 2, 2, vote(true)).unwrap();
    assert_eq!(rig.node(2).role(), Role::Leader);
}

#[test]
fn t_4_1_11_a_new_leader_goes_on_with_what_it_finds() {
    let mut rig = with_two_outside();
    let ticket = rig.begin_change(1, add_learner(4));
    rig.deliver(|e| e.to.0 == 2);
    rig.lose_all();
    rig.crash(1, 0);
    rig.elect_among(2, &[2, 3]);
    assert_eq!(rig.node(2).configuration(ConfigLevel::Committed).1, LogIndex(2));
    rig.restart(1);
    rig.carry(2, add_voter(5));
    assert_eq!(rig.voters_at(3).0, [1, 2, 3, 5]);
    assert_eq!(rig.ended(1, ticket), None, "the boot that promised an answer is over");
}

#[test]
fn a_change_of_a_lost_reign_ends_as_its_entry_does() {
    // D-Z14, SEEDS 2.9.4: kept, superseded, or unknown; then a retry says how it is.
    let mut rig = with_two_outside();
    let kept = rig.begin_change(1, add_learner(4));
    rig.deliver(|e| e.to.0 == 2);
    rig.lose_all();
    rig.elect_among(2, &[1, 2, 3]);
    assert_eq!(rig.ended(1, kept), Some(Ok(LogIndex(2))), "committed by the next leader");
    let retry = rig.change(2, add_learner(4));
    assert_eq!(retry, Ok(Change::Unchanged(LogIndex(2))));
    let open = rig.begin_change(2, remove(4));
    rig.lose_all();
    rig.step(2, Input::StepDown).unwrap();
    rig.pass(rig.options.pending_after_loss_ns);
    rig.step(2, Input::Tick).unwrap();
    let lost = Err(OperationFailure::Unknown(UnknownReason::LeadershipLost));
    assert_eq!(rig.ended(2, open), Some(lost));
    rig.run(3_000 * MS);
    assert_eq!(rig.ended(2, open), Some(lost), "once");
}

#[test]
fn s_76_a_change_can_state_what_it_expects() {
    // SEEDS 2.9.1: compare and set, by index or by voters; but what is so already is no mismatch.
    let mut rig = with_two_outside();
    rig.carry(1, add_learner(4));
    let ask = |expect, action| ConfigChange { expect: Some(expect), action, force: false };
    let voters = |ids: &[u64]| ConfigExpect::Voters(ids.iter().copied().map(NodeId).collect());
    let present = rig.node(1).configuration(ConfigLevel::InForce).0.clone();
    let mismatch = ChangeError::ConfigMismatch { index: LogIndex(2), configuration: present };
    for wrong in [ConfigExpect::Index(LogIndex(1)), voters(&[1, 2]), voters(&[1, 2, 3, 4])] {
        let refused = rig.change_with(1, ask(wrong.clone(), add_learner(5)));
        assert_eq!(refused, Err(mismatch.clone()));
        let same = rig.change_with(1, ask(wrong, add_learner(4)));
        assert_eq!(same, Ok(Change::Unchanged(LogIndex(2))));
    }
    assert!(rig.change_with(1, ask(ConfigExpect::Index(LogIndex(2)), add_learner(5))).is_ok());
    rig.deliver_all();
    assert!(rig.change_with(1, ask(voters(&[1, 2, 3]), remove(5))).is_ok());
}

#[test]
fn refusals_come_in_the_order_of_the_rules_and_change_nothing() {
    // SEEDS 2.9.3; D-T9: every error is reached.
    let mut rig = with_two_outside();
    assert_eq!(
        rig.change(2, add_learner(4)),
        Err(ChangeError::NotLeader { hint: Some(NodeId(1)) })
    );
    assert_eq!(rig.change(4, add_learner(4)), Err(ChangeError::NotInGroup));
    rig.begin_change(1, add_learner(4));
    // In progress comes before the comparison and before what is wrong with the action.
    let wrong = ConfigChange {
        expect: Some(ConfigExpect::Index(LogIndex(77))),
        action: remove(1),
        force: true,
    };
    let busy = Err(ChangeError::ChangeInProgress { index: LogIndex(2) });
    assert_eq!(rig.change_with(1, wrong.clone()), busy);
    rig.deliver_all();
    assert!(matches!(rig.change_with(1, wrong), Err(ChangeError::ConfigMismatch { .. })));
    for (action, error) in [
        (remove(1), ChangeError::CannotRemoveLeader),
        (add_learner(2), ChangeError::AlreadyVoter),
        (promote(5), ChangeError::NotMember),
    ] {
        assert_eq!(rig.change(1, action), Err(error));
    }
    rig.expire(3);
    assert_eq!(rig.node(3).role(), Role::Candidate);
    let refused = rig.change(3, add_learner(5));
    assert!(matches!(refused, Err(ChangeError::ElectionInProgress { .. })));
    rig.at(1).slow_disk = true;
    let full = rig.node(1).halted();
    assert_eq!(full, None);
    rig.step(1, Input::Shutdown).unwrap();
    assert_eq!(rig.change(1, add_learner(5)), Err(ChangeError::Halted));
}

#[test]
fn a_change_can_be_asked_for_as_a_plain_input() {
    let mut rig = with_two_outside();
    let ask =
        |action| Input::ChangeConfig(Box::new(ConfigChange { expect: None, action, force: false }));
    assert_eq!(rig.step(2, ask(remove(3))).unwrap_err(), Rejected::NotLeader);
    assert_eq!(rig.step(1, ask(remove(1))).unwrap_err(), Rejected::ChangeRefused);
    let issued = rig.step(1, ask(remove(9))).unwrap().issued;
    assert_eq!(issued, raft_core::Issued::Unchanged(LogIndex(0)));
    let issued = rig.step(1, ask(add_learner(4))).unwrap().issued;
    assert!(matches!(issued, raft_core::Issued::Operation(_)));
}

#[test]
fn d_r9_a_joiner_votes_only_once_it_is_caught_up() {
    // SEEDS 2.9.7, D-W15, T-4.2.1-02 and -03: a group of one, and a joiner that dies at each step.
    for alive in 0..4 {
        let mut rig = Rig::joined_by(1, 2, with(|o| o.ready_lag_max = 2));
        rig.elect(1);
        for _ in 0..10 {
            rig.propose(1, "x");
        }
        let ticket = rig.begin_change(1, add_voter(2));
        for _ in 0..alive {
            rig.deliver(|_| true);
        }
        if rig.voters_at(1).0.len() == 1 {
            rig.at(2).up = false;
            rig.lose_all();
        }
        let write = rig.propose(1, "y");
        rig.run(2_000 * MS);
        assert!(rig.applied(1).iter().any(|(_, t)| *t == Some(write.0)), "writes never stop");
        rig.at(2).up = true;
        rig.carry(1, add_learner(3));
        rig.run(1_000 * MS);
        assert_eq!(rig.voters_at(1).0, [1, 2], "it came back");
        assert!(matches!(rig.ended(1, ticket), Some(Ok(_))));
    }
}

#[test]
fn a_learner_is_promoted_on_condition_only_when_ready() {
    // S-83: not heard, then lagging in apply, then ready.
    let mut rig = Rig::joined_by(3, 1, with(|o| o.ready_lag_max = 3));
    rig.elect_among(1, &[1, 2, 3]);
    rig.at(4).slow_apply = true;
    rig.begin_change(1, add_learner(4));
    rig.deliver_among(&[1, 2, 3]);
    let if_ready = ConfigAction::Promote { node: NodeId(4), if_ready: true };
    let refused = rig.change(1, if_ready.clone());
    assert_eq!(refused, Err(ChangeError::NotReady(Readiness::Unheard)));
    assert_eq!(rig.node(1).peer_readiness(NodeId(4)), Some(Readiness::Unheard));
    assert_eq!(rig.node(1).peer_readiness(NodeId(9)), None);
    assert_eq!(rig.node(2).peer_readiness(NodeId(4)), None, "only a leader knows");
    for _ in 0..6 {
        rig.propose(1, "x");
    }
    rig.run(200 * MS);
    let last = rig.node(1).last().index.0;
    let lagging = Readiness::Lagging {
        matched: LogIndex(last),
        applied: LogIndex(0),
        needed: LogIndex(last - 3),
    };
    assert_eq!(rig.change(1, if_ready.clone()), Err(ChangeError::NotReady(lagging)));
    let handed = rig.at(4).applies.last().unwrap().entries.last().unwrap().index;
    rig.step(4, Input::Applied(handed)).unwrap();
    rig.at(4).slow_apply = false;
    rig.run(200 * MS);
    assert_eq!(rig.node(1).peer_readiness(NodeId(4)), Some(Readiness::Ready));
    rig.carry(1, if_ready);
    assert_eq!(rig.voters_at(4).0, [1, 2, 3, 4]);
    // Later silence takes readiness away again.
    rig.at(4).up = false;
    rig.run(1_000 * MS);
    assert_eq!(rig.node(1).peer_readiness(NodeId(4)), Some(Readiness::Unheard));
}

#[test]
fn d_w15_a_change_that_would_cost_the_quorum_is_refused_unless_forced() {
    // S-81, SEEDS 2.9.6, against counting by hand: every set of answering voters, each change.
    let mut refusals = 0;
    for up in 0..8_u64 {
        let mut rig = Rig::joined_by(4, 1, plain());
        rig.elect_among(1, &[1, 2, 3, 4]);
        rig.carry(1, add_learner(5));
        for id in [2, 3, 4] {
            rig.at(id).up = up >> (id - 2) & 1 == 1;
        }
        rig.run(400 * MS);
        let answers = |id: u64| id == 1 || id == 5 || up >> (id - 2) & 1 == 1;
        for action in [remove(2), remove(3), remove(4), promote(5)] {
            let mut after: Vec<u64> = vec![1, 2, 3, 4];
            let free = match &action {
                ConfigAction::Remove { node } => {
                    after.retain(|id| *id != node.0);
                    !answers(node.0)
                }
                _ => {
                    after.push(5);
                    false
                }
            };
            let responsive = after.iter().filter(|id| answers(**id)).count();
            let needed = after.len() / 2 + 1;
            let mut copy = rig.node(1).clone();
            let got = copy.change(rig.now, forced(action.clone()));
            assert!(got.is_ok(), "force skips this check alone: {got:?}");
            let mut copy = rig.node(1).clone();
            let change = ConfigChange { expect: None, action: action.clone(), force: false };
            let got = copy.change(rig.now, change).map(|_| ());
            let want = if free || responsive >= needed {
                Ok(())
            } else {
                refusals += 1;
                Err(ChangeError::WouldBreakQuorum { responsive, needed })
            };
            assert_eq!(got, want, "{up:03b} {action:?}");
        }
    }
    assert!(refusals > 3, "{refusals}");
}

#[test]
fn b_067_a_promotion_forgets_no_match() {
    // MONO: learner to voter under load.
    let mut rig = with_two_outside();
    rig.carry(1, add_learner(4));
    for _ in 0..5 {
        rig.propose(1, "x");
        rig.deliver_all();
    }
    let before = rig.progress(1, 4);
    rig.begin_change(1, promote(4));
    assert_eq!(rig.progress(1, 4).0, before.0);
    assert_eq!(rig.progress(1, 2).0, before.0);
}

#[test]
fn d_w11_another_life_under_the_same_id_inherits_nothing() {
    // SEEDS 2.9.7, 2.12.6, B-093: match, promise and grants go with the life that gave them.
    let mut rig = Rig::joined_by(3, 1, plain());
    rig.elect_among(1, &[1, 2, 3]);
    let pinned = |life| ConfigAction::AddLearner {
        node: NodeId(4),
        incarnation: Incarnation(life),
        witness: false,
    };
    rig.carry(1, pinned(104));
    assert!(rig.progress(1, 4).0 > 0);
    assert_eq!(rig.change(1, pinned(105)), Err(ChangeError::AlreadyLearner));
    rig.carry(1, remove(4));
    rig.begin_change(1, pinned(105));
    assert_eq!(rig.progress(1, 4).0, 0, "the new life has shown nothing");
    let index = rig.node(1).last().index.0;
    rig.lose_all();
    let old_life = rig.tell(4, 1, 1, matched(index, 1));
    assert_eq!(old_life, Err(Rejected::WrongIncarnation));
    let mut envelope = envelope(4, 1, 1, matched(0, 1));
    envelope.from_incarnation = Incarnation(105);
    assert!(rig.receive(envelope).is_ok());
    assert_eq!(rig.progress(1, 4).0, 0);
}

#[test]
fn a_life_that_reads_of_an_earlier_one_goes_on_answering_who_names_it() {
    // It catches up by a log in which its predecessor was added; the leader knows it by name, and
    // has or takes a snapshot that does.
    let mut rig = Rig::joined_by(3, 1, plain());
    rig.elect_among(1, &[1, 2, 3]);
    let earlier =
        ConfigAction::AddLearner { node: NodeId(4), incarnation: Incarnation(999), witness: false };
    rig.begin_change(1, earlier);
    let mut envelopes = rig.take(|e| e.to.0 == 2);
    rig.deliver_all();
    let mut envelope = envelopes.remove(0);
    envelope.to = NodeId(4);
    envelope.to_incarnation = Incarnation(104);
    if let Message::AppendEntries(append) = &mut envelope.message {
        append.previous = at(0, 0);
        append.entries = rig.entries_of(1, 1, 2);
    }
    rig.receive(envelope).unwrap();
    assert_eq!(rig.node(4).lifecycle(), raft_core::Lifecycle::Quarantined);
    let said = rig.sent_by(4);
    let [raft_core::Envelope { message: Message::AppendReply(reply), .. }] = &said[..] else {
        panic!("{said:?}")
    };
    assert_eq!(reply.result, raft_core::AppendResult::NeedSnapshot);
    // It asks for what names it and no more: no acknowledgement and no vote until then.
    assert_eq!(rig.tell(2, 4, 9, request_vote(1, 9)), Err(Rejected::Quarantined));
}

#[test]
fn a_disk_whose_place_was_given_to_another_life_is_quarantined() {
    // SEEDS 2.12.6: no votes, no acknowledgements, no campaign.
    let mut rig = Rig::joined_by(3, 1, plain());
    rig.elect_among(1, &[1, 2, 3]);
    let other =
        ConfigAction::AddLearner { node: NodeId(4), incarnation: Incarnation(999), witness: false };
    rig.begin_change(1, other);
    let mut envelopes = rig.take(|e| e.to.0 == 2);
    rig.deliver_all();
    // The entry reaches the old disk all the same, by hand.
    let mut envelope = envelopes.remove(0);
    envelope.to = NodeId(4);
    envelope.to_incarnation = Incarnation(0);
    if let Message::AppendEntries(append) = &mut envelope.message {
        append.previous = at(0, 0);
        append.entries = rig.entries_of(1, 1, 2);
    }
    rig.receive(envelope).unwrap();
    assert_eq!(rig.node(4).lifecycle(), raft_core::Lifecycle::Quarantined);
    assert!(rig.sent_by(4).is_empty(), "no acknowledgement");
    assert_eq!(rig.tell(2, 4, 9, request_vote(1, 9)), Err(Rejected::Quarantined));
    let asked = rig.tell(2, 4, 0, pre_vote(9, 1, 0, (0, 0)));
    assert_eq!(asked, Err(Rejected::Quarantined));
    rig.pass(2_000 * MS);
    rig.step(4, Input::Tick).unwrap();
    assert_eq!((rig.node(4).role(), rig.node(4).term().0), (Role::Follower, 1));
    rig.crash(4, 0);
    rig.restart(4);
    assert_eq!(rig.node(4).lifecycle(), raft_core::Lifecycle::Quarantined, "also after a restart");
}

#[test]
fn a_restart_takes_the_newest_of_the_log() {
    // SEEDS 2.9.5, D-R12 (an old configuration preferred).
    let mut rig = with_two_outside();
    rig.carry(1, add_voter(4));
    rig.carry(1, add_learner(5));
    for id in [2, 4] {
        let told = rig.told(id).len();
        rig.crash(id, 0);
        rig.restart(id);
        assert_eq!(rig.voters_at(id).0, [1, 2, 3, 4], "n{id}");
        assert_eq!(rig.told(id).len(), told, "what boot found needs no telling");
    }
    assert_eq!(rig.node(4).membership(), Membership::Voter);
}

#[test]
fn every_configuration_is_told_first_in_force_and_then_committed() {
    let mut rig = with_two_outside();
    rig.carry(1, add_voter(4));
    for id in [1, 2, 3, 4] {
        let told = rig.told(id).clone();
        let in_force: Vec<_> = told.iter().filter(|(_, committed)| !committed).collect();
        assert_eq!(told.last(), Some(&(3, true)), "n{id}: {told:?}");
        assert!(told.windows(2).all(|pair| pair[0] < pair[1]), "n{id}: {told:?}");
        assert!(in_force.len() <= 2);
    }
}

#[test]
fn a_refresh_appends_the_same_once_more() {
    // S-89.
    let mut rig = with_two_outside();
    let index = rig.carry(1, ConfigAction::Refresh);
    assert_eq!((index, rig.voters_at(3).0), (2, vec![1, 2, 3]));
    let expect = Some(ConfigExpect::Index(LogIndex(2)));
    let change = ConfigChange { expect, action: ConfigAction::Refresh, force: false };
    assert!(rig.change_with(1, change.clone()).is_ok());
    rig.deliver_all();
    assert!(matches!(rig.change_with(1, change), Err(ChangeError::ConfigMismatch { .. })));
}

#[test]
fn a_demoted_voter_listens_and_a_later_removal_overrules_its_promotion() {
    let mut rig = with_two_outside();
    rig.carry(1, ConfigAction::Demote { node: NodeId(3) });
    assert_eq!(rig.node(3).membership(), Membership::Learner);
    rig.at(4).up = false;
    let ticket = rig.begin_change(1, add_voter(4));
    rig.deliver_among(&[1, 2, 3]);
    rig.carry(1, remove(4));
    assert_eq!(rig.ended(1, ticket), Some(Err(OperationFailure::Overruled)));
    rig.expire(2);
    rig.lose_all();
    rig.tell(3, 2, 2, vote(true)).unwrap();
    assert_eq!(rig.node(2).role(), Role::Candidate, "a learner's vote counts nowhere");
}
