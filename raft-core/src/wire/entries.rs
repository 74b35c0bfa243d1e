//! Entries on the wire: first what is said of each, then all payloads in one piece.
//!
//! **Intuition.** Term and index are the run's, stamps grow slowly and are told by how much, so an
//! entry costs four to six bytes beside its payload. The payloads stand together: the receiver
//! copies them once and every entry takes a slice, which is one allocation for a thousand entries
//! and lets go of the buffer the network read into.
//! **Source.** Ours, measured: a copy for each payload costs twice as much.
//! **Upholds.** `inv:log-matching` (a hole between entries cannot be spelled), `inv:bounded`.
//! **Not here.** Whether a kind is known (the log's business: it stops there).

use alloc::vec::Vec;

use bytes::Bytes;

use super::{
    cursor::{Cursor, CursorError, put_u64},
    part::Part,
};
use crate::{
    log::{Entries, Entry, EntryKind, Run},
    types::{LogIndex, LogPosition, Term},
};

/// Most entries of one message.
pub const ENTRIES_MAX: usize = 1 << 20;
/// Kind, stamp, label and length take at least a byte each.
const ENTRY_BYTES_MIN: usize = 4;
/// A payload that fills at least this part of its buffer may keep the buffer alive.
pub(crate) const KEEPS_ALIVE: usize = 4;

impl Part for Entries {
    fn put(&self, out: &mut Vec<u8>) {
        put_u64(out, self.len());
        let Some(first) = self.first() else { return };
        let lengths = out.len();
        out.extend_from_slice(&[0; 8]);
        let heads = out.len();
        put_u64(out, first.0);
        let (mut term, mut stamp) = (0, 0);
        let mut runs = self.runs();
        while let Some(head) = runs.first() {
            // Where a chunk ended at the sender is nobody else's business.
            let same = runs.iter().take_while(|run| run.term() == head.term()).count();
            let (group, rest) = runs.split_at_checked(same).unwrap_or((runs, &[]));
            runs = rest;
            put_u64(out, head.term().0.wrapping_sub(term));
            term = head.term().0;
            put_u64(out, group.iter().fold(0, |sum, run| sum.saturating_add(run.len())));
            for entry in group.iter().flat_map(Run::as_slice) {
                out.push(entry.kind.0);
                put_u64(out, entry.stamp.wrapping_sub(stamp));
                stamp = entry.stamp;
                put_u64(out, entry.label);
                put_u64(out, entry.len_bytes());
            }
        }
        let payloads = out.len();
        for entry in self.runs().iter().flat_map(Run::as_slice) {
            out.extend_from_slice(&entry.payload);
        }
        // Lengths that do not fit are found when the whole body is measured.
        let length = |from: usize, to: usize| {
            u32::try_from(to.saturating_sub(from)).unwrap_or(u32::MAX).to_le_bytes()
        };
        let both = [length(heads, payloads), length(payloads, out.len())];
        let room = out.get_mut(lengths..).unwrap_or(&mut []);
        for (to, from) in room.iter_mut().zip(both.as_flattened()) {
            *to = *from;
        }
    }

    fn get(cursor: &mut Cursor) -> Result<Self, CursorError> {
        let count = cursor.count(ENTRY_BYTES_MIN, ENTRIES_MAX)?;
        if count == 0 {
            return Ok(Self::EMPTY);
        }
        let heads = cursor.u32_fixed()? as usize;
        let payloads = cursor.u32_fixed()? as usize;
        if heads.saturating_add(payloads) > cursor.left() {
            return Err(CursorError::Short);
        }
        if count.saturating_mul(ENTRY_BYTES_MIN) > heads {
            return Err(CursorError::Count);
        }
        let mut ahead = cursor.clone();
        ahead.skip(heads);
        let shared = ahead.take(payloads)?;
        // By the mean: of up to three entries one may be small and keep the frame alive.
        let large = payloads.saturating_mul(KEEPS_ALIVE) >= cursor.whole().saturating_mul(count);
        let shared = if large { shared } else { Bytes::copy_from_slice(&shared) };
        let outer = cursor.narrow(heads)?;
        let entries = read(cursor, count, shared)?;
        cursor.widen(outer);
        cursor.skip(payloads);
        Ok(entries)
    }
}

/// Reads the heads, which are all that `cursor` has left, and gives each entry its payload.
fn read(cursor: &mut Cursor, count: usize, mut payloads: Bytes) -> Result<Entries, CursorError> {
    let first = cursor.u64()?;
    if first == 0 || first.checked_add(count as u64).is_none() {
        return Err(CursorError::Value);
    }
    let mut out = Entries::EMPTY;
    let (mut term, mut stamp, mut index) = (0_u64, 0_u64, first);
    let mut left = count;
    while left > 0 {
        let above = cursor.u64()?;
        if above == 0 {
            return Err(CursorError::Value);
        }
        term = term.checked_add(above).ok_or(CursorError::Number)?;
        let here = cursor.count(ENTRY_BYTES_MIN, left)?;
        let position = LogPosition::new(Term(term), LogIndex(index));
        let run = match here {
            0 => return Err(CursorError::Count),
            1 => Run::one(position, one(cursor, &mut stamp, &mut payloads)?),
            _ => {
                let mut entries = Vec::with_capacity(here);
                for _ in 0..here {
                    entries.push(one(cursor, &mut stamp, &mut payloads)?);
                }
                Run::seal(position.term, position.index, entries).ok_or(CursorError::Value)?
            }
        };
        out.push(run).map_err(|_| CursorError::Value)?;
        left = left.saturating_sub(here);
        index = index.saturating_add(here as u64);
    }
    if cursor.is_empty() && payloads.is_empty() { Ok(out) } else { Err(CursorError::Trailing) }
}

#[inline]
fn one(cursor: &mut Cursor, stamp: &mut u64, payloads: &mut Bytes) -> Result<Entry, CursorError> {
    let kind = EntryKind(cursor.u8()?);
    *stamp = stamp.wrapping_add(cursor.u64()?);
    let label = cursor.u64()?;
    let len = usize::try_from(cursor.u64()?).map_err(|_| CursorError::Number)?;
    if len > payloads.len() {
        return Err(CursorError::Short);
    }
    Ok(Entry { kind, stamp: *stamp, label, payload: payloads.split_to(len) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries(shape: &[(u64, usize)], size: usize) -> Entries {
        let mut index = 6;
        let mut out = Entries::EMPTY;
        for (term, count) in shape {
            let sealed = (0..*count)
                .map(|n| Entry {
                    kind: EntryKind::COMMAND,
                    stamp: index * 1_000 + n as u64,
                    label: n as u64 % 3,
                    payload: Bytes::from(alloc::vec![n as u8; size]),
                })
                .collect();
            out.push(Run::seal(Term(*term), LogIndex(index), sealed).unwrap()).unwrap();
            index += *count as u64;
        }
        out
    }

    fn bytes(entries: &Entries) -> Vec<u8> {
        let mut out = Vec::new();
        entries.put(&mut out);
        out
    }

    fn read_all(bytes: Vec<u8>) -> Result<Entries, CursorError> {
        let mut cursor = Cursor::new(bytes.into());
        let entries = Entries::get(&mut cursor)?;
        assert!(cursor.is_empty());
        Ok(entries)
    }

    #[test]
    fn what_was_written_is_read_whatever_the_chunks_were() {
        for shape in [&[][..], &[(1, 1)], &[(1, 5)], &[(1, 2), (1, 3), (4, 1), (4, 1), (9, 7)]] {
            for size in [0, 1, 200] {
                let entries = entries(shape, size);
                let written = bytes(&entries);
                let back = read_all(written.clone()).unwrap();
                assert_eq!(back, entries);
                assert_eq!(bytes(&back), written);
                for cut in 0..written.len() {
                    assert!(read_all(written[..cut].to_vec()).is_err(), "cut at {cut}");
                }
            }
        }
    }

    #[test]
    fn small_payloads_let_go_of_the_frame_and_large_ones_are_not_copied() {
        let within =
            |payload: &Bytes, buffer: &Bytes| buffer.as_ptr_range().contains(&payload.as_ptr());
        for (count, size, keeps) in [(1, 900, true), (3, 400, true), (8, 900, false), (1, 9, false)]
        {
            let mut frame = bytes(&entries(&[(1, count)], size));
            frame.resize(frame.len() + 60, 0);
            let frame = Bytes::from(frame);
            let read = Entries::get(&mut Cursor::new(frame.clone())).unwrap();
            for at in read.iter() {
                assert_eq!(within(&at.entry.payload, &frame), keeps, "{count} of {size}");
            }
        }
    }

    #[test]
    fn a_stamp_that_falls_and_the_last_index_are_spelled_too() {
        let mut falling = entries(&[(3, 2)], 1).runs()[0].as_slice().to_vec();
        falling[0].stamp = u64::MAX;
        falling[1].stamp = 5;
        let last = LogIndex(u64::MAX - 2);
        let falling = Entries::from(Run::seal(Term(u64::MAX), last, falling).unwrap());
        assert_eq!(read_all(bytes(&falling)), Ok(falling));
    }

    #[test]
    fn nothing_but_entries_without_a_hole_has_a_spelling() {
        let good = bytes(&entries(&[(2, 1), (3, 1)], 2));
        // count, lengths, first index, then (term, count, kind, stamp (2), label, len) twice.
        assert_eq!(good.len(), 1 + 8 + 1 + 7 + 7 + 4);
        let spoilt = |at: usize, byte: u8| {
            let mut bytes = good.clone();
            bytes[at] = byte;
            read_all(bytes)
        };
        assert_eq!(spoilt(9, 0), Err(CursorError::Value), "index 0");
        assert_eq!(spoilt(10, 0), Err(CursorError::Value), "term 0");
        assert_eq!(spoilt(11, 0), Err(CursorError::Count), "an empty run");
        assert_eq!(spoilt(17, 0), Err(CursorError::Value), "the same term again");
        assert_eq!(spoilt(16, 1), Err(CursorError::Trailing), "payloads end early");
        assert_eq!(spoilt(16, 9), Err(CursorError::Short), "payloads end late");
        assert_eq!(spoilt(0, 9), Err(CursorError::Count), "more entries than bytes");
        assert_eq!(spoilt(1, 200), Err(CursorError::Short), "longer than the rest");
    }
}
