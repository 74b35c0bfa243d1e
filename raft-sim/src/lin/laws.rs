//! Laws of the checker: what it must accept, what it must refuse, and what must not matter.
//!
//! **Intuition.** A checker can be wrong in two ways, and only one of them is loud. So besides
//! comparing with brute force: histories that are right by construction must pass, each way of
//! breaking one must be caught, changes that mean nothing must change nothing, and known mistakes
//! of checkers, planted on purpose, must be noticed by the very comparison the tests rely on.
//! **Source.** Ours; B-108 and B-109 are in docs/HAZARDS.md.
//! **Upholds.** `inv:linearizable`.
//! **Not here.** The comparison with brute force on unbroken code (`brute.rs`).

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Budget, How, Verdict, Witness, check, explain,
    generate::{Calls, Dice, Shape, linearizable},
    history::Operation,
    model::Model,
    models::kv::Kv,
    quick::Quick,
    register::decide,
    search::{Answer, search},
    twin,
};
use crate::workload::kv::{Call, Reply};

const CALLS: [Calls; 4] = [Calls::Register, Calls::CasRegister, Calls::Append, Calls::All];

fn shape(operations: usize, calls: Calls) -> Shape {
    Shape { operations, clients: 5, keys: 1, calls, values: None, unknown_one_in: Some(20) }
}

fn is_ok(history: &[Operation]) -> bool {
    match check(history, &Budget::default()).expect("well formed").verdict {
        Verdict::Ok { .. } => true,
        Verdict::Illegal(_) => false,
        Verdict::Unknown { .. } => panic!("out of budget"),
    }
}

fn without_hints(history: &[Operation]) -> Vec<Operation> {
    history.iter().map(|op| Operation { index: None, ..op.clone() }).collect()
}

#[test]
fn what_is_right_by_construction_is_accepted() {
    for (number, calls) in CALLS.into_iter().enumerate() {
        for values in [None, Some(4)] {
            let seed = number as u64;
            let shape = Shape { keys: 4, values, ..shape(2_000, calls) };
            let history = linearizable(seed, &shape);
            let report = check(&history, &Budget::default()).unwrap();
            assert_eq!(report.verdict, Verdict::Ok { how: How::Witness }, "{shape:?}");
            let report = check(&without_hints(&history), &Budget::default()).unwrap();
            let sorted = calls == Calls::Register && values.is_none();
            let how = if sorted { How::Sorting } else { How::Search };
            assert_eq!(report.verdict, Verdict::Ok { how }, "{shape:?}");
        }
    }
    let long = Shape { clients: 20, keys: 8, ..shape(100_000, Calls::All) };
    let report = check(&linearizable(9, &long), &Budget::default()).unwrap();
    assert_eq!(report.verdict, Verdict::Ok { how: How::Witness });
}

#[test]
fn more_than_64_operations_may_be_open_at_once() {
    let wide = Shape { clients: 150, ..shape(3_000, Calls::Register) };
    assert!(is_ok(&without_hints(&linearizable(3, &wide))));
    // The same by searching: all open at once, and a delete, so that sorting does not apply.
    let operation = |op: u64, invoked, returned, call| {
        let reply = match call {
            Call::Get { .. } => Reply::Value { value: Some(vec![199_u64.saturating_sub(op)]) },
            _ => Reply::Done,
        };
        let (returned, reply, index) = (Some(returned), Some(reply), None);
        Operation { op, client: op, invoked, returned, call, reply, index }
    };
    let mut history = vec![operation(500, 0, 1_000, Call::Delete { key: 0 })];
    for op in 0..100 {
        let call = Call::Put { key: 0, value: op };
        history.push(operation(op, 1 + op, 1_001 + op, call));
    }
    for op in 100..200 {
        history.push(operation(op, 2 * op + 1, 2 * op + 2, Call::Get { key: 0 }));
    }
    assert!(is_ok(&history));
    history.push(operation(200, 900, 901, Call::Get { key: 0 }));
    history.last_mut().unwrap().reply = Some(Reply::Value { value: Some(vec![1]) });
    assert!(!is_ok(&history));
}

/// Sorting and searching decide the same on histories too long for brute force.
#[test]
fn sorting_and_searching_agree() {
    let mut dice = Dice::new(23);
    let (mut legal, mut illegal) = (0, 0);
    for round in 0..3_000 {
        let shape = Shape { clients: 4, ..shape(40, Calls::Register) };
        let mut history = linearizable(round, &shape);
        let (_, mutate) = MUTATIONS[dice.below(4) as usize];
        if dice.one_in(2) {
            mutate(&mut history, &mut dice);
        }
        history.sort_unstable_by_key(|operation| operation.invoked);
        let part: Vec<&Operation> = history.iter().collect();
        let sorted = match decide(&Kv, &part) {
            Quick::Ok => true,
            Quick::Illegal(core) => {
                let few: Vec<Operation> =
                    core.iter().map(|&position| part[position as usize].clone()).collect();
                assert!(few.len() <= 6 && !twin::linearizable(&Kv, &few), "{few:#?}");
                false
            }
            Quick::NotApplicable => continue,
        };
        let budget = Budget::default();
        let found = search(&part, &mut *Kv.space(&part), &budget, &mut || false).0;
        assert_eq!(matches!(found, Answer::Order(_)), sorted, "{history:#?}");
        if sorted { legal += 1 } else { illegal += 1 }
    }
    assert!(legal > 500 && illegal > 500, "{legal} {illegal}");
}

/// What explains a violation is illegal by itself, and none of it can go.
#[test]
fn explanations_are_illegal_and_minimal() {
    let mut dice = Dice::new(29);
    let (mut explained, mut largest) = (0, 0);
    for round in 0..1_500 {
        let history = twin::random_kv(&mut dice, 10, round % 4);
        let report = check(&history, &Budget::default()).unwrap();
        let Verdict::Illegal(illegal) = report.verdict else { continue };
        let explanation = explain(&Kv, &history, &illegal, &mut || false).unwrap();
        let core: Vec<Operation> =
            history.iter().filter(|op| explanation.core.contains(&op.op)).cloned().collect();
        assert_eq!(core.len(), explanation.core.len());
        assert!(explanation.minimal && !twin::linearizable(&Kv, &core), "{core:#?}");
        for read in positions(&core, |op| Kv.is_read(&op.call, op.reply.as_ref())) {
            let mut fewer = core.clone();
            fewer.remove(read);
            assert!(twin::linearizable(&Kv, &fewer), "not minimal: {core:#?}");
        }
        explained += 1;
        largest = largest.max(core.len());
    }
    assert!(explained > 300 && largest < 9, "{explained} {largest}");
}

/// Ways to break a history. Each returns whether it found something to break.
type Mutation = fn(&mut Vec<Operation>, &mut Dice) -> bool;

const MUTATIONS: [(&str, Mutation); 7] = [
    ("swap two read values", |history, dice| {
        let reads = positions(history, |op| matches!(op.reply, Some(Reply::Value { .. })));
        if reads.len() < 2 {
            return false;
        }
        let one = reads[dice.below(reads.len() as u64) as usize];
        let other = reads[dice.below(reads.len() as u64) as usize];
        let (first, second) = (history[one].reply.clone(), history[other].reply.clone());
        (history[one].reply, history[other].reply) = (second.clone(), first.clone());
        first != second
    }),
    ("return an older value", |history, dice| {
        let reads = positions(history, |op| matches!(op.reply, Some(Reply::Value { .. })));
        let Some(&first) = reads.first() else { return false };
        let one = reads[dice.below(reads.len() as u64) as usize];
        let older = history[first].reply.clone();
        let changed = history[one].reply != older;
        history[one].reply = older;
        changed
    }),
    ("return a value nobody wrote", |history, dice| {
        let reads = positions(history, |op| matches!(op.reply, Some(Reply::Value { .. })));
        if reads.is_empty() {
            return false;
        }
        let one = reads[dice.below(reads.len() as u64) as usize];
        history[one].reply = Some(Reply::Value { value: Some(vec![u64::MAX]) });
        true
    }),
    ("shorten an interval past a conflict", |history, dice| {
        let one = dice.below(history.len() as u64) as usize;
        // Times are spread first, so that there is room for the moved invocation.
        let Some(returned) = history[one].returned else { return false };
        for operation in history.iter_mut() {
            operation.invoked *= 2;
            operation.returned = operation.returned.map(|at| at * 2);
        }
        history[one].invoked = returned * 2 - 1;
        true
    }),
    ("drop a write", |history, dice| {
        let writes = positions(history, |op| !Kv.is_read(&op.call, op.reply.as_ref()));
        if writes.is_empty() {
            return false;
        }
        history.remove(writes[dice.below(writes.len() as u64) as usize]);
        true
    }),
    ("apply an append twice", |history, dice| {
        let long = positions(
            history,
            |op| matches!(&op.reply, Some(Reply::Value { value: Some(list) }) if list.len() > 1),
        );
        if long.is_empty() {
            return false;
        }
        let one = long[dice.below(long.len() as u64) as usize];
        let Some(Reply::Value { value: Some(list) }) = &mut history[one].reply else {
            return false;
        };
        list.push(list[list.len() - 1]);
        true
    }),
    ("lose a compare-and-set", |history, dice| {
        let swaps = positions(history, |op| matches!(op.reply, Some(Reply::Swapped { .. })));
        if swaps.is_empty() {
            return false;
        }
        let one = swaps[dice.below(swaps.len() as u64) as usize];
        let Some(Reply::Swapped { ok }) = &mut history[one].reply else { return false };
        *ok = !*ok;
        true
    }),
];

fn positions(history: &[Operation], keep: impl Fn(&Operation) -> bool) -> Vec<usize> {
    (0..history.len()).filter(|&position| keep(&history[position])).collect()
}

#[test]
fn every_class_of_mutation_is_judged_right_and_killed() {
    let mut killed = BTreeMap::new();
    let mut dice = Dice::new(5);
    for round in 0..3_000 {
        for (name, mutate) in MUTATIONS {
            let calls = CALLS[round as usize % 4];
            let values = (round % 3 == 0).then_some(3);
            let small = Shape { clients: 3, values, ..shape(7, calls) };
            let mut history = linearizable(dice.roll(), &small);
            if !mutate(&mut history, &mut dice) {
                continue;
            }
            let ok = is_ok(&history);
            assert_eq!(ok, twin::linearizable(&Kv, &history), "{name}: {history:#?}");
            *killed.entry(name).or_insert(0) += u64::from(!ok);
        }
    }
    for (name, _) in MUTATIONS {
        assert!(killed[name] > 20, "{name}: {killed:?}");
    }
}

#[test]
fn one_wrong_answer_deep_inside_a_long_history_is_found() {
    for (number, calls) in CALLS.into_iter().enumerate() {
        let mut history = linearizable(number as u64, &shape(3_000, calls));
        let reads = positions(&history, |op| matches!(op.reply, Some(Reply::Value { .. })));
        let stale = history[reads[reads.len() / 3]].reply.clone();
        history[reads[reads.len() / 2]].reply = stale;
        let report = check(&history, &Budget::default()).unwrap();
        assert!(matches!(report.verdict, Verdict::Illegal(_)), "{calls:?}: {report:?}");
    }
}

/// The hard case: one huge key, many unknown outcomes, one stale read far inside. An honest
/// `Unknown` is allowed, `Ok` is not. What was read was overwritten long ago, or never written.
#[test]
fn one_stale_read_among_many_unknown_outcomes_is_never_ok() {
    let budget = Budget { configurations: 300_000, ..Budget::default() };
    let mut found = 0;
    for (number, calls) in CALLS.into_iter().enumerate() {
        for values in [None, Some(50)] {
            let shape = Shape { clients: 10, values, ..shape(10_000, calls) };
            let mut history = without_hints(&linearizable(number as u64, &shape));
            let reads = positions(&history, |op| matches!(op.reply, Some(Reply::Value { .. })));
            let stale = match values {
                None => history[reads[reads.len() / 4]].reply.clone(),
                Some(_) => Some(Reply::Value { value: Some(vec![u64::MAX]) }),
            };
            history[reads[reads.len() / 2]].reply = stale;
            match check(&history, &budget).unwrap().verdict {
                Verdict::Illegal(_) => found += 1,
                told => assert!(matches!(told, Verdict::Unknown { .. }), "{calls:?} {values:?}"),
            }
        }
    }
    // Half of them are decided within this budget; none may be called legal.
    assert!(found >= 3, "{found}");
}

#[test]
fn what_means_nothing_changes_nothing() {
    let mut dice = Dice::new(11);
    for round in 0..4_000 {
        let history = twin::random_kv(&mut dice, 9, round % 4);
        let ok = is_ok(&history);

        let mut renamed = history.clone();
        for operation in &mut renamed {
            operation.client = operation.client * 7 + 3;
            operation.invoked = operation.invoked * 1_000 + 17;
            operation.returned = operation.returned.map(|at| at * 1_000 + 17);
            operation.op = 1_000 - operation.op;
            rename(operation, |token| token * 31 + 5, 99);
        }
        assert_eq!(is_ok(&renamed), ok, "names and time: {history:#?}");

        // Two keys interleaved: legal exactly when both are.
        let second = twin::random_kv(&mut dice, 9, round % 4);
        let mut both = history.clone();
        both.extend(second.iter().map(|operation| {
            let mut operation = operation.clone();
            (operation.op, operation.client) = (operation.op + 100, operation.client + 100);
            operation.invoked = operation.invoked * 3 + 1;
            operation.returned = operation.returned.map(|at| at * 3 + 1);
            rename(&mut operation, |token| token, 1);
            operation
        }));
        for operation in &mut both[..history.len()] {
            operation.invoked *= 3;
            operation.returned = operation.returned.map(|at| at * 3);
        }
        assert_eq!(is_ok(&both), ok && is_ok(&second), "conjunction of keys");

        if !ok {
            continue;
        }
        let one = dice.below(history.len() as u64) as usize;
        let mut wider = history.clone();
        for operation in &mut wider {
            operation.invoked = operation.invoked * 100 + 50;
            operation.returned = operation.returned.map(|at| at * 100 + 50);
        }
        wider[one].invoked = wider[one].invoked.saturating_sub(1 + 100 * dice.below(6));
        wider[one].returned = wider[one].returned.map(|at| at + 1 + 100 * dice.below(6));
        assert!(is_ok(&wider), "wider: {history:#?}");

        let mut open = history.clone();
        open[one].returned = None;
        open[one].reply = None;
        assert!(is_ok(&open), "an answer forgotten: {history:#?}");

        let mut more = history.clone();
        more.push(Operation {
            op: 500,
            client: 500,
            invoked: 10_000,
            returned: None,
            call: Call::Append { key: 0, value: 1 },
            reply: None,
            index: None,
        });
        more.last_mut().unwrap().invoked = 0;
        for operation in &mut more[..history.len()] {
            operation.invoked += 1;
            operation.returned = operation.returned.map(|at| at + 1);
        }
        assert!(is_ok(&more), "a write that never returns: {history:#?}");

        if Kv.is_read(&history[one].call, history[one].reply.as_ref()) {
            let mut fewer = history.clone();
            fewer.remove(one);
            assert!(is_ok(&fewer), "a read removed: {history:#?}");
        }
    }
}

fn rename(operation: &mut Operation, token: impl Fn(u64) -> u64, to: u32) {
    match &mut operation.call {
        Call::Get { key } | Call::Delete { key } => *key = to,
        Call::Put { key, value } | Call::Append { key, value } => {
            (*key, *value) = (to, token(*value));
        }
        Call::Cas { key, old, new } => {
            (*key, *old, *new) = (to, old.map(&token), token(*new));
        }
    }
    if let Some(Reply::Value { value: Some(list) }) = &mut operation.reply {
        list.iter_mut().for_each(|value| *value = token(*value));
    }
}

/// Hints that lie in every way: wrong order, right order with wrong answers, shared, missing. No
/// illegal history becomes ok, and no legal one illegal.
#[test]
fn a_lying_witness_changes_no_verdict() {
    let mut dice = Dice::new(13);
    let (mut verified, mut refuted) = (0, BTreeSet::new());
    for round in 0..40_000 {
        let mut history = if round % 2 == 0 {
            twin::random_kv(&mut dice, 6, round % 4)
        } else {
            let calls = CALLS[round as usize / 2 % 4];
            let mut history = linearizable(round, &Shape { clients: 3, ..shape(6, calls) });
            let (_, mutate) = MUTATIONS[dice.below(7) as usize];
            if dice.one_in(2) {
                mutate(&mut history, &mut dice);
            }
            history
        };
        for operation in &mut history {
            if round % 2 == 0 || dice.one_in(10) {
                operation.index = (!dice.one_in(8)).then(|| dice.below(12));
            }
        }
        let expected = twin::linearizable(&Kv, &history);
        let report = check(&history, &Budget::default()).unwrap();
        assert_eq!(matches!(report.verdict, Verdict::Ok { .. }), expected, "{history:#?}");
        match report.witness {
            Witness::Verified => verified += 1,
            Witness::Untried => panic!("a check tries it"),
            Witness::Unavailable { .. } => {
                refuted.insert("unavailable");
            }
            Witness::IndexShared { .. } => {
                refuted.insert("shared");
            }
            Witness::AgainstRealTime { .. } => {
                refuted.insert("time");
            }
            Witness::WrongReply { .. } => {
                refuted.insert("reply");
            }
        }
    }
    assert!(verified > 1_000, "{verified}");
    assert_eq!(refuted.len(), 4, "{refuted:?}");
}
