//! Configurations as bytes: the payload of a configuration entry.
//!
//! **Intuition.** One format version in front, then the lists. A newer version is refused as a
//! whole: half a configuration is worse than none.
//! **Source.** Ours; S-08 (refuse newer formats).
//! **Upholds.** `inv:configuration-safety`, `inv:bounded`.
//! **Not here.** Entries (`log/entry.rs`).

use alloc::vec::Vec;

use bytes::Bytes;

use super::{Configuration, ConfigurationError, ConfigurationParts};
use crate::{
    types::{Incarnation, LogIndex, NodeId, RecoveryEpoch},
    wire::cursor::{Cursor, CursorError, put_u64},
};

/// Format written by this version. Numbers 2 and 3 are kept for configurations that also state
/// sizes of quorums (flexible quorums) and groups of voters (group commit); until then they are
/// refused like any other.
const FORMAT: u8 = 1;

/// Why bytes are no configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum DecodeConfigurationError {
    /// Written in a format that this version does not know.
    Format(u8),
    /// The bytes end early, hold a bad number or have something behind them.
    Bytes(CursorError),
    /// Something stands behind the configuration.
    Trailing,
    /// The parts contradict each other.
    Parts(ConfigurationError),
}

impl From<CursorError> for DecodeConfigurationError {
    fn from(error: CursorError) -> Self {
        Self::Bytes(error)
    }
}

impl Configuration {
    /// The bytes of a configuration entry's payload.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        let parts = self.parts();
        let mut out = Vec::new();
        out.push(FORMAT);
        out.push(u8::from(parts.explicit_leave));
        let lists = [
            &parts.voters,
            &parts.outgoing,
            &parts.learners,
            &parts.learners_next,
            &parts.witnesses,
        ];
        for list in lists {
            put_u64(&mut out, list.len() as u64);
            for node in list {
                put_u64(&mut out, node.0);
            }
        }
        put_u64(&mut out, parts.incarnations.len() as u64);
        for (node, life) in &parts.incarnations {
            put_u64(&mut out, node.0);
            put_u64(&mut out, life.0);
        }
        put_u64(&mut out, parts.recoveries.len() as u64);
        for (epoch, index) in &parts.recoveries {
            put_u64(&mut out, epoch.number);
            put_u64(&mut out, epoch.plan_id);
            put_u64(&mut out, index.0);
        }
        Bytes::from(out)
    }

    /// Reads what [`Configuration::encode`] wrote. A blank configuration is legal.
    ///
    /// # Errors
    /// [`DecodeConfigurationError`] names what is wrong.
    pub fn decode(bytes: Bytes) -> Result<Self, DecodeConfigurationError> {
        let mut cursor = Cursor::new(bytes);
        let format = cursor.u8()?;
        if format != FORMAT {
            return Err(DecodeConfigurationError::Format(format));
        }
        let explicit_leave = cursor.flag()?;
        let mut nodes = |max: usize| -> Result<Vec<NodeId>, CursorError> {
            let count = cursor.count(1, max)?;
            (0..count).map(|_| cursor.u64().map(NodeId)).collect()
        };
        let all = Self::VOTERS_MAX.saturating_mul(2).saturating_add(Self::LEARNERS_MAX);
        let mut parts = ConfigurationParts {
            voters: nodes(Self::VOTERS_MAX)?,
            outgoing: nodes(Self::VOTERS_MAX)?,
            learners: nodes(Self::LEARNERS_MAX)?,
            learners_next: nodes(Self::VOTERS_MAX)?,
            witnesses: nodes(all)?,
            explicit_leave,
            ..ConfigurationParts::default()
        };
        for _ in 0..cursor.count(2, all)? {
            parts.incarnations.push((NodeId(cursor.u64()?), Incarnation(cursor.u64()?)));
        }
        for _ in 0..cursor.count(3, Self::RECOVERIES_MAX)? {
            let epoch = RecoveryEpoch { number: cursor.u64()?, plan_id: cursor.u64()? };
            parts.recoveries.push((epoch, LogIndex(cursor.u64()?)));
        }
        if !cursor.is_empty() {
            return Err(DecodeConfigurationError::Trailing);
        }
        Self::try_from(parts).map_err(DecodeConfigurationError::Parts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn joint() -> Configuration {
        Configuration::from_parts(ConfigurationParts {
            voters: [1, 2, 400].map(NodeId).to_vec(),
            outgoing: [1, 2, 3].map(NodeId).to_vec(),
            learners: [7].map(NodeId).to_vec(),
            learners_next: [3].map(NodeId).to_vec(),
            witnesses: [2].map(NodeId).to_vec(),
            incarnations: [(NodeId(1), Incarnation(5))].to_vec(),
            explicit_leave: true,
            recoveries: [(RecoveryEpoch { number: 1, plan_id: 9 }, LogIndex(77))].to_vec(),
        })
        .unwrap()
    }

    #[test]
    fn what_was_written_is_read_and_no_shorter_or_longer_spelling_is() {
        for configuration in
            [joint(), Configuration::new([NodeId(1)]).unwrap(), Configuration::default()]
        {
            let bytes = configuration.encode();
            assert_eq!(Configuration::decode(bytes.clone()), Ok(configuration));
            for cut in 0..bytes.len() {
                assert!(Configuration::decode(bytes.slice(..cut)).is_err(), "cut at {cut}");
            }
            let mut longer = bytes.to_vec();
            longer.push(0);
            assert_eq!(
                Configuration::decode(longer.into()),
                Err(DecodeConfigurationError::Trailing)
            );
        }
    }

    #[test]
    fn golden_bytes() {
        let want: [u8; 26] =
            [1, 1, 3, 1, 2, 0x90, 0x03, 3, 1, 2, 3, 1, 7, 1, 3, 1, 2, 1, 1, 5, 1, 1, 9, 77, 0, 0];
        assert_eq!(joint().encode().as_ref(), &want[..24]);
        let mut newer = joint().encode().to_vec();
        newer[0] = 2;
        assert_eq!(Configuration::decode(newer.into()), Err(DecodeConfigurationError::Format(2)));
    }
}
