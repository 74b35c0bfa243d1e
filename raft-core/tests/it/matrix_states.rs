//! The states of the matrix: each reached by inputs, none put together by hand.
//!
//! **Intuition.** Role, membership and lifecycle are three axes. The walks over them below are
//! exhaustive matches: whoever adds a value has to say which state shows it.
//! **Source.** Thesis Fig. 3.3, §4.2.1; lifecycles are ours.
//! **Upholds.** Nothing; it is what `matrix.rs` stands on.
//! **Not here.** Messages (`matrix.rs`).

use raft_core::{
    BootId, Configuration, ConfigurationParts, DisableReason, Entries, Entry, EntryKind, Input,
    Lifecycle, LogIndex, Membership, Message, NodeId, NotMember, Role, RoundId, TransferRequest,
};

use crate::rig::*;

/// Who speaks to n1.
pub(crate) const SENDER: u64 = 2;
const OTHER: u64 = 3;

/// A server that is about to hear something, and what it said before.
pub(crate) struct Scene {
    pub(crate) rig: Rig,
    /// Its open question (a round of pre-votes, a read), or what would be its first.
    pub(crate) context: RoundId,
    /// The newest round of appends it sent.
    pub(crate) round: u64,
}

macro_rules! states {
    ($($state:ident: $text:literal,)+) => {
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum State { $($state,)+ }

        impl State {
            pub(crate) const ALL: [Self; [$(Self::$state),+].len()] = [$(Self::$state),+];

            pub(crate) const fn describe(self) -> &'static str {
                match self { $(Self::$state => $text,)+ }
            }
        }
    };
}

states! {
    FollowerFree: "a follower that knows no leader and has not voted",
    FollowerOfSender: "a follower of n2, with a read that waits for its word",
    FollowerOfAnother: "a follower of n3, heard just now",
    PreCandidate: "a pre-candidate",
    Candidate: "a candidate",
    Leader: "a leader, just elected by n3",
    LeaderHandingOver: "a leader that hands over to n2",
    Learner: "a learner that knows no leader",
    Witness: "a witness that knows no leader",
    Blank: "an empty disk without a group",
    Removed: "a removed member",
    Disabled: "a follower of n2 taken out of service by an operator",
    Quarantined: "a voter whose disk lost what it had acknowledged",
    Halted: "a leader that was shut down",
}

/// Entries without data, which a witness keeps too.
pub(crate) fn noops(before: u64, terms: &[u64]) -> Entries {
    let noop = |(offset, term): (usize, &u64)| {
        let entry = Entry { kind: EntryKind::NOOP, ..Entry::default() };
        (at(*term, before + offset as u64 + 1), entry)
    };
    Entries::collect(terms.iter().enumerate().map(noop)).unwrap()
}

/// n1 of three in term `term` with a log of 1 1 3, after a restart.
fn begun(term: u64, change: impl FnOnce(&mut Rig)) -> Rig {
    let mut rig = Rig::with(3, with(|o| o.commit_notice_ns = 0));
    change(&mut rig);
    let disk = &mut rig.at(1).disk;
    disk.hard.term = raft_core::Term(term);
    disk.log = noops(0, &[1, 1, 3]).iter().map(|e| (e.position, e.entry.clone())).collect();
    rig.restart(1);
    rig
}

fn member_as(change: impl FnOnce(&mut ConfigurationParts)) -> Rig {
    begun(5, |rig| {
        let mut parts = rig.voters.parts().clone();
        change(&mut parts);
        rig.voters = Configuration::from_parts(parts).unwrap();
    })
}

fn heard_from(leader: u64) -> Rig {
    let mut rig = begun(5, |_| ());
    let Message::AppendEntries(mut append) = append((3, 3), &[], 3, 1) else { panic!() };
    append.entries = noops(3, &[5]);
    rig.tell(leader, 1, 5, Message::AppendEntries(append)).unwrap();
    rig
}

/// Asks everybody in term 4 and, as a candidate or leader, goes on to term 5.
fn campaigning(role: Role) -> Rig {
    let mut rig = begun(if role == Role::PreCandidate { 5 } else { 4 }, |_| ());
    rig.expire(1);
    if role != Role::PreCandidate {
        let round = RoundId { boot: BootId(1_001), number: 1 };
        rig.tell(OTHER, 1, 4, pre_vote_reply(round, true)).unwrap();
    }
    if role == Role::Leader {
        rig.tell(OTHER, 1, 5, vote(true)).unwrap();
    }
    rig
}

impl State {
    /// n1 in this state, everything it said until then lost.
    pub(crate) fn scene(self) -> Scene {
        let mut rig = match self {
            Self::FollowerFree => begun(5, |_| ()),
            Self::FollowerOfSender => {
                let mut rig = heard_from(SENDER);
                rig.step(1, Input::ReadWith(Default::default())).unwrap();
                rig
            }
            Self::FollowerOfAnother => heard_from(OTHER),
            Self::PreCandidate => campaigning(Role::PreCandidate),
            Self::Candidate => campaigning(Role::Candidate),
            Self::Leader => campaigning(Role::Leader),
            Self::LeaderHandingOver => {
                let mut rig = campaigning(Role::Leader);
                for peer in [SENDER, OTHER] {
                    rig.tell(peer, 1, 5, matched(4, 1)).unwrap();
                }
                let request = TransferRequest { to: Some(NodeId(SENDER)), replace: false };
                let now = rig.now;
                rig.at(1).node.transfer(now, request).unwrap();
                rig.drain(1);
                rig
            }
            Self::Learner => member_as(|parts| {
                parts.voters.retain(|voter| voter.0 != 1);
                parts.learners.push(NodeId(1));
            }),
            Self::Witness => member_as(|parts| parts.witnesses.push(NodeId(1))),
            Self::Blank => {
                let mut rig = Rig::with(3, Default::default());
                rig.at(1).blank = true;
                rig.begin(1, 5, None, &[]);
                rig
            }
            Self::Removed => {
                let mut rig = begun(5, |_| ());
                let (commit, configuration_index) = (LogIndex(9), LogIndex(9));
                let told = NotMember { commit, configuration_index };
                rig.tell(OTHER, 1, 5, Message::NotMember(told)).unwrap();
                rig
            }
            Self::Disabled => {
                let mut rig = heard_from(SENDER);
                rig.step(1, Input::Disable(DisableReason::Operator(1))).unwrap();
                rig
            }
            Self::Quarantined => begun(5, |rig| rig.at(1).disk.hard.mark = at(3, 9)),
            Self::Halted => {
                let mut rig = campaigning(Role::Leader);
                rig.step(1, Input::Shutdown).unwrap();
                rig
            }
        };
        let mut scene = RoundId { boot: BootId(1_001), number: 1 };
        let mut round = 0;
        for envelope in rig.sent_by(1) {
            match envelope.message {
                Message::PreVote(ask) => scene = ask.round,
                Message::ReadIndex(ask) => scene = ask.context,
                Message::AppendEntries(append) => round = append.round.max(round),
                _ => {}
            }
        }
        rig.lose_all();
        Scene { rig, context: scene, round }
    }

    /// Where it stands on the three axes.
    pub(crate) const fn offices(self) -> (Role, Membership, Lifecycle) {
        use Lifecycle::Running;
        use Membership::Voter;
        match self {
            Self::FollowerFree | Self::FollowerOfSender | Self::FollowerOfAnother => {
                (Role::Follower, Voter, Running)
            }
            Self::PreCandidate => (Role::PreCandidate, Voter, Running),
            Self::Candidate => (Role::Candidate, Voter, Running),
            Self::Leader | Self::LeaderHandingOver => (Role::Leader, Voter, Running),
            Self::Learner => (Role::Follower, Membership::Learner, Running),
            Self::Witness => (Role::Follower, Membership::Witness, Running),
            Self::Blank => (Role::Follower, Membership::Blank, Running),
            Self::Removed => (Role::Follower, Membership::Removed, Running),
            Self::Disabled => (Role::Follower, Voter, Lifecycle::Disabled),
            Self::Quarantined => (Role::Follower, Voter, Lifecycle::Quarantined),
            // What it led is over with it.
            Self::Halted => (Role::Follower, Voter, Lifecycle::Halted),
        }
    }

    /// Every value of every axis is shown by some state.
    pub(crate) fn check_complete() {
        let shown = |of: &dyn Fn((Role, Membership, Lifecycle)) -> bool| {
            Self::ALL.iter().any(|state| of(state.offices()))
        };
        let mut role = Some(Role::default());
        while let Some(now) = role {
            assert!(shown(&|(role, ..)| role == now), "no state shows {now}");
            role = match now {
                Role::Follower => Some(Role::PreCandidate),
                Role::PreCandidate => Some(Role::Candidate),
                Role::Candidate => Some(Role::Leader),
                Role::Leader => None,
            };
        }
        let mut membership = Some(Membership::default());
        while let Some(now) = membership {
            assert!(shown(&|(_, membership, _)| membership == now), "no state shows {now}");
            membership = match now {
                Membership::Blank => Some(Membership::Learner),
                Membership::Learner => Some(Membership::Voter),
                Membership::Voter => Some(Membership::Witness),
                Membership::Witness => Some(Membership::Removed),
                Membership::Removed => None,
            };
        }
        let mut lifecycle = Some(Lifecycle::default());
        while let Some(now) = lifecycle {
            assert!(shown(&|(.., lifecycle)| lifecycle == now), "no state shows {now}");
            lifecycle = match now {
                Lifecycle::Running => Some(Lifecycle::Quarantined),
                Lifecycle::Quarantined => Some(Lifecycle::Disabled),
                Lifecycle::Disabled => Some(Lifecycle::Halted),
                Lifecycle::Halted => None,
            };
        }
    }
}
