//! All mutants in one program: which of them is on is chosen when it starts.
//!
//! **Intuition.** Building the core anew for each mutant costs more than all its tests. So each
//! function that some mutant changes is woven: its body once for each of them and once as it is,
//! and a number in the environment chooses. One build serves the whole list.
//! **Source.** Mutant schemata (Untch, Offutt and Harrold 1993).
//! **Upholds.** None in the protocol.
//! **Not here.** Building and running (`bench.rs`).

use std::ops::Range;

use crate::list::Mutant;

/// The variable that names the mutant which is on; 0 or nothing for none.
pub(crate) const VARIABLE: &str = "RAFT_MUTANT";

/// What is added to the copy's `lib.rs`.
pub(crate) const SWITCH: &str = r#"
/// Which mutant is on.
pub(crate) mod mutant {
    extern crate std;
    static ON: self::std::sync::OnceLock<u32> = self::std::sync::OnceLock::new();
    pub(crate) fn on(number: u32) -> bool {
        let read = || self::std::env::var("RAFT_MUTANT").ok()?.parse::<u32>().ok();
        *ON.get_or_init(|| read().unwrap_or(0)) == number
    }
}
"#;

/// A file with its mutants in it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Woven {
    pub(crate) text: String,
    /// Where each mutant's body stands, in lines from 1.
    pub(crate) places: Vec<(u32, Range<usize>)>,
}

impl Woven {
    /// The mutant whose body holds this line.
    pub(crate) fn at(&self, line: usize) -> Option<u32> {
        self.places.iter().find(|(_, lines)| lines.contains(&line)).map(|(number, _)| *number)
    }
}

/// A function: lines from 0 of its head, its body, and the brace behind it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Function {
    head: usize,
    body: Range<usize>,
}

/// The outermost functions of a file that rustfmt has formatted: the brace which ends a body stands
/// alone, as deep as the line that begins the head.
fn functions(lines: &[&str]) -> Vec<Function> {
    let mut found: Vec<Function> = Vec::new();
    for (head, line) in lines.iter().enumerate() {
        if found.last().is_some_and(|last| head < last.body.end) || !is_head(line) {
            continue;
        }
        let opens = lines.iter().enumerate().skip(head).find(|(_, line)| {
            [";", "{", "}"].iter().any(|end| line.ends_with(end)) && !line.contains("//")
        });
        let Some((open, _)) = opens.filter(|(_, line)| line.ends_with('{')) else { continue };
        let depth = line.len() - line.trim_start().len();
        let closes = format!("{}}}", " ".repeat(depth));
        let end = lines.iter().enumerate().skip(open + 1).find(|(_, line)| **line == closes);
        if let Some((end, _)) = end {
            found.push(Function { head, body: open + 1..end });
        }
    }
    found
}

fn is_head(line: &str) -> bool {
    let mut rest = line.trim_start();
    for word in ["pub(crate) ", "pub(super) ", "pub ", "const "] {
        rest = rest.strip_prefix(word).unwrap_or(rest);
    }
    rest.starts_with("fn ")
}

/// Lines of `text` that hold the anchor of `mutant`, from 0.
fn lines_of(text: &str, mutant: &Mutant) -> Option<Range<usize>> {
    let at = text.find(&mutant.anchor)?;
    let line = |at: usize| text[..at].matches('\n').count();
    let last = at + mutant.anchor.trim_end().len();
    Some(line(at)..line(last) + 1)
}

/// The line from 0 in `original` of the head of the function that holds `line`, from 1, of `woven`.
pub(crate) fn head_above(woven: &str, original: &str, line: usize) -> Option<usize> {
    let above: Vec<&str> = woven.lines().take(line).filter(|line| is_head(line)).collect();
    let head = above.last()?;
    // Heads keep their order; those that are spelled alike are told apart by counting.
    let nth = above.iter().filter(|other| other == &head).count();
    let same = original.lines().enumerate().filter(|(_, line)| line == head);
    same.map(|(at, _)| at).nth(nth.checked_sub(1)?)
}

/// Puts `mutants` into `text`.
///
/// A function that reads a number from outside cannot be `const`; those that call it neither, so
/// `plain` says of further lines that the function there is not to be.
pub(crate) fn weave(
    text: &str,
    mutants: &[(u32, &Mutant)],
    plain: &[usize],
) -> Result<Woven, String> {
    let lines: Vec<&str> = text.lines().collect();
    let all = functions(&lines);
    let mut inside: Vec<Vec<(u32, &Mutant)>> = vec![Vec::new(); all.len()];
    for (number, mutant) in mutants {
        let place = lines_of(text, mutant).and_then(|lines| {
            all.iter().position(|f| f.body.start <= lines.start && lines.end <= f.body.end)
        });
        match place.and_then(|place| inside.get_mut(place)) {
            Some(list) => list.push((*number, *mutant)),
            None => {
                let (id, file) = (&mutant.id, &mutant.file);
                return Err(format!("mutant {id}: it is not inside one function's body in {file}"));
            }
        }
    }
    let mut out: Vec<String> = Vec::new();
    let mut places = Vec::new();
    let mut next = 0;
    for (function, list) in all.iter().zip(inside) {
        let is_plain = plain.iter().any(|at| (function.head..function.body.end).contains(at));
        if list.is_empty() && !is_plain {
            continue;
        }
        out.extend(lines[next..function.head].iter().map(|line| (*line).to_owned()));
        let head = &lines[function.head..function.body.start];
        out.extend(head.iter().map(|line| line.replacen("const fn ", "fn ", 1)));
        let body = lines[function.body.clone()].join("\n");
        for (at, (number, mutant)) in list.iter().enumerate() {
            let otherwise = if at == 0 { "" } else { "} else " };
            out.push(format!("{otherwise}if crate::mutant::on({number}) {{"));
            let start = out.len() + 1;
            out.extend(mutant.apply(&format!("{body}\n"))?.lines().map(str::to_owned));
            places.push((*number, start..out.len() + 1));
        }
        if !list.is_empty() {
            out.push("} else {".to_owned());
        }
        out.extend(body.lines().map(str::to_owned));
        if !list.is_empty() {
            out.push("}".to_owned());
        }
        next = function.body.end;
    }
    out.extend(lines[next..].iter().map(|line| (*line).to_owned()));
    out.push(String::new());
    Ok(Woven { text: out.join("\n"), places })
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "\
use a;

impl A {
    /// Doc.
    pub(crate) const fn one(
        &self,
    ) -> bool {
        if self.a < 1 {
            return true;
        }
        self.b
    }

    fn two(&self) {
        self.c();
    }
}
";

    fn mutant(anchor: &str, replacement: &str) -> Mutant {
        Mutant {
            id: "m".into(),
            area: "a".into(),
            file: "a.rs".into(),
            anchor: anchor.into(),
            replacement: replacement.into(),
            breaks: "A rule.".into(),
            survives: None,
        }
    }

    #[test]
    fn a_function_holds_each_of_its_mutants_and_itself() {
        let (a, b) = (mutant("self.a < 1", "self.a <= 1"), mutant("self.b\n", "!self.b\n"));
        let woven = weave(FILE, &[(7, &a), (8, &b)], &[]).expect("woven");
        let want = "\
use a;

impl A {
    /// Doc.
    pub(crate) fn one(
        &self,
    ) -> bool {
if crate::mutant::on(7) {
        if self.a <= 1 {
            return true;
        }
        self.b
} else if crate::mutant::on(8) {
        if self.a < 1 {
            return true;
        }
        !self.b
} else {
        if self.a < 1 {
            return true;
        }
        self.b
}
    }

    fn two(&self) {
        self.c();
    }
}
";
        assert_eq!(woven.text, want);
        assert_eq!(woven.at(8), None);
        assert_eq!((woven.at(9), woven.at(12), woven.at(13)), (Some(7), Some(7), None));
        assert_eq!((woven.at(14), woven.at(18)), (Some(8), None));
    }

    #[test]
    fn without_mutants_nothing_changes_but_what_cannot_be_const() {
        assert_eq!(weave(FILE, &[], &[]).expect("woven").text, FILE);
        let plain = weave(FILE, &[], &[8]).expect("woven").text;
        assert_eq!(plain, FILE.replace("const fn", "fn"));
    }

    #[test]
    fn the_function_above_a_line_is_found_in_the_original() {
        let a = mutant("self.a < 1", "self.a <= 1");
        let woven = weave(FILE, &[(7, &a)], &[]).expect("woven").text;
        let at = woven.lines().position(|line| line.contains("self.c")).expect("there") + 1;
        assert_eq!(head_above(&woven, FILE, at), FILE.lines().position(|l| l.contains("fn two")));
        assert_eq!(head_above(FILE, FILE, 2), None);
    }

    #[test]
    fn what_is_in_no_body_is_refused() {
        for outside in [mutant("use a;", "use b;"), mutant("fn two(&self) {\n", "fn two() {\n")] {
            let error = weave(FILE, &[(1, &outside)], &[]).expect_err("refused");
            assert!(error.contains("not inside one function's body"), "{error}");
        }
    }
}
