//! From seed to plan: which troubles this run has, how much of each, and how large everything is.
//!
//! **Intuition.** Runs with all faults at once hide what only one of them would show, so each axis
//! is on in half of the runs. Every number is drawn whether its axis is on or not: switching an
//! axis by hand moves nothing else.
//! **Source.** Swarm testing (Groce et al., ISSTA 2012). Ranges: docs/TRACE.md, "Profiles".
//! **Upholds.** `inv:pure`.
//! **Not here.** Times of single faults (`timed.rs`), client operations (`ops.rs`), choosing axes
//! by hand (`axes.rs`), fates of single messages (`fates.rs`).

use core::fmt;

use crate::{
    fault::{
        axes::AxisChoice,
        ops,
        plan::{
            Axis, Chance, DiskPlan, Knobs, NetPlan, OperatePlan, Plan, PoisonPlan, ReplacePlan,
            SnapshotPlan, TimedPlan, VersionPlan, WorkPlan,
        },
        schedule::Schedule,
        timed,
    },
    process::Ns,
    random::{
        sample,
        stream::{Purpose, Stream},
        token::SeedToken,
    },
};

const US: Ns = 1_000;
const MS: Ns = 1_000_000;

/// A profile: how long runs are, and from which strata.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Profile {
    /// Name for `--profile` and tokens.
    pub name: &'static str,
    /// One line for people.
    pub about: &'static str,
    /// Client operations of a run.
    pub ops: u32,
    /// Chaos lasts at most this many election timeouts.
    pub chaos_elections: u64,
    /// Events after which a run is given up as inconclusive.
    pub events_max: u64,
    /// Whether only the calm stratum is drawn.
    pub calm: bool,
}

/// All profiles.
pub const PROFILES: &[Profile] = &[
    Profile {
        name: "smoke",
        about: "short runs for tests",
        ops: 60,
        chaos_elections: 60,
        events_max: 100_000,
        calm: false,
    },
    Profile {
        name: "default",
        about: "400 operations under a swarm of faults",
        ops: 400,
        chaos_elections: 250,
        events_max: 300_000,
        calm: false,
    },
    Profile {
        name: "deep",
        about: "5,000 operations a run",
        ops: 5_000,
        chaos_elections: 3_000,
        events_max: 4_000_000,
        calm: false,
    },
    Profile {
        name: "soak",
        about: "50,000 operations a run, for nights",
        ops: 50_000,
        chaos_elections: 30_000,
        events_max: 40_000_000,
        calm: false,
    },
    Profile {
        name: "calm",
        about: "no faults at all: every operation must succeed",
        ops: 400,
        chaos_elections: 250,
        events_max: 300_000,
        calm: true,
    },
];

/// There is no profile of this name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownProfile(pub String);

impl fmt::Display for UnknownProfile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "unknown profile {:?}; known are", self.0)?;
        for (i, profile) in PROFILES.iter().enumerate() {
            write!(f, "{} {}", if i == 0 { "" } else { "," }, profile.name)?;
        }
        Ok(())
    }
}

impl core::error::Error for UnknownProfile {}

/// The profile of this name.
///
/// # Errors
/// Names the known ones.
pub fn profile(name: &str) -> Result<&'static Profile, UnknownProfile> {
    PROFILES.iter().find(|p| p.name == name).ok_or_else(|| UnknownProfile(name.to_owned()))
}

/// Draws the plan of `seed` under `profile`.
///
/// # Errors
/// Names the known profiles if there is none of that name.
pub fn plan(profile: &str, seed: u64) -> Result<Plan, UnknownProfile> {
    plan_with(profile, seed, &AxisChoice::default())
}

/// As [`plan`], with axes forced on or off. An axis that is forced on has the intensity that the
/// seed drew for it.
///
/// # Errors
/// Names the known profiles if there is none of that name.
pub fn plan_with(name: &str, seed: u64, choice: &AxisChoice) -> Result<Plan, UnknownProfile> {
    let profile = profile(name)?;
    let mut s = Stream::new(seed, Purpose::PLAN);
    let (stratum, mut drawn_axes) = stratum(&mut s, profile.calm);
    let voters = draw_voters(&mut s);
    let election_ns = s.log_uniform(100 * MS, 300 * MS);
    let mut knobs = draw_knobs(&mut s, election_ns);
    // A lease stands on promises that only check-quorum makes anybody give.
    knobs.lease = Stream::new(seed, Purpose::READS).one_in(2, 3) && knobs.check_quorum;
    let net = draw_net(&mut s, election_ns);
    let disk = draw_disk(&mut s, election_ns, voters);
    let timed = draw_timed(&mut s, election_ns);
    let chaos_ns = election_ns * s.between(profile.chaos_elections / 2, profile.chaos_elections);
    let heal_quorum_only = s.one_in(1, 2);
    let chaos_from_start = s.one_in(1, 2);
    let work = draw_work(&mut s, profile.ops, election_ns, chaos_ns);
    let snapshots = draw_snapshots(&mut s);
    let operate = draw_operate(&mut s, election_ns, voters);
    let mut s = Stream::new(seed, Purpose::RARE);
    let rare = rare_axes(&mut s);
    let versions = draw_versions(&mut s, election_ns, voters);
    let poison = PoisonPlan { gap_ns: s.log_uniform(20 * election_ns, 100 * election_ns) };
    let replace = ReplacePlan { gap_ns: s.log_uniform(20 * election_ns, 100 * election_ns) };
    match stratum {
        "calm" => {}
        "single-axis" => drawn_axes = rare.first().map_or(drawn_axes, |axis| vec![*axis]),
        _ => drawn_axes.extend(rare),
    }
    if drawn_axes.contains(&Axis::Replace) {
        // Whoever adds a node must state which life of its disk is meant; random changes do not.
        drawn_axes.retain(|axis| *axis != Axis::Membership);
    }

    let mut plan = Plan {
        profile: name.to_owned(),
        voters,
        stratum: stratum.to_owned(),
        axes: Vec::new(),
        chaos_ns,
        events_max: profile.events_max,
        heal_quorum_only,
        chaos_from_start,
        knobs,
        net,
        disk,
        timed,
        work,
        snapshots,
        operate,
        versions,
        poison,
        replace,
    };
    let on: Vec<Axis> =
        Axis::ALL.iter().copied().filter(|axis| choice.is_on(*axis, &drawn_axes)).collect();
    plan.keep_only(&on);
    Ok(plan)
}

/// Draws the schedule of `plan` under `seed` for `system`.
#[must_use]
pub fn schedule(plan: Plan, seed: u64, system: &str) -> Schedule {
    let key = Stream::new(seed, Purpose::KEY).run_key();
    let core = timed::draw_core(&plan, &mut Stream::new(seed, Purpose::HEAL));
    let drift_ppb = timed::draw_drift(&plan, &mut Stream::new(seed, Purpose::DRIFT));
    let faults = timed::draw_faults(&plan, seed);
    let mut ops = ops::draw_ops(&plan, &mut Stream::new(seed, Purpose::WORKLOAD));
    ops::draw_reads(&plan, &mut ops, &mut Stream::new(seed, Purpose::READS));
    Schedule {
        version: Schedule::VERSION,
        system: system.to_owned(),
        token: Some(SeedToken { profile: plan.profile.clone(), seed }.to_string()),
        key,
        drawn: true,
        heal_at_ns: plan.chaos_ns,
        core,
        drift_ppb,
        ops,
        faults,
        exceptions: Vec::new(),
        unknown: serde_json::Map::new(),
        kept: crate::trace::keep::Kept::default(),
        plan,
    }
}

/// Which stratum, and the axes it has on. Draws the same number of words in every case.
fn stratum(s: &mut Stream, calm: bool) -> (&'static str, Vec<Axis>) {
    let which = s.weighted(&[1, 2, 1, 12]);
    let common = Axis::common();
    let single = s.below(common.len() as u64) as usize;
    let coins = s.word();
    let swarm =
        || common.iter().enumerate().filter(|(i, _)| coins >> i & 1 == 1).map(|(_, axis)| *axis);
    match which {
        _ if calm => ("calm", Vec::new()),
        0 => ("calm", Vec::new()),
        1 => ("single-axis", vec![common[single]]),
        2 => ("everything", common.to_vec()),
        _ => ("swarm", swarm().collect()),
    }
}

/// The rare axes of this plan. Draws one word for each that there could ever be.
fn rare_axes(s: &mut Stream) -> Vec<Axis> {
    let mut coins = [0; 16];
    coins.fill_with(|| s.word());
    let rare = Axis::ALL.iter().filter_map(|axis| Some((*axis, axis.rare()?)));
    let drawn = rare.zip(coins).filter(|((_, of), coin)| *of > 0 && sample::below(*coin, *of) == 0);
    let mut drawn: Vec<Axis> = drawn.map(|((axis, _), _)| axis).collect();
    // A skip is what the older level lacks: without one, versions differ in little.
    if drawn.contains(&Axis::MixedVersions) && !drawn.contains(&Axis::Poison) && coins[15] & 1 == 0
    {
        drawn.push(Axis::Poison);
    }
    drawn
}

fn draw_versions(s: &mut Stream, e: Ns, voters: u32) -> VersionPlan {
    // All of the older level, or about half; spares count too, and ids beyond them are dropped.
    let all = s.one_in(1, 3);
    let old = (1..=u64::from(voters) + 3).filter(|_| s.one_in(1, 2) || all).collect();
    VersionPlan {
        old,
        gap_ns: s.log_uniform(5 * e, 40 * e),
        hostile: s.one_in(1, 3),
        finish: s.one_in(1, 2),
    }
}

fn draw_voters(s: &mut Stream) -> u32 {
    1 + s.weighted(&[4, 4, 42, 8, 30, 3, 9]) as u32
}

fn draw_knobs(s: &mut Stream, election_ns: Ns) -> Knobs {
    Knobs {
        election_ns,
        election_jitter_ns: s.between(election_ns / 4, election_ns),
        heartbeat_ns: s.log_uniform(election_ns / 10, election_ns / 2),
        pre_vote: s.one_in(3, 4),
        check_quorum: s.one_in(7, 8),
        inflight_messages: s.log_uniform(1, 256) as u32,
        inflight_bytes: s.log_uniform(4 << 10, 1 << 20),
        append_entries: s.log_uniform(1, 256) as u32,
        append_bytes: s.log_uniform(64, 64 << 10),
        persist_inflight: s.log_uniform(1, 16) as u32,
        apply_inflight: s.log_uniform(1, 64) as u32,
        tail_bytes: s.log_uniform(1 << 10, 1 << 20),
        lease: false,
        clock_error_ppm: 0,
    }
}

fn draw_snapshots(s: &mut Stream) -> SnapshotPlan {
    SnapshotPlan {
        every_entries: s.log_uniform(8, 128) as u32,
        keep_entries: s.log_uniform(1, 64) as u32,
        fail_one_in: s.between(2, 12) as u32,
        refuse_one_in: s.between(2, 12) as u32,
    }
}

fn draw_operate(s: &mut Stream, e: Ns, voters: u32) -> OperatePlan {
    // Nine voters are the most a half may have.
    let spares = s.between(1, 3).min(u64::from(9_u32.saturating_sub(voters)).max(1)) as u32;
    OperatePlan {
        change_gap_ns: s.log_uniform(4 * e, 40 * e),
        spares,
        witnesses: s.one_in(1, 3),
        lead_gap_ns: s.log_uniform(4 * e, 40 * e),
    }
}

fn draw_net(s: &mut Stream, e: Ns) -> NetPlan {
    let burst = s.log_uniform(2, 20) as u32;
    NetPlan {
        delay_min_ns: s.between(0, e / 20),
        delay_mean_ns: s.log_uniform(e / 100, e * 3 / 10),
        // Bimodal delays in one of ten runs that have the axis on.
        tail: if s.one_in(1, 10) { Chance(1 << 22) } else { Chance(0) },
        tail_min_ns: e,
        tail_max_ns: s.between(2 * e, 30 * e),
        loss: s.chance_ppm(1_000, 300_000),
        loss_burst: if s.one_in(1, 3) { burst } else { 0 },
        duplicate: s.chance_ppm(1_000, 300_000),
        duplicate_max: s.between(1, 3) as u32,
        duplicate_late_ns: s.log_uniform(e, 20 * e),
        hold: s.chance_ppm(1_000, 20_000),
        hold_max_ns: s.log_uniform(e, 40 * e),
    }
}

fn draw_disk(s: &mut Stream, e: Ns, voters: u32) -> DiskPlan {
    let latency_mean_ns = s.log_uniform(e / 1000, e * 3 / 10);
    DiskPlan {
        latency_min_ns: s.between(10 * US, e / 500),
        latency_mean_ns,
        stall: Chance(1 << 22),
        stall_min_ns: e,
        stall_max_ns: 5 * e,
        reorder: true,
        apply_mean_ns: s.log_uniform(10 * US, e / 50),
        slow_node: s.between(1, u64::from(voters)),
        slow_factor: s.log_uniform(3, 30) as u32,
    }
}

fn draw_timed(s: &mut Stream, e: Ns) -> TimedPlan {
    TimedPlan {
        clog_gap_ns: s.log_uniform(5 * e, 50 * e),
        clog_mean_ns: s.log_uniform(e / 10, 5 * e),
        clog_capacity: s.between(2, 64) as u32,
        partition_gap_ns: s.log_uniform(8 * e, 40 * e),
        partition_min_ns: e,
        partition_mean_ns: s.log_uniform(2 * e, 20 * e),
        partition_drops: s.one_in(1, 2),
        crash_gap_ns: s.log_uniform(10 * e, 80 * e),
        down_max_ns: s.log_uniform(e, 40 * e),
        kill: true,
        power_loss: true,
        cluster_power_gap_ns: s.log_uniform(60 * e, 240 * e),
        quorum_loss: s.one_in(1, 2),
        pause_gap_ns: s.log_uniform(20 * e, 200 * e),
        pause_max_ns: s.log_uniform(e, 20 * e),
        drift_ppb: draw_drift_bound(s),
    }
}

/// Up to 0.1 % in three of four runs, up to 5 % in the rest.
fn draw_drift_bound(s: &mut Stream) -> u32 {
    let wide = s.one_in(1, 4);
    s.log_uniform(10_000, if wide { 50_000_000 } else { 1_000_000 }) as u32
}

fn draw_work(s: &mut Stream, ops: u32, e: Ns, chaos_ns: Ns) -> WorkPlan {
    let clients = s.between(1, 8) as u32;
    let keys = if s.one_in(1, 4) { 1 } else { s.between(2, 8) as u32 };
    // Clients are busy for a drawn part of the chaos: too fast and a run is over before anything
    // happened, too slow and its clients are still waiting at the end.
    let busy = chaos_ns / 100 * s.between(20, 60);
    let think = busy / u64::from(ops.max(1)) * u64::from(clients);
    let burst = if s.one_in(1, 10) { s.between(16, 64) as u32 } else { 0 };
    let padding = if s.one_in(1, 4) { s.log_uniform(64, 4096) as u32 } else { 16 };
    WorkPlan {
        clients,
        keys,
        ops,
        think_mean_ns: think.max(e / 50),
        burst,
        timeout_ns: s.between(6 * e, 16 * e),
        padding,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_profile_names_the_known_ones() {
        assert_eq!(
            plan("defualt", 1).unwrap_err().to_string(),
            "unknown profile \"defualt\"; known are smoke, default, deep, soak, calm"
        );
    }

    #[test]
    fn strata_and_sizes_come_as_often_as_planned() {
        let plans: Vec<Plan> = (0..4000).map(|seed| plan("default", seed).unwrap()).collect();
        let count = |keep: &dyn Fn(&Plan) -> bool| plans.iter().filter(|p| keep(p)).count();
        assert!((200..310).contains(&count(&|p| p.stratum == "calm")));
        assert!((430..570).contains(&count(&|p| p.stratum == "single-axis" && p.axes.len() == 1)));
        assert!((200..310).contains(&count(&|p| p.stratum == "everything")));
        assert!((1580..1790).contains(&count(&|p| p.voters == 3)));
        assert!((1100..1300).contains(&count(&|p| p.voters == 5)));
        for axis in Axis::common() {
            let on = count(&|p| p.has(*axis));
            assert!((1700..2050).contains(&on), "{} is on in {on} of 4000", axis.name());
        }
        assert_eq!(count(&|p| p.has(Axis::Replace)), 0, "only where it is asked for");
        for axis in [Axis::MixedVersions, Axis::Poison] {
            let on = count(&|p| p.has(axis));
            let more = if axis == Axis::Poison { 100 } else { 0 };
            assert!((190..300).contains(&(on - more)), "{} is on in {on} of 4000", axis.name());
        }
    }

    #[test]
    fn plans_are_functions_of_the_seed() {
        for profile in PROFILES {
            for seed in 0..50 {
                let a = plan(profile.name, seed).unwrap();
                assert_eq!(a, plan(profile.name, seed).unwrap());
                assert!(!profile.calm || a.axes.is_empty());
                assert_eq!(schedule(a.clone(), seed, "x"), schedule(a, seed, "x"));
            }
        }
    }

    #[test]
    fn golden_plan() {
        let plan = plan("default", 0x00c0_ffee).unwrap();
        expect_test::expect_file!["../../testdata/plans/rs1-default-00c0ffee.json"]
            .assert_eq(&(serde_json::to_string_pretty(&plan).unwrap() + "\n"));
    }
}
