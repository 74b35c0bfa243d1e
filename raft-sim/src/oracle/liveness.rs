//! After healing the cluster makes progress in bounded time.
//!
//! **Intuition.** Silence proves nothing while the network is broken. Once it is healed and a
//! quorum of intact logs is up, a leader must come and commands must commit before a generous
//! deadline. A node that stops although its disk is intact has given up on its own.
//! **Source.** Thesis §3.9 (timing), §9 (elections).
//! **Upholds.** `inv:live`.
//! **Not here.** Catching up (`convergence.rs`), deadlines (`world/`).

use raft_core::NodeId;

use super::{Check, OracleId, Phase, broken};

/// The oracle.
#[derive(Clone, Debug, Default)]
pub(super) struct Liveness {
    pub(super) checks: u64,
}

impl Liveness {
    /// A phase ended. Phases that could not succeed say nothing.
    pub(super) fn on_phase(
        &mut self,
        phase: Phase,
        reached: bool,
        recoverable: bool,
        missing: &str,
    ) -> Check {
        let what = match phase {
            Phase::Settle => "no leader with a committed probe after healing",
            Phase::Drain => "operations stayed open after healing",
            Phase::FinalReads => "final reads were not answered",
            Phase::Chaos | Phase::Quiesce => return Ok(()),
        };
        if !reached && !recoverable {
            return Ok(());
        }
        self.checks += 1;
        if reached {
            return Ok(());
        }
        broken(OracleId::Live, None, format!("{what}: {missing}"))
    }

    /// A process halted or refused to start, and its disk is intact.
    pub(super) fn on_stopped(&mut self, node: NodeId, why: &str) -> Check {
        self.checks += 1;
        broken(OracleId::Live, node, format!("{node} stopped on an intact disk: {why}"))
    }
}

#[cfg(test)]
mod tests {
    use super::super::testkit::Kit;
    use super::*;
    use crate::oracle::{Observation, OracleId::Live};

    fn ended(phase: Phase, reached: bool, recoverable: bool) -> Observation<'static> {
        Observation::PhaseEnded { phase, reached, recoverable, missing: "nobody leads" }
    }

    #[test]
    fn a_core_that_never_settles_drains_or_answers_is_seen() {
        for (phase, reason) in [
            (Phase::Settle, "no leader with a committed probe after healing: nobody leads"),
            (Phase::Drain, "operations stayed open"),
            (Phase::FinalReads, "final reads were not answered"),
        ] {
            let mut kit = Kit::new(3);
            let seen = kit.see(ended(phase, false, true));
            kit.broke(seen, Live, None, reason);
        }
    }

    #[test]
    fn success_is_counted_and_hopeless_cores_are_excused() {
        let mut kit = Kit::new(3);
        kit.see(ended(Phase::Chaos, false, true)).unwrap();
        kit.see(ended(Phase::Settle, false, false)).unwrap();
        assert_eq!(kit.checks(Live), 0);
        kit.see(ended(Phase::Settle, true, true)).unwrap();
        assert_eq!(kit.checks(Live), 1);
    }

    #[test]
    fn a_node_that_stops_by_itself_is_seen() {
        let mut kit = Kit::new(3);
        let seen = kit.see(Observation::Stopped { node: NodeId(2), why: "apply gap" });
        kit.broke(seen, Live, 2, "n2 stopped on an intact disk: apply gap");
    }
}
