//! The file at a path, and whether it still is the one that was opened.
//!
//! Reading and writing it is left to SQLite.

use std::path::{Path, PathBuf};

use super::store_error::StoreError;

/// The database's path and what identifies the file that was opened there.
#[derive(Debug)]
pub(super) struct StoreFile {
    path: PathBuf,
    #[cfg(unix)]
    identity: Option<(u64, u64)>,
}

impl StoreFile {
    /// Notes which file is at the path now.
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

    /// Refuses to go on once another file, or none, is at the path. Other systems keep an open file
    /// from being replaced.
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
