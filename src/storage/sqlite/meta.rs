//! The numbers that must not be used again, and those of them that must survive their rows.
//!
//! `purge`, `audit` and each commit write them, `state` reads them when a store is opened, and
//! `repair` writes them again after damage.

use rusqlite::{Connection, OptionalExtension, Row};

use super::store_error::StoreError;
use super::unreadable::UnreadableRows;
use super::values::{NUMBERS_END, run_id};
use crate::model::RunId;

/// The stored numbers. One that is missing or cannot be read is 0, or the least that is safe.
#[derive(Debug, Default)]
pub(super) struct Meta {
    pub(super) commit_no: i64,
    pub(super) next_run: i64,
    pub(super) next_seq: i64,
    pub(super) is_damaged: bool,
}

impl Meta {
    pub(super) fn load(conn: &Connection, unreadable: &UnreadableRows) -> Result<Self, StoreError> {
        let mut is_damaged = newest_run_type(conn)?.as_deref() != Some("blob");
        let mut read = |name| {
            let found = unreadable.skip("a stored number", name, meta(conn, name))?;
            is_damaged |= found.is_none();
            Ok::<_, StoreError>(found.unwrap_or(0))
        };
        let (commit_no, next_run) = (read("commit_no")?, read("next_run")?);
        // Every purged event has a smaller number than the next one.
        let next_seq = read("next_seq")?.max(read("purged_seq")? + 1);
        Ok(Self {
            commit_no,
            next_run,
            next_seq,
            is_damaged,
        })
    }
}

fn newest_run_type(conn: &Connection) -> Result<Option<String>, StoreError> {
    let sql = "SELECT typeof(value) FROM meta WHERE name = 'newest_run'";
    Ok(conn.query_row(sql, [], |row| row.get(0)).optional()?)
}

/// Returns the number stored under a name.
pub(super) fn meta(conn: &Connection, name: &str) -> Result<i64, StoreError> {
    let value: Option<i64> = conn
        .prepare_cached("SELECT value FROM meta WHERE name = ?")?
        .query_row([name], |row| row.get(0))
        .optional()?;
    value
        .filter(|value| (0..NUMBERS_END).contains(value))
        .ok_or_else(|| StoreError::unreadable("a stored number", "it is missing or out of range"))
}

/// Returns the number after the greatest key of a table.
pub(super) fn next_key(conn: &Connection, table: &str, end: i64) -> Result<i64, StoreError> {
    let sql = format!("SELECT max(key) FROM {table} WHERE key < ?");
    let max: Option<i64> = conn.query_row(&sql, [end], |row| row.get(0))?;
    Ok(max.unwrap_or(0).max(0) + 1)
}

/// Returns the number after the greatest event.
pub(super) fn next_seq(conn: &Connection) -> Result<i64, StoreError> {
    let sql = "SELECT max(seq) FROM journal WHERE seq < ?";
    let max: Option<i64> = conn.query_row(sql, [NUMBERS_END], |row| row.get(0))?;
    Ok(max.unwrap_or(0).max(0) + 1)
}

/// Returns the greatest run id that was ever stored.
pub(super) fn newest_run(conn: &Connection) -> Result<Option<RunId>, StoreError> {
    let read = |row: &Row<'_>| row.get::<_, Vec<u8>>(0);
    let stored = conn
        .prepare_cached("SELECT id FROM runs WHERE length(id) = 16 ORDER BY id DESC LIMIT 1")?
        .query_row([], read)
        .optional()?;
    let purged = conn
        .prepare_cached("SELECT value FROM meta WHERE name = 'newest_run' AND typeof(value) = 'blob' AND length(value) = 16")?
        .query_row([], read)
        .optional()?;
    stored.max(purged).map(|id| run_id(&id)).transpose()
}
