//! Golden bytes: what each message and record looks like in each version, byte by byte.
//!
//! `UPDATE_EXPECT=1` rewrites the files; a change in one that is not new is a new version of the
//! format, and docs/WIRE.md says so.

use std::{fmt::Write as _, fs, path::PathBuf};

use bytes::Bytes;
use raft_core::{
    AppendEntries, AppendReply, AppendResult, BootId, ClusterId, Configuration, ConfigurationParts,
    DisableReason, Entries, Entry, EntryKind, Envelope, GroupId, HardState, Incarnation,
    InstallMeta, LogIndex, LogPosition, Message, NodeId, NotMember, Options, PreVote, PreVoteReply,
    ReadIndex, ReadIndexReply, RecoveryEpoch, RequestVote, RoundId, SnapshotMeta, Term, TimeoutNow,
    TransferRefusal, TransferRefused, VoteReply,
    chunk::{ChunkMessage, ChunkRefusal, SnapshotDigest, StreamId},
    wire,
};

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("testdata/wire")
}

fn at(term: u64, index: u64) -> LogPosition {
    LogPosition::new(Term(term), LogIndex(index))
}

/// An envelope in which every number is another one.
pub(crate) fn said(message: Message) -> Envelope {
    Envelope {
        cluster: ClusterId(0x0807_0605_0403_0201),
        group: GroupId(300),
        epoch: RecoveryEpoch { number: 1, plan_id: 0x77 },
        from: NodeId(2),
        from_incarnation: Incarnation(0x21),
        to: NodeId(3),
        to_incarnation: Incarnation(0x31),
        term: Term(9),
        message,
    }
}

fn round() -> RoundId {
    RoundId { boot: BootId(0x51), number: 6 }
}

pub(crate) fn entries(kinds: &[EntryKind]) -> Entries {
    Entries::collect(kinds.iter().zip(0_u64..).map(|(kind, n)| {
        let payload = Bytes::from(format!("e{n}"));
        let entry = Entry { kind: *kind, stamp: 1_000 + n * 200, label: n % 2, payload };
        (at(if n < 2 { 7 } else { 9 }, 41 + n), entry)
    }))
    .unwrap()
}

pub(crate) fn meta() -> SnapshotMeta {
    let configuration = Configuration::from_parts(ConfigurationParts {
        voters: [1, 2, 3].map(NodeId).to_vec(),
        learners: [4].map(NodeId).to_vec(),
        witnesses: [3].map(NodeId).to_vec(),
        ..ConfigurationParts::default()
    })
    .unwrap();
    let mut meta =
        SnapshotMeta::empty(at(7, 40), configuration, Options::default().settings(), 0x6d);
    meta.configuration_index = LogIndex(12);
    (meta.stamp, meta.label, meta.digest, meta.size_bytes) = (900, 1, 0xd1d2_d3d4, 5_000);
    meta
}

pub(crate) fn hard_state() -> HardState {
    let mut hard = HardState::new(ClusterId(7), GroupId(300), NodeId(2), Incarnation(0x21));
    hard.epoch = RecoveryEpoch { number: 1, plan_id: 0x77 };
    (hard.term, hard.vote) = (Term(9), Some(NodeId(3)));
    hard.promise_ns = 150_000_000;
    hard.disabled = Some(DisableReason::UnsupportedEntry { index: LogIndex(44), kind: 0x4d });
    hard.mark = at(7, 42);
    hard
}

/// One message of every kind, in the order of their numbers.
pub(crate) fn every_kind() -> Vec<Message> {
    let (noop, command) = (EntryKind::NOOP, EntryKind::COMMAND);
    vec![
        Message::PreVote(PreVote { round: round(), campaign_term: Term(10), last: at(7, 42) }),
        Message::PreVoteReply(PreVoteReply { round: round(), granted: true }),
        Message::RequestVote(RequestVote { last: at(7, 42), authorised_by: Some(Term(8)) }),
        Message::VoteReply(VoteReply { granted: true }),
        Message::AppendEntries(AppendEntries {
            previous: at(7, 40),
            entries: entries(&[command, EntryKind::QUERY, noop]),
            commit: LogIndex(39),
            round: 0x0b,
            void_transfer: 2,
        }),
        Message::AppendReply(AppendReply {
            round: 0x0b,
            result: AppendResult::Matched { matched: LogIndex(43) },
            promise_ns: 150_000_000,
            applied: LogIndex(38),
        }),
        Message::TimeoutNow(TimeoutNow { transfer: 3, last: at(9, 43) }),
        Message::TransferRefused(TransferRefused {
            transfer: 3,
            reason: TransferRefusal::Ineligible,
        }),
        Message::ReadIndex(ReadIndex { context: round() }),
        Message::ReadIndexReply(ReadIndexReply { context: round(), index: Some(LogIndex(39)) }),
        Message::InstallMeta(InstallMeta { meta: Box::new(meta()), round: 0x0b }),
        Message::NotMember(NotMember { commit: LogIndex(39), configuration_index: LogIndex(12) }),
    ]
}

/// Further shapes of messages that have some.
pub(crate) fn further_shapes() -> Vec<(&'static str, Message)> {
    let reply = |result| AppendReply { round: 0x0b, result, ..AppendReply::default() };
    let refused = AppendResult::Refused { previous: LogIndex(41), hint: at(6, 38) };
    vec![
        (
            "heartbeat",
            Message::AppendEntries(AppendEntries {
                previous: at(7, 40),
                commit: LogIndex(39),
                round: 0x0b,
                ..AppendEntries::default()
            }),
        ),
        ("append_refused", Message::AppendReply(reply(refused))),
        ("append_need_snapshot", Message::AppendReply(reply(AppendResult::NeedSnapshot))),
        ("append_stale_term", Message::AppendReply(reply(AppendResult::StaleTerm))),
        (
            "read_index_none",
            Message::ReadIndexReply(ReadIndexReply { context: round(), index: None }),
        ),
        (
            "append_skip",
            Message::AppendEntries(AppendEntries {
                previous: at(7, 40),
                entries: entries(&[EntryKind::SKIP]),
                ..AppendEntries::default()
            }),
        ),
    ]
}

/// `AppendEntries` as `append_entries`.
fn snake(name: &str) -> String {
    let mut out = String::new();
    for c in name.chars() {
        if c.is_ascii_uppercase() && !out.is_empty() {
            out.push('_');
        }
        out.push(c.to_ascii_lowercase());
    }
    out
}

/// Sixteen bytes a line, the name at the first.
fn line(out: &mut String, bytes: &[u8], name: &str) {
    let mut name = Some(name);
    for part in bytes.chunks(16) {
        let hex: Vec<String> = part.iter().map(|byte| format!("{byte:02x}")).collect();
        let comment = name.take().map_or(String::new(), |name| format!("  # {name}"));
        let text = format!("{:<47}{comment}", hex.join(" "));
        writeln!(out, "{}", text.trim_end()).unwrap();
    }
}

/// Splits `bytes` into named lines of the lengths given; returns what is left.
fn lines<'a>(out: &mut String, mut bytes: &'a [u8], parts: &[(&str, usize)]) -> &'a [u8] {
    for (name, len) in parts {
        let (part, rest) = bytes.split_at(*len);
        line(out, part, name);
        bytes = rest;
    }
    bytes
}

const HEADER: [(&str, usize); 7] = [
    ("Header.magic", 4),
    ("Header.version", 1),
    ("Header.speaks", 1),
    ("Header.flags", 2),
    ("Header.body_bytes", 4),
    ("Header.envelopes", 4),
    ("Header.checksum", 8),
];
const RECORD: [(&str, usize); 5] = [
    ("Record.tag", 1),
    ("Record.format", 1),
    ("Record.reserved", 2),
    ("Record.body_bytes", 4),
    ("Record.checksum", 8),
];

/// Numbers of the variable-length spelling at the start of `bytes`.
fn number(bytes: &[u8]) -> usize {
    1 + bytes.iter().position(|byte| byte & 0x80 == 0).unwrap()
}

fn explain_entries(out: &mut String, bytes: &[u8]) {
    let rest = lines(out, bytes, &[("entries: how many", number(bytes))]);
    if rest.is_empty() {
        return;
    }
    let heads = u32::from_le_bytes(rest[..4].try_into().unwrap()) as usize;
    let rest = lines(out, rest, &[("entries: bytes of the heads", 4), ("of the payloads", 4)]);
    let rest = lines(out, rest, &[("heads: first index, runs", heads)]);
    line(out, rest, "payloads");
}

fn explain_frame(title: &str, frame: &[u8], envelopes: &[(&Envelope, u8)]) -> String {
    let mut out = format!("# {title}\n");
    let mut rest = lines(&mut out, frame, &HEADER);
    for (envelope, version) in envelopes {
        rest = lines(&mut out, rest, &[("Envelope.length", 4)]);
        for (name, bytes) in wire::explain(envelope, *version).unwrap() {
            assert_eq!(&rest[..bytes.len()], bytes, "{name}: explained as it is written");
            rest = &rest[bytes.len()..];
            match name {
                "AppendEntries.entries" => explain_entries(&mut out, &bytes),
                _ => line(&mut out, &bytes, name),
            }
        }
    }
    assert!(rest.is_empty(), "{title}: every byte is explained");
    out
}

fn explain_record(title: &str, record: &[u8], parts: &[(&str, Vec<u8>)]) -> String {
    let mut out = format!("# {title}\n");
    let mut rest = lines(&mut out, record, &RECORD);
    for (name, bytes) in parts {
        assert_eq!(&rest[..bytes.len()], bytes, "{name}: explained as it is written");
        rest = lines(&mut out, rest, &[(name, bytes.len())]);
    }
    assert!(rest.is_empty(), "{title}: every byte is explained");
    out
}

/// A number in its variable-length spelling (docs/WIRE.md, section 1).
fn spelt(mut number: u64) -> Vec<u8> {
    let mut out = Vec::new();
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
    out
}

/// A name, a message, and the parts behind its stream.
type Chunk = (String, ChunkMessage, Vec<(&'static str, Vec<u8>)>);

/// Every message of a snapshot transfer: its name, itself, and what stands behind its stream.
fn chunk_messages() -> Vec<Chunk> {
    let stream = StreamId { leader: NodeId(2), term: Term(9), position: at(7, 41) };
    let (meta, bytes) = (Box::new(meta()), Bytes::from_static(b"a piece of a snapshot"));
    let record = meta.encode();
    let checksum = SnapshotDigest::of_chunk(300, &bytes);
    let mut all = vec![
        (
            "Offer".to_owned(),
            ChunkMessage::Offer { stream, meta },
            vec![
                ("bytes: how many", spelt(record.len() as u64)),
                ("a description as a record", record.to_vec()),
            ],
        ),
        (
            "Data".to_owned(),
            ChunkMessage::Data { stream, offset: 300, checksum, bytes: bytes.clone() },
            vec![
                ("offset", spelt(300)),
                ("checksum", spelt(checksum)),
                ("bytes: how many", spelt(bytes.len() as u64)),
                ("bytes", bytes.to_vec()),
            ],
        ),
        ("Cancel".to_owned(), ChunkMessage::Cancel { stream }, vec![]),
        (
            "Want".to_owned(),
            ChunkMessage::Want { stream, session: 5, offset: 300 },
            vec![("session", spelt(5)), ("offset", spelt(300))],
        ),
        ("Done".to_owned(), ChunkMessage::Done { stream }, vec![]),
    ];
    let reasons = [
        ChunkRefusal::Overloaded,
        ChunkRefusal::StaleTerm,
        ChunkRefusal::TooLarge,
        ChunkRefusal::Broken,
        ChunkRefusal::Unknown,
    ];
    all.extend(reasons.into_iter().zip(0_u8..).map(|(why, number)| {
        let message = ChunkMessage::Refuse { stream, why };
        (format!("Refuse{why:?}"), message, vec![("why", vec![number])])
    }));
    all
}

/// Every golden file: its name and what it should hold.
fn files() -> Vec<(String, String)> {
    let mut files = Vec::new();
    let named: Vec<(String, Message)> = every_kind()
        .into_iter()
        .map(|message| (snake(message.name()), message))
        .chain(further_shapes().into_iter().map(|(name, message)| (name.to_owned(), message)))
        .collect();
    for version in wire::VERSION_MIN..=wire::VERSION_MAX {
        for (name, message) in &named {
            let envelope = said(message.clone());
            let mut frame = Vec::new();
            if wire::encode(&envelope, version, &mut frame).is_err() {
                continue;
            }
            let title = format!("{} in version {version}", message.name());
            let text = explain_frame(&title, &frame, &[(&envelope, version)]);
            files.push((format!("v{version}_{name}.hex"), text));
        }
    }
    let both = [said(every_kind().swap_remove(3)), said(every_kind().swap_remove(6))];
    let mut frame = Vec::new();
    let mut batch = wire::Batch::begin(0, 1, &mut frame).unwrap();
    both.iter().try_for_each(|envelope| batch.push(envelope)).unwrap();
    batch.finish().unwrap();
    let title = "VoteReply and TimeoutNow in one frame, version 0, from a sender that reads 1";
    let text = explain_frame(title, &frame, &[(&both[0], 0), (&both[1], 0)]);
    files.push(("v0_batch.hex".to_owned(), text));

    let hard = hard_state();
    let text = explain_record("HardState, format 1", &hard.encode(), &hard.explain());
    files.push(("hard_state.hex".to_owned(), text));
    let meta = meta();
    let text = explain_record("SnapshotMeta, format 1", &meta.encode(), &meta.explain());
    files.push(("snapshot_meta.hex".to_owned(), text));
    let stored = entries(&[EntryKind::COMMAND]);
    let stored = stored.iter().next().unwrap();
    let mut record = Vec::new();
    wire::encode_entry(stored.position, stored.entry, &mut record);
    let parts = [
        ("Entry.position", vec![7, 41]),
        ("Entry.kind", vec![1]),
        ("Entry.stamp", vec![0xe8, 0x07]),
        ("Entry.label", vec![0]),
        ("Entry.payload", b"e0".to_vec()),
    ];
    files.push(("entry.hex".to_owned(), explain_record("Entry, format 1", &record, &parts)));
    for (name, message, rest) in chunk_messages() {
        let stream = [vec![2], vec![9], vec![7, 41]].concat();
        let mut parts = vec![("ChunkMessage: which kind", vec![message.encode()[16]])];
        parts.push(("StreamId: leader, term, position", stream));
        parts.extend(rest);
        let title = format!("ChunkMessage::{name}, format 1");
        let text = explain_record(&title, &message.encode(), &parts);
        files.push((format!("chunk_{}.hex", snake(&name)), text));
    }
    files
}

/// The bytes of a golden file.
fn bytes_of(text: &str) -> Vec<u8> {
    let hex = text.lines().map(|line| line.split('#').next().unwrap_or(""));
    hex.flat_map(str::split_whitespace).map(|h| u8::from_str_radix(h, 16).unwrap()).collect()
}

#[test]
fn golden_bytes_stay_as_they_are() {
    let update = std::env::var_os("UPDATE_EXPECT").is_some_and(|value| value == "1");
    let wanted = files();
    if update {
        fs::create_dir_all(folder()).unwrap();
    }
    for (name, text) in &wanted {
        let path = folder().join(name);
        if update {
            fs::write(&path, text).unwrap();
        }
        let found = fs::read_to_string(&path).unwrap_or_default();
        assert_eq!(
            &found, text,
            "{name}: a released format never changes; a new one is a new version.\naccept: \
             cargo bless -p raft-core --test it wire_golden"
        );
    }
    let mut on_disk: Vec<String> = fs::read_dir(folder())
        .unwrap()
        .map(|file| file.unwrap().file_name().into_string().unwrap())
        .collect();
    on_disk.sort();
    let mut names: Vec<String> = wanted.into_iter().map(|(name, _)| name).collect();
    names.sort();
    assert_eq!(on_disk, names, "no golden file without a value");
}

#[test]
fn golden_bytes_are_read_back() {
    for (name, text) in files() {
        if !name.starts_with('v') {
            continue;
        }
        let frame = Bytes::from(bytes_of(&text));
        let decoded = wire::decode(frame.clone()).unwrap_or_else(|e| panic!("{name}: {e}"));
        let mut again = Vec::new();
        let mut batch = wire::Batch::begin(decoded.version, decoded.speaks, &mut again).unwrap();
        for envelope in decoded {
            batch.push(&envelope).unwrap();
        }
        batch.finish().unwrap();
        assert_eq!(Bytes::from(again), frame, "{name}");
    }
}

#[test]
fn golden_chunks_are_read_back() {
    let mut kinds = std::collections::BTreeSet::new();
    for (name, message, _) in chunk_messages() {
        let text = fs::read_to_string(folder().join(format!("chunk_{}.hex", snake(&name))));
        let record = Bytes::from(bytes_of(&text.unwrap()));
        kinds.insert(record[16]);
        assert_eq!(ChunkMessage::decode(record), Ok(message), "{name}");
    }
    assert_eq!(kinds, (0..6).collect(), "kinds without a golden file");
}

#[test]
fn there_is_a_golden_message_of_every_kind_in_every_version_that_has_it() {
    let names: Vec<&str> = every_kind().iter().map(Message::name).collect();
    let kinds: Vec<&str> = wire::MESSAGE_KINDS.iter().map(|(_, name, _)| *name).collect();
    assert_eq!(names, kinds);
    let files = files();
    for (_, name, since) in wire::MESSAGE_KINDS {
        for version in wire::VERSION_MIN..=wire::VERSION_MAX {
            let file = format!("v{version}_{}.hex", snake(name));
            let exists = files.iter().any(|(name, _)| *name == file);
            assert_eq!(exists, version >= *since, "{file}");
        }
    }
    assert!(!files.iter().any(|(name, _)| name == "v0_append_skip.hex"), "a kind since level 1");
}

#[test]
fn every_field_and_kind_is_drawn_in_the_document() {
    let page = fs::read_to_string(folder().join("../../../docs/WIRE.md")).unwrap();
    for (number, name, since) in wire::MESSAGE_KINDS {
        let row = format!("| {number} | `{name}` | {since} |");
        assert!(page.contains(&row), "docs/WIRE.md lacks the row {row}");
    }
    let mut names = Vec::new();
    for message in every_kind() {
        let said = wire::explain(&said(message), wire::VERSION_MAX).unwrap();
        names.extend(said.into_iter().map(|(name, _)| name));
    }
    names.extend(hard_state().explain().into_iter().map(|(name, _)| name));
    names.extend(meta().explain().into_iter().map(|(name, _)| name));
    names.extend(HEADER.map(|(name, _)| name));
    names.extend(RECORD.map(|(name, _)| name));
    for name in names {
        assert!(page.contains(&format!("`{name}`")), "docs/WIRE.md does not draw `{name}`");
    }
}
