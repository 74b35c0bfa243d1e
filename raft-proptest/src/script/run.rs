//! Running a script: each command in turn, invariants after each, then the verdict.
//!
//! **Intuition.** The loop knows nothing of Raft: commands are rows of a table, what must hold is
//! the watch's.
//! **Source.** Ours.
//! **Upholds.** Nothing.
//! **Not here.** Commands (`verb/`), the verdict's words (`expect.rs`).

use super::{
    expect::{Told, Verdict, judge, rules},
    parse::Script,
    verb,
    world::World,
};

/// Runs the script `text`, called `name` (`area/behaviour`, without the extension).
///
/// With `accept`, words that changed give [`Verdict::Rewrite`]. A command that means nothing and a
/// broken invariant always fail.
#[must_use]
pub fn run(name: &str, text: &str, accept: bool) -> Verdict {
    let script = match Script::parse(text) {
        Ok(script) => script,
        Err(why) => return Verdict::Failed(format!("{name}.txt:{why}")),
    };
    if rules(&script.story()).is_empty() {
        let why = "the first comment tells the story and names the rule it guards (inv:…)";
        return Verdict::Failed(format!("{name}.txt:1: {why}"));
    }
    judge(name, &script, &play(&script), accept)
}

fn play(script: &Script) -> Told {
    let mut world = World::new();
    let mut told = Told { outputs: Vec::new(), broken: None };
    for block in &script.blocks {
        let mut said = Vec::new();
        for (line, command) in &block.commands {
            let done = verb::run(&mut world, command).and_then(|()| world.check_cluster());
            said.append(&mut world.take_lines());
            if let Err(why) = done {
                told.outputs.push(said);
                told.broken = Some((*line, command.clone(), why));
                return told;
            }
        }
        told.outputs.push(said);
    }
    told
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fails(text: &str) -> String {
        match run("x/y", &format!("# S (inv:live).\n{text}\n----\n"), true) {
            Verdict::Failed(why) => why,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn mistakes_in_a_script_are_never_accepted() {
        assert!(fails("fly n1").contains("there is no command \"fly\""));
        assert!(fails("status n1").contains("there is no n1"));
        assert!(fails("cluster nodes=(1) wings=2").contains("there is no option wings"));
        assert!(fails("cluster nodes=(1); deliver n1->n1").contains("no message under way"));
        assert!(fails("cluster nodes=(1); sync n1").contains("nothing to sync"));
        assert!(fails("cluster nodes=(1); tick n1 now").contains("\"now\" means nothing"));
        assert!(fails("cluster nodes=(1); show n1 colour").contains("status has no colour"));
        assert!(fails("cluster nodes=(1); forge n2->n1 Hello").contains("there is no message"));
        let Verdict::Failed(why) = run("x/y", "a\n----\n", true) else { panic!("no story") };
        assert!(why.contains("tells the story"), "{why}");
    }

    #[test]
    fn a_broken_invariant_fails_with_its_id_whatever_the_lines_say() {
        // Two disks that no run leaves behind: equal position, different history before it.
        let logs = "cluster nodes=(1,2); boot n1 term=3 log=1,3; boot n2 term=3 log=2,3";
        assert!(fails(logs).contains("inv:log-matching"), "{}", fails(logs));
        // A forged vote makes a second leader of term 1.
        let votes = "cluster nodes=(1,2,3) disk=auto; elect n1; \
                     boot n2 term=0 vote=none log=(); expire n2 election; forge n3->n2 VoteReply granted term=1";
        assert!(fails(votes).contains("inv:election-safety"), "{}", fails(votes));
        // A forged acknowledgement commits what one disk holds.
        let acks = "cluster nodes=(1,2,3) disk=auto; elect n1; propose n1 a; \
                    forge n2->n1 AppendReply match=2 round=1";
        assert!(fails(acks).contains("inv:committed-durable"), "{}", fails(acks));
    }
}
