//! The brute-force twin: every order of every subset, in the plainest possible code.
//!
//! **Intuition.** Place any operation that no unplaced completed operation precedes, until every
//! completed one is placed. No memory, no states numbered, no rule of the real search.
//! **Source.** The definition (Herlihy and Wing 1990), read literally.
//! **Upholds.** `inv:linearizable` (its checker is compared with this).
//! **Not here.** Anything clever.

use crate::{
    lin::{
        Budget, How, Verdict, Witness, check, check_model,
        generate::{Dice, answer},
        history::Operation,
        model::Model,
        models::kv::Kv,
        search::{Answer, search, search_plainly, search_wide},
        space::Interned,
        split::by_key,
    },
    workload::kv::{Call, Reply},
};

/// Whether `history` (any keys) is linearizable.
pub(super) fn linearizable<M: Model>(model: &M, history: &[Operation<M::Call, M::Reply>]) -> bool {
    by_key(model, history).values().all(|part| {
        let mut placed = vec![false; part.len()];
        place_rest(model, part, &mut placed, &model.initial())
    })
}

fn place_rest<M: Model>(
    model: &M,
    part: &[&Operation<M::Call, M::Reply>],
    placed: &mut [bool],
    state: &M::State,
) -> bool {
    if part.iter().zip(&*placed).all(|(op, placed)| *placed || op.returned.is_none()) {
        return true;
    }
    for next in 0..part.len() {
        let precedes =
            |other: usize| part[other].returned.is_some_and(|at| at < part[next].invoked);
        if placed[next] || (0..part.len()).any(|other| !placed[other] && precedes(other)) {
            continue;
        }
        let mut after = state.clone();
        if model.apply(&mut after, &part[next].call, part[next].reply.as_ref()) {
            placed[next] = true;
            if place_rest(model, part, placed, &after) {
                return true;
            }
            placed[next] = false;
        }
    }
    false
}

/// A random small history of one key: a random interval shape, calls and replies drawn either
/// from a replay (mostly right) or at random (mostly wrong). `mix` chooses the kinds of calls.
pub(super) fn random_history(dice: &mut Dice, ops_max: u64, mix: u64) -> Vec<Operation> {
    let ops = 1 + dice.below(ops_max);
    let clients = 1 + dice.below(4);
    let values = 1 + dice.below(3);
    let mut history: Vec<Operation> = Vec::new();
    let mut open: Vec<Option<usize>> = vec![None; clients as usize];
    let (mut clock, mut client_ids) = (0, clients);
    let mut ids: Vec<u64> = (0..clients).collect();
    let mut state = None;
    let honest = dice.one_in(2);
    let distinct = dice.one_in(2);
    let values = if distinct { ops } else { values };
    while (history.len() as u64) < ops || open.iter().any(Option::is_some) {
        let client = dice.below(clients) as usize;
        clock += 1;
        if let Some(position) = open[client].take() {
            let operation = &mut history[position];
            if dice.one_in(6) {
                // Unknown: sometimes it took effect, and the client goes on under a new id.
                if dice.one_in(2) {
                    Kv.apply(&mut state, &operation.call, None);
                }
                ids[client] = client_ids;
                client_ids += 1;
                continue;
            }
            operation.returned = Some(clock);
            let truth = answer(&mut state, &operation.call);
            operation.reply = Some(if honest && !dice.one_in(12) {
                truth
            } else {
                lie(dice, &operation.call, values)
            });
        } else if (history.len() as u64) < ops {
            open[client] = Some(history.len());
            let mut call = random_call(dice, values, mix);
            if let Call::Put { value, .. } = &mut call
                && distinct
            {
                *value = history.len() as u64;
            }
            history.push(Operation {
                op: history.len() as u64,
                client: ids[client],
                invoked: clock,
                returned: None,
                call,
                reply: None,
                index: None,
            });
        }
    }
    history
}

fn random_call(dice: &mut Dice, values: u64, mix: u64) -> Call {
    let value = dice.below(values);
    match (mix, dice.below(10)) {
        (_, 0..=3) => Call::Get { key: 0 },
        (0, _) | (1 | 2, 4..=6) | (3, 4..=5) => Call::Put { key: 0, value },
        (1, _) => {
            let old = Some(dice.below(values)).filter(|_| !dice.one_in(4));
            Call::Cas { key: 0, old, new: value }
        }
        (2, _) | (3, 6..=7) => Call::Append { key: 0, value },
        (_, 8) => Call::Delete { key: 0 },
        _ => {
            let old = Some(dice.below(values)).filter(|_| !dice.one_in(3));
            Call::Cas { key: 0, old, new: value }
        }
    }
}

fn lie(dice: &mut Dice, call: &Call, values: u64) -> Reply {
    match call {
        Call::Get { .. } => {
            let length = if dice.one_in(4) { dice.below(3) } else { 1 };
            let list: Vec<u64> = (0..length).map(|_| dice.below(values)).collect();
            Reply::Value { value: Some(list).filter(|list| !list.is_empty()) }
        }
        Call::Put { .. } | Call::Delete { .. } | Call::Append { .. } => Reply::Done,
        Call::Cas { .. } => Reply::Swapped { ok: dice.one_in(2) },
    }
}

/// The verdict of the pipeline, and of the search over the plain interned space: both must equal
/// brute force.
fn agree(history: &[Operation]) -> bool {
    let expected = linearizable(&Kv, history);
    let budget = Budget::default();
    let report = check(history, &budget).expect("generated histories are well formed");
    let pipeline = match report.verdict {
        Verdict::Ok { .. } => true,
        Verdict::Illegal(_) => false,
        Verdict::Unknown { .. } => panic!("out of budget on {history:#?}"),
    };
    assert_eq!(pipeline, expected, "pipeline on {history:#?}");
    let parts = by_key(&Kv, history);
    let plain = parts.values().all(|part| {
        let mut space = Interned::new(&Kv, part);
        match search(part, &mut space, &budget, &mut || false).0 {
            Answer::Order(order) => {
                assert_order(part, &order);
                true
            }
            Answer::Impossible(_) => false,
            Answer::OutOf(_) => panic!("out of budget on {history:#?}"),
        }
    });
    assert_eq!(plain, expected, "plain search on {history:#?}");
    // Sorting decides some histories in the pipeline; the search must agree on those too.
    let wide = parts
        .values()
        .all(|part| matches!(search_wide(part, &mut *Kv.space(part), &budget), Answer::Order(_)));
    assert_eq!(wide, expected, "search of lists on {history:#?}");
    let plainly = parts.values().all(|part| {
        let (answer, _) = search_plainly(part, &mut *Kv.space(part), &budget, &mut || false);
        matches!(answer, Answer::Order(_))
    });
    assert_eq!(plainly, expected, "search without looking ahead on {history:#?}");
    expected
}

/// An order handed back must itself be a linearization: respect real time, replay, and hold every
/// completed operation once.
fn assert_order(part: &[&Operation], order: &[u32]) {
    let mut state = None;
    let mut placed = vec![false; part.len()];
    for &position in order {
        let operation = part[position as usize];
        assert!(!placed[position as usize], "placed once");
        placed[position as usize] = true;
        assert!(Kv.apply(&mut state, &operation.call, operation.reply.as_ref()));
    }
    for (later, &position) in order.iter().enumerate() {
        for &earlier in &order[..later] {
            let before = part[position as usize].returned;
            assert!(before.is_none_or(|at| at > part[earlier as usize].invoked));
        }
    }
    for (operation, placed) in part.iter().zip(placed) {
        assert!(placed || operation.returned.is_none());
    }
}

#[test]
fn random_small_histories_agree_with_brute_force() {
    let runs = 240_000;
    let (mut illegal, mut unknown) = (0, 0);
    let mut dice = Dice::new(1);
    for run in 0..runs {
        let history = random_history(&mut dice, 7, run % 4);
        illegal += u64::from(!agree(&history));
        unknown += u64::from(history.iter().any(|op| op.returned.is_none()));
    }
    println!("{runs} histories: {illegal} illegal, {unknown} with an unknown outcome");
    assert!(illegal * 100 >= runs * 30, "{illegal} illegal");
    assert!(unknown * 100 >= runs * 20, "{unknown} with an unknown outcome");
}

fn op(op: u64, span: (u64, Option<u64>), call: Call, reply: Option<Reply>) -> Operation {
    Operation { op, client: op, invoked: span.0, returned: span.1, call, reply, index: None }
}

fn put(id: u64, span: (u64, u64), value: u64) -> Operation {
    op(id, (span.0, Some(span.1)), Call::Put { key: 0, value }, Some(Reply::Done))
}

fn get(id: u64, span: (u64, u64), value: Option<u64>) -> Operation {
    let reply = Reply::Value { value: value.map(|token| vec![token]) };
    op(id, (span.0, Some(span.1)), Call::Get { key: 0 }, Some(reply))
}

#[test]
fn a_stale_read_is_illegal_and_named() {
    let history = [put(0, (0, 1), 1), put(1, (2, 3), 2), get(2, (4, 5), Some(1))];
    let report = check(&history, &Budget::default()).unwrap();
    let Verdict::Illegal(illegal) = report.verdict else { panic!("{report:?}") };
    assert_eq!((illegal.stuck, illegal.prefix.len()), (2, 2));
}

/// B-108: an unknown write may take effect much later; it is neither dropped nor closed.
#[test]
fn an_unknown_write_may_be_seen_much_later() {
    let unknown = op(0, (0, None), Call::Put { key: 0, value: 7 }, None);
    let history = [unknown, put(1, (1, 2), 1), get(2, (3, 4), Some(1)), get(3, (5, 6), Some(7))];
    let report = check(&history, &Budget::default()).unwrap();
    assert_eq!(report.verdict, Verdict::Ok { how: How::Sorting });
}

#[test]
fn a_verified_witness_needs_no_search() {
    let mut history = vec![put(0, (0, 3), 1), put(1, (1, 4), 2), get(2, (5, 6), Some(1))];
    for (operation, index) in history.iter_mut().zip([2, 1, 2]) {
        operation.index = Some(index);
    }
    let report = check(&history, &Budget::default()).unwrap();
    assert_eq!(report.verdict, Verdict::Ok { how: How::Witness });
    assert_eq!((report.witness, report.keys_searched), (Witness::Verified, 0));
}

#[test]
fn an_illegal_key_wins_over_an_unknown_one() {
    let tiny = Budget { configurations: 3, memory_bytes: 1 << 20 };
    let mut history = Vec::new();
    for id in 0..6 {
        let mut operation = put(id, (id, 20 + id), id);
        operation.call = Call::Append { key: 0, value: id };
        history.push(operation);
    }
    let list = Reply::Value { value: Some(vec![5, 4, 3, 2, 1, 0]) };
    history.push(op(6, (30, Some(31)), Call::Get { key: 0 }, Some(list)));
    assert!(matches!(check(&history, &tiny).unwrap().verdict, Verdict::Unknown { .. }));
    let mut wrong = get(7, (40, 41), Some(9));
    wrong.call = Call::Get { key: 1 };
    history.push(wrong);
    assert!(matches!(check(&history, &tiny).unwrap().verdict, Verdict::Illegal(_)));
    let stopped = check_model(&Kv, &history[..1], &tiny, &mut || true).unwrap();
    assert!(matches!(stopped.verdict, Verdict::Ok { .. }));
}

/// Every history of up to 5 operations by 2 clients over reads and writes of 2 values, whatever
/// the answers: all shapes of overlap, all results, all choices of unknown outcomes.
#[test]
fn every_small_register_history_agrees_with_brute_force() {
    let (mut count, mut illegal) = (0, 0);
    let mut history = Vec::new();
    let mut judge = |history: &[Operation]| {
        count += 1;
        let expected = linearizable(&Kv, history);
        illegal += u64::from(!expected);
        let report = check(history, &Budget::default()).unwrap();
        assert_eq!(matches!(report.verdict, Verdict::Ok { .. }), expected, "{history:#?}");
        let part: Vec<&Operation> = history.iter().collect();
        let found = search(&part, &mut *Kv.space(&part), &Budget::default(), &mut || false).0;
        assert_eq!(matches!(found, Answer::Order(_)), expected, "{history:#?}");
    };
    extend(&mut history, [None, None], 0, 4, &mut judge);
    println!("{count} histories, {illegal} illegal");
    assert!(count > 100_000 && illegal * 100 >= count * 30, "{count} {illegal}");
}

/// Adds every possible next event: an invocation or an answer of either client.
fn extend(
    history: &mut Vec<Operation>,
    open: [Option<usize>; 2],
    clock: u64,
    left: usize,
    judge: &mut impl FnMut(&[Operation]),
) {
    // Whatever is open here has an unknown outcome.
    judge(history);
    for client in 0..2 {
        let mut next = open;
        if let Some(position) = next[client].take() {
            let get = matches!(history[position].call, Call::Get { .. });
            let answers: Vec<Reply> = if get {
                let values = [None, Some(vec![1]), Some(vec![2])];
                values.into_iter().map(|value| Reply::Value { value }).collect()
            } else {
                vec![Reply::Done]
            };
            for answer in answers {
                history[position].returned = Some(clock);
                history[position].reply = Some(answer);
                extend(history, next, clock + 1, left, judge);
                history[position].returned = None;
                history[position].reply = None;
            }
        } else if left > 0 {
            for call in [
                Call::Get { key: 0 },
                Call::Put { key: 0, value: 1 },
                Call::Put { key: 0, value: 2 },
            ] {
                let position = history.len();
                next[client] = Some(position);
                history.push(op(position as u64, (clock, None), call, None));
                extend(history, next, clock + 1, left - 1, judge);
                history.pop();
            }
        }
    }
}
