//! A hand-driven cluster of facts for the oracles' tests.
//!
//! **Intuition.** Each call tells the panel the facts a well-behaved host would tell, in that
//! order; a test then tells one wrong fact and sees who objects. All oracles are on, so a test
//! also shows that nobody else objects earlier.
//! **Source.** Ours.
//! **Upholds.** None.
//! **Not here.** Running systems (`world/`).

use raft_core::{LogIndex, LogPosition, NodeId, Role, Term};

use super::{Observation, OracleId, OracleSetup, Oracles, Violation};
use crate::{
    outcome::OracleLevel,
    process::{
        Changed, Claim, EntryId, HardRecord, MessageKind, MessageLabel, NodeView, PeerView,
        Promises,
    },
};

pub(super) const ALL: Promises = Promises::ALL;

/// The entry of `term` at `index` with the content that everyone agrees on.
pub(super) fn entry(term: u64, index: u64) -> EntryId {
    other_entry(term, index, 0)
}

/// An entry at the same place with other content.
pub(super) fn other_entry(term: u64, index: u64, content: u64) -> EntryId {
    EntryId {
        position: LogPosition::new(Term(term), LogIndex(index)),
        hash: term << 40 | index << 8 | content,
    }
}

pub(super) fn hard(term: u64, vote: u64) -> HardRecord {
    let vote = (vote > 0).then_some(NodeId(vote));
    HardRecord { term: Term(term), vote, ..HardRecord::default() }
}

/// One node as its host keeps it.
#[derive(Clone, Debug, Default)]
pub(super) struct Node {
    pub(super) view: NodeView,
    boot: u64,
    sequence: u64,
    handed: u64,
    hard: HardRecord,
    memory: Vec<EntryId>,
    disk: Vec<EntryId>,
}

pub(super) type Seen = Result<(), Violation>;

/// The cluster.
pub(super) struct Kit {
    pub(super) oracles: Oracles,
    pub(super) event: u64,
    nodes: Vec<Node>,
    /// (term, candidate, voter) of every vote that became durable.
    votes: Vec<(u64, u64, u64)>,
}

impl Kit {
    /// `voters` running nodes with empty disks and all oracles on.
    pub(super) fn new(voters: u64) -> Self {
        Self::with(voters, ALL, &[])
    }

    pub(super) fn with(voters: u64, promises: Promises, without: &[OracleId]) -> Self {
        let ids: Vec<_> = (1..=voters).map(NodeId).collect();
        let level = OracleLevel::All;
        let mut kit = Self {
            oracles: Oracles::new(OracleSetup {
                voters: &ids,
                promises,
                without,
                level,
                clock_error_ppm: 1_000,
            }),
            event: 0,
            nodes: vec![Node::default(); voters as usize],
            votes: Vec::new(),
        };
        for node in 1..=voters {
            kit.boot(node).unwrap();
        }
        kit
    }

    pub(super) fn node(&mut self, node: u64) -> &mut Node {
        &mut self.nodes[node as usize - 1]
    }

    /// Tells one fact, as one event.
    pub(super) fn see(&mut self, observation: Observation<'_>) -> Seen {
        self.event += 1;
        self.oracles.observe(self.event, self.event * 1_000, observation)
    }

    /// Starts `node` from its disk.
    pub(super) fn boot(&mut self, node: u64) -> Seen {
        let n = self.node(node);
        n.boot += 1;
        (n.sequence, n.handed) = (0, 0);
        n.memory.clone_from(&n.disk);
        n.view = NodeView {
            term: n.hard.term,
            vote: n.hard.vote,
            last: n.disk.last().map_or(LogPosition::ZERO, |e| e.position),
            durable: LogIndex(n.disk.len() as u64),
            ..NodeView::default()
        };
        let view = n.view.clone();
        self.boot_as(node, &view)
    }

    /// Starts `node` from its disk and lets it show `view`.
    pub(super) fn boot_as(&mut self, node: u64, view: &NodeView) -> Seen {
        let n = self.node(node);
        n.view.clone_from(view);
        let (boot, hard, log) = (n.boot, n.hard, n.disk.clone());
        self.see(Observation::Booted { node: NodeId(node), boot, hard, log: &log, view })
    }

    /// Kills `node`; its disk keeps what is durable.
    pub(super) fn crash(&mut self, node: u64) -> Seen {
        let n = self.node(node);
        let (hard, log) = (n.hard, n.disk.clone());
        self.see(Observation::Crashed {
            node: NodeId(node),
            hard,
            log: &log,
            writes_lost: 0,
            power_loss: false,
        })
    }

    /// Kills `node` and leaves `hard` and the first `keep` entries on its disk.
    pub(super) fn crash_leaving(&mut self, node: u64, hard: HardRecord, keep: usize) -> Seen {
        let n = self.node(node);
        n.hard = hard;
        n.disk.truncate(keep);
        let log = n.disk.clone();
        self.see(Observation::Crashed {
            node: NodeId(node),
            hard,
            log: &log,
            writes_lost: 1,
            power_loss: true,
        })
    }

    /// Changes the view of `node`.
    pub(super) fn view(&mut self, node: u64, change: impl FnOnce(&mut NodeView)) -> Seen {
        let n = self.node(node);
        let before = n.view.clone();
        change(&mut n.view);
        let (after, boot) = (n.view.clone(), n.boot);
        let (before, after) = (&before, &after);
        let changed = Changed::ALL;
        self.see(Observation::View { node: NodeId(node), boot, changed, before, after })
    }

    /// A write with this content is handed out and becomes durable.
    pub(super) fn write(
        &mut self,
        node: u64,
        hard: Option<HardRecord>,
        truncate_from: Option<u64>,
        entries: &[EntryId],
    ) -> Seen {
        self.hand(node, hard, truncate_from, entries)?;
        self.durable(node, hard, truncate_from, entries)
    }

    pub(super) fn hand(
        &mut self,
        node: u64,
        hard: Option<HardRecord>,
        truncate_from: Option<u64>,
        entries: &[EntryId],
    ) -> Seen {
        let n = self.node(node);
        n.sequence += 1;
        let sequence = n.sequence;
        let truncate_from = truncate_from.map(LogIndex);
        let node = NodeId(node);
        self.see(Observation::PersistHanded {
            node,
            sequence,
            hard,
            truncate_from,
            entries,
            snapshot: None,
        })
    }

    pub(super) fn durable(
        &mut self,
        node: u64,
        hard: Option<HardRecord>,
        truncate_from: Option<u64>,
        entries: &[EntryId],
    ) -> Seen {
        let n = self.node(node);
        let sequence = n.sequence;
        n.hard = hard.unwrap_or(n.hard);
        if let Some(from) = truncate_from {
            n.disk.truncate(from as usize - 1);
        }
        n.disk.extend_from_slice(entries);
        let truncate_from = truncate_from.map(LogIndex);
        let node = NodeId(node);
        self.see(Observation::PersistDurable {
            node,
            sequence,
            hard,
            truncate_from,
            entries,
            snapshot: None,
        })
    }

    /// `node` takes over `term` and votes for `vote` (0: nobody), durably.
    pub(super) fn vote(&mut self, node: u64, term: u64, vote: u64) -> Seen {
        let record = hard(term, vote);
        let role = if vote == node { Role::Candidate } else { Role::Follower };
        self.view(node, |v| {
            (v.term, v.vote, v.role, v.leader) = (record.term, record.vote, role, None);
            v.peers.clear();
        })?;
        self.write(node, Some(record), None, &[])?;
        self.votes.push((term, vote, node));
        Ok(())
    }

    /// `node` wins `term` with the votes of `voters` and itself.
    pub(super) fn elect(&mut self, node: u64, term: u64, voters: &[u64]) -> Seen {
        self.vote(node, term, node)?;
        for voter in voters {
            self.vote(*voter, term, node)?;
        }
        self.lead(node)
    }

    /// `from` told `to` something in the term of `to`, and it arrived.
    pub(super) fn tell(&mut self, from: u64, to: u64, claim: Claim) -> Seen {
        let term = self.node(to).view.term;
        let kind = match claim {
            Claim::Vote(_) => MessageKind::VOTE_REPLY,
            _ => MessageKind::APPEND_REPLY,
        };
        let label = &MessageLabel { claim, ..MessageLabel::plain(kind, term) };
        self.see(Observation::Delivered { node: NodeId(to), from: NodeId(from), label })
    }

    /// The view of `node` says that it leads its term; whoever voted for it has told it so.
    pub(super) fn lead(&mut self, node: u64) -> Seen {
        let term = self.node(node).view.term.0;
        let won = |(at, candidate, _): &&(u64, u64, u64)| (*at, *candidate) == (term, node);
        let voters: Vec<u64> = self.votes.iter().filter(won).map(|(.., voter)| *voter).collect();
        for voter in voters {
            self.tell(voter, node, Claim::Vote(NodeId(node)))?;
        }
        self.lead_untold(node)
    }

    /// The view of `node` says that it leads its term.
    pub(super) fn lead_untold(&mut self, node: u64) -> Seen {
        let count = self.nodes.len() as u64;
        self.view(node, |v| {
            v.role = Role::Leader;
            v.leader = Some(NodeId(node));
            v.peers = (1..=count)
                .filter(|peer| *peer != node)
                .map(|peer| PeerView {
                    peer: NodeId(peer),
                    matched: LogIndex::ZERO,
                    next: v.last.index.next(),
                    inflight: 0,
                    inflight_bytes: 0,
                })
                .collect();
        })
    }

    /// The log of `node` in memory is `entries` from `from` on.
    pub(super) fn log(&mut self, node: u64, from: u64, entries: &[EntryId]) -> Seen {
        let n = self.node(node);
        n.memory.truncate(from as usize - 1);
        n.memory.extend_from_slice(entries);
        let last = n.memory.last().map_or(LogPosition::ZERO, |e| e.position);
        let leading = n.view.role == Role::Leader;
        let from = LogIndex(from);
        self.see(Observation::Log { node: NodeId(node), from, entries, leading })?;
        self.view(node, |v| {
            v.last = last;
            v.durable = v.durable.min(from.prev());
        })
    }

    /// `node` appends `count` entries of `term` in memory.
    pub(super) fn append(&mut self, node: u64, term: u64, count: u64) -> Seen {
        let last = self.node(node).memory.len() as u64;
        let entries: Vec<_> = (1..=count).map(|i| entry(term, last + i)).collect();
        self.log(node, last + 1, &entries)
    }

    /// The disk of `node` catches up with its memory.
    pub(super) fn store(&mut self, node: u64) -> Seen {
        let n = self.node(node);
        let same = n.memory.iter().zip(&n.disk).take_while(|(a, b)| a == b).count();
        let cut = (same < n.disk.len()).then_some(same as u64 + 1);
        let entries = n.memory[same..].to_vec();
        self.write(node, None, cut, &entries)?;
        let durable = LogIndex(self.node(node).disk.len() as u64);
        self.view(node, |v| v.durable = durable)
    }

    /// `node` appends `count` entries of `term` and stores them.
    pub(super) fn replicate(&mut self, node: u64, term: u64, count: u64) -> Seen {
        self.append(node, term, count)?;
        self.store(node)
    }

    /// The commit index of `node` is now `index`; a leader was told by everyone who stored that.
    pub(super) fn commit(&mut self, node: u64, index: u64) -> Seen {
        let stored = |at: usize, n: &Node| (n.disk.len() as u64 >= index).then_some(at as u64 + 1);
        let holders: Vec<u64> =
            self.nodes.iter().enumerate().filter_map(|(at, n)| stored(at, n)).collect();
        for holder in holders.into_iter().filter(|holder| *holder != node) {
            self.tell(holder, node, Claim::Match(LogIndex(index)))?;
        }
        self.commit_untold(node, index)
    }

    /// The commit index of `node` is now `index`.
    pub(super) fn commit_untold(&mut self, node: u64, index: u64) -> Seen {
        self.view(node, |v| v.commit = LogIndex(index))
    }

    /// `node` hands out and applies what lies between the last time and `upto`.
    pub(super) fn apply(&mut self, node: u64, upto: u64) -> Seen {
        let n = self.node(node);
        let (first, entries) = (n.handed + 1, n.memory.clone());
        n.handed = upto;
        self.see(Observation::ApplyHanded {
            node: NodeId(node),
            first: LogIndex(first),
            last: LogIndex(upto),
        })?;
        for index in first..=upto {
            self.applied(node, entries[index as usize - 1], index * 7)?;
        }
        self.view(node, |v| v.applied = LogIndex(upto))
    }

    pub(super) fn applied(&mut self, node: u64, entry: EntryId, machine: u64) -> Seen {
        self.see(Observation::Applied { node: NodeId(node), entry, machine })
    }

    /// `node` sends a message that claims `claim` in its current term.
    pub(super) fn send(&mut self, node: u64, to: u64, claim: Claim) -> Seen {
        let term = self.node(node).view.term;
        let kind = match claim {
            Claim::Term => MessageKind::APPEND,
            Claim::Candidacy(_) => MessageKind::REQUEST_VOTE,
            Claim::Vote(_) => MessageKind::VOTE_REPLY,
            Claim::Match(_) => MessageKind::APPEND_REPLY,
        };
        let label = &MessageLabel { claim, ..MessageLabel::plain(kind, term) };
        self.see(Observation::Sent { node: NodeId(node), to: NodeId(to), label })
    }

    /// Three voters; n1 leads term 1 and everyone stores and commits its entries 1 to `count`.
    pub(super) fn settled(count: u64) -> Self {
        let mut kit = Self::new(3);
        kit.elect(1, 1, &[2, 3]).unwrap();
        kit.replicate(1, 1, count).unwrap();
        for node in [2, 3] {
            kit.replicate(node, 1, count).unwrap();
        }
        for node in 1..=3 {
            kit.commit(node, count).unwrap();
        }
        kit
    }

    /// Asserts that the last fact broke `oracle` at `node` for a reason that contains `reason`.
    #[track_caller]
    pub(super) fn broke(
        &self,
        seen: Seen,
        oracle: OracleId,
        node: impl Into<Option<u64>>,
        reason: &str,
    ) {
        let violation = seen.expect_err("an oracle objects");
        assert_eq!(violation.oracle, oracle, "{}", violation.reason);
        assert_eq!(violation.event, self.event, "{violation:?}");
        assert_eq!(violation.at, self.event * 1_000, "{violation:?}");
        assert_eq!(violation.node, node.into().map(NodeId), "{violation:?}");
        assert!(violation.reason.contains(reason), "{}", violation.reason);
    }

    pub(super) fn checks(&self, id: OracleId) -> u64 {
        self.oracles.checks()[id as usize]
    }
}
