//! Opens a store for reading alone, such as one that is checked after an accident.
//!
//! `open` opens the connections. There is no writer: the inbox of its steps is closed.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use parking_lot::Mutex;
use tokio::sync::OnceCell;

use super::inbox::Inbox;
use super::open::{self, OpenedToRead};
use super::options::SqliteOptions;
use super::writer::Published;
use super::{Handle, SqliteStorage};
use crate::error::{Error, Result};

impl SqliteStorage {
    /// Opens a store that exists, for reading alone: its file is not changed. Nothing is recovered
    /// or upgraded, and every write is refused as `Forbidden`.
    ///
    /// Like any other handle it keeps the store from being opened twice, so that what it reads
    /// cannot change meanwhile. SQLite may leave empty files beside that of the store.
    ///
    /// [`Builder::read_only`](crate::Builder::read_only) reads it with the calls of a client.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> floret::Result<()> {
    /// use floret::storage::{SqliteStorage, System};
    /// # let folder = floret::testing::scratch();
    /// # let file = folder.path().join("runs.db");
    /// SqliteStorage::open(&file).await?.close().await?;
    /// let storage = SqliteStorage::open_read_only(&file).await?;
    /// assert_eq!(storage.stats(&floret::Scope::All).await?.pipeline_count, 0);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// - `NotFound` if there is no such store.
    /// - `StoreInUse` while another handle has the store open, here or in another process.
    /// - `Conflict` (`precondition-failed`) if an older version of Floret has written the store.
    ///   [`SqliteStorage::open`] upgrades it.
    /// - `SchemaTooNew`, `SqliteTooOld` or `NotADatabase`.
    /// - `Unavailable` if the store cannot be read, or its folder cannot be written.
    pub async fn open_read_only(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref().to_owned();
        let options = SqliteOptions::default();
        let open = move || Self::start_readers(open::open_to_read(&path, &options)?, &options);
        tokio::task::spawn_blocking(open)
            .await
            .map_err(|error| Error::internal("opening the store was aborted").with_source(error))?
    }

    fn start_readers(opened: OpenedToRead, options: &SqliteOptions) -> Result<Self> {
        let OpenedToRead {
            file,
            readers,
            lock,
            newest_seq,
        } = opened;
        let steps = Arc::new(Inbox::new(options.steps_queued_max));
        steps.close();
        let handle = Handle {
            steps,
            read_jobs: Arc::new(Inbox::new(options.reads_queued_max)),
            published: Arc::new(Published::new(newest_seq, Arc::default())),
            file,
            is_read_only: true,
            is_closing: AtomicBool::new(false),
            writer: Mutex::new(None),
            readers: Mutex::new(Vec::new()),
            closed: OnceCell::new(),
        };
        handle.start_readers(readers, &lock, options.read_timeout)?;
        Ok(Self(Arc::new(handle)))
    }
}
