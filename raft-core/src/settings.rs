//! Replicated settings: what all members of a group must agree on.
//!
//! **Intuition.** Timeouts and leases are promises between nodes, so they belong to the group and
//! not to one process's options. A settings entry takes effect where it is committed; a node that
//! restarts or is caught up by a snapshot gets the group's, whatever its options say.
//! **Source.** S-86, S-90 (RaftedValue keeps group settings in the log); D-R4 loses them.
//! **Upholds.** `inv:lease-bound`.
//! **Not here.** Local tunables (`options.rs`); membership (`config/`).

use alloc::vec::Vec;

use bytes::Bytes;

use crate::{
    options::{Options, OptionsError},
    wire::cursor::{Cursor, CursorError, put_u64},
};

/// Format written by this version.
const FORMAT: u8 = 1;

/// The settings of a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Settings {
    /// Counts up with each change; 0 for those a group was born with.
    pub version: u64,
    /// Shortest election timeout, and the promise a voter gives its leader.
    pub election_min_ns: u64,
    /// Longest election timeout.
    pub election_max_ns: u64,
    /// Heartbeat period.
    pub heartbeat_ns: u64,
    /// Longest time a leader goes on without answers from a quorum.
    pub check_quorum_ns: u64,
    /// Whether leaders may serve reads by lease.
    pub lease: bool,
    /// Bound on each clock's rate error, in millionths.
    pub clock_error_ppm: u32,
    /// Whether a witness is sent an entry only after another data voter acknowledged it.
    pub witness_after_data_copy: bool,
    /// Most entries committed and not applied before proposals are refused.
    pub apply_queue_entries_max: u64,
    /// Most payload bytes committed and not applied before proposals are refused.
    pub apply_queue_bytes_max: u64,
}

/// Why bytes are no settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum DecodeSettingsError {
    /// Written in a format that this version does not know.
    Format(u8),
    /// The bytes end early or hold a bad number.
    Bytes(CursorError),
    /// Something stands behind the settings.
    Trailing,
}

impl From<CursorError> for DecodeSettingsError {
    fn from(error: CursorError) -> Self {
        Self::Bytes(error)
    }
}

impl Settings {
    /// The bytes of a settings entry's payload.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        let mut out = Vec::new();
        out.push(FORMAT);
        for number in [
            self.version,
            self.election_min_ns,
            self.election_max_ns,
            self.heartbeat_ns,
            self.check_quorum_ns,
            u64::from(self.lease),
            u64::from(self.clock_error_ppm),
            u64::from(self.witness_after_data_copy),
            self.apply_queue_entries_max,
            self.apply_queue_bytes_max,
        ] {
            put_u64(&mut out, number);
        }
        Bytes::from(out)
    }

    /// Reads what [`Settings::encode`] wrote.
    ///
    /// # Errors
    /// [`DecodeSettingsError`] names what is wrong.
    pub fn decode(bytes: Bytes) -> Result<Self, DecodeSettingsError> {
        let mut cursor = Cursor::new(bytes);
        let format = cursor.u8()?;
        if format != FORMAT {
            return Err(DecodeSettingsError::Format(format));
        }
        let settings = Self {
            version: cursor.u64()?,
            election_min_ns: cursor.u64()?,
            election_max_ns: cursor.u64()?,
            heartbeat_ns: cursor.u64()?,
            check_quorum_ns: cursor.u64()?,
            lease: cursor.flag()?,
            clock_error_ppm: u32::try_from(cursor.u64()?).map_err(|_| CursorError::Number)?,
            witness_after_data_copy: cursor.flag()?,
            apply_queue_entries_max: cursor.u64()?,
            apply_queue_bytes_max: cursor.u64()?,
        };
        if cursor.is_empty() { Ok(settings) } else { Err(DecodeSettingsError::Trailing) }
    }

    /// Checks the relations between these settings, as part of `options`.
    ///
    /// # Errors
    /// The first relation that does not hold.
    pub fn validate(&self, options: &Options) -> Result<(), OptionsError> {
        let mut whole = options.clone();
        whole.adopt(self);
        whole.validate()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read_and_no_shorter_or_longer_spelling_is() {
        let settings = Settings { version: 3, lease: true, ..Options::default().settings() };
        let bytes = settings.encode();
        assert_eq!(Settings::decode(bytes.clone()), Ok(settings));
        for cut in 0..bytes.len() {
            assert!(Settings::decode(bytes.slice(..cut)).is_err(), "cut at {cut}");
        }
        let mut longer = bytes.to_vec();
        longer.push(0);
        assert_eq!(Settings::decode(longer.into()), Err(DecodeSettingsError::Trailing));
        let mut newer = bytes.to_vec();
        newer[0] = 9;
        assert_eq!(Settings::decode(newer.into()), Err(DecodeSettingsError::Format(9)));
    }

    #[test]
    fn contradictions_are_refused() {
        let options = Options::default();
        let good = options.settings();
        assert_eq!(good.validate(&options), Ok(()));
        let bad = Settings { heartbeat_ns: good.election_min_ns, ..good };
        assert_eq!(bad.validate(&options), Err(OptionsError::Heartbeat));
    }
}
