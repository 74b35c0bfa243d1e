//! `fuzz`: many seeds, findings as they come, a report at the end and on the way.
//!
//! **Intuition.** A campaign may be long and may be killed: whatever it has shown so far is on
//! disk every 30 seconds and at the first signal, always as a whole report.
//! **Source.** Ours.
//! **Upholds.** —
//! **Not here.** The campaign (`fuzz/`), the report's fields (`report/json.rs`).

use std::path::{Path, PathBuf};

use crate::{
    cli::{
        args::FuzzArgs,
        error::CliError,
        exit::Exit,
        interrupt::Interrupt,
        print, program,
        progress::{Progress, Stopwatch},
        resolve,
    },
    fuzz::{Campaign, CampaignResult, Stop, Watch, divergence::Divergence, finding::Finding},
    outcome::RunOptions,
    report::{files, json, text},
    system::System,
};

/// Milliseconds between two partial reports.
const FLUSH_MS: u64 = 30_000;
/// Where findings go if no folder is named.
const FINDINGS: &str = "findings";

/// Runs the command.
///
/// # Errors
/// Bad arguments; output that cannot be written.
pub(super) fn run(systems: &[System], args: &FuzzArgs) -> Result<Exit, CliError> {
    let seeds = resolve::seeds(&args.seeds)?;
    let recipe = resolve::recipe(systems, &args.plan, seeds.profile.as_deref(), seeds.first)?;
    let campaign = Campaign {
        recipe,
        first: seeds.first,
        count: seeds.count,
        jobs: resolve::jobs(args.jobs)?,
        options: RunOptions {
            without: resolve::oracles(&args.plan.without_oracle)?,
            ..RunOptions::default()
        },
        max_findings: if args.fail_fast { 1 } else { args.max_findings.max(1) },
        check_determinism: !args.no_determinism_check,
        gate: !args.no_vacuity_gate,
        findings_folder: args
            .out
            .as_deref()
            .map_or_else(|| PathBuf::from(FINDINGS), |out| out.join(FINDINGS)),
    };
    if let Some(out) = &args.out {
        files::prepare(out)?;
    }
    if seeds.random {
        print::note(&format!("seed base: {}", seeds.first));
    }
    let mut watcher = Watcher {
        interrupt: Interrupt::listen(),
        progress: Progress::new(args.output.quiet, seeds.count.unwrap_or(0)),
        watch: Stopwatch::start(),
        time_ms: seeds.time_ms,
        next_flush_ms: FLUSH_MS,
        out: args.out.as_deref(),
        campaign: &campaign,
        program: program(),
    };
    let result = crate::fuzz::run(&campaign, &mut watcher)?;
    let wall_ms = watcher.watch.millis();
    watcher.progress.finish();
    let program = &watcher.program;

    let report = json::report(&campaign, &result, wall_ms, program);
    let found = !result.findings.list().is_empty() || !result.divergences.is_empty();
    let folder = args.out.as_deref().or_else(|| found.then(|| Path::new(FINDINGS)));
    if let Some(folder) = folder {
        write_report(folder, &report)?;
    }
    if !args.output.quiet {
        let block = text::block(&campaign, &result, wall_ms, program);
        if args.output.json { print::note(&block) } else { print::result(&block)? }
    }
    if args.output.json {
        print::result(&pretty(&report))?;
    }
    Ok(result.exit())
}

fn write_report(folder: &Path, report: &serde_json::Value) -> Result<(), CliError> {
    files::write(&folder.join("report.json"), pretty(report).as_bytes())
}

fn pretty(value: &serde_json::Value) -> String {
    format!("{value:#}")
}

struct Watcher<'a> {
    interrupt: Interrupt,
    progress: Progress,
    watch: Stopwatch,
    time_ms: Option<u64>,
    next_flush_ms: u64,
    out: Option<&'a Path>,
    campaign: &'a Campaign,
    program: String,
}

impl Watch for Watcher<'_> {
    fn stop(&mut self) -> Option<Stop> {
        if let Some(exit) = self.interrupt.exit() {
            return Some(Stop::Signal(exit));
        }
        self.time_ms.is_some_and(|limit| self.watch.millis() >= limit).then_some(Stop::Time)
    }

    fn found(&mut self, finding: &Finding) {
        self.progress.tell(&finding.told(&self.program));
    }

    fn diverged(&mut self, seed: u64, divergence: &Divergence) {
        self.progress.tell(&format!("NOT DETERMINISTIC: seed {seed}: {divergence}"));
    }

    fn counted(&mut self, result: &CampaignResult) -> Result<(), CliError> {
        let findings = result.findings.list().len();
        let sums = &result.summary;
        self.progress.tick(sums.runs, |ms| text::progress(sums, findings, ms));
        let Some(folder) = self.out else { return Ok(()) };
        let now = self.watch.millis();
        if now < self.next_flush_ms {
            return Ok(());
        }
        self.next_flush_ms = now + FLUSH_MS;
        write_report(folder, &json::report(self.campaign, result, now, &self.program))
    }
}
