//! Mistakes planted in the checker's own algorithms, for its tests.
//!
//! **Intuition.** A comparison that never found anything has shown nothing. Each of these turns one
//! line of an algorithm wrong, and the comparison with brute force must notice. Outside of tests
//! none can be switched on and nothing of them is left.
//! **Source.** Mutation testing; B-108 and B-109 are in `flaws.rs`.
//! **Upholds.** `inv:linearizable` (its checker's tests).
//! **Not here.** Mistakes that can be made from outside (`flaws.rs`).

/// One line that is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mistake {
    /// A value held at one moment may lie inside the time another is held for certain.
    BackwardZonesFree,
    /// Two values of a queue may change places.
    QueueOrderFree,
    /// A dequeue may find nothing whatever is inside.
    QueueAlwaysMaybeEmpty,
    /// A completed addition that no read has may come before reads.
    HiddenAddsFree,
    /// Transactions may change places in time.
    TransactionsOutOfTime,
    /// The stream takes any two sets of used unknown outcomes for comparable.
    StreamCoversTooMuch,
    /// The search does.
    SearchCoversTooMuch,
    /// Only unknown outcomes that help at once are ever used.
    OnlyHelpAtOnce,
}

#[cfg(test)]
mod switch {
    use core::cell::Cell;

    use super::Mistake;

    thread_local! {
        static PLANTED: Cell<Option<Mistake>> = const { Cell::new(None) };
    }

    pub(in crate::lin) fn planted(mistake: Mistake) -> bool {
        PLANTED.get() == Some(mistake)
    }

    /// Runs `work` with `mistake` planted.
    pub(in crate::lin) fn with<T>(mistake: Mistake, work: impl FnOnce() -> T) -> T {
        PLANTED.set(Some(mistake));
        let done = work();
        PLANTED.set(None);
        done
    }
}

#[cfg(test)]
pub(super) use switch::{planted, with};

/// Nothing is planted outside of tests.
#[cfg(not(test))]
pub(super) const fn planted(_mistake: Mistake) -> bool {
    false
}

#[test]
fn every_planted_line_is_noticed_by_the_comparison() {
    use crate::lin::twin::{Subject, campaign};
    for (mistake, subject, decider) in [
        (Mistake::BackwardZonesFree, Subject::Register, "the pipeline"),
        (Mistake::QueueOrderFree, Subject::Queue, "the pipeline"),
        (Mistake::QueueAlwaysMaybeEmpty, Subject::Queue, "the pipeline"),
        (Mistake::HiddenAddsFree, Subject::SetWhole, "the pipeline"),
        (Mistake::TransactionsOutOfTime, Subject::ListAppend, "the pipeline"),
        (Mistake::StreamCoversTooMuch, Subject::Kv, "the stream"),
        (Mistake::SearchCoversTooMuch, Subject::Kv, "the search over plain states"),
        (Mistake::OnlyHelpAtOnce, Subject::Kv, "the search over plain states"),
    ] {
        let found = with(mistake, || campaign(subject, 77, 60_000));
        let differs = found.expect_err(&format!("{mistake:?} is not noticed"));
        assert_eq!(differs.decider, decider, "{mistake:?}");
    }
}
