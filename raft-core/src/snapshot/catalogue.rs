//! The catalogue: which snapshots a driver keeps, and which of them may go.
//!
//! **Intuition.** A few of the newest are kept in case one is damaged; one that is being sent or
//! read is held; one with a name is somebody's and stays until that one lets go. If snapshots are
//! to be archived, one goes only after its copy exists. Copying may fail: that is told, and asked
//! for again, and never in the way of anything but the deletion.
//! **Source.** SEEDS S-95, S-96, S-101.
//! **Upholds.** `inv:bounded` (all but held, named and unarchived ones go).
//! **Not here.** Files (the driver), the log behind a snapshot (`compact.rs`).

use alloc::{string::String, vec::Vec};
use core::fmt;

use super::meta::SnapshotMeta;
use crate::types::LogIndex;

/// How far the copy of a snapshot is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Archive {
    /// None is wanted.
    Unwanted,
    /// To be made.
    Due,
    /// Being made.
    UnderWay,
    /// Made.
    Done,
    /// Given up by the operator.
    GivenUp,
}

/// One snapshot on disk.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Kept {
    /// Its description.
    pub meta: SnapshotMeta,
    /// Its name, if it was given one.
    pub name: Option<String>,
    /// Its copy.
    pub archive: Archive,
    /// How often copying failed.
    pub archive_failures: u32,
    /// Who holds it: transfers, installs and readers.
    pub holders: u32,
    /// It was found damaged: it does not count as one of those kept, and goes when nobody holds it.
    pub damaged: bool,
}

/// Why a request to the catalogue was refused. Nothing changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum CatalogueError {
    /// At least one snapshot must be kept.
    KeepsNone,
    /// There is no such snapshot.
    Unknown,
    /// There is one at this index, with another description.
    Conflict {
        /// Where.
        index: LogIndex,
    },
    /// Another one has this name.
    NameTaken {
        /// Its index.
        index: LogIndex,
    },
    /// Nobody holds it.
    NotHeld,
    /// No copy of it is being made, or wanted.
    NotArchiving,
}

impl fmt::Display for CatalogueError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::KeepsNone => f.write_str("at least one snapshot must be kept"),
            Self::Unknown => f.write_str("there is no such snapshot"),
            Self::Conflict { index } => write!(f, "snapshot at {index} has another description"),
            Self::NameTaken { index } => write!(f, "the snapshot at {index} has this name already"),
            Self::NotHeld => f.write_str("nobody holds the snapshot"),
            Self::NotArchiving => f.write_str("no copy of the snapshot is under way"),
        }
    }
}

impl core::error::Error for CatalogueError {}

/// The snapshots of one node, ascending by index.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Catalogue {
    keep: u32,
    archive: bool,
    kept: Vec<Kept>,
}

impl Catalogue {
    /// An empty catalogue that keeps the newest `keep` sound snapshots, and has each archived if
    /// `archive` says so.
    ///
    /// # Errors
    /// [`CatalogueError::KeepsNone`] for 0.
    pub const fn new(keep: u32, archive: bool) -> Result<Self, CatalogueError> {
        if keep == 0 {
            return Err(CatalogueError::KeepsNone);
        }
        Ok(Self { keep, archive, kept: Vec::new() })
    }

    /// All of them, ascending by index.
    #[must_use]
    pub fn list(&self) -> &[Kept] {
        &self.kept
    }

    /// The newest that is not known to be damaged.
    #[must_use]
    pub fn newest(&self) -> Option<&Kept> {
        self.kept.iter().rev().find(|kept| !kept.damaged)
    }

    /// The one with this name.
    #[must_use]
    pub fn named(&self, name: &str) -> Option<&Kept> {
        self.kept.iter().find(|kept| kept.name.as_deref() == Some(name))
    }

    /// A snapshot is durable: taken here, published, or found at start. Adding it twice is
    /// harmless.
    ///
    /// # Errors
    /// [`CatalogueError::Conflict`] if another one is at its index.
    pub fn add(&mut self, meta: SnapshotMeta) -> Result<(), CatalogueError> {
        let index = meta.index();
        let archive = if self.archive { Archive::Due } else { Archive::Unwanted };
        match self.position(index) {
            Ok(at) => match self.kept.get(at) {
                Some(kept) if kept.meta == meta => Ok(()),
                _ => Err(CatalogueError::Conflict { index }),
            },
            Err(at) => {
                let (name, archive_failures, holders, damaged) = (None, 0, 0, false);
                let new = Kept { meta, name, archive, archive_failures, holders, damaged };
                self.kept.insert(at, new);
                Ok(())
            }
        }
    }

    /// Gives a snapshot a name: it stays until [`Catalogue::release_name`].
    ///
    /// # Errors
    /// [`CatalogueError::Unknown`], [`CatalogueError::NameTaken`].
    pub fn name(&mut self, index: LogIndex, name: &str) -> Result<(), CatalogueError> {
        if let Some(other) = self.named(name).filter(|other| other.meta.index() != index) {
            return Err(CatalogueError::NameTaken { index: other.meta.index() });
        }
        self.get_mut(index)?.name = Some(String::from(name));
        Ok(())
    }

    /// Takes the name away: the snapshot may go like any other.
    ///
    /// # Errors
    /// [`CatalogueError::Unknown`].
    pub fn release_name(&mut self, name: &str) -> Result<(), CatalogueError> {
        let found = self.kept.iter_mut().find(|kept| kept.name.as_deref() == Some(name));
        found.ok_or(CatalogueError::Unknown)?.name = None;
        Ok(())
    }

    /// Somebody begins to use it; it stays until as many [`Catalogue::close`].
    ///
    /// # Errors
    /// [`CatalogueError::Unknown`].
    pub fn open(&mut self, index: LogIndex) -> Result<&SnapshotMeta, CatalogueError> {
        let kept = self.get_mut(index)?;
        kept.holders = kept.holders.saturating_add(1);
        Ok(&kept.meta)
    }

    /// Somebody is done with it.
    ///
    /// # Errors
    /// [`CatalogueError::Unknown`], [`CatalogueError::NotHeld`].
    pub fn close(&mut self, index: LogIndex) -> Result<(), CatalogueError> {
        let kept = self.get_mut(index)?;
        kept.holders = kept.holders.checked_sub(1).ok_or(CatalogueError::NotHeld)?;
        Ok(())
    }

    /// It does not pass its check any more.
    ///
    /// # Errors
    /// [`CatalogueError::Unknown`].
    pub fn is_damaged(&mut self, index: LogIndex) -> Result<(), CatalogueError> {
        self.get_mut(index)?.damaged = true;
        Ok(())
    }

    /// The oldest one whose copy is to be made; it counts as under way from now on.
    pub fn begin_archive(&mut self) -> Option<&SnapshotMeta> {
        let due = self.kept.iter_mut().find(|k| k.archive == Archive::Due && !k.damaged)?;
        due.archive = Archive::UnderWay;
        Some(&due.meta)
    }

    /// Its copy is made.
    ///
    /// # Errors
    /// [`CatalogueError::Unknown`], [`CatalogueError::NotArchiving`].
    pub fn archived(&mut self, index: LogIndex) -> Result<(), CatalogueError> {
        self.archiving(index)?.archive = Archive::Done;
        Ok(())
    }

    /// Copying failed; it will be asked for again. Returns how often it has: tell the operator.
    ///
    /// # Errors
    /// [`CatalogueError::Unknown`], [`CatalogueError::NotArchiving`].
    pub fn archive_failed(&mut self, index: LogIndex) -> Result<u32, CatalogueError> {
        let kept = self.archiving(index)?;
        kept.archive = Archive::Due;
        kept.archive_failures = kept.archive_failures.saturating_add(1);
        Ok(kept.archive_failures)
    }

    /// The operator does without the copy.
    ///
    /// # Errors
    /// [`CatalogueError::Unknown`].
    pub fn give_up_archive(&mut self, index: LogIndex) -> Result<(), CatalogueError> {
        self.get_mut(index)?.archive = Archive::GivenUp;
        Ok(())
    }

    /// Takes out of the catalogue what may be deleted now, ascending: delete the files of these.
    pub fn take_deletable(&mut self) -> Vec<SnapshotMeta> {
        let mut sound_above = self.kept.iter().filter(|kept| !kept.damaged).count();
        let keep = usize::try_from(self.keep).unwrap_or(usize::MAX);
        let mut gone = Vec::new();
        self.kept.retain(|kept| {
            let needed = !kept.damaged && sound_above <= keep;
            if !kept.damaged {
                sound_above = sound_above.saturating_sub(1);
            }
            let copied = kept.damaged || !matches!(kept.archive, Archive::Due | Archive::UnderWay);
            let stays = needed || kept.holders > 0 || kept.name.is_some() || !copied;
            if !stays {
                gone.push(kept.meta.clone());
            }
            stays
        });
        gone
    }

    fn position(&self, index: LogIndex) -> Result<usize, usize> {
        self.kept.binary_search_by_key(&index, |kept| kept.meta.index())
    }

    fn get_mut(&mut self, index: LogIndex) -> Result<&mut Kept, CatalogueError> {
        let at = self.position(index).map_err(|_| CatalogueError::Unknown)?;
        self.kept.get_mut(at).ok_or(CatalogueError::Unknown)
    }

    fn archiving(&mut self, index: LogIndex) -> Result<&mut Kept, CatalogueError> {
        let kept = self.get_mut(index)?;
        if kept.archive == Archive::UnderWay { Ok(kept) } else { Err(CatalogueError::NotArchiving) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        config::Configuration,
        options::Options,
        types::{LogPosition, NodeId, Term},
    };

    fn meta(index: u64) -> SnapshotMeta {
        let voters = Configuration::new([NodeId(1)]).unwrap();
        let position = LogPosition::new(Term(1), LogIndex(index));
        SnapshotMeta::empty(position, voters, Options::default().settings(), 0)
    }

    fn with(keep: u32, archive: bool, indexes: &[u64]) -> Catalogue {
        let mut sut = Catalogue::new(keep, archive).unwrap();
        for index in indexes {
            sut.add(meta(*index)).unwrap();
        }
        sut
    }

    fn deletable(sut: &mut Catalogue) -> Vec<u64> {
        sut.take_deletable().iter().map(|meta| meta.index().0).collect()
    }

    #[test]
    fn the_newest_are_kept_however_they_came() {
        assert_eq!(Catalogue::new(0, false), Err(CatalogueError::KeepsNone));
        let mut sut = with(2, false, &[9, 3, 6, 3]);
        assert_eq!(deletable(&mut sut), [3]);
        assert!(deletable(&mut sut).is_empty());
        assert_eq!(sut.newest().unwrap().meta.index(), LogIndex(9));
        let mut other = meta(9);
        other.digest = 5;
        assert_eq!(sut.add(other), Err(CatalogueError::Conflict { index: LogIndex(9) }));
    }

    #[test]
    fn a_damaged_one_counts_for_nothing_and_goes() {
        let mut sut = with(1, true, &[3, 6, 9]);
        sut.is_damaged(LogIndex(9)).unwrap();
        assert_eq!(sut.newest().unwrap().meta.index(), LogIndex(6));
        assert_eq!(deletable(&mut sut), [9], "6 is needed, 3 is not copied");
    }

    #[test]
    fn whoever_holds_or_names_one_keeps_it() {
        let mut sut = with(1, false, &[3, 6, 9]);
        sut.name(LogIndex(3), "before the move").unwrap();
        assert_eq!(
            sut.name(LogIndex(9), "before the move"),
            Err(CatalogueError::NameTaken { index: LogIndex(3) })
        );
        assert_eq!(sut.open(LogIndex(6)).unwrap().index(), LogIndex(6));
        sut.open(LogIndex(6)).unwrap();
        sut.close(LogIndex(6)).unwrap();
        assert!(deletable(&mut sut).is_empty());
        sut.close(LogIndex(6)).unwrap();
        assert_eq!(sut.close(LogIndex(6)), Err(CatalogueError::NotHeld));
        assert_eq!(deletable(&mut sut), [6]);
        assert_eq!(sut.open(LogIndex(6)), Err(CatalogueError::Unknown));
        sut.release_name("before the move").unwrap();
        assert_eq!(sut.release_name("before the move"), Err(CatalogueError::Unknown));
        assert_eq!(deletable(&mut sut), [3]);
    }

    /// S-95: copied first, and a failure is told and holds up the deletion alone.
    #[test]
    fn one_goes_only_after_its_copy_exists() {
        let mut sut = with(1, true, &[3, 6, 9]);
        assert!(deletable(&mut sut).is_empty());
        assert_eq!(sut.begin_archive().unwrap().index(), LogIndex(3));
        assert_eq!(sut.begin_archive().unwrap().index(), LogIndex(6));
        sut.archived(LogIndex(6)).unwrap();
        assert_eq!(deletable(&mut sut), [6]);
        assert_eq!(sut.archive_failed(LogIndex(3)), Ok(1));
        assert_eq!(sut.archived(LogIndex(3)), Err(CatalogueError::NotArchiving));
        assert_eq!(sut.begin_archive().unwrap().index(), LogIndex(3));
        assert_eq!(sut.archive_failed(LogIndex(3)), Ok(2));
        assert!(deletable(&mut sut).is_empty());
        sut.add(meta(12)).unwrap();
        sut.give_up_archive(LogIndex(3)).unwrap();
        assert_eq!(deletable(&mut sut), [3]);
    }
}
