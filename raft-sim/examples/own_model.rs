//! Checking an object of your own: accounts with deposit, withdraw and balance.
//!
//! `cargo run -p raft-sim --example own_model`
//!
//! A model is three types and one function: what each call does to the state, and whether a reply
//! is the one it gives there. Two hints make checking fast: which calls share a state (`key`) and
//! which change nothing (`is_read`).

use raft_sim::lin::{
    Budget, Verdict, check_model, explain,
    history::Operation,
    model::Model,
    stream::{Progress, Stream},
};

/// What a client asks of an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Call {
    /// Put money in.
    Deposit(u32, u64),
    /// Take money out, unless there is too little.
    Withdraw(u32, u64),
    /// How much is there?
    Balance(u32),
}

/// What it is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reply {
    /// It was done.
    Done,
    /// There was too little.
    TooLittle,
    /// So much is there.
    Money(u64),
}

/// Accounts that start empty.
#[derive(Clone, Copy, Debug)]
pub struct Accounts;

impl Model for Accounts {
    type Call = Call;
    type Reply = Reply;
    /// The money of one account.
    type State = u64;
    /// Accounts are independent: each is checked by itself.
    type Key = u32;

    fn key(&self, call: &Call) -> u32 {
        match *call {
            Call::Deposit(account, _) | Call::Withdraw(account, _) | Call::Balance(account) => {
                account
            }
        }
    }

    fn initial(&self) -> u64 {
        0
    }

    fn apply(&self, money: &mut u64, call: &Call, reply: Option<&Reply>) -> bool {
        let right = match *call {
            Call::Deposit(_, sum) => {
                *money += sum;
                Reply::Done
            }
            Call::Withdraw(_, sum) if sum > *money => Reply::TooLittle,
            Call::Withdraw(_, sum) => {
                *money -= sum;
                Reply::Done
            }
            Call::Balance(_) => Reply::Money(*money),
        };
        // No reply: nobody saw the outcome, so anything is right.
        reply.is_none_or(|reply| *reply == right)
    }

    fn is_read(&self, call: &Call, reply: Option<&Reply>) -> bool {
        matches!(call, Call::Balance(_)) || reply == Some(&Reply::TooLittle)
    }
}

/// One operation: who, when, what, and what came back (`None`: nobody knows).
fn op(
    op: u64,
    client: u64,
    span: (u64, Option<u64>),
    call: Call,
    reply: Option<Reply>,
) -> Operation<Call, Reply> {
    Operation { op, client, invoked: span.0, returned: span.1, call, reply, index: None }
}

/// A history in which 10 are withdrawn twice of 15, and the same with one withdrawal refused.
/// A third client's deposit was never answered: it may have happened, or not.
pub fn histories() -> [Vec<Operation<Call, Reply>>; 2] {
    let withdraw = |number, span, reply| op(number, number, span, Call::Withdraw(7, 10), reply);
    let bad = vec![
        op(0, 0, (0, Some(1)), Call::Deposit(7, 15), Some(Reply::Done)),
        withdraw(1, (2, Some(5)), Some(Reply::Done)),
        withdraw(2, (3, Some(6)), Some(Reply::Done)),
        op(3, 3, (4, None), Call::Deposit(7, 1), None),
        op(4, 4, (7, Some(8)), Call::Balance(7), Some(Reply::Money(5))),
    ];
    let mut good = bad.clone();
    good[2].reply = Some(Reply::TooLittle);
    [good, bad]
}

/// Checks both histories, explains the bad one, and watches it as if it were being made.
///
/// # Panics
/// If the histories are none: they are well formed.
pub fn story() -> String {
    let mut told = String::new();
    for history in histories() {
        let report = check_model(&Accounts, &history, &Budget::default(), &mut || false)
            .expect("well formed");
        match &report.verdict {
            Verdict::Ok { .. } => told += "linearizable\n",
            Verdict::Illegal(illegal) => {
                told += &format!("not linearizable: {illegal}\n");
                if let Some(why) = explain(&Accounts, &history, illegal, &mut || false) {
                    told += &why.timeline;
                }
            }
            Verdict::Unknown { exhausted, .. } => told += &format!("unknown: {exhausted}\n"),
        }
    }
    let mut stream = Stream::new(Accounts, Budget::default());
    for operation in &histories()[1][..3] {
        let client = operation.client;
        stream.invoked(client, operation.op, operation.call).expect("one at a time");
        let reply = operation.reply.expect("answered");
        let progress = stream.returned(client, reply).expect("it is open");
        if let Progress::Illegal { op, .. } = progress {
            told += &format!("the stream stops at operation {op}\n");
        }
    }
    told
}

#[allow(dead_code, reason = "the test that runs the story has a main of its own")]
fn main() {
    print!("{}", story());
}
