//! The writer thread: applies the queued steps in one transaction and answers after the commit.
//!
//! Each noun's file defines what a step writes, and `open` opens the file.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::connect::connect_to_write;
#[cfg(any(test, feature = "testing"))]
use super::fault_injection::FaultInjector;
use super::inbox::Inbox;
use super::lock::Lock;
use super::meta::meta;
use super::options::SqliteOptions;
use super::step::WriteStep;
use super::store_error::{ReplacedFile, StoreError};
use super::store_file::StoreFile;
use super::tx::Tx;
use super::unreadable::UnreadableRows;
use crate::error::{Error, Result, trace_causes};

/// The state that the writer publishes to the handles.
#[derive(Debug)]
pub(super) struct Published {
    /// The number of the newest durable event.
    ///
    /// The writer stores it before it answers a step. It guards no other data, so that any memory
    /// ordering would be correct.
    pub(super) newest_seq: AtomicU64,
    /// The rows that the writer and the readers could not read.
    pub(super) unreadable: Arc<UnreadableRows>,
    #[cfg(any(test, feature = "testing"))]
    pub(super) fault_injector: FaultInjector,
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
    /// Held until the last write is done.
    pub(super) lock: Arc<Lock>,
}

/// Why a group of steps was not committed.
enum GroupFailure {
    /// No step is the cause. All steps get the same error.
    FailAll(StoreError),
    /// One of the steps may be the cause. Each is retried alone.
    RetryEach(StoreError),
}

impl Writer {
    /// Processes steps until the inbox is closed and empty. Then moves the log into the database.
    ///
    /// # Errors
    /// `Internal` if the store cannot be closed cleanly. No acknowledged write is lost.
    pub(super) fn run(mut self) -> Result<()> {
        loop {
            let group = self.inbox.take(self.options.group_max);
            if group.is_empty() {
                break;
            }
            self.process_group(group);
        }
        self.close()
    }

    fn process_group(&mut self, mut group: Vec<Box<dyn WriteStep>>) {
        match self.apply_group(&mut group) {
            Ok(()) => group.into_iter().for_each(WriteStep::answer),
            Err(GroupFailure::FailAll(error)) => {
                if error.is_busy() {
                    // The queued steps waited for the same lock. This way, no caller waits for a
                    // second timeout.
                    group.extend(self.inbox.drain());
                }
                fail_all(group, error);
            }
            Err(GroupFailure::RetryEach(error)) if group.len() == 1 => fail_all(group, error),
            Err(GroupFailure::RetryEach(error)) => {
                tracing::warn!(
                    code = ?error.code(),
                    steps = group.len(),
                    "a group of steps failed and is retried one by one"
                );
                error.trace();
                group
                    .into_iter()
                    .for_each(|step| self.process_group(vec![step]));
            }
        }
    }

    /// Applies the steps in one transaction. After an error, none of them had an effect.
    fn apply_group(&mut self, steps: &mut [Box<dyn WriteStep>]) -> Result<(), GroupFailure> {
        let mut tx = self.take_tx().map_err(GroupFailure::FailAll)?;
        if let Err(error) = tx.begin() {
            self.tx = Some(tx);
            return Err(GroupFailure::FailAll(error));
        }
        let mut apply = || {
            steps.iter_mut().try_for_each(|step| step.apply(&mut tx))?;
            tx.finish()
        };
        // All callers share this thread, so that a panic must fail only the step that caused it.
        let applied = catch_unwind(AssertUnwindSafe(&mut apply));
        match applied.unwrap_or(Err(StoreError::Panicked)) {
            Ok(true) => self.commit(tx),
            Ok(false) => self.roll_back_empty(tx),
            Err(error) => {
                // The steps changed the memory as well. `Tx::new` reads it again from the rows.
                tx.roll_back().map_err(GroupFailure::FailAll)?;
                self.tx = Tx::new(tx.conn, tx.unreadable).ok();
                Err(GroupFailure::RetryEach(error))
            }
        }
    }

    /// Rolls back a transaction that wrote nothing.
    fn roll_back_empty(&mut self, tx: Tx) -> Result<(), GroupFailure> {
        tx.roll_back().map_err(GroupFailure::FailAll)?;
        self.tx = Some(tx);
        Ok(())
    }

    fn commit(&mut self, tx: Tx) -> Result<(), GroupFailure> {
        let commit_no = tx.state.commit_no;
        let newest_seq = tx.newest_seq();
        let Err(error) = self.try_commit(&tx) else {
            self.published
                .newest_seq
                .store(newest_seq, Ordering::Release);
            self.tx = Some(tx);
            return Ok(());
        };
        tracing::error!(
            code = ?error.code(),
            "a commit failed with an unknown outcome; the store is read again"
        );
        error.trace();
        // The outcome of a failed COMMIT is unknown until the file is opened again.
        drop(tx);
        let tx = self.take_tx().map_err(GroupFailure::FailAll)?;
        let is_committed = meta(&tx.conn, "commit_no").map_err(GroupFailure::FailAll)? == commit_no;
        self.tx = Some(tx);
        if is_committed {
            self.published
                .newest_seq
                .store(newest_seq, Ordering::Release);
            return Ok(());
        }
        Err(if error.is_disk_full() {
            GroupFailure::RetryEach(error)
        } else {
            GroupFailure::FailAll(error)
        })
    }

    fn try_commit(&self, tx: &Tx) -> Result<(), StoreError> {
        #[cfg(any(test, feature = "testing"))]
        return self.published.fault_injector.commit(tx);
        #[cfg(not(any(test, feature = "testing")))]
        tx.commit()
    }

    /// Takes the connection with its memory, and opens it again after a failure.
    fn take_tx(&mut self) -> Result<Tx, StoreError> {
        if let Err(error) = self.file.check() {
            if matches!(error, StoreError::Replaced(ReplacedFile::Log)) {
                self.rescue_log();
            }
            return Err(error);
        }
        match self.tx.take() {
            Some(tx) => Ok(tx),
            None => {
                let conn = connect_to_write(self.file.path(), &self.options)?;
                let tx = Tx::new(conn, Arc::clone(&self.published.unreadable))?;
                self.file.note_log();
                Ok(tx)
            }
        }
    }

    /// Copies what a removed write-ahead log still holds into the database.
    ///
    /// Only the open connection can read that log.
    fn rescue_log(&self) {
        let Some(tx) = &self.tx else { return };
        let copied = tx.conn.query_row("PRAGMA wal_checkpoint", [], |_| Ok(()));
        if let Err(error) = copied.map_err(StoreError::from) {
            tracing::error!(code = ?error.code(), "a removed write-ahead log cannot be saved");
            error.trace();
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

/// Fails all steps with the same problem. Only the first error carries the cause.
fn fail_all(group: Vec<Box<dyn WriteStep>>, error: StoreError) {
    let code = error.code();
    let error = Error::from(error);
    tracing::warn!(%error, ?code, steps = group.len(), "steps were not written");
    trace_causes(&error);
    let (problem, message) = (error.problem(), error.to_string());
    let errors = std::iter::once(error).chain(std::iter::repeat_with(|| {
        Error::new(problem, message.clone())
    }));
    for (step, error) in group.into_iter().zip(errors) {
        step.fail(error);
    }
}
