//! Files that are whole or not there: written beside their place, then renamed into it.
//!
//! **Intuition.** A report may be read by another process at any moment, and we may be killed at
//! any moment. A rename is the one step that is seen entirely or not at all.
//! **Source.** POSIX `rename`.
//! **Upholds.** —
//! **Not here.** What is written (`json.rs`, `fuzz/finding.rs`).

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use crate::cli::error::CliError;

/// Creates `folder` and shows that a file can be written into it.
///
/// # Errors
/// [`CliError::BadOutput`] if the path itself cannot work (a file is in the way),
/// [`CliError::Unwritable`] if the system refuses.
pub fn prepare(folder: &Path) -> Result<(), CliError> {
    if let Some(file) = folder.ancestors().find(|part| part.is_file()) {
        let why = format!("`{}` is a file, not a folder", file.display());
        return Err(CliError::BadOutput { path: folder.to_path_buf(), why });
    }
    fs::create_dir_all(folder).map_err(|error| unwritable(folder, &error))?;
    let probe = temporary(&folder.join("probe"));
    fs::write(&probe, b"").map_err(|error| unwritable(folder, &error))?;
    fs::remove_file(&probe).map_err(|error| unwritable(folder, &error))
}

/// Writes `content` to `path` in one step; its folder is made if needed.
///
/// # Errors
/// [`CliError::Unwritable`], with nothing left at `path` that was not there before.
pub fn write(path: &Path, content: &[u8]) -> Result<(), CliError> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(|error| unwritable(folder, &error))?;
    }
    let beside = temporary(path);
    let written = fs::write(&beside, content).and_then(|()| fs::rename(&beside, path));
    written.map_err(|error| {
        // Whatever is left of the attempt is of no use; the first error is the one to tell.
        drop(fs::remove_file(&beside));
        unwritable(path, &error)
    })
}

/// Reads a text file.
///
/// # Errors
/// [`CliError::Unreadable`].
pub fn read(path: &Path) -> Result<String, CliError> {
    fs::read_to_string(path)
        .map_err(|error| CliError::Unreadable { path: path.to_path_buf(), why: error.to_string() })
}

fn temporary(path: &Path) -> PathBuf {
    let name = path.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
    path.with_file_name(format!(".{name}.{}.tmp", std::process::id()))
}

fn unwritable(path: &Path, error: &io::Error) -> CliError {
    CliError::Unwritable { path: path.to_path_buf(), why: error.to_string() }
}

#[cfg(test)]
mod tests {
    use super::{prepare, read, write};
    use crate::cli::{error::CliError, exit::Exit};

    #[test]
    fn a_file_appears_whole_and_leaves_nothing_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a/b.json");
        write(&path, b"one").unwrap();
        write(&path, b"two").unwrap();
        assert_eq!(read(&path).unwrap(), "two");
        assert_eq!(std::fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
    }

    #[test]
    fn a_file_in_the_way_is_a_bad_argument() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        write(&file, b"").unwrap();
        for path in [file.clone(), file.join("below")] {
            let error = prepare(&path).unwrap_err();
            assert!(matches!(error, CliError::BadOutput { .. }), "{error}");
            assert_eq!(error.exit(), Exit::Usage);
        }
        prepare(&folder.path().join("new/folder")).unwrap();
    }
}
