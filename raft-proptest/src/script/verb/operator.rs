//! Commands of operators: membership, leadership, lifecycle, recovery.
//!
//! **Intuition.** Each is one input with its words; whether it is allowed is the core's to say.
//! **Source.** Ours.
//! **Upholds.** Nothing.
//! **Not here.** Proposals and reads (`verb/client.rs`), snapshots (`verb/snapshots.rs`).

use raft_core::{
    Bootstrap, Capacity, Change, ConfigAction, ConfigChange, ConfigExpect, Incarnation, Input,
    Instant, Issued, LogIndex, LogPosition, Node, NodeId, OperationTicket, RecoveryEpoch,
    RecoveryPlan, Settings, Term, TransferRequest,
};

use super::{Verb, cluster::set_field};
use crate::script::{
    parse::{Args, list, node_id, number, option, position, switch},
    words::read_configuration,
    world::World,
};

pub(super) const VERBS: &[Verb] = &[
    Verb {
        name: "change",
        usage: "n1 add-learner n4 [witness] [life=L] | promote n4 [if-ready] | \
                add-voter n4 [witness] [life=L] | demote n2 | remove n2 | to-witness n2 | \
                replace-voters 1,2,4 [explicit-leave] | leave-joint | refresh | \
                set-settings [NAME=VALUE]… — each with [force] [expect-index=I] \
                [expect-voters=1,2,3]",
        about: "asks n1 for another configuration or other settings",
        run: change,
    },
    Verb {
        name: "transfer",
        usage: "n1 [to=n2] [replace]",
        about: "asks n1 to hand leadership over, to the best peer if none is named",
        run: transfer,
    },
    Verb {
        name: "cancel-transfer",
        usage: "n1",
        about: "the transfer under way is no longer wanted",
        run: cancel_transfer,
    },
    Verb {
        name: "campaign",
        usage: "n1 [min-term=T]",
        about: "asks n1 to campaign now, in a term of at least this",
        run: campaign,
    },
    Verb {
        name: "step-down",
        usage: "n1",
        about: "asks a leader to give up its role",
        run: |world, args| plain(world, args, Input::StepDown),
    },
    Verb {
        name: "forget-leader",
        usage: "n1",
        about: "asks n1 to follow nobody until a leader is heard again",
        run: forget_leader,
    },
    Verb {
        name: "eligibility",
        usage: "n1 priority=0..10 [lead=on|off]",
        about: "changes how eagerly n1 campaigns and whether it may lead",
        run: eligibility,
    },
    Verb {
        name: "bootstrap",
        usage: "n4 config=CONFIG [at=1/1] [digest=D]",
        about: "founds a group on an empty disk",
        run: bootstrap,
    },
    Verb {
        name: "capacity",
        usage: "n1 all|config-only|none",
        about: "what the store of n1 can take from now on",
        run: capacity,
    },
    Verb {
        name: "unreachable",
        usage: "n1 n2",
        about: "the transport tells n1 that n2 cannot be reached",
        run: unreachable,
    },
    Verb {
        name: "disable",
        usage: "n1 [number=N]",
        about: "takes n1 out of service, durably",
        run: disable,
    },
    Verb { name: "enable", usage: "n1", about: "puts it back", run: enable },
    Verb {
        name: "skip",
        usage: "n1 INDEX [digest=D]",
        about: "asks n1 that the whole group passes over this entry, by its digest on the disk of \
                n1 unless another is named",
        run: skip,
    },
    Verb {
        name: "unsafe-recover",
        usage: "n1 survivors=1,2 keep=n1 last=T/I term=T epoch=E [plan=P] [data-may-be-lost]",
        about: "an operator accepts to lose data and goes on with the survivors",
        run: unsafe_recover,
    },
    Verb {
        name: "accept-recovery",
        usage: "n2 survivors=1,2 keep=n1 last=T/I term=T epoch=E [plan=P] [data-may-be-lost]",
        about: "a survivor joins the recovery carried out elsewhere",
        run: accept_recovery,
    },
    Verb {
        name: "shutdown",
        usage: "n1",
        about: "the process is about to end: everything open ends now",
        run: |world, args| plain(world, args, Input::Shutdown),
    },
];

/// An input without words of its own.
fn plain(world: &mut World, args: &mut Args<'_>, input: Input) -> Result<(), String> {
    let id = args.node()?;
    world.step(id, input)
}

/// Asks through a helper that says in words why not.
fn ask<T, E: std::fmt::Display>(
    world: &mut World,
    id: u64,
    what: &str,
    call: impl FnOnce(&mut Node, Instant) -> Result<T, E>,
) -> Result<Option<T>, String> {
    match world.take(id, call)? {
        Ok(given) => Ok(Some(given)),
        Err(why) => {
            world.reject(id, what, &why);
            Ok(None)
        }
    }
}

fn cancel_transfer(world: &mut World, args: &mut Args<'_>) -> Result<(), String> {
    let id = args.node()?;
    ask(world, id, "cancel-transfer", Node::cancel_transfer)?;
    world.drain(id)
}

fn forget_leader(world: &mut World, args: &mut Args<'_>) -> Result<(), String> {
    let id = args.node()?;
    ask(world, id, "forget-leader", Node::forget_leader)?;
    world.drain(id)
}

/// Asks for something that ends with a ticket.
fn operate<E: std::fmt::Display>(
    world: &mut World,
    id: u64,
    what: &str,
    call: impl FnOnce(&mut Node, Instant) -> Result<OperationTicket, E>,
) -> Result<(), String> {
    if let Some(ticket) = ask(world, id, what, call)? {
        world.issue(id, Issued::Operation(ticket), false)?;
    }
    world.drain(id)
}

/// Takes `word` if it comes next.
fn flag(args: &mut Args<'_>, word: &str) -> bool {
    args.take_word(word)
}

fn change(world: &mut World, args: &mut Args<'_>) -> Result<(), String> {
    let id = args.node()?;
    let what = args.word("what to change")?;
    let life = Incarnation(args.get("life", 0, number)?);
    let force = flag(args, "force");
    let witness = flag(args, "witness");
    let index = args.get("expect-index", None, |t| number(t).map(LogIndex).map(Some))?;
    let voters = args.get("expect-voters", None, |t| list(node_id)(t).map(Some))?;
    let mut named = || args.node().map(NodeId);
    let action = match what {
        "add-learner" => ConfigAction::AddLearner { node: named()?, incarnation: life, witness },
        "add-voter" => ConfigAction::AddVoter { node: named()?, incarnation: life, witness },
        "promote" => {
            let node = named()?;
            ConfigAction::Promote { node, if_ready: flag(args, "if-ready") }
        }
        "demote" => ConfigAction::Demote { node: named()? },
        "remove" => ConfigAction::Remove { node: named()? },
        "to-witness" => ConfigAction::ToWitness { node: named()? },
        "replace-voters" => {
            let voters = list(node_id)(args.word("voters such as 1,2,4")?)?;
            ConfigAction::ReplaceVoters { voters, explicit_leave: flag(args, "explicit-leave") }
        }
        "leave-joint" => ConfigAction::LeaveJoint,
        "refresh" => ConfigAction::Refresh,
        "set-settings" => ConfigAction::SetSettings(settings(world, id, args)?),
        other => return Err(format!("there is no change {other:?}")),
    };
    let expect = index.map(ConfigExpect::Index).or(voters.map(ConfigExpect::Voters));
    let wanted = ConfigChange { expect, action, force };
    let issued = match ask(world, id, "change", |node, now| node.change(now, wanted))? {
        Some(Change::Begun(ticket)) => Issued::Operation(ticket),
        Some(Change::Unchanged(index)) => Issued::Unchanged(index),
        None => return world.drain(id),
    };
    world.issue(id, issued, false)?;
    world.drain(id)
}

/// The settings that the options of `id` stand for, with these changed by name.
fn settings(world: &World, id: u64, args: &mut Args<'_>) -> Result<Settings, String> {
    let mut settings = world.node(id)?.options().settings();
    for (key, text) in args.rest() {
        set_field(&mut settings, key, text)?;
    }
    Ok(settings)
}

fn transfer(world: &mut World, args: &mut Args<'_>) -> Result<(), String> {
    let id = args.node()?;
    let to = args.get("to", None, option(node_id))?;
    let request = TransferRequest { to, replace: flag(args, "replace") };
    if let Some(ticket) = ask(world, id, "transfer", |node, now| node.transfer(now, request))? {
        world.issue(id, Issued::Operation(ticket), false)?;
    }
    world.drain(id)
}

fn campaign(world: &mut World, args: &mut Args<'_>) -> Result<(), String> {
    let id = args.node()?;
    let min_term = Term(args.get("min-term", 0, number)?);
    ask(world, id, "campaign", |node, now| node.campaign(now, min_term))?;
    world.drain(id)
}

fn eligibility(world: &mut World, args: &mut Args<'_>) -> Result<(), String> {
    let id = args.node()?;
    let priority = number(args.value("priority").ok_or("priority= is missing")?)?;
    let priority = u8::try_from(priority).map_err(|error| error.to_string())?;
    let can_lead = args.get("lead", true, switch)?;
    world.step(id, Input::SetEligibility { priority, can_lead })
}

fn bootstrap(world: &mut World, args: &mut Args<'_>) -> Result<(), String> {
    let id = args.node()?;
    let configuration = read_configuration(args.value("config").ok_or("config= is missing")?)?;
    let first = LogPosition::new(Term(1), LogIndex(1));
    let position = args.get("at", first, position)?;
    let digest = args.get("digest", 0, number)?;
    let (settings, stage, size_bytes) = (None, None, 0);
    let bootstrap = Bootstrap { configuration, position, settings, stage, digest, size_bytes };
    operate(world, id, "bootstrap", |node, now| node.bootstrap(now, bootstrap))
}

fn capacity(world: &mut World, args: &mut Args<'_>) -> Result<(), String> {
    let id = args.node()?;
    let capacity = match args.word("all, config-only or none")? {
        "all" => Capacity::All,
        "config-only" => Capacity::ConfigOnly,
        "none" => Capacity::None,
        other => return Err(format!("{other:?} is none of all, config-only, none")),
    };
    world.step(id, Input::Capacity(capacity))
}

fn unreachable(world: &mut World, args: &mut Args<'_>) -> Result<(), String> {
    let id = args.node()?;
    let peer = NodeId(args.node()?);
    world.step(id, Input::Unreachable(peer))
}

fn disable(world: &mut World, args: &mut Args<'_>) -> Result<(), String> {
    let id = args.node()?;
    let number = args.get("number", 0, number)?;
    operate(world, id, "disable", |node, now| node.disable(now, number))
}

fn enable(world: &mut World, args: &mut Args<'_>) -> Result<(), String> {
    let id = args.node()?;
    operate(world, id, "enable", Node::enable)
}

fn skip(world: &mut World, args: &mut Args<'_>) -> Result<(), String> {
    let id = args.node()?;
    let index = LogIndex(number(args.word("an index")?)?);
    let held = world.server(id)?.disk.entry(index).map_or(0, |(_, entry)| entry.digest());
    let digest = args.get("digest", held, number)?;
    operate(world, id, "skip", |node, now| node.skip_entry(now, index, digest))
}

fn epoch(args: &mut Args<'_>) -> Result<RecoveryEpoch, String> {
    let epoch = number(args.value("epoch").ok_or("epoch= is missing")?)?;
    Ok(RecoveryEpoch { number: epoch, plan_id: args.get("plan", 0, number)? })
}

fn plan(args: &mut Args<'_>) -> Result<Box<RecoveryPlan>, String> {
    let mut value = |key| args.value(key).ok_or(format!("{key}= is missing"));
    let survivors = list(node_id)(value("survivors")?)?;
    let keep = node_id(value("keep")?)?;
    let last = position(value("last")?)?;
    let term = Term(number(value("term")?)?);
    let epoch = epoch(args)?;
    let data_may_be_lost = flag(args, "data-may-be-lost");
    Ok(Box::new(RecoveryPlan { data_may_be_lost, survivors, keep, last, term, epoch }))
}

fn unsafe_recover(world: &mut World, args: &mut Args<'_>) -> Result<(), String> {
    let id = args.node()?;
    let plan = plan(args)?;
    operate(world, id, "recovery", |node, now| node.unsafe_recover(now, *plan))
}

fn accept_recovery(world: &mut World, args: &mut Args<'_>) -> Result<(), String> {
    let id = args.node()?;
    let plan = plan(args)?;
    operate(world, id, "recovery", |node, now| node.accept_recovery(now, *plan))
}
