//! Demands: what drivers, operators and clients may ask of a node, rightly or not.
//!
//! **Intuition.** Everything but messages and time: answers of disks and machines, some of them
//! lies, requests of clients, whatever an operator can type, each drawn around what the node
//! holds.
//! **Source.** Ours.
//! **Upholds.** Nothing; inputs for tests of all invariants.
//! **Not here.** Who carries a demand out and looks at the node afterwards (`steps.rs`).

use bytes::Bytes;
use raft_core::{
    Bootstrap, Capacity, ConfigAction, ConfigChange, ConfigExpect, DisableReason, FetchFailure,
    Incarnation, Input, Instant, LogIndex, LogPosition, NodeId, Priority, Proposal, ReadLevel,
    ReadRequest, ReceivedSnapshot, RecoveryEpoch, RecoveryPlan, SendFailure, SnapshotTaken,
    StageId, Term, TransferRequest,
};

use super::World;
use crate::bytes::{arbitrary, source::Source};

/// What a driver, an operator or a client may demand at any time, rightly or not.
impl World {
    pub(super) fn demand(&mut self, source: &mut Source<'_>, at: usize) -> Option<Input> {
        match source.byte() % 24 {
            0 | 1 => {
                self.acknowledge(at, 0);
                None
            }
            2 => {
                let nth = source.below(self.servers[at].open.len());
                self.acknowledge(at, nth);
                None
            }
            3..=5 => self.store_answers(source, at),
            6..=8 => Some(Self::client(source, self.servers[at].now)),
            9 | 10 => self.machine(source, at),
            11..=14 => self.snapshots(source, at),
            _ => Some(self.operator(source, at)),
        }
    }

    fn store_answers(&mut self, source: &mut Source<'_>, at: usize) -> Option<Input> {
        let server = &mut self.servers[at];
        let (other, node) = (source.flag(), source.below(4));
        match source.byte() % 16 {
            0 => {
                // Again, or of another node or boot.
                let server = if other { self.servers.get(node)? } else { server };
                server.acks.get(source.below(server.acks.len())).copied().map(Input::Persisted)
            }
            1 if source.rarely(8) => {
                let (write, _) = server.open.front()?;
                Some(Input::PersistFailed(write.ack))
            }
            _ => {
                let which = source.below(server.fetches.len());
                let read = *server.fetches.get(which)?;
                if !source.rarely(8) {
                    server.fetches.swap_remove(which);
                }
                let (id, failed) = (read.id, source.byte() % 16);
                Some(match failed {
                    0 => Input::EntriesReadFailed { id, failure: FetchFailure::Busy },
                    1 if source.rarely(4) => {
                        Input::EntriesReadFailed { id, failure: FetchFailure::Broken }
                    }
                    2 => {
                        let before = LogPosition::new(Term(1), read.first.prev());
                        Input::EntriesRead { id, entries: arbitrary::entries(source, before, 3) }
                    }
                    3 => {
                        let entries = server.store.read(read.first, read.first);
                        Input::EntriesRead { id, entries }
                    }
                    _ => {
                        let entries = server.store.read(read.first, read.last);
                        Input::EntriesRead { id, entries }
                    }
                })
            }
        }
    }

    fn client(source: &mut Source<'_>, now: Instant) -> Input {
        let deadline = source.rarely(4).then(|| now.plus(source.number()));
        let payload = Bytes::from(vec![source.byte(); source.below(64)]);
        match source.byte() % 8 {
            0..=3 => Input::Propose(payload),
            4 => Input::ProposeWith(Box::new(Proposal {
                payload,
                priority: if source.flag() { Priority::High } else { Priority::Low },
                deadline,
                label: u64::from(source.byte()),
            })),
            5 => Input::Read,
            _ => Input::ReadWith(ReadRequest {
                level: source
                    .pick(&[
                        ReadLevel::Linearizable,
                        ReadLevel::Lease,
                        ReadLevel::ThroughLog,
                        ReadLevel::Local,
                    ])
                    .unwrap_or_default(),
                min_index: LogIndex(source.number()),
                deadline,
            }),
        }
    }

    fn machine(&mut self, source: &mut Source<'_>, at: usize) -> Option<Input> {
        let server = &mut self.servers[at];
        match source.byte() % 8 {
            0 => Some(Input::Applied(LogIndex(source.near(server.node.applied().0)))),
            1 if source.rarely(4) => {
                Some(Input::ApplyFailed(LogIndex(source.near(server.node.applied().0 + 1))))
            }
            _ => server.applies.pop_front().map(Input::Applied),
        }
    }

    fn snapshots(&mut self, source: &mut Source<'_>, at: usize) -> Option<Input> {
        let server = &mut self.servers[at];
        match source.byte() % 8 {
            0..=2 => {
                let (id, mut meta) = server.takes.pop()?;
                if source.rarely(4) {
                    return Some(Input::SnapshotFailed(id));
                }
                let (digest, size_bytes) = (source.number(), source.number());
                (meta.digest, meta.size_bytes) = (digest, size_bytes);
                server.store.took(meta);
                Some(Input::SnapshotTaken(SnapshotTaken { id, digest, size_bytes }))
            }
            3..=5 => {
                let send = server.sends.pop()?;
                let id = send.id;
                self.staged.truncate(7);
                self.staged.push(send);
                Some(match source.byte() % 4 {
                    0 => Input::SnapshotSendFailed { id, failure: SendFailure::Failed },
                    1 => Input::SnapshotSendFailed { id, failure: SendFailure::Overloaded },
                    _ => Input::SnapshotSent(id),
                })
            }
            _ => {
                let which = source.below(self.staged.len());
                let sent = self.staged.get(which);
                let mut received = ReceivedSnapshot {
                    stage: StageId(u64::from(source.byte())),
                    meta: match sent {
                        Some(send) => send.meta.clone(),
                        None => arbitrary::meta(source, server.node.last()),
                    },
                    from: NodeId(1 + source.below(4) as u64),
                    term: sent.map_or_else(|| server.node.term(), |send| send.term),
                };
                if source.rarely(4) {
                    received.meta = arbitrary::meta(source, server.node.last());
                    received.term = Term(source.near(server.node.term().0));
                }
                Some(Input::SnapshotReceived(Box::new(received)))
            }
        }
    }

    fn operator(&self, source: &mut Source<'_>, at: usize) -> Input {
        let server = &self.servers[at];
        let node = NodeId(1 + source.below(5) as u64);
        let epoch = RecoveryEpoch { number: source.near(1), plan_id: source.near(7) };
        match source.byte() % 16 {
            0..=4 => Input::ChangeConfig(Box::new(change(source, node, server.options.settings()))),
            5 => {
                let to = source.flag().then_some(node);
                Input::TransferLeader(TransferRequest { to, replace: source.flag() })
            }
            6 => Input::CancelTransfer,
            7 => Input::Campaign { min_term: Term(source.near(server.node.term().0)) },
            8 => Input::ForgetLeader,
            9 => Input::SetEligibility { priority: source.byte() % 12, can_lead: source.flag() },
            10 => Input::Bootstrap(Box::new(Bootstrap {
                configuration: arbitrary::configuration(source),
                position: arbitrary::position(source, LogPosition::new(Term(1), LogIndex(1))),
                settings: source.rarely(4).then(|| arbitrary::settings(source)),
                stage: source.flag().then(|| StageId(source.number())),
                digest: source.number(),
                size_bytes: source.number(),
            })),
            11 => Input::Unreachable(node),
            12 => Input::Capacity(
                source
                    .pick(&[Capacity::All, Capacity::ConfigOnly, Capacity::None])
                    .unwrap_or_default(),
            ),
            13 if source.rarely(3) => Input::Disable(DisableReason::Operator(source.number())),
            13 => Input::Enable,
            14 => {
                let plan = Box::new(RecoveryPlan {
                    data_may_be_lost: !source.rarely(8),
                    survivors: vec![server.node.id(), node],
                    keep: server.node.id(),
                    last: arbitrary::position(source, server.node.last()),
                    term: Term(source.near(server.node.term().0)),
                    epoch,
                });
                if source.rarely(4) {
                    Input::UnsafeRecover(plan)
                } else {
                    Input::AcceptRecovery(plan)
                }
            }
            _ if source.rarely(16) => Input::Shutdown,
            _ => Input::StepDown,
        }
    }
}

fn change(source: &mut Source<'_>, node: NodeId, settings: raft_core::Settings) -> ConfigChange {
    let expect = match source.byte() % 8 {
        0 => Some(ConfigExpect::Index(LogIndex(source.number()))),
        1 => Some(ConfigExpect::Voters(vec![node])),
        _ => None,
    };
    let (incarnation, witness) = (Incarnation(source.near(1)), source.rarely(4));
    let action = match source.byte() % 12 {
        0 => ConfigAction::AddLearner { node, incarnation, witness },
        1 => ConfigAction::Promote { node, if_ready: source.flag() },
        2 | 3 => ConfigAction::AddVoter { node, incarnation, witness },
        4 => ConfigAction::Demote { node },
        5 | 6 => ConfigAction::Remove { node },
        7 => ConfigAction::ToWitness { node },
        8 => {
            let mut voters = vec![node, NodeId(1 + source.below(5) as u64), NodeId(1)];
            voters.sort_unstable();
            voters.dedup();
            ConfigAction::ReplaceVoters { voters, explicit_leave: source.flag() }
        }
        9 => ConfigAction::LeaveJoint,
        10 => ConfigAction::Refresh,
        _ if source.flag() => ConfigAction::SetSettings(arbitrary::settings(source)),
        _ => ConfigAction::SetSettings(settings),
    };
    ConfigChange { expect, action, force: source.rarely(4) }
}
