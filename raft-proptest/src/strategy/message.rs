//! Messages as sketches: valid, stale and hostile, made concrete against a node's present state.
//!
//! **Intuition.** A random envelope is refused at the door. What finds bugs is an envelope that is
//! right in all but one respect: one term too old, one index too far, a match that cannot be, the
//! right answer from the wrong life. So each part of a message is drawn as a relation to what the
//! node holds, and at most one identity is damaged.
//! **Source.** Ours; the relations are those of thesis Fig. 3.1 and of known defects.
//! **Upholds.** Nothing; inputs for tests of all invariants.
//! **Not here.** Other inputs (`input.rs`).

use proptest::prelude::*;
use raft_core::{
    AppendEntries, AppendReply, AppendResult, BootId, ClusterId, ConfigLevel, Envelope, GroupId,
    Incarnation, InstallMeta, LogIndex, LogPosition, Message, Node, NodeId, NotMember, PreVote,
    PreVoteReply, ReadIndex, ReadIndexReply, RecoveryEpoch, RequestVote, RoundId, SnapshotMeta,
    Term, TimeoutNow, TransferRefusal, TransferRefused, VoteReply,
};

use super::{
    ids::{CLUSTER, GROUP},
    log::entries_after,
};
use crate::bytes::{
    arbitrary::{Around, envelope},
    source::Source,
};

/// What a sketch is made concrete against.
#[derive(Clone, Copy, Debug)]
pub struct Scene<'a> {
    /// The receiver.
    pub node: &'a Node,
    /// How many voters there are, `n1` (the receiver) included.
    pub voters: u64,
    /// The newest round of pre-votes the receiver asked for.
    pub asked: Option<RoundId>,
    /// The newest question of a read the receiver asked its leader.
    pub reading: Option<RoundId>,
    /// The newest round of appends the receiver sent.
    pub round: u64,
}

/// A number in relation to one the node has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Near {
    /// That far below, not below 0.
    Below(u64),
    /// Exactly it.
    At,
    /// That far above.
    Above(u64),
    /// Whatever the node has, this.
    Exactly(u64),
}

impl Near {
    const fn to(self, base: u64) -> u64 {
        match self {
            Self::Below(by) => base.saturating_sub(by),
            Self::At => base,
            Self::Above(by) => base.saturating_add(by),
            Self::Exactly(value) => value,
        }
    }
}

/// Which identity of an envelope is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Damage {
    /// None.
    None,
    /// Another cluster.
    Cluster,
    /// Another group.
    Group,
    /// Another recovery epoch.
    Epoch,
    /// To somebody else.
    Receiver,
    /// From a node that is no voter.
    Stranger,
    /// From the receiver itself.
    Itself,
    /// From another life of the sender's disk.
    SenderLife,
    /// For another life of the receiver's disk.
    ReceiverLife,
}

/// What is said, in relation to the receiver's state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Saying {
    /// A pre-vote request; the position is relative to the receiver's last.
    PreVote {
        /// Index of the asker's last entry.
        index: Near,
        /// Its term.
        term: Near,
        /// How far above the envelope's term the campaign is; 1 is right.
        campaign: u64,
    },
    /// An answer to the receiver's pre-vote.
    PreVoteReply {
        /// Yes or no.
        granted: bool,
        /// The round answered, relative to the one asked.
        round: Near,
        /// Of another boot.
        foreign: bool,
    },
    /// A request for a vote; the position is relative to the receiver's last.
    RequestVote {
        /// Index of the candidate's last entry.
        index: Near,
        /// Its term.
        term: Near,
        /// The term whose leader authorised it, relative to the one below the envelope's.
        authorised: Option<Near>,
    },
    /// An answer to the receiver's request.
    VoteReply {
        /// Yes or no.
        granted: bool,
    },
    /// Entries or a heartbeat.
    Append {
        /// Index of the previous position, relative to the receiver's last.
        previous: Near,
        /// If set, the previous position claims this term rather than the one the receiver holds.
        previous_term: Option<u64>,
        /// How the term of each entry differs from the one before it, downwards from the
        /// envelope's term at most.
        steps: Vec<u64>,
        /// Commit index, relative to the last entry sent.
        commit: Near,
        /// Round, relative to the newest known.
        round: Near,
        /// Transfers up to this one are void.
        void_transfer: u64,
    },
    /// An acknowledgement; the index is relative to the receiver's last.
    Matched {
        /// What is acknowledged.
        index: Near,
        /// Round answered, relative to the newest sent.
        round: Near,
        /// The promise stated with it.
        promise_ns: u64,
        /// What the sender says it has applied, relative to what it acknowledges.
        applied: Near,
    },
    /// A refusal; the index is relative to the receiver's last.
    Refused {
        /// The refused index.
        previous: Near,
        /// The hint's index, relative to the refused one.
        hint: Near,
        /// The hint's term, relative to the receiver's last.
        hint_term: Near,
        /// Round answered.
        round: Near,
    },
    /// "You are behind".
    StaleTerm,
    /// "My disk is empty".
    NeedSnapshot {
        /// Round answered.
        round: Near,
    },
    /// A leader hands over; the position is relative to the receiver's last.
    TimeoutNow {
        /// Which transfer.
        transfer: u64,
        /// Index of the leader's last entry.
        index: Near,
        /// Its term.
        term: Near,
    },
    /// The receiver's transfer will not happen.
    TransferRefused {
        /// Which transfer.
        transfer: u64,
        /// Because the logs differ; else because the target may not lead.
        log_differs: bool,
    },
    /// A follower asks for an index to read at.
    ReadIndex {
        /// Which question of its boot.
        number: u64,
    },
    /// An answer to the receiver's question.
    ReadIndexReply {
        /// The question answered, relative to the one asked.
        number: Near,
        /// Of another boot.
        foreign: bool,
        /// The index, relative to the receiver's last; `None` if it cannot be confirmed.
        index: Option<Near>,
    },
    /// A snapshot without data, of the receiver's own group; relative to its commit index.
    InstallMeta {
        /// Its index.
        index: Near,
        /// If set, its term, rather than the one the receiver holds there.
        term: Option<u64>,
        /// The index of its configuration, relative to its own.
        configuration: Near,
        /// It claims to have data, or to be of another machine.
        spoilt: bool,
        /// Round, relative to the newest known.
        round: Near,
    },
    /// "You are no member"; relative to the receiver's commit index.
    NotMember {
        /// The sender's commit index.
        commit: Near,
        /// The index of its configuration, relative to that.
        configuration: Near,
    },
}

/// One message to `n1`, to be made concrete.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sketch {
    /// Which of the other voters sent it.
    pub from: u64,
    /// Its term, relative to the receiver's.
    pub term: Near,
    /// What is said.
    pub saying: Saying,
    /// Which identity is wrong.
    pub damage: Damage,
}

impl Sketch {
    /// The envelope this is in `scene`.
    #[must_use]
    pub fn envelope(&self, scene: &Scene<'_>) -> Envelope {
        let others = scene.voters.saturating_sub(1).max(1);
        let term = self.term.to(scene.node.term().0);
        let mut envelope = Envelope {
            cluster: CLUSTER,
            group: GROUP,
            epoch: RecoveryEpoch::default(),
            from: NodeId(2 + self.from % others),
            from_incarnation: Incarnation(1),
            to: NodeId(1),
            to_incarnation: Incarnation(1),
            term: Term(term),
            message: self.saying.message(scene, term),
        };
        match self.damage {
            Damage::None => {}
            Damage::Cluster => envelope.cluster = ClusterId(CLUSTER.0 + 1),
            Damage::Group => envelope.group = GroupId(GROUP.0 + 1),
            Damage::Epoch => envelope.epoch = RecoveryEpoch { number: 1, plan_id: 9 },
            Damage::Receiver => envelope.to = NodeId(2),
            Damage::Stranger => envelope.from = NodeId(77),
            Damage::Itself => envelope.from = NodeId(1),
            Damage::SenderLife => envelope.from_incarnation = Incarnation(2),
            Damage::ReceiverLife => envelope.to_incarnation = Incarnation(2),
        }
        envelope
    }
}

impl Saying {
    fn message(&self, scene: &Scene<'_>, term: u64) -> Message {
        let node = scene.node;
        let last = node.last();
        let position = |index: Near, term: Near| {
            LogPosition::new(Term(term.to(last.term.0)), LogIndex(index.to(last.index.0)))
        };
        match self {
            Self::PreVote { index, term: at, campaign } => {
                let campaign_term = Term(term.saturating_add(*campaign));
                let round = RoundId { boot: BootId(50), number: *campaign };
                Message::PreVote(PreVote { round, campaign_term, last: position(*index, *at) })
            }
            Self::PreVoteReply { granted, round, foreign } => {
                let asked = scene.asked.unwrap_or_default();
                let boot = if *foreign { BootId(asked.boot.0 + 100) } else { asked.boot };
                let round = RoundId { boot, number: round.to(asked.number) };
                Message::PreVoteReply(PreVoteReply { round, granted: *granted })
            }
            Self::RequestVote { index, term: at, authorised } => {
                let authorised_by = authorised.map(|by| Term(by.to(term.saturating_sub(1))));
                Message::RequestVote(RequestVote { last: position(*index, *at), authorised_by })
            }
            Self::VoteReply { granted } => Message::VoteReply(VoteReply { granted: *granted }),
            Self::Append { previous, previous_term, steps, commit, round, void_transfer } => {
                let index = LogIndex(previous.to(last.index.0));
                let held = node.term_at(index).unwrap_or(Term(last.term.0));
                let previous = LogPosition::new(previous_term.map_or(held, Term), index);
                // Climbs from the previous position's term; the sender's own term is the ceiling
                // unless the previous position is already beyond it.
                let mut at = previous.term.0.max(1);
                let terms: Vec<u64> = steps
                    .iter()
                    .map(|step| {
                        at = at.saturating_add(*step).min(term.max(at));
                        at
                    })
                    .collect();
                let entries = entries_after(previous, &terms);
                let end = entries.last().map_or(index, |at| at.index);
                Message::AppendEntries(AppendEntries {
                    previous,
                    entries,
                    commit: LogIndex(commit.to(end.0)),
                    round: round.to(scene.round),
                    void_transfer: *void_transfer,
                })
            }
            Self::Matched { index, round, promise_ns, applied } => {
                let matched = LogIndex(index.to(last.index.0));
                Message::AppendReply(AppendReply {
                    round: round.to(scene.round),
                    result: AppendResult::Matched { matched },
                    promise_ns: *promise_ns,
                    applied: LogIndex(applied.to(matched.0)),
                })
            }
            Self::Refused { previous, hint, hint_term, round } => {
                let previous = LogIndex(previous.to(last.index.0));
                let hint = LogPosition::new(
                    Term(hint_term.to(last.term.0)),
                    LogIndex(hint.to(previous.0)),
                );
                Message::AppendReply(AppendReply {
                    round: round.to(scene.round),
                    result: AppendResult::Refused { previous, hint },
                    ..Default::default()
                })
            }
            Self::StaleTerm => Message::AppendReply(AppendReply::default()),
            Self::NeedSnapshot { round } => Message::AppendReply(AppendReply {
                round: round.to(scene.round),
                result: AppendResult::NeedSnapshot,
                ..Default::default()
            }),
            Self::TimeoutNow { transfer, index, term } => Message::TimeoutNow(TimeoutNow {
                transfer: *transfer,
                last: position(*index, *term),
            }),
            Self::TransferRefused { transfer, log_differs } => {
                let reason = match log_differs {
                    true => TransferRefusal::LogDiffers,
                    false => TransferRefusal::Ineligible,
                };
                Message::TransferRefused(TransferRefused { transfer: *transfer, reason })
            }
            Self::ReadIndex { number } => Message::ReadIndex(ReadIndex {
                context: RoundId { boot: BootId(50), number: *number },
            }),
            Self::ReadIndexReply { number, foreign, index } => {
                let asked = scene.reading.unwrap_or_default();
                let boot = if *foreign { BootId(asked.boot.0 + 100) } else { asked.boot };
                let context = RoundId { boot, number: number.to(asked.number) };
                let index = index.map(|index| LogIndex(index.to(last.index.0)));
                Message::ReadIndexReply(ReadIndexReply { context, index })
            }
            Self::InstallMeta { index, term, configuration, spoilt, round } => {
                let index = LogIndex(index.to(node.commit().0));
                let held = node.term_at(index).unwrap_or(Term(last.term.0));
                let at = LogPosition::new(term.map_or(held, Term), index);
                let (members, ..) = node.configuration(ConfigLevel::Committed);
                let mut meta = SnapshotMeta::empty(at, members.clone(), *node.settings(), 0);
                meta.configuration_index = LogIndex(configuration.to(index.0));
                (meta.size_bytes, meta.machine_id) = (u64::from(*spoilt), u64::from(*spoilt));
                let round = round.to(scene.round);
                Message::InstallMeta(InstallMeta { meta: Box::new(meta), round })
            }
            Self::NotMember { commit, configuration } => {
                let commit = LogIndex(commit.to(node.commit().0));
                let configuration_index = LogIndex(configuration.to(commit.0));
                Message::NotMember(NotMember { commit, configuration_index })
            }
        }
    }
}

/// How far from the truth a number may be.
fn near(hostile: bool) -> BoxedStrategy<Near> {
    let usual = prop_oneof![6 => Just(Near::At), 3 => (0..6_u64).prop_map(Near::Below)];
    if !hostile {
        return usual.boxed();
    }
    prop_oneof![
        6 => usual,
        2 => (1..4_u64).prop_map(Near::Above),
        1 => prop_oneof![Just(0), Just(1), Just(u64::MAX >> 2), Just(u64::MAX)]
            .prop_map(Near::Exactly),
    ]
    .boxed()
}

fn saying(hostile: bool) -> BoxedStrategy<Saying> {
    let n = move || near(hostile);
    let campaign = if hostile {
        prop_oneof![9 => Just(1_u64), 1 => 0..4_u64].boxed()
    } else {
        Just(1).boxed()
    };
    let previous_term =
        if hostile { prop::option::weighted(0.2, 0..6_u64).boxed() } else { Just(None).boxed() };
    let steps = proptest::collection::vec(prop_oneof![4 => Just(0_u64), 1 => 1..3_u64], 0..6);
    let round = prop_oneof![3 => Just(Near::Above(1)), 1 => n()].boxed();
    let void = prop_oneof![9 => Just(0_u64), 1 => 0..4_u64];
    let promise = prop_oneof![2 => Just(0), 2 => Just(150_000_000), 1 => any::<u64>()];
    prop_oneof![
        2 => (n(), n(), campaign)
            .prop_map(|(index, term, campaign)| Saying::PreVote { index, term, campaign }),
        2 => (any::<bool>(), n(), prop::bool::weighted(0.1))
            .prop_map(|(granted, round, foreign)| Saying::PreVoteReply { granted, round, foreign }),
        3 => (n(), n(), prop::option::weighted(0.2, n()))
            .prop_map(|(index, term, authorised)| Saying::RequestVote { index, term, authorised }),
        2 => any::<bool>().prop_map(|granted| Saying::VoteReply { granted }),
        7 => (n(), previous_term.clone(), steps, n(), round.clone(), void).prop_map(
            |(previous, previous_term, steps, commit, round, void_transfer)| {
                Saying::Append { previous, previous_term, steps, commit, round, void_transfer }
            }
        ),
        5 => (n(), n(), promise, n()).prop_map(|(index, round, promise_ns, applied)| {
            Saying::Matched { index, round, promise_ns, applied }
        }),
        2 => (n(), n(), n(), n()).prop_map(|(previous, hint, hint_term, round)| {
            Saying::Refused { previous, hint, hint_term, round }
        }),
        1 => Just(Saying::StaleTerm),
        4 => rare(hostile, previous_term, round),
    ]
    .boxed()
}

/// What is not said every day: transfers, reads at followers, snapshots, removals.
fn rare(
    hostile: bool,
    term: BoxedStrategy<Option<u64>>,
    round: impl Strategy<Value = Near> + 'static,
) -> BoxedStrategy<Saying> {
    let n = move || near(hostile);
    let (transfer, number) = (0..4_u64, 0..4_u64);
    prop_oneof![
        4 => n().prop_map(|round| Saying::NeedSnapshot { round }),
        4 => (transfer.clone(), n(), n())
            .prop_map(|(transfer, index, term)| Saying::TimeoutNow { transfer, index, term }),
        4 => (transfer, any::<bool>()).prop_map(|(transfer, log_differs)| {
            Saying::TransferRefused { transfer, log_differs }
        }),
        4 => number.prop_map(|number| Saying::ReadIndex { number }),
        4 => (n(), prop::bool::weighted(0.1), prop::option::weighted(0.8, n())).prop_map(
            |(number, foreign, index)| Saying::ReadIndexReply { number, foreign, index }
        ),
        4 => (n(), (0..3_u64).prop_map(Near::Above), term, n(), prop::bool::weighted(0.1), round)
            .prop_flat_map(|(below, above, term, configuration, spoilt, round)| {
                let index = prop_oneof![Just(below), Just(above)];
                index.prop_map(move |index| {
                    Saying::InstallMeta { index, term, configuration, spoilt, round }
                })
            }),
        // It ends a run's interesting part.
        1 => (n(), n()).prop_map(|(commit, configuration)| Saying::NotMember { commit, configuration }),
    ]
    .boxed()
}

/// A message a correct peer could have sent now or a while ago.
pub fn valid() -> impl Strategy<Value = Sketch> {
    let term = prop_oneof![8 => Just(Near::At), 1 => Just(Near::Above(1))];
    (any::<u64>(), term, saying(false)).prop_map(|(from, term, saying)| Sketch {
        from,
        term,
        saying,
        damage: Damage::None,
    })
}

/// A message from an earlier term.
pub fn stale() -> impl Strategy<Value = Sketch> {
    (any::<u64>(), 1..4_u64, saying(false)).prop_map(|(from, by, saying)| Sketch {
        from,
        term: Near::Below(by),
        saying,
        damage: Damage::None,
    })
}

/// A message no correct peer sends, or sends here.
pub fn hostile() -> impl Strategy<Value = Sketch> {
    use Damage::{
        Cluster, Epoch, Group, Itself, None, Receiver, ReceiverLife, SenderLife, Stranger,
    };
    let damage = prop_oneof![
        12 => Just(None),
        1 => prop::sample::select(vec![
            Cluster, Group, Epoch, Receiver, Stranger, Itself, SenderLife, ReceiverLife,
        ]),
    ];
    // Terms near the end of the number range would end the run at once; they come apart.
    let term = prop_oneof![
        16 => Just(Near::At),
        4 => (1..3_u64).prop_map(Near::Above),
        2 => (1..3_u64).prop_map(Near::Below),
        1 => prop_oneof![Just(0), Just(u64::MAX)].prop_map(Near::Exactly),
    ];
    (any::<u64>(), term, saying(true), damage).prop_map(|(from, term, saying, damage)| Sketch {
        from,
        term,
        saying,
        damage,
    })
}

/// Any envelope with any message, right or wrong for whoever receives it: what a codec must carry.
/// Shrinks by its choices.
pub fn any_envelope() -> impl Strategy<Value = Envelope> {
    let around =
        Around { term: 4, last: LogPosition::new(Term(3), LogIndex(9)), round: 5, boot: 1 };
    proptest::collection::vec(any::<u8>(), 0..120)
        .prop_map(move |choices| envelope(&mut Source::new(&choices), &around))
}
