//! Lanes keep their order, and nothing is asked for that is not there.
//!
//! **Intuition.** A host may execute the two lanes without thinking only if what it is handed is
//! contiguous: writes numbered without gaps, appends that start where the log ends, applies that
//! continue where the last one stopped.
//! **Source.** Ours: the contract between a process and its host (docs/ARCHITECTURE.md).
//! **Upholds.** `inv:lane-order`.
//! **Not here.** Whether the host executes them right (`disk/`, `world/`).

use raft_core::{LogIndex, NodeId, Role, Term};

use super::{Check, OracleId, broken, mirrors::NODES_MAX};
use crate::process::EntryId;

#[derive(Clone, Copy, Debug, Default)]
struct Lanes {
    /// Number of the last write.
    sequence: u64,
    /// End of the log after all writes handed out.
    log_end: LogIndex,
    /// Last index handed out for apply.
    apply_end: LogIndex,
    /// Last announced role.
    announced: (Term, Role),
}

/// The oracle.
#[derive(Clone, Debug)]
pub(super) struct LaneOrder {
    pub(super) checks: u64,
    lanes: Vec<Lanes>,
}

impl Default for LaneOrder {
    fn default() -> Self {
        Self { checks: 0, lanes: vec![Lanes::default(); NODES_MAX] }
    }
}

fn breach(node: NodeId, how: String) -> Check {
    broken(OracleId::LaneOrder, node, how)
}

impl LaneOrder {
    /// A process started from a log that ends at `last`, with `applied` done.
    pub(super) fn on_boot(&mut self, slot: usize, term: Term, last: LogIndex, applied: LogIndex) {
        self.lanes[slot] = Lanes {
            sequence: 0,
            log_end: last,
            apply_end: applied,
            announced: (term, Role::Follower),
        };
    }

    /// A write publishes a snapshot of `index`: without `keep_log` the log goes on from there.
    pub(super) fn on_publish(&mut self, slot: usize, index: LogIndex, keep_log: bool) {
        if !keep_log {
            self.lanes[slot].log_end = index;
        }
    }

    /// A snapshot of `index` was handed out for the machine.
    pub(super) fn on_install_handed(&mut self, slot: usize, index: LogIndex) {
        self.lanes[slot].apply_end = index;
    }

    /// A write was handed out.
    pub(super) fn on_persist(
        &mut self,
        slot: usize,
        node: NodeId,
        commit: LogIndex,
        sequence: u64,
        truncate_from: Option<LogIndex>,
        entries: &[EntryId],
    ) -> Check {
        self.checks += 1;
        let lanes = &mut self.lanes[slot];
        if sequence != lanes.sequence + 1 {
            return breach(
                node,
                format!("{node} hands out write {sequence} after {}", lanes.sequence),
            );
        }
        lanes.sequence = sequence;
        if let Some(from) = truncate_from {
            if from == LogIndex::ZERO || from > lanes.log_end.next() {
                return breach(
                    node,
                    format!("{node} truncates from {from}, but its log ends at {}", lanes.log_end),
                );
            }
            // A follower may commit entries that wait for room in the window of writes; the write
            // that then replaces what they conflicted with on disk brings them along.
            let end = entries.last().map_or(LogIndex::ZERO, |entry| entry.position.index);
            if from <= commit && end < commit {
                return breach(
                    node,
                    format!("{node} truncates from {from}, at or below its commit index {commit}"),
                );
            }
            lanes.log_end = from.prev();
        }
        for entry in entries {
            if entry.position.index != lanes.log_end.next() {
                return breach(
                    node,
                    format!(
                        "{node} writes entry {} where its log ends at {}",
                        entry.position.index, lanes.log_end
                    ),
                );
            }
            lanes.log_end = entry.position.index;
        }
        Ok(())
    }

    /// Entries were handed out for apply.
    pub(super) fn on_apply(
        &mut self,
        slot: usize,
        node: NodeId,
        first: LogIndex,
        last: LogIndex,
    ) -> Check {
        self.checks += 1;
        let lanes = &mut self.lanes[slot];
        if first != lanes.apply_end.next() || last < first {
            return breach(
                node,
                format!("{node} hands out {first} to {last} for apply after {}", lanes.apply_end),
            );
        }
        lanes.apply_end = last;
        Ok(())
    }

    /// A role was announced.
    pub(super) fn on_role(&mut self, slot: usize, node: NodeId, role: Role, term: Term) -> Check {
        self.checks += 1;
        let lanes = &mut self.lanes[slot];
        let (old_term, old_role) = lanes.announced;
        lanes.announced = (term, role);
        if term < old_term {
            return breach(
                node,
                format!("{node} announces {role} of term {term} after term {old_term}"),
            );
        }
        // Within a term a leader can only become a follower (and then ask for a next term).
        if term == old_term
            && old_role == Role::Leader
            && matches!(role, Role::Leader | Role::Candidate)
        {
            return breach(
                node,
                format!("{node} announces {role} of term {term} after leading it"),
            );
        }
        Ok(())
    }

    /// Entries were asked for from a disk that is durable up to `durable`.
    pub(super) fn on_read_entries(
        &mut self,
        node: NodeId,
        first: LogIndex,
        last: LogIndex,
        durable: LogIndex,
    ) -> Check {
        self.checks += 1;
        if first == LogIndex::ZERO || last < first || last > durable {
            return breach(
                node,
                format!(
                    "{node} asks for entries {first} to {last}, but its disk is durable up to \
                     {durable}"
                ),
            );
        }
        Ok(())
    }

    /// The host saw the contract broken.
    pub(super) fn on_contract(&mut self, node: NodeId, how: &str) -> Check {
        self.checks += 1;
        breach(node, format!("{node} broke the contract: {how}"))
    }
}

#[cfg(test)]
mod tests {
    use super::super::testkit::{Kit, entry};
    use super::*;
    use crate::oracle::{Observation, OracleId::LaneOrder as ID};

    #[test]
    fn a_gap_between_writes_is_seen() {
        let mut kit = Kit::new(3);
        let seen = kit.see(Observation::PersistHanded {
            node: NodeId(1),
            sequence: 2,
            hard: None,
            truncate_from: None,
            entries: &[],
            snapshot: None,
        });
        kit.broke(seen, ID, 1, "hands out write 2 after 0");
    }

    #[test]
    fn a_gap_between_written_entries_is_seen() {
        let mut kit = Kit::new(3);
        kit.hand(1, None, None, &[entry(1, 1), entry(1, 2)]).unwrap();
        let seen = kit.hand(1, None, None, &[entry(1, 4)]);
        kit.broke(seen, ID, 1, "writes entry 4 where its log ends at 2");
    }

    #[test]
    fn truncation_stays_within_the_log_and_above_the_commit() {
        let mut kit = Kit::settled(3);
        let seen = kit.hand(2, None, Some(5), &[]);
        kit.broke(seen, ID, 2, "truncates from 5, but its log ends at 3");
        let mut kit = Kit::settled(3);
        let seen = kit.hand(2, None, Some(0), &[]);
        kit.broke(seen, ID, 2, "truncates from 0");
        let mut kit = Kit::settled(3);
        let seen = kit.hand(2, None, Some(3), &[]);
        kit.broke(seen, ID, 2, "truncates from 3, at or below its commit index 3");
        let mut kit = Kit::settled(3);
        kit.hand(2, None, None, &[entry(1, 4), entry(1, 5)]).unwrap();
        kit.hand(2, None, Some(4), &[entry(2, 4)]).unwrap();
        kit.hand(2, None, None, &[entry(2, 5)]).unwrap();
    }

    #[test]
    fn apply_continues_where_it_stopped() {
        let mut kit = Kit::with(3, super::super::testkit::ALL, &[OracleId::ApplyOnceInOrder]);
        let see = |kit: &mut Kit, first, last| {
            kit.see(Observation::ApplyHanded {
                node: NodeId(1),
                first: LogIndex(first),
                last: LogIndex(last),
            })
        };
        see(&mut kit, 1, 2).unwrap();
        see(&mut kit, 3, 3).unwrap();
        let seen = see(&mut kit, 3, 4);
        kit.broke(seen, ID, 1, "hands out 3 to 4 for apply after 3");
    }

    #[test]
    fn roles_are_announced_in_the_order_they_were_taken() {
        let mut kit = Kit::new(3);
        let say = |kit: &mut Kit, role, term| {
            kit.see(Observation::RoleChanged { node: NodeId(1), role, term: Term(term) })
        };
        say(&mut kit, Role::Candidate, 2).unwrap();
        say(&mut kit, Role::Leader, 2).unwrap();
        say(&mut kit, Role::Follower, 2).unwrap();
        say(&mut kit, Role::PreCandidate, 2).unwrap();
        say(&mut kit, Role::Candidate, 3).unwrap();
        let seen = say(&mut kit, Role::Follower, 2);
        kit.broke(seen, ID, 1, "announces Follower of term 2 after term 3");
        let mut kit = Kit::new(3);
        say(&mut kit, Role::Leader, 2).unwrap();
        let seen = say(&mut kit, Role::Leader, 2);
        kit.broke(seen, ID, 1, "announces Leader of term 2 after leading it");
    }

    #[test]
    fn only_durable_entries_can_be_read_back() {
        let mut kit = Kit::new(3);
        kit.replicate(1, 1, 2).unwrap();
        kit.append(1, 1, 1).unwrap();
        let read = |kit: &mut Kit, first, last| {
            kit.see(Observation::ReadEntries {
                node: NodeId(1),
                first: LogIndex(first),
                last: LogIndex(last),
            })
        };
        read(&mut kit, 1, 2).unwrap();
        let seen = read(&mut kit, 2, 3);
        kit.broke(seen, ID, 1, "asks for entries 2 to 3, but its disk is durable up to 2");
        let seen = read(&mut kit, 0, 1);
        kit.broke(seen, ID, 1, "asks for entries 0 to 1");
        let seen = read(&mut kit, 2, 1);
        kit.broke(seen, ID, 1, "asks for entries 2 to 1");
    }

    #[test]
    fn what_the_host_saw_is_passed_on() {
        let mut kit = Kit::new(3);
        let how = "ticket 7 ended twice";
        let seen = kit.see(Observation::ContractBroken { node: NodeId(2), how });
        kit.broke(seen, ID, 2, "n2 broke the contract: ticket 7 ended twice");
    }

    #[test]
    fn numbers_start_again_with_each_boot() {
        let mut kit = Kit::new(3);
        kit.replicate(1, 1, 2).unwrap();
        kit.crash(1).unwrap();
        kit.boot(1).unwrap();
        kit.replicate(1, 1, 1).unwrap();
    }
}
