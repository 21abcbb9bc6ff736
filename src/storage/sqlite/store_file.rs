//! The file of an opened store: detects that it was replaced or removed.
//!
//! SQLite reads and writes the file.

use std::path::{Path, PathBuf};

use super::store_error::StoreError;

/// The path of the store and the identity of the file that was opened.
#[derive(Debug)]
pub(super) struct StoreFile {
    path: PathBuf,
    #[cfg(unix)]
    identity: Option<(u64, u64)>,
}

impl StoreFile {
    /// Remembers which file is at the path now.
    pub(super) fn new(path: PathBuf) -> Self {
        Self {
            #[cfg(unix)]
            identity: identity(&path),
            path,
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Fails if the file at the path was replaced or removed.
    ///
    /// Only Unix needs this check. Other systems do not let an open file be replaced.
    pub(super) fn check(&self) -> Result<(), StoreError> {
        #[cfg(unix)]
        if identity(&self.path) != self.identity {
            return Err(StoreError::Replaced);
        }
        Ok(())
    }
}

#[cfg(unix)]
fn identity(path: &Path) -> Option<(u64, u64)> {
    use std::os::unix::fs::MetadataExt;
    let found = std::fs::metadata(path).ok()?;
    Some((found.dev(), found.ino()))
}
