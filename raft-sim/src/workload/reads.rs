//! How a client wants to read: level, place, least index, greatest age.
//!
//! **Intuition.** Levels trade freshness for work, so each is owed something else: a linearizable
//! answer is judged with all others, a local one only by what it says of itself and by what its
//! asker named. A client that is refused a few times asks for the ordinary level, so that every
//! operation ends once the cluster is well.
//! **Source.** Thesis §6.4; the levels of docs/CONTRACT.md, "Reads".
//! **Upholds.** `inv:read-freshness`, `inv:lease-bound`.
//! **Not here.** Drawing them (`fault/ops.rs`), serving them (`world/serve.rs`).

use raft_core::LogIndex;
use serde::{Deserialize, Serialize};

use crate::process::Ns;

/// How fresh an answer must be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    /// Confirmed by a round of heartbeats.
    #[default]
    Linearizable,
    /// By the leader's lease.
    Lease,
    /// By an entry of its own in the log.
    ThroughLog,
    /// Whatever the node has.
    Local,
}

/// A read as a node is asked for it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// How fresh.
    pub level: Level,
    /// Not before this index is applied.
    pub least: LogIndex,
}

/// How a client wants one of its reads. The default is an ordinary read at whoever leads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ReadHow {
    /// Level.
    pub level: Level,
    /// At any node, not at whoever leads.
    pub anywhere: bool,
    /// Not before the newest index this client knows of and so many more; `None`: anything goes.
    pub ahead: Option<u32>,
    /// Local: refuse an answer that is older than this by the node's own clock; 0 for any age.
    pub age_max_ns: Ns,
}

/// Refusals after which a client asks for the ordinary level.
const TRIES_MAX: u32 = 3;

impl ReadHow {
    /// Whether it is the ordinary way to read.
    #[must_use]
    pub fn is_ordinary(&self) -> bool {
        *self == Self::default()
    }

    /// How it is asked for after `tries` attempts that gave no answer.
    #[must_use]
    pub fn after(self, tries: u32) -> Self {
        if tries >= TRIES_MAX {
            return Self { ahead: self.ahead.map(|_| 0), ..Self::default() };
        }
        // An index that does not exist yet may never; the client has waited for it once.
        Self { ahead: self.ahead.map(|ahead| if tries == 0 { ahead } else { 0 }), ..self }
    }

    /// What the node is asked, by a client that knows of `seen`.
    #[must_use]
    pub fn wanted(self, seen: LogIndex) -> Wanted {
        let least = self.ahead.map_or(LogIndex::ZERO, |ahead| seen.plus(u64::from(ahead)));
        Wanted { level: self.level, least }
    }

    /// Whether an answer of this age is too old.
    #[must_use]
    pub fn is_too_old(&self, staleness: Option<Ns>) -> bool {
        self.level == Level::Local
            && self.age_max_ns > 0
            && staleness.is_none_or(|age| age > self.age_max_ns)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_that_is_refused_comes_down_to_the_ordinary_level() {
        let how = ReadHow { level: Level::Local, anywhere: true, ahead: Some(4), age_max_ns: 7 };
        let seen = LogIndex(10);
        assert_eq!(how.after(0).wanted(seen), Wanted { level: Level::Local, least: LogIndex(14) });
        assert_eq!(how.after(1).wanted(seen), Wanted { level: Level::Local, least: seen });
        assert_eq!(how.after(3).wanted(seen), Wanted { level: Level::Linearizable, least: seen });
        assert!(!how.after(3).anywhere);
    }

    #[test]
    fn only_a_local_answer_can_be_too_old() {
        let mut how = ReadHow { level: Level::Local, age_max_ns: 7, ..ReadHow::default() };
        assert!(!how.is_too_old(Some(7)) && how.is_too_old(Some(8)));
        assert!(how.is_too_old(None), "an unknown age is no bound");
        how.age_max_ns = 0;
        assert!(!how.is_too_old(None), "no bound was asked for");
        let lease = ReadHow { level: Level::Lease, age_max_ns: 7, ..how };
        assert!(!lease.is_too_old(None));
    }
}
