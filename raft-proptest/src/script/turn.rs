//! One turn: an input to one node, and all that follows from it.
//!
//! **Intuition.** The node is asked for work until it has none; every piece of work is told, held
//! to the contract, and carried out as far as the driver does that by itself.
//! **Source.** docs/CONTRACT.md.
//! **Upholds.** Checks `inv:nothing-lost` (each ticket and read ends once, nothing follows a halt, a
//! refusal changes nothing) and `inv:read-freshness`.
//! **Not here.** Servers and their state (`world.rs`), words (`print.rs`), what must hold between
//! nodes (`watch.rs`).

use std::collections::BTreeSet;

use raft_core::{
    Accepted, Envelope, Input, Instant, Issued, LogIndex, Message, Node, Output, ReadLevel, Role,
    Ticket,
};

use super::{
    disk::Disk,
    print,
    world::{Line, World},
};

/// More work than this from one input is a node that talks to itself for ever.
const WORK_MAX: usize = 10_000;

impl World {
    /// Gives `id` one input and lets it say and do all that follows.
    pub(super) fn step(&mut self, id: u64, input: Input) -> Result<(), String> {
        self.step_only(id, input)?;
        self.drain(id)
    }

    /// Gives `id` one input and asks for nothing yet.
    pub(super) fn step_only(&mut self, id: u64, input: Input) -> Result<(), String> {
        let what = print::input(&input)?;
        let local = matches!(&input, Input::ReadWith(ask) if ask.level == ReadLevel::Local);
        let was = self.watch.seen(id);
        match self.take(id, |node, now| node.step(now, input))? {
            Ok(Accepted { issued, changed, .. }) => {
                let told = self.watch.told(id, was, changed);
                self.judge(told)?;
                self.issue(id, issued, local)
            }
            Err(rejected) => {
                self.say(Line {
                    kind: "rejected",
                    text: format!("n{id} rejected {what}: {rejected}"),
                });
                Ok(())
            }
        }
    }

    /// Runs one call on a node: invariants hold after it, and a refusal changes nothing.
    pub(super) fn take<T, E>(
        &mut self,
        id: u64,
        call: impl FnOnce(&mut Node, Instant) -> Result<T, E>,
    ) -> Result<Result<T, E>, String> {
        let now = self.clock(id)?;
        let server = self.servers.get_mut(&id).ok_or(format!("there is no n{id}"))?;
        let node = server.node.as_mut().ok_or(format!("n{id} is down"))?;
        let before = node.clone();
        let result = call(node, now);
        let kept = before.semantic_digest(now) == node.semantic_digest(now);
        if result.is_err() && !kept {
            return Err(format!("inv:nothing-lost: n{id} refused a step, yet changed by it"));
        }
        let boots = server.boots;
        let seen = self.watch.step(id, boots, node);
        self.judge(seen)?;
        Ok(result)
    }

    /// Counts a ticket that was minted; a local read promises no freshness.
    pub(super) fn issue(&mut self, id: u64, issued: Issued, local: bool) -> Result<(), String> {
        let floor = if local { LogIndex::ZERO } else { self.watch.committed() };
        let server = self.server_mut(id)?;
        let fresh = match issued {
            Issued::Nothing | Issued::Unchanged(_) => true,
            Issued::Proposal(ticket) | Issued::Deferred(ticket) => server.proposals.insert(ticket),
            Issued::Read(ticket) => server.reads.insert(ticket, floor).is_none(),
            Issued::Operation(ticket) => server.operations.insert(ticket),
        };
        if !fresh {
            return Err(format!("inv:nothing-lost: n{id} mints {issued:?} twice"));
        }
        if let Some(text) = print::issued(issued) {
            self.say(Line { kind: "accepted", text: format!("n{id} {text}") });
        }
        Ok(())
    }

    /// Drops a broken invariant that the script declared to be broken on purpose.
    pub(super) fn judge(&self, verdict: Result<(), String>) -> Result<(), String> {
        match verdict {
            Err(what) if self.ignored.iter().any(|id| what.starts_with(id.as_str())) => Ok(()),
            other => other,
        }
    }

    /// Takes work from `id` until it has none, says it, and does what the driver does by itself.
    pub(super) fn drain(&mut self, id: u64) -> Result<(), String> {
        for _ in 0..WORK_MAX {
            let server = self.server_mut(id)?;
            let Some(node) = server.node.as_mut() else { return Ok(()) };
            let batch: Vec<Output> = std::iter::from_fn(|| node.poll()).collect();
            if batch.is_empty() {
                return Ok(());
            }
            self.tell(id, &batch)?;
            for output in batch {
                self.check(id, &output)?;
                self.carry_out(id, output)?;
            }
        }
        Err(format!("n{id} never runs out of work"))
    }

    /// Says a batch: reasons, role, commit, then work in order with equal messages together.
    fn tell(&mut self, id: u64, batch: &[Output]) -> Result<(), String> {
        for output in batch.iter().filter(|output| matches!(output, Output::Note(_))) {
            if let Some((kind, text)) = print::output(output)? {
                self.say(Line { kind, text: format!("n{id} {text}") });
            }
        }
        for output in batch {
            if let Output::RoleChanged { role, term } = output {
                let was = std::mem::replace(&mut self.server_mut(id)?.told_role, *role);
                let text = format!("n{id} {was} -> {role} term={term}");
                self.say(Line { kind: "role", text });
            }
        }
        self.tell_commit(id)?;
        let mut told: BTreeSet<usize> = BTreeSet::new();
        for (at, output) in batch.iter().enumerate() {
            let Output::Send(envelope) = output else {
                if let Some((kind, text)) =
                    print::output(output)?.filter(|_| !matches!(output, Output::Note(_)))
                {
                    self.say(Line { kind, text: format!("n{id} {text}") });
                }
                continue;
            };
            if told.contains(&at) {
                continue;
            }
            let text = print::envelope(envelope, false)?;
            let mut receivers = Vec::new();
            for (other, later) in batch.iter().enumerate().skip(at) {
                if let Output::Send(same) = later
                    && print::envelope(same, false)? == text
                {
                    told.insert(other);
                    receivers.push(same.to.to_string());
                }
            }
            let text = format!("n{id} send {} {text}", receivers.join(","));
            self.say(Line { kind: "send", text });
        }
        Ok(())
    }

    fn tell_commit(&mut self, id: u64) -> Result<(), String> {
        let server = self.server_mut(id)?;
        let Some(node) = &server.node else { return Ok(()) };
        let commit = node.commit();
        if commit == server.told_commit {
            return Ok(());
        }
        server.told_commit = commit;
        let leads = node.role() == Role::Leader;
        if leads {
            let disks = self.servers.iter().map(|(id, server)| (*id, &server.disk)).collect();
            let durable = self.watch.durable(self.node(id)?, &disks);
            self.judge(durable)?;
        }
        self.say(Line { kind: "commit", text: format!("n{id} commit={commit}") });
        Ok(())
    }

    /// Holds one output to the contract.
    fn check(&mut self, id: u64, output: &Output) -> Result<(), String> {
        let server = self.servers.get_mut(&id).ok_or(format!("there is no n{id}"))?;
        let lost = |what: String| Err(format!("inv:nothing-lost: n{id}: {what}"));
        let verdict = match output {
            Output::Persist(_) | Output::Send(_) if server.halted => {
                lost(format!("after it halted it wants {output:?}"))
            }
            Output::Send(envelope) => self.watch.send(envelope, &server.disk),
            Output::Apply(apply) => {
                let first = apply.first_ticket.map_or(0, |ticket| ticket.0);
                let count = if first == 0 { 0 } else { apply.entries.len() };
                let mut tickets = (first..first.saturating_add(count)).map(Ticket);
                if let Some(unknown) = tickets.find(|ticket| !server.proposals.remove(ticket)) {
                    lost(format!("an apply ends {unknown}, which is not open"))
                } else {
                    let applied = self.watch.apply(id, server.handed, apply, &server.disk);
                    applied.map(|last| server.handed = last)
                }
            }
            Output::Outcome { first, count, .. } => {
                let mut tickets = (first.0..first.0.saturating_add(*count)).map(Ticket);
                match tickets.find(|ticket| !server.proposals.remove(ticket)) {
                    Some(unknown) => lost(format!("an outcome ends {unknown}, which is not open")),
                    None => Ok(()),
                }
            }
            Output::ReadReady { ticket, index, .. } => match server.reads.remove(ticket) {
                Some(floor) if *index < floor => Err(format!(
                    "inv:read-freshness: n{id} reads at {index}, {floor} was committed before"
                )),
                Some(_) => Ok(()),
                None => lost(format!("{ticket} ends, which is not open")),
            },
            Output::ReadFailed { ticket, .. } => match server.reads.remove(ticket) {
                Some(_) => Ok(()),
                None => lost(format!("{ticket} ends, which is not open")),
            },
            Output::Admitted { deferred, ticket, .. } => {
                match server.proposals.remove(deferred) && server.proposals.insert(*ticket) {
                    true => Ok(()),
                    false => lost(format!("{deferred} is admitted as {ticket}, one is not so")),
                }
            }
            Output::OperationEnded { ticket, .. } => match server.operations.remove(ticket) {
                true => Ok(()),
                false => lost(format!("{ticket} ends, which is not open")),
            },
            Output::TakeSnapshot { meta, .. } => {
                self.watch.snapshot(id, server.handed, meta, false)
            }
            Output::InstallSnapshot(meta) => {
                let handed = std::mem::replace(&mut server.handed, meta.index());
                self.watch.snapshot(id, handed, meta, true)
            }
            Output::Halted(_) => {
                server.halted = true;
                let operation = server.operations.first();
                match (server.proposals.first(), server.reads.keys().next(), operation) {
                    (None, None, None) => Ok(()),
                    open => lost(format!("it halts with {open:?} still open")),
                }
            }
            _ => Ok(()),
        };
        self.judge(verdict)
    }

    /// What the driver does with an output.
    fn carry_out(&mut self, id: u64, output: Output) -> Result<(), String> {
        let server = self.server_mut(id)?;
        match output {
            Output::Persist(write) => {
                server.disk.take(write)?;
                if server.drive.disk {
                    let ack = server.disk.complete(0)?;
                    return self.step_only(id, Input::Persisted(ack));
                }
            }
            Output::Send(envelope) => {
                match &envelope.message {
                    Message::PreVote(ask) => server.rounds.0 = ask.round.number,
                    Message::AppendEntries(append) => server.rounds.1 = append.round,
                    _ => {}
                }
                self.net.send(*envelope);
            }
            Output::Apply(apply) => {
                if let Some(last) = apply.entries.last().filter(|_| server.drive.apply) {
                    return self.step_only(id, Input::Applied(last.index));
                }
            }
            Output::ReadEntries(ask) => {
                server.fetches.push(ask);
                if server.drive.fetch {
                    let entries = server.disk.read(ask.first, ask.last, ask.bytes_max);
                    return self.step_only(id, Input::EntriesRead { id: ask.id, entries });
                }
            }
            Output::TakeSnapshot { id: ask, meta } => {
                server.takes.push((ask, *meta));
                server.last_take = Some(ask);
                if server.drive.snapshot {
                    return self.take_snapshot(id);
                }
            }
            Output::SendSnapshot(ask) => {
                server.last_ship = Some(ask.id);
                server.ships.push(*ask);
            }
            Output::InstallSnapshot(meta) if server.drive.apply => {
                return self.step_only(id, Input::Applied(meta.index()));
            }
            Output::CompactTo(index) => server.disk.compact(index),
            // Told, and nothing to do; `print::output` refuses what it does not know.
            _ => {}
        }
        Ok(())
    }

    /// Hands a message to its receiver, or loses it if that is down.
    pub(super) fn receive(&mut self, to: u64, envelope: Envelope) -> Result<(), String> {
        if self.server(to)?.node.is_none() {
            let text = format!("n{to} is down: {} lost", envelope.message.name());
            self.say(Line { kind: "send", text });
            return Ok(());
        }
        self.step(to, Input::Receive(Box::new(envelope)))
    }

    /// Checks what needs the whole cluster.
    pub(super) fn check_cluster(&mut self) -> Result<(), String> {
        let nodes: Vec<(u64, Option<&Node>, &Disk)> = self
            .servers
            .iter()
            .map(|(id, server)| (*id, server.node.as_ref(), &server.disk))
            .collect();
        let verdict = self.watch.cluster(&nodes);
        self.judge(verdict)
    }

    /// Whether `id` refused `input` as [`Rejected`], told in words.
    pub(super) fn reject(&mut self, id: u64, what: &str, why: &dyn std::fmt::Display) {
        self.say(Line { kind: "rejected", text: format!("n{id} rejected {what}: {why}") });
    }
}
