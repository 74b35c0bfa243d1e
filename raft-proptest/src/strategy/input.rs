//! Moves: plausible and implausible next inputs for one node.
//!
//! **Intuition.** Most inputs answer something the node asked for: a write, an apply, a read. A
//! move names which of the open questions is answered and how honestly; if nothing fits, it does
//! nothing, so any list of moves is playable and so is every part of it.
//! **Source.** Ours.
//! **Upholds.** Nothing; inputs for tests of all invariants.
//! **Not here.** Playing them (`rig/`).

use proptest::{prelude::*, sample::Index};

use super::message::{self, Sketch};

/// How far the clock moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pass {
    /// By this many microseconds.
    Micros(u64),
    /// To the node's own deadline.
    ToDeadline,
    /// Back by this many microseconds.
    Back(u64),
}

/// Which write is acknowledged, and how.
#[derive(Clone, Copy, Debug)]
pub enum Disk {
    /// The oldest open one.
    Oldest,
    /// Any open one.
    Any(Index),
    /// All that are open.
    All,
    /// One that was acknowledged before.
    Again(Index),
    /// One of another boot.
    Foreign,
    /// One that was never handed out; the node must halt.
    NeverIssued,
    /// The oldest one failed; the node must halt.
    Failed,
}

/// What the machine reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Machine {
    /// The oldest batch is applied.
    Next,
    /// Everything handed out is applied.
    All,
    /// An index that was never handed out.
    TooFar,
    /// An index reported before.
    Again,
}

/// What a read of entries gives back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fetched {
    /// All entries asked for.
    Right,
    /// The first of them.
    First,
    /// "Not now."
    Busy,
    /// Under an id that is not open.
    UnknownId,
    /// Nothing at all; the node must halt.
    Nothing,
    /// Entries of another term; the node must halt.
    WrongTerm,
    /// The store is broken; the node must halt.
    Broken,
}

/// One thing that happens to a node.
#[derive(Clone, Debug)]
pub enum Move {
    /// Time passes, and a tick.
    Tick(Pass),
    /// A message arrives.
    Receive(Sketch),
    /// A client proposes a payload of this many bytes.
    Propose(usize),
    /// A client reads.
    Read,
    /// The disk reports.
    Disk(Disk),
    /// The machine reports.
    Machine(Machine),
    /// A read of entries ends.
    Fetched(Index, Fetched),
    /// An operator asks for step-down.
    StepDown,
    /// Everything due is derived and handed out.
    Settle,
    /// At most this many outputs are handed out.
    Pop(u8),
    /// The timer runs out and every other voter says yes, with a disk that writes at once.
    Elect,
    /// The process ends and starts again with this many of the open writes on disk.
    Restart(u8),
    /// Shutdown is announced.
    Shutdown,
}

fn tick() -> impl Strategy<Value = Pass> {
    prop_oneof![
        4 => (0..60_000_u64).prop_map(Pass::Micros),
        3 => Just(Pass::ToDeadline),
        1 => (0..1_000_000_u64).prop_map(Pass::Back),
    ]
}

fn orderly() -> impl Strategy<Value = Move> {
    prop_oneof![
        3 => tick().prop_map(Move::Tick),
        5 => message::valid().prop_map(Move::Receive),
        1 => message::stale().prop_map(Move::Receive),
        6 => (0..49_usize).prop_map(Move::Propose),
        2 => Just(Move::Read),
        4 => Just(Move::Disk(Disk::Oldest)),
        2 => any::<Index>().prop_map(|which| Move::Disk(Disk::Any(which))),
        2 => Just(Move::Disk(Disk::All)),
        2 => Just(Move::Machine(Machine::Next)),
        1 => Just(Move::Machine(Machine::All)),
        3 => (any::<Index>(), prop_oneof![
            4 => Just(Fetched::Right),
            1 => Just(Fetched::First),
            1 => Just(Fetched::Busy),
        ]).prop_map(|(which, how)| Move::Fetched(which, how)),
        8 => Just(Move::Settle),
        2 => (1..4_u8).prop_map(Move::Pop),
        2 => Just(Move::Elect),
        1 => (0..5_u8).prop_map(Move::Restart),
    ]
}

fn unruly() -> impl Strategy<Value = Move> {
    prop_oneof![
        16 => message::hostile().prop_map(Move::Receive),
        2 => any::<Index>().prop_map(|which| Move::Disk(Disk::Again(which))),
        2 => Just(Move::Disk(Disk::Foreign)),
        2 => Just(Move::Machine(Machine::TooFar)),
        2 => Just(Move::Machine(Machine::Again)),
        2 => any::<Index>().prop_map(|which| Move::Fetched(which, Fetched::UnknownId)),
        1 => (49..200_usize).prop_map(Move::Propose),
        1 => Just(Move::StepDown),
    ]
}

fn fatal() -> impl Strategy<Value = Move> {
    prop_oneof![
        Just(Move::Disk(Disk::NeverIssued)),
        Just(Move::Disk(Disk::Failed)),
        any::<Index>().prop_map(|which| Move::Fetched(which, Fetched::Nothing)),
        any::<Index>().prop_map(|which| Move::Fetched(which, Fetched::WrongTerm)),
        any::<Index>().prop_map(|which| Move::Fetched(which, Fetched::Broken)),
        Just(Move::Shutdown),
    ]
}

/// Moves of a driver, peers and clients that all keep their promises.
pub fn orderly_moves(count: usize) -> impl Strategy<Value = Vec<Move>> {
    proptest::collection::vec(orderly(), count)
}

/// Moves of which some break every promise there is.
pub fn hostile_moves(count: usize) -> impl Strategy<Value = Vec<Move>> {
    let one = prop_oneof![30 => orderly(), 30 => unruly(), 1 => fatal()];
    proptest::collection::vec(one, count)
}
