//! Commands that tell a longer part of a story in one word.
//!
//! **Intuition.** Most stories begin with a leader and end with everybody agreeing; neither is
//! what they are about.
//! **Source.** Ours.
//! **Upholds.** Nothing.
//! **Not here.** Single steps (the other files of `verb/`).

use raft_core::{Input, Role, SendSnapshot};

use super::{
    Verb,
    snapshots::bring,
    time::{expire_election, pass},
};
use crate::script::{
    parse::{Args, duration, list, node},
    print,
    world::World,
};

pub(super) const VERBS: &[Verb] = &[
    Verb {
        name: "stabilize",
        usage: "[n1,n2]",
        about: "syncs all writes, delivers all messages and ships all snapshots among these \
                servers, all of them if none is named, until nothing is left; time stands still",
        run: stabilize,
    },
    Verb {
        name: "elect",
        usage: "n1 [with=n2,n3]",
        about: "makes n1 leader with the help of these, all that are up if none is named, and lets \
                everything settle; only changes of role are told, messages to others are lost",
        run: elect,
    },
    Verb {
        name: "run",
        usage: "DURATION [n1,n2]",
        about: "lets time pass for these servers, all of them if none is named, with disks and \
                network at work",
        run: run_for,
    },
];

/// Rounds of syncing and delivering; more and the cluster talks for ever.
const ROUNDS_MAX: usize = 20_000;

fn members(world: &World, text: Option<&str>) -> Result<Vec<u64>, String> {
    text.map_or_else(|| Ok(world.ids()), list(node))
}

/// Syncs and delivers among `nodes` until nothing is left.
fn settle(world: &mut World, nodes: &[u64]) -> Result<(), String> {
    for _ in 0..ROUNDS_MAX {
        let busy = nodes.iter().copied().find(|id| {
            world.node(*id).is_ok() && world.server(*id).is_ok_and(|s| s.disk.waiting() > 0)
        });
        if let Some(id) = busy {
            let ack = world.server_mut(id)?.disk.complete(0)?;
            world.step(id, Input::Persisted(ack))?;
        } else if let Some(envelope) = world.net.take_first(nodes) {
            world.receive(envelope.to.0, envelope)?;
        } else if let Some((from, ask)) = next_shipment(world, nodes)? {
            bring(world, from, &ask)?;
            world.step(from, Input::SnapshotSent(ask.id))?;
        } else {
            return Ok(());
        }
    }
    Err("the cluster never falls silent".to_owned())
}

/// Takes the first snapshot that waits to be shipped among `nodes`.
fn next_shipment(world: &mut World, nodes: &[u64]) -> Result<Option<(u64, SendSnapshot)>, String> {
    for from in nodes.iter().copied().filter(|id| world.up().contains(id)).collect::<Vec<_>>() {
        let ships = &mut world.server_mut(from)?.ships;
        if let Some(at) = ships.iter().position(|ask| nodes.contains(&ask.to.0)) {
            return Ok(Some((from, ships.remove(at))));
        }
    }
    Ok(None)
}

fn stabilize(world: &mut World, args: &mut Args<'_>) -> Result<(), String> {
    let nodes = members(world, args.next())?;
    settle(world, &nodes)
}

fn elect(world: &mut World, args: &mut Args<'_>) -> Result<(), String> {
    let id = args.node()?;
    let mut side = args.get("with", world.up(), list(node))?;
    if !side.contains(&id) {
        side.push(id);
    }
    let muted = world.muted.clone();
    world.muted.extend(print::KINDS.iter().filter(|k| **k != "role").map(|k| (*k).to_owned()));
    let done = elect_among(world, id, &side);
    world.muted = muted;
    done
}

fn elect_among(world: &mut World, id: u64, side: &[u64]) -> Result<(), String> {
    for _ in 0..4 {
        expire_election(world, id)?;
        for _ in 0..ROUNDS_MAX {
            world.net.keep_among(side);
            let before = world.net.all().filter(|(_, held)| !held).count();
            settle(world, side)?;
            if before == 0 {
                break;
            }
        }
        if world.node(id)?.role() == Role::Leader {
            return Ok(());
        }
    }
    Err(format!("n{id} is not elected"))
}

fn run_for(world: &mut World, args: &mut Args<'_>) -> Result<(), String> {
    let end = world.now_ns.saturating_add(duration(args.word("a duration")?)?);
    let nodes = members(world, args.next())?;
    for _ in 0..ROUNDS_MAX {
        settle(world, &nodes)?;
        let due = nodes.iter().filter_map(|id| world.due(*id)).min();
        let Some(due) = due.filter(|due| *due <= end) else {
            world.now_ns = end;
            return Ok(());
        };
        pass(world, due.max(world.now_ns))?;
    }
    Err("the cluster never falls silent".to_owned())
}
