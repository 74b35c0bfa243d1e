//! Receiving a snapshot: is it wanted, and from whom?
//!
//! **Intuition.** The driver receives and checks the bytes; the core learns of a snapshot when it
//! is staged, whole and durable. It is judged like an append: a stale term is told, a newer one
//! adopted, and what is committed here already is thrown away. What is left is published. A report
//! is of a past moment, so it proves no contact; only a description that travels as a message does.
//! **Source.** Thesis §5.1 with departure D6 of our list (compare with the commit index); B-047,
//! D-R2, D-R3, D-Z13.
//! **Upholds.** `inv:snapshot-agrees`, `inv:monotone`.
//! **Not here.** The change itself (`publish.rs`), sending (`send.rs`).

use super::meta::SnapshotMeta;
use crate::{
    Node,
    error::Rejected,
    message::InstallMeta,
    note::Note,
    replication::follower::is_position,
    storage::recover::NUMBER_MAX,
    types::{LogIndex, NodeId, Role, StageId, Term},
};

/// A snapshot that is staged here: whole, checked against its digest, and durable. If the step
/// that reports it is refused, the driver throws the stage away; else it hears of the stage again,
/// in the `Persist` that publishes it or in `DiscardSnapshot`, or this boot ends before.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct ReceivedSnapshot {
    /// Where the driver keeps it.
    pub stage: StageId,
    /// What it stands for.
    pub meta: SnapshotMeta,
    /// Who sent it.
    pub from: NodeId,
    /// The term it was sent in.
    pub term: Term,
}

/// What becomes of a snapshot of the current term.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Publish,
    /// All of it is committed here.
    Known,
    /// Another one waits for its write.
    Busy,
}

impl Node {
    pub(crate) fn on_snapshot_received(
        &mut self,
        received: ReceivedSnapshot,
    ) -> Result<(), Rejected> {
        let ReceivedSnapshot { stage, meta, from, term } = received;
        self.judge_in_service()?;
        if from == self.hard.node || term == Term::ZERO || term.0 > NUMBER_MAX {
            return Err(Rejected::Malformed);
        }
        if term == self.hard.term {
            self.judge_leader(from)?;
        }
        self.judge_meta(&meta, term)?;
        if meta.index() == LogIndex::ZERO {
            // Nothing was ever in it.
            return Err(Rejected::Malformed);
        }
        if term < self.hard.term {
            self.admit_stranger(from);
            self.owe_stale_reply(from);
            self.snapshots.unwanted.push(stage);
            return Ok(());
        }
        self.admit_stranger(from);
        self.become_follower(term, Some(from));
        if self.take_snapshot_of_leader(Some(stage), meta) != Verdict::Publish {
            self.snapshots.unwanted.push(stage);
        }
        Ok(())
    }

    /// Takes a snapshot without data, in a message of our own term.
    pub(crate) fn on_install_meta(
        &mut self,
        from: NodeId,
        install: InstallMeta,
    ) -> Result<(), Rejected> {
        self.judge_leader(from)?;
        self.judge_meta(&install.meta, self.hard.term)?;
        if install.meta.size_bytes != 0 {
            return Err(Rejected::Malformed);
        }
        self.heard_from_leader(from, install.round);
        self.take_snapshot_of_leader(None, *install.meta);
        Ok(())
    }

    /// Whether `from` can be the leader of our own term.
    fn judge_leader(&self, from: NodeId) -> Result<(), Rejected> {
        let other = self.role() == Role::Leader || self.leader.is_some_and(|known| known != from);
        // Two leaders in one term cannot be; the sender is mistaken.
        if other { Err(Rejected::Malformed) } else { Ok(()) }
    }

    /// Refuses a description that no leader of `term` can have sent to this machine.
    fn judge_meta(&self, meta: &SnapshotMeta, term: Term) -> Result<(), Rejected> {
        if meta.machine_id != self.options.machine_id {
            return Err(Rejected::WrongMachine);
        }
        let sound = is_position(meta.position)
            && meta.position.term <= term
            && meta.configuration_index <= meta.index()
            && !meta.configuration.is_blank()
            && meta.settings.validate(&self.options).is_ok();
        // What this term's leader vouched for and what a snapshot covers are both in every later
        // leader's log: they cannot differ.
        let held = self.log.term_at(meta.index());
        let vouched = meta.index() > self.commit && meta.index() <= self.verified;
        let sound = sound && !(vouched && held != Some(meta.position.term));
        if sound { Ok(()) } else { Err(Rejected::Malformed) }
    }

    fn take_snapshot_of_leader(&mut self, stage: Option<StageId>, meta: SnapshotMeta) -> Verdict {
        let (index, blank) = (meta.index(), self.configuration.is_blank());
        let verdict = if index <= self.commit && !blank {
            Verdict::Known
        } else if self.snapshots.pending.is_some() {
            Verdict::Busy
        } else {
            Verdict::Publish
        };
        self.note(Note::SnapshotJudged { index, taken: verdict == Verdict::Publish });
        if verdict == Verdict::Publish {
            // In the same write as the configuration that it is about.
            self.hard.joined |= blank;
            self.publish_snapshot(stage, meta);
        }
        // Every leader holds what is committed.
        self.verified = self.verified.max(self.commit);
        if verdict != Verdict::Publish || blank {
            // Else the match rises with the write, and that is told by itself.
            self.tell_match();
        }
        verdict
    }
}
