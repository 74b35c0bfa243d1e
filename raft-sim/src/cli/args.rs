//! Arguments as typed: one definition gives the parser, `--help` and the environment variables.
//!
//! **Intuition.** The same flag is spelled the same in every command, because it is one struct.
//! Every flag can also be given as `RAFT_SIM_` and its name in capitals.
//! **Source.** docs/CLI.md; a test holds the two together.
//! **Upholds.** —
//! **Not here.** What they mean (`resolve.rs`).

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, builder::FalseyValueParser};

/// Runs clusters of a Raft under faults from seeds, checks invariants after every event and
/// linearizability of what clients saw.
#[derive(Debug, Parser)]
#[command(name = "raft-sim", version, about, max_term_width = 100, arg_required_else_help = true)]
pub struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// One run, told as a story.
    Run(RunArgs),
    /// Many seeds; failures are deduplicated, confirmed and written as schedule, trace and story.
    Fuzz(FuzzArgs),
    /// Re-run schedules or traces and compare, event by event.
    Replay(ReplayArgs),
    /// Check histories for linearizability.
    Check(CheckArgs),
    /// Determinism and environment.
    Doctor(DoctorArgs),
    /// Show that each oracle catches the bug planted for it.
    Selftest(SelftestArgs),
    /// Events per second with oracles none, safety and all.
    Bench(BenchArgs),
    /// Apply bug patches to a copy of the tree, build it, and fuzz until each is found.
    Zoo(ZooArgs),
    /// Digests of seeds, one a line; `doctor --fresh` reads them from a process of its own.
    #[command(hide = true)]
    Digest(DigestArgs),
}

/// What is tested, and under which plans.
#[derive(Clone, Debug, Args)]
pub struct PlanArgs {
    /// System under test; the first one if not given.
    #[arg(long, env = "RAFT_SIM_SYSTEM", value_name = "NAME")]
    pub system: Option<String>,
    /// Profile of the plans.
    #[arg(long, env = "RAFT_SIM_PROFILE", value_name = "NAME")]
    pub profile: Option<String>,
    /// Set one field of every plan, such as axis.loss=0.1 or knobs.pre_vote=false.
    #[arg(long = "set", env = "RAFT_SIM_SET", value_name = "FIELD=VALUE", value_delimiter = ',')]
    pub settings: Vec<String>,
    /// Exactly these fault axes are on.
    #[arg(long, env = "RAFT_SIM_ONLY", value_name = "AXIS", value_delimiter = ',')]
    pub only: Vec<String>,
    /// These fault axes are off.
    #[arg(long, env = "RAFT_SIM_WITHOUT", value_name = "AXIS", value_delimiter = ',')]
    pub without: Vec<String>,
    /// These oracles are off.
    #[arg(long, env = "RAFT_SIM_WITHOUT_ORACLE", value_name = "ID", value_delimiter = ',')]
    pub without_oracle: Vec<String>,
}

/// Which seeds.
#[derive(Clone, Debug, Args)]
pub struct SeedArgs {
    /// First seed: decimal, 0x hex, a seed token, a 40-digit git hash, or `random`.
    #[arg(long, env = "RAFT_SIM_SEED", value_name = "SEED", conflicts_with = "seeds")]
    pub seed: Option<String>,
    /// Seeds from A up to, not including, B.
    #[arg(long, env = "RAFT_SIM_SEEDS", value_name = "A..B", conflicts_with = "runs")]
    pub seeds: Option<String>,
    /// How many seeds; 1000 if neither this nor a time or range is given.
    #[arg(long, env = "RAFT_SIM_RUNS", value_name = "N")]
    pub runs: Option<u64>,
    /// Stop after this long, such as 90s, 10m or 2h.
    #[arg(long, env = "RAFT_SIM_TIME", value_name = "DURATION")]
    pub time: Option<String>,
}

/// How results are told.
#[derive(Clone, Debug, Args)]
pub struct OutputArgs {
    /// Print the report as JSON on stdout; everything for people goes to stderr.
    #[arg(long, env = "RAFT_SIM_JSON", value_parser = FalseyValueParser::new())]
    pub json: bool,
    /// No progress and no summary; failures are still told.
    #[arg(long, short, env = "RAFT_SIM_QUIET", value_parser = FalseyValueParser::new())]
    pub quiet: bool,
}

/// `run`.
#[derive(Clone, Debug, Args)]
pub struct RunArgs {
    /// Seed: decimal, 0x hex, a seed token, a 40-digit git hash, or `random`.
    #[arg(long, env = "RAFT_SIM_SEED", value_name = "SEED")]
    pub seed: Option<String>,
    #[command(flatten)]
    #[allow(missing_docs, reason = "a flattened struct's text would become help text")]
    pub plan: PlanArgs,
    /// Print every event of the trace.
    #[arg(long, short, env = "RAFT_SIM_VERBOSE", value_parser = FalseyValueParser::new())]
    pub verbose: bool,
    /// Write schedule.json, trace.jsonl, history.jsonl and story.txt into this folder.
    #[arg(long, env = "RAFT_SIM_OUT", value_name = "DIR")]
    pub out: Option<PathBuf>,
    #[command(flatten)]
    #[allow(missing_docs, reason = "a flattened struct's text would become help text")]
    pub output: OutputArgs,
}

/// `fuzz`.
#[derive(Clone, Debug, Args)]
pub struct FuzzArgs {
    #[command(flatten)]
    #[allow(missing_docs, reason = "a flattened struct's text would become help text")]
    pub seeds: SeedArgs,
    #[command(flatten)]
    #[allow(missing_docs, reason = "a flattened struct's text would become help text")]
    pub plan: PlanArgs,
    /// Worker threads; all cores if not given. Results do not depend on it.
    #[arg(long, short, env = "RAFT_SIM_JOBS", value_name = "N")]
    pub jobs: Option<usize>,
    /// Stop after this many different findings.
    #[arg(long, env = "RAFT_SIM_MAX_FINDINGS", value_name = "N", default_value_t = 20)]
    pub max_findings: u64,
    /// Stop at the first finding.
    #[arg(long, env = "RAFT_SIM_FAIL_FAST", value_parser = FalseyValueParser::new())]
    pub fail_fast: bool,
    /// Write report.json and findings/ into this folder.
    #[arg(long, env = "RAFT_SIM_OUT", value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Accept a campaign that reached too little; campaigns below 200 runs always are accepted.
    #[arg(long, env = "RAFT_SIM_NO_VACUITY_GATE", value_parser = FalseyValueParser::new())]
    pub no_vacuity_gate: bool,
    /// Do not run any seed twice to compare.
    #[arg(long, env = "RAFT_SIM_NO_DETERMINISM_CHECK", value_parser = FalseyValueParser::new())]
    pub no_determinism_check: bool,
    #[command(flatten)]
    #[allow(missing_docs, reason = "a flattened struct's text would become help text")]
    pub output: OutputArgs,
}

/// `replay`.
#[derive(Clone, Debug, Args)]
pub struct ReplayArgs {
    /// Schedules, traces, or folders of them.
    #[arg(required = true, value_name = "FILE or DIR")]
    pub files: Vec<PathBuf>,
    /// System to replay on; the one the file names if not given.
    #[arg(long, env = "RAFT_SIM_SYSTEM", value_name = "NAME")]
    pub system: Option<String>,
    /// A trace that does not match exactly, or a decision that does not apply, is a failure.
    #[arg(long, env = "RAFT_SIM_STRICT", value_parser = FalseyValueParser::new())]
    pub strict: bool,
    /// These oracles are off.
    #[arg(long, env = "RAFT_SIM_WITHOUT_ORACLE", value_name = "ID", value_delimiter = ',')]
    pub without_oracle: Vec<String>,
    #[command(flatten)]
    #[allow(missing_docs, reason = "a flattened struct's text would become help text")]
    pub output: OutputArgs,
}

/// `check`.
#[derive(Clone, Debug, Args)]
pub struct CheckArgs {
    /// Histories: JSON lines (docs/TRACE.md), jepsen logs, EDN, Porcupine, Elle.
    #[arg(required_unless_present_any = ["twin", "measure"], value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// What the operations mean; recognised from their names if not given.
    #[arg(long, env = "RAFT_SIM_MODEL", value_name = "NAME")]
    pub model: Option<String>,
    /// How the history is written; recognised from the content if not given.
    #[arg(long, env = "RAFT_SIM_FORMAT", value_name = "NAME")]
    pub format: Option<String>,
    /// What is asked of it: linearizable, or a weaker level.
    #[arg(long, env = "RAFT_SIM_LEVEL", value_name = "NAME", default_value = "linearizable")]
    pub level: String,
    /// Give a file up as unknown after this long, such as 90s or 10m.
    #[arg(long, env = "RAFT_SIM_TIME", value_name = "DURATION", default_value = "10s")]
    pub time: String,
    /// Give a key up as unknown after this many situations.
    #[arg(long, env = "RAFT_SIM_CONFIGURATIONS", value_name = "N", default_value_t = 5_000_000)]
    pub configurations: u64,
    /// Give a key up as unknown after this many MiB as counted by the search.
    #[arg(long, env = "RAFT_SIM_MEMORY", value_name = "MIB", default_value_t = 512)]
    pub memory: u64,
    /// Show a few operations that are enough for a violation, and why nothing works.
    #[arg(long, env = "RAFT_SIM_EXPLAIN", value_parser = FalseyValueParser::new())]
    pub explain: bool,
    /// Write the explanation of the first violation as a page into this file.
    #[arg(long, env = "RAFT_SIM_HTML", value_name = "FILE")]
    pub html: Option<PathBuf>,
    /// Check nothing; print the one history in another format.
    #[arg(long, env = "RAFT_SIM_CONVERT", value_name = "FORMAT", conflicts_with_all = ["html", "explain", "json", "twin", "measure"])]
    pub convert: Option<String>,
    /// Compare the checker with brute force on this many random small histories.
    #[arg(long, env = "RAFT_SIM_TWIN", value_name = "N", conflicts_with_all = ["files", "measure"])]
    pub twin: Option<u64>,
    /// Worker threads of the comparison; all cores if not given. Results do not depend on it.
    #[arg(long, short, env = "RAFT_SIM_JOBS", value_name = "N")]
    pub jobs: Option<usize>,
    /// Measure the checker on generated histories of up to this many operations.
    #[arg(long, env = "RAFT_SIM_MEASURE", value_name = "N", conflicts_with = "files")]
    pub measure: Option<u64>,
    /// Write the measured table into this document, between its markers.
    #[arg(long, env = "RAFT_SIM_WRITE", value_name = "FILE", requires = "measure")]
    pub write: Option<PathBuf>,
    #[command(flatten)]
    #[allow(missing_docs, reason = "a flattened struct's text would become help text")]
    pub output: OutputArgs,
}

/// `doctor`.
#[derive(Clone, Debug, Args)]
pub struct DoctorArgs {
    #[command(flatten)]
    #[allow(missing_docs, reason = "a flattened struct's text would become help text")]
    pub plan: PlanArgs,
    /// Compare with a process of its own as well: catches address and hash-seed leaks.
    #[arg(long, env = "RAFT_SIM_FRESH", value_parser = FalseyValueParser::new())]
    pub fresh: bool,
    /// How many seeds.
    #[arg(long, env = "RAFT_SIM_RUNS", value_name = "N", default_value_t = 20)]
    pub runs: u64,
    #[command(flatten)]
    #[allow(missing_docs, reason = "a flattened struct's text would become help text")]
    pub output: OutputArgs,
}

/// `selftest`.
#[derive(Clone, Debug, Args)]
pub struct SelftestArgs {
    /// Only bugs whose name contains this.
    #[arg(value_name = "BUG")]
    pub bugs: Vec<String>,
    /// Give up on a bug after this many seeds.
    #[arg(long, env = "RAFT_SIM_RUNS", value_name = "N", default_value_t = 2_000)]
    pub runs: u64,
    /// Profile of the plans.
    #[arg(long, env = "RAFT_SIM_PROFILE", value_name = "NAME", default_value = "default")]
    pub profile: String,
    /// Worker threads; all cores if not given.
    #[arg(long, short, env = "RAFT_SIM_JOBS", value_name = "N")]
    pub jobs: Option<usize>,
    #[command(flatten)]
    #[allow(missing_docs, reason = "a flattened struct's text would become help text")]
    pub output: OutputArgs,
}

/// `bench`.
#[derive(Clone, Debug, Args)]
pub struct BenchArgs {
    #[command(flatten)]
    #[allow(missing_docs, reason = "a flattened struct's text would become help text")]
    pub plan: PlanArgs,
    /// How many seeds, from 0.
    #[arg(long, env = "RAFT_SIM_RUNS", value_name = "N", default_value_t = 200)]
    pub runs: u64,
    #[command(flatten)]
    #[allow(missing_docs, reason = "a flattened struct's text would become help text")]
    pub output: OutputArgs,
}

/// `zoo`.
#[derive(Clone, Debug, Args)]
pub struct ZooArgs {
    /// Only patches whose id contains this.
    #[arg(value_name = "PATCH")]
    pub patches: Vec<String>,
    /// The workspace to copy.
    #[arg(long, env = "RAFT_SIM_TREE", value_name = "DIR", default_value = ".")]
    pub tree: PathBuf,
    /// Folder of the patches; raft-sim/zoo of the tree if not given.
    #[arg(long, env = "RAFT_SIM_ZOO", value_name = "DIR")]
    pub zoo: Option<PathBuf>,
    /// Folder for copy, build and logs, kept between calls.
    #[arg(long, env = "RAFT_SIM_WORK", value_name = "DIR")]
    pub work: Option<PathBuf>,
    /// Apply the patches and stop: shows that every anchor still matches.
    #[arg(long, env = "RAFT_SIM_DRY_RUN", value_parser = FalseyValueParser::new())]
    pub dry_run: bool,
    /// Worker threads of each campaign; all cores if not given.
    #[arg(long, short, env = "RAFT_SIM_JOBS", value_name = "N")]
    pub jobs: Option<usize>,
    #[command(flatten)]
    #[allow(missing_docs, reason = "a flattened struct's text would become help text")]
    pub output: OutputArgs,
}

/// `digest`.
#[derive(Clone, Debug, Args)]
pub struct DigestArgs {
    #[command(flatten)]
    #[allow(missing_docs, reason = "a flattened struct's text would become help text")]
    pub plan: PlanArgs,
    /// How many seeds, from 0.
    #[arg(long, default_value_t = 20)]
    pub runs: u64,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::Arguments;

    #[test]
    fn the_definition_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn every_flag_is_an_environment_variable_of_its_name() {
        for command in Arguments::command().get_subcommands().filter(|c| !c.is_hide_set()) {
            for flag in command.get_arguments().filter(|a| a.get_long().is_some()) {
                let long = flag.get_long().unwrap();
                if ["help", "version"].contains(&long) {
                    continue;
                }
                let expected = format!("RAFT_SIM_{}", long.replace('-', "_").to_uppercase());
                let env = flag.get_env().map(|env| env.to_string_lossy().into_owned());
                assert_eq!(
                    env.as_deref(),
                    Some(expected.as_str()),
                    "{} --{long}",
                    command.get_name()
                );
            }
        }
    }
}
