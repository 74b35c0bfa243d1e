//! Operators: who changes the members, and who asks leaders to go, at which time.
//!
//! **Intuition.** Requests are drawn without knowing what the cluster will look like then; many
//! will be refused, and a refusal at the wrong moment is a case worth having. Weights favour
//! changes that go somewhere: a spare is added more often than a voter is removed.
//! **Source.** Kinds of requests: docs/CONTRACT.md.
//! **Upholds.** `inv:configuration-safety` is what they try.
//! **Not here.** Carrying them out (`world/faults.rs`), other faults (`timed.rs`).

use crate::{
    fault::{
        plan::Plan,
        schedule::{Fault, Operation},
        timed::times,
    },
    process::Ns,
    random::stream::Stream,
};

/// Draws changes of membership and settings.
pub(super) fn changes(plan: &Plan, s: &mut Stream) -> Vec<(Ns, Fault)> {
    let nodes = u64::from(plan.nodes());
    let mut all = Vec::new();
    for at in times(plan, plan.operate.change_gap_ns, s) {
        let member = s.between(1, nodes);
        let spare = s.between(u64::from(plan.voters).min(nodes - 1) + 1, nodes);
        let witness = s.one_in(1, 4) && plan.operate.witnesses;
        let kind = s.weighted(&[12, 26, 10, 8, 14, 4, 12, 6, 4, 4]);
        let mut voters: Vec<u64> = (1..=nodes).collect();
        s.shuffle(&mut voters);
        let keep = s.between(1, nodes.min(5)) as usize;
        let explicit_leave = s.one_in(1, 3);
        let percent = s.between(60, 200) as u32;
        let lease = s.one_in(1, 2);
        let what = match kind {
            0 => Operation::AddLearner { member: spare, witness },
            1 => Operation::AddVoter { member: spare, witness, life: 0 },
            2 => Operation::Promote { member },
            3 => Operation::Demote { member },
            4 => Operation::Remove { member },
            5 if plan.operate.witnesses => Operation::ToWitness { member },
            6 | 5 => {
                voters.truncate(keep);
                voters.sort_unstable();
                Operation::ReplaceVoters { voters, explicit_leave }
            }
            7 => Operation::LeaveJoint,
            8 => Operation::Refresh,
            _ => Operation::Settings { election_percent: percent, lease },
        };
        all.push((at, Fault::Operate { node: 0, what }));
    }
    all
}

/// Draws requests about leadership.
pub(super) fn leadership(plan: &Plan, s: &mut Stream) -> Vec<(Ns, Fault)> {
    let nodes = u64::from(plan.nodes());
    let mut all = Vec::new();
    for at in times(plan, plan.operate.lead_gap_ns, s) {
        let other = s.between(1, nodes);
        let best = s.one_in(1, 3);
        let replace = s.one_in(1, 3);
        let priority = s.between(0, 10) as u8;
        let can_lead = s.one_in(3, 4);
        let (ahead, on) = (s.weighted(&[70, 15, 15]) as u64, s.one_in(3, 4));
        let (node, what) = match s.weighted(&[40, 8, 20, 12, 8, 12, 8]) {
            0 => (0, Operation::Transfer { to: if best { 0 } else { other }, replace }),
            1 => (0, Operation::CancelTransfer),
            // 2 names the next term, which is what no number means as well.
            2 => (other, Operation::Campaign { ahead: ahead * 2 }),
            3 => (0, Operation::StepDown),
            4 => (other, Operation::ForgetLeader),
            5 => (other, Operation::Eligibility { priority, can_lead }),
            _ => (0, Operation::Lease { on }),
        };
        let soon = at.saturating_add(s.between(1, plan.knobs.election_ns / 2));
        let regrets = s.one_in(1, 4) && matches!(what, Operation::Transfer { .. });
        all.push((at, Fault::Operate { node, what }));
        if regrets {
            // A transfer is over so soon that only a request right behind it meets it.
            all.push((soon, Fault::Operate { node: 0, what: Operation::CancelTransfer }));
        }
    }
    all
}
