//! `report.json`: the campaign for tools.
//!
//! **Intuition.** Every figure that anyone is asked for is a field here. Fields are only ever
//! added; a reader ignores those it does not know.
//! **Source.** docs/TRACE.md is normative.
//! **Upholds.** —
//! **Not here.** Words for people (`text.rs`).

use serde_json::{Map, Value, json};

use crate::{
    cli::{
        exit::Exit,
        progress::{per_second, seconds},
    },
    fault::plan::Axis,
    fuzz::{
        Campaign, CampaignResult, Stop, divergence::Divergence, finding::Finding,
        percentile::Histogram, trial::Cause,
    },
    oracle::{OracleId, sometimes::Mark},
    random::token::GENERATOR,
    report::summary::Summary,
};

/// Version of the report's format. Readers refuse another.
pub const VERSION: u32 = 1;

/// The report of a campaign that has taken `wall_ms` so far.
#[must_use]
pub fn report(campaign: &Campaign, result: &CampaignResult, wall_ms: u64, program: &str) -> Value {
    let sums = &result.summary;
    let recipe = &campaign.recipe;
    json!({
        "format": "raft-sim-report",
        "version": VERSION,
        "complete": result.complete,
        "stopped": result.stopped.map(stopped),
        "exit": { "code": result.exit().code(), "name": result.exit().name() },
        "versions": {
            "simulator": env!("CARGO_PKG_VERSION"),
            "generator": GENERATOR,
            "system": recipe.system.name,
            "system_version": recipe.system.version,
        },
        "plan": {
            "profile": recipe.profile,
            "only": recipe.axes.only.iter().map(|axis| axis.name()).collect::<Vec<_>>(),
            "without": recipe.axes.without.iter().map(|axis| axis.name()).collect::<Vec<_>>(),
            "set": recipe.settings.iter()
                .map(|s| format!("{}={}", s.path, s.value)).collect::<Vec<_>>(),
            "without_oracle": campaign.options.without.iter()
                .map(|id| id.name()).collect::<Vec<_>>(),
        },
        "seeds": sums.seeds.intervals().iter().map(|i| [i.start, i.end]).collect::<Vec<_>>(),
        "runs": sums.runs,
        "failed": sums.failed,
        "excused": sums.excused,
        "excuses": sums.excuses,
        "inconclusive": sums.inconclusive,
        "internal": sums.internal,
        "first_internal": sums.first_internal,
        "strata": sums.strata,
        "wall_s": decimal(&seconds(wall_ms)),
        "events": sums.events,
        "events_per_s": per_second(sums.events, wall_ms),
        "runs_per_s": per_second(sums.runs, wall_ms),
        "virtual_s": u64::try_from(sums.virtual_ns / 1_000_000_000).unwrap_or(u64::MAX),
        "per_run": per_run(sums),
        "axes": axes(sums),
        "oracles": OracleId::ALL.iter().zip(&sums.checks)
            .map(|(id, checks)| (id.name().to_owned(), json!({ "checks": checks })))
            .collect::<Map<_, _>>(),
        "marks": marks(sums),
        "lin": {
            "witness": sums.lin.witness,
            "search": sums.lin.search,
            "unknown": sums.lin.unknown,
            "skipped": sums.lin.skipped,
        },
        "determinism": {
            "rechecked": sums.rechecked,
            "diverged": sums.diverged,
            "divergences": result.divergences.iter()
                .map(|(seed, at)| divergence(*seed, at)).collect::<Vec<_>>(),
        },
        "vacuous": result.vacuous.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "findings": result.findings.list().iter()
            .map(|found| finding(found, program)).collect::<Vec<_>>(),
    })
}

const fn stopped(stop: Stop) -> &'static str {
    match stop {
        Stop::Time => "time",
        Stop::Findings => "findings",
        Stop::Signal(Exit::Terminated) => "sigterm",
        Stop::Signal(_) => "sigint",
    }
}

/// A decimal number of seconds without going through a float; `Null` cannot happen.
#[must_use]
pub fn decimal(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or(Value::Null)
}

/// The usual percentiles.
#[must_use]
pub fn percentiles(h: &Histogram) -> Value {
    json!({
        "p10": h.percentile(10),
        "p50": h.percentile(50),
        "p90": h.percentile(90),
        "max": h.max(),
    })
}

fn per_run(sums: &Summary) -> Value {
    let runs = &sums.per_run;
    json!({
        "commits": percentiles(&runs.commits),
        "terms": percentiles(&runs.terms),
        "config_changes": percentiles(&runs.config_changes),
        "snapshots": percentiles(&runs.snapshots),
        "events": percentiles(&runs.events),
        "ops": percentiles(&runs.ops),
        "unknown_ops": percentiles(&runs.unknown_ops),
        "unknown_percent": percentiles(&runs.unknown_percent),
        "virtual_ms": percentiles(&runs.virtual_ms),
    })
}

fn axes(sums: &Summary) -> Value {
    let one = |(axis, sum): (&Axis, &crate::report::summary::AxisSum)| {
        let value = json!({ "on": sum.on, "injected": sum.injected, "refused": sum.refused });
        (axis.name().to_owned(), value)
    };
    Value::Object(Axis::ALL.iter().zip(&sums.axes).map(one).collect())
}

fn marks(sums: &Summary) -> Value {
    let of = |at: usize, list: &[u64]| list.get(at).copied().unwrap_or(0);
    let one = |(at, mark): (usize, &Mark)| {
        let value = json!({
            "armed": of(at, &sums.marks.armed),
            "runs": of(at, &sums.marks.hit),
            "hits": of(at, &sums.mark_hits),
        });
        (mark.name().to_owned(), value)
    };
    Value::Object(Mark::ALL.iter().enumerate().map(one).collect())
}

fn divergence(seed: u64, divergence: &Divergence) -> Value {
    let place = divergence.at.as_ref().map(|place| {
        json!({
            "event": place.event,
            "t": place.t,
            "node": place.node,
            "kind": place.ev,
            "field": place.field,
            "left": place.left,
            "right": place.right,
        })
    });
    json!({ "seed": seed, "agreed_until": divergence.agreed_until, "place": place })
}

fn finding(found: &Finding, program: &str) -> Value {
    let panic = match &found.cause {
        Cause::Oracle(_) => Value::Null,
        Cause::Panic(crash) => json!({ "file": crash.file, "line": crash.line }),
    };
    json!({
        "fingerprint": found.fingerprint.to_string(),
        "oracle": found.cause.name(),
        "panic": panic,
        "reason": found.reason,
        "event": found.event,
        "t": found.at_ns,
        "node": found.node,
        "count": found.count,
        "seeds": found.seeds,
        "token": found.token.as_ref().map(ToString::to_string),
        "confirmed": found.confirmed,
        "schedule": found.schedule_file,
        "command": found.command(program),
    })
}

#[cfg(test)]
mod tests {
    use super::decimal;

    #[test]
    fn seconds_stay_as_written() {
        assert_eq!(decimal("61.007").to_string(), "61.007");
        assert_eq!(decimal("0.000").to_string(), "0.0");
    }
}
