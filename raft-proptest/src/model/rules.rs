//! Following and voting, rule by rule.
//!
//! **Intuition.** The boxes "AppendEntries RPC" and "RequestVote RPC" of the thesis's summary,
//! with the state a paper reader would write down.
//! **Source.** Thesis Fig. 3.1. Where the core departs, so does the model, on purpose:
//! a reply states what *this term's leader* has verified, not how long the log is, and commit
//! follows only that far; a refusal carries a hint; a reply that says nothing new is not sent; a
//! vote request is ignored while a leader was heard from lately (§4.2.3; a pre-vote is then answered
//! with no); a conflict with a
//! committed entry stops the node; a second leader in one term, or one that contradicts what it
//! already vouched for, is dropped.
//! **Upholds.** Checks `inv:log-matching`, `inv:one-vote-per-term`, `inv:committed-immutable`.
//! **Not here.** Campaigning and leading (`majority.rs`).

/// An entry as the model knows it.
pub type ModelEntry = (u64, Vec<u8>);

/// What the model answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// The vote.
    Vote(bool),
    /// The pre-vote.
    PreVote(bool),
    /// The log equals the leader's up to here.
    Matched(u64),
    /// There is no such entry; a match may be at (term, index) or below.
    Refused {
        /// The index refused.
        previous: u64,
        /// Term and index of the hint.
        hint: (u64, u64),
    },
    /// The sender's term is over.
    StaleTerm,
}

/// What became of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Taken; the reply, if it says anything new.
    Taken(Option<Reply>),
    /// Dropped, nothing changed.
    Dropped,
    /// The node must stop: the leader's log conflicts with what is committed.
    Stop,
}

/// One follower.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FollowerModel {
    /// Current term.
    pub term: u64,
    /// Vote in it.
    pub vote: Option<u64>,
    /// The log, index 1 first.
    pub log: Vec<ModelEntry>,
    /// Commit index.
    pub commit: u64,
    /// This term's leader, once heard from.
    pub leader: Option<u64>,
    /// How far the log is known to equal that leader's.
    pub verified: u64,
    /// For how long a leader that was heard from keeps askers away.
    pub patience: u64,
    /// Whether that holds for vote requests too, and not only for pre-votes.
    pub sticky: bool,
    /// Who was heard from last, and when.
    heard: Option<(u64, u64)>,
    /// Newest round seen, newest told, highest match told; of this term's leader.
    round: u64,
    told_round: u64,
    told_match: u64,
    told_refusal: bool,
}

impl FollowerModel {
    /// A follower with an empty log.
    #[must_use]
    pub fn new(patience: u64, sticky: bool) -> Self {
        Self { patience, sticky, ..Self::default() }
    }

    /// Position of the last entry: term, index.
    #[must_use]
    pub fn last(&self) -> (u64, u64) {
        (self.log.last().map_or(0, |entry| entry.0), self.log.len() as u64)
    }

    fn term_at(&self, index: u64) -> Option<u64> {
        match index {
            0 => Some(0),
            _ => self.log.get(index as usize - 1).map(|entry| entry.0),
        }
    }

    fn enter(&mut self, term: u64) {
        self.term = term;
        self.vote = None;
        self.verified = 0;
        self.follow(None);
    }

    fn follow(&mut self, leader: Option<u64>) {
        if self.leader != leader || leader.is_none() {
            self.leader = leader;
            (self.round, self.told_round, self.told_match) = (0, 0, 0);
            self.told_refusal = false;
        }
    }

    fn kept_away(&self, now: u64, asker: u64) -> bool {
        self.heard.is_some_and(|(leader, at)| leader != asker && now - at < self.patience)
    }

    /// A candidate asks for the vote of `term`; its log ends at `last`. `by` is the term whose leader
    /// hands over to it: that leader's own followers are not bound against it.
    pub fn request_vote(
        &mut self,
        now: u64,
        from: u64,
        term: u64,
        last: (u64, u64),
        by: Option<u64>,
    ) -> Outcome {
        if term < self.term {
            return Outcome::Taken(Some(Reply::Vote(false)));
        }
        let authorised = by == Some(self.term) && term == self.term + 1;
        let bound = self.sticky && !authorised && self.kept_away(now, from);
        if term > self.term {
            if bound {
                return Outcome::Dropped;
            }
            self.enter(term);
        }
        let free = self.vote.is_none_or(|holder| holder == from);
        let granted = free && last >= self.last();
        // Hearing from a leader was a promise to give no new vote for a while, in its own term
        // either: its leader may have been heard in the one before.
        if granted && bound && self.vote.is_none() {
            return Outcome::Dropped;
        }
        if granted {
            self.vote = Some(from);
        }
        Outcome::Taken(Some(Reply::Vote(granted)))
    }

    /// Somebody asks whether it would get the vote of `campaign`; changes nothing.
    #[must_use]
    pub fn pre_vote(&self, now: u64, from: u64, campaign: u64, last: (u64, u64)) -> Outcome {
        let open = campaign > self.term
            || campaign == self.term && self.vote.is_none_or(|holder| holder == from);
        let granted = open && last >= self.last() && !self.kept_away(now, from);
        Outcome::Taken(Some(Reply::PreVote(granted)))
    }

    /// An answer to something this follower never asked, or no longer asks.
    pub fn stray_answer(&mut self, term: u64) -> Outcome {
        if term <= self.term {
            return Outcome::Dropped;
        }
        self.enter(term);
        Outcome::Taken(None)
    }

    /// The leader of `term` says what follows `previous` (term, index).
    #[expect(clippy::too_many_arguments, reason = "the fields of the thesis's RPC")]
    pub fn append_entries(
        &mut self,
        now: u64,
        from: u64,
        term: u64,
        previous: (u64, u64),
        entries: &[ModelEntry],
        commit: u64,
        round: u64,
    ) -> Outcome {
        if term < self.term {
            return Outcome::Taken(Some(Reply::StaleTerm));
        }
        if term > self.term {
            self.enter(term);
        } else {
            let other = self.leader.is_some_and(|leader| leader != from);
            let conflict = if self.term_at(previous.1) == Some(previous.0) {
                let mut after = (previous.1 + 1..).zip(entries);
                after.find(|(at, entry)| self.term_at(*at) != Some(entry.0)).map(|(at, _)| at)
            } else {
                Some(previous.1)
            };
            let contradiction = conflict.is_some_and(|at| at > self.commit && at <= self.verified);
            if other || contradiction {
                return Outcome::Dropped;
            }
        }
        self.follow(Some(from));
        self.heard = Some((from, now));
        self.round = self.round.max(round);

        if self.term_at(previous.1) != Some(previous.0) {
            return self.refuse(previous);
        }
        for (index, entry) in (previous.1 + 1..).zip(entries) {
            match self.term_at(index) {
                Some(held) if held == entry.0 => continue,
                Some(_) if index <= self.commit => return Outcome::Stop,
                Some(_) => self.log.truncate(index as usize - 1),
                None => {}
            }
            self.log.push(entry.clone());
        }
        self.verified = self.verified.max(previous.1 + entries.len() as u64);
        self.commit = self.commit.max(commit.min(self.verified));

        let news = std::mem::take(&mut self.told_refusal)
            || self.round > self.told_round
            || self.verified > self.told_match;
        (self.told_round, self.told_match) = (self.round, self.verified);
        Outcome::Taken(news.then_some(Reply::Matched(self.verified)))
    }

    fn refuse(&mut self, previous: (u64, u64)) -> Outcome {
        if previous.1 <= self.commit {
            return Outcome::Stop;
        }
        // The highest position that may match: index and term at most those refused.
        let mut index = previous.1.min(self.log.len() as u64);
        while index > 0 && self.log[index as usize - 1].0 > previous.0 {
            index -= 1;
        }
        // Nothing below commit can be missing at any leader.
        let index = index.max(self.commit);
        let hint = (self.term_at(index).unwrap_or(0), index);
        self.told_refusal = true;
        self.told_round = self.round;
        Outcome::Taken(Some(Reply::Refused { previous: previous.1, hint }))
    }
}
