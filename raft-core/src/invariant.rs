//! What is always true inside one node; tests check it after every step.
//!
//! **Intuition.** The cheap ones stand where state moves and stay on in release. This is the whole
//! list in one place, for tests that can afford it.
//! **Source.** Thesis Fig. 3.2 as far as one node can see it.
//! **Upholds.** `inv:monotone`, `inv:bounded`, `inv:log-matching`.
//! **Not here.** What needs two nodes (the simulator's oracles).

use crate::{Node, types::Role};

impl Node {
    /// Checks the node's own invariants.
    ///
    /// # Errors
    /// Names the first that does not hold.
    pub fn check(&self) -> Result<(), &'static str> {
        let last = self.log.last_index();
        let holds = [
            (self.commit <= last, "commit is within the log"),
            (self.lane.durable() <= last, "durable is within the log"),
            (self.verified <= last, "verified is within the log"),
            (self.applied <= self.handed, "applied was handed out"),
            (self.handed <= self.commit, "handed out is committed"),
            (self.handed <= self.lane.durable(), "handed out is durable here"),
            (self.log.last().term <= self.hard.term, "no entry is of a later term"),
            (
                self.log.tail().first().prev()
                    <= self.lane.durable().max(self.snapshots.incoming().unwrap_or_default()),
                "undurable entries are held",
            ),
            (
                self.lane.open() <= u64::from(self.options.persist_inflight_max),
                "the write window holds",
            ),
            (self.reads.len() <= u64::from(self.options.reads_max), "the read queue is bounded"),
            (
                self.role() != Role::Leader || self.leader == Some(self.hard.node),
                "a leader knows itself",
            ),
            (
                self.role() != Role::Leader || self.hard.vote == Some(self.hard.node),
                "a leader voted for itself",
            ),
            (
                self.handover.authorised.is_none_or(|by| by.next() == Some(self.hard.term)),
                "an authorised campaign is in the term after the authority's",
            ),
            (
                self.transferring().is_none_or(|to| to != self.hard.node),
                "nobody hands over to itself",
            ),
            (
                self.promised_until <= self.now.plus(self.hard.promise_ns),
                "what binds this node outlasts no promise on its record",
            ),
            (
                self.stated_until <= self.promised_until.max(self.now),
                "what was stated to a leader binds this node",
            ),
        ];
        self.check_lifecycle()?;
        if let Some((_, what)) = holds.iter().find(|(held, _)| !held) {
            return Err(what);
        }
        self.check_snapshots()?;
        if self.role() == Role::Leader {
            for peer in self.peers.iter().filter(|peer| peer.is_fed()) {
                let progress = &peer.progress;
                if progress.next <= progress.matched {
                    return Err("next stays above match");
                }
                if progress.matched > last {
                    return Err("match is within the log");
                }
                if progress.inflight().0 > u64::from(self.options.inflight_messages_max) {
                    return Err("the send window holds");
                }
            }
        }
        Ok(())
    }
}
