//! The core as a follower against the model: same state and same replies after every message.
//!
//! The disk acknowledges at once, the log stays in memory, and no tick is given, so the node never
//! campaigns; slow disks and other roles are the rig's.

use std::collections::BTreeMap;

use proptest::prelude::*;
use raft_core::{
    AppendEntries, AppendResult, Boot, BootId, Envelope, HaltReason, Input, Instant, LogIndex,
    LogPosition, Message, Node, NodeId, Options, Output, Rejected, Term,
};
use raft_proptest::{
    model::{
        refine,
        rules::{FollowerModel, Outcome, Reply},
    },
    strategy::{
        ids::{blank, voters},
        log::{Family, entries_after, family},
        message::{Damage, Near, Saying, Scene, Sketch, hostile, valid},
    },
};

use crate::{config, rerun};

/// One message to the follower.
#[derive(Clone, Debug)]
enum Post {
    /// Relative to the follower's own state.
    Sketch(Sketch),
    /// From the log of the leader of a term: where it starts, how much of it, and its commit.
    Leader { term: prop::sample::Index, from: prop::sample::Index, count: usize, commit: u64 },
}

fn post() -> impl Strategy<Value = Post> {
    prop_oneof![
        3 => valid().prop_filter("of the paper", of_the_paper).prop_map(Post::Sketch),
        3 => hostile().prop_filter("of the paper", of_the_paper).prop_map(Post::Sketch),
        5 => (any::<prop::sample::Index>(), any::<prop::sample::Index>(), 0..5_usize, 0..3_u64)
            .prop_map(|(term, from, count, commit)| Post::Leader { term, from, count, commit }),
    ]
}

/// Whether the model has rules for it: it knows no campaigns, no snapshots, no changes of members.
fn of_the_paper(sketch: &Sketch) -> bool {
    !matches!(
        sketch.saying,
        Saying::TimeoutNow { .. } | Saying::InstallMeta { .. } | Saying::NotMember { .. }
    )
}

fn envelope(post: &Post, family: &Family, scene: &Scene<'_>) -> Envelope {
    match post {
        Post::Sketch(sketch) => Sketch { damage: Damage::None, ..sketch.clone() }.envelope(scene),
        Post::Leader { term, from, count, commit } => {
            let term = term.index(family.logs.len());
            let log = &family.logs[term];
            let start = from.index(log.len() + 1);
            let before = start.checked_sub(1).map_or(0, |at| log[at]);
            let previous = LogPosition::new(Term(before), LogIndex(start as u64));
            let end = (start + count).min(log.len());
            let heartbeat = Sketch {
                from: term as u64,
                term: Near::Exactly(term as u64 + 1),
                saying: Saying::StaleTerm,
                damage: Damage::None,
            };
            let mut envelope = heartbeat.envelope(scene);
            envelope.message = Message::AppendEntries(AppendEntries {
                previous,
                entries: entries_after(previous, &log[start..end]),
                commit: LogIndex(*commit),
                round: scene.round,
                void_transfer: 0,
            });
            envelope
        }
    }
}

/// Steps, acknowledges every write at once, and returns the last reply of each peer.
fn exchange(node: &mut Node, now: Instant, input: Input) -> Result<Option<(u64, Reply)>, Rejected> {
    node.step(now, input)?;
    let mut last = BTreeMap::new();
    while let Some(output) = node.poll() {
        match output {
            Output::Persist(write) => drop(node.step(now, Input::Persisted(write.ack))),
            Output::Send(envelope) => {
                if let Some(reply) = refine::reply(&envelope.message) {
                    last.insert(envelope.to.0, reply);
                }
            }
            _ => {}
        }
    }
    assert!(last.len() <= 1, "one message is answered to one peer: {last:?}");
    Ok(last.pop_first())
}

proptest! {
    #![proptest_config(config(400))]

    #[test]
    fn the_core_refines_the_model(
        sticky in any::<bool>(),
        family in family(8),
        posts in proptest::collection::vec((post(), 0..60_000_000_u64), 60),
    ) {
        let mut options = Options::default();
        options.check_quorum = sticky;
        let boot = Boot::new(BootId(1), 1, blank(), voters(4));
        let mut node = Node::boot(options.clone(), boot, Instant(0)).expect("an empty disk boots");
        let mut model = FollowerModel::new(options.election_min_ns, sticky);
        let mut now = Instant(0);
        for (number, (post, wait)) in posts.iter().enumerate() {
            now = now.plus(*wait);
            let round = number as u64 / 3 + 1;
            let scene = Scene { node: &node, voters: 4, asked: None, reading: None, round };
            let envelope = envelope(post, &family, &scene);
            // The model has no opinion on numbers no leader can send.
            if !sound(&envelope) {
                prop_assert!(node.step(now, Input::Receive(Box::new(envelope))).is_err());
                continue;
            }
            let sender = envelope.from;
            let want = refine::take(&mut model, now.0, &envelope);
            let got = exchange(&mut node, now, Input::Receive(Box::new(envelope.clone())));
            let same = match (&want, &got) {
                (Outcome::Dropped, Err(_)) => true,
                (Outcome::Taken(want), Ok(got)) => {
                    want.as_ref() == got.as_ref().map(|(_, reply)| reply)
                        && got.as_ref().is_none_or(|(to, _)| NodeId(*to) == sender)
                }
                (Outcome::Stop, Ok(_)) => {
                    let stopped =
                        matches!(node.halted(), Some(HaltReason::CommittedConflict { .. }));
                    prop_assert!(stopped, "{:?} {}", envelope, node.status());
                    return Ok(());
                }
                _ => false,
            };
            prop_assert!(
                same && node.halted().is_none(),
                "message {}: {:?}\nmodel: {:?}\ncore:  {:?}\n{}",
                number, envelope, want, got, rerun("follower")
            );
            prop_assert_eq!(
                refine::of_node(&node),
                refine::of_model(&model),
                "after message {}: {:?}\n{}", number, envelope, rerun("follower")
            );
        }
    }
}

/// Whether a correct peer could have sent these numbers at all.
fn sound(envelope: &Envelope) -> bool {
    let term = envelope.term;
    let max = u64::MAX >> 2;
    let position = |at: LogPosition| (at.index.0 == 0) == (at.term.0 == 0) && at.index.0 <= max;
    let spoken = term.0 >= 1 && term.0 <= max;
    match &envelope.message {
        Message::PreVote(ask) => {
            term.0 <= max
                && ask.campaign_term.0 == term.0 + 1
                && position(ask.last)
                && ask.last.term <= term
        }
        Message::PreVoteReply(_) => term.0 <= max,
        Message::RequestVote(ask) => {
            spoken
                && position(ask.last)
                && ask.last.term < term
                && ask.authorised_by.is_none_or(|by| by.0.checked_add(1) == Some(term.0))
        }
        Message::AppendEntries(append) => {
            let previous = append.previous;
            let top = append.entries.last().unwrap_or(previous);
            let head = append.entries.iter().next().map(|entry| entry.position);
            spoken
                && position(previous)
                && top.term <= term
                && top.index.0 <= max
                && previous.term <= term
                && head
                    .is_none_or(|at| at.term >= previous.term && at.index == previous.index.next())
        }
        Message::AppendReply(reply) => {
            spoken
                && match reply.result {
                    AppendResult::Refused { previous, hint } => {
                        position(hint) && hint.index <= previous && hint.term <= term
                    }
                    _ => true,
                }
        }
        _ => spoken,
    }
}
