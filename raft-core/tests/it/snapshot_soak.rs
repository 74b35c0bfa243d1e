//! Random runs of three nodes that take snapshots all the time, over a bad network and bad disks.
//!
//! **Intuition.** With a snapshot every few entries every path is walked constantly: peers fall
//! behind the log's base, snapshots arrive late, twice and out of date, power fails between any two
//! writes. Two machines that applied equally much must be equal, whatever way they got there.
//! **Source.** Ours; thesis T-5.1-01, T-5.1-02, T-5.1.3-01, D-R2, D-R12, B-047 to B-058.
//! **Upholds.** `inv:snapshot-agrees`, `inv:apply-once-in-order`, `inv:monotone`.
//! **Not here.** Single rules (`snapshots.rs`).

use std::collections::BTreeMap;

use raft_core::{Input, LogIndex, Role, SendFailure};

use crate::{dice::Dice, rig::*};

/// What every run counts, to be sure that it was worth running.
#[derive(Debug, Default)]
struct Seen {
    taken: usize,
    installed: usize,
    resets: usize,
    kept: usize,
    discarded: usize,
    compacted: usize,
    crashes: usize,
    leaders: usize,
}

struct Soak {
    rig: Rig,
    dice: Dice,
    /// The machine's state by index: whoever is there must agree.
    truth: BTreeMap<u64, u64>,
    seen: Seen,
}

impl Soak {
    fn new(seed: u64) -> Self {
        let options = with(|o| {
            o.snapshot_entries = 3;
            o.snapshot_keep_entries = seed % 3;
            o.retained_entries_max = 2 + seed % 5;
            o.snapshot_retry_ns = 20 * MS;
            o.tail_entries_max = 8;
            o.append_entries_max = 4;
            o.apply_inflight_entries_max = 1 + seed % 4;
            o.commit_notice_ns = 0;
        });
        let mut rig = Rig::with(3, options);
        rig.slow_parcels = true;
        let dice = Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        Self { rig, dice, truth: BTreeMap::new(), seen: Seen::default() }
    }

    fn look(&mut self) {
        for id in self.rig.ids() {
            let server = self.rig.at(id);
            if server.up {
                assert_eq!(server.halted, None, "n{id} halted");
                let machine = server.machine;
                let known = *self.truth.entry(machine.applied).or_insert(machine.hash);
                assert_eq!(known, machine.hash, "n{id} differs at {}", machine.applied);
                assert!(machine.applied >= server.node.applied().0);
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

    fn one_event(&mut self) {
        let id = 1 + self.dice.below(3);
        let up = self.rig.at(id).up;
        match self.dice.below(40) {
            0..10 if !self.rig.net.is_empty() => {
                let at = self.dice.below(self.rig.net.len() as u64) as usize;
                let envelope = self.rig.net.swap_remove(at);
                if self.dice.below(12) == 0 {
                    self.rig.net.push(envelope.clone());
                }
                if self.rig.at(envelope.to.0).up && self.dice.below(10) > 0 {
                    let _refused = self.rig.receive(envelope);
                }
            }
            10..16 => {
                self.rig.pass(self.dice.below(20 * MS));
                for id in self.rig.ids() {
                    if self.rig.at(id).up {
                        self.tick(id);
                    }
                }
            }
            16..22 if up && self.rig.node(id).role() == Role::Leader => {
                let now = self.rig.now;
                let bytes = format!("{}", self.dice.below(1_000_000));
                let _refused = self.rig.at(id).node.propose(now, bytes.into());
                self.rig.drain(id);
            }
            22..25 if up && !self.rig.at(id).open.is_empty() => {
                // In any order.
                let nth = self.dice.below(self.rig.at(id).open.len() as u64) as usize;
                if !self.rig.at(id).open[nth].1 {
                    self.rig.ack_nth(id, nth).unwrap();
                }
            }
            25..28 if up && !self.rig.at(id).lane.is_empty() => {
                if let Some(input) = self.rig.execute_next(id) {
                    self.rig.step(id, input).unwrap();
                }
                if self.dice.below(2) == 0 {
                    self.rig.finish_takes(id);
                    self.rig.drain(id);
                }
            }
            28..30 => self.parcel(),
            30 if up => {
                let server = self.rig.at(id);
                server.slow_disk = !server.slow_disk;
                if !server.slow_disk {
                    self.rig.ack(id);
                }
            }
            31 if up => {
                let server = self.rig.at(id);
                server.slow_apply = !server.slow_apply;
                while !self.rig.at(id).slow_apply && !self.rig.at(id).lane.is_empty() {
                    if let Some(input) = self.rig.execute_next(id) {
                        self.rig.step(id, input).unwrap();
                    }
                }
            }
            32 if up && self.dice.below(3) == 0 => {
                let more = self.dice.below(4) as usize;
                self.rig.crash(id, more);
                self.seen.crashes += 1;
            }
            33..36 if !up => self.rig.restart(id),
            36 if up => {
                let _nothing_new = self.rig.step(id, Input::TakeSnapshot);
            }
            _ => {}
        }
        self.look();
    }

    fn parcel(&mut self) {
        if self.rig.parcels.is_empty() {
            return;
        }
        let at = self.dice.below(self.rig.parcels.len() as u64) as usize;
        let parcel = self.rig.parcels.swap_remove(at);
        let (from, to, id) = (parcel.from, parcel.send.to.0, parcel.send.id);
        let arrives = self.dice.below(4) > 0 && self.rig.at(to).up;
        if arrives {
            if self.dice.below(4) == 0 {
                self.rig.parcels.push(parcel.clone());
            }
            let _refused = self.rig.stage(to, parcel.image, from, parcel.send.term.0);
        }
        if self.rig.at(from).up && self.dice.below(6) > 0 {
            let report = match (arrives, self.dice.below(2)) {
                (true, _) => Input::SnapshotSent(id),
                (false, 0) => Input::SnapshotSendFailed { id, failure: SendFailure::Failed },
                (false, _) => Input::SnapshotSendFailed { id, failure: SendFailure::Overloaded },
            };
            let _stale = self.rig.step(from, report);
        }
    }

    /// Everything is repaired; all must end at the same place.
    fn heal(&mut self) {
        for id in self.rig.ids() {
            self.rig.at(id).slow_disk = false;
            self.rig.at(id).slow_apply = false;
            if !self.rig.at(id).up {
                self.rig.restart(id);
            }
            self.rig.ack(id);
            while !self.rig.at(id).lane.is_empty() {
                if let Some(input) = self.rig.execute_next(id) {
                    self.rig.step(id, input).unwrap();
                }
            }
            self.rig.finish_takes(id);
            self.rig.drain(id);
        }
        self.rig.slow_parcels = false;
        self.rig.run(3_000 * MS);
        let leader =
            self.rig.ids().into_iter().find(|id| self.rig.node(*id).role() == Role::Leader);
        let leader = leader.expect("somebody leads in the end");
        self.rig.propose(leader, "last words");
        self.rig.run(3_000 * MS);
        self.look();
        let ends: Vec<_> = self.rig.servers.iter().map(|s| (s.machine, s.node.applied())).collect();
        assert!(ends.iter().all(|end| *end == ends[0]), "{ends:?}");
        assert_eq!(ends[0].1, LogIndex(ends[0].0.applied));
        for server in &self.rig.servers {
            self.seen.taken += server.asked_takes.len();
            self.seen.installed += server.installs.len();
            self.seen.discarded += server.discards.len();
            self.seen.compacted += server.compactions.len();
            let published = server.writes.iter().filter_map(|write| write.snapshot());
            for publish in published {
                if publish.keep_log {
                    self.seen.kept += 1;
                } else {
                    self.seen.resets += 1;
                }
            }
            self.seen.leaders += server.roles.iter().filter(|r| r.0 == Role::Leader).count();
        }
    }
}

#[test]
fn random_runs_with_snapshots_all_the_time_never_fork() {
    let mut all = Seen::default();
    for seed in 1..=300 {
        let mut soak = Soak::new(seed);
        for _ in 0..1_500 {
            soak.one_event();
        }
        soak.heal();
        all.taken += soak.seen.taken;
        all.installed += soak.seen.installed;
        all.resets += soak.seen.resets;
        all.kept += soak.seen.kept;
        all.discarded += soak.seen.discarded;
        all.compacted += soak.seen.compacted;
        all.crashes += soak.seen.crashes;
        all.leaders += soak.seen.leaders;
    }
    // A run that saw none of this proves nothing.
    for (what, count) in [
        ("taken", all.taken),
        ("installed", all.installed),
        ("resets", all.resets),
        ("kept", all.kept),
        ("discarded", all.discarded),
        ("compacted", all.compacted),
        ("crashes", all.crashes),
        ("leaders", all.leaders),
    ] {
        assert!(count > 10, "{what}: {count} of {all:?}");
    }
}
