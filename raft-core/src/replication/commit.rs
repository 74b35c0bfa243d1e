//! The commit rule: what a majority holds durably, in the leader's own term.
//!
//! **Intuition.** An entry of an earlier term on a majority may still be overwritten (thesis
//! Fig. 3.7), so only an entry of the own term is committed by counting; everything before it is
//! committed with it. The leader counts itself only as far as its own disk is.
//! **Source.** Thesis §3.5, §3.6.2, §10.2.1; B-037, B-045.
//! **Upholds.** `inv:committed-durable`, `inv:leader-completeness`, `inv:monotone`.
//! **Not here.** How followers learn it (`follower.rs`).

use crate::{
    Node,
    input::Changed,
    role::RoleState,
    types::{LogIndex, Role},
};

impl Node {
    /// Commits what can be committed by counting. Leaders only; followers learn it.
    pub(crate) fn advance_commit(&mut self) {
        if self.role() != Role::Leader {
            return;
        }
        let durable = self.lane.durable();
        let mut reached = LogIndex(self.reached(durable.0, |peer| peer.counted_match().0));
        if let Some(gate) = self.changes.data_gate
            && reached >= gate
            && !self.data_quorums_hold(gate)
        {
            reached = gate.prev();
        }
        if reached > self.commit && self.log.term_at(reached) == Some(self.hard.term) {
            self.set_commit(reached);
        }
    }

    /// Raises the commit index.
    pub(crate) fn set_commit(&mut self, commit: LogIndex) {
        assert!(commit > self.commit, "commit only rises (inv:monotone)");
        assert!(commit <= self.log.last_index(), "only what exists is committed");
        let before = core::mem::replace(&mut self.commit, commit);
        if let RoleState::Leader(leader) = &self.role {
            debug_assert!(commit >= leader.opening, "own-term commit rule");
        }
        self.changed(Changed::COMMIT);
        self.counters.entries_committed =
            self.counters.entries_committed.saturating_add(commit.since(before));
        if !self.calm {
            self.marks_committed(before);
            self.decide_skips();
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::{boxed::Box, vec::Vec};

    use super::*;
    use crate::{
        config::Configuration,
        input::Input,
        message::{AppendReply, AppendResult, Envelope, Message, VoteReply},
        options::Options,
        output::Output,
        storage::{Boot, HardState},
        types::{BootId, ClusterId, GroupId, Incarnation, Instant, NodeId, RecoveryEpoch, Term},
    };

    /// Acknowledges all writes until there is no work.
    fn settle(sut: &mut Node) {
        loop {
            let work: Vec<Output> = core::iter::from_fn(|| sut.poll()).collect();
            let acks = work.into_iter().filter_map(|output| match output {
                Output::Persist(persist) => Some(persist.ack),
                _ => None,
            });
            let acks: Vec<_> = acks.collect();
            if acks.is_empty() {
                return;
            }
            for ack in acks {
                sut.step(sut.now, Input::Persisted(ack)).expect("its own write");
            }
        }
    }

    fn receive(sut: &mut Node, from: u64, message: Message) {
        let envelope = Envelope {
            cluster: ClusterId(1),
            group: GroupId(1),
            epoch: RecoveryEpoch::default(),
            from: NodeId(from),
            from_incarnation: Incarnation(1),
            to: NodeId(1),
            to_incarnation: Incarnation(1),
            term: Term(1),
            message,
        };
        sut.step(sut.now, Input::Receive(Box::new(envelope))).expect("a sound message");
        settle(sut);
    }

    /// n1 leads three in term 1; its no-op is on its disk alone.
    fn leader() -> Node {
        let hard = HardState::new(ClusterId(1), GroupId(1), NodeId(1), Incarnation(1));
        let voters = Configuration::new((1..=3).map(NodeId)).expect("three");
        let options = Options { pre_vote: false, check_quorum: false, ..Options::default() };
        let boot = Boot::new(BootId(1), 1, hard, voters);
        let mut sut = Node::boot(options, boot, Instant(0)).expect("an empty disk");
        let due = sut.deadline().expect("an election timer");
        sut.step(due, Input::Tick).expect("a tick");
        settle(&mut sut);
        receive(&mut sut, 2, Message::VoteReply(VoteReply { granted: true }));
        assert_eq!(
            (sut.role(), sut.commit(), sut.durable()),
            (Role::Leader, LogIndex(0), LogIndex(1))
        );
        sut
    }

    #[test]
    fn a_copy_below_what_made_its_peer_a_data_member_does_not_count() {
        let mut sut = leader();
        sut.peer_mut(NodeId(2)).expect("a member").counts_from = LogIndex(2);
        let result = AppendResult::Matched { matched: LogIndex(1) };
        let reply = AppendReply { round: 1, result, ..AppendReply::default() };
        receive(&mut sut, 2, Message::AppendReply(reply));
        assert_eq!(sut.commit(), LogIndex(0), "it may be a stub");
        receive(&mut sut, 3, Message::AppendReply(reply));
        assert_eq!(sut.commit(), LogIndex(1));
    }
}
