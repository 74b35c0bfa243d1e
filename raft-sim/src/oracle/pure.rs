//! The same inputs give the same outputs.
//!
//! **Intuition.** A clone that is fed the same inputs and hands out something else has looked at
//! something it was not given: a clock, an address, a map's order.
//! **Source.** Ours: the ground on which every replay stands.
//! **Upholds.** `inv:pure`.
//! **Not here.** Running the shadow (`world/`).

use raft_core::NodeId;

use super::{Check, OracleId, broken};

/// The oracle.
#[derive(Clone, Debug, Default)]
pub(super) struct Pure {
    pub(super) checks: u64,
}

impl Pure {
    /// A shadow agreed `steps` times.
    pub(super) fn on_agreed(&mut self, steps: u64) {
        self.checks += steps;
    }

    /// A shadow of `node` differed in `what`.
    pub(super) fn on_differed(&mut self, node: NodeId, what: &str) -> Check {
        self.checks += 1;
        broken(
            OracleId::Pure,
            node,
            format!("a clone of {node} fed the same inputs differs in {what}"),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::super::testkit::{ALL, Kit};
    use crate::{
        oracle::{Observation, OracleId::Pure},
        process::Promises,
    };
    use raft_core::NodeId;

    #[test]
    fn a_shadow_that_differs_is_seen() {
        let mut kit = Kit::new(3);
        kit.see(Observation::ShadowAgreed { node: NodeId(2), steps: 40 }).unwrap();
        assert_eq!(kit.checks(Pure), 40);
        let differed = Observation::ShadowDiffered { node: NodeId(2), what: "deadline" };
        let seen = kit.see(differed);
        kit.broke(seen, Pure, 2, "a clone of n2 fed the same inputs differs in deadline");
        let mut kit = Kit::with(3, Promises { pure: false, ..ALL }, &[]);
        kit.see(differed).unwrap();
    }
}
