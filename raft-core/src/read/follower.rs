//! Reads at a follower: ask the leader which index to wait for.
//!
//! **Intuition.** The leader does what it does for reads of its own (an index, then a round) and
//! tells the index; the follower waits until its own machine is there. One question is under way
//! at a time and stands for all reads that arrived before it was sent; it is repeated, as the same
//! question, until it is answered, the leader changes, or the reads' deadlines pass. The answer
//! says nothing about the follower's log and commits nothing there.
//! **Source.** Thesis §6.4; B-077 (raising commit by the answer), B-078 (losing a read).
//! **Upholds.** `inv:read-freshness`, `inv:bounded` (one question a peer).
//! **Not here.** Reads at the leader (`mod.rs`).

use alloc::{collections::VecDeque, vec::Vec};

use crate::{
    Node,
    error::{ReadFailure, Rejected},
    message::{Message, ReadIndex, ReadIndexReply, RoundId},
    read::{ReadLevel, ReadQueue, Waiting},
    role::RoleState,
    types::{Instant, LogIndex, NodeId, ReadTicket, Role},
};

/// A read of ours that waits for the leader's word.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
struct Asking {
    ticket: ReadTicket,
    min_index: LogIndex,
    /// The question it is part of; 0 while it is part of none.
    context: u64,
    deadline: Instant,
}

/// A follower's question at its leader.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
struct Asked {
    from: NodeId,
    context: RoundId,
    index: LogIndex,
    /// As of a read of the leader's own.
    round: u64,
}

/// Both sides of follower reads.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct FollowerReads {
    asking: VecDeque<Asking>,
    /// Questions asked in this boot, and whether the last is not answered.
    contexts: u64,
    unanswered: bool,
    /// The question is to be sent, for the first time or again.
    due: bool,
    again_at: Instant,
    /// While leading: at most one for each peer.
    asked: Vec<Asked>,
    /// Answers owed: at most one for each peer.
    replies: Vec<(NodeId, ReadIndexReply)>,
}

impl FollowerReads {
    pub(super) fn len(&self) -> usize {
        self.asking.len()
    }

    pub(super) fn fail(
        &mut self,
        reason: ReadFailure,
        failed: &mut Vec<(ReadTicket, ReadFailure)>,
    ) {
        failed.extend(self.asking.drain(..).map(|read| (read.ticket, reason)));
        (self.unanswered, self.due) = (false, false);
    }

    pub(super) fn retain(&mut self, mut keep: impl FnMut(ReadTicket, Option<Instant>) -> bool) {
        self.asking.retain(|read| keep(read.ticket, Some(read.deadline)));
        self.unanswered &= !self.asking.is_empty();
    }

    pub(super) fn wants_round(&self) -> bool {
        self.asked.iter().any(|asked| asked.round == 0)
    }

    pub(super) fn assign(&mut self, round: u64) {
        for asked in self.asked.iter_mut().filter(|asked| asked.round == 0) {
            asked.round = round;
        }
    }

    pub(super) fn fold(&self, mut read: impl FnMut(LogIndex, u64)) {
        for asking in &self.asking {
            read(asking.min_index, u64::from(asking.context == self.contexts));
        }
        for asked in &self.asked {
            read(asked.index, asked.round);
        }
        for (to, reply) in &self.replies {
            read(reply.index.unwrap_or_default(), to.0);
        }
    }

    /// What peers asked is no longer ours to answer.
    pub(super) fn forget_asked(&mut self) {
        self.asked.clear();
        self.replies.clear();
    }

    /// What peers asked cannot be confirmed.
    pub(super) fn refuse_asked(&mut self) {
        for asked in core::mem::take(&mut self.asked) {
            self.owe(asked.from, asked.context, None);
        }
    }

    fn owe(&mut self, to: NodeId, context: RoundId, index: Option<LogIndex>) {
        self.replies.retain(|(peer, _)| *peer != to);
        self.replies.push((to, ReadIndexReply { context, index }));
    }

    /// When an unanswered question is repeated.
    pub(super) fn again_at(&self) -> Option<Instant> {
        self.unanswered.then_some(self.again_at)
    }

    pub(super) fn on_tick(&mut self, now: Instant, period_ns: u64) {
        if self.unanswered && now >= self.again_at {
            self.due = true;
            self.again_at = now.plus(period_ns);
        }
    }
}

impl ReadQueue {
    /// The read waits for the leader's word.
    pub(super) fn ask(&mut self, ticket: ReadTicket, min_index: LogIndex, deadline: Instant) {
        let follower = self.follower.get_or_insert_default();
        follower.asking.push_back(Asking { ticket, min_index, context: 0, deadline });
        self.watch(Some(deadline));
    }
}

impl Node {
    /// Whether a linearizable read can be confirmed by us or by our leader.
    pub(super) fn judge_asker(&self) -> Result<(), Rejected> {
        match self.role() {
            Role::Leader => Ok(()),
            Role::Follower if self.leader.is_some() => Ok(()),
            _ => Err(self.not_leader()),
        }
    }

    /// A follower asks which index its reads must wait for.
    pub(crate) fn on_read_index(&mut self, from: NodeId, ask: ReadIndex) -> Result<(), Rejected> {
        let RoleState::Leader(leader) = &self.role else { return Err(Rejected::NotLeader) };
        if !self.peer(from).is_some_and(|peer| peer.seat.is_member()) {
            return Err(Rejected::UnknownSender);
        }
        let (context, index) = (ask.context, self.commit.max(leader.opening));
        let transferring = leader.transfer.is_some();
        let reads = self.reads.follower.get_or_insert_default();
        if transferring {
            reads.owe(from, context, None);
            return Ok(());
        }
        match reads.asked.iter_mut().find(|asked| asked.from == from) {
            // A repetition must not start the wait anew: a round may take longer than its sender's
            // patience.
            Some(asked) if asked.context == context => {}
            Some(asked) => *asked = Asked { from, context, index, round: 0 },
            None => reads.asked.push(Asked { from, context, index, round: 0 }),
        }
        Ok(())
    }

    /// The leader answers.
    pub(crate) fn on_read_index_reply(
        &mut self,
        from: NodeId,
        reply: ReadIndexReply,
    ) -> Result<(), Rejected> {
        let reads = &mut self.reads;
        let Some(mut follower) = reads.follower.take() else { return Err(Rejected::Stale) };
        let number = follower.contexts;
        let open = RoundId { boot: self.boot_id, number };
        let ours = follower.unanswered && reply.context == open;
        if self.leader != Some(from) || !ours {
            reads.follower = Some(follower);
            return Err(Rejected::Stale);
        }
        follower.unanswered = false;
        while follower.asking.front().is_some_and(|read| read.context == number) {
            let Some(read) = follower.asking.pop_front() else { break };
            let Some(index) = reply.index else {
                reads.failed.push((read.ticket, ReadFailure::NotConfirmed));
                continue;
            };
            // Confirmed for good: whoever leads when the machine gets there, it holds the index.
            reads.confirmed(Waiting {
                index: index.max(read.min_index),
                ticket: read.ticket,
                level: ReadLevel::Linearizable,
                deadline: Some(read.deadline),
                led: false,
            });
        }
        reads.follower = Some(follower);
        Ok(())
    }

    /// Sends questions and answers; the caller has checked that our term is durable.
    pub(crate) fn send_read_index(&mut self) {
        if self.reads.follower.is_none() {
            return;
        }
        self.answer_asked();
        let boot = self.boot_id;
        let Some(leader) = self.leader.filter(|_| self.role() == Role::Follower) else { return };
        let again_at = self.now.plus(self.options.heartbeat_ns);
        let Some(reads) = &mut self.reads.follower else { return };
        if !reads.unanswered && !reads.asking.is_empty() {
            reads.contexts = reads.contexts.saturating_add(1);
            for read in &mut reads.asking {
                read.context = reads.contexts;
            }
            (reads.unanswered, reads.due, reads.again_at) = (true, true, again_at);
        }
        if !core::mem::take(&mut reads.due) {
            return;
        }
        let context = RoundId { boot, number: reads.contexts };
        self.with_peers(|node, peer| {
            if peer.id == leader {
                node.send(peer, Message::ReadIndex(ReadIndex { context }));
            }
        });
    }

    /// Answers the questions whose round was answered, and those that cannot be confirmed.
    fn answer_asked(&mut self) {
        let Some(reads) = &mut self.reads.follower else { return };
        if reads.asked.is_empty() && reads.replies.is_empty() {
            return;
        }
        if let RoleState::Leader(leader) = &self.role {
            let answered = leader.quorum_round;
            let done = |asked: &Asked| asked.round > 0 && asked.round <= answered;
            for asked in core::mem::take(&mut reads.asked) {
                if done(&asked) {
                    reads.owe(asked.from, asked.context, Some(asked.index));
                } else {
                    reads.asked.push(asked);
                }
            }
        }
        let replies = core::mem::take(&mut reads.replies);
        self.with_peers(|node, peer| {
            for (_, reply) in replies.iter().filter(|(to, _)| *to == peer.id) {
                node.send(peer, Message::ReadIndexReply(*reply));
            }
        });
    }

    /// Our leader is not ours any more: it will not answer.
    pub(crate) fn leave_leader(&mut self) {
        let Some(reads) = self.reads.made() else { return };
        if let Some(follower) = &mut reads.follower {
            follower.fail(ReadFailure::LeadershipLost, &mut reads.failed);
        }
    }
}
