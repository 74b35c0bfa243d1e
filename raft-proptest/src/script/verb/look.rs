//! Commands that only look, and those that choose which lines are told.
//!
//! **Intuition.** A story often ends with "and now all logs are equal": one line shows it.
//! **Source.** Ours.
//! **Upholds.** Nothing.
//! **Not here.** Words (`print.rs`).

use raft_core::{LogIndex, Term};

use super::Verb;
use crate::script::{
    parse::{Args, list, node},
    print, words,
    world::{World, rejections},
};

pub(super) const VERBS: &[Verb] = &[
    Verb {
        name: "status",
        usage: "n1|all",
        about: "says a server's role, term, log, commit and leader",
        run: status,
    },
    Verb {
        name: "show",
        usage: "n1 FIELD…",
        about: "says fields of the status by name, whatever fields it has; `queues.reads` is one inside",
        run: show,
    },
    Verb {
        name: "rejected",
        usage: "n1 REASON…",
        about: "says how often n1 refused a step for this reason",
        run: rejected,
    },
    Verb { name: "log", usage: "n1|all", about: "says the terms of a node's log", run: log },
    Verb {
        name: "disk",
        usage: "n1|all",
        about: "says what surely survives power loss",
        run: disk,
    },
    Verb {
        name: "progress",
        usage: "n1",
        about: "says what a leader believes of each peer",
        run: progress,
    },
    Verb {
        name: "mute", usage: "KIND,…|all", about: "leaves out lines of these kinds", run: mute
    },
    Verb {
        name: "unmute",
        usage: "[KIND,…]",
        about: "tells them again; all kinds if none is named",
        run: unmute,
    },
    Verb {
        name: "ignore",
        usage: "inv:ID",
        about: "from here on the script breaks this invariant on purpose, by a lie no honest peer \
                or disk tells",
        run: ignore,
    },
];

fn who(world: &World, args: &mut Args<'_>) -> Result<Vec<u64>, String> {
    match args.word("a node or all")? {
        "all" => Ok(world.ids()),
        text => list(node)(text),
    }
}

fn status(world: &mut World, args: &mut Args<'_>) -> Result<(), String> {
    for id in who(world, args)? {
        world.server(id)?;
        let text = match world.node(id) {
            Ok(node) => node.status().to_string(),
            Err(down) => down,
        };
        world.answer(text);
    }
    Ok(())
}

fn show(world: &mut World, args: &mut Args<'_>) -> Result<(), String> {
    let id = args.node()?;
    let status = world.node(id)?.status();
    let mut text = format!("n{id}");
    text += &format!(" {}", words::field(&status, args.word("a field")?)?);
    while let Some(name) = args.next() {
        text += &format!(" {}", words::field(&status, name)?);
    }
    world.answer(text);
    Ok(())
}

fn rejected(world: &mut World, args: &mut Args<'_>) -> Result<(), String> {
    let id = args.node()?;
    let mut name = args.word("a reason")?;
    loop {
        if !rejections().any(|known| known == name) {
            let known = rejections().collect::<Vec<_>>().join(", ");
            return Err(format!("there is no refusal {name:?}; there are {known}"));
        }
        let counts = world.node(id)?.status().rejections;
        let count = counts.iter().find(|(why, _)| why.name() == name).map_or(0, |(_, n)| *n);
        world.answer(format!("n{id} {name} {count}"));
        let Some(next) = args.next() else { return Ok(()) };
        name = next;
    }
}

fn log(world: &mut World, args: &mut Args<'_>) -> Result<(), String> {
    for id in who(world, args)? {
        let node = world.node(id)?;
        let known = (1..=node.last().index.0)
            .filter_map(|index| Some((index, node.term_at(LogIndex(index))?)));
        let known: Vec<(u64, Term)> = known.collect();
        let compacted = known.first().map_or(0, |(index, _)| index - 1);
        let from = if compacted > 0 { format!(" from {}:", compacted + 1) } else { String::new() };
        let terms = known.iter().map(|(_, term)| term.to_string()).collect::<Vec<_>>().join(",");
        let text = format!("n{id} log{from} {terms}");
        world.answer(text.trim_end().to_owned());
    }
    Ok(())
}

fn disk(world: &mut World, args: &mut Args<'_>) -> Result<(), String> {
    for id in who(world, args)? {
        let disk = &world.server(id)?.disk;
        let log = disk.log.iter().map(|(position, entry)| words::entry(*position, entry));
        let log = log.collect::<Vec<_>>().join(",");
        let snapshot = disk.snapshot.as_ref();
        let snapshot = snapshot.map(|meta| format!(" snapshot={}", words::snapshot(meta)));
        let hard = words::hard_state(&disk.hard);
        let text = format!("n{id} disk{hard}{} log={log}", snapshot.unwrap_or_default());
        world.answer(text);
    }
    Ok(())
}

fn progress(world: &mut World, args: &mut Args<'_>) -> Result<(), String> {
    let id = args.node()?;
    let lines: Vec<String> = world.node(id)?.peers().map(|peer| print::peer(&peer)).collect();
    if lines.is_empty() {
        return Err(format!("n{id} does not lead"));
    }
    lines.into_iter().for_each(|line| world.answer(format!("n{id} to {line}")));
    Ok(())
}

fn kinds(args: &mut Args<'_>) -> Result<Vec<&'static str>, String> {
    let mut found = Vec::new();
    let mut words = Vec::new();
    while let Some(word) = args.next() {
        words.extend(word.split(','));
    }
    for word in words {
        match print::KINDS.iter().find(|kind| **kind == word) {
            Some(kind) => found.push(*kind),
            None if word == "all" => found.extend(print::KINDS),
            None => {
                let known = print::KINDS.join(", ");
                return Err(format!("there is no kind of line {word:?}; there are {known}"));
            }
        }
    }
    Ok(found)
}

fn mute(world: &mut World, args: &mut Args<'_>) -> Result<(), String> {
    let kinds = kinds(args)?;
    if kinds.is_empty() {
        return Err("which kinds?".to_owned());
    }
    world.muted.extend(kinds.into_iter().map(str::to_owned));
    Ok(())
}

fn unmute(world: &mut World, args: &mut Args<'_>) -> Result<(), String> {
    let kinds = kinds(args)?;
    if kinds.is_empty() {
        world.muted.clear();
    }
    for kind in kinds {
        world.muted.remove(kind);
    }
    Ok(())
}

fn ignore(world: &mut World, args: &mut Args<'_>) -> Result<(), String> {
    let id = args.word("an invariant such as inv:committed-durable")?;
    if !id.starts_with("inv:") {
        return Err(format!("{id:?} is no invariant"));
    }
    world.ignored.insert(id.to_owned());
    Ok(())
}
