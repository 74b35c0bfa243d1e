//! Linearizable reads by a round of heartbeats.
//!
//! **Intuition.** A leader that hears from a majority *after* the read arrived was still the
//! leader when it arrived, so its commit index of that moment covers every acknowledged write.
//! **Source.** Thesis §6.4.
//! **Upholds.** `inv:read-freshness`.
//! **Not here.** Evaluating the read (`world/host.rs`).

use raft_core::{LogIndex, Role};

use super::{Bug, Naive};
use crate::{
    process::{Answer, Effect},
    workload::reads::{Level, Wanted},
};

/// One read waiting for its round.
#[derive(Clone, Copy, Debug)]
pub(super) struct OpenRead {
    pub(super) ticket: u64,
    index: LogIndex,
    round: u64,
}

/// Reads open at once.
pub(super) const READS_MAX: usize = 256;

impl Naive {
    pub(super) fn on_read(&mut self) -> Answer {
        self.on_leader_read(LogIndex::ZERO, false)
    }

    /// A read at a chosen level; one through the log is confirmed by a round like any other.
    pub(super) fn on_read_with(&mut self, wanted: Wanted) -> Answer {
        match wanted.level {
            Level::Linearizable | Level::ThroughLog => self.on_leader_read(wanted.least, false),
            Level::Lease => self.on_leader_read(wanted.least, true),
            Level::Local if self.applied < wanted.least => {
                Answer::Refused { why: "behind", hint: self.leader }
            }
            Level::Local => {
                self.next_read += 1;
                let (ticket, index) = (self.next_read, self.applied);
                let staleness = self.staleness();
                self.outbox.push_back(Effect::ReadReady { ticket, index, staleness });
                Answer::Accepted(ticket)
            }
        }
    }

    fn on_leader_read(&mut self, least: LogIndex, lease: bool) -> Answer {
        if self.role != Role::Leader {
            return Answer::Refused { why: "not-leader", hint: self.leader };
        }
        if self.reads.len() >= READS_MAX {
            return Answer::Refused { why: "queue-full", hint: Some(self.id) };
        }
        // Before anything of its own term is committed a leader does not know how far the
        // commit index really is; the start of its term is not below it.
        let floor = if self.has(Bug::ReadBeforeOwnTerm) { LogIndex::ZERO } else { self.term_start };
        if lease && !self.has_lease() {
            return Answer::Refused { why: "no-lease", hint: Some(self.id) };
        }
        if !lease && !self.round_due {
            self.read_round += 1;
            self.round_due = true;
        }
        self.next_read += 1;
        let index = self.commit.max(floor).max(least);
        // Round 0 was answered by everybody.
        let round = if lease { 0 } else { self.read_round };
        self.reads.push(OpenRead { ticket: self.next_read, index, round });
        Answer::Accepted(self.next_read)
    }

    /// Answers the reads whose round a majority has acknowledged.
    pub(super) fn serve_reads(&mut self) {
        if self.reads.is_empty() {
            return;
        }
        let (quorum, applied) = (self.quorum(), self.applied);
        let unasked = self.has(Bug::ReadWithoutRound);
        let (peers, outbox) = (&self.peers, &mut self.outbox);
        self.reads.retain(|read| {
            let heard = peers.iter().filter(|peer| peer.round >= read.round).count() + 1;
            let confirmed = heard >= quorum || unasked;
            let ready = confirmed && applied >= read.index;
            if ready {
                let (ticket, index) = (read.ticket, read.index);
                outbox.push_back(Effect::ReadReady { ticket, index, staleness: Some(0) });
            }
            !ready
        });
    }
}
