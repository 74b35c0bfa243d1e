//! Local tunables of one node, their defaults and the reasons for them.
//!
//! **Intuition.** Everything a deployment may want to turn is here, in nanoseconds, bytes and
//! counts; every relation between two of them is checked once, and no bad value is replaced
//! silently.
//! **Source.** Thesis §9.1 (timeouts), §10.2 (batching, pipelining), §6.2 (check-quorum).
//! **Upholds.** `inv:bounded`.
//! **Not here.** Membership (`config/`), replicated settings.

use alloc::sync::Arc;
use core::fmt;

use crate::settings::Settings;

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
    /// Serve reads by lease where asked for (thesis §6.4.1). Default off: it trusts clocks.
    pub lease: bool,
    /// Bound on each clock's rate error in millionths, for leases. Default 1,000 (0.1 %), ten
    /// times what a quartz drifts.
    pub clock_error_ppm: u32,
    /// Send a witness an entry only after a data voter other than the leader acknowledged it.
    /// Default off: with it, two data voters and a witness cannot write while one of the two is
    /// down.
    pub witness_after_data_copy: bool,
    /// Most entries committed and not applied before proposals are refused. Default 65,536.
    pub apply_queue_entries_max: u64,
    /// Most payload bytes of such entries. Default 64 MiB.
    pub apply_queue_bytes_max: u64,
    /// The caller's number for what its machine is; a snapshot of another is refused. Default 0.
    pub machine_id: u64,
    /// Election priority from 0 to 10: timeouts are stretched by `10 / priority`; 0 never
    /// campaigns. Default 10.
    pub priority: u8,
    /// Whether this node may lead; changeable at run time. Default on.
    pub can_lead: bool,
    /// Keep proposals that arrive during an own candidacy until it is decided. Default off.
    pub buffer_while_candidate: bool,
    /// Most proposals waiting to be appended: of low priority, or buffered. Default 250.
    pub deferred_max: u32,
    /// Most payload bytes of those. Default 4 MiB.
    pub deferred_bytes_max: u64,
    /// How long low-priority proposals gather before they are appended; 0 appends them at the
    /// next settle. Default 0.
    pub batch_delay_ns: u64,
    /// As many low-priority proposals are appended without waiting any longer. Default 64.
    pub batch_max: u32,
    /// Take a snapshot when this many entries were applied since the last; 0 leaves it to
    /// `snapshot_growth`. Default 100,000.
    pub snapshot_entries: u64,
    /// Take a snapshot when the log's payload bytes above the last one exceed its size times this;
    /// 0 leaves it to `snapshot_entries`. Default 0.
    pub snapshot_growth: u32,
    /// Entries kept below the newest snapshot, so that a peer slightly behind needs no snapshot.
    /// Default 1,000.
    pub snapshot_keep_entries: u64,
    /// Entries kept for peers that are further behind, at most. Default 100,000.
    pub retained_entries_max: u64,
    /// How long to wait after a failed snapshot, or after a peer refused one. Default 1 s.
    pub snapshot_retry_ns: u64,
    /// Snapshots on their way to peers at once. Default 2.
    pub snapshot_sends_max: u32,
    /// How long a transfer of leadership may take. Default 300 ms: an election timeout.
    pub transfer_timeout_ns: u64,
    /// How many entries a peer may lack, in match and in apply, to count as ready for promotion or
    /// transfer. Default 5,000.
    pub ready_lag_max: u64,
    /// Without an answer for this long a peer is probed, at growing distances. Default 300 ms:
    /// twice the shortest election timeout.
    pub request_timeout_ns: u64,
    /// Status says `lagging` above this many committed and unapplied entries. Default 5,000.
    pub lagging_entries: u64,
    /// Status says `stale` after this long without a leader. Default 30 s.
    pub stale_ns: u64,
    /// The newest protocol level this node speaks, for upgrades one node at a time: an entry kind
    /// of a later level stops it. Default [`Options::LEVEL_MAX`].
    pub level: u8,
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
            lease: false,
            clock_error_ppm: 1_000,
            witness_after_data_copy: false,
            apply_queue_entries_max: 65_536,
            apply_queue_bytes_max: 64 << 20,
            machine_id: 0,
            priority: 10,
            can_lead: true,
            buffer_while_candidate: false,
            deferred_max: 250,
            deferred_bytes_max: 4 << 20,
            batch_delay_ns: 0,
            batch_max: 64,
            snapshot_entries: 100_000,
            snapshot_growth: 0,
            snapshot_keep_entries: 1_000,
            retained_entries_max: 100_000,
            snapshot_retry_ns: 1_000 * MILLISECOND,
            snapshot_sends_max: 2,
            transfer_timeout_ns: 300 * MILLISECOND,
            ready_lag_max: 5_000,
            request_timeout_ns: 300 * MILLISECOND,
            lagging_entries: 5_000,
            stale_ns: 30_000 * MILLISECOND,
            level: Self::LEVEL_MAX,
        }
    }
}

/// Under a name of its own, or what is read would be borrowed for ever.
type LimitName = &'static str;

/// Reads the name of a limit back: one of those there are.
#[cfg(feature = "serde")]
fn limit_name<'de, D: serde::Deserializer<'de>>(from: D) -> Result<LimitName, D::Error> {
    one_of(Options::default().limits().map(|(name, _)| name), from)
}

/// Reads one of `names` back.
#[cfg(feature = "serde")]
pub(crate) fn one_of<'de, D: serde::Deserializer<'de>>(
    names: impl IntoIterator<Item = &'static str>,
    from: D,
) -> Result<&'static str, D::Error> {
    let found = <alloc::string::String as serde::Deserialize>::deserialize(from)?;
    let known = names.into_iter().find(|name| *name == found);
    known.ok_or_else(|| serde::de::Error::custom("no limit of this name"))
}

/// A relation between tunables that does not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum OptionsError {
    /// `heartbeat_ns` must be above 0 and below `election_min_ns`.
    Heartbeat,
    /// `election_min_ns` must be at most `election_max_ns`, and that below 2^62.
    ElectionTimeout,
    /// `check_quorum_ns` must be at least `election_min_ns`.
    CheckQuorum,
    /// The named limit must be above 0.
    Zero(#[cfg_attr(feature = "serde", serde(deserialize_with = "limit_name"))] LimitName),
    /// `entry_bytes_max` must be at most `tail_bytes_max`, or an accepted entry could never be
    /// held.
    EntryAboveTail,
    /// `append_entries_max` must be at most `tail_entries_max`.
    AppendAboveTail,
    /// `priority` must be at most 10.
    Priority,
    /// `clock_error_ppm` must be below 500,000: beyond that no lease is left.
    ClockError,
    /// A lease needs `check_quorum`: without it nobody promises anything.
    LeaseWithoutCheckQuorum,
    /// `level` is above [`Options::LEVEL_MAX`].
    Level,
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
            Self::Priority => f.write_str("priority must be at most 10"),
            Self::ClockError => f.write_str("clock_error_ppm must be below 500,000"),
            Self::LeaseWithoutCheckQuorum => f.write_str("a lease needs check_quorum"),
            Self::Level => write!(f, "level must be at most {}", Options::LEVEL_MAX),
        }
    }
}

impl core::error::Error for OptionsError {}

impl Options {
    /// The newest protocol level this version speaks.
    pub const LEVEL_MAX: u8 = 1;

    /// The replicated part, as a group is born with it.
    #[must_use]
    pub const fn settings(&self) -> Settings {
        Settings {
            version: 0,
            election_min_ns: self.election_min_ns,
            election_max_ns: self.election_max_ns,
            heartbeat_ns: self.heartbeat_ns,
            check_quorum_ns: self.check_quorum_ns,
            lease: self.lease,
            clock_error_ppm: self.clock_error_ppm,
            witness_after_data_copy: self.witness_after_data_copy,
            apply_queue_entries_max: self.apply_queue_entries_max,
            apply_queue_bytes_max: self.apply_queue_bytes_max,
        }
    }

    /// Takes over the group's settings. Options that say the same already stay shared.
    pub(crate) fn adopt_in(this: &mut Arc<Self>, settings: &Settings) {
        if (Settings { version: settings.version, ..this.settings() }) != *settings {
            Arc::make_mut(this).adopt(settings);
        }
    }

    /// The same for options that nobody shares.
    pub(crate) const fn adopt(&mut self, settings: &Settings) {
        self.election_min_ns = settings.election_min_ns;
        self.election_max_ns = settings.election_max_ns;
        self.heartbeat_ns = settings.heartbeat_ns;
        self.check_quorum_ns = settings.check_quorum_ns;
        self.lease = settings.lease;
        self.clock_error_ppm = settings.clock_error_ppm;
        self.witness_after_data_copy = settings.witness_after_data_copy;
        self.apply_queue_entries_max = settings.apply_queue_entries_max;
        self.apply_queue_bytes_max = settings.apply_queue_bytes_max;
    }

    /// Every limit that must be above 0, by name.
    fn limits(&self) -> [(&'static str, u64); 22] {
        [
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
            ("apply_queue_entries_max", self.apply_queue_entries_max),
            ("apply_queue_bytes_max", self.apply_queue_bytes_max),
            ("deferred_max", u64::from(self.deferred_max)),
            ("deferred_bytes_max", self.deferred_bytes_max),
            ("batch_max", u64::from(self.batch_max)),
            ("snapshot_retry_ns", self.snapshot_retry_ns),
            ("snapshot_sends_max", u64::from(self.snapshot_sends_max)),
            ("transfer_timeout_ns", self.transfer_timeout_ns),
            ("request_timeout_ns", self.request_timeout_ns),
        ]
    }

    /// Checks every relation.
    ///
    /// # Errors
    /// The first relation that does not hold.
    pub fn validate(&self) -> Result<(), OptionsError> {
        if let Some((name, _)) = self.limits().iter().find(|(_, value)| *value == 0) {
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
        if self.priority > 10 {
            return Err(OptionsError::Priority);
        }
        if self.clock_error_ppm >= 500_000 {
            return Err(OptionsError::ClockError);
        }
        if self.lease && !self.check_quorum {
            return Err(OptionsError::LeaseWithoutCheckQuorum);
        }
        if self.level > Self::LEVEL_MAX {
            return Err(OptionsError::Level);
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
        assert_eq!(broken(|o| o.priority = 11), OptionsError::Priority);
        assert_eq!(broken(|o| o.clock_error_ppm = 500_000), OptionsError::ClockError);
        let lease = |o: &mut Options| (o.lease, o.check_quorum) = (true, false);
        assert_eq!(broken(lease), OptionsError::LeaseWithoutCheckQuorum);
        assert_eq!(broken(|o| o.level = Options::LEVEL_MAX + 1), OptionsError::Level);
    }
}
