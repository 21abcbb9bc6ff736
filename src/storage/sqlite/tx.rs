//! The write transaction: its connection, the writer's memory, and the counts that it collects.
//!
//! `writer` decides when a transaction begins and ends. The steps are in each noun's file.

use std::sync::Arc;

use rusqlite::{Connection, Params, Row, params};

use super::body::JournalBody;
use super::figure_changes::FigureChanges;
use super::open_backfills::{BackfillChange, BackfillChanges};
use super::query;
use super::state::State;
use super::store_error::StoreError;
use super::unreadable::UnreadableRows;
use super::values::{to_i64, to_u64};

/// The write connection, with the state and the pending counts of its transaction.
#[derive(Debug)]
pub(super) struct Tx {
    pub(super) conn: Connection,
    pub(super) state: State,
    pub(super) unreadable: Arc<UnreadableRows>,
    pub(super) figures: FigureChanges,
    pub(super) backfills: BackfillChanges,
    is_dirty: bool,
    /// Whether a step of the transaction has purged or edited runs.
    pub(super) changes_finished: bool,
    /// Whether a step has left rows to sweep. The next sweep resets it.
    pub(super) wants_sweep: bool,
    /// Whether a step has deleted much, so that the file may shrink.
    pub(super) frees_pages: bool,
}

impl Tx {
    pub(super) fn new(
        conn: Connection,
        unreadable: Arc<UnreadableRows>,
    ) -> Result<Self, StoreError> {
        let state = State::load(&conn, &unreadable)?;
        Ok(Self {
            conn,
            state,
            unreadable,
            figures: FigureChanges::default(),
            backfills: BackfillChanges::default(),
            is_dirty: false,
            changes_finished: false,
            wants_sweep: false,
            frees_pages: false,
        })
    }

    /// Reads the memory again after the transaction was rolled back.
    ///
    /// The lanes are undone instead: reading them takes long if many runs are pending.
    pub(super) fn reload(mut self) -> Result<Self, StoreError> {
        let mut lanes = std::mem::take(&mut self.state.lanes);
        lanes.roll_back();
        self.state = State::load_without_lanes(&self.conn, &self.unreadable)?;
        self.state.lanes = lanes;
        self.wants_sweep = false;
        Ok(self)
    }

    /// Begins a transaction and drops the counts of an earlier one that was rolled back.
    pub(super) fn begin(&mut self) -> Result<(), StoreError> {
        self.is_dirty = false;
        self.changes_finished = false;
        self.state.lanes.begin();
        self.state.pipelines.begin();
        self.figures = FigureChanges::default();
        self.backfills = BackfillChanges::default();
        // `IMMEDIATE` takes the write lock now. A deferred transaction takes it at its first write,
        // where SQLite may refuse it.
        self.conn.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
        Ok(())
    }

    /// Writes the collected counts and the number of the commit.
    ///
    /// Returns false if there is nothing to commit.
    pub(super) fn finish(&mut self) -> Result<bool, StoreError> {
        self.write_figures()?;
        self.write_backfills()?;
        if self.is_dirty {
            self.state.commit_no += 1;
            let commit_no = self.state.commit_no;
            self.write(
                "UPDATE meta SET value = ? WHERE name = 'commit_no'",
                [commit_no],
            )?;
        }
        Ok(self.is_dirty)
    }

    pub(super) fn commit(&self) -> Result<(), StoreError> {
        self.conn.prepare_cached("COMMIT")?.execute([])?;
        Ok(())
    }

    pub(super) fn roll_back(&self) -> Result<(), StoreError> {
        // SQLite ends the transaction itself after errors such as `SQLITE_FULL`.
        if !self.conn.is_autocommit() {
            self.conn.execute_batch("ROLLBACK")?;
        }
        Ok(())
    }

    /// Executes a statement that writes. Returns how many rows it changed.
    pub(super) fn write(&mut self, sql: &str, params: impl Params) -> Result<usize, StoreError> {
        self.is_dirty = true;
        query::write(&self.conn, sql, params)
    }

    /// Returns the first row that a query finds.
    pub(super) fn row<T>(
        &self,
        sql: &str,
        params: impl Params,
        read: impl FnOnce(&Row<'_>) -> Result<T, StoreError>,
    ) -> Result<Option<T>, StoreError> {
        query::row(&self.conn, sql, params, read)
    }

    /// Returns all rows that a query finds.
    pub(super) fn rows<T>(
        &self,
        sql: &str,
        params: impl Params,
        read: impl FnMut(&Row<'_>) -> Result<T, StoreError>,
    ) -> Result<Vec<T>, StoreError> {
        query::rows(&self.conn, sql, params, read)
    }

    /// Returns the rows that a query finds and that can be read.
    pub(super) fn readable_rows<T>(
        &self,
        what: &'static str,
        sql: &str,
        params: impl Params,
        read: impl FnMut(&Row<'_>) -> Result<T, StoreError>,
    ) -> Result<Vec<T>, StoreError> {
        query::readable_rows(&self.conn, (&self.unreadable, what), sql, params, read)
    }

    /// Writes one row of the journal. Returns the number of its last event.
    pub(super) fn write_events(
        &mut self,
        run: i64,
        body: &JournalBody,
        position: Option<i64>,
    ) -> Result<i64, StoreError> {
        let seq = self.state.next_seq + body.count - 1;
        self.write(
            "INSERT INTO journal (seq, run, n, position, body) VALUES (?, ?, ?, ?, ?)",
            params![seq, run, body.count, position, body.text],
        )?;
        self.state.next_seq = seq + 1;
        Ok(seq)
    }

    /// Returns the number of the newest event.
    pub(super) fn newest_seq(&self) -> u64 {
        to_u64(self.state.next_seq - 1)
    }

    /// Adds the collected counts to the rows of backfills. Deletes those whose last run was purged.
    pub(super) fn write_backfills(&mut self) -> Result<(), StoreError> {
        for (key, change) in std::mem::take(&mut self.backfills).0 {
            let BackfillChange {
                by_status: [pending, running, success, failed, cancelled],
                outcomes,
                recovered,
                has_purged,
            } = change;
            self.write(
                ADD_BACKFILL_COUNTS,
                params![
                    pending,
                    running,
                    success.saturating_add(recovered),
                    failed.saturating_sub(recovered),
                    cancelled,
                    to_i64(outcomes.failed).saturating_sub(recovered),
                    to_i64(outcomes.cancelled),
                    key
                ],
            )?;
            if has_purged {
                self.write(
                    "DELETE FROM backfills WHERE key = ?1 AND NOT EXISTS (SELECT 1 FROM runs WHERE backfill = ?1)",
                    [key],
                )?;
            }
        }
        Ok(())
    }
}

/// Adds to the counts of a backfill. A damaged count is clamped, so that a sum never overflows.
const ADD_BACKFILL_COUNTS: &str = "UPDATE backfills SET \
     pending = max(min(pending, 9007199254740992), -9007199254740992) + ?, \
     running = max(min(running, 9007199254740992), -9007199254740992) + ?, \
     success = max(min(success, 9007199254740992), -9007199254740992) + ?, \
     failed = max(min(failed, 9007199254740992), -9007199254740992) + ?, \
     cancelled = max(min(cancelled, 9007199254740992), -9007199254740992) + ?, \
     ended_failed = max(min(ended_failed, 9007199254740992), -9007199254740992) + ?, \
     ended_cancelled = max(min(ended_cancelled, 9007199254740992), -9007199254740992) + ? \
     WHERE key = ?";
