//! Rare state: a word until it is needed.
//!
//! **Intuition.** A host keeps tens of thousands of groups, nearly all of them idle, and what an
//! idle group does not hold stays in the processor's cache for one that works. So state that most
//! groups never have lives in a box that is made when it is first written; to a reader it is there
//! all along, empty.
//! **Source.** Ours, from measuring idle groups.
//! **Upholds.** Nothing: a value is equal to itself boxed or not.
//! **Not here.** Whose state it is.

use alloc::{boxed::Box, collections::VecDeque, vec::Vec};
use core::{
    fmt,
    ops::{Deref, DerefMut},
};

/// What an unmade box is read as.
pub(crate) trait Empty: Default + 'static {
    const EMPTY: &'static Self;
}

impl<T: 'static> Empty for Vec<T> {
    const EMPTY: &'static Self = &Self::new();
}

impl<T: 'static> Empty for VecDeque<T> {
    const EMPTY: &'static Self = &Self::new();
}

impl<T: 'static> Empty for Option<T> {
    const EMPTY: &'static Self = &None;
}

/// A `T` that takes one word while it is empty.
#[derive(Clone)]
pub(crate) struct Lazy<T>(Option<Box<T>>);

impl<T: Empty> Lazy<T> {
    /// Makes it empty, and gives the box back.
    pub(crate) fn clear(&mut self) {
        self.0 = None;
    }

    /// Makes it `value`; no box for an empty one.
    pub(crate) fn set(&mut self, value: T)
    where
        T: PartialEq,
    {
        if value == *T::EMPTY {
            self.clear();
        } else {
            **self = value;
        }
    }

    /// What it holds, if anything was ever written into it. Writing through this makes no box.
    pub(crate) fn made(&mut self) -> Option<&mut T> {
        self.0.as_deref_mut()
    }

    /// Gives the box back if it holds nothing.
    pub(crate) fn tidy(&mut self)
    where
        T: PartialEq,
    {
        if **self == *T::EMPTY {
            self.clear();
        }
    }
}

impl<T> Default for Lazy<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<T: Empty> Deref for Lazy<T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        self.0.as_deref().unwrap_or(T::EMPTY)
    }
}

impl<T: Empty> DerefMut for Lazy<T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        self.0.get_or_insert_with(Box::default)
    }
}

impl<T: Empty + PartialEq> PartialEq for Lazy<T> {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl<T: Empty + Eq> Eq for Lazy<T> {}

impl<T: Empty + fmt::Debug> fmt::Debug for Lazy<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

#[cfg(feature = "serde")]
impl<T: Empty + serde::Serialize> serde::Serialize for Lazy<T> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (**self).serialize(serializer)
    }
}

#[cfg(feature = "serde")]
impl<'de, T: Empty + serde::Deserialize<'de>> serde::Deserialize<'de> for Lazy<T> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        T::deserialize(deserializer).map(|value| Self(Some(Box::new(value))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Empty for u64 {
        const EMPTY: &'static Self = &0;
    }

    #[test]
    fn it_reads_as_empty_until_it_is_written_and_is_equal_boxed_or_not() {
        let mut sut: Lazy<u64> = Lazy::default();
        assert_eq!((*sut, sut.made()), (0, None));
        *sut = 7;
        assert_eq!((*sut, sut.made()), (7, Some(&mut 7)));
        *sut = 0;
        assert!(sut.made().is_some());
        assert_eq!(sut, Lazy::default());
        sut.tidy();
        assert!(sut.made().is_none());
        sut.set(0);
        assert!(sut.made().is_none());
        sut.set(7);
        sut.tidy();
        assert_eq!(*sut, 7);
        sut.clear();
        assert!(sut.made().is_none());
        assert_eq!(size_of::<Lazy<[u64; 9]>>(), 8);
    }
}
