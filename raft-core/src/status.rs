//! Status: everything worth seeing, taken in one look.
//!
//! **Intuition.** One value from one moment, so that no two numbers in it are from different
//! times. It answers in every role, also after a halt. Moments are given as moments of the node's
//! clock, with its `now`; how long ago something was is asked of the value.
//! **Source.** S-103 to S-105; counters instead of callbacks: S-05.
//! **Upholds.** Nothing; read-only.
//! **Not here.** Metrics over time.

use alloc::vec::Vec;
use core::fmt;

use crate::{
    Node,
    config::Configuration,
    error::{HaltReason, Rejected},
    lazy::Empty,
    lifecycle::skip::ApplyFailure,
    log::Entry,
    message::Message,
    options::Options,
    read::lease::NoLease,
    replication::progress::ProgressState,
    role::RoleState,
    settings::Settings,
    storage::DisableReason,
    transfer::TransferStatus,
    types::{
        BootId, ClusterId, GroupId, Incarnation, Instant, Lifecycle, LogIndex, LogPosition,
        Membership, NodeId, RecoveryEpoch, Role, Term,
    },
};

/// One peer as a leader sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct PeerStatus {
    /// Whose.
    pub peer: NodeId,
    /// The life of its disk; 0 while not known.
    pub incarnation: Incarnation,
    /// Probing, streaming, or waiting for a snapshot.
    pub state: ProgressState,
    /// It has not answered for so long that it is only probed.
    pub silent: bool,
    /// Highest index durable there and equal to ours.
    pub matched: LogIndex,
    /// Next index to send.
    pub next: LogIndex,
    /// Highest index its machine has applied, as it last said.
    pub applied: LogIndex,
    /// When its last answer of this reign came.
    pub answered_at: Option<Instant>,
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
    /// Proposals appended and not ended.
    pub proposals: u64,
    /// Proposals of high priority that a candidate keeps.
    pub buffered: u64,
    /// Proposals of low priority that wait to be appended.
    pub deferred: u64,
    /// Payload bytes of both.
    pub deferred_bytes: u64,
    /// Changes, transfers and other operations not ended, as far as they end by this list.
    pub operations: u64,
    /// Entries handed to apply and not applied.
    pub applying: u64,
    /// Entries committed and not applied.
    pub unapplied: u64,
    /// Payload bytes of those, as far as they were in memory.
    pub unapplied_bytes: u64,
    /// Outputs waiting to be polled.
    pub outbox: u64,
}

/// What was counted since boot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Counters {
    /// Messages sent, by kind in the order of [`Message::NAMES`].
    pub sent: [u64; Message::KINDS],
    /// Messages accepted, likewise; refused ones are counted by reason.
    pub received: [u64; Message::KINDS],
    /// Elections begun here.
    pub elections_started: u64,
    /// Elections won here.
    pub elections_won: u64,
    /// Entries appended to the log here, own or a leader's.
    pub entries_appended: u64,
    /// Entries that became committed here.
    pub entries_committed: u64,
}

impl Empty for Counters {
    const EMPTY: &'static Self = &Self {
        sent: [0; Message::KINDS],
        received: [0; Message::KINDS],
        elections_started: 0,
        elections_won: 0,
        entries_appended: 0,
        entries_committed: 0,
    };
}

impl Counters {
    pub(crate) fn sent(&mut self, kind: usize) {
        if let Some(count) = self.sent.get_mut(kind) {
            *count = count.saturating_add(1);
        }
    }

    pub(crate) fn received(&mut self, kind: usize) {
        if let Some(count) = self.received.get_mut(kind) {
            *count = count.saturating_add(1);
        }
    }
}

/// Whether a node is of use to its clients.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Health {
    /// It takes part, and leads with a quorum or has lately heard from a leader.
    pub live: bool,
    /// It is not live, or its machine is more than `Options::lagging_entries` behind what it knows
    /// to be committed.
    pub lagging: bool,
    /// It takes part and has heard from no leader for `Options::stale_ns`, or never.
    pub stale: bool,
}

/// What is known of one index. Local and at once: nothing about linearizability is claimed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Look {
    /// The entry, held in memory. A witness's has a kind for which
    /// [`EntryKind::is_stub`](crate::EntryKind::is_stub) holds, and a digest for its payload.
    Entry {
        /// Where it stands.
        position: LogPosition,
        /// What it says.
        entry: Entry,
        /// Whether it is committed.
        committed: bool,
    },
    /// It is in the log and not in memory: ask the driver's store, whose answer is right if it has
    /// this position.
    OnDisk {
        /// Where it stands.
        position: LogPosition,
        /// Whether it is committed.
        committed: bool,
    },
    /// A snapshot stands in its place, or it is index 0.
    Compacted {
        /// The first index that could be looked at.
        first: LogIndex,
    },
    /// The log ends before it.
    NotYet {
        /// Where it ends.
        last: LogIndex,
    },
}

/// One look at a node.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Status {
    /// When it was taken, by the node's own clock: the time of its newest step.
    pub now: Instant,
    /// The cluster.
    pub cluster: ClusterId,
    /// The group.
    pub group: GroupId,
    /// This node.
    pub node: NodeId,
    /// The life of its disk.
    pub incarnation: Incarnation,
    /// This boot.
    pub boot: BootId,
    /// The recovery epoch. Which recoveries there were is told by
    /// `configuration.parts().recoveries`, for ever.
    pub epoch: RecoveryEpoch,
    /// Role. A node that halted leads nothing and campaigns for nothing, whatever it did before: it
    /// is shown as a follower, of nobody unless it was one.
    pub role: Role,
    /// Since when.
    pub role_since: Instant,
    /// What it is to its group.
    pub membership: Membership,
    /// Whether it takes part.
    pub lifecycle: Lifecycle,
    /// Why it is out of service, if it is.
    pub disabled: Option<DisableReason>,
    /// Why it halted, if it did.
    pub halted: Option<HaltReason>,
    /// Where its machine failed, if it did.
    pub apply_halted: Option<ApplyFailure>,
    /// Current term.
    pub term: Term,
    /// Vote in it.
    pub vote: Option<NodeId>,
    /// Who leads, as this node believes; advisory.
    pub leader: Option<NodeId>,
    /// When it last heard from a leader.
    pub contact: Option<Instant>,
    /// While campaigning, who granted so far, ascending; else empty.
    pub votes: Vec<NodeId>,
    /// The newest durable snapshot's position.
    pub snapshot: Option<LogPosition>,
    /// First index of the log; above `last` if it is empty.
    pub first: LogIndex,
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
    /// The configuration in force.
    pub configuration: Configuration,
    /// The index of its entry.
    pub configuration_index: LogIndex,
    /// Whether that is committed.
    pub configuration_committed: bool,
    /// The group's settings, as committed here.
    pub settings: Settings,
    /// Replicated time at the end of the log, in nanoseconds.
    pub stamp: u64,
    /// Label of the last entry, if known.
    pub label: Option<u64>,
    /// Progress by peer, while leading; else empty. Ascending.
    pub peers: Vec<PeerStatus>,
    /// Queues.
    pub queues: Queues,
    /// Their limits, and everything else that was chosen for this node.
    pub limits: Options,
    /// Whom leadership is being handed over to.
    pub transferring: Option<NodeId>,
    /// Newest time at which a quorum was surely with this leader.
    pub quorum_contact: Option<Instant>,
    /// Until when this leader may answer reads by its lease, by its own clock, or why it may not.
    pub lease: Result<Instant, NoLease>,
    /// The transfer of leadership under way.
    pub transfer: Option<TransferStatus>,
    /// What was counted since boot.
    pub counters: Counters,
    /// Steps refused, with their reason; zeros left out.
    pub rejections: Vec<(Rejected, u64)>,
    /// Times `now` went backwards.
    pub clock_regressions: u64,
}

impl Status {
    /// Whether the node is of use to its clients.
    #[must_use]
    pub fn health(&self) -> Health {
        let member = !matches!(self.membership, Membership::Blank | Membership::Removed);
        let takes_part = member && self.lifecycle == Lifecycle::Running;
        let recent =
            |at: Option<Instant>, grace: u64| at.is_some_and(|at| self.now.since(at) < grace);
        let in_touch = match self.role {
            Role::Leader => recent(self.quorum_contact, self.limits.check_quorum_ns),
            _ => recent(self.contact, self.limits.stale_ns),
        };
        let live = takes_part && in_touch;
        let behind = self.commit.since(self.applied) > self.limits.lagging_entries;
        Health { live, lagging: !live || behind, stale: takes_part && !in_touch }
    }

    /// How long the node has had its role, in nanoseconds.
    #[must_use]
    pub const fn time_in_role_ns(&self) -> u64 {
        self.now.since(self.role_since)
    }

    /// How long ago a peer answered, in nanoseconds.
    #[must_use]
    pub fn answer_age_ns(&self, peer: NodeId) -> Option<u64> {
        let peer = self.peers.iter().find(|other| other.peer == peer)?;
        peer.answered_at.map(|at| self.now.since(at))
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} ", self.node, self.membership)?;
        match self.halted {
            Some(_) => f.write_str("HALTED")?,
            None => write!(f, "{}", self.role)?,
        }
        write!(
            f,
            " term {} last {} durable {} commit {} applied {}",
            self.term, self.last, self.durable, self.commit, self.applied
        )?;
        match self.leader {
            Some(leader) => write!(f, " leader {leader}")?,
            None => f.write_str(" no leader")?,
        }
        if let Some(at) = self.snapshot {
            write!(f, " snapshot {at}")?;
        }
        if self.configuration.is_joint() {
            f.write_str(" joint")?;
        }
        if !self.configuration_committed {
            write!(f, " configuration {} not committed", self.configuration_index)?;
        }
        if let Some(to) = self.transferring {
            write!(f, " handing over to {to}")?;
        }
        if let Some(failure) = self.apply_halted {
            write!(f, " machine failed at {}", failure.index)?;
        }
        for peer in &self.peers {
            write!(f, "; {} {:?} match {}", peer.peer, peer.state, peer.matched)?;
            if peer.silent {
                f.write_str(" silent")?;
            }
        }
        match (self.halted, self.disabled, self.lifecycle) {
            (Some(reason), ..) => write!(f, "; halted: {reason}"),
            (None, Some(reason), _) => write!(f, "; disabled: {reason}"),
            (None, None, Lifecycle::Running) => Ok(()),
            (None, None, lifecycle) => write!(f, "; {lifecycle}"),
        }
    }
}

impl Node {
    /// Everything worth seeing.
    #[must_use]
    pub fn status(&self) -> Status {
        let rejections = Rejected::ALL.iter().copied().zip(self.rejections.iter().copied());
        let (configuration_index, _) = self.marks.history.newest();
        Status {
            now: self.now,
            cluster: self.hard.cluster,
            group: self.hard.group,
            node: self.hard.node,
            incarnation: self.hard.incarnation,
            boot: self.boot_id,
            epoch: self.hard.epoch,
            role: if self.halted.is_some() { Role::Follower } else { self.role() },
            role_since: self.role_since,
            membership: self.membership(),
            lifecycle: self.lifecycle(),
            disabled: self.disabled(),
            halted: self.halted,
            apply_halted: self.apply_failed,
            term: self.hard.term,
            vote: self.hard.vote,
            leader: self.leader_hint(),
            lease: self.lease(),
            transfer: self.transfer_status(),
            contact: self.contact.map(|(_, at)| at),
            votes: self.votes(),
            snapshot: self.snapshots.newest.as_ref().map(|meta| meta.position),
            first: self.log.base().index.next(),
            last: self.log.last(),
            durable: self.lane.durable(),
            verified: self.verified,
            commit: self.commit,
            applied: self.applied,
            configuration: self.configuration.clone(),
            configuration_index,
            configuration_committed: configuration_index <= self.commit,
            settings: self.settings,
            stamp: self.last_stamp,
            label: self.last_label,
            peers: self.peers().collect(),
            queues: self.queues(),
            limits: (*self.options).clone(),
            transferring: self.transfer_target(),
            quorum_contact: match &self.role {
                RoleState::Leader(leader) if self.halted.is_none() => Some(leader.contact),
                _ => None,
            },
            counters: *self.counters,
            rejections: rejections.filter(|(_, count)| *count > 0).collect(),
            clock_regressions: self.clock_regressions,
        }
    }

    /// Who granted so far.
    fn votes(&self) -> Vec<NodeId> {
        let asking = matches!(self.role, RoleState::PreCandidate { .. } | RoleState::Candidate);
        if !asking || self.halted.is_some() {
            return Vec::new();
        }
        let granted = self.peers.iter().filter(|peer| peer.granted == Some(true));
        let mut votes: Vec<NodeId> = granted.map(|peer| peer.id).collect();
        if self.role() == Role::PreCandidate || self.own_vote_durable() {
            votes.push(self.hard.node);
        }
        votes.sort_unstable();
        votes
    }

    /// What the queues hold now.
    #[must_use]
    pub fn queues(&self) -> Queues {
        let (buffered, deferred) = self.deferred.waiting();
        let (unapplied, unapplied_bytes) = self.apply_backlog();
        Queues {
            tail_entries: self.log.tail().entries(),
            tail_bytes: self.log.tail().bytes(),
            persists: self.lane.open(),
            reads: self.reads.len(),
            proposals: self.tickets.open_count(),
            buffered,
            deferred,
            deferred_bytes: self.deferred.waiting_bytes(),
            operations: self.operations.open_count(),
            applying: self.handed.since(self.applied.max(self.snapshots.installing_index())),
            unapplied,
            unapplied_bytes,
            outbox: self.outbox.len() as u64,
        }
    }

    /// What is known of the entry at `index`, without waiting for anything.
    #[must_use]
    pub fn get_entry(&self, index: LogIndex) -> Look {
        let base = self.log.base().index;
        if index <= base {
            return Look::Compacted { first: base.next() };
        }
        let Some(term) = self.log.term_at(index) else {
            return Look::NotYet { last: self.log.last_index() };
        };
        let position = LogPosition::new(term, index);
        let committed = index <= self.commit;
        match self.log.tail().get(index) {
            Some(entry) => Look::Entry { position, entry: entry.clone(), committed },
            None => Look::OnDisk { position, committed },
        }
    }

    /// What was counted since boot.
    #[must_use]
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// What settling has changed since the last step, for observers that look right after polling;
    /// whoever does not ask is told with the next step.
    pub fn take_settled(&mut self) -> crate::Accepted {
        core::mem::take(&mut self.accepted)
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
    /// somebody outside the configuration in force, nor itself once it has halted.
    #[must_use]
    pub fn leader_hint(&self) -> Option<NodeId> {
        let over = |leader: NodeId| self.halted.is_some() && leader == self.hard.node;
        self.leader.filter(|leader| self.configuration.is_member(*leader) && !over(*leader))
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

    /// The position before the first entry whose term is known here: 0/0, or where the log was
    /// compacted.
    #[must_use]
    pub const fn log_base(&self) -> LogPosition {
        self.log.base()
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
    pub fn options(&self) -> &Options {
        &self.options
    }

    /// Progress of every peer without allocating, while leading; else nothing. Ascending.
    pub fn peers(&self) -> impl Iterator<Item = PeerStatus> + '_ {
        let leading = self.role() == Role::Leader && self.halted.is_none();
        self.peers.iter().filter(move |peer| leading && peer.is_fed()).map(|peer| {
            let (inflight, inflight_bytes) = peer.progress.inflight();
            PeerStatus {
                peer: peer.id,
                incarnation: peer.incarnation,
                state: peer.progress.state,
                silent: peer.quiet.is_silent(),
                matched: peer.progress.matched,
                next: peer.progress.next,
                applied: peer.applied,
                answered_at: peer.heard_at,
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
