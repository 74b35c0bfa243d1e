//! The only clock of the benches: time that this thread spent on a processor.
//!
//! Whatever else runs on the machine, its turns are not counted; what it leaves in the caches is.

/// Runs `work` and returns how many nanoseconds of a processor it took.
#[cfg(unix)]
pub(crate) fn nanos(work: impl FnOnce()) -> u64 {
    let now = || {
        let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
        let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
        seconds * 1_000_000_000 + u64::try_from(time.tv_nsec).unwrap_or(0)
    };
    let start = now();
    work();
    now() - start
}

/// Runs `work` and returns how many nanoseconds passed; this system does not tell more.
#[cfg(not(unix))]
#[expect(clippy::disallowed_types, clippy::disallowed_methods, reason = "a bench measures time")]
pub(crate) fn nanos(work: impl FnOnce()) -> u64 {
    let start = std::time::Instant::now();
    work();
    u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX)
}
