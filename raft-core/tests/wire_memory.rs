//! What decoding allocates, in a binary of its own: the counter stands in for the allocator.
//!
//! docs/WIRE.md, bounds: at most 32 times the frame and 1 KiB; one allocation for the payloads of
//! a message, none for what is refused.

use bytes::Bytes;
use raft_core::{
    AppendEntries, ClusterId, Entries, Entry, EntryKind, Envelope, GroupId, Incarnation, LogIndex,
    LogPosition, Message, NodeId, RecoveryEpoch, Term, wire,
};

const TIMES: u64 = 32;
const BESIDE: u64 = 1 << 10;

fn frame(terms: impl Fn(u64) -> u64, count: u64, payload: usize) -> Bytes {
    let entries = Entries::collect((1..=count).map(|index| {
        let payload = Bytes::from(vec![7; payload]);
        let entry = Entry { kind: EntryKind::COMMAND, stamp: index, label: 0, payload };
        (LogPosition::new(Term(terms(index)), LogIndex(index)), entry)
    }))
    .unwrap();
    let envelope = Envelope {
        cluster: ClusterId(1),
        group: GroupId(1),
        epoch: RecoveryEpoch::default(),
        from: NodeId(1),
        from_incarnation: Incarnation(1),
        to: NodeId(2),
        to_incarnation: Incarnation(1),
        term: Term(u64::from(u32::MAX)),
        message: Message::AppendEntries(AppendEntries { entries, ..AppendEntries::default() }),
    };
    let mut out = Vec::new();
    wire::encode(&envelope, 1, &mut out).unwrap();
    out.into()
}

fn decode(frame: &Bytes) -> (allocation_counter::AllocationInfo, bool) {
    let mut sound = false;
    let frame = frame.clone();
    let info = allocation_counter::measure(|| {
        let decoded = wire::decode(frame);
        sound = decoded.is_ok();
    });
    (info, sound)
}

#[test]
fn a_frame_costs_a_small_multiple_of_its_length() {
    for count in [0, 1, 2, 64, 1_024] {
        for payload in [0, 16, 256] {
            for changes in [1, u64::MAX] {
                // One term, or every entry of its own: the worst there is.
                let frame = frame(|index| index.min(changes), count, payload);
                let (info, sound) = decode(&frame);
                assert!(sound);
                let bound = frame.len() as u64 * TIMES + BESIDE;
                assert!(
                    info.bytes_max <= bound,
                    "{count} of {payload}: {} bytes for a frame of {}",
                    info.bytes_max,
                    frame.len()
                );
            }
        }
    }
}

#[test]
fn payloads_are_copied_in_one_allocation() {
    for (count, payload) in [(64, 16), (1_024, 16), (1_024, 256)] {
        let (info, sound) = decode(&frame(|_| 3, count, payload));
        assert!(sound);
        // The entries, their chunk, the payloads and what shares them.
        assert!(info.count_total <= 6, "{count} of {payload}: {} allocations", info.count_total);
        let real = count * (56 + payload as u64);
        assert!(info.bytes_max <= real + 512, "{count} of {payload}: {} bytes", info.bytes_max);
    }
}

#[test]
fn a_length_or_count_that_lies_costs_nothing() {
    let good = frame(|_| 3, 64, 16);
    let entries = good.len() - 64 * 16 - 8;
    for at in 24..good.len() {
        for byte in [0x7f, 0xff] {
            let mut bytes = good.to_vec();
            bytes[at] = byte;
            if at < entries {
                bytes[at + 1] = byte;
            }
            wire::reseal(&mut bytes);
            let bytes = Bytes::from(bytes);
            let (info, _) = decode(&bytes);
            let bound = bytes.len() as u64 * 6 + BESIDE;
            assert!(info.bytes_max <= bound, "byte {at}: {} bytes held", info.bytes_max);
        }
    }
    for cut in 0..good.len() {
        let (info, sound) = decode(&good.slice(..cut));
        assert!(!sound);
        assert_eq!(info.count_total, 0, "cut at {cut}: refused before anything is allocated");
    }
}
