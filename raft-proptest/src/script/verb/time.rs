//! Commands on time: one clock for the script, moved by hand.
//!
//! **Intuition.** Time passes only here. `expire` names the wait a story is about, so that no
//! script depends on how long the node's own jitter made it.
//! **Source.** Ours.
//! **Upholds.** Nothing.
//! **Not here.** Letting everything run (`verb/story.rs`).

use raft_core::{Input, Role, Term};

use super::Verb;
use crate::script::{
    parse::{Args, duration},
    words,
    world::World,
};

pub(super) const VERBS: &[Verb] = &[
    Verb {
        name: "expire",
        usage: "n1 election|heartbeat|next",
        about: "moves the clock to the deadlines of n1 and ticks it alone: until its role, term or \
                pre-vote round changes; until it begins a round of appends; once",
        run: expire,
    },
    Verb {
        name: "advance",
        usage: "DURATION",
        about: "lets time pass, ticking each server at its deadlines; no message arrives",
        run: advance,
    },
    Verb { name: "wait", usage: "DURATION", about: "moves the clock and ticks nobody", run: wait },
    Verb { name: "tick", usage: "n1", about: "ticks n1 now, due or not", run: tick },
    Verb {
        name: "clock",
        usage: "n1 ahead=DURATION|behind=DURATION",
        about: "sets how far the clock of n1 is from the script's",
        run: clock,
    },
    Verb {
        name: "deadline",
        usage: "n1",
        about: "says how long n1 can wait for its next tick",
        run: deadline,
    },
];

/// Ticks until something happens; more than this and nothing will.
const TICKS_MAX: usize = 200;

/// Moves the clock to the deadline of `id` and ticks it.
pub(super) fn tick_at_deadline(world: &mut World, id: u64) -> Result<(), String> {
    let due = world.due(id).ok_or(format!("n{id} waits for nothing"))?;
    world.now_ns = world.now_ns.max(due);
    world.step(id, Input::Tick)
}

/// What an election changes: role, term, round of pre-votes.
fn office(world: &World, id: u64) -> Result<(Role, Term, u64), String> {
    let (node, server) = (world.node(id)?, world.server(id)?);
    Ok((node.role(), node.term(), server.rounds.0))
}

/// Ticks `id` at its deadlines until its office changes.
pub(super) fn expire_election(world: &mut World, id: u64) -> Result<(), String> {
    let before = office(world, id)?;
    for _ in 0..TICKS_MAX {
        tick_at_deadline(world, id)?;
        if world.node(id)?.halted().is_some() || office(world, id)? != before {
            return Ok(());
        }
    }
    Err(format!("n{id} goes on as it is"))
}

fn expire(world: &mut World, args: &mut Args<'_>) -> Result<(), String> {
    let id = args.node()?;
    match args.word("election, heartbeat or next")? {
        "election" => expire_election(world, id),
        "next" => tick_at_deadline(world, id),
        "heartbeat" => {
            let before = world.server(id)?.rounds.1;
            for _ in 0..TICKS_MAX {
                tick_at_deadline(world, id)?;
                if world.server(id)?.rounds.1 > before {
                    return Ok(());
                }
            }
            Err(format!("n{id} begins no round"))
        }
        other => Err(format!("{other:?} is no wait; there are election, heartbeat and next")),
    }
}

fn advance(world: &mut World, args: &mut Args<'_>) -> Result<(), String> {
    let end = world.now_ns.saturating_add(duration(args.word("a duration")?)?);
    pass(world, end)
}

/// Lets time pass until `end`, ticking each server at its deadlines.
pub(super) fn pass(world: &mut World, end: u64) -> Result<(), String> {
    for _ in 0..100_000 {
        let due = world.up().into_iter().filter_map(|id| Some((world.due(id)?, id))).min();
        let Some((due, id)) = due.filter(|(due, _)| *due <= end) else {
            world.now_ns = end;
            return Ok(());
        };
        world.now_ns = world.now_ns.max(due);
        world.step(id, Input::Tick)?;
    }
    Err("the same moment never ends".to_owned())
}

fn wait(world: &mut World, args: &mut Args<'_>) -> Result<(), String> {
    world.now_ns = world.now_ns.saturating_add(duration(args.word("a duration")?)?);
    Ok(())
}

fn tick(world: &mut World, args: &mut Args<'_>) -> Result<(), String> {
    let id = args.node()?;
    world.step(id, Input::Tick)
}

fn clock(world: &mut World, args: &mut Args<'_>) -> Result<(), String> {
    let id = args.node()?;
    let ahead = args.get("ahead", None, |text| duration(text).map(Some))?;
    let behind = args.get("behind", None, |text| duration(text).map(Some))?;
    let nanos = match (ahead, behind) {
        (Some(nanos), None) => i64::try_from(nanos),
        (None, Some(nanos)) => i64::try_from(nanos).map(|nanos| -nanos),
        _ => return Err("either ahead= or behind=".to_owned()),
    };
    world.server_mut(id)?.clock_ahead_ns = nanos.map_err(|error| error.to_string())?;
    Ok(())
}

fn deadline(world: &mut World, args: &mut Args<'_>) -> Result<(), String> {
    let id = args.node()?;
    let now = world.now_ns;
    let text = match world.due(id) {
        Some(due) => format!("n{id} due in {}", words::duration(due.saturating_sub(now))),
        None => format!("n{id} waits for nothing"),
    };
    world.answer(text);
    Ok(())
}
