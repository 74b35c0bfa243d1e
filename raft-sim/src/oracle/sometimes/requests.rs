//! Notices the marks of reads and of what operators ask for.
//!
//! **Intuition.** A level of reading or a request that no run ever met is untested, whatever the
//! plans say: drawing it is not the same as a node taking it.
//! **Source.** Ours.
//! **Upholds.** None: nothing here can fail.
//! **Not here.** The catalogue (`sometimes.rs`), marks of the protocol (`watch.rs`).

use raft_core::{LogIndex, Role};

use super::{Mark, Sometimes};
use crate::{fault::schedule::Operation, workload::reads::Level};

impl Sometimes {
    /// A node in `role` says that a read may be answered.
    pub(in crate::oracle) fn on_ready(
        &mut self,
        role: Role,
        level: Level,
        least: LogIndex,
        refused: bool,
    ) {
        match level {
            Level::Linearizable => self.hit_if(role == Role::Follower, Mark::FollowerRead),
            Level::ThroughLog => self.hit(Mark::ReadThroughLog),
            Level::Local => {
                self.hit(if refused { Mark::StaleReadRefused } else { Mark::LocalRead });
                self.hit_if(!refused && least > LogIndex::ZERO, Mark::LocalReadNamedIndex);
            }
            Level::Lease => {}
        }
    }

    /// An operator asked for `what`; `displaced` if a transfer under way ended by it.
    pub(in crate::oracle) fn on_operated(
        &mut self,
        what: &Operation,
        accepted: bool,
        displaced: bool,
    ) {
        if !accepted {
            return;
        }
        match what {
            Operation::Transfer { .. } => self.hit_if(displaced, Mark::TransferReplaced),
            Operation::CancelTransfer => self.hit_if(displaced, Mark::TransferCancelled),
            Operation::Campaign { ahead } => self.hit_if(*ahead > 0, Mark::CampaignNamedTerm),
            Operation::StepDown => self.hit(Mark::SteppedDown),
            Operation::ForgetLeader => self.hit(Mark::LeaderForgotten),
            Operation::Eligibility { priority, can_lead } => {
                self.hit_if(*priority == 0 || !can_lead, Mark::MayNotCampaign);
            }
            Operation::Lease { .. } => self.hit(Mark::LeaseSwitched),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hits(sut: &Sometimes, mark: Mark) -> u64 {
        sut.counts[mark as usize]
    }

    #[test]
    fn each_level_has_its_mark() {
        let mut sut = Sometimes::default();
        sut.on_ready(Role::Leader, Level::Linearizable, LogIndex::ZERO, false);
        sut.on_ready(Role::Leader, Level::Lease, LogIndex(3), false);
        assert!(sut.counts.iter().all(|n| *n == 0), "nothing rare");
        sut.on_ready(Role::Follower, Level::Linearizable, LogIndex::ZERO, false);
        sut.on_ready(Role::Leader, Level::ThroughLog, LogIndex::ZERO, false);
        sut.on_ready(Role::Follower, Level::Local, LogIndex::ZERO, false);
        sut.on_ready(Role::Follower, Level::Local, LogIndex(2), true);
        for mark in [Mark::FollowerRead, Mark::ReadThroughLog, Mark::LocalRead] {
            assert_eq!(hits(&sut, mark), 1, "{}", mark.name());
        }
        assert_eq!(hits(&sut, Mark::StaleReadRefused), 1);
        assert_eq!(hits(&sut, Mark::LocalReadNamedIndex), 0, "it was refused");
        sut.on_ready(Role::Follower, Level::Local, LogIndex(2), false);
        assert_eq!(hits(&sut, Mark::LocalReadNamedIndex), 1);
    }

    #[test]
    fn requests_count_when_they_are_taken() {
        let replace = Operation::Transfer { to: 2, replace: true };
        let idle = Operation::Eligibility { priority: 0, can_lead: true };
        let cases = [
            (replace, Mark::TransferReplaced),
            (Operation::CancelTransfer, Mark::TransferCancelled),
            (Operation::Campaign { ahead: 2 }, Mark::CampaignNamedTerm),
            (Operation::StepDown, Mark::SteppedDown),
            (Operation::ForgetLeader, Mark::LeaderForgotten),
            (idle, Mark::MayNotCampaign),
            (Operation::Lease { on: false }, Mark::LeaseSwitched),
        ];
        for (what, mark) in cases {
            let mut sut = Sometimes::default();
            sut.on_operated(&what, false, true);
            assert_eq!(hits(&sut, mark), 0, "{} though refused", mark.name());
            sut.on_operated(&what, true, true);
            assert_eq!(hits(&sut, mark), 1, "{}", mark.name());
        }
    }
}
