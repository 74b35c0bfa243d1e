//! Lost disks: a node whose disk is gone is removed, started empty as a new life, and added again.
//!
//! **Intuition.** A node that comes back empty under its old name has forgotten votes and
//! acknowledgements, so nobody may take it for the one that gave them. The operator therefore
//! leaves it down until its removal is committed, starts it with a new incarnation, and adds it
//! with that incarnation stated. Nothing is lost by it: a dead voter is one that a quorum does
//! without, and to the oracles the old life stays a dead node and the new one is another.
//! **Source.** SEEDS 2.12.6, by docs/DRIVING.md; disk lives are ours.
//! **Upholds.** `inv:committed-durable`, `inv:one-vote-per-term` are what it tries.
//! **Not here.** Drawing (`fault/timed.rs`), other changes of membership (`fault/operate.rs`).

use super::{Event, World, phases::Stage, queue::Class};
use crate::{
    disk::Disk,
    fault::{plan::Axis, schedule::Operation},
    oracle::{Observation, sometimes::Mark},
    process::Process,
    workload::kv::Machine,
};

/// Fewest voters with which one disk may be lost for good.
const VOTERS_MIN: u32 = 3;

/// How far the operator is with a node whose disk was lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// Its old life is to leave.
    Remove,
    /// Its new life is to join.
    Add,
}

/// The node that is being replaced; one at a time, or two dead voters could be too many.
#[derive(Debug, Default)]
pub(super) struct Replacing(Option<(usize, Step)>);

impl Replacing {
    pub(super) const fn is_open(&self) -> bool {
        self.0.is_some()
    }
}

impl<P: Process> World<'_, P> {
    /// Node `n` loses its disk. Whether it did.
    pub(super) fn lose_disk(&mut self, n: usize) -> bool {
        let plan = &self.schedule.plan;
        let sound = P::promises().operable && plan.voters >= VOTERS_MIN;
        // Where members come and go anyway, somebody might add it without stating its life.
        let busy = plan.has(Axis::Membership) || self.replacing.is_open();
        if !sound || busy || n >= self.voters.len() {
            return false;
        }
        self.crash(n, false);
        let host = &mut self.hosts[n];
        host.disk = Disk::new();
        host.machine = Machine::new();
        host.life += 1;
        host.gone = true;
        let (node, life) = (host.id, host.life);
        self.watch.note(|| format!("{node} has lost its disk; its next life is {life}"));
        self.watch.see(Observation::DiskLost { node });
        self.replacing.0 = Some((n, Step::Remove));
        self.call_operator();
        true
    }

    /// The operator goes on with what is open.
    pub(super) fn on_operator(&mut self) -> bool {
        self.operator_called = false;
        if self.stage == Stage::Over || !(self.poison_is_open() || self.replacing.is_open()) {
            return false;
        }
        self.call_operator();
        let Some(leader) = self.asked(0) else { return false };
        self.begin(19, "operator", leader);
        self.skip_poison(leader);
        self.replace(leader);
        true
    }

    /// Asks the leader for the next step, once the one before is committed.
    fn replace(&mut self, leader: usize) {
        let Some((n, step)) = self.replacing.0 else { return };
        let (id, life) = (self.hosts[n].id, self.hosts[n].life);
        let view = &self.hosts[leader].view;
        let settled = view.outgoing.is_empty() && view.configuration <= view.commit;
        let (member, voter) = (view.members.contains(&id), view.voters.contains(&id));
        if !settled {
            return;
        }
        match step {
            Step::Remove if member || voter => {
                self.operate(0, &Operation::Remove { member: id.0 });
            }
            Step::Remove => {
                self.replacing.0 = Some((n, Step::Add));
                self.hosts[n].gone = false;
                self.boot_soon(n);
            }
            Step::Add if voter => {
                self.replacing.0 = None;
                self.progress = true;
                self.watch.see(Observation::Met { mark: Mark::DiskReplaced });
            }
            // It waits for its promotion.
            Step::Add if member => {}
            Step::Add => {
                self.operate(0, &Operation::AddVoter { member: id.0, witness: false, life });
            }
        }
    }

    /// The operator looks again in half an election timeout.
    pub(super) fn call_operator(&mut self) {
        if !core::mem::replace(&mut self.operator_called, true) {
            let at = self.watch.now.saturating_add(self.schedule.plan.knobs.election_ns / 2);
            self.push(at, Class::World, 3 << 32, 0, Event::Operator);
        }
    }
}
