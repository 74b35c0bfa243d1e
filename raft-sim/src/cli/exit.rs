//! Exit codes: what a shell, a bisect or a CI job may rely on.
//!
//! **Intuition.** One number must say what matters most. A broken harness must never look like a
//! bug, a bug never like a pass, and an empty campaign never like either.
//! **Source.** clap's 2, Jepsen's 1, nextest's 4; `git bisect run` aborts at 128 and above, so only
//! an interrupt goes there.
//! **Upholds.** —
//! **Not here.** Who decides (`fuzz/gate.rs`, each command).

use std::process::ExitCode;

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Exit {
    /// Everything passed and every gate was satisfied.
    Clean,
    /// A property was broken.
    Violation,
    /// A bad argument, or an input that cannot be read or understood.
    Usage,
    /// A checker ran out of budget and nothing worse happened.
    Inconclusive,
    /// Nothing ran, or what ran showed nothing.
    Vacuous,
    /// The same input gave two results: reproducers cannot be trusted.
    Nondeterminism,
    /// The simulator itself failed, or the operating system refused a read or a write.
    Internal,
    /// Stopped by SIGINT after a valid partial report.
    Interrupted,
    /// Stopped by SIGTERM after a valid partial report.
    Terminated,
}

impl Exit {
    /// From least to most urgent: the order in which one code hides another.
    const PRECEDENCE: [Self; 9] = [
        Self::Clean,
        Self::Vacuous,
        Self::Inconclusive,
        Self::Violation,
        Self::Nondeterminism,
        Self::Internal,
        Self::Usage,
        Self::Interrupted,
        Self::Terminated,
    ];

    /// The number a shell sees.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Clean => 0,
            Self::Violation => 1,
            Self::Usage => 2,
            Self::Inconclusive => 3,
            Self::Vacuous => 4,
            Self::Nondeterminism => 5,
            Self::Internal => 6,
            Self::Interrupted => 130,
            Self::Terminated => 143,
        }
    }

    /// Name in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Clean => "clean",
            Self::Violation => "violation",
            Self::Usage => "usage",
            Self::Inconclusive => "inconclusive",
            Self::Vacuous => "vacuous",
            Self::Nondeterminism => "nondeterminism",
            Self::Internal => "internal",
            Self::Interrupted => "interrupted",
            Self::Terminated => "terminated",
        }
    }

    /// The more urgent of the two.
    #[must_use]
    pub fn worse(self, other: Self) -> Self {
        if other.rank() > self.rank() { other } else { self }
    }

    fn rank(self) -> usize {
        Self::PRECEDENCE.iter().position(|&exit| exit == self).unwrap_or(0)
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

#[cfg(test)]
mod tests {
    use super::Exit;

    #[test]
    fn the_more_urgent_code_hides_the_other() {
        // 2 > 6 > 5 > 1 > 3 > 4 > 0, and an interrupt is always told.
        let order = [143_u8, 130, 2, 6, 5, 1, 3, 4, 0];
        let mut by_rank = Exit::PRECEDENCE;
        by_rank.reverse();
        assert_eq!(by_rank.map(Exit::code), order);
        for (i, &urgent) in by_rank.iter().enumerate() {
            for &other in &by_rank[i..] {
                assert_eq!(urgent.worse(other), urgent);
                assert_eq!(other.worse(urgent), urgent);
            }
        }
    }
}
