//! A source of choices: bytes, read from the front, zeros when they end.
//!
//! **Intuition.** A number is drawn in one of a few ways (tiny, near something, at the end of the
//! range, anything), so that a fuzzer that knows nothing reaches the interesting ones in a byte or
//! two, and the same bytes are always the same choices.
//! **Source.** Ours.
//! **Upholds.** Nothing.
//! **Not here.** What is built from the choices (`arbitrary.rs`, `steps.rs`).

/// Bytes as choices.
#[derive(Clone, Debug)]
pub struct Source<'a> {
    rest: &'a [u8],
}

impl<'a> Source<'a> {
    /// All of `bytes`.
    #[must_use]
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// Whether all choices from here on are 0.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// One byte.
    pub fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.rest.split_first() else { return 0 };
        self.rest = rest;
        *first
    }

    /// Below `count`; 0 if that is 0.
    pub fn below(&mut self, count: usize) -> usize {
        usize::from(self.byte()).checked_rem(count).unwrap_or(0)
    }

    /// Once in `count`.
    pub fn rarely(&mut self, count: u8) -> bool {
        self.byte() % count.max(1) == 1
    }

    /// Even odds.
    pub fn flag(&mut self) -> bool {
        self.byte() & 1 == 1
    }

    /// One of these.
    pub fn pick<T: Copy>(&mut self, of: &[T]) -> Option<T> {
        of.get(self.below(of.len())).copied()
    }

    /// Eight bytes.
    pub fn word(&mut self) -> u64 {
        (0..8).fold(0, |word, _| word << 8 | u64::from(self.byte()))
    }

    /// Any number, the small ones and the ends of the range most often.
    pub fn number(&mut self) -> u64 {
        match self.byte() {
            byte @ 0..=199 => u64::from(byte % 16),
            200..=219 => u64::from(self.byte()),
            220..=229 => u64::MAX - u64::from(self.byte() % 4),
            230..=239 => 1_u64.checked_shl(u32::from(self.byte() % 64)).unwrap_or(0),
            _ => self.word(),
        }
    }

    /// A number close to `base`, mostly.
    pub fn near(&mut self, base: u64) -> u64 {
        match self.byte() {
            0..=159 => base,
            160..=189 => base.saturating_add(1),
            190..=209 => base.saturating_sub(1),
            210..=229 => base.saturating_sub(u64::from(self.byte() % 8)),
            230..=239 => base.saturating_add(u64::from(self.byte() % 8)),
            _ => self.number(),
        }
    }
}
