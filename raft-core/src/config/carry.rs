//! A change on its way: promoted when ready, left when joint, ended when committed.
//!
//! **Intuition.** What a change still needs is read off the log at each settle: a joint
//! configuration that is committed is left, a learner that is caught up is promoted. A new leader
//! finds a joint configuration in its own log and goes on with it; nobody has to tell it. The
//! caller learns the end when the last entry is committed, and is told the truth if leadership is
//! lost before that: unknown, until commit decides.
//! **Source.** Thesis §4.2.1, §4.3; B-068 (left twice), B-070 (never left), D-R8 (answered before
//! commit).
//! **Upholds.** `inv:configuration-safety`, `inv:nothing-lost`, `inv:bounded`.
//! **Not here.** Judging what is wanted (`change.rs`), what the next configuration is (`plan.rs`).

use alloc::vec::Vec;

use super::{
    Configuration,
    change::{ChangeError, ConfigAction},
    guard::Readiness,
    plan::{Next, leave, plan},
};
use crate::{
    Node,
    error::{HaltReason, OperationFailure, UnknownReason},
    lazy::{Empty, Lazy},
    role::RoleState,
    types::{Instant, LogIndex, LogPosition, NodeId, OperationTicket, Role},
};

/// Changes open at once; one more is refused. More than one is open only while joiners catch up
/// and after lost reigns.
const OPEN_MAX: usize = 64;

/// How far a change is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) enum Stage {
    /// Its last entry stands here.
    Last(LogPosition),
    /// Its joint configuration stands here; it ends with the one that leaves it.
    Joint(LogPosition),
    /// The configuration that holds the learner stands here; its promotion is still to come.
    Learner(NodeId, LogPosition),
}

impl Stage {
    const fn entry(self) -> LogPosition {
        match self {
            Self::Last(at) | Self::Joint(at) | Self::Learner(_, at) => at,
        }
    }
}

/// A change somebody waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
struct OpenChange {
    ticket: OperationTicket,
    stage: Stage,
    /// The reign it began in is over: when to give up.
    expires: Option<Instant>,
}

/// What this node knows of changes beyond the log's marks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Changes {
    open: Vec<OpenChange>,
    /// A member told that it is none any more.
    pub(crate) told_removed: bool,
    /// The configuration in force pins another life of this node's disk.
    pub(crate) other_life: bool,
    /// The newest append named this life of the disk: its leader knows it, though a log that is
    /// still being read may pin an earlier one, and can send what names this life too.
    pub(crate) addressed: bool,
    /// This node was made a data member while its disk held stubs.
    pub(crate) tainted: bool,
    /// A witness by the committed configuration of this index: what is committed from there on
    /// counts as applied.
    pub(crate) witness_from: Option<LogIndex>,
    /// The highest index whose data this disk may lack; 0 for none.
    pub(crate) stubs: LogIndex,
    /// An uncommitted configuration that makes a data voter a witness: it commits only when enough
    /// of the others hold it.
    pub(crate) data_gate: Option<LogIndex>,
}

impl Empty for Changes {
    const EMPTY: &'static Self = &Self {
        open: Vec::new(),
        told_removed: false,
        other_life: false,
        addressed: false,
        tainted: false,
        witness_from: None,
        stubs: LogIndex::ZERO,
        data_gate: None,
    };
}

impl Changes {
    /// At boot, from a log whose last stub is at `stubs`.
    pub(crate) fn recovered(stubs: LogIndex) -> Lazy<Self> {
        let mut changes: Lazy<Self> = Lazy::default();
        changes.set(Self { stubs, ..Self::default() });
        changes
    }

    /// Whether no change is open, and this node's place in the configuration is an ordinary one.
    pub(crate) const fn is_idle(&self) -> bool {
        self.open.is_empty()
            && !self.told_removed
            && !self.other_life
            && !self.tainted
            && self.witness_from.is_none()
            && self.data_gate.is_none()
    }

    pub(crate) fn begin(&mut self, ticket: OperationTicket, stage: Stage) {
        assert!(!self.is_full(), "judged before (inv:bounded)");
        self.open.push(OpenChange { ticket, stage, expires: None });
    }

    pub(crate) fn is_full(&self) -> bool {
        self.open.len() >= OPEN_MAX
    }

    /// Everything that decides what happens next; tickets aside.
    pub(crate) fn fold(&self, was_member: bool, now: Instant, mut word: impl FnMut(u64)) {
        for open in &self.open {
            let (kind, node) = match open.stage {
                Stage::Last(_) => (0, 0),
                Stage::Joint(_) => (1, 0),
                Stage::Learner(node, _) => (2, node.0),
            };
            word(kind);
            word(node);
            word(open.stage.entry().term.0);
            word(open.stage.entry().index.0);
            word(open.expires.map_or(u64::MAX, |at| at.since(now)));
        }
        let flags = [was_member, self.told_removed, self.other_life, self.addressed, self.tainted];
        flags.into_iter().for_each(|flag| word(u64::from(flag)));
        word(self.stubs.0);
        word(self.witness_from.map_or(0, |at| at.0));
        word(self.data_gate.map_or(0, |at| at.0));
    }
}

impl Node {
    /// Goes on with what is due: leaving a joint configuration, promoting who is caught up.
    pub(crate) fn settle_changes(&mut self) {
        if self.changes.open.is_empty() && !self.configuration.is_joint() {
            return;
        }
        let RoleState::Leader(leader) = &self.role else { return };
        // An election may be about to begin by our own wish: it gets a log that stands still.
        if leader.transfer.is_some() || self.commit < leader.opening {
            return;
        }
        if self.marks.history.newest().0 > self.commit || !self.marks.settings.is_empty() {
            return;
        }
        if self.configuration.is_joint() {
            self.leave_joint();
        } else {
            self.promote_ready();
        }
    }

    /// Leaves a committed joint configuration, unless that waits for a request. What is appended
    /// is not joint, so this happens once (B-068).
    fn leave_joint(&mut self) {
        if self.configuration.parts().explicit_leave {
            return;
        }
        if let Some(left) = leave(&self.configuration) {
            // Without room now there will be some at a later settle.
            let _no_room = self.append_configuration(&left);
        }
    }

    /// Promotes the first learner that is to be promoted and is ready. One at a time: its
    /// configuration must be committed before the next (B-061).
    fn promote_ready(&mut self) {
        let mut at = 0_usize;
        while let Some(open) = self.changes.open.get(at) {
            let Stage::Learner(node, _) = open.stage else {
                at = at.saturating_add(1);
                continue;
            };
            let action = ConfigAction::Promote { node, if_ready: true };
            let after = match plan(&self.configuration, &action, self.hard.node, &|node| {
                self.heard_life(node)
            }) {
                Ok(Next::Once(after)) => after,
                // Somebody else has promoted it already.
                Ok(_) => {
                    self.end_change(at, Ok(self.marks.history.newest().0));
                    continue;
                }
                // It has not answered yet.
                Err(ChangeError::LifeUnknown(_)) => {
                    at = at.saturating_add(1);
                    continue;
                }
                Err(_) => {
                    self.end_change(at, Err(OperationFailure::Overruled));
                    continue;
                }
            };
            let ready = self.peer(node).is_some_and(|p| self.readiness(p) == Readiness::Ready)
                && self.judge_quorum_after(&self.configuration, &after).is_ok();
            if ready && let Ok(position) = self.append_configuration(&after) {
                if let Some(open) = self.changes.open.get_mut(at) {
                    open.stage = Stage::Last(position);
                }
                return;
            }
            at = at.saturating_add(1);
        }
    }

    /// Commit rose: ends what it decided.
    pub(crate) fn changes_committed(&mut self) {
        let mut at = 0_usize;
        while let Some(open) = self.changes.open.get(at) {
            let entry = open.stage.entry();
            if entry.index > self.commit {
                at = at.saturating_add(1);
                continue;
            }
            let kept = self.log.term_at(entry.index) == Some(entry.term);
            let ended = match open.stage {
                _ if !kept && self.log.term_at(entry.index).is_none() => {
                    // A snapshot took the place of the entry: whose it was is no longer known.
                    Some(Err(OperationFailure::Unknown(UnknownReason::LeadershipLost)))
                }
                _ if !kept => Some(Err(OperationFailure::Superseded)),
                Stage::Last(_) => Some(Ok(entry.index)),
                Stage::Joint(_) => {
                    let next = self.marks.history.first_above(entry.index);
                    next.filter(|index| *index <= self.commit).map(Ok)
                }
                Stage::Learner(..) => None,
            };
            match ended {
                Some(result) => self.end_change(at, result),
                None => at = at.saturating_add(1),
            }
        }
    }

    fn end_change(&mut self, at: usize, result: Result<LogIndex, OperationFailure>) {
        if at < self.changes.open.len() {
            let open = self.changes.open.remove(at);
            self.end_operation(open.ticket, result);
        }
    }

    /// When a change of a lost reign is given up, or a peer that left is.
    pub(crate) fn change_deadline(&self) -> Option<Instant> {
        let changes = self.changes.open.iter().filter_map(|open| open.expires).min();
        if self.role() != Role::Leader {
            return changes;
        }
        let departures = self.peers.iter().filter_map(|peer| Some((*peer.departing)?.until)).min();
        match (changes, departures) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        }
    }

    pub(crate) fn on_change_tick(&mut self) {
        let now = self.now;
        let lost = OperationFailure::Unknown(UnknownReason::LeadershipLost);
        while let Some(at) =
            self.changes.open.iter().position(|open| open.expires.is_some_and(|at| now >= at))
        {
            self.end_change(at, Err(lost));
        }
        for peer in &mut self.peers {
            if peer.departing.is_some_and(|left| now >= left.until) {
                peer.departing.clear();
            }
        }
    }

    /// Leadership of this reign is over, or the node has halted. What is in the log may still be
    /// committed by others, so only time or commit ends it; a learner that waits to be promoted has
    /// nobody left who would do it.
    pub(crate) fn change_reign_ends(&mut self) {
        for peer in &mut self.peers {
            peer.departing.clear();
        }
        let why = match self.halted {
            Some(HaltReason::Shutdown) => Some(UnknownReason::Shutdown),
            Some(_) => Some(UnknownReason::Halted),
            None => None,
        };
        let expires = self.now.plus(self.options.pending_after_loss_ns);
        let mut at = 0_usize;
        while let Some(open) = self.changes.open.get_mut(at) {
            let why = match open.stage {
                Stage::Learner(..) => Some(why.unwrap_or(UnknownReason::LeadershipLost)),
                Stage::Last(_) | Stage::Joint(_) => why,
            };
            match why {
                Some(why) => self.end_change(at, Err(OperationFailure::Unknown(why))),
                None => {
                    open.expires = Some(open.expires.unwrap_or(expires));
                    at = at.saturating_add(1);
                }
            }
        }
    }

    /// Another configuration is in force, because the entry at `appended` was appended, or because
    /// newer ones were cut off; the peers follow already. Everything that counts members counts
    /// anew.
    pub(crate) fn on_configuration_in_force(
        &mut self,
        before: &Configuration,
        appended: Option<LogIndex>,
    ) {
        self.judge_standing(before, appended);
        self.update_diets();
        match self.role {
            RoleState::Leader(_) => {
                self.advance_commit();
                self.on_round_answered();
            }
            RoleState::PreCandidate { .. } | RoleState::Candidate if !self.may_campaign() => {
                self.become_follower(self.hard.term, None);
            }
            RoleState::PreCandidate { .. } | RoleState::Candidate => {
                for peer in &mut self.peers {
                    peer.request_due |= peer.granted.is_none() && peer.seat.is_voter();
                }
                self.settle_candidacy();
            }
            RoleState::Follower => {}
        }
    }

    /// The configuration of `index` became committed.
    pub(crate) fn on_configuration_committed(&mut self, index: LogIndex) {
        if self.changes.data_gate.is_some_and(|gate| gate <= index) {
            self.changes.data_gate = None;
        }
        self.update_diets();
        let commit = self.commit;
        let leaves = self.must_leave();
        let RoleState::Leader(leader) = &mut self.role else { return };
        // Who leaves must still say that it is decided (B-066).
        leader.notice_due |= leaves;
        let round = leader.round;
        for peer in &mut self.peers {
            let left = peer.departing.made().and_then(|left| left.as_mut());
            if let Some(left) = left.filter(|left| left.index <= commit) {
                left.decided_round = left.decided_round.min(round);
            }
        }
    }
}
