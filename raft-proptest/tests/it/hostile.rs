//! Hostile inputs: nothing a peer, a disk, a machine or a client does breaks a promise of the node.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeSet,
};

use proptest::{prelude::*, test_runner::TestRunner};
use raft_core::{Boot, BootId, Instant, Message, Node, Options};
use raft_proptest::{
    rig::{Counts, Rig},
    strategy::{
        ids::{blank, boot, options, voters},
        input::{Move, hostile_moves, orderly_moves},
        message::{Scene, hostile, valid},
    },
};

use crate::{config, rerun};

fn play(options: Options, boot: Boot, moves: &[Move]) -> Result<Rig, TestCaseError> {
    let mut rig = Rig::boot(options, boot).expect("a legal disk boots");
    for (number, play) in moves.iter().enumerate() {
        if let Err(broken) = rig.play(play) {
            let status = rig.node().status();
            return Err(TestCaseError::fail(format!(
                "move {number}, {play:?}: {broken}\nnode: {status}"
            )));
        }
    }
    Ok(rig)
}

/// Plays `cases` lists of moves and adds up what the nodes went through.
fn play_all(cases: u32, moves: impl Strategy<Value = Vec<Move>>) -> Counts {
    let total = Cell::new(Counts::default());
    let inputs = (options(), boot(), moves);
    let result = TestRunner::new(config(cases)).run(&inputs, |(options, boot, moves)| {
        total.set(total.get().and(play(options, boot, &moves)?.counts()));
        Ok(())
    });
    if let Err(failure) = result {
        panic!("{failure}\n{}", rerun("hostile"));
    }
    total.get()
}

#[test]
fn nothing_breaks_a_promise() {
    let total = play_all(600, hostile_moves(400));
    println!("{total:?}");
    assert!(total.steps >= 100_000 && total.refused >= 20_000, "too tame: {total:?}");
    assert!(total.by_role.iter().all(|steps| *steps >= 5_000), "a role is missing: {total:?}");
    assert!(total.applies >= 1_000 && total.fetches >= 500, "too little done: {total:?}");
    assert!(total.installs >= 10, "too few snapshots: {total:?}");
}

#[test]
fn every_kind_of_message_is_drawn() {
    let boot = Boot::new(BootId(1), 1, blank(), voters(3));
    let node = Node::boot(Options::default(), boot, Instant(0)).expect("an empty disk boots");
    for (drawn, name) in [(hostile().boxed(), "hostile"), (valid().boxed(), "valid")] {
        let said = RefCell::new(BTreeSet::new());
        TestRunner::new(config(4_000))
            .run(&drawn, |sketch| {
                let scene = Scene { node: &node, voters: 3, asked: None, reading: None, round: 1 };
                said.borrow_mut().insert(sketch.envelope(&scene).message.name());
                Ok(())
            })
            .unwrap();
        let all: BTreeSet<&str> = Message::NAMES.into_iter().collect();
        assert_eq!(said.into_inner(), all, "{name}");
    }
}

#[test]
fn an_orderly_world_is_served() {
    let total = play_all(400, orderly_moves(200));
    println!("{total:?}");
    assert!(total.applies >= 1_000 && total.fetches >= 500, "too little done: {total:?}");
}
