//! Serving reads: what a host does once its process says that one may be answered.
//!
//! **Intuition.** The process says from which state on an answer is fresh enough, or how old what
//! it has may be; the host looks at the machine, refuses what is older than its client bears, and
//! tells the oracles what was claimed before anything leaves.
//! **Source.** The contract of the core, docs/CONTRACT.md.
//! **Upholds.** `inv:read-freshness` is judged by what is told here.
//! **Not here.** Clients (`service.rs`), what a read must wait for (the process).

use raft_core::LogIndex;

use super::{World, host::Asked};
use crate::{
    oracle::Observation,
    process::{Ns, Process},
    workload::{history::Told, reads::Level},
};

impl<P: Process> World<'_, P> {
    /// The process of node `n` says that a read may be answered from `index` on.
    pub(super) fn on_read_ready(
        &mut self,
        n: usize,
        ticket: u64,
        index: LogIndex,
        staleness: Option<Ns>,
    ) {
        let Some(asked) = self.end_ticket(n, ticket, true) else { return };
        let node = self.hosts[n].id;
        let too_old = asked.how.is_too_old(staleness);
        self.watch.see(Observation::ReadReady {
            op: asked.op,
            node,
            level: asked.how.level,
            index,
            least: asked.least,
            staleness,
            refused: too_old,
        });
        if too_old {
            self.watch.note(|| format!("operation {} refused: too old", asked.op));
            self.respond(n, asked, Told::Refused(None));
        } else if self.hosts[n].machine.applied() >= index {
            self.answer_read(n, asked);
        } else {
            self.hosts[n].ready.push((index, asked));
        }
    }

    /// Answers a read from the machine as it is.
    pub(super) fn answer_read(&mut self, n: usize, asked: Asked) {
        let machine = &self.hosts[n].machine;
        let (reply, index) = (machine.get(asked.key), machine.applied());
        let told = match asked.how.level {
            Level::Local => Told::Local(reply, index),
            _ => Told::Done(reply, index),
        };
        self.respond(n, asked, told);
    }
}
