//! Commands on servers: make a cluster, stop and start, change what a disk holds.
//!
//! **Intuition.** Options are set by their own names, read from the type itself, so a new option is
//! known to scripts without a word here.
//! **Source.** Ours.
//! **Upholds.** Nothing.
//! **Not here.** Writes and their acknowledgements (`verb/storage.rs`).

use raft_core::{
    ClusterId, Configuration, Incarnation, LogIndex, Options, SnapshotMeta, Term, TermRun,
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use super::Verb;
use crate::script::{
    disk::Disk,
    parse::{Args, duration, list, node, node_id, number, option, position, switch},
    words::{self, entries_after, read_configuration},
    world::{Drive, Line, World},
};

pub(super) const VERBS: &[Verb] = &[
    Verb {
        name: "cluster",
        usage: "nodes=CONFIG [blank=(4,5)] [disk=slow|auto] [apply=auto|slow] [fetch=auto|slow] \
                [snapshot=auto|slow] [OPTION=VALUE]…",
        about: "boots fresh servers, the members of this configuration and others that know no \
                group yet, in the thesis's plain Raft: no Pre-Vote, no check-quorum, commits told \
                at once; `pre-vote=on election-min=100ms` change that",
        run: cluster,
    },
    Verb {
        name: "drive",
        usage: "n1|all [disk=…] [apply=…] [fetch=…] [snapshot=…]",
        about: "from now on the driver of n1 does this by itself (`auto`) or when told (`slow`)",
        run: drive,
    },
    Verb {
        name: "boot",
        usage: "n1 [wiped] [term=T] [vote=n2|none] [promise=150ms] [log=TERM[:CONTENT],…] [applied=I] \
                [life=L] [cluster=C] [mark=T/I] [snapshot=T/I config=CONFIG] [first=I] [last=I] \
                [runs=INDEX@TERM,…] \
                [OPTION=VALUE]…",
        about: "puts this on the disk of n1, stopped at once if it is up, and boots from it; \
                `wiped` begins with an empty disk that knows no group; a log given with a snapshot \
                begins behind it; \
                `first`, `last`, `runs` let the driver describe the log wrongly",
        run: boot,
    },
    Verb {
        name: "power-loss",
        usage: "n1 [keep=0|N|all]",
        about: "stops n1; of the writes above the acknowledged prefix the first N are on disk",
        run: power_loss,
    },
    Verb {
        name: "restart",
        usage: "n1 [OPTION=VALUE]…",
        about: "boots n1 from its disk, with these options changed for it alone",
        run: restart,
    },
];

/// Changes one field of options or settings by its name: `election-min=100ms` is
/// `election_min_ns`.
pub(super) fn set_field<T: Serialize + DeserializeOwned>(
    record: &mut T,
    key: &str,
    text: &str,
) -> Result<(), String> {
    let mut json = serde_json::to_value(&*record).map_err(|error| error.to_string())?;
    let fields = json.as_object_mut().ok_or("no record")?;
    let plain = key.replace('-', "_");
    let nanos = format!("{plain}_ns");
    // `check-quorum=on` and `check-quorum=300ms` are two options.
    let timed = fields.contains_key(&nanos);
    let value = if timed && (!fields.contains_key(&plain) || duration(text).is_ok()) {
        Some((nanos, Value::from(duration(text)?)))
    } else {
        match fields.get(&plain) {
            Some(Value::Bool(_)) => Some((plain, Value::from(switch(text)?))),
            Some(Value::Number(_)) => Some((plain, Value::from(number(text)?))),
            Some(Value::String(_)) => Some((plain, Value::from(text))),
            _ => None,
        }
    };
    let Some((name, value)) = value else {
        let known = fields.keys().map(|key| key.trim_end_matches("_ns").replace('_', "-"));
        let known = known.collect::<Vec<_>>().join(", ");
        return Err(format!("there is no option {key}; there are {known}"));
    };
    fields.insert(name, value);
    *record = serde_json::from_value(json).map_err(|error| error.to_string())?;
    Ok(())
}

fn set_options(options: &mut Options, args: &mut Args<'_>) -> Result<(), String> {
    args.rest().into_iter().try_for_each(|(key, text)| set_field(options, key, text))
}

/// The thesis's plain Raft, with reasons told.
fn plain() -> Options {
    let mut options = Options::default();
    options.pre_vote = false;
    options.check_quorum = false;
    options.commit_notice_ns = 0;
    options.notes = true;
    options
}

fn auto(text: &str) -> Result<bool, String> {
    match text {
        "auto" => Ok(true),
        "slow" => Ok(false),
        other => Err(format!("{other:?} is neither auto nor slow")),
    }
}

fn read_drive(was: Drive, args: &mut Args<'_>) -> Result<Drive, String> {
    Ok(Drive {
        disk: args.get("disk", was.disk, auto)?,
        apply: args.get("apply", was.apply, auto)?,
        fetch: args.get("fetch", was.fetch, auto)?,
        snapshot: args.get("snapshot", was.snapshot, auto)?,
    })
}

fn cluster(world: &mut World, args: &mut Args<'_>) -> Result<(), String> {
    if !world.servers.is_empty() {
        return Err("there is a cluster already".to_owned());
    }
    let born = read_configuration(args.value("nodes").ok_or("nodes= is missing")?)?;
    let blank = args.get("blank", Vec::new(), list(node))?;
    let drive = Drive { disk: false, apply: true, fetch: true, snapshot: true };
    let drive = read_drive(drive, args)?;
    let mut options = plain();
    set_options(&mut options, args)?;
    for id in born.members() {
        world.add(id.0, born.clone(), options.clone(), drive);
    }
    for id in blank {
        world.add(id, Configuration::default(), options.clone(), drive);
    }
    world.ids().into_iter().try_for_each(|id| world.boot(id, |_| Ok(())).map(drop))
}

fn drive(world: &mut World, args: &mut Args<'_>) -> Result<(), String> {
    let ids = match args.word("a node or all")? {
        "all" => world.ids(),
        one => vec![node(one)?],
    };
    let given: Vec<(&str, bool)> = ["disk", "apply", "fetch", "snapshot"]
        .into_iter()
        .filter_map(|key| args.value(key).map(|text| auto(text).map(|on| (key, on))))
        .collect::<Result<_, _>>()?;
    for id in ids {
        let drive = &mut world.server_mut(id)?.drive;
        for (key, on) in &given {
            match *key {
                "disk" => drive.disk = *on,
                "apply" => drive.apply = *on,
                "fetch" => drive.fetch = *on,
                _ => drive.snapshot = *on,
            }
        }
    }
    Ok(())
}

fn boot(world: &mut World, args: &mut Args<'_>) -> Result<(), String> {
    let id = args.node()?;
    world.watch.forget(id);
    let server = world.server_mut(id)?;
    server.node = None;
    server.disk.lose_power(0)?;
    if args.take_word("wiped") {
        server.disk = Disk::fresh(id, Configuration::default());
    }
    let hard = &mut server.disk.hard;
    hard.term = Term(args.get("term", hard.term.0, number)?);
    hard.vote = args.get("vote", hard.vote, option(node_id))?;
    hard.promise_ns = args.get("promise", hard.promise_ns, duration)?;
    hard.incarnation = Incarnation(args.get("life", hard.incarnation.0, number)?);
    hard.mark = args.get("mark", hard.mark, position)?;
    hard.cluster = ClusterId(args.get("cluster", hard.cluster.0, number)?);
    if let Some(at) = args.value("snapshot") {
        let members = read_configuration(args.value("config").ok_or("config= is missing")?)?;
        let settings = server.options.settings();
        let machine = server.options.machine_id;
        server.disk.snapshot = Some(SnapshotMeta::empty(position(at)?, members, settings, machine));
        server.disk.log.clear();
    }
    if let Some(log) = args.value("log") {
        let log = log.strip_prefix('(').and_then(|l| l.strip_suffix(')')).unwrap_or(log);
        let entries = entries_after(server.disk.base().index, log)?;
        server.disk.write_log(&entries);
    }
    let applied = args.get("applied", None, |text| number(text).map(LogIndex).map(Some))?;
    let first = args.get("first", None, |text| number(text).map(LogIndex).map(Some))?;
    let last = args.get("last", None, |text| number(text).map(LogIndex).map(Some))?;
    let runs = args.get("runs", None, |text| list(term_run)(text).map(Some))?;
    set_options(&mut server.options, args)?;
    start(world, id, |boot| {
        boot.applied = applied.unwrap_or(boot.applied);
        boot.first = first.unwrap_or(boot.first);
        boot.last = last.unwrap_or(boot.last);
        boot.terms = runs.unwrap_or(std::mem::take(&mut boot.terms));
        Ok(())
    })
}

fn term_run(text: &str) -> Result<TermRun, String> {
    let (first, term) = text.split_once('@').ok_or(format!("{text:?} is no INDEX@TERM"))?;
    Ok(TermRun { first: LogIndex(number(first)?), term: Term(number(term)?) })
}

fn start(
    world: &mut World,
    id: u64,
    change: impl FnOnce(&mut raft_core::Boot) -> Result<(), String>,
) -> Result<(), String> {
    if world.boot(id, change)? {
        let disk = &world.server(id)?.disk;
        let text = format!("n{id} recover{} last={}", words::hard_state(&disk.hard), disk.last());
        world.say(Line { kind: "recover", text });
        world.drain(id)?;
    }
    Ok(())
}

fn power_loss(world: &mut World, args: &mut Args<'_>) -> Result<(), String> {
    let id = args.node()?;
    let kept = args.get("keep", 0, |text| {
        if text == "all" { Ok(usize::MAX) } else { number(text).map(|n| n as usize) }
    })?;
    world.node(id)?;
    let server = world.server_mut(id)?;
    server.node = None;
    let lost = server.disk.lose_power(kept)?;
    if lost > 0 {
        let writes = if lost == 1 { "write" } else { "writes" };
        world.say(Line { kind: "recover", text: format!("n{id} loses {lost} {writes}") });
    }
    Ok(())
}

fn restart(world: &mut World, args: &mut Args<'_>) -> Result<(), String> {
    let id = args.node()?;
    let server = world.server_mut(id)?;
    if server.node.is_some() {
        return Err(format!("n{id} is up; power-loss it first"));
    }
    set_options(&mut server.options, args)?;
    start(world, id, |_| Ok(()))
}
