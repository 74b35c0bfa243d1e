//! Registers whose writes are all different: decided by sorting.
//!
//! **Intuition.** When every write has its own value, a read names its write, so a write and its
//! reads form a cluster that must sit together in any order. Look at when a cluster must hold the
//! register: if some operation of it returned before another began, it holds it for certain from
//! the first return to the last invocation (a forward zone); otherwise there is one stretch that
//! all its operations span, and anywhere in it is fine (a backward zone). The clusters can be
//! lined up exactly when no two forward zones overlap and no backward zone lies inside a forward
//! one.
//! **Source.** Gibbons and Korach 1997, "Testing shared memories", the case of reads that name
//! their writes; compared with brute force in `brute.rs`.
//! **Upholds.** `inv:linearizable`.
//! **Not here.** Repeated values, deletes, compare-and-set, append (`search.rs`).

use super::{
    history::Operation,
    model::Model,
    planted::{Mistake, planted},
    quick::Quick,
};
use crate::collections::FixedMap;

/// What an operation is to a register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Writes this value.
    Write(u64),
    /// Read this value; `None`: what was there before any write.
    Read(Option<u64>),
    /// A read whose answer nobody saw.
    ReadUnseen,
}

/// A time; `None` is before everything.
type Time = Option<u64>;

/// A write and its reads.
#[derive(Clone, Copy, Debug)]
struct Cluster {
    write: Option<u32>,
    /// The first return and the operation it belongs to.
    first_return: Option<(Time, u32)>,
    /// The last invocation and the operation it belongs to.
    last_invoked: (Time, u32),
    read: bool,
}

/// One key's `history`, in order of invocation. Costs two sorts at most.
pub fn decide<M: Model + ?Sized>(model: &M, history: &[&Operation<M::Call, M::Reply>]) -> Quick {
    let mut clusters = vec![Cluster {
        write: None,
        first_return: Some((None, 0)),
        last_invoked: (None, 0),
        read: false,
    }];
    let mut of_value: FixedMap<u64, usize> = FixedMap::default();
    let mut reads = Vec::new();
    for (position, operation) in history.iter().enumerate() {
        let position = position as u32;
        match model.access(&operation.call, operation.reply.as_ref()) {
            None => return Quick::NotApplicable,
            Some(Access::ReadUnseen) => {}
            Some(Access::Read(value)) => reads.push((position, value)),
            Some(Access::Write(value)) => {
                if of_value.insert(value, clusters.len()).is_some() {
                    return Quick::NotApplicable;
                }
                clusters.push(Cluster {
                    write: Some(position),
                    first_return: operation.returned.map(|at| (Some(at), position)),
                    last_invoked: (Some(operation.invoked), position),
                    read: false,
                });
            }
        }
    }
    for (position, value) in reads {
        let cluster = match value {
            None => Some(&0),
            Some(value) => of_value.get(&value),
        };
        let Some(&cluster) = cluster else { return Quick::Illegal(vec![position]) };
        let cluster = &mut clusters[cluster];
        let operation = history[position as usize];
        let returned = operation.returned;
        if let Some(write) = cluster.write
            && returned.is_some_and(|at| at < history[write as usize].invoked)
        {
            return Quick::Illegal(vec![position, write]);
        }
        if cluster.first_return.is_none_or(|(at, _)| returned < at) {
            cluster.first_return = Some((returned, position));
        }
        cluster.last_invoked = cluster.last_invoked.max((Some(operation.invoked), position));
        cluster.read = true;
    }
    // A write nobody read can be left out if its outcome is unknown; the beginning, if nobody
    // read it, is over before everything.
    clusters.retain(|cluster| {
        cluster.first_return.is_some() && (cluster.write.is_some() || cluster.read)
    });
    judge(&clusters)
}

fn judge(clusters: &[Cluster]) -> Quick {
    let returned = |cluster: &Cluster| cluster.first_return.and_then(|(at, _)| at);
    let invoked = |cluster: &Cluster| cluster.last_invoked.0;
    let (mut forward, backward): (Vec<&Cluster>, Vec<&Cluster>) =
        clusters.iter().partition(|cluster| returned(cluster) < invoked(cluster));
    forward.sort_unstable_by_key(|cluster| returned(cluster));
    for pair in forward.windows(2) {
        if returned(pair[1]) < invoked(pair[0]) {
            return Quick::Illegal(core(pair[0], pair[1]));
        }
    }
    if planted(Mistake::BackwardZonesFree) {
        return Quick::Ok;
    }
    for cluster in backward {
        let start = invoked(cluster);
        let after = forward.partition_point(|zone| returned(zone) < start);
        if let Some(zone) = after.checked_sub(1).map(|last| forward[last])
            && returned(cluster) < invoked(zone)
        {
            return Quick::Illegal(core(zone, cluster));
        }
    }
    Quick::Ok
}

/// The operations that make two clusters conflict.
fn core(one: &Cluster, other: &Cluster) -> Vec<u32> {
    let mut core = Vec::with_capacity(6);
    for cluster in [one, other] {
        core.extend(cluster.write);
        core.extend(cluster.first_return.filter(|(at, _)| at.is_some()).map(|(_, op)| op));
        core.push(cluster.last_invoked.1);
    }
    core.sort_unstable();
    core.dedup();
    core
}
