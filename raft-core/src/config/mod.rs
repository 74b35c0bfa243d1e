//! Membership: who votes.
//!
//! **Intuition.** Every count in Raft (votes, acknowledgements, read rounds) asks one question:
//! is this set a quorum of the configuration in force? All of them ask it here, so that richer
//! configurations change this folder and nothing else.
//! **Source.** Thesis §3.4 (majority of all voters, not of the reachable ones).
//! **Upholds.** `inv:election-safety`, `inv:committed-durable`.
//! **Not here.** Changing membership; learners and joint configurations.

pub(crate) mod quorum;

use alloc::vec::Vec;
use core::fmt;

use crate::types::NodeId;

/// The voters of a group.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(try_from = "Vec<NodeId>", into = "Vec<NodeId>"))]
#[non_exhaustive]
pub struct Configuration {
    voters: Vec<NodeId>,
}

/// Why a set of voters is no configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConfigurationError {
    /// Nobody could ever lead.
    NoVoters,
    /// More than [`Configuration::VOTERS_MAX`].
    TooManyVoters {
        /// How many were given.
        given: usize,
    },
    /// A voter is named twice.
    Duplicate(NodeId),
}

impl fmt::Display for ConfigurationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoVoters => f.write_str("a configuration needs at least one voter"),
            Self::TooManyVoters { given } => {
                write!(f, "{given} voters given, at most {} are allowed", Configuration::VOTERS_MAX)
            }
            Self::Duplicate(node) => write!(f, "voter {node} is named twice"),
        }
    }
}

impl core::error::Error for ConfigurationError {}

impl Configuration {
    /// Most voters of a group.
    pub const VOTERS_MAX: usize = 9;

    /// A configuration of these voters, in any order.
    ///
    /// # Errors
    /// None, too many, or one twice.
    pub fn new(voters: impl IntoIterator<Item = NodeId>) -> Result<Self, ConfigurationError> {
        let mut voters: Vec<NodeId> = voters.into_iter().collect();
        voters.sort_unstable();
        if voters.is_empty() {
            return Err(ConfigurationError::NoVoters);
        }
        if voters.len() > Self::VOTERS_MAX {
            return Err(ConfigurationError::TooManyVoters { given: voters.len() });
        }
        if let Some(pair) = voters.windows(2).find(|pair| pair.first() == pair.last()) {
            return Err(pair.first().map_or(ConfigurationError::NoVoters, |node| {
                ConfigurationError::Duplicate(*node)
            }));
        }
        Ok(Self { voters })
    }

    /// The voters, ascending.
    #[must_use]
    pub fn voters(&self) -> &[NodeId] {
        &self.voters
    }

    /// Whether `node` is a voter.
    #[must_use]
    pub fn is_voter(&self, node: NodeId) -> bool {
        self.voters.binary_search(&node).is_ok()
    }
}

impl TryFrom<Vec<NodeId>> for Configuration {
    type Error = ConfigurationError;

    fn try_from(voters: Vec<NodeId>) -> Result<Self, Self::Error> {
        Self::new(voters)
    }
}

impl From<Configuration> for Vec<NodeId> {
    fn from(configuration: Configuration) -> Self {
        configuration.voters
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_what_is_no_configuration() {
        assert_eq!(Configuration::new([]), Err(ConfigurationError::NoVoters));
        assert_eq!(
            Configuration::new((1..=10).map(NodeId)),
            Err(ConfigurationError::TooManyVoters { given: 10 })
        );
        assert_eq!(
            Configuration::new([NodeId(3), NodeId(1), NodeId(3)]),
            Err(ConfigurationError::Duplicate(NodeId(3)))
        );
        let ok = Configuration::new([NodeId(3), NodeId(1)]).unwrap();
        assert_eq!(ok.voters(), [NodeId(1), NodeId(3)]);
        assert!(ok.is_voter(NodeId(3)) && !ok.is_voter(NodeId(2)));
    }
}
