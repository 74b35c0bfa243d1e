//! The commands of a script, one row each.
//!
//! **Intuition.** A command is a name, its words, one sentence, and a function; the tables of the
//! files here are the whole language, and the reference in docs/SCRIPTS.md is compared with them.
//! **Source.** Ours.
//! **Upholds.** Nothing.
//! **Not here.** Messages that can be made up (`forge.rs`), words of outputs (`print.rs`).

mod client;
mod cluster;
mod look;
mod messages;
mod operator;
mod snapshots;
mod storage;
mod story;
mod time;

use super::{forge, parse::Args, print, world::World};

/// One command.
pub(super) struct Verb {
    name: &'static str,
    /// Its words, as in a manual.
    usage: &'static str,
    about: &'static str,
    run: fn(&mut World, &mut Args<'_>) -> Result<(), String>,
}

/// A folder of commands: its title and its rows.
type Table = (&'static str, &'static [Verb]);

const TABLES: &[Table] = &[
    ("Servers", cluster::VERBS),
    ("Time", time::VERBS),
    ("Messages", messages::VERBS),
    ("Disks and machines", storage::VERBS),
    ("Snapshots", snapshots::VERBS),
    ("Clients", client::VERBS),
    ("Operators", operator::VERBS),
    ("Whole stories", story::VERBS),
    ("Looking", look::VERBS),
];

/// Runs one command.
pub(super) fn run(world: &mut World, command: &str) -> Result<(), String> {
    let (name, mut args) = Args::of(command);
    let verbs = || TABLES.iter().flat_map(|(_, verbs)| verbs.iter());
    let verb = verbs().find(|verb| verb.name == name).ok_or_else(|| {
        let known = verbs().map(|verb| verb.name).collect::<Vec<_>>().join(", ");
        format!("there is no command {name:?}; known are {known}")
    })?;
    (verb.run)(world, &mut args)?;
    args.finish().map_err(|why| format!("{why}; usage: {name} {}", verb.usage))
}

/// The reference of the language as Markdown tables; docs/SCRIPTS.md holds exactly this text.
#[must_use]
pub fn reference() -> String {
    let mut text = String::new();
    for (title, verbs) in TABLES {
        text += &format!("### {title}\n\n| command | does |\n|---|---|\n");
        for Verb { name, usage, about, .. } in *verbs {
            let usage = format!("{name} {usage}").trim_end().replace('|', "\\|");
            text += &format!("| `{usage}` | {about} |\n");
        }
        text.push('\n');
    }
    text += "### Messages to forge\n\n| message | words |\n|---|---|\n";
    for kind in forge::KINDS {
        text += &format!("| `{}` | `{}` |\n", kind.name, kind.usage.replace('|', "\\|"));
    }
    let kinds = print::KINDS.iter().map(|kind| format!("`{kind}`")).collect::<Vec<_>>();
    text += &format!("\n### Kinds of lines\n\n{}.\n", kinds.join(", "));
    text
}

/// The names of all commands.
#[must_use]
pub fn commands() -> Vec<&'static str> {
    TABLES.iter().flat_map(|(_, verbs)| verbs.iter().map(|verb| verb.name)).collect()
}
