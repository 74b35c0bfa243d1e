//! The messages as tables: one line a field, one line a kind.
//!
//! **Intuition.** Numbers of kinds and the order of fields are frozen. What a later version brings
//! names that version, and what an older peer reads in its place: always the answer that promises
//! least.
//! **Source.** Ours; S-08.
//! **Upholds.** `inv:lease-bound` (a promise that cannot be said is none).
//! **Not here.** Entries (`entries.rs`), the envelope around a message (`encode.rs`, `decode.rs`).

use alloc::vec::Vec;

use super::{
    cursor::Cursor,
    part::{Fields, PartError, choice, fields, parts},
    version::NotInVersion,
};
use crate::{
    message::{
        AppendEntries, AppendReply, AppendResult, InstallMeta, Message, NotMember, PreVote,
        PreVoteReply, ReadIndex, ReadIndexReply, RequestVote, RoundId, TimeoutNow, TransferRefusal,
        TransferRefused, VoteReply,
    },
    types::LogIndex,
};

parts!(RoundId {
    boot;
    number;
});
choice!(AppendResult {
    0 => Matched { matched },
    1 => Refused { previous, hint },
    2 => NeedSnapshot {},
    3 => StaleTerm {},
});
choice!(TransferRefusal {
    0 => LogDiffers {},
    1 => Ineligible {},
});

fields!(PreVote {
    round;
    campaign_term;
    last;
});
fields!(PreVoteReply {
    round;
    granted;
});
fields!(RequestVote {
    last;
    // Without it a campaign does not pass by a voter that hears its leader.
    authorised_by since 1 or None;
});
fields!(VoteReply {
    granted;
});
fields!(AppendEntries {
    previous;
    commit;
    round;
    void_transfer;
    entries;
});
fields!(AppendReply {
    round;
    result;
    // No promise is no evidence for a lease; a leader never serves by what it was not promised.
    promise_ns since 1 or 0;
    // Unknown counts as nothing: such a follower is no target of a transfer yet.
    applied since 1 or LogIndex::ZERO;
});
fields!(TimeoutNow {
    transfer;
    last;
});
fields!(TransferRefused {
    transfer;
    reason;
});
fields!(ReadIndex {
    context;
});
fields!(ReadIndexReply {
    context;
    index;
});
fields!(InstallMeta {
    round;
    meta;
});
fields!(NotMember {
    commit;
    configuration_index;
});

/// `number Kind;` with `since` where an older version has no such message.
macro_rules! kinds {
    ($($number:literal $kind:ident $(since $since:literal)?;)*) => {
        /// Every kind of message: its number, its name and the version that brought it.
        pub const MESSAGE_KINDS: &[(u8, &str, u8)] =
            &[$(($number, stringify!($kind), 0 $(+ $since)?)),*];

        /// The number of a message's kind.
        pub(crate) const fn kind(message: &Message) -> u8 {
            match message {
                $(Message::$kind(_) => $number,)*
            }
        }

        /// The first version that has the kind; `None` for a number that no version has.
        pub(crate) const fn since(kind: u8) -> Option<u8> {
            match kind {
                $($number => Some(0 $(+ $since)?),)*
                _ => None,
            }
        }

        pub(crate) fn put(message: &Message, version: u8, out: &mut Vec<u8>) {
            match message {
                $(Message::$kind(said) => said.put(version, out),)*
            }
        }

        /// `None` for a kind that no version has.
        pub(crate) fn get(
            kind: u8,
            version: u8,
            cursor: &mut Cursor,
        ) -> Option<Result<Message, PartError>> {
            match kind {
                $($number => Some(Fields::get(version, cursor).map(Message::$kind)),)*
                _ => None,
            }
        }

        pub(crate) fn each(
            message: &Message,
            version: u8,
            visit: &mut dyn FnMut(&'static str, &[u8]),
        ) {
            match message {
                $(Message::$kind(said) => said.each(version, visit),)*
            }
        }
    };
}

kinds! {
    1 PreVote;
    2 PreVoteReply;
    3 RequestVote;
    4 VoteReply;
    5 AppendEntries;
    6 AppendReply;
    7 TimeoutNow;
    8 TransferRefused since 1;
    9 ReadIndex since 1;
    10 ReadIndexReply since 1;
    11 InstallMeta;
    12 NotMember;
}

/// Whether `version` has words for all of `message` that must not be left out.
pub(crate) fn expressible(message: &Message, version: u8) -> Result<(), NotInVersion> {
    let kind = kind(message);
    if since(kind).is_none_or(|since| version < since) {
        return Err(NotInVersion::Message { kind, version });
    }
    if let Message::AppendEntries(append) = message
        && version < super::VERSION_MAX
    {
        for at in append.entries.iter() {
            let kind = at.entry.kind;
            if kind.is_known(super::VERSION_MAX) && !kind.is_known(version) {
                let index = at.position.index;
                return Err(NotInVersion::Entry { index, kind: kind.0, version });
            }
        }
    }
    Ok(())
}
