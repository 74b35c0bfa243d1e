//! Following: accepting or refusing what the leader sends.
//!
//! **Intuition.** If we hold the position before the entries, our logs are equal up to there;
//! entries we have are skipped, the first that differs removes itself and all after it, and what
//! remains is appended. What we verified against *this* leader is one number, and it bounds both
//! what we acknowledge and what we believe committed, however long our own tail is.
//! **Source.** Thesis §3.5; B-022 (truncating without conflict), B-023 and B-024 (answering with
//! or committing one's own tail), D-T11 (cutting below commit).
//! **Upholds.** `inv:log-matching`, `inv:committed-immutable`, `inv:persist-before-send`.
//! **Not here.** Durability of what was accepted (`storage/persist.rs`).

use alloc::boxed::Box;
use core::mem::take;

use crate::{
    Node,
    error::{HaltReason, Rejected},
    lazy::Lazy,
    lifecycle::disable::is_supported,
    log::{Entries, Run},
    message::{AppendEntries, AppendReply, AppendResult, Message},
    note::Note,
    peer::Peer,
    storage::{DisableReason, recover::NUMBER_MAX},
    types::{LogIndex, LogPosition, NodeId, Role, Term},
};

/// What the follower has to say to its leader, derived anew at each settle.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Answer {
    /// Newest round seen from this leader.
    round: u64,
    /// The position refused and the hint, if the newest append was.
    refused: Option<Box<(LogIndex, LogPosition)>>,
    told_round: u64,
    told_matched: LogIndex,
    /// The last thing told was a refusal: that the search has ended is news, even if the match is
    /// not above what was told before (it may be 0).
    told_refusal: bool,
    /// A match was found after a refusal and not yet told.
    found: bool,
}

impl Answer {
    pub(crate) fn reset(&mut self) {
        *self = Self::default();
    }

    /// Everything that decides what is told next.
    pub(crate) fn fold(&self, mut word: impl FnMut(u64)) {
        word(self.round.saturating_sub(self.told_round));
        word(self.told_matched.0);
        word(u64::from(self.told_refusal));
        word(u64::from(self.found));
        if let Some((previous, hint)) = self.refused.as_deref() {
            word(previous.0);
            word(hint.term.0);
            word(hint.index.0);
        }
    }
}

impl Node {
    /// Takes an append of our own term.
    pub(crate) fn on_append_entries(
        &mut self,
        from: NodeId,
        append: AppendEntries,
    ) -> Result<(), Rejected> {
        if self.role() == Role::Leader || self.leader.is_some_and(|leader| leader != from) {
            // Two leaders in one term cannot be; the sender is mistaken.
            return Err(Rejected::Malformed);
        }
        if self.configuration.is_blank() {
            // Entries mean nothing without the configuration they are agreed on in.
            self.become_follower(self.hard.term, Some(from));
            if let Some(peer) = self.peer_mut(from) {
                peer.owed.need_snapshot = Some(append.round);
            }
            return Ok(());
        }
        if self.calm && append.previous == self.log.last() {
            return self.on_next_entries(from, append);
        }
        let append = match self.above_base(append) {
            Ok(append) => append,
            Err(index) => {
                self.halt(HaltReason::CommittedConflict { index });
                return Ok(());
            }
        };
        if self.takes_back(&append) {
            return Err(Rejected::Malformed);
        }
        self.heard_from_leader(from, append.round);
        self.on_void_transfer(append.void_transfer);

        if !self.log.matches(append.previous) {
            self.refuse(append.previous);
            return Ok(());
        }
        self.take_matching(append);
        self.on_new_leader_seen(from);
        Ok(())
    }

    /// Takes an append that goes on exactly where the log ends, under calm: it matches, it is not
    /// below the base, and it takes back nothing.
    fn on_next_entries(&mut self, from: NodeId, append: AppendEntries) -> Result<(), Rejected> {
        self.heard_from_leader(from, append.round);
        self.on_void_transfer(append.void_transfer);
        self.take_matching(append);
        // A leader that was not heard before may end a transfer.
        if !self.calm {
            self.on_new_leader_seen(from);
        }
        Ok(())
    }

    /// The log holds the position before the entries: takes them, and the commit index.
    fn take_matching(&mut self, append: AppendEntries) {
        self.answer.found |= take(&mut self.answer.told_refusal);
        let verified = self.take_entries(append.previous.index, append.entries);
        self.verified = self.verified.max(verified);
        let commit = append.commit.min(self.verified);
        if commit > self.commit && self.halted.is_none() && self.speaks() {
            self.set_commit(commit);
        }
    }

    /// A message of our own term's leader came: it is followed, and the timer starts anew.
    pub(crate) fn heard_from_leader(&mut self, from: NodeId, round: u64) {
        if self.role() != Role::Follower || self.leader != Some(from) {
            self.become_follower(self.hard.term, Some(from));
        }
        self.contact = Some((from, self.now));
        self.restart_election_timer();
        self.give_promise();
        self.answer.round = self.answer.round.max(round);
        self.answer.refused = None;
    }

    /// What the leader is to hear next is the match, even if it is no higher than before.
    pub(crate) fn tell_match(&mut self) {
        self.answer.found = true;
        self.answer.told_refusal = false;
        self.answer.refused = None;
    }

    /// What is compacted here is committed, and every leader holds it: of an append that begins
    /// below the base only what is above counts, as if it began there (B-029, B-059). The error is
    /// where the leader's log contradicts that.
    fn above_base(&self, append: AppendEntries) -> Result<AppendEntries, LogIndex> {
        let base = self.log.base();
        if append.previous.index >= base.index {
            return Ok(append);
        }
        let covers = |run: &&Run| run.first() <= base.index && run.last() >= base.index;
        let there = append.entries.runs().iter().find(covers).map(Run::term);
        if append.previous.term > base.term || there.is_some_and(|term| term != base.term) {
            return Err(base.index);
        }
        let mut entries = Entries::EMPTY;
        for run in append.entries.runs() {
            let fits = run.suffix(base.index.next()).is_none_or(|run| entries.push(run).is_ok());
            assert!(fits, "runs of one append follow each other");
        }
        Ok(AppendEntries { previous: base, entries, ..append })
    }

    /// Whether the append contradicts what this term's leader said before: a leader never changes
    /// its log, so the sender is mistaken. A conflict with what is committed is graver and judged
    /// later.
    fn takes_back(&self, append: &AppendEntries) -> bool {
        if append.previous.index >= self.verified {
            return append.previous.index == self.verified
                && append.previous.index > self.commit
                && !self.log.matches(append.previous);
        }
        let conflict = if self.log.matches(append.previous) {
            let known = append.entries.runs().iter().take_while(|run| run.first() <= self.verified);
            let unknown = |run: &Run| (self.first_unknown(run), run.last());
            known.map(unknown).find(|(fresh, last)| fresh <= last).map(|(fresh, _)| fresh)
        } else {
            Some(append.previous.index)
        };
        conflict.is_some_and(|at| at > self.commit && at <= self.verified)
    }

    fn refuse(&mut self, previous: LogPosition) {
        if previous.index <= self.commit {
            // What is committed is in the log of every leader; this one's differs.
            self.halt(HaltReason::CommittedConflict { index: previous.index });
            return;
        }
        let hint = self.log.last_at_or_below(previous.index, previous.term);
        let committed =
            LogPosition::new(self.log.term_at(self.commit).unwrap_or(Term::ZERO), self.commit);
        // The leader holds everything committed, so the search need never go below it.
        let hint = if hint.index < committed.index { committed } else { hint };
        self.note(Note::AppendRefused { previous, hint });
        self.answer.refused = Some(Box::new((previous.index, hint)));
    }

    /// Brings the log in line with `entries`, which follow `before`. Returns the last index that
    /// now equals the leader's.
    fn take_entries(&mut self, before: LogIndex, entries: Entries) -> LogIndex {
        match entries.into_only() {
            Ok(run) => self.take_run(run).0,
            Err(runs) => {
                let mut verified = before;
                for run in runs {
                    let (upto, whole) = self.take_run(run);
                    verified = upto;
                    if !whole {
                        break;
                    }
                }
                verified
            }
        }
    }

    /// Takes one run. Returns the last index that now equals the leader's, and whether that is
    /// the run's last.
    fn take_run(&mut self, run: Run) -> (LogIndex, bool) {
        let (unknown, whole) = (self.first_unknown(&run), run.last());
        // Usually all of it is fresh, and then it is moved.
        let fresh = if unknown == run.first() { Some(run) } else { run.suffix(unknown) };
        let Some(fresh) = fresh else { return (whole, true) };
        let first = fresh.first();
        // Of plain entries nothing needs a look: every version knows them, none is a mark.
        let plain = fresh.is_plain();
        let level = self.options.level;
        let strange = || fresh.iter().find(|entry| !is_supported(entry, level));
        if let Some(strange) = if plain { None } else { strange() } {
            // Nothing of it is believed, not even where it would cut.
            let (index, kind) = (strange.position.index, strange.entry.kind.0);
            self.disable_for(DisableReason::UnsupportedEntry { index, kind });
            return (first.prev(), false);
        }
        if first <= self.log.last_index() && !self.cut_conflict(first) {
            return (first.prev(), false);
        }
        if self.log.last().term != fresh.term() {
            // The index of terms grows.
            self.stir();
            if !self.has_room_for_a_term() {
                // A snapshot is being asked for; until it makes room the leader has to wait.
                self.note(Note::TermsFull { runs: self.log.term_runs() as u64 });
                return (first.prev(), false);
            }
        }
        let fits = if plain { fresh.len() } else { self.marks_fit(&fresh) };
        let fresh =
            if fits == fresh.len() { Some(fresh) } else { fresh.prefix(first.plus(fits).prev()) };
        let Some(fresh) = fresh else { return (first.prev(), false) };
        let Some(accepted) = self.what_fits(fresh) else { return (self.log.last_index(), false) };
        let (verified, count) = (accepted.last(), accepted.len());
        if let Some(last) = accepted.as_slice().last() {
            self.last_stamp = self.last_stamp.max(last.stamp);
            self.last_label = Some(last.label);
        }
        self.counters.entries_appended = self.counters.entries_appended.saturating_add(count);
        self.log_changed(first);
        if plain {
            self.log.append_run(accepted);
        } else {
            self.log.append_run(accepted.clone());
            self.marks_appended(&accepted);
        }
        (verified, verified == whole)
    }

    /// The first index of `run` that the log does not hold yet; behind its end if it holds all.
    fn first_unknown(&self, run: &Run) -> LogIndex {
        let last = self.log.last_index().min(run.last());
        if last < run.first() {
            return run.first();
        }
        if self.log.term_at(last) == Some(run.term()) {
            // Terms never fall, so equal terms at both ends of a range mean equal in between
            // once its first index is known to be of this term.
            if self.log.term_at(run.first()) == Some(run.term()) {
                return last.next();
            }
        }
        let mut index = run.first();
        while index <= last && self.log.term_at(index) == Some(run.term()) {
            index = index.next();
        }
        index
    }

    /// Removes the conflicting suffix from `from` on. `false` if that would touch what is
    /// committed: then the node halts and the log stays as it is.
    fn cut_conflict(&mut self, from: LogIndex) -> bool {
        if from <= self.commit {
            self.halt(HaltReason::CommittedConflict { index: from });
            return false;
        }
        assert!(from > self.verified, "a leader never conflicts with what it verified");
        self.stir();
        self.note(Note::Truncated { from });
        self.log.truncate_from(from);
        self.lane.on_truncate(from);
        let fetches = self.peers.iter_mut().map(|peer| &mut peer.progress.fetch);
        for fetch in fetches.chain([&mut self.apply_fetch]).filter_map(Lazy::made) {
            fetch.on_truncate(from);
        }
        let last = self.log.tail().last_entry().map(|entry| (entry.stamp, entry.label));
        if let Some((stamp, _)) = last {
            self.last_stamp = stamp;
        }
        self.last_label = last.map(|(_, label)| label).or_else(|| self.label_below());
        self.log_changed(from);
        self.marks_truncated(from);
        self.changed(crate::input::Changed::DURABLE);
        true
    }

    /// The prefix of `run` that the bounded tail can take; at least one entry if it is empty of
    /// anything undurable.
    fn what_fits(&mut self, run: Run) -> Option<Run> {
        if self.tail_has_room(run.len(), run.len_bytes()) {
            return Some(run);
        }
        // Not all of it fits: make what room there is.
        let entries = self.options.tail_entries_max.saturating_sub(run.len());
        let bytes = self.options.tail_bytes_max.saturating_sub(run.len_bytes());
        self.log.evict(self.lane.durable(), entries, bytes);
        let tail = self.log.tail();
        let entries = self.options.tail_entries_max.saturating_sub(tail.entries());
        let bytes = self.options.tail_bytes_max.saturating_sub(tail.bytes());
        let part = run.limited(entries, bytes);
        let fits = part.len() <= entries && part.len_bytes() <= bytes;
        (fits || tail.entries() == 0).then_some(part)
    }

    /// Whether nothing may be answered yet, whatever there is to say.
    fn answer_is_held(&self) -> bool {
        self.quarantined
            || self.is_another() && !self.changes.addressed
            || self.lane.durable_hard().promise_ns < self.hard.promise_ns
            || self.snapshots.is_founding()
    }

    /// Sends the answer if it says anything new and what it says is durable. Followers only.
    pub(crate) fn send_append_reply(&mut self) {
        if !self.calm && self.answer_is_held() {
            return;
        }
        let Some(leader) = self.leader else { return };
        let matched = self.verified.min(self.lane.durable());
        let asks = self.wants_data() || self.changes.other_life;
        let news = self.answer.refused.is_some()
            || self.answer.found
            || self.answer.round > self.answer.told_round
            || matched > self.answer.told_matched && !asks;
        if !news {
            return;
        }
        let mut applied = self.applied;
        let result = if asks {
            self.answer.refused = None;
            // What stands on stubs goes on only above all that it acknowledged; a disk that is not
            // believed takes whatever says otherwise.
            let held = self.commit.max(self.verified);
            applied = if self.wants_data() { held } else { LogIndex::ZERO };
            AppendResult::NeedSnapshot
        } else if let Some(refused) = self.answer.refused.take() {
            let (previous, hint) = *refused;
            self.answer.told_refusal = true;
            AppendResult::Refused { previous, hint }
        } else {
            self.answer.told_matched = matched;
            AppendResult::Matched { matched }
        };
        let round = self.answer.round;
        self.answer.told_round = round;
        self.answer.found = false;
        let promise_ns = self.promised_ns;
        let Some(to) = self.peer(leader).map(Peer::address) else { return };
        let reply = AppendReply { round, result, promise_ns, applied };
        self.send_to(to, Message::AppendReply(reply));
    }

    /// A message of an older term came from `from`: it is told ours.
    pub(crate) fn owe_stale_reply(&mut self, from: NodeId) {
        if let Some(peer) = self.peer_mut(from) {
            peer.owed.stale_append = true;
        }
    }

    /// Tells senders of old terms what the term is now, and leaders that this disk is empty.
    pub(crate) fn send_stale_replies(&mut self) {
        self.with_peers(|node, peer| {
            let Some(owed) = peer.owed.made() else { return };
            let (stale, lacking) = (take(&mut owed.stale_append), owed.need_snapshot.take());
            if stale {
                let result = AppendResult::StaleTerm;
                node.send(
                    peer,
                    Message::AppendReply(AppendReply { result, ..AppendReply::default() }),
                );
            }
            if let Some(round) = lacking {
                let result = AppendResult::NeedSnapshot;
                let reply = AppendReply { round, result, ..AppendReply::default() };
                node.send(peer, Message::AppendReply(reply));
            }
        });
    }
}

/// Refuses what no leader of `term` can have sent.
pub(crate) fn judge_append(append: &AppendEntries, term: Term) -> Result<(), Rejected> {
    let previous = append.previous;
    if !is_position(previous) || previous.term > term {
        return Err(Rejected::Malformed);
    }
    let mut before = previous;
    for run in append.entries.runs() {
        let follows = run.first() == before.index.next()
            && run.term() >= before.term
            && run.term() > Term::ZERO
            && run.term() <= term
            && run.last().0 <= NUMBER_MAX;
        if !follows {
            return Err(Rejected::Malformed);
        }
        before = LogPosition::new(run.term(), run.last());
    }
    Ok(())
}

/// Whether a log could end there.
pub(crate) const fn is_position(position: LogPosition) -> bool {
    (position.index.0 == 0) == (position.term.0 == 0) && position.index.0 <= NUMBER_MAX
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::Entry;

    fn at(term: u64, index: u64) -> LogPosition {
        LogPosition::new(Term(term), LogIndex(index))
    }

    fn judge(previous: LogPosition, entries: &[LogPosition]) -> Result<(), Rejected> {
        let entries = entries.iter().map(|position| (*position, Entry::default()));
        let entries = Entries::collect(entries).expect("one log");
        judge_append(&AppendEntries { previous, entries, ..AppendEntries::default() }, Term(4))
    }

    #[test]
    fn an_append_is_one_piece_of_a_log_of_its_term_or_older() {
        let malformed = Err(Rejected::Malformed);
        assert_eq!(judge(at(0, 0), &[at(1, 1), at(4, 2)]), Ok(()));
        assert_eq!(judge(at(2, 3), &[at(2, 4), at(3, 5)]), Ok(()));
        assert_eq!(judge(at(2, 3), &[at(2, 5)]), malformed, "a hole behind the position before");
        assert_eq!(judge(at(2, 3), &[at(2, 3)]), malformed, "it begins where it should follow");
        assert_eq!(judge(at(2, 3), &[at(1, 4)]), malformed, "terms never fall");
        assert_eq!(judge(at(2, 3), &[at(5, 4)]), malformed, "of a later term than the leader's");
        assert_eq!(judge(at(5, 3), &[]), malformed);
        assert_eq!(judge(at(0, 0), &[at(0, 1)]), malformed, "no entry is of term 0");
        assert_eq!((judge(at(0, 1), &[]), judge(at(1, 0), &[])), (malformed, malformed));
    }
}
