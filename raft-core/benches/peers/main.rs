//! This core beside `raft` 0.7 and `noraft` 0.7: nanoseconds per committed entry.
//!
//! One leader, storage in memory that acknowledges at once, every machine applies every entry.
//! Systems take turns within a cell, so that whatever else the machine does hits all of them; the
//! parent starts one child process a cell, with the allocator told to keep its heap, because
//! returning it to the system between runs costs more than consensus does. Everything is integer
//! arithmetic on nanoseconds.
//!
//! ```text
//! cargo bench -p raft-core --bench peers                  the table, under five minutes
//! cargo bench -p raft-core --bench peers -- --write       and into README.md
//! cargo bench -p raft-core --bench peers -- --rounds 11   more rounds
//! cargo bench -p raft-core --bench peers -- --only 3/16/64
//! cargo bench -p raft-core --bench peers -- --once 3/16/64 200000
//!                                                         one run of ours, for a profiler
//! ```

mod cell;
mod clock;
mod codec;
mod costs;
mod floor;
mod host;
mod noraft;
mod ours;
mod raft_rs;
mod systems;
mod table;

use std::{env, process::ExitCode};

use cell::{Cell, PIPELINE};
use host::Heap;
use systems::System;
use table::{Report, Samples};

/// Fewest rounds that are worth a table.
const ROUNDS_MIN: usize = 5;

fn cells() -> Vec<Cell> {
    let modes = [(1, 1), (64, 1), (1_024, 1), (1_024, PIPELINE)];
    let sizes = [(3, 16), (3, 256), (5, 16), (5, 256)];
    sizes
        .into_iter()
        .flat_map(|(nodes, bytes)| {
            modes.map(|(per_round, window)| Cell { nodes, bytes, per_round, window })
        })
        .collect()
}

/// `nodes/bytes/per_round`, with a `p` behind for a pipelined cell.
fn parse_cell(text: &str) -> Option<Cell> {
    let (text, window) = match text.strip_suffix('p') {
        Some(text) => (text, PIPELINE),
        None => (text, 1),
    };
    let mut parts = text.split('/').map(str::parse);
    let mut part = || parts.next()?.ok();
    let (nodes, bytes, per_round) = (part()?, part()?, part()?);
    Some(Cell { nodes, bytes, per_round, window })
}

fn cell_name(cell: Cell) -> String {
    let tail = if cell.pipelined() { "p" } else { "" };
    format!("{}/{}/{}{tail}", cell.nodes, cell.bytes, cell.per_round)
}

struct Arguments {
    write: bool,
    rounds: usize,
    only: Option<Cell>,
}

fn parse(mut rest: impl Iterator<Item = String>) -> Result<Arguments, String> {
    let mut out = Arguments { write: false, rounds: ROUNDS_MIN, only: None };
    while let Some(argument) = rest.next() {
        let mut value = || rest.next().ok_or(format!("{argument} wants a value"));
        match argument.as_str() {
            // Cargo says so to every bench.
            "--bench" => {}
            "--write" => out.write = true,
            "--rounds" => {
                let rounds = value()?.parse().map_err(|_| "--rounds wants a number")?;
                out.rounds = ROUNDS_MIN.max(rounds);
            }
            "--only" => {
                let cell = value()?;
                out.only = Some(parse_cell(&cell).ok_or("--only wants nodes/bytes/per_round")?);
            }
            other => return Err(format!("unknown argument {other}; see the head of main.rs")),
        }
    }
    if out.write && out.only.is_some() {
        return Err(String::from("--write wants the whole table"));
    }
    Ok(out)
}

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).filter(|a| a != "--bench").collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match words.as_slice() {
        ["--child", cell, rounds] => child(cell, rounds),
        ["--child-costs", rounds] => child_costs(rounds),
        ["--once", cell, entries] => once(cell, entries),
        _ => parse(arguments.iter().cloned()).and_then(|arguments| parent(&arguments)),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("peers: {message}");
            ExitCode::from(2)
        }
    }
}

/// One process, one cell: every system once a round, one round not counted.
fn child(cell: &str, rounds: &str) -> Result<(), String> {
    let cell = parse_cell(cell).ok_or("no such cell")?;
    let rounds: usize = rounds.parse().map_err(|_| "rounds is a number")?;
    for round in 0..=rounds {
        for system in System::ALL {
            let before = host::page_faults();
            let nanos = system.run(cell);
            let faults = host::page_faults().saturating_sub(before);
            if round > 0 {
                println!("sample\t{}\t{nanos}\t{faults}", system.name());
            }
        }
    }
    Ok(())
}

fn child_costs(rounds: &str) -> Result<(), String> {
    let rounds: usize = rounds.parse().map_err(|_| "rounds is a number")?;
    for cost in costs::all(rounds) {
        let goal = cost.goal.map_or(String::from("-"), |goal| goal.to_string());
        let picos: Vec<String> = cost.picos.iter().map(u64::to_string).collect();
        println!("cost\t{}\t{goal}\t{}", cost.name, picos.join(" "));
    }
    Ok(())
}

/// Entries between two pauses of [`once`].
const LAP: usize = 20_480;

/// One run of ours and nothing else, for a profiler or an instruction counter. Payloads are made
/// lap by lap, so that a long run asks the allocator for the same as a short one, only more often.
fn once(cell: &str, entries: &str) -> Result<(), String> {
    let cell = parse_cell(cell).ok_or("no such cell")?;
    let entries: usize = entries.parse().map_err(|_| "entries is a number")?;
    let mut cluster = ours::Cluster::elected(cell.nodes, ours::LOG_BOUND, ours::Shared);
    let mut expected = cell::Machine::default();
    for lap in (0..entries).step_by(LAP) {
        let payloads = cell::payloads(LAP.min(entries - lap), cell.bytes);
        payloads.iter().for_each(|payload| expected.apply(payload));
        cluster.run(payloads, cell.per_round, cell.window);
    }
    assert_eq!(cluster.machines(), vec![expected; cell.nodes], "all apply the same");
    Ok(())
}

fn run_child(cell: Cell, rounds: usize, heap: Heap) -> Result<Samples, String> {
    let rounds = rounds.to_string();
    let lines = host::run_self(&["--child", &cell_name(cell), &rounds], heap)?;
    let mut samples = Samples::default();
    for line in lines.lines() {
        let mut fields = line.split('\t');
        let (Some("sample"), Some(name)) = (fields.next(), fields.next()) else { continue };
        let system = System::named(name).ok_or(format!("no system {name}"))?;
        let mut number = || fields.next().and_then(|field| field.parse::<u64>().ok());
        let (Some(nanos), Some(faults)) = (number(), number()) else {
            return Err(format!("a child said {line:?}"));
        };
        samples.push(system, nanos, faults);
    }
    samples.complete().then_some(samples).ok_or(String::from("a child said too little"))
}

fn run_costs(rounds: usize) -> Result<Vec<costs::Cost>, String> {
    let lines = host::run_self(&["--child-costs", &rounds.to_string()], Heap::Kept)?;
    let parse = |line: &str| {
        let fields: Vec<&str> = line.split('\t').collect();
        let ["cost", name, goal, picos] = fields.as_slice() else { return None };
        let picos = picos.split(' ').map(str::parse).collect::<Result<_, _>>().ok()?;
        Some(costs::Cost { name: (*name).into(), picos, goal: goal.parse().ok() })
    };
    Ok(lines.lines().filter_map(parse).collect())
}

fn parent(arguments: &Arguments) -> Result<(), String> {
    let mut report = Report::new(arguments.rounds);
    let cells = arguments.only.map_or_else(cells, |cell| vec![cell]);
    for cell in cells {
        eprintln!("cell {}", cell_name(cell));
        report.add(cell, run_child(cell, arguments.rounds, Heap::Kept)?);
        if (cell.nodes, cell.bytes) == (3, 16) {
            report.add_untuned(cell, run_child(cell, arguments.rounds, Heap::AsItIs)?);
        }
    }
    if arguments.only.is_none() {
        eprintln!("costs beside replication");
        report.add_costs(run_costs(arguments.rounds)?);
    }
    let text = report.render();
    println!("{text}");
    if arguments.write { table::write_readme(&text) } else { Ok(()) }
}
