//! Tickets: every accepted proposal ends exactly once.
//!
//! **Intuition.** A leader appends one entry after another, so within one reign a ticket is an
//! index plus a constant, and what happened to a thousand proposals is a handful of ranges. A
//! range ends when commit decides its indexes: the same term means applied, another term means
//! superseded. Truncation decides nothing, since another voter may hold the entry and still win.
//! **Source.** Thesis §6.3; D-W3 and D-T4 are the ways to get it wrong.
//! **Upholds.** `inv:nothing-lost`.
//! **Not here.** Reads (`read/`).

use alloc::collections::VecDeque;

use crate::types::{Instant, LogIndex, Term, Ticket};

/// The proposals of one reign at this node.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
struct Reign {
    term: Term,
    /// Index of the opening no-op; its ticket is held by nobody.
    opening: LogIndex,
    /// Ticket of the opening no-op.
    base: Ticket,
    /// Last index appended in the reign.
    last: LogIndex,
    /// Everything up to here has ended.
    ended: LogIndex,
    /// Entries of the core's own among those that have not ended: nobody holds their tickets.
    /// Ascending.
    core: VecDeque<LogIndex>,
    /// When the reign was lost, plus the patience: then what is open ends as unknown.
    expires: Option<Instant>,
}

impl Reign {
    const fn ticket(&self, index: LogIndex) -> Ticket {
        Ticket(self.base.0.saturating_add(index.since(self.opening)))
    }

    /// Everything up to `upto` has ended.
    fn end_upto(&mut self, upto: LogIndex) {
        self.ended = self.ended.max(upto);
        while self.core.front().is_some_and(|index| *index <= self.ended) {
            self.core.pop_front();
        }
    }
}

/// A range of proposals that ended together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct EndedRange {
    pub(crate) first: Ticket,
    pub(crate) count: u64,
}

/// All open reigns of this boot, oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Tickets {
    reigns: VecDeque<Reign>,
    minted: u64,
}

/// Lost reigns kept open at once; one more ends the oldest as unknown.
const REIGNS_MAX: usize = 16;

impl Tickets {
    /// A reign begins with its no-op at `opening`. Tells what ended to make room.
    pub(crate) fn open(&mut self, term: Term, opening: LogIndex, ended: impl FnMut(EndedRange)) {
        self.minted = self.minted.saturating_add(1);
        if self.reigns.len() >= REIGNS_MAX
            && let Some(mut oldest) = self.reigns.pop_front()
        {
            end(&mut oldest, LogIndex(u64::MAX), ended);
        }
        self.reigns.push_back(Reign {
            term,
            opening,
            base: Ticket(self.minted),
            last: opening,
            ended: opening,
            core: VecDeque::new(),
            expires: None,
        });
    }

    /// Whether no reign is open.
    pub(crate) fn are_none(&self) -> bool {
        self.reigns.is_empty()
    }

    /// The current reign appended `index`.
    pub(crate) fn mint(&mut self, index: LogIndex) -> Ticket {
        self.minted = self.minted.saturating_add(1);
        match self.reigns.back_mut() {
            Some(reign) => {
                reign.last = index;
                let ticket = reign.ticket(index);
                debug_assert_eq!(ticket.0, self.minted, "tickets and indexes run in step");
                ticket
            }
            None => Ticket(self.minted),
        }
    }

    /// The current reign appended an entry of the core's own at `index`. It takes its place in the
    /// count, and nobody is told its ticket.
    pub(crate) fn mint_for_core(&mut self, index: LogIndex) {
        self.mint(index);
        if let Some(reign) = self.reigns.back_mut() {
            reign.core.push_back(index);
        }
    }

    /// The current reign is over; what is open may stay so until `expires`.
    pub(crate) fn close(&mut self, expires: Instant) {
        if let Some(reign) = self.reigns.back_mut().filter(|reign| reign.expires.is_none()) {
            reign.expires = Some(expires);
        }
    }

    /// The first index at or above `from` that an open reign of `term` appended for itself: its
    /// opening no-op or another entry of the core's own.
    pub(crate) fn next_of_core(&self, term: Term, from: LogIndex) -> Option<LogIndex> {
        let reign = self.reigns.iter().find(|reign| reign.term == term)?;
        if reign.opening >= from {
            return Some(reign.opening);
        }
        reign.core.iter().copied().find(|index| *index >= from)
    }

    /// The ticket of the entry at (`term`, `index`) if it was appended by a reign that is still
    /// open, and marks everything up to `last` as ended.
    pub(crate) fn applied(
        &mut self,
        term: Term,
        index: LogIndex,
        last: LogIndex,
    ) -> Option<Ticket> {
        let reign = self.reigns.iter_mut().find(|reign| reign.term == term)?;
        if index < reign.opening || last > reign.last {
            return None;
        }
        reign.end_upto(last);
        Some(reign.ticket(index))
    }

    /// Commit passed everything up to `last` with entries of `term`: open proposals of other
    /// reigns in that range are superseded. Call in index order.
    pub(crate) fn superseded(
        &mut self,
        term: Term,
        last: LogIndex,
        mut ended: impl FnMut(EndedRange),
    ) {
        match self.reigns.front() {
            None => return,
            // The reign under way, alone: nothing to supersede, nothing to forget.
            Some(only) if self.reigns.len() == 1 && only.term == term && only.expires.is_none() => {
                return;
            }
            Some(_) => {}
        }
        for reign in self.reigns.iter_mut().filter(|reign| reign.term != term) {
            end(reign, last, &mut ended);
        }
        self.forget();
    }

    /// A snapshot took the place of everything up to `last`: how that ended is not known here.
    pub(crate) fn covered(&mut self, last: LogIndex, mut ended: impl FnMut(EndedRange)) {
        for reign in &mut self.reigns {
            end(reign, last, &mut ended);
        }
        self.forget();
    }

    /// Ends whatever stayed open for too long after its reign was lost.
    pub(crate) fn expire(&mut self, now: Instant, mut ended: impl FnMut(EndedRange)) {
        for reign in &mut self.reigns {
            if reign.expires.is_some_and(|at| now >= at) {
                end(reign, LogIndex(u64::MAX), &mut ended);
            }
        }
        self.forget();
    }

    /// Ends everything that is open.
    pub(crate) fn end_all(&mut self, mut ended: impl FnMut(EndedRange)) {
        for mut reign in self.reigns.drain(..) {
            end(&mut reign, LogIndex(u64::MAX), &mut ended);
        }
    }

    /// When something expires next.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.reigns.front().and_then(|reign| reign.expires)
    }

    /// How many proposals are open.
    pub(crate) fn open_count(&self) -> u64 {
        let open = |reign: &Reign| {
            let entries = reign.last.since(reign.ended);
            entries.saturating_sub(reign.core.len() as u64)
        };
        // Nearly always there is one reign, the last.
        let newest = self.reigns.back().map_or(0, open);
        if self.reigns.len() <= 1 {
            return newest;
        }
        self.reigns.iter().rev().skip(1).fold(newest, |sum, reign| sum.saturating_add(open(reign)))
    }

    /// Whether proposals of that term may still be open.
    pub(crate) fn knows(&self, term: Term) -> bool {
        self.reigns.iter().any(|reign| reign.term == term)
    }

    /// Each open reign: term, opening, last, ended, when it expires.
    pub(crate) fn fold(
        &self,
        mut reign: impl FnMut(Term, LogIndex, LogIndex, LogIndex, Option<Instant>),
    ) {
        for r in &self.reigns {
            reign(r.term, r.opening, r.last, r.ended, r.expires);
        }
    }

    fn forget(&mut self) {
        self.reigns.retain(|reign| reign.expires.is_none() || reign.ended < reign.last);
    }
}

/// Ends the open proposals of `reign` up to `upto`, in ranges between the core's own entries.
fn end(reign: &mut Reign, upto: LogIndex, mut ended: impl FnMut(EndedRange)) {
    let upto = upto.min(reign.last);
    while reign.ended < upto {
        let next = reign.ended.next();
        let core = reign.core.front().copied().filter(|index| *index <= upto);
        let last = core.map_or(upto, LogIndex::prev);
        if last >= next {
            let count = last.since(reign.ended);
            ended(EndedRange { first: reign.ticket(next), count });
        }
        reign.end_upto(core.unwrap_or(upto));
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;

    fn three_in_term_two() -> Tickets {
        let mut tickets = Tickets::default();
        tickets.open(Term(2), LogIndex(5), |_| ());
        for index in 6..=8 {
            assert_eq!(tickets.mint(LogIndex(index)), Ticket(index - 4));
        }
        tickets
    }

    #[test]
    fn applied_entries_name_their_tickets_once() {
        let mut tickets = three_in_term_two();
        assert_eq!(tickets.open_count(), 3);
        assert_eq!(tickets.applied(Term(2), LogIndex(5), LogIndex(7)), Some(Ticket(1)));
        assert_eq!(tickets.applied(Term(1), LogIndex(4), LogIndex(4)), None);
        assert_eq!(tickets.open_count(), 1);
    }

    #[test]
    fn another_term_at_the_index_supersedes() {
        let mut tickets = three_in_term_two();
        tickets.close(Instant(100));
        let mut ended = Vec::new();
        tickets.superseded(Term(3), LogIndex(6), |range| ended.push(range));
        assert_eq!(ended, [EndedRange { first: Ticket(2), count: 1 }]);
        ended.clear();
        tickets.superseded(Term(3), LogIndex(9), |range| ended.push(range));
        assert_eq!(ended, [EndedRange { first: Ticket(3), count: 2 }]);
        assert_eq!(tickets.open_count(), 0);
        assert_eq!(tickets.deadline(), None);
    }

    #[test]
    fn a_later_reign_never_answers_for_an_earlier_one() {
        let mut tickets = three_in_term_two();
        tickets.close(Instant(100));
        tickets.open(Term(4), LogIndex(6), |_| ());
        let other = tickets.mint(LogIndex(7));
        assert_eq!(other, Ticket(6));
        let mut ended = Vec::new();
        tickets.superseded(Term(4), LogIndex(7), |range| ended.push(range));
        assert_eq!(ended, [EndedRange { first: Ticket(2), count: 2 }]);
        assert_eq!(tickets.applied(Term(4), LogIndex(6), LogIndex(7)), Some(Ticket(5)));
    }

    #[test]
    fn patience_and_halt_end_the_rest() {
        let mut tickets = three_in_term_two();
        tickets.close(Instant(100));
        let mut ended = Vec::new();
        tickets.expire(Instant(99), |range| ended.push(range));
        assert_eq!(ended, []);
        tickets.expire(Instant(100), |range| ended.push(range));
        assert_eq!(ended, [EndedRange { first: Ticket(2), count: 3 }]);
        let mut tickets = three_in_term_two();
        ended.clear();
        tickets.end_all(|range| ended.push(range));
        assert_eq!(ended, [EndedRange { first: Ticket(2), count: 3 }]);
        assert_eq!(tickets.open_count(), 0);
    }

    #[test]
    fn entries_of_the_core_belong_to_nobody() {
        let mut tickets = three_in_term_two();
        tickets.mint_for_core(LogIndex(9));
        assert_eq!(tickets.mint(LogIndex(10)), Ticket(6));
        assert_eq!(tickets.open_count(), 4);
        assert_eq!(tickets.next_of_core(Term(2), LogIndex(5)), Some(LogIndex(5)));
        assert_eq!(tickets.next_of_core(Term(2), LogIndex(6)), Some(LogIndex(9)));
        assert_eq!(tickets.next_of_core(Term(2), LogIndex(10)), None);
        assert_eq!(tickets.next_of_core(Term(3), LogIndex(1)), None);
        tickets.close(Instant(100));
        let mut ended = Vec::new();
        tickets.superseded(Term(3), LogIndex(9), |range| ended.push(range));
        assert_eq!(ended, [EndedRange { first: Ticket(2), count: 3 }]);
        assert_eq!(tickets.open_count(), 1);
        tickets.superseded(Term(3), LogIndex(10), |range| ended.push(range));
        assert_eq!(ended.last(), Some(&EndedRange { first: Ticket(6), count: 1 }));
        // Nothing but an entry of the core's own: no range at all.
        let mut tickets = Tickets::default();
        tickets.open(Term(2), LogIndex(5), |_| ());
        tickets.mint_for_core(LogIndex(6));
        tickets.end_all(|range| panic!("{range:?}"));
    }

    #[test]
    fn a_lost_reign_keeps_the_patience_it_was_given_first() {
        let mut tickets = three_in_term_two();
        tickets.close(Instant(100));
        tickets.close(Instant(900));
        assert_eq!(tickets.deadline(), Some(Instant(100)));
    }
}
