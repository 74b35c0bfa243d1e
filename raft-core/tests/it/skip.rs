//! Skipping an entry at which the machine fails: stand still, agree, pass over it, start anew.
//!
//! **Intuition.** One command that makes every machine fail must not take the group down, and no
//! replica may end up with another state than the rest.
//! **Source.** SEMANTICS 2.13.5; S-54, D-T10.
//! **Upholds.** `inv:apply-once-in-order`.
//! **Not here.** What a machine is (the driver).

use raft_core::{
    Capacity, DisableReason, EntryKind, HaltReason, Input, Lifecycle, LogIndex, Node, NodeId,
    OperationFailure, OperationTicket, Options, ProposeError, ReadError, Rejected, Role, SkipError,
};

use crate::rig::*;

const POISON: &str = "poison";

/// Three nodes with a poisonous command at index 3, at which every machine stands still.
fn poisoned() -> Rig {
    poisoned_under(plain())
}

fn poisoned_under(options: Options) -> Rig {
    let mut rig = Rig::with(3, options);
    rig.elect(1);
    for id in rig.ids() {
        rig.at(id).poison = Some(POISON);
    }
    rig.propose(1, "before");
    rig.deliver_all();
    rig.propose(1, POISON);
    rig.deliver_all();
    for id in rig.ids() {
        let at = rig.node(id).apply_halted().unwrap();
        assert_eq!((at.index, rig.node(id).applied()), (LogIndex(3), LogIndex(2)), "n{id}");
    }
    rig
}

fn digest(rig: &Rig, id: u64, index: u64) -> u64 {
    let mut all = rig.node(id).entries_from(LogIndex(index));
    all.next().unwrap().1.digest()
}

fn skip(rig: &mut Rig, id: u64, index: u64, digest: u64) -> Result<OperationTicket, SkipError> {
    let now = rig.now;
    let result = rig.at(id).node.skip_entry(now, LogIndex(index), digest);
    rig.drain(id);
    result
}

/// Every node that halted for the skip makes its machine anew and boots.
fn rebuild(rig: &mut Rig) {
    for id in rig.ids() {
        if rig.node(id).halted() == Some(HaltReason::SkipDecided { index: LogIndex(3) }) {
            rig.crash(id, 0);
            rig.restart(id);
        }
    }
}

#[test]
fn a_group_outlives_a_command_that_no_machine_can_apply() {
    // D-T10, S-54, 2.13.5.
    let mut rig = poisoned();
    // It goes on electing and replicating, and takes nothing.
    let now = rig.now;
    let failure = rig.node(1).apply_halted();
    let refused = rig.at(1).node.propose(now, "x".into());
    assert_eq!(refused, Err(ProposeError::ApplyHalted { at: failure }));
    assert_eq!(rig.at(1).node.read(now), Err(ReadError::ApplyHalted { at: failure }));
    rig.run(500 * MS);
    assert_eq!(rig.node(1).role(), Role::Leader);
    rig.elect_among(2, &[1, 2, 3]);
    assert_eq!(rig.commit(2), 4, "the new reign's opening is committed, and not applied");
    assert_eq!(rig.at(2).machine.applied, 2);
    let digest = digest(&rig, 2, 3);
    let ticket = skip(&mut rig, 2, 3, digest).unwrap();
    for _ in 0..20 {
        rig.run(300 * MS);
        rebuild(&mut rig);
    }
    assert_eq!(rig.at(2).operations, [(ticket, Ok(LogIndex(5)))]);
    let hashes: Vec<_> = rig.ids().iter().map(|id| rig.at(*id).machine).collect();
    assert!(hashes[0].applied > 5 && hashes.iter().all(|m| *m == hashes[0]), "{hashes:?}");
    let leader = rig.ids().into_iter().find(|id| rig.node(*id).role() == Role::Leader).unwrap();
    rig.propose(leader, "after");
    rig.deliver_all();
    assert!(rig.ids().iter().all(|id| rig.node(*id).apply_halted().is_none()));
    // The skipped one was handed out alone and marked, everywhere.
    for id in rig.ids() {
        let marked: Vec<_> = rig.at(id).applies.iter().filter(|a| a.skipped).cloned().collect();
        assert!(!marked.is_empty());
        let alone =
            |a: &raft_core::Apply| a.entries.len() == 1 && a.entries.first() == Some(LogIndex(3));
        assert!(marked.iter().all(alone));
    }
}

#[test]
fn a_skip_is_taken_only_where_the_machine_stands_and_only_of_that_entry() {
    // 2.13.5(a).
    let mut rig = led();
    assert_eq!(skip(&mut rig, 1, 1, 0), Err(SkipError::NotHaltedThere { at: None }));
    let mut rig = poisoned();
    let hint = Some(NodeId(1));
    assert_eq!(skip(&mut rig, 2, 3, 0), Err(SkipError::NotLeader { hint }));
    let coarse = rig.step(2, Input::SkipEntry { index: LogIndex(3), digest: 0 });
    assert_eq!(coarse, Err(Rejected::NotLeader));
    let at = Some(LogIndex(3));
    assert_eq!(skip(&mut rig, 1, 2, 0), Err(SkipError::NotHaltedThere { at }));
    let actual = digest(&rig, 1, 3);
    assert_eq!(skip(&mut rig, 1, 3, !actual), Err(SkipError::DigestMismatch { actual }));
    let coarse = rig.step(1, Input::SkipEntry { index: LogIndex(3), digest: !actual });
    assert_eq!(coarse, Err(Rejected::SkipRefused));
    rig.step(1, Input::Capacity(Capacity::None)).unwrap();
    assert_eq!(skip(&mut rig, 1, 3, actual), Err(SkipError::Busy));
    rig.step(1, Input::Capacity(Capacity::ConfigOnly)).unwrap();
    skip(&mut rig, 1, 3, actual).unwrap();
    let there = SkipError::AlreadyAppended { at: LogIndex(4) };
    assert_eq!(skip(&mut rig, 1, 3, actual), Err(there));
    assert_eq!(rig.log(1).len(), 4);
    let mut options = plain();
    options.level = 0;
    let mut rig = Rig::with(1, options);
    rig.elect(1);
    rig.at(1).poison = Some(POISON);
    rig.propose(1, POISON);
    assert_eq!(skip(&mut rig, 1, 2, 0), Err(SkipError::Level));
}

#[test]
fn no_snapshot_is_asked_for_where_the_machine_will_not_stand() {
    // It was handed out up to the entry, and failed before it.
    let mut rig = poisoned();
    rig.step(1, Input::TakeSnapshot).unwrap();
    rig.run(500 * MS);
    assert_eq!((rig.node(1).role(), rig.node(1).applied()), (Role::Leader, LogIndex(2)));
    assert_eq!(rig.at(1).asked_takes, []);
}

#[test]
fn no_snapshot_stands_between_an_entry_and_its_skip() {
    // Whoever starts from one, or is given one, could not tell whether the machine in it passed
    // over the entry or applied it, and would have to take itself out.
    let mut options = plain();
    (options.snapshot_entries, options.apply_inflight_entries_max) = (1, 1);
    let mut rig = poisoned_under(options);
    rig.elect_among(2, &[1, 2, 3]);
    let digest = digest(&rig, 2, 3);
    skip(&mut rig, 2, 3, digest).unwrap();
    rig.deliver_all();
    for id in rig.ids() {
        // What was asked for behind the failing entry came to nothing.
        rig.at(id).asked_takes.clear();
    }
    let mut taken = Vec::new();
    for _ in 0..20 {
        rebuild(&mut rig);
        rig.run(300 * MS);
        for id in rig.ids() {
            taken.extend(rig.at(id).asked_takes.iter().map(|(_, meta)| meta.index().0));
        }
    }
    for id in rig.ids() {
        assert_eq!(rig.node(id).disabled(), None, "n{id}");
        assert_eq!(rig.servers[id as usize - 1].machine, rig.servers[0].machine, "n{id}");
    }
    assert!(taken.contains(&5), "{taken:?}");
    assert!(!taken.iter().any(|at| (3..5).contains(at)), "{taken:?}");
}

#[test]
fn a_failure_is_told_of_what_was_handed_out_and_once() {
    let mut rig = led();
    rig.at(1).slow_apply = true;
    rig.propose(1, "a");
    rig.propose(1, "b");
    rig.deliver_all();
    assert_eq!(rig.node(1).applied(), LogIndex(1));
    for index in [0, 1, 4] {
        let refused = rig.step(1, Input::ApplyFailed(LogIndex(index)));
        assert_eq!(refused, Err(Rejected::AppliedTooFar), "{index}");
    }
    rig.step(1, Input::ApplyFailed(LogIndex(3))).unwrap();
    assert_eq!(rig.node(1).applied(), LogIndex(2), "everything before it was applied");
    assert_eq!(rig.step(1, Input::ApplyFailed(LogIndex(3))), Err(Rejected::ApplyHalted));
    assert_eq!(rig.step(1, Input::Applied(LogIndex(3))), Err(Rejected::AppliedTooFar));
    let handed = rig.at(1).applies.len();
    rig.run(300 * MS);
    assert_eq!(rig.at(1).applies.len(), handed, "nothing more is handed out");
}

#[test]
fn an_entry_that_left_memory_is_read_back_for_its_digest() {
    let mut options = plain();
    (options.tail_entries_max, options.append_entries_max) = (1, 1);
    let mut rig = Rig::with(1, options);
    rig.elect(1);
    rig.at(1).slow_apply = true;
    rig.at(1).slow_reads = true;
    rig.propose(1, POISON);
    rig.propose(1, "after");
    rig.propose(1, "after that");
    assert_eq!(rig.node(1).entries_from(LogIndex(1)).count(), 1);
    rig.step(1, Input::ApplyFailed(LogIndex(2))).unwrap();
    assert_eq!(rig.node(1).apply_halted().unwrap().digest, None);
    assert_eq!(skip(&mut rig, 1, 2, 0), Err(SkipError::Busy), "it is being read");
    let ask = *rig.at(1).fetches.last().unwrap();
    assert_eq!((ask.first, ask.last), (LogIndex(2), LogIndex(2)));
    rig.answer_read(1, ask);
    let digest = rig.node(1).apply_halted().unwrap().digest.unwrap();
    skip(&mut rig, 1, 2, digest).unwrap();
    assert_eq!(rig.node(1).halted(), Some(HaltReason::SkipDecided { index: LogIndex(2) }));
}

#[test]
fn a_replica_looks_ahead_and_waits_for_an_undecided_skip() {
    // 2.13.5(a): n3 was away; its machine never sees the entry.
    let mut rig = poisoned();
    rig.crash(3, 0);
    rig.restart(3);
    let digest = digest(&rig, 1, 3);
    rig.lose_all();
    skip(&mut rig, 1, 3, digest).unwrap();
    rig.lose_all();
    let commit_to_three = |commit, round, rig: &mut Rig| {
        let term = rig.node(1).term().0;
        let entry = rig.node(1).entries_from(LogIndex(4)).next().unwrap();
        let entries = raft_core::Entries::collect([(entry.0, entry.1.clone())]).unwrap();
        let message = raft_core::Message::AppendEntries(raft_core::AppendEntries {
            previous: at(1, 3),
            entries,
            commit: LogIndex(commit),
            round,
            void_transfer: 0,
        });
        rig.tell(1, 3, term, message).unwrap();
    };
    commit_to_three(3, 90, &mut rig);
    assert_eq!((rig.at(3).machine.applied, rig.node(3).commit()), (2, LogIndex(3)));
    assert_eq!(rig.node(3).apply_halted(), None, "the poison was not even handed out");
    commit_to_three(4, 91, &mut rig);
    assert_eq!(rig.at(3).machine.applied, 4);
    assert_eq!(rig.node(3).halted(), None);
}

#[test]
fn an_undecided_skip_that_is_cut_off_lets_the_entry_through() {
    let mut rig = poisoned();
    rig.crash(3, 0);
    rig.restart(3);
    rig.at(3).poison = None;
    let digest = digest(&rig, 1, 3);
    rig.lose_all();
    skip(&mut rig, 1, 3, digest).unwrap();
    rig.deliver(|e| e.to.0 == 3);
    rig.lose_all();
    assert_eq!(rig.log(3).len(), 4);
    rig.tell(2, 3, 9, append((1, 3), &[9], 4, 1)).unwrap();
    assert_eq!((rig.at(3).machine.applied, rig.log(3)), (4, vec![1, 1, 1, 9]));
}

#[test]
fn a_replica_that_applied_the_entry_takes_itself_out() {
    // 2.13.5(b).
    let mut rig = poisoned();
    rig.crash(3, 0);
    rig.restart(3);
    rig.at(3).poison = None;
    rig.run(200 * MS);
    assert!(rig.at(3).machine.applied >= 3, "its machine had no trouble with it");
    let digest = digest(&rig, 1, 3);
    skip(&mut rig, 1, 3, digest).unwrap();
    rig.deliver_all();
    rig.run(100 * MS);
    for _ in 0..20 {
        rig.run(300 * MS);
        rebuild(&mut rig);
    }
    let reason = DisableReason::SkipAfterApply { index: LogIndex(3) };
    assert_eq!(rig.node(3).disabled(), Some(reason));
    assert_eq!(rig.at(3).lifecycles, [(Lifecycle::Disabled, Some(reason))]);
    assert_eq!(rig.servers[0].machine, rig.servers[1].machine);
    // Enabled as it is, it is quarantined for good.
    let as_it_is = rig.at(3).disk.clone();
    let now = rig.now;
    rig.at(3).node.enable(now).unwrap();
    rig.drain(3);
    assert_eq!(rig.node(3).lifecycle(), Lifecycle::Quarantined);
    rig.crash(3, 0);
    rig.restart(3);
    assert_eq!(rig.node(3).lifecycle(), Lifecycle::Quarantined, "and durably");
    // With a machine made anew it follows again.
    rig.at(3).disk = as_it_is;
    rig.restart(3);
    let now = rig.now;
    rig.at(3).node.enable(now).unwrap();
    rig.drain(3);
    assert_eq!(rig.node(3).lifecycle(), Lifecycle::Running);
    rig.run(1_000 * MS);
    assert_eq!(rig.servers[2].machine, rig.servers[0].machine);
}

#[test]
fn a_machine_at_work_on_the_entry_decides_when_it_is_done() {
    // The skip is committed while the entry is being applied, and either way is open.
    for fails in [true, false] {
        let mut rig = poisoned();
        rig.crash(3, 0);
        rig.restart(3);
        rig.at(3).slow_apply = true;
        rig.run(200 * MS);
        let digest = digest(&rig, 1, 3);
        skip(&mut rig, 1, 3, digest).unwrap();
        rig.deliver_all();
        rig.run(100 * MS);
        rebuild(&mut rig);
        for _ in 0..10 {
            rig.run(300 * MS);
            rebuild(&mut rig);
        }
        assert_eq!((rig.node(3).halted(), rig.node(3).disabled()), (None, None), "it waits");
        if fails {
            rig.step(3, Input::ApplyFailed(LogIndex(3))).unwrap();
            let halted = HaltReason::SkipDecided { index: LogIndex(3) };
            assert_eq!(rig.node(3).halted(), Some(halted));
        } else {
            rig.at(3).poison = None;
            rig.step(3, Input::Applied(LogIndex(3))).unwrap();
            let reason = DisableReason::SkipAfterApply { index: LogIndex(3) };
            assert_eq!(rig.node(3).disabled(), Some(reason));
        }
    }
}

/// A disk with a committed skip of entry 3 at 5 and a machine on disk at `applied`.
fn boot_with_skip(applied: u64, skipped: &[u64]) -> Node {
    let mut rig = poisoned();
    let digest = digest(&rig, 1, 3);
    rig.lose_all();
    rig.elect_among(2, &[1, 2, 3]);
    skip(&mut rig, 2, 3, digest).unwrap();
    rig.deliver_all();
    let disk = rig.at(1).disk.clone();
    assert!(disk.log.iter().any(|(p, e)| p.index.0 == 5 && e.kind == EntryKind::SKIP));
    let skipped = skipped.iter().copied().map(LogIndex).collect();
    let boot = disk.boot(77, &rig.voters);
    let boot = boot.with_applied(LogIndex(applied)).with_skipped(skipped);
    let mut node = Node::boot(rig.options.clone(), boot, rig.now).unwrap();
    let term = node.term().0;
    let last = (node.last().term.0, node.last().index.0);
    let heard = envelope(2, 1, term, append(last, &[], last.1, 1));
    node.step(rig.now, Input::Receive(Box::new(heard))).unwrap();
    node
}

#[test]
fn a_machine_on_disk_says_which_entries_it_skipped() {
    let reason = Some(DisableReason::SkipAfterApply { index: LogIndex(3) });
    assert_eq!(boot_with_skip(2, &[]).disabled(), None, "still before it");
    assert_eq!(boot_with_skip(3, &[]).disabled(), reason, "past it, and not as skipped");
    assert_eq!(boot_with_skip(4, &[]).disabled(), reason);
    assert_eq!(boot_with_skip(3, &[3]).disabled(), None);
    assert_eq!(boot_with_skip(4, &[3]).disabled(), None);
    assert_eq!(boot_with_skip(5, &[]).disabled(), None, "nobody gets past the skip itself wrongly");
}

#[test]
fn a_skip_whose_reign_is_lost_ends_as_what_became_of_it() {
    let mut rig = poisoned();
    let digest = digest(&rig, 1, 3);
    rig.lose_all();
    let ticket = skip(&mut rig, 1, 3, digest).unwrap();
    rig.lose_all();
    rig.tell(2, 1, 9, append((1, 3), &[9], 4, 1)).unwrap();
    assert_eq!(rig.at(1).operations, [(ticket, Err(OperationFailure::Superseded))]);
    let mut rig = poisoned();
    rig.lose_all();
    let ticket = skip(&mut rig, 1, 3, digest).unwrap();
    rig.lose_all();
    rig.step(1, Input::StepDown).unwrap();
    assert!(rig.at(1).operations.is_empty());
    rig.pass(rig.options.pending_after_loss_ns);
    rig.step(1, Input::Tick).unwrap();
    let unknown = OperationFailure::Unknown(raft_core::UnknownReason::LeadershipLost);
    assert_eq!(rig.at(1).operations, [(ticket, Err(unknown))]);
}

#[test]
fn a_proposal_that_is_skipped_still_ends_once() {
    let mut rig = Rig::new(1);
    rig.elect(1);
    rig.at(1).poison = Some(POISON);
    rig.at(1).slow_disk = true;
    let ticket = rig.propose(1, POISON);
    rig.propose(1, "after");
    rig.ack(1);
    assert_eq!(rig.applied(1).iter().filter(|(_, t)| *t == Some(ticket.0)).count(), 1);
    let digest = digest(&rig, 1, 2);
    skip(&mut rig, 1, 2, digest).unwrap();
    rig.ack(1);
    assert_eq!(rig.node(1).halted(), Some(HaltReason::SkipDecided { index: LogIndex(2) }));
    assert_eq!(rig.at(1).operations.len(), 1, "ended before the boot did");
}
