//! Linearizable reads: a queue of reads waiting for a round, then for apply.
//!
//! **Intuition.** A leader may have been deposed without knowing. So a read notes the commit index
//! when it arrives, then waits until a round of heartbeats *begun after it* is answered by a
//! quorum in this term, and until the machine has applied that index. Any number of reads share a
//! round.
//! **Source.** Thesis §6.4; D-W7, D-T3, D-R5 and B-075 to B-078 are the ways to get it wrong.
//! **Upholds.** `inv:read-freshness`, `inv:linearizable`.
//! **Not here.** Rounds themselves (`replication/heartbeat.rs`).

use alloc::{collections::VecDeque, vec::Vec};

use crate::{
    Node,
    error::{ReadFailure, Rejected},
    input::Issued,
    output::Output,
    role::RoleState,
    types::{LogIndex, ReadTicket, Role},
};

#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
struct PendingRead {
    ticket: ReadTicket,
    index: LogIndex,
    /// The round that must be answered; 0 while none was begun after the read.
    round: u64,
}

/// Open reads in order of arrival: rounds and indexes rise along it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct ReadQueue {
    open: VecDeque<PendingRead>,
    failed: Vec<(ReadTicket, ReadFailure)>,
    minted: u64,
}

impl ReadQueue {
    pub(crate) fn len(&self) -> u64 {
        (self.open.len() as u64).saturating_add(self.failed.len() as u64)
    }

    pub(crate) fn fail_all(&mut self, reason: ReadFailure) {
        self.failed.extend(self.open.drain(..).map(|read| (read.ticket, reason)));
    }

    /// Whether some read waits for a round to begin.
    pub(crate) fn wants_round(&self) -> bool {
        self.open.back().is_some_and(|read| read.round == 0)
    }

    /// Each open read's index and the round it waits for.
    pub(crate) fn fold(&self, mut read: impl FnMut(LogIndex, u64)) {
        for open in &self.open {
            read(open.index, open.round);
        }
    }

    fn assign(&mut self, round: u64) {
        for read in self.open.iter_mut().rev().take_while(|read| read.round == 0) {
            read.round = round;
        }
    }
}

impl Node {
    /// Takes a read at a leader.
    pub(crate) fn on_read(&mut self) -> Result<(), Rejected> {
        let RoleState::Leader(leader) = &self.role else { return Err(self.not_leader()) };
        if self.reads.len() >= u64::from(self.options.reads_max) {
            return Err(Rejected::ReadQueueFull);
        }
        // Before the own-term no-op is committed, commit may lag behind what earlier leaders
        // acknowledged; the no-op's index covers all of that.
        let index = self.commit.max(leader.opening);
        self.reads.minted = self.reads.minted.saturating_add(1);
        let ticket = ReadTicket(self.reads.minted);
        self.reads.open.push_back(PendingRead { ticket, index, round: 0 });
        self.accepted.issued = Issued::Read(ticket);
        Ok(())
    }

    /// Begins the round that confirms all reads which arrived since the last one.
    pub(crate) fn begin_read_round(&mut self) {
        if self.role() == Role::Leader
            && self.reads.wants_round()
            && let Some(round) = self.begin_round()
        {
            self.reads.assign(round);
        }
    }

    /// Reports reads that ended without an answer.
    pub(crate) fn release_failed_reads(&mut self) {
        for (ticket, reason) in self.reads.failed.drain(..) {
            self.outbox.push_back(Output::ReadFailed { ticket, reason });
        }
    }

    /// Hands out the reads that are confirmed and applied, and reports the failed ones.
    pub(crate) fn release_reads(&mut self) {
        self.release_failed_reads();
        let RoleState::Leader(leader) = &self.role else { return };
        while let Some(read) = self.reads.open.front() {
            let confirmed = read.round > 0 && read.round <= leader.quorum_round;
            if !confirmed || self.applied < read.index {
                break;
            }
            self.outbox.push_back(Output::ReadReady {
                ticket: read.ticket,
                index: read.index,
                term: self.hard.term,
            });
            self.reads.open.pop_front();
        }
    }
}
