//! From samples to tables: minimum, median and maximum, ratios, and what they show.
//!
//! A ratio is taken between two runs of the same round, so that a slow moment of the machine
//! weighs on both. It shows something only if all rounds agree: a spread that covers the target
//! is reported as not shown.

use std::{fmt::Write, fs, path::Path};

use super::{
    cell::{Cell, ENTRIES},
    costs::Cost,
    host,
    systems::System,
};

/// Everything one child measured, by system, in order of rounds.
#[derive(Default)]
pub(crate) struct Samples {
    nanos: [Vec<u64>; System::ALL.len()],
    faults: [Vec<u64>; System::ALL.len()],
}

impl Samples {
    pub(crate) fn push(&mut self, system: System, nanos: u64, faults: u64) {
        self.nanos[system as usize].push(nanos);
        self.faults[system as usize].push(faults);
    }

    /// Whether every system has as many rounds.
    pub(crate) fn complete(&self) -> bool {
        let rounds = self.nanos[0].len();
        rounds > 0 && self.nanos.iter().all(|nanos| nanos.len() == rounds)
    }

    fn spread(&self, system: System) -> Spread {
        let picos = self.nanos[system as usize].iter().map(|n| n * 1_000 / ENTRIES as u64);
        Spread::of(picos.collect())
    }

    /// Ten-thousandths of `theirs` that `ours` takes, round by round.
    fn ratio(&self, ours: System, theirs: System) -> Spread {
        let pairs = self.nanos[ours as usize].iter().zip(&self.nanos[theirs as usize]);
        Spread::of(pairs.map(|(ours, theirs)| ours * 10_000 / (*theirs).max(1)).collect())
    }
}

/// Minimum, median and maximum.
#[derive(Clone, Copy)]
struct Spread {
    min: u64,
    median: u64,
    max: u64,
}

impl Spread {
    fn of(mut values: Vec<u64>) -> Self {
        values.sort_unstable();
        let at = |place: usize| values.get(place).copied().unwrap_or(0);
        Self { min: at(0), median: at(values.len() / 2), max: at(values.len().max(1) - 1) }
    }

    fn verdict(self, target: u64) -> &'static str {
        if self.max <= target {
            "shown"
        } else if self.min > target {
            "**missed**"
        } else {
            "not shown"
        }
    }

    fn show(self, number: fn(u64) -> String) -> String {
        format!("{} / {} / {}", number(self.min), number(self.median), number(self.max))
    }
}

/// Picoseconds as nanoseconds, with a digit behind the point below a hundred.
fn nanoseconds(picos: u64) -> String {
    match picos {
        0..100_000 => format!("{}.{}", picos / 1_000, picos % 1_000 / 100),
        100_000..10_000_000 => format!("{}", picos / 1_000),
        _ => format!("{}.{:02} ms", picos / 1_000_000_000, picos % 1_000_000_000 / 10_000_000),
    }
}

/// Ten-thousandths as a number with three digits behind the point.
fn ratio(parts: u64) -> String {
    let thousandths = (parts + 5) / 10;
    format!("{}.{:03}", thousandths / 1_000, thousandths % 1_000)
}

/// The goal of a cell against `raft` one proposal at a time, in ten-thousandths.
fn target(cell: Cell) -> u64 {
    let base = match cell.per_round {
        1 => 1_800,
        64 => 450,
        _ => 700,
    };
    let home = (cell.nodes, cell.bytes, cell.pipelined()) == (3, 16, false);
    if home { base } else { base * 3 / 2 }
}

/// All tables of one run.
pub(crate) struct Report {
    rounds: usize,
    cells: Vec<(Cell, Samples)>,
    untuned: Vec<(Cell, Samples)>,
    costs: Vec<Cost>,
}

impl Report {
    pub(crate) fn new(rounds: usize) -> Self {
        Self { rounds, cells: Vec::new(), untuned: Vec::new(), costs: Vec::new() }
    }

    pub(crate) fn add(&mut self, cell: Cell, samples: Samples) {
        self.cells.push((cell, samples));
    }

    pub(crate) fn add_untuned(&mut self, cell: Cell, samples: Samples) {
        self.untuned.push((cell, samples));
    }

    pub(crate) fn add_costs(&mut self, costs: Vec<Cost>) {
        self.costs = costs;
    }

    pub(crate) fn render(&self) -> String {
        let mut out = String::new();
        let text = &mut out;
        let _ = writeln!(text, "{}.\n", host::describe());
        let _ = writeln!(
            text,
            "Nanoseconds on a processor per committed entry of the whole cluster, {} rounds of \
             {ENTRIES} entries, systems in turn, minimum / median / maximum; the allocator keeps \
             its heap.\n",
            self.rounds
        );
        times(text, &self.cells);
        let _ = writeln!(
            text,
            "\nRatios of raft-core with its log bounded, round by round. A spread that covers the \
             target is not shown.\n"
        );
        ratios(text, &self.cells);
        if !self.untuned.is_empty() {
            let _ = writeln!(
                text,
                "\nThe same with the allocator as the system has it ({}).\n",
                faults(&self.cells, &self.untuned)
            );
            times(text, &self.untuned);
        }
        if !self.costs.is_empty() {
            text.push_str("\n| beside replication, ns | min / median / max | goal | |\n");
            text.push_str("|---|---|---|---|\n");
            for cost in &self.costs {
                let spread = Spread::of(cost.picos.clone());
                let goal = cost.goal.map_or(String::new(), nanoseconds);
                let verdict = cost.goal.map_or("", |goal| spread.verdict(goal));
                let shown = spread.show(nanoseconds);
                let _ = writeln!(text, "| {} | {shown} | {goal} | {verdict} |", cost.name);
            }
        }
        out
    }
}

fn row_name(cell: Cell) -> String {
    format!("| {} | {} B | {} |", cell.nodes, cell.bytes, cell.mode())
}

fn times(text: &mut String, cells: &[(Cell, Samples)]) {
    let names: Vec<&str> = System::ALL.into_iter().map(System::name).collect();
    let _ = writeln!(text, "| nodes | payload | a round | {} |", names.join(" | "));
    let _ = writeln!(text, "|---|---|---|{}", "---|".repeat(names.len()));
    for (cell, samples) in cells {
        text.push_str(&row_name(*cell));
        for system in System::ALL {
            let _ = write!(text, " {} |", samples.spread(system).show(nanoseconds));
        }
        text.push('\n');
    }
}

fn ratios(text: &mut String, cells: &[(Cell, Samples)]) {
    text.push_str(
        "| nodes | payload | a round | to raft, one at a time | goal | | to raft, batched | \
         ahead | to noraft | ahead |\n|---|---|---|---|---|---|---|---|---|---|\n",
    );
    for (cell, samples) in cells {
        let to = |theirs| samples.ratio(System::OursBounded, theirs);
        let single = to(System::RaftRsSingle);
        let goal = target(*cell);
        let _ = write!(
            text,
            "{} {} | {} | {} |",
            row_name(*cell),
            single.show(ratio),
            ratio(goal),
            single.verdict(goal)
        );
        for theirs in [System::RaftRsBatched, System::Noraft] {
            let spread = to(theirs);
            // Ahead means below it, not level with it.
            let _ = write!(text, " {} | {} |", spread.show(ratio), spread.verdict(9_999));
        }
        text.push('\n');
    }
}

/// Page faults of a median run of ours, kept and not: the proof that the heap was kept.
fn faults(kept: &[(Cell, Samples)], untuned: &[(Cell, Samples)]) -> String {
    let median = |cells: &[(Cell, Samples)]| {
        let ours = System::OursKept as usize;
        let all = cells.iter().filter(|(cell, _)| (cell.nodes, cell.bytes) == (3, 16));
        Spread::of(all.flat_map(|(_, samples)| samples.faults[ours].clone()).collect()).median
    };
    format!("{} page faults a run of \"log kept\" instead of {}", median(untuned), median(kept))
}

const BEGIN: &str =
    "<!-- peers: written by `cargo bench -p raft-core --bench peers -- --write` -->\n";
const END: &str = "<!-- peers: end -->\n";

/// Puts `text` between the markers of README.md.
pub(crate) fn write_readme(text: &str) -> Result<(), String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../README.md");
    let page = fs::read_to_string(&path).map_err(|e| format!("README.md: {e}"))?;
    let found = page.split_once(BEGIN).and_then(|(before, rest)| {
        let (_, after) = rest.split_once(END)?;
        Some(format!("{before}{BEGIN}\n{}\n\n{END}{after}", text.trim_end()))
    });
    let page = found.ok_or("README.md has no markers for the table")?;
    fs::write(&path, page).map_err(|e| format!("README.md: {e}"))
}
