//! Campaigns: many seeds, one answer.
//!
//! **Intuition.** A campaign is a function of its seed range: threads, order and machine change
//! how long it takes and nothing else. It stops early only when told to, and what it then says is
//! true of the seeds it names.
//! **Source.** Ours.
//! **Upholds.** `inv:pure`.
//! **Not here.** The command (`cli/fuzz.rs`), sums and printing (`report/`).
//!
//! | file | job |
//! | --- | --- |
//! | `recipe` | seed to schedule, with the caller's wishes |
//! | `trial` | one seed, run and compared |
//! | `guard` | a panic ends a run, not the campaign |
//! | `pool` | threads, results in order |
//! | `fingerprint`, `finding` | which failures are the same; what is kept of them |
//! | `divergence` | where two runs of one schedule parted |
//! | `gate` | campaigns that showed too little |
//! | `percentile`, `seeds` | exact distributions; sets of seeds |

pub mod divergence;
pub mod finding;
pub mod fingerprint;
pub mod gate;
pub mod guard;
pub mod percentile;
pub mod pool;
pub mod recipe;
pub mod seeds;
pub mod trial;

use std::{ops::ControlFlow, path::PathBuf};

use divergence::Divergence;
use finding::{Finding, Findings};
use gate::Vacuous;
use recipe::Recipe;
use trial::{Ended, Trial};

use crate::{
    cli::{error::CliError, exit::Exit},
    outcome::RunOptions,
    random::token::SeedToken,
    report::summary::Summary,
};

/// Divergences that are kept with their place; the rest is counted.
const DIVERGENCES_MAX: usize = 10;

/// What a campaign is asked to do.
#[derive(Clone, Debug)]
pub struct Campaign {
    /// Seeds to schedules.
    pub recipe: Recipe,
    /// First seed.
    pub first: u64,
    /// How many; `None`: until told to stop.
    pub count: Option<u64>,
    /// Threads.
    pub jobs: usize,
    /// Oracles and the like.
    pub options: RunOptions,
    /// Stop after this many findings.
    pub max_findings: u64,
    /// Run some seeds and all failures twice.
    pub check_determinism: bool,
    /// Judge vacuity.
    pub gate: bool,
    /// Folder of `findings/`.
    pub findings_folder: PathBuf,
}

/// Who watches a campaign: told everything on one thread, in seed order.
pub trait Watch {
    /// Whether to stop before the next seed is counted. Asked after each.
    fn stop(&mut self) -> Option<Stop>;
    /// A new finding.
    fn found(&mut self, finding: &Finding);
    /// Two runs of one seed differed.
    fn diverged(&mut self, seed: u64, divergence: &Divergence);
    /// Another run was counted.
    ///
    /// # Errors
    /// When a partial report cannot be written; the campaign ends with it.
    fn counted(&mut self, result: &CampaignResult) -> Result<(), CliError>;
}

/// Why a campaign stopped before its last seed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// The time asked for is over.
    Time,
    /// As many findings as wanted.
    Findings,
    /// A signal; the exit code it asks for.
    Signal(Exit),
}

/// What a campaign did so far, or in the end.
#[derive(Clone, Debug)]
pub struct CampaignResult {
    /// Sums.
    pub summary: Summary,
    /// Different failures.
    pub findings: Findings,
    /// Seeds whose two runs differed, with the place, the first few.
    pub divergences: Vec<(u64, Divergence)>,
    /// Findings whose schedule alone did not fail in the same way.
    pub unconfirmed: u64,
    /// What it lacks; judged at the end.
    pub vacuous: Vec<Vacuous>,
    /// Why it stopped early.
    pub stopped: Option<Stop>,
    /// It is over.
    pub complete: bool,
}

impl CampaignResult {
    fn new() -> Self {
        Self {
            summary: Summary::new(),
            findings: Findings::default(),
            divergences: Vec::new(),
            unconfirmed: 0,
            vacuous: Vec::new(),
            stopped: None,
            complete: false,
        }
    }

    /// The exit code.
    #[must_use]
    pub fn exit(&self) -> Exit {
        let sums = &self.summary;
        let mut exit = Exit::Clean;
        let mut also = |condition: bool, code: Exit| {
            if condition {
                exit = exit.worse(code);
            }
        };
        also(sums.failed > 0, Exit::Violation);
        also(sums.inconclusive > 0, Exit::Inconclusive);
        also(sums.internal > 0, Exit::Internal);
        // A schedule that does not reproduce its run, though two runs of it agree, is our fault.
        also(self.unconfirmed > 0 && sums.diverged == 0, Exit::Internal);
        also(sums.diverged > 0, Exit::Nondeterminism);
        also(!self.vacuous.is_empty(), Exit::Vacuous);
        if let Some(Stop::Signal(signal)) = self.stopped {
            also(true, signal);
        }
        exit
    }
}

/// Runs a campaign.
///
/// # Errors
/// When a finding or a partial report cannot be written.
pub fn run(campaign: &Campaign, watch: &mut dyn Watch) -> Result<CampaignResult, CliError> {
    let mut result = CampaignResult::new();
    let mut failed = Ok(());
    let work = |number: u64| {
        let seed = campaign.first.saturating_add(number);
        let recheck = campaign.check_determinism && trial::is_rechecked(number, seed);
        trial::run(&campaign.recipe, &campaign.options, seed, recheck, campaign.check_determinism)
    };
    // Nothing runs if the signal came first or the range is empty.
    result.stopped = watch.stop();
    if result.stopped.is_none() {
        pool::in_order(campaign.jobs, campaign.count, work, |_number, trial| {
            match take(campaign, &mut result, &trial, watch) {
                Ok(flow) => flow,
                Err(error) => {
                    failed = Err(error);
                    ControlFlow::Break(())
                }
            }
        });
    }
    failed?;
    result.complete = !matches!(result.stopped, Some(Stop::Signal(_)));
    if campaign.gate && result.complete {
        result.vacuous = gate::judge(&result.summary);
    }
    Ok(result)
}

fn take(
    campaign: &Campaign,
    result: &mut CampaignResult,
    trial: &Trial,
    watch: &mut dyn Watch,
) -> Result<ControlFlow<()>, CliError> {
    let recipe = &campaign.recipe;
    result.summary.add(trial, recipe.system.promises);
    if let Some(divergence) = &trial.divergence
        && result.divergences.len() < DIVERGENCES_MAX
    {
        watch.diverged(trial.seed, divergence);
        result.divergences.push((trial.seed, (**divergence).clone()));
    }
    if let Ended::Failed(failure) = &trial.ended
        && !result.findings.count(failure.fingerprint, trial.seed)
    {
        let token = recipe
            .is_plain()
            .then(|| SeedToken { profile: recipe.profile.clone(), seed: trial.seed });
        let finding = finding::keep(
            &recipe.system,
            &campaign.options,
            failure,
            trial.seed,
            token,
            &campaign.findings_folder,
        )?;
        watch.found(&finding);
        result.unconfirmed += u64::from(!finding.confirmed);
        result.findings.add(finding);
    }
    watch.counted(result)?;
    result.stopped = if result.findings.list().len() as u64 >= campaign.max_findings {
        Some(Stop::Findings)
    } else {
        watch.stop()
    };
    Ok(if result.stopped.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
}
