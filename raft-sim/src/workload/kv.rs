//! The key-value machine that every system replicates in the simulator, and its commands.
//!
//! **Intuition.** Keys are small numbers, values are 64-bit tokens that are unique per write, so a
//! history tells which write a read saw. Append folds a token into the value's list digest.
//! **Source.** Ours.
//! **Upholds.** `inv:linearizable` (the sequential specification is in `lin/model.rs`, written
//! apart from this machine on purpose).
//! **Not here.** Sessions.

use bytes::Bytes;
use raft_core::LogIndex;
use serde::{Deserialize, Serialize};

use crate::trace::digest::Digest;

/// What a client asks for. Values are unique tokens; a key that was never written or was deleted
/// is absent.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "f", rename_all = "kebab-case")]
pub enum Call {
    /// Read.
    Get {
        /// Key.
        key: u32,
    },
    /// Write.
    Put {
        /// Key.
        key: u32,
        /// New value.
        value: u64,
    },
    /// Remove.
    Delete {
        /// Key.
        key: u32,
    },
    /// Write `new` if the key holds `old` (`None`: is absent).
    Cas {
        /// Key.
        key: u32,
        /// Expected value.
        old: Option<u64>,
        /// New value.
        new: u64,
    },
    /// Append a token to the key's list of values.
    Append {
        /// Key.
        key: u32,
        /// Token.
        value: u64,
    },
}

/// What a client is told. A key's value is a list of tokens: `Put` makes it one token, `Append`
/// adds one.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "r", rename_all = "kebab-case")]
pub enum Reply {
    /// What a read saw; `None` for absent.
    Value {
        /// The list.
        value: Option<Vec<u64>>,
    },
    /// Put, delete or append was done.
    Done,
    /// Compare-and-set: whether it took effect.
    Swapped {
        /// Whether.
        ok: bool,
    },
}

/// The version of the command's bytes. Readers refuse others.
const VERSION: u8 = 1;

/// A command as it travels through the log.
///
/// Bytes: version, call (1 get, 2 put, 3 delete, 4 compare-and-set, 5 append), length of the
/// padding (2), operation (8), padding, key (4), then the call's numbers (8 each, compare-and-set:
/// a byte 0 or 1, the expected value, the new one). All integers little-endian.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    /// The operation it carries out, unique in the run.
    pub op: u64,
    /// What to do.
    pub call: Call,
}

impl Call {
    /// The key it is about.
    #[must_use]
    pub const fn key(&self) -> u32 {
        match self {
            Self::Get { key }
            | Self::Put { key, .. }
            | Self::Delete { key }
            | Self::Cas { key, .. }
            | Self::Append { key, .. } => *key,
        }
    }

    /// Whether it only reads.
    #[must_use]
    pub const fn is_read(&self) -> bool {
        matches!(self, Self::Get { .. })
    }

    const fn code(&self) -> u8 {
        match self {
            Self::Get { .. } => 1,
            Self::Put { .. } => 2,
            Self::Delete { .. } => 3,
            Self::Cas { .. } => 4,
            Self::Append { .. } => 5,
        }
    }
}

impl Command {
    /// The most bytes of a command without its padding.
    pub const HEAD_BYTES_MAX: u64 = 40;

    /// Its bytes, with `padding` bytes of ballast.
    #[must_use]
    pub fn encode(&self, padding: u16) -> Bytes {
        let mut out = Vec::with_capacity(40 + usize::from(padding));
        out.push(VERSION);
        out.push(self.call.code());
        out.extend_from_slice(&padding.to_le_bytes());
        out.extend_from_slice(&self.op.to_le_bytes());
        out.resize(out.len() + usize::from(padding), 0x5a);
        out.extend_from_slice(&self.call.key().to_le_bytes());
        match &self.call {
            Call::Get { .. } | Call::Delete { .. } => {}
            Call::Put { value, .. } | Call::Append { value, .. } => {
                out.extend_from_slice(&value.to_le_bytes());
            }
            Call::Cas { old, new, .. } => {
                out.push(u8::from(old.is_some()));
                out.extend_from_slice(&old.unwrap_or(0).to_le_bytes());
                out.extend_from_slice(&new.to_le_bytes());
            }
        }
        Bytes::from(out)
    }

    /// Reads a command; `None` for bytes that are none.
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let mut cursor = Cursor(bytes);
        if cursor.take::<1>()? != [VERSION] {
            return None;
        }
        let [code] = cursor.take::<1>()?;
        let padding = u16::from_le_bytes(cursor.take()?);
        let op = cursor.word()?;
        cursor.skip(usize::from(padding))?;
        let key = u32::from_le_bytes(cursor.take()?);
        let call = match code {
            1 => Call::Get { key },
            2 => Call::Put { key, value: cursor.word()? },
            3 => Call::Delete { key },
            4 => {
                let [known] = cursor.take::<1>()?;
                let old = cursor.word()?;
                Call::Cas { key, old: (known == 1).then_some(old), new: cursor.word()? }
            }
            5 => Call::Append { key, value: cursor.word()? },
            _ => return None,
        };
        cursor.0.is_empty().then_some(Self { op, call })
    }
}

struct Cursor<'a>(&'a [u8]);

impl Cursor<'_> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*head)
    }

    fn word(&mut self) -> Option<u64> {
        self.take().map(u64::from_le_bytes)
    }

    fn skip(&mut self, count: usize) -> Option<()> {
        self.0 = self.0.get(count..)?;
        Some(())
    }
}

/// The machine. Apply is total (any bytes) and deterministic.
#[derive(Clone, Debug, Default)]
pub struct Machine {
    /// Ascending by key; only keys that are present.
    keys: Vec<(u32, Vec<u64>)>,
    /// Index of the last entry applied.
    applied: u64,
    digest: Digest,
}

impl Machine {
    /// How large it is, in bytes, as a snapshot would be.
    #[must_use]
    pub fn size_bytes(&self) -> u64 {
        self.keys.iter().fold(64, |sum, (_, values)| sum + 16 + 8 * values.len() as u64)
    }

    /// Makes an empty machine stand at `index` without what led there.
    pub fn skip_to(&mut self, index: LogIndex) {
        self.applied = index.0;
    }

    /// An empty machine.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Index of the last entry applied.
    #[must_use]
    pub const fn applied(&self) -> LogIndex {
        LogIndex(self.applied)
    }

    /// A digest of everything applied so far and of the answers given.
    #[must_use]
    pub const fn digest(&self) -> u64 {
        self.digest.value()
    }

    /// An entry without a command was applied.
    pub fn skip(&mut self, index: LogIndex) {
        self.applied = index.0;
        self.digest.word(index.0);
    }

    /// Applies the command in `payload` as entry `index`: its operation and the answer. Bytes that
    /// are no command change nothing.
    pub fn apply(&mut self, index: LogIndex, payload: &[u8]) -> Option<(u64, Reply)> {
        self.applied = index.0;
        self.digest.word(index.0);
        self.digest.bytes(payload);
        let Command { op, call } = Command::decode(payload)?;
        let reply = self.execute(&call);
        if let Reply::Swapped { ok } = reply {
            self.digest.word(u64::from(ok));
        }
        Some((op, reply))
    }

    /// What `key` holds.
    #[must_use]
    pub fn get(&self, key: u32) -> Reply {
        let found = self.keys.binary_search_by_key(&key, |(key, _)| *key).ok();
        Reply::Value { value: found.map(|at| self.keys[at].1.clone()) }
    }

    fn execute(&mut self, call: &Call) -> Reply {
        let place = self.keys.binary_search_by_key(&call.key(), |(key, _)| *key);
        match (call, place) {
            (Call::Get { key }, _) => self.get(*key),
            (Call::Put { value, .. }, Ok(at)) => {
                let list = &mut self.keys[at].1;
                list.clear();
                list.push(*value);
                Reply::Done
            }
            (Call::Put { key, value } | Call::Append { key, value }, Err(at)) => {
                self.keys.insert(at, (*key, vec![*value]));
                Reply::Done
            }
            (Call::Append { value, .. }, Ok(at)) => {
                self.keys[at].1.push(*value);
                Reply::Done
            }
            (Call::Delete { .. }, Ok(at)) => {
                self.keys.remove(at);
                Reply::Done
            }
            (Call::Delete { .. }, Err(_)) => Reply::Done,
            (Call::Cas { old, new, .. }, Ok(at)) => {
                let list = &mut self.keys[at].1;
                let ok = old.is_some_and(|old| list.as_slice() == [old]);
                if ok {
                    list.clear();
                    list.push(*new);
                }
                Reply::Swapped { ok }
            }
            (Call::Cas { key, old, new }, Err(at)) => {
                if old.is_none() {
                    self.keys.insert(at, (*key, vec![*new]));
                }
                Reply::Swapped { ok: old.is_none() }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn calls() -> Vec<Call> {
        vec![
            Call::Get { key: 1 },
            Call::Put { key: 1, value: 7 },
            Call::Delete { key: 2 },
            Call::Cas { key: 1, old: None, new: 3 },
            Call::Cas { key: 1, old: Some(7), new: 3 },
            Call::Append { key: u32::MAX, value: u64::MAX },
        ]
    }

    #[test]
    fn commands_read_back_and_nothing_else_does() {
        for (op, call) in calls().into_iter().enumerate() {
            for padding in [0, 1, 300] {
                let command = Command { op: op as u64, call: call.clone() };
                let bytes = command.encode(padding);
                assert_eq!(Command::decode(&bytes), Some(command));
                for cut in 0..bytes.len() {
                    assert_eq!(Command::decode(&bytes[..cut]), None, "cut at {cut}");
                }
            }
        }
        let bytes = Command { op: 1, call: Call::Get { key: 1 } }.encode(0);
        assert_eq!(bytes.as_ref(), [1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0]);
    }

    #[test]
    fn the_machine_keeps_lists() {
        let mut machine = Machine::new();
        let mut index = LogIndex::ZERO;
        let mut run = |machine: &mut Machine, call: Call| {
            index = index.next();
            machine.apply(index, &Command { op: index.0, call }.encode(0)).unwrap().1
        };
        let m = &mut machine;
        assert_eq!(run(m, Call::Append { key: 1, value: 10 }), Reply::Done);
        assert_eq!(run(m, Call::Append { key: 1, value: 11 }), Reply::Done);
        assert_eq!(m.get(1), Reply::Value { value: Some(vec![10, 11]) });
        assert_eq!(
            run(m, Call::Cas { key: 1, old: Some(11), new: 5 }),
            Reply::Swapped { ok: false }
        );
        assert_eq!(run(m, Call::Put { key: 1, value: 12 }), Reply::Done);
        assert_eq!(
            run(m, Call::Cas { key: 1, old: Some(12), new: 5 }),
            Reply::Swapped { ok: true }
        );
        assert_eq!(run(m, Call::Delete { key: 1 }), Reply::Done);
        assert_eq!(m.get(1), Reply::Value { value: None });
        assert_eq!(run(m, Call::Cas { key: 1, old: None, new: 6 }), Reply::Swapped { ok: true });
        assert_eq!(m.get(1), Reply::Value { value: Some(vec![6]) });
        assert_eq!(m.applied(), LogIndex(7));
    }

    #[test]
    fn any_bytes_may_be_applied() {
        let mut machine = Machine::new();
        assert_eq!(machine.apply(LogIndex(1), b"nonsense"), None);
        assert_eq!(machine.apply(LogIndex(2), b""), None);
        assert_eq!(machine.applied(), LogIndex(2));
    }

    #[test]
    fn the_digest_depends_on_every_byte() {
        let digest = |payload: &[u8]| {
            let mut machine = Machine::new();
            machine.apply(LogIndex(1), payload);
            machine.digest()
        };
        assert_ne!(digest(b"a"), digest(b"b"));
    }
}
