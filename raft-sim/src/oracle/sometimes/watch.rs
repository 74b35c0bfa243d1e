//! Notices the marks of one run.
//!
//! **Intuition.** Most marks are a comparison of two facts that the mirrors already hold, at the
//! moment one of them changes; few need a memory of their own.
//! **Source.** Ours.
//! **Upholds.** None: nothing here can fail.
//! **Not here.** The catalogue (`sometimes.rs`), campaigns (`tally.rs`).

use raft_core::{LogIndex, NodeId, Role, Term};

use super::{MARKS, Mark};
use crate::{
    oracle::mirrors::{Mirrors, NODES_MAX},
    process::{Changed, NodeView},
};

/// The marks of one run.
#[derive(Clone, Debug)]
pub(in crate::oracle) struct Sometimes {
    pub(in crate::oracle) counts: [u64; MARKS],
    /// The newest term anybody was a candidate in, and who (bits by slot).
    candidates: (Term, u64),
    /// The quorum is lost at the moment.
    quorum_lost: bool,
    /// Some node has been up.
    started: bool,
    /// Event and slot of the last write that became durable, and how many did there and then.
    last_durable: (u64, usize, u64),
    /// By slot: highest index applied in earlier boots, and in this one.
    applied: Vec<(LogIndex, LogIndex)>,
    /// By slot: the term whose commit was already seen blocked.
    blocked: Vec<Term>,
    unknown_counted: bool,
}

impl Default for Sometimes {
    fn default() -> Self {
        Self {
            counts: [0; MARKS],
            candidates: (Term::ZERO, 0),
            quorum_lost: false,
            started: false,
            last_durable: (0, 0, 0),
            applied: vec![(LogIndex::ZERO, LogIndex::ZERO); NODES_MAX],
            blocked: vec![Term::ZERO; NODES_MAX],
            unknown_counted: false,
        }
    }
}

impl Sometimes {
    /// Counts `mark`.
    pub(in crate::oracle) fn hit(&mut self, mark: Mark) {
        self.counts[mark as usize] += 1;
    }

    /// Counts `mark` if `condition` holds.
    pub(in crate::oracle) fn hit_if(&mut self, condition: bool, mark: Mark) {
        self.counts[mark as usize] += u64::from(condition);
    }

    /// A process started; the mirrors know.
    pub(in crate::oracle) fn on_boot(&mut self, mirrors: &Mirrors, slot: usize) {
        let node = &mirrors.nodes[slot];
        self.hit_if(
            node.boot > 1 && node.disk.last() > mirrors.committed.last(),
            Mark::RestartWithTail,
        );
        let (earlier, now) = self.applied[slot];
        self.applied[slot] = (earlier.max(now), LogIndex::ZERO);
        self.blocked[slot] = Term::ZERO;
        let up = mirrors.which(|n| n.up);
        if mirrors.decided.is_in(up) {
            self.hit_if(self.quorum_lost, Mark::QuorumLostAndRegained);
            self.quorum_lost = false;
            self.started = true;
        }
    }

    /// A process is gone, after the writes that survive it were reported as durable in this very
    /// event; `grew` if the disk holds more than that.
    pub(in crate::oracle) fn on_crash(
        &mut self,
        event: u64,
        mirrors: &Mirrors,
        slot: usize,
        grew: bool,
    ) {
        let (last_event, last_slot, count) = self.last_durable;
        let survived = (last_event, last_slot) == (event, slot) && count > 0;
        if survived {
            // These were completed by the crash, not out of order.
            self.counts[Mark::AcksOutOfOrder as usize] -= count - 1;
            self.last_durable.2 = 0;
        }
        self.hit_if(grew || survived, Mark::CrashBetweenPersistAndSend);
        let up = mirrors.which(|n| n.up) & mirrors.voters();
        self.hit_if(up == 0, Mark::AllNodesDown);
        if self.started && !mirrors.decided.is_in(up) {
            self.quorum_lost = true;
        }
    }

    /// A view changed; the mirrors know, the ghost too.
    pub(in crate::oracle) fn on_view(
        &mut self,
        mirrors: &Mirrors,
        slot: usize,
        changed: Changed,
        before: &NodeView,
        after: &NodeView,
    ) {
        if before.role != after.role || before.term != after.term {
            self.on_role(mirrors, slot, before, after);
        }
        if after.role == Role::Leader {
            self.hit_if(
                after.commit > after.durable && after.commit > before.commit,
                Mark::CommitAheadOfDisk,
            );
            if before.role == Role::Leader && before.term == after.term {
                self.on_reign(mirrors, slot, changed, before, after);
            }
        }
        let (open, limit) = after.loads.persists;
        self.hit_if(
            limit > 0 && open >= limit && before.loads.persists.0 < limit,
            Mark::PersistWindowFull,
        );
    }

    fn on_role(&mut self, mirrors: &Mirrors, slot: usize, before: &NodeView, after: &NodeView) {
        match (before.role, after.role) {
            (Role::PreCandidate, Role::Follower) => self.hit(Mark::PreVoteRefused),
            (Role::Leader, role) => {
                self.hit_if(
                    role == Role::Follower && before.term == after.term,
                    Mark::CheckQuorumStepdown,
                );
                self.hit_if(mirrors.newest_reign > before.term, Mark::MinorityLeaderFenced);
                self.hit_if(
                    before.last.index > mirrors.committed.last(),
                    Mark::LeaderDeposedWithTail,
                );
                let own = mirrors.nodes[slot].memory.link(after.commit).map(|l| l.term);
                self.hit_if(own.is_none_or(|t| t < before.term), Mark::LeaderWithoutCommit);
            }
            _ => {}
        }
        if after.role == Role::Candidate {
            let (term, set) = self.candidates;
            if after.term > term {
                let split = set.count_ones() > 1 && !mirrors.had_leader(term);
                self.hit_if(split, Mark::VoteSplit);
                self.candidates = (after.term, 1 << slot);
            } else if after.term == term {
                self.candidates.1 |= 1 << slot;
            }
            let now = mirrors.which(|n| n.up && n.role == Role::Candidate).count_ones();
            self.hit_if(now >= 3, Mark::ThreeCandidates);
        }
        if after.role == Role::Leader {
            let others = mirrors.which(|n| n.up && n.role == Role::Leader && n.term != after.term);
            self.hit_if(others != 0, Mark::TwoLeaders);
        }
    }

    fn on_reign(
        &mut self,
        mirrors: &Mirrors,
        slot: usize,
        changed: Changed,
        before: &NodeView,
        after: &NodeView,
    ) {
        if !changed.any(Changed::PEERS.and(Changed::DURABLE)) {
            return;
        }
        let back = after
            .peers
            .iter()
            .zip(&before.peers)
            .any(|(new, old)| new.peer == old.peer && new.next < old.next);
        self.hit_if(back, Mark::AppendRefused);
        if self.blocked[slot] == after.term {
            return;
        }
        // The newest index of an earlier term that a quorum matches.
        let memory = &mirrors.nodes[slot].memory;
        let held = after.commit.next();
        if memory.link(held).is_none_or(|l| l.term >= after.term) {
            return;
        }
        let matched = |id: NodeId| {
            after.peers.iter().find(|p| p.peer == id).is_some_and(|p| p.matched >= held)
        };
        let own = mirrors.nodes[slot].id;
        let holders =
            mirrors.which(|n| if n.id == own { after.durable >= held } else { matched(n.id) });
        if mirrors.nodes[slot].quorum.is_in(holders) {
            self.blocked[slot] = after.term;
            self.hit(Mark::CommitBlockedByPriorTerm);
        }
    }

    /// A log lost entries from `from` on; its disk was durable up to `durable`.
    pub(in crate::oracle) fn on_truncated(&mut self, from: LogIndex, durable: LogIndex) {
        self.hit(Mark::FollowerTruncated);
        self.hit_if(from <= durable, Mark::DurableTailTruncated);
    }

    /// A write became durable at `slot` in `event`. A second one in the same event was complete
    /// before the first.
    pub(in crate::oracle) fn on_durable(&mut self, event: u64, slot: usize) {
        let (last_event, last_slot, count) = &mut self.last_durable;
        if (*last_event, *last_slot) == (event, slot) && *count > 0 {
            *count += 1;
            self.counts[Mark::AcksOutOfOrder as usize] += 1;
        } else {
            self.last_durable = (event, slot, 1);
        }
    }

    /// An entry was applied.
    pub(in crate::oracle) fn on_applied(&mut self, slot: usize, index: LogIndex) {
        let (earlier, now) = &mut self.applied[slot];
        *now = index;
        let again = index <= *earlier;
        self.hit_if(again, Mark::ApplyReplayed);
    }

    /// A message came late.
    pub(in crate::oracle) fn on_late(
        &mut self,
        receiver: Term,
        sent: Term,
        copy: bool,
        sender_gone: bool,
    ) {
        self.hit_if(copy && receiver > sent, Mark::DuplicateCrossedTerms);
        self.hit_if(sender_gone, Mark::MessageOutlivedSender);
    }

    /// The run is over: so many writes were given up on, so many of them were applied.
    pub(in crate::oracle) fn on_final(&mut self, unknown: u64, unknown_applied: u64) {
        if !self.unknown_counted {
            self.unknown_counted = true;
            self.counts[Mark::UnknownYetApplied as usize] = unknown_applied;
            self.counts[Mark::UnknownNeverApplied as usize] = unknown - unknown_applied;
        }
    }
}

#[cfg(test)]
mod tests {
    use raft_core::LogPosition;

    use super::*;
    use crate::oracle::{
        Observation, OracleId,
        testkit::{ALL, Kit, entry, hard},
    };

    impl Kit {
        fn hits(&self, mark: Mark) -> u64 {
            self.oracles.marks()[mark as usize]
        }
    }

    /// Runs `story`; `mark` must be hit exactly once by its last step and by none before.
    #[track_caller]
    fn once(mark: Mark, mut kit: Kit, last: impl FnOnce(&mut Kit)) -> Kit {
        assert_eq!(kit.hits(mark), 0, "{} came too early", mark.name());
        last(&mut kit);
        assert_eq!(kit.hits(mark), 1, "{}", mark.name());
        kit
    }

    fn cut(kit: &mut Kit, node: u64, from: u64) {
        kit.log(node, from, &[]).unwrap();
    }

    fn all_but(without: &[OracleId]) -> Kit {
        Kit::with(3, ALL, without)
    }

    #[test]
    fn elections() {
        let mut kit = Kit::new(3);
        kit.vote(1, 1, 1).unwrap();
        kit.vote(2, 1, 2).unwrap();
        once(Mark::VoteSplit, kit, |kit| kit.vote(1, 2, 1).unwrap());

        let mut kit = Kit::new(3);
        kit.vote(1, 1, 1).unwrap();
        kit.vote(2, 1, 2).unwrap();
        kit.vote(3, 1, 2).unwrap();
        kit.lead(2).unwrap();
        kit.vote(1, 2, 1).unwrap();
        assert_eq!(kit.hits(Mark::VoteSplit), 0, "somebody won");

        let mut kit = Kit::new(3);
        kit.vote(1, 1, 1).unwrap();
        kit.vote(2, 2, 2).unwrap();
        once(Mark::ThreeCandidates, kit, |kit| kit.vote(3, 3, 3).unwrap());

        let mut kit = Kit::new(3);
        kit.view(1, |v| v.role = Role::PreCandidate).unwrap();
        once(Mark::PreVoteRefused, kit, |kit| {
            kit.view(1, |v| v.role = Role::Follower).unwrap();
        });
        let mut kit = Kit::new(3);
        kit.view(1, |v| v.role = Role::PreCandidate).unwrap();
        kit.vote(1, 1, 1).unwrap();
        assert_eq!(kit.hits(Mark::PreVoteRefused), 0, "it went on");
    }

    #[test]
    fn leaders() {
        let kit = Kit::settled(2);
        once(Mark::CheckQuorumStepdown, kit, |kit| {
            kit.view(1, |v| v.role = Role::Follower).unwrap();
        });
        let kit = Kit::settled(2);
        let kit = once(Mark::TwoLeaders, kit, |kit| kit.elect(2, 2, &[3]).unwrap());
        let kit = once(Mark::MinorityLeaderFenced, kit, |kit| kit.vote(1, 2, 0).unwrap());
        assert_eq!(kit.hits(Mark::CheckQuorumStepdown), 0, "a newer term deposed it");
        assert_eq!(kit.hits(Mark::LeaderWithoutCommit), 0);
        assert_eq!(kit.hits(Mark::LeaderDeposedWithTail), 0);

        let mut kit = Kit::new(3);
        kit.elect(1, 1, &[2]).unwrap();
        kit.append(1, 1, 1).unwrap();
        let kit = once(Mark::LeaderWithoutCommit, kit, |kit| kit.vote(1, 2, 0).unwrap());
        assert_eq!(kit.hits(Mark::LeaderDeposedWithTail), 1);

        let kit = Kit::settled(2);
        once(Mark::LeaderCrashed, kit, |kit| kit.crash(1).unwrap());
        let kit = Kit::settled(2);
        once(Mark::AppendRefused, kit, |kit| {
            kit.view(1, |v| v.peers[0].next = LogIndex(3)).unwrap();
            kit.view(1, |v| v.peers[0].next = LogIndex(2)).unwrap();
        });
    }

    #[test]
    fn logs() {
        let mut kit = Kit::settled(2);
        kit.append(2, 1, 1).unwrap();
        let kit = once(Mark::FollowerTruncated, kit, |kit| cut(kit, 2, 3));
        assert_eq!(kit.hits(Mark::DurableTailTruncated), 0);
        let mut kit = Kit::settled(2);
        kit.replicate(2, 1, 1).unwrap();
        once(Mark::DurableTailTruncated, kit, |kit| cut(kit, 2, 3));

        // n2 leads term 2 with an entry of term 1 that a quorum holds.
        let mut kit = Kit::settled(2);
        kit.replicate(2, 1, 1).unwrap();
        kit.replicate(3, 1, 1).unwrap();
        kit.elect(2, 2, &[3]).unwrap();
        let n3 = |v: &mut NodeView, upto| {
            (v.peers[1].matched, v.peers[1].next) = (LogIndex(upto), LogIndex(upto + 1));
        };
        kit.view(2, |v| n3(v, 2)).unwrap();
        once(Mark::CommitBlockedByPriorTerm, kit, |kit| {
            kit.view(2, |v| n3(v, 3)).unwrap();
            kit.view(2, |v| v.peers[1].inflight = 1).unwrap();
        });

        let mut kit = Kit::new(3);
        kit.elect(1, 1, &[2, 3]).unwrap();
        kit.append(1, 1, 1).unwrap();
        for node in [2, 3] {
            kit.replicate(node, 1, 1).unwrap();
        }
        once(Mark::CommitAheadOfDisk, kit, |kit| kit.commit(1, 1).unwrap());
    }

    #[test]
    fn disks() {
        let kit = Kit::new(3);
        once(Mark::AcksOutOfOrder, kit, |kit| {
            let write = |sequence| Observation::PersistDurable {
                node: NodeId(1),
                sequence,
                hard: None,
                truncate_from: None,
                entries: &[],
                snapshot: None,
            };
            kit.oracles.observe(7, 0, write(1)).unwrap();
            kit.oracles.observe(8, 0, write(2)).unwrap();
            kit.oracles.observe(8, 0, write(3)).unwrap();
        });
        once(Mark::PersistWindowFull, Kit::new(3), |kit| {
            kit.view(1, |v| v.loads.persists = (4, 4)).unwrap();
            kit.view(1, |v| v.term = Term(1)).unwrap();
        });
        let mut kit = Kit::new(3);
        kit.hand(1, Some(hard(1, 1)), None, &[]).unwrap();
        once(Mark::CrashBetweenPersistAndSend, kit, |kit| {
            kit.crash_leaving(1, hard(1, 1), 0).unwrap();
        });
        let mut kit = Kit::new(3);
        kit.hand(1, Some(hard(1, 1)), None, &[]).unwrap();
        let kit = once(Mark::PowerLossLostWrites, kit, |kit| {
            kit.crash_leaving(1, hard(0, 0), 0).unwrap();
        });
        assert_eq!(kit.hits(Mark::CrashBetweenPersistAndSend), 0);
        let mut kit = Kit::new(3);
        kit.hand(1, Some(hard(1, 1)), None, &[]).unwrap();
        let survivors = |kit: &mut Kit| {
            for sequence in [1, 2] {
                let durable = Observation::PersistDurable {
                    node: NodeId(1),
                    sequence,
                    hard: Some(hard(1, 1)),
                    truncate_from: None,
                    entries: &[],
                    snapshot: None,
                };
                kit.oracles.observe(9, 0, durable).unwrap();
            }
            let gone = Observation::Crashed {
                node: NodeId(1),
                hard: hard(1, 1),
                log: &[],
                writes_lost: 0,
                power_loss: false,
            };
            kit.oracles.observe(9, 0, gone).unwrap();
        };
        let kit = once(Mark::CrashBetweenPersistAndSend, kit, survivors);
        assert_eq!(kit.hits(Mark::AcksOutOfOrder), 0);
        once(Mark::AckAboveHoleLost, kit, |kit| {
            kit.see(Observation::AckedWritesLost { node: NodeId(1), count: 2 }).unwrap();
        });
    }

    #[test]
    fn crashes() {
        let mut kit = Kit::settled(2);
        kit.replicate(2, 1, 1).unwrap();
        kit.crash(2).unwrap();
        once(Mark::RestartWithTail, kit, |kit| kit.boot(2).unwrap());

        let mut kit = Kit::settled(2);
        kit.crash(1).unwrap();
        kit.crash(2).unwrap();
        let mut kit = once(Mark::AllNodesDown, kit, |kit| kit.crash(3).unwrap());
        kit.boot(1).unwrap();
        let kit = once(Mark::QuorumLostAndRegained, kit, |kit| {
            kit.boot(2).unwrap();
            kit.boot(3).unwrap();
        });
        assert_eq!(kit.hits(Mark::RestartWithTail), 0, "all of it was committed");

        let mut kit = Kit::settled(2);
        kit.apply(2, 1).unwrap();
        kit.crash(2).unwrap();
        kit.boot(2).unwrap();
        kit.commit(2, 2).unwrap();
        once(Mark::ApplyReplayed, kit, |kit| kit.apply(2, 2).unwrap());
        once(Mark::EntriesRead, Kit::settled(2), |kit| {
            let (first, last) = (LogIndex(1), LogIndex(2));
            kit.see(Observation::ReadEntries { node: NodeId(1), first, last }).unwrap();
        });
    }

    #[test]
    fn messages() {
        let late = |copy, sender_gone, term| Observation::LateDelivery {
            node: NodeId(2),
            from: NodeId(1),
            term: Term(term),
            copy,
            sender_gone,
        };
        once(Mark::DuplicateCrossedTerms, Kit::settled(1), |kit| {
            kit.see(late(true, false, 1)).unwrap();
            kit.see(late(true, false, 0)).unwrap();
        });
        once(Mark::MessageOutlivedSender, Kit::settled(1), |kit| {
            kit.see(late(false, true, 1)).unwrap();
        });
    }

    #[test]
    fn operations() {
        let mut kit = Kit::settled(5);
        for op in 1..=3 {
            kit.see(Observation::OpInvoked { op, read: op == 3 }).unwrap();
            kit.see(Observation::OpUnknown { op }).unwrap();
        }
        kit.see(Observation::OpApplied { op: 2, index: LogIndex(2) }).unwrap();
        let view = kit.node(1).view.clone();
        let (node, applied) = (NodeId(1), LogIndex(5));
        let last_words = Observation::Final { node, applied, machine: 0, view: &view };
        let kit = once(Mark::UnknownYetApplied, kit, |kit| kit.see(last_words).unwrap());
        assert_eq!(kit.hits(Mark::UnknownNeverApplied), 1, "reads do not count");

        let mut kit = Kit::settled(1);
        kit.see(Observation::OpRefused { op: 1 }).unwrap();
        kit.see(Observation::OpAccepted { op: 2, node }).unwrap();
        once(Mark::ProposalSuperseded, kit, |kit| {
            kit.see(Observation::OpRefused { op: 2 }).unwrap();
        });

        let mut kit = Kit::settled(1);
        kit.see(Observation::OpInvoked { op: 1, read: true }).unwrap();
        let kit = once(Mark::ReadWaitedForApply, kit, |kit| {
            kit.see(Observation::OpAccepted { op: 1, node }).unwrap();
        });
        let kit = once(Mark::ReadFailed, kit, |kit| {
            kit.see(Observation::ReadFailed { op: 1, node }).unwrap();
        });
        once(Mark::CasFailed, kit, |kit| kit.see(Observation::CasFailed { op: 1 }).unwrap());
    }

    #[test]
    fn a_candidate_that_lost_its_memory_is_one_candidate() {
        let mut kit = all_but(&[]);
        kit.vote(1, 1, 1).unwrap();
        kit.vote(1, 2, 1).unwrap();
        assert_eq!(kit.hits(Mark::VoteSplit), 0);
        kit.log(1, 1, &[entry(1, 1)]).unwrap();
        assert_eq!(kit.node(1).view.last, LogPosition::new(Term(1), LogIndex(1)));
    }
}
