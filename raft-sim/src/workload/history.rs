//! What clients ask and are told, and the record of it.
//!
//! **Intuition.** Every invocation and every return gets the next number of one count, so the
//! record is a total order and no two endpoints tie. An operation is recorded when it is invoked
//! and completed in place; an unknown one simply never returns.
//! **Source.** Herlihy and Wing's histories.
//! **Upholds.** `inv:linearizable`.
//! **Not here.** Judging (`lin/`).

use bytes::Bytes;
use raft_core::LogIndex;

use super::{
    kv::{Call, Reply},
    reads::{ReadHow, Wanted},
};
use crate::lin::history::Operation;

/// A client's request on its way to a node.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    /// Who asks.
    pub(crate) client: u32,
    /// Number of the client's attempt.
    pub(crate) attempt: u64,
    /// The operation.
    pub(crate) op: u64,
    /// The node asked, by position.
    pub(crate) node: u8,
    /// What is asked.
    pub(crate) ask: Ask,
}

/// What a request asks for.
#[derive(Clone, Debug)]
pub(crate) enum Ask {
    /// A read of this key.
    Read(u32, ReadHow, Wanted),
    /// This command.
    Write(Bytes),
}

/// A node's answer on its way to a client.
#[derive(Clone, Debug)]
pub(crate) struct Response {
    /// Who asked.
    pub(crate) client: u32,
    /// Number of the client's attempt.
    pub(crate) attempt: u64,
    /// The operation.
    pub(crate) op: u64,
    /// The node that answers, by position.
    pub(crate) node: u8,
    /// The answer.
    pub(crate) told: Told,
}

/// What a client is told.
#[derive(Clone, Debug)]
pub(crate) enum Told {
    /// The result, and the index of the entry or of the state read.
    Done(Reply, LogIndex),
    /// What a node had, of no particular freshness, and the index of that state.
    Local(Reply, LogIndex),
    /// Not taken up: no effect, now or later. Perhaps somebody else leads.
    Refused(Option<u8>),
    /// Taken up, and its place was lost to another entry: no effect, ever.
    Superseded,
    /// Perhaps an effect.
    Unknown,
}

/// The record.
#[derive(Debug, Default)]
pub(crate) struct History {
    /// By operation number.
    operations: Vec<Operation>,
    /// Operations that are no part of it: known to have no effect, or owed no order.
    refused: Vec<u64>,
    now: u64,
}

impl History {
    /// A client invokes `call`; its operation number.
    pub(crate) fn invoke(&mut self, client: u64, call: Call) -> u64 {
        self.now += 1;
        let op = self.operations.len() as u64;
        self.operations.push(Operation {
            op,
            client,
            invoked: self.now,
            returned: None,
            call,
            reply: None,
            index: None,
        });
        op
    }

    /// The client learns the result of `op`.
    pub(crate) fn complete(&mut self, op: u64, reply: Reply, index: LogIndex) {
        self.now += 1;
        if let Some(operation) = self.operations.get_mut(op as usize) {
            operation.returned = Some(self.now);
            operation.reply = Some(reply);
            operation.index = Some(index.0);
        }
    }

    /// Whether `op` only reads.
    pub(crate) fn is_read(&self, op: u64) -> bool {
        self.operations.get(op as usize).is_some_and(|operation| operation.call.is_read())
    }

    /// Operations invoked so far.
    pub(crate) fn len(&self) -> u64 {
        self.operations.len() as u64
    }

    /// `op` is known to have no effect, or was answered at a level that owes no order: it is no
    /// part of what clients can hold the system to.
    pub(crate) fn refuse(&mut self, op: u64) {
        self.refused.push(op);
    }

    /// The record without what was refused, in order of invocation.
    pub(crate) fn into_operations(mut self) -> Vec<Operation> {
        self.refused.sort_unstable();
        self.operations.retain(|operation| self.refused.binary_search(&operation.op).is_err());
        self.operations
    }

    /// The entry of `op` was seen applied at `index`: a hint for operations that never return.
    pub(crate) fn hint(&mut self, op: u64, index: LogIndex) -> bool {
        match self.operations.get_mut(op as usize) {
            Some(operation) if operation.index.is_none() => {
                operation.index = Some(index.0);
                true
            }
            _ => false,
        }
    }
}
