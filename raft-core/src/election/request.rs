//! Elections on request: campaign now, forget the leader.
//!
//! **Intuition.** An operator may make the election timer run out now, and no more: the election
//! is an ordinary one, with Pre-Vote, votes and everybody's promises. What this node has promised
//! a leader who builds a lease on it is the one thing no request shortens.
//! **Source.** S-26 (WARaft); what it calls promotion, leading without votes, is not offered
//! (D-W4). Forgetting the leader is etcd's idea.
//! **Upholds.** `inv:election-safety`, `inv:lease-bound`.
//! **Not here.** Elections by timeout (`campaign.rs`), promises (`vote.rs`).

use core::fmt;

use crate::{
    Node,
    error::Rejected,
    input::{Changed, Input},
    storage::recover::NUMBER_MAX,
    types::{Instant, Lifecycle, Role, Term},
};

/// Why a campaign, or forgetting the leader, was refused. Definite: nothing changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum CampaignError {
    /// Only data voters campaign.
    NotVoter,
    /// It was told not to lead, has priority 0, or is out of service.
    Ineligible,
    /// The term asked for is not in the future, or beyond all terms.
    StaleTerm {
        /// The current term.
        term: Term,
    },
    /// It leads or campaigns already.
    WrongRole {
        /// What it is.
        role: Role,
    },
    /// This node promised a leader, who may hold a lease, to elect nobody until then.
    LeaseHeld {
        /// By this node's clock.
        until: Instant,
    },
    /// Restart the node from disk.
    Halted,
}

impl fmt::Display for CampaignError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotVoter => f.write_str("only a voter that holds data may campaign"),
            Self::Ineligible => f.write_str("this node may not lead"),
            Self::StaleTerm { term } => write!(f, "the term is already {term}"),
            Self::WrongRole { role } => write!(f, "this node is a {role}, not a follower"),
            Self::LeaseHeld { until } => {
                write!(f, "a promise to a leader holds until {} ns", until.0)
            }
            Self::Halted => f.write_str("the node has halted; restart it from disk"),
        }
    }
}

impl core::error::Error for CampaignError {}

impl Node {
    /// Campaigns now, in a term of at least `min_term` (0 for the next one). The election is an
    /// ordinary one and may be lost.
    ///
    /// # Errors
    /// [`CampaignError`]: definite, nothing changed.
    pub fn campaign(&mut self, now: Instant, min_term: Term) -> Result<(), CampaignError> {
        match self.step(now, Input::Campaign { min_term }) {
            Ok(_) => Ok(()),
            // A refused step changed nothing, so the judgement still stands.
            Err(_) => Err(self.judge_campaign(min_term).err().unwrap_or(CampaignError::Halted)),
        }
    }

    /// Follows nobody, and votes for whoever asks with a good log, until a leader is heard again.
    ///
    /// # Errors
    /// [`CampaignError::WrongRole`] of a leader, [`CampaignError::LeaseHeld`] or
    /// [`CampaignError::Halted`]: nothing changed.
    pub fn forget_leader(&mut self, now: Instant) -> Result<(), CampaignError> {
        match self.step(now, Input::ForgetLeader) {
            Ok(_) => Ok(()),
            Err(_) => Err(self.judge_forget_leader().err().unwrap_or(CampaignError::Halted)),
        }
    }

    /// While somebody may build a lease on what this node promised: until when.
    fn lease_held(&self) -> Option<Instant> {
        let until = self.bound_until()?;
        // Before a restart leases may have been on, whatever the options say now.
        if self.options.lease || self.promise_holds() {
            return Some(until);
        }
        // Switched off meanwhile; somebody may switch them on again within the promise.
        (self.now < self.stated_until).then_some(self.stated_until)
    }

    fn judge_campaign(&self, min_term: Term) -> Result<(), CampaignError> {
        if self.halted.is_some() {
            return Err(CampaignError::Halted);
        }
        if self.role() != Role::Follower {
            return Err(CampaignError::WrongRole { role: self.role() });
        }
        if !self.may_stand() {
            return Err(CampaignError::NotVoter);
        }
        if !self.may_campaign() {
            return Err(CampaignError::Ineligible);
        }
        let term = self.hard.term;
        let past = min_term > Term::ZERO && min_term <= term;
        if past || min_term.0 > NUMBER_MAX || self.campaign_term().is_none() {
            return Err(CampaignError::StaleTerm { term });
        }
        match self.lease_held() {
            Some(until) => Err(CampaignError::LeaseHeld { until }),
            None => Ok(()),
        }
    }

    fn judge_forget_leader(&self) -> Result<(), CampaignError> {
        if self.halted.is_some() {
            return Err(CampaignError::Halted);
        }
        if self.role() == Role::Leader {
            return Err(CampaignError::WrongRole { role: Role::Leader });
        }
        match self.lease_held() {
            Some(until) => Err(CampaignError::LeaseHeld { until }),
            None => Ok(()),
        }
    }

    pub(crate) fn on_campaign(&mut self, min_term: Term) -> Result<(), Rejected> {
        match self.judge_campaign(min_term) {
            Ok(()) => self.begin_election(min_term),
            Err(CampaignError::LeaseHeld { .. }) => return Err(Rejected::LeaseHeld),
            Err(_) => return Err(Rejected::CampaignRefused),
        }
        Ok(())
    }

    pub(crate) fn on_forget_leader(&mut self) -> Result<(), Rejected> {
        match self.judge_forget_leader() {
            Ok(()) => {}
            Err(CampaignError::LeaseHeld { .. }) => return Err(Rejected::LeaseHeld),
            Err(_) => return Err(Rejected::CampaignRefused),
        }
        self.contact = None;
        self.promised_until = Instant(0);
        self.leave_leader();
        self.leader = None;
        self.answer.reset();
        self.changed(Changed::ROLE);
        debug_assert_eq!(self.lifecycle() == Lifecycle::Halted, self.halted.is_some());
        Ok(())
    }
}
