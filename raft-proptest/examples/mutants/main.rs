//! Mutants: one wrong line of the core at a time, and the tests that notice it.
//!
//! `cargo run --release -p raft-proptest --example mutants --no-default-features -- --help`
//!
//! **Intuition.** A test shows something only if it fails when that is not so. Each mutant of the
//! list breaks one rule in one line; the scripts run against it, and where none fails, the unit
//! tests. What survives is a rule that nothing guards, and a script that dies under no mutant
//! guards nothing that the list knows of.
//! **Source.** Ours; mutation testing with a list made by hand instead of by a tool.
//! **Upholds.** None in the protocol: the teeth of its tests.
//! **Not here.** The list (`raft-core/testdata/mutants/`), planted bugs under simulation
//! (`raft-sim/zoo/`).

mod bench;
mod list;
mod report;
mod schema;
mod scratch;
mod state;
mod weaver;

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use bench::Bench;
use list::{List, Mutant};
use state::{Fate, Record, State};

const HELP: &str = "\
Weaves the mutants of the list into a copy of the workspace, builds it once, and runs the scripts and
unit tests of raft-core there with one of them on at a time. Can be interrupted: what is recorded for
the same source is not run again.

  --list PATH       a list, or a folder of lists        [raft-core/testdata/mutants]
  --only WORD,…     mutants of these areas or ids       [all]
  --state FILE      what is known, a line for each      [target/mutants.jsonl]
  --scratch FOLDER  the copy and its build              [target/mutants]
  --jobs N          cores to build and test on          [1]
  --limit SECONDS   of tests against one mutant         [60]
  --skip WORD,…     leave tests out whose name holds it; not with --markdown
  --again           run also what is recorded
  --retry           run again what survived
  --report          run nothing
  --markdown FILE   write the report there too
";

struct Args {
    list: PathBuf,
    only: Vec<String>,
    state: PathBuf,
    scratch: PathBuf,
    jobs: u32,
    limit_s: u64,
    skip: Vec<String>,
    again: bool,
    retry: bool,
    report: bool,
    markdown: Option<PathBuf>,
}

impl Args {
    /// `None` if only help was asked for.
    fn parse(root: &Path) -> Result<Option<Self>, String> {
        let target =
            env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
        let mut args = Self {
            list: root.join("raft-core/testdata/mutants"),
            only: Vec::new(),
            state: target.join("mutants.jsonl"),
            scratch: target.join("mutants"),
            jobs: 1,
            limit_s: 60,
            skip: Vec::new(),
            again: false,
            retry: false,
            report: false,
            markdown: None,
        };
        let mut words = env::args().skip(1);
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or(format!("{word} needs a value"));
            match word.as_str() {
                "--list" => args.list = value()?.into(),
                "--only" => args.only.extend(value()?.split(',').map(str::to_owned)),
                "--state" => args.state = value()?.into(),
                "--scratch" => args.scratch = value()?.into(),
                "--jobs" => args.jobs = number(&value()?)?,
                "--limit" => args.limit_s = u64::from(number(&value()?)?),
                "--skip" => args.skip.extend(value()?.split(',').map(str::to_owned)),
                "--again" => args.again = true,
                "--retry" => args.retry = true,
                "--report" => args.report = true,
                "--markdown" => args.markdown = Some(value()?.into()),
                "--help" | "-h" => return Ok(None),
                other => return Err(format!("{other} is no option\n\n{HELP}")),
            }
        }
        if args.markdown.is_some() && !args.skip.is_empty() {
            return Err("a page is written of all tests, not with --skip".to_owned());
        }
        Ok(Some(args))
    }

    fn wants(&self, mutant: &Mutant) -> bool {
        self.only.is_empty() || self.only.iter().any(|w| *w == mutant.area || *w == mutant.id)
    }
}

fn number(text: &str) -> Result<u32, String> {
    let found = text.parse::<u32>().ok().filter(|number| *number > 0);
    found.ok_or(format!("{text} is no number above 0"))
}

fn run() -> Result<bool, String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let Some(args) = Args::parse(&root)? else {
        print!("{HELP}");
        return Ok(true);
    };
    let list = List::read(&args.list)?;
    for word in &args.only {
        if !list.mutants.iter().any(|m| m.area == *word || m.id == *word) {
            return Err(format!("{word} is neither an area nor a mutant of the list"));
        }
    }
    list.check(&root)?;
    weaver::check(&root, &list.mutants)?;
    let mut state = State::read(&args.state)?;
    let wanted: Vec<&Mutant> = list.mutants.iter().filter(|mutant| args.wants(mutant)).collect();
    if !args.report {
        execute(&root, &args, &list, &wanted, &mut state)?;
    }
    let known = wanted.iter().map(|mutant| (*mutant, state.of(mutant, &root))).collect::<Vec<_>>();
    let scripts = report::scripts(&root)?;
    print!("{}", report::plain(&known, &scripts, args.only.is_empty()));
    if let Some(path) = &args.markdown {
        let page = report::markdown(&known, &scripts);
        fs::write(path, page).map_err(|error| format!("{}: {error}", path.display()))?;
    }
    let unexplained =
        known.iter().filter(|(mutant, record)| report::is_unexplained(mutant, *record)).count();
    Ok(unexplained == 0)
}

fn execute(
    root: &Path,
    args: &Args,
    list: &List,
    wanted: &[&Mutant],
    state: &mut State,
) -> Result<(), String> {
    let due = |mutant: &Mutant, state: &State| match state.of(mutant, root) {
        None => true,
        Some(record) => args.again || args.retry && record.fate == Fate::Survived,
    };
    let todo: Vec<&Mutant> = wanted.iter().copied().filter(|m| due(m, state)).collect();
    if todo.is_empty() {
        return Ok(());
    }
    let numbered = || (1_u32..).zip(&list.mutants);
    let is_bad = |mutant: &Mutant| {
        state.of(mutant, root).is_some_and(|record| record.fate == Fate::DoesNotCompile)
    };
    let bad: Vec<u32> = numbered().filter(|(_, m)| is_bad(m)).map(|(number, _)| number).collect();
    // As they are woven: the sources may change while the tests run.
    let texts = todo.iter().map(|mutant| list::read(&root.join(&mutant.file)));
    let texts = texts.collect::<Result<Vec<String>, String>>()?;
    eprintln!("weaving {} mutants into one copy", list.mutants.len());
    let make = |work: &Path| Bench {
        work: work.to_owned(),
        target: args.scratch.join("target"),
        jobs: args.jobs,
        limit: Duration::from_secs(args.limit_s),
        skip: args.skip.clone(),
    };
    let copy = weaver::build(root, &args.scratch, &list.mutants, &bad, make)?;
    let (fate, by) = copy.bench.judge(&copy.programs, 0)?;
    if fate != Fate::Survived {
        return Err(format!("the tests fail without any mutant ({fate}): {}", by.join(", ")));
    }
    let total = todo.len();
    for (at, (mutant, text)) in todo.into_iter().zip(texts).enumerate() {
        let number = numbered().find(|(_, other)| *other == mutant).map_or(0, |(number, _)| number);
        let (fate, by) = if copy.left_out.contains(&number) {
            (Fate::DoesNotCompile, Vec::new())
        } else {
            copy.bench.judge(&copy.programs, number)?
        };
        eprintln!("{}/{total} {} {}: {fate} ({})", at + 1, mutant.area, mutant.id, by.len());
        state.add(Record::new(mutant, &text, fate, by))?;
    }
    Ok(())
}

fn main() -> ExitCode {
    match run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("mutants: {error}");
            ExitCode::from(2)
        }
    }
}
