//! Status: everything worth seeing, taken in one look.
//!
//! **Intuition.** One value from one moment, so that no two numbers in it are from different
//! times. It answers in every role, also after a halt.
//! **Source.** Ours.
//! **Upholds.** Nothing; read-only.
//! **Not here.** Metrics over time.

use alloc::vec::Vec;
use core::fmt;

use crate::{
    Node,
    config::Configuration,
    error::{HaltReason, Rejected},
    log::Entry,
    options::Options,
    read::lease::NoLease,
    replication::progress::ProgressState,
    role::RoleState,
    transfer::TransferStatus,
    types::{Instant, LogIndex, LogPosition, NodeId, Role, Term},
};

/// One peer as a leader sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct PeerStatus {
    /// Whose.
    pub peer: NodeId,
    /// Probing or streaming.
    pub state: ProgressState,
    /// Highest index durable there and equal to ours.
    pub matched: LogIndex,
    /// Next index to send.
    pub next: LogIndex,
    /// Appends on their way.
    pub inflight: u64,
    /// Payload bytes on their way.
    pub inflight_bytes: u64,
}

/// What the queues hold now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Queues {
    /// Entries held in memory.
    pub tail_entries: u64,
    /// Payload bytes held in memory.
    pub tail_bytes: u64,
    /// Writes handed out and not acknowledged.
    pub persists: u64,
    /// Reads accepted and not answered.
    pub reads: u64,
    /// Proposals accepted and not ended.
    pub proposals: u64,
    /// Entries handed to apply and not applied.
    pub applying: u64,
    /// Outputs waiting to be polled.
    pub outbox: u64,
}

/// One look at a node.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Status {
    /// This node.
    pub node: NodeId,
    /// Role.
    pub role: Role,
    /// Current term.
    pub term: Term,
    /// Vote in it.
    pub vote: Option<NodeId>,
    /// Who leads, as this node believes; advisory.
    pub leader: Option<NodeId>,
    /// Last position of the log, durable or not.
    pub last: LogPosition,
    /// Highest durable index.
    pub durable: LogIndex,
    /// Highest index verified by this term's leader.
    pub verified: LogIndex,
    /// Commit index.
    pub commit: LogIndex,
    /// Highest index the machine has applied.
    pub applied: LogIndex,
    /// The voters.
    pub configuration: Configuration,
    /// Progress by peer, while leading; else empty. Ascending.
    pub peers: Vec<PeerStatus>,
    /// Queues.
    pub queues: Queues,
    /// Newest time at which a quorum was surely with this leader.
    pub quorum_contact: Option<Instant>,
    /// Until when this leader may answer reads by its lease, by its own clock, or why it may not.
    pub lease: Result<Instant, NoLease>,
    /// The transfer of leadership under way.
    pub transfer: Option<TransferStatus>,
    /// Why the node halted, if it did.
    pub halted: Option<HaltReason>,
    /// Steps refused, with their reason; zeros left out.
    pub rejections: Vec<(Rejected, u64)>,
    /// Times `now` went backwards.
    pub clock_regressions: u64,
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} {} term {} last {} durable {} commit {} applied {}",
            self.node, self.role, self.term, self.last, self.durable, self.commit, self.applied
        )?;
        match (self.leader, self.halted) {
            (_, Some(reason)) => write!(f, " halted: {reason}"),
            (Some(leader), None) => write!(f, " leader {leader}"),
            (None, None) => f.write_str(" no leader"),
        }
    }
}

impl Node {
    /// Everything worth seeing.
    #[must_use]
    pub fn status(&self) -> Status {
        let rejections = Rejected::ALL.iter().copied().zip(self.rejections.iter().copied());
        Status {
            node: self.hard.node,
            role: self.role(),
            term: self.hard.term,
            vote: self.hard.vote,
            leader: self.leader_hint(),
            lease: self.lease(),
            transfer: self.transfer_status(),
            last: self.log.last(),
            durable: self.lane.durable(),
            verified: self.verified,
            commit: self.commit,
            applied: self.applied,
            configuration: self.configuration.clone(),
            peers: self.peers().collect(),
            queues: self.queues(),
            quorum_contact: match &self.role {
                RoleState::Leader(leader) => Some(leader.contact),
                _ => None,
            },
            halted: self.halted,
            rejections: rejections.filter(|(_, count)| *count > 0).collect(),
            clock_regressions: self.clock_regressions,
        }
    }

    /// What the queues hold now.
    #[must_use]
    pub fn queues(&self) -> Queues {
        Queues {
            tail_entries: self.log.tail().entries(),
            tail_bytes: self.log.tail().bytes(),
            persists: self.lane.open(),
            reads: self.reads.len(),
            proposals: self.tickets.open_count(),
            applying: self.handed.since(self.applied),
            outbox: self.outbox.len() as u64,
        }
    }

    /// This node.
    #[must_use]
    pub const fn id(&self) -> NodeId {
        self.hard.node
    }

    /// Current term.
    #[must_use]
    pub const fn term(&self) -> Term {
        self.hard.term
    }

    /// Vote in the current term.
    #[must_use]
    pub const fn vote(&self) -> Option<NodeId> {
        self.hard.vote
    }

    /// Who leads, as this node believes. Advisory only; cleared when the term changes, and never
    /// somebody outside the configuration in force.
    #[must_use]
    pub fn leader_hint(&self) -> Option<NodeId> {
        self.leader.filter(|leader| self.configuration.is_member(*leader))
    }

    /// Commit index.
    #[must_use]
    pub const fn commit(&self) -> LogIndex {
        self.commit
    }

    /// Highest applied index.
    #[must_use]
    pub const fn applied(&self) -> LogIndex {
        self.applied
    }

    /// Highest durable index.
    #[must_use]
    pub const fn durable(&self) -> LogIndex {
        self.lane.durable()
    }

    /// Last position of the log, durable or not.
    #[must_use]
    pub fn last(&self) -> LogPosition {
        self.log.last()
    }

    /// The term of `index`; `None` above the end of the log.
    #[must_use]
    pub fn term_at(&self, index: LogIndex) -> Option<Term> {
        self.log.term_at(index)
    }

    /// Why the node halted, if it did.
    #[must_use]
    pub const fn halted(&self) -> Option<HaltReason> {
        self.halted
    }

    /// The index of the entry that put the configuration in force; 0 if it came with the disk.
    #[must_use]
    pub fn configuration_index(&self) -> LogIndex {
        self.marks.history.newest().0
    }

    /// The configuration in force: the newest of the log, committed or not.
    #[must_use]
    pub const fn configuration_in_force_ref(&self) -> &Configuration {
        &self.configuration
    }

    /// The tunables it runs with.
    #[must_use]
    pub const fn options(&self) -> &Options {
        &self.options
    }

    /// Progress of every peer without allocating, while leading; else nothing. Ascending.
    pub fn peers(&self) -> impl Iterator<Item = PeerStatus> + '_ {
        let leading = self.role() == Role::Leader;
        self.peers.iter().filter(move |_| leading).map(|peer| {
            let (inflight, inflight_bytes) = peer.progress.inflight();
            PeerStatus {
                peer: peer.id,
                state: peer.progress.state,
                matched: peer.progress.matched,
                next: peer.progress.next,
                inflight,
                inflight_bytes,
            }
        })
    }

    /// The entries held in memory from `from` on: all that are not durable, and some that are.
    pub fn entries_from(&self, from: LogIndex) -> impl Iterator<Item = (LogPosition, &Entry)> + '_ {
        self.log.tail().iter_from(from)
    }
}
