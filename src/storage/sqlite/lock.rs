//! The lock file beside the database: one process, one handle, and proof that an earlier owner is
//! dead.
//!
//! SQLite's own locks are left to SQLite; they guard a transaction, not a process.

use std::ffi::OsString;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::error::{Error, Problem, Result};

/// The handle before may be ending its last commit; a second process is told within a second.
const TRIES: u32 = 80;
const PAUSE: Duration = Duration::from_millis(10);

/// The held lock; it is free once this is dropped, or the process ends.
#[derive(Debug)]
pub(super) struct Lock {
    file: File,
    path: PathBuf,
    is_new: bool,
}

impl Lock {
    /// Takes the lock of a database.
    ///
    /// # Errors
    /// `StoreInUse` while another holds it; `NotFound` or `Unavailable` when the file cannot be
    /// made.
    pub(super) fn acquire(database: &Path) -> Result<Self> {
        let mut name = OsString::from(database);
        name.push(".lock");
        let path = PathBuf::from(name);
        let is_new = !path.exists();
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(|error| cannot_lock(&path, error))?;
        let mut lock = Self { file, path, is_new };
        for _ in 0..TRIES {
            match lock.file.try_lock() {
                Ok(()) => return lock.write_pid().map(|()| lock),
                Err(TryLockError::WouldBlock) => std::thread::sleep(PAUSE),
                Err(TryLockError::Error(error)) => return Err(cannot_lock(&lock.path, error)),
            }
        }
        Err(lock.in_use())
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
        // Where the holder's lock keeps others from reading too, its id stays unknown.
        let pid = self
            .file
            .read_to_string(&mut text)
            .ok()
            .and_then(|_| text.trim().parse().ok());
        let holder = pid.map_or_else(
            || "another process".to_owned(),
            |pid: u32| format!("process {pid}"),
        );
        Error::store_in_use(pid, format!("the store is open in {holder}"))
    }

    /// Gives the lock up and leaves nothing behind: the database turned out not to be ours.
    pub(super) fn discard(self) {
        if self.is_new {
            // Whether the empty file stays is of no consequence.
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
