//! Upgrades and downgrades: which node is started with which protocol level, and when.
//!
//! **Intuition.** Operators go through a cluster one node at a time, forwards and sometimes back
//! again, and now and then do a single node. Whether a step back is one that the manual allows
//! depends on what is in the logs by then, so the world decides; a few are told to go back all the
//! same.
//! **Source.** S-08; rolling restarts as in docs/WIRE.md, "Versions".
//! **Upholds.** `inv:pure`.
//! **Not here.** Carrying them out (`world/versions.rs`), skipping entries (`world/poison.rs`).

use raft_core::Options;

use crate::{
    fault::{
        plan::Plan,
        schedule::Fault,
        timed::{last_fault_ns, times},
    },
    process::Ns,
    random::stream::Stream,
};

/// What an operator sets out to do.
const ALL_UP: usize = 0;
const ALL_DOWN: usize = 1;
const ONE_UP: usize = 2;

/// Draws changes of protocol level.
pub(super) fn levels(plan: &Plan, s: &mut Stream) -> Vec<(Ns, Fault)> {
    let e = plan.knobs.election_ns;
    let mut all = Vec::new();
    for at in times(plan, plan.versions.gap_ns, s) {
        let what = s.weighted(&[5, 2, 5, 4]);
        let hostile = s.one_in(1, 3) && plan.versions.hostile;
        let up = matches!(what, ALL_UP | ONE_UP);
        let level = if up { Options::LEVEL_MAX } else { Options::LEVEL_MAX - 1 };
        let mut nodes: Vec<u64> = (1..=u64::from(plan.nodes())).collect();
        s.shuffle(&mut nodes);
        if !matches!(what, ALL_UP | ALL_DOWN) {
            nodes.truncate(1);
        }
        let mut at = at;
        for node in nodes {
            // One after the other, most of them slowly enough that the cluster catches up.
            let down_ns = s.log_uniform(e / 20, 2 * e);
            let pause = s.log_uniform(e / 10, 5 * e);
            if at >= last_fault_ns(plan) {
                break;
            }
            all.push((at, Fault::Relevel { node, level, down_ns, hostile }));
            at = at.saturating_add(down_ns).saturating_add(pause);
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        fault::{axes::AxisChoice, plan::Axis, swarm},
        random::stream::Purpose,
    };

    #[test]
    fn levels_rise_and_fall_and_only_some_plans_are_hostile() {
        let choice = AxisChoice { only: vec![Axis::MixedVersions], without: vec![] };
        let (mut up, mut down, mut hostile) = (0, 0, 0);
        for seed in 0..200 {
            let plan = swarm::plan_with("default", seed, &choice).unwrap();
            let drawn = levels(&plan, &mut Stream::new(seed, Purpose::VERSIONS));
            for (at, fault) in drawn {
                let Fault::Relevel { node, level, hostile: bad, .. } = fault else {
                    panic!("{fault:?}")
                };
                assert!(at < plan.chaos_ns && (1..=u64::from(plan.nodes())).contains(&node));
                assert!(plan.versions.hostile || !bad);
                up += u32::from(level == Options::LEVEL_MAX);
                down += u32::from(level < Options::LEVEL_MAX);
                hostile += u32::from(bad && level < Options::LEVEL_MAX);
            }
        }
        assert!(up > 1_000 && down > up / 3 && hostile > 50, "{up} {down} {hostile}");
    }

    #[test]
    fn a_plan_without_the_axis_has_none() {
        for seed in 0..200 {
            let plan = swarm::plan("default", seed).unwrap();
            let drawn = levels(&plan, &mut Stream::new(seed, Purpose::VERSIONS));
            assert!(drawn.is_empty() || plan.has(Axis::MixedVersions), "seed {seed}");
        }
    }
}
