//! A transfer at its target: campaign at once, or say why not.
//!
//! **Intuition.** `TimeoutNow` makes the election timer run out now. Pre-Vote would ask voters
//! that still hear the old leader and be told no, so it is skipped; and because the old leader
//! asked for it and has given up its lease, voters of its term need not keep their promise to it,
//! for this one campaign. A log that does not end where the leader says means that the message is
//! old or the transfer was given up.
//! **Source.** Thesis §3.10, §4.2.3 (the flag); B-019 (asking first), B-064 and B-073 (targets that
//! may not lead).
//! **Upholds.** `inv:election-safety`, `inv:lease-bound`.
//! **Not here.** The old leader's side (`mod.rs`, `send.rs`), campaigning (`election/`).

use alloc::boxed::Box;

use crate::{
    Node,
    error::Rejected,
    message::{Message, TimeoutNow, TransferRefusal, TransferRefused},
    transfer::send::Refusal,
    types::{NodeId, Role, Term},
};

impl Node {
    /// The leader of our term asks us to campaign.
    pub(crate) fn on_timeout_now(&mut self, from: NodeId, ask: TimeoutNow) -> Result<(), Rejected> {
        if self.role() == Role::Leader || self.leader.is_some_and(|leader| leader != from) {
            // Two leaders in one term cannot be; the sender is mistaken.
            return Err(Rejected::Malformed);
        }
        let transfer = ask.transfer;
        if let Some(refusal) = self.handover.made().and_then(|made| made.refused.as_mut())
            && refusal.answer.transfer == transfer
        {
            // The refusal got lost; what was refused once stays refused.
            refusal.to = Some(from);
            return Ok(());
        }
        if transfer <= self.handover.void {
            return Err(Rejected::Stale);
        }
        if let Some(reason) = self.judge_timeout_now(ask) {
            self.handover.void = transfer;
            let answer = TransferRefused { transfer, reason };
            self.handover.refused = Some(Box::new(Refusal { answer, to: Some(from) }));
            return Ok(());
        }
        let by = self.hard.term;
        self.become_candidate(Term::ZERO);
        self.handover.authorised = Some(by);
        self.settle_candidacy();
        Ok(())
    }

    fn judge_timeout_now(&self, ask: TimeoutNow) -> Option<TransferRefusal> {
        if !self.may_campaign() || self.campaign_term().is_none() {
            Some(TransferRefusal::Ineligible)
        } else if self.log.last() != ask.last {
            Some(TransferRefusal::LogDiffers)
        } else {
            None
        }
    }

    /// The leader of our term says that its transfers up to this number are void.
    pub(crate) fn on_void_transfer(&mut self, upto: u64) {
        if upto > self.handover.void {
            self.handover.void = upto;
        }
    }

    /// Whether `message` of `term` asks for a vote on behalf of the leader of exactly our term.
    pub(crate) fn is_authorised(&self, message: &Message, term: Term) -> bool {
        match message {
            Message::RequestVote(request) => {
                request.authorised_by == Some(self.hard.term) && self.hard.term.next() == Some(term)
            }
            _ => false,
        }
    }
}
