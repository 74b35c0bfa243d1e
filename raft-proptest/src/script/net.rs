//! The network of a script: messages under way, in the order they were sent.
//!
//! **Intuition.** Nothing arrives by itself. A script names which messages arrive, in which order,
//! how often, or never, and says so by sender, receiver and kind.
//! **Source.** Ours.
//! **Upholds.** Nothing.
//! **Not here.** Making messages up (`forge.rs`), what a node does with them (`world.rs`).

use std::collections::BTreeSet;

use raft_core::Envelope;

use super::parse::{Args, list, node, number};

/// One message under way.
#[derive(Clone, Debug)]
struct Flight {
    envelope: Envelope,
    /// Put aside by `hold`.
    held: bool,
}

/// All messages under way, and the links that carry nothing.
#[derive(Clone, Debug, Default)]
pub(super) struct Net {
    flights: Vec<Flight>,
    cut: BTreeSet<(u64, u64)>,
}

/// Which messages a command speaks of: `n1->n2 RequestVote nth=2,1`.
#[derive(Clone, Debug)]
pub(super) struct Pattern {
    from: Side,
    to: Side,
    kind: Option<String>,
    nth: Vec<u64>,
    text: String,
}

/// One end of a link: these nodes, or `None` for any.
pub(super) type Side = Option<Vec<u64>>;

fn side(text: &str) -> Result<Side, String> {
    if text == "*" { Ok(None) } else { list(node)(text).map(Some) }
}

/// `n1->n2,n3`, `n1->*`, `*->n2`, or `*` for everything.
pub(super) fn link(text: &str) -> Result<(Side, Side), String> {
    if text == "*" {
        return Ok((None, None));
    }
    let (from, to) = text.split_once("->").ok_or(format!("{text:?} is no link such as n1->n2"))?;
    Ok((side(from)?, side(to)?))
}

impl Pattern {
    pub(super) fn read(args: &mut Args<'_>) -> Result<Self, String> {
        let text = args.word("a link such as n1->n2")?;
        let (from, to) = link(text)?;
        let kind = args.next().map(str::to_owned);
        let nth = args.get("nth", Vec::new(), list(number))?;
        let text = format!("{text} {}", kind.as_deref().unwrap_or("")).trim_end().to_owned();
        Ok(Self { from, to, kind, nth, text })
    }

    /// Everything among these nodes.
    pub(super) fn among(nodes: &[u64]) -> Self {
        let nodes = Some(nodes.to_vec());
        Self { from: nodes.clone(), to: nodes, kind: None, nth: Vec::new(), text: String::new() }
    }

    fn matches(&self, envelope: &Envelope) -> bool {
        let fits = |side: &Side, id: u64| side.as_ref().is_none_or(|nodes| nodes.contains(&id));
        fits(&self.from, envelope.from.0)
            && fits(&self.to, envelope.to.0)
            && self.kind.as_ref().is_none_or(|kind| kind == envelope.message.name())
    }
}

impl Net {
    /// Takes a message from its sender; over a cut link it is lost.
    pub(super) fn send(&mut self, envelope: Envelope) {
        if !self.cut.contains(&(envelope.from.0, envelope.to.0)) {
            self.flights.push(Flight { envelope, held: false });
        }
    }

    /// Where the matching messages stand, in the order asked for. None at all is a mistake.
    fn find(&self, pattern: &Pattern, held: bool) -> Result<Vec<usize>, String> {
        let all = self.flights.iter().enumerate();
        let fits = |flight: &Flight| flight.held == held && pattern.matches(&flight.envelope);
        let found: Vec<usize> = all.filter(|(_, f)| fits(f)).map(|(at, _)| at).collect();
        if found.is_empty() {
            return Err(format!("no message under way matches {}", pattern.text));
        }
        if pattern.nth.is_empty() {
            return Ok(found);
        }
        let pick = |nth: &u64| {
            let at = usize::try_from(nth.saturating_sub(1)).unwrap_or(usize::MAX);
            let there = found.get(at).copied().filter(|_| *nth > 0);
            there.ok_or(format!("{} has {} messages, not {nth}", pattern.text, found.len()))
        };
        pattern.nth.iter().map(pick).collect()
    }

    /// Takes the matching messages off the net.
    pub(super) fn take(&mut self, pattern: &Pattern) -> Result<Vec<Envelope>, String> {
        let found = self.find(pattern, false)?;
        let taken = found.iter().filter_map(|at| self.flights.get(*at));
        let taken = taken.map(|flight| flight.envelope.clone()).collect();
        self.remove(&found);
        Ok(taken)
    }

    fn remove(&mut self, found: &[usize]) {
        let mut at = 0;
        self.flights.retain(|_| {
            at += 1;
            !found.contains(&(at - 1))
        });
    }

    /// The first message under way among `nodes`, taken off the net.
    pub(super) fn take_first(&mut self, nodes: &[u64]) -> Option<Envelope> {
        let first = self.find(&Pattern::among(nodes), false).ok()?.into_iter().next()?;
        Some(self.flights.remove(first).envelope)
    }

    /// Puts a copy of each matching message behind all others.
    pub(super) fn duplicate(&mut self, pattern: &Pattern) -> Result<(), String> {
        let found = self.find(pattern, false)?;
        let copies: Vec<Flight> =
            found.iter().filter_map(|at| self.flights.get(*at)).cloned().collect();
        self.flights.extend(copies);
        Ok(())
    }

    /// Turns the order of the matching messages round.
    pub(super) fn reverse(&mut self, pattern: &Pattern) -> Result<(), String> {
        let found = self.find(pattern, false)?;
        for (left, right) in found.iter().zip(found.iter().rev()).take(found.len() / 2) {
            self.flights.swap(*left, *right);
        }
        Ok(())
    }

    /// Puts the matching messages aside, or back.
    pub(super) fn hold(&mut self, pattern: &Pattern, hold: bool) -> Result<(), String> {
        for at in self.find(pattern, !hold)? {
            if let Some(flight) = self.flights.get_mut(at) {
                flight.held = hold;
            }
        }
        Ok(())
    }

    /// Loses everything under way that touches a node outside `nodes`.
    pub(super) fn keep_among(&mut self, nodes: &[u64]) {
        let inside = |e: &Envelope| nodes.contains(&e.from.0) && nodes.contains(&e.to.0);
        self.flights.retain(|flight| flight.held || inside(&flight.envelope));
    }

    /// Loses everything under way between the two sides.
    pub(super) fn lose_between(&mut self, one: &[u64], other: &[u64]) {
        let crosses = |e: &Envelope| {
            one.contains(&e.from.0) && other.contains(&e.to.0)
                || other.contains(&e.from.0) && one.contains(&e.to.0)
        };
        self.flights.retain(|flight| flight.held || !crosses(&flight.envelope));
    }

    /// From now on nothing sent over this link arrives.
    pub(super) fn cut(&mut self, from: u64, to: u64) {
        self.cut.insert((from, to));
    }

    /// All links carry again.
    pub(super) fn heal(&mut self) {
        self.cut.clear();
    }

    /// All messages under way, with whether each is held.
    pub(super) fn all(&self) -> impl Iterator<Item = (&Envelope, bool)> {
        self.flights.iter().map(|flight| (&flight.envelope, flight.held))
    }
}
