//! `check --measure`: what checks of generated histories cost, as a table.
//!
//! **Intuition.** The same shapes at ten times the size should cost ten times as much. Histories
//! are linearizable by construction, so any other verdict than ok or unknown is our own mistake.
//! **Source.** Ours.
//! **Upholds.** —
//! **Not here.** The histories (`lin/generate.rs`).

use std::fs;

use serde_json::{Value, json};

use crate::{
    cli::{args::CheckArgs, error::CliError, exit::Exit, print, progress::Stopwatch},
    lin::{
        Budget, Verdict, check, check_model,
        generate::{Calls, Shape, linearizable},
        history::Operation,
        models::kv::Kv,
    },
};

const BEGIN: &str =
    "<!-- measured: written by `raft-sim check --measure 1000000 --write docs/CHECKER.md` -->\n";
const END: &str = "<!-- end of measured -->\n";
const HEAD: &str = "| operations | clients | calls | values | unknown | history | witness | \
                    without | by | counted |\n| ---: | ---: | --- | --- | --- | ---: | ---: | \
                    ---: | --- | ---: |\n";

struct Row {
    shape: Shape,
    history_mib: u64,
    witness_ms: u64,
    without_ms: u64,
    by: String,
    counted_mib: u64,
}

/// Measures every shape up to `most` operations.
///
/// # Errors
/// Output that cannot be written; a document without the markers.
pub(super) fn run(
    args: &CheckArgs,
    most: u64,
    budget: &Budget,
    time_ms: u64,
) -> Result<Exit, CliError> {
    let mut rows = Vec::new();
    let mut exit = Exit::Clean;
    for shape in shapes(most) {
        let row = measure(shape, budget, time_ms)?;
        if row.by.contains("unknown") {
            exit = Exit::Inconclusive;
        }
        if !args.output.quiet {
            print::note(line(&row).trim_end());
        }
        rows.push(row);
    }
    if rows.is_empty() {
        return Ok(Exit::Vacuous);
    }
    let table: String = HEAD.to_owned() + &rows.iter().map(line).collect::<String>();
    match &args.write {
        Some(path) => {
            let text = fs::read_to_string(path).map_err(|error| CliError::Unreadable {
                path: path.clone(),
                why: error.to_string(),
            })?;
            let marked = text
                .split_once(BEGIN)
                .and_then(|(before, rest)| rest.split_once(END).map(|(_, after)| (before, after)));
            let Some((before, after)) = marked else {
                let why = format!("no lines {:?} and {:?}", BEGIN.trim_end(), END.trim_end());
                return Err(CliError::Malformed { path: path.clone(), why });
            };
            super::write_file(path, &format!("{before}{BEGIN}\n{table}\n{END}{after}"))?;
        }
        None if args.output.json => {
            let rows: Vec<Value> = rows.iter().map(to_json).collect();
            print::result(&format!("{:#}", json!({ "rows": rows })))?;
        }
        None => print::result(table.trim_end())?,
    }
    Ok(exit)
}

/// From small to large; at most `most` operations.
fn shapes(most: u64) -> Vec<Shape> {
    let mut shapes = Vec::new();
    for operations in [1_000, 10_000, 100_000, 1_000_000] {
        for clients in [5, 10, 20] {
            for calls in [Calls::Register, Calls::CasRegister] {
                for values in [None, Some(5), Some(100)] {
                    for unknown_one_in in [None, Some(100)] {
                        shapes.push(Shape {
                            operations,
                            clients,
                            keys: 1,
                            calls,
                            values,
                            unknown_one_in,
                        });
                    }
                }
            }
        }
    }
    shapes.retain(|shape| shape.operations as u64 <= most);
    shapes
}

fn measure(shape: Shape, budget: &Budget, time_ms: u64) -> Result<Row, CliError> {
    let mut history = linearizable(1, &shape);
    let internal = |what: &str| CliError::Internal(format!("{what}, on {shape:?}"));
    let watch = Stopwatch::start();
    let report = check(&history, budget).map_err(|error| internal(&error.to_string()))?;
    let witness_ms = watch.millis();
    if !matches!(report.verdict, Verdict::Ok { .. }) {
        return Err(internal("a good witness was not verified"));
    }
    for operation in &mut history {
        operation.index = None;
    }
    let watch = Stopwatch::start();
    let mut stop = || watch.millis() >= time_ms;
    let report = check_model(&Kv, &history, budget, &mut stop)
        .map_err(|error| internal(&error.to_string()))?;
    let without_ms = watch.millis();
    let by = match report.verdict {
        Verdict::Ok { how } => super::how_name(how).to_owned(),
        Verdict::Illegal(_) => return Err(internal("a good history was called illegal")),
        Verdict::Unknown { exhausted, .. } => format!("**unknown**: {exhausted}"),
    };
    // A read's list of one value is 8 bytes on the heap.
    let history_mib = ((history.len() * (size_of::<Operation>() + 8)) >> 20) as u64;
    let counted_mib = report.bytes >> 20;
    Ok(Row { shape, history_mib, witness_ms, without_ms, by, counted_mib })
}

const fn calls_name(calls: Calls) -> &'static str {
    match calls {
        Calls::Register => "put",
        Calls::CasRegister => "put, cas",
        Calls::Append => "put, append",
        Calls::All => "all",
    }
}

fn values_name(values: Option<u64>) -> String {
    values.map_or_else(|| "unique".to_owned(), |values| format!("of {values}"))
}

fn unknown_name(one_in: Option<u64>) -> String {
    one_in.map_or_else(|| "none".to_owned(), |n| format!("1 in {n}"))
}

fn line(row: &Row) -> String {
    let Row { shape, history_mib, witness_ms, without_ms, by, counted_mib } = row;
    format!(
        "| {} | {} | {} | {} | {} | {history_mib} MiB | {witness_ms} ms | {without_ms} ms | {by} | \
         {counted_mib} MiB |\n",
        shape.operations,
        shape.clients,
        calls_name(shape.calls),
        values_name(shape.values),
        unknown_name(shape.unknown_one_in),
    )
}

fn to_json(row: &Row) -> Value {
    json!({
        "operations": row.shape.operations,
        "clients": row.shape.clients,
        "calls": calls_name(row.shape.calls),
        "values": row.shape.values,
        "unknown_one_in": row.shape.unknown_one_in,
        "history_mib": row.history_mib,
        "witness_ms": row.witness_ms,
        "without_ms": row.without_ms,
        "by": row.by,
        "counted_mib": row.counted_mib,
    })
}
