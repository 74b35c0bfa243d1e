//! Weaker levels that can be asked for instead of linearizability.
//!
//! **Intuition.** A system may promise less: an order that respects each client but not real time,
//! or only what one client may count on from one operation to its next. A history that is
//! linearizable keeps all of them; one that breaks the weaker promise breaks the stronger too.
//! **Source.** Lamport 1979 (sequential consistency); Terry and others 1994 (session guarantees).
//! **Upholds.** `inv:linearizable` (a level below it).
//! **Not here.** Linearizability itself (`mod.rs`).

mod sequential;
mod session;
#[cfg(test)]
mod tests;

use super::{
    Budget, How, Report, Verdict, check_model,
    history::{HistoryError, Operation, validate},
    model::Model,
};
use session::Promises;

/// What is asked of a history.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Level {
    /// One order of all operations that respects real time.
    #[default]
    Linearizable,
    /// One order of all operations that respects the order of each client.
    Sequential,
    /// All four of the following together.
    Session,
    /// What a client read stays visible to its later reads.
    MonotonicReads,
    /// Whoever sees a write sees what its client wrote before, and in that order. A single read
    /// of one key cannot tell, so the reader's reads must be monotonic for this to mean anything.
    MonotonicWrites,
    /// What a client wrote is visible to its later reads.
    ReadYourWrites,
    /// Whoever sees a write sees what its client had read before, and in that order; with
    /// monotonic reads for the same reason.
    WritesFollowReads,
}

impl Level {
    /// All of them, the strongest first.
    pub const ALL: &'static [Self] = &[
        Self::Linearizable,
        Self::Sequential,
        Self::Session,
        Self::MonotonicReads,
        Self::MonotonicWrites,
        Self::ReadYourWrites,
        Self::WritesFollowReads,
    ];

    /// The name used on the command line and in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Linearizable => "linearizable",
            Self::Sequential => "sequential",
            Self::Session => "session",
            Self::MonotonicReads => "monotonic-reads",
            Self::MonotonicWrites => "monotonic-writes",
            Self::ReadYourWrites => "read-your-writes",
            Self::WritesFollowReads => "writes-follow-reads",
        }
    }
}

/// Checks `history` for `level`. `stop` is polled and ends a search with `Unknown`.
///
/// The session guarantees are defined for reads and writes of registers in which every write has
/// a value of its own: there must be one order of all writes such that each read returns the last
/// in it, on its key, of the writes that the guarantee makes visible to it.
///
/// # Errors
/// When the operations are no history, a client has two operations open at once, or a session
/// guarantee is asked of something else than such registers.
pub fn check_level<M: Model>(
    model: &M,
    history: &[Operation<M::Call, M::Reply>],
    level: Level,
    budget: &Budget,
    stop: &mut dyn FnMut() -> bool,
) -> Result<Report, HistoryError> {
    let promises = match level {
        Level::Linearizable => return check_model(model, history, budget, stop),
        Level::Sequential => None,
        Level::Session => Some(Promises { reads: true, writes: true, own: true, follow: true }),
        Level::MonotonicReads => Some(Promises { reads: true, ..Promises::default() }),
        Level::MonotonicWrites => {
            Some(Promises { reads: true, writes: true, ..Promises::default() })
        }
        Level::ReadYourWrites => Some(Promises { own: true, ..Promises::default() }),
        Level::WritesFollowReads => {
            Some(Promises { reads: true, follow: true, ..Promises::default() })
        }
    };
    validate(history)?;
    let clients = by_client(history)?;
    let mut report = match promises {
        Some(promises) => {
            let mut report = Report::of(model, history)?;
            report.verdict = session::check(model, history, &clients, promises, budget, stop)?;
            report
        }
        None => {
            // Few configurations: most histories are linearizable, and that settles it.
            let report = check_model(model, history, budget, stop)?;
            if matches!(report.verdict, Verdict::Ok { .. }) {
                return Ok(report);
            }
            let mut report = Report { configurations: 0, bytes: 0, ..report };
            let cost;
            (report.verdict, cost) = sequential::check(model, history, &clients, budget, stop);
            report.add(cost);
            report
        }
    };
    if promises.is_some() && report.verdict == (Verdict::Ok { how: How::Sorting }) {
        report.keys_sorted = 1;
    }
    Ok(report)
}

/// The operations of each client in its order, as positions; clients in order of number.
fn by_client<C, R>(history: &[Operation<C, R>]) -> Result<Vec<Vec<u32>>, HistoryError> {
    let mut order: Vec<u32> = (0..history.len() as u32).collect();
    order.sort_unstable_by_key(|&at| (history[at as usize].client, history[at as usize].invoked));
    let mut clients: Vec<Vec<u32>> = Vec::new();
    for at in order {
        let operation = &history[at as usize];
        match clients.last_mut() {
            Some(own)
                if own
                    .last()
                    .is_some_and(|&last| history[last as usize].client == operation.client) =>
            {
                let last = &history[own[own.len() - 1] as usize];
                if last.returned.is_none_or(|returned| returned > operation.invoked) {
                    return Err(HistoryError::ClientOverlaps {
                        client: operation.client,
                        op: last.op,
                        other: operation.op,
                    });
                }
                own.push(at);
            }
            _ => clients.push(vec![at]),
        }
    }
    Ok(clients)
}
