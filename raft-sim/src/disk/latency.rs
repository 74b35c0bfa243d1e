//! When a disk operation completes.
//!
//! **Intuition.** Each operation takes as long as its fate says. On a disk that keeps its order a
//! write completes after the one before it, however quick it is itself.
//! **Source.** Ours.
//! **Upholds.** `inv:pure`.
//! **Not here.** Fates (`fault/fates.rs`).

use super::Disk;
use crate::{fault::schedule::DiskOpId, process::Ns};

/// A write.
pub(crate) const WRITE: u8 = 1;
/// A read.
pub(crate) const READ: u8 = 2;
/// An apply.
pub(crate) const APPLY: u8 = 3;
/// A snapshot, written in the background.
pub(crate) const SNAPSHOT: u8 = 4;

impl<A: Copy> Disk<A> {
    /// The identity of an operation of `kind` on entries `first` to `last`.
    pub(crate) fn identify(
        &mut self,
        node: u64,
        boot: u64,
        kind: u8,
        first: u64,
        last: u64,
    ) -> DiskOpId {
        let nth = self.nth.next([u64::from(kind), first, last]);
        DiskOpId { node, boot, kind, first, last, nth }
    }

    /// When a write handed out at `now` that takes `latency` completes.
    pub(crate) fn completion(&mut self, now: Ns, latency: Ns, reorder: bool) -> Ns {
        let at = now.saturating_add(latency);
        if reorder {
            return at;
        }
        let at = at.max(self.last_completion.saturating_add(1));
        self.last_completion = at;
        at
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ordered_disk_completes_in_order() {
        let mut disk: Disk<u64> = Disk::new();
        assert_eq!(disk.completion(10, 100, false), 110);
        assert_eq!(disk.completion(20, 5, false), 111);
        assert_eq!(disk.completion(20, 5, true), 25);
    }

    #[test]
    fn operations_about_the_same_are_counted() {
        let mut disk: Disk<u64> = Disk::new();
        assert_eq!(disk.identify(1, 1, WRITE, 0, 0).nth, 0);
        assert_eq!(disk.identify(1, 1, WRITE, 0, 0).nth, 1);
        assert_eq!(disk.identify(1, 1, WRITE, 1, 1).nth, 0);
    }
}
