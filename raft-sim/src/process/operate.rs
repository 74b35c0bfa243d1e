//! Operators' requests in the core's words.
//!
//! **Intuition.** A schedule names members by number and timeouts in percent, so that it can be
//! written by hand; the core wants its own types. One table translates.
//! **Source.** Ours.
//! **Upholds.** `inv:pure`.
//! **Not here.** Who is asked (`world/faults.rs`), what comes of it (`raft_core`).

use raft_core::{
    Capacity, ConfigAction, ConfigChange, DisableReason, Incarnation, Input, Node, NodeId, Term,
    TransferRequest,
};

use crate::fault::schedule::Operation;

/// The core's input for `operation` at `node`; `None` if there is none.
pub(super) fn operation_of(operation: &Operation, node: &Node) -> Option<Input> {
    let change = |action| {
        Some(Input::ChangeConfig(Box::new(ConfigChange { expect: None, action, force: false })))
    };
    let unknown = Incarnation(0);
    match *operation {
        Operation::AddLearner { member, witness } => {
            let node = NodeId(member);
            change(ConfigAction::AddLearner { node, incarnation: unknown, witness })
        }
        Operation::AddVoter { member, witness, life } => {
            let node = NodeId(member);
            change(ConfigAction::AddVoter { node, incarnation: Incarnation(life), witness })
        }
        Operation::Promote { member } => {
            change(ConfigAction::Promote { node: NodeId(member), if_ready: true })
        }
        Operation::Demote { member } => change(ConfigAction::Demote { node: NodeId(member) }),
        Operation::Remove { member } => change(ConfigAction::Remove { node: NodeId(member) }),
        Operation::ToWitness { member } => change(ConfigAction::ToWitness { node: NodeId(member) }),
        Operation::ReplaceVoters { ref voters, explicit_leave } => {
            let voters = voters.iter().copied().map(NodeId).collect();
            change(ConfigAction::ReplaceVoters { voters, explicit_leave })
        }
        Operation::LeaveJoint => change(ConfigAction::LeaveJoint),
        Operation::Refresh => change(ConfigAction::Refresh),
        Operation::Settings { election_percent, lease } => {
            let mut settings = node.options().settings();
            let scale = |ns: u64| (ns / 100).saturating_mul(u64::from(election_percent)).max(1);
            settings.election_min_ns = scale(settings.election_min_ns);
            settings.election_max_ns = scale(settings.election_max_ns);
            settings.heartbeat_ns = scale(settings.heartbeat_ns);
            settings.check_quorum_ns = scale(settings.check_quorum_ns);
            settings.lease = lease;
            change(ConfigAction::SetSettings(settings))
        }
        Operation::Transfer { to, replace } => {
            let to = (to != 0).then_some(NodeId(to));
            Some(Input::TransferLeader(TransferRequest { to, replace }))
        }
        Operation::CancelTransfer => Some(Input::CancelTransfer),
        Operation::Campaign { ahead: 0 } => Some(Input::Campaign { min_term: Term::ZERO }),
        Operation::Campaign { ahead } => {
            Some(Input::Campaign { min_term: Term(node.term().0.saturating_add(ahead)) })
        }
        Operation::Lease { on } => {
            let mut settings = node.options().settings();
            settings.lease = on;
            change(ConfigAction::SetSettings(settings))
        }
        Operation::StepDown => Some(Input::StepDown),
        Operation::ForgetLeader => Some(Input::ForgetLeader),
        Operation::Eligibility { priority, can_lead } => {
            Some(Input::SetEligibility { priority, can_lead })
        }
        Operation::TakeSnapshot => None,
        Operation::SkipEntry => {
            let failure = node.apply_halted()?;
            Some(Input::SkipEntry { index: failure.index, digest: failure.digest? })
        }
        Operation::Capacity { level } => Some(Input::Capacity(match level {
            0 => Capacity::None,
            1 => Capacity::ConfigOnly,
            _ => Capacity::All,
        })),
        Operation::Unreachable { peer } => Some(Input::Unreachable(NodeId(peer))),
        Operation::Disable { off: true } => Some(Input::Disable(DisableReason::Operator(1))),
        Operation::Disable { off: false } => Some(Input::Enable),
    }
}
