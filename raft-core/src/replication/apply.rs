//! Apply: committed entries on their way to the machine.
//!
//! **Intuition.** An entry is handed out once it is committed *and durable here*, so the machine
//! can never be ahead of its own log. At most a window is under way; older entries are read back
//! first. Applying is also where proposals end.
//! **Source.** Thesis §3.5, §3.8; applying only what is locally durable is ours (D3).
//! **Upholds.** `inv:apply-once-in-order`, `inv:nothing-lost`.
//! **Not here.** The machine.

use crate::{
    Node,
    error::Rejected,
    input::Changed,
    log::{Entries, Run},
    node::emit,
    output::{Apply, Outcome, Output, ReadEntries},
    storage::fetch::{Fetch, FetchId, FetchPurpose},
    types::{LogIndex, Ticket},
};

impl Node {
    /// The machine has applied everything up to `upto`.
    pub(crate) fn on_applied(&mut self, upto: LogIndex) -> Result<(), Rejected> {
        if upto > self.handed {
            return Err(Rejected::AppliedTooFar);
        }
        if upto > self.applied {
            self.applied = upto;
            while let Some((last, bytes)) = self.applying.front().copied() {
                if last > upto {
                    break;
                }
                self.applying_bytes = self.applying_bytes.saturating_sub(bytes);
                self.applying.pop_front();
            }
            self.changed(Changed::APPLIED);
        }
        Ok(())
    }

    /// Entries read back for apply; handed out at the next settle if they are still next.
    pub(crate) fn on_entries_for_apply(&mut self, entries: Entries) {
        if entries.first() == Some(self.handed.next()) {
            self.apply_fetched = Some(entries);
        }
    }

    /// Hands out what is committed, durable here, next, and within the window.
    pub(crate) fn hand_out_apply(&mut self) {
        let ready = self.commit.min(self.lane.durable());
        while self.handed < ready {
            let under_way = self.handed.since(self.applied);
            let room = self.options.apply_inflight_entries_max.saturating_sub(under_way);
            let bytes = self.options.apply_inflight_bytes_max.saturating_sub(self.applying_bytes);
            if room == 0 || bytes == 0 {
                return;
            }
            let first = self.handed.next();
            let entries = match self.apply_fetched.take() {
                Some(fetched) => Some(fetched),
                None => self.log.tail().slice(first, ready, room, bytes),
            };
            let Some(entries) = entries else {
                self.fetch_for_apply(first, ready, room, bytes);
                return;
            };
            match entries.into_only() {
                Ok(run) => self.hand_out(run),
                Err(runs) => runs.into_iter().for_each(|run| self.hand_out(run)),
            }
        }
    }

    /// One output per term: within one, tickets are a range.
    fn hand_out(&mut self, run: Run) {
        let (term, first, last) = (run.term(), run.first(), run.last());
        let ready = self.commit.min(self.lane.durable());
        assert_eq!(first, self.handed.next(), "apply has no holes");
        assert!(last <= ready, "only what is committed and durable here is applied");
        let ended = &mut self.ended;
        self.tickets.superseded(term, last, |range| ended.push((range, Outcome::Superseded)));
        self.handed = last;
        // A reign's opening no-op was proposed by nobody: it goes alone, without a ticket.
        let commands = if self.tickets.opens_with(term, first) {
            if let Some(opening) = run.prefix(first) {
                self.emit_apply(opening, None);
            }
            run.suffix(first.next())
        } else {
            Some(run)
        };
        if let Some(run) = commands {
            let first_ticket = self.tickets.applied(term, run.first(), last);
            self.emit_apply(run, first_ticket);
        }
    }

    fn emit_apply(&mut self, run: Run, first_ticket: Option<Ticket>) {
        let bytes = run.len_bytes();
        self.applying.push_back((run.last(), bytes));
        self.applying_bytes = self.applying_bytes.saturating_add(bytes);
        emit(&mut self.outbox, || {
            Output::Apply(Apply { entries: Entries::from(run), first_ticket })
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
