//! Threads that read, each with a connection of its own that cannot write.
//!
//! A question is one page at most, so that no read transaction lives long. What is asked is left to
//! the nouns.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use rusqlite::{Connection, Params, Row};

use super::definitions::Definitions;
use super::inbox::Inbox;
use super::lock::Lock;
use super::query::{row, rows};
use super::store_error::StoreError;

/// What a question is asked of.
#[derive(Debug)]
pub(super) struct Reader {
    pub(super) conn: Connection,
    pub(super) definitions: Arc<Definitions>,
}

/// One question; it answers itself.
pub(super) type ReadJob = Box<dyn FnOnce(&Reader) + Send>;

impl Reader {
    /// Answers until the inbox is closed and empty; the lock is held until then.
    pub(super) fn run(self, inbox: &Inbox<ReadJob>, lock: Arc<Lock>) {
        loop {
            let read_jobs = inbox.take(1);
            if read_jobs.is_empty() {
                break;
            }
            for job in read_jobs {
                // A panic is a fault of that question alone. Its caller sees the answer dropped.
                drop(catch_unwind(AssertUnwindSafe(|| job(&self))));
            }
        }
        drop(self);
        drop(lock);
    }

    /// Several questions that see the same state.
    pub(super) fn snapshot<T>(
        &self,
        query: impl FnOnce(&Self) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        if !self.conn.is_autocommit() {
            // A question before this one panicked.
            self.conn.execute_batch("ROLLBACK")?;
        }
        // Cached, since a short question costs hardly more than their parse.
        self.conn.prepare_cached("BEGIN")?.execute([])?;
        let answer = query(self);
        self.conn.prepare_cached("COMMIT")?.execute([])?;
        answer
    }

    /// The first row of a question.
    pub(super) fn row<T>(
        &self,
        sql: &str,
        params: impl Params,
        read: impl FnOnce(&Row<'_>) -> Result<T, StoreError>,
    ) -> Result<Option<T>, StoreError> {
        row(&self.conn, sql, params, read)
    }

    /// All rows of a question.
    pub(super) fn rows<T>(
        &self,
        sql: &str,
        params: impl Params,
        read: impl FnMut(&Row<'_>) -> Result<T, StoreError>,
    ) -> Result<Vec<T>, StoreError> {
        rows(&self.conn, sql, params, read)
    }
}
