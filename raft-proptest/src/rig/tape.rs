//! The tape: a node's whole life since boot as data, and its replay.
//!
//! **Intuition.** A node is a function of its boot, its steps and its settles. Whoever keeps these
//! three can repeat a day in production on a desk: the flight recorder.
//! **Source.** Ours.
//! **Upholds.** Checks `inv:pure`.
//! **Not here.** Traces of whole clusters (the simulator's).

use raft_core::{Boot, Input, Instant, Node, Options, Output};

/// One thing that reached the node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TapeEvent {
    /// A fact, at this local time.
    Step(Instant, Input),
    /// All work due was derived. What an earlier settle left in the outbox was taken before.
    Settle,
}

/// Everything since boot, and what the node said to it.
#[derive(Clone, Debug)]
pub struct Tape {
    options: Options,
    boot: Boot,
    at: Instant,
    events: Vec<TapeEvent>,
    outputs: Vec<Output>,
}

/// What a replay gave.
#[derive(Clone, Debug)]
pub struct Replayed {
    /// The node at the end.
    pub node: Node,
    /// All it handed out, in order.
    pub outputs: Vec<Output>,
}

impl Tape {
    pub(super) const fn starting(options: Options, boot: Boot, at: Instant) -> Self {
        Self { options, boot, at, events: Vec::new(), outputs: Vec::new() }
    }

    pub(super) fn push(&mut self, event: TapeEvent) {
        self.events.push(event);
    }

    pub(super) fn heard(&mut self, output: &Output) {
        self.outputs.push(output.clone());
    }

    /// What reached the node.
    #[must_use]
    pub fn events(&self) -> &[TapeEvent] {
        &self.events
    }

    /// What it handed out.
    #[must_use]
    pub fn outputs(&self) -> &[Output] {
        &self.outputs
    }

    /// Repeats the tape on a fresh node. Before event number `at`, the node passes through
    /// `between` and goes on as what comes back.
    ///
    /// # Errors
    /// What boot or `between` said.
    pub fn replay(
        &self,
        at: usize,
        between: impl FnOnce(Node) -> Result<Node, String>,
    ) -> Result<Replayed, String> {
        let mut node = Node::boot(self.options.clone(), self.boot.clone(), self.at)
            .map_err(|error| error.to_string())?;
        let mut outputs = Vec::new();
        let mut between = Some(between);
        for (number, event) in self.events.iter().enumerate() {
            if number >= at
                && let Some(between) = between.take()
            {
                node = between(node)?;
            }
            match event {
                // Refusals are part of the run: they count.
                TapeEvent::Step(now, input) => drop(node.step(*now, input.clone())),
                TapeEvent::Settle => {
                    while node.queues().outbox > 0 {
                        outputs.extend(node.poll());
                    }
                    outputs.extend(node.poll());
                }
            }
        }
        Ok(Replayed { node, outputs })
    }
}
