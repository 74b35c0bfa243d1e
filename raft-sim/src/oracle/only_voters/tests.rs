//! Each way to count more than one was told, and the ways that are fine.

use raft_core::{LogIndex, NodeId, Term};

use crate::{
    oracle::{
        Observation,
        OracleId::OnlyVotersCount,
        testkit::{ALL, Kit},
    },
    process::{Claim, MessageKind, MessageLabel},
};

/// Three nodes whose votes for n1 in term 1 are on disk, and nothing is told yet.
fn voted() -> Kit {
    let mut kit = Kit::new(3);
    for voter in [1, 2, 3] {
        kit.vote(voter, 1, 1).unwrap();
    }
    kit
}

/// n1 leads term 1 and all three have stored two entries.
fn stored() -> Kit {
    let mut kit = voted();
    kit.lead(1).unwrap();
    for node in [1, 2, 3] {
        kit.replicate(node, 1, 2).unwrap();
    }
    kit
}

#[test]
fn votes_that_never_arrived_elect_nobody() {
    let mut kit = voted();
    let seen = kit.lead_untold(1);
    kit.broke(seen, OnlyVotersCount, 1, "of 3 voters it only has the votes of n1");
    let mut kit = voted();
    kit.tell(3, 1, Claim::Vote(NodeId(1))).unwrap();
    kit.lead_untold(1).unwrap();
    assert_eq!(kit.checks(OnlyVotersCount), 1);
}

#[test]
fn a_vote_of_an_earlier_term_or_boot_does_not_count() {
    let mut kit = voted();
    kit.tell(2, 1, Claim::Vote(NodeId(1))).unwrap();
    for voter in [1, 2, 3] {
        kit.vote(voter, 2, 1).unwrap();
    }
    let seen = kit.lead_untold(1);
    kit.broke(seen, OnlyVotersCount, 1, "leads term 2, but");
    let mut kit = voted();
    kit.tell(2, 1, Claim::Vote(NodeId(1))).unwrap();
    kit.crash(1).unwrap();
    kit.boot(1).unwrap();
    let seen = kit.lead_untold(1);
    kit.broke(seen, OnlyVotersCount, 1, "only has the votes of n1");
}

#[test]
fn a_vote_of_somebody_else_fills_no_gap() {
    let mut kit = voted();
    kit.tell(2, 1, Claim::Vote(NodeId(1))).unwrap();
    kit.view(1, |view| {
        view.voters = vec![NodeId(1), NodeId(3), NodeId(9)];
        view.configuration = LogIndex(1);
    })
    .unwrap();
    for voter in [1, 3] {
        assert!(kit.node(voter).view.term == Term(1), "n{voter} voted, and could be asked");
    }
    let seen = kit.lead_untold(1);
    kit.broke(
        seen,
        OnlyVotersCount,
        1,
        "only has the votes of n1; n2 said it too and do not count",
    );
}

#[test]
fn while_joint_both_halves_must_have_spoken() {
    let mut kit = stored();
    kit.view(1, |view| {
        view.voters = vec![NodeId(1), NodeId(2), NodeId(3)];
        view.outgoing = vec![NodeId(1), NodeId(3)];
        view.configuration = LogIndex(1);
    })
    .unwrap();
    // A step of its own: what decides is what is in force now.
    kit.view(1, |view| view.applied = LogIndex(0)).unwrap();
    settle(&mut kit);
    kit.tell(2, 1, Claim::Match(LogIndex(2))).unwrap();
    let seen = kit.commit_untold(1, 2);
    kit.broke(seen, OnlyVotersCount, 1, "of 3 voters only n1, n2 told it so");
}

/// A step that changes nothing of the configuration.
fn settle(kit: &mut Kit) {
    let view = kit.node(1).view.clone();
    let changed = crate::process::Changed::APPLIED;
    let node = NodeId(1);
    kit.see(Observation::View { node, boot: 1, changed, before: &view, after: &view }).unwrap();
}

#[test]
fn what_is_on_disks_and_was_not_said_commits_nothing() {
    let mut kit = stored();
    let seen = kit.commit_untold(1, 2);
    kit.broke(seen, OnlyVotersCount, 1, "of 3 voters only n1 told it so");
    let mut kit = stored();
    kit.tell(2, 1, Claim::Match(LogIndex(1))).unwrap();
    kit.tell(3, 1, Claim::Match(LogIndex(2))).unwrap();
    kit.commit_untold(1, 2).unwrap();
}

#[test]
fn an_answer_of_an_earlier_term_commits_nothing() {
    let mut kit = stored();
    let label = MessageLabel {
        claim: Claim::Match(LogIndex(2)),
        ..MessageLabel::plain(MessageKind::APPEND_REPLY, Term(0))
    };
    let late = Observation::Delivered { node: NodeId(1), from: NodeId(2), label: &label };
    kit.see(late).unwrap();
    let seen = kit.commit_untold(1, 2);
    kit.broke(seen, OnlyVotersCount, 1, "only n1 told it so");
}

#[test]
fn a_follower_commits_what_a_leader_has() {
    let mut kit = stored();
    let seen = kit.commit_untold(2, 2);
    kit.broke(seen, OnlyVotersCount, 2, "as a Follower, and no leader has committed beyond 0");
    let mut kit = stored();
    kit.commit(1, 2).unwrap();
    kit.commit_untold(2, 2).unwrap();
    // A leader that steps down in the step in which it commits has counted as a leader.
    let mut kit = stored();
    kit.tell(2, 1, Claim::Match(LogIndex(2))).unwrap();
    kit.view(1, |view| {
        view.role = raft_core::Role::Follower;
        view.commit = LogIndex(2);
    })
    .unwrap();
}

#[test]
fn without_it_nobody_sees_a_commit_that_is_only_lucky() {
    let mut kit = Kit::with(3, ALL, &[OnlyVotersCount]);
    kit.elect(1, 1, &[2, 3]).unwrap();
    for node in [1, 2, 3] {
        kit.replicate(node, 1, 2).unwrap();
    }
    kit.commit_untold(1, 2).unwrap();
}

#[test]
fn what_another_life_of_a_disk_said_does_not_count() {
    let said = |kit: &mut Kit, life, upto| {
        let plain = MessageLabel::plain(MessageKind::APPEND_REPLY, Term(1));
        let label = MessageLabel { claim: Claim::Match(LogIndex(upto)), life, ..plain };
        kit.see(Observation::Delivered { node: NodeId(1), from: NodeId(2), label: &label })
            .unwrap();
    };
    let mut kit = stored();
    said(&mut kit, 1, 2);
    said(&mut kit, 2, 0);
    let seen = kit.commit_untold(1, 2);
    kit.broke(seen, OnlyVotersCount, 1, "only n1 told it so");
    let mut kit = stored();
    said(&mut kit, 1, 2);
    said(&mut kit, 1, 0);
    kit.commit_untold(1, 2).unwrap();
}

#[test]
fn the_newest_configuration_of_the_own_log_decides() {
    let written = |kit: &mut Kit, voters: &[u64]| {
        let voters: Vec<NodeId> = voters.iter().copied().map(NodeId).collect();
        let entry = crate::oracle::testkit::entry(1, 2);
        let outgoing = &[];
        kit.see(Observation::ConfigurationWritten { entry, voters: &voters, outgoing }).unwrap();
    };
    let mut kit = stored();
    written(&mut kit, &[1, 2]);
    kit.tell(2, 1, Claim::Match(LogIndex(2))).unwrap();
    let seen = kit.commit_untold(1, 2);
    let reason =
        "n1 counts n1, n2, n3, and the newest configuration of its log, at 1/2, has n1, n2";
    kit.broke(seen, OnlyVotersCount, 1, reason);
    let mut kit = stored();
    written(&mut kit, &[1, 2, 3]);
    kit.commit(1, 2).unwrap();
    // What is appended and not handed out yet cannot be compared.
    let mut kit = stored();
    written(&mut kit, &[1, 2]);
    kit.view(1, |view| view.configuration = LogIndex(3)).unwrap();
    kit.commit(1, 2).unwrap();
}
