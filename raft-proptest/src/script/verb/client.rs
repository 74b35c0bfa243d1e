//! Commands of clients and operators.
//!
//! **Intuition.** What a caller asks of a node, through the same helpers a caller uses.
//! **Source.** Ours.
//! **Upholds.** Nothing.
//! **Not here.** Sessions and retries (layers above the core).

use bytes::Bytes;
use raft_core::{Input, Issued};

use super::Verb;
use crate::script::{
    parse::{Args, number},
    world::World,
};

pub(super) const VERBS: &[Verb] = &[
    Verb {
        name: "propose",
        usage: "n1 CONTENT… | n1 size=BYTES",
        about: "proposes one command for each word, all before the node is asked for work",
        run: propose,
    },
    Verb {
        name: "read",
        usage: "n1 [count=N]",
        about: "asks for a linearizable read, or several before the node is asked for work",
        run: read,
    },
    Verb {
        name: "step-down",
        usage: "n1",
        about: "an operator asks a leader to give up its role",
        run: step_down,
    },
    Verb {
        name: "shutdown",
        usage: "n1",
        about: "the process is about to end: everything open ends now",
        run: shutdown,
    },
];

fn propose(world: &mut World, args: &mut Args<'_>) -> Result<(), String> {
    let id = args.node()?;
    let mut payloads: Vec<Bytes> = Vec::new();
    while let Some(word) = args.next() {
        payloads.push(Bytes::copy_from_slice(word.as_bytes()));
    }
    if let Some(size) = args.value("size") {
        let size = usize::try_from(number(size)?).map_err(|error| error.to_string())?;
        payloads.push(Bytes::from(vec![b'x'; size]));
    }
    if payloads.is_empty() {
        return Err("what to propose is missing".to_owned());
    }
    for payload in payloads {
        match world.take(id, |node, now| node.propose(now, payload))? {
            Ok(ticket) => world.issue(id, Issued::Proposal(ticket))?,
            Err(why) => world.reject(id, "proposal", &why),
        }
    }
    world.drain(id)
}

fn read(world: &mut World, args: &mut Args<'_>) -> Result<(), String> {
    let id = args.node()?;
    for _ in 0..args.get("count", 1, number)? {
        match world.take(id, |node, now| node.read(now))? {
            Ok(ticket) => world.issue(id, Issued::Read(ticket))?,
            Err(why) => world.reject(id, "read", &why),
        }
    }
    world.drain(id)
}

fn step_down(world: &mut World, args: &mut Args<'_>) -> Result<(), String> {
    let id = args.node()?;
    world.step(id, Input::StepDown)
}

fn shutdown(world: &mut World, args: &mut Args<'_>) -> Result<(), String> {
    let id = args.node()?;
    world.step(id, Input::Shutdown)
}
