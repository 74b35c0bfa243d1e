//! The rows of the table, and one measured run of each.

use super::{
    cell::{Cell, ENTRIES, Machine, Outcome, payloads},
    clock, codec, floor, noraft, ours,
    raft_rs::{self, Batching},
};

/// A row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum System {
    OursBounded,
    OursKept,
    Noraft,
    RaftRsSingle,
    RaftRsBatched,
    OursCodec,
    RaftRsCodec,
    FloorBare,
    FloorLanes,
}

impl System {
    /// In the order of the table.
    pub(crate) const ALL: [Self; 9] = [
        Self::OursBounded,
        Self::OursKept,
        Self::Noraft,
        Self::RaftRsSingle,
        Self::RaftRsBatched,
        Self::OursCodec,
        Self::RaftRsCodec,
        Self::FloorBare,
        Self::FloorLanes,
    ];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::OursBounded => "raft-core, log bounded",
            Self::OursKept => "raft-core, log kept",
            Self::Noraft => "noraft 0.7",
            Self::RaftRsSingle => "raft 0.7, one at a time",
            Self::RaftRsBatched => "raft 0.7, batched",
            Self::OursCodec => "raft-core, encoded",
            Self::RaftRsCodec => "raft 0.7, batched, encoded",
            Self::FloorBare => "floor",
            Self::FloorLanes => "floor with lanes",
        }
    }

    /// The column it fills, if `name` is one.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|system| system.name() == name)
    }

    /// Commits the entries of one run and returns the time inside the clock.
    pub(crate) fn run(self, cell: Cell) -> u64 {
        let payloads = payloads(ENTRIES, cell.bytes);
        let expected = Machine::expected(&payloads);
        let Outcome { nanos, machines } = match self {
            Self::OursBounded => measure_ours(cell, payloads, ours::LOG_BOUND, ours::Shared),
            Self::OursKept => measure_ours(cell, payloads, u64::MAX, ours::Shared),
            Self::OursCodec => measure_ours(cell, payloads, ours::LOG_BOUND, codec::Frames),
            Self::Noraft => noraft::measure(cell, payloads),
            Self::RaftRsSingle => raft_rs::measure(cell, payloads, Batching::Single, |m| m),
            Self::RaftRsBatched => raft_rs::measure(cell, payloads, Batching::PerRound, |m| m),
            Self::RaftRsCodec => {
                raft_rs::measure(cell, payloads, Batching::PerRound, codec::protobuf)
            }
            Self::FloorBare => floor::measure(cell, payloads, false),
            Self::FloorLanes => floor::measure(cell, payloads, true),
        };
        assert_eq!(machines, vec![expected; cell.nodes], "{}: all apply the same", self.name());
        nanos
    }
}

fn measure_ours(
    cell: Cell,
    payloads: Vec<bytes::Bytes>,
    bound: u64,
    link: impl ours::Link,
) -> Outcome {
    let mut cluster = ours::Cluster::elected(cell.nodes, bound, link);
    let nanos = clock::nanos(|| cluster.run(payloads, cell.per_round, cell.window));
    assert!(cluster.terms_are_on_disk(), "hard states were written");
    Outcome { nanos, machines: cluster.machines() }
}
