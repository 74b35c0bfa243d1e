//! The cluster of a script: servers with disks and drivers, a network, a clock, and what was said.
//!
//! **Intuition.** Plain state that commands change. What a driver would do by itself is done by
//! itself only where the script said so: disks wait for `sync`, machines apply at once.
//! **Source.** docs/CONTRACT.md.
//! **Upholds.** Nothing.
//! **Not here.** Commands (`verb/`), an input and all that follows from it (`turn.rs`).

use std::collections::{BTreeMap, BTreeSet};

use raft_core::{
    BootId, Configuration, Input, Instant, LogIndex, Node, OperationTicket, Options, ReadEntries,
    ReadTicket, Rejected, Role, SendSnapshot, SnapshotId, SnapshotMeta, StageId, Ticket,
};

use super::{disk::Disk, net::Net, watch::Watch};

/// What a driver does by itself, or only when told.
#[derive(Clone, Copy, Debug)]
pub(super) struct Drive {
    /// Every write is acknowledged at once.
    pub(super) disk: bool,
    /// Entries are applied at once.
    pub(super) apply: bool,
    /// Entries asked for are read back at once.
    pub(super) fetch: bool,
    /// Snapshots asked for are taken at once.
    pub(super) snapshot: bool,
}

/// One server.
#[derive(Clone, Debug)]
pub(super) struct Server {
    /// `None` while it is down.
    pub(super) node: Option<Node>,
    pub(super) disk: Disk,
    pub(super) drive: Drive,
    pub(super) options: Options,
    /// How far this server's clock is ahead of the script's, in nanoseconds.
    pub(super) clock_ahead_ns: i64,
    /// Requests for entries of this boot, the newest last.
    pub(super) fetches: Vec<ReadEntries>,
    /// Snapshots to be taken, the newest last.
    pub(super) takes: Vec<(SnapshotId, SnapshotMeta)>,
    /// Snapshots to be shipped to peers, the newest last.
    pub(super) ships: Vec<SendSnapshot>,
    /// The newest of each that was asked for in the boots before, for reports that come late.
    pub(super) older_fetch: Option<ReadEntries>,
    pub(super) older_take: Option<SnapshotId>,
    pub(super) older_ship: Option<SnapshotId>,
    /// The newest of each that was ever asked for, for drivers that say things twice.
    pub(super) last_take: Option<SnapshotId>,
    pub(super) last_ship: Option<SnapshotId>,
    /// Newest round of pre-votes and of appends sent.
    pub(super) rounds: (u64, u64),
    pub(super) boots: u64,
    pub(super) told_role: Role,
    pub(super) told_commit: LogIndex,
    pub(super) handed: LogIndex,
    pub(super) proposals: BTreeSet<Ticket>,
    /// Open reads, each with the index that was committed anywhere when it began.
    pub(super) reads: BTreeMap<ReadTicket, LogIndex>,
    pub(super) operations: BTreeSet<OperationTicket>,
    pub(super) halted: bool,
}

/// A line and what kind of fact it tells.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) kind: &'static str,
    pub(super) text: String,
}

/// Everything a script acts on.
#[derive(Debug)]
pub(super) struct World {
    pub(super) servers: BTreeMap<u64, Server>,
    pub(super) net: Net,
    pub(super) now_ns: u64,
    /// Snapshots staged so far, anywhere.
    stages: u64,
    /// Kinds of lines the script left out.
    pub(super) muted: BTreeSet<String>,
    /// Invariants the script breaks on purpose.
    pub(super) ignored: BTreeSet<String>,
    pub(super) watch: Watch,
    lines: Vec<String>,
}

impl World {
    pub(super) fn new() -> Self {
        Self {
            servers: BTreeMap::new(),
            net: Net::default(),
            now_ns: 1_000_000_000,
            stages: 0,
            muted: BTreeSet::new(),
            ignored: BTreeSet::new(),
            watch: Watch::default(),
            lines: Vec::new(),
        }
    }

    /// Takes the lines said since the last call.
    pub(super) fn take_lines(&mut self) -> Vec<String> {
        std::mem::take(&mut self.lines)
    }

    /// Says one line of a kind that can be muted.
    pub(super) fn say(&mut self, line: Line) {
        if !self.muted.contains(line.kind) {
            self.lines.push(line.text);
        }
    }

    /// Says a line that was asked for.
    pub(super) fn answer(&mut self, text: String) {
        self.lines.push(text);
    }

    pub(super) fn server(&self, id: u64) -> Result<&Server, String> {
        self.servers.get(&id).ok_or(format!("there is no n{id}"))
    }

    pub(super) fn server_mut(&mut self, id: u64) -> Result<&mut Server, String> {
        self.servers.get_mut(&id).ok_or(format!("there is no n{id}"))
    }

    /// The node of a server that is up.
    pub(super) fn node(&self, id: u64) -> Result<&Node, String> {
        self.server(id)?.node.as_ref().ok_or(format!("n{id} is down"))
    }

    pub(super) fn ids(&self) -> Vec<u64> {
        self.servers.keys().copied().collect()
    }

    /// All servers that are up.
    pub(super) fn up(&self) -> Vec<u64> {
        let up = self.servers.iter().filter(|(_, server)| server.node.is_some());
        up.map(|(id, _)| *id).collect()
    }

    /// The time on the clock of `id`.
    pub(super) fn clock(&self, id: u64) -> Result<Instant, String> {
        let ahead = self.server(id)?.clock_ahead_ns;
        Ok(Instant(self.now_ns.saturating_add_signed(ahead)))
    }

    /// When `id` wants to be ticked, on the script's clock.
    pub(super) fn due(&self, id: u64) -> Option<u64> {
        let server = self.servers.get(&id)?;
        let deadline = server.node.as_ref()?.deadline()?;
        Some(deadline.0.saturating_add_signed(server.clock_ahead_ns.saturating_neg()))
    }

    // ---- servers come and go ---------------------------------------------------------------

    /// Adds a server with a fresh disk of this configuration; it is down.
    pub(super) fn add(&mut self, id: u64, born: Configuration, options: Options, drive: Drive) {
        let server = Server {
            node: None,
            disk: Disk::fresh(id, born),
            drive,
            options,
            clock_ahead_ns: 0,
            fetches: Vec::new(),
            takes: Vec::new(),
            ships: Vec::new(),
            older_fetch: None,
            older_take: None,
            older_ship: None,
            last_take: None,
            last_ship: None,
            rounds: (0, 0),
            boots: 0,
            told_role: Role::Follower,
            told_commit: LogIndex::ZERO,
            handed: LogIndex::ZERO,
            proposals: BTreeSet::new(),
            reads: BTreeMap::new(),
            operations: BTreeSet::new(),
            halted: false,
        };
        self.servers.insert(id, server);
    }

    /// Boots `id` from its disk; `change` may spoil what the driver hands over. A refusal to boot
    /// is a line.
    pub(super) fn boot(
        &mut self,
        id: u64,
        change: impl FnOnce(&mut raft_core::Boot) -> Result<(), String>,
    ) -> Result<bool, String> {
        let now = self.clock(id)?;
        let server = self.server_mut(id)?;
        server.boots += 1;
        let boot_id = BootId(id.saturating_mul(1_000).saturating_add(server.boots));
        let mut boot = server.disk.boot(boot_id);
        change(&mut boot)?;
        server.older_fetch = server.fetches.last().copied().or(server.older_fetch);
        (server.older_take, server.older_ship) = (server.last_take, server.last_ship);
        server.fetches.clear();
        server.takes.clear();
        server.ships.clear();
        server.rounds = (0, 0);
        server.proposals.clear();
        server.reads.clear();
        server.operations.clear();
        server.halted = false;
        match Node::boot(server.options.clone(), boot, now) {
            Ok(node) => {
                server.told_role = node.role();
                server.told_commit = node.commit();
                server.handed = node.applied();
                server.node = Some(node);
                Ok(true)
            }
            Err(refused) => {
                self.say(Line { kind: "recover", text: format!("n{id} does not boot: {refused}") });
                Ok(false)
            }
        }
    }

    /// Makes the newest snapshot asked for durable and reports it.
    pub(super) fn take_snapshot(&mut self, id: u64) -> Result<(), String> {
        let server = self.server_mut(id)?;
        let (ask, mut meta) = server.takes.pop().ok_or(format!("n{id} wants no snapshot"))?;
        // Any function of the machine will do; here it is where it stands.
        (meta.digest, meta.size_bytes) = (meta.index().0, 64);
        let taken =
            raft_core::SnapshotTaken { id: ask, digest: meta.digest, size_bytes: meta.size_bytes };
        server.disk.keep_snapshot(meta);
        self.step_only(id, Input::SnapshotTaken(taken))
    }

    /// The name of the next staged snapshot.
    pub(super) fn next_stage(&mut self) -> StageId {
        self.stages += 1;
        StageId(self.stages)
    }
}

/// All refusals by name, so that a new one is known as soon as the core names it.
pub(super) fn rejections() -> impl Iterator<Item = &'static str> {
    Rejected::ALL.iter().map(|rejected| rejected.name())
}
