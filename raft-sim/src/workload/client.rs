//! One client: a closed loop over its operations.
//!
//! **Intuition.** A definite refusal means nothing happened, so the same operation is tried
//! elsewhere after a pause that grows. Silence about a write means it may have happened: it stays
//! open for ever, and the client goes on as a new process, sometimes asking for the same thing
//! again as a new operation. Reads change nothing, so they are simply asked again.
//! **Source.** Jepsen's process model.
//! **Upholds.** `inv:linearizable`: an unknown outcome is never turned into a known one.
//! **Not here.** Sending and timers (`world/service.rs`).

pub(crate) use super::history::Request;
use super::{kv::Call, reads::ReadHow};
use crate::process::Ns;
use raft_core::LogIndex;

/// The operation a client is busy with.
#[derive(Clone, Debug)]
pub(crate) struct Open {
    /// Its number in the run.
    pub(crate) op: u64,
    /// What it does.
    pub(crate) call: Call,
    /// Whether an attempt is out.
    pub(crate) waiting: bool,
    /// How often its timeout was put off.
    pub(crate) patience: u32,
    /// A read: how it is asked for at first.
    pub(crate) how: ReadHow,
    /// Attempts that gave no answer.
    pub(crate) tries: u32,
}

/// One client.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    /// Its operations, by place in the schedule, in order.
    pub(crate) ops: Vec<u32>,
    /// How many of them it has begun.
    pub(crate) begun: usize,
    /// Operations given to it while the run went on; they go first.
    pub(crate) extra: std::collections::VecDeque<Call>,
    /// Its name in the history; a new one after each unknown outcome.
    pub(crate) process: u64,
    /// Attempts so far; names the one that is out.
    pub(crate) attempt: u64,
    /// Who is believed to lead, by position.
    pub(crate) hint: Option<u8>,
    /// Where the next attempt without a hint goes.
    pub(crate) turn: u64,
    /// Pause before the next attempt.
    pub(crate) backoff_ns: Ns,
    /// The newest index it knows of.
    pub(crate) seen: LogIndex,
    /// What it is busy with.
    pub(crate) open: Option<Open>,
    /// Whether it waits for the pause before its next operation.
    pub(crate) thinking: bool,
}

impl Client {
    pub(crate) fn new(ops: Vec<u32>, process: u64) -> Self {
        Self {
            ops,
            begun: 0,
            extra: std::collections::VecDeque::new(),
            process,
            attempt: 0,
            hint: None,
            turn: 0,
            backoff_ns: 0,
            seen: LogIndex::ZERO,
            open: None,
            thinking: false,
        }
    }

    /// Everything it had to do is done.
    pub(crate) fn finished(&self) -> bool {
        self.open.is_none() && self.extra.is_empty() && self.begun >= self.ops.len()
    }

    /// The node for the next attempt: the hint once, else one after the other.
    pub(crate) fn choose(&mut self, targets: &[u8]) -> u8 {
        if let Some(hint) = self.hint.take()
            && targets.contains(&hint)
        {
            return hint;
        }
        self.turn = self.turn.wrapping_add(1);
        targets[(self.turn % targets.len().max(1) as u64) as usize]
    }

    /// The pause before the next attempt after a refusal; doubles up to `timeout`.
    pub(crate) fn back_off(&mut self, timeout: Ns) -> Ns {
        let least = (timeout / 64).max(1);
        self.backoff_ns = (self.backoff_ns * 2).clamp(least, timeout / 2 + 1);
        self.backoff_ns
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hint_is_followed_once_and_then_all_take_turns() {
        let mut client = Client::new(Vec::new(), 0);
        client.hint = Some(2);
        assert_eq!(client.choose(&[0, 1, 2]), 2);
        let round: Vec<u8> = (0..3).map(|_| client.choose(&[0, 1, 2])).collect();
        assert_eq!(round, [1, 2, 0]);
        client.hint = Some(9);
        assert_eq!(client.choose(&[0, 1, 2]), 1, "a hint outside the core is not followed");
    }

    #[test]
    fn pauses_grow_to_half_the_timeout() {
        let mut client = Client::new(Vec::new(), 0);
        assert_eq!(client.back_off(6400), 100);
        assert_eq!(client.back_off(6400), 200);
        for _ in 0..10 {
            client.back_off(6400);
        }
        assert_eq!(client.backoff_ns, 3201);
    }
}
