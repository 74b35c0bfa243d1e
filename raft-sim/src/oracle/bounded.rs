//! Queues and windows stay within the limits they state.
//!
//! **Intuition.** A bound that is only meant to hold is no bound. The view states each size
//! together with its limit, after every event.
//! **Source.** Ours; thesis §10.2 asks for flow control in pipelining.
//! **Upholds.** `inv:bounded`.
//! **Not here.** Queues of the simulator itself (`net/`, `disk/`).

use raft_core::NodeId;

use super::{Check, OracleId, broken};
use crate::process::view::Loads;

/// The oracle.
#[derive(Clone, Debug, Default)]
pub(super) struct Bounded {
    pub(super) checks: u64,
}

impl Bounded {
    /// The loads of `node` are now these.
    pub(super) fn judge(&mut self, node: NodeId, loads: &Loads) -> Check {
        self.checks += 1;
        let within = |(size, limit): (u64, u64)| size <= limit;
        if within(loads.tail_entries)
            && within(loads.tail_bytes)
            && within(loads.persists)
            && within(loads.reads)
            && within(loads.applying)
            && within(loads.inflight)
            && within(loads.outbox)
            && within(loads.proposals)
            && within(loads.deferred)
            && within(loads.deferred_bytes)
            && within(loads.operations)
        {
            return Ok(());
        }
        over(node, loads)
    }
}

#[cold]
fn over(node: NodeId, loads: &Loads) -> Check {
    let all = [
        ("entries in memory", loads.tail_entries),
        ("bytes in memory", loads.tail_bytes),
        ("open writes", loads.persists),
        ("open reads", loads.reads),
        ("entries at apply", loads.applying),
        ("appends on their way to one peer", loads.inflight),
        ("outputs waiting", loads.outbox),
        ("open proposals", loads.proposals),
        ("proposals that wait", loads.deferred),
        ("bytes of proposals that wait", loads.deferred_bytes),
        ("open operations", loads.operations),
    ];
    match all.iter().find(|(_, (size, limit))| size > limit) {
        Some((what, (size, limit))) => broken(
            OracleId::Bounded,
            node,
            format!("{node} has {size} {what}, more than its limit of {limit}"),
        ),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::testkit::{ALL, Kit};
    use crate::{oracle::OracleId::Bounded, process::Promises};

    #[test]
    fn each_load_over_its_limit_is_seen() {
        type Set = fn(&mut crate::process::view::Loads);
        let sets: [(Set, &str); 11] = [
            (|l| l.tail_entries = (3, 2), "3 entries in memory"),
            (|l| l.tail_bytes = (3, 2), "3 bytes in memory"),
            (|l| l.persists = (3, 2), "3 open writes"),
            (|l| l.reads = (3, 2), "3 open reads"),
            (|l| l.applying = (3, 2), "3 entries at apply"),
            (|l| l.inflight = (3, 2), "3 appends on their way to one peer"),
            (|l| l.outbox = (3, 2), "3 outputs waiting, more than its limit of 2"),
            (|l| l.proposals = (3, 2), "3 open proposals"),
            (|l| l.deferred = (3, 2), "3 proposals that wait"),
            (|l| l.deferred_bytes = (3, 2), "3 bytes of proposals that wait"),
            (|l| l.operations = (3, 2), "3 open operations"),
        ];
        for (set, reason) in sets {
            let mut kit = Kit::new(3);
            let seen = kit.view(2, |v| set(&mut v.loads));
            kit.broke(seen, Bounded, 2, reason);
        }
    }

    #[test]
    fn a_full_queue_is_not_an_overfull_one() {
        let mut kit = Kit::new(3);
        kit.view(2, |v| v.loads.persists = (4, 4)).unwrap();
        assert_eq!(kit.checks(Bounded), 1);
        let mut kit = Kit::with(3, Promises { bounded: false, ..ALL }, &[]);
        kit.view(2, |v| v.loads.persists = (5, 4)).unwrap();
        assert_eq!(kit.checks(Bounded), 0);
    }
}
