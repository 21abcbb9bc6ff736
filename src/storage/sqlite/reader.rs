//! The reader threads, each with a read-only connection of its own.
//!
//! A read covers at most one page, which keeps read transactions short. The queries are in each
//! noun's file.

use std::sync::{Arc, Weak};

use rusqlite::{Connection, Params, Row};

use super::definitions::Definitions;
use super::inbox::Inbox;
use super::lock::Lock;
use super::panics::returns;
use super::query::{readable_rows, row, rows};
use super::read_bound::ReadBound;
use super::store_error::StoreError;
use super::unreadable::UnreadableRows;

/// A read connection with the cache of definitions.
#[derive(Debug)]
pub(super) struct Reader {
    pub(super) conn: Connection,
    pub(super) definitions: Arc<Definitions>,
    pub(super) unreadable: Arc<UnreadableRows>,
    pub(super) bound: Arc<ReadBound>,
}

/// A queued read. It sends its result itself.
pub(super) type ReadJob = Box<dyn FnOnce(&Reader) + Send>;

impl Reader {
    /// Runs queued reads until the inbox is closed and empty. Holds the lock until then.
    pub(super) fn run(self, inbox: &Inbox<ReadJob>, lock: Arc<Lock>) {
        loop {
            let jobs = inbox.take(1);
            if jobs.is_empty() {
                break;
            }
            for job in jobs {
                // A panic must not end the thread. The caller notices that its result was dropped.
                returns(|| job(&self));
            }
        }
        drop(self);
        drop(lock);
    }

    /// Runs a read until its time is over or its caller has left.
    pub(super) fn bounded<T>(
        &self,
        caller: Weak<()>,
        read: impl FnOnce(&Self) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.bound.begin(caller);
        let outcome = read(self);
        self.bound.end();
        outcome
    }

    /// Runs several queries in one transaction, which all see the same state.
    pub(super) fn snapshot<T>(
        &self,
        query: impl FnOnce(&Self) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        if !self.conn.is_autocommit() {
            // An earlier read panicked inside its transaction.
            self.conn.execute_batch("ROLLBACK")?;
        }
        // Cached, because parsing these statements would dominate the cost of a short read.
        self.conn.prepare_cached("BEGIN")?.execute([])?;
        let result = query(self);
        self.conn.prepare_cached("COMMIT")?.execute([])?;
        result
    }

    /// Returns the first row that a query finds.
    pub(super) fn row<T>(
        &self,
        sql: &str,
        params: impl Params,
        read: impl FnOnce(&Row<'_>) -> Result<T, StoreError>,
    ) -> Result<Option<T>, StoreError> {
        row(&self.conn, sql, params, read)
    }

    /// Returns all rows that a query finds.
    pub(super) fn rows<T>(
        &self,
        sql: &str,
        params: impl Params,
        read: impl FnMut(&Row<'_>) -> Result<T, StoreError>,
    ) -> Result<Vec<T>, StoreError> {
        rows(&self.conn, sql, params, read)
    }

    /// Returns the rows that a query finds and that can be read.
    pub(super) fn readable_rows<T>(
        &self,
        what: &'static str,
        sql: &str,
        params: impl Params,
        read: impl FnMut(&Row<'_>) -> Result<T, StoreError>,
    ) -> Result<Vec<T>, StoreError> {
        readable_rows(&self.conn, (&self.unreadable, what), sql, params, read)
    }
}
