//! No acknowledged write is lost, none is half applied, none is applied after a definite refusal.
//!
//! **Intuition.** What a client was told for certain must be what the machines did: "done at `i`"
//! means applied at `i`, there only, and still within reach of every member at the end; "no
//! effect" means never applied.
//! **Source.** Thesis §6.3 (an answer is given after the command was applied).
//! **Upholds.** `inv:nothing-lost`.
//! **Not here.** The order that clients saw (`lin/`).

use raft_core::{LogIndex, NodeId};

use super::{Check, OracleId, broken, ops::Ops};

/// The oracle.
#[derive(Clone, Debug, Default)]
pub(super) struct NothingLost {
    pub(super) checks: u64,
    /// Highest acknowledged write: its index and operation.
    highest: Option<(LogIndex, u64)>,
}

fn lost(node: Option<NodeId>, how: String) -> Check {
    broken(OracleId::NothingLost, node, how)
}

impl NothingLost {
    /// `op` was applied at `index`; the register does not know of it yet.
    pub(super) fn on_applied(&mut self, ops: &mut Ops, op: u64, index: LogIndex) -> Check {
        self.checks += 1;
        match ops.at(index) {
            // The usual case: another node, or a later boot, applies what is known.
            Some(known) if known == op => return Ok(()),
            Some(known) => {
                return lost(
                    None,
                    format!("index {index} applied operation {op} here and {known} elsewhere"),
                );
            }
            None => {}
        }
        let fate = ops.fate(op);
        if let Some(first) = fate.applied
            && first != index
        {
            return lost(None, format!("operation {op} was applied at {first} and at {index}"));
        }
        if fate.refused {
            return lost(
                None,
                format!("operation {op} was refused for certain, yet applied at {index}"),
            );
        }
        match fate.returned {
            Some(told) if told != index => lost(
                None,
                format!("operation {op} was acknowledged at {told}, but applied at {index}"),
            ),
            _ => Ok(()),
        }
    }

    /// The client of the write `op` was told that it is done at `index`.
    pub(super) fn on_returned(&mut self, ops: &mut Ops, op: u64, index: LogIndex) -> Check {
        self.checks += 1;
        let applied = ops.fate(op).applied;
        if applied != Some(index) {
            let how = match applied {
                Some(other) => format!("it was applied at {other}"),
                None => "nobody has applied it".to_owned(),
            };
            return lost(None, format!("operation {op} was acknowledged at {index}, but {how}"));
        }
        if self.highest.is_none_or(|(highest, _)| highest < index) {
            self.highest = Some((index, op));
        }
        Ok(())
    }

    /// The client of `op` was told that it has no effect.
    pub(super) fn on_refused(&mut self, ops: &mut Ops, op: u64) -> Check {
        self.checks += 1;
        match ops.fate(op).applied {
            Some(index) => lost(
                None,
                format!("operation {op} was refused for certain, but applied at {index} before"),
            ),
            None => Ok(()),
        }
    }

    /// A member ends with everything up to `applied` applied.
    pub(super) fn on_final(
        &mut self,
        node: NodeId,
        applied: LogIndex,
        committed: LogIndex,
    ) -> Check {
        let Some((index, op)) = self.highest else { return Ok(()) };
        self.checks += 1;
        if index > applied || index > committed {
            return lost(
                Some(node),
                format!(
                    "operation {op} was acknowledged at {index}, but {node} ends with {applied} \
                     applied (committed up to {committed})"
                ),
            );
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::testkit::{Kit, Seen};
    use super::*;
    use crate::oracle::{Observation, OracleId::NothingLost};

    fn applied(kit: &mut Kit, op: u64, index: u64) -> Seen {
        kit.see(Observation::OpApplied { op, index: LogIndex(index) })
    }

    fn returned(kit: &mut Kit, op: u64, index: u64) -> Seen {
        kit.see(Observation::OpReturned { op, read: false, index: LogIndex(index) })
    }

    fn last_words(kit: &mut Kit, node: u64, applied: u64) -> Seen {
        let view = kit.node(node).view.clone();
        let applied = LogIndex(applied);
        kit.see(Observation::Final { node: NodeId(node), applied, machine: 0, view: &view })
    }

    #[test]
    fn an_operation_applied_at_two_places_is_seen() {
        let mut kit = Kit::settled(5);
        applied(&mut kit, 9, 2).unwrap();
        let seen = applied(&mut kit, 9, 4);
        kit.broke(seen, NothingLost, None, "operation 9 was applied at 2 and at 4");
    }

    #[test]
    fn an_index_with_two_operations_is_seen() {
        let mut kit = Kit::settled(5);
        applied(&mut kit, 9, 2).unwrap();
        let seen = applied(&mut kit, 8, 2);
        kit.broke(seen, NothingLost, None, "index 2 applied operation 8 here and 9 elsewhere");
    }

    #[test]
    fn refused_yet_applied_is_seen_in_either_order() {
        let mut kit = Kit::settled(5);
        kit.see(Observation::OpRefused { op: 9 }).unwrap();
        let seen = applied(&mut kit, 9, 2);
        kit.broke(seen, NothingLost, None, "operation 9 was refused for certain, yet applied at 2");
        let mut kit = Kit::settled(5);
        applied(&mut kit, 9, 2).unwrap();
        let seen = kit.see(Observation::OpRefused { op: 9 });
        kit.broke(seen, NothingLost, None, "refused for certain, but applied at 2 before");
    }

    #[test]
    fn an_acknowledgement_without_effect_is_seen() {
        let mut kit = Kit::settled(5);
        let seen = returned(&mut kit, 9, 2);
        kit.broke(seen, NothingLost, None, "acknowledged at 2, but nobody has applied it");
        let mut kit = Kit::settled(5);
        applied(&mut kit, 9, 3).unwrap();
        let seen = returned(&mut kit, 9, 2);
        kit.broke(seen, NothingLost, None, "acknowledged at 2, but it was applied at 3");
    }

    #[test]
    fn an_acknowledged_write_beyond_a_members_end_is_seen() {
        let mut kit = Kit::settled(5);
        applied(&mut kit, 9, 5).unwrap();
        returned(&mut kit, 9, 5).unwrap();
        let seen = last_words(&mut kit, 2, 4);
        kit.broke(seen, NothingLost, 2, "operation 9 was acknowledged at 5, but n2 ends with 4");
    }

    #[test]
    fn ordinary_fates_are_fine() {
        let mut kit = Kit::settled(5);
        for _ in 0..3 {
            applied(&mut kit, 9, 2).unwrap();
        }
        returned(&mut kit, 9, 2).unwrap();
        kit.see(Observation::OpRefused { op: 10 }).unwrap();
        kit.see(Observation::OpUnknown { op: 11 }).unwrap();
        applied(&mut kit, 11, 3).unwrap();
        last_words(&mut kit, 1, 5).unwrap();
        assert_eq!(kit.oracles.commits(), 2);
        assert_eq!(kit.oracles.applied_index(11), Some(LogIndex(3)));
        assert_eq!(kit.oracles.applied_index(10), None);
        assert_eq!(kit.checks(NothingLost), 3 + 1 + 1 + 1 + 1);
    }
}
