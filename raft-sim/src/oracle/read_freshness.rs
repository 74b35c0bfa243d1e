//! A read sees everything that was acknowledged before it began.
//!
//! **Intuition.** Every answer a client gets belongs to a log index: a write to its entry, a read
//! to the state it saw. The highest index any client knew of when a read began is that read's
//! floor. A local read has no floor but the index its asker named, and the age it states must not
//! be less than the time since its node was in touch with a working leader.
//! **Source.** Thesis §6.4 (read index).
//! **Upholds.** `inv:read-freshness`.
//! **Not here.** Values (`lin/`).

use raft_core::{LogIndex, NodeId};

use super::{
    Check, OracleId, broken,
    contacts::{Contacts, ROUNDING_NS},
};
use crate::{collections::FixedMap, process::Ns, workload::reads::Level};

/// What a node says of a read it lets be answered.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ready {
    pub(super) op: u64,
    pub(super) level: Level,
    pub(super) index: LogIndex,
    /// The least index its asker named.
    pub(super) least: LogIndex,
    /// The greatest age it claims, by its own clock.
    pub(super) staleness: Option<Ns>,
    /// It is not answered: that is too old for its asker.
    pub(super) refused: bool,
}

/// The oracle.
#[derive(Clone, Debug, Default)]
pub(super) struct ReadFreshness {
    pub(super) checks: u64,
    /// Highest index any client knows of.
    acknowledged: LogIndex,
    /// Floors of open reads.
    floors: FixedMap<u64, LogIndex>,
}

impl ReadFreshness {
    /// The read `op` began.
    pub(super) fn on_read(&mut self, op: u64) {
        self.floors.insert(op, self.acknowledged);
    }

    /// The read `op` ended without an answer.
    pub(super) fn on_dropped(&mut self, op: u64) {
        self.floors.remove(&op);
    }

    /// The node `node` says that the read `op` may be answered from `index` on. `age` is how long
    /// ago at least it was in touch with a working leader, by true time; `None` if it never was.
    pub(super) fn on_ready(
        &mut self,
        contacts: &Contacts,
        node: NodeId,
        said: Ready,
        age: Option<Ns>,
    ) -> Check {
        let Ready { op, level, index, least, staleness, refused } = said;
        self.checks += 1;
        if index < least {
            return broken(
                OracleId::ReadFreshness,
                node,
                format!("{node} answers read {op} at index {index}, and it asked for {least}"),
            );
        }
        if level != Level::Local {
            return Ok(());
        }
        if !refused {
            // Its own bounds are all that is owed to it.
            self.floors.remove(&op);
        }
        let Some(claimed) = staleness else { return Ok(()) };
        let bound = contacts.at_most(claimed).saturating_add(ROUNDING_NS);
        if age.is_some_and(|age| age <= bound) {
            return Ok(());
        }
        broken(
            OracleId::ReadFreshness,
            node,
            match age {
                Some(age) => format!(
                    "{node} says that what read {op} sees is {claimed} ns old at most, and it last \
                     was in touch {age} ns ago"
                ),
                None => format!(
                    "{node} says that what read {op} sees is {claimed} ns old at most, and it never \
                     was in touch"
                ),
            },
        )
    }

    /// A client learnt the result of `op`, which belongs to `index`.
    pub(super) fn on_returned(&mut self, op: u64, read: bool, index: LogIndex) -> Check {
        if read && let Some(floor) = self.floors.remove(&op) {
            self.checks += 1;
            if index < floor {
                return broken(
                    OracleId::ReadFreshness,
                    None,
                    format!(
                        "read {op} saw the state of index {index}, but {floor} was acknowledged \
                         before it began"
                    ),
                );
            }
        }
        self.acknowledged = self.acknowledged.max(index);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::testkit::{ALL, Kit};
    use crate::{
        oracle::{Observation, OracleId::ReadFreshness},
        process::Promises,
    };
    use raft_core::LogIndex;

    fn invoke(kit: &mut Kit, op: u64) {
        kit.see(Observation::OpInvoked { op, read: true }).unwrap();
    }

    fn returned(kit: &mut Kit, op: u64, read: bool, index: u64) -> super::super::testkit::Seen {
        if !read {
            kit.see(Observation::OpInvoked { op, read }).unwrap();
            kit.see(Observation::OpApplied { op, index: LogIndex(index) }).unwrap();
        }
        kit.see(Observation::OpReturned { op, read, index: LogIndex(index) })
    }

    #[test]
    fn a_read_older_than_an_acknowledged_write_is_seen() {
        let mut kit = Kit::settled(5);
        returned(&mut kit, 1, false, 4).unwrap();
        invoke(&mut kit, 2);
        let seen = returned(&mut kit, 2, true, 3);
        kit.broke(
            seen,
            ReadFreshness,
            None,
            "read 2 saw the state of index 3, but 4 was acknowledged",
        );
    }

    #[test]
    fn a_read_older_than_an_earlier_read_is_seen() {
        let mut kit = Kit::settled(5);
        invoke(&mut kit, 1);
        returned(&mut kit, 1, true, 5).unwrap();
        invoke(&mut kit, 2);
        let seen = returned(&mut kit, 2, true, 4);
        kit.broke(seen, ReadFreshness, None, "but 5 was acknowledged");
    }

    #[test]
    fn only_what_was_known_when_it_began_is_owed() {
        let mut kit = Kit::settled(5);
        returned(&mut kit, 1, false, 2).unwrap();
        invoke(&mut kit, 2);
        returned(&mut kit, 3, false, 4).unwrap();
        returned(&mut kit, 2, true, 2).unwrap();
        assert_eq!(kit.checks(ReadFreshness), 1);
        invoke(&mut kit, 4);
        kit.see(Observation::OpUnknown { op: 4 }).unwrap();
    }

    #[test]
    fn stale_reads_may_be_promised() {
        let mut kit = Kit::with(3, Promises { linearizable_reads: false, ..ALL }, &[]);
        returned(&mut kit, 1, false, 2).unwrap();
        invoke(&mut kit, 2);
        returned(&mut kit, 2, true, 0).unwrap();
        assert_eq!(kit.checks(ReadFreshness), 0);
    }
}
