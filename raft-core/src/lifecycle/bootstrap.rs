//! Bootstrap: founding a group on an empty disk.
//!
//! **Intuition.** TODO-header
//! **Source.** SEEDS.
//! **Upholds.** `inv:election-safety`.
//! **Not here.** Boot (`storage/recover.rs`).

use crate::{
    Node,
    config::Configuration,
    error::Rejected,
    settings::Settings,
    types::{LogPosition, StageId},
};

/// What a group is born with.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Bootstrap {
    /// The members.
    pub configuration: Configuration,
    /// Where its log begins: after a synthetic snapshot here. Usually 1/1.
    pub position: LogPosition,
    /// The group's settings; `None` takes them from the options.
    pub settings: Option<Settings>,
    /// The machine's first data, staged by the driver; `None` for an empty machine.
    pub stage: Option<StageId>,
    /// Digest of that data; part of the cluster's identity.
    pub digest: u64,
    /// Bytes of that data.
    pub size_bytes: u64,
}

/// Why a bootstrap was refused. Definite: nothing changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BootstrapError {
    /// The node already belongs to a group.
    AlreadyBootstrapped,
}

impl Node {
    pub(crate) fn on_bootstrap(&mut self, _bootstrap: Bootstrap) -> Result<(), Rejected> {
        Err(Rejected::Placeholder)
    }
}
