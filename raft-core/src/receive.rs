//! Receiving: who may speak to this node, and which handler hears it.
//!
//! **Intuition.** Everything about a message is judged before anything of it is believed, its term
//! included. A message of a higher term is heard as a follower of that term; one of a lower term is
//! answered with ours, or dropped if it is an answer itself.
//! **Source.** Thesis §3.3 (terms), §4.2.3 (who is bound to a leader); incarnations are ours.
//! **Upholds.** `inv:monotone`, `inv:one-vote-per-term`.
//! **Not here.** What each message does (`election/`, `replication/`, `read/`, `snapshot/`).

use alloc::boxed::Box;

use crate::{
    Node,
    error::Rejected,
    message::{AppendReply, AppendResult, Envelope, Message},
    replication::follower::{is_position, judge_append},
    storage::recover::NUMBER_MAX,
    types::{Incarnation, Lifecycle, NodeId, Term},
};

impl Node {
    /// Takes one message, or says why not.
    // Apart from `step`, so that acknowledgements do not pay for what only messages need.
    #[inline(never)]
    pub(crate) fn on_receive(&mut self, envelope: Box<Envelope>) -> Result<(), Rejected> {
        if self.calm && self.is_from_member(&envelope) {
            return self.on_plain_message(envelope);
        }
        self.on_any_message(envelope)
    }

    /// Whether [`Node::judge_envelope`] has nothing against it but perhaps what it says: all names
    /// and lives are those that are known, and the term is ours.
    fn is_from_member(&self, envelope: &Envelope) -> bool {
        let hard = &self.hard;
        envelope.term == hard.term
            && envelope.cluster == hard.cluster
            && envelope.group == hard.group
            && envelope.epoch == hard.epoch
            && envelope.to == hard.node
            && (envelope.to_incarnation == hard.incarnation
                || envelope.to_incarnation == Incarnation(0))
            && envelope.from_incarnation != Incarnation(0)
            && self.peer(envelope.from).is_some_and(|peer| {
                peer.seat.is_member() && peer.incarnation == envelope.from_incarnation
            })
    }

    /// Takes a message of our own term from a member whose life is known, under calm.
    #[inline]
    fn on_plain_message(&mut self, mut envelope: Box<Envelope>) -> Result<(), Rejected> {
        let (from, term, kind) = (envelope.from, envelope.term, envelope.message.kind());
        match &mut envelope.message {
            Message::AppendEntries(append) => {
                judge_append(append, term)?;
                let append = core::mem::take(append);
                let addressed = envelope.to_incarnation == self.hard.incarnation;
                drop(envelope);
                self.on_append_entries(from, append)?;
                if self.changes.other_life {
                    self.changes.addressed = addressed;
                }
            }
            Message::AppendReply(reply) => {
                let reply = *reply;
                drop(envelope);
                judge_reply(&reply, term)?;
                self.on_append_reply(from, reply)?;
            }
            _ => return self.on_any_message(envelope),
        }
        self.counters.received(kind);
        self.on_sign_of_life(from);
        Ok(())
    }

    // Apart, since nearly every message is a plain one.
    #[inline(never)]
    fn on_any_message(&mut self, envelope: Box<Envelope>) -> Result<(), Rejected> {
        self.judge_listening(&envelope.message)?;
        self.judge_envelope(&envelope)?;
        let adopts = self.may_adopt(&envelope) != (false, false);
        let addressed = envelope.to_incarnation == self.hard.incarnation;
        let Envelope { cluster, epoch, from, from_incarnation, term, message, .. } = *envelope;
        let kind = message.kind();
        let append = matches!(message, Message::AppendEntries(_));
        // Strangers are rare: what they may push out comes back if they are refused.
        let peers = self.peer(from).is_none().then(|| self.peers.clone());
        self.admit_stranger(from);
        if let Err(refused) = self.on_message(from, term, message) {
            if let Some(peers) = peers {
                self.peers = peers;
            }
            return Err(refused);
        }
        if append && self.changes.other_life {
            self.changes.addressed = addressed;
        }
        self.counters.received(kind);
        self.on_sign_of_life(from);
        if adopts {
            self.adopt_identity(cluster, epoch);
        }
        if let Some(peer) = self.peer_mut(from)
            && peer.incarnation == Incarnation(0)
        {
            peer.incarnation = from_incarnation;
        }
        Ok(())
    }

    fn on_message(&mut self, from: NodeId, term: Term, message: Message) -> Result<(), Rejected> {
        // Under a leader nearly every message is one of these.
        let message = match message {
            Message::AppendEntries(append) if term == self.hard.term => {
                return self.on_append_entries(from, append);
            }
            Message::AppendReply(reply) if term == self.hard.term => {
                return self.on_append_reply(from, reply);
            }
            other => other,
        };
        self.on_rare_message(from, term, message)?;
        self.stir();
        Ok(())
    }

    #[inline(never)]
    fn on_rare_message(
        &mut self,
        from: NodeId,
        term: Term,
        message: Message,
    ) -> Result<(), Rejected> {
        let asks = matches!(message, Message::PreVote(_) | Message::RequestVote(_));
        if asks && self.lifecycle() == Lifecycle::Quarantined {
            return Err(Rejected::Quarantined);
        }
        if let Message::PreVote(ask) = message {
            self.owe_not_member(from);
            self.on_pre_vote(from, ask);
            return Ok(());
        }
        let adopted = term > self.hard.term;
        let authorised = self.is_authorised(&message, term);
        if adopted {
            match message {
                Message::RequestVote(_) if !authorised && self.is_bound_against(from) => {
                    return self.refuse_bound(from);
                }
                // A voter that would follow us into the next term may already be in it.
                Message::PreVoteReply(reply) if reply.granted => {
                    return self.on_pre_vote_reply(from, reply);
                }
                _ => self.become_follower(term, None),
            }
        }
        if asks {
            self.owe_not_member(from);
        }
        let stale = term < self.hard.term;
        let result = match message {
            Message::RequestVote(_) if stale => {
                if let Some(peer) = self.peer_mut(from) {
                    peer.owed.vote = Some(peer.owed.vote == Some(true));
                }
                Ok(())
            }
            Message::AppendEntries(_) | Message::InstallMeta(_) if stale => {
                self.owe_stale_reply(from);
                Ok(())
            }
            Message::VoteReply(_) | Message::AppendReply(_) if stale => Err(Rejected::Stale),
            Message::RequestVote(request) => self.on_request_vote(from, request, authorised),
            Message::PreVoteReply(reply) => self.on_pre_vote_reply(from, reply),
            Message::VoteReply(reply) => self.on_vote_reply(from, reply),
            Message::AppendEntries(append) => self.on_append_entries(from, append),
            Message::AppendReply(reply) => self.on_append_reply(from, reply),
            Message::TimeoutNow(_)
            | Message::TransferRefused(_)
            | Message::ReadIndex(_)
            | Message::ReadIndexReply(_)
                if stale =>
            {
                Err(Rejected::Stale)
            }
            Message::TimeoutNow(ask) => self.on_timeout_now(from, ask),
            Message::TransferRefused(answer) => self.on_transfer_refused(from, answer),
            Message::ReadIndex(ask) => self.on_read_index(from, ask),
            Message::ReadIndexReply(reply) => self.on_read_index_reply(from, reply),
            Message::InstallMeta(install) => self.on_install_meta(from, install),
            // What is committed stays so in every later term.
            Message::NotMember(told) => self.on_not_member(from, told),
            Message::PreVote(_) => Ok(()),
        };
        // Taking over the term was a change, whatever became of the rest.
        if adopted { Ok(()) } else { result }
    }

    /// Who may speak to us at all.
    fn judge_envelope(&self, envelope: &Envelope) -> Result<(), Rejected> {
        let hard = &self.hard;
        let (any_cluster, any_epoch) = self.may_adopt(envelope);
        if envelope.cluster != hard.cluster && !any_cluster {
            return Err(Rejected::WrongCluster);
        }
        if envelope.group != hard.group {
            return Err(Rejected::WrongGroup);
        }
        if envelope.epoch != hard.epoch && !any_epoch {
            return Err(Rejected::WrongEpoch);
        }
        if envelope.to != hard.node {
            return Err(Rejected::NotForUs);
        }
        let known = match self.peer(envelope.from) {
            // Who has left may still answer, but its term is nobody's concern here.
            Some(peer)
                if !peer.seat.is_member()
                    && !envelope.message.may_come_from_strangers()
                    && (peer.departing.is_none() || envelope.term != hard.term) =>
            {
                return Err(Rejected::UnknownSender);
            }
            Some(peer) => peer.incarnation,
            None if envelope.from != hard.node && envelope.message.may_come_from_strangers() => {
                Incarnation(0)
            }
            None => return Err(Rejected::UnknownSender),
        };
        let unknown = Incarnation(0);
        if envelope.from_incarnation == unknown
            || known != unknown && known != envelope.from_incarnation
            || envelope.to_incarnation != unknown && envelope.to_incarnation != hard.incarnation
        {
            return Err(Rejected::WrongIncarnation);
        }
        if envelope.term.0 > NUMBER_MAX
            || envelope.term.0 == 0
                && !matches!(envelope.message, Message::PreVote(_) | Message::PreVoteReply(_))
        {
            return Err(Rejected::Malformed);
        }
        // Before anything of it is believed, its term included.
        judge_message(&envelope.message, envelope.term)
    }
}

fn judge_reply(reply: &AppendReply, term: Term) -> Result<(), Rejected> {
    let sound = match reply.result {
        AppendResult::Refused { previous, hint } => {
            is_position(hint) && hint.index <= previous && hint.term <= term
        }
        AppendResult::Matched { .. } | AppendResult::NeedSnapshot | AppendResult::StaleTerm => true,
    };
    if sound { Ok(()) } else { Err(Rejected::Malformed) }
}

/// Refuses what contradicts itself, whoever receives it.
fn judge_message(message: &Message, term: Term) -> Result<(), Rejected> {
    let sound = match message {
        Message::PreVote(ask) => {
            Some(ask.campaign_term) == term.next() && is_position(ask.last) && ask.last.term <= term
        }
        // A candidate's log is older than its campaign.
        Message::RequestVote(request) => {
            is_position(request.last)
                && request.last.term < term
                && request.authorised_by.is_none_or(|by| by.next() == Some(term))
        }
        Message::AppendEntries(append) => return judge_append(append, term),
        Message::AppendReply(reply) => return judge_reply(reply, term),
        Message::TimeoutNow(ask) => {
            ask.transfer > 0 && is_position(ask.last) && ask.last.term <= term
        }
        Message::InstallMeta(install) => {
            is_position(install.meta.position) && install.meta.position.term <= term
        }
        Message::NotMember(told) => told.configuration_index <= told.commit,
        Message::PreVoteReply(_)
        | Message::VoteReply(_)
        | Message::TransferRefused(_)
        | Message::ReadIndex(_)
        | Message::ReadIndexReply(_) => true,
    };
    if sound { Ok(()) } else { Err(Rejected::Malformed) }
}
