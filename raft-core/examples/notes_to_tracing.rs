//! Why did it refuse? Each `Note` of a node becomes an event of `tracing`, with the node in a span.
//!
//! Three nodes in one process: a leader is cut off with a command that only it has, another one is
//! elected, the first comes back. `RUST_LOG` is not read; everything from debug on is shown.
use std::collections::VecDeque;

use raft_core::{
    Boot, BootId, ClusterId, Configuration, GroupId, HardState, Incarnation, Input, Instant, Node,
    NodeId, Note, Options, Output, Role,
};
use tracing::{Level, debug, error, info, warn};

/// The bridge, to be copied: one event a note, its level by what an operator should do about it.
fn trace(note: Note) {
    match note {
        Note::VoteGranted { candidate } => info!(%candidate, "vote granted"),
        Note::AlreadyVoted { candidate, holder } => {
            debug!(%candidate, %holder, "vote refused: it is another's");
        }
        Note::LogBehind { candidate, ours } => {
            debug!(%candidate, %ours, "vote refused: log behind");
        }
        Note::LeaderAlive { candidate } => debug!(%candidate, "ignored: a leader is alive"),
        Note::AppendRefused { previous, hint } => debug!(%previous, %hint, "append refused"),
        Note::Truncated { from } => warn!(%from, "a suffix that was never committed is removed"),
        Note::SnapshotJudged { index, taken } => info!(%index, taken, "snapshot judged"),
        Note::TermsFull { runs } => error!(runs, "the index of terms is full: take a snapshot"),
        Note::QuorumLost { term } => warn!(%term, "no quorum answers: stepping down"),
        // Kinds of a later version.
        other => debug!(note = ?other, "note"),
    }
}

struct Cluster {
    nodes: Vec<Node>,
    now: Instant,
    cut_off: Option<usize>,
}

impl Cluster {
    /// Steps one node and all that follows from it, messages included.
    fn step(&mut self, at: usize, fact: Input) {
        let mut facts = VecDeque::from([(at, at, fact)]);
        while let Some((from, at, fact)) = facts.pop_front() {
            if from != at && [from, at].iter().any(|one| self.cut_off == Some(*one)) {
                continue;
            }
            let node = &mut self.nodes[at];
            let span = tracing::info_span!("raft", node = %node.id(), term = %node.term());
            let _inside = span.enter();
            if let Err(refused) = node.step(self.now, fact) {
                debug!(%refused, "input refused");
            }
            while let Some(output) = node.poll() {
                facts.extend(match output {
                    Output::Persist(write) => Some((at, at, Input::Persisted(write.ack))),
                    Output::Apply(apply) => apply.entries.last().map(|last| {
                        info!(upto = %last, "applied");
                        (at, at, Input::Applied(last.index))
                    }),
                    Output::Send(message) => {
                        Some((at, message.to.0 as usize - 1, Input::Receive(message)))
                    }
                    Output::RoleChanged { role, term } => {
                        info!(%role, %term, "role changed");
                        None
                    }
                    Output::Note(note) => {
                        trace(*note);
                        None
                    }
                    _ => None,
                });
            }
        }
    }

    /// Lets time pass until `done`.
    fn run(&mut self, done: impl Fn(&Self) -> bool) {
        while !done(self) {
            self.now = self.nodes.iter().filter_map(Node::deadline).min().expect("they wait");
            for at in 0..self.nodes.len() {
                self.step(at, Input::Tick);
            }
        }
    }

    fn leader(&self) -> Option<usize> {
        let leads = |at: &usize| self.nodes[*at].role() == Role::Leader;
        (0..self.nodes.len()).find(|at| self.cut_off != Some(*at) && leads(at))
    }
}

fn main() {
    tracing_subscriber::fmt().with_max_level(Level::DEBUG).without_time().with_target(false).init();
    let mut options = Options::default();
    options.notes = true;
    let voters = Configuration::new((1..=3).map(NodeId)).expect("three voters");
    let node = |id| {
        let disk = HardState::new(ClusterId(1), GroupId(1), NodeId(id), Incarnation(1));
        let boot = Boot::new(BootId(1), id, disk, voters.clone());
        Node::boot(options.clone(), boot, Instant(0)).expect("a fresh disk")
    };
    let mut cluster =
        Cluster { nodes: (1..=3).map(node).collect(), now: Instant(0), cut_off: None };
    cluster.run(|cluster| cluster.leader().is_some());
    let first = cluster.leader().expect("just seen");
    cluster.cut_off = Some(first);
    cluster.step(first, Input::Propose("only here".into()));
    cluster.run(|cluster| cluster.leader().is_some());
    let second = cluster.leader().expect("just seen");
    cluster.step(second, Input::Propose("everywhere".into()));
    cluster.cut_off = None;
    let end = cluster.nodes[second].last().index;
    cluster.run(|cluster| cluster.nodes.iter().all(|node| node.applied() == end));
}
