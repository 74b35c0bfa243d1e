//! The only wall clock of the benches.

/// Runs `work` and returns how many nanoseconds it took.
#[expect(clippy::disallowed_types, clippy::disallowed_methods, reason = "a bench measures time")]
pub(crate) fn nanos(work: impl FnOnce()) -> u64 {
    let start = std::time::Instant::now();
    work();
    u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX)
}
