//! Random runs of six nodes whose membership changes all the time, over a bad network and crashes.
//!
//! **Intuition.** Every kind of change at every moment: during elections, by two successive
//! leaders, with snapshots in between and power failing between any two writes. Whatever was
//! committed once is the same everywhere and for ever, each term has one leader, and when all is
//! repaired the members of the last configuration end at the same place.
//! **Source.** Ours; thesis §4.1 to §4.3, B-060 to B-074.
//! **Upholds.** `inv:configuration-safety`, `inv:election-safety`, `inv:committed-immutable`,
//! `inv:live`.
//! **Not here.** Single rules (`membership.rs`, `joint.rs`, `removal.rs`, `witness.rs`).

use std::collections::BTreeMap;

use raft_core::{
    ConfigAction, ConfigLevel, Configuration, Incarnation, Input, LogIndex, Membership, NodeId,
    Role, Term, TransferRequest,
};

use crate::{dice::Dice, rig::*};

/// What all runs together saw, to be sure that they were worth running.
#[derive(Debug, Default)]
struct Seen {
    begun: usize,
    done: usize,
    failed: usize,
    joint: usize,
    witnesses: usize,
    removed: usize,
    undone: usize,
    quarantined: usize,
    installed: usize,
    leaders: usize,
    crashes: usize,
}

struct Soak {
    seed: u64,
    rig: Rig,
    dice: Dice,
    /// The higher, the fewer partitions.
    calm: u64,
    /// The machine's state by index, the term by committed index, the configuration by the index
    /// of its committed entry, the leader by term: whoever knows must agree.
    machines: BTreeMap<u64, u64>,
    terms: BTreeMap<u64, Term>,
    configurations: BTreeMap<u64, Configuration>,
    leaders: BTreeMap<Term, u64>,
    seen: Seen,
}

const NODES: u64 = 6;

impl Soak {
    fn new(seed: u64) -> Self {
        let options = with(|o| {
            o.snapshot_entries = 4 + seed % 7;
            o.snapshot_keep_entries = seed % 3;
            o.retained_entries_max = 2 + seed % 9;
            o.snapshot_retry_ns = 20 * MS;
            o.append_entries_max = 4;
            o.commit_notice_ns = 0;
            o.ready_lag_max = 4;
            o.pre_vote = !seed.is_multiple_of(4);
            o.check_quorum = !seed.is_multiple_of(3);
            o.witness_after_data_copy = seed.is_multiple_of(5);
        });
        let rig = Rig::joined_by(3, NODES - 3, options);
        let dice = Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        let (machines, terms) = (BTreeMap::new(), BTreeMap::new());
        let (configurations, leaders) = (BTreeMap::new(), BTreeMap::new());
        Self {
            seed,
            rig,
            dice,
            calm: 1 + seed % 6,
            machines,
            terms,
            configurations,
            leaders,
            seen: Seen::default(),
        }
    }

    fn look(&mut self) {
        for id in self.rig.ids() {
            let server = self.rig.at(id);
            if !server.up {
                continue;
            }
            assert_eq!(server.halted, None, "n{id} halted");
            let (node, machine) = (&server.node, server.machine);
            // A witness's description of a machine has no state in it.
            if machine.hash != 0 {
                let known = *self.machines.entry(machine.applied).or_insert(machine.hash);
                assert_eq!(known, machine.hash, "n{id} differs at {}", machine.applied);
            }
            let commit = node.commit();
            if let Some(term) = node.term_at(commit) {
                let known = *self.terms.entry(commit.0).or_insert(term);
                assert_eq!(known, term, "n{id} committed another entry at {commit}");
            }
            let (configuration, index, committed) = node.configuration(ConfigLevel::Committed);
            assert!(committed);
            let known = self.configurations.entry(index.0).or_insert_with(|| configuration.clone());
            assert_eq!(known, configuration, "n{id} committed another configuration at {index}");
            if node.role() == Role::Leader {
                let known = *self.leaders.entry(node.term()).or_insert(id);
                assert_eq!(known, id, "two leaders of term {}", node.term());
            }
            if node.lifecycle() == raft_core::Lifecycle::Quarantined {
                self.seen.quarantined += 1;
            }
        }
    }

    fn tick(&mut self, id: u64) {
        if let Some(due) = self.rig.node(id).deadline()
            && due <= self.rig.now
        {
            self.rig.step(id, Input::Tick).unwrap();
        }
    }

    fn action(&mut self) -> ConfigAction {
        let node = NodeId(1 + self.dice.below(NODES));
        let witness = self.dice.below(3) == 0;
        let incarnation = if self.dice.flip() { Incarnation(0) } else { Incarnation(node.0 + 100) };
        match self.dice.below(16) {
            0..2 => ConfigAction::AddLearner { node, incarnation, witness },
            2..6 => ConfigAction::AddVoter { node, incarnation, witness },
            6 => ConfigAction::Promote { node, if_ready: self.dice.flip() },
            7 => ConfigAction::Demote { node },
            8..11 => ConfigAction::Remove { node },
            11 => ConfigAction::ToWitness { node },
            12..14 => {
                let set = 1 + self.dice.below((1 << NODES) - 1);
                let voters = (1..=NODES).filter(|id| set >> (id - 1) & 1 == 1).map(NodeId);
                let explicit_leave = self.dice.below(3) == 0;
                ConfigAction::ReplaceVoters { voters: voters.collect(), explicit_leave }
            }
            14 => ConfigAction::LeaveJoint,
            _ => {
                let leader = self.leader().unwrap_or(1);
                let mut settings = *self.rig.node(leader).settings();
                settings.heartbeat_ns = (10 + self.dice.below(60)) * MS;
                ConfigAction::SetSettings(settings)
            }
        }
    }

    fn leader(&mut self) -> Option<u64> {
        let leads = |id: &u64| {
            let server = &self.rig.servers[*id as usize - 1];
            server.up && server.node.role() == Role::Leader
        };
        self.rig.ids().into_iter().filter(leads).max_by_key(|id| self.rig.node(*id).term())
    }

    fn one_event(&mut self) {
        let id = 1 + self.dice.below(NODES);
        let up = self.rig.at(id).up;
        match self.dice.below(60) {
            0..26 => {
                for _ in 0..self.rig.net.len().min(4) {
                    let at = self.dice.below(self.rig.net.len().min(12) as u64) as usize;
                    let envelope = self.rig.net.remove(at);
                    if self.dice.below(20) == 0 {
                        self.rig.net.push(envelope.clone());
                    }
                    if self.rig.at(envelope.to.0).up && self.dice.below(25) > 0 {
                        let _refused = self.rig.receive(envelope);
                    }
                }
            }
            26..36 => {
                self.rig.pass(self.dice.below(20 * MS));
                for id in self.rig.ids() {
                    if self.rig.at(id).up {
                        self.tick(id);
                    }
                }
            }
            36..42 => {
                if let Some(id) = self.leader() {
                    let now = self.rig.now;
                    let bytes = format!("{}", self.dice.below(1_000_000));
                    let _refused = self.rig.at(id).node.propose(now, bytes.into());
                    self.rig.drain(id);
                }
            }
            42..47 => {
                let action = self.action();
                // Sometimes of a leader that is deposed without knowing.
                let id = if self.dice.below(4) == 0 { Some(id) } else { self.leader() };
                if let Some(id) = id.filter(|id| self.rig.at(*id).up)
                    && let Ok(raft_core::Change::Begun(_)) = self.rig.change(id, action)
                {
                    self.seen.begun += 1;
                }
            }
            47 if up => {
                let server = self.rig.at(id);
                server.slow_disk = !server.slow_disk;
                if !server.slow_disk {
                    self.rig.ack(id);
                }
            }
            48..51 if up && !self.rig.at(id).open.is_empty() => {
                let nth = self.dice.below(self.rig.at(id).open.len() as u64) as usize;
                if !self.rig.at(id).open[nth].1 {
                    self.rig.ack_nth(id, nth).unwrap();
                }
            }
            51 if up && self.dice.below(5) == 0 => {
                let more = self.dice.below(4) as usize;
                self.rig.crash(id, more);
                self.seen.crashes += 1;
            }
            52..56 if !up => self.rig.restart(id),
            56 if self.dice.below(self.calm) == 0 => {
                // A partition, as far as what is under way goes.
                let side = self.dice.below(1 << NODES);
                let inside = |node: NodeId| side >> (node.0 - 1) & 1;
                self.rig.net.retain(|e| inside(e.from) == inside(e.to));
            }
            57 if self.dice.below(4) == 0 => {
                if let Some(id) = self.leader() {
                    let now = self.rig.now;
                    let _refused = self.rig.at(id).node.transfer(now, TransferRequest::default());
                    self.rig.drain(id);
                }
            }
            _ => {}
        }
        self.look();
    }

    /// Everything is repaired; all members must end at the same place.
    fn heal(&mut self) {
        for id in self.rig.ids() {
            self.rig.at(id).slow_disk = false;
            if !self.rig.at(id).up {
                self.rig.restart(id);
            }
            self.rig.ack(id);
        }
        for _ in 0..40 {
            self.rig.run(1_000 * MS);
            self.look();
            if let Some(leader) = self.leader() {
                let _already = self.rig.change(leader, ConfigAction::LeaveJoint);
                let now = self.rig.now;
                let _refused = self.rig.at(leader).node.propose(now, "more".into());
                self.rig.drain(leader);
            }
        }
        self.rig.run(2_000 * MS);
        self.look();
        let leader = self
            .leader()
            .unwrap_or_else(|| panic!("seed {}: nobody leads: {}", self.seed, self.story()));
        let (configuration, _, committed) = {
            let node = self.rig.node(leader);
            let (configuration, index, committed) = node.configuration(ConfigLevel::InForce);
            (configuration.clone(), index, committed)
        };
        assert!(committed && !configuration.is_joint(), "{}", self.story());
        let commit = self.rig.commit(leader);
        assert_eq!(commit, self.rig.node(leader).last().index.0, "{}", self.story());
        for member in configuration.members() {
            let server = self.rig.at(member.0);
            assert_eq!(server.node.commit().0, commit, "{member}");
            assert_eq!(server.node.applied(), LogIndex(commit), "{member}");
            if !configuration.is_witness(member) {
                assert_eq!(server.machine.applied, commit, "{member}");
                assert_ne!(server.machine.hash, 0, "{member} has no data");
            }
        }
        for server in &self.rig.servers {
            self.seen.installed += server.installs.len();
            self.seen.leaders += server.roles.iter().filter(|r| r.0 == Role::Leader).count();
            self.seen.witnesses += usize::from(server.node.membership() == Membership::Witness);
            self.seen.removed += usize::from(server.node.membership() == Membership::Removed);
            let told = &server.configs;
            self.seen.joint += told.iter().filter(|t| t.configuration.is_joint()).count();
            self.seen.undone += told.windows(2).filter(|t| t[1].index < t[0].index).count();
            for (_, result) in &server.operations {
                match result {
                    Ok(_) => self.seen.done += 1,
                    Err(_) => self.seen.failed += 1,
                }
            }
        }
    }

    /// One line a node.
    fn story(&self) -> String {
        let line = |server: &Server| {
            let node = &server.node;
            let (configuration, index, committed) = node.configuration(ConfigLevel::InForce);
            format!(
                "\n{} {:?} {:?} {:?} at {index} {committed}",
                node.status(),
                node.membership(),
                node.lifecycle(),
                configuration.parts()
            )
        };
        self.rig.servers.iter().map(line).collect()
    }
}

#[test]
fn random_changes_of_membership_never_fork_and_end_well() {
    let mut all = Seen::default();
    // The last ones once ended badly: nobody could lead, as witnesses were ahead of every data disk
    // that stayed, or a disk without data was counted; or a witness was one while its install ran.
    for seed in (1..=120).chain([163, 219, 327, 457, 482, 499]) {
        let mut soak = Soak::new(seed);
        for _ in 0..1_500 {
            soak.one_event();
        }
        soak.heal();
        let seen = soak.seen;
        all.begun += seen.begun;
        all.done += seen.done;
        all.failed += seen.failed;
        all.joint += seen.joint;
        all.witnesses += seen.witnesses;
        all.removed += seen.removed;
        all.undone += seen.undone;
        all.quarantined += seen.quarantined;
        all.installed += seen.installed;
        all.leaders += seen.leaders;
        all.crashes += seen.crashes;
    }
    // A run that saw none of this proves nothing.
    for (what, count) in [
        ("begun", all.begun),
        ("done", all.done),
        ("failed", all.failed),
        ("joint", all.joint),
        ("witnesses", all.witnesses),
        ("removed", all.removed),
        ("undone", all.undone),
        ("quarantined", all.quarantined),
        ("installed", all.installed),
        ("leaders", all.leaders),
        ("crashes", all.crashes),
    ] {
        assert!(count > 5, "{what}: {count} of {all:?}");
    }
}
