//! Eligibility and elections on request (S-24, S-26), and the leader hint (semantics 2.8).
//!
//! **Intuition.** Set up, act, check. The defaults are on: Pre-Vote and check-quorum.
//! **Source.** Semantics 2.8; S-24, S-26; D-W4.
//! **Upholds.** `inv:election-safety`, `inv:live`.
//! **Not here.** Promises that no request shortens (`leases.rs`).

use raft_core::{
    CampaignError, Configuration, Input, Instant, NodeId, Options, ProposeError, Rejected, Role,
    Term,
};

use crate::rig::*;

/// Default options, n1 leads term 1 and everybody has answered.
fn led() -> Rig {
    let mut rig = Rig::with(3, Options::default());
    rig.elect(1);
    rig.run(60 * MS);
    rig.lose_all();
    rig
}

fn campaign(rig: &mut Rig, id: u64, term: u64) -> Result<(), CampaignError> {
    let now = rig.now;
    let result = rig.at(id).node.campaign(now, Term(term));
    rig.drain(id);
    result
}

fn set_eligibility(rig: &mut Rig, id: u64, priority: u8, can_lead: bool) {
    rig.step(id, Input::SetEligibility { priority, can_lead }).unwrap();
}

#[test]
fn a_leader_that_may_no_longer_lead_hands_over_or_steps_down() {
    // S-24.
    let mut rig = led();
    set_eligibility(&mut rig, 1, 10, false);
    rig.deliver_all();
    assert_eq!((rig.office(1).0, rig.office(2).0), (Role::Follower, Role::Leader));
    assert_eq!(rig.at(1).operations, [], "nobody asked");
    // Nobody takes it: it steps down, and never campaigns.
    let mut rig = led();
    set_eligibility(&mut rig, 2, 10, false);
    set_eligibility(&mut rig, 1, 10, false);
    rig.deliver_all();
    assert_eq!(rig.office(1), (Role::Follower, 1, Some(1)));
    rig.run(2_000 * MS);
    assert_eq!(rig.office(3).0, Role::Leader, "T-ext-04: live without its favourites");
    // Nobody is ready: at once.
    let mut rig = led();
    rig.crash(2, 0);
    rig.crash(3, 0);
    rig.run(250 * MS);
    assert_eq!(rig.office(1).0, Role::Leader);
    rig.pass(50 * MS);
    set_eligibility(&mut rig, 1, 10, false);
    assert_eq!(rig.office(1).0, Role::Follower);
    assert_eq!(
        rig.step(1, Input::SetEligibility { priority: 11, can_lead: true }),
        Err(Rejected::Malformed)
    );
}

#[test]
fn who_may_not_lead_votes_and_never_campaigns() {
    // T-ext-04: priority 0, or told not to.
    for (priority, can_lead) in [(0, true), (10, false)] {
        let mut rig = Rig::with(3, Options::default());
        set_eligibility(&mut rig, 1, priority, can_lead);
        for _ in 0..10 {
            rig.tick(1);
        }
        assert_eq!((rig.office(1).0, rig.net.len()), (Role::Follower, 0));
        assert_eq!(campaign(&mut rig, 1, 0), Err(CampaignError::Ineligible));
        rig.crash(3, 0);
        rig.elect_among(2, &[1, 2]);
        assert_eq!(rig.office(1).2, Some(2));
        // Back in favour.
        set_eligibility(&mut rig, 1, 10, true);
        rig.crash(2, 0);
        rig.restart(3);
        rig.run(2_000 * MS);
        assert!(rig.office(1).0 == Role::Leader || rig.office(3).0 == Role::Leader);
    }
}

#[test]
fn a_candidacy_ends_when_its_node_may_not_lead() {
    let mut rig = Rig::with(3, Options::default());
    rig.expire(1);
    assert_eq!(rig.office(1).0, Role::PreCandidate);
    set_eligibility(&mut rig, 1, 10, false);
    assert_eq!(rig.office(1).0, Role::Follower);
    rig.deliver_all();
    assert_eq!(rig.office(1), (Role::Follower, 0, None), "late pre-votes elect nobody");
    let mut rig = Rig::new(3);
    rig.expire(1);
    set_eligibility(&mut rig, 1, 10, false);
    rig.deliver_all();
    assert_eq!(rig.office(1), (Role::Follower, 1, Some(1)), "its vote is kept");
}

#[test]
fn a_low_priority_waits_longer() {
    let mut shortest = [u64::MAX; 2];
    for (at, priority) in [(0, 10), (1, 2)] {
        let mut rig = Rig::with(3, with(|o| o.priority = priority));
        for _ in 0..50 {
            rig.restart(1);
            let wait = rig.node(1).deadline().unwrap().since(rig.now);
            shortest[at] = shortest[at].min(wait);
        }
    }
    assert!(shortest[0] < 200 * MS && shortest[1] >= 750 * MS, "{shortest:?}");
}

#[test]
fn a_campaign_on_request_is_an_ordinary_election() {
    // S-26, D-W4: no leader without a quorum of votes.
    let mut rig = Rig::with(3, Options::default());
    campaign(&mut rig, 1, 0).unwrap();
    assert_eq!(rig.office(1).0, Role::PreCandidate);
    let role = Role::PreCandidate;
    assert_eq!(campaign(&mut rig, 1, 0), Err(CampaignError::WrongRole { role }));
    rig.deliver_all();
    assert_eq!(rig.office(1), (Role::Leader, 1, Some(1)));
    let role = Role::Leader;
    assert_eq!(campaign(&mut rig, 1, 0), Err(CampaignError::WrongRole { role }));
    // Voters in touch with the leader say no.
    campaign(&mut rig, 2, 0).unwrap();
    rig.deliver_all();
    assert_eq!((rig.office(1).0, rig.office(2).1), (Role::Leader, 1));
    // In a term of at least; nothing durable before the pre-votes.
    let mut rig = Rig::with(3, Options::default());
    campaign(&mut rig, 1, 7).unwrap();
    assert_eq!(rig.office(1).1, 0);
    rig.deliver_all();
    assert_eq!(rig.office(1), (Role::Leader, 7, Some(1)));
    rig.crash(1, 0);
    rig.run(400 * MS);
    rig.restart(1);
    let term = rig.node(1).term();
    assert_eq!(campaign(&mut rig, 1, 7), Err(CampaignError::StaleTerm { term }));
    assert_eq!(campaign(&mut rig, 1, u64::MAX), Err(CampaignError::StaleTerm { term }));
    rig.voters = Configuration::new([2, 3].map(NodeId)).unwrap();
    rig.restart(1);
    assert_eq!(campaign(&mut rig, 1, 0), Err(CampaignError::NotVoter));
    rig.step(1, Input::Shutdown).unwrap();
    assert_eq!(campaign(&mut rig, 1, 0), Err(CampaignError::Halted));
    assert_eq!(rig.at(1).node.forget_leader(Instant(0)), Err(CampaignError::Halted));
}

#[test]
fn a_node_told_to_forget_its_leader_votes_for_another() {
    let mut rig = led();
    rig.tick(1);
    rig.deliver_all();
    assert_eq!(rig.tell(2, 3, 2, request_vote(1, 1)), Err(Rejected::LeaderAlive));
    rig.step(3, Input::ForgetLeader).unwrap();
    assert_eq!(rig.node(3).leader_hint(), None);
    rig.tell(2, 3, 2, request_vote(1, 1)).unwrap();
    assert_eq!(rig.office(3), (Role::Follower, 2, Some(2)));
    let now = rig.now;
    let role = Role::Leader;
    let leader = &mut rig.at(1).node;
    assert_eq!(leader.forget_leader(now), Err(CampaignError::WrongRole { role }));
    // It is heard again: followed again.
    let mut rig = led();
    rig.step(3, Input::ForgetLeader).unwrap();
    rig.tick(1);
    rig.deliver_all();
    assert_eq!(rig.node(3).leader_hint(), Some(NodeId(1)));
}

#[test]
fn a_hint_never_names_a_node_outside_the_configuration() {
    // 2.8.
    let mut rig = Rig::with(3, Options::default());
    rig.voters = Configuration::new([1, 2].map(NodeId)).unwrap();
    rig.restart(1);
    rig.tell(3, 1, 1, append((0, 0), &[], 0, 1)).unwrap();
    assert_eq!((rig.node(1).leader_hint(), rig.node(1).status().leader), (None, None));
    let now = rig.now;
    let none = Err(ProposeError::NotLeader { hint: None });
    assert_eq!(rig.at(1).node.propose(now, "x".into()), none);
    rig.lose_all();
    rig.tell(2, 1, 2, append((0, 0), &[], 0, 1)).unwrap();
    assert_eq!(rig.node(1).leader_hint(), Some(NodeId(2)));
    rig.tell(2, 1, 3, vote(false)).unwrap();
    assert_eq!(rig.node(1).leader_hint(), None, "cleared by a change of term");
}
