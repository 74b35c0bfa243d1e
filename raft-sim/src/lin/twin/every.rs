//! Every small history of a register.
//!
//! **Intuition.** Two clients, two values, all shapes of overlap, all answers, and whatever is open
//! has an unknown outcome. Names do not matter, so the first client and the first value that
//! appear are always the same ones.
//! **Source.** Ours.
//! **Upholds.** `inv:linearizable` (its checker is compared on these).
//! **Not here.** Random histories (`subjects.rs`).

use super::{Disagreement, Tally, compare};
use crate::{
    lin::{history::Operation, models::kv::Kv},
    workload::kv::{Call, Reply},
};

/// Compares everything that decides with the twin, on every history of up to `ops_max` reads and
/// writes by two clients over two values.
///
/// # Errors
/// The first disagreement.
pub fn every_register_history(ops_max: usize) -> Result<Tally, Box<Disagreement>> {
    let mut every = Every { history: Vec::new(), tally: Tally::default() };
    every.extend([None, None], 0, ops_max, 0)?;
    Ok(every.tally)
}

struct Every {
    history: Vec<Operation>,
    tally: Tally,
}

impl Every {
    /// Judges the history so far and adds every possible next event: an invocation or an answer of
    /// either client. `values` have appeared.
    fn extend(
        &mut self,
        open: [Option<usize>; 2],
        clock: u64,
        left: usize,
        values: u64,
    ) -> Result<(), Box<Disagreement>> {
        let legal = compare(&Kv, &self.history)?;
        self.tally.add(Tally {
            histories: 1,
            illegal: u64::from(!legal),
            unknown: u64::from(open != [None, None]),
        });
        let known = (values + 1).min(2);
        for client in 0..if self.history.is_empty() { 1 } else { 2 } {
            let mut next = open;
            if let Some(position) = next[client].take() {
                let get = matches!(self.history[position].call, Call::Get { .. });
                let answers = if get { known } else { 0 };
                for answer in 0..=answers {
                    let value = (answer > 0).then(|| vec![answer]);
                    let reply = if get { Reply::Value { value } } else { Reply::Done };
                    self.history[position].returned = Some(clock);
                    self.history[position].reply = Some(reply);
                    self.extend(next, clock + 1, left, values.max(answer))?;
                    self.history[position].returned = None;
                    self.history[position].reply = None;
                }
            } else if left > 0 {
                let position = self.history.len();
                next[client] = Some(position);
                for value in 0..=known {
                    let call = match value {
                        0 => Call::Get { key: 0 },
                        value => Call::Put { key: 0, value },
                    };
                    self.history.push(Operation {
                        op: position as u64,
                        client: position as u64,
                        invoked: clock,
                        returned: None,
                        call,
                        reply: None,
                        index: None,
                    });
                    self.extend(next, clock + 1, left - 1, values.max(value))?;
                    self.history.pop();
                }
            }
        }
        Ok(())
    }
}
