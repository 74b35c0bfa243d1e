//! Comparing what was said with what was expected, and saying what to do.
//!
//! **Intuition.** A failure names the first line that differs, the rule the script guards, the
//! command that runs it again, and the one that accepts the new words if they are right.
//! **Source.** Ours.
//! **Upholds.** Nothing.
//! **Not here.** Running (`run.rs`).

use super::parse::Script;

/// How a script ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It said what was expected.
    Passed,
    /// It said something else and that is to be accepted: the file's new text.
    Rewrite(String),
    /// It failed: the whole message, what to do included.
    Failed(String),
}

/// What happened when a script ran.
#[derive(Debug)]
pub(super) struct Told {
    /// What each block said; the last may be cut short by `broken`.
    pub(super) outputs: Vec<Vec<String>>,
    /// Line of the command that failed, the command, and why.
    pub(super) broken: Option<(usize, String, String)>,
}

/// Judges what `script` said; `accept` asks for new expectations instead of a failure.
pub(super) fn judge(name: &str, script: &Script, told: &Told, accept: bool) -> Verdict {
    let rules = rules(&script.story());
    if let Some((line, command, why)) = &told.broken {
        let said = told.outputs.last().map(Vec::as_slice).unwrap_or_default();
        let recent = said.iter().rev().take(SHOWN_MAX).rev();
        let recent: String = recent.map(|line| format!(" {line}\n")).collect();
        return Verdict::Failed(format!(
            "{name}.txt:{line}: `{command}`: {why}\n{recent}{}",
            advice(name, &rules, false)
        ));
    }
    let pairs = script.blocks.iter().zip(&told.outputs);
    let changed: Vec<(usize, Option<&String>, Option<&String>)> = pairs
        .flat_map(|(block, said)| {
            let longest = block.expected.len().max(said.len());
            (0..longest).filter_map(move |at| {
                let (want, got) = (block.expected.get(at), said.get(at));
                (want != got).then_some((block.expected_at + at, want, got))
            })
        })
        .collect();
    let Some((line, want, got)) = changed.first() else { return Verdict::Passed };
    if accept {
        return Verdict::Rewrite(script.with_outputs(&told.outputs));
    }
    let sign = |sign: &str, line: &Option<&String>| {
        line.map_or(String::new(), |line| format!("{sign}{line}\n"))
    };
    Verdict::Failed(format!(
        "{name}.txt:{line}: output changed (first of {} lines)\n{}{}{}",
        changed.len(),
        sign("-", want),
        sign("+", got),
        advice(name, &rules, true)
    ))
}

/// Lines shown before a command that failed.
const SHOWN_MAX: usize = 6;

/// The invariants a story names.
pub(super) fn rules(story: &str) -> Vec<String> {
    let ids = story.split(|c: char| !c.is_ascii_alphanumeric() && c != ':' && c != '-');
    ids.filter(|id| id.len() > 4 && id.starts_with("inv:")).map(str::to_owned).collect()
}

fn advice(name: &str, rules: &[String], accept: bool) -> String {
    let mut text = format!("rule:   {}, docs/INVARIANTS.md\n", rules.join(", "));
    text += &format!("rerun:  cargo test -p raft-core --test script {name}");
    if accept {
        text += &format!("\naccept: cargo bless -p raft-core --test script {name}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn script() -> Script {
        Script::parse("# A story (inv:monotone, thesis §3.3).\na\n----\none\ntwo\n\nb\n----\n")
            .unwrap()
    }

    fn told(first: &[&str], second: &[&str]) -> Told {
        let lines = |lines: &[&str]| lines.iter().map(|line| (*line).to_owned()).collect();
        Told { outputs: vec![lines(first), lines(second)], broken: None }
    }

    #[test]
    fn equal_is_passed_and_a_difference_names_its_line_and_what_to_do() {
        let judge = |told: &Told| judge("area/name", &script(), told, false);
        assert_eq!(judge(&told(&["one", "two"], &[])), Verdict::Passed);
        let want = "area/name.txt:5: output changed (first of 2 lines)\n-two\n+2\n\
                    rule:   inv:monotone, docs/INVARIANTS.md\n\
                    rerun:  cargo test -p raft-core --test script area/name\n\
                    accept: cargo bless -p raft-core --test script area/name";
        assert_eq!(judge(&told(&["one", "2"], &["more"])), Verdict::Failed(want.to_owned()));
        let Verdict::Failed(text) = judge(&told(&["one"], &[])) else { panic!("two is missing") };
        assert!(text.contains(":5: ") && text.contains("-two\nrule"), "{text}");
    }

    #[test]
    fn accepting_rewrites_but_never_a_broken_command() {
        let mut said = told(&["1"], &[]);
        let Verdict::Rewrite(text) = judge("a/n", &script(), &said, true) else { panic!("kept") };
        assert_eq!(text, "# A story (inv:monotone, thesis §3.3).\na\n----\n1\n\nb\n----\n");
        said.broken = Some((2, "a".to_owned(), "inv:monotone: it fell".to_owned()));
        let Verdict::Failed(text) = judge("a/n", &script(), &said, true) else { panic!("taken") };
        assert!(text.starts_with("a/n.txt:2: `a`: inv:monotone: it fell\n"), "{text}");
        assert!(!text.contains("accept:"), "{text}");
    }

    #[test]
    fn rules_are_found_in_a_story() {
        assert_eq!(rules("x (inv:log-matching, inv:live)."), ["inv:log-matching", "inv:live"]);
        assert!(rules("no rule inv: here").is_empty());
    }
}
