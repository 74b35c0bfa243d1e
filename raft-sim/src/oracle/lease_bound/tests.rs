//! Each way to break or overstretch a promise, and the ways that are fine.

use raft_core::{LogIndex, LogPosition, NodeId, Role, Term};

use crate::{
    oracle::{
        Observation,
        OracleId::LeaseBound,
        Violation,
        testkit::{Kit, hard},
    },
    process::{Claim, HardRecord, MessageKind, MessageLabel},
};

/// What everybody promises here. Clocks may be off by 0.1 %.
const PROMISE: u64 = 1_000_000;
/// How long it surely lasts.
const SURE: u64 = PROMISE * 1_000 / 1_001;

struct Story(Kit);

impl Story {
    /// n1 leads term 1 of five, and everybody has written the promise down.
    fn new() -> Self {
        let mut kit = Kit::new(5);
        kit.elect(1, 1, &[2, 3]).unwrap();
        for node in 1..=5 {
            let vote = if node <= 3 { 1 } else { 0 };
            let record = HardRecord { promise: PROMISE, ..hard(1, vote) };
            kit.view(node, |view| view.term = Term(1)).unwrap();
            kit.write(node, Some(record), None, &[]).unwrap();
        }
        Self(kit)
    }

    fn at(&mut self, at: u64, fact: Observation<'_>) -> Result<(), Violation> {
        self.0.event += 1;
        self.0.oracles.observe(self.0.event, at, fact)
    }

    /// n1 speaks a round to `to`.
    fn speaks(&mut self, at: u64, to: u64, round: u64) {
        let label = MessageLabel { round, ..MessageLabel::plain(MessageKind::HEARTBEAT, Term(1)) };
        let sent = Observation::Sent { node: NodeId(1), to: NodeId(to), label: &label };
        self.at(at, sent).unwrap();
    }

    /// `from` answers it and promises.
    fn promises(&mut self, at: u64, from: u64, round: u64) -> Result<(), Violation> {
        let plain = MessageLabel::plain(MessageKind::APPEND_REPLY, Term(1));
        let label = MessageLabel { round, promise: PROMISE, ..plain };
        self.at(at, Observation::Sent { node: NodeId(from), to: NodeId(1), label: &label })
    }

    fn reads(&mut self, at: u64) -> Result<(), Violation> {
        self.at(at, Observation::LeaseRead { op: 1, node: NodeId(1) })
    }

    /// `voter` votes for `candidate` in `term` at that time.
    fn votes(&mut self, at: u64, voter: u64, candidate: u64, term: u64) -> Result<(), Violation> {
        let before = self.0.node(voter).view.clone();
        let view = &mut self.0.node(voter).view;
        (view.term, view.vote) = (Term(term), Some(NodeId(candidate)));
        (view.role, view.leader) = (Role::Follower, None);
        let after = self.0.node(voter).view.clone();
        let changed = crate::process::Changed::VOTE;
        let (before, after) = (&before, &after);
        self.at(at, Observation::View { node: NodeId(voter), boot: 1, changed, before, after })
    }

    #[track_caller]
    fn broke(seen: Result<(), Violation>, reason: &str) {
        let violation = seen.expect_err("the oracle objects");
        assert_eq!(violation.oracle, LeaseBound, "{}", violation.reason);
        assert!(violation.reason.contains(reason), "{}", violation.reason);
    }

    /// n1 spoke at 1,000 and n2 and n3 promised.
    fn leased() -> Self {
        let mut story = Self::new();
        for peer in [2, 3] {
            story.speaks(1_000, peer, 7);
            story.promises(5_000, peer, 7).unwrap();
        }
        story
    }
}

#[test]
fn a_lease_lasts_as_long_as_the_fastest_clock_keeps_the_promise() {
    let mut story = Story::leased();
    story.reads(1_000 + SURE).unwrap();
    let seen = Story::leased().reads(1_000 + SURE + 20);
    Story::broke(seen, "of 5 voters only n1 are surely bound");
}

#[test]
fn it_is_counted_from_the_round_that_was_answered() {
    let mut story = Story::leased();
    story.speaks(400_000, 2, 8);
    story.speaks(400_000, 3, 8);
    story.promises(900_000, 2, 8).unwrap();
    // n3 answers the old round once more, late.
    story.promises(900_000, 3, 7).unwrap();
    let seen = story.reads(1_000 + SURE + 20);
    Story::broke(seen, "only n1, n2 are surely bound");
}

#[test]
fn too_few_promises_are_no_lease() {
    let mut story = Story::new();
    story.speaks(1_000, 2, 7);
    story.promises(2_000, 2, 7).unwrap();
    Story::broke(story.reads(3_000), "only n1, n2 are surely bound");
    let mut story = Story::leased();
    story.0.view(1, |view| view.role = Role::Follower).unwrap();
    Story::broke(story.reads(3_000), "reads by lease and is a Follower");
}

#[test]
fn a_vote_for_another_before_the_promise_is_over_is_seen() {
    let mut story = Story::leased();
    let seen = story.votes(1_000 + SURE - 100, 2, 4, 2);
    Story::broke(seen, "n2 votes for n4 in term 2, 100 ns before its promise to n1");
    Story::leased().votes(1_000 + SURE, 2, 4, 2).unwrap();
    // Who promised nothing is free, and so is a vote for the leader itself.
    Story::leased().votes(2_000, 5, 4, 2).unwrap();
    Story::leased().votes(2_000, 2, 1, 2).unwrap();
}

#[test]
fn a_restart_frees_nobody() {
    let mut story = Story::leased();
    story.0.crash(2).unwrap();
    story.0.boot(2).unwrap();
    let seen = story.votes(100_000, 2, 4, 2);
    Story::broke(seen, "before its promise to n1, leader of term 1, is over");
}

#[test]
fn whoever_follows_the_next_leader_owes_the_last_one_nothing() {
    let mut story = Story::leased();
    story
        .0
        .view(2, |view| (view.term, view.vote, view.leader) = (Term(2), None, Some(NodeId(4))))
        .unwrap();
    story.votes(2_000, 2, 5, 3).unwrap();
}

#[test]
fn a_transfer_frees_voters_for_its_target_in_the_next_term_alone() {
    let asked = |story: &mut Story, told: u64| {
        let plain = MessageLabel::plain(MessageKind::TIMEOUT_NOW, Term(1));
        let label = MessageLabel { last: LogIndex(told), ..plain };
        story
            .at(2_000, Observation::Sent { node: NodeId(1), to: NodeId(4), label: &label })
            .unwrap();
    };
    let campaigns = |story: &mut Story, by: Option<Term>| {
        let own = HardRecord { promise: PROMISE, ..hard(2, 4) };
        let candidate = |v: &mut crate::process::NodeView| {
            (v.term, v.vote, v.role, v.leader) = (Term(2), Some(NodeId(4)), Role::Candidate, None);
        };
        story.0.view(4, candidate).unwrap();
        story.0.write(4, Some(own), None, &[]).unwrap();
        let claim = Claim::Candidacy(LogPosition::ZERO);
        let plain = MessageLabel::plain(MessageKind::REQUEST_VOTE, Term(2));
        let label = MessageLabel { claim, authority: by, ..plain };
        story.at(3_000, Observation::Sent { node: NodeId(4), to: NodeId(2), label: &label })
    };
    let mut story = Story::leased();
    asked(&mut story, 0);
    Story::broke(story.reads(2_500), "n4 may still campaign in its name");

    let mut story = Story::leased();
    asked(&mut story, 0);
    campaigns(&mut story, Some(Term(1))).unwrap();
    story.votes(4_000, 2, 4, 2).unwrap();
    assert!(story.reads(4_500).is_err(), "a promise was given up");

    // An ordinary campaign of the same node frees nobody.
    let mut story = Story::leased();
    asked(&mut story, 0);
    campaigns(&mut story, None).unwrap();
    Story::broke(story.votes(4_000, 2, 4, 2), "n2 votes for n4");

    // Nor does one that says what is not so.
    let mut story = Story::leased();
    Story::broke(campaigns(&mut story, Some(Term(1))), "that never asked it to");
}

#[test]
fn a_lease_is_over_once_a_later_term_has_a_leader() {
    let mut story = Story::leased();
    story.0.event = 100;
    for voter in [3, 4, 5] {
        // Only the reading is judged here.
        story.votes(1_000 + SURE, voter, 4, 2).unwrap();
        story
            .0
            .write(voter, Some(HardRecord { promise: PROMISE, ..hard(2, 4) }), None, &[])
            .unwrap();
    }
    for voter in [3, 5] {
        story.0.tell(voter, 4, Claim::Vote(NodeId(4))).unwrap();
    }
    story.0.lead_untold(4).unwrap();
    Story::broke(story.reads(1_000 + SURE - 50), "and term 2 has a leader");
}

#[test]
fn a_promise_is_on_disk_before_it_is_stated_and_never_shortened() {
    let mut kit = Kit::new(3);
    kit.elect(1, 1, &[2]).unwrap();
    let mut story = Story(kit);
    story.speaks(1_000, 2, 7);
    Story::broke(story.promises(2_000, 2, 7), "states a promise of 1000000 ns to n1");
    let mut story = Story::new();
    let shorter = HardRecord { promise: PROMISE - 1, ..hard(1, 1) };
    let seen = story.0.write(2, Some(shorter), None, &[]);
    Story::broke(seen, "shortens the promise on its disk from 1000000 to 999999 ns");
    assert!(story.0.checks(LeaseBound) > 0);
}
