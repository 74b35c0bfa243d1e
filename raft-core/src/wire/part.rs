//! The parts of messages and records, and the tables that put them in order.
//!
//! **Intuition.** A message is a list of fields, each a number, a flag or a few of them. So its
//! code is a table: one line a field, in the order of the wire, with the version that brought the
//! field and what stands in for it where an older version leaves it out.
//! **Source.** Ours; padding older payloads with defaults is S-08.
//! **Upholds.** `inv:bounded`.
//! **Not here.** The tables (`message.rs`, `record.rs`), numbers (`cursor.rs`).

use alloc::{boxed::Box, vec::Vec};

use super::{
    cursor::{Cursor, CursorError, put_u64},
    record,
};
use crate::{
    snapshot::meta::SnapshotMeta,
    types::{
        BootId, ClusterId, GroupId, Incarnation, LogIndex, LogPosition, NodeId, RecoveryEpoch,
        StageId, Term,
    },
};

/// A value with one spelling in every version.
pub(crate) trait Part: Sized {
    /// Appends it.
    fn put(&self, out: &mut Vec<u8>);
    /// Takes it from the front.
    fn get(cursor: &mut Cursor) -> Result<Self, CursorError>;
}

/// Where in what bytes had no meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PartError {
    /// Name of the value and of its field.
    pub(crate) part: &'static str,
    /// Offset from the start of the buffer.
    pub(crate) at: usize,
    pub(crate) fault: CursorError,
}

/// A list of parts that grows from version to version.
pub(crate) trait Fields: Sized {
    /// Appends what `version` knows of it.
    fn put(&self, version: u8, out: &mut Vec<u8>);
    /// Takes what `version` knows; the rest takes its defaults.
    fn get(version: u8, cursor: &mut Cursor) -> Result<Self, PartError>;
    /// Shows each field's name and bytes, in order.
    fn each(&self, version: u8, visit: &mut dyn FnMut(&'static str, &[u8]));
}

/// `Type { field; field; }`: a [`Part`] whose parts stand one after the other.
macro_rules! parts {
    ($name:ty { $($field:ident;)* }) => {
        impl $crate::wire::part::Part for $name {
            #[inline]
            fn put(&self, out: &mut ::alloc::vec::Vec<u8>) {
                $($crate::wire::part::Part::put(&self.$field, out);)*
            }
            #[inline]
            fn get(
                cursor: &mut $crate::wire::cursor::Cursor,
            ) -> Result<Self, $crate::wire::cursor::CursorError> {
                Ok(Self { $($field: $crate::wire::part::Part::get(cursor)?,)* })
            }
        }
    };
}

/// `Enum { 0 => Variant { field }, … }`: a tag, then the variant's parts.
macro_rules! choice {
    ($name:ty { $($tag:literal => $variant:ident { $($field:tt)* },)* }) => {
        impl $crate::wire::part::Part for $name {
            fn put(&self, out: &mut ::alloc::vec::Vec<u8>) {
                match self {
                    $(choice!(@pattern value, $variant { $($field)* }) => {
                        out.push($tag);
                        choice!(@put out, value, $($field)*);
                    })*
                }
            }
            fn get(
                cursor: &mut $crate::wire::cursor::Cursor,
            ) -> Result<Self, $crate::wire::cursor::CursorError> {
                match cursor.u8()? {
                    $($tag => Ok(choice!(@get cursor, $variant { $($field)* })),)*
                    other => Err($crate::wire::cursor::CursorError::Tag(other)),
                }
            }
        }
    };
    // A variant with one unnamed value is written `Variant { .0 }`.
    (@pattern $value:ident, $variant:ident { .0 }) => { Self::$variant($value) };
    (@pattern $value:ident, $variant:ident { $($field:ident),* }) => { Self::$variant { $($field),* } };
    (@put $out:ident, $value:ident, .0) => { $crate::wire::part::Part::put($value, $out); };
    (@put $out:ident, $value:ident, $($field:ident),*) => { $($crate::wire::part::Part::put($field, $out);)* };
    (@get $cursor:ident, $variant:ident { .0 }) => {
        Self::$variant($crate::wire::part::Part::get($cursor)?)
    };
    (@get $cursor:ident, $variant:ident { $($field:ident),* }) => {
        Self::$variant { $($field: $crate::wire::part::Part::get($cursor)?),* }
    };
}

/// `Type { field; field since 1 or DEFAULT; }`: [`Fields`], one line a field, in wire order.
///
/// A field that a later version brings is added at the end, with what stands in for it where the
/// other side does not know it.
macro_rules! fields {
    ($name:ident { $($field:ident $(since $since:literal or $default:expr)?;)* }) => {
        impl $crate::wire::part::Fields for $name {
            #[inline]
            fn put(&self, version: u8, out: &mut ::alloc::vec::Vec<u8>) {
                let _ = version;
                $($(if version >= $since)? {
                    $crate::wire::part::Part::put(&self.$field, out);
                })*
            }
            #[inline]
            fn get(
                version: u8,
                cursor: &mut $crate::wire::cursor::Cursor,
            ) -> Result<Self, $crate::wire::part::PartError> {
                let _ = version;
                Ok(Self {
                    $($field: $(if version < $since { $default } else)? {
                        match $crate::wire::part::Part::get(cursor) {
                            Ok(value) => value,
                            Err(fault) => {
                                return Err($crate::wire::part::PartError {
                                    part: concat!(stringify!($name), ".", stringify!($field)),
                                    at: cursor.at(),
                                    fault,
                                });
                            }
                        }
                    },)*
                })
            }
            fn each(&self, version: u8, visit: &mut dyn FnMut(&'static str, &[u8])) {
                let _ = version;
                let mut scratch = ::alloc::vec::Vec::new();
                $($(if version >= $since)? {
                    scratch.clear();
                    $crate::wire::part::Part::put(&self.$field, &mut scratch);
                    visit(concat!(stringify!($name), ".", stringify!($field)), &scratch);
                })*
            }
        }
    };
}

pub(crate) use {choice, fields, parts};

impl Part for u64 {
    #[inline]
    fn put(&self, out: &mut Vec<u8>) {
        put_u64(out, *self);
    }
    #[inline]
    fn get(cursor: &mut Cursor) -> Result<Self, CursorError> {
        cursor.u64()
    }
}

impl Part for u32 {
    fn put(&self, out: &mut Vec<u8>) {
        put_u64(out, u64::from(*self));
    }
    fn get(cursor: &mut Cursor) -> Result<Self, CursorError> {
        Self::try_from(cursor.u64()?).map_err(|_| CursorError::Number)
    }
}

impl Part for u8 {
    fn put(&self, out: &mut Vec<u8>) {
        out.push(*self);
    }
    fn get(cursor: &mut Cursor) -> Result<Self, CursorError> {
        cursor.u8()
    }
}

impl Part for bool {
    fn put(&self, out: &mut Vec<u8>) {
        out.push(u8::from(*self));
    }
    fn get(cursor: &mut Cursor) -> Result<Self, CursorError> {
        cursor.flag()
    }
}

impl<T: Part> Part for Option<T> {
    fn put(&self, out: &mut Vec<u8>) {
        self.is_some().put(out);
        if let Some(value) = self {
            value.put(out);
        }
    }
    fn get(cursor: &mut Cursor) -> Result<Self, CursorError> {
        Ok(if cursor.flag()? { Some(T::get(cursor)?) } else { None })
    }
}

macro_rules! number {
    ($($name:ident)*) => {
        $(impl Part for $name {
            #[inline]
            fn put(&self, out: &mut Vec<u8>) {
                put_u64(out, self.0);
            }
            #[inline]
            fn get(cursor: &mut Cursor) -> Result<Self, CursorError> {
                cursor.u64().map(Self)
            }
        })*
    };
}

number! { NodeId Term LogIndex ClusterId GroupId Incarnation BootId StageId }

parts!(LogPosition {
    term;
    index;
});
parts!(RecoveryEpoch {
    number;
    plan_id;
});

/// A snapshot's description is a record inside: its format counts apart from the wire's.
impl Part for Box<SnapshotMeta> {
    fn put(&self, out: &mut Vec<u8>) {
        super::cursor::put_bytes(out, &self.encode());
    }
    fn get(cursor: &mut Cursor) -> Result<Self, CursorError> {
        let bytes = cursor.bytes(record::RECORD_BYTES_MAX)?;
        SnapshotMeta::decode(bytes).map(Self::new).map_err(|_| CursorError::Value)
    }
}
