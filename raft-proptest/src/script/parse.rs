//! Reading a script: a file into blocks, a command into words.
//!
//! **Intuition.** A block is some lines, `----`, and the expected lines up to the next blank one.
//! Everything before `----` is kept as it stands, so that rewriting expectations touches nothing
//! else. A word that a command does not use is a mistake in the script, never ignored.
//! **Source.** Ours, after Go's datadriven.
//! **Upholds.** Nothing.
//! **Not here.** What commands mean (`verb/`).

use raft_core::{LogIndex, LogPosition, NodeId, Term};

/// What stands between commands and expectations.
pub(super) const SEPARATOR: &str = "----";

/// A whole file.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Script {
    pub(super) blocks: Vec<Block>,
    /// Comments after the last block.
    tail: Vec<String>,
}

/// Commands and what they must say.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Block {
    /// Comments, blank lines and commands as they stand.
    lead: Vec<String>,
    /// Commands with their line in the file, from 1.
    pub(super) commands: Vec<(usize, String)>,
    pub(super) expected: Vec<String>,
    /// Line of the first expected one, from 1.
    pub(super) expected_at: usize,
}

impl Script {
    /// Cuts `text` into blocks.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let mut script = Self::default();
        let mut block = Block::default();
        let mut lines = text.lines().zip(1_usize..);
        while let Some((line, number)) = lines.next() {
            if line == SEPARATOR {
                if block.commands.is_empty() {
                    return Err(format!("{number}: a block without a command"));
                }
                block.expected_at = number + 1;
                for (expected, _) in lines.by_ref().take_while(|(line, _)| !line.is_empty()) {
                    block.expected.push(expected.to_owned());
                }
                script.blocks.push(std::mem::take(&mut block));
                continue;
            }
            let content = line.trim();
            if !content.is_empty() && !content.starts_with('#') {
                let parts = content.split(';').map(str::trim).filter(|part| !part.is_empty());
                block.commands.extend(parts.map(|part| (number, part.to_owned())));
            }
            block.lead.push(line.to_owned());
        }
        if let Some((number, _)) = block.commands.first() {
            return Err(format!("{number}: commands without {SEPARATOR} and what they say"));
        }
        script.tail = block.lead;
        if script.blocks.is_empty() {
            return Err("1: no block".to_owned());
        }
        Ok(script)
    }

    /// The comment that opens the file: the story and the rules it guards.
    pub(super) fn story(&self) -> String {
        let lead = self.blocks.first().map(|block| block.lead.as_slice()).unwrap_or_default();
        let lines = lead.iter().map_while(|line| line.strip_prefix('#')).map(str::trim);
        lines.collect::<Vec<_>>().join(" ")
    }

    /// The file with these lines in place of what was expected.
    pub(super) fn with_outputs(&self, outputs: &[Vec<String>]) -> String {
        let mut text = String::new();
        let mut put = |line: &str| {
            text.push_str(line);
            text.push('\n');
        };
        for (at, block) in self.blocks.iter().enumerate() {
            if at > 0 {
                put("");
            }
            block.lead.iter().for_each(|line| put(line));
            put(SEPARATOR);
            outputs.get(at).unwrap_or(&block.expected).iter().for_each(|line| put(line));
        }
        if !self.tail.is_empty() {
            put("");
            self.tail.iter().for_each(|line| put(line));
        }
        text
    }
}

/// The words of one command after its name.
#[derive(Debug)]
pub(super) struct Args<'a> {
    plain: Vec<&'a str>,
    named: Vec<(&'a str, &'a str)>,
}

impl<'a> Args<'a> {
    /// Name and words of a command.
    pub(super) fn of(command: &'a str) -> (&'a str, Self) {
        let mut words = command.split_whitespace();
        let name = words.next().unwrap_or_default();
        let mut args = Self { plain: Vec::new(), named: Vec::new() };
        for word in words {
            match word.split_once('=') {
                Some(pair) => args.named.push(pair),
                None => args.plain.push(word),
            }
        }
        args.plain.reverse();
        (name, args)
    }

    /// The next word, if there is one.
    pub(super) fn next(&mut self) -> Option<&'a str> {
        self.plain.pop()
    }

    /// The next word; `what` says what it should be.
    pub(super) fn word(&mut self, what: &str) -> Result<&'a str, String> {
        self.next().ok_or_else(|| format!("{what} is missing"))
    }

    /// Takes `word` if it is among the words left.
    pub(super) fn take_word(&mut self, word: &str) -> bool {
        let at = self.plain.iter().position(|plain| *plain == word);
        at.is_some_and(|at| self.plain.remove(at) == word)
    }

    /// The next word as a node.
    pub(super) fn node(&mut self) -> Result<u64, String> {
        node(self.word("a node")?)
    }

    /// Takes the value given as `key=value`.
    pub(super) fn value(&mut self, key: &str) -> Option<&'a str> {
        let at = self.named.iter().position(|(name, _)| *name == key)?;
        Some(self.named.remove(at).1)
    }

    /// The value of `key` read by `read`, or `none`.
    pub(super) fn get<T>(
        &mut self,
        key: &str,
        none: T,
        read: impl FnOnce(&str) -> Result<T, String>,
    ) -> Result<T, String> {
        self.value(key).map_or(Ok(none), |value| read(value).map_err(|e| format!("{key}: {e}")))
    }

    /// Takes whatever is left of `key=value`.
    pub(super) fn rest(&mut self) -> Vec<(&'a str, &'a str)> {
        std::mem::take(&mut self.named)
    }

    /// Refuses words that nobody used.
    pub(super) fn finish(mut self) -> Result<(), String> {
        let named = self.named.iter().map(|(key, _)| *key);
        match self.plain.pop().or(named.into_iter().next()) {
            Some(word) => Err(format!("{word:?} means nothing here")),
            None => Ok(()),
        }
    }
}

/// `7`.
pub(super) fn number(text: &str) -> Result<u64, String> {
    if text == "max" {
        return Ok(u64::MAX);
    }
    text.parse().map_err(|_| format!("{text:?} is no number"))
}

/// `n7`.
pub(super) fn node(text: &str) -> Result<u64, String> {
    number(text.strip_prefix('n').unwrap_or(text)).map_err(|_| format!("{text:?} is no node"))
}

/// `none` or what `read` reads.
pub(super) fn option<T>(
    read: impl FnOnce(&str) -> Result<T, String>,
) -> impl FnOnce(&str) -> Result<Option<T>, String> {
    move |text| if text == "none" { Ok(None) } else { read(text).map(Some) }
}

/// `on` or `off`.
pub(super) fn switch(text: &str) -> Result<bool, String> {
    match text {
        "on" => Ok(true),
        "off" => Ok(false),
        other => Err(format!("{other:?} is neither on nor off")),
    }
}

/// `1,2,3`, with or without parentheses, each read by `read`.
pub(super) fn list<T>(
    read: impl Fn(&str) -> Result<T, String>,
) -> impl FnOnce(&str) -> Result<Vec<T>, String> {
    move |text| {
        let inner = text.strip_prefix('(').and_then(|t| t.strip_suffix(')')).unwrap_or(text);
        inner.split(',').filter(|part| !part.is_empty()).map(read).collect()
    }
}

/// `term/index`.
pub(super) fn position(text: &str) -> Result<LogPosition, String> {
    let (term, index) = text.split_once('/').ok_or(format!("{text:?} is no term/index"))?;
    Ok(LogPosition::new(Term(number(term)?), LogIndex(number(index)?)))
}

/// `150ms`, `20us`, `3s`, `7ns` in nanoseconds.
pub(super) fn duration(text: &str) -> Result<u64, String> {
    const UNITS: [(&str, u64); 4] =
        [("ns", 1), ("us", 1_000), ("ms", 1_000_000), ("s", 1_000_000_000)];
    for (unit, nanos) in UNITS {
        if let Some(count) = text.strip_suffix(unit).and_then(|t| t.parse::<u64>().ok()) {
            return count.checked_mul(nanos).ok_or(format!("{text} is too long"));
        }
    }
    Err(format!("{text:?} is no duration such as 150ms"))
}

/// A node id.
pub(super) fn node_id(text: &str) -> Result<NodeId, String> {
    node(text).map(NodeId)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "# Story.\n# More.\nfoo a=1; bar\n\n# Why.\nbaz\n----\nout\n\nlast\n----\n";

    #[test]
    fn a_file_is_blocks_and_rewriting_keeps_the_rest() {
        let script = Script::parse(TEXT).unwrap();
        assert_eq!(script.story(), "Story. More.");
        let commands: Vec<_> = script.blocks.iter().flat_map(|b| b.commands.clone()).collect();
        let want = [(3, "foo a=1"), (3, "bar"), (6, "baz"), (10, "last")];
        assert_eq!(commands, want.map(|(line, text)| (line, text.to_owned())));
        assert_eq!(script.blocks[0].expected, ["out"]);
        assert_eq!((script.blocks[0].expected_at, script.blocks[1].expected_at), (8, 12));
        assert_eq!(script.with_outputs(&[vec!["out".to_owned()], Vec::new()]), TEXT);
        let changed = script.with_outputs(&[Vec::new(), vec!["new".to_owned()]]);
        assert_eq!(changed, TEXT.replace("out\n", "") + "new\n");
    }

    #[test]
    fn what_is_no_script_is_refused() {
        assert!(Script::parse("").is_err());
        assert!(Script::parse("# only words\n").is_err());
        assert!(Script::parse("foo\n").unwrap_err().starts_with("1: "));
        assert!(Script::parse("----\n").unwrap_err().starts_with("1: "));
        assert!(Script::parse("a\n----\n\n# end\n").is_ok());
    }

    #[test]
    fn a_word_nobody_uses_is_a_mistake() {
        let (name, mut args) = Args::of("propose n1 x size=3");
        assert_eq!((name, args.node()), ("propose", Ok(1)));
        assert_eq!(args.get("size", 0, number), Ok(3));
        assert!(args.finish().unwrap_err().contains("\"x\""));
        let (_, args) = Args::of("read lev=1");
        assert!(args.finish().is_err());
        assert!(Args::of("read").1.finish().is_ok());
        assert!(Args::of("read").1.node().is_err());
    }

    #[test]
    fn values_are_read_or_refused() {
        assert_eq!(node("n3"), Ok(3));
        assert!(node("nx").is_err());
        assert_eq!(position("2/7"), Ok(LogPosition::new(Term(2), LogIndex(7))));
        assert!(position("7").is_err());
        assert_eq!(duration("20us"), Ok(20_000));
        assert_eq!(duration("3s"), Ok(3_000_000_000));
        assert!(duration("3").is_err());
        assert_eq!(list(number)("(1,2)"), Ok(vec![1, 2]));
        assert_eq!(list(number)("()"), Ok(Vec::new()));
        assert!(list(number)("1,x").is_err());
        assert_eq!(switch("on"), Ok(true));
        assert!(switch("yes").is_err());
        assert_eq!(option(number)("none"), Ok(None));
        assert_eq!(number("max"), Ok(u64::MAX));
    }
}
