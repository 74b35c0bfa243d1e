//! Apply: committed entries on their way to the machine.
//!
//! **Intuition.** An entry is handed out once it is committed *and durable here*, so the machine
//! can never be ahead of its own log. At most a window is under way; older entries are read back
//! first. Applying is also where proposals end.
//! **Source.** Thesis §3.5, §3.8; applying only what is locally durable is ours (D3).
//! **Upholds.** `inv:apply-once-in-order`, `inv:nothing-lost`.
//! **Not here.** The machine.

use alloc::boxed::Box;

use crate::{
    Node,
    error::Rejected,
    input::Changed,
    lifecycle::skip::Lookahead,
    log::{Entries, Run},
    node::emit,
    output::{Apply, Outcome, Output, ReadEntries},
    storage::fetch::{Fetch, FetchId, FetchPurpose},
    types::{LogIndex, Ticket},
};

impl Node {
    /// The machine has applied everything up to `upto`.
    pub(crate) fn on_applied(&mut self, upto: LogIndex) -> Result<(), Rejected> {
        if upto > self.handed || self.apply_failed.is_some_and(|at| upto >= at.index) {
            return Err(Rejected::AppliedTooFar);
        }
        if !self.calm && self.is_before_install(upto) {
            return Ok(());
        }
        if upto > self.applied {
            self.applied = upto;
            self.changed(Changed::APPLIED);
            while let Some((last, bytes)) = self.applying.front().copied() {
                if last > upto {
                    break;
                }
                self.applying_bytes = self.applying_bytes.saturating_sub(bytes);
                self.applying.pop_front();
            }
            if !self.calm {
                self.marks_applied();
                self.decide_skips();
            }
        }
        Ok(())
    }

    /// Entries read back for apply; handed out at the next settle if they are still next.
    pub(crate) fn on_entries_for_apply(&mut self, entries: Entries) {
        if self.apply_failed.is_some() {
            self.on_failed_read(&entries);
        } else if entries.first() == Some(self.handed.next()) {
            self.apply_fetched = Some(Box::new(entries));
        }
    }

    /// Hands out what is committed, durable here, next, and within the window.
    #[inline]
    pub(crate) fn hand_out_apply(&mut self) {
        let more = self.handed < self.commit.min(self.lane.durable());
        if more || self.apply_failed.is_some() {
            self.hand_out_more();
        }
    }

    #[inline(never)]
    fn hand_out_more(&mut self) {
        if !self.calm && self.apply_is_held() {
            // Nor is anything asked for that the snapshot has taken the place of.
            return;
        }
        if self.apply_failed.is_some() {
            self.fetch_failed();
            return;
        }
        let all = self.commit.min(self.lane.durable());
        if self.lacks_data() {
            return;
        }
        while self.handed < all && (self.calm || self.speaks()) {
            let under_way = self.handed.since(self.applied);
            let room = self.options.apply_inflight_entries_max.saturating_sub(under_way);
            let bytes = self.options.apply_inflight_bytes_max.saturating_sub(self.applying_bytes);
            if room == 0 || bytes == 0 {
                return;
            }
            let first = self.handed.next();
            // Nearly always it is one run of the tail.
            if self.calm
                && self.apply_fetched.is_none()
                && let Some(run) = self.log.tail().exactly(first, all)
                && run.len() <= room
                && run.len_bytes() <= bytes
            {
                let run = run.clone();
                self.hand_out_run(run);
                return;
            }
            let (ready, skip) = if self.skips.is_empty() {
                (all, None)
            } else {
                match self.skips.lookahead(first, self.commit) {
                    Lookahead::Wait => return,
                    Lookahead::ClearUpto(upto) => (all.min(upto), None),
                    Lookahead::Skip(digest) => (first, Some(digest)),
                }
            };
            let entries = match self.apply_fetched.take() {
                Some(fetched) => Some(*fetched),
                None => self.log.tail().slice(first, ready, room, bytes),
            };
            let Some(entries) = entries else {
                self.fetch_for_apply(first, ready, room, bytes);
                return;
            };
            match skip {
                None => self.hand_out(entries, ready),
                Some(digest) => self.hand_out_skipped(entries, digest),
            }
        }
    }

    /// Hands out the next entry as one to be passed over, if it is the one that was meant.
    fn hand_out_skipped(&mut self, entries: Entries, digest: u64) {
        let index = self.handed.next();
        let Some(entry) = entries.iter().next().filter(|e| e.position.index == index) else {
            return;
        };
        let actual = entry.entry.digest();
        if actual != digest {
            // The same entry and the same skip everywhere, so this is judged alike everywhere.
            self.skips.void(index, actual);
            return;
        }
        self.skips.honour(index);
        let from = self.outbox.len();
        self.hand_out(entries, index);
        for output in self.outbox.iter_mut().skip(from) {
            if let Output::Apply(apply) = output {
                apply.skipped = true;
            }
        }
    }

    /// Hands out the next entries, up to `upto`.
    fn hand_out(&mut self, entries: Entries, upto: LogIndex) {
        match entries.into_only() {
            Ok(run) if run.last() <= upto => self.hand_out_run(run),
            Ok(run) => {
                if let Some(run) = run.prefix(upto) {
                    self.hand_out_run(run);
                }
            }
            Err(runs) => {
                let fits = |run: Run| if run.last() <= upto { Some(run) } else { run.prefix(upto) };
                runs.into_iter().filter_map(fits).for_each(|run| self.hand_out_run(run));
            }
        }
    }

    /// One output per term: within one, tickets are a range.
    fn hand_out_run(&mut self, run: Run) {
        let (term, first, last) = (run.term(), run.first(), run.last());
        let ready = self.commit.min(self.lane.durable());
        assert_eq!(first, self.handed.next(), "apply has no holes");
        assert!(last <= ready, "only what is committed and durable here is applied");
        self.handed = last;
        if self.tickets.are_none() {
            // Nothing was ever proposed here: a follower.
            self.note_handed_out(&run);
            self.emit_apply(run, None);
            return;
        }
        let ended = &mut self.ended;
        self.tickets.superseded(term, last, |range| ended.push((range, Outcome::Superseded)));
        self.note_handed_out(&run);
        match self.tickets.next_of_core(term, first).filter(|index| *index <= last) {
            None => {
                let ticket = self.tickets.applied(term, first, last);
                self.emit_apply(run, ticket);
            }
            Some(core) => self.hand_out_around(run, core),
        }
    }

    /// Hands out a run. What a reign of ours appended for itself (its opening no-op, a read's
    /// place; the first of them at `core`) was proposed by nobody: it goes alone, without a ticket.
    #[cold]
    fn hand_out_around(&mut self, run: Run, core: LogIndex) {
        let (mut rest, mut core) = (Some(run), Some(core));
        while let Some(run) = rest {
            let (part, of_core) = match core.filter(|index| *index <= run.last()) {
                Some(index) if index == run.first() => (run.prefix(index), true),
                Some(index) => (run.prefix(index.prev()), false),
                None => (Some(run.clone()), false),
            };
            let Some(part) = part else { return };
            let next = part.last().next();
            rest = run.suffix(next);
            let ticket = self.tickets.applied(part.term(), part.first(), part.last());
            core = self.tickets.next_of_core(part.term(), next);
            self.emit_apply(part, ticket.filter(|_| !of_core));
        }
    }

    #[inline]
    fn emit_apply(&mut self, run: Run, first_ticket: Option<Ticket>) {
        let bytes = run.len_bytes();
        self.applying.push_back((run.last(), bytes));
        self.applying_bytes = self.applying_bytes.saturating_add(bytes);
        emit(&mut self.outbox, || {
            let entries = Entries::from(run);
            Output::Apply(Apply { entries, first_ticket, skipped: false })
        });
    }

    fn fetch_for_apply(&mut self, first: LogIndex, ready: LogIndex, room: u64, bytes_max: u64) {
        let most = first.plus(room.saturating_sub(1));
        let last = ready.min(self.log.tail().first().prev()).min(most);
        let mut fetch = core::mem::take(&mut self.apply_fetch);
        self.ask(&mut fetch, (first, last), bytes_max, FetchPurpose::Apply);
        self.apply_fetch = fetch;
    }

    /// Asks the driver for entries, unless a request is open or was refused just now.
    pub(crate) fn ask(
        &mut self,
        fetch: &mut Fetch,
        wanted: (LogIndex, LogIndex),
        bytes_max: u64,
        purpose: FetchPurpose,
    ) {
        let number = self.fetches.saturating_add(1);
        let again_at = self.now.plus(self.options.election_max_ns);
        let Some((number, first, last)) = fetch.ask(number, wanted, again_at) else { return };
        self.fetches = self.fetches.max(number);
        let id = FetchId { tag: self.lane.tag(), number };
        let ask = ReadEntries { id, first, last, bytes_max, purpose };
        self.outbox.push_back(Output::ReadEntries(ask));
    }
}
