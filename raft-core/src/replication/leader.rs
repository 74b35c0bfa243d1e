//! Sending: what each peer needs next, within its window.
//!
//! **Intuition.** Every append names the position it follows. While the match is unknown one small
//! probe is under way; once known, entries stream ahead of the answers. A round or a commit index
//! that no entries carry goes in an empty append.
//! **Source.** Thesis §3.5, §10.2.2; entries may leave before they are durable here (§10.2.1).
//! **Upholds.** `inv:log-matching`, `inv:bounded`.
//! **Not here.** Answers (`reply.rs`), rounds (`heartbeat.rs`).

use crate::{
    Node,
    config::witness::{Diet, stubs},
    log::Entries,
    message::{AppendEntries, Message},
    peer::Peer,
    role::RoleState,
    storage::fetch::FetchPurpose,
    types::{LogIndex, LogPosition},
};

use super::progress::{Progress, ProgressState};

impl Node {
    /// Sends every peer what it needs and its window allows.
    pub(crate) fn send_appends(&mut self) {
        let RoleState::Leader(leader) = &mut self.role else { return };
        let round = leader.round;
        let notice = core::mem::take(&mut leader.notice_due);
        let tells = notice || self.options.commit_notice_ns == 0;
        // Also one that is voted out and not yet gone: the removal may still be undone.
        let witnesses = self.peers.iter().any(|peer| peer.diet == Diet::Stubs);
        let last = self.log.last_index();
        let stubs_upto = if witnesses { self.witness_limit() } else { last };
        let upto = |peer: &Peer| match peer.diet {
            Diet::Full => last,
            Diet::Stubs => stubs_upto,
            Diet::Nothing => LogIndex::ZERO,
        };
        let mut behind = false;
        self.with_peers(|node, peer| {
            if node.append_due(peer, upto(peer), round, tells) {
                node.send_append_to(peer, upto(peer), round, tells);
            }
            // A silent peer is told with its next probe.
            behind |= peer.progress.told_commit < node.commit
                && peer.is_kept_up()
                && !peer.quiet.is_silent();
        });
        let RoleState::Leader(leader) = &mut self.role else { return };
        if !behind {
            leader.notice_at = None;
        } else if leader.notice_at.is_none() {
            leader.notice_at = Some(self.now.plus(self.options.commit_notice_ns));
        }
    }

    /// Whether there is anything to do about this peer, which is sent the log up to `last`.
    fn append_due(&self, peer: &Peer, last: LogIndex, round: u64, tells: bool) -> bool {
        let progress = &peer.progress;
        peer.is_kept_up()
            && (progress.next <= last && progress.may_send(&self.options)
                || self.empty_append_due(progress, round, tells)
                || progress.next <= self.log.base().index
                || peer.quiet.is_silent())
    }

    /// Whether something is to be said that no entries carry.
    fn empty_append_due(&self, progress: &Progress, round: u64, tells: bool) -> bool {
        let probe_due = progress.state == ProgressState::Probe && !progress.probing;
        let round_due = progress.sent_round < round;
        let notice_due = tells && progress.told_commit < self.commit;
        probe_due || round_due || notice_due
    }

    /// Sends one peer that is kept up what it needs of the log up to `last`.
    fn send_append_to(&mut self, peer: &mut Peer, last: LogIndex, round: u64, tells: bool) {
        if peer.progress.next <= self.log.base().index {
            // Even the position before its next entry is gone.
            peer.progress.become_snapshot();
            self.stir();
            return;
        }
        if peer.quiet.is_silent() {
            // One small message at a time, until it says something.
            if peer.quiet.take_due() {
                self.send_entries(peer, Entries::EMPTY, round);
            }
            return;
        }
        let mut sent = false;
        while peer.progress.next <= last && peer.progress.may_send(&self.options) {
            let next = peer.progress.next;
            let probing = peer.progress.state == ProgressState::Probe;
            if next < self.log.tail().first() {
                // An acknowledgement may have overtaken what was read for it.
                let fetched = peer.progress.fetched.take();
                if let Some(entries) = fetched.filter(|e| e.first() == Some(next)) {
                    self.send_entries(peer, *entries, round);
                    sent = true;
                    continue;
                }
                // While probing, the match must be found first; an empty append finds it.
                if !probing {
                    self.fetch_for(peer, next);
                }
                break;
            }
            let count = if probing { 1 } else { self.options.append_entries_max };
            let bytes = self.options.append_bytes_max;
            let Some(entries) = self.log.tail().slice(next, last, count, bytes) else { break };
            self.send_entries(peer, entries, round);
            sent = true;
        }
        if !sent && self.empty_append_due(&peer.progress, round, tells) {
            self.send_entries(peer, Entries::EMPTY, round);
        }
    }

    /// Sends `entries`, which begin at the peer's next index, or none.
    pub(crate) fn send_entries(&mut self, peer: &mut Peer, entries: Entries, round: u64) {
        let before = peer.progress.next.prev();
        let Some(term) = self.log.term_at(before) else { return };
        let entries = if peer.diet == Diet::Full { entries } else { stubs(&entries) };
        match entries.last() {
            Some(last) => peer.progress.on_sent(last.index, entries.len_bytes()),
            None => peer.progress.probing = peer.progress.state == ProgressState::Probe,
        }
        peer.progress.sent_round = round;
        peer.progress.told_commit = peer.progress.told_commit.max(self.commit);
        let previous = LogPosition::new(term, before);
        let void_transfer = self.void_transfers();
        let append = AppendEntries { previous, entries, commit: self.commit, round, void_transfer };
        self.send(peer, Message::AppendEntries(append));
    }

    /// Asks the driver for entries that have left memory.
    fn fetch_for(&mut self, peer: &mut Peer, first: LogIndex) {
        let most = first.plus(self.options.append_entries_max.saturating_sub(1));
        let last = self.log.tail().first().prev().min(most);
        let (bytes_max, purpose) =
            (self.options.append_bytes_max, FetchPurpose::Replicate(peer.id));
        self.ask(&mut peer.progress.fetch, (first, last), bytes_max, purpose);
    }
}
