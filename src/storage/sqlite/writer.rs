//! The writer thread: takes groups of steps, and looks after the file between them.
//!
//! `group` applies and commits a group, `upkeep` looks after the file, each noun's file defines
//! what a step writes, and `open` opens the file.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::connect::connect_to_write;
#[cfg(any(test, feature = "testing"))]
use super::fault_injection::FaultInjector;
use super::found_pipelines::FoundPipelines;
use super::inbox::{CloseOnDrop, Inbox};
use super::lock::Lock;
use super::options::SqliteOptions;
use super::panics::returns;
use super::search_cache::SearchCache;
use super::step::WriteStep;
use super::store_error::{ReplacedFile, StoreError};
use super::store_file::StoreFile;
use super::tx::Tx;
use super::unreadable::UnreadableRows;
use crate::error::{Error, Result, log};
use crate::storage::finished_changes::FinishedChanges;

/// The state that the writer publishes to the handles.
#[derive(Debug)]
pub(super) struct Published {
    /// The number of the newest durable event.
    ///
    /// The writer stores it before it answers a step. It guards no other data, so that any memory
    /// ordering would be correct.
    newest_seq: AtomicU64,
    /// Whether the writer thread has ended. It guards no other data either.
    is_writer_gone: AtomicBool,
    pub(super) found_pipelines: Arc<FoundPipelines>,
    pub(super) finished_changes: FinishedChanges,
    pub(super) search_cache: SearchCache,
    /// The rows that the writer and the readers could not read.
    pub(super) unreadable: Arc<UnreadableRows>,
    #[cfg(any(test, feature = "testing"))]
    pub(super) fault_injector: FaultInjector,
}

impl Published {
    pub(super) fn new(newest_seq: u64, unreadable: Arc<UnreadableRows>) -> Self {
        Self {
            newest_seq: AtomicU64::new(newest_seq),
            is_writer_gone: AtomicBool::new(false),
            found_pipelines: Arc::default(),
            finished_changes: FinishedChanges::default(),
            search_cache: SearchCache::default(),
            unreadable,
            #[cfg(any(test, feature = "testing"))]
            fault_injector: FaultInjector::default(),
        }
    }

    /// Returns the number of the newest durable event.
    pub(super) fn newest_seq(&self) -> u64 {
        self.newest_seq.load(Ordering::Acquire)
    }

    pub(super) fn set_newest_seq(&self, seq: u64) {
        self.newest_seq.store(seq, Ordering::Release);
    }

    /// Fails if nothing can be written any more.
    pub(super) fn check_writer(&self) -> Result<(), StoreError> {
        match self.is_writer_gone.load(Ordering::Acquire) {
            true => Err(StoreError::WriterGone),
            false => Ok(()),
        }
    }
}

/// The state of the writer thread.
pub(super) struct Writer {
    pub(super) file: Arc<StoreFile>,
    pub(super) options: SqliteOptions,
    pub(super) inbox: Arc<Inbox<Box<dyn WriteStep>>>,
    pub(super) published: Arc<Published>,
    /// `None` after a failure that may have left connection and memory inconsistent.
    ///
    /// The next group opens the connection again.
    pub(super) tx: Option<Tx>,
    /// Whether the file may have pages to free. At the start, those of an earlier process.
    pub(super) may_shrink: bool,
    /// The size of the write-ahead log beyond which the writer tries to restart it.
    pub(super) restart_log_at: u64,
    /// Held until the last write is done.
    pub(super) lock: Arc<Lock>,
}

impl Writer {
    /// Processes steps until the inbox is closed and empty. Then moves the log into the database.
    ///
    /// # Errors
    /// `Internal` if the store cannot be closed cleanly. No acknowledged write is lost.
    pub(super) fn run(mut self) -> Result<()> {
        // However the thread ends, no caller waits for it. The values are dropped in reverse order,
        // so that a caller that notices the end finds the inbox closed.
        let mut group;
        let closing = CloseOnDrop(Arc::clone(&self.inbox));
        let gone = MarkGone(Arc::clone(&self.published));
        loop {
            self.shrink_while_idle();
            group = self.inbox.take(self.options.group_max);
            if group.is_empty() {
                break;
            }
            #[cfg(any(test, feature = "testing"))]
            self.published.fault_injector.end_writer();
            self.work(|writer| {
                writer.process_group(group);
                writer.look_after_file();
            });
        }
        drop((gone, closing));
        self.close()
    }

    /// Does a part of the work. A panic costs the steps that it drops, and their callers notice.
    pub(super) fn work(&mut self, part: impl FnOnce(&mut Self)) {
        if !returns(|| part(self)) {
            self.tx = None;
            log::error!("the writer panicked; it opens the store again");
        }
    }

    /// Takes the connection with its memory, and opens it again after a failure.
    pub(super) fn take_tx(&mut self) -> Result<Tx, StoreError> {
        if let Err(error) = self.file.check() {
            if matches!(error, StoreError::Replaced(ReplacedFile::Log)) {
                self.rescue_log();
            }
            return Err(error);
        }
        match self.tx.take() {
            Some(tx) => Ok(tx),
            None => {
                #[cfg(any(test, feature = "testing"))]
                self.published.fault_injector.open()?;
                let conn = connect_to_write(self.file.path(), &self.options)?;
                let tx = Tx::new(conn, Arc::clone(&self.published.unreadable))?;
                self.file.note_log();
                // The commit whose outcome was unknown may have changed a pipeline.
                self.published.found_pipelines.forget();
                self.published.search_cache.forget();
                Ok(tx)
            }
        }
    }

    fn close(mut self) -> Result<()> {
        let tx = self.take_tx().map_err(unclean_close)?;
        let checkpointed = tx
            .conn
            .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
            .map_err(StoreError::from);
        drop(tx);
        drop(self.lock);
        checkpointed.map_err(unclean_close)
    }
}

fn unclean_close(error: StoreError) -> Error {
    Error::internal("the store was not closed cleanly").with_source(Error::from(error))
}

/// Publishes that the writer has ended.
struct MarkGone(Arc<Published>);

impl Drop for MarkGone {
    fn drop(&mut self) {
        self.0.is_writer_gone.store(true, Ordering::Release);
    }
}
