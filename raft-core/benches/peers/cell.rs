//! What every system is asked to do: a cell of the table, its payloads and the checksum.

use bytes::Bytes;

/// Entries committed in one measured run.
pub(crate) const ENTRIES: usize = 200_000;

/// Rounds of proposals on their way at once in a pipelined cell.
pub(crate) const PIPELINE: usize = 4;

/// One cell of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cell {
    /// Servers in the cluster, all of them voters.
    pub(crate) nodes: usize,
    /// Bytes of each payload, at least 8.
    pub(crate) bytes: usize,
    /// Proposals between two settles of the leader.
    pub(crate) per_round: usize,
    /// Rounds proposed before the answers to the first of them are delivered.
    pub(crate) window: usize,
}

impl Cell {
    pub(crate) fn pipelined(self) -> bool {
        self.window > 1
    }

    /// How a round is called in the table.
    pub(crate) fn mode(self) -> String {
        let tail = if self.pipelined() { " pipelined" } else { "" };
        format!("{}{tail}", self.per_round)
    }
}

/// `count` payloads that differ, each in a buffer of its own, as a server reads them off a socket.
pub(crate) fn payloads(count: usize, bytes: usize) -> Vec<Bytes> {
    (0..count as u64)
        .map(|number| {
            let word = number.wrapping_mul(0x9E37_79B9_7F4A_7C15).to_le_bytes();
            let filler = std::iter::repeat_n(word[7], bytes.saturating_sub(word.len()));
            Bytes::from(word.into_iter().chain(filler).collect::<Vec<u8>>())
        })
        .collect()
}

/// What a machine has applied: depends on every payload and on their order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Machine {
    pub(crate) applied: u64,
    pub(crate) checksum: u64,
}

impl Machine {
    pub(crate) fn apply(&mut self, payload: &[u8]) {
        let word = payload.first_chunk().map_or(0, |head| u64::from_le_bytes(*head));
        self.checksum = (self.checksum.rotate_left(7) ^ word).wrapping_mul(0xD1B5_4A32_D192_ED03);
        self.applied += 1;
    }

    /// What every machine of every system must hold at the end.
    pub(crate) fn expected(payloads: &[Bytes]) -> Self {
        let mut machine = Self::default();
        payloads.iter().for_each(|payload| machine.apply(payload));
        machine
    }
}

/// The end of a run: nanoseconds inside the clock, and each node's machine.
pub(crate) struct Outcome {
    pub(crate) nanos: u64,
    pub(crate) machines: Vec<Machine>,
}
