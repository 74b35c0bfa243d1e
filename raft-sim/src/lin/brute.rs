//! The checker against its brute-force twin.
//!
//! **Intuition.** Small histories, random ones and all of them, judged by everything that decides.
//! **Source.** Ours.
//! **Upholds.** `inv:linearizable`.
//! **Not here.** The twin itself (`twin.rs`).

use super::{
    Budget, How, Verdict, Witness, check, check_model,
    history::Operation,
    models::kv::Kv,
    twin::{self, Subject, Tally, campaign},
};
use crate::workload::kv::{Call, Reply};

#[test]
fn random_small_histories_of_every_model_agree_with_brute_force() {
    let runs = 8_000;
    let mut all = Tally::default();
    for (seed, subject) in Subject::ALL.into_iter().enumerate() {
        let tally = campaign(subject, seed as u64, runs).unwrap_or_else(|differs| {
            panic!("{}: {differs}", subject.name());
        });
        let Tally { histories, illegal, unknown } = tally;
        let name = subject.name();
        println!(
            "{name}: {histories} histories, {illegal} illegal, {unknown} with an unknown outcome"
        );
        assert!(illegal * 100 >= runs * 20 && illegal * 100 <= runs * 80, "{name}: {illegal}");
        all.add(tally);
    }
    assert!(all.illegal * 100 >= all.histories * 30, "{all:?}");
    assert!(all.unknown * 100 >= all.histories * 20, "{all:?}");
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

/// A dead write can be buried by an overwrite of unknown outcome that leaves the state as it was.
#[test]
fn an_unknown_delete_buries_a_write_that_nobody_saw() {
    let delete = op(2, (3, None), Call::Delete { key: 0 }, None);
    let append = op(1, (2, Some(4)), Call::Append { key: 0, value: 0 }, Some(Reply::Done));
    let history = [put(0, (1, 5), 1), append, delete, get(3, (6, 7), Some(0))];
    assert_eq!(twin::compare(&Kv, &history), Ok(true));
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

#[test]
fn every_small_register_history_agrees_with_brute_force() {
    let tally = twin::every_register_history(4).unwrap_or_else(|differs| panic!("{differs}"));
    println!("{tally:?}");
    assert!(tally.histories > 35_000 && tally.illegal * 100 >= tally.histories * 30, "{tally:?}");
}
