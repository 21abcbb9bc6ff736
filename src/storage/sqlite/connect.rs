//! The connections to a store: how they are opened, and their settings.
//!
//! `open` decides what is opened and in which order.

use std::path::Path;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use super::options::{Durability, SqliteOptions};
use super::store_error::StoreError;

/// The bytes of the write-ahead log after which a commit moves its pages into the database.
///
/// The writer waits for two syncs meanwhile. With SQLite's default of 4 MiB, a busy store spent 10
/// to 17 % of its time on them. With 64 MiB, runs were created faster and executed slower.
const CHECKPOINT_BYTES: i64 = 16 << 20;

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
    let log_max = i64::try_from(options.log_bytes_max).unwrap_or(i64::MAX);
    let page: i64 = conn.pragma_query_value(None, "page_size", |row| row.get(0))?;
    let pages = CHECKPOINT_BYTES.min(log_max) / page.max(1);
    conn.pragma_update_and_check(None, "wal_autocheckpoint", pages.max(1), |_| Ok(()))?;
    // After a burst, the file of the write-ahead log shrinks to this size.
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
    fn a_log_moves_into_the_database_before_it_outgrows_its_maximum() {
        let dir = crate::testing::scratch();
        let default = SqliteOptions::default().log_bytes_max;
        for (max, pages) in [(default, 4_096), (u64::MAX, 4_096), (40_960, 10), (0, 1)] {
            let options = SqliteOptions::default().log_bytes_max(max);
            let conn = connect_to_write(&dir.path().join("runs.db"), &options).unwrap();
            let found = conn.pragma_query_value(None, "wal_autocheckpoint", |row| row.get(0));
            assert_eq!(found, Ok(pages), "{max}");
        }
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
