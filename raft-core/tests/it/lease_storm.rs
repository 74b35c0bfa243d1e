//! Leases in a storm: clocks that drift, and everything else that goes wrong at once.
//!
//! **Intuition.** Messages late, doubled or lost, restarts, transfers and requests; and after every
//! event the question whether anybody holds a lease while somebody else may have written. With
//! clocks beyond their bound the same storm must find that, or it shows nothing.
//! **Source.** Thesis §6.4.1; T-6.4.1-04, D-R7.
//! **Upholds.** `inv:lease-bound`.
//! **Not here.** Single rules (`leases.rs`).

use std::collections::VecDeque;

use raft_core::{
    Boot, BootId, ClusterId, Configuration, Entry, Envelope, GroupId, HardState, Incarnation,
    Input, Instant, LogIndex, LogPosition, Node, NodeId, Options, Output, ReadLevel, ReadRequest,
    Role, Term, TermRun, TransferRequest,
};

use crate::rig::*;

const LEASE: ReadRequest =
    ReadRequest { level: ReadLevel::Lease, min_index: LogIndex::ZERO, deadline: None };

/// A node with a disk and a clock of its own.
struct Vessel {
    node: Node,
    hard: HardState,
    log: Vec<(LogPosition, Entry)>,
    /// Its clock runs at this many millionths of true time.
    rate_ppm: u64,
    boots: u64,
}

struct Storm {
    vessels: Vec<Vessel>,
    /// Message, when it arrives in true time.
    net: VecDeque<(Envelope, u64)>,
    /// True time in nanoseconds.
    time: u64,
    state: u64,
    options: Options,
    voters: Configuration,
    /// Events at which somebody held a lease, and transfers begun.
    leases: u64,
    transfers: u64,
    terms: u64,
}

impl Storm {
    fn new(seed: u64, error_ppm: u64, assumed_ppm: u32) -> Self {
        let voters = Configuration::new((1..=3).map(NodeId)).unwrap();
        let options = with(|o| {
            o.lease = true;
            o.clock_error_ppm = assumed_ppm;
            o.election_max_ns = 170 * MS;
        });
        let mut storm = Self {
            vessels: Vec::new(),
            net: VecDeque::new(),
            time: 1_000 * MS,
            state: seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1,
            options,
            voters,
            leases: 0,
            transfers: 0,
            terms: 0,
        };
        for id in 1..=3 {
            let slow = 1_000_000 - error_ppm;
            let rate_ppm = [slow, 1_000_000 + error_ppm][storm.draw(2) as usize];
            let hard = HardState::new(ClusterId(7), GroupId(1), NodeId(id), Incarnation(id));
            let boot = Boot::new(BootId(id * 1_000), seed + id, hard.clone(), storm.voters.clone());
            let now = Instant(storm.time * rate_ppm / 1_000_000);
            let node = Node::boot(storm.options.clone(), boot, now).unwrap();
            storm.vessels.push(Vessel { node, hard, log: Vec::new(), rate_ppm, boots: id * 1_000 });
        }
        storm
    }

    fn draw(&mut self, below: u64) -> u64 {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        (self.state >> 11) % below
    }

    fn clock(&self, at: usize) -> Instant {
        Instant(self.time / 1_000 * self.vessels[at].rate_ppm / 1_000)
    }

    fn step(&mut self, at: usize, input: Input) {
        let now = self.clock(at);
        let _refused = self.vessels[at].node.step(now, input);
        self.settle(at);
    }

    fn settle(&mut self, at: usize) {
        let now = self.clock(at);
        while let Some(output) = self.vessels[at].node.poll() {
            let vessel = &mut self.vessels[at];
            match output {
                Output::Persist(write) => {
                    if let Some(from) = write.truncate_from() {
                        vessel.log.retain(|(position, _)| position.index < from);
                    }
                    let new = write.entries.iter().map(|e| (e.position, e.entry.clone()));
                    vessel.log.extend(new);
                    if let Some(hard) = write.hard_state() {
                        vessel.hard = hard.clone();
                    }
                    vessel.node.step(now, Input::Persisted(write.ack)).unwrap();
                }
                Output::Apply(apply) => {
                    let last = apply.entries.last().unwrap().index;
                    vessel.node.step(now, Input::Applied(last)).unwrap();
                }
                Output::Send(envelope) => self.post(*envelope),
                Output::RoleChanged { role: Role::Leader, .. } => self.terms += 1,
                _ => {}
            }
        }
        self.vessels[at].node.check().unwrap();
    }

    fn post(&mut self, envelope: Envelope) {
        // Mostly fast, sometimes lost, doubled, or later than every timeout.
        let delay = match self.draw(12) {
            0 => return,
            1 => self.draw(600 * MS),
            2 => self.draw(170 * MS),
            _ => self.draw(4 * MS),
        };
        if self.draw(8) == 0 {
            let again = self.time + self.draw(700 * MS);
            self.net.push_back((envelope.clone(), again));
        }
        self.net.push_back((envelope, self.time + delay));
    }

    /// What must never be: a lease, and a leader of a higher term.
    fn stale_lease(&mut self) -> Option<String> {
        for at in 0..3 {
            let holder = &self.vessels[at].node;
            let now = self.clock(at);
            // A lease is judged at a read, by the clock read then.
            let mut asked = holder.clone();
            if asked.step(now, Input::ReadWith(LEASE)).is_err() {
                continue;
            }
            self.leases += 1;
            let term = asked.term();
            let rival = self
                .vessels
                .iter()
                .map(|vessel| &vessel.node)
                .find(|node| node.role() == Role::Leader && node.term() > term);
            if let Some(rival) = rival {
                let (a, b) = (asked.id(), rival.id());
                return Some(format!("{a} in {term} and {b} in {}", rival.term()));
            }
        }
        None
    }

    fn restart(&mut self, at: usize) {
        let now = self.clock(at);
        let (options, voters) = (self.options.clone(), self.voters.clone());
        let vessel = &mut self.vessels[at];
        vessel.boots += 1;
        let mut terms: Vec<TermRun> = Vec::new();
        for (position, _) in &vessel.log {
            if terms.last().is_none_or(|run| run.term != position.term) {
                terms.push(TermRun { first: position.index, term: position.term });
            }
        }
        let boot = Boot::new(BootId(vessel.boots), vessel.boots, vessel.hard.clone(), voters)
            .with_log(terms, LogIndex(vessel.log.len() as u64), 0);
        vessel.node = Node::boot(options, boot, now).unwrap();
    }

    /// One event: a message, a deadline, a read, a transfer, a restart.
    fn turn(&mut self) {
        let due = self.net.iter().map(|(_, at)| *at).min().unwrap_or(u64::MAX);
        let tick = self.time + self.draw(3 * MS);
        if due <= tick {
            self.time = self.time.max(due);
            let nth = self.net.iter().position(|(_, at)| *at == due).unwrap();
            let (envelope, _) = self.net.remove(nth).unwrap();
            let to = envelope.to.0 as usize - 1;
            self.step(to, Input::Receive(Box::new(envelope)));
        } else {
            self.time = tick;
            for at in 0..3 {
                self.step(at, Input::Tick);
            }
        }
        match self.draw(400) {
            0..=2 => {
                let to = Some(NodeId(1 + self.draw(3)));
                let at = self.draw(3) as usize;
                let before = self.vessels[at].node.transfer_status();
                self.step(at, Input::TransferLeader(TransferRequest { to, replace: true }));
                self.transfers += u64::from(before != self.vessels[at].node.transfer_status());
            }
            3 => {
                let at = self.draw(3) as usize;
                self.restart(at);
            }
            4..=20 => {
                let at = self.draw(3) as usize;
                self.step(at, Input::Propose("x".into()));
            }
            21..=24 => {
                let at = self.draw(3) as usize;
                self.step(at, Input::Campaign { min_term: Term(0) });
                self.step(at, Input::ForgetLeader);
            }
            25 => {
                // A network that keeps one node's messages for a while.
                let from = NodeId(1 + self.draw(3));
                let late = self.time + self.draw(400 * MS);
                for (envelope, at) in &mut self.net {
                    if envelope.from == from {
                        *at = (*at).max(late);
                    }
                }
            }
            _ => {}
        }
    }
}

/// Runs storms; the first stale lease, and what they reached.
fn storms(seeds: u64, error_ppm: u64, assumed_ppm: u32) -> (Option<String>, [u64; 3]) {
    let mut reached = [0; 3];
    for seed in 1..=seeds {
        let mut storm = Storm::new(seed, error_ppm, assumed_ppm);
        for _ in 0..6_000 {
            storm.turn();
            if let Some(stale) = storm.stale_lease() {
                return (Some(format!("seed {seed}: {stale}")), reached);
            }
        }
        reached[0] += storm.leases;
        reached[1] += storm.transfers;
        reached[2] += storm.terms;
    }
    (None, reached)
}

#[test]
fn t_6_4_1_04_no_lease_overlaps_a_later_leader_while_clocks_keep_their_bound() {
    let (stale, reached) = storms(24, 100_000, 100_000);
    assert_eq!(stale, None);
    let [leases, transfers, terms] = reached;
    assert!(leases > 20_000 && transfers > 100 && terms > 200, "{reached:?}");
}

#[test]
fn t_6_4_1_04_clocks_beyond_their_bound_are_found_out() {
    // D-R7: shows that the test above can fail, and not by luck: about one storm in five does.
    let (stale, reached) = storms(24, 600_000, 100_000);
    assert!(stale.is_some(), "{reached:?}");
}
