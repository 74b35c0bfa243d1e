//! What a crash leaves on disk.
//!
//! **Intuition.** A killed process leaves the operating system alive: every write it had handed
//! out completes. Power loss keeps a prefix of the writes that were not durable yet; what comes
//! after a hole is gone even if it had been acknowledged.
//! **Source.** The contract of the core: stopping after any prefix of a lane is safe.
//! **Upholds.** `inv:committed-durable`.
//! **Not here.** How long the prefix is (`fault/fates.rs`).

use super::{Disk, Write};

/// What a crash took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Lost {
    /// Writes that did not survive.
    pub(crate) writes: u64,
    /// Those among them that had been acknowledged.
    pub(crate) acknowledged: u64,
}

impl<A: Copy> Disk<A> {
    /// The next write that survives the crash as one of `keep`; counts down. The caller reports
    /// and publishes it.
    pub(crate) fn next_survivor(&mut self, keep: &mut u64) -> Option<Write<A>> {
        *keep = keep.checked_sub(1)?;
        self.open.pop_front()
    }

    /// Drops what did not survive.
    pub(crate) fn lose_rest(&mut self) -> Lost {
        let writes = self.open.len() as u64;
        let acknowledged = self.open.iter().filter(|write| write.complete).count() as u64;
        self.open.clear();
        Lost { writes, acknowledged }
    }
}

#[cfg(test)]
mod tests {
    use super::{super::tests::entry, *};

    #[test]
    fn an_acknowledged_write_above_a_hole_is_lost() {
        let mut disk = Disk::new();
        disk.begin_boot();
        for index in 1..=3 {
            disk.hand_out(index, None, None, vec![entry(1, index)], None).unwrap();
        }
        disk.complete(3);
        let mut keep = 1;
        while let Some(write) = disk.next_survivor(&mut keep) {
            disk.publish(write);
        }
        assert_eq!(disk.lose_rest(), Lost { writes: 2, acknowledged: 1 });
        assert_eq!(disk.image.entries.len(), 1);
        assert_eq!(disk.ids.len(), 1);
    }
}
