//! The worked example of a model of one's own does what it says.

#[allow(unreachable_pub, reason = "it is a program of its own")]
#[path = "../../examples/own_model.rs"]
mod example;

use raft_sim::lin::twin;

#[test]
fn the_example_tells_the_good_history_from_the_bad() {
    let [good, bad] = example::histories();
    assert_eq!(twin::compare(&example::Accounts, &good), Ok(true));
    assert_eq!(twin::compare(&example::Accounts, &bad), Ok(false));
    let story = example::story();
    let lines: Vec<&str> = story.lines().collect();
    assert_eq!(lines[0], "linearizable");
    assert!(lines[1].starts_with("not linearizable: key 7:"), "{story}");
    assert!(story.contains("Withdraw(7, 10) -> Done"), "{story}");
    assert_eq!(lines[lines.len() - 1], "the stream stops at operation 2");
}
