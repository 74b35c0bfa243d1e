//! Reading and writing the primitive parts of every byte format of this crate.
//!
//! **Intuition.** Numbers are little-endian base-128 with one legal spelling each, lists are a
//! count and then the items. A reader knows how much is left, so nothing is allocated for a count
//! that the bytes cannot hold.
//! **Source.** Ours; overlong numbers and counts without bytes behind them are the classic holes.
//! **Upholds.** `inv:bounded`.
//! **Not here.** What the parts mean (`wire/`, `config/codec.rs`, `settings.rs`).

use alloc::vec::Vec;

use bytes::Bytes;

/// Why bytes have no meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CursorError {
    /// They end in the middle of something.
    Short,
    /// A number is spelled with more bytes than it needs, or does not fit 64 bits.
    Number,
    /// A count is above its limit or above what the bytes can hold.
    Count,
    /// A tag or flag has a value that this version does not know.
    Tag(u8),
}

/// Appends parts to a buffer.
pub(crate) fn put_u64(out: &mut Vec<u8>, mut value: u64) {
    loop {
        let low = u8::try_from(value & 0x7f).unwrap_or(0);
        value >>= 7;
        if value == 0 {
            out.push(low);
            return;
        }
        out.push(low | 0x80);
    }
}

/// Appends a length and the bytes.
pub(crate) fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_u64(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// Takes parts from the front of a buffer.
#[derive(Clone, Debug)]
pub(crate) struct Cursor {
    rest: Bytes,
}

impl Cursor {
    pub(crate) const fn new(bytes: Bytes) -> Self {
        Self { rest: bytes }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    pub(crate) fn left(&self) -> usize {
        self.rest.len()
    }

    pub(crate) fn u8(&mut self) -> Result<u8, CursorError> {
        let first = self.rest.first().copied().ok_or(CursorError::Short)?;
        let _ = self.rest.split_to(1);
        Ok(first)
    }

    pub(crate) fn flag(&mut self) -> Result<bool, CursorError> {
        match self.u8()? {
            0 => Ok(false),
            1 => Ok(true),
            other => Err(CursorError::Tag(other)),
        }
    }

    pub(crate) fn u64(&mut self) -> Result<u64, CursorError> {
        let mut value = 0_u64;
        let mut shift = 0_u32;
        for (at, byte) in self.rest.iter().enumerate() {
            let low = u64::from(byte & 0x7f);
            if shift == 63 && low > 1 || shift > 63 {
                return Err(CursorError::Number);
            }
            value |= low.checked_shl(shift).unwrap_or(0);
            if byte & 0x80 == 0 {
                if *byte == 0 && at > 0 {
                    return Err(CursorError::Number);
                }
                let _ = self.rest.split_to(at.saturating_add(1));
                return Ok(value);
            }
            shift = shift.saturating_add(7);
        }
        Err(if shift > 63 { CursorError::Number } else { CursorError::Short })
    }

    /// A count of items of at least `item_bytes` bytes each, at most `max`.
    pub(crate) fn count(&mut self, item_bytes: usize, max: usize) -> Result<usize, CursorError> {
        let count = usize::try_from(self.u64()?).map_err(|_| CursorError::Count)?;
        let needed = count.checked_mul(item_bytes).ok_or(CursorError::Count)?;
        if count > max || needed > self.rest.len() {
            return Err(CursorError::Count);
        }
        Ok(count)
    }

    /// The next `len` bytes, shared with the buffer.
    pub(crate) fn take(&mut self, len: usize) -> Result<Bytes, CursorError> {
        if len > self.rest.len() {
            return Err(CursorError::Short);
        }
        Ok(self.rest.split_to(len))
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
}
