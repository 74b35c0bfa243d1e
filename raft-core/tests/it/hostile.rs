//! Hostile and mistaken input: refused, counted, and never a panic.
//!
//! **Intuition.** Whatever a peer says, the node either takes it by the rules or refuses it with a
//! reason and is unchanged (the rig compares). A halt is for what its own storage or a committed
//! entry contradicts, never for a peer's mistake.
//! **Source.** D-T8, D-Z14, D18 of our departures.
//! **Upholds.** `inv:monotone`, `inv:one-vote-per-term`, `inv:committed-immutable`.
//! **Not here.** Bytes; there is no codec yet.

use raft_core::{
    AppendEntries, AppendReply, AppendResult, BootId, ClusterId, Envelope, GroupId, HaltReason,
    Incarnation, Input, LogIndex, LogPosition, Message, NodeId, PreVote, RecoveryEpoch, Rejected,
    RequestVote, Role, RoundId, Term,
};

use crate::rig::*;

const HUGE: [u64; 6] = [0, 1, 5, 1 << 61, 1 << 62, u64::MAX];

fn in_role(role: Role) -> Rig {
    let options = with(|o| o.check_quorum = false);
    let mut rig = Rig::with(3, options);
    rig.begin(1, 4, None, &[1, 1, 3]);
    if role == Role::Follower {
        rig.tell(3, 1, 5, append((3, 3), &[5], 3, 1)).unwrap();
        return rig;
    }
    rig.expire(1);
    let round = RoundId { boot: BootId(1_001), number: 1 };
    if role != Role::PreCandidate {
        rig.tell(2, 1, 4, pre_vote_reply(round, true)).unwrap();
    }
    if role == Role::Leader {
        rig.tell(2, 1, 5, vote(true)).unwrap();
        rig.tell(2, 1, 5, matched(4, 1)).unwrap();
    }
    assert_eq!(rig.node(1).role(), role);
    rig
}

/// Every kind of message with every combination of a few strange numbers.
fn strange_messages() -> Vec<Message> {
    let mut all = Vec::new();
    for a in HUGE {
        for b in HUGE {
            let position = at(a, b);
            all.push(Message::RequestVote(RequestVote { last: position, ..Default::default() }));
            let round = RoundId { boot: BootId(a), number: b };
            all.push(pre_vote_reply(round, true));
            all.push(pre_vote_reply(round, false));
            for campaign in [Term(a), Term(b), Term(a.saturating_add(1))] {
                let ask = PreVote { round, campaign_term: campaign, last: position };
                all.push(Message::PreVote(ask));
            }
            for result in [
                AppendResult::Matched { matched: LogIndex(a) },
                AppendResult::Refused { previous: LogIndex(a), hint: at(b, a) },
                AppendResult::Refused { previous: LogIndex(a), hint: at(a, b) },
                AppendResult::StaleTerm,
            ] {
                all.push(Message::AppendReply(AppendReply {
                    round: b,
                    result,
                    ..Default::default()
                }));
            }
            for run in [&[][..], &[1], &[3, 5], &[5, 5, 5], &[9]] {
                let before = if b > 1 << 62 { 4 } else { b };
                all.push(Message::AppendEntries(AppendEntries {
                    previous: position,
                    entries: entries(before, run),
                    commit: LogIndex(a),
                    round: b,
                    void_transfer: 0,
                }));
            }
        }
    }
    all.extend([vote(true), vote(false)]);
    all
}

#[test]
fn no_message_panics_in_any_role_and_term() {
    // D-T8, D-Z14. The rig checks after each step: invariants, what never falls, and that a
    // refusal changed nothing.
    for role in [Role::Follower, Role::PreCandidate, Role::Candidate, Role::Leader] {
        let fresh = in_role(role);
        for term in [0, 3, 4, 5, 6, 1 << 62, u64::MAX] {
            for message in strange_messages() {
                let mut rig = Rig::with(3, fresh.options.clone());
                rig.now = fresh.now;
                rig.at(1).node = fresh.node(1).clone();
                rig.at(1).disk = fresh.servers[0].disk.clone();
                let log = rig.log(1);
                let result = rig.tell(2, 1, term, message.clone());
                if term > u64::MAX >> 2 {
                    let asks = matches!(message, Message::PreVote(_));
                    assert!(asks || result == Err(Rejected::Malformed), "{message:?}");
                }
                if role == Role::Leader && rig.node(1).role() == Role::Leader {
                    assert_eq!(rig.log(1), log, "T-3.2-02: {message:?}");
                }
            }
        }
    }
}

#[test]
fn an_envelope_of_somebody_else_is_refused_with_its_reason() {
    // T-ext-05; "a reply whose sender field differs" is the sender check.
    type Spoil = fn(&mut Envelope);
    let wrong: [(Spoil, Rejected); 8] = [
        (|e| e.cluster = ClusterId(8), Rejected::WrongCluster),
        (|e| e.group = GroupId(2), Rejected::WrongGroup),
        (|e| e.epoch = RecoveryEpoch { number: 1, plan_id: 0 }, Rejected::WrongEpoch),
        (|e| e.to = NodeId(3), Rejected::NotForUs),
        (|e| e.from = NodeId(1), Rejected::UnknownSender),
        (|e| e.from_incarnation = Incarnation(0), Rejected::WrongIncarnation),
        (|e| e.to_incarnation = Incarnation(5), Rejected::WrongIncarnation),
        (|e| e.term = Term(0), Rejected::Malformed),
    ];
    for (spoil, reason) in wrong {
        for message in [append((0, 0), &[5], 1, 1), request_vote(1, 1), vote(true), matched(1, 1)] {
            let mut rig = Rig::new(3);
            let mut envelope = envelope(2, 1, 6, message);
            spoil(&mut envelope);
            // Into node 1, whatever the envelope says.
            assert_eq!(rig.step(1, Input::Receive(Box::new(envelope))), Err(reason));
            assert_eq!(rig.node(1).status().rejections, [(reason, 1)]);
            assert!(rig.net.is_empty());
        }
    }
    // A stranger may lead or ask, since its configuration may be newer; it answers nothing.
    for (message, accepted) in [
        (append((0, 0), &[5], 1, 1), true),
        (request_vote(1, 1), true),
        (vote(true), false),
        (matched(1, 1), false),
    ] {
        let mut rig = Rig::new(3);
        let told = rig.step(1, Input::Receive(Box::new(envelope(9, 1, 6, message))));
        assert_eq!(told.err(), (!accepted).then_some(Rejected::UnknownSender));
    }
}

#[test]
fn a_wiped_disk_does_not_speak_for_the_old_one() {
    let mut rig = Rig::new(3);
    rig.tell(2, 1, 1, append((0, 0), &[], 0, 1)).unwrap();
    let mut other_life = envelope(2, 1, 1, append((0, 0), &[], 0, 2));
    other_life.from_incarnation = Incarnation(999);
    assert_eq!(rig.receive(other_life), Err(Rejected::WrongIncarnation));
}

#[test]
fn a_refused_message_does_not_teach_an_incarnation() {
    let mut rig = Rig::new(3);
    rig.begin(1, 5, None, &[]);
    let mut spoof = envelope(2, 1, 4, vote(true));
    spoof.from_incarnation = Incarnation(999);
    assert_eq!(rig.receive(spoof), Err(Rejected::Stale));
    rig.tell(2, 1, 5, append((0, 0), &[], 0, 1)).unwrap();
}

#[test]
fn a_malformed_message_does_not_even_bring_its_term() {
    let mut rig = in_role(Role::Leader);
    let torn = Message::AppendEntries(AppendEntries {
        previous: at(1, 2),
        entries: entries(7, &[9]),
        commit: LogIndex(0),
        round: 1,
        void_transfer: 0,
    });
    let boast = request_vote(9, 9);
    for message in [torn, boast, refused(3, (1, 5), 1)] {
        assert_eq!(rig.tell(2, 1, 9, message), Err(Rejected::Malformed));
        assert_eq!(rig.office(1), (Role::Leader, 5, Some(1)));
    }
}

#[test]
fn a_leader_that_takes_back_what_it_said_is_refused() {
    // Found by reading: this used to be an assertion, so one forged append stopped the process.
    let mut rig = Rig::new(3);
    rig.tell(2, 1, 5, append((0, 0), &[1, 1, 5, 5], 1, 1)).unwrap();
    for forged in [
        append((1, 2), &[4, 5], 1, 2),
        append((1, 2), &[5, 5, 5], 1, 2),
        append((1, 1), &[1, 5, 5, 5], 1, 2),
        append((4, 4), &[], 4, 2),
        append((1, 3), &[5], 1, 2),
        append((1, 1), &[4], 1, 2),
    ] {
        let honest = forged == append((1, 2), &[5, 5, 5], 1, 2)
            || forged == append((1, 1), &[1, 5, 5, 5], 1, 2);
        let result = rig.tell(2, 1, 5, forged.clone());
        assert_eq!(result.is_ok(), honest, "{forged:?}");
        assert_eq!(rig.log(1)[..4], [1, 1, 5, 5]);
    }
    assert_eq!((rig.log(1), rig.commit(1)), (vec![1, 1, 5, 5, 5], 1));
}

#[test]
fn t_3_6_3_03_a_committed_entry_is_never_removed() {
    // D18, D-T11: an older term is refused, the current one halts; the log stays.
    let mut rig = Rig::new(3);
    rig.begin(1, 5, None, &[1, 1, 5]);
    rig.tell(2, 1, 6, append((5, 3), &[6], 3, 1)).unwrap();
    assert_eq!(rig.commit(1), 3);
    rig.tell(2, 1, 5, append((1, 1), &[5], 3, 1)).unwrap();
    assert_eq!(rig.node(1).halted(), None, "of an older term");
    let mut second = Rig::new(3);
    for (forged, at) in [(append((1, 1), &[5], 3, 1), 2), (append((4, 3), &[6], 3, 1), 3)] {
        second.begin(1, 5, None, &[1, 1, 5]);
        second.tell(2, 1, 6, append((5, 3), &[], 3, 1)).unwrap();
        second.tell(2, 1, 6, forged).unwrap();
        let reason = HaltReason::CommittedConflict { index: LogIndex(at) };
        assert_eq!(second.node(1).halted(), Some(reason));
        assert_eq!((second.log(1), second.at(1).halted), (vec![1, 1, 5], Some(reason)));
    }
}

#[test]
fn two_leaders_in_a_term_are_a_mistake_of_the_second() {
    let mut rig = in_role(Role::Follower);
    assert_eq!(rig.tell(2, 1, 5, append((5, 4), &[5], 4, 9)), Err(Rejected::Malformed));
    let mut rig = in_role(Role::Leader);
    assert_eq!(rig.tell(2, 1, 5, append((1, 1), &[5], 4, 9)), Err(Rejected::Malformed));
    assert_eq!(rig.office(1).0, Role::Leader);
}

#[test]
fn an_answer_that_claims_too_much_is_refused() {
    let mut rig = in_role(Role::Leader);
    let commit = rig.commit(1);
    for lie in [matched(5, 1), matched(4, 99), refused(9, (1, 1), 1)] {
        assert_eq!(rig.tell(3, 1, 5, lie), Err(Rejected::Malformed));
    }
    assert_eq!(rig.tell(3, 1, 5, stale_term()), Err(Rejected::Stale), "of an earlier reign");
    assert_eq!((rig.commit(1), rig.progress(1, 3).0), (commit, 0));
}

#[test]
fn a_thousand_doubled_refusals_leave_next_above_match() {
    // D-T9, D-W11.
    let mut rig = in_role(Role::Leader);
    for n in 0..1_000 {
        let _any = rig.tell(3, 1, 5, refused(n % 4, (0, 0), 1));
        let _any = rig.tell(2, 1, 5, refused(n % 4, (0, 0), 1));
        rig.lose_all();
    }
    assert_eq!(rig.progress(1, 3), (0, 1));
    assert_eq!(rig.progress(1, 2), (4, 5), "what is known is not searched again");
}

#[test]
fn an_entry_of_an_unknown_kind_disables_instead_of_being_skipped() {
    // S-08: from a peer, and from the own disk after a downgrade.
    let strange = |index| {
        let entry = raft_core::Entry { kind: raft_core::EntryKind(200), ..Default::default() };
        (LogPosition::new(Term(1), LogIndex(index)), entry)
    };
    let mut rig = Rig::new(3);
    let message = Message::AppendEntries(AppendEntries {
        previous: LogPosition::ZERO,
        entries: raft_core::Entries::collect([strange(1)]).unwrap(),
        commit: LogIndex(1),
        round: 1,
        void_transfer: 0,
    });
    rig.tell(2, 1, 1, message).unwrap();
    let reason = raft_core::DisableReason::UnsupportedEntry { index: LogIndex(1), kind: 200 };
    assert_eq!((rig.node(1).disabled(), rig.log(1).len()), (Some(reason), 0));
    let mut rig = Rig::new(3);
    rig.at(1).disk.log = vec![strange(1)];
    rig.at(1).disk.hard.term = Term(1);
    rig.restart(1);
    rig.tell(2, 1, 1, append((1, 1), &[], 1, 1)).unwrap();
    assert_eq!((rig.node(1).disabled(), rig.at(1).applies.len()), (Some(reason), 0));
}
