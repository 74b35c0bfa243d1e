//! Axes by hand: `--only`, `--without`, and what an axis that is off leaves in a plan.
//!
//! **Intuition.** An axis owns fields of the plan. Switching it off puts its fields to their quiet
//! values; switching it on keeps what the seed drew, so that one seed can be asked what it does
//! under each axis alone.
//! **Source.** Ours.
//! **Upholds.** `inv:pure`.
//! **Not here.** Single fields (`--set`, `fuzz/recipe.rs`), drawing (`swarm.rs`).

use core::fmt;

use crate::fault::plan::{Axis, Chance, Plan, PoisonPlan, ReplacePlan, SnapshotPlan, VersionPlan};

/// Which axes a caller wants.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AxisChoice {
    /// If not empty: exactly these are on.
    pub only: Vec<Axis>,
    /// These are off.
    pub without: Vec<Axis>,
}

impl AxisChoice {
    /// Whether `axis` is on, when the seed's stratum has `drawn` on.
    #[must_use]
    pub fn is_on(&self, axis: Axis, drawn: &[Axis]) -> bool {
        let wanted =
            if self.only.is_empty() { drawn.contains(&axis) } else { self.only.contains(&axis) };
        wanted && !self.without.contains(&axis)
    }
}

/// There is no axis of this name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownAxis(pub String);

impl fmt::Display for UnknownAxis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "unknown axis {:?}; known are", self.0)?;
        for (i, axis) in Axis::ALL.iter().enumerate() {
            write!(f, "{} {}", if i == 0 { "" } else { "," }, axis.name())?;
        }
        Ok(())
    }
}

impl core::error::Error for UnknownAxis {}

impl core::str::FromStr for Axis {
    type Err = UnknownAxis;

    fn from_str(name: &str) -> Result<Self, UnknownAxis> {
        Self::ALL
            .iter()
            .copied()
            .find(|axis| axis.name() == name)
            .ok_or_else(|| UnknownAxis(name.to_owned()))
    }
}

impl Plan {
    /// Leaves exactly `on` switched on: the fields of all other axes become quiet.
    ///
    /// An axis whose fields are already quiet stays quiet, whatever `on` says; it is listed all
    /// the same.
    pub fn keep_only(&mut self, on: &[Axis]) {
        for axis in Axis::ALL {
            if !on.contains(axis) {
                self.quiet(*axis);
            }
        }
        if !on.contains(&Axis::Crash) && !on.contains(&Axis::PowerLoss) {
            self.timed.crash_gap_ns = 0;
            self.timed.down_max_ns = 0;
        }
        // A cluster without a spare node can only be crashed by losing its quorum.
        if self.voters <= 2 && self.timed.crash_gap_ns > 0 {
            self.timed.quorum_loss = true;
        }
        // However slow the slow node is, it answers before clients give up.
        if self.disk.slow_node != 0 {
            let bound = self.knobs.election_ns / 2 / self.disk.latency_mean_ns.max(1);
            let bound = u32::try_from(bound).unwrap_or(u32::MAX).max(2);
            self.disk.slow_factor = self.disk.slow_factor.min(bound);
        }
        // What leases may count with is what clocks keep, not more.
        self.knobs.clock_error_ppm = self.timed.drift_ppb.div_ceil(1_000).max(1);
        // Healing only a quorum is trouble too: what stays behind is cut off for good.
        let members_change = on.contains(&Axis::Membership) || on.contains(&Axis::Replace);
        self.heal_quorum_only &= !on.is_empty() && !members_change;
        let nodes = u64::from(self.nodes());
        self.versions.old.retain(|node| *node <= nodes);
        self.axes = Axis::ALL
            .iter()
            .filter(|axis| on.contains(axis))
            .map(|axis| axis.name().to_owned())
            .collect();
    }

    /// Switches `axes` off and leaves the others as they are.
    pub fn without(&mut self, axes: &[Axis]) {
        let on: Vec<Axis> = Axis::ALL
            .iter()
            .copied()
            .filter(|axis| self.has(*axis) && !axes.contains(axis))
            .collect();
        self.keep_only(&on);
    }

    fn quiet(&mut self, axis: Axis) {
        let e = self.knobs.election_ns;
        match axis {
            Axis::Snapshots => self.snapshots = SnapshotPlan::default(),
            Axis::Membership => {
                self.operate.change_gap_ns = 0;
                self.operate.spares = 0;
                self.operate.witnesses = false;
            }
            Axis::Leadership => {
                self.operate.lead_gap_ns = 0;
                self.knobs.lease = false;
            }
            Axis::MixedVersions => self.versions = VersionPlan::default(),
            Axis::Poison => self.poison = PoisonPlan::default(),
            Axis::Replace => self.replace = ReplacePlan::default(),
            Axis::Loss => {
                self.net.loss = Chance(0);
                self.net.loss_burst = 0;
            }
            Axis::Duplicate => {
                self.net.duplicate = Chance(0);
                self.net.duplicate_max = 0;
                self.net.duplicate_late_ns = 0;
            }
            Axis::Delay => {
                self.net.delay_min_ns = e / 1000;
                self.net.delay_mean_ns = e / 200;
                self.net.tail = Chance(0);
                self.net.tail_min_ns = 0;
                self.net.tail_max_ns = 0;
            }
            Axis::Hold => {
                self.net.hold = Chance(0);
                self.net.hold_max_ns = 0;
            }
            Axis::Clog => {
                self.timed.clog_gap_ns = 0;
                self.timed.clog_mean_ns = 0;
                self.timed.clog_capacity = 0;
            }
            Axis::Partition => {
                self.timed.partition_gap_ns = 0;
                self.timed.partition_min_ns = 0;
                self.timed.partition_mean_ns = 0;
                self.timed.partition_drops = false;
            }
            Axis::Crash => self.timed.kill = false,
            Axis::PowerLoss => self.timed.power_loss = false,
            Axis::ClusterPowerLoss => self.timed.cluster_power_gap_ns = 0,
            Axis::Pause => {
                self.timed.pause_gap_ns = 0;
                self.timed.pause_max_ns = 0;
            }
            Axis::Drift => self.timed.drift_ppb = 0,
            Axis::DiskLatency => {
                self.disk.latency_min_ns = e / 10_000;
                self.disk.latency_mean_ns = e / 1000;
                self.disk.stall = Chance(0);
                self.disk.stall_min_ns = 0;
                self.disk.stall_max_ns = 0;
                self.disk.apply_mean_ns = e / 100_000;
            }
            Axis::DiskReorder => self.disk.reorder = false,
            Axis::SlowNode => {
                self.disk.slow_node = 0;
                self.disk.slow_factor = 0;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fault::swarm::{plan, plan_with};

    #[test]
    fn axes_have_their_names() {
        for axis in Axis::ALL {
            assert_eq!(axis.name().parse(), Ok(*axis));
        }
        let error = "losss".parse::<Axis>().unwrap_err().to_string();
        assert!(error.starts_with("unknown axis \"losss\"; known are loss, duplicate"), "{error}");
    }

    #[test]
    fn only_forces_on_and_without_forces_off() {
        for seed in 0..200 {
            let only =
                AxisChoice { only: vec![Axis::Loss, Axis::Crash], without: vec![Axis::Crash] };
            let alone = plan_with("default", seed, &only).unwrap();
            assert_eq!(alone.axes, ["loss"]);
            assert!(alone.net.loss.0 > 0 && alone.timed.crash_gap_ns == 0);

            let without = AxisChoice { only: vec![], without: vec![Axis::Partition] };
            let less = plan_with("default", seed, &without).unwrap();
            let mut full = plan("default", seed).unwrap();
            full.without(&[Axis::Partition]);
            assert_eq!(less, full, "the same as switching it off afterwards");
        }
    }

    #[test]
    fn switching_one_axis_off_leaves_the_others_alone() {
        for seed in 0..200 {
            let full = plan("default", seed).unwrap();
            let mut less = full.clone();
            less.without(&[Axis::Loss]);
            assert_eq!(less.net.delay_mean_ns, full.net.delay_mean_ns);
            assert_eq!(
                (&less.timed, &less.work, &less.knobs),
                (&full.timed, &full.work, &full.knobs)
            );
        }
    }
}
