//! Commands of clients: propose and read.
//!
//! **Intuition.** What a caller asks of a node, through the same helpers a caller uses.
//! **Source.** Ours.
//! **Upholds.** Nothing.
//! **Not here.** Sessions and retries (layers above the core).

use bytes::Bytes;
use raft_core::{Input, Instant, Issued, LogIndex, Priority, Proposal, ReadLevel, ReadRequest};

use super::Verb;
use crate::script::{
    parse::{Args, duration, number},
    world::World,
};

pub(super) const VERBS: &[Verb] = &[
    Verb {
        name: "propose",
        usage: "n1 CONTENT… [size=BYTES] [priority=low|high] [deadline=DURATION] [label=N]",
        about: "proposes one command for each word, and one of that size, all before the node is \
                asked for work; with a priority, deadline or label through `ProposeWith`",
        run: propose,
    },
    Verb {
        name: "read",
        usage: "n1 [count=N] [level=linearizable|lease|through-log|local] [min-index=I] \
                [deadline=DURATION]",
        about: "asks for a read, or several before the node is asked for work; with a level, index \
                or deadline through `ReadWith`",
        run: read,
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
    if let Some(wanted) = proposal(world, id, args)? {
        for payload in payloads {
            let proposal = Proposal { payload, ..wanted.clone() };
            world.step_only(id, Input::ProposeWith(Box::new(proposal)))?;
        }
        return world.drain(id);
    }
    for payload in payloads {
        match world.take(id, |node, now| node.propose(now, payload))? {
            Ok(ticket) => world.issue(id, Issued::Proposal(ticket), false)?,
            Err(why) => world.reject(id, "proposal", &why),
        }
    }
    world.drain(id)
}

/// When a wait that begins now at `id` is over.
fn deadline(world: &World, id: u64, args: &mut Args<'_>) -> Result<Option<Instant>, String> {
    let now = world.clock(id)?;
    args.get("deadline", None, |text| duration(text).map(|nanos| Some(now.plus(nanos))))
}

/// What a proposal says beyond its bytes, if anything.
fn proposal(world: &World, id: u64, args: &mut Args<'_>) -> Result<Option<Proposal>, String> {
    let priority = args.value("priority");
    let label = args.value("label");
    let deadline = deadline(world, id, args)?;
    if priority.is_none() && label.is_none() && deadline.is_none() {
        return Ok(None);
    }
    let priority = match priority {
        Some("low") => Priority::Low,
        Some("high") | None => Priority::High,
        Some(other) => return Err(format!("{other:?} is neither low nor high")),
    };
    let label = label.map_or(Ok(0), number)?;
    Ok(Some(Proposal { payload: Bytes::new(), priority, deadline, label }))
}

/// What a read says beyond that it is one, if anything.
fn request(world: &World, id: u64, args: &mut Args<'_>) -> Result<Option<ReadRequest>, String> {
    let (level, index) = (args.value("level"), args.value("min-index"));
    let deadline = deadline(world, id, args)?;
    if level.is_none() && index.is_none() && deadline.is_none() {
        return Ok(None);
    }
    let level = match level {
        Some("linearizable") | None => ReadLevel::Linearizable,
        Some("lease") => ReadLevel::Lease,
        Some("through-log") => ReadLevel::ThroughLog,
        Some("local") => ReadLevel::Local,
        Some(other) => return Err(format!("there is no read level {other:?}")),
    };
    let min_index = LogIndex(index.map_or(Ok(0), number)?);
    Ok(Some(ReadRequest { level, min_index, deadline }))
}

fn read(world: &mut World, args: &mut Args<'_>) -> Result<(), String> {
    let id = args.node()?;
    let count = args.get("count", 1, number)?;
    if let Some(request) = request(world, id, args)? {
        let local = request.level == ReadLevel::Local;
        for _ in 0..count {
            match world.take(id, |node, now| node.read_with(now, request))? {
                Ok(ticket) => world.issue(id, Issued::Read(ticket), local)?,
                Err(why) => world.reject(id, "read", &why),
            }
        }
        return world.drain(id);
    }
    for _ in 0..count {
        match world.take(id, |node, now| node.read(now))? {
            Ok(ticket) => world.issue(id, Issued::Read(ticket), false)?,
            Err(why) => world.reject(id, "read", &why),
        }
    }
    world.drain(id)
}
