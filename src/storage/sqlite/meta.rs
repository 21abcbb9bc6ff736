//! The stored numbers that must survive the rows they were counted from.
//!
//! `purge` and each commit write them, `state` reads them when a store is opened, and `repair`
//! writes them again after damage.

use rusqlite::{Connection, OptionalExtension};

use super::store_error::StoreError;
use super::unreadable::UnreadableRows;
use super::values::NUMBERS_END;

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
