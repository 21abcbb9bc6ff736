//! The lock file next to the database. Only one handle in one process can hold it.
//!
//! Holding it proves that earlier owners are dead. SQLite handles the locks of a transaction.

use std::fs::{File, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::store_file::{FileIdentity, identity, identity_at, open_private, sibling};
use crate::error::{Error, Problem, Result};

/// How often the lock is tried. An earlier handle may still finish its last commit.
///
/// With the pause, a second process learns within a second that the store is in use.
const TRIES: u32 = 80;
const PAUSE: Duration = Duration::from_millis(10);

/// The held lock. It is released when this value is dropped or the process ends.
#[derive(Debug)]
pub(super) struct Lock {
    file: File,
    path: PathBuf,
    is_new: bool,
}

impl Lock {
    /// Acquires the lock of a database.
    ///
    /// # Errors
    /// `StoreInUse` while another handle holds the lock. `Unavailable` if the lock file cannot be
    /// used.
    pub(super) fn acquire(database: &Path) -> Result<Self> {
        let path = sibling(database, ".lock");
        let mut lock = Self::open(&path)?;
        for _ in 0..TRIES {
            match lock.file.try_lock() {
                // An earlier holder may have removed the file that this one waited for.
                Ok(()) if identity_at(&path) == lock.identity() => {
                    return lock.write_pid().map(|()| lock);
                }
                Ok(()) => lock = Self::open(&path)?,
                Err(TryLockError::WouldBlock) => std::thread::sleep(PAUSE),
                Err(TryLockError::Error(error)) => return Err(cannot_lock(&path, error)),
            }
        }
        Err(lock.in_use())
    }

    fn open(path: &Path) -> Result<Self> {
        let (file, is_new) = open_private(path).map_err(|error| cannot_lock(path, error))?;
        Ok(Self {
            file,
            path: path.to_owned(),
            is_new,
        })
    }

    /// Returns the path of the lock file.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the identity of the locked file, which need not be at the path any more.
    pub(super) fn identity(&self) -> FileIdentity {
        self.file.metadata().ok().as_ref().and_then(identity)
    }

    fn write_pid(&mut self) -> Result<()> {
        let write = |file: &mut File| {
            file.set_len(0)?;
            file.rewind()?;
            write!(file, "{}", std::process::id())?;
            file.flush()
        };
        write(&mut self.file).map_err(|error| cannot_lock(&self.path, error))
    }

    fn in_use(&mut self) -> Error {
        let mut text = String::new();
        // On some systems the lock also prevents reading. The id of the holder is unknown there.
        let pid = self
            .file
            .read_to_string(&mut text)
            .ok()
            .and_then(|_| text.trim().parse().ok());
        let holder = pid.map_or_else(
            || "another process".to_owned(),
            |pid: u32| format!("process {pid}"),
        );
        Error::store_in_use(pid, format!("the store is already open in {holder}"))
    }

    /// Releases the lock and removes the lock file if it is new: the file is not a Floret store.
    pub(super) fn discard(self) {
        if self.is_new {
            // A leftover lock file does no harm.
            drop(std::fs::remove_file(&self.path));
        }
    }
}

fn cannot_lock(path: &Path, error: std::io::Error) -> Error {
    Error::new(
        Problem::StorageBusy,
        format!("the lock file {} cannot be used", path.display()),
    )
    .with_source(error)
}
