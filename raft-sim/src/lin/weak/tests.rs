//! The weaker levels against their definitions, read literally.

use std::collections::BTreeSet;

use super::{session::Promises, *};
use crate::{
    lin::{generate::Dice, models::kv::Kv, twin},
    workload::kv::{Call, Reply},
};

/// A random history of reads and writes with values of their own, of up to three clients and two
/// keys. Writes of unknown outcome end their client.
fn draw(dice: &mut Dice) -> Vec<Operation> {
    let clients = 1 + dice.below(3);
    let mut ids: Vec<u64> = (0..clients).collect();
    let mut fresh = clients;
    let (mut history, mut values): (Vec<Operation>, Vec<u64>) = (Vec::new(), vec![0]);
    for op in 0..2 + dice.below(6) {
        let client = dice.below(clients) as usize;
        let key = dice.below(2) as u32;
        let invoked = op * 10;
        let mut returned = Some(op * 10 + 5);
        let (call, mut reply) = if values.len() < 5 && dice.one_in(2) {
            let value = values.len() as u64;
            values.push(value);
            (Call::Put { key, value }, Some(Reply::Done))
        } else {
            // Also values of the other key, and ones that come later.
            let value = dice.below(values.len() as u64 + 1);
            let value = (value > 0).then(|| vec![value]);
            (Call::Get { key }, Some(Reply::Value { value }))
        };
        let id = ids[client];
        if dice.one_in(8) {
            (returned, reply) = (None, None);
            ids[client] = fresh;
            fresh += 1;
        }
        history.push(Operation { op, client: id, invoked, returned, call, reply, index: None });
    }
    history
}

/// One order of all, each client's in its own, tried one by one.
fn sequential(history: &[Operation]) -> bool {
    fn rest(history: &[Operation], placed: &mut [bool], states: &mut [Option<Vec<u64>>]) -> bool {
        if history.iter().zip(&*placed).all(|(op, placed)| *placed || op.returned.is_none()) {
            return true;
        }
        for next in 0..history.len() {
            let operation = &history[next];
            let waits = |other: usize| {
                !placed[other]
                    && history[other].client == operation.client
                    && history[other].invoked < operation.invoked
            };
            if placed[next] || (0..history.len()).any(waits) {
                continue;
            }
            let key = Kv.key(&operation.call) as usize;
            let before = states[key].clone();
            if Kv.apply(&mut states[key], &operation.call, operation.reply.as_ref()) {
                placed[next] = true;
                if rest(history, placed, states) {
                    return true;
                }
                placed[next] = false;
            }
            states[key] = before;
        }
        false
    }
    rest(history, &mut vec![false; history.len()], &mut [None, None])
}

#[test]
fn sequential_consistency_agrees_with_trying_every_order() {
    let mut dice = Dice::new(41);
    let (mut legal, mut illegal, mut weaker) = (0, 0, 0);
    for round in 0..20_000 {
        let history =
            if round % 2 == 0 { draw(&mut dice) } else { twin::random_kv(&mut dice, 7, round % 4) };
        let expected = sequential(&history);
        let report =
            check_level(&Kv, &history, Level::Sequential, &Budget::default(), &mut || false)
                .unwrap();
        assert_eq!(matches!(report.verdict, Verdict::Ok { .. }), expected, "{history:#?}");
        if let Verdict::Illegal(found) = &report.verdict {
            assert!(found.ops.contains(&found.stuck) && !found.prefix.contains(&found.stuck));
        }
        weaker += u64::from(expected && !twin::linearizable(&Kv, &history));
        if expected { legal += 1 } else { illegal += 1 }
    }
    assert!(legal > 2_000 && illegal > 2_000 && weaker > 500, "{legal} {illegal} {weaker}");
}

/// The definition: some order of all writes, and for each read the least set of visible writes
/// that the guarantees ask for, grown until nothing changes.
fn keeps(history: &[Operation], promises: Promises) -> bool {
    let write = |op: &Operation| matches!(op.call, Call::Put { .. });
    let key = |at: usize| Kv.key(&history[at].call);
    let saw = |at: usize| match &history[at].reply {
        Some(Reply::Value { value: Some(list) }) => Some((0..history.len()).find(|&other| {
            key(other) == key(at)
                && matches!(history[other].call, Call::Put { value, .. } if value == list[0])
        })),
        _ => None,
    };
    let before = |a: usize, b: usize| {
        history[a].client == history[b].client && history[a].invoked < history[b].invoked
    };
    let all = 0..history.len();
    let answered = |at: usize| !write(&history[at]) && history[at].reply.is_some();
    if all.clone().any(|at| answered(at) && saw(at) == Some(None)) {
        return false;
    }
    let saw = |at: usize| saw(at).flatten();
    // Nothing comes from one's own future.
    let mut leads: BTreeSet<(usize, usize)> = BTreeSet::new();
    for a in all.clone() {
        for b in all.clone() {
            if before(a, b) || (answered(b) && saw(b) == Some(a)) {
                leads.insert((a, b));
            }
        }
    }
    for _ in all.clone() {
        for (a, b) in leads.clone() {
            for (c, d) in leads.clone() {
                if b == c {
                    leads.insert((a, d));
                }
            }
        }
    }
    if all.clone().any(|at| leads.contains(&(at, at))) {
        return false;
    }
    let writes: Vec<usize> = all.clone().filter(|&at| write(&history[at])).collect();
    let reads: Vec<usize> = all.filter(|&at| answered(at)).collect();
    let visible = |read: usize| {
        let mut set: BTreeSet<usize> = saw(read).into_iter().collect();
        for &earlier in reads.iter().filter(|&&earlier| promises.reads && before(earlier, read)) {
            set.extend(saw(earlier));
        }
        set.extend(writes.iter().filter(|&&own| promises.own && before(own, read)));
        loop {
            let mut more = set.clone();
            for &seen in &set {
                more.extend(writes.iter().filter(|&&own| promises.writes && before(own, seen)));
                let earlier = reads.iter().filter(|&&read| promises.follow && before(read, seen));
                more.extend(earlier.filter_map(|&read| saw(read)));
            }
            if more == set {
                return set;
            }
            set = more;
        }
    };
    let fits = |order: &[usize]| {
        let place = |write: usize| order.iter().position(|&at| at == write);
        let writes_in_order = !promises.writes
            || writes.iter().all(|&a| writes.iter().all(|&b| !before(a, b) || place(a) < place(b)));
        let follow = !promises.follow
            || reads.iter().all(|&read| {
                writes.iter().all(|&b| {
                    !before(read, b) || saw(read).is_none_or(|seen| place(seen) < place(b))
                })
            });
        writes_in_order
            && follow
            && reads.iter().all(|&read| {
                let last = visible(read)
                    .into_iter()
                    .filter(|&write| key(write) == key(read))
                    .max_by_key(|&write| place(write));
                last == saw(read)
            })
    };
    permutations(writes.clone(), &fits)
}

fn permutations(mut items: Vec<usize>, fits: &impl Fn(&[usize]) -> bool) -> bool {
    fn go(items: &mut Vec<usize>, from: usize, fits: &impl Fn(&[usize]) -> bool) -> bool {
        if from == items.len() {
            return fits(items);
        }
        for at in from..items.len() {
            items.swap(from, at);
            if go(items, from + 1, fits) {
                return true;
            }
            items.swap(from, at);
        }
        false
    }
    go(&mut items, 0, fits)
}

#[test]
fn session_guarantees_agree_with_their_definition() {
    let mut dice = Dice::new(43);
    let mut broken = [0_u64; 7];
    for _ in 0..6_000 {
        let history = draw(&mut dice);
        for (number, &level) in Level::ALL.iter().enumerate().skip(2) {
            let only = Promises::default();
            let promises = match level {
                Level::Session => Promises { reads: true, writes: true, own: true, follow: true },
                Level::MonotonicReads => Promises { reads: true, ..only },
                Level::MonotonicWrites => Promises { reads: true, writes: true, ..only },
                Level::ReadYourWrites => Promises { own: true, ..only },
                _ => Promises { reads: true, follow: true, ..only },
            };
            let expected = keeps(&history, promises);
            let report =
                check_level(&Kv, &history, level, &Budget::default(), &mut || false).unwrap();
            let kept = matches!(report.verdict, Verdict::Ok { .. });
            assert_eq!(kept, expected, "{level:?} {history:#?}");
            broken[number] += u64::from(!kept);
        }
    }
    println!("{broken:?}");
    assert!(broken[2..].iter().all(|&count| (600..5_400).contains(&count)), "{broken:?}");
}

/// Each level on its own textbook case: kept by everything weaker, broken from there on.
#[test]
fn the_levels_differ_where_they_should() {
    let op = |op: u64, client: u64, call: Call, reply: Reply| Operation {
        op,
        client,
        invoked: op * 10,
        returned: Some(op * 10 + 5),
        call,
        reply: Some(reply),
        index: None,
    };
    let put = |n, client, key, value| op(n, client, Call::Put { key, value }, Reply::Done);
    let get = |n, client, key, value: u64| {
        let value = (value > 0).then(|| vec![value]);
        op(n, client, Call::Get { key }, Reply::Value { value })
    };
    let broken = |history: &[Operation]| -> Vec<&str> {
        let breaks = |level: &&Level| {
            let budget = Budget::default();
            let report = check_level(&Kv, history, **level, &budget, &mut || false).unwrap();
            matches!(report.verdict, Verdict::Illegal(_))
        };
        Level::ALL.iter().filter(breaks).map(|level| level.name()).collect()
    };
    let stale_elsewhere = [put(0, 0, 0, 1), get(1, 1, 0, 0)];
    assert_eq!(broken(&stale_elsewhere), ["linearizable"]);
    let own_write_lost = [put(0, 0, 0, 1), get(1, 0, 0, 0)];
    assert_eq!(
        broken(&own_write_lost),
        ["linearizable", "sequential", "session", "read-your-writes"]
    );
    let back = [put(0, 0, 0, 1), get(1, 1, 0, 1), get(2, 1, 0, 0)];
    let all_but_own = [
        "linearizable",
        "sequential",
        "session",
        "monotonic-reads",
        "monotonic-writes",
        "writes-follow-reads",
    ];
    assert_eq!(broken(&back), all_but_own);
    let second_without_first = [put(0, 0, 0, 1), put(1, 0, 1, 2), get(2, 1, 1, 2), get(3, 1, 0, 0)];
    assert_eq!(
        broken(&second_without_first),
        ["linearizable", "sequential", "session", "monotonic-writes"]
    );
    let answer_without_question =
        [put(0, 0, 0, 1), get(1, 1, 0, 1), put(2, 1, 1, 2), get(3, 2, 1, 2), get(4, 2, 0, 0)];
    assert_eq!(
        broken(&answer_without_question),
        ["linearizable", "sequential", "session", "writes-follow-reads"]
    );
    let crosswise = [put(0, 0, 0, 1), get(1, 0, 1, 0), put(2, 1, 1, 2), get(3, 1, 0, 0)];
    assert_eq!(broken(&crosswise), ["linearizable", "sequential"]);
}

#[test]
fn what_a_level_cannot_judge_is_refused() {
    let op = |op, client, call: Call, reply| Operation {
        op,
        client,
        invoked: op * 10,
        returned: Some(op * 10 + 15),
        call,
        reply: Some(reply),
        index: None,
    };
    let append = [op(0, 0, Call::Append { key: 0, value: 1 }, Reply::Done)];
    let judge = |history: &[Operation], level| {
        check_level(&Kv, history, level, &Budget::default(), &mut || false).unwrap_err()
    };
    assert_eq!(judge(&append, Level::MonotonicReads), HistoryError::NotARegister { op: 0 });
    let put = |n, client| op(n, client, Call::Put { key: 0, value: 1 }, Reply::Done);
    let twice = [put(0, 0), put(1, 1)];
    assert_eq!(judge(&twice, Level::Session), HistoryError::NotARegister { op: 1 });
    let overlap = HistoryError::ClientOverlaps { client: 0, op: 0, other: 1 };
    assert_eq!(judge(&[put(0, 0), put(1, 0)], Level::Sequential), overlap);
}
