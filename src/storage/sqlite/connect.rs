//! The connections to a store: how they are opened, and their settings.
//!
//! `open` decides what is opened and in which order.

use std::path::Path;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use super::options::{Durability, SqliteOptions};
use super::store_error::StoreError;

/// Opens a connection that writes, without settings.
pub(super) fn connect(path: &Path, options: &SqliteOptions) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_CREATE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    open(path, flags, 256, options)
}

/// Opens a write connection to a store whose schema is current.
pub(super) fn connect_to_write(
    path: &Path,
    options: &SqliteOptions,
) -> Result<Connection, StoreError> {
    let conn = connect(path, options)?;
    set_pragmas(&conn, options)?;
    Ok(conn)
}

/// Opens a connection that only reads.
pub(super) fn connect_to_read(
    path: &Path,
    options: &SqliteOptions,
) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let conn = open(path, flags, 128, options)?;
    conn.pragma_update(None, "temp_store", "MEMORY")?;
    // The first read opens the write-ahead log. From then on, it stays the same file, even while
    // the writer opens its connection again.
    conn.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))?;
    Ok(conn)
}

/// Opens a connection that keeps this number of statements prepared.
fn open(
    path: &Path,
    flags: OpenFlags,
    statements_max: usize,
    options: &SqliteOptions,
) -> Result<Connection, StoreError> {
    let conn = Connection::open_with_flags(path, flags)?;
    conn.busy_timeout(options.busy_timeout)?;
    conn.set_prepared_statement_cache_capacity(statements_max);
    // Otherwise, a plan depends on the values of parameters, and SQLite prepares a cached statement
    // again when they change. The plan of a query then depends on its text alone.
    // https://www.sqlite.org/queryplanner-ng.html#qpstab
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    #[cfg(test)]
    let conn = super::recorded_texts::record(conn, path)?;
    Ok(conn)
}

/// Applies the settings of a write connection.
///
/// # Errors
/// `NoLog` if SQLite does not use a write-ahead log for this file.
pub(super) fn set_pragmas(conn: &Connection, options: &SqliteOptions) -> Result<(), StoreError> {
    let synchronous = match options.durability {
        Durability::Full => "FULL",
        Durability::Normal => "NORMAL",
    };
    // SQLite keeps the earlier mode where it cannot use the log, and reports it as the result.
    let mode: String =
        conn.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0))?;
    if !mode.eq_ignore_ascii_case("wal") {
        return Err(StoreError::NoLog(mode));
    }
    conn.pragma_update(None, "synchronous", synchronous)?;
    // On macOS, a plain sync leaves the data in the cache of the disk. Elsewhere, this has no
    // effect.
    let is_full = options.durability == Durability::Full;
    conn.pragma_update(None, "fullfsync", is_full)?;
    conn.pragma_update(None, "foreign_keys", true)?;
    // 8 MiB keep the pages of frequent steps in memory.
    conn.pragma_update(None, "cache_size", -8_192)?;
    // After a burst, the file of the write-ahead log shrinks to this size.
    let log_max = i64::try_from(options.log_bytes_max).unwrap_or(i64::MAX);
    conn.pragma_update_and_check(None, "journal_size_limit", log_max, |_| Ok(()))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_without_a_write_ahead_log_is_refused() {
        // A database in memory cannot have one.
        let conn = Connection::open_in_memory().unwrap();
        let error = set_pragmas(&conn, &SqliteOptions::default()).unwrap_err();
        assert!(matches!(error, StoreError::NoLog(mode) if mode == "memory"));
    }

    #[test]
    fn full_durability_empties_the_cache_of_the_disk() {
        let dir = crate::testing::scratch();
        for (durability, expected) in [(Durability::Full, (2, 1)), (Durability::Normal, (1, 0))] {
            let options = SqliteOptions::default().durability(durability);
            let conn = connect_to_write(&dir.path().join("runs.db"), &options).unwrap();
            let number = |name| {
                conn.pragma_query_value(None, name, |row| row.get::<_, i64>(0))
                    .unwrap()
            };
            assert_eq!((number("synchronous"), number("fullfsync")), expected);
        }
    }
}
