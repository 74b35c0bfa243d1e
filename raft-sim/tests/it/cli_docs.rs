//! docs/CLI.md against the parser: the flag tables are written from the definition.

use std::{fmt::Write, fs, path::PathBuf};

use clap::{Command, CommandFactory};
use raft_sim::cli::args::Arguments;

const BEGIN: &str = "<!-- flags: written by the test cli_docs; UPDATE_EXPECT=1 rewrites -->\n";
const END: &str = "<!-- end of flags -->\n";

fn page() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../docs/CLI.md")
}

fn table(command: &Command) -> String {
    let mut text = String::new();
    let about = command.get_about().map(ToString::to_string).unwrap_or_default();
    writeln!(text, "### {}\n\n{about}\n", command.get_name()).unwrap();
    writeln!(text, "| flag | environment | default | meaning |\n|---|---|---|---|").unwrap();
    for arg in command.get_arguments() {
        let value = arg.get_value_names().and_then(|names| names.first());
        let takes = arg.get_action().takes_values();
        let name = match (arg.get_long(), arg.get_short(), value) {
            (Some("help" | "version"), ..) => continue,
            (Some(long), short, value) => {
                let value = value.filter(|_| takes).map(|v| format!(" {v}")).unwrap_or_default();
                let short = short.map(|short| format!(", `-{short}`")).unwrap_or_default();
                format!("`--{long}{value}`{short}")
            }
            (None, _, Some(value)) => format!("`{value}…`"),
            (None, _, None) => continue,
        };
        let env = arg.get_env().map(|env| format!("`{}`", env.to_string_lossy()));
        let defaults = arg.get_default_values();
        let default =
            defaults.first().filter(|_| takes).map(|d| format!("`{}`", d.to_string_lossy()));
        let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
        let (env, default) = (env.unwrap_or_default(), default.unwrap_or_default());
        writeln!(text, "| {name} | {env} | {default} | {help} |").unwrap();
    }
    text
}

#[test]
fn the_page_lists_exactly_the_flags_there_are() {
    let mut command = Arguments::command();
    command.build();
    let visible = command.get_subcommands().filter(|c| !c.is_hide_set() && c.get_name() != "help");
    let tables: Vec<String> = visible.map(table).collect();
    let wanted = format!("{BEGIN}\n{}\n{END}", tables.join("\n"));
    let page_text = fs::read_to_string(page()).unwrap();
    let (before, rest) = page_text.split_once(BEGIN).expect("docs/CLI.md has the opening marker");
    let (_, after) = rest.split_once(END).expect("docs/CLI.md has the closing marker");
    let new = format!("{before}{wanted}{after}");
    if std::env::var_os("UPDATE_EXPECT").is_some_and(|value| value == "1") {
        fs::write(page(), &new).unwrap();
    } else {
        assert_eq!(page_text, new, "docs/CLI.md is behind the parser: run with UPDATE_EXPECT=1");
    }
}

#[test]
fn the_page_speaks_of_no_flag_or_command_that_is_not_there() {
    let mut command = Arguments::command();
    command.build();
    let commands: Vec<&str> = command.get_subcommands().map(Command::get_name).collect();
    let flags: Vec<String> = command
        .get_subcommands()
        .flat_map(|c| c.get_arguments().filter_map(|a| a.get_long()))
        .map(|long| format!("--{long}"))
        .collect();
    let text = fs::read_to_string(page()).unwrap();
    for word in text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '-')) {
        if word.len() > 2 && word.starts_with("--") && word.chars().any(char::is_alphabetic) {
            assert!(flags.iter().any(|flag| flag == word), "{word} is no flag");
        }
    }
    for line in text.lines().filter_map(|line| line.strip_prefix("raft-sim ")) {
        let word = line.split_whitespace().next().unwrap_or_default();
        assert!(commands.contains(&word), "`{word}` is no command");
    }
}
