//! The audit: what every output and every step of one node must keep to.
//!
//! **Intuition.** A node's promises to its driver can be checked from outside with three plain
//! lists: what is surely on disk, what was handed to the machine, which tickets are open.
//! **Source.** raft-core's contract; thesis Fig. 3.1.
//! **Upholds.** Checks `inv:persist-before-send`, `inv:apply-once-in-order`, `inv:nothing-lost`,
//! `inv:monotone`, `inv:bounded`.
//! **Not here.** What needs two nodes (the simulator's oracles).

use std::collections::BTreeSet;

use raft_core::{
    Accepted, AppendResult, Apply, Envelope, Input, Instant, Issued, LogIndex, Message, Node,
    Output, ReadTicket, Rejected, Ticket,
};

use super::disk::Disk;

/// What one boot of a node has promised.
#[derive(Clone, Debug)]
pub(super) struct Audit {
    handed: LogIndex,
    proposals: BTreeSet<Ticket>,
    reads: BTreeSet<ReadTicket>,
    halted: bool,
}

impl Audit {
    pub(super) fn starting_at(node: &Node) -> Self {
        Self {
            handed: node.applied(),
            proposals: BTreeSet::new(),
            reads: BTreeSet::new(),
            halted: false,
        }
    }

    pub(super) const fn handed(&self) -> LogIndex {
        self.handed
    }

    pub(super) fn accepted(&mut self, accepted: &Accepted) {
        match accepted.issued {
            Issued::Nothing | Issued::Deferred(_) | Issued::Operation(_) | Issued::Unchanged(_) => {
            }
            Issued::Proposal(ticket) => drop(self.proposals.insert(ticket)),
            Issued::Read(ticket) => drop(self.reads.insert(ticket)),
        }
    }

    /// Judges one output against what is surely on `disk`.
    pub(super) fn output(&mut self, output: &Output, disk: &Disk) -> Result<(), String> {
        match output {
            Output::Send(_) | Output::Persist(_) if self.halted => {
                Err(format!("after it halted the node wants {output:?}"))
            }
            Output::Send(envelope) => judge_send(envelope, disk),
            Output::Apply(apply) => self.apply(apply, disk),
            Output::InstallSnapshot(meta) if meta.index() <= self.handed => {
                Err(format!("an install at {} goes back (inv:apply-once-in-order)", meta.index()))
            }
            Output::InstallSnapshot(meta) => {
                self.handed = meta.index();
                Ok(())
            }
            Output::Outcome { first, count, .. } => self.ended(*first, *count, "an outcome"),
            Output::ReadReady { ticket, index, .. } => {
                if !self.reads.remove(ticket) {
                    return Err(format!("read {ticket} ends twice (inv:nothing-lost)"));
                }
                if *index > self.handed {
                    return Err(format!("read {ticket} at {index} above what was handed out"));
                }
                Ok(())
            }
            Output::ReadFailed { ticket, .. } => match self.reads.remove(ticket) {
                true => Ok(()),
                false => Err(format!("read {ticket} fails twice (inv:nothing-lost)")),
            },
            Output::Halted(_) => {
                self.halted = true;
                if self.proposals.is_empty() && self.reads.is_empty() {
                    return Ok(());
                }
                Err(format!("halted with open tickets {:?} {:?}", self.proposals, self.reads))
            }
            _ => Ok(()),
        }
    }

    fn apply(&mut self, apply: &Apply, disk: &Disk) -> Result<(), String> {
        let first = apply.entries.first();
        let last = apply.entries.last().map(|position| position.index);
        let (Some(first), Some(last)) = (first, last) else {
            return Err("an apply of nothing".to_owned());
        };
        if first != self.handed.next() {
            return Err(format!(
                "apply of {first} after {} (inv:apply-once-in-order)",
                self.handed
            ));
        }
        let stored = disk.read(first, last);
        if !stored.iter().eq(apply.entries.iter()) {
            return Err(format!("apply of {first} to {last}, which is not so on disk"));
        }
        self.handed = last;
        apply
            .first_ticket
            .map_or(Ok(()), |ticket| self.ended(ticket, apply.entries.len(), "an apply"))
    }

    fn ended(&mut self, first: Ticket, count: u64, by: &str) -> Result<(), String> {
        for ticket in first.0..first.0 + count {
            if !self.proposals.remove(&Ticket(ticket)) {
                return Err(format!("proposal t{ticket} is not open, ended by {by}"));
            }
        }
        Ok(())
    }

    /// Judges a step by the node before and after it.
    pub(super) fn state(&self, before: &Node, after: &Node) -> Result<(), String> {
        let falls = [
            (after.term() < before.term(), "term"),
            (after.commit() < before.commit(), "commit"),
            (after.applied() < before.applied(), "applied"),
        ];
        if let Some((_, what)) = falls.iter().find(|(fell, _)| *fell) {
            return Err(format!("{what} fell (inv:monotone)"));
        }
        if after.term() == before.term() && before.vote().is_some() && after.vote() != before.vote()
        {
            return Err("a vote changed within its term (inv:one-vote-per-term)".to_owned());
        }
        let queues = after.queues();
        let options = after.options();
        // An opening no-op is taken in whatever the tail holds, and a single entry of any size
        // into an empty tail.
        let over = [
            (queues.tail_entries > options.tail_entries_max + 1, "entries in memory"),
            (
                queues.tail_bytes > options.tail_bytes_max && queues.tail_entries > 1,
                "bytes in memory",
            ),
            (queues.persists > u64::from(options.persist_inflight_max), "open writes"),
            (queues.reads > u64::from(options.reads_max), "open reads"),
            (queues.proposals > options.proposals_max, "open proposals"),
            (queues.applying > options.apply_inflight_entries_max, "entries under way"),
        ];
        match over.iter().find(|(over, _)| *over) {
            Some((_, what)) => Err(format!("too many {what}: {queues:?} (inv:bounded)")),
            None => Ok(()),
        }
    }
}

/// Whether everything `envelope` claims of its sender's disk is there.
fn judge_send(envelope: &Envelope, disk: &Disk) -> Result<(), String> {
    let hard = disk.hard();
    if hard.term > envelope.term {
        // Left in the outbox while the node moved on; its claims were about the term before.
        return Ok(());
    }
    let backed = hard.term == envelope.term
        && match &envelope.message {
            Message::RequestVote(ask) => {
                hard.vote == Some(hard.node) && disk.last() >= ask.last.index
            }
            Message::VoteReply(reply) => !reply.granted || hard.vote == Some(envelope.to),
            Message::AppendReply(reply) => match reply.result {
                AppendResult::Matched { matched } => disk.last() >= matched,
                AppendResult::Refused { .. }
                | AppendResult::NeedSnapshot
                | AppendResult::StaleTerm => true,
            },
            _ => true,
        };
    if !backed {
        return Err(format!("{envelope:?} leaves before it is durable (inv:persist-before-send)"));
    }
    if let Message::AppendEntries(append) = &envelope.message
        && let Some(first) = append.entries.first()
        && first != append.previous.index.next()
    {
        return Err(format!("an append of {first} after {}", append.previous));
    }
    Ok(())
}

/// Whether `after` is `before` but for counters, the report of the last step, and the note that
/// says why it was refused.
pub(super) fn nothing_changed(
    before: &Node,
    after: &Node,
    now: Instant,
    rejected: Rejected,
    input: &Input,
) -> Result<(), String> {
    let plain = |node: &Node| {
        let mut value = serde_json::to_value(node).map_err(|error| error.to_string())?;
        if let Some(fields) = value.as_object_mut() {
            for name in [
                "accepted",
                "rejections",
                "clock_regressions",
                "clock_back",
                "notes",
                "unsettled",
                "calm",
            ] {
                fields.remove(name).ok_or_else(|| format!("a node without {name}"))?;
            }
        }
        Ok::<_, String>(value)
    };
    if before.semantic_digest(now) == after.semantic_digest(now) && plain(before)? == plain(after)?
    {
        return Ok(());
    }
    let (old, new) = (plain(before)?, plain(after)?);
    let fields = old.as_object().into_iter().flatten();
    let moved: Vec<&String> = fields
        .filter(|(name, value)| new.get(name.as_str()) != Some(value))
        .map(|(n, _)| n)
        .collect();
    Err(format!("refused as {rejected}, yet the node changed in {moved:?}: {input:?}"))
}
