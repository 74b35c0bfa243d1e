//! Commands on snapshots: taken, shipped, received, rightly or wrongly.
//!
//! **Intuition.** The driver takes what it is asked for and ships it by its own transport; each
//! report can be late, twice, wrong, or missing.
//! **Source.** docs/CONTRACT.md.
//! **Upholds.** Nothing.
//! **Not here.** What a disk keeps of them (`disk.rs`).

use raft_core::{Input, NodeId, ReceivedSnapshot, SendFailure, SendSnapshot, SnapshotTaken, Term};

use super::Verb;
use crate::script::{
    forge::snapshot_meta,
    net::link,
    parse::{Args, number},
    world::World,
};

pub(super) const VERBS: &[Verb] = &[
    Verb {
        name: "snapshot",
        usage: "n1",
        about: "asks n1 for a snapshot of its machine now, whatever the policy says",
        run: snapshot,
    },
    Verb {
        name: "take",
        usage: "n1 [failed|again|older]",
        about: "the driver of n1 has made the snapshot asked for durable, or failed, or reports \
                once more what it was asked for last, in this boot or before",
        run: take,
    },
    Verb {
        name: "ship",
        usage: "n1->n3 [lost|unreported|overloaded|failed|again|older]",
        about: "the transport brings the newest snapshot n1 was asked to send, staged and checked, \
                and reports it; or brings it nowhere in silence; or brings it and does not report; \
                or reports a failure; or reports once more, of this boot or of the one before",
        run: ship,
    },
    Verb {
        name: "stage",
        usage: "n3 from=n1 term=T at=T/I config=CONFIG [config-index=I] [machine=0] [size=0]",
        about: "tells n3 that this snapshot, made up by the script, is staged",
        run: stage,
    },
];

fn snapshot(world: &mut World, args: &mut Args<'_>) -> Result<(), String> {
    let id = args.node()?;
    if let Err(why) = world.take(id, |node, now| node.take_snapshot(now))? {
        world.reject(id, "snapshot", &why);
    }
    world.drain(id)
}

fn take(world: &mut World, args: &mut Args<'_>) -> Result<(), String> {
    let id = args.node()?;
    match args.next() {
        None => {
            world.take_snapshot(id)?;
            world.drain(id)
        }
        Some("failed") => {
            let (ask, _) =
                world.server_mut(id)?.takes.pop().ok_or(format!("n{id} wants no snapshot"))?;
            world.step(id, Input::SnapshotFailed(ask))
        }
        Some(which @ ("again" | "older")) => {
            let server = world.server(id)?;
            let ask = if which == "again" { server.last_take } else { server.older_take };
            let ask = ask.ok_or(format!("n{id} never wanted a snapshot"))?;
            let taken = SnapshotTaken { id: ask, digest: 0, size_bytes: 0 };
            world.step(id, Input::SnapshotTaken(taken))
        }
        Some(other) => Err(format!("{other:?} is none of failed, again, older")),
    }
}

/// Stages what `ask` sends at its receiver, which is told.
pub(super) fn bring(world: &mut World, from: u64, ask: &SendSnapshot) -> Result<(), String> {
    let stage = world.next_stage();
    if world.server(ask.to.0)?.node.is_none() {
        return Ok(());
    }
    let (from, term, meta) = (NodeId(from), ask.term, ask.meta.clone());
    let received = ReceivedSnapshot { stage, meta, from, term };
    world.step(ask.to.0, Input::SnapshotReceived(Box::new(received)))
}

fn ship(world: &mut World, args: &mut Args<'_>) -> Result<(), String> {
    let text = args.word("a link such as n1->n3")?;
    let (Some(from), Some(to)) = link(text)? else {
        return Err(format!("{text:?} does not name one sender and one receiver"));
    };
    let (Some(from), Some(to)) = (from.first().copied(), to.first().copied()) else {
        return Err(format!("{text:?} does not name one sender and one receiver"));
    };
    let how = args.next();
    let server = world.server_mut(from)?;
    if let Some(which @ ("again" | "older")) = how {
        let ask = if which == "again" { server.last_ship } else { server.older_ship };
        let ask = ask.ok_or(format!("n{from} never shipped a snapshot"))?;
        return world.step(from, Input::SnapshotSent(ask));
    }
    let at = server.ships.iter().rposition(|ask| ask.to.0 == to);
    let at = at.ok_or(format!("n{from} sends no snapshot to n{to}"))?;
    let ask = server.ships.remove(at);
    let failure = |failure| Input::SnapshotSendFailed { id: ask.id, failure };
    match how {
        None => {
            bring(world, from, &ask)?;
            world.step(from, Input::SnapshotSent(ask.id))
        }
        Some("unreported") => bring(world, from, &ask),
        Some("lost") => Ok(()),
        Some("overloaded") => world.step(from, failure(SendFailure::Overloaded)),
        Some("failed") => world.step(from, failure(SendFailure::Failed)),
        Some(other) => Err(format!("{other:?} is no way to ship")),
    }
}

fn stage(world: &mut World, args: &mut Args<'_>) -> Result<(), String> {
    let id = args.node()?;
    let from = NodeId(args.get("from", 0, crate::script::parse::node)?);
    let term = Term(args.get("term", 0, number)?);
    let meta = snapshot_meta(args)?;
    let stage = world.next_stage();
    let received = ReceivedSnapshot { stage, meta, from, term };
    world.step(id, Input::SnapshotReceived(Box::new(received)))
}
