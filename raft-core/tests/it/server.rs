//! One server of the rig: node, disk, machine, and everything it handed out.
//!
//! **Intuition.** A machine carries out lane A in order, at once or when the test says so; what the
//! node handed out is kept for the test to look at.
//! **Source.** Ours.
//! **Upholds.** Nothing; it is what the tests stand on.
//! **Not here.** Who speaks to whom (`rig.rs`).

use std::collections::VecDeque;

use raft_core::{
    Apply, ConfigChanged, DisableReason, HaltReason, Input, Lifecycle, LogIndex, Node, Note,
    OperationFailure, OperationTicket, Outcome, Output, Persist, ReadEntries, ReadFailure,
    ReadLevel, ReadTicket, Role, SendSnapshot, SnapshotId, SnapshotMeta, StageId, Term, Ticket,
};

use crate::disk::{Disk, Image, Machine};

/// One server: node, disk, and everything it handed out.
pub(crate) struct Server {
    pub(crate) node: Node,
    pub(crate) disk: Disk,
    /// Writes handed out and not yet part of the acknowledged prefix.
    pub(crate) open: VecDeque<(Persist, bool)>,
    /// Writes wait for `ack`.
    pub(crate) slow_disk: bool,
    /// `Applied` waits for `applied`.
    pub(crate) slow_apply: bool,
    /// `ReadEntries` waits for `answer_read`.
    pub(crate) slow_reads: bool,
    pub(crate) up: bool,
    /// Its disk was born without a configuration.
    pub(crate) blank: bool,
    pub(crate) boots: u64,
    pub(crate) writes: Vec<Persist>,
    pub(crate) applies: Vec<Apply>,
    pub(crate) ready: Vec<(ReadTicket, LogIndex, Term)>,
    /// Level and staleness of each ready read.
    pub(crate) freshness: Vec<(ReadLevel, Option<u64>)>,
    pub(crate) failed_reads: Vec<(ReadTicket, ReadFailure)>,
    pub(crate) ends: Vec<(Ticket, u64, Outcome)>,
    pub(crate) fetches: Vec<ReadEntries>,
    pub(crate) roles: Vec<(Role, u64)>,
    pub(crate) notes: Vec<Note>,
    pub(crate) halted: Option<HaltReason>,
    pub(crate) machine: Machine,
    /// Lane A of a slow machine: what it has not yet carried out, in order.
    pub(crate) lane: VecDeque<Output>,
    /// Snapshots of the own machine wait for `finish_take`.
    pub(crate) slow_takes: bool,
    /// Captured and not yet durable.
    pub(crate) takes: VecDeque<(SnapshotId, Image)>,
    /// Every `TakeSnapshot` handed out.
    pub(crate) asked_takes: Vec<(SnapshotId, SnapshotMeta)>,
    /// Every `SendSnapshot` handed out.
    pub(crate) sends: Vec<SendSnapshot>,
    pub(crate) installs: Vec<SnapshotMeta>,
    pub(crate) discards: Vec<StageId>,
    pub(crate) compactions: Vec<u64>,
    pub(crate) configs: Vec<ConfigChanged>,
    pub(crate) operations: Vec<(OperationTicket, Result<LogIndex, OperationFailure>)>,
    /// Deferred proposals that were appended: (deferred, ticket, index).
    pub(crate) admitted: Vec<(Ticket, Ticket, LogIndex)>,
    pub(crate) lifecycles: Vec<(Lifecycle, Option<DisableReason>)>,
    /// The machine fails at this command.
    pub(crate) poison: Option<&'static str>,
}

impl Server {
    pub(crate) fn new(node: Node, disk: Disk, boots: u64) -> Self {
        Self {
            node,
            disk,
            open: VecDeque::new(),
            slow_disk: false,
            slow_apply: false,
            slow_reads: false,
            up: true,
            blank: false,
            boots,
            writes: Vec::new(),
            applies: Vec::new(),
            ready: Vec::new(),
            freshness: Vec::new(),
            failed_reads: Vec::new(),
            ends: Vec::new(),
            fetches: Vec::new(),
            roles: Vec::new(),
            notes: Vec::new(),
            halted: None,
            machine: Machine::default(),
            lane: VecDeque::new(),
            slow_takes: false,
            takes: VecDeque::new(),
            asked_takes: Vec::new(),
            sends: Vec::new(),
            installs: Vec::new(),
            discards: Vec::new(),
            compactions: Vec::new(),
            configs: Vec::new(),
            operations: Vec::new(),
            admitted: Vec::new(),
            lifecycles: Vec::new(),
            poison: None,
        }
    }

    /// Carries out one piece of lane A. Returns what to tell the node.
    pub(crate) fn execute(&mut self, output: Output) -> Option<Input> {
        match output {
            Output::Apply(apply) => {
                for entry in apply.entries.iter() {
                    if apply.skipped {
                        self.machine.skip(entry.position);
                        continue;
                    }
                    if self.poison.is_some_and(|poison| poison.as_bytes() == entry.entry.payload) {
                        return Some(Input::ApplyFailed(entry.position.index));
                    }
                    self.machine.apply(entry.position, entry.entry);
                }
                Some(Input::Applied(apply.entries.last().unwrap().index))
            }
            Output::TakeSnapshot { id, mut meta } => {
                if self.node.apply_halted().is_some() {
                    // The machine was thrown away before it came to stand there.
                    return Some(Input::SnapshotFailed(id));
                }
                assert_eq!(self.machine.applied, meta.index().0, "taken where the machine stands");
                meta.digest = self.machine.hash;
                meta.size_bytes = 16;
                self.takes.push_back((id, Image { meta: *meta, machine: self.machine }));
                None
            }
            Output::InstallSnapshot(meta) => {
                let image = self.disk.image(&meta).expect("what is installed is published");
                assert!(self.machine.applied < meta.index().0, "an install only goes forward");
                self.machine = image.machine;
                Some(Input::Applied(meta.index()))
            }
            other => panic!("not of lane A: {other:?}"),
        }
    }
}

/// What never falls at one boot.
pub(crate) fn monotone(before: &Node, after: &Node) {
    assert!(after.term() >= before.term(), "T-3.3-02: the term fell");
    assert!(after.commit() >= before.commit(), "T-3.5-18: the commit index fell");
    assert!(after.applied() >= before.applied(), "applied fell");
    if after.term() == before.term() && before.vote().is_some() {
        assert_eq!(after.vote(), before.vote(), "T-3.3-03: a vote changed within its term");
    }
}

/// A refused step changed nothing but a counter.
pub(crate) fn unchanged(before: &Node, after: &Node) {
    let (mut old, mut new) = (before.status(), after.status());
    old.rejections.clear();
    new.rejections.clear();
    old.clock_regressions = new.clock_regressions;
    // Time alone ends a lease.
    old.lease = new.lease;
    old.now = new.now;
    assert_eq!(old, new, "a refused step changed something");
    assert_eq!(before.deadline(), after.deadline(), "a refused step moved a deadline");
}
