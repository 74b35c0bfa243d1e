//! Answers to appends, as the leader takes them.
//!
//! **Intuition.** An acknowledgement is cumulative and only ever raises what is known. A refusal
//! moves the search down past everything that cannot match, but never to or below what is already
//! known: such a refusal is an old one.
//! **Source.** Thesis §3.5 with departures D4 and D5 of our list; B-026 to B-028.
//! **Upholds.** `inv:monotone`, `inv:committed-durable`.
//! **Not here.** Commit (`commit.rs`), sending (`leader.rs`).

use alloc::boxed::Box;

use crate::{
    Node,
    error::{HaltReason, Rejected},
    input::Changed,
    lifecycle::disable::is_supported,
    log::Entries,
    message::{AppendReply, AppendResult},
    role::RoleState,
    storage::{
        DisableReason,
        fetch::{Fetch, FetchFailure, FetchId},
    },
    types::{LogIndex, LogPosition, NodeId},
};

use super::progress::ProgressState;

impl Node {
    /// Takes an answer of our own term.
    pub(crate) fn on_append_reply(
        &mut self,
        from: NodeId,
        reply: AppendReply,
    ) -> Result<(), Rejected> {
        let RoleState::Leader(leader) = &self.role else { return Err(Rejected::Stale) };
        let last = self.log.last_index();
        let sound = match reply.result {
            AppendResult::Matched { matched } => matched <= last,
            AppendResult::Refused { previous, .. } => previous <= last,
            AppendResult::NeedSnapshot => reply.applied <= last,
            // It answers an append of an earlier reign of ours.
            AppendResult::StaleTerm => return Err(Rejected::Stale),
        };
        if !sound || reply.round > leader.round {
            return Err(Rejected::Malformed);
        }
        match reply.result {
            AppendResult::Matched { matched } => self.on_matched(from, matched),
            AppendResult::Refused { previous, hint } => self.on_refused(from, previous, hint),
            AppendResult::NeedSnapshot => {
                // A disk that holds nothing, or is not believed, confirms nothing (D-W6).
                self.on_need_snapshot(from, reply.applied);
                return Ok(());
            }
            AppendResult::StaleTerm => {}
        }
        self.settle_alive_transfers(from, &reply);
        let now = self.now;
        let Some(peer) = self.peer_mut(from) else { return Ok(()) };
        peer.applied = peer.applied.max(reply.applied);
        peer.heard_at = Some(now);
        peer.quiet.answered(now);
        let new_round = reply.round > peer.progress.acked_round;
        self.on_promise(from, &reply);
        if new_round {
            self.on_round_ack(from, reply.round);
        }
        Ok(())
    }

    fn on_matched(&mut self, from: NodeId, matched: LogIndex) {
        let base = self.log.base().index;
        let Some(peer) = self.peer_mut(from) else { return };
        let news = peer.progress.on_matched(matched);
        let found = match peer.progress.state {
            ProgressState::Probe => true,
            ProgressState::Replicate => false,
            // The log can go on where the peer is now, whatever became of the snapshot.
            ProgressState::Snapshot => peer.progress.next > base,
        };
        if found {
            peer.progress.become_replicate();
        }
        if news || found {
            self.changed(Changed::PROGRESS);
        }
        // A match that is committed already cannot raise the commit index.
        if news && matched > self.commit {
            self.advance_commit();
        }
    }

    fn on_refused(&mut self, from: NodeId, previous: LogIndex, hint: LogPosition) {
        // Below the hint's term in our own log nothing above can match either: skip that too.
        let ours = self.log.last_at_or_below(hint.index, hint.term);
        let Some(peer) = self.peer_mut(from) else { return };
        if previous <= peer.progress.matched {
            return;
        }
        let current = match peer.progress.state {
            // A probe's refusal names the position that was probed; anything else is older.
            ProgressState::Probe => previous == peer.progress.next.prev(),
            ProgressState::Replicate => previous < peer.progress.next,
            // It cannot hold what it is not yet given.
            ProgressState::Snapshot => false,
        };
        if current {
            peer.progress.become_probe(ours.index.next().min(previous));
            self.changed(Changed::PROGRESS);
        }
    }

    /// Takes entries that were read back for a peer.
    pub(crate) fn on_entries_for_peer(&mut self, peer: NodeId, first: LogIndex, entries: Entries) {
        let Some(peer) = self.peer_mut(peer) else { return };
        // What the peer needs may have moved on since; then the read was for nothing.
        if peer.progress.next == first && peer.progress.state == ProgressState::Replicate {
            peer.progress.fetched = Some(Box::new(entries));
        }
    }

    /// Checks entries that came back under `id` against the term index and hands them on.
    pub(crate) fn on_entries_read(
        &mut self,
        id: FetchId,
        entries: Entries,
    ) -> Result<(), Rejected> {
        let Some((asker, first, last)) = self.open_fetch(id) else { return Err(Rejected::Stale) };
        let fits = entries.first() == Some(first)
            && entries.last().is_some_and(|position| position.index <= last);
        let wrong = entries.runs().iter().find(|run| {
            self.log.term_at(run.first()) != Some(run.term())
                || self.log.term_at(run.last()) != Some(run.term())
        });
        if !fits || wrong.is_some() {
            let index = wrong.map_or(first, crate::log::Run::first);
            self.halt(HaltReason::ReadMismatch { index });
            return Ok(());
        }
        self.close_fetch(asker, Fetch::Idle);
        if let Some(unknown) = entries.iter().find(|e| !is_supported(e, self.options.level)) {
            // A newer version wrote it here, and this one must not go past it.
            let (index, kind) = (unknown.position.index, unknown.entry.kind.0);
            self.disable_for(DisableReason::UnsupportedEntry { index, kind });
            return Ok(());
        }
        self.judge_fetched(&entries);
        match asker {
            Some(peer) => self.on_entries_for_peer(peer, first, entries),
            None => self.on_entries_for_apply(entries),
        }
        Ok(())
    }

    /// The store could not read.
    pub(crate) fn on_entries_failed(
        &mut self,
        id: FetchId,
        failure: FetchFailure,
    ) -> Result<(), Rejected> {
        let Some((asker, ..)) = self.open_fetch(id) else { return Err(Rejected::Stale) };
        match failure {
            FetchFailure::Busy => {
                let later = self.now.plus(self.options.heartbeat_ns);
                self.close_fetch(asker, Fetch::Later(later));
            }
            FetchFailure::Compacted | FetchFailure::Broken => self.halt(HaltReason::ReadBroken),
        }
        Ok(())
    }

    /// Who asked under `id` (`None`: apply) and for what, if that is still open.
    fn open_fetch(&self, id: FetchId) -> Option<(Option<NodeId>, LogIndex, LogIndex)> {
        if id.tag != self.lane.tag() {
            return None;
        }
        let range = |fetch: &Fetch| match fetch {
            Fetch::Open { number, first, last, .. } if *number == id.number => {
                Some((*first, *last))
            }
            _ => None,
        };
        if let Some((first, last)) = range(&self.apply_fetch) {
            return Some((None, first, last));
        }
        self.peers
            .iter()
            .find_map(|peer| range(&peer.progress.fetch).map(|r| (Some(peer.id), r.0, r.1)))
    }

    fn close_fetch(&mut self, asker: Option<NodeId>, to: Fetch) {
        match asker.map(|peer| self.peer_mut(peer)) {
            None => self.apply_fetch.set(to),
            Some(Some(peer)) => peer.progress.fetch.set(to),
            Some(None) => {}
        }
    }
}
