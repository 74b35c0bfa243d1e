//! The flight recorder: boot, steps and settles repeat a node bit for bit, also from the middle.

use proptest::prelude::*;
use raft_core::Node;
use raft_proptest::{
    rig::Rig,
    strategy::{
        ids::{boot, options},
        input::hostile_moves,
    },
};

/// The node as it would come back from a file.
fn through_a_file(node: Node) -> Result<Node, String> {
    let text = serde_json::to_string(&node).map_err(|error| error.to_string())?;
    serde_json::from_str(&text).map_err(|error| error.to_string())
}

use crate::{config, rerun};

proptest! {
    #![proptest_config(config(128))]

    #[test]
    fn a_tape_repeats_the_node(
        options in options(),
        boot in boot(),
        moves in hostile_moves(150),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut rig = Rig::boot(options, boot).expect("a legal disk boots");
        for play in &moves {
            rig.play(play).map_err(TestCaseError::fail)?;
        }
        // What a pop left in the outbox is no longer on the tape: take the rest.
        rig.settle().map_err(TestCaseError::fail)?;
        let tape = rig.tape();
        let plain = tape.replay(usize::MAX, Ok).expect("it booted before");
        prop_assert_eq!(&plain.node, rig.node(), "{}", rerun("recorder"));
        prop_assert_eq!(plain.outputs.as_slice(), tape.outputs());
        prop_assert_eq!(format!("{:?}", plain.outputs), format!("{:?}", tape.outputs()));

        let at = cut.index(tape.events().len() + 1);
        let resumed = tape.replay(at, through_a_file).expect("a node survives a file");
        prop_assert_eq!(&resumed.node, rig.node(), "event {}\n{}", at, rerun("recorder"));
        prop_assert_eq!(resumed.outputs.as_slice(), tape.outputs());
    }
}
