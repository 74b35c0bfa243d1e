//! After healing, all members of the core reach the same state.
//!
//! **Intuition.** When the trouble is over and clients are silent, everyone can catch up; a member
//! that stays behind is stuck, and one that is different was wrong before.
//! **Source.** Thesis §3.5 (a leader repeats until every follower stores everything).
//! **Upholds.** `inv:converges`.
//! **Not here.** Whether anything moves at all (`liveness.rs`).

use raft_core::{LogIndex, NodeId};

use super::{Check, OracleId, Phase, broken};

/// The oracle.
#[derive(Clone, Debug, Default)]
pub(super) struct Convergence {
    pub(super) checks: u64,
    /// The first member that reported: node, applied index, digest.
    first: Option<(NodeId, LogIndex, u64)>,
}

impl Convergence {
    /// A phase ended.
    pub(super) fn on_phase(
        &mut self,
        phase: Phase,
        reached: bool,
        recoverable: bool,
        missing: &str,
    ) -> Check {
        if phase != Phase::Quiesce || (!reached && !recoverable) {
            return Ok(());
        }
        self.checks += 1;
        if reached {
            return Ok(());
        }
        broken(OracleId::Converges, None, format!("the core did not converge: {missing}"))
    }

    /// A member's final state.
    pub(super) fn on_final(&mut self, node: NodeId, applied: LogIndex, machine: u64) -> Check {
        let Some((other, other_applied, other_machine)) = self.first else {
            self.first = Some((node, applied, machine));
            return Ok(());
        };
        self.checks += 1;
        if (applied, machine) == (other_applied, other_machine) {
            return Ok(());
        }
        broken(
            OracleId::Converges,
            node,
            format!(
                "{node} ends with {applied} applied and digest {machine:016x}, {other} with \
                 {other_applied} and {other_machine:016x}"
            ),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::super::testkit::Kit;
    use super::*;
    use crate::oracle::{Observation, OracleId::Converges};

    fn quiesced(reached: bool, recoverable: bool) -> Observation<'static> {
        let missing = "n3 is at 4 of 9";
        Observation::PhaseEnded { phase: Phase::Quiesce, reached, recoverable, missing }
    }

    fn last_words(
        kit: &mut Kit,
        node: u64,
        applied: u64,
        machine: u64,
    ) -> super::super::testkit::Seen {
        let view = kit.node(node).view.clone();
        let applied = LogIndex(applied);
        kit.see(Observation::Final { node: NodeId(node), applied, machine, view: &view })
    }

    #[test]
    fn a_member_left_behind_is_seen() {
        let mut kit = Kit::settled(3);
        let seen = kit.see(quiesced(false, true));
        kit.broke(seen, Converges, None, "the core did not converge: n3 is at 4 of 9");
    }

    #[test]
    fn a_member_that_ends_different_is_seen() {
        let mut kit = Kit::settled(3);
        last_words(&mut kit, 1, 3, 77).unwrap();
        let seen = last_words(&mut kit, 2, 3, 78);
        kit.broke(seen, Converges, 2, "n2 ends with 3 applied");
        let mut kit = Kit::settled(3);
        last_words(&mut kit, 1, 3, 77).unwrap();
        let seen = last_words(&mut kit, 2, 2, 77);
        kit.broke(seen, Converges, 2, "n2 ends with 2 applied");
    }

    #[test]
    fn members_that_agree_are_fine_and_hopeless_cores_are_excused() {
        let mut kit = Kit::settled(3);
        kit.see(quiesced(false, false)).unwrap();
        kit.see(quiesced(true, true)).unwrap();
        for node in 1..=3 {
            last_words(&mut kit, node, 3, 77).unwrap();
        }
        assert_eq!(kit.checks(Converges), 1 + 2);
    }
}
