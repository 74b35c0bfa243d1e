//! Reading and writing the primitive parts of every byte format of this crate.
//!
//! **Intuition.** Numbers are little-endian base-128 with one legal spelling each, lists are a
//! count and then the items. A reader knows how much is left, so nothing is allocated for a count
//! that the bytes cannot hold.
//! **Source.** Ours; overlong numbers and counts without bytes behind them are the classic holes.
//! **Upholds.** `inv:bounded`.
//! **Not here.** What the parts mean (`wire/`, `config/codec.rs`, `settings.rs`).

use alloc::vec::Vec;
use core::fmt;

use bytes::Bytes;

/// Why bytes have no meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum CursorError {
    /// They end in the middle of something.
    Short,
    /// A number is spelled with more bytes than it needs, or does not fit its type.
    Number,
    /// A count is above its limit or above what the bytes can hold.
    Count,
    /// A tag or flag has a value that this version does not know.
    Tag(u8),
    /// Every part can be read and together they mean nothing.
    Value,
    /// Something stands behind the last part.
    Trailing,
}

impl fmt::Display for CursorError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Short => f.write_str("the bytes end early"),
            Self::Number => f.write_str("a number is spelled too long or does not fit"),
            Self::Count => f.write_str("a count is over its limit or over what the bytes hold"),
            Self::Tag(tag) => write!(f, "tag {tag} is not known"),
            Self::Value => f.write_str("the parts contradict each other"),
            Self::Trailing => f.write_str("something stands behind the last part"),
        }
    }
}

impl core::error::Error for CursorError {}

/// Appends a number.
#[inline]
pub(crate) fn put_u64(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        // The mask makes the cast exact.
        out.push(u8::try_from(value & 0x7f).unwrap_or(0) | 0x80);
        value >>= 7;
    }
    out.push(u8::try_from(value & 0x7f).unwrap_or(0));
}

/// Appends a length and the bytes.
pub(crate) fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_u64(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// Takes parts from the front of a buffer. Nothing is taken by a call that fails.
#[derive(Clone, Debug)]
pub(crate) struct Cursor {
    bytes: Bytes,
    at: usize,
    end: usize,
}

impl Cursor {
    pub(crate) const fn new(bytes: Bytes) -> Self {
        Self::starting_at(bytes, 0)
    }

    /// The same buffer from `at` on.
    pub(crate) const fn starting_at(bytes: Bytes, at: usize) -> Self {
        let end = bytes.len();
        Self { bytes, at, end }
    }

    /// Lets only the next `len` bytes be taken; gives what [`Cursor::widen`] wants afterwards.
    pub(crate) const fn narrow(&mut self, len: usize) -> Result<usize, CursorError> {
        if len > self.left() {
            return Err(CursorError::Short);
        }
        let outer = self.end;
        self.end = self.at.saturating_add(len);
        Ok(outer)
    }

    /// Ends a [`Cursor::narrow`]; what was not taken of it is passed over.
    pub(crate) const fn widen(&mut self, outer: usize) {
        self.at = self.end;
        self.end = outer;
    }

    /// How many bytes were taken.
    pub(crate) const fn at(&self) -> usize {
        self.at
    }

    /// How long the buffer is, taken and left.
    pub(crate) const fn whole(&self) -> usize {
        self.bytes.len()
    }

    /// Passes over `len` bytes, or over what is left.
    pub(crate) fn skip(&mut self, len: usize) {
        self.at = self.at.saturating_add(len).min(self.end);
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.at >= self.end
    }

    pub(crate) const fn left(&self) -> usize {
        self.end.saturating_sub(self.at)
    }

    #[inline]
    fn rest(&self) -> &[u8] {
        self.bytes.get(self.at..self.end).unwrap_or(&[])
    }

    #[inline]
    pub(crate) fn u8(&mut self) -> Result<u8, CursorError> {
        let first = self.rest().first().copied().ok_or(CursorError::Short)?;
        self.at = self.at.saturating_add(1);
        Ok(first)
    }

    pub(crate) fn flag(&mut self) -> Result<bool, CursorError> {
        match self.rest().first() {
            None => Err(CursorError::Short),
            Some(0 | 1) => self.u8().map(|byte| byte == 1),
            Some(other) => Err(CursorError::Tag(*other)),
        }
    }

    /// Four bytes, little-endian: a length that was written before it was known.
    pub(crate) fn u32_fixed(&mut self) -> Result<u32, CursorError> {
        let bytes = self.rest().first_chunk().copied().ok_or(CursorError::Short)?;
        self.at = self.at.saturating_add(4);
        Ok(u32::from_le_bytes(bytes))
    }

    #[inline]
    pub(crate) fn u64(&mut self) -> Result<u64, CursorError> {
        match self.rest().first().copied() {
            Some(byte) if byte < 0x80 => {
                self.at = self.at.saturating_add(1);
                Ok(u64::from(byte))
            }
            _ => self.long_u64(),
        }
    }

    fn long_u64(&mut self) -> Result<u64, CursorError> {
        let mut value = 0_u64;
        let mut shift = 0_u32;
        for (at, byte) in self.rest().iter().enumerate() {
            let low = u64::from(byte & 0x7f);
            if shift == 63 && low > 1 || shift > 63 {
                return Err(CursorError::Number);
            }
            value |= low.checked_shl(shift).unwrap_or(0);
            if byte & 0x80 == 0 {
                if *byte == 0 && at > 0 {
                    return Err(CursorError::Number);
                }
                self.at = self.at.saturating_add(at).saturating_add(1);
                return Ok(value);
            }
            shift = shift.saturating_add(7);
        }
        Err(if shift > 63 { CursorError::Number } else { CursorError::Short })
    }

    /// A count of items of at least `item_bytes` bytes each, at most `max`.
    pub(crate) fn count(&mut self, item_bytes: usize, max: usize) -> Result<usize, CursorError> {
        let start = self.at;
        let count = usize::try_from(self.u64()?).ok().filter(|count| *count <= max);
        let needed = count.and_then(|count| count.checked_mul(item_bytes));
        match (count, needed) {
            (Some(count), Some(needed)) if needed <= self.left() => Ok(count),
            _ => {
                self.at = start;
                Err(CursorError::Count)
            }
        }
    }

    /// The next `len` bytes, shared with the buffer.
    pub(crate) fn take(&mut self, len: usize) -> Result<Bytes, CursorError> {
        let end = self.at.saturating_add(len);
        if len > self.left() {
            return Err(CursorError::Short);
        }
        let taken = self.bytes.slice(self.at..end);
        self.at = end;
        Ok(taken)
    }

    /// A length and that many bytes, at most `max`.
    pub(crate) fn bytes(&mut self, max: usize) -> Result<Bytes, CursorError> {
        let len = self.count(1, max)?;
        self.take(len)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8]) -> Result<u64, CursorError> {
        let mut cursor = Cursor::new(Bytes::copy_from_slice(bytes));
        let value = cursor.u64()?;
        assert!(cursor.is_empty());
        Ok(value)
    }

    #[test]
    fn numbers_have_one_spelling() {
        for value in [0, 1, 127, 128, 300, u64::from(u32::MAX), u64::MAX - 1, u64::MAX] {
            let mut out = Vec::new();
            put_u64(&mut out, value);
            assert_eq!(read(&out), Ok(value));
        }
        assert_eq!(read(&[0x80, 0x00]), Err(CursorError::Number));
        assert_eq!(read(&[0x80]), Err(CursorError::Short));
        assert_eq!(read(&[]), Err(CursorError::Short));
        let too_big = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02];
        assert_eq!(read(&too_big), Err(CursorError::Number));
        assert_eq!(read(&[0x80; 11]), Err(CursorError::Number));
    }

    #[test]
    fn a_count_is_believed_only_if_the_bytes_can_hold_it() {
        let mut cursor = Cursor::new(Bytes::from_static(&[3, 1, 2]));
        assert_eq!(cursor.clone().count(1, 9), Err(CursorError::Count));
        assert_eq!(cursor.clone().count(0, 2), Err(CursorError::Count));
        assert_eq!(cursor.count(0, 3), Ok(3));
        assert_eq!(cursor.left(), 2);
        assert_eq!(cursor.bytes(9), Ok(Bytes::from_static(&[2])));
    }

    #[test]
    fn a_flag_is_one_of_two_bytes() {
        let read = |byte| Cursor::new(Bytes::copy_from_slice(&[byte])).flag();
        assert_eq!((read(0), read(1)), (Ok(false), Ok(true)));
        for byte in 2..=u8::MAX {
            assert_eq!(read(byte), Err(CursorError::Tag(byte)));
        }
    }

    #[test]
    fn a_part_is_never_longer_than_what_is_around_it() {
        let mut sut = Cursor::new(Bytes::from_static(&[1, 2, 3, 4]));
        assert_eq!(sut.narrow(5), Err(CursorError::Short));
        let outer = sut.narrow(3).unwrap();
        assert_eq!((sut.narrow(4), sut.left()), (Err(CursorError::Short), 3));
        sut.skip(9);
        assert_eq!((sut.at(), sut.left()), (3, 0), "skipping ends with the part");
        sut.widen(outer);
        assert_eq!((sut.u8(), sut.u8()), (Ok(4), Err(CursorError::Short)));
    }
}
