//! Local tunables of one node, their defaults and the reasons for them.
//!
//! **Intuition.** Everything a deployment may want to turn is here, in nanoseconds, bytes and
//! counts; every relation between two of them is checked once, and no bad value is replaced
//! silently.
//! **Source.** Thesis §9.1 (timeouts), §10.2 (batching, pipelining), §6.2 (check-quorum).
//! **Upholds.** `inv:bounded`.
//! **Not here.** Membership (`config/`), replicated settings.

use core::fmt;

const MILLISECOND: u64 = 1_000_000;

/// Tunables of one node. Build with [`Options::default`] and change fields.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Options {
    /// Shortest election timeout. Default 150 ms: at least ten one-way delays of a slow local
    /// network (thesis §9.1).
    pub election_min_ns: u64,
    /// Longest election timeout. Default 300 ms: `[T, 2T]` keeps split votes rare.
    pub election_max_ns: u64,
    /// Heartbeat period of a leader. Default 50 ms: three tries within the shortest timeout.
    pub heartbeat_ns: u64,
    /// Ask before raising the term (thesis §9.6). Default on.
    pub pre_vote: bool,
    /// A leader that hears from no quorum for `check_quorum_ns` steps down, and voters that hear
    /// from a leader ignore vote requests (thesis §6.2, §4.2.3). Default on.
    pub check_quorum: bool,
    /// Longest time a leader goes on without answers from a quorum. Default 300 ms.
    pub check_quorum_ns: u64,
    /// Most appends on their way to one peer. Default 64.
    pub inflight_messages_max: u32,
    /// Most payload bytes on their way to one peer. Default 4 MiB.
    pub inflight_bytes_max: u64,
    /// Most entries in one append. Default 4,096.
    pub append_entries_max: u64,
    /// Most payload bytes in one append; one entry always goes. Default 1 MiB.
    pub append_bytes_max: u64,
    /// Persists open at once. Default 4: enough to keep a disk busy, few enough to group.
    pub persist_inflight_max: u32,
    /// Most entries handed to apply and not yet applied. Default 4,096.
    pub apply_inflight_entries_max: u64,
    /// Most payload bytes handed to apply and not yet applied; the entry that reaches it still
    /// goes. Default 4 MiB.
    pub apply_inflight_bytes_max: u64,
    /// Most entries held in memory. Default 65,536.
    pub tail_entries_max: u64,
    /// Most payload bytes held in memory. Default 16 MiB.
    pub tail_bytes_max: u64,
    /// Largest payload of one proposal. Default 1 MiB.
    pub entry_bytes_max: u64,
    /// Most proposals accepted here and not yet applied here. Default 65,536.
    pub proposals_max: u64,
    /// Most open reads. Default 5,000.
    pub reads_max: u32,
    /// After losing leadership, how long an accepted proposal may stay open before it ends as
    /// unknown. Default 1 s.
    pub pending_after_loss_ns: u64,
    /// How long a new commit index waits for an append to ride on before it is told by itself; 0
    /// tells it at once. Default 5 ms.
    pub commit_notice_ns: u64,
    /// Most distinct terms in the log. Default 65,536 (1 MiB of index).
    pub term_runs_max: u32,
    /// Report the reasons of decisions as `Note` outputs. Default off.
    pub notes: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            election_min_ns: 150 * MILLISECOND,
            election_max_ns: 300 * MILLISECOND,
            heartbeat_ns: 50 * MILLISECOND,
            pre_vote: true,
            check_quorum: true,
            check_quorum_ns: 300 * MILLISECOND,
            inflight_messages_max: 64,
            inflight_bytes_max: 4 << 20,
            append_entries_max: 4_096,
            append_bytes_max: 1 << 20,
            persist_inflight_max: 4,
            apply_inflight_entries_max: 4_096,
            apply_inflight_bytes_max: 4 << 20,
            tail_entries_max: 65_536,
            tail_bytes_max: 16 << 20,
            entry_bytes_max: 1 << 20,
            proposals_max: 65_536,
            reads_max: 5_000,
            pending_after_loss_ns: 1_000 * MILLISECOND,
            commit_notice_ns: 5 * MILLISECOND,
            term_runs_max: 65_536,
            notes: false,
        }
    }
}

/// A relation between tunables that does not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum OptionsError {
    /// `heartbeat_ns` must be above 0 and below `election_min_ns`.
    Heartbeat,
    /// `election_min_ns` must be at most `election_max_ns`, and that below 2^62.
    ElectionTimeout,
    /// `check_quorum_ns` must be at least `election_min_ns`.
    CheckQuorum,
    /// The named limit must be above 0.
    Zero(&'static str),
    /// `entry_bytes_max` must be at most `tail_bytes_max`, or an accepted entry could never be
    /// held.
    EntryAboveTail,
    /// `append_entries_max` must be at most `tail_entries_max`.
    AppendAboveTail,
}

impl fmt::Display for OptionsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Heartbeat => f.write_str("heartbeat_ns must be in 1..election_min_ns"),
            Self::ElectionTimeout => {
                f.write_str("election_min_ns must be at most election_max_ns, below 2^62")
            }
            Self::CheckQuorum => f.write_str("check_quorum_ns must be at least election_min_ns"),
            Self::Zero(name) => write!(f, "{name} must be above 0"),
            Self::EntryAboveTail => f.write_str("entry_bytes_max must be at most tail_bytes_max"),
            Self::AppendAboveTail => {
                f.write_str("append_entries_max must be at most tail_entries_max")
            }
        }
    }
}

impl core::error::Error for OptionsError {}

impl Options {
    /// Checks every relation.
    ///
    /// # Errors
    /// The first relation that does not hold.
    pub fn validate(&self) -> Result<(), OptionsError> {
        let limits = [
            ("inflight_messages_max", u64::from(self.inflight_messages_max)),
            ("inflight_bytes_max", self.inflight_bytes_max),
            ("append_entries_max", self.append_entries_max),
            ("append_bytes_max", self.append_bytes_max),
            ("persist_inflight_max", u64::from(self.persist_inflight_max)),
            ("apply_inflight_entries_max", self.apply_inflight_entries_max),
            ("apply_inflight_bytes_max", self.apply_inflight_bytes_max),
            ("tail_entries_max", self.tail_entries_max),
            ("tail_bytes_max", self.tail_bytes_max),
            ("entry_bytes_max", self.entry_bytes_max),
            ("proposals_max", self.proposals_max),
            ("reads_max", u64::from(self.reads_max)),
            ("term_runs_max", u64::from(self.term_runs_max)),
        ];
        if let Some((name, _)) = limits.iter().find(|(_, value)| *value == 0) {
            return Err(OptionsError::Zero(name));
        }
        if self.election_min_ns > self.election_max_ns || self.election_max_ns >= 1 << 62 {
            return Err(OptionsError::ElectionTimeout);
        }
        if self.heartbeat_ns == 0 || self.heartbeat_ns >= self.election_min_ns {
            return Err(OptionsError::Heartbeat);
        }
        if self.check_quorum_ns < self.election_min_ns {
            return Err(OptionsError::CheckQuorum);
        }
        if self.entry_bytes_max > self.tail_bytes_max {
            return Err(OptionsError::EntryAboveTail);
        }
        if self.append_entries_max > self.tail_entries_max {
            return Err(OptionsError::AppendAboveTail);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_hold_and_each_relation_is_checked() {
        assert_eq!(Options::default().validate(), Ok(()));
        let broken = |change: fn(&mut Options)| {
            let mut options = Options::default();
            change(&mut options);
            options.validate().unwrap_err()
        };
        assert_eq!(broken(|o| o.heartbeat_ns = o.election_min_ns), OptionsError::Heartbeat);
        assert_eq!(broken(|o| o.heartbeat_ns = 0), OptionsError::Heartbeat);
        assert_eq!(broken(|o| o.election_max_ns = 1), OptionsError::ElectionTimeout);
        assert_eq!(broken(|o| o.check_quorum_ns = 1), OptionsError::CheckQuorum);
        assert_eq!(broken(|o| o.reads_max = 0), OptionsError::Zero("reads_max"));
        assert_eq!(broken(|o| o.entry_bytes_max = u64::MAX), OptionsError::EntryAboveTail);
        assert_eq!(broken(|o| o.append_entries_max = u64::MAX), OptionsError::AppendAboveTail);
    }
}
