//! Commands on messages: let them arrive, lose them, make them up.
//!
//! **Intuition.** A message is named by its link, its kind, and which of several it is.
//! **Source.** Ours.
//! **Upholds.** Nothing.
//! **Not here.** Kinds and their words (`forge.rs`).

use super::Verb;
use crate::script::{
    forge,
    net::{Pattern, link},
    parse::{Args, list, node, number},
    print,
    world::World,
};

pub(super) const VERBS: &[Verb] = &[
    Verb {
        name: "deliver",
        usage: "LINK [KIND] [nth=1,…]",
        about: "lets messages under way arrive, oldest first or in the order of `nth`; LINK is \
                `n1->n2`, `n1->n2,n3`, `*->n1` or `*`",
        run: deliver,
    },
    Verb { name: "drop", usage: "LINK [KIND] [nth=1,…]", about: "loses them", run: lose },
    Verb {
        name: "duplicate",
        usage: "LINK [KIND] [nth=1,…]",
        about: "puts a copy of each behind all others",
        run: duplicate,
    },
    Verb { name: "reorder", usage: "LINK [KIND]", about: "turns their order round", run: reorder },
    Verb {
        name: "hold",
        usage: "LINK [KIND] [nth=1,…]",
        about: "puts them aside: nothing delivers or drops them before `release`",
        run: hold,
    },
    Verb {
        name: "release", usage: "LINK [KIND] [nth=1,…]", about: "undoes `hold`", run: release
    },
    Verb {
        name: "cut",
        usage: "n1->n2",
        about: "what is sent over these links from now on is lost",
        run: cut,
    },
    Verb {
        name: "isolate",
        usage: "n1[,n2]",
        about: "cuts all links between these and the others, and loses what is under way on them",
        run: isolate,
    },
    Verb { name: "heal", usage: "", about: "all links carry again", run: heal },
    Verb {
        name: "forge",
        usage: "n3->n2 KIND [term=1] [WORDS OF THE KIND] [cluster=C] [group=G] [epoch=E] \
                [from-life=L] [to-life=L] [claims-to=n1] [times=1]",
        about: "hands n2 a message that claims to come from n3",
        run: forge_one,
    },
    Verb { name: "net", usage: "", about: "says what is under way", run: net },
];

fn deliver(world: &mut World, args: &mut Args<'_>) -> Result<(), String> {
    let pattern = Pattern::read(args)?;
    for envelope in world.net.take(&pattern)? {
        world.receive(envelope.to.0, envelope)?;
    }
    Ok(())
}

fn lose(world: &mut World, args: &mut Args<'_>) -> Result<(), String> {
    let pattern = Pattern::read(args)?;
    world.net.take(&pattern).map(drop)
}

fn duplicate(world: &mut World, args: &mut Args<'_>) -> Result<(), String> {
    let pattern = Pattern::read(args)?;
    world.net.duplicate(&pattern)
}

fn reorder(world: &mut World, args: &mut Args<'_>) -> Result<(), String> {
    let pattern = Pattern::read(args)?;
    world.net.reverse(&pattern)
}

fn hold(world: &mut World, args: &mut Args<'_>) -> Result<(), String> {
    let pattern = Pattern::read(args)?;
    world.net.hold(&pattern, true)
}

fn release(world: &mut World, args: &mut Args<'_>) -> Result<(), String> {
    let pattern = Pattern::read(args)?;
    world.net.hold(&pattern, false)
}

fn cut(world: &mut World, args: &mut Args<'_>) -> Result<(), String> {
    let (from, to) = link(args.word("a link such as n1->n2")?)?;
    let all = world.ids();
    for from in from.as_ref().unwrap_or(&all) {
        for to in to.as_ref().unwrap_or(&all) {
            world.net.cut(*from, *to);
        }
    }
    Ok(())
}

fn isolate(world: &mut World, args: &mut Args<'_>) -> Result<(), String> {
    let alone = list(node)(args.word("nodes")?)?;
    let others: Vec<u64> = world.ids().into_iter().filter(|id| !alone.contains(id)).collect();
    for one in &alone {
        for other in &others {
            world.net.cut(*one, *other);
            world.net.cut(*other, *one);
        }
    }
    world.net.lose_between(&alone, &others);
    Ok(())
}

fn heal(world: &mut World, _: &mut Args<'_>) -> Result<(), String> {
    world.net.heal();
    Ok(())
}

fn forge_one(world: &mut World, args: &mut Args<'_>) -> Result<(), String> {
    let text = args.word("a link such as n3->n2")?;
    let (Some(from), Some(to)) = link(text)? else {
        return Err(format!("{text:?} does not name one sender and one receiver"));
    };
    let ([from], [to]) = (from.as_slice(), to.as_slice()) else {
        return Err(format!("{text:?} does not name one sender and one receiver"));
    };
    let times = args.get("times", 1, number)?;
    let envelope = forge::envelope(*from, *to, args)?;
    (0..times).try_for_each(|_| world.receive(*to, envelope.clone()))
}

fn net(world: &mut World, _: &mut Args<'_>) -> Result<(), String> {
    let line = |(envelope, held): (&raft_core::Envelope, bool)| {
        let held = if held { " (held)" } else { "" };
        let text = print::envelope(envelope, true)?;
        Ok(format!("{}->{} {text}{held}", envelope.from, envelope.to))
    };
    let lines: Vec<String> = world.net.all().map(line).collect::<Result<_, String>>()?;
    if lines.is_empty() {
        world.answer("nothing is under way".to_owned());
    }
    lines.into_iter().for_each(|line| world.answer(line));
    Ok(())
}
