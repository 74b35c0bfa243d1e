//! Log matching: an entry is known by index and term, and so is everything before it.
//!
//! **Intuition.** One global table from (index, term) to the hash of the whole prefix. Every log
//! anywhere, in memory or on disk, must agree with it wherever it has that index and term.
//! **Source.** Thesis Fig. 3.2, §3.5; terms along a log never fall (§3.6.3).
//! **Upholds.** `inv:log-matching`.
//! **Not here.** What is committed (`committed.rs`).

use raft_core::{LogIndex, NodeId, Term};

use super::{
    Check, OracleId, broken,
    chain::{Chain, Link},
};
use crate::{collections::FixedMap, process::EntryId};

/// The oracle.
#[derive(Clone, Debug, Default)]
pub(super) struct LogMatching {
    pub(super) checks: u64,
    /// By index: the first term seen there, with its prefix hash. Most indexes see one term only.
    first: Vec<Option<(Term, u64)>>,
    /// Further terms.
    others: FixedMap<(LogIndex, Term), u64>,
}

impl LogMatching {
    /// A log that ended at `last` is now `entries` from `from` on: their indexes must continue it.
    pub(super) fn on_indexes(
        &mut self,
        node: NodeId,
        from: LogIndex,
        last: LogIndex,
        entries: &[EntryId],
    ) -> Check {
        let mut expected = from.min(last.next());
        for entry in entries {
            if entry.position.index != expected {
                return broken(
                    OracleId::LogMatching,
                    node,
                    format!(
                        "the log of {node} holds an entry with index {} at index {expected}",
                        entry.position.index
                    ),
                );
            }
            expected = expected.next();
        }
        Ok(())
    }

    /// The log `chain` of `node` (in memory, or on disk) is new from `from` on.
    pub(super) fn on_log(
        &mut self,
        node: NodeId,
        chain: &Chain,
        from: LogIndex,
        place: &str,
    ) -> Check {
        let mut index = LogIndex(from.0.max(1));
        let mut before = chain.link(index.prev()).map_or(Term::ZERO, |l| l.term);
        while let Some(link) = chain.link(index) {
            if link.term < before {
                return broken(
                    OracleId::LogMatching,
                    node,
                    format!(
                        "terms fall along the log of {node} ({place}): {before} at {}, then {} \
                         at {index}",
                        index.prev(),
                        link.term
                    ),
                );
            }
            self.on_link(node, index, link, place)?;
            before = link.term;
            index = index.next();
        }
        Ok(())
    }

    fn on_link(&mut self, node: NodeId, index: LogIndex, link: Link, place: &str) -> Check {
        let at = (index.0 - 1) as usize;
        if at >= self.first.len() {
            self.first.resize(at + 1, None);
        }
        let known = match &mut self.first[at] {
            Some((term, chain)) if *term == link.term => *chain,
            Some(_) => match self.others.get(&(index, link.term)) {
                Some(chain) => *chain,
                None => {
                    self.others.insert((index, link.term), link.chain);
                    return Ok(());
                }
            },
            empty => {
                *empty = Some((link.term, link.chain));
                return Ok(());
            }
        };
        self.checks += 1;
        if known == link.chain {
            return Ok(());
        }
        broken(
            OracleId::LogMatching,
            node,
            format!(
                "the log of {node} ({place}) has another entry or another prefix at index {index}, \
                 term {}, than was seen there before",
                link.term
            ),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::super::testkit::{Kit, entry, other_entry};
    use super::*;
    use crate::oracle::OracleId::LogMatching as ID;

    #[test]
    fn another_entry_at_the_same_place_is_seen() {
        let mut kit = Kit::new(3);
        kit.log(1, 1, &[entry(1, 1)]).unwrap();
        let seen = kit.log(2, 1, &[other_entry(1, 1, 9)]);
        kit.broke(
            seen,
            ID,
            2,
            "(in memory) has another entry or another prefix at index 1, term 1",
        );
    }

    #[test]
    fn another_prefix_under_the_same_entry_is_seen() {
        let mut kit = Kit::new(3);
        kit.log(1, 1, &[entry(1, 1), entry(2, 2), entry(3, 3)]).unwrap();
        let seen = kit.log(2, 1, &[entry(1, 1), entry(1, 2), entry(3, 3)]);
        kit.broke(seen, ID, 2, "at index 3, term 3");
    }

    #[test]
    fn a_disk_that_differs_from_memory_is_seen() {
        let mut kit = Kit::new(3);
        kit.log(1, 1, &[entry(1, 1)]).unwrap();
        let seen = kit.write(1, None, None, &[other_entry(1, 1, 9)]);
        kit.broke(seen, ID, 1, "(on disk) has another entry");
    }

    #[test]
    fn falling_terms_and_holes_are_seen() {
        let mut kit = Kit::new(3);
        let seen = kit.log(1, 1, &[entry(2, 1), entry(1, 2)]);
        kit.broke(seen, ID, 1, "terms fall along the log of n1 (in memory): 2 at 1, then 1 at 2");
        let mut kit = Kit::new(3);
        let seen = kit.log(1, 1, &[entry(1, 2)]);
        kit.broke(seen, ID, 1, "holds an entry with index 2 at index 1");
    }

    #[test]
    fn different_terms_at_an_index_may_differ_and_a_cut_log_may_grow_again() {
        let mut kit = Kit::new(3);
        kit.log(1, 1, &[entry(1, 1), entry(1, 2)]).unwrap();
        kit.log(2, 1, &[entry(1, 1), entry(2, 2), entry(2, 3)]).unwrap();
        kit.log(1, 2, &[entry(2, 2), entry(2, 3)]).unwrap();
        kit.store(1).unwrap();
        assert_eq!(kit.checks(ID), 1 + 2 + 3);
    }

    #[test]
    fn random_logs_that_copy_one_another_match_and_a_flipped_bit_does_not() {
        let mut random = 7u64;
        let mut draw = move |below: u64| {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (random >> 33) % below
        };
        for _ in 0..50 {
            // A tree of logs: each new one is a prefix of an old one plus entries of a new term.
            let mut logs: Vec<Vec<EntryId>> = vec![Vec::new()];
            let mut kit = Kit::new(9);
            for term in 1..20u64 {
                let from = draw(logs.len() as u64) as usize;
                let keep = draw(logs[from].len() as u64 + 1) as usize;
                let mut log = logs[from][..keep].to_vec();
                for _ in 0..=draw(4) {
                    let index = log.len() as u64 + 1;
                    log.push(other_entry(term, index, draw(256)));
                }
                let node = draw(9) + 1;
                kit.log(node, 1, &log).unwrap();
                logs.push(log);
            }
            let victim = logs.iter().max_by_key(|l| l.len()).unwrap();
            let mut bad = victim.clone();
            let at = draw(bad.len() as u64) as usize;
            bad[at].hash ^= 1 << 60;
            let seen = kit.log(1, 1, &bad);
            kit.broke(seen, ID, 1, &format!("at index {}", at + 1));
        }
    }
}
