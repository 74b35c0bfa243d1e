//! The core as a candidate and leader against counting: when it wins, and what it commits.

use std::collections::BTreeSet;

use proptest::{prelude::*, sample::Index};
use raft_core::{
    AppendReply, AppendResult, Boot, BootId, ClusterId, Envelope, Incarnation, Input, Instant,
    LogIndex, Message, Node, NodeId, Options, Output, PersistAck, RecoveryEpoch, Role, Term,
    VoteReply,
};
use raft_proptest::{
    model::majority::{LeaderModel, is_majority},
    strategy::{
        ids::{CLUSTER, GROUP, blank, voters},
        log::{TermRuns, terms},
    },
};

use crate::{config, rerun};

/// What happens next.
#[derive(Clone, Debug)]
enum Next {
    /// This voter answers the request for its vote.
    Vote(u64, bool),
    /// This voter acknowledges the log up to here.
    Matched(u64, Index),
    /// One open write is durable.
    Durable(Index),
    /// A client proposes.
    Propose,
}

fn next() -> impl Strategy<Value = Next> {
    prop_oneof![
        3 => (2..10_u64, prop::bool::weighted(0.8)).prop_map(|(from, yes)| Next::Vote(from, yes)),
        4 => (2..10_u64, any::<Index>()).prop_map(|(from, upto)| Next::Matched(from, upto)),
        2 => any::<Index>().prop_map(Next::Durable),
        2 => Just(Next::Propose),
    ]
}

fn from(sender: u64, term: Term, message: Message) -> Input {
    Input::Receive(Box::new(Envelope {
        cluster: ClusterId(CLUSTER.0),
        group: GROUP,
        epoch: RecoveryEpoch::default(),
        from: NodeId(sender),
        from_incarnation: Incarnation(1),
        to: NodeId(1),
        to_incarnation: Incarnation(1),
        term,
        message,
    }))
}

/// Takes what is due; writes wait, with what each makes durable and whether it is.
fn settle(node: &mut Node, open: &mut Vec<(PersistAck, u64, bool)>) {
    while let Some(output) = node.poll() {
        if let Output::Persist(write) = output {
            open.push((write.ack, node.last().index.0, false));
        }
    }
}

proptest! {
    #![proptest_config(config(400))]

    #[test]
    fn winning_and_committing_are_counting(
        count in 1..=9_u64,
        log in terms(6),
        steps in proptest::collection::vec(next(), 60),
    ) {
        let mut options = Options::default();
        (options.pre_vote, options.check_quorum) = (false, false);
        let mut hard = blank();
        let runs = TermRuns::of(&log);
        hard.term = runs.last().term;
        let boot = Boot::new(BootId(1), 1, hard, voters(count))
            .with_log(runs.runs().to_vec(), runs.last().index, 0);
        let mut node = Node::boot(options, boot, Instant(0)).expect("a legal disk boots");
        let now = node.deadline().expect("a follower waits");
        let mut open = Vec::new();
        node.step(now, Input::Tick).expect("a tick is taken");
        settle(&mut node, &mut open);

        let everybody: BTreeSet<u64> = (1..=count).collect();
        let mut yes = BTreeSet::new();
        let mut model: Option<LeaderModel> = None;
        let mut log = log;
        for step in &steps {
            let term = node.term();
            match step {
                Next::Vote(voter, granted) if *voter <= count && model.is_none() => {
                    let reply = Message::VoteReply(VoteReply { granted: *granted });
                    node.step(now, from(*voter, term, reply)).expect("a candidate takes answers");
                    if *granted {
                        yes.insert(*voter);
                    }
                }
                Next::Matched(voter, upto) if *voter <= count => {
                    let Some(model) = &mut model else { continue };
                    let upto = upto.index(log.len() + 1) as u64;
                    let result = AppendResult::Matched { matched: LogIndex(upto) };
                    let reply = Message::AppendReply(AppendReply { round: 0, result, ..Default::default() });
                    node.step(now, from(*voter, term, reply)).expect("a leader takes answers");
                    model.acknowledged(*voter, upto);
                }
                Next::Durable(which) => {
                    let waiting: Vec<usize> =
                        (0..open.len()).filter(|at| !open[*at].2).collect();
                    if waiting.is_empty() {
                        continue;
                    }
                    let at = *which.get(&waiting);
                    open[at].2 = true;
                    node.step(now, Input::Persisted(open[at].0)).expect("a true acknowledgement");
                }
                Next::Propose => {
                    if node.propose(now, "x".into()).is_ok() {
                        log.push(term.0);
                        if let Some(model) = &mut model {
                            model.log.push(term.0);
                        }
                    }
                }
                Next::Vote(..) | Next::Matched(..) => continue,
            }
            // Only the longest complete prefix of the writes counts, and only then our own vote.
            let done = open.iter().take_while(|(_, _, done)| *done);
            let durable = done.map(|(_, last, _)| *last).last();
            if durable.is_some() {
                yes.insert(1);
            }
            let wins = yes.contains(&1) && is_majority(&everybody, &yes);
            if wins && model.is_none() {
                log.push(term.0);
                model = Some(LeaderModel::new(term.0, log.clone(), everybody.iter().copied()));
            }
            if let (Some(model), Some(durable)) = (&mut model, durable) {
                model.acknowledged(1, durable);
            }
            prop_assert_eq!(
                node.role() == Role::Leader, model.is_some(),
                "after {:?}, votes {:?}\n{}", step, yes, rerun("leader")
            );
            let commit = model.as_ref().map_or(0, |model| model.commit);
            prop_assert_eq!(
                node.commit(), LogIndex(commit),
                "after {:?}: {:?}\n{}", step, model, rerun("leader")
            );
            settle(&mut node, &mut open);
        }
    }
}
