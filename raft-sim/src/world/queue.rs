//! The event queue: one total order over everything that will happen.
//!
//! **Intuition.** Small keys in a binary heap, bodies in a slab beside it. Events are ordered by
//! world time, then class, then a keyed tie (so that simultaneous events are permuted by the run's
//! key and not by accident), then order of insertion.
//! **Source.** Ours.
//! **Upholds.** `inv:pure` (no order depends on memory or on hashing).
//! **Not here.** Kinds of events (`event.rs`).

use core::cmp::Ordering;
use std::collections::BinaryHeap;

use crate::process::Ns;

/// Classes of events; at equal times the lower class goes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Class {
    /// Boots, faults, phase limits.
    World = 0,
    /// Disk and machine.
    Storage = 1,
    /// Messages.
    Network = 2,
    /// Timers.
    Timer = 3,
    /// Clients.
    Client = 4,
}

/// 24 bytes; the heap moves nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Key {
    time: Ns,
    /// Class in the top 8 bits, tie below.
    rank: u64,
    /// Order of insertion in the high half, slot in the low half.
    sequence: u32,
    slot: u32,
}

impl Ord for Key {
    /// Reversed: the heap keeps its greatest on top, we want the earliest.
    fn cmp(&self, other: &Self) -> Ordering {
        (other.time, other.rank, other.sequence).cmp(&(self.time, self.rank, self.sequence))
    }
}

impl PartialOrd for Key {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// The queue.
#[derive(Debug)]
pub(crate) struct Queue<T> {
    heap: BinaryHeap<Key>,
    slab: Vec<Option<T>>,
    free: Vec<u32>,
    sequence: u32,
}

impl<T> Queue<T> {
    pub(crate) fn new() -> Self {
        Self {
            heap: BinaryHeap::with_capacity(1024),
            slab: Vec::with_capacity(1024),
            free: Vec::with_capacity(1024),
            sequence: 0,
        }
    }

    /// Adds `body` at `time`. Only the low 56 bits of `tie` count.
    pub(crate) fn push(&mut self, time: Ns, class: Class, tie: u64, body: T) {
        let slot = match self.free.pop() {
            Some(slot) => {
                self.slab[slot as usize] = Some(body);
                slot
            }
            None => {
                self.slab.push(Some(body));
                (self.slab.len() - 1) as u32
            }
        };
        let rank = (class as u64) << 56 | tie >> 8;
        self.heap.push(Key { time, rank, sequence: self.sequence, slot });
        // Wraps after 2^32 events: order among exact ties only, and still the same every time.
        self.sequence = self.sequence.wrapping_add(1);
    }

    /// The earliest event.
    pub(crate) fn pop(&mut self) -> Option<(Ns, T)> {
        loop {
            let key = self.heap.pop()?;
            let body = self.slab[key.slot as usize].take();
            self.free.push(key.slot);
            if let Some(body) = body {
                return Some((key.time, body));
            }
        }
    }

    #[cfg(test)]
    fn len(&self) -> usize {
        self.heap.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders_by_time_class_tie_and_insertion() {
        let mut queue = Queue::new();
        queue.push(5, Class::Client, 0, "client");
        queue.push(5, Class::World, u64::MAX, "world");
        queue.push(3, Class::Client, 0, "early");
        queue.push(5, Class::Timer, 2 << 8, "late tie");
        queue.push(5, Class::Timer, 1 << 8, "first of equals");
        queue.push(5, Class::Timer, 1 << 8, "second of equals");
        let order: Vec<_> = core::iter::from_fn(|| queue.pop().map(|(_, body)| body)).collect();
        let expected =
            ["early", "world", "first of equals", "second of equals", "late tie", "client"];
        assert_eq!(order, expected);
    }

    #[test]
    fn reuses_slots() {
        let mut queue = Queue::new();
        for round in 0..1000 {
            queue.push(round, Class::World, 0, round);
            queue.push(round, Class::Client, 0, round);
            queue.pop();
            queue.pop();
        }
        assert_eq!(queue.len(), 0);
        assert!(queue.slab.len() <= 2);
    }

    #[test]
    fn key_is_small() {
        assert_eq!(size_of::<Key>(), 24);
    }
}
