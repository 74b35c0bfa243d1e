//! The rig: one node, its disk, machine and peers, driven by moves and audited at every output.
//!
//! **Intuition.** Everything around the node is played by a few plain lists: open writes, batches
//! to apply, reads to answer. A move picks from them. Each fact and each settle goes on the tape,
//! and the tape alone repeats the node.
//! **Source.** Ours; the contract is that of raft-core's documentation.
//! **Upholds.** Checks `inv:persist-before-send`, `inv:lane-order`, `inv:apply-once-in-order`,
//! `inv:nothing-lost`, `inv:monotone`, `inv:bounded`, `inv:pure`.
//! **Not here.** Which moves (`strategy/input.rs`); what is checked of outputs (`audit.rs`).

mod audit;
mod disk;
pub mod tape;

use std::collections::VecDeque;

use bytes::Bytes;
use raft_core::{
    Boot, BootId, Configuration, Entries, FetchFailure, FetchId, Input, Instant, LogIndex,
    LogPosition, Message, Node, Options, Output, PersistAck, ReadEntries, Role, RoundId, Term,
};

use serde::{Serialize, de::DeserializeOwned};

use crate::strategy::{
    input::{Disk as DiskMove, Fetched, Machine, Move, Pass},
    log::entry_at,
    message::{Damage, Near, Saying, Scene, Sketch},
};
use audit::Audit;
use disk::Disk;
use tape::{Tape, TapeEvent};

/// One node and everything around it.
#[derive(Clone, Debug)]
pub struct Rig {
    options: Options,
    voters: Configuration,
    node: Node,
    now: Instant,
    boots: u64,
    disk: Disk,
    audit: Audit,
    /// Acknowledged writes of this boot, for giving again.
    acknowledged: Vec<PersistAck>,
    /// A write of an earlier boot.
    foreign: Option<PersistAck>,
    applies: VecDeque<LogIndex>,
    fetches: Vec<ReadEntries>,
    asked: Option<RoundId>,
    reading: Option<RoundId>,
    round: u64,
    tape: Tape,
    counts: Counts,
}

/// What a rig has been through, over all boots.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Inputs given.
    pub steps: u64,
    /// Inputs refused.
    pub refused: u64,
    /// Inputs given to a follower, pre-candidate, candidate and leader.
    pub by_role: [u64; 4],
    /// Batches applied.
    pub applies: u64,
    /// Reads of entries asked for.
    pub fetches: u64,
    /// Restarts, by crash or after a halt.
    pub restarts: u64,
    /// Snapshots installed.
    pub installs: u64,
}

impl Counts {
    /// Both together.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        let mut by_role = self.by_role;
        for (sum, more) in by_role.iter_mut().zip(other.by_role) {
            *sum += more;
        }
        Self {
            steps: self.steps + other.steps,
            refused: self.refused + other.refused,
            by_role,
            applies: self.applies + other.applies,
            fetches: self.fetches + other.fetches,
            restarts: self.restarts + other.restarts,
            installs: self.installs + other.installs,
        }
    }
}

impl Rig {
    /// Boots the node.
    ///
    /// # Errors
    /// What the node says of a disk it cannot start from.
    pub fn boot(options: Options, boot: Boot) -> Result<Self, String> {
        let now = Instant(1_000_000_000);
        let node = Node::boot(options.clone(), boot.clone(), now).map_err(|e| e.to_string())?;
        let disk = Disk::holding(&boot);
        Ok(Self {
            voters: boot.configuration.clone(),
            audit: Audit::starting_at(&node),
            tape: Tape::starting(options.clone(), boot.clone(), now),
            options,
            node,
            now,
            boots: boot.boot_id.0,
            disk,
            acknowledged: Vec::new(),
            foreign: None,
            applies: VecDeque::new(),
            fetches: Vec::new(),
            asked: None,
            reading: None,
            round: 0,
            counts: Counts::default(),
        })
    }

    /// The node.
    #[must_use]
    pub const fn node(&self) -> &Node {
        &self.node
    }

    /// What happened to the node since its last boot.
    #[must_use]
    pub const fn tape(&self) -> &Tape {
        &self.tape
    }

    /// What it has been through.
    #[must_use]
    pub const fn counts(&self) -> Counts {
        self.counts
    }

    /// Plays one move; does nothing if nothing fits it.
    ///
    /// # Errors
    /// Names the first promise the node broke.
    pub fn play(&mut self, play: &Move) -> Result<(), String> {
        match play {
            Move::Tick(pass) => self.pass(*pass),
            Move::Receive(sketch) => self.receive(sketch),
            Move::Propose(size) => self.give(Input::Propose(Bytes::from(vec![0x61; *size]))),
            Move::Read => self.give(Input::Read),
            Move::Disk(how) => self.disk_reports(*how),
            Move::Machine(how) => self.machine_reports(*how),
            Move::Fetched(which, how) => self.fetch_ends(*which, *how),
            Move::StepDown => self.give(Input::StepDown),
            Move::Settle => self.settle(),
            Move::Pop(count) => {
                for _ in 0..*count {
                    self.poll()?;
                }
                Ok(())
            }
            Move::Elect => self.elect(),
            Move::Restart(kept) => self.restart(usize::from(*kept)),
            Move::Shutdown => self.give(Input::Shutdown),
        }?;
        if self.node.halted().is_some() {
            // Whatever the reason: it says so once, then only a restart from disk goes on.
            self.settle()?;
            if self.node.poll().is_some() || self.node.deadline().is_some() {
                return Err("a halted node still wants something".to_owned());
            }
            return self.restart(0);
        }
        Ok(())
    }

    /// Hands out everything due.
    ///
    /// # Errors
    /// Names the first promise the node broke.
    pub fn settle(&mut self) -> Result<(), String> {
        // One settle's work and one more that answers a step in between; more would be a loop.
        let mut left = 100_000;
        while self.poll()? {
            left -= 1;
            if left == 0 {
                return Err("a settle that does not end (inv:bounded)".to_owned());
            }
        }
        Ok(())
    }

    fn poll(&mut self) -> Result<bool, String> {
        let settles = self.node.queues().outbox == 0;
        if settles {
            self.tape.push(TapeEvent::Settle);
        }
        let Some(output) = self.node.poll() else { return Ok(false) };
        self.tape.heard(&output);
        self.audit.output(&output, &self.disk)?;
        match output {
            Output::Persist(write) => self.disk.take(write)?,
            Output::Apply(apply) => {
                self.counts.applies += 1;
                self.applies.extend(apply.entries.last().map(|position| position.index));
            }
            Output::InstallSnapshot(meta) => {
                self.counts.installs += 1;
                self.applies.push_back(meta.index());
            }
            Output::CompactTo(upto) => self.disk.compact(upto)?,
            Output::ReadEntries(read) => {
                self.counts.fetches += 1;
                self.fetches.push(read);
            }
            Output::Send(envelope) => match envelope.message {
                Message::PreVote(ask) => self.asked = Some(ask.round),
                Message::ReadIndex(ask) => self.reading = Some(ask.context),
                Message::AppendEntries(append) => self.round = append.round,
                _ => {}
            },
            _ => {}
        }
        self.node.check().map_err(|what| format!("after an output: {what}"))?;
        Ok(true)
    }

    /// Gives one fact and checks what it did.
    fn give(&mut self, input: Input) -> Result<(), String> {
        let before = self.node.clone();
        self.tape.push(TapeEvent::Step(self.now, input.clone()));
        self.counts.steps += 1;
        self.counts.by_role[before.role() as usize] += 1;
        match self.node.step(self.now, input.clone()) {
            Ok(accepted) => self.audit.accepted(&accepted),
            Err(rejected) => {
                self.counts.refused += 1;
                audit::nothing_changed(&before, &self.node, self.now, rejected, &input)?;
            }
        }
        self.node.check().map_err(|what| format!("after {input:?}: {what}"))?;
        self.audit.state(&before, &self.node)
    }

    fn pass(&mut self, pass: Pass) -> Result<(), String> {
        let now = match pass {
            Pass::Micros(by) => self.now.plus(by * 1_000),
            Pass::ToDeadline => self.node.deadline().map_or(self.now, |at| at.max(self.now)),
            Pass::Back(by) => {
                let behind = Instant(self.now.0.saturating_sub(by * 1_000));
                let real = core::mem::replace(&mut self.now, behind);
                let result = self.give(Input::Tick);
                self.now = real;
                return result;
            }
        };
        self.now = now;
        self.give(Input::Tick)
    }

    fn receive(&mut self, sketch: &Sketch) -> Result<(), String> {
        let scene = Scene {
            node: &self.node,
            voters: self.voters.voters().len() as u64,
            asked: self.asked,
            reading: self.reading,
            round: self.round,
        };
        let envelope = sketch.envelope(&scene);
        self.give(Input::Receive(Box::new(envelope)))
    }

    fn acknowledge(&mut self, at: usize) -> Result<(), String> {
        let Some(ack) = self.disk.complete(at) else { return Ok(()) };
        self.acknowledged.push(ack);
        self.give(Input::Persisted(ack))
    }

    fn disk_reports(&mut self, how: DiskMove) -> Result<(), String> {
        match how {
            DiskMove::Oldest => self.acknowledge(0),
            DiskMove::Any(which) => match self.disk.open() {
                0 => Ok(()),
                open => self.acknowledge(which.index(open)),
            },
            DiskMove::All => {
                while self.disk.open() > 0 {
                    self.acknowledge(0)?;
                }
                Ok(())
            }
            DiskMove::Again(which) => match self.acknowledged.as_slice() {
                [] => Ok(()),
                acks => self.give(Input::Persisted(*which.get(acks))),
            },
            DiskMove::Foreign => match self.foreign {
                Some(ack) => self.give(Input::Persisted(ack)),
                None => Ok(()),
            },
            DiskMove::NeverIssued => match self.acknowledged.last() {
                Some(ack) => self.give(Input::Persisted(never_issued(*ack)?)),
                None => Ok(()),
            },
            DiskMove::Failed => match self.disk.oldest() {
                Some(ack) => self.give(Input::PersistFailed(ack)),
                None => Ok(()),
            },
        }
    }

    fn machine_reports(&mut self, how: Machine) -> Result<(), String> {
        let upto = match how {
            Machine::Next => self.applies.pop_front(),
            Machine::All => self.applies.drain(..).next_back(),
            Machine::TooFar => Some(self.audit.handed().plus(1)),
            Machine::Again => Some(self.node.applied().prev()),
        };
        upto.map_or(Ok(()), |upto| self.give(Input::Applied(upto)))
    }

    fn fetch_ends(&mut self, which: proptest::sample::Index, how: Fetched) -> Result<(), String> {
        if self.fetches.is_empty() {
            return Ok(());
        }
        let at = which.index(self.fetches.len());
        let read = self.fetches[at];
        if how != Fetched::UnknownId {
            self.fetches.swap_remove(at);
        }
        let honest = self.disk.read(read.first, read.last);
        let failed = |failure| Input::EntriesReadFailed { id: read.id, failure };
        let gives = |entries| Input::EntriesRead { id: read.id, entries };
        self.give(match how {
            Fetched::Right => gives(honest),
            Fetched::First => gives(self.disk.read(read.first, read.first)),
            Fetched::Busy => failed(FetchFailure::Busy),
            Fetched::UnknownId => Input::EntriesRead { id: unknown(read.id)?, entries: honest },
            Fetched::Nothing => gives(Entries::EMPTY),
            Fetched::WrongTerm => {
                let position = LogPosition::new(Term(999_999), read.first);
                gives(Entries::collect([(position, entry_at(position))]).unwrap_or_default())
            }
            Fetched::Broken => failed(FetchFailure::Broken),
        })
    }

    /// Lets the timer run out and answers every request with a yes.
    fn elect(&mut self) -> Result<(), String> {
        for _ in 0..4 {
            if self.node.role() == Role::Leader || self.node.halted().is_some() {
                return Ok(());
            }
            if self.node.role() == Role::Follower {
                self.pass(Pass::ToDeadline)?;
            }
            self.settle()?;
            self.disk_reports(DiskMove::All)?;
            self.settle()?;
            for from in 0..self.voters.voters().len() as u64 {
                let saying = match self.node.role() {
                    Role::PreCandidate => {
                        Saying::PreVoteReply { granted: true, round: Near::At, foreign: false }
                    }
                    Role::Candidate => Saying::VoteReply { granted: true },
                    Role::Follower | Role::Leader => break,
                };
                self.receive(&Sketch { from, term: Near::At, saying, damage: Damage::None })?;
            }
        }
        self.settle()
    }

    /// Ends the process and boots from what the disk kept.
    fn restart(&mut self, kept: usize) -> Result<(), String> {
        self.foreign = self.acknowledged.last().copied().or(self.foreign);
        self.boots += 1;
        self.counts.restarts += 1;
        self.disk.crash(kept)?;
        let boot = self.disk.boot(BootId(self.boots), &self.voters);
        self.node = Node::boot(self.options.clone(), boot.clone(), self.now)
            .map_err(|error| format!("a crash left what boot refuses: {error}"))?;
        self.tape = Tape::starting(self.options.clone(), boot, self.now);
        self.audit = Audit::starting_at(&self.node);
        self.acknowledged.clear();
        self.applies.clear();
        self.fetches.clear();
        (self.asked, self.reading) = (None, None);
        self.round = 0;
        Ok(())
    }
}

/// An acknowledgement of the same boot for a write far beyond any handed out.
fn never_issued(like: PersistAck) -> Result<PersistAck, String> {
    forged(like, "sequence")
}

/// A read id of the same boot that was never given.
fn unknown(like: FetchId) -> Result<FetchId, String> {
    forged(like, "number")
}

/// The ids are opaque, so the only way to a wrong one is through their serialised form.
fn forged<T: Serialize + DeserializeOwned>(like: T, field: &str) -> Result<T, String> {
    let mut value = serde_json::to_value(like).map_err(|error| error.to_string())?;
    value[field] = serde_json::Value::from(1_u64 << 40);
    serde_json::from_value(value).map_err(|error| error.to_string())
}
