//! The files of an opened store: creates them for their owner alone, and detects that one was
//! replaced or removed.
//!
//! SQLite reads and writes the database and its write-ahead log.

use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io::{ErrorKind as IoKind, Result as IoResult};
use std::path::{Path, PathBuf};

use parking_lot::Mutex;

use super::store_error::{ReplacedFile, StoreError};

/// The device and the number of a file, which differ for two files at one path.
///
/// `None` on systems that do not let an open file be replaced.
pub(super) type FileIdentity = Option<(u64, u64)>;

/// The files of a store, with the identity of each file that was opened.
#[derive(Debug)]
pub(super) struct StoreFile {
    path: PathBuf,
    identity: FileIdentity,
    lock_path: PathBuf,
    lock_identity: FileIdentity,
    log_path: PathBuf,
    // A lock, because the writer notes the log and the readers check it.
    log_identity: Mutex<FileIdentity>,
}

impl StoreFile {
    /// Remembers which database is at the path now, and the lock file that is held.
    pub(super) fn new(path: PathBuf, lock_path: PathBuf, lock_identity: FileIdentity) -> Self {
        Self {
            identity: identity_at(&path),
            lock_path,
            lock_identity,
            log_path: sibling(&path, "-wal"),
            log_identity: Mutex::new(None),
            path,
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Remembers the write-ahead log that a connection has just opened.
    pub(super) fn note_log(&self) {
        *self.log_identity.lock() = identity_at(&self.log_path);
    }

    /// Returns the size of the write-ahead log in bytes.
    pub(super) fn log_bytes(&self) -> u64 {
        std::fs::metadata(&self.log_path).map_or(0, |found| found.len())
    }

    /// Fails if a file of the store was replaced or removed.
    ///
    /// A commit into a removed log would be lost, and without the lock file another process could
    /// open the store.
    pub(super) fn check(&self) -> Result<(), StoreError> {
        let log_identity = *self.log_identity.lock();
        for (file, path, identity) in [
            (ReplacedFile::Database, &self.path, self.identity),
            (ReplacedFile::Lock, &self.lock_path, self.lock_identity),
            (ReplacedFile::Log, &self.log_path, log_identity),
        ] {
            if identity.is_some() && identity_at(path) != identity {
                return Err(StoreError::Replaced(file));
            }
        }
        Ok(())
    }
}

/// Opens a file to read and write, or creates it with access for its owner alone.
///
/// Returns whether the file is new. The file mode creation mask of the process has no effect.
pub(super) fn open_private(path: &Path) -> IoResult<(File, bool)> {
    let mut options = OpenOptions::new();
    options.read(true).write(true);
    match owner_only(options.clone().create_new(true)).open(path) {
        Ok(file) => restrict(&file).map(|()| (file, true)),
        Err(error) if error.kind() == IoKind::AlreadyExists => {
            options.open(path).map(|file| (file, false))
        }
        Err(error) => Err(error),
    }
}

/// Returns the path of a file next to the database.
pub(super) fn sibling(database: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(database);
    name.push(suffix);
    PathBuf::from(name)
}

/// Returns the identity of the file at a path.
pub(super) fn identity_at(path: &Path) -> FileIdentity {
    std::fs::metadata(path).ok().as_ref().and_then(identity)
}

#[cfg(unix)]
pub(super) fn identity(found: &std::fs::Metadata) -> FileIdentity {
    use std::os::unix::fs::MetadataExt;
    Some((found.dev(), found.ino()))
}

#[cfg(not(unix))]
pub(super) fn identity(_: &std::fs::Metadata) -> FileIdentity {
    None
}

#[cfg(unix)]
fn owner_only(options: &mut OpenOptions) -> &mut OpenOptions {
    use std::os::unix::fs::OpenOptionsExt;
    options.mode(0o600)
}

#[cfg(not(unix))]
fn owner_only(options: &mut OpenOptions) -> &mut OpenOptions {
    options
}

#[cfg(unix)]
fn restrict(file: &File) -> IoResult<()> {
    use std::os::unix::fs::PermissionsExt;
    // The mask has removed bits from the mode at creation, perhaps those of the owner as well.
    file.set_permissions(std::fs::Permissions::from_mode(0o600))
}

#[cfg(not(unix))]
fn restrict(_: &File) -> IoResult<()> {
    Ok(())
}
