//! Worker threads over numbered pieces of work, with results handed back in order.
//!
//! **Intuition.** Each run is a function of its seed, so threads may do them in any order; whoever
//! adds the results up sees them as if one thread had done all. A worker may be at most a window
//! ahead of the oldest unfinished piece, so nothing piles up behind a slow run.
//! **Source.** Ours; threads live here and nowhere else.
//! **Upholds.** `inv:pure`: a campaign does not depend on the number of jobs.
//! **Not here.** What a piece of work is (`trial.rs`), sums (`report/summary.rs`).

use std::{
    collections::BTreeMap,
    ops::ControlFlow,
    sync::{Condvar, Mutex, MutexGuard, PoisonError, mpsc},
    thread,
};

/// Pieces a worker may be ahead of the oldest unfinished one, per job.
const WINDOW_PER_JOB: u64 = 64;

#[derive(Debug, Default)]
struct Desk {
    next: u64,
    taken: u64,
    closed: bool,
}

/// Does `work(0)`, `work(1)`, … below `count` on `jobs` threads and gives each result to `take` in
/// that order on the calling thread, until it breaks or the numbers end. Results beyond a break
/// are thrown away. `count` is `None` for "until `take` breaks".
pub fn in_order<T: Send>(
    jobs: usize,
    count: Option<u64>,
    work: impl Fn(u64) -> T + Sync,
    mut take: impl FnMut(u64, T) -> ControlFlow<()>,
) {
    let jobs = jobs.max(1);
    let window = WINDOW_PER_JOB * jobs as u64;
    let desk = Mutex::new(Desk::default());
    let moved = Condvar::new();
    let (sender, results) = mpsc::sync_channel(jobs * 2);

    thread::scope(|scope| {
        for _ in 0..jobs {
            let (sender, desk, moved, work) = (sender.clone(), &desk, &moved, &work);
            scope.spawn(move || {
                let _guard = CloseOnPanic { desk, moved };
                while let Some(number) = draw(desk, moved, count, window) {
                    if sender.send((number, work(number))).is_err() {
                        return;
                    }
                }
            });
        }
        drop(sender);

        let mut early = BTreeMap::new();
        let mut due = 0;
        'results: for (number, result) in &results {
            early.insert(number, result);
            while let Some(result) = early.remove(&due) {
                let flow = take(due, result);
                due += 1;
                let mut desk = lock(&desk);
                desk.taken = due;
                desk.closed |= flow.is_break();
                drop(desk);
                moved.notify_all();
                if flow.is_break() {
                    break 'results;
                }
            }
        }
        // Workers blocked on a full channel see it closed and leave.
        drop(results);
    });
}

fn draw(desk: &Mutex<Desk>, moved: &Condvar, count: Option<u64>, window: u64) -> Option<u64> {
    let mut desk = lock(desk);
    loop {
        if desk.closed || count.is_some_and(|count| desk.next >= count) {
            return None;
        }
        if desk.next < desk.taken + window {
            desk.next += 1;
            return Some(desk.next - 1);
        }
        desk = moved.wait(desk).unwrap_or_else(PoisonError::into_inner);
    }
}

fn lock(desk: &Mutex<Desk>) -> MutexGuard<'_, Desk> {
    desk.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Lets the other workers leave when one panics, so that the panic surfaces instead of a hang.
struct CloseOnPanic<'a> {
    desk: &'a Mutex<Desk>,
    moved: &'a Condvar,
}

impl Drop for CloseOnPanic<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            lock(self.desk).closed = true;
            self.moved.notify_all();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::ops::ControlFlow;

    use super::in_order;

    fn collect(jobs: usize, stop_at: u64) -> Vec<(u64, u64)> {
        let mut seen = Vec::new();
        in_order(
            jobs,
            Some(1_000),
            |n| (0..(n * 7919) % 997).fold(n, |sum, i| sum.wrapping_mul(31) ^ i),
            |n, result| {
                seen.push((n, result));
                if n == stop_at { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            },
        );
        seen
    }

    #[test]
    fn the_number_of_jobs_changes_nothing() {
        let one = collect(1, 5_000);
        assert_eq!(one.len(), 1_000);
        assert_eq!(collect(4, 5_000), one);
    }

    #[test]
    fn a_break_ends_at_the_same_piece_whatever_was_under_way() {
        let one = collect(1, 321);
        assert_eq!(one.len(), 322);
        assert_eq!(collect(3, 321), one);
    }

    #[test]
    fn an_endless_source_ends_by_a_break() {
        let mut last = 0;
        in_order(
            2,
            None,
            |n| n,
            |_, n| {
                last = n;
                if n == 500 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            },
        );
        assert_eq!(last, 500);
    }
}
