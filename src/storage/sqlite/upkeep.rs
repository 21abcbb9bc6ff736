//! Looks after the file of a store between the groups of steps: frees pages and keeps the
//! write-ahead log within its size.
//!
//! Purges decide that there is something to free.

use std::time::Duration;

use rusqlite::Connection;

use super::store_error::StoreError;
use super::tx::Tx;
use super::writer::Writer;
use crate::error::log;

/// Fewer free pages stay in the file: the next runs use them.
const FREE_MIN: i64 = 1_024;

/// The pages of one step. Moving them takes about a millisecond.
const STEP: u32 = 64;

/// How long a restart of the write-ahead log waits for the readers that use it.
///
/// The writer waits as well, so that a long reader must not hold it back for long.
const RESTART_WAIT: Duration = Duration::from_millis(100);

impl Writer {
    /// Frees pages step by step as long as no caller waits.
    pub(super) fn shrink_while_idle(&mut self) {
        while self.may_shrink && self.inbox.is_idle() {
            self.work(Self::shrink);
            // A panic has dropped the connection. The next purge tries again.
            self.may_shrink &= self.tx.is_some();
        }
    }

    /// Does what is due after a group.
    pub(super) fn look_after_file(&mut self) {
        let Some(tx) = &mut self.tx else { return };
        if std::mem::take(&mut tx.frees_pages) {
            self.may_shrink = true;
            // One step after each step of a purge, because a busy store is never idle.
            self.shrink();
        }
        self.restart_long_log();
    }

    fn shrink(&mut self) {
        self.may_shrink = match self.tx.as_ref().map(|tx| free_pages(&tx.conn)) {
            Some(Ok(has_more)) => has_more,
            Some(Err(error)) => {
                log_failure(&error, "free pages of the store could not be returned");
                false
            }
            None => false,
        };
    }

    /// Tries to restart a write-ahead log that has outgrown its maximum behind a reader.
    ///
    /// The next commit then starts at the beginning of the log and cuts its file.
    fn restart_long_log(&mut self) {
        let (bytes, max) = (self.file.log_bytes(), self.options.log_bytes_max);
        if bytes <= self.restart_log_at {
            if bytes <= max {
                self.restart_log_at = max;
            }
            return;
        }
        let Some(tx) = &self.tx else { return };
        let is_restarted = restart_log(tx, self.options.busy_timeout);
        if !matches!(is_restarted, Ok(true)) {
            // The next try is due when the log has grown by its maximum again.
            self.restart_log_at = bytes.saturating_add(max);
        }
        match is_restarted {
            Ok(true) => {}
            Ok(false) => {
                log::warn!(
                    bytes,
                    "the write-ahead log cannot be reused, because a reader stays in a transaction"
                );
            }
            Err(error) => log_failure(&error, "the write-ahead log could not be restarted"),
        }
    }

    /// Copies what a removed write-ahead log still holds into the database.
    ///
    /// Only the open connection can read that log.
    pub(super) fn rescue_log(&self) {
        let Some(tx) = &self.tx else { return };
        let copied = tx
            .conn
            .query_row("PRAGMA wal_checkpoint", [], |_| Ok(()))
            .map_err(StoreError::from);
        if let Err(error) = copied {
            log_failure(&error, "a removed write-ahead log could not be saved");
        }
    }
}

/// Frees some pages once a good part of the file is free. Returns whether there is more to free.
fn free_pages(conn: &Connection) -> Result<bool, StoreError> {
    let number = |name: &str| conn.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    let free = number("freelist_count")?;
    if free <= FREE_MIN || free <= number("page_count")? / 4 {
        return Ok(false);
    }
    // Each row of the result is one freed page: only reading them all frees them all.
    let mut statement = conn.prepare(&format!("PRAGMA incremental_vacuum({STEP})"))?;
    let mut freed = statement.query([])?;
    while freed.next()?.is_some() {}
    drop(freed);
    // A file that an early version created frees nothing.
    Ok(number("freelist_count")? < free)
}

fn restart_log(tx: &Tx, busy_timeout: Duration) -> Result<bool, StoreError> {
    tx.conn.busy_timeout(RESTART_WAIT.min(busy_timeout))?;
    let is_busy = tx
        .conn
        .query_row("PRAGMA wal_checkpoint(RESTART)", [], |row| {
            row.get::<_, bool>(0)
        });
    tx.conn.busy_timeout(busy_timeout)?;
    Ok(!is_busy?)
}

fn log_failure(error: &StoreError, what: &str) {
    let code = error.code();
    log::error!(?code, "{what}");
    error.trace();
}
