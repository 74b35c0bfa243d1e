//! Commands on disks and machines: what a driver reports, rightly or wrongly.
//!
//! **Intuition.** Every report a driver owes can come late, in another order, twice, wrong, or for
//! something that was never asked.
//! **Source.** docs/CONTRACT.md.
//! **Upholds.** Nothing.
//! **Not here.** What survives power loss (`disk.rs`).

use raft_core::{FetchFailure, Input, LogIndex, PersistAck, ReadEntries};
use serde_json::Value;

use super::Verb;
use crate::script::{
    parse::{Args, number},
    words::entries_after,
    world::World,
};

pub(super) const VERBS: &[Verb] = &[
    Verb {
        name: "sync",
        usage: "n1 [N]",
        about: "completes and acknowledges all open writes in order, or only the N-th open one: \
                above a hole it promises nothing",
        run: sync,
    },
    Verb {
        name: "fail-write",
        usage: "n1 [N]",
        about: "reports that an open write failed; the first one unless N says",
        run: fail_write,
    },
    Verb {
        name: "wrong-ack",
        usage: "n1 again|never-issued|foreign",
        about: "acknowledges once more, or what was never handed out, or a write of another boot",
        run: wrong_ack,
    },
    Verb {
        name: "applied",
        usage: "n1 INDEX",
        about: "reports that the machine has applied up to here, true or not",
        run: applied,
    },
    Verb {
        name: "apply-failed",
        usage: "n1 INDEX",
        about: "reports that the machine failed at this index and applied nothing from it on",
        run: apply_failed,
    },
    Verb {
        name: "answer",
        usage: "n1 [N|older] [busy|broken|compacted] [first=I] [entries=TERM,…] [count=N]",
        about: "answers the newest request for entries, the N-th of this boot, or the newest of \
                the boots before: from disk, with a failure, with entries that say something else, \
                or with a part",
        run: answer,
    },
];

/// `N` from 1 as a place from 0.
fn place(args: &mut Args<'_>) -> Result<Option<usize>, String> {
    let Some(text) = args.next() else { return Ok(None) };
    let nth = number(text)?.checked_sub(1).ok_or("counting begins at 1")?;
    usize::try_from(nth).map(Some).map_err(|error| error.to_string())
}

fn sync(world: &mut World, args: &mut Args<'_>) -> Result<(), String> {
    let id = args.node()?;
    world.node(id)?;
    if world.server(id)?.disk.waiting() == 0 {
        return Err(format!("n{id} has nothing to sync"));
    }
    if let Some(nth) = place(args)? {
        let ack = world.server_mut(id)?.disk.complete(nth)?;
        return world.step(id, Input::Persisted(ack));
    }
    // Only what is open now: what follows from it waits for its own sync.
    for _ in 0..world.server(id)?.disk.waiting() {
        let ack = world.server_mut(id)?.disk.complete(0)?;
        world.step(id, Input::Persisted(ack))?;
    }
    Ok(())
}

fn fail_write(world: &mut World, args: &mut Args<'_>) -> Result<(), String> {
    let id = args.node()?;
    let nth = place(args)?.unwrap_or(0);
    let ack = world.server(id)?.disk.ack_of(nth)?;
    world.step(id, Input::PersistFailed(ack))
}

/// An acknowledgement with a part of it changed; its own parts are closed, its text is not.
fn altered(ack: PersistAck, key: &str) -> Result<PersistAck, String> {
    let mut json = serde_json::to_value(ack).map_err(|error| error.to_string())?;
    let part = json.get_mut(key).ok_or(format!("an acknowledgement has no {key}"))?;
    let number = part.as_u64().ok_or(format!("{key} is no number"))?;
    *part = Value::from(number.wrapping_add(1_000));
    serde_json::from_value(json).map_err(|error| error.to_string())
}

fn wrong_ack(world: &mut World, args: &mut Args<'_>) -> Result<(), String> {
    let id = args.node()?;
    let newest = world.server(id)?.disk.newest_ack;
    let newest = newest.ok_or(format!("nothing was ever acknowledged to n{id}"))?;
    let ack = match args.word("again, never-issued or foreign")? {
        "again" => newest,
        "never-issued" => altered(newest, "sequence")?,
        "foreign" => altered(newest, "tag")?,
        other => return Err(format!("{other:?} is none of again, never-issued, foreign")),
    };
    world.step(id, Input::Persisted(ack))
}

fn applied(world: &mut World, args: &mut Args<'_>) -> Result<(), String> {
    let id = args.node()?;
    let index = number(args.word("an index")?)?;
    world.step(id, Input::Applied(LogIndex(index)))
}

fn apply_failed(world: &mut World, args: &mut Args<'_>) -> Result<(), String> {
    let id = args.node()?;
    let index = number(args.word("an index")?)?;
    world.step(id, Input::ApplyFailed(LogIndex(index)))
}

fn answer(world: &mut World, args: &mut Args<'_>) -> Result<(), String> {
    let id = args.node()?;
    let (mut failure, mut nth, mut older) = (None, None, false);
    while let Some(word) = args.next() {
        match word {
            "busy" => failure = Some(FetchFailure::Busy),
            "compacted" => failure = Some(FetchFailure::Compacted),
            "broken" => failure = Some(FetchFailure::Broken),
            "older" => older = true,
            other => nth = Some(number(other)?),
        }
    }
    let fetches = &world.server(id)?.fetches;
    let newest = u64::try_from(fetches.len()).unwrap_or(u64::MAX);
    let at = nth.unwrap_or(newest).checked_sub(1).and_then(|at| usize::try_from(at).ok());
    let ask: ReadEntries = if older {
        world.server(id)?.older_fetch.ok_or(format!("n{id} asked nothing in a boot before"))?
    } else {
        *at.and_then(|at| fetches.get(at)).ok_or(format!("n{id} asked {newest} times"))?
    };
    if let Some(failure) = failure {
        return world.step(id, Input::EntriesReadFailed { id: ask.id, failure });
    }
    let first = args.get("first", ask.first, |text| number(text).map(LogIndex))?;
    let count = args.get("count", u64::MAX, number)?;
    let last = ask.last.min(first.plus(count.saturating_sub(1)));
    let entries = match args.value("entries") {
        Some(terms) => entries_after(first.prev(), terms)?,
        None => world.server(id)?.disk.read(first, last, ask.bytes_max),
    };
    world.step(id, Input::EntriesRead { id: ask.id, entries })
}
