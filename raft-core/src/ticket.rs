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
    /// When the reign was lost, plus the patience: then what is open ends as unknown.
    expires: Option<Instant>,
}

impl Reign {
    const fn ticket(&self, index: LogIndex) -> Ticket {
        Ticket(self.base.0.saturating_add(index.since(self.opening)))
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
    /// A reign begins with its no-op at `opening`. Returns what ended to make room.
    pub(crate) fn open(&mut self, term: Term, opening: LogIndex) -> Option<EndedRange> {
        self.minted = self.minted.saturating_add(1);
        let pushed_out = if self.reigns.len() >= REIGNS_MAX {
            self.reigns.pop_front().and_then(|mut reign| end(&mut reign, LogIndex(u64::MAX)))
        } else {
            None
        };
        self.reigns.push_back(Reign {
            term,
            opening,
            base: Ticket(self.minted),
            last: opening,
            ended: opening,
            expires: None,
        });
        pushed_out
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

    /// The current reign is over; what is open may stay so until `expires`.
    pub(crate) fn close(&mut self, expires: Instant) {
        if let Some(reign) = self.reigns.back_mut().filter(|reign| reign.expires.is_none()) {
            reign.expires = Some(expires);
        }
    }

    /// Whether `index` holds the opening no-op of an open reign of `term`.
    pub(crate) fn opens_with(&self, term: Term, index: LogIndex) -> bool {
        self.reigns.iter().any(|reign| reign.term == term && reign.opening == index)
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
        reign.ended = reign.ended.max(last);
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
            if let Some(range) = end(reign, last) {
                ended(range);
            }
        }
        self.forget();
    }

    /// Ends whatever stayed open for too long after its reign was lost.
    pub(crate) fn expire(&mut self, now: Instant, mut ended: impl FnMut(EndedRange)) {
        for reign in &mut self.reigns {
            if reign.expires.is_some_and(|at| now >= at)
                && let Some(range) = end(reign, LogIndex(u64::MAX))
            {
                ended(range);
            }
        }
        self.forget();
    }

    /// Ends everything that is open.
    pub(crate) fn end_all(&mut self, mut ended: impl FnMut(EndedRange)) {
        for mut reign in self.reigns.drain(..) {
            if let Some(range) = end(&mut reign, LogIndex(u64::MAX)) {
                ended(range);
            }
        }
    }

    /// When something expires next.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.reigns.front().and_then(|reign| reign.expires)
    }

    /// How many proposals are open.
    pub(crate) fn open_count(&self) -> u64 {
        let open = |reign: &Reign| reign.last.since(reign.ended);
        let newest = self.reigns.back().map_or(0, open);
        if self.reigns.len() <= 1 {
            return newest;
        }
        self.reigns.iter().rev().skip(1).fold(newest, |sum, reign| sum.saturating_add(open(reign)))
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

/// Ends the open proposals of `reign` up to `upto`.
fn end(reign: &mut Reign, upto: LogIndex) -> Option<EndedRange> {
    let upto = upto.min(reign.last);
    if upto <= reign.ended {
        return None;
    }
    let first = reign.ticket(reign.ended.next());
    let count = upto.since(reign.ended);
    reign.ended = upto;
    Some(EndedRange { first, count })
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;

    fn three_in_term_two() -> Tickets {
        let mut tickets = Tickets::default();
        tickets.open(Term(2), LogIndex(5));
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
        tickets.open(Term(4), LogIndex(6));
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
}
