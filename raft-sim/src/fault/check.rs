//! Whether a schedule can be run at all: ranges and references.
//!
//! **Intuition.** A schedule may come from a person's editor. What it says is checked once, here,
//! so that the world can index by node and client without surprises.
//! **Source.** docs/TRACE.md states the same ranges.
//! **Upholds.** No panic on outside input.
//! **Not here.** JSON (`trace/document.rs`).

use std::collections::BTreeSet;

use raft_core::Options;

use crate::{
    fault::{
        plan::Plan,
        schedule::{Exception, Fault, Schedule},
    },
    process::Ns,
    workload::kv::Call,
};

/// A field that cannot be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Impossible {
    /// Its path, as in `faults[3].fault.node`.
    pub field: String,
    /// Why not.
    pub message: String,
}

impl core::fmt::Display for Impossible {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{}: {}", self.field, self.message)
    }
}

impl core::error::Error for Impossible {}

/// Longest time a file may state: about 36 years. Sums of a few stay far from overflow.
pub const TIME_MAX_NS: Ns = 1 << 60;
/// Most voters of a cluster.
pub const VOTERS_MAX: u32 = 9;
/// Most clients.
pub const CLIENTS_MAX: u32 = 1024;
/// Most keys.
pub const KEYS_MAX: u32 = 1 << 20;
/// Largest clock rate error: a clock at half or one and a half times true speed.
pub const DRIFT_MAX_PPB: i64 = 500_000_000;

type Checked = Result<(), Impossible>;

fn ensure(fine: bool, field: &str, message: impl FnOnce() -> String) -> Checked {
    if fine { Ok(()) } else { Err(Impossible { field: field.to_owned(), message: message() }) }
}

fn in_range(value: u64, low: u64, high: u64, field: &str) -> Checked {
    ensure((low..=high).contains(&value), field, || format!("{value} is not in {low}..={high}"))
}

fn time(value: Ns, field: &str) -> Checked {
    in_range(value, 0, TIME_MAX_NS, field)
}

impl Plan {
    /// Whether all numbers are in their ranges.
    ///
    /// # Errors
    /// Names the first field that is not.
    pub fn check(&self) -> Checked {
        in_range(u64::from(self.voters), 1, u64::from(VOTERS_MAX), "voters")?;
        in_range(u64::from(self.operate.spares), 0, u64::from(VOTERS_MAX), "operate.spares")?;
        in_range(self.events_max, 1, u64::MAX, "events_max")?;
        let k = &self.knobs;
        in_range(k.election_ns, 1_000, TIME_MAX_NS >> 16, "knobs.election_ns")?;
        in_range(k.election_jitter_ns, 0, TIME_MAX_NS >> 16, "knobs.election_jitter_ns")?;
        in_range(k.heartbeat_ns, 1, k.election_ns, "knobs.heartbeat_ns")?;
        for (value, field) in [
            (u64::from(k.inflight_messages), "knobs.inflight_messages"),
            (k.inflight_bytes, "knobs.inflight_bytes"),
            (u64::from(k.append_entries), "knobs.append_entries"),
            (k.append_bytes, "knobs.append_bytes"),
            (u64::from(k.persist_inflight), "knobs.persist_inflight"),
            (u64::from(k.apply_inflight), "knobs.apply_inflight"),
            (k.tail_bytes, "knobs.tail_bytes"),
        ] {
            in_range(value, 1, 1 << 40, field)?;
        }
        for node in &self.versions.old {
            in_range(*node, 1, 2 * u64::from(VOTERS_MAX), "versions.old")?;
        }
        in_range(u64::from(self.net.duplicate_max), 0, 3, "net.duplicate_max")?;
        in_range(self.disk.slow_node, 0, u64::from(self.voters), "disk.slow_node")?;
        in_range(u64::from(self.disk.slow_factor), 0, 1_000_000, "disk.slow_factor")?;
        for (value, field) in [
            (self.chaos_ns, "chaos_ns"),
            (self.net.delay_min_ns, "net.delay_min_ns"),
            (self.net.delay_mean_ns, "net.delay_mean_ns"),
            (self.net.tail_min_ns, "net.tail_min_ns"),
            (self.net.tail_max_ns, "net.tail_max_ns"),
            (self.net.duplicate_late_ns, "net.duplicate_late_ns"),
            (self.net.hold_max_ns, "net.hold_max_ns"),
            (self.disk.latency_min_ns, "disk.latency_min_ns"),
            (self.disk.latency_mean_ns, "disk.latency_mean_ns"),
            (self.disk.stall_min_ns, "disk.stall_min_ns"),
            (self.disk.stall_max_ns, "disk.stall_max_ns"),
            (self.disk.apply_mean_ns, "disk.apply_mean_ns"),
            (self.timed.clog_gap_ns, "timed.clog_gap_ns"),
            (self.timed.clog_mean_ns, "timed.clog_mean_ns"),
            (self.timed.partition_gap_ns, "timed.partition_gap_ns"),
            (self.timed.partition_min_ns, "timed.partition_min_ns"),
            (self.timed.partition_mean_ns, "timed.partition_mean_ns"),
            (self.timed.crash_gap_ns, "timed.crash_gap_ns"),
            (self.timed.down_max_ns, "timed.down_max_ns"),
            (self.timed.cluster_power_gap_ns, "timed.cluster_power_gap_ns"),
            (self.timed.pause_gap_ns, "timed.pause_gap_ns"),
            (self.timed.pause_max_ns, "timed.pause_max_ns"),
            (self.versions.gap_ns, "versions.gap_ns"),
            (self.poison.gap_ns, "poison.gap_ns"),
            (self.replace.gap_ns, "replace.gap_ns"),
            (self.work.think_mean_ns, "work.think_mean_ns"),
        ] {
            time(value, field)?;
        }
        let drift = u64::from(self.timed.drift_ppb);
        in_range(drift, 0, DRIFT_MAX_PPB.unsigned_abs(), "timed.drift_ppb")?;
        in_range(u64::from(self.work.clients), 1, u64::from(CLIENTS_MAX), "work.clients")?;
        in_range(u64::from(self.work.keys), 1, u64::from(KEYS_MAX), "work.keys")?;
        in_range(u64::from(self.work.ops), 0, 1_000_000, "work.ops")?;
        in_range(u64::from(self.work.padding), 0, 65_535, "work.padding")?;
        in_range(self.work.timeout_ns, 1, TIME_MAX_NS, "work.timeout_ns")
    }
}

impl Schedule {
    /// Whether it can be run: ranges, references, unique ids.
    ///
    /// # Errors
    /// Names the first field that cannot be.
    pub fn check(&self) -> Checked {
        self.plan.check().map_err(|e| Impossible { field: format!("plan.{}", e.field), ..e })?;
        time(self.heal_at_ns, "heal_at_ns")?;
        let voters = u64::from(self.plan.voters);
        let nodes = u64::from(self.plan.nodes());
        ensure(!self.core.is_empty(), "core", || "no node is healed".to_owned())?;
        for node in &self.core {
            in_range(*node, 1, nodes, "core")?;
        }
        let ascending = self.core.windows(2).all(|pair| pair[0] < pair[1]);
        ensure(ascending, "core", || "nodes are not ascending".to_owned())?;
        let entries = self.drift_ppb.len() as u64;
        ensure(entries == voters, "drift_ppb", || format!("{entries} entries for {voters} nodes"))?;
        for ppb in &self.drift_ppb {
            ensure(ppb.unsigned_abs() <= DRIFT_MAX_PPB.unsigned_abs(), "drift_ppb", || {
                format!("{ppb} is beyond {DRIFT_MAX_PPB}")
            })?;
        }
        self.check_ops()?;
        self.check_faults(nodes)?;
        self.check_exceptions()
    }

    fn check_ops(&self) -> Checked {
        let mut seen = BTreeSet::new();
        for (at, op) in self.ops.iter().enumerate() {
            let field = |name: &str| format!("ops[{at}].{name}");
            let clients = self.plan.work.clients;
            ensure(op.client < clients, &field("client"), || {
                format!("client {} of a plan with {clients}, counted from 0", op.client)
            })?;
            ensure(seen.insert((op.client, op.number)), &field("number"), || {
                format!("client {} has two operations of number {}", op.client, op.number)
            })?;
            time(op.think_ns, &field("think_ns"))?;
            let key = match op.call {
                Call::Get { key }
                | Call::Put { key, .. }
                | Call::Delete { key }
                | Call::Cas { key, .. }
                | Call::Append { key, .. } => key,
            };
            in_range(u64::from(key), 0, u64::from(KEYS_MAX) - 1, &field("call.key"))?;
        }
        Ok(())
    }

    fn check_faults(&self, nodes: u64) -> Checked {
        let mut seen = BTreeSet::new();
        for (at, timed) in self.faults.iter().enumerate() {
            let field = |name: &str| format!("faults[{at}].{name}");
            let node = |value: u64, name: &str| in_range(value, 1, nodes, &field(name));
            ensure(seen.insert(timed.id), &field("id"), || format!("id {} comes twice", timed.id))?;
            time(timed.at_ns, &field("at_ns"))?;
            match &timed.fault {
                Fault::Cut { links, for_ns, .. } => {
                    for (from, to) in links {
                        node(*from, "fault.links")?;
                        node(*to, "fault.links")?;
                    }
                    time(*for_ns, &field("fault.for_ns"))?;
                }
                Fault::Clog { from, to, for_ns, .. } => {
                    node(*from, "fault.from")?;
                    node(*to, "fault.to")?;
                    time(*for_ns, &field("fault.for_ns"))?;
                }
                Fault::Kill { node: who, down_ns, again_after_ns } => {
                    node(*who, "fault.node")?;
                    time(*down_ns, &field("fault.down_ns"))?;
                    time(*again_after_ns, &field("fault.again_after_ns"))?;
                }
                Fault::PowerLoss { nodes, down_ns } => {
                    for who in nodes {
                        node(*who, "fault.nodes")?;
                    }
                    ensure(nodes.len() == down_ns.len(), &field("fault.down_ns"), || {
                        format!("{} times for {} nodes", down_ns.len(), nodes.len())
                    })?;
                    for down_ns in down_ns {
                        time(*down_ns, &field("fault.down_ns"))?;
                    }
                }
                Fault::Operate { node: who, .. } => {
                    in_range(*who, 0, nodes, &field("fault.node"))?;
                }
                Fault::Pause { node: who, for_ns } => {
                    node(*who, "fault.node")?;
                    time(*for_ns, &field("fault.for_ns"))?;
                }
                Fault::Relevel { node: who, level, down_ns, .. } => {
                    node(*who, "fault.node")?;
                    let newest = u64::from(Options::LEVEL_MAX);
                    in_range(u64::from(*level), 0, newest, &field("fault.level"))?;
                    time(*down_ns, &field("fault.down_ns"))?;
                }
                Fault::LoseDisk { node: who } => node(*who, "fault.node")?,
                Fault::Poison {} | Fault::Unknown(_) => {}
            }
        }
        Ok(())
    }

    fn check_exceptions(&self) -> Checked {
        for (at, exception) in self.exceptions.iter().enumerate() {
            let field = |name: &str| format!("exceptions[{at}].{name}");
            match exception {
                Exception::Message { delay_ns, copies_ns, .. } => {
                    in_range(copies_ns.len() as u64, 0, 3, &field("copies_ns"))?;
                    for copy in delay_ns.iter().chain(copies_ns) {
                        time(*copy, &field("delay_ns"))?;
                    }
                }
                Exception::Disk { latency_ns, .. } => time(*latency_ns, &field("latency_ns"))?,
                Exception::PowerLoss { .. } | Exception::Unknown(_) => {}
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fault::swarm;

    fn schedule() -> Schedule {
        let plan = swarm::plan("smoke", 2).unwrap();
        swarm::schedule(plan, 2, "x")
    }

    #[test]
    fn everything_drawn_can_be_run() {
        for profile in ["smoke", "default"] {
            for seed in 0..300 {
                let schedule = swarm::schedule(swarm::plan(profile, seed).unwrap(), seed, "x");
                assert_eq!(schedule.check(), Ok(()), "{profile} {seed}");
            }
        }
    }

    #[test]
    fn the_most_extreme_plan_still_makes_a_schedule() {
        for seed in 0..40 {
            let choice = crate::fault::axes::AxisChoice {
                only: crate::fault::plan::Axis::ALL.to_vec(),
                without: Vec::new(),
            };
            let mut plan = swarm::plan_with("smoke", seed, &choice).unwrap();
            let huge = [1, TIME_MAX_NS];
            let pick = |n: u64| huge[(seed >> n & 1) as usize];
            plan.chaos_ns = if seed % 3 == 0 { TIME_MAX_NS } else { plan.chaos_ns };
            plan.timed.clog_gap_ns = TIME_MAX_NS >> 12;
            plan.timed.clog_mean_ns = pick(0);
            plan.timed.partition_gap_ns = TIME_MAX_NS >> 12;
            plan.timed.partition_min_ns = pick(1);
            plan.timed.partition_mean_ns = pick(2);
            plan.timed.crash_gap_ns = TIME_MAX_NS >> 12;
            plan.timed.down_max_ns = pick(3);
            plan.timed.pause_gap_ns = TIME_MAX_NS >> 12;
            plan.timed.pause_max_ns = pick(4);
            plan.timed.cluster_power_gap_ns = TIME_MAX_NS >> 12;
            plan.timed.drift_ppb = 500_000_000;
            plan.work.think_mean_ns = TIME_MAX_NS;
            plan.work.burst = 64;
            assert_eq!(plan.check(), Ok(()));
            assert_eq!(swarm::schedule(plan, seed, "x").check(), Ok(()), "seed {seed}");
        }
    }

    /// Spoils a schedule in one way.
    type Spoil = fn(&mut Schedule);

    #[test]
    fn each_impossible_field_is_named() {
        let cases: &[(&str, Spoil)] = &[
            ("plan.voters", |s| s.plan.voters = 10),
            ("plan.knobs.heartbeat_ns", |s| s.plan.knobs.heartbeat_ns = 0),
            ("plan.net.duplicate_max", |s| s.plan.net.duplicate_max = 4),
            ("core", |s| s.core.clear()),
            ("core", |s| s.core = vec![2, 1]),
            ("core", |s| s.core = vec![0]),
            ("drift_ppb", |s| s.drift_ppb.push(0)),
            ("drift_ppb", |s| s.drift_ppb[0] = i64::MIN),
            ("ops[3].client", |s| s.ops[3].client = 1000),
            ("ops[1].number", |s| s.ops[1] = s.ops[0].clone()),
            ("ops[0].think_ns", |s| s.ops[0].think_ns = u64::MAX),
            ("faults[0].at_ns", |s| s.faults[0].at_ns = u64::MAX),
            ("faults[1].id", |s| s.faults[1].id = s.faults[0].id),
            ("faults[0].fault.node", |s| {
                s.faults[0].fault = Fault::Pause { node: 77, for_ns: 1 };
            }),
            ("plan.versions.old", |s| s.plan.versions.old = vec![99]),
            ("faults[0].fault.level", |s| {
                let (node, level) = (1, Options::LEVEL_MAX + 1);
                s.faults[0].fault = Fault::Relevel { node, level, down_ns: 1, hostile: false };
            }),
            ("faults[0].fault.down_ns", |s| {
                s.faults[0].fault = Fault::PowerLoss { nodes: vec![1], down_ns: vec![] };
            }),
            ("exceptions[0].latency_ns", |s| {
                let id = crate::fault::schedule::DiskOpId {
                    node: 1,
                    boot: 1,
                    kind: 1,
                    first: 1,
                    last: 1,
                    nth: 0,
                };
                s.exceptions = vec![Exception::Disk { id, latency_ns: u64::MAX }];
            }),
        ];
        let two = crate::fault::schedule::TimedFault {
            id: 1,
            at_ns: 0,
            fault: Fault::Pause { node: 1, for_ns: 1 },
        };
        for (field, spoil) in cases {
            let mut spoilt = schedule();
            spoilt.faults =
                vec![two.clone(), crate::fault::schedule::TimedFault { id: 2, ..two.clone() }];
            assert_eq!(spoilt.check(), Ok(()));
            spoil(&mut spoilt);
            assert_eq!(&spoilt.check().unwrap_err().field, field);
        }
    }
}
