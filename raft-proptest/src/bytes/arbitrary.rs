//! Values of the protocol's types from choices: any message, any configuration.
//!
//! **Intuition.** Messages are built around a few facts (who, which term, where the log ends), so
//! that most of each is plausible and some of it is not. Whatever the bytes, the result is a legal
//! value of its type.
//! **Source.** Ours.
//! **Upholds.** Nothing; inputs for tests of all invariants.
//! **Not here.** Messages drawn against a node's state by proptest (`strategy/message.rs`).

use bytes::Bytes;
use raft_core::{
    AppendEntries, AppendReply, AppendResult, BootId, ClusterId, Configuration, ConfigurationParts,
    Entries, Entry, EntryKind, Envelope, GroupId, HardState, Incarnation, InstallMeta, LogIndex,
    LogPosition, Message, NodeId, NotMember, Options, PreVote, PreVoteReply, ReadIndex,
    ReadIndexReply, RecoveryEpoch, RequestVote, RoundId, Settings, SnapshotMeta, Term, TimeoutNow,
    TransferRefusal, TransferRefused, VoteReply, wire,
};

use super::source::Source;

/// The cluster that harnesses speak of.
pub const CLUSTER: ClusterId = ClusterId(7);
/// Its group.
pub const GROUP: GroupId = GroupId(3);

/// What a message is built around.
#[derive(Clone, Copy, Debug, Default)]
pub struct Around {
    /// The term.
    pub term: u64,
    /// Where the receiver's log ends.
    pub last: LogPosition,
    /// The newest round known.
    pub round: u64,
    /// The newest boot known.
    pub boot: u64,
}

/// A position at or near `base`.
pub fn position(source: &mut Source<'_>, base: LogPosition) -> LogPosition {
    LogPosition::new(Term(source.near(base.term.0)), LogIndex(source.near(base.index.0)))
}

fn payload(source: &mut Source<'_>, kind: EntryKind) -> Bytes {
    match kind {
        EntryKind::CONFIGURATION if !source.rarely(8) => configuration(source).encode(),
        EntryKind::SETTINGS if !source.rarely(8) => settings(source).encode(),
        _ => {
            let len = if source.rarely(16) { source.below(256) * 8 } else { source.below(24) };
            Bytes::from(vec![source.byte(); len])
        }
    }
}

/// An entry of any kind, mostly a command.
pub fn entry(source: &mut Source<'_>, index: u64) -> Entry {
    let kind = match source.byte() {
        0..=179 => EntryKind::COMMAND,
        byte @ 180..=239 => EntryKind(byte % 6),
        _ => EntryKind(source.byte()),
    };
    let stamp = if source.rarely(16) { source.number() } else { index };
    let label = if source.rarely(8) { source.number() } else { 0 };
    Entry { kind, stamp, label, payload: payload(source, kind) }
}

/// Up to `most` entries after `previous`, without a hole and of terms that do not fall.
pub fn entries(source: &mut Source<'_>, previous: LogPosition, most: usize) -> Entries {
    let count = source.below(most + 1) as u64;
    let mut term = previous.term.0.max(1);
    let all = (1..=count).map_while(|n| {
        if source.rarely(8) {
            term = term.saturating_add(1 + source.below(3) as u64);
        }
        let index = previous.index.0.checked_add(n)?;
        (index < u64::MAX)
            .then(|| (LogPosition::new(Term(term), LogIndex(index)), entry(source, index)))
    });
    Entries::collect(all.collect::<Vec<_>>()).unwrap_or_default()
}

/// Any legal configuration of few members.
pub fn configuration(source: &mut Source<'_>) -> Configuration {
    let list = |source: &mut Source<'_>, most: usize| -> Vec<NodeId> {
        let mut nodes: Vec<NodeId> =
            (0..source.below(most)).map(|_| NodeId(1 + source.below(7) as u64)).collect();
        nodes.sort_unstable();
        nodes.dedup();
        nodes
    };
    let mut parts = ConfigurationParts { voters: list(source, 6), ..Default::default() };
    if source.rarely(3) {
        parts.outgoing = list(source, 4);
        parts.explicit_leave = source.flag();
    }
    parts.learners = list(source, 3);
    if source.rarely(3) {
        parts.witnesses = list(source, 3);
        parts.learners_next = list(source, 2);
    }
    for node in list(source, 3) {
        parts.incarnations.push((node, Incarnation(source.number())));
    }
    let some = [1, 2, 3].map(NodeId).to_vec();
    Configuration::from_parts(parts).or_else(|_| Configuration::new(some)).unwrap_or_default()
}

/// Any settings, mostly those of the default options.
pub fn settings(source: &mut Source<'_>) -> Settings {
    let mut settings = Options::default().settings();
    settings.version = source.number();
    if source.rarely(4) {
        settings.election_min_ns = source.number();
        settings.heartbeat_ns = source.number();
        settings.clock_error_ppm = u32::from(source.byte());
    }
    settings.lease = source.rarely(4);
    settings
}

/// Any description of a snapshot at or near `base`.
pub fn meta(source: &mut Source<'_>, base: LogPosition) -> SnapshotMeta {
    let at = position(source, base);
    let (configuration, settings) = (configuration(source), settings(source));
    let mut meta = SnapshotMeta::empty(at, configuration, settings, 0);
    if source.rarely(4) {
        meta.machine_id = source.number();
    }
    meta.configuration_index = LogIndex(source.near(at.index.0));
    meta.stamp = source.near(at.index.0);
    meta.label = u64::from(source.byte());
    meta.digest = source.number();
    meta.size_bytes = source.number();
    meta
}

/// Any hard state, mostly of the test cluster.
pub fn hard_state(source: &mut Source<'_>) -> HardState {
    let mut hard = HardState::new(CLUSTER, GROUP, NodeId(1), Incarnation(source.near(1)));
    hard.term = Term(source.number());
    hard.vote = source.flag().then(|| NodeId(source.number()));
    hard.promise_ns = source.number();
    hard.mark = position(source, LogPosition::default());
    hard.joined = source.flag();
    hard.epoch = RecoveryEpoch { number: source.near(0), plan_id: source.near(0) };
    hard
}

fn round(source: &mut Source<'_>, around: &Around) -> RoundId {
    RoundId { boot: BootId(source.near(around.boot)), number: source.near(around.round) }
}

/// Any message.
pub fn message(source: &mut Source<'_>, around: &Around) -> Message {
    let term = around.term;
    match source.byte() % 20 {
        0 => Message::PreVote(PreVote {
            round: round(source, around),
            campaign_term: Term(source.near(term.saturating_add(1))),
            last: position(source, around.last),
        }),
        1 => Message::PreVoteReply(PreVoteReply {
            round: round(source, around),
            granted: source.flag(),
        }),
        2 => Message::RequestVote(RequestVote {
            last: position(source, around.last),
            authorised_by: source.rarely(4).then(|| Term(source.near(term.saturating_sub(1)))),
        }),
        3 => Message::VoteReply(VoteReply { granted: source.flag() }),
        4..=9 => {
            let previous = position(source, around.last);
            Message::AppendEntries(AppendEntries {
                previous,
                entries: entries(source, previous, 5),
                commit: LogIndex(source.near(previous.index.0)),
                round: source.near(around.round),
                void_transfer: source.near(0),
            })
        }
        10..=12 => {
            let index = around.last.index.0;
            let result = match source.byte() % 8 {
                0..=4 => AppendResult::Matched { matched: LogIndex(source.near(index)) },
                5 => AppendResult::Refused {
                    previous: LogIndex(source.near(index)),
                    hint: position(source, around.last),
                },
                6 => AppendResult::NeedSnapshot,
                _ => AppendResult::StaleTerm,
            };
            Message::AppendReply(AppendReply {
                round: source.near(around.round),
                result,
                promise_ns: if source.flag() { 150_000_000 } else { source.number() },
                applied: LogIndex(source.near(index)),
            })
        }
        13 => Message::TimeoutNow(TimeoutNow {
            transfer: source.near(1),
            last: position(source, around.last),
        }),
        14 => Message::TransferRefused(TransferRefused {
            transfer: source.near(1),
            reason: if source.flag() {
                TransferRefusal::Ineligible
            } else {
                TransferRefusal::LogDiffers
            },
        }),
        15 => Message::ReadIndex(ReadIndex { context: round(source, around) }),
        16 => Message::ReadIndexReply(ReadIndexReply {
            context: round(source, around),
            index: source.flag().then(|| LogIndex(source.near(around.last.index.0))),
        }),
        17 | 18 => Message::InstallMeta(InstallMeta {
            meta: Box::new(meta(source, around.last)),
            round: source.near(around.round),
        }),
        _ => Message::NotMember(NotMember {
            commit: LogIndex(source.near(around.last.index.0)),
            configuration_index: LogIndex(source.near(around.last.index.0)),
        }),
    }
}

/// Any envelope, from and to nodes 1 to 4 mostly.
pub fn envelope(source: &mut Source<'_>, around: &Around) -> Envelope {
    let term = source.near(around.term);
    let mut envelope = Envelope {
        cluster: CLUSTER,
        group: GROUP,
        epoch: RecoveryEpoch::default(),
        from: NodeId(1 + source.below(4) as u64),
        from_incarnation: Incarnation(1),
        to: NodeId(1 + source.below(4) as u64),
        to_incarnation: Incarnation(u64::from(source.flag())),
        term: Term(term),
        message: message(source, &Around { term, ..*around }),
    };
    match source.byte() {
        0 => envelope.cluster = ClusterId(source.number()),
        1 => envelope.group = GroupId(source.number()),
        2 => envelope.epoch = RecoveryEpoch { number: source.number(), plan_id: source.number() },
        3 => envelope.from = NodeId(source.number()),
        4 => envelope.to = NodeId(source.number()),
        5 => envelope.from_incarnation = Incarnation(source.number()),
        6 => envelope.to_incarnation = Incarnation(source.number()),
        _ => {}
    }
    envelope
}

/// The frame of one to three envelopes, in any version that can say them.
#[must_use]
pub fn frame(source: &mut Source<'_>) -> Vec<u8> {
    let around = Around {
        term: 1 + source.number() % 8,
        last: LogPosition::new(Term(1), LogIndex(u64::from(source.byte() % 32))),
        round: 3,
        boot: 1,
    };
    let version = u8::from(!source.rarely(3));
    let mut out = Vec::new();
    let Ok(mut batch) = wire::Batch::begin(version, wire::VERSION_MAX, &mut out) else {
        return out;
    };
    for _ in 0..=u8::from(source.rarely(4)) * 2 {
        // What version 0 cannot say is left out.
        let _unsaid = batch.push(&envelope(source, &around));
    }
    let _empty = batch.finish();
    out
}
