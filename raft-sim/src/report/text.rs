//! The final block: what a campaign injected, committed, reached and checked.
//!
//! **Intuition.** "No failure" is a claim, and this is its evidence. What is missing comes first.
//! **Source.** Ours.
//! **Upholds.** —
//! **Not here.** The same for tools (`json.rs`), one run (`story.rs`).

use core::fmt::Write;

use crate::{
    cli::progress::{per_second, seconds},
    fault::plan::Axis,
    fuzz::{Campaign, CampaignResult, Stop, percentile::Histogram},
    oracle::{OracleId, sometimes::Mark},
    report::summary::Summary,
};

/// Findings shown in the block; all are in the report and were told when they were met.
const FINDINGS_SHOWN: usize = 5;

/// The line shown while a campaign runs.
#[must_use]
pub fn progress(sums: &Summary, findings: usize, wall_ms: u64) -> String {
    let virtual_ms = u64::try_from(sums.virtual_ns / 1_000_000).unwrap_or(u64::MAX);
    format!(
        "{} runs ({}/s), {} commits, {} virtual seconds a second, {findings} findings, {} excused",
        sums.runs,
        per_second(sums.runs, wall_ms),
        sums.commits,
        virtual_ms / wall_ms.max(1),
        sums.excused,
    )
}

/// The final block.
#[must_use]
pub fn block(campaign: &Campaign, result: &CampaignResult, wall_ms: u64, program: &str) -> String {
    let mut text = String::new();
    head(&mut text, campaign, result, wall_ms);
    injected(&mut text, &result.summary);
    committed(&mut text, &result.summary);
    reached(&mut text, &result.summary);
    checked(&mut text, campaign, &result.summary);
    ending(&mut text, result, program);
    text
}

/// Appends a line. Writing to a string cannot fail, which the trait does not know.
macro_rules! line {
    ($text:expr) => { line!($text, "") };
    ($text:expr, $($part:tt)*) => {{
        let written = writeln!($text, $($part)*);
        debug_assert!(written.is_ok(), "a string takes everything");
    }};
}

fn head(text: &mut String, campaign: &Campaign, result: &CampaignResult, wall_ms: u64) {
    let sums = &result.summary;
    let system = &campaign.recipe.system;
    line!(
        text,
        "{} runs of {} {} (profile {}, seeds {}) in {} s: {} runs/s, {} events/s",
        sums.runs,
        system.name,
        system.version,
        campaign.recipe.profile,
        if sums.runs == 0 { "none".to_owned() } else { sums.seeds.to_string() },
        seconds(wall_ms),
        per_second(sums.runs, wall_ms),
        per_second(sums.events, wall_ms),
    );
    let strata: Vec<String> = sums.strata.iter().map(|(name, n)| format!("{name} {n}")).collect();
    if !strata.is_empty() {
        line!(text, "  strata: {}", strata.join(", "));
    }
}

fn injected(text: &mut String, sums: &Summary) {
    line!(text, "\nInjected{:>25} {:>12} {:>9}", "runs with it", "faults", "refused");
    for (axis, sum) in Axis::ALL.iter().zip(&sums.axes) {
        line!(text, "  {:<20} {:>10} {:>12} {:>9}", axis.name(), sum.on, sum.injected, sum.refused);
    }
}

fn committed(text: &mut String, sums: &Summary) {
    let runs = &sums.per_run;
    line!(text, "\nCommitted{:>19} {:>9} {:>9} {:>9}", "p10", "p50", "p90", "max");
    let mut row = |name: &str, h: &Histogram| {
        line!(
            text,
            "  {name:<16} {:>9} {:>9} {:>9} {:>9}",
            h.percentile(10),
            h.percentile(50),
            h.percentile(90),
            h.max()
        );
    };
    row("commits", &runs.commits);
    row("terms", &runs.terms);
    row("config changes", &runs.config_changes);
    row("snapshots", &runs.snapshots);
    row("events", &runs.events);
    row("operations", &runs.ops);
    row("unknown", &runs.unknown_ops);
    row("unknown, %", &runs.unknown_percent);
    row("virtual ms", &runs.virtual_ms);
}

fn reached(text: &mut String, sums: &Summary) {
    line!(text, "\nReached{:>29} {:>12}", "in runs", "of possible");
    let at = |list: &[u64], i: usize| list.get(i).copied().unwrap_or(0);
    let mut rows: Vec<(u64, u64, &Mark)> = Mark::ALL
        .iter()
        .enumerate()
        .map(|(i, mark)| (at(&sums.marks.hit, i), at(&sums.marks.armed, i), mark))
        .collect();
    // Missing ones first, then the catalogue's order.
    rows.sort_by_key(|&(hit, armed, _)| (hit > 0 || armed == 0, armed == 0));
    for (hit, armed, mark) in rows {
        let note = match (hit, armed) {
            (_, 0) => "  (out of reach)",
            (0, _) => "  MISSING",
            _ => "",
        };
        line!(text, "  {:<34} {hit:>7} {armed:>12}{note}", mark.name());
    }
}

fn checked(text: &mut String, campaign: &Campaign, sums: &Summary) {
    line!(text, "\nChecked{:>33}", "times");
    for (id, checks) in OracleId::ALL.iter().zip(&sums.checks) {
        let off = if campaign.options.without.contains(id) { "  (off)" } else { "" };
        line!(text, "  {:<28} {checks:>9}{off}", id.name());
    }
    let lin = &sums.lin;
    line!(
        text,
        "  linearizability of {} runs: {} by witness, {} by search, {} unknown, {} not reached",
        lin.witness + lin.search + lin.unknown + lin.skipped,
        lin.witness,
        lin.search,
        lin.unknown,
        lin.skipped
    );
    line!(text, "  determinism: {} seeds run twice, {} differed", sums.rechecked, sums.diverged);
    if sums.excused > 0 {
        line!(text, "\nExcused: {} runs", sums.excused);
        for (why, count) in &sums.excuses {
            line!(text, "  {count:>6}  {why}");
        }
    }
}

fn ending(text: &mut String, result: &CampaignResult, program: &str) {
    let findings = result.findings.list();
    if !findings.is_empty() {
        line!(text, "\nFindings: {} ({} runs)", findings.len(), result.summary.failed);
        let mut by_count: Vec<_> = findings.iter().collect();
        by_count.sort_by_key(|finding| core::cmp::Reverse(finding.count));
        for finding in by_count.iter().take(FINDINGS_SHOWN) {
            line!(
                text,
                "  {} {:<26} {:>6} runs  {}\n    {}",
                finding.fingerprint,
                finding.cause.name(),
                finding.count,
                finding.reason,
                finding.command(program)
            );
        }
    }
    for (seed, divergence) in &result.divergences {
        line!(text, "\nNOT DETERMINISTIC: seed {seed}: {divergence}");
    }
    if let Some(why) = &result.summary.first_internal {
        line!(text, "\nThe simulator failed in {} runs, first: {why}", result.summary.internal);
    }
    for lack in &result.vacuous {
        line!(text, "\nVACUOUS: {lack}");
    }
    let stopped = match result.stopped {
        None => "",
        Some(Stop::Time) => " (the time was over)",
        Some(Stop::Findings) => " (as many findings as wanted)",
        Some(Stop::Signal(_)) => " (stopped by a signal; the report is partial)",
    };
    line!(text, "\nResult: {}{stopped}", result.exit().name());
}
