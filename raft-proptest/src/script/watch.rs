//! The watch: what must hold in the whole cluster, checked while a script runs.
//!
//! **Intuition.** A script's expected lines show what its author thought of; the watch looks at
//! everything else. It keeps a ghost of what was ever promised, led, committed and applied, and
//! compares every node and disk with it.
//! **Source.** Thesis Fig. 3.2; statements in docs/INVARIANTS.md.
//! **Upholds.** Checks `inv:election-safety`, `inv:one-vote-per-term`, `inv:log-matching`,
//! `inv:leader-completeness`, `inv:committed-immutable`, `inv:committed-durable`, `inv:monotone`,
//! `inv:persist-before-send`, `inv:apply-once-in-order`, and that a step tells all it changed.
//! **Not here.** The order of writes (`disk.rs`), tickets (`world.rs`).

use std::collections::BTreeMap;

use raft_core::{
    AppendResult, Apply, Changed, Entry, Envelope, LogIndex, LogPosition, Message, Node, NodeId,
    Role, SnapshotMeta, Term,
};

use super::disk::Disk;

/// What a node showed last, and in which boot.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seen {
    boot: u64,
    term: Term,
    vote: Option<NodeId>,
    role: Role,
    last: LogPosition,
    durable: LogIndex,
    commit: LogIndex,
    applied: LogIndex,
}

/// The ghost.
#[derive(Clone, Debug, Default)]
pub(super) struct Watch {
    reigns: BTreeMap<Term, (u64, u64)>,
    votes: BTreeMap<(u64, u64, Term), NodeId>,
    durable_votes: BTreeMap<(u64, Term), NodeId>,
    committed: BTreeMap<LogIndex, Term>,
    applied: BTreeMap<LogIndex, (LogPosition, Entry)>,
    seen: BTreeMap<u64, Seen>,
}

/// A broken invariant: its id and what happened.
fn broken(id: &str, what: String) -> Result<(), String> {
    Err(format!("{id}: {what}"))
}

impl Watch {
    /// A script wrote on this disk itself: what it had promised is forgotten.
    pub(super) fn forget(&mut self, id: u64) {
        self.durable_votes.retain(|(node, _), _| *node != id);
        self.seen.remove(&id);
    }

    /// After a step of `id` in its boot number `boot`.
    pub(super) fn step(&mut self, id: u64, boot: u64, node: &Node) -> Result<(), String> {
        if let Err(what) = node.check() {
            return Err(format!("Node::check of raft-core/src/invariant.rs: n{id}: {what}"));
        }
        let now = Seen {
            boot,
            term: node.term(),
            vote: node.vote(),
            role: node.role(),
            last: node.last(),
            durable: node.durable(),
            commit: node.commit(),
            applied: node.applied(),
        };
        if let Some(was) = self.seen.insert(id, now) {
            let fell = now.term < was.term || now.commit < was.commit || now.applied < was.applied;
            if was.boot == boot && fell {
                return broken("inv:monotone", format!("n{id} went from {was:?} to {now:?}"));
            }
        }
        if let Some(vote) = node.vote() {
            let held = *self.votes.entry((id, boot, node.term())).or_insert(vote);
            if held != vote {
                let term = node.term();
                let what = format!("n{id} votes for {held} and for {vote} in term {term}");
                return broken("inv:one-vote-per-term", what);
            }
        }
        if node.role() == Role::Leader {
            self.reign(id, boot, node)?;
        }
        self.commits(id, node)
    }

    /// What `id` showed after its newest step.
    pub(super) fn seen(&self, id: u64) -> Option<Seen> {
        self.seen.get(&id).copied()
    }

    /// A step was accepted and told what it and the settle before it changed since `was`: an
    /// observer that looks only there must miss nothing.
    pub(super) fn told(&self, id: u64, was: Option<Seen>, told: Changed) -> Result<(), String> {
        let (Some(was), Some(now)) = (was, self.seen(id)) else { return Ok(()) };
        let parts = [
            (was.term != now.term, Changed::TERM),
            (was.vote != now.vote && now.vote.is_some(), Changed::VOTE),
            (was.role != now.role, Changed::ROLE),
            (was.last != now.last, Changed::LOG),
            (was.durable != now.durable, Changed::DURABLE),
            (was.commit != now.commit, Changed::COMMIT),
            (was.applied != now.applied, Changed::APPLIED),
        ];
        let missed = parts.iter().any(|(differs, bit)| *differs && !told.any(*bit));
        if was.boot == now.boot && missed {
            return Err(format!("docs/CONTRACT.md: n{id} went from {was:?} to {now:?}: {told:?}"));
        }
        Ok(())
    }

    fn reign(&mut self, id: u64, boot: u64, node: &Node) -> Result<(), String> {
        let term = node.term();
        if let Some((other, other_boot)) = self.reigns.insert(term, (id, boot)) {
            if (other, other_boot) != (id, boot) {
                let what = format!("term {term} is led by n{other} and by n{id}");
                return broken("inv:election-safety", what);
            }
            return Ok(());
        }
        let lacks = self.committed.iter().find(|(at, was)| {
            let known = **at > node.last().index || node.term_at(**at).is_some();
            known && node.term_at(**at) != Some(**was)
        });
        lacks.map_or(Ok(()), |(at, was)| {
            broken("inv:leader-completeness", format!("n{id} leads term {term} without {was}/{at}"))
        })
    }

    /// The highest index that any node ever committed.
    pub(super) fn committed(&self) -> LogIndex {
        self.committed.keys().next_back().copied().unwrap_or_default()
    }

    fn commits(&mut self, id: u64, node: &Node) -> Result<(), String> {
        let mut index = LogIndex(1);
        while index <= node.commit() {
            // What is compacted was compared while it was there.
            if let Some(term) = node.term_at(index) {
                let was = *self.committed.entry(index).or_insert(term);
                if was != term {
                    let what = format!("n{id} commits {term}/{index}, another {was}/{index}");
                    return broken("inv:committed-immutable", what);
                }
            }
            index = index.next();
        }
        Ok(())
    }

    /// A leader has just committed up to `commit`: a majority of its voters must hold it on disk.
    pub(super) fn durable(&self, node: &Node, disks: &BTreeMap<u64, &Disk>) -> Result<(), String> {
        let commit = node.commit();
        let term = node.term_at(commit);
        let status = node.status();
        let holds = |voter: &&NodeId| {
            disks.get(&voter.0).is_some_and(|disk| {
                let entry = disk.entry(commit).map(|(position, _)| position.term);
                disk.base().index >= commit || entry == term
            })
        };
        for half in [status.configuration.voters(), status.configuration.outgoing()] {
            let count = half.iter().filter(holds).count();
            if count * 2 <= half.len() && !half.is_empty() {
                let what = format!("{} commits {commit}, which {count} disks hold", node.id());
                return broken("inv:committed-durable", what);
            }
        }
        Ok(())
    }

    /// Whether everything `envelope` claims of its sender's disk is there.
    pub(super) fn send(&self, envelope: &Envelope, disk: &Disk) -> Result<(), String> {
        let hard = &disk.hard;
        let backed = hard.term == envelope.term
            && match &envelope.message {
                Message::RequestVote(ask) => {
                    hard.vote == Some(hard.node) && disk.last() >= ask.last
                }
                Message::VoteReply(reply) => !reply.granted || hard.vote == Some(envelope.to),
                Message::AppendReply(reply) => match reply.result {
                    AppendResult::Matched { matched } => disk.last().index >= matched,
                    AppendResult::Refused { .. }
                    | AppendResult::NeedSnapshot
                    | AppendResult::StaleTerm => true,
                },
                _ => true,
            };
        if backed {
            return Ok(());
        }
        let what = format!("{envelope:?} leaves a disk with term {} {:?}", hard.term, hard.vote);
        broken("inv:persist-before-send", what)
    }

    /// An apply, after everything up to `handed` was handed out in this boot.
    pub(super) fn apply(
        &mut self,
        id: u64,
        handed: LogIndex,
        apply: &Apply,
        disk: &Disk,
    ) -> Result<LogIndex, String> {
        let mut last = handed;
        for at in apply.entries.iter() {
            let index = at.position.index;
            let what = if index != last.next() {
                Some(format!("n{id} applies {index} after {last}"))
            } else if disk.entry(index).is_none_or(|(p, e)| (*p, e) != (at.position, at.entry)) {
                Some(format!("n{id} applies {}, which its disk does not hold so", at.position))
            } else {
                let clock = self.applied.range(..index).map(|(_, (_, e))| e.stamp).max();
                if at.entry.stamp > 0 && clock.is_some_and(|clock| at.entry.stamp < clock) {
                    let what = "is stamped below what it applied before";
                    return Err(format!("inv:monotone: what n{id} applies at {index} {what}"));
                }
                let ghost = (at.position, at.entry.clone());
                let was = self.applied.entry(index).or_insert_with(|| ghost.clone());
                (*was != ghost).then(|| format!("n{id} applies {ghost:?}, another {was:?}"))
            };
            if let Some(what) = what {
                return Err(format!("inv:apply-once-in-order: {what}"));
            }
            last = index;
        }
        Ok(last)
    }

    /// After a command: what all disks and all logs in memory say together.
    pub(super) fn cluster(&mut self, nodes: &[(u64, Option<&Node>, &Disk)]) -> Result<(), String> {
        for (id, _, disk) in nodes {
            if let Some(vote) = disk.hard.vote {
                let term = disk.hard.term;
                let held = *self.durable_votes.entry((*id, term)).or_insert(vote);
                if held != vote {
                    let what = format!("the disk of n{id} gives term {term} to {held} and {vote}");
                    return broken("inv:one-vote-per-term", what);
                }
            }
        }
        let mut logs: Vec<(String, Vec<Option<Term>>)> = Vec::new();
        for (id, node, disk) in nodes {
            let on_disk = |index| disk.entry(index).map(|(position, _)| position.term);
            logs.push((format!("disk of n{id}"), terms(disk.last().index, on_disk)));
            if let Some(node) = node {
                logs.push((format!("n{id}"), terms(node.last().index, |at| node.term_at(at))));
            }
        }
        for (at, (one, left)) in logs.iter().enumerate() {
            for (other, right) in logs.iter().skip(at + 1) {
                let both = || left.iter().zip(right).enumerate();
                let equal = |a: &Option<Term>, b: &Option<Term>| a.is_some() && a == b;
                let shared = both().filter(|(_, (a, b))| equal(a, b)).map(|(at, _)| at).max();
                let differs =
                    |a: &Option<Term>, b: &Option<Term>| a.is_some() && b.is_some() && a != b;
                if both().take(shared.unwrap_or(0)).any(|(_, (a, b))| differs(a, b)) {
                    let what = format!("{one} {left:?} and {other} {right:?}");
                    return broken("inv:log-matching", what);
                }
            }
        }
        Ok(())
    }

    /// A snapshot was asked for, or replaces the machine, which stands at `handed`.
    pub(super) fn snapshot(
        &self,
        id: u64,
        handed: LogIndex,
        meta: &SnapshotMeta,
        install: bool,
    ) -> Result<(), String> {
        let LogPosition { term, index } = meta.position;
        let stands = if install { index >= handed } else { index == handed };
        if !stands {
            let what = format!("n{id} has applied {handed}, its snapshot stands at {index}");
            return broken("inv:snapshot-agrees", what);
        }
        match self.committed.get(&index) {
            Some(was) if *was != term => {
                let what = format!("n{id} stands at {term}/{index}, committed was {was}/{index}");
                broken("inv:snapshot-agrees", what)
            }
            _ => Ok(()),
        }
    }
}

/// The terms of a log from index 1 to `last`; `None` where it is compacted.
fn terms(last: LogIndex, term_at: impl Fn(LogIndex) -> Option<Term>) -> Vec<Option<Term>> {
    (1..=last.0).map(|index| term_at(LogIndex(index))).collect()
}
