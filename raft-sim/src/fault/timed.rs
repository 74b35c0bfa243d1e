//! Timed faults: when each begins, whom it hits, how long it lasts.
//!
//! **Intuition.** Each axis draws from its own stream, so switching one off leaves the times of the
//! others. A budget keeps a majority of processes up unless the plan allows losing it: liveness
//! can only be owed while a quorum could be alive.
//! **Source.** Gaps, lengths and weights: docs/TRACE.md, "Profiles".
//! **Upholds.** `inv:live` leans on the budget.
//! **Not here.** Shapes of partitions (`partition.rs`), fates of messages (`fates.rs`).

use crate::{
    fault::{
        check::TIME_MAX_NS,
        operate,
        partition::{Shape, draw_shape, isolate},
        plan::Plan,
        schedule::{Fault, TimedFault},
        upgrade,
    },
    process::Ns,
    random::stream::{Purpose, Stream},
};

/// Most faults of one axis in a run: a bound on the schedule's size, far above what is drawn.
const FAULTS_MAX: usize = 1 << 17;

/// Draws all timed faults, ordered by time; ids count from 1.
pub(crate) fn draw_faults(plan: &Plan, seed: u64) -> Vec<TimedFault> {
    let mut all: Vec<(Ns, Fault)> = Vec::new();
    all.extend(partitions(plan, &mut Stream::new(seed, Purpose::PARTITION)));
    all.extend(crashes(plan, &mut Stream::new(seed, Purpose::CRASH)));
    all.extend(cluster_power(plan, &mut Stream::new(seed, Purpose::CLUSTER_POWER)));
    all.extend(clogs(plan, &mut Stream::new(seed, Purpose::CLOG)));
    all.extend(pauses(plan, &mut Stream::new(seed, Purpose::PAUSE)));
    all.extend(operate::changes(plan, &mut Stream::new(seed, Purpose::CHANGE)));
    all.extend(operate::leadership(plan, &mut Stream::new(seed, Purpose::LEADERSHIP)));
    all.extend(upgrade::levels(plan, &mut Stream::new(seed, Purpose::VERSIONS)));
    let poison = times(plan, plan.poison.gap_ns, &mut Stream::new(seed, Purpose::POISON));
    all.extend(poison.into_iter().map(|at| (at, Fault::Poison {})));
    all.extend(lost_disks(plan, &mut Stream::new(seed, Purpose::REPLACE)));
    all.sort_by_key(|(at_ns, _)| *at_ns);
    (1..).zip(all).map(|(id, (at_ns, fault))| TimedFault { id, at_ns, fault }).collect()
}

/// Draws who is healed: everyone, or a random smallest quorum. Ascending.
pub(crate) fn draw_core(plan: &Plan, s: &mut Stream) -> Vec<u64> {
    let mut nodes: Vec<u64> = (1..=u64::from(plan.voters)).collect();
    s.shuffle(&mut nodes);
    if plan.heal_quorum_only {
        nodes.truncate(nodes.len() / 2 + 1);
    } else {
        nodes.extend(u64::from(plan.voters) + 1..=u64::from(plan.nodes()));
    }
    nodes.sort_unstable();
    nodes
}

/// Draws each node's clock rate error.
pub(crate) fn draw_drift(plan: &Plan, s: &mut Stream) -> Vec<i64> {
    let bound = u64::from(plan.timed.drift_ppb);
    (0..plan.voters).map(|_| s.between(0, 2 * bound).cast_signed() - bound.cast_signed()).collect()
}

/// Times of a process with exponential gaps of this mean, within the chaos.
pub(super) fn times(plan: &Plan, gap_ns: Ns, s: &mut Stream) -> Vec<Ns> {
    let mut at = Vec::new();
    if gap_ns == 0 {
        return at;
    }
    let mut now = first_fault_ns(plan);
    while at.len() < FAULTS_MAX {
        now = now.saturating_add(s.exponential(gap_ns).max(1));
        if now >= last_fault_ns(plan) {
            break;
        }
        at.push(now);
    }
    at
}

/// Chaos from the start, or after a leader had time to be elected.
fn first_fault_ns(plan: &Plan) -> Ns {
    if plan.chaos_from_start { 0 } else { 3 * plan.knobs.election_ns }
}

/// Faults that begin at the very end would be healed before they hurt.
pub(super) fn last_fault_ns(plan: &Plan) -> Ns {
    plan.chaos_ns.saturating_sub(plan.knobs.election_ns)
}

fn partitions(plan: &Plan, s: &mut Stream) -> Vec<(Ns, Fault)> {
    let mut faults = Vec::new();
    let t = &plan.timed;
    let n = u64::from(plan.voters);
    // A gap is counted from the end of the partition before, so that they rarely overlap.
    let mut ended = 0;
    for at_ns in times(plan, t.partition_gap_ns, s) {
        let at_ns = at_ns.saturating_add(ended);
        let for_ns = t.partition_min_ns.saturating_add(s.exponential(t.partition_mean_ns));
        let for_ns = for_ns.clamp(1, TIME_MAX_NS);
        let drop_inflight = t.partition_drops && s.one_in(1, 2);
        let Some(shape) = draw_shape(n, s) else { continue };
        if at_ns >= last_fault_ns(plan) {
            break;
        }
        ended = ended.saturating_add(for_ns);
        match shape {
            Shape::Cut(shape, links) => {
                let shape = shape.to_owned();
                faults.push((at_ns, Fault::Cut { shape, links, for_ns, drop_inflight }));
            }
            Shape::Swizzle(nodes) => {
                faults.extend(swizzle(&nodes, n, at_ns, for_ns, drop_inflight, s));
            }
        }
    }
    faults
}

/// Cuts `nodes` off one after the other; each comes back at its own moment.
fn swizzle(
    nodes: &[u64],
    n: u64,
    at_ns: Ns,
    for_ns: Ns,
    drop_inflight: bool,
    s: &mut Stream,
) -> Vec<(Ns, Fault)> {
    let step = for_ns / (2 * nodes.len() as u64);
    let mut cuts = Vec::new();
    for (i, node) in (0..).zip(nodes) {
        let begins = at_ns.saturating_add(i * step);
        // Never for nothing, and never beyond the whole.
        let for_ns = s.between(step.max(1), (for_ns - i * step).max(step).max(1));
        let links = isolate(*node, n);
        cuts.push((
            begins,
            Fault::Cut { shape: "swizzle".to_owned(), links, for_ns, drop_inflight },
        ));
    }
    cuts
}

/// Who is down until when.
struct Budget {
    until: Vec<Ns>,
    most_down: usize,
}

impl Budget {
    fn new(plan: &Plan) -> Self {
        let n = plan.voters as usize;
        let minority = (n - 1) / 2;
        let most_down = if plan.timed.quorum_loss { n } else { minority };
        Self { until: vec![0; n], most_down }
    }

    fn down(&self, at: Ns) -> usize {
        self.until.iter().filter(|until| **until >= at).count()
    }

    fn may_crash(&self, count: usize, at: Ns) -> bool {
        self.down(at) + count <= self.most_down
    }

    /// A node that is up.
    fn pick(&self, at: Ns, s: &mut Stream) -> Option<u64> {
        let up: Vec<u64> = (1..)
            .zip(&self.until)
            .filter(|(_, until)| **until < at)
            .map(|(node, _)| node)
            .collect();
        let which = s.below(up.len() as u64) as usize;
        up.get(which).copied()
    }

    fn take(&mut self, node: u64, until: Ns) {
        if let Some(slot) = self.until.get_mut((node as usize).wrapping_sub(1)) {
            *slot = (*slot).max(until);
        }
    }
}

/// Kinds of crashes, in the order of their weights.
const CRASH_KINDS: [&str; 5] = ["kill", "power-loss", "during-recovery", "rolling", "all"];

fn crashes(plan: &Plan, s: &mut Stream) -> Vec<(Ns, Fault)> {
    let mut faults = Vec::new();
    let mut budget = Budget::new(plan);
    let t = &plan.timed;
    let n = u64::from(plan.voters);
    let weights = [if t.kill { 45 } else { 0 }, if t.power_loss { 35 } else { 0 }, 10, 5, 5];
    for at in times(plan, t.crash_gap_ns, s) {
        let kind = CRASH_KINDS[s.weighted(&weights)];
        // Where both are possible, a crash of another kind is either.
        let power = t.power_loss && (!t.kill || s.one_in(1, 2));
        let down_ns = draw_down(plan, s);
        let again_ns = s.log_uniform(plan.knobs.election_ns / 100, plan.knobs.election_ns);
        let node = budget.pick(at, s);
        let again_down_ns = draw_down(plan, s);
        let downs: Vec<Ns> = (0..n).map(|_| draw_down(plan, s)).collect();
        match (kind, node) {
            ("all", _) if budget.may_crash(n as usize, at) => {
                let nodes: Vec<u64> = (1..=n).collect();
                for (node, down_ns) in nodes.iter().zip(&downs) {
                    budget.take(*node, at.saturating_add(*down_ns));
                    if !power {
                        faults.push((at, kill(*node, *down_ns, 0)));
                    }
                }
                if power {
                    faults.push((at, Fault::PowerLoss { nodes, down_ns: downs }));
                }
            }
            ("rolling", _) if budget.may_crash(1, at) && budget.down(at) == 0 => {
                // One after the other, each back for an election timeout before the next goes.
                let mut at = at;
                for node in 1..=n {
                    let down_ns = down_ns.min(5 * plan.knobs.election_ns);
                    if at >= last_fault_ns(plan) {
                        break;
                    }
                    faults.push((at, one(power, node, down_ns, 0)));
                    budget.take(node, at.saturating_add(down_ns));
                    at = at.saturating_add(down_ns).saturating_add(plan.knobs.election_ns);
                }
            }
            ("during-recovery", Some(node)) if budget.may_crash(1, at) => {
                let back = at.saturating_add(down_ns).saturating_add(again_ns);
                faults.push((at, one(power, node, down_ns, if power { 0 } else { again_ns })));
                if power {
                    faults.push((back, one(true, node, again_down_ns, 0)));
                }
                budget.take(node, back.saturating_add(again_down_ns.max(down_ns)));
            }
            ("kill" | "power-loss", Some(node)) if budget.may_crash(1, at) => {
                faults.push((at, one(kind == "power-loss", node, down_ns, 0)));
                budget.take(node, at.saturating_add(down_ns));
            }
            _ => {}
        }
    }
    faults
}

fn one(power: bool, node: u64, down_ns: Ns, again_after_ns: Ns) -> Fault {
    if power {
        Fault::PowerLoss { nodes: vec![node], down_ns: vec![down_ns] }
    } else {
        kill(node, down_ns, again_after_ns)
    }
}

fn kill(node: u64, down_ns: Ns, again_after_ns: Ns) -> Fault {
    Fault::Kill { node, down_ns, again_after_ns }
}

/// Back at once in 30 of 100, else log-uniform from a tenth of an election timeout.
fn draw_down(plan: &Plan, s: &mut Stream) -> Ns {
    let at_once = s.one_in(30, 100);
    let down = s.log_uniform(plan.knobs.election_ns / 10, plan.timed.down_max_ns);
    if at_once { 0 } else { down }
}

fn cluster_power(plan: &Plan, s: &mut Stream) -> Vec<(Ns, Fault)> {
    let e = plan.knobs.election_ns;
    let n = u64::from(plan.voters);
    let nodes: Vec<u64> = (1..=n).collect();
    times(plan, plan.timed.cluster_power_gap_ns, s)
        .into_iter()
        .map(|at| {
            // Power comes back for all; processes start within two election timeouts.
            let back = s.log_uniform(e / 10, 5 * e);
            let down_ns = nodes.iter().map(|_| back + s.below(2 * e)).collect();
            (at, Fault::PowerLoss { nodes: nodes.clone(), down_ns })
        })
        .collect()
}

fn clogs(plan: &Plan, s: &mut Stream) -> Vec<(Ns, Fault)> {
    let n = u64::from(plan.voters);
    let links = n * (n - 1);
    if links == 0 || plan.timed.clog_gap_ns == 0 {
        return Vec::new();
    }
    // The gap is one link's; all links together clog that much more often, within reason.
    let gap_ns = (plan.timed.clog_gap_ns / links).max(plan.knobs.election_ns);
    times(plan, gap_ns, s)
        .into_iter()
        .map(|at| {
            let from = s.between(1, n);
            let to = 1 + (from + s.below(n - 1)) % n;
            let for_ns = s.exponential(plan.timed.clog_mean_ns).clamp(1, TIME_MAX_NS);
            (at, Fault::Clog { from, to, for_ns, capacity: plan.timed.clog_capacity })
        })
        .collect()
}

fn lost_disks(plan: &Plan, s: &mut Stream) -> Vec<(Ns, Fault)> {
    let times = times(plan, plan.replace.gap_ns, s);
    let lose = |at| (at, Fault::LoseDisk { node: s.between(1, u64::from(plan.voters)) });
    times.into_iter().map(lose).collect()
}

fn pauses(plan: &Plan, s: &mut Stream) -> Vec<(Ns, Fault)> {
    let n = u64::from(plan.voters);
    times(plan, plan.timed.pause_gap_ns, s)
        .into_iter()
        .map(|at| {
            let node = s.between(1, n);
            let for_ns = s.log_uniform(plan.knobs.election_ns / 2, plan.timed.pause_max_ns);
            (at, Fault::Pause { node, for_ns })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use raft_core::Options;

    use super::*;
    use crate::fault::{
        plan::Axis,
        swarm::{plan, schedule},
    };

    #[test]
    fn faults_follow_the_axes() {
        for seed in 0..300 {
            let schedule = schedule(plan("default", seed).unwrap(), seed, "x");
            let plan = &schedule.plan;
            let n = u64::from(plan.voters);
            assert!(schedule.faults.is_sorted_by_key(|fault| fault.at_ns));
            let ids: BTreeSet<u64> = schedule.faults.iter().map(|fault| fault.id).collect();
            assert_eq!(ids.len(), schedule.faults.len());
            for fault in &schedule.faults {
                assert!(fault.at_ns < schedule.heal_at_ns + 100 * plan.knobs.election_ns);
                match &fault.fault {
                    Fault::Cut { for_ns, .. } => {
                        assert!(plan.has(Axis::Partition) && n > 1 && *for_ns > 0);
                    }
                    Fault::Clog { from, to, .. } => {
                        assert!(
                            plan.has(Axis::Clog) && from != to && *from <= n && *to <= n && *to > 0
                        );
                    }
                    Fault::Kill { node, .. } => {
                        assert!(plan.has(Axis::Crash) && (1..=n).contains(node))
                    }
                    Fault::PowerLoss { nodes, down_ns } => {
                        assert!(plan.has(Axis::PowerLoss) || plan.has(Axis::ClusterPowerLoss));
                        assert_eq!(nodes.len(), down_ns.len());
                    }
                    Fault::Pause { .. } => assert!(plan.has(Axis::Pause)),
                    Fault::Operate { node, what } => {
                        assert!(plan.has(what.axis()) && *node <= u64::from(plan.nodes()));
                    }
                    Fault::Relevel { node, level, hostile, .. } => {
                        assert!(plan.has(Axis::MixedVersions) && *level <= Options::LEVEL_MAX);
                        assert!((1..=u64::from(plan.nodes())).contains(node));
                        assert!(plan.versions.hostile || !hostile);
                    }
                    Fault::Poison {} => assert!(plan.has(Axis::Poison)),
                    Fault::LoseDisk { node } => {
                        assert!(plan.has(Axis::Replace) && (1..=n).contains(node));
                    }
                    Fault::Unknown(_) => panic!("drawn"),
                }
            }
            assert_eq!(schedule.drift_ppb.len(), n as usize);
            let bound = i64::from(plan.timed.drift_ppb);
            assert!(schedule.drift_ppb.iter().all(|ppb| ppb.abs() <= bound));
            let quorum = n as usize / 2 + 1;
            assert_eq!(
                schedule.core.len(),
                if plan.heal_quorum_only { quorum } else { plan.nodes() as usize }
            );
        }
    }

    #[test]
    fn a_majority_stays_up_unless_allowed() {
        let mut looked = 0;
        for seed in 0..400 {
            let schedule = schedule(plan("default", seed).unwrap(), seed, "x");
            let plan = &schedule.plan;
            if plan.timed.quorum_loss || plan.has(Axis::ClusterPowerLoss) {
                continue;
            }
            looked += 1;
            let mut spans: Vec<(u64, Ns, Ns)> = Vec::new();
            for fault in &schedule.faults {
                match &fault.fault {
                    Fault::Kill { node, down_ns, .. } => {
                        spans.push((*node, fault.at_ns, fault.at_ns + down_ns));
                    }
                    Fault::PowerLoss { nodes, down_ns } => {
                        spans.extend(
                            nodes
                                .iter()
                                .zip(down_ns)
                                .map(|(node, down)| (*node, fault.at_ns, fault.at_ns + down)),
                        );
                    }
                    _ => {}
                }
            }
            for (_, at, _) in &spans {
                let down: BTreeSet<u64> = spans
                    .iter()
                    .filter(|(_, from, to)| from <= at && at <= to)
                    .map(|(node, ..)| *node)
                    .collect();
                assert!(down.len() <= (plan.voters as usize - 1) / 2, "seed {seed}: {down:?}");
            }
        }
        assert!(looked > 50);
    }

    #[test]
    fn switching_an_axis_off_leaves_the_others_times() {
        for seed in 0..100 {
            let full = plan("default", seed).unwrap();
            let mut less = full.clone();
            less.without(&[Axis::Partition]);
            let others = |plan: Plan| -> Vec<(Ns, Fault)> {
                draw_faults(&plan, seed)
                    .into_iter()
                    .filter(|fault| !matches!(fault.fault, Fault::Cut { .. }))
                    .map(|fault| (fault.at_ns, fault.fault))
                    .collect()
            };
            assert_eq!(others(full), others(less));
        }
    }
}
