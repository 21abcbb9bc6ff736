//! Copies a store while it is in use, and checks the copy.
//!
//! SQLite writes the copy from one point in time. `integrity` checks it.

use std::fs::{File, OpenOptions};
use std::io::Result as IoResult;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, ErrorCode};

use super::SqliteStorage;
use super::integrity::{blocking, connect_beside, findings, is_damage};
use super::open::existing;
use super::store_error::StoreError;
use super::store_file::{open_private, sibling};
use crate::error::{Error, Problem, Result};

impl SqliteStorage {
    /// Copies the store in a file into a new file, checks the copy, and returns its size in bytes.
    ///
    /// The store may be in use, here or in another process: writes go on. The copy is a complete
    /// store from one point in time, with everything that was acknowledged before the call. It
    /// appears at its path once it is complete, checked and flushed to the disk, and until then it
    /// is beside it, with the suffix `.partial`. Its owner alone can read it.
    ///
    /// It contains no encryption key: secrets are sealed in it as they are in the store.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use floret::{Floret, Pipeline, executor::Ctx};
    /// # async fn load(_: Ctx) -> Result<(), std::io::Error> { Ok(()) }
    /// use floret::storage::SqliteStorage;
    /// # let folder = floret::testing::scratch();
    /// # let (store, copy) = (folder.path().join("runs.db"), folder.path().join("copy.db"));
    /// # let daily = Pipeline::new("daily").node("load", "load");
    /// let floret = Floret::open(&store).await?.node("load", load).pipeline(daily).start().await?;
    /// let run = floret.run("daily").start().await?;
    ///
    /// SqliteStorage::backup(&store, &copy).await?;
    /// let copied = Floret::open(&copy).await?.read_only().await?;
    /// assert_eq!(copied.run_by_id(run.id()).get().await?.run.pipeline_id.as_str(), "daily");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// Dropping the future does not end the copy.
    ///
    /// # Errors
    /// After an error there is no copy.
    ///
    /// - `NotFound` if there is no such store.
    /// - `Conflict` (`already-exists`) if a file is at the path of the copy, or a copy of another
    ///   call that did not end is beside it.
    /// - `Internal` if the store is damaged, or the copy is.
    /// - `StorageFull` if there is no room for the copy.
    /// - `NotADatabase`, `SchemaTooNew` or `SqliteTooOld`.
    /// - `Unavailable` if a file cannot be read or written.
    pub async fn backup(store: impl AsRef<Path>, copy: impl AsRef<Path>) -> Result<u64> {
        let (store, copy) = (store.as_ref().to_owned(), copy.as_ref().to_owned());
        blocking(move || write(&existing(&store)?, &copy)).await
    }
}

/// A copy that is not complete. Dropping it removes its file.
struct Partial {
    path: PathBuf,
    is_complete: bool,
}

fn write(store: &Path, copy: &Path) -> Result<u64> {
    refuse_existing(copy)?;
    let source = connect_beside(store)?;
    let mut partial = Partial::create(copy)?;
    fill(&source, &partial.path)?;
    check(&partial.path)?;
    let size = partial.sync().map_err(|error| cannot_write(copy, error))?;
    partial.publish(copy)?;
    Ok(size)
}

impl Partial {
    fn create(copy: &Path) -> Result<Self> {
        let path = sibling(copy, ".partial");
        let (_, is_new) = open_private(&path).map_err(|error| cannot_write(&path, error))?;
        if !is_new {
            return Err(exists(&path));
        }
        Ok(Self {
            path,
            is_complete: false,
        })
    }

    /// Flushes the copy to the disk. Returns its size in bytes.
    fn sync(&self) -> IoResult<u64> {
        let file = OpenOptions::new().write(true).open(&self.path)?;
        file.sync_all()?;
        Ok(file.metadata()?.len())
    }

    /// Moves the copy to its path, where this creates a file first: what another program may have
    /// put there meanwhile is not overwritten.
    fn publish(&mut self, copy: &Path) -> Result<()> {
        let (_, is_new) = open_private(copy).map_err(|error| cannot_write(copy, error))?;
        if !is_new {
            return Err(exists(copy));
        }
        let moved = std::fs::rename(&self.path, copy).and_then(|()| sync_folder(copy));
        self.is_complete = moved.is_ok();
        moved.map_err(|error| {
            // The file that was created above. If it stays, it is empty, which no copy is.
            drop(std::fs::remove_file(copy));
            cannot_write(copy, error)
        })
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        if !self.is_complete {
            // What stays is named by the next call.
            drop(std::fs::remove_file(&self.path));
        }
    }
}

/// Lets SQLite write the copy into an empty file.
fn fill(source: &Connection, path: &Path) -> Result<()> {
    let name = path.to_str().ok_or_else(|| {
        let message = format!("the path {} is not UTF-8", path.display());
        Error::new(Problem::InvalidField, message)
    })?;
    let copied = source.execute("VACUUM INTO ?", [name]);
    copied.map(drop).map_err(|error| match error {
        error if is_damage(&error) => {
            let message = "the store is damaged, so that no complete copy can be made of it";
            Error::internal(message).with_source(error)
        }
        error if error.sqlite_error_code() == Some(ErrorCode::CannotOpen) => {
            cannot_write(path, std::io::Error::other(error))
        }
        error => StoreError::from(error).into(),
    })
}

fn check(path: &Path) -> Result<()> {
    let found = findings(&connect_beside(path)?)?;
    match found.first() {
        None => Ok(()),
        Some(first) => {
            let message = format!("the copy is damaged: {first}");
            Err(Error::internal(message))
        }
    }
}

/// Makes the name of a file survive a power loss.
#[cfg(unix)]
fn sync_folder(file: &Path) -> IoResult<()> {
    let folder = file
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}

/// Other systems do not let a folder be opened.
#[cfg(not(unix))]
fn sync_folder(_: &Path) -> IoResult<()> {
    Ok(())
}

fn refuse_existing(copy: &Path) -> Result<()> {
    // A link that leads nowhere is a file as well.
    match copy.symlink_metadata() {
        Ok(_) => Err(exists(copy)),
        Err(_) => Ok(()),
    }
}

fn exists(path: &Path) -> Error {
    let message = format!("{} already exists, and is not overwritten", path.display());
    Error::new(Problem::AlreadyExists, message)
}

fn cannot_write(path: &Path, error: std::io::Error) -> Error {
    let problem = match error.kind() {
        std::io::ErrorKind::StorageFull => Problem::StorageFull,
        _ => Problem::StorageBusy,
    };
    let message = format!("{} cannot be written", path.display());
    Error::new(problem, message).with_source(error)
}
