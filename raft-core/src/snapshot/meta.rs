//! The description of a snapshot: everything replicated that is not the machine's own bytes.
//!
//! **Intuition.** A snapshot stands in for a prefix of the log, so it must hold all that the prefix
//! decided: the last position, the configuration in force there, the clock, the group's settings.
//! No field is optional: a snapshot that forgets one forks the group.
//! **Source.** Thesis §5.1 (last included index, term and configuration); D-R4, D-Z9.
//! **Upholds.** `inv:snapshot-agrees`, `inv:configuration-safety`.
//! **Not here.** The machine's bytes (the driver's), when one is taken (`take.rs`).

use crate::{
    config::Configuration,
    settings::Settings,
    types::{LogIndex, LogPosition},
};

/// What a snapshot stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct SnapshotMeta {
    /// The last entry it covers.
    pub position: LogPosition,
    /// The configuration in force there.
    pub configuration: Configuration,
    /// The index of its entry.
    pub configuration_index: LogIndex,
    /// The group's settings in force there.
    pub settings: Settings,
    /// Stamp of the last entry.
    pub stamp: u64,
    /// Label of the last entry.
    pub label: u64,
    /// Which machine can read the data; the caller's number.
    pub machine_id: u64,
    /// Digest of the data, by the driver; 0 if there is none.
    pub digest: u64,
    /// Bytes of data; 0 if there is none.
    pub size_bytes: u64,
}

impl SnapshotMeta {
    /// A snapshot without data at `position`: what a group is born with.
    #[must_use]
    pub const fn empty(
        position: LogPosition,
        configuration: Configuration,
        settings: Settings,
        machine_id: u64,
    ) -> Self {
        Self {
            configuration_index: position.index,
            position,
            configuration,
            settings,
            stamp: 0,
            label: 0,
            machine_id,
            digest: 0,
            size_bytes: 0,
        }
    }

    /// [`SnapshotMeta::digest`] of a snapshot whose data is left out, because whom it is for keeps
    /// none. A machine that is really empty has digest 0.
    pub const WITHOUT_DATA: u64 = u64::MAX;

    /// Whether there is data to it somewhere, but not here: no machine can be made of it.
    #[must_use]
    pub const fn lacks_data(&self) -> bool {
        self.size_bytes == 0 && self.digest == Self::WITHOUT_DATA
    }

    /// The same without its data.
    #[must_use]
    pub fn without_data(mut self) -> Self {
        if self.size_bytes > 0 {
            self.size_bytes = 0;
            self.digest = Self::WITHOUT_DATA;
        }
        self
    }

    /// Index of the last entry it covers.
    #[must_use]
    pub const fn index(&self) -> LogIndex {
        self.position.index
    }
}
